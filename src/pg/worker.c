/*
 * worker.c
 *		What all workers do alike.
 *
 * Invariant.  An error in a transaction ends the transaction and not the worker:
 * a restart would cost every connection.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "commands/prepare.h"
#include "commands/trigger.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "pg/worker.h"

/* Set by worker_start() of those that are connected. */
static TimeoutId patience_timeout = MAX_TIMEOUTS;

/*
 * Cancels once more what went on after its time-out: a user's trigger may catch
 * that.  One that does so each time must not keep the server from stopping.
 */
static void
lose_patience(void)
{
	if (ShutdownRequestPending)
		ProcDiePending = true;
	else
		QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

/* Lets a transaction take so long. */
static void
start_time(int timeout_ms)
{
	TimestampTz second = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 (int64) timeout_ms * 2);

	enable_timeout_after(STATEMENT_TIMEOUT, timeout_ms);
	enable_timeout_every(patience_timeout, second, timeout_ms);
}

/* It may have come at the last moment: the work is done all the same. */
static void
stop_time(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	disable_timeout(patience_timeout, false);
	QueryCancelPending = false;
	ProcDiePending = false;
}

void
worker_start(bool connect)
{
	WorkerOrder order = {.slot = SLOT_SUPERVISOR};
	uint32		pauses;

	if (connect)
		memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	/* A supervisor that was started anew may not know of one that still runs,
	 * nor this worker of a pause that began while it was being started. */
	if (!shared_take_slot(order.slot) || (connect && shared_is_paused(&pauses)))
		proc_exit(1);
	if (connect)
	{
		BackgroundWorkerInitializeConnectionByOid(order.database, order.role, 0);
		patience_timeout = RegisterTimeout(USER_TIMEOUT, lose_patience);
		/* Rows are estimated by thousands, which would compile every plan. */
		SetConfigOption("jit", "off", PGC_USERSET, PGC_S_SESSION);
	}
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname(MyBgworkerEntry->bgw_name);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * Ends what a user's trigger may leave in the session whether the transaction
 * commits or not: a session lives for months.
 */
static void
forget_leftovers(void)
{
	DropAllPreparedStatements();
	LockReleaseSession(USER_LOCKMETHOD);
}

ErrorData *
worker_transaction(void (*body) (void *arg), void *arg, int timeout_ms,
				   const char *activity)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	int			nest;

	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, activity);
	PG_TRY();
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		nest = NewGUCNestLevel();
		if (timeout_ms > 0)
		{
			/* A lock that is not to be had is no fault of what is stored, so it
			 * must show as itself and not as a statement that took too long. */
			char	   *half = psprintf("%d", Max(timeout_ms / 2, 1));

			(void) set_config_option("lock_timeout", half, PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
			/* Only says how long: by it a function tells a time-out from a cancel. */
			(void) set_config_option("statement_timeout", psprintf("%d", timeout_ms), PGC_USERSET,
									 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
			start_time(timeout_ms);
		}
		body(arg);
		PopActiveSnapshot();
		/* Here and not in the commit, so that the time-out covers what users
		 * have put off until then: deferred triggers, WITH HOLD cursors. */
		do
			AfterTriggerFireDeferred();
		while (PreCommit_Portals(false));
		/* What is left of cursors WITH HOLD; no portal is ours. */
		PortalHashTableDeleteAll();
		stop_time();
		/* A SET of a user's trigger must not outlive its transaction: with
		 * default_transaction_read_only it would end all storing. */
		AtEOXact_GUC(false, nest);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		stop_time();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		AbortOutOfAnyTransaction();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	forget_leftovers();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return error;
}

bool
worker_error_is_transient(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:	/* 08 */
		case ERRCODE_TRANSACTION_ROLLBACK:	/* 40 */
		case ERRCODE_INSUFFICIENT_RESOURCES:	/* 53 */
		case ERRCODE_SYSTEM_ERROR:	/* 58 */
			return true;
	}
	switch (error->sqlerrcode)
	{
		case ERRCODE_READ_ONLY_SQL_TRANSACTION: /* 25006 */
		case ERRCODE_LOCK_NOT_AVAILABLE:	/* 55P03 */
		case ERRCODE_ADMIN_SHUTDOWN:	/* 57P01 */
		case ERRCODE_CRASH_SHUTDOWN:	/* 57P02 */
		case ERRCODE_CANNOT_CONNECT_NOW:	/* 57P03 */
		case ERRCODE_DATABASE_DROPPED:	/* 57P04 */
		case ERRCODE_IDLE_SESSION_TIMEOUT:	/* 57P05 */
			return true;
	}
	return false;
}

void
worker_absorb_interrupts(void)
{
	/* Between transactions there is nothing that could be cancelled. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
}

bool
worker_reload(void)
{
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}
