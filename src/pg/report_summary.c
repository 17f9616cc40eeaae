/*
 * report_summary.c
 *		What trackers did by day, week or month, as rows.
 *
 * Invariant.  Buckets do not overlap, and each moment and leg is in those that it
 * lies in: sums of buckets are the sums of the period.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/report_run.h"

/* A tracker that was silent for longer than this is one whose time is wrong. */
#define BUCKETS_MAX		1000000

/* Columns of pt621_report_summary(). */
enum
{
	SUMMARY_DEVICE_ID, SUMMARY_DAY, SUMMARY_STARTED_AT, SUMMARY_ENDED_AT, SUMMARY_METRES,
	SUMMARY_TRIPS, SUMMARY_STOPS, SUMMARY_DRIVE_S, SUMMARY_STOPPED_S, SUMMARY_UNOBSERVED_S,
	SUMMARY_CARRIED_S, SUMMARY_CARRIED_METRES, SUMMARY_ENGINE_S, SUMMARY_IDLE_S, SUMMARY_TOP_KMH,
	SUMMARY_MEAN_KMH, SUMMARY_ODOMETER_M, SUMMARY_FIRST_FIX, SUMMARY_LAST_FIX, SUMMARY_FIRST_GEOM,
	SUMMARY_LAST_GEOM,
	SUMMARY_COLUMNS
};

typedef struct Bucket
{
	ReportTime	from;			/* cut to the period */
	ReportTime	until;
	int32		day;
	int32		trips;
	int32		stops;
	double		metres;
	double		drive_s;
	double		stopped_s;
	double		unobserved_s;
	double		carried_s;
	double		carried_metres;
	double		engine_s;
	double		idle_s;
	double		top_kmh;		/* NAN = not said */
	double		odometer_m;		/* NAN = not said */
	ReportTime	first;			/* of fixes; REPORT_NO_TIME = none */
	ReportTime	last;
	double		first_lon;
	double		first_lat;
	double		last_lon;
	double		last_lat;
} Bucket;

typedef struct Summary
{
	char		unit;			/* as of report_bucket(); a = all */
	Bucket	   *buckets;		/* of the tracker at hand, in order of time */
	uint32		count;
	uint32		room;
	uint32		latest;			/* found last */
	ReportKind	kind;			/* of the last slice */
} Summary;

/* Makes the bucket of a time, which the bucket at `place` comes after. */
static Bucket *
make_bucket(ReportRun *run, Summary *summary, ReportTime time, uint32 place)
{
	ReportBucket cut = {.from = run->low,.until = run->high};
	Bucket	   *bucket;

	if (summary->unit != 'a')
		cut = report_bucket(run->zone, summary->unit, time);
	else if (run->low != REPORT_NO_TIME)
		cut.day = report_bucket(run->zone, 'd', run->low).day;
	if (summary->count == BUCKETS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tracker %d has more than %d days, weeks or months to sum up",
						run->device_id, BUCKETS_MAX),
				 errhint("Give a period.")));
	if (summary->count == summary->room)
	{
		summary->room = Max(summary->room * 2, 32);
		summary->buckets = run->sink.grow(run, summary->buckets, summary->room * sizeof(Bucket));
	}
	bucket = &summary->buckets[place];
	memmove(bucket + 1, bucket, (summary->count - place) * sizeof(Bucket));
	summary->count++;
	*bucket = (Bucket)
	{
		.from = Max(cut.from, run->low),.until = Min(cut.until, run->high),.day = cut.day,
			.top_kmh = NAN,.odometer_m = NAN,.first = REPORT_NO_TIME
	};
	return bucket;
}

/* Finds the bucket of a time of the period; makes it if there is none. */
static Bucket *
find_bucket(ReportRun *run, ReportTime time)
{
	Summary    *summary = run->arg;
	uint32		low = 0;
	uint32		high = summary->count;

	/* Most come in order. */
	if (summary->latest < summary->count && time >= summary->buckets[summary->latest].from)
	{
		low = summary->latest;
		if (time < summary->buckets[low].until)
			return &summary->buckets[low];
	}
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (summary->buckets[middle].until <= time)
			low = middle + 1;
		else
			high = middle;
	}
	summary->latest = low;
	if (low < summary->count && summary->buckets[low].from <= time)
		return &summary->buckets[low];
	return make_bucket(run, summary, time, low);
}

static void
summary_begin(ReportRun *run)
{
	Summary    *summary = run->arg;

	summary->buckets = NULL;
	summary->count = summary->room = summary->latest = 0;
	summary->kind = REPORT_NOTHING;
}

static void
summary_record(ReportRun *run, const ReportFix *fix)
{
	Bucket	   *bucket = find_bucket(run, fix->time);

	/* Of fixes of one time the first one counts. */
	if (isnan(fix->lon) || (bucket->first != REPORT_NO_TIME && fix->time == bucket->last))
		return;
	if (bucket->first == REPORT_NO_TIME)
	{
		bucket->first = fix->time;
		bucket->first_lon = fix->lon;
		bucket->first_lat = fix->lat;
	}
	bucket->last = fix->time;
	bucket->last_lon = fix->lon;
	bucket->last_lat = fix->lat;
}

/* Adds a part of a slice to a bucket. */
static void
add_slice(Bucket *bucket, const ReportSlice *slice, double part)
{
	double		seconds = part * report_seconds(slice->from, slice->until);

	if (!isnan(slice->odometer_m))
		bucket->odometer_m = (isnan(bucket->odometer_m) ? 0 : bucket->odometer_m) + part * slice->odometer_m;
	if (slice->kind == REPORT_UNOBSERVED)
		bucket->unobserved_s += seconds;
	else if (slice->kind != REPORT_TRIP)
		bucket->stopped_s += seconds;
	else
	{
		bucket->metres += part * slice->metres;
		if (slice->carried)
			bucket->carried_metres += part * slice->metres;
		*(slice->carried ? &bucket->carried_s : &bucket->drive_s) += seconds;
	}
}

static void
summary_slice(void *arg, const ReportSlice *slice)
{
	ReportRun  *run = arg;
	Summary    *summary = run->arg;
	ReportTime	until = Min(slice->until, run->high);
	ReportTime	next;
	Bucket	   *bucket;

	if (slice->kind != summary->kind && report_in_period(run, slice->from))
	{
		bucket = find_bucket(run, slice->from);
		bucket->trips += slice->kind == REPORT_TRIP;
		bucket->stops += slice->kind == REPORT_STOP;
	}
	summary->kind = slice->kind;
	for (ReportTime time = Max(slice->from, run->low); time < until; time = next)
	{
		CHECK_FOR_INTERRUPTS();
		bucket = find_bucket(run, time);
		next = Min(until, bucket->until);
		add_slice(bucket, slice, (double) (next - time) / (double) (slice->until - slice->from));
	}
	if (slice->kind == REPORT_TRIP && report_in_period(run, slice->until) && !isnan(slice->top_kmh))
	{
		bucket = find_bucket(run, slice->until);
		bucket->top_kmh = fmax(bucket->top_kmh, slice->top_kmh);
	}
}

static void
summary_interval(void *arg, const ReportInterval *interval)
{
	ReportRun  *run = arg;
	ReportTime	until = Min(interval->until, run->high);
	ReportTime	next;

	for (ReportTime time = Max(interval->from, run->low); time < until; time = next)
	{
		Bucket	   *bucket = find_bucket(run, time);

		CHECK_FOR_INTERRUPTS();
		next = Min(until, bucket->until);
		if (interval->what == REPORT_ENGINE)
			bucket->engine_s += report_seconds(time, next);
		else if (interval->what == REPORT_IDLE)
			bucket->idle_s += report_seconds(time, next);
	}
}

static void
put_bucket(ReportRun *run, const Bucket *bucket)
{
	Row		   *row = run->rows.row;

	row_start(row);
	row_set(row, SUMMARY_DEVICE_ID, Int32GetDatum(run->device_id));
	if (bucket->from != REPORT_NO_TIME || ((Summary *) run->arg)->unit != 'a')
		row_set(row, SUMMARY_DAY, DateADTGetDatum(bucket->day));
	row_set(row, SUMMARY_STARTED_AT, TimestampTzGetDatum(bucket->from));
	row_set(row, SUMMARY_ENDED_AT, TimestampTzGetDatum(bucket->until));
	report_put_number(row, SUMMARY_METRES, bucket->metres);
	row_set(row, SUMMARY_TRIPS, Int32GetDatum(bucket->trips));
	row_set(row, SUMMARY_STOPS, Int32GetDatum(bucket->stops));
	report_put_number(row, SUMMARY_DRIVE_S, bucket->drive_s);
	report_put_number(row, SUMMARY_STOPPED_S, bucket->stopped_s);
	report_put_number(row, SUMMARY_UNOBSERVED_S, bucket->unobserved_s);
	report_put_number(row, SUMMARY_CARRIED_S, bucket->carried_s);
	report_put_number(row, SUMMARY_CARRIED_METRES, bucket->carried_metres);
	/* Before the ignition was first on there may have been no wire. */
	if (run->wired_since < bucket->until)
	{
		report_put_number(row, SUMMARY_ENGINE_S, bucket->engine_s);
		report_put_number(row, SUMMARY_IDLE_S, bucket->idle_s);
	}
	row_real(row, SUMMARY_TOP_KMH, bucket->top_kmh);
	if (bucket->drive_s > 0)
		report_put_number(row, SUMMARY_MEAN_KMH,
						  (bucket->metres - bucket->carried_metres) / bucket->drive_s * 3.6);
	report_put_number(row, SUMMARY_ODOMETER_M, bucket->odometer_m);
	if (bucket->first != REPORT_NO_TIME)
	{
		row_set(row, SUMMARY_FIRST_FIX, TimestampTzGetDatum(bucket->first));
		row_set(row, SUMMARY_LAST_FIX, TimestampTzGetDatum(bucket->last));
		row_point(row, SUMMARY_FIRST_GEOM, bucket->first_lon, bucket->first_lat);
		row_point(row, SUMMARY_LAST_GEOM, bucket->last_lon, bucket->last_lat);
	}
	row_emit(&run->rows);
}

static void
summary_end(ReportRun *run)
{
	Summary    *summary = run->arg;

	for (uint32 i = 0; i < summary->count; i++)
		put_bucket(run, &summary->buckets[i]);
}

static char
read_unit(FunctionCallInfo fcinfo, int argument)
{
	static const char *const units[] = {"day", "week", "month", "all"};
	char	   *by = PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));

	for (Size i = 0; by && i < lengthof(units); i++)
	{
		if (strcmp(by, units[i]) == 0)
			return units[i][0];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a summary is by day, week, month or all, not by %s", by ? by : "NULL")));
}

static pg_tz *
read_zone(FunctionCallInfo fcinfo, int argument)
{
	char	   *name = PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
	pg_tz	   *zone = name ? report_zone(name) : NULL;

	if (name && zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", name),
				 errhint("The view pg_timezone_names has the names, such as Europe/Berlin.")));
	return zone;
}

PG_FUNCTION_INFO_V1(pt621_report_summary);

/* pt621_report_summary(devices, period, by, time_zone, stop_radius_m, rest_after,
 * min_stop, max_gap, use_ignition) */
Datum
pt621_report_summary(PG_FUNCTION_ARGS)
{
	ReportRun	run;
	Summary		summary = {0};
	bool		any = report_run_open(&run, fcinfo, SUMMARY_COLUMNS, SUMMARY_LAST_GEOM);

	summary.unit = read_unit(fcinfo, 2);
	run.all_zones = read_zone(fcinfo, 3);
	report_stop_options(&run, fcinfo, 4);
	run.goal = REPORT_MOMENTS;
	run.silent = true;
	run.days = true;
	run.sink.slice = summary_slice;
	run.sink.interval = summary_interval;
	run.begin = summary_begin;
	run.record = summary_record;
	run.end = summary_end;
	run.arg = &summary;
	if (any)
		report_run(&run);
	return (Datum) 0;
}
