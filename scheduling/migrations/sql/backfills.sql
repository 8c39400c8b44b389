-- Which backfill an entry belongs to: admission lets so many of each through at once, and never ends one for overlap.
ALTER TABLE rota_queue_entry ADD COLUMN backfill_id integer;
CREATE INDEX rota_queue_backfill ON rota_queue_entry (task_id, backfill_id) WHERE backfill_id IS NOT NULL;
