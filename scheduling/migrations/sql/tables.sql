-- The history: one row for each instance, partitioned by day of scheduled_for.
-- No foreign keys, no index on a status: both would cost every firing and every completion.
CREATE SEQUENCE rota_instance_id_seq AS bigint;
CREATE TABLE rota_instance (
    id bigint NOT NULL DEFAULT nextval('rota_instance_id_seq'),
    scheduled_for timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    task_id integer NOT NULL,
    task_version integer NOT NULL,
    fire_key varchar(100) NOT NULL DEFAULT '',
    origin varchar(20) NOT NULL DEFAULT 'schedule',
    outcome varchar(20) CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'skipped')),
    reason varchar(50) NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    attempts smallint NOT NULL DEFAULT 0,
    params jsonb,
    missed_count integer,
    missed_since timestamptz,
    triggered_by_id bigint,
    rerun_of bigint,
    last_execution_id bigint,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    failed_at timestamptz,
    PRIMARY KEY (id, scheduled_for),
    -- The firing guard: a tick starts at most one instance. It is the history index of a task as well.
    UNIQUE (task_id, scheduled_for, fire_key),
    CONSTRAINT ended_or_live CHECK ((outcome IS NULL) = (finished_at IS NULL)),
    CONSTRAINT failed_means_failed CHECK ((failed_at IS NOT NULL) = (outcome IS NOT DISTINCT FROM 'failed'))
) PARTITION BY RANGE (scheduled_for);
ALTER SEQUENCE rota_instance_id_seq OWNED BY rota_instance.id;
CREATE INDEX rota_instance_failed ON rota_instance (failed_at) WHERE failed_at IS NOT NULL;

-- The hot table: one narrow row for each live instance, deleted when it ends.
CREATE TABLE rota_queue_entry (
    instance_id bigint PRIMARY KEY,
    scheduled_for timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    task_id integer NOT NULL,
    task_version integer NOT NULL,
    queue varchar(100) NOT NULL,
    handler varchar(100) NOT NULL,
    -- 0 ready, 1 running, 2 waiting for admission, 3 admitted and delayed, 4 planned for later
    state smallint NOT NULL CHECK (state BETWEEN 0 AND 4),
    sort_key timestamptz NOT NULL,
    run_at timestamptz NOT NULL,
    attempt smallint NOT NULL DEFAULT 0,
    losses smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 1,
    timeout_seconds integer,
    limited boolean NOT NULL DEFAULT false,
    own_params boolean NOT NULL DEFAULT false,
    lease_id bigint,
    holder bigint,
    claimed_at timestamptz,
    deadline_at timestamptz,
    cancel_requested_at timestamptz,
    cancel_message text,
    CONSTRAINT running_has_a_lease CHECK ((state = 1) = (lease_id IS NOT NULL)),
    CONSTRAINT running_has_a_holder CHECK ((state = 1) = (holder IS NOT NULL))
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);
-- Claim: one lane for each queue and handler.
CREATE INDEX rota_queue_ready ON rota_queue_entry (queue, handler, sort_key, instance_id) WHERE state = 0;
-- Admission: the oldest waiting of a task.
CREATE INDEX rota_queue_waiting ON rota_queue_entry (task_id, sort_key, instance_id) WHERE state = 2;
-- Promotion: what becomes due.
CREATE INDEX rota_queue_due ON rota_queue_entry (run_at) WHERE state IN (3, 4);
-- Reaper and heartbeat.
CREATE INDEX rota_queue_holder ON rota_queue_entry (holder) WHERE state = 1;
CREATE INDEX rota_queue_deadline ON rota_queue_entry (deadline_at) WHERE state = 1 AND deadline_at IS NOT NULL;
-- How many of a limited task are live.
CREATE INDEX rota_queue_live ON rota_queue_entry (task_id) WHERE limited AND state IN (0, 1, 3);

-- The clock: read in order of the next run, and by what was edited.
CREATE INDEX rota_task_clock_due ON rota_task_clock (next_run_at, task_id) WHERE next_run_at IS NOT NULL;
CREATE INDEX rota_task_clock_dirty ON rota_task_clock (task_id) WHERE dirty;
ALTER TABLE rota_task_clock SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0
);
