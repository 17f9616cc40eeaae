-- positions.sql: pt621.position is an ordinary table: rows that come or go by
-- SQL, users' triggers and indexes, and what device_state says meanwhile.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- ------------------------------------------------------------------ helpers --

-- A report of 1 March 2025 at 22 deg 30' N; so many minutes east of 114 deg E.
CREATE FUNCTION pg_temp.report(
    ident text, at time, east numeric DEFAULT 0, flag text DEFAULT 'A', code text DEFAULT 'POS',
    inputs text DEFAULT '00000', driver text DEFAULT '', ending text DEFAULT E'\r\n') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$' || code || ',' || ident || ',' || to_char(at, 'HH24MISS') || '.000,' || flag || ',2230.0000,N,114' ||
                  to_char(east, 'FM00.0000') || ',E,10.00,90.0,010325,,,A/' || inputs || ',00000/0/1000/' || driver || '/f73//' || ending,
                  'SQL_ASCII');

CREATE FUNCTION pg_temp.ingest(value bytea, at time DEFAULT '23:00') RETURNS integer
LANGUAGE sql
RETURN pt621_ingest(value, received_at => '2025-03-01 00:00:00+00'::timestamptz + at);

-- The derived part of device_state.
CREATE VIEW pg_temp.state AS
SELECT d.ident, s.fix_time::time AS fix_time, s.fix_code, round(ST_X(s.geom)::numeric, 4) AS lon, round(s.speed_kmh::numeric, 2) AS kmh,
       s.course, s.newest_time::time AS newest, s.ignition, s.ignition_time::time AS since, s.driver, s.driver_time::time AS read
  FROM pt621.device d
  JOIN pt621.device_state s ON s.device_id = d.id;

CREATE VIEW pg_temp.place AS
SELECT d.ident, p.fix_time::time AS fix_time, p.code, p.valid, round(ST_X(p.geom)::numeric, 4) AS lon, p.ignition, p.driver
  FROM pt621.position p
  LEFT JOIN pt621.device d ON d.id = p.device_id;

-- States that pt621_derive() would change: there must be none, ever.
CREATE FUNCTION pg_temp.wrong() RETURNS SETOF text
LANGUAGE plpgsql
AS $$
DECLARE
    before text[];
    after  text[];
BEGIN
    SELECT array_agg(s::text ORDER BY s.ident) INTO before FROM pg_temp.state s;
    PERFORM pt621_derive(array_agg(d.id), array_agg('(,)'::tstzrange)) FROM pt621.device d;
    SELECT array_agg(s::text ORDER BY s.ident) INTO after FROM pg_temp.state s;
    IF before IS DISTINCT FROM after THEN
        RETURN QUERY SELECT format('%s should be %s', b, a)
                       FROM unnest(before, after) u (b, a) WHERE b IS DISTINCT FROM a;
    END IF;
END
$$;

-- ----------------------------------------------------------- default triggers --

SELECT t.tgname, t.tgfoid::regprocedure, t.tgoldtable, t.tgnewtable, t.tgenabled
  FROM pg_trigger t
 WHERE t.tgrelid = 'pt621.position'::regclass AND NOT t.tgisinternal
 ORDER BY t.tgname;

-- INSERT, of one tracker, of several records at once, of a number that is no
-- tracker's.  (Numbers are given here so that COPY can name them.)
INSERT INTO pt621.device (id, ident) VALUES (910001, 'a');
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, course)
VALUES (910001, '2025-03-01 10:00:00+00', ST_Point(1, 50, 4326), 36, 90);
SELECT * FROM pg_temp.state ORDER BY ident;
INSERT INTO pt621.position (device_id, fix_time, geom, valid, ignition, driver)
SELECT 910001, '2025-03-01 10:00:00+00'::timestamptz + m * interval '1 minute', ST_Point(m, 50, 4326), m < 8, m % 3 = 0, nullif('d' || m, 'd9')
  FROM generate_series(5, 9) AS m;
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (-1, '2025-03-01 10:00:00+00', ST_Point(1, 50, 4326));
-- The last valid fix is of minute 7, the newest record of minute 9, which knows
-- the ignition; the driver was read last in minute 8.
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT count(*) AS states, count(*) FILTER (WHERE s.device_id = -1) AS unknown FROM pt621.device_state s;
SELECT * FROM pg_temp.wrong();

-- What the columns are when nothing else is said.
SELECT p.code, p.digest, p.received_at <= now() AS received_at, p.frame_seq, p.valid, p.stored, p.ignition, p.quality
  FROM pt621.position p WHERE p.device_id = -1;
-- A valid fix has a place, in WGS 84; a time comes once per code and digest.
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (-1, '2025-03-01 10:01:00+00', ST_Point(1, 50, 3857));
\set VERBOSITY sqlstate
INSERT INTO pt621.position (device_id, fix_time) VALUES (-1, '2025-03-01 10:01:00+00');
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (-1, '2025-03-01 10:00:00+00', ST_Point(1, 50, 4326));
\set VERBOSITY terse
INSERT INTO pt621.position (device_id, fix_time, valid) VALUES (-1, '2025-03-01 10:01:00+00', false);
INSERT INTO pt621.position (device_id, fix_time, code, geom) VALUES (-1, '2025-03-01 10:00:00+00', 'IN1', ST_Point(1, 50, 4326));
INSERT INTO pt621.position (device_id, fix_time, digest, geom) VALUES (-1, '2025-03-01 10:00:00+00', 1, ST_Point(1, 50, 4326));
DELETE FROM pt621.position WHERE device_id = -1;

-- COPY.
INSERT INTO pt621.device (id, ident) VALUES (910002, 'b');
COPY pt621.position (device_id, fix_time, code, digest, geom, ignition) FROM stdin;
910001	2025-03-01 11:00:00+00	POS	0	SRID=4326;POINT(11 50)	\N
910001	2025-02-01 11:00:00+00	POS	0	SRID=4326;POINT(12 50)	f
910002	2025-03-01 11:00:00+00	POS	2	SRID=4326;POINT(13 50)	f
910002	2025-03-01 11:00:00+00	POS	1	SRID=4326;POINT(14 50)	t
910002	2025-03-01 11:00:00+00	IN1	3	SRID=4326;POINT(15 50)	f
\.
-- Of one second the greatest code and then the greatest digest is last; ignition
-- on counts before off.
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT * FROM pg_temp.wrong();

-- UPDATE: of values, of times, of what a fix is worth, of whose it is.
UPDATE pt621.position SET speed_kmh = 72, course = 180 WHERE device_id = 910001 AND fix_time = '2025-03-01 11:00:00+00';
SELECT * FROM pg_temp.state WHERE ident = 'a';
UPDATE pt621.position SET valid = false WHERE device_id = 910001 AND fix_time = '2025-03-01 11:00:00+00';
SELECT * FROM pg_temp.state WHERE ident = 'a';
UPDATE pt621.position SET fix_time = fix_time + interval '2 hours' WHERE device_id = 910001 AND fix_time = '2025-03-01 10:05:00+00';
SELECT * FROM pg_temp.state WHERE ident = 'a';
-- 65536: the time is that of receipt.
UPDATE pt621.position SET quality = quality | 65536 WHERE device_id = 910001 AND fix_time = '2025-03-01 12:05:00+00';
SELECT * FROM pg_temp.state WHERE ident = 'a';
UPDATE pt621.position SET device_id = 910002, fix_time = fix_time + interval '3 hours' WHERE device_id = 910001 AND fix_time = '2025-03-01 10:07:00+00';
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT * FROM pg_temp.wrong();

-- DELETE: the state falls back to what is left, in the end to nothing.
DELETE FROM pt621.position WHERE device_id = 910002 AND fix_time = '2025-03-01 13:07:00+00';
SELECT * FROM pg_temp.state WHERE ident = 'b';
DELETE FROM pt621.position WHERE device_id = 910002 AND code = 'POS';
SELECT * FROM pg_temp.state WHERE ident = 'b';
DELETE FROM pt621.position WHERE device_id = 910002;
SELECT * FROM pg_temp.state WHERE ident = 'b';
-- Nothing was changed: nothing happens.
DELETE FROM pt621.position WHERE false;
UPDATE pt621.position SET valid = valid WHERE false;
INSERT INTO pt621.position (device_id, fix_time) SELECT 1, now() WHERE false;
SELECT * FROM pg_temp.wrong();

-- Arguments in step.
SELECT pt621_derive(ARRAY[910001, 910002], ARRAY['(,)']::tstzrange[]);
SELECT pt621_derive('{}', '{}'), pt621_derive(ARRAY[-5, NULL], ARRAY['(,)', NULL]::tstzrange[]), pt621_derive(NULL, '{}') IS NULL AS strict;

-- ------------------------------------------- what SQL did and trackers then do --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pg_temp.ingest(pg_temp.report('a', '10:00', 1) || pg_temp.report('a', '10:01', 2));
-- Somebody takes the last fix for invalid: its stored copy does not undo that.
UPDATE pt621.position SET valid = false WHERE fix_time = '2025-03-01 10:01:00+00';
SELECT pg_temp.ingest(pg_temp.report('a', '10:01', 2, ending => E'#\n')) AS known;
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.wrong();
-- A deleted record comes again.
DELETE FROM pt621.position WHERE fix_time = '2025-03-01 10:01:00+00';
SELECT pg_temp.ingest(pg_temp.report('a', '10:01', 2, ending => E'#\n')) AS known;
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.wrong();
-- Rows that came behind the back of the default triggers: a record that is newer
-- than all that the state knows meets itself in the table.
ALTER TABLE pt621.position DISABLE TRIGGER USER;
DELETE FROM pt621.position;
INSERT INTO pt621.position (device_id, fix_time, digest, geom)
SELECT d.id, '2025-03-01 10:05:00+00', hashtextextended(rtrim(convert_from(pg_temp.report('a', '10:05', 3), 'SQL_ASCII'), E'\r\n'), 0), ST_Point(99, 9, 4326)
  FROM pt621.device d;
ALTER TABLE pt621.position ENABLE TRIGGER USER;
SELECT pg_temp.ingest(pg_temp.report('a', '10:04', 2) || pg_temp.report('a', '10:05', 3) || pg_temp.report('a', '10:06', 4, 'V')) AS two_new;
SELECT * FROM pg_temp.place ORDER BY fix_time;
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.wrong();

-- -------------------------------------------------------------- users' triggers --

-- Inside pt621_ingest() names must be written in full, or looked up in a path of
-- the trigger's own.
CREATE FUNCTION pg_temp.act() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    CASE NEW.code
        WHEN 'NIL' THEN
            RETURN NULL;                        -- the row is dropped
        WHEN 'ALT' THEN                         -- the row is altered
            NEW.geom := ST_Point(5, 50, 4326);
            NEW.ignition := NULL;
            NEW.driver := 'altered';
        WHEN 'GIV' THEN                         -- it is another tracker's
            NEW.device_id := (SELECT d.id FROM pt621.device d WHERE d.ident = 'other');
        WHEN 'BAD' THEN
            RAISE EXCEPTION 'no such record here';
        ELSE
    END CASE;
    RETURN NEW;
END
$$;
CREATE TRIGGER act BEFORE INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION pg_temp.act();

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
INSERT INTO pt621.device (ident) VALUES ('other');
-- The return value counts the rows that are there, and the state is theirs.
SELECT pg_temp.ingest(pg_temp.report('a', '10:00', 1, inputs => '00010', driver => 'd1')
                      || pg_temp.report('a', '10:01', 2, code => 'NIL', driver => 'd2')) AS one;
SELECT * FROM pg_temp.state WHERE ident = 'a';
SELECT pg_temp.ingest(pg_temp.report('a', '10:02', 3, code => 'ALT', inputs => '00000', driver => 'd3')) AS one;
SELECT * FROM pg_temp.state WHERE ident = 'a';
SELECT pg_temp.ingest(pg_temp.report('a', '10:03', 4, code => 'GIV', driver => 'd4')) AS one;
SELECT pg_temp.ingest(pg_temp.report('a', '09:00', 4, code => 'NIL', driver => 'd5')) AS none;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT * FROM pg_temp.wrong();
SELECT count(*) AS archived, count(f.error) AS errors FROM pt621.frame f;

-- An error is the caller's, and nothing of the value is stored.
SELECT pt621_ingest(pg_temp.report('new', '11:00') || pg_temp.report('a', '11:00', code => 'BAD'), received_at => '2025-03-01 23:00:00+00');
SELECT count(*) AS archived, (SELECT count(*) FROM pt621.device) AS devices, (SELECT count(*) FROM pt621.position) AS positions FROM pt621.frame;
SELECT pt621_storing() AS left_over;
-- Inside a block that catches it, too; what comes next is stored.
DO $$
BEGIN
    PERFORM pt621_ingest(convert_to(E'kept\r\n', 'SQL_ASCII'), received_at => '2025-03-01 22:00:00+00');
    BEGIN
        PERFORM pt621_ingest(pg_temp.report('new', '11:00') || pg_temp.report('a', '11:00', code => 'BAD'), received_at => '2025-03-01 23:00:00+00');
    EXCEPTION WHEN raise_exception THEN
        PERFORM pt621_ingest(pg_temp.report('new', '11:01'), received_at => '2025-03-01 23:00:00+00');
    END;
END
$$;
SELECT count(*) AS archived FROM pt621.frame;
SELECT * FROM pg_temp.place WHERE ident = 'new';
SELECT * FROM pg_temp.wrong();
DROP TRIGGER act ON pt621.position;

-- A trigger on a single partition that drops rows.
CREATE TRIGGER act BEFORE INSERT ON pt621.position_default FOR EACH ROW EXECUTE FUNCTION pg_temp.act();
SELECT pg_temp.ingest(pg_temp.report('a', '12:00', 6, driver => 'd6') || pg_temp.report('a', '12:01', 7, code => 'NIL', driver => 'd7')) AS one;
SELECT * FROM pg_temp.state WHERE ident = 'a';
SELECT * FROM pg_temp.wrong();
DROP TRIGGER act ON pt621.position_default;

-- ------------------------------------------------------- ingesting in a trigger --

-- One that answers a record by others: of the same tracker, of another one, by
-- pt621_ingest() and by plain SQL.  The run of the inner call nests in the outer.
CREATE FUNCTION pg_temp.answer() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.code = 'IN1' THEN
        PERFORM pg_temp.ingest(pg_temp.report('a', '15:00', 15, driver => 'inner') || pg_temp.report('c', '15:00', 16));
    ELSIF NEW.code = 'IN2' THEN
        INSERT INTO pt621.position (device_id, fix_time, code, geom, driver)
        VALUES (NEW.device_id, '2025-03-01 16:00:00+00', 'SQL', ST_Point(16, 50, 4326), 'by sql');
    ELSIF NEW.code = 'IN3' THEN
        DELETE FROM pt621.position WHERE device_id = NEW.device_id AND code IN ('IN3', 'SQL');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER answer AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION pg_temp.answer();

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pg_temp.ingest(pg_temp.report('a', '10:00', 1) || pg_temp.report('a', '10:01', 2, code => 'IN1', driver => 'outer')
                      || pg_temp.report('b', '10:02', 3)) AS three;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT * FROM pg_temp.wrong();
-- Each call is a connection of its own, and every unit is in the archive once.
SELECT f.ident, count(*), count(DISTINCT f.conn) AS conns FROM pt621.frame f GROUP BY 1 ORDER BY 1;
SELECT pg_temp.ingest(pg_temp.report('a', '10:03', 4, code => 'IN2')) AS one;
SELECT * FROM pg_temp.state WHERE ident = 'a';
SELECT * FROM pg_temp.wrong();
SELECT pg_temp.ingest(pg_temp.report('a', '18:00', 5, code => 'IN3')) AS one;
SELECT * FROM pg_temp.state WHERE ident = 'a';
SELECT * FROM pg_temp.wrong();
DROP TRIGGER answer ON pt621.position;

-- The same as a deferred trigger.  It runs at the end of the outer call, with the
-- rights of the owner: at the commit it would have those of the caller.
CREATE CONSTRAINT TRIGGER answer AFTER INSERT ON pt621.position
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.answer();
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
BEGIN;
SELECT pg_temp.ingest(pg_temp.report('a', '10:01', 2, code => 'IN1', driver => 'outer')) AS one;
SELECT * FROM pg_temp.state ORDER BY ident;
COMMIT;
SELECT * FROM pg_temp.state ORDER BY ident;
SELECT * FROM pg_temp.wrong();
DROP TRIGGER answer ON pt621.position;

-- ------------------------------------------------------- users' indexes, columns --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- One record per second is what this user wants: the error is hers to see.
CREATE UNIQUE INDEX one_a_second ON pt621.position (device_id, fix_time);
SELECT pg_temp.ingest(pg_temp.report('a', '10:00', 1)) AS one;
\set VERBOSITY sqlstate
SELECT pg_temp.ingest(pg_temp.report('b', '10:00', 1) || pg_temp.report('a', '10:00', 2));
SELECT pg_temp.ingest(pg_temp.report('b', '10:00', 1) || pg_temp.report('b', '10:00', 2));
\set VERBOSITY terse
SELECT pg_temp.ingest(pg_temp.report('a', '10:00', 1, ending => E'#\n')) AS none;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;
SELECT d.ident, (SELECT count(*) FROM pt621.frame f) AS archived FROM pt621.device d;
DROP INDEX pt621.one_a_second;

-- Columns with a default, and one that is generated; a check of hers.
ALTER TABLE pt621.position ADD COLUMN tenant integer DEFAULT 7,
                           ADD COLUMN day date GENERATED ALWAYS AS ((fix_time AT TIME ZONE 'UTC')::date) STORED,
                           ADD CONSTRAINT slow CHECK (speed_kmh < 100);
SELECT pg_temp.ingest(pg_temp.report('a', '10:01', 1)) AS one;
SELECT p.tenant, p.day, count(*) FROM pt621.position p GROUP BY 1, 2;
ALTER TABLE pt621.position DROP COLUMN tenant, DROP COLUMN day, DROP CONSTRAINT slow;

-- ------------------------------------------------------------ rolled back, rights --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
BEGIN;
SELECT pg_temp.ingest(pg_temp.report('a', '10:00')) AS one;
SAVEPOINT s;
SELECT pg_temp.ingest(pg_temp.report('b', '10:00')) AS one;
ROLLBACK TO s;
SELECT pg_temp.ingest(pg_temp.report('b', '10:01')) AS one;
SELECT * FROM pg_temp.place ORDER BY ident, fix_time;
ROLLBACK;
SELECT (SELECT count(*) FROM pt621.device) AS devices, (SELECT count(*) FROM pt621.device_state) AS states,
       (SELECT count(*) FROM pt621.frame) AS frames, (SELECT count(*) FROM pt621.position) AS positions;

-- Who may write to the table may not write to the state, whose rows follow.
CREATE ROLE regress_pt621_writer;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON pt621.position TO regress_pt621_writer;
INSERT INTO pt621.device (id, ident) VALUES (910001, 'a');
SET ROLE regress_pt621_writer;
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (910001, '2025-03-01 10:00:00+00', ST_Point(1, 50, 4326)),
                                                              (910001, '2025-03-01 11:00:00+00', ST_Point(2, 50, 4326));
UPDATE pt621.position SET geom = ST_Point(3, 50, 4326) WHERE fix_time = '2025-03-01 10:00:00+00';
DELETE FROM pt621.position WHERE fix_time = '2025-03-01 11:00:00+00';
SELECT * FROM pt621.device_state;
RESET ROLE;
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.wrong();
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_writer;
REVOKE ALL ON pt621.position FROM regress_pt621_writer;
DROP ROLE regress_pt621_writer;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
