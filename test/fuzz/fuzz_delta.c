/*
 * fuzz_delta.c
 *		Chains on any stream: lines become bases, deltas are rebuilt or held.
 *
 * Checked: a rebuilt text keeps its bound, is a record, names the base with the
 * check byte it asked for, and is what a second, plainer implementation of the
 * patches makes of that base; a held delta comes back once, under its own tag.
 */
#include <stdlib.h>

#include "check_record.h"

#define TEXTS_MAX	512

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

typedef struct Run
{
	Pt621Chain	chain;
	uint8_t    *text[TEXTS_MAX];	/* what the chain refers to */
	size_t		texts;
	bool		held[TEXTS_MAX];	/* by tag */
	uint64_t	tags;
} Run;

/* Copies to memory of exactly that size, where the sanitizer watches it. */
static const uint8_t *
keep(Run *run, const uint8_t *bytes, size_t size)
{
	uint8_t    *copy = malloc(size);

	memcpy(copy, bytes, size);
	run->text[run->texts++] = copy;
	return copy;
}

/* Applies a delta to a base field by field; returns the size, 0 = it cannot. */
static size_t
apply_plainly(const Pt621Base *base, const uint8_t *delta, size_t size,
			  uint8_t *out)
{
	size_t		begin[PT621_RECORD_MAX + 2];
	size_t		fields = 0;
	size_t		used = 0;
	size_t		with_data[32] = {0};	/* offset of the patch that counts */

	begin[fields++] = 0;
	for (size_t i = 0; i < base->size; i++)
	{
		if (base->text[i] == ',' || base->text[i] == '/')
			begin[fields++] = i + 1;
	}
	begin[fields] = base->size + 1u;
	for (size_t at = 2; at < size; at += 3u + delta[at + 2])
	{
		if (delta[at] >= 32 || delta[at] >= fields)
			return 0;
		with_data[delta[at]] = at;
	}
	for (size_t i = 0; i < fields; i++)
	{
		size_t		length = begin[i + 1] - 1 - begin[i];
		size_t		at = i < 32 ? with_data[i] : 0;

		if (at > 0)
		{
			if (delta[at + 1] > length)
				return 0;
			length = delta[at + 1];
		}
		if (used + length > PT621_RECORD_MAX)
			return 0;
		memcpy(out + used, base->text + begin[i], length);
		used += length;
		if (at > 0)
		{
			if (used + delta[at + 2] > PT621_RECORD_MAX)
				return 0;
			memcpy(out + used, delta + at + 3, delta[at + 2]);
			used += delta[at + 2];
		}
		if (i + 1 < fields)
		{
			if (used == PT621_RECORD_MAX)
				return 0;
			out[used++] = base->text[begin[i + 1] - 1];
		}
	}
	return used;
}

/* Checks a rebuilt text against the bases, newest first. */
static void
check_rebuilt(const Run *run, const uint8_t *delta, size_t size,
			  const uint8_t *out, size_t out_size, const Pt621Record *record)
{
	bool		found = false;

	CHECK(out_size > 0 && out_size <= PT621_RECORD_MAX);
	CHECK(check_record(record, out, out_size) == NULL);
	CHECK(record->kind == PT621_REPORT);
	for (uint32_t i = 0; i < run->chain.bases && !found; i++)
	{
		const Pt621Base *base = pt621_chain_get(&run->chain, i);
		uint8_t		plain[PT621_RECORD_MAX];
		uint8_t		check = 0;

		CHECK(base != NULL);
		for (size_t j = 0; j < base->size; j++)
			check ^= base->text[j];
		found = check == delta[1] &&
			apply_plainly(base, delta, size, plain) == out_size &&
			memcmp(plain, out, out_size) == 0;
	}
	CHECK(found);
}

static void
add_base(Run *run, const uint8_t *text, size_t size)
{
	uint8_t    *out = malloc(PT621_RECORD_MAX);
	size_t		out_size;
	Pt621Record record;
	Pt621Chain	before;
	uint64_t	tag;

	pt621_chain_base(&run->chain, keep(run, text, size), size);
	CHECK(run->chain.bases > 0 && run->chain.bases <= PT621_RING_SIZE);
	for (;;)
	{
		before = run->chain;
		if (!pt621_chain_late(&run->chain, &tag, out, &out_size, &record))
			break;
		CHECK(tag < run->tags && run->held[tag]);
		run->held[tag] = false;
		CHECK(run->chain.helds == before.helds - 1);
		for (uint32_t i = 0; i < before.helds; i++)
		{
			if (before.held[i].tag == tag)
				check_rebuilt(run, before.held[i].delta, before.held[i].size,
							  out, out_size, &record);
		}
		if (run->texts == TEXTS_MAX)
			break;
		pt621_chain_base(&run->chain, keep(run, out, out_size), out_size);
	}
	free(out);
}

static void
add_delta(Run *run, const uint8_t *delta, size_t size)
{
	uint8_t    *out = malloc(PT621_RECORD_MAX);
	size_t		out_size = 0;
	Pt621Record record;
	Pt621Error	error;
	uint64_t	dropped;

	if (pt621_chain_resolve(&run->chain, delta, size, out, &out_size, &record,
							&error))
	{
		check_rebuilt(run, delta, size, out, out_size, &record);
		add_base(run, out, out_size);
	}
	else
	{
		CHECK(error.code >= PT621_DELTA_CUT_SHORT && error.at <= size);
		if (error.code != PT621_DELTA_CUT_SHORT)
		{
			run->held[run->tags] = true;
			if (pt621_chain_hold(&run->chain, keep(run, delta, size), size,
								 run->tags, &dropped))
			{
				CHECK(dropped < run->tags && run->held[dropped]);
				run->held[dropped] = false;
			}
			run->tags++;
			CHECK(run->chain.helds <= PT621_HELD_MAX);
		}
	}
	free(out);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Run	run;
	Pt621Splitter splitter = {0};
	size_t		at = 0;

	memset(&run, 0, sizeof(run));
	while (at < size && run.texts + 2 < TEXTS_MAX)
	{
		Pt621Unit	unit;
		const uint8_t *payload;
		Pt621Record record;
		Pt621Error	error;

		CHECK(pt621_split(&splitter, data + at, size - at, PT621_INPUT_END, &unit));
		payload = data + at + unit.payload_at;
		if (unit.kind == PT621_UNIT_DELTA)
			add_delta(&run, payload, unit.payload_size);
		else if (unit.kind == PT621_UNIT_LINE &&
				 pt621_parse(payload, unit.payload_size, &record, &error))
		{
			CHECK(check_record(&record, payload, unit.payload_size) == NULL);
			add_base(&run, payload, unit.payload_size);
		}
		at += unit.size;
	}
	/* A delta as it comes from a database, which no splitter has seen. */
	if (size > 0 && run.texts + 2 < TEXTS_MAX)
		add_delta(&run, data, size < 200 ? size : 200);
	while (run.texts > 0)
		free(run.text[--run.texts]);
	return 0;
}
