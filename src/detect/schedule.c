/*
 * schedule.c
 *	  Reads weekly hours, and finds a minute in them.
 *
 * Invariant: a text is read minute by minute into a map of the week, so that
 * parts may overlap and come in any order; the spans are what the map shows.
 */
#include "detect/schedule.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/detect is pure: it includes nothing of PostgreSQL"
#endif

/* Where reading has got to. */
typedef struct Reader
{
	const char *text;
	size_t		size;
	size_t		at;
	ScheduleError *error;
} Reader;

static bool
fail(Reader *reader, const char *expected)
{
	reader->error->at = reader->at;
	reader->error->expected = expected;
	return false;
}

static void
skip_spaces(Reader *reader)
{
	while (reader->at < reader->size &&
		   (reader->text[reader->at] == ' ' || reader->text[reader->at] == '\t'))
		reader->at++;
}

/* Takes this character if it comes next. */
static bool
take(Reader *reader, char c)
{
	skip_spaces(reader);
	if (reader->at >= reader->size || reader->text[reader->at] != c)
		return false;
	reader->at++;
	return true;
}

static bool
read_day(Reader *reader, int *day)
{
	static const char names[] = "motuwethfrsasu";

	skip_spaces(reader);
	if (reader->size - reader->at >= 2)
	{
		/* Of letters only; of other bytes it makes none of these. */
		char		first = (char) (reader->text[reader->at] | 0x20);
		char		second = (char) (reader->text[reader->at + 1] | 0x20);

		for (*day = 0; *day < 7; ++*day)
		{
			if (names[2 * *day] == first && names[2 * *day + 1] == second)
			{
				reader->at += 2;
				return true;
			}
		}
	}
	return fail(reader, "a day: Mo, Tu, We, Th, Fr, Sa or Su");
}

/* Reads days into a set of bits, Monday the lowest. */
static bool
read_days(Reader *reader, unsigned *days)
{
	*days = 0;
	do
	{
		int			from;
		int			to;

		if (!read_day(reader, &from))
			return false;
		to = from;
		if (take(reader, '-') && !read_day(reader, &to))
			return false;
		for (int day = from;; day = (day + 1) % 7)
		{
			*days |= 1u << day;
			if (day == to)
				break;
		}
	} while (take(reader, ','));
	return true;
}

static bool
read_number(Reader *reader, int *number)
{
	const char *digit = reader->text + reader->at;

	if (reader->size - reader->at < 2 || digit[0] < '0' || digit[0] > '9' ||
		digit[1] < '0' || digit[1] > '9')
		return fail(reader, "two digits");
	*number = (digit[0] - '0') * 10 + digit[1] - '0';
	reader->at += 2;
	return true;
}

static bool
read_time(Reader *reader, int *minute)
{
	size_t		begin;
	int			hours;
	int			minutes;

	skip_spaces(reader);
	begin = reader->at;
	if (!read_number(reader, &hours))
		return fail(reader, "a time, as 07:30");
	if (reader->at >= reader->size || reader->text[reader->at] != ':')
		return fail(reader, "':'");
	reader->at++;
	if (!read_number(reader, &minutes))
		return false;
	*minute = hours * 60 + minutes;
	if (minutes < 60 && *minute <= SCHEDULE_DAY)
		return true;
	reader->at = begin;
	return fail(reader, "a time from 00:00 to 24:00");
}

/* Reads one part into the map. */
static bool
read_part(Reader *reader, bool *week)
{
	unsigned	days;
	int			from;
	int			until;

	if (!read_days(reader, &days) || !read_time(reader, &from))
		return false;
	if (!take(reader, '-'))
		return fail(reader, "'-'");
	if (!read_time(reader, &until))
		return false;
	/* Twice, for one that begins at 24:00. */
	while (until <= from)
		until += SCHEDULE_DAY;
	for (int day = 0; day < 7; day++)
	{
		if (days & 1u << day)
		{
			for (int minute = from; minute < until; minute++)
				week[(day * SCHEDULE_DAY + minute) % SCHEDULE_WEEK] = true;
		}
	}
	return true;
}

/* Makes spans of the map; false when there are too many. */
static bool
make_spans(const bool *week, Schedule *schedule)
{
	int			begin = 0;

	schedule->spans = 0;
	/* A span over the end of the week is one: it begins in the old week. */
	while (week[SCHEDULE_WEEK - 1] && begin < SCHEDULE_WEEK && week[begin])
		begin++;
	if (begin == SCHEDULE_WEEK)
	{
		schedule->spans = 1;
		schedule->span[0] = (ScheduleSpan) {0, SCHEDULE_WEEK};
		return true;
	}
	for (int minute = begin; minute < SCHEDULE_WEEK;)
	{
		int			until = minute;

		while (until < SCHEDULE_WEEK + begin && week[until % SCHEDULE_WEEK])
			until++;
		if (until > minute)
		{
			if (schedule->spans == SCHEDULE_SPANS_MAX)
				return false;
			schedule->span[schedule->spans++] =
				(ScheduleSpan) {(uint16_t) minute, (uint16_t) until};
		}
		minute = until + 1;
	}
	return true;
}

bool
schedule_parse(const char *text, size_t size, Schedule *schedule,
			   ScheduleError *error)
{
	Reader		reader = {text, size, 0, error};
	bool		week[SCHEDULE_WEEK];

	memset(week, 0, sizeof(week));
	do
	{
		if (!read_part(&reader, week))
			return false;
		if (!take(&reader, ';') && reader.at < size)
			return fail(&reader, "';' or the end");
		skip_spaces(&reader);
	} while (reader.at < size);
	if (!make_spans(week, schedule))
		return fail(&reader, "fewer hours than these");
	return true;
}

int
schedule_since(const ScheduleSpan *span, size_t spans, int minute)
{
	if (spans == 1 && span[0].until - span[0].from == SCHEDULE_WEEK)
		return SCHEDULE_WEEK;
	for (size_t i = 0; i < spans; i++)
	{
		if (minute >= span[i].from && minute < span[i].until)
			return minute - span[i].from;
	}
	/* The last one may go on in the new week. */
	if (spans > 0 && minute + SCHEDULE_WEEK < span[spans - 1].until)
		return minute + SCHEDULE_WEEK - span[spans - 1].from;
	return -1;
}
