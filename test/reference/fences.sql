-- fences.sql: visits to fences, and what comes of them (doc/detectors.md, 7), worked
-- out anew.  After reference.sql.
SET search_path = reference, public;

-- A segment as a line; across the antimeridian longitudes go on beyond 180.
CREATE FUNCTION segment(a geometry, b geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE
RETURN ST_MakeLine(a, CASE WHEN ST_X(b) - ST_X(a) > 180 THEN ST_Translate(b, -360, 0)
                           WHEN ST_X(b) - ST_X(a) < -180 THEN ST_Translate(b, 360, 0)
                           ELSE b END);

-- The fractions of a segment that are inside a shape: pieces, in order.
CREATE FUNCTION pieces(a geometry, b geometry, shape geometry) RETURNS nummultirange
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    line   geometry := segment(a, b);
    result nummultirange;
BEGIN
    IF ST_XMin(line) < -180 OR ST_XMax(line) > 180 THEN
        shape := ST_UnaryUnion(ST_Collect(shape, ST_Translate(shape, CASE WHEN ST_XMax(line) > 180 THEN 360 ELSE -360 END, 0)));
    END IF;
    IF NOT line && shape THEN
        RETURN NULL;
    END IF;
    SELECT range_agg(numrange(least(f.a, f.b) - 1e-12, greatest(f.a, f.b) + 1e-12, '[]')) INTO result
      FROM ST_Dump(ST_Intersection(line, shape)) d,
           LATERAL (SELECT ST_LineLocatePoint(line, CASE ST_GeometryType(d.geom) WHEN 'ST_Point' THEN d.geom ELSE ST_StartPoint(d.geom) END)::numeric,
                           ST_LineLocatePoint(line, CASE ST_GeometryType(d.geom) WHEN 'ST_Point' THEN d.geom ELSE ST_EndPoint(d.geom) END)::numeric) f (a, b)
     WHERE NOT ST_IsEmpty(d.geom);
    RETURN result;
END
$$;

-- Metres on the spheroid, an edge being straight in degrees; NULL when it is
-- certainly more than `enough`.
CREATE FUNCTION metres_from(shape geometry, place geometry, enough double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    -- In degrees, more than enough as far north as any tracker goes.
    reach double precision := (enough + 10) / 111000 / cos(radians(least(abs(ST_Y(place)) + 1, 89)));
    piece geometry;
BEGIN
    IF NOT ST_Expand(place, reach) && shape AND abs(ST_X(place)) < 170 THEN
        RETURN NULL;
    END IF;
    FOR piece IN SELECT ST_Translate(shape, s, 0) FROM unnest(ARRAY[0, 360, -360]) s LOOP
        IF ST_DWithin(piece, place, reach) THEN
            piece := ST_Segmentize(ST_Intersection(piece, ST_Expand(place, 3 * reach)), 0.001);
            RETURN ST_Distance(piece::geography, place::geography);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE PROCEDURE work_out_spots()
LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE spot;
    -- A point that differs from the boundary by rounding alone would be a matter
    -- of taste; the day has none.
    INSERT INTO spot
    SELECT r.device_id, g.id, r.n, v.revision, a.span,
           v.revision IS NOT NULL AND ST_Covers(v.shape, r.geom),
           v.revision IS NOT NULL AND b.geom IS NOT NULL AND ST_Covers(v.shape, b.geom),
           v.revision IS NOT NULL AND NOT ST_Covers(v.shape, r.geom)
               AND (v.exit_buffer_m = 0 OR coalesce(metres_from(v.shape, r.geom, v.exit_buffer_m) > v.exit_buffer_m, true))
      FROM (SELECT device_id, min(at) AS since, max(at) + interval '1 s' AS until FROM report GROUP BY device_id) d
     CROSS JOIN (SELECT DISTINCT geofence_id AS id FROM pt621.geofence_version) g
     CROSS JOIN LATERAL (SELECT active(d.device_id, g.id, d.since, d.until) AS times OFFSET 0) t
      JOIN report r ON r.device_id = d.device_id AND r.is_place
      LEFT JOIN report b ON b.device_id = r.device_id AND b.n = r.before
      LEFT JOIN LATERAL (SELECT u.span FROM unnest(t.times) u (span) WHERE u.span @> r.at) a ON true
      LEFT JOIN pt621.geofence_version v ON a.span IS NOT NULL AND v.geofence_id = g.id AND v.valid @> r.at;
END
$$;

CREATE TYPE crossing AS (at timestamptz, interpolated boolean, gap double precision);

-- What an event says of its time.
CREATE FUNCTION crossing_detail(c crossing) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN c.interpolated THEN jsonb_build_object('interpolated', true, 'uncertainty_s', c.gap / 2) END;

-- When the segment to a place enters the last time, or leaves first.
CREATE FUNCTION crossed(r report, fence integer, revision bigint, entering boolean) RETURNS crossing
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v      pt621.geofence_version;
    b      report;
    inside nummultirange;
    part   double precision;
BEGIN
    SELECT * INTO v FROM pt621.geofence_version g WHERE g.geofence_id = fence AND g.revision = crossed.revision;
    SELECT * INTO b FROM report x WHERE x.device_id = r.device_id AND x.n = r.before;
    IF NOT v.interpolate OR b IS NULL OR NOT r.plausible OR r.gap > extract(epoch FROM (options(r.at)).pass_gap) THEN
        RETURN (r.at, false, NULL)::crossing;
    END IF;
    inside := pieces(b.geom, r.geom, v.shape);
    IF inside IS NULL OR isempty(inside) THEN
        RETURN (r.at, false, NULL)::crossing;
    END IF;
    SELECT greatest(0, least(1, CASE WHEN entering THEN max(lower(p)) ELSE min(upper(p)) END)) INTO part FROM unnest(inside) p;
    RETURN (b.at + part * r.gap * interval '1 s', true, r.gap)::crossing;
END
$$;

-- A visit as it is written, when it was confirmed.
CREATE PROCEDURE end_visit(v visit, until crossing, entered crossing, unknown boolean, inside report[])
LANGUAGE plpgsql
AS $$
BEGIN
    IF v.confirmed_at IS NULL THEN
        RETURN;
    END IF;
    v.interpolated := entered.interpolated OR coalesce(until.interpolated, false);
    v.uncertainty_s := greatest(entered.gap, until.gap) / 2;
    v.exit_unknown := unknown;
    v.passed := false;
    IF until.at IS NOT NULL THEN
        v.exit_at := until.at;
        v.seconds := extract(epoch FROM until.at - v.enter_at);
        SELECT max(i.speed), coalesce(sum(i.metres) FILTER (WHERE i.driven AND i.before = i.former), 0) INTO v.top_speed_kmh, v.metres
          FROM (SELECT *, lag(n) OVER (ORDER BY n) AS former FROM unnest(inside)) i;
    END IF;
    INSERT INTO visit SELECT v.*;
END
$$;

CREATE PROCEDURE work_out_fence(tracker integer, fence integer)
LANGUAGE plpgsql
AS $$
DECLARE
    x        record;
    s        spot;
    g        pt621.geofence_version;
    r        report;
    b        report;
    v        visit;                     -- candidate or visit; enter_at NULL: out
    entered  crossing;
    first    report;                    -- the first place inside
    inside   report[];                  -- the places that were in
    last_in  timestamptz;
    left_at  crossing;                  -- the possible end
    left_on  report;
    far      integer;
    dwelt    boolean;
    was      boolean;                   -- there was a candidate or visit before
    cut      nummultirange;
    part     double precision[];
BEGIN
    FOR x IN
        SELECT s_ AS s, r_ AS r, b_ AS b, g_ AS g
          FROM spot s_
          JOIN report r_ ON r_.device_id = s_.device_id AND r_.n = s_.n
          LEFT JOIN report b_ ON b_.device_id = r_.device_id AND b_.n = r_.before
          LEFT JOIN pt621.geofence_version g_ ON g_.geofence_id = s_.geofence_id AND g_.revision = s_.revision
         WHERE s_.device_id = tracker AND s_.geofence_id = fence
         ORDER BY s_.n
    LOOP
        s := x.s;
        r := x.r;
        b := x.b;
        g := x.g;
        was := v.enter_at IS NOT NULL;

        IF was AND (s.revision IS NULL OR NOT s.active @> last_in) THEN
            CALL end_visit(v, (last_in, false, NULL)::crossing, entered, true, inside);
            v := NULL;
        END IF;
        CONTINUE WHEN s.revision IS NULL;

        IF v.enter_at IS NULL AND s.is_in THEN
            v.device_id := tracker;
            v.geofence_id := fence;
            v.enter_unknown := r.before IS NULL OR s.covers_before;
            entered := CASE WHEN v.enter_unknown THEN (r.at, false, NULL)::crossing ELSE crossed(r, fence, s.revision, true) END;
            v.enter_at := entered.at;
            SELECT d.driver INTO v.driver FROM report d
             WHERE d.device_id = tracker AND d.n <= s.n AND d.driver IS NOT NULL ORDER BY d.n DESC LIMIT 1;
            first := r;
            inside := '{}';
            left_at := NULL;
            dwelt := false;
        END IF;
        IF v.enter_at IS NOT NULL AND s.is_in THEN
            inside := inside || r;
            last_in := r.at;
            left_at := NULL;
            IF v.confirmed_at IS NULL AND cardinality(inside) >= g.min_fixes_in AND r.at - first.at >= g.min_dwell_in THEN
                v.confirmed_at := r.at;
                IF NOT v.enter_unknown THEN
                    INSERT INTO event (device_id, kind, at, geofence_id, geom, confirmed_at, detail)
                    VALUES (tracker, 'geofence_enter', v.enter_at, fence, first.geom, r.at, crossing_detail(entered));
                END IF;
            END IF;
            IF v.confirmed_at IS NOT NULL AND NOT dwelt AND r.at >= v.enter_at + g.dwell_after THEN
                INSERT INTO event (device_id, kind, at, geofence_id, geom, confirmed_at, detail)
                VALUES (tracker, 'geofence_dwell', v.enter_at + g.dwell_after, fence, r.geom, r.at, crossing_detail(entered));
                dwelt := true;
            END IF;
        ELSIF v.enter_at IS NOT NULL AND v.confirmed_at IS NULL THEN
            IF s.is_far THEN
                v := NULL;
            END IF;
        ELSIF v.enter_at IS NOT NULL THEN
            IF left_at IS NULL THEN
                left_at := crossed(r, fence, s.revision, false);
                left_on := r;
                far := 0;
            END IF;
            IF s.is_far THEN
                far := far + 1;
                IF far >= g.min_fixes_out AND r.at - left_on.at >= g.min_dwell_out THEN
                    CALL end_visit(v, left_at, entered, false, inside);
                    INSERT INTO event (device_id, kind, at, geofence_id, geom, confirmed_at, detail)
                    VALUES (tracker, 'geofence_exit', left_at.at, fence, left_on.geom, r.at, crossing_detail(left_at));
                    v := NULL;
                END IF;
            END IF;
        ELSIF NOT was AND r.plausible AND r.gap <= extract(epoch FROM (options(r.at)).pass_gap)
              AND g.valid @> b.at AND NOT s.covers_before THEN
            cut := pieces(b.geom, r.geom, g.shape);
            IF cut IS NOT NULL AND NOT isempty(cut) THEN
                part := ARRAY[greatest(lower(cut), 0), least(upper(cut), 1)];
                v := (tracker, fence, b.at + part[1] * r.gap * interval '1 s', b.at + part[2] * r.gap * interval '1 s',
                      false, false, true, true, r.gap / 2, (part[2] - part[1]) * r.gap, (part[2] - part[1]) * r.metres, NULL, NULL, r.at);
                SELECT d.driver INTO v.driver FROM report d
                 WHERE d.device_id = tracker AND d.n <= s.n AND d.driver IS NOT NULL ORDER BY d.n DESC LIMIT 1;
                INSERT INTO visit SELECT v.*;
                INSERT INTO event (device_id, kind, at, until, geofence_id, geom, confirmed_at, detail)
                VALUES (tracker, 'geofence_pass', v.enter_at, v.exit_at, fence, r.geom, r.at, crossing_detail((v.enter_at, true, r.gap)::crossing));
                v := NULL;
            END IF;
        END IF;
    END LOOP;
    IF v.enter_at IS NOT NULL THEN
        IF EXISTS (SELECT FROM pt621.geofence_version l WHERE l.geofence_id = fence AND l.valid && tstzrange(now(), NULL)) THEN
            CALL end_visit(v, NULL, entered, false, inside);
        ELSE
            CALL end_visit(v, (last_in, false, NULL)::crossing, entered, true, inside);
        END IF;
    END IF;
END
$$;
RESET search_path;
