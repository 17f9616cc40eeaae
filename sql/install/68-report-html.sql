-- 68-report-html.sql: reports as a page to read, print and mail.
--
-- Tables and charts are in the page as they are seen: it has no script.  What it says comes from the report
-- functions, with the rights of whoever asks.  Whatever is text of others goes through pt621_page_text().

CREATE FUNCTION @extschema@.pt621_html_number(value double precision, form text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT '<td class="number">'
       || coalesce(CASE form
                       WHEN 'km' THEN to_char(value / 1000, 'FM999,999,990.0')
                       WHEN 'h:mm' THEN to_char(trunc(round(value / 60) / 60), 'FM999,999,990')
                                        || ':' || to_char(mod(round(value / 60)::numeric, 60), 'FM00')
                       WHEN 'l' THEN to_char(value, 'FM999,999,990.0')
                       ELSE to_char(value, 'FM999,999,990')
                   END, '&ndash;')
       || '</td>'
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_number(double precision, text) IS
'internal: a cell of a report; arguments: a number or NULL; how it is written: km of metres, h:mm of seconds, l with one decimal, else whole';

CREATE FUNCTION @extschema@.pt621_html_time(at timestamptz, zone text, form text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT format('<time datetime="%s">%s</time>', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
              to_char(at AT TIME ZONE zone, form))
 WHERE at IS NOT NULL
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_time(timestamptz, text, text) IS
'internal: a moment as HTML; arguments: it, time zone, form as of to_char()';

DO $$
DECLARE
    postgis name := @extschema@.pt621_postgis_schema();
BEGIN
    EXECUTE format($function$
        CREATE FUNCTION @extschema@.pt621_html_place(geom %1$I.geometry, at timestamptz)
        RETURNS text
        LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
        SET search_path = pg_catalog, pg_temp
        AS $body$
        SELECT coalesce((SELECT format('<span class="fence text">%%s</span> ', @extschema@.pt621_page_text(string_agg(g.name, ', ' ORDER BY g.name, g.id)))
                           FROM pt621.geofence g
                          WHERE g.id = ANY (@extschema@.pt621_geofences(pt621_html_place.geom, pt621_html_place.at))
                         HAVING count(*) > 0), '')
               || format('<span class="place">%%s, %%s</span>', round(%1$I.st_y(geom)::numeric, 5), round(%1$I.st_x(geom)::numeric, 5))
         WHERE NOT %1$I.st_isempty(geom)
        $body$
        $function$, postgis);
    EXECUTE format('COMMENT ON FUNCTION @extschema@.pt621_html_place(%I.geometry, timestamptz) IS %L', postgis,
                   'internal: where a point was, as HTML: the fences around it at that time, latitude, longitude');
END
$$;

CREATE FUNCTION @extschema@.pt621_html_table(id text, caption text, columns text[], rows text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT format('<div class="wide" role="region" tabindex="0" aria-labelledby="%1$s"><table><caption id="%1$s">%2$s</caption><thead><tr>%3$s</tr></thead>%4$s</table></div>',
              id, caption,
              (SELECT string_agg(format('<th scope="col"%s>%s%s</th>', CASE WHEN c.name LIKE '%|%' THEN ' class="number"' END,
                                        split_part(c.name, '|', 1), ' <small>' || nullif(split_part(c.name, '|', 2), '') || '</small>'), '' ORDER BY c.n)
                 FROM unnest(columns) WITH ORDINALITY c (name, n)
                WHERE c.name IS NOT NULL),
              rows)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_table(text, text, text[], text) IS
'internal: a table of a report; arguments: id of its caption, caption, columns as name or, of numbers, as name|unit, NULL = none, and its rows; all of it HTML';

CREATE FUNCTION @extschema@.pt621_html_columns(first text, fuel boolean)
RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT ARRAY[first, 'Distance|km', 'Trips|', 'Driving|h:mm', 'Idling|h:mm', 'Stopped|h:mm', 'Not observed|h:mm', 'Engine|h:mm',
             'Top|km/h', 'Mean|km/h', CASE WHEN fuel THEN 'Fuel|litres' END, 'Alarms|']
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_columns(text, boolean) IS
'internal: the columns of pt621_html_figures() for pt621_html_table(); arguments: the column before them, whether there is one of fuel';

CREATE FUNCTION @extschema@.pt621_html_figures(summary record, fuel boolean)
RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@.pt621_html_number(summary.metres, 'km') || @extschema@.pt621_html_number(summary.trips, '')
           || @extschema@.pt621_html_number(summary.drive_s, 'h:mm') || @extschema@.pt621_html_number(summary.idle_s, 'h:mm')
           || @extschema@.pt621_html_number(summary.stopped_s, 'h:mm') || @extschema@.pt621_html_number(summary.unobserved_s, 'h:mm')
           || @extschema@.pt621_html_number(summary.engine_s, 'h:mm') || @extschema@.pt621_html_number(summary.top_kmh, '')
           || @extschema@.pt621_html_number(summary.mean_kmh, '')
           || CASE WHEN fuel THEN @extschema@.pt621_html_number(summary.fuel_used_l, 'l') ELSE '' END
           || @extschema@.pt621_html_number(summary.alarms, '');
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_figures(record, boolean) IS
'internal: cells of a row of pt621_summary(), or of one with columns of the same names and types; whether fuel is among them';

CREATE FUNCTION @extschema@.pt621_html_days(
    device integer, low timestamptz, high timestamptz, zone text, fuel boolean)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
-- Of more than two months, months.
WITH bucket AS (
    SELECT CASE WHEN high - low <= interval '62 days' THEN 'day' ELSE 'month' END AS by,
           CASE WHEN high - low <= interval '62 days' THEN 'Dy FMDD Mon YYYY' ELSE 'FMMonth YYYY' END AS form,
           CASE WHEN high - low <= interval '62 days' THEN 'HH24:MI' ELSE 'FMDD Mon HH24:MI' END AS moment)
SELECT @extschema@.pt621_html_table(
           't' || device || '-days', CASE b.by WHEN 'day' THEN 'By day' ELSE 'By month' END,
           @extschema@.pt621_html_columns(CASE b.by WHEN 'day' THEN 'Day' ELSE 'Month' END, fuel) || ARRAY['First place', 'Last place'],
           '<tbody>' || string_agg(
               format('<tr><th scope="row">%s</th>%s<td>%s %s</td><td>%s %s</td></tr>',
                      to_char(s.day, b.form), @extschema@.pt621_html_figures(s, fuel),
                      @extschema@.pt621_html_time(s.first_fix, zone, b.moment), @extschema@.pt621_html_place(s.first_geom, s.first_fix),
                      @extschema@.pt621_html_time(s.last_fix, zone, b.moment), @extschema@.pt621_html_place(s.last_geom, s.last_fix)),
               '' ORDER BY s.day) || '</tbody>'
           || (SELECT format('<tfoot><tr><th scope="row">Total</th>%s<td></td><td></td></tr></tfoot>', @extschema@.pt621_html_figures(t, fuel))
                 FROM @extschema@.pt621_summary(ARRAY[device], tstzrange(low, high), 'all', zone) t))
  FROM bucket b,
       @extschema@.pt621_summary(ARRAY[device], tstzrange(low, high), b.by, zone) s
 GROUP BY b.by
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_days(integer, timestamptz, timestamptz, text, boolean) IS
'internal: what a tracker did by day as HTML, or NULL; arguments: id of the tracker, from, to, time zone, whether there is a column of fuel';

CREATE FUNCTION @extschema@.pt621_html_legs(device integer, low timestamptz, high timestamptz, zone text, most integer)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
WITH leg AS (
    SELECT s.*, (s.started_at AT TIME ZONE zone)::date AS day, (s.ended_at AT TIME ZONE zone)::date AS end_day,
           row_number() OVER (ORDER BY s.started_at) AS n, count(*) OVER () AS all_of_them
      FROM @extschema@.pt621_segments(ARRAY[device], tstzrange(low, high)) s
), day AS (
    SELECT l.day, max(l.all_of_them) AS all_of_them, string_agg(
               format('<tr class="%s"><td>%s</td><td>%s</td><td>%s</td>%s%s%s%s%s<td>%s</td><td class="text">%s</td></tr>',
                      l.kind, CASE l.kind WHEN 'trip' THEN 'Trip' WHEN 'stop' THEN 'Stop' ELSE 'Not observed' END,
                      @extschema@.pt621_html_time(l.started_at, zone, 'HH24:MI'),
                      CASE WHEN l.ongoing THEN 'goes on'
                           ELSE @extschema@.pt621_html_time(l.ended_at, zone, 'HH24:MI')
                                || CASE WHEN l.end_day > l.day THEN format(' <small>+%s d</small>', l.end_day - l.day) ELSE '' END
                      END,
                      @extschema@.pt621_html_number(l.seconds, 'h:mm'),
                      @extschema@.pt621_html_number(CASE WHEN l.kind <> 'stop' THEN l.metres END, 'km'),
                      @extschema@.pt621_html_number(CASE WHEN l.kind = 'trip' THEN l.mean_kmh END, ''),
                      @extschema@.pt621_html_number(CASE WHEN l.kind = 'trip' THEN l.top_kmh END, ''),
                      @extschema@.pt621_html_number(CASE WHEN l.kind <> 'unobserved' THEN l.idle_s END, 'h:mm'),
                      CASE l.kind WHEN 'stop' THEN @extschema@.pt621_html_place(l.geom, l.started_at)
                                  ELSE concat_ws(' &rarr; ', @extschema@.pt621_html_place(l.start_geom, l.started_at), @extschema@.pt621_html_place(l.end_geom, l.ended_at))
                      END,
                      @extschema@.pt621_page_text((
                          SELECT string_agg(coalesce(@extschema@.pt621_driver_name(r.rfid, device, l.started_at), r.rfid), ', ' ORDER BY r.n)
                            FROM unnest(l.drivers) WITH ORDINALITY r (rfid, n)))), '' ORDER BY l.n) AS rows
      FROM leg l
     WHERE l.n <= most
     GROUP BY l.day
)
SELECT @extschema@.pt621_html_table(
           't' || device || '-legs',
           'Trips and stops' || CASE WHEN max(d.all_of_them) > most
                                     THEN format(' <strong>(the first %s of %s)</strong>', to_char(most, 'FM999,999,990'), to_char(max(d.all_of_them), 'FM999,999,990'))
                                     ELSE '' END,
           ARRAY['What', 'From', 'To', 'Time|h:mm', 'Distance|km', 'Mean|km/h', 'Top|km/h', 'Idling|h:mm', 'Place', 'Driver'],
           string_agg(format('<tbody><tr class="day"><th scope="rowgroup" colspan="10">%s</th></tr>%s</tbody>',
                             to_char(d.day, 'FMDay, FMDD FMMonth YYYY'), d.rows), '' ORDER BY d.day))
  FROM day d
HAVING count(*) > 0
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_legs(integer, timestamptz, timestamptz, text, integer) IS
'internal: trips, stops and unobserved legs of a tracker as HTML, or NULL; arguments: id of the tracker, from, to, time zone, how many at most';

CREATE FUNCTION @extschema@.pt621_html_alarms(device integer, low timestamptz, high timestamptz, zone text, most integer)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
WITH alarm AS (
    SELECT e.*, row_number() OVER (ORDER BY e.at, e.id) AS n, count(*) OVER () AS all_of_them,
           CASE WHEN jsonb_typeof(v.peak) = 'number' THEN trim_scale(round(v.peak::numeric, 1))::text ELSE '?' END AS peak
      FROM pt621.event e,
           LATERAL (SELECT coalesce(e.detail -> 'peak_kmh', e.detail -> 'peak', e.detail -> 'value') AS peak) v
     WHERE e.device_id = device AND e.at >= low AND e.at < high
       AND e.kind IN ('alarm', 'overspeed', 'sensor_alarm') AND e.superseded_at IS NULL
       AND (e.kind = 'overspeed' OR @extschema@.pt621_is_alarm(e.kind, e.object))
)
SELECT @extschema@.pt621_html_table(
           't' || device || '-alarms',
           'Alarms and limits' || CASE WHEN max(a.all_of_them) > most
                                       THEN format(' <strong>(the first %s of %s)</strong>', to_char(most, 'FM999,999,990'), to_char(max(a.all_of_them), 'FM999,999,990'))
                                       ELSE '' END,
           ARRAY['When', 'What', 'Lasted|h:mm', 'Place'],
           '<tbody>' || string_agg(
               format('<tr><td>%s</td><td class="text">%s</td>%s<td>%s</td></tr>',
                      @extschema@.pt621_html_time(a.at, zone, 'Dy FMDD Mon YYYY HH24:MI:SS'),
                      @extschema@.pt621_page_text(
                          CASE a.kind
                              WHEN 'alarm' THEN format('%s (%s)', replace(a.object, '_', ' '), a.code)
                              WHEN 'overspeed' THEN format('overspeed: %s km/h, limit %s km/h', a.peak, a.detail ->> 'limit_kmh')
                              ELSE format('%s: %s %s, limit %s', a.object, a.peak, a.detail ->> 'unit', a.detail ->> 'threshold')
                          END),
                      @extschema@.pt621_html_number(extract(epoch FROM a.until - a.at)::double precision, 'h:mm'),
                      coalesce(@extschema@.pt621_html_place(a.geom, a.at), '&ndash;')), '' ORDER BY a.n) || '</tbody>')
  FROM alarm a
 WHERE a.n <= most
HAVING count(*) > 0
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_alarms(integer, timestamptz, timestamptz, text, integer) IS
'internal: alarms, overspeeds and sensor alarms of a tracker as HTML, or NULL; arguments: id of the tracker, from, to, time zone, how many at most';

CREATE FUNCTION @extschema@.pt621_html_fuel(device integer, low timestamptz, high timestamptz, zone text)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
WITH event AS MATERIALIZED (
    SELECT f.*, row_number() OVER (ORDER BY f.started_at) AS n
      FROM @extschema@.pt621_fuel_events(ARRAY[device], tstzrange(low, high)) f
), mark AS (
    SELECT jsonb_agg(jsonb_build_object(
               'kind', e.kind, 'at', e.ended_at, 'value', e.after_l,
               'label', CASE e.kind WHEN 'refuel' THEN '+' ELSE '-' END || round(e.litres::numeric),
               'title', format('%s of %s litres, %s', e.kind, round(e.litres::numeric, 1), to_char(e.ended_at AT TIME ZONE zone, 'FMDD Mon HH24:MI')))) AS marks
      FROM event e
     WHERE e.n <= 200
)
SELECT '<figure><figcaption>Fuel <small>litres</small></figcaption>'
       || (SELECT @extschema@.pt621_chart('fuel', device, low, high, zone, 'Fuel in litres over time, refuels and drains marked', coalesce(m.marks, '[]')) FROM mark m)
       || '</figure>'
       || coalesce((
    SELECT @extschema@.pt621_html_table(
               't' || device || '-fuel', 'Refuels and drains' || CASE WHEN count(*) > 200 THEN ' <strong>(the first 200)</strong>' ELSE '' END,
               ARRAY['When', 'What', 'Amount|litres', 'Before|litres', 'After|litres', 'Place', 'Driver'],
               '<tbody>' || string_agg(
                   format('<tr><td>%s</td><td>%s</td>%s%s%s<td>%s</td><td class="text">%s</td></tr>',
                          @extschema@.pt621_html_time(e.started_at, zone, 'Dy FMDD Mon YYYY HH24:MI'),
                          CASE e.kind WHEN 'refuel' THEN 'Refuel' ELSE 'Drain' END,
                          @extschema@.pt621_html_number(e.litres, 'l'), @extschema@.pt621_html_number(e.before_l, 'l'),
                          @extschema@.pt621_html_number(e.after_l, 'l'),
                          @extschema@.pt621_html_place(e.geom, e.ended_at), @extschema@.pt621_page_text(e.driver)), '' ORDER BY e.n) FILTER (WHERE e.n <= 200)
               || '</tbody>')
      FROM event e
    HAVING count(*) > 0), '')
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_fuel(integer, timestamptz, timestamptz, text) IS
'internal: the chart of fuel, refuels and drains of a tracker as HTML, or NULL where no fuel was read; arguments: id of the tracker, from, to, time zone';

CREATE FUNCTION @extschema@.pt621_html_tracker(device integer, low timestamptz, high timestamptz, zone text, headed boolean)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    one   record;
    speed text;
    fuel  text;
    label text;
    said  text;
BEGIN
    SELECT d.ident, d.name, d.model INTO one FROM pt621.device d WHERE d.id = device;
    fuel := @extschema@.pt621_html_fuel(device, low, high, zone);
    speed := @extschema@.pt621_chart('speed', device, low, high, zone, 'Speed in km/h over time');
    said := concat(@extschema@.pt621_html_days(device, low, high, zone, fuel IS NOT NULL),
                   '<figure><figcaption>Speed <small>km/h</small></figcaption>' || speed || '</figure>', fuel,
                   @extschema@.pt621_html_alarms(device, low, high, zone, 200),
                   @extschema@.pt621_html_legs(device, low, high, zone, 500));
    label := @extschema@.pt621_page_text(coalesce(nullif(one.name, ''), one.ident));
    RETURN format('<section id="t%s" class="tracker" aria-label="%s"><header>%s<p class="muted text">%s</p></header>%s</section>',
                  device, label, CASE WHEN headed THEN format('<h2 class="text">%s</h2>', label) END,
                  concat_ws(' &middot; ', CASE WHEN one.name <> '' THEN @extschema@.pt621_page_text(one.ident) END,
                            @extschema@.pt621_page_text(nullif(one.model, '')), 'times of ' || @extschema@.pt621_page_text(zone)),
                  coalesce(nullif(said, ''), '<p>Nothing is known of this time.</p>'));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_tracker(integer, timestamptz, timestamptz, text, boolean) IS
'internal: the section of one tracker as HTML; arguments: id of the tracker, from, to, time zone, whether it begins with the tracker''s name';

CREATE FUNCTION @extschema@.pt621_html_fleet(
    devices integer[], low timestamptz, high timestamptz, time_zone text, most integer, detailed integer,
    OUT ids integer[], OUT html text)
RETURNS record
LANGUAGE sql STABLE PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
-- Joined as it stands, the summary might be made anew for each tracker.
WITH summary AS MATERIALIZED (
    SELECT s.* FROM @extschema@.pt621_summary(devices, CASE WHEN low < high THEN tstzrange(low, high) ELSE 'empty' END, 'all', time_zone) s
), figure AS MATERIALIZED (
    SELECT d.id, coalesce(nullif(d.name, ''), d.ident) AS label, s.metres, s.trips, s.drive_s, s.idle_s, s.stopped_s, s.unobserved_s, s.engine_s,
           s.top_kmh, s.mean_kmh, s.fuel_used_l, s.alarms, row_number() OVER (ORDER BY coalesce(nullif(d.name, ''), d.ident), d.id) AS n
      FROM pt621.device d
      LEFT JOIN summary s ON s.device_id = d.id
     WHERE d.id = ANY (devices) OR (devices IS NULL AND s.first_fix IS NOT NULL)
), total AS (
    SELECT count(*) AS trackers, bool_or(f.fuel_used_l IS NOT NULL) AS fuel, sum(f.metres) AS metres, sum(f.trips)::integer AS trips, sum(f.drive_s) AS drive_s,
           sum(f.idle_s) AS idle_s, sum(f.stopped_s) AS stopped_s, sum(f.unobserved_s) AS unobserved_s, sum(f.engine_s) AS engine_s,
           max(f.top_kmh) AS top_kmh, sum(f.metres) / sum(f.metres / nullif(f.mean_kmh, 0)) AS mean_kmh,
           sum(f.fuel_used_l) AS fuel_used_l, sum(f.alarms)::integer AS alarms
      FROM figure f
)
SELECT (SELECT array_agg(f.id ORDER BY f.n) FROM figure f),
       (SELECT '<section>' || @extschema@.pt621_html_table(
                   'fleet', 'All trackers' || CASE WHEN t.trackers > most THEN format(' <strong>(the first %s of %s; the total is of all)</strong>', most, t.trackers) ELSE '' END,
                   @extschema@.pt621_html_columns('Tracker', t.fuel),
                   '<tbody>' || (SELECT string_agg(format('<tr><th scope="row" class="text">%s</th>%s</tr>',
                                                          format(CASE WHEN f.n <= detailed THEN '<a href="#t%2$s">%1$s</a>' ELSE '%1$s' END,
                                                                 @extschema@.pt621_page_text(f.label), f.id),
                                                          @extschema@.pt621_html_figures(f, t.fuel)), '' ORDER BY f.n)
                                   FROM figure f
                                  WHERE f.n <= most)
                   || format('</tbody><tfoot><tr><th scope="row">%s trackers</th>%s</tr></tfoot>', t.trackers, @extschema@.pt621_html_figures(t, t.fuel)))
               || CASE WHEN t.trackers > detailed
                       THEN format('<p class="note">Charts, trips and alarms follow for the first %s of the %s trackers. Ask for the others by the argument <code>devices</code>.</p>', detailed, t.trackers)
                       ELSE '' END
               || '</section>'
          FROM total t
         WHERE t.trackers > 1)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_fleet(integer[], timestamptz, timestamptz, text, integer, integer) IS
'internal: the trackers that a report is about, in the order of their names, and their totals as HTML, NULL of one tracker; arguments: ids of trackers (NULL = all that were heard), from, to, time zone (NULL = that of each), how many rows at most, how many trackers follow in detail';

CREATE FUNCTION @extschema@.pt621_html_period(
    devices integer[], period tstzrange, zone text, OUT low timestamptz, OUT high timestamptz)
RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    oldest timestamptz;
    newest timestamptz;
BEGIN
    IF isempty(period) THEN
        RAISE EXCEPTION 'the period of a report is empty'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For one day write, for instance, ''[2026-11-20,2026-11-21)''.';
    END IF;
    -- Nothing is known after all time, or before.
    IF lower(period) = 'infinity' OR upper(period) = '-infinity' THEN
        RETURN;
    END IF;
    low := nullif(lower(period), '-infinity');
    high := nullif(upper(period), 'infinity');
    IF low IS NOT NULL AND high IS NOT NULL THEN
        RETURN;
    END IF;
    -- One look at an index for each tracker. 65536: a time of receipt.
    SELECT min(f.fix_time), max(l.fix_time) INTO oldest, newest
      FROM pt621.device d,
           LATERAL (SELECT p.fix_time FROM pt621.position p WHERE p.device_id = d.id AND p.quality & 65536 = 0 AND p.fix_time > '-infinity'
                     ORDER BY p.fix_time LIMIT 1) f,
           LATERAL (SELECT p.fix_time FROM pt621.position p WHERE p.device_id = d.id AND p.quality & 65536 = 0 AND p.fix_time < 'infinity'
                     ORDER BY p.fix_time DESC LIMIT 1) l
     WHERE devices IS NULL OR d.id = ANY (devices);
    IF period IS NULL THEN
        high := ((newest AT TIME ZONE zone)::date + 1)::timestamp AT TIME ZONE zone;
        low := ((newest AT TIME ZONE zone)::date - 6)::timestamp AT TIME ZONE zone;
    ELSE
        low := coalesce(low, least(oldest, high - interval '1 s'));
        high := coalesce(high, greatest(newest + interval '1 s', low + interval '1 s'));
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_period(integer[], tstzrange, text) IS
'internal: from when to when a report is; NULL: the 7 days up to that of the newest record, an end that is open: that of the records; NULL where there is none, or the period is beyond all time; arguments: ids of trackers (NULL = all), period, time zone of the days; error for an empty period';

CREATE FUNCTION @extschema@.pt621_html_when(low timestamptz, high timestamptz, zone text)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT CASE WHEN l.first::time = '00:00' AND l.past::time = '00:00'
            THEN to_char(l.first, 'Dy FMDD Mon YYYY')
                 || CASE WHEN l.past - l.first > interval '1 day' THEN ' to ' || to_char(l.past - interval '1 day', 'Dy FMDD Mon YYYY') ELSE '' END
            ELSE to_char(l.first, 'Dy FMDD Mon YYYY HH24:MI') || ' to ' || to_char(l.past, 'Dy FMDD Mon YYYY HH24:MI')
       END
  FROM (SELECT low AT TIME ZONE zone AS first, high AT TIME ZONE zone AS past) l
$function$;
COMMENT ON FUNCTION @extschema@.pt621_html_when(timestamptz, timestamptz, text) IS
'internal: a period in words; arguments: from, to, time zone';

CREATE FUNCTION @extschema@.pt621_report_html(
    devices integer[] DEFAULT NULL, period tstzrange DEFAULT NULL, title text DEFAULT NULL, time_zone text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET extra_float_digits = 1
AS $function$
DECLARE
    detailed constant integer := 20;
    zone     text := pt621_report_html.time_zone;
    bounds   record;
    fleet    record;
    heading  text := nullif(title, '');
    headed   boolean := true;
    sections text;
BEGIN
    -- Times of several zones have no common one but UTC.
    IF zone IS NULL THEN
        SELECT CASE WHEN count(DISTINCT d.time_zone) = 1 THEN @extschema@.pt621_known_zone(min(d.time_zone)) ELSE 'UTC' END INTO zone
          FROM pt621.device d
         WHERE devices IS NULL OR d.id = ANY (devices);
    END IF;
    bounds := @extschema@.pt621_html_period(devices, period, zone);
    fleet := @extschema@.pt621_html_fleet(devices, bounds.low, bounds.high, pt621_report_html.time_zone, 1000, detailed);
    -- Of one tracker the title of the page says its name.
    IF heading IS NULL AND cardinality(fleet.ids) = 1 THEN
        SELECT coalesce(nullif(d.name, ''), d.ident) INTO heading FROM pt621.device d WHERE d.id = fleet.ids[1];
        headed := false;
    END IF;
    SELECT string_agg(@extschema@.pt621_html_tracker(d.id, bounds.low, bounds.high,
                                                     coalesce(pt621_report_html.time_zone, @extschema@.pt621_known_zone(d.time_zone)), headed)
                      || CASE WHEN cardinality(fleet.ids) > 1 THEN '<p class="back"><a href="#top">All trackers</a></p>' ELSE '' END,
                      E'\n' ORDER BY t.n)
      INTO sections
      FROM unnest(fleet.ids) WITH ORDINALITY t (id, n)
      JOIN pt621.device d ON d.id = t.id
     WHERE t.n <= detailed;
    heading := coalesce(heading, 'Fleet report');
    RETURN @extschema@.pt621_page(heading, ARRAY['common.css', 'report.css'], format(
        E'<main id="top"><header class="page"><h1 class="text">%s</h1><p>%s</p><p class="muted">Made %s</p></header>\n%s\n%s</main>',
        @extschema@.pt621_page_text(heading),
        coalesce(@extschema@.pt621_html_when(bounds.low, bounds.high, zone) || ', ' || @extschema@.pt621_page_text(zone),
                 CASE WHEN period IS NULL THEN 'There are no positions yet.' ELSE 'There are no positions of this time.' END),
        @extschema@.pt621_html_time(now(), zone, 'Dy FMDD Mon YYYY HH24:MI'), fleet.html,
        coalesce(sections, '<p>Nothing is known of this time.</p>')));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_report_html(integer[], tstzrange, text, text) IS
'a report as one HTML page to read, print or mail, which loads nothing and has no script: totals, days, charts of speed and fuel, alarms, trips and stops; arguments: ids of trackers (NULL = all that were heard), period (NULL = the 7 days up to that of the newest record; an open end: that of the records), title (any text), time_zone (NULL = that of each tracker); at most 20 trackers in detail, 500 trips and stops, 200 alarms and 200 refuels and drains of each, and the page says so; error for an empty period and for a time zone that is not known';
