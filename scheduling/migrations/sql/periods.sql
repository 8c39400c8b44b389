-- From when a task followed which schedule, and when it was paused: what the ledger computes its ticks from.
-- Two triggers around rota_task_clock (triggers of one kind run in the order of their names): the first sees what the
-- clock had not decided yet, the second the moment that it went by.

CREATE FUNCTION rota_period_changes(old_task rota_task, new_task rota_task) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT old_task.id IS NULL OR old_task.enabled <> new_task.enabled
        OR rota_schedule(new_task) IS DISTINCT FROM rota_schedule(old_task)
$$;

CREATE FUNCTION rota_task_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    clock rota_task_clock;
BEGIN
    IF TG_OP = 'UPDATE' AND NOT rota_period_changes(OLD, NEW) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO clock FROM rota_task_clock WHERE task_id = NEW.id FOR NO KEY UPDATE;
    INSERT INTO rota_schedule_period (task_id, begins_at, version, enabled, undecided_after)
    VALUES (NEW.id, clock_timestamp(), NEW.version, NEW.enabled,
        CASE WHEN TG_OP = 'INSERT' THEN NULL
             -- Nobody has planned this clock since it began: it decided nothing.
             WHEN clock.dirty OR NOT OLD.enabled AND clock.held_at IS NULL THEN clock.planned_from
             -- It shows the tick that it decides about next.
             ELSE coalesce(clock.next_run_at, clock.held_at) END);
    RETURN NULL;
END $$;

CREATE FUNCTION rota_task_date_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NOT rota_period_changes(OLD, NEW) THEN
        RETURN NULL;
    END IF;
    UPDATE rota_schedule_period p
    SET begins_at = CASE WHEN began_anew THEN k.planned_from ELSE p.begins_at END,
        undecided_after = CASE WHEN began_anew THEN p.undecided_after END
    FROM rota_task_clock k, LATERAL (
        SELECT TG_OP = 'INSERT' OR k.planned_from >= opened.begins_at
                OR rota_schedule(NEW) IS DISTINCT FROM rota_schedule(OLD) AS began_anew, opened.id
        FROM rota_schedule_period opened WHERE opened.task_id = NEW.id ORDER BY opened.id DESC LIMIT 1
    ) latest
    WHERE k.task_id = NEW.id AND p.id = latest.id;
    RETURN NULL;
END $$;

CREATE TRIGGER rota_task_a_period AFTER INSERT OR UPDATE ON rota_task
    FOR EACH ROW EXECUTE FUNCTION rota_task_open_period();
CREATE TRIGGER rota_task_z_period AFTER INSERT OR UPDATE ON rota_task
    FOR EACH ROW EXECUTE FUNCTION rota_task_date_period();

INSERT INTO rota_schedule_period (task_id, begins_at, version, enabled)
SELECT t.id, k.planned_from, t.version, t.enabled
FROM rota_task t JOIN rota_task_clock k ON k.task_id = t.id;
