/*
 * session_tick.c
 *		What time and others do to sessions: silence, idleness, waiting, giving up.
 */
#include "postgres.h"

#include "pg/session_private.h"
#include "pg/settings.h"

/* Lets connections go on that had to wait. */
static void
unpause(Sessions *sessions, TimestampTz now)
{
	dlist_mutable_iter iter;

	sessions->next_unpause = DT_NOEND;
	dlist_foreach_modify(iter, &sessions->paused)
	{
		Session    *session = dlist_container(Session, paused, iter.cur);

		if (now < session->paused_until)
		{
			sessions->next_unpause = Min(sessions->next_unpause, session->paused_until);
			continue;
		}
		dlist_delete(&session->paused);
		session->paused_until = 0;
		session_touch(sessions, session, now);
		session_set_quiet(sessions, session,
						  session->pending_size > 0 && !session->is_backlogged);
		if (!session->closing)
			sessions->port->pause(session->conn, false);
	}
}

/* Tells whether it can be known by now who has been idle. */
static bool
waits_for_silence(const Sessions *sessions)
{
	return setting_idle_timeout > 0 && !sessions->full;
}

/* Ends what has been silent for too long. */
static void
end_idle(Sessions *sessions, SessionRank rank, TimestampTz now)
{
	while (!dlist_is_empty(&sessions->active[rank]))
	{
		Session    *session = dlist_head_element(Session, active, &sessions->active[rank]);

		if (now < TimestampTzPlusMilliseconds(session->last_activity,
											  (int64) setting_idle_timeout * 1000))
			break;
		if (session->source.is_path)
		{
			path_forget(sessions, session);
			continue;
		}
		if (session->paused_until == 0)
			session_finish(sessions, session, CLOSE_IDLE);
		/* Its end is told later; until then it is not the oldest. */
		session_touch(sessions, session, now);
	}
}

/* Takes in that the clock was set back: nothing may wait until it has caught up. */
static void
follow_clock(Sessions *sessions, TimestampTz now)
{
	dlist_iter	iter;

	for (int rank = 0; rank < SESSION_RANKS; rank++)
	{
		dlist_foreach(iter, &sessions->active[rank])
		{
			Session    *session = dlist_container(Session, active, iter.cur);

			session->last_activity = Min(session->last_activity, now);
			session->paused_until = Min(session->paused_until, now);
		}
	}
	if (!dlist_is_empty(&sessions->paused))
		sessions->next_unpause = now;
}

void
sessions_tick(Sessions *sessions, TimestampTz now, bool caught_up)
{
	if (now < sessions->last_tick)
		follow_clock(sessions, now);
	sessions->last_tick = now;
	while (caught_up && !dlist_is_empty(&sessions->quiet) && !sessions->full)
	{
		Session    *session = dlist_head_element(Session, quiet, &sessions->quiet);

		if (now < TimestampTzPlusMilliseconds(session->last_activity, setting_unit_timeout))
			break;
		/* A word that may begin another protocol waits for what follows it. */
		if (session->undecided)
			session_set_quiet(sessions, session, false);
		else
			session_split_stream(sessions, session, session->pending, session->pending_size,
								 PT621_INPUT_SILENCE);
	}
	if (now >= sessions->next_unpause)
		unpause(sessions, now);
	/* Nobody is silent whose bytes wait because they cannot be stored. */
	for (int rank = 0; rank < SESSION_RANKS && waits_for_silence(sessions) && caught_up; rank++)
		end_idle(sessions, (SessionRank) rank, now);
}

TimestampTz
sessions_deadline(Sessions *sessions)
{
	TimestampTz deadline = sessions->next_unpause;

	if (!dlist_is_empty(&sessions->quiet) && !sessions->full)
	{
		Session    *session = dlist_head_element(Session, quiet, &sessions->quiet);

		deadline = Min(deadline, TimestampTzPlusMilliseconds(session->last_activity,
															 setting_unit_timeout));
	}
	for (int rank = 0; rank < SESSION_RANKS && waits_for_silence(sessions); rank++)
	{
		Session    *session;

		if (dlist_is_empty(&sessions->active[rank]))
			continue;
		session = dlist_head_element(Session, active, &sessions->active[rank]);
		deadline = Min(deadline, TimestampTzPlusMilliseconds(session->last_activity,
															 (int64) setting_idle_timeout * 1000));
	}
	return deadline;
}

void
sessions_finish_displaced(Sessions *sessions)
{
	uint32		displaced = connections_displaced();

	if (displaced == sessions->displaced_seen)
		return;
	sessions->displaced_seen = displaced;
	for (int rank = RANK_UNBOUND; rank <= RANK_BOUND; rank++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &sessions->active[rank])
		{
			Session    *session = dlist_container(Session, active, iter.cur);

			if (session->source.slot &&
				pg_atomic_read_u32(&session->source.slot->displaced))
				session_finish(sessions, session, CLOSE_CONFLICT);
		}
	}
}

void
sessions_close_unbound(Sessions *sessions)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sessions->active[RANK_UNBOUND])
	{
		Session    *session = dlist_container(Session, active, iter.cur);

		/* Nothing is read while the batch is full, so none would come to its end. */
		if (sessions->full)
			session_close(sessions, session, CLOSE_MEMORY);
		else
			session_finish(sessions, session, CLOSE_MEMORY);
	}
}
