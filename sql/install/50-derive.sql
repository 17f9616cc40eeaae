-- 50-derive.sql: rows that follow from positions, however those came.

CREATE FUNCTION @extschema@.pt621_derive(devices integer[], periods tstzrange[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- In a trigger it is for the user's statement to say when constraints are
    -- looked at.
    outermost boolean := pg_trigger_depth() = 0 AND NOT @extschema@.pt621_storing();
    before text[] := CASE WHEN outermost THEN @extschema@.pt621_put_off() END;
    wanted integer[] := ARRAY(SELECT DISTINCT d FROM unnest(devices) d
                               WHERE EXISTS (SELECT FROM pt621.device v WHERE v.id = d)
                               ORDER BY d);
    -- Of what is older the table may have lost the rows, and the state has them.
    dropped timestamptz := now() - @extschema@.pt621_retention('position');
BEGIN
    IF cardinality(devices) <> cardinality(periods) THEN
        RAISE EXCEPTION 'devices and periods are of different length: % and %',
                        cardinality(devices), cardinality(periods)
            USING ERRCODE = 'array_subscript_error';
    END IF;

    INSERT INTO pt621.device_state (device_id)
    SELECT d FROM unnest(wanted) d
     WHERE NOT EXISTS (SELECT FROM pt621.device_state s WHERE s.device_id = d)
     ORDER BY d
        ON CONFLICT DO NOTHING;
    -- In device order, as the listener does: two of us cannot deadlock.
    PERFORM FROM pt621.device_state s WHERE s.device_id = ANY (wanted) ORDER BY s.device_id FOR UPDATE;

    -- 65536: time of receipt, which says nothing about when.  Of two records of
    -- one second ignition on counts, and of two drivers the one that sorts last:
    -- what the store settles without a look at the table.
    UPDATE pt621.device_state s
       SET (fix_time, fix_code, fix_digest, geom, speed_kmh, course) =
           (SELECT s.fix_time, s.fix_code, s.fix_digest, s.geom, s.speed_kmh, s.course
             WHERE s.fix_time < dropped AND s.fix_time > f.fix_time IS NOT FALSE
            UNION ALL
            SELECT f.fix_time, f.code, f.digest, f.geom, f.speed_kmh, f.course
             LIMIT 1),
           newest_time = CASE WHEN s.newest_time < dropped AND s.newest_time > n.fix_time IS NOT FALSE
                              THEN s.newest_time ELSE n.fix_time END,
           (ignition, ignition_time) =
           (SELECT s.ignition, s.ignition_time
             WHERE s.ignition_time < dropped AND s.ignition_time > i.fix_time IS NOT FALSE
            UNION ALL
            SELECT i.ignition, i.fix_time
             LIMIT 1),
           (driver, driver_time) =
           (SELECT s.driver, s.driver_time
             WHERE s.driver_time < dropped AND s.driver_time > r.fix_time IS NOT FALSE
            UNION ALL
            SELECT r.driver, r.fix_time
             LIMIT 1)
      FROM unnest(wanted) w (device_id)
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.valid AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.code DESC, p.digest DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.code DESC, p.digest DESC LIMIT 1) n ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.ignition IS NOT NULL AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.ignition DESC LIMIT 1) i ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.driver IS NOT NULL AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.driver COLLATE "C" DESC LIMIT 1) r ON true
     WHERE s.device_id = w.device_id;
    IF outermost THEN
        PERFORM @extschema@.pt621_fire_deferred(before);
        PERFORM @extschema@.pt621_restore_settings();
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_derive(integer[], tstzrange[]) IS
'brings up to date what is derived from the positions of these devices in these periods (arrays in step): for now the last fix, ignition and driver in device_state';

CREATE FUNCTION @extschema@.pt621_storing()
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_storing'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1;
COMMENT ON FUNCTION @extschema@.pt621_storing() IS
'internal: whether this session is storing what a tracker sent, and so keeps device_state itself';

CREATE FUNCTION @extschema@.pt621_position_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    devices integer[];
    periods tstzrange[];
BEGIN
    -- What the store inserts itself it follows up itself; what another trigger
    -- inserts meanwhile it knows nothing of.
    IF @extschema@.pt621_storing() AND pg_trigger_depth() = 1 THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(c.device_id), array_agg(tstzrange(c.low, c.high, '[]')) INTO devices, periods
          FROM (SELECT n.device_id, min(n.fix_time) AS low, max(n.fix_time) AS high
                  FROM new_row n GROUP BY n.device_id, date_trunc('day', n.fix_time, 'UTC')) c;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(c.device_id), array_agg(tstzrange(c.low, c.high, '[]')) INTO devices, periods
          FROM (SELECT o.device_id, min(o.fix_time) AS low, max(o.fix_time) AS high
                  FROM old_row o GROUP BY o.device_id, date_trunc('day', o.fix_time, 'UTC')) c;
    ELSE
        SELECT array_agg(c.device_id), array_agg(tstzrange(c.low, c.high, '[]')) INTO devices, periods
          FROM (SELECT u.device_id, min(u.fix_time) AS low, max(u.fix_time) AS high
                  FROM (SELECT o.device_id, o.fix_time FROM old_row o
                        UNION ALL
                        SELECT n.device_id, n.fix_time FROM new_row n) u
                 GROUP BY u.device_id, date_trunc('day', u.fix_time, 'UTC')) c;
    END IF;
    IF devices IS NOT NULL THEN
        PERFORM @extschema@.pt621_derive(devices, periods);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_position_changed() IS
'the default triggers of pt621.position: calls pt621_derive() for the devices and days that changed';

CREATE FUNCTION @extschema@.pt621_create_triggers()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    due record;
BEGIN
    FOR due IN
        SELECT t.name, t.event, t.tables
          FROM (VALUES ('pt621_derive_insert'::name, 'INSERT', 'NEW TABLE AS new_row'),
                       ('pt621_derive_update', 'UPDATE', 'OLD TABLE AS old_row NEW TABLE AS new_row'),
                       ('pt621_derive_delete', 'DELETE', 'OLD TABLE AS old_row')) t (name, event, tables)
         WHERE NOT EXISTS (SELECT FROM pg_trigger g
                            WHERE g.tgrelid = 'pt621.position'::regclass AND g.tgname = t.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON pt621.position REFERENCING %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.pt621_position_changed()',
                       due.name, due.event, due.tables);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_create_triggers() IS
'internal: makes the default triggers that are absent';
