-- How an attempt ended, unless it succeeded: reckoned by the database, as with the outcome of an instance.
ALTER TABLE rota_execution ADD COLUMN rare_state varchar(20)
    GENERATED ALWAYS AS (CASE WHEN state NOT IN ('running', 'succeeded') THEN state END) STORED;
CREATE INDEX rota_execution_rare ON rota_execution (rare_state, id) WHERE rare_state IS NOT NULL;
