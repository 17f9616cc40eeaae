/*
 * row.h
 *		One row of a set-returning function under construction.
 *
 * Invariant.  Values live in the row's own scratch memory until the next
 * row_start(); only what does not fit there is palloc'd.
 */
#ifndef PT621_PG_ROW_H
#define PT621_PG_ROW_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "codec/pt621_codec.h"

#define ROW_COLUMNS_MAX		40
/* The bytes of a unit, of its photo data and of its record, and headers. */
#define ROW_SCRATCH			(2 * PT621_PENDING_MAX + 4 * PT621_RECORD_MAX)

typedef struct Row
{
	int			columns;
	Datum		values[ROW_COLUMNS_MAX];
	bool		nulls[ROW_COLUMNS_MAX];
	FmgrInfo	make_point;		/* PostGIS: ST_Point(x, y, srid) */
	void	   *point;			/* what it gave for this row, or NULL */
	struct varlena *pattern;	/* a point: its last two doubles are x and y */
	size_t		used;
	char		scratch[ROW_SCRATCH] pg_attribute_aligned(MAXIMUM_ALIGNOF);
} Row;

/* What a set-returning function writes to. */
typedef struct RowSink
{
	Row		   *row;
	TupleDesc	desc;
	Tuplestorestate *store;
} RowSink;

/*
 * Prepares fcinfo's result for rows of `columns` columns; the Row is kept with
 * the function call, so that a query pays for it once.  geometry_column: the
 * (0-based) column that has PostGIS's type, or -1.
 */
extern void row_sink_open(RowSink *sink, FunctionCallInfo fcinfo, int columns,
						  int geometry_column);

extern void row_start(Row *row);
extern void row_emit(RowSink *sink);

static inline void
row_set(Row *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* The following leave the column NULL when the value is missing. */
extern void row_bytes(Row *row, int column, const uint8_t *bytes, size_t size);
extern void row_text(Row *row, int column, Pt621Text text);
extern void row_cstring(Row *row, int column, const char *string);
extern void row_bits(Row *row, int column, Pt621Bits bits);
extern void row_adc(Row *row, int column, const Pt621Record *record);
extern void row_real(Row *row, int column, double value);
extern void row_smallint(Row *row, int column, int value);
extern void row_point(Row *row, int column, double longitude, double latitude);

/* Microseconds since 1970 as PostgreSQL counts them. */
static inline TimestampTz
timestamptz_from_unix(int64_t microseconds)
{
	return microseconds -
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

#endif							/* PT621_PG_ROW_H */
