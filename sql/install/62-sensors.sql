-- 62-sensors.sql: what is wired to trackers, who drives them, and their fuel.
--
-- What reads does so with the rights of whoever asks, policies included.

-- ------------------------------------------------------------------ drivers --

CREATE FUNCTION @extschema@.pt621_driver_allowed(rfid text, device integer, at timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    own text[];
BEGIN
    IF NOT EXISTS (SELECT FROM pt621.driver) THEN
        RETURN NULL;
    END IF;
    own := coalesce((SELECT v.groups FROM pt621.device_version v WHERE v.device_id = device AND v.valid @> at LIMIT 1),
                    (SELECT d.groups FROM pt621.device d WHERE d.id = device));
    RETURN EXISTS (SELECT FROM pt621.driver w
                    WHERE w.rfid = pt621_driver_allowed.rfid AND w.valid @> at
                      AND (num_nonnulls(w.devices, w.groups) = 0 OR device = ANY (w.devices) OR w.groups && own));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_driver_allowed(text, integer, timestamptz) IS
'whether the driver of an RFID may drive a tracker (device.id) at a time, by pt621.driver; NULL when that is empty';

CREATE FUNCTION @extschema@.pt621_driver_name(rfid text, device integer, at timestamptz)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- One id may be in use twice, by trackers that know nothing of each other.
    RETURN (SELECT w.name FROM pt621.driver w
             WHERE w.rfid = pt621_driver_name.rfid AND w.valid @> at
             ORDER BY num_nonnulls(w.devices, w.groups) = 0 OR device = ANY (w.devices) IS TRUE OR
                      w.groups && coalesce((SELECT v.groups FROM pt621.device_version v WHERE v.device_id = device AND v.valid @> at LIMIT 1),
                                           (SELECT d.groups FROM pt621.device d WHERE d.id = device)) IS TRUE DESC,
                      lower(w.valid) DESC NULLS LAST, w.id DESC
             LIMIT 1);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_driver_name(text, integer, timestamptz) IS
'who had an RFID in a tracker (device.id) at a time, by pt621.driver: of several rows one that allows that tracker, and of those the one that began last; NULL = nobody';

-- ------------------------------------------------------------------ sensors --

CREATE FUNCTION @extschema@.pt621_calibration_check()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    wrong text;
BEGIN
    wrong := CASE
        WHEN NEW.raw IS NULL OR NEW.value IS NULL THEN 'raw and value are needed'
        WHEN array_ndims(NEW.raw) IS DISTINCT FROM 1 OR array_ndims(NEW.value) IS DISTINCT FROM 1
             OR cardinality(NEW.raw) <> cardinality(NEW.value) OR cardinality(NEW.raw) NOT BETWEEN 2 AND 1000
        THEN format('raw has %s elements and value %s, not both the same, 2 to 1000', cardinality(NEW.raw), cardinality(NEW.value))
        WHEN EXISTS (SELECT FROM unnest(NEW.raw || NEW.value) n
                      WHERE n IS NULL OR n IN ('NaN', 'infinity', '-infinity'))
        THEN 'an element of raw or value is NULL or not finite'
        ELSE (SELECT format('raw count %s does not come after %s', c.next, c.count)
                FROM (SELECT r.count, lead(r.count) OVER (ORDER BY r.n) AS next
                        FROM unnest(NEW.raw) WITH ORDINALITY r (count, n)) c
               WHERE c.next <= c.count
               LIMIT 1)
        END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'table of sensor "%" of tracker % cannot be used: %', NEW.name, NEW.device_id, wrong
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'raw and value are pairs, raw counts ascending: {180,1650,3900} and {0,30,60} for a tank of 60 litres.';
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_calibration_check() IS
'the default trigger of pt621.calibration: refuses what is no table of a sensor';

CREATE FUNCTION @extschema@.pt621_calibrate(count double precision, raw double precision[], value double precision[])
RETURNS double precision
AS 'MODULE_PATHNAME', 'pt621_calibrate'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION @extschema@.pt621_calibrate(double precision, double precision[], double precision[]) IS
'what a sensor measures, of its raw count and of raw and value of pt621.calibration: straight between the pairs, the first or last value up to 5 % of the table''s span beside it, NULL farther out; error for arrays that are no such table';

-- Up to when each row of a sensor holds: of those that do the one that began
-- last.
CREATE FUNCTION @extschema@.pt621_sensor_spans(
    device integer, name text, OUT since timestamptz, OUT until timestamptz, OUT channel smallint, OUT unit text,
    OUT raw double precision[], OUT "values" double precision[], OUT number smallint, OUT inverted boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000 ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    WITH wired AS MATERIALIZED (
        SELECT c.valid, c.id, true AS analog, c.channel, c.unit, c.raw, c.value, NULL::smallint AS number, NULL::boolean AS inverted
          FROM pt621.calibration c
         WHERE c.device_id = device AND c.name = pt621_sensor_spans.name
         UNION ALL
        SELECT i.valid, i.id, false, NULL, '', NULL, NULL, i.number, i.inverted
          FROM pt621.input i
         WHERE i.device_id = device AND i.name = pt621_sensor_spans.name),
    bound AS (
        SELECT b.since, lead(b.since, 1, 'infinity') OVER (ORDER BY b.since) AS until
          FROM (SELECT coalesce(lower(w.valid), '-infinity') AS since FROM wired w
                 UNION
                SELECT coalesce(upper(w.valid), 'infinity') FROM wired w) b)
    SELECT b.since, b.until, w.channel, w.unit, w.raw, w.value, w.number, w.inverted
      FROM bound b
      CROSS JOIN LATERAL (SELECT * FROM wired w
                           WHERE coalesce(lower(w.valid), '-infinity') <= b.since
                             AND coalesce(upper(w.valid), 'infinity') >= b.until
                           ORDER BY lower(w.valid) DESC NULLS LAST, w.analog DESC, w.id DESC
                           LIMIT 1) w
     WHERE b.since < b.until
     ORDER BY b.since;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sensor_spans(integer, text) IS
'internal: what is wired as this sensor of a tracker (device.id), one row for each span of time';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_sensor(
            device integer, name text, period tstzrange DEFAULT NULL,
            OUT fix_time timestamptz, OUT value double precision, OUT raw double precision, OUT unit text, OUT geom %1$I.geometry)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        DECLARE
            low   timestamptz;
            high  timestamptz;
            wired boolean := false;
            due   record;
        BEGIN
            IF device IS NULL OR name IS NULL THEN
                RETURN;
            END IF;
            SELECT b.low, b.high INTO low, high FROM @extschema@.pt621_period_bounds(period) b;
            FOR due IN SELECT s.* FROM @extschema@.pt621_sensor_spans(device, name) s ORDER BY s.since LOOP
                wired := true;
                CONTINUE WHEN due.since >= high OR due.until <= low;
                IF due.channel IS NOT NULL THEN
                    RETURN QUERY
                    SELECT p.fix_time, @extschema@.pt621_calibrate(p.adc[due.channel], due.raw, due."values"),
                           p.adc[due.channel]::double precision, due.unit, CASE WHEN p.valid AND p.quality & 32768 = 0 THEN p.geom END
                      FROM pt621.position p
                     WHERE p.device_id = device AND p.fix_time >= greatest(low, due.since) AND p.fix_time < least(high, due.until)
                       AND p.adc[due.channel] IS NOT NULL AND p.quality & 65536 = 0
                     ORDER BY p.fix_time, p.code COLLATE "C", p.digest;
                ELSE
                    RETURN QUERY
                    SELECT p.fix_time, (get_bit(p.inputs, due.number - 1) <> due.inverted::integer)::integer::double precision,
                           get_bit(p.inputs, due.number - 1)::double precision, due.unit, CASE WHEN p.valid AND p.quality & 32768 = 0 THEN p.geom END
                      FROM pt621.position p
                     WHERE p.device_id = device AND p.fix_time >= greatest(low, due.since) AND p.fix_time < least(high, due.until)
                       AND length(p.inputs) >= due.number AND p.quality & 65536 = 0
                     ORDER BY p.fix_time, p.code COLLATE "C", p.digest;
                END IF;
            END LOOP;
            IF wired THEN
                RETURN;
            END IF;
            IF name NOT IN ('battery', 'gsm', 'odometer_m', 'satellites', 'speed_kmh') THEN
                RAISE EXCEPTION 'tracker %% has no sensor "%%"', device, name
                    USING ERRCODE = 'undefined_object',
                          HINT = format('It has %%s.', (SELECT string_agg(DISTINCT quote_ident(s.name), ', ' ORDER BY quote_ident(s.name))
                                                         FROM (SELECT c.name FROM pt621.calibration c WHERE c.device_id = device
                                                                UNION ALL
                                                               SELECT i.name FROM pt621.input i WHERE i.device_id = device
                                                                UNION ALL
                                                               SELECT unnest('{battery,gsm,odometer_m,satellites,speed_kmh}'::text[])) s (name)));
            END IF;
            RETURN QUERY
            SELECT p.fix_time, v.value, v.value, CASE name WHEN 'speed_kmh' THEN 'km/h' WHEN 'odometer_m' THEN 'm' ELSE '' END,
                   CASE WHEN p.valid AND p.quality & 32768 = 0 THEN p.geom END
              FROM pt621.position p
              CROSS JOIN LATERAL (SELECT CASE name WHEN 'battery' THEN p.battery WHEN 'gsm' THEN p.gsm WHEN 'odometer_m' THEN p.odometer_m
                                                   WHEN 'satellites' THEN p.satellites ELSE p.speed_kmh END::double precision AS value) v
             WHERE p.device_id = device AND p.fix_time >= low AND p.fix_time < high AND p.quality & 65536 = 0
               AND v.value IS NOT NULL
             ORDER BY p.fix_time, p.code COLLATE "C", p.digest;
        END
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_sensor(integer, text, tstzrange) IS
'what a sensor of a tracker (device.id) measured in a period (NULL = all), in order of time; name: as in pt621.calibration or pt621.input, or battery, gsm, odometer_m, satellites, speed_kmh, which all have; value: in the unit, of an input 1 when it is on and 0 when it is off, NULL when the count is outside the table; raw: the count or bit itself; geom: NULL of a record that is no place; error for a sensor that the tracker has not';

-- --------------------------------------------------------------------- fuel --

CREATE FUNCTION @extschema@.pt621_fuel_options(
    options jsonb, OUT sensor text, OUT min_l double precision, OUT min_share double precision,
    OUT idle_l_h double precision, OUT l_per_100km double precision, OUT fills_in_motion boolean, OUT drains_in_motion boolean)
RETURNS record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    unknown text;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION 'options of fuel are a JSON object, not: %', options
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT string_agg(quote_literal(k), ', ' ORDER BY k) INTO unknown
      FROM jsonb_object_keys(options) k
     WHERE k NOT IN ('sensor', 'min_l', 'min_share', 'idle_l_h', 'l_per_100km', 'fills_in_motion', 'drains_in_motion');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown options of fuel: %', unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Known are sensor, min_l, min_share, idle_l_h, l_per_100km, fills_in_motion and drains_in_motion.';
    END IF;
    sensor := coalesce(options ->> 'sensor', 'fuel');
    min_l := coalesce((options ->> 'min_l')::double precision, 5);
    min_share := coalesce((options ->> 'min_share')::double precision, 0.03);
    idle_l_h := coalesce((options ->> 'idle_l_h')::double precision, 1);
    l_per_100km := coalesce((options ->> 'l_per_100km')::double precision, 10);
    fills_in_motion := coalesce((options ->> 'fills_in_motion')::boolean, false);
    drains_in_motion := coalesce((options ->> 'drains_in_motion')::boolean, false);
    -- NaN is more than all.
    IF NOT (min_l > 0 AND min_l <= 1000000 AND min_share BETWEEN 0 AND 1
            AND idle_l_h BETWEEN 0 AND 1000 AND l_per_100km BETWEEN 0 AND 1000) THEN
        RAISE EXCEPTION 'options of fuel are out of range: %', options
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'min_l is more than 0, to 1,000,000 litres, min_share 0 to 1, idle_l_h and l_per_100km 0 to 1000.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fuel_options(jsonb) IS
'internal: options of fuel with their defaults; error for those that are unknown or out of range';

-- Trackers among these, NULL = all, that have a sensor.
CREATE FUNCTION @extschema@.pt621_sensor_devices(devices integer[], name text)
RETURNS SETOF integer
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT DISTINCT c.device_id
      FROM pt621.calibration c
     WHERE c.name = pt621_sensor_devices.name AND (devices IS NULL OR c.device_id = ANY (devices))
     ORDER BY c.device_id;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sensor_devices(integer[], text) IS
'internal: trackers among these (NULL = all) that have a calibration of this name';

CREATE FUNCTION @extschema@.pt621_fuel_levels(
    device integer, low timestamptz, high timestamptz, sensor text,
    OUT fix_time timestamptz, OUT litres double precision, OUT raw_litres double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_fuel_levels'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 1000;
COMMENT ON FUNCTION @extschema@.pt621_fuel_levels(integer, timestamptz, timestamptz, text) IS
'internal: readings of a tracker''s fuel from low to before high; for pt621_fuel()';

CREATE FUNCTION @extschema@.pt621_fuel_changes(
    device integer, low timestamptz, high timestamptz, sensor text, min_l double precision, min_share double precision,
    idle_l_h double precision, l_per_100km double precision, fills_in_motion boolean, drains_in_motion boolean,
    OUT refuel boolean, OUT started_at timestamptz, OUT ended_at timestamptz, OUT litres double precision,
    OUT before_l double precision, OUT after_l double precision, OUT confidence double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_fuel_changes'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION @extschema@.pt621_fuel_changes(integer, timestamptz, timestamptz, text, double precision, double precision,
                                                   double precision, double precision, boolean, boolean) IS
'internal: refuels and drains of a tracker that begin from low to before high; for pt621_fuel_events()';

CREATE FUNCTION @extschema@.pt621_fuel_buckets(
    device integer, bounds timestamptz[], sensor text, min_l double precision, min_share double precision,
    idle_l_h double precision, l_per_100km double precision, fills_in_motion boolean, drains_in_motion boolean,
    OUT n integer, OUT start_l double precision, OUT end_l double precision, OUT refuelled_l double precision,
    OUT drained_l double precision, OUT used_l double precision, OUT metres double precision, OUT expected_l double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_fuel_buckets'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_fuel_buckets(integer, timestamptz[], text, double precision, double precision,
                                                   double precision, double precision, boolean, boolean) IS
'internal: what became of a tracker''s fuel between each two bounds, which ascend; for pt621_fuel_balance()';

CREATE FUNCTION @extschema@.pt621_fuel(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, sensor text DEFAULT 'fuel',
    OUT device_id integer, OUT fix_time timestamptz, OUT litres double precision, OUT raw_litres double precision)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT d, l.fix_time, l.litres, l.raw_litres
      FROM @extschema@.pt621_period_bounds(period) p
      CROSS JOIN @extschema@.pt621_sensor_devices(devices, sensor) d
      CROSS JOIN LATERAL @extschema@.pt621_fuel_levels(d, p.low, p.high, sensor) l
     WHERE p.low < p.high
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fuel(integer[], tstzrange, text) IS
'the level of fuel at each reading that counts; arguments: ids of trackers and period (NULL = all), name of the sensor in pt621.calibration; in order of tracker and time; litres: filtered, raw_litres: as read';

CREATE FUNCTION @extschema@.pt621_fuel_used(device integer, low timestamptz, high timestamptz)
RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT b.used_l
      FROM @extschema@.pt621_fuel_options(NULL) o
      CROSS JOIN LATERAL @extschema@.pt621_fuel_buckets(device, ARRAY[low, high], o.sensor, o.min_l, o.min_share, o.idle_l_h,
                                                        o.l_per_100km, o.fills_in_motion, o.drains_in_motion) b
     WHERE low < high
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fuel_used(integer, timestamptz, timestamptz) IS
'internal: litres that a tracker''s engine used from low to high: what was there, and refuelled, without what was drained and what is left; NULL when there is no sensor called fuel, or no reading of it';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_fuel_events(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, options jsonb DEFAULT NULL,
            OUT device_id integer, OUT kind text, OUT started_at timestamptz, OUT ended_at timestamptz, OUT litres double precision,
            OUT before_l double precision, OUT after_l double precision, OUT geom %1$I.geometry, OUT driver text,
            OUT confidence double precision)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        BEGIN
            RETURN QUERY
            WITH change AS MATERIALIZED (
                SELECT d AS id, c.*
                  FROM @extschema@.pt621_fuel_options(options) o
                  CROSS JOIN @extschema@.pt621_period_bounds(period) b
                  CROSS JOIN LATERAL @extschema@.pt621_sensor_devices(devices, o.sensor) d
                  CROSS JOIN LATERAL @extschema@.pt621_fuel_changes(d, b.low, b.high, o.sensor, o.min_l, o.min_share, o.idle_l_h, o.l_per_100km,
                                                                   o.fills_in_motion, o.drains_in_motion) c
                 WHERE b.low < b.high
            ), turn AS MATERIALIZED (
                -- A turn ends with the day, so one that reaches into a time began no earlier than
                -- the day before, which may have 25 hours.
                SELECT t.device_id AS id, t.rfid, t.started_at, t.ended_at, t.ongoing
                  FROM (SELECT array_agg(DISTINCT c.id) AS ids, min(c.started_at) AS low, max(c.started_at) AS high FROM change c) f
                  CROSS JOIN LATERAL @extschema@.pt621_report_drivers(f.ids, tstzrange(f.low - interval '25 h', f.high, '[]'), '5 min'::interval) t
                 WHERE f.ids IS NOT NULL AND t.rfid IS NOT NULL
            )
            SELECT c.id, CASE WHEN c.refuel THEN 'refuel' ELSE 'drain' END, c.started_at, c.ended_at, c.litres, c.before_l, c.after_l, g.geom,
                   -- Who refuels switches off first, which ends the turn: shortly after it is still his.
                   (SELECT coalesce(@extschema@.pt621_driver_name(t.rfid, c.id, t.started_at), t.rfid)
                      FROM turn t
                     WHERE t.id = c.id AND t.started_at <= c.started_at
                       AND (t.ongoing OR t.ended_at > c.started_at
                            OR (t.ended_at > c.started_at - interval '5 min'
                                AND (t.started_at AT TIME ZONE z.name)::date = (c.started_at AT TIME ZONE z.name)::date))
                     ORDER BY t.started_at DESC LIMIT 1),
                   c.confidence
              FROM change c
              LEFT JOIN pt621.device v ON v.id = c.id
              CROSS JOIN LATERAL (SELECT coalesce(@extschema@.pt621_known_zone(v.time_zone), 'UTC') AS name) z
              LEFT JOIN LATERAL (SELECT p.geom FROM pt621.position p
                                  WHERE p.device_id = c.id AND p.fix_time <= c.started_at AND p.valid AND p.quality & 98304 = 0
                                  ORDER BY p.fix_time DESC, p.code COLLATE "C" DESC, p.digest DESC LIMIT 1) g ON true
             ORDER BY c.id, c.started_at;
        END
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_fuel_events(integer[], tstzrange, jsonb) IS
'refuels and drains; arguments: ids of trackers and the period that they begin in (NULL = all), options: sensor (fuel), min_l (5 litres) and min_share (0.03 of the tank): what is less is none, idle_l_h (1) and l_per_100km (10): what is burnt without being one, fills_in_motion and drains_in_motion (false); kind is refuel or drain; litres, levels before and after in litres, the place, the driver (name, or id), confidence 0 to 1; driver: whose turn it was when it began, as of pt621_drivers(), or had been less than 5 minutes before on the same day, NULL = nobody known; error for options that are unknown or out of range';

CREATE FUNCTION @extschema@.pt621_fuel_balance(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, by text DEFAULT 'day', time_zone text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    OUT device_id integer, OUT day date, OUT started_at timestamptz, OUT ended_at timestamptz, OUT start_l double precision,
    OUT end_l double precision, OUT refuelled_l double precision, OUT drained_l double precision, OUT used_l double precision,
    OUT metres double precision, OUT l_per_100km double precision, OUT expected_l double precision, OUT plausible boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
#variable_conflict use_column
DECLARE
    o      record;
    due    record;
    bounds timestamptz[];
    unit   text := CASE by WHEN 'all' THEN 'day' ELSE by END;
BEGIN
    o := @extschema@.pt621_fuel_options(options);
    IF by IS NULL OR by NOT IN ('day', 'week', 'month', 'all') THEN
        RAISE EXCEPTION 'fuel is balanced by day, week, month or all, not by "%"', by
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR due IN
        SELECT d AS id, coalesce(pt621_fuel_balance.time_zone, @extschema@.pt621_known_zone(v.time_zone), 'UTC') AS zone,
               greatest(p.low, r.low) AS low, least(p.high, r.high) AS high,
               (SELECT max(t.litres) FROM pt621.calibration c, unnest(c.value) t (litres) WHERE c.device_id = d AND c.name = o.sensor) AS tank
          FROM @extschema@.pt621_sensor_devices(devices, o.sensor) d
          LEFT JOIN pt621.device v ON v.id = d
          CROSS JOIN @extschema@.pt621_period_bounds(period) p
          CROSS JOIN LATERAL (SELECT min(p.fix_time) AS low, max(p.fix_time) AS high
                                FROM pt621.position p
                               WHERE p.device_id = d AND p.fix_time > '-infinity' AND p.fix_time < 'infinity' AND p.quality & 65536 = 0) r
         WHERE NOT isempty(coalesce(period, tstzrange(NULL, NULL)))
         ORDER BY d
    LOOP
        CONTINUE WHEN (due.low < due.high) IS NOT TRUE;
        bounds := ARRAY(SELECT b.bound
                          FROM (SELECT due.low AS bound
                                 UNION
                                SELECT due.high
                                 UNION
                                SELECT s.local AT TIME ZONE due.zone
                                  FROM generate_series(date_trunc(unit, due.low AT TIME ZONE due.zone), due.high AT TIME ZONE due.zone,
                                                       ('1 ' || unit)::interval) s (local)
                                 WHERE by <> 'all') b
                         WHERE b.bound BETWEEN due.low AND due.high
                         ORDER BY b.bound);
        RETURN QUERY
        SELECT due.id, (CASE WHEN by = 'all' THEN bounds[b.n] AT TIME ZONE due.zone
                             ELSE date_trunc(unit, bounds[b.n] AT TIME ZONE due.zone) END)::date,
               bounds[b.n], bounds[b.n + 1], b.start_l, b.end_l, b.refuelled_l, b.drained_l, b.used_l, b.metres,
               CASE WHEN b.metres >= 1000 THEN b.used_l * 100000 / b.metres END, b.expected_l,
               abs(b.used_l - b.expected_l) <= greatest(o.min_l, o.min_share * due.tank) + b.expected_l / 2
          FROM @extschema@.pt621_fuel_buckets(due.id, bounds, o.sensor, o.min_l, o.min_share, o.idle_l_h, o.l_per_100km,
                                              o.fills_in_motion, o.drains_in_motion) b;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fuel_balance(integer[], tstzrange, text, text, jsonb) IS
'what became of the fuel, by day, week (from Monday), month or all; arguments: ids of trackers and period (NULL = all), by, time_zone (NULL = that of each tracker), options as of pt621_fuel_events(); day is the first one of the bucket; litres at its start and end, refuelled, drained, and used: start - end + refuelled - drained; metres driven; l_per_100km: NULL below 1 km; expected_l: what distance and idling make of the options; plausible: used and expected differ by no more than the least change and half of what is expected';
