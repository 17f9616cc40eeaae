/*
 * port.c
 *		The listener's sockets.
 *
 * Several listeners share the port (SO_REUSEPORT), and the system deals out
 * connections and paths among them.  That option would also let us in beside
 * another server of the same user, and take away half of its trackers: so the
 * first of ours to open makes sure that nobody else is there.
 */
#include "postgres.h"

#include <limits.h>
#include <sys/resource.h>

#include "storage/fd.h"

#include "net/net.h"
#include "pg/listen.h"
#include "pg/port.h"
#include "pg/settings.h"
#include "pg/shared.h"

/* Turns of the loop over the sockets before anything else is looked at. */
#define TURNS_MAX			64
/* For so long after a datagram others are expected. */
#define DATAGRAM_LATELY_MS	60000
/* Descriptors left for the server's own files beyond its estimate. */
#define SPARE_DESCRIPTORS	64

typedef struct Port
{
	Sessions   *sessions;
	NetServer  *net;			/* NULL while it is closed */
	int			number;
	bool		is_shared;		/* opened so that others may open it too */
	bool		is_closing;		/* what ends now ends because of that */
	int			connections_max;
	TimestampTz last_datagram;	/* when it came; 0 = never */
	uint64		dropped;		/* datagrams, as counted already */
	uint64		accept_failures;
	/* what it was opened with */
	int			wanted;
	int			receive_buffer;
	int			udp_receive_buffer;
	char	   *addresses;
} Port;

static Port port;

/* ------------------------------------------------------------------------
 * What the sockets tell; none of it may raise an error
 * ------------------------------------------------------------------------ */

static bool
on_room(void *arg, size_t size)
{
	return !sessions_full(port.sessions);
}

static void *
on_opened(void *arg, NetConn *conn, const struct sockaddr *peer)
{
	return sessions_open(port.sessions, peer, conn,
						 net_server_connections(port.net) > (size_t) port.connections_max);
}

static void
on_bytes(void *arg, void *handle, uint8_t *data, size_t size)
{
	shared_count(COUNT_BYTES, size);
	sessions_bytes(port.sessions, handle, data, size);
}

static void
on_closed(void *arg, void *handle, NetCloseReason reason, int error)
{
	sessions_closed(port.sessions, handle,
					port.is_closing ? CLOSE_PORT :
					reason == NET_CLOSED_BY_PEER ? CLOSE_BY_PEER : CLOSE_ERROR);
}

static void
on_datagram(void *arg, NetUdp *socket, const struct sockaddr *peer, uint8_t *data,
			size_t size, bool truncated)
{
	port.last_datagram = GetCurrentTimestamp();
	shared_count(COUNT_BYTES, size);
	sessions_datagram(port.sessions, socket, peer, data, size);
}

static const NetHandlers handlers = {on_room, on_opened, on_bytes, on_closed, on_datagram};

/* ------------------------------------------------------------------------
 * What the sessions want
 * ------------------------------------------------------------------------ */

static void
close_conn(void *conn)
{
	net_conn_close(conn);
}

static void
finish_conn(void *conn)
{
	net_conn_finish(conn);
}

static void
pause_conn(void *conn, bool pause)
{
	net_conn_pause(conn, pause);
}

static bool
write_conn(void *conn, const uint8 *data, Size size)
{
	return net_conn_write(conn, data, size);
}

static bool
send_datagram(void *socket, const struct sockaddr *peer, const uint8 *data, Size size)
{
	return net_udp_send(socket, peer, data, size);
}

const SessionPort port_for_sessions = {close_conn, finish_conn, pause_conn, write_conn, send_datagram};

/* ------------------------------------------------------------------------
 * Opening and closing
 * ------------------------------------------------------------------------ */

void
port_init(Sessions *sessions)
{
	port.sessions = sessions;
	port_settle_connections_max();
}

/*
 * Makes room for connections among the open files, and bounds their number by
 * what there is: at the limit every statement of this process would fail.
 */
void
port_settle_connections_max(void)
{
	static int	said = 0;
	struct rlimit limit;
	int64		possible;

	port.connections_max = setting_max_connections;
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
	port.connections_max = (int) possible;
	if (said == port.connections_max)
		return;
	said = port.connections_max;
	ereport(WARNING,
			(errmsg("pt621: pt621.max_connections is %d, but only %d connections are possible",
					setting_max_connections, port.connections_max),
			 errhint("Raise the hard limit on open files (ulimit -H -n) of the server.")));
}

/*
 * Looks on how many addresses nobody else has the port; returns NULL, or why it
 * can be had on none.
 */
static char *
probe(int number, int *free_addresses)
{
	char		error[256];
	char	   *reason;
	NetServer  *net = net_server_new(&handlers, NULL, 0, error, sizeof(error));

	if (net == NULL)
		return pstrdup(error);
	reason = listen_on_addresses(net, &number, false, free_addresses);
	net_server_free(net);
	return reason;
}

/* Opens it, while no other listener of ours can. */
static char *
open_locked(void)
{
	char		error[256];
	char	   *reason;
	int			other = shared_other_port(setting_port);
	int			free_addresses = INT_MAX;
	int			bound;

	port.wanted = setting_port;
	port.number = port.wanted ? port.wanted : other;
	port.is_shared = setting_workers > 1;
	if (port.is_shared && port.number != 0 && other != port.number &&
		(reason = probe(port.number, &free_addresses)) != NULL)
		return reason;
	port.net = net_server_new(&handlers, NULL, PT621_PENDING_MAX, error, sizeof(error));
	if (port.net == NULL)
		return pstrdup(error);
	reason = listen_on_addresses(port.net, &port.number, port.is_shared, &bound);
	if (reason == NULL && bound > free_addresses)
		reason = psprintf("another program has port %d on one of pt621.listen_addresses",
						  port.number);
	if (reason)
	{
		net_server_free(port.net);
		port.net = NULL;
		return reason;
	}
	shared_set_state(WORKER_OPEN, "", port.number);
	return NULL;
}

char *
port_open(void)
{
	char	   *reason;

	Assert(port.net == NULL);
	LWLockAcquire(shared_bind_lock, LW_EXCLUSIVE);
	reason = open_locked();
	LWLockRelease(shared_bind_lock);
	if (reason)
		return reason;
	port.dropped = port.accept_failures = 0;
	port.receive_buffer = setting_receive_buffer;
	port.udp_receive_buffer = setting_udp_receive_buffer;
	if (port.addresses)
		free(port.addresses);
	port.addresses = strdup(setting_listen_addresses);
	ereport(LOG,
			(errmsg("pt621: listening for trackers on port %d (TCP and UDP)", port.number),
			 errdetail("The system holds up to %d kB of datagrams; net.core.rmem_max limits that.",
					   net_server_udp_receive_buffer(port.net) / 1024)));
	return NULL;
}

void
port_close(void)
{
	if (port.net == NULL)
		return;
	port_count();
	port.is_closing = true;
	sessions_forget_sockets(port.sessions);
	net_server_free(port.net);
	port.is_closing = false;
	port.net = NULL;
	shared_set_connections(0);
}

bool
port_is_open(void)
{
	return port.net != NULL;
}

int
port_number(void)
{
	return port.net ? port.number : 0;
}

bool
port_is_outdated(void)
{
	return port.net != NULL &&
		(port.wanted != setting_port || port.is_shared != (setting_workers > 1) ||
		 port.receive_buffer != setting_receive_buffer ||
		 port.udp_receive_buffer != setting_udp_receive_buffer ||
		 port.addresses == NULL || strcmp(port.addresses, setting_listen_addresses) != 0);
}

int
port_fd(void)
{
	return net_server_fd(port.net);
}

int
port_timeout_ms(void)
{
	return net_server_timeout_ms(port.net);
}

bool
port_read(bool *caught_up)
{
	bool		any = false;

	*caught_up = false;
	if (port.net == NULL)
		return false;
	for (int turn = 0; turn < TURNS_MAX && !sessions_full(port.sessions); turn++)
	{
		if (!net_server_turn(port.net))
		{
			*caught_up = !sessions_full(port.sessions);
			break;
		}
		any = true;
	}
	shared_set_connections(net_server_connections(port.net));
	return any;
}

void
port_read_datagrams(void)
{
	if (port.net)
		(void) net_server_read_datagrams(port.net);
}

bool
port_expects_datagrams(void)
{
	return port.net && port.last_datagram &&
		GetCurrentTimestamp() < TimestampTzPlusMilliseconds(port.last_datagram, DATAGRAM_LATELY_MS);
}

void
port_drain(void)
{
	net_server_drain(port.net);
}

bool
port_is_drained(void)
{
	return net_server_drained(port.net);
}

uint64
port_owed(void)
{
	return net_server_owed(port.net);
}

void
port_count(void)
{
	int			error;
	uint64		value;

	if (port.net == NULL)
		return;
	value = net_server_udp_dropped(port.net);
	shared_count(COUNT_DROPPED, value - port.dropped);
	port.dropped = value;

	value = net_server_accept_failures(port.net, &error);
	if (value == port.accept_failures)
		return;
	shared_count(COUNT_ACCEPT_FAILURES, value - port.accept_failures);
	/* In words once a second at most: this is not called more often. */
	if (port.accept_failures == 0)
		ereport(LOG,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("pt621: a connection could not be accepted: %s", strerror(-error)),
				 errdetail("Further failures are only counted, in pt621_stat_worker(); the connections wait."),
				 errhint("Raise the hard limit on open files (ulimit -H -n) of the server.")));
	port.accept_failures = value;
}
