-- Purpose: add deltas to the statistics by hour and by day, and delete them. What ended before the end of a range that
--          sums by task are kept of (see advance_window.sql) is added to these, too: it comes late, so it is little.
-- Takes:   limit (deltas). The caller holds the lock of folding (see fold_statistics.py), so nobody else writes here.
-- Locks:   the deltas it takes, which nobody else touches, and the rows it adds to, in the order of their key.
WITH gone AS (
    DELETE FROM rota_stat_delta
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM rota_stat_delta LIMIT %(limit)s))
    RETURNING *
),
-- Each class of a task, and of its namespace as a whole (task 0).
by_hour AS MATERIALIZED (
    SELECT coalesce(task_id, 0) AS task_id, hour, namespace_id, outcome, bucket,
        sum(count) AS count, sum(lasted) AS lasted, sum(waited) AS waited
    FROM gone GROUP BY GROUPING SETS (
        (task_id, hour, namespace_id, outcome, bucket), (hour, namespace_id, outcome, bucket))
),
hours AS (
    INSERT INTO rota_stat_hour AS s (task_id, hour, namespace_id, outcome, bucket, count, lasted, waited)
    SELECT task_id, hour, namespace_id, outcome, bucket, count, lasted, waited FROM by_hour ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (task_id, hour, namespace_id, outcome, bucket) DO UPDATE SET
        count = s.count + excluded.count, lasted = s.lasted + excluded.lasted, waited = s.waited + excluded.waited
),
days AS (
    INSERT INTO rota_stat_day AS s (task_id, day, namespace_id, outcome, bucket, count, lasted, waited)
    SELECT task_id, date_bin('1 day', hour, 'epoch'), namespace_id, outcome, bucket,
        sum(count), sum(lasted), sum(waited)
    FROM by_hour WHERE task_id <> 0 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (task_id, day, namespace_id, outcome, bucket) DO UPDATE SET
        count = s.count + excluded.count, lasted = s.lasted + excluded.lasted, waited = s.waited + excluded.waited
),
sums AS (
    INSERT INTO rota_stat_sum AS s (since, task_id, namespace_id, ended, failed, ran, lasted_us)
    SELECT w.since, h.task_id, h.namespace_id, sum(h.count),
        coalesce(sum(h.count) FILTER (WHERE h.outcome = 'failed'), 0),
        coalesce(sum(h.count) FILTER (WHERE h.outcome IN ('succeeded', 'failed') AND h.bucket >= 0), 0),
        coalesce(date_part('epoch', sum(h.lasted) FILTER (
            WHERE h.outcome IN ('succeeded', 'failed') AND h.bucket >= 0)) * 1000000, 0)::bigint
    FROM by_hour h JOIN rota_stat_window w ON h.hour >= w.since AND h.hour < w.until
    WHERE h.task_id <> 0 AND h.hour < (SELECT max(until) FROM rota_stat_window)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (since, task_id, namespace_id) DO UPDATE SET
        ended = s.ended + excluded.ended, failed = s.failed + excluded.failed, ran = s.ran + excluded.ran,
        lasted_us = s.lasted_us + excluded.lasted_us
)
SELECT count(*) FROM gone
