-- geofence_exact.sql: a sample of `make exact`: what the engine says of points is
-- what ST_Relate says, and on vertices and off the boundary what ST_Covers says;
-- circles and corridors are within 0.1 % of the radius.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
\getenv abs_srcdir PG_ABS_SRCDIR
\set seed 621
\set shapes 100
\set points 20000
\set circles 60
\set corridors 60
\set probes 60
\set exact :abs_srcdir '/test/exact/exact.sql'
\set ECHO none
\i :exact
\set ECHO all
SELECT what, compared > 1000 AS compared, mismatches FROM exact.verdict ORDER BY what COLLATE "C";
SELECT * FROM exact.mismatch ORDER BY id LIMIT 5;

-- Ids in order, an empty array for none.
INSERT INTO pt621.geofence (id, name, geom)
SELECT 900000 - i, 'order ' || i, ST_MakeEnvelope(100, 10, 101 + i, 11, 4326) FROM generate_series(1, 3) i;
SELECT pt621_geofences(ST_SetSRID(ST_MakePoint(100.5, 10.5), 4326)), pt621_geofences(ST_SetSRID(ST_MakePoint(102.5, 10.5), 4326)),
       pt621_geofences(ST_SetSRID(ST_MakePoint(99.5, 10.5), 4326)), pt621_geofences('SRID=4326;POINT EMPTY');
DELETE FROM pt621.geofence;
SET client_min_messages = warning;
DROP SCHEMA exact CASCADE;
