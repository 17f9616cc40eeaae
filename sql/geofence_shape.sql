-- geofence_shape.sql: circles, corridors, the antimeridian, and what is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
\pset null '(null)'
TRUNCATE pt621.geofence RESTART IDENTITY;
TRUNCATE pt621.geofence_version;

-- ------------------------------------------------------------------ 1. refused --

CREATE FUNCTION pg_temp.refusal(wkt text, radius_m double precision DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    INSERT INTO pt621.geofence (name, geom, radius_m) VALUES ('refused', ST_SetSRID(wkt::geometry, 4326), radius_m);
    DELETE FROM pt621.geofence WHERE name = 'refused';
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''));
END
$$;
-- PostGIS says what is not valid in a notice of its own, too.
SET client_min_messages = warning;
\pset tuples_only on
\pset format unaligned
SELECT pg_temp.refusal('POLYGON((0 0,1 1,1 0,0 1,0 0))');
SELECT pg_temp.refusal('POLYGON((0 0,1 0,1 1,0 1,0 0),(2 2,3 2,3 3,2 2))');
SELECT pg_temp.refusal('MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((0 0,1 0,1 1,0 0)))');
SELECT pg_temp.refusal('POLYGON((0 0,1 0,NaN 1,0 1,0 0))');
SELECT pg_temp.refusal('POLYGON EMPTY');
SELECT pg_temp.refusal('MULTIPOLYGON(EMPTY)');
SELECT pg_temp.refusal('POINT EMPTY', 5);
SELECT pg_temp.refusal('POLYGON((0 80,1 80,1 91,0 80))');
SELECT pg_temp.refusal('POLYGON((350 0,361 0,361 1,350 0))');
SELECT pg_temp.refusal('POLYGON((170 0,-170 0,-170 10,170 10,170 0))');
SELECT pg_temp.refusal('POLYGON((0 0,1 0,1 1,0 0))', 5);
SELECT pg_temp.refusal('POINT(0 0)');
SELECT pg_temp.refusal('LINESTRING(0 0,1 1)');
SELECT pg_temp.refusal('MULTIPOINT(0 0)', 5);
SELECT pg_temp.refusal('GEOMETRYCOLLECTION(POLYGON((0 0,1 0,1 1,0 0)))');
SELECT pg_temp.refusal('CURVEPOLYGON(CIRCULARSTRING(0 0,1 1,2 0,1 -1,0 0))');
SELECT pg_temp.refusal('POINT(0 0)', -1);
SELECT pg_temp.refusal('POINT(0 0)', 'NaN');
SELECT pg_temp.refusal('POINT(0 89.99)', 10000);
SELECT pg_temp.refusal('POINT(0 91)', 10);
SELECT pg_temp.refusal('POINT(NaN 1)', 10);
SELECT pg_temp.refusal('LINESTRING(0 60,180 60)', 10);
SELECT pg_temp.refusal('LINESTRING(0 0,180 0)', 10);
SELECT pg_temp.refusal('POLYGON Z ((0 0 1,1 0 1,1 1 1,0 0 1))');
SELECT pg_temp.refusal('MULTIPOLYGON(EMPTY,((0 0,1 0,1 1,0 0)))');
RESET client_min_messages;
\pset tuples_only off
\pset format aligned
SELECT ST_AsText(pt621_geofence_shape('SRID=4326;POLYGON Z ((0 0 1,1 0 1,1 1 1,0 0 1))'));
INSERT INTO pt621.geofence (name, geom) VALUES ('srid', ST_MakeEnvelope(0, 0, 1, 1, 3857));
SELECT pt621_geofence_shape(ST_MakeEnvelope(0, 0, 1, 1, 3857));
SELECT count(*) FROM pt621.geofence_version WHERE name <> 'refused';

-- -------------------------------------------------------- 2. the antimeridian --

INSERT INTO pt621.geofence (name, geom) VALUES
    ('fiji', ST_MakeEnvelope(170, -20, 190, -10, 4326)),
    ('west', ST_MakeEnvelope(-190, 0, -170, 10, 4326)),
    ('far', ST_MakeEnvelope(185, 20, 190, 30, 4326)),
    ('hole', ST_SetSRID('POLYGON((170 40,190 40,190 60,170 60,170 40),(175 45,175 55,185 55,185 45,175 45))'::geometry, 4326));
SELECT name, ST_GeometryType(geom), ST_AsText(ST_Envelope(geom)), ST_Area(geom), ST_IsValid(geom), shape FROM pt621.geofence ORDER BY id;
SELECT lon, lat, pt621_geofences(ST_Point(lon, lat, 4326))
  FROM (VALUES (175, -15), (-175, -15), (180, -15), (-180, -15), (169, -15), (-169, -15), (-175, 5), (175, 5), (-172, 25), (175, 50), (-175, 50), (172, 50), (-171, 42)) p (lon, lat);

-- ----------------------------------------------------- 3. circles and corridors --

-- How far the boundary is off, in parts of the radius: vertices and edges.
CREATE FUNCTION pg_temp.worst(line geometry, radius_m double precision) RETURNS double precision LANGUAGE sql
RETURN (SELECT max(abs(ST_Distance(line::geography, ST_LineInterpolatePoint(s.geom, f)::geography) / radius_m - 1))
          FROM ST_DumpSegments(pt621_geofence_shape(line, radius_m)) s,
               unnest(ARRAY[0, 0.3, 0.5, 0.8]) f
         -- cuts along the antimeridian are no boundary
         WHERE abs(ST_X(ST_StartPoint(s.geom))) <> 180 OR abs(ST_X(ST_EndPoint(s.geom))) <> 180);
SELECT wkt, r AS radius_m, pg_temp.worst(ST_GeomFromText(wkt, 4326), r) < 0.001 AS exact, ST_IsValid(shape), ST_NumGeometries(shape) AS parts
  FROM unnest(ARRAY['POINT(8.5 47.4)', 'POINT(0 0)', 'POINT(179.9999 -80)',
                    'LINESTRING(0 0,3 4)', 'LINESTRING(10 80,13 79.5)', 'LINESTRING(179 60,-178 61)', 'LINESTRING(-5 -5,5 5)',
                    'MULTILINESTRING((0 50,1 51),(20 50,21 50))']) wkt,
       unnest(ARRAY[10, 1000, 100000]) r,
       LATERAL (SELECT pt621_geofence_shape(ST_GeomFromText(wkt, 4326), r)) s (shape)
 ORDER BY wkt, r;
-- with turns of all kinds, there and back, places twice
SELECT r AS radius_m, pg_temp.worst(g, r) < 0.001 AS exact, ST_IsValid(s), ST_NRings(s) AS rings
  FROM ST_GeomFromText('LINESTRING(10 50,10.01 50.005,10.015 50.005,10.015 50.005,10.01 50.003,10.03 50.01,10.03 50.02,10.03 50,10.04 50)', 4326) g,
       unnest(ARRAY[10, 100, 5000]) r, LATERAL pt621_geofence_shape(g, r) s;
-- a circle is a circle of that size, and says so to ST_DWithin
SELECT count(*) FILTER (WHERE ST_Covers(s, p) <> ST_DWithin(c::geography, p::geography, 500)) AS differ, count(*)
  FROM ST_Point(179.999, -17, 4326) c, pt621_geofence_shape(c, 500) s,
       generate_series(0, 359, 7) a, unnest(ARRAY[1, 250, 499.4, 500.6, 800]) d,
       LATERAL (SELECT ST_Project(c::geography, d, radians(a))::geometry) p (p);
-- longitudes of more than one turn mean the same
SELECT ST_Equals(pt621_geofence_shape('SRID=4326;POINT(190 10)', 100), pt621_geofence_shape('SRID=4326;POINT(-170 10)', 100));

-- ------------------------------------------------------- 4. as a fence keeps it --

INSERT INTO pt621.geofence (name, geom, radius_m) VALUES
    ('circle', ST_Point(8, 47, 4326), 100), ('corridor', ST_GeomFromText('LINESTRING(8 48,9 48)', 4326), 50);
INSERT INTO pt621.geofence (name, geom, radius_m, exit_buffer_m) VALUES ('own', ST_Point(8, 49, 4326), 100, 3);
SELECT name, ST_GeometryType(geom), ST_GeometryType(shape), exit_buffer_m FROM pt621.geofence WHERE radius_m IS NOT NULL ORDER BY id;
SELECT pt621_inside(ST_Point(8.5, 48.0011, 4326), 'corridor') AS "great circle", pt621_inside(ST_Point(8.5, 48, 4326), 'corridor') AS parallel;
-- shape follows geom and radius_m, whatever is written to it
UPDATE pt621.geofence SET shape = NULL WHERE name = 'circle';
UPDATE pt621.geofence SET radius_m = 200 WHERE name = 'circle';
SELECT round(sqrt(ST_Area(shape::geography) / pi())) FROM pt621.geofence WHERE name = 'circle';
UPDATE pt621.geofence SET geom = ST_MakeEnvelope(8, 47, 9, 48, 4326), radius_m = NULL WHERE name = 'circle';
SELECT ST_AsText(geom), shape FROM pt621.geofence WHERE name = 'circle';
SELECT ST_GeometryType(shape), count(*) FROM pt621.geofence_version WHERE name = 'circle' GROUP BY 1 ORDER BY 1;
TRUNCATE pt621.geofence;
TRUNCATE pt621.geofence_version;
