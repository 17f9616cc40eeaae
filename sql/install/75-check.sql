-- 75-check.sql: what was seen of a tracker, in words for who fits it.
--
-- Five functions read, and pt621_check() for gaps, with the rights of whoever asks;
-- the others make a row each of what those found.  Facts travel as JSON: bodies
-- that read the tables are not bound at creation.

-- -------------------------------------------------------------------- words --

CREATE FUNCTION @extschema@.pt621_check_span(seconds double precision)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE WHEN s < 120 THEN round(s) || ' s' WHEN s < 7200 THEN round(s / 60) || ' min'
                WHEN s < 172800 THEN round(s / 3600) || ' h' ELSE round(s / 86400) || ' days' END
      FROM (SELECT abs(seconds)::numeric) a (s)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_span(double precision) IS
'internal: a length of time, seconds, in words';

CREATE FUNCTION @extschema@.pt621_check_time(at text)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT to_char(at::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_time(text) IS
'internal: a time as pt621_check() writes it';

CREATE FUNCTION @extschema@.pt621_check_reason(error text, OUT reason text, OUT advice text)
RETURNS record
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT r.reason, r.advice
      FROM (VALUES
          (1, 'no record with check byte %', 'delta', NULL),
          (2, 'delta %', 'a delta that does not fit', 'Records are lost on the way, or bytes change: prefer TCP to UDP, or switch the deltas (Smart Report) off, if its manual says how.'),
          (3, 'quarantined:%', 'policy', NULL),
          (4, 'the tracker is not %', 'policy', NULL),
          (5, 'the peer is not in %', 'policy', NULL),
          (6, 'another connection %', 'policy', NULL),
          (7, 'frame verify byte %', 'a wrong check byte', 'Bytes change on the way: see what converts them there, or use another access point.'),
          (8, 'the sender, %', 'a text of another phone', 'If it is its own number, say so in pt621.device.phone.'),
          (9, 'frame %', 'a broken frame', 'Connections break in the middle of frames: see how good its reception is.'),
          (10, 'a report has at least %', 'a record cut short', 'Connections break in the middle of records: see how good its reception is.'),
          (11, 'photo chunk %', 'a broken piece of a photo', 'Connections break in the middle of photos: see how good its reception is.'),
          (12, 'a piece of a photo %', 'a photo that is too large', 'Raise pt621.max_photo_size, or have it send smaller photos.'),
          (13, 'more records %', 'too many records in a second', 'Have it report less often, or raise pt621.max_record_rate.'),
          (14, 'no line end %', 'a line that is too long', 'See its bytes in pt621.frame: it may speak another protocol.'),
          (15, 'not a record%', 'what is no record', 'See its bytes in pt621.frame: answers, debug texts, or another protocol.'),
          (16, 'event code %', 'a code that is none', 'See its bytes in pt621.frame, and report what firmware sends them.'),
          (17, 'id %', 'an id that is none', 'Give it an id of 1 to 20 digits or letters.'),
          (18, '%', 'other reasons', 'See error and bytes in pt621.frame; the log of the server may say more.')) r (number, pattern, reason, advice)
     WHERE error LIKE r.pattern
     ORDER BY r.number LIMIT 1
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_reason(text) IS
'internal: what kind of error of pt621.frame this is, by the first pattern that fits, and what to do about it';

-- ------------------------------------------------------------------ reading --

CREATE FUNCTION @extschema@.pt621_check_state(device integer, low timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
                   'id', d.id, 'ident', d.ident, 'imei', d.imei, 'enabled', d.enabled, 'firmware', d.firmware, 'hardware', d.hardware,
                   'ignition_input', d.ignition_input, 'engine_output', d.engine_output, 'allowed_peers', d.allowed_peers,
                   'since', low, 'twin', (SELECT min(t.id) FROM pt621.device t WHERE t.imei = d.imei AND t.id <> d.id AND t.enabled AND d.enabled),
                   'state', v.state, 'reason', v.reason, 'last_seen', s.last_seen, 'transport', s.last_transport,
                   'peer', host(s.last_peer), 'fix_time', s.fix_time, 'report_interval', s.report_interval,
                   'conflicts', s.conflicts, 'conflict_at', s.conflict_at, 'conflict_peer', host(s.conflict_peer))
               || jsonb_build_object(
                   'listener', (SELECT jsonb_build_object('state', w.state, 'reason', w.reason, 'port', w.port)
                                  FROM @extschema@.pt621_stat_worker() w WHERE w.worker = 'listener'
                                 ORDER BY w.state = 'open' DESC, w.number LIMIT 1),
                   'not_archived', (SELECT sum(w.not_archived) FROM @extschema@.pt621_stat_worker() w),
                   -- What pt621_adopt() would take in: units that are faulty stay in the archive as they are.
                   'strange', (SELECT count(*) FROM pt621.frame f
                                WHERE f.device_id IS NULL AND f.ident = d.ident
                                  AND f.error IN ('quarantined: the tracker is not in pt621.device', 'the tracker is not in pt621.device')),
                   'photos', (SELECT jsonb_object_agg(p.state, p.photos)
                                FROM (SELECT p.state, count(*) AS photos FROM pt621.photo p
                                       WHERE p.device_id = d.id AND p.announced_at >= low GROUP BY p.state) p),
                   'photo_fault', (SELECT p.reason FROM pt621.photo p
                                    WHERE p.device_id = d.id AND p.announced_at >= low AND p.state = 'failed'
                                    ORDER BY p.id DESC LIMIT 1),
                   'command', (SELECT jsonb_build_object('id', c.id, 'kind', c.kind, 'argument', c.argument, 'state', c.state, 'reason', c.reason,
                                                         'transport', c.transport, 'at', c.requested_at)
                                 FROM pt621.command c WHERE c.device_id = d.id ORDER BY c.id DESC LIMIT 1),
                   'answered', EXISTS (SELECT FROM pt621.command c WHERE c.device_id = d.id AND c.state = 'answered'),
                   -- Of two of one name the later one, as for pt621_sensor().
                   'calibration', (SELECT jsonb_object_agg(c.name, c.channel ORDER BY lower(c.valid) NULLS FIRST, c.id) FROM pt621.calibration c
                                    WHERE c.device_id = d.id AND c.valid @> now()))
          FROM pt621.device d
          LEFT JOIN pt621.device_state s ON s.device_id = d.id
          LEFT JOIN pt621.presence v ON v.device_id = d.id
         WHERE d.id = device);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_state(integer, timestamptz) IS
'internal: what the tables say of a tracker but for its records, photos since low; NULL when there is none';

-- What a unit is of is read of the newest 200 that were understood; the errors are
-- counted, and the pauses measured, over all of the period.  That a connection
-- reports again after another has is looked for by TCP and UDP apart: trackers may
-- have one of each, and a text is one of its own.
CREATE FUNCTION @extschema@.pt621_check_frames(device integer, low timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN (
        WITH unit AS MATERIALIZED (
            SELECT f.received_at, f.seq, f.conn, f.transport, f.error, substr(f.bytes, 1, 1) = '@' OR f.record IS NOT NULL AS delta,
                   extract(epoch FROM f.received_at - lag(f.received_at) OVER w) AS pause,
                   f.conn <> lag(f.conn) OVER (PARTITION BY f.transport ORDER BY f.received_at, f.seq) AS switched, host(f.peer) AS peer
              FROM pt621.frame f
             WHERE f.device_id = device AND f.received_at >= low AND f.transport <> 'replay'
            WINDOW w AS (ORDER BY f.received_at, f.seq)),
        longest AS (
            SELECT u.pause, u.received_at FROM unit u WHERE u.pause IS NOT NULL ORDER BY u.pause DESC, u.received_at LIMIT 1),
        fault AS (
            SELECT r.reason, min(r.advice) AS advice, count(*) AS units
              FROM unit u, @extschema@.pt621_check_reason(u.error) r
             WHERE u.error IS NOT NULL
             GROUP BY r.reason),
        turn AS (
            SELECT greatest(count(*) FILTER (WHERE u.switched) - greatest(count(DISTINCT u.conn) - 1, 0), 0) AS returns
              FROM unit u WHERE u.transport IN ('tcp', 'udp') GROUP BY u.transport)
        SELECT jsonb_build_object(
                   'units', count(*), 'deltas', count(*) FILTER (WHERE u.delta),
                   'returns', (SELECT coalesce(sum(t.returns), 0) FROM turn t),
                   'transports', (SELECT string_agg(DISTINCT t.transport, ', ') FROM unit t),
                   'pause', (SELECT l.pause FROM longest l), 'pause_end', (SELECT l.received_at FROM longest l),
                   'faults', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.units DESC, f.reason) FROM fault f),
                   'outsider', (SELECT u.peer FROM unit u WHERE u.error LIKE 'the peer is not in %' AND u.peer IS NOT NULL
                                 ORDER BY u.received_at DESC, u.seq DESC LIMIT 1),
                   'policy', (SELECT jsonb_object_agg(p.error, p.units)
                                FROM (SELECT u.error, count(*) AS units FROM unit u, @extschema@.pt621_check_reason(u.error) r
                                       WHERE r.reason = 'policy' GROUP BY u.error) p))
          FROM unit u);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_frames(integer, timestamptz) IS
'internal: how many units a tracker has sent since low, what became of them, and how long it was silent';

CREATE FUNCTION @extschema@.pt621_check_sample(device integer, low timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN (
        WITH newest AS MATERIALIZED (
            SELECT f.received_at, f.transport, substr(f.bytes, 1, 2) = '\xbffb' AS framed,
                   coalesce(f.record, CASE WHEN substr(f.bytes, 1, 2) = '\xbffb' THEN substr(f.bytes, 6) ELSE f.bytes END) AS text
              FROM pt621.frame f
             WHERE f.device_id = device AND f.received_at >= low AND f.error IS NULL AND f.transport NOT IN ('replay', 'sms')
               -- No pieces of photos, of which there may be thousands.
               AND substr(f.bytes, CASE WHEN substr(f.bytes, 1, 2) = '\xbffb' THEN 6 ELSE 1 END, 4) <> '$PHD'
             ORDER BY f.received_at DESC, f.seq DESC
             LIMIT 200),
        record AS MATERIALIZED (
            SELECT n.received_at, n.framed, r.code, r.stored, length(r.inputs) AS inputs, length(r.outputs) AS outputs,
                   coalesce(cardinality(r.adc), 0) AS channels, r.gsb IS NOT NULL AS status,
                   extract(epoch FROM n.received_at - r.device_time) AS behind
              FROM newest n, @extschema@.pt621_decode(n.text) r
             WHERE r.kind = 'report')
        SELECT jsonb_build_object(
                   'records', count(*), 'framed', count(*) FILTER (WHERE r.framed),
                   'codes', (SELECT string_agg(c.code, ', ' ORDER BY c.code) FROM (SELECT DISTINCT r.code COLLATE "C" FROM record r LIMIT 10) c (code)),
                   'inputs', max(r.inputs), 'outputs', max(r.outputs), 'channels', max(r.channels), 'status', coalesce(bool_or(r.status), false),
                   'behind', percentile_cont(0.5) WITHIN GROUP (ORDER BY r.behind) FILTER (WHERE NOT r.stored))
          FROM record r);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_sample(integer, timestamptz) IS
'internal: what the newest 200 records of a tracker since low look like, and how many seconds its clock is behind';

CREATE FUNCTION @extschema@.pt621_check_positions(device integer, low timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN (
        WITH fix AS MATERIALIZED (
            SELECT p.fix_time, p.valid, p.stored, p.quality, p.satellites, p.odometer_m, p.outputs, p.geom::point AS at,
                   p.valid AND p.quality & 32768 = 0 AS placed, p.speed_kmh >= 5 AND p.valid AS moves, row_number() OVER w AS n
              FROM pt621.position p
             WHERE p.device_id = device AND p.fix_time >= low AND p.code <> 'SMS'
            WINDOW w AS (ORDER BY p.fix_time, p.code COLLATE "C", p.digest)),
        step AS (
            SELECT extract(epoch FROM f.fix_time - lag(f.fix_time) OVER w) AS pause, f.moves AND lag(f.moves) OVER w AS moves, f.moves AS driven,
                   f.odometer_m - lag(f.odometer_m) OVER w AS counted,
                   CASE WHEN f.placed AND lag(f.placed) OVER w
                        THEN 111195 * sqrt((f.at[1] - (lag(f.at) OVER w)[1]) ^ 2
                                           + (least(abs(f.at[0] - (lag(f.at) OVER w)[0]), 360 - abs(f.at[0] - (lag(f.at) OVER w)[0]))
                                              * cosd((f.at[1])::double precision)) ^ 2) END AS metres
              FROM fix f WHERE f.quality & 65536 = 0
            WINDOW w AS (ORDER BY f.n)),
        walk AS (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.pause) AS median,
                   percentile_cont(0.9) WITHIN GROUP (ORDER BY s.pause) AS long,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY s.pause) FILTER (WHERE s.moves) AS moving,
                   -- Fixes wander about a vehicle that is parked: that is no way.
                   sum(s.metres) FILTER (WHERE s.counted > 0 OR s.counted = 0 AND s.driven) AS metres,
                   sum(s.counted) FILTER (WHERE s.counted > 0 AND s.metres IS NOT NULL) AS counted,
                   count(*) FILTER (WHERE s.counted < 0) AS back
              FROM step s)
        SELECT jsonb_build_object(
                   'records', count(*), 'valid', count(*) FILTER (WHERE f.valid), 'stored', count(*) FILTER (WHERE f.stored),
                   'moving', count(*) FILTER (WHERE f.moves), 'satellites', round(avg(f.satellites) FILTER (WHERE f.valid)),
                   'no_time', count(*) FILTER (WHERE f.quality & 65536 <> 0), 'rollover', count(*) FILTER (WHERE f.quality & 131072 <> 0),
                   'odometer', count(f.odometer_m), 'outputs', (array_agg(f.outputs ORDER BY f.n DESC) FILTER (WHERE f.outputs IS NOT NULL))[1],
                   'walk', (SELECT to_jsonb(w) FROM walk w))
          FROM fix f);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_positions(integer, timestamptz) IS
'internal: what the positions of a tracker since low have in common';

CREATE FUNCTION @extschema@.pt621_check_wires(device integer, low timestamptz)
RETURNS jsonb
LANGUAGE plpgsql STABLE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    RETURN (
        WITH fix AS MATERIALIZED (
            SELECT p.inputs, p.outputs, p.adc, p.speed_kmh >= 5 AS moves
              FROM pt621.position p
             WHERE p.device_id = device AND p.fix_time >= low AND p.code <> 'SMS'),
        pin AS (
            SELECT n.kind, n.number, count(*) AS records, count(*) FILTER (WHERE n.bit = 1) AS on, count(*) FILTER (WHERE n.bit = 1 AND f.moves) AS on_moving,
                   count(*) FILTER (WHERE f.moves) AS moving
              FROM fix f
              CROSS JOIN LATERAL (SELECT 'input', i, get_bit(f.inputs, i - 1) FROM generate_series(1, length(f.inputs)) i
                                   UNION ALL
                                  SELECT 'output', i, get_bit(f.outputs, i - 1) FROM generate_series(1, length(f.outputs)) i) n (kind, number, bit)
             GROUP BY n.kind, n.number),
        channel AS (
            SELECT c.number, min(c.count) AS least, max(c.count) AS most
              FROM fix f, unnest(f.adc) WITH ORDINALITY c (count, number)
             GROUP BY c.number)
        SELECT jsonb_build_object(
                   'inputs', (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.number) FROM pin p WHERE p.kind = 'input'),
                   'outputs', (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.number) FROM pin p WHERE p.kind = 'output'),
                   'channels', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.number) FROM channel c)));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_check_wires(integer, timestamptz) IS
'internal: how often the inputs and outputs of a tracker were on since low, also in motion (5 km/h and more), and between what its analog channels were';
