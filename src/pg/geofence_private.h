/*
 * geofence_private.h
 *		What the files geofence*.c share.
 */
#ifndef PT621_PG_GEOFENCE_PRIVATE_H
#define PT621_PG_GEOFENCE_PRIVATE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "pgtime.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "detect/schedule.h"
#include "pg/geofence.h"

/* Weekly hours in a time zone. */
typedef struct FenceHours
{
	pg_tz	   *zone;
	size_t		spans;
	ScheduleSpan span[FLEXIBLE_ARRAY_MEMBER];
} FenceHours;

/* One row of pt621.geofence_version. */
typedef struct Fence
{
	DetectFence detect;			/* first: what is found is a Fence */
	int64		revision;
	TimestampTz edited_at;
	uint32		turn;			/* of the last load that saw it */
	uint32		name_hash;
	char	   *name;
	FenceHours *hours;			/* NULL = always */
	bool		for_some;		/* not for every tracker */
	int			device_count;
	int			group_count;
	int32	   *devices;		/* sorted */
	int32	   *groups;			/* numbers of names, sorted */
} Fence;

/* The revisions, newest first, each with the earliest edit of it and those before. */
typedef struct FenceEdit
{
	int64		revision;
	TimestampTz since;
} FenceEdit;

/* What one load found; all of it in a context of its own, but for the fences. */
typedef struct FenceSet
{
	MemoryContext context;
	uint32		count;
	Fence	  **fences;			/* by id and start */
	int32	   *ids;			/* theirs */
	GeoShape  **shapes;			/* of the indexes: endless ones first */
	void	  **values;
	GeoIndex   *endless;
	GeoIndex   *ended;
	TimestampTz last_end;		/* of the ended ones; before any, if there are none */
	uint32		name_mask;
	uint32	   *by_name;		/* open hash of places in fences, plus 1; NULL = not made */
	FenceEdit  *edits;			/* NULL = not made */
	DetectTime	time;			/* what is looked for now */
	size_t		found_count;
	const DetectFence **found;	/* room for all */
} FenceSet;

struct GroupNames;

struct Geofences
{
	MemoryContext context;
	Oid			stamp;			/* the relations they came from */
	Oid			version;
	int64		revision;
	uint32		turn;
	struct GroupNames *groups;	/* number of each name that a fence has */
	FenceSet   *set;			/* NULL = nothing loaded */
};

/* geofence_row.c */
typedef struct FenceRows FenceRows;

/* Prepares to read rows of a table; in the context, which outlives that. */
extern FenceRows *fence_rows_new(Geofences *fences, Relation relation, MemoryContext context);
extern void fence_row_key(const FenceRows *rows, TupleTableSlot *slot, int32 *id, int64 *revision);

/* Reads one row into a fence, in the current context but for what the fence keeps;
 * false when it is never valid. */
extern bool fence_row_read(FenceRows *rows, TupleTableSlot *slot, Fence *fence);

/* geofence_load.c */
extern FenceSet *fences_load(Geofences *fences, FenceSet *known, Oid version, Snapshot snapshot);
extern void fence_set_free(FenceSet *set);
extern void fence_free(Fence *fence);

/* geofence_groups.c */
extern struct GroupNames *group_names_new(MemoryContext context);
extern bool group_names_empty(const struct GroupNames *names);
extern int32 *group_numbers(struct GroupNames *names, ArrayType *array, bool make,
							int *count);

/* geofence_hours.c */
extern FenceHours *fence_hours_new(MemoryContext context, const char *schedule,
								   size_t size, const char *zone, int32 id);
extern bool fence_hours_include(const FenceHours *hours, TimestampTz time);
extern TimestampTz fence_hours_since(const FenceHours *hours, TimestampTz time);

/* geofence_find.c; device NULL: whatever tracker they are for */
extern size_t fences_near(Geofences *fences, GeofenceDevice *device, DetectTime time,
						  const GeoBox *box, const DetectFence *const **found);
extern Fence *fences_version_at(const Geofences *fences, int32 id, DetectTime time);
extern Fence *fences_named(Geofences *fences, const char *name, size_t size,
						   uint32 *place);

static inline bool
fence_valid(const Fence *fence, DetectTime time)
{
	return time >= fence->detect.valid_from && time < fence->detect.valid_until;
}

#endif							/* PT621_PG_GEOFENCE_PRIVATE_H */
