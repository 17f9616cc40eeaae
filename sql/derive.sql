-- derive.sql: the same answer whatever the arrival order, and which times are
-- believed.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- A report; places are minutes east of 114 deg E at 22 deg 30' N, or none.
CREATE FUNCTION pg_temp.report(
    ident text, at timestamp, code text DEFAULT 'POS', flag text DEFAULT 'A', east numeric DEFAULT 0,
    knots text DEFAULT '10.00', inputs text DEFAULT '00000', driver text DEFAULT '', ending text DEFAULT E'\r\n') RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN convert_to('$' || code || ',' || ident || ',' || to_char(at, 'HH24MISS.MS') || ',' || flag || ',' ||
                  coalesce('2230.0000,N,114' || to_char(east, 'FM00.0000') || ',E,', ',,,,') || knots || ',90.0,' ||
                  to_char(at, 'DDMMYY') || ',,,A/' || inputs || ',00000/0/1000/' || driver || '/f73//' || ending, 'SQL_ASCII');

-- ----------------------------------------------------- 1. any order, any groups --

-- What two trackers sent, and when it was received.  Those that share a time of
-- receipt may come in one value.
CREATE TEMP TABLE sent (n integer GENERATED ALWAYS AS IDENTITY, received_at timestamptz, report bytea);
INSERT INTO sent (received_at, report) VALUES
    -- tracker 007: live reports, ignition on at 10:01
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:00:00', east => 1)),
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:01:00', east => 2, inputs => '00010', driver => 'D1')),
    -- the same second: another code, another place, another driver
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:01:00', east => 2, code => 'IN1')),
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:01:00', east => 3, driver => 'D2')),
    -- without a fix: with its last place, and without any
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:02:00', flag => 'V', east => 3, inputs => '00010')),
    ('2025-03-01 10:05:00+00', pg_temp.report('007', '2025-03-01 10:02:30', flag => 'V', east => NULL, inputs => '00', driver => 'D0')),
    -- from memory, and its live copy, which was not lost after all
    ('2025-03-01 12:00:00+00', pg_temp.report('007', '2025-03-01 10:01:30', east => 4, ending => E'#\n')),
    ('2025-03-01 12:00:00+00', pg_temp.report('007', '2025-03-01 10:01:30', east => 4)),
    -- a clock that was never set, and one that is 1,024 weeks slow
    ('2025-03-01 12:00:00+00', pg_temp.report('007', '2000-01-01 00:00:10', east => 5, inputs => '00000', driver => 'D9')),
    ('2025-03-01 12:00:00+00', pg_temp.report('007', '2025-03-01 10:01:45'::timestamp - interval '7168 days', east => 6)),
    -- tracker 7: ties in all that is derived
    ('2025-03-01 10:05:00+00', pg_temp.report('7', '2025-03-01 10:00:00', code => 'SPD', east => 11, inputs => '00', driver => 'a')),
    ('2025-03-01 10:05:00+00', pg_temp.report('7', '2025-03-01 10:00:00', code => 'SPD', east => 12, inputs => '00000', driver => 'B')),
    ('2025-03-01 10:05:00+00', pg_temp.report('7', '2025-03-01 10:00:00', code => 'IN4', east => 13, inputs => '00010')),
    ('2025-03-01 12:00:00+00', pg_temp.report('7', '2025-03-01 09:00:00', east => 14, inputs => '00010', driver => 'Z', ending => E'#\n')),
    ('2025-03-01 12:00:00+00', pg_temp.report('7', '2025-03-01 11:00:00', flag => 'V', east => NULL, inputs => '00')),
    -- tracker 8 never had a fix nor a clock
    ('2025-03-01 12:00:00+00', pg_temp.report('8', '2000-01-01 00:00:10', flag => 'V', east => NULL));

-- The positions, but for what says how they came, and the derived states.
CREATE FUNCTION pg_temp.outcome() RETURNS text[]
LANGUAGE sql
BEGIN ATOMIC
    SELECT array_agg(o.line ORDER BY o.line COLLATE "C")
      FROM (SELECT concat_ws('|', d.ident, p.fix_time, p.code, p.digest, ST_AsText(p.geom), p.valid, p.speed_kmh, p.course, p.inputs,
                             p.outputs, p.ignition, p.adc, p.odometer_m, p.driver, p.battery, p.gsm, p.satellites, p.gsb, p.quality)
              FROM pt621.position p
              JOIN pt621.device d ON d.id = p.device_id
             UNION ALL
            SELECT concat_ws('|', 'state', d.ident, s.fix_time, s.fix_code, s.fix_digest, ST_AsText(s.geom), s.speed_kmh, s.course,
                             s.newest_time, s.ignition, s.ignition_time, s.driver, s.driver_time, s.last_seen)
              FROM pt621.device_state s
              JOIN pt621.device d ON d.id = s.device_id) o (line);
END;

-- Takes the records in a random order, some of them twice, in random groups by
-- pt621_ingest() and pt621_ingest_reads(), derives again, and undoes it all.
CREATE FUNCTION pg_temp.try() RETURNS TABLE (stored integer, taken text[], derived text[])
LANGUAGE plpgsql
AS $$
DECLARE
    call record;
BEGIN
    stored := 0;
    BEGIN
        FOR call IN
            SELECT received_at, array_agg(report ORDER BY place) AS reports
              FROM (SELECT *, count(*) FILTER (WHERE cut) OVER (ORDER BY place) AS grp
                      FROM (SELECT *, random() < 0.5 OR received_at IS DISTINCT FROM lag(received_at) OVER (ORDER BY place) AS cut
                              FROM (SELECT *, row_number() OVER () AS place
                                      FROM (SELECT received_at, report FROM sent, generate_series(1, 2) AS copy
                                             WHERE copy = 1 OR random() < 0.2
                                             ORDER BY random()) AS shuffled) AS placed) AS cut) AS grouped
             GROUP BY grp, received_at
             ORDER BY min(place)
        LOOP
            IF random() < 0.5 THEN
                stored := stored + pt621_ingest_reads(call.reports, received_at => call.received_at);
            ELSE
                stored := stored + pt621_ingest((SELECT string_agg(r, '' ORDER BY n) FROM unnest(call.reports) WITH ORDINALITY u (r, n)),
                                                received_at => call.received_at);
            END IF;
        END LOOP;
        taken := pg_temp.outcome();
        PERFORM pt621_derive(array_agg(id), array_agg('(,)'::tstzrange)) FROM pt621.device;
        derived := pg_temp.outcome();
        RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
        NULL;
    END;
    RETURN NEXT;
END
$$;

SELECT setseed(0.621);
CREATE TEMP TABLE tries AS
SELECT i AS n, t.* FROM generate_series(1, 200) AS i, pg_temp.try() AS t;
-- One outcome.
SELECT count(*) AS tries, count(DISTINCT stored) AS counts, count(DISTINCT taken) AS outcomes, count(*) FILTER (WHERE taken <> derived) AS derived_otherwise
  FROM tries;
SELECT DISTINCT line AS "not in all"
  FROM tries, unnest(taken) AS line
 WHERE NOT EXISTS (SELECT FROM tries t WHERE t.n = 1 AND line = ANY (t.taken))
 ORDER BY 1;
SELECT count(*) AS left_over FROM pt621.frame;

-- And it is this one: 15 records that differ.  Position and ignition of 007 are
-- of 10:01:45 (the rollover) and 10:02; its driver was read last at 10:02:30.
SELECT sum(pt621_ingest(report, received_at => received_at)) AS stored FROM sent;
SELECT d.ident, p.fix_time, p.code, p.valid, round((ST_X(p.geom)::numeric - 114) * 60, 4) AS east, p.ignition, p.driver, pt621_quality(p.quality) AS quality
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id
 ORDER BY d.ident, p.fix_time, p.code, p.driver COLLATE "C";
SELECT d.ident, s.fix_time::time AS fix_time, s.fix_code, s.newest_time::time AS newest, s.ignition, s.ignition_time::time AS since,
       s.driver, s.driver_time::time AS read, s.last_seen::time AS last_seen
  FROM pt621.device_state s
  JOIN pt621.device d ON d.id = s.device_id
 ORDER BY d.ident;
SELECT pg_temp.outcome() = (SELECT taken FROM tries WHERE n = 1) AS the_same;
-- Of two records that differ in nothing but their text the greater digest is last.
SELECT s.fix_digest = max(p.digest) AS greatest, count(*) AS records, bool_or(p.geom = s.geom AND p.digest = s.fix_digest) AS its_place
  FROM pt621.device_state s
  JOIN pt621.device d ON d.id = s.device_id AND d.ident = '7'
  JOIN pt621.position p ON p.device_id = d.id AND p.fix_time = s.fix_time AND p.code = s.fix_code
 GROUP BY s.device_id;

-- Rows that came by SQL, in any order, derive to the same.
CREATE TEMP TABLE rows AS SELECT * FROM pt621.position;
CREATE FUNCTION pg_temp.try_rows() RETURNS text[]
LANGUAGE plpgsql
AS $$
DECLARE
    p      pt621.position;
    result text[];
BEGIN
    BEGIN
        DELETE FROM pt621.position;
        FOR p IN SELECT * FROM rows ORDER BY random() LOOP
            INSERT INTO pt621.position SELECT p.*;
        END LOOP;
        result := pg_temp.outcome();
        RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
        NULL;
    END;
    RETURN result;
END
$$;
SELECT count(*) FILTER (WHERE pg_temp.try_rows() IS DISTINCT FROM pg_temp.outcome()) AS derived_otherwise FROM generate_series(1, 20);

-- ------------------------------------------------------ 2. which time is believed --

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
CREATE TEMP TABLE clock (ident text, why text, said timestamp, received timestamp, wanted timestamp, quality text[]);
INSERT INTO clock VALUES
    ('01', 'in time',                          '2026-05-01 11:59:58',     '2026-05-01 12:00:00', '2026-05-01 11:59:58',     '{}'),
    ('02', 'never set',                        '2000-01-01 00:00:10',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('03', 'before 2010',                      '2009-12-31 23:59:59.999', '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('04', '2010',                             '2010-01-01 00:00:00',     '2026-05-01 12:00:00', '2010-01-01 00:00:00',     '{}'),
    ('05', 'years ahead',                      '2079-12-31 23:59:59',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('06', 'GPS epoch, 1980 or 2080',          '2080-01-06 00:00:00',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('07', 'just under a day ahead',           '2026-05-02 11:59:59.999', '2026-05-01 12:00:00', '2026-05-02 11:59:59.999', '{}'),
    ('08', 'a day ahead',                      '2026-05-02 12:00:00',     '2026-05-01 12:00:00', '2026-05-02 12:00:00',     '{}'),
    ('09', 'a day and a millisecond',          '2026-05-02 12:00:00.001', '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('10', 'a day and a second',               '2026-05-02 12:00:01',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    -- 1,024 weeks are 7,168 days: 2006-09-15 is that long before 2026-05-01.
    ('11', '1,024 weeks slow',                 '2006-09-15 11:00:00',     '2026-05-01 12:00:00', '2026-05-01 11:00:00',     '{week_rollover}'),
    ('12', '1,024 weeks, to the moment',       '2006-09-15 12:00:00',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{week_rollover}'),
    ('13', '1,024 weeks, later than receipt',  '2006-09-15 12:00:00.001', '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('14', '1,024 weeks, just under 90 days',  '2006-06-17 12:00:00.001', '2026-05-01 12:00:00', '2026-01-31 12:00:00.001', '{week_rollover}'),
    ('15', '1,024 weeks, 90 days',             '2006-06-17 12:00:00',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    -- What is plausible as it stands is left alone, unless put right it would be of
    -- the last weeks.
    ('16', 'stored for years',                 '2012-02-29 08:00:00',     '2026-05-01 12:00:00', '2012-02-29 08:00:00',     '{}'),
    ('17', '1,024 weeks slow, in 2032',        '2012-09-15 11:00:00',     '2032-05-01 12:00:00', '2032-05-01 11:00:00',     '{week_rollover}'),
    -- 2,048 weeks: 1987-01-30, which the wire writes 300187; in 2040, 2001-01-26.
    ('18', '2,048 weeks slow',                 '1987-01-30 11:00:00',     '2026-05-01 12:00:00', '2026-05-01 11:00:00',     '{week_rollover}'),
    ('19', '2,048 weeks, just under 90 days',  '1986-11-01 12:00:00.001', '2026-05-01 12:00:00', '2026-01-31 12:00:00.001', '{week_rollover}'),
    ('20', '2,048 weeks, 90 days',             '1986-11-01 12:00:00',     '2026-05-01 12:00:00', '2026-05-01 12:00:00',     '{time_of_receipt}'),
    ('21', '2,048 weeks, in 2040',             '2001-01-26 11:00:00',     '2040-04-27 12:00:00', '2040-04-27 11:00:00',     '{week_rollover}'),
    ('22', '1,024 weeks, before 2000',         '1999-03-13 11:00:00',     '2018-10-27 12:00:00', '2018-10-27 11:00:00',     '{week_rollover}');

-- The table's own sums.
SELECT c.ident, c.why, c.said, c.wanted FROM clock c
 WHERE c.quality = '{week_rollover}' AND c.wanted - c.said NOT IN (interval '7168 days', interval '14336 days');
SELECT sum(pt621_ingest(pg_temp.report(c.ident, c.said, inputs => '00010', driver => 'D'), received_at => c.received AT TIME ZONE 'UTC')) FROM clock c;
-- No row means that all is well.
SELECT c.ident, c.why, c.wanted, p.fix_time, c.quality, pt621_quality(p.quality)
  FROM clock c
  LEFT JOIN pt621.device d USING (ident)
  LEFT JOIN pt621.position p ON p.device_id = d.id
 WHERE p.fix_time IS DISTINCT FROM c.wanted AT TIME ZONE 'UTC' OR pt621_quality(p.quality) IS DISTINCT FROM c.quality
    OR p.received_at IS DISTINCT FROM c.received AT TIME ZONE 'UTC' OR p.valid IS DISTINCT FROM true;
-- What has no plausible time is a record like others, but says nothing of the
-- tracker's last state.
SELECT c.quality, bool_and(s.fix_time IS NOT DISTINCT FROM p.fix_time AND s.newest_time = p.fix_time AND s.ignition AND s.driver = 'D') AS in_state,
       count(s.fix_time) + count(s.newest_time) + count(s.ignition) + count(s.ignition_time) + count(s.driver) + count(s.driver_time) + count(s.geom) AS set,
       bool_and(s.last_seen = p.received_at) AS last_seen
  FROM clock c
  JOIN pt621.device d USING (ident)
  JOIN pt621.device_state s ON s.device_id = d.id
  JOIN pt621.position p ON p.device_id = d.id
 GROUP BY c.quality ORDER BY c.quality;

-- No time at all, a day that is none, an hour that is none: bits of the record and
-- of its receipt beside each other.
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
SELECT pt621_ingest(convert_to(E'$POS,1,,A,2230.0000,N,11400.0000,E,1.0,90.0,,,,A/00010,0/0/1000//f73//\r\n'
                               '$POS,2,100000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,310226,,,A/00010,0/0/1000//f73//\r\n'
                               '$POS,3,240000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,280226,,,A/00010,0/0/1000//f73//\r\n'
                               '$POS,4,100000.000,A,9100.0000,N,11400.0000,E,1.0,90.0,280226,,,A/00010,0/0/1000//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2026-05-01 12:00:00+00');
SELECT d.ident, p.fix_time, p.valid, p.geom IS NOT NULL AS place, p.ignition, pt621_quality(p.quality)
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id
 ORDER BY d.ident;

TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
