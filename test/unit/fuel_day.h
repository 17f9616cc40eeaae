/*
 * fuel_day.h
 *		A car with a tank, for tests of fuel: it drives, stands, is refuelled and
 *		drained, and its sensor tells of it more or less well.
 */
#ifndef PT621_TEST_FUEL_DAY_H
#define PT621_TEST_FUEL_DAY_H

#include "report/fuel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_RECORDS		20000
#define DAY_EVENTS		50

typedef struct DayRecord
{
	ReportFix	fix;
	FuelReading reading;
} DayRecord;

/* What a day is made of. */
typedef struct Day
{
	DayRecord	records[DAY_RECORDS];
	int			count;
	double		seconds;		/* now, from 2025-03-01 00:00 UTC on */
	double		lon;
	double		litres;			/* really in the tank */
	double		slosh;			/* how much the readings scatter when it moves */
	double		still;			/* and when it does not */
	int			ignition;
	double		burns;			/* litres per 100 km, really */
	unsigned	seed;
} Day;

/* What a pass over it has told. */
typedef struct Told
{
	FuelEvent	events[DAY_EVENTS];
	int			count;
	FuelLevel	levels[DAY_RECORDS];
	int			level_count;
	size_t		bytes;			/* the most that was asked for at once */
	ReportTime	settled_at;
	ReportTime	told_until;		/* before the end */
	bool		in_order;
	void	   *blocks[4];		/* of the pass's memory */
} Told;

#define DAY_START	(INT64_C(794102400) * REPORT_SECOND)

static inline Day *
day_new(double litres)
{
	Day		   *day = calloc(1, sizeof(Day));

	if (day == NULL)
		abort();
	day->litres = litres;
	day->lon = 10;
	day->burns = 10;
	day->seed = 1;
	day->still = 0.2;
	day->slosh = 2;
	return day;
}

/* From -1 to 1. */
static inline double
day_random(Day *day)
{
	day->seed = day->seed * 1103515245 + 12345;
	return (double) (day->seed >> 16 & 0x7fff) / 16383.5 - 1;
}

/* One record; a reading of NAN is none. */
static inline void
day_record(Day *day, double speed_kmh, double litres)
{
	DayRecord  *record = &day->records[day->count++];

	if (day->count == DAY_RECORDS)
		abort();
	record->fix = (ReportFix) {.time = DAY_START + (int64_t) (day->seconds * REPORT_SECOND),
		.lon = day->lon,.lat = 0,.odometer_m = -1,.speed_kmh = (float) speed_kmh,.course = NAN,
	.ignition = (int8_t) day->ignition};
	record->reading = (FuelReading) {.litres = litres,.raw = round(litres * 10),.lowest_l = 0,.tank_l = 100,.table = 1};
}

/* What its sensor reads. */
static inline double
day_reading(Day *day, double scatter)
{
	double		litres = day->litres + scatter * day_random(day);

	return fmin(fmax(round(litres * 10) / 10, 0.1), 100);
}

static inline void
day_drive(Day *day, double minutes, double every_s)
{
	const double kmh = 60;

	day->ignition = 1;
	for (double end = day->seconds + minutes * 60; day->seconds < end - 0.001;)
	{
		day->seconds += every_s;
		day->lon += kmh / 3.6 * every_s / 111194.93;
		day->litres -= kmh / 3600 * every_s * day->burns / 100;
		day_record(day, kmh, day_reading(day, day->slosh));
	}
}

/* Stands, ignition off; the tank gains so many litres, evenly. */
static inline void
day_stand(Day *day, double minutes, double every_s, double litres)
{
	double		end = day->seconds + minutes * 60;

	day->ignition = 0;
	while (day->seconds < end - 0.001)
	{
		day->seconds += every_s;
		day->litres += litres * every_s / 60 / minutes;
		day_record(day, 0, day_reading(day, day->still));
	}
}

static inline void
told_event(void *arg, const FuelEvent *event)
{
	Told	   *told = arg;

	if (told->count == DAY_EVENTS)
		abort();
	if (told->count > 0 && event->from < told->events[told->count - 1].from)
		told->in_order = false;
	told->events[told->count++] = *event;
}

static inline void
told_level(void *arg, const FuelLevel *level)
{
	Told	   *told = arg;

	if (told->level_count > 0 && level->time <= told->levels[told->level_count - 1].time)
		told->in_order = false;
	told->levels[told->level_count++] = *level;
}

static inline void *
told_grow(void *arg, void *old, size_t size)
{
	Told	   *told = arg;
	void	   *new = realloc(old, size);

	int			i = 0;

	while (i < 4 && told->blocks[i] != old)
		i++;
	if (new == NULL || i == 4)
		abort();
	told->blocks[i] = new;
	if (size > told->bytes)
		told->bytes = size;
	return new;
}

/* Passes over records [from, until). */
static inline Told *
day_pass(const Day *day, const FuelOptions *options, int from, int until)
{
	Told	   *told = calloc(1, sizeof(Told));
	FuelSink	sink = {.arg = told,.level = told_level,.event = told_event,.grow = told_grow};
	Fuel	   *fuel;

	if (told == NULL)
		abort();
	told->in_order = true;
	fuel = fuel_new(options, &sink, from == 0);
	for (int i = from; i < until; i++)
		fuel_step(fuel, &day->records[i].fix, isnan(day->records[i].reading.litres) ? NULL : &day->records[i].reading);
	told->told_until = fuel_told_until(fuel);
	fuel_end(fuel);
	told->settled_at = fuel_settled_at(fuel);
	for (int i = 0; i < 4; i++)
		free(told->blocks[i]);
	return told;
}

static inline Told *
day_told(const Day *day)
{
	return day_pass(day, &fuel_defaults, 0, day->count);
}

#endif							/* PT621_TEST_FUEL_DAY_H */
