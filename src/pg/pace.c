/*
 * pace.c
 *		Transactions that may fail again and again, and the pauses between them.
 */
#include "postgres.h"

#include "pg/pace.h"
#include "pg/settings.h"
#include "pg/shared.h"
#include "pg/worker.h"

/* The longest transaction; half of it for a lock. */
#define LIMIT_MS		1000
/* A pause is so many times as long as the transaction that failed. */
#define PAUSE_FACTOR	9

/* Tells of a transaction that failed, of those that are alike once a minute. */
static void
complain(Pace *pace, const ErrorData *error, const char *activity)
{
	shared_set_error(error->sqlerrcode, error->message);
	if (complaint_is_due(&pace->complaint, GetCurrentTimestamp()))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("pt621: %s failed: %s", activity, error->message),
				 error->context ? errcontext("%s", error->context) : 0));
}

/*
 * Runs a transaction.
 *
 * activity: what it does, for pg_stat_activity and the log.  Returns the error, in
 * the current memory context; NULL = it is committed.
 */
ErrorData *
pace_try(Pace *pace, void (*body) (void *arg), void *arg, const char *activity)
{
	TimestampTz began = GetCurrentTimestamp();
	int			limit = setting_statement_timeout > 0 ?
		Min(setting_statement_timeout, LIMIT_MS) : LIMIT_MS;
	ErrorData  *error = worker_transaction(body, arg, limit, activity);
	TimestampTz now = GetCurrentTimestamp();

	if (error)
	{
		complain(pace, error, activity);
		pace->pause_until = now + Max(now - began, 0) * PAUSE_FACTOR;
		if (worker_error_is_transient(error))
			pace->pause_until = Max(pace->pause_until, TimestampTzPlusMilliseconds(now, RETRY_MS));
	}
	return error;
}

/* Gives the moment from which on there is no pause. */
TimestampTz
pace_next(Pace *pace)
{
	TimestampTz latest = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 2 * LIMIT_MS * PAUSE_FACTOR);

	/* Nor later than this if the clock was set back. */
	pace->pause_until = Min(pace->pause_until, latest);
	return pace->pause_until;
}
