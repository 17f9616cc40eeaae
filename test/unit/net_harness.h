/*
 * net_harness.h
 *	  A server's owner that remembers everything, and clients, for test_net.c.
 *
 * Invariant: one process and one thread; client sockets never block; every wait
 * is a poll() on a descriptor, with a bound.
 */
#ifndef PT621_NET_HARNESS_H
#define PT621_NET_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../src/net/net.h"
#include "tap.h"

#define WAIT_MS		20000
#define HEADROOM	1024
#define MAX_PEERS	64
#define MAX_GRAMS	512

typedef struct Peer
{
	NetConn    *conn;
	struct sockaddr_storage addr;
	uint8_t    *got;
	size_t		size;
	size_t		largest;		/* read */
	int			reads;
	int			closed;
	int			after_close;	/* callbacks that should not have come */
	bool		asked_close;
	NetCloseReason reason;
	int			error;
} Peer;

typedef enum OnBytes
{
	KEEP, CLOSE_SELF, CLOSE_OTHERS, ECHO, STOP_ACCEPTING, TURN
} OnBytes;

typedef enum OnOpened
{
	TAKE, REFUSE, CLOSE_AND_TAKE, CLOSE_AND_REFUSE, GREET, TAKE_AND_STOP
} OnOpened;

typedef struct Owner
{
	NetServer  *server;
	size_t		limit;			/* room() says yes up to this size */
	int			asked;			/* room() calls */
	OnBytes		on_bytes;
	OnOpened	on_opened;
	Peer		peers[MAX_PEERS];
	int			opened;
	int			refused;
	size_t		open_seen;		/* net_server_connections() inside opened */
	int			depth;			/* of handlers that run */
	bool		nested;			/* one ran inside another */
	size_t		grams[MAX_GRAMS];	/* sizes */
	int			ngrams;
	int			grams_max;		/* no room after so many; 0 = no limit */
	int			bad_grams;		/* wrong content or cut */
	struct sockaddr_storage gram_peer;
	int			answered;		/* datagrams sent back */
} Owner;

static int	family;				/* under test */

static long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static uint8_t
pattern(size_t at)
{
	return (uint8_t) (at * 31 + (at >> 8) * 7);
}

static socklen_t
addr_size(const struct sockaddr *addr)
{
	return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static bool
room(void *arg, size_t size)
{
	Owner	   *owner = arg;

	owner->asked++;
	return size <= owner->limit && (owner->grams_max == 0 || owner->ngrams < owner->grams_max);
}

static void *
opened(void *arg, NetConn *conn, const struct sockaddr *peer)
{
	Owner	   *owner = arg;
	Peer	   *one = &owner->peers[owner->opened];

	owner->open_seen = net_server_connections(owner->server);
	if (owner->on_opened == CLOSE_AND_TAKE || owner->on_opened == CLOSE_AND_REFUSE)
		net_conn_close(conn);
	if (owner->on_opened == REFUSE || owner->on_opened == CLOSE_AND_REFUSE ||
		owner->opened == MAX_PEERS)
	{
		owner->refused++;
		return NULL;
	}
	if (owner->on_opened == GREET)
		(void) net_conn_write(conn, (const uint8_t *) "hi", 2);
	if (owner->on_opened == TAKE_AND_STOP)
		net_server_stop_accepting(owner->server);
	one->conn = conn;
	one->asked_close = owner->on_opened == CLOSE_AND_TAKE;
	memcpy(&one->addr, peer, addr_size(peer));
	owner->opened++;
	return one;
}

static void
bytes(void *arg, void *handle, uint8_t *data, size_t size)
{
	Owner	   *owner = arg;
	Peer	   *one = handle;
	uint8_t    *grown = realloc(one->got, one->size + size);

	if (one->closed || one->asked_close || size == 0)
		one->after_close++;
	if (grown == NULL)
		abort();
	one->got = grown;
	memcpy(one->got + one->size, data, size);
	one->size += size;
	one->reads++;
	if (size > one->largest)
		one->largest = size;
	memset(data - HEADROOM, 0xEE, HEADROOM + size);

	if (owner->on_bytes == CLOSE_SELF)
	{
		one->asked_close = true;
		net_conn_close(one->conn);
		net_conn_close(one->conn);
	}
	if (owner->on_bytes == CLOSE_OTHERS)
		for (int i = 0; i < owner->opened; i++)
			if (&owner->peers[i] != one && !owner->peers[i].closed)
			{
				owner->peers[i].asked_close = true;
				net_conn_close(owner->peers[i].conn);
			}
	if (owner->on_bytes == ECHO)
		(void) net_conn_write(one->conn, one->got + one->size - size, size);
	if (owner->on_bytes == STOP_ACCEPTING)
		net_server_stop_accepting(owner->server);
	if (owner->depth++ > 0)
		owner->nested = true;
	if (owner->on_bytes == TURN && net_server_turn(owner->server))
		owner->nested = true;
	owner->depth--;
}

static void
closed(void *arg, void *handle, NetCloseReason reason, int error)
{
	Peer	   *one = handle;

	(void) arg;
	one->closed++;
	one->reason = reason;
	one->error = error;
	/* Still allowed, both without effect. */
	net_conn_close(one->conn);
	if (net_conn_write(one->conn, (const uint8_t *) "x", 1))
		one->after_close++;
	one->conn = NULL;
}

static void
datagram(void *arg, NetUdp *socket, const struct sockaddr *peer, uint8_t *data, size_t size,
		 bool truncated)
{
	Owner	   *owner = arg;

	if (owner->on_bytes == ECHO)
		owner->answered += net_udp_send(socket, peer, data, size);

	if (truncated)
		owner->bad_grams++;
	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(i))
		{
			owner->bad_grams++;
			break;
		}
	memset(data, 0xEE, size);
	memcpy(&owner->gram_peer, peer, addr_size(peer));
	if (owner->ngrams < MAX_GRAMS)
		owner->grams[owner->ngrams] = size;
	owner->ngrams++;
}

static const NetHandlers handlers = {room, opened, bytes, closed, datagram};

/* Takes a turn, or waits a moment for one. */
static void
step(Owner *owner)
{
	if (!net_server_turn(owner->server))
	{
		struct pollfd wait = {net_server_fd(owner->server), POLLIN, 0};
		int			timeout = net_server_timeout_ms(owner->server);

		(void) poll(&wait, 1, timeout < 0 || timeout > 20 ? 20 : timeout);
	}
}

#define PUMP_UNTIL(owner, condition) \
	do { \
		long deadline = now_ms() + WAIT_MS; \
		while (!(condition) && now_ms() < deadline) \
			step(owner); \
	} while (0)

/* Makes the loopback address of the family under test. */
static struct sockaddr_storage
loopback(int port)
{
	struct sockaddr_storage addr;

	memset(&addr, 0, sizeof(addr));
	addr.ss_family = (sa_family_t) family;
	if (family == AF_INET6)
	{
		((struct sockaddr_in6 *) &addr)->sin6_addr = in6addr_loopback;
		((struct sockaddr_in6 *) &addr)->sin6_port = htons((uint16_t) port);
	}
	else
	{
		((struct sockaddr_in *) &addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		((struct sockaddr_in *) &addr)->sin_port = htons((uint16_t) port);
	}
	return addr;
}

static bool
listen_on(NetServer *server, int *port, const NetListenOptions *options, char *error, size_t size)
{
	struct sockaddr_storage addr = loopback(*port);

	return net_server_listen(server, (struct sockaddr *) &addr, addr_size((struct sockaddr *) &addr),
							 port, options, error, size);
}

/* Makes an owner with a server that listens; returns its port. */
static int
start(Owner *owner, const NetListenOptions *options)
{
	char		error[256] = "";
	int			port = 0;

	memset(owner, 0, sizeof(*owner));
	owner->limit = SIZE_MAX;
	owner->server = net_server_new(&handlers, owner, HEADROOM, error, sizeof(error));
	if (owner->server == NULL || !listen_on(owner->server, &port, options, error, sizeof(error)))
	{
		printf("Bail out! no server: %s\n", error);
		exit(1);
	}
	return port;
}

/* Frees the server and checks that every handle was told once and never again. */
static void
finish(Owner *owner, const char *name)
{
	int			wrong = 0;

	net_server_free(owner->server);
	for (int i = 0; i < owner->opened; i++)
	{
		if (owner->peers[i].closed != 1 || owner->peers[i].after_close != 0)
			wrong++;
		free(owner->peers[i].got);
	}
	is_int(wrong, 0, "%s: every connection closed exactly once and silent after it", name);
}

static int
client(int type, int port)
{
	struct sockaddr_storage addr = loopback(port);
	int			fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || (connect(fd, (struct sockaddr *) &addr, addr_size((struct sockaddr *) &addr)) < 0 &&
				   errno != EINPROGRESS))
	{
		printf("Bail out! no client socket: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

/* Tells what became of a connect(): 0 or an errno. */
static int
connect_result(int fd)
{
	struct pollfd wait = {fd, POLLOUT, 0};
	int			result = 0;
	socklen_t	size = sizeof(result);

	(void) poll(&wait, 1, WAIT_MS);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size);
	return result;
}

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t) strlen(text))
		printf("# send failed: %s\n", strerror(errno));
}

/* Sends more of the pattern; never blocks. */
static void
send_pattern(int fd, size_t *sent, size_t total)
{
	uint8_t		part[4096];
	size_t		size = total - *sent < sizeof(part) ? total - *sent : sizeof(part);
	ssize_t		done;

	for (size_t i = 0; i < size; i++)
		part[i] = pattern(*sent + i);
	if (size > 0 && (done = send(fd, part, size, MSG_NOSIGNAL)) > 0)
		*sent += (size_t) done;
}

static bool
is_pattern(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(i))
			return false;
	return true;
}

/* Receives what is there and compares it with the pattern. */
static void
receive_pattern(int fd, size_t *received, bool *intact)
{
	uint8_t		part[65536];
	ssize_t		size;

	while ((size = recv(fd, part, sizeof(part), 0)) > 0)
		for (ssize_t i = 0; i < size; i++)
			if (part[i] != pattern((*received)++))
				*intact = false;
}

static void
send_gram(int fd, size_t size)
{
	uint8_t    *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = pattern(i);
	if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t) size)
		printf("# datagram of %zu bytes not sent: %s\n", size, strerror(errno));
	free(data);
}

/* Finds the descriptor in this process that is the other end of a connected client. */
static int
other_end(int fd)
{
	struct sockaddr_storage mine;
	struct sockaddr_storage theirs;
	socklen_t	size = sizeof(mine);

	memset(&mine, 0, sizeof(mine));
	getsockname(fd, (struct sockaddr *) &mine, &size);
	for (int other = 3; other < 256; other++)
	{
		socklen_t	other_size = sizeof(theirs);

		memset(&theirs, 0, sizeof(theirs));
		if (other != fd && getpeername(other, (struct sockaddr *) &theirs, &other_size) == 0 &&
			other_size == size && memcmp(&mine, &theirs, size) == 0)
			return other;
	}
	return -1;
}

static int
option(int fd, int level, int name)
{
	int			value = -1;
	socklen_t	size = sizeof(value);

	getsockopt(fd, level, name, &value, &size);
	return value;
}

#endif							/* PT621_NET_HARNESS_H */
