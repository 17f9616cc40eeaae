/*
 * deferred.h
 *		What users' triggers leave behind in the session of a caller.
 */
#ifndef PT621_PG_DEFERRED_H
#define PT621_PG_DEFERRED_H

#include "postgres.h"

#include "utils/array.h"

/* What deferred_end() has to know of the time before. */
typedef struct Deferred
{
	Oid			schema;			/* of the extension */
	ArrayType  *before;			/* NULL: inside another run, which sees to it */
	int			settings;		/* level that they go back to */
} Deferred;

/*
 * Begins a function that stores for its caller; raises an error when it runs as
 * a superuser.  schema: of the extension.
 */
extern void deferred_begin(Deferred *deferred, Oid schema);

/*
 * Fires what users' triggers have put off until the commit since then, which see
 * pt621_fire_deferred(), and takes back what they have SET.  Raises what the
 * triggers raise; an error needs no call, since it takes back all of that.
 */
extern void deferred_end(Deferred *deferred);

#endif							/* PT621_PG_DEFERRED_H */
