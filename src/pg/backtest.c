/*
 * backtest.c
 *		What a fence or a limit would have shown, had it been there.
 *
 * Invariant.  It is the same fold that derives events, from the states kept along
 * each track, over those pieces of tracks that come near the area; nothing is
 * written.  What the fold says of anything else is passed over.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/geo_decls.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/backtest.h"

/* Stretches followed at once, rows read at once, and of what follows a stretch. */
#define STRETCHES	500
#define FETCH_ROWS	500
#define FETCH_MORE	10

static bool
is_in_period(const Backtest *test, DetectTime time)
{
	return time >= test->low && time < test->high;
}

static size_t
backtest_near(void *arg, DetectTime time, const GeoBox *box, const DetectFence *const **found)
{
	Backtest   *test = arg;
	const GeoBox *area = &test->box;

	test->found = &test->fence;
	*found = &test->found;
	return test->fence.shape && is_in_period(test, time) &&
		box->west <= area->east && box->east >= area->west &&
		box->south <= area->north && box->north >= area->south;
}

static const DetectFence *
backtest_active(void *arg, DetectTime time, int32_t id)
{
	Backtest   *test = arg;

	return test->fence.shape && id == BACKTEST_FENCE && is_in_period(test, time) ? &test->fence : NULL;
}

static DetectTime
backtest_active_since(void *arg, DetectTime time, int32_t id, DetectTime enough)
{
	return ((Backtest *) arg)->low;
}

/* It is about a fence or a limit: sensors are not asked. */
static size_t
backtest_rules(void *arg, const DetectFix *fix, const DetectRule **found)
{
	return 0;
}

static const DetectOptions *
backtest_options(void *arg, DetectTime time)
{
	Backtest   *test = arg;
	DetectWorld *world = &test->derivation->world;

	test->options = *world->options(world->arg, time);
	test->options.speed_limit_kmh = test->fence.shape || !is_in_period(test, time) ? NAN : test->limit_kmh;
	return &test->options;
}

static void *
backtest_grow(void *arg, void *old, size_t size)
{
	DetectWorld *world = &((Backtest *) arg)->derivation->world;

	return world->grow(world->arg, old, size);
}

static void
backtest_put(void *arg, const DetectRow *row)
{
	Backtest   *test = arg;
	DetectWorld *world = &test->derivation->world;

	/* Visits to fences that there are end at once: here is none but ours. */
	if (test->fence.shape ? row->kind == DETECT_VISIT && row->fence == BACKTEST_FENCE :
		row->kind == DETECT_OVERSPEED && row->at >= test->low)
		world->put(world->arg, row);
}

static void
backtest_take(void *arg, const DetectRow *row)
{
}

static void
add_stretch(Backtest *test, int32 device_id, TimestampTz since, TimestampTz until)
{
	Stretch    *stretch = test->count > 0 ? &test->stretches[test->count - 1] : NULL;

	if (stretch && stretch->device_id == device_id && stretch->until == since)
	{
		stretch->until = until;
		return;
	}
	if (test->count == test->room)
	{
		test->room = Max(test->room * 2, 64);
		test->stretches = test->stretches ? repalloc_huge(test->stretches, test->room * sizeof(Stretch)) :
			MemoryContextAlloc(test->derivation->context, test->room * sizeof(Stretch));
	}
	test->stretches[test->count++] = (Stretch)
	{
		device_id, since, until
	};
}

/* Tells whether what is not cut off yet of a tracker's track may show something. */
static bool
is_head_concerned(Backtest *test, const DetectPiece *piece)
{
	if (test->fence.shape == NULL)
		return piece->top_speed_kmh > test->limit_kmh;
	return piece->has_extent &&
		piece->extent.west <= test->box.east && piece->extent.east >= test->box.west &&
		piece->extent.south <= test->box.north && piece->extent.north >= test->box.south;
}

/*
 * Finds the stretches: pieces by their extent or top speed, and what was not cut
 * off yet of each track, all in order of tracker and time.
 */
static void
find_stretches(Backtest *test, Datum devices)
{
	Derivation *derivation = test->derivation;
	BOX			box = {.high = {test->box.east, test->box.north},.low = {test->box.west, test->box.south}};
	Datum		values[] = {BoxPGetDatum(&box), devices, TimestampTzGetDatum(test->low),
		TimestampTzGetDatum(test->high), Float8GetDatum(test->limit_kmh)};
	uint64		rows = derive_run(derivation, test->fence.shape ? SQL_NEAR_PIECES : SQL_FAST_PIECES,
								  values, devices ? NULL : " n   ");
	SPITupleTable *table = SPI_tuptable;

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = table->vals[i];
		Datum		device_id;
		TimestampTz since = derive_time(row, table->tupdesc, 2, DT_NOBEGIN);
		TimestampTz until = derive_time(row, table->tupdesc, 3, DT_NOEND);

		if (!derive_column(row, table->tupdesc, 1, &device_id))
			continue;
		if (until == DT_NOEND)
		{
			/* The last state: its piece tells, and where that began. */
			bytea	   *saved = derive_bytes(row, table->tupdesc, 4);
			DetectState *head = saved ? derivation_load(derivation, saved) : NULL;

			if (head == NULL || !is_head_concerned(test, detect_piece(head)))
				continue;
			since = detect_piece(head)->since;
		}
		add_stretch(test, DatumGetInt32(device_id), since, until);
	}
	SPI_freetuptable(table);
}

/* One stretch being followed. */
typedef struct Follower
{
	const DetectWorld *world;
	DetectState *state;
	bool		to_the_end;		/* all that is read is taken */
	bool		visits;			/* else until visits are settled, or episodes */
	TimestampTz last;
	TimestampTz settled;		/* episodes are by a record later than this */
	int			more;			/* records beyond the stretch */
} Follower;

static bool
follow_record(const DetectFix *fix, void *arg)
{
	Follower   *follower = arg;

	if (!follower->to_the_end)
	{
		if (follower->visits ? !detect_has_visits(follower->state) :
			follower->more > 1 && follower->last > follower->settled)
			return false;
		follower->more++;
	}
	detect_step(follower->state, fix, follower->world);
	follower->last = fix->time;
	return true;
}

/* Begins to follow a stretch; saved: the state at its start, or NULL. */
static void
begin_stretch(Backtest *test, const Stretch *stretch, const bytea *saved, Follower *follower)
{
	static const GeofenceMember nobody = {.from = DT_NOBEGIN};
	static const DeviceOptions nothing = {.valid_from = DT_NOBEGIN,.speed_limit_kmh = NAN};
	Derivation *derivation = test->derivation;

	MemoryContextReset(derivation->states);
	derivation_device(derivation, stretch->device_id, &nobody, &nothing, 1, DT_NOBEGIN);
	follower->state = NULL;
	if (saved && VARSIZE_ANY_EXHDR(saved) > 0)
		follower->state = derivation_load(derivation, saved);
	if (follower->state == NULL)
		follower->state = derivation_load(derivation, NULL);
	follower->to_the_end = true;
	follower->last = stretch->since;
	follower->more = 0;
}

/* Goes on beyond a stretch while a visit is not settled. */
static void
end_stretch(Backtest *test, const Stretch *stretch, Follower *follower)
{
	const DetectWorld *world = follower->world;

	follower->to_the_end = false;
	if (stretch->until == DT_NOEND)
		return;
	follower->settled = stretch->until + world->options(world->arg, stretch->until)->overspeed_merge;
	if (!follower->visits || detect_has_visits(follower->state))
		derive_read_records(test->derivation, stretch->device_id, follower->last, DT_NOEND, FETCH_MORE,
							follow_record, follower);
}

/* Reads the states that some stretches begin with: NULL where none is kept. */
static bytea **
read_states(Backtest *test, Datum *values, uint32 count)
{
	bytea	  **states = palloc0(count * sizeof(bytea *));
	uint64		rows = derive_run(test->derivation, SQL_STRETCH_STATES, values, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;

	for (uint64 i = 0; i < rows; i++)
	{
		Datum		n;

		if (derive_column(SPI_tuptable->vals[i], desc, 1, &n))
			states[DatumGetInt32(n) - 1] = derive_bytes(SPI_tuptable->vals[i], desc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return states;
}

/* Follows some stretches, read by one statement: one for each would cost more
 * than its records. */
static void
follow(Backtest *test, const DetectWorld *world, const Stretch *stretches, uint32 count)
{
	Derivation *derivation = test->derivation;
	Datum	   *columns = palloc(3 * count * sizeof(Datum));
	Follower	follower = {.world = world,.visits = test->fence.shape != NULL};
	uint32		at = 0;
	bytea	  **states;
	Portal		records;
	Datum		values[3];
	bool		more;

	for (uint32 i = 0; i < count; i++)
	{
		columns[i] = Int32GetDatum(stretches[i].device_id);
		columns[count + i] = TimestampTzGetDatum(stretches[i].since);
		columns[2 * count + i] = TimestampTzGetDatum(stretches[i].until);
	}
	for (uint32 i = 0; i < 3; i++)
		values[i] = PointerGetDatum(array_make(columns + i * count, count, i == 0 ? INT4OID : TIMESTAMPTZOID));
	/* An episode over the limits that there are is none of ours. */
	states = test->fence.shape ? read_states(test, values, count) : palloc0(count * sizeof(bytea *));
	records = SPI_cursor_open(NULL, derive_plan(derivation, SQL_STRETCH_RECORDS), values, NULL, true);
	do
	{
		SPITupleTable *table;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(records, true, FETCH_ROWS);
		table = SPI_tuptable;
		for (uint64 i = 0; i < table->numvals; i++)
		{
			DetectFix	fix;
			int32		n;

			derive_read_fix(&fix, table->vals[i], table->tupdesc, NULL, &n);
			if ((uint32) n != at)
			{
				if (at > 0)
					end_stretch(test, &stretches[at - 1], &follower);
				at = (uint32) n;
				begin_stretch(test, &stretches[at - 1], states[at - 1], &follower);
			}
			follow_record(&fix, &follower);
		}
		more = table->numvals > 0;
		SPI_freetuptable(table);
	} while (more);
	SPI_cursor_close(records);
	if (at > 0)
		end_stretch(test, &stretches[at - 1], &follower);
}

static int
compare_rows(const void *a, const void *b)
{
	const DerivedKey *left = &(*(DerivedRow *const *) a)->key;
	const DerivedKey *right = &(*(DerivedRow *const *) b)->key;

	if (left->device_id != right->device_id)
		return left->device_id > right->device_id ? 1 : -1;
	return (left->at > right->at) - (left->at < right->at);
}

/* Gives what was found, in order of tracker and time. */
static DerivedRow **
sort_rows(Backtest *test, long *count)
{
	HTAB	   *rows = test->derivation->rows;
	DerivedRow **sorted;
	HASH_SEQ_STATUS scan;
	DerivedRow *row;
	long		n = 0;

	*count = rows ? hash_get_num_entries(rows) : 0;
	sorted = palloc((Size) Max(*count, 1) * sizeof(DerivedRow *));
	if (rows)
	{
		hash_seq_init(&scan, rows);
		while ((row = hash_seq_search(&scan)) != NULL)
			sorted[n++] = row;
	}
	if (n > 1)
		qsort(sorted, (size_t) n, sizeof(DerivedRow *), compare_rows);
	return sorted;
}

DerivedRow **
backtest_run(Backtest *test, Oid schema, Datum devices, long *count)
{
	const DetectWorld world = {.arg = test,.options = backtest_options,.near = backtest_near,
		.active = backtest_active,.active_since = backtest_active_since,.rules = backtest_rules,.grow = backtest_grow,
	.put = backtest_put,.take = backtest_take};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "pt621 stretches of tracks",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;

	test->derivation = derivation_new(schema);
	/* There may be a million stretches, and as many states. */
	test->derivation->states = AllocSetContextCreate(CurrentMemoryContext, "pt621 stretch of a track",
													 ALLOCSET_DEFAULT_SIZES);
	find_stretches(test, devices);
	old = MemoryContextSwitchTo(scratch);
	for (uint32 i = 0; i < test->count; i += STRETCHES)
	{
		follow(test, &world, &test->stretches[i], Min(STRETCHES, test->count - i));
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return sort_rows(test, count);
}
