/*
 * photo.h
 *		The photos of one tracker that a server may ask for, piece by piece.
 *
 * A piece is asked for by its offset alone: nothing says of which photo
 * (protocol 7).  So the oldest one is meant that was announced and not yet sent
 * to its end.  One that was sent to its end is still meant, for the last piece
 * may have been lost on the way, until the server begins another, at offset 0.
 *
 * Invariants.  The photos wait in the order of their announcements, at most
 * PHOTOS_MAX of them; the first is the one that is asked for.  What a photo is
 * made of, and whether its size is a lie, follow from the seed, the tracker and
 * the photo's number.
 */
#ifndef PT621_TOOL_PHOTO_H
#define PT621_TOOL_PHOTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool.h"

/* When more wait, the oldest is forgotten. */
#define PHOTOS_MAX		64

typedef struct Photo
{
	uint64_t	seed;			/* its bytes follow from this and from size */
	uint32_t	announced;		/* bytes, as its record says */
	uint32_t	size;			/* bytes that there are */
	uint32_t	sent;			/* of them from the first on, none left out */
	uint32_t	ahead_from;		/* sent too: these, behind a gap */
	uint32_t	ahead_to;
	uint32_t	pieces;			/* sent */
	bool		hung_up;		/* the connection was ended in the midst of it */
} Photo;

typedef struct Photos
{
	Chance		chance;			/* of faults alone: they change no record */
	uint32_t	faults;			/* so far: their kinds take turns */
	Photo	   *waiting;
	uint32_t	count;
	uint32_t	room;
} Photos;

/* What a server gets for what it asked for. */
typedef struct PhotoPiece
{
	Photo	   *photo;
	uint32_t	offset;
	uint32_t	count;			/* 0: there is nothing from there on */
	uint32_t	times;			/* that it is sent; 0: not at all */
	bool		ended;			/* with it the photo was sent to its end, for the first time */
} PhotoPiece;

/* Gives the number that a photo's bytes follow from.  number: from 1 */
extern uint64_t photo_seed(uint64_t seed, uint32_t tracker, uint32_t number);

/* Gives how many bytes there are of a photo; fewer than announced is a lie.  lies: their share */
extern uint32_t photo_real_size(uint64_t photo, uint32_t announced, double lies);

/* Lets a photo be asked for. */
extern void photos_add(Photos *photos, uint64_t seed, uint32_t announced, uint32_t size);

/*
 * Finds out what `count` bytes from `offset` on are answered with, and takes
 * them as sent.  faults: share of wrong answers.  False: with nothing.
 */
extern bool photos_ask(Photos *photos, uint32_t offset, uint32_t count, double faults,
					   PhotoPiece *piece);

#endif							/* PT621_TOOL_PHOTO_H */
