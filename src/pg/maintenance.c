/*
 * maintenance.c
 *		The worker that does what recurs: makes and drops partitions, so that no
 *		reader of the wire does, and keeps the log of who can be heard.
 *
 * Invariant.  Each task runs in a transaction of its own and at its own times:
 * one that fails, or is put off, does not keep the others from running.
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

/* How often it looks whether tables that were not fit have become so. */
#define MAINTENANCE_CLOSED_MS	5000
/* The longest between two calls of a task.  One that failed waits so long: it
 * will mostly fail again, with another line in the log. */
#define MAINTENANCE_LONGEST_MS	60000

/* A function without arguments, called again and again. */
typedef struct Task
{
	const char *function;		/* returns an integer: how much it did */
	const char *activity;		/* for pg_stat_activity */
	const char *failure;		/* for the log, before the error */
	int			interval_ms;	/* between two calls ... */
	int			again_ms;		/* ... after one that did something */
	int			limit_ms;		/* for one call; half of it for a lock */
	TimestampTz due;
} Task;

static Task tasks[] = {
	/* Partitions are made months ahead; the interval is how soon one put off is
	 * retried.  After one was made or dropped there may be more: one drop at a
	 * time, so that who waited for its locks has had a turn.  The limit is
	 * generous: moving stray rows may take a while, waiting for a lock may not. */
	{"pt621_maintain", "making and dropping partitions", "partitions were not made",
		MAINTENANCE_LONGEST_MS, 100, 600000, 0},
	{"pt621_presence_tick", "looking who can be heard", "presence was not logged",
		10000, 10000, 10000, 0},
	/* What is sent at once is sent by the listeners; this sees to the rest. */
	{"pt621_command_tick", "looking after commands", "commands were not looked after",
		5000, 5000, 10000, 0},
	/* A few trackers at a time, since a batch waits for the states locked. */
	{"pt621_settle_geofences", "looking after fences that were changed", "fences were not looked after",
		2000, 10, 30000, 0},
	/* One tracker at a time: that may be all of its past. */
	{"pt621_settle_sensors", "looking after sensors that were changed", "sensors were not looked after",
		2000, 10, 600000, 0},
	/* One plan at a time.  Of one that was served long ago there is much to read,
	 * but while several take too long, one after the other, nothing else is done. */
	{"pt621_maintenance_tick", "looking which services are due", "services were not looked after",
		MAINTENANCE_LONGEST_MS, 10, 60000, 0}
};

/* Calls a task's function, where the tables are fit for it. */
static void
run_task(void *arg)
{
	Task	   *task = arg;
	Oid			schema;
	Datum		done;
	bool		isnull;
	char	   *reason = gate_closed_reason(&schema);
	int			next_ms = task->interval_ms;

	if (reason)
	{
		shared_set_state(WORKER_CLOSED, reason, 0);
		next_ms = MAINTENANCE_CLOSED_MS;
	}
	else
	{
		shared_set_state(WORKER_OPEN, "", 0);
		if (SPI_connect() != SPI_OK_CONNECT ||
			SPI_execute(psprintf("SELECT %s.%s()", quote_identifier(get_namespace_name(schema)),
								 task->function),
						false, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not call %s()", task->function);
		done = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		if (!isnull && DatumGetInt32(done) > 0)
			next_ms = task->again_ms;
		SPI_finish();
	}
	task->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), next_ms);
}

/* Tells how long a task can still wait: not at all, when the clock was put back. */
static long
wait_ms(const Task *task)
{
	long		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), task->due);

	return ms > MAINTENANCE_LONGEST_MS ? 0 : ms;
}

/* Runs what is due; returns how many milliseconds later there will be more. */
static long
run_tasks(void)
{
	long		next_ms = MAINTENANCE_LONGEST_MS;

	for (Size i = 0; i < lengthof(tasks) && !ShutdownRequestPending; i++)
	{
		Task	   *task = &tasks[i];
		ErrorData  *error;

		if (wait_ms(task) == 0)
		{
			task->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), MAINTENANCE_LONGEST_MS);
			error = worker_transaction(run_task, task, task->limit_ms, task->activity);
			if (error)
			{
				shared_set_error(error->sqlerrcode, error->message);
				ereport(LOG,
						(errcode(error->sqlerrcode),
						 errmsg("pt621: %s: %s", task->failure, error->message)));
			}
		}
		next_ms = Min(next_ms, wait_ms(task));
	}
	return next_ms;
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
		long		next_ms;

		worker_absorb_interrupts();
		if (worker_reload())
		{
			/* What is to be kept, and for how long, may have changed. */
			for (Size i = 0; i < lengthof(tasks); i++)
				tasks[i].due = 0;
		}
		next_ms = run_tasks();
		MemoryContextReset(turn);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 next_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	proc_exit(1);
}
