-- Purpose: a draining worker returns what it claimed and did not start, as if it had never claimed it.
-- Takes:   instance_ids and lease_ids in parallel, and constant bounds of scheduled_for.
-- Guard:   (instance, lease).
WITH mine AS MATERIALIZED (
    SELECT e.instance_id, e.lease_id, e.scheduled_for, e.queue
    FROM rota_queue_entry e
    JOIN unnest(%(instance_ids)s::bigint[], %(lease_ids)s::bigint[]) AS v (instance_id, lease_id)
        ON v.instance_id = e.instance_id AND v.lease_id = e.lease_id
    WHERE e.state = 1
    ORDER BY e.instance_id
    FOR UPDATE OF e
),
execution AS (
    DELETE FROM rota_execution x USING mine m
    WHERE x.id = m.lease_id AND x.scheduled_for = m.scheduled_for
        AND x.scheduled_for BETWEEN %(lo)s AND %(hi)s
)
UPDATE rota_queue_entry e
SET state = 0, attempt = e.attempt - 1, lease_id = NULL, holder = NULL, claimed_at = NULL, deadline_at = NULL
FROM mine m WHERE e.instance_id = m.instance_id
RETURNING e.instance_id, e.scheduled_for, e.queue, e.gate, e.pool_id, e.cancel_requested_at IS NOT NULL, e.cancel_reason,
    e.cancel_message
