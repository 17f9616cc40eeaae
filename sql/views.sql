-- views.sql: pt621.last_position and pt621.track.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- ----------------------------------------------------------------- what they are --

SELECT c.relname AS view, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = 'pt621'::regnamespace AND c.relkind = 'v'
 ORDER BY c.relname, a.attnum;

-- ------------------------------------------------------------------------- track --

-- A whole degree of longitude for a minute: an easy place to read.
INSERT INTO pt621.device (id, ident, name) VALUES (920001, 'a', 'van'), (920002, 'b', NULL), (920003, 'c', NULL), (920004, 'd', NULL);
CREATE FUNCTION pg_temp.add(device integer, at timestamptz, lon float8, code text DEFAULT 'POS', digest bigint DEFAULT 0,
                            valid boolean DEFAULT true, quality integer DEFAULT 0) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO pt621.position (device_id, fix_time, code, digest, geom, valid, quality)
    VALUES (device, at, code, digest, ST_SetSRID(ST_MakePoint(lon, 10), 4326), valid, quality);
END;
SELECT pg_temp.add(920001, '2025-03-01 10:02:00+00', 3),
       pg_temp.add(920001, '2025-03-01 10:00:00+00', 1),
       -- of one second: by code, then by digest
       pg_temp.add(920001, '2025-03-01 10:01:00+00', 22, 'POS', -5),
       pg_temp.add(920001, '2025-03-01 10:01:00+00', 23, 'POS', 7),
       pg_temp.add(920001, '2025-03-01 10:01:00+00', 21, 'IN1', 9),
       -- neither a fix that is none nor one whose time is that of receipt
       pg_temp.add(920001, '2025-03-01 10:00:30+00', 40, valid => false),
       pg_temp.add(920001, '2025-03-01 10:00:31+00', 41, quality => 65536),
       pg_temp.add(920001, '2025-03-01 10:00:32+00', 1.5, quality => 131072 + 1),
       -- the last and the first moment of two days (UTC)
       pg_temp.add(920001, '2025-03-01 23:59:59.999999+00', 4),
       pg_temp.add(920001, '2025-03-02 00:00:00+00', 5),
       pg_temp.add(920001, '2025-03-02 23:59:59+00', 6),
       -- a day with one fix, and one with a fix and a record without
       pg_temp.add(920001, '2025-03-03 12:00:00+00', 7),
       pg_temp.add(920001, '2025-03-04 12:00:00+00', 8),
       pg_temp.add(920001, '2025-03-04 13:00:00+00', 9, valid => false),
       -- twice the same place
       pg_temp.add(920002, '2025-03-01 12:00:00+00', 7),
       pg_temp.add(920002, '2025-03-01 13:00:00+00', 7),
       -- nothing but records without a fix
       pg_temp.add(920003, '2025-03-01 12:00:00+00', 7, valid => false),
       pg_temp.add(920003, '2025-03-01 13:00:00+00', 7, valid => false);

CREATE VIEW pg_temp.tracks AS
SELECT d.ident, t.day, t.first_fix, t.last_fix, t.fixes, ST_AsText(t.geom) AS geom
  FROM pt621.track t
  JOIN pt621.device d ON d.id = t.device_id;
SELECT * FROM pg_temp.tracks ORDER BY ident, day;
-- M is seconds since 1970: 1740823200 is 2025-03-01 10:00:00 UTC.
SELECT to_timestamp(ST_M(ST_StartPoint(t.geom))) = t.first_fix AS "M of first", to_timestamp(ST_M(ST_EndPoint(t.geom))) = t.last_fix AS "M of last",
       ST_SRID(t.geom) AS srid, ST_NPoints(t.geom) = t.fixes AS points
  FROM pt621.track t
 WHERE t.device_id = 920001 ORDER BY t.day;

-- The days are UTC's whatever the session's zone is, in winter and in summer.
CREATE TEMP TABLE in_utc AS SELECT t.device_id, t.day, t.fixes, t.geom::text FROM pt621.track t;
SET TimeZone = 'Pacific/Kiritimati';
SELECT count(*) AS otherwise FROM (SELECT t.device_id, t.day, t.fixes, t.geom::text FROM pt621.track t EXCEPT SELECT * FROM in_utc) AS x;
SET TimeZone = 'America/Los_Angeles';
SELECT count(*) AS otherwise FROM (SELECT t.device_id, t.day, t.fixes, t.geom::text FROM pt621.track t EXCEPT SELECT * FROM in_utc) AS x;
SET TimeZone = 'UTC';
-- The length of one degree and more, along the parallel of 10 deg.
SELECT d.ident, t.day, round(ST_Length(t.geom::geography)) AS metres FROM pt621.track t JOIN pt621.device d ON d.id = t.device_id
 WHERE t.day = '2025-03-02' OR d.ident = 'b' ORDER BY 1;

-- ------------------------------------------------------------------ last_position --

CREATE VIEW pg_temp.last AS
SELECT l.ident, l.name, l.fix_time, ST_AsText(l.geom) AS geom, l.speed_kmh, l.course, l.ignition, l.driver, l.last_seen
  FROM pt621.last_position l
  JOIN pt621.device d ON d.id = l.device_id AND d.ident = l.ident;
-- Neither c, without a fix, nor d, without a record.
SELECT * FROM pg_temp.last ORDER BY ident;
SELECT pt621_ingest(convert_to(E'$POS,a,120000.000,A,1000.0000,S,00930.0000,W,10.00,270.0,050325,,,A/00010,0/0/1/4711/f73//\r\n'
                               '$POS,a,120100.000,V,1000.0000,S,00930.0000,W,0.00,,050325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-05 12:01:02+00');
SELECT * FROM pg_temp.last WHERE ident = 'a';
UPDATE pt621.device SET name = 'lorry' WHERE ident = 'a';
DELETE FROM pt621.device WHERE ident = 'b';
SELECT * FROM pg_temp.last ORDER BY ident;

-- ------------------------------------------------------------ whose rows one sees --

-- Rights and policies are those of who asks (PostgreSQL 15 and later).
CREATE ROLE regress_pt621_reader;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_reader;
GRANT SELECT ON pt621.track, pt621.last_position TO regress_pt621_reader;
SET ROLE regress_pt621_reader;
SELECT count(*) FROM pt621.track;
SELECT count(*) FROM pt621.last_position;
RESET ROLE;
GRANT SELECT ON pt621.position, pt621.device, pt621.device_state TO regress_pt621_reader;
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.device ENABLE ROW LEVEL SECURITY;
SET ROLE regress_pt621_reader;
SELECT (SELECT count(*) FROM pt621.track) AS tracks, (SELECT count(*) FROM pt621.last_position) AS last_positions;
RESET ROLE;
INSERT INTO pt621.device (id, ident) VALUES (920002, 'b');
CREATE POLICY own ON pt621.position FOR SELECT TO regress_pt621_reader USING (device_id = 920002);
CREATE POLICY own ON pt621.device FOR SELECT TO regress_pt621_reader USING (ident = 'b');
SET ROLE regress_pt621_reader;
SELECT t.device_id, t.day, t.fixes FROM pt621.track t ORDER BY 1, 2;
SELECT l.ident, l.fix_time FROM pt621.last_position l ORDER BY 1;
RESET ROLE;
-- The store, the owner, is not held up by policies.
SELECT pt621_ingest(convert_to(E'$POS,a,120200.000,A,1000.0000,S,00930.0000,W,10.00,270.0,050325,,,A/00010,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-05 12:02:02+00') AS stored;
DROP POLICY own ON pt621.position;
DROP POLICY own ON pt621.device;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.device DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_reader;
REVOKE ALL ON pt621.position, pt621.device, pt621.device_state, pt621.track, pt621.last_position FROM regress_pt621_reader;
DROP ROLE regress_pt621_reader;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
