/*
 * session_private.h
 *		What session*.c, udp_path.c and account.c share and nobody else sees.
 */
#ifndef PT621_PG_SESSION_PRIVATE_H
#define PT621_PG_SESSION_PRIVATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"

#include "pg/connections.h"
#include "pg/session.h"

/* UDP paths are found by hash; more paths than buckets only make it slower. */
#define PATH_BUCKETS	4096

/* Sessions by who gives way first. */
typedef enum SessionRank
{
	RANK_UNBOUND,				/* TCP, not known */
	RANK_BOUND,					/* TCP, known */
	RANK_STRANGE_PATH,			/* UDP, not known */
	RANK_PATH,					/* UDP, known */
	SESSION_RANKS
} SessionRank;

/* A photo that is being fetched. */
typedef struct Fetch
{
	int64		photo;			/* photo.id; 0 = none */
	uint32		size;
	uint32		at;				/* the next byte that is wanted */
	int			tries;			/* how often that was asked for */
	uint32		requests;		/* how often anything of it was, by this connection */
	bool		heard;			/* something that the tracker said since then is stored */
	TimestampTz asked_at;		/* when that was asked for last */
} Fetch;

/* A TCP connection or a UDP path (address and port of a sender). */
struct Session
{
	Source		source;			/* first: it is one */
	void	   *conn;			/* the connection; NULL for UDP, or gone */
	SessionRank rank;
	dlist_node	active;			/* of its rank, by last_activity, oldest first */
	TimestampTz last_activity;	/* of its last bytes, or when it was looked at since */
	TimestampTz received_at;	/* of its last bytes */
	bool		is_known;		/* a tracker of ours has reported by it */
	bool		undecided;		/* its first bytes may be of another protocol */
	bool		closing;		/* it was given up; its end will be told ... */
	bool		finishing;		/* ... when what has arrived of it is read */
	CloseReason reason;			/* why, then */
	bool		ended;			/* nothing follows `pending` */
	Size		without_record; /* bytes stored since the last valid record */
	Size		noise;			/* bytes read since the last unit that may be one */
	TimestampTz paused_until;	/* it is not read until then; 0 = it is */
	dlist_node	paused;
	Pt621Splitter splitter;
	uint8	   *pending;		/* bytes that no unit has taken yet */
	Size		pending_size;
	Size		pending_room;
	bool		is_quiet;		/* in the list `quiet` */
	dlist_node	quiet;
	bool		is_backlogged;	/* in the list `backlog` */
	dlist_node	backlog;
	Session    *next_path;		/* in its bucket of UDP paths */
	void	   *socket;			/* that the last datagram came to; NULL = gone, or TCP */
	bool		is_suspect;		/* what was looked for with its commands could not be sent */
	bool		is_wanting;		/* in the list `wanting`, or `suspects` */
	bool		wants_next;		/* to be put there with its next unit */
	bool		is_choked;		/* what was sent to it just now did not go out */
	dlist_node	wanting;
	Fetch		fetch;
	dlist_node	fetching;		/* while fetch.photo is not 0 */
};

/* The connections closed for one reason that the log has not been told of. */
typedef struct ClosedSample
{
	uint64		count;
	Source		source;			/* of the first */
} ClosedSample;

struct Sessions
{
	MemoryContext context;
	Batch	   *batch;
	const SessionPort *port;
	bool		full;			/* the batch refused a unit */
	Size		pending;		/* bytes kept for units that are not complete */
	dlist_head	active[SESSION_RANKS];
	dlist_head	quiet;			/* those that silence may complete, oldest first */
	dlist_head	backlog;		/* connections with units that had no room */
	dlist_head	paused;
	TimestampTz next_unpause;	/* of any of them; DT_NOEND = none */
	uint32		displaced_seen; /* how often one of ours was marked so */
	uint32		wanted_seen;	/* likewise */
	dlist_head	wanting;		/* the tables may have something to send to them */
	dlist_head	suspects;		/* likewise, and they are looked at one by one */
	dlist_head	to_begin;		/* the first piece of a photo is to be asked for */
	dlist_head	to_ask;			/* another piece is */
	dlist_head	asked;			/* it was, longest ago first */
	slist_head	spill;			/* datagrams that had no room, last first */
	Session    *path[PATH_BUCKETS];
	int			paths;
	ClosedSample closed[CLOSE_REASONS];
	bool		closed_unsaid;
	TimestampTz last_tick;		/* when this turn began, about */
	HTAB	   *rates;			/* of trackers that reported lately */
	TimestampTz strangers_since;	/* when the minute began ... */
	Size		strangers;		/* ... and how much they sent since */
};

/* session.c */
extern Session *session_new(Sessions *sessions, const struct sockaddr *peer, bool is_udp);
extern void session_touch(Sessions *sessions, Session *session, TimestampTz now);
extern void session_set_rank(Sessions *sessions, Session *session, SessionRank rank);
extern void session_close(Sessions *sessions, Session *session, CloseReason reason);
extern void session_finish(Sessions *sessions, Session *session, CloseReason reason);
extern void session_release_slot(Session *session);

/* Tells whether so many bytes without a record are too many. */
extern bool session_is_noisy(const Session *session, Size bytes);

extern void session_forget(Sessions *sessions, Session *session);
extern Size session_split(Sessions *sessions, Session *session,
						  Pt621Splitter *splitter, TimestampTz received_at,
						  const uint8 *data, Size size, Pt621Input input);
extern void session_set_quiet(Sessions *sessions, Session *session, bool quiet);
extern void session_split_stream(Sessions *sessions, Session *session,
								 const uint8 *data, Size size, Pt621Input input);
extern void session_count_bytes(Session *session, TimestampTz now, Size size);
extern bool session_is_foreign(Sessions *sessions, Session *session,
							   const uint8 *data, Size size, bool *more);

/* downlink.c */
extern void session_want(Sessions *sessions, Session *session);
extern void session_forget_downlink(Sessions *sessions, Session *session);
extern void session_account_downlink(Sessions *sessions, Session *session, const BatchUnit *unit);
extern bool session_send(Sessions *sessions, Session *session, const uint8 *data, Size size);
extern bool session_is_reachable(const Session *session, TimestampTz now);

/* fetch.c */
extern void fetch_set(Sessions *sessions, Session *session, int64 photo, uint32 size, uint32 at);
extern void fetch_account(Sessions *sessions, Session *session, const BatchUnit *unit);
extern void fetch_ask(Sessions *sessions, TimestampTz now);
extern void fetch_expire(Sessions *sessions, TimestampTz now);
extern TimestampTz fetch_deadline(Sessions *sessions);

/* udp_path.c */
extern void path_address(const Session *session, struct sockaddr_storage *peer);
extern void path_forget(Sessions *sessions, Session *session);
extern void paths_resume(Sessions *sessions);

#endif							/* PT621_PG_SESSION_PRIVATE_H */
