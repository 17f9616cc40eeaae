/*
 * test_report_engine.c
 *		Engine, idling, drivers and driving style, rule by rule.
 *
 * Invariant: each case names the rule of doc/reports.md that it shows.
 */
#include "report_script.h"

typedef struct Case
{
	const char *name;
	const char *script;
	const char *told;
}			Case;

static const Case engine[] = {
	{"on, off, and on to the end", "0 - i0; 100 - i1; 200 - i1; 300 - i0; 400 - i1; 450 -",
		"engine 100..300\n"
		"engine 400..450+\n"},
	{"who does not know changes nothing", "0 - i1; 100:3000/100 -; 3500 - i1; 3600 - i0",
		"engine 0..3600\n"},
	{"silence ends it at the last record that knew", "0 - i1; 100 - i1; 3701 - i1; 3800 - i0",
		"engine 0..100 silent\n"
		"engine 3701..3800\n"},
	{"a second less does not", "0 - i1; 100 - i1; 3700 - i1; 3800 - i0",
		"engine 0..3800\n"},
	{"silence at the end", "0 - i1; 100 - i1; 3800 -",
		"engine 0..100 silent\n"},
	{"a change undone at once is none", "0 - i1; 100 - i0; 101 - i1; 200 - i0; 202 - i1; 300 - i0",
		"engine 0..200\n"
		"engine 202..300\n"},
	{"also with records between that do not know", "0 - i1; 100 - i0; 100.5 -; 101 - i1; 300 - i0",
		"engine 0..300\n"},
	{"of one time on counts", "0 - i1; 100 - i0; 100 - i1; 200 - i0; 300 - i1; 300 - i0; 400 - i0",
		"engine 0..200\n"
		"engine 300..400\n"},
	{"the first since a silence stands however short", "0 - i1; 100 - i1; 4000 - i0; 4001 - i1; 4100 - i0",
		"engine 0..100 silent\n"
		"engine 4001..4100\n"},
};

static const Case idle[] = {
	{"from the first place that stands to the next that moves",
		"0 0 s40 i1; 10 1 s0 i1; 100 1 s2 i1; 150 1 s5 i1; 200 2 s40 i1; 210 2 s0 i0",
		"idle 10..150\n"
		"engine 0..210\n"},
	{"a shorter one is none", "0 0 s40 i1; 10 1 s0 i1; 129 1 s5 i1; 200 2 s40 i0",
		"engine 0..200\n"},
	{"until the engine is off", "0 0 s40 i1; 10 1 s0 i1; 100 1 s0 i1; 400 - i0; 500 1 s0 i0",
		"idle 10..400\n"
		"engine 0..400\n"},
	{"a place without a speed stands", "0 0 s40 i1; 10 1 i1; 400 1 i0",
		"idle 10..400\n"
		"engine 0..400\n"},
	{"until the silence", "0 0 s40 i1; 10 1 s0 i1; 400 1 s0 i1; 5000 1 s0 i1; 5200 1 s5 i1",
		"idle 10..400 silent\n"
		"engine 0..400 silent\n"
		"idle 5000..5200\n"
		"engine 5000..5200+\n"},
	{"a place that moves in what turns out a silence does not end it",
		"0 0 s40 i1; 10 1 s0 i1; 400 1 s0 i1; 1000 1 s9; 5000 1 s0 i0",
		"idle 10..400 silent\n"
		"engine 0..400 silent\n"},
	{"but in what turns out none it does",
		"0 0 s40 i1; 10 1 s0 i1; 400 1 s0 i1; 1000 1 s9; 3000 1 s0 i0",
		"idle 10..1000\n"
		"engine 0..3000\n"},
	{"to the end", "0 0 s40 i1; 10 1 s0 i1; 400 1 s0 i1",
		"idle 10..400+\n"
		"engine 0..400+\n"},
};

static const Case drivers[] = {
	{"a turn goes on without an id, until another one",
		"0 0 d1; 100 0; 200 0 d1; 300 0 d2; 400 0",
		"driver d1 0..300\n"
		"driver d2 300..400+\n"},
	{"off for long ends it when it went off", "0 0 i1 d1; 100 0 i0; 200 0 i0; 400 0 i0; 500 0 i1",
		"engine 0..100\n"
		"driver d1 0..100\n"
		"engine 500..500+\n"},
	{"also when only a later record shows it", "0 0 i1 d1; 100 0 i0; 400 0 i1; 500 0 i1",
		"engine 0..100\n"
		"driver d1 0..100\n"
		"engine 400..500+\n"},
	{"off for less does not", "0 0 i1 d1; 100 0 i0; 399 0 i1; 500 0 i1",
		"engine 0..100\n"
		"engine 399..500+\n"
		"driver d1 0..500+\n"},
	{"a tracker that repeats the id has no driver while it is off",
		"0 0 i1 d1; 100:2000/100 0 i0 d1; 2100 0 i1; 2200 0 i1 d1",
		"engine 0..100\n"
		"driver d1 0..100\n"
		"engine 2100..2200+\n"
		"driver d1 2100..2200+\n"},
	{"an id read while it is off counts from on", "0 0 i1 d1; 100 0 i0; 2000 0 i0 d2; 2100 0 i1; 2200 0 i1",
		"engine 0..100\n"
		"driver d1 0..100\n"
		"engine 2100..2200+\n"
		"driver d2 2100..2200+\n"},
	{"also in a short pause", "0 0 i1 d1; 100 0 i0; 150 0 i0 d2; 200 0 i1; 300 0 i1",
		"engine 0..100\n"
		"driver d1 0..200\n"
		"engine 200..300+\n"
		"driver d2 200..300+\n"},
	{"one read before it went off does not", "0 0 i1 d1; 100 0 i0; 2000 0 i1; 2100 0 i1",
		"engine 0..100\n"
		"driver d1 0..100\n"
		"engine 2000..2100+\n"},
	{"the day ends it", "86000 0 d1; 86500 0; 86600 0 d1; 90000 0",
		"driver d1 86000..86400 silent\n"
		"driver d1 86600..90000+\n"},
	{"off before the end of the day comes first", "86000 0 i1 d1; 86300 0 i0; 86500 0 i0; 86700 0 i0",
		"idle 86000..86300\n"
		"engine 86000..86300\n"
		"driver d1 86000..86300\n"},
	{"off for less over the end of the day", "86000 0 i1 d1; 86300 0 i0; 86500 0 i0; 86550 0 i1; 87000 0 i1",
		"idle 86000..86300\n"
		"engine 86000..86300\n"
		"driver d1 86000..86400 silent\n"
		"idle 86550..87000+\n"
		"engine 86550..87000+\n"},
	{"an id of the day before is forgotten", "86000 0 i1; 86100 0 i0; 86200 0 i0 d1; 86500 0 i0; 86600 0 i1",
		"engine 86000..86100\n"
		"engine 86600..86600+\n"},
	{"of one time the last id counts", "0 0 d1; 100 0 d2; 100 0 d3; 200 0",
		"driver d1 0..100\n"
		"driver d3 100..200+\n"},
};

static const Case manners[] = {
	{"hard acceleration and braking", "0 0 s0; 1 0 s12; 2 0 s20; 3 0 s7",
		"acceleration 0 3.33 at 0 (0)\n"
		"braking 2 3.61 at 20 (0)\n"},
	{"successive ones are one", "0 0 s0; 1 0 s12; 2 0 s32; 3 0 s44; 4 0 s50",
		"acceleration 1 5.56 at 12 (0)\n"},
	{"at a threshold", "0 0 s0; 1 0 s10.8; 2 0 s10.8; 3 0 s21.5; 4 0 s8.9; 5 0 s8.9; 10 0 s0",
		"acceleration 0 3.00 at 0 (0)\n"
		"braking 3 3.50 at 21.5 (0)\n"},
	{"too long a step tells nothing", "0 0 s0; 10 0 s108; 20.1 0 s0",
		"acceleration 0 3.00 at 0 (0)\n"},
	{"nor one without a speed", "0 0 s0; 1 0; 2 0 s40",
		""},
	{"a turn, over north", "0 0 s36 h350; 1 0 s36 h20; 2 0 s36 h20; 3 0 s36 h345",
		"turn 0 5.24 at 36 (0)\n"
		"turn 2 6.11 at 36 (0)\n"},
	{"not at a walk", "0 0 s3 h0; 1 0 s3 h180; 2 0 s3 h0",
		""},
	{"at once", "0 0 s50 h0; 1 0 s36 h40; 2 0 s36 h40",
		"braking 0 3.89 at 50 (0)\n"
		"turn 0 6.98 at 50 (0)\n"},
};

#define CHECK_CASES(part, cases) \
	for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++) \
		check_script(part, &options, (cases)[i].name, (cases)[i].script, (cases)[i].told)

int
main(void)
{
	ReportOptions options = report_defaults;

	options.wired_since = 0;
	CHECK_CASES(SCRIPT_INTERVALS, engine);
	CHECK_CASES(SCRIPT_INTERVALS, idle);
	CHECK_CASES(SCRIPT_INTERVALS, drivers);
	CHECK_CASES(SCRIPT_MANNERS, manners);
	options.wired_since = 200000000;
	check_script(SCRIPT_INTERVALS, &options, "off before the first on is not known",
				 "0 0 i0 s0; 100:190/10 1:50 i0 s20; 200 51 i1 s20; 300 60 i0 s0; 400 60 i0 s0",
		"engine 200..300\n");
	check_script(SCRIPT_SEGMENTS, &options, "so nothing is carried",
				 "0 0 i0 s0; 100:190/10 1:50 i0 s20; 200 51 i1 s20; 300 60 i0 s0; 400 60 i0 s0",
		"trip 0..400+ 6672m (0-60) top20 on100 carried100/0m\n");
	return done_testing();
}
