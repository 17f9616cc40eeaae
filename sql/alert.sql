-- alert.sql: ready-made actions on events: what they tell and of what, their
-- arguments, the outbox; and the log of presence.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY default
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.outbox, pt621.presence_log, pt621.presence_last;

-- ------------------------------------------------------------------ helpers --

-- Fires a trigger on an event; shows the error, if one comes of it.
CREATE PROCEDURE pg_temp.fire(how text, event text)
LANGUAGE plpgsql AS $$
DECLARE
    state   text;
    message text;
    hint    text;
BEGIN
    EXECUTE format('CREATE TRIGGER t %s', how);
    EXECUTE format('INSERT INTO pt621.event %s', event);
    DROP TRIGGER t ON pt621.event;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '% %', state, concat_ws(' | ', message, nullif(hint, ''));
END
$$;
CREATE PROCEDURE pg_temp.outbox(arguments text, event text)
LANGUAGE sql AS $$
    CALL pg_temp.fire(format('AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_to_outbox(%s)', arguments), event);
$$;
-- A notification is not seen before the commit, so the tests of what it says are
-- elsewhere (test/t/051_alerts.pl).
CREATE PROCEDURE pg_temp.notify(arguments text)
LANGUAGE sql AS $$
    CALL pg_temp.fire(format('AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_notify(%s)', arguments),
                      '(id, kind, device_id, at) VALUES (1, ''alarm'', 1, ''2026-11-22 12:00'')');
$$;
CREATE VIEW pg_temp.told AS SELECT channel, message FROM pt621.outbox ORDER BY id;

INSERT INTO pt621.device (id, ident, name) VALUES (1, '0042', 'Van 7'), (2, '0043', NULL);
INSERT INTO pt621.geofence (id, name, geom) VALUES (7, 'depot', ST_Buffer(ST_Point(11.5, 48.1, 4326), 0.01));

-- ------------------------------------------------------------- what is told --

BEGIN;
CALL pg_temp.outbox('''a''', $$(id, kind, code, device_id, at, until, geofence_id, object, geom, detail)
     VALUES (1, 'alarm', 'IN1', 1, '2026-11-22 12:00:00.5', '2026-11-22 13:00', 7, 'sos', ST_Point(11.5, 48.125, 4326), '{"a": null, "b": [1, 2]}')$$);
CALL pg_temp.outbox('', $$(id, kind, device_id, at) VALUES (2, 'motion_start', 2, '2026-11-22 12:00')$$);
-- Of a tracker and a fence that are not there any more, at no place.
CALL pg_temp.outbox('', $$(id, kind, device_id, at, geofence_id, geom) VALUES (3, 'motion_stop', 3, '2026-11-22 12:00', 8, ST_GeomFromText('POINT EMPTY', 4326))$$);
SELECT * FROM pg_temp.told;
ROLLBACK;

-- The same, whoever stores it.
BEGIN;
SET LOCAL TimeZone = 'Asia/Kathmandu';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL search_path = pt621, public;
SET LOCAL extra_float_digits = -10;
CALL pg_temp.outbox('', $$(id, kind, device_id, at, geofence_id, geom) VALUES (1, 'motion_start', 1, '2026-11-22 12:00+00', 7, ST_Point(11.123456789, 48.125, 4326))$$);
SELECT * FROM pg_temp.told;
ROLLBACK;

-- Of a fence that was deleted its last name.
BEGIN;
INSERT INTO pt621.geofence_version (geofence_id, revision, edited_at, valid, name, shape, time_zone, min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out, exit_buffer_m, interpolate)
SELECT 8, r, now(), 'empty', 'name ' || r, ST_Point(0, 0, 4326), 'UTC', '0', '0', 1, 2, 20, false FROM unnest('{900002,900001}'::bigint[]) r;
CALL pg_temp.outbox('', $$(id, kind, device_id, at, geofence_id) VALUES (1, 'geofence_exit', 1, '2026-11-22 12:00', 8)$$);
SELECT * FROM pg_temp.told;
ROLLBACK;

-- ------------------------------------------------------- late and corrected --

BEGIN;
CREATE PROCEDURE pg_temp.each(arguments text)
LANGUAGE sql AS $each$
    CALL pg_temp.outbox(arguments, $$(id, kind, device_id, at, late, corrects) VALUES
         (1, 'on time', 1, '2026-11-22 12:00', false, NULL), (2, 'late', 1, '2026-11-22 12:00', true, NULL),
         (3, 'corrected', 1, '2026-11-22 12:00', false, 1), (4, 'late and corrected', 1, '2026-11-22 12:00', true, 2)$$);
    DELETE FROM pt621.event;
$each$;
CALL pg_temp.each('');
CALL pg_temp.each($$'a', 'late'$$);
CALL pg_temp.each($$'b', 'corrected'$$);
CALL pg_temp.each($$'c', 'corrected', 'late'$$);
-- A channel of that name is no option.
CALL pg_temp.each($$'late'$$);
SELECT channel, message - 'at' - 'device' - 'name' AS message FROM pg_temp.told;
ROLLBACK;

-- What is completed is told once more where that is asked for, what is superseded is not.
BEGIN;
CREATE TRIGGER t AFTER INSERT OR UPDATE OF until ON pt621.event FOR EACH ROW WHEN (NEW.until IS NOT NULL) EXECUTE FUNCTION pt621_to_outbox();
INSERT INTO pt621.event (id, kind, device_id, at) VALUES (1, 'overspeed', 1, '2026-11-22 12:00');
TABLE pg_temp.told;
UPDATE pt621.event SET until = '2026-11-22 12:01', detail = '{"peak_kmh": 71}' WHERE id = 1;
TABLE pg_temp.told;
UPDATE pt621.event SET superseded_at = '2026-11-22 14:00', until = '2026-11-22 12:02' WHERE id = 1;
TABLE pg_temp.told;
ROLLBACK;

-- -------------------------------------------------------------------- limits --

-- Within the 7,999 bytes of NOTIFY, whatever users call their things.
BEGIN;
CREATE FUNCTION pg_temp.limits(name text, detail text, fence text DEFAULT 'depot') RETURNS TABLE (bytes integer, keys text, name_length integer, geofence_length integer, detail_length integer)
LANGUAGE plpgsql AS $$
DECLARE
    message jsonb;
BEGIN
    UPDATE pt621.device d SET name = limits.name WHERE id = 1;
    UPDATE pt621.geofence g SET name = fence WHERE id = 7;
    DELETE FROM pt621.event;
    INSERT INTO pt621.event (id, kind, device_id, at, geofence_id, detail) VALUES (1, 'alarm', 1, '2026-11-22 12:00', 7, to_jsonb(detail));
    message := (SELECT pt621_notification(pt621_event_message(e)) FROM pt621.event e);
    RETURN QUERY SELECT octet_length(message::text), (SELECT string_agg(k, ' ' ORDER BY k COLLATE "C") FROM jsonb_object_keys(message) k),
                        length(message ->> 'name'), length(message ->> 'geofence'), length(message ->> 'detail');
END
$$;
SELECT * FROM pg_temp.limits('Van 7', 'short');
-- The longest that goes, and one byte more.
SELECT 7999 - bytes + 5 AS n FROM pg_temp.limits('Van 7', 'short') \gset
SELECT * FROM pg_temp.limits('Van 7', repeat('x', :n));
SELECT * FROM pg_temp.limits('Van 7', repeat('x', :n + 1));
SELECT * FROM pg_temp.limits('Van 7', repeat('x', 1000000));
SELECT * FROM pg_temp.limits(repeat('ä', 3000), 'short');
SELECT * FROM pg_temp.limits(repeat('ä', 5000), 'short', repeat(U&'\+01F69A', 600));
SELECT * FROM pg_temp.limits(repeat(U&'\0001', 5000), repeat('x', 10000), repeat('"', 2000));
-- It is told; to the outbox goes all of it.
CREATE TRIGGER n AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_notify();
CREATE TRIGGER o AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_to_outbox();
SELECT bytes <= 7999 AS fits FROM pg_temp.limits(repeat(U&'\0001', 5000), repeat('x', 10000), repeat('"', 2000));
SELECT length(message ->> 'name') AS name, length(message ->> 'detail') AS detail, length(message ->> 'geofence') AS geofence FROM pt621.outbox;
ROLLBACK;

-- -------------------------------------------------------- triggers made wrongly --

CALL pg_temp.notify('''a'', ''later''');
CALL pg_temp.notify('''a'', ''late'', ''''');
CALL pg_temp.notify('''''');
CALL pg_temp.notify(quote_literal(repeat('ä', 32)));
CALL pg_temp.fire('BEFORE INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_notify()', '(kind, device_id, at) VALUES (''x'', 1, now())');
CALL pg_temp.fire('AFTER INSERT ON pt621.event EXECUTE FUNCTION pt621_notify()', '(kind, device_id, at) VALUES (''x'', 1, now())');
CALL pg_temp.fire('BEFORE INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_to_outbox()', '(kind, device_id, at) VALUES (''x'', 1, now())');
BEGIN;
INSERT INTO pt621.event (kind, device_id, at) VALUES ('x', 1, now());
CREATE TRIGGER t AFTER DELETE ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_notify();
DELETE FROM pt621.event;
ROLLBACK;
BEGIN;
CREATE TRIGGER t AFTER INSERT ON pt621.device FOR EACH ROW EXECUTE FUNCTION pt621_to_outbox();
INSERT INTO pt621.device (id, ident) VALUES (3, '0044');
ROLLBACK;
-- Those with as many bytes as go.
CALL pg_temp.notify(quote_literal(repeat('ä', 31) || 'x'));
SELECT count(*) FROM pt621.event;
TRUNCATE pt621.event;

-- ----------------------------------------------------------------- the outbox --

INSERT INTO pt621.outbox (channel, message) SELECT CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END, to_jsonb(i) FROM generate_series(1, 10) i;
SELECT channel, message FROM pt621_outbox_take(3);
SELECT channel, message FROM pt621_outbox_take(2, 'even');
-- A rollback puts them back, in their order.
BEGIN;
SELECT channel, message FROM pt621_outbox_take(2);
SELECT channel, message FROM pt621_outbox_take(1);
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT count(*) FROM pt621_outbox_take();
ROLLBACK TO SAVEPOINT a;
SELECT channel, message FROM pt621_outbox_take(only_channel => 'odd');
COMMIT;
SELECT count(*), min(created_at) <= now() AS created FROM pt621_outbox_take(100, 'none');
SELECT channel, message FROM pt621_outbox_take();
SELECT * FROM pt621_outbox_take();
SELECT pt621_outbox_take(0);
SELECT pt621_outbox_take(-1);
SELECT pt621_outbox_take(NULL);

-- However many there are, and whatever was known of the table at the first call.
INSERT INTO pt621.outbox (channel, message) SELECT 'a', to_jsonb(i) FROM generate_series(1, 20000) i;
CREATE TEMP TABLE taken (id bigint, created_at timestamptz, channel text, message jsonb);
DO $$
BEGIN
    FOR i IN 1 .. 1000 LOOP
        INSERT INTO taken SELECT * FROM pt621_outbox_take(5);
    END LOOP;
END
$$;
SELECT count(*), count(DISTINCT message) AS different, max((message #>> '{}')::integer) FROM taken;
SELECT count(*), min((message #>> '{}')::integer) FROM pt621.outbox;
TRUNCATE pt621.outbox;

-- -------------------------------------------------------------------- rights --

CREATE ROLE alert_taker;
SET ROLE alert_taker;
SELECT * FROM pt621_outbox_take();
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_outbox_take TO alert_taker;
INSERT INTO pt621.outbox (channel, message) VALUES ('a', '1');
SET ROLE alert_taker;
SELECT channel, message FROM pt621_outbox_take();
TABLE pt621.outbox;
CREATE TEMP TABLE own (id integer);
CREATE TRIGGER t AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION pt621_notify();
RESET ROLE;
DROP TABLE own;
-- What a trigger on the outbox leaves behind ends with the call.
BEGIN;
CREATE FUNCTION pg_temp.behind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('application_name', 'left behind', false);
    RETURN NULL;
END
$$;
SET LOCAL application_name = 'before';
CREATE TRIGGER t AFTER DELETE ON pt621.outbox FOR EACH ROW EXECUTE FUNCTION pg_temp.behind();
INSERT INTO pt621.outbox (channel, message) VALUES ('a', '1');
SELECT channel, message FROM pt621_outbox_take();
SHOW application_name;
ROLLBACK;
REVOKE EXECUTE ON FUNCTION pt621_outbox_take FROM alert_taker;
DROP ROLE alert_taker;

-- ------------------------------------------------------------- names of fences --

SELECT pt621_geofence_id('depot'), pt621_geofence_id('Depot') AS none, pt621_geofence_id(NULL) AS null;

-- ------------------------------------------------------------ the log of presence --

CREATE VIEW pg_temp.log AS
SELECT d.ident, l.state, l.reason, l.at - now() AS at, l.last_seen - now() AS last_seen
  FROM pt621.presence_log l LEFT JOIN pt621.device d ON d.id = l.device_id
 ORDER BY l.id;
-- Never heard of: nothing to log.
SELECT pt621_presence_tick();
BEGIN;
INSERT INTO pt621.device_state (device_id, last_seen) VALUES (1, now() - interval '1 min'), (2, now() - interval '1 hour');
SELECT pt621_presence_tick();
TABLE pg_temp.log;
SELECT pt621_presence_tick() AS nothing_new;
UPDATE pt621.device_state SET last_seen = now() - interval '10 min' WHERE device_id = 1;
UPDATE pt621.device_state SET last_seen = now() - interval '2 min' WHERE device_id = 2;
SELECT pt621_presence_tick();
TABLE pg_temp.log;
-- It does not go back when the first word after the silence lay in a batch for long.
UPDATE pt621.device_state SET last_seen = now() - interval '4 min' WHERE device_id = 1;
SELECT pt621_presence_tick();
UPDATE pt621.device_state SET last_seen = now() - interval '310 s' WHERE device_id = 1;
SELECT pt621_presence_tick();
TABLE pg_temp.log;
-- Those who are gone are forgotten; the log stays.
DELETE FROM pt621.device WHERE id = 1;
SELECT pt621_presence_tick();
SELECT device_id, state FROM pt621.presence_last;
SELECT count(*) FROM pt621.presence_log WHERE device_id = 1;
-- Without the view there is nothing to look at.
DROP VIEW pt621.presence;
SELECT pt621_presence_tick();
ROLLBACK;
-- A trigger that fails puts it off: nothing is half logged.
BEGIN;
INSERT INTO pt621.device_state (device_id, last_seen) VALUES (1, now() - interval '1 min');
ALTER TABLE pt621.presence_log ADD CHECK (state <> 'online') NOT VALID;
SAVEPOINT a;
\set VERBOSITY terse
SELECT pt621_presence_tick();
ROLLBACK TO SAVEPOINT a;
SELECT count(*) FROM pt621.presence_last;
ROLLBACK;
TRUNCATE pt621.device, pt621.device_state, pt621.geofence, pt621.geofence_version, pt621.event, pt621.outbox;
