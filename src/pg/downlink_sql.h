/*
 * downlink_sql.h
 *		What the downlink asks of the tables: private to downlink*.c.
 *
 * Invariant.  Both functions are bodies of transactions, see worker_transaction():
 * what they find is in the order's memory context, and true only when that has
 * committed.
 */
#ifndef PT621_PG_DOWNLINK_SQL_H
#define PT621_PG_DOWNLINK_SQL_H

#include "postgres.h"

#include "pg/batch.h"

/* A command that is `sending` now, or has to wait. */
typedef struct FoundCommand
{
	int			who;			/* index of its connection in the order */
	int64		id;
	const char *held;			/* why it must not be sent now; NULL = it may */
	Size		size;
	char		bytes[PT621_COMMAND_BYTES]; /* with # and line end */
} FoundCommand;

typedef struct FoundPhoto
{
	int			who;
	int64		id;
	uint32		size;
	uint32		received;
} FoundPhoto;

/* Connections, and what there is to send by them. */
typedef struct DownlinkOrder
{
	MemoryContext context;
	int64	   *conns;
	SourceIdent *idents;
	int			count;
	bool		closed;			/* nothing can be stored in this database for now */
	FoundCommand *commands;		/* in order of their ids */
	int			command_count;
	FoundPhoto *photos;			/* one for a connection at most */
	int			photo_count;
	bool		more;			/* there are others, for the next time */
} DownlinkOrder;

typedef enum Settlement
{
	SETTLED_SENT,
	SETTLED_NOT_SENT,
	SETTLED_PHOTO_FAILED
} Settlement;

/* What became of a command or photo. */
typedef struct Settled
{
	int64		id;
	int64		conn;			/* that it was sent by; 0 of a photo */
	Settlement	what;
	bool		done;			/* it is written down, or there is nothing to write */
} Settled;

typedef struct SettleOrder
{
	Settled    *settled;
	int			count;
} SettleOrder;

extern void downlink_find(void *order);

/* Marks those that are done; the others are held by somebody else. */
extern void downlink_settle(void *order);

#endif							/* PT621_PG_DOWNLINK_SQL_H */
