/*
 * state.c
 *		The state of a tracker: made, asked, cut into pieces.
 *
 * Invariant: all memory comes from the caller's grow() and is never given back:
 * it goes with the caller's.
 */
#include "detect/detect_private.h"

DetectState *
detect_new(const DetectWorld *world)
{
	DetectState *state = world->grow(world->arg, NULL, sizeof(*state));

	memset(state, 0, sizeof(*state));
	state->time = DETECT_NO_TIME;
	state->ignition.since = DETECT_NO_TIME;
	detect_cut_piece(state);
	return state;
}

/* Makes room for so many visits. */
DetectVisit *
detect_visits_room(DetectState *state, const DetectWorld *world, uint32_t count)
{
	if (count > state->visits_room)
	{
		uint32_t	room = count + count / 2 + 4;

		state->visits = world->grow(world->arg, state->visits,
									(size_t) room * sizeof(state->visits[0]));
		state->visits_room = room;
	}
	return state->visits;
}

/* Makes room for so many sensors. */
DetectSensor *
detect_sensors_room(DetectState *state, const DetectWorld *world, uint32_t count)
{
	if (count > state->sensors_room)
	{
		uint32_t	room = count + count / 2 + 4;

		state->sensors = world->grow(world->arg, state->sensors,
									 (size_t) room * sizeof(state->sensors[0]));
		state->sensors_room = room;
	}
	return state->sensors;
}

DetectTime
detect_time(const DetectState *state)
{
	return state->time;
}

DetectTime
detect_ignition_since(const DetectState *state)
{
	return state->ignition.since;
}

bool
detect_has_visits(const DetectState *state)
{
	return state->visits_count > 0;
}

void
detect_put_open(const DetectState *state, const DetectWorld *world)
{
	detect_put_visits(state, world);
	detect_put_over(state, world);
	detect_put_repeats(state, world);
	detect_put_ignition(state, world);
	detect_put_sensors(state, world);
}

const DetectPiece *
detect_piece(const DetectState *state)
{
	return &state->piece;
}

void
detect_cut_piece(DetectState *state)
{
	memset(&state->piece, 0, sizeof(state->piece));
	state->piece.since = state->time;
	state->piece.top_speed_kmh = NAN;
}
