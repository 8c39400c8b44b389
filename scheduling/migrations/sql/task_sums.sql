-- Sums by task over the ranges that tables of tasks show, so that the first of a hundred thousand tasks are found
-- without adding up what each of them did on each day.

-- The ranges that sums are kept of: everything that ended from `since` on and before `until`, both full hours (UTC).
-- A scheduler moves `until` on; what ended later is in the statistics by hour and by day alone.
CREATE TABLE rota_stat_window (
    since timestamptz PRIMARY KEY,
    until timestamptz NOT NULL
);

CREATE TABLE rota_stat_sum (
    since timestamptz NOT NULL,
    task_id integer NOT NULL,
    namespace_id bigint NOT NULL,
    ended bigint NOT NULL,
    failed bigint NOT NULL,
    -- Those that succeeded or failed after a start, and how many microseconds they took together.
    ran bigint NOT NULL,
    lasted_us bigint NOT NULL,
    PRIMARY KEY (since, task_id, namespace_id)
) WITH (fillfactor = 90);

-- The first tasks of each namespace, in each order; numbers of one type, since one statement asks for any of them.
CREATE INDEX rota_stat_sum_busiest ON rota_stat_sum (since, namespace_id, (ended::float8) DESC, task_id);
CREATE INDEX rota_stat_sum_failing ON rota_stat_sum (since, namespace_id, (failed::float8) DESC, task_id)
    WHERE failed > 0;
CREATE INDEX rota_stat_sum_slowest ON rota_stat_sum (since, namespace_id, (lasted_us::float8 / ran) DESC, task_id)
    WHERE ran > 0;
