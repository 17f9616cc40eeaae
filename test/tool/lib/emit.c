/*
 * emit.c
 *		How what is due is put into bytes: in full or as a delta, bare or framed.
 */
#include "tracker.h"

#include <string.h>

#include "dialogue.h"
#include "tracker_private.h"

/* Listeners hold a limited number of deltas for all trackers together. */
#define EARLY_MAX		256
/* Texts between a delta and its late base; no window is that long. */
#define COMING_MAX		64
/* One frame in so many has FF for its verify byte, "not computed" (protocol 2.2). */
#define UNVERIFIED_ONE_IN	8

/* Takes out the first of what is due. */
static Sending *
pop(Tracker *t)
{
	Sending    *sending = t->window[0];

	t->window_count--;
	memmove(t->window, t->window + 1, t->window_count * sizeof(Sending *));
	return sending;
}

/* Tells whether a receiver gets a report by it. */
static bool
is_report(const Sending *sending)
{
	return !sending->lost && sending->chunk_size == 0;
}

/*
 * Tells whether a delta may go out before its base: the base is due soon, and
 * nothing that comes until then, nor the base, would have it misread.
 */
static bool
may_be_early(Tracker *t, Behaviour *b, const Sending *sending,
			 const uint8_t *delta, size_t size)
{
	const Report *coming[COMING_MAX];
	size_t		count = 0;
	int64_t		base_due = -1;

	if (b->early >= EARLY_MAX || receiver_holds(t->receiver))
		return false;
	for (uint32_t i = 0; i < t->window_count && base_due < 0; i++)
	{
		if (is_report(t->window[i]) && !t->window[i]->duplicate &&
			t->window[i]->report.sequence + 1 == sending->report.sequence)
			base_due = t->window[i]->due_us;
	}
	if (base_due < 0 || base_due - sending->due_us > b->early_limit_us)
		return false;
	tracker_make_until(t, b, base_due);
	for (uint32_t i = 0; i < t->window_count && count < COMING_MAX; i++)
	{
		const Report *report = &t->window[i]->report;

		if (!is_report(t->window[i]))
			continue;
		/* A copy that can be read at once would be stored in its place. */
		if (report->sequence == sending->report.sequence)
			return false;
		coming[count++] = report;
		if (report->sequence + 1 == sending->report.sequence && !t->window[i]->duplicate)
			return receiver_waits(t->receiver, delta, size, sending->report.text,
								  sending->report.size, coming, count);
	}
	return false;
}

void
tracker_tell_receiver(Tracker *t, Behaviour *b, const Report *report)
{
	bool		held;

	if (t->receiver == NULL)
		return;
	held = receiver_holds(t->receiver);
	receiver_take(t->receiver, report->text, report->size);
	b->early -= held && !receiver_holds(t->receiver);
}

/*
 * Writes a delta to `out` where one can be read; returns its size, or 0.
 *
 * *early: it goes out before its base.
 */
static size_t
try_delta(Tracker *t, Behaviour *b, const Sending *sending, uint8_t *out, bool *early)
{
	const Report *report = &sending->report;
	size_t		size;

	*early = false;
	/* A sender that has not named itself cannot be found by a delta. */
	if (t->receiver == NULL || t->fresh || !sending->has_base || sending->duplicate)
		return 0;
	size = encode_delta(out, sending->base, sending->base_size, report->text, report->size);
	if (size == 0)
		return 0;
	if (receiver_reads(t->receiver, out, size, report->text, report->size))
	{
		tracker_tell_receiver(t, b, report);
		return size;
	}
	if (!may_be_early(t, b, sending, out, size))
		return 0;
	receiver_hold(t->receiver, out, size, report->text, report->size);
	b->early++;
	*early = true;
	return size;
}

/* Puts one report into bytes at `out`; returns how many. */
static size_t
write_report(Tracker *t, Behaviour *b, Sending *sending, bool want_delta,
			 bool framed, Emission *e, uint8_t *out)
{
	static const char *const how[2][3] = {
		{"line", "delta", "early delta"},
		{"frame", "framed delta", "early framed delta"}
	};
	bool		early = false;
	size_t		size = want_delta ? try_delta(t, b, sending, out, &early) : 0;

	e->how = how[framed][size == 0 ? 0 : early ? 2 : 1];
	if (size == 0)
	{
		size = sending->report.size;
		memcpy(out, sending->report.text, size);
		tracker_tell_receiver(t, b, &sending->report);
		t->fresh = false;
	}
	return size;
}

/* Adds further stored records to a frame that begins with one (protocol 2.2). */
static size_t
write_pack(Tracker *t, Behaviour *b, uint32_t more, Emission *e, uint8_t *out)
{
	size_t		size = 0;

	while (more-- > 0 && t->window_count > 0 && is_report(t->window[0]) &&
		   t->window[0]->report.stored)
	{
		Sending    *sending = pop(t);

		memcpy(out + size, sending->report.text, sending->report.size);
		size += sending->report.size;
		tracker_tell_receiver(t, b, &sending->report);
		e->sendings[e->count++] = sending;
	}
	return size;
}

void
tracker_emit(Tracker *t, Behaviour *b, Emission *e)
{
	/* All drawn whether needed or not: a connection that breaks by itself must
	 * not change what comes later more than it has to. */
	bool		reconnect = chance_hit(&t->chance, b->reconnect);
	bool		framed = chance_hit(&t->chance, b->frame);
	bool		want_delta = chance_hit(&t->chance, b->delta);
	bool		verify = chance_below(&t->chance, UNVERIFIED_ONE_IN) != 0;
	uint32_t	more = chance_below(&t->chance, PACK_MAX);
	Sending    *sending = pop(t);
	uint8_t    *body;
	size_t		size;

	*e = (Emission) {.count = 1, .sendings = {sending}};
	if (sending->lost)
	{
		e->how = "";
		return;
	}
	if (sending->chunk_size > 0)
	{
		/* Always framed: its bytes may be anything (protocol 7). */
		size = encode_photo(e->bytes + ENCODE_HEADER, sending->photo,
							sending->report.photo_size, sending->chunk_offset,
							sending->chunk_size);
		e->size = encode_frame(e->bytes, size, verify);
		e->how = "frame";
		e->records = 1;
		return;
	}
	/* The first on a connection has nothing to close. */
	if (reconnect && !t->fresh)
	{
		e->reconnect = true;
		t->connection++;
		t->fresh = true;
	}
	body = e->bytes + (framed ? ENCODE_HEADER : 0);
	if (framed && sending->report.stored && more > 0)
		want_delta = false;
	size = write_report(t, b, sending, want_delta, framed, e, body);
	if (framed && sending->report.stored)
		size += write_pack(t, b, more, e, body + size);
	e->size = framed ? encode_frame(e->bytes, size, verify) : size;
	e->records = (uint16_t) e->count;
	for (uint32_t i = 0; i < e->count; i++)
		dialogue_sent(t, b, e->sendings[i]);
}

void
emission_done(Emission *e)
{
	for (uint32_t i = 0; i < e->count; i++)
		sending_free(e->sendings[i]);
	e->count = 0;
}
