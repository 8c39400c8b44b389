ALTER TABLE rota_instance ADD COLUMN backfill_id integer;
CREATE INDEX rota_instance_backfill ON rota_instance (backfill_id) WHERE backfill_id IS NOT NULL;
CREATE INDEX rota_task_clock_awaiting ON rota_task_clock (task_id) WHERE awaits_end;

-- Whose files a task belongs to is no part of what it does.
CREATE OR REPLACE FUNCTION rota_definition(task rota_task) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(task) - ARRAY['version', 'created_at', 'updated_at', 'enabled', 'owner']
$$;

CREATE OR REPLACE FUNCTION rota_schedule(task rota_task) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(task.trigger, task.cron_expression, task.timezone, task.every_seconds, task.anchor_at,
        task.run_at, task.dst_gap, task.dst_fold, task.starts_at, task.ends_at)
$$;

-- A calendar decides at the moment of firing, so an edit of one changes no clock; schedulers read it anew.
CREATE FUNCTION rota_calendar_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('rota_clock', '');
    RETURN NULL;
END $$;

CREATE TRIGGER rota_calendar_edited AFTER INSERT OR UPDATE OR DELETE ON rota_calendar
    FOR EACH STATEMENT EXECUTE FUNCTION rota_calendar_edited();
CREATE TRIGGER rota_calendar_rule_edited AFTER INSERT OR UPDATE OR DELETE ON rota_calendar_rule
    FOR EACH STATEMENT EXECUTE FUNCTION rota_calendar_edited();
CREATE TRIGGER rota_task_calendar_edited AFTER INSERT OR UPDATE OR DELETE ON rota_task_calendar
    FOR EACH STATEMENT EXECUTE FUNCTION rota_calendar_edited();
