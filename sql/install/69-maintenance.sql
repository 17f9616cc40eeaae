-- 69-maintenance.sql: services: when they are due, and the events that say so.

-- Section 9 of doc/reports.md.  By the odometer, which bridges resets; by the trips of a
-- day in which it tells of less than two thirds of them: one that is not wired must not
-- put off a service for ever, nor one that is said on a part of the way only.
CREATE FUNCTION @extschema@.pt621_maintenance_use(
    device integer, low timestamptz, high timestamptz,
    OUT km double precision, OUT engine_h double precision, OUT days double precision)
RETURNS record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
    -- Of driving that is too little to tell on each day, the sum may tell.
    SELECT CASE WHEN sum(d.driven_m) > 5000 AND sum(d.counted_m) * 1.5 < sum(d.driven_m) THEN sum(d.driven_m)
                ELSE coalesce(sum(d.counted_m), 0) END / 1000,
           coalesce(sum(d.engine_s), 0) / 3600,
           -- of which it has been there at all
           extract(epoch FROM high - greatest(low, min(d.first_fix)))::double precision / 86400
      FROM (SELECT s.engine_s, s.first_fix, t.driven_m,
                   CASE WHEN t.driven_m > 5000 AND s.odometer_m * 1.5 < t.driven_m THEN t.driven_m
                        ELSE coalesce(s.odometer_m, t.driven_m) END AS counted_m
              FROM @extschema@.pt621_report_summary(ARRAY[device], tstzrange(low, high), 'day', 'UTC') s
             -- On a ferry an odometer has to stand.
             CROSS JOIN LATERAL (SELECT s.metres - s.carried_metres AS driven_m) t
             WHERE low < high) d
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintenance_use(integer, timestamptz, timestamptz) IS
'internal: how far a tracker went between two times, and how long its engine ran; days: from its first record between them on';

-- How far a plan is: what has been used of it, 0 to 1 and more.
CREATE FUNCTION @extschema@.pt621_maintenance_progress(
    plan integer, at timestamptz,
    OUT served_at timestamptz, OUT km double precision, OUT engine_h double precision, OUT days double precision,
    OUT used double precision, OUT due_by text)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    p pt621.maintenance_plan;
BEGIN
    SELECT m.* INTO p FROM pt621.maintenance_plan m WHERE m.id = plan;
    served_at := coalesce((SELECT max(r.done_at) FROM pt621.maintenance_record r WHERE r.plan_id = plan AND r.done_at <= at), p.since);
    days := greatest(extract(epoch FROM at - served_at) / 86400, 0);
    -- Positions are not read for what counts days alone.
    IF p.every_km IS NOT NULL OR p.every_engine_h IS NOT NULL THEN
        SELECT u.km, u.engine_h INTO km, engine_h
          FROM @extschema@.pt621_maintenance_use(p.device_id, served_at, at) u;
    END IF;
    SELECT u.part, u.name INTO used, due_by
      FROM (VALUES (km / p.every_km, 'km'), (engine_h / p.every_engine_h, 'engine_h'), (days / p.every_days, 'days')) u (part, name)
     WHERE u.part IS NOT NULL
     ORDER BY u.part DESC, u.name
     LIMIT 1;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintenance_progress(integer, timestamptz) IS
'internal: use since the last service of a plan; used: the largest part of what it allows, due_by: of which that is';

CREATE FUNCTION @extschema@.pt621_maintenance_due(
    devices integer[] DEFAULT NULL, at timestamptz DEFAULT now(),
    OUT device_id integer, OUT plan_id integer, OUT name text, OUT state text, OUT used double precision, OUT due_by text,
    OUT served_at timestamptz, OUT km double precision, OUT engine_h double precision, OUT days double precision,
    OUT km_left double precision, OUT engine_h_left double precision, OUT days_left double precision,
    OUT predicted_due_at timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
BEGIN
    IF NOT isfinite(at) THEN
        RAISE EXCEPTION 'nothing can be said of services at %', at
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT p.device_id, p.id, p.name,
           CASE WHEN g.used >= 1 THEN 'due' WHEN g.used >= p.warn_at THEN 'soon' ELSE 'ok' END,
           g.used, g.due_by, g.served_at, g.km, g.engine_h, g.days,
           p.every_km - g.km, p.every_engine_h - g.engine_h, p.every_days - g.days,
           CASE WHEN abs(l.days) < 36500 THEN at + make_interval(secs => 86400 * l.days) END
      FROM pt621.maintenance_plan p
      JOIN pt621.device d ON d.id = p.device_id
     CROSS JOIN LATERAL @extschema@.pt621_maintenance_progress(p.id, at) g
      LEFT JOIN LATERAL @extschema@.pt621_maintenance_use(p.device_id, at - interval '30 days', at) u
             ON num_nonnulls(p.every_km, p.every_engine_h) > 0
     CROSS JOIN LATERAL (SELECT least((p.every_km - g.km) / nullif(u.km, 0) * u.days,
                                      (p.every_engine_h - g.engine_h) / nullif(u.engine_h, 0) * u.days,
                                      p.every_days - g.days) AS days) l
     WHERE p.since <= at
       AND (devices IS NULL OR p.device_id = ANY (devices))
     ORDER BY p.device_id, p.name COLLATE "C";
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintenance_due(integer[], timestamptz) IS
'the plans of pt621.maintenance_plan at a time, those that began later left out; arguments: ids of trackers (NULL = all), the time; state: ok, soon (from warn_at on) or due; used: the largest part that is used of what the plan allows, 1 = all, and due_by what that is of (km, engine_h, days); km, hours of the engine and days since the last service or, without one, maintenance_plan.since, and what is left of each; predicted_due_at: when it is due if used as in the last 30 days, NULL when that is more than 100 years off; km and hours are NULL for a plan that counts days alone; error for a time that is not finite';

-- The message says which, but in the language of the server.  The worker sets the
-- setting, too.  A tenth is for what a client's protocol does before its statement begins.
CREATE FUNCTION @extschema@.pt621_took_too_long()
RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT s.setting::bigint > 0
           AND clock_timestamp() - statement_timestamp() >= 0.9 * s.setting::bigint * interval '1 ms'
      FROM pg_settings s
     WHERE s.name = 'statement_timeout'
$function$;
COMMENT ON FUNCTION @extschema@.pt621_took_too_long() IS
'internal: whether a statement that was cancelled had reached statement_timeout, and was not cancelled by somebody';

-- One plan a call, the one that waits longest, so that other tasks have their turn:
-- it takes as long as reading what the tracker sent since the service.  More only of
-- those for which it cannot be written down that they were looked at: they come first
-- each time, and the others are not to wait for them.
CREATE FUNCTION @extschema@.pt621_maintenance_tick()
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    before   text[] := @extschema@.pt621_put_off();
    failed   integer[] := '{}';
    looks    integer := 0;
    p        record;
    progress record;
    kinds    text[];
    said     jsonb;                     -- what an event says of the plan
    hours    double precision;
BEGIN
    WHILE looks = 0 AND cardinality(failed) < 5 LOOP
        -- What is not the same as it was at the last look is looked at again.
        SELECT m.*, l.looked_at_what INTO p
          FROM pt621.maintenance_plan m
          JOIN pt621.device d ON d.id = m.device_id
         CROSS JOIN LATERAL (
            SELECT jsonb_build_object(
                       'plan_id', m.id, 'every_km', m.every_km, 'every_engine_h', m.every_engine_h, 'every_days', m.every_days,
                       'warn_at', m.warn_at,
                       'since', coalesce((SELECT max(r.done_at) FROM pt621.maintenance_record r WHERE r.plan_id = m.id AND r.done_at <= now()),
                                         m.since) AT TIME ZONE 'UTC') AS looked_at_what) l
         WHERE m.since <= now()
           AND (m.next_look_at <= now() OR m.last_look IS DISTINCT FROM l.looked_at_what)
           AND m.id <> ALL (failed)
         ORDER BY m.last_look IS NOT DISTINCT FROM l.looked_at_what, m.next_look_at, m.id
         LIMIT 1
           FOR UPDATE OF m SKIP LOCKED;
        EXIT WHEN NOT FOUND;

        kinds := '{}';
        hours := NULL;
        said := p.looked_at_what - 'warn_at';
        BEGIN
            progress := @extschema@.pt621_maintenance_progress(p.id, now());
            -- What rang once for this service does not ring again, whatever comes late.
            IF progress.used >= 1 THEN
                kinds := '{maintenance_due}';
            ELSIF progress.used >= p.warn_at THEN
                kinds := '{maintenance_soon,maintenance_due}';
            END IF;
            INSERT INTO pt621.event (kind, device_id, at, object, detail)
            SELECT kinds[1], p.device_id, now(), p.name, said || jsonb_build_object('due_by', progress.due_by)
             WHERE kinds <> '{}'
               AND NOT EXISTS (SELECT FROM pt621.event e
                                WHERE e.device_id = p.device_id AND e.kind = ANY (kinds) AND e.superseded_at IS NULL
                                  AND e.detail - 'due_by' = said);
            -- What triggers put off is to fail here, if it does.
            PERFORM @extschema@.pt621_fire_deferred(before);
            -- It does not go further than 2,500 km in a day.
            SELECT CASE WHEN progress.used >= 1 THEN 24
                        ELSE least((t.part * p.every_km - progress.km) / 2500 * 24, t.part * p.every_engine_h - progress.engine_h,
                                   (t.part * p.every_days - progress.days) * 24) END
              INTO hours
              FROM (SELECT CASE WHEN progress.used < p.warn_at THEN p.warn_at ELSE 1 END AS part) t;
        EXCEPTION
            -- The other plans are not to wait for it.  What took too long will do so again.
            WHEN query_canceled THEN
                IF NOT @extschema@.pt621_took_too_long() THEN
                    RAISE;
                END IF;
                RAISE LOG 'pt621: plan % of tracker % was not looked after: %', p.id, p.device_id, SQLERRM;
                hours := 24;
            -- A trigger's, for instance.
            WHEN OTHERS THEN
                RAISE LOG 'pt621: plan % of tracker % was not looked after: %', p.id, p.device_id, SQLERRM;
        END;

        -- A late upload may have been driven before, so it is looked at once a day.
        BEGIN
            UPDATE pt621.maintenance_plan m
               SET next_look_at = now() + interval '1 h' * least(greatest(hours, 1), 24),
                   last_look = p.looked_at_what
             WHERE m.id = p.id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'a trigger left the row as it was';
            END IF;
            PERFORM @extschema@.pt621_fire_deferred(before);
            looks := 1;
        EXCEPTION WHEN query_canceled OR OTHERS THEN
            IF SQLSTATE = '57014' AND NOT @extschema@.pt621_took_too_long() THEN
                RAISE;
            END IF;
            RAISE LOG 'pt621: of plan % of tracker % it was not noted that it was looked after: %', p.id, p.device_id, SQLERRM;
            failed := failed || p.id;
        END;
    END LOOP;
    PERFORM @extschema@.pt621_restore_settings();
    RETURN looks;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_maintenance_tick() IS
'internal: looks at one plan that may have become due, and writes the events maintenance_soon and maintenance_due, once for each service; returns how many plans it has put off to a later look';
