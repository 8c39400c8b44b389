-- Purpose: turn due ticks into instances, and advance their clocks, in one statement.
-- Takes:   parallel arrays, one element for each tick (see fire.py). unnest fills up those that are shorter with NULL,
--          which stands for the usual: so what nearly always is the same costs nothing.
-- Locks:   the clock rows won, in task order; rows that somebody else holds are not ours (SKIP LOCKED). The caller holds
--          the gate of each task, taken in an earlier statement, so that this snapshot sees every admission that came
--          before: an entry whose gate nobody is at is ready at once.
-- Guards:  the clock still shows the tick we saw (compare and set); the schedule was not edited since, neither planned
--          anew nor waiting to be: the tick after this one is the new schedule's to name;
--          the database's clock says that the moment has come; UNIQUE (task, scheduled_for, fire_key).
WITH due AS MATERIALIZED (
    SELECT d.task_id, d.expect, d.next_run_at, coalesce(d.fire_for, d.expect) AS fire_for,
        coalesce(d.run_at, d.fire_for, d.expect) AS run_at, coalesce(d.reason, '') AS reason, d.missed_count,
        d.missed_since, coalesce(d.message, '') AS message, d.planned_from, d.version AS known_version
    FROM unnest(
        %(task_ids)s::int[], %(expect)s::timestamptz[], %(next_run_at)s::timestamptz[],
        %(fire_for)s::timestamptz[], %(run_at)s::timestamptz[], %(reason)s::text[], %(missed_count)s::int[],
        %(missed_since)s::timestamptz[], %(message)s::text[], %(planned_from)s::timestamptz[], %(version)s::int[]
    ) AS d (task_id, expect, next_run_at, fire_for, run_at, reason, missed_count, missed_since, message, planned_from,
        version)
),
won AS MATERIALIZED (
    SELECT d.*, t.namespace_id, t.version, t.queue, t.handler, t.priority, t.max_attempts, t.timeout_seconds,
        t.pool_id, t.pool_weight, rota_gate(t, t.params) AS gate, t.trigger = 'fixed_delay' AS awaits_end
    FROM due d
    JOIN rota_task_clock k ON k.task_id = d.task_id
    JOIN rota_task t ON t.id = d.task_id
    WHERE k.next_run_at = d.expect AND NOT k.dirty AND t.enabled
        AND k.planned_from = coalesce(d.planned_from, k.planned_from)
        AND t.version = coalesce(d.known_version, t.version)
        AND greatest(d.fire_for, d.expect) <= clock_timestamp()
    ORDER BY d.task_id
    FOR NO KEY UPDATE OF k SKIP LOCKED
),
advanced AS (
    UPDATE rota_task_clock k SET next_run_at = won.next_run_at, last_fired_for = won.fire_for,
        awaits_end = won.awaits_end
    FROM won WHERE k.task_id = won.task_id
),
drawn AS MATERIALIZED (
    SELECT won.*, nextval('rota_instance_id_seq') AS instance_id,
        CASE WHEN run_at > clock_timestamp() THEN 4
            WHEN gate IS NULL THEN 0
            -- A gate that several tasks share, or behind which is a pool, is left to admission.
            -- OFFSET keeps the planner from reading all entries into a hash, which is cheap only while there are few.
            WHEN gate = task_id AND pool_id IS NULL AND NOT EXISTS (
                SELECT FROM rota_queue_entry e WHERE e.gate = won.gate AND e.state IN (0, 1, 3, 5) OFFSET 0
            ) AND NOT EXISTS (
                SELECT FROM rota_queue_entry e WHERE e.gate = won.gate AND e.state = 2 OFFSET 0
            ) THEN 0
            ELSE 2 END AS state
    FROM won
),
instance AS (
    INSERT INTO rota_instance (id, scheduled_for, namespace_id, task_id, task_version, outcome, reason, message,
        missed_count, missed_since, finished_at)
    SELECT instance_id, fire_for, namespace_id, task_id, version,
        CASE WHEN reason <> '' THEN 'skipped' END, reason, message,
        missed_count, missed_since, CASE WHEN reason <> '' THEN clock_timestamp() END
    FROM drawn
    ON CONFLICT (task_id, scheduled_for, fire_key) DO NOTHING
    RETURNING id, task_id, outcome, namespace_id, finished_at
),
counted AS (
    INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited)
    SELECT date_bin('1 hour', finished_at, 'epoch'), namespace_id, task_id, outcome, -1, 1, interval '0', interval '0'
    FROM instance WHERE outcome IS NOT NULL
),
-- Looked up in a hash and not joined: the planner takes each of these for a single row, and would compare every tick
-- with every other.
made AS MATERIALIZED (
    SELECT drawn.*, instance_id IN (SELECT id FROM instance) AS inserted FROM drawn
),
entry AS (
    INSERT INTO rota_queue_entry (instance_id, scheduled_for, namespace_id, task_id, task_version, queue, handler,
        state, sort_key, run_at, max_attempts, timeout_seconds, gate, pool_id, pool_weight)
    SELECT instance_id, fire_for, namespace_id, task_id, version, queue, handler,
        state, run_at - priority * interval '30 s', run_at, max_attempts, timeout_seconds, gate, pool_id, pool_weight
    FROM made WHERE inserted AND reason = ''
)
SELECT string_agg(task_id::text, ','), count(*) FILTER (WHERE inserted),
    ARRAY(SELECT DISTINCT queue FROM made WHERE inserted AND reason = '' AND state = 0),
    ARRAY(SELECT gate FROM made WHERE inserted AND reason = '' AND state = 2),
    min(run_at) FILTER (WHERE inserted AND reason = '' AND state = 4)
FROM made
