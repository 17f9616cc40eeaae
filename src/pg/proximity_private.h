/*
 * proximity_private.h
 *		A look at the tracks of a pair: private to proximity*.c.
 */
#ifndef PT621_PG_PROXIMITY_PRIVATE_H
#define PT621_PG_PROXIMITY_PRIVATE_H

#include "postgres.h"

#include "common/int.h"
#include "executor/spi.h"
#include "utils/memutils.h"

#include "detect/proximity.h"
#include "pg/proximity.h"

/* partner_gap of pt621.detection, from some time on. */
typedef struct ProximityGap
{
	TimestampTz valid_from;
	int64		gap;			/* microseconds */
} ProximityGap;

typedef struct ProximityGaps
{
	ProximityGap *gaps;			/* by time */
	int			count;
	int64		longest;
} ProximityGaps;

/* Two trackers, and what is near. */
typedef struct ProximityPair
{
	Oid			schema;			/* of the extension */
	const ProximityGaps *gaps;
	int32		id[2];
	double		near_m;
	double		far_m;
	TimestampTz since;			/* earlier records are none of the pair's */
	DetectText	partner;		/* ident of the second one */
} ProximityPair;

/* An episode, as far as a scan has seen it. */
typedef struct ProximityFound
{
	ProximityEpisode episode;
	bool		begun_before;	/* its beginning was not seen ... */
	bool		goes_on;		/* ... nor its end, but there is one or more to come */
} ProximityFound;

/*
 * A look at a pair from some time on.
 *
 * Samples that are near, apart or unknown say by themselves what the pair is: with
 * the first of them it is settled.
 */
typedef struct ProximityScan
{
	const ProximityPair *pair;
	MemoryContext context;		/* of what is found */

	/* what is asked */
	TimestampTz from;			/* of the first sample */
	TimestampTz settle_by;		/* it fails when it is not settled by then */
	TimestampTz until;			/* it ends with the first sample from here on that settles */
	TimestampTz before;			/* later records are not looked at; DT_NOEND */
	bool		whole;			/* only not being near settles: no episode is seen in part */
	bool		settled;		/* from the start: not near, but for ... */
	bool		resumed;		/* ... an open episode that it goes on with, in `fold` */

	/* what is found */
	bool		failed;
	TimestampTz first;			/* place that it read; DT_NOEND */
	TimestampTz start;			/* of what it says, the settling sample; DT_NOBEGIN */
	TimestampTz end;			/* likewise; DT_NOEND = there are no more records */
	bool		start_near;
	ProximityFound *found;		/* by time */
	int			count;

	/* its own */
	bool		done;
	bool		begun_before;
	int			room;
	ProximityFold fold;
} ProximityScan;

/* A time some span before or after another one, which may be infinite. */
static inline TimestampTz
proximity_plus(TimestampTz time, int64 span)
{
	TimestampTz result;

	if (TIMESTAMP_NOT_FINITE(time))
		return time;
	if (pg_add_s64_overflow(time, span, &result))
		return span < 0 ? DT_NOBEGIN : DT_NOEND;
	return result;
}

extern void proximity_scan(ProximityScan *scan);

typedef enum ProximityStatement
{
	SQL_ANY_LINK,
	SQL_LINKS,
	SQL_LOCK,
	SQL_GAPS,
	SQL_PLACES,
	SQL_PLACE_BEFORE,
	SQL_PLACE_AFTER,
	SQL_LIVE,
	PROXIMITY_STATEMENTS
} ProximityStatement;

extern uint64 proximity_run(Oid schema, ProximityStatement statement, Datum *values);
extern SPIPlanPtr proximity_plan(Oid schema, ProximityStatement statement);

/* Reads the pairs that the trackers of periods belong to; within SPI. */
extern ProximityPair *proximity_read_pairs(Oid schema, const DerivePeriod *periods, int count,
										   const ProximityGaps *gaps, uint64 *pairs);

/*
 * Locks the states of pairs.  Most of them are locked already, but a link may have
 * come since.
 */
extern void proximity_lock_pairs(const ProximityPair *pairs, uint64 count);

/* Reads partner_gap; within SPI, into the current context. */
extern void proximity_read_gaps(Oid schema, ProximityGaps *gaps, MemoryContext context);

#endif							/* PT621_PG_PROXIMITY_PRIVATE_H */
