-- What keeps versions, revisions and clocks right whichever way a task is edited: admin, API,
-- QuerySet.update(), loaddata or plain SQL. Definition tables only: no trigger is on the hot path.

CREATE FUNCTION rota_definition(task rota_task) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(task) - ARRAY['version', 'created_at', 'updated_at', 'enabled']
$$;

CREATE FUNCTION rota_schedule(task rota_task) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(task.trigger, task.cron_expression, task.timezone, task.every_seconds, task.anchor_at,
        task.run_at, task.dst_gap, task.dst_fold, task.starts_at, task.ends_at)
$$;

CREATE FUNCTION rota_task_before_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.version := 1;
    ELSIF rota_definition(NEW) IS DISTINCT FROM rota_definition(OLD) THEN
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock_timestamp();
    ELSE
        -- Somebody who saved a stale copy of the row must not turn the version back.
        NEW.version := OLD.version;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION rota_task_after_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- The schedule yields nothing at or before this moment. A single run that was meant for "now" is past by the
    -- time it gets here, and shall run all the same.
    begins timestamptz := CASE
        WHEN NEW.trigger = 'once' AND NEW.run_at > clock_timestamp() - interval '60 s'
        THEN least(clock_timestamp(), NEW.run_at - interval '1 microsecond')
        ELSE clock_timestamp() END;
    reschedule boolean := TG_OP = 'INSERT' OR rota_schedule(NEW) IS DISTINCT FROM rota_schedule(OLD);
BEGIN
    IF TG_OP = 'INSERT' OR NEW.version <> OLD.version THEN
        INSERT INTO rota_task_revision (task_id, version, definition, created_at)
        VALUES (NEW.id, NEW.version, to_jsonb(NEW), clock_timestamp())
        ON CONFLICT (task_id, version) DO UPDATE SET definition = excluded.definition;
    END IF;
    IF reschedule THEN
        -- A tick that was due before the edit stays; every later one is planned by the new schedule.
        INSERT INTO rota_task_clock (task_id, planned_from, dirty) VALUES (NEW.id, begins, NEW.enabled)
        ON CONFLICT (task_id) DO UPDATE SET planned_from = excluded.planned_from, dirty = excluded.dirty,
            held_at = CASE WHEN rota_task_clock.held_at <= excluded.planned_from THEN rota_task_clock.held_at END,
            next_run_at = CASE WHEN rota_task_clock.next_run_at <= excluded.planned_from
                               THEN rota_task_clock.next_run_at END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.enabled AND NOT NEW.enabled THEN
        UPDATE rota_task_clock SET held_at = coalesce(next_run_at, held_at), next_run_at = NULL, dirty = false
        WHERE task_id = NEW.id;
    ELSIF TG_OP = 'UPDATE' AND NEW.enabled AND NOT OLD.enabled THEN
        -- Go on from the tick that was next at the pause; with none held, the schedule begins now.
        UPDATE rota_task_clock SET next_run_at = held_at, held_at = NULL, dirty = held_at IS NULL,
            planned_from = CASE WHEN held_at IS NULL THEN clock_timestamp() ELSE planned_from END
        WHERE task_id = NEW.id;
    END IF;
    IF reschedule OR (TG_OP = 'UPDATE' AND NEW.enabled <> OLD.enabled) THEN
        PERFORM pg_notify('rota_clock', '');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION rota_task_after_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM rota_task_clock WHERE task_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER rota_task_version BEFORE INSERT OR UPDATE ON rota_task
    FOR EACH ROW EXECUTE FUNCTION rota_task_before_write();
CREATE TRIGGER rota_task_clock AFTER INSERT OR UPDATE ON rota_task
    FOR EACH ROW EXECUTE FUNCTION rota_task_after_write();
CREATE TRIGGER rota_task_gone AFTER DELETE ON rota_task
    FOR EACH ROW EXECUTE FUNCTION rota_task_after_delete();
