-- backtest.sql: what a fence or a limit would have shown is what it shows.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
TRUNCATE pt621.geofence RESTART IDENTITY;
TRUNCATE pt621.geofence_version, pt621.geofence_visit, pt621.event, pt621.device_version;

-- Two trackers for two days, round and round; one is silent for a while.
INSERT INTO pt621.device (id, ident) VALUES (1, 'a'), (2, 'b');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, driver)
SELECT d, '2025-03-01'::timestamptz + i * interval '30 s', i,
       ST_Point(10 + 0.02 * sin(i / 40.0) + 0.001 * d, 50 + 0.02 * cos(i / 31.0), 4326),
       50 + 40 * sin(i / 17.0 + d), CASE WHEN i % 500 = 0 THEN 'D' || i % 3 END
  FROM generate_series(1, 2) d, generate_series(0, 5759) i
 WHERE NOT (d = 2 AND i BETWEEN 2000 AND 2300);

-- ---------------------------------------------------------------- 1. fences --

CREATE FUNCTION pg_temp.area(n integer) RETURNS geometry LANGUAGE sql IMMUTABLE
RETURN (ARRAY[ST_GeomFromText('POLYGON((9.99 49.99, 10.01 49.99, 10.01 50.01, 9.99 50.01, 9.99 49.99), (9.998 49.998, 10.002 49.998, 10.002 50.002, 9.998 50.002, 9.998 49.998))', 4326),
              ST_Point(10.015, 50.01, 4326), ST_GeomFromText('LINESTRING(9.97 50, 10.03 50.005)', 4326)])[n];
CREATE TEMP TABLE try (n integer, options jsonb);
INSERT INTO try VALUES
    (1, '{}'), (2, '{"radius_m": 300}'), (3, '{"radius_m": 40}'),
    (1, '{"interpolate": true, "exit_buffer_m": 0}'), (2, '{"radius_m": 300, "min_dwell_in": "2 min", "min_fixes_in": 3}'),
    (3, '{"radius_m": 40, "min_fixes_out": 4, "min_dwell_out": "90 s", "exit_buffer_m": 100, "interpolate": true}');
INSERT INTO pt621.geofence (name, geom, radius_m, min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out, exit_buffer_m, interpolate, valid)
SELECT t.options::text, pg_temp.area(t.n), (t.options ->> 'radius_m')::double precision,
       coalesce((t.options ->> 'min_dwell_in')::interval, '0'), coalesce((t.options ->> 'min_dwell_out')::interval, '0'),
       coalesce((t.options ->> 'min_fixes_in')::integer, 1), coalesce((t.options ->> 'min_fixes_out')::integer, 2),
       (t.options ->> 'exit_buffer_m')::double precision, coalesce((t.options ->> 'interpolate')::boolean, false), '(,)'
  FROM try t;
SELECT pt621_replay_events();

-- The visits of each fence, and those of a back-test of the same.
CREATE TEMP VIEW visit AS
SELECT g.name, v.device_id, v.enter_at, v.exit_at, v.enter_unknown, v.exit_unknown, v.interpolated, v.passed, v.uncertainty_s, v.seconds,
       v.metres, v.top_speed_kmh, v.driver
  FROM pt621.geofence_visit v JOIN pt621.geofence g ON g.id = v.geofence_id
 WHERE v.superseded_at IS NULL;
CREATE TEMP VIEW tested AS
SELECT t.options::text AS name, b.* FROM try t, pt621_geofence_backtest(pg_temp.area(t.n), NULL, NULL, t.options) b;
SELECT v.name, count(*) > 20 AS many, bool_or(v.passed) AS passed, bool_or(v.interpolated) AS interpolated, bool_or(v.driver IS NOT NULL) AS driven
  FROM visit v GROUP BY v.name ORDER BY v.name COLLATE "C";
SELECT count(*) AS differ FROM ((TABLE visit EXCEPT TABLE tested) UNION ALL (TABLE tested EXCEPT TABLE visit)) d;
SELECT (SELECT count(*) FROM visit) = (SELECT count(*) FROM tested) AS as_many;
-- of one tracker; of a period, where it may begin or end inside
SELECT count(*) AS differ
  FROM ((SELECT b.* FROM pt621_geofence_backtest(pg_temp.area(1), NULL, '{2,NULL,77}') b
         EXCEPT SELECT b.* FROM pt621_geofence_backtest(pg_temp.area(1)) b WHERE b.device_id = 2)
        UNION ALL
        (SELECT b.* FROM pt621_geofence_backtest(pg_temp.area(1)) b WHERE b.device_id = 2
         EXCEPT SELECT b.* FROM pt621_geofence_backtest(pg_temp.area(1), NULL, '{2}') b)) d;
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE b.enter_at < '2025-03-01 12:00' OR b.enter_at >= '2025-03-01 18:00') AS outside
  FROM pt621_geofence_backtest(pg_temp.area(1), tstzrange('2025-03-01 12:00', '2025-03-01 18:00')) b;
SELECT count(*) FROM pt621_geofence_backtest(pg_temp.area(1), 'empty');
SELECT count(*) FROM pt621_geofence_backtest(pg_temp.area(1), NULL, '{}');
SELECT count(*) FROM pt621_geofence_backtest(NULL);
SELECT count(*) FROM pt621_geofence_backtest(ST_MakeEnvelope(50, 0, 51, 1, 4326));

-- --------------------------------------------------------------- 2. overspeed --

BEGIN;
TRUNCATE pt621.geofence;
INSERT INTO pt621.detection (valid_from, speed_limit_kmh) VALUES ('2000-01-01', 70);
SELECT pt621_replay_events();
CREATE TEMP TABLE shown ON COMMIT DROP AS
SELECT e.device_id, e.at, e.until, e.detail FROM pt621.event e WHERE e.kind = 'overspeed' AND e.superseded_at IS NULL;
SELECT count(*) > 20 AS many FROM shown;
SELECT count(*) AS differ
  FROM ((TABLE shown EXCEPT SELECT b.* FROM pt621_overspeed_backtest(70) b)
        UNION ALL (SELECT b.* FROM pt621_overspeed_backtest(70) b EXCEPT TABLE shown)) d;
ROLLBACK;
SELECT count(*) FROM pt621_overspeed_backtest(200);
SELECT count(*) FROM pt621_overspeed_backtest(NULL);
SELECT count(*) FROM pt621_overspeed_backtest(70, 'empty');

-- ------------------------------------------------------------- 3. wrong input --

SELECT pt621_geofence_backtest(pg_temp.area(2));
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '{"radius_m": 5}');
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '{"dwell": 5, "buffer": 1}');
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '[1]');
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '{"min_dwell_in": "-1 s"}');
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '{"min_fixes_in": 0}');
SELECT pt621_geofence_backtest(pg_temp.area(1), options => '{"exit_buffer_m": "NaN"}');
SELECT pt621_geofence_backtest(ST_MakeEnvelope(0, 0, 1, 1, 3857));
SELECT pt621_overspeed_backtest(0);
SELECT pt621_overspeed_backtest('NaN');
INSERT INTO pt621.detection (valid_from, speed_limit_kmh) VALUES ('2000-01-01', 'NaN');

-- ------------------------------------------------------------------ 4. rights --

CREATE ROLE regress_pt621_tester;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_tester;
SET ROLE regress_pt621_tester;
SELECT pt621_overspeed_backtest(70);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_geofence_backtest, pt621_overspeed_backtest, pt621_proximity TO regress_pt621_tester;
SET ROLE regress_pt621_tester;
SELECT pt621_overspeed_backtest(70);
RESET ROLE;
GRANT SELECT ON pt621.device, pt621.device_state, pt621.position, pt621.track_piece, pt621.detection TO regress_pt621_tester;
CREATE POLICY one ON pt621.position FOR SELECT TO regress_pt621_tester USING (device_id = 2);
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
SET ROLE regress_pt621_tester;
SELECT DISTINCT device_id FROM pt621_overspeed_backtest(70);
SELECT DISTINCT device_id FROM pt621_geofence_backtest(ST_Point(10.015, 50.01, 4326), options => '{"radius_m": 300}');
SELECT count(*) FROM pt621_proximity(1, 2);
RESET ROLE;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
DROP POLICY one ON pt621.position;
REVOKE ALL ON pt621.device, pt621.device_state, pt621.position, pt621.track_piece, pt621.detection FROM regress_pt621_tester;
REVOKE ALL ON FUNCTION pt621_geofence_backtest, pt621_overspeed_backtest, pt621_proximity FROM regress_pt621_tester;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_tester;
DROP ROLE regress_pt621_tester;
TRUNCATE pt621.geofence;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.geofence_version;
