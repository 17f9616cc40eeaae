/*
 * link.c
 *		One link: its socket, its pieces and its failures.
 */
#include "link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "link_private.h"
#include "tool.h"

#define CONNECTING_MAX		256		/* at a time: listeners' queues are short */
#define FULL_BYTES			32768	/* waiting in one link */
#define BUFFERS_MAX			(16 * 1024 * 1024)
#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		5000

void
link_set_state(Net *net, Link *link, LinkState state)
{
	net->waiting += (state == LINK_WAITING) - (link->state == LINK_WAITING);
	net->connecting += (state == LINK_CONNECTING) - (link->state == LINK_CONNECTING);
	net->ending += (state == LINK_ENDING) - (link->state == LINK_ENDING);
	net->open += (state == LINK_OPEN) - (link->state == LINK_OPEN);
	link->state = state;
	link->since_ns = tool_clock_ns();
}

void
link_drop_socket(Link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->writable = false;
}

Piece *
link_first_piece(const Link *link)
{
	return &link->pieces[link->first];
}

/* Takes out the first piece, which is done with. */
static void
pop_piece(Net *net, Link *link)
{
	Piece	   *piece = link_first_piece(link);

	net->pending--;
	net->pending_records -= piece->records;
	net->records += piece->records;
	link->from += piece->size;
	link->first = (link->first + 1) % link->pieces_room;
	link->count--;
	if (link->count == 0)
		link->from = link->to = 0;
}

/* Adds an empty piece. */
static Piece *
push_piece(Link *link, PieceKind kind)
{
	Piece	   *piece;

	if (link->count == link->pieces_room)
	{
		uint32_t	room = link->pieces_room ? link->pieces_room * 2 : 4;
		Piece	   *pieces = tool_alloc(NULL, room * sizeof(Piece));

		for (uint32_t i = 0; i < link->count; i++)
			pieces[i] = link->pieces[(link->first + i) % link->pieces_room];
		free(link->pieces);
		link->pieces = pieces;
		link->pieces_room = room;
		link->first = 0;
	}
	piece = &link->pieces[(link->first + link->count++) % link->pieces_room];
	*piece = (Piece) {.kind = (uint8_t) kind};
	return piece;
}

/* Gives the last piece when more may be added to it, or NULL. */
static Piece *
last_unfinished(const Link *link)
{
	Piece	   *piece;

	if (link->count == 0)
		return NULL;
	piece = &link->pieces[(link->first + link->count - 1) % link->pieces_room];
	return piece->whole ? NULL : piece;
}

/* Makes room for bytes behind those that wait. */
static void
make_room(Link *link, size_t size)
{
	if (link->from > 0 && link->to + size > link->room)
	{
		memmove(link->bytes, link->bytes + link->from, link->to - link->from);
		link->to -= link->from;
		link->from = 0;
	}
	if (link->to + size > link->room)
	{
		link->room = (link->to + size) * 3 / 2;
		link->bytes = tool_alloc(link->bytes, link->room);
	}
}

/* Waits a while before the next try; longer each time. */
static void
back_off(Net *net, Link *link)
{
	link->backoff_ms = link->backoff_ms ? link->backoff_ms * 2 : BACKOFF_MIN_MS;
	if (link->backoff_ms > BACKOFF_MAX_MS)
		link->backoff_ms = BACKOFF_MAX_MS;
	link_set_state(net, link, LINK_WAITING);
}

void
link_broke(Net *net, Link *link, int error)
{
	link_drop_socket(link);
	if (error)
		net->error = error;
	link->broke = true;
	if (link->count > 0)
		link_first_piece(link)->sent = 0;
	/* One that was idle when it broke may be opened again at once. */
	if (link->count > 0 || link->state != LINK_OPEN)
		back_off(net, link);
	else
		link_set_state(net, link, LINK_CLOSED);
}

/* Makes a socket and begins to connect it. */
static void
start_connecting(Net *net, Link *link)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = link};
	int			one = 1;

	link->fd = socket(net->address.ss_family,
					  (link->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
	{
		net->refused++;
		link_broke(net, link, errno);
		return;
	}
	/* A write is to be a segment of its own, as a tracker's is. */
	if (!link->udp)
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((connect(link->fd, (struct sockaddr *) &net->address, net->address_size) != 0 &&
		 errno != EINPROGRESS) ||
		epoll_ctl(net->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0)
	{
		net->refused++;
		link_broke(net, link, errno);
		return;
	}
	link->writable = link->udp;
	link->taken = 0;
	link->sockets++;
	link->line_size = 0;
	link_set_state(net, link, link->udp ? LINK_OPEN : LINK_CONNECTING);
	net->connections += link->udp;
}

/* Ends a connection in its order: the listener reads all, then ends it too. */
static void
start_ending(Net *net, Link *link)
{
	if (link->udp || link->fd < 0 || shutdown(link->fd, SHUT_WR) != 0)
	{
		link_drop_socket(link);
		link_set_state(net, link, LINK_CLOSED);
	}
	else
	{
		link_set_state(net, link, LINK_ENDING);
		net->moved_ns = link->since_ns;
	}
}

/* Sends the first piece as far as it goes; false when it has to wait. */
static bool
send_piece(Net *net, Link *link)
{
	Piece	   *piece = link_first_piece(link);
	ssize_t		sent = send(link->fd, link->bytes + link->from + piece->sent,
							piece->size - piece->sent, MSG_NOSIGNAL);

	if (sent < 0)
	{
		if (errno == EINTR)
			return true;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
			link->writable = false;
		else
		{
			*(link->udp ? &net->refused : &net->broken) += 1;
			link_broke(net, link, errno);
		}
		return false;
	}
	net->writes++;
	net->bytes += (uint64_t) sent;
	link->since_ns = net->moved_ns = tool_clock_ns();
	link->backoff_ms = 0;
	link->taken += (uint64_t) sent;
	/* More than the system's buffers hold: somebody reads. */
	if (link->taken > BUFFERS_MAX)
		link->stalls = 0;
	piece->sent += (uint32_t) sent;
	if (piece->sent == piece->size)
		pop_piece(net, link);
	return true;
}

void
link_go(Net *net, Link *link)
{
	while (link->count > 0)
	{
		Piece	   *piece = link_first_piece(link);

		if (!piece->whole)
			return;
		if (piece->kind == PIECE_CLOSE &&
			(link->state == LINK_OPEN || link->state == LINK_CLOSED || link->state == LINK_WAITING))
		{
			pop_piece(net, link);
			net->closing--;
			start_ending(net, link);
		}
		else if (link->state == LINK_OPEN && link->writable)
		{
			if (!send_piece(net, link))
				return;
		}
		else
		{
			if (link->state != LINK_CLOSED || net->connecting >= CONNECTING_MAX)
				return;
			start_connecting(net, link);
			if (link->state != LINK_OPEN)
				return;
		}
	}
}

/* Lets a piece go its way. */
static void
finish_piece(Net *net, Link *link, Piece *piece)
{
	piece->whole = true;
	net->pending++;
	/* While nothing waited nothing stood still. */
	if (link->count == 1 && (link->state == LINK_OPEN || link->state == LINK_CLOSED))
		link->since_ns = tool_clock_ns();
	if (net->pending == 1)
		net->moved_ns = tool_clock_ns();
	link_go(net, link);
}

void
link_add(Net *net, Link *link, const uint8_t *bytes, size_t size, uint16_t records)
{
	Piece	   *piece = last_unfinished(link);

	if (piece == NULL)
		piece = push_piece(link, PIECE_BYTES);
	make_room(link, size);
	memcpy(link->bytes + link->to, bytes, size);
	link->to += size;
	piece->size += (uint32_t) size;
	piece->records = (uint16_t) (piece->records + records);
	net->pending_records += records;
}

void
link_finish(Net *net, Link *link)
{
	Piece	   *piece = last_unfinished(link);

	if (piece == NULL)
		return;
	finish_piece(net, link, piece);
}

void
link_close(Net *net, Link *link)
{
	link_finish(net, link);
	net->closing++;
	finish_piece(net, link, push_piece(link, PIECE_CLOSE));
}

void
link_open(Net *net, Link *link)
{
	if (link->state == LINK_CLOSED && net->connecting < CONNECTING_MAX)
		start_connecting(net, link);
}

uint16_t
link_unfinished(const Link *link)
{
	const Piece *piece = last_unfinished(link);

	return piece ? piece->records : 0;
}

bool
link_is_closing(const Link *link)
{
	for (uint32_t i = 0; i < link->count; i++)
	{
		if (link->pieces[(link->first + i) % link->pieces_room].kind == PIECE_CLOSE)
			return true;
	}
	return false;
}

bool
link_is_full(const Link *link)
{
	return link->to - link->from >= FULL_BYTES;
}
