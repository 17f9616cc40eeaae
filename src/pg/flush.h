/*
 * flush.h
 *		Stores the listener's batches: when, and what happens when that fails.
 */
#ifndef PT621_PG_FLUSH_H
#define PT621_PG_FLUSH_H

#include "postgres.h"

#include "pg/batch.h"

typedef struct Flush Flush;

/* What the flush tells of. */
typedef struct FlushHandlers
{
	/* Units from .. to - 1 are stored: what became of each is written in it. */
	void		(*stored) (Batch *batch, uint32 from, uint32 to);

	/* The server is short of memory or descriptors. */
	void		(*short_of_resources) (void);
} FlushHandlers;

/* Makes it with two empty batches, in the current memory context. */
extern Flush *flush_new(const FlushHandlers *handlers);

/* The batch to fill. */
extern Batch *flush_get_batch(Flush *flush);

/* Takes in a changed pt621.batch_size, as far as there are empty batches; the
 * others follow.  flush_get_batch() is another one then, perhaps. */
extern void flush_reload(Flush *flush);

/* How many units are not stored yet. */
extern uint32 flush_size(const Flush *flush);

/*
 * Sets the batch that was filled aside, to be stored, unless the one before it is
 * still there.  Returns true when flush_get_batch() is another one now.
 */
extern bool flush_begin(Flush *flush);

/* When a batch should be stored; DT_NOEND while there is nothing to do. */
extern TimestampTz flush_due(Flush *flush, bool full);
extern bool flush_is_due(Flush *flush, bool full);

/* Whether a try has failed for a reason that may pass, and it is too early for
 * the next. */
extern bool flush_is_backing_off(const Flush *flush);

/* From this time on nothing is tried any more. */
extern void flush_set_deadline(Flush *flush, TimestampTz deadline);

/* Makes the next try due now, and the pauses between those that follow short
 * again: what stood in the way may have gone. */
extern void flush_hurry(Flush *flush);

/*
 * Stores the batch that was set aside.  A unit that cannot be stored is archived
 * with the reason, alone; when the server is at fault the batch is kept, and
 * flush_due() says when to try again.  Returns NULL, or why nothing can be stored
 * in this database for now.
 */
extern char *flush_batch(Flush *flush);

#endif							/* PT621_PG_FLUSH_H */
