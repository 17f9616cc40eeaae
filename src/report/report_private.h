/*
 * report_private.h
 *	  How a report is made, stage by stage.
 *
 * Invariant: records go one way, and each stage hands on what nothing can change
 * any more:
 *
 *	  report.c		records of one time become one
 *	  ignition.c	it is known whether the ignition is on
 *	  engine.c		engine and idling; driver.c: drivers' turns
 *	  wait.c		a place waits until these are known up to its time
 *	  track.c		teleports are taken out, places become legs; manner.c: driving style
 *	  second.c		legs within one second become one
 *	  rest.c		it is known which legs are at rest
 *	  split.c		legs become trips, stops, unobserved legs; segment.c: their sums
 *
 * A report that begins in the middle hands on nothing of which it is not sure that
 * one over all records would hand it on too.
 */
#ifndef PT621_REPORT_PRIVATE_H
#define PT621_REPORT_PRIVATE_H

#ifdef POSTGRES_H
#error "reports must not depend on PostgreSQL"
#endif

#include "report/report.h"

#include "geo/geo.h"

#include <math.h>
#include <string.h>

/* So many legs are held that are neither a trip nor beside one yet: then what
 * there is counts as standing. */
#define REPORT_PENDING_MAX	65536

/* A stop's place is the median of so many of its places at most. */
#define REPORT_SAMPLES_MAX	1024

/* So many turns of drivers are remembered between two places: the first ones and the
 * last. */
#define REPORT_TURNS_MAX	64

/* A place of the track, and what had been up to it. */
typedef struct ReportPlace
{
	ReportTime	time;
	GeoSpot	point;
	int64_t		odometer_m;		/* -1 = not said */
	int64_t		engine;			/* how long it has been on so far */
	int64_t		idle;
	uint32_t	turns_begun;	/* before it */
	uint32_t	turns_ended;	/* before it, or at it */
	float		speed_kmh;		/* NAN = not said */
	float		course;
	int8_t		ignition;		/* 1, 0; -1 = not known */
	bool		moves;
} ReportPlace;

/* A leg: the place at its end, and how it is reached from the one before. */
typedef struct ReportLeg
{
	ReportPlace to;
	double		displacement;
	double		metres;			/* distance, as far as it counts */
	double		odometer_m;		/* NAN = not known */
	double		top_kmh;		/* of the places after its first one; NAN = not said */
	uint32_t	places;			/* so many are these */
	bool		silent;
	bool		slow;			/* it takes long, and its mean speed is no moving one */
	bool		rest;
	bool		early;			/* what was before the first record may make it rest */
	bool		carried;		/* the ignition is known off at both ends */
} ReportLeg;

/* Records that wait for a later one. */
typedef struct ReportQueue
{
	ReportFix  *fixes;
	size_t		head;
	size_t		count;			/* end of what waits */
	size_t		room;
} ReportQueue;

typedef struct ReportIgnition
{
	bool		sure;
	int8_t		now;			/* 1, 0; -1 = not known: before a pending change */
	ReportTime	known_at;		/* last record that knew */
	bool		pending;		/* a change may be taken back */
	ReportTime	change;			/* of a pending one */
	ReportQueue queue;			/* what came since the change */

	/* before it is sure: alike records that knew */
	int8_t		run;			/* -1 = none */
	ReportTime	run_from;
} ReportIgnition;

/* How long something has been so, up to some place. */
typedef struct ReportSpell
{
	ReportTime	from;
	ReportTime	until;
} ReportSpell;

typedef struct ReportSum
{
	int64_t		total;			/* of what was before the last place asked for */
	bool		open;
	ReportTime	from;			/* of an open one */
	ReportTime	counted;		/* of an open one: how far it is in the total */
	ReportSpell *spells;		/* ended after a place that waits */
	size_t		head;
	size_t		count;
	size_t		room;
} ReportSum;

typedef struct ReportEngine
{
	ReportSum	on;
	ReportTime	on_at;			/* last record with the engine on */
	ReportSum	idle;
	bool		idle_sure;
	bool		idle_ended;		/* unless the engine was off before */
	ReportTime	idle_end;
} ReportEngine;

typedef struct ReportTurn
{
	ReportTime	from;
	ReportTime	until;			/* REPORT_ENDLESS = it goes on */
	int32_t		driver;
} ReportTurn;

typedef struct ReportDriver
{
	bool		sure;
	bool		begun;			/* there was a record */
	ReportTime	sure_at;		/* end of the day of the first record */
	bool		seen_not_off;
	bool		off_seen;		/* the ignition went off after the first record */
	bool		off;			/* it is known off */
	ReportTime	off_at;
	ReportTime	known_at;		/* last record that knew the ignition */
	int32_t		heard;			/* id read while it is off; 0 = none */
	ReportTime	heard_until;	/* end of that day */
	bool		driving;
	ReportTurn	turn;
	ReportTime	day_end;		/* of the turn */

	/* turns that places may have to do with; number base + i */
	ReportTurn *turns;
	uint32_t	base;
	uint32_t	count;
	uint32_t	room;
	uint32_t	begun_count;	/* numbers, as of the last place handed on */
	uint32_t	ended_count;
} ReportDriver;

typedef struct ReportHarshRun
{
	bool		running;
	bool		from_first;		/* it began with the first step */
	ReportTime	from;
	ReportManner most;
} ReportHarshRun;

typedef struct ReportTrack
{
	bool		sure;			/* last is no teleport */
	bool		has_last;
	ReportPlace last;
	bool		held;			/* there is a place that may be a teleport */
	ReportPlace hold;
	double		hold_metres;
	bool		has_odometer;
	bool		odometer_sure;
	int64_t		odometer_m;		/* last one */
	ReportTime	odometer_at;
	uint32_t	odometer_legs;	/* since then */
	double		odometer_metres;
	bool		odometer_silent;
	ReportTime	first_at;		/* first place */
	bool		stepped;		/* there was a step of driving style */
	ReportHarshRun harsh[REPORT_TURN + 1];
} ReportTrack;

/* Legs of one second. */
typedef struct ReportSecond
{
	bool		sure;			/* `from` has been handed on */
	bool		odometer_sure;	/* of all legs after it */
	ReportPlace from;			/* first place of the second */
	bool		held;			/* there is a leg after it */
	ReportLeg	leg;			/* sum of those */
} ReportSecond;

#define REPORT_BLOCK	64

/* Where a place is on a sphere of radius 1; and a box of such. */
typedef struct ReportSpot
{
	double		at[3];
} ReportSpot;

typedef struct ReportBox
{
	double		low[3];
	double		high[3];
} ReportBox;

/* Places that a window may still reach back to.  Of the first one the leg has been
 * handed on. */
typedef struct ReportRest
{
	bool		early;			/* nothing was yet that separates a leg from the first place */
	ReportTime	first_at;
	ReportLeg  *legs;
	ReportSpot *spots;
	ReportBox  *boxes;			/* one for REPORT_BLOCK places */
	ReportBox	box;			/* one for all from `near` on */
	size_t		count;
	size_t		room;
	size_t		next;			/* first leg that has not been handed on */
	size_t		back;			/* no window to come begins before it */
	size_t		near;			/* from here on all places are near each other */
	size_t		off;			/* from here on the ignition is off, and nothing moves */
	size_t		near_marked;	/* legs up to here were marked for that */
	size_t		off_marked;
	double		chord2;			/* square of stop_radius_m, on a sphere of radius 1 */
	uint64_t	compared;		/* how many pairs and boxes, for tests */
} ReportRest;

typedef enum ReportOpen
{
	OPEN_NONE,					/* an unobserved leg was before, or nothing */
	OPEN_STOP,
	OPEN_TRIP
} ReportOpen;

/* Legs that come out of rest.c. */
typedef struct ReportSplit
{
	bool		sure;			/* open says what it is */
	bool		early;			/* the last leg was */
	bool		begun;
	ReportPlace at;				/* what was before it is settled */

	/* Legs since then: first those that are left over so far, then of the rest under way
	 * its core, then what came after its last place that does not move. */
	ReportLeg  *legs;
	size_t		head;
	size_t		count;
	size_t		room;
	size_t		left;			/* end of those left over; what follows is rest */
	size_t		core;			/* end of the core */
	double		left_metres;

	bool		resting;
	bool		cut;			/* the rest may have begun before the first sure leg */
	bool		core_begun;
	bool		core_silent;
	bool		stopped;		/* the rest is a stop */

	ReportOpen	open;
	ReportSegment segment;		/* of an open one, up to at */
	int64_t		engine;			/* when it began */
	int64_t		idle;

	uint64_t	samples_seen;
	uint64_t	stride;			/* a power of two */
	size_t		samples_count;
	double	   *lons;			/* REPORT_SAMPLES_MAX each */
	double	   *lats;
	double	   *scratch;
} ReportSplit;

struct Report
{
	ReportOptions options;
	ReportSink	sink;
	bool		whole;
	bool		folds;			/* engine and drivers are asked for */
	bool		legs;			/* segments or slices are */
	bool		begun;			/* there was a record */
	bool		first_group;	/* the group is of the first time */
	ReportTime	first_at;
	ReportTime	sure_from;		/* from here on all records are handed on */
	ReportFix	group;			/* records of the last time */
	ReportTime	now;			/* of the last record handed on; REPORT_NO_TIME = none */
	ReportIgnition ignition;
	ReportEngine engine;
	ReportDriver driver;
	ReportQueue waiting;		/* places */
	int64_t		lent_m;			/* odometer of a record that is no place; -1 = none */
	ReportTrack track;
	ReportSecond second;
	ReportRest	rest;
	ReportSplit split;
};

/* Microseconds from one time to another, whatever they are. */
static inline int64_t
report_span(ReportTime from, ReportTime to)
{
	int64_t		span;

	if (__builtin_sub_overflow(to, from, &span))
		return to > from ? INT64_MAX : INT64_MIN;
	return span;
}

static inline ReportTime
report_earlier(ReportTime a, ReportTime b)
{
	return a < b ? a : b;
}

static inline bool
report_fix_has_place(const ReportFix *fix)
{
	return !isnan(fix->lon);
}

/* Makes a top speed, NAN so far, that of something that may be faster. */
static inline void
report_take_top(double *top_kmh, double kmh)
{
	if (!isnan(kmh) && !(*top_kmh >= kmh))
		*top_kmh = kmh;
}

/* Adds to a sum that is NAN before the first addend. */
static inline void
report_add_known(double *sum, double addend)
{
	if (!isnan(addend))
		*sum = isnan(*sum) ? addend : *sum + addend;
}

/* A speed that is not said moves nothing. */
static inline bool
report_moves(const Report *report, float speed_kmh)
{
	return speed_kmh >= report->options.moving_kmh;
}

/* Tells whether a way takes so long, and leads so little far, that it was standing,
 * mostly. */
static inline bool
report_slow(const Report *report, double metres, int64_t span)
{
	return span >= report->options.rest_after &&
		metres * 3.6e6 < report->options.moving_kmh * (double) span;
}

/* Tells whether a way in some time is faster than can be. */
static inline bool
report_too_fast(const Report *report, double metres, int64_t span)
{
	return metres * 3.6e6 > report->options.plausible_kmh * (double) span;
}

/* report.c */
extern void *report_room(Report *report, void *old, size_t *room, size_t count, size_t size);
extern void report_queue_add(Report *report, ReportQueue *queue, const ReportFix *fix);
extern void report_hand_on(Report *report, const ReportFix *fix);

/* ignition.c */
extern void report_ignition(Report *report, const ReportFix *fix);
extern void report_ignition_end(Report *report);

/* engine.c */
extern void report_engine(Report *report, const ReportFix *fix);
extern void report_engine_end(Report *report);
extern ReportTime report_engine_known(const Report *report);
extern int64_t report_sum_at(ReportSum *sum, ReportTime time);
extern void report_tell_interval(Report *report, const ReportInterval *interval);

/* driver.c */
extern void report_driver(Report *report, const ReportFix *fix);
extern void report_driver_end(Report *report);
extern ReportTime report_driver_known(const Report *report);
extern void report_driver_at(Report *report, ReportPlace *place);
extern const ReportTurn *report_turn(const Report *report, uint32_t number);

/* wait.c */
extern void report_wait(Report *report, const ReportFix *fix);
extern void report_wait_end(Report *report);

/* track.c */
extern void report_track(Report *report, const ReportPlace *place);
extern void report_track_end(Report *report);

/* manner.c */
extern void report_manner(Report *report, const ReportPlace *from, const ReportPlace *to);
extern void report_manner_end(Report *report);
extern bool report_manner_sure(const Report *report);
extern ReportTime report_manner_since(const Report *report);

/* second.c */
extern void report_second_first(Report *report, const ReportPlace *place);
extern void report_second(Report *report, const ReportLeg *leg);
extern void report_second_end(Report *report);

/* rest.c */
extern void report_rest_first(Report *report, const ReportPlace *place);
extern void report_rest(Report *report, const ReportLeg *leg);
extern void report_rest_end(Report *report);

/* split.c */
extern void report_split_first(Report *report, const ReportPlace *place);
extern void report_split(Report *report, const ReportLeg *leg);
extern void report_split_end(Report *report);

/* segment.c */
extern void report_segment_begin(Report *report, ReportKind kind);
extern void report_segment_add(Report *report, const ReportLeg *leg);
extern void report_segment_tell(Report *report, bool ongoing);
extern void report_segment_unobserved(Report *report, const ReportLeg *leg);
extern void report_tell_slice(Report *report, const ReportLeg *leg, ReportKind kind);

#endif							/* PT621_REPORT_PRIVATE_H */
