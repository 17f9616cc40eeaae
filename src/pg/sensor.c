/*
 * sensor.c
 *		pt621_calibrate(): what a sensor measures, of its raw count.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "fmgr.h"

#include "pg/sensor.h"
#include "sensor/calibrate.h"

/* Gives the numbers of an array in one dimension, without NULL; NULL = it is not so. */
static double *
get_numbers(ArrayType *array, int *count)
{
	if (ARR_NDIM(array) != 1 || ARR_ELEMTYPE(array) != FLOAT8OID || array_contains_nulls(array))
		return NULL;
	*count = ARR_DIMS(array)[0];
	return (double *) ARR_DATA_PTR(array);
}

bool
sensor_table(ArrayType *raw, ArrayType *value, SensorTable *table)
{
	int			values;

	table->raw = get_numbers(raw, &table->pairs);
	table->value = get_numbers(value, &values);
	return table->raw && table->value && table->pairs == values &&
		calibrate_valid(table->raw, table->value, (size_t) values);
}

PG_FUNCTION_INFO_V1(pt621_calibrate);

/* pt621_calibrate(count, raw, value): NULL when the count is outside the table. */
Datum
pt621_calibrate(PG_FUNCTION_ARGS)
{
	SensorTable table;
	double		value;

	if (!sensor_table(PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2), &table))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("these are no table of a sensor"),
				 errhint("Raw counts and values are two arrays of the same length, two or more of each, all finite; raw counts ascend.")));
	value = calibrate(table.raw, table.value, (size_t) table.pairs, PG_GETARG_FLOAT8(0));
	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}
