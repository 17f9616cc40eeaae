/*
 * calibrate.c
 *	  From the raw count of an analog input to what it measures.
 */
#include "sensor/calibrate.h"

#include <math.h>

bool
calibrate_valid(const double *raw, const double *value, size_t pairs)
{
	if (pairs < 2)
		return false;
	for (size_t i = 0; i < pairs; i++)
	{
		if (!isfinite(raw[i]) || !isfinite(value[i]) || (i > 0 && !(raw[i - 1] < raw[i])))
			return false;
	}
	return true;
}

double
calibrate(const double *raw, const double *value, size_t pairs, double count)
{
	size_t		low = 0;
	size_t		high = pairs - 1;
	double		margin;
	double		part;

	if (pairs < 2 || !isfinite(count))
		return NAN;

	/* Of halves: the difference of two large numbers may be none. */
	margin = 2 * CALIBRATE_MARGIN * (raw[high] / 2 - raw[low] / 2);
	if (count < raw[low] - margin || count > raw[high] + margin)
		return NAN;
	if (count <= raw[low])
		return value[low];
	if (count >= raw[high])
		return value[high];

	while (high - low > 1)
	{
		size_t		middle = low + (high - low) / 2;

		if (raw[middle] <= count)
			low = middle;
		else
			high = middle;
	}
	if (value[low] == value[high])
		return value[low];
	part = (count / 2 - raw[low] / 2) / (raw[high] / 2 - raw[low] / 2);
	return value[low] * (1 - part) + value[high] * part;
}
