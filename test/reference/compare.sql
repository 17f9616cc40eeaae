-- compare.sql: works out all of it, and shows where the tables say otherwise.  After
-- fences.sql.
SET search_path = reference, public;

CREATE PROCEDURE work_out()
LANGUAGE plpgsql
SET search_path = reference, public
SET client_min_messages = warning
SET jit = off
AS $$
DECLARE
    tracker integer;
    fence   integer;
BEGIN
    TRUNCATE event, visit;
    CALL work_out_records();
    ANALYZE report;
    CALL work_out_spots();
    ANALYZE spot;
    CALL work_out_alarms();
    CALL work_out_drivers();
    FOR tracker IN SELECT DISTINCT device_id FROM report LOOP
        CALL work_out_repeats(tracker, 'CPA', 'power_cut');
        CALL work_out_repeats(tracker, 'LPA', 'low_battery');
        CALL work_out_ignition(tracker);
        CALL work_out_motion(tracker);
        CALL work_out_overspeed(tracker);
        CALL work_out_sensors(tracker);
        -- Where no place is in a fence and no segment comes near, there is nothing.
        FOR fence IN SELECT DISTINCT geofence_id FROM spot WHERE device_id = tracker LOOP
            CALL work_out_fence(tracker, fence);
        END LOOP;
    END LOOP;
END
$$;

-- Numbers that are the same but for rounding.
CREATE FUNCTION alike(a double precision, b double precision) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (a IS NULL AND b IS NULL) OR coalesce(abs(a - b) <= 1e-3 * greatest(1, abs(a), abs(b)), false);

CREATE FUNCTION alike(a timestamptz, b timestamptz) RETURNS boolean
LANGUAGE sql STABLE
RETURN (a IS NULL AND b IS NULL) OR coalesce(abs(extract(epoch FROM a - b)) <= 0.002, false);

CREATE FUNCTION alike(a jsonb, b jsonb) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(bool_and(CASE
               WHEN x.key IS NULL OR y.key IS NULL THEN false
               WHEN x.key IN ('peak_lon', 'peak_lat') THEN abs(x.value::float8 - y.value::float8) < 1e-9
               WHEN jsonb_typeof(x.value) = 'number' AND jsonb_typeof(y.value) = 'number' THEN alike(x.value::float8, y.value::float8)
               WHEN x.key LIKE '%at' THEN alike((x.value #>> '{}')::timestamptz, (y.value #>> '{}')::timestamptz)
               ELSE x.value = y.value END), true)
      FROM jsonb_each(coalesce(a, '{}')) x
      FULL JOIN jsonb_each(coalesce(b, '{}')) y ON y.key = x.key;
END;

-- What is in one and not in the other, in words.
CREATE VIEW difference AS
WITH event_rows AS (
    SELECT 'wanted' AS side, e.* FROM event e
     UNION ALL
    SELECT 'found', device_id, kind, code, at, until, geofence_id, object, geom, detail, confirmed_at
      FROM pt621.event WHERE superseded_at IS NULL AND kind <> 'proximity'
), visit_rows AS (
    SELECT 'wanted' AS side, v.* FROM visit v
     UNION ALL
    SELECT 'found', device_id, geofence_id, enter_at, exit_at, enter_unknown, exit_unknown, interpolated, passed,
           uncertainty_s, seconds, metres, top_speed_kmh, driver, confirmed_at
      FROM pt621.geofence_visit WHERE superseded_at IS NULL
), odd AS (
    SELECT a.side, a.device_id, a.geofence_id, a.at, a.kind AS what,
           concat_ws(' ', 'until', a.until, 'code', a.code, 'object', a.object, 'geom', ST_AsText(a.geom, 6),
                     'confirmed_at', a.confirmed_at, 'detail', a.detail) AS line
      FROM event_rows a
     WHERE NOT EXISTS (
        SELECT FROM event_rows b
         WHERE b.side <> a.side AND b.device_id = a.device_id AND b.kind = a.kind
           AND b.geofence_id IS NOT DISTINCT FROM a.geofence_id AND b.object IS NOT DISTINCT FROM a.object
           AND b.code IS NOT DISTINCT FROM a.code
           AND alike(b.at, a.at) AND alike(b.until, a.until) AND b.confirmed_at = a.confirmed_at
           AND (a.geom IS NULL AND b.geom IS NULL OR coalesce(ST_DWithin(a.geom, b.geom, 1e-9), false))
           AND alike(a.detail, b.detail))
     UNION ALL
    SELECT a.side, a.device_id, a.geofence_id, a.enter_at, 'visit',
           concat_ws(' ', 'until', a.exit_at, CASE WHEN a.enter_unknown THEN 'enter_unknown' END, CASE WHEN a.exit_unknown THEN 'exit_unknown' END,
                     CASE WHEN a.interpolated THEN 'interpolated' END, CASE WHEN a.passed THEN 'passed' END,
                     '+-', a.uncertainty_s, 'seconds', a.seconds, 'metres', a.metres, 'top', a.top_speed_kmh, 'driver', a.driver,
                     'confirmed_at', a.confirmed_at)
      FROM visit_rows a
     WHERE NOT EXISTS (
        SELECT FROM visit_rows b
         WHERE b.side <> a.side AND b.device_id = a.device_id AND b.geofence_id = a.geofence_id
           AND alike(b.enter_at, a.enter_at) AND alike(b.exit_at, a.exit_at) AND b.confirmed_at = a.confirmed_at
           AND (b.enter_unknown, b.exit_unknown, b.interpolated, b.passed) = (a.enter_unknown, a.exit_unknown, a.interpolated, a.passed)
           AND alike(b.uncertainty_s, a.uncertainty_s) AND alike(b.seconds, a.seconds) AND alike(b.metres, a.metres)
           AND alike(b.top_speed_kmh, a.top_speed_kmh) AND b.driver IS NOT DISTINCT FROM a.driver)
)
SELECT o.side, d.ident, o.what, g.name AS fence, o.at, o.line
  FROM odd o
  LEFT JOIN pt621.device d ON d.id = o.device_id
  LEFT JOIN pt621.geofence g ON g.id = o.geofence_id
 ORDER BY d.ident, o.at, o.what, g.name, o.side;
RESET search_path;
