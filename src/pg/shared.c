/*
 * shared.c
 *		What the workers tell the rest of the server, and pt621_stat_worker().
 */
#include "postgres.h"

#include <signal.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

#include "pg/compat.h"
#include "pg/row.h"
#include "pg/shared.h"

/* How long pt621_pause() waits for the workers to go. */
#define PAUSE_WAIT_MS	10000

SharedState *shared_state = NULL;
LWLock	   *shared_lock = NULL;

static WorkerSlot *my_slot = NULL;

static shmem_startup_hook_type previous_startup_hook = NULL;

static void
shared_startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared_state = ShmemInitStruct("pt621", sizeof(SharedState), &found);
	if (!found)
	{
		memset(shared_state, 0, sizeof(SharedState));
		for (int i = 0; i < WORKER_KINDS; i++)
		{
			for (int j = 0; j < WORKER_COUNTERS; j++)
				pg_atomic_init_u64(&shared_state->slot[i].counter[j], 0);
		}
	}
	shared_lock = &GetNamedLWLockTranche("pt621")->lock;
	LWLockRelease(AddinShmemInitLock);
}

static void
shared_request(void)
{
	compat_previous_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
	RequestNamedLWLockTranche("pt621", 1);
}

void
shared_init(void)
{
	compat_hook_shmem_request(shared_request);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_startup;
}

static void
leave_slot(int code, Datum arg)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_slot->pid = 0;
	my_slot->port = 0;
	LWLockRelease(shared_lock);
}

bool
shared_take_slot(WorkerKind kind)
{
	WorkerSlot *slot = &shared_state->slot[kind];
	bool		taken;

	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	taken = slot->pid != 0;
	if (!taken)
	{
		slot->pid = MyProcPid;
		slot->last_batch = slot->last_error_at = 0;
		slot->last_error[0] = '\0';
	}
	LWLockRelease(shared_lock);
	if (taken)
		return false;
	my_slot = slot;
	before_shmem_exit(leave_slot, (Datum) 0);
	for (int i = 0; i < WORKER_COUNTERS; i++)
		pg_atomic_write_u64(&my_slot->counter[i], 0);
	shared_set_state(WORKER_STARTING, "", 0);
	return true;
}

bool
shared_runs(WorkerKind kind)
{
	bool		runs;

	LWLockAcquire(shared_lock, LW_SHARED);
	runs = shared_state->slot[kind].pid != 0;
	LWLockRelease(shared_lock);
	return runs;
}

/* Copies a text, cut to what a slot has room for, with '?' for all but ASCII. */
static void
copy_ascii(char *to, const char *from)
{
	Size		i;

	for (i = 0; i < SHARED_TEXT_MAX - 1 && from[i]; i++)
		to[i] = (unsigned char) from[i] < 0x80 ? from[i] : '?';
	to[i] = '\0';
}

void
shared_set_state(WorkerState state, const char *reason, int port)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	if (my_slot->state != state || my_slot->since == 0)
		my_slot->since = GetCurrentTimestamp();
	my_slot->state = state;
	my_slot->port = port;
	copy_ascii(my_slot->reason, reason);
	LWLockRelease(shared_lock);
}

void
shared_set_error(const char *message)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	copy_ascii(my_slot->last_error, message);
	my_slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(shared_lock);
}

void
shared_set_batch_time(TimestampTz at)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_slot->last_batch = at;
	LWLockRelease(shared_lock);
}

void
shared_count(WorkerCounter counter, uint64 more)
{
	pg_atomic_write_u64(&my_slot->counter[counter],
						pg_atomic_read_u64(&my_slot->counter[counter]) + more);
}

void
shared_set_count(WorkerCounter counter, uint64 value)
{
	pg_atomic_write_u64(&my_slot->counter[counter], value);
}

bool
shared_is_paused(uint32 *pauses)
{
	bool		paused;

	LWLockAcquire(shared_lock, LW_SHARED);
	paused = shared_state->paused;
	*pauses = shared_state->pauses;
	LWLockRelease(shared_lock);
	return paused;
}

static void
require_shared(void)
{
	if (shared_state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pt621 has no workers in this server"),
				 errhint("Add pt621 to shared_preload_libraries and restart the server.")));
}

/* Columns of pt621_stat_worker(). */
enum
{
	STAT_PID, STAT_WORKER, STAT_STATE, STAT_REASON, STAT_SINCE, STAT_PORT,
	STAT_CONNECTIONS, STAT_BYTES, STAT_UNITS, STAT_REJECTED, STAT_POSITIONS,
	STAT_DUPLICATES, STAT_BATCHES, STAT_RETRIES, STAT_DROPPED, STAT_LAST_BATCH,
	STAT_LAST_ERROR, STAT_LAST_ERROR_AT,
	STAT_COLUMNS
};

static void
put_slot(Row *row, WorkerKind kind, const WorkerSlot *slot)
{
	static const char *const kinds[] = {"supervisor", "listener", "maintenance"};
	static const char *const states[] = {"starting", "closed", "open", "paused", "draining"};
	static const struct
	{
		int			column;
		WorkerCounter counter;
	}			counters[] = {
		{STAT_BYTES, COUNT_BYTES}, {STAT_UNITS, COUNT_UNITS},
		{STAT_REJECTED, COUNT_REJECTED}, {STAT_POSITIONS, COUNT_POSITIONS},
		{STAT_DUPLICATES, COUNT_DUPLICATES}, {STAT_BATCHES, COUNT_BATCHES},
		{STAT_RETRIES, COUNT_RETRIES}, {STAT_DROPPED, COUNT_DROPPED}
	};

	row_start(row);
	row_set(row, STAT_PID, Int32GetDatum((int32) slot->pid));
	row_cstring(row, STAT_WORKER, kinds[kind]);
	row_cstring(row, STAT_STATE, states[slot->state]);
	if (slot->reason[0])
		row_cstring(row, STAT_REASON, slot->reason);
	row_set(row, STAT_SINCE, TimestampTzGetDatum(slot->since));
	if (kind == WORKER_LISTENER)
	{
		if (slot->port)
			row_set(row, STAT_PORT, Int32GetDatum(slot->port));
		row_set(row, STAT_CONNECTIONS,
				Int32GetDatum((int32) pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->counter[COUNT_CONNECTIONS]))));
		for (Size i = 0; i < lengthof(counters); i++)
			row_set(row, counters[i].column,
					Int64GetDatum((int64) pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->counter[counters[i].counter]))));
	}
	if (slot->last_batch)
		row_set(row, STAT_LAST_BATCH, TimestampTzGetDatum(slot->last_batch));
	if (slot->last_error_at)
	{
		row_cstring(row, STAT_LAST_ERROR, slot->last_error);
		row_set(row, STAT_LAST_ERROR_AT, TimestampTzGetDatum(slot->last_error_at));
	}
}

PG_FUNCTION_INFO_V1(pt621_stat_worker);

/* pt621_stat_worker(): one row per running worker. */
Datum
pt621_stat_worker(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	SharedState copy;

	require_shared();
	/* Copied, so that no allocation happens under the lock. */
	LWLockAcquire(shared_lock, LW_SHARED);
	copy = *shared_state;
	LWLockRelease(shared_lock);
	row_sink_open(&sink, fcinfo, STAT_COLUMNS, -1);
	for (int i = 0; i < WORKER_KINDS; i++)
	{
		if (copy.slot[i].pid == 0)
			continue;
		put_slot(sink.row, (WorkerKind) i, &copy.slot[i]);
		row_emit(&sink);
	}
	return (Datum) 0;
}

int
shared_stop_workers(uint32 kinds)
{
	int			running = 0;

	LWLockAcquire(shared_lock, LW_SHARED);
	for (int i = 0; i < WORKER_KINDS; i++)
	{
		if (!(kinds & (1 << i)) || shared_state->slot[i].pid == 0)
			continue;
		/* Under the lock: a worker that has gone has left its slot. */
		kill(shared_state->slot[i].pid, SIGTERM);
		running++;
	}
	LWLockRelease(shared_lock);
	return running;
}

static void
set_paused(bool paused)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	shared_state->paused = paused;
	shared_state->pauses += paused;
	LWLockRelease(shared_lock);
}

PG_FUNCTION_INFO_V1(pt621_pause);

/* pt621_pause(): disconnects the workers; true when they are gone. */
Datum
pt621_pause(PG_FUNCTION_ARGS)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PAUSE_WAIT_MS);

	require_shared();
	set_paused(true);
	while (shared_stop_workers(CONNECTED_WORKERS) > 0)
	{
		if (GetCurrentTimestamp() > end)
			PG_RETURN_BOOL(false);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 50, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BOOL(true);
}

PG_FUNCTION_INFO_V1(pt621_resume);

/* pt621_resume(): lets the supervisor start the workers again. */
Datum
pt621_resume(PG_FUNCTION_ARGS)
{
	require_shared();
	set_paused(false);
	PG_RETURN_VOID();
}
