/*
 * fuzz_split.c
 *		The splitter on any bytes, cut into any reads.
 *
 * Input: two bytes that drive the cuts, the first also the bound for lines, then
 * the stream.  Checked: the units are exactly the stream, keep every bound and
 * promise of the header, and are the same in one read, as a datagram and in
 * reads; with silences thrown in, they are still exactly the stream.
 */
#include "../unit/stream.h"

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

static bool
printable(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		if (bytes[i] < 0x20 || bytes[i] > 0x7E)
			return false;
	}
	return true;
}

static void
check_units(const Units *units, const uint8_t *stream, size_t size, bool timely,
			uint32_t line_max)
{
	const uint8_t *at = units->bytes;

	CHECK(units->size == size);
	CHECK(size == 0 || memcmp(units->bytes, stream, size) == 0);
	for (size_t i = 0; i < units->count; i++)
	{
		const Pt621Unit *u = &units->unit[i];
		const uint8_t *payload = at + u->payload_at;
		char		text[PT621_ERROR_MAX];

		CHECK(u->size <= PT621_PENDING_MAX);
		CHECK(u->payload_at <= PT621_GARBAGE_MAX + PT621_FRAME_HEADER);
		switch (u->kind)
		{
			case PT621_UNIT_LINE:
				CHECK(payload[0] == '$' && u->payload_size <= line_max);
				CHECK(u->error.code == PT621_OK);
				break;
			case PT621_UNIT_PHOTO:
				CHECK(u->payload_size > 4 && memcmp(payload, "$PHD", 4) == 0);
				CHECK(u->error.code == PT621_OK);
				break;
			case PT621_UNIT_DELTA:
				CHECK(payload[0] == '@' && u->payload_size >= 5);
				CHECK(u->payload_size <= PT621_RECORD_MAX && u->line_end == 0);
				CHECK(u->error.code == PT621_OK);
				break;
			case PT621_UNIT_TEXT:
				CHECK(u->payload_size <= PT621_GARBAGE_MAX);
				CHECK(printable(payload, u->payload_size - u->line_end));
				CHECK((u->error.code == PT621_OK) == (u->payload_size == 0));
				break;
			case PT621_UNIT_GARBAGE:
				CHECK(u->payload_size <= PT621_GARBAGE_MAX);
				CHECK(u->error.code != PT621_OK && u->error.at < u->size);
				break;
			default:
				abort();
		}
		if (u->line_end > 0)
			CHECK(payload[u->payload_size - 1] == '\r' ||
				  payload[u->payload_size - 1] == '\n');
		/* In a line there is no line end but its own, unless silence cut it. */
		if (timely && u->kind == PT621_UNIT_LINE)
			CHECK(memchr(payload, '\n', u->payload_size - u->line_end) == NULL &&
				  memchr(payload, '\r', u->payload_size - u->line_end) == NULL);
		pt621_error_text(&u->error, text);
		CHECK(printable((const uint8_t *) text, strlen(text)));
		at += u->size;
	}
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Random		random;
	Feed		whole = {0};
	Feed		datagram = {0};
	Feed		reads = {0};
	Feed		silences = {0};
	uint32_t	longest;
	uint32_t	line_max = PT621_RECORD_MAX;

	if (size < 2)
		return 0;
	random.state = data[0];
	if (data[0] >= 0x80)
	{
		line_max = 1 + (uint32_t) (data[0] - 0x80) * 8;
		whole.splitter.line_max = datagram.splitter.line_max = line_max;
		reads.splitter.line_max = silences.splitter.line_max = line_max;
	}
	longest = 1 + (uint32_t) data[1] * 8;
	data += 2;
	size -= 2;

	CHECK(feed(&whole, data, size, PT621_INPUT_MORE));
	CHECK(feed(&whole, NULL, 0, PT621_INPUT_END));
	CHECK(whole.most_pending <= PT621_PENDING_MAX);
	check_units(&whole.units, data, size, true, line_max);

	CHECK(feed(&datagram, data, size, PT621_INPUT_END));
	CHECK(units_equal(&whole.units, &datagram.units));

	for (size_t at = 0; at < size;)
	{
		size_t		some = 1 + random_next(&random) % longest;

		if (some > size - at)
			some = size - at;
		CHECK(feed(&reads, data + at, some, PT621_INPUT_MORE));
		CHECK(feed(&silences, data + at, some, PT621_INPUT_MORE));
		if (random_next(&random) % 4 == 0)
			CHECK(feed(&silences, NULL, 0, PT621_INPUT_SILENCE));
		at += some;
	}
	CHECK(feed(&reads, NULL, 0, PT621_INPUT_END));
	CHECK(reads.most_pending <= PT621_PENDING_MAX);
	CHECK(units_equal(&whole.units, &reads.units));
	CHECK(feed(&silences, NULL, 0, PT621_INPUT_END));
	CHECK(silences.most_pending <= PT621_PENDING_MAX);
	check_units(&silences.units, data, size, false, line_max);

	feed_free(&whole);
	feed_free(&datagram);
	feed_free(&reads);
	feed_free(&silences);
	return 0;
}
