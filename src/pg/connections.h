/*
 * connections.h
 *		The connections and UDP paths of all listeners, in shared memory.
 *
 * Invariants.  A slot belongs to the worker that opened it.  What identifies a
 * connection changes under the lock; counters are written by that worker alone,
 * without it.  Nothing here raises an error but the SQL function: libuv's
 * callbacks call it.
 */
#ifndef PT621_PG_CONNECTIONS_H
#define PT621_PG_CONNECTIONS_H

#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"

#include "pg/batch.h"
#include "pg/reject.h"

typedef struct ConnectionSlot
{
	int			worker;			/* slot of its worker; -1 = free */
	int			next_free;		/* index; -1 = none */
	bool		is_udp;
	SourcePeer	peer;
	int			peer_port;
	TimestampTz since;
	SourceIdent ident;			/* the tracker that it named last */
	pg_atomic_uint64 conn;		/* pt621.conn_seq; 0 = not numbered yet */
	pg_atomic_uint64 last_seen; /* TimestampTz */
	pg_atomic_uint64 bytes;
	pg_atomic_uint64 units;
	pg_atomic_uint64 rejected;
	pg_atomic_uint32 displaced; /* another connection speaks for its tracker */
	pg_atomic_uint32 wanted;	/* there may be something to send to its tracker */
} ConnectionSlot;

extern Size connections_size(void);

/* Makes or finds the table; called with AddinShmemInitLock held. */
extern void connections_startup(LWLock *lock);

/*
 * Takes a slot for a connection or path; NULL, and why in *reason, when one of
 * the bounds is reached.
 */
extern ConnectionSlot *connections_open(const Source *source, bool is_udp,
										CloseReason *reason);

/* Tells whether the address of a new connection has as many as it may. */
extern bool connections_address_is_full(const Source *source);
extern void connections_close(ConnectionSlot *slot);

/* Gives up what a worker that ends still has. */
extern void connections_forget_worker(int worker);

/* Writes down which tracker a connection speaks for, and its number. */
extern void connections_name(ConnectionSlot *slot, const Source *source);

/* Adds to a counter of this worker's. */
static inline void
connections_count(pg_atomic_uint64 *counter, uint64 more)
{
	pg_atomic_write_u64(counter, pg_atomic_read_u64(counter) + more);
}

/* What is known of a connection or path by its number. */
typedef enum ConnectionKind
{
	CONNECTION_GONE,
	CONNECTION_TCP,
	CONNECTION_UDP
} ConnectionKind;

/* *last_seen: when anything last came by it. */
extern ConnectionKind connections_kind(int64 conn, TimestampTz *last_seen);

/* Marks a connection as one whose tracker has another, if that is the tracker
 * that it named last; false when it is not. */
extern bool connections_displace(int64 conn, const SourceIdent *ident);

/* Takes the mark off again: what it was for has not been committed. */
extern void connections_restore(int64 conn);

/* Wakes the worker of a connection that was marked. */
extern void connections_wake(int64 conn);

/* How often one of this worker's was marked. */
extern uint32 connections_displaced(void);

/* Marks the connections and paths of trackers that there may be something to send
 * to, and wakes their workers.  Raises nothing. */
extern void connections_want(const SourceIdent *idents, int count);

/* How often one of this worker's was marked so. */
extern uint32 connections_wanted(void);

#endif							/* PT621_PG_CONNECTIONS_H */
