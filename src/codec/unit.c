/*
 * unit.c
 *		How one unit is found: lines, photo chunks, deltas, and runs of none of them
 *		(protocol 2.1, 2.3, 7).
 *
 * Invariant.  A unit that could still become another with more bytes is not
 * taken; one that could not be is cut where the next may begin.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"
#include "codec/unit.h"

#include <string.h>

/* Patches have field indices below this; printable text and marks lie above. */
#define DELTA_INDEX_END		0x20

/* Where a scan ended that may have to wait. */
typedef enum Scan
{
	SCAN_FOUND,
	SCAN_MORE
} Scan;

static bool
is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte <= 0x7E;
}

static bool
is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

bool
unit_take(const Window *w, Pt621Unit *unit, Pt621UnitKind kind, size_t end,
		  size_t line_end)
{
	unit->kind = kind;
	unit->size = (uint32_t) end;
	unit->payload_at = (uint32_t) w->at;
	unit->payload_size = (uint32_t) (end - w->at);
	unit->line_end = (uint32_t) line_end;
	memset(&unit->error, 0, sizeof(unit->error));
	return true;
}

bool
unit_refuse(Pt621Unit *unit, Pt621ErrorCode code, size_t at, size_t found,
			size_t expected)
{
	unit->error.code = code;
	unit->error.at = (uint32_t) at;
	unit->error.found = (uint32_t) found;
	unit->error.expected = (uint32_t) expected;
	return true;
}

size_t
unit_garbage_end(const Window *w)
{
	size_t		end = w->at < PT621_GARBAGE_MAX ? PT621_GARBAGE_MAX : w->at + 1;

	return end < w->size ? end : w->size;
}

/*
 * Measures the line end at `at`: CR LF, LF, CR CR, CR, or none (0 bytes).
 *
 * A lone CR at the end of what is there may get a second byte, so it waits
 * unless nothing came for a while.
 */
static Scan
measure_line_end(const Window *w, size_t at, size_t *length)
{
	*length = 0;
	if (at >= w->size)
		return w->input == PT621_INPUT_MORE ? SCAN_MORE : SCAN_FOUND;
	if (w->data[at] == '\n')
		*length = 1;
	else if (w->data[at] == '\r')
	{
		if (at + 1 >= w->size)
		{
			*length = 1;
			return w->input == PT621_INPUT_MORE ? SCAN_MORE : SCAN_FOUND;
		}
		*length = is_line_end(w->data[at + 1]) ? 2 : 1;
	}
	return SCAN_FOUND;
}

/* So many bytes tell that a record begins. */
#define START_SIZE			5

/* Tells whether a new record certainly begins here: "$POS,", "$PHO38". */
static bool
starts_record(const uint8_t *at, size_t size)
{
	return size >= START_SIZE && at[0] == '$' &&
		at[1] >= 'A' && at[1] <= 'Z' &&
		((at[2] >= 'A' && at[2] <= 'Z') || is_digit(at[2])) &&
		((at[3] >= 'A' && at[3] <= 'Z') || is_digit(at[3])) &&
		(at[4] == ',' || is_digit(at[4]));
}

/*
 * Finds a record or frame that begins between from and end, inside something
 * else; returns end when there is none.  Bytes behind end are looked at, where
 * they are there: a start is one wherever the bytes before it are cut.
 *
 * A device that lost power, or a false start mark in noise, leaves a line
 * without an end; what follows must not be lost with it.
 */
static size_t
find_start_inside(const Window *w, size_t from, size_t end)
{
	const uint8_t *found = w->data + end;
	const uint8_t *stop = w->data + w->size;
	const uint8_t *p = w->data + from;

	while (p < found && (p = memchr(p, 0xBF, (size_t) (found - p))) != NULL)
	{
		if (stop - p >= 2 && p[1] == 0xFB)
		{
			found = p;
			break;
		}
		p++;
	}
	p = w->data + from;
	while (p < found && (p = memchr(p, '$', (size_t) (found - p))) != NULL)
	{
		if (starts_record(p, (size_t) (stop - p)))
			return (size_t) (p - w->data);
		p++;
	}
	return (size_t) (found - w->data);
}

/*
 * Takes a run of undecodable bytes that has been waited for in vain: up to a
 * record or frame in it, so that what follows is not lost.
 */
static bool
take_cut_short(const Window *w, Pt621Unit *unit, Pt621ErrorCode code, size_t at,
			   size_t found, size_t expected)
{
	unit_take(w, unit, PT621_UNIT_GARBAGE,
			  find_start_inside(w, w->at + 1, unit_garbage_end(w)), 0);
	return unit_refuse(unit, code, at < unit->size ? at : w->at, found, expected);
}

/* Takes a '$' line: up to its line end, or to a record that begins in it. */
static bool
split_line(const Window *w, Pt621Unit *unit)
{
	size_t		limit = w->at + w->line_max;
	size_t		end = w->size < limit ? w->size : limit;
	const uint8_t *text = w->data + w->at;
	const uint8_t *cr;
	const uint8_t *lf;
	size_t		line_end = 0;
	size_t		inside;
	size_t		text_end;

	lf = memchr(text, '\n', end - w->at);
	cr = memchr(text, '\r', lf ? (size_t) (lf - text) : end - w->at);
	if (cr == NULL)
		cr = lf;
	text_end = cr ? (size_t) (cr - w->data) : end;

	inside = find_start_inside(w, w->at + 1, text_end);
	if (inside < text_end)
		return unit_take(w, unit, PT621_UNIT_LINE, inside, 0);

	if (cr != NULL)
	{
		if (measure_line_end(w, text_end, &line_end) == SCAN_MORE)
			return false;
		if (text_end + line_end <= limit)
			return unit_take(w, unit, PT621_UNIT_LINE, text_end + line_end, line_end);
	}
	else if (w->size < limit + START_SIZE - 1)
	{
		/* Those few bytes more tell whether a record begins at the limit. */
		if (w->input != PT621_INPUT_END)
			return false;
		if (w->size <= limit)
			return unit_take(w, unit, PT621_UNIT_LINE, w->size, 0);
	}

	/* Never behind the limit: how much is there by now is chance. */
	end = unit_garbage_end(w);
	unit_take(w, unit, PT621_UNIT_GARBAGE, end < limit ? end : limit, 0);
	return unit_refuse(unit, PT621_LINE_TOO_LONG, w->at, 0, w->line_max);
}

/* Reads a decimal number of at most 5 digits; returns its digits, 0 = none. */
static size_t
read_number(const uint8_t *at, size_t size, uint32_t *value)
{
	size_t		i;

	*value = 0;
	for (i = 0; i < size && i < 5 && is_digit(at[i]); i++)
		*value = *value * 10 + (uint32_t) (at[i] - '0');
	return i;
}

/*
 * Takes a photo chunk, "$PHD<offset>,<length>,<bytes>" and a line end, by its
 * own length: its bytes may be anything (protocol 7).  *is_photo is false when
 * the header is not of this form; then it is a line like any other.
 */
static bool
split_photo(const Window *w, Pt621Unit *unit, bool *is_photo)
{
	const uint8_t *text = w->data + w->at;
	size_t		have = w->size - w->at;
	size_t		at = 4;			/* after $PHD */
	size_t		data_end;
	size_t		line_end;
	uint32_t	length;

	*is_photo = true;
	while (at < have && at < 4 + 10 && is_digit(text[at]))
		at++;
	if (at < have && (at == 4 || text[at] != ','))
		*is_photo = false;
	else if (++at <= have)
	{
		size_t		digits = read_number(text + at, have - at, &length);

		at += digits;
		if (at < have)
		{
			if (digits == 0 || text[at] != ',' || length > PT621_FRAME_MAX - 32)
				*is_photo = false;
			else
			{
				data_end = w->at + at + 1 + length;
				if (data_end <= w->size)
				{
					if (measure_line_end(w, data_end, &line_end) == SCAN_MORE)
						return false;
					return unit_take(w, unit, PT621_UNIT_PHOTO,
									 data_end + line_end, line_end);
				}
				if (w->input == PT621_INPUT_END)
				{
					/* Never silently shorter: what is there is archived. */
					return take_cut_short(w, unit, PT621_PHOTO_CUT_SHORT, w->at,
										  have - at - 1, length);
				}
				return false;
			}
		}
	}
	if (!*is_photo)
		return false;
	/* The header itself is not complete. */
	if (w->input == PT621_INPUT_END)
		*is_photo = false;
	return false;
}

/*
 * Tells whether a delta ends at `at`, where a patch's index would be.
 *
 * CR and LF are 13 and 10, indices as good as any; but field 13 is one letter
 * and field 10 a date (protocol 3), so an offset above 9 behind them is the
 * next byte of a line end, or the start of the next unit.
 */
static Scan
delta_ends(const Window *w, size_t at, bool *ends)
{
	*ends = true;
	if (at >= w->size)
		return w->input == PT621_INPUT_MORE ? SCAN_MORE : SCAN_FOUND;
	if (w->data[at] >= DELTA_INDEX_END)
		return SCAN_FOUND;
	if (is_line_end(w->data[at]))
	{
		if (at + 1 >= w->size)
			return w->input == PT621_INPUT_MORE ? SCAN_MORE : SCAN_FOUND;
		*ends = w->data[at + 1] > 9;
		return SCAN_FOUND;
	}
	*ends = false;
	return SCAN_FOUND;
}

/*
 * Takes a delta: '@', check byte, patches of index, offset, count and count
 * bytes (protocol 2.3).  *is_delta is false when not even one patch begins
 * here: "@" is an ordinary character in text.
 */
static bool
split_delta(const Window *w, Pt621Unit *unit, bool *is_delta)
{
	size_t		limit = w->at + PT621_RECORD_MAX;
	size_t		at = w->at + 2;
	bool		ends;

	*is_delta = true;
	if (at >= w->size)
	{
		*is_delta = w->input != PT621_INPUT_END;
		return false;
	}
	for (;;)
	{
		if (delta_ends(w, at, &ends) == SCAN_MORE)
			return false;
		if (ends)
			break;
		if (at + 3 > w->size || at + 3 + w->data[at + 2] > w->size)
		{
			/* In mid-patch silence says nothing: the network is slow. */
			if (w->input != PT621_INPUT_END)
				return false;
			return take_cut_short(w, unit, PT621_DELTA_CUT_SHORT, at, 0, 0);
		}
		if (at + 3 + w->data[at + 2] > limit)
		{
			*is_delta = false;
			return false;
		}
		at += 3 + (size_t) w->data[at + 2];
	}
	*is_delta = at > w->at + 2;
	return *is_delta && unit_take(w, unit, PT621_UNIT_DELTA, at, 0);
}

/*
 * Takes a run of bytes that begin nothing known: up to its line end, up to a
 * '$' or BF FB, at most PT621_GARBAGE_MAX bytes.  '@' does not end a run: it is
 * too common a byte (protocol 2.3).  The first byte has been found to begin
 * nothing, whatever it is.
 *
 * Silence ends a run that is a text so far: a tracker that answers without a line
 * end has said all.  Of garbage it says nothing.
 */
static bool
split_run(const Window *w, Pt621Unit *unit)
{
	size_t		limit = unit_garbage_end(w);
	size_t		at;
	size_t		line_end = 0;
	bool		printable = true;
	bool		ended;

	for (at = w->at; at < limit; at++)
	{
		uint8_t		byte = w->data[at];

		if (is_line_end(byte))
			break;
		if (at > w->at)
		{
			if (byte == '$')
				break;
			if (byte == 0xBF)
			{
				if (at + 1 >= w->size && w->input != PT621_INPUT_END)
					return false;
				if (at + 1 < w->size && w->data[at + 1] == 0xFB)
					break;
			}
		}
		printable = printable && is_printable(byte);
	}
	ended = at == w->size && at < PT621_GARBAGE_MAX;
	if (ended && w->input != PT621_INPUT_END &&
		!(printable && w->input == PT621_INPUT_SILENCE))
		return false;
	if (at < limit && is_line_end(w->data[at]))
	{
		if (measure_line_end(w, at, &line_end) == SCAN_MORE)
			return false;
		if (at + line_end > PT621_GARBAGE_MAX)
			line_end = 0;
	}
	/* A run that something else cut off is not a text of its own. */
	if (line_end == 0 && !ended)
		printable = false;
	unit_take(w, unit, printable ? PT621_UNIT_TEXT : PT621_UNIT_GARBAGE,
			  at + line_end, line_end);
	return unit_refuse(unit, PT621_NOT_A_RECORD, w->at, 0, 0);
}

/* Takes what begins at the window's start mark; inside a frame, too. */
bool
unit_split(const Window *w, Pt621Unit *unit)
{
	const uint8_t *at = w->data + w->at;
	size_t		have = w->size - w->at;
	bool		is_kind;
	bool		done;

	if (at[0] == '$')
	{
		if (memcmp(at, "$PHD", have < 4 ? have : 4) == 0)
		{
			if (have < 4 && w->input != PT621_INPUT_END)
				return false;
			if (have >= 4)
			{
				done = split_photo(w, unit, &is_kind);
				if (is_kind)
					return done;
			}
		}
		return split_line(w, unit);
	}
	if (at[0] == '@')
	{
		done = split_delta(w, unit, &is_kind);
		if (is_kind)
			return done;
		return split_run(w, unit);
	}
	return split_run(w, unit);
}
