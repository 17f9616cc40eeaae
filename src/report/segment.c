/*
 * segment.c
 *		Sums up a trip or stop, and tells it.
 *
 * Invariant: the samples of a stop's places are every stride-th one from the first,
 * whatever their number.
 */
#include "report/report_private.h"

static double
seconds(int64_t span)
{
	return (double) span / 1e6;
}

/* Adds the drivers of the time between two places. */
static void
add_drivers(const Report *report, ReportSegment *segment, const ReportPlace *from,
			const ReportPlace *to)
{
	for (uint32_t number = from->turns_ended; number < to->turns_begun; number++)
	{
		int32_t		driver = report_turn(report, number)->driver;
		uint32_t	i = 0;

		while (i < segment->driver_count && segment->drivers[i] != driver)
			i++;
		if (i == segment->driver_count && i < REPORT_DRIVERS_MAX)
			segment->drivers[segment->driver_count++] = driver;
	}
}

/* Takes a place as a sample of where the stop is; drops every other one when there are
 * too many. */
static void
take_sample(ReportSplit *split, const ReportPlace *place)
{
	double		first = split->samples_count > 0 ? split->lons[0] : place->point.lon;
	double		lon = place->point.lon;

	if ((split->samples_seen++ & (split->stride - 1)) != 0)
		return;
	if (split->samples_count == REPORT_SAMPLES_MAX)
	{
		split->samples_count /= 2;
		split->stride *= 2;
		for (size_t i = 1; i < split->samples_count; i++)
		{
			split->lons[i] = split->lons[2 * i];
			split->lats[i] = split->lats[2 * i];
		}
		/* The next one of the longer stride is this one: their number was even. */
	}
	/* The short way round: a stop may lie on the antimeridian. */
	if (lon - first > 180)
		lon -= 360;
	else if (lon - first < -180)
		lon += 360;
	split->lons[split->samples_count] = lon;
	split->lats[split->samples_count] = place->point.lat;
	split->samples_count++;
}

/* Moves the k-th smallest of some numbers to where it belongs. */
static double
select_kth(double *numbers, size_t count, size_t k)
{
	size_t		low = 0;
	size_t		high = count - 1;

	while (low < high)
	{
		double		pivot = numbers[low + (high - low) / 2];
		size_t		i = low;
		size_t		j = high;

		for (;;)
		{
			while (numbers[i] < pivot)
				i++;
			while (pivot < numbers[j])
				j--;
			if (i >= j)
				break;
			double		swapped = numbers[i];

			numbers[i++] = numbers[j];
			numbers[j--] = swapped;
		}
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return numbers[k];
}

/* Gives the median; of an even number of samples the mean of the two in the middle. */
static double
median(ReportSplit *split, const double *samples)
{
	size_t		count = split->samples_count;
	double		upper;
	double		lower;

	memcpy(split->scratch, samples, count * sizeof(samples[0]));
	upper = select_kth(split->scratch, count, count / 2);
	if (count % 2 == 1)
		return upper;
	lower = split->scratch[0];
	for (size_t i = 1; i < count / 2; i++)
		lower = fmax(lower, split->scratch[i]);
	return lower + (upper - lower) / 2;
}

static void
begin_samples(Report *report)
{
	ReportSplit *split = &report->split;

	if (split->lons == NULL)
	{
		double	   *memory = report->sink.grow(report->sink.arg, NULL,
											   3 * REPORT_SAMPLES_MAX * sizeof(double));

		split->lons = memory;
		split->lats = memory + REPORT_SAMPLES_MAX;
		split->scratch = memory + 2 * REPORT_SAMPLES_MAX;
	}
	split->samples_seen = 0;
	split->samples_count = 0;
	split->stride = 1;
}

static void
begin(ReportSegment *segment, ReportKind kind, const ReportPlace *place)
{
	memset(segment, 0, sizeof(*segment));
	segment->kind = kind;
	segment->from = segment->until = place->time;
	segment->from_lon = place->point.lon;
	segment->from_lat = place->point.lat;
	segment->top_kmh = NAN;
	segment->odometer_m = NAN;
	segment->places = 1;
	report_take_top(&segment->top_kmh, place->speed_kmh);
}

static void
add(const Report *report, ReportSegment *segment, const ReportPlace *from, const ReportLeg *leg)
{
	segment->until = leg->to.time;
	segment->until_lon = leg->to.point.lon;
	segment->until_lat = leg->to.point.lat;
	report_take_top(&segment->top_kmh, leg->top_kmh);
	report_add_known(&segment->odometer_m, leg->odometer_m);
	add_drivers(report, segment, from, &leg->to);
	if (__builtin_add_overflow(segment->places, leg->places, &segment->places))
		segment->places = UINT32_MAX;
}

/* Opens a trip or stop where nothing before is settled any more. */
void
report_segment_begin(Report *report, ReportKind kind)
{
	ReportSplit *split = &report->split;

	begin(&split->segment, kind, &split->at);
	split->segment.from_unknown = !split->sure;
	split->sure = true;
	split->open = kind == REPORT_STOP ? OPEN_STOP : OPEN_TRIP;
	split->engine = split->at.engine;
	split->idle = split->at.idle;
	if (kind == REPORT_STOP && report->sink.segment)
	{
		begin_samples(report);
		take_sample(split, &split->at);
	}
}

/* Adds a leg to the open one. */
void
report_segment_add(Report *report, const ReportLeg *leg)
{
	ReportSplit *split = &report->split;
	ReportSegment *segment = &split->segment;

	if (report->sink.segment == NULL)
		return;
	add(report, segment, &split->at, leg);
	segment->metres += leg->metres;
	if (segment->kind == REPORT_STOP)
		take_sample(split, &leg->to);
	else if (leg->carried)
	{
		segment->carried_s += seconds(report_span(split->at.time, leg->to.time));
		segment->carried_metres += leg->metres;
	}
}

/* Tells the open one, up to what is settled. */
void
report_segment_tell(Report *report, bool ongoing)
{
	ReportSplit *split = &report->split;
	ReportSegment *segment = &split->segment;

	if (report->sink.segment == NULL)
		return;
	segment->ongoing = ongoing;
	segment->engine_s = seconds(split->at.engine - split->engine);
	segment->idle_s = seconds(split->at.idle - split->idle);
	if (segment->kind == REPORT_STOP)
	{
		segment->from_lon = remainder(median(split, split->lons), 360);
		segment->from_lat = median(split, split->lats);
	}
	report->sink.segment(report->sink.arg, segment);
}

/* Tells an unobserved leg. */
void
report_segment_unobserved(Report *report, const ReportLeg *leg)
{
	const ReportPlace *from = &report->split.at;
	ReportSegment segment;

	if (report->sink.segment == NULL)
		return;
	begin(&segment, REPORT_UNOBSERVED, from);
	add(report, &segment, from, leg);
	segment.metres = leg->displacement;
	segment.engine_s = seconds(leg->to.engine - from->engine);
	segment.idle_s = seconds(leg->to.idle - from->idle);
	report->sink.segment(report->sink.arg, &segment);
}

/* Tells of a leg what it is of. */
void
report_tell_slice(Report *report, const ReportLeg *leg, ReportKind kind)
{
	if (report->sink.slice == NULL)
		return;
	report->sink.slice(report->sink.arg, &(ReportSlice) {
		.kind = kind,
		.from = report->split.at.time,
		.until = leg->to.time,
		.metres = kind == REPORT_UNOBSERVED ? leg->displacement : leg->metres,
		.odometer_m = leg->odometer_m,
		.carried = kind == REPORT_TRIP && leg->carried,
		.top_kmh = leg->top_kmh
	});
}
