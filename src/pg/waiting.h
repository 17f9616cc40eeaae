/*
 * waiting.h
 *		Units whose tracker or base has not come yet.
 *
 * A tracker may send a delta before the record it refers to, on a connection
 * that has not named the tracker yet (protocol 2.3, 8).  Such units are archived
 * at once, with the reason; here they wait, so that when the rest comes they can
 * be read after all.
 *
 * Invariants.  Bounded in number and time.  Nothing but convenience is lost with
 * them: the bytes are in pt621.frame.  A list changes only when the transaction
 * in which its units were tried has committed.
 */
#ifndef PT621_PG_WAITING_H
#define PT621_PG_WAITING_H

#include "postgres.h"

#include "pg/batch.h"

#define WAITING_MAX			1024
/* Bases arrive seconds late, not minutes (protocol 2.3). */
#define WAITING_TIME		(INT64CONST(30) * USECS_PER_SEC)

typedef struct Waiting
{
	MemoryContext context;		/* of the bytes */
	BatchUnit	unit[WAITING_MAX];
	uint32		count;
	BatchUnit	next[WAITING_MAX];	/* what it becomes at commit: a ring ... */
	uint32		next_from;		/* ... that begins here */
	uint32		next_count;
} Waiting;

/* Makes an empty list in the current memory context. */
extern Waiting *waiting_new(void);

/* Adds a copy of a unit to what the list becomes; the oldest gives way. */
extern void waiting_add_next(Waiting *waiting, const BatchUnit *unit);

/* The transaction has committed, or not. */
extern void waiting_commit(Waiting *waiting);
extern void waiting_abort(Waiting *waiting);

#endif							/* PT621_PG_WAITING_H */
