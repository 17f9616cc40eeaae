-- devices.sql: what pt621.device says about a tracker, and which trackers are let
-- in.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- A report of 1 March 2025.
CREATE FUNCTION pg_temp.report(
    ident text, at time DEFAULT '10:00', inputs text DEFAULT '00000', odometer text DEFAULT '1000', gsb text DEFAULT 'f73') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$POS,' || ident || ',' || to_char(at, 'HH24MISS') || '.000,A,2230.0000,N,11406.0000,E,10.00,90.0,010325,,,A/' ||
                  inputs || ',00000/0/' || odometer || '//' || gsb || E'//\r\n', 'SQL_ASCII');

CREATE FUNCTION pg_temp.ingest(value bytea, peer inet DEFAULT NULL, at time DEFAULT '11:00') RETURNS integer
LANGUAGE sql
RETURN pt621_ingest(value, 'tcp', peer, received_at => '2025-03-01 00:00:00+00'::timestamptz + at);

CREATE VIEW pg_temp.unit AS
SELECT row_number() OVER (ORDER BY f.received_at, f.seq) AS n, f.ident, f.device_id IS NOT NULL AS known, f.peer,
       -- what the codec says is not this test's business
       regexp_replace(f.error, '^.*, at byte', 'not read, at byte') AS error,
       EXISTS (SELECT FROM pt621.position p WHERE p.frame_seq = f.seq) AS position
  FROM pt621.frame f;

-- ---------------------------------------------------------------------- the table --

-- Bounds.
INSERT INTO pt621.device (ident) VALUES (NULL);
INSERT INTO pt621.device (ident) VALUES ('');
INSERT INTO pt621.device (ident, ignition_input) VALUES ('1', 0);
INSERT INTO pt621.device (ident, ignition_input) VALUES ('1', 33);
INSERT INTO pt621.device (ident, odometer_factor) VALUES ('1', 0);
INSERT INTO pt621.device (ident, odometer_factor) VALUES ('1', 'NaN');
INSERT INTO pt621.device (ident, status_order) VALUES ('1', 'bbb');
INSERT INTO pt621.device (ident) VALUES ('1'), ('1');
INSERT INTO pt621.device (ident) VALUES ('1'), ('01'), ('001'), ('1 ') RETURNING ident;
-- Longer than a tracker's id can be, and none that the wire has: it waits for ever.
INSERT INTO pt621.device (ident) VALUES (repeat('1', 21)), (E'\u00e9');
TRUNCATE pt621.device;

-- --------------------------------------------------------------------------- ids --

-- Digits as sent: zeros count, 20 characters are the most.
SELECT pg_temp.ingest(pg_temp.report('1') || pg_temp.report('01') || pg_temp.report('0000000000000000001')
                      || pg_temp.report('00000000000000000001') || pg_temp.report('000000000000000000001')) AS four;
SELECT d.ident, length(d.ident), count(p.*) FROM pt621.device d LEFT JOIN pt621.position p ON p.device_id = d.id GROUP BY 1, 2 ORDER BY 1;
-- A tracker that was entered by hand is taken as it is; new ones take no number
-- that is not theirs.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
INSERT INTO pt621.device (ident, name, groups) VALUES ('1', 'van 1', '{north}');
SELECT pg_temp.ingest(pg_temp.report('3') || pg_temp.report('2') || pg_temp.report('1')),
       pg_temp.ingest(pg_temp.report('1', '10:01') || pg_temp.report('4', '10:01') || pg_temp.report('2', '10:01'));
SELECT d.id, d.ident, d.name, d.groups FROM pt621.device d ORDER BY d.id;

-- ----------------------------------------------------------------- ignition input --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
INSERT INTO pt621.device (ident, ignition_input)
SELECT coalesce(i::text, 'none'), i FROM unnest(ARRAY[NULL, 1, 2, 4, 5, 6, 32]) AS i;
-- Inputs are counted from the left; one that the string does not have, and none
-- at all, is not known.
SELECT sum(pg_temp.ingest(pg_temp.report(d.ident, '10:00', '10010') || pg_temp.report(d.ident, '10:01', '0100')
                          || pg_temp.report(d.ident, '10:02', '') || pg_temp.report(d.ident, '10:03', '00x1'))) FROM pt621.device d;
SELECT d.ident AS input,
       max(p.ignition::text) FILTER (WHERE p.fix_time = '2025-03-01 10:00+00') AS "10010",
       max(p.ignition::text) FILTER (WHERE p.fix_time = '2025-03-01 10:01+00') AS "0100",
       count(p.ignition) FILTER (WHERE p.fix_time > '2025-03-01 10:01+00') AS "none or broken",
       s.ignition, s.ignition_time
  FROM pt621.device d
  JOIN pt621.device_state s ON s.device_id = d.id
  JOIN pt621.position p ON p.device_id = d.id
 GROUP BY d.ident, s.ignition, s.ignition_time ORDER BY length(d.ident), d.ident;
-- A setting holds from the next record on, not for what is there.
UPDATE pt621.device SET ignition_input = 1 WHERE ident = '4';
SELECT pg_temp.ingest(pg_temp.report('4', '10:04', '10000'));
SELECT p.fix_time::time, p.inputs, p.ignition FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '4' ORDER BY 1;

-- ---------------------------------------------------------------- odometer factor --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
INSERT INTO pt621.device (ident, odometer_factor) VALUES ('1', 1), ('1.609', 1.609), ('1000', 1000), ('0.1', 0.1), ('1e6', 1e6), ('1e-300', 1e-300);
SELECT sum(pg_temp.ingest(pg_temp.report(d.ident, '10:00', odometer => '1005') || pg_temp.report(d.ident, '10:01', odometer => '')
                          || pg_temp.report(d.ident, '10:02', odometer => '999999999999999999'))) FROM pt621.device d;
-- Rounded to the metre, halves to even; NULL where the product is no bigint.
SELECT d.ident AS factor, max(p.odometer_m) FILTER (WHERE p.fix_time = '2025-03-01 10:00+00') AS "1005",
       count(p.odometer_m) FILTER (WHERE p.fix_time = '2025-03-01 10:01+00') AS "empty",
       max(p.odometer_m) FILTER (WHERE p.fix_time = '2025-03-01 10:02+00') AS large
  FROM pt621.device d
  JOIN pt621.position p ON p.device_id = d.id
 GROUP BY d.ident ORDER BY d.ident COLLATE "C";

-- ------------------------------------------------------------------- status digits --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
INSERT INTO pt621.device (ident, status_order) SELECT o, o FROM unnest('{bgs,bsg,gbs,gsb,sbg,sgb}'::text[]) AS o;
SELECT sum(pg_temp.ingest(pg_temp.report(d.ident, '10:00', gsb => 'F07') || pg_temp.report(d.ident, '10:01', gsb => 'f0') || pg_temp.report(d.ident, '10:02', gsb => '')))
  FROM pt621.device d;
SELECT d.ident AS status_order, p.gsb, p.battery, p.gsm, p.satellites, pt621_quality(p.quality) AS quality, count(*)
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id AND p.gsb IS NOT DISTINCT FROM 'F07'
 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1;
SELECT p.gsb, count(p.battery) + count(p.gsm) + count(p.satellites) AS known, pt621_quality(p.quality) AS quality, count(*)
  FROM pt621.position p WHERE p.gsb IS DISTINCT FROM 'F07' GROUP BY 1, 3 ORDER BY 1;

-- -------------------------------------------------------------- enabled, allowed_peers --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
INSERT INTO pt621.device (ident, enabled, allowed_peers) VALUES
    ('off', false, NULL), ('any', true, NULL), ('none', true, '{}'), ('null', true, '{NULL}'),
    ('some', true, '{192.0.2.0/24,2001:db8::/32}');
SELECT pg_temp.ingest(pg_temp.report('off') || pg_temp.report('any') || pg_temp.report('none') || pg_temp.report('null') || pg_temp.report('some'),
                      '192.0.2.7', '11:00') AS "any, some",
       pg_temp.ingest(pg_temp.report('any', '10:01') || pg_temp.report('none', '10:01') || pg_temp.report('some', '10:01'), '198.51.100.7', '12:00') AS "any",
       pg_temp.ingest(pg_temp.report('some', '10:02'), '2001:db8::1', '13:00') AS some,
       -- what says not where it came from is SQL's own
       pg_temp.ingest(pg_temp.report('some', '10:03') || pg_temp.report('none', '10:03'), NULL, '14:00') AS "some, none";
SELECT * FROM pg_temp.unit ORDER BY n;
-- A stranger does not become the tracker's last peer, nor give it a base.
SELECT d.ident, s.last_seen::time AS last_seen, s.last_peer, cardinality(s.bases) AS bases, s.fix_time::time AS fix_time
  FROM pt621.device d
  LEFT JOIN pt621.device_state s ON s.device_id = d.id
 ORDER BY d.ident;
-- What cannot be read at all says so, whoever sent it.
SELECT pg_temp.ingest(pg_temp.report('off', '10:05') || convert_to(E'junk\r\n$POS,off\r\n', 'SQL_ASCII'), '192.0.2.7', '15:00');
SELECT ident, error FROM pg_temp.unit WHERE n > 11 ORDER BY n;

-- ------------------------------------------------- pt621.unknown_devices, pt621.archive --

-- Settings of the server: changed for all, and put back.  A session takes a new
-- value in between two statements, hence a hundred of them, not shown.
CREATE FUNCTION pg_temp.waits(name text, value text) RETURNS SETOF text
LANGUAGE sql
RETURN format('SELECT pg_sleep(0.1) WHERE current_setting(%L) <> %L', name, value);
CREATE TEMP TABLE log (unknown_devices text, archive text, known integer, unknown integer, delta integer);
CREATE PROCEDURE pg_temp.step()
LANGUAGE plpgsql AS $$
DECLARE
    said log;
BEGIN
    TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
    INSERT INTO pt621.device (ident) VALUES ('old');
    SELECT current_setting('pt621.unknown_devices'), current_setting('pt621.archive') INTO said.unknown_devices, said.archive;
    said.known := pg_temp.ingest(pg_temp.report('old'), at => '11:00');
    said.unknown := pg_temp.ingest(pg_temp.report('new'), at => '11:01');
    said.delta := pg_temp.ingest('\x40000204023031'::bytea || convert_to(E'junk\r\n', 'SQL_ASCII'), at => '11:02');
    INSERT INTO log SELECT said.*;
END
$$;

SHOW pt621.unknown_devices;
SHOW pt621.archive;
CALL pg_temp.step();
SELECT n, ident, known, error, position FROM pg_temp.unit ORDER BY n;

ALTER SYSTEM SET pt621.unknown_devices = 'quarantine';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'quarantine') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
CALL pg_temp.step();
SELECT n, ident, known, error, position FROM pg_temp.unit ORDER BY n;
SELECT d.ident FROM pt621.device d ORDER BY 1;

ALTER SYSTEM SET pt621.archive = 'none';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.archive', 'none') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
-- What is in quarantine is kept even so, else it would be lost.
CALL pg_temp.step();
SELECT n, ident, known, error, position FROM pg_temp.unit ORDER BY n;

ALTER SYSTEM SET pt621.unknown_devices = 'reject';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'reject') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
CALL pg_temp.step();
SELECT n, ident, known, error, position FROM pg_temp.unit ORDER BY n;

ALTER SYSTEM SET pt621.archive = 'rejected';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.archive', 'rejected') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
CALL pg_temp.step();
SELECT n, ident, known, error, position FROM pg_temp.unit ORDER BY n;
SELECT d.ident FROM pt621.device d ORDER BY 1;

ALTER SYSTEM RESET pt621.unknown_devices;
ALTER SYSTEM RESET pt621.archive;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'register') FROM generate_series(1, 100) \gexec
SELECT pg_temp.waits('pt621.archive', 'all') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
CALL pg_temp.step();
SELECT unknown_devices, archive, known, unknown, delta FROM log;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
