/*
 * cursor.h
 *		The fields of a record, one after the other: private to the codec.
 */
#ifndef PT621_CODEC_CURSOR_H
#define PT621_CODEC_CURSOR_H

#include <string.h>

#include "codec/pt621_codec.h"

/* The rest of a text, and the separator that ended the field just taken. */
typedef struct Cursor
{
	const uint8_t *at;
	const uint8_t *end;
	int			separator;		/* ',' or '/', or -1 at the end of the text */
} Cursor;

/* Takes the field up to the next ',' or '/'. */
static inline Pt621Text
next_field(Cursor *c)
{
	Pt621Text	field = {c->at, 0};
	const uint8_t *p = c->at;

	while (p < c->end && *p != ',' && *p != '/')
		p++;
	field.size = (uint32_t) (p - c->at);
	if (p < c->end)
	{
		c->separator = *p;
		c->at = p + 1;
	}
	else
	{
		c->separator = -1;
		c->at = p;
	}
	return field;
}

/* Takes all up to the next '/', commas included. */
static inline Pt621Text
next_part(Cursor *c)
{
	Pt621Text	part = {c->at, 0};
	const uint8_t *slash = memchr(c->at, '/', (size_t) (c->end - c->at));

	part.size = (uint32_t) ((slash ? slash : c->end) - c->at);
	c->separator = slash ? '/' : -1;
	c->at = slash ? slash + 1 : c->end;
	return part;
}

/* Says what is wrong, and where; false. */
static inline bool
fail(Pt621Error *error, Pt621ErrorCode code, size_t at, uint32_t found,
	 uint32_t expected)
{
	error->code = code;
	error->at = (uint32_t) at;
	error->found = found;
	error->expected = expected;
	return false;
}

#endif							/* PT621_CODEC_CURSOR_H */
