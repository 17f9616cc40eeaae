-- 55-alert.sql: ready-made actions on events.
--
-- A trigger on pt621.event runs in the transaction that stores what the tracker
-- sent.  So nothing here may fail because of what an event says: only a trigger
-- that was made wrongly is an error.

CREATE FUNCTION @extschema@.pt621_geofence_id(name text)
RETURNS integer
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT g.id FROM pt621.geofence g WHERE g.name = pt621_geofence_id.name);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_id(text) IS
'the number of the fence that has this name now, for conditions like NEW.geofence_id = pt621_geofence_id(''depot''); NULL when none has it';

CREATE FUNCTION @extschema@.pt621_alert_options(trigger name, relation oid, firing text, arguments text[])
RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    channel text   := coalesce(arguments[0], 'pt621_event');
    options text[] := arguments[1:];
    unknown text;
BEGIN
    IF relation <> 'pt621.event'::regclass OR firing NOT IN ('AFTER INSERT ROW', 'AFTER UPDATE ROW') THEN
        RAISE EXCEPTION 'trigger "%" on % (%) cannot tell of events', trigger, relation::regclass, firing
            USING ERRCODE = 'trigger_protocol_violated',
                  HINT = 'It must be AFTER INSERT (OR UPDATE) ON pt621.event FOR EACH ROW.';
    END IF;
    IF octet_length(channel) NOT BETWEEN 1 AND 63 THEN
        RAISE EXCEPTION 'trigger "%": the name of a channel has 1 to 63 bytes', trigger
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT o INTO unknown FROM unnest(options) o WHERE o NOT IN ('late', 'corrected');
    IF FOUND THEN
        RAISE EXCEPTION 'trigger "%": unknown option "%"', trigger, unknown
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The arguments are a channel, then, as you like, ''late'' and ''corrected''.';
    END IF;
    RETURN channel || options;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_alert_options(name, oid, text, text[]) IS
'internal: the channel and options of a trigger of pt621_notify() or pt621_to_outbox(), or an error';

CREATE FUNCTION @extschema@.pt621_alert_wanted(event record, options text[])
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- What is superseded was told before.
    RETURN event.superseded_at IS NULL
       AND (NOT event.late OR 'late' = ANY (options[2:]))
       AND (event.corrects IS NULL OR 'corrected' = ANY (options[2:]));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_alert_wanted(record, text[]) IS
'internal: whether a row of pt621.event is to be told of; options: those of pt621_alert_options()';

-- In UTC and with all digits, so that a message does not depend on who stores
-- what it tells.
CREATE FUNCTION @extschema@.pt621_event_message(event record)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET extra_float_digits = 1
AS $function$
DECLARE
    device  record;
    fence   text;
    message jsonb;
BEGIN
    SELECT d.ident, d.name INTO device FROM pt621.device d WHERE d.id = event.device_id;
    IF event.geofence_id IS NOT NULL THEN
        SELECT g.name INTO fence FROM pt621.geofence g WHERE g.id = event.geofence_id;
        IF NOT FOUND THEN
            SELECT v.name INTO fence FROM pt621.geofence_version v
             WHERE v.geofence_id = event.geofence_id
             ORDER BY v.revision DESC LIMIT 1;
        END IF;
    END IF;
    message := jsonb_strip_nulls(jsonb_build_object(
        'id', event.id, 'kind', event.kind, 'code', event.code,
        'device', device.ident, 'name', device.name,
        'at', event.at, 'until', event.until, 'late', event.late,
        'geofence', fence, 'object', event.object,
        'lon', (event.geom::point)[0], 'lat', (event.geom::point)[1],
        'corrects', event.corrects));
    RETURN CASE WHEN event.detail IS NULL THEN message
                ELSE message || jsonb_build_object('detail', event.detail) END;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_event_message(record) IS
'internal: what is told of a row of pt621.event: id, kind, code, device, name, at, until, late, geofence, object, lon, lat, corrects, detail; without those that are NULL';

CREATE FUNCTION @extschema@.pt621_notification(message jsonb)
RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF octet_length(message::text) > 7999 THEN
        message := message - 'detail' || '{"cut": true}';
    END IF;
    -- Names are as long as users like.  A character takes 6 bytes at most.
    IF octet_length(message::text) > 7999 THEN
        message := (SELECT jsonb_object_agg(m.key, CASE jsonb_typeof(m.value)
                                                   WHEN 'string' THEN to_jsonb(left(m.value #>> '{}', 100))
                                                   ELSE m.value END)
                      FROM jsonb_each(message) m);
    END IF;
    RETURN message::text;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_notification(jsonb) IS
'internal: a message of pt621_event_message() within the 7,999 bytes of NOTIFY: else without detail, and at need with texts of 100 characters, and marked "cut"';

CREATE FUNCTION @extschema@.pt621_notify()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    options text[] := @extschema@.pt621_alert_options(TG_NAME, TG_RELID, concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL), TG_ARGV);
BEGIN
    IF @extschema@.pt621_alert_wanted(NEW, options) THEN
        -- In a full queue the transaction would fail, and with it all storing.
        IF pg_notification_queue_usage() > 0.5 THEN
            RAISE WARNING 'pt621: event % is not told on channel "%": the queue of notifications is more than half full', NEW.id, options[1]
                USING HINT = 'Some session listens and does not end its transaction.';
        ELSE
            PERFORM pg_notify(options[1], @extschema@.pt621_notification(@extschema@.pt621_event_message(NEW)));
        END IF;
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_notify() IS
'trigger AFTER INSERT (OR UPDATE) ON pt621.event FOR EACH ROW: NOTIFY with a JSON object of the event; arguments: the channel (default pt621_event), then ''late'' and ''corrected'' to be told of such events too';

CREATE FUNCTION @extschema@.pt621_to_outbox()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    options text[] := @extschema@.pt621_alert_options(TG_NAME, TG_RELID, concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL), TG_ARGV);
BEGIN
    IF @extschema@.pt621_alert_wanted(NEW, options) THEN
        INSERT INTO pt621.outbox (channel, message) VALUES (options[1], @extschema@.pt621_event_message(NEW));
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_to_outbox() IS
'trigger AFTER INSERT (OR UPDATE) ON pt621.event FOR EACH ROW: puts a JSON object of the event into pt621.outbox, in the same transaction; arguments as of pt621_notify()';

CREATE FUNCTION @extschema@.pt621_geofence_alert()
RETURNS trigger
AS 'MODULE_PATHNAME', 'pt621_geofence_alert'
LANGUAGE C VOLATILE COST 100;
COMMENT ON FUNCTION @extschema@.pt621_geofence_alert() IS
'trigger AFTER INSERT (OR UPDATE) FOR EACH ROW of a table of yours: NOTIFY with a JSON object for each row inside a fence; arguments: name of the fence, columns of device, time (timestamptz) and place (geometry), channel';

CREATE FUNCTION @extschema@.pt621_outbox_take(max integer DEFAULT 100, only_channel text DEFAULT NULL)
RETURNS TABLE (id bigint, created_at timestamptz, channel text, message jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER COST 1000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before text[] := @extschema@.pt621_put_off();
BEGIN
    IF max IS NULL OR max < 1 THEN
        RAISE EXCEPTION 'max must be 1 or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Planned each time: a kept plan would be the one of a table that was empty.
    -- By the place of the rows and not by their ids, so that no statistics have
    -- a say in it.  Somebody may have changed the row since: then it stays.
    RETURN QUERY EXECUTE format(
        'WITH taken AS ('
        'DELETE FROM pt621.outbox o '
        ' WHERE o.ctid = ANY (ARRAY(SELECT w.ctid FROM pt621.outbox w %s ORDER BY w.id LIMIT $1 FOR UPDATE SKIP LOCKED)) '
        'RETURNING o.id, o.created_at, o.channel, o.message) '
        'SELECT * FROM taken t ORDER BY t.id',
        CASE WHEN only_channel IS NOT NULL THEN 'WHERE w.channel = $2' END)
    USING max, only_channel;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_outbox_take(integer, text) IS
'takes the oldest messages, at most so many, of one channel or of all, off pt621.outbox and returns them in order of id; those that another transaction is about to take are passed over; a rollback puts them back, so each is taken exactly once';
