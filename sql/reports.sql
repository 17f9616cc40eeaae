-- reports.sql: trips, stops, engine, drivers: days made by hand, whose answers are
-- known and stand in the comments.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET extra_float_digits = 0;
\pset null '(null)'
\set VERBOSITY terse
SET IntervalStyle = 'postgres';
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.driver;
INSERT INTO pt621.device (id, ident, groups) SELECT n, 'vehicle ' || n, '{day,night}' FROM generate_series(1, 20) n;

-- Fixes every 30 s along legs, to the north, from where the tracker was last:
-- 'drive SECONDS METRES', 'ferry SECONDS METRES' (engine off), 'idle SECONDS' (engine
-- on), 'park SECONDS', 'silent SECONDS METRES' (nothing is heard in between).
-- Behind any of them 'by ID': a driver's id in its first fix.  A fix between two
-- legs stands if one of them does.
CREATE FUNCTION pg_temp.go(device integer, start timestamptz, VARIADIC legs text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    word    text[];
    seconds integer;
    step    integer;
    speed   real;
    before  real := 0;
    lat     double precision;
    odo     double precision;
    fixes   integer;
BEGIN
    SELECT ST_Y(p.geom), p.odometer_m INTO lat, odo
      FROM pt621.position p WHERE p.device_id = device ORDER BY p.fix_time DESC LIMIT 1;
    lat := coalesce(lat, 50);
    odo := coalesce(odo, 0);
    FOR i IN 1 .. cardinality(legs) LOOP
        word := string_to_array(legs[i], ' ');
        seconds := word[2];
        step := CASE word[1] WHEN 'silent' THEN seconds ELSE 30 END;
        fixes := seconds / step;
        speed := CASE WHEN word[1] IN ('drive', 'ferry', 'silent') THEN word[3]::real / seconds * 3.6 ELSE 0 END;
        INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, ignition, driver, odometer_m)
        SELECT device, start + n * step * interval '1 s', 1,
               ST_Point(10 + device / 100.0, lat + n * step * speed / 3.6 / 111195.0797343, 4326),
               CASE n WHEN 0 THEN least(speed, before) ELSE speed END, word[1] IN ('drive', 'idle', 'silent'),
               CASE n WHEN 0 THEN substring(legs[i] FROM ' by (.*)') END, round(odo + n * step * speed / 3.6)
          FROM generate_series(0, fixes - 1) n;
        start := start + seconds * interval '1 s';
        lat := lat + seconds * speed / 3.6 / 111195.0797343;
        odo := odo + seconds * speed / 3.6;
        before := speed;
    END LOOP;
    INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, ignition, odometer_m)
    VALUES (device, start, 1, ST_Point(10 + device / 100.0, lat, 4326), 0, word[1] IN ('drive', 'idle', 'silent'), round(odo));
END
$$;
-- What is told of some trackers, shortly.
CREATE FUNCTION pg_temp.told(VARIADIC ids integer[])
RETURNS TABLE (id integer, kind text, started timestamptz, ended timestamptz, open boolean, m numeric, mean numeric, top numeric,
               engine double precision, idle double precision, carried double precision, odo numeric, who text[])
LANGUAGE sql AS $$
    SELECT s.device_id, s.kind, s.started_at, s.ended_at, s.ongoing, round(s.metres), round(s.mean_kmh), round(s.top_kmh::numeric),
           s.engine_s, s.idle_s, s.carried_s, round(s.odometer_m), s.drivers
      FROM pt621_segments(ids) s
$$;
-- Days, shortly; stand: stopped_s.
CREATE FUNCTION pg_temp.days(ids integer[], of tstzrange DEFAULT NULL, unit text DEFAULT 'day', zone text DEFAULT NULL)
RETURNS TABLE (id integer, day date, m numeric, trips integer, stops integer, drive double precision, stand double precision,
               unseen double precision, carried double precision, engine double precision, idle double precision, odo numeric,
               first time, last time)
LANGUAGE sql AS $$
    SELECT s.device_id, s.day, round(s.metres), s.trips, s.stops, s.drive_s, s.stopped_s, s.unobserved_s, s.carried_s, s.engine_s,
           s.idle_s, round(s.odometer_m), s.first_fix::time, s.last_fix::time
      FROM pt621_summary(ids, of, unit, zone) s
$$;

-- ------------------------------------------------------ 1. trips and stops --

-- Half an hour at 40 km/h, 45 minutes of lunch, and half an hour more:
-- 2 trips of 20,000 m and 1,800 s with the engine on, 3 stops
SELECT pg_temp.go(1, '2025-03-03 07:30', 'park 1800', 'drive 1800 20000', 'park 2700', 'drive 1800 20000', 'park 3600');
SELECT * FROM pg_temp.told(1);
-- its trips and stops say the same
SELECT t.device_id, t.started_at, t.seconds, round(t.metres) AS metres, ST_AsText(t.start_geom, 4) AS start, ST_AsText(t.end_geom, 4) AS "end", t.places
  FROM pt621_trips('{1}') t;
SELECT s.device_id, s.started_at, s.seconds, s.ongoing, ST_AsText(s.geom, 4) AS place, s.engine_s, s.places FROM pt621_stops('{1}') s;
-- 3,600 s of driving, and 8,100 s of standing, in the day
SELECT * FROM pg_temp.days('{1}');
SELECT s.started_at, s.ended_at, round(s.mean_kmh) AS mean, s.top_kmh, s.alarms, ST_AsText(s.first_geom, 4) AS first, ST_AsText(s.last_geom, 4) AS last
  FROM pt621_summary('{1}') s;

-- A halt of 4 minutes is part of the trip: 1 trip of 20,000 m and 1,440 s.  From
-- its first fix that stands to the next one that moves it idles for 270 s
SELECT pg_temp.go(2, '2025-03-03 08:00', 'drive 600 10000', 'idle 240', 'drive 600 10000', 'park 1800');
SELECT * FROM pg_temp.told(2);
-- and one of 5 minutes is a stop
SELECT pg_temp.go(2, '2025-03-04 08:00', 'drive 600 10000', 'idle 300', 'drive 600 10000', 'park 1800');
SELECT t.id, t.kind, t.started, t.ended, t.m, t.idle FROM pg_temp.told(2) t WHERE t.started > '2025-03-04';

-- A tunnel: 15 minutes without a fix are driven like the rest: 35,000 m in 2,100 s.
-- The silence of two hours is driven by nobody knows whom: an unobserved leg
SELECT pg_temp.go(3, '2025-03-03 08:00', 'drive 600 10000', 'silent 900 15000', 'drive 600 10000', 'park 1800');
SELECT pg_temp.go(3, '2025-03-04 08:00', 'drive 600 10000', 'silent 7200 100000', 'drive 600 10000', 'park 1800');
SELECT * FROM pg_temp.told(3);
SELECT u.device_id, u.started_at, u.ended_at, u.seconds, round(u.metres) AS metres FROM pt621_unobserved('{3}') u;
SELECT * FROM pg_temp.days('{3}');
-- a garage: silent for two hours where it was is a stop
SELECT pg_temp.go(4, '2025-03-03 08:00', 'drive 600 10000', 'silent 7200 30', 'drive 600 10000', 'park 1800');
SELECT t.id, t.kind, t.started, t.ended, t.m FROM pg_temp.told(4) t;

-- Trembling by 11 m while it is parked is no distance
SELECT pg_temp.go(5, '2025-03-03 08:00', 'drive 600 10000', 'park 7200', 'drive 600 10000', 'park 600');
UPDATE pt621.position SET geom = ST_Translate(geom, 0, 0.0001 * (extract(epoch FROM fix_time)::integer / 30 % 2))
 WHERE device_id = 5 AND speed_kmh = 0;
SELECT t.id, t.kind, t.started, t.ended, t.m FROM pg_temp.told(5) t;

-- The odometer goes back to 0 at 10:00, while it is parked: 20,000 m by it all the same
SELECT pg_temp.go(6, '2025-03-03 09:00', 'drive 600 10000', 'park 7200', 'drive 600 10000', 'park 600');
UPDATE pt621.position SET odometer_m = odometer_m - 10000 WHERE device_id = 6 AND fix_time >= '2025-03-03 10:00';
SELECT t.id, t.kind, t.started, t.ended, t.m, t.odo FROM pg_temp.told(6) t;
SELECT s.day, round(s.metres) AS m, round(s.odometer_m) AS odo FROM pt621_summary('{6}') s;

-- A ferry: 2 hours at 15 km/h with the engine off are carried, not driven
SELECT pg_temp.go(7, '2025-03-03 08:00', 'drive 600 10000', 'park 600', 'ferry 7200 30000', 'park 600', 'drive 600 10000', 'park 600');
SELECT * FROM pg_temp.told(7);
SELECT * FROM pg_temp.days('{7}');

-- ------------------------------------------------------------------ 2. days --

-- In Berlin the night of 30 March has no hour from 2 to 3: from 22:00 to 04:00 it is
-- 5 h at 60 km/h, of which 2 h lie in the 29th.  The trip is told of the day it began
UPDATE pt621.device SET time_zone = 'Europe/Berlin' WHERE id = 8;
SELECT pg_temp.go(8, '2025-03-29 20:00', 'park 3600', 'drive 18000 300000', 'park 3600');
SELECT t.id, t.kind, t.started, t.ended, t.m FROM pg_temp.told(8) t;
SELECT * FROM pg_temp.days('{8}');
SELECT s.day, s.started_at, s.ended_at, s.ended_at - s.started_at AS length FROM pt621_summary('{8}') s;
-- in UTC other days
SELECT * FROM pg_temp.days('{8}', NULL, 'day', 'UTC');
-- On 26 October it has two of them: 7 h, and a day of 25 h
SELECT pg_temp.go(8, '2025-10-25 19:00', 'park 3600', 'drive 25200 420000', 'park 3600');
SELECT d.day, d.m, d.trips, d.drive, d.stand FROM pg_temp.days('{8}') d WHERE d.day >= '2025-10-25';
SELECT s.day, s.ended_at - s.started_at AS length FROM pt621_summary('{8}', '[2025-10-01,)') s WHERE s.metres > 0;
-- half a year of silence is a stop, of which each day, week and month has its part
SELECT count(*), min(s.stopped_s), max(s.stopped_s) FROM pt621_summary('{8}', '[2025-03-30 22:00,2025-10-24 22:00)') s;
SELECT d.day, d.trips, d.stops, d.drive, d.stand FROM pg_temp.days('{8}', NULL, 'month') d;
SELECT d.day, d.trips, d.stops, d.drive FROM pg_temp.days('{8}', NULL, 'week') d WHERE d.drive > 0;
SELECT * FROM pg_temp.days('{8}', NULL, 'all');
SELECT s.day, s.started_at, s.ended_at FROM pt621_summary('{8}', NULL, 'all') s;
-- a day of which there is no record at all
SELECT * FROM pg_temp.days('{8}', '[2025-06-01,2025-06-03)', 'day', 'UTC');
SELECT * FROM pg_temp.days(NULL, '[2025-06-01,2025-06-02)', 'day', 'UTC');
-- midnights that come twice (Azores), or not at all (Sao Paulo)
SELECT pg_temp.go(9, '2024-10-26 22:00', 'park 14400');
SELECT s.day, s.started_at, s.ended_at, s.stopped_s FROM pt621_summary('{9}', NULL, 'day', 'Atlantic/Azores') s;
SELECT pg_temp.go(10, '2018-11-04 01:00', 'park 14400');
SELECT s.day, s.started_at, s.ended_at, s.stopped_s FROM pt621_summary('{10}', NULL, 'day', 'America/Sao_Paulo') s;
-- alarms are those that hold, of the tracker or of its sensors; a photo or an overspeed is none
INSERT INTO pt621.event (kind, device_id, code, object, at, until, superseded_at)
VALUES ('alarm', 8, 'IN1', 'input_1', '2025-03-29 21:30', NULL, NULL), ('alarm', 8, 'CPA', 'power_cut', '2025-03-29 23:00', NULL, NULL),
       ('alarm', 8, 'IN1', 'input_1', '2025-03-29 23:30', NULL, now()), ('overspeed', 8, NULL, NULL, '2025-03-29 23:40', NULL, NULL),
       ('alarm', 8, 'PHO', 'photo', '2025-03-29 23:41', NULL, NULL), ('sensor_alarm', 8, NULL, 'too warm', '2025-03-29 23:42', NULL, NULL),
       ('sensor_alarm', 8, NULL, 'too warm', '2025-03-29 21:42', NULL, NULL);
SELECT s.day, s.alarms FROM pt621_summary('{8}', '[2025-03-29,2025-03-31)') s;
-- a time zone that there is not costs nobody else the report
UPDATE pt621.device SET time_zone = 'Europe/Atlantis' WHERE id = 7;
SELECT s.device_id, s.day FROM pt621_summary('{6,7}') s;

-- ---------------------------------------------------------------- 3. periods --

-- What starts in the period is told, whole; of the summary, what lies in it
SELECT t.device_id, t.started_at, t.ended_at FROM pt621_trips('{1}', '[2025-03-03 08:00,2025-03-03 08:10)') t;
SELECT t.device_id, t.started_at, t.ended_at FROM pt621_trips('{1}', '(2025-03-03 08:00,2025-03-03 09:15)') t;
SELECT t.device_id, t.started_at, t.ended_at FROM pt621_trips('{1}', '(2025-03-03 08:00,2025-03-03 09:15]') t;
SELECT t.kind, t.started_at, t.ended_at FROM pt621_segments('{1}', '[2025-03-03 08:15,2025-03-03 09:00)') t;
SELECT s.device_id, round(s.metres) AS m, s.trips, s.stops, s.drive_s, s.stopped_s FROM pt621_summary('{1}', '[2025-03-03 08:15,2025-03-03 09:00)') s;
SELECT count(*) FROM pt621_segments('{1}', 'empty');
SELECT count(*) FROM pt621_segments('{}');
SELECT count(*) FROM pt621_segments('{77,NULL}');
SELECT count(*) FROM pt621_segments('{1,1,NULL}');
SELECT count(*) FROM pt621_segments('{1}', '(-infinity,infinity)');
SELECT count(*) FROM pt621_segments('{1}', '[infinity,)');
SELECT count(*) FROM pt621_summary('{1}', '(,-infinity]');

-- ---------------------------------------------- 4. engine, drivers, manners --

SELECT i.device_id, i.on_at, i.off_at, i.ongoing, i.silent, i.seconds FROM pt621_ignition('{1,3,7}') i;
SELECT i.device_id, i.on_at, i.off_at, i.silent FROM pt621_ignition('{3}', max_gap => '10 min') i;
SELECT * FROM pt621_idling('{2}');
SELECT * FROM pt621_idling('{2}', idle_after => '5 min');

-- Another driver takes over while it rolls; later nobody says who he is; and one
-- gets out and comes back within 5 minutes, and once more after 10
SELECT pg_temp.go(11, '2025-03-03 08:00', 'park 600', 'drive 600 10000 by A1', 'drive 600 10000 by B2', 'park 600', 'drive 900 9000', 'park 1200',
                  'drive 600 10000 by A1', 'park 180', 'drive 600 10000', 'park 600', 'drive 600 10000', 'park 600');
SELECT t.kind, t.started, t.ended, t.m, t.who FROM pg_temp.told(11) t;
SELECT d.device_id, d.rfid, d.driver, d.allowed, d.started_at, d.ended_at, d.ongoing, d.seconds, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{11}') d;
-- who they are, and whether they may: B2 not this one any more
INSERT INTO pt621.driver (rfid, name, devices, groups, valid) VALUES
    ('A1', 'Anna', NULL, NULL, '(,)'), ('B2', 'Bert', '{11}', NULL, '(,2025-03-01)'), ('B2', 'Bertha', '{12}', '{late}', '[2025-03-01,)');
SELECT d.rfid, d.driver, d.allowed FROM pt621_drivers('{11}') d;
UPDATE pt621.driver SET groups = '{late,night}' WHERE name = 'Bertha';
SELECT d.rfid, d.driver, d.allowed FROM pt621_drivers('{11}') d;
SELECT d.rfid, d.started_at, d.ended_at FROM pt621_drivers('{11}', off_after => '2 min') d;
-- what all drove is what was driven
SELECT round(sum(d.metres)) = (SELECT round(s.metres - s.carried_metres) FROM pt621_summary('{11}', NULL, 'all') s) AS all_of_it FROM pt621_drivers('{11}') d;
-- a turn ends with the day of the tracker; the driver before midnight is known to a
-- period that begins after it was
UPDATE pt621.device SET time_zone = 'Europe/Berlin' WHERE id = 12;
SELECT pg_temp.go(12, '2025-03-03 21:00', 'drive 3600 60000 by C3', 'drive 7200 120000');
SELECT d.rfid, d.started_at, d.ended_at, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{12}') d;
SELECT d.rfid, d.started_at, d.ended_at FROM pt621_drivers('{12}', '[2025-03-03 22:30,)') d;
SELECT d.rfid, d.started_at, d.ended_at FROM pt621_drivers('{12}', '[2025-03-03 23:30,)') d;
-- on a leg over midnight the turn ends without a record: what is nobody's begins
-- then, in a period without any, too
SELECT pg_temp.go(15, '2025-03-03 22:00', 'drive 6600 110000 by D4', 'silent 1800 30000', 'drive 600 10000');
SELECT d.rfid, d.started_at, d.ended_at, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{15}') d;
SELECT d.rfid, d.started_at, d.ended_at, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{15}', '[2025-03-04, 2025-03-04 00:10)') d;
-- a turn that ends at a record without a place, after the period: its part of the leg
-- over that record is in it, too
INSERT INTO pt621.position (device_id, fix_time, digest, geom, valid, speed_kmh, driver)
SELECT 17, '2025-03-03 08:00'::timestamptz + i * interval '1 minute', 1, ST_Point(10.17, 50 + i * 1000 / 111195.0797343, 4326), i <> 30, 60, CASE WHEN i < 30 THEN 'E5' ELSE 'F6' END
  FROM generate_series(0, 60) i;
SELECT d.rfid, d.started_at, d.ended_at, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{17}') d;
SELECT d.rfid, d.started_at, d.ended_at, d.drive_s, round(d.metres) AS m FROM pt621_drivers('{17}', '[2025-03-03 08:00, 2025-03-03 08:10)') d;

-- Partitions are dropped whole: that the ignition was on once is known all the same
SELECT pg_temp.go(16, '2025-03-03 08:00', 'idle 600', 'park 3600', 'ferry 3600 60000', 'park 3600', 'ferry 3600 60000', 'park 600');
SELECT t.started_at, t.carried_s FROM pt621_trips('{16}') t;
ALTER TABLE pt621.position DISABLE TRIGGER pt621_derive_delete;
DELETE FROM pt621.position WHERE device_id = 16 AND fix_time < '2025-03-03 08:30';
ALTER TABLE pt621.position ENABLE TRIGGER pt621_derive_delete;
SELECT t.started_at, t.carried_s FROM pt621_trips('{16}') t;
SELECT t.started_at, t.carried_s FROM pt621_trips('{16}', '[2025-03-03 11:00,)') t;

-- From 72 km/h to 36 in 2 s: 5 m/s2; to 72 in 5 s: 2; a right angle at 36 km/h in
-- 2 s: 7.9 (10 m/s times 0.785 / s)
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, course)
SELECT 13, '2025-03-03 08:00'::timestamptz + s * interval '1 s', ST_Point(10.13, 50 + s * 15 / 111195.0, 4326), v, c
  FROM (VALUES (0, 72, 0), (2, 36, 0), (7, 72, 0), (9, 36, 0), (19, 36, 0), (21, 36, 90), (31, 36, 90)) f (s, v, c);
SELECT m.device_id, m.kind, m.at, round(m.ms2::numeric, 2) AS ms2, m.speed_kmh, ST_AsText(m.geom, 4) AS place FROM pt621_manoeuvres('{13}') m;
SELECT m.kind, m.at FROM pt621_manoeuvres('{13}', acceleration_ms2 => 1.5, braking_ms2 => 6) m;
SELECT b.device_id, round(b.metres) AS m, b.accelerations, b.brakings, b.turns, b.idle_s, round(b.per_100km) AS per_100km, round(b.idle_s_per_100km) AS idle_s_per_100km FROM pt621_behaviour('{13}') b;

-- --------------------------------------------------------- 5. another tracker --

-- The tracker of a vehicle is replaced: the vehicle goes on, its odometer begins anew
SELECT pg_temp.go(14, '2025-03-03 08:00', 'drive 600 10000', 'park 600');
UPDATE pt621.device SET ident = 'a new one' WHERE id = 14;
SELECT pg_temp.go(14, '2025-03-03 12:00', 'park 600', 'drive 600 10000', 'park 600');
UPDATE pt621.position SET odometer_m = odometer_m - 9990 WHERE device_id = 14 AND fix_time >= '2025-03-03 12:00';
SELECT t.kind, t.started, t.ended, t.m, t.odo FROM pg_temp.told(14) t;

-- ------------------------------------------------------ 6. what is no record --

-- a place that is none, a time that is none, and two of one time
CREATE TEMP TABLE before AS SELECT * FROM pt621_segments('{1}');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, valid, speed_kmh, ignition, quality) VALUES
    (1, '2025-03-03 08:10:10', 2, ST_Point(0, 0, 4326), true, 0, NULL, 32768),
    (1, '2025-03-03 08:10:11', 2, ST_Point(11, 51, 4326), false, 0, NULL, 0),
    (1, '2025-03-03 08:10:12', 2, NULL, false, 0, NULL, 0),
    (1, '2025-03-03 08:10:13', 2, ST_Point(200, 51, 4326), true, 0, NULL, 0),
    (1, '2025-03-03 08:10:14', 2, 'SRID=4326;POINT EMPTY', true, 0, NULL, 0),
    (1, '2025-03-03 08:10:30', 2, ST_Point(11, 51, 4326), true, 0, NULL, 0),
    (1, '2025-03-03 08:10:15', 2, ST_Point(11, 51, 4326), true, 'NaN', NULL, 65536),
    (1, '2025-03-03 08:10:16', 2, ST_Point(11, 51, 4326), true, 0, NULL, 0),
    (1, 'infinity', 2, ST_Point(11, 51, 4326), true, 0, NULL, 0),
    (1, '-infinity', 2, ST_Point(11, 51, 4326), true, 0, NULL, 0);
SELECT count(*) AS differ FROM ((TABLE before EXCEPT SELECT * FROM pt621_segments('{1}')) UNION ALL (SELECT * FROM pt621_segments('{1}') EXCEPT TABLE before)) d;

-- -------------------------------------------------------- 7. wrong arguments --

\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT count(*) FROM pt621_trips(stop_radius_m => 0);
SELECT count(*) FROM pt621_trips(stop_radius_m => 'NaN');
SELECT count(*) FROM pt621_stops(rest_after => '0');
SELECT count(*) FROM pt621_segments(min_stop => '-1 s');
SELECT count(*) FROM pt621_segments(max_gap => '1000 years');
SELECT count(*) FROM pt621_unobserved(use_ignition => NULL);
SELECT count(*) FROM pt621_summary(rest_after => NULL);
SELECT count(*) FROM pt621_summary(by => 'year');
SELECT count(*) FROM pt621_summary(by => NULL);
SELECT count(*) FROM pt621_summary(time_zone => 'Europe/Atlantis');
SELECT count(*) FROM pt621_ignition(debounce => '2 h');
SELECT count(*) FROM pt621_idling(idle_after => NULL);
SELECT count(*) FROM pt621_drivers(off_after => '-5 min');
SELECT count(*) FROM pt621_behaviour(braking_ms2 => -1);
SELECT count(*) FROM pt621_manoeuvres(max_step => '0');
\set VERBOSITY terse

-- ----------------------------------------------------------------- 8. rights --

CREATE ROLE regress_pt621_manager;
SET ROLE regress_pt621_manager;
SELECT count(*) FROM pt621_trips();
RESET ROLE;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_manager;
GRANT EXECUTE ON FUNCTION pt621_trips, pt621_summary, pt621_drivers, pt621_behaviour TO regress_pt621_manager;
SET ROLE regress_pt621_manager;
SELECT count(*) FROM pt621_trips();
RESET ROLE;
GRANT SELECT ON pt621.device, pt621.device_state, pt621.position, pt621.event, pt621.driver, pt621.calibration TO regress_pt621_manager;
CREATE POLICY two ON pt621.position FOR SELECT TO regress_pt621_manager USING (device_id IN (1, 2));
CREATE POLICY two ON pt621.device FOR SELECT TO regress_pt621_manager USING (id IN (1, 2));
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.device ENABLE ROW LEVEL SECURITY;
SET ROLE regress_pt621_manager;
SELECT DISTINCT t.device_id FROM pt621_trips() t ORDER BY 1;
SELECT DISTINCT t.device_id FROM pt621_trips('{2,3}') t;
SELECT DISTINCT s.device_id FROM pt621_summary() s ORDER BY 1;
SELECT DISTINCT d.device_id FROM pt621_drivers() d ORDER BY 1;
SELECT DISTINCT b.device_id FROM pt621_behaviour() b ORDER BY 1;
RESET ROLE;
-- With a sensor called fuel a summary asks what is wired as that, too.
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) VALUES (1, 'fuel', 1, 'l', '{0,100}', '{0,100}');
SET ROLE regress_pt621_manager;
SELECT DISTINCT s.device_id FROM pt621_summary() s ORDER BY 1;
RESET ROLE;
GRANT SELECT ON pt621.input TO regress_pt621_manager;
SET ROLE regress_pt621_manager;
SELECT DISTINCT s.device_id FROM pt621_summary() s ORDER BY 1;
RESET ROLE;
DELETE FROM pt621.calibration;
REVOKE ALL ON pt621.input FROM regress_pt621_manager;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.device DISABLE ROW LEVEL SECURITY;
DROP POLICY two ON pt621.position;
DROP POLICY two ON pt621.device;
REVOKE ALL ON pt621.device, pt621.device_state, pt621.position, pt621.event, pt621.driver, pt621.calibration FROM regress_pt621_manager;
REVOKE ALL ON FUNCTION pt621_trips, pt621_summary, pt621_drivers, pt621_behaviour FROM regress_pt621_manager;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_manager;
DROP ROLE regress_pt621_manager;
-- in a transaction that only reads, and in a parallel worker
BEGIN READ ONLY;
SELECT count(*) FROM pt621_segments('{1}');
SET LOCAL force_parallel_mode = on;
SELECT count(*) FROM pt621_segments('{1}', '[2025-03-03 08:00,)');
SELECT count(*) FROM pt621_summary('{1}', '[2025-03-03 08:00,)');
SELECT count(*) FROM pt621_drivers('{12}', '[2025-03-03 08:00,)');
SELECT count(*) FROM pt621_behaviour('{13}');
SELECT count(*) FROM pt621_idling('{2}');
ROLLBACK;
-- by the snapshot of the statement: what that deletes is still there
WITH new AS (DELETE FROM pt621.position WHERE device_id = 1 RETURNING 1)
SELECT (SELECT count(*) > 0 FROM new) AS deleted, (SELECT count(*) FROM pt621_segments('{1}')) AS segments;
SELECT count(*) FROM pt621_segments('{1}');
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.driver;
