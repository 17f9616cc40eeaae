-- 68-report-charts.sql: the charts of pt621_report_html(), drawn as SVG.
--
-- A chart is as wide as the page lets it be, and its letters are as large as those of the page: along the
-- time all is in percent, across it in pixels: 8 of margin, 150 of plot, 24 for the labels of the time.

CREATE FUNCTION @extschema@.pt621_chart_step(span double precision, most integer)
RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT min(s.digit * 10 ^ s.power)::double precision
  FROM (SELECT d.digit, p.power
          FROM unnest(ARRAY[1, 2, 5]::double precision[]) d (digit),
               generate_series(-3, 9) p (power)) s
 WHERE span <= s.digit * 10 ^ s.power * most
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart_step(double precision, integer) IS
'internal: the smallest of 1, 2, 5, 10, 20, 50, ... of which so many (2nd argument) cover a span';

CREATE FUNCTION @extschema@.pt621_chart_times(
    low timestamptz, high timestamptz, zone text, OUT at timestamptz, OUT label text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    step  interval;
    first timestamp := low AT TIME ZONE zone;
    form  text;
BEGIN
    SELECT s.step INTO step
      FROM unnest(ARRAY['1 min', '5 min', '15 min', '30 min', '1 h', '2 h', '3 h', '6 h', '12 h', '1 day', '2 days', '7 days',
                        '14 days', '1 month', '3 months', '6 months', '1 year', '2 years', '5 years', '20 years']::interval[])
           WITH ORDINALITY s (step, n)
     WHERE low + 8 * s.step >= high
     ORDER BY s.n
     LIMIT 1;
    step := coalesce(step, '100 years');
    -- Weeks begin on Monday, as this day was.
    first := CASE WHEN step < interval '1 month' THEN date_bin(step, first, '2001-01-01') ELSE date_trunc('year', first) END;
    form := CASE WHEN step < interval '1 month' THEN 'FMDD Mon' WHEN step < interval '1 year' THEN 'Mon YYYY' ELSE 'YYYY' END;
    -- A local time that a clock change leaves out has no place; of one that comes twice, the second is marked.
    RETURN QUERY
    SELECT t.place AT TIME ZONE zone,
           to_char(t.place, CASE WHEN step < interval '1 day' AND t.place::time <> '00:00' THEN 'HH24:MI' ELSE form END)
      FROM generate_series(first, high AT TIME ZONE zone, step) t (place)
     WHERE t.place AT TIME ZONE zone BETWEEN low AND high
       AND t.place AT TIME ZONE zone AT TIME ZONE zone = t.place
     ORDER BY t.place;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart_times(timestamptz, timestamptz, text) IS
'internal: round local times, 9 at most, and what to write there; arguments: from, to, time zone';

CREATE FUNCTION @extschema@.pt621_chart_readings(
    what text, device integer, low timestamptz, high timestamptz, OUT at timestamptz, OUT value double precision)
RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10000
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF what = 'speed' THEN
        -- 98304: a time of receipt, or 0 N 0 E. NaN is more than infinity.
        RETURN QUERY
        SELECT p.fix_time, p.speed_kmh::double precision
          FROM pt621.position p
         WHERE p.device_id = device AND p.fix_time >= low AND p.fix_time < high
           AND p.valid AND p.quality & 98304 = 0 AND p.speed_kmh < 'infinity';
    ELSE
        RETURN QUERY
        SELECT f.fix_time, f.litres
          FROM @extschema@.pt621_fuel(ARRAY[device], tstzrange(low, high)) f
         WHERE f.litres < 'infinity';
    END IF;
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart_readings(text, integer, timestamptz, timestamptz) IS
'internal: speeds (km/h) or litres of one tracker, in no order; arguments: speed or fuel, id of the tracker, from, to';

CREATE FUNCTION @extschema@.pt621_chart_points(
    what text, device integer, low timestamptz, high timestamptz,
    OUT at timestamptz, OUT value double precision, OUT apart boolean)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $function$
WITH reading AS (
    SELECT r.at, r.value, extract(epoch FROM r.at)::double precision AS epoch
      FROM @extschema@.pt621_chart_readings(what, device, low, high) r
), bucket AS (
    SELECT min(r.at) AS since, max(r.at) AS until,
           min(ARRAY[r.value, r.epoch]) AS lowest, max(ARRAY[r.value, r.epoch]) AS highest
      FROM reading r
     GROUP BY width_bucket(r.epoch, extract(epoch FROM low)::double precision, extract(epoch FROM high)::double precision, 480)
), broken AS (
    SELECT b.since, b.lowest, b.highest,
           coalesce(b.since - lag(b.until) OVER (ORDER BY b.since) > interval '1 h', true) AS apart
      FROM bucket b
)
SELECT to_timestamp(p.pair[2]), p.pair[1],
       b.apart AND p.pair[2] = least(b.lowest[2], b.highest[2])
  FROM broken b,
       -- One pair where they are the same reading.
       LATERAL (SELECT b.lowest AS pair UNION SELECT b.highest) p
 ORDER BY p.pair[2], b.since
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart_points(text, integer, timestamptz, timestamptz) IS
'internal: readings as those of pt621_chart_readings(), in order of time, of more than 960 the least and the greatest of each 480th of the time; apart: nothing was heard for more than an hour before';

CREATE FUNCTION @extschema@.pt621_chart_frame(
    low timestamptz, high timestamptz, zone text, step double precision, lines integer, label text, inside text)
RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10000
SET search_path = pg_catalog, pg_temp
AS $function$
SELECT format('<div class="chart"><svg class="scale" width="44" height="182" aria-hidden="true">%s</svg>'
              '<svg class="plot" height="182" role="img" aria-label="%s">%s%s%s</svg></div>',
              (SELECT string_agg(format('<text x="38" y="%s">%s</text>', 162 - n * 150 / lines, trim_scale((n * step)::numeric)), '' ORDER BY n)
                 FROM generate_series(0, lines) n),
              @extschema@.pt621_page_text(label),
              (SELECT string_agg(format('<line class="%s" x1="0" x2="100%%" y1="%2$s" y2="%2$s"/>',
                                        CASE n WHEN 0 THEN 'axis' ELSE 'grid' END, 158 - n * 150 / lines), '' ORDER BY n)
                 FROM generate_series(0, lines) n),
              (SELECT string_agg(format('<line class="tick" x1="%1$s%%" x2="%1$s%%" y1="158" y2="163"/><text class="%3$s" x="%1$s%%" y="177">%2$s</text>',
                                        t.x, t.label, CASE WHEN t.x < 4 THEN 'first' WHEN t.x > 96 THEN 'last' ELSE 'time' END
                                                      || CASE WHEN t.n % 2 = 0 THEN ' spare' ELSE '' END), '' ORDER BY t.n)
                 FROM (SELECT c.label, row_number() OVER (ORDER BY c.at) AS n,
                              round(100 * extract(epoch FROM c.at - low) / extract(epoch FROM high - low), 3) AS x
                         FROM @extschema@.pt621_chart_times(low, high, zone) c) t),
              inside)
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart_frame(timestamptz, timestamptz, text, double precision, integer, text, text) IS
'internal: axes of a chart, with what is inside; arguments: from, to, time zone, distance between the horizontal lines, how many there are above that of 0, what the chart shows (any text), SVG';

CREATE FUNCTION @extschema@.pt621_chart(
    what text, device integer, low timestamptz, high timestamptz, zone text, label text, marks jsonb DEFAULT '[]')
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100000
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    seconds double precision := extract(epoch FROM high - low);
    times   timestamptz[];
    heights double precision[];
    breaks  boolean[];
    most    double precision;
    step    double precision;
    lines   integer;
    path    text;
    marked  text;
BEGIN
    SELECT array_agg(p.at ORDER BY p.n), array_agg(p.value ORDER BY p.n), array_agg(p.apart ORDER BY p.n), max(p.value)
      INTO times, heights, breaks, most
      FROM @extschema@.pt621_chart_points(what, device, low, high) WITH ORDINALITY p (at, value, apart, n);
    IF times IS NULL THEN
        RETURN NULL;
    END IF;
    most := greatest(most, 5);
    step := @extschema@.pt621_chart_step(most, 5);
    lines := ceil(most / step);
    -- A line of no length, h0, is seen as a dot: a reading alone.
    SELECT string_agg(format(CASE WHEN p.apart THEN 'M%s %sh0' ELSE 'L%s %s' END,
                             round(extract(epoch FROM p.at - low) / seconds * 10000),
                             round(1000 - greatest(p.value, 0) / (lines * step) * 1000)), '' ORDER BY p.n)
      INTO path
      FROM ROWS FROM (unnest(times), unnest(heights), unnest(breaks)) WITH ORDINALITY p (at, value, apart, n);
    SELECT string_agg(format('<g class="%s"><circle cx="%2$s%%" cy="%3$s" r="4.5"/><text class="%4$s" x="%2$s%%" y="%5$s">%6$s</text><title>%7$s</title></g>',
                             m.kind, p.x, p.y, CASE WHEN p.x < 6 THEN 'first' WHEN p.x > 94 THEN 'last' ELSE 'time' END,
                             CASE WHEN p.y < 30 THEN p.y + 18 ELSE p.y - 9 END,
                             @extschema@.pt621_page_text(m.label), @extschema@.pt621_page_text(m.title)), '' ORDER BY m.at)
      INTO marked
      FROM jsonb_to_recordset(marks) m (kind text, at timestamptz, value double precision, label text, title text),
           LATERAL (SELECT round((extract(epoch FROM m.at - low) / seconds * 100)::numeric, 3) AS x,
                           round(158 - least(greatest(m.value, 0) / (lines * step), 1) * 150) AS y) p
     WHERE m.at >= low AND m.at <= high;
    RETURN @extschema@.pt621_chart_frame(low, high, zone, step, lines, label,
               format('<svg y="8" width="100%%" height="150" viewBox="0 0 10000 1000" preserveAspectRatio="none"><path class="%s" d="%s"/></svg>%s',
                      what, path, marked));
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_chart(text, integer, timestamptz, timestamptz, text, text, jsonb) IS
'internal: a chart as HTML with SVG, or NULL where nothing was read; arguments: as of pt621_chart_readings(), time zone, what it shows (any text), marks: an array of objects with kind (a class), at, value, label and title (any text)';
