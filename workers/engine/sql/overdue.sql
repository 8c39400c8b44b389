-- Purpose: find executions that their worker, which is alive, should have ended long ago: past their time limit and
--          the kill grace of their task, with a slack on top.
-- Takes:   slack_seconds, limit.
-- Locks:   the entries, in id order, skipping those that somebody is completing at this moment.
SELECT e.instance_id, e.lease_id, e.scheduled_for, e.attempt - e.losses - e.postponed,
    e.cancel_requested_at IS NOT NULL, r.definition
FROM rota_queue_entry e
LEFT JOIN rota_task_revision r ON r.task_id = e.task_id AND r.version = e.task_version
WHERE e.state = 1 AND e.deadline_at < clock_timestamp() - make_interval(
    secs => %(slack_seconds)s + coalesce((r.definition ->> 'kill_grace_seconds')::float8, 0))
ORDER BY e.instance_id LIMIT %(limit)s
FOR UPDATE OF e SKIP LOCKED
