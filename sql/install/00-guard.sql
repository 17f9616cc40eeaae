-- 00-guard.sql: what every statement below relies on.
\echo Use "CREATE EXTENSION pt621 CASCADE" to load this file. \quit

-- Nothing below is looked up where a plain role can create objects: whatever is
-- not PostgreSQL's own is written with its schema.
SET LOCAL search_path = pg_catalog, pg_temp;
