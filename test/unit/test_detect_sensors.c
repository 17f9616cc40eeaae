/*
 * test_detect_sensors.c
 *		Alarms of sensors, rule by rule, with what lies on either side of each limit.
 *
 * Invariant: what is expected follows from doc/detectors.md alone.
 */
#include "detect_script.h"

typedef struct Case
{
	const char *name;
	const char *script;
	const char *expected;
} Case;

/* Above 8 C, at once. */
static const Case at_once[] = {
	{"not beyond", "0 1 v5; 10 - v8; 20 - v-3", ""},
	{"beyond", "0 1 v5; 10 2 v8.1; 20 - v9; 30 - v8",
		"sensor_alarm warm 10 !10 (2) cold=8.1C>8\n"
		"sensor_alarm warm 10..30 !10 (2) peak20 cold=8.1C>8 to9\n"},
	{"the first of equal peaks", "0 - v9; 10 - v9; 20 - v8",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..20 !0 peak0 cold=9C>8 to9\n"},
	{"again", "0 - v9; 10 - v8; 20 - v10",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 peak0 cold=9C>8 to9\n"
		"sensor_alarm warm 20 !20 cold=10C>8\n"},
	{"a record that says nothing changes nothing", "0 - v9; 10 -; 20 - v9; 30 -",
		"sensor_alarm warm 0 !0 cold=9C>8\n"},
	{"of one time: beyond, then not", "0 - v9; 0 - v5; 10 - v5",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 peak0 cold=9C>8 to9\n"},
	{"of one time: not, then beyond", "0 - v9; 10 - v5; 10 - v9; 20 - v9",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 peak0 cold=9C>8 to9\n"
		"sensor_alarm warm 10 !10 cold=9C>8\n"},
	{"a day of silence", "0 - v9; 10 - v9; 86410 - v9; 86420 - v8",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..86420 !0 peak0 cold=9C>8 to9\n"},
	{"more than a day of silence", "0 - v9; 10 - v9.5; 86411 - v9",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 peak10 cold=9C>8 to9.5\n"
		"sensor_alarm warm 86411 !86411 cold=9C>8\n"},
	{"silence of the sensor, not of the tracker", "0 - v9; 50000 -; 86401 -; 86500 - v7",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..0 !0 peak0 cold=9C>8 to9\n"},
	{0}
};

/* Above 8 C for 10 minutes. */
static const Case lasting[] = {
	{"just not", "0 1 v9; 599 - v9; 600 - v8", ""},
	{"just", "0 1 v9; 300 2 v9.5; 600 3 v9; 700 - v8",
		"sensor_alarm warm 0 !600 (1) cold=9C>8\n"
		"sensor_alarm warm 0..700 !600 (1) peak300 cold=9C>8 to9.5\n"},
	{"with a dip", "0 - v9; 300 - v8; 310 - v9; 900 - v9; 910 - v9",
		"sensor_alarm warm 310 !910 cold=9C>8\n"},
	{"nothing was said for a while", "0 - v9; 600 -; 601 - v9",
		"sensor_alarm warm 0 !601 cold=9C>8\n"},
	{"a dip at the time of another record is none", "0 - v9; 300 - v9; 300 - v1; 600 - v9",
		"sensor_alarm warm 0 !600 cold=9C>8\n"},
	{0}
};

static const Case driving[] = {
	{"only while it moves", "0 1 v9 s50; 10 2 v9 s2.9; 20 3 v9 s3",
		"sensor_alarm warm 0 !0 (1) cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 (1) peak0 cold=9C>8 to9\n"
		"sensor_alarm warm 20 !20 (3) cold=9C>8\n"},
	{"of no place or speed it is not known whether it moves", "0 1 v9 s50; 10 - v9 s0; 20 3 v9; 30 4 v7 s60",
		"sensor_alarm warm 0 !0 (1) cold=9C>8\n"
		"sensor_alarm warm 0..30 !0 (1) peak0 cold=9C>8 to9\n"},
	{"standing ends it whatever the sensor says", "0 1 v9 s50; 10 2 s0",
		"sensor_alarm warm 0 !0 (1) cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 (1) peak0 cold=9C>8 to9\n"},
	{"and the sensor, whatever the speed", "0 1 v9 s50; 10 - v7",
		"sensor_alarm warm 0 !0 (1) cold=9C>8\n"
		"sensor_alarm warm 0..10 !0 (1) peak0 cold=9C>8 to9\n"},
	{0}
};

static const Case standing[] = {
	{"only while it stands", "0 1 v9 s3; 10 2 v9 s2.9; 20 3 v9 s3",
		"sensor_alarm warm 10 !10 (2) cold=9C>8\n"
		"sensor_alarm warm 10..20 !10 (2) peak10 cold=9C>8 to9\n"},
	{0}
};

/* Above 8 C and below 2 C. */
static const Case band[] = {
	{"below", "0 - v2; 10 - v1.5; 20 - v-1; 30 - v0; 40 - v2",
		"sensor_alarm warm 10 !10 cold=1.5C>2\n"
		"sensor_alarm warm 10..40 !10 peak20 cold=1.5C>2 to-1\n"},
	{"from one side to the other: the farther one", "0 - v9; 10 - v0; 20 - v5",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..20 !0 peak10 cold=9C>8 to0\n"},
	{"the farther one, of the first", "0 - v9; 10 - v1; 20 - v5",
		"sensor_alarm warm 0 !0 cold=9C>8\n"
		"sensor_alarm warm 0..20 !0 peak0 cold=9C>8 to9\n"},
	{0}
};

static void
check_cases(World *world, const char *rule, const Case *cases)
{
	for (; cases->name; cases++)
	{
		char		name[160];

		snprintf(name, sizeof(name), "%s: %s", rule, cases->name);
		check_script(world, name, cases->script, cases->expected);
	}
}

/* Rules that come and go; several at once. */
static void
test_rules(void)
{
	World	   *world = world_new();
	WorldRule  *rule = world_rule(world, 5, "warm");

	rule->valid_from = S(100);
	rule->valid_until = S(200);
	check_script(world, "rule: from when on it is valid", "99 - v9; 100 - v9; 150 - v9",
				 "sensor_alarm warm 100 !100 cold=9C>8\n");
	check_script(world, "rule: up to when it is valid", "100 - v9; 199 - v9.5; 200 - v10; 300 - v11",
				 "sensor_alarm warm 100 !100 cold=9C>8\n"
				 "sensor_alarm warm 100..199 !100 peak199 cold=9C>8 to9.5\n");
	world_rule(world, 6, "hot")->rule.above = 20;
	world_rule(world, 7, "boiling")->rule.above = 100;
	world->rules[2].rule.lasting = S(10);
	check_script(world, "rule: several", "0 - v30; 110 - v120; 115 - v120; 120 - v120; 130 - v90; 140 - v10; 250 - v1",
				 "sensor_alarm hot 0 !0 cold=30C>20\n"
				 "sensor_alarm warm 110 !110 cold=120C>8\n"
				 "sensor_alarm boiling 110 !120 cold=120C>100\n"
				 "sensor_alarm boiling 110..130 !120 peak110 cold=120C>100 to120\n"
				 "sensor_alarm hot 0..140 !0 peak110 cold=30C>20 to120\n"
				 "sensor_alarm warm 110..140 !110 peak110 cold=120C>8 to120\n");
	check_open(world, "open: what was shown, and as it began", "100 - v30; 110 - v120; 115 - v130",
			   "sensor_alarm warm 100 !100 cold=30C>8\n"
			   "sensor_alarm hot 100 !100 cold=30C>20\n");
	world_free(world);
}

/* A rule that is changed while it is beyond goes on as what it began as. */
static void
test_changed_rule(void)
{
	World	   *world = world_new();
	DetectRule *rule = &world_rule(world, 1, "warm")->rule;
	DetectState *state = run_script(world, "0 - v9", true);
	DetectFix	fix;

	text_set(&rule->name, "hot");
	rule->above = 12;
	rule->below = 1;
	log_clear(&world->log);
	next_fix("10 - v13", &fix);
	detect_step(state, &fix, &world->calls);
	next_fix("20 - v11", &fix);
	detect_step(state, &fix, &world->calls);
	is_str(world->log.text, "sensor_alarm warm 0..20 !0 peak10 cold=9C>8 to13\n",
		   "a rule that is changed ends by what it is now, under its old name");
	world_free(world);
}

int
main(void)
{
	World	   *world = world_new();
	DetectRule *rule = &world_rule(world, 1, "warm")->rule;

	check_cases(world, "at once", at_once);
	rule->lasting = S(600);
	check_cases(world, "10 minutes", lasting);
	rule->lasting = 0;
	rule->moving = 1;
	check_cases(world, "driving", driving);
	rule->moving = 0;
	check_cases(world, "standing", standing);
	rule->moving = -1;
	rule->below = 2;
	check_cases(world, "band", band);
	world_free(world);
	test_rules();
	test_changed_rule();
	return done_testing();
}
