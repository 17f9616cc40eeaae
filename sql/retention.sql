-- retention.sql: partitions whose time is over are dropped whole, by the server's
-- clock; nothing else is.
--
-- Months are counted from this one, so that the answers are the same in any.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pt621_maintain() >= 0 AS maintained;

CREATE FUNCTION pg_temp.month(n integer) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN date_trunc('month', now(), 'UTC') + n * interval '1 month';

CREATE FUNCTION pg_temp.name(parent text, n integer) RETURNS text
LANGUAGE sql STABLE
RETURN parent || '_' || to_char(pg_temp.month(n) AT TIME ZONE 'UTC', 'YYYY_MM');

-- The partitions of both tables: months as their number, others by name.
CREATE VIEW pg_temp.partition AS
SELECT p.relname AS parent, coalesce(m.n::text, c.relname) AS name
  FROM pg_class p
  JOIN pg_inherits i ON i.inhparent = p.oid
  JOIN pg_class c ON c.oid = i.inhrelid
  LEFT JOIN generate_series(-6, 6) AS m (n) ON c.relname = pg_temp.name(p.relname, m.n)
 WHERE p.oid IN ('pt621.position'::regclass, 'pt621.frame'::regclass);
CREATE VIEW pg_temp.there AS
SELECT parent, string_agg(name, ' ' ORDER BY name COLLATE "C") AS partitions FROM pg_temp.partition GROUP BY parent ORDER BY parent;

-- Attaches a partition of one's own, under a name of one's own.
CREATE PROCEDURE pg_temp.attach(parent text, name text, low timestamptz, high timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE pt621.%I PARTITION OF pt621.%I FOR VALUES FROM (%L) TO (%L)', name, parent, low, high);
    EXECUTE format('ALTER TABLE pt621.%I OWNER TO pt621', name);
END
$$;

-- Settings of the server.  A session takes a new value in between two statements,
-- hence a hundred of them, not shown.
CREATE FUNCTION pg_temp.waits(name text, value text) RETURNS SETOF text
LANGUAGE sql
RETURN format('SELECT pg_sleep(0.1) WHERE (SELECT setting FROM pg_settings WHERE name = %L) <> %L', name, value);

SELECT * FROM pg_temp.there;

-- ------------------------------------------------------------------- nothing is set --

-- The default keeps everything for ever.
SELECT name, setting, unit, context FROM pg_settings WHERE name ~ '^pt621.retention' ORDER BY name;
SELECT pt621_retention('frame'), pt621_retention('position');
SELECT pt621_retention('device');
BEGIN;
CALL pg_temp.attach('frame', 'ancient', '2011-01-01', '2012-01-01');
SELECT pt621_maintain() AS none;
SELECT * FROM pg_temp.there;
ROLLBACK;

-- A number that was meant as days would be minutes.
\set VERBOSITY default
ALTER SYSTEM SET pt621.retention_frames = 90;
ALTER SYSTEM SET pt621.retention_positions = '1439min';
\set VERBOSITY terse
ALTER SYSTEM SET pt621.retention_frames = -1;
ALTER SYSTEM SET pt621.retention_positions = '1d';
ALTER SYSTEM SET pt621.retention_positions = 0;

-- ------------------------------------------------------------------- which are dropped --

-- 90 days, written as a user does.
ALTER SYSTEM SET pt621.retention_frames = '90d';
ALTER SYSTEM SET pt621.retention_positions = '2160h';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.retention_frames', '129600') FROM generate_series(1, 100) \gexec
SELECT pg_temp.waits('pt621.retention_positions', '129600') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SHOW pt621.retention_frames;
SHOW pt621.retention_positions;
SELECT pt621_retention('frame') = interval '129600 min' AS frame, pt621_retention('position') = interval '129600 min' AS position;

-- Wholly older, to the microsecond: one that ends now minus 90 days is, one that
-- ends a microsecond later is not.  Any size will do.  Each call drops one.
BEGIN;
CALL pg_temp.attach('position', 'year', '2011-01-01', '2012-01-01');
CALL pg_temp.attach('position', 'just', '2012-01-01', now() - interval '129600 min');
CALL pg_temp.attach('position', 'not_yet', now() - interval '129600 min', now() - interval '129600 min' + interval '1 us');
CALL pg_temp.attach('frame', 'week', '2012-01-02', '2012-01-09');
INSERT INTO pt621.position (device_id, fix_time, valid) SELECT 1, t, false FROM unnest(ARRAY['2010-12-31', '2011-06-01', '2020-01-01', now()]) t;
SELECT * FROM pg_temp.there;
SELECT pt621_maintain() AS one;
SELECT * FROM pg_temp.there;
SELECT pt621_maintain() AS one;
SELECT * FROM pg_temp.there;
SELECT pt621_maintain() AS one;
SELECT * FROM pg_temp.there;
SELECT pt621_maintain() AS none;
SELECT * FROM pg_temp.there;
-- Rows of the default partition stay, however old.
SELECT tableoid::regclass = 'pt621.position_default'::regclass AS in_default, fix_time < now() - interval '90 days' AS old FROM pt621.position ORDER BY fix_time;
ROLLBACK;

-- How a session writes times has no part in it.
BEGIN;
CALL pg_temp.attach('frame', 'lowest', '2011-01-01', '2012-01-01');
CALL pg_temp.attach('frame', 'next', '2012-01-01', now() - interval '129600 min');
CALL pg_temp.attach('frame', 'not_yet', now() - interval '129600 min', now() - interval '129590 min');
SET LOCAL TimeZone = 'Pacific/Kiritimati';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL standard_conforming_strings = off;
SELECT pt621_maintain() + pt621_maintain() + pt621_maintain() AS two;
SHOW lock_timeout;
SELECT * FROM pg_temp.there;
ROLLBACK;

-- Bounds without a time: from the beginning is old, to the end never is.
BEGIN;
CREATE TABLE pt621.from_ever PARTITION OF pt621.frame FOR VALUES FROM (MINVALUE) TO ('2011-01-01 BC');
CREATE TABLE pt621.bc PARTITION OF pt621.frame FOR VALUES FROM ('2011-01-01 BC') TO ('0001-01-01');
CREATE TABLE pt621.infinite PARTITION OF pt621.frame FOR VALUES FROM ('2100-01-01') TO ('infinity');
CREATE TABLE pt621.for_ever PARTITION OF pt621.frame FOR VALUES FROM ('infinity') TO (MAXVALUE);
SELECT pt621_maintain() + pt621_maintain() + pt621_maintain() AS two;
SELECT * FROM pg_temp.there;
ROLLBACK;

-- Partitions that are divided further: whole ones go whole; of younger ones what is
-- divided by the same time, and nothing that is divided by something else.
BEGIN;
DO $$
BEGIN
    EXECUTE format('DROP TABLE pt621.%I', pg_temp.name('position', -1));
    EXECUTE format('DROP TABLE pt621.%I', pg_temp.name('position', 0));
END
$$;
CREATE TABLE pt621.century PARTITION OF pt621.position FOR VALUES FROM ('1901-01-01') TO ('2001-01-01') PARTITION BY RANGE (fix_time);
CREATE TABLE pt621.century_default PARTITION OF pt621.century DEFAULT;
DO $$
BEGIN
    EXECUTE format('CREATE TABLE pt621.decade PARTITION OF pt621.position FOR VALUES FROM (''2011-01-01'') TO (%L) PARTITION BY RANGE (fix_time)', pg_temp.month(1));
END
$$;
CREATE TABLE pt621.decade_2012 PARTITION OF pt621.decade FOR VALUES FROM ('2012-01-01') TO ('2013-01-01');
CREATE TABLE pt621.decade_2013 PARTITION OF pt621.decade FOR VALUES FROM ('2013-01-01') TO ('2014-01-01') PARTITION BY LIST (device_id);
CREATE TABLE pt621.decade_2013_1 PARTITION OF pt621.decade_2013 FOR VALUES IN (1);
CREATE TABLE pt621.decade_rest PARTITION OF pt621.decade DEFAULT PARTITION BY RANGE (device_id);
CREATE TABLE pt621.decade_rest_1 PARTITION OF pt621.decade_rest FOR VALUES FROM (1) TO (2);
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY '{century,century_default,decade,decade_2012,decade_2013,decade_2013_1,decade_rest,decade_rest_1}'::text[] LOOP
        EXECUTE format('ALTER TABLE pt621.%I OWNER TO pt621', made);
    END LOOP;
END
$$;
SELECT pt621_maintain() AS one;
SELECT to_regclass('pt621.century_default') AS gone;
SELECT pt621_maintain() + pt621_maintain() + pt621_maintain() AS two;
SELECT relid::regclass FROM pg_partition_tree('pt621.decade') ORDER BY 1::text COLLATE "C";
ROLLBACK;

-- What is detached is no longer a partition, and kept.
BEGIN;
CALL pg_temp.attach('frame', 'kept', '2011-01-01', '2012-01-01');
ALTER TABLE pt621.frame DETACH PARTITION pt621.kept;
SELECT pt621_maintain() AS none, to_regclass('pt621.kept') AS kept;
ROLLBACK;

-- ----------------------------------------------------------------- what follows from it --

-- The last place of a tracker stays known when its positions are gone.
BEGIN;
CALL pg_temp.attach('position', 'old', '2021-01-01', '2022-01-01');
INSERT INTO pt621.device (id, ident) VALUES (930001, 'a');
INSERT INTO pt621.position (device_id, fix_time, geom, ignition, driver) VALUES
    (930001, '2020-06-01', ST_Point(6, 50, 4326), true, 'b'), (930001, '2021-06-01', ST_Point(7, 50, 4326), true, 'a');
SELECT pt621_maintain() AS one;
SELECT fix_time, ST_AsText(geom) AS place, newest_time, ignition, driver FROM pt621.device_state WHERE device_id = 930001;
-- Also when older ones come or go.
INSERT INTO pt621.position (device_id, fix_time, geom, ignition, driver) VALUES (930001, '2020-07-01', ST_Point(8, 50, 4326), false, 'c');
DELETE FROM pt621.position WHERE fix_time = '2020-07-01';
SELECT fix_time, ST_AsText(geom) AS place, newest_time, ignition, ignition_time, driver, driver_time FROM pt621.device_state WHERE device_id = 930001;
-- What is younger than that counts as ever.
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (930001, now(), ST_Point(9, 50, 4326));
SELECT fix_time = now() AS now, ST_AsText(geom) AS place, newest_time = now() AS newest, ignition, driver FROM pt621.device_state WHERE device_id = 930001;
-- (What was dropped does not come back.)
DELETE FROM pt621.position WHERE fix_time = now();
SELECT fix_time, ST_AsText(geom) AS place, newest_time, ignition, driver FROM pt621.device_state WHERE device_id = 930001;
ROLLBACK;

-- ------------------------------------------------------------------------- what is put off --

-- What hangs on a partition is the user's: it is not dropped with it.  The others
-- do not wait for that.
BEGIN;
CALL pg_temp.attach('frame', 'seen', '2011-01-01', '2012-01-01');
CALL pg_temp.attach('frame', 'unseen', '2012-01-01', '2013-01-01');
CREATE VIEW pt621.watch AS SELECT * FROM pt621.seen;
SET LOCAL client_min_messages = log;
SELECT pt621_maintain() AS one;
SELECT pt621_maintain() AS none;
RESET client_min_messages;
SELECT * FROM pg_temp.there;
DROP VIEW pt621.watch;
SELECT pt621_maintain() AS one;
SELECT to_regclass('pt621.seen') AS gone;
ROLLBACK;
-- Of another owner, in another schema: not for the role pt621 to drop.
BEGIN;
CREATE SCHEMA retention_other;
CREATE TABLE retention_other.foreign_owned PARTITION OF pt621.frame FOR VALUES FROM ('2011-01-01') TO ('2012-01-01');
GRANT USAGE ON SCHEMA retention_other TO pt621;
SET LOCAL client_min_messages = log;
SELECT pt621_maintain() AS none;
RESET client_min_messages;
ALTER TABLE retention_other.foreign_owned OWNER TO pt621;
SELECT pt621_maintain() AS one;
SELECT to_regclass('retention_other.foreign_owned') AS gone;
ROLLBACK;

-- What cannot be made does not keep what is over: here a check that rows of the
-- default partition do not pass.
BEGIN;
CALL pg_temp.attach('frame', 'over', '2011-01-01', '2012-01-01');
DO $$
BEGIN
    EXECUTE format('DROP TABLE pt621.%I', pg_temp.name('position', 2));
    EXECUTE format('DROP TABLE pt621.%I', pg_temp.name('position', 3));
END
$$;
INSERT INTO pt621.position (device_id, fix_time, valid) VALUES (-1, pg_temp.month(2), false);
ALTER TABLE pt621.position ADD CONSTRAINT own CHECK (device_id > 0) NOT VALID;
SELECT pt621_maintain() AS two;
SELECT * FROM pg_temp.there;
ALTER TABLE pt621.position DROP CONSTRAINT own;
SELECT pt621_maintain() AS one;
SELECT * FROM pg_temp.there;
ROLLBACK;

-- ------------------------------------------------------------------------ what is not made --

ALTER SYSTEM RESET pt621.retention_frames;
ALTER SYSTEM RESET pt621.retention_positions;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.retention_frames', '0') FROM generate_series(1, 100) \gexec
SELECT pg_temp.waits('pt621.retention_positions', '0') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
-- A month whose time is over is not made again.  Kept is what is of this month: on
-- its first day no setting says that, hence a function in the place of them.
BEGIN;
CREATE OR REPLACE FUNCTION pt621_retention(parent text) RETURNS interval
LANGUAGE sql STABLE STRICT
RETURN CASE parent WHEN 'frame' THEN now() - date_trunc('month', now(), 'UTC') END;
SELECT pt621_maintain() AS one;
SELECT pt621_maintain() AS none;
SELECT pt621_create_tables();
SELECT * FROM pg_temp.there;
-- What comes of it later goes to the default partition.
SELECT pt621_ingest('x', received_at => pg_temp.month(-1));
SELECT tableoid::regclass FROM pt621.frame;
-- A restore is declared complete without loss.
SAVEPOINT restored;
CALL pg_temp.attach('frame', 'restored', '2011-01-01', '2012-01-01');
SELECT pt621_ready();
SELECT * FROM pg_temp.there;
ROLLBACK TO SAVEPOINT restored;
-- Without the setting it is made again, and takes what is its own.
CREATE OR REPLACE FUNCTION pt621_retention(parent text) RETURNS interval
LANGUAGE sql STABLE STRICT
RETURN NULL::interval;
SELECT pt621_maintain() AS one;
SELECT tableoid::regclass::text = 'pt621.' || pg_temp.name('frame', -1) AS last_month FROM pt621.frame;
SELECT * FROM pg_temp.there;
ROLLBACK;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
