/*
 * photo.c
 *		Which bytes of which photo a server gets.
 */
#include "photo.h"

#include <string.h>

#include "encode.h"

/* Most bytes of a photo in one piece, whatever is asked for. */
#define CHUNK_MAX		(ENCODE_DATAGRAM_MAX - 64)
/* A lie is of so many bytes at most. */
#define LIE_MAX			2000
/* Streams of chance for one photo's sake. */
#define STREAM_BYTES	UINT64_C(0x70686F746F000000)
#define STREAM_LIES		1

/* What can be wrong with a piece, by turns. */
typedef enum Fault
{
	FAULT_IGNORED,
	FAULT_TWICE,
	FAULT_SHORT,
	FAULT_ELSEWHERE,
	FAULTS
} Fault;

uint64_t
photo_seed(uint64_t seed, uint32_t tracker, uint32_t number)
{
	Chance		chance;

	chance_start(&chance, seed ^ STREAM_BYTES, (uint64_t) tracker << 32 | number);
	return chance.state;
}

uint32_t
photo_real_size(uint64_t photo, uint32_t announced, double lies)
{
	Chance		chance;
	uint32_t	most = announced / 2 < LIE_MAX ? announced / 2 : LIE_MAX;

	chance_start(&chance, photo, STREAM_LIES);
	if (most == 0 || !chance_hit(&chance, lies))
		return announced;
	/* Also one that ends where a piece does, so that no short one gives it away. */
	if (chance_below(&chance, 2) == 0 && announced > ENCODE_CHUNK_BYTES)
		return (announced - 1) / ENCODE_CHUNK_BYTES * ENCODE_CHUNK_BYTES;
	return announced - 1 - chance_below(&chance, most);
}

/* Forgets the oldest photo. */
static void
drop_first(Photos *photos)
{
	photos->count--;
	memmove(photos->waiting, photos->waiting + 1, photos->count * sizeof(Photo));
}

void
photos_add(Photos *photos, uint64_t seed, uint32_t announced, uint32_t size)
{
	if (photos->count == PHOTOS_MAX)
		drop_first(photos);
	if (photos->count == photos->room)
	{
		photos->room = photos->room ? photos->room * 2 : 2;
		photos->waiting = tool_alloc(photos->waiting, photos->room * sizeof(Photo));
	}
	photos->waiting[photos->count++] = (Photo) {.seed = seed, .announced = announced, .size = size};
}

/* Lets something be wrong with a piece. */
static void
spoil(Photos *photos, PhotoPiece *piece)
{
	switch ((Fault) (photos->faults++ % FAULTS))
	{
		case FAULT_IGNORED:
			piece->times = 0;
			break;
		case FAULT_TWICE:
			piece->times = 2;
			break;
		case FAULT_SHORT:
			if (piece->count > 1)
				piece->count /= 2;
			break;
		case FAULT_ELSEWHERE:
			/* The next piece, or the first one where this is the last. */
			if (piece->offset + piece->count < piece->photo->size)
				piece->offset += piece->count;
			else
				piece->offset = 0;
			if (piece->count > piece->photo->size - piece->offset)
				piece->count = piece->photo->size - piece->offset;
			break;
		case FAULTS:
			break;
	}
}

/* Takes a piece as sent; a server may keep one that came before its turn. */
static void
take_as_sent(PhotoPiece *piece)
{
	Photo	   *photo = piece->photo;
	uint32_t	end = piece->offset + piece->count;
	bool		before = photo->sent == photo->size;

	photo->pieces++;
	if (piece->offset > photo->sent)
	{
		photo->ahead_from = piece->offset;
		photo->ahead_to = end;
	}
	else if (end > photo->sent)
		photo->sent = end;
	if (photo->ahead_from <= photo->sent && photo->ahead_to > photo->sent)
		photo->sent = photo->ahead_to;
	piece->ended = !before && photo->sent == photo->size;
}

bool
photos_ask(Photos *photos, uint32_t offset, uint32_t count, double faults, PhotoPiece *piece)
{
	Photo	   *photo;
	bool		fault = chance_hit(&photos->chance, faults);

	if (photos->count > 1 && offset == 0 && photos->waiting[0].sent == photos->waiting[0].size)
		drop_first(photos);
	photo = photos->waiting;
	if (photos->count == 0 || offset >= photo->announced || count == 0)
		return false;
	*piece = (PhotoPiece) {.photo = photo, .offset = offset, .times = 1};
	/* The size was a lie: an empty piece owns up to it. */
	if (offset >= photo->size)
		return true;
	if (count > CHUNK_MAX)
		count = CHUNK_MAX;
	piece->count = count < photo->size - offset ? count : photo->size - offset;
	if (fault)
		spoil(photos, piece);
	if (piece->times == 0)
		return false;
	take_as_sent(piece);
	return true;
}
