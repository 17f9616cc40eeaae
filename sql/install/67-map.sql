-- 67-map.sql: tracks as an HTML page.
--
-- With the rights of whoever asks, policies included: nothing is written.  What is in the page is bounded, and
-- the page says what was left out.

-- Who may not read photos has the map without, and who may not read their pieces has those that are complete.  Where
-- bytes do not begin as a JPEG does, a browser might take them for something else: they stay here.
CREATE FUNCTION @extschema@.pt621_map_photos(
    devices integer[], period tstzrange, announcements bigint[], most integer, most_bytes integer,
    OUT photos json, OUT pictures json, OUT shown json)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    most_photos CONSTANT integer := 1000;
    has_pieces  boolean;
    photo       record;
    whole       bytea;
    no_room     boolean;
    left_bytes  integer := most_bytes;
    told        json[] := '{}';
    files       text[] := '{}';
BEGIN
    photos := '[]';
    pictures := '[]';
    shown := '[0,0]';
    IF NOT has_table_privilege('pt621.photo', 'SELECT') THEN
        RETURN;
    END IF;
    has_pieces := has_table_privilege('pt621.photo_piece', 'SELECT');
    -- Of one second there may be several.
    FOR photo IN SELECT p.id, p.device_id, p.fix_time, p.camera, p.state, p.reason, p.size, p.received,
                        octet_length(p.jpeg) AS whole_bytes, coalesce(octet_length(p.jpeg), p.received) AS bytes
                   FROM pt621.event e
                   JOIN pt621.photo p ON p.device_id = e.device_id AND p.fix_time = e.at
                  WHERE e.id = ANY (announcements)
                  ORDER BY p.fix_time DESC, p.id
                  LIMIT most_photos
    LOOP
        whole := NULL;
        no_room := photo.bytes > left_bytes OR (photo.bytes > 0 AND cardinality(files) >= most);
        IF NOT no_room THEN
            IF photo.whole_bytes IS NOT NULL THEN
                SELECT p.jpeg INTO whole FROM pt621.photo p WHERE p.id = photo.id;
            ELSIF has_pieces AND photo.received > 0 THEN
                SELECT string_agg(e.bytes, '' ORDER BY e.at) INTO whole FROM pt621.photo_piece e WHERE e.photo_id = photo.id;
            END IF;
            IF substr(whole, 1, 3) = decode('ffd8ff', 'hex') THEN
                files := files || replace(encode(whole, 'base64'), chr(10), '');
                left_bytes := left_bytes - length(whole);
            ELSE
                whole := NULL;
            END IF;
        END IF;
        told := told || json_build_object(
            'tracker', array_position(devices, photo.device_id) - 1, 'at', extract(epoch FROM photo.fix_time),
            'camera', left(photo.camera, 100), 'state', photo.state, 'reason', left(photo.reason, 200),
            'size', photo.size, 'received', photo.received,
            'picture', CASE WHEN whole IS NOT NULL THEN cardinality(files) - 1 END,
            'no_room', no_room);
    END LOOP;
    photos := array_to_json(told);
    pictures := array_to_json(files);
    SELECT json_build_array(cardinality(files), count(*)) INTO shown
      FROM pt621.photo p, @extschema@.pt621_period_bounds(period) b
     WHERE p.device_id = ANY (devices) AND p.fix_time >= b.low AND p.fix_time < b.high AND (p.received > 0 OR p.jpeg IS NOT NULL);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_map_photos(integer[], tstzrange, bigint[], integer, integer) IS
'internal: photos as JSON for pt621_map(); arguments: ids of its trackers, period, ids of the events that announce photos, how many pictures of how many bytes in all at most; columns: what is known of each photo, the newest pictures in base64, and how many of how many they are';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    -- Twice the tolerance until the places that are left are few enough; then the newest parts that fit.  A track
    -- of one place is a point.
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map_lines(
            device integer, period tstzrange, most integer,
            OUT lines %1$I.geometry[], OUT parts integer, OUT places bigint, OUT metres double precision, OUT tolerance_m double precision)
        LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        DECLARE
            whole %1$I.geometry[];
        BEGIN
            SELECT array_agg(t.geom ORDER BY t.part DESC), sum(t.fixes), sum(t.metres) INTO whole, places, metres
              FROM @extschema@.pt621_track(device, period) t;
            IF whole IS NULL THEN
                SELECT ARRAY[%1$I.st_setsrid(%1$I.st_makepointm(t.lon, t.lat, extract(epoch FROM t.fix_time)::double precision), 4326)], 1, 0
                  INTO whole, places, metres
                  FROM @extschema@.pt621_period_bounds(period) b, @extschema@.pt621_track_places(device, b.low, b.high, 3600) t
                 ORDER BY t.fix_time DESC
                 LIMIT 1;
            END IF;
            parts := cardinality(whole);
            tolerance_m := 0;
            lines := whole;
            WHILE (SELECT sum(%1$I.st_npoints(l)) FROM unnest(lines) l) > most AND tolerance_m < 1000000 LOOP
                tolerance_m := greatest(2.5, 2 * tolerance_m);
                SELECT array_agg(@extschema@.pt621_simplify_track(w.line, tolerance_m) ORDER BY w.n) INTO lines
                  FROM unnest(whole) WITH ORDINALITY w (line, n);
            END LOOP;
            SELECT array_agg(f.line ORDER BY f.n DESC) INTO lines
              FROM (SELECT l.line, l.n, sum(%1$I.st_npoints(l.line)) OVER (ORDER BY l.n) AS sum
                      FROM unnest(lines) WITH ORDINALITY l (line, n)) f
             WHERE f.sum <= most;
        END
        $body$
        $function$, postgis);
    EXECUTE 'COMMENT ON FUNCTION @extschema@.pt621_map_lines(integer, tstzrange, integer) IS '
            '''internal: the track of a tracker for pt621_map(); arguments: its id, period, how many places at most; columns: its parts as lines, simplified, of how many, the places and metres of all, and how far off a place is at most, metres''';

    -- Differences of millionths of a degree, and seconds to the millisecond: short, and exact enough.
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map_parts(device integer, lines %1$I.geometry[])
        RETURNS json
        LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        WITH place AS (
            SELECT l.n AS part, d.path[1] AS n, %1$I.st_m(d.geom) AS m, round(%1$I.st_m(d.geom) * 1000) AS ms,
                   round(%1$I.st_x(d.geom) * 1e6)::integer AS lon, round(%1$I.st_y(d.geom) * 1e6)::integer AS lat
              FROM unnest(lines) WITH ORDINALITY l (line, n), %1$I.st_dumppoints(l.line) d
        ), speed AS (
            SELECT extract(epoch FROM p.fix_time)::double precision AS m, max(p.speed_kmh) AS kmh
              FROM pt621.position p
             WHERE p.device_id = device AND p.valid AND p.quality & 98304 = 0 AND p.speed_kmh BETWEEN 0 AND 10000
               AND p.fix_time >= (SELECT to_timestamp(min(a.m) - 1) FROM place a)
               AND p.fix_time <= (SELECT to_timestamp(max(a.m) + 1) FROM place a)
             GROUP BY p.fix_time
        ), difference AS (
            SELECT p.part, p.n, p.ms / 1000 AS at, round(s.kmh) AS kmh, (p.ms - lag(p.ms, 1, p.ms) OVER part) / 1000 AS s,
                   p.lon - lag(p.lon, 1, 0) OVER part AS lon, p.lat - lag(p.lat, 1, 0) OVER part AS lat
              FROM place p
              LEFT JOIN speed s ON s.m = p.m
            WINDOW part AS (PARTITION BY p.part ORDER BY p.n)
        )
        SELECT json_agg(p.json ORDER BY p.part)
          FROM (SELECT d.part, json_build_object('at', min(d.at), 's', array_agg(d.s ORDER BY d.n), 'lon', array_agg(d.lon ORDER BY d.n),
                                                 'lat', array_agg(d.lat ORDER BY d.n), 'kmh', array_agg(d.kmh ORDER BY d.n)) AS json
                  FROM difference d
                 GROUP BY d.part) p
        $body$
        $function$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_map_parts(integer, %I.geometry[]) IS %L', postgis,
                   'internal: lines of pt621_map_lines() as JSON, with the speeds that the tracker reported');

    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map_stops(devices integer[], period tstzrange, most integer, OUT marks json, OUT shown json)
        LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        WITH stop AS (
            SELECT s.*, row_number() OVER (ORDER BY s.seconds DESC, s.started_at, s.device_id) AS n
              FROM @extschema@.pt621_stops(devices, period) s
        )
        SELECT coalesce(json_agg(json_build_object(
                   'kind', 'stop', 'tracker', array_position(devices, s.device_id) - 1, 'lon', round(%1$I.st_x(s.geom)::numeric, 6),
                   'lat', round(%1$I.st_y(s.geom)::numeric, 6), 'at', extract(epoch FROM s.started_at), 'until', extract(epoch FROM s.ended_at),
                   'ongoing', s.ongoing) ORDER BY s.n) FILTER (WHERE s.n <= most), '[]'),
               json_build_array(least(count(*), most), count(*))
          FROM stop s
        $body$
        $function$, postgis);
    EXECUTE 'COMMENT ON FUNCTION @extschema@.pt621_map_stops(integer[], tstzrange, integer) IS '
            '''internal: the longest stops as JSON for pt621_map(), at most so many, and how many of how many they are''';

    -- What the worker derives for other purposes than to alarm is not shown; power_cut and low_battery sum up alarms
    -- that are there.  Alarms are those of pt621_is_alarm().  Rows of users may hold anything.
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map_alarms(devices integer[], period tstzrange, most integer,
                                                     OUT marks json, OUT shown json, OUT announcements bigint[])
        LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        WITH alarm AS (
            SELECT e.*, row_number() OVER (ORDER BY e.at DESC, e.id DESC) AS n,
                   %1$I.st_x(e.geom) BETWEEN -180 AND 180 AND %1$I.st_y(e.geom) BETWEEN -90 AND 90 AS placed
              FROM pt621.event e, @extschema@.pt621_period_bounds(period) b
             WHERE e.device_id = ANY (devices) AND e.superseded_at IS NULL AND e.at >= b.low AND e.at < b.high AND isfinite(e.at)
               AND e.kind NOT IN ('power_cut', 'low_battery', 'ignition_on', 'ignition_off', 'motion_start', 'motion_stop', 'driver_change',
                                  'geofence_enter', 'geofence_exit', 'geofence_dwell', 'geofence_pass', 'proximity',
                                  'maintenance_soon', 'maintenance_due')
        )
        SELECT coalesce(json_agg(json_build_object(
                   'kind', CASE WHEN @extschema@.pt621_is_alarm(a.kind, a.object) THEN 'alarm' WHEN a.kind = 'alarm' THEN 'photo'
                                WHEN a.kind = 'overspeed' THEN a.kind ELSE 'other' END,
                   'tracker', array_position(devices, a.device_id) - 1,
                   'lon', CASE WHEN a.placed THEN round(%1$I.st_x(a.geom)::numeric, 6) END,
                   'lat', CASE WHEN a.placed THEN round(%1$I.st_y(a.geom)::numeric, 6) END,
                   'at', extract(epoch FROM a.at), 'until', CASE WHEN isfinite(a.until) THEN extract(epoch FROM a.until) END,
                   'what', left(a.kind, 100), 'object', left(a.object, 100),
                   'peak_kmh', CASE WHEN jsonb_typeof(a.detail -> 'peak_kmh') = 'number' THEN a.detail -> 'peak_kmh' END,
                   'limit_kmh', CASE WHEN jsonb_typeof(a.detail -> 'limit_kmh') = 'number' THEN a.detail -> 'limit_kmh' END)
                   ORDER BY a.n) FILTER (WHERE a.n <= most), '[]'),
               json_build_array(least(count(*), most), count(*)),
               array_agg(a.id) FILTER (WHERE a.n <= most AND a.kind = 'alarm' AND NOT @extschema@.pt621_is_alarm(a.kind, a.object))
          FROM alarm a
        $body$
        $function$, postgis);
    EXECUTE 'COMMENT ON FUNCTION @extschema@.pt621_map_alarms(integer[], tstzrange, integer) IS '
            '''internal: the newest alarms, announcements of photos, overspeeds and events of others as JSON for pt621_map(), at most so many, how many of how many they are, and the ids of those that announce photos''';

    -- Near is a hundredth of a degree from a box round 64 legs of the track.  A fence is drawn to 1/500 of its size.
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map_fences(lines %1$I.geometry[], period tstzrange, most integer, most_places integer,
                                                     OUT fences json, OUT shown json)
        LANGUAGE sql STABLE PARALLEL SAFE COST 100000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        AS $body$
        WITH leg AS (
            SELECT l.n AS part, d.path[1] / 64 AS n, %1$I.st_x(d.geom) AS x, %1$I.st_y(d.geom) AS y,
                   lag(%1$I.st_x(d.geom)) OVER part AS from_x, lag(%1$I.st_y(d.geom)) OVER part AS from_y
              FROM unnest(lines) WITH ORDINALITY l (line, n), %1$I.st_dumppoints(l.line) d
            WINDOW part AS (PARTITION BY l.n ORDER BY d.path[1])
        ), box AS MATERIALIZED (
            SELECT %1$I.st_makeenvelope(min(least(l.x, l.from_x)) - 0.01, min(least(l.y, l.from_y)) - 0.01,
                                        max(greatest(l.x, l.from_x)) + 0.01, max(greatest(l.y, l.from_y)) + 0.01, 4326) AS box
              FROM leg l
             GROUP BY l.part, l.n
        ), near AS (
            SELECT g.id, g.name,
                   %1$I.st_multi(%1$I.st_simplifypreservetopology(s.shape, greatest(%1$I.st_xmax(s.shape) - %1$I.st_xmin(s.shape),
                                                                                    %1$I.st_ymax(s.shape) - %1$I.st_ymin(s.shape)) / 500)) AS shape
              FROM pt621.geofence g
             -- Only circles and corridors have a shape beside geom.
             CROSS JOIN LATERAL (SELECT coalesce(g.shape, g.geom) AS shape) s
             WHERE g.valid && coalesce(period, tstzrange(NULL, NULL))
               AND EXISTS (SELECT FROM box b WHERE b.box OPERATOR(%1$I.&&) s.shape)
        ), numbered AS (
            SELECT n.*, row_number() OVER (ORDER BY n.id) <= most AND sum(%1$I.st_npoints(n.shape)) OVER (ORDER BY n.id) <= most_places AS fits
              FROM near n
        ), place AS (
            SELECT n.id, d.path[1] AS part, d.path[2] AS ring, d.path[3] AS n,
                   round(%1$I.st_x(d.geom) * 1e6)::integer AS lon, round(%1$I.st_y(d.geom) * 1e6)::integer AS lat
              FROM numbered n, %1$I.st_dumppoints(n.shape) d
             WHERE n.fits
        ), difference AS (
            SELECT p.id, p.part, p.ring, p.n, p.lon - lag(p.lon, 1, 0) OVER ring AS lon, p.lat - lag(p.lat, 1, 0) OVER ring AS lat
              FROM place p
            WINDOW ring AS (PARTITION BY p.id, p.part, p.ring ORDER BY p.n)
        ), ring AS (
            SELECT d.id, d.part, d.ring, json_build_object('lon', array_agg(d.lon ORDER BY d.n), 'lat', array_agg(d.lat ORDER BY d.n)) AS json
              FROM difference d
             GROUP BY d.id, d.part, d.ring
        )
        SELECT coalesce(json_agg(json_build_object('name', left(n.name, 100),
                                                   'rings', (SELECT json_agg(r.json ORDER BY r.part, r.ring) FROM ring r WHERE r.id = n.id))
                                 ORDER BY n.name) FILTER (WHERE n.fits), '[]'),
               json_build_array(count(*) FILTER (WHERE n.fits), count(*))
          FROM numbered n
        $body$
        $function$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_map_fences(%I.geometry[], tstzrange, integer, integer) IS %L', postgis,
                   'internal: the fences near these lines as JSON for pt621_map(), at most so many with at most so many places, and how many of how many they are');

    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_map(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, title text DEFAULT NULL)
        RETURNS text
        LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
        SET search_path = pg_catalog, pg_temp
        SET jit = off
        SET standard_conforming_strings = on
        SET extra_float_digits = 1
        AS $body$
        DECLARE
            -- About 20 bytes each.
            most_places   CONSTANT integer := 60000;
            most_trackers CONSTANT integer := 100;
            ids           integer[];
            found         integer[] := '{}';
            tracker       pt621.device;
            track         record;
            trackers      json[] := '{}';
            lines         %1$I.geometry[] := '{}';
            left_places   integer := most_places;
            tolerance     double precision := 0;
            seen          bigint[] := '{0,0,0,0}';
            zones         text[] := '{}';
            stops         record;
            alarms        record;
            photos        record;
            fences        record;
            heading       text;
        BEGIN
            SELECT array_agg(d.id ORDER BY d.id) INTO ids
              FROM pt621.device d, @extschema@.pt621_period_bounds(period) b
             WHERE (devices IS NULL OR d.id = ANY (devices))
               AND EXISTS (SELECT FROM pt621.position p
                            WHERE p.device_id = d.id AND p.fix_time >= b.low AND p.fix_time < b.high AND isfinite(p.fix_time)
                              AND p.valid AND p.quality & 98304 = 0);
            FOR tracker IN SELECT d.* FROM pt621.device d WHERE d.id = ANY (ids) ORDER BY d.id LIMIT most_trackers LOOP
                track := @extschema@.pt621_map_lines(tracker.id, period,
                                                     left_places / (least(cardinality(ids), most_trackers) - cardinality(found)));
                CONTINUE WHEN track.lines IS NULL;
                found := found || tracker.id;
                zones := zones || tracker.time_zone;
                lines := lines || track.lines;
                left_places := left_places - (SELECT sum(%1$I.st_npoints(l)) FROM unnest(track.lines) l);
                tolerance := greatest(tolerance, track.tolerance_m);
                seen := ARRAY[seen[1] + cardinality(track.lines), seen[2] + track.parts, most_places - left_places, seen[4] + track.places];
                trackers := trackers || json_build_object(
                    'name', left(nullif(tracker.name, ''), 100), 'ident', tracker.ident, 'metres', round(track.metres),
                    'parts', @extschema@.pt621_map_parts(tracker.id, track.lines));
            END LOOP;
            stops := @extschema@.pt621_map_stops(found, period, 2000);
            alarms := @extschema@.pt621_map_alarms(found, period, 1000);
            photos := @extschema@.pt621_map_photos(found, period, alarms.announcements, 50, 8000000);
            fences := @extschema@.pt621_map_fences(lines, period, 500, 20000);
            heading := coalesce(left(nullif(title, ''), 200),
                                CASE WHEN cardinality(found) = 1 THEN coalesce(trackers[1] ->> 'name', trackers[1] ->> 'ident')
                                     ELSE cardinality(found) || ' trackers' END);
            RETURN @extschema@.pt621_page(
                heading,
                ARRAY['common.css', 'map.css', 'common.js', 'map-geometry.js', 'map-view.js', 'map-lines.js', 'map-chart.js',
                      'map-time.js', 'map-photos.js', 'map-panel.js', 'map.js'],
                @extschema@.pt621_page_file('map.html') || @extschema@.pt621_page_data(json_build_object(
                    'title', heading,
                    'made_at', floor(extract(epoch FROM statement_timestamp())),
                    'zone', CASE WHEN zones[1] = ALL (zones) THEN zones[1] ELSE 'UTC' END,
                    'tolerance_m', tolerance,
                    'trackers', array_to_json(trackers),
                    'marks', (SELECT coalesce(json_agg(m.mark), '[]')
                                FROM (SELECT json_array_elements(stops.marks) UNION ALL SELECT json_array_elements(alarms.marks)) m (mark)),
                    'photos', photos.photos,
                    'fences', fences.fences,
                    'shown', json_build_object(
                        'trackers', json_build_array(cardinality(found), coalesce(cardinality(ids), 0)),
                        'parts of tracks', json_build_array(seen[1], seen[2]), 'places', json_build_array(seen[3], seen[4]),
                        'stops', stops.shown, 'events', alarms.shown, 'pictures', photos.shown, 'fences', fences.shown)))
                || @extschema@.pt621_page_data(photos.pictures, 'pictures'));
        END
        $body$
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_map(integer[], tstzrange, text) IS
'an HTML page that needs nothing else: tracks in the colours of their speed, stops, alarms, places where a photo was announced with the photo, as far as it has come, and fences near them, as the caller may see them, to be zoomed and played; arguments: ids of trackers (NULL = all), period (NULL = all), title (NULL = the name of the tracker, or how many they are). No more than 100 trackers, 60,000 places, 2,000 stops, 1,000 alarms and photos, 50 pictures of 8 MB in all, and 500 fences: tracks are simplified until they fit, and the page says what is left out. Times are in the time zone of the trackers when they have the same, else in UTC';
