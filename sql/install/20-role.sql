-- 20-role.sql: the role that owns the data and runs the workers.
--
-- Were the owner a superuser, whoever may put a trigger on one of the tables
-- would become one with the next record.  A background worker can connect as
-- this role; with CONNECTION LIMIT 0 and no password no client can.
DO $$
DECLARE
    role_name   name := coalesce(nullif(current_setting('pt621.role', true), ''), 'pt621');
    schema_name name;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT LOGIN '
                       'NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 0', role_name);
        EXECUTE format('COMMENT ON ROLE %I IS %L', role_name,
                       'owns the tables of pt621; its workers connect as this role, clients cannot');
    ELSIF (SELECT rolsuper FROM pg_roles WHERE rolname = role_name) THEN
        RAISE EXCEPTION 'role "%" is a superuser', role_name
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('Triggers on the tables would run as superuser: ALTER ROLE %I NOSUPERUSER, or set pt621.role.', role_name);
    END IF;

    -- Of the schemas that the tables and functions refer to, only `public` can
    -- be used by everybody, and not in every database.
    FOR schema_name IN
        SELECT n.nspname
          FROM pg_namespace n
         WHERE n.oid IN ('@extschema@'::regnamespace,
                         (SELECT e.extnamespace FROM pg_extension e WHERE e.extname = 'postgis'))
           AND NOT has_schema_privilege(role_name, n.oid, 'USAGE')
         ORDER BY n.nspname
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, role_name);
    END LOOP;
    IF NOT has_database_privilege(role_name, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END IF;
END
$$;
