-- 80-workers.sql: the workers, seen from SQL.

CREATE FUNCTION @extschema@.pt621_stat_worker(
    OUT pid integer, OUT worker text, OUT number integer, OUT state text, OUT reason text,
    OUT since timestamptz, OUT port integer, OUT connections integer,
    OUT bytes bigint, OUT units bigint, OUT rejected bigint, OUT positions bigint,
    OUT duplicates bigint, OUT batches bigint, OUT retries bigint,
    OUT datagrams_dropped bigint, OUT accept_failures bigint, OUT connections_opened bigint,
    OUT conflicts bigint, OUT throttled bigint, OUT not_archived bigint,
    OUT units_by_kind jsonb, OUT rejected_by_reason jsonb, OUT closed_by_reason jsonb,
    OUT foreign_by_protocol jsonb, OUT commit_latency bigint[], OUT last_batch timestamptz,
    OUT last_error text, OUT last_sqlstate text, OUT last_error_at timestamptz,
    OUT counted_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_stat_worker'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10 ROWS 3;
COMMENT ON FUNCTION @extschema@.pt621_stat_worker() IS
'the workers of this cluster: state (starting, closed, open, paused, draining) and the reason for it, the port, and counters since the worker started or pt621_stat_reset(); commit_latency: transactions that took less than 1, 2, 4, ... 32768 ms, and longer; no row in a server that does not preload pt621';

CREATE FUNCTION @extschema@.pt621_stat_connection(
    OUT conn bigint, OUT worker integer, OUT transport text, OUT peer inet,
    OUT peer_port integer, OUT ident text, OUT since timestamptz, OUT last_seen timestamptz,
    OUT bytes bigint, OUT units bigint, OUT rejected bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_stat_connection'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 1000;
COMMENT ON FUNCTION @extschema@.pt621_stat_connection() IS
'the TCP connections that are open and the UDP paths that are remembered: number (as frame.conn), number of the listener, peer, tracker named last, and counters; no rows in a server without the workers';

CREATE FUNCTION @extschema@.pt621_stat_reset()
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_stat_reset'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10;
COMMENT ON FUNCTION @extschema@.pt621_stat_reset() IS
'sets the counters of pt621_stat_worker() to 0 and forgets the last error; pt621_stat_connection() keeps its counters';

CREATE FUNCTION @extschema@.pt621_tail(ident text DEFAULT NULL, duration interval DEFAULT '10 minutes')
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'pt621_tail'
LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 10;
COMMENT ON FUNCTION @extschema@.pt621_tail(text, interval) IS
'shows what one tracker sends, live: NOTIFY pt621_frame with a JSON object for each unit, for the duration (at most 24 hours); one tracker at a time in the whole server; NULL ends it; returns until when';

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
