/*
 * connections.c
 *		The connections and UDP paths of all listeners, in shared memory.
 */
#include "postgres.h"

#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "pg/connections.h"
#include "pg/row.h"
#include "pg/settings.h"
#include "pg/shared.h"

/* TCP connections are counted by address, those of IPv6 by its network: whoever
 * has one address has a /64 of them. */
typedef struct AddressKey
{
	uint8		family;
	uint8		bytes[16];
} AddressKey;

typedef struct AddressEntry
{
	AddressKey	key;
	int			count;
} AddressEntry;

/* Connections and paths by their numbers. */
typedef struct NumberEntry
{
	int64		conn;			/* key */
	int			index;
} NumberEntry;

typedef struct Connections
{
	int			count[2];		/* TCP connections, UDP paths */
	int			first_free;		/* -1 = none */
	int			used;			/* those from here on were never used */
	int			size;
	pg_atomic_uint32 displaced[SLOTS];	/* by worker: how often one was marked */
	pg_atomic_uint32 wanted[SLOTS]; /* likewise */
	ConnectionSlot slot[FLEXIBLE_ARRAY_MEMBER];
} Connections;

static Connections *connections = NULL;
static HTAB *addresses = NULL;
static HTAB *numbers = NULL;
static LWLock *connections_lock = NULL;

/* As many UDP paths as TCP connections. */
static int
table_size(void)
{
	return 2 * setting_max_connections;
}

static Size
slots_size(void)
{
	return add_size(offsetof(Connections, slot),
					mul_size((Size) table_size(), sizeof(ConnectionSlot)));
}

Size
connections_size(void)
{
	Size		size = MAXALIGN(slots_size());

	size = add_size(size, hash_estimate_size(setting_max_connections, sizeof(AddressEntry)));
	return add_size(size, hash_estimate_size(table_size(), sizeof(NumberEntry)));
}

void
connections_startup(LWLock *lock)
{
	HASHCTL		control = {.keysize = sizeof(AddressKey),.entrysize = sizeof(AddressEntry)};
	HASHCTL		by_number = {.keysize = sizeof(int64),.entrysize = sizeof(NumberEntry)};
	bool		found;

	connections_lock = lock;
	connections = ShmemInitStruct("pt621 connections", slots_size(), &found);
	if (!found)
	{
		memset(connections, 0, slots_size());
		connections->size = table_size();
		connections->first_free = -1;
		for (int i = 0; i < SLOTS; i++)
		{
			pg_atomic_init_u32(&connections->displaced[i], 0);
			pg_atomic_init_u32(&connections->wanted[i], 0);
		}
		for (int i = 0; i < connections->size; i++)
		{
			ConnectionSlot *slot = &connections->slot[i];

			slot->worker = -1;
			pg_atomic_init_u64(&slot->conn, 0);
			pg_atomic_init_u64(&slot->last_seen, 0);
			pg_atomic_init_u64(&slot->bytes, 0);
			pg_atomic_init_u64(&slot->units, 0);
			pg_atomic_init_u64(&slot->rejected, 0);
			pg_atomic_init_u32(&slot->displaced, 0);
			pg_atomic_init_u32(&slot->wanted, 0);
		}
	}
	addresses = ShmemInitHash("pt621 addresses", setting_max_connections,
							  setting_max_connections, &control,
							  HASH_ELEM | HASH_BLOBS);
	numbers = ShmemInitHash("pt621 connection numbers", table_size(), table_size(),
							&by_number, HASH_ELEM | HASH_BLOBS);
}

static AddressKey
address_key(const SourcePeer *peer)
{
	AddressKey	key = {0};
	const inet *address = &peer->inet;

	key.family = ip_family(address);
	memcpy(key.bytes, ip_addr(address), key.family == PGSQL_AF_INET ? 4 : 8);
	return key;
}

/* Counts a connection at its address; false when there are too many. */
static bool
enter_address(const SourcePeer *peer)
{
	AddressKey	key = address_key(peer);
	int			limit = setting_max_connections_per_address;
	bool		found;
	AddressEntry *entry = hash_search(addresses, &key, HASH_ENTER_NULL, &found);

	if (entry == NULL)
		return limit == 0;		/* not counted then, and not taken off again */
	if (!found)
		entry->count = 0;
	if (limit > 0 && entry->count >= limit)
		return false;
	entry->count++;
	return true;
}

bool
connections_address_is_full(const Source *source)
{
	AddressKey	key = address_key(&source->peer);
	AddressEntry *entry;
	bool		full;

	if (setting_max_connections_per_address == 0)
		return false;
	LWLockAcquire(connections_lock, LW_SHARED);
	entry = hash_search(addresses, &key, HASH_FIND, NULL);
	full = entry && entry->count >= setting_max_connections_per_address;
	LWLockRelease(connections_lock);
	return full;
}

static void
leave_address(const SourcePeer *peer)
{
	AddressKey	key = address_key(peer);
	AddressEntry *entry = hash_search(addresses, &key, HASH_FIND, NULL);

	if (entry && --entry->count <= 0)
		hash_search(addresses, &key, HASH_REMOVE, NULL);
}

/* Takes a slot off the free ones; the bounds were asked. */
static ConnectionSlot *
take_slot(void)
{
	int			index = connections->first_free;

	if (index >= 0)
		connections->first_free = connections->slot[index].next_free;
	else if (connections->used < connections->size)
		index = connections->used++;
	else
		return NULL;
	return &connections->slot[index];
}

ConnectionSlot *
connections_open(const Source *source, bool is_udp, CloseReason *reason)
{
	ConnectionSlot *slot = NULL;

	LWLockAcquire(connections_lock, LW_EXCLUSIVE);
	*reason = CLOSE_REFUSED;
	if (connections->count[is_udp] < setting_max_connections)
	{
		if (!is_udp && !enter_address(&source->peer))
			*reason = CLOSE_ADDRESS;
		else
			slot = take_slot();
	}
	if (slot)
	{
		connections->count[is_udp]++;
		slot->worker = shared_my_slot();
		slot->is_udp = is_udp;
		slot->peer = source->peer;
		slot->peer_port = source->peer_port;
		slot->since = GetCurrentTimestamp();
		memset(&slot->ident, 0, sizeof(slot->ident));
		pg_atomic_write_u64(&slot->conn, 0);
		pg_atomic_write_u64(&slot->last_seen, 0);
		pg_atomic_write_u64(&slot->bytes, 0);
		pg_atomic_write_u64(&slot->units, 0);
		pg_atomic_write_u64(&slot->rejected, 0);
		pg_atomic_write_u32(&slot->displaced, 0);
		pg_atomic_write_u32(&slot->wanted, 0);
	}
	LWLockRelease(connections_lock);
	return slot;
}

/* Gives a slot back; under the lock. */
static void
free_slot(ConnectionSlot *slot)
{
	int64		conn = (int64) pg_atomic_read_u64(&slot->conn);

	if (conn != 0)
		hash_search(numbers, &conn, HASH_REMOVE, NULL);
	connections->count[slot->is_udp]--;
	if (!slot->is_udp)
		leave_address(&slot->peer);
	slot->worker = -1;
	pg_atomic_write_u64(&slot->conn, 0);
	slot->next_free = connections->first_free;
	connections->first_free = (int) (slot - connections->slot);
}

void
connections_close(ConnectionSlot *slot)
{
	LWLockAcquire(connections_lock, LW_EXCLUSIVE);
	free_slot(slot);
	LWLockRelease(connections_lock);
}

void
connections_forget_worker(int worker)
{
	LWLockAcquire(connections_lock, LW_EXCLUSIVE);
	for (int i = 0; i < connections->used; i++)
	{
		if (connections->slot[i].worker == worker)
			free_slot(&connections->slot[i]);
	}
	LWLockRelease(connections_lock);
}

void
connections_name(ConnectionSlot *slot, const Source *source)
{
	NumberEntry *entry;

	LWLockAcquire(connections_lock, LW_EXCLUSIVE);
	entry = hash_search(numbers, &source->conn, HASH_ENTER_NULL, NULL);
	if (entry)
		entry->index = (int) (slot - connections->slot);
	slot->ident = source->ident;
	pg_atomic_write_u64(&slot->conn, (uint64) source->conn);
	LWLockRelease(connections_lock);
}

/* Finds an open connection or path; under the lock, or it may be another one by
 * the time it is looked at. */
static ConnectionSlot *
find_slot(int64 conn)
{
	NumberEntry *entry = hash_search(numbers, &conn, HASH_FIND, NULL);

	return entry ? &connections->slot[entry->index] : NULL;
}

ConnectionKind
connections_kind(int64 conn, TimestampTz *last_seen)
{
	ConnectionKind kind = CONNECTION_GONE;
	ConnectionSlot *slot;

	if (connections == NULL)
		return kind;
	LWLockAcquire(connections_lock, LW_SHARED);
	slot = find_slot(conn);
	if (slot)
	{
		kind = slot->is_udp ? CONNECTION_UDP : CONNECTION_TCP;
		*last_seen = (TimestampTz) pg_atomic_read_u64(&slot->last_seen);
	}
	LWLockRelease(connections_lock);
	return kind;
}

bool
connections_displace(int64 conn, const SourceIdent *ident)
{
	ConnectionSlot *slot;
	bool		marked = false;

	if (connections == NULL)
		return false;
	LWLockAcquire(connections_lock, LW_SHARED);
	slot = find_slot(conn);
	if (slot && memcmp(&slot->ident, ident, sizeof(SourceIdent)) == 0)
	{
		pg_atomic_write_u32(&slot->displaced, 1);
		marked = true;
	}
	LWLockRelease(connections_lock);
	return marked;
}

void
connections_restore(int64 conn)
{
	ConnectionSlot *slot;

	LWLockAcquire(connections_lock, LW_SHARED);
	slot = find_slot(conn);
	if (slot)
		pg_atomic_write_u32(&slot->displaced, 0);
	LWLockRelease(connections_lock);
}

static void
wake_process(pid_t pid)
{
	PGPROC	   *proc = pid != 0 ? BackendPidGetProc(pid) : NULL;

	if (proc)
		SetLatch(&proc->procLatch);
}

void
connections_wake(int64 conn)
{
	ConnectionSlot *slot;
	pid_t		pid = 0;

	LWLockAcquire(connections_lock, LW_SHARED);
	slot = find_slot(conn);
	if (slot)
	{
		pg_atomic_fetch_add_u32(&connections->displaced[slot->worker], 1);
		pid = shared_pid(slot->worker);
	}
	LWLockRelease(connections_lock);
	wake_process(pid);
}

uint32
connections_displaced(void)
{
	return pg_atomic_read_u32(&connections->displaced[shared_my_slot()]);
}

/* Tells whether an id is among those, which are in order of their bytes. */
static bool
is_among(const SourceIdent *ident, const SourceIdent *idents, int count)
{
	return bsearch(ident, idents, count, sizeof(SourceIdent), source_ident_compare) != NULL;
}

/*
 * One pass over the connections, however many trackers there are.  A slot that is
 * given to another connection meanwhile is marked for nothing, which is harmless.
 */
void
connections_want(const SourceIdent *idents, int count)
{
	bool		woken[SLOTS] = {0};

	if (connections == NULL || count == 0)
		return;
	LWLockAcquire(connections_lock, LW_SHARED);
	for (int i = 0; i < connections->used; i++)
	{
		ConnectionSlot *slot = &connections->slot[i];

		if (slot->worker < 0 || slot->ident.size == 0 || !is_among(&slot->ident, idents, count))
			continue;
		pg_atomic_write_u32(&slot->wanted, 1);
		pg_atomic_fetch_add_u32(&connections->wanted[slot->worker], 1);
		woken[slot->worker] = true;
	}
	LWLockRelease(connections_lock);
	for (int i = 0; i < SLOTS; i++)
	{
		if (woken[i])
			wake_process(shared_pid(i));
	}
}

uint32
connections_wanted(void)
{
	return pg_atomic_read_u32(&connections->wanted[shared_my_slot()]);
}

/* Columns of pt621_stat_connection(). */
enum
{
	CONN_CONN, CONN_WORKER, CONN_TRANSPORT, CONN_PEER, CONN_PEER_PORT, CONN_IDENT,
	CONN_SINCE, CONN_LAST_SEEN, CONN_BYTES, CONN_UNITS, CONN_REJECTED,
	CONN_COLUMNS
};

static void
put_connection(Row *row, ConnectionSlot *slot)
{
	int64		conn = (int64) pg_atomic_read_u64(&slot->conn);
	TimestampTz seen = (TimestampTz) pg_atomic_read_u64(&slot->last_seen);

	row_start(row);
	if (conn != 0)
		row_set(row, CONN_CONN, Int64GetDatum(conn));
	row_set(row, CONN_WORKER, Int32GetDatum(slot->worker - SLOT_LISTENER + 1));
	row_cstring(row, CONN_TRANSPORT, slot->is_udp ? "udp" : "tcp");
	row_set(row, CONN_PEER, InetPGetDatum(&slot->peer.inet));
	row_set(row, CONN_PEER_PORT, Int32GetDatum(slot->peer_port));
	if (slot->ident.size > 0)
		row_bytes(row, CONN_IDENT, slot->ident.bytes, slot->ident.size);
	row_set(row, CONN_SINCE, TimestampTzGetDatum(slot->since));
	if (seen != 0)
		row_set(row, CONN_LAST_SEEN, TimestampTzGetDatum(seen));
	row_set(row, CONN_BYTES, Int64GetDatum((int64) pg_atomic_read_u64(&slot->bytes)));
	row_set(row, CONN_UNITS, Int64GetDatum((int64) pg_atomic_read_u64(&slot->units)));
	row_set(row, CONN_REJECTED, Int64GetDatum((int64) pg_atomic_read_u64(&slot->rejected)));
}

PG_FUNCTION_INFO_V1(pt621_stat_connection);

/*
 * pt621_stat_connection(): one row per connection and UDP path; none in a server
 * without the workers, so that views may ask.
 */
Datum
pt621_stat_connection(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	ConnectionSlot *copy;
	int			room;
	int			count = 0;

	row_sink_open(&sink, fcinfo, CONN_COLUMNS, -1);
	if (connections == NULL)
		return (Datum) 0;
	/* Copied, so that no allocation happens under the lock. */
	room = Max(connections->used, 1);
	copy = MemoryContextAllocHuge(CurrentMemoryContext, (Size) room * sizeof(ConnectionSlot));
	LWLockAcquire(connections_lock, LW_SHARED);
	for (int i = 0; i < Min(connections->used, room); i++)
	{
		if (connections->slot[i].worker >= 0)
			copy[count++] = connections->slot[i];
	}
	LWLockRelease(connections_lock);
	for (int i = 0; i < count; i++)
	{
		put_connection(sink.row, &copy[i]);
		row_emit(&sink);
	}
	return (Datum) 0;
}
