/*
 * fuzz_fuel.c
 *		Records and readings of any kind, in order of time.
 *
 * Checked: events are told once, in order, with amounts that fit their levels;
 * levels ascend in time; memory is bounded by the readings of two hours; and a pass
 * that begins or ends in the middle tells, as far as it says, what one over all does.
 */
#include "report/fuel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

#define RECORD_BYTES	8
#define RECORDS_MAX		4000
#define EVENTS_MAX		4000

typedef struct Record
{
	ReportFix	fix;
	FuelReading reading;
	bool		has_reading;
} Record;

static Record records[RECORDS_MAX];

typedef struct Told
{
	FuelEvent	events[EVENTS_MAX];
	int			count;
	ReportTime	last_level;
	void	   *blocks[4];
} Told;

static void
take_event(void *arg, const FuelEvent *event)
{
	Told	   *told = arg;
	const FuelEvent *before = told->count > 0 ? &told->events[told->count - 1] : NULL;

	CHECK(told->count < EVENTS_MAX);
	CHECK(event->litres > 0 && event->from <= event->until);
	CHECK(event->confidence >= 0 && event->confidence <= 1);
	CHECK(before == NULL || before->from <= event->from);
	told->events[told->count++] = *event;
}

static void
take_level(void *arg, const FuelLevel *level)
{
	Told	   *told = arg;

	CHECK(level->time > told->last_level);
	told->last_level = level->time;
}

static void *
grow(void *arg, void *old, size_t size)
{
	Told	   *told = arg;
	int			i = 0;

	while (i < 4 && told->blocks[i] != old)
		i++;
	CHECK(i < 4 && size < 10000000);
	told->blocks[i] = realloc(old, size);
	CHECK(told->blocks[i] != NULL);
	return told->blocks[i];
}

/* Makes records of bytes; gives how many. */
static int
make_records(const uint8_t *data, size_t size)
{
	ReportTime	time = 0;
	double		lon = 0;
	double		litres = 50;
	int			count = 0;

	for (; size >= RECORD_BYTES && count < RECORDS_MAX; data += RECORD_BYTES, size -= RECORD_BYTES)
	{
		Record	   *record = &records[count++];

		/* From a third of a second to 7 hours. */
		time += (int64_t) (data[0] + 1) * REPORT_SECOND / 3 << (data[1] & 7);
		lon += (double) (int8_t) data[2] / (data[1] & 8 ? 10 : 1000);
		litres += (double) (int8_t) data[3] / (data[1] & 16 ? 1 : 50);
		record->fix = (ReportFix) {.time = time,.lon = data[1] & 32 ? NAN : fmod(lon, 180),.lat = (double) (data[4] % 90),
			.odometer_m = -1,.speed_kmh = data[5] == 255 ? NAN : (float) (data[5] / 2.0),.course = NAN,
		.ignition = (int8_t) (data[6] % 3 - 1)};
		record->has_reading = (data[1] & 64) == 0;
		record->reading = (FuelReading) {.litres = data[7] == 255 ? NAN : data[7] == 254 ? 1e300 : litres,.raw = floor(litres),
		.lowest_l = 0,.tank_l = 100,.table = 1 + (data[7] == 253)};
	}
	return count;
}

static Told *
pass(const FuelOptions *options, int from, int until, ReportTime *settled_at, ReportTime *told_until)
{
	Told	   *told = calloc(1, sizeof(Told));
	FuelSink	sink = {.level = take_level,.event = take_event,.grow = grow};
	Fuel	   *fuel;

	CHECK(told != NULL);
	told->last_level = REPORT_NO_TIME;
	sink.arg = told;
	fuel = fuel_new(options, &sink, from == 0);
	for (int i = from; i < until; i++)
		fuel_step(fuel, &records[i].fix, records[i].has_reading ? &records[i].reading : NULL);
	*told_until = fuel_told_until(fuel);
	fuel_end(fuel);
	*settled_at = fuel_settled_at(fuel);
	for (int i = 0; i < 4; i++)
		free(told->blocks[i]);
	return told;
}

static bool
is_same(const FuelEvent *a, const FuelEvent *b)
{
	return a->refuel == b->refuel && a->from == b->from && a->until == b->until && a->litres == b->litres &&
		a->before == b->before && a->after == b->after && a->confidence == b->confidence;
}

/* Checks that both tell the same of [low, high). */
static void
check_same(const Told *whole, const Told *part, ReportTime low, ReportTime high)
{
	int			i = 0;
	int			j = 0;

	while (i < whole->count && whole->events[i].from < low)
		i++;
	while (j < part->count && part->events[j].from < low)
		j++;
	for (; i < whole->count && whole->events[i].from < high; i++, j++)
		CHECK(j < part->count && is_same(&whole->events[i], &part->events[j]));
	CHECK(j == part->count || part->events[j].from >= high);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuelOptions options = fuel_defaults;
	ReportTime	settled_at;
	ReportTime	told_until;
	int			count;
	Told	   *whole;
	Told	   *part;

	if (size < 2 + RECORD_BYTES)
		return 0;
	options.fills_in_motion = data[0] & 1;
	options.drains_in_motion = data[0] & 2;
	count = make_records(data + 2, size - 2);
	whole = pass(&options, 0, count, &settled_at, &told_until);
	part = pass(&options, data[1] * count / 256, count, &settled_at, &told_until);
	if (settled_at != REPORT_ENDLESS)
		check_same(whole, part, settled_at, REPORT_ENDLESS);
	free(part);
	part = pass(&options, 0, data[1] * count / 256, &settled_at, &told_until);
	if (told_until != REPORT_NO_TIME)
		check_same(whole, part, REPORT_NO_TIME, told_until);
	free(part);
	free(whole);
	return 0;
}
