/*
 * plan.c
 *		Statements of ours, prepared once per session.
 *
 * Invariant.  A plan outlives the size that a table had when it was made, so it
 * must be one for large tables: looking 10,000 trackers up by a plan made for an
 * empty table was measured to take two thirds of the listener's time.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "pg/plan.h"

/*
 * Makes the plan of a statement, unless it has one that is still good, as if only
 * indexes could be used; in_order: and nothing sorted.  Without parameters to look at it is a generic one.
 */
static void
plan_by_index(SPIPlanPtr plan, bool in_order)
{
	static const char *const ways[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin",
	"enable_bitmapscan", "enable_sort"};
	Size		count = lengthof(ways) - (in_order ? 0 : 2);
	int			nest = NewGUCNestLevel();
	CachedPlan *cached;

	for (Size i = 0; i < count; i++)
		(void) set_config_option(ways[i], "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	cached = SPI_plan_get_cached_plan(plan);
	if (cached)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	/* What runs under it is the users' as well: triggers. */
	AtEOXact_GUC(false, nest);
}

/* Gives the schema of PostGIS: that of the type of a column of ours. */
static char *
postgis_schema(void)
{
	Oid			position = get_relname_relid("position", get_namespace_oid("pt621", true));
	AttrNumber	geom = OidIsValid(position) ? get_attnum(position, "geom") : InvalidAttrNumber;
	Oid			type = geom != InvalidAttrNumber ? get_atttype(position, geom) : InvalidOid;
	HeapTuple	tuple = OidIsValid(type) ? SearchSysCache1(TYPEOID, ObjectIdGetDatum(type)) : NULL;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("pt621.position.geom does not exist"),
				 errhint("SELECT pt621_ready() makes tables that are missing.")));
	name = get_namespace_name(((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	return name;
}

/* Prepares a statement, and keeps it for the session unless it is rare. */
static SPIPlanPtr
prepare(const PlanText *statement, Oid schema)
{
	char	   *name = get_namespace_name(schema);
	char	   *text;
	SPIPlanPtr	plan;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("the schema of extension pt621 is gone")));
	text = psprintf(statement->text, quote_identifier(name),
					strstr(statement->text, "%2$s") ? quote_identifier(postgis_schema()) : "");
	plan = SPI_prepare_cursor(text, statement->arguments, (Oid *) statement->types,
							  statement->kind == PLAN_BY_INDEX || statement->kind == PLAN_IN_ORDER ? CURSOR_OPT_GENERIC_PLAN : 0);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", text,
			 SPI_result_code_string(SPI_result));
	if (statement->kind != PLAN_RARE)
		SPI_keepplan(plan);
	return plan;
}

SPIPlanPtr
plan_get(PlanSet *set, int which, Oid schema)
{
	const PlanText *statement = &set->texts[which];
	SPIPlanPtr	plan;

	if (set->schema != schema)
	{
		/* Not freed: a trigger of the user's that moves a function of ours may be
		 * called by one of these statements. */
		for (int i = 0; i < set->count; i++)
			set->plans[i] = NULL;
		set->schema = schema;
	}
	plan = set->plans[which];
	if (plan == NULL)
		plan = prepare(statement, schema);
	if (statement->kind != PLAN_RARE)
		set->plans[which] = plan;
	if (statement->kind == PLAN_BY_INDEX || statement->kind == PLAN_IN_ORDER)
		plan_by_index(plan, statement->kind == PLAN_IN_ORDER);
	return plan;
}

uint64
plan_run(PlanSet *set, int which, Oid schema, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = plan_get(set, which, schema);
	int			result = SPI_execute_plan(plan, values, nulls, false, 0);

	if (result < 0)
		elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
	return SPI_processed;
}
