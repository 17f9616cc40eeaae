/*
 * test_report_random.c
 *		Random tracks: reports and plain code say the same of them, and so does a report
 *		that begins anywhere.
 *
 * Invariant: the tracks are the same in every run.  They stand, drive, crawl, fall
 * silent, jump, are carried; with what trackers leave out.
 */
#include "report_compare.h"
#include "tap.h"

#define TRACKS		5000
#define FIXES_MAX	1000

typedef enum Mood
{
	PARKED,
	STANDING,					/* with the engine on */
	DRIVING,
	CRAWLING,
	YARD,						/* moving within a small place */
	CARRIED,
	MOODS
} Mood;

static uint64_t seed;
static ReportFix fixes[FIXES_MAX];
static size_t fixes_count;
static Naive naive;

/* What a random report is settled with, over all tracks. */
static size_t settled_count;
static size_t segments_count[3];

/* A random number from 0 to below `count`. */
static int
below(int count)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int) (seed >> 11) % count >= 0 ? (int) ((seed >> 11) % (uint64_t) count) : 0;
}

static double
about(double middle, double spread)
{
	return middle + spread * (below(2001) - 1000) / 1000.0;
}

/* A habit of a tracker: what it sends, and how often. */
typedef struct Habit
{
	int			step_ms;
	double		jitter;			/* degrees */
	bool		speeds;
	bool		ignition;
	bool		odometer;
	int			faults;			/* in a thousand fixes */
} Habit;

/* Adds a fix, or several, or none. */
static void
add(const Habit *habit, ReportFix fix)
{
	bool		fault = below(1000) < habit->faults;

	fix.lon += about(0, habit->jitter);
	fix.lat += about(0, habit->jitter);
	if (!habit->speeds)
		fix.speed_kmh = NAN;
	if (!habit->ignition)
		fix.ignition = -1;
	if (!habit->odometer)
		fix.odometer_m = -1;
	if (fault)
		switch (below(9))
		{
			case 0: fix.lon = NAN; break;
			case 1: fix.lon += about(0, 0.5); break;
			case 2: fix.ignition = fix.ignition == 0; break;
			case 3: fix.ignition = -1; break;
			case 4: fix.speed_kmh = NAN; break;
			case 5: fix.odometer_m = below(2) ? -1 : below(100000); break;
			case 6: fix.driver = 1 + below(3); break;
			case 7: fix.speed_kmh = (float) below(20); break;
			default: fix.lat += about(0, 0.004); break;
		}
	if (fixes_count < FIXES_MAX)
		fixes[fixes_count++] = fix;
	if (fault && below(3) == 0 && fixes_count < FIXES_MAX)
	{
		fix.ignition = (int8_t) (below(3) - 1);
		fix.lat += 0.001;
		fixes[fixes_count++] = fix;
	}
}

/* Adds some fixes of one mood. */
static void
add_phase(const Habit *habit, ReportFix *fix, Mood mood)
{
	static const double speeds[MOODS] = {0, 0, 50, 2.5, 8, 15};
	int			count = 1 + below(40);
	double		kmh = fmax(0, about(speeds[mood], speeds[mood] / 2));
	double		east = about(0, 1);
	double		north = about(0, 1);

	if (below(8) == 0)
	{
		/* It falls silent, and may be elsewhere then. */
		fix->time += S(100 * below(80));
		if (below(2))
			fix->lon += about(0, 0.1);
	}
	if (below(4) == 0)
		fix->driver = below(4);
	for (int i = 0; i < count; i++)
	{
		double		step = (habit->step_ms + (below(4) == 0 ? below(habit->step_ms) : 0)) / 1e3;
		double		degrees = kmh * step / 400000;

		fix->time += S(step) + (below(20) == 0 ? 500000 : 0);
		fix->ignition = mood != PARKED && mood != CARRIED;
		fix->speed_kmh = kmh < 1 ? (float) below(2) : (float) fmax(0, about(kmh, kmh / 3));
		fix->course = (float) below(360);
		if (mood != YARD || below(4) > 0)
		{
			fix->lon += degrees * east;
			fix->lat += degrees * north;
		}
		if (mood == YARD)
		{
			east = about(0, 1);
			north = about(0, 1);
		}
		fix->odometer_m += (int64_t) (degrees * 111000 * hypot(east, north));
		add(habit, *fix);
	}
}

static void
make_track(void)
{
	static const int steps[] = {100, 400, 1000, 5000, 10000, 10000, 30000, 60000, 200000, 1200000};
	Habit		habit = {
		.step_ms = steps[below(10)],
		.jitter = below(3) ? 0.00005 : below(2) ? 0.0004 : 0.0009,
		.speeds = below(4) > 0,
		.ignition = below(4) > 0,
		.odometer = below(3) > 0,
		.faults = below(3) ? 20 : below(200)
	};
	ReportFix	fix = {.time = S(below(100000)), .lon = about(0, 100), .lat = about(0, 60)};
	int			phases = 1 + below(16);

	fixes_count = 0;
	for (int i = 0; i < phases; i++)
		add_phase(&habit, &fix, (Mood) below(MOODS));
}

static void
make_options(ReportOptions *options)
{
	*options = report_defaults;
	options->wired_since = 0;
	for (size_t i = 0; i < fixes_count && below(2); i++)
		if (fixes[i].ignition == 1)
		{
			options->wired_since = fixes[i].time;
			break;
		}
	options->use_ignition = below(4) > 0;
	if (below(3) == 0)
		options->stop_radius_m = 30 + below(400);
	if (below(3) == 0)
		options->rest_after = S(below(600));
	if (below(3) == 0)
		options->min_stop = S(below(900));
	if (below(3) == 0)
		options->max_gap = S(30 + below(3000));
	if (below(3) == 0)
		options->idle_after = S(below(300));
	if (below(3) == 0)
		options->driver_off_after = S(below(900));
	if (below(3) == 0)
		options->ignition_debounce = S(below(30));
}

/* Tells whether reports that begin later say the same, from where they are settled. */
static bool
same_from_anywhere(const ReportOptions *options, const Told *whole)
{
	Told		told = {.days = whole->days};
	bool		same = true;
	ReportTime	settled;

	for (size_t i = 0; i < fixes_count && same; i += 1 + (size_t) below(20))
	{
		if (!told_run_from(&told, options, fixes + i, fixes_count - i, &settled))
			continue;
		settled_count++;
		same = told_same_after(whole, &told, settled);
		if (!same)
			printf("# begun with fix %zu, at %.6f\n", i, (double) fixes[i].time / 1e6);
	}
	told_clear(&told);
	return same;
}

int
main(int argc, char **argv)
{
	int			tracks = argc > 1 ? atoi(argv[1]) : TRACKS;
	int			differ = 0;
	int			differ_later = 0;
	Told		told = {.days = true};

	for (int track = 0; track < tracks; track++)
	{
		ReportOptions options;

		seed = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t) (track + 1);
		make_track();
		make_options(&options);
		told_run(&told, &options, fixes, fixes_count);
		for (size_t i = 0; i < told.segments_count; i++)
			segments_count[told.segments[i].kind]++;
		if (!naive_check(&naive, &options, fixes, fixes_count, &told))
		{
			differ++;
			printf("# track %d\n", track);
		}
		if (!same_from_anywhere(&options, &told))
		{
			differ_later++;
			printf("# track %d\n", track);
		}
	}
	told_clear(&told);
	printf("# %zu trips, %zu stops, %zu unobserved; %zu later beginnings\n",
		   segments_count[REPORT_TRIP], segments_count[REPORT_STOP],
		   segments_count[REPORT_UNOBSERVED], settled_count);
	is_int(differ, 0, "%d random tracks: the same as plain code says", tracks);
	is_int(differ_later, 0, "the same from anywhere");
	ok(segments_count[REPORT_TRIP] > (size_t) tracks && segments_count[REPORT_STOP] > (size_t) tracks / 2 &&
	   segments_count[REPORT_UNOBSERVED] > (size_t) tracks / 4 && settled_count > (size_t) tracks,
	   "they were worth it");
	return done_testing();
}
