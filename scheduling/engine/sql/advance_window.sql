-- Purpose: add what ended within some hours to the sums by task of one range.
-- Takes:   since (which range); hours from (from) until (until), of which those before (midnight) are added up from the
--          statistics by hour, and whole days from there to (last_midnight), then hours again. The caller holds the lock
--          of folding, so that these hours are in no sum of the range, and nobody else writes here.
-- Locks:   the rows it adds to, in the order of their key.
WITH ends AS (
    SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_hour
    WHERE task_id <> 0 AND hour >= %(from)s AND hour < %(midnight)s
    UNION ALL
    SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_day
    WHERE day >= %(midnight)s AND day < %(last_midnight)s
    UNION ALL
    SELECT task_id, namespace_id, outcome, bucket, count, lasted FROM rota_stat_hour
    WHERE task_id <> 0 AND hour >= %(last_midnight)s AND hour < %(until)s
)
INSERT INTO rota_stat_sum AS s (since, task_id, namespace_id, ended, failed, ran, lasted_us)
SELECT %(since)s, task_id, namespace_id, sum(count), coalesce(sum(count) FILTER (WHERE outcome = 'failed'), 0),
    coalesce(sum(count) FILTER (WHERE outcome IN ('succeeded', 'failed') AND bucket >= 0), 0),
    coalesce(date_part('epoch', sum(lasted) FILTER (
        WHERE outcome IN ('succeeded', 'failed') AND bucket >= 0)) * 1000000, 0)::bigint
FROM ends GROUP BY 2, 3 ORDER BY 2, 3
ON CONFLICT (since, task_id, namespace_id) DO UPDATE SET
    ended = s.ended + excluded.ended, failed = s.failed + excluded.failed, ran = s.ran + excluded.ran,
    lasted_us = s.lasted_us + excluded.lasted_us
