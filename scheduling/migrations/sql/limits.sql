-- What admission counts by, and what a retry needs to know.
ALTER TABLE rota_queue_entry
    ADD COLUMN gate bigint,
    ADD COLUMN pool_id integer,
    ADD COLUMN pool_weight smallint NOT NULL DEFAULT 1,
    ADD COLUMN postponed smallint NOT NULL DEFAULT 0,
    ADD COLUMN kill_requested boolean NOT NULL DEFAULT false;
