-- Purpose: write what `reap` decided into the history, in the same transaction.
-- Takes:   parallel arrays, state, reason and message of all executions, and constant bounds of scheduled_for.
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(
        %(instance_ids)s::bigint[], %(scheduled_for)s::timestamptz[], %(lease_ids)s::bigint[],
        %(decisions)s::text[], %(attempts)s::int[], %(claimed_at)s::timestamptz[], %(ends)s::text[],
        %(end_reasons)s::text[]
    ) AS v (instance_id, scheduled_for, lease_id, decision, attempt, claimed_at, ending, end_reason)
),
execution AS (
    UPDATE rota_execution x
    SET state = %(state)s, reason = %(reason)s, message = %(message)s, finished_at = clock_timestamp()
    FROM v
    WHERE x.id = v.lease_id AND x.scheduled_for = v.scheduled_for
        AND x.scheduled_for BETWEEN %(lo)s AND %(hi)s AND x.state = 'running'
),
-- It has been running since its first start, whoever ends it.
begun AS (
    UPDATE rota_instance i SET started_at = v.claimed_at
    FROM v
    WHERE v.decision = 'again' AND i.id = v.instance_id AND i.scheduled_for = v.scheduled_for
        AND i.scheduled_for BETWEEN %(lo)s AND %(hi)s AND i.started_at IS NULL
),
instance AS (
    UPDATE rota_instance i
    SET outcome = v.decision, reason = v.end_reason, message = v.ending, attempts = v.attempt,
        last_execution_id = v.lease_id,
        started_at = coalesce(i.started_at, v.claimed_at), finished_at = clock_timestamp(),
        failed_at = CASE WHEN v.decision = 'failed' THEN clock_timestamp() END
    FROM v
    WHERE v.decision <> 'again' AND i.id = v.instance_id AND i.scheduled_for = v.scheduled_for
        AND i.scheduled_for BETWEEN %(lo)s AND %(hi)s
    RETURNING i.namespace_id, i.task_id, i.outcome, i.started_at, i.finished_at,
        CASE WHEN i.origin = 'schedule' THEN i.scheduled_for ELSE greatest(i.scheduled_for, i.created_at) END AS due_at
)
INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited)
SELECT date_bin('1 hour', finished_at, 'epoch'), namespace_id, task_id, outcome,
    rota_stat_bucket(finished_at - started_at), count(*),
    coalesce(sum(finished_at - started_at), interval '0'), coalesce(sum(started_at - due_at), interval '0')
FROM instance WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5
