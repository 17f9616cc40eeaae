/*
 * flush.h
 *		Stores the listener's batch: when, and what happens when that fails.
 */
#ifndef PT621_PG_FLUSH_H
#define PT621_PG_FLUSH_H

#include "postgres.h"

#include "pg/batch.h"

typedef struct Flush Flush;

/* Makes it with an empty batch, in the current memory context. */
extern Flush *flush_new(void);

/* The batch to fill; another one after it was stored, when pt621.batch_size has
 * changed. */
extern Batch *flush_get_batch(Flush *flush);

extern uint32 flush_batch_size(const Flush *flush);
static inline bool
flush_batch_is_empty(const Flush *flush)
{
	return flush_batch_size(flush) == 0;
}

/* When the batch should be stored; DT_NOEND while it is empty. */
extern TimestampTz flush_due(Flush *flush, bool full);
extern bool flush_is_due(Flush *flush, bool full);

/* Whether a try has failed for a reason that may pass, and it is too early for
 * the next: nothing should be read meanwhile. */
extern bool flush_is_backing_off(const Flush *flush);

/* From this time on nothing is tried any more. */
extern void flush_set_deadline(Flush *flush, TimestampTz deadline);

/* Makes the next try due now, and the pauses between those that follow short
 * again: what stood in the way may have gone. */
extern void flush_hurry(Flush *flush);

/*
 * Stores the batch.  A unit that cannot be stored is archived with the reason,
 * alone; when the server is at fault the batch is kept, and flush_due() says
 * when to try again.  Returns NULL, or why nothing can be stored in this
 * database for now.
 */
extern char *flush_batch(Flush *flush);

#endif							/* PT621_PG_FLUSH_H */
