/*
 * fuzz_outline.c
 *		Outlines of any bytes.
 *
 * Input: one byte for the distance, then WKB.  Checked: an answer is a
 * multipolygon to its last byte, of rings that are closed, with finite places; or
 * there is a reason for none.
 */
#include "geo/outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

static uint32_t
number_at(const uint8_t *bytes)
{
	uint32_t	number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

static void
check_outline(const uint8_t *bytes, size_t size)
{
	size_t		at = 9;

	CHECK(size >= 9 && number_at(bytes + 1) == 6);
	for (uint32_t i = number_at(bytes + 5); i > 0; i--)
	{
		uint32_t	points;

		CHECK(size - at >= 13 && number_at(bytes + at + 1) == 3 && number_at(bytes + at + 5) == 1);
		points = number_at(bytes + at + 9);
		at += 13;
		CHECK(points >= 4 && (size - at) / 16 >= points);
		CHECK(memcmp(bytes + at, bytes + at + 16 * (size_t) (points - 1), 16) == 0);
		for (uint32_t p = 0; p < points; p++, at += 16)
		{
			double		place[2];

			memcpy(place, bytes + at, sizeof(place));
			CHECK(isfinite(place[0]) && fabs(place[1]) <= 90);
		}
	}
	CHECK(at == size);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GeoError	error;
	size_t		outline_size;
	uint8_t    *outline;

	if (size == 0)
		return 0;
	/* From 1 m up: a small distance takes long, and is no other code. */
	outline = geo_outline(data + 1, size - 1, pow(10, data[0] % 7), &outline_size, &error);
	if (outline)
		check_outline(outline, outline_size);
	else
		CHECK(error.text[0] != '\0' && strlen(error.text) < GEO_ERROR_MAX);
	free(outline);
	return 0;
}
