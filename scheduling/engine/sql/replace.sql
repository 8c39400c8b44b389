-- Purpose: make room for the newest instance of tasks whose overlap rule says so: of the live ones at its gate, the
--          oldest end; what runs is asked to stop, everything else ends at once.
-- Takes:   parallel arrays: gates, newcomers (instances), most (their limits), kill. The caller holds the gates' locks.
-- Locks:   the entries that it ends or asks. One that somebody holds at this moment is left alone, and missing from
--          the answer with its `instance_id` given: look again.
-- Guard:   those that have been asked before count as gone, so nothing is asked for twice.
WITH newcomer AS MATERIALIZED (
    SELECT * FROM unnest(%(gates)s::bigint[], %(newcomers)s::bigint[], %(most)s::bigint[], %(kill)s::bool[])
        AS v (gate, instance_id, most, kill)
),
chosen AS MATERIALIZED (
    SELECT n.gate, n.instance_id AS newcomer, n.kill, e.instance_id
    FROM newcomer n CROSS JOIN LATERAL (
        SELECT q.instance_id FROM rota_queue_entry q
        WHERE q.gate = n.gate AND q.state IN (0, 1, 3, 5) AND q.cancel_requested_at IS NULL
            AND q.backfill_id IS NULL  -- somebody asked for these ticks
        ORDER BY q.instance_id
        LIMIT greatest(0, 1 - n.most + (
            SELECT count(*) FROM rota_queue_entry q
            WHERE q.gate = n.gate AND q.state IN (0, 1, 3, 5) AND q.cancel_requested_at IS NULL))
    ) e
),
mine AS MATERIALIZED (
    SELECT e.instance_id, e.scheduled_for, e.state, e.pool_id, e.gate FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM chosen)) AND e.cancel_requested_at IS NULL
    ORDER BY e.instance_id
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM mine WHERE state <> 1))
),
asked AS (
    UPDATE rota_queue_entry e
    SET cancel_requested_at = clock_timestamp(), kill_requested = c.kill, cancel_reason = %(reason)s::text,
        cancel_message = format(%(message)s::text, c.newcomer)
    FROM mine JOIN chosen c USING (instance_id)
    WHERE e.instance_id = mine.instance_id AND mine.state = 1
)
SELECT c.gate, c.newcomer, c.instance_id, m.scheduled_for, m.state, m.pool_id
FROM chosen c LEFT JOIN mine m USING (instance_id)
