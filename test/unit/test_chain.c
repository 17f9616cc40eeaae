/*
 * test_chain.c
 *		Deltas are rebuilt from the right base, held for a late one, and refused
 *		when they make no sense.
 *
 * Invariant: every text and delta lives in memory of exactly its size until the
 * program ends, as a chain only refers to them.
 */
#include <stdlib.h>

#include "codec/pt621_codec.h"
#include "../fuzz/check_record.h"
#include "stream.h"
#include "tap.h"

/* What the chain under test says. */
static Pt621Chain chain;
static uint8_t *out;
static size_t out_size;
static Pt621Record r;
static Pt621Error error;

static void *kept[4096];
static int	kept_count;

static uint8_t *
keep(const void *bytes, size_t size)
{
	uint8_t    *copy = malloc(size ? size : 1);

	memcpy(copy, bytes, size);
	return kept[kept_count++] = copy;
}

static uint8_t
xor_of(const char *text)
{
	uint8_t		check = 0;

	while (*text)
		check ^= (uint8_t) *text++;
	return check;
}

/* The forum's record at another time, with another course and date. */
static const char *
record_at(const char *time, const char *course, const char *date)
{
	char		text[256];

	snprintf(text, sizeof(text), "$POS,3760971,%s.000,A,2036.3883,N,10323.9836,W,"
			 "0.0,%s,%s,,,A/00000,00000/0/0//\r\n", time, course, date);
	return (const char *) keep(text, strlen(text) + 1);
}

#define FORUM_AT(time)	record_at(time, "119.5", "281117")

static void
add(const char *text)
{
	pt621_chain_base(&chain, keep(text, strlen(text)), strlen(text));
}

static void
start(const char *text)
{
	memset(&chain, 0, sizeof(chain));
	if (text)
		add(text);
}

/* A delta being written: '@', check byte, patches. */
typedef struct Delta
{
	uint8_t		bytes[2048];
	size_t		size;
} Delta;

static Delta
delta_for(const char *base)
{
	Delta		d = {{'@', xor_of(base)}, 2};

	return d;
}

static void
patch_bytes(Delta *d, int field, int offset, const void *data, size_t size)
{
	d->bytes[d->size++] = (uint8_t) field;
	d->bytes[d->size++] = (uint8_t) offset;
	d->bytes[d->size++] = (uint8_t) size;
	memcpy(d->bytes + d->size, data, size);
	d->size += size;
}

static void
patch(Delta *d, int field, int offset, const char *data)
{
	patch_bytes(d, field, offset, data, strlen(data));
}

/* The usual delta: nothing but another time. */
static Delta
delta_to(const char *base, const char *time)
{
	Delta		d = delta_for(base);

	patch(&d, 2, 0, time);
	return d;
}

static bool
resolve(const Delta *d)
{
	const char *broken;

	memset(out, 0x55, PT621_RECORD_MAX);
	out_size = 0;
	if (!pt621_chain_resolve(&chain, keep(d->bytes, d->size), d->size, out,
							 &out_size, &r, &error))
		return false;
	broken = out_size <= PT621_RECORD_MAX ? check_record(&r, out, out_size) : "size";
	if (broken)
		ok(false, "a rebuilt record is sound: %s", broken);
	return broken == NULL;
}

/* Tells whether the text just rebuilt is this one. */
static bool
out_is(const char *text)
{
	bool		same = out_size == strlen(text) && memcmp(out, text, out_size) == 0;

	if (!same)
		printf("#      got: %.*s\n# expected: %s\n", (int) out_size,
			   (const char *) out, text);
	return same;
}

static bool
hold(const Delta *d, uint64_t tag, uint64_t *dropped)
{
	return pt621_chain_hold(&chain, keep(d->bytes, d->size), d->size, tag, dropped);
}

static bool
late(uint64_t *tag)
{
	return pt621_chain_late(&chain, tag, out, &out_size, &r);
}

static void
test_patches(void)
{
	const char *base = FORUM_AT("145733");
	Delta		d;

	start(base);

	d = delta_for(base);
	patch(&d, 2, 4, "48.000");
	ok(resolve(&d) && out_is(FORUM_AT("145748")), "a patch keeps what stands before it");

	d = delta_for(base);
	patch(&d, 9, 3, "");
	ok(resolve(&d) && out_is(record_at("145733", "119", "281117")) && r.course == 119,
	   "a patch without data cuts its field off");

	d = delta_for(base);
	patch(&d, 9, 0, "");
	ok(resolve(&d) && isnan(r.course) && r.quality == 0, "and may leave nothing of it");

	d = delta_for(base);
	patch(&d, 0, 1, "CPA");
	ok(resolve(&d) && memcmp(out, "$CPA,3760971,", 13) == 0 && r.code.size == 3 &&
	   memcmp(r.code.at, "CPA", 3) == 0, "field 0 is the code with its mark");

	d = delta_for(base);
	patch(&d, 19, 0, "#\n");
	ok(resolve(&d) && r.stored && out_size == 91, "field 19 is the line end: stored");

	d = delta_for(base);
	patch(&d, 19, 0, "\n");
	ok(resolve(&d) && out_size == 90 && !r.stored, "a line end may get shorter");

	d = delta_for(base);
	patch(&d, 16, 0, "1f8,23b");
	ok(resolve(&d) && r.adc_count == 2 && r.adc[0] == 504 && r.adc[1] == 571,
	   "separators in a patch's data are taken");

	d = delta_for(base);
	patch(&d, 18, 0, "0A1B/fd7/2,x");
	ok(resolve(&d) && r.driver.size == 4 && r.gsb_digit[2] == 7 && r.spec.size == 3,
	   "and may bring a whole tail");

	d = delta_for(base);
	patch(&d, 2, 4, "48.000");
	patch(&d, 9, 0, "90");
	patch(&d, 2, 4, "49.000");
	ok(resolve(&d) && out_is(record_at("145749", "90", "281117")),
	   "the later of two patches of one field counts");

	d = delta_for(base);
	patch(&d, 9, 0, "90");
	patch(&d, 2, 4, "48.000");
	ok(resolve(&d) && out_is(record_at("145748", "90", "281117")),
	   "patches need no order");

	/* What cannot be. */
	d = delta_for(base);
	patch(&d, 20, 0, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_FIELD && error.at == 2 &&
	   error.found == 20 && error.expected == 20, "a field that the base has not");
	d = delta_for(base);
	patch(&d, 2, 4, "48.000");
	patch(&d, 31, 0, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_FIELD && error.at == 11 &&
	   error.found == 31, "the last field there can be");
	d = delta_for(base);
	patch(&d, 2, 11, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_OFFSET && error.at == 3 &&
	   error.found == 11 && error.expected == 10, "an offset behind its field");
	d = delta_for(base);
	patch(&d, 19, 255, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_OFFSET && error.expected == 2,
	   "an offset behind the text");
	d = delta_for(base);
	patch(&d, 18, 0, "x");
	d.bytes[3] = 0;
	ok(resolve(&d), "an offset at the end of an empty field");

	/* Texts that are no record. */
	d = delta_for(base);
	patch(&d, 0, 0, "POS");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a record without its mark");
	d = delta_for(base);
	patch(&d, 1, 0, "");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a record without id");
	d = delta_for(base);
	patch(&d, 1, 0, "37609\x80");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "an id that does not print");
	d = delta_for(base);
	patch(&d, 9, 0, "1\r\n$POS");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "two lines in one");
	d = delta_for(base);
	patch(&d, 2, 0, "1457xx");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a time that is none");
	d = delta_for(base);
	patch(&d, 0, 0, "$FUS1");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a status");
	d = delta_for(base);
	patch(&d, 0, 0, "$PHD0,1,x");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a photo chunk");

	/* Deltas that are none. */
	for (size_t size = 0; size < 11; size++)
	{
		if (size == 2)
			continue;			/* see below */
		d = delta_for(base);
		patch(&d, 2, 4, "48.000");
		d.size = size;
		if (resolve(&d) || error.code != PT621_DELTA_CUT_SHORT || error.at > size)
			ok(false, "a delta cut off after %zu bytes", size);
	}
	d = delta_for(base);
	ok(!resolve(&d) && error.code == PT621_DELTA_CUT_SHORT, "a delta without a patch");
	d = delta_for(base);
	patch(&d, 2, 4, "48.000");
	d.bytes[d.size++] = '\r';
	ok(!resolve(&d) && error.code == PT621_DELTA_CUT_SHORT && error.at == 11,
	   "a byte behind the last patch");
	d = delta_for(base);
	patch(&d, 32, 0, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_CUT_SHORT && error.at == 2,
	   "an index of 32");
	d = delta_for(base);
	patch(&d, 2, 4, "48.000");
	d.bytes[0] = '$';
	ok(!resolve(&d) && error.code == PT621_DELTA_CUT_SHORT, "another mark");
}

static void
test_length(void)
{
	const char *base = FORUM_AT("145733");
	static char long_text[PT621_RECORD_MAX + 2];
	static uint8_t data[255];
	Delta		d;

	memset(data, '0', sizeof(data));
	start(base);

	/* 91 bytes, 933 more: 255 + 255 + 255, and 168 in place of nothing. */
	d = delta_for(base);
	patch_bytes(&d, 11, 0, data, 255);
	patch_bytes(&d, 12, 0, data, 255);
	patch_bytes(&d, 17, 1, data, 255);
	patch_bytes(&d, 18, 0, data, 168);
	ok(resolve(&d) && out_size == PT621_RECORD_MAX, "the longest text");
	ok(r.quality == PT621_BAD_ODOMETER && r.driver.size == 168,
	   "the longest text is read");

	d = delta_for(base);
	patch_bytes(&d, 11, 0, data, 255);
	patch_bytes(&d, 12, 0, data, 255);
	patch_bytes(&d, 17, 1, data, 255);
	patch_bytes(&d, 18, 0, data, 169);
	ok(!resolve(&d) && error.code == PT621_DELTA_TOO_LONG &&
	   error.expected == PT621_RECORD_MAX, "a text of one byte more");

	/* The bound holds for each piece, not only at the end. */
	d = delta_for(base);
	for (int field = 3; field < 18; field++)
		patch_bytes(&d, field, 0, data, 100);
	ok(!resolve(&d) && error.code == PT621_DELTA_TOO_LONG, "a text of 1500 bytes");

	memset(long_text, '0', sizeof(long_text) - 1);
	memcpy(long_text, base, 89);
	start(NULL);
	add(long_text);
	is_int(chain.bases, 0, "a text of 1025 bytes is no base");
	long_text[PT621_RECORD_MAX] = '\0';
	add(long_text);
	is_int(chain.bases, 1, "a text of 1024 bytes is one");
	pt621_chain_base(&chain, (const uint8_t *) "", 0);
	is_int(chain.bases, 1, "an empty text is none");
}

/* More fields than an index can name: those behind stay as they are. */
static void
test_many_fields(void)
{
	char		base[256];
	char		expected[256];
	Delta		d;

	strcpy(base, "$POS,77,112742.000,A,0900.9050,N,03845.0609,E,1,2,290421,,,A/1,1/"
		   "0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f/100//fd7//\r\n");
	start(base);
	d = delta_to(base, "112743.000");
	patch(&d, 31, 0, "ff");
	strcpy(expected, base);
	memcpy(expected + 8, "112743.000", 10);
	memmove(strstr(expected, ",f/") + 2, strstr(expected, ",f/") + 1,
			strlen(strstr(expected, ",f/") + 1) + 1);
	ok(resolve(&d) && out_is(expected) && r.adc_count == 16 && r.adc[15] == 255 &&
	   r.odometer_m == 100, "a record of 37 fields: field 31");
}

static void
test_sanity_of_time(void)
{
	const char *base = FORUM_AT("145733");
	Delta		d;

	start(base);
	d = delta_to(base, "145733.000");
	ok(resolve(&d) && out_is(base), "the same time again");
	d = delta_to(base, "145732.999");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a time before the base");
	d = delta_to(base, "145732.999");
	patch(&d, 10, 0, "291117");
	ok(resolve(&d), "a day less a millisecond after the base");
	d = delta_to(base, "145733.000");
	patch(&d, 10, 0, "291117");
	ok(!resolve(&d) && error.code == PT621_DELTA_INSANE, "a day after the base");

	base = record_at("235959", "119.5", "311217");
	start(base);
	d = delta_to(base, "000014.000");
	patch(&d, 10, 0, "010118");
	ok(resolve(&d), "over midnight and new year");

	/* A clock that was not set says nothing about what follows. */
	base = record_at("235959", "119.5", "000000");
	start(base);
	d = delta_to(base, "000014.000");
	patch(&d, 10, 0, "010118");
	ok(resolve(&d), "a base without a time");
	d = delta_to(base, "000014.000");
	ok(resolve(&d) && r.device_time == PT621_NO_TIME, "neither has a time");
}

static void
test_collisions(void)
{
	/* Both are in the forum capture; both XOR to 4A. */
	const char *older = FORUM_AT("145918");
	const char *newer = FORUM_AT("150004");
	Delta		d;

	is_int(xor_of(older), 0x4A, "14:59:18 has the check byte 4A");
	is_int(xor_of(newer), 0x4A, "15:00:04 has the check byte 4A");
	start(older);
	add(newer);
	d = delta_for(newer);
	patch(&d, 2, 4, "19.000");
	ok(resolve(&d) && out_is(FORUM_AT("150019")), "of two bases the newer is taken");
	start(newer);
	add(older);
	ok(resolve(&d) && out_is(FORUM_AT("145919")), "newer is what was added later");

	/* Other bytes, same XOR: two digits swapped between fields. */
	older = record_at("145918", "191.5", "281117");
	start(older);
	add(newer);
	d = delta_to(newer, "145933.000");
	ok(resolve(&d) && out_is(record_at("145933", "191.5", "281117")),
	   "a time before the newer base: the older one is tried");

	older = FORUM_AT("145733");
	newer = record_at("145733", "139.5", "081117");
	is_int(xor_of(newer), xor_of(older), "08.11. and another course: the same check byte");
	start(older);
	add(newer);
	d = delta_to(newer, "145748.000");
	patch(&d, 10, 0, "281117");
	ok(resolve(&d) && out_is(FORUM_AT("145748")),
	   "a time weeks after the newer base: the older one is tried");

	/* The newer base's field is too short for the offset. */
	older = record_at("145733", "0011.5", "281117");
	newer = record_at("145733", ".5", "281117");
	is_int(xor_of(newer), xor_of(older), "a course of 2 bytes: the same check byte");
	start(older);
	add(newer);
	d = delta_for(newer);
	patch(&d, 9, 5, "7");
	ok(resolve(&d) && out_is(record_at("145733", "0011.7", "281117")),
	   "an offset behind the newer base's field: the older one is tried");

	/* All are bad: the newest one's reason is told. */
	older = FORUM_AT("145918");
	newer = FORUM_AT("150004");
	start(older);
	add(newer);
	d = delta_to(newer, "000000.000");
	patch(&d, 25, 0, "x");
	ok(!resolve(&d) && error.code == PT621_DELTA_FIELD, "the reason of the newest is told");

	d = delta_to(newer, "150019.000");
	d.bytes[1] ^= 0xFF;
	ok(!resolve(&d) && error.code == PT621_DELTA_NO_BASE && error.at == 1 &&
	   error.found == (uint32_t) (0x4A ^ 0xFF), "no base with that check byte");
	start(NULL);
	ok(!resolve(&d) && error.code == PT621_DELTA_NO_BASE, "no base at all");
}

static void
test_ring(void)
{
	static const char *texts[20];
	char		time[32];
	Delta		d;

	start(NULL);
	ok(pt621_chain_get(&chain, 0) == NULL, "an empty ring has no base");
	for (int i = 0; i < 20; i++)
	{
		uint32_t	have;

		snprintf(time, sizeof(time), "1%d%02d00", i / 10, i % 10);
		texts[i] = FORUM_AT(time);
		add(texts[i]);
		have = i < PT621_RING_SIZE ? (uint32_t) i + 1 : PT621_RING_SIZE;
		if (chain.bases != have || pt621_chain_get(&chain, have) != NULL)
			ok(false, "base %d: %u are kept", i, chain.bases);
		for (uint32_t j = 0; j < have; j++)
		{
			const Pt621Base *b = pt621_chain_get(&chain, j);
			const char *expected = texts[(uint32_t) i + 1 - have + j];

			if (b == NULL || b->size != strlen(expected) ||
				memcmp(b->text, expected, b->size) != 0)
				ok(false, "after base %d: number %u is another", i, j);
		}
	}
	ok(true, "bases are kept in the order they came, the last %d", PT621_RING_SIZE);

	/* The oldest of the ring can be asked for, the one before it cannot. */
	start(NULL);
	for (int i = 0; i <= PT621_RING_SIZE; i++)
	{
		char		course[32];

		snprintf(course, sizeof(course), "%d", 100 + i);
		texts[i] = record_at("145733", course, "281117");
		add(texts[i]);
	}
	d = delta_for(texts[0]);
	patch(&d, 2, 4, "48.000");
	ok(!resolve(&d) || r.course != 100, "the ninth base pushes the first out");
	d = delta_for(texts[1]);
	patch(&d, 2, 4, "48.000");
	ok(resolve(&d) && r.course == 101, "and not the second");

	/* The same record sent again, live and at once, takes no second place. */
	for (int i = 0; i < 20; i++)
		add(texts[8]);
	ok(resolve(&d) && r.course == 101, "a record sent twice pushes nothing out");
}

static void
test_held(void)
{
	const char *base = FORUM_AT("145733");
	const char *first = FORUM_AT("145748");
	const char *second = FORUM_AT("145804");	/* 145803 has first's check byte */
	const char *third = FORUM_AT("145818");
	uint64_t	tag = 0;
	uint64_t	dropped = 99;
	Delta		d;

	/* A whole chain came before its base, in the wrong order. */
	start(FORUM_AT("120000"));
	d = delta_to(second, "145818.000");
	ok(!hold(&d, 30, &dropped), "third is held");
	d = delta_to(base, "145748.000");
	ok(!hold(&d, 10, &dropped), "first is held");
	d = delta_to(first, "145804.000");
	ok(!hold(&d, 20, &dropped), "second is held");
	ok(!late(&tag), "none can be rebuilt yet");
	add(base);
	ok(late(&tag) && tag == 10 && out_is(first), "the base brings the first");
	pt621_chain_base(&chain, keep(out, out_size), out_size);
	ok(late(&tag) && tag == 20 && out_is(second), "the first brings the second");
	pt621_chain_base(&chain, keep(out, out_size), out_size);
	ok(late(&tag) && tag == 30 && out_is(third), "the second brings the third");
	pt621_chain_base(&chain, keep(out, out_size), out_size);
	ok(!late(&tag) && chain.helds == 0, "none is left");

	/* Two deltas of one base: the older first. */
	start(NULL);
	d = delta_to(base, "145748.000");
	hold(&d, 1, &dropped);
	d = delta_to(base, "145749.000");
	hold(&d, 2, &dropped);
	add(base);
	ok(late(&tag) && tag == 1 && out_is(first), "the delta held first comes first");
	ok(late(&tag) && tag == 2, "then the other");

	/* A base with that check byte that makes no sense leaves it held. */
	start(NULL);
	d = delta_to(base, "145748.000");
	patch(&d, 10, 0, "281117");
	hold(&d, 7, &dropped);
	add(record_at("145733", "139.5", "081117"));
	ok(!late(&tag) && chain.helds == 1, "an insane outcome leaves it held");
	add(base);
	ok(late(&tag) && tag == 7, "until the right base comes");

	/* All bases are tried, whenever they came, and however many at once. */
	start(base);
	add(FORUM_AT("150000"));
	d = delta_to(base, "145748.000");
	hold(&d, 8, &dropped);
	ok(late(&tag) && tag == 8, "a delta held though its base is there");
	start(NULL);
	hold(&d, 9, &dropped);
	ok(!late(&tag), "no base: it waits");
	add(base);
	for (int i = 1; i < PT621_RING_SIZE; i++)
	{
		char		course[32];

		snprintf(course, sizeof(course), "%d", 100 + i);
		add(record_at("150000", course, "281117"));
	}
	ok(late(&tag) && tag == 9 && out_is(first), "its base is now the oldest of eight");

	/* 64 are held; one more pushes out the oldest, tag by tag. */
	start(NULL);
	for (int i = 0; i < 200; i++)
	{
		bool		full;

		d = delta_to(base, "145748.000");
		dropped = 9999;
		full = hold(&d, (uint64_t) i + 1000, &dropped);
		if (full != (i >= PT621_HELD_MAX) ||
			(full && dropped != (uint64_t) (i - PT621_HELD_MAX) + 1000))
			ok(false, "delta %d: drops %d", i, (int) dropped);
	}
	is_int(chain.helds, PT621_HELD_MAX, "64 deltas are held");
	add(base);
	for (int i = 200 - PT621_HELD_MAX; i < 200; i++)
	{
		if (!late(&tag) || tag != (uint64_t) i + 1000)
			ok(false, "held delta %d comes back", i);
	}
	ok(!late(&tag) && chain.helds == 0, "all of them come back, in order");

	/* The longest delta can be held. */
	start(NULL);
	d = delta_for(base);
	while (d.size + 13 <= PT621_RECORD_MAX)
		patch(&d, 2, 0, "145748.000");
	hold(&d, 5, &dropped);
	add(base);
	ok(late(&tag) && tag == 5 && out_is(first), "a long delta is held whole");
}

/* Deltas of random bytes against good bases: an answer or an error, no more. */
static void
test_noise(void)
{
	Random		random = {621};
	uint8_t		check = xor_of(FORUM_AT("145700"));
	int			rebuilt = 0;
	int			before = tap_failed;

	start(NULL);
	for (int i = 0; i < PT621_RING_SIZE; i++)
	{
		char		time[32];

		snprintf(time, sizeof(time), "1457%02d", i);
		add(FORUM_AT(time));
	}
	for (int i = 0; i < 20000; i++)
	{
		uint8_t		delta[64];
		size_t		size = random_next(&random) % sizeof(delta);
		Pt621Error	e;

		for (size_t j = 0; j < size; j++)
			delta[j] = (uint8_t) (random_next(&random) % (j < 2 ? 256 : 24));
		if (size > 2)
		{
			delta[0] = '@';
			delta[1] = check;
		}
		if (pt621_chain_resolve(&chain, delta, size, out, &out_size, &r, &e))
		{
			rebuilt++;
			if (out_size > PT621_RECORD_MAX || check_record(&r, out, out_size))
				ok(false, "noise: what is rebuilt is sound");
		}
		else if (e.code < PT621_DELTA_CUT_SHORT || e.at > size)
			ok(false, "noise: an error of a delta, in its bytes");
	}
	ok(tap_failed == before, "20000 deltas of noise, %d of them make a record", rebuilt);
}

int
main(void)
{
	out = malloc(PT621_RECORD_MAX);
	test_patches();
	test_length();
	test_many_fields();
	test_sanity_of_time();
	test_collisions();
	test_ring();
	test_held();
	test_noise();
	while (kept_count > 0)
		free(kept[--kept_count]);
	free(out);
	return done_testing();
}
