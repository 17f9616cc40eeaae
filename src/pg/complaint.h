/*
 * complaint.h
 *		What the log is told once a minute, however often it happens.
 */
#ifndef PT621_PG_COMPLAINT_H
#define PT621_PG_COMPLAINT_H

#include "postgres.h"

#include "utils/timestamp.h"

/* How long the log is spared what repeats itself. */
#define SAY_AGAIN_MS	60000

/* What was said last of a kind, and how often it was not; all zero at the start. */
typedef struct Complaint
{
	TimestampTz said_at;
	uint64		unsaid;
} Complaint;

/* Tells whether it should be said now, and notes that it is, or is not. */
static inline bool
complaint_is_due(Complaint *complaint, TimestampTz now)
{
	/* Also when the clock was set back. */
	if (now >= complaint->said_at &&
		now < TimestampTzPlusMilliseconds(complaint->said_at, SAY_AGAIN_MS))
	{
		complaint->unsaid++;
		return false;
	}
	complaint->said_at = now;
	return true;
}

#endif							/* PT621_PG_COMPLAINT_H */
