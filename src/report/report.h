/*
 * report.h
 *	  Trips, stops, engine, drivers: what the records of one tracker say of a
 *	  period.  doc/reports.md has the rules.
 *
 * Invariant: one pass over the records in order of time, in memory that is bounded
 * by how many records, or turns of drivers, come within the longest of the times in
 * the options, max_gap as a rule.  What is decided of a
 * moment depends on records near it, so a pass that begins some way before a
 * period says of the period what one over all records would: report_settled()
 * tells when it began early enough.
 *
 * Pure C: no PostgreSQL, no I/O, no globals.  Memory comes from the caller's
 * grow(), which need not return when there is none: nothing is held that would
 * be lost by a jump.
 */
#ifndef PT621_REPORT_H
#define PT621_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 2000-01-01 00:00 UTC, PostgreSQL's own. */
typedef int64_t ReportTime;

#define REPORT_SECOND	INT64_C(1000000)
#define REPORT_NO_TIME	INT64_MIN
#define REPORT_ENDLESS	INT64_MAX

/* One record.  32 or 40 bytes: many are held at once. */
typedef struct ReportFix
{
	ReportTime	time;
	double		lon;			/* NAN = no place */
	double		lat;
	int64_t		odometer_m;		/* -1 = not said */
	float		speed_kmh;		/* NAN = not said */
	float		course;			/* degrees; NAN = not said */
	int32_t		driver;			/* the caller's number for an id, > 0; 0 = none */
	int8_t		ignition;		/* 1, 0; -1 = not said */
} ReportFix;

/* Lengths of time in microseconds. */
typedef struct ReportOptions
{
	double		stop_radius_m;
	int64_t		rest_after;
	int64_t		min_stop;
	int64_t		max_gap;
	bool		use_ignition;	/* to find rest */
	double		moving_kmh;
	double		plausible_kmh;
	double		jitter_m;
	int64_t		ignition_debounce;
	int64_t		idle_after;
	int64_t		driver_off_after;

	/* Time of the tracker's first record with the ignition on, before which nothing
	 * is known of it; REPORT_ENDLESS = there is none. */
	ReportTime	wired_since;

	/* Of behaviour, m/s2; the longest step between two places that is looked at. */
	double		harsh_acceleration;
	double		harsh_braking;
	double		harsh_turn;
	int64_t		harsh_step;
} ReportOptions;

extern const ReportOptions report_defaults;	/* wired_since: REPORT_ENDLESS */

typedef enum ReportKind
{
	REPORT_TRIP,
	REPORT_STOP,
	REPORT_UNOBSERVED,
	REPORT_NOTHING				/* of report_slice() only: no stop is beside it */
} ReportKind;

#define REPORT_DRIVERS_MAX	16

/* A trip, stop or unobserved leg.  What is not known is NAN. */
typedef struct ReportSegment
{
	ReportKind	kind;
	ReportTime	from;
	ReportTime	until;
	bool		from_unknown;	/* it began before the first record given, or may have */
	bool		ongoing;
	double		from_lon;		/* first place; of a stop, its median place */
	double		from_lat;
	double		until_lon;		/* last place */
	double		until_lat;
	double		metres;
	double		top_kmh;
	double		engine_s;
	double		idle_s;
	double		carried_s;
	double		carried_metres;
	double		odometer_m;
	uint32_t	places;			/* both ends included */
	uint32_t	driver_count;
	int32_t		drivers[REPORT_DRIVERS_MAX];
} ReportSegment;

/* A leg, or a part of one, whose kind is settled. */
typedef struct ReportSlice
{
	ReportKind	kind;
	ReportTime	from;
	ReportTime	until;
	double		metres;
	double		odometer_m;
	bool		carried;		/* of trips only */
	double		top_kmh;		/* of the place at its end; NAN = not said */
} ReportSlice;

typedef enum ReportSpan
{
	REPORT_ENGINE,				/* the engine is on */
	REPORT_IDLE,
	REPORT_DRIVER				/* a driver's turn */
} ReportSpan;

/* A stretch of time. */
typedef struct ReportInterval
{
	ReportSpan	what;
	ReportTime	from;
	ReportTime	until;
	int32_t		driver;			/* of REPORT_DRIVER */
	bool		ongoing;		/* ended by the last record */
	bool		silent;			/* ended by silence, or by the end of the day */
} ReportInterval;

typedef enum ReportHarsh
{
	REPORT_ACCELERATION,
	REPORT_BRAKING,
	REPORT_TURN
} ReportHarsh;

/* Successive steps that are too hard are one: place, time and speed are those before the
 * hardest of them. */
typedef struct ReportManner
{
	ReportHarsh what;
	ReportTime	at;
	double		lon;
	double		lat;
	double		ms2;			/* the most of it */
	double		speed_kmh;
} ReportManner;

/*
 * Who is told what.  Calls that are NULL are left out, and what only they need is
 * not computed.  Segments come in order of time, and slices, and intervals of one
 * kind; each once, when nothing can change it any more.  None may change the
 * report.
 */
typedef struct ReportSink
{
	void	   *arg;
	void		(*segment) (void *arg, const ReportSegment *segment);
	void		(*slice) (void *arg, const ReportSlice *slice);
	void		(*interval) (void *arg, const ReportInterval *interval);
	void		(*manner) (void *arg, const ReportManner *manner);

	/* Gives the end of the day of a time, in the tracker's time zone: later than
	 * it.  NULL: days do not end.  Needed for drivers' turns. */
	ReportTime	(*day_end) (void *arg, ReportTime time);

	/* Allocates, or makes larger, as realloc() does. */
	void	   *(*grow) (void *arg, void *old, size_t size);
} ReportSink;

typedef struct Report Report;

/*
 * Makes one, from grow(); options and sink are copied.  whole: the first record to
 * come is the tracker's first ever.  Else it is taken for one in the middle,
 * and nothing is said of what cannot be known.
 */
extern Report *report_new(const ReportOptions *options, const ReportSink *sink, bool whole);

/* Takes in the next record.  They come in order of (time, code, digest); one that
 * is earlier than the last is a fault of the caller's. */
extern void report_step(Report *report, const ReportFix *fix);

/* Ends it.  last: the last record taken in is the tracker's last one; else what
 * is still open is not told. */
extern void report_end(Report *report, bool last);

/*
 * Tells whether all that begins after the last record, and how each moment after it
 * is to be called, would come out the same had the pass begun any earlier.
 */
extern bool report_settled(const Report *report);

/* When the earliest segment began that has not been told yet: what begins earlier
 * has been.  REPORT_NO_TIME: it is not known, but no later than the first record. */
extern ReportTime report_open_since(const Report *report);

/* Up to when all slices, intervals and manners have been told, as far as the sink
 * takes them. */
extern ReportTime report_told_until(const Report *report);

#endif							/* PT621_REPORT_H */
