-- Purpose: waiting entries of limited tasks become ready while there is room; what the overlap rule refuses ends.
-- Takes:   task_ids. The caller holds the advisory lock of each (see admit.py), taken in an earlier statement,
--          so that this snapshot sees every admission that came before.
-- Locks:   the waiting entries that it moves; one that somebody is cancelling is left alone.
WITH rule AS MATERIALIZED (
    SELECT t.id AS task_id, t.overlap,
        greatest(coalesce(t.max_running, CASE WHEN t.overlap = 'allow' THEN 2147483647 ELSE 1 END)
            - (SELECT count(*) FROM rota_queue_entry e
               WHERE e.task_id = t.id AND e.limited AND e.state IN (0, 1, 3)), 0) AS room
    FROM rota_task t WHERE t.id = ANY(%(task_ids)s::int[])
),
-- Of a backfill, no more than its own limit come through at once; the others stay and wait.
backfill AS MATERIALIZED (
    SELECT b.id, CASE WHEN b.overlap = 'allow' THEN b.max_parallel ELSE 1 END
        - (SELECT count(*) FROM rota_queue_entry e
           WHERE e.task_id = b.task_id AND e.backfill_id = b.id AND e.state IN (0, 1, 3)) AS room
    FROM rota_backfill b WHERE b.id IN (SELECT e.backfill_id FROM rota_queue_entry e
        WHERE e.task_id = ANY(%(task_ids)s::int[]) AND e.backfill_id IS NOT NULL)
),
kept_back AS MATERIALIZED (
    SELECT w.instance_id FROM backfill JOIN (
        SELECT e.instance_id, e.backfill_id,
            row_number() OVER (PARTITION BY e.backfill_id ORDER BY e.sort_key, e.instance_id) AS place
        FROM rota_queue_entry e
        WHERE e.task_id = ANY(%(task_ids)s::int[]) AND e.backfill_id IS NOT NULL AND e.state = 2
    ) w ON w.backfill_id = backfill.id AND w.place > backfill.room
),
admitted AS MATERIALIZED (
    SELECT w.instance_id FROM rule CROSS JOIN LATERAL (
        SELECT e.instance_id FROM rota_queue_entry e WHERE e.task_id = rule.task_id AND e.state = 2
            AND e.instance_id <> ALL(ARRAY(SELECT instance_id FROM kept_back))
        ORDER BY e.sort_key, e.instance_id LIMIT rule.room
        FOR NO KEY UPDATE SKIP LOCKED
    ) w
),
-- Named by what was admitted and not by an OFFSET behind it: a row that this very statement updates drops out of
-- a locking read, and would be counted twice.
refused AS MATERIALIZED (
    SELECT w.instance_id FROM (SELECT * FROM rule WHERE overlap IN ('skip', 'queue_one')) rule
    CROSS JOIN LATERAL (
        SELECT e.instance_id FROM rota_queue_entry e
        WHERE e.task_id = rule.task_id AND e.state = 2 AND e.instance_id <> ALL(ARRAY(SELECT instance_id FROM admitted))
            AND e.backfill_id IS NULL  -- somebody asked for these ticks: they wait
        ORDER BY e.sort_key, e.instance_id
        OFFSET CASE rule.overlap WHEN 'queue_one' THEN 1 ELSE 0 END
        FOR NO KEY UPDATE SKIP LOCKED
    ) w
),
ready AS (
    UPDATE rota_queue_entry e SET state = 0
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM admitted))
    RETURNING e.queue
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM refused))
    RETURNING e.instance_id, e.scheduled_for
)
SELECT 'ready', queue, NULL::bigint, NULL::timestamptz FROM ready
UNION ALL
SELECT 'skipped', NULL, instance_id, scheduled_for FROM gone
