/*
 * visit.c
 *		One visit to one fence: how it begins, is confirmed, and ends.
 *
 * Invariant: a visit is a row from its confirmation on, and no candidate ever was
 * one.  What counts for or against it are places alone, never the time between.
 */
#include "detect/detect_private.h"

/* Half a gap that was interpolated in, seconds; 0 = none. */
static double
uncertainty(int64_t gap)
{
	return gap > 0 ? (double) gap / (2.0 * DETECT_SECOND) : NAN;
}

/* Gives the row of a visit as it is while it is open. */
static DetectRow
open_row(const DetectVisit *visit)
{
	DetectRow	row = detect_row(DETECT_VISIT, &visit->first);

	row.fence = visit->fence;
	row.at = visit->enter_at;
	row.confirmed_at = visit->confirmed_at;
	row.enter_unknown = visit->enter_unknown;
	row.interpolated = visit->enter_gap > 0;
	row.uncertainty_s = uncertainty(visit->enter_gap);
	row.driver = visit->driver;
	return row;
}

static void
put_open(const DetectVisit *visit, const DetectWorld *world)
{
	DetectRow	row = open_row(visit);

	world->put(world->arg, &row);
}

static void
put_closed(const DetectVisit *visit, DetectTime until, int64_t exit_gap,
		   bool exit_unknown, const DetectWorld *world)
{
	DetectRow	row = open_row(visit);
	int64_t		gap = visit->enter_gap > exit_gap ? visit->enter_gap : exit_gap;

	row.until = until;
	row.exit_unknown = exit_unknown;
	row.interpolated = gap > 0;
	row.uncertainty_s = uncertainty(gap);
	row.metres = visit->metres;
	row.top_speed_kmh = visit->top_speed_kmh;
	world->put(world->arg, &row);
}

/* Puts an event of the visit, which was seen at a spot and shown by this fix. */
static void
put_event(const DetectStep *step, const DetectVisit *visit, DetectKind kind,
		  DetectTime at, int64_t gap, const DetectSpot *spot)
{
	DetectRow	row = detect_row(kind, spot);

	row.fence = visit->fence;
	row.at = at;
	row.confirmed_at = step->spot.time;
	row.interpolated = gap > 0;
	row.uncertainty_s = uncertainty(gap);
	row.driver = visit->driver;
	step->world->put(step->world->arg, &row);
}

void
detect_put_visits(const DetectState *state, const DetectWorld *world)
{
	for (uint32_t i = 0; i < state->visits_count; i++)
	{
		if (state->visits[i].phase != PHASE_CANDIDATE)
			put_open(&state->visits[i], world);
	}
}

/* Finds where the leg to this place crosses a fence, if one can say. */
static bool
crossing(DetectStep *step, const DetectFence *fence, GeoCrossing *at)
{
	const DetectSpot *from = &step->state->place;
	GeoSegment	leg = {from->lon, from->lat, step->spot.lon, step->spot.lat};

	return step->has_leg && step->gap <= step->options->pass_gap &&
		detect_leg_plausible(step) && geo_shape_crossing(fence->shape, &leg, at);
}

/* Gives the time at a fraction of the leg, at constant speed. */
static DetectTime
time_on_leg(const DetectStep *step, double fraction)
{
	double		way = fraction * (double) step->gap;
	int64_t		after = 0;

	if (way >= (double) step->gap)
		after = step->gap;
	else if (way > 0)
		after = llrint(way);
	return step->state->place.time + after;
}

/* Adds this place, which is in it. */
static void
add_inside(DetectStep *step, const DetectFence *fence, DetectVisit *visit)
{
	DetectTime	now = step->spot.time;

	visit->last_in = now;
	if (!isnan(step->speed_kmh) && !(visit->top_speed_kmh >= step->speed_kmh))
		visit->top_speed_kmh = step->speed_kmh;
	if (visit->phase == PHASE_CANDIDATE)
	{
		if (visit->fixes_in < INT32_MAX)
			visit->fixes_in++;
		if ((int64_t) visit->fixes_in < fence->min_fixes_in ||
			detect_span(visit->first.time, now) < fence->min_dwell_in)
			return;
		visit->fixes_in = 0;
		visit->phase = PHASE_IN;
		visit->confirmed_at = now;
		put_open(visit, step->world);
		if (!visit->enter_unknown)
			put_event(step, visit, DETECT_GEOFENCE_ENTER, visit->enter_at,
					  visit->enter_gap, &visit->first);
	}
	if (!visit->dwelt && fence->dwell_after > 0 &&
		detect_span(visit->enter_at, now) >= fence->dwell_after)
	{
		visit->dwelt = true;
		put_event(step, visit, DETECT_GEOFENCE_DWELL, visit->enter_at + fence->dwell_after,
				  visit->enter_gap, &step->spot);
	}
}

/* Begins a candidate with this place; unknown: nobody saw it come in. */
void
detect_visit_open(DetectStep *step, const DetectFence *fence, bool unknown,
				  DetectVisit *visit)
{
	GeoCrossing at;

	memset(visit, 0, sizeof(*visit));
	visit->fence = fence->id;
	visit->phase = PHASE_CANDIDATE;
	visit->enter_unknown = unknown;
	visit->first = step->spot;
	visit->enter_at = step->spot.time;
	visit->top_speed_kmh = NAN;
	visit->driver = step->state->driver;
	if (fence->interpolate && !unknown && crossing(step, fence, &at))
	{
		visit->enter_at = time_on_leg(step, at.last_entry);
		visit->enter_gap = step->gap;
	}
	add_inside(step, fence, visit);
}

/* Takes in a further place that is in it. */
void
detect_visit_inside(DetectStep *step, const DetectFence *fence, DetectVisit *visit)
{
	if (visit->last_in == step->state->place.time && detect_leg_driven(step))
		visit->metres += detect_leg_metres(step);
	if (visit->phase == PHASE_LEAVING)
	{
		visit->phase = PHASE_IN;
		memset(&visit->end, 0, sizeof(visit->end));
		visit->exit_at = 0;
		visit->exit_gap = 0;
		visit->fixes_out = 0;
	}
	add_inside(step, fence, visit);
}

/* Takes in a place that is not in it; tells whether the visit goes on. */
bool
detect_visit_outside(DetectStep *step, const DetectFence *fence, DetectVisit *visit)
{
	bool		far = fence->exit_buffer_m <= 0 ||
		geo_shape_metres(fence->shape, step->spot.lon, step->spot.lat,
						 fence->exit_buffer_m) > fence->exit_buffer_m;
	GeoCrossing at;

	if (visit->phase == PHASE_CANDIDATE)
		return !far;
	if (visit->phase == PHASE_IN)
	{
		visit->phase = PHASE_LEAVING;
		visit->end = step->spot;
		visit->exit_at = step->spot.time;
		if (fence->interpolate && crossing(step, fence, &at))
		{
			visit->exit_at = time_on_leg(step, at.first_exit);
			visit->exit_gap = step->gap;
		}
	}
	if (!far)
		return true;
	if (visit->fixes_out < INT32_MAX)
		visit->fixes_out++;
	if ((int64_t) visit->fixes_out < fence->min_fixes_out ||
		detect_span(visit->end.time, step->spot.time) < fence->min_dwell_out)
		return true;
	put_closed(visit, visit->exit_at, visit->exit_gap, false, step->world);
	put_event(step, visit, DETECT_GEOFENCE_EXIT, visit->exit_at, visit->exit_gap,
			  &visit->end);
	return false;
}

/* Ends it because the fence is no more, or was not for a while. */
void
detect_visit_break(const DetectVisit *visit, const DetectWorld *world)
{
	if (visit->phase != PHASE_CANDIDATE)
		put_closed(visit, visit->last_in, 0, true, world);
}

/* Puts a visit that no place lies in, if the leg to this place crosses the fence. */
void
detect_visit_pass(DetectStep *step, const DetectFence *fence)
{
	DetectRow	row = detect_row(DETECT_VISIT, &step->spot);
	GeoCrossing at;

	if (!crossing(step, fence, &at))
		return;
	row.fence = fence->id;
	row.at = time_on_leg(step, at.first);
	row.until = time_on_leg(step, at.last);
	row.interpolated = true;
	row.passed = true;
	row.uncertainty_s = uncertainty(step->gap);
	row.metres = detect_leg_metres(step) * fmax(at.last - at.first, 0);
	row.driver = step->state->driver;
	step->world->put(step->world->arg, &row);
	row.kind = DETECT_GEOFENCE_PASS;
	row.metres = NAN;
	step->world->put(step->world->arg, &row);
}

bool
detect_close_ended(DetectState *state, const DetectWorld *world,
				   bool (*ended) (void *arg, int32_t id))
{
	uint32_t	kept = 0;
	uint32_t	count = state->visits_count;

	for (uint32_t i = 0; i < count; i++)
	{
		if (ended(world->arg, state->visits[i].fence))
			detect_visit_break(&state->visits[i], world);
		else
		{
			if (kept < i)
				state->visits[kept] = state->visits[i];
			kept++;
		}
	}
	state->visits_count = kept;
	return kept < count;
}
