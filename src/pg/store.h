/*
 * store.h
 *		From units to rows.
 */
#ifndef PT621_PG_STORE_H
#define PT621_PG_STORE_H

#include "postgres.h"

#include "pg/batch.h"

/* What storing did, added to what the caller has there. */
typedef struct StoreResult
{
	uint64		units;
	uint64		rejected;		/* units with an error */
	uint64		positions;		/* rows that are new in pt621.position */
	uint64		duplicates;		/* records that were there already */
} StoreResult;

struct Waiting;

/*
 * Stores the units from .. to - 1 of a batch in the current transaction:
 * archive, trackers, their state and positions, all or nothing.
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

/*
 * Calls pt621_fire_deferred(), which see.  Does nothing inside another run, which
 * will do it at its end.
 */
extern void store_fire_deferred(Oid schema);

#endif							/* PT621_PG_STORE_H */
