-- ingest.sql: pt621_ingest() and pt621_ingest_reads(), from bytes to rows of
-- pt621.frame, pt621.device and pt621.position.
--
-- Trackers are compared by ident, since numbers come from sequences.  The times
-- lie in the past, so that no partition and no clock has a part in it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- ------------------------------------------------------------------ helpers --

CREATE FUNCTION pg_temp.bytes(line text) RETURNS bytea
LANGUAGE sql IMMUTABLE RETURN convert_to(line, 'SQL_ASCII');

-- A report: 22 deg 30' N, 114 deg 06' E, 10 knots, unless told otherwise.
CREATE FUNCTION pg_temp.report(
    ident text, at timestamp, code text DEFAULT 'POS', flag text DEFAULT 'A',
    place text DEFAULT '2230.0000,N,11406.0000,E', motion text DEFAULT '10.00,90.0',
    io text DEFAULT '00000,00000', driver text DEFAULT '', ending text DEFAULT E'\r\n') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN pg_temp.bytes('$' || code || ',' || ident || ',' || to_char(at, 'HH24MISS.MS') || ',' || flag || ',' || place || ',' ||
                     motion || ',' || to_char(at, 'DDMMYY') || ',,,A/' || io || '/0/1000/' || driver || '/f73//' || ending);

CREATE FUNCTION pg_temp.xor(bytes bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (SELECT set_byte('\x00', 0, bit_xor(get_byte(bytes, i))) FROM generate_series(0, length(bytes) - 1) AS i);

-- A BF FB frame.
CREATE FUNCTION pg_temp.frame(body bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\xbffb'::bytea || pg_temp.xor(body) ||
       set_byte(set_byte('\x0000', 0, (length(body) + 5) % 256), 1, (length(body) + 5) / 256) || body;

-- A delta that puts another second into the time of its base (field 2, from
-- its fifth byte on).
CREATE FUNCTION pg_temp.delta(base bytea, second integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\x40'::bytea || pg_temp.xor(base) || '\x020406'::bytea || pg_temp.bytes(to_char(second, 'FM00') || '.000');

-- What a call stored, unit by unit.
CREATE VIEW pg_temp.unit AS
SELECT row_number() OVER (ORDER BY f.received_at, f.seq) AS n, f.received_at::time(0) AS received, f.ident,
       f.device_id IS NOT DISTINCT FROM (SELECT d.id FROM pt621.device d WHERE d.ident = f.ident) AS device_matches,
       f.device_id IS NOT NULL AS known, f.transport, f.peer, f.peer_port,
       dense_rank() OVER (ORDER BY f.conn) AS conn, length(f.bytes) AS size, f.record,
       -- what the codec says is not this test's business
       regexp_replace(f.error, '^.*, at byte', 'not read, at byte') AS error
  FROM pt621.frame f;

CREATE VIEW pg_temp.place AS
SELECT d.ident, p.fix_time, p.code, p.stored, p.valid
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id;

-- Whether the archive holds what was given, byte for byte.
CREATE FUNCTION pg_temp.kept(value bytea) RETURNS boolean
LANGUAGE sql
RETURN (SELECT string_agg(bytes, '' ORDER BY seq) IS NOT DISTINCT FROM value FROM pt621.frame);

-- ------------------------------------------------------------- declarations --

SELECT p.proname AS function, pg_get_function_arguments(p.oid) AS arguments, p.prorettype::regtype AS returns,
       p.provolatile AS volatile, p.proisstrict AS strict, p.proparallel AS parallel, p.prosecdef AS definer
  FROM pg_proc p
 WHERE p.proname LIKE 'pt621\_ingest%'
 ORDER BY p.proname COLLATE "C";

-- ------------------------------------------------------- one value, in full --

-- Report, framed report of another tracker, a delta on that one's report (it was
-- named last), status, photo chunk, text, noise, a line cut short.
CREATE TEMP TABLE mixed AS
SELECT pg_temp.report('0000001', '2025-03-01 10:00:00')
       || pg_temp.frame(pg_temp.report('0000002', '2025-03-01 10:00:01'))
       || pg_temp.delta(pg_temp.report('0000002', '2025-03-01 10:00:01'), 16)
       || pg_temp.bytes(E'$FUS865328026243864,510-V1.12,A11-V3.0\r\r')
       || pg_temp.frame(pg_temp.bytes('$PHD960,3,') || '\xffd824'::bytea || pg_temp.bytes(E'\r\n'))
       || pg_temp.bytes(E'OK\r\n')
       || '\x0102ff'::bytea
       || pg_temp.bytes('$POS,0000001,100002.000') AS value;

SELECT pt621_ingest(value, 'tcp', '192.0.2.7', 50001, '2025-03-01 10:00:20+00') FROM mixed;
SELECT n, ident, device_matches AS "device", known, transport, peer, peer_port, conn, size, record IS NOT NULL AS rebuilt, error
  FROM pg_temp.unit ORDER BY n;
SELECT count(*) AS units, count(DISTINCT f.seq) AS seqs, count(DISTINCT f.conn) AS conns, min(f.conn) > 0 AS numbered,
       bool_and(f.decoder = (SELECT extversion FROM pg_extension WHERE extname = 'pt621')) AS decoder,
       bool_and(f.received_at = '2025-03-01 10:00:20+00') AS received_at
  FROM pt621.frame f;
SELECT pg_temp.kept(value) FROM mixed;
-- A delta's record is the text that it stands for.
SELECT record = pg_temp.report('0000002', '2025-03-01 10:00:16') AS rebuilt FROM pg_temp.unit WHERE record IS NOT NULL;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;
SELECT d.ident, d.imei, d.name, d.model, d.groups, d.time_zone, d.ignition_input, d.odometer_factor, d.status_order,
       d.allowed_peers, d.enabled
  FROM pt621.device d ORDER BY d.ident;

-- A position is the record that pt621_decode() shows, and where it came from.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
CREATE TEMP TABLE full_report AS
SELECT pg_temp.bytes('$IN1,40456789,083125.500,A,2232.0971,S,11400.9504,W,7.62,265.24,291117,,,A'
                     || E'/00010,10000/1f8,0,,ffff/1234500/4711/fe7/a,b/#\n') AS value;
SELECT pt621_ingest(value, received_at => '2025-03-01 10:00:20+00') FROM full_report;
\x on
SELECT d.ident, p.fix_time, p.code, p.received_at, round(ST_Y(p.geom)::numeric, 9) AS lat, round(ST_X(p.geom)::numeric, 9) AS lon,
       ST_SRID(p.geom) AS srid, p.valid, p.stored, round(p.speed_kmh::numeric, 4) AS speed_kmh, round(p.course::numeric, 2) AS course,
       p.inputs, p.outputs, p.ignition, p.adc, p.odometer_m, p.driver, p.battery, p.gsm, p.satellites, p.gsb, p.spec,
       pt621_quality(p.quality) AS quality,
       p.frame_seq = f.seq AS frame, p.device_id = f.device_id AS device,
       -- of the text without line end and trailing #
       p.digest = hashtextextended(rtrim(convert_from(f.bytes, 'SQL_ASCII'), E'#\n'), 0) AS digest
  FROM pt621.position p, pt621.device d, pt621.frame f;
SELECT d.ident, s.fix_time, s.fix_code, s.fix_digest = p.digest AS digest, ST_Equals(s.geom, p.geom) AS geom, s.speed_kmh = p.speed_kmh AS speed,
       s.course = p.course AS course, s.newest_time, s.ignition, s.ignition_time, s.driver, s.driver_time,
       s.bases = ARRAY[full_report.value] AS bases, s.last_seen, s.last_conn = f.conn AS conn, s.last_transport, s.last_peer, s.last_peer_port
  FROM pt621.device_state s, pt621.position p, pt621.device d, pt621.frame f, full_report;
\x off

-- -------------------------------------------------------- arguments, defaults --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- Nothing is stored of nothing.
SELECT pt621_ingest(NULL), pt621_ingest(''), pt621_ingest_reads(NULL), pt621_ingest_reads('{}'),
       pt621_ingest_reads(ARRAY[NULL, '']::bytea[]);
SELECT count(*) FROM pt621.frame;

-- Defaults, and NULL, which means the same.
BEGIN;
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:00')),
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:01'), NULL, NULL, NULL, NULL),
       pt621_ingest_reads(ARRAY[pg_temp.report('1', '2025-03-01 10:00:02')]),
       pt621_ingest_reads(ARRAY[pg_temp.report('1', '2025-03-01 10:00:03')], NULL, NULL, NULL, NULL);
SELECT f.transport, f.peer, f.peer_port, f.received_at = now() AS now, count(*), count(DISTINCT f.conn) AS conns
  FROM pt621.frame f GROUP BY 1, 2, 3, 4;
ROLLBACK;
SELECT count(*) AS rolled_back FROM pt621.frame;

-- Limits, on both sides.
SELECT pt621_ingest('x', transport => '');
SELECT pt621_ingest('x', transport => repeat('t', 33));
SELECT pt621_ingest('x', peer_port => -1);
SELECT pt621_ingest('x', peer_port => 65536);
SELECT pt621_ingest('x', received_at => 'infinity');
SELECT pt621_ingest('x', received_at => '-infinity');
SELECT pt621_ingest_reads('{x}', transport => '');
SELECT pt621_ingest_reads('{x}', peer_port => 65536);
SELECT pt621_ingest_reads('{x}', received_at => 'infinity');
SELECT pt621_ingest('x');
BEGIN READ ONLY;
SELECT pt621_ingest('x');
ROLLBACK;
TRUNCATE pt621.frame;
SELECT pt621_ingest('a', repeat('t', 32), '::1', 0, '2025-03-01'), pt621_ingest('b', 'udp', '10.0.0.0/8', 65535, '2025-03-02'),
       pt621_ingest('c', E'\u00e4', 'fe80::1/64', NULL, '4713-01-02 00:00:00+00 BC'), pt621_ingest('d', received_at => '294276-12-31 23:59:59+00');
SELECT convert_from(f.bytes, 'SQL_ASCII') AS bytes, f.transport, f.peer, f.peer_port, f.received_at
  FROM pt621.frame f ORDER BY f.bytes;

-- --------------------------------------------------------------------- reads --

-- The elements are one stream, however they cut it; each call is a connection.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pt621_ingest_reads(ARRAY(SELECT substring(value FROM i FOR 1) FROM generate_series(1, length(value)) AS i ORDER BY i)
                          || NULL::bytea, 'tcp', '192.0.2.7', 50001, '2025-03-01 10:00:20+00') FROM mixed;
SELECT n, ident, conn, size, record IS NOT NULL AS rebuilt, error FROM pg_temp.unit ORDER BY n;
SELECT pg_temp.kept(value) FROM mixed;

-- ------------------------------------------------------------ the same again --

-- The archive keeps every copy; a position is stored once.
SELECT pt621_ingest(value, 'udp', received_at => '2025-03-01 12:00:00+00') FROM mixed;
SELECT received_at, count(*) FROM pt621.frame GROUP BY 1 ORDER BY 1;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- A stored copy (#) of a live record, with either line end and with none, and a
-- live record after its stored copy.
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:00'), received_at => '2025-03-01 10:00:01+00') AS live,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:00', ending => E'#\n'), received_at => '2025-03-01 11:00:00+00') AS stored,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:00', ending => ''), received_at => '2025-03-01 11:00:01+00') AS no_end;
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:05', ending => E'#\n'), received_at => '2025-03-01 11:00:02+00') AS stored,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:05'), received_at => '2025-03-01 11:00:03+00') AS live;
-- A delta and the full copy of what it stands for, in both orders.
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:05')
                    || pg_temp.delta(pg_temp.report('1', '2025-03-01 10:00:05'), 20), received_at => '2025-03-01 11:00:04+00') AS delta,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:20'), received_at => '2025-03-01 11:00:05+00') AS whole,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:30'), received_at => '2025-03-01 11:00:06+00') AS whole,
       pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:20')
                    || pg_temp.delta(pg_temp.report('1', '2025-03-01 10:00:20'), 30), received_at => '2025-03-01 11:00:07+00') AS delta;
-- Copies inside one value; what differs in a digit or in the code is another.
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:01:00') || pg_temp.report('1', '2025-03-01 10:01:00', ending => E'#\n')
                    || pg_temp.report('1', '2025-03-01 10:01:00', code => 'IN1')
                    || pg_temp.report('1', '2025-03-01 10:01:00', motion => '10.01,90.0')
                    || pg_temp.report('1', '2025-03-01 10:01:00'), received_at => '2025-03-01 11:00:08+00') AS three_differ;
SELECT * FROM pg_temp.place ORDER BY fix_time, code, stored;
SELECT count(*) AS archived FROM pt621.frame;
-- Without a plausible time it is the time of receipt that tells copies apart.
SELECT pt621_ingest(pg_temp.report('1', '2000-01-01 00:00:00') || pg_temp.report('1', '2000-01-01 00:00:00'), received_at => '2025-03-01 11:00:09+00') AS one,
       pt621_ingest(pg_temp.report('1', '2000-01-01 00:00:00'), received_at => '2025-03-01 11:00:09+00') AS none,
       pt621_ingest(pg_temp.report('1', '2000-01-01 00:00:00'), received_at => '2025-03-01 11:00:10+00') AS one;

-- -------------------------------------------------------------------- deltas --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- On its own a delta names nobody.
SELECT pt621_ingest(pg_temp.delta(pg_temp.report('1', '2025-03-01 10:00:00'), 15), received_at => '2025-03-01 10:00:15+00');
-- Behind a record whose XOR is not the one asked for.
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 10:00:01', code => 'IN1')
                    || pg_temp.delta(pg_temp.report('1', '2025-03-01 10:00:00'), 15), received_at => '2025-03-01 10:00:16+00');
-- Base in the same value, later.
SELECT pt621_ingest(pg_temp.delta(pg_temp.report('2', '2025-03-01 10:00:00'), 15)
                    || pg_temp.report('2', '2025-03-01 10:00:00'), received_at => '2025-03-01 10:00:17+00');
-- Base in an earlier call: the ring is in device_state.  The record in this call
-- only says whose delta it is.
SELECT pt621_ingest(pg_temp.report('2', '2025-03-01 10:01:00', code => 'IN1')
                    || pg_temp.delta(pg_temp.report('2', '2025-03-01 10:00:15'), 30), received_at => '2025-03-01 10:01:18+00');
SELECT n, received, ident, known, conn, size, convert_from(record, 'SQL_ASCII') AS record, error FROM pg_temp.unit ORDER BY n;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;

-- The ring holds the last eight records as sent, oldest first: lines with their
-- ends, and what deltas stand for.
SELECT pt621_ingest((SELECT string_agg(pg_temp.report('3', '2025-03-01 10:00:00'::timestamp + i * interval '1 minute'), '' ORDER BY i)
                       FROM generate_series(1, 9) AS i)
                    || pg_temp.delta(pg_temp.report('3', '2025-03-01 10:09:00'), 7), received_at => '2025-03-01 10:10:00+00');
SELECT o.n, convert_from(o.base, 'SQL_ASCII') AS base
  FROM pt621.device d
  JOIN pt621.device_state s ON s.device_id = d.id,
       unnest(s.bases) WITH ORDINALITY AS o (base, n)
 WHERE d.ident = '3' ORDER BY o.n;
-- What the store cannot be blamed for: nonsense in the ring.
UPDATE pt621.device_state s SET bases = ARRAY[NULL, '', '\x00', repeat('x', 5000)::bytea, pg_temp.report('3', '2025-03-01 10:20:00')]
  FROM pt621.device d WHERE d.id = s.device_id AND d.ident = '3';
SELECT pt621_ingest(pg_temp.report('3', '2025-03-01 10:21:00')
                    || pg_temp.delta(pg_temp.report('3', '2025-03-01 10:20:00'), 44), received_at => '2025-03-01 10:22:00+00');

-- A short value is stored in batches of few units, and has the same outcome: the
-- deltas come first, each made on the one before, and the base last, which also
-- says whose they are.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pt621_ingest((SELECT string_agg(pg_temp.delta(pg_temp.report('4', '2025-03-01 10:00:00'::timestamp + (i - 1) * interval '1 s'), i), '' ORDER BY i)
                       FROM generate_series(1, 40) AS i)
                    || pg_temp.report('4', '2025-03-01 10:00:00'), received_at => '2025-03-01 10:01:00+00');
SELECT f.ident, f.error, count(*), count(f.device_id) AS known, count(f.record) AS rebuilt FROM pt621.frame f GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*), min(fix_time), max(fix_time) FROM pg_temp.place WHERE ident = '4';

-- ------------------------------------------------------- whose unit that is --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- What names no tracker belongs to the one named last, at the start to the
-- first one named.  A 20-digit id is one, 21 digits are not.
SELECT pt621_ingest(pg_temp.bytes(E'first\r\n') || pg_temp.report('007', '2025-03-01 10:00:00') || pg_temp.bytes(E'second\r\n')
                    || pg_temp.report('7', '2025-03-01 10:00:00') || pg_temp.bytes(E'third\r\n')
                    || pg_temp.report('12345678901234567890', '2025-03-01 10:00:00') || pg_temp.bytes(E'fourth\r\n')
                    || pg_temp.report('123456789012345678901', '2025-03-01 10:00:00')
                    || pg_temp.report('', '2025-03-01 10:00:00')
                    || pg_temp.report('a b', '2025-03-01 10:00:00')
                    || pg_temp.report(E'\x07', '2025-03-01 10:00:00'), received_at => '2025-03-01 10:01:00+00');
SELECT n, ident, device_matches, known, size, error FROM pg_temp.unit ORDER BY n;
SELECT d.ident FROM pt621.device d ORDER BY d.ident;
-- A value that names nobody: status of a tracker whose id is its IMEI, of one
-- that is not there, a photo chunk.
INSERT INTO pt621.device (ident) VALUES ('865328026243864');
SELECT pt621_ingest(pg_temp.bytes(E'$FUS865328026243864,510-V1.12,A11-V3.0\r\r'), received_at => '2025-03-01 10:02:00+00'),
       pt621_ingest(pg_temp.bytes(E'$FUS111111111111111,510-V1.12,A11-V3.0\r\r'), received_at => '2025-03-01 10:03:00+00'),
       pt621_ingest(pg_temp.bytes(E'$PHD0,2,xy\r\n'), received_at => '2025-03-01 10:04:00+00');
SELECT ident, known, size, error FROM pg_temp.unit WHERE received > '10:01:00' ORDER BY n;
SELECT d.ident FROM pt621.device d WHERE d.ident LIKE '______________%' ORDER BY d.ident;

-- ---------------------------------------------------------------- large values --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- More units than pt621.batch_size: 25,000 reports of 50 trackers, in one call.
SELECT current_setting('pt621.batch_size')::integer < 25000 AS several_batches;
CREATE TEMP TABLE large AS
SELECT string_agg(pg_temp.report(to_char(i % 50, 'FM0000'), '2025-03-01 00:00:00'::timestamp + i * interval '1 second'), '' ORDER BY i) AS value
  FROM generate_series(1, 25000) AS i;
SELECT pt621_ingest(value, received_at => '2025-03-02 00:00:00+00') FROM large;
SELECT count(*), count(DISTINCT f.device_id) AS devices, count(DISTINCT f.conn) AS conns, count(f.error) AS errors FROM pt621.frame f;
SELECT pg_temp.kept(value) FROM large;
SELECT count(*), count(DISTINCT device_id) AS devices, min(fix_time), max(fix_time) FROM pt621.position;
SELECT count(*), min(s.fix_time), max(s.fix_time), bool_and(s.fix_time = s.newest_time) AS newest FROM pt621.device_state s;
SELECT pt621_ingest(value, received_at => '2025-03-02 00:00:01+00') AS again FROM large;
SELECT count(*) FROM pt621.position;

-- 1 MB of noise: all of it is kept, in pieces of at most 1,024 bytes.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
CREATE TEMP TABLE noise AS
SELECT string_agg(decode(md5(i::text), 'hex'), '' ORDER BY i) AS value FROM generate_series(1, 65536) AS i;
SELECT length(value), pt621_ingest(value, received_at => '2025-03-02 00:00:00+00') FROM noise;
SELECT pg_temp.kept(value) FROM noise;
SELECT count(*) AS too_long FROM pt621.frame f WHERE length(f.bytes) > 1024;
SELECT count(*) AS devices FROM pt621.device;
-- One line without an end, and nothing but zeros.
TRUNCATE pt621.frame;
SELECT pt621_ingest(convert_to('$POS,' || repeat('1', 100000), 'SQL_ASCII'), received_at => '2025-03-02 00:00:00+00'),
       pt621_ingest(decode(repeat('00', 100000), 'hex'), received_at => '2025-03-03 00:00:00+00');
SELECT f.received_at, count(*), sum(length(f.bytes)), max(length(f.bytes)) <= 1024 AS cut, count(*) - count(f.error) AS without_error
  FROM pt621.frame f GROUP BY 1 ORDER BY 1;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
