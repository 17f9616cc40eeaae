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
    locked integer[];
    -- Of what is older the table may have lost the rows, and the state has them.
    dropped timestamptz := now() - @extschema@.pt621_retention('position');
BEGIN
    IF cardinality(devices) <> cardinality(periods) THEN
        RAISE EXCEPTION 'devices and periods are of different length: % and %',
                        cardinality(devices), cardinality(periods)
            USING ERRCODE = 'array_subscript_error';
    END IF;

    -- With those that they are linked with: two of us who store records of one
    -- each would miss those of the other.
    locked := ARRAY(SELECT d FROM unnest(wanted) d
                     UNION
                    SELECT p FROM @extschema@.pt621_partners(wanted) p
                     WHERE EXISTS (SELECT FROM pt621.device_link)
                     ORDER BY 1);
    INSERT INTO pt621.device_state (device_id)
    SELECT d FROM unnest(locked) d
     WHERE NOT EXISTS (SELECT FROM pt621.device_state s WHERE s.device_id = d)
     ORDER BY d
        ON CONFLICT DO NOTHING;
    -- In device order, as the listener does: two of us cannot deadlock.
    PERFORM FROM pt621.device_state s WHERE s.device_id = ANY (locked) ORDER BY s.device_id FOR UPDATE;

    -- What was last known before the periods still is: most records know neither
    -- ignition nor driver, and to look for one would be to read them all.
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
      FROM (SELECT t.device_id,
                   CASE WHEN t.ignition_time >= c.low THEN '-infinity' ELSE coalesce(t.ignition_time, c.low) END AS ignition_from,
                   CASE WHEN t.driver_time >= c.low THEN '-infinity' ELSE coalesce(t.driver_time, c.low) END AS driver_from
              FROM (SELECT d.device_id, min(coalesce(lower(d.period), '-infinity')) AS low
                      FROM unnest(devices, periods) d (device_id, period)
                     GROUP BY d.device_id) c
              JOIN pt621.device_state t ON t.device_id = c.device_id
             WHERE t.device_id = ANY (wanted)) w
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.valid AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.code DESC, p.digest DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.quality & 65536 = 0
                          ORDER BY p.fix_time DESC, p.code DESC, p.digest DESC LIMIT 1) n ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.ignition IS NOT NULL AND p.quality & 65536 = 0
                            AND p.fix_time >= w.ignition_from
                          ORDER BY p.fix_time DESC, p.ignition DESC LIMIT 1) i ON true
      LEFT JOIN LATERAL (SELECT p.* FROM pt621.position p
                          WHERE p.device_id = w.device_id AND p.driver IS NOT NULL AND p.quality & 65536 = 0
                            AND p.fix_time >= w.driver_from
                          ORDER BY p.fix_time DESC, p.driver COLLATE "C" DESC LIMIT 1) r ON true
     WHERE s.device_id = w.device_id;

    PERFORM @extschema@.pt621_detect(array_agg(p.device_id ORDER BY p.device_id, p.low, p.high),
                                     array_agg(p.low ORDER BY p.device_id, p.low, p.high),
                                     array_agg(p.high ORDER BY p.device_id, p.low, p.high))
       FROM (SELECT d.device_id, coalesce(lower(d.period), '-infinity') AS low, coalesce(upper(d.period), 'infinity') AS high
               FROM unnest(devices, periods) d (device_id, period)
              WHERE d.device_id = ANY (wanted) AND NOT isempty(d.period)) p;
    PERFORM @extschema@.pt621_derive_proximity(devices, periods);
    IF outermost THEN
        PERFORM @extschema@.pt621_fire_deferred(before);
        PERFORM @extschema@.pt621_restore_settings();
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_derive(integer[], tstzrange[]) IS
'brings up to date what is derived from the positions of these devices in these periods (arrays in step): the last fix, ignition and driver in device_state, geofence_visit and event';

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
    IF TG_OP = 'TRUNCATE' THEN
        -- As if each row had been deleted.
        DELETE FROM pt621.track_piece;
        UPDATE pt621.device_state
           SET fix_time = NULL, fix_code = NULL, fix_digest = NULL, geom = NULL, speed_kmh = NULL, course = NULL,
               newest_time = NULL, ignition = NULL, ignition_time = NULL, driver = NULL, driver_time = NULL, detectors = NULL;
        UPDATE pt621.geofence_visit SET superseded_at = now() WHERE superseded_at IS NULL;
        UPDATE pt621.event SET superseded_at = now() WHERE superseded_at IS NULL AND kind = ANY (@extschema@.pt621_event_kinds());
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
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
        SELECT t.name, t.relation, t.event, t.rows, t.function
          FROM (VALUES ('pt621_derive_insert'::name, 'position'::name, 'AFTER INSERT',
                        'REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_position_changed'),
                       ('pt621_derive_update', 'position', 'AFTER UPDATE',
                        'REFERENCING OLD TABLE AS old_row NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_position_changed'),
                       ('pt621_derive_delete', 'position', 'AFTER DELETE',
                        'REFERENCING OLD TABLE AS old_row FOR EACH STATEMENT', 'pt621_position_changed'),
                       ('pt621_derive_truncate', 'position', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'pt621_position_changed'),
                       ('pt621_geofence_check', 'geofence', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'pt621_geofence_check'),
                       ('pt621_geofence_insert', 'geofence', 'AFTER INSERT',
                        'REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_geofence_changed'),
                       ('pt621_geofence_update', 'geofence', 'AFTER UPDATE',
                        'REFERENCING OLD TABLE AS old_row NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_geofence_changed'),
                       ('pt621_geofence_delete', 'geofence', 'AFTER DELETE',
                        'REFERENCING OLD TABLE AS old_row FOR EACH STATEMENT', 'pt621_geofence_changed'),
                       ('pt621_geofence_truncate', 'geofence', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'pt621_geofence_changed'),
                       ('pt621_link_insert', 'device_link', 'AFTER INSERT',
                        'REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_link_changed'),
                       ('pt621_link_update', 'device_link', 'AFTER UPDATE',
                        'REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_link_changed'),
                       ('pt621_device_version', 'device', 'BEFORE UPDATE',
                        'FOR EACH ROW WHEN (OLD.groups IS DISTINCT FROM NEW.groups '
                        'OR OLD.speed_limit_kmh IS DISTINCT FROM NEW.speed_limit_kmh)', 'pt621_device_changed'),
                       ('pt621_calibration_check', 'calibration', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'pt621_calibration_check'),
                       ('pt621_sensor_change', 'sensor_alarm', 'AFTER INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'pt621_sensor_alarm_changed'),
                       ('pt621_sensor_truncate', 'sensor_alarm', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'pt621_sensor_alarm_changed'),
                       ('pt621_sensor_change', 'calibration', 'AFTER INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'pt621_sensor_changed'),
                       ('pt621_sensor_truncate', 'calibration', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'pt621_sensor_changed'),
                       ('pt621_sensor_change', 'input', 'AFTER INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'pt621_sensor_changed'),
                       ('pt621_sensor_truncate', 'input', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'pt621_sensor_changed'),
                       ('pt621_command_asked', 'command', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'pt621_command_asked'),
                       ('pt621_command_checked', 'command', 'BEFORE INSERT', 'FOR EACH ROW', 'pt621_command_checked'),
                       ('pt621_command_logged', 'command', 'AFTER INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', 'pt621_command_logged'),
                       ('pt621_command_wake', 'command', 'AFTER INSERT',
                        'REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT', 'pt621_command_wake'))
               t (name, relation, event, rows, function)
         WHERE NOT EXISTS (SELECT FROM pg_trigger g
                            WHERE g.tgrelid = ('pt621.' || t.relation)::regclass AND g.tgname = t.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I %s ON pt621.%I %s EXECUTE FUNCTION @extschema@.%I()',
                       due.name, due.event, due.relation, due.rows, due.function);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_create_triggers() IS
'internal: makes the default triggers that are absent';
