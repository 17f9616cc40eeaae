/*
 * detect_world.h
 *		A world for the detectors: fences that are boxes, options, and a log of
 *		the rows they put.  Shared by the unit tests and the fuzz target.
 *
 * Invariant: answers as detect.h says, and knows nothing of the detectors' state.
 */
#ifndef PT621_DETECT_WORLD_H
#define PT621_DETECT_WORLD_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"

#define WORLD_FENCES_MAX	1100
#define WORLD_RULES_MAX		8
#define S(seconds)	((int64_t) ((seconds) * 1e6))

/* A log of rows, one in a line. */
typedef struct WorldLog
{
	char	   *text;
	size_t		size;
	size_t		room;
} WorldLog;

typedef struct WorldFence
{
	DetectFence fence;
	GeoBox		box;
	DetectTime	pause_from;		/* out of its hours from here */
	DetectTime	pause_until;	/* to here */
} WorldFence;

/* A rule of sensors; all have the one value that a fix says. */
typedef struct WorldRule
{
	DetectRule	rule;
	DetectTime	valid_from;
	DetectTime	valid_until;
} WorldRule;

typedef struct World
{
	DetectWorld calls;
	DetectOptions options;
	DetectTime	change_at;		/* from here on the options below hold */
	DetectOptions changed;
	WorldFence	fences[WORLD_FENCES_MAX];	/* by id, then by time */
	size_t		count;
	const DetectFence *found[WORLD_FENCES_MAX];
	WorldRule	rules[WORLD_RULES_MAX]; /* by id */
	size_t		rules_count;
	DetectRule	rules_found[WORLD_RULES_MAX];
	void	   *blocks[4096];	/* of memory */
	size_t		blocks_count;
	WorldLog	log;
	uint32_t	asked;			/* calls of near() */
} World;

__attribute__((format(printf, 2, 3)))
static void
log_add(WorldLog *log, const char *format,...)
{
	va_list		args;
	int			size;

	if (log->room - log->size < 1024)
	{
		log->room = log->room * 2 + 4096;
		log->text = realloc(log->text, log->room);
	}
	va_start(args, format);
	size = vsnprintf(log->text + log->size, log->room - log->size, format, args);
	va_end(args);
	if (size > 0)
		log->size += (size_t) size;
}

static void
log_clear(WorldLog *log)
{
	log->size = 0;
	log_add(log, "%s", "");
}

/* Writes a place; most are on the equator, which goes without saying. */
static void
log_place(WorldLog *log, const char *sign, double lon, double lat)
{
	if (lat == 0)
		log_add(log, "%s(%g)", sign, lon * 1000);
	else
		log_add(log, "%s(%g, %g)", sign, lon * 1000, lat);
}

/* Writes what a row says in one line; numbers as far as they are not rounding. */
static void
log_row(WorldLog *log, const char *sign, const DetectRow *row)
{
	log_add(log, "%s%s", sign, detect_kind_name(row->kind));
	if (row->fence != 0)
		log_add(log, " f%d", (int) row->fence);
	if (row->object.size > 0)
		log_add(log, " %.*s", row->object.size, row->object.bytes);
	log_add(log, " %g", (double) row->at / 1e6);
	if (row->until != DETECT_NO_TIME)
		log_add(log, "..%g", (double) row->until / 1e6);
	log_add(log, " !%g", (double) row->confirmed_at / 1e6);
	if (row->has_place)
		log_place(log, " ", row->lon, row->lat);
	if (row->code.size > 0)
		log_add(log, " %.*s", row->code.size, row->code.bytes);
	log_add(log, "%s%s%s", row->enter_unknown ? " ?in" : "", row->exit_unknown ? " ?out" : "",
			row->passed ? " passed" : "");
	if (row->interpolated)
		log_add(log, " ~%g", row->uncertainty_s);
	if (!isnan(row->metres))
		log_add(log, " %.0fm", row->metres);
	if (!isnan(row->limit_kmh))
		log_add(log, " >%g", row->limit_kmh);
	if (!isnan(row->top_speed_kmh))
		log_add(log, " top%g", row->top_speed_kmh);
	if (!isnan(row->mean_excess_kmh))
		log_add(log, " mean%g", row->mean_excess_kmh);
	if (row->peak_at != DETECT_NO_TIME)
	{
		log_add(log, " peak%g", (double) row->peak_at / 1e6);
		if (!isnan(row->peak_lon))
			log_place(log, "", row->peak_lon, row->peak_lat);
	}
	if (!isnan(row->value))
		log_add(log, " %.*s=%g%.*s>%g", row->sensor.size, row->sensor.bytes, row->value,
				row->unit.size, row->unit.bytes, row->threshold);
	if (!isnan(row->peak))
		log_add(log, " to%g", row->peak);
	if (row->driver.size > 0)
		log_add(log, " by %.*s", row->driver.size, row->driver.bytes);
	log_add(log, "\n");
}

static const DetectOptions *
world_options(void *arg, DetectTime time)
{
	World	   *world = arg;

	return time >= world->change_at ? &world->changed : &world->options;
}

static bool
world_is_active(const WorldFence *fence, DetectTime time)
{
	return time >= fence->fence.valid_from && time < fence->fence.valid_until &&
		!(time >= fence->pause_from && time < fence->pause_until);
}

static size_t
world_near(void *arg, DetectTime time, const GeoBox *box, const DetectFence *const **found)
{
	World	   *world = arg;
	size_t		count = 0;

	world->asked++;
	for (size_t i = 0; i < world->count; i++)
	{
		const WorldFence *fence = &world->fences[i];

		if (world_is_active(fence, time) && fence->box.west <= box->east &&
			fence->box.east >= box->west && fence->box.south <= box->north &&
			fence->box.north >= box->south)
			world->found[count++] = &fence->fence;
	}
	*found = world->found;
	return count;
}

static const WorldFence *
world_find(const World *world, DetectTime time, int32_t id)
{
	for (size_t i = 0; i < world->count; i++)
	{
		if (world->fences[i].fence.id == id && world_is_active(&world->fences[i], time))
			return &world->fences[i];
	}
	return NULL;
}

static const DetectFence *
world_active(void *arg, DetectTime time, int32_t id)
{
	const WorldFence *fence = world_find(arg, time, id);

	return fence ? &fence->fence : NULL;
}

static DetectTime
world_active_since(void *arg, DetectTime time, int32_t id, DetectTime enough)
{
	const WorldFence *fence = world_find(arg, time, id);
	DetectTime	since = time;

	/* Whoever looks back further is right as well. */
	(void) enough;
	while (fence)
	{
		if (fence->pause_until > fence->fence.valid_from && fence->pause_until <= since)
			return fence->pause_until;
		since = fence->fence.valid_from;
		fence = since > DETECT_NO_TIME ? world_find(arg, since - 1, id) : NULL;
	}
	return since;
}

/* The sensors of a fix here: one number, or NULL. */
static size_t
world_rules(void *arg, const DetectFix *fix, const DetectRule **found)
{
	World	   *world = arg;
	size_t		count = 0;

	for (size_t i = 0; i < world->rules_count; i++)
	{
		const WorldRule *rule = &world->rules[i];

		if (fix->time < rule->valid_from || fix->time >= rule->valid_until)
			continue;
		world->rules_found[count] = rule->rule;
		world->rules_found[count++].value = fix->sensors ? *(const double *) fix->sensors : NAN;
	}
	*found = world->rules_found;
	return count;
}

static void *
world_grow(void *arg, void *old, size_t size)
{
	World	   *world = arg;
	size_t		i = 0;

	while (i < world->blocks_count && (old == NULL || world->blocks[i] != old))
		i++;
	if (i == sizeof(world->blocks) / sizeof(world->blocks[0]))
		abort();
	world->blocks[i] = realloc(old, size);
	if (i == world->blocks_count)
		world->blocks_count++;
	return world->blocks[i];
}

static void
world_put(void *arg, const DetectRow *row)
{
	log_row(&((World *) arg)->log, "", row);
}

static void
world_take(void *arg, const DetectRow *row)
{
	log_row(&((World *) arg)->log, "-", row);
}

/* Gives back the memory of all states. */
static void
world_forget(World *world)
{
	for (size_t i = 0; i < world->blocks_count; i++)
		free(world->blocks[i]);
	world->blocks_count = 0;
}

/* A world without fences and limits; the options are the defaults. */
__attribute__((unused))
static World *
world_new(void)
{
	World	   *world = calloc(1, sizeof(*world));

	world->calls = (DetectWorld) {
		world, world_options, world_near, world_active, world_active_since,
		world_rules, world_grow, world_put, world_take
	};
	world->options = (DetectOptions) {
		.speed_limit_kmh = NAN, .overspeed_tolerance_kmh = 3, .overspeed_min = S(5),
		.overspeed_merge = S(10), .overspeed_gap = S(300), .ignition_debounce = S(2),
		.moving_from_kmh = 3, .still_below_kmh = 2, .motion_start_after = S(10),
		.motion_stop_after = S(180), .motion_gap = S(3600), .pass_gap = S(600),
		.plausible_kmh = 250, .repeat_after = S(1800)
	};
	world->change_at = INT64_MAX;
	log_clear(&world->log);
	return world;
}

static void
put_le(uint8_t *to, uint64_t bits, int size)
{
	for (int i = 0; i < size; i++)
		to[i] = (uint8_t) (bits >> (8 * i));
}

/* Makes the shape of a box, in degrees. */
static GeoShape *
box_shape(GeoBox box)
{
	const double at[10] = {
		box.west, box.south, box.east, box.south, box.east, box.north,
		box.west, box.north, box.west, box.south
	};
	uint8_t		wkb[13 + sizeof(at)] = {1};
	GeoError	error;

	put_le(wkb + 1, 3, 4);
	put_le(wkb + 5, 1, 4);
	put_le(wkb + 9, 5, 4);
	for (int i = 0; i < 10; i++)
	{
		uint64_t	bits;

		memcpy(&bits, &at[i], sizeof(bits));
		put_le(wkb + 13 + 8 * i, bits, 8);
	}
	return geo_shape_new(wkb, sizeof(wkb), &error);
}

/* Adds a fence, always valid, with the defaults of the table; returns it. */
__attribute__((unused))
static WorldFence *
world_fence(World *world, int32_t id, GeoBox box)
{
	WorldFence *fence = &world->fences[world->count++];

	*fence = (WorldFence) {
		.fence = {
			.id = id, .valid_from = DETECT_NO_TIME, .valid_until = DETECT_ENDLESS,
			.shape = box_shape(box), .min_fixes_in = 1, .min_fixes_out = 2,
			.exit_buffer_m = 20, .speed_limit_kmh = NAN
		},
		.box = box, .pause_from = DETECT_ENDLESS, .pause_until = DETECT_NO_TIME
	};
	return fence;
}

/* Frees it, or takes away its fences alone. */
static void
world_clear_fences(World *world)
{
	for (size_t i = 0; i < world->count; i++)
		geo_shape_free(world->fences[i].fence.shape);
	world->count = 0;
}

__attribute__((unused))
static void
world_free(World *world)
{
	world_clear_fences(world);
	world_forget(world);
	free(world->log.text);
	free(world);
}

static void text_set(DetectText *text, const char *from);

/* Adds a rule, always valid: above 8 C at once, and a day of silence ends it. */
__attribute__((unused))
static WorldRule *
world_rule(World *world, int32_t id, const char *name)
{
	WorldRule  *rule = &world->rules[world->rules_count++];

	*rule = (WorldRule) {
		.rule = {
			.id = id, .above = 8, .below = NAN, .max_gap = S(86400), .moving = -1
		},
		.valid_from = DETECT_NO_TIME, .valid_until = DETECT_ENDLESS
	};
	text_set(&rule->rule.name, name);
	text_set(&rule->rule.sensor, "cold");
	text_set(&rule->rule.unit, "C");
	return rule;
}

__attribute__((unused))
static void
text_set(DetectText *text, const char *from)
{
	size_t		size = strlen(from);

	text->size = (uint8_t) (size < DETECT_TEXT_MAX ? size : DETECT_TEXT_MAX);
	memcpy(text->bytes, from, text->size);
}

/* Saves a state into memory of just its size. */
__attribute__((unused))
static uint8_t *
save_state(const DetectState *state, size_t *size)
{
	uint8_t    *bytes;

	*size = detect_save(state, NULL, 0);
	bytes = malloc(*size);
	if (detect_save(state, bytes, *size) != *size)
		abort();
	return bytes;
}

#endif							/* PT621_DETECT_WORLD_H */
