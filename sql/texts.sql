-- texts.sql: texts that trackers send by SMS.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\pset null '(null)'
\set VERBOSITY default
\set SHOW_CONTEXT never
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.event, pt621.command, pt621.command_log;

-- ---------------------------------------------------------------- 1. places --

CREATE VIEW pg_temp.stated AS
SELECT * FROM (VALUES
    -- links
    (101, 'http://maps.google.com/?q=52.5165,13.3777'),
    (102, 'SOS! http://maps.google.com/maps?q=N52.5165,E13.3777 bat 80%'),
    (103, 'https://maps.google.com/maps?f=q&q=52.5165%2C13.3777&z=16'),
    (104, 'http://maps.google.com/maps?q=loc:52.5165,13.3777'),
    (105, 'https://www.google.com/maps/@52.5165,13.3777,17z'),
    (106, 'https://www.google.com/maps/search/?api=1&query=52.5165,13.3777'),
    (107, 'https://www.google.com/maps/place/52.5165,+13.3777'),
    (108, 'http://maps.google.com/?ll=52.5165,13.3777'),
    (109, 'https://www.openstreetmap.org/#map=17/52.5165/13.3777'),
    (110, 'https://www.openstreetmap.org/?mlat=52.5165&mlon=13.3777#map=15/52.0/13.0'),
    (111, 'geo:52.5165,13.3777;u=35'),
    (112, 'http://maps.google.com/?q=-33.8568,151.2153'),
    (113, 'HTTP://MAPS.GOOGLE.COM/?Q=40.6892,-74.0445'),
    -- with labels
    (201, 'Lat:52.5165 Lon:13.3777'),
    (202, 'Latitude = 52.5165, Longitude = 13.3777'),
    (203, 'lat: -33.8568 lng: 151.2153'),
    (204, E'Lat:52.5165\nLong:13.3777\nSpeed:12.3km/h'),
    (205, 'Lat:52,5165 Lon:13,3777'),
    (206, 'Lat:N52.5165,Lon:E13.3777'),
    (207, 'Latitude: 33.8568 S, Longitude: 151.2153 E'),
    (209, 'Lat:52.5165 Lon:13.3777 S:12km/h'),
    (208, 'LAT:52.5165N LON:013.3777W'),
    -- with letters
    (301, 'N52.51650 E013.37770'),
    (302, 'S33.85680,E151.21530'),
    (303, 'pos: N 52.51650 E 013.37770'),
    (304, 'Speed 0.0 N 52.51650 E 013.37770'),
    (305, '11.04 N: 52.51650; W: 013.37770'),
    (306, '52.51650N 13.37770W'),
    (307, '52.51650, N, 13.37770, E, 12.3'),
    (308, '52.51650, N, 13.37770, E, 12.345'),
    (309, 'Speed 12.345 N 52.51650 E 013.37770'),
    (310, '12.345, N 52.51650, E 013.37770'),
    (311, '12:30 N 52.51650 E 013.37770'),
    (312, '52.51650 N 13.37770 E 12.345 km/h'),
    (313, '52.51650 N 13.37770 E 12:30'),
    (314, 'N,52.51650,E,013.37770'),
    -- degrees and minutes
    (401, '5230.9900,N,01322.6600,E'),
    (402, '5230.9900N01322.6600E'),
    (403, 'N5230.9900,E01322.6600'),
    (404, 'N52 30.9900 E013 22.6600'),
    (405, U&'52\00B030.9900''N 13\00B022.6600''E'),
    (406, U&'52\00B030''59.4"N, 13\00B022''39.6"W'),
    (407, U&'N52\00B0 30'' 59.4" E13\00B0 22'' 39.6"'),
    (408, '3351.4080,S,204.6787,E'),
    (410, 'N52 30.99 E13.3777'),
    (411, 'S52.5 W13 22.66'),
    (412, 'N5230.9900 E13 22.66'),
    (413, 'N52.5165 E013 22.66'),
    (409, '$GPRMC,101500.000,A,5230.9900,N,01322.6600,E,13.32,212.34,290421'),
    -- two numbers
    (501, 'Position 52.51650, 13.37770'),
    (502, 'Position -33.85680 -151.21530'),
    (503, '52.51650,13.37770'),
    (504, E'Voltage 12.3456,13.4567\n52.51650 13.37770'),
    (505, 'Low battery 52.51650,13.37770'),
    (506, 'Tank 12.3456,13.4567 gps: 52.51650,13.37770'),
    (507, 'Door open! 52.51650, 13.37770'),
    (508, 'Tracker 7 moved 52.51650, 13.37770'),
    (509, 'Overspeed! 52.51650,13.37770'),
    -- the second one is possible
    (601, 'http://maps.google.com/?q=0.0,0.0 last: http://maps.google.com/?q=52.5165,13.3777'),
    (602, 'q=95.5165,13.3777 Lat:52.5165 Lon:13.3777')) t (n, message);
SELECT n, p.* FROM pg_temp.stated t, pt621_text_place(t.message) p ORDER BY n;

-- no place
SELECT t.message, p.*
  FROM (VALUES (''), ('Battery low!'), ('q=91.0,13.0'), ('q=52.0,181.0'), ('q=0.000000,0.000000'), ('Lat:0.0 Lon:0.0'),
               ('N52.5165'), ('5260.0000,N,01322.6600,E'), ('N91.0 E13.0'), ('9530.9900,N,01322.6600,E'), ('N52 61.0 E013 22.66'),
               ('3.98 12.01'), ('1.2.3.4, 5.6.7.8'), ('call +49 30 123456 or 0049 30 123457'), ('2024-03-15 12:30:00'),
               ('q=52.5165000000000000000000001,13.3777'), ('q=NaN,NaN'), ('q=1e5,1e5'), ('q=52.5165'), ('lat lon'),
               (U&'q=\0665\0662.\0665\0661,\0661\0663.\0663\0667'), ('SN52.5165 E13.3777'), ('q=52,13'), ('q=130.5,13.3'),
               -- letters that belong to nothing or to two
               ('Lat 33.8568 Lon 70.6693W'), ('Lat:33.8568 Lon:70.6693 West'), ('q=52.5165,13.3777W'), ('Position 52.51650, 13.37770W'),
               ('52.51650, 13.37770 S'), ('S 33.85680, 70.66930'), ('q=S33.85680,70.66930'), ('12.345 N 52.51650 E 013.37770'), ('52.51650 N 13.37770 E 12.345'),
               ('52 30.990 N 13 22.660 E 12 30.5'),
               -- two numbers of something else
               ('Voltage 12.3456,13.4567'), ('battery: 12.3456,13.4567'), ('SN:12.34567/45.6789'), ('SN:12.34567,45.6789'), ('52.51650/13.37770'),
               ('Tank 12.3456,13.4567 moved 52.51650,13.37770')) t (message),
       pt621_text_place(t.message) p
 WHERE p.lat IS NOT NULL OR t.message = 'Battery low!';
SELECT pt621_text_place(NULL);

-- speeds
SELECT t.message, p.speed_kmh
  FROM (VALUES ('Speed: 12.3km/h'), ('speed 12,5 kmh'), ('SPD=7kph'), ('Speed:10 mph'), ('speed: 10.0 knots'), ('speed 10kn'),
               ('speed 12.3'), ('speed: 12.3 kmX'), ('speed 9999km/h'), ('Overspeed: 92km/h')) t (message),
       pt621_text_place(t.message) p;

-- hostile ones: 4,096 bytes of what may lead astray, and quickly through
CREATE TABLE pg_temp.hostile AS
SELECT left(repeat(t.piece, 4096), 4096) AS message
  FROM (VALUES ('9'), ('1.1'), ('N'), ('N5'), ('N5 5 5 '), ('5 5 5 '), ('5 5 5N'), ('52.5N '), ('q=1.1,'), ('lat1.1,'), ('lat lon '),
               ('1.1111,'), ('+-'), ('N5.5,E'), (' '), ('@1.1/'), ('%2C'), ('speed 1'), (U&'\00B0'), ('lo'), ('#map=1/'), ('ll=loc:'),
               ('voltage 1.1,'), ('pos 1.1111,'), ('5.555 N '), ('5 5 N '), ('12:30'), ('sn1/'), ('N 5.555 E '), ('1.1111 '), ('. 1.1111,'), ('1.1111,1.1111 ')) t (piece);
SELECT count(*) FROM pg_temp.hostile h, pt621_text_place(h.message) p;
-- The least time that so many bytes of each take, since others use the machine as well.
CREATE FUNCTION pg_temp.takes(bytes integer) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    shortest interval;
BEGIN
    FOR i IN 1 .. 5 LOOP
        began := clock_timestamp();
        PERFORM pt621_text_place(left(h.message, bytes)) FROM pg_temp.hostile h;
        shortest := least(shortest, clock_timestamp() - began);
    END LOOP;
    RETURN shortest;
END $$;
-- Eight times as many take about eight times as long, and not 64 times.
SELECT pg_temp.takes(4096) < 30 * pg_temp.takes(512) AS quickly;

-- Whatever it is made of, it is no error, and no place that there is not.
SELECT setseed(0.5);
CREATE TABLE pg_temp.random AS
SELECT n, string_agg(p.pieces[1 + floor(random() * cardinality(p.pieces))::integer], '') AS message
  FROM generate_series(1, 3000) n, generate_series(1, 12 + n % 2),
       (SELECT string_to_array('N|S|E|W|n|w|lat|lon|q=|@|#map=1/|ll=|-|+|.|,|, | |/|:|;|5|13|52|052|13.3777|52.5165|5230.9900|01322.6600|0.0|00|91|181|60|'
                               '99999|1.1|%2C|speed 5km/h|speed:|loc:|e|$POS|q=52.5165,|N52.5165|52.5165N|E13.3777|W181.5|S90.1|13.3777E|lat:52.5|lon:13.3|lon:-180.0|N52 30.99|E013 22.66|0.0000,|0.0000', '|') || ARRAY[U&'\00B0', E'\n', '''', '"', '\'] AS pieces) p
 GROUP BY n;
SELECT count(*) > 100 AS enough, count(DISTINCT (p.lat, p.lon)) > 20 AS different
  FROM pg_temp.random r, pt621_text_place(r.message) p WHERE p.lat IS NOT NULL;
SELECT r.message, p.*
  FROM pg_temp.random r, pt621_text_place(r.message) p
 WHERE p.lat NOT BETWEEN -90 AND 90 OR p.lon NOT BETWEEN -180 AND 180 OR p.lat = 0 AND p.lon = 0 OR p.speed_kmh > 1000
    OR (p.lat IS NULL) <> (p.lon IS NULL);

-- --------------------------------------------------------------- 2. senders --

INSERT INTO pt621.device (id, ident, phone, enabled)
VALUES (1, '0721976179', NULL, true), (2, '862170012345678', '+49 171 2345678', true), (3, 'abc', '0049-30-1234567', true),
       (4, '6094', '00491719999999', true), (5, '6095', '01719999999', true), (6, '6096', '+491715555555', false),
       (7, '6097', '+49 (0)171 7777777', true), (8, '491718888888', NULL, true), (9, '0040729999999', NULL, true), (10, '6100', '+39 06 1234567', true);
SELECT s.sender, (pt621_text_sender(s.sender)).*
  FROM unnest('{0721976179,+40721976179,0040721976179,862170012345678,+491712345678,01712345678,171 2345678,00491712345678,+49301234567,(030) 123-4567,
                abc,+491719999999,0171/9999999,01719999998,1719999999,6094,+6094,+491715555555,Vodafone,Tracker6094,"",123,"x'';y",+491717777777,01717777777,+491718888888,01718888888,+40729999999,06 1234567,
                (0)171 2345678,00 49 171 2345678}'::text[]) s (sender);
-- numbers of other countries
SELECT s.sender, (pt621_text_sender(s.sender)).*
  FROM unnest('{+43 171 2345678,+1 171 234 5678,0043 171 2345678,(+43) 171 2345678,43 171 2345678,+431718888888,431718888888,+43729999999,+41721976179,+491719999999}'::text[]) s (sender);
SELECT pt621_text_sender(NULL);
-- a SIM that was in another tracker before
INSERT INTO pt621.device (id, ident, phone, enabled)
VALUES (21, '6121', '+49 172 1111111', false), (22, '6122', '+491721111111', true), (23, '6123', '+49 172 2222222', false), (24, '6124', '0172 2222222', true),
       (25, '491723333333', NULL, false), (26, '6126', '+491723333333', true), (27, '6127', '+491724444444', false), (28, '6128', '+491724444444', false),
       (29, '6129', '+491725555555', true), (30, '6130', '+491725555555', true), (31, '6131', '+491725555555', false);
SELECT s.sender, (pt621_text_sender(s.sender)).*
  FROM unnest('{+491721111111,01721111111,6121,+491722222222,01722222222,+491723333333,491723333333,+491724444444,+491725555555}'::text[]) s (sender);
DELETE FROM pt621.device WHERE id > 20;

-- -------------------------------------------------------------- 3. ingested --

SELECT pt621_ingest_text('+491712345678', 'SOS! Speed: 12.3km/h http://maps.google.com/?q=52.5165,13.3777', '2024-03-15 12:00');
SELECT pt621_ingest_text('+491712345678', 'SOS! Speed: 12.3km/h http://maps.google.com/?q=52.5165,13.3777', '2024-03-15 12:00') AS again;
SELECT pt621_ingest_text('01712345678', E'Lat:52.5\nLon:13.3', '2024-03-15 12:01', 'modem 2'),
       pt621_ingest_text('01712345678', U&'Stra\00DFe, q=52.5165,13.3777', '2024-03-15 12:02'),
       pt621_ingest_text('01712345678', 'Power low', '2024-03-15 12:03'),
       pt621_ingest_text('01712345678', 'Late: q=52.1,13.1', '2024-03-15 11:00'),
       pt621_ingest_text('+491715555555', 'q=52.5165,13.3777', '2024-03-15 12:04'),
       pt621_ingest_text('+491710000000', 'q=52.5165,13.3777', '2024-03-15 12:05'),
       pt621_ingest_text(NULL, 'q=52.5165,13.3777', '2024-03-15 12:06'),
       pt621_ingest_text('01712345678', NULL), pt621_ingest_text('01712345678', ''),
       pt621_ingest_text('01712345678', 'q=' || repeat('9', 4000) || '.0,0', '2024-03-15 12:07'),
       pt621_ingest_text('01712345678', '%s %I $1 '' "; DROP TABLE pt621.frame; -- \', '2024-03-15 12:08');
SELECT fix_time, device_id, code, received_at, ST_AsText(geom, 5) AS place, valid, stored, speed_kmh, spec, quality, pt621_quality(quality) AS bits,
       digest = hashtextextended(convert_from(f.bytes, 'UTF8'), 0) AS digest, f.transport
  FROM pt621.position p
  LEFT JOIN pt621.frame f USING (received_at, device_id)
 WHERE f.seq = p.frame_seq
 ORDER BY fix_time;
SELECT received_at, ident, device_id, transport, peer, left(encode(bytes, 'escape'), 40) AS bytes, error,
       decoder = (SELECT extversion FROM pg_extension WHERE extname = 'pt621') AS decoder, conn IS NOT NULL AS conn
  FROM pt621.frame ORDER BY received_at, seq;
SELECT device_id, last_seen, last_transport, last_peer, fix_time FROM pt621.device_state ORDER BY device_id;
SELECT count(*) AS events FROM pt621.event;

-- A record goes the way of records.
SELECT pt621_ingest_text('+491719999999', '$POS,6094,101500.000,A,5230.9900,N,01322.6600,E,13.32,212.34,290421,,,A/00010,00000/0/1500//f65//', '2024-03-15 13:00');
SELECT device_id, fix_time, code, ST_AsText(geom, 5) AS place FROM pt621.position WHERE code <> 'SMS';
SELECT transport, device_id, error FROM pt621.frame WHERE received_at = '2024-03-15 13:00';
-- For a tracker that has a telephone number or networks of its own none but itself speaks, whatever else the text has.
UPDATE pt621.device SET phone = NULL, allowed_peers = '{10.0.0.0/8}', imei = '862170099999999' WHERE id = 5;
SELECT s.n, s.what, pt621_ingest_text(s.sender, (SELECT string_agg(coalesce('$FUS' || substring(i.ident FROM '^imei([0-9]+)') || ',FUS',
                               format('$POS,%s,1015%s.000,A,5230.9900,N,01322.6600,E,13.32,212.34,290421,,,A/00010,00000/0/1500//f65//', i.ident, 10 + s.n)), E'\r\n' ORDER BY i.at)
                               FROM unnest(s.idents) WITH ORDINALITY i (ident, at)), '2024-03-15 13:10'::timestamptz + s.n * interval '1 min') AS new
  FROM (VALUES (1, 'another phone', '+491710000000', '{6094}'::text[]), (2, 'no phone', NULL, '{6094}'), (3, 'that of another tracker', '01712345678', '{6094}'),
               (4, 'its own', '01719999999', '{6094}'), (5, 'its id', '6094', '{6094}'),
               (6, 'allowed_peers', '+491710000000', '{6095}'), (7, 'its id, too', '6095', '{6095}'),
               (8, 'neither', '+491710000000', '{0721976179}'), (9, 'the second of two', '+491710000000', '{0721976179,6095}'),
               (10, 'two trackers', '6095', '{0721976179,6095}'), (11, 'an IMEI', '+491710000000', '{imei862170099999999,0721976179}')) s (n, what, sender, idents)
 ORDER BY s.n;
SELECT extract(minute FROM received_at) - 10 AS n, device_id, left(encode(bytes, 'escape'), 24) AS bytes, error FROM pt621.frame WHERE received_at BETWEEN '2024-03-15 13:11' AND '2024-03-15 13:30' ORDER BY received_at, seq;
UPDATE pt621.device SET phone = '01719999999', allowed_peers = NULL, imei = NULL WHERE id = 5;
DELETE FROM pt621.position WHERE received_at BETWEEN '2024-03-15 13:11' AND '2024-03-15 13:30';
-- One that is none does not.
SELECT pt621_ingest_text('6094', '$POS q=52.5165,13.3777', '2024-03-15 13:01');

-- refused
SELECT pt621_ingest_text('6094', repeat('x', 4097));
SELECT pt621_ingest_text('6094', repeat(U&'\00DF', 2049));
SELECT pt621_ingest_text('6094', 'x', 'infinity');
SELECT pt621_ingest_text('6094', 'x', now(), '');
SELECT pt621_ingest_text('6094', 'x', now(), repeat('x', 33));
SELECT pt621_ingest_text('6094', repeat('x', 4096), NULL, NULL);

-- --------------------------------------------------------------- 4. answers --

SELECT pt621_sms(2, 'position') AS sms, pt621_sms(4, 'version') AS other;
SELECT pt621_ingest_text('01712345678', 'An old one', now() - interval '1 min');
SELECT state, answer FROM pt621.command ORDER BY id;
SELECT pt621_ingest_text('01712345678', 'http://maps.google.com/?q=52.5165,13.3777');
SELECT pt621_ingest_text('01712345678', 'Some more');
SELECT device_id, state, answer, answered_at IS NOT NULL AS answered, conn FROM pt621.command ORDER BY id;
SELECT pt621_ingest_text('6094', 'too late', now() + interval '11 min');
SELECT state, answer FROM pt621.command WHERE device_id = 4;

-- ---------------------------------------------------------------- 5. rights --

CREATE ROLE regress_pt621_gateway;
SET ROLE regress_pt621_gateway;
SELECT pt621_ingest_text('6094', 'x');
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_ingest_text TO regress_pt621_gateway;
SET ROLE regress_pt621_gateway;
SELECT pt621_ingest_text('6094', 'q=52.5165,13.3777', '2024-03-15 14:00');
SELECT pt621_text_place('q=52.5165,13.3777');
RESET ROLE;
REVOKE ALL ON FUNCTION pt621_ingest_text FROM regress_pt621_gateway;
DROP ROLE regress_pt621_gateway;

-- What a trigger does with it, it does as the owner of the tables; what it sets
-- does not outlast the call.
CREATE FUNCTION public.seen_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('work_mem', '123kB', false);
    RAISE NOTICE '% by %', NEW.code, current_user;
    RETURN NULL;
END $$;
CREATE TRIGGER seen_text AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION public.seen_text();
SELECT pt621_ingest_text('6094', 'q=52.5165,13.3777', '2024-03-15 15:00');
SELECT current_setting('work_mem') <> '123kB' AS restored;
DROP TRIGGER seen_text ON pt621.position;
DROP FUNCTION public.seen_text();
DELETE FROM pt621.command;
TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.event, pt621.command_log;
