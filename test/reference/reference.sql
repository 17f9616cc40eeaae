-- reference.sql: what pt621.event and pt621.geofence_visit should hold, worked
-- out from the positions anew by doc/detectors.md, rule by rule.
--
-- It shares nothing with src/detect and the engine of the fences: it was written
-- from that text, asks PostGIS itself, and is plain, not fast.  This file, then
-- fences.sql and compare.sql, are run by a superuser in a database with the
-- extension:
--
--   CALL reference.work_out();              fills reference.event and reference.visit
--   SELECT * FROM reference.difference;     no row: the tables say the same
CREATE SCHEMA reference;
SET search_path = reference, public;

-- Section 1: the records of each tracker in order.
CREATE UNLOGGED TABLE report (
    device_id integer,
    n         integer,              -- from 1
    at        timestamptz NOT NULL,
    code      text NOT NULL,
    geom      geometry,             -- its point
    is_place  boolean NOT NULL,
    speed     double precision,     -- km/h
    ignition  boolean,
    driver    text,
    adc       integer[],
    inputs    bit varying,
    before    integer,              -- of a place: the place before it; the leg between the two:
    gap       double precision,     -- seconds
    metres    double precision,
    plausible boolean,              -- it took time, and is not too fast
    driven    boolean,              -- it counts
    PRIMARY KEY (device_id, n)
);

-- Section 7: each place of each tracker and each fence.  No two versions of a fence
-- are valid at one time, else the key would break.
CREATE UNLOGGED TABLE spot (
    device_id     integer,
    geofence_id   integer,
    n             integer,
    revision      bigint,           -- of the version; NULL: not active
    active        tstzrange,        -- without a pause
    is_in         boolean,
    covers_before boolean,          -- the place before
    is_far        boolean,
    PRIMARY KEY (device_id, geofence_id, n)
);

CREATE UNLOGGED TABLE event (
    device_id    integer,
    kind         text,
    code         text,
    at           timestamptz,
    until        timestamptz,
    geofence_id  integer,
    object       text,
    geom         geometry,
    detail       jsonb,
    confirmed_at timestamptz
);

CREATE UNLOGGED TABLE visit (
    device_id     integer,
    geofence_id   integer,
    enter_at      timestamptz,
    exit_at       timestamptz,
    enter_unknown boolean,
    exit_unknown  boolean,
    interpolated  boolean,
    passed        boolean,
    uncertainty_s double precision,
    seconds       double precision,
    metres        double precision,
    top_speed_kmh double precision,
    driver        text,
    confirmed_at  timestamptz
);

-- ------------------------------------------------------------- what holds when --

-- Section 9: the fleet's options at a time.
CREATE FUNCTION options(at timestamptz) RETURNS pt621.detection
LANGUAGE sql STABLE
RETURN (SELECT d FROM pt621.detection d WHERE d.valid_from <= at ORDER BY d.valid_from DESC LIMIT 1);

-- A tracker's groups, and its own speed limit, at a time.
CREATE FUNCTION device_at(device_id integer, at timestamptz, OUT groups text[], OUT speed_limit_kmh real)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.groups, v.speed_limit_kmh
      FROM (SELECT 1 AS rank, v.groups, v.speed_limit_kmh FROM pt621.device_version v
             WHERE v.device_id = device_at.device_id AND v.valid @> at
             UNION ALL
            SELECT 2, d.groups, d.speed_limit_kmh FROM pt621.device d WHERE d.id = device_at.device_id) v
     ORDER BY v.rank LIMIT 1;
END;

-- Times in which a schedule has its hours.
--
-- 'Mo-Fr 06:00-22:00; Sa,Su 08:00-12:00': days, and times of the day; an end that
-- is not later than the beginning is of the next day.
CREATE FUNCTION hours(schedule text, time_zone text, since timestamptz, until timestamptz) RETURNS tstzmultirange
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    names  text[] := '{mo,tu,we,th,fr,sa,su}';
    result tstzmultirange := '{}';
    part   text;
    words  text[];
    item   text;
    days   boolean[];
    low    integer;
    high   integer;
    day    timestamp;
BEGIN
    IF schedule IS NULL THEN
        RETURN tstzmultirange(tstzrange(since, until));
    END IF;
    FOREACH part IN ARRAY string_to_array(lower(schedule), ';') LOOP
        words := regexp_match(part, '^\s*([a-z,-]+)\s+(\d\d:\d\d)-(\d\d:\d\d)\s*$');
        days := array_fill(false, ARRAY[7]);
        FOREACH item IN ARRAY string_to_array(words[1], ',') LOOP
            low := array_position(names, split_part(item, '-', 1));
            high := coalesce(array_position(names, nullif(split_part(item, '-', 2), '')), low);
            FOR i IN 0 .. (high - low + 7) % 7 LOOP
                days[(low + i - 1) % 7 + 1] := true;
            END LOOP;
        END LOOP;
        FOR day IN SELECT generate_series(date_trunc('day', since AT TIME ZONE time_zone) - interval '1 day', until AT TIME ZONE time_zone, '1 day') LOOP
            IF days[extract(isodow FROM day)] THEN
                result := result + tstzmultirange(tstzrange(
                    (day + words[2]::interval) AT TIME ZONE time_zone,
                    (day + words[3]::interval + CASE WHEN words[3] <= words[2] THEN interval '1 day' ELSE '0' END) AT TIME ZONE time_zone));
            END IF;
        END LOOP;
    END LOOP;
    RETURN result * tstzmultirange(tstzrange(since, until));
END
$$;

-- When a fence is active for a tracker, between two times.  Versions, groups and
-- hours change at certain moments only: it is asked from each to the next.
CREATE FUNCTION active(device_id integer, geofence_id integer, since timestamptz, until timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH moment AS (
        SELECT since AS at
         UNION
        SELECT unnest(ARRAY[lower(v.valid), upper(v.valid)]) FROM pt621.geofence_version v WHERE v.geofence_id = active.geofence_id
         UNION
        SELECT unnest(ARRAY[lower(v.valid), upper(v.valid)]) FROM pt621.device_version v WHERE v.device_id = active.device_id
    ), span AS (
        SELECT at, lead(at, 1, until) OVER (ORDER BY at) AS next
          FROM moment
         WHERE at >= since AND at < until
    )
    SELECT coalesce(range_agg(h.r), '{}')
      FROM span s
      JOIN pt621.geofence_version v ON v.geofence_id = active.geofence_id AND v.valid @> s.at
     CROSS JOIN device_at(active.device_id, s.at) d
     CROSS JOIN unnest(hours(v.schedule, v.time_zone, s.at, s.next)) AS h (r)
     WHERE (v.devices IS NULL AND v.groups IS NULL)
        OR active.device_id = ANY (v.devices)
        OR v.groups && d.groups;
END;

-- ------------------------------------------------------------ 1. records, places --

CREATE PROCEDURE work_out_records()
LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE report;
    INSERT INTO report (device_id, n, at, code, geom, is_place, speed, ignition, driver, adc, inputs)
    SELECT p.device_id, row_number() OVER (PARTITION BY p.device_id ORDER BY p.fix_time, p.code COLLATE "C", p.digest),
           p.fix_time, p.code, CASE WHEN p.valid AND p.quality & 32768 = 0 THEN p.geom END, false, p.speed_kmh, p.ignition, p.driver,
           p.adc, p.inputs
      FROM pt621.position p
     WHERE p.quality & 65536 = 0;

    -- At one time a tracker is at one place: where its first point is.
    UPDATE report r
       SET is_place = true
     WHERE r.geom IS NOT NULL
       AND NOT EXISTS (SELECT FROM report f WHERE f.device_id = r.device_id AND f.at = r.at AND f.n < r.n AND f.geom IS NOT NULL);

    UPDATE report r
       SET before = b.before, gap = b.gap, metres = b.metres,
           plausible = b.gap > 0 AND b.metres / nullif(b.gap, 0) * 3.6 <= b.plausible_kmh,
           driven = b.gap > 0 AND b.metres / nullif(b.gap, 0) * 3.6 <= b.plausible_kmh AND b.gap <= b.motion_gap
      FROM (SELECT device_id, n, lag(n) OVER w AS before, extract(epoch FROM at - lag(at) OVER w)::double precision AS gap,
                   ST_DistanceSphere(lag(geom) OVER w, geom) AS metres,
                   (options(at)).plausible_kmh, extract(epoch FROM (options(at)).motion_gap) AS motion_gap
              FROM report
             WHERE is_place
            WINDOW w AS (PARTITION BY device_id ORDER BY n)) b
     WHERE r.device_id = b.device_id AND r.n = b.n AND b.before IS NOT NULL;
END
$$;

-- ------------------------------------------------------------------- 2. alarms --

CREATE PROCEDURE work_out_alarms()
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO event (device_id, kind, code, at, object, geom, confirmed_at)
    SELECT DISTINCT ON (device_id, pt621_event(code), at)
           device_id, 'alarm', code, at, pt621_event(code), geom, at
      FROM report
     WHERE pt621_event(code) IS NOT NULL
     ORDER BY device_id, pt621_event(code), at, n;
END;

CREATE PROCEDURE work_out_repeats(tracker integer, wanted text, kind text)
LANGUAGE plpgsql
AS $$
DECLARE
    r       report;
    first   report;
    last_at timestamptz;                -- NULL: none that still goes on
BEGIN
    FOR r IN SELECT * FROM report WHERE device_id = tracker ORDER BY n LOOP
        IF r.at - last_at > (options(r.at)).repeat_after THEN
            last_at := NULL;
        END IF;
        IF r.code = wanted THEN
            IF last_at IS NULL THEN
                first := r;
                INSERT INTO event (device_id, kind, code, at, geom, confirmed_at) VALUES (tracker, work_out_repeats.kind, wanted, r.at, r.geom, r.at);
            ELSE
                UPDATE event e SET until = r.at WHERE e.device_id = tracker AND e.kind = work_out_repeats.kind AND e.at = first.at;
            END IF;
            last_at := r.at;
        END IF;
    END LOOP;
END
$$;

-- ----------------------------------------------------------------- 3. ignition --

CREATE PROCEDURE work_out_ignition(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    r       report;
    last_on timestamptz;                -- the last on
    state   boolean;
    change  report;                     -- may still be taken back
    changes report[] := '{}';           -- all that stand
BEGIN
    FOR r IN SELECT * FROM report WHERE device_id = tracker ORDER BY n LOOP
        IF r.at - change.at >= (options(r.at)).ignition_debounce THEN
            change := NULL;
        END IF;
        CONTINUE WHEN r.ignition IS NULL OR (NOT r.ignition AND r.at = last_on);
        IF r.ignition THEN
            last_on := r.at;
        END IF;
        IF state <> r.ignition AND change.at IS NOT NULL THEN
            changes := trim_array(changes, 1);
            change := NULL;
        ELSIF state <> r.ignition THEN
            change := r;
            changes := changes || r;
        END IF;
        state := r.ignition;
    END LOOP;
    INSERT INTO event (device_id, kind, at, geom, confirmed_at)
    SELECT tracker, CASE WHEN c.ignition THEN 'ignition_on' ELSE 'ignition_off' END, c.at, c.geom, c.at
      FROM unnest(changes) c;
END
$$;

-- ------------------------------------------------------------------- 4. motion --

CREATE PROCEDURE work_out_motion(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    r         report;
    o         pt621.detection;
    moving    boolean := false;         -- the place before
    run       report;                   -- the first place of the run at hand
    run_is    boolean;                  -- NULL: there is none
    last_at   timestamptz;
    confirmed boolean;                  -- the last confirmed run was a moving one
BEGIN
    FOR r IN SELECT * FROM report WHERE device_id = tracker ORDER BY n LOOP
        o := options(r.at);
        IF r.at - last_at > o.motion_gap THEN
            run_is := NULL;
        END IF;
        CONTINUE WHEN NOT r.is_place OR r.speed IS NULL;
        moving := CASE WHEN r.speed >= o.moving_from_kmh THEN true WHEN r.speed < o.still_below_kmh THEN false ELSE moving END;
        IF run_is IS DISTINCT FROM moving THEN
            run := r;
            run_is := moving;
        END IF;
        last_at := r.at;
        IF r.at - run.at >= (CASE WHEN moving THEN o.motion_start_after ELSE o.motion_stop_after END)
           AND confirmed IS DISTINCT FROM moving THEN
            IF confirmed IS NOT NULL THEN
                INSERT INTO event (device_id, kind, at, geom, confirmed_at)
                VALUES (tracker, CASE WHEN moving THEN 'motion_start' ELSE 'motion_stop' END, run.at, run.geom, r.at);
            END IF;
            confirmed := moving;
        END IF;
    END LOOP;
END
$$;

-- ------------------------------------------------------------------- 5. drivers --

CREATE PROCEDURE work_out_drivers()
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO event (device_id, kind, at, object, geom, detail, confirmed_at)
    SELECT DISTINCT ON (device_id, at, driver)
           device_id, 'driver_change', at, driver, geom,
           CASE WHEN former IS NOT NULL THEN jsonb_build_object('from', former) END, at
      FROM (SELECT *, lag(driver) OVER (PARTITION BY device_id ORDER BY n) AS former
              FROM report
             WHERE driver IS NOT NULL) r
     WHERE driver IS DISTINCT FROM former
     ORDER BY device_id, at, driver, n DESC;
END;

-- ----------------------------------------------------------------- 6. overspeed --

CREATE TYPE speeding AS (n integer, at timestamptz, geom geometry, speed double precision, is_over boolean,
                         limit_kmh double precision, geofence_id integer, metres double precision);

-- Writes an episode that was shown: its places that were over, and when it ended.
CREATE PROCEDURE end_overspeed(tracker integer, places speeding[], shown timestamptz, until timestamptz)
LANGUAGE plpgsql
AS $$
DECLARE
    first speeding := places[1];
BEGIN
    IF shown IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO event (device_id, kind, at, until, geofence_id, geom, confirmed_at, detail)
    SELECT tracker, 'overspeed', first.at, until, first.geofence_id, first.geom, shown,
           CASE WHEN until IS NULL THEN jsonb_build_object('limit_kmh', first.limit_kmh)
                ELSE jsonb_build_object('limit_kmh', first.limit_kmh, 'peak_kmh', peak.speed, 'peak_at', peak.at,
                                        'peak_lon', ST_X(peak.geom), 'peak_lat', ST_Y(peak.geom),
                                        'mean_excess_kmh', (SELECT avg(p.speed - p.limit_kmh) FROM unnest(places) p),
                                        'metres', (SELECT sum(p.metres) FROM unnest(places) p)) END
      FROM (SELECT p.* FROM unnest(places) p ORDER BY p.speed DESC, p.n LIMIT 1) peak;
END
$$;

CREATE PROCEDURE work_out_overspeed(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    r       record;
    o       pt621.detection;
    p       speeding;
    places  speeding[] := '{}';         -- of the episode at hand, those that were over; none: there is none
    last_at timestamptz;                -- the last place with a speed
    ended   timestamptz;                -- when it perhaps ended
    shown   timestamptz;
BEGIN
    FOR r IN
        SELECT x.*, f.limit_kmh AS fence_limit, f.geofence_id
          FROM report x
          LEFT JOIN LATERAL (SELECT v.speed_limit_kmh AS limit_kmh, v.geofence_id
                               FROM spot s
                               JOIN pt621.geofence_version v USING (geofence_id, revision)
                              WHERE s.device_id = x.device_id AND s.n = x.n AND s.is_in AND v.speed_limit_kmh IS NOT NULL
                              ORDER BY v.speed_limit_kmh, v.geofence_id LIMIT 1) f ON true
         WHERE x.device_id = tracker
         ORDER BY x.n
    LOOP
        o := options(r.at);
        -- Any record may show that nothing follows.
        IF cardinality(places) > 0 AND (r.at - last_at > o.overspeed_gap OR coalesce(r.at > ended + o.overspeed_merge, false)) THEN
            CALL end_overspeed(tracker, places, shown, coalesce(ended, last_at));
            places := '{}';
            ended := NULL;
            shown := NULL;
        END IF;
        CONTINUE WHEN NOT r.is_place OR r.speed IS NULL;

        last_at := r.at;
        p := (r.n, r.at, r.geom, r.speed, false,
              coalesce(r.fence_limit, (device_at(tracker, r.at)).speed_limit_kmh, o.speed_limit_kmh), r.geofence_id, 0);
        p.is_over := coalesce(p.speed > p.limit_kmh + o.overspeed_tolerance_kmh, false);
        IF p.is_over THEN
            IF r.driven AND r.before = places[cardinality(places)].n THEN
                p.metres := r.metres;
            END IF;
            places := places || p;
            ended := NULL;
        END IF;
        IF cardinality(places) > 0 AND ended IS NULL THEN
            IF NOT p.is_over THEN
                ended := r.at;
            END IF;
            IF r.at - places[1].at >= o.overspeed_min THEN
                shown := coalesce(shown, r.at);
            END IF;
        END IF;
    END LOOP;
    IF cardinality(places) > 0 THEN
        CALL end_overspeed(tracker, places, shown, NULL);
    END IF;
END
$$;
RESET search_path;
