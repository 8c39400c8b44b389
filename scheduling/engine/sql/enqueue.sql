-- Purpose: make one instance outside the task's own trigger, in the caller's transaction.
-- Takes:   task_id, scheduled_for (NULL: now), fire_key, origin, params, triggered_by, rerun_of, handler.
-- Guards:  UNIQUE (task, scheduled_for, fire_key).
WITH task AS MATERIALIZED (
    SELECT t.*, clock_timestamp() AS now, rota_gate(t, %(params)s::jsonb) AS gate
    FROM rota_task t WHERE t.id = %(task_id)s
),
instance AS (
    INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, fire_key, origin, params,
        triggered_by_id, rerun_of)
    SELECT coalesce(%(scheduled_for)s::timestamptz, now), namespace_id, id, version, %(fire_key)s, %(origin)s,
        %(params)s::jsonb, %(triggered_by)s::bigint, %(rerun_of)s::bigint
    FROM task
    RETURNING id, scheduled_for, params IS NOT NULL AS own_params
),
entry AS (
    INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue, handler,
        state, sort_key, run_at, max_attempts, timeout_seconds, gate, pool_id, pool_weight,
        own_params)
    SELECT i.id, i.scheduled_for, t.namespace_id, t.id, t.version, t.queue, t.handler,
        CASE WHEN i.scheduled_for > t.now THEN 4 WHEN t.gate IS NOT NULL THEN 2 ELSE 0 END,
        greatest(i.scheduled_for, t.now) - t.priority * interval '30 s', greatest(i.scheduled_for, t.now),
        t.max_attempts, t.timeout_seconds, t.gate, t.pool_id, t.pool_weight, i.own_params
    FROM instance i CROSS JOIN task t
    RETURNING state, queue, gate
)
SELECT instance.id, instance.scheduled_for, entry.state, entry.queue, entry.gate FROM instance CROSS JOIN entry
