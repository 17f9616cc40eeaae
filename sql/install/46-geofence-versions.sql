-- 46-geofence-versions.sql: what was a fence then?
--
-- Each edit locks the one row of pt621.geofence_stamp before it looks at the
-- versions, takes a new revision for each version that it touches, and one more
-- for the stamp.  So edits come one after the other, later ones with higher
-- revisions, and whoever sees the same stamp sees the same versions.

CREATE FUNCTION @extschema@.pt621_geofence_lock()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM FROM pt621.geofence_stamp FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO pt621.geofence_stamp VALUES (nextval('pt621.geofence_revision_seq'));
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_lock() IS
'internal: makes other edits of geofences wait for the end of this transaction';

-- ids: of geofences with versions to be cut, at: each one's time.
CREATE FUNCTION @extschema@.pt621_geofence_cut(ids integer[], at timestamptz[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_nestloop = on
AS $function$
BEGIN
    DELETE FROM pt621.geofence_version v
     USING unnest(ids, at) c (id, at)
     WHERE v.geofence_id = c.id AND isempty(v.valid * tstzrange(NULL, c.at));
    UPDATE pt621.geofence_version v
       SET valid = v.valid * tstzrange(NULL, c.at),
           revision = nextval('pt621.geofence_revision_seq'), edited_at = now()
      FROM unnest(ids, at) c (id, at)
     WHERE v.geofence_id = c.id AND NOT v.valid <@ tstzrange(NULL, c.at);
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_cut(integer[], timestamptz[]) IS
'internal: ends the versions of geofences, each at a time of its own; those that begin then or later vanish';

-- moved: of the ids, those with another validity; anew: those whose versions
-- stand no longer.
CREATE FUNCTION @extschema@.pt621_geofence_keep(ids integer[], moved integer[], anew integer[])
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_nestloop = on
AS $function$
DECLARE
    other_ids integer[];
    other_at  timestamptz[];
BEGIN
    DELETE FROM pt621.geofence_version v
     USING unnest(anew) a (id)
     WHERE v.geofence_id = a.id;
    DELETE FROM pt621.geofence_version v
     USING unnest(moved) m (id)
      JOIN pt621.geofence g ON g.id = m.id
     WHERE v.geofence_id = m.id AND NOT v.valid && g.valid;
    -- Touched all of them: what vanished leaves no trace of its own.
    UPDATE pt621.geofence_version v
       SET valid = tstzrange(CASE WHEN f.earliest THEN lower(g.valid) ELSE greatest(lower(v.valid), lower(g.valid)) END,
                             least(upper(v.valid), upper(g.valid))),
           revision = nextval('pt621.geofence_revision_seq'), edited_at = now()
      FROM (SELECT w.geofence_id, w.revision,
                   row_number() OVER (PARTITION BY w.geofence_id ORDER BY lower(w.valid) NULLS FIRST) = 1 AS earliest
              FROM unnest(moved) m (id)
              JOIN pt621.geofence_version w ON w.geofence_id = m.id) f
      JOIN pt621.geofence g ON g.id = f.geofence_id
     WHERE v.geofence_id = f.geofence_id AND v.revision = f.revision;

    -- What the last version says holds no longer: from now on.
    SELECT array_agg(g.id), array_agg(greatest(now(), lower(g.valid))) INTO other_ids, other_at
      FROM unnest(ids) i (id)
      JOIN pt621.geofence g ON g.id = i.id
     CROSS JOIN LATERAL (SELECT w.* FROM pt621.geofence_version w
                          WHERE w.geofence_id = g.id
                          ORDER BY lower(w.valid) DESC NULLS LAST LIMIT 1) v
     WHERE (coalesce(g.shape, g.geom)::bytea, g.schedule, g.time_zone, g.devices, g.groups, g.min_dwell_in, g.min_dwell_out,
            g.min_fixes_in, g.min_fixes_out, g.exit_buffer_m, g.dwell_after, g.interpolate, g.speed_limit_kmh)
           IS DISTINCT FROM
           (v.shape::bytea, v.schedule, v.time_zone, v.devices, v.groups, v.min_dwell_in, v.min_dwell_out,
            v.min_fixes_in, v.min_fixes_out, v.exit_buffer_m, v.dwell_after, v.interpolate, v.speed_limit_kmh);
    PERFORM @extschema@.pt621_geofence_cut(other_ids, other_at);

    -- The last one goes on where it says the same.
    UPDATE pt621.geofence_version v
       SET valid = tstzrange(lower(v.valid), upper(g.valid)),
           revision = nextval('pt621.geofence_revision_seq'), edited_at = now()
      FROM unnest(ids) i (id)
      JOIN pt621.geofence g ON g.id = i.id
     CROSS JOIN LATERAL (SELECT w.* FROM pt621.geofence_version w
                          WHERE w.geofence_id = g.id
                          ORDER BY lower(w.valid) DESC NULLS LAST LIMIT 1) l
     WHERE v.geofence_id = l.geofence_id AND v.revision = l.revision
       AND upper(l.valid) < coalesce(upper(g.valid), 'infinity')
       AND upper(l.valid) >= coalesce(lower(g.valid), '-infinity')
       AND (coalesce(g.shape, g.geom)::bytea, g.schedule, g.time_zone, g.devices, g.groups, g.min_dwell_in, g.min_dwell_out,
            g.min_fixes_in, g.min_fixes_out, g.exit_buffer_m, g.dwell_after, g.interpolate, g.speed_limit_kmh)
           IS NOT DISTINCT FROM
           (l.shape::bytea, l.schedule, l.time_zone, l.devices, l.groups, l.min_dwell_in, l.min_dwell_out,
            l.min_fixes_in, l.min_fixes_out, l.exit_buffer_m, l.dwell_after, l.interpolate, l.speed_limit_kmh);

    INSERT INTO pt621.geofence_version
           (geofence_id, revision, edited_at, valid, name, shape, schedule, time_zone, devices, groups,
            min_dwell_in, min_dwell_out, min_fixes_in, min_fixes_out, exit_buffer_m, dwell_after, interpolate, speed_limit_kmh)
    SELECT n.id, nextval('pt621.geofence_revision_seq'), now(), tstzrange(n.since, upper(n.valid)), n.name,
           coalesce(n.shape, n.geom), n.schedule, n.time_zone, n.devices, n.groups,
           n.min_dwell_in, n.min_dwell_out, n.min_fixes_in, n.min_fixes_out, n.exit_buffer_m, n.dwell_after, n.interpolate, n.speed_limit_kmh
      FROM (SELECT g.*, greatest(l.until, lower(g.valid)) AS since
              FROM unnest(ids) i (id)
              JOIN pt621.geofence g ON g.id = i.id
              LEFT JOIN LATERAL (SELECT coalesce(upper(w.valid), 'infinity') AS until FROM pt621.geofence_version w
                                  WHERE w.geofence_id = g.id
                                  ORDER BY lower(w.valid) DESC NULLS LAST LIMIT 1) l ON true
             WHERE l.until IS NULL OR l.until < coalesce(upper(g.valid), 'infinity')
             ORDER BY g.id) n;

    UPDATE pt621.geofence_version v
       SET name = g.name,
           revision = nextval('pt621.geofence_revision_seq'), edited_at = now()
      FROM unnest(ids) i (id)
      JOIN pt621.geofence g ON g.id = i.id
     WHERE v.geofence_id = i.id AND v.name <> g.name;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_keep(integer[], integer[], integer[]) IS
'internal: brings the versions of geofences to what pt621.geofence says; arguments: which, those of them whose validity was changed, those of which no version stands';

-- A plan that was made for one row is kept for a hundred thousand: so by index
-- above, and here, where there is none, by hash.
CREATE FUNCTION @extschema@.pt621_geofence_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
AS $function$
DECLARE
    ids   integer[];
    moved integer[];
    anew  integer[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.id), array_agg(n.id) FILTER (WHERE lower_inf(n.valid)) INTO ids, anew FROM new_row n;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT array_agg(c.id), array_agg(c.id) FILTER (WHERE c.moved AND NOT c.altered),
               array_agg(c.id) FILTER (WHERE c.moved AND c.altered)
          INTO ids, moved, anew
          FROM (SELECT n.id, n.valid <> o.valid AS moved, n.name <> o.name AS renamed,
                       (coalesce(n.shape, n.geom)::bytea, n.schedule, n.time_zone, n.devices, n.groups, n.min_dwell_in, n.min_dwell_out,
                        n.min_fixes_in, n.min_fixes_out, n.exit_buffer_m, n.dwell_after, n.interpolate, n.speed_limit_kmh)
                       IS DISTINCT FROM
                       (coalesce(o.shape, o.geom)::bytea, o.schedule, o.time_zone, o.devices, o.groups, o.min_dwell_in, o.min_dwell_out,
                        o.min_fixes_in, o.min_fixes_out, o.exit_buffer_m, o.dwell_after, o.interpolate, o.speed_limit_kmh) AS altered
                  FROM new_row n
                  JOIN old_row o ON o.id = n.id) c
         WHERE c.moved OR c.renamed OR c.altered;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(o.id) INTO ids FROM old_row o;
    ELSE
        SELECT array_agg(DISTINCT v.geofence_id) INTO ids FROM pt621.geofence_version v;
    END IF;
    IF ids IS NULL AND TG_OP <> 'TRUNCATE' THEN
        RETURN NULL;
    END IF;
    PERFORM @extschema@.pt621_geofence_lock();
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        -- One drawn by somebody else since this transaction began has been there
        -- for a moment: were it to vanish, nobody could tell who had been in it.
        PERFORM @extschema@.pt621_geofence_cut(
                    array_agg(i.id),
                    array_agg(CASE WHEN d.drawn > now() AND d.drawn <= clock_timestamp()
                                   THEN d.drawn + interval '1 microsecond' ELSE now() END))
           FROM unnest(ids) i (id)
          CROSS JOIN LATERAL (SELECT min(coalesce(lower(v.valid), '-infinity')) AS drawn
                                FROM pt621.geofence_version v
                               WHERE v.geofence_id = i.id) d
          WHERE NOT EXISTS (SELECT FROM pt621.geofence g WHERE g.id = i.id);
    ELSE
        -- One that had this id before ends where the new one begins.
        IF TG_OP = 'INSERT' THEN
            PERFORM @extschema@.pt621_geofence_cut(array_agg(n.id), array_agg(lower(n.valid)))
               FROM new_row n
              WHERE NOT lower_inf(n.valid)
                AND EXISTS (SELECT FROM pt621.geofence_version v WHERE v.geofence_id = n.id);
        END IF;
        PERFORM @extschema@.pt621_geofence_keep(ids, coalesce(moved, '{}'), coalesce(anew, '{}'));
    END IF;
    UPDATE pt621.geofence_stamp SET revision = nextval('pt621.geofence_revision_seq');
    RETURN NULL;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_changed() IS
'the default triggers of pt621.geofence that come last: keep pt621.geofence_version; an edit holds from now on, a change of validity from then';

CREATE FUNCTION @extschema@.pt621_geofence_catch_up()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    ids    integer[];
    moved  integer[];
    gone   integer[];
    fence  record;
    reason text;
BEGIN
    -- Whatever edits there were, a version of a fence is there at the start of its
    -- validity, and the last one is the fence.
    SELECT array_agg(g.id ORDER BY g.id),
           array_agg(g.id) FILTER (WHERE NOT b.begins OR upper(l.valid) IS DISTINCT FROM upper(g.valid))
      INTO ids, moved
      FROM pt621.geofence g
      LEFT JOIN LATERAL (SELECT v.* FROM pt621.geofence_version v
                          WHERE v.geofence_id = g.id
                          ORDER BY lower(v.valid) DESC NULLS LAST LIMIT 1) l ON true
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pt621.geofence_version v
                                         WHERE v.geofence_id = g.id
                                           AND CASE WHEN lower_inf(g.valid) THEN lower_inf(v.valid)
                                                    ELSE v.valid @> lower(g.valid) END) AS begins) b
     WHERE NOT b.begins
        OR (upper(l.valid), l.name, l.shape::bytea, l.schedule, l.time_zone, l.devices, l.groups, l.min_dwell_in, l.min_dwell_out,
            l.min_fixes_in, l.min_fixes_out, l.exit_buffer_m, l.dwell_after, l.interpolate, l.speed_limit_kmh)
           IS DISTINCT FROM
           (upper(g.valid), g.name, coalesce(g.shape, g.geom)::bytea, g.schedule, g.time_zone, g.devices, g.groups, g.min_dwell_in, g.min_dwell_out,
            g.min_fixes_in, g.min_fixes_out, g.exit_buffer_m, g.dwell_after, g.interpolate, g.speed_limit_kmh);
    SELECT array_agg(DISTINCT v.geofence_id) INTO gone
      FROM pt621.geofence_version v
     WHERE (upper_inf(v.valid) OR upper(v.valid) > now())
       AND NOT EXISTS (SELECT FROM pt621.geofence g WHERE g.id = v.geofence_id);
    IF ids IS NULL AND gone IS NULL THEN
        RETURN;
    END IF;
    PERFORM @extschema@.pt621_geofence_lock();
    FOR fence IN SELECT g.id, g.name FROM pt621.geofence g WHERE g.id = ANY (ids) LOOP
        BEGIN
            UPDATE pt621.geofence g
               SET geom = CASE WHEN g.radius_m IS NULL THEN @extschema@.pt621_geofence_shape(g.geom) ELSE g.geom END,
                   shape = CASE WHEN g.radius_m IS NOT NULL THEN @extschema@.pt621_geofence_shape(g.geom, g.radius_m) END
             WHERE g.id = fence.id;
        EXCEPTION WHEN invalid_parameter_value THEN
            GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
            RAISE EXCEPTION 'geofence "%": %', fence.name, reason
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'It came while the triggers of pt621.geofence were not there: change or delete it.';
        END;
    END LOOP;
    PERFORM @extschema@.pt621_geofence_cut(gone, array_fill(now(), ARRAY[cardinality(gone)]));
    PERFORM @extschema@.pt621_geofence_keep(ids, coalesce(moved, '{}'), '{}');
    UPDATE pt621.geofence_stamp SET revision = nextval('pt621.geofence_revision_seq');
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_geofence_catch_up() IS
'internal: follows up what became of geofences while their triggers were not there; an edit holds from now on';

CREATE FUNCTION @extschema@.pt621_device_changed()
RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    since timestamptz := (SELECT max(upper(v.valid)) FROM pt621.device_version v WHERE v.device_id = OLD.id);
BEGIN
    -- What it was for no time at all, it was not.
    IF since IS NULL OR since < now() THEN
        INSERT INTO pt621.device_version (device_id, valid, groups, speed_limit_kmh)
        VALUES (OLD.id, tstzrange(since, now()), OLD.groups, OLD.speed_limit_kmh);
    END IF;
    -- Of two transactions at once the one that began first may come last.
    NEW.options_since := greatest(now(), since);
    RETURN NEW;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_device_changed() IS
'the default trigger of pt621.device: keeps in pt621.device_version which groups and speed limit a tracker had until now';
