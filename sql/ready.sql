-- ready.sql: when the port may open, what pt621_ready() heals, and who may do
-- what.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
\set VERBOSITY terse
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;

-- What there is in the schema, as the catalog has it.
CREATE VIEW pg_temp.object AS
SELECT 'relation' AS kind, c.relname::text AS name, c.oid, c.relowner::regrole::text AS owner FROM pg_class c WHERE c.relnamespace = 'pt621'::regnamespace
 UNION ALL
SELECT 'trigger', t.tgname, t.oid, NULL FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'pt621'::regnamespace
 UNION ALL
SELECT 'constraint', k.conname, k.oid, NULL FROM pg_constraint k WHERE k.connamespace = 'pt621'::regnamespace
 UNION ALL
SELECT 'default', c.relname || '.' || a.adnum, a.oid, NULL FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid WHERE c.relnamespace = 'pt621'::regnamespace;

-- ------------------------------------------------------------------- as installed --

SELECT pt621_closed_reason() IS NULL AS open;
SELECT l.version, l.ready_for = pt621_installation() AS ready_for FROM pt621.layout l;
-- Which cluster, which database, which installation of the extension.
SELECT pt621_installation() = format('%s/%s/%s', s.system_identifier, d.oid, e.oid) AS installation
  FROM pg_control_system() s, pg_database d, pg_extension e
 WHERE d.datname = current_database() AND e.extname = 'pt621';
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
       (SELECT a.rolpassword IS NULL FROM pg_authid a WHERE a.oid = r.oid) AS no_password
  FROM pg_roles r WHERE r.rolname = 'pt621';
-- All of it belongs to that role, and none of it to the extension.
SELECT kind, name, owner FROM pg_temp.object WHERE owner <> 'pt621';
SELECT n.nspowner::regrole FROM pg_namespace n WHERE n.nspname = 'pt621';
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS member
  FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621') AND (o.schema = 'pt621' OR o.name = 'pt621');

-- ---------------------------------------------------------------------- idempotent --

SELECT pt621_maintain() >= 0 AS maintained;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.object;
SELECT pt621_create_tables(), pt621_ready(), pt621_create_tables();
SELECT kind, name FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.object) AS lost;
SELECT kind, name FROM (SELECT * FROM pg_temp.object EXCEPT SELECT * FROM before) AS new;
SELECT count(*) FROM pt621.layout;

-- --------------------------------------------------- what is missing, and comes back --

-- Each time in a transaction that is rolled back: the reason, what pt621_ready()
-- makes of it, and that what is left of the data is left alone.
INSERT INTO pt621.device (id, ident) VALUES (940001, 'kept');
CREATE FUNCTION pg_temp.lose(command text) RETURNS TABLE (reason text, healed boolean, same boolean, devices bigint, stored integer)
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        SET LOCAL client_min_messages = warning;
        EXECUTE command;
        reason := pt621_closed_reason();
        PERFORM pt621_ready();
        healed := pt621_closed_reason() IS NULL;
        -- by name: what was made again has other numbers
        same := NOT EXISTS (SELECT kind, name, owner FROM before EXCEPT ALL SELECT kind, name, owner FROM pg_temp.object)
                AND NOT EXISTS (SELECT kind, name, owner FROM pg_temp.object EXCEPT ALL SELECT kind, name, owner FROM before);
        SELECT count(*) INTO devices FROM pt621.device;
        stored := pt621_ingest(convert_to(E'$POS,1,120000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,010325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                               received_at => '2025-03-01 12:00:05+00');
        RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
        RETURN NEXT;
    END;
END
$$;
SELECT c.command, l.*
  FROM unnest(ARRAY['SELECT 1', 'DROP TABLE pt621.frame', 'DROP TABLE pt621.position CASCADE', 'DROP TABLE pt621.device CASCADE',
                    'DROP TABLE pt621.device_state CASCADE', 'DROP TABLE pt621.layout', 'DROP SEQUENCE pt621.conn_seq', 'DROP SEQUENCE pt621.frame_seq CASCADE',
                    'DROP TABLE pt621.frame, pt621.position, pt621.device, pt621.device_state, pt621.layout CASCADE; DROP SEQUENCE pt621.frame_seq, pt621.conn_seq',
                    'TRUNCATE pt621.layout', 'UPDATE pt621.layout SET version = 0',
                    'DROP TABLE pt621.frame_default', 'DROP VIEW pt621.track', 'DROP VIEW pt621.last_position',
                    'DROP TRIGGER pt621_derive_insert ON pt621.position', 'DROP TRIGGER pt621_derive_update ON pt621.position; DROP TRIGGER pt621_derive_delete ON pt621.position'])
       WITH ORDINALITY AS c (command, n),
       LATERAL pg_temp.lose(c.command) AS l
 ORDER BY c.n;
-- A restored or copied database is another installation, until it is declared
-- complete.
UPDATE pt621.layout SET ready_for = '1/2/3';
SELECT pt621_closed_reason();
UPDATE pt621.layout SET ready_for = NULL;
SELECT pt621_closed_reason();
SELECT pt621_ready();
SELECT pt621_closed_reason() IS NULL AS open;
-- What pt621_ready() cannot heal it says, and the port stays closed.
UPDATE pt621.layout SET version = 6;
SELECT pt621_closed_reason();
SELECT pt621_create_tables();
SELECT pt621_ready();
UPDATE pt621.layout SET version = 5;
-- States of layout 3 are of no use: the detectors begin anew.
BEGIN;
SELECT pt621_ingest(convert_to(E'$POS,3,120000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,010325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-01 12:00:05+00');
UPDATE pt621.layout SET version = 3;
SELECT pt621_ready();
SELECT length(s.detectors) AS state, p.until, p.fixes, length(p.detectors) AS piece, l.version
  FROM pt621.layout l, pt621.device_state s
  JOIN pt621.device d ON d.id = s.device_id
  JOIN pt621.track_piece p ON p.device_id = d.id
 WHERE d.ident = '3';
ROLLBACK;
-- Tables of layout 1 have neither these columns nor this view.
BEGIN;
SELECT pt621_ingest(convert_to(E'$POS,2,120000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,010325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-01 12:00:05+00');
CREATE TEMP TABLE columns ON COMMIT DROP AS
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS "not null", pg_get_expr(d.adbin, d.adrelid) AS "default", col_description(a.attrelid, a.attnum) AS comment
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = 'pt621.device_state'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
CREATE TEMP TABLE state ON COMMIT DROP AS SELECT * FROM pt621.device_state;
DROP VIEW pt621.presence;
ALTER TABLE pt621.device_state
    DROP COLUMN report_interval, DROP COLUMN bound_conn, DROP COLUMN conflicts, DROP COLUMN conflict_at,
    DROP COLUMN conflict_conn, DROP COLUMN conflict_with, DROP COLUMN conflict_peer, DROP COLUMN conflict_peer_port, DROP COLUMN detectors;
UPDATE pt621.layout SET version = 1;
SELECT pt621_closed_reason();
SELECT pt621_ready();
SELECT pt621_closed_reason() IS NULL AS open, l.version FROM pt621.layout l;
-- All is as in a new database, and what was there is there.
SELECT name, type, "not null", "default", comment IS NULL AS "no comment" FROM columns
EXCEPT
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum) IS NULL
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = 'pt621.device_state'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
SELECT count(*) FROM (SELECT to_jsonb(s) - 'detectors' FROM state s EXCEPT SELECT to_jsonb(d) - 'detectors' FROM pt621.device_state d) AS lost;
SELECT s.fix_time, s.last_transport, s.conflicts FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id WHERE d.ident = '2';
SELECT p.ident, p.state, p.reason FROM pt621.presence p WHERE p.ident = '2';
-- Columns that are there already are left alone.
DROP VIEW pt621.presence;
ALTER TABLE pt621.device_state DROP COLUMN conflict_peer;
UPDATE pt621.layout SET version = 1;
SELECT pt621_ready();
SELECT pt621_closed_reason() IS NULL AS open;
SELECT pt621_ingest(convert_to(E'$POS,2,120100.000,A,2230.0000,N,11400.0000,E,1.0,90.0,010325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-01 12:01:05+00');
ROLLBACK;
BEGIN;
ALTER TABLE pt621.position DROP CONSTRAINT position_pkey;
SELECT pt621_closed_reason();
SELECT pt621_ready();
ROLLBACK;
BEGIN;
CREATE ROLE regress_pt621_other;
GRANT CREATE ON SCHEMA pt621 TO regress_pt621_other;
ALTER TABLE pt621.position OWNER TO regress_pt621_other;
SELECT pt621_closed_reason();
SELECT pt621_ready();
ROLLBACK;
BEGIN;
ALTER ROLE pt621 SUPERUSER;
SELECT pt621_closed_reason();
SELECT pt621_ready();
ROLLBACK;
SELECT pt621_closed_reason() IS NULL AS open;

-- ---------------------------------------------------------------------- who may what --

-- Everybody may decode, nothing else.
SELECT p.proname AS "for everybody"
  FROM pg_depend d
  JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621')
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
 ORDER BY p.proname COLLATE "C";
-- Members of the role can alter what it owns: only what runs with its rights.
SELECT p.oid::regprocedure AS "owned by the wrong one"
  FROM pg_depend d
  JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621') AND (p.proowner = 'pt621'::regrole) <> p.prosecdef;
-- And what runs as that role settles where it looks.
SELECT p.proname AS "definer without a path"
  FROM pg_depend d
  JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621') AND p.prosecdef
   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
 ORDER BY p.proname COLLATE "C";

CREATE ROLE regress_pt621_plain;
SET ROLE regress_pt621_plain;
SELECT count(*) FROM pt621_decode('x');
SELECT count(*) FROM pt621_decode_reads('{x}');
SELECT count(*) FROM pt621_decode_datagrams('{x}');
SELECT pt621_event('IN1'), pt621_quality(1);
SELECT pt621_storing();
SELECT pt621_ingest('x');
SELECT pt621_ingest_reads('{x}');
SELECT pt621_derive('{}', '{}');
SELECT pt621_create_tables();
SELECT pt621_ready();
SELECT pt621_closed_reason();
SELECT pt621_maintain();
SELECT pt621_pause();
SELECT pt621_resume();
SELECT * FROM pt621_stat_worker();
SELECT * FROM pt621_batch_frames(false);
SELECT * FROM pt621.device;
SELECT * FROM pt621.last_position;
RESET ROLE;

-- A fleet administrator is a member of the role, and may do all that it may.
CREATE ROLE regress_pt621_admin IN ROLE pt621;
SET ROLE regress_pt621_admin;
SELECT pt621_ingest(convert_to(E'$POS,1,120000.000,A,2230.0000,N,11400.0000,E,1.0,90.0,010325,,,A/00000,0/0/1//f73//\r\n', 'SQL_ASCII'),
                    received_at => '2025-03-01 12:00:05+00');
SELECT pt621_derive('{}', '{}'), pt621_create_tables(), pt621_ready(), pt621_closed_reason() IS NULL AS open, pt621_maintain() >= 0 AS maintained;
SELECT count(*) >= 0 AS workers FROM pt621_stat_worker();
SELECT l.ident FROM pt621.last_position l;
UPDATE pt621.device SET name = 'van' WHERE ident = '1';
RESET ROLE;
SELECT has_function_privilege('regress_pt621_admin', 'pt621_pause()', 'EXECUTE') AS pause,
       has_function_privilege('regress_pt621_admin', 'pt621_resume()', 'EXECUTE') AS resume,
       has_function_privilege('pg_read_all_stats', 'pt621_stat_worker()', 'EXECUTE') AS stats;

-- The functions that show a batch show none when none is being stored, whoever
-- asks; and none but the run's own statements are shown it.
SELECT * FROM pt621_batch_frames(false);
SELECT * FROM pt621_batch_positions(true);
SELECT * FROM pt621_batch_states();
SELECT pt621_storing();

DROP ROLE regress_pt621_plain;
DROP ROLE regress_pt621_admin;
TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position;
