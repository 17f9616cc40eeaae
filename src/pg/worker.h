/*
 * worker.h
 *		What all workers do alike: start, run transactions, survive their errors.
 */
#ifndef PT621_PG_WORKER_H
#define PT621_PG_WORKER_H

#include "postgres.h"

#include "pg/shared.h"

/* What the supervisor tells a worker (in bgw_extra). */
typedef struct WorkerOrder
{
	Oid			database;
	Oid			role;
	int			slot;
} WorkerOrder;

/* Registers the supervisor; called while shared_preload_libraries are loaded. */
extern void worker_register_supervisor(void);

/* Installs signal handlers, takes the slot and connects: to the database of the
 * order (which settles the slot too), or to none.  Ends the process when the
 * slot is taken. */
extern void worker_start(bool connect);

/*
 * Runs body in a transaction of its own, for at most timeout_ms (0 = no limit),
 * deferred triggers included.  Returns NULL, or the error that ended it, in the
 * current memory context.
 */
extern ErrorData *worker_transaction(void (*body) (void *arg), void *arg,
									 int timeout_ms, const char *activity);

/* Tells whether trying again later may help: the server's state is at fault and
 * not the data. */
extern bool worker_error_is_transient(const ErrorData *error);

/* Takes in what other processes want of this one, between transactions. */
extern void worker_absorb_interrupts(void);

/* Reads the configuration again when it was told to; true when it did. */
extern bool worker_reload(void);

extern PGDLLEXPORT void pt621_supervisor_main(Datum arg);
extern PGDLLEXPORT void pt621_listener_main(Datum arg);
extern PGDLLEXPORT void pt621_maintenance_main(Datum arg);

#endif							/* PT621_PG_WORKER_H */
