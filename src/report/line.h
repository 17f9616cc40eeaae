/*
 * line.h
 *	  The track of one tracker: which of its places belong to it, in which parts.
 *	  doc/reports.md, paragraph 1, has the rules.
 *
 * Invariant: a track is cut where it cannot be drawn: at silences, at legs faster
 * than can be, at the antimeridian.  In a part times rise and no leg is longer
 * than 180 degrees of longitude.
 *
 * Pure C: no PostgreSQL, no I/O, no globals, no allocation.
 */
#ifndef PT621_LINE_H
#define PT621_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 2000-01-01 00:00 UTC, PostgreSQL's own. */
typedef int64_t TrackTime;

#define TRACK_SECOND	INT64_C(1000000)

/* A faster leg is none; so fast is moving; so short a leg of what does not move is
 * no distance. */
#define TRACK_PLAUSIBLE_KMH	250.0
#define TRACK_MOVING_KMH	3.0
#define TRACK_JITTER_M		15.0

typedef struct TrackPlace
{
	TrackTime	time;
	double		lon;
	double		lat;
	float		speed_kmh;		/* NAN = not said */
	float		course;			/* degrees; NAN = not said */
} TrackPlace;

/* What a track is made of: places, and where the antimeridian was crossed. */
typedef struct TrackVertex
{
	TrackPlace	place;
	int32_t		part;			/* from 1 */
	bool		crossing;		/* between two places, in proportion to time */
	double		metres;			/* from the vertex before it, as travelled; 0 = another part */
} TrackVertex;

typedef struct Track
{
	/* Set by the caller. */
	TrackTime	low;			/* the period: this and later ... */
	TrackTime	high;			/* ... and earlier than this */
	TrackTime	max_gap;
	void	   *arg;
	void		(*vertex) (void *arg, const TrackVertex *vertex);

	/* Zero at first. */
	bool		has_before;
	bool		has_held;
	bool		has_last;
	TrackPlace	before;			/* last one that is no teleport */
	TrackPlace	held;			/* whether it is one the next will tell */
	TrackPlace	last;			/* last one in the period */
	int32_t		part;
} Track;

/*
 * Takes in the next place, in order of time; of places of one time the first
 * counts.  For what is a teleport at its ends, a period takes some places before
 * and one after it.
 */
extern void track_step(Track *track, const TrackPlace *place);

/* Ends it. */
extern void track_end(Track *track);

#endif							/* PT621_LINE_H */
