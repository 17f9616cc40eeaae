-- captured.sql: every captured frame decodes to what doc/protocol.md says.
--
-- The values of `wanted` were read from the frames by hand, as the wire writes
-- them: degrees and minutes, knots, UTC.  The queries below turn them into the
-- units of pt621_record and print only what differs: no row means all is well.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

CREATE TEMP TABLE captured (id text PRIMARY KEY, source text, hex text, note text);
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir
\copy captured FROM 'test/data/captured.csv' WITH (FORMAT csv, HEADER)

CREATE TEMP VIEW frame AS
SELECT id, decode(hex, 'hex') AS bytes FROM captured;

-- What a decoded unit says, as one text per column: so that a difference can
-- be shown by column, and that no setting decides how it looks.
CREATE FUNCTION pg_temp.columns_of(r pt621_record)
RETURNS TABLE (name text, value text)
LANGUAGE sql
BEGIN ATOMIC
    SELECT c.name, c.value
      FROM (VALUES
            ('kind',         r.kind),
            ('code',         r.code),
            ('event',        r.event),
            ('ident',        r.ident),
            ('device_time',  to_char(r.device_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')),
            ('valid',        r.valid::text),
            ('srid',         ST_SRID(r.geom)::text),
            ('latitude',     round(ST_Y(r.geom)::numeric, 9)::text),
            ('longitude',    round(ST_X(r.geom)::numeric, 9)::text),
            ('speed_kmh',    round(r.speed_kmh::numeric, 4)::text),
            ('course',       round(r.course::numeric, 2)::text),
            ('stored',       r.stored::text),
            ('delta',        r.delta::text),
            ('inputs',       r.inputs::text),
            ('outputs',      r.outputs::text),
            ('adc',          r.adc::text),
            ('odometer_m',   r.odometer_m::text),
            ('driver',       r.driver),
            ('battery',      r.battery::text),
            ('gsm',          r.gsm::text),
            ('satellites',   r.satellites::text),
            ('gsb',          r.gsb),
            ('spec',         r.spec),
            ('photo_size',   r.photo_size::text),
            ('photo_id',     r.photo_id),
            ('photo_offset', r.photo_offset::text),
            ('photo_data',   md5(r.photo_data)),
            ('imei',         r.imei),
            ('firmware',     r.firmware),
            ('hardware',     r.hardware),
            ('quality',      pt621_quality(r.quality)::text),
            ('error',        r.error)) AS c (name, value);
END;

-- 1. Reports.  One line per report of a frame; n counts them in the frame.
-- Rows T-DEC-nn have no line end, the others have; the values are the same.
CREATE TEMP TABLE wanted (
    id     text, n integer,
    code   text, event text, ident text,
    utc    timestamp,
    valid  boolean, stored boolean,
    lat_d  integer, lat_m numeric, ns text,     -- degrees, minutes, hemisphere
    lon_d  integer, lon_m numeric, ew text,
    knots  numeric, course numeric,
    inputs text, outputs text,
    adc    text,                                -- hexadecimal, as on the wire
    odo    bigint,
    gsb    text, battery integer, gsm integer, satellites integer,
    photo_size integer, photo_id text,
    quality text[] DEFAULT '{}',
    delta  boolean DEFAULT false);

INSERT INTO wanted VALUES
-- The fourth input, ignition, is on while the vehicle moves.
('T-DEC-01', 1, 'POS', NULL, '0000001', '2021-04-29 11:27:42', true, false,
 9, 0.9050, 'N', 38, 45.0609, 'E', 13.12, 212.34, '00010', '00000', '0,0,0,0', 250161300, 'fd7', 15, 13, 7),
-- No fix, the last place repeated; one comma fewer behind the date.
('T-DEC-02', 1, 'POS', NULL, '718005258', '2020-10-15 12:19:30', false, false,
 5, 14.0960, 'S', 145, 47.3245, 'E', 0, 0, '00000', '00000', '0,0,0,0', 106945600, 'f00', 15, 0, 0),
('T-DEC-03', 1, 'PHO', 'photo', '1156802639', '2018-04-11 02:21:25', true, false,
 7, 7.0014, 'N', 73, 7.3725, 'W', 0, 0.1, '00000', '00000', '0,0,0,0', 500, 'fd4', 15, 13, 4),
('T-DEC-04', 1, 'POS', NULL, '1360000277', '2017-10-29 18:22:41', true, true,
 8, 46.0896, 'N', 75, 52.1738, 'W', 13.58, 26.88, '00000', '00000', '142,0,0,0', 62792900, 'f65', 15, 6, 5),
-- "204.6787" is 2 degrees 04.6787 minutes: no leading zeros.
('T-DEC-06', 1, 'POS', NULL, '865328026243864', '2017-05-05 15:11:05', true, false,
 13, 32.7096, 'N', 2, 4.6787, 'E', 0, 10, '00000', '10', '1,0', 234, 'FD9', 15, 13, 9),
('T-DEC-08', 1, 'HDA', 'harsh_acceleration', '20007', '2016-10-04 13:46:57', true, false,
 6, 26.1607, 'N', 3, 30.2245, 'E', 33.38, 81.79, '00010', '00000', '270,0,0,0', 19948900, 'fa4', 15, 10, 4),
('T-DEC-10', 1, 'POS', NULL, '20007', '2016-10-04 13:47:04', true, true,
 6, 26.1698, 'N', 3, 30.2870, 'E', 31.23, 79.58, '00010', '00000', '26c,0,0,0', 19949100, 'fa4', 15, 10, 4),
-- DFR has no documented meaning: it stays what it is.
('T-DEC-12', 1, 'DFR', 'dfr', '40456789', '2014-07-09 08:31:25', true, false,
 22, 32.0971, 'N', 114, 0.9504, 'E', 0, 5, '00000', '00', '0,0', 200076, 'FE7', 15, 14, 7),
('T-DEC-13', 1, 'FDA', 'fatigue', '40456789', '2014-07-09 08:31:25', true, false,
 22, 32.0971, 'N', 114, 0.9504, 'E', 0, 5, '00000', '00', '0,0', 200076, 'FE7', 15, 14, 7),
-- Ends behind the odometer, with '#': stored, no status digits.
('T-DEC-14', 1, 'CPA', 'power_cut', '40456789', '2017-11-29 08:31:25', true, true,
 22, 32.0971, 'N', 114, 0.9504, 'E', 7.62, 265.24, '00000', '00000', '0', 1200, NULL, NULL, NULL, NULL),
('T-DEC-16', 1, 'POS', NULL, '11023456', '2015-06-21 03:37:31', true, false,
 3, 35.2617, 'N', 98, 41.1587, 'E', 0, 88.12, '0000', '0', '1f8', 388900, 'f33', 15, 3, 3),
('T-DEC-17', 1, 'POS', NULL, '6094', '2012-11-01 20:55:23', true, false,
 10, 13.6223, 'N', 67, 28.4248, 'W', 0, 99.3, '00000', '00000', '0', 23895000, NULL, NULL, NULL, NULL),
-- No fix, no course; nothing behind the odometer, which is 0 and not missing.
('T-DEC-18', 1, 'POS', NULL, '6120', '2012-11-15 23:33:26', false, false,
 9, 35.1201, 'N', 69, 14.6933, 'W', 0, NULL, '00000', '00000', '0', 0, NULL, NULL, NULL, NULL),
('T-DEC-22', 1, 'POS', NULL, '353451000164', '2013-05-16 08:24:05', true, false,
 12, 54.8501, 'N', 100, 51.6752, 'E', 0, 237.99, '0000', '0', '0', 55000, 'a71', 10, 7, 1),
('T-DEC-23', 1, 'POS', NULL, '012896008586486', '2014-07-18 15:42:15', true, false,
 1, 18.0143, 'S', 36, 46.9144, 'E', 0, 83.29, '0000', '0', '0', 29200, '644', 6, 4, 4),
-- Four stored reports in one BF FB frame, and each of them alone.
('T-FD-PACK', 1, 'POS', NULL, '1360000277', '2017-10-29 18:22:41', true, true,
 8, 46.0896, 'N', 75, 52.1738, 'W', 13.58, 26.88, '00000', '00000', '142,0,0,0', 62792900, 'f65', 15, 6, 5),
('T-FD-PACK', 2, 'POS', NULL, '1360000277', '2017-10-29 18:22:51', true, true,
 8, 46.1248, 'N', 75, 52.1545, 'W', 15.52, 36.93, '00000', '00000', '141,0,0,0', 62793000, 'f68', 15, 6, 8),
('T-FD-PACK', 3, 'POS', NULL, '1360000277', '2017-10-29 18:23:24', true, true,
 8, 46.2636, 'N', 75, 52.0605, 'W', 18.94, 29.90, '00000', '00000', '13e,0,0,0', 62793300, 'f97', 15, 9, 7),
('T-FD-PACK', 4, 'POS', NULL, '1360000277', '2017-10-29 18:23:26', true, true,
 8, 46.2730, 'N', 75, 52.0554, 'W', 19.12, 30.42, '00000', '00000', '140,0,0,0', 62793300, 'f98', 15, 9, 8),
('T-FD-PACK-1', 1, 'POS', NULL, '1360000277', '2017-10-29 18:22:41', true, true,
 8, 46.0896, 'N', 75, 52.1738, 'W', 13.58, 26.88, '00000', '00000', '142,0,0,0', 62792900, 'f65', 15, 6, 5),
('T-FD-PACK-2', 1, 'POS', NULL, '1360000277', '2017-10-29 18:22:51', true, true,
 8, 46.1248, 'N', 75, 52.1545, 'W', 15.52, 36.93, '00000', '00000', '141,0,0,0', 62793000, 'f68', 15, 6, 8),
('T-FD-PACK-3', 1, 'POS', NULL, '1360000277', '2017-10-29 18:23:24', true, true,
 8, 46.2636, 'N', 75, 52.0605, 'W', 18.94, 29.90, '00000', '00000', '13e,0,0,0', 62793300, 'f97', 15, 9, 7),
('T-FD-PACK-4', 1, 'POS', NULL, '1360000277', '2017-10-29 18:23:26', true, true,
 8, 46.2730, 'N', 75, 52.0554, 'W', 19.12, 30.42, '00000', '00000', '140,0,0,0', 62793300, 'f98', 15, 9, 8),
('T-FD-353-PLAIN', 1, 'POS', NULL, '353451000164', '2013-05-16 08:24:05', true, false,
 12, 54.8501, 'N', 100, 51.6752, 'E', 0, 237.99, '0000', '0', '0', 55000, 'a71', 10, 7, 1),
('I71', 1, 'POS', NULL, '6094', '2012-11-01 20:55:23', true, false,
 10, 13.6223, 'N', 67, 28.4248, 'W', 0, 99.3, '00000', '00000', '0', 23895000, NULL, NULL, NULL, NULL),
('I72', 1, 'POS', NULL, '6094', '2012-11-01 21:07:22', true, false,
 10, 13.6223, 'N', 67, 28.4248, 'W', 0, 99.3, '00000', '00000', '0', 23895000, NULL, NULL, NULL, NULL),
-- Never had a fix: no place, a clock that was not set, and yet inputs and adc.
('I199', 1, 'POS', NULL, '7210285832', '2009-02-14 18:46:55', false, false,
 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '00000', '00000', '6', 0, NULL, NULL, NULL, NULL),
-- In a BF FB frame.
('I1050', 1, 'POS', NULL, '0721976179', '2015-01-26 18:49:17', true, false,
 1, 15.4966, 'S', 36, 55.2459, 'E', 0, 0, '0000', '0', '0', 0, '853', 8, 5, 3),
('I1263', 1, 'POS', NULL, '11023456', '2015-06-21 03:37:31', true, false,
 3, 35.2617, 'N', 98, 41.1587, 'E', 0, 88.12, '0000', '0', '1f8', 388900, 'f33', 15, 3, 3),
('FORUM-01', 1, 'POS', NULL, '3760971', '2017-11-28 14:56:37', true, false,
 20, 36.3883, 'N', 103, 23.9836, 'W', 0, 119.5, '00000', '00000', '0', 0, NULL, NULL, NULL, NULL),
('FORUM-02', 1, 'POS', NULL, '3760971', '2017-11-28 14:56:48', true, false,
 20, 36.3883, 'N', 103, 23.9836, 'W', 0, 119.5, '00000', '00000', '0', 0, NULL, NULL, NULL, NULL),
('FORUM-04', 1, 'POS', NULL, '3760971', '2017-11-28 14:57:03', true, true,
 20, 36.3883, 'N', 103, 23.9836, 'W', 0, 119.5, '00000', '00000', '0', 0, NULL, NULL, NULL, NULL),
('FORUM-05', 1, 'POS', NULL, '3760971', '2017-11-28 14:57:33', true, false,
 20, 36.3883, 'N', 103, 23.9836, 'W', 0, 119.5, '00000', '00000', '0', 0, NULL, NULL, NULL, NULL),
-- Ends behind the odometer.
('TW-1', 1, 'POS', NULL, '270110', '2011-12-16 13:57:50', true, true,
 5, 19.8264, 'N', 4, 1.3699, 'W', 0.26, 349.45, '00000', '00000', '0,0,0,0', 309900, NULL, NULL, NULL, NULL),
-- Ends behind the date: no inputs, no odometer.
('OG-1', 1, 'POS', NULL, '10000', '2011-04-25 10:22:15', false, false,
 22, 33.8171, 'N', 142, 5.6367, 'W', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- A photo is announced, "$PHO3821-1": 3,821 bytes, number 1.
UPDATE wanted SET photo_size = 3821, photo_id = '1' WHERE id = 'T-DEC-03';

-- The forum thread as it arrived: two connections and the deltas (FORUM-03,
-- -06, -07, -08) in their places.  The first delta comes five seconds before
-- the stored record it patches.  Every vehicle value is that of the full
-- records but for the one course that the device got wrong.
INSERT INTO wanted (id, n, utc, stored, course, quality, delta) VALUES
('FORUM', 1, '2017-11-28 14:56:37', false, 119.5, '{}',       false),
('FORUM', 2, '2017-11-28 14:56:48', false, 119.5, '{}',       false),
('FORUM', 3, '2017-11-28 14:57:18', false, 119.5, '{}',       true),
('FORUM', 4, '2017-11-28 14:57:03', true,  119.5, '{}',       false),
('FORUM', 5, '2017-11-28 14:57:33', false, 119.5, '{}',       false),
('FORUM', 6, '2017-11-28 14:57:48', false, NULL,  '{course}', true),
('FORUM', 7, '2017-11-28 14:58:03', false, 119.5, '{}',       true),
('FORUM', 8, '2017-11-28 14:58:18', false, 119.5, '{}',       true);

UPDATE wanted
   SET code = 'POS', ident = '3760971', valid = true, knots = 0,
       lat_d = 20, lat_m = 36.3883, ns = 'N', lon_d = 103, lon_m = 23.9836, ew = 'W',
       inputs = '00000', outputs = '00000', adc = '0', odo = 0
 WHERE id = 'FORUM';

-- wanted, in the words and units of pt621_record.
CREATE TEMP VIEW wanted_columns AS
SELECT w.id, w.n, c.name, c.value
  FROM wanted w
 CROSS JOIN LATERAL
       (VALUES
        ('kind',        'report'),
        ('code',        w.code),
        ('event',       w.event),
        ('ident',       w.ident),
        ('device_time', to_char(w.utc, 'YYYY-MM-DD HH24:MI:SS.MS')),
        ('valid',       w.valid::text),
        ('srid',        CASE WHEN w.ns IS NOT NULL THEN '4326' END),
        ('latitude',    round((w.lat_d + w.lat_m / 60) * CASE w.ns WHEN 'S' THEN -1 ELSE 1 END, 9)::text),
        ('longitude',   round((w.lon_d + w.lon_m / 60) * CASE w.ew WHEN 'W' THEN -1 ELSE 1 END, 9)::text),
        ('speed_kmh',   round((w.knots * 1.852)::real::numeric, 4)::text),
        ('course',      round(w.course, 2)::text),
        ('stored',      w.stored::text),
        ('delta',       w.delta::text),
        ('inputs',      w.inputs),
        ('outputs',     w.outputs),
        ('adc',         (SELECT array_agg(('x' || lpad(a.hex, 8, '0'))::bit(32)::integer ORDER BY a.place)
                           FROM regexp_split_to_table(w.adc, ',') WITH ORDINALITY AS a (hex, place))::text),
        ('odometer_m',  w.odo::text),
        ('battery',     w.battery::text),
        ('gsm',         w.gsm::text),
        ('satellites',  w.satellites::text),
        ('gsb',         w.gsb),
        ('photo_size',  w.photo_size::text),
        ('photo_id',    w.photo_id),
        ('quality',     w.quality::text)) AS c (name, value);

-- 2. What are no reports: a status, bare and framed; a photo chunk; deltas
-- that are looked at without what came before them.
CREATE TEMP TABLE wanted_others (id text, n integer, name text, value text);

INSERT INTO wanted_others
SELECT id, 1, c.name, c.value
  FROM unnest(ARRAY['T-DEC-07', 'T-FD-FUS']) AS id
 CROSS JOIN LATERAL
       (VALUES
        ('kind',     'status'),
        ('code',     'FUS'),
        ('ident',    '865328026243864'),
        ('imei',     '865328026243864'),
        ('firmware', '510-V1.12'),
        ('hardware', 'A11-V3.0'),
        ('quality',  '{}')) AS c (name, value);

-- 5 bytes of header and 10 of "$PHD0,960," stand before the picture's bytes.
INSERT INTO wanted_others
SELECT 'T-FD-PHD', 1, c.name, c.value
  FROM (VALUES
        ('kind',         'photo_chunk'),
        ('code',         'PHD'),
        ('photo_offset', '0'),
        ('photo_data',   (SELECT md5(substr(bytes, 5 + 10 + 1, 960)) FROM frame WHERE id = 'T-FD-PHD')),
        ('quality',      '{}')) AS c (name, value);

INSERT INTO wanted_others
SELECT d.id, 1, c.name, c.value
  FROM (VALUES ('FORUM-03', '60'), ('FORUM-06', '4d'), ('FORUM-07', '6b'), ('FORUM-08', '41')) AS d (id, "check")
 CROSS JOIN LATERAL
       (VALUES
        ('kind',  'delta'),
        ('delta', 'true'),
        ('error', format('no record with check byte %s to apply the delta to, at byte 1', d."check"))) AS c (name, value);

-- 3. What the decoder makes of them: each row by itself, and the thread.
CREATE TEMP TABLE decoded AS
SELECT f.id, r AS unit
  FROM frame f, pt621_decode(f.bytes) AS r
 UNION ALL
SELECT 'FORUM', r
  FROM (SELECT array_agg(bytes ORDER BY id) AS reads FROM frame WHERE id LIKE 'FORUM-__') AS thread,
       pt621_decode_reads(thread.reads) AS r;

SELECT id, n, name AS "column", w.value AS wanted, d.value AS decoded
  FROM (SELECT * FROM wanted_columns WHERE value IS NOT NULL
         UNION ALL
        SELECT * FROM wanted_others) AS w
  FULL JOIN
       (SELECT d.id, (d.unit).seq AS n, c.name, c.value
          FROM decoded d, pg_temp.columns_of(d.unit) AS c
         WHERE c.value IS NOT NULL) AS d
       USING (id, n, name)
 WHERE w.value IS DISTINCT FROM d.value
 ORDER BY id, n, name;

-- Nothing was left out: each captured row has its wanted values, and each byte
-- its unit.
SELECT id FROM captured
EXCEPT
(SELECT id FROM wanted UNION SELECT id FROM wanted_others);

SELECT f.id
  FROM frame f
 WHERE f.bytes IS DISTINCT FROM (SELECT string_agg(r.raw, '' ORDER BY r.seq) FROM pt621_decode(f.bytes) AS r);

SELECT count(*) AS captured_rows,
       (SELECT count(*) FROM decoded) AS units,
       (SELECT count(*) FROM decoded WHERE (unit).kind = 'report') AS reports
  FROM captured;

-- 4. The same, to be read.
SELECT id, (unit).seq AS n, (unit).code, (unit).ident, (unit).device_time,
       (unit).valid AS v, (unit).stored AS s,
       round(ST_Y((unit).geom)::numeric, 6) AS latitude,
       round(ST_X((unit).geom)::numeric, 6) AS longitude,
       round((unit).speed_kmh::numeric, 2) AS km_h, (unit).course,
       (unit).inputs, (unit).outputs, (unit).adc, (unit).odometer_m AS odometer, (unit).gsb
  FROM decoded
 WHERE (unit).kind = 'report'
 ORDER BY id COLLATE "C", n;

SELECT id, (unit).kind, (unit).ident, (unit).firmware, (unit).hardware,
       (unit).photo_offset AS "offset", length((unit).photo_data) AS bytes,
       substr((unit).photo_data, 1, 4) AS jpeg, (unit).error
  FROM decoded
 WHERE (unit).kind <> 'report'
 ORDER BY id COLLATE "C";

-- The record that a delta stands for: the base with the patched fields.
SELECT (unit).seq, (unit).delta, (unit).raw, convert_from((unit).record, 'SQL_ASCII') AS record
  FROM decoded
 WHERE id = 'FORUM' AND (unit).delta
 ORDER BY 1;

-- Datagrams may come in any order: the outcome is the same, but for the order.
SELECT forwards.bytes, forwards.record, backwards.record
  FROM (SELECT r.raw AS bytes, r.record
          FROM (SELECT array_agg(bytes ORDER BY id) AS datagrams FROM frame WHERE id LIKE 'FORUM-__') AS f,
               pt621_decode_datagrams(f.datagrams) AS r) AS forwards
  FULL JOIN
       (SELECT r.raw AS bytes, r.record
          FROM (SELECT array_agg(bytes ORDER BY id DESC) AS datagrams FROM frame WHERE id LIKE 'FORUM-__') AS b,
               pt621_decode_datagrams(b.datagrams) AS r) AS backwards
       USING (bytes)
 WHERE forwards.record IS DISTINCT FROM backwards.record;
