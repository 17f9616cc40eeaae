/*
 * net.h
 *	  TCP and UDP over libuv: bytes in, bytes out.
 *
 * Invariant: this module knows neither the protocol nor PostgreSQL.  It runs in
 * one thread, never blocks, never starts libuv's thread pool, installs no signal
 * handler, and never holds more bytes from the wire than its two fixed buffers:
 * what the owner has no room for stays in the kernel.
 *
 * What the process around it has to do: ignore SIGPIPE (libuv writes with plain
 * write(2)), and wait on net_server_fd() with a timeout no longer than
 * net_server_timeout_ms(), computed after the last call into this module.  While
 * room() refuses bytes that lie in the kernel the descriptor stays readable, so
 * an owner that backs off must wait without it.
 */
#ifndef PT621_NET_H
#define PT621_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NET_READ_SIZE		65536	/* largest read handed over at once */
#define NET_DATAGRAM_SIZE	65536	/* room for one datagram; UDP's own limit is 65,527 */
#define NET_DATAGRAM_SLOTS	20		/* datagrams read by one system call, at most */
#define NET_WRITE_QUEUE		65536	/* bytes that may wait unsent in one connection */

typedef struct NetServer NetServer;
typedef struct NetConn NetConn;
typedef struct NetUdp NetUdp;

typedef enum NetCloseReason
{
	NET_CLOSED_BY_PEER,			/* the peer ended the stream; error is 0 */
	NET_CLOSED_BY_US,			/* net_conn_close() or net_server_free(); error is 0 */
	NET_CLOSED_BY_ERROR			/* error is the libuv code, that is -errno */
} NetCloseReason;

/*
 * What the owner is told.  All five are required.  They are called only from
 * inside net_server_turn(), net_server_read_datagrams() and net_server_free(), must
 * not leave by longjmp, and may, except for `room`, call every function below but
 * those three.
 */
typedef struct NetHandlers
{
	/*
	 * May `size` more bytes be taken now?  false leaves them in the kernel.
	 * Asked before every read: with NET_READ_SIZE for a connection, with a
	 * multiple of NET_DATAGRAM_SIZE for datagrams (one of up to
	 * NET_DATAGRAM_SLOTS, then smaller ones, until the answer is true).  The
	 * promise covers what that one read brings, which may be less.  It only
	 * answers: libuv is in the middle of a read and does not survive the close
	 * of that connection here, nor a write that ends in one.
	 */
	bool		(*room) (void *arg, size_t size);

	/*
	 * A connection was accepted, `peer` is readable during the call.  Returns
	 * the owner's handle for it, or NULL to refuse: it is then closed without
	 * `closed`, and `conn` is dead after the return.
	 */
	void	   *(*opened) (void *arg, NetConn *conn, const struct sockaddr *peer);

	/*
	 * `size` > 0 bytes came.  They, and the `headroom` bytes before them, may be
	 * overwritten, and are gone after the return.
	 */
	void		(*bytes) (void *arg, void *handle, uint8_t *data, size_t size);

	/*
	 * The connection is gone.  Called exactly once for each handle, from a turn
	 * (never from within net_conn_close()), and last: the NetConn is dead after
	 * the return.
	 */
	void		(*closed) (void *arg, void *handle, NetCloseReason reason, int error);

	/*
	 * One datagram, perhaps of size 0; `data` may be overwritten and is gone
	 * after the return.  `truncated` says that the kernel cut it, which a buffer
	 * of NET_DATAGRAM_SIZE rules out short of jumbograms.  `socket` is where it
	 * came to, and lives until net_server_free().
	 */
	void		(*datagram) (void *arg, NetUdp *socket, const struct sockaddr *peer,
							 uint8_t *data, size_t size, bool truncated);
} NetHandlers;

typedef struct NetListenOptions
{
	bool		reuseport;		/* share the port with other sockets of this user id */
	int			receive_buffer; /* bytes a connection may hold unread; 0 = the system's choice */
	int			datagram_buffer;	/* bytes a UDP socket may hold; 0 = 4 MB; the system may grant less */
} NetListenOptions;

/*
 * `headroom` is how many bytes before the data of `bytes` can be written.
 * Functions with `error` describe a failure there, without a trailing period.
 */
extern NetServer *net_server_new(const NetHandlers *handlers, void *arg, size_t headroom,
								 char *error, size_t error_size);

/*
 * Binds TCP and UDP on one address, both or neither; may be called once per
 * address.  Port 0 means one the kernel chooses, the same for both.  *port, when
 * port is not NULL, gets the port bound.  options may be NULL.
 */
extern bool net_server_listen(NetServer *server, const struct sockaddr *addr, socklen_t addr_size,
							  int *port, const NetListenOptions *options,
							  char *error, size_t error_size);

/* The descriptor to wait on, readable when a turn has work. */
extern int	net_server_fd(const NetServer *server);

/* How long to wait at most; 0 = take a turn now, -1 = no limit. */
extern int	net_server_timeout_ms(NetServer *server);

/* Does what is ready, never waits; true when a byte, datagram, accept or close was handled. */
extern bool net_server_turn(NetServer *server);

/*
 * Reads datagrams, and nothing else, as long as there is room; true when any came.
 * For an owner that is busy with what was read before: the kernel's buffer for
 * datagrams is small, and nobody sends them again.  Not from a handler.
 */
extern bool net_server_read_datagrams(NetServer *server);

/* Closes the TCP listeners (what waits in their backlog is reset); connections and UDP go on. */
extern void net_server_stop_accepting(NetServer *server);

/*
 * Begins to read what lies in the kernel now, and no more than that: what comes
 * later does not count, or a busy server would never come to an end.  Turns accept
 * what waits, then close the TCP listeners; net_server_drained() tells when the
 * bytes and datagrams that were there have been handed over.
 */
extern void net_server_drain(NetServer *server);
extern bool net_server_drained(const NetServer *server);

/* What of that is still to be read, in bytes (a datagram and its overhead). */
extern size_t net_server_owed(const NetServer *server);

/* Closes every socket, calls `closed` for every connection, frees. NULL is allowed. */
extern void net_server_free(NetServer *server);

/* Connections not closed, the one given to a running `opened` included. */
extern size_t net_server_connections(const NetServer *server);

/* Bytes that connections hold in the kernel, received and not read. */
extern size_t net_server_unread(const NetServer *server);

/* How often accepting failed (descriptors or memory short), and the last reason as -errno. */
extern uint64_t net_server_accept_failures(const NetServer *server, int *last_error);

/* Datagrams the kernel dropped at our UDP sockets, a full buffer mostly; 0 where it does not say. */
extern uint64_t net_server_udp_dropped(NetServer *server);

/* The smallest UDP receive buffer granted, in the unit it was asked in; 0 without UDP. */
extern int	net_server_udp_receive_buffer(const NetServer *server);

/*
 * Ends a connection: no `bytes` from here on, unsent writes are dropped,
 * `closed` follows with NET_CLOSED_BY_US.  A second call does nothing.
 */
extern void net_conn_close(NetConn *conn);

/*
 * Hands over what the kernel holds of a connection, then ends it: `closed`
 * follows with NET_CLOSED_BY_PEER.  Of what the peer sends later no more comes than
 * the last read brings, however long it goes on.
 */
extern void net_conn_finish(NetConn *conn);

/*
 * Stops or starts reading a connection; what comes meanwhile stays in the kernel.
 * The peer's close is not seen until the pause is over.  There is none while
 * draining.
 */
extern void net_conn_pause(NetConn *conn, bool pause);

/*
 * Copies and sends, all or nothing.  false: the connection is closing or was just
 * found broken (`closed` follows), memory is short, or `size` more bytes would
 * make more than NET_WRITE_QUEUE wait unsent (so no single write may be larger).
 */
extern bool net_conn_write(NetConn *conn, const uint8_t *data, size_t size);

/*
 * Sends one datagram from the address that `socket` is bound to.  false: the system
 * did not take it now, and nothing is kept of it.
 */
extern bool net_udp_send(NetUdp *socket, const struct sockaddr *peer,
						 const uint8_t *data, size_t size);

#endif							/* PT621_NET_H */
