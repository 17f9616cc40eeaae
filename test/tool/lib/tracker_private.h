/*
 * tracker_private.h
 *		What tracker.c (making), emit.c (sending) and dialogue.c (answering) share.
 */
#ifndef PT621_TOOL_TRACKER_PRIVATE_H
#define PT621_TOOL_TRACKER_PRIVATE_H

#include "tracker.h"

extern Sending *sending_new(void);
extern void sending_free(Sending *sending);

/* Makes all records up to that time: what is due until then is known after it. */
extern void tracker_make_until(Tracker *tracker, const Behaviour *behaviour, int64_t due_us);

/* Takes a report that is sent into the model of the receiver. */
extern void tracker_tell_receiver(Tracker *tracker, Behaviour *behaviour, const Report *report);

#endif							/* PT621_TOOL_TRACKER_PRIVATE_H */
