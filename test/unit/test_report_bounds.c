/*
 * test_report_bounds.c
 *		What a report takes of memory and of looking back, whatever comes.
 *
 * Invariant: no clock: memory and comparisons are counted.
 */
#include "report_compare.h"
#include "tap.h"

#include "report/report_private.h"

static Told told;
static ReportOptions options;
static bool whole = true;		/* the first fix is the tracker's first ever */
static uint64_t compared;

/* Runs a report over so many fixes, made one by one. */
static void
run(size_t count, void (*make) (size_t i, ReportFix *fix))
{
	ReportSink	sink;
	Report	   *report;

	told_clear(&told);
	sink = told_sink(&told);
	report = report_new(&options, &sink, whole);
	for (size_t i = 0; i < count; i++)
	{
		ReportFix	fix = {.lat = 50, .odometer_m = -1, .speed_kmh = NAN, .course = NAN, .ignition = -1};

		make(i, &fix);
		report_step(report, &fix);
	}
	report_end(report, true);
	compared = report->rest.compared;
}

/* A number from -1 to 1 that looks like chance. */
static double
chance(size_t i)
{
	return (double) (i * UINT64_C(0x9E3779B97F4A7C15) >> 40) / (1 << 23) - 1;
}

static void
days(size_t i, ReportFix *fix)
{
	bool		drives = i % 2000 < 1000;
	size_t		driven = i / 2000 * 1000 + (drives ? i % 2000 : 1000);

	fix->time = S(10 * (double) i);
	fix->lon = (double) driven / 1e3 - 100 + chance(i) / 1e5;
	fix->speed_kmh = drives ? 40 : 0;
	fix->ignition = drives;
	fix->driver = 1 + (int32_t) (i / 500);
}

/* A tracker that stands and reports a thousand times a second. */
static void
parked(size_t i, ReportFix *fix)
{
	fix->time = (int64_t) i * 1000;
	fix->lon = chance(i) / 2e4;
	fix->speed_kmh = 0;
}

/* One that visits the corners of a triangle in turn: all are near each other, and no box
 * of them tells. */
static void
triangle(size_t i, ReportFix *fix)
{
	static const double corners[3][2] = {{0, 0}, {190, 0}, {95, 164.5}};

	fix->time = (int64_t) i * 1000;
	fix->lon = corners[i % 3][0] / 111195 / cos(50 * M_PI / 180);
	fix->lat += corners[i % 3][1] / 111195;
	fix->speed_kmh = 5;
}

/* The same, once a second. */
static void
slow_triangle(size_t i, ReportFix *fix)
{
	triangle(i, fix);
	fix->time *= 1000;
}

/* One that roams over a yard as wide as a stop may be. */
static void
yard(size_t i, ReportFix *fix)
{
	fix->time = (int64_t) i * 1000;
	fix->lon = 0.0013 * sin((double) i / 1e4);
	fix->lat += 0.0008 * sin((double) i / 7e3);
	fix->speed_kmh = 5;
}

/* Two trackers with one name: every leg is too fast or goes nowhere. */
static void
twins(size_t i, ReportFix *fix)
{
	fix->time = S((double) i);
	fix->lon = i / 2 % 2 ? 10 : 0;
	fix->speed_kmh = 50;
}

/* The same, and whoever drives changes each time: no place is known to be true. */
static void
crews(size_t i, ReportFix *fix)
{
	fix->time = S((double) i);
	fix->lon = i % 2 ? 10 : 0;
	fix->driver = 1 + (int32_t) (i % 7);
}

/* Much changes, and nobody knows where. */
static void
indoors(size_t i, ReportFix *fix)
{
	fix->time = S(10 * (double) i);
	fix->ignition = i % 20 < 15;
	fix->driver = 1 + (int32_t) (i % 7);
	if (i > 0 && i < 199999)
		fix->lon = NAN;
}

/* A place to begin with, then one that stays near and never stands. */
static void
mower(size_t i, ReportFix *fix)
{
	fix->time = S((double) i);
	fix->lon = chance(i) / 1e3;
	fix->speed_kmh = i < 10 ? 0 : 6;
}

/* A stop of very many places, which moves slowly on. */
static ReportFix fixes[NAIVE_MAX];

static void
check_median(size_t count)
{
	for (size_t i = 0; i < count; i++)
		fixes[i] = (ReportFix) {
		.time = S((double) i), .lon = (double) (i * i) / 1e10 + 179.9999, .lat = chance(i) / 1e4,
		.odometer_m = -1, .speed_kmh = 0, .course = NAN, .ignition = -1
	};
	for (size_t i = 0; i < count; i++)
		if (fixes[i].lon > 180)
			fixes[i].lon -= 360;
	told_run(&told, &options, fixes, count);
	ok(told.segments_count == 1 &&
	   remainder(told.segments[0].from_lon - naive_median(fixes, (int) count, true), 360) == 0 &&
	   told.segments[0].from_lat == naive_median(fixes, (int) count, false),
	   "the median place of %zu", count);
}

int
main(void)
{
	size_t		bytes;

	options = report_defaults;
	options.wired_since = 0;
	told.days = true;
	run(20000, days);
	bytes = told.bytes;
	run(400000, days);
	ok(told.bytes == bytes && bytes < 200000, "memory does not grow with the days: %zu bytes", bytes);
	is_int((long long) told.segments_count, 400, "trips and stops in turn");

	run(300000, parked);
	ok(compared < 1400, "parked, 1,000 records a second: %llu looks",
	   (unsigned long long) compared);
	run(300000, yard);
	ok(compared < 600 * 360, "in a yard: %llu looks", (unsigned long long) compared);
	run(60000, triangle);
	ok(compared < 120 * 120 && told.bytes < 400000,
	   "from corner to corner, 1,000 times a second: %llu looks, %zu bytes",
	   (unsigned long long) compared, told.bytes);
	run(60000, slow_triangle);
	ok(compared < 60000 * 190, "and once a second: %llu looks", (unsigned long long) compared);

	run(300000, twins);
	ok(told.bytes < 40000000, "legs that are no distance: %zu bytes", told.bytes);
	is_int((long long) told.segments_count, 0, "they are nothing");
	whole = false;
	run(300000, crews);
	whole = true;
	ok(told.bytes < 100000, "drivers in turn, begun in the middle, where no place is a true one: %zu bytes", told.bytes);
	run(200000, indoors);
	ok(told.bytes < 400000, "much without a place: %zu bytes", told.bytes);
	is_int(told.segments[0].kind == REPORT_STOP ? told.segments[0].driver_count : 99, 7,
		   "the drivers of one long leg");
	is_int((long long) told.segments[0].engine_s, 200000 / 20 * 150,
		   "and its engine time");
	run(300000, mower);
	ok(told.bytes < 60000000, "a rest that never stands: %zu bytes", told.bytes);

	for (size_t count = 1023; count <= 1027; count++)
		check_median(count);
	check_median(2048);
	check_median(2049);
	check_median(3000);
	told_clear(&told);
	return done_testing();
}
