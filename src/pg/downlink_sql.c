/*
 * downlink_sql.c
 *		What the downlink asks of the tables.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"

#include "pg/arrays.h"
#include "pg/downlink_sql.h"
#include "pg/gate.h"
#include "pg/plan.h"
#include "pg/settings.h"

/* The tracker of each connection, if that is the one that speaks for it. */
#define OF_CONNECTIONS \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY u (conn, ident, n)" \
	" JOIN pt621.device d ON d.ident = u.ident AND d.enabled" \
	" JOIN pt621.device_state s ON s.device_id = d.id AND s.bound_conn = u.conn"

/* Those of the ids that are still as the connection left them. */
#define OF_SETTLED \
	" WHERE c.id IN (SELECT l.id FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u (id, conn)" \
	" JOIN pt621.command l ON l.id = u.id AND l.conn = u.conn AND l.state = 'sending'" \
	" FOR UPDATE OF l SKIP LOCKED)"

/* Commands of one tracker that are sent at once: it has to cope with them. */
#define COMMANDS_MAX	16

typedef enum Statement
{
	SQL_FIND_COMMANDS,
	SQL_CLAIM,
	SQL_HOLD,
	SQL_FIND_PHOTOS,
	SQL_SENT,
	SQL_NOT_SENT,
	SQL_STILL_SENDING,
	SQL_PHOTO_FAILED,
	STATEMENTS
} Statement;

static const PlanText statements[STATEMENTS] =
{
	/* $3: of each tracker no more than so many. */
	[SQL_FIND_COMMANDS] = {
		"SELECT c.n, c.id, c.wire, CASE"
		" WHEN c.cuts_engine IS DISTINCT FROM coalesce(%1$s.pt621_command_may_switch(c.wire, c.engine_output), false)"
		" THEN 'waits: pt621.device.engine_output was changed since, so order it anew'"
		" WHEN c.cuts_engine AND NOT c.force AND %1$s.pt621_too_fast(c.fix_time, c.speed_kmh)"
		" THEN 'waits: too fast for cutting the engine' END"
		" FROM (SELECT u.n::pg_catalog.int4, q.id, q.wire, q.cuts_engine, q.force, d.engine_output, s.fix_time, s.speed_kmh"
		OF_CONNECTIONS
		" JOIN LATERAL (SELECT w.id::pg_catalog.int8, w.wire::pg_catalog.text, w.cuts_engine, w.force FROM pt621.command w"
		" WHERE w.device_id = d.id AND w.state = 'queued' AND w.transport = 'data' AND w.expires_at > pg_catalog.now()"
		" AND (w.not_before IS NULL OR w.not_before <= pg_catalog.now())"
		" AND (w.output IS NULL OR %1$s.pt621_command_superseded_by(w.id, w.device_id, w.output) IS NULL)"
		" ORDER BY w.id LIMIT $3 FOR UPDATE SKIP LOCKED) q ON true) c"
		" ORDER BY c.id",
		PLAN_BY_INDEX, 3, {INT8ARRAYOID, TEXTARRAYOID, INT4OID}
	},
	[SQL_CLAIM] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'sending', attempts = c.attempts + 1,"
		" sent_at = pg_catalog.clock_timestamp(), conn = u.conn, reason = NULL"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u (id, conn) WHERE c.id = u.id",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, INT8ARRAYOID}
	},
	[SQL_HOLD] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET reason = u.reason"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u (id, reason)"
		" WHERE c.id = u.id AND c.reason IS DISTINCT FROM u.reason",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, TEXTARRAYOID}
	},
	[SQL_FIND_PHOTOS] = {
		PLAN_NO_SCHEMA "SELECT u.n::pg_catalog.int4, p.id::pg_catalog.int8, p.size::pg_catalog.int4, p.received::pg_catalog.int4"
		OF_CONNECTIONS
		" JOIN LATERAL (SELECT q.id, q.size, q.received FROM pt621.photo q"
		" WHERE q.device_id = d.id AND q.state IN ('announced', 'fetching')"
		" ORDER BY q.id LIMIT 1) p ON true",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, TEXTARRAYOID}
	},
	/* Nobody is waited for here: what somebody holds is for the next time.  Each gives
	 * the ids of those that are done. */
	[SQL_SENT] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'sent'" OF_SETTLED,
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, INT8ARRAYOID}
	},
	[SQL_NOT_SENT] = {
		PLAN_NO_SCHEMA "UPDATE pt621.command c SET state = 'queued', attempts = c.attempts - 1,"
		" sent_at = NULL, conn = NULL, reason = 'the connection took no more'" OF_SETTLED,
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, INT8ARRAYOID}
	},
	[SQL_STILL_SENDING] = {
		PLAN_NO_SCHEMA "SELECT c.id::pg_catalog.int8 FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) u (id, conn)"
		" JOIN pt621.command c ON c.id = u.id AND c.conn = u.conn AND c.state = 'sending' ORDER BY 1",
		PLAN_BY_INDEX, 2, {INT8ARRAYOID, INT8ARRAYOID}
	},
	[SQL_PHOTO_FAILED] = {
		PLAN_NO_SCHEMA "UPDATE pt621.photo p SET state = 'failed', reason = pg_catalog.concat_ws('; ', p.reason,"
		" 'no answer to the last requests for the bytes from ' || p.received::pg_catalog.text || ' on')"
		" WHERE p.id IN (SELECT l.id FROM pt621.photo l WHERE l.id = ANY ($1)"
		" AND l.state IN ('announced', 'fetching') FOR UPDATE SKIP LOCKED)",
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
	return PointerGetDatum(array_make(elements, count, INT8OID));
}

static Datum
text_array(const char *const *values, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = CStringGetTextDatum(values[i]);
	return PointerGetDatum(array_make(elements, count, TEXTOID));
}

static Datum
ident_array(const SourceIdent *idents, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(cstring_to_text_with_len((const char *) idents[i].bytes,
															   (int) idents[i].size));
	return PointerGetDatum(array_make(elements, count, TEXTOID));
}

/* Gives a column of a row that was found; none of them is NULL. */
static Datum
found(uint64 row, int column)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
}

/* Gives a text of a row that was found, in the order's memory; NULL where it is. */
static const char *
found_text(const DownlinkOrder *order, uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : MemoryContextStrdup(order->context, TextDatumGetCString(value));
}

/* Takes in the commands that were found. */
static void
take_commands(DownlinkOrder *order, uint64 rows)
{
	order->command_count = 0;
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
		command->held = found_text(order, row, 4);
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
	const char **reasons = palloc(order->command_count * sizeof(char *));
	int			claims = 0;
	int			holds = 0;

	for (int i = 0; i < order->command_count; i++)
	{
		const FoundCommand *command = &order->commands[i];

		if (command->held)
		{
			reasons[holds] = command->held;
			held[holds++] = command->id;
		}
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
		/* Whatever synchronous_commit says: once it is sent it must be known. */
		ForceSyncCommit();
	}
	if (holds > 0)
	{
		Datum		values[] = {int8_array(held, holds), text_array(reasons, holds)};

		plan_run(&set, SQL_HOLD, schema, values, NULL);
	}
}

/* Finds what there is to send by the connections of an order. */
void
downlink_find(void *arg)
{
	DownlinkOrder *order = arg;
	char	   *reason;
	Oid			schema = gate_lock_extension(&reason);
	Datum		values[3];
	uint64		rows;

	if (!OidIsValid(schema))
	{
		order->closed = true;
		return;
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	values[0] = int8_array(order->conns, order->count);
	values[1] = ident_array(order->idents, order->count);
	values[2] = Int32GetDatum(COMMANDS_MAX);
	rows = plan_run(&set, SQL_FIND_COMMANDS, schema, values, NULL);
	order->more = rows >= COMMANDS_MAX;
	take_commands(order, rows);
	if (order->command_count > 0)
		claim_commands(order, schema);
	if (setting_fetch_photos)
		take_photos(order, plan_run(&set, SQL_FIND_PHOTOS, schema, values, NULL));
	SPI_finish();
}

/* Collects those of one kind that are not done; returns how many. */
static int
collect_settled(const SettleOrder *order, Settlement what, int64 *ids, int64 *conns)
{
	int			count = 0;

	for (int i = 0; i < order->count; i++)
	{
		if (order->settled[i].what != what)
			continue;
		conns[count] = order->settled[i].conn;
		ids[count++] = order->settled[i].id;
	}
	return count;
}

/* Marks as done all but those that are still `sending`: the ids that were found, in
 * their order. */
static void
mark_done(SettleOrder *order, uint64 rows)
{
	int64	   *still = palloc(Max(rows, 1) * sizeof(int64));

	for (uint64 row = 0; row < rows; row++)
		still[row] = DatumGetInt64(found(row, 1));
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < order->count; i++)
		order->settled[i].done = bsearch(&order->settled[i].id, still, rows, sizeof(int64),
										 compare_int64) == NULL;
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
	SettleOrder *order = arg;
	char	   *reason;
	Oid			schema = gate_lock_extension(&reason);
	int64	   *ids = palloc(order->count * sizeof(int64));
	int64	   *conns = palloc(order->count * sizeof(int64));
	uint64		still = 0;

	if (!OidIsValid(schema))
		return;					/* when it is back */
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	for (int what = 0; what < (int) lengthof(statement); what++)
	{
		int			count = collect_settled(order, (Settlement) what, ids, conns);
		Datum		values[2];

		if (count == 0)
			continue;
		values[0] = int8_array(ids, count);
		values[1] = int8_array(conns, count);
		plan_run(&set, statement[what], schema, values, NULL);
	}
	for (int i = 0; i < order->count; i++)
	{
		ids[i] = order->settled[i].id;
		conns[i] = order->settled[i].conn;
	}
	{
		Datum		values[] = {int8_array(ids, order->count), int8_array(conns, order->count)};

		still = plan_run(&set, SQL_STILL_SENDING, schema, values, NULL);
	}
	mark_done(order, still);
	SPI_finish();
}
