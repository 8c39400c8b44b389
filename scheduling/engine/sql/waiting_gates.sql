-- Purpose: the gates at which admission may have something to do, for the sweep: not those that are simply full.
-- Cost:    one index probe to find each gate at which something waits, however many wait there, and a few to judge it.
WITH RECURSIVE gate AS (
    (SELECT gate FROM rota_queue_entry WHERE state = 2 ORDER BY gate LIMIT 1)
    UNION ALL
    SELECT (SELECT e.gate FROM rota_queue_entry e WHERE e.state = 2 AND e.gate > g.gate ORDER BY e.gate LIMIT 1)
    FROM gate g WHERE g.gate IS NOT NULL
)
SELECT g.gate FROM gate g CROSS JOIN LATERAL (
    SELECT e.task_id, e.backfill_id FROM rota_queue_entry e
    WHERE e.gate = g.gate AND e.state = 2 ORDER BY e.sort_key, e.instance_id LIMIT 1
) head JOIN rota_task t ON t.id = head.task_id
WHERE t.overlap NOT IN ('queue_all', 'allow') OR g.gate < 0 OR head.backfill_id IS NOT NULL
    OR t.max_running IS NULL AND t.overlap = 'allow'
    OR (SELECT count(*) FROM rota_queue_entry e WHERE e.gate = g.gate AND e.state IN (0, 1, 3, 5))
        < coalesce(t.max_running, 1)
