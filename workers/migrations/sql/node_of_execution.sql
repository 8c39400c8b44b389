-- Which node ran it: a summary of every 16 pages, made by vacuum, so that storing an execution costs as much as without.
-- What a node of old did, or one that did little, is found without reading what all others did.
CREATE INDEX rota_execution_node ON rota_execution
    USING brin (node_id int4_bloom_ops(n_distinct_per_range = 64, false_positive_rate = 0.01))
    WITH (pages_per_range = 16);

-- Those that did not succeed are few and asked for by node as well.
CREATE INDEX rota_execution_rare_of_node ON rota_execution (node_id, rare_state, id) WHERE rare_state IS NOT NULL;
