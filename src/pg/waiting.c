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
forget(BatchUnit *unit)
{
	source_release(unit->source);
	pfree(unconstify(uint8 *, unit->bytes));
}

void
waiting_add_next(Waiting *waiting, const BatchUnit *unit)
{
	BatchUnit  *added;
	uint8	   *bytes = MemoryContextAlloc(waiting->context, unit->unit.size);

	if (waiting->next_count == WAITING_MAX)
	{
		forget(&waiting->next[waiting->next_from]);
		waiting->next_from = (waiting->next_from + 1) % WAITING_MAX;
		waiting->next_count--;
	}
	memcpy(bytes, unit->bytes, unit->unit.size);
	added = &waiting->next[(waiting->next_from + waiting->next_count++) % WAITING_MAX];
	*added = *unit;
	added->bytes = bytes;
	added->source->references++;
}

void
waiting_commit(Waiting *waiting)
{
	for (uint32 i = 0; i < waiting->count; i++)
		forget(&waiting->unit[i]);
	for (uint32 i = 0; i < waiting->next_count; i++)
		waiting->unit[i] = waiting->next[(waiting->next_from + i) % WAITING_MAX];
	waiting->count = waiting->next_count;
	waiting->next_from = waiting->next_count = 0;
}

void
waiting_abort(Waiting *waiting)
{
	for (uint32 i = 0; i < waiting->next_count; i++)
		forget(&waiting->next[(waiting->next_from + i) % WAITING_MAX]);
	waiting->next_from = waiting->next_count = 0;
}
