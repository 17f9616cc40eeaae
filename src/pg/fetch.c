/*
 * fetch.c
 *		Photos, asked for piece by piece.
 *
 * Invariants.  A session that fetches is in one of three lists: `to_begin`, then
 * `to_ask` and `asked` in turns.  Pieces are asked for at a bounded rate, since each
 * is a unit to be stored, and a photo takes a bounded number of requests by one
 * connection since it was begun there.
 */
#include "postgres.h"

#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/settle.h"

/* A second's worth of requests may go out at once, but no more than so many. */
#define ASK_BURST		100
/*
 * One request of so many is for a photo that has not begun, while others have.  Were
 * all begun at once, all would come to their end at the same time: late for most, and
 * much to put together at once.  Were none, slow ones would keep others out.
 */
#define BEGIN_EVERY		20
/* Least bytes of a piece, on average, and requests that may bring none. */
#define PIECE_MIN		64
#define REQUESTS_SPARE	100

static double tokens;			/* requests that may go out now ... */
static TimestampTz tokens_at;	/* ... then */
static uint32 turns;			/* requests so far */

/* Goes on with a photo, or with none when photo is 0. */
void
fetch_set(Sessions *sessions, Session *session, int64 photo, uint32 size, uint32 at)
{
	Asked	   *asked = &session->source.asked;

	if (session->fetch.photo != 0)
		dlist_delete(&session->fetching);
	session->fetch = (Fetch) {.photo = photo,.size = size,.at = at};
	asked->photo = photo;
	asked->count = 0;
	asked->odd = -1;
	asked->odd_is_old = false;
	if (photo != 0)
		dlist_push_tail(at > 0 ? &sessions->to_ask : &sessions->to_begin, &session->fetching);
}

/* Gives a photo up; the next one of the tracker has its turn. */
static void
give_up(Sessions *sessions, Session *session)
{
	settle_photo_failed(session->fetch.photo);
	fetch_set(sessions, session, 0, 0, 0);
	session_want(sessions, session);
}

/* Asks for the piece that is wanted now, when its turn has come. */
static void
ask_next(Sessions *sessions, Session *session)
{
	session->source.asked.odd_is_old = session->source.asked.odd >= 0;
	session->source.asked.count = 0;
	dlist_delete(&session->fetching);
	dlist_push_tail(&sessions->to_ask, &session->fetching);
}

/* Lets so many requests go out as the time since then allows. */
static void
refill_tokens(TimestampTz now)
{
	double		most = Min(setting_photo_rate, ASK_BURST);

	if (tokens_at == 0 || now < tokens_at)
		tokens = most;
	else
		tokens += (double) (now - tokens_at) / USECS_PER_SEC * setting_photo_rate;
	tokens = Min(tokens, most);
	tokens_at = now;
}

/* Asks for the piece that a session wants. */
static void
ask_for_piece(Sessions *sessions, Session *session, TimestampTz now)
{
	Fetch	   *fetch = &session->fetch;
	Asked	   *asked = &session->source.asked;
	uint8		bytes[PT621_PHOTO_REQUEST_BYTES];
	Size		size;

	asked->at = fetch->at;
	asked->piece = (uint32) setting_photo_piece;
	asked->count = Min(fetch->size - fetch->at, asked->piece);
	size = pt621_photo_request(asked->at, asked->count, bytes);
	dlist_delete(&session->fetching);
	fetch->tries++;
	fetch->requests++;
	fetch->heard = false;
	fetch->asked_at = now;
	dlist_push_tail(&sessions->asked, &session->fetching);
	/* What does not go out is asked for again like what does not come. */
	(void) session_send(sessions, session, bytes, size);
}

/* Gives the session whose turn it is; NULL when none wants anything. */
static Session *
next_to_ask(Sessions *sessions)
{
	dlist_head *list = &sessions->to_ask;

	if (dlist_is_empty(list) || (turns % BEGIN_EVERY == 0 && !dlist_is_empty(&sessions->to_begin)))
		list = &sessions->to_begin;
	return dlist_is_empty(list) ? NULL : dlist_head_element(Session, fetching, list);
}

void
fetch_ask(Sessions *sessions, TimestampTz now)
{
	Session    *session;

	refill_tokens(now);
	while (tokens >= 1 && (session = next_to_ask(sessions)) != NULL)
	{
		tokens -= 1;
		turns++;
		if (session->fetch.requests > session->fetch.size / PIECE_MIN + REQUESTS_SPARE)
			give_up(sessions, session);
		else if (setting_fetch_photos && session_is_reachable(session, now))
			ask_for_piece(sessions, session, now);
		else
		{
			fetch_set(sessions, session, 0, 0, 0);
			session->wants_next = true;
		}
	}
}

/* When the piece asked for longest ago is given up. */
static TimestampTz
piece_due(Sessions *sessions, TimestampTz now)
{
	Session    *session;

	if (dlist_is_empty(&sessions->asked))
		return DT_NOEND;
	session = dlist_head_element(Session, fetching, &sessions->asked);
	/* Nor later than this if the clock was set back. */
	return TimestampTzPlusMilliseconds(Min(session->fetch.asked_at, now),
									   (int64) setting_photo_timeout * 1000);
}

/*
 * Sees to pieces that did not come.
 *
 * A tracker that has said nothing at all since has lost its network, or what it said
 * cannot be stored; either is no fault of the photo: it goes on with what comes next.
 */
void
fetch_expire(Sessions *sessions, TimestampTz now)
{
	while (piece_due(sessions, now) <= now)
	{
		Session    *session = dlist_head_element(Session, fetching, &sessions->asked);

		if (session->fetch.tries < setting_photo_tries)
			ask_next(sessions, session);
		else if (session->fetch.heard)
			give_up(sessions, session);
		else
		{
			fetch_set(sessions, session, 0, 0, 0);
			session->wants_next = true;
		}
	}
}

/* Takes in what a piece that came was good for. */
void
fetch_account(Sessions *sessions, Session *session, const BatchUnit *unit)
{
	Fetch	   *fetch = &session->fetch;

	if (unit->piece != 0)
		session->source.asked.last_piece = unit->piece;
	if (fetch->photo == 0 || unit->photo != fetch->photo)
		return;
	switch ((PhotoFate) unit->photo_fate)
	{
		case PHOTO_TAKEN:
		case PHOTO_THERE:
			if (fetch->at == (uint32) unit->photo_number)
				break;
			fetch->at = (uint32) unit->photo_number;
			fetch->tries = 0;
			session->source.asked.odd = -1;
			ask_next(sessions, session);
			break;
		case PHOTO_DONE:
			fetch_set(sessions, session, 0, 0, 0);
			session_want(sessions, session);
			break;
		case PHOTO_EMPTY:
			if (fetch->tries < setting_photo_tries)
				ask_next(sessions, session);
			else
				give_up(sessions, session);
			break;
		case PHOTO_ODD:
			if (session->source.asked.odd != unit->photo_number)
				session->source.asked.odd_is_old = false;
			session->source.asked.odd = unit->photo_number;
			break;
		default:
			break;
	}
}

TimestampTz
fetch_deadline(Sessions *sessions)
{
	TimestampTz deadline = piece_due(sessions, GetCurrentTimestamp());

	if (next_to_ask(sessions) != NULL)
		deadline = Min(deadline, tokens_at +
					   (TimestampTz) ((1 - tokens) / setting_photo_rate * USECS_PER_SEC) + 1);
	return deadline;
}
