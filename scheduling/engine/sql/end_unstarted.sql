-- Purpose: write the final state of instances whose queue entry the same transaction has just deleted.
-- Takes:   ids and scheduled_for in parallel, outcome, reason, message, and constant bounds of scheduled_for,
--          so that only the partitions concerned are opened.
UPDATE rota_instance i
SET outcome = %(outcome)s::text, reason = %(reason)s, message = %(message)s, finished_at = clock_timestamp(),
    failed_at = CASE WHEN %(outcome)s::text = 'failed' THEN clock_timestamp() END
FROM unnest(%(ids)s::bigint[], %(scheduled_for)s::timestamptz[]) AS v (id, scheduled_for)
WHERE i.id = v.id AND i.scheduled_for = v.scheduled_for
    AND i.scheduled_for BETWEEN %(lo)s AND %(hi)s AND i.outcome IS NULL
