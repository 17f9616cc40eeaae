-- geofence.sql: what the benchmarks of the fences ask of their server.
--
-- Run by test/bench/geofence.sh, after live.sql and in the same cluster.  The
-- fences lie where the 1000 trackers of load.c drive: a minute of latitude and
-- of longitude for each, 48 .. 49 N and 11 .. 11.28 E.
SET client_min_messages = warning;

CREATE TABLE bench.place (geom geometry(Point, 4326));
CREATE TABLE bench.fence (id integer, geom geometry(Polygon, 4326));
CREATE TABLE bench.lap (name text, turn integer, ms double precision, cpu_ms double precision, found bigint);

-- Nanoseconds that this process has computed.
CREATE FUNCTION bench.cpu() RETURNS double precision LANGUAGE sql VOLATILE
RETURN split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::double precision;

-- Ragged discs of 64 corners, so 65 vertices, on average as wide as a circle of
-- radius 1.
CREATE TABLE bench.ragged AS
SELECT c.n, ST_MakePolygon(ST_AddPoint(c.line, ST_StartPoint(c.line))) AS geom
  FROM (SELECT v.n, ST_MakeLine(ST_MakePoint(v.r * cos(v.angle), v.r * sin(v.angle)) ORDER BY v.angle) AS line
          FROM (SELECT n, corner * pi() / 32 AS angle, 0.8 + random() * 0.4 AS r
                  FROM setseed(0.5), generate_series(0, 15) n, generate_series(0, 63) corner) v
         GROUP BY v.n) c;

-- One of them, of so many metres, at a place.
CREATE FUNCTION bench.disc(n integer, lon double precision, lat double precision, metres double precision)
RETURNS geometry LANGUAGE sql STABLE
RETURN (SELECT ST_SetSRID(ST_Affine(r.geom, metres / 111195 / cosd(lat), 0, 0, metres / 111195, lon, lat), 4326)
          FROM bench.ragged r WHERE r.n = $1 % 16);

-- Past the triggers, so that nothing is left of the fences that were there.
CREATE PROCEDURE bench.no_fences() LANGUAGE sql SET session_replication_role = replica AS $$
    TRUNCATE pt621.geofence, pt621.geofence_version, bench.fence;
    UPDATE pt621.geofence_stamp SET revision = nextval('pt621.geofence_revision_seq');
$$;

-- n discs of that radius instead of the fences that were there, anywhere where
-- the trackers drive and a little beyond, so that the edge is no better off than
-- the middle: in bench.fence, and as geofences from long ago on.
CREATE PROCEDURE bench.make_fences(n integer, metres double precision) LANGUAGE plpgsql AS $$
DECLARE
    east  double precision := metres / 111195 / cosd(48.5);
    north double precision := metres / 111195;
BEGIN
    CALL bench.no_fences();
    PERFORM setseed(0.5);
    INSERT INTO bench.fence
    SELECT i, bench.disc(i, 11 - east + random() * (17.0 / 60 + 2 * east), 48 - north + random() * (1 + 2 * north), metres)
      FROM generate_series(1, n) i;
    -- What the triggers make of them is not to be measured, and takes its time.
    IF n > 10000 THEN
        SET LOCAL session_replication_role = replica;
        INSERT INTO pt621.geofence_version
               (geofence_id, revision, edited_at, valid, name, shape, time_zone, min_dwell_in, min_dwell_out,
                min_fixes_in, min_fixes_out, exit_buffer_m, interpolate)
        SELECT f.id, nextval('pt621.geofence_revision_seq'), now(), tstzrange('2020-01-01', NULL), 'fence ' || f.id, f.geom,
               'UTC', '0', '0', 1, 2, 20, false
          FROM bench.fence f;
        UPDATE pt621.geofence_stamp SET revision = nextval('pt621.geofence_revision_seq');
        RETURN;
    END IF;
    INSERT INTO pt621.geofence (id, name, geom, valid)
    SELECT f.id, 'fence ' || f.id, f.geom, tstzrange('2020-01-01', NULL) FROM bench.fence f;
END $$;

CREATE PROCEDURE bench.make_places(n integer) LANGUAGE sql AS $$
    TRUNCATE bench.place;
    SELECT setseed(0.25);
    INSERT INTO bench.place
    SELECT ST_SetSRID(ST_MakePoint(11 + random() * 17 / 60, 48 + random()), 4326) FROM generate_series(1, n);
$$;

-- Runs a query that gives one number, and notes what it took.
CREATE PROCEDURE bench.lap(name text, turn integer, query text) LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz := clock_timestamp();
    cpu   double precision := bench.cpu();
    found bigint;
BEGIN
    EXECUTE query INTO found;
    INSERT INTO bench.lap VALUES (name, turn, extract(epoch FROM clock_timestamp() - since) * 1000, (bench.cpu() - cpu) / 1e6, found);
END $$;

-- Turn 0 is the first one of a session, which fills its caches.
CREATE PROCEDURE bench.turns(name text, turns integer, query text) LANGUAGE plpgsql AS $$
BEGIN
    FOR turn IN 0 .. turns LOOP
        CALL bench.lap(name, turn, query);
        COMMIT;
    END LOOP;
END $$;

-- ------------------------------------------------------------------- edits --

-- Redraws one fence after the other, one each pause, as a user would: a shape
-- as large as before in the same place.
CREATE PROCEDURE bench.edit(edits integer, pause double precision) LANGUAGE plpgsql AS $$
DECLARE
    start timestamptz := clock_timestamp();
    since timestamptz;
BEGIN
    TRUNCATE bench.lap;
    FOR edit IN 1 .. edits LOOP
        COMMIT;
        PERFORM pg_sleep(extract(epoch FROM start - clock_timestamp()) + edit * pause);
        COMMIT;
        since := clock_timestamp();
        UPDATE pt621.geofence g
           SET geom = ST_Rotate(g.geom, 0.1, ST_Centroid(g.geom))
         WHERE g.id = edit * 97;
        COMMIT;
        INSERT INTO bench.lap VALUES ('edit', edit, extract(epoch FROM clock_timestamp() - since) * 1000);
    END LOOP;
END $$;

-- --------------------------------------------------------------- back-test --

-- Goes to and fro between 0 and size.
CREATE FUNCTION bench.bounce(at double precision, size double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN abs(at - 2 * size * floor(at / (2 * size) + 0.5));

-- Drives in a square of so many km: a report each 10 seconds, half an hour on the
-- road and half an hour parked in turns; on the road straight on at 30 to 70 km/h,
-- with a turn every two minutes or so.  Beginning with last month, through the
-- default trigger.
CREATE PROCEDURE bench.drive(trackers integer, reports integer, km double precision) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE pt621.position, pt621.frame, pt621.track_piece, pt621.event, pt621.geofence_visit, pt621.device_state;
    INSERT INTO pt621.device (ident) SELECT 'drive ' || n FROM generate_series(1, trackers) n ON CONFLICT DO NOTHING;
    PERFORM setseed(0.75);
    INSERT INTO pt621.position (device_id, fix_time, code, digest, geom, speed_kmh, course, ignition)
    SELECT l.device_id, date_trunc('month', now() - interval '1 month') + l.n * interval '10 s', 'POS', l.n,
           ST_SetSRID(ST_MakePoint(10 + bench.bounce(l.east, km) / 111.195 / cosd(48), 48 + bench.bounce(l.north, km) / 111.195), 4326),
           l.kmh, 0, l.kmh > 0
      FROM (SELECT s.*,
                   random_at.east + sum(s.kmh / 360 * cos(s.heading)) OVER w AS east,
                   random_at.north + sum(s.kmh / 360 * sin(s.heading)) OVER w AS north
              FROM (SELECT t.device_id, t.n, t.kmh, sum(t.turn) OVER (PARTITION BY t.device_id ORDER BY t.n) AS heading
                      FROM (SELECT d.id AS device_id, n,
                                   CASE WHEN (n + d.id * 37) / 180 % 2 = 0 THEN 30 + random() * 40 ELSE 0 END AS kmh,
                                   CASE WHEN random() < 1.0 / 12 THEN (random() - 0.5) * pi() ELSE 0 END AS turn
                              FROM pt621.device d, generate_series(1, reports) n
                             WHERE d.ident LIKE 'drive %') t) s
              JOIN (SELECT d.id, random() * km AS east, random() * km AS north FROM pt621.device d) random_at ON random_at.id = s.device_id
            WINDOW w AS (PARTITION BY s.device_id ORDER BY s.n)) l;
END $$;

-- Where they drive.
CREATE PROCEDURE bench.make_areas(n integer, metres double precision, km double precision) LANGUAGE sql AS $$
    TRUNCATE bench.fence;
    SELECT setseed(0.5);
    INSERT INTO bench.fence
    SELECT i, bench.disc(i, 10 + random() * km / 111.195 / cosd(48), 48 + random() * km / 111.195, metres)
      FROM generate_series(1, n) i;
$$;
