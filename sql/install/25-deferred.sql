-- 25-deferred.sql: triggers that were put off until the commit.

CREATE FUNCTION @extschema@.pt621_fire_deferred()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- Not ALL: what our caller has put off for tables of his own must not run with
    -- the rights of the owner of these.
    names text := (SELECT string_agg(DISTINCT format('pt621.%I', c.conname), ', ')
                     FROM pg_constraint c
                     JOIN pg_class r ON r.oid = c.conrelid
                    WHERE r.relnamespace = to_regnamespace('pt621')
                      AND c.connamespace = r.relnamespace
                      AND c.condeferrable);
BEGIN
    IF names IS NOT NULL THEN
        EXECUTE 'SET CONSTRAINTS ' || names || ' IMMEDIATE';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fire_deferred() IS
'internal: fires the deferred triggers of the tables with the rights of now; at the commit they would have those of the session''s user, perhaps a superuser';
