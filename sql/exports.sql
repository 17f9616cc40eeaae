-- exports.sql: tracks and stops as GPX, KML, GeoJSON and CSV.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'America/Los_Angeles';
SET DateStyle = 'German';
SET extra_float_digits = 0;
\pset null '(null)'
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;

-- Nothing there.
SELECT pt621_gpx();
SELECT pt621_kml();
SELECT pt621_geojson();
SELECT pt621_csv();

-- A drive with a silence and a stop; a tracker whose names are attacks; one that
-- only says that it has no fix.
INSERT INTO pt621.device (id, ident, name) VALUES (1, '6211', NULL), (3, '6213', 'empty'),
    (2, '=1+1', E'<script>"&''\x01\x0b\x1f]]></name>,\n=cmd()');
INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, course, ignition, odometer_m, driver)
SELECT 1, '2025-03-01 10:00:00+00'::timestamptz + i * interval '60 s' + CASE WHEN i > 15 THEN interval '2 h' ELSE '0' END,
       ST_Point(13 + 0.01 * greatest(i - 10, 0), 0.00001, 4326), CASE WHEN i > 10 THEN 66.6 ELSE 0 END, 90, i > 10, 1000 * i, CASE WHEN i = 12 THEN '@SUM(A1)' END
  FROM generate_series(0, 18) i;
INSERT INTO pt621.position (device_id, fix_time, code, geom, speed_kmh, course, driver, valid) VALUES
    (2, '2025-03-01 10:00:00.25+00', 'POS', ST_Point(-179.9999999, -33.5, 4326), NULL, NULL, '-5', true),
    (2, '2025-03-01 10:00:10+00', 'IN1', ST_Point(179.9999, -33.5, 4326), 12.345, 359.99, E'\t=1', true),
    (2, '2025-03-01 10:00:20+00', '=1+1,"', ST_Point(179.999, -33.5001, 4326), 'Infinity', 7, E'a\x1b"b', true),
    (3, '2025-03-01 10:00:00+00', 'POS', ST_Point(1, 2, 4326), 0, 0, NULL, false),
    (3, '2025-03-01 10:00:01+00', 'HBT', NULL, NULL, NULL, NULL, false);

SELECT pt621_gpx();
SELECT pt621_kml();
SELECT pt621_geojson();
SELECT pt621_csv();

-- What they are as data: well-formed, and every name comes out as it went in, but for
-- what XML has no characters for.
SELECT xpath_exists('/g:gpx/g:trk[2]/g:trkseg[2]/g:trkpt', pt621_gpx()::xml, '{{g,http://www.topografix.com/GPX/1/1}}');
SELECT (xpath('string(/g:gpx/g:trk[2]/g:name)', pt621_gpx()::xml, '{{g,http://www.topografix.com/GPX/1/1}}'))[1] IS NOT NULL,
       array_length(xpath('//k:Folder', pt621_kml()::xml, '{{k,http://www.opengis.net/kml/2.2}}'), 1);
SELECT bool_and(f -> 'properties' ->> 'name' = d.name) AS names, count(*)
  FROM jsonb_array_elements(pt621_geojson('{2}')::jsonb -> 'features') f, pt621.device d WHERE d.id = 2;
SELECT f -> 'properties' ->> 'kind' AS kind, f -> 'geometry' ->> 'type' AS type, count(*)
  FROM jsonb_array_elements(pt621_geojson()::jsonb -> 'features') f GROUP BY 1, 2 ORDER BY 1;
SELECT bool_and(ST_Equals(ST_GeomFromGeoJSON(f -> 'geometry'), ST_Force2D(t.geom))) AS same
  FROM jsonb_array_elements(pt621_geojson('{1}')::jsonb -> 'features') f JOIN pt621_track(1) t
    ON t.started_at = (f -> 'properties' ->> 'from')::timestamptz
 WHERE f -> 'properties' ->> 'kind' = 'track';

-- Some trackers, and a period.
SELECT pt621_csv('{3,77,NULL}');
SELECT count(*) FROM pt621_csv('{}');
SELECT count(*) FROM pt621_csv(NULL, 'empty');
SELECT count(*) FROM pt621_csv(NULL, '(2025-03-01 10:00:00+00,2025-03-01 10:00:10+00]');
SELECT pt621_gpx('{1}', '[2025-03-01 10:11:00+00,2025-03-01 10:12:00+00]');

-- What a session has set is not in them, in its first call neither.
CREATE FUNCTION public.exported() RETURNS text LANGUAGE sql AS $$
    SELECT md5(public.pt621_gpx() || public.pt621_kml() || public.pt621_geojson() || (SELECT string_agg(c, chr(10)) FROM public.pt621_csv() c))
$$;
SELECT public.exported() AS said \gset
\c -
SET extra_float_digits = -10;
SET escape_string_warning = off;
SET standard_conforming_strings = off;
SELECT public.exported() = :'said' AS same;
SELECT length(pt621_map('{1}')) > 10000 AS map, length(pt621_report_html('{1}')) > 1000 AS report;
RESET standard_conforming_strings;
RESET extra_float_digits;
SET TimeZone = 'America/Los_Angeles';
SET DateStyle = 'German';
DROP FUNCTION public.exported();

-- Cells.
SELECT c, pt621_csv_cell(c) FROM unnest(ARRAY['a', 'a b', ' a', 'a ', 'a,b', 'a"b', '=a', ' =a', '+1', '-1', '@a', 'a=1', E'\ta', E'a\nb', E'\r=a', '', NULL, '''=a', '1-2']) c;
SELECT pt621_xml_text(E'a<b>&"''\x01\t\n\x7f é');
SELECT encode(convert_to(pt621_xml_text(chr(65534) || chr(65535) || chr(65533) || chr(128512)), 'UTF8'), 'hex');

-- More than one text can hold.
SELECT pt621_export_check(NULL, '-infinity', 'infinity', 1000000000);

-- Rights, and policies.
CREATE ROLE regress_pt621_exporter;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_exporter;
SET ROLE regress_pt621_exporter;
SELECT pt621_gpx();
SELECT pt621_csv();
RESET ROLE;
GRANT EXECUTE ON FUNCTION pt621_gpx, pt621_kml, pt621_geojson, pt621_csv, pt621_stops TO regress_pt621_exporter;
SET ROLE regress_pt621_exporter;
SELECT pt621_gpx();
RESET ROLE;
GRANT SELECT ON pt621.device, pt621.position, pt621.device_state TO regress_pt621_exporter;
CREATE POLICY one ON pt621.position FOR SELECT TO regress_pt621_exporter USING (device_id = 1);
ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
SET ROLE regress_pt621_exporter;
SELECT count(*) FROM regexp_matches(pt621_gpx(), '<trk>', 'g');
SELECT count(*) FROM regexp_matches(pt621_kml(), '<Folder>', 'g');
SELECT DISTINCT f -> 'properties' ->> 'device' FROM jsonb_array_elements(pt621_geojson()::jsonb -> 'features') f;
SELECT count(*) FROM pt621_csv();
RESET ROLE;
ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY;
DROP POLICY one ON pt621.position;
REVOKE ALL ON pt621.device, pt621.position, pt621.device_state FROM regress_pt621_exporter;
REVOKE ALL ON FUNCTION pt621_gpx, pt621_kml, pt621_geojson, pt621_csv, pt621_stops FROM regress_pt621_exporter;
REVOKE ALL ON SCHEMA pt621 FROM regress_pt621_exporter;
DROP ROLE regress_pt621_exporter;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position, pt621.event, pt621.track_piece;
