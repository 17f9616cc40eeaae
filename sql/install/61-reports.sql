-- 61-reports.sql: trips, stops, engine, drivers.  doc/reports.md says what they are.
--
-- With the rights of whoever asks, policies included; nothing is written.  The
-- internal functions read positions, those for users choose columns and look
-- names up.
--
-- Their costs are guesses: with policies on the tables they are high enough for
-- the planner to compile queries, which takes a thousand times as long as to run
-- them.  So what asks the tables runs without JIT.

CREATE FUNCTION @extschema@.pt621_period_bounds(period tstzrange, OUT low timestamptz, OUT high timestamptz)
RETURNS record
LANGUAGE sql STABLE PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Microseconds are whole, so bounds that are in or out can be moved.
    SELECT CASE WHEN isempty(period) THEN 'infinity'
                WHEN NOT lower_inc(period) AND isfinite(lower(period)) THEN lower(period) + interval '1 microsecond'
                ELSE coalesce(lower(period), '-infinity') END,
           CASE WHEN upper_inc(period) AND isfinite(upper(period)) THEN upper(period) + interval '1 microsecond'
                ELSE coalesce(upper(period), 'infinity') END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_period_bounds(tstzrange) IS
'internal: the times that a period begins with and ends before; of one that is NULL, all times';

CREATE FUNCTION @extschema@.pt621_known_zone(zone text)
RETURNS text
AS 'MODULE_PATHNAME', 'pt621_known_zone'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_known_zone(text) IS
'internal: the time zone of a tracker, or UTC where it is none, as pt621_summary() has it';

CREATE FUNCTION @extschema@.pt621_is_alarm(kind text, object text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT kind = 'sensor_alarm' OR kind = 'alarm' AND object IS DISTINCT FROM 'photo'
$function$;
COMMENT ON FUNCTION @extschema@.pt621_is_alarm(text, text) IS
'internal: whether an event of this kind is an alarm: one that the tracker sent, the announcement of a photo apart, or one of a sensor';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_report_segments(
            devices integer[], period tstzrange, stop_radius_m double precision, rest_after interval,
            min_stop interval, max_gap interval, use_ignition boolean,
            OUT device_id integer, OUT kind text, OUT started_at timestamptz, OUT ended_at timestamptz,
            OUT ongoing boolean, OUT seconds double precision, OUT metres double precision,
            OUT mean_kmh double precision, OUT top_kmh real, OUT start_geom %1$I.geometry,
            OUT end_geom %1$I.geometry, OUT geom %1$I.geometry, OUT engine_s double precision,
            OUT idle_s double precision, OUT carried_s double precision, OUT carried_metres double precision,
            OUT odometer_m double precision, OUT places integer, OUT drivers text[])
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_report_segments'
        LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_report_summary(
            devices integer[], period tstzrange, by text, time_zone text, stop_radius_m double precision DEFAULT 200,
            rest_after interval DEFAULT '180 s', min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h',
            use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT day date, OUT started_at timestamptz, OUT ended_at timestamptz,
            OUT metres double precision, OUT trips integer, OUT stops integer, OUT drive_s double precision,
            OUT stopped_s double precision, OUT unobserved_s double precision, OUT carried_s double precision,
            OUT carried_metres double precision, OUT engine_s double precision, OUT idle_s double precision,
            OUT top_kmh real, OUT mean_kmh double precision, OUT odometer_m double precision,
            OUT first_fix timestamptz, OUT last_fix timestamptz, OUT first_geom %1$I.geometry,
            OUT last_geom %1$I.geometry)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_report_summary'
        LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_report_manoeuvres(
            devices integer[], period tstzrange, acceleration_ms2 double precision,
            braking_ms2 double precision, turn_ms2 double precision, max_step interval,
            OUT device_id integer, OUT kind text, OUT at timestamptz, OUT geom %1$I.geometry,
            OUT ms2 double precision, OUT speed_kmh double precision)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_report_manoeuvres'
        LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_report_segments(integer[], tstzrange, double precision, interval, interval, interval, boolean) IS
'internal: trips, stops and unobserved legs; for pt621_segments() and its like';
COMMENT ON FUNCTION @extschema@.pt621_report_summary(integer[], tstzrange, text, text, double precision, interval, interval, interval, boolean) IS
'internal: what positions say of days; for pt621_summary() and pt621_behaviour()';
COMMENT ON FUNCTION @extschema@.pt621_report_manoeuvres(integer[], tstzrange, double precision, double precision, double precision, interval) IS
'internal: harsh accelerations, brakings and turns; for pt621_manoeuvres() and pt621_behaviour()';

CREATE FUNCTION @extschema@.pt621_report_intervals(
    devices integer[], period tstzrange, kind text, max_gap interval, ignition_debounce interval, idle_after interval,
    OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT ongoing boolean,
    OUT silent boolean, OUT seconds double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_report_intervals'
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off;
COMMENT ON FUNCTION @extschema@.pt621_report_intervals(integer[], tstzrange, text, interval, interval, interval) IS
'internal: when the engine was on (engine) or idling (idle); for pt621_ignition() and pt621_idling()';

CREATE FUNCTION @extschema@.pt621_report_drivers(
    devices integer[], period tstzrange, off_after interval,
    OUT device_id integer, OUT rfid text, OUT started_at timestamptz, OUT ended_at timestamptz,
    OUT ongoing boolean, OUT seconds double precision, OUT drive_s double precision, OUT metres double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_report_drivers'
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off;
COMMENT ON FUNCTION @extschema@.pt621_report_drivers(integer[], tstzrange, interval) IS
'internal: turns of drivers, and driving that was nobody''s (rfid NULL); for pt621_drivers()';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_segments(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            stop_radius_m double precision DEFAULT 200, rest_after interval DEFAULT '180 s',
            min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h', use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT kind text, OUT started_at timestamptz, OUT ended_at timestamptz,
            OUT ongoing boolean, OUT seconds double precision, OUT metres double precision,
            OUT mean_kmh double precision, OUT top_kmh real, OUT start_geom %1$I.geometry,
            OUT end_geom %1$I.geometry, OUT geom %1$I.geometry, OUT engine_s double precision,
            OUT idle_s double precision, OUT carried_s double precision, OUT carried_metres double precision,
            OUT odometer_m double precision, OUT places integer, OUT drivers text[])
        RETURNS SETOF record
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
            SELECT s.*
              FROM @extschema@.pt621_report_segments(devices, period, stop_radius_m, rest_after, min_stop, max_gap, use_ignition) s
        $body$
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_trips(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            stop_radius_m double precision DEFAULT 200, rest_after interval DEFAULT '180 s',
            min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h', use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT ongoing boolean,
            OUT seconds double precision, OUT metres double precision, OUT mean_kmh double precision,
            OUT top_kmh real, OUT start_geom %1$I.geometry, OUT end_geom %1$I.geometry,
            OUT engine_s double precision, OUT idle_s double precision, OUT carried_s double precision,
            OUT carried_metres double precision, OUT odometer_m double precision, OUT places integer,
            OUT drivers text[])
        RETURNS SETOF record
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
            SELECT s.device_id, s.started_at, s.ended_at, s.ongoing, s.seconds, s.metres, s.mean_kmh, s.top_kmh,
                   s.start_geom, s.end_geom, s.engine_s, s.idle_s, s.carried_s, s.carried_metres, s.odometer_m,
                   s.places, s.drivers
              FROM @extschema@.pt621_report_segments(devices, period, stop_radius_m, rest_after, min_stop, max_gap, use_ignition) s
             WHERE s.kind = 'trip'
        $body$
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_stops(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            stop_radius_m double precision DEFAULT 200, rest_after interval DEFAULT '180 s',
            min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h', use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT ongoing boolean,
            OUT seconds double precision, OUT geom %1$I.geometry, OUT metres double precision,
            OUT engine_s double precision, OUT idle_s double precision, OUT odometer_m double precision,
            OUT places integer, OUT drivers text[])
        RETURNS SETOF record
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
            SELECT s.device_id, s.started_at, s.ended_at, s.ongoing, s.seconds, s.geom, s.metres, s.engine_s,
                   s.idle_s, s.odometer_m, s.places, s.drivers
              FROM @extschema@.pt621_report_segments(devices, period, stop_radius_m, rest_after, min_stop, max_gap, use_ignition) s
             WHERE s.kind = 'stop'
        $body$
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_unobserved(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            stop_radius_m double precision DEFAULT 200, rest_after interval DEFAULT '180 s',
            min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h', use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz,
            OUT seconds double precision, OUT metres double precision, OUT start_geom %1$I.geometry,
            OUT end_geom %1$I.geometry)
        RETURNS SETOF record
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
            SELECT s.device_id, s.started_at, s.ended_at, s.seconds, s.metres, s.start_geom, s.end_geom
              FROM @extschema@.pt621_report_segments(devices, period, stop_radius_m, rest_after, min_stop, max_gap, use_ignition) s
             WHERE s.kind = 'unobserved'
        $body$
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_summary(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            by text DEFAULT 'day', time_zone text DEFAULT NULL,
            stop_radius_m double precision DEFAULT 200, rest_after interval DEFAULT '180 s',
            min_stop interval DEFAULT '300 s', max_gap interval DEFAULT '1 h', use_ignition boolean DEFAULT true,
            OUT device_id integer, OUT day date, OUT started_at timestamptz, OUT ended_at timestamptz,
            OUT metres double precision, OUT trips integer, OUT stops integer, OUT drive_s double precision,
            OUT stopped_s double precision, OUT unobserved_s double precision, OUT carried_s double precision,
            OUT carried_metres double precision, OUT engine_s double precision, OUT idle_s double precision,
            OUT top_kmh real, OUT mean_kmh double precision, OUT odometer_m double precision,
            OUT fuel_used_l double precision, OUT alarms integer, OUT first_fix timestamptz,
            OUT last_fix timestamptz, OUT first_geom %1$I.geometry, OUT last_geom %1$I.geometry)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        BEGIN
            RETURN QUERY
            SELECT s.device_id, s.day, s.started_at, s.ended_at, s.metres, s.trips, s.stops, s.drive_s, s.stopped_s,
                   s.unobserved_s, s.carried_s, s.carried_metres, s.engine_s, s.idle_s, s.top_kmh, s.mean_kmh,
                   s.odometer_m,
                   -- It takes a look at the records again.
                   CASE WHEN EXISTS (SELECT FROM pt621.calibration c WHERE c.device_id = s.device_id AND c.name = 'fuel')
                        THEN @extschema@.pt621_fuel_used(s.device_id, s.started_at, s.ended_at) END,
                   (SELECT count(*)::integer
                      FROM pt621.event e
                     -- The kinds, for an index.
                     WHERE e.device_id = s.device_id AND e.kind IN ('alarm', 'sensor_alarm') AND e.superseded_at IS NULL
                       AND @extschema@.pt621_is_alarm(e.kind, e.object)
                       AND e.at >= s.started_at AND e.at < s.ended_at),
                   s.first_fix, s.last_fix, s.first_geom, s.last_geom
              FROM @extschema@.pt621_report_summary(devices, period, by, time_zone, stop_radius_m, rest_after,
                                                    min_stop, max_gap, use_ignition) s;
        END
        $body$
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_manoeuvres(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
            acceleration_ms2 double precision DEFAULT 3, braking_ms2 double precision DEFAULT 3.5,
            turn_ms2 double precision DEFAULT 4, max_step interval DEFAULT '10 s',
            OUT device_id integer, OUT kind text, OUT at timestamptz, OUT geom %1$I.geometry,
            OUT ms2 double precision, OUT speed_kmh double precision)
        RETURNS SETOF record
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
            SELECT m.*
              FROM @extschema@.pt621_report_manoeuvres(devices, period, acceleration_ms2, braking_ms2, turn_ms2, max_step) m
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_segments(integer[], tstzrange, double precision, interval, interval, interval, boolean) IS
'trips, stops and unobserved legs in one row of time, ordered by tracker and start; arguments: ids of trackers and the period that they start in (NULL = all), stop_radius_m (metres, more than 0, to 100,000), rest_after (1 s to 1 day), min_stop and max_gap (0 to 3,650 days), use_ignition, as in doc/reports.md; error for arguments that are NULL or out of range; kind is trip, stop or unobserved; lengths in metres, times in s, speeds in km/h; geom of a stop is its median place';
COMMENT ON FUNCTION @extschema@.pt621_trips(integer[], tstzrange, double precision, interval, interval, interval, boolean) IS
'the trips among pt621_segments(), arguments likewise; metres, s, km/h';
COMMENT ON FUNCTION @extschema@.pt621_stops(integer[], tstzrange, double precision, interval, interval, interval, boolean) IS
'the stops among pt621_segments(), arguments likewise; geom is the median of their places; metres, s';
COMMENT ON FUNCTION @extschema@.pt621_unobserved(integer[], tstzrange, double precision, interval, interval, interval, boolean) IS
'the unobserved legs among pt621_segments(), arguments likewise: the tracker was silent for longer than max_gap and was elsewhere when it was heard again; metres, s';
COMMENT ON FUNCTION @extschema@.pt621_summary(integer[], tstzrange, text, text, double precision, interval, interval, interval, boolean) IS
'what trackers did by day, week (from Monday), month or all; arguments: ids of trackers and period (NULL = all), by: day, week, month or all, time_zone (NULL = that of each tracker), the others as of pt621_segments(); error for a time zone or a word that is not known; day is the first one of the bucket; metres, s, km/h, litres; alarms: those of the tracker and of its sensors, photos and overspeeds apart; no row where there is neither a record nor time accounted for';
COMMENT ON FUNCTION @extschema@.pt621_manoeuvres(integer[], tstzrange, double precision, double precision, double precision, interval) IS
'harsh accelerations, brakings and turns; arguments: ids of trackers and period (NULL = all), from how much on (m/s2, more than 0), the longest step between two places that is looked at (1 s to 1 h); kind is acceleration, braking or turn; m/s2, km/h before it; error for arguments that are NULL or out of range';

CREATE FUNCTION @extschema@.pt621_ignition(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    max_gap interval DEFAULT '1 h', debounce interval DEFAULT '2 s',
    OUT device_id integer, OUT on_at timestamptz, OUT off_at timestamptz, OUT ongoing boolean, OUT silent boolean,
    OUT seconds double precision)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT i.*
      FROM @extschema@.pt621_report_intervals(devices, period, 'engine', max_gap, debounce, '120 s'::interval) i
$function$;
COMMENT ON FUNCTION @extschema@.pt621_ignition(integer[], tstzrange, interval, interval) IS
'when the engine was on; arguments: ids of trackers and the period that it went on in (NULL = all), max_gap (a longer silence ends an interval; 0 to 3,650 days), debounce (a change that is undone in less is none; 0 to 1 h); silent: ended by silence; ongoing: until the last record; s; error for arguments that are NULL or out of range';

CREATE FUNCTION @extschema@.pt621_idling(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    idle_after interval DEFAULT '120 s', max_gap interval DEFAULT '1 h',
    OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT seconds double precision)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT i.device_id, i.started_at, i.ended_at, i.seconds
      FROM @extschema@.pt621_report_intervals(devices, period, 'idle', max_gap, '2 s'::interval, idle_after) i
$function$;
COMMENT ON FUNCTION @extschema@.pt621_idling(integer[], tstzrange, interval, interval) IS
'when the engine was on and the tracker did not move; arguments: ids of trackers and the period that it starts in (NULL = all), idle_after (what is shorter is none; 0 to 1 day), max_gap as of pt621_ignition(); s; error for arguments that are NULL or out of range';

CREATE FUNCTION @extschema@.pt621_drivers(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    off_after interval DEFAULT '5 min',
    OUT device_id integer, OUT rfid text, OUT driver text, OUT allowed boolean, OUT started_at timestamptz,
    OUT ended_at timestamptz, OUT ongoing boolean, OUT seconds double precision, OUT drive_s double precision,
    OUT metres double precision)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN QUERY
    SELECT t.device_id, t.rfid, @extschema@.pt621_driver_name(t.rfid, t.device_id, t.started_at),
           @extschema@.pt621_driver_allowed(t.rfid, t.device_id, t.started_at),
           t.started_at, t.ended_at, t.ongoing, t.seconds, t.drive_s, t.metres
      FROM @extschema@.pt621_report_drivers(devices, period, off_after) t;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_drivers(integer[], tstzrange, interval) IS
'who drove: turns of drivers, and driving that was nobody''s (rfid NULL); arguments: ids of trackers and the period that they start in (NULL = all), off_after: the engine off for so long ends a turn (0 to 1 day); driver: name in pt621.driver then; allowed: whether pt621.driver lets this id drive this tracker then, NULL when that table is empty or nobody was known; s, metres; error for arguments that are NULL or out of range';

CREATE FUNCTION @extschema@.pt621_behaviour(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    acceleration_ms2 double precision DEFAULT 3, braking_ms2 double precision DEFAULT 3.5,
    turn_ms2 double precision DEFAULT 4, max_step interval DEFAULT '10 s',
    OUT device_id integer, OUT metres double precision, OUT accelerations integer, OUT brakings integer,
    OUT turns integer, OUT idle_s double precision, OUT per_100km double precision,
    OUT idle_s_per_100km double precision)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT s.device_id, s.metres, coalesce(m.accelerations, 0), coalesce(m.brakings, 0), coalesce(m.turns, 0), s.idle_s,
           (coalesce(m.accelerations, 0) + coalesce(m.brakings, 0) + coalesce(m.turns, 0)) * 100000 / nullif(s.metres, 0),
           s.idle_s * 100000 / nullif(s.metres, 0)
      FROM @extschema@.pt621_report_summary(devices, period, 'all', 'UTC') s
      LEFT JOIN (SELECT h.device_id,
                        (count(*) FILTER (WHERE h.kind = 'acceleration'))::integer AS accelerations,
                        (count(*) FILTER (WHERE h.kind = 'braking'))::integer AS brakings,
                        (count(*) FILTER (WHERE h.kind = 'turn'))::integer AS turns
                   FROM @extschema@.pt621_report_manoeuvres(devices, period, acceleration_ms2, braking_ms2, turn_ms2, max_step) h
                  GROUP BY h.device_id) m ON m.device_id = s.device_id
     ORDER BY s.device_id
$function$;
COMMENT ON FUNCTION @extschema@.pt621_behaviour(integer[], tstzrange, double precision, double precision, double precision, interval) IS
'how it was driven: pt621_manoeuvres() counted, and all of them per 100 km of the trips; arguments likewise; idle_s: how long the engine idled, s, and per 100 km of the trips';
