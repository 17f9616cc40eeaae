/*
 * calibrate.h
 *	  From the raw count of an analog input to what it measures.
 *
 * Pure C: no PostgreSQL, no memory of its own.
 */
#ifndef PT621_SENSOR_CALIBRATE_H
#define PT621_SENSOR_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>

/* So much of the table's span, on either side of it, still counts as its end;
 * what lies farther out is a fault of the sensor or its wire. */
#define CALIBRATE_MARGIN	0.05

/* Tells whether the pairs make a table: two or more, all finite, raw ascending. */
extern bool calibrate_valid(const double *raw, const double *value, size_t pairs);

/*
 * Gives the value of a count, straight between the pairs of a valid table; NAN for
 * a count that is none, or farther outside the table than CALIBRATE_MARGIN.
 */
extern double calibrate(const double *raw, const double *value, size_t pairs, double count);

#endif							/* PT621_SENSOR_CALIBRATE_H */
