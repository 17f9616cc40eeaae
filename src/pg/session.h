/*
 * session.h
 *		From bytes of connections and datagrams to units in the batch.
 *
 * Invariants.  Nothing here raises an error: libuv's callbacks call it.  A byte
 * that was read is in the batch, or kept by its session until the batch has
 * room again; while any is kept for want of room, sessions_full() says that
 * nothing more should be read.  What is kept is bounded by
 * pt621.max_pending_memory, and where the batch is full by one read more, of a
 * connection or of datagrams.
 */
#ifndef PT621_PG_SESSION_H
#define PT621_PG_SESSION_H

#include "postgres.h"

#include <sys/socket.h>

#include "pg/batch.h"
#include "pg/reject.h"

typedef struct Session Session;
typedef struct Sessions Sessions;

/* What the sessions want of the port.  The end of a connection is told by
 * sessions_closed(), later. */
typedef struct SessionPort
{
	void		(*close) (void *conn);
	void		(*finish) (void *conn); /* reads first what has arrived */
	void		(*pause) (void *conn, bool pause);
	/* The latter by the socket that a datagram came to; false: not sent. */
	bool		(*write) (void *conn, const uint8 *data, Size size);
	bool		(*send) (void *socket, const struct sockaddr *peer,
						 const uint8 *data, Size size);
} SessionPort;

/* Makes the set, in the current memory context (may raise). */
extern Sessions *sessions_new(Batch *batch, const SessionPort *port);

/* Goes on with another batch, which is empty, and takes in what had no room. */
extern void sessions_set_batch(Sessions *sessions, Batch *batch);

/*
 * A connection came; NULL when it must be refused.  crowded: there is no room
 * for one more unless another gives way.
 */
extern Session *sessions_open(Sessions *sessions, const struct sockaddr *peer,
							  void *conn, bool crowded);

/* Bytes came by it.  PT621_PENDING_MAX bytes before data may be written. */
extern void sessions_bytes(Sessions *sessions, Session *session, uint8 *data,
						   Size size);

/* It is gone, for this reason if the sessions did not ask for it; it lives until
 * its last units are stored. */
extern void sessions_closed(Sessions *sessions, Session *session, CloseReason reason);

/* A datagram came, to this socket. */
extern void sessions_datagram(Sessions *sessions, void *socket, const struct sockaddr *peer,
							  const uint8 *data, Size size);

/* The sockets that datagrams came to are about to go. */
extern void sessions_forget_sockets(Sessions *sessions);

/* Tells whether reading should wait until the batch has been stored. */
extern bool sessions_full(const Sessions *sessions);

/*
 * Ends units after silence, and connections and paths that have said nothing for
 * too long; lets those go on that had to wait.  caught_up: all that has arrived
 * was read, so that what is silent is silent.
 */
extern void sessions_tick(Sessions *sessions, TimestampTz now, bool caught_up);

/* When sessions_tick() has something to do next; DT_NOEND = nothing. */
extern TimestampTz sessions_deadline(Sessions *sessions);

/* Takes in what storing made of the units from .. to - 1 of a batch; it has
 * committed. */
extern void sessions_account(Sessions *sessions, Batch *batch, uint32 from, uint32 to);

/* Tells whether a tracker has reported so often that datagrams of it are refused. */
extern bool sessions_over_rate(Sessions *sessions, const SourceIdent *ident);

/* Tells the log of connections that were closed. */
extern void sessions_say_closed(Sessions *sessions);

/* Ends the connections whose trackers have another. */
extern void sessions_finish_displaced(Sessions *sessions);

/* Closes the connections that have not named a tracker: memory or descriptors
 * are short. */
extern void sessions_close_unbound(Sessions *sessions);

#endif							/* PT621_PG_SESSION_H */
