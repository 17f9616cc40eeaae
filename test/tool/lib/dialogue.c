/*
 * dialogue.c
 *		Answers to commands, and pieces of photos that are asked for.
 *
 * How trackers answer commands is not known (protocol 9): here they repeat the
 * command and add a word.
 */
#include "dialogue.h"

#include <stdio.h>
#include <string.h>

#include "tracker_private.h"

/* Chance of its own, so that no record depends on whether there is a dialogue. */
#define STREAM_DIALOGUE	UINT64_C(0x6469616C6F670000)

void
dialogue_start(Tracker *t, const Behaviour *b)
{
	chance_start(&t->photos.chance, b->seed ^ STREAM_DIALOGUE, t->number);
	t->answers = chance_hit(&t->photos.chance, b->answer);
}

void
dialogue_sent(Tracker *t, const Behaviour *b, const Sending *sending)
{
	const Report *report = &sending->report;

	if (sending->lost || sending->chunk_size > 0)
		return;
	if (report->sequence > t->sent_sequence)
		t->sent_sequence = report->sequence;
	if (b->photos_asked && report->photo_size > 0 && !sending->duplicate)
		photos_add(&t->photos, sending->photo, report->photo_size, sending->photo_bytes);
	if (behaviour_listens(b))
	{
		t->said_size = report->size;
		memcpy(t->said, report->text, report->size);
	}
}

/* Puts the outputs as they are now into a record that was made ahead of its time. */
static void
correct(const Tracker *t, Sending *sending)
{
	Report	   *report = &sending->report;

	if (sending->chunk_size > 0)
		return;
	if (report->sequence > t->sent_sequence)
	{
		report->outputs = t->outputs;
		encode_outputs(report->text, report->size, t->outputs);
	}
	if (sending->has_base && report->sequence - 1 > t->sent_sequence)
		encode_outputs(sending->base, sending->base_size, t->outputs);
}

/* Switches an output, from 1: the next record shows it. */
static void
switch_output(Tracker *t, unsigned output, bool on)
{
	uint8_t		bit = (uint8_t) (1 << (output - 1));

	t->outputs = (uint8_t) (on ? t->outputs | bit : t->outputs & ~bit);
	/* While a delta waits for its base what comes next has been promised to
	 * the model of the receiver; then only what is not made yet shows it. */
	if (t->receiver && receiver_holds(t->receiver))
		return;
	for (uint32_t i = 0; i < t->window_count; i++)
		correct(t, t->window[i]);
	for (uint32_t i = 0; i < t->memory_count; i++)
		correct(t, t->memory[i]);
	if (t->made > t->sent_sequence)
		encode_outputs(t->last, t->last_size, t->outputs);
}

/* Carries a command out. */
static void
obey(Tracker *t, const char *command, Answer *answer)
{
	unsigned	output;
	unsigned	on;
	int			end = 0;

	if (sscanf(command, "OPC%1u,%1u%n", &output, &on, &end) == 2 && command[end] == '\0' &&
		output >= 1 && output <= ENCODE_OUTPUTS && on <= 1)
		switch_output(t, output, on);
	else if (strncmp(command, "RST", 3) == 0)
		answer->hang_up = true;
	else if (strcmp(command, "PHO") == 0)
		t->photo_wanted = true;
}

/* Answers a request for a piece of a photo. */
static void
give_piece(Tracker *t, const Behaviour *b, uint32_t offset, uint32_t count, Answer *answer)
{
	PhotoPiece	piece;
	Photo	   *photo;

	if (!photos_ask(&t->photos, offset, count, b->photo_faults, &piece))
		return;
	photo = piece.photo;
	answer->size = encode_frame(answer->bytes,
								encode_photo(answer->bytes + ENCODE_HEADER, photo->seed, photo->size,
											 piece.offset, piece.count), true);
	answer->times = piece.times;
	answer->photo_ended = piece.ended;
	if (b->hang_up > 0 && photo->pieces >= b->hang_up && photo->sent < photo->size && !photo->hung_up)
		answer->hang_up = photo->hung_up = true;
}

void
dialogue_hear(Tracker *t, const Behaviour *b, const char *line, Answer *answer)
{
	unsigned	offset;
	unsigned	count;
	int			end = 0;

	memset(answer, 0, offsetof(Answer, bytes));
	if (line[0] != '#')
		return;
	if (strncmp(line, "#PHD", 4) == 0)
	{
		if (b->photos_asked && sscanf(line, "#PHD%9u,%9u%n", &offset, &count, &end) == 2 &&
			line[end] == '\0')
			give_piece(t, b, offset, count, answer);
		return;
	}
	answer->command = true;
	if (!t->answers)
		return;
	obey(t, line + 1, answer);
	answer->times = 1;
	answer->size = (size_t) snprintf((char *) answer->bytes, sizeof(answer->bytes), "%s %s\r\n", line + 1,
									 strcmp(line, "#VER") == 0 ? "621-SIM 1.0" : "OK");
}

size_t
dialogue_name_again(Tracker *t, Behaviour *b, uint8_t *bytes)
{
	Report		again = {.size = t->said_size};

	t->connection++;
	t->fresh = true;
	/* A copy might be taken for the base of a delta that waits for its own.
	 * That one is due soon, and will do. */
	if (again.size == 0 || (t->receiver && receiver_holds(t->receiver)))
		return 0;
	memcpy(again.text, t->said, again.size);
	memcpy(bytes, t->said, again.size);
	tracker_tell_receiver(t, b, &again);
	t->fresh = false;
	return again.size;
}
