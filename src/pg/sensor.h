/*
 * sensor.h
 *		Tables of sensors, as they are kept in pt621.calibration.
 */
#ifndef PT621_PG_SENSOR_H
#define PT621_PG_SENSOR_H

#include "postgres.h"

#include "utils/array.h"

/* A table of a sensor: raw counts, ascending, and values. */
typedef struct SensorTable
{
	int			pairs;
	double	   *raw;
	double	   *value;
} SensorTable;

/* Makes a table of two double precision[], which it points into.  False: they are
 * none. */
extern bool sensor_table(ArrayType *raw, ArrayType *value, SensorTable *table);

#endif							/* PT621_PG_SENSOR_H */
