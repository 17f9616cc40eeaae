-- 45-geofence.sql: what a fence may be, and which fences a place is in.

CREATE FUNCTION @extschema@.pt621_geofence_outline(wkb bytea, radius_m double precision)
RETURNS bytea
AS 'MODULE_PATHNAME', 'pt621_geofence_outline'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION @extschema@.pt621_geofence_outline(bytea, double precision) IS
'internal: polygons (WKB) that together are all within a distance of a point or line (WKB); longitudes may leave -180 .. 180';

CREATE FUNCTION @extschema@.pt621_check_hours(schedule text, time_zone text)
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_check_hours'
LANGUAGE C STABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_check_hours(text, text) IS
'internal: raises an error for weekly hours or a time zone that do not read';

-- PostGIS's schema is not known before: what has its types as arguments is made
-- by EXECUTE, with the schema as %1$I.
DO $do$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_geofence_wrap(geom %1$I.geometry)
RETURNS %1$I.geometry
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF %1$I.st_xmin(geom) >= -180 AND %1$I.st_xmax(geom) <= 180 THEN
        RETURN geom;
    END IF;
    RETURN (SELECT %1$I.st_multi(%1$I.st_union(p.piece))
              FROM (SELECT %1$I.st_translate(
                               %1$I.st_collectionextract(
                                   %1$I.st_intersection(geom, %1$I.st_makeenvelope(turn * 360 - 180, -90, turn * 360 + 180, 90, 4326)),
                                   3),
                               -360 * turn, 0) AS piece
                      FROM generate_series(floor((%1$I.st_xmin(geom) + 180) / 360)::integer,
                                           ceil((%1$I.st_xmax(geom) - 180) / 360)::integer) turn) p
             WHERE NOT %1$I.st_isempty(p.piece));
END
$function$
    $ddl$, postgis);
    EXECUTE format($ddl$
COMMENT ON FUNCTION @extschema@.pt621_geofence_wrap(%1$I.geometry) IS
'internal: brings polygons with longitudes beyond +-180 to -180 .. 180, cut at the antimeridian'
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_geofence_shape(geom %1$I.geometry, radius_m double precision DEFAULT NULL)
RETURNS %1$I.geometry
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    flat   %1$I.geometry := %1$I.st_force2d(geom);
    kind   text := %1$I.geometrytype(flat);
    area   boolean := kind IN ('POLYGON', 'MULTIPOLYGON');
    detail record;
BEGIN
    IF geom IS NULL THEN
        RETURN NULL;
    END IF;
    IF %1$I.st_srid(flat) NOT IN (0, 4326) THEN
        RAISE EXCEPTION 'shape of a geofence has SRID %%, not 4326', %1$I.st_srid(flat)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'ST_Transform(geom, 4326) makes longitude and latitude of it.';
    END IF;
    IF NOT area AND kind NOT IN ('POINT', 'LINESTRING', 'MULTILINESTRING') THEN
        RAISE EXCEPTION 'a geofence cannot be a %%', kind
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'It is a polygon or multipolygon, or a point or line with radius_m.';
    END IF;
    IF %1$I.st_isempty(flat) THEN
        RAISE EXCEPTION 'shape of a geofence is empty: %%', kind
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Nothing could ever be in it: delete the geofence, or end its validity.';
    END IF;
    IF area <> (radius_m IS NULL) THEN
        RAISE EXCEPTION '%%', CASE WHEN area THEN 'radius_m is for points and lines, and the geofence is a polygon'
                                  ELSE format('a %%s as a geofence needs radius_m', lower(kind)) END
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    flat := %1$I.st_setsrid(flat, 4326);
    IF area AND NOT %1$I.st_isvalid(flat) THEN
        SELECT d.reason, %1$I.st_astext(d.location) AS place INTO detail
          FROM %1$I.st_isvaliddetail(flat) d;
        RAISE EXCEPTION 'shape of a geofence is not valid: %%', detail.reason
            USING ERRCODE = 'invalid_parameter_value', DETAIL = detail.reason,
                  HINT = coalesce(format('at %%s', detail.place), 'ST_IsValidDetail(geom) tells more.');
    END IF;
    IF (%1$I.st_xmin(flat) >= -360 AND %1$I.st_xmax(flat) <= 360
        AND %1$I.st_ymin(flat) >= -90 AND %1$I.st_ymax(flat) <= 90) IS NOT TRUE THEN
        RAISE EXCEPTION 'shape of a geofence is not on the globe: %%', %1$I.st_extent(flat)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Longitude comes first, -180 to 180, or to 360 across the antimeridian; latitude is -90 to 90.';
    END IF;
    IF NOT area THEN
        flat := %1$I.st_unaryunion(%1$I.st_setsrid(%1$I.st_geomfromwkb(
                    @extschema@.pt621_geofence_outline(%1$I.st_asbinary(flat), radius_m)), 4326));
        flat := %1$I.st_multi(@extschema@.pt621_geofence_wrap(flat));
    ELSE
        -- Only what is that wide can have such an edge.
        IF %1$I.st_xmax(flat) - %1$I.st_xmin(flat) > 180
           AND EXISTS (SELECT FROM %1$I.st_dumpsegments(flat) s
                        WHERE abs(%1$I.st_x(%1$I.st_startpoint(s.geom)) - %1$I.st_x(%1$I.st_endpoint(s.geom))) > 180) THEN
            RAISE EXCEPTION 'shape of a geofence has an edge of more than 180 degrees of longitude'
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Across the antimeridian write longitudes as 170 .. 190, not as 170 .. -170; an edge that is really that long needs a point in between.';
        END IF;
        IF %1$I.st_xmin(flat) >= -180 AND %1$I.st_xmax(flat) <= 180 THEN
            RETURN flat;
        END IF;
        flat := @extschema@.pt621_geofence_wrap(flat);
    END IF;
    IF %1$I.st_isempty(flat) OR NOT %1$I.st_isvalid(flat) THEN
        RAISE EXCEPTION 'shape of a geofence cannot be made within -180 .. 180 degrees'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Cut it at the antimeridian, into a multipolygon.';
    END IF;
    RETURN flat;
END
$function$
    $ddl$, postgis);
    EXECUTE format($ddl$
COMMENT ON FUNCTION @extschema@.pt621_geofence_shape(%1$I.geometry, double precision) IS
'the area of a geofence: a polygon within -180 .. 180 degrees, of a polygon itself, or of what is within radius_m metres of a point or line; raises an error for what cannot be a geofence'
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_inside(geom %1$I.geometry, geofence text, at timestamptz DEFAULT now())
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_inside'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
    $ddl$, postgis);
    EXECUTE format($ddl$
COMMENT ON FUNCTION @extschema@.pt621_inside(%1$I.geometry, text, timestamptz) IS
'whether a point is in the geofence of this name, boundary included, as it was at that time, its hours included, whatever trackers it is for; NULL where there is no such geofence, and for an empty point'
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_geofences(geom %1$I.geometry, at timestamptz DEFAULT now())
RETURNS integer[]
AS 'MODULE_PATHNAME', 'pt621_geofences'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100
    $ddl$, postgis);
    EXECUTE format($ddl$
COMMENT ON FUNCTION @extschema@.pt621_geofences(%1$I.geometry, timestamptz) IS
'ids, in order, of the geofences that a point is in, boundary included, as they were at that time, their hours included, whatever trackers they are for; an empty array for none, and for an empty point'
    $ddl$, postgis);
END
$do$;

CREATE FUNCTION @extschema@.pt621_geofence_check()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    since timestamptz := nullif(lower(NEW.valid), '-infinity');
    until timestamptz := nullif(upper(NEW.valid), 'infinity');
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id <> OLD.id THEN
        RAISE EXCEPTION 'the id of a geofence cannot be changed'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Visits and events refer to it: delete the geofence, and insert another one.';
    END IF;
    IF TG_OP = 'INSERT' OR NEW.radius_m IS DISTINCT FROM OLD.radius_m
       OR NEW.geom::bytea IS DISTINCT FROM OLD.geom::bytea OR NEW.shape::bytea IS DISTINCT FROM OLD.shape::bytea THEN
        IF NEW.radius_m IS NULL THEN
            NEW.geom := @extschema@.pt621_geofence_shape(NEW.geom);
            NEW.shape := NULL;
        ELSE
            NEW.shape := @extschema@.pt621_geofence_shape(NEW.geom, NEW.radius_m);
        END IF;
    END IF;
    -- To a corridor one comes and goes alongside.
    IF NEW.exit_buffer_m IS NULL AND NEW.radius_m IS NULL THEN
        NEW.exit_buffer_m := 20;
    ELSIF NEW.exit_buffer_m IS NULL THEN
        EXECUTE format('SELECT CASE %I.st_dimension($1) WHEN 1 THEN 0 ELSE 20 END', @extschema@.pt621_postgis_schema())
           INTO NEW.exit_buffer_m USING NEW.geom;
    END IF;
    PERFORM @extschema@.pt621_check_hours(NEW.schedule, NEW.time_zone);
    -- From the first moment on, until the first moment after.
    IF NOT isempty(NEW.valid) THEN
        IF since IS NOT NULL AND NOT lower_inc(NEW.valid) THEN
            since := since + interval '1 microsecond';
        END IF;
        IF until IS NOT NULL AND upper_inc(NEW.valid) THEN
            until := until + interval '1 microsecond';
        END IF;
        NEW.valid := tstzrange(since, until);
    END IF;
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_check() IS
'the default trigger of pt621.geofence that comes first: puts shape, validity and exit buffer into their stored form; refuses what cannot be a geofence';
