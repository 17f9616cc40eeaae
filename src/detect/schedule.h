/*
 * schedule.h
 *	  The weekly hours of a fence: from a text to spans of minutes.
 *
 * Pure C: no PostgreSQL, no clock, no time zone.  Minutes count from Monday
 * 00:00, local time of the fence.
 *
 *	  hours	= part { ';' part }
 *	  part	= days time '-' time
 *	  days	= day [ '-' day ] { ',' day [ '-' day ] }
 *	  day	= 'Mo' 'Tu' 'We' 'Th' 'Fr' 'Sa' 'Su', in any case
 *	  time	= 'HH:MM', 00:00 to 24:00
 *
 * Fr-Mo is Friday to Monday.  A span includes its first minute and not its last;
 * one whose end is not after its start ends on the next day, so 00:00-00:00 is a
 * whole day, as is 00:00-24:00.
 */
#ifndef PT621_DETECT_SCHEDULE_H
#define PT621_DETECT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_DAY		1440
#define SCHEDULE_WEEK		(7 * SCHEDULE_DAY)
#define SCHEDULE_SPANS_MAX	256

/* From a minute of the week until before another; the last span of a week may
 * end in the next one, above SCHEDULE_WEEK. */
typedef struct ScheduleSpan
{
	uint16_t	from;
	uint16_t	until;
} ScheduleSpan;

/* Spans in order, with a pause after each of them; one of all the week has none. */
typedef struct Schedule
{
	size_t		spans;
	ScheduleSpan span[SCHEDULE_SPANS_MAX];
} Schedule;

typedef struct ScheduleError
{
	size_t		at;				/* offset of the byte that does not fit */
	const char *expected;		/* what would fit there */
} ScheduleError;

/* Reads hours.  Returns false and fills *error for what is none. */
extern bool schedule_parse(const char *text, size_t size, Schedule *schedule,
						   ScheduleError *error);

/*
 * Tells for how many minutes, those up to the beginning of this one, a span has
 * been going on: -1 = none is, SCHEDULE_WEEK = for ever.
 */
extern int	schedule_since(const ScheduleSpan *span, size_t spans, int minute);

#endif							/* PT621_DETECT_SCHEDULE_H */
