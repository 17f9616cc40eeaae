-- 74-texts.sql: texts that trackers send by SMS.
--
-- Their wording is not known (protocol 10).  So whatever looks like a place is
-- taken for one, and the text is kept as it came.

CREATE FUNCTION @extschema@.pt621_text_degrees(plain text, degrees text, minutes text, seconds text, packed boolean)
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    whole numeric := coalesce(nullif(degrees, ''), div(nullif(plain, '')::numeric, 100)::text)::numeric;
    rest  numeric := coalesce(nullif(minutes, ''), mod(nullif(plain, '')::numeric, 100)::text)::numeric;
BEGIN
    IF nullif(degrees, '') IS NULL AND NOT packed THEN
        RETURN plain::double precision;
    END IF;
    seconds := nullif(seconds, '');
    IF rest >= 60 OR seconds::numeric >= 60 OR minutes LIKE '%.%' AND seconds IS NOT NULL THEN
        RETURN NULL;
    END IF;
    RETURN whole + rest / 60 + coalesce(seconds::numeric, 0) / 3600;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_degrees(text, text, text, text, boolean) IS
'internal: an angle, degrees without a sign, of its digits in a text: plain degrees, degrees with minutes in one number (packed: ddmm.mmmm), or degrees, minutes and seconds apart; NULL for 60 minutes and more';

-- The first two are of what is taken out of the text: numbers that are no angles,
-- and angles with a letter on each side, which may belong to either.
-- Each other pattern has twelve parentheses: of the latitude a letter before, the
-- plain number, degrees, minutes, seconds, a letter behind; and the same of the
-- longitude.  All repetitions are bounded, and none stands within another.
CREATE FUNCTION @extschema@.pt621_text_patterns()
RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- A number with so many decimals at least, or degrees with minutes.
    gap     text := '[^0-9A-Za-z.,;/+-]{1,4}';
    part    text := '([0-9]{1,2}(?:\.[0-9]{1,20})?)';
    angle   text := '(?:([0-9]{1,5}\.[0-9]{%s,20})|([0-9]{1,3})' || gap || part || '(?:' || gap || part || ')?[^0-9A-Za-z.,;/+-]{0,2})';
    rough   text := format(angle, 1);
    fine    text := format(angle, 3);
    -- Between a number and its letter; with a comma it parts them.
    near    text := '[^0-9A-Za-z+,;-]{1,3}';
    label   text := 'm?lo?ng?(?:itude)?';
    between text := '[^0-9A-Za-z]{0,6}(?:' || label || '[^0-9A-Za-z]{0,4})?';
    signed  text := '()([+-]?[0-9]{1,3}[.][0-9]{1,20})()()()()';
    -- A letter behind such a number is not expected, so it is not known of what it is;
    -- one with a colon is a word for what follows.
    ends    text := '(?![0-9])(?![^0-9A-Za-z\n\r]{0,3}(?:[NSEW]|north|south|east|west)(?![A-Za-z]|[[:space:]]?[:=]))';
    -- Where a comma may be the point.
    lax     text := replace(signed, '[.]', '[.,]');
    words   text := '(?<![0-9A-Za-z])(?:[qsb]|ll|sll|cbll|loc|query|center|destination|daddr|viewpoint|pos|coords?|geo)[=:](?:loc:)?';
    pair    text := replace(signed, '{1,20}', '{4,20}') || '(?:[[:space:]]?[,;][[:space:]]?|[[:space:]])' || replace(signed, '{1,20}', '{4,20}') || ends;
BEGIN
    -- 12:30, Speed 12.345, Voltage 12.3456,13.4567, 12.345 km/h
    RETURN NEXT '(?<![0-9.:])[0-9]{1,2}:[0-5][0-9](?::[0-5][0-9])?(?![0-9.:])'
                '|(?<![A-Za-z])(?:speed|spd|velocity|course|heading|bearing|alt(?:itude)?)[^0-9A-Za-z]{0,4}[0-9]{1,4}(?:[.,][0-9]{1,3})?(?![0-9.])'
                '|(?<![A-Za-z])(?:volt(?:age|s)?|temp(?:erature)?|adc?[0-9]?|ain[0-9]?|analog|fuel|s/?n|serial|imei|ver(?:sion)?|fw|(?:batt?(?:ery)?|power)'
                '(?=[^0-9A-Za-z]{0,4}[0-9]{1,4}\.[0-9]{1,4}(?![0-9])))[^0-9A-Za-z]{0,4}[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[,;/ ]{1,2}[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?)?'
                '|(?<![0-9.])[0-9]{1,4}(?:[.,][0-9]{1,6})?[[:space:]]?(?:km/?h|kph|mph|knots?|kn|kts?|%|V)(?![A-Za-z])';
    -- 52.51650 N 13.37770 E 12.34567
    RETURN NEXT '(?<![0-9.])' || fine || near || '[NS]' || near || fine || near || '[EW]' || near || fine;
    -- N52.51650 E013.37770
    RETURN NEXT '(?<![0-9A-Za-z])([NS])' || rough || '()' || between || '([EW])' || rough || '()(?![0-9])';
    -- N: 52.51650, E: 013.37770
    RETURN NEXT '(?<![0-9A-Za-z])([NS])' || near || fine || '()' || between || '([EW])' || near || fine || '()(?![0-9])';
    -- 5230.9900,N,01322.6600,E
    RETURN NEXT '(?<![0-9.])()' || fine || '[^0-9A-Za-z]{0,3}([NS])(?![A-Za-z])' || between || '()' || fine || '[^0-9A-Za-z]{0,3}([EW])(?![A-Za-z])';
    -- N,52.51650,E,013.37770
    RETURN NEXT '(?<![0-9A-Za-z])([NS])[^0-9A-Za-z+-]{1,3}' || fine || '()' || between || '([EW])[^0-9A-Za-z+-]{1,3}' || fine || '()(?![0-9])';
    -- Lat:52.5165 Lon:13.3777
    RETURN NEXT '(?<![0-9A-Za-z])m?lat(?:itude)?[^0-9A-Za-z+-]{0,4}' || lax || '[^0-9A-Za-z+-]{1,6}' || label || '[^0-9A-Za-z+-]{0,4}' || lax || ends;
    -- q=52.5165,13.3777 @52.5165,13.3777,17z #map=17/52.5165/13.3777
    RETURN NEXT '(?:' || words || '|@|#map=[0-9.]{1,5}/|/(?:place|search|maps|dir)/)[^0-9A-Za-z+-]{0,3}'
                || signed || '[[:space:],;/+]{1,4}' || signed || ends;
    -- Position 52.5165, 13.3777
    RETURN NEXT '(?:^|[\n\r]|[.!?)][[:space:]]|(?<![A-Za-z])(?:positions?|pos|place|loc(?:ation)?|coord(?:s|inates?)?|gps|fix|point|address|map|here|at|in|is|near'
                '|sos|help|alarm|alert)(?![A-Za-z]))[^0-9A-Za-z.,+-]{0,4}' || pair;
    -- 52.5165, 13.3777, and no other two
    RETURN NEXT '(?<![0-9.,])(?<![NSEW][^0-9A-Za-z]{0,3})' || pair;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_patterns() IS
'internal: regular expressions for places in texts: two of what is taken out before, then those of the forms, in the order in which they are tried; the last one counts only where one place has that form';

CREATE FUNCTION @extschema@.pt621_text_place(
    message text, OUT lat double precision, OUT lon double precision, OUT speed_kmh double precision)
RETURNS record
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- Digits and letters of other scripts are none here.
    plain   text := replace(replace(replace(message, '%2C', ','), '%2c', ','), '%20', ' ');
    pattern text;
    number  bigint;
    found   text[];
    alike   bigint;
    south   boolean;
    west    boolean;
    packed  boolean;
BEGIN
    found := regexp_match(plain COLLATE "C", '(?:speed|spd|velocity)[^0-9A-Za-z]{0,4}([0-9]{1,4}(?:[.,][0-9]{1,6})?)'
                                             '[[:space:]]?(km/?h|kph|mph|knots?|kn|kts?)(?![A-Za-z])', 'i');
    speed_kmh := replace(found[1], ',', '.')::double precision
                 * CASE WHEN lower(found[2]) = 'mph' THEN 1.609344 WHEN lower(found[2]) LIKE 'k%h' THEN 1 ELSE 1.852 END;
    IF speed_kmh > 1000 THEN
        speed_kmh := NULL;
    END IF;

    FOR pattern, number IN SELECT p.* FROM @extschema@.pt621_text_patterns() WITH ORDINALITY p LOOP
        IF number <= 2 THEN
            plain := regexp_replace(plain COLLATE "C", pattern, ' x ', 'gi');
            CONTINUE;
        END IF;
        FOR found, alike IN SELECT m, count(*) OVER () FROM regexp_matches(plain COLLATE "C", pattern, 'gi') m LOOP
            EXIT WHEN number = 10 AND alike > 1;
            south := upper(coalesce(nullif(found[1], ''), nullif(found[6], ''))) = 'S';
            west := upper(coalesce(nullif(found[7], ''), nullif(found[12], ''))) = 'W';
            -- An angle with its minutes apart says nothing of how the other one is written.
            packed := south IS NOT NULL AND (coalesce(found[2] ~ '^[0-9]{3}', false) OR coalesce(found[8] ~ '^[0-9]{4}', false));
            lat := @extschema@.pt621_text_degrees(replace(found[2], ',', '.'), found[3], found[4], found[5], packed);
            lon := @extschema@.pt621_text_degrees(replace(found[8], ',', '.'), found[9], found[10], found[11], packed);
            IF lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180 AND (lat <> 0 OR lon <> 0) THEN
                lat := CASE WHEN south THEN -lat ELSE lat END;
                lon := CASE WHEN west THEN -lon ELSE lon END;
                RETURN;
            END IF;
        END LOOP;
    END LOOP;
    lat := NULL;
    lon := NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_place(text) IS
'internal: the place (degrees, WGS 84) and the speed (km/h) that a text states, NULL where it states none: the first possible place in the form of a link to a map, with N, S, E, W before or behind, with lat and lon before, or of two numbers of four decimals and more; one that may be read in two ways is none';

CREATE FUNCTION @extschema@.pt621_text_shown(sender text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(nullif(left(regexp_replace(sender, '[^0-9A-Za-z+() ./-]', '?', 'g'), 40), ''), 'none')
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_shown(text) IS
'internal: a sender as errors show it';

CREATE FUNCTION @extschema@.pt621_text_digits(phone text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^00', '')
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_digits(text) IS
'internal: the digits of a telephone number, without the 00 before that of a country';

CREATE FUNCTION @extschema@.pt621_text_sender(sender text, OUT device_id integer, OUT fault text)
RETURNS record
LANGUAGE plpgsql STABLE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    digits  text := @extschema@.pt621_text_digits(sender);
    -- Without the 0 before the area.
    area    text := regexp_replace(digits, '^0', '');
    abroad  boolean := coalesce(sender ~ '^[^0-9+]*(\+|00)', false);
    active  boolean;
    devices integer[];
BEGIN
    -- A SIM may have been another tracker's before: one that is not enabled counts
    -- where no other has the number.
    FOREACH active IN ARRAY '{true,false}'::boolean[] LOOP
        devices := ARRAY(SELECT d.id FROM pt621.device d WHERE d.enabled = active AND d.ident = btrim(sender));
        -- A name that a network shows instead of a number is nobody's number.
        IF devices = '{}' AND sender ~ '^[0-9+() ./-]+$' AND digits <> '' THEN
            devices := ARRAY(SELECT d.id FROM pt621.device d
                              WHERE d.enabled = active
                                AND (d.ident = digits OR abroad AND d.ident = '00' || digits
                                     OR @extschema@.pt621_text_digits(replace(d.phone, '(0)', '')) = digits)
                              LIMIT 2);
            -- One with its country, the other without it, or with the 0 before the area:
            -- then the longer ends with all of the shorter.  Where both name a country,
            -- other digits are another number.
            IF devices = '{}' AND length(digits) >= 9 THEN
                devices := ARRAY(SELECT DISTINCT d.id
                                   FROM pt621.device d,
                                        LATERAL (VALUES (@extschema@.pt621_text_digits(replace(d.phone, '(0)', '')),
                                                         d.phone ~ '^[^0-9+]*(\+|00)'),
                                                        (CASE WHEN d.ident ~ '^[0-9]{9,13}$' THEN d.ident END, d.ident !~ '^0[1-9]')) n (number, named),
                                        LATERAL regexp_replace(n.number, '^0', '') l (rest)
                                  WHERE d.enabled = active AND NOT (abroad AND n.named) AND right(n.number, 9) = right(digits, 9)
                                    AND (right(n.number, length(area)) = area OR right(digits, length(l.rest)) = l.rest)
                                  LIMIT 2);
            END IF;
        END IF;
        EXIT WHEN devices <> '{}';
    END LOOP;
    IF cardinality(devices) = 1 THEN
        device_id := devices[1];
    ELSE
        fault := format('%s has the number of the sender, %s, in pt621.device',
                        CASE cardinality(devices) WHEN 0 THEN 'no tracker' ELSE 'more than one tracker' END,
                        @extschema@.pt621_text_shown(sender));
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_sender(text) IS
'internal: the tracker whose id or telephone number this is: the same digits, else all of those that both have, nine at least, where one of them names no country, of one tracker only, those that are enabled first; or why it is none';

CREATE FUNCTION @extschema@.pt621_text_taken(
    device integer, message text, bytes bytea, received_at timestamptz, transport text, fault text)
RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    seq   bigint := nextval('pt621.frame_seq');
    conn  bigint := nextval('pt621.conn_seq');
    place record;
    added integer := 0;
BEGIN
    INSERT INTO pt621.frame (received_at, seq, ident, device_id, transport, conn, bytes, error, decoder)
    VALUES (pt621_text_taken.received_at, seq, (SELECT d.ident FROM pt621.device d WHERE d.id = device), device,
            pt621_text_taken.transport, conn, pt621_text_taken.bytes, fault,
            (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pt621'));
    IF device IS NULL OR fault IS NOT NULL THEN
        RETURN 0;
    END IF;
    place := @extschema@.pt621_text_place(message);
    IF place.lat IS NOT NULL THEN
        -- 65536: time of receipt, since that of the text is one of nobody knows
        -- which zone.
        EXECUTE format('INSERT INTO pt621.position (device_id, fix_time, code, digest, received_at, frame_seq, geom, speed_kmh, spec, quality) '
                       'VALUES ($1, $2, ''SMS'', $3, $2, $4, %1$I.st_setsrid(%1$I.st_makepoint($5, $6), 4326), $7, $8, 65536) '
                       'ON CONFLICT (device_id, fix_time, code, digest) DO NOTHING', @extschema@.pt621_postgis_schema())
          USING device, received_at, hashtextextended(message COLLATE "C", 0), seq, place.lon, place.lat, place.speed_kmh::real,
                CASE WHEN octet_length(bytes) <= 1024 AND message COLLATE "C" ~ '^[ -~]*$' THEN message END;
        GET DIAGNOSTICS added = ROW_COUNT;
    END IF;
    -- A text counts as heard.  After the position, whose triggers lock the states of linked trackers in order.
    INSERT INTO pt621.device_state AS s (device_id, last_seen, last_conn, last_transport)
    VALUES (device, pt621_text_taken.received_at, conn, pt621_text_taken.transport)
        ON CONFLICT (device_id) DO UPDATE
       SET last_seen = excluded.last_seen, last_conn = excluded.last_conn, last_transport = excluded.last_transport,
           last_peer = NULL, last_peer_port = NULL
     WHERE s.last_seen < excluded.last_seen IS NOT FALSE;
    -- Long answers come in parts.
    IF EXISTS (SELECT FROM pt621.command c
                WHERE c.device_id = device AND c.transport = 'sms' AND c.state IN ('sent', 'answered')
                  AND c.sent_at BETWEEN pt621_text_taken.received_at - interval '10 min' AND pt621_text_taken.received_at) THEN
        PERFORM @extschema@.pt621_take_answer(device, NULL, message, pt621_text_taken.received_at, 600, false);
    END IF;
    RETURN added;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_text_taken(integer, text, bytea, timestamptz, text, text) IS
'internal: archives a text, with a fault if it is of no tracker that is accepted; else stores the place that it states, and takes it for the answer to a command of the last 10 minutes that was given by SMS';

CREATE FUNCTION @extschema@.pt621_ingest_text(
    sender text, message text, received_at timestamptz DEFAULT now(), transport text DEFAULT 'sms')
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before text[] := @extschema@.pt621_put_off();
    -- What has no encoding has no characters to be translated.
    bytes  bytea := convert_to(message, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END);
    at     timestamptz := coalesce(received_at, now());
    means  text := coalesce(transport, 'sms');
    author record;
    named  integer;
    added  integer := 0;
BEGIN
    IF octet_length(bytes) > 4096 THEN
        RAISE EXCEPTION 'a text of % bytes is too long', octet_length(bytes)
            USING ERRCODE = 'string_data_right_truncation',
                  HINT = 'Texts have at most 4096 bytes; a stream of records is for pt621_ingest().';
    END IF;
    IF octet_length(means) NOT BETWEEN 1 AND 32 THEN
        RAISE EXCEPTION 'transport must be 1 to 32 bytes'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT isfinite(at) THEN
        RAISE EXCEPTION 'received_at must be finite'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(bytes) > 0 THEN
        author := @extschema@.pt621_text_sender(sender);
        IF NOT EXISTS (SELECT FROM @extschema@.pt621_decode(bytes) r WHERE r.kind = 'report' AND r.error IS NULL) THEN
            added := @extschema@.pt621_text_taken(author.device_id, message, bytes, at, means,
                         coalesce(author.fault, (SELECT 'the tracker is not enabled in pt621.device' FROM pt621.device d
                                                  WHERE d.id = author.device_id AND NOT d.enabled)));
        ELSE
            -- It names its tracker itself.  An SMS has no peer: where others may not
            -- speak for that tracker, its telephone number stands for one.
            named := (SELECT min(d.id)
                        FROM @extschema@.pt621_decode(bytes) r
                        JOIN pt621.device d ON d.ident = r.ident AND r.kind = 'report' OR d.imei = r.imei AND r.kind = 'status'
                       WHERE r.error IS NULL AND (d.phone <> '' OR d.allowed_peers IS NOT NULL)
                         AND d.id IS DISTINCT FROM author.device_id);
            IF named IS NOT NULL THEN
                PERFORM @extschema@.pt621_text_taken(named, message, bytes, at, means,
                            format('the sender, %s, is not the tracker that the text names', @extschema@.pt621_text_shown(sender)));
            ELSE
                added := @extschema@.pt621_ingest(bytes, means, NULL, NULL, at);
            END IF;
        END IF;
    END IF;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
    RETURN added;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_ingest_text(text, text, timestamptz, text) IS
'takes in a text that a tracker sent, by SMS mostly: keeps it in pt621.frame, stores the place that it states as a position with code SMS at received_at (quality 65536), and takes it for the answer to a command that pt621_sms() gave for that tracker in the last 10 minutes; a record of the protocol goes to pt621_ingest() instead, if its tracker has neither phone nor allowed_peers or is the sender; arguments: sender: device.ident, or device.phone with or without its country; returns how many positions were new; texts of unknown senders, and records of trackers that the sender is not, are archived with an error, NULL and empty texts are not stored; errors: text of more than 4096 bytes, transport not 1 to 32 bytes, received_at infinite';
