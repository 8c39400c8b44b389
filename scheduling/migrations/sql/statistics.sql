-- Statistics: how many instances ended in each hour, of which task, how, and how long they took.
-- What ends writes a delta in its own transaction; schedulers fold deltas into the tables that charts read.

-- Into which class of duration this falls: -1 it never started; 0 below 1 ms; n from 2^(n-1) to below 2^n ms; 31 above.
CREATE FUNCTION rota_stat_bucket(lasted interval) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN lasted IS NULL THEN -1 ELSE width_bucket(date_part('epoch', lasted), ARRAY[
        0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
        32.768, 65.536, 131.072, 262.144, 524.288, 1048.576, 2097.152, 4194.304, 8388.608, 16777.216, 33554.432,
        67108.864, 134217.728, 268435.456, 536870.912, 1073741.824]::float8[]) END::smallint
$$;

-- Append only, and no key: one row for each class in a batch of ends. Folding empties it.
CREATE TABLE rota_stat_delta (
    hour timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    task_id integer NOT NULL,
    outcome varchar(20) NOT NULL,
    bucket smallint NOT NULL,
    count integer NOT NULL,
    lasted interval NOT NULL,
    waited interval NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = off
);

-- By hour (UTC); task 0 stands for all tasks of the namespace together, so that the charts of a whole installation
-- read as little as those of one task.
CREATE TABLE rota_stat_hour (
    task_id integer NOT NULL,
    hour timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    outcome varchar(20) NOT NULL,
    bucket smallint NOT NULL,
    count bigint NOT NULL,
    lasted interval NOT NULL,
    waited interval NOT NULL,
    PRIMARY KEY (task_id, hour, namespace_id, outcome, bucket)
) WITH (fillfactor = 70);
CREATE INDEX rota_stat_hour_hour ON rota_stat_hour (hour);

-- The same by day (UTC), for tables of all tasks over a long time.
CREATE TABLE rota_stat_day (
    task_id integer NOT NULL,
    day timestamptz NOT NULL,
    namespace_id bigint NOT NULL,
    outcome varchar(20) NOT NULL,
    bucket smallint NOT NULL,
    count bigint NOT NULL,
    lasted interval NOT NULL,
    waited interval NOT NULL,
    PRIMARY KEY (task_id, day, namespace_id, outcome, bucket)
) WITH (fillfactor = 70);
CREATE INDEX rota_stat_day_day ON rota_stat_day (day);
