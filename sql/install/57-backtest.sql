-- 57-backtest.sql: what a fence or a limit would have shown.
--
-- With the rights of whoever asks, policies included: nothing is written.

CREATE FUNCTION @extschema@.pt621_backtest_visits(
    shape bytea, low timestamptz, high timestamptz, devices integer[], min_dwell_in interval,
    min_dwell_out interval, min_fixes_in integer, min_fixes_out integer, exit_buffer_m double precision,
    interpolate boolean,
    OUT device_id integer, OUT enter_at timestamptz, OUT exit_at timestamptz, OUT enter_unknown boolean,
    OUT exit_unknown boolean, OUT interpolated boolean, OUT passed boolean, OUT uncertainty_s double precision,
    OUT seconds double precision, OUT metres double precision, OUT top_speed_kmh real, OUT driver text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_backtest_visits'
LANGUAGE C STABLE PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_backtest_visits(bytea, timestamptz, timestamptz, integer[], interval, interval,
                                                      integer, integer, double precision, boolean) IS
'internal: the visits that a fence of this shape (WKB) would have had; for pt621_geofence_backtest()';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_geofence_backtest(
            area %1$I.geometry, period tstzrange DEFAULT NULL, devices integer[] DEFAULT NULL, options jsonb DEFAULT NULL,
            OUT device_id integer, OUT enter_at timestamptz, OUT exit_at timestamptz, OUT enter_unknown boolean,
            OUT exit_unknown boolean, OUT interpolated boolean, OUT passed boolean, OUT uncertainty_s double precision,
            OUT seconds double precision, OUT metres double precision, OUT top_speed_kmh real, OUT driver text)
        RETURNS SETOF record
        LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 100000 ROWS 100
        SET search_path = pg_catalog, pg_temp
        AS $body$
        DECLARE
            unknown  text;
            radius   double precision := options ->> 'radius_m';
            dwell_in interval := coalesce(options ->> 'min_dwell_in', '0');
            dwell_out interval := coalesce(options ->> 'min_dwell_out', '0');
            fixes_in integer := coalesce(options ->> 'min_fixes_in', '1');
            fixes_out integer := coalesce(options ->> 'min_fixes_out', '2');
            buffer   double precision := options ->> 'exit_buffer_m';
        BEGIN
            IF jsonb_typeof(options) <> 'object' THEN
                RAISE EXCEPTION 'options of a back-test are a JSON object, not: %%', options
                    USING ERRCODE = 'invalid_parameter_value';
            END IF;
            SELECT string_agg(quote_literal(k), ', ' ORDER BY k) INTO unknown
              FROM jsonb_object_keys(options) k
             WHERE k NOT IN ('radius_m', 'min_dwell_in', 'min_dwell_out', 'min_fixes_in',
                             'min_fixes_out', 'exit_buffer_m', 'interpolate');
            IF unknown IS NOT NULL THEN
                RAISE EXCEPTION 'unknown options of a back-test: %%', unknown
                    USING ERRCODE = 'invalid_parameter_value',
                          HINT = 'Known are radius_m, min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out, exit_buffer_m and interpolate, as in pt621.geofence.';
            END IF;
            -- As the table has it.
            IF dwell_in < '0' OR dwell_out < '0' OR fixes_in NOT BETWEEN 1 AND 1000
               OR fixes_out NOT BETWEEN 1 AND 1000 OR buffer NOT BETWEEN 0 AND 100000 THEN
                RAISE EXCEPTION 'options of a back-test are out of range: %%', options
                    USING ERRCODE = 'invalid_parameter_value',
                          HINT = 'Spans are not negative, min_fixes_in and min_fixes_out are 1 to 1000, exit_buffer_m is 0 to 100,000 metres.';
            END IF;
            IF area IS NULL OR isempty(coalesce(period, tstzrange(NULL, NULL))) THEN
                RETURN;
            END IF;
            RETURN QUERY
            SELECT b.*
              FROM @extschema@.pt621_backtest_visits(
                       %1$I.st_asbinary(@extschema@.pt621_geofence_shape(area, radius)),
                       lower(period), upper(period), devices,
                       dwell_in, dwell_out, fixes_in, fixes_out,
                       coalesce(buffer, CASE WHEN %1$I.st_dimension(area) = 1 THEN 0 ELSE 20 END),
                       coalesce((options ->> 'interpolate')::boolean, false)) b;
        END
        $body$
        $function$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_geofence_backtest(%I.geometry, tstzrange, integer[], jsonb) IS %L', postgis,
                   'the visits that a fence would have had; arguments: area as in pt621.geofence.geom (WGS 84), period and ids of trackers (NULL = all), '
                   'options as the columns of pt621.geofence: radius_m, min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out, exit_buffer_m, interpolate; '
                   'the columns are those of pt621.geofence_visit; error for an area that is no valid polygon, point or line, and for options that are unknown or out of range');
END
$$;

CREATE FUNCTION @extschema@.pt621_overspeed_episodes(
    limit_kmh double precision, low timestamptz, high timestamptz, devices integer[],
    OUT device_id integer, OUT at timestamptz, OUT until timestamptz, OUT detail jsonb)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_overspeed_backtest'
LANGUAGE C STABLE PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_overspeed_episodes(double precision, timestamptz, timestamptz, integer[]) IS
'internal: the episodes of overspeed that a limit would have shown; for pt621_overspeed_backtest()';

CREATE FUNCTION @extschema@.pt621_overspeed_backtest(
    limit_kmh double precision, period tstzrange DEFAULT NULL, devices integer[] DEFAULT NULL,
    OUT device_id integer, OUT at timestamptz, OUT until timestamptz, OUT detail jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 100000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF limit_kmh IS NULL OR isempty(coalesce(period, tstzrange(NULL, NULL))) THEN
        RETURN;
    END IF;
    -- NaN is more than all.
    IF NOT (limit_kmh > 0 AND limit_kmh <= 'infinity') THEN
        RAISE EXCEPTION 'a limit is more than 0 km/h, not %', limit_kmh
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT e.* FROM @extschema@.pt621_overspeed_episodes(limit_kmh, lower(period), upper(period), devices) e;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_overspeed_backtest(double precision, tstzrange, integer[]) IS
'the episodes of overspeed that a limit (km/h), the same everywhere, would have shown; arguments: period and ids of trackers, NULL = all; the columns are those of pt621.event; error for a limit that is not more than 0';
