/*
 * settle.h
 *		What became of commands and photos, until it is written down.
 *
 * Invariant.  A trigger that fails for one of them keeps only those waiting that were
 * written down together with it: they are suspects then, each dealt with alone.
 */
#ifndef PT621_PG_SETTLE_H
#define PT621_PG_SETTLE_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/downlink_sql.h"

/* Prepares it, in the current memory context. */
extern void settle_init(void);

/* Makes room for so many more commands (may raise), which must be there for each that
 * is noted. */
extern void settle_reserve(int more);
extern void settle_command(int64 id, int64 conn, Settlement what);

/* Notes that a photo cannot be had; where there is no room for that, it is asked for
 * again when its tracker comes back. */
extern void settle_photo_failed(int64 photo);

/* Tells whether so much waits already that nothing should be sent. */
extern bool settle_is_full(void);

/* Writes it down, as far as that can be done now. */
extern void settle(void);

/* When settle() has something to do; DT_NOEND = nothing waits. */
extern TimestampTz settle_next(void);

/* Tries it once more, pause or not: the worker ends. */
extern void settle_finish(void);

#endif							/* PT621_PG_SETTLE_H */
