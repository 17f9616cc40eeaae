-- 75-check-wires.sql: as 75-check-topics.sql, of what is wired to a tracker and of
-- what came to nothing; and pt621_check() itself, which puts all together.

CREATE FUNCTION @extschema@.pt621_check_inputs(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s     jsonb := facts -> 'state';
    wire  integer := (facts -> 'state' ->> 'ignition_input')::integer;
    pins  jsonb := facts -> 'wires' -> 'inputs';
    own   record;
    other integer;
    found text;
BEGIN
    verdict := 'ok';
    IF pins IS NULL OR pins = 'null' THEN
        verdict := CASE WHEN (facts -> 'positions' ->> 'records')::bigint > 0 THEN 'note' ELSE 'ok' END;
        finding := 'no record with inputs';
        RETURN;
    END IF;
    SELECT i.records, i."on", i.on_moving, i.moving INTO own
      FROM jsonb_to_recordset(pins) i (number integer, records bigint, "on" bigint, on_moving bigint, moving bigint) WHERE i.number = wire;
    -- On in nearly all of the records in motion, and not always.
    SELECT i.number INTO other
      FROM jsonb_to_recordset(pins) i (number integer, records bigint, "on" bigint, on_moving bigint, moving bigint)
     WHERE i.number IS DISTINCT FROM wire AND i.moving >= 10 AND i.on_moving >= 0.9 * i.moving AND i."on" < i.records
     ORDER BY i.on_moving::numeric / i."on" DESC, i.number LIMIT 1;
    found := CASE WHEN other IS NOT NULL
                  THEN format('Input %1$s is on in motion: UPDATE pt621.device SET ignition_input = %1$s WHERE id = %2$s.', other, s ->> 'id') END;
    SELECT format('changed: %s; always off: %s; always on: %s',
                  coalesce(string_agg(i.number::text, ', ' ORDER BY i.number) FILTER (WHERE i."on" BETWEEN 1 AND i.records - 1), 'none'),
                  coalesce(string_agg(i.number::text, ', ' ORDER BY i.number) FILTER (WHERE i."on" = 0), 'none'),
                  coalesce(string_agg(i.number::text, ', ' ORDER BY i.number) FILTER (WHERE i."on" = i.records), 'none')) INTO finding
      FROM jsonb_to_recordset(pins) i (number integer, records bigint, "on" bigint);
    IF wire IS NULL THEN
        finding := finding || '; none is named as ignition';
        advice := found;
        verdict := CASE WHEN other IS NOT NULL THEN 'note' ELSE 'ok' END;
    ELSIF own.records IS NULL THEN
        verdict := 'problem';
        finding := format('%s; input %s, named as ignition, does not exist', finding, wire);
    ELSIF own.moving < 10 THEN
        verdict := 'note';
        finding := format('%s; it hardly moved, so nothing can be said of the ignition (input %s)', finding, wire);
        advice := 'Switch on each thing that is wired and drive some minutes, then ask again.';
    ELSIF own.on_moving = 0 THEN
        verdict := 'problem';
        finding := format('%s; input %s, named as ignition, was never on in %s records in motion', finding, wire, own.moving);
    ELSE
        finding := format('%s; ignition (input %s) was on in %s %% of the records in motion', finding, wire, round(100.0 * own.on_moving / own.moving));
        IF own."on" = own.records AND own.records >= own.moving + 10 THEN
            verdict := 'note';
            advice := 'The ignition is on when it stands as well: see that the wire is at the ignition, not at a permanent supply.';
        END IF;
    END IF;
    IF verdict = 'problem' THEN
        advice := coalesce(found, format('Connect that wire to the ignition. If there is none: UPDATE pt621.device SET ignition_input = NULL WHERE id = %s.', s ->> 'id'));
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_inputs(jsonb) IS
'internal: which inputs of a tracker were ever on, and whether the ignition is wired';

CREATE FUNCTION @extschema@.pt621_check_outputs(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s    jsonb := facts -> 'state';
    cuts integer := (facts -> 'state' ->> 'engine_output')::integer;
    pins jsonb := facts -> 'wires' -> 'outputs';
    own  record;
BEGIN
    verdict := 'ok';
    IF pins IS NULL OR pins = 'null' THEN
        finding := 'no record with outputs';
        RETURN;
    END IF;
    SELECT format('now %s; were on: %s', facts -> 'positions' ->> 'outputs',
                  coalesce(string_agg(o.number::text, ', ' ORDER BY o.number) FILTER (WHERE o."on" > 0), 'none')) INTO finding
      FROM jsonb_to_recordset(pins) o (number integer, "on" bigint);
    SELECT o.on_moving INTO own FROM jsonb_to_recordset(pins) o (number integer, on_moving bigint) WHERE o.number = cuts;
    IF own.on_moving > 0 THEN
        verdict := 'note';
        finding := format('%s; output %s, named as the one that cuts the engine, was on in motion', finding, cuts);
        advice := format('It does not cut the engine, or cuts it when it is off. If nothing is wired there: UPDATE pt621.device SET engine_output = NULL WHERE id = %s.', s ->> 'id');
    ELSIF substr(facts -> 'positions' ->> 'outputs', cuts, 1) = '1' THEN
        verdict := 'note';
        finding := format('%s; output %s, named as the one that cuts the engine, is on', finding, cuts);
        advice := format('If it is not meant to be: SELECT pt621_send(%s, ''engine_restore'').', s ->> 'id');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_outputs(jsonb) IS
'internal: which outputs of a tracker are on';

CREATE FUNCTION @extschema@.pt621_check_analog(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s       jsonb := facts -> 'state';
    counts  jsonb := facts -> 'wires' -> 'channels';
    -- Channels by the names of their sensors.
    sensors jsonb := CASE jsonb_typeof(s -> 'calibration') WHEN 'object' THEN s -> 'calibration' ELSE '{}' END;
    lame    text;
    free    integer;
BEGIN
    verdict := 'ok';
    -- Sensors that are said to be at a channel that says nothing.
    SELECT string_agg(format('%s (channel %s)', k.key, k.value), ', ' ORDER BY k.key) INTO lame
      FROM jsonb_each_text(sensors) k
     WHERE NOT EXISTS (SELECT FROM jsonb_to_recordset(CASE jsonb_typeof(counts) WHEN 'array' THEN counts ELSE '[]' END) c (number integer, least integer, most integer)
                        WHERE c.number = k.value::integer AND c.least < c.most);
    IF counts IS NULL OR counts = 'null' THEN
        finding := 'no record with analog channels';
    ELSE
        SELECT string_agg(format('channel %s: %s', c.number, CASE WHEN c.least = c.most THEN 'always ' || c.least ELSE c.least || ' to ' || c.most END),
                          '; ' ORDER BY c.number),
               min(c.number) FILTER (WHERE c.least < c.most AND NOT EXISTS (
                   SELECT FROM jsonb_each_text(sensors) k
                    WHERE k.value::integer = c.number)) INTO finding, free
          FROM jsonb_to_recordset(counts) c (number integer, least integer, most integer);
    END IF;
    IF lame IS NOT NULL AND (facts -> 'positions' ->> 'records')::bigint > 1 THEN
        verdict := 'problem';
        finding := format('%s; nothing changes at the sensor %s', finding, lame);
        advice := 'See that it is wired, and to this channel: channels that are not in use read 0.';
    ELSIF free IS NOT NULL THEN
        advice := format('Something is wired to channel %s: say in pt621.calibration what it measures.', free);
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_analog(jsonb) IS
'internal: what the analog channels of a tracker read';

CREATE FUNCTION @extschema@.pt621_check_odometer(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    w       jsonb := facts -> 'positions' -> 'walk';
    metres  double precision := (facts -> 'positions' -> 'walk' ->> 'metres')::double precision;
    counted double precision := coalesce((facts -> 'positions' -> 'walk' ->> 'counted')::double precision, 0);
BEGIN
    verdict := 'ok';
    IF coalesce((facts -> 'positions' ->> 'odometer')::bigint, 0) = 0 THEN
        verdict := CASE WHEN (facts -> 'positions' ->> 'records')::bigint > 0 THEN 'note' ELSE 'ok' END;
        finding := 'no record with an odometer';
        RETURN;
    END IF;
    IF coalesce(metres, 0) < 1000 THEN
        finding := 'it hardly moved, so nothing can be said';
        RETURN;
    END IF;
    finding := format('it counts %s km where its fixes make %s km', round((counted / 1000)::numeric, 1), round((metres / 1000)::numeric, 1));
    IF counted = 0 THEN
        verdict := 'problem';
        finding := format('it stands still while the fixes make %s km', round((metres / 1000)::numeric, 1));
        advice := 'Do not go by odometer_m: reports go by fixes. See its manual for how the odometer is set.';
    ELSIF counted NOT BETWEEN 0.8 * metres AND 1.3 * metres THEN
        verdict := 'note';
        advice := CASE WHEN metres < 5000 THEN 'Drive some more kilometres, then ask again.'
                       ELSE format('If it is always so: UPDATE pt621.device SET odometer_factor = odometer_factor * %s WHERE id = %s.',
                                   round((metres / counted)::numeric, 3), facts -> 'state' ->> 'id') END;
    END IF;
    IF (w ->> 'back')::bigint > 0 THEN
        verdict := CASE verdict WHEN 'ok' THEN 'note' ELSE verdict END;
        finding := format('%s; it went back %s times', finding, w ->> 'back');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_odometer(jsonb) IS
'internal: whether the odometer of a tracker counts';

CREATE FUNCTION @extschema@.pt621_check_rejected(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    units  bigint := (facts -> 'frames' ->> 'units')::bigint;
    faults jsonb := facts -> 'frames' -> 'faults';
    faulty bigint;
    lost   bigint := (facts -> 'state' ->> 'not_archived')::bigint;
BEGIN
    verdict := 'ok';
    IF jsonb_typeof(faults) = 'array' THEN
        SELECT sum(f.units), string_agg(format('%s: %s', f.reason, f.units), ', ' ORDER BY f.units DESC, f.reason),
               (array_agg(f.advice ORDER BY f.units DESC, f.reason))[1] INTO faulty, finding, advice
          FROM jsonb_to_recordset(faults) f (units bigint, reason text, advice text)
         WHERE f.reason NOT IN ('policy', 'delta');
    END IF;
    IF coalesce(faulty, 0) = 0 THEN
        finding := format('none of %s units', units);
    ELSE
        verdict := CASE WHEN faulty * 100 > units THEN 'problem' ELSE 'note' END;
        finding := format('%s of %s units (%s)', faulty, units, finding);
    END IF;
    IF lost > 0 AND facts -> 'state' ->> 'last_seen' IS NULL THEN
        finding := format('%s; the listeners kept %s units of strangers out of the archive', finding, lost);
        advice := coalesce(advice, 'Its own may be among them: raise pt621.archive_strangers while you fit it.');
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_rejected(jsonb) IS
'internal: what a tracker sent in vain';

CREATE FUNCTION @extschema@.pt621_check_deltas(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    deltas bigint := (facts -> 'frames' ->> 'deltas')::bigint;
    faults jsonb := facts -> 'frames' -> 'faults';
    lost   bigint := 0;
BEGIN
    verdict := 'ok';
    IF jsonb_typeof(faults) = 'array' THEN
        SELECT coalesce(sum(f.units), 0) INTO lost FROM jsonb_to_recordset(faults) f (units bigint, reason text) WHERE f.reason = 'delta';
    END IF;
    IF deltas = 0 AND lost = 0 THEN
        finding := 'it sends none';
        RETURN;
    END IF;
    finding := format('%s of %s deltas found no base', lost, greatest(deltas, lost));
    IF lost > 0 THEN
        verdict := CASE WHEN lost * 20 > deltas THEN 'problem' ELSE 'note' END;
        advice := 'They wait for a full record. If there are many, prefer TCP to UDP, or switch the deltas (Smart Report) off, if its manual says how.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_deltas(jsonb) IS
'internal: how many deltas of a tracker were lost';

CREATE FUNCTION @extschema@.pt621_check_photos(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    p      jsonb := facts -> 'state' -> 'photos';
    failed bigint := (facts -> 'state' -> 'photos' ->> 'failed')::bigint;
BEGIN
    verdict := 'ok';
    IF p IS NULL OR p = 'null' THEN
        finding := 'none announced';
        RETURN;
    END IF;
    SELECT string_agg(format('%s %s', k.value, k.key), ', ' ORDER BY k.key) INTO finding FROM jsonb_each_text(p) k;
    IF failed > 0 THEN
        verdict := CASE WHEN p ->> 'complete' IS NULL THEN 'problem' ELSE 'note' END;
        finding := format('%s; the last one that failed: %s', finding, facts -> 'state' ->> 'photo_fault');
        advice := format('See that its camera is plugged in, then SELECT pt621_send(%s, ''photo'').', facts -> 'state' ->> 'id');
    ELSIF p ->> 'complete' IS NULL THEN
        verdict := 'note';
        advice := 'They are fetched while it is connected: see the topic heard, and pt621.fetch_photos.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_photos(jsonb) IS
'internal: what became of the photos of a tracker';

CREATE FUNCTION @extschema@.pt621_check_commands(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s jsonb := facts -> 'state';
    c jsonb := facts -> 'state' -> 'command';
BEGIN
    verdict := 'ok';
    IF c IS NULL OR c = 'null' THEN
        finding := 'none given';
        RETURN;
    END IF;
    finding := format('the last one, %s of %s, is %s%s; it has %s answered one', c ->> 'kind', @extschema@.pt621_check_time(c ->> 'at'), c ->> 'state',
                      ' (' || (c ->> 'reason') || ')', CASE WHEN (s ->> 'answered')::boolean THEN 'already' ELSE 'never' END);
    IF c ->> 'state' IN ('failed', 'expired') THEN
        verdict := 'note';
        advice := format('It was not connected in time, perhaps. By SMS: SELECT pt621_sms(%s, %L%s).', s ->> 'id', c ->> 'kind',
                         ', ' || quote_literal(c ->> 'argument'));
    ELSIF c ->> 'state' = 'queued' THEN
        verdict := 'note';
        advice := 'It waits until the tracker connects, or the time has come: see the topic heard.';
    ELSIF c ->> 'state' = 'sent' AND NOT (s ->> 'answered')::boolean THEN
        verdict := 'note';
        advice := 'Not every tracker answers: see in its records whether it did as it was told.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_commands(jsonb) IS
'internal: what became of the last command to a tracker';

CREATE FUNCTION @extschema@.pt621_check_policy(facts jsonb, OUT verdict text, OUT finding text, OUT advice text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    s      jsonb := facts -> 'state';
    policy jsonb := facts -> 'frames' -> 'policy';
    peer   text := facts -> 'frames' ->> 'outsider';
BEGIN
    verdict := 'ok';
    IF NOT (s ->> 'enabled')::boolean THEN
        verdict := 'problem';
        finding := 'it is disabled: what it sends is archived, and goes no further';
        advice := format('UPDATE pt621.device SET enabled = true WHERE id = %s.', s ->> 'id');
    ELSIF policy ? 'the peer is not in allowed_peers of the tracker' THEN
        verdict := 'problem';
        finding := format('%s units came from outside its allowed_peers%s', policy ->> 'the peer is not in allowed_peers of the tracker', ', the last from ' || peer);
        advice := CASE WHEN peer IS NOT NULL
                       THEN format('If that is its network: UPDATE pt621.device SET allowed_peers = allowed_peers || cidr %L WHERE id = %s.', peer, s ->> 'id') END;
    ELSIF (s ->> 'strange')::bigint > 0 THEN
        verdict := 'problem';
        finding := format('%s units came before it was let in, and are only archived', s ->> 'strange');
        advice := format('SELECT pt621_adopt(%L).', s ->> 'ident');
    ELSIF policy ? 'another connection speaks for the tracker' THEN
        verdict := 'note';
        finding := format('%s units were refused, because another connection spoke for it', policy ->> 'another connection speaks for the tracker');
        advice := 'See the topic identity, and pt621.connection_conflict.';
    ELSE
        finding := format('enabled, from %s', CASE WHEN jsonb_typeof(s -> 'allowed_peers') = 'array'
                                                   THEN (SELECT string_agg(a, ', ') FROM jsonb_array_elements_text(s -> 'allowed_peers') a)
                                                   ELSE 'any address' END);
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_policy(jsonb) IS
'internal: whether what a tracker sends is let in';

CREATE FUNCTION @extschema@.pt621_check(device integer, period interval DEFAULT '1 day')
RETURNS TABLE (topic text, verdict text, finding text, advice text)
LANGUAGE plpgsql STABLE COST 100000 ROWS 16
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    low   timestamptz := now() - period;
    facts jsonb := jsonb_build_object('state', @extschema@.pt621_check_state(device, low));
BEGIN
    IF period IS NULL OR period <= interval '0' THEN
        RAISE EXCEPTION 'the period is to be more than 0, not %', period
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF device IS NULL OR facts -> 'state' = 'null' THEN
        RAISE EXCEPTION 'there is no tracker % in pt621.device', device
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT id, ident, name FROM pt621.device shows those that there are. One that was quarantined or rejected is let in by pt621_adopt().';
    END IF;
    facts := facts || jsonb_build_object(
        'frames', @extschema@.pt621_check_frames(device, low), 'sample', @extschema@.pt621_check_sample(device, low),
        'positions', @extschema@.pt621_check_positions(device, low), 'wires', @extschema@.pt621_check_wires(device, low));
    facts := facts || jsonb_build_object('gap_stored', (
        SELECT count(*) FROM pt621.position p
         WHERE p.device_id = device AND p.stored AND p.fix_time < (facts -> 'frames' ->> 'pause_end')::timestamptz
           AND p.fix_time > (facts -> 'frames' ->> 'pause_end')::timestamptz
                            - make_interval(secs => (facts -> 'frames' ->> 'pause')::double precision)));
    RETURN QUERY
    SELECT 'heard', c.* FROM @extschema@.pt621_check_heard(facts) c UNION ALL
    SELECT 'identity', c.* FROM @extschema@.pt621_check_identity(facts) c UNION ALL
    SELECT 'variant', c.* FROM @extschema@.pt621_check_variant(facts) c UNION ALL
    SELECT 'fix', c.* FROM @extschema@.pt621_check_fix(facts) c UNION ALL
    SELECT 'clock', c.* FROM @extschema@.pt621_check_clock(facts) c UNION ALL
    SELECT 'interval', c.* FROM @extschema@.pt621_check_interval(facts) c UNION ALL
    SELECT 'gaps', c.* FROM @extschema@.pt621_check_gaps(facts) c UNION ALL
    SELECT 'inputs', c.* FROM @extschema@.pt621_check_inputs(facts) c UNION ALL
    SELECT 'outputs', c.* FROM @extschema@.pt621_check_outputs(facts) c UNION ALL
    SELECT 'analog', c.* FROM @extschema@.pt621_check_analog(facts) c UNION ALL
    SELECT 'odometer', c.* FROM @extschema@.pt621_check_odometer(facts) c UNION ALL
    SELECT 'rejected', c.* FROM @extschema@.pt621_check_rejected(facts) c UNION ALL
    SELECT 'deltas', c.* FROM @extschema@.pt621_check_deltas(facts) c UNION ALL
    SELECT 'photos', c.* FROM @extschema@.pt621_check_photos(facts) c UNION ALL
    SELECT 'commands', c.* FROM @extschema@.pt621_check_commands(facts) c UNION ALL
    SELECT 'policy', c.* FROM @extschema@.pt621_check_policy(facts) c;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check(integer, interval) IS
'what was seen of a tracker in the period until now, for who fits it: a row for each topic, with verdict (ok, note, problem), what was found, and what to do; arguments: device.id, period (more than 0); positions of the period by their own time, all else by that of receipt; error for a tracker that is not in pt621.device';
