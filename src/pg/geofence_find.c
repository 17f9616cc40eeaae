/*
 * geofence_find.c
 *		Which fences there are at a time and place, and for whom.
 *
 * Invariant: nothing here changes the fences; what is found is good until they
 * are asked for anew, or something else is looked for.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "pg/geofence_private.h"

/* The groups of one GeofenceMember, as numbers. */
typedef struct MemberGroups
{
	int			count;
	int32	   *numbers;
} MemberGroups;

struct GeofenceDevice
{
	Geofences  *fences;
	int32		id;
	int			count;
	const GeofenceMember *members;
	MemberGroups *groups;		/* of each; NULL = no fence is for groups */
};

GeofenceDevice *
geofence_device_new(Geofences *fences, int32 device_id,
					const GeofenceMember *members, int count)
{
	GeofenceDevice *device = palloc(sizeof(GeofenceDevice));

	device->fences = fences;
	device->id = device_id;
	device->members = members;
	device->count = count;
	device->groups = NULL;
	if (group_names_empty(fences->groups))
		return device;
	device->groups = palloc0((Size) count * sizeof(MemberGroups));
	for (int i = 0; i < count; i++)
	{
		if (members[i].groups)
			device->groups[i].numbers = group_numbers(fences->groups, members[i].groups,
													  false, &device->groups[i].count);
	}
	return device;
}

/* Finds the last member that begins at this time or earlier, else the first. */
static int
member_at(const GeofenceDevice *device, DetectTime time)
{
	int			i = device->count - 1;

	while (i > 0 && device->members[i].from > time)
		i--;
	return i;
}

/* Tells whether two sorted lists have a number in common. */
static bool
meet(const int32 *a, int a_count, const int32 *b, int b_count)
{
	for (int i = 0, j = 0; i < a_count && j < b_count;)
	{
		if (a[i] == b[j])
			return true;
		if (a[i] < b[j])
			i++;
		else
			j++;
	}
	return false;
}

static bool
contains(const int32 *sorted, int count, int32 number)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (sorted[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && sorted[low] == number;
}

/* Tells whether a fence is for a tracker. */
static bool
applies(const Fence *fence, const GeofenceDevice *device, DetectTime time)
{
	const MemberGroups *groups;

	if (!fence->for_some || device == NULL)
		return true;
	if (contains(fence->devices, fence->device_count, device->id))
		return true;
	if (fence->group_count == 0 || device->groups == NULL)
		return false;
	groups = &device->groups[member_at(device, time)];
	return meet(fence->groups, fence->group_count, groups->numbers, groups->count);
}

static bool
is_active(const Fence *fence, const GeofenceDevice *device, DetectTime time)
{
	return fence_valid(fence, time) && applies(fence, device, time) &&
		(fence->hours == NULL || fence_hours_include(fence->hours, time));
}

/* Takes a hit of the index: no more than that, for it must not raise an error. */
static void
take_hit(void *value, void *arg)
{
	FenceSet   *set = arg;

	if (fence_valid(value, set->time))
		set->found[set->found_count++] = value;
}

static int
compare_ids(const void *a, const void *b)
{
	int32		left = (*(const DetectFence *const *) a)->id;
	int32		right = (*(const DetectFence *const *) b)->id;

	return left < right ? -1 : left > right;
}

size_t
fences_near(Geofences *fences, GeofenceDevice *device, DetectTime time,
			const GeoBox *box, const DetectFence *const **found)
{
	FenceSet   *set = fences->set;
	size_t		hits;
	size_t		kept = 0;
	bool		sorted = true;

	set->time = time;
	set->found_count = 0;
	if (set->endless)
		geo_index_search(set->endless, box, take_hit, set);
	if (set->ended && time < set->last_end)
		geo_index_search(set->ended, box, take_hit, set);
	hits = set->found_count;
	for (size_t i = 0; i < hits; i++)
	{
		const DetectFence *hit = set->found[i];

		if (!is_active((const Fence *) hit, device, time))
			continue;
		sorted = sorted && (kept == 0 || set->found[kept - 1]->id < hit->id);
		set->found[kept++] = hit;
	}
	if (!sorted)
	{
		qsort(set->found, kept, sizeof(*set->found), compare_ids);
		/* Only whoever wrote past the triggers has two versions of one time. */
		hits = kept;
		kept = 0;
		for (size_t i = 0; i < hits; i++)
		{
			if (kept == 0 || set->found[kept - 1]->id != set->found[i]->id)
				set->found[kept++] = set->found[i];
		}
	}
	*found = set->found;
	return kept;
}

size_t
geofence_near(void *arg, DetectTime time, const GeoBox *box,
			  const DetectFence *const **found)
{
	GeofenceDevice *device = arg;

	return fences_near(device->fences, device, time, box, found);
}

/* Finds the version of a fence that is valid at a time, or NULL. */
Fence *
fences_version_at(const Geofences *fences, int32 id, DetectTime time)
{
	const FenceSet *set = fences->set;
	uint32		low = 0;
	uint32		high = set->count;

	/* The first that is behind (id, time). */
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (set->ids[middle] < id ||
			(set->ids[middle] == id && set->fences[middle]->detect.valid_from <= time))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || set->ids[low - 1] != id || !fence_valid(set->fences[low - 1], time))
		return NULL;
	return set->fences[low - 1];
}

const DetectFence *
geofence_active(void *arg, DetectTime time, int32_t id)
{
	GeofenceDevice *device = arg;
	Fence	   *fence = fences_version_at(device->fences, id, time);

	return fence && is_active(fence, device, time) ? &fence->detect : NULL;
}

DetectTime
geofence_active_since(void *arg, DetectTime time, int32_t id, DetectTime enough)
{
	GeofenceDevice *device = arg;
	DetectTime	since = time;

	for (;;)
	{
		Fence	   *fence = fences_version_at(device->fences, id, time);
		DetectTime	begin;

		if (fence == NULL || !is_active(fence, device, time))
			return since;
		begin = fence->detect.valid_from;
		/* The first one has been from ever on, whatever it says. */
		if (fence->for_some && member_at(device, time) > 0)
			begin = Max(begin, device->members[member_at(device, time)].from);
		if (fence->hours)
			begin = Max(begin, fence_hours_since(fence->hours, time));
		/* One that is edited all day long has any number of versions. */
		if (begin <= enough)
			return begin;
		since = begin;
		time = begin - 1;
	}
}

bool
geofences_ended(const Geofences *fences, int32 id, TimestampTz now)
{
	const FenceSet *set = fences->set;
	uint32		low = 0;
	uint32		high = set->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (set->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < set->count && set->ids[low] == id; low++)
	{
		if (set->fences[low]->detect.valid_until > now)
			return false;
	}
	return true;
}

/* Makes the hash of names: most sessions ask for none. */
static void
hash_names(FenceSet *set)
{
	uint32		size = 16;
	uint32	   *by_name;

	while (size / 2 < set->count)
		size *= 2;
	by_name = MemoryContextAllocExtended(set->context, (Size) size * sizeof(uint32),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	set->name_mask = size - 1;
	for (uint32 i = 0; i < set->count; i++)
	{
		uint32		slot = set->fences[i]->name_hash & set->name_mask;

		while (by_name[slot] != 0)
			slot = (slot + 1) & set->name_mask;
		by_name[slot] = i + 1;
	}
	set->by_name = by_name;
}

/*
 * Gives the next version of a fence of this name.  *place: 0 at first; the name
 * may have been that of several fences, one after the other.
 */
Fence *
fences_named(Geofences *fences, const char *name, size_t size, uint32 *place)
{
	FenceSet   *set = fences->set;
	uint32		hash = hash_bytes((const unsigned char *) name, (int) size);

	if (set->by_name == NULL)
		hash_names(set);
	for (;;)
	{
		uint32		slot = (hash + *place) & set->name_mask;
		Fence	   *fence;

		if (set->by_name[slot] == 0)
			return NULL;
		++*place;
		fence = set->fences[set->by_name[slot] - 1];
		if (fence->name_hash == hash && strlen(fence->name) == size &&
			memcmp(fence->name, name, size) == 0)
			return fence;
	}
}

static int
compare_edits(const void *a, const void *b)
{
	int64		left = ((const FenceEdit *) a)->revision;
	int64		right = ((const FenceEdit *) b)->revision;

	return left > right ? -1 : left < right;
}

/* Makes the list of edits: asked for only after one. */
static void
list_edits(FenceSet *set)
{
	FenceEdit  *edits = MemoryContextAllocExtended(set->context,
												   (Size) Max(set->count, 1) * sizeof(FenceEdit),
												   MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < set->count; i++)
	{
		edits[i].revision = set->fences[i]->revision;
		edits[i].since = set->fences[i]->edited_at;
	}
	qsort(edits, set->count, sizeof(FenceEdit), compare_edits);
	for (uint32 i = 1; i < set->count; i++)
		edits[i].since = Min(edits[i].since, edits[i - 1].since);
	set->edits = edits;
}

TimestampTz
geofences_changed_since(const Geofences *fences, int64 revision)
{
	FenceSet   *set = fences->set;
	uint32		low = 0;
	uint32		high = set->count;

	if (revision >= fences->revision)
		return DT_NOEND;
	if (set->edits == NULL)
		list_edits(set);
	/* The first that is not newer. */
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (set->edits[middle].revision > revision)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? DT_NOEND : set->edits[low - 1].since;
}

int64
geofences_revision(const Geofences *fences)
{
	return fences->revision;
}
