-- What lists of people ask for in a long history.

-- The outcome, unless it is success: reckoned by the database, so that nobody who ends an instance has to know of it.
-- It stays empty when an instance succeeds, and so its index leaves that update a heap-only one.
ALTER TABLE rota_instance ADD COLUMN rare_outcome varchar(20)
    GENERATED ALWAYS AS (CASE WHEN outcome <> 'succeeded' THEN outcome END) STORED;
CREATE INDEX rota_instance_rare ON rota_instance (rare_outcome, id) WHERE rare_outcome IS NOT NULL;
-- The origin never changes.
CREATE INDEX rota_instance_origin ON rota_instance (origin, id) WHERE origin <> 'schedule';

-- Which tasks said so, in some version.
CREATE INDEX rota_task_revision_handler ON rota_task_revision ((definition -> 'handler'));
CREATE INDEX rota_task_revision_queue ON rota_task_revision ((definition -> 'queue'));
CREATE INDEX rota_task_revision_pool ON rota_task_revision ((definition -> 'pool_id'));

-- By name in any namespace, and in the order of names in all of them.
CREATE INDEX rota_task_name ON rota_task (name);
-- The queues in use, one probe for each.
CREATE INDEX rota_task_queue ON rota_task (queue);

-- The tasks that fail most are few among all that run.
CREATE INDEX rota_stat_day_failed ON rota_stat_day (day) INCLUDE (task_id, namespace_id, count) WHERE outcome = 'failed';

-- The charts of all tasks together: few rows, which lie between those of each task, so the index has all that is asked for.
-- Folding updates a few of them a second, each with an entry here instead of within its page.
CREATE INDEX rota_stat_hour_all ON rota_stat_hour (hour) INCLUDE (namespace_id, outcome, bucket, count, lasted, waited)
    WHERE task_id = 0;

-- The schedules that many tasks share, counted without a look at the tasks; and those that have to be looked at. What
-- is asked for must say the same as these conditions, word by word.
CREATE INDEX rota_task_plain_cron ON rota_task (cron_expression, timezone, dst_gap, dst_fold, namespace_id)
    WHERE enabled AND trigger = 'cron' AND starts_at IS NULL AND ends_at IS NULL AND cron_expression !~ '[hH]';
CREATE INDEX rota_task_plain_interval ON rota_task (every_seconds) INCLUDE (anchor_at, created_at, namespace_id, id)
    WHERE enabled AND trigger = 'interval' AND starts_at IS NULL AND ends_at IS NULL;
CREATE INDEX rota_task_other_schedule ON rota_task (trigger)
    WHERE enabled AND trigger <> 'manual'
        AND NOT (trigger = 'cron' AND starts_at IS NULL AND ends_at IS NULL AND cron_expression !~ '[hH]')
        AND NOT (trigger = 'interval' AND starts_at IS NULL AND ends_at IS NULL);
