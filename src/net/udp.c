/*
 * udp.c
 *	  Datagrams: read many at a time, handed over one at a time.
 *
 * Invariant: one buffer serves all UDP sockets.  libuv asks for it, reads, makes
 * its callbacks (the last without an address) and only then asks again; nothing
 * here keeps a pointer into it.
 */
#ifdef POSTGRES_H
#error "src/net knows nothing of PostgreSQL"
#endif

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_private.h"

#define UDP_BUFFER	(4 * 1024 * 1024)	/* 10,000 small datagrams: what comes during one commit */
#define UDP_OVERHEAD	512		/* bytes of a buffer that a datagram takes beside its own, at least */

/*
 * Counts the datagrams that the owner has room for, up to what one call reads.
 */
static size_t
slots_with_room(NetServer *server)
{
	size_t		slots = NET_DATAGRAM_SLOTS;

	while (slots > 0 && !server->handlers.room(server->arg, slots * NET_DATAGRAM_SIZE))
		slots /= 2;
	return slots;
}

/*
 * Offers as many slots as the owner has room for.
 *
 * Less than one whole slot is never offered: libuv divides by the slot size, and
 * with no slot it would try for ever.
 */
static void
on_udp_buffer(uv_handle_t *uv, size_t suggested, uv_buf_t *buffer)
{
	NetUdp	   *udp = uv->data;
	NetServer  *server = udp->server;
	size_t		slots = slots_with_room(server);

	(void) suggested;
	if (slots > 0)
		*buffer = uv_buf_init((char *) server->datagrams,
							  (unsigned int) (slots * NET_DATAGRAM_SIZE));
	else
		*buffer = uv_buf_init(NULL, 0);
}

/*
 * Hands over one datagram.
 */
static void
hand_over(NetUdp *udp, const struct sockaddr *peer, uint8_t *data, size_t size, bool truncated)
{
	NetServer  *server = udp->server;

	net_pay(server, &udp->owed, size + UDP_OVERHEAD);
	server->worked = true;
	server->handlers.datagram(server->arg, udp, peer, data, size, truncated);
}

/*
 * Hands over what libuv has read.
 *
 * An address is what tells a datagram, an empty one included, from libuv's other
 * calls: nothing there, no buffer offered, buffer free again, error.  An error
 * belongs to one datagram or one moment, never to the socket.
 */
static void
on_udp_read(uv_udp_t *uv, ssize_t size, const uv_buf_t *buffer, const struct sockaddr *peer,
			unsigned int flags)
{
	NetUdp	   *udp = uv->data;
	NetServer  *server = udp->server;

	/* The kernel had no more: not so when libuv only gives the buffer back. */
	if (size == 0 && peer == NULL && (flags & UV_UDP_MMSG_FREE) == 0)
		net_pay(server, &udp->owed, udp->owed);
	if (size < 0 || peer == NULL)
		return;
	hand_over(udp, peer, (uint8_t *) buffer->base, (size_t) size, (flags & UV_UDP_PARTIAL) != 0);
}

/*
 * Reads what a socket holds, as far as there is room, without libuv.
 */
void
net_udp_read(NetUdp *udp)
{
	NetServer  *server = udp->server;
	struct mmsghdr message[NET_DATAGRAM_SLOTS];
	struct iovec part[NET_DATAGRAM_SLOTS];
	struct sockaddr_storage peer[NET_DATAGRAM_SLOTS];
	uv_os_fd_t	fd;
	int			count;

	if (uv_fileno((const uv_handle_t *) &udp->udp, &fd) != 0)
		return;
	do
	{
		size_t		slots = slots_with_room(server);

		if (slots == 0)
			return;
		memset(message, 0, sizeof(message));
		for (size_t i = 0; i < slots; i++)
		{
			part[i].iov_base = server->datagrams + i * NET_DATAGRAM_SIZE;
			part[i].iov_len = NET_DATAGRAM_SIZE;
			message[i].msg_hdr.msg_iov = &part[i];
			message[i].msg_hdr.msg_iovlen = 1;
			message[i].msg_hdr.msg_name = &peer[i];
			message[i].msg_hdr.msg_namelen = sizeof(peer[i]);
		}
		/* An error belongs to one datagram: the loop will meet it again, or not. */
		count = recvmmsg(fd, message, (unsigned int) slots, MSG_DONTWAIT, NULL);
		for (int i = 0; i < count; i++)
			hand_over(udp, (const struct sockaddr *) &peer[i], part[i].iov_base,
					  message[i].msg_len, (message[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
	} while (count > 0);
	/* The loop is not told of a socket that was emptied here. */
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		net_pay(server, &udp->owed, udp->owed);
}

/*
 * Sends one datagram, or drops it: who waits for it will ask again.
 */
bool
net_udp_send(NetUdp *udp, const struct sockaddr *peer, const uint8_t *data, size_t size)
{
	uv_buf_t	buffer = uv_buf_init((char *) (uintptr_t) data, (unsigned int) size);

	return uv_udp_try_send(&udp->udp, &buffer, 1, peer) >= 0;
}

/*
 * Frees a UDP socket that libuv has let go.
 */
static void
on_udp_closed(uv_handle_t *uv)
{
	free(uv->data);
}

/*
 * Closes a UDP socket.
 */
void
net_udp_close(NetUdp *udp)
{
	NetUdp	  **link = &udp->server->udps;

	while (*link != NULL && *link != udp)
		link = &(*link)->next;
	if (*link != NULL)
		*link = udp->next;
	net_pay(udp->server, &udp->owed, udp->owed);
	uv_close((uv_handle_t *) &udp->udp, on_udp_closed);
}

/*
 * Asks the kernel about the memory of a UDP socket; false where it does not say.
 */
static bool
ask_memory(const NetUdp *udp, uint32_t info[SK_MEMINFO_VARS])
{
	socklen_t	size = SK_MEMINFO_VARS * sizeof(info[0]);
	uv_os_fd_t	fd;

	return uv_fileno((const uv_handle_t *) &udp->udp, &fd) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
		size > SK_MEMINFO_DROPS * sizeof(info[0]);
}

/*
 * Notes what a UDP socket owes when draining begins: the bytes of buffer that its
 * datagrams take, since the kernel does not say how many there are.
 */
void
net_udp_owe(NetUdp *udp)
{
	uint32_t	info[SK_MEMINFO_VARS];

	if (!ask_memory(udp, info))
		return;
	udp->owed = info[SK_MEMINFO_RMEM_ALLOC];
	udp->server->owed += udp->owed;
}

/*
 * Makes, binds and starts a UDP socket.
 */
int
net_udp_bind(NetServer *server, const struct sockaddr_storage *addr,
			 const NetListenOptions *options, NetUdp **result, const char **step)
{
	NetUdp	   *udp;
	int			code;
	int			fd = net_socket(addr, SOCK_DGRAM, options->reuseport, step);

	if (fd < 0)
		return fd;

	*step = "set up UDP address";
	udp = calloc(1, sizeof(*udp));

	/* AF_UNSPEC: with a family libuv would make a socket of its own. */
	code = udp == NULL ? UV_ENOMEM
		: uv_udp_init_ex(&server->loop, &udp->udp, AF_UNSPEC | UV_UDP_RECVMMSG);
	if (code < 0)
	{
		free(udp);
		close(fd);
		return code;
	}
	udp->udp.data = udp;
	udp->server = server;
	udp->next = server->udps;
	server->udps = udp;

	code = uv_udp_open(&udp->udp, fd);
	if (code < 0)
	{
		close(fd);
		goto fail;
	}

	/*
	 * uv_udp_open sets SO_REUSEADDR, with which any other user of the machine
	 * could bind this port too and receive what is sent to us.  Cleared before
	 * the socket is bound, it is never open to that.
	 */
	code = net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
	if (code < 0)
		goto fail;

	/* More than the system allows is cut down silently; the owner can ask. */
	(void) net_set_option(fd, SOL_SOCKET, SO_RCVBUF,
						  options->datagram_buffer > 0 ? options->datagram_buffer : UDP_BUFFER);

	*step = "bind UDP address";
	code = net_bind(fd, addr);
	if (code < 0)
		goto fail;

	*step = "receive on UDP address";
	code = uv_udp_recv_start(&udp->udp, on_udp_buffer, on_udp_read);
	if (code < 0)
		goto fail;

	*result = udp;
	return 0;

fail:
	net_udp_close(udp);
	return code;
}

/*
 * Sums the datagrams the kernel dropped at our sockets.
 *
 * The kernel counts in 32 bits; asked at least once in 2^32 drops, the sum stays
 * right.
 */
uint64_t
net_server_udp_dropped(NetServer *server)
{
	for (NetUdp *udp = server->udps; udp != NULL; udp = udp->next)
	{
		uint32_t	info[SK_MEMINFO_VARS];

		if (!ask_memory(udp, info))
			continue;
		server->udp_dropped += (uint32_t) (info[SK_MEMINFO_DROPS] - udp->drops_seen);
		udp->drops_seen = info[SK_MEMINFO_DROPS];
	}
	return server->udp_dropped;
}

/*
 * Returns the smallest receive buffer the kernel granted.
 */
int
net_server_udp_receive_buffer(const NetServer *server)
{
	int			smallest = 0;

	for (const NetUdp *udp = server->udps; udp != NULL; udp = udp->next)
	{
		int			granted;
		socklen_t	size = sizeof(granted);
		uv_os_fd_t	fd;

		if (uv_fileno((const uv_handle_t *) &udp->udp, &fd) != 0 ||
			getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size) < 0)
			continue;
		/* The kernel doubles what it grants, for its own bookkeeping. */
		granted /= 2;
		if (smallest == 0 || granted < smallest)
			smallest = granted;
	}
	return smallest;
}
