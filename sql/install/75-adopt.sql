-- 75-adopt.sql: trackers that were let in late.

CREATE FUNCTION @extschema@.pt621_adopt(ident text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pt621_adopt'
LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER COST 10000
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION @extschema@.pt621_adopt(text) IS
'registers a tracker, where it is not, and stores what was archived of it while it was not, each unit at its time of receipt; returns how many positions were new; error when the id is NULL, empty, longer than 20 bytes or not printable ASCII';
