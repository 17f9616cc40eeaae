/*
 * ingest.c
 *		pt621_ingest(): the listener's path from SQL, in the caller's transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/decode.h"
#include "pg/deferred.h"
#include "pg/settings.h"
#include "pg/store.h"
#include "pg/waiting.h"

/* Longest transport name; it is a label, not a text. */
#define TRANSPORT_MAX	32

/* Makes the source that arguments 1 to 3 describe. */
static Source *
ingest_source(FunctionCallInfo fcinfo)
{
	char	   *transport = PG_ARGISNULL(1) ? "sql" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Source	   *source;

	if (transport[0] == '\0' || strlen(transport) > TRANSPORT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transport must be 1 to %d bytes", TRANSPORT_MAX)));
	source = source_new(CurrentMemoryContext, sizeof(Source), transport);
	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (!PG_ARGISNULL(2))
	{
		inet	   *peer = PG_GETARG_INET_PP(2);

		source->has_peer = true;
		memcpy(VARDATA(&source->peer.inet), VARDATA_ANY(peer), VARSIZE_ANY_EXHDR(peer));
		SET_VARSIZE(&source->peer.inet, VARHDRSZ + VARSIZE_ANY_EXHDR(peer));
	}
	if (!PG_ARGISNULL(3))
	{
		source->peer_port = PG_GETARG_INT32(3);
		if (source->peer_port < 0 || source->peer_port > 65535)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("peer_port must be 0 to 65535")));
	}
	return source;
}

/* Splits and stores one value; its end ends a unit. */
static Datum
ingest(FunctionCallInfo fcinfo, struct varlena *value)
{
	const uint8 *data = (const uint8 *) VARDATA_ANY(value);
	Size		size = VARSIZE_ANY_EXHDR(value);
	Source	   *source = ingest_source(fcinfo);
	TimestampTz received_at = PG_ARGISNULL(4) ? GetCurrentTransactionStartTimestamp() :
		PG_GETARG_TIMESTAMPTZ(4);
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	/* A short value must not cost the memory of a long one. */
	Batch	   *batch = batch_new((uint32) Min((Size) setting_batch_size, size / 64 + 16));
	Waiting    *waiting = NULL;
	Pt621Splitter splitter = {0};
	Pt621Unit	unit;
	StoreResult result = {0};
	Deferred	deferred;

	if (TIMESTAMP_NOT_FINITE(received_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("received_at must be finite")));
	deferred_begin(&deferred, schema);
	while (pt621_split(&splitter, data, size, PT621_INPUT_END, &unit))
	{
		CHECK_FOR_INTERRUPTS();
		if (!batch_add(batch, source, received_at, data, &unit))
		{
			/* What is missing here may come with the next batch. */
			if (waiting == NULL)
				waiting = waiting_new();
			store_batch(batch, 0, batch->count, schema, NULL, waiting, &result);
			waiting_commit(waiting);
			batch_clear(batch);
			batch_add(batch, source, received_at, data, &unit);
		}
		data += unit.size;
		size -= unit.size;
	}
	if (batch->count > 0)
		store_batch(batch, 0, batch->count, schema, NULL, waiting, &result);
	deferred_end(&deferred);
	batch_clear(batch);
	source_release(source);
	PG_RETURN_INT32((int32) result.positions);
}

PG_FUNCTION_INFO_V1(pt621_ingest);

/* pt621_ingest(frame, transport, peer, peer_port, received_at) */
Datum
pt621_ingest(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_INT32(0);
	return ingest(fcinfo, PG_GETARG_BYTEA_PP(0));
}

PG_FUNCTION_INFO_V1(pt621_ingest_reads);

/* pt621_ingest_reads(reads, transport, peer, peer_port, received_at) */
Datum
pt621_ingest_reads(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_INT32(0);
	return ingest(fcinfo, join_reads(PG_GETARG_ARRAYTYPE_P(0)));
}
