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

#include "pg/complaint.h"
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
/* The longest transaction; half of it for a lock. */
#define LIMIT_MS		5000
/* With so many that cannot be written down no more are sent. */
#define SETTLED_MAX		10000
/* Lines that may answer one command. */
#define ANSWERS_MAX		100

typedef struct Downlink
{
	Sessions   *sessions;
	MemoryContext context;		/* what is to be written down */
	MemoryContext turn;			/* of one call */
	Settled    *settled;		/* what became of commands and photos, not written down yet */
	int			settled_count;
	int			settled_room;
	TimestampTz not_before;		/* no look into the tables before; 0 = at once */
	TimestampTz settle_at;		/* when to try again what could not be written down */
	Complaint	complaint;
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
	return session->conn && !session->closing &&
		(source->slot == NULL || pg_atomic_read_u32(&source->slot->displaced) == 0);
}

/* ------------------------------------------------------------------------
 * What the tables say
 * ------------------------------------------------------------------------ */

/* Makes room for so many more of what is to be written down; may raise. */
static void
reserve_settled(int more)
{
	int			room = downlink.settled_count + more;

	if (room <= downlink.settled_room)
		return;
	room = Max(room, 2 * downlink.settled_room);
	if (downlink.settled)
		downlink.settled = repalloc_huge(downlink.settled, room * sizeof(Settled));
	else
		downlink.settled = MemoryContextAllocHuge(downlink.context, room * sizeof(Settled));
	downlink.settled_room = room;
}

/* Notes what is to be written down of a command or photo; there is room for it. */
static void
add_settled(int64 id, int64 conn, Settlement what)
{
	downlink.settled[downlink.settled_count++] =
		(Settled) {.id = id,.conn = conn,.what = what};
}

void
downlink_photo_failed(int64 photo)
{
	/* Else it is asked for again when its tracker comes back. */
	if (downlink.settled_count < downlink.settled_room)
		add_settled(photo, 0, SETTLED_PHOTO_FAILED);
}

/* Tells of a transaction that failed, of those that are alike once a minute. */
static void
complain(const ErrorData *error, const char *what)
{
	TimestampTz now = GetCurrentTimestamp();

	shared_set_error(error->sqlerrcode, error->message);
	downlink.not_before = TimestampTzPlusMilliseconds(now, RETRY_MS);
	if (complaint_is_due(&downlink.complaint, now))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("pt621: %s: %s", what, error->message),
				 error->context ? errcontext("%s", error->context) : 0));
}

/* How long a transaction may take: nothing is read meanwhile. */
static int
limit_ms(void)
{
	return setting_statement_timeout > 0 ? Min(setting_statement_timeout, LIMIT_MS) : LIMIT_MS;
}

/*
 * Writes down what became of what was sent.
 *
 * A trigger that fails for one command must not keep the others from it: then each is
 * written down by itself.  The one at fault stays `sending`, which in the end is in
 * doubt.
 */
static void
settle(void)
{
	int			left = 0;
	SettleOrder all = {downlink.settled, downlink.settled_count};
	ErrorData  *error;

	if (all.count == 0)
		return;
	error = worker_transaction(downlink_settle, &all, limit_ms(), "writing down what was sent");
	if (error)
		complain(error, "what was sent could not be written down");
	for (int i = 0; error && i < all.count; i++)
	{
		SettleOrder one = {&all.settled[i], 1};

		one.settled->done = false;	/* whatever the transaction thought */
		if (worker_error_is_transient(error))
			continue;
		if (worker_transaction(downlink_settle, &one, limit_ms(), "writing down what was sent"))
			one.settled->done = true;
	}
	for (int i = 0; i < all.count; i++)
	{
		if (!all.settled[i].done)
			downlink.settled[left++] = all.settled[i];
	}
	downlink.settled_count = left;
	/* Somebody holds their rows; commands to others do not wait for that. */
	downlink.settle_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS);
}

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
			add_settled(command->id, session->source.conn, SETTLED_SENT);
			if (order->more)
				session_want(downlink.sessions, session);
		}
		else
		{
			/* Those behind it must not overtake it. */
			session->is_choked = session->wants_next = true;
			add_settled(command->id, session->source.conn, SETTLED_NOT_SENT);
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

/* The body of a look into the tables. */
static void
find(void *arg)
{
	DownlinkOrder *order = arg;

	downlink_find(order);
	/* While an error takes back what was found: once it is sent none may come. */
	reserve_settled(order->command_count + order->photo_count + 1);
}

/* Looks what there is to send to some sessions, and sends it; the error, if any. */
static ErrorData *
serve(DownlinkOrder *order, Session **sessions)
{
	ErrorData  *error;

	order->commands = NULL;
	order->photos = NULL;
	order->command_count = order->photo_count = 0;
	error = worker_transaction(find, order, limit_ms(), "looking for commands");
	if (error)
		return error;
	/* Where nothing can be stored for now, they are looked at when it can. */
	for (int i = 0; i < order->count && order->closed; i++)
		sessions[i]->wants_next = true;
	send_commands(order, sessions);
	begin_photos(order, sessions);
	return NULL;
}

/* Asks the tables what there is to send, and sends it. */
static void
serve_wanting(void)
{
	DownlinkOrder order = {.context = downlink.turn};
	Session   **sessions = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(Session *));
	ErrorData  *error;
	int			count;

	order.conns = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(int64));
	order.idents = MemoryContextAlloc(downlink.turn, WANTING_MAX * sizeof(SourceIdent));
	order.count = count = collect_wanting(&order, sessions);
	if (count == 0)
		return;
	error = serve(&order, sessions);
	if (error == NULL)
		return;
	complain(error, "commands could not be looked for");
	for (int i = 0; i < count; i++)
	{
		DownlinkOrder one = {.context = downlink.turn,.conns = &order.conns[i],
		.idents = &order.idents[i],.count = 1};

		/* Alone the others can have theirs; the one at fault waits for its tracker. */
		if (worker_error_is_transient(error))
			session_want(downlink.sessions, sessions[i]);
		else if (serve(&one, &sessions[i]))
			sessions[i]->wants_next = true;
	}
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
	downlink.context = AllocSetContextCreate(CurrentMemoryContext, "pt621 downlink",
											 ALLOCSET_DEFAULT_SIZES);
	reserve_settled(WANTING_MAX);
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
	downlink.settle_at = Min(downlink.settle_at, TimestampTzPlusMilliseconds(now, RETRY_MS));
	collect_wanted();
	fetch_expire(downlink.sessions, now);
	if (now >= downlink.settle_at)
		settle();
	/* What trackers have said must be known before anything is sent to them. */
	if (!storing)
		downlink.not_before = TimestampTzPlusMilliseconds(now, RETRY_MS);
	if (now >= downlink.not_before && downlink.settled_count < SETTLED_MAX &&
		!dlist_is_empty(&downlink.sessions->wanting))
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
	settle();
}

TimestampTz
downlink_deadline(void)
{
	TimestampTz deadline = fetch_deadline(downlink.sessions);

	if (downlink.settled_count > 0)
		deadline = Min(deadline, downlink.settle_at);
	if (downlink.settled_count < SETTLED_MAX && !dlist_is_empty(&downlink.sessions->wanting))
		deadline = Min(deadline, downlink.not_before);
	return deadline;
}
