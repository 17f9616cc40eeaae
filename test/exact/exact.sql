-- exact.sql: what pt621_geofences() and pt621_inside() say, against PostGIS.
--
-- For psql; the variables say how much: seed, shapes, points (random ones; all
-- vertices and edge midpoints come on top), circles, corridors, probes (points
-- for each circle and corridor).  Leaves the schema exact, with the table verdict.
--
-- Everything is drawn by hashing the seed and a number, so that a seed is the
-- same shapes and points on every machine and in every version of PostgreSQL.
-- Fences that are there are deleted.

SET client_min_messages = warning;
-- ST_Relate is what takes the time: in two processes.
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
DELETE FROM pt621.geofence;
DROP SCHEMA IF EXISTS exact CASCADE;
CREATE SCHEMA exact;

-- A number from 0 to 1: the k-th that belongs to key.
CREATE FUNCTION pg_temp.draw(key bigint, k integer) RETURNS double precision
LANGUAGE sql STABLE
RETURN (hashint8extended(key * 1000003 + k, current_setting('exact.seed')::bigint) & 9007199254740991)::double precision
       / 9007199254740992::double precision;
SELECT set_config('exact.seed', :'seed', false), set_config('exact.shapes', :'shapes', false) \g /dev/null

-- Half of a side of the square about 0, 0 that the shapes lie in: with more of
-- them it grows, so that a point is in the extents of one or two.
CREATE FUNCTION pg_temp.half_side() RETURNS double precision
LANGUAGE sql STABLE
RETURN sqrt(current_setting('exact.shapes')::double precision);

CREATE UNLOGGED TABLE exact.verdict (what text, compared bigint, mismatches bigint, note text);

-- A geometry of what may not be one.
CREATE FUNCTION pg_temp.polygon(shell double precision[], holes jsonb DEFAULT '[]') RETURNS geometry
LANGUAGE sql STABLE
RETURN ST_MakePolygon(
    (SELECT ST_SetSRID(ST_MakeLine(ST_MakePoint(shell[2 * i - 1], shell[2 * i]) ORDER BY i), 4326)
       FROM generate_series(1, cardinality(shell) / 2) i),
    ARRAY(SELECT (SELECT ST_SetSRID(ST_MakeLine(ST_MakePoint((h.ring ->> (2 * i))::double precision,
                                                             (h.ring ->> (2 * i + 1))::double precision) ORDER BY i), 4326)
                    FROM generate_series(0, jsonb_array_length(h.ring) / 2 - 1) i)
            FROM jsonb_array_elements(holes) h (ring)));

-- A star about a place, with one to three holes: a small copy of itself in the
-- middle, and pieces between two of its rays; one of these may touch the shell.
-- flat: how much it is squeezed.  part: 0 all of it, 1 or 2 what lies on one or
-- the other side of two rays, without holes.
CREATE FUNCTION pg_temp.star(key bigint, lon double precision, lat double precision, size double precision,
                             flat double precision DEFAULT 1, part integer DEFAULT 0) RETURNS geometry
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    corners integer := 5 + floor(pg_temp.draw(key, 1) ^ 2 * 130);
    turn    double precision := 2 * pi() * pg_temp.draw(key, 2);
    holes   integer := 1 + floor(3 * pg_temp.draw(key, 3));
    xs      double precision[];
    ys      double precision[];
    shell   double precision[] := '{}';
    rings   jsonb := '[]';
    ring    double precision[];
    scale   double precision := 0.1 + 0.3 * pg_temp.draw(key, 4);
    half    integer := corners / 2;
    j       integer;
    angle   double precision;
    reach   double precision;
    x       double precision;
    y       double precision;
BEGIN
    FOR i IN 0 .. corners - 1 LOOP
        angle := 2 * pi() * (i + 0.8 * pg_temp.draw(key, 100 + 2 * i)) / corners;
        reach := size * (0.3 + 0.7 * pg_temp.draw(key, 101 + 2 * i));
        x := reach * cos(angle);
        y := reach * sin(angle) * flat;
        xs[i] := lon + x * cos(turn) - y * sin(turn);
        ys[i] := lat + x * sin(turn) + y * cos(turn);
    END LOOP;
    FOR i IN 0 .. corners - 1 LOOP
        IF part = 0 OR part = 1 AND i <= half OR part = 2 AND i >= half THEN
            shell := shell || xs[i] || ys[i];
        END IF;
    END LOOP;
    IF part = 1 THEN
        shell := shell || lon || lat;
    ELSIF part = 2 THEN
        shell := shell || xs[0] || ys[0] || lon || lat;
    END IF;
    shell := shell || shell[1] || shell[2];
    IF part <> 0 THEN
        RETURN pg_temp.polygon(shell);
    END IF;

    ring := '{}';
    FOR i IN 0 .. corners - 1 LOOP
        ring := ring || (lon + scale * (xs[i] - lon)) || (lat + scale * (ys[i] - lat));
    END LOOP;
    rings := rings || jsonb_build_array(to_jsonb(ring || ring[1] || ring[2]));
    FOR h IN 2 .. holes LOOP
        -- Each within its own third of the rays.
        j := (h - 2) * (corners / 3) + floor(pg_temp.draw(key, 10 + h) * (corners / 3 - 1));
        IF pg_temp.draw(key, 20 + h) < 0.3 THEN
            ring := ARRAY[xs[j], ys[j],
                          lon + 0.5 * (xs[j] - lon) + 0.1 * (xs[j + 1] - lon), lat + 0.5 * (ys[j] - lat) + 0.1 * (ys[j + 1] - lat),
                          lon + 0.3 * (xs[j] - lon) + 0.4 * (xs[j + 1] - lon), lat + 0.3 * (ys[j] - lat) + 0.4 * (ys[j + 1] - lat)];
        ELSE
            ring := '{}';
            FOR c IN 0 .. 3 LOOP
                x := (ARRAY[0.50, 0.40, 0.05, 0.10])[c + 1];
                y := (ARRAY[0.05, 0.45, 0.90, 0.42])[c + 1];
                ring := ring || (lon + x * (xs[j] - lon) + y * (xs[j + 1] - lon)) || (lat + x * (ys[j] - lat) + y * (ys[j + 1] - lat));
            END LOOP;
        END IF;
        rings := rings || jsonb_build_array(to_jsonb(ring || ring[1] || ring[2]));
    END LOOP;
    RETURN pg_temp.polygon(shell, rings);
END
$$;

-- The n-th shape.
CREATE FUNCTION pg_temp.shape(n integer, OUT kind text, OUT geom geometry, OUT radius_m double precision)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Shapes that belong together have one key.
    key  bigint := CASE WHEN n % 20 IN (13, 14) THEN n - n % 20 + 12 ELSE n END;
    lon  double precision := pg_temp.half_side() * (2 * pg_temp.draw(key, 50) - 1);
    lat  double precision := pg_temp.half_side() * (2 * pg_temp.draw(key, 51) - 1);
    size double precision := 0.01 * 200 ^ pg_temp.draw(key, 52);
    west double precision;
    south double precision;
BEGIN
    kind := 'star';
    -- About 0, 0 coordinates have the most digits: there ST_Covers is wrong most.
    IF n % 50 = 0 THEN
        lon := 0;
        lat := 0;
    END IF;
    IF n % 100 = 1 THEN
        kind := 'star across the antimeridian';
        lon := 180 + (2 * pg_temp.draw(key, 53) - 1) * size * 0.3;
    ELSIF n % 100 = 21 THEN
        kind := 'star across the antimeridian';
        lon := -180 + (2 * pg_temp.draw(key, 53) - 1) * size * 0.3;
    ELSIF n % 100 = 41 THEN
        kind := 'star near a pole';
        size := least(size, 0.5);
        lat := sign(pg_temp.draw(key, 53) - 0.5) * (89.999 - size);
        lon := 360 * pg_temp.draw(key, 54) - 180;
    END IF;
    CASE n % 20
        WHEN 10, 11 THEN
            kind := 'multipolygon';
            SELECT ST_Multi(ST_Collect(pg_temp.star(key + 1000000 * i, lon + (i % 2) * 2.1 * size, lat + (i / 2) * 2.1 * size, size) ORDER BY i))
              INTO geom FROM generate_series(0, 1 + floor(3 * pg_temp.draw(key, 55))::integer) i;
        WHEN 12 THEN
            -- It and the next one share two edges; the one after fills a hole.
            kind := 'part of a star';
            geom := pg_temp.star(key, lon, lat, size, part => 1);
        WHEN 13 THEN
            kind := 'the rest of a star';
            geom := pg_temp.star(key, lon, lat, size, part => 2);
        WHEN 14 THEN
            kind := 'what fills a hole';
            geom := ST_MakePolygon(ST_InteriorRingN(pg_temp.star(key, lon, lat, size), 1));
        WHEN 15 THEN
            kind := 'sliver';
            geom := pg_temp.star(key, lon, lat, 2, flat => 1e-3 * 10 ^ (-4 * pg_temp.draw(key, 56)));
        WHEN 16 THEN
            kind := 'hair';
            geom := pg_temp.star(key, lon, lat, 5, flat => 1e-9 * 10 ^ (-4 * pg_temp.draw(key, 56)));
        WHEN 17 THEN
            kind := 'circle';
            geom := ST_SetSRID(ST_MakePoint(CASE WHEN n % 100 = 17 THEN 180 ELSE lon END, lat), 4326);
            radius_m := 10 * 10000 ^ pg_temp.draw(key, 57);
        WHEN 18 THEN
            kind := 'corridor';
            SELECT ST_SetSRID(ST_MakeLine(ST_MakePoint(lon + size * pg_temp.draw(key, 60 + 2 * i), lat + size * pg_temp.draw(key, 61 + 2 * i))
                                          ORDER BY i), 4326)
              INTO geom FROM generate_series(0, 1 + floor(5 * pg_temp.draw(key, 58))::integer) i;
            radius_m := 10 * 1000 ^ pg_temp.draw(key, 57);
        WHEN 19 THEN
            -- Edges along the axes, at multiples of a sixteenth of a degree.
            kind := 'rectangle';
            west := floor(16 * lon) / 16;
            south := floor(16 * lat) / 16;
            geom := ST_Difference(ST_MakeEnvelope(west, south, west + 1, south + 0.5, 4326),
                                  ST_Collect(ST_MakeEnvelope(west + 0.125, south + 0.125, west + 0.25, south + 0.375, 4326),
                                             ST_MakeEnvelope(west + 0.5, south, west + 0.5625, south + 0.25, 4326)));
        ELSE
            geom := pg_temp.star(key, lon, lat, size);
    END CASE;
END
$$;

-- Thin ones may come out invalid by rounding, and would be refused; the next
-- ones take their place.
CREATE UNLOGGED TABLE exact.candidate AS
SELECT n, s.* FROM generate_series(1, :shapes + :shapes / 5 + 20) n, pg_temp.shape(n) s;
INSERT INTO pt621.geofence (name, geom, radius_m)
SELECT 'exact ' || c.n, c.geom, c.radius_m
  FROM exact.candidate c
 WHERE ST_IsValid(c.geom)
 ORDER BY c.n
 LIMIT :shapes;
-- What is stored is the reference.
CREATE UNLOGGED TABLE exact.shape AS
SELECT g.id, g.name, c.kind, coalesce(g.shape, g.geom) AS geom, ST_Boundary(coalesce(g.shape, g.geom)) AS boundary
  FROM pt621.geofence g
  JOIN exact.candidate c ON g.name = 'exact ' || c.n;
CREATE INDEX ON exact.shape USING gist (geom);
CREATE INDEX ON exact.shape (id);
ANALYZE exact.shape;

CREATE UNLOGGED TABLE exact.edge AS
SELECT row_number() OVER (ORDER BY s.id, d.path) AS n, s.id AS shape, ST_StartPoint(d.geom) AS a, ST_EndPoint(d.geom) AS b
  FROM exact.shape s, ST_DumpSegments(s.geom) d;
CREATE INDEX ON exact.edge (n);
ANALYZE exact.edge;

-- of: for vertices and midpoints, that shape.
CREATE UNLOGGED TABLE exact.point (id integer GENERATED ALWAYS AS IDENTITY, kind text, "of" integer, geom geometry);
INSERT INTO exact.point (kind, "of", geom) SELECT 'vertex', e.shape, e.a FROM exact.edge e ORDER BY e.n;
INSERT INTO exact.point (kind, "of", geom)
SELECT 'midpoint', e.shape, ST_SetSRID(ST_MakePoint((ST_X(e.a) + ST_X(e.b)) / 2, (ST_Y(e.a) + ST_Y(e.b)) / 2), 4326) FROM exact.edge e ORDER BY e.n;

-- Of ten random points three lie anywhere about, three in the extent of a
-- shape, three near or on an edge, from 1e-16 to 0.1 degrees, and one has
-- coordinates that are multiples of a sixteenth of a degree.
INSERT INTO exact.point (kind, geom)
SELECT 'random',
       ST_SetSRID(CASE WHEN r.n % 10 < 3 THEN
                           ST_MakePoint(pg_temp.half_side() * (2 * pg_temp.draw(r.key, 1) - 1),
                                        pg_temp.half_side() * (2 * pg_temp.draw(r.key, 2) - 1))
                       WHEN r.n % 10 < 6 THEN
                           ST_MakePoint(ST_XMin(s.geom) + (ST_XMax(s.geom) - ST_XMin(s.geom)) * pg_temp.draw(r.key, 1),
                                        ST_YMin(s.geom) + (ST_YMax(s.geom) - ST_YMin(s.geom)) * pg_temp.draw(r.key, 2))
                       WHEN r.n % 10 < 9 THEN
                           ST_MakePoint(ST_X(e.a) + (ST_X(e.b) - ST_X(e.a)) * pg_temp.draw(r.key, 1)
                                            + r.off * cos(2 * pi() * pg_temp.draw(r.key, 4)),
                                        ST_Y(e.a) + (ST_Y(e.b) - ST_Y(e.a)) * pg_temp.draw(r.key, 1)
                                            + r.off * sin(2 * pi() * pg_temp.draw(r.key, 4)))
                       ELSE
                           ST_MakePoint(floor(16 * pg_temp.half_side() * (2 * pg_temp.draw(r.key, 1) - 1)) / 16,
                                        floor(16 * pg_temp.half_side() * (2 * pg_temp.draw(r.key, 2) - 1)) / 16)
                  END, 4326)
  FROM (SELECT i AS n, 1000000000 + i AS key, 1e-16 * 1e15 ^ pg_temp.draw(1000000000 + i, 3) AS off FROM generate_series(1, :points) i) r
  CROSS JOIN (SELECT count(*) AS count FROM exact.edge) c
  CROSS JOIN (SELECT array_agg(id ORDER BY id) AS ids FROM exact.shape) a
  LEFT JOIN exact.shape s ON s.id = a.ids[1 + floor(cardinality(a.ids) * pg_temp.draw(r.key, 5))::integer]
  LEFT JOIN exact.edge e ON e.n = 1 + floor(c.count * pg_temp.draw(r.key, 6))::bigint
 ORDER BY r.n;
ANALYZE exact.point;

-- ------------------------------------------------------- the engine, and GEOS --

CREATE UNLOGGED TABLE exact.engine AS
SELECT p.id, pt621_geofences(p.geom) AS ids FROM exact.point p;
CREATE UNIQUE INDEX ON exact.engine (id);
ANALYZE exact.engine;

-- Each point and each shape whose extent has it.
CREATE UNLOGGED TABLE exact.pair AS
SELECT p.id AS point, s.id AS shape, ST_Relate(s.geom, p.geom) AS relate, ST_Covers(s.geom, p.geom) AS covers,
       p.kind = 'vertex' AND p."of" = s.id AS vertex
  FROM exact.point p
  JOIN exact.shape s ON s.geom && p.geom;
ANALYZE exact.pair;

-- Points in no extent are in no shape, which needs no call.
CREATE UNLOGGED TABLE exact.mismatch AS
SELECT p.id, p.kind, ST_AsEWKT(p.geom) AS geom, e.ids, coalesce(r.ids, '{}') AS relate
  FROM exact.point p
  JOIN exact.engine e ON e.id = p.id
  LEFT JOIN (SELECT t.point, array_agg(t.shape ORDER BY t.shape) AS ids
               FROM exact.pair t
              WHERE substr(t.relate, 1, 1) <> 'F' OR substr(t.relate, 4, 1) <> 'F'
              GROUP BY t.point) r ON r.point = p.id
 WHERE e.ids <> coalesce(r.ids, '{}');

INSERT INTO exact.verdict
SELECT p.kind || ' points, pt621_geofences() and ST_Relate', count(*), count(m.id), NULL
  FROM exact.point p
  LEFT JOIN exact.mismatch m ON m.id = p.id
 GROUP BY p.kind;
INSERT INTO exact.verdict
SELECT 'vertices, each is in its shape', count(*), count(*) FILTER (WHERE NOT p."of" = ANY (e.ids)), NULL
  FROM exact.point p
  JOIN exact.engine e ON e.id = p.id
 WHERE p.kind = 'vertex';
INSERT INTO exact.verdict
SELECT 'vertices, pt621_geofences() and ST_Covers', count(*), count(*) FILTER (WHERE t.covers <> (t.shape = ANY (e.ids))), NULL
  FROM exact.pair t
  JOIN exact.engine e ON e.id = t.point
 WHERE t.vertex;
INSERT INTO exact.verdict
SELECT 'pairs off the boundary, pt621_geofences() and ST_Covers', count(*) FILTER (WHERE NOT n.near),
       count(*) FILTER (WHERE n.otherwise AND NOT n.near), NULL
  FROM exact.pair t
  JOIN exact.engine e ON e.id = t.point
  JOIN exact.point p ON p.id = t.point
  JOIN exact.shape s ON s.id = t.shape
  CROSS JOIN LATERAL (SELECT t.covers <> (t.shape = ANY (e.ids)) AS otherwise, ST_DWithin(s.boundary, p.geom, 1e-9) AS near) n;
INSERT INTO exact.verdict
SELECT 'pairs, pt621_inside() and ST_Relate', count(*),
       count(*) FILTER (WHERE pt621_inside(p.geom, s.name) IS DISTINCT FROM
                              (substr(t.relate, 1, 1) <> 'F' OR substr(t.relate, 4, 1) <> 'F')), NULL
  FROM exact.pair t
  JOIN exact.point p ON p.id = t.point
  JOIN exact.shape s ON s.id = t.shape
 WHERE t.point % 10 = 3;
INSERT INTO exact.verdict
SELECT 'pairs, for comparison: ST_Covers and ST_Relate', count(*), NULL,
       count(*) FILTER (WHERE t.covers <> (substr(t.relate, 1, 1) <> 'F' OR substr(t.relate, 4, 1) <> 'F')) || ' differ'
  FROM exact.pair t;

-- ------------------------------------- circles and corridors, and the spheroid --

-- Across the antimeridian too, to 80 degrees north and south.
CREATE UNLOGGED TABLE exact.round AS
SELECT i AS n, 10 * 10000 ^ pg_temp.draw(2000000000 + i, 1) AS radius_m, l.line,
       ST_SetSRID(CASE WHEN l.line THEN v.geom ELSE ST_StartPoint(v.geom) END, 4326) AS geom
  FROM generate_series(1, :circles + :corridors) i
  CROSS JOIN LATERAL (SELECT i > :circles AS line,
                             CASE WHEN i % 10 = 1 THEN 180 ELSE 360 * pg_temp.draw(2000000000 + i, 2) - 180 END AS lon,
                             CASE i % 20 WHEN 2 THEN 80 WHEN 3 THEN -80 WHEN 4 THEN 0
                                         ELSE 160 * pg_temp.draw(2000000000 + i, 3) - 80 END AS lat,
                             0.001 * 10000 ^ pg_temp.draw(2000000000 + i, 4) AS size) l
  -- Edges of up to about a thousand kilometres.
  CROSS JOIN LATERAL (SELECT ST_MakeLine(ST_MakePoint(l.lon + CASE WHEN j > 0 THEN l.size * pg_temp.draw(2000000000 + i, 10 + 2 * j) ELSE 0 END,
                                                      greatest(least(l.lat + CASE WHEN j > 0 THEN l.size * (pg_temp.draw(2000000000 + i, 11 + 2 * j) - 0.5) ELSE 0 END, 80), -80))
                                         ORDER BY j) AS geom
                        FROM generate_series(0, 1 + floor(5 * pg_temp.draw(2000000000 + i, 5))::integer) j) v;
DELETE FROM pt621.geofence;
INSERT INTO pt621.geofence (name, geom, radius_m) SELECT 'round ' || r.n, r.geom, r.radius_m FROM exact.round r ORDER BY r.n;

-- From some place of it, in some direction; or, from some place of an edge of
-- a corridor, to one side.  Half of them to any distance up to twice the radius,
-- the others to a little more than 0.1 % less or more than it.
CREATE UNLOGGED TABLE exact.start AS
SELECT r.n, r.line, r.radius_m, r.geom AS round, j, k.key,
       r.radius_m * CASE j % 4 WHEN 0 THEN 0.9989 WHEN 1 THEN 1.0011 ELSE 2 * pg_temp.draw(k.key, 1) END AS off,
       ST_PointN(r.geom, v.i)::geography AS a, ST_PointN(r.geom, v.i + 1)::geography AS b
  FROM exact.round r
  CROSS JOIN LATERAL generate_series(1, :probes) j
  CROSS JOIN LATERAL (SELECT 3000000000 + r.n * 100000::bigint + j AS key) k
  CROSS JOIN LATERAL (SELECT 1 + floor((ST_NPoints(r.geom) - 1) * pg_temp.draw(k.key, 2))::integer AS i) v;
CREATE UNLOGGED TABLE exact.probe AS
WITH middle AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.j % 3 > 0 AND s.line
                     THEN ST_Project(s.a, ST_Distance(s.a, s.b) * pg_temp.draw(s.key, 3), ST_Azimuth(s.a, s.b)) END AS middle
      FROM exact.start s),
place AS MATERIALIZED (
    SELECT m.*,
           CASE WHEN m.middle IS NULL
                THEN ST_Project(CASE WHEN m.line THEN m.a ELSE m.round::geography END, m.off, 2 * pi() * pg_temp.draw(m.key, 4))
                ELSE ST_Project(m.middle, m.off,
                                ST_Azimuth(m.middle, m.b) + CASE WHEN pg_temp.draw(m.key, 4) < 0.5 THEN pi() / 2 ELSE -pi() / 2 END)
            END AS place
      FROM middle m)
SELECT p.n, p.line, p.radius_m, ST_Distance(p.round::geography, p.place) AS metres, p.place::geometry AS geom,
       pt621_inside(p.place::geometry, 'round ' || p.n) AS inside
  FROM place p
 WHERE p.place IS NOT NULL;

-- ST_Distance picks the place of a line that is nearest on a sphere, and measures
-- to it on the spheroid, where another place may be nearer by up to half a
-- percent.  So what it says is too far is measured to places all along the line.
UPDATE exact.probe p
   SET metres = least(p.metres, (SELECT min(ST_Distance(p.geom::geography, d.geom::geography))
                                   FROM exact.round r, ST_DumpPoints(ST_Segmentize(r.geom::geography, greatest(p.radius_m / 500, 1))::geometry) d
                                  WHERE r.n = p.n))
 WHERE p.line AND p.inside AND p.metres > p.radius_m * 1.0005;

INSERT INTO exact.verdict
SELECT CASE WHEN p.line THEN 'corridors' ELSE 'circles' END || ', pt621_inside() and ST_DWithin on geography, to 0.1 %', count(*) FILTER (WHERE f.off > 0.001),
       count(*) FILTER (WHERE f.off > 0.001 AND p.inside IS DISTINCT FROM (p.metres <= p.radius_m)),
       'differ to ' || round((100 * max(f.off) FILTER (WHERE p.inside IS DISTINCT FROM (p.metres <= p.radius_m)))::numeric, 4) || ' %'
  FROM exact.probe p
  CROSS JOIN LATERAL (SELECT abs(p.metres - p.radius_m) / p.radius_m AS off) f
 GROUP BY p.line;
DELETE FROM pt621.geofence;
