/*
 * step.c
 *		Takes in the next fix of a tracker.
 *
 * Invariant: every detector sees every fix once, in the same order, and the last
 * place is that before the fix until all of them have seen it.
 */
#include "detect/detect_private.h"

#define US_PER_HOUR		3.6e9

/* Length of the leg to this place, which there must be one of. */
double
detect_leg_metres(DetectStep *step)
{
	const DetectSpot *from = &step->state->place;

	/* Trigonometry costs more than all the rest of a step: only who needs it pays. */
	if (step->leg_metres < 0)
		step->leg_metres = geo_metres(from->lon, from->lat, step->spot.lon, step->spot.lat);
	return step->leg_metres;
}

/* Tells whether the leg to this place can have been driven at all. */
bool
detect_leg_plausible(DetectStep *step)
{
	return step->has_leg &&
		detect_leg_metres(step) / 1000.0 * US_PER_HOUR <=
		step->options->plausible_kmh * (double) step->gap;
}

/* Tells whether the leg to this place counts as driven. */
bool
detect_leg_driven(DetectStep *step)
{
	return step->has_leg && step->gap <= step->options->motion_gap &&
		detect_leg_plausible(step);
}

/* Makes an extent hold a longitude and latitude. */
static void
widen(DetectPiece *piece, double lon, double lat)
{
	GeoBox	   *box = &piece->extent;

	if (!piece->has_extent)
		*box = (GeoBox) {lon, lat, lon, lat};
	piece->has_extent = true;
	if (lon < box->west)
		box->west = lon;
	if (lon > box->east)
		box->east = lon;
	if (lat < box->south)
		box->south = lat;
	if (lat > box->north)
		box->north = lat;
}

/* Adds the fix to the piece of track that is under way. */
static void
add_to_piece(DetectStep *step)
{
	DetectPiece *piece = &step->state->piece;
	const DetectSpot *from = &step->state->place;
	const DetectSpot *to = &step->spot;

	if (piece->fixes < UINT32_MAX)
		piece->fixes++;
	if (!to->has_place)
		return;
	widen(piece, to->lon, to->lat);
	if (step->has_leg)
	{
		widen(piece, from->lon, from->lat);
		if (fabs(to->lon - from->lon) > 180)
		{
			GeoBox		box = geo_segment_extent(&(GeoSegment) {from->lon, from->lat,
												 to->lon, to->lat});

			widen(piece, box.west, box.south);
			widen(piece, box.east, box.north);
		}
	}
	if (!isnan(step->speed_kmh) && !(piece->top_speed_kmh >= step->speed_kmh))
		piece->top_speed_kmh = step->speed_kmh;
}

/* Prepares what several detectors ask; tells whether the fix is a place. */
static bool
begin(DetectStep *step)
{
	const DetectFix *fix = step->fix;
	const DetectSpot *from = &step->state->place;
	bool		place;

	step->spot.time = fix->time;
	if (fix->has_place && fabs(fix->lon) <= 180 && fabs(fix->lat) <= 90)
	{
		step->spot.has_place = true;
		/* Adding nothing makes a zero of a minus zero. */
		step->spot.lon = fix->lon + 0.0;
		step->spot.lat = fix->lat + 0.0;
	}
	step->speed_kmh = isfinite(fix->speed_kmh) && fix->speed_kmh >= 0 ?
		fix->speed_kmh + 0.0 : NAN;
	step->leg_metres = -1;
	step->limit_kmh = NAN;
	place = step->spot.has_place && !(from->has_place && from->time == fix->time);
	if (place && from->has_place)
	{
		step->has_leg = true;
		step->gap = detect_span(from->time, fix->time);
	}
	return place;
}

void
detect_step(DetectState *state, const DetectFix *fix, const DetectWorld *world)
{
	DetectStep	step = {.state = state, .fix = fix, .world = world};
	bool		place;

	/* A fault of the caller's: going back would break what is pending. */
	if (fix->time < state->time || fix->time == DETECT_NO_TIME)
		return;
	step.options = world->options(world->arg, fix->time);
	place = begin(&step);
	if (fix->time != state->time)
	{
		memset(state->alarms, 0, state->alarms_count * sizeof(state->alarms[0]));
		state->alarms_count = 0;
		state->ignition.on_seen = false;
	}

	detect_motion_wait(&step);
	detect_over_wait(&step);
	detect_alarms(&step);
	detect_ignition(&step);
	detect_driver(&step);
	detect_sensors(&step);
	if (place)
	{
		detect_fences(&step);
		if (!isnan(step.speed_kmh))
		{
			detect_motion_place(&step);
			detect_over_place(&step);
		}
	}

	add_to_piece(&step);
	state->time = fix->time;
	if (place)
		state->place = step.spot;
}
