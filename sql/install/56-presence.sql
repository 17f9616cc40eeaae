-- 56-presence.sql: the log of who could be heard.
--
-- The view pt621.presence is of the moment.  The maintenance worker looks at it
-- every few seconds and writes down what has changed since its last look.

CREATE FUNCTION @extschema@.pt621_presence_tick()
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before  text[] := @extschema@.pt621_put_off();
    written integer;
BEGIN
    -- DROP EXTENSION ... CASCADE takes the view with it.
    IF to_regclass('pt621.presence') IS NULL THEN
        RETURN 0;
    END IF;
    -- Planned each time: a kept plan would be one for tables that were empty.
    -- The reason is looked up for those who have changed only, and a transaction
    -- that finds nothing writes nothing.
    EXECUTE $query$
        WITH gone AS (
            DELETE FROM pt621.presence_last l
             WHERE NOT EXISTS (SELECT FROM pt621.device d WHERE d.id = l.device_id)
        ), seen AS (
            SELECT p.device_id, p.state, p.reason, p.last_seen,
                   -- The log of a tracker does not go back, though its first
                   -- word may have been received before the last look.
                   greatest(l.at, CASE WHEN p.state = 'online' THEN p.last_seen
                                       WHEN coalesce(l.state, 'online') = 'online' THEN p.expected_by
                                       ELSE statement_timestamp() END) AS at
              FROM pt621.presence p
              LEFT JOIN pt621.presence_last l ON l.device_id = p.device_id
             WHERE p.last_seen IS NOT NULL
               AND l.state IS DISTINCT FROM p.state
        ), kept AS (
            INSERT INTO pt621.presence_last AS l (device_id, at, state)
            SELECT s.device_id, s.at, s.state FROM seen s ORDER BY s.device_id
                ON CONFLICT (device_id) DO UPDATE SET at = excluded.at, state = excluded.state
             WHERE l.state <> excluded.state
            RETURNING l.device_id
        )
        INSERT INTO pt621.presence_log (device_id, at, state, reason, last_seen)
        SELECT s.device_id, s.at, s.state, s.reason, s.last_seen
          FROM seen s
          JOIN kept k ON k.device_id = s.device_id
         ORDER BY s.at, s.device_id
        $query$;
    GET DIAGNOSTICS written = ROW_COUNT;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
    RETURN written;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_presence_tick() IS
'internal: writes to pt621.presence_log whose state in the view pt621.presence is another than at the last call; returns how many';
