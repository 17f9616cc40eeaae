/*
 * session.c
 *		From bytes of connections and datagrams to units in the batch.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "pg/session.h"
#include "pg/settings.h"

/* UDP paths are found by hash; more paths than buckets only make it slower. */
#define PATH_BUCKETS	4096

/* A datagram, or the rest of one, that the batch had no room for. */
typedef struct Spill
{
	slist_node	node;
	Session    *session;
	TimestampTz received_at;
	Pt621Splitter splitter;
	Size		size;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} Spill;

struct Sessions
{
	MemoryContext context;
	Batch	   *batch;
	bool		full;			/* the batch refused a unit */
	dlist_head	active;			/* all that are not gone, oldest first */
	dlist_head	quiet;			/* those that silence may complete, oldest first */
	dlist_head	backlog;		/* connections with units that had no room */
	slist_head	spill;			/* datagrams that had no room, last first */
	Session    *path[PATH_BUCKETS];
	int			paths;
};

Sessions *
sessions_new(Batch *batch)
{
	Sessions   *sessions = palloc0(sizeof(Sessions));

	sessions->context = AllocSetContextCreate(CurrentMemoryContext,
											  "pt621 sessions",
											  ALLOCSET_DEFAULT_SIZES);
	sessions->batch = batch;
	dlist_init(&sessions->active);
	dlist_init(&sessions->quiet);
	dlist_init(&sessions->backlog);
	slist_init(&sessions->spill);
	return sessions;
}

void
sessions_set_batch(Sessions *sessions, Batch *batch)
{
	sessions->batch = batch;
}

bool
sessions_full(const Sessions *sessions)
{
	return sessions->full;
}

static Session *
session_new(Sessions *sessions, const struct sockaddr *peer,
			const char *transport)
{
	Session    *session = (Session *) source_new(sessions->context, sizeof(Session),
												 transport);

	if (session == NULL)
		return NULL;
	source_set_peer(&session->source, peer);
	session->last_activity = GetCurrentTimestamp();
	dlist_push_tail(&sessions->active, &session->active);
	return session;
}

static void
touch(Sessions *sessions, Session *session, TimestampTz now)
{
	session->last_activity = now;
	dlist_delete(&session->active);
	dlist_push_tail(&sessions->active, &session->active);
}

static void
set_quiet(Sessions *sessions, Session *session, bool quiet)
{
	if (session->is_quiet)
		dlist_delete(&session->quiet);
	if (quiet)
		dlist_push_tail(&sessions->quiet, &session->quiet);
	session->is_quiet = quiet;
}

static void
set_backlogged(Sessions *sessions, Session *session, bool backlogged)
{
	if (session->is_backlogged)
		dlist_delete(&session->backlog);
	if (backlogged)
		dlist_push_tail(&sessions->backlog, &session->backlog);
	session->is_backlogged = backlogged;
}

/*
 * Puts the units of data into the batch.  Returns how many bytes they took;
 * fewer than there are complete units of when the batch is full.
 */
static Size
split(Sessions *sessions, Source *source, Pt621Splitter *splitter,
	  TimestampTz received_at, const uint8 *data, Size size, Pt621Input input)
{
	Size		taken = 0;

	while (!sessions->full)
	{
		Pt621Splitter before = *splitter;
		Pt621Unit	unit;

		if (!pt621_split(splitter, data + taken, size - taken, input, &unit))
			break;
		if (!batch_add(sessions->batch, source, received_at, data + taken, &unit))
		{
			/* It was not taken: the splitter must find it again. */
			*splitter = before;
			sessions->full = true;
			break;
		}
		taken += unit.size;
	}
	return taken;
}

/* Keeps the bytes that no unit took. */
static bool
keep_pending(Sessions *sessions, Session *session, const uint8 *data, Size size)
{
	if (size == 0)
	{
		/* Most connections have nothing pending: they cost no buffer. */
		if (session->pending)
			pfree(session->pending);
		session->pending = NULL;
		session->pending_size = session->pending_room = 0;
		return true;
	}
	if (size > session->pending_room)
	{
		uint8	   *bytes = MemoryContextAllocExtended(sessions->context, size,
													   MCXT_ALLOC_NO_OOM);

		if (bytes == NULL)
			return false;
		memcpy(bytes, data, size);
		if (session->pending)
			pfree(session->pending);
		session->pending = bytes;
		session->pending_room = size;
	}
	else
		memmove(session->pending, data, size);
	session->pending_size = size;
	return true;
}

/* Splits what a session holds, and settles what that means for it. */
static bool
split_session(Sessions *sessions, Session *session, const uint8 *data,
			  Size size, Pt621Input input)
{
	Size		taken = split(sessions, &session->source, &session->splitter,
							  session->last_activity, data, size, input);

	if (!keep_pending(sessions, session, data + taken, size - taken))
	{
		/* What it held has been split already, or is lost with the rest. */
		keep_pending(sessions, session, NULL, 0);
		return false;
	}
	set_backlogged(sessions, session, sessions->full && size > taken);
	set_quiet(sessions, session, !session->is_backlogged && size > taken &&
			  input == PT621_INPUT_MORE);
	return true;
}

Session *
sessions_open(Sessions *sessions, const struct sockaddr *peer, void *conn)
{
	Session    *session = session_new(sessions, peer, "tcp");

	if (session)
		session->conn = conn;
	return session;
}

bool
sessions_bytes(Sessions *sessions, Session *session, uint8 *data, Size size)
{
	touch(sessions, session, GetCurrentTimestamp());
	if (session->pending_size > PT621_PENDING_MAX)
	{
		/* Only a backlog is that long, and nothing is read while there is one. */
		Assert(false);
		return false;
	}
	if (session->pending_size > 0)
	{
		data -= session->pending_size;
		size += session->pending_size;
		memcpy(data, session->pending, session->pending_size);
	}
	return split_session(sessions, session, data, size, PT621_INPUT_MORE);
}

/* Lets go of a session that is gone and has nothing left to split. */
static void
finish(Sessions *sessions, Session *session)
{
	set_quiet(sessions, session, false);
	set_backlogged(sessions, session, false);
	keep_pending(sessions, session, NULL, 0);
	source_release(&session->source);
}

/* Splits the last bytes of a session that is gone. */
static void
end_session(Sessions *sessions, Session *session)
{
	if (session->pending_size > 0)
		split_session(sessions, session, session->pending, session->pending_size,
					  PT621_INPUT_END);
	if (session->pending_size == 0)
		finish(sessions, session);
}

void
sessions_closed(Sessions *sessions, Session *session)
{
	session->conn = NULL;
	session->ended = true;
	dlist_delete(&session->active);
	if (!session->is_backlogged)
		end_session(sessions, session);
}

static Size
address_size(const struct sockaddr *peer)
{
	return peer->sa_family == AF_INET ? 4 : 16;
}

static uint32
path_bucket(const struct sockaddr *peer)
{
	const void *address = peer->sa_family == AF_INET ?
		(const void *) &((const struct sockaddr_in *) peer)->sin_addr :
		(const void *) &((const struct sockaddr_in6 *) peer)->sin6_addr;
	uint32		port = peer->sa_family == AF_INET ?
		((const struct sockaddr_in *) peer)->sin_port :
		((const struct sockaddr_in6 *) peer)->sin6_port;

	return (hash_bytes(address, (int) address_size(peer)) ^ hash_bytes_uint32(port)) %
		PATH_BUCKETS;
}

/* Forgets a UDP path; the units that came by it keep its source. */
static void
forget_path(Sessions *sessions, Session *session)
{
	Session   **link;
	struct sockaddr_storage peer = {0};
	inet	   *address = &session->source.peer.inet;

	if (ip_family(address) == PGSQL_AF_INET)
	{
		struct sockaddr_in *in = (struct sockaddr_in *) &peer;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16) session->source.peer_port);
		memcpy(&in->sin_addr, ip_addr(address), 4);
	}
	else
	{
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &peer;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16) session->source.peer_port);
		memcpy(&in6->sin6_addr, ip_addr(address), 16);
	}
	link = &sessions->path[path_bucket((struct sockaddr *) &peer)];
	while (*link && *link != session)
		link = &(*link)->next_path;
	if (*link)
		*link = session->next_path;
	sessions->paths--;
	dlist_delete(&session->active);
	finish(sessions, session);
}

/* Finds the path of a datagram's sender, or makes it. */
static Session *
find_path(Sessions *sessions, const struct sockaddr *peer)
{
	Session   **bucket = &sessions->path[path_bucket(peer)];
	Session    *session;
	Source		wanted = {0};

	source_set_peer(&wanted, peer);
	for (session = *bucket; session; session = session->next_path)
	{
		if (session->source.peer_port == wanted.peer_port &&
			memcmp(session->source.peer.bytes, wanted.peer.bytes,
				   sizeof(wanted.peer.bytes)) == 0)
			return session;
	}
	/* Senders can be forged at will: the least recent path gives way. */
	if (sessions->paths >= setting_max_connections)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &sessions->active)
		{
			Session    *oldest = dlist_container(Session, active, iter.cur);

			if (oldest->conn == NULL)
			{
				forget_path(sessions, oldest);
				break;
			}
		}
	}
	session = session_new(sessions, peer, "udp");
	if (session)
	{
		session->next_path = *bucket;
		*bucket = session;
		sessions->paths++;
	}
	return session;
}

/* Keeps a datagram, or what is left of one, until the batch has room. */
static void
spill(Sessions *sessions, Session *session, TimestampTz received_at,
	  const Pt621Splitter *splitter, const uint8 *data, Size size)
{
	Spill	   *kept = MemoryContextAllocExtended(sessions->context,
												  offsetof(Spill, bytes) + size,
												  MCXT_ALLOC_NO_OOM);

	if (kept == NULL)
		return;					/* as if the network had lost it */
	kept->session = session;
	kept->received_at = received_at;
	kept->splitter = *splitter;
	kept->size = size;
	memcpy(kept->bytes, data, size);
	session->source.references++;
	slist_push_head(&sessions->spill, &kept->node);
}

void
sessions_datagram(Sessions *sessions, const struct sockaddr *peer,
				  const uint8 *data, Size size)
{
	Pt621Splitter splitter = {0};
	Session    *session;
	TimestampTz now;
	Size		taken;

	if (size == 0 || (peer->sa_family != AF_INET && peer->sa_family != AF_INET6))
		return;
	session = find_path(sessions, peer);
	if (session == NULL)
		return;
	now = GetCurrentTimestamp();
	touch(sessions, session, now);
	taken = split(sessions, &session->source, &splitter, now, data, size,
				  PT621_INPUT_END);
	if (taken < size)
		spill(sessions, session, now, &splitter, data + taken, size - taken);
}

/* Takes in spilled datagrams in the order in which they came. */
static void
resume_spill(Sessions *sessions)
{
	slist_head	in_order;
	slist_head	left;

	slist_init(&in_order);
	slist_init(&left);
	while (!slist_is_empty(&sessions->spill))
		slist_push_head(&in_order, slist_pop_head_node(&sessions->spill));
	while (!slist_is_empty(&in_order))
	{
		slist_node *node = slist_pop_head_node(&in_order);
		Spill	   *kept = slist_container(Spill, node, node);
		Size		taken = split(sessions, &kept->session->source, &kept->splitter,
								  kept->received_at, kept->bytes, kept->size,
								  PT621_INPUT_END);

		if (taken < kept->size)
		{
			kept->size -= taken;
			memmove(kept->bytes, kept->bytes + taken, kept->size);
			slist_push_head(&left, node);
			continue;
		}
		source_release(&kept->session->source);
		pfree(kept);
	}
	/* `left` is last first again, as `spill` is. */
	sessions->spill = left;
}

void
sessions_resume(Sessions *sessions)
{
	dlist_mutable_iter iter;

	sessions->full = false;
	resume_spill(sessions);
	dlist_foreach_modify(iter, &sessions->backlog)
	{
		Session    *session = dlist_container(Session, backlog, iter.cur);

		if (sessions->full)
			break;
		if (session->ended)
			end_session(sessions, session);
		else
			split_session(sessions, session, session->pending,
						  session->pending_size, PT621_INPUT_MORE);
	}
}

void
sessions_tick(Sessions *sessions, TimestampTz now, void (*close) (void *conn))
{
	while (!dlist_is_empty(&sessions->quiet) && !sessions->full)
	{
		Session    *session = dlist_head_element(Session, quiet, &sessions->quiet);

		if (now < TimestampTzPlusMilliseconds(session->last_activity, setting_unit_timeout))
			break;
		split_session(sessions, session, session->pending, session->pending_size,
					  PT621_INPUT_SILENCE);
	}
	while (setting_idle_timeout > 0 && !dlist_is_empty(&sessions->active))
	{
		Session    *session = dlist_head_element(Session, active, &sessions->active);

		if (now < TimestampTzPlusMilliseconds(session->last_activity,
											  (int64) setting_idle_timeout * 1000))
			break;
		if (session->conn)
		{
			close(session->conn);
			/* Its end is told later; until then it is not the oldest. */
			touch(sessions, session, now);
		}
		else
			forget_path(sessions, session);
	}
}

TimestampTz
sessions_deadline(Sessions *sessions)
{
	TimestampTz deadline = DT_NOEND;

	if (!dlist_is_empty(&sessions->quiet) && !sessions->full)
	{
		Session    *session = dlist_head_element(Session, quiet, &sessions->quiet);

		deadline = TimestampTzPlusMilliseconds(session->last_activity, setting_unit_timeout);
	}
	if (setting_idle_timeout > 0 && !dlist_is_empty(&sessions->active))
	{
		Session    *session = dlist_head_element(Session, active, &sessions->active);
		TimestampTz idle = TimestampTzPlusMilliseconds(session->last_activity,
													   (int64) setting_idle_timeout * 1000);

		deadline = Min(deadline, idle);
	}
	return deadline;
}

void *
sessions_give_up_unbound(Sessions *sessions)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sessions->active)
	{
		Session    *session = dlist_container(Session, active, iter.cur);

		if (session->conn && !session->closing && session->source.ident_size == 0)
		{
			session->closing = true;
			return session->conn;
		}
	}
	return NULL;
}
