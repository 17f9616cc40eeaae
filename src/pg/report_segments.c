/*
 * report_segments.c
 *		Trips, stops and unobserved legs, as rows.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/report_run.h"

/* Columns of pt621_report_segments(). */
enum
{
	SEGMENT_DEVICE_ID, SEGMENT_KIND, SEGMENT_STARTED_AT, SEGMENT_ENDED_AT, SEGMENT_ONGOING,
	SEGMENT_SECONDS, SEGMENT_METRES, SEGMENT_MEAN_KMH, SEGMENT_TOP_KMH, SEGMENT_START_GEOM,
	SEGMENT_END_GEOM, SEGMENT_GEOM, SEGMENT_ENGINE_S, SEGMENT_IDLE_S, SEGMENT_CARRIED_S,
	SEGMENT_CARRIED_METRES, SEGMENT_ODOMETER_M, SEGMENT_PLACES, SEGMENT_DRIVERS,
	SEGMENT_COLUMNS
};

static const char *const kinds[] = {
	[REPORT_TRIP] = "trip",[REPORT_STOP] = "stop",[REPORT_UNOBSERVED] = "unobserved"
};

/* Gives the ids of those who drove, as text[]. */
static ArrayType *
make_drivers(const ReportRun *run, const ReportSegment *segment)
{
	Datum		names[REPORT_DRIVERS_MAX];
	int			count = (int) Min(segment->driver_count, REPORT_DRIVERS_MAX);
	ArrayType  *drivers;

	for (int i = 0; i < count; i++)
		names[i] = CStringGetTextDatum(driver_name(run->names, segment->drivers[i]));
	drivers = array_make(names, count, TEXTOID);
	for (int i = 0; i < count; i++)
		pfree(DatumGetPointer(names[i]));
	return drivers;
}

static void
put_places(Row *row, const ReportSegment *segment)
{
	if (segment->kind == REPORT_STOP)
	{
		row_point(row, SEGMENT_GEOM, segment->from_lon, segment->from_lat);
		return;
	}
	row_point(row, SEGMENT_START_GEOM, segment->from_lon, segment->from_lat);
	row_point(row, SEGMENT_END_GEOM, segment->until_lon, segment->until_lat);
}

static void
put_segment(void *arg, const ReportSegment *segment)
{
	ReportRun  *run = arg;
	Row		   *row = run->rows.row;
	double		seconds = report_seconds(segment->from, segment->until);
	ArrayType  *drivers;

	if (!report_in_period(run, segment->from) || segment->kind == REPORT_NOTHING)
		return;
	drivers = make_drivers(run, segment);
	row_start(row);
	row_set(row, SEGMENT_DEVICE_ID, Int32GetDatum(run->device_id));
	row_cstring(row, SEGMENT_KIND, kinds[segment->kind]);
	report_put_time(row, SEGMENT_STARTED_AT, segment->from);
	report_put_time(row, SEGMENT_ENDED_AT, segment->until);
	row_set(row, SEGMENT_ONGOING, BoolGetDatum(segment->ongoing));
	report_put_number(row, SEGMENT_SECONDS, seconds);
	report_put_number(row, SEGMENT_METRES, segment->metres);
	if (seconds > 0)
		report_put_number(row, SEGMENT_MEAN_KMH, segment->metres / seconds * 3.6);
	row_real(row, SEGMENT_TOP_KMH, segment->top_kmh);
	put_places(row, segment);
	report_put_number(row, SEGMENT_ENGINE_S, segment->engine_s);
	report_put_number(row, SEGMENT_IDLE_S, segment->idle_s);
	report_put_number(row, SEGMENT_CARRIED_S, segment->carried_s);
	report_put_number(row, SEGMENT_CARRIED_METRES, segment->carried_metres);
	report_put_number(row, SEGMENT_ODOMETER_M, segment->odometer_m);
	row_set(row, SEGMENT_PLACES, Int32GetDatum((int32) Min(segment->places, PG_INT32_MAX)));
	row_set(row, SEGMENT_DRIVERS, PointerGetDatum(drivers));
	row_emit(&run->rows);
	pfree(drivers);
}

PG_FUNCTION_INFO_V1(pt621_report_segments);

/* pt621_report_segments(devices, period, stop_radius_m, rest_after, min_stop,
 * max_gap, use_ignition) */
Datum
pt621_report_segments(PG_FUNCTION_ARGS)
{
	ReportRun	run;
	bool		any = report_run_open(&run, fcinfo, SEGMENT_COLUMNS, SEGMENT_GEOM);

	report_stop_options(&run, fcinfo, 2);
	run.goal = REPORT_SEGMENTS;
	run.drivers = true;
	run.sink.segment = put_segment;
	if (any)
		report_run(&run);
	return (Datum) 0;
}
