-- tiles.sql: vector tiles: which there are, who may see what, how large they get.
-- What is in them test/t/070_exports.pl reads.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'America/Los_Angeles';
SET DateStyle = 'German';
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;
TRUNCATE pt621.geofence RESTART IDENTITY;

-- Nothing there.
SELECT pt621_tiles(0, 0, 0), pt621_tiles(12, 0, 4095, 'heat, tracks,fences,live');

-- Twenty trackers for a day, around 13 E 52 N; one that crossed the antimeridian; one at the pole.
INSERT INTO pt621.device (id, ident, name) SELECT n, n::text, 'van ' || n FROM generate_series(1, 22) n;
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
SELECT d, '2025-03-01 00:00+00'::timestamptz + i * interval '60 s', ST_Point(13 + 0.1 * sin(i / 40.0 + d), 52 + 0.1 * cos(i / 40.0 + d), 4326), 50
  FROM generate_series(1, 20) d, generate_series(0, 1439) i;
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
SELECT 21, '2025-03-01 00:00+00'::timestamptz + i * interval '60 s', ST_Point(CASE WHEN i <= 50 THEN 179.5 + i * 0.01 ELSE i * 0.01 - 180.5 END, 10, 4326), 50
  FROM generate_series(0, 100) i;
INSERT INTO pt621.position (device_id, fix_time, geom) SELECT 22, '2025-03-01 00:00+00'::timestamptz + i * interval '60 s', ST_Point(i, 90 - i * 0.001, 4326)
  FROM generate_series(0, 99) i;
INSERT INTO pt621.geofence (name, geom, valid) VALUES
    ('town', ST_MakeEnvelope(12.9, 51.9, 13.1, 52.1, 4326), '(,)'),
    ('over', ST_MakeEnvelope(13.2, 51.9, 13.3, 52.1, 4326), '(,2020-01-01)'),
    ('date line', ST_MakeEnvelope(179, 9, 181, 11, 4326), '(,)'),
    ('pole', ST_MakeEnvelope(0, 60, 90, 90, 4326), '(,)');

-- The tile of a place.
CREATE FUNCTION pg_temp.size(lon double precision, lat double precision, zoom integer, layers text, period tstzrange DEFAULT '[2025-03-01 00:00+00,2025-03-03 00:00+00)',
                             devices integer[] DEFAULT NULL) RETURNS integer
LANGUAGE sql STABLE
RETURN length(pt621_tiles(zoom, least(floor((lon + 180) / 360 * (1 << zoom)), (1 << zoom) - 1)::integer,
                          floor((1 - asinh(tan(radians(lat))) / pi()) / 2 * (1 << zoom))::integer, layers, period, devices));
SELECT l AS layer, string_agg(concat(z, CASE WHEN pg_temp.size(13.05, 52.05, z, l) > 0 THEN ' yes' ELSE ' no' END), ', ' ORDER BY z) AS zoom
  FROM unnest('{live,fences,tracks,heat}'::text[]) l, unnest('{0,4,8,9,10,12,20}'::integer[]) z
 GROUP BY l ORDER BY l;
-- Layers add up; the default ones; of some trackers; of a period, of the last day.
SELECT pg_temp.size(13, 52, 8, 'live,fences,tracks,heat') = sum(pg_temp.size(13, 52, 8, l)) AS adds_up FROM unnest('{live,fences,tracks,heat}'::text[]) l;
SELECT pt621_tiles(4, 8, 5) = pt621_tiles(4, 8, 5, 'live,fences') AS by_default, pt621_tiles(4, 8, 5, NULL), pt621_tiles(4, 8, 5, '');
SELECT l AS layer, pg_temp.size(13, 52, 9, l, devices => '{3}') < pg_temp.size(13, 52, 9, l) AS fewer, pg_temp.size(13, 52, 9, l, devices => '{21,NULL}') AS others
  FROM unnest('{live,tracks,heat}'::text[]) l;
SELECT l AS layer, pg_temp.size(13, 52, 9, l, '[2025-03-01 12:00+00,2025-03-01 13:00+00)') BETWEEN 1 AND pg_temp.size(13, 52, 9, l) - 1 AS fewer,
       pg_temp.size(13, 52, 9, l, '[2024-03-01,2024-04-01)') AS before, pg_temp.size(13, 52, 9, l, 'empty') AS never, pg_temp.size(13, 52, 9, l, NULL) AS last_day
  FROM unnest('{tracks,heat}'::text[]) l;
-- By tracker or by area the same is found.
SELECT count(*) > 100 AS some, count(*) FILTER (WHERE t.fixes IS NULL OR a.fixes IS NULL) AS differ
  FROM pt621_tile_pieces(ST_MakeEnvelope(13, 51.5, 13.05, 52.5, 4326), '2025-03-01 06:00+00', '2025-03-01 12:07+00', NULL, true) t
  FULL JOIN pt621_tile_pieces(ST_MakeEnvelope(13, 51.5, 13.05, 52.5, 4326), '2025-03-01 06:00+00', '2025-03-01 12:07+00', NULL, false) a
    ON (a.device_id, a.since, a.until) = (t.device_id, t.since, t.until);
-- On either side of the antimeridian there is something, and nothing in between the long way round.
SELECT l AS layer, z, pg_temp.size(179.9, 10, z, l) > 0 AS west, pg_temp.size(-179.9, 10, z, l) > 0 AS east, pg_temp.size(0, 10, z, l, devices => '{21}') AS elsewhere
  FROM unnest('{fences,tracks,heat}'::text[]) l, unnest('{7,12}'::integer[]) z ORDER BY 1, 2;
-- Where the projection ends.
SELECT l AS layer, pg_temp.size(50, 85, 3, l) > 0 AS north, length(pt621_tiles(0, 0, 0, l, '[2025-03-01 00:00+00,2025-03-03 00:00+00)', '{22}')) AS whole
  FROM unnest('{fences,tracks,heat,live}'::text[]) l;

-- What is no tile.
SELECT pt621_tiles(-1, 0, 0);
SELECT pt621_tiles(31, 0, 0);
SELECT pt621_tiles(1, 2, 0);
SELECT pt621_tiles(1, 0, -1);
SELECT pt621_tiles(NULL, 0, 0);
SELECT pt621_tiles(0, 0, 0, 'live,stars');
SELECT pt621_tiles(0, 0, 0, 'live;DROP TABLE pt621.device');

-- More than is shown: from afar one record of each piece, and of every second piece.
BEGIN;
TRUNCATE pt621.position, pt621.track_piece;
ALTER TABLE pt621.position DISABLE TRIGGER USER;
INSERT INTO pt621.track_piece (device_id, until, since, fixes, extent, detectors)
SELECT d, '2024-01-01'::timestamptz + i * interval '16 min', '2024-01-01'::timestamptz + (i - 1) * interval '16 min', 16, box(point(0, 0), point(20, 20)), ''
  FROM generate_series(1, 20) d, generate_series(1, 1500) i;
INSERT INTO pt621.position (device_id, fix_time, geom)
SELECT p.device_id, p.until, ST_Point(10 + 10 * sin(n * 1.7), 10 + 10 * cos(n * 2.3), 4326)
  FROM (SELECT p.*, row_number() OVER () AS n FROM pt621.track_piece p) p;
SELECT w.by_tracker, count(*) AS records, count(DISTINCT t.device_id) AS trackers, sum(t.weight) BETWEEN 450000 AND 500000 AS stand_for_all
  FROM (VALUES (false), (true)) w (by_tracker), pt621_tile_places(ST_MakeEnvelope(-1, -1, 21, 21, 4326), '2024-01-01', '2025-01-01', NULL, w.by_tracker, false) t
 GROUP BY w.by_tracker ORDER BY 1;
SELECT z, pg_temp.size(10, 10, z, 'tracks', NULL) + pg_temp.size(10, 10, z, 'tracks', '[2024-01-01,2025-01-01)') < 1000000 AS tracks,
       pg_temp.size(10, 10, z, 'heat', '[2024-01-01,2025-01-01)') < 100000 AS heat
  FROM unnest('{0,9}'::integer[]) z;
ROLLBACK;

-- Rights, and policies.
CREATE ROLE regress_pt621_viewer;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_viewer;
SET ROLE regress_pt621_viewer;
SELECT pt621_tiles(0, 0, 0);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_tiles TO regress_pt621_viewer;
SET ROLE regress_pt621_viewer;
SELECT pt621_tiles(0, 0, 0, 'live');
RESET ROLE;
GRANT SELECT ON pt621.device, pt621.device_state, pt621.position, pt621.last_position, pt621.track_piece TO regress_pt621_viewer;
SET ROLE regress_pt621_viewer;
SELECT pt621_tiles(0, 0, 0, 'fences');
RESET ROLE;
CREATE POLICY one ON pt621.device FOR SELECT TO regress_pt621_viewer USING (id = 3);
CREATE POLICY one ON pt621.position FOR SELECT TO regress_pt621_viewer USING (device_id = 3);
ALTER TABLE pt621.device ENABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
CREATE TEMP TABLE wanted AS SELECT l, z, pg_temp.size(13, 52, z, l, devices => '{3}') AS size FROM unnest('{live,tracks,heat}'::text[]) l, unnest('{4,9}'::integer[]) z;
GRANT SELECT ON wanted TO regress_pt621_viewer;
SET ROLE regress_pt621_viewer;
SELECT w.l AS layer, w.z, w.size > 0 AS some, pg_temp.size(13, 52, w.z, w.l) = w.size AS those_alone FROM wanted w ORDER BY 1, 2;
RESET ROLE;
ALTER TABLE pt621.device DISABLE ROW LEVEL SECURITY;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
DROP POLICY one ON pt621.device;
DROP POLICY one ON pt621.position;
DROP TABLE wanted;
REVOKE ALL ON pt621.device, pt621.device_state, pt621.position, pt621.last_position, pt621.track_piece FROM regress_pt621_viewer;
REVOKE ALL ON FUNCTION pt621_tiles FROM regress_pt621_viewer;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_viewer;
DROP ROLE regress_pt621_viewer;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece, pt621.geofence, pt621.geofence_version, pt621.geofence_visit;
