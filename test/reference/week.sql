-- week.sql: some simulated days of trackers, from 2025-03-28 on, for reports: what is
-- driven, parked, waited for, towed, silent and wrong.
--
-- The same seed makes the same days.  After day.sql and permute.sql, by a superuser, in a
-- database without trackers:
--
--   CALL reference.make_week(0.621);        devices, and fills reference.stored
SET search_path = reference, public;

CREATE SEQUENCE row_number;

-- One row as stored; some with another at the same time, some wrong.
CREATE PROCEDURE put(tracker integer, at timestamptz, x double precision, y double precision, kmh double precision,
                     ignition boolean, driver text, odometer double precision)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
DECLARE
    luck double precision := random();
    town integer := CASE tracker % 6 WHEN 5 THEN 2 WHEN 4 THEN 3 ELSE 1 END;
    row  stored;
BEGIN
    row.n := nextval('row_number');
    row.device_id := tracker;
    row.fix_time := at;
    row.code := 'POS';
    row.digest := row.n;
    row.received_at := at + interval '1 s';
    row.geom := spot(town, x, y);
    row.valid := true;
    row.stored := false;
    row.speed_kmh := CASE WHEN random() > 0.02 THEN greatest(kmh, 0) END;
    row.ignition := CASE WHEN random() > 0.1 THEN ignition END;
    row.driver := driver;
    row.odometer_m := CASE WHEN random() > 0.2 THEN odometer END;
    row.quality := 0;
    -- A tank of 200 l that is filled when it is nearly empty, and sloshes.
    row.adc := ARRAY[(3900 - (odometer / 15)::bigint % 3500 + random() * 60)::integer];
    -- As the antimeridian has it.
    IF ST_X(row.geom) > 180 THEN
        row.geom := ST_SetSRID(ST_MakePoint(ST_X(row.geom) - 360, ST_Y(row.geom)), 4326);
    END IF;
    IF luck < 0.01 THEN
        row.geom := spot(town, x + 30000, y);                            -- far away, for a moment
    ELSIF luck < 0.02 THEN
        row.valid := false;
        row.geom := CASE WHEN random() < 0.5 THEN row.geom END;
    ELSIF luck < 0.025 THEN
        row.geom := ST_SetSRID(ST_MakePoint(0, 0), 4326);
        row.quality := 32768;
    ELSIF luck < 0.03 THEN
        row.quality := 65536;
    END IF;
    INSERT INTO stored SELECT row.*;
    IF luck BETWEEN 0.5 AND 0.52 THEN
        row.n := nextval('row_number');
        row.code := (ARRAY['IN1', 'SPD', 'ZZZ'])[1 + floor(random() * 3)];
        row.geom := spot(1, x + random() * 100, y);
        row.ignition := NOT ignition;
        row.odometer_m := NULL;
        INSERT INTO stored SELECT row.*;
    END IF;
END
$$;

CREATE PROCEDURE make_week(seed double precision, trackers integer DEFAULT 10, days integer DEFAULT 2)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
<<week>>
DECLARE
    at        timestamptz;
    ends      timestamptz;
    until     timestamptz := '2025-03-28 00:00+00'::timestamptz + make_interval(days => days);
    every     double precision;
    x         double precision;
    y         double precision;
    odometer  double precision;
    heading   double precision;
    kmh       double precision;
    shake     double precision;
    ignition  boolean;
    driver    text;
    what      text;
    took      double precision;
BEGIN
    DELETE FROM stored;
    PERFORM setval('row_number', 1, false);
    PERFORM setseed(seed);
    INSERT INTO pt621.device (id, ident, time_zone)
    SELECT i, to_char(i, 'FM00000'), (ARRAY['UTC', 'Europe/Berlin', 'Pacific/Auckland', 'America/St_Johns'])[1 + i % 4]
      FROM generate_series(1, trackers) i
        ON CONFLICT (id) DO UPDATE SET time_zone = excluded.time_zone;
    FOR tracker IN 1 .. trackers LOOP
        at := date_trunc('second', '2025-03-28 00:00+00'::timestamptz + random() * interval '6 h');
        x := (random() - 0.5) * 1000;
        y := (random() - 0.5) * 1000;
        odometer := floor(random() * 200000);
        WHILE at < until LOOP
            what := (ARRAY['drive', 'drive', 'drive', 'drive', 'wait', 'wait', 'park', 'park', 'park', 'crawl', 'silence', 'far',
                           'tow', 'key', 'reset', 'hop', 'burst'])[1 + floor(random() * 17)];
            -- Nights are long.
            IF random() < 0.1 THEN
                at := at + interval '8 h';
            END IF;
            every := (ARRAY[15, 30, 60, 120, 240])[1 + floor(random() * 5)];
            driver := CASE WHEN random() < 0.3 THEN 'D' || 1 + floor(random() * 4) END;
            took := CASE what WHEN 'drive' THEN 120 + 2400 * random() ^ 2 WHEN 'wait' THEN 20 + 500 * random() WHEN 'park' THEN 200 + 20000 * random() ^ 3
                              WHEN 'crawl' THEN 300 + 900 * random() WHEN 'silence' THEN 3000 + 9000 * random() WHEN 'far' THEN 3000 + 9000 * random()
                              WHEN 'tow' THEN 600 + 3000 * random() WHEN 'hop' THEN 60 ELSE 30 END;
            ends := at + make_interval(secs => took);
            IF what IN ('silence', 'far') THEN
                at := date_trunc('second', ends);
                IF what = 'far' THEN
                    x := x + (random() - 0.5) * 1000;
                    y := y + (random() - 0.5) * 40000;
                    odometer := odometer + 20000 * random();
                END IF;
            ELSIF what = 'reset' THEN
                odometer := floor(CASE WHEN random() < 0.5 THEN random() * 1000 ELSE odometer + random() * 100000 END);
            ELSIF what = 'hop' THEN
                -- Some hundred metres from rest to rest.
                x := x + 80 + 240 * random();
                odometer := odometer + 200;
            END IF;
            heading := random() * 2 * pi();
            shake := (ARRAY[1, 5, 15, 60, 130])[1 + floor(random() * 5)];
            ignition := CASE what WHEN 'park' THEN random() < 0.2 WHEN 'tow' THEN false WHEN 'drive' THEN true WHEN 'wait' THEN random() < 0.8
                                  ELSE random() < 0.5 END;
            -- Of some nothing is wired, of some it never was on.
            ignition := CASE tracker % 5 WHEN 0 THEN NULL WHEN 1 THEN ignition AND tracker > 1 ELSE ignition END;
            kmh := 10 + 90 * random();
            WHILE at < ends AND what NOT IN ('silence', 'far', 'reset') LOOP
                at := CASE WHEN what = 'burst' THEN at + 0.2 * ceil(2 * random()) * interval '1 s'
                           ELSE date_trunc('second', at + make_interval(secs => every * (0.8 + 0.4 * random()))) END;
                IF what = 'burst' THEN
                    -- Many records a second.
                    y := y + 3 * random();
                    odometer := odometer + 2;
                    CALL put(tracker, at, x + shake * (random() - 0.5), y, random() * 20, ignition, driver, odometer);
                ELSIF what IN ('drive', 'tow') THEN
                    kmh := greatest(0, kmh + (random() - 0.5) * 20);
                    heading := heading + (random() - 0.5) * 0.6;
                    x := x + cos(heading) * kmh / 3.6 * every;
                    y := y + sin(heading) * kmh / 3.6 * every;
                    odometer := odometer + kmh / 3.6 * every;
                    CALL put(tracker, at, x, y, kmh, ignition, driver, odometer);
                    driver := CASE WHEN random() < 0.1 THEN driver END;
                ELSIF what = 'crawl' THEN
                    x := x + every * (0.1 + 0.5 * random());
                    CALL put(tracker, at, x, y, random() * 4, ignition, NULL, odometer);
                ELSIF what = 'key' THEN
                    at := date_trunc('second', at - make_interval(secs => every * 0.7)) + interval '0.5 s' * floor(random() * 4);
                    ignition := CASE WHEN ignition IS NOT NULL AND tracker > 1 THEN random() < 0.5 ELSE ignition END;
                    CALL put(tracker, at, x, y, random() * 3, ignition, driver, odometer);
                ELSE
                    -- Standing; a lost satellite is a shake of its own.
                    CALL put(tracker, at, x + shake * (random() - 0.5), y + shake * (random() - 0.5),
                             CASE WHEN random() < 0.1 THEN 6 * random() ELSE random() END, ignition,
                             CASE WHEN random() < 0.05 THEN driver END, odometer);
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
END
$$;
RESET search_path;
