-- 63-sensor-alarms.sql: who changes what sensors are and when they alarm.
--
-- The rows of sensor_alarm, calibration and input are what holds, for the times
-- that each is valid: whoever changes one changes what was, from then on.  So each
-- change is written down with the time from which on it matters, and the state of a
-- tracker says up to which one it knows them.  New records go by the rules of now
-- at once; what came before is derived anew by a worker, tracker by tracker.

CREATE FUNCTION @extschema@.pt621_differ_since(a tstzrange, b tstzrange)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN lower(a) IS DISTINCT FROM lower(b) OR lower_inc(a) <> lower_inc(b)
            THEN least(coalesce(lower(a), '-infinity'), coalesce(lower(b), '-infinity'))
            ELSE least(coalesce(upper(a), 'infinity'), coalesce(upper(b), 'infinity')) END;
COMMENT ON FUNCTION @extschema@.pt621_differ_since(tstzrange, tstzrange) IS
'internal: the first time that one of two ranges has and the other has not';

CREATE FUNCTION @extschema@.pt621_sensor_alarm_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    was    pt621.sensor_alarm;
    is_now pt621.sensor_alarm;
    start  timestamptz;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NULL;
        END IF;
        was := OLD;
        is_now := NEW;
        was.valid := NEW.valid;
        start := CASE WHEN was IS NOT DISTINCT FROM NEW THEN @extschema@.pt621_differ_since(OLD.valid, NEW.valid)
                      ELSE least(coalesce(lower(OLD.valid), '-infinity'), coalesce(lower(NEW.valid), '-infinity')) END;
    ELSIF TG_OP = 'INSERT' THEN
        was := NEW;
        is_now := NEW;
        start := coalesce(lower(NEW.valid), '-infinity');
    ELSIF TG_OP = 'DELETE' THEN
        was := OLD;
        is_now := OLD;
        start := coalesce(lower(OLD.valid), '-infinity');
    ELSE
        SELECT min(coalesce(lower(r.valid), '-infinity')) INTO start FROM pt621.sensor_alarm r;
    END IF;
    IF start IS NULL THEN
        RETURN NULL;
    END IF;
    -- One after the other: what has a higher number is not seen before it.
    LOCK TABLE pt621.sensor_change IN SHARE ROW EXCLUSIVE MODE;
    IF num_nonnulls(was.devices, was.groups) = 0 OR num_nonnulls(is_now.devices, is_now.groups) = 0 THEN
        INSERT INTO pt621.sensor_change (since) VALUES (start);
    ELSE
        INSERT INTO pt621.sensor_change (device_id, since)
        SELECT d.id, start
          FROM pt621.device d
         WHERE d.id = ANY (was.devices) OR d.id = ANY (is_now.devices)
            OR d.groups && was.groups OR d.groups && is_now.groups
            OR EXISTS (SELECT FROM pt621.device_version v
                        WHERE v.device_id = d.id AND (v.groups && was.groups OR v.groups && is_now.groups))
         ORDER BY d.id;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sensor_alarm_changed() IS
'the default triggers of pt621.sensor_alarm: write down for which trackers, and from which event time on, alarms may be others';

CREATE FUNCTION @extschema@.pt621_sensor_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    was   record;
    moved boolean := false;             -- nothing but its validity
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NULL;
        END IF;
        was := OLD;
        was.valid := NEW.valid;
        moved := was IS NOT DISTINCT FROM NEW;
    END IF;
    -- As above.
    LOCK TABLE pt621.sensor_change IN SHARE ROW EXCLUSIVE MODE;
    IF moved THEN
        INSERT INTO pt621.sensor_change (device_id, sensor, since)
        VALUES (NEW.device_id, NEW.name, @extschema@.pt621_differ_since(OLD.valid, NEW.valid));
        RETURN NULL;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO pt621.sensor_change (device_id, sensor, since)
        VALUES (OLD.device_id, OLD.name, coalesce(lower(OLD.valid), '-infinity'));
    END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') THEN
        INSERT INTO pt621.sensor_change (device_id, sensor, since)
        VALUES (NEW.device_id, NEW.name, coalesce(lower(NEW.valid), '-infinity'));
    END IF;
    IF TG_OP = 'TRUNCATE' AND TG_TABLE_NAME = 'calibration' THEN
        INSERT INTO pt621.sensor_change (device_id, sensor, since)
        SELECT c.device_id, c.name, coalesce(lower(c.valid), '-infinity') FROM pt621.calibration c;
    ELSIF TG_OP = 'TRUNCATE' THEN
        INSERT INTO pt621.sensor_change (device_id, sensor, since)
        SELECT i.device_id, i.name, coalesce(lower(i.valid), '-infinity') FROM pt621.input i;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sensor_changed() IS
'the default triggers of pt621.calibration and pt621.input: write down from which event time on the alarms of a tracker may be others';

CREATE FUNCTION @extschema@.pt621_rules_known(detectors bytea)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pt621_rules_known'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_rules_known(bytea) IS
'internal: up to which revision of pt621.sensor_change a state of the detectors knows what sensors are';

CREATE FUNCTION @extschema@.pt621_sensors_changed(device integer, revision bigint)
RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- What is wired matters from when on a rule asks for it.
    RETURN (SELECT min(CASE WHEN c.sensor IS NULL THEN c.since
                            ELSE (SELECT greatest(c.since, min(coalesce(lower(r.valid), '-infinity')))
                                    FROM pt621.sensor_alarm r
                                   WHERE r.sensor = c.sensor
                                  HAVING count(*) > 0) END)
              FROM pt621.sensor_change c
             WHERE (c.device_id = device OR c.device_id IS NULL)
               AND c.revision > pt621_sensors_changed.revision);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sensors_changed(integer, bigint) IS
'internal: from which event time on the alarms of a tracker may be others than by this revision of pt621.sensor_change; NULL = they are the same';

CREATE FUNCTION @extschema@.pt621_settle_sensors(most integer DEFAULT 1)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before  text[] := @extschema@.pt621_put_off();
    devices integer[];
BEGIN
    -- Since when is found where it is derived.  Trackers that were deleted would
    -- come up for ever, and so would those that were stored before there were
    -- detectors.  Those that are silent do not know the last changes; most of them
    -- need not, which is to be found at once.
    SELECT array_agg(t.device_id ORDER BY t.device_id) INTO devices
      FROM (SELECT s.device_id
              FROM (SELECT a.device_id, a.newest_time, @extschema@.pt621_rules_known(a.detectors) AS known
                      FROM pt621.device_state a
                     WHERE length(a.detectors) > 0
                    OFFSET 0) s
              JOIN pt621.device d ON d.id = s.device_id
             WHERE s.known < (SELECT max(c.revision) FROM pt621.sensor_change c)
               AND CASE WHEN EXISTS (SELECT FROM pt621.sensor_change c
                                      WHERE c.device_id = s.device_id AND c.revision > s.known)
                          OR EXISTS (SELECT FROM pt621.sensor_change c
                                      WHERE c.device_id IS NULL AND c.revision > s.known AND c.since <= s.newest_time)
                        THEN @extschema@.pt621_sensors_changed(s.device_id, s.known) <= s.newest_time END
             LIMIT most) t;
    IF devices IS NOT NULL THEN
        PERFORM @extschema@.pt621_derive(devices, array_fill(tstzrange('infinity', NULL), ARRAY[cardinality(devices)]));
    ELSIF EXISTS (SELECT FROM pt621.sensor_change c
                   WHERE c.changed_at < now() - interval '30 days'
                     AND c.revision < (SELECT max(l.revision) FROM pt621.sensor_change l)) THEN
        -- No batch that has not seen them is so old.
        DELETE FROM pt621.sensor_change c
         WHERE c.changed_at < now() - interval '30 days'
           AND c.revision < (SELECT max(l.revision) FROM pt621.sensor_change l);
    ELSE
        RETURN 0;
    END IF;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
    RETURN coalesce(cardinality(devices), 0);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_settle_sensors(integer) IS
'derives anew what changed rules, calibrations and inputs change in the past of trackers; argument: how many trackers at most; returns how many; a worker calls it';
