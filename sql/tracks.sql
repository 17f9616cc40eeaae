-- tracks.sql: tracks as lines, with fewer places, and meetings of trackers.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
SET extra_float_digits = 0;
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;

INSERT INTO pt621.device (id, ident, name) VALUES (1, 'a', 'van'), (2, 'b', 'truck'), (3, 'c', 'ship'), (4, 'd', 'random'), (5, 'e', 'quiet');
CREATE FUNCTION pg_temp.add(device integer, at text, lon double precision, lat double precision DEFAULT 0, speed real DEFAULT 40,
                            code text DEFAULT 'POS', valid boolean DEFAULT true, quality integer DEFAULT 0) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO pt621.position (device_id, fix_time, code, geom, speed_kmh, valid, quality)
    VALUES (device, ('2025-03-01 ' || at || '+00')::timestamptz, code, ST_Point(lon, lat, 4326), speed, valid, quality);
END;
CREATE FUNCTION pg_temp.track(device integer, period tstzrange DEFAULT NULL, max_gap interval DEFAULT '1 h')
RETURNS TABLE (part integer, started_at text, ended_at text, fixes integer, metres numeric, valid boolean, line text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.part, to_char(t.started_at, 'HH24:MI:SS'), to_char(t.ended_at, 'HH24:MI:SS'), t.fixes, round(t.metres::numeric, 1),
           ST_IsValidTrajectory(t.geom) AND ST_SRID(t.geom) = 4326 AND to_timestamp(ST_M(ST_StartPoint(t.geom))) = t.started_at
           AND to_timestamp(ST_M(ST_EndPoint(t.geom))) = t.ended_at, ST_AsText(ST_Force2D(t.geom), 4)
      FROM pt621_track(device, period, max_gap) t;
END;

-- --------------------------------------------------------------- 1. by hand --

SELECT pg_temp.add(1, '10:00:00', 13),
       pg_temp.add(1, '10:00:10', 13.001),
       -- of one time, the first by code
       pg_temp.add(1, '10:00:20', 13.9, code => 'PWR'), pg_temp.add(1, '10:00:20', 13.002, code => 'IN1'),
       -- a teleport, and what is no place
       pg_temp.add(1, '10:00:30', 15),
       pg_temp.add(1, '10:00:31', 15, valid => false), pg_temp.add(1, '10:00:32', 15, quality => 65536), pg_temp.add(1, '10:00:33', 0, quality => 32768),
       pg_temp.add(1, '10:00:34', 181), pg_temp.add(1, '10:00:35', 13, 91),
       pg_temp.add(1, '10:00:40', 13.004),
       -- silent, and then too fast
       pg_temp.add(1, '11:00:41', 13.004), pg_temp.add(1, '11:00:50', 13.005),
       pg_temp.add(1, '11:01:00', 14), pg_temp.add(1, '11:01:10', 14.001),
       -- one that is alone, and two that stand
       pg_temp.add(1, '13:00:00', 14.001), pg_temp.add(1, '15:00:00', 14.001, 0, 0), pg_temp.add(1, '15:01:00', 14.0011, 0, 0);
SELECT * FROM pg_temp.track(1);
SELECT * FROM pg_temp.track(1, max_gap => '3 h');
SELECT * FROM pg_temp.track(1, max_gap => '10 s');
-- A period: its bounds, and the teleport at its end, which the place after it shows.
SELECT * FROM pg_temp.track(1, '[2025-03-01 10:00:10,2025-03-01 10:00:30]');
SELECT * FROM pg_temp.track(1, '(2025-03-01 10:00:10,2025-03-01 10:00:40)');
SELECT * FROM pg_temp.track(1, '[2025-03-01 10:00:30,2025-03-01 11:00:50]');
SELECT * FROM pg_temp.track(1, '[2025-03-01 15:00:00,)');
SELECT count(*) FROM pt621_track(1, 'empty');
SELECT count(*) FROM pt621_track(5);
SELECT count(*) FROM pt621_track(77);
SELECT count(*) FROM pt621_track(NULL);
SELECT pt621_track(1, max_gap => '0');
SELECT pt621_track(1, max_gap => NULL);
-- A late record takes its place.
SELECT pg_temp.add(1, '10:30:00', 13.004);
SELECT * FROM pg_temp.track(1) LIMIT 1;

-- A ship over the antimeridian, and back; there and back on it.
SELECT pg_temp.add(3, '10:00:00', 179.99, 10), pg_temp.add(3, '10:10:00', -179.99, 10.02), pg_temp.add(3, '10:20:00', -179.98, 10.02),
       pg_temp.add(3, '10:30:00', 179.99, 10.02), pg_temp.add(3, '10:40:00', 180, 10.02), pg_temp.add(3, '10:50:00', -179.99, 10.02);
SELECT * FROM pg_temp.track(3);

-- --------------------------------------------------- 2. by the rules, in SQL --

-- A drive with silences, trembling, jumps one after another, and many of one time.
SELECT setseed(0.621);
INSERT INTO pt621.position (device_id, fix_time, code, digest, geom, speed_kmh, valid, quality)
SELECT 4, '2025-03-02'::timestamptz + make_interval(secs => r.i * 20 + CASE WHEN r.i > 3000 THEN 4000 ELSE 0 END + CASE WHEN r.c < 0.05 THEN -20 ELSE 0 END),
       CASE WHEN r.i % 3 = 0 THEN 'HDB' ELSE 'POS' END, r.i,
       ST_Point(r.lon - CASE WHEN r.lon > 180 THEN 360 ELSE 0 END, 52 + r.b / 5000, 4326),
       CASE WHEN r.i % 400 < 200 THEN 30 WHEN r.i % 7 > 0 THEN 0 END, r.b > 0.02, CASE WHEN r.c > 0.99 THEN 65536 ELSE 0 END
  FROM (SELECT r.*, 180 + CASE WHEN r.a < 0.03 OR r.i BETWEEN 2000 AND 2020 AND r.i % 2 = 0 THEN -3 ELSE 0 END
                    + 0.05 * sin(r.i / 50.0) + r.b / 10000 AS lon
          FROM (SELECT i, random() AS a, random() AS b, random() AS c FROM generate_series(1, 6000) i) r) r;
CREATE TEMP TABLE place AS
SELECT row_number() OVER (ORDER BY d.fix_time)::integer AS n, d.*
  FROM (SELECT DISTINCT ON (p.fix_time) p.fix_time, p.geom, p.speed_kmh
          FROM pt621.position p
         WHERE p.device_id = 4 AND p.valid AND p.quality & 98304 = 0 AND abs(ST_X(p.geom)) <= 180
         ORDER BY p.fix_time, p.code COLLATE "C", p.digest) d;
CREATE FUNCTION pg_temp.fast(a place, b place) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN ST_DistanceSphere(a.geom, b.geom) > 250 / 3.6 * date_part('epoch', b.fix_time - a.fix_time);
-- One after another: p is the last place that is no teleport.
CREATE FUNCTION pg_temp.good() RETURNS SETOF place LANGUAGE plpgsql AS $$
DECLARE
    p place;
    x place;
    n place;
BEGIN
    FOR x IN SELECT * FROM place ORDER BY n LOOP
        SELECT * INTO n FROM place l WHERE l.n = x.n + 1;
        IF p.n IS NULL OR n.n IS NULL OR NOT (pg_temp.fast(p, x) AND pg_temp.fast(x, n) AND NOT pg_temp.fast(p, n)) THEN
            RETURN NEXT x;
            p := x;
        END IF;
    END LOOP;
END $$;
CREATE TEMP TABLE leg AS
SELECT g.*, ST_DistanceSphere(lag(g.geom) OVER w, g.geom) AS metres, g.fix_time - lag(g.fix_time) OVER w AS span,
       (g.speed_kmh < 3 AND lag(g.speed_kmh) OVER w < 3) IS TRUE AS stands,
       abs(ST_X(g.geom) - ST_X(lag(g.geom) OVER w)) > 180 AS crosses
  FROM pg_temp.good() g WINDOW w AS (ORDER BY g.n);
CREATE TEMP TABLE expected AS
SELECT min(c.fix_time) AS first, max(c.fix_time) AS last, count(*) AS fixes,
       sum(CASE WHEN c.apart OR c.metres <= 15 AND c.stands THEN 0 ELSE c.metres END) AS metres, bool_or(c.crosses AND NOT c.apart) AS crosses,
       bool_or(c.crosses AND NOT c.apart) OR lead(bool_or(c.crosses AND NOT c.apart)) OVER (ORDER BY c.part) IS true AS cut
  FROM (SELECT l.*, count(*) FILTER (WHERE l.apart OR l.crosses) OVER (ORDER BY l.n) AS part
          FROM (SELECT l.*, coalesce(l.span > interval '1 h' OR l.metres > 250 / 3.6 * date_part('epoch', l.span), true) AS apart FROM leg l) l) c
 GROUP BY c.part;
SELECT (SELECT count(*) FROM place) - (SELECT count(*) FROM leg) > 50 AS teleports, count(*) > 20 AS parts, count(*) FILTER (WHERE crosses) > 3 AS crossings
  FROM expected;
SELECT count(*) AS parts_that_differ
  FROM expected e
  FULL JOIN pt621_track(4) t
    ON t.fixes = e.fixes AND (abs(t.metres - e.metres) < 0.001 OR e.cut) AND t.started_at <= e.first AND t.ended_at >= e.last
       AND t.started_at > e.first - interval '60 s' AND t.ended_at < e.last + interval '60 s'
 WHERE (e.fixes IS NULL OR t.fixes IS NULL) AND (e.fixes > 1 OR e.cut OR e.fixes IS NULL);
SELECT abs(sum(t.metres) - (SELECT sum(e.metres) FROM expected e)) < 0.001 AS as_long FROM pt621_track(4) t;
SELECT bool_and(ST_IsValidTrajectory(t.geom)) AS valid, bool_and(ST_XMax(t.geom) - ST_XMin(t.geom) < 180) AS on_one_side FROM pt621_track(4) t;
-- Cut at any time, the places are those of the whole.
SELECT count(*) AS differ
  FROM generate_series(0, 47) h, LATERAL (SELECT '2025-03-02'::timestamptz + h * interval '47 min' AS at) c,
       LATERAL (SELECT sum(t.fixes) FROM pt621_track_places(4, '-infinity', c.at, 3600) p, LATERAL (SELECT 1) t (fixes) WHERE NOT p.crossing) a (fixes),
       LATERAL (SELECT count(*) FROM pt621_track_places(4, c.at, 'infinity', 3600) p WHERE NOT p.crossing) b (fixes)
 WHERE coalesce(a.fixes, 0) + b.fixes <> (SELECT count(*) FROM leg);

-- ------------------------------------------------------------ 3. fewer places --

-- At its time each place is as near the simplified track as was asked for.
CREATE FUNCTION pg_temp.off(track geometry, fewer geometry) RETURNS double precision LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT max(ST_DistanceSphere(p.geom, ST_SetSRID(ST_Force2D(ST_GeometryN(ST_LocateAlong(fewer, ST_M(p.geom)), 1)), 4326))) FROM ST_DumpPoints(track) p;
END;
SELECT tolerance, bool_and(ST_IsValidTrajectory(f.geom)) AS valid, bool_and(pg_temp.off(t.geom, f.geom) <= tolerance + 0.001) AS near,
       bool_and(ST_StartPoint(f.geom) = ST_StartPoint(t.geom) AND ST_EndPoint(f.geom) = ST_EndPoint(t.geom)) AS ends, sum(ST_NPoints(f.geom)) AS places
  FROM unnest('{0,1,10,500,1000000}'::double precision[]) tolerance, pt621_track(4) t, LATERAL (SELECT pt621_simplify_track(t.geom, tolerance) AS geom OFFSET 0) f
 GROUP BY tolerance ORDER BY tolerance;
-- A straight drive with a stop on the way, far in the north: the stop stays, in place and time.
SELECT ST_AsText(ST_Translate(pt621_simplify_track(ST_SetSRID(ST_MakeLine(ARRAY(
           SELECT ST_MakePointM(13 + 0.001 * least(i, greatest(i - 10, 10)), 80, 1000000 + 60 * i) FROM generate_series(0, 30) i)), 4326), 5), 0, 0), 3);
SELECT ST_AsText(pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 2)', 4326)));
SELECT ST_AsText(pt621_simplify_track(ST_GeomFromText('LINESTRING M EMPTY', 4326)));
SELECT pt621_simplify_track(NULL);
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING(1 1, 2 2)', 4326));
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING Z (1 1 1, 2 2 2)', 4326));
SELECT pt621_simplify_track(ST_GeomFromText('MULTILINESTRING M ((1 1 1, 2 2 2))', 4326));
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 1)', 4326));
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 99 2)', 4326));
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 2)', 3857));
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 2)', 4326), -1);
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 2)', 4326), 'NaN');
SELECT pt621_simplify_track(ST_GeomFromText('LINESTRING M (1 1 1, 2 2 2)', 4326), 'Infinity');
-- Bytes that are none.
SELECT pt621_simplify_wkb('', 1);
SELECT pt621_simplify_wkb('\x01d2070000', 1);
SELECT pt621_simplify_wkb('\x01d2070000ffffffff', 1);
SELECT pt621_simplify_wkb('\x01d20700000100000000', 1);

-- --------------------------------------------------------------- 4. meetings --

-- They drive towards each other and pass at 10:05; later one of them stops beside the other.
DELETE FROM pt621.position WHERE device_id IN (1, 2);
SELECT pg_temp.add(1, to_char(time '10:00' + i * interval '60 s', 'HH24:MI:SS'), 13 + 0.001 * i),
       pg_temp.add(2, to_char(time '10:00' + i * interval '60 s', 'HH24:MI:SS'), 13.01 - 0.001 * i, 0.0003)
  FROM generate_series(0, 10) i;
SELECT pg_temp.add(1, '12:00:00', 14), pg_temp.add(2, '12:00:30', 14.0005), pg_temp.add(1, '12:02:00', 14), pg_temp.add(2, '12:03:00', 14.0001);
SELECT to_char(started_at, 'HH24:MI:SS.MS') AS started_at, to_char(ended_at, 'HH24:MI:SS.MS') AS ended_at, round(seconds) AS seconds, round(closest_m::numeric, 2) AS closest_m,
       to_char(closest_at, 'HH24:MI:SS') AS closest_at, ST_AsText(geom, 4) AS geom, ST_AsText(partner_geom, 4) AS partner_geom
  FROM pt621_meetings(1, 2);
SELECT to_char(closest_at, 'HH24:MI:SS') AS closest_at, round(ST_DistanceSphere(geom, partner_geom)::numeric - closest_m::numeric, 1) AS differs
  FROM pt621_meetings(2, 1, '[2025-03-01 10:00,2025-03-01 11:00)', within_m => 40, apart_m => 300);
SELECT count(*) FROM pt621_meetings(1, 2, within_m => 5);
SELECT count(*) FROM pt621_meetings(1, 3);
SELECT count(*) FROM pt621_meetings(1, NULL);
SELECT pt621_meetings(1, 1);
SELECT pt621_meetings(1, 2, within_m => 0);
-- In the Pacific, one on either side.
SELECT ST_AsText(pt621_place_at(3, '2025-03-01 10:02:30+00'), 4), ST_AsText(pt621_place_at(3, '2025-03-01 10:07:30+00'), 4),
       ST_AsText(pt621_place_at(3, '2025-03-01 10:10:00+00'), 4), pt621_place_at(3, '2025-03-01 09:00+00');

-- ----------------------------------------------------------------- 5. rights --

CREATE ROLE regress_pt621_tracker;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_tracker;
SET ROLE regress_pt621_tracker;
SELECT pt621_track(1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_track, pt621_simplify_track, pt621_meetings, pt621_proximity TO regress_pt621_tracker;
SET ROLE regress_pt621_tracker;
SELECT pt621_track(1);
SELECT pt621_meetings(1, 2);
RESET ROLE;
GRANT SELECT ON pt621.device, pt621.position, pt621.detection TO regress_pt621_tracker;
CREATE POLICY one ON pt621.position FOR SELECT TO regress_pt621_tracker USING (device_id = 3);
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
SET ROLE regress_pt621_tracker;
SELECT d, count(t.part) > 0 AS seen FROM generate_series(1, 4) d LEFT JOIN LATERAL pt621_track(d) t ON true GROUP BY d ORDER BY d;
SELECT count(ST_Length(pt621_simplify_track(t.geom))) FROM pt621_track(3) t;
SELECT count(*) FROM pt621_meetings(1, 2);
RESET ROLE;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
DROP POLICY one ON pt621.position;
REVOKE ALL ON pt621.device, pt621.position, pt621.detection FROM regress_pt621_tracker;
REVOKE ALL ON FUNCTION pt621_track, pt621_simplify_track, pt621_meetings, pt621_proximity FROM regress_pt621_tracker;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_tracker;
DROP ROLE regress_pt621_tracker;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;
