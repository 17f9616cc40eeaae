/*
 * test_detect_fences.c
 *		Visits to fences and what comes of them, rule by rule.
 *
 * Fence 1 reaches from 10 to 20 thousandths of a degree: a place at 20.1 is some
 * 11 metres away from it, in the ring; one at 21 is 111 metres away, far.
 *
 * Invariant: each case names the rule of doc/detectors.md that it shows.
 */
#include "detect_script.h"

/* A box from one longitude to another, thousandths of a degree. */
static GeoBox
box(double west, double east)
{
	return (GeoBox) {west / 1000, -0.001, east / 1000, 0.001};
}

/* A world with fence 1. */
static World *
one_fence(WorldFence **fence)
{
	World	   *world = world_new();

	*fence = world_fence(world, 1, box(10, 20));
	return world;
}

static void
test_plain(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	check_script(world, "in and out again: row, enter, exit, metres, top speed, driver",
				 "0 5 dA; 100 10 s30; 200 15 s50 dB; 300 20 s40; 400 25 s60; 500 30",
				 "driver_change A 0 !0 (5)\n"
				 "visit f1 100 !100 (10) by A\n"
				 "geofence_enter f1 100 !100 (10) by A\n"
				 "driver_change B 200 !200 (15) by A\n"
				 "visit f1 100..400 !100 (10) 1112m top50 by A\n"
				 "geofence_exit f1 400 !500 (25) by A\n");
	check_script(world, "the boundary is in",
				 "0 9.9999; 100 10", "visit f1 100 !100 (10)\ngeofence_enter f1 100 !100 (10)\n");
	check_script(world, "a first place inside is no entry",
				 "100 15; 200 25; 300 26",
				 "visit f1 100 !100 (15) ?in\nvisit f1 100..200 !100 (15) ?in 0m\n"
				 "geofence_exit f1 200 !300 (25)\n");
	check_script(world, "records without a place change nothing",
				 "0 5; 50 -; 100 15; 150 - s99; 200 25; 250 -; 300 26",
				 "visit f1 100 !100 (15)\ngeofence_enter f1 100 !100 (15)\n"
				 "visit f1 100..200 !100 (15) 0m\ngeofence_exit f1 200 !300 (25)\n");
	check_script(world, "of one second the first place counts",
				 "0 5; 100 15; 100 25; 100 26; 200 16; 300 25; 300 15; 400 25",
				 "visit f1 100 !100 (15)\ngeofence_enter f1 100 !100 (15)\n"
				 "visit f1 100..300 !100 (15) 111m\ngeofence_exit f1 300 !400 (25)\n");
	check_script(world, "a place off the Earth, or none at all, is none",
				 "0 5; 100 181000; 150 nan; 200 15 y91; 300 15",
				 "visit f1 300 !300 (15)\ngeofence_enter f1 300 !300 (15)\n");
	world_fence(world, 2, (GeoBox) {179, 89, 180, 90});
	check_script(world, "its edges are on it, and no speed is no speed",
				 "100 180000 sinf; 200 180000 y90 s-inf; 300 180000 y90 snan",
				 "visit f2 200 !200 (180000, 90)\ngeofence_enter f2 200 !200 (180000, 90)\n");
	check_open(world, "its edges: still there", "100 180000 y90 sinf; 200 180000 y90", "visit f2 100 !100 (180000, 90) ?in\n");
	geo_shape_free(world->fences[--world->count].fence.shape);
	check_script(world, "out again at once, and back: two visits",
				 "0 5; 100 15; 200 25; 300 26; 400 15; 500 25; 600 26",
				 "visit f1 100 !100 (15)\ngeofence_enter f1 100 !100 (15)\n"
				 "visit f1 100..200 !100 (15) 0m\ngeofence_exit f1 200 !300 (25)\n"
				 "visit f1 400 !400 (15)\ngeofence_enter f1 400 !400 (15)\n"
				 "visit f1 400..500 !400 (15) 0m\ngeofence_exit f1 500 !600 (25)\n");
	check_script(world, "legs that are slow or too fast count or do not",
				 "0 5; 100 10; 101 18; 3701 18.5; 7302 19; 7400 19.5; 7500 25; 7600 25",
				 "visit f1 100 !100 (10)\ngeofence_enter f1 100 !100 (10)\n"
				 "visit f1 100..7500 !100 (10) 111m\ngeofence_exit f1 7500 !7600 (25)\n");
	world_free(world);
}

static void
test_leaving(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	check_script(world, "one far place does not end it",
				 "0 15; 100 21; 200 15; 300 21; 400 15",
				 "visit f1 0 !0 (15) ?in\n");
	check_script(world, "the ring keeps it, and is its possible end",
				 "0 15; 100 20.1; 200 20.1; 300 20.1; 400 21; 500 20.1; 600 22",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..100 !0 (15) ?in 0m\n"
				 "geofence_exit f1 100 !600 (20.1)\n");
	check_script(world, "a place inside forgets end and count",
				 "0 15; 100 21; 200 15; 300 20.1; 400 21; 500 21",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..300 !0 (15) ?in 0m\n"
				 "geofence_exit f1 300 !500 (20.1)\n");
	fence->fence.min_fixes_out = 1;
	check_script(world, "one far place is enough where it is said so",
				 "0 15; 100 21; 200 15",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..100 !0 (15) ?in 0m\n"
				 "geofence_exit f1 100 !100 (21)\nvisit f1 200 !200 (15)\n"
				 "geofence_enter f1 200 !200 (15)\n");
	fence->fence.min_dwell_out = S(60);
	check_script(world, "and so long after the possible end",
				 "0 15; 100 20.1; 159 21; 160 21",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..100 !0 (15) ?in 0m\n"
				 "geofence_exit f1 100 !160 (20.1)\n");
	check_script(world, "by a far place, not by one in the ring",
				 "0 15; 100 21; 170 20.1; 180 21",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..100 !0 (15) ?in 0m\n"
				 "geofence_exit f1 100 !180 (21)\n");
	fence->fence.min_dwell_out = 0;
	fence->fence.exit_buffer_m = 0;
	check_script(world, "without a buffer there is no ring",
				 "0 15; 100 20.0001", "visit f1 0 !0 (15) ?in\n"
				 "visit f1 0..100 !0 (15) ?in 0m\ngeofence_exit f1 100 !100 (20.0001)\n");
	fence->fence.exit_buffer_m = 200;
	check_script(world, "with a wide one it begins later",
				 "0 15; 100 21.7; 200 21.9", "visit f1 0 !0 (15) ?in\n"
				 "visit f1 0..100 !0 (15) ?in 0m\ngeofence_exit f1 100 !200 (21.7)\n");
	world_free(world);
}

static void
test_entering(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	fence->fence.min_fixes_in = 3;
	check_script(world, "confirmed by the third place inside",
				 "0 5; 100 11 dA; 200 12 dB; 300 13",
				 "driver_change A 100 !100 (11)\ndriver_change B 200 !200 (12) by A\n"
				 "visit f1 100 !300 (11) by A\ngeofence_enter f1 100 !300 (11) by A\n");
	check_script(world, "a far place ends a candidate",
				 "0 5; 100 11; 200 12; 300 25; 400 12; 500 12", "");
	check_script(world, "one in the ring changes nothing",
				 "0 5; 100 11; 200 12; 300 20.1; 400 12; 500 25; 600 25",
				 "visit f1 100 !400 (11)\ngeofence_enter f1 100 !400 (11)\n"
				 "visit f1 100..500 !400 (11) 111m\ngeofence_exit f1 500 !600 (25)\n");
	fence->fence.min_fixes_in = 1;
	fence->fence.min_dwell_in = S(60);
	check_script(world, "confirmed when inside for so long",
				 "0 5; 100 11; 159 12; 160 13",
				 "visit f1 100 !160 (11)\ngeofence_enter f1 100 !160 (11)\n");
	check_script(world, "by a place inside",
				 "0 5; 100 11; 170 20.1; 180 13",
				 "visit f1 100 !180 (11)\ngeofence_enter f1 100 !180 (11)\n");
	check_open(world, "open: not a candidate", "0 5; 100 11; 159 12", "");
	check_open(world, "open: a visit", "0 5; 100 11; 160 12", "visit f1 100 !160 (11)\n");
	check_open(world, "open: a visit that may be left",
			   "0 5 dX; 100 11; 160 12 dY; 170 25", "visit f1 100 !160 (11) by X\n");
	world_free(world);
}

static void
test_dwell(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	fence->fence.dwell_after = S(300);
	check_script(world, "dwell: shown by the first place inside then or later, once",
				 "0 5; 100 11; 399.9 12; 400 13; 500 14",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "geofence_dwell f1 400 !400 (13)\n");
	check_script(world, "dwell: not by one outside",
				 "0 5; 100 11; 410 20.1; 420 13; 500 14",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "geofence_dwell f1 400 !420 (13)\n");
	fence->fence.min_dwell_in = S(600);
	check_script(world, "dwell: not before the visit is confirmed",
				 "0 11; 400 12; 600 13",
				 "visit f1 0 !600 (11) ?in\ngeofence_dwell f1 300 !600 (13)\n");
	world_free(world);
}

static void
test_interpolated(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	fence->fence.interpolate = true;
	check_script(world, "interpolated: entry and exit where the segment crosses",
				 "0 5; 100 15; 200 17; 240 21; 300 25",
				 "visit f1 50 !100 (15) ~50\ngeofence_enter f1 50 !100 (15) ~50\n"
				 "visit f1 50..230 !100 (15) ~50 222m\ngeofence_exit f1 230 !300 (21) ~20\n");
	check_script(world, "interpolated: not after a silence of more than pass_gap",
				 "0 5; 601 15; 1201 25; 1202 25",
				 "visit f1 601 !601 (15)\ngeofence_enter f1 601 !601 (15)\n"
				 "visit f1 601..901 !601 (15) ~300 0m\ngeofence_exit f1 901 !1202 (25) ~300\n");
	check_script(world, "interpolated: not on a leg that is not plausible",
				 "0 5; 10 15; 20 25; 30 25",
				 "visit f1 10 !10 (15)\ngeofence_enter f1 10 !10 (15)\n"
				 "visit f1 10..20 !10 (15) 0m\ngeofence_exit f1 20 !30 (25)\n");
	check_script(world, "interpolated: not an entry that nobody saw",
				 "0 15; 100 25; 200 25",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..50 !0 (15) ?in ~50 0m\n"
				 "geofence_exit f1 50 !200 (25) ~50\n");
	check_script(world, "interpolated: places on the boundary are where it is crossed",
				 "0 5; 100 10; 200 20; 300 25; 400 25",
				 "visit f1 100 !100 (10) ~50\ngeofence_enter f1 100 !100 (10) ~50\n"
				 "visit f1 100..200 !100 (10) ~50 1112m\ngeofence_exit f1 200 !400 (25) ~50\n");
	check_script(world, "interpolated: the larger of the two gaps",
				 "0 5; 100 15; 300 25; 400 25",
				 "visit f1 50 !100 (15) ~50\ngeofence_enter f1 50 !100 (15) ~50\n"
				 "visit f1 50..200 !100 (15) ~100 0m\ngeofence_exit f1 200 !400 (25) ~100\n");
	check_script(world, "interpolated: a forgotten end leaves no trace",
				 "0 5; 100 15; 200 21; 500 15; 600 20.1; 700 21; 701 21",
				 "visit f1 50 !100 (15) ~50\ngeofence_enter f1 50 !100 (15) ~50\n"
				 "visit f1 50..598.039 !100 (15) ~50 0m\ngeofence_exit f1 598.039 !701 (20.1) ~50\n");
	check_script(world, "interpolated: nor where the next end is none to interpolate",
				 "0 15; 100 21; 200 15; 801 21; 802 21",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..801 !0 (15) ?in 0m\n"
				 "geofence_exit f1 801 !802 (21)\n");
	world_free(world);
}

static void
test_passing(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);

	check_script(world, "passing through: neither place inside",
				 "0 5; 100 25 s80 dA",
				 "driver_change A 100 !100 (25)\n"
				 "visit f1 25..75 !100 (25) passed ~50 1112m by A\n"
				 "geofence_pass f1 25..75 !100 (25) passed ~50 by A\n");
	check_script(world, "passing through: at most pass_gap",
				 "0 5; 600 25; 1201 5", "visit f1 150..450 !600 (25) passed ~300 1112m\n"
				 "geofence_pass f1 150..450 !600 (25) passed ~300\n");
	check_script(world, "passing through: not on a leg that is not plausible",
				 "0 5; 32 25; 64.1 5", "visit f1 40.025..56.075 !64.1 (5) passed ~16.05 1112m\n"
				 "geofence_pass f1 40.025..56.075 !64.1 (5) passed ~16.05\n");
	check_script(world, "passing through: not beside it", "0 5 y0.0011; 100 25 y0.0011", "");
	check_script(world, "passing through: not where the last place was inside",
				 "0 15; 100 25; 200 5; 300 25",
				 "visit f1 0 !0 (15) ?in\nvisit f1 0..100 !0 (15) ?in 0m\n"
				 "geofence_exit f1 100 !200 (25)\n"
				 "visit f1 225..275 !300 (25) passed ~50 1112m\n"
				 "geofence_pass f1 225..275 !300 (25) passed ~50\n");
	fence->fence.min_fixes_in = 2;
	check_script(world, "passing through: not where there was a candidate",
				 "0 5; 100 15; 200 25", "");
	fence->fence.min_fixes_in = 1;
	check_script(world, "passing through: the place of the second record of a second is none",
				 "0 5; 0 25; 100 8", "");
	fence->fence.valid_from = S(50);
	check_script(world, "passing through: not when the fence began in between",
				 "0 5; 100 25", "");
	fence->fence.valid_from = S(0);
	check_script(world, "passing through: its first moment is early enough",
				 "0 5; 100 25", "visit f1 25..75 !100 (25) passed ~50 1112m\n"
				 "geofence_pass f1 25..75 !100 (25) passed ~50\n");
	world_free(world);
}

static void
test_antimeridian(void)
{
	World	   *world = world_new();

	world_fence(world, 1, (GeoBox) {179.99, -1, 180, 1});
	world_fence(world, 2, (GeoBox) {-180, -1, -179.99, 1});
	world_fence(world, 3, (GeoBox) {-1, -1, 1, 1});
	check_script(world, "antimeridian: across it, through what lies there",
				 "0 179980; 100 -179980",
				 "visit f1 25..50 !100 (-179980) passed ~50 1112m\n"
				 "geofence_pass f1 25..50 !100 (-179980) passed ~50\n"
				 "visit f2 50..75 !100 (-179980) passed ~50 1112m\n"
				 "geofence_pass f2 50..75 !100 (-179980) passed ~50\n");
	world->fences[0].fence.interpolate = true;
	check_script(world, "antimeridian: in and out, interpolated",
				 "0 -179995; 100 179995; 200 -179985; 300 -179980",
				 "visit f2 0 !0 (-179995) ?in\n"
				 "visit f1 50 !100 (179995) ~50\ngeofence_enter f1 50 !100 (179995) ~50\n"
				 "visit f2 0..100 !0 (-179995) ?in 0m\ngeofence_exit f2 100 !200 (179995)\n"
				 "visit f1 50..125 !100 (179995) ~50 0m\n"
				 "geofence_exit f1 125 !300 (-179985) ~50\n");
	world_free(world);
}

/* Several fences side by side: what is found is not what there are visits to. */
static void
test_several(void)
{
	World	   *world = world_new();

	world_fence(world, 1, box(10, 20));
	world_fence(world, 2, box(30, 40))->fence.min_fixes_out = 1;
	world_fence(world, 3, box(12, 18));
	check_script(world, "several: from one to the next",
				 "0 5; 100 11; 200 35; 300 36",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f2 200 !200 (35)\ngeofence_enter f2 200 !200 (35)\n"
				 "visit f3 104.167..129.167 !200 (35) passed ~50 667m\n"
				 "geofence_pass f3 104.167..129.167 !200 (35) passed ~50\n"
				 "visit f1 100..200 !100 (11) 0m\ngeofence_exit f1 200 !300 (35)\n");
	check_script(world, "several: and back, into two at once",
				 "0 25; 100 35; 1000 15; 1100 14",
				 "visit f2 100 !100 (35)\ngeofence_enter f2 100 !100 (35)\n"
				 "visit f1 1000 !1000 (15)\ngeofence_enter f1 1000 !1000 (15)\n"
				 "visit f2 100..1000 !100 (35) 0m\ngeofence_exit f2 1000 !1000 (15)\n"
				 "visit f3 1000 !1000 (15)\ngeofence_enter f3 1000 !1000 (15)\n");
	world_free(world);
}

/* A fence changes: redrawn, ended, out of its hours. */
static void
test_versions(void)
{
	WorldFence *fence;
	World	   *world = one_fence(&fence);
	WorldFence *later;

	fence->pause_from = S(150);
	fence->pause_until = S(250);
	check_script(world, "hours: a place out of them ends a visit",
				 "0 5; 100 11 s9; 120 12 s7; 200 13 s50; 300 25",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..120 !100 (11) ?out 111m top9\n");
	check_script(world, "hours: a pause that no place saw ends it as well, and another begins",
				 "0 5; 100 11; 120 12; 300 13; 310 25; 320 25",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..120 !100 (11) ?out 111m\nvisit f1 300 !300 (13) ?in\n"
				 "visit f1 300..310 !300 (13) ?in 0m\ngeofence_exit f1 310 !320 (25)\n");
	check_script(world, "hours: they begin with a tracker inside, which stays",
				 "200 11; 250 12; 260 13", "visit f1 250 !250 (12) ?in\n");
	check_script(world, "hours: a visit that was being left has the last place inside",
				 "0 5; 100 11; 120 21; 200 30",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..100 !100 (11) ?out 0m\n");
	check_script(world, "hours: after a visit that broke nothing passed through",
				 "0 5; 100 11; 300 5", "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..100 !100 (11) ?out 0m\n");
	fence->fence.min_fixes_in = 5;
	check_script(world, "hours: a candidate ends without trace", "0 5; 100 11; 200 13", "");
	fence->fence.min_fixes_in = 1;
	fence->pause_from = DETECT_ENDLESS;
	fence->pause_until = DETECT_NO_TIME;

	fence->fence.valid_until = S(150);
	later = world_fence(world, 1, box(30, 40));
	later->fence.valid_from = S(150);
	later->fence.interpolate = true;
	check_script(world, "redrawn: the visit goes on, and is left by the shape of now",
				 "0 5; 100 11; 200 35; 300 50; 310 50",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..233.333 !100 (11) ~50 2669m\n"
				 "geofence_exit f1 233.333 !310 (50) ~50\n");
	check_script(world, "redrawn: nothing to interpolate where the segment does not meet it",
				 "0 5; 100 11; 200 12; 300 11",
				 "visit f1 100 !100 (11)\ngeofence_enter f1 100 !100 (11)\n"
				 "visit f1 100..200 !100 (11) 0m\ngeofence_exit f1 200 !300 (12)\n");
	check_script(world, "redrawn: it came to the tracker",
				 "100 35; 200 36", "visit f1 200 !200 (36) ?in\n");
	check_script(world, "redrawn: not passed through before it was drawn",
				 "100 25; 200 45; 300 25", "visit f1 225..275 !300 (25) passed ~50 1112m\n"
				 "geofence_pass f1 225..275 !300 (25) passed ~50\n");
	later->fence.valid_from = S(160);
	check_script(world, "a version later, with a pause between, is another visit",
				 "0 5; 100 15; 200 35",
				 "visit f1 100 !100 (15)\ngeofence_enter f1 100 !100 (15)\n"
				 "visit f1 100..100 !100 (15) ?out 0m\nvisit f1 175 !200 (35) ~50\n"
				 "geofence_enter f1 175 !200 (35) ~50\n");
	world_free(world);
}

static void
test_limits(void)
{
	World	   *world = world_new();

	world_fence(world, 1, box(10, 20))->fence.speed_limit_kmh = 30;
	world_fence(world, 2, box(15, 20))->fence.speed_limit_kmh = 20;
	world_fence(world, 3, box(15, 20))->fence.speed_limit_kmh = 20;
	world_fence(world, 4, box(15, 20));
	for (size_t i = 0; i < world->count; i++)
		world->fences[i].fence.min_fixes_in = 1000;
	check_script(world, "limit: of the fence, and none beside it",
				 "0 5 s90; 10 9 s90; 20 11 s40; 30 12 s40; 40 21 s90; 51 22 s90",
				 "overspeed f1 20 !30 (11) >30\n"
				 "overspeed f1 20..40 !30 (11) 111m >30 top40 mean10 peak20(11)\n");
	check_script(world, "limit: the lowest, of equal ones that of the lowest id",
				 "0 16 s24; 30 17 s24; 100 25 s0; 111 25 s0",
				 "overspeed f2 0 !30 (16) >20\n"
				 "overspeed f2 0..100 !30 (16) 111m >20 top24 mean4 peak0(16)\n");
	world->options.speed_limit_kmh = 10;
	check_script(world, "limit: that of a fence stands above the tracker's, lower or not",
				 "0 11 s32; 10 12 s32; 20 5 s32; 30 5.5 s32; 31 5.5 s32",
				 "overspeed 20 !30 (5) >10\n");
	check_script(world, "limit: as it was at the first place, the excess as it was at each",
				 "0 11 s34; 10 12 s34; 30 16 s34; 40 16 s0; 51 16 s0",
				 "overspeed f1 0 !10 (11) >30\n"
				 "overspeed f1 0..40 !10 (11) 556m >30 top34 mean7.33333 peak0(11)\n");
	world_free(world);
}

static bool
first_ended(void *arg, int32_t id)
{
	(void) arg;
	return id <= 2;
}

static void
test_ended(void)
{
	World	   *world = world_new();
	DetectState *state;
	DetectFix	fix;

	world_fence(world, 1, box(10, 20))->fence.interpolate = true;
	world_fence(world, 2, box(10, 20))->fence.min_fixes_in = 9;
	world_fence(world, 3, box(10, 20));
	state = run_script(world, "0 5; 100 15; 110 16; 120 25", true);
	log_clear(&world->log);
	ok(detect_close_ended(state, &world->calls, first_ended), "ended: it closes");
	is_str(world->log.text, "visit f1 50..110 !100 (15) ?out ~50 111m\n",
		   "ended: a visit, but no candidate, is a row");
	ok(!detect_close_ended(state, &world->calls, first_ended), "ended: once");
	log_clear(&world->log);
	next_fix("130 25", &fix);
	world_clear_fences(world);
	world_fence(world, 3, box(10, 20));
	detect_step(state, &fix, &world->calls);
	is_str(world->log.text, "visit f3 100..120 !100 (15) 111m\ngeofence_exit f3 120 !130 (25)\n",
		   "ended: the others go on");
	ok(!detect_has_visits(state), "ended: then nothing is open");
	world_free(world);
}

int
main(void)
{
	test_plain();
	test_leaving();
	test_entering();
	test_dwell();
	test_interpolated();
	test_passing();
	test_antimeridian();
	test_several();
	test_versions();
	test_limits();
	test_ended();
	return done_testing();
}
