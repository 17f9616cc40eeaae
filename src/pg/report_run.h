/*
 * report_run.h
 *		A report over the records of some trackers, one tracker after the other.
 *
 * Invariant.  What is told of a period is what one pass over all records would
 * tell of it: a run begins so far before it that what is known at its start is
 * settled, and goes on after it until all that began in it has been told.
 */
#ifndef PT621_PG_REPORT_RUN_H
#define PT621_PG_REPORT_RUN_H

#include "postgres.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/array.h"

#include "pg/report_read.h"
#include "pg/row.h"
#include "report/report.h"

/* What a run has to see to the end. */
typedef enum ReportGoal
{
	REPORT_SEGMENTS,			/* segments that begin in the period */
	REPORT_MOMENTS				/* what is told of moments of the period */
} ReportGoal;

typedef struct ReportRun ReportRun;

/* A report.  The sink's calls get the run as their arg, as these do. */
struct ReportRun
{
	/* set by report_run_open() */
	Oid			schema;			/* of the extension */
	ArrayType  *devices;		/* NULL = all */
	ReportTime	low;			/* REPORT_NO_TIME: from the first record on */
	ReportTime	high;			/* REPORT_ENDLESS: to the last one */
	ReportOptions options;		/* report_defaults */
	RowSink		rows;

	/* set by whoever wants a report */
	ReportGoal	goal;
	bool		drivers;		/* who drives matters */
	bool		days;			/* days of trackers matter: of drivers' turns they do */
	bool		silent;			/* trackers without a record in the period too */
	pg_tz	   *all_zones;		/* NULL = each tracker's own */
	ReportSink	sink;			/* but for day_end and grow */
	void		(*begin) (ReportRun *run);	/* a tracker, or the same one again; or NULL */
	void		(*record) (ReportRun *run, const ReportFix *fix);	/* of the period; or NULL */
	bool		(*more) (ReportRun *run);	/* something of the period goes on after it; or NULL */
	void		(*end) (ReportRun *run);	/* all has been told of a tracker; or NULL */
	void	   *arg;

	/* of the tracker at hand */
	int32		device_id;
	MemoryContext context;		/* emptied before begin() */
	pg_tz	   *zone;			/* NULL: days do not matter */
	ReportTime	wired_since;	/* the ignition was first on, as far as is known; REPORT_ENDLESS = never */
	bool		last;			/* in end(): its last record was taken in */
	DriverNames *names;			/* NULL: they do not matter */
	Report	   *report;			/* NULL = no tracker is at hand */

	/* report_run.c's own */
	bool		whole;			/* the first record given is the first ever */
	bool		fed;			/* there was a record */
	ReportTime	kind_since;		/* slices from here on were of one kind */
	ReportKind	kind;
	ReportTime	day_from;		/* the local day that was asked for last */
	ReportTime	day_until;
	ReportReader *main;
	ReportReader *side;			/* what is before the period, and after it */
	ReportRecord *before;
	uint32		before_count;
	uint32		before_room;
	int32	   *list;			/* trackers to be looked at without a record */
	uint32		list_count;
	uint32		list_at;
};

/*
 * Prepares a report of `columns` columns over devices and period, which are
 * arguments 0 and 1.  False: there is nothing to report.
 */
extern bool report_run_open(ReportRun *run, FunctionCallInfo fcinfo, int columns, int geometry_column);

/* Runs it, within SPI that it connects to. */
extern void report_run(ReportRun *run);

static inline bool
report_in_period(const ReportRun *run, ReportTime time)
{
	return time >= run->low && time < run->high;
}

/* ------------------------------------------------- arguments and columns -- */

/* Reads devices and period; false: the period is empty. */
extern bool report_read_arguments(ReportRun *run, FunctionCallInfo fcinfo);

/* Read arguments; errors name them.  A number is more than 0. */
extern double report_read_number(FunctionCallInfo fcinfo, int argument, const char *name, double most);
extern int64 report_read_span(FunctionCallInfo fcinfo, int argument, const char *name, int64 least, int64 most);
extern bool report_read_flag(FunctionCallInfo fcinfo, int argument, const char *name);

/* The five that say what a stop is, from argument number `first` on. */
extern void report_stop_options(ReportRun *run, FunctionCallInfo fcinfo, int first);

/* Leave the column NULL for what is not known. */
extern void report_put_time(Row *row, int column, ReportTime time);
extern void report_put_number(Row *row, int column, double value);

static inline double
report_seconds(ReportTime from, ReportTime until)
{
	return (double) (until - from) / REPORT_SECOND;
}

/* ----------------------------------------------------------------- days -- */

/* A time zone by its name; NULL = there is none. */
extern pg_tz *report_zone(const char *name);

/* The bucket that a time lies in.  unit: d, w or m. */
typedef struct ReportBucket
{
	ReportTime	from;			/* local midnight */
	ReportTime	until;
	int32		day;			/* its first one, as a date of PostgreSQL's */
} ReportBucket;

extern ReportBucket report_bucket(pg_tz *zone, char unit, ReportTime time);

#endif							/* PT621_PG_REPORT_RUN_H */
