-- adopt.sql: pt621_adopt() brings a tracker in that was not registered, with all
-- that was archived of it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;

-- A report of 1 March 2025.
CREATE FUNCTION pg_temp.report(ident text, at text, odometer text DEFAULT '1000', ending text DEFAULT E'\r\n') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$POS,' || ident || ',' || replace(at, ':', '') || '.000,A,2230.0000,N,11406.0000,E,10.00,90.0,010325,,,A/00010,00000/0/' ||
                  odometer || '//f73//' || ending, 'SQL_ASCII');

CREATE FUNCTION pg_temp.xor(value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN decode(lpad(to_hex((SELECT bit_xor(get_byte(value, i)) FROM generate_series(0, length(value) - 1) i)), 2, '0'), 'hex');

CREATE FUNCTION pg_temp.framed(body bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\xbffb'::bytea || pg_temp.xor(body) || set_byte(set_byte('\x0000', 0, (length(body) + 5) % 256), 1, (length(body) + 5) / 256) || body;

-- A delta that changes the time of day (field 2) of its base.
CREATE FUNCTION pg_temp.delta(base bytea, at text) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\x40'::bytea || pg_temp.xor(base) || '\x02000a' || convert_to(replace(at, ':', '') || '.000', 'SQL_ASCII');

CREATE FUNCTION pg_temp.ingest(value bytea, at time, peer inet DEFAULT NULL) RETURNS integer
LANGUAGE sql
RETURN pt621_ingest(value, 'tcp', peer, received_at => '2025-03-01 00:00:00+00'::timestamptz + at);

CREATE FUNCTION pg_temp.waits(name text, value text) RETURNS SETOF text
LANGUAGE sql
RETURN format('SELECT pg_sleep(0.1) WHERE current_setting(%L) <> %L', name, value);

CREATE VIEW pg_temp.unit AS
SELECT row_number() OVER (ORDER BY f.received_at, f.seq) AS n, f.received_at::time AS at, f.ident, d.ident AS device, f.error,
       f.record IS NOT NULL AS record, EXISTS (SELECT FROM pt621.position p WHERE p.frame_seq = f.seq AND p.received_at = f.received_at) AS position
  FROM pt621.frame f LEFT JOIN pt621.device d ON d.id = f.device_id;

-- All that is said of a tracker, but for the numbers of units and connections, and
-- means over transactions.
CREATE VIEW pg_temp.said AS
SELECT 'frame' AS what, d.ident, to_jsonb(f) - '{seq,conn,device_id}'::text[] AS said, count(*)
  FROM pt621.frame f LEFT JOIN pt621.device d ON d.id = f.device_id GROUP BY 1, 2, 3
UNION ALL
SELECT 'position', d.ident, to_jsonb(p) - '{device_id,frame_seq}'::text[] || jsonb_build_object('bytes', f.bytes), count(*)
  FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id LEFT JOIN pt621.frame f ON f.received_at = p.received_at AND f.seq = p.frame_seq GROUP BY 1, 2, 3
UNION ALL
SELECT 'state', d.ident, to_jsonb(s) - '{device_id,last_conn,report_interval,detectors}'::text[], count(*)
  FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id GROUP BY 1, 2, 3;

-- ------------------------------------------------------------------------ which ids --

SELECT pt621_adopt(NULL);
SELECT pt621_adopt('');
SELECT pt621_adopt('123456789012345678901');
SELECT pt621_adopt(E'1\n');
SELECT pt621_adopt(E'\u00e9');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pt621_adopt('1');
ROLLBACK;
SELECT count(*) AS devices FROM pt621.device;

-- Of one that nothing is known of there is a row then, and no more.
SELECT pt621_adopt('12345678901234567890'), pt621_adopt(' ~');
SELECT pt621_adopt('12345678901234567890');
SELECT id, ident, enabled, allowed_peers FROM pt621.device ORDER BY id;
SELECT count(*) AS states FROM pt621.device_state;
-- One that is there is left as it is.
INSERT INTO pt621.device (ident, name, ignition_input) VALUES ('a', 'van 1', 2);
SELECT pt621_adopt('a');
SELECT ident, name, ignition_input FROM pt621.device WHERE ident = 'a';

-- Members only.
CREATE ROLE pt621_adopt_stranger;
SET ROLE pt621_adopt_stranger;
SELECT pt621_adopt('a');
RESET ROLE;
DROP ROLE pt621_adopt_stranger;

-- ------------------------------------------------------- as if it had been there always --

-- Two trackers of which one is not registered in the second round, with whatever
-- they can send, in transactions of few units.
CREATE PROCEDURE pg_temp.play()
LANGUAGE plpgsql AS $$
DECLARE
    base bytea := pg_temp.report('3500', '10:00:00');
    late bytea := pg_temp.report('3500', '10:10:00', '1010');
BEGIN
    PERFORM pg_temp.ingest(pg_temp.report('old', '10:00:00') || pg_temp.report('3500', '09:59:00', ending => E'#\n'), '11:00', '192.0.2.1');
    -- a line end of its own, garbage, a delta on the record before
    PERFORM pg_temp.ingest(base || '\x0d0a'::bytea || 'garbage'::bytea || '\x0d0a'::bytea || pg_temp.delta(base, '10:01:00'), '11:01', '192.0.2.1');
    -- a frame of two and one that is broken
    PERFORM pg_temp.ingest(pg_temp.framed(pg_temp.report('3500', '10:02:00') || pg_temp.report('3500', '10:03:00'))
                           || set_byte(pg_temp.framed(pg_temp.report('3500', '10:04:00')), 2, 1), '11:02', '192.0.2.2');
    -- a framed delta before its base, of a connection that names the tracker later; a photo chunk
    PERFORM pg_temp.ingest(pg_temp.framed(pg_temp.delta(late, '10:11:00')) || late || pg_temp.framed('$PHD0,4,'::bytea || '\x0d0a24400d0a'::bytea), '11:03', '192.0.2.3');
    -- a delta that never finds its base
    PERFORM pg_temp.ingest(late || '\x40000204023031'::bytea, '11:04', '192.0.2.4');
    -- again, and without a plausible time, twice
    PERFORM pg_temp.ingest(base || pg_temp.report('3500', '99:99:99') || pg_temp.report('3500', '99:99:99'), '11:05', '192.0.2.5');
    PERFORM pg_temp.ingest(pg_temp.report('old', '10:05:00'), '11:06', '192.0.2.6');
    PERFORM pg_temp.ingest(convert_to(E'$FUS3500,510-V1.12,A11-V3.0\r\n', 'SQL_ASCII'), '11:07');
    PERFORM pg_temp.ingest(pg_temp.report('3500', '09:00:00', '900') || 'rest'::bytea, '11:08', '2001:db8::1');
END
$$;

ALTER SYSTEM SET pt621.batch_size = 2;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.batch_size', '2') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
INSERT INTO pt621.device (ident) VALUES ('old');
CALL pg_temp.play();
CREATE TEMP TABLE registered AS SELECT * FROM pg_temp.said;
SELECT n, at, ident, device, regexp_replace(error, ', at byte.*', '') AS error, record, position FROM pg_temp.unit ORDER BY n;

ALTER SYSTEM SET pt621.unknown_devices = 'quarantine';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'quarantine') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
INSERT INTO pt621.device (ident) VALUES ('old');
CALL pg_temp.play();
SELECT coalesce(error ~ '^quarantined', false) AS quarantined, count(*), count(device) AS known FROM pg_temp.unit GROUP BY 1 ORDER BY 1;
SELECT pt621_adopt('3500') = (SELECT sum(count) FROM registered WHERE what = 'position' AND ident = '3500') AS all_of_them;
-- Nothing is different.
SELECT * FROM registered EXCEPT SELECT * FROM pg_temp.said;
SELECT * FROM pg_temp.said EXCEPT SELECT * FROM registered;
SELECT what, ident, sum(count) FROM pg_temp.said GROUP BY 1, 2 ORDER BY 1, 2;
-- Once more, nothing happens.
SELECT pt621_adopt('3500');
SELECT * FROM registered EXCEPT SELECT * FROM pg_temp.said;
SELECT * FROM pg_temp.said EXCEPT SELECT * FROM registered;
-- And it goes on where it was.
SELECT pg_temp.ingest(pg_temp.delta(pg_temp.report('3500', '09:00:00', '900'), '09:20:00') || pg_temp.report('3500', '10:30:00'), '11:30') AS two;

-- ------------------------------------------------------------- what the row in device says --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT pg_temp.ingest(pg_temp.report(i, '10:00:00') || 'garbage'::bytea, '11:00', '192.0.2.1'),
       pg_temp.ingest(pg_temp.report(i, '10:01:00'), '11:01', '198.51.100.1') FROM unnest('{1,2,3}'::text[]) i;
INSERT INTO pt621.device (ident, enabled, allowed_peers, odometer_factor) VALUES ('1', false, NULL, 1), ('2', true, '{192.0.2.0/24}', 10);
SELECT pt621_adopt('1') AS "1", pt621_adopt('2') AS "2";
SELECT n, at, ident, device, error, position FROM pg_temp.unit ORDER BY ident, at, n;
SELECT d.ident, p.fix_time::time AS at, p.odometer_m FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id ORDER BY 1, 2;
SELECT d.ident, s.last_seen::time AS last_seen, s.last_peer, s.fix_time::time AS fix_time, cardinality(s.bases) AS bases FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id ORDER BY 1;

-- ------------------------------------------------------- a tracker that was let in meanwhile --

-- Its history is older than what is there: the last fix and the bases are not.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT sum(pg_temp.ingest(pg_temp.report('1', '10:0' || i || ':00'), make_time(11, i, 0))) FROM generate_series(0, 9) i;
INSERT INTO pt621.device (ident) VALUES ('1');
SELECT pg_temp.ingest(pg_temp.report('1', '10:20:00', '20') || pg_temp.report('1', '10:21:00', '21'), '11:21', '192.0.2.1') AS two;
SELECT pt621_adopt('1') AS ten;
SELECT fix_time::time, newest_time::time, last_seen::time, last_peer, cardinality(bases),
       (SELECT array_agg(substr(b.b, 8, 6) ORDER BY b.n) FROM unnest(bases) WITH ORDINALITY b (b, n)) = ARRAY(SELECT convert_to(t, 'SQL_ASCII') FROM unnest('{100400,100500,100600,100700,100800,100900,102000,102100}'::text[]) t) AS in_order
  FROM pt621.device_state;
-- So a delta finds its base among both.
SELECT pg_temp.ingest(pg_temp.delta(pg_temp.report('1', '10:21:00', '21'), '10:22:00') || pg_temp.delta(pg_temp.report('1', '10:09:00'), '10:09:30')
                      || pg_temp.report('1', '10:23:00'), '11:22') AS three;

-- --------------------------------------------------------------------- what stays as it is --

-- Rows that are not one unit, that are of another tracker, that failed for another
-- reason.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT pg_temp.ingest(pg_temp.report('1', '10:00:00') || pg_temp.report('2', '10:00:00') || pg_temp.report('1', '10:01:00'), '11:00');
UPDATE pt621.frame SET bytes = bytes || bytes WHERE bytes = pg_temp.report('1', '10:01:00');
INSERT INTO pt621.frame (received_at, seq, ident, transport, bytes, error, decoder) VALUES
    ('2025-03-01 11:01+00', -1, '1', 'sql', pg_temp.report('3', '10:02:00'), 'quarantined: the tracker is not in pt621.device', '0'),
    ('2025-03-01 11:01+00', -2, '1', 'sql', pg_temp.report('1', '10:03:00'), 'P0001: not today', '0'),
    ('2025-03-01 11:01+00', -3, '1', 'sql', pg_temp.report('1', '10:04:00'), 'quarantined: the tracker is not in pt621.device', '0'),
    ('2025-03-01 11:01+00', -4, '1', 'sql', '', 'quarantined: the tracker is not in pt621.device', '0'),
    ('2025-03-01 11:01+00', -5, '1', 'sql', '\xbffb', 'quarantined: the tracker is not in pt621.device', '0'),
    ('2025-03-01 11:01+00', -6, '1', 'sql', '\xbffb000a00', 'quarantined: the tracker is not in pt621.device', '0'),
    ('2025-03-01 11:01+00', -7, '1', 'sql', decode(repeat('40', 20000), 'hex'), 'quarantined: the tracker is not in pt621.device', '0');
SELECT pt621_adopt('1') AS two;
SELECT seq > 0 AS ours, ident, device_id IS NOT NULL AS known, left(error, 11) AS error, decoder, count(*) FROM pt621.frame GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4;
SELECT ident FROM pt621.device;
SELECT pt621_adopt('1') AS none, pt621_adopt('2') AS one;

-- A trigger of the user fails: nothing is done.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT pg_temp.ingest(pg_temp.report('1', '10:00:00') || pg_temp.report('1', '10:01:00'), '11:00');
ALTER TABLE pt621.position ADD CONSTRAINT own CHECK (fix_time < '2025-03-01 10:01+00');
SELECT pt621_adopt('1');
SELECT count(*) AS devices FROM pt621.device;
ALTER TABLE pt621.position DROP CONSTRAINT own;
SELECT pt621_adopt('1') AS two;

-- -------------------------------------------------------------- reject, pt621.archive = none --

ALTER SYSTEM SET pt621.unknown_devices = 'reject';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'reject') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT pg_temp.ingest(pg_temp.report('1', '10:00:00') || pg_temp.delta(pg_temp.report('1', '10:00:00'), '10:01:00'), '11:00');
SELECT pt621_adopt('1') AS two;
SELECT ident, device, error, record, position FROM pg_temp.unit ORDER BY n;

-- What was not archived is gone.
ALTER SYSTEM SET pt621.archive = 'none';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.archive', 'none') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
SELECT pg_temp.ingest(pg_temp.report('1', '10:00:00'), '11:00');
SELECT pt621_adopt('1') AS none;
-- What was quarantined is there even so, and stays in the archive.
ALTER SYSTEM SET pt621.unknown_devices = 'quarantine';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'quarantine') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SELECT pg_temp.ingest(pg_temp.report('2', '10:00:00'), '11:00');
SELECT pt621_adopt('2') AS one;
SELECT ident, device, error, position FROM pg_temp.unit ORDER BY n;

ALTER SYSTEM RESET pt621.archive;
ALTER SYSTEM RESET pt621.unknown_devices;
ALTER SYSTEM RESET pt621.batch_size;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.unknown_devices', 'register') FROM generate_series(1, 100) \gexec
SELECT pg_temp.waits('pt621.archive', 'all') FROM generate_series(1, 100) \gexec
SELECT pg_temp.waits('pt621.batch_size', '10000') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position RESTART IDENTITY;
