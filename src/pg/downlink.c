/*
 * downlink.c
 *		What the listener sends to trackers, and when.
 *
 * There may be something to send to a tracker when it has named itself, when
 * somebody has committed a command for it, and when it says something after it had
 * to wait.  Then its session is `wanting`, and the tables are asked for all of
 * those at once.
 *
 * Invariant.  A trigger that fails for one command keeps only those waiting that were
 * dealt with together with it: they are suspects then, each dealt with alone.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/downlink.h"
#include "pg/downlink_sql.h"
#include "pg/pace.h"
#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/settle.h"
#include "pg/worker.h"

/* Sessions whose commands are asked for in one transaction. */
#define WANTING_MAX		1000
/* The longest that suspects are dealt with in one turn. */
#define TURN_MS			500
/* Lines that may answer one command. */
#define ANSWERS_MAX		100

typedef struct Downlink
{
	Sessions   *sessions;
	MemoryContext turn;			/* of one call */
	TimestampTz not_before;		/* no look into the tables before; 0 = at once */
	Pace		together;		/* looks into the tables ... */
	Pace		alone;			/* ... for suspects */
	bool		fetched_photos; /* pt621.fetch_photos, as it was */
} Downlink;

static Downlink downlink;

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
	dlist_push_tail(session->is_suspect ? &sessions->suspects : &sessions->wanting,
					&session->wanting);
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

	if (!session->source.is_path)
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
	if (source->is_path)
		return session->socket &&
			now < TimestampTzPlusMilliseconds(session->received_at,
											  (int64) setting_udp_reply_within * 1000);
	return session->conn && !session->closing &&
		(source->slot == NULL || pg_atomic_read_u32(&source->slot->displaced) == 0);
}

/* ------------------------------------------------------------------------
 * What the tables say
 * ------------------------------------------------------------------------ */

/* Sends a command that was found; false when it did not go out. */
static bool
send_command(Session *session, const FoundCommand *command)
{
	Asked	   *asked = &session->source.asked;

	if (!session_send(downlink.sessions, session, (const uint8 *) command->bytes, command->size))
		return false;
	asked->answers_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   (int64) setting_answer_timeout * 1000);
	asked->answers_left = ANSWERS_MAX;
	return true;
}

/* Sends the commands that were found, in their order. */
static void
send_commands(const DownlinkOrder *order, Session **sessions)
{
	for (int i = 0; i < order->command_count; i++)
	{
		const FoundCommand *command = &order->commands[i];
		Session    *session = sessions[command->who];

		if (command->held)
			session->wants_next = true;
		else if (!session->is_choked && send_command(session, command))
		{
			settle_command(command->id, session->source.conn, SETTLED_SENT);
			if (order->more)
				session_want(downlink.sessions, session);
		}
		else
		{
			/* Those behind it must not overtake it. */
			session->is_choked = session->wants_next = true;
			settle_command(command->id, session->source.conn, SETTLED_NOT_SENT);
		}
	}
	for (int i = 0; i < order->count; i++)
		sessions[i]->is_choked = false;
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

/* Puts those of a list that want something into an order, `most` at most. */
static void
collect_wanting(DownlinkOrder *order, Session **sessions, dlist_head *list, int most)
{
	TimestampTz now = GetCurrentTimestamp();

	order->count = 0;
	while (!dlist_is_empty(list) && order->count < most)
	{
		Session    *session = dlist_head_element(Session, wanting, list);

		stop_wanting(session);
		if (!session_is_reachable(session, now))
		{
			session->wants_next = true;
			continue;
		}
		session->wants_next = false;
		order->conns[order->count] = session->source.conn;
		order->idents[order->count] = session->source.ident;
		sessions[order->count++] = session;
	}
}

/* The body of a look into the tables. */
static void
find(void *arg)
{
	DownlinkOrder *order = arg;

	downlink_find(order);
	/* While an error takes back what was found: once it is sent none may come. */
	settle_reserve(order->command_count + order->photo_count + 1);
}

/* Looks what there is to send to some sessions, and sends it; the error, if any. */
static ErrorData *
serve(Pace *pace, DownlinkOrder *order, Session **sessions)
{
	ErrorData  *error;

	if (order->count == 0)
		return NULL;
	order->commands = NULL;
	order->photos = NULL;
	order->command_count = order->photo_count = 0;
	error = pace_try(pace, find, order, "looking for commands");
	if (error)
		return error;
	/* Where nothing can be stored for now, they are looked at when it can. */
	for (int i = 0; i < order->count && order->closed; i++)
		sessions[i]->wants_next = true;
	send_commands(order, sessions);
	begin_photos(order, sessions);
	return NULL;
}

/* Sends what there is to those that want something. */
static void
serve_together(DownlinkOrder *order, Session **sessions)
{
	ErrorData  *error;

	collect_wanting(order, sessions, &downlink.sessions->wanting, WANTING_MAX);
	error = serve(&downlink.together, order, sessions);
	for (int i = 0; error && i < order->count; i++)
	{
		sessions[i]->is_suspect = sessions[i]->is_suspect || !worker_error_is_transient(error);
		session_want(downlink.sessions, sessions[i]);
	}
}

/* Sends what there is to each of the suspects.  The one at fault waits for its
 * tracker. */
static void
serve_suspects(DownlinkOrder *order, Session **sessions)
{
	Pace	   *pace = &downlink.alone;
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TURN_MS);

	while (!dlist_is_empty(&downlink.sessions->suspects) && pace_is_ready(pace) &&
		   GetCurrentTimestamp() < until)
	{
		ErrorData  *error;

		collect_wanting(order, sessions, &downlink.sessions->suspects, 1);
		error = serve(pace, order, sessions);
		if (order->count == 0)
			continue;
		if (error == NULL)
			sessions[0]->is_suspect = false;
		else if (worker_error_is_transient(error))
			session_want(downlink.sessions, sessions[0]);
		else
			sessions[0]->wants_next = true;
	}
}

/* Asks the tables what there is to send, and sends it. */
static void
serve_wanting(void)
{
	DownlinkOrder order = {.context = downlink.turn};
	Session   **sessions = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(Session *));

	order.conns = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(int64));
	order.idents = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(SourceIdent));
	if (pace_is_ready(&downlink.together))
		serve_together(&order, sessions);
	serve_suspects(&order, sessions);
}

/* When serve_wanting() has something to do. */
static TimestampTz
serve_next(void)
{
	TimestampTz next = DT_NOEND;

	if (settle_is_full())
		return DT_NOEND;
	if (!dlist_is_empty(&downlink.sessions->wanting))
		next = pace_next(&downlink.together);
	if (!dlist_is_empty(&downlink.sessions->suspects))
		next = Min(next, pace_next(&downlink.alone));
	return Max(next, downlink.not_before);
}

void
session_account_downlink(Sessions *sessions, Session *session, const BatchUnit *unit)
{
	session->fetch.heard = true;
	if (session->wants_next || unit->binds || unit->photo_fate == PHOTO_ANNOUNCED)
		session_want(sessions, session);
	if (unit->photo != 0)
		fetch_account(sessions, session, unit);
}

/* ------------------------------------------------------------------------
 * The turn
 * ------------------------------------------------------------------------ */

void
downlink_init(Sessions *sessions)
{
	downlink.sessions = sessions;
	settle_init();
	downlink.turn = AllocSetContextCreate(CurrentMemoryContext, "pt621 downlink turn",
										  ALLOCSET_DEFAULT_SIZES);
}

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
downlink_turn(bool storing)
{
	TimestampTz now = GetCurrentTimestamp();

	/* Nor later than this if the clock was set back. */
	downlink.not_before = Min(downlink.not_before, TimestampTzPlusMilliseconds(now, RETRY_MS));
	collect_wanted();
	fetch_expire(downlink.sessions, now);
	if (now >= settle_next())
		settle();
	/* What trackers have said must be known before anything is sent to them. */
	if (!storing)
		downlink.not_before = TimestampTzPlusMilliseconds(now, RETRY_MS);
	if (now >= serve_next())
	{
		downlink.not_before = 0;
		serve_wanting();
		settle();
	}
	MemoryContextReset(downlink.turn);
	fetch_ask(downlink.sessions, GetCurrentTimestamp());
}

void
downlink_finish(void)
{
	settle_finish();
}

TimestampTz
downlink_deadline(void)
{
	TimestampTz deadline = Min(settle_next(), serve_next());

	return Min(deadline, fetch_deadline(downlink.sessions));
}
