/*
 * fuel_private.h
 *	  What fuel*.c share.
 */
#ifndef PT621_REPORT_FUEL_PRIVATE_H
#define PT621_REPORT_FUEL_PRIVATE_H

#include "report/fuel.h"

#define MINUTE			(60 * REPORT_SECOND)

/* The filter: a median of so much time to either side, of more when that has less
 * than FEW readings. */
#define FILTER_SIDE		(150 * REPORT_SECOND)
#define FILTER_FEW		2		/* to either side */
#define FILTER_FAR		(15 * MINUTE)

/* The level before and after: a median of so much time, of more when it has less
 * than FEW readings; of less than ENOUGH nothing is concluded if more can come. */
#define SIDE			(5 * MINUTE)
#define SIDE_FAR		(30 * MINUTE)
#define SIDE_FEW		15
#define SIDE_ENOUGH		3

#define STAND_MIN		(2 * MINUTE)	/* a shorter standing is part of the drive */
#define STAND_M			500.0
#define SLOW			(3 * MINUTE)	/* a leg so long and slow was one, for the most part */
#define WAIT			(3 * MINUTE)	/* by then it is known whether a reading is in a stay */
#define TAIL			(2 * MINUTE)	/* of a stay: by then the fuel is still */
#define TAIL_ENOUGH		5
#define CALM			(10 * MINUTE)	/* so long the level holds after a change */
#define HOLD			(3 * MINUTE)	/* at the end of all records so long is enough */
#define MERGE			(5 * MINUTE)	/* changes less apart are one */
#define ECHO			(60 * MINUTE)	/* what comes back within is a lost echo */
#define SILENCE			(60 * MINUTE)	/* nobody knows what was meanwhile */
#define SETTLE			(30 * REPORT_SECOND)	/* after the ignition comes on */
#define KEPT			(60 * MINUTE)	/* readings kept behind the one at hand */

/* One reading that counts. */
typedef struct FuelPoint
{
	ReportTime	time;
	int64_t		litres;			/* as read */
	int64_t		burnt;			/* expected to have been burnt since the beginning */
	int64_t		smooth;			/* litres + burnt, filtered */
	int64_t		metres;
	int64_t		least;			/* a smaller change is none */
	double		raw;
	uint32_t	stays;			/* how many have begun by now */
	uint32_t	blind;			/* silences with a move that are over by now */
	bool		standing;		/* in a stay, its ends included */
	bool		begins;			/* at its very beginning */
} FuelPoint;

/* Level of some readings. */
typedef struct FuelSide
{
	size_t		count;
	int64_t		level;			/* median of litres + burnt */
	double		error;			/* how wrong that may be, of their scatter */
} FuelSide;

typedef enum FuelPhase
{
	FUEL_DRIVING,
	FUEL_STAYING,
	FUEL_LEAVING				/* driving, and what the stay has changed is open */
} FuelPhase;

/* A stay as far as it has been followed. */
typedef struct FuelStay
{
	int64_t		level;			/* what changes are compared with */
	double		error;
	bool		quiet;			/* level is that of standing fuel */
	int64_t		burnt;			/* expected by when the level was read */
	FuelPoint	near;			/* last reading at that level */
	bool		changing;		/* the level has left it */

	FuelPoint	calm;			/* since when, and at which level, it has held */
	FuelPoint	last;			/* reading in it */
	bool		calm_constant;	/* with the same count always */
} FuelStay;

struct Fuel
{
	FuelOptions options;
	FuelSink	sink;

	/* Of the records. */
	bool		any;
	ReportTime	first;
	ReportTime	certain_from;	/* legs from then on are known as what they are ... */
	ReportTime	certain_since;	/* ... and from then on which of them are a stay */
	ReportTime	now;
	bool		moves;
	int8_t		ignition;		/* -1 = not known */
	ReportTime	ignition_at;
	ReportTime	on_since;
	ReportTime	place_at;
	double		lon;			/* NAN = no place yet */
	double		lat;
	int64_t		burnt;
	int64_t		metres;
	uint32_t	blind;
	uint32_t	stays;
	bool		standing;		/* a standing goes on ... */
	bool		stay;			/* ... and is long enough for a stay */
	ReportTime	standing_since;
	int32_t		table;

	/* Readings: [0, next) have been followed. */
	FuelPoint  *points;
	size_t		count;
	size_t		room;
	size_t		next;
	int64_t    *scratch;
	size_t		scratch_room;

	/* Of the readings. */
	FuelPhase	phase;
	uint32_t	seen;			/* stays that have been entered */
	FuelStay	at;
	ReportTime	since;			/* readings before it belong to the last stay */
	ReportTime	leaving_since;
	bool		has_held;		/* a change that another may be joined with */
	FuelEvent	held;
	bool		held_constant;
	int64_t		held_level;		/* what it was compared with */
	ReportTime	settled_at;
};

/* How long from one time to a later one, at most INT64_MAX. */
static inline int64_t
fuel_span(ReportTime from, ReportTime until)
{
	int64_t		span;

	return __builtin_sub_overflow(until, from, &span) ? INT64_MAX : span;
}

/* fuel_level.c */

/* Keeps a reading. */
extern void fuel_add_point(Fuel *fuel, const FuelPoint *point);

/* Drops readings that nobody needs any more. */
extern void fuel_drop_points(Fuel *fuel);

/* Sets what a reading is when it is filtered with those around it. */
extern void fuel_filter(Fuel *fuel, size_t i);

/* Gives the level of readings [from, until). */
extern FuelSide fuel_side(Fuel *fuel, size_t from, size_t until);

/* Gives the level before a reading; with it when it is asked for. */
extern FuelSide fuel_side_before(Fuel *fuel, size_t i, bool with);

/* fuel_stay.c */

/* Follows the next reading, which has been filtered. */
extern void fuel_follow(Fuel *fuel, size_t i);

/* Ends what is open: nothing follows that could be compared with it. */
extern void fuel_close(Fuel *fuel);

#endif							/* PT621_REPORT_FUEL_PRIVATE_H */
