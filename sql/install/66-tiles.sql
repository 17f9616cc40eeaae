-- 66-tiles.sql: vector tiles (MVT), as pg_tileserv serves them.
--
-- With the rights of whoever asks, policies included: nothing is written.  What is
-- in a tile is bounded: where there is more, some of it stands for all.

DO $do$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_live(edge %1$I.geometry, area %1$I.geometry, devices integer[])
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    -- Of more than 2,000 in a tile, the newest in each 128th of its width and height.
    WITH near AS (
        SELECT l.device_id, l.ident, l.name, l.fix_time, l.speed_kmh, l.course, l.ignition, l.last_seen,
               %1$I.st_asmvtgeom(%1$I.st_transform(l.geom, 3857), edge, 4096, 64, true) AS geom
          FROM pt621.last_position l
         WHERE l.geom OPERATOR(%1$I.&&) area AND (devices IS NULL OR l.device_id = ANY (devices))
    ), place AS (
        SELECT n.*, CASE WHEN count(*) OVER () > 2000 THEN floor(%1$I.st_x(n.geom) / 32) * 256 + floor(%1$I.st_y(n.geom) / 32)
                         ELSE n.device_id END AS cell
          FROM near n
         WHERE n.geom IS NOT NULL
    ), one AS (
        SELECT DISTINCT ON (p.cell) p.*, count(*) OVER (PARTITION BY p.cell) AS trackers
          FROM place p
         ORDER BY p.cell, p.fix_time DESC, p.device_id
    )
    SELECT coalesce(%1$I.st_asmvt(t.*, 'live', 4096, 'geom', 'id'), '')
      FROM (SELECT o.device_id AS id, o.device_id, o.ident, o.name, translate((o.fix_time AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS fix_time,
                   round(date_part('epoch', statement_timestamp() - o.fix_time))::bigint AS age_s,
                   round(date_part('epoch', statement_timestamp() - o.last_seen))::bigint AS seen_s,
                   o.speed_kmh, o.course, o.ignition, o.trackers, o.geom
              FROM one o
             ORDER BY o.device_id) t
$function$
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_fences(edge %1$I.geometry, area %1$I.geometry)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    -- The largest 2,000.  Latitudes near the poles have no place in the projection.
    SELECT coalesce(%1$I.st_asmvt(t.*, 'fences', 4096, 'geom', 'id'), '')
      FROM (SELECT c.geofence_id AS id, c.geofence_id, c.name, c.speed_limit_kmh,
                   %1$I.st_asmvtgeom(%1$I.st_transform(%1$I.st_clipbybox2d(c.shape, %1$I.box2d(area)), 3857), edge, 4096, 64, true) AS geom
              FROM (SELECT g.id AS geofence_id, g.name, g.speed_limit_kmh, coalesce(g.shape, g.geom) AS shape
                      FROM pt621.geofence g
                     WHERE g.valid @> statement_timestamp() AND coalesce(g.shape, g.geom) OPERATOR(%1$I.&&) area
                     ORDER BY %1$I.st_area(coalesce(g.shape, g.geom)) DESC, g.id
                     LIMIT 2000) c) t
     WHERE t.geom IS NOT NULL
$function$
    $ddl$, postgis);

    -- Parts of tracks that come near: pieces, and what is not cut off yet of a track
    -- that ends near.  By tracker: of each the newest pieces of the period, 200,000 in
    -- all, however large the area and the history.  Else by area, whatever the period.
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_pieces(
    area %1$I.geometry, low timestamptz, high timestamptz, devices integer[], by_tracker boolean,
    OUT device_id integer, OUT since timestamptz, OUT until timestamptz, OUT fixes integer)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    WITH edge AS MATERIALIZED (
        SELECT box(point(%1$I.st_xmin(area), %1$I.st_ymin(area)), point(%1$I.st_xmax(area), %1$I.st_ymax(area))) AS box
    )
    SELECT p.device_id, coalesce(p.since, '-infinity'), p.until, p.fixes
      FROM (SELECT d.id, count(*) OVER () AS trackers
              FROM pt621.device d
             WHERE by_tracker AND (devices IS NULL OR d.id = ANY (devices))) d,
           LATERAL (SELECT p.*
                      FROM pt621.track_piece p
                     WHERE p.device_id = d.id AND p.until >= low AND (p.since IS NULL OR p.since < high)
                       AND p.until <= coalesce((SELECT l.until FROM pt621.track_piece l
                                                 WHERE l.device_id = d.id AND l.until >= high ORDER BY l.until LIMIT 1), 'infinity')
                     ORDER BY p.until DESC
                     LIMIT greatest(200000 / d.trackers, 100)) p
     WHERE p.extent && (SELECT e.box FROM edge e)
     UNION ALL
    (SELECT p.device_id, coalesce(p.since, '-infinity'), p.until, p.fixes
      FROM pt621.track_piece p
     WHERE NOT by_tracker AND p.extent && (SELECT e.box FROM edge e)
       AND p.until >= low AND (p.since IS NULL OR p.since < high) AND (devices IS NULL OR p.device_id = ANY (devices))
     LIMIT 1000000)
     UNION ALL
    SELECT s.device_id, coalesce(l.until, '-infinity'), s.newest_time, 16
      FROM pt621.device_state s
      LEFT JOIN LATERAL (SELECT p.until FROM pt621.track_piece p
                          WHERE p.device_id = s.device_id ORDER BY p.until DESC LIMIT 1) l ON true
     WHERE s.geom OPERATOR(%1$I.&&) %1$I.st_expand(area, 0.5) AND s.newest_time >= low AND coalesce(l.until, '-infinity') < high
       AND (l.until IS NULL OR l.until < s.newest_time) AND (devices IS NULL OR s.device_id = ANY (devices))
$function$
    $ddl$, postgis);

    -- Places of tracks that come near: all of them (at most 200,000, else of every
    -- second, third ... piece), or one for each piece (of at most 20,000); each with how
    -- many records it stands for.
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_places(
    area %1$I.geometry, low timestamptz, high timestamptz, devices integer[], by_tracker boolean, whole boolean,
    OUT device_id integer, OUT fix_time timestamptz, OUT geom %1$I.geometry, OUT weight bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    WITH piece AS (
        SELECT p.*, row_number() OVER (ORDER BY p.device_id, p.until) AS n, count(*) OVER () AS pieces, sum(p.fixes) OVER () AS fixes_all
          FROM @extschema@.pt621_tile_pieces(area, low, high, devices, by_tracker) p
    ), chosen AS (
        SELECT p.*, c.step
          FROM piece p, LATERAL (SELECT ceil(CASE WHEN whole THEN p.fixes_all / 200000.0 ELSE p.pieces / 20000.0 END)::bigint AS step) c
         WHERE (p.n - 1) %% greatest(c.step, 1) = 0
    )
    SELECT c.device_id, r.fix_time, r.geom, greatest(c.step, 1) * CASE WHEN whole THEN 1 ELSE c.fixes END
      FROM chosen c,
           LATERAL (SELECT p.fix_time, p.geom
                      FROM pt621.position p
                     WHERE p.device_id = c.device_id AND p.fix_time > c.since AND p.fix_time <= c.until
                       AND p.fix_time >= low AND p.fix_time < high AND p.valid AND p.quality & 98304 = 0
                     ORDER BY p.fix_time DESC
                     LIMIT CASE WHEN NOT whole THEN 1 END) r
     WHERE r.geom OPERATOR(%1$I.&&) area
$function$
    $ddl$, postgis);

    -- Near by, the newest parts, of 100,000 records at most, as they were driven; from
    -- afar (zoom 8 and less) one place in 16 shows the way.
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_tracks(
    z integer, edge %1$I.geometry, area %1$I.geometry, low timestamptz, high timestamptz, devices integer[], by_tracker boolean)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    WITH recent AS (
        SELECT p.*, sum(p.fixes) OVER (ORDER BY p.until DESC, p.device_id) AS so_far
          FROM @extschema@.pt621_tile_pieces(area, low, high, devices, by_tracker) p
         WHERE z > 8
    ), follows AS (
        SELECT r.*, lag(r.until) OVER (PARTITION BY r.device_id ORDER BY r.until) IS DISTINCT FROM r.since AS apart
          FROM recent r
         WHERE r.so_far <= 100000
    ), stretch AS (
        SELECT f.device_id, min(f.since) AS since, max(f.until) AS until
          FROM (SELECT f.*, count(*) FILTER (WHERE f.apart) OVER (PARTITION BY f.device_id ORDER BY f.until) AS n FROM follows f) f
         GROUP BY f.device_id, f.n
    ), leg AS (
        SELECT p.*, p.fix_time - lag(p.fix_time) OVER w < %1$I.st_distancesphere(lag(p.geom) OVER w, p.geom) * interval '0.0144 s'
                    OR abs(%1$I.st_x(p.geom) - lag(%1$I.st_x(p.geom)) OVER w) > 180 AS apart
          FROM @extschema@.pt621_tile_places(area, low, high, devices, by_tracker, false) p
         WHERE z <= 8
        WINDOW w AS (PARTITION BY p.device_id ORDER BY p.fix_time)
    ), line AS (
        SELECT s.device_id, t.started_at, t.ended_at, %1$I.st_force2d(%1$I.st_geomfromwkb(t.wkb, 4326)) AS geom
          FROM stretch s, @extschema@.pt621_track_lines(s.device_id, greatest(s.since, low),
                                                        least(s.until + interval '1 microsecond', high), 3600) t
         UNION ALL
        SELECT l.device_id, min(l.fix_time), max(l.fix_time), %1$I.st_makeline(l.geom ORDER BY l.fix_time)
          FROM (SELECT l.*, count(*) FILTER (WHERE l.apart) OVER (PARTITION BY l.device_id ORDER BY l.fix_time) AS n FROM leg l) l
         GROUP BY l.device_id, l.n
        HAVING count(*) > 1
    )
    -- At 250 km/h a metre takes 0.0144 s.
    SELECT coalesce(%1$I.st_asmvt(t.*, 'tracks', 4096, 'geom'), '')
      FROM (SELECT l.device_id, d.ident, d.name,
                   translate((l.started_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS started_at,
                   translate((l.ended_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS ended_at,
                   %1$I.st_asmvtgeom(%1$I.st_simplify(%1$I.st_transform(%1$I.st_clipbybox2d(l.geom, %1$I.box2d(area)), 3857),
                                                      (%1$I.st_xmax(edge) - %1$I.st_xmin(edge)) / 4096),
                                     edge, 4096, 64, true) AS geom
              FROM line l
              JOIN pt621.device d ON d.id = l.device_id
             ORDER BY l.device_id, l.started_at) t
     WHERE t.geom IS NOT NULL
$function$
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tile_heat(
    z integer, edge %1$I.geometry, area %1$I.geometry, low timestamptz, high timestamptz, devices integer[], by_tracker boolean)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    SELECT coalesce(%1$I.st_asmvt(t.*, 'heat', 4096, 'geom'), '')
      FROM (SELECT sum(c.weight)::bigint AS fixes, %1$I.st_point(c.x * 64 + 32, c.y * 64 + 32) AS geom
              FROM (SELECT p.weight,
                           floor((%1$I.st_x(m.geom) - %1$I.st_xmin(edge)) / (%1$I.st_xmax(edge) - %1$I.st_xmin(edge)) * 64) AS x,
                           floor((%1$I.st_ymax(edge) - %1$I.st_y(m.geom)) / (%1$I.st_ymax(edge) - %1$I.st_ymin(edge)) * 64) AS y
                      FROM @extschema@.pt621_tile_places(area, low, high, devices, by_tracker, z > 8) p,
                           LATERAL (SELECT %1$I.st_transform(p.geom, 3857) AS geom OFFSET 0) m) c
             WHERE c.x BETWEEN 0 AND 63 AND c.y BETWEEN 0 AND 63
             GROUP BY c.x, c.y
             ORDER BY c.y, c.x) t
$function$
    $ddl$, postgis);

    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_tiles(
    z integer, x integer, y integer, layers text DEFAULT 'live,fences', period tstzrange DEFAULT NULL, devices integer[] DEFAULT NULL)
RETURNS bytea
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET DateStyle = 'ISO'
AS $function$
DECLARE
    wanted text[] := string_to_array(translate(layers, ' ', ''), ',');
    bounds record := @extschema@.pt621_period_bounds(coalesce(period, tstzrange(statement_timestamp() - interval '1 day', NULL)));
    edge   %1$I.geometry;
    area   %1$I.geometry;
    -- Of a day or two there is less than of an area.
    by_tracker boolean := z <= 8 OR bounds.low > least(bounds.high, statement_timestamp()) - interval '2 days';
    tile   bytea := '';
BEGIN
    IF (z BETWEEN 0 AND 30 AND x BETWEEN 0 AND (1 << z) - 1 AND y BETWEEN 0 AND (1 << z) - 1) IS NOT TRUE THEN
        RAISE EXCEPTION 'there is no tile %%/%%/%%', z, x, y
            USING ERRCODE = 'invalid_parameter_value', HINT = 'z is 0 to 30, x and y are 0 to 2^z - 1, y from the north.';
    END IF;
    IF NOT wanted <@ '{heat,fences,tracks,live}' THEN
        RAISE EXCEPTION 'unknown layers: %%', layers
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Known are live, fences, tracks and heat, separated by commas.';
    END IF;
    edge := %1$I.st_tileenvelope(z, x, y);
    area := %1$I.st_transform(edge, 4326);
    area := %1$I.st_expand(area, (%1$I.st_xmax(area) - %1$I.st_xmin(area)) / 64, (%1$I.st_ymax(area) - %1$I.st_ymin(area)) / 64);
    IF 'heat' = ANY (wanted) THEN
        tile := tile || @extschema@.pt621_tile_heat(z, edge, area, bounds.low, bounds.high, devices, by_tracker);
    END IF;
    IF 'fences' = ANY (wanted) THEN
        tile := tile || @extschema@.pt621_tile_fences(edge, area);
    END IF;
    IF 'tracks' = ANY (wanted) THEN
        tile := tile || @extschema@.pt621_tile_tracks(z, edge, area, bounds.low, bounds.high, devices, by_tracker);
    END IF;
    IF 'live' = ANY (wanted) THEN
        tile := tile || @extschema@.pt621_tile_live(edge, area, devices);
    END IF;
    RETURN tile;
END
$function$
    $ddl$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_live(%1$I.geometry, %1$I.geometry, integer[]) IS %2$L', postgis,
                   'internal: the layer live of a tile; for pt621_tiles()');
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_fences(%1$I.geometry, %1$I.geometry) IS %2$L', postgis,
                   'internal: the layer fences of a tile; for pt621_tiles()');
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_pieces(%1$I.geometry, timestamptz, timestamptz, integer[], boolean) IS %2$L', postgis,
                   'internal: the parts of tracks that come near an area; for pt621_tiles()');
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_places(%1$I.geometry, timestamptz, timestamptz, integer[], boolean, boolean) IS %2$L', postgis,
                   'internal: the places of tracks in an area, or some that stand for them; for pt621_tiles()');
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_tracks(integer, %1$I.geometry, %1$I.geometry, timestamptz, timestamptz, integer[], boolean) IS %2$L',
                   postgis, 'internal: the layer tracks of a tile; for pt621_tiles()');
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_tile_heat(integer, %1$I.geometry, %1$I.geometry, timestamptz, timestamptz, integer[], boolean) IS %2$L',
                   postgis, 'internal: the layer heat of a tile; for pt621_tiles()');
END
$do$;
COMMENT ON FUNCTION @extschema@.pt621_tiles(integer, integer, integer, text, tstzrange, integer[]) IS
'trackers, geofences, tracks and density of positions, as a vector tile (MVT, Web Mercator, 4096 units wide); arguments: zoom 0 to 30, column, row from the north; layers = which of live, fences, tracks, heat, by commas; period of tracks and heat (NULL = the last 24 hours); devices = ids of trackers (NULL = all). An empty value where there is nothing. Error for a tile that is none, and for an unknown layer';
