/*
 * proximity_history.c
 *		The functions of proximity that SQL calls.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/lsyscache.h"

#include "pg/derive_sql.h"
#include "pg/proximity_private.h"
#include "pg/row.h"

/* Columns of pt621_proximity_episodes(). */
enum
{
	EPISODE_AT, EPISODE_UNTIL, EPISODE_CLOSEST_M, EPISODE_CLOSEST_AT, EPISODE_GEOM,
	EPISODE_COLUMNS
};

static void
put_episode(Row *row, const ProximityEpisode *episode)
{
	row_start(row);
	row_set(row, EPISODE_AT, TimestampTzGetDatum(episode->at));
	if (episode->until != DETECT_NO_TIME)
		row_set(row, EPISODE_UNTIL, TimestampTzGetDatum(episode->until));
	row_set(row, EPISODE_CLOSEST_M, Float8GetDatum(episode->closest_m));
	row_set(row, EPISODE_CLOSEST_AT, TimestampTzGetDatum(episode->closest_at));
	row_point(row, EPISODE_GEOM, episode->lon, episode->lat);
}

PG_FUNCTION_INFO_V1(pt621_proximity_episodes);

/*
 * pt621_proximity_episodes(device, partner, low, high, near_m, far_m): when two
 * trackers were near each other, by their records from low on and before high.
 */
Datum
pt621_proximity_episodes(PG_FUNCTION_ARGS)
{
	ProximityGaps gaps;
	ProximityPair pair = {.schema = get_func_namespace(fcinfo->flinfo->fn_oid),.gaps = &gaps,
		.id = {PG_GETARG_INT32(0), PG_GETARG_INT32(1)},.near_m = PG_GETARG_FLOAT8(4),
		.far_m = PG_GETARG_FLOAT8(5),.since = PG_GETARG_TIMESTAMPTZ(2)};
	ProximityScan scan = {.pair = &pair,.context = CurrentMemoryContext,.from = pair.since,
		.settle_by = DT_NOEND,.until = DT_NOEND,.before = PG_GETARG_TIMESTAMPTZ(3),.whole = true,.settled = true};
	RowSink		sink;

	row_sink_open(&sink, fcinfo, EPISODE_COLUMNS, EPISODE_GEOM);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	proximity_read_gaps(pair.schema, &gaps, CurrentMemoryContext);
	proximity_scan(&scan);
	for (int i = 0; i < scan.count; i++)
	{
		put_episode(sink.row, &scan.found[i].episode);
		row_emit(&sink);
	}
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_detect_proximity);

/*
 * pt621_detect_proximity(devices, lows, highs): derives proximity of the pairs that
 * these trackers belong to, for records in these periods.
 */
Datum
pt621_detect_proximity(PG_FUNCTION_ARGS)
{
	int			count;
	DerivePeriod *periods = derive_get_periods(fcinfo, &count);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	proximity_derive(derivation_new(get_func_namespace(fcinfo->flinfo->fn_oid)), periods, count);
	SPI_finish();
	PG_RETURN_VOID();
}
