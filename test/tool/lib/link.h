/*
 * link.h
 *		Many connections and UDP sockets to one address, by epoll.
 *
 * A link is one sender's way to the listener: a TCP connection, opened when
 * there is something to send and again when it broke, or a UDP socket.  What
 * is to be sent waits in pieces: a piece is one write, or one datagram.
 *
 * Invariants.  Pieces go out in their order; a piece that a broken connection
 * had taken only in part goes out again as a whole on the next one.  Nothing
 * waits for ever: a connection that takes no byte for stall_ns while a piece
 * waits is closed and opened anew, and net_stuck() tells when nothing gets
 * through at all.
 */
#ifndef PT621_TOOL_LINK_H
#define PT621_TOOL_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* So many connections in a row that stall: nobody reads there. */
#define LINK_STALLS_MAX	5
/* A line of the other side with its NUL; what is longer is cut. */
#define LINK_LINE_MAX	128

typedef enum LinkState
{
	LINK_CLOSED,				/* opens with the next piece */
	LINK_CONNECTING,
	LINK_OPEN,
	LINK_ENDING,				/* we are done; waits for the other side's end */
	LINK_WAITING				/* until the next try to connect */
} LinkState;

typedef enum PieceKind
{
	PIECE_BYTES,
	PIECE_CLOSE					/* not bytes: the connection is to end here */
} PieceKind;

typedef struct Piece
{
	uint32_t	size;			/* bytes */
	uint32_t	sent;			/* of them on this connection */
	uint16_t	records;
	uint8_t		kind;			/* PieceKind */
	bool		whole;			/* false: more may be added */
} Piece;

typedef struct Link
{
	int			fd;				/* -1: none */
	LinkState	state;
	bool		udp;
	bool		writable;		/* as far as epoll has said */
	bool		broke;			/* a connection broke; whoever cares resets it */
	uint32_t	backoff_ms;
	uint32_t	stalls;			/* connections in a row that took no more */
	uint64_t	taken;			/* bytes that this connection took */
	int64_t		since_ns;		/* when its state changed or a byte went out */
	uint8_t    *bytes;			/* of the pieces, one after the other */
	size_t		from;			/* the first one's first byte */
	size_t		to;
	size_t		room;
	Piece	   *pieces;			/* a ring */
	uint32_t	first;
	uint32_t	count;
	uint32_t	pieces_room;
	uint32_t	sockets;		/* that it has had */
	char		line[LINK_LINE_MAX];	/* what the other side says, when it is heard */
	uint8_t		line_size;
} Link;

typedef struct Net
{
	struct sockaddr_storage address;
	socklen_t	address_size;
	int			epoll;
	Link	   *links;
	size_t		count;
	int64_t		stall_ns;
	/* Told of each line that the other side of a link says; a datagram's end is
	 * one of a line.  NULL: nobody is. */
	void		(*heard) (void *context, size_t link, const char *line);
	void	   *context;
	int64_t		looked_ns;		/* when the links were last gone through */
	int64_t		moved_ns;		/* when something last went out */
	size_t		waiting;		/* links in state LINK_WAITING */
	size_t		connecting;
	size_t		closing;		/* that are to end behind what still waits */
	size_t		ending;
	size_t		open;
	uint64_t	pending;		/* whole pieces not sent */
	uint64_t	pending_records;	/* in all pieces not sent */
	uint64_t	bytes;			/* sent, those sent again included */
	uint64_t	records;		/* in pieces sent */
	uint64_t	writes;
	uint64_t	connections;	/* opened; UDP sockets too */
	uint64_t	refused;		/* tries to connect that failed */
	uint64_t	broken;			/* connections that the other side ended */
	uint64_t	stalled;		/* connections given up because they took nothing */
	bool		deaf;			/* one link did so LINK_STALLS_MAX times in a row */
	uint64_t	unconfirmed;	/* ended without the other side's end */
	int			error;			/* errno of the last failure */
} Net;

/*
 * Makes `count` links, none of them open.  Ends the program when the host is
 * not known.  port: 1 .. 65535
 */
extern void net_start(Net *net, const char *host, const char *port, size_t count,
					  double stall_seconds);

/* Adds bytes to be sent, as `records` records: to the last piece unless that is whole. */
extern void link_add(Net *net, Link *link, const uint8_t *bytes, size_t size,
					 uint16_t records);

/* Ends the last piece, and sends what can be sent at once.  Without one: nothing. */
extern void link_finish(Net *net, Link *link);

/*
 * Lets the connection end behind what was added so far; what is added later
 * goes by a new one, which opens when the other side has ended this one too:
 * so the listener reads them in this order.
 */
extern void link_close(Net *net, Link *link);

/* Opens a link although there is nothing to send yet. */
extern void link_open(Net *net, Link *link);

/* Returns how many records the unfinished last piece has. */
extern uint16_t link_unfinished(const Link *link);

/* Tells whether its connection is to end behind what waits. */
extern bool link_is_closing(const Link *link);

/* Tells whether so much waits that no more should be added. */
extern bool link_is_full(const Link *link);

/* Waits for events at most so long (ns; 0: does not wait), and handles them. */
extern void net_turn(Net *net, int64_t timeout_ns);

/*
 * Tells whether there is no hope: pieces wait, or connections end, and nothing has
 * moved for so many seconds, or one link's connections stall again and again.
 */
extern bool net_stuck(const Net *net, double seconds);

#define NET_TROUBLES_MAX	128

/* Writes what does not go as it should, ", 3 waiting, 2 refused", or nothing.
 * buffer: NET_TROUBLES_MAX bytes.  Returns it. */
extern const char *net_troubles(const Net *net, char *buffer);

/* Closes all that is still open, at once. */
extern void net_stop(Net *net);

#endif							/* PT621_TOOL_LINK_H */
