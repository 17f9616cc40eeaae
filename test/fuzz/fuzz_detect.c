/*
 * fuzz_detect.c
 *		The detectors on any track, and on any bytes said to be their state.
 *
 * The first byte chooses.  Even: the rest is a saved state.  Checked: what is
 * taken is written back as it came, and does no harm to the steps after it.
 *
 * Odd: options, then where to cut, then fixes of FIX_BYTES each, among fences of
 * several sorts.  Checked: the state saved and loaded at the cut gives the same
 * rows and bytes as one never saved; a row keeps its key and its time of
 * confirmation, and ends once; and what is put or taken back after the cut of
 * what was put before it is told as open at the cut.
 */
#include "../unit/detect_world.h"

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

#define FIX_BYTES	5
#define ROWS_MAX	4096

static World *world;

/* Rows put so far, the last version of each key. */
static DetectRow rows[ROWS_MAX];
static size_t rows_count;
static DetectTime cut_at;		/* rows confirmed later may change */

static DetectRow *
find_row(const DetectRow *row)
{
	for (size_t i = 0; i < rows_count; i++)
	{
		if (rows[i].kind == row->kind && rows[i].fence == row->fence && rows[i].at == row->at &&
			rows[i].object.size == row->object.size &&
			memcmp(rows[i].object.bytes, row->object.bytes, row->object.size) == 0)
			return &rows[i];
	}
	return NULL;
}

/* Tells whether a row may come again without being the same: see the doc. */
static bool
may_repeat(const DetectRow *row)
{
	return row->kind == DETECT_DRIVER_CHANGE || row->kind == DETECT_ALARM;
}

static void
put(void *arg, const DetectRow *row)
{
	DetectRow  *old = find_row(row);

	world_put(arg, row);
	CHECK(row->until == DETECT_NO_TIME || row->until >= row->at);
	CHECK(row->confirmed_at >= row->at);
	CHECK(!(row->metres < 0) && !(row->uncertainty_s <= 0));
	if (old && !may_repeat(row))
	{
		CHECK(old->confirmed_at == row->confirmed_at);
		CHECK(old->kind == DETECT_POWER_CUT || old->kind == DETECT_LOW_BATTERY ||
			  old->until == DETECT_NO_TIME);
	}
	if (old)
		*old = *row;
	else if (rows_count < ROWS_MAX)
		rows[rows_count++] = *row;
}

static void
take(void *arg, const DetectRow *row)
{
	DetectRow  *old = find_row(row);

	world_take(arg, row);
	CHECK(old != NULL || rows_count == ROWS_MAX);
	if (old)
		*old = rows[--rows_count];
}

/* From the cut on: only what is open there is known. */
static void
put_after(void *arg, const DetectRow *row)
{
	CHECK(find_row(row) || row->confirmed_at >= cut_at);
	put(arg, row);
}

static GeoBox
box(int west, int south, int east, int north)
{
	return (GeoBox) {west / 1e3, south / 1e3, east / 1e3, north / 1e3};
}

static void
make_world(void)
{
	WorldFence *fence;

	world = world_new();
	world->calls.put = put;
	world->calls.take = take;
	world_fence(world, 1, box(-20, -20, 20, 20))->fence.interpolate = true;
	fence = world_fence(world, 2, box(0, -10, 5, 10));
	fence->fence.min_fixes_in = 2;
	fence->fence.min_dwell_in = S(20);
	fence->fence.min_dwell_out = S(20);
	fence->fence.dwell_after = S(30);
	fence->fence.exit_buffer_m = 300;
	fence->fence.speed_limit_kmh = 30;
	fence = world_fence(world, 3, box(2, -10, 30, 10));
	fence->fence.valid_until = S(400);
	fence->fence.min_fixes_out = 1;
	fence->fence.exit_buffer_m = 0;
	fence->fence.interpolate = true;
	fence = world_fence(world, 3, box(4, -10, 35, 10));
	fence->fence.valid_from = S(400);
	fence->fence.interpolate = true;
	fence = world_fence(world, 4, box(-3, -30, 3, 30));
	fence->pause_from = S(300);
	fence->pause_until = S(600);
	fence = world_fence(world, 5, (GeoBox) {-180, -1, -179.99, 1});
	fence->fence.interpolate = true;
	world_rule(world, 1, "cold")->rule.max_gap = S(300);
	world_rule(world, 2, "driving")->rule.moving = 1;
	world->rules[1].rule.lasting = S(20);
	world_rule(world, 3, "standing")->rule.moving = 0;
	world->rules[2].rule.below = 3;
	world->rules[2].valid_from = S(100);
	world->rules[2].valid_until = S(500);
	world->changed = world->options;
	world->changed.overspeed_min = 0;
	world->changed.ignition_debounce = S(30);
	world->changed.repeat_after = S(60);
	world->changed.motion_gap = S(60);
	world->changed.motion_stop_after = S(10);
}

/* Reads the next fix of a track. */
static void
read_fix(const uint8_t *data, DetectFix *fix)
{
	static const char *const names[] = {"", "A", "B", "CPA", "LPA", "IN1", "IN2", "POS"};
	static double value;
	uint8_t		bits = data[4];
	DetectTime	time = fix->time;
	double		lon = fix->lon;
	double		lat = fix->lat;

	*fix = (DetectFix) {.speed_kmh = NAN, .ignition = (int) (bits >> 1 & 3) - 1};
	fix->time = time + (data[0] < 200 ? S(data[0]) / 4 : S(data[0] - 199) * 60);
	fix->has_place = bits & 1;
	fix->lon = data[1] == 255 ? 179.999 : data[1] == 254 ? -179.999 : data[1] == 253 ? 0 :
		lon + ((int) data[1] - 127) / 1e4;
	fix->lat = fmax(-0.05, fmin(0.05, lat + (data[2] - 127.0) / 1e4));
	if (data[3] < 200)
		fix->speed_kmh = data[3];
	text_set(&fix->driver, names[bits >> 3 & 1 ? 1 + (bits >> 4 & 1) : 0]);
	text_set(&fix->code, names[3 + (bits >> 5 & 3)]);
	if (bits & 128)
		fix->alarm = fix->code;
	value = data[2] % 16;
	if (data[1] & 3)
		fix->sensors = &value;
}

/* Takes the state through its bytes, which must not change. */
static DetectState *
round_trip(const DetectState *state)
{
	size_t		size;
	size_t		again_size;
	uint8_t    *bytes = save_state(state, &size);
	DetectState *loaded = detect_load(bytes, size, &world->calls);
	uint8_t    *again;

	CHECK(loaded != NULL);
	again = save_state(loaded, &again_size);
	CHECK(again_size == size && memcmp(again, bytes, size) == 0);
	free(again);
	free(bytes);
	return loaded;
}

/* Goes along a track, through bytes before fix `cut`; returns what there is at its
 * end, state and rows, which the caller frees. */
static uint8_t *
follow(const uint8_t *data, size_t count, size_t cut, char **log, size_t *size)
{
	DetectState *state = detect_new(&world->calls);
	DetectFix	fix = {.time = 0};
	uint8_t    *bytes;

	rows_count = 0;
	world->calls.put = put;
	log_clear(&world->log);
	for (size_t i = 0; i < count; i++)
	{
		if (i == cut)
		{
			size_t		log_size = world->log.size;

			state = round_trip(state);
			rows_count = 0;
			detect_put_open(state, &world->calls);
			world->log.size = log_size;
			cut_at = detect_time(state);
			world->calls.put = put_after;
		}
		read_fix(data + i * FIX_BYTES, &fix);
		detect_step(state, &fix, &world->calls);
	}
	log_add(&world->log, "%s", "end");
	*log = strdup(world->log.text);
	bytes = save_state(state, size);
	world_forget(world);
	return bytes;
}

static void
try_track(const uint8_t *data, size_t size)
{
	size_t		count = (size - 2) / FIX_BYTES;
	size_t		cut = count > 0 ? data[1] % count : 0;
	char	   *plain_log;
	char	   *log;
	size_t		plain_size;
	size_t		state_size;
	uint8_t    *plain;
	uint8_t    *state;

	world->change_at = data[0] & 2 ? S(200) : INT64_MAX;
	world->options.speed_limit_kmh = data[0] & 4 ? 50 : NAN;
	data += 2;
	plain = follow(data, count, count, &plain_log, &plain_size);
	state = follow(data, count, cut, &log, &state_size);
	CHECK(strcmp(plain_log, log) == 0);
	CHECK(plain_size == state_size && memcmp(plain, state, state_size) == 0);
	free(plain);
	free(state);
	free(plain_log);
	free(log);
}

static bool
odd_ended(void *arg, int32_t id)
{
	(void) arg;
	return id & 1;
}

static void
swallow(void *arg, const DetectRow *row)
{
	(void) arg;
	(void) row;
}

static bool ignition_is_open;

static void
note_ignition(void *arg, const DetectRow *row)
{
	(void) arg;
	if (row->kind == DETECT_IGNITION_ON || row->kind == DETECT_IGNITION_OFF)
		ignition_is_open = true;
}

static void
try_state(const uint8_t *data, size_t size)
{
	DetectWorld calls = world->calls;
	DetectState *state;
	uint8_t    *again;
	size_t		again_size;
	DetectFix	fix = {.ignition = -1};

	calls.put = swallow;
	calls.take = swallow;
	state = detect_load(data, size, &calls);
	if (state == NULL)
		return;
	again = save_state(state, &again_size);
	CHECK(again_size == size && memcmp(again, data, size) == 0);
	ignition_is_open = false;
	calls.put = note_ignition;
	detect_put_open(state, &calls);
	calls.put = swallow;
	CHECK(detect_same(data, size, again, again_size) == !ignition_is_open);
	free(again);
	fix.time = detect_time(state);
	if (fix.time == DETECT_NO_TIME)
		fix.time = 0;
	for (int i = 0; i < 24 && fix.time < INT64_MAX - S(700); i++)
	{
		const uint8_t bytes[FIX_BYTES] = {
			(uint8_t) (20 * (i % 11)), (uint8_t) (100 + 3 * i), 127, (uint8_t) (9 * i),
			(uint8_t) (1 + 19 * i)
		};

		read_fix(bytes, &fix);
		detect_step(state, &fix, &calls);
		state = round_trip(state);
		detect_put_open(state, &calls);
	}
	detect_close_ended(state, &calls, odd_ended);
	round_trip(state);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (world == NULL)
		make_world();
	if (size < 2 || size > 2000)
		return 0;
	if (data[0] & 1)
		try_track(data, size);
	else
	{
		uint8_t    *copy = malloc(size - 1);

		memcpy(copy, data + 1, size - 1);
		try_state(copy, size - 1);
		free(copy);
	}
	world_forget(world);
	return 0;
}
