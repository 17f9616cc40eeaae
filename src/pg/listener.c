/*
 * listener.c
 *		The worker that listens to trackers.
 *
 * One loop: wait for sockets, latch or a deadline; read what has come into the
 * batch; store it, one transaction a batch.  While a batch is being stored
 * nothing is read: the system's buffers are the queue, and TCP pushes back.
 *
 * Invariants.  A unit leaves the batch when its transaction has committed, and
 * not before.  The port is open only while what comes can be stored.  Between
 * transactions no lock is held, and every turn absorbs interrupts.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/flush.h"
#include "pg/gate.h"
#include "pg/listen.h"
#include "pg/session.h"
#include "pg/settings.h"
#include "pg/worker.h"

/* How often the state of the database is looked at. */
#define CHECK_INTERVAL_MS	1000
/* How long a stop tries to store a batch that the server refuses: less than the
 * 5 s that DROP DATABASE ... WITH (FORCE) gives us. */
#define RETRY_AT_STOP_MS	3000
/* Turns of the loop over the sockets before anything else is looked at. */
#define TURNS_MAX			64
/* Descriptors left for the server's own files beyond its estimate. */
#define SPARE_DESCRIPTORS	64

typedef struct Listener
{
	Flush	   *flush;
	Sessions   *sessions;
	NetServer  *net;			/* NULL while the port is closed */
	int			port;
	int			connections_max;
	WaitEventSet *idle;			/* latch and postmaster */
	WaitEventSet *busy;			/* and the sockets; NULL while closed */
	TimestampTz next_check;
	char		reason[SHARED_TEXT_MAX];	/* said in the log last */
	MemoryContext turn;			/* reset every turn */
} Listener;

static Listener listener;

/* ------------------------------------------------------------------------
 * What the sockets tell; none of it may raise an error
 * ------------------------------------------------------------------------ */

static bool
on_room(void *arg, size_t size)
{
	return !sessions_full(listener.sessions);
}

static void *
on_opened(void *arg, NetConn *conn, const struct sockaddr *peer)
{
	if (net_server_connections(listener.net) > (size_t) listener.connections_max)
	{
		NetConn    *oldest = sessions_give_up_unbound(listener.sessions);

		if (oldest == NULL)
			return NULL;
		net_conn_close(oldest);
	}
	return sessions_open(listener.sessions, peer, conn);
}

static void
on_bytes(void *arg, void *handle, uint8_t *data, size_t size)
{
	Session    *session = handle;

	shared_count(COUNT_BYTES, size);
	if (!sessions_bytes(listener.sessions, session, data, size))
		net_conn_close(session->conn);
}

static void
on_closed(void *arg, void *handle, NetCloseReason reason, int error)
{
	sessions_closed(listener.sessions, handle);
}

static void
on_datagram(void *arg, const struct sockaddr *peer, uint8_t *data, size_t size,
			bool truncated)
{
	shared_count(COUNT_BYTES, size);
	sessions_datagram(listener.sessions, peer, data, size);
}

static void
close_conn(void *conn)
{
	net_conn_close(conn);
}

static const NetHandlers handlers = {on_room, on_opened, on_bytes, on_closed, on_datagram};

/* ------------------------------------------------------------------------
 * Opening and closing the port
 * ------------------------------------------------------------------------ */

/* Says a state once, where it is kept for pt621_stat_worker() and in the log. */
static void
say_state(WorkerState state, const char *reason)
{
	shared_set_state(state, reason, listener.net ? listener.port : 0);
	if (state != WORKER_CLOSED)
		listener.reason[0] = '\0';
	else if (strncmp(listener.reason, reason, SHARED_TEXT_MAX - 1) != 0)
	{
		strlcpy(listener.reason, reason, SHARED_TEXT_MAX);
		ereport(LOG, (errmsg("pt621: port is closed: %s", reason)));
	}
}

/* Closes every socket; what they brought stays in the batch. */
static void
close_port(void)
{
	if (listener.net == NULL)
		return;
	FreeWaitEventSet(listener.busy);
	listener.busy = NULL;
	net_server_free(listener.net);
	listener.net = NULL;
	shared_set_count(COUNT_CONNECTIONS, 0);
}

static void
open_port(void)
{
	char		error[256];
	char	   *reason;

	listener.net = net_server_new(&handlers, NULL, PT621_PENDING_MAX, error,
								  sizeof(error));
	if (listener.net == NULL)
	{
		say_state(WORKER_CLOSED, error);
		return;
	}
	reason = listen_on_addresses(listener.net, &listener.port);
	if (reason)
	{
		net_server_free(listener.net);
		listener.net = NULL;
		say_state(WORKER_CLOSED, reason);
		return;
	}
	listener.busy = compat_create_wait_event_set(3);
	AddWaitEventToSet(listener.busy, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(listener.busy, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(listener.busy, WL_SOCKET_READABLE,
					  net_server_fd(listener.net), NULL, NULL);
	say_state(WORKER_OPEN, "");
	ereport(LOG,
			(errmsg("pt621: listening for trackers on port %d (TCP and UDP)",
					listener.port),
			 errdetail("The system holds up to %d kB of datagrams; net.core.rmem_max limits that.",
					   net_server_udp_receive_buffer(listener.net) / 1024)));
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
		shared_set_error(error->message);
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
	else if (listener.net == NULL && error == NULL)
		open_port();
	else if (listener.net)
		shared_set_count(COUNT_DROPPED, net_server_udp_dropped(listener.net));
	listener.next_check = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  CHECK_INTERVAL_MS);
}

/* ------------------------------------------------------------------------
 * The loop
 * ------------------------------------------------------------------------ */

/*
 * Makes room for connections among the open files, and bounds their number by
 * what there is: at the limit every statement of this process would fail.
 */
static void
settle_connections_max(void)
{
	struct rlimit limit;
	int64		possible;

	listener.connections_max = setting_max_connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < limit.rlim_max)
	{
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur == RLIM_INFINITY)
		return;
	possible = Max((int64) limit.rlim_cur - max_safe_fds - SPARE_DESCRIPTORS, 1);
	if (possible >= setting_max_connections)
		return;
	listener.connections_max = (int) possible;
	ereport(WARNING,
			(errmsg("pt621: pt621.max_connections is %d, but only %d connections are possible",
					setting_max_connections, listener.connections_max),
			 errhint("Raise the hard limit on open files (ulimit -H -n) of the server.")));
}

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

/* Waits until something can be done. */
static void
wait_for_work(void)
{
	WaitEvent	event[3];
	bool		reading = listener.net && !sessions_full(listener.sessions) &&
		!flush_is_backing_off(listener.flush);
	long		timeout = milliseconds_until(listener.next_check);
	int			events;

	timeout = sooner(timeout, milliseconds_until(flush_due(listener.flush,
														   sessions_full(listener.sessions))));
	if (reading)
	{
		timeout = sooner(timeout, milliseconds_until(sessions_deadline(listener.sessions)));
		/* Last, since it is true only until libuv is called again. */
		timeout = sooner(timeout, net_server_timeout_ms(listener.net));
	}
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
	bool		any = false;

	if (listener.net == NULL || flush_is_backing_off(listener.flush))
		return false;
	for (int turn = 0; turn < TURNS_MAX; turn++)
	{
		if (sessions_full(listener.sessions))
			return any;
		if (!net_server_turn(listener.net))
		{
			/* All was read: what is silent now is silent. */
			sessions_tick(listener.sessions, GetCurrentTimestamp(), close_conn);
			break;
		}
		any = true;
	}
	shared_set_count(COUNT_CONNECTIONS, net_server_connections(listener.net));
	return any;
}

/* Stores the batch when it is time to. */
static void
store(bool now)
{
	bool		full = sessions_full(listener.sessions);
	char	   *reason;

	if (!flush_is_due(listener.flush, full || now))
		return;
	reason = flush_batch(listener.flush);
	if (reason)
	{
		/* The extension is gone: the batch waits for its return. */
		close_port();
		say_state(WORKER_CLOSED, reason);
	}
	if (flush_batch_is_empty(listener.flush))
	{
		sessions_set_batch(listener.sessions, flush_get_batch(listener.flush));
		sessions_resume(listener.sessions);
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

	if (listener.net == NULL)
		return;
	net_server_drain(listener.net);
	while (more && listener.net && !net_server_drained(listener.net) &&
		   GetCurrentTimestamp() < end)
	{
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
	if (listener.net && !net_server_drained(listener.net))
		ereport(WARNING,
				(errmsg("pt621: port closed with " UINT64_FORMAT " bytes unread",
						(uint64) net_server_owed(listener.net)),
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
	} while (!flush_batch_is_empty(listener.flush) && GetCurrentTimestamp() < end);
	if (!flush_batch_is_empty(listener.flush))
		ereport(WARNING,
				(errmsg("pt621: stopped with %u units not stored%s",
						flush_batch_size(listener.flush),
						sessions_full(listener.sessions) ? ", and more that had no room" : ""),
				 errhint("Raise pt621.shutdown_timeout.")));
}

/* Takes in a changed configuration. */
static void
reload(void)
{
	char	   *addresses;
	int			port = setting_port;
	int			receive_buffer = setting_receive_buffer;

	if (!ConfigReloadPending)
		return;
	addresses = pstrdup(setting_listen_addresses);
	worker_reload();
	if (port != setting_port || receive_buffer != setting_receive_buffer ||
		strcmp(addresses, setting_listen_addresses) != 0)
	{
		TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  setting_shutdown_timeout);

		drain_port(end, end);
	}
	settle_connections_max();
	listener.next_check = 0;
}

void
pt621_listener_main(Datum arg)
{
	worker_start(WORKER_LISTENER, true);
	settle_connections_max();
	listener.turn = AllocSetContextCreate(TopMemoryContext, "pt621 listener turn",
										  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(TopMemoryContext);
	listener.flush = flush_new();
	listener.sessions = sessions_new(flush_get_batch(listener.flush));
	listener.idle = compat_create_wait_event_set(2);
	AddWaitEventToSet(listener.idle, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(listener.idle, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
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
		MemoryContextReset(listener.turn);
		wait_for_work();
	}
	drain();
	proc_exit(1);
}
