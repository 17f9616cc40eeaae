-- 90-install.sql: rights, and the tables.

-- Those that everybody may execute only compute, or read with the rights of
-- whoever asks, for functions that not everybody may execute.
--
-- What is SECURITY DEFINER belongs to the owner of the tables, and nothing else:
-- members of that role can alter what it owns.
DO $$
DECLARE
    role_name name := coalesce(nullif(current_setting('pt621.role', true), ''), 'pt621');
    function  record;
BEGIN
    FOR function IN
        SELECT p.oid::regprocedure AS name, p.prosecdef,
               p.proname IN (
                             'pt621_decode',
                             'pt621_decode_reads',
                             'pt621_decode_datagrams',
                             'pt621_event',
                             'pt621_quality',
                             'pt621_encode_command',
                             'pt621_command_kinds',
                             'pt621_command_may_switch',
                             'pt621_command_answered',
                             'pt621_geofence_outline',
                             'pt621_geofence_wrap',
                             'pt621_geofence_shape',
                             'pt621_backtest_visits',
                             'pt621_overspeed_episodes',
                             'pt621_proximity_episodes',
                             'pt621_known_zone',
                             'pt621_is_alarm',
                             'pt621_report_segments',
                             'pt621_report_summary',
                             'pt621_report_intervals',
                             'pt621_report_drivers',
                             'pt621_report_manoeuvres',
                             'pt621_driver_allowed',
                             'pt621_driver_name',
                             'pt621_calibrate',
                             'pt621_sensor_spans',
                             'pt621_sensor_devices',
                             'pt621_fuel_options',
                             'pt621_fuel_levels',
                             'pt621_fuel_changes',
                             'pt621_fuel_buckets',
                             'pt621_fuel_used',
                             'pt621_ignition_since',
                             'pt621_check_analog',
                             'pt621_check_clock',
                             'pt621_check_commands',
                             'pt621_check_deltas',
                             'pt621_check_fix',
                             'pt621_check_frames',
                             'pt621_check_gaps',
                             'pt621_check_heard',
                             'pt621_check_hours',
                             'pt621_check_identity',
                             'pt621_check_inputs',
                             'pt621_check_interval',
                             'pt621_check_odometer',
                             'pt621_check_outputs',
                             'pt621_check_photos',
                             'pt621_check_policy',
                             'pt621_check_positions',
                             'pt621_check_reason',
                             'pt621_check_rejected',
                             'pt621_check_sample',
                             'pt621_check_span',
                             'pt621_check_state',
                             'pt621_check_time',
                             'pt621_check_variant',
                             'pt621_check_wires',
                             'pt621_geofence_name',
                             'pt621_geofence_covers',
                             'pt621_driver_turns',
                             'pt621_hours_of_week',
                             'pt621_hours_between',
                             'pt621_local_moment',
                             'pt621_maintenance_use',
                             'pt621_maintenance_progress',
                             'pt621_simplify_wkb',
                             'pt621_track_places',
                             'pt621_track_lines',
                             'pt621_place_at',
                             'pt621_period_bounds',
                             'pt621_export_check',
                             'pt621_xml_text',
                             'pt621_csv_cell',
                             'pt621_page_file',
                             'pt621_page_ascii',
                             'pt621_page_text',
                             'pt621_page_data',
                             'pt621_page',
                             'pt621_chart',
                             'pt621_chart_frame',
                             'pt621_chart_points',
                             'pt621_chart_readings',
                             'pt621_chart_step',
                             'pt621_chart_times',
                             'pt621_html_alarms',
                             'pt621_html_columns',
                             'pt621_html_days',
                             'pt621_html_figures',
                             'pt621_html_fleet',
                             'pt621_html_fuel',
                             'pt621_html_legs',
                             'pt621_html_number',
                             'pt621_html_period',
                             'pt621_html_place',
                             'pt621_html_table',
                             'pt621_html_time',
                             'pt621_html_tracker',
                             'pt621_html_when',
                             'pt621_map_lines',
                             'pt621_map_parts',
                             'pt621_map_stops',
                             'pt621_map_alarms',
                             'pt621_map_photos',
                             'pt621_map_fences',
                             'pt621_tile_live',
                             'pt621_tile_fences',
                             'pt621_tile_pieces',
                             'pt621_tile_places',
                             'pt621_tile_tracks',
                             'pt621_tile_heat') AS for_everybody
          FROM pg_depend d
          JOIN pg_proc p ON p.oid = d.objid
         WHERE d.classid = 'pg_proc'::regclass
           AND d.refclassid = 'pg_extension'::regclass
           AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621')
           AND d.deptype = 'e'
    LOOP
        IF function.prosecdef THEN
            EXECUTE format('ALTER FUNCTION %s OWNER TO %I', function.name, role_name);
        END IF;
        IF NOT function.for_everybody THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function.name);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', function.name, role_name);
        END IF;
    END LOOP;
    EXECUTE 'GRANT EXECUTE ON FUNCTION @extschema@.pt621_stat_worker(), @extschema@.pt621_stat_connection() TO pg_read_all_stats';
END
$$;

-- In a restore the dump brings schema and tables, after the functions.
DO $$
DECLARE
    role_name name := coalesce(nullif(current_setting('pt621.role', true), ''), 'pt621');
    restoring boolean := current_setting('row_security') = 'off'
                         OR lower(coalesce(current_setting('pt621.restoring', true), '')) IN ('on', 'true', 'yes', '1');
    owner     name := (SELECT r.rolname
                         FROM pg_namespace n
                         JOIN pg_roles r ON r.oid = n.nspowner
                        WHERE n.nspname = 'pt621');
    member    record;
BEGIN
    IF restoring THEN
        RETURN;
    END IF;
    IF owner IS NULL THEN
        EXECUTE format('CREATE SCHEMA pt621 AUTHORIZATION %I', role_name);
    ELSIF owner = current_user THEN
        EXECUTE format('ALTER SCHEMA pt621 OWNER TO %I', role_name);
    ELSIF owner <> role_name THEN
        RAISE EXCEPTION 'schema pt621 belongs to role "%"', owner
            USING ERRCODE = 'duplicate_schema',
                  HINT = format('The tables of pt621 go there: rename it, or ALTER SCHEMA pt621 OWNER TO %I.', role_name);
    END IF;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA pt621 TO %I', role_name);

    PERFORM @extschema@.pt621_ready();

    -- Members would lose users' triggers and indexes in pg_dump, and their rows
    -- in DROP EXTENSION.
    FOR member IN
        SELECT o.type, o.identity
          FROM pg_depend d,
               LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o
         WHERE d.refclassid = 'pg_extension'::regclass
           AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621')
           AND d.deptype = 'e'
           AND (o.schema = 'pt621' OR (o.type = 'schema' AND o.name = 'pt621'))
           AND o.type IN ('schema', 'table', 'view', 'sequence')
    LOOP
        EXECUTE format('ALTER EXTENSION pt621 DROP %s %s', member.type, member.identity);
    END LOOP;
END
$$;
