/*
 * load.c
 *		Reads a state back from bytes.
 *
 * Invariant: no byte is believed.  What is read is a state that the detectors can
 * have come to, as far as that can be told from it, and writing it again gives the
 * same bytes; else there is none.
 */
#include "detect/save.h"

#include <float.h>

/* No tracker is in so many fences; a state that says so is not believed. */
#define VISITS_MAX	100000

/* And no fleet has so many rules for its sensors. */
#define SENSORS_MAX	100000

/* More than any sum of real figures, and far from where sums become infinite. */
#define FIGURE_MAX	1e60

typedef struct Reader
{
	const uint8_t *at;
	size_t		left;
	bool		bad;			/* all that follows reads as 0 */
} Reader;

/* Notes when something is not as it must be. */
static void
require(Reader *r, bool condition)
{
	if (!condition)
		r->bad = true;
}

static uint64_t
get_number(Reader *r, size_t size)
{
	uint64_t	number = 0;

	require(r, r->left >= size);
	if (r->bad)
		return 0;
	for (size_t i = 0; i < size; i++)
		number |= (uint64_t) r->at[i] << (8 * i);
	r->at += size;
	r->left -= size;
	return number;
}

static unsigned
get_u8(Reader *r)
{
	return (unsigned) get_number(r, 1);
}

static bool
get_bool(Reader *r)
{
	unsigned	number = get_u8(r);

	require(r, number <= 1);
	return number == 1;
}

static uint32_t
get_u32(Reader *r)
{
	return (uint32_t) get_number(r, 4);
}

/* Reads a number that was written as two's complement. */
static int32_t
get_i32(Reader *r)
{
	uint32_t	bits = get_u32(r);
	int32_t		number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

static int64_t
get_i64(Reader *r)
{
	uint64_t	bits = get_number(r, 8);
	int64_t		number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Reads a time within bounds, both included. */
static DetectTime
get_time(Reader *r, DetectTime from, DetectTime to)
{
	DetectTime	time = get_i64(r);

	require(r, time != DETECT_NO_TIME && time >= from && time <= to);
	return time;
}

/* Reads a double of at most so much, or NAN where there may be none. */
static double
get_double(Reader *r, double max, bool may_lack)
{
	uint64_t	bits = get_number(r, 8);
	double		number;

	memcpy(&number, &bits, sizeof(number));
	if (isnan(number))
		require(r, may_lack && bits == DETECT_SAVED_NAN);
	else
		require(r, fabs(number) <= max && !(number == 0 && signbit(number)));
	return number;
}

/* The same of what is never negative. */
static double
get_figure(Reader *r, bool may_lack)
{
	double		number = get_double(r, FIGURE_MAX, may_lack);

	require(r, !(number < 0));
	return number;
}

static void
get_text(Reader *r, DetectText *text)
{
	text->size = (uint8_t) get_u8(r);
	require(r, text->size <= DETECT_TEXT_MAX && text->size <= r->left);
	if (r->bad)
		text->size = 0;
	memcpy(text->bytes, r->at, text->size);
	r->at += text->size;
	r->left -= text->size;
}

static void
get_spot(Reader *r, DetectSpot *spot, DetectTime from, DetectTime to)
{
	spot->time = get_time(r, from, to);
	spot->has_place = get_bool(r);
	if (spot->has_place)
	{
		spot->lon = get_double(r, 180, false);
		spot->lat = get_double(r, 90, false);
	}
}

/* Reads a spot that was a place of the track. */
static void
get_place(Reader *r, DetectSpot *spot, DetectTime from, DetectTime to)
{
	get_spot(r, spot, from, to);
	require(r, spot->has_place);
}

static void
get_piece(Reader *r, DetectPiece *piece)
{
	piece->since = get_i64(r);
	piece->fixes = get_u32(r);
	piece->has_extent = get_bool(r);
	piece->extent.west = get_double(r, 180, false);
	piece->extent.south = get_double(r, 90, false);
	piece->extent.east = get_double(r, 180, false);
	piece->extent.north = get_double(r, 90, false);
	piece->top_speed_kmh = get_figure(r, true);
	require(r, piece->extent.west <= piece->extent.east &&
			piece->extent.south <= piece->extent.north);
	if (!piece->has_extent)
		require(r, piece->extent.west == 0 && piece->extent.east == 0 &&
				piece->extent.south == 0 && piece->extent.north == 0 &&
				isnan(piece->top_speed_kmh));
}

static void
get_motion(Reader *r, DetectMotion *motion, const DetectSpot *place)
{
	unsigned	bits = get_u8(r);

	motion->now = bits & 3;
	motion->confirmed = bits >> 2 & 3;
	motion->running = bits >> 4 & 1;
	require(r, bits < 32 && motion->now <= SORT_MOVING && motion->confirmed <= SORT_MOVING);
	require(r, motion->now == SORT_NONE ? bits == 0 : place->has_place);
	if (!motion->running)
		return;
	require(r, motion->now != motion->confirmed);
	get_spot(r, &motion->first, INT64_MIN, place->time);
	require(r, motion->first.has_place == (motion->confirmed != SORT_NONE));
	motion->last = get_time(r, motion->first.time, place->time);
}

static void
get_over(Reader *r, DetectOver *over, const DetectSpot *place)
{
	unsigned	bits = get_u8(r);

	over->active = bits & 1;
	over->shown = bits >> 1 & 1;
	over->ending = bits >> 2 & 1;
	require(r, bits < 8 && (over->active ? place->has_place : bits == 0));
	if (!over->active)
		return;
	get_place(r, &over->first, INT64_MIN, place->time);
	over->last = get_time(r, over->first.time, place->time);
	if (over->ending)
		over->end = get_time(r, over->first.time, over->last);
	if (over->shown)
		over->confirmed_at = get_time(r, over->first.time, over->last);
	over->fence = get_i32(r);
	over->limit_kmh = get_double(r, FIGURE_MAX, false);
	over->peak_kmh = get_figure(r, false);
	get_place(r, &over->peak, over->first.time, over->last);
	over->excess_kmh = get_double(r, FIGURE_MAX, false);
	over->count = get_u32(r);
	require(r, over->count > 0);
	over->metres = get_figure(r, false);
}

static void
get_visit(Reader *r, DetectVisit *visit, const DetectSpot *place)
{
	unsigned	bits;

	visit->fence = get_i32(r);
	bits = get_u8(r);
	visit->phase = bits & 3;
	visit->enter_unknown = bits >> 2 & 1;
	visit->dwelt = bits >> 3 & 1;
	require(r, bits < 16 && visit->phase != 0);
	require(r, !visit->dwelt || visit->phase != PHASE_CANDIDATE);
	get_place(r, &visit->first, INT64_MIN, place->time);
	visit->enter_at = get_time(r, INT64_MIN, visit->first.time);
	visit->enter_gap = get_i64(r);
	require(r, visit->enter_gap > 0 ? !visit->enter_unknown :
			visit->enter_gap == 0 && visit->enter_at == visit->first.time);
	visit->last_in = get_time(r, visit->first.time, place->time);
	require(r, visit->phase != PHASE_IN || visit->last_in == place->time);
	visit->metres = get_figure(r, false);
	visit->top_speed_kmh = get_figure(r, true);
	get_text(r, &visit->driver);
	if (visit->phase == PHASE_CANDIDATE)
	{
		visit->fixes_in = get_u32(r);
		require(r, visit->fixes_in > 0 && visit->fixes_in <= INT32_MAX);
	}
	else
		visit->confirmed_at = get_time(r, visit->first.time, visit->last_in);
	if (visit->phase != PHASE_LEAVING)
		return;
	get_place(r, &visit->end, visit->last_in, place->time);
	require(r, visit->end.time > visit->last_in);
	visit->exit_at = get_time(r, visit->last_in, visit->end.time);
	visit->exit_gap = get_i64(r);
	require(r, visit->exit_gap >= 0 && (visit->exit_gap > 0 || visit->exit_at == visit->end.time));
	visit->fixes_out = get_u32(r);
	require(r, visit->fixes_out <= INT32_MAX);
}

static void
get_visits(Reader *r, DetectState *state, const DetectWorld *world)
{
	uint32_t	count = get_u32(r);

	require(r, count == 0 || state->place.has_place);
	require(r, count <= r->left / DETECT_SAVED_VISIT_MIN && count <= VISITS_MAX);
	if (r->bad || count == 0)
		return;
	detect_visits_room(state, world, count);
	memset(state->visits, 0, count * sizeof(state->visits[0]));
	for (uint32_t i = 0; i < count && !r->bad; i++)
	{
		get_visit(r, &state->visits[i], &state->place);
		require(r, i == 0 || state->visits[i].fence > state->visits[i - 1].fence);
	}
	state->visits_count = count;
}

static void
get_sensor(Reader *r, DetectSensor *sensor, DetectTime now)
{
	sensor->rule = get_i32(r);
	sensor->shown = get_bool(r);
	get_spot(r, &sensor->first, INT64_MIN, now);
	sensor->last = get_time(r, sensor->first.time, now);
	if (sensor->shown)
		sensor->confirmed_at = get_time(r, sensor->first.time, sensor->last);
	get_text(r, &sensor->name);
	get_text(r, &sensor->sensor);
	get_text(r, &sensor->unit);
	sensor->value = get_double(r, DBL_MAX, false);
	sensor->threshold = get_double(r, DBL_MAX, false);
	sensor->peak = get_double(r, DBL_MAX, false);
	sensor->peak_at = get_time(r, sensor->first.time, sensor->last);
}

static void
get_sensors(Reader *r, DetectState *state, const DetectWorld *world)
{
	uint32_t	count = get_u32(r);

	require(r, count <= r->left / DETECT_SAVED_SENSOR_MIN && count <= SENSORS_MAX);
	if (r->bad || count == 0)
		return;
	detect_sensors_room(state, world, count);
	memset(state->sensors, 0, count * sizeof(state->sensors[0]));
	for (uint32_t i = 0; i < count && !r->bad; i++)
	{
		get_sensor(r, &state->sensors[i], state->time);
		require(r, i == 0 || state->sensors[i].rule > state->sensors[i - 1].rule);
	}
	state->sensors_count = count;
}

/* Reads what is said by the tracker itself. */
static void
get_signals(Reader *r, DetectState *state, unsigned bits)
{
	DetectIgnition *ignition = &state->ignition;

	get_text(r, &state->driver);
	ignition->now = bits >> 1 & 3;
	ignition->on_seen = bits >> 3 & 1;
	ignition->pending = bits >> 4 & 1;
	require(r, ignition->now <= IGNITION_IS_ON);
	require(r, !ignition->on_seen || ignition->now == IGNITION_IS_ON);
	ignition->since = get_i64(r);
	require(r, ignition->since <= state->time);
	require(r, ignition->since == DETECT_NO_TIME ? ignition->now != IGNITION_IS_ON :
			ignition->now != IGNITION_UNKNOWN);
	if (ignition->pending)
	{
		require(r, ignition->since != DETECT_NO_TIME);
		get_spot(r, &ignition->change, ignition->since, state->time);
	}
	for (int i = 0; i < DETECT_REPEATS; i++)
	{
		DetectRepeat *repeat = &state->repeats[i];

		repeat->active = bits >> (5 + i) & 1;
		if (!repeat->active)
			continue;
		get_spot(r, &repeat->first, INT64_MIN, state->time);
		repeat->until = get_i64(r);
		require(r, repeat->until == DETECT_NO_TIME ||
				(repeat->until >= repeat->first.time && repeat->until <= state->time));
	}
}

bool
detect_may_load(const uint8_t *bytes, size_t size)
{
	return size > 0 && bytes[0] == DETECT_SAVED_VERSION;
}

DetectState *
detect_load(const uint8_t *bytes, size_t size, const DetectWorld *world)
{
	Reader		r = {bytes, size, false};
	DetectState *state;
	unsigned	bits;

	if (size < DETECT_SAVED_HEAD || !detect_may_load(bytes, size))
		return NULL;
	get_u8(&r);
	state = detect_new(world);
	get_piece(&r, &state->piece);

	state->time = get_i64(&r);
	require(&r, state->piece.since <= state->time);
	bits = get_u8(&r);
	require(&r, bits < 128 && (bits == 0 || state->time != DETECT_NO_TIME));
	if (bits & 1)
		get_place(&r, &state->place, INT64_MIN, state->time);
	get_signals(&r, state, bits);
	get_motion(&r, &state->motion, &state->place);
	get_over(&r, &state->over, &state->place);
	state->alarms_count = get_u8(&r);
	require(&r, state->alarms_count <= DETECT_ALARMS_MAX);
	for (uint32_t i = 0; i < state->alarms_count && !r.bad; i++)
	{
		get_text(&r, &state->alarms[i]);
		require(&r, state->alarms[i].size > 0);
	}
	get_visits(&r, state, world);
	get_sensors(&r, state, world);
	return r.bad || r.left > 0 ? NULL : state;
}
