/*
 * deferred.c
 *		What users' triggers leave behind in the session of a caller.
 *
 * Invariant.  A function of ours that stores for a caller leaves nothing for
 * the commit, where it would run with the caller's rights, and no setting.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "pg/deferred.h"
#include "pg/run.h"

void
deferred_begin(Deferred *deferred, Oid schema)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *query;
	bool		isnull;

	deferred->schema = schema;
	deferred->before = NULL;
	if (current_run == NULL)
	{
		query = psprintf("SELECT %s.pt621_put_off()",
						 quote_identifier(get_namespace_name(schema)));
		if (SPI_connect() != SPI_OK_CONNECT ||
			SPI_execute(query, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "could not call pt621_put_off()");
		context = MemoryContextSwitchTo(context);
		deferred->before = DatumGetArrayTypePCopy(SPI_getbinval(SPI_tuptable->vals[0],
																SPI_tuptable->tupdesc,
																1, &isnull));
		MemoryContextSwitchTo(context);
		SPI_finish();
	}
	deferred->settings = NewGUCNestLevel();
}

void
deferred_end(Deferred *deferred)
{
	char	   *query;
	Oid			type = TEXTARRAYOID;
	Datum		before = PointerGetDatum(deferred->before);

	if (deferred->before)
	{
		query = psprintf("SELECT %s.pt621_fire_deferred($1)",
						 quote_identifier(get_namespace_name(deferred->schema)));
		if (SPI_connect() != SPI_OK_CONNECT ||
			SPI_execute_with_args(query, 1, &type, &before, NULL, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not call pt621_fire_deferred()");
		SPI_finish();
	}
	AtEOXact_GUC(false, deferred->settings);
}

PG_FUNCTION_INFO_V1(pt621_is_put_off);

/* pt621_is_put_off(relation): tells whether it has triggers to fire at commit. */
Datum
pt621_is_put_off(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(AfterTriggerPendingOnRel(PG_GETARG_OID(0)));
}

PG_FUNCTION_INFO_V1(pt621_restore_settings);

/*
 * pt621_restore_settings(): ends the level of settings that we run in as if it
 * had failed, and begins it again for whoever is to end it.
 */
Datum
pt621_restore_settings(PG_FUNCTION_ARGS)
{
	AtEOXact_GUC(false, NewGUCNestLevel() - 1);
	NewGUCNestLevel();
	PG_RETURN_VOID();
}
