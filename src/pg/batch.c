/*
 * batch.c
 *		What arrived and is not stored yet.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "utils/memutils.h"

#include "pg/batch.h"

/* Twice the usual record and its share of frame headers. */
#define BYTES_PER_UNIT	256

Source *
source_new(MemoryContext context, Size size, const char *transport)
{
	Source	   *source = MemoryContextAllocExtended(context, size,
													MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);

	if (source)
	{
		source->references = 1;
		source->transport = transport;
		source->peer_port = -1;
	}
	return source;
}

void
source_set_peer(Source *source, const struct sockaddr *peer)
{
	inet	   *value = &source->peer.inet;

	if (peer->sa_family == AF_INET)
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) peer;

		ip_family(value) = PGSQL_AF_INET;
		memcpy(ip_addr(value), &in->sin_addr, 4);
		source->peer_port = ntohs(in->sin_port);
	}
	else if (peer->sa_family == AF_INET6)
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) peer;

		ip_family(value) = PGSQL_AF_INET6;
		memcpy(ip_addr(value), &in6->sin6_addr, 16);
		source->peer_port = ntohs(in6->sin6_port);
	}
	else
		return;
	ip_bits(value) = ip_maxbits(value);
	SET_INET_VARSIZE(value);
	source->has_peer = true;
}

void
source_release(Source *source)
{
	Assert(source->references > 0);
	if (--source->references == 0)
		pfree(source);
}

int
source_ident_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(SourceIdent));
}

Batch *
batch_new(uint32 units)
{
	Batch	   *batch = palloc0(sizeof(Batch));

	batch->room = units;
	batch->units = MemoryContextAllocHuge(CurrentMemoryContext,
										  units * sizeof(BatchUnit));
	/* The longest unit must fit, or it would never be stored. */
	batch->size = Max((Size) units * BYTES_PER_UNIT, 2 * PT621_PENDING_MAX);
	batch->bytes = MemoryContextAllocHuge(CurrentMemoryContext, batch->size);
	return batch;
}

bool
batch_add(Batch *batch, Source *source, TimestampTz received_at,
		  const uint8 *data, const Pt621Unit *unit)
{
	BatchUnit  *added;
	uint8	   *bytes = batch->bytes + batch->used;

	if (batch->count == batch->room || unit->size > batch->size - batch->used)
		return false;
	memcpy(bytes, data, unit->size);
	batch->used += unit->size;

	added = &batch->units[batch->count++];
	added->source = source;
	added->received_at = received_at;
	added->seq = 0;
	memset(&added->ident, 0, sizeof(added->ident));
	added->unbound = false;
	added->bytes = bytes;
	added->unit = *unit;
	added->foreign = added->class = added->rejection = 0;
	added->quarantine = QUARANTINE_OPEN;
	added->left_out = false;
	added->sampled = true;
	added->binds = added->is_answer = false;
	added->photo_fate = PHOTO_NOTHING;
	added->photo = added->photo_number = 0;
	added->piece = 0;
	source->references++;
	return true;
}

void
batch_clear(Batch *batch)
{
	for (uint32 i = 0; i < batch->count; i++)
		source_release(batch->units[i].source);
	batch->count = 0;
	batch->used = 0;
}
