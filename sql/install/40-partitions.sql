-- 40-partitions.sql: one partition a month, around now.
--
-- Only the clock of this server makes partitions, never the claim of a tracker.
-- Rows of other months go to the default partition, so nothing waits for one.
-- What has been there for long enough is dropped, a whole partition at a time.

CREATE FUNCTION @extschema@.pt621_add_partition(parent text, time_column name, month date)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    child   text := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
    low     text := quote_literal(to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00');
    high    text := quote_literal(to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    strays  boolean;
    quiet   record;
    muted   text[] := '{}';
    restore text;
    -- Those of users too, but for generated ones, which cannot be copied.
    columns text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_attribute a
                      WHERE a.attrelid = to_regclass(format('pt621.%I', parent))
                        AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '');
BEGIN
    -- CREATE TABLE ... PARTITION OF would lock the parent against everyone and
    -- wait behind the longest report; ATTACH lets readers and writers pass.
    EXECUTE format('CREATE TABLE pt621.%I (LIKE pt621.%I INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY)', child, parent);
    IF to_regclass(format('pt621.%I', parent || '_default')) IS NOT NULL THEN
        EXECUTE format('LOCK TABLE ONLY pt621.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
        EXECUTE format('SELECT EXISTS (SELECT FROM ONLY pt621.%I WHERE %I >= %s AND %I < %s)',
                       parent || '_default', time_column, low, time_column, high) INTO strays;
        IF strays THEN
            -- Rows that change their partition are not deleted: no trigger on
            -- deletion may see it.
            FOR quiet IN
                SELECT t.tgname, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END AS mode
                  FROM pg_trigger t
                 WHERE t.tgrelid = to_regclass(format('pt621.%I', parent || '_default'))
                   AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
            LOOP
                EXECUTE format('ALTER TABLE ONLY pt621.%I DISABLE TRIGGER %I', parent || '_default', quiet.tgname);
                muted := muted || format('ALTER TABLE ONLY pt621.%I ENABLE %s TRIGGER %I',
                                         parent || '_default', quiet.mode, quiet.tgname);
            END LOOP;
            EXECUTE format('WITH stray AS (DELETE FROM ONLY pt621.%I WHERE %I >= %s AND %I < %s RETURNING *) '
                           'INSERT INTO pt621.%I (%s) SELECT %s FROM stray',
                           parent || '_default', time_column, low, time_column, high, child, columns, columns);
            FOREACH restore IN ARRAY muted LOOP
                EXECUTE restore;
            END LOOP;
        END IF;
    END IF;
    EXECUTE format('ALTER TABLE pt621.%I ATTACH PARTITION pt621.%I FOR VALUES FROM (%s) TO (%s)',
                   parent, child, low, high);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_add_partition(text, name, date) IS
'internal: makes and attaches one partition of a month (UTC), with the rows of that month that lie in the default partition';

CREATE FUNCTION @extschema@.pt621_retention(parent text)
RETURNS interval
AS 'MODULE_PATHNAME', 'pt621_retention'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION @extschema@.pt621_retention(text) IS
'internal: how long partitions of frame or position are kept; NULL = for ever';

CREATE FUNCTION @extschema@.pt621_add_partitions()
RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $function$
DECLARE
    this_month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    due        record;
    detail     text;
    made       integer := 0;
BEGIN
    FOR due IN
        SELECT t.parent, t.time_column, (this_month + m.n * interval '1 month')::date AS month
          FROM (VALUES ('position', 'fix_time'::name), ('frame', 'received_at')) t (parent, time_column),
               generate_series(-1, 3) m (n)
         WHERE to_regclass(format('pt621.%s_%s', t.parent,
                           to_char(this_month + m.n * interval '1 month', 'YYYY_MM'))) IS NULL
           -- It would be dropped again at once.
           AND (this_month + (m.n + 1) * interval '1 month') AT TIME ZONE 'UTC'
               <= now() - @extschema@.pt621_retention(t.parent) IS NOT TRUE
         ORDER BY m.n, t.parent
    LOOP
        BEGIN
            PERFORM @extschema@.pt621_add_partition(due.parent, due.time_column, due.month);
            made := made + 1;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- Somebody reads or writes the default partition: the next call may
            -- have more luck, and until then that partition takes the rows.
            RAISE LOG 'pt621: partition of % for % is put off: %', due.parent, due.month, SQLERRM;
            EXIT;
        WHEN invalid_object_definition THEN
            -- The administrator has partitions of another size there.
            RAISE DEBUG 'pt621: no partition of % for %: %', due.parent, due.month, SQLERRM;
        WHEN OTHERS THEN
            -- A row that a check refuses, a full disk: no reason to keep what
            -- is to be dropped, nor to make no other.
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RAISE LOG 'pt621: partition of % for % is put off: %', due.parent, due.month,
                concat_ws('; ', SQLERRM, nullif(detail, ''));
        END;
    END LOOP;
    RETURN made;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_add_partitions() IS
'internal: makes the partitions of last month to three months ahead that are absent; returns how many';

CREATE FUNCTION @extschema@.pt621_expired()
RETURNS TABLE (parent text, above regclass, partition regclass, kind "char", until timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO'
AS $function$
    WITH RECURSIVE root AS (
        SELECT t.parent, t.time_column, to_regclass('pt621.' || t.parent) AS relation,
               now() - @extschema@.pt621_retention(t.parent) AS horizon
          FROM (VALUES ('frame', 'received_at'::name), ('position', 'fix_time')) t (parent, time_column)
    ), tree AS (
        SELECT r.parent, r.time_column, r.horizon, NULL::regclass AS above, r.relation,
               'p'::"char" AS kind, NULL::timestamptz AS until, false AS expired
          FROM root r
         WHERE r.horizon IS NOT NULL AND r.relation IS NOT NULL
        UNION ALL
        -- MAXVALUE, and the default partition, have no time there.
        SELECT t.parent, t.time_column, t.horizon, t.relation, c.oid::regclass, c.relkind, b.until,
               coalesce(b.until <= t.horizon, false)
          FROM tree t
          -- What is divided in another way says nothing of time.
          JOIN pg_partitioned_table p ON p.partrelid = t.relation AND p.partstrat = 'r' AND p.partnatts = 1
          JOIN pg_attribute a ON a.attrelid = t.relation AND a.attnum = p.partattrs[0]
                             AND a.attname = t.time_column AND a.atttypid = 'timestamptz'::regtype
          JOIN pg_inherits i ON i.inhparent = t.relation AND NOT i.inhdetachpending
          JOIN pg_class c ON c.oid = i.inhrelid,
               LATERAL (SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM ' TO [(]''([^'']+)''[)]$')::timestamptz) b (until)
         WHERE NOT t.expired
    )
    SELECT t.parent, t.above, t.relation, t.kind, t.until
      FROM tree t
     WHERE t.expired;
$function$;
COMMENT ON FUNCTION @extschema@.pt621_expired() IS
'internal: partitions, of whatever size and level, in which nothing is as young as pt621.retention_frames or pt621.retention_positions demands';

CREATE FUNCTION @extschema@.pt621_drop_expired()
RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $function$
DECLARE
    due    record;
    busy   text[] := '{}';
    detail text;
BEGIN
    -- One only: its locks, under which nobody reads or writes the table, are held
    -- until the end of the transaction.
    FOR due IN
        SELECT e.*, e.partition::text AS name FROM @extschema@.pt621_expired() e ORDER BY e.until, e.partition::text COLLATE "C"
    LOOP
        CONTINUE WHEN due.parent = ANY (busy);
        BEGIN
            -- DROP takes this lock first, and would then wait anew for each of
            -- the others, with everybody waiting behind it.
            EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', due.above);
            PERFORM set_config('lock_timeout', '1ms', true);
            -- Whoever had it until now may have detached the partition to keep it.
            IF NOT EXISTS (SELECT FROM pg_partition_ancestors(due.partition) a WHERE a = due.above)
               OR NOT EXISTS (SELECT FROM @extschema@.pt621_expired() e WHERE e.partition = due.partition AND e.above = due.above) THEN
                RAISE object_not_in_prerequisite_state USING MESSAGE = 'it has changed meanwhile';
            END IF;
            EXECUTE format('DROP %s %s', CASE due.kind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, due.partition);
            RAISE LOG 'pt621: partition % of % is dropped: its time to be kept is over', due.name, due.parent;
            RETURN 1;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                -- Each further try might cost who waits behind us the same again.
                busy := busy || due.parent;
                RAISE LOG 'pt621: dropping partition % of % is put off: %', due.name, due.parent, SQLERRM;
            WHEN OTHERS THEN
                -- A view on it, another owner, an event trigger: not ours to
                -- overrule, and no reason to keep the others.
                GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
                RAISE LOG 'pt621: dropping partition % of % is put off: %', due.name, due.parent,
                    concat_ws('; ', SQLERRM, nullif(detail, ''));
        END;
    END LOOP;
    RETURN 0;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_drop_expired() IS
'internal: drops the oldest of the partitions whose time is over; returns 1, or 0 when there is none that can be dropped now';

CREATE FUNCTION @extschema@.pt621_maintain()
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $function$
DECLARE
    before text[]  := @extschema@.pt621_put_off();
    made   integer := @extschema@.pt621_add_partitions();
BEGIN
    PERFORM @extschema@.pt621_forget_pieces();
    PERFORM @extschema@.pt621_fire_deferred(before);
    -- Last, since from here on others wait for us.
    made := made + @extschema@.pt621_drop_expired();
    PERFORM @extschema@.pt621_restore_settings();
    RETURN made;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintain() IS
'makes the partitions of last month to three months ahead that are absent, and drops the oldest one that pt621.retention_frames or pt621.retention_positions is over for; returns how many it made and dropped, 0 when nothing is left that can be done now; the log says what was put off; waits at most 200 ms for a lock, for each partition that is due; commit at once';
