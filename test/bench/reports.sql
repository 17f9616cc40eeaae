-- reports.sql: what the benchmarks of reports ask of their server.
--
-- Run by test/bench/reports.sh, after live.sql and geofence.sql, in the same cluster.
SET client_min_messages = warning;

-- Trackers that report each so many seconds, from the start of last month on: half an
-- hour of driving to and fro at 60 km/h, half an hour parked with some trembling, in
-- turns.  In the order of their arrival, all trackers in between each other.  Past the
-- triggers: what they make of it is not to be measured.
CREATE PROCEDURE bench.park_and_ride(trackers integer, reports integer, every integer) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    TRUNCATE pt621.device, pt621.device_state, pt621.position, pt621.frame, pt621.track_piece, pt621.event, pt621.geofence_visit;
    INSERT INTO pt621.device (id, ident) SELECT n, 'ride ' || n FROM generate_series(1, trackers) n;
    PERFORM setseed(0.75);
    INSERT INTO pt621.position (device_id, fix_time, code, digest, geom, speed_kmh, course, ignition, odometer_m)
    SELECT d, bench.since() + n * every * interval '1 s', 'POS', n,
           ST_SetSRID(ST_MakePoint(10 + bench.bounce(d + m.driven_s / 60.0, 40) / 111.195 / cosd(48) + random() * 0.00005,
                                   48 + bench.bounce(d * 3 + m.driven_s / 100.0, 30) / 111.195 + random() * 0.00005), 4326),
           CASE WHEN m.driving THEN 60 ELSE 0 END, 0, m.driving, m.driven_s * 17
      FROM generate_series(1, trackers) d, generate_series(1, reports) n,
           LATERAL (SELECT n * every / 3600 * 1800 + least(n * every % 3600, 1800) AS driven_s, n * every % 3600 < 1800 AS driving) m
     ORDER BY n, d;
END $$;

CREATE FUNCTION bench.since() RETURNS timestamptz LANGUAGE sql STABLE
RETURN date_trunc('month', now() - interval '1 month');

-- Each turn one of the other; turn 0 fills the caches.
CREATE PROCEDURE bench.both(turns integer, a text, a_query text, b text, b_query text) LANGUAGE plpgsql AS $$
BEGIN
    FOR turn IN 0 .. turns LOOP
        CALL bench.lap(a, turn, a_query);
        CALL bench.lap(b, turn, b_query);
        COMMIT;
    END LOOP;
END $$;

-- What reports are held against: reading the same rows in order of time, with the
-- distance to the one before.  All sums are asked for: the planner leaves out what
-- nobody looks at.
CREATE FUNCTION bench.rival(condition text DEFAULT 'true') RETURNS text LANGUAGE sql IMMUTABLE
RETURN format('SELECT round(sum(y.metres)) FROM (SELECT x.device_id, sum(x.d) AS metres FROM (
                   SELECT p.device_id, ST_DistanceSphere(p.geom, lag(p.geom) OVER (PARTITION BY p.device_id ORDER BY p.fix_time, p.code, p.digest)) AS d
                     FROM pt621.position p WHERE %s) x GROUP BY x.device_id) y', condition);

-- The most memory that this process ever had mapped, kB.  Shared memory is mapped
-- from the beginning.
CREATE FUNCTION bench.mapped() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (regexp_match(pg_read_file('/proc/self/status'), 'VmPeak:\s*(\d+)'))[1]::bigint;
