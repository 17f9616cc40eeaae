/*
 * store.h
 *		From units to rows.
 */
#ifndef PT621_PG_STORE_H
#define PT621_PG_STORE_H

#include "postgres.h"

#include "pg/batch.h"

/* Most connections that one run takes a tracker away from. */
#define DISPLACED_MAX	64

/* What storing did, added to what the caller has there. */
typedef struct StoreResult
{
	uint64		units;
	uint64		positions;		/* rows that are new in pt621.position */
	uint64		duplicates;		/* records that were there already */
	uint64		conflicts;		/* units of a tracker that another connection had */
	uint32		displaced_count;
	int64		displaced[DISPLACED_MAX];	/* connections that are to be closed */
} StoreResult;

/*
 * Called between the statements of a run, for what must not wait until its end:
 * datagrams.  It may raise nothing.  NULL = nothing.
 */
extern void (*store_pause) (void);

/* Tells whether a tracker reports too often; NULL = none does. */
extern bool (*store_over_rate) (const SourceIdent *ident);

struct Waiting;

/*
 * Stores the units from .. to - 1 of a batch in the current transaction:
 * archive, trackers, their state and positions, all or nothing.  What becomes of
 * each is written into it.  With from = to it looks whether what `waiting` holds
 * can be read now.
 *
 * schema: of the extension.  poison: NULL, or why the single unit given cannot
 * be stored; then it is archived with that reason and goes no further.
 * waiting: units of earlier batches whose tracker or base may have come now, or
 * NULL; those that are still without are left there, and new ones added, once
 * the caller has committed and called waiting_commit().
 * Raises what the statements and the users' triggers raise.
 */
extern void store_batch(Batch *batch, uint32 from, uint32 to, Oid schema,
						const char *poison, struct Waiting *waiting,
						StoreResult *result);

/* Tells a run that this session may be in the middle of that it does not know any
 * more what the tables hold. */
extern void store_disturb(void);

#endif							/* PT621_PG_STORE_H */
