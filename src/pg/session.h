/*
 * session.h
 *		From bytes of connections and datagrams to units in the batch.
 *
 * Invariants.  Nothing here raises an error: libuv's callbacks call it.  A byte
 * that was read is in the batch, or kept by its session until the batch has
 * room again; while any is kept for want of room, sessions_full() says that
 * nothing more should be read.
 */
#ifndef PT621_PG_SESSION_H
#define PT621_PG_SESSION_H

#include "postgres.h"

#include <sys/socket.h>

#include "lib/ilist.h"

#include "pg/batch.h"

/* A TCP connection or a UDP path (address and port of a sender). */
typedef struct Session
{
	Source		source;			/* first: it is one */
	void	   *conn;			/* the connection; NULL for UDP, or gone */
	bool		closing;		/* it was given up; its end will be told */
	dlist_node	active;			/* in order of last_activity, oldest first */
	TimestampTz last_activity;
	Pt621Splitter splitter;
	uint8	   *pending;		/* bytes that no unit has taken yet */
	Size		pending_size;
	Size		pending_room;
	bool		is_quiet;		/* in the list `quiet` */
	dlist_node	quiet;
	bool		is_backlogged;	/* in the list `backlog` */
	dlist_node	backlog;
	bool		ended;			/* nothing follows `pending` */
	struct Session *next_path;	/* in its bucket of UDP paths */
} Session;

typedef struct Sessions Sessions;

/* Makes the set, in the current memory context (may raise). */
extern Sessions *sessions_new(Batch *batch);

/* The batch was replaced; only when it is empty. */
extern void sessions_set_batch(Sessions *sessions, Batch *batch);

/* A connection came; NULL when memory is short. */
extern Session *sessions_open(Sessions *sessions, const struct sockaddr *peer,
							  void *conn);

/*
 * Bytes came by it.  PT621_PENDING_MAX bytes before data may be written.
 * false: memory is short, and the connection must be closed.
 */
extern bool sessions_bytes(Sessions *sessions, Session *session, uint8 *data,
						   Size size);

/* It is gone; the session lives until its last units are stored. */
extern void sessions_closed(Sessions *sessions, Session *session);

/* A datagram came. */
extern void sessions_datagram(Sessions *sessions, const struct sockaddr *peer,
							  const uint8 *data, Size size);

/* Tells whether reading should wait until the batch has been stored. */
extern bool sessions_full(const Sessions *sessions);

/* The batch was stored and cleared: takes in what had no room. */
extern void sessions_resume(Sessions *sessions);

/*
 * Ends units after silence, and calls close for the connections that have said
 * nothing for too long.
 */
extern void sessions_tick(Sessions *sessions, TimestampTz now,
						  void (*close) (void *conn));

/* When sessions_tick() has something to do next; DT_NOEND = nothing. */
extern TimestampTz sessions_deadline(Sessions *sessions);

/*
 * Gives up the connection heard of least recently that has not named a tracker:
 * the caller closes it.  NULL when there is none.
 */
extern void *sessions_give_up_unbound(Sessions *sessions);

#endif							/* PT621_PG_SESSION_H */
