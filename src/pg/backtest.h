/*
 * backtest.h
 *		What a fence or a limit would have shown: private to backtest*.c.
 */
#ifndef PT621_PG_BACKTEST_H
#define PT621_PG_BACKTEST_H

#include "postgres.h"

#include "pg/derive_sql.h"

/* The one fence that there is: no other has this id. */
#define BACKTEST_FENCE	PG_INT32_MIN

/* A part of a track that may show something. */
typedef struct Stretch
{
	int32		device_id;
	TimestampTz since;			/* end of the piece before; DT_NOBEGIN = none */
	TimestampTz until;			/* DT_NOEND: to its last record */
} Stretch;

typedef struct Backtest
{
	Derivation *derivation;
	DetectFence fence;			/* shape NULL: a limit is tested */
	const DetectFence *found;
	GeoBox		box;			/* where something can happen */
	double		limit_kmh;
	DetectOptions options;
	TimestampTz low;
	TimestampTz high;
	Stretch    *stretches;
	uint32		count;
	uint32		room;
} Backtest;

/*
 * Runs a test whose fence or limit, and period, is set; devices: integer[], or 0 =
 * all.  Gives what was found, in order of tracker and time; within SPI.
 */
extern DerivedRow **backtest_run(Backtest *test, Oid schema, Datum devices, long *count);

#endif							/* PT621_PG_BACKTEST_H */
