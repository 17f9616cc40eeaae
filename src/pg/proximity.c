/*
 * proximity.c
 *		Proximity of linked trackers: what changes with their records.
 *
 * Invariant.  Outside the span that changed records bear upon, the rows that are
 * there agree with the tracks.  So it is enough to look from a time before it at
 * which the tracks alone say whether the pair is near, to one after it, and where
 * something is otherwise, to do the episodes concerned anew from end to end.  A
 * look that finds rows of records not followed up yet goes further, and whoever
 * follows those up finds what is left.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/derive_sql.h"
#include "pg/proximity_private.h"
#include "pg/settings.h"

/* How far back a look begins, and how much further each time that tells nothing;
 * beyond the last it begins at the very beginning. */
#define BACK_FIRST	(120 * USECS_PER_SEC)
#define BACK_TIMES	8
#define BACK_LAST	(3650 * USECS_PER_DAY)

/* What samples may be others: after `low`, before `high`. */
typedef struct Window
{
	TimestampTz low;
	TimestampTz high;
} Window;

/* A row that is there. */
typedef struct Live
{
	ProximityEpisode episode;	/* but for how near they came */
	text	   *detail;
} Live;

/* One pair being followed up. */
typedef struct Work
{
	Derivation *derivation;
	ProximityPair pair;
	MemoryContext context;		/* of one look */
	TimestampTz dropped;		/* earlier records may be gone */
	Window	   *windows;
	int			count;
	Live	   *live;			/* rows that a scan is compared with */
	int			live_count;
} Work;

bool
proximity_any(Oid schema)
{
	return proximity_run(schema, SQL_ANY_LINK, NULL) > 0;
}

/* ------------------------------------------------------------- windows -- */

/* Finds a place of a tracker's next to a time, between bounds; or `otherwise`. */
static TimestampTz
find_place(Work *work, ProximityStatement statement, int32 device_id, TimestampTz low,
		   TimestampTz high, TimestampTz otherwise)
{
	Datum		values[] = {Int32GetDatum(device_id), TimestampTzGetDatum(low), TimestampTzGetDatum(high)};

	if (proximity_run(work->pair.schema, statement, values) > 0)
		otherwise = derive_time(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, otherwise);
	SPI_freetuptable(SPI_tuptable);
	return otherwise;
}

static void
add_window(Work *work, TimestampTz low, TimestampTz high)
{
	work->windows[work->count++] = (Window)
	{
		low, high
	};
}

/*
 * Adds what the records of a period bear upon: samples up to a gap from them, and
 * no further than the places beside them; and those after the place before, of
 * which it may be clear now that nothing will be known.
 */
static void
add_windows(Work *work, const DerivePeriod *period)
{
	const ProximityPair *pair = &work->pair;
	int64		gap = pair->gaps->longest;
	TimestampTz low = Max(period->low, pair->since);
	TimestampTz far = proximity_plus(period->high, gap + 1);
	TimestampTz before;
	TimestampTz high;

	if (period->high < pair->since || low == DT_NOEND)
		return;
	before = find_place(work, SQL_PLACE_BEFORE, period->device_id, pair->since, low, DT_NOBEGIN);
	high = find_place(work, SQL_PLACE_AFTER, period->device_id, period->high, far, far);
	if (before == DT_NOBEGIN)
		add_window(work, proximity_plus(low, -1), high);
	else if (proximity_plus(before, 2 * gap + 1) >= low)
		add_window(work, before, high);
	else
	{
		add_window(work, before, proximity_plus(before, gap + 1));
		add_window(work, proximity_plus(low, -gap), high);
	}
}

static int
compare_windows(const void *a, const void *b)
{
	const Window *left = a;
	const Window *right = b;

	return (left->low > right->low) - (left->low < right->low);
}

/* Finds the windows of a pair, in order; those that meet are one. */
static void
find_windows(Work *work, const DerivePeriod *periods, int count)
{
	int			kept = 0;

	work->windows = palloc((Size) count * 2 * sizeof(Window));
	work->count = 0;
	for (int i = 0; i < count; i++)
	{
		if (periods[i].device_id == work->pair.id[0] || periods[i].device_id == work->pair.id[1])
			add_windows(work, &periods[i]);
	}
	if (work->count > 1)
		qsort(work->windows, (size_t) work->count, sizeof(Window), compare_windows);
	for (int i = 0; i < work->count; i++)
	{
		if (kept > 0 && work->windows[i].low <= work->windows[kept - 1].high)
			work->windows[kept - 1].high = Max(work->windows[kept - 1].high, work->windows[i].high);
		else
			work->windows[kept++] = work->windows[i];
	}
	work->count = kept;
}

/* --------------------------------------------------------------- looks -- */

/* Makes the row of an episode. */
static DetectRow
make_row(const Work *work, const ProximityEpisode *episode)
{
	DetectRow	row;

	memset(&row, 0, sizeof(row));
	row.kind = DETECT_PROXIMITY;
	row.object = work->pair.partner;
	row.at = episode->at;
	row.until = episode->until;
	row.confirmed_at = episode->confirmed_at;
	row.has_place = !isnan(episode->lon);
	row.lon = episode->lon;
	row.lat = episode->lat;
	row.near_m = work->pair.near_m;
	row.metres = isfinite(episode->closest_m) ? episode->closest_m : NAN;
	row.peak_at = isfinite(episode->closest_m) ? episode->closest_at : DETECT_NO_TIME;
	return row;
}

/*
 * Looks at the tracks: from where they tell what the pair is, no later than
 * `low`, to where they do so again, no earlier than `high`.
 */
static void
look(Work *work, ProximityScan *scan, TimestampTz low, TimestampTz high, bool whole)
{
	for (int64 back = BACK_FIRST;; back *= BACK_TIMES)
	{
		TimestampTz from = back > BACK_LAST ? DT_NOBEGIN : proximity_plus(low, -back);

		MemoryContextReset(work->context);
		*scan = (ProximityScan)
		{
			.pair = &work->pair,.context = work->context,.from = Max(from, work->pair.since),
				.settle_by = low,.until = high,.before = DT_NOEND,.whole = whole,
				.settled = from <= work->pair.since
		};
		proximity_scan(scan);
		if (!scan->failed)
			return;
	}
}

/* Looks on from a row whose first records may be gone. */
static void
look_from(Work *work, ProximityScan *scan, const Live *live, TimestampTz high)
{
	/* What is in the context goes. */
	ProximityEpisode kept = live->episode;
	bool		open = kept.until == DETECT_NO_TIME;

	MemoryContextReset(work->context);
	*scan = (ProximityScan)
	{
		.pair = &work->pair,.context = work->context,.from = open ? kept.at : kept.until + 1,
			.settle_by = DT_NOEND,.until = high,.before = DT_NOEND,.whole = true,.settled = true,.resumed = open,
			.fold = {.near = open,.episode = kept,.last_known = kept.at}
	};
	proximity_scan(scan);
}

/* Tells whether the records that a row began with may be gone. */
static bool
is_of_dropped(const Work *work, const ProximityScan *scan, const ProximityEpisode *there)
{
	return there->at < work->dropped && there->at < scan->first && !scan->resumed;
}

/* Reads the rows that hold somewhere between start and end of a scan. */
static void
read_live(Work *work, const ProximityScan *scan)
{
	const ProximityPair *pair = &work->pair;
	Datum		values[] = {Int32GetDatum(pair->id[0]),
		PointerGetDatum(cstring_to_text_with_len(pair->partner.bytes, pair->partner.size)),
	TimestampTzGetDatum(pair->since), TimestampTzGetDatum(scan->start), TimestampTzGetDatum(scan->end)};
	uint64		rows = proximity_run(pair->schema, SQL_LIVE, values);
	TupleDesc	desc = SPI_tuptable->tupdesc;
	MemoryContext old = MemoryContextSwitchTo(work->context);

	work->live = palloc(Max(rows, 1) * sizeof(Live));
	work->live_count = 0;
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Live	   *live = &work->live[work->live_count];
		text	   *detail = derive_text(row, desc, 6);

		live->episode = (ProximityEpisode)
		{
			.at = derive_time(row, desc, 1, DT_NOBEGIN),.until = derive_time(row, desc, 2, DETECT_NO_TIME),
				.confirmed_at = derive_time(row, desc, 3, DT_NOBEGIN),.lon = derive_float(row, desc, 4),
				.lat = derive_float(row, desc, 5),.closest_m = INFINITY,.closest_at = DETECT_NO_TIME
		};
		live->detail = detail ? (text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(detail)) : NULL;
		/* The first one may have ended before; and what the tables cannot show any
		 * more stays. */
		if (live->episode.until != DETECT_NO_TIME && live->episode.at < scan->start &&
			(live->episode.until < scan->start || (live->episode.until == scan->start && !scan->start_near)))
			continue;
		if (live->episode.until != DETECT_NO_TIME && live->episode.until < scan->first &&
			is_of_dropped(work, scan, &live->episode))
			continue;
		work->live_count++;
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

/* Tells whether a row that is there begins as an episode does. */
static bool
is_same_start(const ProximityEpisode *there, const ProximityEpisode *wanted)
{
	return there->at == wanted->at && there->confirmed_at == wanted->confirmed_at &&
		derive_same_float(there->lon, wanted->lon) && derive_same_float(there->lat, wanted->lat);
}

/* Tells whether a row says what was found, as far as that goes. */
static bool
agrees(const Work *work, const ProximityFound *found, const Live *live, const Window *window)
{
	const ProximityEpisode *there = &live->episode;
	const ProximityEpisode *wanted = &found->episode;
	DetectRow	row = make_row(work, wanted);

	if (found->begun_before ? there->at > wanted->at : !is_same_start(there, wanted))
		return false;
	if (found->goes_on)
	{
		/* How near they came, an end says, and that may have changed. */
		if (there->until != DETECT_NO_TIME && wanted->at < window->high)
			return false;
		return found->begun_before || there->until != DETECT_NO_TIME || derive_same_detail(&row, live->detail);
	}
	if (there->until != wanted->until)
		return false;
	if (!found->begun_before)
		return derive_same_detail(&row, live->detail);
	return wanted->until == DETECT_NO_TIME || wanted->until <= window->low;
}

/* Tells whether the rows that are there say what a scan found. */
static bool
all_agree(const Work *work, const ProximityScan *scan, const Window *window)
{
	if (work->live_count != scan->count)
		return false;
	for (int i = 0; i < scan->count; i++)
	{
		if (!agrees(work, &scan->found[i], &work->live[i], window))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- rows -- */

/* Settles what becomes of a row that is there. */
static void
settle_live(Work *work, const Live *live)
{
	Derivation *derivation = work->derivation;
	DetectRow	row = make_row(work, &live->episode);
	DerivedRow *wanted = derivation_find(derivation, &row);
	DetectRow	open;
	ProximityEpisode begun;
	bool		same_start;

	if (wanted == NULL)
	{
		derivation->world.put(derivation, &row);
		wanted = derivation_find(derivation, &row);
		wanted->write = WRITE_NOTHING;
		wanted->supersede = true;
		return;
	}
	begun = (ProximityEpisode)
	{
		.at = wanted->row.at,.confirmed_at = wanted->row.confirmed_at,.lon = wanted->row.lon,.lat = wanted->row.lat
	};
	open = wanted->row;
	open.until = live->episode.until;
	same_start = is_same_start(&live->episode, &begun) && derive_same_detail(&open, live->detail);
	if (same_start && live->episode.until == wanted->row.until)
		wanted->write = WRITE_NOTHING;
	else if (same_start && live->episode.until == DETECT_NO_TIME)
		wanted->write = WRITE_UPDATE;
	else
	{
		wanted->supersede = true;
		wanted->write = WRITE_INSERT;
	}
}

/* Writes what a whole scan found in the place of what is there. */
static void
write_found(Work *work, const ProximityScan *scan)
{
	Derivation *derivation = work->derivation;

	derivation->device_id = work->pair.id[0];
	for (int i = 0; i < scan->count; i++)
	{
		DetectRow	row = make_row(work, &scan->found[i].episode);

		derivation->world.put(derivation, &row);
		derivation_find(derivation, &row)->write = WRITE_INSERT;
	}
	for (int i = 0; i < work->live_count; i++)
		settle_live(work, &work->live[i]);
	derivation_write(derivation);
}

/*
 * Does the episodes of a window anew, from end to end: further back while a row
 * from before goes into it, further on while one goes beyond.
 */
static void
do_anew(Work *work, Window window)
{
	ProximityScan scan;

	look(work, &scan, window.low, window.high, true);
	for (;;)
	{
		const Live *first;
		const Live *last;

		CHECK_FOR_INTERRUPTS();
		read_live(work, &scan);
		first = work->live_count > 0 ? &work->live[0] : NULL;
		last = work->live_count > 0 ? &work->live[work->live_count - 1] : NULL;
		if (first && is_of_dropped(work, &scan, &first->episode))
			look_from(work, &scan, first, window.high);
		else if (first && first->episode.at < scan.start)
		{
			window.low = first->episode.at - 1;
			look(work, &scan, window.low, window.high, true);
		}
		else if (last && last->episode.until != DETECT_NO_TIME && last->episode.until > scan.end)
		{
			window.high = last->episode.until;
			look(work, &scan, window.low, window.high, true);
		}
		else
			break;
	}
	write_found(work, &scan);
}

static void
do_window(Work *work, const Window *window)
{
	ProximityScan scan;

	look(work, &scan, window->low, window->high, false);
	read_live(work, &scan);
	if (!all_agree(work, &scan, window))
		do_anew(work, *window);
}

/* ------------------------------------------------------------ all pairs -- */

void
proximity_derive(Derivation *derivation, const DerivePeriod *periods, int count)
{
	Work		work = {.derivation = derivation};
	ProximityGaps gaps = {0};
	ProximityPair *pairs;
	uint64		pair_count;

	pairs = proximity_read_pairs(derivation->schema, periods, count, &gaps, &pair_count);
	if (pair_count == 0)
		return;
	proximity_lock_pairs(pairs, pair_count);
	proximity_read_gaps(derivation->schema, &gaps, CurrentMemoryContext);
	work.dropped = DT_NOBEGIN;
	if (setting_retention_positions > 0)
		work.dropped = proximity_plus(GetCurrentTransactionStartTimestamp(), -(setting_retention_positions * USECS_PER_MINUTE));
	work.context = AllocSetContextCreate(CurrentMemoryContext, "pt621 proximity", ALLOCSET_DEFAULT_SIZES);
	for (uint64 i = 0; i < pair_count; i++)
	{
		work.pair = pairs[i];
		find_windows(&work, periods, count);
		for (int at = 0; at < work.count; at++)
			do_window(&work, &work.windows[at]);
	}
	MemoryContextDelete(work.context);
}
