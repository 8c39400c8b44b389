-- Purpose: waiting entries pass their gates while there is room; what the overlap rule refuses ends.
-- Takes:   gates. The caller holds the advisory lock of each (see admit.py), taken in an earlier statement, so that
--          this snapshot sees every admission that came before.
-- Locks:   the waiting entries that it moves; one that somebody is cancelling is left alone. Nothing is waited for.
-- Answer:  (what, gate, text, instance, moment, number) rows:
--          ready: the queue that got something; pooled: in number, the pool before which it waits now; skipped and
--          superseded: what left the queue; newcomer: the first that waits, whose overlap rule (text) makes room for
--          it, with its limit; again: there is more to be decided at this gate.
-- Bound:   the first 200 waiting entries of each gate, of the first 1000 those that no backfill keeps back.
WITH gate AS MATERIALIZED (
    SELECT g AS gate, (SELECT count(*) FROM rota_queue_entry e WHERE e.gate = g AND e.state IN (0, 1, 3, 5)) AS live
    FROM unnest(%(gates)s::bigint[]) AS v (g)
),
head AS MATERIALIZED (
    SELECT gate.gate, gate.live, e.instance_id, e.task_id, e.backfill_id, e.pool_id, e.sort_key
    FROM gate CROSS JOIN LATERAL (
        SELECT q.instance_id, q.task_id, q.backfill_id, q.pool_id, q.sort_key FROM rota_queue_entry q
        WHERE q.gate = gate.gate AND q.state = 2 ORDER BY q.sort_key, q.instance_id LIMIT 1000
    ) e
),
-- Of a backfill, no more than its own limit come through at once; the others stay and wait.
backfill AS MATERIALIZED (
    SELECT b.id, CASE WHEN b.overlap = 'allow' THEN b.max_parallel ELSE 1 END
        - (SELECT count(*) FROM rota_queue_entry e
           WHERE e.task_id = b.task_id AND e.backfill_id = b.id AND e.state IN (0, 1, 3, 5)) AS room
    FROM rota_backfill b WHERE b.id = ANY(ARRAY(SELECT DISTINCT backfill_id FROM head WHERE backfill_id IS NOT NULL))
),
kept_back AS MATERIALIZED (
    SELECT w.instance_id FROM backfill JOIN (
        SELECT instance_id, backfill_id,
            row_number() OVER (PARTITION BY backfill_id ORDER BY sort_key, instance_id) AS place
        FROM head WHERE backfill_id IS NOT NULL
    ) w ON w.backfill_id = backfill.id AND w.place > backfill.room
),
task AS MATERIALIZED (
    SELECT t.id, t.overlap,
        coalesce(t.max_running, CASE WHEN t.overlap = 'allow' THEN 2147483647 ELSE 1 END)::bigint AS most
    FROM rota_task t WHERE t.id = ANY(ARRAY(SELECT DISTINCT task_id FROM head))
),
-- Tasks that share a gate may have different limits: each entry looks at that of its own task.
ranked AS (
    SELECT h.gate, h.live, h.instance_id, h.backfill_id, h.pool_id, t.overlap, t.most,
        row_number() OVER (PARTITION BY h.gate ORDER BY h.sort_key, h.instance_id) AS place
    FROM head h JOIN task t ON t.id = h.task_id
    WHERE h.instance_id <> ALL(ARRAY(SELECT instance_id FROM kept_back))
),
-- Through goes the longest beginning of the row in which everybody finds room. Nobody overtakes: one with a low limit
-- would wait for ever.
placed AS (
    SELECT r.*, max(place - most) OVER (PARTITION BY gate ORDER BY place) <= -live AS admitted FROM ranked r
    WHERE place <= 200
),
-- `no_room` by its own limit, once those are through.
counted AS (
    SELECT p.*, most <= live + count(*) FILTER (WHERE admitted) OVER (PARTITION BY gate) AS no_room FROM placed p
),
stuck AS (
    SELECT c.*,
        no_room OR bool_or(no_room AND NOT admitted AND (overlap <> 'skip' OR backfill_id IS NOT NULL))
            OVER (PARTITION BY gate ORDER BY place) AS held,
        bool_or(NOT admitted AND overlap <> 'skip' AND backfill_id IS NULL)
            OVER (PARTITION BY gate ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS one_waits,
        bool_or(NOT admitted AND overlap IN ('cancel_running', 'kill_running') AND backfill_id IS NULL)
            OVER (PARTITION BY gate ORDER BY place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS newer_waits
    FROM counted c
),
decided AS MATERIALIZED (
    SELECT gate, instance_id, pool_id, overlap, most, place, no_room, backfill_id, CASE
        WHEN admitted THEN 'admitted'
        WHEN backfill_id IS NOT NULL OR NOT held THEN 'stays'  -- somebody asked for those ticks: they wait
        WHEN overlap = 'skip' OR overlap = 'queue_one' AND one_waits THEN 'skipped'
        WHEN overlap IN ('cancel_running', 'kill_running') AND newer_waits THEN 'superseded'
        ELSE 'stays' END AS decision
    FROM stuck
),
-- BETWEEN and not `= 2`: that would offer the planner the index of what waits, all of which it might read.
admitted AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM decided WHERE decision = 'admitted'))
        AND e.state BETWEEN 2 AND 2
    ORDER BY e.instance_id
    FOR NO KEY UPDATE SKIP LOCKED
),
refused AS MATERIALIZED (
    SELECT e.instance_id FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM decided WHERE decision IN ('skipped', 'superseded')))
        AND e.state BETWEEN 2 AND 2
    ORDER BY e.instance_id
    FOR UPDATE SKIP LOCKED
),
through AS (
    UPDATE rota_queue_entry e SET state = CASE WHEN e.pool_id IS NULL THEN 0 ELSE 5 END
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM admitted))
    RETURNING e.gate, e.queue, e.pool_id
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM refused))
    RETURNING e.instance_id, e.scheduled_for, e.gate
),
first AS (
    SELECT DISTINCT ON (gate) * FROM decided WHERE decision = 'stays' ORDER BY gate, place
)
SELECT CASE WHEN pool_id IS NULL THEN 'ready' ELSE 'pooled' END, gate, queue, NULL::bigint, NULL::timestamptz,
    pool_id::bigint
FROM through
UNION ALL
SELECT d.decision, g.gate, NULL, g.instance_id, g.scheduled_for, NULL FROM gone g JOIN decided d USING (instance_id)
UNION ALL
SELECT 'newcomer', gate, overlap, instance_id, NULL, most FROM first
WHERE no_room AND overlap IN ('cancel_running', 'kill_running') AND backfill_id IS NULL
UNION ALL
-- A full window that went to its end, or one that found no room behind somebody who is gone now.
SELECT 'again', gate, NULL, NULL, NULL, NULL FROM (
    SELECT gate, count(*) AS seen, bool_or(decision = 'superseded') AS superseded,
        bool_or(decision = 'skipped') AS skipped,
        max(place) = max(place) FILTER (WHERE decision <> 'stays') AS to_its_end,
        bool_or(decision = 'stays' AND NOT no_room) AS rest
    FROM decided GROUP BY gate
) x WHERE seen >= (SELECT least(200, 1000 - count(*)) FROM kept_back) AND (to_its_end OR superseded) OR rest AND skipped
