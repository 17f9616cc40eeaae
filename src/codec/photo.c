/*
 * photo.c
 *		Which piece of a photo comes next.
 */
#include "codec/photo.h"

/* Tells whether a piece came when the next was asked for, and again when that was asked
 * for once more: then it is the answer, whatever its number says. */
static bool
is_insisted_on(const Pt621PhotoState *photo, const Pt621PhotoPiece *piece)
{
	return photo->usual > 0 && photo->odd_is_old && photo->odd == piece->number;
}

/* A piece for a photo of which there is none yet. */
static Pt621PieceFate
judge_first(Pt621PhotoState *photo, const Pt621PhotoPiece *piece)
{
	bool		begins_jpeg = piece->size >= 2 && piece->bytes[0] == 0xFF && piece->bytes[1] == 0xD8;

	/* Not the one that ended the photo before, sent twice. */
	if (piece->number == 0 && !piece->is_last)
		return PT621_PIECE_NEXT;
	/* Nor any other one of that. */
	if (!begins_jpeg || !is_insisted_on(photo, piece))
		return PT621_PIECE_ODD;
	if (piece->number != 0)
		photo->numbering = PT621_NUMBERING_NONE;
	return PT621_PIECE_NEXT;
}

Pt621PieceFate
pt621_photo_judge(Pt621PhotoState *photo, const Pt621PhotoPiece *piece)
{
	bool		is_offset = piece->number == photo->received;
	bool		is_index = photo->usual > 0 && photo->received % photo->usual == 0 &&
		piece->number == photo->received / photo->usual;

	if (photo->received == 0)
		return judge_first(photo, piece);
	switch (photo->numbering)
	{
		case PT621_NUMBERING_OFFSET:
			return is_offset ? PT621_PIECE_NEXT : PT621_PIECE_AGAIN;
		case PT621_NUMBERING_INDEX:
			return is_index ? PT621_PIECE_NEXT : PT621_PIECE_AGAIN;
		case PT621_NUMBERING_NONE:
			if (photo->usual == 0)
				return PT621_PIECE_AGAIN;
			/* Pictures have equal pieces one after the other, too. */
			return !piece->is_last || is_insisted_on(photo, piece) ? PT621_PIECE_NEXT : PT621_PIECE_ODD;
		case PT621_NUMBERING_UNKNOWN:
			break;
	}
	if (is_offset || is_index)
		photo->numbering = is_offset ? PT621_NUMBERING_OFFSET : PT621_NUMBERING_INDEX;
	else if (piece->is_last)
		/* However often it comes: where the network is slow each was asked for. */
		return PT621_PIECE_AGAIN;
	else if (is_insisted_on(photo, piece))
		photo->numbering = PT621_NUMBERING_NONE;
	else
		return PT621_PIECE_ODD;
	return PT621_PIECE_NEXT;
}
