/*
 * maintenance.c
 *		The worker that makes and drops partitions, so that no reader of the wire
 *		does.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/gate.h"
#include "pg/settings.h"
#include "pg/worker.h"

/* Partitions are made months ahead; this is how soon one put off is retried. */
#define MAINTENANCE_TURN_MS	60000
/* After a partition was made or dropped there may be more: one drop at a time, so
 * that who waited for its locks has had a turn. */
#define MAINTENANCE_AGAIN_MS	100
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
	Datum		done;
	bool		isnull;
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
	done = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull && DatumGetInt32(done) > 0)
		*next_ms = MAINTENANCE_AGAIN_MS;
	SPI_finish();
}

PG_FUNCTION_INFO_V1(pt621_retention);

/*
 * pt621_retention(table): how long partitions of this table are kept, or NULL for
 * ever.
 *
 * Not by current_setting(): that knows nothing of the setting before the library
 * is loaded, and gives it in whatever unit it was written.
 */
Datum
pt621_retention(PG_FUNCTION_ARGS)
{
	char	   *table = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Interval   *kept;
	int			minutes;

	if (strcmp(table, "frame") == 0)
		minutes = setting_retention_frames;
	else if (strcmp(table, "position") == 0)
		minutes = setting_retention_positions;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no retention", table)));
	if (minutes == 0)
		PG_RETURN_NULL();
	kept = palloc0(sizeof(Interval));
	kept->time = minutes * USECS_PER_MINUTE;
	PG_RETURN_INTERVAL_P(kept);
}

void
pt621_maintenance_main(Datum arg)
{
	MemoryContext turn;

	worker_start(true);
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
								   "making and dropping partitions");
		if (error)
		{
			shared_set_error(error->sqlerrcode, error->message);
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
