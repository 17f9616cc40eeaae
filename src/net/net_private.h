/*
 * net_private.h
 *	  What the files of src/net share and nobody else sees.
 *
 * Invariant: a handle given to libuv lives in malloc'ed memory that only its
 * close callback frees, and a descriptor given to libuv is closed by libuv, or
 * (a listener's) after its handle is.
 */
#ifndef PT621_NET_PRIVATE_H
#define PT621_NET_PRIVATE_H

#include <uv.h>

#include "net.h"

/* A listening TCP socket: polled here, accepted from by accept4(). */
typedef struct NetListener
{
	uv_poll_t	poll;
	int			fd;				/* ours to close; libuv's uv_poll_t only watches */
	NetServer  *server;
	struct NetListener *next;
} NetListener;

struct NetUdp
{
	uv_udp_t	udp;
	uint32_t	drops_seen;		/* the kernel's counter when last read; it wraps */
	NetServer  *server;
	size_t		owed;			/* of what the kernel held when draining began */
	struct NetUdp *next;
};

struct NetConn
{
	uv_tcp_t	tcp;
	NetServer  *server;
	void	   *handle;			/* the owner's, NULL until `opened` returned one */
	bool		closing;
	NetCloseReason reason;
	int			error;
	size_t		owed;			/* of what the kernel held when draining began */
	bool		finishing;		/* it ends when the kernel has no more, or: */
	size_t		left;			/* when so much is read, which the kernel held then */
	NetConn    *prev;
	NetConn    *next;
};

struct NetServer
{
	uv_loop_t	loop;
	uv_timer_t	retry;			/* arms the listeners again after a failed accept */
	NetHandlers handlers;
	void	   *arg;
	size_t		headroom;
	uint8_t    *scratch;		/* headroom + NET_READ_SIZE: every TCP read */
	uint8_t    *datagrams;		/* NET_DATAGRAM_SLOTS x NET_DATAGRAM_SIZE: every recvmmsg */
	NetConn    *conns;			/* closing ones included */
	size_t		open;			/* closing ones not included */
	NetListener *listeners;
	NetUdp	   *udps;
	uint64_t	accept_failures;
	int			accept_error;
	uint64_t	udp_dropped;
	size_t		owed;			/* sum of what connections and UDP sockets owe */
	bool		draining;
	bool		turning;		/* inside uv_run */
	bool		worked;			/* this turn did something */
};

/*
 * Functions that return int give 0 or -errno (which on Unix is libuv's code too)
 * and set *step to a phrase that completes "could not ...".
 */

/* listen.c */
extern int	net_set_option(int fd, int level, int name, int value);
extern int	net_socket(const struct sockaddr_storage *addr, int type, bool reuseport,
					   const char **step);
extern int	net_bind(int fd, const struct sockaddr_storage *addr);

/* tcp.c */
extern int	net_tcp_listen(NetServer *server, int fd, const char **step);
extern void net_listener_close(NetListener *listener);
extern void net_accept_retry(uv_timer_t *timer);
extern void net_accept_last(NetServer *server);
extern void net_conn_owe(NetConn *conn);
extern void net_conn_end(NetConn *conn, NetCloseReason reason, int error);

/* udp.c */
extern int	net_udp_bind(NetServer *server, const struct sockaddr_storage *addr,
						 const NetListenOptions *options, NetUdp **udp, const char **step);
extern void net_udp_close(NetUdp *udp);
extern void net_udp_owe(NetUdp *udp);
extern void net_udp_read(NetUdp *udp);

/* net.c */
extern size_t net_unread(const NetConn *conn);
extern void net_pay(NetServer *server, size_t *owed, size_t size);

#endif							/* PT621_NET_PRIVATE_H */
