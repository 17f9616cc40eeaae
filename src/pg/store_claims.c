/*
 * store_claims.c
 *		Who may speak for a tracker.
 *
 * Invariants.  A tracker's state names the TCP connection or UDP path that speaks
 * for it; that one is changed under the lock of the state alone.  A connection
 * that lost its tracker to another does not get it back while that one is open.
 * A datagram, whose sender can be forged, takes no tracker from a connection that
 * is open.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"

#include "pg/arrays.h"
#include "pg/connections.h"
#include "pg/run.h"
#include "pg/settings.h"

/* So long after the last word by its newer path a tracker may be back at an older one. */
#define PATH_RETURN_MS	5000

/* Tells whether the sender is in one of the networks of a tracker. */
static bool
peer_allowed(const Device *device, const Source *source)
{
	Datum	   *networks;
	bool	   *nulls;
	int			count;

	if (device->allowed_peers == NULL || !source->has_peer)
		return true;
	array_split(device->allowed_peers, ARR_ELEMTYPE(device->allowed_peers), &networks, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i] &&
			DatumGetBool(DirectFunctionCall2(network_subeq,
											 InetPGetDatum(&source->peer.inet),
											 networks[i])))
			return true;
	}
	return false;
}

/* Looks whether the connection that speaks for a tracker is still there. */
static void
look_at_bound(Device *device)
{
	ConnectionKind kind;

	if (device->bound_is_known)
		return;
	device->bound_seen = DT_NOBEGIN;
	kind = connections_kind(device->bound_conn, &device->bound_seen);
	device->bound_is_known = true;
	device->bound_is_tcp = kind == CONNECTION_TCP;
	if (kind == CONNECTION_GONE)
		device->bound_conn = 0;
}

static void
bind_to(Device *device, BatchUnit *unit)
{
	const Source *source = unit->source;

	/* One that has ended speaks for nobody any more. */
	if (source->slot == NULL)
		return;
	unit->binds = true;
	device->bound_conn = source->conn;
	device->bound_is_known = true;
	device->bound_is_tcp = !source->is_path;
	device->bound_seen = unit->received_at;
}

/*
 * Tells whether a unit came by a path that its tracker has left for another one.
 *
 * Which of two datagrams was sent first is not known, since each worker reads its own
 * when it can; but a tracker does not change back and forth within seconds.
 */
static bool
is_left_path(const Device *device, const BatchUnit *unit)
{
	return unit->source->is_path && unit->source->conn < device->bound_conn &&
		unit->received_at < TimestampTzPlusMilliseconds(device->bound_seen, PATH_RETURN_MS);
}

/* Notes that two connections claim a tracker. */
static void
note_conflict(Run *run, Device *device, const Source *source)
{
	run->result->conflicts++;
	device->conflicts++;
	device->conflict = source;
	device->conflict_with = device->bound_conn;
}

/*
 * Settles whether a tracker may be reported for by a unit's connection, which
 * becomes the one that speaks for it.
 */
static Rejection
claim(Run *run, Device *device, BatchUnit *unit)
{
	Source	   *source = unit->source;

	/* SQL calls speak for nobody. */
	if (!source->is_session || source->conn == device->bound_conn)
		return REJECT_NONE;
	look_at_bound(device);
	if (!device->bound_is_tcp)
	{
		if (!is_left_path(device, unit))
			bind_to(device, unit);
		return REJECT_NONE;
	}
	if (source->displaced ||
		(source->slot && pg_atomic_read_u32(&source->slot->displaced)))
		return REJECT_NONE;		/* what it still had to say */
	if (setting_connection_conflict == CONFLICT_OLDEST)
	{
		note_conflict(run, device, source);
		return REJECT_CONFLICT;
	}
	if (source->is_path)
		return REJECT_NONE;
	if (source->slot == NULL)
		note_conflict(run, device, source); /* it has ended, the other has not */
	/* More of them settle it with what they send next. */
	else if (run->result->displaced_count < DISPLACED_MAX)
	{
		note_conflict(run, device, source);
		/* At once, so that its units of this batch do not claim it back.  One that
		 * has named another since speaks for several: it may stay. */
		if (connections_displace(device->bound_conn, &device->ident))
			run->result->displaced[run->result->displaced_count++] = device->bound_conn;
		bind_to(device, unit);
	}
	return REJECT_NONE;
}

/*
 * Settles whether a unit of a tracker in quarantine is archived: ids can be made
 * up at will, and the disk is finite.
 */
static void
settle_quarantine(BatchUnit *unit)
{
	static TimestampTz minute = 0;
	static Size used = 0;
	/* Not the time of receipt: what was held back for long is older than others. */
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (unit->quarantine != QUARANTINE_OPEN)
		return;
	unit->quarantine = QUARANTINE_KEPT;
	if (!unit->source->is_session)
		return;
	if (now < minute || now >= minute + USECS_PER_MINUTE)
	{
		minute = now;
		used = 0;
	}
	used += unit->unit.size;
	if (used > (Size) setting_archive_quarantined * 1024)
		unit->quarantine = QUARANTINE_LEFT_OUT;
}

/*
 * Tells why a unit cannot go further because of its tracker or its sender, or
 * REJECT_NONE.
 */
Rejection
item_admit(Run *run, RunItem *item)
{
	Device	   *device = item->device;

	if (device == NULL)
		return REJECT_NO_TRACKER;
	if (device->id == 0 && setting_unknown_devices == UNKNOWN_QUARANTINE)
	{
		settle_quarantine(item->unit);
		return REJECT_QUARANTINED;
	}
	if (device->id == 0)
		return REJECT_UNKNOWN;
	if (!device->enabled)
		return REJECT_DISABLED;
	if (!peer_allowed(device, item->unit->source))
		return REJECT_PEER;
	/* A connection can be made to wait instead. */
	if (store_over_rate && item->unit->source->is_path && store_over_rate(&device->ident))
		return REJECT_RATE;
	/* What cannot be read claims nothing. */
	if (item->reason || item->late || item->unit->unit.kind == PT621_UNIT_TEXT)
		return REJECT_NONE;
	return claim(run, device, item->unit);
}
