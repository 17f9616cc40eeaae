/*
 * fuzz_simplify.c
 *		Tracks of any bytes, with fewer places.
 *
 * Input: one byte for the tolerance, one for the latitude, then six for each place:
 * how it goes on.  Checked: what is left is a track with the same ends, and no place
 * is farther from it, at its time, than the tolerance.
 */
#include "report/simplify.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geo.h"

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

#define PLACE_BYTES	6

/* Makes a track; steps are up to 3 degrees, or a thousandth of that, in 1 ms to a minute. */
static size_t
make_track(SimplifyPlace *places, const uint8_t *data, size_t size, double lat)
{
	size_t		count = size / PLACE_BYTES;
	SimplifyPlace at = {13, lat, 1.7e9};

	for (size_t i = 0; i < count; i++, data += PLACE_BYTES)
	{
		int16_t		step[2];
		uint16_t	time;
		double		scale = 1e-4;

		memcpy(step, data, sizeof(step));
		memcpy(&time, data + 4, sizeof(time));
		if (time % 2)
			scale = 1e-7;
		at.lon += step[0] * scale;
		at.lat = fmax(-90, fmin(90, at.lat + step[1] * scale));
		at.time += (1 + time) * 1e-3;
		places[i] = at;
	}
	return count;
}

static void
check_places(const SimplifyPlace *given, size_t count, const SimplifyPlace *kept, size_t left, double tolerance_m)
{
	size_t		at = 0;

	CHECK(left <= count && (left >= 2 || left == count));
	CHECK(simplify_is_track(kept, left));
	if (count == 0)
		return;
	CHECK(memcmp(&kept[0], &given[0], sizeof(*kept)) == 0);
	CHECK(memcmp(&kept[left - 1], &given[count - 1], sizeof(*kept)) == 0);
	for (size_t i = 0; i < count && left > 1; i++)
	{
		double		part;

		while (at + 2 < left && kept[at + 1].time <= given[i].time)
			at++;
		part = (given[i].time - kept[at].time) / (kept[at + 1].time - kept[at].time);
		CHECK(geo_metres(kept[at].lon + part * (kept[at + 1].lon - kept[at].lon),
						 kept[at].lat + part * (kept[at + 1].lat - kept[at].lat),
						 given[i].lon, given[i].lat) <= tolerance_m + 1e-3);
	}
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SimplifyPlace *given;
	SimplifyPlace *kept;
	Simplify	simplify;
	size_t		count;
	double		tolerance_m;

	if (size < 2)
		return 0;
	given = malloc((size / PLACE_BYTES + 1) * sizeof(*given));
	kept = malloc((size / PLACE_BYTES + 1) * sizeof(*kept));
	tolerance_m = data[0] == 0 ? 0 : pow(1.08, data[0]) / 10;
	count = make_track(given, data + 2, size - 2, (double) data[1] * 180 / 255 - 90);
	memcpy(kept, given, count * sizeof(*kept));
	simplify_start(&simplify, kept, count, tolerance_m);
	while (simplify_step(&simplify))
		;
	check_places(given, count, kept, simplify.kept, tolerance_m);
	free(given);
	free(kept);
	return 0;
}
