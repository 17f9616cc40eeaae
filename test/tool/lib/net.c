/*
 * net.c
 *		All links together: events, and what has lasted too long.
 */
#include "link.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "link_private.h"
#include "tool.h"

#define EVENTS_A_TURN		512
#define CONNECT_TIMEOUT_NS	(10 * NS_A_SECOND)
/* Between two looks at all links; many take their time. */
#define LOOK_EVERY_NS		(NS_A_SECOND / 50)
#define LOOK_LINK_NS		2000

void
net_start(Net *net, const char *host, const char *port, size_t count,
		  double stall_seconds)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int			error = getaddrinfo(host, port, &hints, &found);

	if (error != 0)
		tool_fail(STATUS_WRONG, "%s port %s: %s", host, port, gai_strerror(error));
	memset(net, 0, sizeof(*net));
	memcpy(&net->address, found->ai_addr, found->ai_addrlen);
	net->address_size = found->ai_addrlen;
	freeaddrinfo(found);
	net->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (net->epoll < 0)
		tool_fail(STATUS_UNSENT, "epoll: %s", strerror(errno));
	net->links = tool_alloc(NULL, count * sizeof(Link));
	memset(net->links, 0, count * sizeof(Link));
	for (size_t i = 0; i < count; i++)
		net->links[i].fd = -1;
	net->count = count;
	net->stall_ns = (int64_t) (stall_seconds * 1e9);
	net->moved_ns = tool_clock_ns();
}

/* Takes in the outcome of a try to connect. */
static void
connected(Net *net, Link *link)
{
	int			error = 0;
	socklen_t	size = sizeof(error);

	getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
	{
		net->refused++;
		link_broke(net, link, error);
		return;
	}
	net->connections++;
	net->moved_ns = tool_clock_ns();
	link->writable = true;
	link_set_state(net, link, LINK_OPEN);
}

/* Hands on the line that has ended, unless it is empty. */
static void
hear_line(Net *net, Link *link)
{
	char		line[LINK_LINE_MAX];

	if (link->line_size == 0)
		return;
	/* A copy: whoever hears it may end the connection, and the line with it. */
	memcpy(line, link->line, link->line_size);
	line[link->line_size] = '\0';
	link->line_size = 0;
	net->heard(net->context, (size_t) (link - net->links), line);
}

/* Hands on the lines of what the other side says; a long one is cut. */
static void
hear(Net *net, Link *link, const char *bytes, size_t size)
{
	uint32_t	socket = link->sockets;

	/* What follows a line that has ended the connection is lost with it. */
	for (size_t i = 0; i < size && link->fd >= 0 && link->sockets == socket; i++)
	{
		if (bytes[i] == '\r' || bytes[i] == '\n')
			hear_line(net, link);
		else if (link->line_size < sizeof(link->line) - 1)
			link->line[link->line_size++] = bytes[i];
	}
	if (link->udp && link->fd >= 0 && link->sockets == socket)
		hear_line(net, link);
}

/* Reads what the other side says; takes in that it has ended. */
static void
drain(Net *net, Link *link)
{
	char		scratch[16384];
	ssize_t		size;
	uint32_t	socket = link->sockets;

	do
	{
		size = recv(link->fd, scratch, sizeof(scratch), 0);
		if (size > 0 && net->heard)
			hear(net, link, scratch, (size_t) size);
		/* Whoever heard something may have ended the connection, or may have sent
		 * and found it broken. */
		if (link->fd < 0 || link->sockets != socket)
			return;
	} while (size > 0 || (size == 0 && link->udp) || (size < 0 && errno == EINTR));
	if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (link->state == LINK_ENDING)
	{
		link->stalls = 0;
		net->moved_ns = tool_clock_ns();
		link_drop_socket(link);
		link_set_state(net, link, LINK_CLOSED);
		return;
	}
	*(link->udp ? &net->refused : &net->broken) += 1;
	link_broke(net, link, size < 0 ? errno : 0);
}

/* Acts on what epoll says of a link. */
static void
handle_event(Net *net, Link *link, uint32_t events)
{
	if (link->fd < 0)
		return;
	if (link->state == LINK_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		connected(net, link);
	if (events & EPOLLOUT)
		link->writable = true;
	if (link->fd >= 0 && link->state != LINK_CONNECTING &&
		(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		drain(net, link);
	link_go(net, link);
}

/* Acts on what has lasted too long, and on links whose turn to connect has come. */
static void
look_at(Net *net, Link *link, int64_t now)
{
	int64_t		age = now - link->since_ns;

	switch (link->state)
	{
		case LINK_WAITING:
			if (age >= (int64_t) link->backoff_ms * 1000000)
				link_set_state(net, link, LINK_CLOSED);
			break;
		case LINK_CONNECTING:
			if (age < CONNECT_TIMEOUT_NS)
				return;
			net->refused++;
			link_broke(net, link, ETIMEDOUT);
			break;
		case LINK_OPEN:
			if (link->count == 0 || !link_first_piece(link)->whole || age < net->stall_ns)
				break;
			net->stalled++;
			if (++link->stalls >= LINK_STALLS_MAX)
				net->deaf = true;
			link_broke(net, link, 0);
			break;
		case LINK_ENDING:
			if (age < net->stall_ns)
				return;
			net->unconfirmed++;
			link_drop_socket(link);
			link_set_state(net, link, LINK_CLOSED);
			break;
		case LINK_CLOSED:
			break;
	}
	link_go(net, link);
}

void
net_turn(Net *net, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_A_TURN];
	struct pollfd poll_one = {.fd = net->epoll, .events = POLLIN};
	struct timespec timeout;
	int			count;
	int64_t		now;

	if (timeout_ns > 0)
	{
		/* epoll_wait() itself knows milliseconds only: too coarse for pacing. */
		timeout.tv_sec = timeout_ns / NS_A_SECOND;
		timeout.tv_nsec = timeout_ns % NS_A_SECOND;
		ppoll(&poll_one, 1, &timeout, NULL);
	}
	count = epoll_wait(net->epoll, events, EVENTS_A_TURN, 0);
	for (int i = 0; i < count; i++)
		handle_event(net, events[i].data.ptr, events[i].events);

	now = tool_clock_ns();
	if (now - net->looked_ns < LOOK_EVERY_NS + (int64_t) net->count * LOOK_LINK_NS)
		return;
	net->looked_ns = now;
	for (size_t i = 0; i < net->count; i++)
		look_at(net, &net->links[i], now);
}

bool
net_stuck(const Net *net, double seconds)
{
	if (net->pending == 0 && net->ending == 0)
		return false;
	return net->deaf || (double) (tool_clock_ns() - net->moved_ns) / 1e9 > seconds;
}

const char *
net_troubles(const Net *net, char *buffer)
{
	const struct
	{
		uint64_t	count;
		const char *what;
	}			trouble[] = {
		{net->pending_records, "waiting"},
		{net->refused, "refused"},
		{net->broken, "broken"},
		{net->stalled, "given up"}
	};
	int			size = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
	{
		if (trouble[i].count > 0)
			size += sprintf(buffer + size, ", %llu %s", (unsigned long long) trouble[i].count, trouble[i].what);
	}
	return buffer;
}

void
net_stop(Net *net)
{
	for (size_t i = 0; i < net->count; i++)
	{
		link_drop_socket(&net->links[i]);
		free(net->links[i].bytes);
		free(net->links[i].pieces);
	}
	free(net->links);
	close(net->epoll);
}
