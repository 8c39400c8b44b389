-- Purpose: accept reports of attempts: end them, and their instances, or put the instance back for a retry.
-- Takes:   parallel arrays, one element for each report. In braces: the tables of the history, and how their rows are
--          found, which complete.py puts in: by constant bounds, so that only the partitions concerned are opened, or,
--          for a single day, the day's own tables.
-- Locks:   the entries whose lease the report shows, in id order.
-- Index:   the primary keys, once for each report, also in a plan that was made for empty tables and is kept. So no
--          condition may offer the planner another way: not "state = 1", which has an index of its own.
-- Guard:   (instance, lease). A report whose lease is no longer the current one changes nothing and is missing
--          from the answer. Success beats a cancel request; a retry loses to it.
WITH report AS MATERIALIZED (
    SELECT * FROM unnest(
        %(instance_ids)s::bigint[], %(lease_ids)s::bigint[], %(states)s::text[], %(reasons)s::text[],
        %(messages)s::text[], %(results)s::text[], %(retry_seconds)s::float8[], %(counted)s::bool[]
    ) AS r (instance_id, lease_id, state, reason, message, result, retry_seconds, counted)
    ORDER BY instance_id
),
mine AS MATERIALIZED (
    SELECT e.instance_id, e.scheduled_for, e.gate, e.pool_id, e.attempt, e.queue, e.claimed_at,
        r.lease_id, r.state, r.reason, r.message, r.result::jsonb AS result, r.retry_seconds, r.counted,
        e.cancel_message, e.cancel_reason,
        CASE
            WHEN r.state = 'succeeded' THEN 'succeeded'
            WHEN r.state = 'cancelled' THEN 'cancelled'
            -- The worker stopped before the work ended; that is no attempt of the task's own.
            WHEN r.state = 'lost' AND r.retry_seconds IS NOT NULL AND e.cancel_requested_at IS NULL THEN 'retry'
            WHEN r.retry_seconds IS NOT NULL AND e.cancel_requested_at IS NOT NULL THEN 'cancelled'
            -- The handler asked to be tried later. There is an end to that too: `attempt` is a smallint.
            WHEN r.retry_seconds IS NOT NULL AND NOT r.counted AND e.attempt < 30000 THEN 'retry'
            WHEN r.retry_seconds IS NOT NULL AND r.counted AND e.attempt - e.losses - e.postponed < e.max_attempts
                THEN 'retry'
            ELSE 'failed'
        END AS decision
    FROM report r CROSS JOIN LATERAL (
        SELECT * FROM rota_queue_entry q
        WHERE q.instance_id = r.instance_id AND q.lease_id = r.lease_id AND q.state BETWEEN 1 AND 1
        FOR UPDATE
    ) e
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM mine WHERE decision <> 'retry'))
),
again AS (
    UPDATE rota_queue_entry e
    SET state = 3, lease_id = NULL, holder = NULL, claimed_at = NULL, deadline_at = NULL,
        losses = e.losses + (m.state = 'lost')::int,
        postponed = e.postponed + (m.state <> 'lost' AND NOT m.counted)::int,
        run_at = clock_timestamp() + make_interval(secs => m.retry_seconds),
        sort_key = clock_timestamp() + make_interval(secs => m.retry_seconds) + (e.sort_key - e.run_at)
    FROM mine m WHERE e.instance_id = ANY(ARRAY[m.instance_id]) AND m.decision = 'retry'
),
execution AS (
    UPDATE {execution} x
    SET state = m.state, reason = m.reason, message = m.message, result = m.result, finished_at = clock_timestamp()
    FROM mine m
    WHERE {execution_of_report} AND x.state = 'running'
),
instance AS (
    UPDATE {instance} i
    SET outcome = nullif(m.decision, 'retry'),
        reason = CASE m.decision WHEN 'retry' THEN '' WHEN 'cancelled' THEN coalesce(m.cancel_reason, 'cancelled')
            ELSE m.reason END,
        message = CASE m.decision WHEN 'retry' THEN ''
            WHEN 'cancelled' THEN coalesce(m.cancel_message, m.message) ELSE m.message END,
        attempts = m.attempt, last_execution_id = m.lease_id, started_at = coalesce(i.started_at, m.claimed_at),
        finished_at = CASE WHEN m.decision <> 'retry' THEN clock_timestamp() END,
        failed_at = CASE WHEN m.decision = 'failed' THEN clock_timestamp() END
    FROM mine m
    WHERE {instance_of_report}
    RETURNING i.namespace_id, i.task_id, i.outcome, i.started_at, i.finished_at,
        CASE WHEN i.origin = 'schedule' THEN i.scheduled_for ELSE greatest(i.scheduled_for, i.created_at) END AS due_at
),
counted AS (
    INSERT INTO rota_stat_delta (hour, namespace_id, task_id, outcome, bucket, count, lasted, waited)
    SELECT date_bin('1 hour', finished_at, 'epoch'), namespace_id, task_id, outcome,
        rota_stat_bucket(finished_at - started_at), count(*),
        coalesce(sum(finished_at - started_at), interval '0'), coalesce(sum(started_at - due_at), interval '0')
    FROM instance WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4, 5
)
SELECT instance_id, lease_id, decision, gate, pool_id FROM mine
