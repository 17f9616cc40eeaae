/*
 * shared.h
 *		What the workers tell the rest of the server.
 *
 * Invariants.  Shared memory holds no pointer and no descriptor of a process.
 * A slot is written by its worker alone: counters without a lock, the rest under
 * the lock.  There is none in a server that has not preloaded the library.
 */
#ifndef PT621_PG_SHARED_H
#define PT621_PG_SHARED_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define SHARED_TEXT_MAX		256

typedef enum WorkerKind
{
	WORKER_SUPERVISOR,
	WORKER_LISTENER,
	WORKER_MAINTENANCE,
	WORKER_KINDS
} WorkerKind;

/* Those that are connected to a database, as bits. */
#define CONNECTED_WORKERS	((1 << WORKER_LISTENER) | (1 << WORKER_MAINTENANCE))

typedef enum WorkerState
{
	WORKER_STARTING,
	WORKER_CLOSED,				/* cannot work; see the reason */
	WORKER_OPEN,
	WORKER_PAUSED,
	WORKER_DRAINING
} WorkerState;

typedef enum WorkerCounter
{
	COUNT_BYTES,
	COUNT_UNITS,
	COUNT_REJECTED,
	COUNT_POSITIONS,
	COUNT_DUPLICATES,
	COUNT_BATCHES,
	COUNT_RETRIES,
	COUNT_DROPPED,				/* datagrams, by the kernel */
	COUNT_CONNECTIONS,			/* now */
	WORKER_COUNTERS
} WorkerCounter;

typedef struct WorkerSlot
{
	pid_t		pid;			/* 0 = not running */
	WorkerState state;
	char		reason[SHARED_TEXT_MAX];
	TimestampTz since;			/* of the state */
	int			port;			/* 0 = none */
	TimestampTz last_batch;		/* 0 = none */
	char		last_error[SHARED_TEXT_MAX];
	TimestampTz last_error_at;
	pg_atomic_uint64 counter[WORKER_COUNTERS];
} WorkerSlot;

typedef struct SharedState
{
	bool		paused;
	uint32		pauses;			/* how often it was paused */
	WorkerSlot	slot[WORKER_KINDS];
} SharedState;

extern SharedState *shared_state;	/* NULL when not preloaded */
extern LWLock *shared_lock;

/* Asks for the memory; called while shared_preload_libraries are loaded. */
extern void shared_init(void);

/* Takes the slot of this worker, until the process ends; false when another of
 * its kind runs. */
extern bool shared_take_slot(WorkerKind kind);

/* Tells whether a worker of this kind runs. */
extern bool shared_runs(WorkerKind kind);

/* Tells the workers that are connected to a database to go, if their kind is
 * among `kinds` (bits); returns how many of those there are. */
extern int	shared_stop_workers(uint32 kinds);

/* The following are about the slot of this worker.  Texts are shown to sessions
 * of other databases and encodings: of them only ASCII is kept. */
extern void shared_set_state(WorkerState state, const char *reason, int port);
extern void shared_set_error(const char *message);
extern void shared_set_batch_time(TimestampTz at);
extern void shared_count(WorkerCounter counter, uint64 more);
extern void shared_set_count(WorkerCounter counter, uint64 value);

/* Tells whether the workers are to stay away; *pauses gets how often that was
 * asked for, since a short pause may pass unseen. */
extern bool shared_is_paused(uint32 *pauses);

#endif							/* PT621_PG_SHARED_H */
