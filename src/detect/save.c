/*
 * save.c
 *		Writes a state as bytes.
 *
 * Invariant: the same state makes the same bytes on every machine: little endian,
 * doubles as their IEEE bits with one zero and one NaN.  The piece comes first, in
 * a head of fixed size, so that what a state goes on with can be compared alone.
 */
#include "detect/save.h"

typedef struct Writer
{
	uint8_t    *bytes;
	size_t		room;
	size_t		size;			/* needed so far, room or not */
} Writer;

static void
put_bytes(Writer *w, const void *bytes, size_t size)
{
	if (size > 0 && w->size <= w->room && size <= w->room - w->size)
		memcpy(w->bytes + w->size, bytes, size);
	w->size += size;
}

static void
put_number(Writer *w, uint64_t number, size_t size)
{
	uint8_t		bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t) (number >> (8 * i));
	put_bytes(w, bytes, size);
}

static void
put_u8(Writer *w, unsigned number)
{
	put_number(w, number, 1);
}

static void
put_u32(Writer *w, uint32_t number)
{
	put_number(w, number, 4);
}

static void
put_i64(Writer *w, int64_t number)
{
	put_number(w, (uint64_t) number, 8);
}

static void
put_double(Writer *w, double number)
{
	uint64_t	bits;

	if (isnan(number))
		bits = DETECT_SAVED_NAN;
	else
	{
		number += 0.0;			/* no minus zero */
		memcpy(&bits, &number, sizeof(bits));
	}
	put_number(w, bits, 8);
}

static void
put_text(Writer *w, const DetectText *text)
{
	put_u8(w, text->size);
	put_bytes(w, text->bytes, text->size);
}

static void
put_spot(Writer *w, const DetectSpot *spot)
{
	put_i64(w, spot->time);
	put_u8(w, spot->has_place);
	if (spot->has_place)
	{
		put_double(w, spot->lon);
		put_double(w, spot->lat);
	}
}

static void
put_piece(Writer *w, const DetectPiece *piece)
{
	put_i64(w, piece->since);
	put_u32(w, piece->fixes);
	put_u8(w, piece->has_extent);
	put_double(w, piece->extent.west);
	put_double(w, piece->extent.south);
	put_double(w, piece->extent.east);
	put_double(w, piece->extent.north);
	put_double(w, piece->top_speed_kmh);
}

static void
put_motion(Writer *w, const DetectMotion *motion)
{
	put_u8(w, (unsigned) motion->now | (unsigned) motion->confirmed << 2 |
		   (unsigned) motion->running << 4);
	if (motion->running)
	{
		put_spot(w, &motion->first);
		put_i64(w, motion->last);
	}
}

static void
put_over(Writer *w, const DetectOver *over)
{
	put_u8(w, (unsigned) over->active | (unsigned) over->shown << 1 |
		   (unsigned) over->ending << 2);
	if (!over->active)
		return;
	put_spot(w, &over->first);
	put_i64(w, over->last);
	if (over->ending)
		put_i64(w, over->end);
	if (over->shown)
		put_i64(w, over->confirmed_at);
	put_u32(w, (uint32_t) over->fence);
	put_double(w, over->limit_kmh);
	put_double(w, over->peak_kmh);
	put_spot(w, &over->peak);
	put_double(w, over->excess_kmh);
	put_u32(w, over->count);
	put_double(w, over->metres);
}

static void
put_visit(Writer *w, const DetectVisit *visit)
{
	put_u32(w, (uint32_t) visit->fence);
	put_u8(w, (unsigned) visit->phase | (unsigned) visit->enter_unknown << 2 |
		   (unsigned) visit->dwelt << 3);
	put_spot(w, &visit->first);
	put_i64(w, visit->enter_at);
	put_i64(w, visit->enter_gap);
	put_i64(w, visit->last_in);
	put_double(w, visit->metres);
	put_double(w, visit->top_speed_kmh);
	put_text(w, &visit->driver);
	if (visit->phase == PHASE_CANDIDATE)
		put_u32(w, visit->fixes_in);
	else
		put_i64(w, visit->confirmed_at);
	if (visit->phase == PHASE_LEAVING)
	{
		put_spot(w, &visit->end);
		put_i64(w, visit->exit_at);
		put_i64(w, visit->exit_gap);
		put_u32(w, visit->fixes_out);
	}
}

static void
put_sensor(Writer *w, const DetectSensor *sensor)
{
	put_u32(w, (uint32_t) sensor->rule);
	put_u8(w, sensor->shown);
	put_spot(w, &sensor->first);
	put_i64(w, sensor->last);
	if (sensor->shown)
		put_i64(w, sensor->confirmed_at);
	put_text(w, &sensor->name);
	put_text(w, &sensor->sensor);
	put_text(w, &sensor->unit);
	put_double(w, sensor->value);
	put_double(w, sensor->threshold);
	put_double(w, sensor->peak);
	put_i64(w, sensor->peak_at);
}

size_t
detect_save(const DetectState *state, uint8_t *bytes, size_t room)
{
	Writer		w = {bytes, room, 0};

	put_u8(&w, DETECT_SAVED_VERSION);
	put_piece(&w, &state->piece);

	put_i64(&w, state->time);
	put_u8(&w, (unsigned) state->place.has_place | (unsigned) state->ignition.now << 1 |
		   (unsigned) state->ignition.on_seen << 3 | (unsigned) state->ignition.pending << 4 |
		   (unsigned) state->repeats[0].active << 5 | (unsigned) state->repeats[1].active << 6);
	if (state->place.has_place)
		put_spot(&w, &state->place);
	put_text(&w, &state->driver);
	put_i64(&w, state->ignition.since);
	if (state->ignition.pending)
		put_spot(&w, &state->ignition.change);
	for (int i = 0; i < DETECT_REPEATS; i++)
	{
		if (state->repeats[i].active)
		{
			put_spot(&w, &state->repeats[i].first);
			put_i64(&w, state->repeats[i].until);
		}
	}
	put_motion(&w, &state->motion);
	put_over(&w, &state->over);
	put_u8(&w, state->alarms_count);
	for (uint32_t i = 0; i < state->alarms_count; i++)
		put_text(&w, &state->alarms[i]);
	put_u32(&w, state->visits_count);
	for (uint32_t i = 0; i < state->visits_count; i++)
		put_visit(&w, &state->visits[i]);
	put_u32(&w, state->sensors_count);
	for (uint32_t i = 0; i < state->sensors_count; i++)
		put_sensor(&w, &state->sensors[i]);
	return w.size;
}

bool
detect_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	return a_size == b_size && a_size > DETECT_SAVED_PARTS && a[0] == b[0] &&
		(a[DETECT_SAVED_PARTS] & DETECT_SAVED_PENDING) == 0 &&
		memcmp(a + DETECT_SAVED_HEAD, b + DETECT_SAVED_HEAD, a_size - DETECT_SAVED_HEAD) == 0;
}
