-- 05-postgis.sql: where PostGIS is.  Before PostgreSQL 16 a script cannot name
-- the schema of another extension, so what uses its types is made by EXECUTE.

CREATE FUNCTION @extschema@.pt621_postgis_schema()
RETURNS name
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT n.nspname
      FROM pg_extension e
      JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'postgis'
$function$;
COMMENT ON FUNCTION @extschema@.pt621_postgis_schema() IS
'internal: the schema that PostGIS is installed in';
