/*
 * downlink.h
 *		What the listener sends to trackers: commands, and requests for photos.
 *
 * Invariants.  A command is written down as `sending`, and that committed, before a
 * byte of it is given to the network; so whatever crashes, none is sent twice
 * unseen.  Nothing is sent by a connection but to the one tracker that it has named
 * and that it speaks for.
 */
#ifndef PT621_PG_DOWNLINK_H
#define PT621_PG_DOWNLINK_H

#include "postgres.h"

#include "pg/session.h"

/* Prepares it, in the current memory context. */
extern void downlink_init(Sessions *sessions);

/* Sends what is to be sent by now.  storing: what came can be stored; else nothing
 * that depends on it is sent. */
extern void downlink_turn(bool storing);

/* Writes down what could not be before; the worker ends. */
extern void downlink_finish(void);

/* When there will be something to do; DT_NOEND = nothing is known of. */
extern TimestampTz downlink_deadline(void);

#endif							/* PT621_PG_DOWNLINK_H */
