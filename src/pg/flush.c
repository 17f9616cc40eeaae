/*
 * flush.c
 *		Stores the listener's batches: when, and what happens when that fails.
 *
 * There are two: while one is stored, the other takes what the wire brings.
 *
 * Invariants.  A failure is the server's when its SQLSTATE says that another try
 * may succeed, and then nothing is given up; else it is the data's or a user
 * trigger's, and the batch is halved until the unit at fault stands alone.  The
 * halves are transactions of their own: deferred triggers fail at commit, where
 * no subtransaction would catch them.
 */
#include "postgres.h"

#include <limits.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "utils/memutils.h"

#include "pg/complaint.h"
#include "pg/connections.h"
#include "pg/flush.h"
#include "pg/gate.h"
#include "pg/settings.h"
#include "pg/store.h"
#include "pg/waiting.h"
#include "pg/worker.h"

/* Pauses between tries, doubled from one to the other. */
#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	5000
/* How often it is looked whether what waits for its base can be read: another
 * worker may have stored that. */
#define LOOK_AGAIN_MS	1000
/* Longest place of an error that goes to the archive with it. */
#define CONTEXT_MAX		200

typedef enum Outcome
{
	STORED,
	SERVER_FAULT,				/* try again later */
	DATA_FAULT,					/* try a part */
	CLOSED						/* the database cannot take anything */
} Outcome;

struct Flush
{
	const FlushHandlers *handlers;
	MemoryContext context[2];	/* of the batches */
	Batch	   *batch[2];
	int			filling;		/* index of the one that is filled */
	uint32		stored;			/* units at the front of the other that are stored */
	Waiting    *waiting;
	TimestampTz look_again;		/* when those that wait are tried by themselves */
	TimestampTz last;			/* start of the last try */
	TimestampTz not_before;		/* while backing off; else 0 */
	int			backoff_ms;
	TimestampTz deadline;		/* of all tries; DT_NOEND = none */
	int			said_sqlstate;	/* in the log last; 0 = nothing */
	Complaint	complaint;		/* of that one */
	char		closed_reason[SHARED_TEXT_MAX];
};

/* One try, as the transaction sees it. */
typedef struct Try
{
	Flush	   *flush;
	uint32		from;
	uint32		to;
	const char *poison;
	bool		with_waiting;
	bool		closed;			/* why is in flush->closed_reason */
	StoreResult result;
} Try;

/* The batch that is being stored. */
static inline Batch *
storing(const Flush *flush)
{
	return flush->batch[1 - flush->filling];
}

/* Empties a batch, and makes another when the setting has changed. */
static void
renew_batch(Flush *flush, int at)
{
	Batch	  **batch = &flush->batch[at];

	if (*batch)
		batch_clear(*batch);
	if (*batch == NULL || (*batch)->room != (uint32) setting_batch_size)
	{
		MemoryContext old = MemoryContextSwitchTo(flush->context[at]);

		MemoryContextReset(flush->context[at]);
		*batch = batch_new((uint32) setting_batch_size);
		MemoryContextSwitchTo(old);
	}
}

Flush *
flush_new(const FlushHandlers *handlers)
{
	Flush	   *flush = palloc0(sizeof(Flush));

	flush->handlers = handlers;
	for (int i = 0; i < 2; i++)
	{
		flush->context[i] = AllocSetContextCreate(CurrentMemoryContext, "pt621 batch",
												  ALLOCSET_DEFAULT_SIZES);
		renew_batch(flush, i);
	}
	flush->deadline = DT_NOEND;
	flush->waiting = waiting_new();
	return flush;
}

void
flush_set_deadline(Flush *flush, TimestampTz deadline)
{
	flush->deadline = deadline;
}

Batch *
flush_get_batch(Flush *flush)
{
	return flush->batch[flush->filling];
}

void
flush_reload(Flush *flush)
{
	for (int i = 0; i < 2; i++)
	{
		if (flush->batch[i]->count == 0)
			renew_batch(flush, i);
	}
}

uint32
flush_size(const Flush *flush)
{
	return storing(flush)->count - flush->stored + flush->batch[flush->filling]->count;
}

bool
flush_begin(Flush *flush)
{
	if (storing(flush)->count > 0 || flush_size(flush) == 0)
		return false;
	flush->filling = 1 - flush->filling;
	flush->stored = 0;
	return true;
}

TimestampTz
flush_due(Flush *flush, bool full)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz latest = TimestampTzPlusMilliseconds(now, BACKOFF_MAX_MS);

	/* A clock that was set back must not stop us until it has caught up. */
	flush->last = Min(flush->last, now);
	flush->not_before = Min(flush->not_before, latest);
	flush->look_again = Min(flush->look_again, TimestampTzPlusMilliseconds(now, LOOK_AGAIN_MS));
	if (flush_size(flush) == 0)
		return flush->waiting->count > 0 ? flush->look_again : DT_NOEND;
	if (flush->not_before)
		return flush->not_before;
	return full ? flush->last :
		TimestampTzPlusMilliseconds(flush->last, setting_flush_interval);
}

bool
flush_is_due(Flush *flush, bool full)
{
	TimestampTz due = flush_due(flush, full);

	return due != DT_NOEND && GetCurrentTimestamp() >= due;
}

bool
flush_is_backing_off(const Flush *flush)
{
	return flush->not_before != 0;
}

void
flush_hurry(Flush *flush)
{
	flush->backoff_ms = 0;
	if (flush->not_before)
		flush->not_before = GetCurrentTimestamp();
}

/* The body of a try's transaction. */
static void
store_try(void *arg)
{
	Try		   *try = arg;
	char	   *reason;
	Oid			schema = gate_lock_extension(&reason);

	if (!OidIsValid(schema))
	{
		strlcpy(try->flush->closed_reason, reason, SHARED_TEXT_MAX);
		try->closed = true;
		return;
	}
	store_batch(storing(try->flush), try->from, try->to, schema, try->poison,
				try->with_waiting ? try->flush->waiting : NULL, &try->result);
}

/* Tells the log of a failure; of those that only repeat it once a minute. */
static void
complain(Flush *flush, const ErrorData *error, Outcome outcome)
{
	shared_set_error(error->sqlerrcode, error->message);
	if (flush->said_sqlstate != error->sqlerrcode)
		memset(&flush->complaint, 0, sizeof(flush->complaint));
	flush->said_sqlstate = error->sqlerrcode;
	if (!complaint_is_due(&flush->complaint, GetCurrentTimestamp()))
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("pt621: a batch could not be stored: %s: %s",
					unpack_sql_state(error->sqlerrcode), error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 outcome == SERVER_FAULT ?
			 errhint("Nothing is lost; it is tried again.") :
			 errhint("Units at fault are archived with the reason in pt621.frame.error."),
			 error->context ? errcontext("%s", error->context) : 0));
}

/* Counts how long a transaction took. */
static void
count_latency(int64 microseconds)
{
	int			bucket = 0;

	while (bucket < LATENCY_BUCKETS - 1 && microseconds >= INT64CONST(1000) << bucket)
		bucket++;
	shared_count(COUNT_LATENCY + bucket, 1);
}

/* Tries to store units from .. to - 1; *error gets the failure. */
static Outcome
try_units(Flush *flush, uint32 from, uint32 to, const char *poison,
		  bool with_waiting, ErrorData **error)
{
	Try			try = {.flush = flush,.from = from,.to = to,.poison = poison,
	.with_waiting = with_waiting};
	Outcome		outcome;
	TimestampTz began;
	int			limit = setting_statement_timeout;

	/* A stop must not wait until a batch has been halved to the end: what is not
	 * stored yet is taken up again while draining, under a deadline. */
	if (ShutdownRequestPending && flush->deadline == DT_NOEND)
		return SERVER_FAULT;
	if (flush->deadline != DT_NOEND)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), flush->deadline);

		if (left <= 0)
			return SERVER_FAULT;
		limit = limit > 0 ? (int) Min(limit, left) : (int) Min(left, INT_MAX);
	}
	began = GetCurrentTimestamp();
	*error = worker_transaction(store_try, &try, limit, "storing a batch");
	count_latency(GetCurrentTimestamp() - began);
	if (*error)
	{
		waiting_abort(flush->waiting);
		for (uint32 i = 0; i < try.result.displaced_count; i++)
			connections_restore(try.result.displaced[i]);
		outcome = worker_error_is_transient(*error) ? SERVER_FAULT : DATA_FAULT;
		complain(flush, *error, outcome);
		/* Fewer connections make no room on a disk. */
		if (ERRCODE_TO_CATEGORY((*error)->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES &&
			(*error)->sqlerrcode != ERRCODE_DISK_FULL)
			flush->handlers->short_of_resources();
		shared_count(COUNT_RETRIES, 1);
		return outcome;
	}
	if (try.closed)
		return CLOSED;
	if (with_waiting)
		waiting_commit(flush->waiting);
	shared_count(COUNT_POSITIONS, try.result.positions);
	shared_count(COUNT_DUPLICATES, try.result.duplicates);
	shared_count(COUNT_CONFLICTS, try.result.conflicts);
	for (uint32 i = 0; i < try.result.displaced_count; i++)
		connections_wake(try.result.displaced[i]);
	flush->handlers->stored(storing(flush), from, to);
	return STORED;
}

/*
 * Says what an archived unit failed of: SQLSTATE, message, and the innermost
 * place, which is the line of the trigger at fault if it was one.
 */
static char *
describe_error(const ErrorData *error)
{
	const char *place = error->context ? error->context : "";
	int			size = (int) strcspn(place, "\n");

	if (size > CONTEXT_MAX)
		size = pg_mbcliplen(place, size, CONTEXT_MAX);
	return psprintf("%s: %s%s%.*s", unpack_sql_state(error->sqlerrcode),
					error->message, size > 0 ? "; " : "", size, place);
}

/* Archives a unit that cannot be stored, with the error that says why. */
static Outcome
store_poisoned(Flush *flush, uint32 at, ErrorData *error)
{
	char	   *reason = describe_error(error);
	ErrorData  *second;
	Outcome		outcome = try_units(flush, at, at + 1, reason, false, &second);

	/* Not even the bytes: then it is not this unit's fault. */
	return outcome == DATA_FAULT ? SERVER_FAULT : outcome;
}

/* Stores units from .. to - 1, in parts where it must. */
static Outcome
store_units(Flush *flush, uint32 from, uint32 to, bool with_waiting)
{
	ErrorData  *error;
	Outcome		outcome = try_units(flush, from, to, NULL, with_waiting, &error);
	uint32		middle = from + (to - from) / 2;

	if (outcome == DATA_FAULT && to - from == 1)
		outcome = with_waiting ? store_units(flush, from, to, false) :
			store_poisoned(flush, from, error);
	else if (outcome == DATA_FAULT)
	{
		outcome = store_units(flush, from, middle, false);
		if (outcome == STORED)
			outcome = store_units(flush, middle, to, false);
		return outcome;
	}
	if (outcome == STORED)
		flush->stored = to;
	return outcome;
}

char *
flush_batch(Flush *flush)
{
	Batch	   *batch = storing(flush);
	Outcome		outcome;

	flush->last = GetCurrentTimestamp();
	flush->look_again = TimestampTzPlusMilliseconds(flush->last, LOOK_AGAIN_MS);
	if (batch->count == 0)
	{
		ErrorData  *error;

		outcome = try_units(flush, 0, 0, NULL, true, &error);
		return outcome == CLOSED ? flush->closed_reason : NULL;
	}
	outcome = store_units(flush, flush->stored, batch->count, true);
	switch (outcome)
	{
		case STORED:
			renew_batch(flush, 1 - flush->filling);
			flush->stored = 0;
			shared_count(COUNT_BATCHES, 1);
			shared_set_batch_time(GetCurrentTimestamp());
			flush->not_before = 0;
			flush->backoff_ms = 0;
			return NULL;
		case CLOSED:
		case SERVER_FAULT:
		case DATA_FAULT:
			flush->backoff_ms = flush->backoff_ms ?
				Min(flush->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
			flush->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
															flush->backoff_ms);
			break;
	}
	return outcome == CLOSED ? flush->closed_reason : NULL;
}
