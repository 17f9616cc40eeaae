-- Services: plans, what is left of them, and the events that say so.  All times are
-- relative to now, whole days ago, since what is due depends on the clock.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
TRUNCATE pt621.geofence, pt621.geofence_version, pt621.geofence_visit, pt621.event, pt621.device_version;
TRUNCATE pt621.maintenance_plan, pt621.maintenance_record RESTART IDENTITY;

-- 20 days of two trackers: each day 50 minutes straight on at 60 km/h, 50 km, with
-- the engine on.  The first has an odometer, in which 60 are 50 km; it is reset once.
INSERT INTO pt621.device (id, ident) VALUES (1, 'a'), (2, 'b');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, ignition, odometer_m)
SELECT d, now() - interval '20 days' + day * interval '1 day' + i * interval '1 minute', i,
       ST_Point(10, 10 + (day * 50 + least(i, 50)) / 111.195, 4326), CASE WHEN i < 50 THEN 60 ELSE 0 END, i < 50,
       CASE WHEN d = 1 THEN (CASE WHEN day < 7 THEN 500000 ELSE 0 END) + day * 60000 + least(i, 50) * 1200 END
  FROM generate_series(1, 2) d, generate_series(0, 19) day, generate_series(0, 60) i;

INSERT INTO pt621.maintenance_plan (device_id, name, every_km, every_engine_h, every_days, since) VALUES
    (1, 'oil', 1500, NULL, 365, now() - interval '40 days'),
    (1, 'brakes', 10000, NULL, NULL, now() - interval '40 days'),
    (2, 'oil', 1000, 16, NULL, now() - interval '40 days'),
    (2, 'engine', NULL, 16, NULL, now() - interval '5 days'),
    (2, 'check', NULL, NULL, 30, now() - interval '40 days'),
    (2, 'later', NULL, NULL, 30, now() + interval '1 day'),
    (3, 'of nobody', 1, NULL, 1, now() - interval '40 days');
CREATE TEMP VIEW due AS
SELECT device_id AS device, name, state, round(used::numeric, 2) AS used, due_by, round(km::numeric) AS km, round(engine_h::numeric, 1) AS engine_h,
       round(days::numeric, 1) AS days, round(km_left::numeric) AS km_left, round(engine_h_left::numeric, 1) AS h_left, round(days_left::numeric) AS days_left,
       round(extract(epoch FROM predicted_due_at - now()) / 86400) AS due_in
  FROM pt621_maintenance_due();
TABLE due;
-- of one tracker; as it was
SELECT device_id, name, state, round(days::numeric, 1) AS days FROM pt621_maintenance_due('{2}', now() - interval '15 days');
SELECT count(*) FROM pt621_maintenance_due('{}');
SELECT count(*) FROM pt621_maintenance_due(at => NULL);

-- ------------------------------------------------------------------- events --

CREATE FUNCTION pg_temp.look() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    looks integer := 0;
BEGIN
    WHILE pt621_maintenance_tick() > 0 LOOP
        looks := looks + 1;
    END LOOP;
    RETURN looks;
END $$;
CREATE TEMP VIEW said AS
SELECT device_id AS device, kind, object, detail ->> 'due_by' AS due_by, detail -> 'plan_id' AS plan, late, at = confirmed_at AS at_once
  FROM pt621.event WHERE superseded_at IS NULL AND kind LIKE 'maintenance%' ORDER BY id;
SELECT count(*) FROM pt621.event WHERE kind LIKE 'maintenance%';
SELECT pg_temp.look();
TABLE said;
-- Nothing is looked at again before its time.
SELECT pg_temp.look();
SELECT device_id, name, date_trunc('minute', next_look_at - now() + interval '30 s') AS look_in FROM pt621.maintenance_plan WHERE isfinite(next_look_at) ORDER BY id;
-- Once for each service, whatever comes late and goes.
DELETE FROM pt621.position WHERE device_id = 2 AND fix_time < now() - interval '15 days';
UPDATE pt621.maintenance_plan SET next_look_at = '-infinity';
SELECT pg_temp.look();
SELECT count(*) FROM said;
-- A service: what is counted begins anew, and so do the events.
INSERT INTO pt621.maintenance_record (plan_id, done_at, note)
SELECT id, now() - interval '29 days', 'done' FROM pt621.maintenance_plan WHERE name = 'check';
SELECT pg_temp.look();
SELECT name, state, due_by FROM due WHERE name = 'check';
SELECT kind, object FROM said OFFSET 2;
-- Taken back, it is as it was, and was said.
DELETE FROM pt621.maintenance_record;
SELECT pg_temp.look(), (SELECT count(*) FROM said);
-- One that is still to come is none yet.
INSERT INTO pt621.maintenance_record (plan_id, done_at) SELECT id, now() + interval '1 day' FROM pt621.maintenance_plan WHERE name = 'check';
SELECT pg_temp.look();
-- Another plan is another matter.
UPDATE pt621.maintenance_plan SET every_km = 1100 WHERE device_id = 1 AND name = 'oil';
SELECT pg_temp.look();
SELECT device, kind, object, due_by FROM said OFFSET 3;

-- A trigger that fails keeps no other plan waiting.
CREATE FUNCTION pt621.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON pt621.event FOR EACH ROW WHEN (NEW.object = 'refused') EXECUTE FUNCTION pt621.refuse();
INSERT INTO pt621.maintenance_plan (device_id, name, every_days, since) VALUES
    (1, 'refused', 1, now() - interval '2 days'), (1, 'taken', 1, now() - interval '2 days');
SELECT pg_temp.look();
SELECT device, kind, object, due_by FROM said OFFSET 4;
DROP TRIGGER refuse ON pt621.event;
-- Neither does one that fails only later, nor one that takes too long.
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON pt621.event DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.object = 'refused') EXECUTE FUNCTION pt621.refuse();
CREATE FUNCTION pt621.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
CREATE TRIGGER dawdle BEFORE INSERT ON pt621.event FOR EACH ROW WHEN (NEW.object = 'slow') EXECUTE FUNCTION pt621.dawdle();
UPDATE pt621.maintenance_plan SET last_look = NULL WHERE name = 'refused';
INSERT INTO pt621.maintenance_plan (device_id, name, every_days, since) VALUES
    (1, 'slow', 1, now() - interval '2 days'), (1, 'after it', 1, now() - interval '2 days');
SET statement_timeout = '2s';
SELECT pg_temp.look();
RESET statement_timeout;
SELECT device, kind, object, due_by FROM said OFFSET 5;
SELECT name, date_trunc('minute', next_look_at - now() + interval '30 s') AS look_in FROM pt621.maintenance_plan WHERE name IN ('refused', 'slow') ORDER BY id;
DROP TRIGGER refuse ON pt621.event;
DROP TRIGGER dawdle ON pt621.event;
DROP FUNCTION pt621.dawdle();
-- Who cancels it has it cancelled, however long it might have taken: nothing is put off.
CREATE FUNCTION pt621.cancel() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_cancel_backend(pg_backend_pid());
    PERFORM pg_sleep(60);
    RETURN NEW;
END $$;
CREATE TRIGGER cancel BEFORE INSERT ON pt621.event FOR EACH ROW WHEN (NEW.object = 'cancelled') EXECUTE FUNCTION pt621.cancel();
INSERT INTO pt621.maintenance_plan (device_id, name, every_days, since) VALUES (1, 'cancelled', 1, now() - interval '2 days');
SELECT pg_temp.look();
SET statement_timeout = '1min';
SELECT pg_temp.look();
DROP TRIGGER cancel ON pt621.event;
CREATE TRIGGER cancel BEFORE UPDATE ON pt621.maintenance_plan FOR EACH ROW WHEN (NEW.name = 'cancelled') EXECUTE FUNCTION pt621.cancel();
SELECT pg_temp.look();
RESET statement_timeout;
SELECT isfinite(next_look_at) AS put_off FROM pt621.maintenance_plan WHERE name = 'cancelled';
DELETE FROM pt621.maintenance_plan WHERE name = 'cancelled';
DROP TRIGGER cancel ON pt621.maintenance_plan;
DROP FUNCTION pt621.cancel();
-- Nor one for which the look cannot be noted: at once, later, or quietly.  What is due of it is said, once.
CREATE TRIGGER refuse BEFORE UPDATE ON pt621.maintenance_plan FOR EACH ROW WHEN (NEW.name = 'refused at once') EXECUTE FUNCTION pt621.refuse();
CREATE CONSTRAINT TRIGGER refuse_later AFTER UPDATE ON pt621.maintenance_plan DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name = 'refused later') EXECUTE FUNCTION pt621.refuse();
CREATE FUNCTION pt621.skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER skip BEFORE UPDATE ON pt621.maintenance_plan FOR EACH ROW WHEN (NEW.name = 'refused quietly') EXECUTE FUNCTION pt621.skip();
INSERT INTO pt621.maintenance_plan (device_id, name, every_days, since) VALUES
    (1, 'refused at once', 1, now() - interval '2 days'), (1, 'refused later', 1, now() - interval '2 days'),
    (1, 'refused quietly', 1, now() - interval '2 days'), (1, 'behind them', 1, now() - interval '2 days');
SELECT pg_temp.look();
SELECT pg_temp.look();
SELECT device, kind, object, due_by FROM said OFFSET 6;
SELECT name, isfinite(next_look_at) AS noted FROM pt621.maintenance_plan WHERE name ~ 'refused |behind' ORDER BY id;
DELETE FROM pt621.maintenance_plan WHERE name ~ 'refused ';
DROP TRIGGER refuse ON pt621.maintenance_plan;
DROP TRIGGER refuse_later ON pt621.maintenance_plan;
DROP TRIGGER skip ON pt621.maintenance_plan;
DROP FUNCTION pt621.skip();
DROP FUNCTION pt621.refuse();

-- Far overdue, and hardly used lately: when it was due is too long ago to be said.
INSERT INTO pt621.device (id, ident) VALUES (9, 'parked');
INSERT INTO pt621.position (device_id, fix_time, geom, odometer_m) VALUES
    (9, now() - interval '90 days', ST_Point(10, 50, 4326), 0), (9, now() - interval '90 days' + interval '30 min', ST_Point(10.1, 50, 4326), 900000000),
    (9, now() - interval '20 days', ST_Point(10.1, 50, 4326), 900000000), (9, now() - interval '20 days' + interval '30 min', ST_Point(10.1, 50, 4326), 900000001);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since) VALUES (9, 'oil', 1, now() - interval '100 days');
SELECT state, round(km_left) < 0 AS over, predicted_due_at FROM pt621_maintenance_due('{9}');
SELECT * FROM pt621_maintenance_due(at => 'infinity');

-- An odometer that stands still is none: all the time; since the third day; where each
-- day's driving is too little to tell.  What was carried, tracker 13, was not driven.
INSERT INTO pt621.device (id, ident) SELECT d, 'odometer ' || d FROM generate_series(10, 13) d;
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, ignition, odometer_m)
SELECT d, now() - interval '40 days' + day * interval '1 day' + i * interval '1 minute', i,
       ST_Point(10, 10 + (day * x.km + least(i, x.km)) / 111.195, 4326), CASE WHEN i < x.km THEN 60 ELSE 0 END,
       CASE d WHEN 12 THEN NULL WHEN 13 THEN i > x.km + 5 ELSE i < x.km END,
       CASE d WHEN 10 THEN 0 WHEN 11 THEN least(day * 50 + least(i, x.km), 125) * 1000 WHEN 12 THEN 77 ELSE 0 END
  FROM generate_series(10, 13) d, generate_series(0, 39) day, generate_series(0, 60) i,
       LATERAL (SELECT CASE d WHEN 12 THEN 0.6 ELSE 50 END AS km) x;
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since)
SELECT d, 'oil', 10000, now() - interval '50 days' FROM generate_series(10, 13) d;
SELECT device_id, CASE device_id WHEN 11 THEN (km > 1700)::text ELSE round(km)::text END AS km FROM pt621_maintenance_due('{10,11,12,13}');

-- Nor is one that is said on a part of the way only: from the middle of 200 km on, and on
-- the first 40 of 100.  What was counted does not go back.
INSERT INTO pt621.device (id, ident) SELECT d, 'odometer ' || d FROM generate_series(14, 15) d;
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, odometer_m)
SELECT d, date_trunc('day', now()) - interval '10 days' + i * interval '1 minute', i, ST_Point(10, 10 + least(i, x.km) / 111.195, 4326), CASE WHEN i < x.km THEN 60 ELSE 0 END,
       CASE WHEN d = 14 AND i >= 100 OR d = 15 AND i <= 40 THEN 7000 + least(i, x.km) * 1000 END
  FROM generate_series(14, 15) d, LATERAL (SELECT CASE d WHEN 14 THEN 200 ELSE 100 END AS km) x, LATERAL generate_series(0, x.km + 20) i;
SELECT d, m, round(u.km::numeric) AS km
  FROM (VALUES (14, 99), (14, 110), (14, 150), (14, 199), (14, 400), (15, 40), (15, 60), (15, 90), (15, 400)) v (d, m),
       LATERAL pt621_maintenance_use(d, date_trunc('day', now()) - interval '11 days', date_trunc('day', now()) - interval '10 days' + m * interval '1 minute') u;

-- -------------------------------------------------------------- what is none --

INSERT INTO pt621.maintenance_plan (device_id, name) VALUES (1, 'nothing');
INSERT INTO pt621.maintenance_plan (device_id, name, every_km) VALUES (1, 'oil', 1);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km) VALUES (1, 'x', 0);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km) VALUES (1, 'x', 'NaN');
INSERT INTO pt621.maintenance_plan (device_id, name, every_days) VALUES (1, 'x', 1e300);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, warn_at) VALUES (1, 'x', 1, 1.1);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since) VALUES (1, 'x', 1, '-infinity');
INSERT INTO pt621.maintenance_record (plan_id, done_at) VALUES (1, 'infinity');

TRUNCATE pt621.device, pt621.device_state, pt621.position, pt621.event, pt621.track_piece;
TRUNCATE pt621.maintenance_plan, pt621.maintenance_record RESTART IDENTITY;
