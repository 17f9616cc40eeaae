/*
 * fetch.c
 *		Photos, asked for piece by piece.
 *
 * Invariants.  A session that fetches is in one of two lists: `to_ask`, or `asked`
 * until its piece has come or its time is over.  Pieces are asked for at a bounded
 * rate, since each is a unit to be stored.
 */
#include "postgres.h"

#include "pg/session_private.h"
#include "pg/settings.h"

/* A second's worth of requests may go out at once, but no more than so many. */
#define ASK_BURST		100

static double tokens;			/* requests that may go out now ... */
static TimestampTz tokens_at;	/* ... then */

/* Goes on with a photo, or with none when photo is 0. */
void
fetch_set(Sessions *sessions, Session *session, int64 photo, uint32 size, uint32 at)
{
	if (session->fetch.photo != 0)
		dlist_delete(&session->fetching);
	session->fetch = (Fetch) {.photo = photo,.size = size,.at = at};
	session->source.asked.photo = photo;
	session->source.asked.count = 0;
	session->source.asked.odd = -1;
	session->source.asked.odd_is_old = false;
	if (photo != 0)
		dlist_push_tail(&sessions->to_ask, &session->fetching);
}

/* Asks for the piece that is wanted once more, when its turn has come. */
static void
ask_again(Sessions *sessions, Session *session)
{
	dlist_delete(&session->fetching);
	session->fetch.asked_at = 0;
	session->source.asked.odd_is_old = session->source.asked.odd >= 0;
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
	fetch->asked_at = now;
	dlist_push_tail(&sessions->asked, &session->fetching);
	/* What does not go out is asked for again like what does not come. */
	(void) session_send(sessions, session, bytes, size);
}

void
fetch_ask(Sessions *sessions, TimestampTz now)
{
	dlist_head *to_ask = &sessions->to_ask;

	refill_tokens(now);
	while (!dlist_is_empty(to_ask) && tokens >= 1)
	{
		Session    *session = dlist_head_element(Session, fetching, to_ask);

		tokens -= 1;
		if (setting_fetch_photos && session_is_reachable(session, now))
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
 * A tracker that has said nothing at all since has lost its network, which is no
 * fault of the photo: it goes on with what it says next.
 */
void
fetch_expire(Sessions *sessions, TimestampTz now)
{
	while (piece_due(sessions, now) <= now)
	{
		Session    *session = dlist_head_element(Session, fetching, &sessions->asked);
		Fetch	   *fetch = &session->fetch;

		if (fetch->tries < setting_photo_tries)
		{
			ask_again(sessions, session);
			continue;
		}
		if (session->received_at > fetch->asked_at)
		{
			downlink_photo_failed(fetch->photo);
			session_want(sessions, session);
		}
		else
			session->wants_next = true;
		fetch_set(sessions, session, 0, 0, 0);
	}
}

/* Takes in what a piece that came was good for. */
void
fetch_account(Sessions *sessions, Session *session, const BatchUnit *unit)
{
	Fetch	   *fetch = &session->fetch;

	if (fetch->photo == 0 || unit->photo != fetch->photo)
		return;
	switch ((PhotoFate) unit->photo_fate)
	{
		case PHOTO_TAKEN:
			fetch->at = (uint32) unit->photo_number;
			fetch->tries = 0;
			session->source.asked.odd = -1;
			ask_again(sessions, session);
			break;
		case PHOTO_DONE:
			fetch_set(sessions, session, 0, 0, 0);
			session_want(sessions, session);
			break;
		case PHOTO_EMPTY:
			if (fetch->tries < setting_photo_tries)
				ask_again(sessions, session);
			else
			{
				/* Its time is over. */
				fetch->asked_at = 0;
				dlist_move_head(&sessions->asked, &session->fetching);
			}
			break;
		case PHOTO_ODD:
			if (session->source.asked.odd < 0)
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

	if (!dlist_is_empty(&sessions->to_ask))
		deadline = Min(deadline, tokens_at +
					   (TimestampTz) ((1 - tokens) / setting_photo_rate * USECS_PER_SEC) + 1);
	return deadline;
}
