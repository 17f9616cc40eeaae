/*
 * geofence_row.c
 *		A row of pt621.geofence_version as a fence.
 *
 * Invariant: the columns are found by name, and are of the types expected: the
 * table is the users' to alter.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"

#include "pg/arrays.h"
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

struct FenceRows
{
	Geofences  *fences;
	MemoryContext context;		/* of the set that is being made */
	AttrNumber	attnum[COLUMNS];
	TypeCacheEntry *range;
	FmgrInfo	as_binary;		/* PostGIS: ST_AsBinary(geometry) */
	bool		has_as_binary;
	Oid			geometry;
};

/* The columns may have been moved, and what is a table of ours been altered. */
static void
find_columns(FenceRows *rows, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < COLUMNS; i++)
	{
		Oid			type = InvalidOid;

		rows->attnum[i] = InvalidAttrNumber;
		for (int j = 0; j < desc->natts; j++)
		{
			Form_pg_attribute attribute = TupleDescAttr(desc, j);

			if (!attribute->attisdropped &&
				strcmp(NameStr(attribute->attname), columns[i].name) == 0)
			{
				rows->attnum[i] = attribute->attnum;
				type = attribute->atttypid;
			}
		}
		if (rows->attnum[i] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("pt621.geofence_version has no column %s", columns[i].name)));
		if (i == COL_SHAPE)
		{
			postgis_check_type(type);
			rows->geometry = type;
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
get(const FenceRows *rows, TupleTableSlot *slot, int column, Datum *value)
{
	bool		isnull;

	*value = slot_getattr(slot, rows->attnum[column], &isnull);
	if (isnull && columns[column].required)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column %s of pt621.geofence_version is NULL", columns[column].name)));
	return !isnull;
}

static Datum
get_required(const FenceRows *rows, TupleTableSlot *slot, int column)
{
	Datum		value;

	get(rows, slot, column, &value);
	return value;
}

/* A day has 24 hours here, and a month 30 days, as where intervals are compared. */
static int64
get_microseconds(const FenceRows *rows, TupleTableSlot *slot, int column)
{
	Datum		value;
	const Interval *interval;
	int64		days;

	if (!get(rows, slot, column, &value))
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
get_valid(const FenceRows *rows, TupleTableSlot *slot, Fence *fence)
{
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;
	TimestampTz bound;

	range_deserialize(rows->range, DatumGetRangeTypeP(get_required(rows, slot, COL_VALID)),
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

/* Reads which trackers a fence is for. */
static void
get_trackers(FenceRows *rows, TupleTableSlot *slot, Fence *fence)
{
	MemoryContext context = rows->fences->context;
	Datum		value;

	if (get(rows, slot, COL_DEVICES, &value))
	{
		Datum	   *elements;
		bool	   *nulls;
		int			count;

		array_split(DatumGetArrayTypeP(value), INT4OID, &elements, &nulls, &count);
		fence->for_some = true;
		fence->devices = MemoryContextAlloc(context, (Size) Max(count, 1) * sizeof(int32));
		for (int i = 0; i < count; i++)
		{
			if (!nulls[i])
				fence->devices[fence->device_count++] = DatumGetInt32(elements[i]);
		}
		qsort(fence->devices, (size_t) fence->device_count, sizeof(int32), compare_int32);
	}
	if (get(rows, slot, COL_GROUPS, &value))
	{
		int			count;
		int32	   *numbers = group_numbers(rows->fences->groups, DatumGetArrayTypeP(value),
											true, &count);

		fence->for_some = true;
		fence->groups = MemoryContextAlloc(context, (Size) Max(count, 1) * sizeof(int32));
		memcpy(fence->groups, numbers, (size_t) count * sizeof(int32));
		fence->group_count = count;
	}
}

static void
get_shape(FenceRows *rows, TupleTableSlot *slot, Fence *fence)
{
	Datum		value = get_required(rows, slot, COL_SHAPE);
	bytea	   *wkb;
	GeoError	error;

	if (!rows->has_as_binary)
	{
		postgis_function(rows->geometry, "st_asbinary", &rows->as_binary,
						 rows->context);
		rows->has_as_binary = true;
	}
	wkb = DatumGetByteaPP(FunctionCall1(&rows->as_binary, value));
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
read_fence(FenceRows *rows, TupleTableSlot *slot, Fence *fence)
{
	MemoryContext context = rows->fences->context;
	DetectFence *detect = &fence->detect;
	Datum		value;
	text	   *name;
	Size		size;

	fence->edited_at = DatumGetTimestampTz(get_required(rows, slot, COL_EDITED_AT));
	name = DatumGetTextPP(get_required(rows, slot, COL_NAME));
	size = VARSIZE_ANY_EXHDR(name);
	fence->name = MemoryContextAlloc(context, size + 1);
	memcpy(fence->name, VARDATA_ANY(name), size);
	fence->name[size] = '\0';
	fence->name_hash = hash_bytes((const unsigned char *) fence->name, (int) size);
	detect->min_dwell_in = get_microseconds(rows, slot, COL_MIN_DWELL_IN);
	detect->min_dwell_out = get_microseconds(rows, slot, COL_MIN_DWELL_OUT);
	detect->min_fixes_in = DatumGetInt16(get_required(rows, slot, COL_MIN_FIXES_IN));
	detect->min_fixes_out = DatumGetInt16(get_required(rows, slot, COL_MIN_FIXES_OUT));
	detect->exit_buffer_m = DatumGetFloat8(get_required(rows, slot, COL_EXIT_BUFFER_M));
	detect->dwell_after = get_microseconds(rows, slot, COL_DWELL_AFTER);
	detect->interpolate = DatumGetBool(get_required(rows, slot, COL_INTERPOLATE));
	detect->speed_limit_kmh = get(rows, slot, COL_SPEED_LIMIT_KMH, &value) ?
		(double) DatumGetFloat4(value) : (double) NAN;
	if (get(rows, slot, COL_SCHEDULE, &value))
	{
		text	   *schedule = DatumGetTextPP(value);

		fence->hours = fence_hours_new(context, VARDATA_ANY(schedule),
									   VARSIZE_ANY_EXHDR(schedule),
									   TextDatumGetCString(get_required(rows, slot, COL_TIME_ZONE)),
									   detect->id);
	}
	get_trackers(rows, slot, fence);
	get_shape(rows, slot, fence);
}

FenceRows *
fence_rows_new(Geofences *fences, Relation relation, MemoryContext context)
{
	FenceRows  *rows = MemoryContextAllocZero(context, sizeof(FenceRows));

	rows->fences = fences;
	rows->context = context;
	find_columns(rows, relation);
	rows->range = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	return rows;
}

void
fence_row_key(const FenceRows *rows, TupleTableSlot *slot, int32 *id, int64 *revision)
{
	*id = DatumGetInt32(get_required(rows, slot, COL_ID));
	*revision = DatumGetInt64(get_required(rows, slot, COL_REVISION));
}

bool
fence_row_read(FenceRows *rows, TupleTableSlot *slot, Fence *fence)
{
	if (!get_valid(rows, slot, fence))
		return false;
	read_fence(rows, slot, fence);
	return true;
}
