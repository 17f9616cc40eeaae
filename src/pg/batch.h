/*
 * batch.h
 *		What arrived and is not stored yet: units, and where they came from.
 *
 * Invariants.  Nothing here raises an error, so that libuv's callbacks may call
 * it.  A batch never grows: its size is settled when it is made, and what does
 * not fit stays with the caller.
 */
#ifndef PT621_PG_BATCH_H
#define PT621_PG_BATCH_H

#include "postgres.h"

#include <sys/socket.h>

#include "utils/inet.h"
#include "utils/timestamp.h"

#include "codec/pt621_codec.h"

/*
 * A connection, UDP path or SQL call.  Its owner holds a reference, and so does
 * every unit that came from it; the last one to let go frees it.
 */
typedef struct Source
{
	int			references;
	int64		conn;			/* pt621.conn_seq; 0 = not numbered yet */
	const char *transport;
	bool		has_peer;
	int			peer_port;		/* -1 = none */
	union
	{
		inet		inet;
		char		bytes[VARHDRSZ + sizeof(inet_struct)];
	}			peer;
	uint32		ident_size;		/* 0 = it has not named its tracker */
	uint8		ident[PT621_IDENT_MAX];
	uint32		first_size;		/* the one it named first */
	uint8		first[PT621_IDENT_MAX];
} Source;

typedef struct BatchUnit
{
	Source	   *source;
	TimestampTz received_at;
	int64		seq;			/* pt621.frame_seq; 0 = not numbered yet */
	uint32		ident_size;		/* 0 = not known yet whose it is */
	uint8		ident[PT621_IDENT_MAX];
	const uint8 *bytes;
	Pt621Unit	unit;
} BatchUnit;

typedef struct Batch
{
	BatchUnit  *units;
	uint32		count;
	uint32		room;
	uint8	   *bytes;
	Size		used;
	Size		size;
} Batch;

/* Makes a source with one reference, or returns NULL when memory is short.
 * size: of the struct that has the Source as its first member. */
extern Source *source_new(MemoryContext context, Size size, const char *transport);
extern void source_set_peer(Source *source, const struct sockaddr *peer);
extern void source_release(Source *source);

/* Makes a batch in the current memory context (may raise). */
extern Batch *batch_new(uint32 units);

/* Copies a unit in; false when it does not fit: store the batch first. */
extern bool batch_add(Batch *batch, Source *source, TimestampTz received_at,
					  const uint8 *data, const Pt621Unit *unit);

/* Forgets all units. */
extern void batch_clear(Batch *batch);

#endif							/* PT621_PG_BATCH_H */
