/*
 * backtest_sql.c
 *		Back-tests, as functions for SQL.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/backtest.h"
#include "pg/row.h"

/* Reads the bounds of the period that are arguments number `at` and the next. */
static void
read_period(FunctionCallInfo fcinfo, int at, Backtest *test)
{
	test->low = PG_ARGISNULL(at) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(at);
	test->high = PG_ARGISNULL(at + 1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(at + 1);
}

/* All but numbers 1 to 3, bounds and devices, must be there. */
static void
require_arguments(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && (i == 0 || i > 3))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d of a back-test is NULL", i + 1)));
	}
}

/* Months count 30 days. */
static int64
microseconds(const Interval *interval)
{
	int64		days = interval->day + INT64CONST(30) * interval->month;

	/* Longer than any track. */
	return Min(Max(days, 0), 10000000) * USECS_PER_DAY + Min(Max(interval->time, 0), 10000000 * USECS_PER_DAY);
}

/* Gives GEOS's memory back, however the call ends. */
static void
free_shape(void *arg)
{
	geo_shape_free(arg);
}

/* Columns of pt621_backtest_visits(). */
enum
{
	VISIT_DEVICE_ID, VISIT_ENTER_AT, VISIT_EXIT_AT, VISIT_ENTER_UNKNOWN, VISIT_EXIT_UNKNOWN,
	VISIT_INTERPOLATED, VISIT_PASSED, VISIT_UNCERTAINTY_S, VISIT_SECONDS, VISIT_METRES,
	VISIT_TOP_SPEED_KMH, VISIT_DRIVER,
	VISIT_COLUMNS
};

static void
put_visit(Row *row, const DerivedRow *found)
{
	const DetectRow *visit = &found->row;

	row_start(row);
	row_set(row, VISIT_DEVICE_ID, Int32GetDatum(found->key.device_id));
	row_set(row, VISIT_ENTER_AT, TimestampTzGetDatum(visit->at));
	row_set(row, VISIT_ENTER_UNKNOWN, BoolGetDatum(visit->enter_unknown));
	row_set(row, VISIT_EXIT_UNKNOWN, BoolGetDatum(visit->exit_unknown));
	row_set(row, VISIT_INTERPOLATED, BoolGetDatum(visit->interpolated));
	row_set(row, VISIT_PASSED, BoolGetDatum(visit->passed));
	if (visit->interpolated)
		row_set(row, VISIT_UNCERTAINTY_S, Float8GetDatum(visit->uncertainty_s));
	if (visit->until != DETECT_NO_TIME)
	{
		row_set(row, VISIT_EXIT_AT, TimestampTzGetDatum(visit->until));
		row_set(row, VISIT_SECONDS, Float8GetDatum((double) (visit->until - visit->at) / DETECT_SECOND));
		row_set(row, VISIT_METRES, Float8GetDatum(visit->metres));
		row_real(row, VISIT_TOP_SPEED_KMH, visit->top_speed_kmh);
	}
	if (visit->driver.size > 0)
		row_bytes(row, VISIT_DRIVER, (const uint8_t *) visit->driver.bytes, visit->driver.size);
}

PG_FUNCTION_INFO_V1(pt621_backtest_visits);

/*
 * pt621_backtest_visits(shape, low, high, devices, min_dwell_in, min_dwell_out,
 * min_fixes_in, min_fixes_out, exit_buffer_m, interpolate): the visits that a
 * fence of this shape (WKB) would have had; none of the rest may be NULL but
 * low, high and devices.
 */
Datum
pt621_backtest_visits(PG_FUNCTION_ARGS)
{
	Backtest	test = {0};
	bytea	   *wkb;
	GeoError	error = {""};
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));
	DerivedRow **rows;
	long		count;
	RowSink		sink;

	require_arguments(fcinfo);
	wkb = PG_GETARG_BYTEA_PP(0);
	row_sink_open(&sink, fcinfo, VISIT_COLUMNS, -1);
	test.fence.shape = geo_shape_new((const uint8_t *) VARDATA_ANY(wkb), VARSIZE_ANY_EXHDR(wkb), &error);
	if (test.fence.shape == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the area is no polygon: %s", error.text)));
	callback->func = free_shape;
	callback->arg = test.fence.shape;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	if (!geo_shape_extent(test.fence.shape, &test.box))
		return (Datum) 0;
	read_period(fcinfo, 1, &test);
	test.fence.id = BACKTEST_FENCE;
	test.fence.valid_from = test.low;
	test.fence.valid_until = test.high;
	test.fence.min_dwell_in = microseconds(PG_GETARG_INTERVAL_P(4));
	test.fence.min_dwell_out = microseconds(PG_GETARG_INTERVAL_P(5));
	test.fence.min_fixes_in = PG_GETARG_INT32(6);
	test.fence.min_fixes_out = PG_GETARG_INT32(7);
	test.fence.exit_buffer_m = PG_GETARG_FLOAT8(8);
	test.fence.interpolate = PG_GETARG_BOOL(9);
	test.fence.speed_limit_kmh = NAN;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	rows = backtest_run(&test, get_func_namespace(fcinfo->flinfo->fn_oid),
					PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3), &count);
	for (long i = 0; i < count; i++)
	{
		put_visit(sink.row, rows[i]);
		row_emit(&sink);
	}
	SPI_finish();
	return (Datum) 0;
}

/* Columns of pt621_overspeed_backtest(). */
enum
{
	EPISODE_DEVICE_ID, EPISODE_AT, EPISODE_UNTIL, EPISODE_DETAIL,
	EPISODE_COLUMNS
};

PG_FUNCTION_INFO_V1(pt621_overspeed_backtest);

/* pt621_overspeed_backtest(limit_kmh, low, high, devices): the episodes of
 * overspeed that a limit would have shown. */
Datum
pt621_overspeed_backtest(PG_FUNCTION_ARGS)
{
	Backtest	test = {0};
	DerivedRow **rows;
	long		count;
	RowSink		sink;

	require_arguments(fcinfo);
	row_sink_open(&sink, fcinfo, EPISODE_COLUMNS, -1);
	test.limit_kmh = PG_GETARG_FLOAT8(0);
	read_period(fcinfo, 1, &test);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	rows = backtest_run(&test, get_func_namespace(fcinfo->flinfo->fn_oid),
					PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3), &count);
	for (long i = 0; i < count; i++)
	{
		const DetectRow *episode = &rows[i]->row;

		row_start(sink.row);
		row_set(sink.row, EPISODE_DEVICE_ID, Int32GetDatum(rows[i]->key.device_id));
		row_set(sink.row, EPISODE_AT, TimestampTzGetDatum(episode->at));
		if (episode->until != DETECT_NO_TIME)
			row_set(sink.row, EPISODE_UNTIL, TimestampTzGetDatum(episode->until));
		row_set(sink.row, EPISODE_DETAIL, DirectFunctionCall1(jsonb_in, CStringGetDatum(derive_detail(episode))));
		row_emit(&sink);
	}
	SPI_finish();
	return (Datum) 0;
}
