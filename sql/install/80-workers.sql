-- 80-workers.sql: the workers, seen from SQL.

CREATE FUNCTION @extschema@.pt621_stat_worker(
    OUT pid integer, OUT worker text, OUT state text, OUT reason text,
    OUT since timestamptz, OUT port integer, OUT connections integer,
    OUT bytes bigint, OUT units bigint, OUT rejected bigint, OUT positions bigint,
    OUT duplicates bigint, OUT batches bigint, OUT retries bigint,
    OUT datagrams_dropped bigint, OUT last_batch timestamptz,
    OUT last_error text, OUT last_error_at timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_stat_worker'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10 ROWS 2;
COMMENT ON FUNCTION @extschema@.pt621_stat_worker() IS
'the workers of this cluster: state (starting, closed, open, paused, draining) and the reason for it, the port, and counters since the worker started';

CREATE FUNCTION @extschema@.pt621_pause()
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_pause'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_pause() IS
'closes the port and disconnects the workers from their database, until pt621_resume() or a restart: for a plain DROP, ALTER ... RENAME or template copy of it; waits up to 10 s, true when they are gone';

CREATE FUNCTION @extschema@.pt621_resume()
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_resume'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_resume() IS
'lets the workers start again after pt621_pause()';
