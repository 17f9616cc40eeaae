-- commands.sql: commands to bytes.
--
-- Where a query lists what is wrong, no row means that all is well.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;

-- A command as text; what is wrong with it, where it is refused.
CREATE FUNCTION pg_temp.encode(kind text, argument text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint   text;
BEGIN
    RETURN encode(pt621_encode_command(kind, argument), 'escape');
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', SQLERRM, nullif(detail, ''), left(hint, 50));
END
$$;

SELECT * FROM pt621_command_kinds();

-- ------------------------------------------------------------------ each kind --

CREATE TEMP TABLE used AS
SELECT c.kind, c.argument
  FROM (VALUES ('engine_cut', NULL), ('engine_cut', ''), ('engine_cut', '2'), ('engine_restore', NULL), ('engine_restore', '9'),
               ('output', '3,on'), ('output', '3,off'), ('output', '1,1'), ('output', '9,0'),
               ('reboot', NULL), ('reboot', 'all'), ('reboot', 'gps'), ('reboot', 'gsm'), ('photo', NULL),
               ('overspeed_limit', '0'), ('overspeed_limit', '999'), ('interval', '1'), ('interval', '86400'),
               ('time_zone', '-12'), ('time_zone', '+5'), ('time_zone', '14'),
               ('position', NULL), ('version', NULL), ('imei', NULL), ('voltage', NULL),
               ('power_cut_alarm', 'on'), ('power_cut_alarm', 'off'),
               ('alarm', 'IN1,1'), ('alarm', 'SPD,01015'),
               ('text', 'SLP300'), ('text', $$AN1'#OPC1,1,',10,'#OPC1,0'$$)) AS c (kind, argument);
SELECT kind, argument, pg_temp.encode(kind, argument) FROM used;
-- Every kind above, and no other.
SELECT coalesce(k.kind, u.kind) AS kind
  FROM pt621_command_kinds() k
  FULL JOIN used u ON u.kind = k.kind
 WHERE k.kind IS NULL OR u.kind IS NULL;

-- -------------------------------------------------------------------- refused --

SELECT kind, argument, pg_temp.encode(kind, argument)
  FROM (VALUES ('engine_cut', '0'), ('output', '10,on'), ('output', '1'), ('reboot', 'ALL'), ('photo', '1'),
               ('overspeed_limit', '1000'), ('overspeed_limit', '-1'), ('overspeed_limit', NULL), ('interval', '0'),
               ('interval', '86401'), ('time_zone', '15'), ('time_zone', '-13'), ('time_zone', '5.5'),
               ('power_cut_alarm', 'yes'), ('alarm', 'IN9,1'), ('alarm', 'IN1,2'), ('alarm', 'IN111'), ('alarm', 'IN1,11,SPD,1'),
               ('text', NULL), ('text', ''), ('text', 'PHD0,960'), ('text', '#VER'), ('text', 'VER#OPC1,1'), ('text', 'naïve'),
               ('Photo', NULL), ('', NULL)) AS c (kind, argument);
SELECT pg_temp.encode('text', E'VER\r\n#OPC1,1') AS "a line end",
       pg_temp.encode('text', repeat('x', 161)) AS "too long";
SELECT octet_length(pt621_encode_command('text', repeat('x', 160))) AS "163 bytes";
SELECT pt621_encode_command('no such kind');
SELECT pt621_encode_command('interval', '0');
SELECT pt621_encode_command('text', 'a#b');
SELECT pt621_encode_command(NULL) IS NULL AS "null", pt621_encode_command(NULL, '1') IS NULL AS "null, too",
       pt621_encode_command('version') AS "as sent";

-- Whatever is printable: refused, or one line with a '#' in front and nowhere else.
SELECT a.argument
  FROM (SELECT 'x' || chr(i) || 'y' FROM generate_series(1, 255) i) AS a (argument)
 WHERE (a.argument !~ '^[ -"$-~]*$') <> (pg_temp.encode('text', a.argument) LIKE 'invalid argument%')
    OR (a.argument ~ '^[ -"$-~]*$' AND pg_temp.encode('text', a.argument) <> replace('#' || a.argument || E'\r\n', '\', '\\'));

-- ---------------------------------------------------------- outputs, answers --

SELECT wire, output, pt621_command_may_switch(wire, output)
  FROM (VALUES ('OPC1,1', 1), ('OPC1,1', 2), ('OPC1,1', 0), ('OPC1,0', 1), ('OPC1,0', 0), (E'#opc1,1\r\n', 1), ('OPC11,1', 1),
               ('OPC2,1,OPC1,1', 1), ('OPC0,1', 1), ('000000OPC1,1', 1), ('VER', 1), ($$AN1'#OPC1,1,',10,'#OPC1,0'$$, 1)) AS c (wire, output);
SELECT pt621_command_may_switch('OPC1,1', -1);
SELECT wire, line, pt621_command_answered(wire, line)
  FROM (VALUES ('VER', 'VER:502-V1.3'), ('VER', 'never'), ('OPC1,1', 'opc1,1 ok'), (E'#PTI300\r\n', 'SET PTI OK'), ('PTI300', 'SET OK'),
               ('SALIN11', 'SALIN11'), ('SALIN11', 'SALUTE')) AS c (wire, line);
SELECT pt621_command_may_switch(NULL, 1), pt621_command_may_switch('x', NULL), pt621_command_answered(NULL, 'x'), pt621_command_answered('x', NULL);

-- Everybody may ask.
CREATE ROLE regress_pt621_commands;
SET ROLE regress_pt621_commands;
SELECT pt621_encode_command('photo'), (SELECT count(*) FROM pt621_command_kinds()),
       pt621_command_may_switch('VER', 1), pt621_command_answered('VER', 'VER');
RESET ROLE;
DROP ROLE regress_pt621_commands;

-- --------------------------------------------------- columns of users' own --

-- Whatever they are, what is queued can be cancelled, and nothing else be done to it.
\set SHOW_CONTEXT never
TRUNCATE pt621.device, pt621.device_version, pt621.command, pt621.command_log RESTART IDENTITY;
INSERT INTO pt621.device (id, ident) VALUES (1, '1001');
ALTER TABLE pt621.command ADD COLUMN later timestamptz GENERATED ALWAYS AS (requested_at) STORED, ADD COLUMN ticket json DEFAULT '{"n": 1}';
CREATE ROLE regress_pt621_commands;
GRANT USAGE ON SCHEMA pt621 TO regress_pt621_commands;
GRANT SELECT ON pt621.device, pt621.command TO regress_pt621_commands;
GRANT INSERT (device_id, kind, argument, not_before, expires_at, max_attempts, force, when_slow, note, ticket), UPDATE (state, ticket) ON pt621.command TO regress_pt621_commands;
GRANT EXECUTE ON FUNCTION pt621_send, pt621_cancel, pt621_may_send_photo TO regress_pt621_commands;
SET ROLE regress_pt621_commands;
SELECT pt621_send(1, 'photo') AS id \gset
UPDATE pt621.command SET state = 'cancelled', ticket = '{"n": 2}' WHERE id = :id;
SELECT pt621_cancel(:id), pt621_cancel(:id) AS again;
SELECT state, cancelled_by, later = requested_at AS generated, ticket FROM pt621.command;
RESET ROLE;
ALTER TABLE pt621.command DROP COLUMN later, DROP COLUMN ticket;
DROP OWNED BY regress_pt621_commands;
DROP ROLE regress_pt621_commands;
TRUNCATE pt621.device, pt621.device_version, pt621.command, pt621.command_log;

-- A line that repeats a command says more than one that names it.
SELECT wire, line, pt621_command_answered(wire, line)
  FROM (VALUES ('OPC1,1', 'OPC1,0 OK'), ('OPC1,0', 'OPC1,0 OK'), ('OPC1,1', 'OPC1,10'), ('RST', 'RST1 OK'), ('RST1', 'RST1 OK')) AS c (wire, line);
