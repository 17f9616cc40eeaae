/*
 * account.c
 *		What storing made of units, and what follows for their connections.
 *
 * Invariant.  Called between transactions, never from a callback of the network:
 * it may write to the log.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/complaint.h"
#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/shared.h"

/* Bytes of a unit that the log shows. */
#define HEAD_MAX			24
/* So many seconds' worth of records may come at once. */
#define RATE_BURST_S		10
/* Longest wait of a connection before it is read again, if only once. */
#define PAUSE_MAX_MS		10000
/* From so many trackers on, those that are quiet are forgotten now and then. */
#define RATES_KEPT			4096

/* Datagrams count by themselves: whoever forges some must not hold up the
 * connection of the tracker. */
typedef struct RateKey
{
	SourceIdent ident;
	uint32		is_path;
} RateKey;

/* How much a tracker has reported lately. */
typedef struct Rate
{
	RateKey		key;
	double		level;			/* records beyond the allowed rate, at `at` */
	TimestampTz at;
} Rate;

/* Describes where something came from, in the current memory context. */
static char *
describe_source(const Source *source)
{
	char		address[64] = "?";
	const inet *peer = &source->peer.inet;

	if (source->has_peer)
		pg_inet_net_ntop(ip_family(peer), ip_addr(peer), ip_maxbits(peer), address,
						 sizeof(address));
	return psprintf("%s, port %d, by %s", address, source->peer_port, source->transport);
}

/* Tells the log of a rejected unit; of those that are alike once a minute. */
static void
complain_of_unit(BatchUnit *unit, TimestampTz now)
{
	static Complaint complaints[REJECTIONS];
	Complaint  *complaint = &complaints[unit->rejection];
	char		head[2 * HEAD_MAX + 1];
	Size		size = Min(unit->unit.size, HEAD_MAX);
	bool		is_policy = unit->rejection > PT621_DELTA_INSANE &&
		unit->rejection != REJECT_FOREIGN;

	if (unit->rejection == REJECT_REFUSED || !complaint_is_due(complaint, now))
		return;					/* a refusal was told with its error */
	head[hex_encode((const char *) unit->bytes, size, head)] = '\0';
	ereport(LOG,
			(errcode(is_policy ? ERRCODE_INSUFFICIENT_PRIVILEGE : ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("pt621: a unit was rejected: %s",
					unit->foreign ? pt621_foreign_name((Pt621Foreign) unit->foreign) :
					rejection_name((Rejection) unit->rejection)),
			 errdetail("From %s; %u bytes that begin with \\x%s; " UINT64_FORMAT " more were not logged before.",
					   describe_source(unit->source), unit->unit.size, head,
					   complaint->unsaid),
			 unit->left_out ?
			 errhint("More than %s came in this minute: the bytes are not archived.",
					 unit->rejection == REJECT_QUARANTINED ? "pt621.archive_quarantined" :
					 "pt621.archive_strangers") :
			 errhint("pt621.frame has the bytes and the reason in full, as far as pt621.archive says so.")));
	complaint->unsaid = 0;
}

/* Tells whether a unit shows that its sender is a tracker. */
static bool
is_record(const BatchUnit *unit)
{
	if (unit->class == CLASS_TEXT || unit->class == CLASS_GARBAGE)
		return false;
	return unit->rejection == REJECT_NONE || unit->rejection > REJECT_NO_TRACKER;
}

/* What is left of a level by now. */
static double
level_at(const Rate *rate, TimestampTz now)
{
	return rate->level - (double) Max(now - rate->at, 0) / USECS_PER_SEC * setting_max_record_rate;
}

/* Forgets the trackers that may report at once as many as any. */
static void
sweep_rates(Sessions *sessions, TimestampTz now)
{
	HASH_SEQ_STATUS status;
	Rate	   *rate;

	hash_seq_init(&status, sessions->rates);
	while ((rate = hash_seq_search(&status)) != NULL)
	{
		if (level_at(rate, now) <= 0)
			hash_search(sessions->rates, &rate->key, HASH_REMOVE, NULL);
	}
}

static HTAB *
make_rates(Sessions *sessions)
{
	HASHCTL		control = {.keysize = sizeof(RateKey),.entrysize = sizeof(Rate),
	.hcxt = sessions->context};

	return hash_create("pt621 record rates", 1024, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Counts a record of a tracker.  Returns for how many ms its connection should
 * wait; 0 = not at all.
 */
static int64
count_record(Sessions *sessions, const BatchUnit *unit, TimestampTz now)
{
	RateKey		key = {unit->ident, unit->source->is_path};
	double		allowed = setting_max_record_rate;
	double		excess;
	Rate	   *rate;
	bool		found;

	if (sessions->rates == NULL)
		sessions->rates = make_rates(sessions);
	rate = hash_search(sessions->rates, &key, HASH_ENTER, &found);
	rate->level = found ? Max(level_at(rate, now), 0) + 1 : 1;
	rate->at = now;
	excess = rate->level - RATE_BURST_S * allowed;
	if (excess <= 0)
		return 0;
	return (int64) Min(excess * 1000 / allowed + 1, PAUSE_MAX_MS);
}

bool
sessions_over_rate(Sessions *sessions, const SourceIdent *ident)
{
	RateKey		key = {*ident, true};
	double		allowed = setting_max_record_rate;
	Rate	   *rate;

	if (sessions->rates == NULL || allowed == 0)
		return false;
	rate = hash_search(sessions->rates, &key, HASH_FIND, NULL);
	return rate && level_at(rate, GetCurrentTimestamp()) > RATE_BURST_S * allowed;
}

/* Lets a connection wait before it is read again. */
static void
pause_session(Sessions *sessions, Session *session, TimestampTz until)
{
	bool		waits = session->paused_until != 0;

	if (session->conn == NULL || session->closing)
		return;
	session->paused_until = until;
	sessions->next_unpause = Min(sessions->next_unpause, until);
	if (waits)
		return;
	dlist_push_tail(&sessions->paused, &session->paused);
	/* Its silence says nothing now. */
	session_set_quiet(sessions, session, false);
	shared_count(COUNT_THROTTLED, 1);
	sessions->port->pause(session->conn, true);
}

/* Takes a unit's fate into its connection. */
static void
account_session(Sessions *sessions, Session *session, BatchUnit *unit, TimestampTz now)
{
	ConnectionSlot *slot = session->source.slot;
	int64		wait_ms;

	if (slot)
	{
		connections_count(&slot->units, 1);
		connections_count(&slot->rejected, unit->rejection != REJECT_NONE);
	}
	if (is_record(unit))
		session->without_record = 0;
	else if (unit->rejection != REJECT_NONE)
		session->without_record += unit->unit.size;
	if (session_is_noisy(session, session->without_record))
		session_close(sessions, session, CLOSE_NO_RECORD);
	if (unit->rejection == REJECT_CONFLICT)
		session_finish(sessions, session, CLOSE_CONFLICT);
	if (unit->is_answer && session->source.asked.answers_left > 0)
		session->source.asked.answers_left--;
	if (unit->rejection != REJECT_NONE || unit->ident.size == 0 || !is_record(unit))
		return;
	session->is_known = true;
	session_set_rank(sessions, session, session->source.is_path ? RANK_PATH : RANK_BOUND);
	session_account_downlink(sessions, session, unit);
	if (setting_max_record_rate == 0 ||
		(unit->class != CLASS_REPORT && unit->class != CLASS_DELTA))
		return;
	wait_ms = count_record(sessions, unit, now);
	if (wait_ms > 0)
		pause_session(sessions, session, TimestampTzPlusMilliseconds(now, wait_ms));
}

void
sessions_account(Sessions *sessions, Batch *batch, uint32 from, uint32 to)
{
	TimestampTz now = GetCurrentTimestamp();

	for (uint32 i = from; i < to; i++)
	{
		BatchUnit  *unit = &batch->units[i];

		shared_count(COUNT_UNITS, 1);
		shared_count(COUNT_CLASS + unit->class, 1);
		if (unit->rejection != REJECT_NONE)
		{
			shared_count(COUNT_REJECTED, 1);
			shared_count(COUNT_REJECTION + unit->rejection, 1);
			complain_of_unit(unit, now);
		}
		if (unit->foreign)
			shared_count(COUNT_FOREIGN + unit->foreign, 1);
		if (unit->left_out)
			shared_count(COUNT_NOT_ARCHIVED, 1);
		if (unit->source->is_session)
			account_session(sessions, (Session *) unit->source, unit, now);
	}
	if (sessions->rates && hash_get_num_entries(sessions->rates) > RATES_KEPT)
		sweep_rates(sessions, now);
}

void
sessions_say_closed(Sessions *sessions)
{
	static Complaint complaints[CLOSE_REASONS];
	TimestampTz now;

	if (!sessions->closed_unsaid)
		return;
	sessions->closed_unsaid = false;
	now = GetCurrentTimestamp();
	for (int i = 0; i < CLOSE_REASONS; i++)
	{
		ClosedSample *sample = &sessions->closed[i];

		if (sample->count == 0)
			continue;
		complaints[i].unsaid += sample->count - 1;
		sample->count = 0;
		if (!complaint_is_due(&complaints[i], now))
			continue;
		ereport(LOG,
				(errcode(close_reason_sqlstate((CloseReason) i)),
				 errmsg("pt621: a connection was closed: %s", close_reason_text((CloseReason) i)),
				 errdetail("It came from %s; " UINT64_FORMAT " more were not logged before.",
						   describe_source(&sample->source), complaints[i].unsaid),
				 errhint("%s", close_reason_hint((CloseReason) i))));
		complaints[i].unsaid = 0;
	}
}
