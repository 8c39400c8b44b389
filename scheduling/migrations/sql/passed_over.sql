-- What a change of the schedule passed over becomes a row, which a scheduler writes; the trigger says that there may
-- be something to write, and up to which moment the schedule before it counts.
ALTER TABLE rota_schedule_period ADD COLUMN took_over_at timestamptz;
UPDATE rota_schedule_period SET took_over_at = begins_at, to_record = coalesce(undecided_after < begins_at, false);
ALTER TABLE rota_schedule_period ALTER COLUMN took_over_at SET NOT NULL;

CREATE OR REPLACE FUNCTION rota_task_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    clock rota_task_clock;
BEGIN
    IF TG_OP = 'UPDATE' AND NOT rota_period_changes(OLD, NEW) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO clock FROM rota_task_clock WHERE task_id = NEW.id FOR NO KEY UPDATE;
    INSERT INTO rota_schedule_period (task_id, begins_at, took_over_at, version, enabled, undecided_after)
    SELECT NEW.id, moment, moment, NEW.version, NEW.enabled,
        CASE WHEN TG_OP = 'INSERT' THEN NULL
             -- Nobody has planned this clock since it began: it decided nothing.
             WHEN clock.dirty OR NOT OLD.enabled AND clock.held_at IS NULL THEN clock.planned_from
             -- It shows the tick that it decides about next.
             ELSE coalesce(clock.next_run_at, clock.held_at) END
    FROM clock_timestamp() AS moment;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION rota_task_date_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NOT rota_period_changes(OLD, NEW) THEN
        RETURN NULL;
    END IF;
    UPDATE rota_schedule_period p
    SET begins_at = CASE WHEN began_anew THEN k.planned_from ELSE p.begins_at END,
        took_over_at = CASE WHEN NOT began_anew THEN p.took_over_at
                            -- Planned by nobody in between: the new schedule decides from where the old one began.
                            WHEN p.undecided_after = k.planned_from THEN k.planned_from
                            ELSE greatest(p.took_over_at, k.planned_from) END,
        undecided_after = CASE WHEN began_anew THEN p.undecided_after END,
        to_record = began_anew AND coalesce(p.undecided_after < greatest(p.took_over_at, k.planned_from)
                                            AND p.undecided_after <> k.planned_from, false)
    FROM rota_task_clock k, LATERAL (
        SELECT TG_OP = 'INSERT' OR k.planned_from >= opened.begins_at
                OR rota_schedule(NEW) IS DISTINCT FROM rota_schedule(OLD) AS began_anew, opened.id
        FROM rota_schedule_period opened WHERE opened.task_id = NEW.id ORDER BY opened.id DESC LIMIT 1
    ) latest
    WHERE k.task_id = NEW.id AND p.id = latest.id;
    RETURN NULL;
END $$;
