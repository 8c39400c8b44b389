-- Purpose: entries that their gates let through become ready while their pools have room, strictly in order: a heavy
--          one that does not fit holds up whatever comes after it, so that light ones cannot starve it.
-- Takes:   pool_ids. The caller holds the advisory lock of each, taken in an earlier statement.
-- Locks:   the entries that it may move; one that somebody is cancelling is left alone.
-- Answer:  for each pool that moved something, (pool, queues, how many, whether there is more to be decided).
-- Bound:   the first 1000 waiting entries of each pool.
WITH pool AS MATERIALIZED (
    -- A pool that was deleted limits nothing. An instance never weighs more than the whole pool, or it would block a
    -- pool that has become smaller for ever.
    SELECT v.id, coalesce(p.slots, 2147483647)::bigint AS slots,
        coalesce(p.slots, 2147483647)::bigint - (
            SELECT coalesce(sum(least(e.pool_weight, coalesce(p.slots, 2147483647))), 0) FROM rota_queue_entry e
            WHERE e.pool_id = v.id AND e.state IN (0, 1, 3)) AS free
    FROM unnest(%(pool_ids)s::int[]) AS v (id) LEFT JOIN rota_pool p ON p.id = v.id
),
head AS MATERIALIZED (
    SELECT pool.id, pool.free, e.instance_id, e.sort_key, least(e.pool_weight, pool.slots) AS weight
    FROM pool CROSS JOIN LATERAL (
        SELECT q.instance_id, q.sort_key, q.pool_weight FROM rota_queue_entry q
        WHERE q.pool_id = pool.id AND q.state = 5 ORDER BY q.sort_key, q.instance_id
        LIMIT least(greatest(pool.free, 0), 1000)
        FOR NO KEY UPDATE SKIP LOCKED
    ) e
),
fits AS MATERIALIZED (
    SELECT id, instance_id FROM (
        SELECT h.*, sum(weight) OVER (PARTITION BY id ORDER BY sort_key, instance_id) AS taken FROM head h
    ) x WHERE taken <= free
),
ready AS (
    UPDATE rota_queue_entry e SET state = 0
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM fits))
    RETURNING e.pool_id, e.queue
)
SELECT pool_id, array_agg(DISTINCT queue), count(*), count(*) >= 1000 FROM ready GROUP BY pool_id
