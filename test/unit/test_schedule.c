/*
 * test_schedule.c
 *		Weekly hours: what is read, what is refused, what a minute is in.
 */
#include "detect/schedule.h"

#include "tap.h"

static const char *const day_names[] = {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"};

/* Writes the spans as day and time. */
static const char *
show(const char *text)
{
	static char out[40 * SCHEDULE_SPANS_MAX];
	Schedule	schedule;
	ScheduleError error;
	size_t		used = 0;

	out[0] = '\0';
	if (!schedule_parse(text, strlen(text), &schedule, &error))
	{
		snprintf(out, sizeof(out), "%zu: %s", error.at, error.expected);
		return out;
	}
	for (size_t i = 0; i < schedule.spans; i++)
	{
		int			from = schedule.span[i].from;
		int			until = schedule.span[i].until;

		used += (size_t) snprintf(out + used, sizeof(out) - used, "%s%s %02d:%02d-%s %02d:%02d",
								  i ? ", " : "", day_names[from / SCHEDULE_DAY],
								  from % SCHEDULE_DAY / 60, from % 60,
								  day_names[until / SCHEDULE_DAY % 7],
								  until % SCHEDULE_DAY / 60, until % 60);
	}
	return out;
}

static int
since(const char *text, int day, int hour, int minute)
{
	Schedule	schedule;
	ScheduleError error;

	if (!schedule_parse(text, strlen(text), &schedule, &error))
		return -2;
	return schedule_since(schedule.span, schedule.spans,
						  day * SCHEDULE_DAY + hour * 60 + minute);
}

static void
test_spans(void)
{
	is_str(show("Mo-Fr 07:00-18:00; Sa 08:00-12:00"),
		   "Mo 07:00-Mo 18:00, Tu 07:00-Tu 18:00, We 07:00-We 18:00, Th 07:00-Th 18:00, "
		   "Fr 07:00-Fr 18:00, Sa 08:00-Sa 12:00", "working hours");
	is_str(show("Su 22:00-02:00"), "Su 22:00-Mo 02:00", "over the end of the week");
	is_str(show("Mo 00:00-01:00; Su 22:00-24:00"), "Su 22:00-Mo 01:00", "joined over the end of the week");
	is_str(show("mo,WE 08:00-09:00"), "Mo 08:00-Mo 09:00, We 08:00-We 09:00", "a list, in any case");
	is_str(show("Sa-Mo 10:00-11:00"), "Mo 10:00-Mo 11:00, Sa 10:00-Sa 11:00, Su 10:00-Su 11:00",
		   "a range over the end of the week");
	is_str(show("Mo 08:00-10:00;Mo 09:00-12:00;Mo 12:00-13:00;"), "Mo 08:00-Mo 13:00",
		   "what overlaps or adjoins is one");
	is_str(show("Tu 00:00-24:00"), "Tu 00:00-We 00:00", "24:00 ends a day");
	is_str(show("Tu 00:00-00:00"), "Tu 00:00-We 00:00", "as does 00:00");
	is_str(show("Tu 24:00-01:00"), "We 00:00-We 01:00", "24:00 begins the next one");
	is_str(show("Mo-Su 00:00-24:00"), "Mo 00:00-Mo 00:00", "always");
	is_str(show("Mo-Su 07:00-07:00"), "Mo 00:00-Mo 00:00", "always, from any time on");
	is_str(show("  Mo ,Tu - We\t 08:00 - 09:00  ; "), "Mo 08:00-Mo 09:00, Tu 08:00-Tu 09:00, We 08:00-We 09:00",
		   "spaces");
}

static void
test_errors(void)
{
	static const char *const day = "a day: Mo, Tu, We, Th, Fr, Sa or Su";
	char		expected[100];

	snprintf(expected, sizeof(expected), "0: %s", day);
	is_str(show(""), expected, "empty");
	is_str(show("Xy 07:00-08:00"), expected, "no day");
	snprintf(expected, sizeof(expected), "3: %s", day);
	is_str(show("Mo-"), expected, "half a range");
	is_str(show("Mo"), "2: a time, as 07:30", "no time");
	is_str(show("Mo 7:00-08:00"), "3: a time, as 07:30", "one digit");
	is_str(show("Mo 0700-08:00"), "5: ':'", "no colon");
	is_str(show("Mo 07:0"), "6: two digits", "half a time");
	is_str(show("Mo 07:60-08:00"), "3: a time from 00:00 to 24:00", "60 minutes");
	is_str(show("Mo 07:00-24:01"), "9: a time from 00:00 to 24:00", "after 24:00");
	is_str(show("Mo 07:00"), "8: '-'", "no end");
	is_str(show("Mo 07:00-08:00 Tu 07:00-08:00"), "15: ';' or the end", "no semicolon");
}

/* A span every four minutes. */
static void
test_many(void)
{
	static char text[30 * SCHEDULE_SPANS_MAX];
	size_t		used = 0;

	for (int i = 0; i < SCHEDULE_SPANS_MAX; i++)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "Mo %02d:%02d-%02d:%02d;",
								  4 * i / 60, 4 * i % 60, (4 * i + 1) / 60, (4 * i + 1) % 60);
	ok(strncmp(show(text), "Mo 00:00-Mo 00:01, Mo 00:04", 27) == 0, "as many spans as there may be");
	strcpy(text + used, "Tu 00:00-01:00");
	ok(strstr(show(text), "fewer hours") != NULL, "one more");
}

static void
test_since(void)
{
	is_int(since("Mo-Fr 07:00-18:00", 0, 6, 59), -1, "before");
	is_int(since("Mo-Fr 07:00-18:00", 0, 7, 0), 0, "the first minute");
	is_int(since("Mo-Fr 07:00-18:00", 4, 17, 59), 659, "the last minute");
	is_int(since("Mo-Fr 07:00-18:00", 4, 18, 0), -1, "the minute after");
	is_int(since("Mo-Fr 07:00-18:00", 5, 12, 0), -1, "another day");
	is_int(since("Sa-Su 22:00-02:00", 0, 1, 0), 180, "after midnight of Sunday");
	is_int(since("Sa-Su 22:00-02:00", 0, 2, 0), -1, "its end");
	is_int(since("Mo-Su 00:00-24:00", 3, 3, 3), SCHEDULE_WEEK, "always");
	is_int(since("Tu-Su 00:00-24:00; Mo 00:01-24:00", 0, 0, 0), -1, "the one minute of pause");
	is_int(since("Tu-Su 00:00-24:00; Mo 00:01-24:00", 6, 23, 59), SCHEDULE_WEEK - 2, "the longest there is");
}

int
main(void)
{
	test_spans();
	test_errors();
	test_many();
	test_since();
	return done_testing();
}
