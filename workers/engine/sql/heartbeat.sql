-- Purpose: a worker's sign of life; answers with what it has been asked to stop.
-- Takes:   node_id, incarnation, state, busy, counts and machine (NULL: as before).
-- Answer:  no row: the node belongs to somebody else now. Otherwise one row, with the lease ids
--          to cancel and those to kill.
WITH me AS (
    UPDATE rota_node SET last_seen_at = clock_timestamp(), busy = %(busy)s, counts = coalesce(%(counts)s, counts),
        machine = coalesce(%(machine)s, machine),
        state = CASE WHEN state = 'draining' THEN 'draining' ELSE %(state)s END
    WHERE id = %(node_id)s AND incarnation = %(incarnation)s
    RETURNING state
)
SELECT me.state, ARRAY(
    SELECT e.lease_id FROM rota_queue_entry e
    WHERE e.holder = %(incarnation)s AND e.state = 1 AND e.cancel_requested_at IS NOT NULL AND NOT e.kill_requested
), ARRAY(
    SELECT e.lease_id FROM rota_queue_entry e
    WHERE e.holder = %(incarnation)s AND e.state = 1 AND e.cancel_requested_at IS NOT NULL AND e.kill_requested
) FROM me
