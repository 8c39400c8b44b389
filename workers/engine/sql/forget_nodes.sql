-- Purpose: forget nodes that nobody has heard of for as long as the history is kept.
-- Takes:   before (timestamptz): the last sign of life was earlier.
-- Locks:   the nodes, in id order; one that is being written to at this moment is left for the next time.
-- Guards:  a node that somebody holds stays, as does one that a day of the history still names, should that day have
--          been kept past its age. Executions of a node are not meant for later than its last sign of life, so no
--          younger day can name it.
WITH gone AS MATERIALIZED (
    SELECT n.id FROM rota_node n
    WHERE n.last_seen_at < %(before)s AND n.held_at IS NULL
        AND NOT EXISTS (SELECT FROM rota_execution e WHERE e.node_id = n.id AND e.scheduled_for < %(before)s)
    ORDER BY n.id FOR UPDATE SKIP LOCKED
), changes AS (
    DELETE FROM rota_node_change c USING gone g WHERE c.node_id = g.id
)
DELETE FROM rota_node n USING gone g WHERE n.id = g.id
