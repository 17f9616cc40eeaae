/*
 * report_sql.c
 *		Engine, idling and manoeuvres, as rows.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/report_run.h"

/* Columns of pt621_report_intervals(). */
enum
{
	INTERVAL_DEVICE_ID, INTERVAL_STARTED_AT, INTERVAL_ENDED_AT, INTERVAL_ONGOING, INTERVAL_SILENT,
	INTERVAL_SECONDS,
	INTERVAL_COLUMNS
};

/* Columns of pt621_report_manoeuvres(). */
enum
{
	MANOEUVRE_DEVICE_ID, MANOEUVRE_KIND, MANOEUVRE_AT, MANOEUVRE_GEOM, MANOEUVRE_MS2,
	MANOEUVRE_SPEED_KMH,
	MANOEUVRE_COLUMNS
};

static void
put_interval(void *arg, const ReportInterval *interval)
{
	ReportRun  *run = arg;
	const ReportSpan *wanted = run->arg;
	Row		   *row = run->rows.row;

	if (interval->what != *wanted || !report_in_period(run, interval->from))
		return;
	row_start(row);
	row_set(row, INTERVAL_DEVICE_ID, Int32GetDatum(run->device_id));
	report_put_time(row, INTERVAL_STARTED_AT, interval->from);
	report_put_time(row, INTERVAL_ENDED_AT, interval->until);
	row_set(row, INTERVAL_ONGOING, BoolGetDatum(interval->ongoing));
	row_set(row, INTERVAL_SILENT, BoolGetDatum(interval->silent));
	report_put_number(row, INTERVAL_SECONDS, report_seconds(interval->from, interval->until));
	row_emit(&run->rows);
}

PG_FUNCTION_INFO_V1(pt621_report_intervals);

/* pt621_report_intervals(devices, period, kind, max_gap, ignition_debounce, idle_after) */
Datum
pt621_report_intervals(PG_FUNCTION_ARGS)
{
	ReportRun	run;
	ReportSpan	wanted = REPORT_IDLE;
	bool		any = report_run_open(&run, fcinfo, INTERVAL_COLUMNS, -1);

	/* The two functions for users give the kind. */
	if (!PG_ARGISNULL(2) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), "engine") == 0)
		wanted = REPORT_ENGINE;
	run.options.max_gap = report_read_span(fcinfo, 3, "max_gap", 0, 3650 * USECS_PER_DAY);
	run.options.ignition_debounce = report_read_span(fcinfo, 4, "debounce", 0, USECS_PER_HOUR);
	run.options.idle_after = report_read_span(fcinfo, 5, "idle_after", 0, USECS_PER_DAY);
	run.goal = REPORT_MOMENTS;
	run.sink.interval = put_interval;
	run.arg = &wanted;
	if (any)
		report_run(&run);
	return (Datum) 0;
}

static void
put_manoeuvre(void *arg, const ReportManner *manner)
{
	static const char *const kinds[] = {
		[REPORT_ACCELERATION] = "acceleration",[REPORT_BRAKING] = "braking",[REPORT_TURN] = "turn"
	};
	ReportRun  *run = arg;
	Row		   *row = run->rows.row;

	if (!report_in_period(run, manner->at))
		return;
	row_start(row);
	row_set(row, MANOEUVRE_DEVICE_ID, Int32GetDatum(run->device_id));
	row_cstring(row, MANOEUVRE_KIND, kinds[manner->what]);
	report_put_time(row, MANOEUVRE_AT, manner->at);
	row_point(row, MANOEUVRE_GEOM, manner->lon, manner->lat);
	report_put_number(row, MANOEUVRE_MS2, manner->ms2);
	report_put_number(row, MANOEUVRE_SPEED_KMH, manner->speed_kmh);
	row_emit(&run->rows);
}

PG_FUNCTION_INFO_V1(pt621_report_manoeuvres);

/* pt621_report_manoeuvres(devices, period, acceleration_ms2, braking_ms2, turn_ms2, max_step) */
Datum
pt621_report_manoeuvres(PG_FUNCTION_ARGS)
{
	ReportRun	run;
	bool		any = report_run_open(&run, fcinfo, MANOEUVRE_COLUMNS, MANOEUVRE_GEOM);

	run.options.harsh_acceleration = report_read_number(fcinfo, 2, "acceleration_ms2", 1000);
	run.options.harsh_braking = report_read_number(fcinfo, 3, "braking_ms2", 1000);
	run.options.harsh_turn = report_read_number(fcinfo, 4, "turn_ms2", 1000);
	run.options.harsh_step = report_read_span(fcinfo, 5, "max_step", USECS_PER_SEC, USECS_PER_HOUR);
	run.goal = REPORT_MOMENTS;
	run.sink.manner = put_manoeuvre;
	if (any)
		report_run(&run);
	return (Datum) 0;
}
