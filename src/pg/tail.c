/*
 * tail.c
 *		A live view of one tracker: NOTIFY pt621_frame for each of its units.
 *
 * Invariant.  One tracker at a time, and for a while only: who commits with a
 * NOTIFY waits for all others who do.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "commands/async.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "pg/shared.h"
#include "pg/tail.h"

#define TAIL_CHANNEL	"pt621_frame"
/* Units of one transaction that are told of; of the rest their number. */
#define TAIL_MAX		200
/* Nothing is told when nobody fetches what was told before. */
#define QUEUE_MAX		0.5
/* A watch that was forgotten ends. */
#define WATCH_MAX		(INT64CONST(24) * USECS_PER_HOUR)

/* Adds a member whose value is a text. */
static void
add_text(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", name);
	escape_json(json, value);
}

/*
 * Adds bytes, the first PT621_RECORD_MAX of them: as text where all of it is,
 * else in hexadecimal digits.  A notification that is too long would be an
 * error, and cost the unit.
 */
static void
add_bytes(StringInfo json, const char *name, const uint8 *bytes, Size size)
{
	Size		text;
	char	   *value;

	size = Min(size, PT621_RECORD_MAX);
	text = pt621_text_size(bytes, size);
	if (text < size && (bytes[text] == '#'))
		text++;
	if (pt621_printable(bytes, text))
	{
		add_text(json, name, pnstrdup((const char *) bytes, text));
		return;
	}
	value = palloc(2 * size + 3);
	strcpy(value, "\\x");
	value[2 + hex_encode((const char *) bytes, size, value + 2)] = '\0';
	add_text(json, name, value);
}

static void
tell(const RunItem *item)
{
	const BatchUnit *unit = item->unit;
	StringInfoData json;
	char		received_at[MAXDATELEN + 1];

	initStringInfo(&json);
	appendStringInfo(&json, "{\"seq\": " INT64_FORMAT ", \"conn\": " INT64_FORMAT,
					 unit->seq, unit->source->conn);
	add_text(&json, "ident", pnstrdup((const char *) unit->ident.bytes, unit->ident.size));
	JsonEncodeDateTime(received_at, TimestampTzGetDatum(unit->received_at), TIMESTAMPTZOID, NULL);
	add_text(&json, "received_at", received_at);
	add_text(&json, "transport", unit->source->transport);
	if (unit->source->has_peer)
		add_text(&json, "peer",
				 TextDatumGetCString(DirectFunctionCall1(network_host,
														 InetPGetDatum(&unit->source->peer.inet))));
	add_text(&json, "kind", unit_class_name((UnitClass) unit->class));
	add_bytes(&json, "bytes", unit->bytes + unit->unit.payload_at, unit->unit.payload_size);
	if (item->rebuilt)
		add_bytes(&json, "record", item->rebuilt, item->rebuilt_size);
	if (item->reason)
		add_text(&json, "error", item->reason);
	appendStringInfoChar(&json, '}');
	Async_Notify(TAIL_CHANNEL, json.data);
	pfree(json.data);
}

void
tail_run(Run *run)
{
	SourceIdent ident;
	Device	   *device;
	uint32		told = 0;
	uint32		more = 0;

	if (!shared_watched(&ident))
		return;
	device = run_find_device(run, &ident);
	if (device == NULL ||
		DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0)) > QUEUE_MAX)
		return;
	for (uint32 i = 0; i < run->count; i++)
	{
		RunItem    *item = &run->items[i];

		if (item->late || item->device != device)
			continue;
		if (told++ < TAIL_MAX)
			tell(item);
		else
			more++;
	}
	if (more > 0)
		Async_Notify(TAIL_CHANNEL, psprintf("{\"more\": %u}", more));
}

PG_FUNCTION_INFO_V1(pt621_tail);

/*
 * pt621_tail(ident, duration): watches a tracker; NULL ends it.  Returns until
 * when.
 */
Datum
pt621_tail(PG_FUNCTION_ARGS)
{
	SourceIdent ident = {0};
	text	   *name;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;

	shared_require();
	if (PG_ARGISNULL(0))
	{
		shared_watch(&ident, 0);
		PG_RETURN_NULL();
	}
	name = PG_GETARG_TEXT_PP(0);
	ident.size = VARSIZE_ANY_EXHDR(name);
	if (ident.size == 0 || ident.size > PT621_IDENT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the id of a tracker has 1 to %d bytes", PT621_IDENT_MAX)));
	memcpy(ident.bytes, VARDATA_ANY(name), ident.size);
	if (PG_ARGISNULL(1))
		until = now + WATCH_MAX;
	else
		until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
														TimestampTzGetDatum(now),
														PG_GETARG_DATUM(1)));
	if (until <= now || until > now + WATCH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("duration must be more than 0 and at most 24 hours")));
	shared_watch(&ident, until);
	PG_RETURN_TIMESTAMPTZ(until);
}
