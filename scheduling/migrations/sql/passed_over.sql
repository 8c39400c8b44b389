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
        took_over_at = CASE WHEN began_anew THEN greatest(p.took_over_at, k.planned_from) ELSE p.took_over_at END,
        undecided_after = CASE WHEN began_anew THEN p.undecided_after END,
        to_record = began_anew AND coalesce(p.undecided_after < greatest(p.took_over_at, k.planned_from), false)
    FROM rota_task_clock k, LATERAL (
        SELECT TG_OP = 'INSERT' OR k.planned_from >= opened.begins_at
                OR rota_schedule(NEW) IS DISTINCT FROM rota_schedule(OLD) AS began_anew, opened.id
        FROM rota_schedule_period opened WHERE opened.task_id = NEW.id ORDER BY opened.id DESC LIMIT 1
    ) latest
    WHERE k.task_id = NEW.id AND p.id = latest.id;
    RETURN NULL;
END $$;

-- As before, but for the moment from which on a new schedule decides.
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
            -- What came due within the last seconds and is still undecided, the newest schedule decides: an edit
            -- right after another that no scheduler has planned yet, or at a moment at which schedulers are a little
            -- behind, drops no tick that both schedules have.
            planned_from = CASE
                WHEN k.dirty AND k.planned_from > excluded.planned_from - interval '10 s'
                    THEN least(k.planned_from, excluded.planned_from)
                WHEN NOT k.dirty AND coalesce(k.next_run_at, k.held_at)
                        BETWEEN excluded.planned_from - interval '10 s' AND excluded.planned_from
                    THEN coalesce(k.next_run_at, k.held_at)
                ELSE excluded.planned_from END,
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
