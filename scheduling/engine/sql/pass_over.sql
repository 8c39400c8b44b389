-- Purpose: record what changes of schedules passed over, one skipped instance for each change, or settle that there
--          was nothing.
-- Takes:   parallel arrays, one element for each change (see pass_over.py); no moment where there was nothing.
-- Locks:   the periods that the changes opened, in id order; those that somebody else holds are not ours (SKIP LOCKED).
-- Guards:  nobody has recorded the change yet (compare and set); UNIQUE (task, scheduled_for, fire_key). A task that
--          was deleted meanwhile gets no row.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(
        %(period_ids)s::bigint[], %(task_ids)s::int[], %(versions)s::int[], %(moments)s::timestamptz[],
        %(reasons)s::text[], %(counts)s::int[], %(since)s::timestamptz[], %(messages)s::text[]
    ) AS g (period_id, task_id, version, scheduled_for, reason, missed_count, missed_since, message)
),
mine AS MATERIALIZED (
    SELECT g.* FROM given g JOIN rota_schedule_period p ON p.id = g.period_id
    WHERE p.to_record
    ORDER BY p.id
    FOR NO KEY UPDATE OF p SKIP LOCKED
),
settled AS (
    UPDATE rota_schedule_period p SET to_record = false FROM mine WHERE p.id = mine.period_id
),
instance AS (
    INSERT INTO rota_instance (scheduled_for, namespace_id, task_id, task_version, outcome, reason, message, missed_count,
        missed_since, finished_at)
    SELECT m.scheduled_for, t.namespace_id, m.task_id, m.version, 'skipped', m.reason, m.message, m.missed_count,
        m.missed_since, clock_timestamp()
    FROM mine m JOIN rota_task t ON t.id = m.task_id
    WHERE m.scheduled_for IS NOT NULL
    ON CONFLICT (task_id, scheduled_for, fire_key) DO NOTHING
    RETURNING namespace_id, task_id, outcome, finished_at
)
-- One row for each instance, so that their number is that of the instances.
INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited)
SELECT date_bin('1 hour', finished_at, 'epoch'), namespace_id, task_id, outcome, -1, 1, interval '0', interval '0'
FROM instance
