/*
 * test_photo.c
 *		Which piece of a photo comes next, in plays of what is asked for and what comes.
 *
 * Invariant: a play goes by the same rules as the listener: what was odd is noted, and
 * is old when the next piece is asked for once more.
 */
#include "codec/photo.h"

#include "tap.h"

/* A tracker and who asks it. */
typedef struct Play
{
	Pt621PhotoState photo;
	int64_t		last_number;	/* of the piece that was taken last ... */
	char		last_byte;		/* ... and what it was made of */
} Play;

#define USUAL	960

static Play
begin(void)
{
	return (Play) {.photo = {.usual = USUAL,.odd = -1},.last_number = -1};
}

/* Asks for the next piece once more. */
static void
ask_again(Play *play)
{
	play->photo.odd_is_old = play->photo.odd >= 0;
}

/* A piece comes: two bytes of a JPEG's beginning when it is to be the first, else of
 * `fill`. */
static Pt621PieceFate
come(Play *play, int64_t number, char fill)
{
	uint8_t		bytes[USUAL];
	Pt621PhotoPiece piece = {.number = number,.bytes = bytes,.size = sizeof(bytes)};
	Pt621PieceFate fate;

	memset(bytes, fill, sizeof(bytes));
	if (fill == 'J')
	{
		bytes[0] = 0xFF;
		bytes[1] = 0xD8;
	}
	piece.is_last = number == play->last_number && fill == play->last_byte;
	fate = pt621_photo_judge(&play->photo, &piece);
	if (fate == PT621_PIECE_NEXT)
	{
		play->photo.received += USUAL;
		play->photo.odd = -1;
		play->photo.odd_is_old = false;
		play->last_number = number;
		play->last_byte = fill;
	}
	if (fate == PT621_PIECE_ODD)
	{
		if (play->photo.odd != number)
			play->photo.odd_is_old = false;
		play->photo.odd = number;
	}
	return fate;
}

static void
test_offsets(void)
{
	Play		play = begin();

	is_int(come(&play, 0, 'J'), PT621_PIECE_NEXT, "offsets: the first piece");
	is_int(come(&play, USUAL, 'a'), PT621_PIECE_NEXT, "... the second");
	is_int(play.photo.numbering, PT621_NUMBERING_OFFSET, "... by which it is clear");
	is_int(come(&play, USUAL, 'a'), PT621_PIECE_AGAIN, "... the second again");
	is_int(come(&play, 3 * USUAL, 'c'), PT621_PIECE_AGAIN, "... one too far");
	is_int(come(&play, 2, 'b'), PT621_PIECE_AGAIN, "... an index");
	play.photo.usual = 0;
	is_int(come(&play, 2 * USUAL, 'b'), PT621_PIECE_NEXT, "... the third, even if nobody asked for it");
}

static void
test_indexes(void)
{
	Play		play = begin();

	is_int(come(&play, 0, 'J'), PT621_PIECE_NEXT, "indexes: the first piece");
	is_int(come(&play, 1, 'a'), PT621_PIECE_NEXT, "... the second");
	is_int(play.photo.numbering, PT621_NUMBERING_INDEX, "... by which it is clear");
	is_int(come(&play, 1, 'a'), PT621_PIECE_AGAIN, "... the second again");
	is_int(come(&play, 2 * USUAL, 'b'), PT621_PIECE_AGAIN, "... an offset");
	is_int(come(&play, 2, 'b'), PT621_PIECE_NEXT, "... the third");
}

/* The network is slower than asking again: each piece of an offset tracker comes as
 * often as it was asked for. */
static void
test_slow_network(void)
{
	Play		play = begin();

	is_int(come(&play, 0, 'J'), PT621_PIECE_NEXT, "slow: the first piece");
	is_int(come(&play, 0, 'J'), PT621_PIECE_AGAIN, "... the answer to the second request for it");
	ask_again(&play);
	is_int(come(&play, 0, 'J'), PT621_PIECE_AGAIN, "... and to the third is not taken for the next piece");
	is_int(come(&play, USUAL, 'a'), PT621_PIECE_NEXT, "... which comes at last");
	is_int(play.photo.numbering, PT621_NUMBERING_OFFSET, "... and has an offset");
}

static void
test_constant(void)
{
	Play		play = begin();

	is_int(come(&play, 0, 'J'), PT621_PIECE_NEXT, "all 0: the first piece");
	is_int(come(&play, 0, 'a'), PT621_PIECE_ODD, "... the second is odd");
	is_int(come(&play, 0, 'a'), PT621_PIECE_ODD, "... also when it comes twice");
	ask_again(&play);
	is_int(come(&play, 0, 'a'), PT621_PIECE_NEXT, "... but not when that is what asking again brings");
	is_int(play.photo.numbering, PT621_NUMBERING_NONE, "... so the numbers mean nothing");
	is_int(come(&play, 0, 'a'), PT621_PIECE_ODD, "... another copy of it changes nothing");
	is_int(come(&play, 0, 'b'), PT621_PIECE_NEXT, "... the third is taken at once");
	is_int(come(&play, 0, 'b'), PT621_PIECE_ODD, "... one that is equal to it");
	ask_again(&play);
	is_int(come(&play, 0, 'b'), PT621_PIECE_NEXT, "... is when asking again brings it");
	play.photo.usual = 0;
	is_int(come(&play, 0, 'c'), PT621_PIECE_AGAIN, "... and none that nobody asked for");
}

static void
test_first(void)
{
	Play		play = begin();

	is_int(come(&play, 1, 'J'), PT621_PIECE_ODD, "from 1: the first piece is odd");
	ask_again(&play);
	is_int(come(&play, 1, 'J'), PT621_PIECE_NEXT, "... but not when asking again brings it");
	is_int(come(&play, 2, 'a'), PT621_PIECE_NEXT, "... the second");

	play = begin();
	is_int(come(&play, 1920, 'c'), PT621_PIECE_ODD, "a piece of the photo before");
	ask_again(&play);
	is_int(come(&play, 1920, 'c'), PT621_PIECE_ODD, "... twice: it does not begin like a picture");
	is_int(come(&play, 7, 'J'), PT621_PIECE_ODD, "another number after it");
	is_int(come(&play, 7, 'J'), PT621_PIECE_ODD, "... is as odd as long as nobody asked again");
	ask_again(&play);
	is_int(come(&play, 7, 'J'), PT621_PIECE_NEXT, "... and is believed then");

	play = begin();
	play.last_number = 0;
	play.last_byte = 'J';
	is_int(come(&play, 0, 'J'), PT621_PIECE_ODD, "a photo of one piece, again");
	ask_again(&play);
	is_int(come(&play, 0, 'J'), PT621_PIECE_NEXT, "... is the next photo, if asking again brings it");
	is_int(play.photo.numbering, PT621_NUMBERING_UNKNOWN, "... of which not more is known");
}

int
main(void)
{
	test_offsets();
	test_indexes();
	test_slow_network();
	test_constant();
	test_first();
	return done_testing();
}
