/*
 * fuzz_foreign.c
 *		Recognition of other protocols, on any bytes.
 *
 * Checked: the answer of each prefix is that of the whole or still open, once
 * told it stays, it is told within the bound, only by bytes that are there, and
 * nothing behind a mark of ours or in a line that reads as a report is foreign.
 */
#include "codec/pt621_codec.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

/* Asks about so many bytes, in memory that has no more. */
static Pt621Foreign
ask(const uint8_t *data, size_t size, bool *more)
{
	uint8_t    *copy = malloc(size > 0 ? size : 1);
	Pt621Foreign kind;

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	kind = pt621_foreign(copy, size, more);
	free(copy);
	return kind;
}

/* Tells whether a line is a report with a fix flag: an id, a time or none. */
static bool
is_report(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	Pt621Record record;
	Pt621Error	error;

	return data[0] == '$' && end != NULL &&
		pt621_parse(data, (size_t) (end - data) + 1, &record, &error) &&
		(record.quality & (PT621_BAD_TIME | PT621_BAD_FIX_FLAG)) == 0;
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool		more;
	bool		told = false;
	Pt621Foreign whole = ask(data, size, &more);
	bool		whole_more = more;

	CHECK(whole < PT621_FOREIGN_KINDS && pt621_foreign_name(whole) != NULL);
	CHECK(!whole_more || (whole == PT621_FOREIGN_NONE && size < PT621_FOREIGN_LOOK));
	for (size_t i = 0; i <= size && i <= PT621_FOREIGN_LOOK + 1; i++)
	{
		Pt621Foreign kind = ask(data, i, &more);

		CHECK(kind == PT621_FOREIGN_NONE || !more);
		CHECK(!told || !more);
		told = !more;
		if (told)
			CHECK(kind == whole && !whole_more);
	}
	if (size > 0 && (memchr("@\xBF\r\n", data[0], 4) != NULL ||
					 (data[0] == '$' && (size < 2 || data[1] != '$')) ||
					 is_report(data, size)))
		CHECK(whole == PT621_FOREIGN_NONE);
	return 0;
}
