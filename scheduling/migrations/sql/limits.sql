-- What admission counts by, and what a retry needs to know.
ALTER TABLE rota_queue_entry
    DROP COLUMN limited,  -- with its index, rota_queue_live
    ADD COLUMN gate bigint,
    ADD COLUMN pool_id integer,
    ADD COLUMN pool_weight smallint NOT NULL DEFAULT 1,
    ADD COLUMN postponed smallint NOT NULL DEFAULT 0,
    ADD COLUMN kill_requested boolean NOT NULL DEFAULT false,
    ADD COLUMN cancel_reason varchar(50),
    -- 0 ready, 1 running, 2 waiting for its gate, 3 admitted and delayed, 4 planned, 5 waiting for its pool
    DROP CONSTRAINT rota_queue_entry_state_check,
    ADD CONSTRAINT rota_queue_entry_state_check CHECK (state BETWEEN 0 AND 5),
    ADD CONSTRAINT what_waits_has_a_gate CHECK (state NOT IN (2, 5) OR gate IS NOT NULL),
    ADD CONSTRAINT what_waits_for_a_pool_has_one CHECK (state <> 5 OR pool_id IS NOT NULL);

-- Admission by gate: who waits, in order, and how many are through.
DROP INDEX rota_queue_waiting;
CREATE INDEX rota_queue_waiting ON rota_queue_entry (gate, sort_key, instance_id) WHERE state = 2;
CREATE INDEX rota_queue_live ON rota_queue_entry (gate) WHERE gate IS NOT NULL AND state IN (0, 1, 3, 5);
-- Admission by pool: the same.
CREATE INDEX rota_queue_pool_waiting ON rota_queue_entry (pool_id, sort_key, instance_id) WHERE state = 5;
CREATE INDEX rota_queue_pool_live ON rota_queue_entry (pool_id) WHERE pool_id IS NOT NULL AND state IN (0, 1, 3);

-- "customer-{customer_id}" with the params put in; {a.b} is b within a. What is missing renders as nothing; doubled
-- braces stand for one.
CREATE FUNCTION rota_rendered(template text, params jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(string_agg(
        coalesce(m[1], left(m[2], 1), params #>> string_to_array(nullif(m[3], ''), '.'), ''), '' ORDER BY n), '')
    FROM regexp_matches(template, '([^{}]+)|(\{\{|\}\})|\{([^{}]*)\}', 'g') WITH ORDINALITY AS v (m, n)
$$;

-- What admission counts an instance of the task by, with the instance's own params or (NULL) those of the task. NULL:
-- nothing limits it. One expression, so that it is inlined and costs nothing where there is no concurrency key.
CREATE FUNCTION rota_gate(task rota_task, params jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        -- Below zero, so that no text can meet the id of a task.
        WHEN task.concurrency_key <> '' THEN -1 - (4611686018427387903 & hashtextextended(
            task.namespace_id || '/' || rota_rendered(task.concurrency_key, coalesce(params, task.params)), 0))
        WHEN task.overlap <> 'allow' OR task.max_running IS NOT NULL OR task.pool_id IS NOT NULL THEN task.id
    END
$$;

-- Schedulers hear of an edited pool. What was queued before it shrank may hold more than it has now.
CREATE FUNCTION rota_pool_before_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.slots < OLD.slots THEN
        NEW.shrunk_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION rota_pool_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('rota_clock', 'limits');
    RETURN NULL;
END $$;
CREATE TRIGGER rota_pool_shrinks BEFORE UPDATE ON rota_pool FOR EACH ROW EXECUTE FUNCTION rota_pool_before_update();
CREATE TRIGGER rota_pool_edited AFTER UPDATE OR DELETE ON rota_pool
    FOR EACH STATEMENT EXECUTE FUNCTION rota_pool_edited();
