-- decode.sql: what pt621_decode() costs, over a table of stored frames.
--
-- Run by test/bench/run.sh, which sets
--   :module   the path of empty_srf.so
--   :frames   how many frames of one report
--   :rounds   how often each function reads them
--
-- In each round every function reads all frames, one function after the other,
-- so that whatever else this machine does falls on all of them.  A ratio is the
-- median of the rounds' ratios.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;

CREATE EXTENSION pt621 CASCADE;

CREATE FUNCTION bench_no_row(bytea) RETURNS SETOF pt621_record
AS :'module' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
CREATE FUNCTION bench_null_row(bytea) RETURNS SETOF pt621_record
AS :'module' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
CREATE FUNCTION bench_usual_row(bytea) RETURNS SETOF pt621_record
AS :'module' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;
CREATE FUNCTION bench_same_row(bytea, pt621_record) RETURNS SETOF pt621_record
AS :'module' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1;

-- Reports of 113 to 116 bytes from a thousand trackers that move.
CREATE UNLOGGED TABLE frame AS
SELECT convert_to(format(E'$POS,%s,%s.000,A,%s.%s,N,0%s.%s,E,%s.%s,%s.%s,%s,,,A/000%s0,00000/%s,0,0,0/%s00//f%s%s//\r\n',
                         1360000000 + i % 1000,
                         to_char(t, 'HH24MISS'),
                         800 + i % 60,  to_char(i * 7 % 10000, 'FM0000'),
                         7500 + i % 60, to_char(i * 13 % 10000, 'FM0000'),
                         i % 90,        to_char(i % 100, 'FM00'),
                         i % 360,       to_char(i % 100, 'FM00'),
                         to_char(t, 'DDMMYY'),
                         i % 2,
                         to_hex(256 + i % 700),
                         600000 + i,
                         to_hex(i % 16), to_hex(i / 16 % 16)), 'SQL_ASCII') AS bytes
  FROM generate_series(1, :frames) AS i,
       LATERAL (SELECT timestamp '2025-01-01' + i * interval '7 seconds' AS t) AS clock;
VACUUM ANALYZE frame;

-- A figure of frames that were not understood would be worth nothing.
SELECT count(*) = :frames AND bool_and(r.kind = 'report' AND r.quality = 0 AND r.valid) AS understood
  FROM frame f, pt621_decode(f.bytes) AS r
\gset
\if :understood
\else
    \warn 'pt621_decode() did not understand the frames'
    \quit
\endif

CREATE TEMP TABLE reader AS
SELECT * FROM (VALUES
    ('decode', 'SELECT count(r.ident) FROM frame f, pt621_decode(f.bytes) AS r'),
    ('null',   'SELECT count(r.ident) FROM frame f, bench_null_row(f.bytes) AS r'),
    ('none',   'SELECT count(r.ident) FROM frame f, bench_no_row(f.bytes) AS r'),
    ('usual',  'SELECT count(r.ident) FROM frame f, bench_usual_row(f.bytes) AS r'),
    ('same',   'SELECT count(r.ident) FROM frame f, bench_same_row(f.bytes,
                       (SELECT model FROM (SELECT bytes FROM frame LIMIT 1) AS one, pt621_decode(one.bytes) AS model)) AS r')
) AS reader (name, query);

CREATE TEMP TABLE run (round integer, name text, seconds double precision);
SELECT set_config('bench.rounds', :'rounds', false)
\g /dev/null
DO $$
DECLARE
    reader record;
    began  timestamptz;
BEGIN
    -- Round 0 warms the caches and does not count.
    FOR round IN 0 .. current_setting('bench.rounds')::integer LOOP
        FOR reader IN TABLE reader LOOP
            began := clock_timestamp();
            EXECUTE reader.query;
            INSERT INTO run
            SELECT round, reader.name, extract(epoch FROM clock_timestamp() - began)
             WHERE round > 0;
        END LOOP;
    END LOOP;
END
$$;

SELECT format('decode_rows_per_second: %s rows/s',
              round(:frames / percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)))
  FROM run
 WHERE name = 'decode';
SELECT format('decode_vs_%s_ratio: %s times', f.figure,
              round(percentile_cont(0.5) WITHIN GROUP (ORDER BY d.seconds / o.seconds)::numeric, 2))
  FROM (VALUES
        (1, 'null',  'empty_srf'),      -- a row of NULLs, at the least cost
        (2, 'none',  'no_row_srf'),     -- no row at all
        (3, 'usual', 'usual_srf'),      -- a row of NULLs, by InitMaterializedSRF()
        (4, 'same',  'same_row_srf')    -- a row of the same values, not decoded
       ) AS f (place, name, figure)
  JOIN run o USING (name)
  JOIN run d ON d.round = o.round AND d.name = 'decode'
 GROUP BY f.place, f.figure
 ORDER BY f.place;
