/*
 * photo.h
 *		Which piece of a photo comes next.
 *
 * The only number of a piece that was ever captured is 0 (protocol 7): it may be an
 * offset, an index, or neither.  Invariant.  A piece that was taken once is not taken
 * for the next one, however often and late it comes again; nor is one of another
 * photo, unless it comes again whenever this one is asked for.
 */
#ifndef PT621_CODEC_PHOTO_H
#define PT621_CODEC_PHOTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the numbers of a photo's pieces are. */
typedef enum Pt621Numbering
{
	PT621_NUMBERING_UNKNOWN,
	PT621_NUMBERING_OFFSET,
	PT621_NUMBERING_INDEX,
	PT621_NUMBERING_NONE		/* something else: they are taken as they come */
} Pt621Numbering;

/* A photo while it is put together. */
typedef struct Pt621PhotoState
{
	uint32_t	received;		/* bytes so far: the next piece begins there */
	Pt621Numbering numbering;
	uint32_t	usual;			/* bytes that are asked for at a time; 0 = the next piece
								 * was not asked for */
	int64_t		odd;			/* number of the last piece that was PT621_PIECE_ODD since
								 * then; -1 = none was */
	bool		odd_is_old;		/* and it was asked for once more since */
} Pt621PhotoState;

/* A piece that has come. */
typedef struct Pt621PhotoPiece
{
	int64_t		number;			/* as it says; not negative */
	bool		is_last;		/* number and bytes are those of the piece taken last */
	const uint8_t *bytes;
	size_t		size;			/* more than 0 */
} Pt621PhotoPiece;

typedef enum Pt621PieceFate
{
	PT621_PIECE_NEXT,			/* the one that comes next */
	PT621_PIECE_AGAIN,			/* one that was taken before */
	PT621_PIECE_ODD				/* unclear: told by asking once more */
} Pt621PieceFate;

/* Tells what a piece is to a photo, and sets its numbering when that is clear now. */
extern Pt621PieceFate pt621_photo_judge(Pt621PhotoState *photo, const Pt621PhotoPiece *piece);

#endif							/* PT621_CODEC_PHOTO_H */
