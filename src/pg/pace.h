/*
 * pace.h
 *		Transactions that may fail again and again, and the pauses between them.
 *
 * The listener reads nothing while a transaction runs, and users' triggers run in it.
 * Invariant.  A failure is followed by a pause in proportion to what it cost, so that
 * a trigger that hangs leaves nine tenths of the time to what trackers say.
 */
#ifndef PT621_PG_PACE_H
#define PT621_PG_PACE_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/complaint.h"

/* What the server's state refused is tried again so much later. */
#define RETRY_MS	1000

/* Of one kind of transactions; all zero at the start. */
typedef struct Pace
{
	TimestampTz pause_until;	/* none of them before; 0 = none failed */
	Complaint	complaint;
} Pace;

extern ErrorData *pace_try(Pace *pace, void (*body) (void *arg), void *arg,
						   const char *activity);
extern TimestampTz pace_next(Pace *pace);

/* Tells whether there is no pause now. */
static inline bool
pace_is_ready(Pace *pace)
{
	return GetCurrentTimestamp() >= pace_next(pace);
}

#endif							/* PT621_PG_PACE_H */
