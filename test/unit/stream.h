/*
 * stream.h
 *		Feeds a stream to the splitter as a connection would, for the tests.
 *
 * Invariant: what the splitter sees ends where its memory ends, so that the
 * sanitizers catch a read past it; bytes that no unit took are given again, with
 * the next read behind them.
 */
#ifndef PT621_TEST_STREAM_H
#define PT621_TEST_STREAM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/pt621_codec.h"

/* The units of a stream, with their bytes one after the other. */
typedef struct Units
{
	Pt621Unit  *unit;
	size_t		count;
	size_t		room;
	uint8_t    *bytes;
	size_t		size;
	size_t		bytes_room;
} Units;

/* A connection: a splitter and the bytes it has not taken. */
typedef struct Feed
{
	Pt621Splitter splitter;
	uint8_t    *pending;
	size_t		size;
	size_t		most_pending;	/* after all units were taken */
	Units		units;
} Feed;

static void
units_add(Units *units, const Pt621Unit *unit, const uint8_t *bytes)
{
	if (units->count == units->room)
	{
		units->room = units->room ? units->room * 2 : 16;
		units->unit = realloc(units->unit, units->room * sizeof(*units->unit));
	}
	units->unit[units->count++] = *unit;
	if (units->size + unit->size > units->bytes_room)
	{
		units->bytes_room = (units->size + unit->size) * 2;
		units->bytes = realloc(units->bytes, units->bytes_room);
	}
	memcpy(units->bytes + units->size, bytes, unit->size);
	units->size += unit->size;
}

/*
 * Gives the feed `size` more bytes and takes what units are complete.  Returns
 * false when the splitter broke a promise of its header: an empty unit, one
 * larger than what it was given, or none at the end of the input.
 */
__attribute__((unused))
static bool
feed(Feed *f, const uint8_t *bytes, size_t size, Pt621Input input)
{
	size_t		total = f->size + size;
	uint8_t    *data = malloc(total ? total : 1);
	size_t		at = 0;
	Pt621Unit	unit;

	if (f->size > 0)
		memcpy(data, f->pending, f->size);
	if (size > 0)
		memcpy(data + f->size, bytes, size);
	free(f->pending);
	f->pending = NULL;
	while (pt621_split(&f->splitter, data + at, total - at, input, &unit))
	{
		if (unit.size == 0 || unit.size > total - at ||
			unit.payload_at + unit.payload_size != unit.size ||
			unit.line_end > unit.payload_size || unit.line_end > 2 ||
			unit.error.at > unit.size)
		{
			free(data);
			f->size = 0;
			return false;
		}
		units_add(&f->units, &unit, data + at);
		at += unit.size;
	}
	f->size = total - at;
	if (f->size > f->most_pending)
		f->most_pending = f->size;
	if (f->size > 0)
	{
		f->pending = malloc(f->size);
		memcpy(f->pending, data + at, f->size);
	}
	free(data);
	return input != PT621_INPUT_END || f->size == 0;
}

__attribute__((unused))
static void
feed_free(Feed *f)
{
	free(f->pending);
	free(f->units.unit);
	free(f->units.bytes);
	memset(f, 0, sizeof(*f));
}

__attribute__((unused))
static bool
units_equal(const Units *a, const Units *b)
{
	if (a->count != b->count || a->size != b->size)
		return false;
	for (size_t i = 0; i < a->count; i++)
	{
		const Pt621Unit *x = &a->unit[i];
		const Pt621Unit *y = &b->unit[i];

		if (x->kind != y->kind || x->size != y->size ||
			x->payload_at != y->payload_at ||
			x->payload_size != y->payload_size ||
			x->line_end != y->line_end ||
			x->error.code != y->error.code || x->error.at != y->error.at ||
			x->error.found != y->error.found ||
			x->error.expected != y->error.expected)
			return false;
	}
	return a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Gives the offset of unit i in the stream. */
__attribute__((unused))
static size_t
unit_offset(const Units *units, size_t i)
{
	size_t		at = 0;

	for (size_t j = 0; j < i; j++)
		at += units->unit[j].size;
	return at;
}

/* A generator of fixed seed: the same numbers on every machine (splitmix64). */
typedef struct Random
{
	uint64_t	state;
} Random;

__attribute__((unused))
static uint32_t
random_next(Random *random)
{
	uint64_t	z = random->state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t) ((z ^ (z >> 31)) >> 32);
}

#endif							/* PT621_TEST_STREAM_H */
