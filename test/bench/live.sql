-- live.sql: what the benchmarks of the listener ask of its server.
--
-- Run once by test/bench/live.sh, in a cluster of its own.
SET client_min_messages = warning;
CREATE EXTENSION pt621 CASCADE;
CREATE SCHEMA bench;

-- What the listeners have stored since they started, new or not.
CREATE FUNCTION bench.stored() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (SELECT coalesce(sum(positions + duplicates), 0) FROM public.pt621_stat_worker());

CREATE FUNCTION bench.dropped() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (SELECT coalesce(sum(datagrams_dropped), 0) FROM public.pt621_stat_worker());

-- Returns when that many were stored, in microseconds since 1970; looks every
-- millisecond.  The counters go up right after the commit.
CREATE FUNCTION bench.await(target bigint, seconds integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
    WHILE bench.stored() < target LOOP
        IF clock_timestamp() > deadline THEN
            RAISE EXCEPTION '% of % records were stored within % s', bench.stored(), target, seconds;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RETURN extract(epoch FROM clock_timestamp()) * 1000000;
END $$;

-- Waits until every datagram was either stored or counted as dropped, or nothing
-- has happened for three seconds: the listener counts drops once a second.
CREATE FUNCTION bench.settle(target bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    seen bigint := -1;
    now_seen bigint;
    since timestamptz := clock_timestamp();
BEGIN
    LOOP
        now_seen := bench.stored() + bench.dropped();
        EXIT WHEN now_seen >= target;
        IF now_seen <> seen THEN
            seen := now_seen;
            since := clock_timestamp();
        END IF;
        EXIT WHEN clock_timestamp() > since + interval '3 s';
        PERFORM pg_sleep(0.005);
    END LOOP;
END $$;

CREATE PROCEDURE bench.forget() LANGUAGE sql AS $$
    TRUNCATE pt621.position, pt621.frame;
$$;

-- ------------------------------------------------------------------ latency --
--
-- When a row became visible is found without touching the tables during the run:
-- bench.watch() takes a snapshot every millisecond and notes the time whenever it
-- differs from the last one.  Afterwards a row was visible from the first snapshot
-- on that sees its transaction.  That transaction is the xmin of the unit's row in
-- the archive, which commits together with the position; the position's own xmin
-- may be a subtransaction's, of which a snapshot tells nothing.
CREATE TABLE bench.seen (at bigint, snapshot pg_snapshot);

CREATE PROCEDURE bench.watch(target bigint, seconds integer) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + make_interval(secs => seconds);
    snapshot pg_snapshot;
    last text := '';
    at timestamptz;
    times bigint[] := '{}';
    snapshots pg_snapshot[] := '{}';
    beyond boolean := false;
BEGIN
    LOOP
        snapshot := pg_current_snapshot();
        at := clock_timestamp();
        IF snapshot::text <> last THEN
            last := snapshot::text;
            times := times || (extract(epoch FROM at) * 1000000)::bigint;
            snapshots := snapshots || snapshot;
        END IF;
        EXIT WHEN beyond;
        -- Once more after the end, so that the last commit is seen too.
        beyond := bench.stored() >= target OR at > deadline;
        COMMIT;         -- holds nobody's dead rows back
        PERFORM pg_sleep(0.001);
    END LOOP;
    TRUNCATE bench.seen;
    INSERT INTO bench.seen SELECT * FROM unnest(times, snapshots);
END $$;

-- Of the records with a stamp: how many came, and the milliseconds from the time
-- they were due to the snapshot that saw them.
CREATE FUNCTION bench.latency(OUT records bigint, OUT shortest numeric, OUT p50 numeric, OUT p99 numeric, OUT longest numeric)
LANGUAGE sql VOLATILE AS $$
    WITH sent AS MATERIALIZED (
        SELECT f.xmin::text::xid8 AS xid, trim('/' FROM p.spec)::bigint AS at
          FROM pt621.position p
          JOIN pt621.frame f ON f.received_at = p.received_at AND f.seq = p.frame_seq
         WHERE p.code = 'POS'
    ), visible AS MATERIALIZED (
        SELECT x.xid,
               (SELECT min(s.at) FROM bench.seen s WHERE pg_visible_in_snapshot(x.xid, s.snapshot)) AS at
          FROM (SELECT DISTINCT xid FROM sent) x
    ), took AS (
        SELECT (v.at - s.at) / 1000.0 AS ms FROM sent s JOIN visible v ON v.xid = s.xid
    )
    SELECT count(ms), round(min(ms), 1), round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), 1),
           round(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), 1), round(max(ms), 1)
      FROM took;
$$;

-- ----------------------------------------------------------------- commands --
--
-- Each to another tracker, with the time at which it was ordered.
CREATE PROCEDURE bench.order(commands integer, pause double precision) LANGUAGE plpgsql AS $$
DECLARE
    devices integer[] := ARRAY(SELECT id FROM pt621.device WHERE ident LIKE '77%' ORDER BY id);
BEGIN
    TRUNCATE pt621.command;
    FOR n IN 1 .. commands LOOP
        INSERT INTO pt621.command (device_id, kind, argument)
        VALUES (devices[1 + n % cardinality(devices)], 'text', 'T' || (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
        COMMIT;
        PERFORM pg_sleep(pause);
    END LOOP;
END $$;
