-- 54-proximity.sql: when two trackers were near each other.

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_proximity_episodes(
            device integer, partner integer, low timestamptz, high timestamptz, near_m double precision, far_m double precision,
            OUT at timestamptz, OUT until timestamptz, OUT closest_m double precision, OUT closest_at timestamptz,
            OUT geom %1$I.geometry)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_proximity_episodes'
        LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 10
        $function$, postgis);
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_proximity(
            device integer, partner integer, period tstzrange DEFAULT NULL, near_m double precision DEFAULT 100,
            far_m double precision DEFAULT NULL,
            OUT at timestamptz, OUT until timestamptz, OUT closest_m double precision, OUT closest_at timestamptz,
            OUT geom %1$I.geometry)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 100000 ROWS 10
        SET search_path = pg_catalog, pg_temp
        AS $body$
        DECLARE
            -- Microseconds are whole, so bounds that are in or out can be moved.
            low  timestamptz := coalesce(lower(period), '-infinity');
            high timestamptz := coalesce(upper(period), 'infinity');
        BEGIN
            IF device IS NULL OR partner IS NULL OR isempty(coalesce(period, tstzrange(NULL, NULL))) THEN
                RETURN;
            END IF;
            IF device = partner THEN
                RAISE EXCEPTION 'tracker %% is always near itself', device
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
            -- NaN is more than all.
            IF NOT coalesce(near_m > 0 AND coalesce(far_m, near_m) BETWEEN near_m AND 'infinity', false) THEN
                RAISE EXCEPTION 'near_m is to be more than 0 m and far_m no less than that, not %% and %%', near_m, far_m
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
            IF NOT lower_inc(period) AND isfinite(low) THEN
                low := low + interval '1 microsecond';
            END IF;
            IF upper_inc(period) AND isfinite(high) THEN
                high := high + interval '1 microsecond';
            END IF;
            RETURN QUERY
            SELECT e.* FROM @extschema@.pt621_proximity_episodes(device, partner, low, high, near_m, coalesce(far_m, near_m)) e;
        END
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_proximity_episodes(integer, integer, timestamptz, timestamptz, double precision, double precision) IS
'internal: when two trackers were near each other; for pt621_proximity()';
COMMENT ON FUNCTION @extschema@.pt621_proximity(integer, integer, tstzrange, double precision, double precision) IS
'when two trackers were near each other, by the tables as the caller sees them; arguments: their ids, the period whose records are compared (NULL = all), near_m and far_m as in pt621.device_link, metres, far_m NULL = near_m; columns: from when until when (NULL = still), how near they came (metres) and when, where the first one was at the start (WGS 84); error for a tracker and itself, and for near_m that is not more than 0 or more than far_m';

CREATE FUNCTION @extschema@.pt621_detect_proximity(devices integer[], lows timestamptz[], highs timestamptz[])
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_detect_proximity'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION @extschema@.pt621_detect_proximity(integer[], timestamptz[], timestamptz[]) IS
'internal: derives proximity of the pairs that these trackers belong to, for their records of these periods (arrays in step)';

CREATE FUNCTION @extschema@.pt621_derive_proximity(devices integer[], periods tstzrange[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM pt621.device_link) THEN
        RETURN;
    END IF;
    PERFORM @extschema@.pt621_detect_proximity(array_agg(d.device_id), array_agg(coalesce(lower(d.period), '-infinity')),
                                               array_agg(coalesce(upper(d.period), 'infinity')))
       FROM unnest(devices, periods) d (device_id, period)
      WHERE EXISTS (SELECT FROM pt621.device_link l WHERE d.device_id IN (l.device_id, l.partner_id))
        AND NOT isempty(d.period);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_derive_proximity(integer[], tstzrange[]) IS
'internal: brings up to date what is said of pairs of pt621.device_link, for records of these devices in these periods (arrays in step)';

CREATE FUNCTION @extschema@.pt621_partners(devices integer[])
RETURNS SETOF integer
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT l.partner_id FROM pt621.device_link l
     WHERE l.device_id = ANY (devices) AND EXISTS (SELECT FROM pt621.device d WHERE d.id = l.partner_id)
     UNION
    SELECT l.device_id FROM pt621.device_link l
     WHERE l.partner_id = ANY (devices) AND EXISTS (SELECT FROM pt621.device d WHERE d.id = l.device_id);
$function$;
COMMENT ON FUNCTION @extschema@.pt621_partners(integer[]) IS
'internal: trackers that these are linked with';

CREATE FUNCTION @extschema@.pt621_link_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    devices integer[] := ARRAY(SELECT DISTINCT d.id FROM new_row n, LATERAL (VALUES (n.device_id), (n.partner_id)) d (id)
                                WHERE EXISTS (SELECT FROM pt621.device v WHERE v.id = d.id)
                                ORDER BY d.id);
BEGIN
    -- A batch that did not see the link has stored its records by now, or waits
    -- until it can see it.
    INSERT INTO pt621.device_state (device_id)
    SELECT d FROM unnest(devices) d
     WHERE NOT EXISTS (SELECT FROM pt621.device_state s WHERE s.device_id = d)
     ORDER BY d
        ON CONFLICT DO NOTHING;
    PERFORM FROM pt621.device_state s WHERE s.device_id = ANY (devices) ORDER BY s.device_id FOR UPDATE;
    PERFORM @extschema@.pt621_derive_proximity(array_agg(n.device_id), array_agg(tstzrange(n.created_at, NULL))) FROM new_row n;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_link_changed() IS
'the triggers of pt621.device_link: derives what is new of the pairs';
