/*
 * simplify.c
 *	  Fewer places for the same track.
 *
 * From a place that is kept, the anchor, a straight and even drive to a later one
 * passes near each place between when its velocity lies in all of some discs: that
 * of a place has its distance from the anchor, over the time, as its centre and
 * the tolerance, over the time, as its radius.  Polygons within the discs, with
 * sides of the same directions for all, are intersected by a comparison for each
 * direction.  So nothing is looked at twice but LOOK_AHEAD places.
 *
 * Invariant: what is only nearly right errs to the side of keeping a place.
 */
#include "report/simplify.h"

#include <math.h>
#include <string.h>

#include "geo/geo.h"

#define RADIANS		(M_PI / 180)
#define METRES_PER_DEGREE	(GEO_SPHERE_M * RADIANS)

/* How far beyond the last place that could be kept another one is looked for. */
#define LOOK_AHEAD	32

/* Pairs of sides: the polygon has twice as many, and keeps this part of the radius. */
#define DIRECTIONS	8

/* Velocities that are still possible, degrees of latitude per second, along each
 * direction. */
typedef struct Velocities
{
	double		low[DIRECTIONS];
	double		high[DIRECTIONS];
} Velocities;

static const double direction[DIRECTIONS][2] =
{
	{1, 0}, {0.92387953251128674, 0.38268343236508978},
	{0.70710678118654752, 0.70710678118654752}, {0.38268343236508978, 0.92387953251128674},
	{0, 1}, {-0.38268343236508978, 0.92387953251128674},
	{-0.70710678118654752, 0.70710678118654752}, {-0.92387953251128674, 0.38268343236508978}
};

/* Cosine of half the angle between two of them. */
#define INSCRIBED	0.98078528040323043

bool
simplify_is_track(const SimplifyPlace *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (!isfinite(places[i].lon) || !isfinite(places[i].time) || !(fabs(places[i].lat) <= 90) ||
			(i > 0 && !(places[i].time > places[i - 1].time)))
			return false;
	}
	return true;
}

void
simplify_start(Simplify *simplify, SimplifyPlace *places, size_t count, double tolerance_m)
{
	simplify->places = places;
	simplify->count = count;
	simplify->kept = count > 0 ? 1 : 0;
	simplify->anchor = 0;
	simplify->tolerance_m = tolerance_m;
}

/* The largest cosine of a latitude that is no farther from a place than this:
 * what lies between is no longer than if degrees of longitude were so long. */
static double
widest(double lat, double degrees)
{
	return cos(fmax(fabs(lat) - degrees, 0) * RADIANS);
}

/* Leaves the velocities that pass near a place; false when there are none. */
static bool
narrow(Velocities *left, double east, double north, double radius)
{
	for (int i = 0; i < DIRECTIONS; i++)
	{
		double		along = east * direction[i][0] + north * direction[i][1];

		left->low[i] = fmax(left->low[i], along - radius);
		left->high[i] = fmin(left->high[i], along + radius);
		if (left->low[i] > left->high[i])
			return false;
	}
	return true;
}

static bool
is_left(const Velocities *left, double east, double north)
{
	for (int i = 0; i < DIRECTIONS; i++)
	{
		double		along = east * direction[i][0] + north * direction[i][1];

		if (!(along >= left->low[i] && along <= left->high[i]))
			return false;
	}
	return true;
}

/* Finds the last place that the anchor can be followed by, as far as is looked. */
static size_t
find_next(const Simplify *simplify)
{
	const SimplifyPlace *anchor = &simplify->places[simplify->anchor];
	double		degrees = simplify->tolerance_m / METRES_PER_DEGREE;
	double		scale = cos(anchor->lat * RADIANS);
	size_t		found = simplify->anchor + 1;
	Velocities	left;

	for (int i = 0; i < DIRECTIONS; i++)
	{
		left.low[i] = -INFINITY;
		left.high[i] = INFINITY;
	}
	for (size_t i = found; i < simplify->count && i - found <= LOOK_AHEAD; i++)
	{
		const SimplifyPlace *place = &simplify->places[i];
		double		time = place->time - anchor->time;
		double		east = (place->lon - anchor->lon) * scale / time;
		double		north = (place->lat - anchor->lat) / time;
		/* Where degrees are longer than at the anchor, fewer of them are near. */
		double		shrink = fmin(1, scale / widest(place->lat, degrees));

		if (is_left(&left, east, north))
			found = i;
		if (!narrow(&left, east, north, degrees * shrink * INSCRIBED / time))
			break;
	}
	return found;
}

bool
simplify_step(Simplify *simplify)
{
	size_t		next;

	if (simplify->anchor + 1 >= simplify->count)
		return false;
	next = find_next(simplify);
	/* A place is overwritten only when it has been passed. */
	simplify->places[simplify->kept++] = simplify->places[next];
	simplify->anchor = next;
	return true;
}
