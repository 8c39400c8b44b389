-- Purpose: the pools for whose room something waits.
-- Cost:    one index probe for each, however many wait for it.
WITH RECURSIVE pool AS (
    (SELECT pool_id FROM rota_queue_entry WHERE state = 5 ORDER BY pool_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.pool_id FROM rota_queue_entry e WHERE e.state = 5 AND e.pool_id > p.pool_id
            ORDER BY e.pool_id LIMIT 1)
    FROM pool p WHERE p.pool_id IS NOT NULL
)
SELECT pool_id FROM pool WHERE pool_id IS NOT NULL
