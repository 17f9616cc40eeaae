-- 25-deferred.sql: what users' triggers leave behind in the session of a caller.
--
-- The functions that write to the tables run with the rights of their owner, and
-- so do the users' triggers in them.  What a trigger puts off until the commit
-- would run there with the rights of the session's user, perhaps a superuser,
-- and what it sets would hold for what that user does next.

CREATE FUNCTION @extschema@.pt621_is_put_off(relation oid)
RETURNS boolean
AS 'MODULE_PATHNAME', 'pt621_is_put_off'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_is_put_off(oid) IS
'internal: whether triggers or constraints of this table are put off until the commit';

CREATE FUNCTION @extschema@.pt621_restore_settings()
RETURNS void
AS 'MODULE_PATHNAME', 'pt621_restore_settings'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION @extschema@.pt621_restore_settings() IS
'internal: takes back all settings made since the calling function began, those of its own SET clauses too; for its last statement';

CREATE FUNCTION @extschema@.pt621_put_off()
RETURNS text[]
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- Whoever owns the caller may have made it SECURITY INVOKER.
    IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'role "%" is a superuser, so triggers on the tables of pt621 would be', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'The functions of pt621 that write to its tables belong to the role pt621, no superuser, and are SECURITY DEFINER.';
    END IF;
    RETURN ARRAY(
        SELECT DISTINCT format(CASE WHEN c.condeferred
                                    THEN 'SET CONSTRAINTS %1$I.%2$I IMMEDIATE; SET CONSTRAINTS %1$I.%2$I DEFERRED'
                                    ELSE 'SET CONSTRAINTS %1$I.%2$I IMMEDIATE' END, n.nspname, c.conname)
          FROM pg_trigger t
          JOIN pg_constraint c ON c.oid = t.tgconstraint
          JOIN pg_namespace n ON n.oid = c.connamespace
         WHERE t.tgdeferrable
           AND @extschema@.pt621_is_put_off(t.tgrelid)
         UNION ALL
        SELECT format('CLOSE %I -- %s', u.name, md5(u.statement))
          FROM pg_cursors u
         WHERE u.is_holdable);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_put_off() IS
'internal: what is put off until the commit, as the commands that would deal with it now; refuses to run as a superuser';

CREATE FUNCTION @extschema@.pt621_fire_deferred(before text[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    command text;
    fired   boolean;
BEGIN
    -- A trigger that is fired may put off others, but not for ever.
    FOR turn IN 1 .. 100 LOOP
        fired := false;
        -- Not all: what our caller has put off for tables of his own must not run
        -- with the rights of the owner of these.
        FOREACH command IN ARRAY @extschema@.pt621_put_off() LOOP
            IF command <> ALL (before) THEN
                EXECUTE command;
                fired := true;
            ELSIF turn = 1 AND command LIKE 'SET CONSTRAINTS pt621.%' THEN
                -- Perhaps it is one of these that has called us: then it stays.
                EXECUTE command;
            END IF;
        END LOOP;
        IF NOT fired THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'triggers on the tables of pt621 put off others without end'
        USING ERRCODE = 'program_limit_exceeded';
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_fire_deferred(text[]) IS
'internal: fires with the rights of now what was put off since pt621_put_off() gave its argument, and all that was for the tables; closes cursors WITH HOLD opened since';
