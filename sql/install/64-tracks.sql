-- 64-tracks.sql: where trackers went, as lines.
--
-- With the rights of whoever asks, policies included: nothing is written.

CREATE FUNCTION @extschema@.pt621_simplify_wkb(track bytea, tolerance_m double precision)
RETURNS bytea
AS 'MODULE_PATHNAME', 'pt621_simplify_wkb'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION @extschema@.pt621_simplify_wkb(bytea, double precision) IS
'internal: a LINESTRING M (WKB) with fewer places; for pt621_simplify_track()';

CREATE FUNCTION @extschema@.pt621_track_places(
    device integer, low timestamptz, high timestamptz, max_gap_s double precision,
    OUT part integer, OUT fix_time timestamptz, OUT lon double precision, OUT lat double precision, OUT speed_kmh real,
    OUT course real, OUT metres double precision, OUT crossing boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_track_places'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10000
SET search_path = pg_catalog, pg_temp
SET jit = off;
COMMENT ON FUNCTION @extschema@.pt621_track_places(integer, timestamptz, timestamptz, double precision) IS
'internal: the places of a track, in order, each with the number of its part and the metres from the one before, and where the antimeridian was crossed';

CREATE FUNCTION @extschema@.pt621_track_lines(
    device integer, low timestamptz, high timestamptz, max_gap_s double precision,
    OUT part integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT fixes integer, OUT metres double precision,
    OUT wkb bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_track_lines'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off;
COMMENT ON FUNCTION @extschema@.pt621_track_lines(integer, timestamptz, timestamptz, double precision) IS
'internal: a track as lines (WKB); for pt621_track()';

DO $do$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_track(
    device integer, period tstzrange DEFAULT NULL, max_gap interval DEFAULT '1 h',
    OUT part integer, OUT started_at timestamptz, OUT ended_at timestamptz, OUT fixes integer, OUT metres double precision,
    OUT geom %1$I.geometry)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    IF (max_gap > '0') IS NOT TRUE THEN
        RAISE EXCEPTION 'max_gap is to be more than 0, not %%', max_gap
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT l.part, l.started_at, l.ended_at, l.fixes, l.metres, %1$I.st_geomfromwkb(l.wkb, 4326)
      FROM @extschema@.pt621_period_bounds(period) b,
           @extschema@.pt621_track_lines(device, b.low, b.high, date_part('epoch', max_gap)) l;
END
$function$
    $ddl$, postgis);
    COMMENT ON FUNCTION @extschema@.pt621_track(integer, tstzrange, interval) IS
    'the track of a tracker, as the caller may see it, in parts; arguments: its id, the period (NULL = all), after how long a silence another part begins; columns: number of the part from 1, from when until when, how many places, distance (metres), LINESTRING M (WGS 84, M = seconds since 1970, rising). Another part begins as well where a leg is faster than 250 km/h, and at the antimeridian. Teleports are left out, and so is a place that is a part of its own. Error for max_gap that is not more than 0';

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_simplify_track(geom %1$I.geometry, tolerance_m double precision DEFAULT 10)
RETURNS %1$I.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF %1$I.st_srid(geom) <> 4326 THEN
        RAISE EXCEPTION 'track has SRID %%, not 4326', %1$I.st_srid(geom)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'ST_Transform(geom, 4326) makes longitude and latitude of it.';
    END IF;
    RETURN %1$I.st_geomfromwkb(@extschema@.pt621_simplify_wkb(%1$I.st_asbinary(geom), tolerance_m), 4326);
END
$function$
    $ddl$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_simplify_track(%I.geometry, double precision) IS %L', postgis,
                   'the same track with fewer of its places; arguments: LINESTRING M (WGS 84, M = seconds since 1970, rising), tolerance in metres: '
                   'at the time of each place the new track is no farther from it than that. First and last place stay. '
                   'Error for a geometry that is no such line, and for a tolerance below 0');

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_place_at(device integer, at timestamptz)
RETURNS %1$I.geometry
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT %1$I.st_setsrid(%1$I.st_point(CASE WHEN abs(w.lon) > 180 THEN w.lon - sign(w.lon) * 360 ELSE w.lon END, w.lat), 4326)
      FROM (SELECT p.fix_time, %1$I.st_x(p.geom) AS lon, %1$I.st_y(p.geom) AS lat
              FROM pt621.position p
             WHERE p.device_id = device AND p.fix_time <= at AND p.fix_time > '-infinity' AND p.valid AND p.quality & 98304 = 0
               AND %1$I.st_x(p.geom) BETWEEN -180 AND 180 AND %1$I.st_y(p.geom) BETWEEN -90 AND 90
             ORDER BY p.fix_time DESC, p.code COLLATE "C", p.digest
             LIMIT 1) b,
           (SELECT p.fix_time, %1$I.st_x(p.geom) AS lon, %1$I.st_y(p.geom) AS lat
              FROM pt621.position p
             WHERE p.device_id = device AND p.fix_time >= at AND p.fix_time < 'infinity' AND p.valid AND p.quality & 98304 = 0
               AND %1$I.st_x(p.geom) BETWEEN -180 AND 180 AND %1$I.st_y(p.geom) BETWEEN -90 AND 90
             ORDER BY p.fix_time, p.code COLLATE "C", p.digest
             LIMIT 1) a,
           LATERAL (SELECT coalesce(date_part('epoch', at - b.fix_time) / nullif(date_part('epoch', a.fix_time - b.fix_time), 0), 0) AS part,
                           a.lon - b.lon AS turn) f,
           LATERAL (SELECT b.lon + f.part * CASE WHEN abs(f.turn) > 180 THEN f.turn - sign(f.turn) * 360 ELSE f.turn END AS lon,
                           b.lat + f.part * (a.lat - b.lat) AS lat) w
$function$
    $ddl$, postgis);
    COMMENT ON FUNCTION @extschema@.pt621_place_at(integer, timestamptz) IS
    'internal: where a tracker was at a time between two of its places, in proportion to time';

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_meetings(
    device integer, partner integer, period tstzrange DEFAULT NULL, within_m double precision DEFAULT 100,
    apart_m double precision DEFAULT NULL,
    OUT started_at timestamptz, OUT ended_at timestamptz, OUT seconds double precision, OUT closest_m double precision,
    OUT closest_at timestamptz, OUT geom %1$I.geometry, OUT partner_geom %1$I.geometry)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT e.at, e.until, date_part('epoch', e.until - e.at), e.closest_m, e.closest_at,
           @extschema@.pt621_place_at(device, e.closest_at), @extschema@.pt621_place_at(partner, e.closest_at)
      FROM @extschema@.pt621_proximity(device, partner, period, within_m, apart_m) e
     ORDER BY e.at
$function$
    $ddl$, postgis);
    COMMENT ON FUNCTION @extschema@.pt621_meetings(integer, integer, tstzrange, double precision, double precision) IS
    'when two trackers met, by pt621_proximity(), which the caller needs EXECUTE on; arguments: their ids, the period (NULL = all), within_m = how near they come, metres, apart_m = how far apart they are when it is over, metres (NULL = within_m); columns: from when until when (NULL = still), seconds, how near they came (metres) and when, where each of them was then (WGS 84; between two places, in proportion to time). Errors as of pt621_proximity()';
END
$do$;
