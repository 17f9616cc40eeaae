-- decode.sql: the contract of pt621_decode(), pt621_decode_reads() and
-- pt621_decode_datagrams().
--
-- Where a query lists what is wrong, no row means that all is well.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';

-- ------------------------------------------------------------------ helpers --

-- Text to bytes.  A backslash starts no escape.
CREATE FUNCTION pg_temp.bytes(line text) RETURNS bytea
LANGUAGE sql IMMUTABLE RETURN convert_to(line, 'SQL_ASCII');

-- A report as most trackers send it: $POS of 08:31:25 and so many seconds.
CREATE FUNCTION pg_temp.pos(second integer) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN pg_temp.bytes(format(E'$POS,40456789,0831%s.000,A,2232.0971,N,11400.9504,E,7.62,265.24,'
                             '291117,,,A/00010,00000/1f8,0/1200//fe7//\r\n', to_char(second, 'FM00')));

CREATE FUNCTION pg_temp.xor(bytes bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN (SELECT set_byte('\x00', 0, bit_xor(get_byte(bytes, i))) FROM generate_series(0, length(bytes) - 1) AS i);

-- A BF FB frame; verify byte and length may be told to be others.
CREATE FUNCTION pg_temp.frame(body bytea, verify bytea DEFAULT NULL, size integer DEFAULT NULL) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\xbffb'::bytea || coalesce(verify, pg_temp.xor(body)) ||
       set_byte(set_byte('\x0000', 0, coalesce(size, length(body) + 5) % 256), 1, coalesce(size, length(body) + 5) / 256) ||
       body;

-- A delta: one patch of one field of that base.
CREATE FUNCTION pg_temp.delta(base bytea, field integer, "offset" integer, data text) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN '\x40'::bytea || pg_temp.xor(base) ||
       set_byte(set_byte(set_byte('\x000000', 0, field), 1, "offset"), 2, length(data)) || pg_temp.bytes(data);

-- What is promised of the rows of any value: returns what is broken.
CREATE FUNCTION pg_temp.broken(value bytea) RETURNS SETOF text
LANGUAGE sql
BEGIN ATOMIC
    WITH r AS MATERIALIZED (
        SELECT * FROM pt621_decode(value)
    ), broken (promise, kept) AS (
        SELECT 'raw is the value',
               coalesce(string_agg(raw, '' ORDER BY seq), '') = value
          FROM r
         UNION ALL
        SELECT 'seq counts from 1', (seq = row_number() OVER ())
          FROM r
         UNION ALL
        SELECT 'text is printable',
               concat(kind, code, event, ident, driver, gsb, spec, photo_id, imei, firmware, hardware, error)
               COLLATE "C" !~ '[^ -~]'
          FROM r
         UNION ALL
        SELECT 'kind is one of six',
               kind IN ('report', 'status', 'photo_chunk', 'delta', 'text', 'garbage')
          FROM r
         UNION ALL
        SELECT 'a row says what it is, or why not',
               CASE WHEN kind IN ('report', 'status', 'photo_chunk') THEN error IS NULL AND quality IS NOT NULL
                    WHEN kind = 'text' AND encode(raw, 'hex') ~ '^(0d|0a)*$' THEN error IS NULL
                    ELSE error IS NOT NULL AND quality IS NULL AND geom IS NULL AND device_time IS NULL END
          FROM r
         UNION ALL
        SELECT 'garbage is cut at 1,024', kind <> 'garbage' OR length(raw) <= 1024
          FROM r
         UNION ALL
        SELECT 'a report knows its id',
               kind <> 'report' OR (length(ident) BETWEEN 1 AND 20 AND code <> '' AND valid IS NOT NULL
                                    AND stored IS NOT NULL AND delta IS NOT NULL)
          FROM r
         UNION ALL
        SELECT 'only a rebuilt delta has a record', (record IS NOT NULL) = coalesce(delta AND kind = 'report', false)
          FROM r
         UNION ALL
        SELECT 'numbers are in range',
               coalesce(speed_kmh BETWEEN 0 AND 1852, true) AND coalesce(course BETWEEN 0 AND 360, true) AND
               coalesce(battery BETWEEN 0 AND 15 AND gsm BETWEEN 0 AND 15 AND satellites BETWEEN 0 AND 15, true) AND
               coalesce(odometer_m >= 0, true) AND coalesce(photo_size >= 0, true) AND
               coalesce(ST_X(geom) BETWEEN -180 AND 180 AND ST_Y(geom) BETWEEN -90 AND 90 AND ST_SRID(geom) = 4326, true) AND
               (NOT coalesce(valid, false) OR geom IS NOT NULL)
          FROM r)
    SELECT DISTINCT promise FROM broken WHERE kept IS DISTINCT FROM true;
END;

-- ------------------------------------------------------------- declarations --

SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a
 WHERE a.attrelid = 'pt621_record'::regclass AND a.attnum > 0
 ORDER BY a.attnum;

SELECT p.oid::regprocedure AS function, p.prorettype::regtype AS returns, p.proretset AS set,
       p.provolatile AS volatile, p.proisstrict AS strict, p.proparallel AS parallel
  FROM pg_proc p
 WHERE p.proname IN ('pt621_decode', 'pt621_decode_reads', 'pt621_decode_datagrams', 'pt621_event', 'pt621_quality')
 ORDER BY p.proname COLLATE "C";

-- Each of them and each column says what it is, and in which unit.
SELECT p.oid::regprocedure AS "without a comment"
  FROM pg_proc p
 WHERE p.proname IN ('pt621_decode', 'pt621_decode_reads', 'pt621_decode_datagrams', 'pt621_event', 'pt621_quality')
   AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT a.attname AS "without a comment"
  FROM pg_attribute a
 WHERE a.attrelid = 'pt621_record'::regclass AND col_description(a.attrelid, a.attnum) IS NULL;

-- ------------------------------------------------------------ nothing comes --

SELECT count(*) FROM pt621_decode(NULL);
SELECT count(*) FROM pt621_decode('');
SELECT count(*) FROM pt621_decode_reads(NULL);
SELECT count(*) FROM pt621_decode_reads('{}');
SELECT count(*) FROM pt621_decode_reads(ARRAY[NULL, '']::bytea[]);
SELECT count(*) FROM pt621_decode_datagrams(NULL);
SELECT count(*) FROM pt621_decode_datagrams('{}');
SELECT count(*) FROM pt621_decode_datagrams(ARRAY['', NULL]::bytea[]);

-- ---------------------------------------------------- forms of calling them --

-- A literal needs no cast.
\x on
SELECT * FROM pt621_decode('\x24504f532c34303435363738392c3038333132352e3030302c412c323233322e303937312c4e2c31313430302e393530342c452c372e36322c3236352e32342c3239313131372c2c2c412f30303031302c30303030302f3166382c302f313230302f2f6665372f2f0d0a');
\x off

-- In the SELECT list, expanded, behind LATERAL, with ordinality, with LIMIT.
CREATE TEMP TABLE frames AS
SELECT i AS id, pg_temp.frame(pg_temp.pos(i % 60) || pg_temp.pos((i + 1) % 60)) AS bytes
  FROM generate_series(1, 2000) AS i;

SELECT (pt621_decode(bytes)).seq, (pt621_decode(bytes)).device_time FROM frames WHERE id <= 2 ORDER BY id, seq;
SELECT seq, ident, adc, error FROM (SELECT (pt621_decode(bytes)).* FROM frames WHERE id = 1) AS expanded;
SELECT f.id, r.seq, r.ordinality
  FROM frames f, pt621_decode(f.bytes) WITH ORDINALITY AS r
 WHERE f.id <= 2 ORDER BY f.id, r.ordinality;
SELECT f.id, r.seq FROM frames f LEFT JOIN LATERAL pt621_decode(f.bytes) AS r ON r.seq = 2 WHERE f.id = 3;
SELECT seq FROM pt621_decode((SELECT string_agg(bytes, '' ORDER BY id) FROM frames)) LIMIT 3;
SELECT (SELECT ident FROM pt621_decode(bytes) LIMIT 1) FROM frames WHERE id = 1;

-- Backwards through a cursor.
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT seq, device_time FROM pt621_decode(pg_temp.pos(1) || pg_temp.pos(2));
MOVE FORWARD ALL IN back;
FETCH BACKWARD ALL FROM back;
COMMIT;

-- In parallel workers, with the same outcome.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE decode_parallel AS TABLE frames;
ANALYZE decode_parallel;
EXPLAIN (COSTS OFF)
SELECT count(*), sum(ST_X(r.geom)), min(r.device_time) FROM decode_parallel f, pt621_decode(f.bytes) AS r;
SELECT count(*), count(r.geom), min(r.device_time), max(r.device_time) FROM decode_parallel f, pt621_decode(f.bytes) AS r;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT count(*), count(r.geom), min(r.device_time), max(r.device_time) FROM decode_parallel f, pt621_decode(f.bytes) AS r;
DROP TABLE decode_parallel;

-- In an index: IMMUTABLE is meant.
CREATE TEMP TABLE archive (bytes bytea);
CREATE FUNCTION pg_temp.first_ident(bytes bytea) RETURNS text
LANGUAGE sql IMMUTABLE RETURN (SELECT ident FROM public.pt621_decode(bytes) LIMIT 1);
CREATE INDEX ON archive (pg_temp.first_ident(bytes));

-- -------------------------------------------------- one row a unit, in order --

-- Line ends of all forms; a frame of two reports; its 5 header bytes belong to
-- the first unit.
SELECT seq, kind, device_time, length(raw), substr(raw, length(raw) - 1) AS "end", error
  FROM pt621_decode(pg_temp.pos(1) ||
                    pg_temp.bytes(E'$POS,1,083102.000,A,2232.0971,N,11400.9504,E,,,291117\n') ||
                    pg_temp.bytes(E'$POS,1,083103.000,A,2232.0971,N,11400.9504,E,,,291117\r\r') ||
                    pg_temp.bytes(E'$POS,1,083104.000,A,2232.0971,N,11400.9504,E,,,291117\r') ||
                    pg_temp.frame(pg_temp.pos(5) || pg_temp.pos(6)) ||
                    pg_temp.bytes(E'\r\n\r\n') ||
                    pg_temp.pos(7));

-- Text and garbage.  Text is a line that can be printed; a run of bytes is cut
-- at 1,024, and by what begins a record.
SELECT seq, kind, length(raw), error
  FROM pt621_decode(pg_temp.bytes(E'OK\r\n') || '\x00ff'::bytea || pg_temp.pos(1) ||
                    decode(repeat('00', 2500), 'hex') || pg_temp.frame(pg_temp.pos(2)));

-- A code that nobody documented is its own letters in lower case.
SELECT code, event
  FROM pt621_decode(pg_temp.bytes(E'$POS,1,,V,,,,,,,\n$IN1,1,,V,,,,,,,\n$CPA,1,,V,,,,,,,\n$XYZ,1,,V,,,,,,,\n$pos,1,,V,,,,,,,\n'
                                  '$TEMPERATURE9,1,,V,,,,,,,\n$AD1,1,,V,,,,,,,\n$PHO0,1,,V,,,,,,,\n'));
SELECT code, pt621_event(code)
  FROM unnest(ARRAY['POS', 'FUS', 'PHD', 'IN1', 'IN4', 'IU4', 'SPD', 'GOF', 'GEO', 'LPA', 'CPA', 'HDA', 'HDB', 'FDA', 'DFR', 'Q', '']) AS code;
SELECT pt621_event(repeat('X', 16)) IS NULL AS "too long", pt621_event(NULL) IS NULL AS "null";

SELECT quality, pt621_quality(quality) FROM unnest(ARRAY[0, 1, 5, 64, 32768, 65536, 131072, 262143, -1]) AS quality;
SELECT cardinality(pt621_quality(-1)) AS bits;

-- -------------------------------------------------------------------- deltas --

-- The base before and behind it, and a chain of them.
SELECT seq, kind, delta, device_time, convert_from(record, 'SQL_ASCII') = convert_from(pg_temp.pos(2), 'SQL_ASCII') AS rebuilt, error
  FROM pt621_decode(pg_temp.pos(1) || pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000'));
SELECT seq, kind, delta, device_time, error
  FROM pt621_decode(pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000') || pg_temp.pos(1));
SELECT seq, kind, delta, device_time, error
  FROM pt621_decode(pg_temp.delta(pg_temp.pos(3), 2, 5, '4.000') || pg_temp.delta(pg_temp.pos(2), 2, 5, '3.000') ||
                    pg_temp.delta(pg_temp.pos(1), 2, 5, '2.000') || pg_temp.frame(pg_temp.pos(1)));

-- Without a base; with one, but to no good; index 255 is no delta at all.
SELECT kind, code, delta, device_time, quality, error FROM pt621_decode(pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000'));
SELECT seq, kind, delta, error
  FROM pt621_decode(pg_temp.pos(10) || pg_temp.delta(pg_temp.pos(10), 2, 4, '09.000'));     -- back in time
SELECT seq, kind, delta, error
  FROM pt621_decode(pg_temp.pos(10) || pg_temp.delta(pg_temp.pos(10), 31, 0, 'x'));         -- no such field
SELECT seq, kind, delta, error
  FROM pt621_decode(pg_temp.pos(10) || pg_temp.delta(pg_temp.pos(10), 2, 11, 'x'));         -- behind the field's end
SELECT seq, kind, delta, error
  FROM pt621_decode(pg_temp.pos(10) || pg_temp.delta(pg_temp.pos(10), 255, 0, 'x'));
SELECT seq, kind, delta, error
  FROM pt621_decode(pg_temp.pos(10) || substr(pg_temp.delta(pg_temp.pos(10), 2, 4, '11.000'), 1, 8)); -- cut short

-- Deltas that change nothing push no base out, however many there are.
SELECT n, count(*) FILTER (WHERE r.kind = 'report' AND r.delta) - n AS others, max(r.device_time)
  FROM generate_series(6, 12) AS n
 CROSS JOIN LATERAL
       pt621_decode(pg_temp.pos(1) || pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000') ||
                    (SELECT string_agg(pg_temp.delta(pg_temp.pos(2), 2, 4, '02.000'), '') FROM generate_series(1, n)) ||
                    pg_temp.delta(pg_temp.pos(2), 2, 4, '25.000') ||
                    pg_temp.delta(pg_temp.pos(25), 2, 4, '31.000')) AS r
 GROUP BY n ORDER BY n;

-- A thousand deltas in a row, forwards and with all of them late.
CREATE TEMP TABLE chain AS
SELECT i, pg_temp.bytes(format(E'$POS,7,%s.000,A,2232.0971,N,11400.9504,E,%s,5,291117,,,A/0,0/0/%s//fe7//\r\n',
                               to_char(i * interval '1 second', 'HH24MISS'), i % 100, i)) AS text
  FROM generate_series(0, 1000) AS i;
CREATE TEMP TABLE chain_delta AS
SELECT n.i, pg_temp.delta(b.text, 2, 0, to_char(n.i * interval '1 second', 'HH24MISS') || '.000') ||
            '\x0800'::bytea || set_byte('\x00', 0, length((n.i % 100)::text)) || pg_temp.bytes((n.i % 100)::text) ||
            '\x1100'::bytea || set_byte('\x00', 0, length(n.i::text)) || pg_temp.bytes(n.i::text) AS bytes
  FROM chain n JOIN chain b ON b.i = n.i - 1;

SELECT count(*), bool_and(r.record = c.text) AS rebuilt
  FROM pt621_decode((SELECT text FROM chain WHERE i = 0) || (SELECT string_agg(bytes, '' ORDER BY i) FROM chain_delta)) AS r
  JOIN chain c ON c.i = r.seq - 1
 WHERE r.delta;
SELECT count(*), bool_and(r.record = c.text) AS rebuilt
  FROM pt621_decode_datagrams((SELECT array_agg(bytes ORDER BY i DESC) FROM chain_delta WHERE i <= 64) ||
                              (SELECT text FROM chain WHERE i = 0)) AS r
  JOIN chain c ON c.i = 65 - r.seq
 WHERE r.delta;

-- ------------------------------------------------------- reads and datagrams --

-- The end of a datagram ends a unit, the end of a read does not; a delta finds
-- its base in any element of either.
SELECT 'reads' AS form, seq, kind, device_time, length(raw)
  FROM pt621_decode_reads(ARRAY[substr(pg_temp.pos(1), 1, 30), substr(pg_temp.pos(1), 31), NULL, '', pg_temp.pos(2)])
 UNION ALL
SELECT 'datagrams', seq, kind, device_time, length(raw)
  FROM pt621_decode_datagrams(ARRAY[substr(pg_temp.pos(1), 1, 30), substr(pg_temp.pos(1), 31), NULL, '', pg_temp.pos(2)])
 ORDER BY form, seq;
SELECT 'reads' AS form, seq, kind, device_time
  FROM pt621_decode_reads(ARRAY[pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000'), pg_temp.pos(1)])
 UNION ALL
SELECT 'datagrams', seq, kind, device_time
  FROM pt621_decode_datagrams(ARRAY[pg_temp.delta(pg_temp.pos(1), 2, 4, '02.000'), pg_temp.pos(1)])
 ORDER BY form, seq;
-- Arrays of any shape.
SELECT count(*) FROM pt621_decode_reads(ARRAY[[pg_temp.pos(1), pg_temp.pos(2)], [pg_temp.pos(3), pg_temp.pos(4)]]);

-- However a stream is cut into reads, its units are the same.
SELECT setseed(0.621);
CREATE TEMP TABLE stream AS
SELECT pg_temp.pos(1) || pg_temp.frame(pg_temp.pos(2) || pg_temp.pos(3)) || pg_temp.bytes(E'OK\r\n') ||
       pg_temp.delta(pg_temp.pos(3), 2, 4, '04.000') || '\x0d0a'::bytea || '\xbf00fb40'::bytea ||
       pg_temp.frame(pg_temp.bytes('$PHD0,12,') || '\x0d0a24bffb40000d0a2c2f23'::bytea || pg_temp.bytes(E'\r\n')) ||
       pg_temp.frame(pg_temp.pos(5), '\x00'::bytea) || pg_temp.delta(pg_temp.pos(4), 22, 0, E'#\n') ||
       pg_temp.bytes(E'$FUS865328026243864,510-V1.12,A11-V3.0\r\r') || pg_temp.pos(6) AS bytes;
SELECT seq, kind, code, delta, stored, length(raw), error FROM pt621_decode((SELECT bytes FROM stream));

WITH cut AS MATERIALIZED (
    SELECT run, place
      FROM generate_series(1, 3000) AS run,
           generate_series(1, 1 + (random() * 30)::integer) AS n,
           LATERAL (SELECT 1 + (random() * (SELECT length(bytes) - 2 FROM stream))::integer AS place WHERE n > 0 AND run > 0) AS p
     GROUP BY run, place
), read AS (
    SELECT run, place,
           substr(bytes, place + 1, lead(place, 1, length(bytes)) OVER (PARTITION BY run ORDER BY place) - place) AS bytes
      FROM (TABLE cut UNION ALL SELECT run, 0 FROM generate_series(1, 3000) AS run) AS c, stream
), run AS (
    SELECT run, array_agg(bytes ORDER BY place) AS reads FROM read GROUP BY run
)
SELECT count(*) AS runs, min(cardinality(reads)) > 1 AS cut,
       count(*) FILTER (WHERE ARRAY(SELECT r::text FROM pt621_decode_reads(reads) AS r) <>
                              ARRAY(SELECT r::text FROM stream, pt621_decode(stream.bytes) AS r)) AS differ
  FROM run;

-- ------------------------------------------------------------ bad and hostile --

CREATE TEMP TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, what text, value bytea);
INSERT INTO bad (what, value) VALUES
('one byte',                '\x00'),
('one $',                   '$'),
('one @',                   '@'),
('one BF',                  '\xbf'),
('an endless line',         pg_temp.bytes('$POS,' || repeat('1', 5000))),
('an endless text',         pg_temp.bytes(repeat('A', 5000))),
('frame, length 0',         pg_temp.frame(pg_temp.pos(1), size => 0)),
('frame, length 4',         pg_temp.frame(pg_temp.pos(1), size => 4)),
('frame, length 5',         pg_temp.frame(pg_temp.pos(1), size => 5)),
('frame, length 65535',     pg_temp.frame(pg_temp.pos(1), size => 65535)),
('frame, verify byte wrong', pg_temp.frame(pg_temp.pos(1), '\x00')),
('frame, verify byte FF',   pg_temp.frame(pg_temp.pos(1), '\xff')),
('frame cut short',         substr(pg_temp.frame(pg_temp.pos(1)), 1, 50)),
('frame of nothing known',  pg_temp.frame('\x0102030405')),
('frame in a frame',        pg_temp.frame(pg_temp.frame(pg_temp.pos(1)))),
('latitude 91',             pg_temp.bytes('$POS,1,083125.000,A,9100.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('latitude 90, minute 1',   pg_temp.bytes('$POS,1,083125.000,A,9001.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('longitude 181',           pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,18100.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('minutes 60',              pg_temp.bytes('$POS,1,083125.000,A,2260.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('hemisphere X',            pg_temp.bytes('$POS,1,083125.000,A,2200.0000,X,11400.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('0 N 0 E',                 pg_temp.bytes('$POS,1,083125.000,A,0000.0000,N,00000.0000,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('fix A without a place',   pg_temp.bytes('$POS,1,083125.000,A,,,,,0,0,291117,,,A/0,0/0/0//fe7//')),
('month 13',                pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291317,,,A/0,0/0/0//fe7//')),
('31 February',             pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,310217,,,A/0,0/0/0//fe7//')),
('29 February 2023',        pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,290223,,,A/0,0/0/0//fe7//')),
('29 February 2024',        pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,290224,,,A/0,0/0/0//fe7//')),
('hour 24',                 pg_temp.bytes('$POS,1,240000.000,A,2200.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0/0//fe7//')),
('a clock in 2000',         pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,010100,,,A/0,0/0/0//fe7//')),
('a clock in 2080',         pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,010180,,,A/0,0/0/0//fe7//')),
('course 361, speed 1000',  pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,1000,361,291117,,,A/0,0/0/0//fe7//')),
('inputs 2, outputs of 33', pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117,,,A/2,' || repeat('0', 33) || '/0/0//fe7//')),
('17 analog values',        pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0' || repeat(',1', 16) || '/0//fe7//')),
('analog XYZ',              pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117,,,A/0,0/1,XYZ,,2/0//fe7//')),
('odometer -1, gsb fe',     pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117,,,A/0,0/0/-1//fe//')),
('an id of 30 digits',      pg_temp.bytes('$POS,' || repeat('123', 10) || ',083125.000,A,2200.0000,N,11400.9504,E,0,0,291117')),
('no id',                   pg_temp.bytes('$POS,,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117')),
('no code',                 pg_temp.bytes('$,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117')),
('10 fields',               pg_temp.bytes('$POS,1,083125.000,A,2200.0000,N,11400.9504,E,0,0')),
('photo of -1 bytes',       pg_temp.bytes('$PHO-1,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117')),
('photo of 10^10 bytes',    pg_temp.bytes('$PHO9999999999,1,083125.000,A,2200.0000,N,11400.9504,E,0,0,291117')),
('photo chunk cut short',   pg_temp.bytes('$PHD0,960,abc')),
('status without an IMEI',  pg_temp.bytes('$FUS,V1,V2')),
('delta, index 255',        '\x4000ff000141'),
('delta, n 255, cut short', '\x40000200ff41'),
('an HTTP request',         pg_temp.bytes(E'GET / HTTP/1.1\r\nHost: localhost:8888\r\nUser-Agent: curl/7.88.1\r\n\r\n')),
('a TLS hello',             '\x16030100c8010000c40303621f24402c0d0abffb'),
('1 MB of noise',           (SELECT string_agg(sha256(i::text::bytea), '' ORDER BY i) FROM generate_series(1, 32768) AS i)),
('1 MB of line ends',       decode(repeat('0d0a', 524288), 'hex')),
('1 MB of $',               decode(repeat('24', 1048576), 'hex')),
('1 MB of @',               decode(repeat('40', 1048576), 'hex')),
('1 MB of BF FB',           decode(repeat('bffb', 524288), 'hex')),
('1 MB of deltas',          decode(repeat('40000200024141', 149796), 'hex')),
('deltas between bases',    (SELECT string_agg(pg_temp.pos(i % 60) || decode(repeat('40000200024141', 20), 'hex'), '' ORDER BY i)
                               FROM generate_series(1, 3000) AS i));

-- Whatever comes, what is promised of the rows holds.
SELECT b.what, broken FROM bad b, pg_temp.broken(b.value) AS broken ORDER BY b.n;

-- What becomes of the small ones ...
SELECT b.n, b.what, r.seq, r.kind, r.ident, r.device_time, r.valid AS v, ST_AsText(r.geom, 3) AS place,
       pt621_quality(r.quality) AS quality, r.error
  FROM bad b, pt621_decode(b.value) AS r
 WHERE length(b.value) < 1000
 ORDER BY b.n, r.seq;
SELECT b.what, r.speed_kmh, r.course, r.inputs, r.outputs, r.adc, r.odometer_m, r.gsb, r.battery, r.photo_size, r.photo_id
  FROM bad b, pt621_decode(b.value) AS r
 WHERE r.kind = 'report' AND r.quality >= 32 AND r.quality < 32768
 ORDER BY b.n;

-- ... and of the large ones.
SELECT b.what, r.kind, count(*) AS units, min(length(r.raw)), max(length(r.raw)), min(r.error) AS error
  FROM bad b, pt621_decode(b.value) AS r
 WHERE length(b.value) >= 1000 AND b.what <> '1 MB of noise'
 GROUP BY b.n, b.what, r.kind
 ORDER BY b.n, r.kind;

-- Rows that do not fit into work_mem go to disk.
SET work_mem = '64kB';
SELECT count(*) > 1000 AS "many", count(*) = max(seq) AS complete, sum(length(raw)) AS bytes
  FROM bad b, pt621_decode(b.value)
 WHERE b.what = '1 MB of noise';
RESET work_mem;

-- ------------------------------------------- every byte, everywhere in a record --

-- Each byte of a full record replaced by each value, each value put in before
-- each byte, and the record cut off at each byte.
CREATE TEMP TABLE whole AS
SELECT pg_temp.bytes(E'$IN1,40456789,083125.000,A,2232.0971,N,11400.9504,E,7.62,265.24,291117,,,A'
                      '/00010,10000/1f8,0/1200/A1B2/fe7/7,33/#\n') AS bytes;

SELECT form, count(*) AS records, count(broken) AS broken
  FROM whole,
       generate_series(1, length(bytes)) AS place,
       generate_series(0, 255) AS byte,
       LATERAL (VALUES ('replaced', overlay(bytes PLACING set_byte('\x00', 0, byte) FROM place FOR 1)),
                       ('put in',   overlay(bytes PLACING set_byte('\x00', 0, byte) FROM place FOR 0))) AS v (form, value)
  LEFT JOIN LATERAL pg_temp.broken(v.value) AS broken ON true
 GROUP BY form ORDER BY form;
SELECT count(*) AS records, count(broken) AS broken
  FROM whole, generate_series(0, length(bytes)) AS size
  LEFT JOIN LATERAL pg_temp.broken(substr(whole.bytes, 1, size)) AS broken ON true;

-- A byte that cannot be printed costs its field and a quality bit, and nothing
-- else; in code or id it costs the record.
CREATE TEMP TABLE field (place integer, name text, value text, bit text);
INSERT INTO field VALUES
( 0, 'code',        'IN1',        NULL),
( 1, 'ident',       '40456789',   NULL),
( 2, 'device_time', '083125.000', 'time'),
( 3, 'valid',       'A',          'fix_flag'),
( 4, 'geom',        '2232.0971',  'latitude'),
( 5, 'geom',        'N',          'latitude'),
( 6, 'geom',        '11400.9504', 'longitude'),
( 7, 'geom',        'E',          'longitude'),
( 8, 'speed_kmh',   '7.62',       'speed'),
( 9, 'course',      '265.24',     'course'),
(10, 'device_time', '291117',     'date'),
(11, '',            '',           ''),
(12, '',            '',           ''),
(13, '',            'A',          ''),
(14, 'inputs',      '00010',      'inputs'),
(15, 'outputs',     '10000',      'outputs'),
(16, 'adc',         '1f8',        'adc'),
(17, 'adc',         '0',          'adc'),
(18, 'odometer_m',  '1200',       'odometer'),
(19, 'driver',      'A1B2',       'driver'),
(20, 'gsb',         'fe7',        'gsb'),
(21, 'spec',        '7',          'spec'),
(22, 'spec',        '33',         'spec');

-- The record of these fields, with a byte put behind one of them.
CREATE FUNCTION pg_temp.spoil(spoiled integer, byte bytea) RETURNS bytea
LANGUAGE sql
RETURN (SELECT '$'::bytea ||
               string_agg(pg_temp.bytes(value) || CASE WHEN place = spoiled THEN byte ELSE '' END,
                          CASE WHEN place IN (14, 16, 18, 19, 20, 21) THEN '/'::bytea ELSE ',' END
                          ORDER BY place) ||
               pg_temp.bytes(E'/\r\n')
          FROM field);

CREATE TEMP TABLE spoiled AS
SELECT f.place, r.kind, pt621_quality(r.quality) AS quality, to_jsonb(r) AS columns
  FROM field f, generate_series(0, 255) AS byte,
       pt621_decode(pg_temp.spoil(f.place, set_byte('\x00', 0, byte))) AS r
 WHERE (byte < 32 OR byte > 126) AND byte NOT IN (10, 13);

SELECT f.place, f.value AS field, s.kind, s.quality, count(DISTINCT s.columns) AS bytes,
       string_agg(DISTINCT format('%s = %s', c.key, s.columns -> c.key), ', ') AS changed
  FROM field f
  LEFT JOIN spoiled s USING (place)
  LEFT JOIN (SELECT e.* FROM pt621_decode(pg_temp.spoil(NULL, NULL)) AS r, jsonb_each(to_jsonb(r)) AS e) AS c
         ON s.columns -> c.key <> c.value AND c.key NOT IN ('raw', 'quality') AND s.kind = 'report'
 GROUP BY f.place, f.value, s.kind, s.quality
 ORDER BY f.place;

-- The same, as a claim: it is the field's own column that is missing, its bit
-- that is set, and no other.
SELECT s.place, f.name, s.kind, s.quality
  FROM spoiled s
  JOIN field f USING (place)
 WHERE CASE WHEN f.bit IS NULL THEN s.kind <> 'garbage'
            WHEN f.bit = ''    THEN s.kind <> 'report' OR s.quality <> '{}'
            ELSE s.kind <> 'report' OR s.quality <> ARRAY[f.bit] OR
                 s.columns -> f.name NOT IN ('null', 'false', '[null, 0]', '[504, null]') END;

-- ---------------------------------------------------------- schemas and paths --

-- What a user puts first in search_path is not what the functions use.
CREATE SCHEMA decode_hostile;
CREATE FUNCTION decode_hostile.never(text, text) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN RAISE 'an operator of the user was called'; END $$;
CREATE FUNCTION decode_hostile.never(bytea, bytea) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN RAISE 'an operator of the user was called'; END $$;
CREATE FUNCTION decode_hostile.never(name, name) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN RAISE 'an operator of the user was called'; END $$;
CREATE OPERATOR decode_hostile.= (FUNCTION = decode_hostile.never, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR decode_hostile.= (FUNCTION = decode_hostile.never, LEFTARG = bytea, RIGHTARG = bytea);
CREATE OPERATOR decode_hostile.= (FUNCTION = decode_hostile.never, LEFTARG = name, RIGHTARG = name);
CREATE DOMAIN decode_hostile.geometry AS text;
CREATE DOMAIN decode_hostile.varbit AS text;
CREATE TYPE decode_hostile.pt621_record AS (seq integer);
CREATE FUNCTION decode_hostile.st_point(double precision, double precision, integer) RETURNS public.geometry
LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function of the user was called'; END $$;
CREATE FUNCTION decode_hostile.st_point(double precision, double precision) RETURNS public.geometry
LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function of the user was called'; END $$;
SET search_path = decode_hostile, pg_catalog;
SELECT seq, ident, public.ST_AsText(geom) AS place, public.pt621_event(code) AS event, public.pt621_quality(quality) AS quality
  FROM public.pt621_decode(convert_to('$IN1,1,083125.000,A,2230.0000,N,11430.0000,E,0,361,291117', 'SQL_ASCII'));
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA decode_hostile CASCADE;

-- In a database where nothing is in public, and where it is installed with
-- such a path.
CREATE DATABASE pt621_regress_schemas TEMPLATE template0;
\set regress_database :DBNAME
\c pt621_regress_schemas
SET client_min_messages = warning;
CREATE SCHEMA gis;
CREATE SCHEMA tracking;
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA gis, tracking TO PUBLIC;
CREATE EXTENSION postgis SCHEMA gis;
CREATE DOMAIN hostile.geometry AS text;
CREATE FUNCTION hostile.never(name, name) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN RAISE 'an operator of the user was called'; END $$;
CREATE OPERATOR hostile.= (FUNCTION = hostile.never, LEFTARG = name, RIGHTARG = name);
CREATE FUNCTION hostile.format(text, name) RETURNS text
LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function of the user was called'; END $$;
SET search_path = hostile, pg_catalog;
CREATE EXTENSION pt621 SCHEMA tracking;
SELECT seq, ident, gis.ST_AsText(geom) AS place
  FROM tracking.pt621_decode('\x24504f532c312c3038333132352e3030302c412c323233302e303030302c4e2c31313433302e303030302c452c302c302c323931313137');
\c :regress_database
DROP DATABASE pt621_regress_schemas;
