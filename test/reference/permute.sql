-- permute.sql: the day in any order: who stores which records when, and what came
-- of it.  After day.sql.
SET search_path = reference, public;

-- Whose turn it is: sessions take their batches in order, at the same time.
CREATE UNLOGGED TABLE due (
    session integer NOT NULL,
    batch   integer NOT NULL,
    n       integer NOT NULL            -- of sent, or of stored
);

-- What pt621.position has of the day.
CREATE UNLOGGED TABLE stored AS SELECT 0 AS n, p.* FROM pt621.position p WITH NO DATA;

-- What came of the first round.
CREATE UNLOGGED TABLE first_outcome (line text NOT NULL);

-- Events and visits that stand, without what tells when they were found out.
CREATE FUNCTION outcome() RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT concat_ws(' | ', d.ident, e.kind, e.code, 'at', e.at AT TIME ZONE 'UTC', 'until', e.until AT TIME ZONE 'UTC', g.name, 'object', e.object,
                     ST_AsText(e.geom), e.detail, 'confirmed', e.confirmed_at AT TIME ZONE 'UTC')
      FROM pt621.event e
      LEFT JOIN pt621.device d ON d.id = e.device_id
      LEFT JOIN pt621.geofence g ON g.id = e.geofence_id
     WHERE e.superseded_at IS NULL
     UNION ALL
    SELECT concat_ws(' | ', d.ident, 'visit', g.name, 'enter', v.enter_at AT TIME ZONE 'UTC', v.enter_unknown, 'exit', v.exit_at AT TIME ZONE 'UTC',
                     v.exit_unknown, v.interpolated, v.passed, '+-', v.uncertainty_s, 'seconds', v.seconds, 'metres', v.metres,
                     'top', v.top_speed_kmh, 'driver', v.driver, 'confirmed', v.confirmed_at AT TIME ZONE 'UTC')
      FROM pt621.geofence_visit v
      LEFT JOIN pt621.device d ON d.id = v.device_id
      LEFT JOIN pt621.geofence g ON g.id = v.geofence_id
     WHERE v.superseded_at IS NULL;
END;

-- Forgets what was stored, and shuffles and cuts the day anew.
CREATE PROCEDURE deal(seed integer, by_rows boolean, sessions integer DEFAULT 2)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
DECLARE
    next  record;
    left_ integer := 0;
    batch integer := 0;
    whose integer;
BEGIN
    TRUNCATE pt621.position, pt621.frame, pt621.event, pt621.geofence_visit, pt621.track_piece, pt621.device_state, due;
    INSERT INTO pt621.device_state (device_id) SELECT d.id FROM pt621.device d ORDER BY 1;
    PERFORM setseed(seed / 2147483647.0);
    FOR next IN
        SELECT x.n FROM (SELECT s.n FROM sent s WHERE NOT by_rows UNION ALL SELECT s.n FROM stored s WHERE by_rows ORDER BY 1) x ORDER BY random()
    LOOP
        IF left_ = 0 THEN
            left_ := ceil((ARRAY[1, 5, 40, 200, 600])[1 + floor(random() * 5)] * random());
            batch := batch + 1;
            whose := floor(random() * sessions);
        END IF;
        left_ := left_ - 1;
        INSERT INTO due VALUES (whose, batch, next.n);
    END LOOP;
END
$$;

-- Stores the batches of one session.  What came together is stored by one call;
-- of some batches all calls are one transaction.
CREATE PROCEDURE play(session integer, by_rows boolean)
LANGUAGE plpgsql
AS $$
DECLARE
    call record;
BEGIN
    FOR call IN
        SELECT d.batch, s.received_at, array_agg(s.record ORDER BY d.ctid) AS records, NULL::integer[] AS rows,
               d.batch % 5 = 0 AS together, row_number() OVER (PARTITION BY d.batch ORDER BY s.received_at DESC) = 1 AS is_last
          FROM reference.due d
          JOIN reference.sent s USING (n)
         WHERE d.session = play.session AND NOT by_rows
         GROUP BY d.batch, s.received_at
         UNION ALL
        SELECT d.batch, NULL, NULL, array_agg(d.n), false, true
          FROM reference.due d
         WHERE d.session = play.session AND by_rows
         GROUP BY d.batch
         ORDER BY batch, is_last
    LOOP
        IF by_rows THEN
            INSERT INTO pt621.position
            SELECT s.device_id, s.fix_time, s.code, s.digest, s.received_at, s.frame_seq, s.geom, s.valid, s.stored, s.speed_kmh, s.course,
                   s.inputs, s.outputs, s.ignition, s.adc, s.odometer_m, s.driver, s.battery, s.gsm, s.satellites, s.gsb, s.spec, s.quality
              FROM reference.stored s
             WHERE s.n = ANY (call.rows);
        ELSE
            IF call.together THEN
                -- In the order in which each call takes them.
                PERFORM FROM pt621.device_state s ORDER BY s.device_id FOR UPDATE;
            END IF;
            PERFORM public.pt621_ingest_reads(call.records, received_at => call.received_at);
        END IF;
        IF call.is_last OR NOT call.together THEN
            COMMIT;
        END IF;
    END LOOP;
END
$$;

-- Keeps the rows of the first round, for storing them as rows.
CREATE PROCEDURE keep()
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM stored;
    INSERT INTO stored SELECT row_number() OVER (ORDER BY p.device_id, p.fix_time, p.code, p.digest), p.* FROM pt621.position p;
    DELETE FROM first_outcome;
    INSERT INTO first_outcome SELECT * FROM outcome();
END;

-- Takes away some rows, or changes them, and puts all of it right again: what was
-- derived follows.
CREATE PROCEDURE meddle(seed integer)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
DECLARE
    chosen integer[];
    part integer[];
BEGIN
    PERFORM setseed(seed / 2147483647.0);
    chosen := ARRAY(SELECT s.n FROM stored s WHERE random() < 0.05 ORDER BY random());
    DELETE FROM pt621.position p
     USING stored s
     WHERE s.n = ANY (chosen)
       AND (p.device_id, p.fix_time, p.code, p.digest) = (s.device_id, s.fix_time, s.code, s.digest);
    FOR i IN 0 .. 3 LOOP
        part := ARRAY(SELECT n FROM unnest(chosen) n WHERE n % 4 = i);
        INSERT INTO pt621.position
        SELECT s.device_id, s.fix_time, s.code, s.digest, s.received_at, s.frame_seq, s.geom, s.valid, s.stored, s.speed_kmh, s.course,
               s.inputs, s.outputs, s.ignition, s.adc, s.odometer_m, s.driver, s.battery, s.gsm, s.satellites, s.gsb, s.spec, s.quality
          FROM stored s
         WHERE s.n = ANY (part);
    END LOOP;
    chosen := ARRAY(SELECT s.n FROM stored s WHERE random() < 0.05 ORDER BY random());
    UPDATE pt621.position p
       SET speed_kmh = p.speed_kmh * 2 * random(), valid = false, driver = 'D5', ignition = NOT p.ignition, adc = '{900}', inputs = ~p.inputs, fix_time = p.fix_time + interval '3 h'
      FROM stored s
     WHERE s.n = ANY (chosen)
       AND (p.device_id, p.fix_time, p.code, p.digest) = (s.device_id, s.fix_time, s.code, s.digest);
    UPDATE pt621.position p
       SET speed_kmh = s.speed_kmh, valid = s.valid, driver = s.driver, ignition = s.ignition, adc = s.adc, inputs = s.inputs, fix_time = s.fix_time
      FROM stored s
     WHERE s.n = ANY (chosen)
       AND (p.device_id, p.fix_time, p.code, p.digest) = (s.device_id, s.fix_time + interval '3 h', s.code, s.digest);
END
$$;

-- Where this round's outcome is not that of the first.
CREATE VIEW otherwise AS
SELECT 'now' AS side, x.line FROM (SELECT line FROM outcome() o (line) EXCEPT ALL SELECT f.line FROM first_outcome f) x
 UNION ALL
SELECT 'first', x.line FROM (SELECT f.line FROM first_outcome f EXCEPT ALL SELECT line FROM outcome() o (line)) x
 ORDER BY line;

-- Corrections (doc/detectors.md, 10) that are none.
CREATE VIEW odd_corrections AS
SELECT 'event' AS what, r.id, r.kind, r.at, o.id AS corrected, o.at AS of, o.superseded_at
  FROM (SELECT *, count(*) OVER (PARTITION BY corrects) AS times FROM pt621.event WHERE corrects IS NOT NULL) r
  LEFT JOIN pt621.event o ON o.id = r.corrects
 WHERE o.superseded_at IS NULL
    OR (o.device_id, o.kind, coalesce(o.geofence_id, 0), coalesce(o.object, ''))
       <> (r.device_id, r.kind, coalesce(r.geofence_id, 0), coalesce(r.object, ''))
    OR r.at - o.at NOT BETWEEN interval '-10 min' AND '10 min'
    OR r.times > 1
 UNION ALL
SELECT 'visit', r.id, NULL, r.enter_at, o.id, o.enter_at, o.superseded_at
  FROM (SELECT *, count(*) OVER (PARTITION BY corrects) AS times FROM pt621.geofence_visit WHERE corrects IS NOT NULL) r
  LEFT JOIN pt621.geofence_visit o ON o.id = r.corrects
 WHERE o.superseded_at IS NULL
    OR (o.device_id, o.geofence_id) <> (r.device_id, r.geofence_id)
    OR r.enter_at - o.enter_at NOT BETWEEN interval '-10 min' AND '10 min'
    OR r.times > 1;
RESET search_path;
