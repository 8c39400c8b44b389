-- What a node was, and when: a row for each sign of life that differs from the one before. The condition is looked at
-- without calling the function, so an ordinary heartbeat costs nothing more and stays a heap-only update.
CREATE FUNCTION rota_node_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rota_node_change (node_id, at, before, after, last_seen_at)
    VALUES (NEW.id, clock_timestamp(), CASE WHEN TG_OP = 'UPDATE' THEN OLD.state ELSE '' END, NEW.state,
        CASE WHEN TG_OP = 'UPDATE' THEN OLD.last_seen_at END);
    DELETE FROM rota_node_change WHERE node_id = NEW.id AND at < clock_timestamp() - interval '8 days';
    RETURN NULL;
END $$;

CREATE TRIGGER rota_node_came AFTER INSERT ON rota_node FOR EACH ROW EXECUTE FUNCTION rota_node_changed();
-- A silence of more than a minute is long enough to be seen in a strip of a day.
CREATE TRIGGER rota_node_changed AFTER UPDATE ON rota_node FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.incarnation IS DISTINCT FROM NEW.incarnation
    OR NEW.last_seen_at > OLD.last_seen_at + interval '1 minute')
EXECUTE FUNCTION rota_node_changed();
