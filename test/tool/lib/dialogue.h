/*
 * dialogue.h
 *		What a tracker does on what a server says: commands, and requests for
 *		pieces of photos.
 *
 * Invariant.  Records follow from the seed, whatever the server says, but for
 * two commands, to a tracker that answers: one that switches an output, and one
 * that takes a photo.  What is sent as an answer is not in the truth.
 */
#ifndef PT621_TOOL_DIALOGUE_H
#define PT621_TOOL_DIALOGUE_H

#include "tracker.h"

/* What comes of one line. */
typedef struct Answer
{
	bool		command;		/* it was one, and no request for a piece of a photo */
	bool		photo_ended;	/* with this piece, for the first time */
	bool		hang_up;		/* then the tracker ends its connection, and makes another */
	uint32_t	times;			/* that the bytes are sent, each time as a unit of its own */
	size_t		size;
	uint8_t		bytes[ENCODE_DATAGRAM_MAX];
} Answer;

/* Settles whether a tracker answers. */
extern void dialogue_start(Tracker *tracker, const Behaviour *behaviour);

/* Takes in what was given to the network: it is what may be asked for, or said again. */
extern void dialogue_sent(Tracker *tracker, const Behaviour *behaviour, const Sending *sending);

/* Takes in a line of the server. */
extern void dialogue_hear(Tracker *tracker, const Behaviour *behaviour, const char *line,
						  Answer *answer);

/*
 * Begins another connection, outside the order of what is due: writes the record that
 * names the tracker there, its last one again.  bytes: ENCODE_RECORD_MAX.
 * Returns the size; 0: the next record that is due names it.
 */
extern size_t dialogue_name_again(Tracker *tracker, Behaviour *behaviour, uint8_t *bytes);

#endif							/* PT621_TOOL_DIALOGUE_H */
