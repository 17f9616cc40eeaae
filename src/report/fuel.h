/*
 * fuel.h
 *	  The fuel in a tracker's tank: its level, refuels and drains.
 *	  doc/reports.md has the rules.
 *
 * Invariant: one pass over the records in order of time, in memory that is
 * bounded by the readings of an hour or two, one a second.  A pass that begins
 * some way before a period says of the period what one over all records would:
 * fuel_settled_at() tells from when on.  To that end amounts are whole numbers
 * of a millionth of a litre, and only their differences count.
 *
 * Pure C: no PostgreSQL, no I/O, no globals.  Memory comes from the caller's
 * grow(), which need not return when there is none.
 */
#ifndef PT621_REPORT_FUEL_H
#define PT621_REPORT_FUEL_H

#include "report/report.h"

#define FUEL_LITRE		INT64_C(1000000)

/* More is no level of a tank. */
#define FUEL_LITRES_MAX	1e9

typedef struct FuelOptions
{
	double		min_l;			/* smaller changes are none ... */
	double		min_share;		/* ... nor those of a smaller part of the tank */
	double		idle_l_h;		/* what is expected to be burnt: standing, engine on */
	double		l_per_100km;	/* and driving */
	bool		fills_in_motion;
	bool		drains_in_motion;
} FuelOptions;

extern const FuelOptions fuel_defaults;

/* A reading of the level. */
typedef struct FuelReading
{
	double		litres;			/* NAN = none that counts */
	double		raw;			/* the sensor's count */
	double		lowest_l;		/* of the sensor's table */
	double		tank_l;			/* the highest level of it */
	int32_t		table;			/* which table it was: levels by two are not compared */
} FuelReading;

/* A reading that counts. */
typedef struct FuelLevel
{
	ReportTime	time;
	int64_t		raw_l;			/* millionths of a litre */
	int64_t		litres;			/* filtered */
	int64_t		burnt;			/* expected to have been burnt since some time */
	int64_t		metres;			/* driven since then */
} FuelLevel;

typedef struct FuelEvent
{
	bool		refuel;			/* else a drain */
	ReportTime	from;			/* the last reading before it */
	ReportTime	until;			/* the first one at which the level holds */
	int64_t		litres;			/* more than 0 */
	int64_t		before;			/* levels: millionths of a litre */
	int64_t		after;
	double		confidence;		/* 0 to 1 */
} FuelEvent;

/* Who is told what, in order of time; calls may be NULL but grow. */
typedef struct FuelSink
{
	void	   *arg;
	void		(*level) (void *arg, const FuelLevel *level);
	void		(*event) (void *arg, const FuelEvent *event);
	void	   *(*grow) (void *arg, void *old, size_t size);
} FuelSink;

typedef struct Fuel Fuel;

/* Makes one, from grow(); options and sink are copied.  whole: the first record to
 * come is the tracker's first ever. */
extern Fuel *fuel_new(const FuelOptions *options, const FuelSink *sink, bool whole);

/* Takes in the next record, in order of time.  reading: NULL = it has none. */
extern void fuel_step(Fuel *fuel, const ReportFix *fix, const FuelReading *reading);

/* Ends it, after the tracker's last record. */
extern void fuel_end(Fuel *fuel);

/* Events that begin at this time or later are those that a pass over all records
 * gives; REPORT_ENDLESS: none is known to be. */
extern ReportTime fuel_settled_at(const Fuel *fuel);

/* All events that begin earlier have been told, and all levels up to it. */
extern ReportTime fuel_told_until(const Fuel *fuel);

#endif							/* PT621_REPORT_FUEL_H */
