/*
 * test_detect_state.c
 *		The state is all that the detectors go by: saved and loaded anywhere it goes
 *		on alike; from wherever one starts, one comes to the same; other bytes are
 *		refused; what is open can be told from it.
 *
 * Invariant: the walks are random, but the same in every run.
 */
#include "detect_script.h"

static uint64_t seed;

/* Gives a number below `below`. */
static uint32_t
dice(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) ((seed >> 33) % below);
}

/* A world with fences of many sorts around where the walks go. */
static World *
busy_world(void)
{
	World	   *world = world_new();

	for (int id = 1; id <= 12; id++)
	{
		double		west = (double) dice(80) / 1000;
		double		south = (double) dice(30) / 1000 - 0.015;
		GeoBox		box = {west, south, west + (1 + dice(id % 2 ? 30 : 3)) / 1000.0, south + (1 + dice(20)) / 1000.0};
		WorldFence *fence = world_fence(world, id, box);

		/* Some were elsewhere before, and of these some were away for a while. */
		if (id % 3 == 0)
		{
			fence->fence.valid_until = S(8000);
			box.east += 0.005;
			fence = world_fence(world, id, box);
			fence->fence.valid_from = S(id % 2 == 0 ? 8000 : 8100);
		}
		fence->fence.min_fixes_in = 1 + (int) dice(3);
		fence->fence.min_fixes_out = 1 + (int) dice(3);
		fence->fence.min_dwell_in = S(dice(2) * dice(60));
		fence->fence.min_dwell_out = S(dice(2) * dice(60));
		fence->fence.dwell_after = S(dice(2) * 100);
		fence->fence.exit_buffer_m = 40.0 * dice(10);
		fence->fence.interpolate = dice(2) == 1;
		if (dice(2) == 1)
			fence->fence.speed_limit_kmh = 20 + dice(60);
		if (dice(2) == 1)
		{
			fence->pause_from = S(dice(20000));
			fence->pause_until = fence->pause_from + S(1 + dice(3000));
		}
	}
	world->options.speed_limit_kmh = 60;
	world_rule(world, -1, "warm");
	world_rule(world, 2, "warm for long")->rule.lasting = S(30);
	world_rule(world, 3, "standing")->rule.moving = 0;
	world->rules[2].rule.max_gap = S(600);
	world_rule(world, 4, "freezing while driving")->rule.moving = 1;
	world->rules[3].rule.below = 2;
	world->rules[3].valid_from = S(4000);
	world->rules[3].valid_until = S(30000);
	return world;
}

#define WALK	6000

/* Makes the next fix of a random walk. */
static void
walk(DetectFix *fix)
{
	static const char *const codes[] = {"POS", "POS", "POS", "POS", "POS", "POS", "CPA", "LPA", "IN1"};
	static const int32_t pauses[] = {0, 1, 2, 5, 10, 10, 10, 10, 30, 30, 60, 700, 4000};
	static bool driving;
	static double values[WALK];
	static int	used;
	double		lon = fix->lon;
	double		lat = fix->lat;
	DetectTime	time = fix->time + S(pauses[dice(sizeof(pauses) / sizeof(pauses[0]) - (dice(20) > 0 ? 2 : 0))]);

	*fix = (DetectFix) {.time = time, .lon = lon, .lat = lat, .speed_kmh = NAN, .ignition = -1};
	if (dice(30) == 0)
		driving = !driving;
	fix->has_place = dice(10) > 0;
	if (fix->has_place)
	{
		fix->lon += ((double) dice(8001) - 4000 + (lon < 0.05 ? 200 : -200)) / 1e6;
		fix->lat += ((double) dice(2001) - 1000 - lat * 20000) / 1e6;
	}
	if (dice(8) > 0)
		fix->speed_kmh = driving ? 30 + dice(80) : dice(4);
	if (dice(4) > 0)
		fix->ignition = dice(6) == 0;
	if (dice(20) == 0)
		text_set(&fix->driver, dice(2) == 0 ? "A-1" : "B");
	text_set(&fix->code, codes[dice(sizeof(codes) / sizeof(codes[0]))]);
	if (strcmp(fix->code.bytes, "POS") != 0)
		fix->alarm = fix->code;
	/* Seldom from one side to the other. */
	values[used] = used == 0 ? 5 : values[used - 1] + (double) dice(21) / 10 - 1;
	values[used] = fmin(fmax(values[used], 0), 10);
	if (dice(5) > 0)
		fix->sensors = &values[used];
	used++;
}

static DetectFix fixes[WALK];

static void
make_walk(void)
{
	DetectFix	fix = {.time = 0};

	for (int i = 0; i < WALK; i++)
	{
		walk(&fix);
		fixes[i] = fix;
	}
}

/* Takes steps; returns the rows of them, which the caller frees. */
static char *
rows_of(World *world, DetectState **state, int from, int to, bool save)
{
	log_clear(&world->log);
	for (int i = from; i < to; i++)
	{
		if (save)
			*state = round_trip(*state, world);
		if (*state == NULL)
			return strdup("not read back");
		detect_step(*state, &fixes[i], &world->calls);
	}
	return strdup(world->log.text);
}

static int
count_lines(const char *text, const char *start)
{
	int			count = 0;

	for (; text && *text; text = strchr(text, '\n') + 1)
		count += strncmp(text, start, strlen(start)) == 0;
	return count;
}

static void
test_round_trips(World *world)
{
	DetectState *plain = detect_new(&world->calls);
	DetectState *saved = detect_new(&world->calls);
	char	   *rows = rows_of(world, &plain, 0, WALK, false);
	int			different = 0;

	for (int kind = 0; kind < DETECT_PROXIMITY; kind++)
		ok(count_lines(rows, detect_kind_name((DetectKind) kind)) > 0, "the walk has rows of %s: %d",
		   detect_kind_name((DetectKind) kind), count_lines(rows, detect_kind_name((DetectKind) kind)));
	free(rows);

	plain = detect_new(&world->calls);
	for (int i = 0; i < WALK && saved; i++)
	{
		char	   *a;
		char	   *b;

		a = rows_of(world, &plain, i, i + 1, false);
		b = rows_of(world, &saved, i, i + 1, true);
		different += strcmp(a, b) != 0;
		if (strcmp(a, b) != 0)
			printf("# fix %d:\n# %s# saved:\n# %s\n", i, a, b);
		free(a);
		free(b);
		if (i % 500 == 499)
		{
			size_t		size;
			uint8_t    *bytes = save_state(plain, &size);

			world_forget(world);
			plain = detect_load(bytes, size, &world->calls);
			saved = detect_load(bytes, size, &world->calls);
			free(bytes);
		}
	}
	is_int(different, 0, "saved and loaded before every step: the same rows");
	world_forget(world);
}

/* A state whose tracker had its ignition on long ago: when that was is kept for good. */
static DetectState *
begun(World *world)
{
	DetectState *state = detect_new(&world->calls);
	DetectFix	fix;

	next_fix("-9 - i1", &fix);
	detect_step(state, &fix, &world->calls);
	return state;
}

/* Checks that two folds, one of which began later, come to the same bytes. */
static void
test_convergence(World *world)
{
	int			apart = 0;
	int			longest = 0;

	for (int start = 100; start < WALK - 2000; start += 250)
	{
		DetectState *early = begun(world);
		DetectState *late = begun(world);
		bool		same = false;
		int			i;

		free(rows_of(world, &early, start - 100, start, false));
		for (i = start; i < start + 2000 && !same; i++)
		{
			size_t		a_size;
			size_t		b_size;
			uint8_t    *a;
			uint8_t    *b;

			detect_step(early, &fixes[i], &world->calls);
			detect_step(late, &fixes[i], &world->calls);
			a = save_state(early, &a_size);
			b = save_state(late, &b_size);
			same = detect_same(a, a_size, b, b_size);
			free(a);
			free(b);
		}
		apart += !same;
		if (i - start > longest)
			longest = i - start;
		if (same)
		{
			/* The rows from there on are those of both. */
			char	   *a = rows_of(world, &early, i, i + 200, false);
			char	   *b = rows_of(world, &late, i, i + 200, false);

			if (strcmp(a, b) != 0)
				ok(false, "the same state at %d, other rows", i);
			free(a);
			free(b);
		}
		world_forget(world);
	}
	is_int(apart, 0, "folds that began elsewhere come to the same state (at most %d steps)", longest);
}

/* Tells whether a line is in a text. */
static bool
has_line(const char *text, const char *line, size_t size)
{
	for (; *text; text = strchr(text, '\n') + 1)
	{
		if (strncmp(text, line, size) == 0)
			return true;
	}
	return false;
}

/* Checks that what is open at any time is what was last put and has no end. */
static void
test_open(World *world)
{
	DetectState *state = detect_new(&world->calls);
	WorldLog	all = {NULL, 0, 0};
	int			unknown = 0;
	int			open = 0;

	for (int i = 0; i < WALK / 4; i++)
	{
		log_clear(&world->log);
		detect_step(state, &fixes[i], &world->calls);
		log_add(&all, "%s", world->log.text);
		log_clear(&world->log);
		detect_put_open(state, &world->calls);
		for (const char *line = world->log.text; *line; line = strchr(line, '\n') + 1)
		{
			open++;
			unknown += !has_line(all.text, line, (size_t) (strchr(line, '\n') - line) + 1);
		}
	}
	ok(open > 1000, "there were open rows: %d", open);
	is_int(unknown, 0, "what is open was put before, word by word");
	free(all.text);
	world_forget(world);
}

/* Bytes that are not those of a state: cut, longer, with a bit turned. */
static void
test_garbage(World *world)
{
	DetectState *state = detect_new(&world->calls);
	size_t		size = 0;
	uint8_t    *bytes;
	int			taken = 0;
	int			changed = 0;
	int			at = 0;

	/* One with a lot going on. */
	while (size < 700 && at < WALK - 10)
	{
		detect_step(state, &fixes[at++], &world->calls);
		size = detect_save(state, NULL, 0);
	}
	bytes = save_state(state, &size);
	for (size_t cut = 0; cut < size; cut++)
	{
		uint8_t    *copy = malloc(cut ? cut : 1);

		memcpy(copy, bytes, cut);
		taken += detect_load(copy, cut, &world->calls) != NULL;
		free(copy);
	}
	is_int(taken, 0, "a state that is cut short is refused (of %d bytes)", (int) size);
	bytes = realloc(bytes, size + 1);
	bytes[size] = 0;
	ok(detect_load(bytes, size + 1, &world->calls) == NULL, "one that is longer is refused");
	for (size_t bit = 0; bit < size * 8; bit++)
	{
		DetectState *loaded;

		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		loaded = detect_load(bytes, size, &world->calls);
		if (loaded)
		{
			size_t		again_size;
			uint8_t    *again = save_state(loaded, &again_size);

			changed += again_size != size || memcmp(again, bytes, size) != 0;
			free(again);
			for (int i = at; i < at + 10; i++)
				detect_step(loaded, &fixes[i], &world->calls);
		}
		bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		world_forget(world);
	}
	is_int(changed, 0, "one with a bit turned is refused, or is what it says");
	bytes[0]++;
	ok(detect_load(bytes, size, &world->calls) == NULL, "one of another version is refused");
	ok(!detect_same(bytes, size, bytes, 20), "a cut one is not the same");
	free(bytes);
	world_forget(world);
}

static void
test_pieces(void)
{
	World	   *world = world_new();
	DetectState *state = detect_new(&world->calls);
	const DetectPiece *piece = detect_piece(state);
	DetectFix	fix;
	uint8_t    *a;
	uint8_t    *b;
	size_t		a_size;
	size_t		b_size;

	ok(piece->since == DETECT_NO_TIME && piece->fixes == 0 && !piece->has_extent &&
	   isnan(piece->top_speed_kmh), "piece: empty at first");
	ok(detect_time(state) == DETECT_NO_TIME, "no fix, no time");
	for (const char *script = "10 5 s9 y1; 20 - s99; 30 7; 30 8 y-1"; (script = next_fix(script, &fix));)
		detect_step(state, &fix, &world->calls);
	ok(piece->fixes == 4 && piece->top_speed_kmh == 9, "piece: rows, top speed of places");
	ok(piece->has_extent && piece->extent.west == 0.005 && piece->extent.east == 0.008 &&
	   piece->extent.south == -1 && piece->extent.north == 1, "piece: extent");
	is_int(detect_time(state), S(30), "time of the last fix");
	a = save_state(state, &a_size);
	detect_cut_piece(state);
	b = save_state(state, &b_size);
	ok(detect_same(a, a_size, b, b_size) && memcmp(a, b, a_size) != 0,
	   "piece: a state is the same whatever its piece");
	ok(piece->since == S(30) && piece->fixes == 0 && !piece->has_extent, "piece: cut");
	next_fix("40 -", &fix);
	detect_step(state, &fix, &world->calls);
	ok(piece->fixes == 1 && !piece->has_extent, "piece: a record without a place has no extent");
	next_fix("50 9 y0.5", &fix);
	detect_step(state, &fix, &world->calls);
	ok(piece->extent.west == 0.007 && piece->extent.east == 0.009 && piece->extent.south == 0 &&
	   piece->extent.north == 0.5, "piece: begins with the last place before it");
	next_fix("55 9 y0.75", &fix);
	detect_step(state, &fix, &world->calls);
	is_int((long long) (piece->extent.north * 100), 75, "piece: grows");
	next_fix("60 -179999", &fix);
	fix.lon = -179.999;
	detect_step(state, &fix, &world->calls);
	next_fix("70 179999", &fix);
	detect_step(state, &fix, &world->calls);
	ok(piece->extent.west == -180 && piece->extent.east == 180, "piece: across the antimeridian");
	next_fix("69 0", &fix);
	detect_step(state, &fix, &world->calls);
	is_int(detect_time(state), S(70), "a fix earlier than the last is passed over");
	free(a);
	free(b);
	world_free(world);
}

/* Runs a script and tells when the ignition was first on; -1 = never. */
static long long
first_on(World *world, const char *script)
{
	DetectTime	since = detect_ignition_since(run_script(world, script, true));

	world_forget(world);
	return since == DETECT_NO_TIME ? -1 : since / DETECT_SECOND;
}

static void
test_ignition_since(void)
{
	World	   *world = world_new();

	is_int(first_on(world, ""), -1, "first on: no record");
	is_int(first_on(world, "5 -; 10 - i0; 20 -"), -1, "first on: never");
	is_int(first_on(world, "5 - i0; 10 - i1; 20 - i0; 30 - i1"), 10, "first on: the first of two");
	is_int(first_on(world, "5 - i0; 10 - i1; 11 - i0; 20 - i0"), 10,
		   "first on: one that was taken back counts");
	is_int(first_on(world, "5 - i1; 7000 -"), 5, "first on: kept for good");
	world_free(world);
}

/* A thousand fences around one place. */
static void
test_many_fences(void)
{
	World	   *world = world_new();
	DetectState *state;

	for (int id = 1; id <= 1000; id++)
	{
		WorldFence *fence = world_fence(world, id, (GeoBox) {0.01, -0.001, 0.02 + id * 1e-6, 0.001});

		/* Every other one only from later on, so that ids come in between. */
		if (id % 2 == 0)
			fence->fence.valid_from = S(50);
	}
	state = run_script(world, "0 5; 10 12; 60 13; 70 14", true);
	is_int(count_lines(world->log.text, "visit f"), 1000, "1,000 fences: as many visits");
	log_clear(&world->log);
	detect_put_open(state, &world->calls);
	is_int(count_lines(world->log.text, "visit f"), 1000, "1,000 fences: all open");
	state = run_script(world, "0 5; 10 12; 60 13; 70 14; 80 5; 90 5", true);
	is_int(count_lines(world->log.text, "geofence_exit f"), 1000, "1,000 fences: all left");
	ok(!detect_has_visits(state), "1,000 fences: nothing is open");
	run_script(world, "60 5; 160 25; 260 26", true);
	is_int(count_lines(world->log.text, "geofence_pass f"), 1000, "1,000 fences: passed through");
	world_free(world);
}

int
main(void)
{
	World	   *world;

	seed = 621;
	world = busy_world();
	make_walk();
	test_round_trips(world);
	test_convergence(world);
	test_open(world);
	test_garbage(world);
	world_free(world);
	test_pieces();
	test_ignition_since();
	test_many_fences();
	return done_testing();
}
