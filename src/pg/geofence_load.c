/*
 * geofence_load.c
 *		Fences from pt621.geofence_version into memory.
 *
 * Invariant: a load makes all of a new set or nothing: until it is complete the
 * former one stays as it is.  Fences that are in both are not made again, but
 * shared.  GEOS's memory belongs to one fence or one index each.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/geofence_private.h"

typedef struct Load
{
	Geofences  *fences;
	FenceSet   *known;			/* whose fences can be taken over, or NULL */
	FenceRows  *rows;
	MemoryContext scratch;		/* of one row */
	FenceSet   *set;
	uint32		kept;
	Fence	  **made;			/* new ones */
	uint32		made_count;
	uint32		made_room;
} Load;

void
fence_free(Fence *fence)
{
	geo_shape_free(fence->detect.shape);
	if (fence->name)
		pfree(fence->name);
	if (fence->hours)
		pfree(fence->hours);
	if (fence->devices)
		pfree(fence->devices);
	if (fence->groups)
		pfree(fence->groups);
	pfree(fence);
}

void
fence_set_free(FenceSet *set)
{
	geo_index_free(set->endless);
	geo_index_free(set->ended);
	MemoryContextDelete(set->context);
}

/* Finds a fence of the set that is there; they are few of one id. */
static Fence *
find_loaded(const FenceSet *set, int32 id, int64 revision)
{
	uint32		low = 0;
	uint32		high = set ? set->count : 0;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (set->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; set && low < set->count && set->ids[low] == id; low++)
	{
		if (set->fences[low]->revision == revision)
			return set->fences[low];
	}
	return NULL;
}

/* Takes a row: as the fence that it is already, or as a new one. */
static void
take_row(Load *load, TupleTableSlot *slot)
{
	Geofences  *fences = load->fences;
	int32		id;
	int64		revision;
	Fence	   *fence;

	fence_row_key(load->rows, slot, &id, &revision);
	fence = find_loaded(load->known, id, revision);
	if (fence)
	{
		if (fence->turn != fences->turn)
			load->kept++;
		fence->turn = fences->turn;
		return;
	}
	if (load->made_count == load->made_room)
	{
		load->made_room *= 2;
		load->made = repalloc_huge(load->made, load->made_room * sizeof(Fence *));
	}
	fence = MemoryContextAllocZero(fences->context, sizeof(Fence));
	fence->detect.id = id;
	fence->revision = revision;
	fence->turn = fences->turn;
	/* From here on it is freed when something fails. */
	load->made[load->made_count++] = fence;
	if (!fence_row_read(load->rows, slot, fence))
	{
		load->made_count--;
		fence_free(fence);
	}
}

static int
compare_fences(const void *a, const void *b)
{
	const DetectFence *left = *(const DetectFence *const *) a;
	const DetectFence *right = *(const DetectFence *const *) b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	if (left->valid_from != right->valid_from)
		return left->valid_from < right->valid_from ? -1 : 1;
	return 0;
}

static void *
set_alloc(FenceSet *set, size_t size)
{
	return MemoryContextAllocExtended(set->context, Max(size, 1) * set->count + 1,
									  MCXT_ALLOC_HUGE);
}

/* Puts what was kept and what is new in order: the former is already. */
static void
merge(Load *load)
{
	const FenceSet *old = load->known;
	FenceSet   *set = load->set;
	uint32		next = 0;
	uint32		used = 0;

	set->count = load->kept + load->made_count;
	set->fences = set_alloc(set, sizeof(Fence *));
	set->ids = set_alloc(set, sizeof(int32));
	set->found = set_alloc(set, sizeof(DetectFence *));
	qsort(load->made, load->made_count, sizeof(Fence *), compare_fences);
	for (uint32 i = 0; old && i < old->count; i++)
	{
		if (old->fences[i]->turn != load->fences->turn)
			continue;
		while (next < load->made_count &&
			   compare_fences(&load->made[next], &old->fences[i]) < 0)
			set->fences[used++] = load->made[next++];
		set->fences[used++] = old->fences[i];
	}
	while (next < load->made_count)
		set->fences[used++] = load->made[next++];
	Assert(used == set->count);
	for (uint32 i = 0; i < used; i++)
		set->ids[i] = set->fences[i]->detect.id;
}

static GeoIndex *
make_index(FenceSet *set, size_t first, size_t count)
{
	GeoError	error;
	GeoIndex   *index;

	if (count == 0)
		return NULL;
	index = geo_index_new(set->shapes + first, set->values + first, count, &error);
	if (index == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not make the index of geofences"),
				 errdetail_internal("%s", error.text)));
	return index;
}

/* Versions that have ended are looked for only in times when there were any. */
static void
make_indexes(FenceSet *set)
{
	size_t		endless = 0;
	size_t		ended = set->count;

	set->shapes = set_alloc(set, sizeof(GeoShape *));
	set->values = set_alloc(set, sizeof(void *));
	set->last_end = DT_NOBEGIN;
	for (uint32 i = 0; i < set->count; i++)
	{
		Fence	   *fence = set->fences[i];
		TimestampTz until = fence->detect.valid_until;
		size_t		place = until == DT_NOEND ? endless++ : --ended;

		set->shapes[place] = fence->detect.shape;
		set->values[place] = fence;
		if (until != DT_NOEND)
			set->last_end = Max(set->last_end, until);
	}
	set->endless = make_index(set, 0, endless);
	set->ended = make_index(set, ended, set->count - ended);
}

static void
scan_versions(Load *load, Relation relation, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	MemoryContext old = MemoryContextSwitchTo(load->scratch);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		take_row(load, slot);
		MemoryContextReset(load->scratch);
	}
	MemoryContextSwitchTo(old);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* Frees what a load that failed has made. */
static void
give_up(Load *load)
{
	for (uint32 i = 0; i < load->made_count; i++)
		fence_free(load->made[i]);
	fence_set_free(load->set);
}

/*
 * Makes the set of the fences that the snapshot sees; of those that are known
 * already, all that is seen still gets the mark of this turn.
 */
FenceSet *
fences_load(Geofences *fences, FenceSet *known, Oid version, Snapshot snapshot)
{
	MemoryContext context = AllocSetContextCreate(fences->context, "pt621 set of geofences",
												  ALLOCSET_DEFAULT_SIZES);
	Load	   *load = MemoryContextAllocZero(context, sizeof(Load));
	Relation	relation;

	load->fences = fences;
	load->known = known;
	load->set = MemoryContextAllocZero(context, sizeof(FenceSet));
	load->set->context = context;
	load->scratch = AllocSetContextCreate(context, "pt621 row of a geofence",
										  ALLOCSET_DEFAULT_SIZES);
	load->made_room = 64;
	load->made = MemoryContextAlloc(context, load->made_room * sizeof(Fence *));
	fences->turn++;
	PG_TRY();
	{
		relation = table_open(version, AccessShareLock);
		if (relation->rd_rel->relkind != RELKIND_RELATION)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("pt621.geofence_version is no table")));
		load->rows = fence_rows_new(fences, relation, context);
		scan_versions(load, relation, snapshot);
		table_close(relation, AccessShareLock);
		merge(load);
		make_indexes(load->set);
	}
	PG_CATCH();
	{
		give_up(load);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextDelete(load->scratch);
	return load->set;
}
