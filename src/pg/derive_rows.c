/*
 * derive_rows.c
 *		Wanted visits and events, as rows for the statements of derive_sql.c.
 *
 * Invariant.  The functions show the derivation of their own session and nothing
 * else: called from anywhere but a statement of derive_sql.c they raise an error.
 * What they show depends on no setting of the session.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/geo_decls.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "pg/derive_sql.h"
#include "pg/row.h"
#include "pg/settings.h"

Derivation *current_derivation = NULL;

/* Columns of pt621_derived_events(). */
enum
{
	EVENT_DEVICE_ID, EVENT_KIND, EVENT_CODE, EVENT_AT, EVENT_UNTIL,
	EVENT_GEOFENCE_ID, EVENT_OBJECT, EVENT_GEOM, EVENT_DETAIL, EVENT_CONFIRMED_AT,
	EVENT_COLUMNS
};

/* Columns of pt621_derived_visits(). */
enum
{
	VISIT_DEVICE_ID, VISIT_GEOFENCE_ID, VISIT_ENTER_AT, VISIT_EXIT_AT,
	VISIT_ENTER_UNKNOWN, VISIT_EXIT_UNKNOWN, VISIT_INTERPOLATED, VISIT_PASSED,
	VISIT_UNCERTAINTY_S, VISIT_SECONDS, VISIT_METRES, VISIT_TOP_SPEED_KMH,
	VISIT_DRIVER, VISIT_CONFIRMED_AT,
	VISIT_COLUMNS
};

/* Columns of pt621_derived_pieces(). */
enum
{
	PIECE_DEVICE_ID, PIECE_UNTIL, PIECE_SINCE, PIECE_COUNT, PIECE_EXTENT,
	PIECE_TOP_SPEED_KMH, PIECE_DETECTORS,
	PIECE_COLUMNS
};

static Derivation *
require_derivation(void)
{
	if (current_derivation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing is being derived in this session"),
				 errhint("This function is for pt621_derive() and the workers.")));
	return current_derivation;
}

/* Appends a member to a JSON object that is being written. */
static void
put_name(StringInfo json, const char *name)
{
	appendStringInfo(json, "%s\"%s\": ", json->len > 1 ? ", " : "", name);
}

/* As short as can be, whatever the session says of extra_float_digits. */
static void
put_number(StringInfo json, const char *name, double value)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
		return;
	put_name(json, name);
	double_to_shortest_decimal_buf(value, text);
	appendStringInfoString(json, text);
}

/* To a thousandth, which is finer than anything that was measured. */
static void
put_rounded(StringInfo json, const char *name, double value)
{
	put_number(json, name, rint(value * 1000) / 1000);
}

static void
put_string(StringInfo json, const char *name, const DetectText *text)
{
	char		string[DETECT_TEXT_MAX + 1];

	memcpy(string, text->bytes, text->size);
	string[text->size] = '\0';
	put_name(json, name);
	escape_json(json, string);
}

/* In UTC: the session's time zone must not change what is the same. */
static void
put_time(StringInfo json, const char *name, TimestampTz time)
{
	char		text[MAXDATELEN + 1];

	put_name(json, name);
	JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPOID, NULL);
	appendStringInfo(json, "\"%sZ\"", text);
}

/* What a row of overspeed says once it has ended. */
static void
put_overspeed(StringInfo json, const DetectRow *row)
{
	put_rounded(json, "limit_kmh", row->limit_kmh);
	if (row->until == DETECT_NO_TIME)
		return;
	put_rounded(json, "peak_kmh", row->top_speed_kmh);
	put_time(json, "peak_at", row->peak_at);
	put_number(json, "peak_lon", row->peak_lon);
	put_number(json, "peak_lat", row->peak_lat);
	put_rounded(json, "mean_excess_kmh", row->mean_excess_kmh);
	put_rounded(json, "metres", row->metres);
}

/* What the events say that come of a visit. */
static void
put_visit(StringInfo json, const DetectRow *row)
{
	if (row->interpolated)
	{
		put_name(json, "interpolated");
		appendStringInfoString(json, "true");
		put_rounded(json, "uncertainty_s", row->uncertainty_s);
	}
	if (row->kind == DETECT_GEOFENCE_ENTER || row->kind == DETECT_GEOFENCE_DWELL)
		return;
	put_rounded(json, "metres", row->metres);
	put_rounded(json, "top_speed_kmh", row->top_speed_kmh);
}

/* What a row of sensor_alarm says, more of it once it has ended. */
static void
put_sensor(StringInfo json, const DetectRow *row)
{
	put_string(json, "sensor", &row->sensor);
	if (row->unit.size > 0)
		put_string(json, "unit", &row->unit);
	put_number(json, "threshold", row->threshold);
	put_rounded(json, "value", row->value);
	if (row->until == DETECT_NO_TIME)
		return;
	put_rounded(json, "peak", row->peak);
	put_time(json, "peak_at", row->peak_at);
}

/* What a row of proximity says, more of it once it has ended. */
static void
put_proximity(StringInfo json, const DetectRow *row)
{
	put_number(json, "near_m", row->near_m);
	if (row->until == DETECT_NO_TIME || row->peak_at == DETECT_NO_TIME)
		return;
	put_rounded(json, "closest_m", row->metres);
	put_time(json, "closest_at", row->peak_at);
}

char *
derive_detail(const DetectRow *row)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	if (row->kind == DETECT_OVERSPEED)
		put_overspeed(&json, row);
	else if (row->kind == DETECT_DRIVER_CHANGE && row->driver.size > 0)
		put_string(&json, "from", &row->driver);
	else if (row->kind == DETECT_SENSOR_ALARM)
		put_sensor(&json, row);
	else if (row->kind == DETECT_PROXIMITY)
		put_proximity(&json, row);
	else if (row->kind >= DETECT_GEOFENCE_ENTER)
		put_visit(&json, row);
	appendStringInfoChar(&json, '}');
	return json.len > 2 ? json.data : NULL;
}

bool
derive_same_detail(const DetectRow *wanted, text *there)
{
	char	   *detail = derive_detail(wanted);

	if (detail == NULL || there == NULL)
		return detail == NULL && there == NULL;
	detail = DatumGetCString(DirectFunctionCall1(jsonb_out, DirectFunctionCall1(jsonb_in, CStringGetDatum(detail))));
	return strcmp(detail, text_to_cstring(there)) == 0;
}

static void
put_text(Row *row, int column, const DetectText *text)
{
	if (text->size > 0)
		row_bytes(row, column, (const uint8_t *) text->bytes, text->size);
}

static void
put_timestamp(Row *row, int column, DetectTime time)
{
	if (time != DETECT_NO_TIME)
		row_set(row, column, TimestampTzGetDatum(time));
}

static void
put_float(Row *row, int column, double value)
{
	if (!isnan(value))
		row_set(row, column, Float8GetDatum(value));
}

static void
put_event(Row *row, const DerivedRow *wanted)
{
	const DetectRow *event = &wanted->row;
	char	   *detail = derive_detail(event);

	row_start(row);
	row_set(row, EVENT_DEVICE_ID, Int32GetDatum(wanted->key.device_id));
	row_cstring(row, EVENT_KIND, detect_kind_name(event->kind));
	put_text(row, EVENT_CODE, &event->code);
	put_timestamp(row, EVENT_AT, event->at);
	put_timestamp(row, EVENT_UNTIL, event->until);
	if (event->fence != 0)
		row_set(row, EVENT_GEOFENCE_ID, Int32GetDatum(event->fence));
	put_text(row, EVENT_OBJECT, &event->object);
	if (event->has_place)
		row_point(row, EVENT_GEOM, event->lon, event->lat);
	if (detail)
		row_set(row, EVENT_DETAIL, DirectFunctionCall1(jsonb_in, CStringGetDatum(detail)));
	put_timestamp(row, EVENT_CONFIRMED_AT, event->confirmed_at);
}

static void
put_visit_row(Row *row, const DerivedRow *wanted)
{
	const DetectRow *visit = &wanted->row;

	row_start(row);
	row_set(row, VISIT_DEVICE_ID, Int32GetDatum(wanted->key.device_id));
	row_set(row, VISIT_GEOFENCE_ID, Int32GetDatum(visit->fence));
	put_timestamp(row, VISIT_ENTER_AT, visit->at);
	put_timestamp(row, VISIT_EXIT_AT, visit->until);
	row_set(row, VISIT_ENTER_UNKNOWN, BoolGetDatum(visit->enter_unknown));
	row_set(row, VISIT_EXIT_UNKNOWN, BoolGetDatum(visit->exit_unknown));
	row_set(row, VISIT_INTERPOLATED, BoolGetDatum(visit->interpolated));
	row_set(row, VISIT_PASSED, BoolGetDatum(visit->passed));
	put_float(row, VISIT_UNCERTAINTY_S, visit->interpolated ? visit->uncertainty_s : NAN);
	if (visit->until != DETECT_NO_TIME)
	{
		put_float(row, VISIT_SECONDS, (double) (visit->until - visit->at) / DETECT_SECOND);
		put_float(row, VISIT_METRES, visit->metres);
		row_real(row, VISIT_TOP_SPEED_KMH, visit->top_speed_kmh);
	}
	put_text(row, VISIT_DRIVER, &visit->driver);
	put_timestamp(row, VISIT_CONFIRMED_AT, visit->confirmed_at);
}

/* Which of the wanted rows a statement is for. */
static bool
is_shown(const DerivedRow *wanted, const char *what)
{
	if (strcmp(what, "supersede") == 0)
		return wanted->supersede;
	return wanted->write == (strcmp(what, "insert") == 0 ? WRITE_INSERT : WRITE_UPDATE);
}

/* Shows the visits, or all but visits. */
static void
show_rows(FunctionCallInfo fcinfo, bool visits, int columns, int geometry_column,
		  void (*put) (Row *row, const DerivedRow *wanted))
{
	Derivation *derivation = require_derivation();
	char	   *what = text_to_cstring(PG_GETARG_TEXT_PP(0));
	RowSink		sink;
	HASH_SEQ_STATUS scan;
	DerivedRow *wanted;

	row_sink_open(&sink, fcinfo, columns, geometry_column);
	if (derivation->rows == NULL)
		return;
	hash_seq_init(&scan, derivation->rows);
	while ((wanted = hash_seq_search(&scan)) != NULL)
	{
		if ((wanted->row.kind == DETECT_VISIT) == visits && is_shown(wanted, what))
		{
			put(sink.row, wanted);
			row_emit(&sink);
		}
	}
}

PG_FUNCTION_INFO_V1(pt621_derived_events);

/* pt621_derived_events(what): wanted events to insert, update or supersede. */
Datum
pt621_derived_events(PG_FUNCTION_ARGS)
{
	show_rows(fcinfo, false, EVENT_COLUMNS, EVENT_GEOM, put_event);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_derived_visits);

/* pt621_derived_visits(what): wanted visits to insert, update or supersede. */
Datum
pt621_derived_visits(PG_FUNCTION_ARGS)
{
	show_rows(fcinfo, true, VISIT_COLUMNS, -1, put_visit_row);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_derived_pieces);

/* pt621_derived_pieces(): pieces of tracks that were finished. */
Datum
pt621_derived_pieces(PG_FUNCTION_ARGS)
{
	Derivation *derivation = require_derivation();
	RowSink		sink;

	row_sink_open(&sink, fcinfo, PIECE_COLUMNS, -1);
	for (uint32 i = 0; i < derivation->piece_count; i++)
	{
		const DerivedPiece *piece = &derivation->pieces[i];
		const GeoBox *extent = &piece->piece.extent;
		BOX			box = {.high = {extent->east, extent->north},.low = {extent->west, extent->south}};

		row_start(sink.row);
		row_set(sink.row, PIECE_DEVICE_ID, Int32GetDatum(piece->device_id));
		put_timestamp(sink.row, PIECE_UNTIL, piece->until);
		put_timestamp(sink.row, PIECE_SINCE, piece->piece.since);
		row_set(sink.row, PIECE_COUNT, Int32GetDatum(piece->piece.fixes));
		if (piece->piece.has_extent)
			row_set(sink.row, PIECE_EXTENT, BoxPGetDatum(&box));
		row_real(sink.row, PIECE_TOP_SPEED_KMH, piece->piece.top_speed_kmh);
		row_set(sink.row, PIECE_DETECTORS, PointerGetDatum(piece->detectors));
		row_emit(&sink);
	}
	return (Datum) 0;
}

/* What there is to write. */
typedef struct Todo
{
	bool		any[2][3];		/* visits or not; supersede, update, insert */
} Todo;

static Todo
find_todo(Derivation *derivation)
{
	Todo		todo = {0};
	HASH_SEQ_STATUS scan;
	DerivedRow *wanted;

	if (derivation->rows == NULL)
		return todo;
	hash_seq_init(&scan, derivation->rows);
	while ((wanted = hash_seq_search(&scan)) != NULL)
	{
		bool	   *any = todo.any[wanted->row.kind == DETECT_VISIT ? 0 : 1];

		any[0] |= wanted->supersede;
		any[1] |= wanted->write == WRITE_UPDATE;
		any[2] |= wanted->write == WRITE_INSERT;
	}
	return todo;
}

static void
write_rows(Derivation *derivation)
{
	static const DeriveStatement statement[2][3] = {
		{SQL_SUPERSEDE_VISITS, SQL_UPDATE_VISITS, SQL_INSERT_VISITS},
		{SQL_SUPERSEDE_EVENTS, SQL_UPDATE_EVENTS, SQL_INSERT_EVENTS}
	};
	Todo		todo = find_todo(derivation);
	Datum		late_after = Float8GetDatum(setting_late_after);

	if (derivation->piece_count > 0)
		derive_run(derivation, SQL_INSERT_PIECES, NULL, NULL);
	/* Visits first: who is told of an event may look for its visit. */
	for (int table = 0; table < 2; table++)
	{
		for (int step = 0; step < 3; step++)
		{
			if (todo.any[table][step])
				derive_run(derivation, statement[table][step], &late_after, NULL);
		}
	}
}

void
derivation_write(Derivation *derivation)
{
	Derivation *before = current_derivation;

	/* A user's trigger on what is written may come to derive something itself. */
	current_derivation = derivation;
	PG_TRY();
	{
		write_rows(derivation);
	}
	PG_FINALLY();
	{
		current_derivation = before;
	}
	PG_END_TRY();
	/* Others with the same keys may be wanted of a tracker's next period. */
	if (derivation->rows)
		hash_destroy(derivation->rows);
	derivation->rows = NULL;
	for (uint32 i = 0; i < derivation->piece_count; i++)
		pfree(derivation->pieces[i].detectors);
	derivation->piece_count = 0;
}
