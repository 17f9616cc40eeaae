/*
 * session.c
 *		From bytes of connections to units in the batch.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/shared.h"

Sessions *
sessions_new(Batch *batch, const SessionPort *port)
{
	Sessions   *sessions = palloc0(sizeof(Sessions));

	sessions->context = AllocSetContextCreate(CurrentMemoryContext,
											  "pt621 sessions",
											  ALLOCSET_DEFAULT_SIZES);
	sessions->batch = batch;
	sessions->port = port;
	for (int i = 0; i < SESSION_RANKS; i++)
		dlist_init(&sessions->active[i]);
	dlist_init(&sessions->quiet);
	dlist_init(&sessions->backlog);
	dlist_init(&sessions->paused);
	dlist_init(&sessions->wanting);
	dlist_init(&sessions->suspects);
	dlist_init(&sessions->to_begin);
	dlist_init(&sessions->to_ask);
	dlist_init(&sessions->asked);
	sessions->next_unpause = DT_NOEND;
	slist_init(&sessions->spill);
	return sessions;
}

bool
sessions_full(const Sessions *sessions)
{
	return sessions->full;
}

Session *
session_new(Sessions *sessions, const struct sockaddr *peer, bool is_udp)
{
	Session    *session = (Session *) source_new(sessions->context, sizeof(Session),
												 is_udp ? "udp" : "tcp");

	if (session == NULL)
		return NULL;
	source_set_peer(&session->source, peer);
	session->source.is_session = true;
	session->source.is_path = is_udp;
	session->last_activity = GetCurrentTimestamp();
	session->rank = is_udp ? RANK_STRANGE_PATH : RANK_UNBOUND;
	dlist_push_tail(&sessions->active[session->rank], &session->active);
	return session;
}

void
session_touch(Sessions *sessions, Session *session, TimestampTz now)
{
	session->last_activity = now;
	dlist_delete(&session->active);
	dlist_push_tail(&sessions->active[session->rank], &session->active);
}

void
session_set_rank(Sessions *sessions, Session *session, SessionRank rank)
{
	if (session->rank == rank || session->ended)
		return;
	session->rank = rank;
	session_touch(sessions, session, session->last_activity);
}

bool
session_is_noisy(const Session *session, Size bytes)
{
	return setting_max_bytes_without_record > 0 && !session->source.is_path &&
		bytes > (Size) setting_max_bytes_without_record * 1024;
}

/* Lets others have its place among the connections. */
void
session_release_slot(Session *session)
{
	ConnectionSlot *slot = session->source.slot;

	if (slot == NULL)
		return;
	session->source.displaced = pg_atomic_read_u32(&slot->displaced) != 0;
	connections_close(slot);
	session->source.slot = NULL;
}

/* Notes the end of a connection for the log, which no callback may write to. */
static void
note_closed(Sessions *sessions, const Source *source, CloseReason reason)
{
	ClosedSample *sample = &sessions->closed[reason];

	shared_count(COUNT_CLOSED + (int) reason, 1);
	if (reason == CLOSE_BY_PEER || reason == CLOSE_ERROR || reason == CLOSE_PORT)
		return;
	if (sample->count++ == 0)
		sample->source = *source;
	sessions->closed_unsaid = true;
}

/* Gives a connection up. */
void
session_close(Sessions *sessions, Session *session, CloseReason reason)
{
	if (session->conn == NULL || (session->closing && !session->finishing))
		return;
	session->closing = true;
	session->finishing = false;
	session->reason = reason;
	sessions->port->close(session->conn);
}

/* Gives a connection up when what has arrived of it is read. */
void
session_finish(Sessions *sessions, Session *session, CloseReason reason)
{
	if (session->conn == NULL || session->closing)
		return;
	session->closing = session->finishing = true;
	session->reason = reason;
	sessions->port->finish(session->conn);
}

void
session_set_quiet(Sessions *sessions, Session *session, bool quiet)
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
 * Tells whether there is still room this minute in the archive for what names no
 * tracker; what turns out to be a record is archived anyway.
 */
static bool
stranger_is_sampled(Sessions *sessions, Size size)
{
	/* Not the time of receipt: what was held back for long is older than others. */
	TimestampTz now = sessions->last_tick;

	if (now < sessions->strangers_since ||
		now >= sessions->strangers_since + USECS_PER_MINUTE)
	{
		sessions->strangers_since = now;
		sessions->strangers = 0;
	}
	sessions->strangers += size;
	return sessions->strangers <= (Size) setting_archive_strangers * 1024;
}

/* Adds a unit to the batch; false when that is full. */
static bool
add_unit(Sessions *sessions, Session *session, TimestampTz received_at,
		 const uint8 *data, const Pt621Unit *unit)
{
	BatchUnit  *added;

	if (!batch_add(sessions->batch, &session->source, received_at, data, unit))
	{
		sessions->full = true;
		return false;
	}
	added = &sessions->batch->units[sessions->batch->count - 1];
	if (unit->kind == PT621_UNIT_TEXT || unit->kind == PT621_UNIT_GARBAGE)
		session->noise += unit->size;
	else
		session->noise = 0;
	added->sampled = session->is_known ||
		stranger_is_sampled(sessions, unit->size);
	return true;
}

/*
 * Puts the units of data into the batch.  Returns how many bytes they took;
 * fewer than there are complete units of when the batch is full.
 */
Size
session_split(Sessions *sessions, Session *session, Pt621Splitter *splitter,
			  TimestampTz received_at, const uint8 *data, Size size,
			  Pt621Input input)
{
	Size		taken = 0;

	/* It may have changed since the connection was opened. */
	splitter->line_max = (uint32) setting_max_line_length;
	while (!sessions->full)
	{
		Pt621Splitter before = *splitter;
		Pt621Unit	unit;

		if (!pt621_split(splitter, data + taken, size - taken, input, &unit))
			break;
		if (!add_unit(sessions, session, received_at, data + taken, &unit))
		{
			/* It was not taken: the splitter must find it again. */
			*splitter = before;
			break;
		}
		taken += unit.size;
	}
	if (taken > 0)
		session->undecided = false;
	return taken;
}

/*
 * Tells whether the first bytes of a connection or datagram are of another
 * protocol, and puts a sample of them into the batch then.
 */
bool
session_is_foreign(Sessions *sessions, Session *session, const uint8 *data,
				   Size size, bool *more)
{
	Pt621Foreign foreign = pt621_foreign(data, size, more);
	Pt621Unit	unit = {.kind = PT621_UNIT_GARBAGE};

	if (foreign == PT621_FOREIGN_NONE)
		return false;
	unit.size = unit.payload_size = (uint32) Min(size, PT621_GARBAGE_MAX);
	unit.error.code = PT621_NOT_A_RECORD;
	if (add_unit(sessions, session, session->received_at, data, &unit))
		sessions->batch->units[sessions->batch->count - 1].foreign = (uint8) foreign;
	return true;
}

/* Keeps the bytes that no unit took; false when there is no memory for them. */
static bool
keep_pending(Sessions *sessions, Session *session, const uint8 *data, Size size)
{
	if (size == 0)
	{
		/* Most connections have nothing pending: they cost no buffer. */
		if (session->pending)
			pfree(session->pending);
		sessions->pending -= session->pending_room;
		session->pending = NULL;
		session->pending_size = session->pending_room = 0;
		return true;
	}
	if (size > session->pending_room)
	{
		Size		limit = (Size) setting_max_pending_memory * 1024;
		uint8	   *bytes;

		/* A backlog is kept at any price, since it is one read at most. */
		if (!sessions->full && sessions->pending + size - session->pending_room > limit)
			return false;
		bytes = MemoryContextAllocExtended(sessions->context, size, MCXT_ALLOC_NO_OOM);
		if (bytes == NULL)
			return false;
		memcpy(bytes, data, size);
		if (session->pending)
			pfree(session->pending);
		sessions->pending += size - session->pending_room;
		session->pending = bytes;
		session->pending_room = size;
	}
	else
		memmove(session->pending, data, size);
	session->pending_size = size;
	return true;
}

/* Splits what a session holds, and settles what that means for it. */
void
session_split_stream(Sessions *sessions, Session *session, const uint8 *data,
					 Size size, Pt621Input input)
{
	Size		taken = session_split(sessions, session, &session->splitter,
									  session->received_at, data, size, input);

	if (!keep_pending(sessions, session, data + taken, size - taken))
	{
		/* What cannot be kept ends here, and its connection with it. */
		taken += session_split(sessions, session, &session->splitter,
							   session->received_at, data + taken, size - taken,
							   PT621_INPUT_END);
		if (!keep_pending(sessions, session, data + taken, size - taken))
		{
			keep_pending(sessions, session, NULL, 0);
			size = taken;
		}
		session_close(sessions, session, CLOSE_MEMORY);
	}
	set_backlogged(sessions, session, sessions->full && size > taken);
	session_set_quiet(sessions, session, !session->is_backlogged && size > taken &&
					  input == PT621_INPUT_MORE);
}

/* Makes room for a new connection; true when one gave way. */
static bool
give_way(Sessions *sessions)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sessions->active[RANK_UNBOUND])
	{
		Session    *session = dlist_container(Session, active, iter.cur);

		if (session->closing)
			continue;
		session_release_slot(session);
		session_close(sessions, session, CLOSE_GAVE_WAY);
		return true;
	}
	return false;
}

Session *
sessions_open(Sessions *sessions, const struct sockaddr *peer, void *conn, bool crowded)
{
	Session    *session = session_new(sessions, peer, false);
	CloseReason reason = CLOSE_REFUSED;

	if (session == NULL)
	{
		shared_count(COUNT_CLOSED + CLOSE_MEMORY, 1);
		return NULL;
	}
	/* It is no candidate for giving way itself. */
	dlist_delete(&session->active);
	if (connections_address_is_full(&session->source))
		reason = CLOSE_ADDRESS; /* nobody gives way to such */
	else if (!crowded || give_way(sessions))
	{
		session->source.slot = connections_open(&session->source, false, &reason);
		if (session->source.slot == NULL && reason == CLOSE_REFUSED && give_way(sessions))
			session->source.slot = connections_open(&session->source, false, &reason);
	}
	if (session->source.slot == NULL)
	{
		note_closed(sessions, &session->source, reason);
		source_release(&session->source);
		return NULL;
	}
	dlist_push_tail(&sessions->active[RANK_UNBOUND], &session->active);
	session->conn = conn;
	session->undecided = true;
	shared_count(COUNT_OPENED, 1);
	return session;
}

/* Counts what a session has received. */
void
session_count_bytes(Session *session, TimestampTz now, Size size)
{
	ConnectionSlot *slot = session->source.slot;

	if (slot == NULL)
		return;
	connections_count(&slot->bytes, size);
	pg_atomic_write_u64(&slot->last_seen, (uint64) now);
}

void
sessions_bytes(Sessions *sessions, Session *session, uint8 *data, Size size)
{
	TimestampTz now = GetCurrentTimestamp();

	session_touch(sessions, session, now);
	session->received_at = now;
	session_count_bytes(session, now, size);
	if (session->pending_size > PT621_PENDING_MAX)
	{
		/* Only a backlog is that long, and nothing is read while there is one. */
		Assert(false);
		session_close(sessions, session, CLOSE_MEMORY);
		return;
	}
	if (session->pending_size > 0)
	{
		data -= session->pending_size;
		size += session->pending_size;
		memcpy(data, session->pending, session->pending_size);
	}
	if (session->undecided &&
		session_is_foreign(sessions, session, data, size, &session->undecided))
	{
		keep_pending(sessions, session, NULL, 0);
		session_set_quiet(sessions, session, false);
		session_close(sessions, session, CLOSE_FOREIGN);
		return;
	}
	session_split_stream(sessions, session, data, size, PT621_INPUT_MORE);
	/* What storing finds out comes later; a flood need not be read until then. */
	if (session_is_noisy(session, session->noise))
		session_close(sessions, session, CLOSE_NO_RECORD);
}

/* Lets go of a session that is gone and has nothing left to split. */
void
session_forget(Sessions *sessions, Session *session)
{
	session_forget_downlink(sessions, session);
	session_set_quiet(sessions, session, false);
	set_backlogged(sessions, session, false);
	keep_pending(sessions, session, NULL, 0);
	source_release(&session->source);
}

/* Splits the last bytes of a session that is gone. */
static void
end_session(Sessions *sessions, Session *session)
{
	if (session->pending_size > 0)
		session_split_stream(sessions, session, session->pending, session->pending_size,
							 PT621_INPUT_END);
	if (session->pending_size == 0)
		session_forget(sessions, session);
}

void
sessions_closed(Sessions *sessions, Session *session, CloseReason reason)
{
	note_closed(sessions, &session->source, session->closing ? session->reason : reason);
	session_release_slot(session);
	session_forget_downlink(sessions, session);
	session->conn = NULL;
	session->ended = true;
	dlist_delete(&session->active);
	if (session->paused_until)
		dlist_delete(&session->paused);
	session->paused_until = 0;
	if (!session->is_backlogged)
		end_session(sessions, session);
}

void
sessions_set_batch(Sessions *sessions, Batch *batch)
{
	dlist_mutable_iter iter;

	sessions->batch = batch;
	sessions->full = false;
	paths_resume(sessions);
	dlist_foreach_modify(iter, &sessions->backlog)
	{
		Session    *session = dlist_container(Session, backlog, iter.cur);

		if (sessions->full)
			break;
		if (session->ended)
			end_session(sessions, session);
		else
			session_split_stream(sessions, session, session->pending,
								 session->pending_size, PT621_INPUT_MORE);
	}
}
