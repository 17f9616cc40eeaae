/*
 * fuzz_report.c
 *		Reports on any track.
 *
 * Options, then where to begin, then fixes of FIX_BYTES each.  Checked: what is told is
 * what plain code says (test/unit/report_naive.h); it has no holes (told_segment() and the
 * like); a report that begins later says the same from where it says that it is settled.
 */
#include "../unit/report_compare.h"

#define FIX_BYTES	6
#define FIXES_MAX	400

static ReportFix fixes[FIXES_MAX];
static Naive naive;

/* Makes the options of a few bits. */
static void
read_options(const uint8_t *data, ReportOptions *options)
{
	*options = report_defaults;
	options->use_ignition = data[0] & 1;
	if (data[0] & 2)
		options->rest_after = S(30);
	if (data[0] & 4)
		options->min_stop = S(20);
	if (data[0] & 8)
		options->max_gap = S(60);
	if (data[0] & 16)
		options->stop_radius_m = 50;
	if (data[0] & 32)
		options->ignition_debounce = data[0] & 64 ? S(40) : 0;
	if (data[0] & 128)
		options->idle_after = 0;
	if (data[1] & 1)
		options->wired_since = S(50);
	else
		options->wired_since = 0;
	if (data[1] & 2)
		options->driver_off_after = S(20);
	if (data[1] & 4)
		options->harsh_step = S(100);
	if (data[1] & 8)
		options->jitter_m = 0;
}

/* Reads the next fix of a track. */
static void
read_fix(const uint8_t *data, ReportFix *fix)
{
	uint8_t		bits = data[4];
	int64_t		odometer = fix->odometer_m;

	/* Mostly steps of some seconds; now and then silence, to the next day. */
	fix->time += data[0] < 100 ? S(data[0] / 10) : data[0] < 240 ? S(data[0] - 90) / 2 :
		S((data[0] - 239) * 600) + (data[0] == 255 ? S(60000) : 0);
	if (data[1] < 250)
		fix->lon += (data[1] - 125) / 1e5 * (data[5] & 1 ? 20 : 1);
	else
		fix->lon = data[1] == 255 ? 179.999 : data[1] == 254 ? -179.999 : 0;
	if (fabs(fix->lon) > 180)
		fix->lon = -fix->lon / 180 * 179.999;
	fix->lat = fmax(-0.05, fmin(0.05, fix->lat + (data[2] - 127.0) / 1e5));
	fix->speed_kmh = data[3] < 240 ? data[3] / 4 : NAN;
	fix->course = (float) (data[3] * 2);
	fix->ignition = (int8_t) ((bits & 3) < 3 ? (bits & 3) - 1 : -1);
	fix->driver = bits & 4 ? 1 + (bits >> 3 & 3) : 0;
	if (odometer < 0)
		odometer = 0;
	if (bits & 32)
		odometer += (bits & 64) ? 20 * data[5] : -10 * (int64_t) data[5];
	fix->odometer_m = odometer;
}

static void
check_beginnings(const ReportOptions *options, size_t count, size_t begin, const Told *whole)
{
	Told		told = {.days = whole->days};
	ReportTime	settled;

	if (told_run_from(&told, options, fixes + begin, count - begin, &settled))
		CHECK(told_same_after(whole, &told, settled));
	told_clear(&told);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ReportOptions options;
	ReportFix	fix = {.time = 0, .odometer_m = -1};
	Told		told = {.days = true};
	size_t		count;

	if (size < 4)
		return 0;
	read_options(data, &options);
	count = (size - 4) / FIX_BYTES;
	if (count > FIXES_MAX)
		count = FIXES_MAX;
	told.days = data[1] & 16;
	for (size_t i = 0; i < count; i++)
	{
		const uint8_t *bytes = data + 4 + i * FIX_BYTES;

		read_fix(bytes, &fix);
		fixes[i] = fix;
		if (bytes[4] & 128)
			fixes[i].lon = NAN;
		if (bytes[5] & 2)
			fixes[i].odometer_m = -1;
	}
	told_run(&told, &options, fixes, count);
	CHECK(naive_check(&naive, &options, fixes, count, &told));
	for (size_t i = 0; i < 4 && count > 0; i++)
		check_beginnings(&options, count, (data[2] + i * (data[3] % 16 + 1)) % count, &told);
	told_clear(&told);
	return 0;
}
