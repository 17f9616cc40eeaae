/*
 * test_fuel.c
 *		Refuels and drains: those that there are, and none that there are not.
 */
#include "fuel_day.h"

#include "tap.h"

/* Writes what was told: hour:minute of the last reading before, litres. */
static const char *
show(const Told *told)
{
	static char out[80 * DAY_EVENTS];
	size_t		used = 0;

	out[0] = '\0';
	for (int i = 0; i < told->count; i++)
	{
		const FuelEvent *event = &told->events[i];
		long		minutes = (long) ((event->from - DAY_START) / REPORT_SECOND / 60);

		used += (size_t) snprintf(out + used, sizeof(out) - used, "%s%s %02ld:%02ld", i ? ", " : "",
								  event->refuel ? "refuel" : "drain", minutes / 60, minutes % 60);
	}
	return out;
}

/* Checks what was told: which, and of the one at hand how many litres. */
static void
check(Day *day, const char *expected, double litres, const char *what)
{
	Told	   *told = day_told(day);

	is_str(show(told), expected, "%s", what);
	if (told->count > 0)
		ok(fabs((double) told->events[told->count - 1].litres / FUEL_LITRE - litres) <= 0.08 * litres, "%s: %.2f litres, %.2f",
		   what, (double) told->events[told->count - 1].litres / FUEL_LITRE,
		   told->events[told->count - 1].confidence);
	ok(told->in_order, "%s: in order", what);
	free(told);
	free(day);
}

static void
test_refuel(double every_s, double parked_every_s, const char *expected, const char *what)
{
	Day		   *day = day_new(50);

	day_drive(day, 60, every_s);
	day_stand(day, 1, fmin(parked_every_s, 60), 0);
	day_stand(day, 4, fmin(parked_every_s, 240), 40);
	day_stand(day, 1, fmin(parked_every_s, 60), 0);
	day_drive(day, 60, every_s);
	day_stand(day, 120, parked_every_s, 0);
	check(day, expected, 40, what);
}

static void
test_refuels(void)
{
	Day		   *day;

	test_refuel(10, 10, "refuel 01:00", "a refuel of 40 l, each 10 s");
	test_refuel(1, 1, "refuel 01:00", "each second");
	test_refuel(60, 60, "refuel 01:01", "each minute");
	test_refuel(60, 600, "refuel 01:01", "each minute, each 10 minutes parked");

	day = day_new(50);
	day_drive(day, 60, 60);
	day->litres += 40;
	day_drive(day, 60, 60);
	check(day, "", 0, "a level that jumps in motion is none");

	/* Parked all night; filled up in the depot; driven off at once. */
	day = day_new(50);
	day_drive(day, 30, 60);
	day_stand(day, 480, 600, 0);
	day_stand(day, 10, 600, 40);
	day_drive(day, 30, 60);
	check(day, "refuel 08:30", 40, "a refuel at the end of a night");

	/* The tracker says nothing from before the stop to after it. */
	day = day_new(50);
	day_drive(day, 60, 60);
	day->seconds += 600;
	day->litres += 40;
	day_drive(day, 60, 60);
	check(day, "refuel 01:00", 40, "a refuel that nobody heard of");
}

static void
test_drains(void)
{
	Day		   *day = day_new(60);

	day_drive(day, 60, 10);
	day_stand(day, 120, 60, 0);
	day_stand(day, 60, 60, -15);
	day_stand(day, 180, 60, 0);
	day_drive(day, 60, 10);
	check(day, "drain 03:05", 15, "15 l in an hour, parked");

	day = day_new(60);
	day_drive(day, 60, 60);
	day_stand(day, 60, 600, 0);
	day_stand(day, 60, 600, -15);
	day_stand(day, 60, 600, 0);
	day_drive(day, 60, 60);
	check(day, "drain 02:00", 15, "the same, each 10 minutes");

	day = day_new(60);
	day_drive(day, 60, 30);
	day_stand(day, 5, 30, 0);
	day->seconds += 8 * 3600;
	day->litres -= 20;
	day_stand(day, 5, 30, 0);
	day_drive(day, 60, 30);
	check(day, "drain 01:05", 20, "20 l while the tracker sleeps");

	day = day_new(60);
	day_drive(day, 60, 30);
	day_stand(day, 30, 30, 0);
	day_stand(day, 5, 30, -10);
	day_stand(day, 3, 30, 0);
	day_stand(day, 5, 30, -10);
	day_stand(day, 30, 30, 0);
	check(day, "drain 01:30", 20, "in two goes, 3 minutes apart");

	/* All that was burnt was burnt for nothing: the engine was on. */
	day = day_new(60);
	day_drive(day, 60, 30);
	for (int i = 0; i < 8 * 60; i++)
	{
		day->seconds += 60;
		day->litres -= 1.2 / 60;
		day_record(day, 0, day_reading(day, day->still));
	}
	day_drive(day, 60, 30);
	check(day, "", 0, "8 hours of idling are none");
}

static void
test_slosh(void)
{
	Day		   *day;

	for (int try = 0; try < 60; try++)
	{
		const int	every = 10 + try % 3 * 25;
		Told	   *told;
		int			wrong = 0;

		day = day_new(70);
		day->seed = (unsigned) try;
		day->slosh = 8;
		day->burns = 7;
		for (int i = 0; i < 20; i++)
		{
			day_drive(day, 13 + i, every);
			day_stand(day, 4 + 3 * (i % 4), every, 0);
		}
		told = day_told(day);
		for (int i = 0; i < told->count; i++)
			wrong++;
		is_int(wrong, 0, "8 l of slosh up and down, each %d s: %s", every, show(told));
		free(told);
		free(day);
	}
	day = day_new(50);
	day->slosh = 8;
	day_drive(day, 60, 10);
	day_stand(day, 6, 10, 40);
	day_drive(day, 60, 10);
	check(day, "refuel 01:00", 40, "a refuel between two drives of it");
}

static void
test_faults(void)
{
	Day		   *day = day_new(60);

	day_drive(day, 60, 10);
	day_stand(day, 30, 10, 0);
	for (int i = 0; i < 12; i++)
	{
		day->seconds += 10;
		day_record(day, 0, 0);
	}
	day_stand(day, 30, 10, 0);
	check(day, "", 0, "two minutes of zero are no drain");

	day = day_new(60);
	day_drive(day, 60, 10);
	day_stand(day, 30, 10, 0);
	for (int i = 0; i < 40 * 6; i++)
	{
		day->seconds += 10;
		day_record(day, 0, 0);
	}
	day_stand(day, 30, 10, 0);
	check(day, "", 0, "nor are 40 that the level comes back from");

	day = day_new(60);
	day_drive(day, 60, 10);
	for (int i = 0; i < 20 * 6; i++)
	{
		day->seconds += 10;
		day->lon += 0.0015;
		day_record(day, 60, 0);
	}
	day_stand(day, 30, 10, 0);
	check(day, "", 0, "nobody drives with an empty tank");

	/* The starter. */
	day = day_new(60);
	day_drive(day, 60, 10);
	day_stand(day, 60, 600, 0);
	for (int i = 0; i < 3; i++)
	{
		day->seconds += 10;
		day->ignition = 1;
		day_record(day, 0, 20);
	}
	for (int i = 0; i < 30; i++)
	{
		day->seconds += 10;
		day_record(day, 0, day_reading(day, 0));
	}
	check(day, "", 0, "nor is what it reads when the engine starts");

	/* Elsewhere meanwhile. */
	day = day_new(60);
	day_drive(day, 60, 60);
	day->seconds += 5 * 3600;
	day->lon += 1;
	day->litres -= 25;
	day_drive(day, 60, 60);
	check(day, "", 0, "what was burnt unseen is no drain");
	day = day_new(30);
	day_drive(day, 60, 60);
	day->seconds += 5 * 3600;
	day->lon += 1;
	day->litres += 40 - 11;
	day_drive(day, 60, 60);
	check(day, "refuel 01:00", 40, "but what was filled in is a refuel");
}

/* The tank is measured anew. */
static void
test_tables(void)
{
	Day		   *day = day_new(60);

	day_drive(day, 60, 60);
	day_stand(day, 60, 60, 0);
	day->litres += 20;
	day_stand(day, 60, 60, 0);
	for (int i = 120; i < day->count; i++)
		day->records[i].reading.table = 2;
	check(day, "", 0, "another table is no refuel");
}

static void
test_motion(void)
{
	FuelOptions options = fuel_defaults;
	Day		   *day = day_new(60);
	Told	   *told;

	day_drive(day, 60, 10);
	day->litres -= 20;
	day_drive(day, 60, 10);
	day->litres += 30;
	day_drive(day, 60, 10);
	options.drains_in_motion = true;
	told = day_pass(day, &options, 0, day->count);
	is_str(show(told), "drain 01:00", "a drain in motion, where they are wanted");
	free(told);
	options.fills_in_motion = true;
	told = day_pass(day, &options, 0, day->count);
	is_str(show(told), "drain 01:00, refuel 01:59", "and a refuel");
	free(told);
	free(day);
}

/* A vehicle with stops of all kinds. */
static Day *
busy_day(void)
{
	Day		   *day = day_new(50);

	for (int i = 0; i < 40; i++)
	{
		day_drive(day, 2 + i * 7 % 23, 20);
		day_stand(day, 4 + i * 5 % 11, 20, i % 13 == 5 ? 30 : 0);
		if (i % 17 == 9)
			day_stand(day, 300, 300, i == 9 ? -25 : 0);
	}
	return day;
}

static bool
is_same(const FuelEvent *a, const FuelEvent *b)
{
	return a->refuel == b->refuel && a->from == b->from && a->until == b->until && a->litres == b->litres &&
		a->before == b->before && a->after == b->after && a->confidence == b->confidence;
}

/* Wherever a pass begins, from when it is settled on it tells the same. */
static void
test_local(void)
{
	Day		   *day = busy_day();
	Told	   *whole = day_told(day);
	int			differ = 0;
	int			settled = 0;

	ok(whole->count >= 4, "%d events: %s", whole->count, show(whole));
	for (int from = 1; from < day->count; from += 37)
	{
		Told	   *part = day_pass(day, &fuel_defaults, from, day->count);
		int			skip = 0;
		int			first = 0;

		if (part->settled_at != REPORT_ENDLESS)
		{
			settled++;
			while (skip < whole->count && whole->events[skip].from < part->settled_at)
				skip++;
			while (first < part->count && part->events[first].from < part->settled_at)
				first++;
			differ += whole->count - skip != part->count - first;
			for (; skip < whole->count && first < part->count; skip++, first++)
				differ += !is_same(&whole->events[skip], &part->events[first]);
		}
		free(part);
	}
	ok(settled > 40, "%d passes settle", settled);
	is_int(differ, 0, "and tell what one over all does");
	for (int until = 1; until < day->count; until += 41)
	{
		Told	   *part = day_pass(day, &fuel_defaults, 0, until);
		int			i = 0;

		while (i < whole->count && whole->events[i].from < part->told_until)
		{
			differ += i >= part->count || !is_same(&whole->events[i], &part->events[i]);
			i++;
		}
		free(part);
	}
	is_int(differ, 0, "what has been told is what one over all tells");
	free(whole);
	free(day);
}

/* Start - end + refuels - drains is what was burnt. */
static void
test_balance(void)
{
	Day		   *day = busy_day();
	Told	   *told = day_told(day);
	double		used = (double) (told->levels[0].litres - told->levels[told->level_count - 1].litres) / FUEL_LITRE;
	double		metres = (double) told->levels[told->level_count - 1].metres;

	for (int i = 0; i < told->count; i++)
		used += (double) (told->events[i].refuel ? told->events[i].litres : -told->events[i].litres) / FUEL_LITRE;
	ok(fabs(used - metres / 10000) < 6, "%.1f l are used, %.1f km driven: %s", used, metres / 1000, show(told));
	ok(told->bytes < 400000, "in %zu bytes", told->bytes);
	free(told);
	free(day);
}

int
main(void)
{
	test_refuels();
	test_drains();
	test_slosh();
	test_faults();
	test_tables();
	test_motion();
	test_local();
	test_balance();
	return done_testing();
}
