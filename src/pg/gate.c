/*
 * gate.c
 *		Whether this database can be stored to.
 *
 * Invariant.  What is true of the extension is true under its lock only: it is
 * looked up, locked, and looked up again, since it may have been dropped and
 * created anew while we waited.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/gate.h"

/* Reads schema and version of the extension from the catalog. */
static Oid
read_extension(Oid extension, char **version)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			schema = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(catalog, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(catalog), &isnull);

		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
		*version = isnull ? pstrdup("") : TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return schema;
}

Oid
gate_lock_extension(char **reason)
{
	Oid			extension = get_extension_oid("pt621", true);
	Oid			schema = InvalidOid;
	char	   *version = NULL;

	*reason = NULL;
	if (OidIsValid(extension))
	{
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		if (get_extension_oid("pt621", true) == extension)
			schema = read_extension(extension, &version);
	}
	if (!OidIsValid(schema))
		*reason = psprintf("extension pt621 is not installed in database \"%s\": CREATE EXTENSION pt621 CASCADE",
						   get_database_name(MyDatabaseId));
	else if (strcmp(version, PT621_VERSION) != 0)
	{
		*reason = psprintf("extension pt621 has version %s, the library %s: ALTER EXTENSION pt621 UPDATE, or restart the server; see Upgrade in the README",
						   version, PT621_VERSION);
		schema = InvalidOid;
	}
	return schema;
}

char *
gate_closed_reason(Oid *schema)
{
	char	   *reason;
	char	   *query;

	*schema = gate_lock_extension(&reason);
	if (!OidIsValid(*schema))
		return reason;
	query = psprintf("SELECT %s.pt621_closed_reason()",
					 quote_identifier(get_namespace_name(*schema)));
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute(query, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not ask why the port is closed");
	reason = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (reason)
	{
		char	   *kept = SPI_palloc(strlen(reason) + 1);

		strcpy(kept, reason);
		reason = kept;
	}
	SPI_finish();
	return reason;
}

PG_FUNCTION_INFO_V1(pt621_installation);

/*
 * pt621_installation(): names cluster, database and extension.
 *
 * A database that was copied, or restored from a dump, has another oid, a cluster
 * that was made anew another system identifier, a re-created extension another oid.
 * A physical copy of the cluster keeps all three: nothing tells it from the original.
 */
Datum
pt621_installation(PG_FUNCTION_ARGS)
{
	char	   *name = psprintf(UINT64_FORMAT "/%u/%u", GetSystemIdentifier(),
								MyDatabaseId, get_extension_oid("pt621", true));

	PG_RETURN_TEXT_P(cstring_to_text(name));
}
