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

-- As before, and: a clock that waits for the end of an instance goes on waiting, whatever is edited, paused or
-- resumed meanwhile, or its next run would come twice; and any change of a definition wakes the schedulers.
CREATE OR REPLACE FUNCTION rota_task_after_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- The schedule yields nothing at or before this moment. A single run that was meant for "now" is past by the
    -- time it gets here, and shall run all the same.
    begins timestamptz := CASE
        WHEN NEW.trigger = 'once' AND NEW.run_at > clock_timestamp() - interval '60 s'
        THEN least(clock_timestamp(), NEW.run_at - interval '1 microsecond')
        ELSE clock_timestamp() END;
    reschedule boolean := TG_OP = 'INSERT' OR rota_schedule(NEW) IS DISTINCT FROM rota_schedule(OLD);
    -- A delay that was edited counts from the same end as before.
    follows boolean := TG_OP = 'UPDATE' AND NEW.trigger = 'fixed_delay' AND OLD.trigger = 'fixed_delay';
BEGIN
    IF TG_OP = 'INSERT' OR NEW.version <> OLD.version THEN
        INSERT INTO rota_task_revision (task_id, version, definition, created_at)
        VALUES (NEW.id, NEW.version, to_jsonb(NEW), clock_timestamp())
        ON CONFLICT (task_id, version) DO UPDATE SET definition = excluded.definition;
    END IF;
    IF reschedule THEN
        -- A tick that was due before the edit stays; every later one is planned by the new schedule.
        INSERT INTO rota_task_clock AS k (task_id, planned_from, dirty) VALUES (NEW.id, begins, NEW.enabled)
        ON CONFLICT (task_id) DO UPDATE SET
            -- An edit right after another, which no scheduler has planned yet: what came due in between is still
            -- undecided, and the newest schedule decides it.
            planned_from = CASE WHEN k.dirty AND k.planned_from > excluded.planned_from - interval '10 s'
                                THEN k.planned_from ELSE excluded.planned_from END,
            held_at = CASE WHEN k.held_at <= excluded.planned_from THEN k.held_at END,
            next_run_at = CASE WHEN k.next_run_at <= excluded.planned_from THEN k.next_run_at END,
            awaits_end = follows AND k.last_fired_for IS NOT NULL
                AND coalesce(k.next_run_at, k.held_at, 'infinity') > excluded.planned_from,
            dirty = excluded.dirty AND NOT (follows AND k.last_fired_for IS NOT NULL
                AND coalesce(k.next_run_at, k.held_at, 'infinity') > excluded.planned_from),
            error = '';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.enabled AND NOT NEW.enabled THEN
        UPDATE rota_task_clock SET held_at = coalesce(next_run_at, held_at), next_run_at = NULL, dirty = false
        WHERE task_id = NEW.id;
    ELSIF TG_OP = 'UPDATE' AND NEW.enabled AND NOT OLD.enabled THEN
        -- Go on from the tick that was next at the pause; with none held, the schedule begins now.
        UPDATE rota_task_clock SET next_run_at = held_at, held_at = NULL, dirty = held_at IS NULL AND NOT awaits_end,
            planned_from = CASE WHEN held_at IS NULL AND NOT awaits_end THEN clock_timestamp() ELSE planned_from END
        WHERE task_id = NEW.id;
    END IF;
    IF TG_OP = 'INSERT' OR NEW.version <> OLD.version OR NEW.enabled <> OLD.enabled THEN
        PERFORM pg_notify('rota_clock', '');
    END IF;
    RETURN NULL;
END $$;
