/*
 * proximity_scan.c
 *		Reads the tracks of a pair side by side.
 *
 * Invariant.  What a scan says of its samples is what one from the very beginning
 * would: the places that a sample takes are no further from it than the longest
 * gap, and so much is read before the first.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/derive_sql.h"
#include "pg/proximity_private.h"

/* Rows read at once: first, and then. */
#define FETCH_FIRST	32
#define FETCH_ROWS	500

/* The places of one tracker. */
typedef struct Track
{
	Portal		portal;
	SPITupleTable *table;		/* rows that were fetched */
	uint64		count;
	uint64		at;
	long		fetch;
	bool		ended;
	ProximityPlace place;		/* the next one, unless it has ended */
} Track;

static void
next_place(Track *track)
{
	HeapTuple	row;

	if (track->at == track->count)
	{
		CHECK_FOR_INTERRUPTS();
		if (track->table)
			SPI_freetuptable(track->table);
		SPI_cursor_fetch(track->portal, true, track->fetch);
		track->table = SPI_tuptable;
		track->count = SPI_processed;
		track->at = 0;
		track->fetch = FETCH_ROWS;
	}
	if (track->count == 0)
	{
		track->ended = true;
		return;
	}
	row = track->table->vals[track->at++];
	track->place.time = derive_time(row, track->table->tupdesc, 1, DT_NOBEGIN);
	/* Adding nothing makes a zero of a minus zero. */
	track->place.lon = derive_float(row, track->table->tupdesc, 2) + 0.0;
	track->place.lat = derive_float(row, track->table->tupdesc, 3) + 0.0;
}

static void
open_track(Track *track, const ProximityPair *pair, int who, TimestampTz low, TimestampTz high)
{
	Datum		values[] = {Int32GetDatum(pair->id[who]), TimestampTzGetDatum(low), TimestampTzGetDatum(high)};

	memset(track, 0, sizeof(*track));
	track->portal = SPI_cursor_open(NULL, proximity_plan(pair->schema, SQL_PLACES), values, NULL, false);
	track->fetch = FETCH_FIRST;
	next_place(track);
}

static void
close_track(Track *track)
{
	if (track->table)
		SPI_freetuptable(track->table);
	SPI_cursor_close(track->portal);
}

static int64
gap_at(const ProximityGaps *gaps, TimestampTz time)
{
	int			i = gaps->count - 1;

	while (i > 0 && gaps->gaps[i].valid_from > time)
		i--;
	return gaps->gaps[i].gap;
}

static void *
scan_grow(void *arg, void *old, size_t size)
{
	return old ? repalloc_huge(old, size) : MemoryContextAllocHuge(((ProximityScan *) arg)->context, size);
}

/* Keeps the episode at hand. */
static void
add_found(ProximityScan *scan, bool goes_on)
{
	if (scan->count == scan->room)
	{
		scan->room = Max(scan->room * 2, 16);
		scan->found = scan_grow(scan, scan->found, (Size) scan->room * sizeof(ProximityFound));
	}
	scan->found[scan->count++] = (ProximityFound)
	{
		.episode = scan->fold.episode,.begun_before = scan->begun_before,.goes_on = goes_on
	};
	scan->begun_before = false;
}

/* Settles what the pair is, if a sample does that. */
static void
try_to_settle(ProximityScan *scan, const ProximitySample *sample)
{
	if (sample->time > scan->settle_by)
		scan->failed = scan->done = true;
	else if (sample->is != PROXIMITY_BETWEEN && !(scan->whole && sample->is == PROXIMITY_NEAR))
	{
		scan->settled = true;
		scan->start = sample->time;
		scan->start_near = scan->begun_before = sample->is == PROXIMITY_NEAR;
	}
}

/* Takes in a sample. */
static void
scan_put(void *arg, const ProximitySample *sample)
{
	ProximityScan *scan = arg;

	if (scan->done || sample->time < scan->from)
		return;
	if (!scan->settled)
		try_to_settle(scan, sample);
	if (!scan->settled)
		return;
	if (proximity_fold(&scan->fold, sample))
		add_found(scan, false);
	if (sample->time >= scan->until && sample->is != PROXIMITY_BETWEEN &&
		!(scan->whole && sample->is == PROXIMITY_NEAR))
	{
		scan->done = true;
		scan->end = sample->time;
	}
}

void
proximity_scan(ProximityScan *scan)
{
	const ProximityPair *pair = scan->pair;
	TimestampTz low = Max(proximity_plus(scan->from, -pair->gaps->longest), pair->since);
	TimestampTz high = proximity_plus(scan->before, -1);
	ProximityMerge merge = {.near_m = pair->near_m,.far_m = pair->far_m,.arg = scan,
	.grow = scan_grow,.put = scan_put};
	Track		track[2];

	scan->start = scan->settled ? scan->from : DT_NOBEGIN;
	scan->end = DT_NOEND;
	scan->begun_before = scan->resumed;
	for (int who = 0; who < 2; who++)
		open_track(&track[who], pair, who, low, high);
	scan->first = DT_NOEND;
	for (int who = 0; who < 2; who++)
	{
		if (!track[who].ended)
			scan->first = Min(scan->first, track[who].place.time);
	}
	while (!scan->done && !(track[0].ended && track[1].ended))
	{
		int			who = track[0].ended || (!track[1].ended && track[1].place.time < track[0].place.time);

		track[who].place.gap = gap_at(pair->gaps, track[who].place.time);
		proximity_take(&merge, who, &track[who].place);
		next_place(&track[who]);
	}
	if (!scan->done)
		proximity_finish(&merge);
	for (int who = 0; who < 2; who++)
		close_track(&track[who]);
	scan->failed |= !scan->settled;
	if (scan->fold.near && !scan->failed)
		add_found(scan, scan->end != DT_NOEND);
}
