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

/* An address as SQL has it. */
typedef union SourcePeer
{
	inet		inet;
	char		bytes[VARHDRSZ + sizeof(inet_struct)];
} SourcePeer;

/* A tracker's id; zero padded, so that it can be compared as bytes. */
typedef struct SourceIdent
{
	uint32		size;			/* 0 = none */
	uint8		bytes[PT621_IDENT_MAX];
} SourceIdent;

struct ConnectionSlot;

/* What a connection or path was asked, so that storing can tell what answers it.
 * Changed between transactions only. */
typedef struct Asked
{
	TimestampTz answers_until;	/* lines until then may answer a command; 0 = none */
	uint32		answers_left;	/* no more than so many do */
	int64		photo;			/* photo.id of which a piece was asked for; 0 = none */
	uint32		at;				/* from this byte on ... */
	uint32		count;			/* ... so many, of the usual ... */
	uint32		piece;			/* ... so many; fewer remain at the end */
	int64		odd;			/* number of the last piece that came instead; -1 = none did */
	bool		odd_is_old;		/* before it was asked for once more */
	uint64		last_piece;		/* hash of the piece that was taken last; 0 = none */
} Asked;

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
	SourcePeer	peer;
	bool		is_session;		/* a connection or path, of session.h ... */
	bool		is_path;		/* ... the latter */
	bool		displaced;		/* its tracker had another when it ended */
	struct ConnectionSlot *slot;	/* while it is open; NULL for SQL */
	SourceIdent ident;			/* the tracker that it named last */
	SourceIdent first;			/* ... and first */
	bool		several;		/* it has named others in between */
	Asked		asked;
} Source;

/* What of a tracker in quarantine is archived is settled once for each unit. */
typedef enum QuarantineFate
{
	QUARANTINE_OPEN,
	QUARANTINE_KEPT,
	QUARANTINE_LEFT_OUT
} QuarantineFate;

/* What a unit was to a photo. */
typedef enum PhotoFate
{
	PHOTO_NOTHING,
	PHOTO_ANNOUNCED,
	PHOTO_TAKEN,				/* a piece that was put where it belongs */
	PHOTO_DONE,					/* likewise, and it was the last one */
	PHOTO_EMPTY,				/* a piece without a byte */
	PHOTO_THERE,				/* the one asked for, which has come by another connection */
	PHOTO_ODD					/* a piece of which it is not clear what it is */
} PhotoFate;

typedef struct BatchUnit
{
	Source	   *source;
	TimestampTz received_at;
	int64		seq;			/* pt621.frame_seq; 0 = not numbered yet */
	SourceIdent ident;			/* whose it is, when that is known */
	bool		unbound;		/* archived before, when nobody knew whose it is */
	const uint8 *bytes;
	Pt621Unit	unit;

	/* what its session knows of it */
	uint8		foreign;		/* Pt621Foreign */
	bool		sampled;		/* to be archived even if it is of no tracker of ours */

	/* what storing made of it */
	uint8		class;			/* UnitClass */
	uint8		rejection;		/* Rejection */
	uint8		quarantine;		/* QuarantineFate */
	bool		left_out;		/* of the archive, as it was one too many */
	bool		binds;			/* its connection speaks for its tracker from it on */
	bool		is_answer;		/* to a command */
	uint8		photo_fate;		/* PhotoFate */
	int64		photo;			/* that it was a piece of; 0 = none */
	int64		photo_number;	/* the next byte that is wanted; of an odd piece its own number */
	uint64		piece;			/* hash of a piece that was taken */
} BatchUnit;

typedef struct Batch
{
	bool		archived;		/* all units are in pt621.frame, to be updated there */
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

/* Compares ids, as qsort() and bsearch() want it. */
extern int	source_ident_compare(const void *a, const void *b);

/* Makes a batch in the current memory context (may raise). */
extern Batch *batch_new(uint32 units);

/* Copies a unit in; false when it does not fit: store the batch first. */
extern bool batch_add(Batch *batch, Source *source, TimestampTz received_at,
					  const uint8 *data, const Pt621Unit *unit);

/* Forgets all units. */
extern void batch_clear(Batch *batch);

#endif							/* PT621_PG_BATCH_H */
