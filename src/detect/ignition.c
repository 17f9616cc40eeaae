/*
 * ignition.c
 *		The wired ignition bit.
 *
 * Invariant: at most one change is pending, the last one, and only while another
 * could still take it back.
 */
#include "detect/detect_private.h"

/* Gives the row of the change to what the ignition is now. */
static DetectRow
change_row(const DetectIgnition *ignition, const DetectSpot *spot)
{
	return detect_row(ignition->now == IGNITION_IS_ON ? DETECT_IGNITION_ON :
					  DETECT_IGNITION_OFF, spot);
}

static void
forget_change(DetectIgnition *ignition)
{
	ignition->pending = false;
	memset(&ignition->change, 0, sizeof(ignition->change));
}

void
detect_put_ignition(const DetectState *state, const DetectWorld *world)
{
	if (state->ignition.pending)
	{
		DetectRow	row = change_row(&state->ignition, &state->ignition.change);

		world->put(world->arg, &row);
	}
}

void
detect_ignition(DetectStep *step)
{
	DetectIgnition *ignition = &step->state->ignition;
	int64_t		debounce = step->options->ignition_debounce;
	DetectIgnitionState next = step->fix->ignition == 1 ? IGNITION_IS_ON : IGNITION_IS_OFF;
	DetectRow	row;

	if (ignition->pending && detect_span(ignition->change.time, step->fix->time) >= debounce)
		forget_change(ignition);
	if (step->fix->ignition != 0 && step->fix->ignition != 1)
		return;
	if (next == IGNITION_IS_ON)
	{
		ignition->on_seen = true;
		if (ignition->since == DETECT_NO_TIME)
			ignition->since = step->fix->time;
	}
	else if (ignition->on_seen)
		return;
	if (ignition->now == IGNITION_UNKNOWN)
		ignition->now = next;
	if (ignition->now == next)
		return;

	if (ignition->pending)
	{
		row = change_row(ignition, &ignition->change);
		step->world->take(step->world->arg, &row);
		forget_change(ignition);
		ignition->now = next;
		return;
	}
	ignition->now = next;
	row = change_row(ignition, &step->spot);
	step->world->put(step->world->arg, &row);
	if (debounce > 0)
	{
		ignition->pending = true;
		ignition->change = step->spot;
	}
}
