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

-- The queues in use, one probe for each.
CREATE INDEX rota_task_queue ON rota_task (queue);

-- The tasks that fail most are few among all that run.
CREATE INDEX rota_stat_day_failed ON rota_stat_day (day) INCLUDE (task_id, namespace_id, count) WHERE outcome = 'failed';
