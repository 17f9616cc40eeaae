/*
 * overspeed.c
 *		Episodes over the limit.
 *
 * Invariant: there is one episode at most, and it is forgotten with the first fix
 * that comes too late to go on with it.
 */
#include "detect/detect_private.h"

/* Gives the row of the episode as it is while it is open. */
static DetectRow
open_row(const DetectOver *over)
{
	DetectRow	row = detect_row(DETECT_OVERSPEED, &over->first);

	row.fence = over->fence;
	row.confirmed_at = over->confirmed_at;
	row.limit_kmh = over->limit_kmh;
	return row;
}

void
detect_put_over(const DetectState *state, const DetectWorld *world)
{
	if (state->over.active && state->over.shown)
	{
		DetectRow	row = open_row(&state->over);

		world->put(world->arg, &row);
	}
}

/* Ends an episode that nothing came to go on with in time. */
void
detect_over_wait(DetectStep *step)
{
	DetectOver *over = &step->state->over;
	DetectTime	now = step->fix->time;

	if (!over->active)
		return;
	if (!(over->ending && detect_span(over->end, now) > step->options->overspeed_merge) &&
		detect_span(over->last, now) <= step->options->overspeed_gap)
		return;
	if (over->shown)
	{
		DetectRow	row = open_row(over);

		row.until = over->ending ? over->end : over->last;
		row.metres = over->metres;
		row.top_speed_kmh = over->peak_kmh;
		row.mean_excess_kmh = over->excess_kmh / over->count;
		row.peak_at = over->peak.time;
		row.peak_lon = over->peak.lon;
		row.peak_lat = over->peak.lat;
		step->world->put(step->world->arg, &row);
	}
	memset(over, 0, sizeof(*over));
}

/* Adds a place that is over the limit. */
static void
add_over(DetectStep *step, double limit)
{
	DetectOver *over = &step->state->over;

	if (!over->active)
	{
		over->active = true;
		over->first = step->spot;
		over->limit_kmh = limit;
		over->fence = step->limit_fence;
	}
	/* The place before it was over when it was the last one with a speed. */
	else if (!over->ending && step->has_leg && over->last == step->state->place.time &&
			 detect_leg_driven(step))
		over->metres += detect_leg_metres(step);
	over->ending = false;
	over->end = 0;
	if (over->count == 0 || step->speed_kmh > over->peak_kmh)
	{
		over->peak_kmh = step->speed_kmh;
		over->peak = step->spot;
	}
	over->excess_kmh += step->speed_kmh - limit;
	if (over->count < UINT32_MAX)
		over->count++;
}

/* Takes in a place with a speed, after the fences told their limit. */
void
detect_over_place(DetectStep *step)
{
	DetectOver *over = &step->state->over;
	double		limit = isnan(step->limit_kmh) ? step->options->speed_limit_kmh : step->limit_kmh;

	bool		shows = true;

	/* No limit is a NAN, which nothing is more than. */
	if (step->speed_kmh > limit + step->options->overspeed_tolerance_kmh)
		add_over(step, limit);
	else if (!over->active)
		return;
	else if (!over->ending)
	{
		over->ending = true;
		over->end = step->spot.time;
	}
	else
		shows = false;
	over->last = step->spot.time;
	if (shows && !over->shown &&
		detect_span(over->first.time, over->last) >= step->options->overspeed_min)
	{
		DetectRow	row;

		over->shown = true;
		over->confirmed_at = step->spot.time;
		row = open_row(over);
		step->world->put(step->world->arg, &row);
	}
}
