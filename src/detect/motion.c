/*
 * motion.c
 *		Driving off and coming to a stop.
 *
 * Invariant: a run is kept only while it could become an event, or the first
 * confirmed one: one of the sort last confirmed says nothing new.
 */
#include "detect/detect_private.h"

static void
drop_run(DetectMotion *motion)
{
	motion->running = false;
	memset(&motion->first, 0, sizeof(motion->first));
	motion->last = 0;
}

/* Ends a run that fell silent. */
void
detect_motion_wait(DetectStep *step)
{
	DetectMotion *motion = &step->state->motion;

	if (motion->running && detect_span(motion->last, step->fix->time) > step->options->motion_gap)
		drop_run(motion);
}

/* Takes in a place with a speed. */
void
detect_motion_place(DetectStep *step)
{
	const DetectOptions *options = step->options;
	DetectMotion *motion = &step->state->motion;
	DetectSort	sort = motion->now == SORT_MOVING ? SORT_MOVING : SORT_STILL;
	DetectRow	row;

	if (step->speed_kmh >= options->moving_from_kmh)
		sort = SORT_MOVING;
	else if (step->speed_kmh < options->still_below_kmh)
		sort = SORT_STILL;
	if (sort != motion->now)
		drop_run(motion);
	motion->now = sort;
	if (sort == motion->confirmed)
		return;

	if (!motion->running)
	{
		motion->running = true;
		motion->first.time = step->spot.time;
		/* The first confirmed run of all is no event, so its place is of no use. */
		if (motion->confirmed != SORT_NONE)
			motion->first = step->spot;
	}
	motion->last = step->spot.time;
	if (detect_span(motion->first.time, step->spot.time) <
		(sort == SORT_MOVING ? options->motion_start_after : options->motion_stop_after))
		return;
	if (motion->confirmed != SORT_NONE)
	{
		row = detect_row(sort == SORT_MOVING ? DETECT_MOTION_START : DETECT_MOTION_STOP,
						 &motion->first);
		row.confirmed_at = step->spot.time;
		step->world->put(step->world->arg, &row);
	}
	motion->confirmed = sort;
	drop_run(motion);
}
