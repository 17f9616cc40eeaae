/*
 * error.c
 *		Says what is wrong with a unit, and at which byte.
 *
 * Invariant.  Only numbers reach the text, never bytes from the wire.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"

#include <stdio.h>

/* Writes the reason without the place. */
static int
write_reason(const Pt621Error *e, char *buffer, size_t size)
{
	switch (e->code)
	{
		case PT621_OK:
			return snprintf(buffer, size, "no error");
		case PT621_NOT_A_RECORD:
			return snprintf(buffer, size, "not a record");
		case PT621_LINE_TOO_LONG:
			return snprintf(buffer, size, "no line end within %u bytes",
							e->expected);
		case PT621_FRAME_CUT_SHORT:
			return snprintf(buffer, size, "frame of %u bytes cut short after %u",
							e->expected, e->found);
		case PT621_FRAME_LENGTH:
			return snprintf(buffer, size, "frame length %u is not within %d and %u",
							e->found, PT621_FRAME_HEADER, e->expected);
		case PT621_FRAME_VERIFY:
			return snprintf(buffer, size, "frame verify byte is %02x, its body gives %02x",
							e->expected, e->found);
		case PT621_FRAME_EMPTY:
			return snprintf(buffer, size, "frame without a body");
		case PT621_PHOTO_CUT_SHORT:
			return snprintf(buffer, size, "photo chunk of %u bytes cut short after %u",
							e->expected, e->found);
		case PT621_PHOTO_HEADER:
			return snprintf(buffer, size, "photo chunk without offset and length");
		case PT621_TOO_FEW_FIELDS:
			return snprintf(buffer, size, "a report has at least %u fields, this one has %u",
							e->expected, e->found);
		case PT621_CODE:
			return snprintf(buffer, size, "event code is not 1 to %u printable bytes",
							e->expected);
		case PT621_IDENT_LENGTH:
			return snprintf(buffer, size, "id of %u bytes, 1 to %u are possible",
							e->found, e->expected);
		case PT621_IDENT_BYTE:
			return snprintf(buffer, size, "id holds the byte \\x%02x", e->found);
		case PT621_IMEI:
			return snprintf(buffer, size, "IMEI is not 1 to %u digits", e->expected);
		case PT621_DELTA_CUT_SHORT:
			return snprintf(buffer, size, "delta cut short in a patch");
		case PT621_DELTA_NO_BASE:
			return snprintf(buffer, size, "no record with check byte %02x to apply the delta to",
							e->found);
		case PT621_DELTA_FIELD:
			return snprintf(buffer, size, "delta patches field %u, its base has %u",
							e->found, e->expected);
		case PT621_DELTA_OFFSET:
			return snprintf(buffer, size, "delta patches at offset %u of a field of %u bytes",
							e->found, e->expected);
		case PT621_DELTA_TOO_LONG:
			return snprintf(buffer, size, "delta makes a record of more than %d bytes",
							PT621_RECORD_MAX);
		case PT621_DELTA_INSANE:
			return snprintf(buffer, size, "delta does not make a record of its tracker of the day after its base");
	}
	return snprintf(buffer, size, "unknown error %d", (int) e->code);
}

void
pt621_error_text(const Pt621Error *error, char *buffer)
{
	int			used = write_reason(error, buffer, PT621_ERROR_MAX);

	if (used >= 0 && used < PT621_ERROR_MAX)
		snprintf(buffer + used, PT621_ERROR_MAX - (size_t) used, ", at byte %u",
				 error->at);
}
