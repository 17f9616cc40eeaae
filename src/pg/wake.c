/*
 * wake.c
 *		Has commands sent when they are committed.
 *
 * Invariant.  Only what has committed wakes anybody, and whoever is woken sees it:
 * the trackers are kept until the transaction's end, and the listeners told when
 * its rows are visible to them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/arrays.h"
#include "pg/connections.h"

static SourceIdent *idents = NULL;
static int	ident_count = 0;
static int	ident_room = 0;

static void
forget_idents(void)
{
	if (idents)
		pfree(idents);
	idents = NULL;
	ident_count = ident_room = 0;
}

static void
on_xact(XactEvent event, void *arg)
{
	if (ident_count == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			qsort(idents, ident_count, sizeof(SourceIdent), source_ident_compare);
			connections_want(idents, ident_count);
			forget_idents();
			break;
			/* One that is prepared is found by pt621_command_tick() later. */
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget_idents();
			break;
		default:
			break;
	}
}

/* Keeps the id of a tracker until the transaction ends. */
static void
add_ident(const text *name)
{
	Size		size = VARSIZE_ANY_EXHDR(name);

	if (size == 0 || size > PT621_IDENT_MAX)
		return;					/* none that is connected has it */
	if (ident_count == ident_room)
	{
		int			room = Max(2 * ident_room, 16);

		if (idents)
			idents = repalloc_huge(idents, room * sizeof(SourceIdent));
		else
			idents = MemoryContextAlloc(TopMemoryContext, room * sizeof(SourceIdent));
		ident_room = room;
	}
	memset(&idents[ident_count], 0, sizeof(SourceIdent));
	idents[ident_count].size = size;
	memcpy(idents[ident_count++].bytes, VARDATA_ANY(name), size);
}

PG_FUNCTION_INFO_V1(pt621_wake_listeners);

/* pt621_wake_listeners(idents): when this transaction commits. */
Datum
pt621_wake_listeners(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (!registered)
		RegisterXactCallback(on_xact, NULL);
	registered = true;
	array_split(array, TEXTOID, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			add_ident(DatumGetTextPP(values[i]));
	}
	PG_RETURN_VOID();
}
