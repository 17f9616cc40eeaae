/*
 * report_args.c
 *		Arguments of reports, and values of their columns.
 */
#include "postgres.h"

#include <math.h>

#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "pg/report_run.h"

/* So that sums of times do not overflow: longer than any track. */
#define DAYS_MAX	INT64CONST(100000)

static void
require(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of a report is NULL", name),
				 errhint("Leave it out for its default.")));
}

double
report_read_number(FunctionCallInfo fcinfo, int argument, const char *name, double most)
{
	double		value;

	require(fcinfo, argument, name);
	value = PG_GETARG_FLOAT8(argument);
	if (!(value > 0 && value <= most))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of a report is out of range: %g", name, value),
				 errhint("It is more than 0 and at most %g.", most)));
	return value;
}

int64
report_read_span(FunctionCallInfo fcinfo, int argument, const char *name, int64 least, int64 most)
{
	const Interval *interval;
	int64		days;
	int64		span;

	require(fcinfo, argument, name);
	interval = PG_GETARG_INTERVAL_P(argument);
	/* As where intervals are compared. */
	days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	days = Max(Min(days, DAYS_MAX), -DAYS_MAX);
	span = days * USECS_PER_DAY + Max(Min(interval->time, DAYS_MAX * USECS_PER_DAY), -DAYS_MAX * USECS_PER_DAY);
	if (span < least || span > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of a report is out of range", name),
				 errhint("It is %lld to %lld seconds.", (long long) (least / USECS_PER_SEC),
						 (long long) (most / USECS_PER_SEC))));
	return span;
}

bool
report_read_flag(FunctionCallInfo fcinfo, int argument, const char *name)
{
	require(fcinfo, argument, name);
	return PG_GETARG_BOOL(argument);
}

void
report_stop_options(ReportRun *run, FunctionCallInfo fcinfo, int first)
{
	ReportOptions *options = &run->options;

	options->stop_radius_m = report_read_number(fcinfo, first, "stop_radius_m", 100000);
	options->rest_after = report_read_span(fcinfo, first + 1, "rest_after", USECS_PER_SEC, USECS_PER_DAY);
	options->min_stop = report_read_span(fcinfo, first + 2, "min_stop", 0, 3650 * USECS_PER_DAY);
	options->max_gap = report_read_span(fcinfo, first + 3, "max_gap", 0, 3650 * USECS_PER_DAY);
	options->use_ignition = report_read_flag(fcinfo, first + 4, "use_ignition");
}

/* Reads the period as [low, high); false: it is empty. */
static bool
read_period(ReportRun *run, RangeType *range)
{
	TypeCacheEntry *type = lookup_type_cache(RangeTypeGetOid(range), TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(type, range, &lower, &upper, &empty);
	if (empty || (!lower.infinite && TIMESTAMP_IS_NOEND(DatumGetTimestampTz(lower.val))))
		return false;
	if (!lower.infinite && !TIMESTAMP_IS_NOBEGIN(DatumGetTimestampTz(lower.val)))
		run->low = DatumGetTimestampTz(lower.val) + (lower.inclusive ? 0 : 1);
	if (!upper.infinite && !TIMESTAMP_IS_NOEND(DatumGetTimestampTz(upper.val)))
		run->high = DatumGetTimestampTz(upper.val) + (upper.inclusive ? 1 : 0);
	return run->low < run->high;
}

bool
report_read_arguments(ReportRun *run, FunctionCallInfo fcinfo)
{
	run->devices = PG_ARGISNULL(0) ? NULL : PG_GETARG_ARRAYTYPE_P(0);
	run->low = REPORT_NO_TIME;
	run->high = REPORT_ENDLESS;
	return PG_ARGISNULL(1) || read_period(run, PG_GETARG_RANGE_P(1));
}

void
report_put_time(Row *row, int column, ReportTime time)
{
	if (time != REPORT_NO_TIME)
		row_set(row, column, TimestampTzGetDatum(time));
}

void
report_put_number(Row *row, int column, double value)
{
	if (!isnan(value))
		row_set(row, column, Float8GetDatum(value));
}
