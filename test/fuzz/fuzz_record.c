/*
 * fuzz_record.c
 *		The record reader on any bytes.
 *
 * Checked: what is read keeps check_record(), twice the same; an error points
 * into the text and its words are printable; the line end changes no value.
 */
#include <stdlib.h>

#include "check_record.h"

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

static void
check_printable(const char *text)
{
	for (; *text; text++)
		CHECK(*text >= 0x20 && *text <= 0x7E);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Pt621Record record;
	Pt621Record again;
	Pt621Error	error;
	char		buffer[PT621_ERROR_MAX];
	char		code[PT621_CODE_MAX + 1];
	size_t		text_size;

	if (pt621_parse(data, size, &record, &error))
	{
		const char *event;

		CHECK(check_record(&record, data, size) == NULL);
		event = pt621_event(record.code.at, record.code.size, code);
		if (event)
			check_printable(event);

		/* A live record and its stored copy say the same. */
		text_size = pt621_text_size(data, size);
		CHECK(text_size <= size && size - text_size <= 3);
		if (record.kind == PT621_REPORT && text_size > 0 &&
			data[text_size - 1] != '#' && data[text_size - 1] != '\r' &&
			data[text_size - 1] != '\n')
		{
			CHECK(pt621_parse(data, text_size, &again, &error));
			CHECK(!again.stored);
			CHECK(again.quality == record.quality);
			CHECK(again.device_time == record.device_time);
			CHECK(again.odometer_m == record.odometer_m);
			CHECK(again.spec.size == record.spec.size);
		}
	}
	else
	{
		CHECK(error.code != PT621_OK && error.at <= size);
		pt621_error_text(&error, buffer);
		check_printable(buffer);
		CHECK(strlen(buffer) < PT621_ERROR_MAX);
	}
	pt621_event(data, size, code);
	return 0;
}
