/*
 * geofence_hours.c
 *		Weekly hours on the clock of a place.
 *
 * Invariant: a time is in the hours exactly when the local minute that it falls
 * into is.  Where clocks are put forward or back, that alone decides.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/geofence_private.h"

/*
 * What does not read was refused when it was stored, so this is of another
 * release's time zones, or written past the triggers: rather a fence with other
 * hours than none at all.
 */
FenceHours *
fence_hours_new(MemoryContext context, const char *schedule, size_t size,
				const char *zone, int32 id)
{
	Schedule   *parsed = palloc(sizeof(Schedule));
	ScheduleError error;
	FenceHours *hours = NULL;

	if (!schedule_parse(schedule, size, parsed, &error))
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hours of geofence %d do not read, so it is active at any time", id),
				 errdetail("At character %zu: %s is expected.", error.at + 1, error.expected)));
	else
	{
		hours = MemoryContextAlloc(context, offsetof(FenceHours, span) +
								   parsed->spans * sizeof(ScheduleSpan));
		hours->spans = parsed->spans;
		memcpy(hours->span, parsed->span, parsed->spans * sizeof(ScheduleSpan));
		hours->zone = pg_tzset(zone);
		if (hours->zone == NULL)
		{
			ereport(WARNING,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("time zone of geofence %d is not known: \"%s\"; its hours are taken as UTC",
							id, zone)));
			hours->zone = pg_tzset("GMT");
		}
	}
	pfree(parsed);
	return hours;
}

/* Seconds since 1970, and the microseconds above. */
static pg_time_t
split_time(TimestampTz time, int64 *above)
{
	int64		seconds = time / USECS_PER_SEC;

	*above = time - seconds * USECS_PER_SEC;
	if (*above < 0)
	{
		*above += USECS_PER_SEC;
		seconds--;
	}
	return (pg_time_t) seconds +
		(pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

/*
 * For how long a span has been going on at this time if the clock was not
 * changed meanwhile; -1 = none is, DT_NOEND = for ever.
 */
static int64
elapsed(const FenceHours *hours, TimestampTz time)
{
	int64		above;
	pg_time_t	seconds = split_time(time, &above);
	struct pg_tm *local;
	int			minutes;

	if (TIMESTAMP_NOT_FINITE(time))
		return -1;
	local = pg_localtime(&seconds, hours->zone);
	if (local == NULL)
		return -1;
	minutes = schedule_since(hours->span, hours->spans,
							 (local->tm_wday + 6) % 7 * SCHEDULE_DAY +
							 local->tm_hour * MINS_PER_HOUR + local->tm_min);
	if (minutes == SCHEDULE_WEEK)
		return DT_NOEND;
	if (minutes < 0)
		return -1;
	return ((int64) minutes * SECS_PER_MINUTE + local->tm_sec) * USECS_PER_SEC + above;
}

bool
fence_hours_include(const FenceHours *hours, TimestampTz time)
{
	return elapsed(hours, time) >= 0;
}

/* Finds the last change of the clock after `since` and not after `until`. */
static bool
last_change(const pg_tz *zone, TimestampTz since, TimestampTz until, TimestampTz *change)
{
	int64		above;
	pg_time_t	at = split_time(since, &above);
	pg_time_t	last = split_time(until, &above);
	bool		found = false;

	for (;;)
	{
		long int	before_offset;
		long int	after_offset;
		int			before_dst;
		int			after_dst;
		pg_time_t	next;

		if (pg_next_dst_boundary(&at, &before_offset, &before_dst, &next,
								 &after_offset, &after_dst, zone) != 1 || next > last)
			return found;
		*change = (TimestampTz) (next - (pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY) *
			USECS_PER_SEC;
		found = true;
		at = next;
	}
}

/*
 * Gives since when the hours have been going on at a time that they include;
 * DT_NOBEGIN for ever.
 */
TimestampTz
fence_hours_since(const FenceHours *hours, TimestampTz time)
{
	for (;;)
	{
		int64		length = elapsed(hours, time);
		TimestampTz change;

		if (length == DT_NOEND)
			return DT_NOBEGIN;
		if (length < 0)
			return time;
		if (!last_change(hours->zone, time - length, time, &change))
			return time - length;
		/* Before it the clock showed something else. */
		if (elapsed(hours, change - 1) < 0)
			return change;
		time = change - 1;
	}
}
