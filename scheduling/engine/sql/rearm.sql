-- Purpose: let the clocks of fixed delays go on after the end of the instance that they wait for.
-- Takes:   parallel arrays, one element for each clock (see rearm.py).
-- Locks:   the clock rows, in task order; rows that somebody else holds are not ours (SKIP LOCKED).
-- Guards:  the clock still waits for the same instance, under the same schedule, and the task is not paused.
WITH ended AS MATERIALIZED (
    SELECT * FROM unnest(
        %(task_ids)s::int[], %(fired_for)s::timestamptz[], %(planned_from)s::timestamptz[],
        %(next_run_at)s::timestamptz[]
    ) AS e (task_id, fired_for, planned_from, next_run_at)
),
mine AS MATERIALIZED (
    SELECT k.task_id, e.next_run_at FROM ended e
    JOIN rota_task_clock k ON k.task_id = e.task_id
    JOIN rota_task t ON t.id = e.task_id
    WHERE k.awaits_end AND NOT k.dirty AND t.enabled
        AND k.last_fired_for = e.fired_for AND k.planned_from = e.planned_from
    ORDER BY k.task_id
    FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE rota_task_clock k SET awaits_end = false, next_run_at = mine.next_run_at
FROM mine WHERE k.task_id = mine.task_id
RETURNING k.task_id
