/*
 * gate.h
 *		Whether this database can be stored to.
 */
#ifndef PT621_PG_GATE_H
#define PT621_PG_GATE_H

#include "postgres.h"

/*
 * Finds the extension and locks it against DROP and ALTER until the transaction
 * ends.  Returns its schema, or InvalidOid and why in *reason (in the current
 * memory context) when it is absent or of another version than this library.
 */
extern Oid	gate_lock_extension(char **reason);

/*
 * Asks everything that must be true before the port opens.  Returns NULL and
 * the extension's schema when it may, else why not.
 */
extern char *gate_closed_reason(Oid *schema);

#endif							/* PT621_PG_GATE_H */
