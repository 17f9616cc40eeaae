/*
 * derive_records.c
 *		A tracker's records, read from the table in order of their key.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/derive_sql.h"
#include "pg/sensor_rules.h"

/* Of SQL_SENSOR_RECORDS; others have fewer. */
#define RECORD_COLUMNS	10

bool
derive_column(HeapTuple row, TupleDesc desc, int number, Datum *value)
{
	bool		isnull;

	*value = SPI_getbinval(row, desc, number, &isnull);
	return !isnull;
}

text *
derive_text(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetTextPP(value) : NULL;
}

DetectText
derive_detect_text(HeapTuple row, TupleDesc desc, int number)
{
	text	   *value = derive_text(row, desc, number);

	return value ? derive_make_text(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) : derive_make_text(NULL, 0);
}

double
derive_float(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetFloat8(value) : NAN;
}

TimestampTz
derive_time(HeapTuple row, TupleDesc desc, int number, TimestampTz otherwise)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetTimestampTz(value) : otherwise;
}

int64
derive_int64(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetInt64(value) : 0;
}

bool
derive_bool(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) && DatumGetBool(value);
}

bytea *
derive_bytes(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetByteaPCopy(value) : NULL;
}

void
derive_read_fix(DetectFix *fix, HeapTuple row, TupleDesc desc, SensorRaw *sensors, int32 *stretch)
{
	Datum		values[RECORD_COLUMNS];
	bool		nulls[RECORD_COLUMNS];
	text	   *code;
	text	   *driver;

	/* All at once: to look for each would be to pass those before it each time. */
	Assert(desc->natts <= RECORD_COLUMNS);
	heap_deform_tuple(row, desc, values, nulls);
	code = nulls[1] ? NULL : DatumGetTextPP(values[1]);
	driver = nulls[7] ? NULL : DatumGetTextPP(values[7]);
	fix->time = nulls[0] ? DT_NOBEGIN : DatumGetTimestampTz(values[0]);
	derive_set_code(fix, code ? VARDATA_ANY(code) : "", code ? VARSIZE_ANY_EXHDR(code) : 0);
	fix->lon = nulls[3] ? NAN : DatumGetFloat8(values[3]);
	fix->lat = nulls[4] ? NAN : DatumGetFloat8(values[4]);
	fix->has_place = !nulls[2] && DatumGetBool(values[2]) && isfinite(fix->lon) && isfinite(fix->lat);
	fix->speed_kmh = nulls[5] ? NAN : DatumGetFloat8(values[5]);
	fix->ignition = nulls[6] ? -1 : DatumGetBool(values[6]);
	fix->driver = driver ? derive_make_text(VARDATA_ANY(driver), VARSIZE_ANY_EXHDR(driver)) : derive_make_text(NULL, 0);
	fix->sensors = sensors;
	if (sensors)
		sensor_raw_of_row(sensors, values[8], nulls[8], values[9], nulls[9]);
	if (stretch)
		*stretch = nulls[8] ? 0 : DatumGetInt32(values[8]);
}

void
derive_read_records(Derivation *derivation, int32 device_id, TimestampTz after, TimestampTz until,
					int fetch, bool (*take) (const DetectFix *fix, void *arg), void *arg)
{
	Datum		values[] = {Int32GetDatum(device_id), TimestampTzGetDatum(after), TimestampTzGetDatum(until)};
	bool		has_sensors = derivation->sensor_device != NULL;
	SPIPlanPtr	plan = derive_plan(derivation, has_sensors ? SQL_SENSOR_RECORDS : SQL_RECORDS);
	Portal		records = SPI_cursor_open(NULL, plan, values, NULL, false);
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "pt621 records", ALLOCSET_SMALL_SIZES);
	bool		more = true;

	while (more)
	{
		SPITupleTable *table;
		uint64		count;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(records, true, fetch);
		table = SPI_tuptable;
		count = SPI_processed;
		more = count > 0;
		for (uint64 i = 0; i < count && more; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(rows);
			DetectFix	fix;
			SensorRaw	sensors;

			derive_read_fix(&fix, table->vals[i], table->tupdesc, has_sensors ? &sensors : NULL, NULL);
			MemoryContextSwitchTo(old);
			more = take(&fix, arg);
		}
		SPI_freetuptable(table);
		MemoryContextReset(rows);
	}
	SPI_cursor_close(records);
	MemoryContextDelete(rows);
}
