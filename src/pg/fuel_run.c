/*
 * fuel_run.c
 *		A pass over the records of a tracker, for its fuel.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/fuel.h"
#include "pg/plan.h"
#include "sensor/calibrate.h"

/* So long before the period it begins first, and so many times as long as long
 * as nothing is settled; from the last on at the very beginning. */
#define LEAD_FIRST	USECS_PER_DAY
#define LEAD_TIMES	4
#define LEAD_LAST	(1000 * USECS_PER_DAY)

static const PlanText statements[] =
{
	{
		"SELECT s.since, s.until, s.channel::pg_catalog.int4, s.raw, s.\"values\""
		" FROM %s.pt621_sensor_spans($1, $2) s WHERE s.channel IS NOT NULL ORDER BY s.since",
		PLAN_KEPT, 2, {INT4OID, TEXTOID}
	}
};

static SPIPlanPtr plans[lengthof(statements)];
static PlanSet set = {statements, plans, lengthof(statements), InvalidOid};

/* ------------------------------------------------------------ its tables -- */

static bool
is_same_table(const FuelTable *a, const FuelTable *b)
{
	Size		size = (Size) a->table.pairs * sizeof(double);

	return a->until == b->since && a->channel == b->channel && a->table.pairs == b->table.pairs &&
		memcmp(a->table.raw, b->table.raw, size) == 0 && memcmp(a->table.value, b->table.value, size) == 0;
}

/* Reads one; false: it is none, for it was written past its trigger. */
static bool
read_table(FuelTable *table, HeapTuple row, TupleDesc desc)
{
	Datum		values[5];

	for (int i = 0; i < 5; i++)
	{
		bool		isnull;

		values[i] = SPI_getbinval(row, desc, i + 1, &isnull);
		if (isnull)
			return false;
	}
	table->since = DatumGetTimestampTz(values[0]);
	table->until = DatumGetTimestampTz(values[1]);
	table->channel = DatumGetInt32(values[2]);
	if (!sensor_table(DatumGetArrayTypePCopy(values[3]), DatumGetArrayTypePCopy(values[4]), &table->table))
		return false;
	table->lowest_l = table->tank_l = table->table.value[0];
	for (int i = 1; i < table->table.pairs; i++)
	{
		table->lowest_l = Min(table->lowest_l, table->table.value[i]);
		table->tank_l = Max(table->tank_l, table->table.value[i]);
	}
	return true;
}

static void
read_tables(FuelRun *run)
{
	Datum		values[] = {Int32GetDatum(run->device_id), PointerGetDatum(run->sensor)};
	SPITupleTable *rows;

	/* Read-only: with the snapshot of the query. */
	if (SPI_execute_plan(plan_get(&set, 0, run->schema), values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the tables of a sensor");
	rows = SPI_tuptable;
	run->tables = MemoryContextAllocHuge(CurrentMemoryContext, (rows->numvals + 1) * sizeof(FuelTable));
	run->count = run->at = 0;
	for (uint64 i = 0; i < rows->numvals; i++)
	{
		FuelTable  *table = &run->tables[run->count];

		if (!read_table(table, rows->vals[i], rows->tupdesc))
			continue;
		table->number = run->count > 0 && is_same_table(table - 1, table) ? table[-1].number : run->count + 1;
		run->count++;
	}
	SPI_freetuptable(rows);
}

/* The table that holds at a time; NULL = none. */
static const FuelTable *
table_at(FuelRun *run, TimestampTz time)
{
	const FuelTable *table = &run->tables[run->at];

	while (run->at > 0 && time < table->since)
		table = &run->tables[--run->at];
	while (run->at < run->count - 1 && time >= table->until)
		table = &run->tables[++run->at];
	return time >= table->since && time < table->until ? table : NULL;
}

static int
channel_at(void *arg, TimestampTz time)
{
	const FuelTable *table = table_at(arg, time);

	return table ? table->channel : 0;
}

/* ---------------------------------------------------------------- a pass -- */

static void *
run_grow(void *arg, void *old, size_t size)
{
	FuelRun    *run = arg;

	return old ? repalloc_huge(old, size) : MemoryContextAllocHuge(run->context, size);
}

static void
run_level(void *arg, const FuelLevel *level)
{
	FuelRun    *run = arg;

	if (run->level)
		run->level(run->arg, level);
}

static void
run_event(void *arg, const FuelEvent *event)
{
	FuelRun    *run = arg;

	if (run->event)
		run->event(run->arg, event);
}

static void
step(FuelRun *run, const ReportRecord *record)
{
	const FuelTable *table = isnan(record->raw) ? NULL : table_at(run, record->fix.time);
	FuelReading reading;

	if (table == NULL)
	{
		fuel_step(run->fuel, &record->fix, NULL);
		return;
	}
	reading = (FuelReading)
	{
		.litres = calibrate(table->table.raw, table->table.value, (size_t) table->table.pairs, record->raw),
		.raw = record->raw,.lowest_l = table->lowest_l,.tank_l = table->tank_l,.table = table->number
	};
	fuel_step(run->fuel, &record->fix, &reading);
}

/* Passes over the records from a time on.  False: that settles too little. */
static bool
pass(FuelRun *run, TimestampTz from)
{
	const FuelSink sink = {.arg = run,.level = run_level,.event = run_event,.grow = run_grow};
	const ReportRecord *records;
	uint32		count;
	bool		settled = false;

	MemoryContextReset(run->context);
	run->fuel = fuel_new(&run->options, &sink, from == DT_NOBEGIN);
	if (run->begin)
		run->begin(run->arg);
	report_read_from(run->reader, run->device_id, from);
	while (report_fetch(run->reader, RECORDS_AT_ONCE, &records, &count))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < count; i++)
		{
			if (!settled && records[i].fix.time >= run->low)
			{
				settled = fuel_settled_at(run->fuel) <= run->low;
				if (!settled)
					return false;
			}
			if (records[i].fix.time >= run->high && fuel_told_until(run->fuel) >= run->high)
				return true;
			step(run, &records[i]);
		}
	}
	if (!settled && fuel_settled_at(run->fuel) > run->low)
		return false;
	fuel_end(run->fuel);
	return true;
}

void
fuel_run(FuelRun *run)
{
	TimestampTz from = DT_NOBEGIN;

	read_tables(run);
	if (run->count == 0)
		return;
	run->context = AllocSetContextCreate(CurrentMemoryContext, "pt621 fuel of a tracker", ALLOCSET_DEFAULT_SIZES);
	run->reader = report_reader_new(run->schema, NULL);
	report_reader_sensor(run->reader, channel_at, run);
	for (int64 lead = LEAD_FIRST; lead < LEAD_LAST && !TIMESTAMP_NOT_FINITE(run->low); lead *= LEAD_TIMES)
	{
		/* Only the earliest times that there are, are less than that from it. */
		from = run->low > MIN_TIMESTAMP + lead ? run->low - lead : DT_NOBEGIN;
		if (from == DT_NOBEGIN || pass(run, from))
			break;
		from = DT_NOBEGIN;
	}
	if (from == DT_NOBEGIN)
		(void) pass(run, from);
	report_read_end(run->reader);
	MemoryContextDelete(run->context);
}
