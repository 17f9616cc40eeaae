-- Overspeeds, visits, rides from fence to fence, and how much trackers are used.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.driver;
TRUNCATE pt621.geofence RESTART IDENTITY;
TRUNCATE pt621.geofence_version, pt621.geofence_visit, pt621.event, pt621.device_version;

-- A street of 20 km to the north.  The shuttle drives from the depot at its start to
-- the quarry at its end and back, at 60 km/h, and stands 30 minutes at each; with the
-- third ride it turns back half-way.  Of the other tracker nothing is known but one hour.
INSERT INTO pt621.device (id, ident, time_zone) VALUES (1, 'shuttle', 'Europe/Berlin'), (2, 'other', 'UTC');
INSERT INTO pt621.driver (rfid, name) VALUES ('4711', 'Anna');
INSERT INTO pt621.geofence (name, geom, radius_m, valid) VALUES
    ('depot', ST_Point(10, 50, 4326), 500, '(,)'), ('quarry', ST_Point(10, 50 + 20 / 111.195, 4326), 500, '(,)');
CREATE TEMP TABLE leg (n integer, at timestamptz, low double precision, high double precision, minutes integer);
INSERT INTO leg VALUES
    (1, '2025-03-03 06:00', 0, 20, 20), (2, '2025-03-03 06:50', 20, 0, 20), (3, '2025-03-03 07:40', 0, 10, 10), (4, '2025-03-03 07:50', 10, 0, 10),
    (5, '2025-03-03 08:30', 0, 20, 20), (6, '2025-03-03 09:20', 20, 0, 20);
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, ignition, driver)
SELECT 1, l.at + i * interval '30 s', i,
       ST_Point(10, 50 + (l.low + (l.high - l.low) * least(i / 2.0 / l.minutes, 1)) / 111.195, 4326),
       CASE WHEN i / 2.0 < l.minutes THEN 60 ELSE 0 END, i / 2.0 < l.minutes, CASE WHEN i = 0 THEN CASE l.n WHEN 1 THEN '4711' WHEN 5 THEN '12' END END
  FROM leg l, generate_series(0, 98) i
 WHERE i / 2.0 < l.minutes + 30 AND NOT (l.n = 3 AND i / 2.0 >= l.minutes);
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh)
SELECT 2, '2025-03-03 12:00'::timestamptz + i * interval '30 s', i, ST_Point(11, 50 + i / 222.39, 4326), 60 FROM generate_series(0, 120) i;

-- ------------------------------------------------------------------ visits --

SELECT device_id AS device, geofence, enter_at, exit_at, ongoing, enter_unknown AS unknown, passed, seconds, round(metres::numeric) AS metres, driver
  FROM pt621_visits();
-- of a period, a fence, a tracker
SELECT geofence, enter_at FROM pt621_visits('{1}', '[2025-03-03 07:00, 2025-03-03 08:50)', '{1,7}');
SELECT count(*) FROM pt621_visits('{2}');
SELECT count(*) FROM pt621_visits(period => 'empty');
-- by the name that the fence had then
BEGIN;
UPDATE pt621.geofence_version SET valid = tstzrange('2025-03-03 08:00', NULL) WHERE geofence_id = 2;
INSERT INTO pt621.geofence_version
SELECT (jsonb_populate_record(v, '{"name": "pit", "revision": -1, "valid": "(,\"2025-03-03 08:00+00\")"}')).* FROM pt621.geofence_version v WHERE geofence_id = 2;
SELECT geofence, enter_at FROM pt621_visits(geofences => '{2}');
ROLLBACK;

-- ------------------------------------------------------------------- rides --

SELECT device_id AS device, left_at, arrived_at, seconds, round(metres::numeric) AS metres, top_kmh, stops, driver FROM pt621_rides('depot', 'quarry');
SELECT device_id AS device, left_at, arrived_at, seconds, round(metres::numeric) AS metres, stops, driver FROM pt621_rides('quarry', 'depot');
-- round trips
SELECT left_at, arrived_at, round(metres::numeric) AS metres, stops FROM pt621_rides('depot', 'depot');
SELECT left_at FROM pt621_rides('depot', 'depot', max_duration => '30 min');
SELECT left_at FROM pt621_rides(1, 1, '{1,2}', '[2025-03-03 08:00,)');
-- A fence that is passed on the leg that leaves the first one, and one that it ends in; of the
-- way back nothing was heard but that it is there again.
INSERT INTO pt621.device (id, ident) VALUES (3, 'sparse'), (4, 'by the row'), (5, 'silent');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh)
SELECT 3, '2025-03-04'::timestamptz + m.minute * interval '1 minute', m.minute, ST_Point(10, 50 + m.km / 111.195, 4326), m.kmh
  FROM (VALUES (0, 0, 0), (10, 0, 60), (20, 25, 60), (40, 25, 60), (140, 0, 60), (150, 20, 60), (160, 20, 0)) m (minute, km, kmh);
SELECT left_at, arrived_at, round(seconds) AS seconds, round(metres) AS metres FROM pt621_rides('depot', 'quarry', '{3}');
SELECT left_at FROM pt621_rides('depot', 'quarry', '{3}', '[2025-03-04 00:10,2025-03-04 00:15)');
SELECT left_at FROM pt621_rides('depot', 'quarry', '{3}', '[2025-03-04 00:15,2025-03-04 02:15)');
-- A pass that touches a fence in one point takes no time: it is neither a round trip of its own, nor no beginning of one.
INSERT INTO pt621.geofence_visit (device_id, geofence_id, enter_at, exit_at, passed, interpolated, confirmed_at)
SELECT 4, v.fence, '2025-03-04'::timestamptz + v.enter * interval '1 minute', '2025-03-04'::timestamptz + v.leave * interval '1 minute', true, true, now()
  FROM (VALUES (50, 5, 5), (51, 15, 16), (50, 25, 25), (50, 35, 36)) v (fence, enter, leave);
SELECT f.origin, f.goal, r.left_at, r.arrived_at, r.seconds
  FROM (VALUES (50, 50), (50, 51), (51, 50)) f (origin, goal), pt621_rides(f.origin, f.goal, '{4}') r ORDER BY 1, 2, 3;
-- A visit that ends before it begins, by whoever wrote it, is no reason to fail.
BEGIN;
INSERT INTO pt621.geofence_visit (device_id, geofence_id, enter_at, exit_at, confirmed_at) VALUES (4, 50, '2025-03-04 02:00', '2025-03-04 01:00', now());
SELECT r.left_at, r.arrived_at FROM pt621_rides(50, 51, NULL, '[2025-03-04,2025-03-05)') r;
SELECT r.left_at FROM pt621_rides(50, 51, NULL, '(,2025-03-04 00:05]') r;
SELECT count(*) FROM pt621_rides(50, 51, NULL, 'empty') r;
ROLLBACK;
-- When it left is not known of a silence of hours; what lies within the fence is not met on the leg that leaves it.
BEGIN;
INSERT INTO pt621.geofence (name, geom, radius_m, valid) VALUES
    ('park', ST_Point(12, 50, 4326), 5000, '(,)'), ('kiosk', ST_Point(12, 50 + 2 / 111.195, 4326), 200, '(,)'), ('inn', ST_Point(12, 50 + 6 / 111.195, 4326), 200, '(,)');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh)
SELECT 5, '2025-03-04'::timestamptz + m.minute * interval '1 minute', m.minute, ST_Point(m.lon, 50 + m.km / 111.195, 4326), m.kmh
  FROM (VALUES (0, 10, 0, 0), (10, 10, 0, 0), (310, 10, 20, 0), (320, 10, 20, 0), (900, 12, 0, 0), (910, 12, 0, 60), (918, 12, 10, 60), (930, 12, 10, 60)) m (minute, lon, km, kmh);
SELECT f.goal, r.left_at, r.arrived_at, round(r.seconds) AS seconds
  FROM (VALUES ('depot', 'quarry'), ('park', 'kiosk'), ('park', 'inn')) f (origin, goal), pt621_rides(f.origin, f.goal, '{5}') r;
SELECT v.geofence, v.enter_at, v.exit_at, v.passed FROM pt621_visits('{5}') v;
ROLLBACK;
DELETE FROM pt621.position WHERE device_id IN (3, 4);
DELETE FROM pt621.geofence_visit WHERE device_id IN (3, 4);
DELETE FROM pt621.event WHERE device_id IN (3, 4);
DELETE FROM pt621.device WHERE id IN (3, 4, 5);
SELECT count(*) FROM pt621_rides(1, 2, '{2}');
SELECT count(*) FROM pt621_rides(1, 99);
SELECT * FROM pt621_rides('depot', 'nowhere''"');
SELECT * FROM pt621_rides(NULL::text, 'depot');

-- -------------------------------------------------------------- overspeeds --

SELECT * FROM pt621_overspeeds();
SELECT device_id AS device, started_at, ended_at, ongoing, seconds, limit_kmh AS lim, peak_kmh AS peak, ST_AsText(peak_geom, 3) AS peak_geom,
       mean_excess_kmh AS excess, round(metres::numeric) AS metres, geofence, ST_AsText(geom, 3) AS geom, driver
  FROM pt621_overspeeds(with_limit_kmh => 50);
UPDATE pt621.geofence SET speed_limit_kmh = 30 WHERE name = 'quarry';
UPDATE pt621.geofence_version SET speed_limit_kmh = 30 WHERE geofence_id = 2;
SELECT pt621_replay_events();
SELECT device_id AS device, started_at, ended_at, limit_kmh AS lim, peak_kmh AS peak, geofence_id, geofence, ST_AsText(geom, 3) AS geom, driver FROM pt621_overspeeds();
SELECT started_at FROM pt621_overspeeds('{1}', '[2025-03-03 07:00,)');
SELECT count(*) FROM pt621_overspeeds('{2}');
SELECT count(*) FROM pt621_overspeeds(period => 'empty', with_limit_kmh => 50);
SELECT * FROM pt621_overspeeds(with_limit_kmh => 0);

-- ------------------------------------------------------------- utilisation --

CREATE FUNCTION pg_temp.use(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, by text DEFAULT 'all', work_hours text DEFAULT NULL,
                            time_zone text DEFAULT NULL,
                            OUT device integer, OUT day date, OUT started_at timestamptz, OUT ended_at timestamptz, OUT driving numeric, OUT standing numeric,
                            OUT unobserved numeric, OUT idling numeric, OUT drive_s numeric, OUT days integer, OUT used integer, OUT h_a_day numeric,
                            OUT in_hours numeric, OUT off_hours numeric)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT u.device_id, u.day, u.started_at, u.ended_at, round(u.driving::numeric, 3), round(u.standing::numeric, 3), round(u.unobserved::numeric, 3),
           round(u.idling::numeric, 3), round(u.drive_s::numeric), u.days, u.days_used, round(u.hours_per_used_day::numeric, 2),
           round(u.in_hours_s::numeric), round(u.off_hours_s::numeric)
      FROM pt621_utilisation(devices, period, by, work_hours, time_zone) u
$$;
SELECT * FROM pg_temp.use(period => '[2025-03-01, 2025-03-08)');
-- cut at midnight of a time zone; until 08:00 in Berlin it is no work
SELECT * FROM pg_temp.use('{1}', '[2025-03-03 06:10, 2025-03-03 09:30)', 'day', 'Mo-Fr 08:00-10:00');
SELECT * FROM pg_temp.use('{1}', '[2025-03-03 06:10, 2025-03-03 09:30)', 'day', 'Mo-Fr 08:00-10:00', 'UTC');
SELECT * FROM pg_temp.use('{1}', '[2025-03-01, 2025-04-01)', 'week', 'Su 22:00-23:00');
SELECT day, started_at, ended_at, days, used FROM pg_temp.use('{1}', by => 'month', time_zone => 'Pacific/Auckland');
SELECT * FROM pg_temp.use(period => 'empty');
SELECT * FROM pt621_utilisation(by => 'year');
SELECT * FROM pt621_utilisation(by => NULL);
SELECT * FROM pt621_utilisation(work_hours => 'Mo 25:00');
SELECT * FROM pt621_utilisation(time_zone => 'Mars');
-- An end at infinity is open; a tracker in a zone that is none has days of UTC.
SELECT (SELECT array_agg(u ORDER BY u.device_id) FROM pt621_utilisation(period => '[-infinity,infinity]') u)
       = (SELECT array_agg(u ORDER BY u.device_id) FROM pt621_utilisation() u) AS open;
CREATE TEMP TABLE zone AS SELECT id, time_zone FROM pt621.device;
UPDATE pt621.device SET time_zone = 'UTC';
CREATE TEMP TABLE utc AS SELECT u.* FROM pt621_utilisation(by => 'day', work_hours => 'Mo 06:00-07:00') u;
UPDATE pt621.device SET time_zone = 'Mars';
SET client_min_messages = error;
SELECT (SELECT count(*) > 0 FROM utc) AS some, count(*) AS other
  FROM (SELECT * FROM utc EXCEPT SELECT u.* FROM pt621_utilisation(by => 'day', work_hours => 'Mo 06:00-07:00') u) d;
RESET client_min_messages;
UPDATE pt621.device d SET time_zone = z.time_zone FROM zone z WHERE z.id = d.id;
DROP TABLE zone, utc;
-- hours that an hour is put forward in, and back
SELECT pt621_hours_between('Su 01:00-04:00', 'Europe/Berlin', '2025-03-30', '2025-03-31'),
       pt621_hours_between('Su 01:00-04:00', 'Europe/Berlin', '2025-10-26', '2025-10-27');
-- in the hour that is left out, at its edges, and half an hour, at midnight, a day, and where all is as ever
SELECT h.hours, h.zone, h.day, pt621_hours_between(h.hours, h.zone, h.day::timestamp AT TIME ZONE h.zone, (h.day::timestamp + interval '1 day') AT TIME ZONE h.zone)
  FROM (VALUES (1, 'Su 02:30-03:15', 'Europe/Berlin', '2025-03-30'), (2, 'Su 02:00-02:45', 'Europe/Berlin', '2025-03-30'), (3, 'Su 01:00-02:30', 'Europe/Berlin', '2025-03-30'),
               (4, 'Su 02:00-03:00', 'Europe/Berlin', '2025-03-30'), (5, 'Su 02:59-03:00', 'Europe/Berlin', '2025-03-30'), (6, 'Su 03:00-03:15', 'Europe/Berlin', '2025-03-30'),
               (7, 'Su 02:15-03:00', 'Australia/Lord_Howe', '2025-10-05'), (8, 'Su 00:15-02:00', 'America/Havana', '2025-03-09'),
               (9, 'Fr 08:00-10:00', 'Pacific/Apia', '2011-12-30'), (10, 'Su 02:30-03:15', 'UTC', '2025-03-30')) h (n, hours, zone, day)
 ORDER BY h.n;
SELECT pt621_hours_between('Mo-Su 00:00-24:00', 'UTC', '2025-03-05 12:00', '2025-03-12 13:00');
SELECT pt621_hours_between('Fr 22:00-06:00', 'UTC', '2025-03-08 05:00', '2025-03-14 23:00');

-- ------------------------------------------------------------- who may see --

-- What policies hide is in no report; nobody but who was let may ask.
CREATE ROLE report_reader;
GRANT USAGE ON SCHEMA pt621 TO report_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA pt621 TO report_reader;
GRANT EXECUTE ON FUNCTION pt621_overspeeds, pt621_visits, pt621_rides(text, text, integer[], tstzrange, interval), pt621_utilisation,
                          pt621_rides(integer, integer, integer[], tstzrange, interval), pt621_drivers, pt621_trips TO report_reader;
SET ROLE report_reader;
SELECT (SELECT count(*) FROM pt621_overspeeds()) AS overspeeds, (SELECT count(*) FROM pt621_visits()) AS visits,
       (SELECT count(*) FROM pt621_rides('depot', 'depot')) AS rides, (SELECT count(*) FROM pt621_utilisation(work_hours => 'Mo 06:00-07:00')) AS used;
SELECT count(*) FROM pt621_maintenance_due();
RESET ROLE;
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.event ENABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.geofence_visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON pt621.position FOR SELECT TO report_reader USING (device_id = 2);
CREATE POLICY own ON pt621.event FOR SELECT TO report_reader USING (device_id = 2);
CREATE POLICY own ON pt621.geofence_visit FOR SELECT TO report_reader USING (device_id = 2);
SET ROLE report_reader;
SELECT (SELECT count(*) FROM pt621_overspeeds()) AS overspeeds, (SELECT count(*) FROM pt621_visits()) AS visits,
       (SELECT count(*) FROM pt621_rides('depot', 'depot')) AS rides, (SELECT array_agg(device_id) FROM pt621_utilisation(work_hours => 'Mo 06:00-07:00')) AS used;
RESET ROLE;
DROP POLICY own ON pt621.position;
DROP POLICY own ON pt621.event;
DROP POLICY own ON pt621.geofence_visit;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.event DISABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.geofence_visit DISABLE ROW LEVEL SECURITY;
DROP OWNED BY report_reader;
DROP ROLE report_reader;

TRUNCATE pt621.device, pt621.device_state, pt621.position, pt621.track_piece, pt621.event, pt621.geofence, pt621.geofence_version, pt621.geofence_visit,
         pt621.driver, pt621.device_version;
