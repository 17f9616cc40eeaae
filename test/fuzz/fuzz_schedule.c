/*
 * fuzz_schedule.c
 *		Weekly hours of any bytes.
 *
 * Checked: an error points into the text; spans are in order, apart from each
 * other and within their bounds; a minute is in the hours exactly when one of
 * the spans has it, and the length so far is that of the minute before and one.
 */
#include "detect/schedule.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

static void
check_spans(const Schedule *schedule)
{
	const ScheduleSpan *span = schedule->span;
	size_t		last = schedule->spans - 1;

	CHECK(schedule->spans >= 1 && schedule->spans <= SCHEDULE_SPANS_MAX);
	for (size_t i = 0; i <= last; i++)
	{
		CHECK(span[i].from < span[i].until && span[i].from < SCHEDULE_WEEK);
		CHECK(i == last || span[i].until < span[i + 1].from);
		CHECK(i == last || span[i].until < SCHEDULE_WEEK);
	}
	CHECK(span[last].until <= SCHEDULE_WEEK + span[0].from);
	CHECK(last == 0 || span[last].until < SCHEDULE_WEEK + span[0].from);
}

static void
check_minutes(const Schedule *schedule)
{
	int			before = schedule_since(schedule->span, schedule->spans, SCHEDULE_WEEK - 1);

	for (int minute = 0; minute < SCHEDULE_WEEK; minute++)
	{
		int			since = schedule_since(schedule->span, schedule->spans, minute);
		bool		in = false;

		for (size_t i = 0; i < schedule->spans; i++)
		{
			const ScheduleSpan *span = &schedule->span[i];

			in |= minute >= span->from && minute < span->until;
			in |= minute + SCHEDULE_WEEK >= span->from && minute + SCHEDULE_WEEK < span->until;
		}
		CHECK(in == (since >= 0));
		CHECK(since <= 0 || since == SCHEDULE_WEEK || since == before + 1);
		CHECK(since != 0 || before < 0);
		before = since;
	}
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = malloc(size > 0 ? size : 1);
	Schedule	schedule;
	ScheduleError error;

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (schedule_parse(copy, size, &schedule, &error))
	{
		check_spans(&schedule);
		check_minutes(&schedule);
	}
	else
		CHECK(error.at <= size && error.expected != NULL);
	free(copy);
	return 0;
}
