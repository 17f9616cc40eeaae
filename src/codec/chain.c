/*
 * chain.c
 *		Rebuilds the records that deltas stand for (protocol 2.3).
 *
 * Invariants.  A delta is applied only to a record whose bytes, line end
 * included, XOR to the delta's check byte, the newest first; since eight bits
 * prove little, the outcome must be a sane record of the same tracker and day as
 * well.  A delta refers to what its tracker formatted last, which may reach
 * us later than the delta.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"

#include <string.h>

#define DELTA_FIELDS_MAX	0x20	/* an index is below this */
#define MICROSECONDS_A_DAY	(INT64_C(86400) * 1000000)

/* What a delta does to one field. */
typedef struct Patch
{
	const uint8_t *data;		/* NULL: the field stays */
	uint32_t	at;				/* of the patch in the delta */
	uint8_t		offset;
	uint8_t		size;
} Patch;

/* A text being put together. */
typedef struct Output
{
	uint8_t    *text;
	size_t		size;
	bool		full;
} Output;

static bool
fail(Pt621Error *error, Pt621ErrorCode code, size_t at, size_t found,
	 size_t expected)
{
	error->code = code;
	error->at = (uint32_t) at;
	error->found = (uint32_t) found;
	error->expected = (uint32_t) expected;
	return false;
}

static void
append(Output *out, const uint8_t *bytes, size_t size)
{
	if (size > PT621_RECORD_MAX - out->size)
	{
		out->full = true;
		return;
	}
	memcpy(out->text + out->size, bytes, size);
	out->size += size;
}

/* Reads the patches of a delta; a later one for the same field replaces. */
static bool
read_patches(const uint8_t *delta, size_t size, Patch *patch, Pt621Error *error)
{
	size_t		at = 2;

	memset(patch, 0, DELTA_FIELDS_MAX * sizeof(*patch));
	if (size < 5 || delta[0] != '@')
		return fail(error, PT621_DELTA_CUT_SHORT, size, 0, 0);
	while (at < size)
	{
		Patch	   *p;

		if (delta[at] >= DELTA_FIELDS_MAX || size - at < 3 ||
			size - at - 3 < delta[at + 2])
			return fail(error, PT621_DELTA_CUT_SHORT, at, 0, 0);
		p = &patch[delta[at]];
		p->at = (uint32_t) at;
		p->offset = delta[at + 1];
		p->size = delta[at + 2];
		p->data = delta + at + 3;
		at += 3 + (size_t) p->size;
	}
	return true;
}

/*
 * Builds the new text: fields are counted over ',' and '/' alike, the line end
 * is the last; a patched field keeps its first `offset` bytes.
 */
static bool
apply(const Pt621Base *base, const Patch *patch, Output *out, Pt621Error *error)
{
	uint32_t	field = 0;
	size_t		from = 0;

	out->size = 0;
	out->full = false;
	for (size_t at = 0; at <= base->size; at++)
	{
		if (at < base->size && base->text[at] != ',' && base->text[at] != '/')
			continue;
		if (field < DELTA_FIELDS_MAX && patch[field].data)
		{
			const Patch *p = &patch[field];

			if (p->offset > at - from)
				return fail(error, PT621_DELTA_OFFSET, p->at + 1, p->offset,
							at - from);
			append(out, base->text + from, p->offset);
			append(out, p->data, p->size);
		}
		else
			append(out, base->text + from, at - from);
		if (at < base->size)
			append(out, base->text + at, 1);
		field++;
		from = at + 1;
	}
	for (; field < DELTA_FIELDS_MAX; field++)
	{
		if (patch[field].data)
		{
			uint32_t	fields = 1;

			for (size_t at = 0; at < base->size; at++)
				fields += base->text[at] == ',' || base->text[at] == '/';
			return fail(error, PT621_DELTA_FIELD, patch[field].at, field, fields);
		}
	}
	if (out->full)
		return fail(error, PT621_DELTA_TOO_LONG, 0, 0, PT621_RECORD_MAX);
	return true;
}

/* Tells whether the outcome is a record of the same tracker, at most a day after
 * its base. */
static bool
sane(const Pt621Base *base, const Output *out, Pt621Record *record)
{
	Pt621Record before;
	Pt621Error	ignored;
	size_t		body = pt621_text_size(out->text, out->size);

	if (memchr(out->text, '\r', body) || memchr(out->text, '\n', body))
		return false;
	if (!pt621_parse(out->text, out->size, record, &ignored) ||
		record->kind != PT621_REPORT ||
		!pt621_parse(base->text, base->size, &before, &ignored))
		return false;
	/* A base belongs to a tracker, and so does what is made of it. */
	if (record->ident.size != before.ident.size ||
		memcmp(record->ident.at, before.ident.at, before.ident.size) != 0)
		return false;
	if (before.device_time == PT621_NO_TIME)
		return true;			/* nothing to compare with */
	return record->device_time != PT621_NO_TIME &&
		record->device_time >= before.device_time &&
		record->device_time < before.device_time + MICROSECONDS_A_DAY;
}

/* Gives the XOR of a base's bytes, computed when first asked for. */
static uint8_t
check_byte(Pt621Base *base)
{
	if (base->check < 0)
	{
		uint8_t		check = 0;

		for (uint32_t i = 0; i < base->size; i++)
			check ^= base->text[i];
		base->check = check;
	}
	return (uint8_t) base->check;
}

void
pt621_chain_base(Pt621Chain *chain, const uint8_t *text, size_t size)
{
	if (size == 0 || size > PT621_RECORD_MAX)
		return;
	if (chain->bases > 0)
	{
		const Pt621Base *newest = &chain->base[chain->newest];

		/* A record sent twice must not push out another. */
		if (newest->size == size && memcmp(newest->text, text, size) == 0)
			return;
		chain->newest = (chain->newest + 1) % PT621_RING_SIZE;
	}
	if (chain->bases < PT621_RING_SIZE)
		chain->bases++;
	for (uint32_t i = 0; i < chain->helds; i++)
	{
		if (chain->held[i].untried < PT621_RING_SIZE)
			chain->held[i].untried++;
	}
	chain->base[chain->newest] = (Pt621Base) {text, (uint16_t) size, -1};
}

const Pt621Base *
pt621_chain_get(const Pt621Chain *chain, uint32_t i)
{
	if (i >= chain->bases)
		return NULL;
	return &chain->base[(chain->newest + PT621_RING_SIZE + 1 -
						 chain->bases + i) % PT621_RING_SIZE];
}

/* Rebuilds a delta's record from one of the newest `among` bases. */
static bool
resolve(Pt621Chain *chain, uint32_t among, const uint8_t *delta, size_t size,
		uint8_t *out, size_t *out_size, Pt621Record *record, Pt621Error *error)
{
	Patch		patch[DELTA_FIELDS_MAX];
	Output		output = {out, 0, false};
	bool		tried = false;

	memset(error, 0, sizeof(*error));
	if (!read_patches(delta, size, patch, error))
		return false;
	for (uint32_t i = chain->bases; i-- > chain->bases - among;)
	{
		Pt621Base  *base = (Pt621Base *) pt621_chain_get(chain, i);
		Pt621Error	why = {PT621_DELTA_INSANE, 0, 0, 0};

		if (check_byte(base) != delta[1])
			continue;
		if (apply(base, patch, &output, &why) && sane(base, &output, record))
		{
			*out_size = output.size;
			return true;
		}
		/* What the newest fitting base says is what an operator needs. */
		if (!tried)
			*error = why;
		tried = true;
	}
	if (!tried)
		fail(error, PT621_DELTA_NO_BASE, 1, delta[1], 0);
	return false;
}

bool
pt621_chain_resolve(Pt621Chain *chain, const uint8_t *delta, size_t size,
					uint8_t *out, size_t *out_size, Pt621Record *record,
					Pt621Error *error)
{
	return resolve(chain, chain->bases, delta, size, out, out_size, record,
				   error);
}

bool
pt621_chain_hold(Pt621Chain *chain, const uint8_t *delta, size_t size,
				 uint64_t tag, uint64_t *dropped)
{
	bool		full = chain->helds == PT621_HELD_MAX;

	if (full)
	{
		*dropped = chain->held[0].tag;
		chain->helds--;
		memmove(&chain->held[0], &chain->held[1],
				chain->helds * sizeof(chain->held[0]));
	}
	chain->held[chain->helds++] = (Pt621Held) {delta, (uint16_t) size,
		PT621_RING_SIZE, tag};
	return full;
}

bool
pt621_chain_late(Pt621Chain *chain, uint64_t *tag, uint8_t *out,
				 size_t *out_size, Pt621Record *record)
{
	Pt621Error	ignored;

	for (uint32_t i = 0; i < chain->helds; i++)
	{
		Pt621Held  *held = &chain->held[i];
		uint32_t	among = held->untried;

		/* What failed with a base fails with it for ever; trying it again for
		 * each record would let a sender multiply our work by the ring. */
		held->untried = 0;
		if (among > chain->bases)
			among = chain->bases;
		if (among == 0 ||
			!resolve(chain, among, held->delta, held->size, out, out_size,
					 record, &ignored))
			continue;
		*tag = held->tag;
		chain->helds--;
		memmove(held, held + 1, (chain->helds - i) * sizeof(*held));
		return true;
	}
	return false;
}
