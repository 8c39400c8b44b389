CREATE SEQUENCE rota_execution_id_seq AS bigint;
CREATE TABLE rota_execution (
    -- Drawn at the claim: the lease id, and the fencing token of every report.
    id bigint NOT NULL,
    scheduled_for timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    instance_id bigint NOT NULL,
    task_id integer NOT NULL,
    attempt smallint NOT NULL,
    node_id integer NOT NULL,
    state varchar(20) NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost')),
    reason varchar(50) NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    result jsonb,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (id, scheduled_for),
    CONSTRAINT ended_or_running CHECK ((state = 'running') = (finished_at IS NULL))
) PARTITION BY RANGE (scheduled_for);
CREATE INDEX rota_execution_instance ON rota_execution (instance_id, attempt);

CREATE TABLE rota_log_chunk (
    execution_id bigint NOT NULL,
    scheduled_for timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    seq integer NOT NULL,
    stream varchar(10) NOT NULL,
    at timestamptz NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (execution_id, seq, scheduled_for)
) PARTITION BY RANGE (scheduled_for);

CREATE SEQUENCE rota_incarnation_seq AS bigint;
-- last_seen_at is in no index, so that a heartbeat is a heap-only update.
ALTER TABLE rota_node SET (fillfactor = 50);
