/*
 * tcp.c
 *	  TCP connections: accepted, read, written, closed.
 *
 * Invariant: a connection's bytes are handed over in order and before its close,
 * its close exactly once, and nothing after net_conn_end() but that close.
 *
 * Accepting is done here and not by uv_listen().  libuv meets a shortage of
 * descriptors by accepting and closing what waits, bytes and all, without telling
 * anyone, and any other lasting error by trying again without end inside one
 * uv_run.  Left in the backlog, a tracker's bytes are still there when the
 * shortage is over.
 */
#ifdef POSTGRES_H
#error "src/net knows nothing of PostgreSQL"
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_private.h"

#define BACKLOG				4096
#define ACCEPTS_PER_TURN	256 /* a storm of connections must not starve those that exist */
#define ACCEPT_RETRY_MS		100

typedef struct NetWrite
{
	uv_write_t	request;
	NetConn    *conn;
	uint8_t		data[];
} NetWrite;

/*
 * Takes a closed connection out of the server and tells its owner.
 */
static void
on_conn_closed(uv_handle_t *uv)
{
	NetConn    *conn = uv->data;
	NetServer  *server = conn->server;

	if (conn->handle != NULL)
		server->handlers.closed(server->arg, conn->handle, conn->reason, conn->error);

	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	server->worked = true;
	free(conn);
}

/*
 * Starts closing a connection; the first reason given is the one reported.
 */
void
net_conn_end(NetConn *conn, NetCloseReason reason, int error)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->reason = reason;
	conn->error = error;
	conn->server->open--;
	net_pay(conn->server, &conn->owed, conn->owed);
	/* The descriptor is closed in here, the rest follows in the next turn. */
	uv_close((uv_handle_t *) &conn->tcp, on_conn_closed);
}

/*
 * Notes what a connection owes when draining begins, or it is accepted after that.
 */
void
net_conn_owe(NetConn *conn)
{
	conn->owed = net_unread(conn);
	conn->server->owed += conn->owed;
}

/*
 * Closes a connection for its owner.
 */
void
net_conn_close(NetConn *conn)
{
	net_conn_end(conn, NET_CLOSED_BY_US, 0);
}

/*
 * Ends a connection once what the kernel holds of it is read.
 */
void
net_conn_finish(NetConn *conn)
{
	uv_os_fd_t	fd;

	if (conn->closing || conn->finishing)
		return;
	net_conn_pause(conn, false);
	/* Linux goes on to take what the peer sends: that does not count. */
	conn->finishing = true;
	conn->left = net_unread(conn);
	/* Reading goes on until the buffer is empty and then meets an end of stream;
	 * where the peer has reset the connection, it meets that. */
	if (uv_fileno((const uv_handle_t *) &conn->tcp, &fd) == 0)
		(void) shutdown(fd, SHUT_RD);
}

/*
 * Offers the read buffer, or none when the owner has no room.
 *
 * One buffer serves all connections because libuv reads into it and calls
 * on_conn_read() before it asks again.
 */
static void
on_conn_buffer(uv_handle_t *uv, size_t suggested, uv_buf_t *buffer)
{
	NetConn    *conn = uv->data;
	NetServer  *server = conn->server;

	(void) suggested;
	if (server->handlers.room(server->arg, NET_READ_SIZE))
		*buffer = uv_buf_init((char *) server->scratch + server->headroom, NET_READ_SIZE);
	else
		*buffer = uv_buf_init(NULL, 0);
}

/*
 * Hands over what was read, or the end of the stream.
 */
static void
on_conn_read(uv_stream_t *uv, ssize_t size, const uv_buf_t *buffer)
{
	NetConn    *conn = uv->data;
	NetServer  *server = conn->server;

	if (size == 0 || conn->closing)
		return;

	/* No buffer was offered: the bytes wait in the kernel, the socket stays armed. */
	if (size == UV_ENOBUFS && buffer->base == NULL)
		return;

	server->worked = true;
	if (size > 0)
	{
		/* Settled first: the owner may ask for the end in `bytes`, too. */
		bool		last = conn->finishing && (size_t) size >= conn->left;

		if (conn->finishing && !last)
			conn->left -= (size_t) size;
		net_pay(server, &conn->owed, (size_t) size);
		server->handlers.bytes(server->arg, conn->handle, (uint8_t *) buffer->base, (size_t) size);
		if (last)
			net_conn_end(conn, NET_CLOSED_BY_PEER, 0);
	}
	else if (size == UV_EOF)
		net_conn_end(conn, NET_CLOSED_BY_PEER, 0);
	else
		net_conn_end(conn, NET_CLOSED_BY_ERROR, (int) size);
}

/*
 * Frees a write that went out, or ends the connection when it could not.
 */
static void
on_written(uv_write_t *request, int status)
{
	NetWrite   *write = request->data;
	NetConn    *conn = write->conn;

	free(write);
	if (status < 0 && status != UV_ECANCELED)
		net_conn_end(conn, NET_CLOSED_BY_ERROR, status);
}

/*
 * Sends bytes, keeping a copy of what the kernel does not take at once.
 */
bool
net_conn_write(NetConn *conn, const uint8_t *data, size_t size)
{
	uv_stream_t *stream = (uv_stream_t *) &conn->tcp;
	size_t		waiting;
	size_t		sent = 0;
	NetWrite   *write;
	uv_buf_t	buffer;
	int			code;

	if (conn->closing)
		return false;
	if (size == 0)
		return true;
	waiting = uv_stream_get_write_queue_size(stream);
	if (waiting > NET_WRITE_QUEUE || size > NET_WRITE_QUEUE - waiting)
		return false;

	/* Taken first: once a part is sent there is no way back. */
	write = malloc(sizeof(*write) + size);
	if (write == NULL)
		return false;
	write->conn = conn;
	write->request.data = write;
	memcpy(write->data, data, size);

	/*
	 * What goes out here needs no request, so that completed requests, which
	 * libuv frees no sooner than in the next turn, do not add up.
	 */
	if (waiting == 0)
	{
		buffer = uv_buf_init((char *) write->data, (unsigned int) size);
		code = uv_try_write(stream, &buffer, 1);
		if (code < 0 && code != UV_EAGAIN)
			goto fail;
		if (code > 0)
			sent = (size_t) code;
		if (sent >= size)
		{
			free(write);
			return true;
		}
	}

	buffer = uv_buf_init((char *) write->data + sent, (unsigned int) (size - sent));
	code = uv_write(&write->request, stream, &buffer, 1, on_written);
	if (code == 0)
		return true;

fail:
	free(write);
	net_conn_end(conn, NET_CLOSED_BY_ERROR, code);
	return false;
}

/*
 * Stops or starts reading; does nothing when that is how it is.
 */
void
net_conn_pause(NetConn *conn, bool pause)
{
	uv_stream_t *stream = (uv_stream_t *) &conn->tcp;
	int			code;

	if (conn->closing)
		return;
	if (pause)
	{
		/* What it owes is read to the end first. */
		if (!conn->server->draining)
			(void) uv_read_stop(stream);
	}
	else if ((code = uv_read_start(stream, on_conn_buffer, on_conn_read)) < 0 &&
			 code != UV_EALREADY)
		net_conn_end(conn, NET_CLOSED_BY_ERROR, code);
}

/*
 * Counts an accept that failed.
 */
static void
count_failure(NetServer *server, int code)
{
	server->accept_failures++;
	server->accept_error = code;
}

/*
 * Takes over an accepted descriptor.
 */
static void
open_conn(NetServer *server, int fd, const struct sockaddr *peer)
{
	NetConn    *conn = calloc(1, sizeof(*conn));
	int			code = conn == NULL ? UV_ENOMEM : uv_tcp_init(&server->loop, &conn->tcp);

	if (code < 0)
	{
		count_failure(server, code);
		free(conn);
		close(fd);
		return;
	}

	conn->tcp.data = conn;
	conn->server = server;
	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	server->open++;
	server->worked = true;

	code = uv_tcp_open(&conn->tcp, fd);
	if (code < 0)
	{
		count_failure(server, code);
		close(fd);
		net_conn_end(conn, NET_CLOSED_BY_ERROR, code);
		return;
	}

	conn->handle = server->handlers.opened(server->arg, conn, peer);
	if (conn->handle == NULL)
		net_conn_end(conn, NET_CLOSED_BY_US, 0);
	if (conn->closing)
		return;
	if (server->draining)
		net_conn_owe(conn);

	net_conn_pause(conn, false);
}

/*
 * Rests a listener that fails; the timer arms it again.
 *
 * Its socket stays readable, so that going on would only spin.
 */
static void
rest_listener(NetListener *listener, int code)
{
	NetServer  *server = listener->server;

	count_failure(server, code);
	(void) uv_poll_stop(&listener->poll);
	(void) uv_timer_start(&server->retry, net_accept_retry, ACCEPT_RETRY_MS, 0);
}

/*
 * Accepts what waits at a listener, up to a limit; the rest keeps it readable.
 */
static void
on_listener_ready(uv_poll_t *poll, int status, int events)
{
	NetListener *listener = poll->data;

	(void) events;
	if (status < 0)
	{
		rest_listener(listener, status);
		return;
	}

	/* `opened` may stop accepting, which sets the descriptor to -1. */
	for (int count = 0; count < ACCEPTS_PER_TURN && listener->fd >= 0; count++)
	{
		struct sockaddr_storage peer;
		socklen_t	size = sizeof(peer);
		int			fd;

		memset(&peer, 0, sizeof(peer));
		fd = accept4(listener->fd, (struct sockaddr *) &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			open_conn(listener->server, fd, (const struct sockaddr *) &peer);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
		{
			/* Whoever comes from here on comes too late. */
			if (listener->server->draining)
				net_listener_close(listener);
			return;
		}
		else if (errno != EINTR && errno != ECONNABORTED)
		{
			rest_listener(listener, -errno);
			return;
		}
	}
}

/*
 * Accepts what waits, for the last time; a listener with more of it stays.
 */
void
net_accept_last(NetServer *server)
{
	NetListener *next;

	for (NetListener *listener = server->listeners; listener != NULL; listener = next)
	{
		next = listener->next;
		on_listener_ready(&listener->poll, 0, UV_READABLE);
	}
}

/*
 * Arms every listener, those that rest among them.
 */
void
net_accept_retry(uv_timer_t *timer)
{
	NetServer  *server = timer->data;

	for (NetListener *listener = server->listeners; listener != NULL; listener = listener->next)
	{
		int			code = uv_poll_start(&listener->poll, UV_READABLE, on_listener_ready);

		if (code < 0)
			rest_listener(listener, code);
	}
}

/*
 * Frees a listener that libuv has let go.
 */
static void
on_listener_closed(uv_handle_t *uv)
{
	free(uv->data);
}

/*
 * Closes a listener, its socket at once.
 */
void
net_listener_close(NetListener *listener)
{
	NetListener **link = &listener->server->listeners;

	while (*link != NULL && *link != listener)
		link = &(*link)->next;
	if (*link != NULL)
		*link = listener->next;

	/* uv_close stops watching before it returns, after which the socket may go. */
	uv_close((uv_handle_t *) &listener->poll, on_listener_closed);
	close(listener->fd);
	listener->fd = -1;
}

/*
 * Makes a bound TCP socket listen; closes it when that fails.
 */
int
net_tcp_listen(NetServer *server, int fd, const char **step)
{
	NetListener *listener;
	int			code;

	*step = "listen on TCP address";
	if (listen(fd, BACKLOG) < 0)
	{
		code = -errno;
		close(fd);
		return code;
	}

	listener = calloc(1, sizeof(*listener));
	code = listener == NULL ? UV_ENOMEM : uv_poll_init(&server->loop, &listener->poll, fd);
	if (code < 0)
	{
		free(listener);
		close(fd);
		return code;
	}
	listener->poll.data = listener;
	listener->fd = fd;
	listener->server = server;
	listener->next = server->listeners;
	server->listeners = listener;

	code = uv_poll_start(&listener->poll, UV_READABLE, on_listener_ready);
	if (code < 0)
	{
		net_listener_close(listener);
		return code;
	}
	return 0;
}
