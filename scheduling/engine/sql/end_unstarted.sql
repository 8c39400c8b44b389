-- Purpose: write the final state of instances whose queue entry the same transaction has just deleted.
-- Takes:   ids and scheduled_for in parallel, outcome, reason, message, and constant bounds of scheduled_for,
--          so that only the partitions concerned are opened.
WITH instance AS (
    UPDATE rota_instance i
    SET outcome = %(outcome)s::text, reason = %(reason)s, message = %(message)s, finished_at = clock_timestamp(),
        failed_at = CASE WHEN %(outcome)s::text = 'failed' THEN clock_timestamp() END
    FROM unnest(%(ids)s::bigint[], %(scheduled_for)s::timestamptz[]) AS v (id, scheduled_for)
    WHERE i.id = v.id AND i.scheduled_for = v.scheduled_for
        AND i.scheduled_for BETWEEN %(lo)s AND %(hi)s AND i.outcome IS NULL
    RETURNING i.namespace_id, i.task_id, i.outcome, i.started_at, i.finished_at,
        CASE WHEN i.origin = 'schedule' THEN i.scheduled_for ELSE greatest(i.scheduled_for, i.created_at) END AS due_at
)
INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited)
SELECT date_bin('1 hour', finished_at, 'epoch'), namespace_id, task_id, outcome,
    rota_stat_bucket(finished_at - started_at), count(*),
    coalesce(sum(finished_at - started_at), interval '0'), coalesce(sum(started_at - due_at), interval '0')
FROM instance WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5
