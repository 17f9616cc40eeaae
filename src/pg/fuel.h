/*
 * fuel.h
 *		Fuel of a tracker in a period: private to fuel*.c.
 *
 * Invariant.  What is told of a period is what one pass over all records would
 * tell of it: a pass begins so far before it that what is known at its start is
 * settled, and goes on after it until all that began in it has been told.
 */
#ifndef PT621_PG_FUEL_H
#define PT621_PG_FUEL_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/report_read.h"
#include "pg/sensor.h"
#include "report/fuel.h"

/* A table of the sensor, and when it holds. */
typedef struct FuelTable
{
	TimestampTz since;
	TimestampTz until;
	int			channel;
	int32		number;			/* the same for the same table */
	double		lowest_l;
	double		tank_l;
	SensorTable table;
} FuelTable;

typedef struct FuelRun
{
	/* set by whoever wants it */
	Oid			schema;			/* of the extension */
	int32		device_id;
	TimestampTz low;			/* DT_NOBEGIN: from the first record on */
	TimestampTz high;			/* DT_NOEND: to the last one */
	text	   *sensor;
	FuelOptions options;
	void	   *arg;			/* of the calls */
	void		(*begin) (void *arg);	/* a pass, or one more over what was before; or NULL */
	void		(*level) (void *arg, const FuelLevel *level);	/* before the period too */
	void		(*event) (void *arg, const FuelEvent *event);	/* likewise */

	/* fuel_run.c's own */
	FuelTable  *tables;
	int			count;
	int			at;				/* the one that was asked for last */
	ReportReader *reader;
	MemoryContext context;		/* of a pass */
	Fuel	   *fuel;
} FuelRun;

/* Runs it; within SPI. */
extern void fuel_run(FuelRun *run);

#endif							/* PT621_PG_FUEL_H */
