/*
 * report_world.h
 *		Runs a report over fixes and keeps what it tells.  Shared by the unit tests
 *		and the fuzz target.
 *
 * Invariant: whatever is told is checked for what is true of any report: nothing
 * overlaps, nothing has a hole, nothing comes too late.
 */
#ifndef PT621_REPORT_WORLD_H
#define PT621_REPORT_WORLD_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"

#define S(seconds)	((int64_t) llround((seconds) * 1e6))

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* What a report told. */
typedef struct Told
{
	ReportSegment *segments;
	size_t		segments_count;
	size_t		segments_room;
	ReportSlice *slices;
	size_t		slices_count;
	size_t		slices_room;
	ReportInterval *intervals;
	size_t		intervals_count;
	size_t		intervals_room;
	ReportManner *manners;
	size_t		manners_count;
	size_t		manners_room;
	ReportTime	last[REPORT_DRIVER + 1];	/* end of the last interval of a kind */
	bool		days;			/* days end, every DAY_S */
	void	   *blocks[4096];	/* of memory */
	size_t		sizes[4096];
	size_t		blocks_count;
	size_t		bytes;			/* of memory, in all */
} Told;

#define DAY_S	86400

#define TOLD_ADD(told, what, item) \
	do \
	{ \
		if ((told)->what##_count == (told)->what##_room) \
		{ \
			(told)->what##_room = (told)->what##_room * 2 + 64; \
			(told)->what = realloc((told)->what, (told)->what##_room * sizeof((told)->what[0])); \
		} \
		(told)->what[(told)->what##_count++] = *(item); \
	} while (0)

static void
told_segment(void *arg, const ReportSegment *segment)
{
	Told	   *told = arg;

	CHECK(segment->from < segment->until);
	CHECK(segment->places >= 2 && segment->metres >= 0);
	CHECK(segment->engine_s >= 0 && segment->idle_s >= 0);
	CHECK(segment->engine_s <= (double) (segment->until - segment->from) / 1e6);
	CHECK(segment->idle_s <= segment->engine_s);
	CHECK(segment->driver_count <= REPORT_DRIVERS_MAX);
	if (told->segments_count > 0)
	{
		const ReportSegment *before = &told->segments[told->segments_count - 1];

		CHECK(before->until <= segment->from && !before->ongoing);
		CHECK(!(before->kind == REPORT_STOP && segment->kind == REPORT_STOP));
		CHECK(!(before->kind == REPORT_TRIP && segment->kind == REPORT_TRIP));
		/* What is nothing lies beside an unobserved leg. */
		CHECK(before->until == segment->from || before->kind == REPORT_UNOBSERVED);
	}
	TOLD_ADD(told, segments, segment);
}

static void
told_slice(void *arg, const ReportSlice *slice)
{
	Told	   *told = arg;

	CHECK(slice->from < slice->until && slice->metres >= 0);
	CHECK(told->slices_count == 0 || told->slices[told->slices_count - 1].until <= slice->from);
	TOLD_ADD(told, slices, slice);
}

static void
told_interval(void *arg, const ReportInterval *interval)
{
	Told	   *told = arg;

	CHECK(interval->from <= interval->until);
	CHECK(interval->from >= told->last[interval->what]);
	CHECK((interval->driver > 0) == (interval->what == REPORT_DRIVER));
	told->last[interval->what] = interval->until;
	TOLD_ADD(told, intervals, interval);
}

static void
told_manner(void *arg, const ReportManner *manner)
{
	CHECK(manner->ms2 > 0);
	TOLD_ADD((Told *) arg, manners, manner);
}

static ReportTime
told_day_end(void *arg, ReportTime time)
{
	int64_t		day = S(DAY_S);
	int64_t		into = (time % day + day) % day;

	if (!((Told *) arg)->days || time > INT64_MAX - day)
		return REPORT_ENDLESS;
	return time - into + day;
}

static void *
told_grow(void *arg, void *old, size_t size)
{
	Told	   *told = arg;
	size_t		i = 0;

	while (i < told->blocks_count && told->blocks[i] != old)
		i++;
	if (i == told->blocks_count)
	{
		CHECK(old == NULL && i < sizeof(told->blocks) / sizeof(told->blocks[0]));
		told->sizes[i] = 0;
		told->blocks_count++;
	}
	CHECK(size > told->sizes[i]);
	told->bytes += size - told->sizes[i];
	told->sizes[i] = size;
	told->blocks[i] = realloc(old, size);
	return told->blocks[i];
}

static void
told_clear(Told *told)
{
	bool		days = told->days;

	for (size_t i = 0; i < told->blocks_count; i++)
		free(told->blocks[i]);
	free(told->segments);
	free(told->slices);
	free(told->intervals);
	free(told->manners);
	memset(told, 0, sizeof(*told));
	told->days = days;
	for (int i = 0; i <= REPORT_DRIVER; i++)
		told->last[i] = REPORT_NO_TIME;
}

__attribute__((unused))
static ReportSink
told_sink(Told *told)
{
	return (ReportSink) {
		told, told_segment, told_slice, told_interval, told_manner, told_day_end, told_grow
	};
}

/* Feeds fixes; checks that nothing is told of what was said to be told already. */
__attribute__((unused))
static void
told_feed(Told *told, Report *report, const ReportFix *fixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		size_t		segments = told->segments_count;
		size_t		slices = told->slices_count;
		size_t		intervals = told->intervals_count;
		ReportTime	since = report_open_since(report);
		ReportTime	until = report_told_until(report);

		report_step(report, &fixes[i]);
		CHECK(report_open_since(report) >= since);
		for (; segments < told->segments_count; segments++)
			CHECK(told->segments[segments].from >= since);
		for (; slices < told->slices_count; slices++)
			CHECK(told->slices[slices].from >= until);
		for (; intervals < told->intervals_count; intervals++)
			CHECK(told->intervals[intervals].from >= until);
	}
}

/* Runs a report over all fixes of a track. */
__attribute__((unused))
static void
told_run(Told *told, const ReportOptions *options, const ReportFix *fixes, size_t count)
{
	ReportSink	sink;
	Report	   *report;

	told_clear(told);
	sink = told_sink(told);
	report = report_new(options, &sink, true);
	told_feed(told, report, fixes, count);
	report_end(report, true);
}

/*
 * Runs one that begins in the middle, and notes in *settled after which fix it says
 * that it is settled; returns whether it does before the last one.
 */
__attribute__((unused))
static bool
told_run_from(Told *told, const ReportOptions *options, const ReportFix *fixes, size_t count,
			  ReportTime *settled)
{
	ReportSink	sink;
	Report	   *report;
	size_t		i = 0;

	told_clear(told);
	sink = told_sink(told);
	report = report_new(options, &sink, false);
	while (i < count && !report_settled(report))
		told_feed(told, report, &fixes[i++], 1);
	if (i == count)
		return false;
	*settled = fixes[i - 1].time;
	told_feed(told, report, &fixes[i], count - i);
	report_end(report, true);
	return true;
}

static bool
same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static bool
same_segment(const ReportSegment *a, const ReportSegment *b)
{
	return a->kind == b->kind && a->from == b->from && a->until == b->until &&
		a->from_unknown == b->from_unknown && a->ongoing == b->ongoing &&
		a->from_lon == b->from_lon && a->from_lat == b->from_lat &&
		a->until_lon == b->until_lon && a->until_lat == b->until_lat &&
		a->metres == b->metres && same_number(a->top_kmh, b->top_kmh) &&
		a->engine_s == b->engine_s && a->idle_s == b->idle_s &&
		a->carried_s == b->carried_s && a->carried_metres == b->carried_metres &&
		same_number(a->odometer_m, b->odometer_m) && a->places == b->places &&
		a->driver_count == b->driver_count &&
		memcmp(a->drivers, b->drivers, a->driver_count * sizeof(a->drivers[0])) == 0;
}

static bool
same_slice(const ReportSlice *a, const ReportSlice *b)
{
	return a->kind == b->kind && a->from == b->from && a->until == b->until &&
		a->metres == b->metres && same_number(a->odometer_m, b->odometer_m) &&
		a->carried == b->carried && same_number(a->top_kmh, b->top_kmh);
}

/* Of an interval that began before, only what is of it since then counts. */
static bool
same_interval(const ReportInterval *a, const ReportInterval *b, ReportTime since)
{
	return a->what == b->what && a->until == b->until && a->driver == b->driver &&
		a->ongoing == b->ongoing && a->silent == b->silent &&
		(a->from == b->from || (a->from <= since && b->from <= since));
}

static bool
same_manner(const ReportManner *a, const ReportManner *b)
{
	return a->what == b->what && a->at == b->at && a->lon == b->lon && a->lat == b->lat &&
		a->ms2 == b->ms2 && a->speed_kmh == b->speed_kmh;
}

/* Tells whether two lists are the same after a time; where they are not, prints it. */
#define SAME_AFTER(what, time_of, same) \
	do \
	{ \
		size_t		i = 0; \
		size_t		j = 0; \
 \
		for (;;) \
		{ \
			while (i < a->what##_count && a->what[i].time_of <= since) \
				i++; \
			while (j < b->what##_count && b->what[j].time_of <= since) \
				j++; \
			if (i == a->what##_count || j == b->what##_count) \
				break; \
			if (!(same)) \
			{ \
				printf("# " #what " %zu and %zu differ\n", i, j); \
				return false; \
			} \
			i++; \
			j++; \
		} \
		if (i != a->what##_count || j != b->what##_count) \
		{ \
			printf("# " #what " %zu of %zu and %zu of %zu\n", i, a->what##_count, j, b->what##_count); \
			return false; \
		} \
	} while (0)

/* Tells whether two reports say the same of what is after a time. */
__attribute__((unused))
static bool
told_same_after(const Told *a, const Told *b, ReportTime since)
{
	SAME_AFTER(segments, from, same_segment(&a->segments[i], &b->segments[j]));
	SAME_AFTER(slices, until, same_slice(&a->slices[i], &b->slices[j]));
	SAME_AFTER(intervals, until, same_interval(&a->intervals[i], &b->intervals[j], since));
	SAME_AFTER(manners, at, same_manner(&a->manners[i], &b->manners[j]));
	return true;
}

#endif							/* PT621_REPORT_WORLD_H */
