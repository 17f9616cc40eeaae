/*
 * shared.c
 *		What the workers tell the rest of the server, and pausing them.
 */
#include "postgres.h"

#include <signal.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/wait_event.h"

#include "pg/compat.h"
#include "pg/connections.h"
#include "pg/shared.h"

/* How long pt621_pause() waits for the workers to go. */
#define PAUSE_WAIT_MS	10000

SharedState *shared_state = NULL;
LWLock	   *shared_lock = NULL;
LWLock	   *shared_bind_lock = NULL;

static WorkerSlot *my_slot = NULL;

static shmem_startup_hook_type previous_startup_hook = NULL;

static void
shared_startup(void)
{
	LWLockPadded *locks;
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared_state = ShmemInitStruct("pt621", sizeof(SharedState), &found);
	if (!found)
	{
		memset(shared_state, 0, sizeof(SharedState));
		for (int i = 0; i < SLOTS; i++)
		{
			pg_atomic_init_u64(&shared_state->slot[i].connections, 0);
			for (int j = 0; j < WORKER_COUNTERS; j++)
				pg_atomic_init_u64(&shared_state->slot[i].counter[j], 0);
		}
	}
	locks = GetNamedLWLockTranche("pt621");
	shared_lock = &locks[0].lock;
	shared_bind_lock = &locks[1].lock;
	connections_startup(&locks[2].lock);
	LWLockRelease(AddinShmemInitLock);
}

static void
shared_request(void)
{
	compat_previous_shmem_request();
	RequestAddinShmemSpace(add_size(MAXALIGN(sizeof(SharedState)), connections_size()));
	RequestNamedLWLockTranche("pt621", 3);
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
	connections_forget_worker(shared_my_slot());
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	my_slot->pid = 0;
	my_slot->port = 0;
	LWLockRelease(shared_lock);
}

bool
shared_take_slot(int number)
{
	WorkerSlot *slot = &shared_state->slot[number];
	bool		taken;

	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	taken = slot->pid != 0;
	if (!taken)
	{
		slot->pid = MyProcPid;
		slot->last_batch = slot->last_error_at = 0;
		slot->last_error[0] = '\0';
		slot->counted_since = GetCurrentTimestamp();
		memset(slot->before, 0, sizeof(slot->before));
	}
	LWLockRelease(shared_lock);
	if (taken)
		return false;
	my_slot = slot;
	before_shmem_exit(leave_slot, (Datum) 0);
	shared_set_connections(0);
	for (int i = 0; i < WORKER_COUNTERS; i++)
		pg_atomic_write_u64(&my_slot->counter[i], 0);
	shared_set_state(WORKER_STARTING, "", 0);
	return true;
}

int
shared_my_slot(void)
{
	return my_slot ? (int) (my_slot - shared_state->slot) : -1;
}

pid_t
shared_pid(int slot)
{
	pid_t		pid;

	LWLockAcquire(shared_lock, LW_SHARED);
	pid = shared_state->slot[slot].pid;
	LWLockRelease(shared_lock);
	return pid;
}

bool
shared_runs(int slot)
{
	return shared_pid(slot) != 0;
}

int
shared_other_port(int wanted)
{
	int			port = 0;

	LWLockAcquire(shared_lock, LW_SHARED);
	for (int i = SLOT_LISTENER; i < SLOTS; i++)
	{
		int			other = shared_state->slot[i].port;

		if (i != shared_my_slot() && other != 0 && (port == 0 || other == wanted))
			port = other;
	}
	LWLockRelease(shared_lock);
	return port;
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
shared_set_error(int sqlstate, const char *message)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	copy_ascii(my_slot->last_error, message);
	strlcpy(my_slot->last_sqlstate, unpack_sql_state(sqlstate), sizeof(my_slot->last_sqlstate));
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
shared_set_connections(uint64 value)
{
	pg_atomic_write_u64(&my_slot->connections, value);
}

void
shared_count(int counter, uint64 more)
{
	if (my_slot == NULL)
		return;
	pg_atomic_write_u64(&my_slot->counter[counter],
						pg_atomic_read_u64(&my_slot->counter[counter]) + more);
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

void
shared_watch(const SourceIdent *ident, TimestampTz until)
{
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	shared_state->watched = *ident;
	shared_state->watched_until = until;
	LWLockRelease(shared_lock);
}

bool
shared_watched(SourceIdent *ident)
{
	TimestampTz until;

	if (shared_state == NULL || shared_state->watched_until == 0)
		return false;			/* a look without the lock: it is the usual case */
	LWLockAcquire(shared_lock, LW_SHARED);
	*ident = shared_state->watched;
	until = shared_state->watched_until;
	LWLockRelease(shared_lock);
	return GetCurrentTimestamp() < until;
}

void
shared_require(void)
{
	if (shared_state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pt621 has no workers in this server"),
				 errhint("Add pt621 to shared_preload_libraries and restart the server.")));
}

int
shared_stop_workers(int from, int to)
{
	int			running = 0;

	LWLockAcquire(shared_lock, LW_SHARED);
	for (int i = from; i <= to; i++)
	{
		if (shared_state->slot[i].pid == 0)
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

	shared_require();
	set_paused(true);
	while (shared_stop_workers(FIRST_CONNECTED_SLOT, SLOTS - 1) > 0)
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
	shared_require();
	set_paused(false);
	PG_RETURN_VOID();
}
