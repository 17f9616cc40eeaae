-- sensors.sql: what is wired to trackers, who drives them, and their fuel.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY default
\set SHOW_CONTEXT never
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.event;
TRUNCATE pt621.calibration, pt621.input, pt621.driver RESTART IDENTITY;
INSERT INTO pt621.device (id, ident, groups, time_zone)
VALUES (1, 'truck', '{north}', 'UTC'), (2, 'van', '{}', 'UTC'), (3, 'car', '{}', 'Europe/Berlin');

-- ---------------------------------------------------------------- 1. tables --

-- refused
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600,600}', '{0,50,100}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600,NULL}', '{0,50,100}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600}', '{0,Infinity}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600}', '{0}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{{100,600}}', '{0,100}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, NULL, '{0,100}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 0, '{100,600}', '{0,50}');
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) VALUES (1, 'fuel', 2, 'l', '{100,600,1100}', '{0,50,100}');
UPDATE pt621.calibration SET raw = '{3,2,1}';
SELECT raw FROM pt621.calibration;

-- between the pairs, at their ends, beside them, and too far beside them
SELECT c, pt621_calibrate(c, '{100,200,1100}', '{0,10,100}') AS value
  FROM unnest('{49,50,100,150,200,650,1100,1150,1151,NaN,NULL}'::double precision[]) c;
SELECT pt621_calibrate(1, '{1,2}', '{1,2,3}');
SELECT pt621_calibrate(1, '{2,1}', '{1,2}');
SELECT pt621_calibrate(1, '{}', '{}');

-- --------------------------------------------------------------- 2. sensors --

-- A temperature, whose sensor is changed for another one; a door that is wired
-- the other way round, and to another input later.
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value, valid)
VALUES (2, 'temperature', 1, 'C', '{0,1000}', '{-20,80}', '(,)'),
       (2, 'temperature', 1, 'C', '{0,1000}', '{80,-20}', '[2025-03-01 12:00,2025-03-01 13:00)'),
       (2, 'temperature', 3, 'C', '{0,1000}', '{0,100}', '[2025-03-01 13:00,)'),
       (2, 'temperature', 3, 'C', '{0,1000}', '{0,200}', '[2025-03-01 13:00,2025-03-01 14:00)');
INSERT INTO pt621.input (device_id, name, number, inverted, valid)
VALUES (2, 'rear door', 2, true, '(,2025-03-01 13:00)'), (2, 'rear door', 3, false, '[2025-03-01 13:00,)');
INSERT INTO pt621.position (device_id, fix_time, geom, valid, speed_kmh, adc, inputs, battery, quality)
SELECT 2, '2025-03-01 11:30'::timestamptz + i * interval '30 min', ST_Point(10, 50, 4326), i <> 1, 10 * i,
       ARRAY[100 * i, NULL, 300], substr('0100' || '1011' || '0111' || '0110' || '0000' || '1111', 4 * i + 1, 4)::varbit,
       9, CASE i WHEN 5 THEN 65536 ELSE 0 END
  FROM generate_series(0, 5) i;
INSERT INTO pt621.position (device_id, fix_time, code, valid, adc) VALUES (2, '2025-03-01 14:30', 'CFM', false, '{}'), (2, '2025-03-01 15:00', 'CFM', false, '{1,2,9999}');
SELECT fix_time, value, raw, unit, geom IS NOT NULL AS placed FROM pt621_sensor(2, 'temperature');
-- 0 N 0 E is no place
BEGIN;
UPDATE pt621.position SET geom = ST_Point(0, 0, 4326), quality = quality | 32768 WHERE device_id = 2;
SELECT n, count(*) AS values, count(s.geom) AS placed FROM unnest('{temperature,battery,"rear door"}'::text[]) n, pt621_sensor(2, n) s GROUP BY n ORDER BY n;
ROLLBACK;
SELECT fix_time, value, raw, unit FROM pt621_sensor(2, 'rear door');
SELECT fix_time, value FROM pt621_sensor(2, 'temperature', '[2025-03-01 12:00,2025-03-01 13:00)');
SELECT fix_time, value FROM pt621_sensor(2, 'temperature', '(2025-03-01 12:00,2025-03-01 13:00]');
SELECT count(*) FROM pt621_sensor(2, 'temperature', 'empty');
SELECT fix_time, value, unit FROM pt621_sensor(2, 'speed_kmh', '[2025-03-01 13:00,)');
SELECT count(*), min(value), max(value) FROM pt621_sensor(2, 'battery');
SELECT count(*) FROM pt621_sensor(2, NULL);
SELECT * FROM pt621_sensor(2, 'fuel');
SELECT * FROM pt621_sensor(2, 'x''; DROP TABLE pt621.input; --');

-- --------------------------------------------------------------- 3. drivers --

SELECT pt621_driver_name('A', 1, '2025-03-01') AS name, pt621_driver_allowed('A', 1, '2025-03-01') AS allowed;
INSERT INTO pt621.driver (rfid, name, devices, groups, valid)
VALUES ('A', 'Ann', NULL, '{north}', '(,)'), ('A', 'Anton', '{2}', NULL, '(,)'), ('B', 'Bob', NULL, NULL, '[2025-01-01,2025-03-01)'),
       ('B', 'Bert', NULL, NULL, '[2025-02-01,2025-03-01)');
SELECT d AS device, r AS rfid, at::date, pt621_driver_name(r, d, at) AS name, pt621_driver_allowed(r, d, at) AS allowed
  FROM unnest('{1,2,3}'::integer[]) d, unnest('{A,B,C}'::text[]) r, unnest('{2025-01-15,2025-02-15,2025-03-15}'::timestamptz[]) at
 WHERE r <> 'A' OR at = '2025-03-15'
 ORDER BY 2, 1, 3;
-- It was in another group until the 10th.
INSERT INTO pt621.device_version (device_id, valid, groups) VALUES (1, '(,2025-03-10)', '{south}');
SELECT at::date, pt621_driver_allowed('A', 1, at) AS allowed FROM unnest('{2025-03-05,2025-03-15}'::timestamptz[]) at;

-- ------------------------------------------------------------------ 4. fuel --

-- Parts of days: minutes from midnight, speed, litres at its start and end, how
-- much the readings swing, seconds between two records.
CREATE TEMP TABLE part (device_id integer, day date, from_min double precision, until_min double precision,
                        kmh double precision, from_l double precision, until_l double precision,
                        swing double precision, every_s integer, ignition boolean);
INSERT INTO part VALUES
    -- A truck: refuelled 40 l after 09:00, 15 l drained from 12:00 to 13:00.
    (1, '2025-04-01', 0, 480, 0, 50, 50, 0, 600, false), (1, '2025-04-01', 480, 540, 60, 50, 44, 8, 10, true),
    (1, '2025-04-01', 540, 541, 0, 44, 44, 0.2, 10, false), (1, '2025-04-01', 541, 544, 0, 44, 84, 0.2, 10, false),
    (1, '2025-04-01', 544, 546, 0, 84, 84, 0.2, 10, false), (1, '2025-04-01', 546, 600, 60, 84, 78.6, 8, 10, true),
    (1, '2025-04-01', 600, 720, 0, 78.6, 78.6, 0.2, 60, false), (1, '2025-04-01', 720, 780, 0, 78.6, 63.6, 0.2, 60, false),
    (1, '2025-04-01', 780, 840, 0, 63.6, 63.6, 0.2, 60, false), (1, '2025-04-01', 840, 900, 60, 63.6, 57.6, 8, 10, true),
    (1, '2025-04-01', 900, 1440, 0, 57.6, 57.6, 0, 600, false),
    -- On the next day it reports each minute, and each 10 minutes when parked.
    (1, '2025-04-02', 0, 420, 0, 57.6, 57.6, 0, 600, false), (1, '2025-04-02', 420, 480, 60, 57.6, 51.6, 2, 60, true),
    (1, '2025-04-02', 481, 487, 0, 51.6, 91.6, 0, 300, false), (1, '2025-04-02', 487, 547, 60, 91.6, 85.6, 2, 60, true),
    -- Filled up around midnight.
    (1, '2025-04-02', 547, 1430, 0, 85.6, 65.6, 0, 600, true), (1, '2025-04-02', 1430, 1440, 0, 65.6, 80.6, 0, 60, false),
    (1, '2025-04-03', 0, 10, 0, 80.6, 95.6, 0, 60, false), (1, '2025-04-03', 10, 600, 0, 95.6, 95.6, 0, 600, false);
-- A van: 8 l of slosh up and down all day, and a stop each half an hour.
INSERT INTO part
SELECT 3, '2025-04-01'::date, 480 + 30 * i, 504 + 30 * i, 60, 90 - 2.4 * i, 90 - 2.4 * (i + 1), 8, 10, true FROM generate_series(0, 19) i
UNION ALL
SELECT 3, '2025-04-01', 504 + 30 * i, 510 + 30 * i, 0, 90 - 2.4 * (i + 1), 90 - 2.4 * (i + 1), 0.3, 10, false FROM generate_series(0, 19) i;
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) VALUES (3, 'fuel', 1, 'l', '{0,100,1100}', '{0,0,100}');

CREATE FUNCTION pg_temp.chance(at timestamptz, below integer) RETURNS integer LANGUAGE sql STABLE
RETURN ('x' || substr(md5(extract(epoch FROM at)::bigint::text), 1, 4))::bit(16)::integer % below;
CREATE TEMP TABLE record AS
SELECT p.device_id, t.at AS fix_time, ST_Point(m.metres / 111194.93, 0, 4326) AS geom, p.kmh::real AS speed_kmh, p.ignition,
       CASE p.device_id WHEN 1 THEN ARRAY[NULL, c.count] ELSE ARRAY[c.count] END AS adc,
       CASE WHEN t.at = '2025-04-01 08:00:10' THEN 'A' END AS driver
  FROM (SELECT q.*, coalesce(sum(q.kmh * (q.until_min - q.from_min) / 0.06) OVER (PARTITION BY q.device_id ORDER BY q.day, q.from_min
                                                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before_m
          FROM part q) p
  CROSS JOIN LATERAL generate_series(1, floor((p.until_min - p.from_min) * 60 / p.every_s)::integer) i
  CROSS JOIN LATERAL (SELECT p.day::timestamptz + (p.from_min * 60 + i * p.every_s) * interval '1 s' AS at,
                             i * p.every_s / 60.0 / (p.until_min - p.from_min) AS share) t
  CROSS JOIN LATERAL (SELECT round((p.from_l + (p.until_l - p.from_l) * t.share
                                    + p.swing * pg_temp.chance(t.at, 1024) / 511.5 - p.swing)::numeric * 10 + 100)::integer AS count) c
  CROSS JOIN LATERAL (SELECT p.before_m + p.kmh / 3.6 * i * p.every_s AS metres) m;
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, ignition, adc, driver)
SELECT r.* FROM record r;
CREATE TEMP VIEW event AS
SELECT device_id, kind, started_at, ended_at, round(litres::numeric) AS litres, round(before_l::numeric) AS before_l,
       round(after_l::numeric) AS after_l, driver, round(confidence::numeric, 1) AS confidence, geom IS NOT NULL AS placed
  FROM pt621_fuel_events();

SELECT device_id, count(*) AS readings, min(fix_time), max(fix_time) FROM pt621_fuel() GROUP BY 1 ORDER BY 1;
SELECT * FROM event;
-- Who refuels has switched off; but not of another day, nor for long.
BEGIN;
UPDATE pt621.device SET time_zone = 'Etc/GMT+9' WHERE id = 1;
SELECT kind, started_at, driver FROM event WHERE device_id = 1 LIMIT 2;
ROLLBACK;
BEGIN;
UPDATE pt621.position SET ignition = false WHERE device_id = 1 AND fix_time >= '2025-04-01 08:55:10';
SELECT kind, started_at, driver FROM event WHERE device_id = 1 LIMIT 1;
UPDATE pt621.position SET ignition = true WHERE device_id = 1 AND fix_time = '2025-04-01 08:55:10';
SELECT kind, started_at, driver FROM event WHERE device_id = 1 LIMIT 1;
ROLLBACK;
-- With the engine off for longer the driver's turn is over; where nobody knows of the engine it goes on until midnight.
BEGIN;
UPDATE pt621.position SET ignition = NULL WHERE device_id = 1;
SELECT kind, started_at, driver FROM event WHERE device_id = 1;
ROLLBACK;
-- the level, filtered, when it swings most
SELECT max(abs(f.raw_litres - 50 + 6 * m.part)) > 7 AS swings, max(abs(f.litres - 50 + 6 * m.part)) < 4 AS filtered
  FROM pt621_fuel('{1}', '[2025-04-01 08:10,2025-04-01 08:50)') f, LATERAL (SELECT extract(epoch FROM f.fix_time - '2025-04-01 08:00') / 3600 AS part) m;
SELECT device_id, day, round(start_l::numeric) AS start_l, round(end_l::numeric) AS end_l, round(refuelled_l::numeric) AS refuelled_l,
       round(drained_l::numeric) AS drained_l, round(used_l::numeric) AS used_l, round(metres / 1000) AS km,
       round(l_per_100km::numeric) AS l_per_100km, round(expected_l::numeric) AS expected_l, plausible
  FROM pt621_fuel_balance();
SELECT device_id, day, round(used_l::numeric) AS used_l, plausible FROM pt621_fuel_balance(NULL, NULL, 'all');
SELECT device_id, day, started_at, ended_at FROM pt621_fuel_balance('{3,3,77,NULL}', '[2025-04-01 12:00,)', 'week');
-- A record without a time of its own is no bound.
INSERT INTO pt621.position (device_id, fix_time, valid, quality) VALUES (3, '2025-06-01', false, 65536);
SELECT device_id, day, started_at, ended_at FROM pt621_fuel_balance('{3,3,77,NULL}', '[2025-04-01 12:00,)', 'week');
DELETE FROM pt621.position WHERE quality = 65536;
SELECT round(pt621_fuel_used(1, '2025-04-01', '2025-04-02')::numeric) AS used, pt621_fuel_used(2, '2025-04-01', '2025-04-02') AS no_sensor,
       pt621_fuel_used(1, '2025-04-02', '2025-04-02') AS no_time;

-- the year is the union of its days, of its hours, ...
CREATE TEMP TABLE whole AS SELECT * FROM pt621_fuel_events();
SELECT s.step, count(*) AS events, (SELECT count(*) FROM whole) AS of,
       count(*) FILTER (WHERE NOT EXISTS (SELECT FROM whole w WHERE w::text = e::text)) AS differ
  FROM unnest('{1 day,7 hours,45 min}'::interval[]) s (step),
       generate_series('2025-04-01'::timestamptz, '2025-04-03', s.step) low,
       pt621_fuel_events(NULL, tstzrange(low, low + s.step)) e
 GROUP BY 1 ORDER BY 1;
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE f.litres IS DISTINCT FROM w.litres) AS differ
  FROM generate_series('2025-04-01'::timestamptz, '2025-04-03', '3 hours') low, pt621_fuel('{1}', tstzrange(low, low + '3 hours')) f
  LEFT JOIN pt621_fuel('{1}') w ON w.fix_time = f.fix_time;
SELECT round(sum(used_l)::numeric, 6) = (SELECT round(used_l::numeric, 6) FROM pt621_fuel_balance('{1}', NULL, 'all')) AS same
  FROM pt621_fuel_balance('{1}');

-- ... whatever order the records came in
DELETE FROM pt621.position;
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, ignition, adc, driver)
SELECT r.* FROM record r WHERE pg_temp.chance(r.fix_time, 3) = 0 ORDER BY r.fix_time DESC;
SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT FROM whole w WHERE w::text = e::text)) > 0 AS differ FROM pt621_fuel_events() e;
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, ignition, adc, driver)
SELECT r.* FROM record r WHERE pg_temp.chance(r.fix_time, 3) <> 0 ORDER BY pg_temp.chance(r.fix_time + interval '1 s', 65536);
SELECT count(*) AS events, count(*) FILTER (WHERE NOT EXISTS (SELECT FROM whole w WHERE w::text = e::text)) AS differ FROM pt621_fuel_events() e;

-- A tank that is measured anew is not refuelled.
UPDATE pt621.calibration SET valid = '(,2025-04-01 11:00)' WHERE device_id = 1;
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value, valid) VALUES (1, 'fuel', 2, 'l', '{100,1100}', '{0,200}', '[2025-04-01 11:00,)');
SELECT kind, started_at, litres FROM event WHERE device_id = 1;

-- options
SELECT kind, started_at FROM pt621_fuel_events('{3}', NULL, '{"sensor": "fuel", "min_l": 1, "min_share": 0, "l_per_100km": 0}');
SELECT kind, round(litres::numeric) FROM pt621_fuel_events('{1}', NULL, '{"min_l": 60}');
SELECT count(*) FROM pt621_fuel_events(NULL, NULL, '{"sensor": "none"}');
SELECT count(*) FROM pt621_fuel_events(NULL, 'empty');
SELECT * FROM pt621_fuel_events(NULL, NULL, '{"min_l": 3, "tank": 4, "Min_l": 3}');
SELECT * FROM pt621_fuel_events(NULL, NULL, '{"min_l": 0}');
SELECT * FROM pt621_fuel_events(NULL, NULL, '{"l_per_100km": "NaN"}');
SELECT * FROM pt621_fuel_events(NULL, NULL, '[1]');
SELECT * FROM pt621_fuel_balance(NULL, NULL, 'year');
-- Bounds are in or out, as they are written.
SELECT (SELECT count(*) FROM pt621_fuel('{1}', tstzrange(b.first, b.last, '[]'))) - (SELECT count(*) FROM pt621_fuel('{1}', tstzrange(b.first, b.last, '()'))) AS ends
  FROM (SELECT min(f.fix_time) AS first, max(f.fix_time) AS last FROM pt621_fuel('{1}') f) b;
-- A tracker in a zone that is none has days of UTC.
CREATE TEMP TABLE zone AS SELECT id, time_zone FROM pt621.device;
UPDATE pt621.device SET time_zone = 'UTC';
CREATE TEMP TABLE utc AS SELECT e.device_id, e.started_at, e.driver, NULL::date AS day FROM pt621_fuel_events() e
 UNION ALL SELECT b.device_id, b.started_at, NULL, b.day FROM pt621_fuel_balance() b;
UPDATE pt621.device SET time_zone = 'Mars';
SELECT (SELECT count(*) > 1 FROM utc) AS some, count(*) AS other
  FROM (SELECT * FROM utc EXCEPT
        (SELECT e.device_id, e.started_at, e.driver, NULL::date AS day FROM pt621_fuel_events() e
          UNION ALL SELECT b.device_id, b.started_at, NULL, b.day FROM pt621_fuel_balance() b)) d;
UPDATE pt621.device d SET time_zone = z.time_zone FROM zone z WHERE z.id = d.id;
DROP TABLE zone, utc;

-- ---------------------------------------------------------------- 5. rights --

-- Who may read the tables may ask; of what a policy hides nothing is told.
CREATE ROLE regress_sensors;
GRANT USAGE ON SCHEMA pt621 TO regress_sensors;
GRANT SELECT ON pt621.device, pt621.device_state, pt621.device_version, pt621.position, pt621.calibration, pt621.input, pt621.driver TO regress_sensors;
GRANT EXECUTE ON FUNCTION pt621_fuel(integer[], tstzrange, text), pt621_fuel_events(integer[], tstzrange, jsonb),
                          pt621_fuel_balance(integer[], tstzrange, text, text, jsonb), pt621_sensor(integer, text, tstzrange) TO regress_sensors;
ALTER TABLE pt621.calibration ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON pt621.calibration FOR SELECT TO regress_sensors USING (device_id = 1);
SET ROLE regress_sensors;
SELECT DISTINCT device_id FROM pt621_fuel();
SELECT DISTINCT device_id, driver FROM pt621_fuel_events() ORDER BY 1, 2;
SELECT DISTINCT device_id FROM pt621_fuel_balance();
SELECT count(*) > 0 AS some FROM pt621_sensor(1, 'fuel');
SELECT * FROM pt621_sensor(3, 'fuel');
RESET ROLE;
DROP POLICY own ON pt621.calibration;
ALTER TABLE pt621.calibration DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_sensors;
DROP ROLE regress_sensors;
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.position, pt621.calibration, pt621.input, pt621.driver;
