-- geofence_alert.sql: pt621_geofence_alert() on tables of users: what is an error
-- and what is not.  What it tells is asked by test/t/051_alerts.pl.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY default
INSERT INTO pt621.geofence (name, geom, valid) VALUES ('alert depot', ST_MakeEnvelope(11, 48, 12, 49, 4326), '(,)');

CREATE SCHEMA alert_own;
SET search_path = alert_own, public;
CREATE DOMAIN moment AS timestamptz;
CREATE TABLE seen (
    plate   text,
    at      timestamptz,
    "Place" geometry(Point, 4326),
    local   timestamp,
    day     date,
    moment  moment,
    any_geom geometry,
    place_text text,
    earth   geography(Point)
);
-- Makes a trigger, fires it on rows inside and outside, and shows the error, if
-- one comes of it.
CREATE PROCEDURE fire(how text)
LANGUAGE plpgsql AS $$
DECLARE
    state   text;
    message text;
    hint    text;
BEGIN
    EXECUTE format('CREATE TRIGGER t %s', how);
    INSERT INTO seen SELECT 'a', now(), p, now(), now(), now(), p, ST_AsText(p), p
      FROM (VALUES (ST_Point(11.5, 48.5, 4326)), (ST_Point(13, 48.5, 4326))) v (p);
    DELETE FROM seen;
    RAISE NOTICE 'no error';
    DROP TRIGGER t ON seen;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '% %', state, concat_ws(' | ', message, nullif(hint, ''));
END
$$;
CREATE PROCEDURE fire_with(arguments text)
LANGUAGE sql AS $$
    CALL fire(format('AFTER INSERT ON seen FOR EACH ROW EXECUTE FUNCTION pt621_geofence_alert(%s)', arguments));
$$;

CALL fire_with($$'alert depot', 'plate', 'at', 'Place', 'a'$$);
-- Other columns that will do.
CALL fire_with($$'alert depot', 'at', 'moment', 'any_geom', 'a'$$);

-- Arguments that will not.
CALL fire_with($$$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'Place'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'Place', 'a', 'late'$$);
CALL fire_with($$'alert depot', 'Plate', 'at', 'Place', 'a'$$);
CALL fire_with($$'alert depot', 'plate', '', 'Place', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'place', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'ctid', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'local', 'Place', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'day', 'Place', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'place_text', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'earth', 'a'$$);
CALL fire_with($$'alert depot', 'plate', 'at', 'Place', ''$$);
CALL fire_with(format($$'alert depot', 'plate', 'at', 'Place', %L$$, repeat('x', 64)));
CALL fire_with(format($$'alert depot', 'plate', 'at', 'Place', %L$$, repeat('x', 63)));

-- Other triggers.
CALL fire($$BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION pt621_geofence_alert('alert depot', 'plate', 'at', 'Place', 'a')$$);
CALL fire($$AFTER INSERT ON seen EXECUTE FUNCTION pt621_geofence_alert('alert depot', 'plate', 'at', 'Place', 'a')$$);
CALL fire($$AFTER DELETE ON seen FOR EACH ROW EXECUTE FUNCTION pt621_geofence_alert('alert depot', 'plate', 'at', 'Place', 'a')$$);
SELECT pt621_geofence_alert();

-- Rows that lack something are stored, however long what they have is.
CREATE TRIGGER t AFTER INSERT OR UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION pt621_geofence_alert('alert depot', 'plate', 'at', 'any_geom', 'a');
INSERT INTO seen (plate, at, any_geom) VALUES
    (NULL, now(), ST_Point(11.5, 48.5, 4326)), ('a', NULL, ST_Point(11.5, 48.5, 4326)), ('a', now(), NULL),
    ('a', now(), ST_GeomFromText('POINT EMPTY', 4326)), ('a', now(), ST_GeomFromText('POINT ZM (11.5 48.5 1 2)', 4326)),
    ('a', '-infinity', ST_Point(11.5, 48.5, 4326)), ('a', 'infinity', ST_Point(11.5, 48.5, 4326)),
    ('a', now(), ST_SetSRID(ST_MakePoint('NaN', 48.5), 4326)), ('a', now(), ST_SetSRID(ST_MakePoint(11.5, 'Infinity'), 4326)),
    (repeat(U&'\0001', 100000), now(), ST_Point(11.5, 48.5, 4326)), (repeat(U&'\+01F69A', 5000), now(), ST_Point(11.5, 48.5, 4326));
UPDATE seen SET at = at + interval '1 s' WHERE isfinite(at);
SELECT count(*) FROM seen;
-- What is no place is an error.
INSERT INTO seen (plate, at, any_geom) VALUES ('a', now(), ST_Point(11.5, 48.5, 3857));
INSERT INTO seen (plate, at, any_geom) VALUES ('a', now(), ST_GeomFromText('LINESTRING(11.5 48.5, 11.6 48.5)', 4326));
SELECT count(*) FROM seen;
-- Without the fence none is inside, which is said once a minute.
UPDATE pt621.geofence SET name = 'alert yard' WHERE name = 'alert depot';
INSERT INTO seen (plate, at, any_geom) VALUES ('a', now(), ST_Point(11.5, 48.5, 4326)), ('b', now(), ST_Point(11.5, 48.5, 4326));
INSERT INTO seen (plate, at, any_geom) VALUES ('c', now(), ST_Point(11.5, 48.5, 4326));
UPDATE pt621.geofence SET name = 'alert depot' WHERE name = 'alert yard';
TRUNCATE seen;

-- Partitions, whose columns stand in another order, and a deferred trigger.
CREATE TABLE part (plate text, at timestamptz, place geometry(Point, 4326)) PARTITION BY LIST (plate);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (gone integer, place geometry(Point, 4326), at timestamptz, plate text);
ALTER TABLE part_b DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON part DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION pt621_geofence_alert('alert depot', 'plate', 'at', 'place', 'a');
INSERT INTO part SELECT p, now(), ST_Point(11.5, 48.5, 4326) FROM generate_series(1, 3), unnest('{a,b}'::text[]) p;
SELECT tableoid::regclass, count(*) FROM part GROUP BY 1 ORDER BY tableoid::regclass::text;

DELETE FROM pt621.geofence WHERE name = 'alert depot';
SET client_min_messages = warning;
DROP SCHEMA alert_own CASCADE;
