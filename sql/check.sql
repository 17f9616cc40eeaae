-- check.sql: what is said of trackers to who fits them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\pset format unaligned
\set VERBOSITY default
\set SHOW_CONTEXT never
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.event, pt621.command, pt621.command_log,
         pt621.photo, pt621.photo_piece, pt621.calibration;

INSERT INTO pt621.device (id, ident, imei, enabled, firmware, hardware, allowed_peers, ignition_input)
VALUES (1, '862170000000001', '862170000000001', true, '621-1.2', 'A1', '{10.0.0.0/8}', 4), (2, '1002', NULL, true, NULL, NULL, NULL, 4),
       (3, '1003', NULL, true, NULL, NULL, NULL, NULL), (4, '1004', NULL, true, NULL, NULL, NULL, 4), (5, '1005', NULL, true, NULL, NULL, NULL, 4),
       (6, '1006', NULL, true, NULL, NULL, NULL, 4), (7, '1007', NULL, false, NULL, NULL, NULL, 4), (8, '1008', NULL, true, NULL, NULL, NULL, 9),
       (9, '1009', NULL, true, NULL, NULL, '{10.0.0.0/8}', 4), (10, '1010', NULL, true, NULL, NULL, NULL, 4), (11, '1011', NULL, true, NULL, NULL, NULL, 4);

-- A tracker that reports for so many half minutes until 10 s ago, and drives along
-- a parallel, 500 m with each, in the middle third of that time.
CREATE FUNCTION pg_temp.drives(ident text, records integer, inputs text[] DEFAULT '{00000,00010}', early interval DEFAULT '0', pause interval DEFAULT '30 s',
                               tail text DEFAULT E'\r\n', flag text DEFAULT 'A', peer inet DEFAULT '10.0.0.7', odometer integer DEFAULT 500,
                               held interval DEFAULT '0', adc text DEFAULT '1f4,0')
RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(pt621_ingest(convert_to(format('$POS,%s,%s.000,%s,5224.0000,N,%s,E,%s,90.00,%s,,,A/%s,00000/%s/%s//fa9//%s', ident,
                   to_char(r.at - early, 'HH24MISS'), flag, '013' || to_char(r.driven * 500 / 1131.0, 'FM00.0000'),
                   CASE WHEN r.moves THEN '32.40' ELSE '0.00' END, to_char(r.at - early, 'DDMMYY'), inputs[1 + r.moves::integer],
                   CASE WHEN r.moves THEN adc ELSE '1f4,0' END, 100000 + r.driven * odometer, tail), 'UTF8'), 'tcp', peer, 5000, r.at + held))
      FROM (SELECT n, date_trunc('second', now()) - interval '10 s' - (records - n) * pause AS at, n > records / 3 AND n <= records * 2 / 3 AS moves,
                   least(greatest(n - records / 3, 0), records / 3) AS driven
              FROM generate_series(1, records) n) r
$$;
-- What is said, times apart.
CREATE FUNCTION pg_temp.said(device integer, topics text[] DEFAULT NULL, period interval DEFAULT '1 day')
RETURNS TABLE (topic text, verdict text, finding text, advice text) LANGUAGE sql AS $$
    SELECT c.topic, c.verdict, regexp_replace(c.finding, '\d{4}-\d\d-\d\d \d\d:\d\d UTC', 'TIME', 'g'), c.advice
      FROM pt621_check(device, period) c
     WHERE topics IS NULL AND c.verdict <> 'ok' OR c.topic = ANY (topics)
$$;

-- --------------------------------------------------------------- 1. healthy --

SELECT pg_temp.drives('862170000000001', 90, adc => '258,0');
SELECT * FROM pg_temp.said(1);
SELECT * FROM pg_temp.said(1, (SELECT array_agg(c.topic) FROM pt621_check(1) c));
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600}', '{0,50}');
SELECT * FROM pg_temp.said(1, '{analog}');
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'cold', 2, '{100,600}', '{0,50}'), (1, 'tank 2', 3, '{100,600}', '{0,50}');
SELECT * FROM pg_temp.said(1, '{analog}');
-- of two of one name the later one; pieces of photos and texts are no records
UPDATE pt621.calibration SET channel = 2, valid = tstzrange(now() - interval '1 hour', NULL) WHERE name = 'fuel';
INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'fuel', 1, '{100,600}', '{0,50}');
DELETE FROM pt621.calibration WHERE name IN ('cold', 'tank 2');
SELECT * FROM pg_temp.said(1, '{analog}');
INSERT INTO pt621.frame (received_at, device_id, ident, transport, bytes, decoder)
SELECT now() + n * interval '1 ms', 1, '862170000000001', CASE n % 3 WHEN 2 THEN 'sms' ELSE 'tcp' END,
       CASE n % 3 WHEN 0 THEN '\xbffb090000'::bytea || '$PHD0,1,x' WHEN 1 THEN '$PHD0,1,x' ELSE 'Power low' END, 'x'
  FROM generate_series(1, 300) n;
SELECT * FROM pg_temp.said(1, '{variant}');
DELETE FROM pt621.frame WHERE decoder = 'x';
-- too short a period to see anything of it
SELECT * FROM pg_temp.said(1, NULL, '1 s');

-- -------------------------------------------------------- 2. ignition, wires --

SELECT pg_temp.drives('1002', 90, '{10000,10000}', odometer => 0);
SELECT * FROM pg_temp.said(2);
-- It is at another input.
DELETE FROM pt621.position WHERE device_id = 2;
SELECT pg_temp.drives('1002', 90, '{00000,01000}', early => '1 s');
SELECT * FROM pg_temp.said(2, '{inputs}', '40 min');
-- always on, none, one that there is not, a tracker that did not move
DELETE FROM pt621.position WHERE device_id = 2;
SELECT pg_temp.drives('1002', 90, '{00010,00010}');
SELECT * FROM pg_temp.said(2, '{inputs,odometer}');
UPDATE pt621.device SET ignition_input = NULL WHERE id = 2;
SELECT * FROM pg_temp.said(2, '{inputs}');
UPDATE pt621.device SET ignition_input = 9 WHERE id = 2;
SELECT * FROM pg_temp.said(2, '{inputs}');
UPDATE pt621.device SET ignition_input = 4 WHERE id = 2;
DELETE FROM pt621.position WHERE device_id = 2 AND speed_kmh > 0;
SELECT * FROM pg_temp.said(2, '{inputs,odometer}');
-- the engine's output
UPDATE pt621.position SET outputs = '10000' WHERE device_id = 2;
SELECT * FROM pg_temp.said(2, '{outputs}');
UPDATE pt621.position SET speed_kmh = 60 WHERE device_id = 2;
SELECT * FROM pg_temp.said(2, '{outputs}');
-- Over 180 degrees there is no way around the globe; nor is there one to where the equator begins.
DELETE FROM pt621.position WHERE device_id = 2;
SELECT pg_temp.drives('1002', 90);
CREATE TEMP TABLE away AS SELECT fix_time, geom FROM pt621.position WHERE device_id = 2 ORDER BY fix_time OFFSET 44 LIMIT 1;
UPDATE pt621.position p SET geom = ST_SetSRID(ST_MakePoint(0, 0), 4326), quality = quality | 32768 FROM away a WHERE p.device_id = 2 AND p.fix_time = a.fix_time;
SELECT * FROM pg_temp.said(2, '{odometer}');
UPDATE pt621.position p SET geom = a.geom, quality = quality & ~32768 FROM away a WHERE p.device_id = 2 AND p.fix_time = a.fix_time;
UPDATE pt621.position SET geom = ST_SetSRID(ST_MakePoint(CASE WHEN ST_X(geom) < 13.1 THEN ST_X(geom) + 166.9 ELSE ST_X(geom) - 193.1 END, ST_Y(geom)), 4326)
 WHERE device_id = 2;
SELECT * FROM pg_temp.said(2, '{odometer}');
-- Fixes that wander while it is parked are none either.
UPDATE pt621.position SET speed_kmh = 0, odometer_m = 100000 WHERE device_id = 2;
SELECT * FROM pg_temp.said(2, '{odometer}');

-- ----------------------------------------------------------------- 3. clocks --

SELECT pg_temp.drives('1003', 90, early => '7168 days');
SELECT * FROM pg_temp.said(3);
DELETE FROM pt621.position WHERE device_id = 3;
DELETE FROM pt621.frame WHERE device_id = 3;
-- local time, two hours east of Greenwich
SELECT pg_temp.drives('1003', 60, early => '-2 h');
SELECT * FROM pg_temp.said(3, '{clock}');
DELETE FROM pt621.frame WHERE device_id = 3;
-- and in Nepal
SELECT pg_temp.drives('1003', 60, early => '-5 h -45 min');
SELECT * FROM pg_temp.said(3, '{clock}');
DELETE FROM pt621.frame WHERE device_id = 3;
SELECT pg_temp.drives('1003', 60, early => '3 h 30 min');
SELECT * FROM pg_temp.said(3, '{clock}');
DELETE FROM pt621.frame WHERE device_id = 3;
-- half an hour is no zone
SELECT pg_temp.drives('1003', 60, early => '30 min');
SELECT * FROM pg_temp.said(3, '{clock}');
DELETE FROM pt621.frame WHERE device_id = 3;
-- By one clock: which of them are of the last ten minutes is counted.
BEGIN;
SELECT pg_temp.drives('1003', 60, early => '5 min');
SELECT * FROM pg_temp.said(3, '{clock}');
DELETE FROM pt621.frame WHERE device_id = 3;
SELECT pg_temp.drives('1003', 60, early => '1000 days');
SELECT * FROM pg_temp.said(3, '{fix,clock}', '10 min');
DELETE FROM pt621.frame WHERE device_id = 3;
SELECT pg_temp.drives('1003', 60, early => '9000 days', flag => 'V');
SELECT * FROM pg_temp.said(3, '{fix,clock}', '10 min');
COMMIT;

-- ------------------------------------------------------ 4. only what is stored --

SELECT pg_temp.drives('1004', 30, tail => E'#\n', early => '3 h', pause => '4 min');
SELECT * FROM pg_temp.said(4);
-- Half of them came live, before a silence of which the others are.
SELECT pg_temp.drives('1011', 60, pause => '2 s', early => '3 h', held => '-3 h'), pg_temp.drives('1011', 20, pause => '10 s', tail => E'#\n', early => '1 h');
SELECT * FROM pg_temp.said(11, '{gaps,interval}');

-- ---------------------------------------------------------------- 5. rejected --

SELECT pg_temp.drives('1005', 30);
INSERT INTO pt621.frame (received_at, device_id, ident, transport, bytes, error, decoder)
SELECT now() - interval '1 min', 5, '1005', 'tcp', 'x', e.error, 'x'
  FROM unnest('{"frame verify byte is 12, its body gives 13, at byte 2","frame verify byte is 14, its body gives 13, at byte 2",
                "frame of 100 bytes cut short after 20, at byte 3","not a record, at byte 0","no record with check byte 4a to apply the delta to, at byte 0",
                "a report has at least 12 fields, this one has 3, at byte 9","id of 21 bytes, 1 to 20 are possible, at byte 5","delta cut short in a patch, at byte 3","what a trigger says"}'::text[]) e (error);
SELECT * FROM pg_temp.said(5);
SELECT e.error, (pt621_check_reason(e.error)).*
  FROM unnest('{"delta cut short in a patch, at byte 3","the sender, 123, is not the tracker that the text names","photo chunk of 960 bytes cut short after 3, at byte 0","a piece of a photo larger than pt621.max_photo_size",
                "more records in a second than pt621.max_record_rate","no line end within 1024 bytes, at byte 0","event code is not 1 to 16 printable bytes, at byte 1",
                "quarantined: the tracker is not in pt621.device","another connection speaks for the tracker"}'::text[]) e (error);

-- ------------------------------------------------- 6. never heard, not let in --

SELECT topic, verdict, finding, advice <> '' AS advice FROM pt621_check(6) WHERE verdict <> 'ok';
SELECT pt621_check_heard('{"state": {"listener": {"state": "open", "port": 8888}}, "frames": {"units": 0}}');
SELECT pt621_check_heard('{"state": {"listener": {"state": "closed", "reason": "no extension"}}, "frames": {"units": 0}}');
SELECT pt621_check_heard('{"state": {}, "frames": {"units": 0}}');
SELECT pg_temp.drives('1007', 3);
SELECT * FROM pg_temp.said(7);
UPDATE pt621.device SET enabled = false WHERE id = 1;
SELECT * FROM pg_temp.said(1, '{heard,policy}');
SELECT pg_temp.drives('1009', 3, peer => '192.0.2.7');
SELECT * FROM pg_temp.said(9, '{heard,policy}');
-- the newest of those peers, and of no other error
SELECT pg_temp.drives('1009', 1, peer => '100.64.0.9');
UPDATE pt621.frame SET received_at = received_at + interval '2 s' WHERE peer = '100.64.0.9';
INSERT INTO pt621.frame (received_at, device_id, ident, transport, peer, bytes, error, decoder)
VALUES (now(), 9, '1009', 'tcp', '203.0.113.9', 'x', 'another connection speaks for the tracker', 'x');
SELECT * FROM pg_temp.said(9, '{policy}');
-- archived before there was a row for it
UPDATE pt621.frame SET device_id = NULL WHERE ident = '1005';
SELECT * FROM pg_temp.said(5, '{policy}');
UPDATE pt621.frame SET error = CASE seq % 2 WHEN 0 THEN 'quarantined: the tracker is not in pt621.device' ELSE 'the tracker is not in pt621.device' END
 WHERE ident = '1005' AND error IS NULL;
SELECT * FROM pg_temp.said(5, '{policy}');

-- --------------------------------------------------------------- 7. conflicts --

SELECT pg_temp.drives('1008', 60);
UPDATE pt621.device SET imei = '862170000000001' WHERE id = 8;
UPDATE pt621.device SET enabled = true WHERE id = 1;
SELECT * FROM pg_temp.said(8, '{identity,inputs}');
UPDATE pt621.device SET enabled = false WHERE id = 1;
SELECT * FROM pg_temp.said(8, '{identity}');
UPDATE pt621.device SET imei = NULL WHERE id = 8;
-- A text and a datagram between its records are no other tracker; one return may be a late end.
UPDATE pt621.frame SET conn = 1 WHERE device_id = 8;
SELECT pt621_ingest_text('1008', 'Hello', now() - interval '10 min');
UPDATE pt621.frame SET conn = 2, transport = 'udp' WHERE device_id = 8 AND seq = (SELECT max(seq) - 9 FROM pt621.frame WHERE device_id = 8);
SELECT * FROM pg_temp.said(8, '{identity}');
UPDATE pt621.frame SET transport = 'tcp' WHERE device_id = 8 AND transport = 'udp';
SELECT * FROM pg_temp.said(8, '{identity}');
UPDATE pt621.frame SET conn = 1 WHERE device_id = 8;
UPDATE pt621.device_state SET conflicts = 1, conflict_at = now(), conflict_peer = '10.0.0.9' WHERE device_id = 8;
SELECT * FROM pg_temp.said(8, '{identity}');
UPDATE pt621.device_state SET conflicts = 7 WHERE device_id = 8;
UPDATE pt621.frame SET conn = 1 + seq % 2 WHERE device_id = 8;
SELECT * FROM pg_temp.said(8, '{identity}');

-- ------------------------------------------------------ 8. photos, commands --

SELECT pg_temp.drives('1010', 30, pause => '5 min', flag => 'V');
SELECT * FROM pg_temp.said(10);
INSERT INTO pt621.photo (device_id, fix_time, digest, size, state, reason) VALUES (10, now(), 1, 100, 'announced', NULL);
SELECT * FROM pg_temp.said(10, '{photos}');
INSERT INTO pt621.photo (device_id, fix_time, digest, size, state, reason) VALUES (10, now(), 2, 0, 'failed', 'it had no picture');
SELECT * FROM pg_temp.said(10, '{photos}');
INSERT INTO pt621.photo (device_id, fix_time, digest, size, state, reason) VALUES (10, now(), 3, 100, 'complete', NULL);
SELECT * FROM pg_temp.said(10, '{photos}');
SELECT pt621_sms(10, 'position');
SELECT * FROM pg_temp.said(10, '{commands}');
SELECT pt621_send(10, 'photo') > 0 AS sent;
SELECT * FROM pg_temp.said(10, '{commands}');
SET ROLE pt621;
UPDATE pt621.command SET state = CASE kind WHEN 'photo' THEN 'expired' ELSE 'answered' END WHERE device_id = 10;
RESET ROLE;
SELECT * FROM pg_temp.said(10, '{commands}');
SELECT pt621_send(10, 'text', 'PWD''1') > 0 AS sent;
SET ROLE pt621;
UPDATE pt621.command SET state = 'expired' WHERE device_id = 10 AND kind = 'text';
RESET ROLE;
SELECT * FROM pg_temp.said(10, '{commands}');
UPDATE pt621.device_state SET last_seen = now() - interval '1 day' WHERE device_id = 10;
SELECT * FROM pg_temp.said(10, '{heard}');
DELETE FROM pt621.frame WHERE device_id = 10;
SELECT pt621_ingest_text('1010', 'Lat:52.5 Lon:13.3');
SELECT * FROM pg_temp.said(10, '{heard,fix}');
SELECT pt621_ingest_text('1011', 'Hello');
SELECT * FROM pg_temp.said(11, '{heard}');

-- ---------------------------------------------------------- 9. errors, rights --

SELECT * FROM pt621_check(99);
SELECT * FROM pt621_check(NULL);
SELECT * FROM pt621_check(1, '-1 s');
SELECT * FROM pt621_check(1, NULL);
CREATE ROLE regress_pt621_fitter;
SET ROLE regress_pt621_fitter;
SELECT * FROM pt621_check(1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_check, pt621_stat_worker, pt621_stat_connection TO regress_pt621_fitter;
SET ROLE regress_pt621_fitter;
DO $$
BEGIN
    PERFORM pt621_check(1);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE '%', SQLERRM;
END $$;
RESET ROLE;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_fitter;
GRANT SELECT ON pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.presence, pt621.photo, pt621.command, pt621.calibration TO regress_pt621_fitter;
SET ROLE regress_pt621_fitter;
SELECT count(*) FROM pt621_check(1);
RESET ROLE;
DROP OWNED BY regress_pt621_fitter;
DROP ROLE regress_pt621_fitter;
DELETE FROM pt621.command;
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.event, pt621.command_log,
         pt621.photo, pt621.photo_piece, pt621.calibration;
