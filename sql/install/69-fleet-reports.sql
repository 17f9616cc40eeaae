-- 69-fleet-reports.sql: overspeeds, visits, rides from fence to fence, and how much
-- trackers are used.
--
-- With the rights of whoever asks, policies included; nothing is written.

-- A fence's name at a time; where none of its versions was valid then, that of the
-- latest.
CREATE FUNCTION @extschema@.pt621_geofence_name(geofence integer, at timestamptz)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT v.name
              FROM pt621.geofence_version v
             WHERE v.geofence_id = geofence
             ORDER BY v.valid @> at DESC, lower(v.valid) DESC NULLS LAST
             LIMIT 1);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_name(integer, timestamptz) IS
'internal: the name that a geofence had at a time';

-- Turns end with the day, so those that reach into a period began no earlier than
-- the day before, which may have 25 hours.
CREATE FUNCTION @extschema@.pt621_driver_turns(
    devices integer[], low timestamptz, high timestamptz,
    OUT device_id integer, OUT driver text, OUT started_at timestamptz, OUT ended_at timestamptz, OUT ongoing boolean)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT d.device_id, coalesce(d.driver, d.rfid), d.started_at, d.ended_at, d.ongoing
      FROM @extschema@.pt621_drivers(devices, tstzrange(low - interval '25 h', high, '[]')) d
     WHERE d.rfid IS NOT NULL
$function$;
COMMENT ON FUNCTION @extschema@.pt621_driver_turns(integer[], timestamptz, timestamptz) IS
'internal: drivers'' turns that reach into a period; driver: the name, or the id that nobody is known to have';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_overspeeds(
            devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, with_limit_kmh double precision DEFAULT NULL,
            OUT device_id integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT ongoing boolean,
            OUT seconds double precision, OUT limit_kmh double precision, OUT peak_kmh double precision,
            OUT peak_at timestamptz, OUT peak_geom %1$I.geometry, OUT mean_excess_kmh double precision,
            OUT metres double precision, OUT geofence_id integer, OUT geofence text, OUT geom %1$I.geometry, OUT driver text)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 100000 ROWS 100
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        DECLARE
            low  timestamptz;
            high timestamptz;
        BEGIN
            IF isempty(coalesce(period, tstzrange(NULL, NULL))) THEN
                RETURN;
            END IF;
            SELECT b.low, b.high INTO low, high FROM @extschema@.pt621_period_bounds(period) b;
            RETURN QUERY
            WITH episode AS MATERIALIZED (
                SELECT e.device_id, e.at, e.until, e.detail, e.geofence_id, e.geom
                  FROM pt621.event e
                 WHERE with_limit_kmh IS NULL AND e.kind = 'overspeed' AND e.superseded_at IS NULL
                   -- What somebody else calls so is none of ours.
                   AND jsonb_typeof(e.detail -> 'limit_kmh') = 'number'
                   AND (devices IS NULL OR e.device_id = ANY (devices)) AND e.at >= low AND e.at < high
                 UNION ALL
                SELECT b.device_id, b.at, b.until, b.detail, NULL,
                       (SELECT p.geom FROM pt621.position p
                         WHERE p.device_id = b.device_id AND p.fix_time = b.at AND p.valid AND p.quality & 98304 = 0
                         ORDER BY p.code COLLATE "C", p.digest LIMIT 1)
                  FROM @extschema@.pt621_overspeed_backtest(with_limit_kmh, period, devices) b
                 WHERE with_limit_kmh IS NOT NULL
            ), turn AS MATERIALIZED (
                -- Only who was too fast is asked for the driver.
                SELECT t.*
                  FROM (SELECT array_agg(DISTINCT e.device_id) AS devices, min(e.at) AS low, max(e.at) AS high FROM episode e) o
                 CROSS JOIN LATERAL @extschema@.pt621_driver_turns(o.devices, o.low, o.high) t
                 WHERE o.devices IS NOT NULL
            )
            SELECT e.device_id, e.at, e.until, e.until IS NULL,
                   extract(epoch FROM e.until - e.at)::double precision, (e.detail ->> 'limit_kmh')::double precision,
                   (e.detail ->> 'peak_kmh')::double precision, (e.detail ->> 'peak_at')::timestamptz,
                   %1$I.st_setsrid(%1$I.st_makepoint((e.detail ->> 'peak_lon')::double precision,
                                                     (e.detail ->> 'peak_lat')::double precision), 4326),
                   (e.detail ->> 'mean_excess_kmh')::double precision, (e.detail ->> 'metres')::double precision,
                   e.geofence_id, @extschema@.pt621_geofence_name(e.geofence_id, e.at), e.geom,
                   (SELECT t.driver FROM turn t
                     WHERE t.device_id = e.device_id AND t.started_at <= e.at AND (t.ended_at > e.at OR t.ongoing)
                     ORDER BY t.started_at DESC LIMIT 1)
              FROM episode e
             ORDER BY e.device_id, e.at;
        END
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_overspeeds(integer[], tstzrange, double precision) IS
'episodes of overspeed: those of pt621.event that stand and start in the period; arguments: ids of trackers and period (NULL = all), with_limit_kmh: those that this limit would have shown instead, the same everywhere (by pt621_overspeed_backtest()); limit_kmh: the limit that was broken; geofence: the fence that it is of, by its name then; driver: who drove then, by name or id, NULL = nobody known; while one is ongoing, all that its end decides is NULL; s, km/h, metres; error for a limit that is not more than 0';

CREATE FUNCTION @extschema@.pt621_visits(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, geofences integer[] DEFAULT NULL,
    OUT device_id integer, OUT geofence_id integer, OUT geofence text, OUT enter_at timestamptz, OUT exit_at timestamptz,
    OUT ongoing boolean, OUT enter_unknown boolean, OUT exit_unknown boolean, OUT interpolated boolean, OUT passed boolean,
    OUT uncertainty_s double precision, OUT seconds double precision, OUT metres double precision, OUT top_speed_kmh real,
    OUT driver text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    low  timestamptz;
    high timestamptz;
BEGIN
    SELECT b.low, b.high INTO low, high FROM @extschema@.pt621_period_bounds(period) b;
    RETURN QUERY
    SELECT v.device_id, v.geofence_id, @extschema@.pt621_geofence_name(v.geofence_id, v.enter_at), v.enter_at, v.exit_at,
           v.exit_at IS NULL, v.enter_unknown, v.exit_unknown, v.interpolated, v.passed, v.uncertainty_s, v.seconds,
           v.metres, v.top_speed_kmh, v.driver
      FROM pt621.geofence_visit v
     WHERE v.superseded_at IS NULL
       AND (devices IS NULL OR v.device_id = ANY (devices))
       AND (geofences IS NULL OR v.geofence_id = ANY (geofences))
       AND v.enter_at >= low AND v.enter_at < high
     ORDER BY v.device_id, v.enter_at, v.geofence_id;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_visits(integer[], tstzrange, integer[]) IS
'visits to geofences: the rows of pt621.geofence_visit that stand and begin in the period; arguments: ids of trackers, period, ids of fences (NULL = all); geofence: its name at that time; ongoing: it has not ended; s, metres, km/h; driver as in the table';

-- ------------------------------------------------------------------- rides --

DO $$
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_geofence_covers(geofence integer, inner_fence integer, at timestamptz)
        RETURNS boolean
        LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 10000
        SET search_path = pg_catalog, pg_temp
        AS $body$
        BEGIN
            RETURN EXISTS (SELECT FROM pt621.geofence_version o, pt621.geofence_version i
                            WHERE o.geofence_id = geofence AND o.valid @> at AND i.geofence_id = inner_fence AND i.valid @> at
                              AND %1$I.st_covers(o.shape, i.shape));
        END
        $body$
        $function$, @extschema@.pt621_postgis_schema());
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_covers(integer, integer, timestamptz) IS
'internal: whether all of a geofence, inner_fence, was in another one at a time';

CREATE FUNCTION @extschema@.pt621_rides(
    from_fence integer, to_fence integer, devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    max_duration interval DEFAULT NULL,
    OUT device_id integer, OUT left_at timestamptz, OUT arrived_at timestamptz, OUT seconds double precision,
    OUT metres double precision, OUT top_kmh real, OUT stops integer, OUT driver text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN QUERY
    WITH leaving AS (
        -- What went from the tracker by an edit it has not left.  An exit that is a place's own
        -- time was somewhere on the leg to it: on_leg_since is when that began.  Of a silence
        -- too long for fences to be passed in, nobody knows when it left.
        SELECT a.device_id, a.enter_at, a.exit_at, p.on_leg_since
          FROM pt621.geofence_visit a
         CROSS JOIN LATERAL (
            SELECT (SELECT l.fix_time FROM pt621.position l
                     WHERE l.device_id = a.device_id AND l.fix_time >= a.enter_at AND l.fix_time < a.exit_at
                       AND l.fix_time >= a.exit_at - coalesce((SELECT d.pass_gap FROM pt621.detection d
                                                                      WHERE d.valid_from <= a.exit_at
                                                                      ORDER BY d.valid_from DESC LIMIT 1), '600 s')
                       AND l.valid AND l.quality & 98304 = 0
                       AND EXISTS (SELECT FROM pt621.position r WHERE r.device_id = a.device_id AND r.fix_time = a.exit_at AND r.valid AND r.quality & 98304 = 0)
                     ORDER BY l.fix_time DESC LIMIT 1) AS on_leg_since) p
         WHERE a.geofence_id = from_fence AND a.superseded_at IS NULL AND NOT a.exit_unknown
           AND (devices IS NULL OR a.device_id = ANY (devices))
           -- No range of the two: what somebody wrote into the table may end before it begins.
           AND (period IS NULL OR a.exit_at >= coalesce(lower(period), '-infinity') AND a.enter_at <= coalesce(upper(period), 'infinity'))
    ), ride AS (
        -- Nor has it driven to what came to it by an edit.  A visit never is the next one of
        -- its own fence, though it may be as short as no time.  A fence within the first one
        -- was passed before that was left.
        SELECT a.device_id, CASE WHEN b.enter_at <= a.exit_at THEN coalesce(a.on_leg_since, a.exit_at) ELSE a.exit_at END AS left_at,
               b.enter_at AS arrived_at
          FROM leaving a
         CROSS JOIN LATERAL (SELECT v.enter_at, v.enter_unknown FROM pt621.geofence_visit v
                              WHERE v.device_id = a.device_id AND v.geofence_id = to_fence AND v.superseded_at IS NULL
                                AND (v.enter_at >= a.exit_at
                                     OR v.enter_at > a.on_leg_since AND NOT @extschema@.pt621_geofence_covers(from_fence, to_fence, v.enter_at))
                                AND (to_fence <> from_fence OR v.enter_at > a.enter_at)
                              ORDER BY v.enter_at LIMIT 1) b
         WHERE NOT b.enter_unknown
           AND NOT EXISTS (SELECT FROM pt621.geofence_visit v
                            WHERE v.device_id = a.device_id AND v.geofence_id = from_fence AND v.superseded_at IS NULL
                              AND v.enter_at > a.enter_at AND v.enter_at < b.enter_at)
    )
    SELECT r.device_id, r.left_at, r.arrived_at, extract(epoch FROM r.arrived_at - r.left_at)::double precision,
           coalesce(s.metres, 0), s.top_kmh, coalesce(s.stops, 0), t.driver
      FROM (SELECT x.* FROM ride x
             WHERE (period IS NULL OR x.left_at <@ period) AND (max_duration IS NULL OR x.arrived_at - x.left_at <= max_duration)) r
      LEFT JOIN LATERAL @extschema@.pt621_report_summary(ARRAY[r.device_id], tstzrange(r.left_at, r.arrived_at), 'all', NULL) s ON true
      LEFT JOIN LATERAL (SELECT d.driver FROM @extschema@.pt621_driver_turns(ARRAY[r.device_id], r.left_at, r.arrived_at) d
                          WHERE d.started_at <= r.arrived_at AND (d.ended_at > r.left_at OR d.ongoing)
                          ORDER BY d.started_at LIMIT 1) t ON true
     ORDER BY r.device_id, r.left_at;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_rides(integer, integer, integer[], tstzrange, interval) IS
'rides from one geofence to another, or round trips when both are the same: from leaving from_fence to the next entering of to_fence, from_fence not entered in between; arguments: ids of the fences, ids of trackers, the period that they leave in (NULL = all), max_duration: longer ones are left out; fences passed between two records count, and where the leg that leaves from_fence meets to_fence, too, left_at is when that leg began, unless it is longer than detection.pass_gap: then it is when from_fence was found left; a fence that is all within from_fence is not met on that leg; metres of the trips on the way, stops that begin on it, top speed (km/h), s; driver: the first one on the way, by name or id, NULL = nobody known';

CREATE FUNCTION @extschema@.pt621_rides(
    from_fence text, to_fence text, devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL,
    max_duration interval DEFAULT NULL,
    OUT device_id integer, OUT left_at timestamptz, OUT arrived_at timestamptz, OUT seconds double precision,
    OUT metres double precision, OUT top_kmh real, OUT stops integer, OUT driver text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    from_id integer := (SELECT g.id FROM pt621.geofence g WHERE g.name = from_fence);
    to_id   integer := (SELECT g.id FROM pt621.geofence g WHERE g.name = to_fence);
BEGIN
    IF from_id IS NULL OR to_id IS NULL THEN
        RAISE EXCEPTION 'geofence is not known: %', CASE WHEN from_id IS NULL THEN quote_nullable(from_fence) ELSE quote_nullable(to_fence) END
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Of one that is gone its id does.';
    END IF;
    RETURN QUERY SELECT r.* FROM @extschema@.pt621_rides(from_id, to_id, devices, period, max_duration) r;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_rides(text, text, integer[], tstzrange, interval) IS
'as the other pt621_rides(), with the names that the fences have now; error for one that none has';

-- ------------------------------------------------------------- utilisation --

CREATE FUNCTION @extschema@.pt621_hours_of_week(schedule text, OUT from_minute integer, OUT until_minute integer)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_hours_of_week'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 7;
COMMENT ON FUNCTION @extschema@.pt621_hours_of_week(text) IS
'internal: spans of weekly hours, in minutes since Monday 00:00; the last one may end in the next week; error for what does not read';

-- Of an hour that the clock shows twice the second one counts, where hours begin or
-- end within it; what begins or ends in an hour that it leaves out does so at the change.
CREATE FUNCTION @extschema@.pt621_local_moment(local timestamp, time_zone text)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
    -- AT TIME ZONE takes a time that is left out by the clock before its change, so
    -- the change lies within the difference before that.
    SELECT CASE WHEN a.at AT TIME ZONE time_zone = local THEN a.at
                ELSE (SELECT min(s.at) FROM generate_series(a.at - (a.at AT TIME ZONE time_zone - local), a.at, '1 s') s (at)
                       WHERE s.at AT TIME ZONE time_zone >= local) END
      FROM (SELECT local AT TIME ZONE time_zone) a (at)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_local_moment(timestamp, text) IS
'internal: when the clock of a zone shows a time, the second time where it does twice; where it leaves it out, when it does';

CREATE FUNCTION @extschema@.pt621_hours_between(schedule text, time_zone text, low timestamptz, high timestamptz)
RETURNS tstzmultirange
LANGUAGE sql STABLE PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(range_agg(tstzrange(@extschema@.pt621_local_moment(w.monday + make_interval(mins => h.from_minute), time_zone),
                                        @extschema@.pt621_local_moment(w.monday + make_interval(mins => h.until_minute), time_zone))), '{}')
           * tstzmultirange(tstzrange(low, high))
      FROM generate_series(date_trunc('week', low AT TIME ZONE time_zone) - interval '7 days', high AT TIME ZONE time_zone, '7 days') w (monday),
           @extschema@.pt621_hours_of_week(schedule) h
$function$;
COMMENT ON FUNCTION @extschema@.pt621_hours_between(text, text, timestamptz, timestamptz) IS
'internal: the times between two that are in weekly hours';

CREATE FUNCTION @extschema@.pt621_utilisation(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, by text DEFAULT 'all', work_hours text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    OUT device_id integer, OUT day date, OUT started_at timestamptz, OUT ended_at timestamptz,
    OUT driving double precision, OUT standing double precision, OUT unobserved double precision, OUT idling double precision,
    OUT drive_s double precision, OUT days integer, OUT days_used integer, OUT hours_per_used_day double precision,
    OUT in_hours_s double precision, OUT off_hours_s double precision)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    IF by IS NULL OR by NOT IN ('day', 'week', 'month', 'all') THEN
        RAISE EXCEPTION 'a period is divided by day, week, month or all, not by %', quote_nullable(by)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM @extschema@.pt621_check_hours(work_hours, coalesce(pt621_utilisation.time_zone, 'UTC'));
    RETURN QUERY
    WITH local AS (
        SELECT s.*, coalesce(pt621_utilisation.time_zone, @extschema@.pt621_known_zone(d.time_zone), 'UTC') AS zone,
               CASE by WHEN 'all' THEN NULL ELSE date_trunc(by, s.day)::date END AS first_day
          FROM @extschema@.pt621_report_summary(devices, period, 'day', pt621_utilisation.time_zone) s
          LEFT JOIN pt621.device d ON d.id = s.device_id
    ), bucket AS (
        SELECT l.device_id, l.zone, l.first_day, min(l.day) AS day,
               greatest(l.first_day::timestamp AT TIME ZONE l.zone, coalesce(nullif(lower(period), '-infinity'), min(l.started_at))) AS low,
               least(CASE WHEN by <> 'all' THEN (l.first_day + ('1 ' || by)::interval) AT TIME ZONE l.zone END,
                     coalesce(nullif(upper(period), 'infinity'), max(l.ended_at))) AS high,
               sum(l.drive_s) AS drive_s, sum(l.stopped_s) AS stopped_s, sum(l.unobserved_s) AS unobserved_s, sum(l.idle_s) AS idle_s,
               (count(*) FILTER (WHERE l.drive_s > 0))::integer AS days_used
          FROM local l
         GROUP BY l.device_id, l.zone, l.first_day
    ), span AS (
        SELECT b.*, nullif(extract(epoch FROM b.high - b.low), 0)::double precision AS seconds FROM bucket b
    ), trip AS (
        -- One that is going on when the period begins has hardly begun two days before.
        SELECT t.device_id, tstzrange(t.started_at, t.ended_at) AS during
          FROM @extschema@.pt621_trips(devices, tstzrange(lower(period) - interval '2 days', upper(period), '[]')) t
         WHERE work_hours IS NOT NULL
    ), worked AS (
        SELECT x.device_id, x.first_day,
               sum(extract(epoch FROM upper(x.during) - lower(x.during)))::double precision AS all_s,
               sum((SELECT sum(extract(epoch FROM upper(r) - lower(r))) FROM unnest(x.hours * tstzmultirange(x.during)) r))::double precision AS in_s
          FROM (SELECT b.device_id, b.first_day, b.hours, t.during * tstzrange(b.low, b.high) AS during
                  FROM (SELECT s.device_id, s.first_day, s.low, s.high,
                               @extschema@.pt621_hours_between(work_hours, s.zone, s.low, s.high) AS hours
                          FROM span s WHERE work_hours IS NOT NULL) b
                  JOIN trip t ON t.device_id = b.device_id AND t.during && tstzrange(b.low, b.high)) x
         GROUP BY x.device_id, x.first_day
    )
    SELECT s.device_id, coalesce(s.first_day, s.day), s.low, s.high,
           s.drive_s / s.seconds, s.stopped_s / s.seconds, s.unobserved_s / s.seconds, s.idle_s / s.seconds, s.drive_s,
           ((s.high - interval '1 us') AT TIME ZONE s.zone)::date - (s.low AT TIME ZONE s.zone)::date + 1,
           s.days_used, s.drive_s / 3600 / nullif(s.days_used, 0),
           CASE WHEN work_hours IS NOT NULL THEN coalesce(w.in_s, 0) END,
           CASE WHEN work_hours IS NOT NULL THEN coalesce(w.all_s - coalesce(w.in_s, 0), 0) END
      FROM span s
      LEFT JOIN worked w ON w.device_id = s.device_id AND w.first_day IS NOT DISTINCT FROM s.first_day
     ORDER BY s.device_id, s.low;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_utilisation(integer[], tstzrange, text, text, text) IS
'how much trackers are used; arguments: ids of trackers, period (NULL = all: from the first record to the last), by: day, week (from Monday), month or all, work_hours: hours of the week as of pt621.geofence.schedule, time_zone (NULL = that of each tracker); driving, standing, unobserved: their parts of the time, 0 to 1, and idling, which is part of the others; drive_s, days, days_used: those with driving, hours_per_used_day; in_hours_s, off_hours_s: s of the trips in and out of work_hours; error for hours, a time zone or a word that is not known';
