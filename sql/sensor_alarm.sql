-- sensor_alarm.sql: alarms of sensors, as they come and as they are changed.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.device_version;
TRUNCATE pt621.sensor_alarm, pt621.calibration, pt621.input RESTART IDENTITY;

-- What a tracker sends: a time of 2025-03-01, km/h, the second of its inputs (a
-- door), and a raw count (a thermometer).
CREATE FUNCTION pg_temp.report(ident text, at time, kmh integer, door text, raw integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$POS,' || ident || ',' || to_char(at, 'HH24MISS') || '.000,A,5000.0000,N,01000.0000,E,' || to_char(kmh / 1.852, 'FM990.00') ||
                  ',90.0,010325,,,A/0' || coalesce(door, '') || ',00000/' || coalesce(to_hex(raw), '') || '/1000//f73//' || E'\r\n', 'SQL_ASCII');

-- Stored in one call, each as (time, km/h, door, count).
CREATE FUNCTION pg_temp.send(tracker text, VARIADIC records text[]) RETURNS bigint
LANGUAGE sql
RETURN (SELECT sum(pt621_ingest(pg_temp.report(tracker, split_part(r, ' ', 1)::time, split_part(r, ' ', 2)::integer,
                                               nullif(split_part(r, ' ', 3), '-'), nullif(split_part(r, ' ', 4), '')::integer)))
          FROM unnest(records) r);

CREATE VIEW pg_temp.alarm AS
SELECT d.ident, e.object, e.at::time, e.until::time, e.confirmed_at::time AS confirmed, ST_AsText(e.geom) AS place, e.detail,
       e.superseded_at IS NOT NULL AS superseded, e.corrects IS NOT NULL AS corrects
  FROM pt621.event e
  JOIN pt621.device d ON d.id = e.device_id
 WHERE e.kind = 'sensor_alarm'
 ORDER BY e.id;

INSERT INTO pt621.device (id, ident, groups) VALUES (1, 'a', '{cold}'), (2, 'b', '{}'), (3, 'c', '{}');
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value)
SELECT d, 'temperature', 1, 'C', '{0,100,500}', '{-50,0,40}' FROM generate_series(1, 3) d;
INSERT INTO pt621.input (device_id, name, number) VALUES (1, 'door', 2), (2, 'door', 2);

-- ------------------------------------------------------------- 1. what is said --

INSERT INTO pt621.sensor_alarm (name, sensor, above, lasting, moving, valid)
VALUES ('door open for long', 'door', 0, '5 min', NULL, '(,)'),
       ('door open while driving', 'door', 0, '0', true, '(,)');
SELECT pg_temp.send('a', '10:00 0 0', '10:01 0 1', '10:05:59 0 1', '10:06 0 1', '10:07 0 1', '10:08 0 0') AS sent;
SELECT pg_temp.send('a', '10:20 0 1', '10:21 10 1', '10:22 20 1', '10:23 0 1', '10:24 0 0') AS sent;
SELECT * FROM pg_temp.alarm;

-- Above 8 degrees for 10 minutes: a dip begins it anew; the first that is not
-- known changes nothing; until it ends there is no until.
INSERT INTO pt621.sensor_alarm (name, sensor, above, lasting, groups, valid)
VALUES ('too warm', 'temperature', 8, '10 min', '{cold}', '(,)');
SELECT pg_temp.send('a', '11:00 0 0 150', '11:01 0 0 190', '11:05 0 0 180', '11:06 0 0 181', '11:12 0 0', '11:16 0 0 200', '11:17 0 0 230') AS sent;
SELECT * FROM pg_temp.alarm WHERE object = 'too warm';
SELECT pg_temp.send('a', '11:30 0 0 190', '11:31 0 0 180', '11:32 0 0 170') AS sent;
SELECT * FROM pg_temp.alarm WHERE object = 'too warm';

-- It is for those of its group only, and where there is such a sensor.
SELECT pg_temp.send('b', '11:00 0 0 200', '11:30 0 0 200') AS sent;
SELECT pg_temp.send('c', '11:00 0 1 200', '11:30 0 1 200') AS sent;
SELECT * FROM pg_temp.alarm WHERE ident <> 'a';
INSERT INTO pt621.sensor_alarm (name, sensor, above, below, devices, valid)
VALUES ('odd', 'temperature', 15, -15, '{2}', '(,)');
SELECT pg_temp.send('b', '12:00 0 0 260', '12:01 0 0 40', '12:02 0 0 100') AS sent;
SELECT * FROM pg_temp.alarm WHERE ident <> 'a';

-- --------------------------------------------------------------- 2. late data --

-- A record from in between shows that the door was shut.
SELECT pg_temp.send('a', '10:03 0 0') AS sent;
SELECT * FROM pg_temp.alarm WHERE object = 'door open for long';
-- And one that it was open before, for long enough after all.
SELECT pg_temp.send('a', '10:02:30 0 1', '10:09 0 1') AS sent;
DELETE FROM pt621.position WHERE device_id = 1 AND fix_time = '2025-03-01 10:03+00';
SELECT * FROM pg_temp.alarm WHERE object = 'door open for long' AND NOT superseded;

-- ---------------------------------------------- 3. what is changed of the rules --

-- The rows are what holds for all the time that they are valid for.  New records
-- go by them at once, what was before is derived anew by a worker, or by hand.
UPDATE pt621.sensor_alarm SET above = 12 WHERE name = 'too warm';
SELECT pt621_settle_sensors(10) > 0 AS settled, pt621_settle_sensors(10) AS left;
SELECT * FROM pg_temp.alarm WHERE object = 'too warm';
UPDATE pt621.sensor_alarm SET above = 7, lasting = '20 min' WHERE name = 'too warm';
SELECT pg_temp.send('a', '12:00 0 0 171', '12:20 0 0 171') AS sent;
SELECT object, at, until, detail FROM pg_temp.alarm WHERE object = 'too warm' AND NOT superseded;
SELECT pt621_settle_sensors(10) > 0 AS settled, pt621_settle_sensors(10) AS left;
SELECT object, at, until, detail FROM pg_temp.alarm WHERE object = 'too warm' AND NOT superseded;

-- Ended, it says no more of what comes after; what it said stays.
UPDATE pt621.sensor_alarm SET valid = '(,2025-03-01 12:10+00)' WHERE name = 'too warm';
SELECT pt621_settle_sensors(10) AS settled;
SELECT object, at, until, detail FROM pg_temp.alarm WHERE object = 'too warm' AND NOT superseded;

-- A calibration that was wrong, from noon on.
UPDATE pt621.sensor_alarm SET valid = '(,)', lasting = '5 min' WHERE name = 'too warm';
UPDATE pt621.calibration SET valid = '(,2025-03-01 12:00+00)' WHERE device_id = 1;
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value, valid)
VALUES (1, 'temperature', 1, 'F', '{0,1000}', '{0,100}', '[2025-03-01 12:00+00,)');
SELECT pt621_settle_sensors(10) > 0 AS settled, pt621_settle_sensors(10) AS left;
SELECT object, at, until, detail FROM pg_temp.alarm WHERE object = 'too warm' AND NOT superseded;

-- A rule that is deleted has never been.  No longer wired: nothing is known.
DELETE FROM pt621.sensor_alarm WHERE name = 'door open while driving';
DELETE FROM pt621.calibration WHERE device_id = 2;
SELECT pt621_settle_sensors(10) > 0 AS settled, pt621_settle_sensors(10) AS left;
SELECT ident, object, at, until FROM pg_temp.alarm WHERE NOT superseded;

-- Nobody has to look where nothing can have changed.
UPDATE pt621.sensor_alarm SET valid = '(,2100-01-01)' WHERE name = 'too warm';
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 2, '{0,1}', '{0,1}');
INSERT INTO pt621.sensor_alarm (name, sensor, above) VALUES ('from now on', 'temperature', 0);
SELECT pt621_settle_sensors(10) AS settled;

-- Deriving all of it again changes nothing.
CREATE TEMP TABLE before AS SELECT * FROM pt621.event;
SELECT pt621_replay_events();
SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT * FROM pt621.event) x;
SELECT count(*) FROM (SELECT * FROM pt621.event EXCEPT SELECT * FROM before) x;

-- The same when the rows come by INSERT.
CREATE TEMP TABLE alarms AS SELECT ident, object, at, until, confirmed, place, detail FROM pg_temp.alarm WHERE NOT superseded;
CREATE TEMP TABLE kept AS SELECT * FROM pt621.position;
TRUNCATE pt621.position;
SELECT count(*) FROM pg_temp.alarm WHERE NOT superseded;
INSERT INTO pt621.position SELECT * FROM kept;
SELECT count(*) AS alarms FROM alarms;
SELECT * FROM (SELECT * FROM alarms EXCEPT SELECT ident, object, at, until, confirmed, place, detail FROM pg_temp.alarm WHERE NOT superseded) x;
SELECT * FROM (SELECT ident, object, at, until, confirmed, place, detail FROM pg_temp.alarm WHERE NOT superseded EXCEPT SELECT * FROM alarms) x;

TRUNCATE pt621.sensor_alarm, pt621.calibration, pt621.input;
SELECT pt621_settle_sensors(10) > 0 AS settled, pt621_settle_sensors(10) AS left;
SELECT count(*) FROM pg_temp.alarm WHERE NOT superseded;

-- ------------------------------------------------------------------ 4. alerts --

-- It lasted for longer than what is late, and is told of when that is known.
TRUNCATE pt621.position, pt621.event, pt621.outbox;
CREATE TRIGGER warm AFTER INSERT ON pt621.event
    FOR EACH ROW WHEN (NEW.kind = 'sensor_alarm' AND NEW.object = 'warm for half an hour' AND NEW.corrects IS NULL AND NOT NEW.late)
    EXECUTE FUNCTION pt621_to_outbox('cold_chain');
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) VALUES (1, 'temperature', 1, 'C', '{0,1000}', '{-50,50}');
INSERT INTO pt621.sensor_alarm (name, sensor, above, lasting, valid) VALUES ('warm for half an hour', 'temperature', 8, '30 min', '(,)');
INSERT INTO pt621.position (device_id, fix_time, geom, adc)
SELECT 1, now() - i * interval '5 min', ST_Point(10, 50, 4326), '{600}' FROM generate_series(0, 7) i;
SELECT o.channel, o.message ->> 'object' AS object, o.message -> 'detail' AS detail FROM pt621.outbox o;
-- But not when all of that came late.
INSERT INTO pt621.position (device_id, fix_time, geom, adc)
SELECT 1, now() - interval '3 days' + i * interval '5 min', ST_Point(10, 50, 4326), '{600}' FROM generate_series(0, 7) i;
SELECT e.at < now() - interval '2 days' AS old, e.late, e.until IS NULL AS open FROM pt621.event e WHERE e.superseded_at IS NULL ORDER BY e.at;
SELECT count(*) FROM pt621.outbox;
DROP TRIGGER warm ON pt621.event;

-- -------------------------------------------------------- 5. what cannot be one --

INSERT INTO pt621.sensor_alarm (name, sensor) VALUES ('x', 'y');
INSERT INTO pt621.sensor_alarm (name, sensor, above, below) VALUES ('x', 'y', 1, 2);
INSERT INTO pt621.sensor_alarm (name, sensor, above) VALUES ('x', 'y', 'NaN');
INSERT INTO pt621.sensor_alarm (name, sensor, below) VALUES ('x', 'y', '-infinity');
INSERT INTO pt621.sensor_alarm (name, sensor, above) VALUES (repeat('x', 64), 'y', 1);
INSERT INTO pt621.sensor_alarm (name, sensor, above, valid) VALUES ('x', 'y', 1, 'empty');
INSERT INTO pt621.sensor_alarm (name, sensor, above, lasting) VALUES ('x', 'y', 1, '-1 s');

-- ------------------------------------------------- 6. when ignition was first on --

TRUNCATE pt621.position;
INSERT INTO pt621.position (device_id, fix_time, valid, ignition)
VALUES (2, '2025-03-01 10:00+00', false, false), (2, '2025-03-01 11:00+00', false, true), (2, '2025-03-01 12:00+00', false, true);
SELECT pt621_ignition_since(s.detectors), pt621_ignition_since(''), pt621_ignition_since(substr(s.detectors, 1, 90)), pt621_ignition_since(NULL)
  FROM pt621.device_state s WHERE s.device_id = 2;
INSERT INTO pt621.position (device_id, fix_time, valid, ignition) VALUES (2, '2025-03-01 09:00+00', false, true);
SELECT pt621_ignition_since(s.detectors) FROM pt621.device_state s WHERE s.device_id = 2;
DELETE FROM pt621.position WHERE ignition;
SELECT pt621_ignition_since(s.detectors) FROM pt621.device_state s WHERE s.device_id = 2;

-- ------------------------------------------- 7. states of a version before this one --

-- They knew nothing of rules, whatever stands where these do now; a tracker that is
-- silent is looked after all the same.
INSERT INTO pt621.position (device_id, fix_time, valid, adc)
SELECT 2, '2025-03-01 10:00+00'::timestamptz + n * interval '1 min', false, ARRAY[n] FROM generate_series(1, 9) n;
UPDATE pt621.device_state SET detectors = substr(detectors, 1, 24) || '\x01' || substr(detectors, 34) WHERE device_id = 2;
UPDATE pt621.track_piece SET detectors = substr(detectors, 1, 24) || '\x01' || substr(detectors, 34) WHERE device_id = 2;
SELECT pt621_rules_known(detectors) FROM pt621.device_state WHERE device_id = 2;
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (2, 'before', 1, '{0,100}', '{0,100}');
INSERT INTO pt621.sensor_alarm (name, sensor, above, valid) VALUES ('before', 'before', 5, '(,)');
SELECT pt621_settle_sensors(), pt621_settle_sensors(), pt621_settle_sensors();
SELECT e.kind, e.object, e.at FROM pt621.event e WHERE e.device_id = 2 AND e.kind = 'sensor_alarm' AND e.object = 'before';
-- that a bound is not in any more is a change, too
UPDATE pt621.sensor_alarm SET valid = '[2025-03-01 10:06+00,)' WHERE name = 'before';
SELECT pt621_settle_sensors(), pt621_settle_sensors();
UPDATE pt621.sensor_alarm SET valid = '(2025-03-01 10:06+00,)' WHERE name = 'before';
SELECT pt621_settle_sensors(), pt621_settle_sensors();
SELECT e.kind, e.object, e.at FROM pt621.event e WHERE e.device_id = 2 AND e.kind = 'sensor_alarm' AND e.object = 'before' AND e.superseded_at IS NULL;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.outbox;
TRUNCATE pt621.sensor_alarm, pt621.calibration, pt621.input;
