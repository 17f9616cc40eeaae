/*
 * maintenance.c
 *		The worker that makes partitions, so that no reader of the wire does.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/gate.h"
#include "pg/worker.h"

/* Partitions are made months ahead; this is how soon one put off is retried. */
#define MAINTENANCE_TURN_MS	60000
/* How often it looks whether tables that were not fit have become so. */
#define MAINTENANCE_CLOSED_MS	5000
/* Generous: moving stray rows may take a while, waiting for a lock may not. */
#define MAINTENANCE_LIMIT_MS	600000

/* Calls pt621_maintain(), where the tables are fit for it. */
static void
maintain(void *arg)
{
	int		   *next_ms = arg;
	Oid			schema;
	char	   *reason = gate_closed_reason(&schema);

	if (reason)
	{
		shared_set_state(WORKER_CLOSED, reason, 0);
		*next_ms = MAINTENANCE_CLOSED_MS;
		return;
	}
	shared_set_state(WORKER_OPEN, "", 0);
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute(psprintf("SELECT %s.pt621_maintain()",
							 quote_identifier(get_namespace_name(schema))),
					false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not call pt621_maintain()");
	SPI_finish();
}

void
pt621_maintenance_main(Datum arg)
{
	MemoryContext turn;

	worker_start(WORKER_MAINTENANCE, true);
	turn = AllocSetContextCreate(TopMemoryContext, "pt621 maintenance turn",
								 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(turn);
	while (!ShutdownRequestPending)
	{
		ErrorData  *error;
		int			next_ms = MAINTENANCE_TURN_MS;

		worker_absorb_interrupts();
		worker_reload();
		error = worker_transaction(maintain, &next_ms, MAINTENANCE_LIMIT_MS,
								   "making partitions");
		if (error)
		{
			shared_set_error(error->message);
			ereport(LOG,
					(errcode(error->sqlerrcode),
					 errmsg("pt621: partitions were not made: %s", error->message)));
		}
		MemoryContextReset(turn);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 next_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	proc_exit(1);
}
