/*
 * tap.h
 *	  Just enough of the Test Anything Protocol for plain C programs under prove.
 *
 * Invariant: each check prints one line and returns whether it passed; the plan
 * comes last, so that a program that dies early fails.  Included by one file per
 * program.
 */
#ifndef PT621_TAP_H
#define PT621_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_count;
static int	tap_failed;

/* Prints one result line, flushed so that it survives a crash in the next step. */
static inline bool
tap_report(bool passed, const char *format, va_list args)
{
	tap_count++;
	if (!passed)
		tap_failed++;
	printf("%sok %d - ", passed ? "" : "not ", tap_count);
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	return passed;
}

/* Checks a condition. */
__attribute__((format(printf, 2, 3), unused))
static bool
ok(bool condition, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	condition = tap_report(condition, format, args);
	va_end(args);
	return condition;
}

/* Checks a number and shows both when they differ. */
__attribute__((format(printf, 3, 4), unused))
static bool
is_int(long long got, long long expected, const char *format,...)
{
	va_list		args;
	bool		passed;

	va_start(args, format);
	passed = tap_report(got == expected, format, args);
	va_end(args);
	if (!passed)
		printf("#      got: %lld\n# expected: %lld\n", got, expected);
	return passed;
}

/* Checks a string and shows both when they differ. */
__attribute__((format(printf, 3, 4), unused))
static bool
is_str(const char *got, const char *expected, const char *format,...)
{
	va_list		args;
	bool		passed;

	va_start(args, format);
	passed = tap_report(got != NULL && expected != NULL ? strcmp(got, expected) == 0
						: got == expected, format, args);
	va_end(args);
	if (!passed)
		printf("#      got: %s\n# expected: %s\n", got ? got : "(null)",
			   expected ? expected : "(null)");
	return passed;
}

/* Says why checks are left out. */
__attribute__((format(printf, 1, 2), unused))
static void
skip(const char *format,...)
{
	va_list		args;

	tap_count++;
	printf("ok %d # SKIP ", tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Prints the plan; returns the program's exit status. */
__attribute__((unused))
static int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed > 0)
		printf("# %d of %d checks failed\n", tap_failed, tap_count);
	fflush(stdout);
	return tap_failed > 0 ? 1 : 0;
}

#endif							/* PT621_TAP_H */
