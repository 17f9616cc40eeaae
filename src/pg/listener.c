/*
 * listener.c
 *		The worker that listens to trackers.
 *
 * One loop: wait for sockets, latch or a deadline; read what has come into the
 * batch; store it, one transaction a batch.  While a batch is being stored only
 * datagrams are read, into the other one: for the rest the system's buffers are
 * the queue, and TCP pushes back.
 *
 * Invariants.  A unit leaves the batch when its transaction has committed, and
 * not before.  The port is open only while what comes can be stored.  Between
 * transactions no lock is held, and every turn absorbs interrupts.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/downlink.h"
#include "pg/flush.h"
#include "pg/gate.h"
#include "pg/port.h"
#include "pg/session.h"
#include "pg/settings.h"
#include "pg/store.h"
#include "pg/worker.h"

/* How often the state of the database is looked at. */
#define CHECK_INTERVAL_MS	1000
/* How long a stop tries to store a batch that the server refuses: less than the
 * 5 s that DROP DATABASE ... WITH (FORCE) gives us. */
#define RETRY_AT_STOP_MS	3000

typedef struct Listener
{
	Flush	   *flush;
	Sessions   *sessions;
	WaitEventSet *idle;			/* latch and postmaster */
	WaitEventSet *busy;			/* and the sockets; NULL while the port is closed */
	bool		stopping;		/* for good */
	TimestampTz next_check;
	char		reason[SHARED_TEXT_MAX];	/* said in the log last */
	MemoryContext turn;			/* reset every turn */
} Listener;

static Listener listener;

/* ------------------------------------------------------------------------
 * Opening and closing the port
 * ------------------------------------------------------------------------ */

/* Says a state once, where it is kept for pt621_stat_worker() and in the log. */
static void
say_state(WorkerState state, const char *reason)
{
	shared_set_state(state, reason, port_number());
	if (state != WORKER_CLOSED)
		listener.reason[0] = '\0';
	else if (strncmp(listener.reason, reason, SHARED_TEXT_MAX - 1) != 0)
	{
		strlcpy(listener.reason, reason, SHARED_TEXT_MAX);
		ereport(LOG, (errmsg("pt621: port is closed: %s", reason)));
	}
}

/* Closes the port; what it brought stays in the batch. */
static void
close_port(void)
{
	if (!port_is_open())
		return;
	FreeWaitEventSet(listener.busy);
	listener.busy = NULL;
	port_close();
}

/* Makes a set to wait for: latch, postmaster, and a socket unless it is none. */
static WaitEventSet *
wait_set(pgsocket socket)
{
	WaitEventSet *set = compat_create_wait_event_set(3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (socket != PGINVALID_SOCKET)
		AddWaitEventToSet(set, WL_SOCKET_READABLE, socket, NULL, NULL);
	return set;
}

static void
open_port(void)
{
	char	   *reason = port_open();

	if (reason)
	{
		say_state(WORKER_CLOSED, reason);
		return;
	}
	PG_TRY();
	{
		listener.busy = wait_set(port_fd());
		say_state(WORKER_OPEN, "");
	}
	PG_CATCH();
	{
		/* Outside of a transaction it would end the worker, and its batch. */
		MemoryContextSwitchTo(listener.turn);
		reason = CopyErrorData()->message;
		FlushErrorState();
		port_close();
		say_state(WORKER_CLOSED, reason);
	}
	PG_END_TRY();
}

static void
ask_gate(void *arg)
{
	Oid			schema;
	char	  **reason = arg;
	char	   *why = gate_closed_reason(&schema);

	*reason = why ? MemoryContextStrdup(listener.turn, why) : NULL;
}

/* Opens or closes the port as the database allows. */
static void
check_state(void)
{
	char	   *reason = NULL;
	ErrorData  *error = worker_transaction(ask_gate, &reason,
										   setting_statement_timeout,
										   "checking whether to listen");

	if (error)
	{
		shared_set_error(error->sqlerrcode, error->message);
		/* What may pass is no reason to turn every tracker away. */
		if (!worker_error_is_transient(error) &&
			error->sqlerrcode != ERRCODE_QUERY_CANCELED)
			reason = error->message;
	}
	if (reason)
	{
		close_port();
		say_state(WORKER_CLOSED, reason);
	}
	else if (!port_is_open() && error == NULL)
	{
		/* One that is to go must not take the port from those that stay. */
		if (shared_my_slot() - SLOT_LISTENER < setting_workers)
			open_port();
		else
			say_state(WORKER_CLOSED, "pt621.workers asks for fewer listeners");
	}
	port_count();
	listener.next_check = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  CHECK_INTERVAL_MS);
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------ */

/* Milliseconds from now to a time, rounded up; -1 for never. */
static long
milliseconds_until(TimestampTz at)
{
	if (at == DT_NOEND)
		return -1;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), at);
}

static long
sooner(long a, long b)
{
	if (a < 0)
		return b;
	return b < 0 ? a : Min(a, b);
}

/* Tells whether there is room for what the sockets have. */
static bool
can_read(void)
{
	return port_is_open() && !sessions_full(listener.sessions);
}

/* Waits until something can be done. */
static void
wait_for_work(void)
{
	WaitEvent	event[3];
	bool		reading = can_read();
	long		timeout = milliseconds_until(listener.next_check);
	int			events;

	timeout = sooner(timeout, milliseconds_until(flush_due(listener.flush,
														   sessions_full(listener.sessions))));
	timeout = sooner(timeout, milliseconds_until(sessions_deadline(listener.sessions)));
	timeout = sooner(timeout, milliseconds_until(downlink_deadline()));
	/* Last, since it is true only until libuv is called again. */
	if (reading)
		timeout = sooner(timeout, port_timeout_ms());
	/* An unread byte keeps the sockets readable: not waited for when full. */
	events = WaitEventSetWait(reading ? listener.busy : listener.idle, timeout,
							  event, lengthof(event), PG_WAIT_EXTENSION);
	for (int i = 0; i < events; i++)
	{
		if (event[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}

/* Reads what has come, while there is room; true when anything came. */
static bool
read_sockets(void)
{
	bool		caught_up;
	bool		any = port_read(&caught_up);

	sessions_tick(listener.sessions, GetCurrentTimestamp(), caught_up);
	sessions_finish_displaced(listener.sessions);
	sessions_say_closed(listener.sessions);
	return any;
}

static void
on_stored(Batch *batch, uint32 from, uint32 to)
{
	sessions_account(listener.sessions, batch, from, to);
}

static bool
over_rate(const SourceIdent *ident)
{
	return sessions_over_rate(listener.sessions, ident);
}

static void
on_short_of_resources(void)
{
	sessions_close_unbound(listener.sessions);
}

/* Stores a batch when it is time to.  Meanwhile the other one takes datagrams,
 * for which the system has little room. */
static void
store(bool now)
{
	bool		full = sessions_full(listener.sessions);
	char	   *reason;

	if (!flush_is_due(listener.flush, full || now))
		return;
	if (flush_begin(listener.flush))
		sessions_set_batch(listener.sessions, flush_get_batch(listener.flush));
	store_pause = port_expects_datagrams() ? port_read_datagrams : NULL;
	reason = flush_batch(listener.flush);
	store_pause = NULL;
	if (reason)
	{
		/* The extension is gone: the batch waits for its return. */
		close_port();
		say_state(WORKER_CLOSED, reason);
	}
}

/*
 * Sleeps until a batch that could not be stored may be tried again; false when
 * that is too late.
 */
static bool
wait_for_retry(TimestampTz end)
{
	TimestampTz due = flush_due(listener.flush, true);
	WaitEvent	event;
	long		timeout;

	if (due >= end)
		return false;
	while ((timeout = milliseconds_until(due)) > 0)
	{
		worker_absorb_interrupts();
		if (WaitEventSetWait(listener.idle, timeout, &event, 1, PG_WAIT_EXTENSION) > 0)
			ResetLatch(MyLatch);
	}
	return true;
}

/*
 * Reads and stores what had arrived when it was called, and closes the port: what
 * the system has acknowledged must not be thrown away.  What comes later is not
 * waited for, or a DROP DATABASE ... WITH (FORCE) would fail as long as trackers
 * go on sending.
 *
 * end: when to give up.  retry_end: until when to try again what fails.
 */
static void
drain_port(TimestampTz end, TimestampTz retry_end)
{
	bool		more = true;

	if (!port_is_open())
		return;
	port_drain();
	while (more && port_is_open() && !port_is_drained() && GetCurrentTimestamp() < end)
	{
		/* Told to stop while the port was to be opened anew: drain() goes on. */
		if (ShutdownRequestPending && !listener.stopping)
			return;
		more = read_sockets();
		more |= sessions_full(listener.sessions);
		if (flush_is_backing_off(listener.flush))
		{
			if (!wait_for_retry(retry_end))
				break;
			more = true;
		}
		store(!more);
		MemoryContextReset(listener.turn);
	}
	if (port_is_open() && !port_is_drained())
		ereport(WARNING,
				(errmsg("pt621: port closed with " UINT64_FORMAT " bytes unread", port_owed()),
				 errhint("Raise pt621.shutdown_timeout.")));
	close_port();
}

/*
 * Stores all that has arrived, for as long as pt621.shutdown_timeout allows:
 * what the system acknowledged before the stop is a row after it.
 *
 * When the server is stopping, whoever had a lock that we waited for is gone.
 */
static void
drain(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = TimestampTzPlusMilliseconds(now, setting_shutdown_timeout);
	TimestampTz retry_end = Min(end, TimestampTzPlusMilliseconds(now, RETRY_AT_STOP_MS));

	listener.stopping = true;
	say_state(WORKER_DRAINING, "");
	flush_hurry(listener.flush);
	flush_set_deadline(listener.flush, end);
	drain_port(end, retry_end);
	/* The ends of connections end units: one more batch, or a few. */
	do
	{
		if (flush_is_backing_off(listener.flush) && !wait_for_retry(retry_end))
			break;
		store(true);
		MemoryContextReset(listener.turn);
	} while (flush_size(listener.flush) > 0 && GetCurrentTimestamp() < end);
	if (GetCurrentTimestamp() < end)
		downlink_finish();
	if (flush_size(listener.flush) > 0)
		ereport(WARNING,
				(errmsg("pt621: stopped with %u units not stored%s",
						flush_size(listener.flush),
						sessions_full(listener.sessions) ? ", and more that had no room" : ""),
				 errhint("Raise pt621.shutdown_timeout.")));
}

/* Takes in a changed configuration. */
static void
reload(void)
{
	if (!worker_reload())
		return;
	if (port_is_outdated())
	{
		TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  setting_shutdown_timeout);

		drain_port(end, end);
	}
	port_settle_connections_max();
	flush_reload(listener.flush);
	sessions_set_batch(listener.sessions, flush_get_batch(listener.flush));
	listener.next_check = 0;
}

void
pt621_listener_main(Datum arg)
{
	static const FlushHandlers handlers = {on_stored, on_short_of_resources};

	worker_start(true);
	listener.turn = AllocSetContextCreate(TopMemoryContext, "pt621 listener turn",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(TopMemoryContext);
	listener.flush = flush_new(&handlers);
	listener.sessions = sessions_new(flush_get_batch(listener.flush), &port_for_sessions);
	port_init(listener.sessions);
	downlink_init(listener.sessions);
	store_over_rate = over_rate;
	listener.idle = wait_set(PGINVALID_SOCKET);
	MemoryContextSwitchTo(listener.turn);

	while (!ShutdownRequestPending)
	{
		TimestampTz now;

		worker_absorb_interrupts();
		reload();
		now = GetCurrentTimestamp();
		/* Nor later than this if the clock was set back. */
		listener.next_check = Min(listener.next_check,
								  TimestampTzPlusMilliseconds(now, CHECK_INTERVAL_MS));
		if (now >= listener.next_check)
			check_state();
		read_sockets();
		store(false);
		downlink_turn(!flush_is_backing_off(listener.flush));
		MemoryContextReset(listener.turn);
		wait_for_work();
	}
	drain();
	proc_exit(1);
}
