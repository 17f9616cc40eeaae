/*
 * track.c
 *		The tracks of trackers, as functions for SQL.
 *
 * Invariant: they read with the rights and policies of whoever asks, write
 * nothing, and hold no more of a track than one part of it.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/report_read.h"
#include "pg/row.h"
#include "report/line.h"

/* Every second one of suspects in a row is a teleport: so many places before the
 * period settle it for rows that are shorter. */
#define PLACES_BEFORE	16

/* Finds the time to read from: a few places before the period. */
static TimestampTz
find_start(ReportReader *reader, int32 device_id, TimestampTz low)
{
	TimestampTz start = low;
	int			places = 0;
	const ReportRecord *records;
	uint32		count;

	if (TIMESTAMP_NOT_FINITE(low))
		return low;
	report_read_before(reader, device_id, low);
	while (places < PLACES_BEFORE && report_fetch(reader, PLACES_BEFORE, &records, &count))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < count && places < PLACES_BEFORE; i++)
		{
			if (isnan(records[i].fix.lon))
				continue;
			start = records[i].fix.time;
			places++;
		}
	}
	return start;
}

/* Takes in one record; false when it is a place after the period. */
static bool
take_record(Track *track, const ReportFix *fix)
{
	TrackPlace	place = {fix->time, fix->lon, fix->lat, fix->speed_kmh, fix->course};

	if (isnan(fix->lon))
		return true;
	track_step(track, &place);
	return fix->time < track->high;
}

/* Runs through the track of (device, low, high, max_gap_s), fcinfo's arguments;
 * within SPI. */
static void
run_track(FunctionCallInfo fcinfo, Track *track)
{
	int32		device_id = PG_GETARG_INT32(0);
	ReportReader *reader = report_reader_new(get_func_namespace(fcinfo->flinfo->fn_oid), NULL);
	const ReportRecord *records;
	uint32		count;
	bool		more = true;

	track->low = PG_GETARG_TIMESTAMPTZ(1);
	track->high = PG_GETARG_TIMESTAMPTZ(2);
	/* A longer gap than there can be does not overflow. */
	track->max_gap = (TrackTime) (fmin(fmax(PG_GETARG_FLOAT8(3), 0), 1e12) * TRACK_SECOND);
	report_read_from(reader, device_id, find_start(reader, device_id, track->low));
	while (more && report_fetch(reader, RECORDS_AT_ONCE, &records, &count))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < count && more; i++)
			more = take_record(track, &records[i].fix);
	}
	report_read_end(reader);
	track_end(track);
}

/* Columns of pt621_track_places(). */
enum
{
	PLACE_PART, PLACE_FIX_TIME, PLACE_LON, PLACE_LAT, PLACE_SPEED_KMH, PLACE_COURSE, PLACE_METRES, PLACE_CROSSING,
	PLACE_COLUMNS
};

static void
put_place(void *arg, const TrackVertex *vertex)
{
	RowSink    *sink = arg;
	const TrackPlace *place = &vertex->place;

	row_start(sink->row);
	row_set(sink->row, PLACE_PART, Int32GetDatum(vertex->part));
	row_set(sink->row, PLACE_FIX_TIME, TimestampTzGetDatum(place->time));
	row_set(sink->row, PLACE_LON, Float8GetDatum(place->lon));
	row_set(sink->row, PLACE_LAT, Float8GetDatum(place->lat));
	row_real(sink->row, PLACE_SPEED_KMH, place->speed_kmh);
	row_real(sink->row, PLACE_COURSE, place->course);
	row_set(sink->row, PLACE_METRES, Float8GetDatum(vertex->metres));
	row_set(sink->row, PLACE_CROSSING, BoolGetDatum(vertex->crossing));
	row_emit(sink);
}

PG_FUNCTION_INFO_V1(pt621_track_places);

/* pt621_track_places(device, low, high, max_gap_s): what a track is made of, in order. */
Datum
pt621_track_places(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	Track		track = {.arg = &sink,.vertex = put_place};

	row_sink_open(&sink, fcinfo, PLACE_COLUMNS, -1);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_track(fcinfo, &track);
	SPI_finish();
	return (Datum) 0;
}

/* As date_part('epoch', ...) has it. */
static double
seconds_since_1970(TimestampTz time)
{
	const int64 more = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	return time < PG_INT64_MAX - more ? (double) (time + more) / USECS_PER_SEC :
		((double) time + more) / USECS_PER_SEC;
}

/* Columns of pt621_track_lines(). */
enum
{
	LINE_PART, LINE_STARTED_AT, LINE_ENDED_AT, LINE_FIXES, LINE_METRES, LINE_WKB,
	LINE_COLUMNS
};

/* LINESTRING M as ISO WKB in the machine's order of bytes: which order that is, this
 * number, how many places. */
#define WKB_LINE_M		2002
#define WKB_COUNT_AT	(VARHDRSZ + 5)

/* The line that is being made. */
typedef struct Line
{
	RowSink		sink;
	StringInfoData wkb;			/* a bytea, its length not set */
	int32		part;			/* of the track */
	int32		lines;			/* that have been put */
	uint32		count;			/* vertices */
	int32		fixes;
	double		metres;
	TrackTime	started_at;
	TrackTime	ended_at;
} Line;

static void
start_line(Line *line, int32 part)
{
	const uint16 one = 1;
	const uint32 type = WKB_LINE_M;

	resetStringInfo(&line->wkb);
	appendStringInfoSpaces(&line->wkb, VARHDRSZ);
	appendBinaryStringInfo(&line->wkb, (const char *) &one, 1);
	appendBinaryStringInfo(&line->wkb, (const char *) &type, sizeof(type));
	appendStringInfoSpaces(&line->wkb, sizeof(line->count));
	line->part = part;
	line->count = 0;
	line->fixes = 0;
	line->metres = 0;
}

/* One place is no line. */
static void
end_line(Line *line)
{
	Row		   *row = line->sink.row;

	if (line->count < 2)
		return;
	memcpy(line->wkb.data + WKB_COUNT_AT, &line->count, sizeof(line->count));
	SET_VARSIZE(line->wkb.data, line->wkb.len);
	row_start(row);
	row_set(row, LINE_PART, Int32GetDatum(++line->lines));
	row_set(row, LINE_STARTED_AT, TimestampTzGetDatum(line->started_at));
	row_set(row, LINE_ENDED_AT, TimestampTzGetDatum(line->ended_at));
	row_set(row, LINE_FIXES, Int32GetDatum(line->fixes));
	row_set(row, LINE_METRES, Float8GetDatum(line->metres));
	row_set(row, LINE_WKB, PointerGetDatum(line->wkb.data));
	row_emit(&line->sink);
}

static void
put_vertex(void *arg, const TrackVertex *vertex)
{
	Line	   *line = arg;
	const TrackPlace *place = &vertex->place;
	double		ordinates[] = {place->lon, place->lat, seconds_since_1970(place->time)};

	if (vertex->part != line->part)
	{
		end_line(line);
		start_line(line, vertex->part);
	}
	if (line->count == 0)
		line->started_at = place->time;
	line->ended_at = place->time;
	line->count++;
	line->fixes += vertex->crossing ? 0 : 1;
	line->metres += vertex->metres;
	appendBinaryStringInfo(&line->wkb, (const char *) ordinates, sizeof(ordinates));
}

PG_FUNCTION_INFO_V1(pt621_track_lines);

/* pt621_track_lines(device, low, high, max_gap_s): the track, as lines (WKB). */
Datum
pt621_track_lines(PG_FUNCTION_ARGS)
{
	Line		line = {0};
	Track		track = {.arg = &line,.vertex = put_vertex};

	row_sink_open(&line.sink, fcinfo, LINE_COLUMNS, -1);
	initStringInfo(&line.wkb);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_track(fcinfo, &track);
	end_line(&line);
	SPI_finish();
	return (Datum) 0;
}
