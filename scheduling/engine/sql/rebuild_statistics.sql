-- Purpose: the statistics from a moment on are computed anew from the history.
-- Takes:   since (a full day, UTC). The caller holds the lock of folding, and runs this in a repeatable-read transaction
--          that has deleted the rows from then on, and every delta that its snapshot shows: what ends meanwhile is in
--          no part of the snapshot, and its delta is folded later.
WITH ended AS MATERIALIZED (
    SELECT date_bin('1 hour', finished_at, 'epoch') AS hour, namespace_id, task_id, outcome,
        rota_stat_bucket(finished_at - started_at) AS bucket, count(*) AS count,
        coalesce(sum(finished_at - started_at), interval '0') AS lasted,
        coalesce(sum(started_at - CASE WHEN origin = 'schedule' THEN scheduled_for
            ELSE greatest(scheduled_for, created_at) END), interval '0') AS waited
    FROM rota_instance WHERE outcome IS NOT NULL AND finished_at >= %(since)s
    GROUP BY 1, 2, 3, 4, 5
),
hours AS (
    INSERT INTO rota_stat_hour (task_id, hour, namespace_id, outcome, bucket, count, lasted, waited)
    SELECT coalesce(task_id, 0), hour, namespace_id, outcome, bucket, sum(count), sum(lasted), sum(waited)
    FROM ended GROUP BY GROUPING SETS (
        (task_id, hour, namespace_id, outcome, bucket), (hour, namespace_id, outcome, bucket))
),
days AS (
    INSERT INTO rota_stat_day (task_id, day, namespace_id, outcome, bucket, count, lasted, waited)
    SELECT task_id, date_bin('1 day', hour, 'epoch'), namespace_id, outcome, bucket,
        sum(count), sum(lasted), sum(waited)
    FROM ended GROUP BY 1, 2, 3, 4, 5
)
SELECT coalesce(sum(count), 0)::bigint FROM ended
