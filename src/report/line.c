/*
 * line.c
 *	  The track of one tracker, place by place.
 */
#include "report/line.h"

#include <math.h>

#include "geo/geo.h"

static double
metres_between(const TrackPlace *from, const TrackPlace *to)
{
	return geo_metres(from->lon, from->lat, to->lon, to->lat);
}

/* Time from one place to a later one. */
static TrackTime
span(const TrackPlace *from, const TrackPlace *to)
{
	TrackTime	time;

	return __builtin_sub_overflow(to->time, from->time, &time) ? INT64_MAX : time;
}

static bool
is_fast(double metres, TrackTime time)
{
	return metres * 3.6 > TRACK_PLAUSIBLE_KMH * ((double) time / TRACK_SECOND);
}

static bool
is_fast_leg(const TrackPlace *from, const TrackPlace *to)
{
	return is_fast(metres_between(from, to), span(from, to));
}

/* One without a speed does not say so. */
static bool
said_to_stand(const TrackPlace *place)
{
	return place->speed_kmh < TRACK_MOVING_KMH;
}

static void
tell(Track *track, const TrackPlace *place, bool crossing, double metres)
{
	TrackVertex vertex = {*place, track->part, crossing, metres};

	track->vertex(track->arg, &vertex);
}

/* Ends a part on the antimeridian, and begins another one there; gives the metres
 * that are left. */
static double
cross(Track *track, const TrackPlace *from, const TrackPlace *to, double metres)
{
	double		side = copysign(180, from->lon);
	double		whole = 360 - fabs(from->lon) - fabs(to->lon);
	/* From one end of 180 degrees to the other: that is no way at all. */
	double		share = whole > 0 ? (180 - fabs(from->lon)) / whole : 0;
	TrackPlace	cut = {
		.time = from->time + (TrackTime) llround((double) span(from, to) * share),
		.lon = side,.lat = from->lat + (to->lat - from->lat) * share,
		.speed_kmh = NAN,.course = NAN
	};
	double		before = 0;

	/* One that is on it already ends its part, or begins it, by itself. */
	if (cut.time > from->time)
	{
		before = metres * share;
		tell(track, &cut, true, before);
	}
	track->part++;
	cut.lon = -side;
	if (cut.time < to->time)
		tell(track, &cut, true, 0);
	return metres - before;
}

/* Takes in a place that is no teleport. */
static void
take(Track *track, const TrackPlace *place)
{
	const TrackPlace *last = &track->last;
	double		metres = 0;

	if (place->time < track->low || place->time >= track->high)
		return;
	if (track->has_last)
	{
		metres = metres_between(last, place);
		if (span(last, place) > track->max_gap || is_fast(metres, span(last, place)))
		{
			metres = 0;
			track->part++;
		}
		else
		{
			if (metres <= TRACK_JITTER_M && said_to_stand(last) && said_to_stand(place))
				metres = 0;
			if (fabs(place->lon - last->lon) > 180)
				metres = cross(track, last, place, metres);
		}
	}
	else
		track->part = 1;
	tell(track, place, false, metres);
	track->last = *place;
	track->has_last = true;
}

/* Settles what the place was that is held. */
static void
settle(Track *track, const TrackPlace *next)
{
	const TrackPlace *held = &track->held;

	track->has_held = false;
	if (track->has_before && next && is_fast_leg(&track->before, held) && is_fast_leg(held, next) &&
		!is_fast_leg(&track->before, next))
		return;
	take(track, held);
	track->before = *held;
	track->has_before = true;
}

void
track_step(Track *track, const TrackPlace *place)
{
	if (track->has_held)
	{
		if (place->time <= track->held.time)
			return;
		settle(track, place);
	}
	track->held = *place;
	track->has_held = true;
}

void
track_end(Track *track)
{
	if (track->has_held)
		settle(track, NULL);
}
