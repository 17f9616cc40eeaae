/*
 * derive_compare.c
 *		Compares the rows that are wanted of a tracker with those that are there.
 *
 * Invariant.  Rows that say the same are not touched.  One that is there and is
 * wrong is superseded; one that was open, and right so far, is completed.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "pg/derive_turn.h"

static bool
is_same_text(const DetectText *a, const DetectText *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/*
 * Settles what becomes of a row that is there and is wanted.
 *
 * until: its end, if it has one.  same_start: it is the same but for its end.  same:
 * it is the same.  extends: its end may move.
 */
static void
settle_row(Turn *turn, DerivedRow *wanted, DetectTime until, bool same_start, bool same, bool extends)
{
	bool		complete = until != DETECT_NO_TIME;
	bool		stays_open = wanted->row.until == DETECT_NO_TIME;

	wanted->write = WRITE_NOTHING;
	/* What came after the turn, to a state that is the same, has ended it, or has
	 * moved its end. */
	if (same || (same_start && complete && turn->converged && (extends ? until > turn->high : stays_open)))
		return;
	if (same_start && !stays_open && (!complete || extends))
	{
		wanted->write = WRITE_UPDATE;
		return;
	}
	wanted->supersede = true;
	wanted->write = WRITE_INSERT;
}

/* Settles what becomes of one that is there and is not wanted. */
static void
settle_unwanted(Turn *turn, const DetectRow *there)
{
	DerivedRow *row;

	if (there->confirmed_at <= turn->low)
		return;
	turn->derivation->world.put(turn->derivation, there);
	row = derivation_find(turn->derivation, there);
	row->write = WRITE_NOTHING;
	row->supersede = true;
}

/* Which of the kinds that follow from one track; DETECT_KINDS = none of them. */
static DetectKind
kind_of(text *name)
{
	for (int kind = DETECT_VISIT + 1; kind < DETECT_PROXIMITY; kind++)
	{
		const char *known = detect_kind_name((DetectKind) kind);

		if (strlen(known) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(known, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0)
			return (DetectKind) kind;
	}
	return DETECT_KINDS;
}

/* Compares the events that are there with those wanted; first: when the first of
 * those was confirmed that were open at the start. */
void
turn_compare_events(Turn *turn, TimestampTz first)
{
	Datum		values[] = {Int32GetDatum(turn->device_id), TimestampTzGetDatum(Min(first, turn->low + (turn->low != DT_NOBEGIN))),
		TimestampTzGetDatum(turn->high)};
	uint64		rows = derive_run(turn->derivation, SQL_LIVE_EVENTS, values, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		DetectRow	there;
		DerivedRow *wanted;
		Datum		fence;
		bool		same_start;
		bool		extends;

		memset(&there, 0, sizeof(there));
		there.kind = kind_of(derive_text(row, desc, 1));
		if (there.kind == DETECT_KINDS)
			continue;			/* the user's own, or proximity */
		derive_column(row, desc, 2, &fence);
		there.fence = DatumGetInt32(fence);
		there.object = derive_detect_text(row, desc, 3);
		there.at = derive_time(row, desc, 4, DT_NOBEGIN);
		there.until = derive_time(row, desc, 5, DETECT_NO_TIME);
		there.confirmed_at = derive_time(row, desc, 6, DT_NOBEGIN);
		there.code = derive_detect_text(row, desc, 7);
		there.lon = derive_float(row, desc, 8);
		there.lat = derive_float(row, desc, 9);
		wanted = derivation_find(turn->derivation, &there);
		if (wanted == NULL)
		{
			settle_unwanted(turn, &there);
			continue;
		}
		extends = there.kind == DETECT_POWER_CUT || there.kind == DETECT_LOW_BATTERY;
		same_start = there.confirmed_at == wanted->row.confirmed_at &&
			is_same_text(&there.code, &wanted->row.code) &&
			derive_same_float(there.lon, wanted->row.has_place ? wanted->row.lon : NAN) &&
			derive_same_float(there.lat, wanted->row.has_place ? wanted->row.lat : NAN);
		settle_row(turn, wanted, there.until, same_start,
				   same_start && there.until == wanted->row.until &&
				   derive_same_detail(&wanted->row, derive_text(row, desc, 10)), extends);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Compares the visits that are there with those wanted. */
void
turn_compare_visits(Turn *turn, ArrayType *fences, ArrayType *enters)
{
	Datum		values[] = {Int32GetDatum(turn->device_id), TimestampTzGetDatum(turn->low + (turn->low != DT_NOBEGIN)),
		TimestampTzGetDatum(turn->high), PointerGetDatum(fences), PointerGetDatum(enters)};
	uint64		rows = derive_run(turn->derivation, SQL_LIVE_VISITS, values, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		DetectRow	there;
		DerivedRow *wanted;
		Datum		fence;
		bool		same_start;
		bool		same;

		memset(&there, 0, sizeof(there));
		there.kind = DETECT_VISIT;
		derive_column(row, desc, 1, &fence);
		there.fence = DatumGetInt32(fence);
		there.at = derive_time(row, desc, 2, DT_NOBEGIN);
		there.until = derive_time(row, desc, 3, DETECT_NO_TIME);
		there.confirmed_at = derive_time(row, desc, 4, DT_NOBEGIN);
		there.driver = derive_detect_text(row, desc, 12);
		wanted = derivation_find(turn->derivation, &there);
		if (wanted == NULL)
		{
			settle_unwanted(turn, &there);
			continue;
		}
		same_start = there.confirmed_at == wanted->row.confirmed_at &&
			derive_bool(row, desc, 5) == wanted->row.enter_unknown &&
			derive_bool(row, desc, 8) == wanted->row.passed &&
			is_same_text(&there.driver, &wanted->row.driver);
		same = same_start && there.until == wanted->row.until &&
			derive_bool(row, desc, 6) == wanted->row.exit_unknown &&
			derive_bool(row, desc, 7) == wanted->row.interpolated &&
			derive_same_float(derive_float(row, desc, 9), wanted->row.interpolated ? wanted->row.uncertainty_s : NAN);
		if (same && there.until != DETECT_NO_TIME)
			same = derive_same_float(derive_float(row, desc, 10), wanted->row.metres) &&
				derive_same_float((float) derive_float(row, desc, 11), (float) wanted->row.top_speed_kmh);
		settle_row(turn, wanted, there.until, same_start, same, false);
	}
	SPI_freetuptable(SPI_tuptable);
}
