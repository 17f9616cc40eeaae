/*
 * geofence_groups.c
 *		Names of groups as numbers, so that a hit costs no comparison of texts.
 *
 * Invariant: a name keeps its number as long as the fences are kept.  Only names
 * that a fence has get one.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/geofence_private.h"

typedef struct GroupName
{
	int32		number;
	int32		size;
	char	   *bytes;
} GroupName;

/* Sorted by their bytes. */
typedef struct GroupNames
{
	MemoryContext context;
	int			count;
	int			room;
	GroupName  *names;
} GroupNames;

GroupNames *
group_names_new(MemoryContext context)
{
	GroupNames *names = MemoryContextAllocZero(context, sizeof(GroupNames));

	names->context = context;
	names->room = 16;
	names->names = MemoryContextAlloc(context, (Size) names->room * sizeof(GroupName));
	return names;
}

bool
group_names_empty(const GroupNames *names)
{
	return names->count == 0;
}

/* Finds a name, or where it would stand. */
static bool
find_name(const GroupNames *names, const char *bytes, int32 size, int *place)
{
	int			low = 0;
	int			high = names->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const GroupName *name = &names->names[middle];
		int			order = memcmp(bytes, name->bytes, Min(size, name->size));

		if (order == 0)
			order = size < name->size ? -1 : size > name->size;
		if (order == 0)
		{
			*place = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*place = low;
	return false;
}

/* Makes a name known. */
static void
add_name(GroupNames *names, int place, const char *bytes, int32 size)
{
	GroupName  *name;
	char	   *copy = MemoryContextAlloc(names->context, Max(size, 1));

	memcpy(copy, bytes, size);
	if (names->count == names->room)
	{
		names->names = repalloc(names->names, (Size) names->room * 2 * sizeof(GroupName));
		names->room *= 2;
	}
	name = &names->names[place];
	memmove(name + 1, name, (Size) (names->count - place) * sizeof(GroupName));
	name->number = names->count++;
	name->size = size;
	name->bytes = copy;
}

/*
 * Gives the numbers of the names in a text[], sorted, in the current memory
 * context.  make: new names get one, else they are left out.
 */
int32 *
group_numbers(GroupNames *names, ArrayType *array, bool make, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			size;
	int32	   *numbers;

	*count = 0;
	if (ARR_ELEMTYPE(array) != TEXTOID)
		elog(ERROR, "groups are no text[]");
	array_split(array, TEXTOID, &elements, &nulls, &size);
	numbers = palloc((Size) Max(size, 1) * sizeof(int32));
	for (int i = 0; i < size; i++)
	{
		struct varlena *name = (struct varlena *) DatumGetPointer(elements[i]);
		int			place;

		if (nulls[i])
			continue;
		if (!find_name(names, VARDATA_ANY(name), (int32) VARSIZE_ANY_EXHDR(name), &place))
		{
			if (!make)
				continue;
			add_name(names, place, VARDATA_ANY(name), (int32) VARSIZE_ANY_EXHDR(name));
		}
		numbers[(*count)++] = names->names[place].number;
	}
	qsort(numbers, (size_t) *count, sizeof(int32), compare_int32);
	pfree(elements);
	pfree(nulls);
	return numbers;
}
