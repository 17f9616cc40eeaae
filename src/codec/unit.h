/*
 * unit.h
 *		How one unit is found in the bytes of a stream or frame.
 *
 * Private to the codec: split.c deals in frames and streams, unit.c in what
 * stands in them.
 */
#ifndef PT621_CODEC_UNIT_H
#define PT621_CODEC_UNIT_H

#include "codec/pt621_codec.h"

/* The bytes in which one unit is looked for. */
typedef struct Window
{
	const uint8_t *data;
	size_t		size;			/* bytes that the unit may use */
	size_t		at;				/* first byte after line ends and header */
	Pt621Input	input;			/* what may follow data[size - 1] */
	size_t		line_max;		/* longest line with its line end */
} Window;

/*
 * Takes what begins at the window's start; false when more bytes are needed,
 * never so when the input ends.
 */
extern bool unit_split(const Window *w, Pt621Unit *unit);

/* Fills a unit that reaches from the window's start to `end`. */
extern bool unit_take(const Window *w, Pt621Unit *unit, Pt621UnitKind kind,
					  size_t end, size_t line_end);

/* Makes the unit just taken an undecodable one. */
extern bool unit_refuse(Pt621Unit *unit, Pt621ErrorCode code, size_t at,
						size_t found, size_t expected);

/*
 * Tells where a run of undecodable bytes is cut: the whole unit, with the line
 * ends skipped before it, keeps the bound, and at least one byte is taken.
 */
extern size_t unit_garbage_end(const Window *w);

static inline bool
is_line_end(uint8_t byte)
{
	return byte == '\r' || byte == '\n';
}

#endif							/* PT621_CODEC_UNIT_H */
