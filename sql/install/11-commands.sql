-- 11-commands.sql: commands to bytes, without any table.

CREATE FUNCTION @extschema@.pt621_encode_command(kind text, argument text DEFAULT NULL)
RETURNS bytea
AS 'MODULE_PATHNAME', 'pt621_encode_command'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_encode_command(text, text) IS
'the bytes of a command to a tracker, with # and CR LF; NULL for a NULL kind; an error when the kind is unknown or the argument is not what it takes, as pt621_command_kinds() says (km/h, seconds, hours, numbers of outputs)';

CREATE FUNCTION @extschema@.pt621_command_kinds(OUT kind text, OUT argument text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pt621_command_kinds'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1 ROWS 15;
COMMENT ON FUNCTION @extschema@.pt621_command_kinds() IS
'the kinds of commands, and what pt621_encode_command() takes as the argument of each, with units and ranges; an order takes the same, but for engine_cut and engine_restore, which take none there and go by device.engine_output';

CREATE FUNCTION @extschema@.pt621_command_may_switch(wire text, output integer)
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_command_may_switch_sql'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_command_may_switch(text, integer) IS
'internal: whether a command''s text, with or without # and line end, may switch this output on (0: any); true wherever OPC stands in it and it is not certain that it does not; an error when output is negative';

CREATE FUNCTION @extschema@.pt621_command_answered(wire text, line text)
RETURNS integer
AS 'MODULE_PATHNAME', 'pt621_command_answered_sql'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_command_answered(text, text) IS
'internal: how a line that is no record speaks of a command, in any case and as words: 2 = it has the whole text, 1 = the mnemonic, 0 = neither';
