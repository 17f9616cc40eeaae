/*
 * fuel_sql.c
 *		Fuel, as functions for SQL.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/arrays.h"
#include "pg/fuel.h"
#include "pg/row.h"

/* A run, and where what it tells goes. */
typedef struct FuelRows
{
	FuelRun		run;
	RowSink		rows;
} FuelRows;

/* The six options, from argument number `first` on; the ranges are those that
 * pt621_fuel_options() allows. */
static void
read_options(FuelRun *run, FunctionCallInfo fcinfo, int first)
{
	run->options = (FuelOptions)
	{
		.min_l = PG_GETARG_FLOAT8(first),.min_share = PG_GETARG_FLOAT8(first + 1),
		.idle_l_h = PG_GETARG_FLOAT8(first + 2),.l_per_100km = PG_GETARG_FLOAT8(first + 3),
		.fills_in_motion = PG_GETARG_BOOL(first + 4),.drains_in_motion = PG_GETARG_BOOL(first + 5)
	};
	if (!(run->options.min_l > 0 && run->options.min_share >= 0 && run->options.idle_l_h >= 0 &&
		  run->options.idle_l_h <= 1000 && run->options.l_per_100km >= 0 && run->options.l_per_100km <= 1000))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of fuel are out of range"),
				 errhint("min_l is more than 0 and none is negative; idle_l_h and l_per_100km are at most 1000.")));
}

static void
run_it(FuelRun *run, FunctionCallInfo fcinfo)
{
	run->schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	fuel_run(run);
	SPI_finish();
}

static double
litres(int64 millionths)
{
	return (double) millionths / FUEL_LITRE;
}

static bool
in_period(const FuelRun *run, TimestampTz time)
{
	return time >= run->low && time < run->high;
}

/* ---------------------------------------------------------------- levels -- */

static void
put_level(void *arg, const FuelLevel *level)
{
	FuelRows   *rows = arg;

	if (!in_period(&rows->run, level->time))
		return;
	row_start(rows->rows.row);
	row_set(rows->rows.row, 0, TimestampTzGetDatum(level->time));
	row_set(rows->rows.row, 1, Float8GetDatum(litres(level->litres)));
	row_set(rows->rows.row, 2, Float8GetDatum(litres(level->raw_l)));
	row_emit(&rows->rows);
}

PG_FUNCTION_INFO_V1(pt621_fuel_levels);

/* pt621_fuel_levels(device, low, high, sensor): fix_time, litres, raw_litres. */
Datum
pt621_fuel_levels(PG_FUNCTION_ARGS)
{
	FuelRows	rows = {.run = {.device_id = PG_GETARG_INT32(0),.low = PG_GETARG_TIMESTAMPTZ(1),
		.high = PG_GETARG_TIMESTAMPTZ(2),.sensor = PG_GETARG_TEXT_PP(3),
	.options = fuel_defaults,.level = put_level}};

	row_sink_open(&rows.rows, fcinfo, 3, -1);
	rows.run.arg = &rows;
	run_it(&rows.run, fcinfo);
	return (Datum) 0;
}

/* --------------------------------------------------------------- changes -- */

static void
put_event(void *arg, const FuelEvent *event)
{
	FuelRows   *rows = arg;
	Row		   *row = rows->rows.row;

	if (!in_period(&rows->run, event->from))
		return;
	row_start(row);
	row_set(row, 0, BoolGetDatum(event->refuel));
	row_set(row, 1, TimestampTzGetDatum(event->from));
	row_set(row, 2, TimestampTzGetDatum(event->until));
	row_set(row, 3, Float8GetDatum(litres(event->litres)));
	row_set(row, 4, Float8GetDatum(litres(event->before)));
	row_set(row, 5, Float8GetDatum(litres(event->after)));
	row_set(row, 6, Float8GetDatum(event->confidence));
	row_emit(&rows->rows);
}

PG_FUNCTION_INFO_V1(pt621_fuel_changes);

/* pt621_fuel_changes(device, low, high, sensor, options ...) */
Datum
pt621_fuel_changes(PG_FUNCTION_ARGS)
{
	FuelRows	rows = {.run = {.device_id = PG_GETARG_INT32(0),.low = PG_GETARG_TIMESTAMPTZ(1),
	.high = PG_GETARG_TIMESTAMPTZ(2),.sensor = PG_GETARG_TEXT_PP(3),.event = put_event}};

	row_sink_open(&rows.rows, fcinfo, 7, -1);
	rows.run.arg = &rows;
	read_options(&rows.run, fcinfo, 4);
	run_it(&rows.run, fcinfo);
	return (Datum) 0;
}

/* --------------------------------------------------------------- buckets -- */

/* What there is at a bound between two of them. */
typedef struct FuelBound
{
	TimestampTz time;
	FuelLevel	level;
	bool		known;
	bool		changing;		/* in a refuel or drain: after that ... */
	int64		after;			/* ... the level is this */
	int64		refuelled;		/* from this bound to the next one */
	int64		drained;
} FuelBound;

typedef struct FuelBuckets
{
	FuelRun		run;
	FuelBound  *bounds;
	int			count;
	int			at;				/* bounds that are known */
	bool		any;
	FuelLevel	last;
} FuelBuckets;

static void
begin_buckets(void *arg)
{
	FuelBuckets *buckets = arg;

	for (int i = 0; i < buckets->count; i++)
		buckets->bounds[i] = (FuelBound) {.time = buckets->bounds[i].time};
	buckets->at = 0;
	buckets->any = false;
}

/* The level at a bound is the last one before it, or else the first after it. */
static void
take_level(void *arg, const FuelLevel *level)
{
	FuelBuckets *buckets = arg;

	for (; buckets->at < buckets->count && level->time > buckets->bounds[buckets->at].time; buckets->at++)
	{
		buckets->bounds[buckets->at].level = buckets->any ? buckets->last : *level;
		buckets->bounds[buckets->at].known = true;
	}
	buckets->last = *level;
	buckets->any = true;
}

/* A refuel belongs to the bucket that it begins in, with all that it brings. */
static void
take_event(void *arg, const FuelEvent *event)
{
	FuelBuckets *buckets = arg;
	int			i = 0;

	if (!in_period(&buckets->run, event->from) && event->until <= buckets->run.low)
		return;
	while (i < buckets->count && buckets->bounds[i].time <= event->from)
		i++;
	if (i > 0)
		*(event->refuel ? &buckets->bounds[i - 1].refuelled : &buckets->bounds[i - 1].drained) += event->litres;
	for (; i < buckets->count && buckets->bounds[i].time < event->until; i++)
	{
		buckets->bounds[i].changing = true;
		buckets->bounds[i].after = event->after;
	}
}

static void
read_bounds(FuelBuckets *buckets, ArrayType *array)
{
	Datum	   *values;
	bool	   *nulls;

	array_split(array, TIMESTAMPTZOID, &values, &nulls, &buckets->count);
	buckets->bounds = palloc0((Size) Max(buckets->count, 1) * sizeof(FuelBound));
	for (int i = 0; i < buckets->count; i++)
	{
		buckets->bounds[i].time = nulls[i] ? DT_NOBEGIN : DatumGetTimestampTz(values[i]);
		if (nulls[i] || (i > 0 && buckets->bounds[i].time <= buckets->bounds[i - 1].time))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("bounds do not ascend")));
	}
}

static void
put_buckets(FuelBuckets *buckets, RowSink *rows)
{
	for (int i = 0; i < buckets->count; i++)
	{
		FuelBound  *bound = &buckets->bounds[i];

		if (!bound->known)
			bound->level = buckets->last;
		if (bound->changing)
			bound->level.litres = bound->after;
	}
	for (int i = 0; i + 1 < buckets->count; i++)
	{
		const FuelBound *bound = &buckets->bounds[i];

		row_start(rows->row);
		row_set(rows->row, 0, Int32GetDatum(i + 1));
		row_set(rows->row, 1, Float8GetDatum(litres(bound[0].level.litres)));
		row_set(rows->row, 2, Float8GetDatum(litres(bound[1].level.litres)));
		row_set(rows->row, 3, Float8GetDatum(litres(bound->refuelled)));
		row_set(rows->row, 4, Float8GetDatum(litres(bound->drained)));
		row_set(rows->row, 5, Float8GetDatum(litres(bound[0].level.litres - bound[1].level.litres +
													 bound->refuelled - bound->drained)));
		row_set(rows->row, 6, Float8GetDatum((double) (bound[1].level.metres - bound[0].level.metres)));
		row_set(rows->row, 7, Float8GetDatum(litres(bound[1].level.burnt - bound[0].level.burnt)));
		row_emit(rows);
	}
}

PG_FUNCTION_INFO_V1(pt621_fuel_buckets);

/* pt621_fuel_buckets(device, bounds, sensor, options ...): no row when there is no
 * reading. */
Datum
pt621_fuel_buckets(PG_FUNCTION_ARGS)
{
	FuelBuckets buckets = {.run = {.device_id = PG_GETARG_INT32(0),.sensor = PG_GETARG_TEXT_PP(2),
	.begin = begin_buckets,.level = take_level,.event = take_event}};
	RowSink		rows;

	row_sink_open(&rows, fcinfo, 8, -1);
	read_bounds(&buckets, PG_GETARG_ARRAYTYPE_P(1));
	if (buckets.count < 2)
		return (Datum) 0;
	buckets.run.arg = &buckets;
	buckets.run.low = buckets.bounds[0].time;
	buckets.run.high = buckets.bounds[buckets.count - 1].time;
	read_options(&buckets.run, fcinfo, 3);
	run_it(&buckets.run, fcinfo);
	if (buckets.any)
		put_buckets(&buckets, &rows);
	return (Datum) 0;
}
