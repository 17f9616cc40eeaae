/*
 * tracker_private.h
 *		What tracker.c (making) and emit.c (sending) share.
 */
#ifndef PT621_TOOL_TRACKER_PRIVATE_H
#define PT621_TOOL_TRACKER_PRIVATE_H

#include "tracker.h"

extern Sending *sending_new(void);
extern void sending_free(Sending *sending);

/* Makes all records up to that time: what is due until then is known after it. */
extern void tracker_make_until(Tracker *tracker, const Behaviour *behaviour, int64_t due_us);

#endif							/* PT621_TOOL_TRACKER_PRIVATE_H */
