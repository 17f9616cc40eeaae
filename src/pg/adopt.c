/*
 * adopt.c
 *		pt621_adopt(): brings a tracker in that was not registered, with all that
 *		was archived of it meanwhile.
 *
 * Invariants.  A unit is stored as the listener would have stored it when it was
 * received, had the tracker been there, and its row in pt621.frame becomes what
 * it would have been: nothing is archived a second time.  What cannot be taken
 * for the one unit that it was stays as it is.  Memory is bounded by
 * pt621.batch_size, whatever the archive holds.
 *
 * Against who archives units of the same tracker just now: see adopt.h.  A
 * tracker that is added here is invisible to others until the commit, so the
 * long first pass needs no lock, and holds up nobody.  The short last one has
 * it exclusively, and until the commit.  A tracker that others see already is
 * stored by them, so all that is archived of it as unknown has been committed
 * once the lock was to be had; it is let go at once, before the state of the
 * tracker is locked, which would be against the order of locks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type_d.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/adopt.h"
#include "pg/deferred.h"
#include "pg/reject.h"
#include "pg/settings.h"
#include "pg/store.h"
#include "pg/waiting.h"

/* Rows read at once; the batch decides how many are stored at once. */
#define FETCH_ROWS		1000
/* Any other than 0, which locks the extension itself. */
#define ADOPT_LOCK_PART	1

typedef struct Adoption
{
	MemoryContext context;		/* until the end of the call */
	MemoryContext rows;			/* of the rows read last */
	Oid			schema;			/* of the extension */
	text	   *ident;
	int32		device;
	bool		is_new;			/* others do not see the tracker yet */
	Datum		live_bases;		/* bytea[], of units that others stored; or 0 */
	TimestampTz live_seen;		/* when they came */
	uint64		taken;			/* units */
	TimestampTz last_at;		/* receipt of the last one */
	Batch	   *batch;			/* NULL while nothing was found */
	Source	   *source;			/* of the last row */
	Waiting    *waiting;
	StoreResult result;
} Adoption;

/* Columns of FIND_UNITS. */
enum
{
	UNIT_RECEIVED_AT = 1, UNIT_SEQ, UNIT_TRANSPORT, UNIT_PEER, UNIT_PEER_PORT,
	UNIT_CONN, UNIT_BYTES, UNIT_UNBOUND
};

#define UNIT_COLUMNS(f) \
	f ".received_at::timestamptz, " f ".seq::int8, " f ".transport::text," \
	" " f ".peer::inet, " f ".peer_port::int4, " f ".conn::int8, " f ".bytes::bytea"

/*
 * Units that came to nothing because the tracker was not registered; and those
 * of its connections which came before its id was named there, as long before
 * as the listener keeps such units waiting.
 */
#define FIND_UNITS \
	"SELECT " UNIT_COLUMNS("f") ", false" \
	" FROM pt621.frame f" \
	" WHERE f.ident = $1 AND f.device_id IS NULL" \
	" AND f.error IN ('" TEXT_QUARANTINED "', '" TEXT_UNKNOWN "')" \
	" UNION ALL" \
	" SELECT " UNIT_COLUMNS("u") ", true" \
	" FROM (SELECT n.conn, min(n.received_at) AS at, min(n.seq) AS seq" \
	" FROM pt621.frame n WHERE n.ident = $1 AND n.device_id IS NULL GROUP BY n.conn) c" \
	" JOIN pt621.frame u ON u.conn = c.conn AND u.seq < c.seq" \
	" AND u.received_at <= c.at AND u.received_at > c.at - $2" \
	" WHERE u.ident IS NULL AND u.device_id IS NULL AND u.error = '" TEXT_NO_TRACKER "'" \
	" AND NOT EXISTS (SELECT FROM pt621.frame o" \
	" WHERE o.conn = c.conn AND o.seq > u.seq AND o.seq < c.seq" \
	" AND o.received_at >= u.received_at AND o.received_at <= c.at AND o.ident <> $1)" \
	" ORDER BY 1, 2"

/*
 * What could not be read at all is the tracker's too; not what failed of an
 * error of the server or a trigger, which begins with its SQLSTATE.
 */
#define CLAIM_THE_REST \
	"WITH rest AS (" \
	"UPDATE pt621.frame f SET device_id = $2" \
	" WHERE f.ident = $1 AND f.device_id IS NULL" \
	" AND (f.error IS NULL OR f.error NOT IN ('" TEXT_QUARANTINED "', '" TEXT_UNKNOWN "')" \
	" AND f.error !~ '^[0-9A-Z]{5}: ')" \
	" RETURNING f.received_at, f.seq, f.conn, f.transport, f.peer, f.peer_port)" \
	" UPDATE pt621.device_state s SET last_seen = l.received_at, last_conn = l.conn," \
	" last_transport = l.transport, last_peer = l.peer, last_peer_port = l.peer_port" \
	" FROM (SELECT r.* FROM rest r JOIN pt621.device d ON d.id = $2" \
	" WHERE d.enabled AND (d.allowed_peers IS NULL OR r.peer IS NULL OR r.peer <<= ANY (d.allowed_peers))" \
	" ORDER BY r.received_at DESC, r.seq DESC LIMIT 1) l" \
	" WHERE s.device_id = $2 AND (s.last_seen < l.received_at) IS NOT FALSE"

/* The last records by time of receipt: of the history, then those before it in
 * the table. */
#define MEND_BASES \
	"UPDATE pt621.device_state s SET bases = (SELECT array_agg(r.base ORDER BY r.n)" \
	" FROM (SELECT a.base, a.n FROM (" \
	"SELECT h.base, h.n FROM unnest(s.bases) WITH ORDINALITY h (base, n) WHERE h.base <> ALL ($2)" \
	" UNION ALL" \
	" SELECT v.base, v.n + " CppAsString2(PT621_RING_SIZE) " FROM unnest($2) WITH ORDINALITY v (base, n)" \
	") a ORDER BY a.n DESC LIMIT " CppAsString2(PT621_RING_SIZE) ") r)" \
	" WHERE s.device_id = $1"

void
adopt_lock(LOCKMODE mode)
{
	/* No advisory lock: those anybody may take who can connect. */
	LockDatabaseObject(ExtensionRelationId, get_extension_oid("pt621", false),
					   ADOPT_LOCK_PART, mode);
}

/* Waits until all is committed that was archived as of an unknown tracker by
 * those who have not seen the trackers that are there now. */
static void
wait_for_archivers(void)
{
	adopt_lock(ExclusiveLock);
	UnlockDatabaseObject(ExtensionRelationId, get_extension_oid("pt621", false),
						 ADOPT_LOCK_PART, ExclusiveLock);
}

/* Gives the id that is asked for, which must be one that the wire can have. */
static text *
check_ident(FunctionCallInfo fcinfo)
{
	text	   *ident;
	Size		size;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the id of a tracker must not be NULL")));
	ident = PG_GETARG_TEXT_PP(0);
	size = VARSIZE_ANY_EXHDR(ident);
	if (size < 1 || size > PT621_IDENT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the id of a tracker has 1 to %d bytes, not %zu",
						PT621_IDENT_MAX, size)));
	if (!pt621_printable((const uint8 *) VARDATA_ANY(ident), size))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the id of a tracker is printable ASCII")));
	return ident;
}

/* Runs a statement with up to two parameters; returns how many rows it gave. */
static uint64
execute(const char *query, int parameters, Oid *types, Datum *values)
{
	int			result = SPI_execute_with_args(query, parameters, types, values,
											   NULL, false, 0);

	if (result < 0)
		elog(ERROR, "could not execute \"%s\": %s", query,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* Reads column `number` of the first row of the last statement. */
static bool
result_column(int number, Datum *value)
{
	bool		isnull;

	*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull);
	return !isnull;
}

/* Looks for the tracker; false when it is not registered. */
static bool
find_device(Adoption *adoption)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PointerGetDatum(adoption->ident)};
	Datum		value;

	if (execute("SELECT d.id::int4, d.xmin FROM pt621.device d WHERE d.ident = $1",
				1, types, values) == 0 || !result_column(1, &value))
		return false;
	adoption->device = DatumGetInt32(value);
	adoption->is_new = result_column(2, &value) &&
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(value));
	return true;
}

/* Registers the tracker, unless it is. */
static void
register_device(Adoption *adoption)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PointerGetDatum(adoption->ident)};

	/* Looked for first: ON CONFLICT takes a number even for what is there. */
	if (find_device(adoption))
		return;
	execute("INSERT INTO pt621.device (ident) VALUES ($1) ON CONFLICT (ident) DO NOTHING",
			1, types, values);
	if (!find_device(adoption))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tracker was not added to pt621.device"),
				 errhint("A trigger on the table may have refused it.")));
}

/* Locks the state of the tracker, and keeps what others made of it. */
static void
lock_state(Adoption *adoption)
{
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(adoption->device)};
	Datum		value;

	adoption->live_seen = DT_NOBEGIN;
	if (execute("SELECT s.bases::bytea[], s.last_seen::timestamptz FROM pt621.device_state s"
				" WHERE s.device_id = $1 FOR UPDATE", 1, types, values) == 0)
		return;
	if (result_column(2, &value))
		adoption->live_seen = DatumGetTimestampTz(value);
	if (result_column(1, &value))
	{
		MemoryContext old = MemoryContextSwitchTo(adoption->context);

		adoption->live_bases = PointerGetDatum(DatumGetArrayTypePCopy(value));
		MemoryContextSwitchTo(old);
	}
}

/* Stores what the batch holds. */
static void
store_adopted(Adoption *adoption)
{
	Batch	   *batch = adoption->batch;

	if (batch == NULL || batch->count == 0)
		return;
	adoption->last_at = Max(adoption->last_at,
							batch->units[batch->count - 1].received_at);
	adoption->taken += batch->count;
	store_batch(batch, 0, batch->count, adoption->schema, NULL,
				adoption->waiting, &adoption->result);
	waiting_commit(adoption->waiting);
	batch_clear(batch);
}

/*
 * Finds the unit that a row of the archive was; false when it is not one, or no
 * longer.  A row is one unit, and the first of a BF FB frame has its header in
 * front, which announces others behind it that are rows of their own.
 */
static bool
find_unit(const Adoption *adoption, const uint8 *bytes, uint32 size, Pt621Unit *unit)
{
	Pt621Splitter splitter = {0};
	Pt621Record record;
	Pt621Error	error;
	uint32		at = 0;

	if (size == 0 || size > PT621_PENDING_MAX)
		return false;
	while (at < size && (bytes[at] == '\r' || bytes[at] == '\n'))
		at++;
	if (size - at > PT621_FRAME_HEADER && bytes[at] == 0xBF && bytes[at + 1] == 0xFB)
		at += PT621_FRAME_HEADER;
	else
		at = 0;
	if (!pt621_split(&splitter, bytes + at, size - at, PT621_INPUT_END, unit) ||
		unit->size != size - at)
		return false;
	unit->payload_at += at;
	unit->size = size;
	if (unit->kind == PT621_UNIT_DELTA)
		return true;
	if ((unit->kind != PT621_UNIT_LINE && unit->kind != PT621_UNIT_PHOTO) ||
		!pt621_parse(bytes + unit->payload_at, unit->payload_size, &record, &error))
		return false;
	/* Another decoder may read another id, and that is not who was vouched for. */
	return record.kind != PT621_REPORT ||
		(record.ident.size == VARSIZE_ANY_EXHDR(adoption->ident) &&
		 memcmp(record.ident.at, VARDATA_ANY(adoption->ident), record.ident.size) == 0);
}

/* Gives column `number` of a row, or 0 where it is NULL. */
static Datum
column(HeapTuple row, TupleDesc desc, int number, bool *isnull)
{
	bool		ignored;

	return SPI_getbinval(row, desc, number, isnull ? isnull : &ignored);
}

/* Lets go of the source of the row before. */
static void
forget_source(Adoption *adoption)
{
	if (adoption->source)
		source_release(adoption->source);
	adoption->source = NULL;
}

/* Makes adoption->source where a row came from, or keeps that of the row before. */
static void
find_source(Adoption *adoption, HeapTuple row, TupleDesc desc)
{
	bool		no_peer;
	bool		no_port;
	char	   *transport = TextDatumGetCString(column(row, desc, UNIT_TRANSPORT, NULL));
	Datum		peer = column(row, desc, UNIT_PEER, &no_peer);
	int			port = DatumGetInt32(column(row, desc, UNIT_PEER_PORT, &no_port));
	Source		made = {.conn = DatumGetInt64(column(row, desc, UNIT_CONN, NULL)),
	.peer_port = no_port ? -1 : port,.has_peer = !no_peer};
	Source	   *source = adoption->source;

	if (made.has_peer)
	{
		inet	   *address = DatumGetInetPP(peer);
		Size		size = Min(VARSIZE_ANY_EXHDR(address), sizeof(inet_struct));

		memcpy(VARDATA(&made.peer.inet), VARDATA_ANY(address), size);
		SET_VARSIZE(&made.peer.inet, VARHDRSZ + size);
	}
	if (source && source->conn == made.conn && made.conn != 0 &&
		source->peer_port == made.peer_port && source->has_peer == made.has_peer &&
		memcmp(source->peer.bytes, made.peer.bytes, sizeof(made.peer.bytes)) == 0 &&
		strcmp(source->transport, transport) == 0)
		return;

	/* Its transport lives and dies with it. */
	forget_source(adoption);
	source = source_new(adoption->context, sizeof(Source) + strlen(transport) + 1, NULL);
	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	strcpy((char *) (source + 1), transport);
	source->transport = (char *) (source + 1);
	source->conn = made.conn;
	source->peer_port = made.peer_port;
	source->has_peer = made.has_peer;
	source->peer = made.peer;
	adoption->source = source;
}

/* Takes a row of the archive into the batch, which is stored when it is full. */
static void
take_row(Adoption *adoption, HeapTuple row, TupleDesc desc)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(column(row, desc, UNIT_BYTES, NULL));
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(value);
	TimestampTz received_at = DatumGetTimestampTz(column(row, desc, UNIT_RECEIVED_AT, NULL));
	Pt621Unit	unit;
	BatchUnit  *added;

	if (!find_unit(adoption, bytes, (uint32) VARSIZE_ANY_EXHDR(value), &unit))
		return;
	find_source(adoption, row, desc);
	if (adoption->batch == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(adoption->context);

		adoption->batch = batch_new((uint32) setting_batch_size);
		adoption->batch->archived = true;
		adoption->waiting = waiting_new();
		MemoryContextSwitchTo(old);
	}
	if (!batch_add(adoption->batch, adoption->source, received_at, bytes, &unit))
	{
		store_adopted(adoption);
		batch_add(adoption->batch, adoption->source, received_at, bytes, &unit);
	}
	added = &adoption->batch->units[adoption->batch->count - 1];
	added->seq = DatumGetInt64(column(row, desc, UNIT_SEQ, NULL));
	added->unbound = DatumGetBool(column(row, desc, UNIT_UNBOUND, NULL));
	added->ident.size = VARSIZE_ANY_EXHDR(adoption->ident);
	memcpy(added->ident.bytes, VARDATA_ANY(adoption->ident), added->ident.size);
}

/* Stores all that the archive has by now of the tracker as of an unknown one. */
static void
adopt_pass(Adoption *adoption)
{
	Oid			types[] = {TEXTOID, INTERVALOID};
	Oid			claim_types[] = {TEXTOID, INT4OID};
	Interval	waiting_time = {.time = WAITING_TIME};
	Datum		values[] = {PointerGetDatum(adoption->ident), IntervalPGetDatum(&waiting_time)};
	Datum		claim_values[] = {values[0], Int32GetDatum(adoption->device)};
	Portal		cursor = SPI_cursor_open_with_args(NULL, FIND_UNITS, 2, types,
												   values, NULL, false,
												   CURSOR_OPT_NO_SCROLL);

	for (;;)
	{
		SPITupleTable *table;
		uint64		rows;
		MemoryContext old;

		SPI_cursor_fetch(cursor, true, FETCH_ROWS);
		table = SPI_tuptable;
		rows = SPI_processed;
		old = MemoryContextSwitchTo(adoption->rows);
		for (uint64 i = 0; i < rows; i++)
		{
			CHECK_FOR_INTERRUPTS();
			take_row(adoption, table->vals[i], table->tupdesc);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(adoption->rows);
		SPI_freetuptable(table);
		if (rows < FETCH_ROWS)
			break;
	}
	SPI_cursor_close(cursor);
	store_adopted(adoption);
	execute(CLAIM_THE_REST, 2, claim_types, claim_values);
}

/*
 * Puts the bases of what others have stored behind those of the history when
 * they came later: the next delta refers to one of them.
 */
static void
mend_bases(Adoption *adoption)
{
	Oid			types[] = {INT4OID, BYTEAARRAYOID};
	Datum		values[] = {Int32GetDatum(adoption->device), adoption->live_bases};

	if (adoption->live_bases != (Datum) 0 && adoption->taken > 0 &&
		adoption->live_seen >= adoption->last_at)
		execute(MEND_BASES, 2, types, values);
}

PG_FUNCTION_INFO_V1(pt621_adopt);

/* pt621_adopt(ident): see sql/install/75-adopt.sql. */
Datum
pt621_adopt(PG_FUNCTION_ARGS)
{
	Adoption	adoption = {.ident = check_ident(fcinfo),
		.schema = get_func_namespace(fcinfo->flinfo->fn_oid),
	.last_at = DT_NOBEGIN};
	Deferred	deferred;

	/* What is archived meanwhile could not be seen. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("pt621_adopt() must run in a transaction that is READ COMMITTED")));
	deferred_begin(&deferred, adoption.schema);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	adoption.context = CurrentMemoryContext;
	adoption.rows = AllocSetContextCreate(CurrentMemoryContext, "pt621 archived units",
										  ALLOCSET_DEFAULT_SIZES);
	register_device(&adoption);
	if (!adoption.is_new)
		wait_for_archivers();
	lock_state(&adoption);
	adopt_pass(&adoption);
	if (adoption.is_new)
	{
		adopt_lock(ExclusiveLock);
		adopt_pass(&adoption);
	}
	mend_bases(&adoption);
	deferred_end(&deferred);
	forget_source(&adoption);
	SPI_finish();
	PG_RETURN_INT64((int64) adoption.result.positions);
}
