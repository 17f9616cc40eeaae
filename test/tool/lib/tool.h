/*
 * tool.h
 *		What pt621-sim and pt621-replay share: messages, numbers and times in
 *		options and files, clocks, chance, and the line that shows progress.
 *
 * Invariants.  Nothing here depends on locale or time zone.  Chance comes from
 * the seed alone, so that two runs with the same options send the same bytes.
 */
#ifndef PT621_TOOL_H
#define PT621_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the programs return. */
#define STATUS_DONE		0		/* everything was sent */
#define STATUS_UNSENT	1		/* something was not, or the program was stopped */
#define STATUS_WRONG	2		/* wrong options or files; nothing was sent */

#define NS_A_SECOND		INT64_C(1000000000)
#define MS_A_DAY		INT64_C(86400000)

/* The program's name in messages; main() sets it. */
extern const char *tool_name;

/* Writes "name: message" to stderr and ends the program with that status. */
extern void tool_fail(int status, const char *format,...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Gives memory, or ends the program.  old: as for realloc(). */
extern void *tool_alloc(void *old, size_t size);

/* Reads a decimal number that is all of text and lies in min .. max. */
extern bool tool_number(const char *text, double min, double max, double *value);

/*
 * Reads a time: ISO 8601 or as PostgreSQL prints it, "2024-03-15 12:00:00.25+01",
 * UTC when it names no offset; or seconds since 1970, or since any other
 * moment, as a decimal number.  size: bytes of text, all of which are read.
 * *us: microseconds since then.
 */
extern bool tool_time(const char *text, size_t size, int64_t *us);

/* Splits days since 1970-01-01 into a date of the Gregorian calendar. */
extern void tool_date(int64_t days, int *year, int *month, int *day);

extern int64_t tool_wall_ms(void);	/* milliseconds since 1970 */
extern int64_t tool_clock_ns(void); /* nanoseconds of a clock that never jumps */

/* Allows as many open files as the system lets this process have; returns how many. */
extern int64_t tool_raise_files(void);

/* Set by SIGINT and SIGTERM once tool_catch_signals() was called. */
extern volatile bool tool_stopped;
extern void tool_catch_signals(void);

/* ------------------------------------------------------------- chance -- */

typedef struct Chance
{
	uint64_t	state;
} Chance;

/* Starts a row of numbers of its own for each seed and stream. */
extern void chance_start(Chance *chance, uint64_t seed, uint64_t stream);

/* Returns 64 random bits. */
extern uint64_t chance_bits(Chance *chance);

/* Returns 0 .. below - 1; 0 < below. */
extern uint32_t chance_below(Chance *chance, uint32_t below);

/* Returns a number of 0 <= number < 1. */
extern double chance_real(Chance *chance);

/* Returns true with that probability; takes one number whatever it is. */
extern bool chance_hit(Chance *chance, double probability);

/* ----------------------------------------------------------- progress -- */

typedef struct Progress
{
	bool		quiet;
	bool		terminal;
	bool		shown;			/* a line stands there without its end */
	int64_t		began_ns;
	int64_t		next_ns;
} Progress;

extern void progress_begin(Progress *progress, bool quiet);

/* Returns seconds since the beginning. */
extern double progress_seconds(const Progress *progress);

/* Tells whether it is time for the next line. */
extern bool progress_due(Progress *progress);

/* Shows one line in the place of the last one, or below it where stderr is no terminal. */
extern void progress_show(Progress *progress, const char *format,...)
	__attribute__((format(printf, 2, 3)));

/* Leaves the last line where it is; what follows goes below it. */
extern void progress_end(Progress *progress);

#endif							/* PT621_TOOL_H */
