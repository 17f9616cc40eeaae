-- 75-check-topics.sql: what the facts that 75-check.sql reads mean: a function for
-- each topic, which says how it is, what was seen, and what to do.

CREATE FUNCTION @extschema@.pt621_check_heard(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s    jsonb := facts -> 'state';
    open jsonb := facts -> 'state' -> 'listener';
BEGIN
    verdict := 'ok';
    IF s ->> 'last_seen' IS NOT NULL THEN
        verdict := CASE s ->> 'state' WHEN 'online' THEN 'ok' WHEN 'silent' THEN 'note' ELSE 'problem' END;
        finding := format('last heard %s by %s%s; %s: %s', @extschema@.pt621_check_time(s ->> 'last_seen'), s ->> 'transport',
                          ' from ' || (s ->> 'peer'), s ->> 'state', s ->> 'reason');
        IF NOT (s ->> 'enabled')::boolean THEN
            advice := 'See the topic policy.';
        ELSIF verdict = 'problem' THEN
            advice := format('See that it has power, reception, and data on its SIM. By SMS it answers without data: SELECT pt621_sms(%s, ''position'').', s ->> 'id');
        ELSIF facts -> 'frames' ->> 'transports' = 'sms' THEN
            verdict := 'note';
            finding := finding || '; texts by SMS, and nothing else';
            advice := 'It has no data: see its APN, the data of its SIM, and address and port of this server in its settings.';
        ELSIF s ->> 'transport' = 'sms' THEN
            -- A text says that it has power and reception, and no more.
            verdict := 'note';
            finding := finding || '; the last word came by SMS';
            advice := 'If no record follows, it has no data any more: see the topic gaps, its APN, and the data of its SIM.';
        END IF;
        RETURN;
    END IF;
    verdict := 'problem';
    IF (facts -> 'frames' ->> 'units')::bigint > 0 THEN
        finding := 'it reports, but nothing is accepted';
        advice := 'See the topics rejected and policy.';
        RETURN;
    END IF;
    finding := 'never heard of';
    advice := CASE WHEN open ->> 'state' = 'open'
                   THEN format('Have it report to this server, port %s, TCP or UDP: its manual says how, by SMS mostly, with its password before each command (factory: 000000).%s',
                               open ->> 'port', CASE WHEN current_setting('pt621.listen_addresses', true) ~ '^(localhost|127[.0-9]*|::1)$'
                                                     THEN ' The port is open on the loopback only: see pt621.listen_addresses.' END)
                   WHEN open IS NOT NULL AND open <> 'null'
                   THEN format('First have the port opened: the listener is %s (%s).', open ->> 'state', coalesce(open ->> 'reason', 'no reason given'))
                   ELSE 'No listener runs in this server: load pt621 by shared_preload_libraries, or have a relay call pt621_ingest().' END;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_heard(jsonb) IS
'internal: whether a tracker is heard, and by what';

CREATE FUNCTION @extschema@.pt621_check_identity(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s       jsonb := facts -> 'state';
    returns bigint := (facts -> 'frames' ->> 'returns')::bigint;
    rivals  boolean := (facts -> 'frames' ->> 'returns')::bigint > 0;
    lately  boolean := (facts -> 'state' ->> 'conflict_at')::timestamptz >= (facts -> 'state' ->> 'since')::timestamptz;
BEGIN
    verdict := 'ok';
    finding := format('id %s, %s', s ->> 'ident', coalesce('IMEI ' || (s ->> 'imei'), 'IMEI not known'));
    IF rivals OR lately THEN
        verdict := CASE WHEN returns > 1 OR lately AND (s ->> 'conflicts')::bigint >= 3 THEN 'problem' ELSE 'note' END;
        finding := concat_ws('; ', finding, CASE WHEN rivals THEN 'two connections report in turns under this id' END,
                             CASE WHEN lately THEN format('it was claimed by two connections, %s times in all, last %s%s', s ->> 'conflicts',
                                                          @extschema@.pt621_check_time(s ->> 'conflict_at'), ' from ' || (s ->> 'conflict_peer')) END);
        advice := CASE verdict WHEN 'problem' THEN 'Two trackers may have the same id: have each send one of its own, its IMEI for instance.'
                       ELSE 'It may just have come back before its old connection ended. If it goes on, look for another tracker with this id.' END;
    ELSIF s ->> 'twin' IS NOT NULL THEN
        verdict := 'problem';
        finding := format('%s, which tracker %s has as well', finding, s ->> 'twin');
        advice := 'One of them is the other under another id: set enabled = false in the row that is not used.';
    ELSIF s ->> 'ident' ~ '^[0-9]{15}$' AND s ->> 'imei' <> s ->> 'ident' THEN
        verdict := 'note';
        advice := 'Its id looks like an IMEI, and is not its own: see that it was not set up with that of another tracker.';
    ELSIF s ->> 'imei' IS NULL AND s ->> 'ident' !~ '^[0-9]{15}$' AND s ->> 'last_seen' IS NOT NULL THEN
        advice := format('Ask it: SELECT pt621_send(%s, ''imei'').', s ->> 'id');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_identity(jsonb) IS
'internal: who a tracker is, and whether another one says so too';

CREATE FUNCTION @extschema@.pt621_check_variant(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s jsonb := facts -> 'state';
    r jsonb := facts -> 'sample';
    n bigint := (facts -> 'sample' ->> 'records')::bigint;
BEGIN
    verdict := 'ok';
    IF n = 0 THEN
        verdict := 'note';
        finding := 'no record in the archive to tell by';
        IF (facts -> 'positions' ->> 'records')::bigint > 0 THEN
            advice := 'pt621.archive may say that nothing is kept: set it to all while you fit trackers.';
        END IF;
        RETURN;
    END IF;
    finding := format('%s; codes %s; %s inputs, %s outputs, %s analog channels, %s status digits; %s',
                      CASE (r ->> 'framed')::bigint WHEN 0 THEN 'plain text' WHEN n THEN 'framed (BF FB)' ELSE 'plain and framed' END
                      || CASE WHEN (facts -> 'frames' ->> 'deltas')::bigint > 0 THEN ' with deltas' ELSE '' END,
                      r ->> 'codes', coalesce(r ->> 'inputs', 'no'), coalesce(r ->> 'outputs', 'no'), r ->> 'channels',
                      CASE WHEN (r ->> 'status')::boolean THEN 'with' ELSE 'no' END,
                      coalesce('firmware ' || (s ->> 'firmware') || coalesce(', hardware ' || (s ->> 'hardware'), ''), 'firmware not known'));
    IF s ->> 'firmware' IS NULL THEN
        advice := format('Ask it: SELECT pt621_send(%s, ''version'').', s ->> 'id');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_variant(jsonb) IS
'internal: what the records of a tracker look like';

CREATE FUNCTION @extschema@.pt621_check_fix(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    p     jsonb := facts -> 'positions';
    n     bigint := (facts -> 'positions' ->> 'records')::bigint;
    valid bigint := (facts -> 'positions' ->> 'valid')::bigint;
    share numeric := round(100.0 * (facts -> 'positions' ->> 'valid')::numeric / nullif((facts -> 'positions' ->> 'records')::numeric, 0));
BEGIN
    verdict := 'ok';
    IF n = 0 THEN
        verdict := CASE WHEN (facts -> 'frames' ->> 'units')::bigint > 0 THEN 'problem' ELSE 'note' END;
        finding := 'no record of this period';
        advice := CASE verdict WHEN 'problem' THEN 'It sends, but no position comes of it, or one of another time: see clock, rejected and deltas.' END;
        RETURN;
    END IF;
    verdict := CASE WHEN share < 50 THEN 'problem' WHEN share < 90 THEN 'note' ELSE 'ok' END;
    finding := format('%s of %s records have a fix (%s %%)%s%s', valid, n, share,
                      ', with ' || (p ->> 'satellites') || ' satellites on average', '; the last fix is of ' || @extschema@.pt621_check_time(facts -> 'state' ->> 'fix_time'));
    IF verdict <> 'ok' THEN
        advice := CASE valid WHEN 0 THEN 'See that its antenna is plugged in, and has a free view of the sky; the first fix may take 15 minutes.'
                       ELSE 'See that no metal is above its antenna. In garages and tunnels it is to be so.' END;
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_fix(jsonb) IS
'internal: how often a tracker knows where it is';

CREATE FUNCTION @extschema@.pt621_check_clock(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    p      jsonb := facts -> 'positions';
    behind double precision := (facts -> 'sample' ->> 'behind')::double precision;
    -- Hours, in quarters.
    zone   numeric := round((behind / 900)::numeric) / 4;
    off    text := format('the time of its records is %s %s that of their receipt', @extschema@.pt621_check_span(behind),
                          CASE WHEN behind < 0 THEN 'after' ELSE 'before' END);
BEGIN
    verdict := 'ok';
    IF (p ->> 'rollover')::bigint > 0 OR abs(behind / 604800 - 1024) < 14 OR abs(behind / 604800 - 2048) < 14 THEN
        verdict := 'note';
        finding := 'its clock is 1,024 or 2,048 weeks early: the week number of GPS began anew, and its firmware does not know';
        advice := 'Nothing: pt621 puts it right (quality bit 131072). Newer firmware would as well.';
    ELSIF behind IS NULL THEN
        verdict := CASE WHEN (facts -> 'sample' ->> 'records')::bigint > 0 THEN 'note' ELSE 'ok' END;
        finding := 'no live record with a time to tell by';
    ELSIF abs(behind) <= 5 THEN
        finding := 'it is right, within 5 s';
    ELSIF abs(behind) <= 60 THEN
        finding := off;
    -- Whole and half hours, and the zones of Nepal, Eucla and Chatham; less than one is lateness.
    ELSIF abs(zone) BETWEEN 1 AND 14 AND (zone * 2 = trunc(zone * 2) OR zone IN (-5.75, -8.75, -12.75, -13.75)) AND abs(behind - zone * 3600) <= 120 THEN
        verdict := 'problem';
        finding := off;
        advice := format('It seems to send local time (UTC%s): records are to be in UTC. See its manual for the zone of records; the command time_zone is for texts only.',
                         CASE WHEN zone < 0 THEN '+' ELSE '-' END || trunc(abs(zone)) || coalesce(':' || nullif(trunc(abs(zone) % 1 * 60), 0), ''));
    ELSE
        verdict := CASE WHEN abs(behind) <= 900 THEN 'note' ELSE 'problem' END;
        finding := off;
        advice := CASE WHEN behind > 0 AND behind < 86400 THEN 'Records come late, or its clock is slow: see the topic gaps, and whether it has a fix.'
                       WHEN (p ->> 'valid')::bigint * 2 > (p ->> 'records')::bigint
                       THEN 'It has fixes, so GPS should set its clock: have its firmware updated. Its records are kept under the time that they say.'
                       ELSE 'Its clock is set by GPS: see the topic fix.' END;
    END IF;
    IF (p ->> 'no_time')::bigint > 0 THEN
        verdict := CASE verdict WHEN 'ok' THEN 'note' ELSE verdict END;
        finding := format('%s; %s of %s records had no plausible time, and have that of their receipt', finding, p ->> 'no_time', p ->> 'records');
        advice := coalesce(advice, 'That is so before the first fix. If it goes on, see the topic fix.');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_clock(jsonb) IS
'internal: how far off the clock of a tracker is';

CREATE FUNCTION @extschema@.pt621_check_interval(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    w      jsonb := facts -> 'positions' -> 'walk';
    usual  double precision := (facts -> 'state' ->> 'report_interval')::double precision;
    median double precision := (facts -> 'positions' -> 'walk' ->> 'median')::double precision;
    moving double precision := (facts -> 'positions' -> 'walk' ->> 'moving')::double precision;
BEGIN
    verdict := 'ok';
    IF median IS NULL THEN
        verdict := CASE WHEN (facts -> 'frames' ->> 'units')::bigint > 0 THEN 'note' ELSE 'ok' END;
        finding := 'not two records of this period';
        RETURN;
    END IF;
    finding := format('a record every %s (median)%s%s', @extschema@.pt621_check_span(median), ', in motion every ' || @extschema@.pt621_check_span(moving),
                      '; heard every ' || @extschema@.pt621_check_span(usual) || ' as a rule');
    IF coalesce(moving, median) > 120 THEN
        verdict := 'note';
        advice := format('Tracks will be coarse. Send it #PTI30: SELECT pt621_send(%s, ''interval'', ''30'').', facts -> 'state' ->> 'id');
    ELSIF coalesce(moving, median) < 5 THEN
        verdict := 'note';
        advice := format('That costs much data. Send it #PTI15: SELECT pt621_send(%s, ''interval'', ''15'').', facts -> 'state' ->> 'id');
    ELSIF (w ->> 'long')::double precision > 20 * median THEN
        verdict := 'note';
        finding := format('%s; every tenth pause is %s and longer', finding, @extschema@.pt621_check_span((w ->> 'long')::double precision));
        advice := 'That is so where it reports less often when it is parked. If it is not parked, see the topic gaps.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_interval(jsonb) IS
'internal: how often a tracker reports';

CREATE FUNCTION @extschema@.pt621_check_gaps(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    f      jsonb := facts -> 'frames';
    p      jsonb := facts -> 'positions';
    pause  double precision := (facts -> 'frames' ->> 'pause')::double precision;
    stored bigint := (facts ->> 'gap_stored')::bigint;
BEGIN
    verdict := 'ok';
    finding := CASE WHEN pause IS NULL THEN 'nothing to tell by'
                    ELSE format('the longest silence lasted %s, until %s', @extschema@.pt621_check_span(pause), @extschema@.pt621_check_time(f ->> 'pause_end')) END;
    IF (p ->> 'records')::bigint > 0 AND p ->> 'records' = p ->> 'stored' THEN
        verdict := 'problem';
        finding := format('all %s records came from its memory, none live; %s', p ->> 'records', finding);
        advice := 'It is connected for short times only: see its reception, its SIM, and whether it goes to sleep at once.';
    ELSIF pause > greatest(3600, 5 * coalesce((facts -> 'positions' -> 'walk' ->> 'long')::double precision, 0)) THEN
        verdict := 'note';
        finding := format('%s; %s', finding, CASE stored WHEN 0 THEN 'nothing of that time came later'
                                                  ELSE format('%s records of that time came later, from its memory', stored) END);
        advice := CASE stored WHEN 0 THEN 'It was off, asleep, or has no memory: see its supply, and whether it is cut with the ignition.'
                       ELSE 'It had no network there. Nothing is lost.' END;
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_gaps(jsonb) IS
'internal: when a tracker was silent';
