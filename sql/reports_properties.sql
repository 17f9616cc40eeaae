-- reports_properties.sql: what holds of reports whatever the records are: a made-up
-- fleet, with fits of everything that trackers do.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
-- To start workers for each of thousands of calls would take most of the time.
SET max_parallel_workers_per_gather = 0;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.driver;
INSERT INTO pt621.device (id, ident, time_zone) VALUES
    (1, 'a', 'UTC'), (2, 'b', 'Europe/Berlin'), (3, 'c', 'America/New_York'), (4, 'd', 'Asia/Kathmandu'), (5, 'e', 'UTC'), (6, 'f', 'UTC');

-- Random numbers, the same every time: of hash functions, as a sequence of random()
-- depends on the order of evaluation.
CREATE FUNCTION pg_temp.dice(device integer, fix integer, what integer) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(device * 1000000007::bigint + fix, what) & 1048575) / 1048576.0;

-- Around two changes of the clock; tracker 5 has no wire for its ignition, and 6 was
-- heard of long before.
CREATE TEMP TABLE sent (LIKE pt621.position INCLUDING DEFAULTS);
CREATE FUNCTION pg_temp.live(device integer, fixes integer, start timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    at       timestamptz := start;
    lon      double precision := device;
    lat      double precision := 50;
    heading  double precision := 0;
    odo      double precision := 5000;
    speed    double precision;
    mode     text := 'park';
    ends     integer := 0;
    pause    double precision;
    dice     double precision;
    engine   boolean;
BEGIN
    FOR i IN 1 .. fixes LOOP
        IF i > ends THEN
            dice := pg_temp.dice(device, i, 1);
            mode := CASE WHEN dice < 0.45 THEN 'drive' WHEN dice < 0.65 THEN 'park' WHEN dice < 0.75 THEN 'idle'
                         WHEN dice < 0.8 THEN 'ferry' WHEN dice < 0.9 THEN 'crawl' ELSE 'jitter' END;
            ends := i + 2 + (60 * pg_temp.dice(device, i, 2) ^ 2)::integer;
        END IF;
        dice := pg_temp.dice(device, i, 3);
        -- Now and then many records a second.
        pause := CASE WHEN pg_temp.dice(device, i / 30, 17) < 0.04 THEN 0.15 WHEN dice < 0.004 THEN 86400 * pg_temp.dice(device, i, 4) WHEN dice < 0.02 THEN 4000 * pg_temp.dice(device, i, 4)
                      WHEN dice < 0.05 THEN 0 WHEN dice < 0.1 THEN 1 WHEN mode = 'park' AND dice < 0.5 THEN 600 ELSE 30 END;
        at := at + pause * interval '1 s';
        speed := CASE mode WHEN 'drive' THEN 30 + 60 * pg_temp.dice(device, i, 5) WHEN 'ferry' THEN 20 WHEN 'crawl' THEN 8 * pg_temp.dice(device, i, 5) ELSE 0 END;
        heading := heading + (pg_temp.dice(device, i, 6) - 0.5) * CASE WHEN pause < 5 THEN 3 ELSE 1 END;
        lat := lat + speed / 3.6 * least(pause, 3600) * cos(heading) / 111195;
        lon := lon + speed / 3.6 * least(pause, 3600) * sin(heading) / 71000;
        lat := greatest(least(lat, 60), 40);
        odo := CASE WHEN pg_temp.dice(device, i, 7) < 0.002 THEN 0 ELSE odo + speed / 3.6 * pause END;
        engine := CASE WHEN device = 5 THEN false WHEN pg_temp.dice(device, i, 8) < 0.1 THEN NULL
                       WHEN pg_temp.dice(device, i, 8) < 0.12 THEN mode NOT IN ('drive', 'idle', 'crawl') ELSE mode IN ('drive', 'idle', 'crawl') END;
        INSERT INTO sent (device_id, fix_time, digest, geom, valid, speed_kmh, course, ignition, odometer_m, driver, quality)
        VALUES (device, at, i,
                ST_Point(lon + CASE WHEN mode = 'jitter' THEN 0.002 * pg_temp.dice(device, i, 9) WHEN pg_temp.dice(device, i, 10) < 0.01 THEN 5 ELSE 0 END, lat, 4326),
                pg_temp.dice(device, i, 11) > 0.03,
                CASE WHEN pg_temp.dice(device, i, 12) > 0.05 THEN speed END, degrees(heading)::numeric % 360, engine,
                CASE WHEN pg_temp.dice(device, i, 13) > 0.3 THEN odo END,
                CASE WHEN pg_temp.dice(device, i, 14) < 0.01 THEN 'D' || (3 * pg_temp.dice(device, i, 15))::integer END,
                CASE WHEN pg_temp.dice(device, i, 16) < 0.01 THEN 65536 WHEN pg_temp.dice(device, i, 16) < 0.02 THEN 32768 ELSE 0 END);
    END LOOP;
END
$$;
SELECT pg_temp.live(n, 3000, '2025-03-25') FROM generate_series(1, 5) n;
SELECT pg_temp.live(6, 300, '2024-10-20');
SELECT pg_temp.live(6, 500, '2025-10-20');
INSERT INTO pt621.position SELECT * FROM sent ON CONFLICT DO NOTHING;

-- All that is told, as text; numbers to a millionth.
CREATE FUNCTION pg_temp.told(devices integer[], period tstzrange) RETURNS TABLE (device_id integer, at timestamptz, what text)
LANGUAGE sql AS $$
    SELECT s.device_id, s.started_at, format('%s to %s %s: %s m, %s km/h, %s, %s, engine %s idle %s carried %s odo %s, %s places, %s', s.kind, s.ended_at, s.ongoing, round(s.metres::numeric, 3), s.top_kmh,
           ST_AsText(coalesce(s.geom, s.start_geom), 6), ST_AsText(s.end_geom, 6), s.engine_s, s.idle_s, s.carried_s, round(s.odometer_m::numeric, 3), s.places, s.drivers) FROM pt621_segments(devices, period) s
    UNION ALL
    SELECT i.device_id, i.on_at, format('engine to %s %s %s', i.off_at, i.ongoing, i.silent) FROM pt621_ignition(devices, period) i
    UNION ALL
    SELECT i.device_id, i.started_at, format('idle to %s', i.ended_at) FROM pt621_idling(devices, period) i
    UNION ALL
    SELECT d.device_id, d.started_at, format('%s to %s %s: %s s, %s m', d.rfid, d.ended_at, d.ongoing, round(d.drive_s::numeric, 3), round(d.metres::numeric, 3)) FROM pt621_drivers(devices, period) d
    UNION ALL
    SELECT m.device_id, m.at, format('%s %s %s', m.kind, round(m.ms2::numeric, 3), ST_AsText(m.geom, 6)) FROM pt621_manoeuvres(devices, period) m
$$;
-- How many rows of two queries differ.
CREATE FUNCTION pg_temp.differ(a text, b text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) d', '(' || a || ')', '(' || b || ')') INTO n;
    RETURN n;
END
$$;

CREATE TEMP TABLE whole AS SELECT * FROM pg_temp.told(NULL, NULL);
SELECT split_part(split_part(w.what, ' ', 1), ':', 1) AS kind, count(*) > 20 AS many, count(DISTINCT w.device_id) AS trackers
  FROM whole w WHERE w.what !~ '^( |D)' GROUP BY split_part(split_part(w.what, ' ', 1), ':', 1) ORDER BY split_part(split_part(w.what, ' ', 1), ':', 1) COLLATE "C";
SELECT count(*) FILTER (WHERE w.what ~ '^D') > 10 AS drivers, count(*) FILTER (WHERE w.what ~ '^ ') > 10 AS nobody FROM whole w;

-- one call for the fleet is the calls for each
SELECT pg_temp.differ('TABLE whole', 'SELECT t.* FROM generate_series(1, 6) d, pg_temp.told(ARRAY[d], NULL) t');
-- the year is its days, and its hours
CREATE TEMP TABLE day AS
SELECT d.day AS low, lead(d.day) OVER (ORDER BY d.day) AS high
  FROM (SELECT generate_series('2025-03-24'::timestamptz, '2025-05-05', '1 day') AS day UNION ALL SELECT unnest('{-infinity,2025-10-20,2025-10-26,2025-10-27,infinity}'::timestamptz[])) d;
SELECT pg_temp.differ('TABLE whole', 'SELECT t.* FROM day d, pg_temp.told(NULL, tstzrange(d.low, d.high)) t WHERE d.high IS NOT NULL');
SELECT pg_temp.differ($$SELECT * FROM whole WHERE at >= '2025-03-29 20:00' AND at < '2025-03-30 20:00'$$,
                      $$SELECT t.* FROM generate_series('2025-03-29 20:00'::timestamptz, '2025-03-30 19:40', '20 min') d, pg_temp.told(NULL, tstzrange(d, d + '20 min')) t$$);
-- and any other cut: 40 of any length, at the time of a record or between two
CREATE TEMP TABLE cut AS
SELECT n, s.fix_time + (n % 2) * interval '7 s' AS low, s.fix_time + (n % 2) * interval '7 s' + 10 ^ (6 * pg_temp.dice(n, 2, 20)) * interval '1 s' AS high
  FROM generate_series(1, 40) n JOIN sent s ON s.device_id = n % 5 + 1 AND s.digest = (2999 * pg_temp.dice(n, 1, 20))::integer + 1;
SELECT sum(pg_temp.differ(format('SELECT * FROM whole WHERE at >= %1$L AND at < %2$L', c.low, c.high), format('SELECT * FROM pg_temp.told(NULL, tstzrange(%1$L, %2$L))', c.low, c.high))) FROM cut c;

-- Counts, distances and times of days, weeks and months add up to the whole
CREATE TEMP TABLE total AS
SELECT s.device_id, s.trips, s.stops, round(s.metres) AS metres, round(s.drive_s) AS drive_s, round(s.stopped_s) AS stopped_s, round(s.unobserved_s) AS unobserved_s,
       round(s.carried_s) AS carried_s, round(s.carried_metres) AS carried_metres, round(s.engine_s) AS engine_s, round(s.idle_s) AS idle_s, s.top_kmh, round(s.odometer_m) AS odometer_m
  FROM pt621_summary(NULL, NULL, 'all') s;
CREATE FUNCTION pg_temp.sum_of(unit text, zone text) RETURNS SETOF total LANGUAGE sql AS $$
    SELECT s.device_id, sum(s.trips)::integer, sum(s.stops)::integer, round(sum(s.metres)), round(sum(s.drive_s)), round(sum(s.stopped_s)), round(sum(s.unobserved_s)),
           round(sum(s.carried_s)), round(sum(s.carried_metres)), round(sum(s.engine_s)), round(sum(s.idle_s)), max(s.top_kmh), round(sum(s.odometer_m))
      FROM pt621_summary(NULL, NULL, unit, zone) s GROUP BY s.device_id
$$;
SELECT u AS unit, z AS zone, pg_temp.differ('TABLE total', format('SELECT * FROM pg_temp.sum_of(%L, %L)', u, z)) FROM unnest('{day,week,month}'::text[]) u, unnest('{NULL,UTC,Europe/Berlin}'::text[]) z;
-- one call for many days is a call for each
SELECT pg_temp.differ($$SELECT s.device_id, s.day, s.started_at, s.ended_at, round(s.metres::numeric, 3), s.trips, s.stops, round(s.stopped_s::numeric, 3), s.engine_s, s.idle_s, round(s.odometer_m::numeric, 3), s.first_fix, s.last_fix
                          FROM pt621_summary(NULL, '[2025-03-10,2025-05-05)', 'day', 'UTC') s$$,
                      $$SELECT s.device_id, s.day, s.started_at, s.ended_at, round(s.metres::numeric, 3), s.trips, s.stops, round(s.stopped_s::numeric, 3), s.engine_s, s.idle_s, round(s.odometer_m::numeric, 3), s.first_fix, s.last_fix
                          FROM generate_series('2025-03-10'::timestamptz, '2025-05-04', '1 day') d, pt621_summary(NULL, tstzrange(d, d + '1 day'), 'day', 'UTC') s$$);
-- the summary is what the segments are
SELECT count(*) AS differ
  FROM total t
  JOIN (SELECT s.device_id, count(*) FILTER (WHERE s.kind = 'trip') AS trips, count(*) FILTER (WHERE s.kind = 'stop') AS stops, sum(s.metres) FILTER (WHERE s.kind = 'trip') AS metres,
               sum(s.seconds) FILTER (WHERE s.kind = 'trip') AS trip_s, sum(s.seconds) FILTER (WHERE s.kind = 'unobserved') AS unobserved_s, sum(s.carried_s) FILTER (WHERE s.kind = 'trip') AS carried_s
          FROM pt621_segments() s GROUP BY s.device_id) s USING (device_id)
 WHERE (t.trips, t.stops) <> (s.trips, s.stops) OR abs(t.metres - s.metres) > 1 OR abs(t.drive_s + t.carried_s - s.trip_s) > 1
    OR abs(t.unobserved_s - s.unobserved_s) > 1 OR abs(t.carried_s - s.carried_s) > 1;
-- and the driving of all drivers is the driving of the day
SELECT count(*) AS differ
  FROM total t JOIN (SELECT d.device_id, sum(d.drive_s) AS drive_s, sum(d.metres) AS metres FROM pt621_drivers() d GROUP BY d.device_id) d USING (device_id)
 WHERE abs(t.drive_s - d.drive_s) > 1 OR abs(t.metres - t.carried_metres - d.metres) > 1;

-- In which order and how they came does not matter
TRUNCATE pt621.position, pt621.device_state, pt621.event, pt621.track_piece;
INSERT INTO pt621.position SELECT s.* FROM sent s WHERE s.digest % 3 = 1 ORDER BY pg_temp.dice(s.device_id, s.digest::integer, 30) ON CONFLICT DO NOTHING;
INSERT INTO pt621.position SELECT s.* FROM sent s WHERE s.digest % 3 = 0 ORDER BY pg_temp.dice(s.device_id, s.digest::integer, 31) ON CONFLICT DO NOTHING;
INSERT INTO pt621.position SELECT s.* FROM sent s WHERE s.digest % 3 = 2 ORDER BY pg_temp.dice(s.device_id, s.digest::integer, 32) ON CONFLICT DO NOTHING;
SELECT pg_temp.differ('TABLE whole', 'SELECT * FROM pg_temp.told(NULL, NULL)');
SELECT pg_temp.differ($$SELECT * FROM whole WHERE at >= '2025-03-30' AND at < '2025-04-02'$$, $$SELECT * FROM pg_temp.told(NULL, '[2025-03-30,2025-04-02)')$$);
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.driver;
