-- day.sql: a simulated day, 2025-03-01 UTC, of trackers among fences: what they sent, as it
-- came on the wire.
--
-- The same seed makes the same day.  After compare.sql, by a superuser, in a
-- database without trackers and fences:
--
--   CALL reference.make_fleet();            devices, fences, options of detection
--   CALL reference.make_day(0.621);         fills reference.sent
SET search_path = reference, public;

-- What was sent.  Records with one time of receipt may come in one value.
CREATE UNLOGGED TABLE sent (
    n           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    record      bytea NOT NULL
);

-- ------------------------------------------------------------------ the ground --

-- Three towns, where places are metres east and north of the middle; the second
-- lies on the antimeridian, the third beyond the polar circle.
CREATE FUNCTION lon(town integer, x double precision, y double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN (ARRAY[114, 180, 19])[town] + x / (111320 * cos(radians((ARRAY[22.5, -17, 69.65])[town])));

CREATE FUNCTION lat(town integer, x double precision, y double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN (ARRAY[22.5, -17, 69.65])[town] + y / 110600;

-- A line through places, x and y in turns.
CREATE FUNCTION line(town integer, VARIADIC xy double precision[]) RETURNS geometry
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT ST_MakeLine(ST_SetSRID(ST_MakePoint(lon(town, xy[i], xy[i + 1]), lat(town, xy[i], xy[i + 1])), 4326) ORDER BY i)
      FROM generate_series(1, cardinality(xy), 2) i;
END;

CREATE FUNCTION spot(town integer, x double precision, y double precision) RETURNS geometry
LANGUAGE sql IMMUTABLE
RETURN ST_SetSRID(ST_MakePoint(lon(town, x, y), lat(town, x, y)), 4326);

-- A box round a place, without a smaller one when `hole` says so.
CREATE FUNCTION box(town integer, x double precision, y double precision, width double precision, height double precision,
                    hole double precision DEFAULT 0) RETURNS geometry
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN hole = 0 THEN ST_MakePolygon(o.ring)
                ELSE ST_MakePolygon(o.ring, ARRAY[line(town, x - w * hole, y - h * hole, x - w * hole, y + h * hole,
                                                      x + w * hole, y + h * hole, x + w * hole, y - h * hole, x - w * hole, y - h * hole)]) END
      FROM (SELECT width / 2 AS w, height / 2 AS h,
                   line(town, x - width / 2, y - height / 2, x + width / 2, y - height / 2, x + width / 2, y + height / 2,
                        x - width / 2, y + height / 2, x - width / 2, y - height / 2) AS ring) o;
END;

-- Where trackers go: middles of fences, and how far from there it is interesting.
CREATE TABLE goal (
    n     integer PRIMARY KEY,
    town  integer NOT NULL,
    x     double precision NOT NULL,
    y     double precision NOT NULL,
    reach double precision NOT NULL
);

-- ------------------------------------------------------------------- the fleet --

-- Redraws a fence at some moment of the day: the version at that moment ends, and
-- another begins, moved by metres to the east.
CREATE PROCEDURE redraw(fence text, at timestamptz, east double precision, changes jsonb DEFAULT '{}', until timestamptz DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
    v pt621.geofence_version;
BEGIN
    SELECT x.* INTO STRICT v FROM pt621.geofence_version x JOIN pt621.geofence g ON g.id = x.geofence_id
     WHERE g.name = fence AND x.valid @> at;
    UPDATE pt621.geofence_version x SET valid = tstzrange(lower(x.valid), at)
     WHERE x.geofence_id = v.geofence_id AND x.revision = v.revision;
    v := jsonb_populate_record(v, changes);
    v.revision := nextval('pt621.geofence_revision_seq');
    v.valid := tstzrange(coalesce(until, at), upper(v.valid));
    v.shape := ST_Translate(v.shape, lon(1, east, 0) - lon(1, 0, 0), 0);
    INSERT INTO pt621.geofence_version SELECT v.*;
    UPDATE pt621.geofence_stamp SET revision = nextval('pt621.geofence_revision_seq');
END
$$;

CREATE PROCEDURE make_fleet(trackers integer DEFAULT 20)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
BEGIN
    -- All of the first town but the last two.  Groups and limits of some changed in
    -- the course of the day: device_version has what was before.
    INSERT INTO pt621.device (ident, groups, ignition_input, speed_limit_kmh)
    SELECT to_char(i, 'FM00000'), CASE i % 4 WHEN 0 THEN '{red}' WHEN 1 THEN '{blue,red}' ELSE '{}' END::text[],
           CASE WHEN i % 7 <> 6 THEN 4 END, CASE i % 5 WHEN 0 THEN 80 END
      FROM generate_series(1, trackers) i
     ORDER BY i;
    INSERT INTO pt621.device_version (device_id, valid, groups, speed_limit_kmh)
    SELECT d.id, tstzrange(NULL, '2025-03-01 12:00+00'), CASE d.id % 3 WHEN 0 THEN '{red}' ELSE '{}' END::text[], 60
      FROM pt621.device d WHERE d.id % 3 <> 1;
    INSERT INTO pt621.device_version (device_id, valid, groups, speed_limit_kmh)
    SELECT d.id, tstzrange('2025-03-01 12:00+00', '2025-03-01 16:00+00'), '{green}', NULL
      FROM pt621.device d WHERE d.id % 6 = 0;
    UPDATE pt621.device d
       SET options_since = (SELECT max(upper(v.valid)) FROM pt621.device_version v WHERE v.device_id = d.id)
     WHERE EXISTS (SELECT FROM pt621.device_version v WHERE v.device_id = d.id);

    INSERT INTO pt621.detection (valid_from, speed_limit_kmh) VALUES ('2025-01-01 00:00+00', 110);
    INSERT INTO pt621.detection (valid_from, speed_limit_kmh, overspeed_tolerance_kmh, overspeed_min, overspeed_merge, overspeed_gap,
                                 ignition_debounce, moving_from_kmh, still_below_kmh, motion_start_after, motion_stop_after, motion_gap,
                                 pass_gap, plausible_kmh, repeat_after)
    VALUES ('2025-03-01 15:00+00', 90, 1.5, '8 s', '6 s', '60 s', '4 s', 5, 3, '20 s', '60 s', '10 min', '120 s', 160, '8 min');

    INSERT INTO pt621.geofence (name, geom, radius_m, valid, devices, groups, min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out,
                                exit_buffer_m, dwell_after, interpolate, speed_limit_kmh, schedule, time_zone)
    SELECT f.name, f.geom, f.radius_m,
           CASE f.name WHEN 'ended' THEN '[2025-01-01 00:00+00, 2025-03-01 10:00+00)' WHEN 'future' THEN '[2025-03-01 14:00+00,)'
                       WHEN 'shift' THEN '[2025-03-01 06:00+00, 2025-03-01 20:00+00)' ELSE '[2025-01-01 00:00+00,)' END::tstzrange,
           CASE f.name WHEN 'delta' THEN ARRAY(SELECT d.id FROM pt621.device d WHERE d.id % 2 = 0)
                       WHEN 'echo' THEN ARRAY(SELECT d.id FROM pt621.device d WHERE d.id % 5 = 1) END,
           CASE f.name WHEN 'charlie' THEN '{red}' WHEN 'echo' THEN '{red,green}' END::text[],
           f.dwell_in::interval, f.dwell_out::interval, f.fixes_in, f.fixes_out, f.buffer,
           f.dwell::interval, f.interpolate, f.speed, f.schedule, coalesce(f.zone, 'UTC')
      FROM (VALUES
        -- name, shape, radius, dwell in, out, fixes in, out, buffer, dwell, interpolate, limit, hours, zone
        ('depot',    spot(1, 0, 0),               300, '0',    '0',    1, 2, NULL, '300 s', false, NULL, NULL, NULL),
        ('yard',     spot(1, 200, 100),           150, '40 s', '60 s', 2, 2, 30,   '60 s',  false, 20,   NULL, NULL),
        ('town',     box(1, 3000, 0, 2500, 2500, 0.2), NULL, '0', '0', 1, 2, NULL, NULL,    true,  50,   NULL, NULL),
        ('school',   spot(1, 3200, 800),          250, '0',    '0',    1, 2, 20,   '90 s',  false, 30,   'Mo-Su 06:00-09:30; Sa 12:00-15:00', 'Asia/Shanghai'),
        ('highway',  line(1, -4000, -1500, 0, -1700, 4000, -1500), 40, '0', '0', 1, 2, NULL, NULL, true, 80, NULL, NULL),
        ('islands',  ST_Collect(box(1, -2000, 2000, 400, 400), box(1, -1400, 2000, 400, 400)), NULL, '0', '30 s', 1, 2, 100, NULL, true, NULL, NULL, NULL),
        ('gate',     box(1, -800, 0, 40, 40),     NULL, '0',   '0',    1, 2, 5,    NULL,    false, NULL, NULL, NULL),
        ('barrier',  spot(1, 900, 300),           25,  '0',    '0',    1, 1, 0,    NULL,    true,  NULL, NULL, NULL),
        ('toll',     box(1, 1500, -1600, 30, 500), NULL, '0',  '0',    1, 2, 0,    NULL,    true,  NULL, NULL, NULL),
        ('alfa',     spot(1, 1000, 2500),         120, '0',    '0',    1, 2, 100,  '120 s', true,  NULL, NULL, NULL),
        ('bravo',    box(1, -2500, -600, 300, 300), NULL, '0', '0',    1, 1, 0,    '45 s',  false, NULL, NULL, NULL),
        ('charlie',  spot(1, 1000, -800),         200, '0',    '0',    1, 3, 20,   NULL,    false, 40,   NULL, NULL),
        ('delta',    spot(1, -600, 900),          220, '20 s', '0',    1, 2, 20,   '1 s',   true,  NULL, NULL, NULL),
        ('echo',     box(1, -700, 950, 500, 200), NULL, '0',   '20 s', 3, 2, 15,   NULL,    true,  60,   NULL, NULL),
        ('ended',    spot(1, 100, -100),          400, '0',    '0',    1, 2, 20,   NULL,    false, NULL, NULL, NULL),
        ('future',   spot(1, 150, 50),            350, '0',    '0',    1, 2, 20,   NULL,    true,  NULL, NULL, NULL),
        ('shift',    spot(1, 2000, 300),          600, '0',    '0',    1, 2, 20,   NULL,    true,  70,   NULL, NULL),
        ('night',    box(1, 0, 0, 3000, 3000),    NULL, '0',   '0',    1, 2, 20,   '30 s',  false, 40,   'Fr,Sa 22:00-05:00', 'Asia/Shanghai'),
        ('weekend',  box(1, 200, 200, 900, 900),  NULL, '0',   '0',    1, 2, 20,   NULL,    true,  NULL, 'Sa-Su 00:00-24:00', 'America/New_York'),
        ('moved',    spot(1, 900, 350),           180, '0',    '0',    1, 2, 20,   '60 s',  true,  NULL, NULL, NULL),
        ('reworked', box(1, 2900, -900, 600, 500), NULL, '60 s', '0',  2, 2, 0,    NULL,    false, 30,   NULL, NULL),
        ('regroup',  spot(1, -900, 100),          150, '0',    '0',    1, 2, 20,   NULL,    true,  NULL, NULL, NULL),
        ('paused',   box(1, 500, 500, 1500, 1500), NULL, '0',  '0',    1, 2, 20,   '200 s', false, NULL, NULL, NULL),
        ('county',   box(1, 0, 0, 30000, 30000),  NULL, '0',   '0',    1, 2, 1000, '4 h',   false, 100,  NULL, NULL),
        ('ring',     ST_MakePolygon(ST_ExteriorRing(ST_Buffer(spot(1, -1500, -500)::geography, 250)::geometry),
                                    ARRAY[ST_ExteriorRing(ST_Buffer(spot(1, -1500, -500)::geography, 120)::geometry)]),
                                                  NULL, '30 s', '0',   1, 2, 10,   NULL,    true,  NULL, NULL, NULL),
        ('dateline', box(2, 0, 0, 900, 700),      NULL, '0',   '0',    1, 2, 50,   '100 s', true,  50,   NULL, NULL),
        ('buoy',     spot(2, 400, 500),           300, '0',    '0',    1, 2, 50,   NULL,    false, NULL, NULL, NULL),
        ('narrow',   line(2, -2000, 900, 2000, 1000), 20, '0', '0',    1, 2, NULL, NULL,    true,  NULL, NULL, NULL),
        ('fjord',    spot(3, 0, 0),               700, '0',    '0',    1, 2, 40,   '100 s', true,  60,   NULL, NULL),
        ('tunnel',   line(3, -1500, 0, 1500, 300), 30, '0',    '0',    2, 2, 0,    NULL,    false, NULL, NULL, NULL)
      ) f (name, geom, radius_m, dwell_in, dwell_out, fixes_in, fixes_out, buffer, dwell, interpolate, speed, schedule, zone);

    -- Sensors: some are wired otherwise from noon on, some trackers have none.
    INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value, valid)
    SELECT d.id, 'cold', 1, 'C', '{0,400,800,930}', '{-40,0,30,60}', tstzrange(NULL, CASE d.id % 4 WHEN 2 THEN timestamptz '2025-03-01 11:00+00' END)
      FROM pt621.device d WHERE d.id % 5 <> 4;
    INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value, valid)
    SELECT d.id, 'cold', 1 + d.id % 2, 'F', '{0,1000}', '{-10,50}', '[2025-03-01 12:00+00,)'
      FROM pt621.device d WHERE d.id % 3 = 1;
    INSERT INTO pt621.input (device_id, name, number, inverted, valid)
    SELECT d.id, 'door', 2, d.id % 4 = 3, CASE d.id % 6 WHEN 5 THEN '(,2025-03-01 15:00+00]' ELSE '(,)' END::tstzrange FROM pt621.device d;
    INSERT INTO pt621.sensor_alarm (name, sensor, above, below, lasting, max_gap, moving, devices, groups, valid)
    VALUES ('warm',          'cold', 8,    NULL, '10 min', '24 h',   NULL,  NULL,            NULL,          '(,)'),
           ('hot',           'cold', 25,   NULL, '0',      '30 min', NULL,  NULL,            '{red,green}', '(,)'),
           ('out of band',   'cold', 20,   -10,  '2 min',  '15 min', NULL,  NULL,            NULL,          '[2025-03-01 06:00+00, 2025-03-01 18:00+00]'),
           ('door driving',  'door', 0,    NULL, '0',      '24 h',   true,  NULL,            NULL,          '(2025-03-01 02:00+00,)'),
           ('door standing', 'door', 0.5,  NULL, '1 min',  '1 h',    false, '{1,3,5,7,9}',   '{blue}',      '(,)'),
           ('door shut',     'door', NULL, 1,    '0',      '5 min',  NULL,  NULL,            NULL,          '(,)');

    CALL redraw('moved', '2025-03-01 11:00+00', 150);
    CALL redraw('moved', '2025-03-01 17:00+00', -80);
    CALL redraw('reworked', '2025-03-01 13:00+00', 0, '{"min_dwell_in": "0 s", "min_fixes_in": 1, "interpolate": true, "exit_buffer_m": 60, "speed_limit_kmh": 45}');
    CALL redraw('regroup', '2025-03-01 09:00+00', 0, '{"groups": ["red"]}');
    CALL redraw('regroup', '2025-03-01 18:00+00', 60, '{"groups": null}');
    CALL redraw('paused', '2025-03-01 08:00+00', 0, until => '2025-03-01 08:40+00');
    CALL redraw('paused', '2025-03-01 13:20+00', 100, until => '2025-03-01 13:20:30+00');
    INSERT INTO goal
    SELECT row_number() OVER (ORDER BY t.town, t.x, t.y), t.*
      FROM (VALUES (1, 0, 0, 300), (1, 200, 100, 150), (1, 3000, 0, 1250), (1, 3200, 800, 250), (1, 1500, -1600, 200), (1, -1500, -1600, 100),
                   (1, -2000, 2000, 250), (1, -1400, 2000, 250), (1, -800, 0, 40), (1, 900, 300, 40), (1, 1000, 2500, 150), (1, -2500, -600, 180),
                   (1, 1000, -800, 200), (1, -600, 900, 220), (1, 2000, 300, 600), (1, 2900, -900, 300), (1, 500, 500, 750), (1, -1500, -500, 250),
                   (1, 1000, 350, 180), (1, 15000, 0, 900),
                   (2, 0, 0, 450), (2, 400, 500, 300), (2, 300, 950, 60), (3, 0, 0, 700), (3, 600, 200, 80)) t (town, x, y, reach);
END
$$;

-- -------------------------------------------------------------------- the day --

-- What is wired: a thermometer and a door, which change slowly, but for a few
-- records that say otherwise.
CREATE FUNCTION adc(ident text, at timestamptz, number integer) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN number % 12 = 1 THEN ''
            ELSE to_hex((500 + 420 * sin(extract(epoch FROM at) / 2400 + ident::integer) + number % 60)::integer)
                 || CASE WHEN number % 7 = 0 THEN ',1F' ELSE '' END END;

CREATE FUNCTION door(ident text, at timestamptz, number integer) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN (div(extract(epoch FROM at)::bigint, 400) + ident::integer) % 3 = 0 THEN 1 - (number % 11 = 0)::integer
            ELSE (number % 11 = 0)::integer END;

-- One record as a tracker writes it.
CREATE FUNCTION wire(ident text, at timestamptz, code text, flag text, lon double precision, lat double precision,
                     kmh double precision, inputs text, driver text, number integer, ending text) RETURNS bytea
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT convert_to(concat('$', code, ',', ident, ',', to_char(at AT TIME ZONE 'UTC', 'HH24MISS.MS'), ',', flag, ',',
                             to_char(div(m.lat, 60), 'FM00'), to_char(mod(m.lat, 60), 'FM00.0000'), ',', CASE WHEN wire.lat < 0 THEN 'S' ELSE 'N' END, ',',
                             to_char(div(m.lon, 60), 'FM000'), to_char(mod(m.lon, 60), 'FM00.0000'), ',', CASE WHEN m.west THEN 'W' ELSE 'E' END, ',',
                             to_char(kmh / 1.852, 'FM9990.00'), ',90.0,', to_char(at AT TIME ZONE 'UTC', 'DDMMYY'),
                             ',,,A/', CASE WHEN length(inputs) = 5 THEN overlay(inputs PLACING door(ident, at, number) FROM 2) ELSE inputs END,
                             ',00000/', adc(ident, at, number), '/', number, '/', driver, '/f73//', ending), 'SQL_ASCII')
      FROM (SELECT round(abs(lat)::numeric * 60, 4) AS lat,
                   round(abs(CASE WHEN lon > 180 THEN lon - 360 ELSE lon END)::numeric * 60, 4) AS lon,
                   lon > 180 OR lon < 0 AS west) m;
END;

-- What a tracker sends at one moment: mostly one record.
CREATE PROCEDURE send(tracker integer, at timestamptz, town integer, x double precision, y double precision, kmh double precision,
                      ignition boolean, driver text, is_stored boolean, code text DEFAULT 'POS')
LANGUAGE plpgsql
AS $$
DECLARE
    ident   text := to_char(tracker, 'FM00000');
    ending  text := CASE WHEN is_stored THEN E'#\n' ELSE E'\r\n' END;
    -- Few times of receipt, so that records can come together.
    receipt timestamptz := date_bin('12 h', at, '2025-03-01 00:00+00') + CASE WHEN is_stored THEN interval '24 h' ELSE '12 h' END;
    inputs  text := CASE WHEN random() < 0.02 THEN '00' WHEN ignition THEN '00010' ELSE '00000' END;
    flag    text := CASE WHEN random() < 0.04 THEN 'V' ELSE 'A' END;
    number  integer := 1000 + random() * 1000;
    luck    double precision := random();
BEGIN
    INSERT INTO sent (received_at, record)
    VALUES (receipt, wire(ident, at, code, flag, lon(town, x, y), lat(town, x, y),
                          CASE WHEN random() < 0.01 THEN NULL ELSE kmh END, inputs, driver, number, ending));
    IF luck < 0.05 THEN
        -- the same again: live, and from memory
        INSERT INTO sent (received_at, record)
        VALUES (receipt + interval '12 h', wire(ident, at, code, flag, lon(town, x, y), lat(town, x, y), kmh, inputs, driver, number, E'#\n'));
    ELSIF luck < 0.09 THEN
        -- the same moment, with another code
        INSERT INTO sent (received_at, record)
        VALUES (receipt, wire(ident, at, (ARRAY['IN1', 'SPD', 'GOF', 'GEO', 'IN4', 'CPA', 'LPA', 'XYZ'])[1 + floor(random() * 8)], flag,
                              lon(town, x, y), lat(town, x, y), kmh, inputs, driver, number, ending));
    ELSIF luck < 0.11 THEN
        -- the same moment, with another place, speed, driver and ignition
        INSERT INTO sent (received_at, record)
        SELECT receipt, wire(ident, at, (ARRAY['POS', 'POS', 'AD1'])[1 + floor(random() * 3)], 'A',
                             lon(town, x + random() * 300, y), lat(town, x, y + random() * 300),
                             kmh * 2 * random(), CASE WHEN random() < 0.5 THEN '00010' ELSE '00000' END,
                             (ARRAY['', 'D1', 'D2', 'D3'])[1 + floor(random() * 4)], number + i, ending)
          FROM generate_series(1, 1 + floor(random() * 3)::integer) i;
    ELSIF luck < 0.115 THEN
        INSERT INTO sent (received_at, record)
        VALUES (receipt, wire(ident, at + interval '1.5 s', 'POS', 'A', 0, 0, 0, inputs, '', number, ending));      -- null island
    ELSIF luck < 0.12 THEN
        INSERT INTO sent (received_at, record)
        VALUES (receipt, wire(ident, '2000-01-01 00:00:10+00', 'POS', 'A', lon(town, 0, 0), lat(town, 0, 0), 200, '00010', 'D9', number, ending));
    ELSIF luck < 0.125 THEN
        INSERT INTO sent (received_at, record)
        VALUES (receipt, wire(ident, at + interval '2.5 s' - interval '7168 days', 'POS', 'A', lon(town, x, y), lat(town, x, y), kmh, inputs, '', number, ending));
    END IF;
END
$$;

CREATE PROCEDURE make_day(seed double precision, trackers integer DEFAULT 20)
LANGUAGE plpgsql
SET search_path = reference, public
AS $$
<<day>>
DECLARE
    at        timestamptz;
    town      integer;
    x         double precision;
    y         double precision;
    goal      goal;
    to_x      double precision;
    to_y      double precision;
    steps     integer;
    kmh       double precision;
    every     double precision;
    ignition  boolean;
    driver    text;
    is_stored boolean;
    wait      double precision;
    what      text;
    busy      integer;
BEGIN
    TRUNCATE sent RESTART IDENTITY;
    PERFORM setseed(seed);
    FOR tracker IN 1 .. trackers LOOP
        town := CASE trackers - tracker WHEN 0 THEN 2 WHEN 1 THEN 3 ELSE 1 END;
        at := '2025-03-01 00:00:10+00'::timestamptz + random() * interval '1 h';
        at := date_trunc('second', at);
        SELECT g.* INTO goal FROM goal g WHERE g.town = day.town ORDER BY random() LIMIT 1;
        x := goal.x + (random() - 0.5) * goal.reach;
        y := goal.y;
        ignition := random() < 0.3;
        -- Every fifth is busy.
        busy := CASE tracker % 5 WHEN 0 THEN 4 ELSE 1 END;
        FOR activity IN 1 .. 13 * busy LOOP
            -- Silence, short or long.
            wait := CASE WHEN random() < 0.45 THEN 5 + random() * 240 ELSE 600 + random() * 8000 / busy END;
            EXIT WHEN at + wait * interval '1 s' > '2025-03-01 23:00+00';
            at := date_trunc('second', at + wait * interval '1 s');
            is_stored := random() < 0.3;
            driver := CASE WHEN random() < 0.4 THEN 'D' || 1 + floor(random() * 4) ELSE '' END;
            SELECT g.* INTO goal FROM goal g WHERE g.town = day.town ORDER BY random() LIMIT 1;
            what := (ARRAY['drive', 'drive', 'stop', 'edge', 'edge', 'pass', 'race', 'race', 'key', 'battery'])[1 + floor(random() * 10)];
            IF what = 'drive' THEN
                -- From where it is, or somewhere near the goal, to the goal and beyond.
                IF sqrt((x - goal.x) ^ 2 + (y - goal.y) ^ 2) > 4000 THEN
                    x := goal.x + (random() - 0.5) * 4000;
                    y := goal.y + (random() - 0.5) * 4000;
                END IF;
                to_x := goal.x + (random() - 0.5) * 2.6 * goal.reach;
                to_y := goal.y + (random() - 0.5) * 2.6 * goal.reach;
                kmh := (ARRAY[15, 30, 45, 60, 85, 120])[1 + floor(random() * 6)];
                steps := 5 + floor(random() * 10);
                every := greatest(1, round(sqrt((to_x - x) ^ 2 + (to_y - y) ^ 2) / steps * 3.6 / kmh));
                ignition := true;
                FOR i IN 1 .. steps LOOP
                    at := at + every * interval '1 s';
                    CALL send(tracker, at, town, x + (to_x - x) * i / steps, y + (to_y - y) * i / steps, kmh * (0.8 + 0.4 * random()),
                              ignition, CASE WHEN i < 3 THEN driver ELSE '' END, is_stored);
                END LOOP;
                x := to_x;
                y := to_y;
            ELSIF what = 'stop' THEN
                ignition := random() < 0.2;
                FOR i IN 1 .. 4 + floor(random() * 6)::integer LOOP
                    at := date_trunc('second', at + (5 + random() * 90) * interval '1 s');
                    CALL send(tracker, at, town, x + random() * 10, y + random() * 10, random() ^ 3 * 4, ignition, '', is_stored);
                END LOOP;
            ELSIF what = 'edge' THEN
                -- Here and there near the border.
                FOR i IN 1 .. 6 + floor(random() * 8)::integer LOOP
                    at := date_trunc('second', at + (5 + random() * 50) * interval '1 s');
                    kmh := random() * 2 * pi();
                    wait := goal.reach * (0.5 + 0.8 * random());
                    x := goal.x + wait * cos(kmh);
                    y := goal.y + wait * sin(kmh);
                    CALL send(tracker, at, town, x, y, 10 + random() * 30, ignition, CASE WHEN random() < 0.1 THEN driver ELSE '' END, is_stored);
                END LOOP;
            ELSIF what = 'pass' THEN
                -- From one side to the other, without a fix between.
                kmh := 20 + random() * 80;
                wait := random() * 2 * pi();
                FOR i IN 0 .. 3 LOOP
                    x := goal.x + (i - 1.5) * (goal.reach + 60) * 2 * cos(wait) + (random() - 0.5) * 0.6 * goal.reach;
                    y := goal.y + (i - 1.5) * (goal.reach + 60) * 2 * sin(wait) + (random() - 0.5) * 0.6 * goal.reach;
                    at := date_trunc('second', at + ((goal.reach + 60) * 2 / kmh * 3.6 + 1) * interval '1 s');
                    CALL send(tracker, at, town, x, y, kmh, true, '', is_stored);
                END LOOP;
            ELSIF what = 'race' THEN
                -- About some limit, for longer and shorter.
                kmh := (ARRAY[20, 30, 50, 60, 80, 110])[1 + floor(random() * 6)];
                x := goal.x + (random() - 0.5) * goal.reach;
                y := goal.y + (random() - 0.5) * goal.reach;
                FOR i IN 1 .. 12 + floor(random() * 10)::integer LOOP
                    every := 1 + floor(random() * 6);
                    at := at + every * interval '1 s';
                    x := x + kmh / 3.6 * every * (0.9 + 0.2 * random());
                    CALL send(tracker, at, town, x, y, kmh + 3 + (random() - 0.4) * 12, true, '', is_stored);
                END LOOP;
            ELSIF what = 'key' THEN
                FOR i IN 1 .. 5 + floor(random() * 5)::integer LOOP
                    ignition := random() < 0.5;
                    at := at + (0.5 + floor(random() * 12) / 2) * interval '1 s';
                    CALL send(tracker, at, town, x, y, random() * 3, ignition, driver, is_stored);
                END LOOP;
            ELSE
                FOR i IN 1 .. 3 + floor(random() * 3)::integer LOOP
                    at := date_trunc('second', at + random() * 2400 * interval '1 s');
                    CALL send(tracker, at, town, x + random(), y, 0, false, '', is_stored, CASE WHEN activity % 2 = 0 THEN 'CPA' ELSE 'LPA' END);
                END LOOP;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
RESET search_path;
