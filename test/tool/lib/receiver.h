/*
 * receiver.h
 *		What a receiver makes of a tracker's deltas.
 *
 * The eight bits that name a delta's base are a weak check: now and then a
 * delta fits a newer record than its base, and a receiver takes it for another
 * report (protocol 2.3).  A tracker cannot know; a simulator must, for its truth is to
 * hold whatever the seed.  So the sender asks this model, the project's own
 * chain of bases, and sends as a delta only what it rebuilds to the byte.
 *
 * Invariant.  The model has seen the texts of all reports that were sent, in the
 * order in which they were sent, and at most one delta waits for its base.
 */
#ifndef PT621_TOOL_RECEIVER_H
#define PT621_TOOL_RECEIVER_H

#include "codec/pt621_codec.h"
#include "encode.h"

/* Twice the ring: a base's memory outlives its place there. */
#define RECEIVER_TEXTS	(2 * PT621_RING_SIZE)

typedef struct Receiver
{
	Pt621Chain	chain;
	char		text[RECEIVER_TEXTS][ENCODE_RECORD_MAX];
	uint32_t	next_text;
	uint8_t		early[ENCODE_DELTA_MAX];	/* the delta that waits */
	char		early_text[ENCODE_RECORD_MAX];	/* what it stands for */
	uint16_t	early_size;		/* of early_text */
} Receiver;

/* Takes in a report that was sent, in full or as a delta that can be read at once. */
extern void receiver_take(Receiver *receiver, const char *text, size_t size);

/* Tells whether a delta sent now would be read as that text. */
extern bool receiver_reads(Receiver *receiver, const uint8_t *delta, size_t delta_size,
						   const char *text, size_t size);

/*
 * Tells whether a delta sent now would wait for its base, and be read as that
 * text when the last of the texts to come arrives: its base.
 */
extern bool receiver_waits(const Receiver *receiver, const uint8_t *delta, size_t delta_size,
						   const char *text, size_t size,
						   const Report *const *coming, size_t count);

/* Takes in a delta that was sent although it has to wait. */
extern void receiver_hold(Receiver *receiver, const uint8_t *delta, size_t delta_size,
						  const char *text, size_t size);

/* Tells whether a delta waits. */
extern bool receiver_holds(const Receiver *receiver);

#endif							/* PT621_TOOL_RECEIVER_H */
