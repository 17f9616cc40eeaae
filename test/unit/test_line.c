/*
 * test_line.c
 *		Tracks: teleports, parts, distances, the antimeridian, periods.
 */
#include "report/line.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "tap.h"

#define VERTICES_MAX	64

static TrackVertex told[VERTICES_MAX];
static int	told_count;

static void
keep(void *arg, const TrackVertex *vertex)
{
	(void) arg;
	if (told_count < VERTICES_MAX)
		told[told_count++] = *vertex;
}

static Track
start(void)
{
	told_count = 0;
	return (Track)
	{
		.low = INT64_MIN,.high = INT64_MAX,.max_gap = 3600 * TRACK_SECOND,.vertex = keep
	};
}

static void
step(Track *track, double seconds, double lon, double lat, double speed_kmh)
{
	TrackPlace	place = {(TrackTime) (seconds * TRACK_SECOND), lon, lat, (float) speed_kmh, NAN};

	track_step(track, &place);
}

/* Whole seconds of what was told, each with its part; "x" where it is a crossing. */
static const char *
outline(void)
{
	static char text[1000];
	size_t		size = 0;

	text[0] = '\0';
	for (int i = 0; i < told_count && size < sizeof(text) - 40; i++)
		size += (size_t) snprintf(text + size, sizeof(text) - size, "%s%d:%g%s", i > 0 ? " " : "", told[i].part,
								  (double) told[i].place.time / TRACK_SECOND, told[i].crossing ? "x" : "");
	return text;
}

/* Drives along the equator at 40 km/h, a place every 10 s, but elsewhere at `away`
 * of the numbers. */
static void
drive(const bool *away, int count)
{
	Track		track = start();

	for (int i = 0; i < count; i++)
		step(&track, 10 * i, 13 + 0.001 * i, away[i] ? 10 : 0, 40);
	track_end(&track);
}

static void
test_teleports(void)
{
	drive((const bool[5]) {false}, 5);
	is_str(outline(), "1:0 1:10 1:20 1:30 1:40", "a track");
	ok(fabs(told[1].metres - 111.195) < 0.001 && told[0].metres == 0, "its metres");
	drive((const bool[5]) {false, false, true}, 5);
	is_str(outline(), "1:0 1:10 1:30 1:40", "a teleport is left out");
	ok(fabs(told[2].metres - 222.39) < 0.01, "and the leg goes past it");
	drive((const bool[5]) {false, true, false, true}, 5);
	is_str(outline(), "1:0 1:20 1:40", "two of them");
	drive((const bool[5]) {false, false, true, true}, 5);
	is_str(outline(), "1:0 1:10 2:20 2:30 3:40", "two places elsewhere are no teleports");
	ok(told[2].metres == 0 && told[4].metres == 0, "what is too fast is no distance");
	drive((const bool[5]) {true}, 5);
	is_str(outline(), "1:0 2:10 2:20 2:30 2:40", "the first place is none");
	drive((const bool[5]) {false, false, false, false, true}, 5);
	is_str(outline(), "1:0 1:10 1:20 1:30 2:40", "nor the last one");
}

static void
test_parts(void)
{
	Track		track = start();

	step(&track, 0, 13, 0, 0);
	step(&track, 3600, 13.001, 0, 0);
	step(&track, 7200.000001, 13.002, 0, 0);
	step(&track, 7200.000001, 14, 0, 0);
	step(&track, 7230, 13.0021, 0, 0);
	step(&track, 7260, 13.0022, 0, 3);
	step(&track, 7290, 13.0023, 0, NAN);
	track_end(&track);
	is_str(outline(), "1:0 1:3600 2:7200 2:7230 2:7260 2:7290", "a silence of more than an hour; the first of one time");
	ok(fabs(told[1].metres - 111.195) < 0.001 && told[2].metres == 0, "silence is no distance");
	ok(told[3].metres == 0 && fabs(told[4].metres - 11.1195) < 0.001 && fabs(told[5].metres - 11.1195) < 0.001,
	   "trembling is none, a short leg of what moves is");
}

static void
test_antimeridian(void)
{
	Track		track = start();

	step(&track, 0, 179.999, 10, 40);
	step(&track, 10, -179.997, 10.004, 40);
	step(&track, 20, 180, 10.004, 40);
	step(&track, 30, -180, 10.004, 0);
	step(&track, 40, -179.999, 10.004, 40);
	step(&track, 50, 180, 10.004, 40);
	track_end(&track);
	is_str(outline(), "1:0 1:2.5x 2:2.5x 2:10 2:20x 3:20 4:20x 4:30 4:40 4:50x 5:50", "cut where it crosses");
	ok(told[1].place.lon == 180 && told[2].place.lon == -180 && fabs(told[1].place.lat - 10.001) < 1e-9 &&
	   told[1].place.lat == told[2].place.lat, "at one place");
	ok(fabs(told[1].metres + told[3].metres - 624.8) < 1 && fabs(told[1].metres * 3 - told[3].metres) < 1e-6 &&
	   told[2].metres == 0 && told[7].metres == 0, "metres across it, in proportion");
}

static void
test_period(void)
{
	Track		track = start();

	track.low = 20 * TRACK_SECOND;
	track.high = 40 * TRACK_SECOND;
	for (int i = 0; i < 6; i++)
		step(&track, 10 * i, 13 + 0.001 * i, i == 2 ? 10 : 0, 40);
	track_end(&track);
	is_str(outline(), "1:30", "what comes before and after tells teleports, and is not told");
	track = start();
	track_end(&track);
	is_int(told_count, 0, "no place, no track");
	step(&track, -9.2e12, 13, 0, 0);
	step(&track, 9.2e12, 13, 0, 0);
	track_end(&track);
	is_int(told[told_count - 1].part, 2, "as far apart as can be");
}

int
main(void)
{
	test_teleports();
	test_parts();
	test_antimeridian();
	test_period();
	return done_testing();
}
