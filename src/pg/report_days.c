/*
 * report_days.c
 *		Days, weeks and months of a time zone.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "pg/report_run.h"

pg_tz *
report_zone(const char *name)
{
	pg_tz	   *zone = pg_tzset(name);

	/* One that counts leap seconds has other midnights. */
	return zone && pg_tz_acceptable(zone) ? zone : NULL;
}

/* Takes a time apart in a time zone; gives seconds west of Greenwich. */
static int
take_apart(pg_tz *zone, ReportTime time, struct pg_tm *tm)
{
	fsec_t		fraction;
	int			offset;

	if (timestamp2tm(time, &offset, tm, &fraction, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return offset;
}

/*
 * When a local day, a Julian one, begins.  Where the clock skips its midnight, when
 * it does so; where midnight comes twice, at the first one, unless it is the day
 * before once more in between.
 */
static ReportTime
midnight(pg_tz *zone, int day)
{
	ReportTime	local = (ReportTime) (day - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	struct pg_tm tm = {0};
	ReportTime	time;
	int			offset;

	j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	time = local + (ReportTime) DetermineTimeZoneOffset(&tm, zone) * USECS_PER_SEC;
	offset = take_apart(zone, time - 1, &tm);
	if (date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) >= day)
		time = local + (ReportTime) offset * USECS_PER_SEC;
	return time;
}

/* The local day of a time, by the midnights. */
static int
local_day(pg_tz *zone, ReportTime time)
{
	struct pg_tm tm;
	int			day;

	take_apart(zone, time, &tm);
	day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	if (midnight(zone, day) > time)
		return day - 1;
	return midnight(zone, day + 1) <= time ? day + 1 : day;
}

ReportBucket
report_bucket(pg_tz *zone, char unit, ReportTime time)
{
	int			first = local_day(zone, time);
	int			next = first + 1;
	int			year;
	int			month;
	int			day;
	ReportBucket bucket;

	if (unit == 'w')
	{
		/* 0 = Monday */
		first -= (j2day(first) + 6) % 7;
		next = first + 7;
	}
	else if (unit == 'm')
	{
		j2date(first, &year, &month, &day);
		first -= day - 1;
		next = month == 12 ? date2j(year + 1, 1, 1) : date2j(year, month + 1, 1);
	}
	bucket.from = midnight(zone, first);
	bucket.until = midnight(zone, next);
	bucket.day = first - POSTGRES_EPOCH_JDATE;
	return bucket;
}

PG_FUNCTION_INFO_V1(pt621_known_zone);

/* pt621_known_zone(zone): the same, or UTC where it is none. */
Datum
pt621_known_zone(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);

	if (report_zone(text_to_cstring(name)) == NULL)
		name = cstring_to_text("UTC");
	PG_RETURN_TEXT_P(name);
}
