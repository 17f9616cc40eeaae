/*
 * stat.c
 *		pt621_stat_worker() and pt621_stat_reset(): what the workers have done.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/row.h"
#include "pg/shared.h"

/* Columns of pt621_stat_worker(). */
enum
{
	STAT_PID, STAT_WORKER, STAT_NUMBER, STAT_STATE, STAT_REASON, STAT_SINCE,
	STAT_PORT, STAT_CONNECTIONS, STAT_BYTES, STAT_UNITS, STAT_REJECTED,
	STAT_POSITIONS, STAT_DUPLICATES, STAT_BATCHES, STAT_RETRIES,
	STAT_DATAGRAMS_DROPPED, STAT_ACCEPT_FAILURES, STAT_CONNECTIONS_OPENED,
	STAT_CONFLICTS, STAT_THROTTLED, STAT_NOT_ARCHIVED, STAT_UNITS_BY_KIND,
	STAT_REJECTED_BY_REASON, STAT_CLOSED_BY_REASON, STAT_FOREIGN_BY_PROTOCOL,
	STAT_COMMIT_LATENCY, STAT_LAST_BATCH, STAT_LAST_ERROR, STAT_LAST_SQLSTATE,
	STAT_LAST_ERROR_AT, STAT_COUNTED_SINCE,
	STAT_COLUMNS
};

static const char *
class_key(int class)
{
	return unit_class_name((UnitClass) class);
}

static const char *
rejection_key(int rejection)
{
	return rejection_name((Rejection) rejection);
}

static const char *
close_key(int reason)
{
	return close_reason_name((CloseReason) reason);
}

static const char *
foreign_key(int foreign)
{
	return pt621_foreign_name((Pt621Foreign) foreign);
}

/* What a counter has counted since the last reset. */
static int64
counted(WorkerSlot *slot, int counter)
{
	return (int64) (pg_atomic_read_u64(&slot->counter[counter]) - slot->before[counter]);
}

/* Makes an object of the counters that are not 0; the names are our own. */
static Datum
counters_jsonb(WorkerSlot *slot, int first, int count, const char *(*name) (int))
{
	StringInfoData text;
	const char *between = "";

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (int i = 0; i < count; i++)
	{
		int64		value = counted(slot, first + i);

		if (value == 0)
			continue;
		appendStringInfo(&text, "%s\"%s\": " INT64_FORMAT, between, name(i), value);
		between = ", ";
	}
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

static Datum
latency_array(WorkerSlot *slot)
{
	Datum		buckets[LATENCY_BUCKETS];

	for (int i = 0; i < LATENCY_BUCKETS; i++)
		buckets[i] = Int64GetDatum(counted(slot, COUNT_LATENCY + i));
	return PointerGetDatum(array_make(buckets, LATENCY_BUCKETS, INT8OID));
}

/* Puts what only a listener counts. */
static void
put_listener(Row *row, WorkerSlot *slot)
{
	static const struct
	{
		int			column;
		WorkerCounter counter;
	}			counters[] = {
		{STAT_BYTES, COUNT_BYTES}, {STAT_UNITS, COUNT_UNITS},
		{STAT_REJECTED, COUNT_REJECTED}, {STAT_POSITIONS, COUNT_POSITIONS},
		{STAT_DUPLICATES, COUNT_DUPLICATES}, {STAT_BATCHES, COUNT_BATCHES},
		{STAT_RETRIES, COUNT_RETRIES}, {STAT_DATAGRAMS_DROPPED, COUNT_DROPPED},
		{STAT_ACCEPT_FAILURES, COUNT_ACCEPT_FAILURES},
		{STAT_CONNECTIONS_OPENED, COUNT_OPENED}, {STAT_CONFLICTS, COUNT_CONFLICTS},
		{STAT_THROTTLED, COUNT_THROTTLED}, {STAT_NOT_ARCHIVED, COUNT_NOT_ARCHIVED}
	};

	if (slot->port)
		row_set(row, STAT_PORT, Int32GetDatum(slot->port));
	row_set(row, STAT_CONNECTIONS,
			Int32GetDatum((int32) pg_atomic_read_u64(&slot->connections)));
	for (Size i = 0; i < lengthof(counters); i++)
		row_set(row, counters[i].column, Int64GetDatum(counted(slot, counters[i].counter)));
	row_set(row, STAT_UNITS_BY_KIND,
			counters_jsonb(slot, COUNT_CLASS, UNIT_CLASSES, class_key));
	row_set(row, STAT_REJECTED_BY_REASON,
			counters_jsonb(slot, COUNT_REJECTION, REJECTIONS, rejection_key));
	row_set(row, STAT_CLOSED_BY_REASON,
			counters_jsonb(slot, COUNT_CLOSED, CLOSE_REASONS, close_key));
	row_set(row, STAT_FOREIGN_BY_PROTOCOL,
			counters_jsonb(slot, COUNT_FOREIGN, PT621_FOREIGN_KINDS, foreign_key));
	row_set(row, STAT_COMMIT_LATENCY, latency_array(slot));
	row_set(row, STAT_COUNTED_SINCE, TimestampTzGetDatum(slot->counted_since));
}

static void
put_slot(Row *row, int number, WorkerSlot *slot)
{
	static const char *const states[] = {"starting", "closed", "open", "paused", "draining"};

	row_start(row);
	row_set(row, STAT_PID, Int32GetDatum((int32) slot->pid));
	row_cstring(row, STAT_WORKER, number == SLOT_SUPERVISOR ? "supervisor" :
				number == SLOT_MAINTENANCE ? "maintenance" : "listener");
	row_cstring(row, STAT_STATE, states[slot->state]);
	if (slot->reason[0])
		row_cstring(row, STAT_REASON, slot->reason);
	row_set(row, STAT_SINCE, TimestampTzGetDatum(slot->since));
	if (number >= SLOT_LISTENER)
	{
		row_set(row, STAT_NUMBER, Int32GetDatum(number - SLOT_LISTENER + 1));
		put_listener(row, slot);
	}
	if (slot->last_batch)
		row_set(row, STAT_LAST_BATCH, TimestampTzGetDatum(slot->last_batch));
	if (slot->last_error_at)
	{
		row_cstring(row, STAT_LAST_ERROR, slot->last_error);
		row_cstring(row, STAT_LAST_SQLSTATE, slot->last_sqlstate);
		row_set(row, STAT_LAST_ERROR_AT, TimestampTzGetDatum(slot->last_error_at));
	}
}

PG_FUNCTION_INFO_V1(pt621_stat_worker);

/*
 * pt621_stat_worker(): one row per running worker; none in a server without them,
 * so that functions may ask.
 */
Datum
pt621_stat_worker(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	SharedState *copy;

	row_sink_open(&sink, fcinfo, STAT_COLUMNS, -1);
	if (shared_state == NULL)
		return (Datum) 0;
	/* Copied, so that no allocation happens under the lock. */
	copy = palloc(sizeof(SharedState));
	LWLockAcquire(shared_lock, LW_SHARED);
	memcpy(copy, shared_state, sizeof(SharedState));
	LWLockRelease(shared_lock);
	for (int i = 0; i < SLOTS; i++)
	{
		if (copy->slot[i].pid == 0)
			continue;
		put_slot(sink.row, i, &copy->slot[i]);
		row_emit(&sink);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_stat_reset);

/*
 * pt621_stat_reset(): counts from 0 again.
 *
 * The counters are their worker's to write, so what they were is noted and taken
 * off when they are shown.
 */
Datum
pt621_stat_reset(PG_FUNCTION_ARGS)
{
	shared_require();
	LWLockAcquire(shared_lock, LW_EXCLUSIVE);
	for (int i = 0; i < SLOTS; i++)
	{
		WorkerSlot *slot = &shared_state->slot[i];

		for (int j = 0; j < WORKER_COUNTERS; j++)
			slot->before[j] = pg_atomic_read_u64(&slot->counter[j]);
		slot->counted_since = GetCurrentTimestamp();
		slot->last_error_at = 0;
	}
	LWLockRelease(shared_lock);
	PG_RETURN_VOID();
}
