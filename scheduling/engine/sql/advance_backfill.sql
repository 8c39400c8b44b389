-- Purpose: the next ticks of a backfill become instances with waiting entries.
-- Takes:   id, expect (how many had been made when the ticks were read), ticks (the ones that follow).
-- Locks:   the backfill's row; one that another scheduler holds is not ours (SKIP LOCKED).
-- Guards:  the backfill still runs, and nobody has gone on since (compare and set);
--          UNIQUE (task, scheduled_for, fire_key).
-- The entries have a gate whatever the task says, so that they pass admission, which knows the backfill's limit.
WITH mine AS MATERIALIZED (
    SELECT b.id AS backfill_id, b.created_by_id, t.id AS task_id, t.namespace_id, t.version, t.queue, t.handler,
        t.priority, t.max_attempts, t.timeout_seconds, t.pool_id, t.pool_weight,
        coalesce(rota_gate(t, t.params), t.id) AS gate, clock_timestamp() AS now
    FROM rota_backfill b JOIN rota_task t ON t.id = b.task_id
    WHERE b.id = %(id)s AND b.state = 'running' AND b.created_count = %(expect)s
    FOR NO KEY UPDATE OF b SKIP LOCKED
),
moved AS (
    UPDATE rota_backfill b SET created_count = b.created_count + cardinality(%(ticks)s::timestamptz[])
    FROM mine WHERE b.id = mine.backfill_id
),
instance AS (
    INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, fire_key, origin, triggered_by_id,
        backfill_id)
    SELECT v.tick, namespace_id, task_id, version, 'backfill:' || backfill_id, 'backfill', created_by_id, backfill_id
    FROM mine CROSS JOIN unnest(%(ticks)s::timestamptz[]) AS v (tick)
    ON CONFLICT (task_id, scheduled_for, fire_key) DO NOTHING
    RETURNING id, scheduled_for
),
entry AS (
    INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue, handler,
        state, sort_key, run_at, max_attempts, timeout_seconds, gate, pool_id, pool_weight,
        backfill_id)
    -- They queue up behind what waits already, in the order of their ticks.
    SELECT i.id, i.scheduled_for, m.namespace_id, m.task_id, m.version, m.queue, m.handler, 2,
        m.now - m.priority * interval '30 s'
            + row_number() OVER (ORDER BY i.scheduled_for) * interval '1 microsecond',
        m.now, m.max_attempts, m.timeout_seconds, m.gate, m.pool_id, m.pool_weight, m.backfill_id
    FROM instance i CROSS JOIN mine m
    RETURNING task_id
)
SELECT m.gate, (SELECT count(*) FROM entry) FROM mine m
