/*
 * waiting.c
 *		Units whose tracker or base has not come yet.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/waiting.h"

Waiting *
waiting_new(void)
{
	Waiting    *waiting = palloc0(sizeof(Waiting));

	waiting->context = AllocSetContextCreate(CurrentMemoryContext,
											 "pt621 waiting units",
											 ALLOCSET_DEFAULT_SIZES);
	return waiting;
}

static void
forget(BatchUnit *units, uint32 *count)
{
	for (uint32 i = 0; i < *count; i++)
	{
		source_release(units[i].source);
		pfree(unconstify(uint8 *, units[i].bytes));
	}
	*count = 0;
}

void
waiting_add_next(Waiting *waiting, const BatchUnit *unit)
{
	BatchUnit  *added;
	uint8	   *bytes;

	if (waiting->next_count == WAITING_MAX)
	{
		source_release(waiting->next[0].source);
		pfree(unconstify(uint8 *, waiting->next[0].bytes));
		waiting->next_count--;
		memmove(&waiting->next[0], &waiting->next[1],
				waiting->next_count * sizeof(BatchUnit));
	}
	bytes = MemoryContextAlloc(waiting->context, unit->unit.size);
	memcpy(bytes, unit->bytes, unit->unit.size);
	added = &waiting->next[waiting->next_count++];
	*added = *unit;
	added->bytes = bytes;
	added->source->references++;
}

void
waiting_commit(Waiting *waiting)
{
	forget(waiting->unit, &waiting->count);
	memcpy(waiting->unit, waiting->next, waiting->next_count * sizeof(BatchUnit));
	waiting->count = waiting->next_count;
	waiting->next_count = 0;
}

void
waiting_abort(Waiting *waiting)
{
	forget(waiting->next, &waiting->next_count);
}
