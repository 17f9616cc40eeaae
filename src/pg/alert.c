/*
 * alert.c
 *		pt621_geofence_alert(): an alert for rows of users' own tables.
 *
 * Invariant.  A trigger that was made wrongly is an error, and so is a place that
 * is no point of longitude and latitude.  What a row lacks, and what has become
 * of the fence, is none: the row is stored.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "common/shortest_dec.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/postgis.h"

/* As of the trigger. */
enum
{
	ARG_FENCE, ARG_DEVICE, ARG_TIME, ARG_GEOM, ARG_CHANNEL, ARGS
};

/* A longer notification is an error. */
#define MESSAGE_MAX		7999
/* To what texts are cut then; a byte takes 6 at most. */
#define TEXT_MAX		200
/* In a full queue of notifications the transaction would fail. */
#define QUEUE_MAX		0.5
/* A warning for each row would fill the log. */
#define WARN_EVERY_MS	60000

/* What holds for all rows of a statement. */
typedef struct Alert
{
	Trigger    *trigger;
	text	   *fence;
	char	   *table;
	int			device_column;
	int			time_column;
	int			geom_column;
	FmgrInfo	device_out;
	FmgrInfo	inside;
	PointReader *reader;
} Alert;

/* What is told of a row. */
typedef struct Told
{
	const Alert *alert;
	const char *device;			/* NULL = none */
	TimestampTz at;
	double		lon;
	double		lat;
} Told;

/* Finds a column that an argument names; sets the type that it is at bottom. */
static int
find_column(TriggerData *data, int argument, Oid *type)
{
	const char *name = data->tg_trigger->tgargs[argument];
	TupleDesc	row = RelationGetDescr(data->tg_relation);
	int			column = SPI_fnumber(row, name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("trigger \"%s\": table \"%s\" has no column \"%s\"",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation), name)));
	*type = getBaseType(TupleDescAttr(row, column - 1)->atttypid);
	return column;
}

static void
wrong_type(TriggerData *data, int argument, Oid type, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("trigger \"%s\": column \"%s\" is of type %s, not %s",
					data->tg_trigger->tgname, data->tg_trigger->tgargs[argument],
					format_type_be(type), wanted)));
}

/* Complains of a trigger that cannot work. */
static void
check_trigger(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Size		channel;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("pt621_geofence_alert() can only be called by a trigger")));
	if (!TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!(TRIGGER_FIRED_BY_INSERT(data->tg_event) || TRIGGER_FIRED_BY_UPDATE(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on \"%s\" cannot alert",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation)),
				 errhint("It must be AFTER INSERT (OR UPDATE) ... FOR EACH ROW.")));
	if (data->tg_trigger->tgnargs != ARGS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\": there are %d arguments", data->tg_trigger->tgname, data->tg_trigger->tgnargs),
				 errhint("They are the name of the fence, the columns of device, time and place, and the channel.")));
	channel = strlen(data->tg_trigger->tgargs[ARG_CHANNEL]);
	if (channel == 0 || channel >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\": the name of a channel has 1 to %d bytes",
						data->tg_trigger->tgname, NAMEDATALEN - 1)));
}

/* Settles what holds for all rows of a statement; allocated for as long. */
static Alert *
prepare(FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	MemoryContext before;
	Alert	   *alert;
	Oid			types[] = {InvalidOid, TEXTOID, TIMESTAMPTZOID};
	Oid			device;
	Oid			time;
	Oid			output;
	Oid			inside;
	bool		varlena;

	check_trigger(fcinfo);
	before = MemoryContextSwitchTo(context);
	alert = palloc0(sizeof(Alert));
	alert->trigger = data->tg_trigger;
	alert->fence = cstring_to_text(data->tg_trigger->tgargs[ARG_FENCE]);
	alert->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(data->tg_relation)),
											  RelationGetRelationName(data->tg_relation));
	alert->device_column = find_column(data, ARG_DEVICE, &device);
	alert->time_column = find_column(data, ARG_TIME, &time);
	alert->geom_column = find_column(data, ARG_GEOM, &types[0]);
	if (time != TIMESTAMPTZOID)
		wrong_type(data, ARG_TIME, time, "timestamp with time zone");
	/* In the schema that this function is in, whoever asks. */
	inside = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("pt621_inside"),
							 PointerGetDatum(buildoidvector(types, lengthof(types))),
							 ObjectIdGetDatum(get_func_namespace(fcinfo->flinfo->fn_oid)));
	if (!OidIsValid(inside))
		wrong_type(data, ARG_GEOM, types[0], "geometry");
	fmgr_info_cxt(inside, &alert->inside, context);
	getTypeOutputInfo(device, &output, &varlena);
	fmgr_info_cxt(output, &alert->device_out, context);
	alert->reader = point_reader_new(types[0], context);
	MemoryContextSwitchTo(before);
	return alert;
}

/* Tells whether a place is inside the fence; false in *known where there is none. */
static bool
is_inside(Alert *alert, Datum geom, Datum at, bool *known)
{
	LOCAL_FCINFO(fcinfo, 3);
	Datum		inside;

	InitFunctionCallInfoData(*fcinfo, &alert->inside, 3, InvalidOid, NULL, NULL);
	fcinfo->args[0] = (NullableDatum) {geom, false};
	fcinfo->args[1] = (NullableDatum) {PointerGetDatum(alert->fence), false};
	fcinfo->args[2] = (NullableDatum) {at, false};
	inside = FunctionCallInvoke(fcinfo);
	*known = !fcinfo->isnull;
	return *known && DatumGetBool(inside);
}

/* Warns, unless it did so a moment ago. */
static void
warn(const Alert *alert, const char *message, const char *hint)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (now >= last && !TimestampDifferenceExceeds(last, now, WARN_EVERY_MS))
		return;
	last = now;
	ereport(WARNING,
			(errmsg("pt621: trigger \"%s\" on %s: %s", alert->trigger->tgname, alert->table, message),
			 errhint("%s", hint)));
}

static void
add_text(StringInfo json, const char *name, const char *value, int most)
{
	char	   *kept = pnstrdup(value, pg_mbcliplen(value, strlen(value), most));

	if (json->len > 1)
		appendStringInfoString(json, ", ");
	appendStringInfo(json, "\"%s\": ", name);
	escape_json(json, kept);
	pfree(kept);
}

/* Adds a coordinate, where there is one that JSON knows. */
static void
add_coordinate(StringInfo json, const char *name, double value)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
		return;
	double_to_shortest_decimal_buf(value, number);
	appendStringInfo(json, ", \"%s\": %s", name, number);
}

/* Makes the message, with texts of at most so many bytes. */
static void
make_message(StringInfo json, const Told *told, int most)
{
	char		time[MAXDATELEN + 1];
	int			utc = 0;

	resetStringInfo(json);
	appendStringInfoChar(json, '{');
	add_text(json, "geofence", text_to_cstring(told->alert->fence), most);
	if (told->device)
		add_text(json, "device", told->device, most);
	JsonEncodeDateTime(time, TimestampTzGetDatum(told->at), TIMESTAMPTZOID, &utc);
	add_text(json, "at", time, most);
	add_coordinate(json, "lon", told->lon);
	add_coordinate(json, "lat", told->lat);
	add_text(json, "table", told->alert->table, most);
	if (most < PG_INT32_MAX)
		appendStringInfoString(json, ", \"cut\": true");
	appendStringInfoChar(json, '}');
}

static void
tell(const Told *told)
{
	StringInfoData json;

	if (DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0)) > QUEUE_MAX)
	{
		warn(told->alert, "nothing is told: the queue of notifications is more than half full",
			 "Some session listens and does not end its transaction.");
		return;
	}
	initStringInfo(&json);
	make_message(&json, told, PG_INT32_MAX);
	if (json.len > MESSAGE_MAX)
		make_message(&json, told, TEXT_MAX);
	Async_Notify(told->alert->trigger->tgargs[ARG_CHANNEL], json.data);
}

PG_FUNCTION_INFO_V1(pt621_geofence_alert);

/*
 * pt621_geofence_alert(fence, device_column, time_column, geom_column, channel):
 * tells that a row of any table lies inside a fence.
 */
Datum
pt621_geofence_alert(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	row;
	HeapTuple	tuple;
	Alert	   *alert;
	Told		told = {0};
	Datum		device;
	Datum		at;
	Datum		geom;
	bool		no_device;
	bool		no_time;
	bool		no_geom;
	bool		known;

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = prepare(fcinfo);
	alert = fcinfo->flinfo->fn_extra;
	row = RelationGetDescr(data->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
	at = heap_getattr(tuple, alert->time_column, row, &no_time);
	geom = heap_getattr(tuple, alert->geom_column, row, &no_geom);
	if (no_time || no_geom || !point_read(alert->reader, geom, &told.lon, &told.lat))
		return PointerGetDatum(NULL);
	if (is_inside(alert, geom, at, &known))
	{
		device = heap_getattr(tuple, alert->device_column, row, &no_device);
		told.alert = alert;
		told.device = no_device ? NULL : OutputFunctionCall(&alert->device_out, device);
		told.at = DatumGetTimestampTz(at);
		tell(&told);
	}
	else if (!known)
		warn(alert, "there is no such fence", "Was it renamed or deleted?");
	return PointerGetDatum(NULL);
}
