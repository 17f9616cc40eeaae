/*
 * fuel_level.c
 *	  Readings of the level: kept, filtered, and their medians.
 *
 * Invariant: a median is one of the numbers, the lower of the two middle ones, so
 * it is the same whatever order they come in.
 */
#include "report/fuel_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNSURE	10.0

void
fuel_add_point(Fuel *fuel, const FuelPoint *point)
{
	if (fuel->count == fuel->room)
	{
		size_t		room = fuel->room ? fuel->room * 2 : 64;

		fuel->points = fuel->sink.grow(fuel->sink.arg, fuel->points, room * sizeof(FuelPoint));
		fuel->room = room;
	}
	fuel->points[fuel->count++] = *point;
}

void
fuel_drop_points(Fuel *fuel)
{
	size_t		drop = 0;

	/* Half of them at once: each is moved about once. */
	if (fuel->next < fuel->room / 2 || fuel->next <= SIDE_FEW ||
		fuel_span(fuel->points[fuel->next / 2].time, fuel->points[fuel->next - 1].time) <= KEPT)
		return;
	while (drop + SIDE_FEW < fuel->next &&
		   fuel_span(fuel->points[drop].time, fuel->points[fuel->next - 1].time) > KEPT)
		drop++;
	memmove(fuel->points, fuel->points + drop, (fuel->count - drop) * sizeof(FuelPoint));
	fuel->count -= drop;
	fuel->next -= drop;
}

/* Makes room for so many numbers. */
static int64_t *
scratch(Fuel *fuel, size_t count)
{
	if (fuel->scratch_room < count)
	{
		size_t		room = count * 2;

		fuel->scratch = fuel->sink.grow(fuel->sink.arg, fuel->scratch, room * sizeof(int64_t));
		fuel->scratch_room = room;
	}
	return fuel->scratch;
}

/* Gives the median of what is in scratch; count is not 0.  Each turn sorts out
 * those that are on the wrong side of one of them. */
static int64_t
median(Fuel *fuel, size_t count)
{
	int64_t    *number = fuel->scratch;
	const size_t middle = (count - 1) / 2;
	size_t		low = 0;
	size_t		high = count - 1;

	while (low < high)
	{
		int64_t		pivot = number[low + (high - low) / 2];
		size_t		i = low;
		size_t		j = high;

		for (;;)
		{
			int64_t		swap;

			while (number[i] < pivot)
				i++;
			while (number[j] > pivot)
				j--;
			if (i >= j)
				break;
			swap = number[i];
			number[i++] = number[j];
			number[j--] = swap;
		}
		if (middle <= j)
			high = j;
		else
			low = j + 1;
	}
	return number[middle];
}

FuelSide
fuel_side(Fuel *fuel, size_t from, size_t until)
{
	FuelSide	side = {0, 0, 0};
	int64_t    *levels;

	if (from >= until)
		return side;
	side.count = until - from;
	levels = scratch(fuel, side.count);
	for (size_t i = 0; i < side.count; i++)
		levels[i] = fuel->points[from + i].litres + fuel->points[from + i].burnt;
	side.level = median(fuel, side.count);
	for (size_t i = 0; i < side.count; i++)
		levels[i] = llabs(levels[i] - side.level);

	/* The median of their distances is 1 / 1.4826 of the standard deviation of
	 * normal ones, and the error of a median 1.2533 of that of a mean.  A few
	 * readings tell little of how they scatter. */
	side.error = 1.4826 * 1.2533 * (double) median(fuel, side.count) / sqrt((double) side.count) *
		(1 + UNSURE / (double) side.count);
	return side;
}

FuelSide
fuel_side_before(Fuel *fuel, size_t i, bool with)
{
	ReportTime	time = fuel->points[i].time;
	size_t		until = with ? i + 1 : i;
	size_t		from = until;

	while (from > 0 && fuel->points[from - 1].time >= fuel->since)
	{
		int64_t		age = fuel_span(fuel->points[from - 1].time, time);
		size_t		count = until - from;

		if (age > SIDE && count > 0 && (count >= SIDE_FEW || age > SIDE_FAR))
			break;
		from--;
	}
	return fuel_side(fuel, from, until);
}

void
fuel_filter(Fuel *fuel, size_t i)
{
	FuelPoint  *points = fuel->points;
	ReportTime	time = points[i].time;
	size_t		from = i;
	size_t		until = i + 1;
	int64_t    *levels;

	while (from > 0)
	{
		int64_t		age = fuel_span(points[from - 1].time, time);

		if (age > FILTER_SIDE && (i - from >= FILTER_FEW || age > FILTER_FAR))
			break;
		from--;
	}
	while (until < fuel->count)
	{
		int64_t		age = fuel_span(time, points[until].time);

		if (age > FILTER_SIDE && (until - i > FILTER_FEW || age > FILTER_FAR))
			break;
		until++;
	}
	levels = scratch(fuel, until - from);
	for (size_t j = from; j < until; j++)
		levels[j - from] = points[j].litres + points[j].burnt;
	points[i].smooth = median(fuel, until - from);
}
