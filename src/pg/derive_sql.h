/*
 * derive_sql.h
 *		The statements that deriving consists of: private to derive*.c.
 */
#ifndef PT621_PG_DERIVE_SQL_H
#define PT621_PG_DERIVE_SQL_H

#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "fmgr.h"

#include "pg/derive.h"

typedef enum DeriveStatement
{
	SQL_FLEET,
	SQL_DEVICE_OPTIONS,
	SQL_STATE,
	SQL_SAVE_STATE,
	SQL_PIECE_BEFORE,
	SQL_FIRST_PIECE,
	SQL_PIECES_AFTER,
	SQL_RECORDS,
	SQL_SENSOR_RECORDS,
	SQL_SENSOR_RULES,
	SQL_SENSOR_WIRES,
	SQL_SENSOR_CHANGED,
	SQL_LIVE_EVENTS,
	SQL_LIVE_VISITS,
	SQL_STRETCH_STATES,
	SQL_STRETCH_RECORDS,
	SQL_NEAR_PIECES,
	SQL_FAST_PIECES,
	SQL_DROP_PIECES,
	SQL_INSERT_PIECES,
	SQL_SUPERSEDE_VISITS,
	SQL_SUPERSEDE_EVENTS,
	SQL_UPDATE_VISITS,
	SQL_UPDATE_EVENTS,
	SQL_INSERT_VISITS,
	SQL_INSERT_EVENTS,
	DERIVE_STATEMENTS
} DeriveStatement;

extern uint64 derive_run(Derivation *derivation, DeriveStatement statement,
						 Datum *values, const char *nulls);
extern SPIPlanPtr derive_plan(Derivation *derivation, DeriveStatement statement);

/* Read column `number` of a row that SPI gave: false, NULL, NAN, no text or
 * `otherwise` when it is NULL. */
extern bool derive_column(HeapTuple row, TupleDesc desc, int number, Datum *value);
extern text *derive_text(HeapTuple row, TupleDesc desc, int number);
extern DetectText derive_detect_text(HeapTuple row, TupleDesc desc, int number);
extern double derive_float(HeapTuple row, TupleDesc desc, int number);
extern TimestampTz derive_time(HeapTuple row, TupleDesc desc, int number, TimestampTz otherwise);
extern int64 derive_int64(HeapTuple row, TupleDesc desc, int number);	/* 0 when it is NULL */
extern bool derive_bool(HeapTuple row, TupleDesc desc, int number);
extern bytea *derive_bytes(HeapTuple row, TupleDesc desc, int number);	/* a copy */

struct SensorRaw;

/* Reads a record from a row of SQL_RECORDS; of SQL_SENSOR_RECORDS with what its
 * sensors say, or of SQL_STRETCH_RECORDS with the number of its stretch: else NULL. */
extern void derive_read_fix(DetectFix *fix, HeapTuple row, TupleDesc desc,
							struct SensorRaw *sensors, int32 *stretch);

/*
 * Reads the records of a tracker after one time and up to another, `fetch` at
 * once, until take() returns false.
 */
extern void derive_read_records(Derivation *derivation, int32 device_id, TimestampTz after,
								TimestampTz until, int fetch,
								bool (*take) (const DetectFix *fix, void *arg), void *arg);

/*
 * Reads three arguments in step, int4[], timestamptz[] and timestamptz[]: trackers
 * and periods.  Those with a NULL are left out.  In the current context.
 */
extern DerivePeriod *derive_get_periods(FunctionCallInfo fcinfo, int *count);

/* Reads pt621.detection. */
extern void derive_read_fleet(Derivation *derivation);

/* The detail of an event, as jsonb would show it; NULL = it has none. */
extern char *derive_detail(const DetectRow *row);

/* Tells whether two numbers of a row are the same; NAN = none. */
static inline bool
derive_same_float(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* Tells whether a detail, as text, is that of a wanted event. */
extern bool derive_same_detail(const DetectRow *wanted, text *there);

#endif							/* PT621_PG_DERIVE_SQL_H */
