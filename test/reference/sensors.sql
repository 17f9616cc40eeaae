-- sensors.sql: section 11 of doc/detectors.md, alarms of sensors.  After reference.sql.
SET search_path = reference, public;

-- The value of a raw count: straight between the pairs of a table; a twentieth of
-- its span beyond either end still counts as the end, what is farther out as none.
CREATE FUNCTION calibrated(raw double precision[], value double precision[], count integer) RETURNS double precision
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    WITH pair AS (
        SELECT r, v, lead(r) OVER w AS next_r, lead(v) OVER w AS next_v
          FROM unnest(raw, value) p (r, v)
        WINDOW w AS (ORDER BY r)
    ), ends AS (
        SELECT min(r) AS low, max(r) AS high, (max(r) - min(r)) / 20 AS margin FROM pair
    )
    SELECT CASE WHEN count BETWEEN low - margin AND low THEN (SELECT v FROM pair WHERE r = low)
                WHEN count BETWEEN high AND high + margin THEN (SELECT v FROM pair WHERE r = high)
                ELSE (SELECT v + (next_v - v) * (count - r) / (next_r - r) FROM pair WHERE count >= r AND count < next_r) END
      FROM ends;
END;

-- What a name means on a tracker at a time, and says in a record; no row: nothing.
CREATE FUNCTION measured(device_id integer, name text, at timestamptz, adc integer[], inputs bit varying,
                         OUT unit text, OUT value double precision) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT w.unit, w.value
      FROM (SELECT c.valid, 1 AS rank, c.id, c.unit, calibrated(c.raw, c.value, adc[c.channel]) AS value
              FROM pt621.calibration c WHERE c.device_id = measured.device_id AND c.name = measured.name
             UNION ALL
            SELECT i.valid, 2, i.id, '', CASE WHEN i.number <= length(inputs) THEN (get_bit(inputs, i.number - 1) = 1) <> i.inverted END::integer
              FROM pt621.input i WHERE i.device_id = measured.device_id AND i.name = measured.name) w
     WHERE w.valid @> at
     ORDER BY lower(w.valid) DESC NULLS LAST, w.rank, w.id DESC
     LIMIT 1;
END;

-- One that was shown: from the first record that had it, until it ended.
CREATE PROCEDURE end_sensor(rule pt621.sensor_alarm, first report, shown timestamptz, until timestamptz, detail jsonb, peak jsonb)
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO event (device_id, kind, at, until, object, geom, confirmed_at, detail)
    SELECT first.device_id, 'sensor_alarm', first.at, until, rule.name, first.geom, shown,
           CASE WHEN until IS NULL THEN detail ELSE detail || peak END
     WHERE shown IS NOT NULL;
END;

CREATE PROCEDURE work_out_sensor(tracker integer, rule pt621.sensor_alarm)
LANGUAGE plpgsql
AS $$
DECLARE
    r       report;
    m       record;
    applies boolean;
    holds   boolean;                    -- NULL: nobody knows
    beyond  double precision;
    first   report;                     -- that had it; n NULL: there is none
    last_at timestamptz;                -- the last one
    shown   timestamptz;
    detail  jsonb;                      -- of the first
    worst   double precision;           -- how far it was beyond
    peak    jsonb;                      -- and then
BEGIN
    FOR r IN SELECT * FROM report WHERE device_id = tracker ORDER BY n LOOP
        SELECT * INTO m FROM measured(tracker, rule.sensor, r.at, r.adc, r.inputs);
        applies := FOUND AND rule.valid @> r.at
                   AND ((rule.devices IS NULL AND rule.groups IS NULL) OR coalesce(tracker = ANY (rule.devices), false)
                        OR coalesce(rule.groups && (device_at(tracker, r.at)).groups, false));
        beyond := greatest(m.value - rule.above, rule.below - m.value);
        holds := beyond > 0
                 AND (rule.moving IS NULL OR (CASE WHEN r.geom IS NOT NULL THEN r.speed END >= (options(r.at)).moving_from_kmh) = rule.moving);
        IF first.n IS NOT NULL AND (NOT applies OR r.at - last_at > rule.max_gap) THEN
            CALL end_sensor(rule, first, shown, last_at, detail, peak);
            first := NULL;
        END IF;
        CONTINUE WHEN NOT applies;
        IF first.n IS NOT NULL AND NOT holds AND r.at > last_at THEN
            CALL end_sensor(rule, first, shown, r.at, detail, peak);
            first := NULL;
        END IF;
        CONTINUE WHEN holds IS NOT TRUE;
        IF first.n IS NULL THEN
            first := r;
            shown := NULL;
            worst := NULL;
            detail := jsonb_strip_nulls(jsonb_build_object('sensor', rule.sensor, 'unit', nullif(m.unit, ''), 'value', m.value,
                                                           'threshold', CASE WHEN m.value > rule.above THEN rule.above ELSE rule.below END));
        END IF;
        IF worst IS NULL OR beyond > worst THEN
            worst := beyond;
            peak := jsonb_build_object('peak', m.value, 'peak_at', r.at);
        END IF;
        last_at := r.at;
        IF shown IS NULL AND r.at - first.at >= rule.lasting THEN
            shown := r.at;
        END IF;
    END LOOP;
    IF first.n IS NOT NULL THEN
        CALL end_sensor(rule, first, shown, NULL, detail, peak);
    END IF;
END
$$;

CREATE PROCEDURE work_out_sensors(tracker integer)
LANGUAGE plpgsql
AS $$
DECLARE
    rule pt621.sensor_alarm;
BEGIN
    FOR rule IN SELECT * FROM pt621.sensor_alarm LOOP
        CALL work_out_sensor(tracker, rule);
    END LOOP;
END
$$;
RESET search_path;
