/*
 * store_records.c
 *		Which records a run has, and which of them are positions.
 *
 * Invariants.  A tracker's deltas are resolved in the order of their arrival,
 * on the bases that its locked state holds; so two sessions that hold units of
 * one tracker take turns.  Of records that are the same to the digit one is
 * kept; of records of one second that differ, all are.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/row.h"
#include "pg/run.h"
#include "pg/settings.h"

#define USECS_PER_WEEK		(INT64CONST(7) * USECS_PER_DAY)
/* The GPS week number has ten bits: a receiver may be off by 1 or 2 rounds. */
#define WEEKS_PER_ROLLOVER	1024
#define ROLLOVERS_MAX		2
/* From the start of GPS, 6 January 1980, to 2000. */
#define GPS_EPOCH			(INT64CONST(-7300) * USECS_PER_DAY)
/* The wire's years have two digits: 80 to 99 may be those before 2000. */
#define USECS_PER_CENTURY	(INT64CONST(36525) * USECS_PER_DAY)
/* A time put right must lie this close before its receipt to be believed. */
#define ROLLOVER_WINDOW		(INT64CONST(90) * USECS_PER_DAY)
/* No tracker of this kind reported before 2010; clocks may be a day ahead. */
#define PLAUSIBLE_FROM		(INT64CONST(3653) * USECS_PER_DAY)
#define PLAUSIBLE_AHEAD		USECS_PER_DAY

static const char *
error_text(const Pt621Error *error)
{
	char	   *text = palloc(PT621_ERROR_MAX);

	pt621_error_text(error, text);
	return text;
}

/* Takes in what a new base makes readable of the deltas held. */
static void
resolve_late(Run *run, Device *device)
{
	for (;;)
	{
		uint8	   *text;
		uint64_t	tag;
		size_t		size;
		Pt621Record record;
		RunItem	   *item;

		if (device->chain.helds == 0)
			return;
		text = palloc(PT621_RECORD_MAX);
		if (!pt621_chain_late(&device->chain, &tag, text, &size, &record))
		{
			pfree(text);
			return;
		}
		item = &run->items[tag];
		item->readable = true;
		item->record = record;
		item->rebuilt = text;
		item->rebuilt_size = (uint32) size;
		item_reject(item, REJECT_NONE, NULL);
		item->may_wait = false;
		pt621_chain_base(&device->chain, text, size);
	}
}

/* Rebuilds a delta, or holds it for a base that comes later in the run. */
static void
resolve_delta(Run *run, RunItem *item)
{
	const Pt621Unit *unit = &item->unit->unit;
	const uint8 *delta = item->unit->bytes + unit->payload_at;
	Pt621Chain *chain = &item->device->chain;
	uint8	   *text = palloc(PT621_RECORD_MAX);
	size_t		size;
	uint64_t	dropped;
	Pt621Error	error;

	if (pt621_chain_resolve(chain, delta, unit->payload_size, text, &size,
							&item->record, &error))
	{
		item->readable = true;
		item->rebuilt = text;
		item->rebuilt_size = (uint32) size;
		pt621_chain_base(chain, text, size);
		resolve_late(run, item->device);
		return;
	}
	pfree(text);
	error.at += unit->payload_at;
	item_reject(item, (Rejection) error.code, error_text(&error));
	item->may_wait = error.code != PT621_DELTA_CUT_SHORT;
	if (item->may_wait)
		pt621_chain_hold(chain, delta, unit->payload_size,
						 (uint64_t) (item - run->items), &dropped);
}

/* Tells whether a piece of a photo is more than a photo may be.  What its number means
 * is not known, see codec/photo.h. */
static bool
is_large_photo(const RunItem *item)
{
	return item->unit->unit.kind == PT621_UNIT_PHOTO &&
		item->record.photo_data.size > (Size) setting_max_photo_size * 1024;
}

static void
resolve_item(Run *run, RunItem *item)
{
	const Pt621Unit *unit = &item->unit->unit;
	Rejection	rejection = item_admit(run, item);

	item->admitted = rejection == REJECT_NONE;
	if (item->admitted && item_is_answer(item))
	{
		item->unit->is_answer = true;
		item->device->answers++;
		item_reject(item, REJECT_NONE, NULL);
	}
	if (item->reason || item->unit->is_answer)
		return;					/* the codec could not read it */
	if (unit->kind == PT621_UNIT_TEXT || unit->kind == PT621_UNIT_GARBAGE)
		return;
	if (rejection == REJECT_NONE && is_large_photo(item))
		rejection = REJECT_PHOTO_SIZE;
	/* One that waits alone registers no tracker. */
	item->may_wait = (item->device == NULL || (item->late && item->device->id == 0)) &&
		(unit->kind == PT621_UNIT_DELTA || unit->kind == PT621_UNIT_PHOTO);
	if (rejection != REJECT_NONE)
		item_reject(item, rejection, rejection_text(rejection));
	if (item->reason)
		return;
	if (unit->kind == PT621_UNIT_DELTA)
		resolve_delta(run, item);
	else if (item->record.kind == PT621_REPORT)
	{
		pt621_chain_base(&item->device->chain,
						 item->unit->bytes + unit->payload_at, unit->payload_size);
		resolve_late(run, item->device);
	}
}

void
run_resolve(Run *run)
{
	/* Those of earlier batches came first, and stand last. */
	for (uint32 i = 0; i < run->count; i++)
	{
		if (run->items[i].late)
			resolve_item(run, &run->items[i]);
	}
	for (uint32 i = 0; i < run->count; i++)
	{
		if (!run->items[i].late)
			resolve_item(run, &run->items[i]);
	}
}

/*
 * Puts a GPS week rollover right: returns true when the tracker's time becomes
 * one of the last weeks before its receipt that way.
 */
static bool
put_rollover_right(TimestampTz device_time, TimestampTz received_at,
				   TimestampTz *right)
{
	for (int century = 0; century <= 1; century++)
	{
		TimestampTz said = device_time - century * USECS_PER_CENTURY;

		for (int round = 1; round <= ROLLOVERS_MAX && said >= GPS_EPOCH; round++)
		{
			*right = said + round * WEEKS_PER_ROLLOVER * USECS_PER_WEEK;
			if (*right <= received_at && *right > received_at - ROLLOVER_WINDOW)
				return true;
		}
	}
	return false;
}

/*
 * Settles when a record was made: the tracker's time where it is plausible, or
 * becomes so when a GPS week rollover is put right; else the time of receipt.
 */
static void
settle_time(RunItem *item)
{
	TimestampTz received_at = item->unit->received_at;

	item->quality = item->record.quality;
	if (item->record.device_time != PT621_NO_TIME)
	{
		TimestampTz device_time = timestamptz_from_unix(item->record.device_time);

		if (put_rollover_right(device_time, received_at, &item->fix_time))
		{
			item->quality |= PT621_WEEK_ROLLOVER;
			return;
		}
		if (device_time >= PLAUSIBLE_FROM &&
			device_time <= received_at + PLAUSIBLE_AHEAD)
		{
			item->fix_time = device_time;
			return;
		}
	}
	item->fix_time = received_at;
	item->quality |= PT621_TIME_OF_RECEIPT;
}

/* Compares bytes as the "C" collation does. */
static int
compare_bytes(const void *a, Size a_size, const void *b, Size b_size)
{
	int			order = memcmp(a, b, Min(a_size, b_size));

	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static inline int
compare_int64(int64 a, int64 b)
{
	return (a > b) - (a < b);
}

/* Compares the part of the key of pt621.position that is the record's own. */
static int
compare_record_key(const RunItem *a, const RunItem *b)
{
	int			order = compare_int64(a->fix_time, b->fix_time);

	if (order == 0)
		order = compare_bytes(a->record.code.at, a->record.code.size,
							  b->record.code.at, b->record.code.size);
	return order ? order : compare_int64(a->digest, b->digest);
}

static int
compare_positions(const void *a, const void *b)
{
	const RunItem *left = *(RunItem *const *) a;
	const RunItem *right = *(RunItem *const *) b;
	int			order = (left->device->id > right->device->id) - (left->device->id < right->device->id);

	if (order == 0)
		order = compare_record_key(left, right);
	/* Equal ones in order of arrival: the first is kept.  Those of earlier
	 * batches came first, and stand last. */
	if (order == 0)
		order = (int) right->late - (int) left->late;
	return order ? order : (left > right) - (left < right);
}

/* Tells whether an item is the last valid fix, against state and run. */
static bool
is_last_fix(const Device *device, const RunItem *item)
{
	int			order;

	if (!item->record.valid)
		return false;
	if (device->last_fix)
		return compare_record_key(item, device->last_fix) > 0;
	order = compare_int64(item->fix_time, device->fix_time);
	if (order == 0 && device->fix_code)
		order = compare_bytes(item->record.code.at, item->record.code.size,
							  VARDATA_ANY(device->fix_code),
							  VARSIZE_ANY_EXHDR(device->fix_code));
	return order ? order > 0 : item->digest > device->fix_digest;
}

bool
item_ignition(const RunItem *item, bool *ignition)
{
	int			input = item->device->ignition_input;

	if (input < 1 || (uint32) input > item->record.inputs.count)
		return false;
	*ignition = (item->record.inputs.bits >> (PT621_BITS_MAX - input)) & 1;
	return true;
}

/* Takes a position into what the run makes of its tracker's state. */
static void
update_device(Device *device, RunItem *item)
{
	bool		ignition;
	bool		known;

	if (item->quality & PT621_TIME_OF_RECEIPT)
		return;					/* it says nothing about when */
	device->run_newest = Max(device->run_newest, item->fix_time);
	if (is_last_fix(device, item))
		device->last_fix = item;

	/* Of two records of one second the one with ignition on counts. */
	if (item_ignition(item, &ignition) &&
		(item->fix_time > device->ignition_time ||
		 (item->fix_time == device->ignition_time && ignition && !device->ignition)))
	{
		device->last_ignition = item;
		device->ignition_time = item->fix_time;
		device->ignition = ignition;
	}

	/* And of two drivers the one that sorts last. */
	known = item->record.driver.at != NULL;
	if (known && item->fix_time == device->driver_time && device->driver)
		known = compare_bytes(item->record.driver.at, item->record.driver.size,
							  VARDATA_ANY(device->driver),
							  VARSIZE_ANY_EXHDR(device->driver)) > 0;
	else
		known = known && item->fix_time > device->driver_time;
	if (known)
	{
		device->last_driver = item;
		device->driver_time = item->fix_time;
		device->driver = cstring_to_text_with_len((const char *) item->record.driver.at,
												  (int) item->record.driver.size);
	}
}

/* Hashes what a live record and its stored copy have in common. */
static int64
digest(const RunItem *item)
{
	const Pt621Unit *unit = &item->unit->unit;
	const uint8 *text = item->rebuilt ? item->rebuilt :
		item->unit->bytes + unit->payload_at;
	Size		size = item->rebuilt ? item->rebuilt_size : unit->payload_size;

	/* The same as hashtextextended(record, 0) in SQL. */
	return (int64) hash_bytes_extended(text, (int) pt621_text_size(text, size), 0);
}

/*
 * Tells whether an item is what its tracker was heard of last, among those of the
 * run so far.
 *
 * What is refused says nothing about where a tracker is connected.  One that
 * waited changes the state only when it could be read.  The last bytes of a
 * connection may have come long before its end.
 */
static bool
is_heard_last(const RunItem *item)
{
	const Device *device = item->device;

	return device && device->locked && item->admitted &&
		(!item->late || item->reason == NULL) &&
		(device->last_unit == NULL ||
		 item->unit->received_at >= device->last_unit->received_at);
}

void
run_select_positions(Run *run)
{
	uint32		kept = 0;

	run->positions = palloc((Size) Max(run->count, 1) * sizeof(RunItem *));
	run->position_count = 0;
	for (uint32 i = 0; i < run->count; i++)
	{
		RunItem	   *item = &run->items[i];

		if (is_heard_last(item))
			item->device->last_unit = item->unit;
		if (!item->readable || item->reason || item->record.kind != PT621_REPORT)
			continue;
		settle_time(item);
		item->digest = digest(item);
		item->fresh = !(item->quality & PT621_TIME_OF_RECEIPT) &&
			item->fix_time > item->device->newest_time;
		run->positions[run->position_count++] = item;
	}
	if (run->position_count > 1)
		qsort(run->positions, run->position_count, sizeof(RunItem *), compare_positions);
	for (uint32 i = 0; i < run->position_count; i++)
	{
		RunItem	   *item = run->positions[i];
		RunItem	   *before = kept ? run->positions[kept - 1] : NULL;

		if (before && before->device == item->device &&
			compare_record_key(before, item) == 0)
		{
			run->result->duplicates++;
			continue;
		}
		update_device(item->device, item);
		run->positions[kept++] = item;
	}
	run->position_count = kept;
}
