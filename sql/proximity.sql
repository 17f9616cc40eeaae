-- proximity.sql: two linked trackers near each other, the same in any order.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.device_link, pt621.track_piece;

-- A report; places are metres east of 114 deg E, or of 180 deg, on the equator.
CREATE FUNCTION pg_temp.report(ident text, at timestamp, east double precision, flag text DEFAULT 'A', code text DEFAULT 'POS',
                               origin double precision DEFAULT 114) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (SELECT convert_to('$' || code || ',' || ident || ',' || to_char(at, 'HH24MISS.MS') || ',' || flag || ',0000.0000,N,' ||
                          to_char(trunc(abs(w.lon)::numeric), 'FM000') || to_char((abs(w.lon)::numeric % 1) * 60, 'FM00.0000') ||
                          CASE WHEN w.lon < 0 THEN ',W,' ELSE ',E,' END || '10.00,90.0,' ||
                          to_char(at, 'DDMMYY') || ',,,A/00000,00000/0/1000//f73//' || E'\r\n', 'SQL_ASCII')
          FROM (SELECT CASE WHEN l.lon > 180 THEN l.lon - 360 ELSE l.lon END AS lon
                  FROM (SELECT origin + east / 111195.0797 AS lon) l) w);

INSERT INTO pt621.device (ident, name) VALUES ('6211', 'truck'), ('6212', 'trailer'), ('6213', 'car'), ('6214', 'alone');
CREATE FUNCTION pg_temp.id(who text) RETURNS integer LANGUAGE sql STABLE
RETURN (SELECT id FROM pt621.device WHERE name = who);

-- What holds, without what says how it came.
CREATE FUNCTION pg_temp.outcome() RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(array_agg(concat_ws('|', d.ident, e.object, e.at, e.until, e.confirmed_at, ST_AsText(e.geom), e.detail)
                              ORDER BY d.ident, e.object, e.at), '{}')
      FROM pt621.event e
      JOIN pt621.device d ON d.id = e.device_id
     WHERE e.kind = 'proximity' AND e.superseded_at IS NULL;
END;
-- And the same by the history.
CREATE FUNCTION pg_temp.differences() RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT count(*)
      FROM (SELECT l.device_id, b.ident AS object, p.at, p.until, round(p.closest_m::numeric, 3) AS closest_m, p.closest_at, ST_AsText(p.geom) AS geom
              FROM pt621.device_link l JOIN pt621.device b ON b.id = l.partner_id,
                   pt621_proximity(l.device_id, l.partner_id, tstzrange(l.created_at, NULL), l.near_m, l.far_m) p) h
      FULL JOIN (SELECT e.device_id, e.object, e.at, e.until, (e.detail ->> 'closest_m')::numeric AS closest_m,
                        (e.detail ->> 'closest_at')::timestamptz AS closest_at, ST_AsText(e.geom) AS geom
                   FROM pt621.event e
                  WHERE e.kind = 'proximity' AND e.superseded_at IS NULL) e
        ON e.device_id = h.device_id AND e.object = h.object AND e.at = h.at
     WHERE (h.until, h.geom) IS DISTINCT FROM (e.until, e.geom)
        OR e.until IS NOT NULL AND (h.closest_m, h.closest_at) IS DISTINCT FROM (e.closest_m, e.closest_at)
        OR h.at IS NULL OR e.at IS NULL;
END;

-- ------------------------------------------------------------- 1. one by one --

INSERT INTO pt621.device_link (device_id, partner_id, near_m, far_m, created_at) VALUES (1, 1, 100, 100, '2025-01-01');
INSERT INTO pt621.device_link (device_id, partner_id, near_m, far_m, created_at) VALUES (pg_temp.id('truck'), pg_temp.id('trailer'), 100, 200, '2025-03-01');

CREATE FUNCTION pg_temp.take(who text, at time, east double precision, flag text DEFAULT 'A') RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pt621_ingest(pg_temp.report((SELECT ident FROM pt621.device WHERE name = who), '2025-03-01'::timestamp + at, east, flag), received_at => '2025-03-01 10:00:00+00'::timestamptz + at::interval);
    RETURN (SELECT string_agg(concat_ws(' ', e.id, e.at::time || '-' || coalesce(e.until::time::text, '...'), 'by', e.confirmed_at::time,
                                        e.detail, 'for ' || e.corrects), '; ' ORDER BY e.at)
              FROM pt621.event e
             WHERE e.kind = 'proximity' AND e.superseded_at IS NULL);
END
$$;
ALTER TABLE pt621.event ALTER COLUMN id RESTART;
SELECT pg_temp.take('truck', '10:00:00', 0);
SELECT pg_temp.take('trailer', '10:00:10', 0);
SELECT pg_temp.take('truck', '10:00:20', 40);
-- The trailer stands, and says so once in four minutes.
SELECT pg_temp.take('truck', '10:01:20', 90);
SELECT pg_temp.take('truck', '10:03:20', 150);
SELECT pg_temp.take('trailer', '10:04:10', 0);
SELECT pg_temp.take('truck', '10:05:00', 210);
SELECT pg_temp.take('trailer', '10:05:10', 0);
-- It came back meanwhile, as a record that was late says.
SELECT pg_temp.take('truck', '10:04:50', 0);
SELECT pg_temp.take('truck', '10:04:40', 500);
-- One without a fix says nothing.
SELECT pg_temp.take('truck', '10:04:55', 9000, 'V');
SELECT pg_temp.take('truck', '10:06:00', 0);
SELECT pg_temp.take('trailer', '10:06:00', 50);
SELECT pg_temp.take('truck', '10:06:30', 50);
-- The trailer is not heard of any more, and then after all.
SELECT pg_temp.take('truck', '10:11:00', 50);
SELECT pg_temp.take('truck', '10:11:01', 50);
SELECT pg_temp.take('trailer', '10:10:00', 50);
SELECT pg_temp.differences();
SELECT count(*), count(DISTINCT e.id) = count(*) AS kept, count(*) FILTER (WHERE superseded_at IS NULL) AS live FROM pt621.event e WHERE kind = 'proximity';
-- Nothing changes when all is derived again.
CREATE TEMP TABLE before AS SELECT * FROM pt621.event;
SELECT pt621_replay_events();
SELECT pt621_replay_events(ARRAY[pg_temp.id('trailer')], '[2025-03-01 10:04:00+00,2025-03-01 10:05:00+00)');
SELECT count(*) FROM (TABLE before EXCEPT TABLE pt621.event) e;
SELECT count(*) FROM (TABLE pt621.event EXCEPT TABLE before) e;
-- Records that go take with them what they showed.
BEGIN;
DELETE FROM pt621.position WHERE device_id = pg_temp.id('trailer') AND fix_time >= '2025-03-01 10:06:00+00';
SELECT unnest(pg_temp.outcome()) AS line;
SELECT pg_temp.differences();
TRUNCATE pt621.position;
SELECT unnest(pg_temp.outcome()) AS line;
ROLLBACK;
-- Other distances hold for all records since they were linked.
BEGIN;
UPDATE pt621.device_link SET near_m = 300, far_m = 300;
SELECT unnest(pg_temp.outcome()) AS line;
SELECT pg_temp.differences();
-- And what was said stays when they are linked no more.
DELETE FROM pt621.device_link;
SELECT pg_temp.take('truck', '10:11:05', 5000);
SELECT pg_temp.take('trailer', '10:11:06', 5000);
ROLLBACK;

-- ------------------------------------------------- 2. any order, any grouping --

-- A day of three trackers, of which two pairs are linked: rides together, pauses,
-- silences longer than the gap, across the antimeridian; with what was never valid.
SELECT setseed(0.621);
CREATE TEMP TABLE sent AS
SELECT s.ident, s.report, ('2025-03-01 12:00:00+00'::timestamptz + s.hour * interval '1 hour') AS received_at, row_number() OVER () AS n
  FROM (SELECT r.ident, pg_temp.report(r.ident, '2025-03-01'::timestamp + make_interval(secs => t.s + r.shift),
                                       r.base + r.way * sin(t.s * r.pace), CASE WHEN random() < 0.05 THEN 'V' ELSE 'A' END, origin => 180) AS report,
               (random() * 3)::integer AS hour
          FROM (VALUES ('6211', 0, 0::double precision, 0::double precision, 0::double precision, 40),
                       ('6212', 13, 60, 300, 0.006, 55),
                       ('6213', 0, -40, 250, 0.004, 80)) r (ident, shift, base, way, pace, step)
         CROSS JOIN LATERAL (SELECT s + CASE WHEN s > 4000 THEN 1500 * (r.step / 50) ELSE 0 END AS s FROM generate_series(0, 9000, r.step) s) t) s;

CREATE FUNCTION pg_temp.try(salt integer) RETURNS text[]
LANGUAGE plpgsql
AS $$
DECLARE
    call   record;
    result text[];
BEGIN
    BEGIN
        FOR call IN
            SELECT received_at, array_agg(report ORDER BY place) AS reports
              FROM (SELECT *, count(*) FILTER (WHERE cut) OVER (ORDER BY place) AS grp
                      FROM (SELECT *, hashint8(place * 7919 + salt) % 4 = 0 OR received_at IS DISTINCT FROM lag(received_at) OVER (ORDER BY place) AS cut
                              FROM (SELECT *, row_number() OVER (ORDER BY received_at + CASE WHEN salt % 2 = 0 THEN interval '0' ELSE hashint8(n * 31 + salt) % 100 * interval '1 min' END,
                                                                 hashint8(n * 104729 + salt)) AS place
                                      FROM sent) AS placed) AS cut) AS grouped
             GROUP BY grp, received_at
             ORDER BY min(place)
        LOOP
            PERFORM pt621_ingest_reads(call.reports, received_at => call.received_at);
        END LOOP;
        result := pg_temp.outcome() || ARRAY['differences ' || pg_temp.differences()];
        RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
        NULL;
    END;
    RETURN result;
END
$$;
TRUNCATE pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;
INSERT INTO pt621.device_link (device_id, partner_id, near_m, far_m, created_at)
VALUES (pg_temp.id('truck'), pg_temp.id('car'), 100, 120, '2025-03-01 00:30:00+00'), (pg_temp.id('trailer'), pg_temp.id('car'), 150, 150, '-infinity');
CREATE TEMP TABLE tries AS SELECT n, pg_temp.try(n) AS outcome FROM generate_series(1, 8) n;
SELECT count(DISTINCT outcome) AS outcomes, min(cardinality(outcome)) > 20 AS many FROM tries;
SELECT DISTINCT line AS "not in all"
  FROM tries, unnest(outcome) AS line
 WHERE NOT EXISTS (SELECT FROM tries t WHERE t.n = 1 AND line = ANY (t.outcome))
 ORDER BY 1;
SELECT outcome[cardinality(outcome)] FROM tries WHERE n = 1;
SELECT split_part(line, '|', 1) AS device, split_part(line, '|', 2) AS partner, count(*), bool_or(line LIKE '%closest_m%') AS ended
  FROM tries, unnest(outcome) line WHERE n = 1 AND line LIKE '%|%' GROUP BY 1, 2 ORDER BY 1, 2;

-- All at once, then as rows: by one INSERT, and one by one.
SELECT count(pt621_ingest(report, received_at => received_at)) FROM sent;
SELECT pg_temp.outcome() || ARRAY['differences ' || pg_temp.differences()] = outcome AS the_same FROM tries WHERE n = 1;
CREATE TEMP TABLE wanted AS SELECT pg_temp.outcome() AS outcome;
CREATE TEMP TABLE rows AS SELECT * FROM pt621.position;
BEGIN;
DELETE FROM pt621.position;
SELECT pg_temp.outcome() AS "nothing is left";
INSERT INTO pt621.position TABLE rows;
SELECT pg_temp.outcome() = outcome AS the_same FROM wanted;
UPDATE pt621.position SET geom = ST_SetSRID(ST_Point(10, 10), 4326);
SELECT cardinality(pg_temp.outcome()) > 0 AS "all together", pg_temp.differences();
UPDATE pt621.position p SET geom = r.geom FROM rows r
 WHERE (p.device_id, p.fix_time, p.code, p.digest) = (r.device_id, r.fix_time, r.code, r.digest);
SELECT pg_temp.outcome() = outcome AS the_same FROM wanted;
DELETE FROM pt621.position;
DO $$
DECLARE
    p pt621.position;
BEGIN
    FOR p IN SELECT * FROM rows ORDER BY hashint8(digest) LOOP
        INSERT INTO pt621.position SELECT p.*;
    END LOOP;
END
$$;
SELECT pg_temp.outcome() = outcome AS the_same FROM wanted;
ROLLBACK;
-- Linked later, with a time in the past.
BEGIN;
DELETE FROM pt621.device_link;
TRUNCATE pt621.event;
INSERT INTO pt621.device_link (device_id, partner_id, near_m, far_m, created_at)
VALUES (pg_temp.id('truck'), pg_temp.id('trailer'), 100, 200, '2025-03-01'), (pg_temp.id('truck'), pg_temp.id('car'), 100, 120, '2025-03-01 00:30:00+00'),
       (pg_temp.id('trailer'), pg_temp.id('car'), 150, 150, '-infinity');
SELECT pg_temp.outcome() = outcome AS the_same FROM wanted;
ROLLBACK;
SELECT pt621_replay_events();
SELECT pg_temp.outcome() = outcome AS the_same FROM wanted;
-- Other gaps hold from their time on.
BEGIN;
INSERT INTO pt621.detection (valid_from, partner_gap) VALUES ('2025-03-01 01:00:00+00', '30 s');
SELECT pt621_replay_events();
SELECT pg_temp.outcome() = outcome AS the_same, pg_temp.differences() FROM wanted;
ROLLBACK;

-- By COPY.
BEGIN;
INSERT INTO pt621.device (id, ident) VALUES (-2, '6215'), (-1, '6216');
INSERT INTO pt621.device_link VALUES (-2, -1, 10, 10, '-infinity');
COPY pt621.position (device_id, fix_time, code, digest, received_at, valid, quality, geom) FROM stdin;
-2	2025-03-01 00:00:00+00	POS	1	2025-03-01 00:00:00+00	t	0	SRID=4326;POINT(10 50)
-2	2025-03-01 00:01:00+00	POS	1	2025-03-01 00:00:00+00	t	0	SRID=4326;POINT(10 50)
-2	2025-03-01 00:02:00+00	POS	1	2025-03-01 00:00:00+00	t	0	SRID=4326;POINT(10 50)
-1	2025-03-01 00:00:30+00	POS	1	2025-03-01 00:00:00+00	t	0	SRID=4326;POINT(10.0001 50)
-1	2025-03-01 00:01:30+00	POS	1	2025-03-01 00:00:00+00	t	0	SRID=4326;POINT(10.0003 50)
\.
SELECT device_id, object, at, until, confirmed_at, ST_AsText(geom) AS geom, detail FROM pt621.event WHERE kind = 'proximity' AND device_id = -2;
-- At one time a tracker is at one place, that of the first record; null island, and the
-- time of receipt, are none.
INSERT INTO pt621.position (device_id, fix_time, code, digest, received_at, valid, quality, geom)
VALUES (-2, '2025-03-01 00:01:30+00', 'POS', 2, '2025-03-01', true, 0, 'SRID=4326;POINT(10.0001 50)'),
       (-2, '2025-03-01 00:01:30+00', 'POS', 1, '2025-03-01', true, 0, 'SRID=4326;POINT(10.0003 50)'),
       (-2, '2025-03-01 00:01:30+00', 'PO', 3, '2025-03-01', true, 32768, 'SRID=4326;POINT(0 0)'),
       (-2, '2025-03-01 00:01:40+00', 'POS', 1, '2025-03-01', true, 65536, 'SRID=4326;POINT(10.0001 50)'),
       (-2, '2025-03-01 00:01:30+00', 'PO', 4, '2025-03-01', true, 0, 'SRID=4326;POINT EMPTY'),
       (-2, '2025-03-01 00:01:30+00', 'PO', 5, '2025-03-01', true, 0, 'SRID=4326;POINT(500 50)');
SELECT at, until, confirmed_at, ST_AsText(geom) AS geom, detail FROM pt621.event WHERE kind = 'proximity' AND device_id = -2 AND superseded_at IS NULL ORDER BY at;
ROLLBACK;

-- ------------------------------------------------- 3. whatever is done to them --

-- Records that come, go, move, or lose their fix, some at a time and anywhere: after
-- each step the events are those of the history.
CREATE PROCEDURE pg_temp.disturb(steps integer)
LANGUAGE plpgsql
AS $$
DECLARE
    reports bytea[];
    who     text;
    id      integer;
    low     timestamptz;
    high    timestamptz;
    action  integer;
BEGIN
    FOR step IN 1 .. steps LOOP
        action := floor(random() * 8);
        who := (ARRAY['6211', '6212', '6213'])[1 + floor(random() * 3)::integer];
        id := (SELECT d.id FROM pt621.device d WHERE d.ident = who);
        low := '2025-03-01 00:00:00+00'::timestamptz + make_interval(secs => floor(random() * 5400));
        high := low + make_interval(secs => floor(random() * 600));
        IF action < 4 THEN
            -- Of one tracker or of several, close together or hardly within the gap.
            reports := ARRAY(SELECT pg_temp.report(CASE WHEN action < 2 THEN who ELSE (ARRAY['6211', '6212', '6213'])[1 + floor(random() * 3)::integer] END,
                                                   (low + make_interval(secs => n * (1 + extract(second FROM low)::integer * 5))) AT TIME ZONE 'UTC',
                                                   (ARRAY[0, 30, 90, 110, 140, 170, 260, 1000])[1 + floor(random() * 8)::integer])
                               FROM generate_series(1, 2 + floor(random() * 12)::integer) n);
            PERFORM pt621_ingest_reads(reports, received_at => '2025-03-02 00:00:00+00');
        ELSIF action = 4 THEN
            DELETE FROM pt621.position WHERE device_id = id AND fix_time BETWEEN low AND high;
        ELSIF action = 5 THEN
            UPDATE pt621.position SET geom = ST_SetSRID(ST_Point(114 + round((random() * 0.003)::numeric, 6), 0), 4326)
             WHERE fix_time BETWEEN low AND high AND (device_id = id OR low < '2025-03-01 00:30:00+00');
        ELSIF action = 6 THEN
            UPDATE pt621.position SET valid = random() < 0.7 WHERE device_id = id AND fix_time BETWEEN low AND high;
        ELSE
            PERFORM pt621_replay_events(ARRAY[id], tstzrange(low, high));
        END IF;
        IF pg_temp.differences() > 0 THEN
            RAISE EXCEPTION 'step %, action % of % from % to %: % differences', step, action, who, low, high, pg_temp.differences();
        END IF;
    END LOOP;
END
$$;
BEGIN;
TRUNCATE pt621.frame, pt621.position;
CALL pg_temp.disturb(120);
SELECT count(*) > 100 AS positions, (SELECT count(*) > 20 FROM pt621.event WHERE superseded_at IS NULL) AS live,
       (SELECT count(*) > 100 FROM pt621.event WHERE superseded_at IS NOT NULL) AS superseded
  FROM pt621.position;
CREATE TEMP TABLE disturbed AS SELECT pg_temp.outcome() AS outcome;
-- And those of all derived at once.
UPDATE pt621.event SET superseded_at = now() WHERE superseded_at IS NULL;
SELECT pt621_replay_events();
SELECT pg_temp.outcome() = outcome AS the_same FROM disturbed;
ROLLBACK;

-- ------------------------------------------------------------- 4. the history --

SELECT p.at::time, p.until::time, p.closest_m, p.closest_at::time, round(ST_X(p.geom)::numeric, 6) AS lon
  FROM pt621_proximity(pg_temp.id('truck'), pg_temp.id('trailer'), '[2025-03-01 00:30:00+00,2025-03-01 01:00:00+00)') p;
-- Whichever comes first.
SELECT count(*) FROM (SELECT at, until, closest_m, closest_at FROM pt621_proximity(pg_temp.id('truck'), pg_temp.id('trailer'))
                      EXCEPT SELECT at, until, closest_m, closest_at FROM pt621_proximity(pg_temp.id('trailer'), pg_temp.id('truck'))) p;
SELECT count(*) FROM pt621_proximity(pg_temp.id('truck'), pg_temp.id('alone'));
SELECT count(*) FROM pt621_proximity(NULL, pg_temp.id('alone'));
SELECT count(*) FROM pt621_proximity(pg_temp.id('truck'), pg_temp.id('trailer'), 'empty');
SELECT pt621_proximity(1, 1);
SELECT pt621_proximity(1, 2, near_m => 0);
SELECT pt621_proximity(1, 2, near_m => 'NaN');
SELECT pt621_proximity(1, 2, far_m => 'NaN');
SELECT pt621_proximity(1, 2, far_m => 50);
SELECT pt621_proximity_episodes(1, 2, '-infinity', 'infinity', 100, NULL);
-- With the rights of whoever asks.
CREATE ROLE regress_pt621_viewer;
GRANT EXECUTE ON FUNCTION pt621_proximity(integer, integer, tstzrange, double precision, double precision),
      pt621_proximity_episodes(integer, integer, timestamptz, timestamptz, double precision, double precision) TO regress_pt621_viewer;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_viewer;
GRANT SELECT ON pt621.detection TO regress_pt621_viewer;
SET ROLE regress_pt621_viewer;
SELECT count(*) FROM pt621_proximity(1, 2);
RESET ROLE;
DROP OWNED BY regress_pt621_viewer;
DROP ROLE regress_pt621_viewer;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.device_link, pt621.track_piece;
