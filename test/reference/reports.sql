-- reports.sql: what the reports should say, worked out from the positions by
-- doc/reports.md, rule by rule.
--
-- It shares nothing with src/report: it was written from that text, and is plain, not
-- fast.  By a superuser, in a database with the extension:
--
--   CALL plain.work_out_reports();          fills the tables of schema plain
--   SELECT * FROM plain.difference;         no row: the functions say the same
CREATE SCHEMA plain;
SET search_path = plain, public;

-- The parameters in italics.
CREATE UNLOGGED TABLE parameter (
    stop_radius_m     double precision NOT NULL DEFAULT 200,
    rest_after        interval NOT NULL DEFAULT '180 s',
    min_stop          interval NOT NULL DEFAULT '300 s',
    max_gap           interval NOT NULL DEFAULT '1 h',
    use_ignition      boolean NOT NULL DEFAULT true,
    moving_kmh        double precision NOT NULL DEFAULT 3,
    plausible_kmh     double precision NOT NULL DEFAULT 250,
    jitter_m          double precision NOT NULL DEFAULT 15,
    ignition_debounce interval NOT NULL DEFAULT '2 s',
    idle_after        interval NOT NULL DEFAULT '120 s',
    driver_off_after  interval NOT NULL DEFAULT '5 min'
);
INSERT INTO parameter DEFAULT VALUES;

-- Section 1: the records of each tracker in order.
CREATE UNLOGGED TABLE record (
    device_id integer,
    r         integer,              -- from 1
    at        timestamptz NOT NULL,
    geom      geometry,             -- where it may be a place
    speed     double precision,     -- km/h
    bit       boolean,              -- the ignition's, as sent
    known     boolean,              -- on or off; NULL: not known
    odometer  bigint,
    driver    text,
    PRIMARY KEY (device_id, r)
);
CREATE INDEX ON record (device_id, at);

-- Places, and the leg that leads to each.
CREATE UNLOGGED TABLE place (
    device_id    integer,
    n            integer,           -- from 1
    at           timestamptz NOT NULL,
    geom         geometry NOT NULL,
    speed        double precision,
    moves        boolean NOT NULL,
    known        boolean,
    since        timestamptz,       -- time of the place before
    displacement double precision,
    silent       boolean,
    slow         boolean,
    metres       double precision,  -- the leg's distance
    carried      boolean,
    odometer     bigint,
    odometer_m   double precision,  -- the leg's part
    top          double precision,  -- of the leg's places after its first one
    places       integer,           -- so many are these
    at_rest      boolean,
    kind         text,              -- of the leg: trip, stop, unobserved, nothing
    segment      integer,           -- n of the segment's first place
    PRIMARY KEY (device_id, n)
);
CREATE INDEX ON place (device_id, at);

-- Section 3.
CREATE UNLOGGED TABLE segment (
    device_id      integer,
    kind           text,
    started_at     timestamptz,
    ended_at       timestamptz,
    ongoing        boolean,
    seconds        double precision,
    metres         double precision,
    mean_kmh       double precision,
    top_kmh        double precision,
    start_geom     geometry,
    end_geom       geometry,
    geom           geometry,
    engine_s       double precision,
    idle_s         double precision,
    carried_s      double precision,
    carried_metres double precision,
    odometer_m     double precision,
    places         integer,
    drivers        text[]
);

-- Sections 4 and 5: what = engine, idle or driver.
CREATE UNLOGGED TABLE span (
    device_id integer,
    what      text,
    since     timestamptz,
    until     timestamptz,
    driver    text
);

-- -------------------------------------------------- 1. records, places, legs --

-- What is known of the ignition: where a change is undone too soon, as if it had
-- not been.
CREATE PROCEDURE work_out_ignition(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    debounce interval := (SELECT p.ignition_debounce FROM plain.parameter p);
    wired    timestamptz := (SELECT min(x.at) FROM plain.record x WHERE x.device_id = tracker AND x.bit);
    gap      interval := (SELECT p.max_gap FROM plain.parameter p);
    state    boolean;
    before   timestamptz;               -- time of the last record that knew
    changed  timestamptz;               -- when it last did, while that may be undone
    next     record;
BEGIN
    FOR next IN
        SELECT x.at, bool_or(x.bit) AS bit FROM plain.record x
         WHERE x.device_id = tracker AND x.at >= wired AND x.bit IS NOT NULL
         GROUP BY x.at ORDER BY x.at
    LOOP
        IF next.at - before > gap THEN
            state := NULL;
        END IF;
        before := next.at;
        IF state <> next.bit AND next.at - changed < debounce THEN
            UPDATE plain.record x SET known = next.bit
             WHERE x.device_id = tracker AND x.at >= changed AND x.at < next.at AND x.known IS NOT NULL;
            changed := NULL;
        ELSIF state <> next.bit THEN
            changed := next.at;
        END IF;
        state := next.bit;
        UPDATE plain.record x SET known = state
         WHERE x.device_id = tracker AND x.at = next.at;
    END LOOP;
END
$$;

CREATE PROCEDURE work_out_records()
LANGUAGE plpgsql
SET search_path = plain, public
AS $$
DECLARE
    tracker integer;
BEGIN
    INSERT INTO plain.record (device_id, r, at, geom, speed, bit, odometer, driver)
    SELECT p.device_id, row_number() OVER (PARTITION BY p.device_id ORDER BY p.fix_time, p.code COLLATE "C", p.digest), p.fix_time,
           CASE WHEN p.valid AND p.quality & 32768 = 0
                     AND abs(ST_X(p.geom)) <= 180 AND abs(ST_Y(p.geom)) <= 90 THEN p.geom END,
           p.speed_kmh, p.ignition, p.odometer_m, p.driver
      FROM pt621.position p
     WHERE p.quality & 65536 = 0;
    ANALYZE plain.record;
    FOR tracker IN SELECT DISTINCT x.device_id FROM plain.record x LOOP
        CALL plain.work_out_ignition(tracker);
    END LOOP;
END
$$;

-- km/h from one place to another.
CREATE FUNCTION kmh(a geometry, a_at timestamptz, b geometry, b_at timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN public.ST_DistanceSphere(a, b) / extract(epoch FROM b_at - a_at)::double precision * 3.6;

-- All but teleports.
CREATE PROCEDURE work_out_places(tracker integer)
LANGUAGE plpgsql
SET search_path = plain, public
AS $$
DECLARE
    too_fast double precision := (SELECT p.plausible_kmh FROM plain.parameter p);
    before   geometry;                  -- the last place so far
    since    timestamptz;
    next     record;
    n        integer := 0;
BEGIN
    FOR next IN
        SELECT x.*,
               -- said last since the place before
               (SELECT o.odometer FROM plain.record o
                 WHERE o.device_id = tracker AND o.odometer IS NOT NULL AND o.at <= x.at AND o.at > x.before_at
                 ORDER BY o.r DESC LIMIT 1) AS said
          FROM (SELECT x.*, lag(x.at, 1, '-infinity') OVER w AS before_at, lead(x.geom) OVER w AS next_geom, lead(x.at) OVER w AS next_at
                  FROM (SELECT DISTINCT ON (x.at) x.* FROM plain.record x
                         WHERE x.device_id = tracker AND x.geom IS NOT NULL ORDER BY x.at, x.r) x
                WINDOW w AS (ORDER BY x.at)) x
         ORDER BY x.at
    LOOP
        CONTINUE WHEN n > 0 AND next.next_at IS NOT NULL
                  AND plain.kmh(before, since, next.geom, next.at) > too_fast
                  AND plain.kmh(next.geom, next.at, next.next_geom, next.next_at) > too_fast
                  AND plain.kmh(before, since, next.next_geom, next.next_at) <= too_fast;
        n := n + 1;
        before := next.geom;
        since := next.at;
        INSERT INTO plain.place (device_id, n, at, geom, speed, moves, known, odometer)
        SELECT tracker, n, next.at, next.geom, next.speed, coalesce(next.speed >= p.moving_kmh, false), next.known, next.said
          FROM plain.parameter p;
    END LOOP;
END
$$;

CREATE PROCEDURE work_out_legs()
LANGUAGE sql
SET search_path = plain, public
AS $$
    UPDATE plain.place b
       SET since = a.at, displacement = ST_DistanceSphere(a.geom, b.geom), silent = b.at - a.at > p.max_gap,
           slow = b.at - a.at >= p.rest_after AND plain.kmh(a.geom, a.at, b.geom, b.at) < p.moving_kmh,
           carried = coalesce(NOT a.known AND NOT b.known, false), at_rest = false
      FROM plain.place a, plain.parameter p
     WHERE a.device_id = b.device_id AND a.n = b.n - 1;
$$;

CREATE PROCEDURE work_out_distances()
LANGUAGE sql
SET search_path = plain, public
AS $$
    UPDATE plain.place b
       SET metres = CASE WHEN b.silent OR plain.kmh(a.geom, a.at, b.geom, b.at) > p.plausible_kmh
                              OR b.displacement <= p.jitter_m AND a.speed < p.moving_kmh AND b.speed < p.moving_kmh THEN 0
                         ELSE b.displacement END
      FROM plain.place a, plain.parameter p
     WHERE a.device_id = b.device_id AND a.n = b.n - 1;
$$;

-- The legs of one second are one: of its places the first and the last stay.
CREATE PROCEDURE work_out_seconds()
LANGUAGE sql
SET search_path = plain, public
AS $$
    WITH old AS (
        DELETE FROM plain.place RETURNING *
    ), within AS (
        SELECT o.*, coalesce(NOT o.silent AND NOT lead(o.silent) OVER w AND date_trunc('second', o.since) = date_trunc('second', o.at)
                             AND date_trunc('second', o.at) = date_trunc('second', lead(o.at) OVER w), false) AS within
          FROM old o
        WINDOW w AS (PARTITION BY o.device_id ORDER BY o.n)
    ), numbered AS (
        SELECT x.*, 1 + count(*) FILTER (WHERE NOT x.within) OVER (PARTITION BY x.device_id ORDER BY x.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS k
          FROM within x
    )
    INSERT INTO plain.place (device_id, n, at, geom, speed, moves, known, metres, odometer_m, top, places)
    SELECT x.device_id, x.k, x.at, x.geom, x.speed, x.moves, x.known, s.metres, s.odometer_m, s.top, s.places
      FROM numbered x
      JOIN (SELECT y.device_id, y.k, sum(y.metres) AS metres, sum(y.odometer_m) AS odometer_m, max(y.speed) AS top, count(*) AS places
              FROM numbered y GROUP BY y.device_id, y.k) s USING (device_id, k)
     WHERE NOT x.within;
$$;

-- ------------------------------------------------------------------ 2. rest --

CREATE PROCEDURE work_out_rest()
LANGUAGE sql
SET search_path = plain, public
AS $$
    -- For each place where the longest row that begins with it ends, of either sort:
    -- before the first place that lies too far from one of it, or is not fit.
    WITH stopper AS (
        SELECT a.device_id, a.n,
               (SELECT b.n FROM plain.place b
                 WHERE b.device_id = a.device_id AND b.n > a.n
                   AND (b.silent OR b.displacement > p.stop_radius_m OR ST_DistanceSphere(a.geom, b.geom) > p.stop_radius_m)
                 ORDER BY b.n LIMIT 1) AS by_distance,
               CASE WHEN p.use_ignition AND NOT a.known AND NOT a.moves THEN
               (SELECT b.n FROM plain.place b
                 WHERE b.device_id = a.device_id AND b.n > a.n
                   AND (b.silent OR b.displacement > p.stop_radius_m OR (NOT b.known AND NOT b.moves) IS NOT TRUE)
                 ORDER BY b.n LIMIT 1) ELSE a.n END AS by_ignition,
               count(*) OVER (PARTITION BY a.device_id) + 1 AS beyond
          FROM plain.place a, plain.parameter p
    ), reach AS (
        SELECT s.device_id, s.n,
               min(coalesce(s.by_distance, s.beyond)) OVER (PARTITION BY s.device_id ORDER BY s.n DESC) - 1 AS by_distance,
               coalesce(s.by_ignition, s.beyond) - 1 AS by_ignition
          FROM stopper s
    ), stay AS (
        SELECT r.device_id, r.n AS low, max(v.last) AS high
          FROM reach r
         CROSS JOIN LATERAL (VALUES (r.by_distance), (r.by_ignition)) v (last)
          JOIN plain.place a ON a.device_id = r.device_id AND a.n = r.n
          JOIN plain.place b ON b.device_id = r.device_id AND b.n = v.last
         CROSS JOIN plain.parameter p
         WHERE b.at - a.at >= p.rest_after
         GROUP BY r.device_id, r.n
    ), covered AS (
        SELECT b.device_id, b.n, max(s.high) OVER (PARTITION BY b.device_id ORDER BY b.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS high
          FROM plain.place b
          LEFT JOIN stay s ON s.device_id = b.device_id AND s.low = b.n
    )
    UPDATE plain.place b
       SET at_rest = true
      FROM covered c, plain.parameter p
     WHERE c.device_id = b.device_id AND c.n = b.n AND b.n > 1
       AND (b.silent AND b.displacement < p.stop_radius_m OR c.high >= b.n);
$$;

-- --------------------------------------- 3. stops, trips, unobserved legs --

-- The kinds of legs, and which of them are one segment.
CREATE PROCEDURE work_out_kinds()
LANGUAGE sql
AS $$
    UPDATE plain.place b SET kind = 'unobserved'
      FROM plain.parameter p
     WHERE b.silent AND b.displacement >= p.stop_radius_m;

    WITH island AS (
        SELECT b.device_id, b.n, b.n - row_number() OVER (PARTITION BY b.device_id ORDER BY b.n) AS row
          FROM plain.place b WHERE b.at_rest
    ), rest AS (
        SELECT i.device_id, min(i.n) - 1 AS first, max(i.n) AS last FROM island i GROUP BY i.device_id, i.row
    ), trimmed AS (
        SELECT r.device_id,
               (SELECT min(CASE WHEN (x.silent OR x.slow) AND x.n > r.first THEN x.n - 1 WHEN NOT x.moves THEN x.n END)
                  FROM plain.place x WHERE x.device_id = r.device_id AND x.n BETWEEN r.first AND r.last) AS first,
               (SELECT max(CASE WHEN (x.silent OR x.slow) AND x.n > r.first OR NOT x.moves THEN x.n END)
                  FROM plain.place x WHERE x.device_id = r.device_id AND x.n BETWEEN r.first AND r.last) AS last
          FROM rest r
    ), stop AS (
        SELECT t.*
          FROM trimmed t
          JOIN plain.place a ON a.device_id = t.device_id AND a.n = t.first
          JOIN plain.place b ON b.device_id = t.device_id AND b.n = t.last
         CROSS JOIN plain.parameter p
         WHERE b.n > a.n
           AND (b.at - a.at >= p.min_stop
                OR EXISTS (SELECT FROM plain.place x WHERE x.device_id = t.device_id AND x.n > t.first AND x.n <= t.last AND x.silent))
    )
    UPDATE plain.place b SET kind = 'stop'
      FROM stop s
     WHERE b.device_id = s.device_id AND b.n > s.first AND b.n <= s.last;

    -- What is left.
    WITH island AS (
        SELECT b.device_id, b.n, b.metres, b.n - row_number() OVER (PARTITION BY b.device_id ORDER BY b.n) AS row
          FROM plain.place b WHERE b.kind IS NULL AND b.n > 1
    ), rest AS (
        SELECT i.device_id, min(i.n) AS first, max(i.n) AS last, sum(i.metres) AS metres FROM island i GROUP BY i.device_id, i.row
    )
    UPDATE plain.place b
       SET kind = CASE WHEN r.metres >= p.stop_radius_m THEN 'trip'
                       WHEN EXISTS (SELECT FROM plain.place x WHERE x.device_id = r.device_id
                                       AND x.n IN (r.first - 1, r.last + 1) AND x.kind = 'stop') THEN 'stop'
                       ELSE 'nothing' END
      FROM rest r, plain.parameter p
     WHERE b.device_id = r.device_id AND b.n BETWEEN r.first AND r.last;

    UPDATE plain.place b SET segment = s.segment
      FROM (SELECT x.device_id, x.n, max(x.n - 1) FILTER (WHERE x.begins) OVER (PARTITION BY x.device_id ORDER BY x.n) AS segment
              FROM (SELECT b.device_id, b.n,
                           b.kind = 'unobserved' OR b.kind IS DISTINCT FROM lag(b.kind) OVER (PARTITION BY b.device_id ORDER BY b.n) AS begins
                      FROM plain.place b WHERE b.n > 1) x) s
     WHERE b.device_id = s.device_id AND b.n = s.n;
$$;

-- Seconds that a stretch of time has in common with spans of a sort.
CREATE FUNCTION seconds_of(tracker integer, which text, low timestamptz, high timestamptz) RETURNS double precision
LANGUAGE sql STABLE
RETURN (SELECT coalesce(sum(extract(epoch FROM least(s.until, high) - greatest(s.since, low))), 0)
          FROM plain.span s
         WHERE s.device_id = tracker AND s.what = which AND s.since < high AND s.until > low);

-- What the odometer says of each leg at whose end it says something.
CREATE PROCEDURE work_out_odometer()
LANGUAGE sql
SET search_path = plain, public
AS $$
    WITH said AS (
        SELECT b.device_id, b.n, b.at, b.odometer, lag(b.n) OVER w AS o_n, lag(b.at) OVER w AS o_at, lag(b.odometer) OVER w AS o_odometer
          FROM plain.place b
         WHERE b.odometer IS NOT NULL
        WINDOW w AS (PARTITION BY b.device_id ORDER BY b.n)
    )
    UPDATE plain.place b
       SET odometer_m = CASE WHEN s.odometer < s.o_odometer OR s.odometer - s.o_odometer > greatest(1000, 3 * x.metres) AND NOT x.silent
                             THEN x.metres ELSE s.odometer - s.o_odometer END
      FROM said s
     CROSS JOIN LATERAL (
        SELECT bool_or(l.silent) AS silent, sum(CASE WHEN l.silent AND l.displacement >= r.stop_radius_m THEN l.displacement ELSE l.metres END) AS metres
          FROM plain.place l, plain.parameter r WHERE l.device_id = s.device_id AND l.n > s.o_n AND l.n <= s.n) x
     CROSS JOIN plain.parameter p
     WHERE b.device_id = s.device_id AND b.n = s.n AND (s.o_n = s.n - 1 OR s.at - s.o_at <= p.max_gap);
$$;

CREATE PROCEDURE work_out_segments()
LANGUAGE sql
SET search_path = plain, public
AS $$
    INSERT INTO plain.segment
    SELECT g.device_id, g.kind, a.at, z.at,
           g.kind <> 'unobserved' AND row_number() OVER (PARTITION BY g.device_id ORDER BY g.first DESC) = 1,
           g.seconds, g.metres, g.metres / g.seconds * 3.6, x.top_kmh,
           CASE WHEN g.kind <> 'stop' THEN a.geom END, CASE WHEN g.kind <> 'stop' THEN z.geom END,
           CASE WHEN g.kind = 'stop' THEN ST_SetSRID(ST_MakePoint(x.lon - 360 * round(x.lon / 360), x.lat), 4326) END,
           plain.seconds_of(g.device_id, 'engine', a.at, z.at), plain.seconds_of(g.device_id, 'idle', a.at, z.at),
           g.carried_s, g.carried_metres, g.odometer_m, x.places,
           ARRAY(SELECT s.driver FROM plain.span s
                  WHERE s.device_id = g.device_id AND s.what = 'driver' AND s.since < z.at AND s.until > a.at
                  GROUP BY s.driver ORDER BY min(s.since))
      FROM (SELECT b.device_id, b.kind, b.segment AS first, max(b.n) AS last,
                   extract(epoch FROM max(b.at) - min(b.since))::double precision AS seconds,
                   sum(CASE WHEN b.kind = 'unobserved' THEN b.displacement ELSE b.metres END) AS metres,
                   coalesce(sum(extract(epoch FROM b.at - b.since)) FILTER (WHERE b.carried AND b.kind = 'trip'), 0)::double precision AS carried_s,
                   coalesce(sum(b.metres) FILTER (WHERE b.carried AND b.kind = 'trip'), 0) AS carried_metres,
                   sum(b.odometer_m) AS odometer_m
              FROM plain.place b
             WHERE b.kind <> 'nothing'
             GROUP BY b.device_id, b.kind, b.segment) g
      JOIN plain.place a ON a.device_id = g.device_id AND a.n = g.first
      JOIN plain.place z ON z.device_id = g.device_id AND z.n = g.last
     CROSS JOIN LATERAL (
        SELECT max(CASE WHEN b.n = g.first THEN b.speed ELSE b.top END) AS top_kmh, sum(CASE WHEN b.n = g.first THEN 1 ELSE b.places END) AS places,
               -- On the near side of the antimeridian.
               percentile_cont(0.5) WITHIN GROUP (ORDER BY ST_X(b.geom) - 360 * round((ST_X(b.geom) - ST_X(a.geom)) / 360)) FILTER (WHERE b.chosen) AS lon,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY ST_Y(b.geom)) FILTER (WHERE b.chosen) AS lat
          FROM (SELECT b.*,
                       (b.n - g.first) % (2 ^ greatest(0, ceil(log(2, (g.last - g.first + 1) / 1024.0))))::integer = 0 AS chosen
                  FROM plain.place b WHERE b.device_id = g.device_id AND b.n BETWEEN g.first AND g.last) b) x;
$$;

-- ---------------------------------------------------------------- 4. engine --

CREATE PROCEDURE work_out_engine(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    gap     interval := (SELECT p.max_gap FROM plain.parameter p);
    long    interval := (SELECT p.idle_after FROM plain.parameter p);
    last_at timestamptz := (SELECT max(x.at) FROM plain.record x WHERE x.device_id = tracker);
    since   timestamptz;
    before  timestamptz;
    still   timestamptz;
    span    record;
    next    record;
BEGIN
    FOR next IN
        SELECT x.at, bool_or(x.known) AS known FROM plain.record x
         WHERE x.device_id = tracker AND x.known IS NOT NULL GROUP BY x.at ORDER BY x.at
    LOOP
        IF since IS NOT NULL AND next.at - before > gap THEN
            INSERT INTO plain.span VALUES (tracker, 'engine', since, before);
            since := NULL;
        END IF;
        IF since IS NOT NULL AND NOT next.known THEN
            INSERT INTO plain.span VALUES (tracker, 'engine', since, next.at);
            since := NULL;
        ELSIF since IS NULL AND next.known THEN
            since := next.at;
        END IF;
        before := next.at;
    END LOOP;
    IF since IS NOT NULL THEN
        INSERT INTO plain.span VALUES (tracker, 'engine', since, CASE WHEN last_at - before > gap THEN before ELSE last_at END);
    END IF;

    FOR span IN SELECT s.* FROM plain.span s WHERE s.device_id = tracker AND s.what = 'engine' LOOP
        still := NULL;
        FOR next IN
            -- Of a teleport the speed is as good as any.
            SELECT x.at, coalesce(x.speed >= p.moving_kmh, false) AS moves, x.known
              FROM (SELECT DISTINCT ON (x.at) x.* FROM plain.record x
                     WHERE x.device_id = tracker AND x.geom IS NOT NULL AND x.at >= span.since AND x.at < span.until
                     ORDER BY x.at, x.r) x
             CROSS JOIN plain.parameter p
             UNION ALL SELECT span.until, true, NULL
             ORDER BY at
        LOOP
            IF still IS NOT NULL AND next.moves THEN
                IF next.at - still >= long THEN
                    INSERT INTO plain.span VALUES (tracker, 'idle', still, next.at);
                END IF;
                still := NULL;
            ELSIF still IS NULL AND NOT next.moves AND next.known THEN
                still := next.at;
            END IF;
        END LOOP;
    END LOOP;
END
$$;

-- --------------------------------------------------------------- 5. drivers --

CREATE PROCEDURE work_out_drivers(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    zone    text := coalesce((SELECT d.time_zone FROM pt621.device d WHERE d.id = tracker), 'UTC');
    gap     interval := (SELECT p.max_gap FROM plain.parameter p);
    long    interval := (SELECT p.driver_off_after FROM plain.parameter p);
    who     text;
    since   timestamptz;
    day_end timestamptz;
    off_at  timestamptz;                -- the ignition is known off since
    knew_at timestamptz;
    heard   text;                       -- while it is
    hearing timestamptz;                -- how long that counts
    ended   timestamptz;
    next    record;
BEGIN
    FOR next IN
        SELECT x.at, bool_or(x.known) AS known, (array_agg(x.driver ORDER BY x.r DESC) FILTER (WHERE x.driver IS NOT NULL))[1] AS driver,
               (date_trunc('day', x.at AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone AS day_end
          FROM plain.record x WHERE x.device_id = tracker GROUP BY x.at ORDER BY x.at
    LOOP
        -- Off for so long: since then.  Else the day may be over.
        ended := CASE WHEN off_at < day_end AND next.at - off_at >= long THEN off_at
                      WHEN (off_at < day_end AND NOT coalesce(next.known, false) AND next.at - knew_at <= gap) IS TRUE THEN NULL
                      WHEN next.at >= day_end THEN day_end END;
        IF who IS NOT NULL AND ended IS NOT NULL THEN
            INSERT INTO plain.span VALUES (tracker, 'driver', since, ended, who);
            who := NULL;
        END IF;
        IF next.known OR next.at - knew_at > gap THEN
            off_at := NULL;
        END IF;
        IF NOT next.known AND off_at IS NULL THEN
            off_at := next.at;
            heard := NULL;
        END IF;
        knew_at := CASE WHEN next.known IS NULL THEN knew_at ELSE next.at END;
        IF off_at IS NOT NULL THEN
            -- Who is read while it is off drives when it no longer is.
            IF next.driver IS NOT NULL THEN
                heard := next.driver;
                hearing := next.day_end;
            END IF;
        ELSE
            next.driver := coalesce(next.driver, CASE WHEN next.at < hearing THEN heard END);
            heard := NULL;
            IF next.driver <> who THEN
                INSERT INTO plain.span VALUES (tracker, 'driver', since, next.at, who);
                who := NULL;
            END IF;
            IF who IS NULL AND next.driver IS NOT NULL THEN
                who := next.driver;
                since := next.at;
                day_end := next.day_end;
            END IF;
        END IF;
        ended := next.at;
    END LOOP;
    IF who IS NOT NULL THEN
        INSERT INTO plain.span VALUES (tracker, 'driver', since, least(ended, day_end), who);
    END IF;
END
$$;

CREATE PROCEDURE work_out_reports()
LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    tracker integer;
BEGIN
    TRUNCATE plain.record, plain.place, plain.segment, plain.span;
    CALL plain.work_out_records();
    FOR tracker IN SELECT DISTINCT x.device_id FROM plain.record x LOOP
        CALL plain.work_out_places(tracker);
    END LOOP;
    ANALYZE plain.place;
    CALL plain.work_out_legs();
    CALL plain.work_out_distances();
    CALL plain.work_out_odometer();
    CALL plain.work_out_seconds();
    CALL plain.work_out_legs();
    ANALYZE plain.place;
    CALL plain.work_out_rest();
    CALL plain.work_out_kinds();
    FOR tracker IN SELECT DISTINCT x.device_id FROM plain.record x LOOP
        CALL plain.work_out_engine(tracker);
        CALL plain.work_out_drivers(tracker);
    END LOOP;
    CALL plain.work_out_segments();
END
$$;

-- ------------------------------------------------------------- 6. summaries --

-- By days, or `by` week or month, of a time zone.
CREATE FUNCTION summary(by text, zone text)
RETURNS TABLE (device_id integer, day date, metres double precision, trips bigint, stops bigint, drive_s double precision,
               stopped_s double precision, unobserved_s double precision, carried_s double precision)
LANGUAGE sql STABLE
AS $$
    WITH part AS (
        -- Each leg, cut where one ends and the next begins.
        SELECT b.device_id, d.day::date AS day, b.kind, b.carried, b.metres * x.seconds / extract(epoch FROM b.at - b.since) AS metres, x.seconds
          FROM plain.place b
         CROSS JOIN LATERAL generate_series(date_trunc(by, b.since AT TIME ZONE zone), b.at AT TIME ZONE zone, ('1 ' || by)::interval) d (day)
         CROSS JOIN LATERAL (
            SELECT extract(epoch FROM least(b.at, (d.day + ('1 ' || by)::interval) AT TIME ZONE zone)
                                      - greatest(b.since, d.day AT TIME ZONE zone))::double precision AS seconds) x
         WHERE b.n > 1 AND x.seconds > 0
         UNION ALL
        SELECT s.device_id, date_trunc(by, s.started_at AT TIME ZONE zone)::date, 'begin ' || s.kind, false, 0, 0 FROM plain.segment s
    )
    SELECT p.device_id, p.day, coalesce(sum(p.metres) FILTER (WHERE p.kind = 'trip'), 0),
           count(*) FILTER (WHERE p.kind = 'begin trip'), count(*) FILTER (WHERE p.kind = 'begin stop'),
           coalesce(sum(p.seconds) FILTER (WHERE p.kind = 'trip' AND NOT p.carried), 0),
           coalesce(sum(p.seconds) FILTER (WHERE p.kind IN ('stop', 'nothing')), 0),
           coalesce(sum(p.seconds) FILTER (WHERE p.kind = 'unobserved'), 0),
           coalesce(sum(p.seconds) FILTER (WHERE p.kind = 'trip' AND p.carried), 0)
      FROM part p
     GROUP BY p.device_id, p.day
$$;

-- -------------------------------------------------------------- comparison --

-- Numbers that are the same but for rounding; of reals there are seven digits.
CREATE FUNCTION alike(a double precision, b double precision) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (a IS NULL AND b IS NULL) OR coalesce(abs(a - b) <= 1e-6 * greatest(1, abs(a), abs(b)), false);

CREATE FUNCTION alike(a geometry, b geometry) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT (a IS NULL AND b IS NULL) OR coalesce(public.ST_Distance(a, b) < 1e-9, false);
END;

-- What the functions say with these parameters.
CREATE FUNCTION found() RETURNS SETOF segment
LANGUAGE sql STABLE
AS $$
    SELECT s.* FROM plain.parameter p,
           public.pt621_segments(NULL, NULL, p.stop_radius_m, p.rest_after, p.min_stop, p.max_gap, p.use_ignition) s
$$;

CREATE FUNCTION found_spans() RETURNS SETOF span
LANGUAGE sql STABLE
AS $$
    SELECT i.device_id, 'engine', i.on_at, i.off_at, NULL
      FROM plain.parameter p, public.pt621_ignition(NULL, NULL, p.max_gap, p.ignition_debounce) i
     UNION ALL
    SELECT i.device_id, 'idle', i.started_at, i.ended_at, NULL
      FROM plain.parameter p, public.pt621_idling(NULL, NULL, p.idle_after, p.max_gap) i
     UNION ALL
    SELECT d.device_id, 'driver', d.started_at, d.ended_at, d.rfid
      FROM plain.parameter p, public.pt621_drivers(NULL, NULL, p.driver_off_after) d
     WHERE d.rfid IS NOT NULL
$$;

-- What is in one and not in the other.
CREATE VIEW difference AS
WITH wanted AS MATERIALIZED (SELECT * FROM segment), found AS MATERIALIZED (SELECT * FROM plain.found()), either AS (
    SELECT 'wanted' AS side, w.* FROM wanted w UNION ALL SELECT 'found', f.* FROM found f
), span_rows AS (
    SELECT 'wanted' AS side, s.* FROM span s UNION ALL SELECT 'found', f.* FROM plain.found_spans() f
), day_rows AS (
    SELECT 'wanted' AS side, d.* FROM plain.summary('day', 'Europe/Berlin') d
     UNION ALL
    SELECT 'found', d.device_id, d.day, d.metres, d.trips, d.stops, d.drive_s, d.stopped_s, d.unobserved_s, d.carried_s
      FROM parameter p, pt621_summary(NULL, NULL, 'day', 'Europe/Berlin', p.stop_radius_m, p.rest_after, p.min_stop, p.max_gap, p.use_ignition) d
)
SELECT a.device_id, a.started_at AS at, a.side, a.kind AS what, to_jsonb(a) - '{side,device_id,started_at,kind}'::text[] AS row
  FROM either a
 WHERE NOT EXISTS (
    SELECT FROM either b
     WHERE b.side <> a.side AND b.device_id = a.device_id AND b.kind = a.kind AND b.started_at = a.started_at
       AND b.ended_at = a.ended_at AND b.ongoing = a.ongoing AND alike(b.seconds, a.seconds) AND alike(b.metres, a.metres)
       AND alike(b.mean_kmh, a.mean_kmh) AND alike(b.top_kmh, a.top_kmh) AND alike(b.start_geom, a.start_geom)
       AND alike(b.end_geom, a.end_geom) AND alike(b.geom, a.geom) AND alike(b.engine_s, a.engine_s) AND alike(b.idle_s, a.idle_s)
       AND alike(b.carried_s, a.carried_s) AND alike(b.carried_metres, a.carried_metres) AND alike(b.odometer_m, a.odometer_m)
       AND b.places = a.places AND b.drivers = a.drivers)
 UNION ALL
SELECT a.device_id, a.since, a.side, a.what, to_jsonb(a)
  FROM span_rows a
 WHERE (SELECT count(*) FROM span_rows b
         WHERE b.side <> a.side AND (b.device_id, b.what, b.since, b.until) = (a.device_id, a.what, a.since, a.until)
           AND b.driver IS NOT DISTINCT FROM a.driver) <> 1
 UNION ALL
SELECT a.device_id, a.day, a.side, 'day', to_jsonb(a)
  FROM day_rows a
 WHERE NOT EXISTS (
    SELECT FROM day_rows b
     WHERE b.side <> a.side AND (b.device_id, b.day, b.trips, b.stops) = (a.device_id, a.day, a.trips, a.stops)
       AND alike(b.metres, a.metres) AND alike(b.drive_s, a.drive_s) AND alike(b.stopped_s, a.stopped_s)
       AND alike(b.unobserved_s, a.unobserved_s) AND alike(b.carried_s, a.carried_s))
 ORDER BY device_id, at, what, side;
RESET search_path;
