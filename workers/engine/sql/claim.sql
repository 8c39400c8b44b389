-- Purpose: take up to `slots` ready entries for one worker, in order of their sort key.
-- Takes:   queues × handlers as parallel arrays (one lane each), slots, node_id, incarnation; since and since_id, the
--          place in the order of sort keys and instances to begin at (NULL: the beginning).
-- Locks:   the entries of each lane's head, skipping those that another worker is taking. The CTE is
--          materialized: as a plain sub-select the LIMIT would be run again for each outer row.
-- Index:   rota_queue_ready; the literal state = 0 is what makes it usable.
-- Guard:   the node still belongs to this incarnation, and is online.
WITH me AS MATERIALIZED (
    SELECT id FROM rota_node WHERE id = %(node_id)s AND incarnation = %(incarnation)s AND state = 'online'
),
head AS MATERIALIZED (
    SELECT e.instance_id, e.sort_key
    FROM me CROSS JOIN unnest(%(queues)s::text[], %(handlers)s::text[]) AS lane (queue, handler)
    CROSS JOIN LATERAL (
        SELECT q.instance_id, q.sort_key FROM rota_queue_entry q
        WHERE q.state = 0 AND q.queue = lane.queue AND q.handler = lane.handler
            AND (q.sort_key, q.instance_id) >= (coalesce(%(since)s::timestamptz, '-infinity'), %(since_id)s::bigint)
        ORDER BY q.sort_key, q.instance_id LIMIT %(slots)s
        FOR NO KEY UPDATE SKIP LOCKED
    ) e
),
chosen AS MATERIALIZED (
    SELECT instance_id FROM head ORDER BY sort_key, instance_id LIMIT %(slots)s
),
claimed AS (
    UPDATE rota_queue_entry e
    SET state = 1, attempt = e.attempt + 1, lease_id = nextval('rota_execution_id_seq'), holder = %(incarnation)s,
        claimed_at = clock_timestamp(),
        deadline_at = clock_timestamp() + make_interval(secs => e.timeout_seconds)
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM chosen))
    RETURNING e.*
),
execution AS (
    INSERT INTO rota_execution (id, scheduled_for, namespace_id, instance_id, task_id, attempt, node_id, started_at)
    SELECT lease_id, scheduled_for, namespace_id, instance_id, task_id, attempt, %(node_id)s, claimed_at
    FROM claimed
)
SELECT instance_id, lease_id, scheduled_for, namespace_id, task_id, task_version, handler, attempt, losses, postponed,
    max_attempts, timeout_seconds, own_params, sort_key
FROM claimed ORDER BY sort_key, instance_id
