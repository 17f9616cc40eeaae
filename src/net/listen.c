/*
 * listen.c
 *	  Sockets made and bound: one address, TCP and UDP on the same port.
 *
 * Invariant: an address is listened on by both protocols or by none, and a UDP
 * socket never has SO_REUSEADDR while it is bound.
 */
#ifdef POSTGRES_H
#error "src/net knows nothing of PostgreSQL"
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_private.h"

#define ANY_PORT_TRIES		32	/* a port free for TCP may be taken for UDP */

/*
 * A tracker's mobile link may be away for a minute or two and come back, so a
 * silent peer is given up after about five minutes.  libuv's own keepalive call
 * would give it ten seconds.
 */
#define KEEPALIVE_IDLE_S	60
#define KEEPALIVE_PROBE_S	30
#define KEEPALIVE_PROBES	8

/*
 * Returns where the port of an IPv4 or IPv6 address is kept.
 */
static in_port_t *
port_of(struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6)
		return &((struct sockaddr_in6 *) addr)->sin6_port;
	return &((struct sockaddr_in *) addr)->sin_port;
}

/*
 * Writes an address and its port the way people do.
 */
static void
describe_address(const struct sockaddr_storage *addr, char *text, size_t size)
{
	char		host[INET6_ADDRSTRLEN] = "?";

	if (addr->ss_family == AF_INET6)
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) addr;

		(void) inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%d", host, (int) ntohs(in6->sin6_port));
	}
	else
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) addr;

		(void) inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%d", host, (int) ntohs(in->sin_port));
	}
}

/*
 * Sets one integer option of a socket.
 */
int
net_set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/*
 * Makes a socket for an address with the options TCP and UDP share; returns the
 * descriptor or -errno.
 */
int
net_socket(const struct sockaddr_storage *addr, int type, bool reuseport, const char **step)
{
	int			fd;
	int			code = 0;

	*step = "create a socket for";
	fd = socket(addr->ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;

	/* Without it [::] would take IPv4 too, and 0.0.0.0 beside it would fail. */
	if (addr->ss_family == AF_INET6)
		code = net_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (code == 0 && reuseport)
		code = net_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (code < 0)
	{
		*step = "set socket options for";
		close(fd);
		return code;
	}
	return fd;
}

/*
 * Binds a socket.
 */
int
net_bind(int fd, const struct sockaddr_storage *addr)
{
	socklen_t	size = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
		: sizeof(struct sockaddr_in);

	return bind(fd, (const struct sockaddr *) addr, size) < 0 ? -errno : 0;
}

/*
 * Makes and binds a TCP socket that does not listen yet, and puts the port it
 * got into the address; returns the descriptor or -errno.
 *
 * Accepted sockets inherit the options, which saves five system calls for each.
 * The buffer size cannot be set later at all: the window scale is agreed on when
 * the connection is made.
 */
static int
bind_tcp(struct sockaddr_storage *addr, const NetListenOptions *options, const char **step)
{
	struct sockaddr_storage bound;
	socklen_t	size = sizeof(bound);
	int			code;
	int			fd = net_socket(addr, SOCK_STREAM, options->reuseport, step);

	if (fd < 0)
		return fd;

	*step = "set socket options for";
	if ((code = net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) < 0 ||
		(code = net_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1)) < 0 ||
		(code = net_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S)) < 0 ||
		(code = net_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_PROBE_S)) < 0 ||
		(code = net_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES)) < 0 ||
		(code = net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1)) < 0 ||
		/* An urgent byte is a byte of the stream, not one to be lost beside it. */
		(code = net_set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1)) < 0 ||
		/* The kernel takes twice what it is asked for, and can fill nearly all of it. */
		(options->receive_buffer > 0 &&
		 (code = net_set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer / 2)) < 0))
		goto fail;

	*step = "bind TCP address";
	if ((code = net_bind(fd, addr)) < 0)
		goto fail;
	if (getsockname(fd, (struct sockaddr *) &bound, &size) < 0)
	{
		code = -errno;
		goto fail;
	}
	*port_of(addr) = *port_of(&bound);
	return fd;

fail:
	close(fd);
	return code;
}

/*
 * Binds both protocols on an address and starts listening, or does nothing.
 */
static int
listen_both(NetServer *server, struct sockaddr_storage *addr, const NetListenOptions *options,
			const char **step)
{
	NetUdp	   *udp;
	int			code;
	int			fd = bind_tcp(addr, options, step);

	if (fd < 0)
		return fd;

	code = net_udp_bind(server, addr, options, &udp, step);
	if (code < 0)
	{
		close(fd);
		return code;
	}

	code = net_tcp_listen(server, fd, step);
	if (code < 0)
		net_udp_close(udp);
	return code;
}

/*
 * Opens one address for TCP and UDP.
 */
bool
net_server_listen(NetServer *server, const struct sockaddr *addr, socklen_t addr_size, int *port,
				  const NetListenOptions *options, char *error, size_t error_size)
{
	static const NetListenOptions defaults = {false, 0, 0};
	struct sockaddr_storage wanted;
	struct sockaddr_storage tried;
	const char *step = "";
	char		where[INET6_ADDRSTRLEN + 16];
	int			tries;
	int			code;

	if (!((addr->sa_family == AF_INET && addr_size >= sizeof(struct sockaddr_in)) ||
		  (addr->sa_family == AF_INET6 && addr_size >= sizeof(struct sockaddr_in6))) ||
		addr_size > sizeof(wanted))
	{
		snprintf(error, error_size, "could not listen: neither an IPv4 nor an IPv6 address");
		return false;
	}
	memset(&wanted, 0, sizeof(wanted));
	memcpy(&wanted, addr, addr_size);
	if (options == NULL)
		options = &defaults;

	tries = *port_of(&wanted) == 0 ? ANY_PORT_TRIES : 1;
	do
	{
		tried = wanted;
		code = listen_both(server, &tried, options, &step);
	} while (code == -EADDRINUSE && --tries > 0);

	if (code < 0)
	{
		describe_address(&tried, where, sizeof(where));
		snprintf(error, error_size, "could not %s %s: %s", step, where, strerror(-code));
		return false;
	}
	if (port != NULL)
		*port = ntohs(*port_of(&tried));
	return true;
}
