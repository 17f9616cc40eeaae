/*
 * test_outline.c
 *		Circles and corridors: what is read, what is refused, and how far the
 *		vertices are.
 */
#include "geo/outline.h"

#include <math.h>
#include <stdlib.h>

#include "tap.h"

#define POINTS_MAX	16

/* Writes the WKB of a point (type 1), line (2) or multiline of one (5). */
static size_t
write_wkb(uint8_t *bytes, uint32_t type, const double *places, uint32_t count)
{
	const uint32_t one = 1;
	uint8_t		order;
	size_t		used = 0;

	memcpy(&order, &one, 1);
	if (type == 5)
	{
		bytes[0] = order;
		memcpy(bytes + 1, &type, 4);
		memcpy(bytes + 5, &one, 4);
		used = 9;
		type = 2;
	}
	bytes[used++] = order;
	memcpy(bytes + used, &type, 4);
	used += 4;
	if (type == 2)
	{
		memcpy(bytes + used, &count, 4);
		used += 4;
	}
	memcpy(bytes + used, places, count * 2 * sizeof(double));
	return used + count * 2 * sizeof(double);
}

/* Swaps the byte order of a point or line. */
static void
swap(uint8_t *bytes, size_t size)
{
	bool		line = bytes[1] == 2 || bytes[4] == 2;
	size_t		at = 1;

	bytes[0] = !bytes[0];
	while (at < size)
	{
		size_t		width = at == 1 || (line && at == 5) ? 4 : 8;

		for (size_t i = 0; i < width / 2; i++)
		{
			uint8_t		byte = bytes[at + i];

			bytes[at + i] = bytes[at + width - 1 - i];
			bytes[at + width - 1 - i] = byte;
		}
		at += width;
	}
}

/* What the answer is, as text: the number of polygons, or why there are none. */
static const char *
tell(const uint8_t *wkb, size_t size, double metres)
{
	static char text[GEO_ERROR_MAX];
	GeoError	error;
	size_t		outline_size = 0;
	/* At its exact size, where the sanitizer watches it. */
	uint8_t    *copy = malloc(size ? size : 1);
	uint8_t    *outline;
	uint32_t	count;

	if (size > 0)
		memcpy(copy, wkb, size);
	outline = geo_outline(copy, size, metres, &outline_size, &error);
	free(copy);
	if (outline == NULL)
		return strcpy(text, error.text);
	memcpy(&count, outline + 5, sizeof(count));
	free(outline);
	snprintf(text, sizeof(text), "%u", count);
	return text;
}

static const char *
tell_line(const double *places, uint32_t count, double metres)
{
	uint8_t		wkb[9 + 9 + 16 * POINTS_MAX];

	return tell(wkb, write_wkb(wkb, count == 1 ? 1 : 2, places, count), metres);
}

static void
test_counts(void)
{
	const double line[] = {10, 50, 10.01, 50, 10.01, 50.01, 10.01, 50.02};
	const double still[] = {10, 50, 10, 50, 10, 50};
	const double across[] = {179.9, 10, -179.9, 10};
	uint8_t		wkb[9 + 9 + 16 * POINTS_MAX];
	size_t		size;

	is_str(tell_line(line, 1, 100), "1", "a point is a circle");
	is_str(tell_line(still, 3, 100), "1", "as is a line of no length");
	is_str(tell_line(line, 2, 100), "3", "an edge is a strip and two ends");
	is_str(tell_line(line, 3, 100), "5", "a turn is a sector and a strip");
	is_str(tell_line(line, 4, 100), "8", "straight on it is two sectors and a strip");
	is_str(tell_line(across, 2, 100), "3", "across the antimeridian");
	size = write_wkb(wkb, 5, line, 3);
	is_str(tell(wkb, size, 100), "5", "a multiline");
	size = write_wkb(wkb, 2, line, 2);
	swap(wkb, size);
	is_str(tell(wkb, size, 100), "3", "the other byte order");
}

static void
test_refused(void)
{
	const double line[] = {10, 50, 10.01, 50};
	const double pole[] = {10, 89.9999};
	const double over[] = {10, 80, 190, 80};
	const double long_line[] = {0, -70, 100, 75};
	const double half[] = {10, 0, 190, 0};
	const double nowhere[] = {10, 50, NAN, 50};
	const double high[] = {10, 90.5};
	const double far[] = {10, 50, INFINITY, 50};
	uint8_t		wkb[9 + 9 + 16 * POINTS_MAX];
	size_t		size = write_wkb(wkb, 2, line, 2);
	bool		all = true;

	is_str(tell_line(pole, 1, 1000), "it reaches a pole", "round a pole");
	is_str(tell_line(over, 2, 1000), "it reaches a pole", "over a pole");
	is_str(tell_line(half, 2, 1000), "an edge goes round half the globe", "half the globe");
	is_str(tell_line(nowhere, 2, 1000), "it has a place that is not on the globe", "no number");
	is_str(tell_line(high, 1, 1000), "it has a place that is not on the globe", "beyond a pole");
	is_str(tell_line(far, 2, 1000), "it has a place that is not on the globe", "infinite");
	is_str(tell_line(line, 2, 0), "the distance is not between 0.1 and 1,000,000 metres", "no distance");
	is_str(tell_line(line, 2, 1e-9), "the distance is not between 0.1 and 1,000,000 metres", "hardly any");
	is_str(tell_line(long_line, 2, 0.1), "3", "the least on a long edge");
	is_str(tell_line(line, 2, NAN), "the distance is not between 0.1 and 1,000,000 metres", "distance that is no number");
	for (size_t i = 0; i < size; i++)
		all = all && strcmp(tell(wkb, i, 1000), "not the WKB of a point or line") == 0;
	ok(all, "cut short anywhere");
	wkb[5] = wkb[8] = 0xff;
	is_str(tell(wkb, size, 1000), "not the WKB of a point or line", "a count that is not true");
	wkb[1] = wkb[4] = 3;
	is_str(tell(wkb, size, 1000), "not the WKB of a point or line", "a polygon");
}

/* A circle at the equator and far north: all vertices are as far as the axes are. */
static void
test_distance(void)
{
	static const double latitudes[] = {0, 60, -80};

	for (int i = 0; i < 3; i++)
	{
		const double place[] = {20, latitudes[i]};
		uint8_t		wkb[64];
		GeoError	error;
		size_t		size;
		uint8_t    *outline = geo_outline(wkb, write_wkb(wkb, 1, place, 1), 1000, &size, &error);
		double		at[2];
		double		low = INFINITY;
		double		high = 0;

		for (size_t p = 9 + 9 + 4; outline && p + 16 <= size; p += 16)
		{
			double		metres;

			memcpy(at, outline + p, sizeof(at));
			metres = geo_metres(place[0], place[1], at[0], at[1]);
			low = fmin(low, metres);
			high = fmax(high, metres);
		}
		/* The sphere is up to 0.6 % off. */
		ok(outline && low > 994 && high < 1006, "1 km at %g degrees: %.3f to %.3f m on the sphere",
		   latitudes[i], low, high);
		free(outline);
	}
}

int
main(void)
{
	test_counts();
	test_refused();
	test_distance();
	return done_testing();
}
