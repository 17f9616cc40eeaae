-- geofence.sql: versions of fences, who sees which, and when they are active.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
TRUNCATE pt621.geofence RESTART IDENTITY;
TRUNCATE pt621.device, pt621.device_version, pt621.geofence_version;

-- A square of one degree, and a place in it.
CREATE FUNCTION pg_temp.square(at double precision) RETURNS geometry LANGUAGE sql IMMUTABLE
RETURN ST_MakeEnvelope(at, 0, at + 1, 1, 4326);
CREATE FUNCTION pg_temp.place(at double precision) RETURNS geometry LANGUAGE sql IMMUTABLE
RETURN ST_Point(at + 0.5, 0.5, 4326);
-- Versions of a fence; times are numbered in order, from t1.
CREATE FUNCTION pg_temp.versions(of integer)
RETURNS TABLE (valid text, name text, west double precision, exit_buffer_m double precision) LANGUAGE sql AS $$
    WITH t AS (SELECT u.at, 't' || row_number() OVER (ORDER BY u.at) AS name
                 FROM (SELECT lower(v.valid) FROM pt621.geofence_version v WHERE v.geofence_id = of
                       UNION SELECT upper(v.valid) FROM pt621.geofence_version v WHERE v.geofence_id = of) u (at)
                WHERE u.at IS NOT NULL)
    SELECT format('%s .. %s', a.name, z.name), v.name, ST_XMin(v.shape), v.exit_buffer_m
      FROM pt621.geofence_version v
      LEFT JOIN t a ON a.at = lower(v.valid)
      LEFT JOIN t z ON z.at = upper(v.valid)
     WHERE v.geofence_id = of
     ORDER BY lower(v.valid) NULLS FIRST
$$;
-- Each revision once, and the stamp above all.
CREATE FUNCTION pg_temp.in_order() RETURNS boolean LANGUAGE sql
RETURN (SELECT count(DISTINCT v.revision) = count(*) AND max(v.revision) < (SELECT s.revision FROM pt621.geofence_stamp s)
          FROM pt621.geofence_version v);

-- --------------------------------------------------------------- 1. versions --

INSERT INTO pt621.geofence (name, geom) VALUES ('depot', pg_temp.square(10)), ('yard', pg_temp.square(20));
SELECT * FROM pg_temp.versions(1);
SELECT pg_temp.in_order();
SELECT pt621_inside(pg_temp.place(10), 'depot'), pt621_inside(pg_temp.place(20), 'depot'), pt621_inside(pg_temp.place(10), 'none'),
       pt621_geofences(pg_temp.place(20)), pt621_geofences(pg_temp.place(30));
-- before it was
SELECT pt621_inside(pg_temp.place(10), 'depot', now() - interval '1 day'), pt621_geofences(pg_temp.place(10), now() - interval '1 day');

-- Redrawn: from now on.
UPDATE pt621.geofence SET geom = pg_temp.square(11) WHERE name = 'depot';
SELECT * FROM pg_temp.versions(1);
-- Nothing changed: no version, no revision.
SELECT revision AS before FROM pt621.geofence_stamp \gset
UPDATE pt621.geofence SET name = name, geom = geom, exit_buffer_m = NULL;
SELECT revision - :before AS more FROM pt621.geofence_stamp;
-- Renamed: always was.
UPDATE pt621.geofence SET name = 'DEPOT' WHERE name = 'depot';
SELECT * FROM pg_temp.versions(1);
SELECT pt621_inside(pg_temp.place(11), 'depot'), pt621_inside(pg_temp.place(11), 'DEPOT');
-- Twice in one transaction: the latter; back again: as if nothing had been.
BEGIN;
UPDATE pt621.geofence SET exit_buffer_m = 30 WHERE id = 1;
UPDATE pt621.geofence SET exit_buffer_m = 40 WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
UPDATE pt621.geofence SET exit_buffer_m = 20 WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
COMMIT;
-- Validity alone: of what there is.
UPDATE pt621.geofence SET valid = tstzrange('2024-01-01', upper(valid)) WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
SELECT lower(valid) FROM pt621.geofence_version WHERE geofence_id = 1 ORDER BY 1 LIMIT 1;
SELECT pt621_inside(pg_temp.place(10), 'DEPOT', '2024-06-01'), pt621_inside(pg_temp.place(11), 'DEPOT', '2024-06-01');
UPDATE pt621.geofence SET valid = tstzrange('2024-02-01', '2024-03-01') WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
-- What has ended is edited: that holds when it is extended.
UPDATE pt621.geofence SET exit_buffer_m = 50 WHERE id = 1;
UPDATE pt621.geofence SET valid = tstzrange('2024-02-01', NULL) WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
-- Both: for all of the time.
UPDATE pt621.geofence SET valid = tstzrange('2023-01-01', NULL), geom = pg_temp.square(12) WHERE id = 1;
SELECT * FROM pg_temp.versions(1);
-- In the future: nothing was yet.
INSERT INTO pt621.geofence (name, geom, valid) VALUES ('later', pg_temp.square(30), tstzrange(now() + interval '1 day', NULL));
UPDATE pt621.geofence SET geom = pg_temp.square(31) WHERE name = 'later';
SELECT * FROM pg_temp.versions(3);
DELETE FROM pt621.geofence WHERE name = 'later';
SELECT * FROM pg_temp.versions(3);
SELECT pt621_inside(pg_temp.place(31), 'later');
-- Deleted, and another of the same name: each in its time.
SELECT clock_timestamp() AS then \gset
DELETE FROM pt621.geofence WHERE name = 'yard';
INSERT INTO pt621.geofence (id, name, geom) VALUES (900, 'yard', pg_temp.square(25));
SELECT * FROM pg_temp.versions(2);
SELECT pt621_inside(pg_temp.place(20), 'yard'), pt621_inside(pg_temp.place(20), 'yard', :'then'), pt621_inside(pg_temp.place(25), 'yard');
-- The same id once more: goes on.
BEGIN;
DELETE FROM pt621.geofence WHERE id = 900;
INSERT INTO pt621.geofence (id, name, geom) VALUES (900, 'yard', pg_temp.square(25));
COMMIT;
SELECT * FROM pg_temp.versions(900);
UPDATE pt621.geofence SET id = 901 WHERE id = 900;
-- Many at once, and all away.
INSERT INTO pt621.geofence (name, geom) SELECT 'many ' || i, pg_temp.square(i) FROM generate_series(40, 139) i;
UPDATE pt621.geofence SET exit_buffer_m = 5 WHERE name LIKE 'many %';
SELECT count(*), count(*) FILTER (WHERE upper_inf(valid)), pg_temp.in_order() FROM pt621.geofence_version WHERE name LIKE 'many %';
SELECT count(*) FROM generate_series(40, 139) i WHERE cardinality(pt621_geofences(ST_Point(i + 0.5, 0.5, 4326))) = 1;
INSERT INTO pt621.geofence (name, geom) VALUES ('many 40', pg_temp.square(1)) ON CONFLICT (name) DO UPDATE SET geom = EXCLUDED.geom;
SELECT pt621_inside(pg_temp.place(1), 'many 40'), pt621_inside(pg_temp.place(40), 'many 40');
TRUNCATE pt621.geofence;
SELECT count(*) FROM pt621.geofence_version WHERE upper_inf(valid);
SELECT pt621_geofences(pg_temp.place(50)), pt621_inside(pg_temp.place(50), 'many 50');

-- ---------------------------------------- 2. transactions see what is theirs --

INSERT INTO pt621.geofence (id, name, geom) VALUES (100, 'gate', pg_temp.square(10));
BEGIN;
SELECT pt621_geofences(pg_temp.place(10), now());
UPDATE pt621.geofence SET geom = pg_temp.square(11);
SELECT pt621_geofences(pg_temp.place(10)), pt621_geofences(pg_temp.place(11));
SAVEPOINT one;
UPDATE pt621.geofence SET geom = pg_temp.square(12);
SELECT pt621_geofences(pg_temp.place(11)), pt621_geofences(pg_temp.place(12));
ROLLBACK TO one;
SELECT pt621_geofences(pg_temp.place(11)), pt621_geofences(pg_temp.place(12));
ROLLBACK;
SELECT pt621_geofences(pg_temp.place(10)), pt621_geofences(pg_temp.place(11));
-- a cursor keeps what it saw
BEGIN;
DECLARE c CURSOR FOR SELECT pt621_geofences(pg_temp.place(10), statement_timestamp()) FROM generate_series(1, 3);
FETCH c;
DELETE FROM pt621.geofence;
SELECT pt621_geofences(pg_temp.place(10), now());
FETCH c;
CLOSE c;
ROLLBACK;
-- a shape that cannot be loaded leaves the fences as they were
BEGIN;
INSERT INTO pt621.geofence (id, name, geom) VALUES (101, 'fine', pg_temp.square(13));
UPDATE pt621.geofence_version SET shape = ST_Point(0, 0, 4326) WHERE geofence_id = 101;
SELECT pt621_geofences(pg_temp.place(10));
ROLLBACK;
SELECT pt621_geofences(pg_temp.place(10));

-- ------------------------------------------------------------------ 3. rights --

CREATE ROLE regress_pt621_nobody;
CREATE ROLE regress_pt621_drawer;
GRANT EXECUTE ON FUNCTION pt621_inside(geometry, text, timestamptz), pt621_geofences(geometry, timestamptz) TO regress_pt621_nobody;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_drawer;
GRANT SELECT, INSERT, UPDATE, DELETE ON pt621.geofence TO regress_pt621_drawer;
GRANT USAGE ON SEQUENCE pt621.geofence_id_seq TO regress_pt621_drawer;
SET ROLE regress_pt621_nobody;
SET search_path = pg_catalog;
SELECT public.pt621_geofences(public.ST_Point(10.5, 0.5, 4326)), public.pt621_inside(public.ST_Point(10.5, 0.5, 4326), 'gate');
SELECT count(*) FROM pt621.geofence;
RESET search_path;
SET ROLE regress_pt621_drawer;
INSERT INTO pt621.geofence (name, geom) VALUES ('drawn', pg_temp.square(60));
UPDATE pt621.geofence SET geom = pg_temp.square(61) WHERE name = 'drawn';
SELECT pt621_geofences(pg_temp.place(60));
SELECT count(*) FROM pt621.geofence_version;
DELETE FROM pt621.geofence WHERE name = 'drawn';
RESET ROLE;
SELECT count(*) FROM pt621.geofence_version WHERE name = 'drawn';
-- in a policy, and in the WHEN of a trigger
CREATE TABLE seen (id integer, geom geometry(Point, 4326));
CREATE FUNCTION ring() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'alarm: %', NEW.id; RETURN NULL; END$$;
CREATE TRIGGER ring AFTER INSERT ON seen FOR EACH ROW WHEN (pt621_inside(NEW.geom, 'gate')) EXECUTE FUNCTION ring();
CREATE TRIGGER typo AFTER INSERT ON seen FOR EACH ROW WHEN (pt621_inside(NEW.geom, 'gaet')) EXECUTE FUNCTION ring();
INSERT INTO seen VALUES (1, pg_temp.place(10)), (2, pg_temp.place(11)), (3, NULL);
ALTER TABLE seen ENABLE ROW LEVEL SECURITY;
CREATE POLICY there ON seen USING (pt621_geofences(geom) @> '{100}');
GRANT SELECT ON seen TO regress_pt621_nobody;
SET ROLE regress_pt621_nobody;
SELECT id FROM seen;
RESET ROLE;
DROP TABLE seen;
DROP FUNCTION ring();
REVOKE ALL ON FUNCTION pt621_inside(geometry, text, timestamptz), pt621_geofences(geometry, timestamptz) FROM regress_pt621_nobody;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_drawer;
REVOKE ALL ON pt621.geofence FROM regress_pt621_drawer;
REVOKE ALL ON SEQUENCE pt621.geofence_id_seq FROM regress_pt621_drawer;
DROP ROLE regress_pt621_nobody, regress_pt621_drawer;
-- in parallel
CREATE TABLE points AS SELECT i, pg_temp.place(9 + i % 3) AS geom FROM generate_series(1, 3000) i;
BEGIN;
UPDATE pt621.geofence SET geom = ST_Union(geom, pg_temp.square(11)) WHERE id = 100;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
ALTER TABLE points SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT count(*) FROM points WHERE pt621_inside(geom, 'gate');
SELECT count(*) FROM points WHERE pt621_inside(geom, 'gate');
ROLLBACK;
DROP TABLE points;

-- ------------------------------------------------------------------- 4. hours --

INSERT INTO pt621.geofence (id, name, geom, valid, schedule, time_zone) VALUES
    (110, 'shop', pg_temp.square(10), '(,)', 'Mo-Fr 07:00-18:00; Sa 08:00-12:00; Su 22:00-02:00', 'Europe/Berlin');
SELECT t AS at, pt621_inside(pg_temp.place(10), 'shop', t)
  FROM unnest(ARRAY['2026-01-05 05:59:59.999999+00', '2026-01-05 06:00+00', '2026-01-05 16:59:59.999999+00', '2026-01-05 17:00+00',
                    '2026-07-06 04:59:59+00', '2026-07-06 05:00+00', '2026-01-10 11:00+00', '2026-01-11 12:00+00',
                    '2026-01-11 21:00+00', '2026-01-12 00:59+00', '2026-01-12 01:00+00', 'infinity']::timestamptz[]) t;
-- an hour that is skipped, and one that comes twice
UPDATE pt621.geofence SET valid = '(,2030-01-01)', schedule = 'Su 02:15-02:45' WHERE id = 110;
SELECT t AS at, pt621_inside(pg_temp.place(10), 'shop', t)
  FROM unnest(ARRAY['2026-03-29 00:30+00', '2026-03-29 01:30+00', '2026-10-25 00:30+00', '2026-10-25 01:00+00', '2026-10-25 01:30+00']::timestamptz[]) t;
INSERT INTO pt621.geofence (name, geom, schedule) VALUES ('x', pg_temp.square(10), 'Mo-Fr 7:00-18:00');
INSERT INTO pt621.geofence (name, geom, schedule) VALUES ('x', pg_temp.square(10), '');
INSERT INTO pt621.geofence (name, geom, time_zone) VALUES ('x', pg_temp.square(10), 'Mars/Olympus');
INSERT INTO pt621.geofence (id, name, geom, valid, time_zone) VALUES (199, 'x', pg_temp.square(10), '(,)', NULL);
-- ends that are in, and ends that are not
INSERT INTO pt621.geofence (name, geom, valid) VALUES ('ends', pg_temp.square(10), '(2025-01-01 00:00:00, 2025-01-01 00:00:01]');
SELECT valid FROM pt621.geofence WHERE name = 'ends';
SELECT t AS at, pt621_inside(pg_temp.place(10), 'ends', t)
  FROM unnest(ARRAY['2025-01-01', '2025-01-01 00:00:00.000001', '2025-01-01 00:00:01', '2025-01-01 00:00:01.000001']::timestamptz[]) t;
INSERT INTO pt621.geofence (name, geom, valid) VALUES ('x', pg_temp.square(10), '(2025-01-01 00:00:00, 2025-01-01 00:00:00.000001)');

-- ---------------------------------------------------------- 5. trackers' groups --

INSERT INTO pt621.device (id, ident, groups) VALUES (1, 'a', '{red}'), (2, 'b', '{}');
UPDATE pt621.device SET name = 'A', groups = groups;
SELECT count(*) FROM pt621.device_version;
UPDATE pt621.device SET groups = '{red,blue}' WHERE id = 1;
BEGIN;
UPDATE pt621.device SET speed_limit_kmh = 80 WHERE id = 1;
UPDATE pt621.device SET speed_limit_kmh = 90, groups = '{}' WHERE id = 1;
COMMIT;
SELECT device_id, lower_inf(valid), groups, speed_limit_kmh, upper(valid) = lead(lower(valid)) OVER (ORDER BY valid) AS adjoins
  FROM pt621.device_version ORDER BY device_id, valid;

-- ------------------------------------------------------------------ 6. points --

SELECT pt621_inside('POINT EMPTY'::geometry, 'shop');
SELECT pt621_inside(ST_SetSRID('POINT EMPTY'::geometry, 4326), 'shop'), pt621_geofences(ST_SetSRID('POINT EMPTY'::geometry, 4326)),
       pt621_inside(NULL, 'shop'), pt621_inside(pg_temp.place(10), NULL), pt621_geofences(NULL);
SELECT pt621_inside(ST_SetSRID('POINT Z (10.5 0.5 7)'::geometry, 4326), 'gate'), pt621_inside(ST_SetSRID('POINT M (10.5 0.5 7)'::geometry, 4326), 'gate'),
       pt621_inside(ST_Point('NaN', 0, 4326), 'gate');
SELECT pt621_inside(pg_temp.square(10), 'gate');
SELECT pt621_geofences(ST_Point(1, 2, 3857));
SELECT pt621_geofences(ST_Point(1, 2));

-- ------------------------------------- 7. edits while the triggers are away --

INSERT INTO pt621.geofence (id, name, geom, valid) VALUES
    (120, 'kept', pg_temp.square(40), '[2025-01-01,)'), (121, 'gone', pg_temp.square(40), '[2025-01-01,)'),
    (122, 'shorter', pg_temp.square(40), '[2025-01-01,)'), (123, 'other', pg_temp.square(40), '[2025-01-01,)');
-- one that has the number of another, and goes on with its shape
DELETE FROM pt621.geofence WHERE id = 120;
INSERT INTO pt621.geofence (id, name, geom, valid) VALUES (120, 'kept', pg_temp.square(40), '[2025-02-01,)');
-- nothing to follow up: nothing is touched
CREATE TEMP TABLE before AS SELECT s.revision, v.ctid AS place FROM pt621.geofence_stamp s, pt621.geofence_version v;
SELECT pt621_ready();
SELECT count(*) FROM (SELECT s.revision, v.ctid FROM pt621.geofence_stamp s, pt621.geofence_version v EXCEPT TABLE before) AS touched;
SET session_replication_role = replica;
DELETE FROM pt621.geofence WHERE id = 121;
UPDATE pt621.geofence SET valid = '[2025-01-01,2025-06-01)' WHERE id = 122;
UPDATE pt621.geofence SET name = 'another', geom = pg_temp.square(50) WHERE id = 123;
INSERT INTO pt621.geofence (id, name, geom, valid, radius_m, exit_buffer_m) VALUES
    (124, 'circle', ST_Point(60.5, 0.5, 4326), '(,)', 100, 20),
    (125, 'bow-tie', 'SRID=4326;POLYGON((0 0,1 1,1 0,0 1,0 0))', '(,)', NULL, 20);
RESET session_replication_role;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT pt621_ready();
\unset SHOW_CONTEXT
RESET client_min_messages;
DELETE FROM pt621.geofence WHERE id = 125;
SELECT pt621_ready();
SELECT geofence_id, name, lower(valid) AS since, upper(valid) AS until, ST_XMin(shape)::integer AS west
  FROM (SELECT v.geofence_id, v.name, v.shape,
               tstzrange(CASE WHEN lower(v.valid) < '2026-01-01' THEN lower(v.valid) END, CASE WHEN upper(v.valid) < '2026-01-01' THEN upper(v.valid) END) AS valid
          FROM pt621.geofence_version v WHERE v.geofence_id >= 120) v
 ORDER BY geofence_id, since, west;
SELECT pt621_inside(pg_temp.place(40), 'gone'), pt621_inside(pg_temp.place(40), 'another'), pt621_inside(pg_temp.place(50), 'another'), pt621_inside(pg_temp.place(60), 'circle');

-- ------------------------------------------------ 8. fences that have ended --

-- One tracker is there, the other one was deleted.
TRUNCATE pt621.device, pt621.device_state, pt621.position, pt621.geofence_visit, pt621.event;
INSERT INTO pt621.device (id, ident) VALUES (1, 'a'), (2, 'b');
INSERT INTO pt621.position (device_id, fix_time, geom)
SELECT d, t, pg_temp.place(60) FROM generate_series(1, 2) d, unnest('{2025-03-01 12:00,2025-03-01 12:01}'::timestamptz[]) t;
DELETE FROM pt621.device WHERE id = 2;
DELETE FROM pt621.geofence WHERE name = 'circle';
SELECT pt621_settle_geofences(), pt621_settle_geofences(1);
SELECT device_id, enter_at, exit_at, exit_unknown FROM pt621.geofence_visit WHERE superseded_at IS NULL ORDER BY device_id;
SELECT count(*) FROM pt621.event WHERE kind = 'geofence_exit';
TRUNCATE pt621.device_state, pt621.position, pt621.geofence_visit, pt621.event;
TRUNCATE pt621.geofence;
TRUNCATE pt621.device, pt621.device_version, pt621.geofence_version;
