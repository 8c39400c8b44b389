-- Purpose: end what has not started; ask what runs to stop.
-- Takes:   ids, message, kill (what runs gets no grace; after an ordinary request this is one more).
-- Locks:   the entries, in id order, waiting for whoever holds them: success that comes first wins.
WITH wanted AS MATERIALIZED (
    SELECT instance_id, scheduled_for, state, gate, pool_id, kill_requested FROM rota_queue_entry
    WHERE instance_id = ANY(%(ids)s::bigint[])
    ORDER BY instance_id
    FOR UPDATE
),
gone AS (
    DELETE FROM rota_queue_entry e
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM wanted WHERE state <> 1))
),
asked AS (
    UPDATE rota_queue_entry e
    SET cancel_requested_at = coalesce(e.cancel_requested_at, clock_timestamp()),
        cancel_message = CASE WHEN %(kill)s AND NOT e.kill_requested THEN %(message)s
            ELSE coalesce(e.cancel_message, %(message)s) END,
        kill_requested = e.kill_requested OR %(kill)s
    WHERE e.instance_id = ANY(ARRAY(SELECT instance_id FROM wanted WHERE state = 1))
)
SELECT instance_id, scheduled_for, state = 1, gate, pool_id FROM wanted
