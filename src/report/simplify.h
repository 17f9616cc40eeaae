/*
 * simplify.h
 *	  Fewer places for the same track: who looks up where the tracker was at the
 *	  time of a place that is gone finds it as near as was asked for.
 *
 * Invariant: time and memory are linear in the number of places, whatever they
 * are.
 *
 * Pure C: no PostgreSQL, no I/O, no globals, no allocation.
 */
#ifndef PT621_SIMPLIFY_H
#define PT621_SIMPLIFY_H

#include <stdbool.h>
#include <stddef.h>

/* As in WKB, point by point: degrees, and seconds since 1970. */
typedef struct SimplifyPlace
{
	double		lon;
	double		lat;
	double		time;
} SimplifyPlace;

/* What is being done; places[0 .. kept - 1] is the result so far. */
typedef struct Simplify
{
	SimplifyPlace *places;
	size_t		count;
	size_t		kept;
	size_t		anchor;			/* which of the given ones was kept last */
	double		tolerance_m;
} Simplify;

/* Tells whether the places are finite, latitudes on the earth, and the times rise. */
extern bool simplify_is_track(const SimplifyPlace *places, size_t count);

/* Begins with places that are a track; they are overwritten.  tolerance_m: 0 or more. */
extern void simplify_start(Simplify *simplify, SimplifyPlace *places, size_t count,
						   double tolerance_m);

/* Finds the next place to keep; false when the last one is kept. */
extern bool simplify_step(Simplify *simplify);

#endif							/* PT621_SIMPLIFY_H */
