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

#include "pg/batch.h"
#include "pg/reject.h"

#define SHARED_TEXT_MAX		256

/* Most listeners that pt621.workers can ask for. */
#define LISTENERS_MAX		32

/* Numbers of the slots: one for each worker that may run. */
#define SLOT_SUPERVISOR		0
#define SLOT_MAINTENANCE	1
#define SLOT_LISTENER		2	/* of the first listener; the others follow */
#define SLOTS				(SLOT_LISTENER + LISTENERS_MAX)

/* Those of workers that are connected to a database. */
#define FIRST_CONNECTED_SLOT	SLOT_MAINTENANCE

typedef enum WorkerState
{
	WORKER_STARTING,
	WORKER_CLOSED,				/* cannot work; see the reason */
	WORKER_OPEN,
	WORKER_PAUSED,
	WORKER_DRAINING
} WorkerState;

/* Batches by how long their transactions took: bucket n is those of less than
 * 2^n ms that are in no earlier one, the last holds the rest. */
#define LATENCY_BUCKETS		17

typedef enum WorkerCounter
{
	COUNT_BYTES,
	COUNT_UNITS,
	COUNT_REJECTED,
	COUNT_POSITIONS,
	COUNT_DUPLICATES,
	COUNT_BATCHES,
	COUNT_RETRIES,
	COUNT_DROPPED,				/* datagrams, by the kernel or for want of memory */
	COUNT_ACCEPT_FAILURES,
	COUNT_OPENED,				/* connections */
	COUNT_CONFLICTS,			/* two connections of one tracker */
	COUNT_THROTTLED,			/* times that a connection had to wait */
	COUNT_NOT_ARCHIVED,			/* units of strangers */
	COUNT_CLASS,				/* and those that follow, by UnitClass */
	COUNT_CLOSED = COUNT_CLASS + UNIT_CLASSES,	/* by CloseReason */
	COUNT_REJECTION = COUNT_CLOSED + CLOSE_REASONS, /* by Rejection */
	COUNT_FOREIGN = COUNT_REJECTION + REJECTIONS,	/* by Pt621Foreign */
	COUNT_LATENCY = COUNT_FOREIGN + PT621_FOREIGN_KINDS,
	WORKER_COUNTERS = COUNT_LATENCY + LATENCY_BUCKETS
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
	char		last_sqlstate[6];
	TimestampTz last_error_at;
	TimestampTz counted_since;
	pg_atomic_uint64 connections;	/* now */
	pg_atomic_uint64 counter[WORKER_COUNTERS];
	uint64		before[WORKER_COUNTERS];	/* what was there at the last reset */
} WorkerSlot;

typedef struct SharedState
{
	bool		paused;
	uint32		pauses;			/* how often it was paused */
	SourceIdent watched;		/* tracker of the live view ... */
	TimestampTz watched_until;	/* ... until then */
	WorkerSlot	slot[SLOTS];
} SharedState;

extern SharedState *shared_state;	/* NULL when not preloaded */
extern LWLock *shared_lock;			/* of shared_state */
extern LWLock *shared_bind_lock;	/* held by whoever opens the port */

/* Asks for the memory; called while shared_preload_libraries are loaded. */
extern void shared_init(void);

/* Raises an error in a server that has not preloaded the library. */
extern void shared_require(void);

/* Takes a slot for this worker, until the process ends; false when another one
 * has it. */
extern bool shared_take_slot(int slot);

/* The slot of this worker; -1 = none. */
extern int	shared_my_slot(void);

/* Tells whether the worker of a slot runs. */
extern bool shared_runs(int slot);

/* The process of a slot's worker; 0 = none. */
extern pid_t shared_pid(int slot);

/* Tells the workers of the slots from .. to to go; returns how many there are. */
extern int	shared_stop_workers(int from, int to);

/* Gives the port that another listener has open, the wanted one (0 = any) if one
 * has that; 0 = none has. */
extern int	shared_other_port(int wanted);

/* The following are about the slot of this worker.  Texts are shown to sessions
 * of other databases and encodings: of them only ASCII is kept. */
extern void shared_set_state(WorkerState state, const char *reason, int port);
extern void shared_set_error(int sqlstate, const char *message);
extern void shared_set_batch_time(TimestampTz at);
extern void shared_set_connections(uint64 value);

/* Adds to a counter; harmless in a process that is no worker. */
extern void shared_count(int counter, uint64 more);

/* Tells whether the workers are to stay away; *pauses gets how often that was
 * asked for, since a short pause may pass unseen. */
extern bool shared_is_paused(uint32 *pauses);

/* The tracker of the live view, see tail.c; false = none. */
extern void shared_watch(const SourceIdent *ident, TimestampTz until);
extern bool shared_watched(SourceIdent *ident);

#endif							/* PT621_PG_SHARED_H */
