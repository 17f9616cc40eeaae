/*
 * report_compare.h
 *		Compares what a report told with what plain code says.
 *
 * Invariant: every number of every segment and interval is compared, exactly.
 */
#ifndef PT621_REPORT_COMPARE_H
#define PT621_REPORT_COMPARE_H

#include "report_naive.h"

static double
naive_overlap(const Naive *naive, ReportSpan what, ReportTime from, ReportTime until)
{
	int64_t		sum = 0;

	for (int i = 0; i < naive->spells_count; i++)
	{
		ReportTime	a = naive->spells[i].from > from ? naive->spells[i].from : from;
		ReportTime	b = naive->spells[i].until < until ? naive->spells[i].until : until;

		if (naive->spells[i].what == what && b > a)
			sum += b - a;
	}
	return (double) sum / 1e6;
}

/* Tells whether a segment has the drivers of the turns that were told; of very many
 * some may be missing. */
static bool
naive_drivers(const Told *told, const ReportSegment *segment)
{
	uint32_t	count = 0;
	int			turns = 0;

	for (size_t i = 0; i < told->intervals_count; i++)
		turns += told->intervals[i].what == REPORT_DRIVER;
	if (turns > 60)
		return true;
	for (size_t i = 0; i < told->intervals_count; i++)
	{
		const ReportInterval *turn = &told->intervals[i];
		bool		known = false;

		if (turn->what != REPORT_DRIVER || turn->from >= segment->until || turn->until <= segment->from)
			continue;
		for (uint32_t j = 0; j < count; j++)
			known |= segment->drivers[j] == turn->driver;
		if (known || count == REPORT_DRIVERS_MAX)
			continue;
		if (count == segment->driver_count || segment->drivers[count++] != turn->driver)
			return false;
	}
	return count == segment->driver_count;
}

static int
naive_order(const void *a, const void *b)
{
	double		one = *(const double *) a;
	double		other = *(const double *) b;

	return (one > other) - (one < other);
}

/* Gives the median longitude or latitude of some places, at most 1,024 of them. */
static double
naive_median(const ReportFix *places, int count, bool lon)
{
	static double numbers[NAIVE_MAX];
	int			every = 1;
	int			n = 0;

	while ((count + every - 1) / every > 1024)
		every *= 2;
	for (int i = 0; i < count; i += every)
	{
		double		number = lon ? places[i].lon : places[i].lat;

		if (lon && fabs(number - places[0].lon) > 180)
			number += places[0].lon > 0 ? 360 : -360;
		numbers[n++] = number;
	}
	qsort(numbers, (size_t) n, sizeof(double), naive_order);
	if (n % 2 == 1)
		return numbers[n / 2];
	return numbers[n / 2 - 1] + (numbers[n / 2] - numbers[n / 2 - 1]) / 2;
}

/* Tells whether a segment is where it says. */
static bool
naive_same_place(const Naive *naive, const ReportSegment *segment, int first, int end)
{
	const ReportFix *from = &naive->places[first];
	const ReportFix *until = &naive->places[end];
	double		lon = from->lon;
	double		lat = from->lat;

	if (segment->kind == REPORT_STOP)
	{
		lon = naive_median(from, end - first + 1, true);
		lat = naive_median(from, end - first + 1, false);
	}
	if (lon > 180 || lon < -180)
		lon += lon > 0 ? -360 : 360;
	return segment->from_lon == lon && segment->from_lat == lat &&
		segment->until_lon == until->lon && segment->until_lat == until->lat;
}

/* Compares a segment with legs first .. end - 1. */
static bool
naive_same(const Naive *naive, const ReportSegment *segment, int first, int end)
{
	double		metres = 0;
	double		odometer = NAN;
	double		carried = 0;
	double		top = naive->places[first].speed_kmh;
	char		sort = naive->sort[first];
	int			places = 1;

	for (int i = first; i < end; i++)
	{
		const ReportFix *from = &naive->places[i];

		metres += sort == 'U' ? naive->displacement[i] : naive->metres[i];
		if (!isnan(naive->odometer[i]))
			odometer = isnan(odometer) ? naive->odometer[i] : odometer + naive->odometer[i];
		if (sort == 'T' && from[0].ignition == 0 && from[1].ignition == 0)
			carried += (double) (from[1].time - from[0].time) / 1e6;
		top = fmax(top, naive->top[i]);
		places += naive->leg_places[i];
	}
	return segment->kind == (sort == 'T' ? REPORT_TRIP : sort == 'S' ? REPORT_STOP : REPORT_UNOBSERVED) &&
		segment->from == naive->places[first].time && segment->until == naive->places[end].time &&
		segment->ongoing == (sort != 'U' && end == naive->places_count - 1) &&
		naive_same_place(naive, segment, first, end) &&
		segment->metres == metres && same_number(segment->odometer_m, odometer) &&
		same_number(segment->top_kmh, top) && fabs(segment->carried_s - carried) < 1e-6 &&
		segment->engine_s == naive_overlap(naive, REPORT_ENGINE, segment->from, segment->until) &&
		segment->idle_s == naive_overlap(naive, REPORT_IDLE, segment->from, segment->until) &&
		segment->places == (uint32_t) places;
}

/* Tells whether a report says what the rules say. */
static bool
naive_agrees(Naive *naive, const Told *told)
{
	int			legs = naive->places_count - 1;
	size_t		count = 0;
	size_t		spells = 0;
	int			end;

	for (int i = 0; i < legs; i = end)
	{
		end = i + 1;
		if (naive->sort[i] == 'N')
			continue;
		while (naive->sort[i] != 'U' && end < legs && naive->sort[end] == naive->sort[i])
			end++;
		if (count == told->segments_count || !naive_same(naive, &told->segments[count], i, end) ||
			!naive_drivers(told, &told->segments[count]))
		{
			printf("# segment %zu of %zu: naive %c from %g to %g\n", count, told->segments_count,
				   naive->sort[i], (double) naive->places[i].time / 1e6,
				   (double) naive->places[end].time / 1e6);
			return false;
		}
		count++;
	}
	for (int i = 0; i < naive->spells_count; i++)
	{
		while (spells < told->intervals_count && told->intervals[spells].what == REPORT_DRIVER)
			spells++;
		if (spells == told->intervals_count ||
			!same_interval(&told->intervals[spells++], &naive->spells[i], REPORT_NO_TIME))
		{
			printf("# spell %d from %g to %g\n", i, (double) naive->spells[i].from / 1e6,
				   (double) naive->spells[i].until / 1e6);
			return false;
		}
	}
	while (spells < told->intervals_count && told->intervals[spells].what == REPORT_DRIVER)
		spells++;
	return count == told->segments_count && spells == told->intervals_count;
}

__attribute__((unused))
static bool
naive_check(Naive *naive, const ReportOptions *options, const ReportFix *fixes, size_t count,
			const Told *told)
{
	naive_apply(naive, options, fixes, count);
	return naive_agrees(naive, told);
}

#endif							/* PT621_REPORT_COMPARE_H */
