/*
 * test_detect_events.c
 *		Alarms, ignition, motion, drivers and speed, rule by rule, with what lies
 *		exactly at a threshold.
 *
 * Invariant: each case names the rule of doc/detectors.md that it shows.
 */
#include "detect_script.h"

typedef struct Case
{
	const char *name;
	const char *script;
	const char *rows;
}			Case;

static const Case alarms[] = {
	{"an alarm is an event, at its time and point",
		"10 1 cIN1", "alarm IN1 10 !10 (1) IN1\n"},
	{"an alarm without a place",
		"10 - cIN1", "alarm IN1 10 !10 IN1\n"},
	{"a code without a meaning is none",
		"10 1 nFUS", ""},
	{"of one name at one time the first stands",
		"10 1 cIN1; 10 2 cIN1; 10 3 cIN2; 10 4 cIN1; 11 5 cIN1",
		"alarm IN1 10 !10 (1) IN1\nalarm IN2 10 !10 (3) IN2\nalarm IN1 11 !11 (5) IN1\n"},
	{"power cut: the first one, and its repetitions",
		"0 1 nCPA; 1800 2 nCPA; 3600 - nCPA; 4000 1",
		"power_cut 0 !0 (1) CPA\npower_cut 0..1800 !0 (1) CPA\npower_cut 0..3600 !0 (1) CPA\n"},
	{"a second later it is another one",
		"0 1 nCPA; 1801 2 nCPA", "power_cut 0 !0 (1) CPA\npower_cut 1801 !1801 (2) CPA\n"},
	{"power cut and low battery do not meddle",
		"0 - nCPA; 1 - nLPA; 2 - nCPA; 3 - nLPA",
		"power_cut 0 !0 CPA\nlow_battery 1 !1 LPA\npower_cut 0..2 !0 CPA\nlow_battery 1..3 !1 LPA\n"},
	{"twice in one second",
		"5 - nLPA; 5 - nLPA", "low_battery 5 !5 LPA\nlow_battery 5..5 !5 LPA\n"},
	{"other codes do not repeat it",
		"0 - nCPAX; 1 - nCP", ""},
	{"a driver, the same again, another, and none in between",
		"0 1 d77; 1 2 d77; 2 3; 3 - d78; 4 - d77",
		"driver_change 77 0 !0 (1)\ndriver_change 78 3 !3 by 77\ndriver_change 77 4 !4 by 78\n"},
};

static const Case ignition[] = {
	{"off before the first on is nothing", "0 - i0; 10 - i0; 20 -", ""},
	{"a first on sets the state", "0 - i1; 10 - i1", ""},
	{"on after off", "0 - i0; 10 5 i1; 20 - i1", "ignition_on 10 !10 (5)\n"},
	{"off, and on again", "0 - i1; 10 1 i0; 20 -; 30 2 i1",
		"ignition_off 10 !10 (1)\nignition_on 30 !30 (2)\n"},
	{"back at once: taken back", "0 - i1; 10 1 i0; 11.999999 2 i1; 20 - i1",
		"ignition_off 10 !10 (1)\n-ignition_off 10 !10 (1)\n"},
	{"back at the debounce: both are events", "0 - i1; 10 1 i0; 12 2 i1",
		"ignition_off 10 !10 (1)\nignition_on 12 !12 (2)\n"},
	{"what was before a taken back one stands for good",
		"0 - i0; 10 - i1; 12 - i0; 13 - i1; 13.5 - i0",
		"ignition_on 10 !10\nignition_off 12 !12\n-ignition_off 12 !12\nignition_off 13.5 !13.5\n"},
	{"a first on is taken back too", "0 - i0; 10 - i1; 11 - i0; 20 - i1",
		"ignition_on 10 !10\n-ignition_on 10 !10\nignition_on 20 !20\n"},
	{"an off after an on of the same second is passed over",
		"0 - i0; 10 - i1; 10 - i0; 20 - i0", "ignition_on 10 !10\nignition_off 20 !20\n"},
	{"an off before an on of the same second is taken back",
		"0 - i1; 10 - i0; 10 - i1; 20 - i1", "ignition_off 10 !10\n-ignition_off 10 !10\n"},
	{"on in its second, then off of the next",
		"0 - i1; 10 - i1; 10 - i0; 11 - i0", "ignition_off 11 !11\n"},
};

static const Case motion[] = {
	{"the first confirmed run is no event",
		"0 1 s50; 10 2 s50; 20 3 s50", ""},
	{"nor is it confirmed before its time",
		"1000 1 s50; 1005 2 s50; 1006 3 s0; 1186 3 s0; 1190 4 s9; 1200 5 s9",
		"motion_start 1190 !1200 (4)\n"},
	{"start: the first place that moves, confirmed 10 s later",
		"0 1 s0; 180 1 s0; 200 1 s3; 205 2 s9; 210 3 s9",
		"motion_start 200 !210 (1)\n"},
	{"not before the 10 s are over",
		"0 1 s0; 180 1 s0; 200 1 s3; 209.999999 2 s9; 210.1 3 s1", ""},
	{"stop: 180 s after the first still place",
		"0 1 s50; 10 2 s50; 20 3 s1.9; 199 3 s0; 200 4 s0", "motion_stop 20 !200 (3)\n"},
	{"in between it stays what it was",
		"0 1 s50; 10 2 s50; 20 3 s2; 300 4 s2.9; 600 5 s2", ""},
	{"in between at the very beginning it is still",
		"0 1 s2.5; 180 1 s2.5; 200 2 s3; 210 3 s3", "motion_start 200 !210 (2)\n"},
	{"a place of the other sort breaks the run",
		"0 1 s50; 10 2 s50; 20 3 s0; 190 3 s0; 195 3 s5; 198 4 s0; 300 4 s0; 378 5 s0",
		"motion_stop 198 !378 (4)\n"},
	{"records without a place or speed do not",
		"0 1 s50; 10 2 s50; 20 3 s0; 100 - s90; 110 7; 200 4 s0", "motion_stop 20 !200 (3)\n"},
	{"a silence breaks it",
		"0 1 s50; 10 2 s50; 20 3 s0; 3621 3 s0; 3800 4 s0; 3801 5 s0", "motion_stop 3621 !3801 (3)\n"},
	{"an hour is no silence",
		"0 1 s50; 10 2 s50; 20 3 s0; 3620 3 s0", "motion_stop 20 !3620 (3)\n"},
	{"the sort outlives a silence",
		"0 1 s50; 10 2 s50; 20 3 s0; 21 3 s2.5; 4000 4 s2.5; 4180 5 s2.5",
		"motion_stop 4000 !4180 (4)\n"},
	{"silence as a record without a place tells it",
		"0 1 s50; 10 2 s50; 20 3 s0; 3621 -; 3622 4 s0; 3802 5 s0", "motion_stop 3622 !3802 (4)\n"},
	{"of one second the first place counts",
		"0 1 s50; 10 2 s50; 20 3 s0; 20 4 s50; 200 4 s0", "motion_stop 20 !200 (3)\n"},
};

/* The limit is 50: over is more than 53. */
static const Case overspeed[] = {
	{"53 is not over", "0 1 s53; 10 2 s53; 20 3 s53", ""},
	{"shown after 5 s, and ended",
		"0 1 s54; 3 2 s54; 5 3 s54; 10 4 s60; 15 5 s50; 26 6 s50",
		"overspeed 0 !5 (1) >50\noverspeed 0..15 !5 (1) 334m >50 top60 mean5.5 peak10(4)\n"},
	{"the place of the first and of the fastest",
		"0 1 s54 y1; 5 2 s60 y1.001; 10 3 s60 y1.002; 15 4 s0; 26 4 s0",
		"overspeed 0 !5 (1, 1) >50\n"
		"overspeed 0..15 !5 (1, 1) 314m >50 top60 mean8 peak5(2, 1.001)\n"},
	{"too short", "0 1 s54; 4.9 2 s50; 6 3 s50; 20 4 s50", ""},
	{"just long enough by its end",
		"0 1 s54; 5 2 s50; 16 3 s50",
		"overspeed 0 !5 (1) >50\noverspeed 0..5 !5 (1) 0m >50 top54 mean4 peak0(1)\n"},
	{"a pause of 10 s goes on",
		"0 1 s54; 5 2 s54; 10 3 s50; 20 4 s70; 22 5 s70; 24 6 s0; 35 6 s0",
		"overspeed 0 !5 (1) >50\noverspeed 0..24 !5 (1) 222m >50 top70 mean12 peak20(4)\n"},
	{"one of more does not",
		"0 1 s54; 5 2 s54; 10 3 s50; 20.1 4 s70; 25.1 5 s70",
		"overspeed 0 !5 (1) >50\noverspeed 0..10 !5 (1) 111m >50 top54 mean4 peak0(1)\n"
		"overspeed 20.1 !25.1 (4) >50\n"},
	{"what follows a short one shows it, and not the place before",
		"0 1 s54; 3 2 s50; 8 3 s50; 9 4 s54; 10 - s99",
		"overspeed 0 !9 (1) >50\n"},
	{"silence ends it at the last place",
		"0 1 s54; 300 2 s54; 601 3 s54",
		"overspeed 0 !300 (1) >50\noverspeed 0..300 !300 (1) 111m >50 top54 mean4 peak0(1)\n"},
	{"silence as a record without a place tells it",
		"0 1 s54; 10 2 s54; 311 -",
		"overspeed 0 !10 (1) >50\noverspeed 0..10 !10 (1) 111m >50 top54 mean4 peak0(1)\n"},
	{"silence after one place leaves nothing", "0 1 s90; 301 2 s90", ""},
	{"a place without a speed is no neighbour, and ends nothing",
		"0 1 s54; 5 2; 10 3 s54; 15 4 s54; 20 5 s0; 31 5 s0",
		"overspeed 0 !10 (1) >50\noverspeed 0..20 !10 (1) 111m >50 top54 mean4 peak0(1)\n"},
	{"a leg that is not plausible is not driven",
		"0 1 s54; 5 99 s54; 10 100 s54; 20 5 s0; 31 5 s0",
		"overspeed 0 !5 (1) >50\noverspeed 0..20 !5 (1) 111m >50 top54 mean4 peak0(1)\n"},
};

static void
run(World *world, const char *topic, const Case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		char		name[200];

		snprintf(name, sizeof(name), "%s: %s", topic, cases[i].name);
		check_script(world, name, cases[i].script, cases[i].rows);
	}
}

#define RUN(cases)	run(world, #cases, cases, sizeof(cases) / sizeof((cases)[0]))

/* More names of one time than are remembered. */
static void
test_many_alarms(World *world)
{
	char		script[2000] = "";
	int			lines = 0;

	for (int i = 0; i < 40; i++)
		sprintf(script + strlen(script), "7 1 cX%02d;", i);
	strcat(script, "7 2 cX00; 7 2 cX31; 7 2 cX39");
	run_script(world, script, true);
	for (const char *at = world->log.text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	is_int(lines, 41, "alarms: 32 names of one time are remembered, a later one is put again");
	world_forget(world);
}

static void
test_options(World *world)
{
	world->options.overspeed_min = 0;
	check_script(world, "overspeed: with no least length one place is an event",
				 "0 1 s54; 301 2",
				 "overspeed 0 !0 (1) >50\noverspeed 0..0 !0 (1) 0m >50 top54 mean4 peak0(1)\n");
	world->options.motion_start_after = 0;
	world->options.motion_stop_after = 0;
	world->options.speed_limit_kmh = NAN;
	check_script(world, "motion: with no waiting every change is an event",
				 "0 1 s0; 1 2 s9; 2 3 s0; 2 3 s9; 3 3 s9",
				 "motion_start 1 !1 (2)\nmotion_stop 2 !2 (3)\nmotion_start 3 !3 (3)\n");
	world->options.ignition_debounce = 0;
	check_script(world, "ignition: without a debounce nothing is taken back",
				 "0 - i0; 1 - i1; 2 - i0; 2 - i1; 2 - i0",
				 "ignition_on 1 !1\nignition_off 2 !2\nignition_on 2 !2\n");
	world->options.repeat_after = 0;
	check_script(world, "alarms: without a time to repeat in",
				 "0 - nCPA; 0 - nCPA; 1 - nCPA",
				 "power_cut 0 !0 CPA\npower_cut 0..0 !0 CPA\npower_cut 1 !1 CPA\n");
}

/* What waits is settled by the options of the record that comes too late. */
static void
test_changed_options(World *world)
{
	world->changed = world->options;
	world->change_at = S(100);
	world->changed.repeat_after = S(10);
	check_script(world, "options: less time to repeat in",
				 "90 - nCPA; 99 - nCPA; 109 - nCPA; 120 - nCPA",
				 "power_cut 90 !90 CPA\npower_cut 90..99 !90 CPA\npower_cut 90..109 !90 CPA\n"
				 "power_cut 120 !120 CPA\n");
	world->changed.ignition_debounce = S(60);
	check_script(world, "options: what a record settled stays settled",
				 "0 - i0; 95 - i1; 96 -; 100 - i0; 200 - i1; 297 -; 298 - i0; 301 -; 302 - i1",
				 "ignition_on 95 !95\n-ignition_on 95 !95\nignition_on 200 !200\n"
				 "ignition_off 298 !298\n-ignition_off 298 !298\n");
	check_script(world, "options: and is not taken back by later ones",
				 "0 - i0; 95 - i1; 97 -; 100 - i0; 170 -", "ignition_on 95 !95\nignition_off 100 !100\n");
	world->changed.speed_limit_kmh = 90;
	world->options.speed_limit_kmh = 50;
	check_script(world, "options: the limit is that of the time",
				 "90 1 s95; 95 2 s95; 100 3 s95; 105 4 s80; 116 4 s80",
				 "overspeed 90 !95 (1) >50\n"
				 "overspeed 90..105 !95 (1) 222m >50 top95 mean31.6667 peak90(1)\n");
	world->changed.speed_limit_kmh = 50;
	world->changed.overspeed_min = S(1);
	check_script(world, "options: a place after the possible end shows nothing, whatever they are",
				 "96 1 s54; 98 2 s50; 101 3 s50; 120 3 s50", "");
	check_script(world, "options: one that is over does",
				 "96 1 s54; 98 2 s50; 101 3 s54", "overspeed 96 !101 (1) >50\n");
	world->change_at = INT64_MAX;
	world->options.speed_limit_kmh = NAN;
}

/* Tells whether the state after a script is taken for the same as itself. */
static bool
goes_on_alike(World *world, const char *script)
{
	size_t		size;
	uint8_t    *bytes = save_state(run_script(world, script, true), &size);
	bool		same = detect_same(bytes, size, bytes, size);

	free(bytes);
	world_forget(world);
	return same;
}

static void
test_open(World *world)
{
	world->options.speed_limit_kmh = 50;
	check_open(world, "open: an episode as it was shown, the limit alone",
			   "0 1 s54; 5 2 s99; 9 3 s0", "overspeed 0 !5 (1) >50\n");
	check_open(world, "open: not one that is not shown", "0 1 s54; 4 2 s99", "");
	check_open(world, "open: not one that ended", "0 1 s54; 5 2 s99; 9 3 s0; 20 -", "");
	check_open(world, "open: alarms that may be repeated, as they are now",
			   "0 1 nCPA; 5 - nLPA; 9 2 nCPA", "power_cut 0..9 !0 (1) CPA\nlow_battery 5 !5 LPA\n");
	check_open(world, "open: not later", "0 1 nCPA; 5 - nLPA; 9 2 nCPA; 1806 -",
			   "power_cut 0..9 !0 (1) CPA\n");
	check_open(world, "open: a change of the ignition that may be taken back",
			   "0 - i0; 5 2 i1; 6.9 -", "ignition_on 5 !5 (2)\n");
	check_open(world, "open: not later", "0 - i0; 5 2 i1; 7 -", "");
	ok(!goes_on_alike(world, "0 - i0; 5 2 i1; 6.9 -"),
	   "while it may be taken back no state is the same");
	ok(goes_on_alike(world, "0 - i0; 5 2 i1; 7 -"), "then it is again");
	world->options.speed_limit_kmh = NAN;
}

int
main(void)
{
	World	   *world = world_new();

	RUN(alarms);
	RUN(ignition);
	RUN(motion);
	world->options.speed_limit_kmh = 50;
	RUN(overspeed);
	world->options.speed_limit_kmh = NAN;
	test_many_alarms(world);
	test_changed_options(world);
	test_open(world);
	world->options.speed_limit_kmh = 50;
	test_options(world);
	for (int kind = 0; kind < DETECT_KINDS; kind++)
	{
		if (detect_kind_name((DetectKind) kind) == NULL)
			ok(false, "kind %d has a name", kind);
	}
	ok(detect_kind_name(DETECT_KINDS) == NULL, "what is no kind has no name");
	world_free(world);
	return done_testing();
}
