-- 60-ready.sql: when the port may open.

CREATE FUNCTION @extschema@.pt621_installation()
RETURNS text
AS 'MODULE_PATHNAME', 'pt621_installation'
LANGUAGE C STABLE PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_installation() IS
'internal: names this cluster, database and installation of the extension; a copy by pg_dump or CREATE DATABASE has another name, one of the whole cluster has not';

CREATE FUNCTION @extschema@.pt621_closed_reason()
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    state  record;
    owner  record;
    broken text;
BEGIN
    SELECT string_agg(t.name, ', ' ORDER BY t.name) INTO broken
      FROM unnest(ARRAY['calibration', 'command', 'command_log', 'conn_seq', 'detection', 'device', 'device_link', 'device_secret', 'device_state', 'device_version', 'driver',
                        'event', 'frame', 'frame_seq', 'geofence', 'geofence_revision_seq', 'geofence_stamp', 'geofence_version',
                        'geofence_visit', 'input', 'layout', 'maintenance_plan', 'maintenance_record', 'outbox', 'photo', 'photo_piece', 'position',
                        'presence_last', 'presence_log', 'sensor_alarm', 'sensor_change', 'track_piece']) t (name)
     WHERE to_regclass('pt621.' || t.name) IS NULL;
    IF broken IS NOT NULL THEN
        RETURN format('missing in schema pt621: %s; after a restore: SELECT pt621_ready()', broken);
    END IF;
    SELECT r.rolname, r.rolsuper INTO owner
      FROM pg_class c
      JOIN pg_roles r ON r.oid = c.relowner
     WHERE c.oid = 'pt621.position'::regclass;
    IF owner.rolname <> current_user THEN
        RETURN format('pt621.position belongs to role %s, not to %s', owner.rolname, current_user);
    END IF;
    IF owner.rolsuper THEN
        RETURN format('role %s is a superuser, so triggers on the tables would be', owner.rolname);
    END IF;
    SELECT l.version, l.ready_for INTO state FROM pt621.layout l;
    IF state.version IS DISTINCT FROM @extschema@.pt621_layout_made() THEN
        RETURN format('the tables have layout %s, this version of pt621 needs %s: SELECT pt621_ready()', coalesce(state.version::text, 'none'),
                      @extschema@.pt621_layout_made());
    END IF;
    IF state.ready_for IS DISTINCT FROM @extschema@.pt621_installation() THEN
        RETURN 'the tables were restored or copied and not declared complete: SELECT pt621_ready()';
    END IF;
    SELECT string_agg(t.name, ', ' ORDER BY t.name) INTO broken
      FROM unnest(ARRAY['command', 'detection', 'device', 'device_state', 'event', 'frame', 'geofence', 'geofence_version',
                        'geofence_visit', 'photo', 'photo_piece', 'position', 'track_piece']) t (name)
     WHERE NOT EXISTS (SELECT FROM pg_index i
                        WHERE i.indrelid = ('pt621.' || t.name)::regclass AND i.indisprimary AND i.indisvalid);
    IF broken IS NOT NULL THEN
        RETURN format('without a valid primary key in schema pt621: %s', broken);
    END IF;
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_closed_reason() IS
'why the port is kept closed in this database, or NULL: tables missing, restored but not declared complete, of another layout or owner, or without primary keys';

CREATE FUNCTION @extschema@.pt621_ready()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before text[] := @extschema@.pt621_put_off();
    reason text;
BEGIN
    PERFORM @extschema@.pt621_create_tables();
    -- What was ordered of another database, or of this one long ago, is not sent.
    IF (SELECT l.ready_for IS DISTINCT FROM @extschema@.pt621_installation() FROM pt621.layout l) THEN
        UPDATE pt621.command c
           SET state = CASE c.state WHEN 'sending' THEN 'failed' WHEN 'queued' THEN 'cancelled' ELSE c.state END,
               in_doubt = c.in_doubt + (c.state = 'sending')::integer,
               max_attempts = greatest(c.attempts, 1),
               reason = 'the database was restored or copied, or the extension made anew'
         WHERE c.state IN ('queued', 'sending') OR c.state = 'sent' AND c.attempts < c.max_attempts;
    END IF;
    UPDATE pt621.layout SET ready_for = @extschema@.pt621_installation();
    reason := @extschema@.pt621_closed_reason();
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION 'pt621 is not ready: %', reason
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_ready() IS
'declares a restore complete: makes what is absent, brings default triggers back, checks primary keys, and lets the port open; harmless at any other time';
