/*
 * derive_table.c
 *		Derives anew what follows from a period of a tracker's records.
 *
 * Invariant.  It begins at the state kept for a time before the period, and goes
 * on until the state is again what is kept for that time, or the records end.
 * From there on all was right, and still is.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/derive_turn.h"
#include "pg/settings.h"

/* Rows read at once. */
#define FETCH_ROWS	500

/* Turns the derivation to a tracker, with the history of its options. */
static bool
turn_to_device(Derivation *derivation, int32 device_id)
{
	Datum		id = Int32GetDatum(device_id);
	uint64		rows = derive_run(derivation, SQL_DEVICE_OPTIONS, &id, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;
	GeofenceMember *members = palloc((rows + 1) * sizeof(GeofenceMember));
	DeviceOptions *options = palloc((rows + 1) * sizeof(DeviceOptions));

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Datum		groups;

		members[i].from = options[i].valid_from = derive_time(row, desc, 1, DT_NOBEGIN);
		members[i].groups = derive_column(row, desc, 2, &groups) ? DatumGetArrayTypePCopy(groups) : NULL;
		options[i].speed_limit_kmh = derive_float(row, desc, 3);
	}
	SPI_freetuptable(SPI_tuptable);
	if (rows == 0)
		return false;
	members[0].from = options[0].valid_from = DT_NOBEGIN;
	derivation_device(derivation, device_id, members, options, (int) rows, options[rows - 1].valid_from);
	return true;
}

/* Gives the time before which records may have been dropped. */
static TimestampTz
dropped_before(void)
{
	return setting_retention_positions == 0 ? DT_NOBEGIN :
		GetCurrentTransactionStartTimestamp() - (int64) setting_retention_positions * USECS_PER_MINUTE;
}

/* Reads the kept piece that a statement finds; NULL when there is none, and else
 * where it ends in turn->low. */
static bytea *
read_piece(Turn *turn, DeriveStatement statement, TimestampTz time)
{
	Datum		values[] = {Int32GetDatum(turn->device_id), TimestampTzGetDatum(time)};
	bytea	   *kept = NULL;

	if (derive_run(turn->derivation, statement, values, NULL) > 0)
	{
		turn->low = derive_time(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, DT_NOBEGIN);
		kept = derive_bytes(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return kept;
}

/* Tells whether the turn can begin with the tracker's last state. */
static bool
begin_with_head(Turn *turn, TimestampTz from)
{
	if (turn->head == NULL || VARSIZE_ANY_EXHDR(turn->head) == 0)
		return false;
	turn->state = derivation_load(turn->derivation, turn->head);
	if (turn->state == NULL || detect_time(turn->state) >= from)
		return false;
	turn->low = detect_time(turn->state);
	return true;
}

/*
 * Finds the kept state that the turn begins with, no later than just before
 * `from`; false when all of the period was stored before there were detectors.
 */
static bool
find_start(Turn *turn, TimestampTz from)
{
	bytea	   *kept;

	if (begin_with_head(turn, from))
		return true;
	kept = read_piece(turn, SQL_PIECE_BEFORE, from);
	if (kept && turn->low < dropped_before())
	{
		/* Of what came after it some may be gone; the rows of that stay. */
		bytea	   *later = read_piece(turn, SQL_FIRST_PIECE, dropped_before());

		if (later && turn->low < from)
			kept = later;
		else
			turn->low = dropped_before();
	}
	else if (kept == NULL)
	{
		bytea	   *first = read_piece(turn, SQL_FIRST_PIECE, DT_NOBEGIN);

		/* Stored before there were detectors: for pt621_replay_events() to derive. */
		if (first && VARSIZE_ANY_EXHDR(first) == 0 && turn->until <= turn->low)
			return false;
		/* What came before is either nothing or dropped: its rows stay. */
		if (first == NULL || VARSIZE_ANY_EXHDR(first) > 0)
			turn->low = dropped_before();
	}
	if (kept && VARSIZE_ANY_EXHDR(kept) > 0)
	{
		turn->state = derivation_load(turn->derivation, kept);
		if (turn->state)
			return true;
		/* Of another version: from the very beginning. */
		turn->low = dropped_before();
	}
	turn->state = derivation_load(turn->derivation, NULL);
	return true;
}

/* Reads the next kept piece. */
static void
next_piece(Turn *turn)
{
	turn->piece_until = DT_NOEND;
	if (turn->piece_state)
		pfree(turn->piece_state);
	turn->piece_state = NULL;
	SPI_cursor_fetch(turn->pieces, true, 1);
	if (SPI_processed > 0)
	{
		turn->piece_until = derive_time(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, DT_NOEND);
		turn->piece_state = derive_bytes(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Tells whether all that comes before `time` has been taken in and has led to the
 * state that is kept: then the rest need not be looked at.
 */
static bool
has_converged(Turn *turn, TimestampTz time)
{
	while (turn->piece_until < time)
	{
		if (turn->piece_until >= turn->until && turn->piece_state &&
			detect_time(turn->state) <= turn->piece_until)
		{
			bytea	   *now = derivation_save(turn->derivation, turn->state);
			bool		same = derivation_same(now, turn->piece_state);

			pfree(now);
			if (same)
			{
				turn->high = turn->piece_until;
				return true;
			}
		}
		next_piece(turn);
	}
	return false;
}

/* Takes in one record, unless the rest is known. */
static bool
take_record(const DetectFix *fix, void *arg)
{
	Turn	   *turn = arg;

	turn->converged = has_converged(turn, fix->time);
	if (!turn->converged)
		derivation_step(turn->derivation, turn->state, fix);
	return !turn->converged;
}

/* Takes in the records from the start of the turn to its end. */
static void
take_records(Turn *turn)
{
	Datum		values[] = {Int32GetDatum(turn->device_id), TimestampTzGetDatum(turn->low)};

	turn->pieces = SPI_cursor_open(NULL, derive_plan(turn->derivation, SQL_PIECES_AFTER), values, NULL, false);
	next_piece(turn);
	turn->high = DT_NOEND;
	derive_read_records(turn->derivation, turn->device_id, turn->low, DT_NOEND, FETCH_ROWS, take_record, turn);
	SPI_cursor_close(turn->pieces);
}

/* Replaces the kept pieces of the turn and the tracker's last state. */
static void
save_states(Turn *turn)
{
	Derivation *derivation = turn->derivation;
	Datum		values[] = {Int32GetDatum(turn->device_id), TimestampTzGetDatum(turn->low),
		TimestampTzGetDatum(turn->high)};
	bytea	   *head;

	if (turn->converged)
	{
		/* The piece that was met ends where it did, but its track may be another. */
		derivation_cut(derivation, turn->state);
		derivation->pieces[derivation->piece_count - 1].until = turn->high;
	}
	derive_run(derivation, SQL_DROP_PIECES, values, NULL);
	if (turn->converged)
		head = turn->head;
	else
	{
		head = derivation_save(derivation, turn->state);
		derivation_close_ended(derivation, turn->state);
	}
	if (head)
	{
		/* Whether it began there or was met: it agrees with the fences of now. */
		derivation_stamp(derivation, head);
		values[1] = PointerGetDatum(head);
		derive_run(derivation, SQL_SAVE_STATE, values, NULL);
		if (head != turn->head)
			pfree(head);
	}
}

/* Lists the visits open at the start, and finds when the first such event was
 * confirmed. */
static TimestampTz
list_open(Turn *turn, ArrayType **fences, ArrayType **enters)
{
	Datum	   *ids = palloc(sizeof(Datum));
	Datum	   *times = palloc(sizeof(Datum));
	int			count = 0;
	TimestampTz first = DT_NOEND;
	HASH_SEQ_STATUS scan;
	DerivedRow *row;

	detect_put_open(turn->state, &turn->derivation->world);
	if (turn->derivation->rows)
	{
		hash_seq_init(&scan, turn->derivation->rows);
		while ((row = derivation_next(&scan, turn->device_id)) != NULL)
		{
			if (row->row.kind == DETECT_VISIT)
			{
				ids = repalloc(ids, (Size) (count + 1) * sizeof(Datum));
				times = repalloc(times, (Size) (count + 1) * sizeof(Datum));
				ids[count] = Int32GetDatum(row->row.fence);
				times[count++] = TimestampTzGetDatum(row->row.at);
			}
			else
				first = Min(first, row->row.confirmed_at);
		}
	}
	*fences = array_make(ids, count, INT4OID);
	*enters = array_make(times, count, TIMESTAMPTZOID);
	return first;
}

/* One turn of a tracker that is at hand; see derive_period(). */
static TimestampTz
derive_turn(Turn *turn, TimestampTz from)
{
	ArrayType  *fences;
	ArrayType  *enters;
	TimestampTz first;

	turn->low = DT_NOBEGIN;
	if (turn->until < dropped_before() || !find_start(turn, Max(from, dropped_before())))
		return turn->until;
	first = list_open(turn, &fences, &enters);
	take_records(turn);
	save_states(turn);
	turn_compare_visits(turn, fences, enters);
	turn_compare_events(turn, first);
	return turn->high;
}

/*
 * Finds since when fences or options are others than the kept states know: then
 * these are wrong from there on, whatever period is asked for.  Where rules of
 * sensors are, that may be long ago, and only who asks for all to come has to wait
 * for it.
 */
static TimestampTz
find_stale(Derivation *derivation, const bytea *head, bool to_the_end)
{
	TimestampTz since = derivation_changed_since(derivation, head);
	DetectState *state = derivation_load(derivation, head);
	TimestampTz rules_since;

	if (head == NULL || state == NULL)
		return DT_NOEND;
	rules_since = derivation_compare_rules(derivation, head, detect_time(state));
	if (to_the_end)
	{
		derivation->rules_known = derivation->rules_revision;
		since = Min(since, rules_since);
	}
	return detect_time(state) >= since ? since : DT_NOEND;
}

static bytea *
read_head(Derivation *derivation, int32 device_id)
{
	Datum		id = Int32GetDatum(device_id);
	bytea	   *head = NULL;

	if (derive_run(derivation, SQL_STATE, &id, NULL) > 0)
		head = derive_bytes(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	return head;
}

/* See derive_period(). */
static TimestampTz
derive_anew(Derivation *derivation, int32 device_id, TimestampTz from, TimestampTz until)
{
	Turn		turn = {.derivation = derivation,.device_id = device_id,.until = until};
	TimestampTz stale;

	if (!turn_to_device(derivation, device_id))
		return DT_NOEND;
	turn.head = read_head(derivation, device_id);
	stale = find_stale(derivation, turn.head, until == DT_NOEND);
	if (stale <= until && stale != DT_NOEND)
	{
		from = Min(from, stale);
		turn.until = DT_NOEND;
	}
	else if (stale != DT_NOEND)
	{
		/* Far apart, maybe: for themselves. */
		Turn		newer = {.derivation = derivation,.device_id = device_id,.until = DT_NOEND,.head = turn.head};

		derive_turn(&newer, stale);
		derivation_write(derivation);
		turn.head = read_head(derivation, device_id);
	}
	return derive_turn(&turn, from);
}

TimestampTz
derive_period(Derivation *derivation, int32 device_id, TimestampTz from, TimestampTz until)
{
	/* A replay goes through all trackers in one call. */
	MemoryContext period = AllocSetContextCreate(CurrentMemoryContext, "pt621 period of a track",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(period);
	MemoryContext states = derivation->states;
	TimestampTz done;

	derivation->states = period;
	done = derive_anew(derivation, device_id, from, until);
	derivation->states = states;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(period);
	return done;
}
