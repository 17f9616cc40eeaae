/*
 * test_simplify.c
 *		Fewer places: none is missed by more than was asked for, at its time.
 */
#include "report/simplify.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "geo/geo.h"
#include "tap.h"

#define PLACES_MAX	300000

static SimplifyPlace given[PLACES_MAX];
static SimplifyPlace kept[PLACES_MAX];

static uint64_t seed = 621;

/* -1 .. 1, the same in every run. */
static double
chance(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (seed >> 11) / (UINT64_C(1) << 52) - 1;
}

static size_t
simplify(size_t count, double tolerance_m)
{
	Simplify	simplify;

	memcpy(kept, given, count * sizeof(*kept));
	simplify_start(&simplify, kept, count, tolerance_m);
	while (simplify_step(&simplify))
		;
	return simplify.kept;
}

/* The farthest that a given place is from the kept ones at its time; INFINITY when
 * these are no track from the first to the last. */
static double
farthest(size_t count, size_t left)
{
	double		metres = 0;
	size_t		at = 0;

	if (!simplify_is_track(kept, left) || left < 2 || memcmp(&kept[0], &given[0], sizeof(*kept)) != 0 ||
		memcmp(&kept[left - 1], &given[count - 1], sizeof(*kept)) != 0)
		return INFINITY;
	for (size_t i = 0; i < count; i++)
	{
		double		part;

		while (at + 2 < left && kept[at + 1].time <= given[i].time)
			at++;
		part = (given[i].time - kept[at].time) / (kept[at + 1].time - kept[at].time);
		metres = fmax(metres, geo_metres(kept[at].lon + part * (kept[at + 1].lon - kept[at].lon),
										 kept[at].lat + part * (kept[at + 1].lat - kept[at].lat),
										 given[i].lon, given[i].lat));
	}
	return metres;
}

/* A drive, degrees per second, that turns now and then, with places that tremble. */
static void
make_drive(size_t count, double lat, double speed, double tremble)
{
	double		turn = 0;
	double		lon = 13;
	double		time = 1.7e9;
	double		pause;

	for (size_t i = 0; i < count; i++)
	{
		given[i] = (SimplifyPlace)
		{
			lon + tremble * chance(), fmin(lat + tremble * chance(), 90), time
		};
		if (i % 40 == 0)
			turn = M_PI * chance();
		pause = 5 + 4.9 * chance();
		lon += pause * speed * cos(turn) / fmax(cos(lat * M_PI / 180), 1e-6);
		lat = fmax(-89.9, fmin(lat + pause * speed * sin(turn), 89.9));
		time += pause;
	}
}

static void
test_bound(void)
{
	static const double latitudes[] = {0, 52.5, -70, 85, 89.9};
	static const double tolerances[] = {0, 0.5, 10, 300, 50000};

	for (size_t i = 0; i < sizeof(latitudes) / sizeof(*latitudes); i++)
	{
		for (size_t j = 0; j < sizeof(tolerances) / sizeof(*tolerances); j++)
		{
			size_t		left;
			double		metres;

			make_drive(5000, latitudes[i], 0.0002, 0.00002);
			left = simplify(5000, tolerances[j]);
			metres = farthest(5000, left);
			ok(metres <= tolerances[j] + 1e-3, "lat %g, %g m: %g m off, %zu of 5000 left",
			   latitudes[i], tolerances[j], metres, left);
		}
	}
}

static void
test_use(void)
{
	size_t		left;

	/* Steady, and standing: only the turns are needed. */
	for (size_t i = 0; i < 3000; i++)
		given[i] = (SimplifyPlace)
	{
		i < 1000 ? 13 + (double) i / 1024 : 13 + 1000.0 / 1024, i < 2000 ? 0 : (double) (i - 2000) / 4096, 1e9 + 8.0 * (double) i
	};
	is_int((long long) simplify(3000, 0.01), 4, "two drives and a stop have four places");
	make_drive(5000, 52.5, 0.0002, 0.00002);
	left = simplify(5000, 10);
	ok(left < 1000, "a drive that turns 125 times is less than 1,000 places (%zu)", left);
	ok(simplify(5000, 1) > left, "a smaller tolerance leaves more");
	/* What was at a place too early is not there at its time. */
	for (size_t i = 0; i < 3; i++)
		given[i] = (SimplifyPlace)
	{
		13 + 0.01 * (double) i, 0, i == 1 ? 1e9 + 1 : 1e9 + 100 * (double) i
	};
	is_int((long long) simplify(3, 10), 3, "on the line but not in time: kept");
}

static void
test_ends(void)
{
	SimplifyPlace bad[] = {{13, 52, 1}, {13, 52, 2}};

	is_int((long long) simplify(0, 10), 0, "no place");
	given[0] = bad[0];
	is_int((long long) simplify(1, 10), 1, "one place");
	ok(simplify_is_track(bad, 2), "a track");
	bad[1].time = 1;
	ok(!simplify_is_track(bad, 2), "no time passes: no track");
	bad[1].time = NAN;
	ok(!simplify_is_track(bad, 2), "no time: no track");
	bad[1].time = 2;
	bad[1].lat = 91;
	ok(!simplify_is_track(bad, 2), "not on the Earth: no track");
	bad[1].lat = 52;
	bad[1].lon = INFINITY;
	ok(!simplify_is_track(bad, 2), "nowhere: no track");
}

/* Places that jump to and fro: each later one could be the next but is not.  Were
 * all of them looked at each time, this would take hours. */
static void
test_worst(void)
{
	for (size_t i = 0; i < PLACES_MAX; i++)
		given[i] = (SimplifyPlace)
	{
		13 + (i % 2 ? 0.00007 : -0.00007) * (i > 0), 0, 1e9 + (double) i
	};
	ok(farthest(PLACES_MAX, simplify(PLACES_MAX, 10)) <= 10, "%d places to and fro", PLACES_MAX);
}

int
main(void)
{
	test_bound();
	test_use();
	test_ends();
	test_worst();
	return done_testing();
}
