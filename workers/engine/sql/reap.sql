-- Purpose: end leases that nobody can report for any more, because their worker is gone.
-- Takes:   lease_seconds (silence after which a worker counts as gone), max_losses, limit, and optionally the one
--          incarnation whose leases are to be ended in any case.
-- Locks:   the entries, in id order, skipping those that somebody is completing at this moment.
WITH orphan AS MATERIALIZED (
    SELECT e.instance_id, e.scheduled_for, e.lease_id, e.task_id, e.gate, e.pool_id, e.losses, e.queue, e.claimed_at,
        e.cancel_requested_at IS NOT NULL AS cancel, e.cancel_message, e.cancel_reason, e.attempt
    FROM rota_queue_entry e
    WHERE e.state = 1 AND (
        e.holder = %(incarnation)s::bigint
        OR NOT EXISTS (
            SELECT FROM rota_node n
            WHERE n.incarnation = e.holder AND n.state <> 'stopped'
                AND n.last_seen_at > clock_timestamp() - make_interval(secs => %(lease_seconds)s)
        )
    )
    ORDER BY e.instance_id LIMIT %(limit)s
    FOR UPDATE OF e SKIP LOCKED
),
decided AS MATERIALIZED (
    SELECT o.*, CASE
        WHEN o.cancel THEN 'cancelled'
        WHEN t.id IS NULL OR t.on_worker_lost = 'fail' OR o.losses >= %(max_losses)s THEN 'failed'
        ELSE 'again' END AS decision,
        t.on_worker_lost IS DISTINCT FROM 'fail' AS exhausted
    FROM orphan o LEFT JOIN rota_task t ON t.id = o.task_id
),
again AS (
    UPDATE rota_queue_entry e
    SET state = 0, lease_id = NULL, holder = NULL, claimed_at = NULL, deadline_at = NULL, losses = e.losses + 1
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM decided WHERE decision = 'again'))
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM decided WHERE decision <> 'again'))
)
SELECT instance_id, scheduled_for, lease_id, gate, pool_id, queue, decision, attempt, claimed_at,
    cancel_message, cancel_reason, exhausted
FROM decided
