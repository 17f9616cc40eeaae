/*
 * supervisor.c
 *		Starts the workers that touch data, and never touches any itself.
 *
 * Invariants.  It is connected to no database, so none that is dropped, renamed
 * or copied waits for it; it reads pg_database and pg_authid alone.  What it
 * starts connects as pt621.role, which is no superuser.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/settings.h"
#include "pg/worker.h"

/* How often it looks. */
#define SUPERVISOR_TURN_MS	1000

/* The least time between two starts of a worker; doubled each time it has not
 * lived for longer than START_GOOD_MS. */
#define START_PAUSE_MIN_MS	1000
#define START_PAUSE_MAX_MS	60000
#define START_GOOD_MS		10000

typedef struct Child
{
	BackgroundWorkerHandle *handle; /* NULL = we have started none */
	WorkerOrder order;			/* what it was told */
	TimestampTz started;
	int			pause_ms;		/* from that start to the next */
} Child;

static Child children[SLOTS];	/* by slot; the supervisor's own is not used */

/* Fills what both kinds of registration have in common. */
static void
describe_worker(BackgroundWorker *worker, const char *function, const char *type,
				int number)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* On a standby nothing listens: a refused connection is the right answer. */
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "pt621", BGW_MAXLEN);
	strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
	if (number > 0)
		snprintf(worker->bgw_name, BGW_MAXLEN, "%s %d", type, number);
	else
		strlcpy(worker->bgw_name, type, BGW_MAXLEN);
}

void
worker_register_supervisor(void)
{
	BackgroundWorker worker;

	describe_worker(&worker, "pt621_supervisor_main", "pt621 supervisor", 0);
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

/*
 * Copies the row of a shared catalog that has this name, or returns NULL.
 *
 * It is found by reading the whole catalog: without a database there are no
 * indexes until somebody with one has been here.
 */
static HeapTuple
find_by_name(Oid catalog, AttrNumber column, const char *name)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	NameData	wanted;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	namestrcpy(&wanted, name);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(&wanted));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return tuple;
}

/* Looks the order up; returns NULL, or why the workers cannot run. */
static const char *
find_order(WorkerOrder *order)
{
	const char *reason = NULL;
	HeapTuple	database;
	HeapTuple	role;

	memset(order, 0, sizeof(*order));
	StartTransactionCommand();
	database = find_by_name(DatabaseRelationId, Anum_pg_database_datname, setting_database);
	role = find_by_name(AuthIdRelationId, Anum_pg_authid_rolname, setting_role);
	if (HeapTupleIsValid(database))
		order->database = ((Form_pg_database) GETSTRUCT(database))->oid;
	if (HeapTupleIsValid(role))
		order->role = ((Form_pg_authid) GETSTRUCT(role))->oid;
	if (!OidIsValid(order->database))
		reason = "the database that pt621.database names does not exist";
	else if (!((Form_pg_database) GETSTRUCT(database))->datallowconn)
		reason = "the database that pt621.database names does not accept connections";
	else if (!OidIsValid(order->role))
		reason = "the role that pt621.role names does not exist: CREATE EXTENSION pt621 CASCADE in the database makes it";
	else if (((Form_pg_authid) GETSTRUCT(role))->rolsuper)
		reason = "the role that pt621.role names is a superuser, so triggers on the tables would be";
	else if (!((Form_pg_authid) GETSTRUCT(role))->rolcanlogin)
		reason = "the role that pt621.role names may not log in: ALTER ROLE ... LOGIN";
	CommitTransactionCommand();
	return reason;
}

/*
 * Tells whether a child runs or is being started.  One that another supervisor
 * has started shows by its slot alone.
 */
static bool
child_runs(int slot)
{
	Child	   *child = &children[slot];
	pid_t		pid;

	if (child->handle && GetBackgroundWorkerPid(child->handle, &pid) != BGWH_STOPPED)
		return true;
	if (child->handle)
		pfree(child->handle);
	child->handle = NULL;
	return shared_runs(slot);
}

static void
start_child(int slot, const WorkerOrder *order)
{
	static bool complained = false;
	Child	   *child = &children[slot];
	BackgroundWorker worker;
	TimestampTz now = GetCurrentTimestamp();

	/* Unless the clock was set back since. */
	if (now >= child->started &&
		now < TimestampTzPlusMilliseconds(child->started, child->pause_ms))
		return;
	child->pause_ms = now > TimestampTzPlusMilliseconds(child->started, child->pause_ms + START_GOOD_MS) ?
		START_PAUSE_MIN_MS : Min(child->pause_ms * 2, START_PAUSE_MAX_MS);
	child->started = now;

	if (slot == SLOT_MAINTENANCE)
		describe_worker(&worker, "pt621_maintenance_main", "pt621 maintenance", 0);
	else
		describe_worker(&worker, "pt621_listener_main", "pt621 listener",
						slot - SLOT_LISTENER + 1);
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, order, sizeof(*order));
	child->order = *order;
	if (RegisterDynamicBackgroundWorker(&worker, &child->handle))
	{
		complained = false;
		return;
	}
	child->handle = NULL;
	if (!complained)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the %s", worker.bgw_name),
				 errhint("Increase max_worker_processes.")));
	complained = true;
}

/* Lets the workers start at once when they may. */
static void
forget_failures(void)
{
	for (int i = 0; i < SLOTS; i++)
		children[i].started = children[i].pause_ms = 0;
}

static void
stop_children(void)
{
	shared_stop_workers(FIRST_CONNECTED_SLOT, SLOTS - 1);
	forget_failures();
}

/* Starts the worker of a slot, or stops it, as the settings want. */
static void
supervise_child(int slot, WorkerOrder *order)
{
	Child	   *child = &children[slot];

	order->slot = slot;
	if (slot >= SLOT_LISTENER + setting_workers)
		shared_stop_workers(slot, slot);
	else if (!child_runs(slot))
		start_child(slot, order);
	/* What an earlier supervisor has started had an order not known here; the
	 * settings are hardly changed in the second in which one is replaced. */
	else if (OidIsValid(child->order.database) &&
			 memcmp(order, &child->order, sizeof(*order)) != 0)
		shared_stop_workers(slot, slot);
}

/* Starts what should run and does not, stops what runs and should not. */
static void
supervise(void)
{
	static const char *said = NULL;
	static uint32 pauses_seen = 0;
	WorkerOrder order;
	const char *reason = find_order(&order);
	uint32		pauses;
	bool		paused = shared_is_paused(&pauses);

	if (pauses != pauses_seen)
		forget_failures();
	pauses_seen = pauses;
	if (paused)
	{
		shared_set_state(WORKER_PAUSED, "SELECT pt621_resume() ends the pause", 0);
		stop_children();
		return;
	}
	if (reason)
	{
		shared_set_state(WORKER_CLOSED, reason, 0);
		if (reason != said)
			ereport(LOG,
					(errmsg("pt621: not listening: %s", reason),
					 errdetail("pt621.database is \"%s\", pt621.role \"%s\".",
							   setting_database, setting_role)));
		said = reason;
		stop_children();
		return;
	}
	said = NULL;
	shared_set_state(WORKER_OPEN, "", 0);
	for (int slot = FIRST_CONNECTED_SLOT; slot < SLOTS; slot++)
		supervise_child(slot, &order);
}

void
pt621_supervisor_main(Datum arg)
{
	worker_start(false);
	while (!ShutdownRequestPending)
	{
		worker_absorb_interrupts();
		worker_reload();
		supervise();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 SUPERVISOR_TURN_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	proc_exit(1);
}
