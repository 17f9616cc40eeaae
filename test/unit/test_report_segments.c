/*
 * test_report_segments.c
 *		Trips, stops and unobserved legs, rule by rule.
 *
 * Invariant: each case names the rule of doc/reports.md that it shows.
 */
#include "report_script.h"

typedef struct Case
{
	const char *name;
	const char *script;
	const char *segments;
}			Case;

static const Case days[] = {
	{"two trips and a lunch stop",
		"0:590/10 0 s0; 600:1200/10 0:60 s40; 1210:4800/10 60 s0; 4810:5400/10 61:120 s40; 5410:6000/10 120 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..1210 6672m (0-60) top40\n"
		"stop 1210..4800 0m (60) top0\n"
		"trip 4800..5410 6672m (60-120) top40\n"
		"stop 5410..6000+ 0m (120) top0\n"},
	{"a stop shorter than the minimum is part of the trip",
		"0:590/10 0 s0; 600:1200/10 0:60 s40; 1210:1490/10 60 s0; 1500:2100/10 60:120 s40; 2110:2600/10 120 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..2110 13343m (0-120) top40\n"
		"stop 2110..2600+ 0m (120) top0\n"},
	{"a tunnel without a place is one long leg of the trip",
		"0:590/10 0 s0; 600:900/10 0:30 s40; 910:1490/10 -; 1500:2100/10 90:150 s40; 2110:2600/10 150 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..2110 16679m (0-150) top40\n"
		"stop 2110..2600+ 0m (150) top0\n"},
	{"who reports every ten minutes while it stands may say so only once",
		"0:600/10 0:60 s40; 1200 60.2 s0; 1700 60.4 s30; 1710:2300/10 60.5:120 s40",
		"trip 0..600 6672m (0-60) top40\n"
		"stop 600..1700 44m (60.2) top40\n"
		"trip 1700..2300+ 6627m (60.4-120) top40\n"},
	{"or never",
		"0:600/10 0:60 s40; 1000 60.5 s30; 1010:1700/10 60.6:120 s40",
		"trip 0..600 6672m (0-60) top40\n"
		"stop 600..1000 56m (60.25) top40\n"
		"trip 1000..1700+ 6616m (60.5-120) top40\n"},
	{"a night without a record within reach is standing",
		"0:600/10 0:60 s40; 610:1000/10 60 s0; 40000 60.5 s0; 40010:41000/10 60.5:160 s40",
		"trip 0..610 6672m (0-60) top40\n"
		"stop 610..40000 0m (60) top0\n"
		"trip 40000..41000+ 11064m (60.5-160) top40\n"},
	{"standing is standing even if it is one silent leg of places that move",
		"0:600/10 0:60 s40; 40000 61 s40; 40010:41000/10 62:160 s40",
		"trip 0..600 6672m (0-60) top40\n"
		"stop 600..40000 0m (60.5) top40\n"
		"trip 40000..41000+ 11008m (61-160) top40\n"},
	{"a silent leg to elsewhere is unobserved",
		"0:600/10 0:60 s40; 40000 90 s40; 40010:41000/10 92:160 s40",
		"trip 0..600 6672m (0-60) top40\n"
		"unobserved 600..40000 3336m (60-90) top40\n"
		"trip 40000..41000+ 7784m (90-160) top40\n"},
	{"neither is driving time what is between two of them",
		"0:600/10 0:60 s40; 10000 90 s0; 10010 90.1 s0; 20000 120 s0; 20010:21000/10 120:200 s40",
		"trip 0..600 6672m (0-60) top40\n"
		"unobserved 600..10000 3336m (60-90) top40\n"
		"unobserved 10010..20000 3325m (90.1-120) top0\n"
		"trip 20000..21000+ 8896m (120-200) top40\n"},
	{"hourly reports, and a drive that nobody saw",
		"0:36000/3600 0 s0; 39600 270 s0; 43200:72000/3600 270 s0",
		"stop 0..36000 0m (0) top0\n"
		"trip 36000..39600 30023m (0-270) top0\n"
		"stop 39600..72000+ 0m (270) top0\n"},
	{"the same, a second longer",
		"0:36000/3600 0 s0; 39601 270 s0; 43200:72000/3600 270 s0",
		"stop 0..36000 0m (0) top0\n"
		"unobserved 36000..39601 30023m (0-270) top0\n"
		"stop 39601..72000+ 0m (270) top0\n"},
	{"hourly reports with a walk round the yard are one stop",
		"0:36000/3600 0 s0; 39600 1 s0; 43200:72000/3600 0.5 s0",
		"stop 0..72000+ 167m (0) top0\n"},
	{"jitter while it stands is no trip",
		"0:600/10 0:60 s40; 610:2000/20 60.5 s0; 620:2000/20 61.2 s1; 2010:3000/10 61:160 s40",
		"trip 0..610 6727m (0-60.5) top40\n"
		"stop 610..2000 10819m (60.85) top1\n"
		"trip 2000..3000+ 11031m (61.2-160) top40\n"},
	{"windows that overlap are one rest, however wide",
		"0:1000/10 0 s0; 1010:2000/10 1.7 s0; 2010:3000/10 3.4 s0; 3010:4000/10 4:100 s40",
		"stop 0..3000 378m (1.7) top0\n"
		"trip 3000..4000+ 10741m (3.4-100) top40\n"},
	{"what is shorter than a trip joins the stops beside it: they are one",
		"0:980/20 0 s0; 10:990/20 1.35 s0; 1010:2000/20 3.1 s0; 1020:2000/20 4.45 s0; 2010:3000/10 5:105 s40",
		"stop 0..2000 29917m (2.225) top0\n"
		"trip 2000..3000+ 11181m (4.45-105) top40\n"},
	{"what is longer is a trip",
		"0:980/20 0 s0; 10:990/20 1.35 s0; 1010:2000/20 3.16 s0; 1020:2000/20 4.5 s0; 2010:3000/10 5:105 s40",
		"stop 0..990 14861m (0.675) top0\n"
		"trip 990..1010 201m (1.35-3.16) top0\n"
		"stop 1010..2000 14751m (3.83) top0\n"
		"trip 2000..3000+ 11175m (4.5-105) top40\n"},
	{"a leap of more than the radius is a trip",
		"0:1000/10 0 s0; 1010:2000/10 1.9 s0; 2010:3000/10 1.9:100 s40",
		"stop 0..1000 0m (0) top0\n"
		"trip 1000..1010 211m (0-1.9) top0\n"
		"stop 1010..2000 0m (1.9) top0\n"
		"trip 2000..3000+ 10908m (1.9-100) top40\n"},
	{"a crawl is a trip",
		"0:1000/10 0 s0; 1010:2200/10 0:18 s6; 2210:3000/10 18 s0",
		"stop 0..1000 0m (0) top0\n"
		"trip 1000..2210 2002m (0-18) top6\n"
		"stop 2210..3000+ 0m (18) top0\n"},
	{"moving to and fro within the radius is no standing, however long",
		"0:1000/10 0 s0; 1010:4000/20 1 s10; 1020:4000/20 0 s10; 4010:5000/10 0:100 s40",
		"stop 0..1000 0m (0) top0\n"
		"trip 1000..5000+ 44478m (0-100) top40\n"},
	{"but standing once at the end of it makes it so",
		"0:1000/10 0 s0; 1010:4000/20 1 s10; 1020:4000/20 0 s10; 4010 0 s0; 4020:5000/10 0:100 s40",
		"stop 0..4010 33359m (0) top10\n"
		"trip 4010..5000+ 11120m (0-100) top40\n"},
	{"a stop begins with the first place that does not move, and ends with the last",
		"0:600/10 0:60 s40; 610:640/10 60.2:60.8 s20; 650:1200/10 61 s0; 1210:1240/10 61.2:61.8 s20; 1250:2000/10 63:130 s40",
		"trip 0..650 6783m (0-61) top40\n"
		"stop 650..1200 0m (61) top0\n"
		"trip 1200..2000+ 7672m (61-130) top40\n"},
	{"a ferry: carried, with the ignition off",
		"0:600/10 0:60 s40 i1; 610:1000/10 60 s0 i0; 1010:3000/10 61:160 s15 i0; 3010:3600/10 160 s0 i0; 3610:4000/10 161:200 s40 i1",
		"trip 0..610 6672m (0-60) top40 on610\n"
		"stop 610..1000 0m (60) top0\n"
		"trip 1000..3010 11120m (60-160) top15 carried2010/11120m\n"
		"stop 3010..3600 0m (160) top0\n"
		"trip 3600..4000+ 4448m (160-200) top40 on390\n"},
	{"a slow ferry whose places lie far apart is carried too",
		"0:600/10 0:60 s40 i1; 610:1200/10 60 s0 i0; 1500:4500/300 63:93 s2 i0; 4510:5400/10 93 s0 i0; 5410:6000/10 94:150 s40 i1",
		"trip 0..610 6672m (0-60) top40 on610\n"
		"stop 610..1200 0m (60) top0\n"
		"trip 1200..4500 3669m (60-93) top2 carried3300/3669m\n"
		"stop 4500..5400 0m (93) top2\n"
		"trip 5400..6000+ 6338m (93-150) top40 on590\n"},
	{"with the ignition off and slow a drift beyond the radius is standing",
		"0:600/10 0:60 s40 i1; 610:3000/10 60:64 s0 i0; 3010:4000/10 65:160 s40 i1",
		"trip 0..610 6672m (0-60) top40 on610\n"
		"stop 610..3000 0m (62) top0\n"
		"trip 3000..4000+ 10675m (64-160) top40 on990\n"},
	{"with the ignition on it is driving, if idle",
		"0:600/10 0:60 s40 i1; 610:3000/10 60:84 s2 i1; 3010:4000/10 85:180 s40 i1",
		"trip 0..4000+ 17346m (0-180) top40 on4000 idle2400\n"},
	{"without speeds",
		"0:590/10 0; 600:1200/10 0:60; 1210:1800/10 60; 1810:2400/10 60:120; 2410:3000/10 120",
		"stop 0..610 111m (0)\n"
		"trip 610..1190 6449m (1-59)\n"
		"stop 1190..1820 224m (60)\n"
		"trip 1820..2390 6446m (61.017-118.983)\n"
		"stop 2390..3000+ 113m (120)\n"},
	{"without speeds, every second",
		"0:590/1 0; 600:1200/1 0:60; 1201:1800/1 60",
		"stop 0..617 189m (0)\n"
		"trip 617..1183 6294m (1.7-58.3)\n"
		"stop 1183..1800+ 189m (60)\n"},
	{"of one time the first place counts",
		"0:590/10 0 s0; 0:590/10 50 s90; 600:1200/10 0:60 s40; 600:1200/10 99 s90; 1210:1800/10 60 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..1210 6672m (0-60) top40\n"
		"stop 1210..1800+ 0m (60) top0\n"},
	{"a teleport is no place",
		"0:590/10 0 s0; 600:900/10 0:30 s40; 910 900 s99; 920:1200/10 32:60 s40; 1210:1800/10 60 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..1210 6672m (0-60) top40\n"
		"stop 1210..1800+ 0m (60) top0\n"},
	{"two of them are places, but no distance",
		"0:590/10 0 s0; 600:900/10 0:30 s40; 910 900 s40; 920 901 s40; 930:1200/10 33:60 s40; 1210:1800/10 60 s0",
		"stop 0..590 0m (0) top0\n"
		"trip 590..1210 6449m (0-60) top40\n"
		"stop 1210..1800+ 0m (60) top0\n"},
	{"a residue between unobserved legs is nothing, at the end as well",
		"0 0 s0; 10 1 s0; 10000 50 s0; 10010 51 s0; 20000 100 s0; 20010 101 s0",
		"unobserved 10..10000 5449m (1-50) top0\n"
		"unobserved 10010..20000 5449m (51-100) top0\n"},
	{"a single record", "0 0 s0", ""},
	{"no place at all", "0:1000/10 - i1", ""},
	{"a trip that has not ended", "0:600/10 0:60 s40",
		"trip 0..600+ 6672m (0-60) top40\n"},
	{"on the antimeridian a stop is where it is",
		"0:500/10 179999.9 s0; 5:500/10 -179999.9 s0; 510:900/10 -179999:-179960 s40",
		"stop 0..500 2224m (180000) top0\n"
		"trip 500..900+ 4459m (180000--179960) top40\n"},
	{"a change of driver in a trip",
		"0:600/10 0:60 s40 d1; 610:1000/10 60:100 s40; 1010:1200/10 100:120 s40 d2; 1210:2000/10 120 s0",
		"trip 0..1210 13343m (0-120) top40 d1 d2\n"
		"stop 1210..2000+ 0m (120) top0 d2\n"},
};

static const Case odometers[] = {
	{"differences of neighbours",
		"0:300/10 0 s0 o1000; 310 1 s40 o1100; 320 3 s40; 330 5 s40 o1900; 340 7 s40 o2100; 350:900/10 7 s0 o2100",
		"stop 0..300 0m (0) top0 o0\n"
		"trip 300..350 778m (0-7) top40 o1100\n"
		"stop 350..900+ 0m (7) top0 o0\n"},
	{"of a record that is no place",
		"0:300/10 0 s0 o1000; 310 2 s40; 315 - o1300; 320 4 s40; 330 6 s40 o1700; 340:900/10 6 s0",
		"stop 0..300 0m (0) top0 o0\n"
		"trip 300..340 667m (0-6) top40 o700\n"
		"stop 340..900+ 0m (6) top0\n"},
	{"set back: the distance instead",
		"0:300/10 0 s0 o1000; 310 2 s40 o1200; 320 4 s40 o5; 330 6 s40 o205; 340:900/10 6 s0",
		"stop 0..300 0m (0) top0 o0\n"
		"trip 300..340 667m (0-6) top40 o622\n"
		"stop 340..900+ 0m (6) top0\n"},
	{"grown too much: the distance instead",
		"0:300/10 0 s0 o1000; 310 2 s40 o1200; 320 4 s40 o90000; 330 6 s40 o90205; 340:900/10 6 s0",
		"stop 0..300 0m (0) top0 o0\n"
		"trip 300..340 667m (0-6) top40 o627\n"
		"stop 340..900+ 0m (6) top0\n"},
	{"grown while it was silent",
		"0:300/10 0 s0 o1000; 310:340/10 2:8 s40 o1000; 10000 300 s40 o60000; 10010:10040/10 302:308 s40 o61000",
		"stop 0..300 0m (0) top0 o0\n"
		"trip 300..340 890m (0-8) top40 o0\n"
		"unobserved 340..10000 32469m (8-300) top40 o59000\n"
		"trip 10000..10040+ 890m (300-308) top40 o1000\n"},
};

static void
check_cases(const ReportOptions *options, const Case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_script(SCRIPT_SEGMENTS, options, cases[i].name, cases[i].script, cases[i].segments);
}

#define CHECK_CASES(options, cases) check_cases(options, cases, sizeof(cases) / sizeof((cases)[0]))

int
main(void)
{
	ReportOptions options = report_defaults;

	options.wired_since = 0;
	CHECK_CASES(&options, days);
	CHECK_CASES(&options, odometers);
	return done_testing();
}
