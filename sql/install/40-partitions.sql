-- 40-partitions.sql: one partition a month, around now.
--
-- Only the clock of this server makes partitions, never the claim of a tracker.
-- Rows of other months go to the default partition, so nothing waits for one.

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

CREATE FUNCTION @extschema@.pt621_maintain()
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $function$
DECLARE
    this_month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    due        record;
    made       integer := 0;
BEGIN
    FOR due IN
        SELECT t.parent, t.time_column, (this_month + m.n * interval '1 month')::date AS month
          FROM (VALUES ('position', 'fix_time'::name), ('frame', 'received_at')) t (parent, time_column),
               generate_series(-1, 3) m (n)
         WHERE to_regclass(format('pt621.%s_%s', t.parent,
                           to_char(this_month + m.n * interval '1 month', 'YYYY_MM'))) IS NULL
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
        END;
    END LOOP;
    PERFORM @extschema@.pt621_fire_deferred();
    RETURN made;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintain() IS
'makes the partitions of last month to three months ahead that are absent; returns how many it made; waits at most 200 ms for a lock, then leaves the rest to the next call';
