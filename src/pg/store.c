/*
 * store.c
 *		From units to rows, in one transaction.
 *
 * The order of the steps is the order of the locks: trackers by id, states by
 * number, then the archive, positions (whose triggers may do anything), states.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/arrays.h"
#include "pg/connections.h"
#include "pg/run.h"
#include "pg/shared.h"
#include "pg/tail.h"
#include "pg/waiting.h"

/* Rows of one statement where datagrams are read in between: at 4 microseconds a
 * row, fewer arrive meanwhile than a system's default buffer holds (512). */
#define SLICE	1000

void		(*store_pause) (void) = NULL;
bool		(*store_over_rate) (const SourceIdent *ident) = NULL;

/* Marks the doubtful positions that an INSERT has given back as new: some of
 * those shown, in their order. */
static void
mark_inserted(Run *run)
{
	uint64		row = 0;

	for (uint32 i = run->slice_from; i < run->slice_to && row < SPI_processed; i++)
	{
		RunItem    *item = run->positions[i];
		HeapTuple	tuple = SPI_tuptable->vals[row];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		if (item->fresh || item->device->id != DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull)) ||
			item->fix_time != DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull)) ||
			item->digest != DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull)))
			continue;
		item->inserted = true;
		row++;
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Runs a statement that shows `count` items, positions or devices; in parts where
 * something wants to be done between them.
 */
static uint64
run_in_slices(Run *run, Statement statement, uint32 count)
{
	uint32		slice = store_pause ? SLICE : count;
	uint64		rows = 0;

	for (run->slice_from = 0; run->slice_from < count; run->slice_from = run->slice_to)
	{
		run->slice_to = run->slice_from + Min(slice, count - run->slice_from);
		rows += run_statement(run, statement, (Datum) 0);
		if (statement == SQL_INSERT_DOUBTFUL)
			mark_inserted(run);
		if (store_pause)
			store_pause();
	}
	return rows;
}

/* Reads the units of the batch, and those that wait, as far as one unit tells. */
static void
read_item(RunItem *item, BatchUnit *unit, bool late)
{
	Pt621Error	error = unit->unit.error;

	memset(item, 0, offsetof(RunItem, record));
	memset((char *) item + offsetof(RunItem, rebuilt), 0,
		   sizeof(RunItem) - offsetof(RunItem, rebuilt));
	item->unit = unit;
	item->late = late;
	/* A try that failed may have left something here. */
	unit->binds = unit->is_answer = false;
	unit->photo_fate = PHOTO_NOTHING;
	unit->photo = 0;
	if (unit->foreign)
	{
		item_reject(item, REJECT_FOREIGN,
					psprintf("another protocol: %s",
							 pt621_foreign_name((Pt621Foreign) unit->foreign)));
		return;
	}
	if (unit->unit.kind == PT621_UNIT_LINE || unit->unit.kind == PT621_UNIT_PHOTO)
	{
		item->readable = pt621_parse(unit->bytes + unit->unit.payload_at,
									 unit->unit.payload_size, &item->record, &error);
		error.at += unit->unit.payload_at;
	}
	if (error.code != PT621_OK)
	{
		char	   *reason = palloc(PT621_ERROR_MAX);

		pt621_error_text(&error, reason);
		item_reject(item, (Rejection) error.code, reason);
	}
}

/*
 * Numbers units and connections.
 *
 * The numbers stay with them when the try fails, so that the order of a
 * connection's bytes is that of its arrival whatever happens.
 */
static void
number_units(Batch *batch, uint32 from, uint32 to)
{
	Oid			schema = get_namespace_oid("pt621", false);
	Oid			frame_seq = get_relname_relid("frame_seq", schema);
	Oid			conn_seq = get_relname_relid("conn_seq", schema);

	if (!OidIsValid(frame_seq) || !OidIsValid(conn_seq))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("sequence pt621.frame_seq or pt621.conn_seq does not exist"),
				 errhint("SELECT pt621_ready() makes what is missing.")));
	for (uint32 i = from; i < to; i++)
	{
		BatchUnit  *unit = &batch->units[i];

		if (unit->source->conn == 0)
			unit->source->conn = nextval_internal(conn_seq, true);
		if (unit->seq == 0)
			unit->seq = nextval_internal(frame_seq, true);
	}
}

/*
 * Tells the other listeners the numbers of the run's connections and the trackers
 * that they named last.
 *
 * Before anything is settled, since two connections that name a tracker for the
 * first time may be in one run: whether one of them gives way depends on it.
 */
static void
name_connections(Run *run)
{
	for (uint32 i = 0; i < run->count; i++)
	{
		const Source *source = run->items[i].unit->source;
		ConnectionSlot *slot = source->slot;

		if (slot && (pg_atomic_read_u64(&slot->conn) != (uint64) source->conn ||
					 memcmp(&slot->ident, &source->ident, sizeof(SourceIdent)) != 0))
			connections_name(slot, source);
	}
}

/* Takes in the waiting units whose tracker is one of this run; all that have
 * one when the run has nothing else. */
static void
add_waiting(Run *run, Waiting *waiting, TimestampTz now)
{
	bool		alone = run->count == 0;

	for (uint32 i = 0; i < waiting->count; i++)
	{
		BatchUnit  *unit = &waiting->unit[i];
		const SourceIdent *ident = unit->ident.size > 0 ? &unit->ident : &unit->source->first;
		Device	   *device;

		if (ident->size == 0 || unit->received_at <= now - WAITING_TIME)
			continue;
		device = alone ? run_device(run, ident) : run_find_device(run, ident);
		if (device == NULL)
			continue;
		read_item(&run->items[run->count], unit, true);
		run->items[run->count].device = device;
		run->count++;
	}
}

/* Settles who waits from here on. */
static void
keep_waiting(Run *run, Waiting *waiting, TimestampTz now)
{
	/* The ones not tried are as they were. */
	for (uint32 i = 0; i < waiting->count; i++)
	{
		bool		tried = false;

		for (uint32 j = run->count; j-- > 0 && run->items[j].late && !tried;)
			tried = run->items[j].unit == &waiting->unit[i] &&
				!run->items[j].may_wait;
		if (!tried && waiting->unit[i].received_at > now - WAITING_TIME)
			waiting_add_next(waiting, &waiting->unit[i]);
	}
	for (uint32 i = 0; i < run->count; i++)
	{
		if (!run->items[i].late && run->items[i].may_wait)
			waiting_add_next(waiting, run->items[i].unit);
	}
}

/*
 * Inserts the fresh positions without asking whether they are there: none of
 * their time was known.  The primary key decides; when it says otherwise (rows
 * that did not come through us), all is undone and they are doubtful like the
 * others.  ON CONFLICT for all of them would be a quarter of the whole cost.
 */
static bool
insert_fresh(Run *run, uint64 *inserted)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		*inserted = run_in_slices(run, SQL_INSERT_FRESH, run->position_count);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();

		/* Whatever it was: who ends the transaction knows nothing of ours. */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

/*
 * Tells whether a trigger of the user may alter or drop the rows we insert.
 *
 * One on a single partition is not seen; when it drops rows, their number tells.
 */
static bool
has_before_trigger(void)
{
	Oid			position = get_relname_relid("position", get_namespace_oid("pt621", false));
	Relation	relation;
	bool		found;

	if (!OidIsValid(position))
		return false;			/* the INSERT will say it better */
	relation = table_open(position, RowExclusiveLock);
	found = relation->trigdesc && relation->trigdesc->trig_insert_before_row;
	table_close(relation, NoLock);
	return found;
}

static void
insert_positions(Run *run)
{
	uint32		fresh = 0;
	uint64		inserted = 0;

	run->disturbed |= has_before_trigger();
	for (uint32 i = 0; i < run->position_count; i++)
		fresh += run->positions[i]->fresh;
	if (fresh > 0 && !insert_fresh(run, &inserted))
	{
		fresh = 0;
		for (uint32 i = 0; i < run->position_count; i++)
			run->positions[i]->fresh = false;
	}
	run->disturbed |= inserted != fresh;
	for (uint32 i = 0; i < run->position_count; i++)
		run->positions[i]->inserted = run->positions[i]->fresh;
	if (fresh < run->position_count)
		inserted += run_in_slices(run, SQL_INSERT_DOUBTFUL, run->position_count);
	run->result->positions += inserted;
	run->result->duplicates += run->position_count - Min(inserted, run->position_count);
}

/*
 * Tells whether the table has to be asked what a tracker's state is: a doubtful
 * row may have met one that the user has altered since, a trigger may have
 * altered ours or brought others.
 */
bool
run_is_doubtful(const Run *run, const Device *device)
{
	return run->disturbed ||
		(device->last_fix && !device->last_fix->fresh) ||
		(device->last_ignition && !device->last_ignition->fresh) ||
		(device->last_driver && !device->last_driver->fresh);
}

/* Derives from the table where the run does not know what is there. */
static void
derive_doubtful(Run *run)
{
	Datum	   *ids = palloc((Size) Max(run->device_count, 1) * sizeof(Datum));
	int			count = 0;

	for (uint32 i = 0; i < run->device_count; i++)
	{
		if (run_is_doubtful(run, run->devices[i]))
			ids[count++] = Int32GetDatum(run->devices[i]->id);
	}
	run->slice_from = 0;
	run->slice_to = run->position_count;
	if (count > 0 && run->position_count > 0)
		run_statement(run, SQL_DERIVE,
					  PointerGetDatum(array_make(ids, count, INT4OID)));
}

static void
store_run(Run *run)
{
	bool		archived = false;
	bool		updated = false;
	bool		states = false;

	run_find_devices(run);
	if (run->poison)
	{
		/* Nothing but the archive: whatever the fault was must not recur. */
		for (uint32 i = 0; i < run->count; i++)
			item_reject(&run->items[i], REJECT_REFUSED, run->poison);
		run_in_slices(run, SQL_INSERT_FRAMES, run->count);
		return;
	}
	run_lock_states(run);
	run_resolve(run);
	run_select_positions(run);
	for (uint32 i = 0; i < run->count; i++)
	{
		archived |= !run->items[i].late;
		updated |= run->items[i].late && run->items[i].reason == NULL;
	}
	if (archived && !run->archived)
		run_in_slices(run, SQL_INSERT_FRAMES, run->count);
	if (updated || run->archived)
		run_statement(run, SQL_UPDATE_FRAMES, (Datum) 0);
	if (run->position_count > 0)
		insert_positions(run);
	if (run->position_count > 0 && !run->disturbed)
		run_derive(run);
	for (uint32 i = 0; i < run->device_count; i++)
		states |= device_is_changed(run->devices[i]);
	if (states)
		run_in_slices(run, SQL_UPDATE_STATES, run->device_count);
	if (run->derivation)
	{
		run_derive_late(run);
		run_derive_proximity(run);
	}
	derive_doubtful(run);
	run_photos(run);
	run_answers(run);
}

/* What a unit turned out to be. */
static UnitClass
unit_class(const RunItem *item)
{
	switch (item->unit->unit.kind)
	{
		case PT621_UNIT_DELTA:
			return CLASS_DELTA;
		case PT621_UNIT_TEXT:
			return CLASS_TEXT;
		case PT621_UNIT_GARBAGE:
			return CLASS_GARBAGE;
		case PT621_UNIT_PHOTO:
			return CLASS_PHOTO_CHUNK;
		case PT621_UNIT_LINE:
			break;
	}
	if (!item->readable)
		return CLASS_GARBAGE;
	return item->record.kind == PT621_STATUS ? CLASS_STATUS : CLASS_REPORT;
}

/* Writes into the units what became of them. */
static void
tell_units(Run *run)
{
	for (uint32 i = 0; i < run->count; i++)
	{
		RunItem    *item = &run->items[i];

		if (item->late)
			continue;
		item->unit->class = (uint8) unit_class(item);
		item->unit->rejection = (uint8) item->rejection;
		item->unit->left_out = item_is_left_out(item);
	}
}

static int
trigger_depth(void)
{
	return DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
}

void
store_batch(Batch *batch, uint32 from, uint32 to, Oid schema,
			const char *poison, Waiting *waiting, StoreResult *result)
{
	Run		   *before = current_run;
	Run			run = {.schema = schema,.poison = poison,.archived = batch->archived,.result = result};
	uint32		room = to - from + (waiting ? waiting->count : 0);
	TimestampTz now = GetCurrentTimestamp();

	/* One from the archive may span days: what waits is due from its start on. */
	if (to > from)
		now = batch->units[batch->archived ? from : to - 1].received_at;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	number_units(batch, from, to);
	run.items = MemoryContextAllocHuge(CurrentMemoryContext, (Size) Max(room, 1) * sizeof(RunItem));
	for (uint32 i = from; i < to; i++)
		read_item(&run.items[run.count++], &batch->units[i], false);
	run_bind(&run, room);
	name_connections(&run);
	if (waiting)
		add_waiting(&run, waiting, now);

	/* A trigger of the user may call pt621_ingest(): its run nests in ours. */
	run.depth = trigger_depth();
	current_run = &run;
	PG_TRY();
	{
		store_run(&run);
	}
	PG_FINALLY();
	{
		current_run = before;
	}
	PG_END_TRY();
	if (before)
		before->disturbed = true;

	tell_units(&run);
	result->units += to - from;
	if (poison == NULL && !batch->archived)
		tail_run(&run);
	if (waiting)
		keep_waiting(&run, waiting, now);
	SPI_finish();
}

void
store_disturb(void)
{
	if (current_run)
		current_run->disturbed = true;
}

PG_FUNCTION_INFO_V1(pt621_storing);

/*
 * pt621_storing(): whether this session keeps device_state itself just now.
 *
 * Asked by the default triggers.  It does so for the rows of its own INSERT,
 * unless triggers of the user meddle; not for what those triggers do to the
 * table by themselves, which shows by their depth.
 */
Datum
pt621_storing(PG_FUNCTION_ARGS)
{
	if (current_run == NULL)
		PG_RETURN_BOOL(false);
	if (trigger_depth() != current_run->depth + 1)
		current_run->disturbed = true;
	PG_RETURN_BOOL(!current_run->disturbed);
}
