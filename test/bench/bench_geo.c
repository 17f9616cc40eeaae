/*
 * bench_geo.c
 *		How many points a second one core finds the fences of.
 *
 * Prints one line per figure, "name: value unit", as bench_codec.c does: the best
 * of RUNS runs and the median, in CPU time of this process.  The rival looks at
 * the extent of every fence and asks the same exact predicate.  The hits of both
 * are counted and must be the same.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "geo/geo.h"

#define RUNS		7
#define POINTS		200000
#define SEGMENTS	20000
#define VERTICES	65			/* the last is the first again */
#define SIDE		10.0		/* degrees of the square that all lies in */
#define HITS		3.0			/* fences over a point, about */

typedef struct World
{
	size_t		count;
	GeoShape  **shapes;
	GeoIndex   *index;
	size_t		hits;
	double		lon;			/* what is asked for */
	double		lat;
	GeoSegment	segment;
} World;

static double place[POINTS][2];

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* A number from 0 to 1, the same in each run of the program. */
static double
roll(void)
{
	static uint64_t state = 621;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (state >> 11) / 9007199254740992.0;
}

static void
put(uint8_t **at, const void *bytes, size_t size)
{
	memcpy(*at, bytes, size);
	*at += size;
}

/* Makes a fence around a place: a circle with dents. */
static GeoShape *
make_shape(double radius)
{
	uint8_t		wkb[1 + 3 * 4 + VERTICES * 16];
	uint8_t    *at = wkb;
	const uint32_t head[3] = {3, 1, VERTICES};
	const uint16_t one = 1;
	double		lon = SIDE * roll();
	double		lat = SIDE * roll();
	double		first[2];
	GeoError	error;
	GeoShape   *shape;

	put(&at, &one, 1);			/* this machine's byte order */
	put(&at, head, sizeof(head));
	for (int i = 0; i < VERTICES - 1; i++)
	{
		double		angle = 2 * M_PI * i / (VERTICES - 1);
		double		away = radius * (0.8 + 0.4 * roll());
		double		vertex[2] = {lon + away * cos(angle), lat + away * sin(angle)};

		put(&at, vertex, sizeof(vertex));
		if (i == 0)
			memcpy(first, vertex, sizeof(first));
	}
	put(&at, first, sizeof(first));
	shape = geo_shape_new(wkb, sizeof(wkb), &error);
	if (shape == NULL)
	{
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	return shape;
}

static World *
make_world(size_t count)
{
	World	   *world = calloc(1, sizeof(*world));
	double		radius = sqrt(HITS * SIDE * SIDE / (double) count / M_PI);
	GeoError	error;

	world->count = count;
	world->shapes = calloc(count, sizeof(*world->shapes));
	for (size_t i = 0; i < count; i++)
		world->shapes[i] = make_shape(radius);
	world->index = geo_index_new(world->shapes, (void *const *) world->shapes, count,
								 &error);
	if (world->index == NULL)
		exit(1);
	return world;
}

static void
free_world(World *world)
{
	geo_index_free(world->index);
	for (size_t i = 0; i < world->count; i++)
		geo_shape_free(world->shapes[i]);
	free(world->shapes);
	free(world);
}

static void
test_point(void *shape, void *arg)
{
	World	   *world = arg;

	world->hits += geo_shape_covers(shape, world->lon, world->lat);
}

static void
pass_index(World *world, size_t points)
{
	for (size_t i = 0; i < points; i++)
	{
		GeoBox		box = {place[i][0], place[i][1], place[i][0], place[i][1]};

		world->lon = box.west;
		world->lat = box.south;
		geo_index_search(world->index, &box, test_point, world);
	}
}

static void
pass_scan(World *world, size_t points)
{
	for (size_t i = 0; i < points; i++)
	{
		world->lon = place[i][0];
		world->lat = place[i][1];
		for (size_t j = 0; j < world->count; j++)
		{
			GeoBox		box;

			if (geo_shape_extent(world->shapes[j], &box) &&
				world->lon >= box.west && world->lon <= box.east &&
				world->lat >= box.south && world->lat <= box.north)
				test_point(world->shapes[j], world);
		}
	}
}

static void
test_segment(void *shape, void *arg)
{
	World	   *world = arg;

	world->hits += geo_shape_meets(shape, &world->segment);
}

static void
test_crossing(void *shape, void *arg)
{
	World	   *world = arg;
	GeoCrossing crossing;

	world->hits += geo_shape_crossing(shape, &world->segment, &crossing);
}

static void
test_metres(void *shape, void *arg)
{
	World	   *world = arg;

	world->hits += geo_shape_metres(shape, world->segment.to_lon,
									world->segment.to_lat, 20) < 20;
}

/* Segments of about 500 m, and what is near them. */
static void
pass_segments(World *world, size_t points, void (*test) (void *, void *))
{
	for (size_t i = 1; i < points; i++)
	{
		GeoSegment	s = {place[i][0], place[i][1], 0, 0};
		GeoBox		box;

		s.to_lon = s.from_lon + 0.01 * (place[i - 1][0] / SIDE - 0.5);
		s.to_lat = s.from_lat + 0.01 * (place[i - 1][1] / SIDE - 0.5);
		world->segment = s;
		box = geo_segment_extent(&s);
		geo_index_search(world->index, &box, test, world);
	}
}

static void
pass_meets(World *world, size_t points)
{
	pass_segments(world, points, test_segment);
}

static void
pass_crossing(World *world, size_t points)
{
	pass_segments(world, points, test_crossing);
}

static void
pass_metres(World *world, size_t points)
{
	pass_segments(world, points, test_metres);
}

/* Runs a pass often enough and prints points per second; returns its hits. */
static size_t
measure(const char *name, void (*pass) (World *, size_t), World *world, size_t points)
{
	double		rate[RUNS];
	size_t		expected;

	world->hits = 0;
	pass(world, points);		/* makes what is made with the first test */
	expected = world->hits;
	for (int run = 0; run < RUNS; run++)
	{
		double		begin = seconds();

		world->hits = 0;
		pass(world, points);
		rate[run] = (double) points / (seconds() - begin);
		if (world->hits != expected)
			exit(1);
	}
	qsort(rate, RUNS, sizeof(rate[0]), compare);
	printf("%s_per_second: %.0f points/s\n", name, rate[RUNS - 1]);
	printf("%s_per_second_median: %.0f points/s\n", name, rate[RUNS / 2]);
	return expected;
}

int
main(void)
{
	World	   *few = make_world(1000);
	World	   *many;
	size_t		hits;

	for (size_t i = 0; i < POINTS; i++)
	{
		place[i][0] = SIDE * roll();
		place[i][1] = SIDE * roll();
	}
	hits = measure("geo_1000_fences", pass_index, few, POINTS);
	printf("geo_1000_fences_hits: %.2f a point\n", (double) hits / POINTS);
	if (measure("geo_1000_fences_scan", pass_scan, few, POINTS) != hits)
		return 1;
	measure("geo_1000_fences_meets", pass_meets, few, SEGMENTS);
	measure("geo_1000_fences_crossing", pass_crossing, few, SEGMENTS / 10);
	measure("geo_1000_fences_metres", pass_metres, few, SEGMENTS);
	free_world(few);

	many = make_world(100000);
	hits = measure("geo_100000_fences", pass_index, many, POINTS);
	printf("geo_100000_fences_hits: %.2f a point\n", (double) hits / POINTS);
	measure("geo_100000_fences_scan", pass_scan, many, POINTS / 400);
	free_world(many);
	return 0;
}
