/*
 * downlink.c
 *		What the listener sends to trackers, and when.
 *
 * There may be something to send to a tracker when it has named itself, when
 * somebody has committed a command for it, and when it says something after it had
 * to wait.  Then its session is `wanting`, and the tables are asked for all of
 * those at once.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/downlink.h"
#include "pg/downlink_sql.h"
#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/shared.h"
#include "pg/worker.h"

/* Sessions whose commands are asked for in one transaction. */
#define WANTING_MAX		1000
/* What the tables refused is tried again so much later. */
#define RETRY_MS		1000

typedef struct Downlink
{
	Sessions   *sessions;
	MemoryContext context;		/* what is to be written down */
	MemoryContext turn;			/* of one call */
	Settled    *settled;		/* what became of commands and photos, not written down yet */
	int			settled_count;
	int			settled_room;
	TimestampTz not_before;		/* no transaction before; 0 = at once */
	bool		fetched_photos; /* pt621.fetch_photos, as it was */
} Downlink;

static Downlink downlink;

void
downlink_init(Sessions *sessions)
{
	downlink.sessions = sessions;
	downlink.context = AllocSetContextCreate(CurrentMemoryContext, "pt621 downlink",
											 ALLOCSET_DEFAULT_SIZES);
	downlink.turn = AllocSetContextCreate(CurrentMemoryContext, "pt621 downlink turn",
										  ALLOCSET_DEFAULT_SIZES);
}

/* ------------------------------------------------------------------------
 * Sessions
 * ------------------------------------------------------------------------ */

/* Has the tables asked for what is to be sent to a session's tracker. */
void
session_want(Sessions *sessions, Session *session)
{
	if (session->is_wanting || session->ended)
		return;
	session->is_wanting = true;
	dlist_push_tail(&sessions->wanting, &session->wanting);
}

static void
stop_wanting(Session *session)
{
	if (session->is_wanting)
		dlist_delete(&session->wanting);
	session->is_wanting = false;
}

void
session_forget_downlink(Sessions *sessions, Session *session)
{
	stop_wanting(session);
	fetch_set(sessions, session, 0, 0, 0);
}

/* Sends bytes to a session's tracker; false when they did not go out. */
bool
session_send(Sessions *sessions, Session *session, const uint8 *data, Size size)
{
	struct sockaddr_storage peer;

	if (session->rank != RANK_PATH)
		return session->conn && !session->closing &&
			sessions->port->write(session->conn, data, size);
	if (session->socket == NULL)
		return false;
	path_address(session, &peer);
	return sessions->port->send(session->socket, (struct sockaddr *) &peer, data, size);
}

/* Tells whether what is sent to a session now can be expected to reach its tracker,
 * and no other. */
bool
session_is_reachable(const Session *session, TimestampTz now)
{
	const Source *source = &session->source;

	if (session->ended || source->conn == 0 || source->ident.size == 0 || source->several)
		return false;
	if (session->rank == RANK_PATH)
		return session->socket &&
			now < TimestampTzPlusMilliseconds(session->received_at,
											  (int64) setting_udp_reply_within * 1000);
	return session->conn && !session->closing;
}

/* ------------------------------------------------------------------------
 * What the tables say
 * ------------------------------------------------------------------------ */

/* Notes what is to be written down of a command or photo. */
static void
add_settled(int64 id, Settlement what)
{
	if (downlink.settled_count == downlink.settled_room)
	{
		downlink.settled_room = Max(2 * downlink.settled_room, 64);
		if (downlink.settled)
			downlink.settled = repalloc(downlink.settled, downlink.settled_room * sizeof(Settled));
		else
			downlink.settled = MemoryContextAlloc(downlink.context,
												  downlink.settled_room * sizeof(Settled));
	}
	downlink.settled[downlink.settled_count++] = (Settled) {id, what};
}

void
downlink_photo_failed(int64 photo)
{
	add_settled(photo, SETTLED_PHOTO_FAILED);
}

/* Takes in that a transaction failed: nothing is lost by waiting. */
static bool
failed(ErrorData *error, const char *what)
{
	if (error == NULL)
		return false;
	downlink.not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
	shared_set_error(error->sqlerrcode, error->message);
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("pt621: %s: %s", what, error->message),
			 errhint("It is tried again.")));
	return true;
}

/* Writes down what became of what was sent; false when that has to wait. */
static bool
settle(void)
{
	SettleOrder order = {downlink.settled, downlink.settled_count};

	if (downlink.settled_count == 0)
		return true;
	if (failed(worker_transaction(downlink_settle, &order, setting_statement_timeout,
								  "writing down what was sent"), "what was sent could not be written down"))
		return false;
	downlink.settled_count = 0;
	return true;
}

/* Sends the commands that were found. */
static void
send_commands(const DownlinkOrder *order, Session **sessions)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < order->command_count; i++)
	{
		const FoundCommand *command = &order->commands[i];
		Session    *session = sessions[command->who];

		if (command->held)
		{
			session->wants_next = true;
			continue;
		}
		if (session_send(downlink.sessions, session, (const uint8 *) command->bytes, command->size))
		{
			session->source.asked.answers_until =
				TimestampTzPlusMilliseconds(now, (int64) setting_answer_timeout * 1000);
			add_settled(command->id, SETTLED_SENT);
		}
		else
		{
			session->wants_next = true;
			add_settled(command->id, SETTLED_NOT_SENT);
		}
	}
}

/* Begins to fetch the photos that were found. */
static void
begin_photos(const DownlinkOrder *order, Session **sessions)
{
	for (int i = 0; i < order->photo_count; i++)
	{
		const FoundPhoto *photo = &order->photos[i];
		Session    *session = sessions[photo->who];

		if (session->fetch.photo == 0)
			fetch_set(downlink.sessions, session, photo->id, photo->size, photo->received);
	}
}

/* Puts those that want something into an order; returns how many they are. */
static int
collect_wanting(DownlinkOrder *order, Session **sessions)
{
	TimestampTz now = GetCurrentTimestamp();
	int			count = 0;

	while (!dlist_is_empty(&downlink.sessions->wanting) && count < WANTING_MAX)
	{
		Session    *session = dlist_head_element(Session, wanting, &downlink.sessions->wanting);

		stop_wanting(session);
		if (!session_is_reachable(session, now))
		{
			session->wants_next = true;
			continue;
		}
		session->wants_next = false;
		order->conns[count] = session->source.conn;
		order->idents[count] = session->source.ident;
		sessions[count++] = session;
	}
	return count;
}

/* Asks the tables what there is to send, and sends it. */
static void
serve_wanting(void)
{
	DownlinkOrder order = {.context = downlink.turn};
	Session   **sessions = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(Session *));

	order.conns = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(int64));
	order.idents = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(SourceIdent));
	order.count = collect_wanting(&order, sessions);
	if (order.count == 0)
		return;
	if (failed(worker_transaction(downlink_find, &order, setting_statement_timeout,
								  "looking for commands"), "commands could not be looked for"))
	{
		for (int i = 0; i < order.count; i++)
			session_want(downlink.sessions, sessions[i]);
		return;
	}
	/* Where nothing can be stored for now, they are looked at when it can. */
	for (int i = 0; i < order.count && order.closed; i++)
		sessions[i]->wants_next = true;
	send_commands(&order, sessions);
	begin_photos(&order, sessions);
}

void
session_account_downlink(Sessions *sessions, Session *session, const BatchUnit *unit)
{
	if (session->wants_next || unit->photo_fate == PHOTO_ANNOUNCED)
		session_want(sessions, session);
	if (unit->photo != 0)
		fetch_account(sessions, session, unit);
}

/* ------------------------------------------------------------------------
 * The turn
 * ------------------------------------------------------------------------ */

/* Finds the sessions whose trackers others have committed a command for; all of
 * them when photos are to be fetched that were not before. */
static void
collect_wanted(void)
{
	Sessions   *sessions = downlink.sessions;
	uint32		wanted = connections_wanted();
	bool		all = setting_fetch_photos && !downlink.fetched_photos;

	downlink.fetched_photos = setting_fetch_photos;
	if (wanted == sessions->wanted_seen && !all)
		return;
	sessions->wanted_seen = wanted;
	for (int rank = 0; rank < SESSION_RANKS; rank++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &sessions->active[rank])
		{
			Session    *session = dlist_container(Session, active, iter.cur);
			ConnectionSlot *slot = session->source.slot;

			/* Reset first: who marks it from here on wants another look. */
			if (slot && (pg_atomic_exchange_u32(&slot->wanted, 0) != 0 || all))
				session_want(sessions, session);
		}
	}
}

void
downlink_turn(void)
{
	TimestampTz now = GetCurrentTimestamp();

	downlink.not_before = Min(downlink.not_before, TimestampTzPlusMilliseconds(now, RETRY_MS));
	collect_wanted();
	fetch_expire(downlink.sessions, now);
	if (now >= downlink.not_before)
	{
		downlink.not_before = 0;
		if (settle() && !dlist_is_empty(&downlink.sessions->wanting))
		{
			serve_wanting();
			(void) settle();
		}
		MemoryContextReset(downlink.turn);
	}
	fetch_ask(downlink.sessions, GetCurrentTimestamp());
}

void
downlink_finish(void)
{
	(void) settle();
}

TimestampTz
downlink_deadline(void)
{
	TimestampTz deadline = fetch_deadline(downlink.sessions);
	bool		waits = downlink.settled_count > 0 || !dlist_is_empty(&downlink.sessions->wanting);

	if (waits)
		deadline = Min(deadline, downlink.not_before);
	return deadline;
}
