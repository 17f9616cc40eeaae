/*
 * downlink_sql.c
 *		What the downlink asks of the tables.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/downlink_sql.h"
#include "pg/gate.h"
#include "pg/plan.h"
#include "pg/settings.h"

/* The tracker of each connection, if that is the one that speaks for it. */
#define OF_CONNECTIONS \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY u (conn, ident, n)" \
	" JOIN pt621.device d ON d.ident = u.ident AND d.enabled" \
	" JOIN pt621.device_state s ON s.device_id = d.id AND s.bound_conn = u.conn"

typedef enum Statement
{
	SQL_FIND_COMMANDS,
	SQL_CLAIM,
	SQL_HOLD,
	SQL_FIND_PHOTOS,
	SQL_SENT,
	SQL_NOT_SENT,
	SQL_PHOTO_FAILED,
	STATEMENTS
} Statement;

static const PlanText statements[STATEMENTS] =
{
	[SQL_FIND_COMMANDS] = {
		"SELECT u.n::pg_catalog.int4, c.id::pg_catalog.int8, c.wire::pg_catalog.text,"
		" c.cuts_engine AND NOT c.force AND %s.pt621_too_fast(s.fix_time, s.speed_kmh)"
		OF_CONNECTIONS
		" JOIN pt621.command c ON c.device_id = d.id AND c.state = 'queued'"
		" WHERE c.transport = 'data' AND c.expires_at > pg_catalog.now()"
		" AND (c.not_before IS NULL OR c.not_before <= pg_catalog.now())"
		" ORDER BY c.id FOR UPDATE OF c SKIP LOCKED",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, TEXTARRAYOID}
	},
	[SQL_CLAIM] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'sending', attempts = c.attempts + 1,"
		" sent_at = pg_catalog.clock_timestamp(), conn = u.conn, reason = NULL"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u (id, conn) WHERE c.id = u.id",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, INT8ARRAYOID}
	},
	[SQL_HOLD] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET reason = 'waits: too fast for cutting the engine'"
		" WHERE c.id = ANY ($1) AND c.reason IS DISTINCT FROM 'waits: too fast for cutting the engine'",
		PLAN_BY_INDEX, 1, {INT8ARRAYOID}
	},
	[SQL_FIND_PHOTOS] = {
		PLAN_NO_SCHEMA "SELECT u.n::pg_catalog.int4, p.id::pg_catalog.int8, p.size::pg_catalog.int4, p.received::pg_catalog.int4"
		OF_CONNECTIONS
		" JOIN LATERAL (SELECT q.id, q.size, q.received FROM pt621.photo q"
		" WHERE q.device_id = d.id AND q.state IN ('announced', 'fetching')"
		" ORDER BY q.id LIMIT 1) p ON true",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, TEXTARRAYOID}
	},
	[SQL_SENT] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'sent'"
		" WHERE c.id = ANY ($1) AND c.state = 'sending'",
		PLAN_BY_INDEX, 1, {INT8ARRAYOID}
	},
	[SQL_NOT_SENT] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'queued', attempts = c.attempts - 1,"
		" sent_at = NULL, conn = NULL, reason = 'the connection took no more'"
		" WHERE c.id = ANY ($1) AND c.state = 'sending'",
		PLAN_BY_INDEX, 1, {INT8ARRAYOID}
	},
	[SQL_PHOTO_FAILED] = {
		PLAN_NO_SCHEMA "UPDATE pt621.photo p SET state = 'failed', reason = pg_catalog.concat_ws('; ', p.reason,"
		" 'no answer to the last requests for the bytes from ' || p.received::pg_catalog.text || ' on')"
		" WHERE p.id = ANY ($1) AND p.state IN ('announced', 'fetching')",
		PLAN_BY_INDEX, 1, {INT8ARRAYOID}
	},
};

static SPIPlanPtr plans[STATEMENTS];
static PlanSet set = {statements, plans, STATEMENTS, InvalidOid};

static Datum
int8_array(const int64 *values, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
ident_array(const SourceIdent *idents, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(cstring_to_text_with_len((const char *) idents[i].bytes,
															   (int) idents[i].size));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Gives a column of a row that was found; none of them is NULL. */
static Datum
found(uint64 row, int column)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
}

/* Takes in the commands that were found. */
static void
take_commands(DownlinkOrder *order, uint64 rows)
{
	order->commands = MemoryContextAllocHuge(order->context, Max(rows, 1) * sizeof(FoundCommand));
	for (uint64 row = 0; row < rows; row++)
	{
		FoundCommand *command = &order->commands[order->command_count];
		text	   *wire = DatumGetTextPP(found(row, 3));
		Size		size = VARSIZE_ANY_EXHDR(wire);

		/* The table is the users': what no encoder of ours made is not sent. */
		if (size == 0 || size > PT621_COMMAND_MAX ||
			!pt621_printable((const uint8_t *) VARDATA_ANY(wire), size))
			continue;
		command->who = DatumGetInt32(found(row, 1)) - 1;
		command->id = DatumGetInt64(found(row, 2));
		command->held = DatumGetBool(found(row, 4));
		command->bytes[0] = '#';
		memcpy(command->bytes + 1, VARDATA_ANY(wire), size);
		memcpy(command->bytes + 1 + size, "\r\n", 2);
		command->size = size + 3;
		order->command_count++;
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
take_photos(DownlinkOrder *order, uint64 rows)
{
	order->photos = MemoryContextAllocHuge(order->context, Max(rows, 1) * sizeof(FoundPhoto));
	for (uint64 row = 0; row < rows; row++)
	{
		FoundPhoto *photo = &order->photos[order->photo_count++];

		photo->who = DatumGetInt32(found(row, 1)) - 1;
		photo->id = DatumGetInt64(found(row, 2));
		photo->size = (uint32) DatumGetInt32(found(row, 3));
		photo->received = (uint32) DatumGetInt32(found(row, 4));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Writes down which of the commands are about to be sent, and which have to wait. */
static void
claim_commands(const DownlinkOrder *order, Oid schema)
{
	int64	   *claimed = palloc(order->command_count * sizeof(int64));
	int64	   *conns = palloc(order->command_count * sizeof(int64));
	int64	   *held = palloc(order->command_count * sizeof(int64));
	int			claims = 0;
	int			holds = 0;

	for (int i = 0; i < order->command_count; i++)
	{
		const FoundCommand *command = &order->commands[i];

		if (command->held)
			held[holds++] = command->id;
		else
		{
			conns[claims] = order->conns[command->who];
			claimed[claims++] = command->id;
		}
	}
	if (claims > 0)
	{
		Datum		values[] = {int8_array(claimed, claims), int8_array(conns, claims)};

		plan_run(&set, SQL_CLAIM, schema, values, NULL);
	}
	if (holds > 0)
	{
		Datum		value = int8_array(held, holds);

		plan_run(&set, SQL_HOLD, schema, &value, NULL);
	}
}

/* Finds what there is to send by the connections of an order. */
void
downlink_find(void *arg)
{
	DownlinkOrder *order = arg;
	char	   *reason;
	Oid			schema = gate_lock_extension(&reason);
	Datum		values[2];

	if (!OidIsValid(schema))
	{
		order->closed = true;
		return;
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	values[0] = int8_array(order->conns, order->count);
	values[1] = ident_array(order->idents, order->count);
	take_commands(order, plan_run(&set, SQL_FIND_COMMANDS, schema, values, NULL));
	if (order->command_count > 0)
		claim_commands(order, schema);
	if (setting_fetch_photos)
		take_photos(order, plan_run(&set, SQL_FIND_PHOTOS, schema, values, NULL));
	SPI_finish();
}

/* Writes down what became of commands and photos. */
void
downlink_settle(void *arg)
{
	static const Statement statement[] = {
		[SETTLED_SENT] = SQL_SENT,
		[SETTLED_NOT_SENT] = SQL_NOT_SENT,
		[SETTLED_PHOTO_FAILED] = SQL_PHOTO_FAILED
	};
	const SettleOrder *order = arg;
	char	   *reason;
	Oid			schema = gate_lock_extension(&reason);
	int64	   *ids = palloc(order->count * sizeof(int64));

	if (!OidIsValid(schema))
		return;					/* the tables went with it, or will say `sending` */
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	for (Size what = 0; what < lengthof(statement); what++)
	{
		int			count = 0;
		Datum		value;

		for (int i = 0; i < order->count; i++)
		{
			if (order->settled[i].what == (Settlement) what)
				ids[count++] = order->settled[i].id;
		}
		if (count == 0)
			continue;
		value = int8_array(ids, count);
		plan_run(&set, statement[what], schema, &value, NULL);
	}
	SPI_finish();
}
