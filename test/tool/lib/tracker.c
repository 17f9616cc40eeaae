/*
 * tracker.c
 *		What a tracker makes, and when it is due.
 */
#include "tracker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "tracker_private.h"

#define KMH_A_KNOT		1.852
#define MINUTES_UNITS	600000.0	/* 1/10,000 minutes of arc in a degree */
#define GAP_MIN			4		/* records made without network, in one go */
#define GAP_SPREAD		13
#define GAP_MEAN		(GAP_MIN + (GAP_SPREAD - 1) / 2.0)
#define UPLOAD_MAX		4		/* stored ones behind one live record */
#define PHOTO_MIN		2000	/* bytes; captured: 3,821 and 6,608 */
#define PHOTO_SPREAD	6000

/* Sendings that are not in use: most live for one record's time. */
static Sending *spare[256];
static uint32_t spares;

Sending *
sending_new(void)
{
	return spares > 0 ? spare[--spares] : tool_alloc(NULL, sizeof(Sending));
}

void
sending_free(Sending *sending)
{
	if (spares < sizeof(spare) / sizeof(spare[0]))
		spare[spares++] = sending;
	else
		free(sending);
}

void
tracker_start(Tracker *t, const Behaviour *b, uint32_t number, const char *ident)
{
	memset(t, 0, sizeof(*t));
	strcpy(t->ident, ident);
	t->number = number;
	dialogue_start(t, b);
	chance_start(&t->chance, b->seed, number);
	t->udp = chance_hit(&t->chance, b->udp);
	t->fresh = true;
	t->connection = 1;
	t->route = &b->routes.routes[number % b->routes.count];
	/* A fleet does not report in step. */
	t->first_us = b->start_ms * 1000 +
		(int64_t) chance_below(&t->chance, (uint32_t) b->interval_ms) * 1000;
	t->clock_offset_ms = chance_hit(&t->chance, b->clock_error) ? b->clock_offset_ms : 0;
	t->pace = 0.8 + 0.4 * chance_real(&t->chance);
	t->metres = t->began_at = t->route->metres * 2 * chance_real(&t->chance);
	t->kmh = b->speed_kmh * t->pace;
	t->odometer = (int64_t) chance_below(&t->chance, 200000) * 1000;
	if (b->delta > 0)
	{
		t->receiver = tool_alloc(NULL, sizeof(Receiver));
		memset(t->receiver, 0, sizeof(Receiver));
	}
}

/* Gives the time of the next record to be made. */
static int64_t
next_made_us(const Tracker *t, const Behaviour *b)
{
	return t->first_us + (int64_t) t->made * b->interval_ms * 1000;
}

/* Adds to a list of sendings at a place. */
static void
insert(Sending ***list, uint32_t *count, uint32_t *room, uint32_t at, Sending *sending)
{
	if (*count == *room)
	{
		*room = *room ? *room * 2 : 4;
		*list = tool_alloc(*list, *room * sizeof(Sending *));
	}
	memmove(*list + at + 1, *list + at, (*count - at) * sizeof(Sending *));
	(*list)[at] = sending;
	(*count)++;
}

/* Puts a sending where it is due. */
static void
put(Tracker *t, Sending *sending, int64_t due_us)
{
	uint32_t	at = t->window_count;

	sending->due_us = due_us;
	sending->order = t->orders++;
	while (at > 0 && t->window[at - 1]->due_us > due_us)
		at--;
	insert(&t->window, &t->window_count, &t->window_room, at, sending);
}

/* Settles when a report goes out, and whether it does so twice. */
static void
schedule(Tracker *t, const Behaviour *b, Sending *sending, int64_t due_us)
{
	int64_t		interval_us = b->interval_ms * 1000;
	uint32_t	far = 1 + chance_below(&t->chance, b->window);

	/* Without network for a moment, but without using the memory for it. */
	if (chance_hit(&t->chance, b->delay) && due_us >= t->hold_until_us)
		t->hold_until_us = due_us + far * interval_us;
	if (due_us < t->hold_until_us)
		due_us = t->hold_until_us;
	/* After the next `far` records. */
	if (chance_hit(&t->chance, b->reorder))
		due_us += far * interval_us + interval_us / 2;
	put(t, sending, due_us);

	if (chance_hit(&t->chance, b->duplicate) && !sending->lost)
	{
		Sending    *again = sending_new();

		*again = *sending;
		again->duplicate = true;
		/* Now and then what was sent live comes from the memory as well. */
		if (chance_below(&t->chance, 3) == 0)
			encode_as_stored(&again->report);
		put(t, again, due_us + chance_below(&t->chance, b->window + 1) * interval_us);
	}
}

/* Lets the pieces of a photo follow its announcement. */
static void
schedule_photo(Tracker *t, const Behaviour *b, const Sending *announced)
{
	uint32_t	size = announced->report.photo_size;
	int64_t		step_us = b->interval_ms * 1000 / 32 + 1;
	int64_t		due_us = announced->due_us;

	for (uint32_t at = 0; at < size; at += ENCODE_CHUNK_BYTES)
	{
		Sending    *chunk = sending_new();

		memset(chunk, 0, offsetof(Sending, base));
		chunk->report = announced->report;
		chunk->photo = announced->photo;
		chunk->chunk_offset = at;
		chunk->chunk_size = size - at < ENCODE_CHUNK_BYTES ? size - at : ENCODE_CHUNK_BYTES;
		put(t, chunk, due_us += step_us);
	}
}

/* Chooses the code of the next record. */
static void
choose_code(Tracker *t, const Behaviour *b, Report *report)
{
	bool		alarm = chance_hit(&t->chance, b->alarms);
	bool		photo = chance_hit(&t->chance, b->photos);

	report->photo_size = 0;
	if ((photo || t->photo_wanted) && !report->stored)
	{
		/* One that a command asked for takes nothing from the records' chance. */
		uint32_t	more = chance_below(photo ? &t->chance : &t->photos.chance, PHOTO_SPREAD);

		strcpy(report->code, "PHO");
		report->photo_size = b->photo_size > 0 ? b->photo_size : PHOTO_MIN + more;
		report->photo = ++t->photo_count;
		report->camera = (uint8_t) ((t->photo_count - 1) % b->cameras + 1);
		t->photo_wanted = false;
	}
	else if (alarm && b->code_count > 0)
		strcpy(report->code, b->codes[chance_below(&t->chance, b->code_count)]);
	else
		strcpy(report->code, "POS");
}

/* Settles what the photo that a record announces is made of. */
static void
name_photo(const Tracker *t, const Behaviour *b, Sending *sending)
{
	sending->photo = photo_seed(b->seed, t->number, sending->report.photo);
	sending->photo_bytes = photo_real_size(sending->photo, sending->report.photo_size, b->photo_faults);
}

/* Drives on to the next record's time, and writes down where that is. */
static void
drive(Tracker *t, const Behaviour *b, Report *report)
{
	Place		place;

	if (t->made > 0)
	{
		/* Half of the last speed: nothing on wheels changes it at once. */
		t->kmh = (t->kmh + b->speed_kmh * t->pace * (0.7 + 0.6 * chance_real(&t->chance))) / 2;
		t->metres += t->kmh / 3.6 * (double) b->interval_ms / 1000;
	}
	place = route_place(t->route, t->metres);
	report->valid = !chance_hit(&t->chance, b->no_fix) || t->made == 0;
	if (report->valid)
	{
		t->lon = (int32_t) lround(place.lon * MINUTES_UNITS);
		t->lat = (int32_t) lround(place.lat * MINUTES_UNITS);
	}
	/* Without a fix the last place is repeated (protocol 3). */
	report->lon = t->lon;
	report->lat = t->lat;
	report->speed = report->valid ? (uint32_t) lround(t->kmh / KMH_A_KNOT * 100) : 0;
	report->course = (uint32_t) lround(place.course * 100) % 36000;
	/* Steps of 100 m (protocol 5). */
	report->odometer = t->odometer + (int64_t) (t->metres - t->began_at) / 100 * 100;
}

/* Sends the oldest of the memory, at most so many, behind a live record. */
static void
upload(Tracker *t, const Behaviour *b, uint32_t count, int64_t after_us)
{
	int64_t		step_us = b->interval_ms * 1000 / (2 * UPLOAD_MAX);

	if (count > t->memory_count)
		count = t->memory_count;
	if (count == 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		schedule(t, b, t->memory[i], after_us += step_us);
	t->memory_count -= count;
	memmove(t->memory, t->memory + count, t->memory_count * sizeof(Sending *));
}

/* Makes the next record. */
static void
make(Tracker *t, const Behaviour *b)
{
	int64_t		now_us = next_made_us(t, b);
	Sending    *sending = sending_new();
	Report	   *report = &sending->report;
	/* So that gaps make up the share of records wanted. */
	bool		gap = chance_hit(&t->chance, b->stored < 1 ?
								 b->stored / (GAP_MEAN * (1 - b->stored)) : 1);
	uint32_t	gap_size = GAP_MIN + chance_below(&t->chance, GAP_SPREAD);
	uint32_t	status = (uint32_t) chance_bits(&t->chance);

	memset(sending, 0, offsetof(Sending, base));
	if (gap && t->gap_left == 0)
		t->gap_left = gap_size;
	report->stored = t->gap_left > 0;
	t->gap_left -= report->stored;
	drive(t, b, report);
	choose_code(t, b, report);
	report->sequence = ++t->made;
	report->made_ms = now_us / 1000;
	report->wire_ms = report->made_ms + t->clock_offset_ms;
	report->outputs = t->outputs;
	encode_report(report, t->ident, status);

	sending->lost = chance_hit(&t->chance, b->loss);
	sending->chunk_size = 0;
	sending->has_base = t->last_known;
	sending->base_size = t->last_size;
	memcpy(sending->base, t->last, t->last_size);
	/* A delta to a lost record could never be read, so none is made. */
	t->last_known = !sending->lost;
	t->last_size = report->size;
	memcpy(t->last, report->text, report->size);

	if (report->stored)
		insert(&t->memory, &t->memory_count, &t->memory_room, t->memory_count, sending);
	else
	{
		if (report->photo_size > 0)
			name_photo(t, b, sending);
		schedule(t, b, sending, now_us);
		if (report->photo_size > 0 && !sending->lost && !b->photos_asked)
			schedule_photo(t, b, sending);
		upload(t, b, 1 + chance_below(&t->chance, UPLOAD_MAX), now_us);
	}
	if (t->made == b->records)
		upload(t, b, UINT32_MAX, now_us);
}

void
tracker_make_until(Tracker *t, const Behaviour *b, int64_t due_us)
{
	while (t->made < b->records && next_made_us(t, b) <= due_us)
		make(t, b);
}

bool
tracker_due(Tracker *t, const Behaviour *b, int64_t *due_us)
{
	/* Nothing made later is due earlier than it is made. */
	for (;;)
	{
		if (t->window_count > 0)
			tracker_make_until(t, b, t->window[0]->due_us);
		else if (t->made < b->records)
			make(t, b);
		else
			return false;
		if (t->window_count > 0 &&
			(t->made == b->records || next_made_us(t, b) > t->window[0]->due_us))
			break;
	}
	*due_us = t->window[0]->due_us;
	return true;
}
