/*
 * fence.c
 *		Which fences a place is in, and what that means for the visits.
 *
 * Invariant: visits are in order of fence, one of each at most, and one look at
 * the index serves visits, passing through and limits alike.
 */
#include "detect/detect_private.h"

/* Longer legs, in degrees of both directions, are measured before they are
 * looked along: one across a continent would find its every fence. */
#define LONG_LEG	0.5

static bool
is_in(const DetectFence *fence, const DetectSpot *spot)
{
	return geo_shape_covers(fence->shape, spot->lon, spot->lat);
}

/* Tells whether the leg to this place may pass through fences. */
static bool
may_pass(DetectStep *step)
{
	const DetectSpot *from = &step->state->place;

	if (!step->has_leg || step->gap > step->options->pass_gap)
		return false;
	return fabs(step->spot.lon - from->lon) + fabs(step->spot.lat - from->lat) <= LONG_LEG ||
		detect_leg_plausible(step);
}

/* Begins a candidate behind the visits there are. */
static void
open_visit(DetectStep *step, const DetectFence *fence, uint32_t at)
{
	DetectVisit *visits = detect_visits_room(step->state, step->world, at + 1);

	detect_visit_open(step, fence, !step->has_leg || is_in(fence, &step->state->place),
					  &visits[at]);
}

/* Looks whether the leg to this place passed through a fence that it is not in. */
static void
look_between(DetectStep *step, const DetectFence *fence)
{
	const DetectSpot *from = &step->state->place;
	GeoSegment	leg = {from->lon, from->lat, step->spot.lon, step->spot.lat};

	if (fence->valid_from <= from->time && geo_shape_meets(fence->shape, &leg) &&
		!is_in(fence, from))
		detect_visit_pass(step, fence);
}

/* Deals with a visit; tells whether it goes on, and sets *broken when it ended
 * because the fence is no more, or was not for a while. */
static bool
go_on(DetectStep *step, const DetectFence *fence, bool in, DetectVisit *visit,
	  bool *broken)
{
	const DetectWorld *world = step->world;

	*broken = fence == NULL ||
		world->active_since(world->arg, step->spot.time, fence->id, visit->last_in) > visit->last_in;
	if (*broken)
	{
		detect_visit_break(visit, world);
		return false;
	}
	if (!in)
		return detect_visit_outside(step, fence, visit);
	detect_visit_inside(step, fence, visit);
	return true;
}

/* Notes the limit of a fence that the place is in. */
static void
note_limit(DetectStep *step, const DetectFence *fence)
{
	if (fence->speed_limit_kmh < step->limit_kmh ||
		(isnan(step->limit_kmh) && !isnan(fence->speed_limit_kmh)))
	{
		step->limit_kmh = fence->speed_limit_kmh;
		step->limit_fence = fence->id;
	}
}

/* Brings the visits from `sorted` on among those before them. */
static void
sort_visits(DetectVisit *visits, uint32_t sorted, uint32_t count)
{
	for (; sorted < count; sorted++)
	{
		DetectVisit visit = visits[sorted];
		uint32_t	at = sorted;

		while (at > 0 && visits[at - 1].fence > visit.fence)
			at--;
		if (at == sorted)
			continue;
		memmove(&visits[at + 1], &visits[at], (sorted - at) * sizeof(visits[0]));
		visits[at] = visit;
	}
}

/* Takes in a place: goes through the fences found and the visits side by side. */
static void
look_at(DetectStep *step, const DetectFence *const *found, size_t count, bool passing)
{
	DetectState *state = step->state;
	uint32_t	old = state->visits_count;
	uint32_t	kept = 0;
	uint32_t	added = 0;		/* written behind the old ones */
	DetectVisit *visits = state->visits;
	uint32_t	i = 0;
	size_t		j = 0;

	while (i < old || j < count)
	{
		const DetectFence *fence = j < count ? found[j] : NULL;
		bool		has_visit = i < old && (fence == NULL || visits[i].fence <= fence->id);
		bool		in = false;
		bool		broken = false;

		if (fence && has_visit && visits[i].fence < fence->id)
			fence = NULL;
		if (fence)
		{
			j++;
			in = is_in(fence, &step->spot);
			if (in)
				note_limit(step, fence);
		}
		else
			fence = step->world->active(step->world->arg, step->spot.time, visits[i].fence);

		if (has_visit)
		{
			if (go_on(step, fence, in, &visits[i], &broken))
			{
				if (kept < i)
					visits[kept] = visits[i];
				kept++;
			}
			i++;
		}
		/* What broke off may begin anew; but where there was a visit nothing
		 * passed through. */
		if (in && (!has_visit || broken))
		{
			open_visit(step, fence, old + added++);
			visits = state->visits;
		}
		else if (passing && !has_visit)
			look_between(step, fence);
	}
	if (added > 0 && kept < old)
		memmove(&visits[kept], &visits[old], added * sizeof(visits[0]));
	state->visits_count = kept + added;
	sort_visits(visits, kept, kept + added);
}

void
detect_fences(DetectStep *step)
{
	const DetectSpot *from = &step->state->place;
	const DetectSpot *to = &step->spot;
	bool		passing = may_pass(step);
	GeoBox		box = {to->lon, to->lat, to->lon, to->lat};
	const DetectFence *const *found = NULL;
	size_t		count;

	if (passing)
		box = geo_segment_extent(&(GeoSegment) {from->lon, from->lat, to->lon, to->lat});
	count = step->world->near(step->world->arg, to->time, &box, &found);
	if (count > 0 || step->state->visits_count > 0)
		look_at(step, found, count, passing);
}
