-- 71-commands.sql: commands to trackers.
--
-- A row of pt621.command is an order.  The triggers below settle who may give it
-- and what it is on the wire; the listener that has the tracker's connection sends
-- it when the row is committed.  States change in one direction, and each change is
-- in pt621.command_log.

-- Who may execute one of these may send commands of that kind.
DO $$
DECLARE
    right_name text;
BEGIN
    FOR right_name IN SELECT k.kind FROM @extschema@.pt621_command_kinds() k UNION ALL VALUES ('forced') LOOP
        EXECUTE format($function$
            CREATE FUNCTION @extschema@.%I()
            RETURNS boolean
            LANGUAGE sql IMMUTABLE PARALLEL SAFE
            SET search_path = pg_catalog, pg_temp
            AS 'SELECT true'
            $function$, 'pt621_may_send_' || right_name);
        EXECUTE format('COMMENT ON FUNCTION @extschema@.%I() IS %L', 'pt621_may_send_' || right_name,
                       CASE right_name
                       WHEN 'forced' THEN 'a right: whoever may execute it may cut engines whatever the speed (force)'
                       ELSE format('a right: whoever may execute it may send commands of kind %s', right_name) END);
    END LOOP;
END
$$;

CREATE FUNCTION @extschema@.pt621_too_fast(fix_time timestamptz, speed_kmh real)
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_too_fast'
LANGUAGE C STABLE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_too_fast(timestamptz, real) IS
'internal: whether the engine must not be cut by a last valid fix of that time and speed: not older than pt621.engine_cut_fresh, and faster than pt621.engine_cut_speed; false without a fix, true for a fresh one without a speed and for one that is more than a minute in the future';

CREATE FUNCTION @extschema@.pt621_wake_listeners(idents text[])
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_wake_listeners'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_wake_listeners(text[]) IS
'internal: when the transaction has committed, has the listeners that these trackers are connected to look what there is to send';

-- With the rights of whoever changes the row: it asks who that is.
CREATE FUNCTION @extschema@.pt621_command_asked()
RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    needed   regprocedure := to_regprocedure(format('@extschema@.%I()', 'pt621_may_send_' || coalesce(NEW.kind, '')));
    expected record;
    made     text[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- The owner's functions, in the workers and elsewhere.
        IF current_user = (SELECT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = TG_RELID) THEN
            RETURN NEW;
        END IF;
        expected := OLD;
        expected.state := 'cancelled';
        expected.cancelled_by := current_user;
        NEW.cancelled_by := current_user;
        -- Columns of users' own: what is generated comes after this, and not every type
        -- has an equality.
        made := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attgenerated <> '' AND NOT a.attisdropped);
        IF OLD.state <> 'queued' OR to_jsonb(NEW) - made IS DISTINCT FROM to_jsonb(expected) - made THEN
            RAISE EXCEPTION 'command % cannot be changed so', OLD.id
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'A command that is queued can be cancelled, by pt621_cancel(), and nothing else.';
        END IF;
    END IF;
    IF needed IS NULL THEN
        RAISE EXCEPTION 'there is no command of kind "%"', NEW.kind
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT * FROM pt621_command_kinds() lists them.';
    END IF;
    IF NOT has_function_privilege(current_user, needed, 'EXECUTE') THEN
        RAISE EXCEPTION 'permission denied for commands of kind %', NEW.kind
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT EXECUTE ON FUNCTION %s TO %I;', needed, current_user);
    END IF;
    -- Nor what others' trackers do, by an error about them.
    IF NOT EXISTS (SELECT FROM pt621.device d WHERE d.id = NEW.device_id) THEN
        RAISE EXCEPTION 'there is no tracker % in pt621.device', NEW.device_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.requested_at := now();
        NEW.requested_by := current_user;
        NEW.login := session_user;
        NEW.wire := '';
        NEW.cuts_engine := false;
        NEW.state := 'queued';
        NEW.attempts := 0;
        NEW.in_doubt := 0;
        NEW.sent_at := NULL;
        NEW.conn := NULL;
        NEW.answered_at := NULL;
        NEW.answer := NULL;
        NEW.cancelled_by := NULL;
        NEW.reason := NULL;
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_asked() IS
'the default trigger of pt621.command that comes first: writes down who asks and whether he may; lets nobody change more than to cancel';

CREATE FUNCTION @extschema@.pt621_command_checked()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    tracker  record;
    argument text := NEW.argument;
    missing  text;
BEGIN
    SELECT d.ident, d.engine_output, s.fix_time, s.speed_kmh INTO tracker
      FROM pt621.device d
      LEFT JOIN pt621.device_state s ON s.device_id = d.id
     WHERE d.id = NEW.device_id;
    IF NEW.expires_at <= now() OR NEW.not_before >= NEW.expires_at THEN
        RAISE EXCEPTION 'the command would expire before it can be sent'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It is not sent before %s, nor after %s.', coalesce(NEW.not_before, now()), NEW.expires_at);
    END IF;
    IF NEW.kind IN ('engine_cut', 'engine_restore') THEN
        IF argument IS NOT NULL OR tracker.engine_output IS NULL THEN
            RAISE EXCEPTION 'command % of tracker %: %', NEW.kind, NEW.device_id,
                            CASE WHEN argument IS NOT NULL THEN 'it has no argument' ELSE 'none of its outputs cuts the engine' END
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'pt621.device.engine_output says which output it is; the kind "output" switches others.';
        END IF;
        argument := tracker.engine_output;
    END IF;
    NEW.wire := rtrim(substr(convert_from(@extschema@.pt621_encode_command(NEW.kind, argument), 'SQL_ASCII'), 2), E'\r\n');
    NEW.output := substring(upper(NEW.wire) FROM '^OPC([1-9]),[01]$');
    NEW.cuts_engine := coalesce(@extschema@.pt621_command_may_switch(NEW.wire, tracker.engine_output), false);

    -- Whatever it is called: who may not cut engines, or restore them, cannot do it
    -- by another kind.  Whoever may cut them may undo it.
    missing := CASE
               WHEN NEW.cuts_engine AND NOT has_function_privilege(NEW.requested_by, '@extschema@.pt621_may_send_engine_cut()', 'EXECUTE')
                    THEN 'engine_cut'
               WHEN NEW.force AND NOT has_function_privilege(NEW.requested_by, '@extschema@.pt621_may_send_forced()', 'EXECUTE')
                    THEN 'forced'
               WHEN NOT NEW.cuts_engine AND NEW.output = tracker.engine_output
                    AND NOT has_function_privilege(NEW.requested_by, '@extschema@.pt621_may_send_engine_restore()', 'EXECUTE')
                    AND NOT has_function_privilege(NEW.requested_by, '@extschema@.pt621_may_send_engine_cut()', 'EXECUTE')
                    THEN 'engine_restore' END;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'permission denied to %', CASE missing WHEN 'engine_cut' THEN 'cut an engine' WHEN 'engine_restore' THEN 'restore an engine'
                                                  ELSE 'cut an engine whatever the speed' END
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT EXECUTE ON FUNCTION @extschema@.pt621_may_send_%s() TO %I;', missing, NEW.requested_by);
    END IF;
    -- What is no plain order may be stored in the tracker, for when nobody asks.
    IF NEW.cuts_engine AND NOT NEW.force AND NEW.output IS NULL THEN
        RAISE EXCEPTION 'a command that cuts the engine later, at whatever speed'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'force => true sends it all the same.';
    END IF;
    IF NEW.cuts_engine AND NOT NEW.force AND (NOT NEW.when_slow OR NEW.transport = 'sms')
       AND @extschema@.pt621_too_fast(tracker.fix_time, tracker.speed_kmh) THEN
        RAISE EXCEPTION 'the engine of tracker % must not be cut now', NEW.device_id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('Its last fix, of %s, says %s.', tracker.fix_time,
                                  CASE WHEN tracker.fix_time > clock_timestamp() + interval '1 minute' THEN 'nothing of now: its clock is fast'
                                       ELSE coalesce(round(tracker.speed_kmh::numeric, 1) || ' km/h', 'nothing of its speed') END),
                  HINT = 'when_slow => true waits until it is slow enough, force => true does not wait.';
    END IF;
    -- It is the gateway that sends it.
    IF NEW.transport = 'sms' THEN
        NEW.state := 'sent';
        NEW.sent_at := now();
        NEW.attempts := 1;
        NEW.max_attempts := 1;
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_checked() IS
'the default trigger of pt621.command that comes second: makes what is sent, and refuses what must not be';

CREATE FUNCTION @extschema@.pt621_command_logged()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO pt621.command_log (command_id, state, by, command)
        VALUES (OLD.id, 'deleted', session_user, to_jsonb(OLD));
    ELSIF TG_OP = 'INSERT' OR (NEW.state, NEW.attempts) IS DISTINCT FROM (OLD.state, OLD.attempts) THEN
        INSERT INTO pt621.command_log (command_id, state, by, command)
        VALUES (NEW.id, NEW.state, session_user, to_jsonb(NEW));
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_logged() IS
'the default trigger of pt621.command that writes pt621.command_log';

-- The last word about an output counts, from when on it is to be sent: no cut comes
-- after the engine was restored, but one of tonight does before one of tomorrow.
CREATE FUNCTION @extschema@.pt621_command_superseded_by(command bigint, device integer, output smallint)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT max(n.id) FROM pt621.command n
             WHERE n.device_id = device AND n.id > command AND n.output = pt621_command_superseded_by.output
               AND n.state NOT IN ('cancelled', 'expired') AND coalesce(n.not_before, '-infinity') <= now());
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_superseded_by(bigint, integer, smallint) IS
'internal: the last later command of a tracker that is due and about the same output, so that this one must not be sent any more; NULL = none is';

CREATE FUNCTION @extschema@.pt621_command_supersede(devices integer[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE pt621.command c
       SET state = 'cancelled', reason = format('superseded by command %s', q.newer)
      FROM (SELECT o.id, @extschema@.pt621_command_superseded_by(o.id, o.device_id, o.output) AS newer
              FROM pt621.command o
             WHERE o.state = 'queued' AND o.output IS NOT NULL AND o.device_id = ANY (devices)
               FOR UPDATE SKIP LOCKED) q
     WHERE c.id = q.id AND q.newer IS NOT NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_supersede(integer[]) IS
'internal: cancels the commands of trackers that are queued and must not be sent any more';

CREATE FUNCTION @extschema@.pt621_command_wake()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM @extschema@.pt621_command_supersede(
        ARRAY(SELECT DISTINCT n.device_id FROM new_row n WHERE n.output IS NOT NULL ORDER BY n.device_id));
    PERFORM @extschema@.pt621_wake_listeners(array_agg(d.ident))
       FROM pt621.device d
      WHERE d.id IN (SELECT n.device_id FROM new_row n WHERE n.state = 'queued');
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_wake() IS
'the default trigger of pt621.command that comes last: cancels older orders about the same output that are still queued, and has the new one sent when it is committed';

CREATE FUNCTION @extschema@.pt621_send(
    device integer, command text, argument text DEFAULT NULL, expires_in interval DEFAULT '1 day',
    force boolean DEFAULT false, when_slow boolean DEFAULT false, not_before timestamptz DEFAULT NULL,
    max_attempts integer DEFAULT 1, note text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    number bigint;
BEGIN
    INSERT INTO pt621.command (device_id, kind, argument, expires_at, force, when_slow, not_before, max_attempts, note)
    VALUES (device, command, argument, coalesce(greatest(not_before, now()), now()) + expires_in, force, when_slow, not_before, max_attempts, note)
    RETURNING id INTO number;
    RETURN number;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_send(integer, text, text, interval, boolean, boolean, timestamptz, integer, text) IS
'orders a command for a tracker, and returns command.id: sent when it is committed, if the tracker is connected, else when it comes, for as long as expires_in (from not_before on); arguments: device.id, kind and argument as of pt621_encode_command(), but none for engine_cut and engine_restore, which go by device.engine_output; force: cut the engine whatever the speed; when_slow: wait until it may be cut; max_attempts 1 to 100; error without the rights to the kind and to pt621.command, and for an engine that must not be cut now';

CREATE FUNCTION @extschema@.pt621_cancel(command_id bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE pt621.command c SET state = 'cancelled' WHERE c.id = command_id AND c.state = 'queued';
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_cancel(bigint) IS
'cancels a command; false when it is not queued any more, or there is none; needs the right to its kind, and UPDATE (state) on pt621.command';

CREATE FUNCTION @extschema@.pt621_sms_password(device integer)
RETURNS text
LANGUAGE plpgsql STABLE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN coalesce((SELECT s.sms_password FROM pt621.device_secret s WHERE s.device_id = device), '000000');
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sms_password(integer) IS
'the password of a tracker''s commands by SMS, six digits; of one that pt621.device_secret does not have, or that the caller may not see there, that of the factory; needs SELECT on that table';

CREATE FUNCTION @extschema@.pt621_sms(
    device integer, command text, argument text DEFAULT NULL, force boolean DEFAULT false, note text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql VOLATILE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    wire text;
BEGIN
    INSERT INTO pt621.command AS c (device_id, kind, argument, force, transport, note)
    VALUES (device, command, argument, force, 'sms', note)
    RETURNING c.wire INTO wire;
    RETURN @extschema@.pt621_sms_password(device) || wire;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_sms(integer, text, text, boolean, text) IS
'the text of an SMS that gives a tracker a command, password included, for a gateway to send; the row in pt621.command says that it was given away; arguments and errors as of pt621_send()';

CREATE FUNCTION @extschema@.pt621_take_answer(device integer, by_conn bigint, line text, received_at timestamptz, seconds integer, named boolean)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- The one whose text the line repeats; else one that it names; else the one that
    -- waits longest.  None is answered by what was received before it was sent.  One that
    -- somebody else holds is not waited for, or all storing would: the archive has
    -- the line.
    UPDATE pt621.command c
       SET state = 'answered',
           answered_at = coalesce(c.answered_at, pt621_take_answer.received_at),
           answer = c.answer || line
     WHERE c.id = (SELECT l.id FROM pt621.command l WHERE l.id = (
                   SELECT q.id
                     FROM pt621.command q
                    WHERE q.device_id = device
                      AND q.conn IS NOT DISTINCT FROM by_conn
                      AND q.state IN ('sending', 'sent', 'answered')
                      AND q.sent_at > pt621_take_answer.received_at - make_interval(secs => seconds)
                      AND q.sent_at <= pt621_take_answer.received_at
                      AND (NOT named OR @extschema@.pt621_command_answered(q.wire, line) > 0)
                    ORDER BY @extschema@.pt621_command_answered(q.wire, line) DESC, q.answer IS NULL DESC,
                             CASE WHEN q.answer IS NULL THEN q.id ELSE -q.id END
                    LIMIT 1) FOR UPDATE SKIP LOCKED)
       AND coalesce(cardinality(c.answer), 0) < 100;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_take_answer(integer, bigint, text, timestamptz, integer, boolean) IS
'internal: adds a line to the answer of the command that it is for: one sent by this connection (NULL: by SMS) before the line came, and so many seconds before at most; named: only to one that it names';

-- Few rows at any time, found by partial indexes.  What others hold is for the next
-- call: it does not wait.
CREATE FUNCTION @extschema@.pt621_command_tick()
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before  text[] := @extschema@.pt621_put_off();
    changed integer;
    done    integer := 0;
BEGIN
    -- What has become due, or may be sent by now, or was committed without a word.
    PERFORM @extschema@.pt621_wake_listeners(ARRAY(
        SELECT d.ident
          FROM pt621.device d
         WHERE d.id IN (SELECT c.device_id FROM pt621.command c
                         WHERE c.state = 'queued' AND coalesce(c.not_before, '-infinity') <= now())
           AND d.ident IN (SELECT o.ident FROM @extschema@.pt621_stat_connection() o)));
    PERFORM @extschema@.pt621_command_supersede(
        ARRAY(SELECT DISTINCT c.device_id FROM pt621.command c WHERE c.state = 'queued' AND c.output IS NOT NULL));

    UPDATE pt621.command c SET state = 'expired'
     WHERE c.id IN (SELECT q.id FROM pt621.command q WHERE q.state = 'queued' AND q.expires_at <= now()
                     LIMIT 1000 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS done = ROW_COUNT;

    -- The listener says what became of one as soon as it has sent it.  Where it
    -- did not, and its connection is gone, nobody knows.
    UPDATE pt621.command c
       SET state = CASE WHEN c.attempts < c.max_attempts AND c.expires_at > now()
                             AND @extschema@.pt621_command_superseded_by(c.id, c.device_id, c.output) IS NULL THEN 'queued' ELSE 'failed' END,
           in_doubt = c.in_doubt + 1,
           reason = 'in doubt: the worker ended while it was being sent, so it may have been received'
     WHERE c.id IN (SELECT q.id FROM pt621.command q
                     WHERE q.state = 'sending' AND q.sent_at < now() - interval '10 s'
                       AND (q.sent_at < now() - interval '2 minutes'
                            OR NOT EXISTS (SELECT FROM @extschema@.pt621_stat_connection() o WHERE o.conn = q.conn))
                     LIMIT 1000 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS changed = ROW_COUNT;
    done := done + changed;

    UPDATE pt621.command c
       SET state = 'queued', reason = 'no answer to the last attempt'
     WHERE c.id IN (SELECT q.id FROM pt621.command q
                     WHERE q.state = 'sent' AND q.attempts < q.max_attempts AND q.expires_at > now()
                       AND q.sent_at < now() - make_interval(secs => @extschema@.pt621_answer_timeout())
                       AND @extschema@.pt621_command_superseded_by(q.id, q.device_id, q.output) IS NULL
                     LIMIT 1000 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS changed = ROW_COUNT;
    done := done + changed;

    UPDATE pt621.photo p SET state = 'failed', reason = concat_ws('; ', p.reason, 'not fetched within 7 days')
     WHERE p.id IN (SELECT q.id FROM pt621.photo q
                     WHERE q.state IN ('announced', 'fetching') AND q.announced_at < now() - interval '7 days'
                     LIMIT 1000 FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS changed = ROW_COUNT;
    done := done + changed;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
    RETURN done;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_command_tick() IS
'internal: ends commands whose time is over, settles those in doubt, repeats those without an answer as often as max_attempts allows, gives up photos; returns how many rows it changed';

CREATE FUNCTION @extschema@.pt621_answer_timeout()
RETURNS integer
AS 'MODULE_PATHNAME', 'pt621_answer_timeout'
LANGUAGE C STABLE PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_answer_timeout() IS
'internal: pt621.answer_timeout, seconds';
