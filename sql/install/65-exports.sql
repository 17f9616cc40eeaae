-- 65-exports.sql: tracks and stops for other programs.
--
-- With the rights of whoever asks, policies included: nothing is written.  What
-- people or trackers may have called something goes through pt621_xml_text(),
-- pt621_csv_cell() or PostgreSQL's own JSON.

CREATE FUNCTION @extschema@.pt621_xml_text(words text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Characters that XML 1.0 does not have, not even escaped.
    words := regexp_replace(words, '[\x01-\x08\x0b\x0c\x0e-\x1f]', '?', 'g');
    IF getdatabaseencoding() = 'UTF8' THEN
        words := translate(words, chr(65534) || chr(65535), '??');
    END IF;
    words := replace(replace(replace(words, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');
    RETURN replace(replace(words, '"', '&quot;'), '''', '&#39;');
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_xml_text(text) IS
'internal: any text, for XML: between tags or in quotes; what XML 1.0 has no characters for becomes ?';

CREATE FUNCTION @extschema@.pt621_csv_cell(words text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp
AS $function$
    -- A spreadsheet would run what begins like a formula.
    SELECT CASE WHEN c.cell ~ '[",\r\n\t]' OR c.cell ~ '^\s|\s$' THEN '"' || replace(c.cell, '"', '""') || '"' ELSE c.cell END
      FROM (SELECT CASE WHEN words ~ '^\s*[=+@-]' OR words ~ '^[\t\r\n]' THEN '''' || words ELSE coalesce(words, '') END AS cell
              FROM regexp_replace(words, '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '?', 'g') words) c
$function$;
COMMENT ON FUNCTION @extschema@.pt621_csv_cell(text) IS
'internal: any text as a cell of CSV (RFC 4180); what a spreadsheet would take for a formula gets an apostrophe in front; control characters become ?; NULL is an empty cell';

CREATE FUNCTION @extschema@.pt621_export_check(devices integer[], low timestamptz, high timestamptz, size_each integer)
RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    records bigint;
BEGIN
    SELECT count(*) INTO records
      FROM pt621.position p
     WHERE (devices IS NULL OR p.device_id = ANY (devices)) AND p.fix_time >= low AND p.fix_time < high;
    IF records * size_each > 1000000000 THEN
        RAISE EXCEPTION 'an export of % records would be larger than 1 GB', records
            USING ERRCODE = 'program_limit_exceeded',
                  HINT = 'Ask for fewer trackers or a shorter period at once; pt621_csv() has no such limit.';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_export_check(integer[], timestamptz, timestamptz, integer) IS
'internal: raises an error when there are too many records for one text; arguments: trackers (NULL = all), from when, before when, bytes for each';

CREATE FUNCTION @extschema@.pt621_gpx(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
SET DateStyle = 'ISO'
AS $function$
DECLARE
    bounds record := @extschema@.pt621_period_bounds(period);
    tracks text;
BEGIN
    PERFORM @extschema@.pt621_export_check(devices, bounds.low, bounds.high, 256);
    SELECT string_agg(concat('<trk><name>', @extschema@.pt621_xml_text(coalesce(d.name, d.ident)), '</name><src>',
                             @extschema@.pt621_xml_text(d.ident), E'</src>\n', t.segments, E'</trk>\n'), '' ORDER BY d.id)
      INTO tracks
      FROM pt621.device d,
           LATERAL (
           SELECT string_agg(s.segment, '' ORDER BY s.part) AS segments
             FROM (SELECT o.part,
                          concat(E'<trkseg>\n', string_agg(
                              '<trkpt lat="' || o.y || '" lon="' || o.x || '"><time>' || o.at || '</time>'
                              || coalesce('<extensions><gpxtpx:TrackPointExtension>' || nullif(
                                     coalesce('<gpxtpx:speed>' || CASE WHEN o.speed_kmh BETWEEN 0 AND 100000 THEN round(o.speed_kmh / 0.036) / 100 END || '</gpxtpx:speed>', '')
                                     || coalesce('<gpxtpx:course>' || CASE WHEN o.course >= 0 AND o.course < 360 THEN least(round(o.course * 10.0) / 10, 359.9) END || '</gpxtpx:course>', ''), '')
                                 || '</gpxtpx:TrackPointExtension></extensions>', '')
                              || E'</trkpt>\n', ''), E'</trkseg>\n') AS segment
                     FROM (SELECT p.part, p.fix_time, p.speed_kmh, p.course,
                                  translate((p.fix_time AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS at,
                                  CASE WHEN abs(p.lon) < 0.0001 THEN to_char(p.lon, 'FM0.000000') ELSE (round(p.lon * 1e6) / 1e6)::text END AS x,
                                  CASE WHEN abs(p.lat) < 0.0001 THEN to_char(p.lat, 'FM0.000000') ELSE (round(p.lat * 1e6) / 1e6)::text END AS y
                             FROM @extschema@.pt621_track_places(d.id, bounds.low, bounds.high, 3600) p
                            ORDER BY p.part, p.fix_time) o
                    GROUP BY o.part) s) t
     WHERE (devices IS NULL OR d.id = ANY (devices)) AND t.segments IS NOT NULL;
    RETURN concat(E'<?xml version="1.0"?>\n',
                  '<gpx version="1.1" creator="pt621" xmlns="http://www.topografix.com/GPX/1/1"',
                  E' xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">\n', tracks, E'</gpx>\n');
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_gpx(integer[], tstzrange) IS
'tracks as GPX 1.1, as the caller may see them: one trk for each tracker (its name, else its id; src = its id), one trkseg for each part as of pt621_track(); speed (m/s) and course (degrees) in Garmin''s extension; times are UTC; arguments: ids of trackers and the period, NULL = all; error for what would be larger than 1 GB';

DO $do$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_kml(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
SET DateStyle = 'ISO'
AS $function$
DECLARE
    bounds  record := @extschema@.pt621_period_bounds(period);
    folders text;
BEGIN
    PERFORM @extschema@.pt621_export_check(devices, bounds.low, bounds.high, 96);
    WITH stop AS MATERIALIZED (
        SELECT s.device_id, s.started_at, s.ended_at, s.seconds, %1$I.st_x(s.geom) AS lon, %1$I.st_y(s.geom) AS lat
          FROM @extschema@.pt621_stops(devices, period) s
    )
    SELECT string_agg(concat('<Folder><name>', @extschema@.pt621_xml_text(coalesce(d.name, d.ident)), E'</name>\n', t.parts, s.stops,
                             E'</Folder>\n'), '' ORDER BY d.id)
      INTO folders
      FROM pt621.device d,
           LATERAL (
           SELECT string_agg(concat('<Placemark><name>', to_char(k.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), ' UTC</name><gx:Track>',
                                    E'\n', k.times, k.places, E'</gx:Track></Placemark>\n'), '' ORDER BY k.part) AS parts
             FROM (SELECT o.part, min(o.fix_time) AS started_at,
                          string_agg('<when>' || o.at || E'</when>\n', '') AS times,
                          string_agg('<gx:coord>' || o.x || ' ' || o.y || E' 0</gx:coord>\n', '') AS places
                     FROM (SELECT p.part, p.fix_time, p.speed_kmh, p.course,
                                  translate((p.fix_time AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z' AS at,
                                  CASE WHEN abs(p.lon) < 0.0001 THEN to_char(p.lon, 'FM0.000000') ELSE (round(p.lon * 1e6) / 1e6)::text END AS x,
                                  CASE WHEN abs(p.lat) < 0.0001 THEN to_char(p.lat, 'FM0.000000') ELSE (round(p.lat * 1e6) / 1e6)::text END AS y
                             FROM @extschema@.pt621_track_places(d.id, bounds.low, bounds.high, 3600) p
                            ORDER BY p.part, p.fix_time) o
                    GROUP BY o.part) k) t,
           LATERAL (
           SELECT string_agg(concat('<Placemark><name>', round(p.seconds / 60), ' min</name><TimeSpan><begin>',
                                    (translate((p.started_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'), '</begin><end>',
                                    (translate((p.ended_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'), '</end></TimeSpan><Point><coordinates>',
                                    to_char(p.lon, 'FM990.000000'), ',', to_char(p.lat, 'FM990.000000'),
                                    E'</coordinates></Point></Placemark>\n'), '' ORDER BY p.started_at) AS stops
             FROM stop p
            WHERE p.device_id = d.id) s
     WHERE (devices IS NULL OR d.id = ANY (devices)) AND num_nonnulls(t.parts, s.stops) > 0;
    RETURN concat(E'<?xml version="1.0"?>\n',
                  '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2">',
                  E'<Document><name>pt621</name>\n', folders, E'</Document></kml>\n');
END
$function$
    $ddl$, postgis);
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_geojson(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
SET DateStyle = 'ISO'
AS $function$
DECLARE
    bounds   record := @extschema@.pt621_period_bounds(period);
    features text;
BEGIN
    PERFORM @extschema@.pt621_export_check(devices, bounds.low, bounds.high, 24);
    WITH device AS MATERIALIZED (
        SELECT d.id, d.ident, d.name FROM pt621.device d WHERE devices IS NULL OR d.id = ANY (devices)
    ), feature AS (
        SELECT d.id, t.started_at AS at, 'track' AS kind, %1$I.st_asgeojson(%1$I.st_force2d(%1$I.st_geomfromwkb(t.wkb, 4326)), 6, 0) AS geometry,
               json_build_object('kind', 'track', 'device_id', d.id, 'device', d.ident, 'name', d.name,
                                 'from', (translate((t.started_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'), 'until', (translate((t.ended_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'),
                                 'metres', round(t.metres), 'fixes', t.fixes) AS properties
          FROM device d, @extschema@.pt621_track_lines(d.id, bounds.low, bounds.high, 3600) t
         UNION ALL
        SELECT d.id, s.started_at, 'stop', %1$I.st_asgeojson(s.geom, 6, 0),
               json_build_object('kind', 'stop', 'device_id', d.id, 'device', d.ident, 'name', d.name,
                                 'from', (translate((s.started_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'), 'until', (translate((s.ended_at AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'),
                                 'seconds', round(s.seconds), 'ongoing', s.ongoing)
          FROM device d
          JOIN @extschema@.pt621_stops(devices, period) s ON s.device_id = d.id
    )
    SELECT string_agg(concat('{"type":"Feature","properties":', f.properties, ',"geometry":', f.geometry, '}'), E',\n'
                      ORDER BY f.id, f.at, f.kind)
      INTO features
      FROM feature f;
    RETURN concat(E'{"type":"FeatureCollection","features":[\n', features, E'\n]}\n');
END
$function$
    $ddl$, postgis);
    EXECUTE format($ddl$
CREATE FUNCTION @extschema@.pt621_csv(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL)
RETURNS SETOF text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 10000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
SET DateStyle = 'ISO'
AS $function$
DECLARE
    bounds record := @extschema@.pt621_period_bounds(period);
BEGIN
    RETURN NEXT 'device_id,ident,name,time,longitude,latitude,valid,speed_kmh,course,ignition,odometer_m,driver,code,event,quality';
    RETURN QUERY
    WITH device AS MATERIALIZED (
        SELECT d.id, concat(d.id, ',', @extschema@.pt621_csv_cell(d.ident), ',', @extschema@.pt621_csv_cell(d.name), ',') AS cells
          FROM pt621.device d
         WHERE devices IS NULL OR d.id = ANY (devices)
    )
    SELECT concat(d.cells, translate((p.fix_time AT TIME ZONE 'UTC')::text, ' ', 'T'), 'Z,', %1$I.st_x(p.geom), ',', %1$I.st_y(p.geom), ',',
                  p.valid::text, ',', p.speed_kmh, ',', p.course, ',', p.ignition::text, ',', p.odometer_m, ',',
                  CASE WHEN p.driver IS NOT NULL THEN @extschema@.pt621_csv_cell(p.driver) END, ',',
                  -- A tracker may say anything; pt621_event() then says the same.
                  CASE WHEN p.code ~ '^[A-Z0-9]+$' THEN concat(p.code, ',', @extschema@.pt621_event(p.code))
                       ELSE concat(@extschema@.pt621_csv_cell(p.code), ',', @extschema@.pt621_csv_cell(@extschema@.pt621_event(p.code))) END,
                  ',', p.quality)
      FROM device d
      JOIN pt621.position p ON p.device_id = d.id
     WHERE p.fix_time >= bounds.low AND p.fix_time < bounds.high
     ORDER BY p.device_id, p.fix_time, p.code COLLATE "C", p.digest;
END
$function$
    $ddl$, postgis);
END
$do$;
COMMENT ON FUNCTION @extschema@.pt621_kml(integer[], tstzrange) IS
'tracks and stops as KML 2.2, as the caller may see them: one Folder for each tracker (its name, else its id), in it one gx:Track for each part as of pt621_track() and one Point with a TimeSpan for each stop; times are UTC; arguments: ids of trackers and the period, NULL = all; error for what would be larger than 1 GB';
COMMENT ON FUNCTION @extschema@.pt621_geojson(integer[], tstzrange) IS
'tracks and stops as GeoJSON (RFC 7946), as the caller may see them: a FeatureCollection with a LineString for each part as of pt621_track() and a Point for each stop; properties: kind (track, stop), device_id, device (the id that it sends), name, from, until (UTC), metres and fixes of a track, seconds and ongoing of a stop; arguments: ids of trackers and the period, NULL = all; error for what would be larger than 1 GB';
COMMENT ON FUNCTION @extschema@.pt621_csv(integer[], tstzrange) IS
'records as lines of CSV (RFC 4180, without the line ends), as the caller may see them, the first of them a header; in order of tracker and time; times are UTC, decimals have a point; text that a spreadsheet would take for a formula gets an apostrophe in front; arguments: ids of trackers and the period, NULL = all';
