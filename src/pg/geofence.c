/*
 * geofence.c
 *		The fences of this database, kept for the session.
 *
 * Invariant: equal revisions, equal fences.  An edit locks the one row of
 * pt621.geofence_stamp before it changes anything and takes its revisions, which
 * never come again, from a sequence; so what a snapshot sees is told by the
 * revision that it sees, whatever happened before: a rollback, a savepoint, an
 * edit of this transaction's own, a snapshot older than the last one.  Nothing
 * has to be told to other sessions, and a standby needs nothing either.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/geofence_private.h"

#define XIDS_MAX	64

/*
 * The last snapshot that was asked under, in the transaction at hand: a query
 * asks under the same one for each of its rows.  A snapshot with more
 * transactions than fit here is not remembered.
 */
typedef struct Asked
{
	bool		known;
	bool		suboverflowed;
	bool		in_recovery;
	CommandId	curcid;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	TransactionId xip[XIDS_MAX];
	TransactionId subxip[XIDS_MAX];
} Asked;

static Geofences geofences;
static Asked asked;

static void
forget_snapshot(void)
{
	asked.known = false;
}

/* What a transaction sees of its own changes also depends on which of its
 * subtransactions were rolled back. */
static void
forget_at_end(XactEvent event, void *arg)
{
	forget_snapshot();
}

static void
forget_at_subend(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	forget_snapshot();
}

static bool
is_asked(Snapshot snapshot)
{
	return asked.known &&
		snapshot->xmin == asked.xmin &&
		snapshot->xmax == asked.xmax &&
		snapshot->curcid == asked.curcid &&
		snapshot->xcnt == asked.xcnt &&
		snapshot->subxcnt == asked.subxcnt &&
		snapshot->suboverflowed == asked.suboverflowed &&
		snapshot->takenDuringRecovery == asked.in_recovery &&
		memcmp(snapshot->xip, asked.xip, asked.xcnt * sizeof(TransactionId)) == 0 &&
		(asked.subxcnt == 0 ||
		 memcmp(snapshot->subxip, asked.subxip, (size_t) asked.subxcnt * sizeof(TransactionId)) == 0);
}

static void
remember_snapshot(Snapshot snapshot)
{
	if (snapshot->snapshot_type != SNAPSHOT_MVCC || snapshot->xcnt > XIDS_MAX ||
		snapshot->subxcnt > XIDS_MAX || snapshot->subxcnt < 0)
		return;
	asked.xmin = snapshot->xmin;
	asked.xmax = snapshot->xmax;
	asked.curcid = snapshot->curcid;
	asked.xcnt = snapshot->xcnt;
	asked.subxcnt = snapshot->subxcnt;
	asked.suboverflowed = snapshot->suboverflowed;
	asked.in_recovery = snapshot->takenDuringRecovery;
	if (asked.xcnt > 0)
		memcpy(asked.xip, snapshot->xip, asked.xcnt * sizeof(TransactionId));
	if (asked.subxcnt > 0)
		memcpy(asked.subxip, snapshot->subxip, (size_t) asked.subxcnt * sizeof(TransactionId));
	asked.known = true;
}

static Oid
find_relation(const char *name)
{
	Oid			schema = get_namespace_oid("pt621", true);
	Oid			relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no table pt621.%s", name),
				 errhint("SELECT pt621_ready() makes what is absent.")));
	return relation;
}

/* Reads the revision that a snapshot sees, past rights and policies. */
static int64
read_revision(Oid stamp, Snapshot snapshot)
{
	Relation	relation = table_open(stamp, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	TupleTableSlot *slot;
	TableScanDesc scan;
	int			column = 0;
	int64		revision = 0;
	bool		found = false;

	while (column < desc->natts &&
		   (TupleDescAttr(desc, column)->attisdropped ||
			TupleDescAttr(desc, column)->atttypid != INT8OID ||
			strcmp(NameStr(TupleDescAttr(desc, column)->attname), "revision") != 0))
		column++;
	if (column == desc->natts || relation->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("pt621.geofence_stamp is no table with a column revision of type bigint")));
	slot = table_slot_create(relation, NULL);
	scan = table_beginscan(relation, snapshot, 0, NULL);
	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		revision = DatumGetInt64(slot_getattr(slot, column + 1, &isnull));
		found = !isnull;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, AccessShareLock);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pt621.geofence_stamp is empty"),
				 errhint("INSERT INTO pt621.geofence_stamp SELECT nextval('pt621.geofence_revision_seq').")));
	return revision;
}

/* Frees the fences of a set that a later one has not taken over. */
static void
drop_set(FenceSet *set, uint32 turn)
{
	for (uint32 i = 0; i < set->count; i++)
	{
		if (set->fences[i]->turn != turn)
			fence_free(set->fences[i]);
	}
	fence_set_free(set);
}

static void
begin_session(void)
{
	RegisterXactCallback(forget_at_end, NULL);
	RegisterSubXactCallback(forget_at_subend, NULL);
	geofences.context = AllocSetContextCreate(CacheMemoryContext, "pt621 geofences",
											  ALLOCSET_DEFAULT_SIZES);
	geofences.groups = group_names_new(geofences.context);
}

Geofences *
geofences_get(void)
{
	Snapshot	snapshot;
	Oid			stamp;
	Oid			version;
	int64		revision;
	FenceSet   *known = geofences.set;
	FenceSet   *set;

	if (!ActiveSnapshotSet())
		elog(ERROR, "geofences were asked for without a snapshot");
	snapshot = GetActiveSnapshot();
	if (is_asked(snapshot))
		return &geofences;
	if (geofences.context == NULL)
		begin_session();
	forget_snapshot();
	stamp = find_relation("geofence_stamp");
	version = find_relation("geofence_version");
	revision = read_revision(stamp, snapshot);
	/* Tables that were made anew count from 1 again: nothing is taken over. */
	if (geofences.stamp != stamp || geofences.version != version)
		known = NULL;
	if (known == NULL || geofences.revision != revision)
	{
		set = fences_load(&geofences, known, version, snapshot);
		/* Until now the former one stood: whoever goes on after an error, or a
		 * derivation that is under way outside, still asks it. */
		if (geofences.set)
			drop_set(geofences.set, geofences.turn);
		geofences.set = set;
		geofences.stamp = stamp;
		geofences.version = version;
		geofences.revision = revision;
	}
	remember_snapshot(snapshot);
	return &geofences;
}
