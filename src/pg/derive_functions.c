/*
 * derive_functions.c
 *		Deriving, as functions for SQL.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/derive_sql.h"
#include "pg/store.h"

PG_FUNCTION_INFO_V1(pt621_detect);

/*
 * pt621_detect(devices, lows, highs): derives visits and events of these trackers
 * and periods, in order of tracker and time.
 */
Datum
pt621_detect(PG_FUNCTION_ARGS)
{
	Datum	   *column[3];
	bool	   *nulls;
	int			count[3];
	Derivation *derivation;
	int32		device_id = 0;
	TimestampTz done = DT_NOBEGIN;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT4OID, sizeof(int32), true, TYPALIGN_INT, &column[0], &nulls, &count[0]);
	for (int i = 1; i < 3; i++)
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, &column[i], &nulls, &count[i]);
	if (count[0] != count[1] || count[0] != count[2])
		elog(ERROR, "arrays of different length");
	store_disturb();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	derivation = derivation_new(get_func_namespace(fcinfo->flinfo->fn_oid));
	for (int i = 0; i < count[0]; i++)
	{
		TimestampTz high = DatumGetTimestampTz(column[2][i]);

		if (DatumGetInt32(column[0][i]) != device_id)
			done = DT_NOBEGIN;
		else if (high <= done)
			continue;
		device_id = DatumGetInt32(column[0][i]);
		CHECK_FOR_INTERRUPTS();
		done = derive_period(derivation, device_id, DatumGetTimestampTz(column[1][i]), high);
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

PG_FUNCTION_INFO_V1(pt621_event_kinds);

/* pt621_event_kinds(): the kinds of events that detectors make. */
Datum
pt621_event_kinds(PG_FUNCTION_ARGS)
{
	Datum		kinds[DETECT_KINDS];
	int			count = 0;

	for (int kind = DETECT_VISIT + 1; kind < DETECT_KINDS; kind++)
		kinds[count++] = CStringGetTextDatum(detect_kind_name((DetectKind) kind));
	PG_RETURN_ARRAYTYPE_P(construct_array(kinds, count, TEXTOID, -1, false, TYPALIGN_INT));
}
