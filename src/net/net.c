/*
 * net.c
 *	  A server's life: made, asked, given turns, freed.
 *
 * Invariant: libuv runs only inside net_server_turn() and net_server_free(), never
 * nested, and the server's memory goes only after its loop has closed.
 */
#ifdef POSTGRES_H
#error "src/net knows nothing of PostgreSQL"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "net_private.h"

#define FREE_TURNS	1000		/* closing takes two or three; a fault must not take for ever */

/*
 * Makes a server without sockets.
 */
NetServer *
net_server_new(const NetHandlers *handlers, void *arg, size_t headroom, char *error,
			   size_t error_size)
{
	NetServer  *server;
	int			code;

	if (headroom > SIZE_MAX - NET_READ_SIZE)
	{
		snprintf(error, error_size, "headroom of %zu bytes is too large", headroom);
		return NULL;
	}

	server = calloc(1, sizeof(*server));
	if (server != NULL)
	{
		server->scratch = malloc(headroom + NET_READ_SIZE);
		server->datagrams = malloc((size_t) NET_DATAGRAM_SLOTS * NET_DATAGRAM_SIZE);
	}
	if (server == NULL || server->scratch == NULL || server->datagrams == NULL)
	{
		snprintf(error, error_size, "out of memory for the network buffers");
		goto fail;
	}

	server->handlers = *handlers;
	server->arg = arg;
	server->headroom = headroom;

	code = uv_loop_init(&server->loop);
	if (code < 0)
	{
		snprintf(error, error_size, "could not create an event loop: %s", strerror(-code));
		goto fail;
	}

	code = uv_timer_init(&server->loop, &server->retry);
	if (code < 0)
	{
		snprintf(error, error_size, "could not create a timer: %s", strerror(-code));
		(void) uv_loop_close(&server->loop);
		goto fail;
	}
	server->retry.data = server;

	return server;

fail:
	if (server != NULL)
	{
		free(server->scratch);
		free(server->datagrams);
		free(server);
	}
	return NULL;
}

/*
 * Returns the descriptor that becomes readable when a turn has work.
 */
int
net_server_fd(const NetServer *server)
{
	return uv_backend_fd(&server->loop);
}

/*
 * Returns how many milliseconds may be slept on the descriptor.
 *
 * libuv answers from the time of its last turn, hence the update; and it answers
 * 0 for a loop without any handle, with which a server that does not listen would
 * keep its owner spinning.
 */
int
net_server_timeout_ms(NetServer *server)
{
	if (!uv_loop_alive(&server->loop))
		return -1;
	uv_update_time(&server->loop);
	return uv_backend_timeout(&server->loop);
}

/*
 * Counts what a connection has received and we have not read.
 */
size_t
net_unread(const NetConn *conn)
{
	uv_os_fd_t	fd;
	int			unread;

	if (!conn->closing && uv_fileno((const uv_handle_t *) &conn->tcp, &fd) == 0 &&
		ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)
		return (size_t) unread;
	return 0;
}

/*
 * Takes what was read off what is owed.
 */
void
net_pay(NetServer *server, size_t *owed, size_t size)
{
	if (size > *owed)
		size = *owed;
	*owed -= size;
	server->owed -= size;
}

/*
 * Begins to drain.
 */
void
net_server_drain(NetServer *server)
{
	if (server->draining)
		return;
	server->draining = true;
	for (NetConn *conn = server->conns; conn != NULL; conn = conn->next)
	{
		net_conn_pause(conn, false);
		net_conn_owe(conn);
	}
	for (NetUdp *udp = server->udps; udp != NULL; udp = udp->next)
		net_udp_owe(udp);
}

/*
 * Tells whether what was there when draining began has been handed over.
 */
bool
net_server_drained(const NetServer *server)
{
	return server->draining && server->listeners == NULL && server->owed == 0;
}

/*
 * Returns what is still owed.
 */
size_t
net_server_owed(const NetServer *server)
{
	return server->owed;
}

/*
 * Runs the loop once without waiting.
 */
bool
net_server_turn(NetServer *server)
{
	/* libuv's loop does not nest: a handler that asks for a turn gets none. */
	if (server->turning)
		return false;

	server->worked = false;
	server->turning = true;
	if (server->draining)
		net_accept_last(server);
	(void) uv_run(&server->loop, UV_RUN_NOWAIT);
	/* libuv may stop before it has met the end of what a UDP socket holds. */
	for (NetUdp *udp = server->udps; udp != NULL && server->draining; udp = udp->next)
		net_udp_read(udp);
	server->turning = false;
	return server->worked;
}

/*
 * Reads datagrams outside of the loop.
 */
bool
net_server_read_datagrams(NetServer *server)
{
	if (server->turning)
		return false;
	server->worked = false;
	server->turning = true;
	for (NetUdp *udp = server->udps; udp != NULL; udp = udp->next)
		net_udp_read(udp);
	server->turning = false;
	return server->worked;
}

/*
 * Closes the listening TCP sockets.
 */
void
net_server_stop_accepting(NetServer *server)
{
	while (server->listeners != NULL)
		net_listener_close(server->listeners);
}

/*
 * Closes everything and frees the server.
 */
void
net_server_free(NetServer *server)
{
	if (server == NULL || server->turning)
		return;

	net_server_stop_accepting(server);
	while (server->udps != NULL)
		net_udp_close(server->udps);
	for (NetConn *conn = server->conns; conn != NULL; conn = conn->next)
		net_conn_end(conn, NET_CLOSED_BY_US, 0);
	uv_close((uv_handle_t *) &server->retry, NULL);

	for (int turn = 0; turn < FREE_TURNS && uv_loop_alive(&server->loop); turn++)
		(void) net_server_turn(server);

	/* What libuv still points into is better leaked than freed. */
	if (uv_loop_close(&server->loop) != 0)
		return;

	free(server->scratch);
	free(server->datagrams);
	free(server);
}

/*
 * Counts the connections that are open.
 */
size_t
net_server_connections(const NetServer *server)
{
	return server->open;
}

/*
 * Sums what the open connections have received and we have not read.
 */
size_t
net_server_unread(const NetServer *server)
{
	size_t		sum = 0;

	for (const NetConn *conn = server->conns; conn != NULL; conn = conn->next)
		sum += net_unread(conn);
	return sum;
}

/*
 * Counts the accepts that failed and names the last reason.
 */
uint64_t
net_server_accept_failures(const NetServer *server, int *last_error)
{
	if (last_error != NULL)
		*last_error = server->accept_error;
	return server->accept_failures;
}
