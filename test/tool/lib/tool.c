/*
 * tool.c
 *		Messages, numbers, times, clocks and chance of the tools.
 */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define US_A_SECOND		INT64_C(1000000)
#define SHOW_TERMINAL_NS	NS_A_SECOND
#define SHOW_LOG_NS			(10 * NS_A_SECOND)

const char *tool_name = "pt621";
volatile bool tool_stopped;

void
tool_fail(int status, const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(status);
}

void *
tool_alloc(void *old, size_t size)
{
	void	   *memory = realloc(old, size);

	if (memory == NULL && size > 0)
		tool_fail(STATUS_UNSENT, "out of memory");
	return memory;
}

bool
tool_number(const char *text, double min, double max, double *value)
{
	char	   *end;

	/* strtod() would also take blanks, hexadecimal, "inf" and "nan". */
	if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
		return false;
	errno = 0;
	*value = strtod(text, &end);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

/* Reads `count` digits at *at and moves on; -1 when there are none. */
static int
digits(const char **at, const char *end, int count)
{
	int			value = 0;

	if (end - *at < count)
		return -1;
	for (int i = 0; i < count; i++, (*at)++)
	{
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

/* Takes one character, when it is there. */
static bool
take(const char **at, const char *end, char wanted)
{
	if (*at == end || **at != wanted)
		return false;
	(*at)++;
	return true;
}

/* Counts the days from 1970-01-01 to a date. */
static int64_t
days_to(int year, int month, int day)
{
	/* Years that begin in March have their leap day at the end. */
	int64_t		y = month > 2 ? year : year - 1;
	int64_t		m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

void
tool_date(int64_t days, int *year, int *month, int *day)
{
	int64_t		guess = (days * 400) / 146097 + 1970;

	while (days_to((int) guess + 1, 1, 1) <= days)
		guess++;
	while (days_to((int) guess, 1, 1) > days)
		guess--;
	*year = (int) guess;
	for (*month = 12; days_to(*year, *month, 1) > days; (*month)--)
		;
	*day = (int) (days - days_to(*year, *month, 1)) + 1;
}

/* Reads the offset of a time, "Z", "+01", "-03:30"; none is UTC. */
static bool
read_offset(const char *at, const char *end, int64_t *us)
{
	int			sign = 1;
	int			hours;
	int			minutes = 0;

	*us = 0;
	if (at == end || (take(&at, end, 'Z') && at == end))
		return true;
	if (take(&at, end, '-'))
		sign = -1;
	else if (!take(&at, end, '+'))
		return false;
	hours = digits(&at, end, 2);
	if (at < end)
	{
		take(&at, end, ':');
		minutes = digits(&at, end, 2);
	}
	*us = sign * (hours * INT64_C(3600) + minutes * INT64_C(60)) * US_A_SECOND;
	return hours >= 0 && minutes >= 0 && at == end;
}

/* Reads "2024-03-15 12:00:00[.25][offset]". */
static bool
read_iso(const char *at, const char *end, int64_t *us)
{
	int			year = digits(&at, end, 4);
	int			month = take(&at, end, '-') ? digits(&at, end, 2) : -1;
	int			day = take(&at, end, '-') ? digits(&at, end, 2) : -1;
	int			hour = take(&at, end, 'T') || take(&at, end, ' ') ? digits(&at, end, 2) : -1;
	int			minute = take(&at, end, ':') ? digits(&at, end, 2) : -1;
	int			second = take(&at, end, ':') ? digits(&at, end, 2) : -1;
	int64_t		weight = US_A_SECOND / 10;
	int64_t		fraction = 0;
	int64_t		offset;
	int			real_year;
	int			real_month;
	int			real_day;

	if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	if (take(&at, end, '.'))
	{
		for (; at < end && *at >= '0' && *at <= '9'; at++, weight /= 10)
			fraction += (*at - '0') * weight;
	}
	if (!read_offset(at, end, &offset))
		return false;
	/* The 30th of February is none. */
	tool_date(days_to(year, month, day), &real_year, &real_month, &real_day);
	if (real_month != month)
		return false;
	*us = (days_to(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) *
		US_A_SECOND + fraction - offset;
	return true;
}

bool
tool_time(const char *text, size_t size, int64_t *us)
{
	char		copy[40];
	double		seconds;

	if (size > 4 && memchr(text, ':', size))
		return read_iso(text, text + size, us);
	if (size >= sizeof(copy))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (!tool_number(copy, -1e11, 1e11, &seconds))
		return false;
	*us = (int64_t) llround(seconds * 1e6);
	return true;
}

/* Returns the time of a clock in nanoseconds. */
static int64_t
clock_read(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t) now.tv_sec * NS_A_SECOND + now.tv_nsec;
}

int64_t
tool_wall_ms(void)
{
	return clock_read(CLOCK_REALTIME) / 1000000;
}

int64_t
tool_clock_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t
tool_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur == RLIM_INFINITY ? INT32_MAX : (int64_t) limit.rlim_cur;
}

/* Takes a signal in; the loops look at tool_stopped. */
static void
stop(int signal_number)
{
	(void) signal_number;
	/* A second signal ends the program at once. */
	if (tool_stopped)
		_exit(STATUS_UNSENT);
	tool_stopped = true;
}

void
tool_catch_signals(void)
{
	struct sigaction action = {0};

	action.sa_handler = stop;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ------------------------------------------------------------- chance -- */

/* The generator "splitmix64": a counter, and a function that mixes its bits. */
uint64_t
chance_bits(Chance *chance)
{
	uint64_t	z = (chance->state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

void
chance_start(Chance *chance, uint64_t seed, uint64_t stream)
{
	chance->state = seed;
	/* Seeds and streams that are neighbours must not share their numbers. */
	chance->state = chance_bits(chance) ^ (stream * UINT64_C(0xD1342543DE82EF95));
	chance->state = chance_bits(chance);
}

uint32_t
chance_below(Chance *chance, uint32_t below)
{
	return (uint32_t) (((chance_bits(chance) >> 32) * below) >> 32);
}

double
chance_real(Chance *chance)
{
	return (double) (chance_bits(chance) >> 11) * 0x1.0p-53;
}

bool
chance_hit(Chance *chance, double probability)
{
	return chance_real(chance) < probability;
}

/* ----------------------------------------------------------- progress -- */

void
progress_begin(Progress *progress, bool quiet)
{
	progress->quiet = quiet;
	progress->terminal = isatty(STDERR_FILENO) == 1;
	progress->shown = false;
	progress->began_ns = tool_clock_ns();
	progress->next_ns = progress->began_ns +
		(progress->terminal ? SHOW_TERMINAL_NS : SHOW_LOG_NS);
}

double
progress_seconds(const Progress *progress)
{
	return (double) (tool_clock_ns() - progress->began_ns) / 1e9;
}

bool
progress_due(Progress *progress)
{
	int64_t		now;

	if (progress->quiet)
		return false;
	now = tool_clock_ns();
	if (now < progress->next_ns)
		return false;
	progress->next_ns = now + (progress->terminal ? SHOW_TERMINAL_NS : SHOW_LOG_NS);
	return true;
}

void
progress_show(Progress *progress, const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	if (progress->terminal)
		fputc('\r', stderr);
	vfprintf(stderr, format, arguments);
	/* Clears what a longer line has left behind. */
	fputs(progress->terminal ? "\033[K" : "\n", stderr);
	va_end(arguments);
	progress->shown = progress->terminal;
}

void
progress_end(Progress *progress)
{
	if (progress->shown)
		fputc('\n', stderr);
	progress->shown = false;
}
