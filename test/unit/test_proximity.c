/*
 * test_proximity.c
 *		Two tracks merged: samples in order, and episodes of being near.
 */
#include <math.h>
#include <stdlib.h>

#include "detect/proximity.h"
#include "tap.h"

#define S(seconds)	((int64_t) ((seconds) * 1e6))
#define GAP			S(300)

/* Everything that was said, as text. */
typedef struct Said
{
	char		text[4096];
	size_t		size;
	ProximityFold fold;
	void	   *block;
} Said;

static void *
grow(void *arg, void *old, size_t size)
{
	Said	   *said = arg;

	said->block = realloc(old, size);
	return said->block;
}

__attribute__((format(printf, 2, 3)))
static void
say(Said *said, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	said->size += (size_t) vsnprintf(said->text + said->size, sizeof(said->text) - said->size, format, args);
	va_end(args);
}

static void
say_episode(Said *said)
{
	const ProximityEpisode *episode = &said->fold.episode;

	say(said, "[%g,", (double) episode->at / 1e6);
	if (episode->until != DETECT_NO_TIME)
		say(said, "%g", (double) episode->until / 1e6);
	say(said, "] by %g %.3f@%g ", (double) episode->confirmed_at / 1e6, episode->closest_m,
		(double) episode->closest_at / 1e6);
}

static void
put_sample(void *arg, const ProximitySample *sample)
{
	Said	   *said = arg;

	say(said, "%g%c ", (double) sample->time / 1e6, "?.=+"[sample->is]);
	if (proximity_fold(&said->fold, sample))
		say_episode(said);
}

/* A place, in metres east of 0 N, from `lon`. */
typedef struct Step
{
	int			who;
	double		seconds;
	double		metres;
	double		gap;			/* 0 = GAP */
} Step;

#define METRES_PER_DEGREE	(GEO_SPHERE_M * M_PI / 180)

static double
degrees(double lon, double metres)
{
	lon += metres / METRES_PER_DEGREE;
	return lon > 180 ? lon - 360 : lon;
}

/* Merges, and gives what was said. */
static const char *
merge(Said *said, double lon, const Step *steps, size_t count)
{
	ProximityMerge merge = {.near_m = 100, .far_m = 200, .arg = said, .grow = grow, .put = put_sample};

	memset(said, 0, sizeof(*said));
	for (size_t i = 0; i < count; i++)
	{
		ProximityPlace place = {.time = S(steps[i].seconds), .lon = degrees(lon, steps[i].metres),
			.gap = steps[i].gap > 0 ? S(steps[i].gap) : GAP};

		proximity_take(&merge, steps[i].who, &place);
	}
	proximity_finish(&merge);
	if (said->fold.near)
		say_episode(said);
	if (said->size > 0 && said->text[said->size - 1] == ' ')
		said->text[--said->size] = '\0';
	free(said->block);
	return said->text;
}

#define CHECK(lon, expected, ...) \
	do { \
		static const Step steps[] = {__VA_ARGS__}; \
		static Said said; \
		const char *got = merge(&said, lon, steps, sizeof(steps) / sizeof(steps[0])); \
		if (!ok(strcmp(got, expected) == 0, "%s", expected)) \
			printf("# got: %s\n", got); \
	} while (0)

static void
check_samples(void)
{
	/* The other is known between two places, at its own time, and not beyond. */
	CHECK(10, "0? 10+ 20+ 30+ [10,] by 20 5.000@30",
		  {0, 0, 0, 0}, {1, 10, 20, 0}, {0, 20, 20, 0}, {1, 30, 40, 0}, {0, 40, 50, 0}, {0, 50, 60, 0});
	/* At one time there is one sample, whoever is told of first; a second place is none. */
	CHECK(10, "0+ 10+ [0,] by 0 5.000@10", {1, 0, 50, 0}, {0, 0, 0, 0}, {0, 10, 0, 0}, {0, 10, 900, 0}, {1, 10, 5, 0});
	CHECK(10, "0+ 10+ [0,] by 0 5.000@10", {0, 0, 0, 0}, {1, 0, 50, 0}, {1, 10, 5, 0}, {0, 10, 0, 0}, {0, 10, 900, 0});
	/* A gap of 300 s is one to look into, a longer one is not. */
	CHECK(10, "0+ 150+ 300+ [0,] by 0 0.000@0", {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 150, 0, 0}, {1, 300, 0, 0}, {0, 300, 0, 0});
	CHECK(10, "0+ 150? [0,0] by 0 0.000@0 301+ [301,] by 301 0.000@301",
		  {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 150, 0, 0}, {1, 301, 0, 0}, {0, 301, 0, 0});
	/* The options are those of the time looked at. */
	CHECK(10, "0+ 150+ 400? [0,150] by 0 0.000@0",
		  {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 150, 0, 600}, {0, 400, 0, 300}, {1, 401, 0, 0});
	/* Not known yet, until the own track goes on for longer than the gap. */
	CHECK(10, "0+ [0,] by 0 0.000@0", {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 150, 0, 0}, {0, 300, 0, 0});
	CHECK(10, "0+ 150? [0,0] by 0 0.000@0 301?", {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 150, 0, 0}, {0, 301, 0, 0});
	CHECK(10, "0?", {0, 0, 0, 0});
}

static void
check_episodes(void)
{
	/* Between near and far they are what they were; the end is the first apart. */
	CHECK(10, "0= 1+ 2= 3= 4. [1,4] by 1 99.000@1 5= 6. 7+ [7,] by 7 0.000@7",
		  {0, 0, 0, 0}, {1, 0, 150, 0}, {0, 1, 0, 0}, {1, 1, 99, 0}, {0, 2, 0, 0}, {1, 2, 101, 0}, {0, 3, 0, 0}, {1, 3, 199, 0},
		  {0, 4, 0, 0}, {1, 4, 201, 0}, {0, 5, 0, 0}, {1, 5, 150, 0}, {0, 6, 0, 0}, {1, 6, 250, 0}, {0, 7, 0, 0}, {1, 7, 0, 0});
	/* What is no longer known ends it where it was known last. */
	CHECK(10, "0+ 10+ 100? [0,10] by 0 0.000@0 1000? 1001+ [1001,] by 1001 0.000@1001",
		  {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 10, 5, 0}, {1, 10, 0, 0}, {0, 100, 0, 0}, {0, 1000, 0, 0}, {0, 1001, 0, 0}, {1, 1001, 0, 0});
	/* Across the antimeridian, in between as well. */
	CHECK(180, "0? 10+ 20+ 30+ [10,] by 20 0.000@10",
		  {0, 0, -10, 0}, {1, 10, 10, 0}, {0, 20, 30, 0}, {1, 30, 30, 0}, {0, 40, 30, 0});
	CHECK(-180, "0? 10+ 20+ 30+ [10,] by 20 0.000@10",
		  {0, 0, -10, 0}, {1, 10, 10, 0}, {0, 20, 30, 0}, {1, 30, 30, 0}, {0, 40, 30, 0});
}

/* However many wait, those that come out are all, and in order. */
static void
check_many(void)
{
	static Said said;
	ProximityMerge merge = {.near_m = 100, .far_m = 200, .arg = &said, .grow = grow, .put = put_sample};
	size_t		most = 0;

	for (int i = 0; i < 5000; i++)
	{
		ProximityPlace place = {.time = S(i), .gap = GAP};

		if (i == 1)
			proximity_take(&merge, 1, &place);
		said.size = 0;
		proximity_take(&merge, 0, &place);
		if (merge.count > most)
			most = merge.count;
	}
	is_int((long long) most, 300, "no more wait than a gap has");
	said.size = 0;
	proximity_finish(&merge);
	ok(merge.count == 0, "none is left");
	free(said.block);
}

int
main(void)
{
	check_samples();
	check_episodes();
	check_many();
	return done_testing();
}
