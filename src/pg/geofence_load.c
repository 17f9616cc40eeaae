/*
 * geofence_load.c
 *		Fences from pt621.geofence_version into memory.
 *
 * Invariant: a load makes all of a new set or nothing: until it is complete the
 * former one stays as it is.  Fences that are in both are not made again, but
 * shared.  GEOS's memory belongs to one fence or one index each.
 */
#include "postgres.h"

#include <math.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "pg/geofence_private.h"
#include "pg/postgis.h"

#define DAYS_MAX	INT64CONST(10000000)

/* The columns, in the order of their table. */
enum
{
	COL_ID, COL_REVISION, COL_EDITED_AT, COL_VALID, COL_NAME, COL_SHAPE, COL_SCHEDULE,
	COL_TIME_ZONE, COL_DEVICES, COL_GROUPS, COL_MIN_DWELL_IN, COL_MIN_DWELL_OUT,
	COL_MIN_FIXES_IN, COL_MIN_FIXES_OUT, COL_EXIT_BUFFER_M, COL_DWELL_AFTER,
	COL_INTERPOLATE, COL_SPEED_LIMIT_KMH,
	COLUMNS
};

typedef struct Column
{
	const char *name;
	Oid			type;			/* InvalidOid = PostGIS's */
	bool		required;
} Column;

static const Column columns[COLUMNS] = {
	{"geofence_id", INT4OID, true},
	{"revision", INT8OID, true},
	{"edited_at", TIMESTAMPTZOID, true},
	{"valid", TSTZRANGEOID, true},
	{"name", TEXTOID, true},
	{"shape", InvalidOid, true},
	{"schedule", TEXTOID, false},
	{"time_zone", TEXTOID, true},
	{"devices", INT4ARRAYOID, false},
	{"groups", TEXTARRAYOID, false},
	{"min_dwell_in", INTERVALOID, true},
	{"min_dwell_out", INTERVALOID, true},
	{"min_fixes_in", INT2OID, true},
	{"min_fixes_out", INT2OID, true},
	{"exit_buffer_m", FLOAT8OID, true},
	{"dwell_after", INTERVALOID, false},
	{"interpolate", BOOLOID, true},
	{"speed_limit_kmh", FLOAT4OID, false}
};

typedef struct Load
{
	Geofences  *fences;
	FenceSet   *known;			/* whose fences can be taken over, or NULL */
	AttrNumber	attnum[COLUMNS];
	TypeCacheEntry *range;
	FmgrInfo	as_binary;		/* PostGIS: ST_AsBinary(geometry) */
	bool		has_as_binary;
	Oid			geometry;
	MemoryContext scratch;		/* of one row */
	FenceSet   *set;
	uint32		kept;
	Fence	  **made;			/* new ones */
	uint32		made_count;
	uint32		made_room;
} Load;

/* The columns may have been moved, and what is a table of ours been altered. */
static void
find_columns(Load *load, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < COLUMNS; i++)
	{
		Oid			type = InvalidOid;

		load->attnum[i] = InvalidAttrNumber;
		for (int j = 0; j < desc->natts; j++)
		{
			Form_pg_attribute attribute = TupleDescAttr(desc, j);

			if (!attribute->attisdropped &&
				strcmp(NameStr(attribute->attname), columns[i].name) == 0)
			{
				load->attnum[i] = attribute->attnum;
				type = attribute->atttypid;
			}
		}
		if (load->attnum[i] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("pt621.geofence_version has no column %s", columns[i].name)));
		if (i == COL_SHAPE)
		{
			postgis_check_type(type);
			load->geometry = type;
		}
		else if (type != columns[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %s of pt621.geofence_version has type %s, not %s",
							columns[i].name, format_type_be(type),
							format_type_be(columns[i].type))));
	}
}

/* Reads a column; false when it is NULL. */
static bool
get(const Load *load, TupleTableSlot *slot, int column, Datum *value)
{
	bool		isnull;

	*value = slot_getattr(slot, load->attnum[column], &isnull);
	if (isnull && columns[column].required)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column %s of pt621.geofence_version is NULL", columns[column].name)));
	return !isnull;
}

static Datum
get_required(const Load *load, TupleTableSlot *slot, int column)
{
	Datum		value;

	get(load, slot, column, &value);
	return value;
}

/* A day has 24 hours here, and a month 30 days, as where intervals are compared. */
static int64
get_microseconds(const Load *load, TupleTableSlot *slot, int column)
{
	Datum		value;
	const Interval *interval;
	int64		days;

	if (!get(load, slot, column, &value))
		return 0;
	interval = DatumGetIntervalP(value);
	days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	/* Longer than any track. */
	if (days > DAYS_MAX || interval->time > DAYS_MAX * USECS_PER_DAY)
		return DAYS_MAX * USECS_PER_DAY;
	return days * USECS_PER_DAY + interval->time;
}

/* Reads when a version is valid; false for an empty range. */
static bool
get_valid(const Load *load, TupleTableSlot *slot, Fence *fence)
{
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;
	TimestampTz bound;

	range_deserialize(load->range, DatumGetRangeTypeP(get_required(load, slot, COL_VALID)),
					  &lower, &upper, &empty);
	if (empty)
		return false;
	bound = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	if (!TIMESTAMP_NOT_FINITE(bound) && !lower.inclusive)
		bound++;
	fence->detect.valid_from = bound;
	bound = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	if (!TIMESTAMP_NOT_FINITE(bound) && upper.inclusive)
		bound++;
	fence->detect.valid_until = bound;
	return true;
}

static int
compare_numbers(const void *a, const void *b)
{
	int32		left = *(const int32 *) a;
	int32		right = *(const int32 *) b;

	return left < right ? -1 : left > right;
}

/* Reads which trackers a fence is for. */
static void
get_trackers(Load *load, TupleTableSlot *slot, Fence *fence)
{
	MemoryContext context = load->fences->context;
	Datum		value;

	if (get(load, slot, COL_DEVICES, &value))
	{
		Datum	   *elements;
		bool	   *nulls;
		int			count;

		deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32), true,
						  TYPALIGN_INT, &elements, &nulls, &count);
		fence->for_some = true;
		fence->devices = MemoryContextAlloc(context, (Size) Max(count, 1) * sizeof(int32));
		for (int i = 0; i < count; i++)
		{
			if (!nulls[i])
				fence->devices[fence->device_count++] = DatumGetInt32(elements[i]);
		}
		qsort(fence->devices, (size_t) fence->device_count, sizeof(int32), compare_numbers);
	}
	if (get(load, slot, COL_GROUPS, &value))
	{
		int			count;
		int32	   *numbers = group_numbers(load->fences->groups, DatumGetArrayTypeP(value),
											true, &count);

		fence->for_some = true;
		fence->groups = MemoryContextAlloc(context, (Size) Max(count, 1) * sizeof(int32));
		memcpy(fence->groups, numbers, (size_t) count * sizeof(int32));
		fence->group_count = count;
	}
}

static void
get_shape(Load *load, TupleTableSlot *slot, Fence *fence)
{
	Datum		value = get_required(load, slot, COL_SHAPE);
	bytea	   *wkb;
	GeoError	error;

	if (!load->has_as_binary)
	{
		postgis_function(load->geometry, "st_asbinary", &load->as_binary,
						 load->set->context);
		load->has_as_binary = true;
	}
	wkb = DatumGetByteaPP(FunctionCall1(&load->as_binary, value));
	fence->detect.shape = geo_shape_new((const uint8 *) VARDATA_ANY(wkb),
										VARSIZE_ANY_EXHDR(wkb), &error);
	if (fence->detect.shape == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shape of geofence %d cannot be loaded", fence->detect.id),
				 errdetail_internal("%s", error.text)));
}

/* Reads one row into a fence, in scratch but for what the fence keeps. */
static void
read_fence(Load *load, TupleTableSlot *slot, Fence *fence)
{
	MemoryContext context = load->fences->context;
	DetectFence *detect = &fence->detect;
	Datum		value;
	text	   *name;
	Size		size;

	fence->edited_at = DatumGetTimestampTz(get_required(load, slot, COL_EDITED_AT));
	name = DatumGetTextPP(get_required(load, slot, COL_NAME));
	size = VARSIZE_ANY_EXHDR(name);
	fence->name = MemoryContextAlloc(context, size + 1);
	memcpy(fence->name, VARDATA_ANY(name), size);
	fence->name[size] = '\0';
	fence->name_hash = hash_bytes((const unsigned char *) fence->name, (int) size);
	detect->min_dwell_in = get_microseconds(load, slot, COL_MIN_DWELL_IN);
	detect->min_dwell_out = get_microseconds(load, slot, COL_MIN_DWELL_OUT);
	detect->min_fixes_in = DatumGetInt16(get_required(load, slot, COL_MIN_FIXES_IN));
	detect->min_fixes_out = DatumGetInt16(get_required(load, slot, COL_MIN_FIXES_OUT));
	detect->exit_buffer_m = DatumGetFloat8(get_required(load, slot, COL_EXIT_BUFFER_M));
	detect->dwell_after = get_microseconds(load, slot, COL_DWELL_AFTER);
	detect->interpolate = DatumGetBool(get_required(load, slot, COL_INTERPOLATE));
	detect->speed_limit_kmh = get(load, slot, COL_SPEED_LIMIT_KMH, &value) ?
		(double) DatumGetFloat4(value) : (double) NAN;
	if (get(load, slot, COL_SCHEDULE, &value))
	{
		text	   *schedule = DatumGetTextPP(value);

		fence->hours = fence_hours_new(context, VARDATA_ANY(schedule),
									   VARSIZE_ANY_EXHDR(schedule),
									   TextDatumGetCString(get_required(load, slot, COL_TIME_ZONE)),
									   detect->id);
	}
	get_trackers(load, slot, fence);
	get_shape(load, slot, fence);
}

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
	int32		id = DatumGetInt32(get_required(load, slot, COL_ID));
	int64		revision = DatumGetInt64(get_required(load, slot, COL_REVISION));
	Fence	   *fence = find_loaded(load->known, id, revision);

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
	if (get_valid(load, slot, fence))
		read_fence(load, slot, fence);
	else
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
		find_columns(load, relation);
		load->range = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
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
