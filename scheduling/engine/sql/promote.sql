-- Purpose: planned and delayed entries whose moment has come move on: to admission, or straight to ready.
-- Locks:   the entries it moves, oldest first, skipping those that somebody holds.
WITH due AS MATERIALIZED (
    SELECT instance_id FROM rota_queue_entry
    WHERE state IN (3, 4) AND run_at <= clock_timestamp()
    ORDER BY run_at LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE rota_queue_entry e SET state = CASE WHEN e.state = 4 AND e.gate IS NOT NULL THEN 2 ELSE 0 END
WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM due))
RETURNING e.gate, e.queue, e.state
