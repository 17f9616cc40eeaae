-- 52-events.sql: visits and events, from the detectors to the tables.

-- The derived functions show what their own session is deriving, and nothing to
-- anyone else.
DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_derived_events(
            what text,
            OUT device_id integer, OUT kind text, OUT code text, OUT at timestamptz, OUT until timestamptz,
            OUT geofence_id integer, OUT object text, OUT geom %1$I.geometry, OUT detail jsonb,
            OUT confirmed_at timestamptz)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_derived_events'
        LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 10
        $function$, postgis);
END
$$;
COMMENT ON FUNCTION @extschema@.pt621_derived_events(text) IS
'internal: events being derived; argument: insert, update or supersede';

CREATE FUNCTION @extschema@.pt621_derived_visits(
    what text,
    OUT device_id integer, OUT geofence_id integer, OUT enter_at timestamptz, OUT exit_at timestamptz,
    OUT enter_unknown boolean, OUT exit_unknown boolean, OUT interpolated boolean, OUT passed boolean,
    OUT uncertainty_s double precision, OUT seconds double precision, OUT metres double precision,
    OUT top_speed_kmh real, OUT driver text, OUT confirmed_at timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_derived_visits'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 10;
COMMENT ON FUNCTION @extschema@.pt621_derived_visits(text) IS
'internal: visits being derived; argument: insert, update or supersede';

CREATE FUNCTION @extschema@.pt621_derived_pieces(
    OUT device_id integer, OUT until timestamptz, OUT since timestamptz, OUT fixes integer,
    OUT extent box, OUT top_speed_kmh real, OUT detectors bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_derived_pieces'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 100;
COMMENT ON FUNCTION @extschema@.pt621_derived_pieces() IS
'internal: pieces of tracks that were finished while deriving';

CREATE FUNCTION @extschema@.pt621_event_kinds()
RETURNS text[]
AS 'MODULE_PATHNAME', 'pt621_event_kinds'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_event_kinds() IS
'internal: the kinds of events that follow from positions; any other in pt621.event are the users''';

CREATE FUNCTION @extschema@.pt621_ignition_since(detectors bytea)
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'pt621_ignition_since'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_ignition_since(bytea) IS
'internal: time of a tracker''s first record with ignition on, by device_state.detectors; infinity = there was none yet, NULL = this is no state';

CREATE FUNCTION @extschema@.pt621_detect(devices integer[], lows timestamptz[], highs timestamptz[])
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_detect'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION @extschema@.pt621_detect(integer[], timestamptz[], timestamptz[]) IS
'internal: derives visits and events of these trackers, whose states are locked, in these periods (arrays in step, in order of tracker and time)';

CREATE FUNCTION @extschema@.pt621_replay_events(devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before text[] := @extschema@.pt621_put_off();
    span   tstzrange := coalesce(period, tstzrange(NULL, NULL));
    wanted integer[] := ARRAY(SELECT d.id FROM pt621.device d
                               WHERE devices IS NULL OR d.id = ANY (devices)
                               ORDER BY d.id);
BEGIN
    IF isempty(span) OR cardinality(wanted) = 0 THEN
        RETURN 0;
    END IF;
    -- What was stored before there were detectors is derived now.
    DELETE FROM pt621.track_piece p
     WHERE p.device_id = ANY (wanted)
       AND length(p.detectors) = 0
       AND (lower_inf(span) OR p.until >= lower(span));
    PERFORM @extschema@.pt621_derive(wanted, array_fill(span, ARRAY[cardinality(wanted)]));
    PERFORM @extschema@.pt621_fire_deferred(before);
    PERFORM @extschema@.pt621_restore_settings();
    RETURN cardinality(wanted);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_replay_events(integer[], tstzrange) IS
'derives visits and events anew from the stored positions, with the fences and options of their time; arguments: ids of trackers and the period, NULL = all; rows that say the same stay, others are superseded; returns how many trackers; their states stay locked until the end of the transaction';

CREATE FUNCTION @extschema@.pt621_is_stale(detectors bytea, newest_time timestamptz, fleet_since timestamptz, options_since timestamptz)
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_is_stale'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10;
COMMENT ON FUNCTION @extschema@.pt621_is_stale(bytea, timestamptz, timestamptz, timestamptz) IS
'internal: whether fences or options may be others than this state of the detectors knows; arguments: time of its last record, since when the options of fleet and tracker hold, NULL = always';

CREATE FUNCTION @extschema@.pt621_settle_geofences(most integer DEFAULT 50)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before  text[] := @extschema@.pt621_put_off();
    devices integer[];
    periods tstzrange[];
BEGIN
    -- A batch that did not see yet what had been changed; a fence that has ended
    -- with somebody in it.  Since when is found where it is derived.  Trackers
    -- that were deleted would come up for ever.
    SELECT array_agg(t.device_id), array_agg(tstzrange('infinity', NULL)) INTO devices, periods
      FROM ((SELECT s.device_id
               FROM pt621.device_state s
               JOIN pt621.device d ON d.id = s.device_id
              WHERE @extschema@.pt621_is_stale(s.detectors, s.newest_time,
                                               (SELECT max(f.valid_from) FROM pt621.detection f WHERE f.valid_from <= now()),
                                               d.options_since)
              LIMIT most)
            UNION
            (SELECT v.device_id
               FROM pt621.geofence_visit v
              WHERE v.superseded_at IS NULL AND v.exit_at IS NULL
                AND NOT EXISTS (SELECT FROM pt621.geofence_version g
                                 WHERE g.geofence_id = v.geofence_id
                                   AND (upper_inf(g.valid) OR upper(g.valid) > now()))
                AND EXISTS (SELECT FROM pt621.device d WHERE d.id = v.device_id)
              LIMIT most)
            ORDER BY device_id
            LIMIT most) t;
    IF devices IS NOT NULL THEN
        PERFORM @extschema@.pt621_derive(devices, periods);
        PERFORM @extschema@.pt621_fire_deferred(before);
        PERFORM @extschema@.pt621_restore_settings();
    END IF;
    RETURN coalesce(cardinality(devices), 0);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_settle_geofences(integer) IS
'looks after trackers whose fences were changed while they reported, and closes visits to fences that have ended; argument: how many trackers at most; returns how many; a worker calls it';

CREATE FUNCTION @extschema@.pt621_forget_pieces()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
-- By the index: the table may be large, and most of it is to stay.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $function$
DECLARE
    horizon timestamptz := now() - @extschema@.pt621_retention('position');
BEGIN
    IF horizon IS NOT NULL THEN
        DELETE FROM pt621.track_piece p
         USING pt621.device d
         WHERE p.device_id = d.id AND p.until < horizon
           -- What comes late just after it begins with the last one before.
           AND EXISTS (SELECT FROM pt621.track_piece n WHERE n.device_id = p.device_id AND n.until > p.until AND n.until < horizon);
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_forget_pieces() IS
'internal: deletes what is kept of tracks older than pt621.retention_positions';
