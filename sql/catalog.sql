-- catalog.sql: what the extension leaves in the catalog.  Where a query looks for
-- what is wrong, no row means all is well.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pt621 CASCADE;
RESET client_min_messages;

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid
  FROM pg_depend d
  JOIN pg_extension e ON e.oid = d.refobjid
 WHERE d.refclassid = 'pg_extension'::regclass
   AND d.deptype = 'e'
   AND e.extname = 'pt621';

CREATE TEMP VIEW fn AS
SELECT p.*, r.rolname AS owner, r.rolsuper,
       format('%s(%s)', p.proname,
              (SELECT string_agg(format_type(t.type, NULL), ', ' ORDER BY t.n)
                 FROM unnest(p.proargtypes) WITH ORDINALITY t (type, n))) AS signature,
       coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment
  FROM member m
  JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  JOIN pg_roles r ON r.oid = p.proowner;

-- The tables and views; partitions come and go, and are as their parents.
CREATE TEMP VIEW relation AS
SELECT c.oid, c.relname, c.relkind, c.reloptions, r.rolname AS owner, r.rolsuper
  FROM pg_class c
  JOIN pg_roles r ON r.oid = c.relowner
 WHERE c.relnamespace = 'pt621'::regnamespace
   AND c.relkind IN ('r', 'p', 'v', 'S')
   AND NOT c.relispartition;

-- Members: functions and the type, neither the schema nor anything in it.
SELECT m.classid::regclass AS catalog, count(*) > 0 AS there
  FROM member m
 GROUP BY m.classid
 ORDER BY m.classid::regclass::text COLLATE "C";
SELECT pg_describe_object(m.classid, m.objid, 0)
  FROM member m,
       LATERAL pg_identify_object(m.classid, m.objid, 0) o
 WHERE o.schema = 'pt621'
    OR (o.type = 'schema' AND o.name = 'pt621')
    OR o.type IN ('table', 'view', 'sequence', 'index');

SELECT relname, relkind, reloptions, owner, rolsuper
  FROM relation
 ORDER BY relname COLLATE "C";

-- Without a comment
SELECT pg_describe_object(m.classid, m.objid, 0)
  FROM member m
 WHERE obj_description(m.objid, m.classid::regclass::name) IS NULL;
SELECT t.typname, a.attname
  FROM member m
  JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
  JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
 WHERE col_description(a.attrelid, a.attnum) IS NULL;
SELECT relname
  FROM relation
 WHERE obj_description(oid, 'pg_class') IS NULL;
SELECT r.relname, a.attname
  FROM relation r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE r.relkind <> 'S'
   AND col_description(r.oid, a.attnum) IS NULL
 ORDER BY r.relname COLLATE "C", a.attnum;
SELECT obj_description('pt621'::regnamespace, 'pg_namespace') IS NULL AS schema_without,
       shobj_description('pt621'::regrole, 'pg_authid') IS NULL AS role_without;

-- The role: no superuser, and no client can log in as it.
SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
       rolbypassrls, rolconnlimit
  FROM pg_roles
 WHERE rolname = 'pt621';
SELECT rolpassword IS NULL AS no_password
  FROM pg_authid
 WHERE rolname = 'pt621';

-- Functions for users; s/r/u: parallel safe, restricted, unsafe.
SELECT signature, provolatile AS vol, proparallel AS par, proisstrict AS strict,
       prosecdef AS secdef, procost AS cost, prorows AS rows
  FROM fn
 WHERE comment NOT LIKE 'internal:%'
 ORDER BY signature COLLATE "C";

-- Functions that everybody may execute: none of them writes a table, or reads
-- one but with the rights of whoever asks.
SELECT signature
  FROM fn
 WHERE has_function_privilege('public', oid, 'EXECUTE')
 ORDER BY signature COLLATE "C";

-- Who else but the owner may execute the others.
SELECT f.signature, a.grantee::regrole, a.privilege_type
  FROM fn f, aclexplode(f.proacl) a
 WHERE a.grantee <> f.proowner
 ORDER BY f.signature COLLATE "C", a.grantee::regrole::text COLLATE "C";

-- What runs with the rights of the role, which is no superuser, belongs to it, and
-- nothing else does: members can alter it.  Nothing in PL/pgSQL and nothing
-- that runs with its rights runs under a search_path of others.
SELECT signature, owner
  FROM fn
 WHERE (owner = 'pt621') <> prosecdef
    OR (prosecdef AND rolsuper);
SELECT f.signature, f.proconfig
  FROM fn f
  JOIN pg_language l ON l.oid = f.prolang
 WHERE (f.prosecdef OR l.lanname NOT IN ('c', 'internal'))
   AND NOT coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'];
SELECT signature, proconfig
  FROM fn
 WHERE prosecdef
 ORDER BY signature COLLATE "C";

-- Settings
SELECT name, boot_val, unit, vartype AS type, min_val, max_val, enumvals, context
  FROM pg_settings
 WHERE name LIKE 'pt621.%'
 ORDER BY name COLLATE "C";
SELECT name
  FROM pg_settings
 WHERE name LIKE 'pt621.%'
   AND coalesce(short_desc, '') = '';
\set VERBOSITY terse
SET pt621.no_such_setting = 1;
