/*
 * split.c
 *		Cuts a byte stream into units (protocol 2.4).
 *
 * Invariants.  Every byte belongs to exactly one unit, and no unit is empty.
 * Each decision is made on bytes that are there, and on the same bytes however
 * they arrived: where more bytes could change it, pt621_split() asks for more.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"
#include "codec/unit.h"

/* Tells how long a line may be. */
static size_t
line_max(const Pt621Splitter *splitter)
{
	if (splitter->line_max == 0 || splitter->line_max > PT621_RECORD_MAX)
		return PT621_RECORD_MAX;
	return splitter->line_max;
}

/* Takes the next piece of a frame whose body failed its verify byte. */
static bool
split_refused(Pt621Splitter *splitter, const Window *w, Pt621Unit *unit)
{
	size_t		end = unit_garbage_end(w);

	unit_take(w, unit, PT621_UNIT_GARBAGE, end, 0);
	splitter->body_left -= (uint32_t) (end - w->at);
	return unit_refuse(unit, PT621_FRAME_VERIFY, w->at,
					   splitter->verify_found, splitter->verify_said);
}

/* Takes the next unit of a frame's body, which is there as a whole. */
static bool
split_body(Pt621Splitter *splitter, const uint8_t *data, size_t at,
		   Pt621Unit *unit)
{
	/* Nothing follows inside the frame, whatever follows the frame. */
	size_t		end = at + splitter->body_left;
	Window		w = {data, end, at, PT621_INPUT_END, line_max(splitter)};
	size_t		from = at;

	if (splitter->body_refused)
		return split_refused(splitter, &w, unit);

	while (w.at < w.size && w.at < PT621_GARBAGE_MAX && is_line_end(data[w.at]))
		w.at++;
	if (w.at == w.size || w.at >= PT621_GARBAGE_MAX)
		unit_take(&w, unit, PT621_UNIT_TEXT, w.at, 0);
	else if (!unit_split(&w, unit))
		return false;			/* not reached: the input ends */
	splitter->body_left -= unit->size - (uint32_t) from;
	return true;
}

/*
 * Opens a BF FB frame (protocol 2.2).  A header that announces more than can
 * be, or more than comes, is garbage by itself: what follows it is read as if
 * it were bare, so that a false header costs nothing but its five bytes.
 */
static bool
split_frame(Pt621Splitter *splitter, const Window *w, Pt621Unit *unit)
{
	const uint8_t *header = w->data + w->at;
	size_t		have = w->size - w->at;
	size_t		length;
	size_t		i;
	uint8_t		found = 0;

	if (have < PT621_FRAME_HEADER)
	{
		if (w->input != PT621_INPUT_END)
			return false;
		unit_take(w, unit, PT621_UNIT_GARBAGE, w->size, 0);
		return unit_refuse(unit, PT621_FRAME_CUT_SHORT, w->at, have,
						   PT621_FRAME_HEADER);
	}
	length = (size_t) header[3] | (size_t) header[4] << 8;
	if (length < PT621_FRAME_HEADER || length > PT621_FRAME_MAX)
	{
		unit_take(w, unit, PT621_UNIT_GARBAGE, w->at + PT621_FRAME_HEADER, 0);
		return unit_refuse(unit, PT621_FRAME_LENGTH, w->at + 3, length,
						   PT621_FRAME_MAX);
	}
	if (have < length)
	{
		if (w->input != PT621_INPUT_END)
			return false;
		unit_take(w, unit, PT621_UNIT_GARBAGE, w->at + PT621_FRAME_HEADER, 0);
		return unit_refuse(unit, PT621_FRAME_CUT_SHORT, w->at + 3, have, length);
	}
	if (length == PT621_FRAME_HEADER)
	{
		unit_take(w, unit, PT621_UNIT_GARBAGE, w->at + PT621_FRAME_HEADER, 0);
		return unit_refuse(unit, PT621_FRAME_EMPTY, w->at + 3, 0, 0);
	}

	for (i = PT621_FRAME_HEADER; i < length; i++)
		found ^= header[i];
	splitter->body_left = (uint32_t) (length - PT621_FRAME_HEADER);
	splitter->verify_said = header[2];
	splitter->verify_found = found;
	/* FF stands for "not computed" (protocol 2.2). */
	splitter->body_refused = header[2] != 0xFF && header[2] != found;
	return split_body(splitter, w->data, w->at + PT621_FRAME_HEADER, unit);
}

bool
pt621_split(Pt621Splitter *splitter, const uint8_t *data, size_t size,
			Pt621Input input, Pt621Unit *unit)
{
	Window		w = {data, size, 0, input, line_max(splitter)};

	if (size == 0)
		return false;
	if (splitter->body_left > 0)
	{
		/* The caller gave the whole frame before; hold it to that. */
		if (size < splitter->body_left)
		{
			if (input != PT621_INPUT_END)
				return false;
			splitter->body_left = (uint32_t) size;
		}
		return split_body(splitter, data, 0, unit);
	}

	while (w.at < size && w.at < PT621_GARBAGE_MAX && is_line_end(data[w.at]))
		w.at++;
	if (w.at >= PT621_GARBAGE_MAX ||
		(w.at == size && input == PT621_INPUT_END))
		return unit_take(&w, unit, PT621_UNIT_TEXT, w.at, 0);
	if (w.at == size)
		return false;

	if (data[w.at] == 0xBF)
	{
		if (w.at + 1 == size && input != PT621_INPUT_END)
			return false;
		if (w.at + 1 < size && data[w.at + 1] == 0xFB)
			return split_frame(splitter, &w, unit);
	}
	return unit_split(&w, unit);
}
