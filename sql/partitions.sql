-- partitions.sql: one partition a month around now, and a default one for the
-- rest.
--
-- Months are counted from this one, so that the answers are the same in any: -1
-- is last month, 3 is three ahead.
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

-- The partitions of both tables, by month; their bounds as they stand in UTC.
CREATE VIEW pg_temp.partition AS
SELECT p.relname AS parent, m.n AS month, c.relname AS name, c.oid, pg_get_expr(c.relpartbound, c.oid) AS bound,
       c.relowner = p.relowner AS owner
  FROM pg_class p
  JOIN pg_inherits i ON i.inhparent = p.oid
  JOIN pg_class c ON c.oid = i.inhrelid
  LEFT JOIN generate_series(-6, 6) AS m (n) ON c.relname = pg_temp.name(p.relname, m.n)
 WHERE p.oid IN ('pt621.position'::regclass, 'pt621.frame'::regclass);

-- Where a row lies: the number of the month, or default.
CREATE FUNCTION pg_temp.place(relation oid) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT coalesce(month::text, bound) FROM pg_temp.partition WHERE oid = relation);

CREATE PROCEDURE pg_temp.drop_partition(parent text, n integer)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE pt621.%I', pg_temp.name(parent, n));
END
$$;

-- ------------------------------------------------------------------ which there are --

SELECT parent, coalesce(month::text, name) AS partition, owner,
       bound = 'DEFAULT' OR bound = format('FOR VALUES FROM (%L) TO (%L)', to_char(pg_temp.month(month), 'YYYY-MM-DD HH24:MI:SS+00'),
                                           to_char(pg_temp.month(month + 1), 'YYYY-MM-DD HH24:MI:SS+00')) AS bounds
  FROM pg_temp.partition
 ORDER BY parent, month NULLS LAST;
SELECT pt621_maintain() AS none;

-- Dropped ones come back, and have all that the parents have; how a session
-- writes times has no part in it.
CALL pg_temp.drop_partition('position', 3);
SELECT pt621_maintain() AS one;
SELECT pt621_maintain() AS none;
CREATE TEMP TABLE before AS SELECT parent, month, name, bound FROM pg_temp.partition;
DO $$
BEGIN
    FOR n IN -1 .. 3 LOOP
        CALL pg_temp.drop_partition('position', n);
        CALL pg_temp.drop_partition('frame', n);
    END LOOP;
END
$$;
SET TimeZone = 'Pacific/Kiritimati';
SET DateStyle = 'German';
SET IntervalStyle = 'sql_standard';
SELECT pt621_maintain() AS ten;
RESET IntervalStyle;
SET DateStyle = 'ISO';
SET TimeZone = 'UTC';
SELECT * FROM before EXCEPT SELECT parent, month, name, bound FROM pg_temp.partition;
SELECT parent, month, name, bound FROM pg_temp.partition EXCEPT SELECT * FROM before;

-- A valid primary key on every table and partition.
SELECT c.oid::regclass AS "without a primary key"
  FROM pg_class c
 WHERE c.relnamespace = 'pt621'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('layout', 'geofence_stamp')
   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid);
SELECT i.indrelid::regclass AS "table", pg_get_indexdef(i.indexrelid) AS "primary key"
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
 WHERE c.relnamespace = 'pt621'::regnamespace AND i.indisprimary AND c.relname IN ('device', 'device_state', 'frame', 'position')
 ORDER BY 1::text COLLATE "C";

-- --------------------------------------------------------------------- where rows go --

INSERT INTO pt621.position (device_id, fix_time, valid)
SELECT -1, t, false
  FROM unnest(ARRAY[pg_temp.month(0), pg_temp.month(1) - interval '1 us', pg_temp.month(-1), pg_temp.month(-1) - interval '1 us',
                    pg_temp.month(4) - interval '1 us', pg_temp.month(4), '2000-01-01', '4713-01-02 BC', '294276-12-31', 'infinity', '-infinity']) AS t;
SELECT pg_temp.place(p.tableoid) AS partition, count(*) FROM pt621.position p GROUP BY 1 ORDER BY min(p.fix_time);
-- What trackers claim makes no partition.
SELECT pt621_ingest(convert_to('$POS,1,' || to_char(t, 'HH24MISS') || '.000,A,2230.0000,N,11400.0000,E,1.0,90.0,' || to_char(t, 'DDMMYY') ||
                               E',,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'), received_at => r)
  FROM (VALUES ('2012-02-29 12:00'::timestamp, pg_temp.month(0)), ('2031-12-31 12:00', '2031-12-31 12:00+00')) v (t, r);
SELECT pg_temp.place(p.tableoid) AS partition, count(*) FROM pt621.position p WHERE p.device_id <> -1 GROUP BY 1;
SELECT pg_temp.place(f.tableoid) AS partition, count(*) FROM pt621.frame f GROUP BY 1 ORDER BY min(f.received_at);
SELECT pt621_maintain() AS none;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- ------------------------------------------------------------ strays, users' things --

-- While a partition is missing its rows lie in the default one, with whatever
-- columns users have added and dropped; the new partition takes them.
ALTER TABLE pt621.position ADD COLUMN gone integer DEFAULT 1, ADD COLUMN "Own" text DEFAULT 'x',
                           ADD COLUMN day date GENERATED ALWAYS AS ((fix_time AT TIME ZONE 'UTC')::date) STORED;
ALTER TABLE pt621.position DROP COLUMN gone, ADD CONSTRAINT own CHECK ("Own" <> '');
CREATE INDEX own ON pt621.position USING gist (geom);
CREATE TABLE pg_temp.fired (fix_time timestamptz);
CREATE FUNCTION pg_temp.fire() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired VALUES (NEW.fix_time);
    RETURN NULL;
END
$$;
CREATE TRIGGER own AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION pg_temp.fire();
CALL pg_temp.drop_partition('position', 0);
CALL pg_temp.drop_partition('position', 3);
CALL pg_temp.drop_partition('frame', 0);
INSERT INTO pt621.device (id, ident) VALUES (930001, 'a');
INSERT INTO pt621.position (device_id, fix_time, geom, "Own") VALUES
    (930001, pg_temp.month(0), ST_Point(1, 50, 4326), 'first'),
    (930001, pg_temp.month(1) - interval '1 us', ST_Point(2, 50, 4326), 'last'),
    (930001, pg_temp.month(3), ST_Point(3, 50, 4326), 'three ahead'),
    (930001, pg_temp.month(4), ST_Point(4, 50, 4326), 'further'),
    (930001, '2012-02-29', ST_Point(5, 50, 4326), 'long ago');
SELECT pt621_ingest('x', received_at => pg_temp.month(0)), pt621_ingest('y', received_at => pg_temp.month(1) - interval '1 us');
CREATE TEMP VIEW places AS
SELECT pg_temp.place(p.tableoid) AS partition, p."Own", p.day = (p.fix_time AT TIME ZONE 'UTC')::date AS day, ST_X(p.geom) AS lon FROM pt621.position p;
SELECT * FROM places ORDER BY lon;
SELECT pt621_maintain() AS three;
SELECT * FROM places ORDER BY lon;
SELECT convert_from(f.bytes, 'SQL_ASCII') AS bytes, pg_temp.place(f.tableoid) AS partition FROM pt621.frame f ORDER BY f.bytes;
-- The last fix is what it was, and nothing was inserted twice for the triggers.
SELECT s.fix_time = pg_temp.month(4) AS last_fix FROM pt621.device_state s WHERE s.device_id = 930001;
SELECT count(*) AS fired FROM fired;
-- Users' indexes, triggers, checks are on the new partitions.
SELECT p.month, count(DISTINCT i.indexrelid) AS indexes, count(DISTINCT t.oid) AS triggers, count(DISTINCT k.oid) AS checks
  FROM pg_temp.partition p
  LEFT JOIN pg_index i ON i.indrelid = p.oid AND i.indisvalid
  LEFT JOIN pg_trigger t ON t.tgrelid = p.oid AND t.tgparentid <> 0
  LEFT JOIN pg_constraint k ON k.conrelid = p.oid AND k.contype = 'c'
 WHERE p.parent = 'position' GROUP BY 1 ORDER BY 1;
INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (930001, pg_temp.month(3) + interval '1 s', ST_Point(6, 50, 4326));
SELECT count(*) AS fired FROM fired;
DROP VIEW places;
DROP TRIGGER own ON pt621.position;
DROP INDEX pt621.own;
ALTER TABLE pt621.position DROP CONSTRAINT own, DROP COLUMN day, DROP COLUMN "Own";

-- ------------------------------------------------------------- users' own partitions --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
-- A week in the place of a month: maintenance leaves the month alone.
BEGIN;
CALL pg_temp.drop_partition('position', 2);
CALL pg_temp.drop_partition('position', 3);
DO $$
BEGIN
    EXECUTE format('CREATE TABLE pt621.week PARTITION OF pt621.position FOR VALUES FROM (%L) TO (%L)',
                   pg_temp.month(2), pg_temp.month(2) + interval '7 days');
END
$$;
SELECT pt621_maintain() AS one;
SELECT coalesce(month::text, name) AS partition FROM pg_temp.partition WHERE parent = 'position' ORDER BY month NULLS LAST, name;
ROLLBACK;
-- A month that was detached to be kept elsewhere stays detached.
BEGIN;
DO $$
BEGIN
    EXECUTE format('ALTER TABLE pt621.position DETACH PARTITION pt621.%I', pg_temp.name('position', -1));
END
$$;
SELECT pt621_maintain() AS none;
ROLLBACK;
-- Months of the past are not maintenance's business: they neither come nor go.
BEGIN;
DO $$
BEGIN
    EXECUTE format('CREATE TABLE pt621.%I PARTITION OF pt621.frame FOR VALUES FROM (%L) TO (%L)', pg_temp.name('frame', -3), pg_temp.month(-3), pg_temp.month(-2));
END
$$;
SELECT pt621_maintain() AS none;
SELECT month FROM pg_temp.partition WHERE parent = 'frame' ORDER BY 1;
ROLLBACK;
-- Without a default partition.
BEGIN;
DROP TABLE pt621.position_default;
CALL pg_temp.drop_partition('position', 3);
SELECT pt621_maintain() AS one;
SELECT pt621_create_tables();
SELECT coalesce(month::text, bound) AS partition FROM pg_temp.partition WHERE parent = 'position' ORDER BY month;
ROLLBACK;

-- The time that a lock may take is maintenance's own setting, and does not stay.
SELECT p.proname, p.proconfig FROM pg_proc p WHERE p.proname = 'pt621_maintain';
SHOW lock_timeout;
SELECT pt621_maintain() AS none;
