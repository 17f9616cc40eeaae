-- derive_faults.sql: tables that were altered, triggers that do what they like, and
-- what a live result must have in common with a replay.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.geofence_visit, pt621.track_piece, pt621.geofence;

-- A report at 22 deg 30' N, some minutes east of 114 deg E.
CREATE FUNCTION pg_temp.report(ident text, at timestamp, code text DEFAULT 'POS', east numeric DEFAULT 1, knots text DEFAULT '10.00') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$' || code || ',' || ident || ',' || to_char(at, 'HH24MISS.MS') || ',A,2230.0000,N,114' || to_char(east, 'FM00.0000') ||
                  ',E,' || knots || ',90.0,' || to_char(at, 'DDMMYY') || E',,,A/00000,00000/0/1000//f73//\r\n', 'SQL_ASCII');
-- Three days of one every five minutes, driving and standing.
CREATE FUNCTION pg_temp.days(ident text) RETURNS bigint
LANGUAGE sql
RETURN (SELECT pt621_ingest(string_agg(pg_temp.report(ident, '2025-03-01 00:00:00'::timestamp + i * interval '5 min', east => 1 + i % 50 * 0.1,
                                                      knots => CASE WHEN i % 20 < 10 THEN '0.00' ELSE '30.00' END), '' ORDER BY i))
          FROM generate_series(0, 860) i);
CREATE VIEW pg_temp.visit AS
SELECT d.ident, g.name, v.enter_at, v.exit_at, v.exit_unknown
  FROM pt621.geofence_visit v
  JOIN pt621.device d ON d.id = v.device_id
  JOIN pt621.geofence g ON g.id = v.geofence_id
 WHERE v.superseded_at IS NULL;

CREATE FUNCTION pg_temp.waits(name text, value text) RETURNS SETOF text
LANGUAGE sql
RETURN format('SELECT pg_sleep(0.1) WHERE (SELECT setting FROM pg_settings WHERE name = %L) <> %L', name, value);

-- A fence has ended, and its visits with it: a record of before that end comes a
-- little later all the same.
INSERT INTO pt621.geofence (name, geom, valid)
VALUES ('ended', ST_GeomFromText('POLYGON((114 22,114.1 22,114.1 23,114 23,114 22))', 4326), '[2025-03-01,2025-03-01 12:00:00+00)');
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 11:40:00'));
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 11:50:00'));
SELECT pt621_settle_geofences() AS settled;
SELECT * FROM pg_temp.visit;
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 11:55:00'));
SELECT * FROM pg_temp.visit;
SELECT pt621_ingest(pg_temp.report('1', '2025-03-01 12:05:00'));
SELECT pt621_settle_geofences() AS settled, pt621_replay_events() AS replayed;
SELECT * FROM pg_temp.visit;

-- The tracker was not in the group for a while, and sent nothing then.
INSERT INTO pt621.geofence (name, geom, valid, groups)
VALUES ('of group', ST_GeomFromText('POLYGON((114 22,114.1 22,114.1 23,114 23,114 22))', 4326), '(,)', '{g}');
INSERT INTO pt621.device (ident, groups) VALUES ('2', '{g}');
SELECT pt621_ingest(pg_temp.report('2', '2025-03-02 12:00:00'));
BEGIN;
UPDATE pt621.device SET groups = '{}' WHERE ident = '2';
UPDATE pt621.device_version v SET valid = tstzrange(NULL, '2025-03-02 12:05:00+00') FROM pt621.device d WHERE d.id = v.device_id AND d.ident = '2';
COMMIT;
UPDATE pt621.device SET groups = '{g}' WHERE ident = '2';
UPDATE pt621.device_version v SET valid = tstzrange('2025-03-02 12:05:00+00', '2025-03-02 12:10:00+00')
  FROM pt621.device d WHERE d.id = v.device_id AND d.ident = '2' AND lower_inf(v.valid) IS FALSE;
SET session_replication_role = replica;
UPDATE pt621.device SET options_since = '2025-03-02 12:10:00+00' WHERE ident = '2';
RESET session_replication_role;
SELECT pt621_ingest(pg_temp.report('2', '2025-03-02 12:15:00'));
SELECT * FROM pg_temp.visit WHERE ident = '2' ORDER BY enter_at;
SELECT pt621_replay_events() AS replayed;
SELECT * FROM pg_temp.visit WHERE ident = '2' ORDER BY enter_at;
DELETE FROM pt621.geofence;

-- Two that are late, of different days: what lies between is not done anew.
SELECT pg_temp.days('3');
CREATE TEMP TABLE piece AS
SELECT p.device_id, p.until, p.xmin::text AS written FROM pt621.track_piece p JOIN pt621.device d ON d.id = p.device_id AND d.ident = '3';
SELECT pt621_ingest(pg_temp.report('3', '2025-03-01 12:01:00') || pg_temp.report('3', '2025-03-03 12:01:00'));
SELECT count(*) > 0 AS there, count(*) FILTER (WHERE p.xmin::text IS DISTINCT FROM o.written) AS done_anew
  FROM piece o
  LEFT JOIN pt621.track_piece p USING (device_id, until)
 WHERE o.until BETWEEN '2025-03-02 00:00:00+00' AND '2025-03-02 20:00:00+00';

-- A driver's name that is cut where there is a character.
INSERT INTO pt621.device (ident) VALUES ('4');
INSERT INTO pt621.position (device_id, received_at, fix_time, code, digest, geom, valid, stored, quality, driver)
SELECT d.id, '2025-03-01', '2025-03-01', 'POS', 1, ST_Point(114, 22, 4326), true, false, 0, repeat('a', 62) || U&'\00E9'
  FROM pt621.device d WHERE d.ident = '4';
SELECT object = repeat('a', 62) AS cut FROM pt621.event WHERE kind = 'driver_change';

-- A record of no time at all says nothing.
INSERT INTO pt621.position (device_id, received_at, fix_time, code, digest, geom, valid, stored, quality)
SELECT d.id, now(), 'infinity', 'SOS', 1, ST_Point(114, 22, 4326), true, false, 0 FROM pt621.device d WHERE d.ident = '3';
SELECT pt621_ingest(pg_temp.report('3', '2025-03-03 12:02:30')), (SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL) AS refused;
DELETE FROM pt621.position WHERE fix_time = 'infinity';

-- A length of time that no int8 holds.
INSERT INTO pt621.detection (valid_from, overspeed_merge) VALUES ('2025-03-03', '178000000 years');
SELECT pt621_ingest(pg_temp.report('3', '2025-03-03 12:02:00')), (SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL) AS refused;
DELETE FROM pt621.detection WHERE valid_from = '2025-03-03';

-- Records of long ago are gone, and so are the states of then: what came of them
-- stays.
SELECT pt621_ingest(pg_temp.report('5', (now() AT TIME ZONE 'UTC') - interval '20 days', code => 'SOS'));
SELECT pt621_ingest(pg_temp.report('5', (now() AT TIME ZONE 'UTC') - interval '20 minutes'));
SELECT pt621_ingest(pg_temp.report('5', (now() AT TIME ZONE 'UTC') - interval '10 minutes'));
SET session_replication_role = replica;
DELETE FROM pt621.position p USING pt621.device d WHERE d.id = p.device_id AND d.ident = '5' AND p.fix_time < now() - interval '2 days';
RESET session_replication_role;
ALTER SYSTEM SET pt621.retention_positions = '2d';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.retention_positions', '2880') FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SELECT pt621_ingest(pg_temp.report('5', (now() AT TIME ZONE 'UTC') - interval '15 minutes', code => 'SOS'));
SELECT e.at > now() - interval '1 day' AS recent, e.superseded_at IS NULL AS live
  FROM pt621.event e JOIN pt621.device d ON d.id = e.device_id
 WHERE d.ident = '5' ORDER BY e.at;
ALTER SYSTEM RESET pt621.retention_positions;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT pg_temp.waits('pt621.retention_positions', '0') FROM generate_series(1, 100) \gexec
\o
\set ECHO all

-- A trigger takes the fences away while some of a batch is still to be derived,
-- and goes on after the error.
CREATE FUNCTION public.take_fences_away() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.kind = 'alarm' THEN
        BEGIN
            ALTER TABLE pt621.geofence_version RENAME TO geofence_version_away;
            CREATE TABLE pt621.geofence_version (x integer);
            PERFORM public.pt621_inside(public.ST_Point(114, 22, 4326), 'far');
        EXCEPTION WHEN undefined_column THEN
            RAISE WARNING 'the fences are away';
        END;
    END IF;
    RETURN NULL;
END
$$;
INSERT INTO pt621.geofence (name, geom, valid) VALUES ('far', ST_GeomFromText('POLYGON((14 22,14.1 22,14.1 23,14 23,14 22))', 4326), '(,)');
CREATE TRIGGER take_fences_away AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION public.take_fences_away();
SELECT pt621_ingest(pg_temp.report('3', '2025-03-01 12:03:00', code => 'SOS') || pg_temp.report('3', '2025-03-03 12:03:00', code => 'SOS'));
DROP TRIGGER take_fences_away ON pt621.event;
DROP FUNCTION public.take_fences_away();

-- An event of no kind at all is the user's own.
ALTER TABLE pt621.event ALTER kind DROP NOT NULL;
INSERT INTO pt621.event (kind, device_id, at, confirmed_at) SELECT NULL, d.id, '2025-03-01 00:00:01+00', '2025-03-01 00:00:01+00' FROM pt621.device d WHERE d.ident = '3';
SELECT pt621_replay_events() > 0 AS replayed;
SELECT count(*) FROM pt621.event WHERE kind IS NULL AND superseded_at IS NULL;
DELETE FROM pt621.event WHERE kind IS NULL;
ALTER TABLE pt621.event ALTER kind SET NOT NULL;
DELETE FROM pt621.geofence;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.geofence_visit, pt621.track_piece;
