/*
 * tracker.h
 *		One simulated tracker: what it makes, and what it sends when.
 *
 * Invariants.  A tracker's stream follows from the behaviour, the seed and its
 * number alone; time is the tracker's own, so pacing changes nothing in it.  What
 * it sends is due in an order that is settled before the first of it is sent.
 * Only a connection that broke by itself changes the stream: the next report
 * is then sent in full; and what a server says (dialogue.h).
 */
#ifndef PT621_TOOL_TRACKER_H
#define PT621_TOOL_TRACKER_H

#include "encode.h"
#include "photo.h"
#include "receiver.h"
#include "route.h"
#include "tool.h"

#define CODES_MAX		32		/* codes of alarms to choose from */
#define PACK_MAX		4		/* stored records in one frame (protocol 2.2) */

/* What all trackers do.  Shares and probabilities are 0 .. 1. */
typedef struct Behaviour
{
	uint64_t	seed;
	uint64_t	records;		/* each tracker makes */
	int64_t		start_ms;		/* since 1970 */
	int64_t		interval_ms;	/* between two records */
	double		speed_kmh;
	double		udp;			/* of trackers */
	double		frame;			/* of what is sent */
	double		delta;			/* of reports */
	double		stored;			/* of records */
	double		loss;
	double		duplicate;
	double		delay;
	double		reorder;
	uint32_t	window;			/* how far, in records */
	double		reconnect;
	double		alarms;
	char		codes[CODES_MAX][8];
	uint32_t	code_count;
	double		no_fix;
	double		photos;
	uint32_t	photo_size;		/* bytes; 0: each has a size of its own */
	uint32_t	cameras;
	bool		photos_asked;	/* their pieces are sent when asked for, only */
	double		photo_faults;	/* of pieces asked for; and of photos whose size is a lie */
	uint32_t	hang_up;		/* after so many pieces of each photo; 0: never */
	double		answer;			/* of trackers */
	double		clock_error;	/* of trackers */
	int64_t		clock_offset_ms;
	int64_t		early_limit_us; /* longest that a delta may be before its base */
	uint32_t	early;			/* deltas of all trackers that wait for theirs */
	Routes		routes;
} Behaviour;

/* Tells whether trackers do anything on what a server says. */
static inline bool
behaviour_listens(const Behaviour *behaviour)
{
	return behaviour->photos_asked || behaviour->answer > 0;
}

/* Something to be sent. */
typedef struct Sending
{
	int64_t		due_us;			/* of the tracker's time, since 1970 */
	uint64_t	order;			/* of those due at the same time */
	Report		report;			/* of a piece of a photo: the one that announced it */
	bool		lost;			/* it only is in the truth */
	bool		duplicate;
	bool		has_base;
	uint16_t	base_size;
	char		base[ENCODE_RECORD_MAX];	/* the record made before it */
	uint32_t	chunk_offset;	/* of a photo */
	uint32_t	chunk_size;		/* 0: this is a report */
	uint64_t	photo;			/* what its bytes follow from */
	uint32_t	photo_bytes;	/* that there are of it; more may be announced */
} Sending;

typedef struct Tracker
{
	char		ident[ENCODE_IDENT_MAX + 1];
	uint32_t	number;			/* from 0 */
	bool		udp;
	bool		fresh;			/* nothing on this connection names the tracker yet */
	uint32_t	connection;		/* number of its connection, from 1 */
	Chance		chance;
	const Route *route;
	int64_t		first_us;		/* time of its first record */
	int64_t		clock_offset_ms;
	double		pace;			/* its share of the speed */
	double		metres;			/* driven, from the beginning of the route */
	double		began_at;		/* metres of that at the start */
	double		kmh;
	int64_t		odometer;		/* at the start */
	uint64_t	made;			/* records so far */
	int32_t		lon;			/* of the last fix */
	int32_t		lat;
	uint32_t	gap_left;		/* records to go without network */
	int64_t		hold_until_us;	/* nothing is due before */
	uint64_t	orders;
	Sending   **window;			/* by due_us, order */
	uint32_t	window_count;
	uint32_t	window_room;
	Sending   **memory;			/* made without network, not due yet; oldest first */
	uint32_t	memory_count;
	uint32_t	memory_room;
	bool		last_known;		/* the last record made has been or will be sent */
	uint16_t	last_size;
	char		last[ENCODE_RECORD_MAX];
	Receiver   *receiver;		/* NULL without deltas */
	bool		answers;		/* commands */
	bool		photo_wanted;	/* by a command: the next record is to announce one */
	uint8_t		outputs;		/* as in a report */
	uint32_t	photo_count;	/* photos taken so far */
	Photos		photos;			/* that may be asked for */
	uint64_t	sent_sequence;	/* highest of the reports sent */
	uint16_t	said_size;
	char		said[ENCODE_RECORD_MAX];	/* the last report sent, in full */
} Tracker;

/* One unit on its way, and what it is made of. */
typedef struct Emission
{
	bool		reconnect;		/* by a new connection, from here on */
	const char *how;			/* line, frame, delta, ... */
	uint16_t	records;		/* and pieces of photos */
	size_t		size;			/* 0: all of it is lost */
	uint8_t		bytes[ENCODE_DATAGRAM_MAX];
	uint32_t	count;
	Sending    *sendings[PACK_MAX];	/* the caller gives them back */
} Emission;

/* Makes tracker number `number`, from 0.  ident: its id, at most ENCODE_IDENT_MAX digits. */
extern void tracker_start(Tracker *tracker, const Behaviour *behaviour,
						  uint32_t number, const char *ident);

/* Tells when the next of what it sends is due, or false when nothing is left. */
extern bool tracker_due(Tracker *tracker, const Behaviour *behaviour, int64_t *due_us);

/* Takes out what is due next.  Only after tracker_due() has said that there is something. */
extern void tracker_emit(Tracker *tracker, Behaviour *behaviour, Emission *emission);

/* Gives back what an emission was made of. */
extern void emission_done(Emission *emission);

#endif							/* PT621_TOOL_TRACKER_H */
