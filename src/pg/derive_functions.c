/*
 * derive_functions.c
 *		Deriving, as functions for SQL.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/arrays.h"
#include "pg/derive_sql.h"
#include "pg/sensor_rules.h"
#include "pg/store.h"

DerivePeriod *
derive_get_periods(FunctionCallInfo fcinfo, int *count)
{
	Datum	   *column[3];
	bool	   *nulls[3];
	int			counts[3];
	DerivePeriod *periods;

	array_split(PG_GETARG_ARRAYTYPE_P(0), INT4OID, &column[0], &nulls[0], &counts[0]);
	for (int i = 1; i < 3; i++)
		array_split(PG_GETARG_ARRAYTYPE_P(i), TIMESTAMPTZOID, &column[i], &nulls[i], &counts[i]);
	if (counts[0] != counts[1] || counts[0] != counts[2])
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("devices, lows and highs are of different length: %d, %d and %d",
						counts[0], counts[1], counts[2])));
	*count = 0;
	periods = palloc((Size) Max(counts[0], 1) * sizeof(DerivePeriod));
	for (int i = 0; i < counts[0]; i++)
	{
		if (nulls[0][i] || nulls[1][i] || nulls[2][i])
			continue;
		periods[(*count)++] = (DerivePeriod)
		{
			DatumGetInt32(column[0][i]), DatumGetTimestampTz(column[1][i]), DatumGetTimestampTz(column[2][i])
		};
	}
	return periods;
}

PG_FUNCTION_INFO_V1(pt621_detect);

/*
 * pt621_detect(devices, lows, highs): derives visits and events of these trackers
 * and periods, in order of tracker and time.
 */
Datum
pt621_detect(PG_FUNCTION_ARGS)
{
	int			count;
	DerivePeriod *periods = derive_get_periods(fcinfo, &count);
	Derivation *derivation;
	TimestampTz done = DT_NOBEGIN;

	store_disturb();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	derivation = derivation_new(get_func_namespace(fcinfo->flinfo->fn_oid));
	sensor_rules_read(derivation);
	for (int i = 0; i < count; i++)
	{
		const DerivePeriod *period = &periods[i];

		CHECK_FOR_INTERRUPTS();
		if (i == 0 || period->device_id != periods[i - 1].device_id)
			done = DT_NOBEGIN;
		else if (period->high <= done)
			continue;
		done = derive_period(derivation, period->device_id, period->low, period->high);
		/* The next turn may find what this one has written. */
		derivation_write(derivation);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(pt621_is_stale);

/* pt621_is_stale(detectors, newest_time, fleet_since, options_since): whether fences
 * or options may be others than a saved state knows; NULL = since ever. */
Datum
pt621_is_stale(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(derivation_is_stale(geofences_get(), PG_GETARG_BYTEA_P_SLICE(0, 0, DERIVATION_KNOWN_SIZE), PG_GETARG_TIMESTAMPTZ(1),
									   PG_ARGISNULL(2) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(2),
									   PG_ARGISNULL(3) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(3)));
}

PG_FUNCTION_INFO_V1(pt621_rules_known);

/* pt621_rules_known(detectors): revision of the rules of sensors that a state knows. */
Datum
pt621_rules_known(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(derivation_rules_known(PG_GETARG_BYTEA_P_SLICE(0, 0, DERIVATION_KNOWN_SIZE + 1)));
}

PG_FUNCTION_INFO_V1(pt621_ignition_since);

/* pt621_ignition_since(detectors): time of the first record with ignition on;
 * infinity = there was none yet, NULL = this is no state. */
Datum
pt621_ignition_since(PG_FUNCTION_ARGS)
{
	TimestampTz since = derivation_ignition_since(PG_GETARG_BYTEA_PP(0));

	if (since == DT_NOBEGIN)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(since);
}

PG_FUNCTION_INFO_V1(pt621_event_kinds);

/* pt621_event_kinds(): the kinds of events that detectors make. */
Datum
pt621_event_kinds(PG_FUNCTION_ARGS)
{
	Datum		kinds[DETECT_KINDS];
	int			count = 0;

	for (int kind = DETECT_VISIT + 1; kind < DETECT_KINDS; kind++)
		kinds[count++] = CStringGetTextDatum(detect_kind_name((DetectKind) kind));
	PG_RETURN_ARRAYTYPE_P(array_make(kinds, count, TEXTOID));
}
