-- 70-store.sql: from bytes to rows of the tables.

-- The batch functions show the batch that their own session is storing, and
-- nothing to anyone else.
DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_batch_positions(
            fresh boolean,
            OUT device_id integer, OUT fix_time timestamptz, OUT code text, OUT digest bigint,
            OUT received_at timestamptz, OUT frame_seq bigint, OUT geom %1$I.geometry,
            OUT valid boolean, OUT stored boolean, OUT speed_kmh real, OUT course real,
            OUT inputs varbit, OUT outputs varbit, OUT ignition boolean, OUT adc integer[],
            OUT odometer_m bigint, OUT driver text, OUT battery smallint, OUT gsm smallint,
            OUT satellites smallint, OUT gsb text, OUT spec text, OUT quality integer)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_batch_positions'
        LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 1000
        $function$, postgis);

    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_batch_states(
            OUT device_id integer, OUT fix_time timestamptz, OUT fix_code text, OUT fix_digest bigint,
            OUT geom %1$I.geometry, OUT speed_kmh real, OUT course real, OUT newest_time timestamptz,
            OUT ignition boolean, OUT ignition_time timestamptz, OUT driver text, OUT driver_time timestamptz,
            OUT bases bytea[], OUT last_seen timestamptz, OUT last_conn bigint, OUT last_transport text,
            OUT last_peer inet, OUT last_peer_port integer, OUT bound_conn bigint, OUT conflicts bigint,
            OUT conflict_at timestamptz, OUT conflict_conn bigint, OUT conflict_with bigint,
            OUT conflict_peer inet, OUT conflict_peer_port integer, OUT detectors bytea)
        RETURNS SETOF record
        AS 'MODULE_PATHNAME', 'pt621_batch_states'
        LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 1000
        $function$, postgis);
END
$$;

CREATE FUNCTION @extschema@.pt621_batch_frames(
    late boolean,
    OUT received_at timestamptz, OUT seq bigint, OUT ident text, OUT device_id integer,
    OUT transport text, OUT peer inet, OUT peer_port integer, OUT conn bigint,
    OUT bytes bytea, OUT record bytea, OUT error text, OUT decoder text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_batch_frames'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1 ROWS 1000;

COMMENT ON FUNCTION @extschema@.pt621_batch_frames(boolean) IS
'internal: units of the batch being stored; argument: those archived before whose device or base came late';
COMMENT ON FUNCTION @extschema@.pt621_batch_positions(boolean) IS
'internal: records of the batch being stored; argument: those newer than all that is known of their tracker';
COMMENT ON FUNCTION @extschema@.pt621_batch_states() IS
'internal: what the batch being stored makes of device_state';

-- Under a path of the caller's, the operators of our own statements and all
-- that users' triggers do not name in full would be the caller's to choose, and
-- run as the owner of the tables.
CREATE FUNCTION @extschema@.pt621_ingest(
    frame bytea, transport text DEFAULT 'sql', peer inet DEFAULT NULL,
    peer_port integer DEFAULT NULL, received_at timestamptz DEFAULT now())
RETURNS integer
AS 'MODULE_PATHNAME', 'pt621_ingest'
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER COST 10000
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION @extschema@.pt621_ingest(bytea, text, inet, integer, timestamptz) IS
'stores a byte stream or datagram as if the listener had received it at received_at; returns how many positions were new; NULL bytes store nothing';

CREATE FUNCTION @extschema@.pt621_ingest_reads(
    reads bytea[], transport text DEFAULT 'sql', peer inet DEFAULT NULL,
    peer_port integer DEFAULT NULL, received_at timestamptz DEFAULT now())
RETURNS integer
AS 'MODULE_PATHNAME', 'pt621_ingest_reads'
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER COST 10000
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION @extschema@.pt621_ingest_reads(bytea[], text, inet, integer, timestamptz) IS
'stores the reads of one connection: as pt621_ingest() of the elements joined; NULL elements are skipped';
