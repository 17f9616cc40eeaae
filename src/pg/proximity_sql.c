/*
 * proximity_sql.c
 *		The statements that proximity consists of.
 *
 * Invariants.  As in store_sql.c: what is read is cast to the type that the C
 * code takes it for, and every name is written with its schema.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"

#include "pg/arrays.h"
#include "pg/derive_sql.h"
#include "pg/plan.h"
#include "pg/proximity_private.h"

/* What pt621.detection.partner_gap is by default. */
#define DEFAULT_GAP		(300 * DETECT_SECOND)

/* 65536: time of receipt; 32768: 0 N 0 E. */
#define IS_PLACE \
	" p.fix_time < 'infinity' AND p.valid AND p.geom IS NOT NULL AND p.quality & 98304 = 0" \
	" AND %2$s.st_x(p.geom) BETWEEN -180 AND 180 AND %2$s.st_y(p.geom) BETWEEN -90 AND 90"

#define OF_PAIR \
	" e.device_id = $1 AND e.kind = 'proximity' AND coalesce(e.geofence_id, 0) = 0" \
	" AND coalesce(e.object, '') = $2 AND e.superseded_at IS NULL"

static const PlanText statements[PROXIMITY_STATEMENTS] =
{
	[SQL_ANY_LINK] = {
		"SELECT FROM pt621.device_link LIMIT 1",
		PLAN_KEPT, 0, {0}
	},
	[SQL_LINKS] = {
		"SELECT l.device_id::pg_catalog.int4, l.partner_id::pg_catalog.int4, l.near_m::pg_catalog.float8,"
		" l.far_m::pg_catalog.float8, l.created_at::pg_catalog.timestamptz, p.ident::pg_catalog.text"
		" FROM (SELECT a.* FROM pt621.device_link a WHERE a.device_id = ANY ($1)"
		" UNION"
		" SELECT b.* FROM pt621.device_link b WHERE b.partner_id = ANY ($1)) l"
		" JOIN pt621.device d ON d.id = l.device_id JOIN pt621.device p ON p.id = l.partner_id"
		" ORDER BY 1, 2",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	[SQL_LOCK] = {
		"SELECT FROM pt621.device_state s WHERE s.device_id = ANY ($1) ORDER BY s.device_id FOR UPDATE",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	[SQL_GAPS] = {
		"SELECT d.valid_from::pg_catalog.timestamptz,"
		" (extract(epoch FROM d.partner_gap) * 1000000)::pg_catalog.int8"
		" FROM pt621.detection d ORDER BY d.valid_from",
		PLAN_KEPT, 0, {0}
	},
	[SQL_PLACES] = {
		PLAN_NO_SCHEMA "SELECT p.fix_time::pg_catalog.timestamptz, %2$s.st_x(p.geom), %2$s.st_y(p.geom)"
		" FROM pt621.position p WHERE p.device_id = $1 AND p.fix_time >= $2 AND p.fix_time <= $3 AND" IS_PLACE
		" ORDER BY p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_PLACE_BEFORE] = {
		PLAN_NO_SCHEMA "SELECT p.fix_time::pg_catalog.timestamptz"
		" FROM pt621.position p WHERE p.device_id = $1 AND p.fix_time >= $2 AND p.fix_time < $3 AND" IS_PLACE
		" ORDER BY p.fix_time DESC LIMIT 1",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_PLACE_AFTER] = {
		PLAN_NO_SCHEMA "SELECT p.fix_time::pg_catalog.timestamptz"
		" FROM pt621.position p WHERE p.device_id = $1 AND p.fix_time > $2 AND p.fix_time < $3 AND" IS_PLACE
		" ORDER BY p.fix_time LIMIT 1",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	/* From the one that holds, or held last, at $4. */
	[SQL_LIVE] = {
		PLAN_NO_SCHEMA "SELECT e.at::pg_catalog.timestamptz, e.until::pg_catalog.timestamptz, e.confirmed_at::pg_catalog.timestamptz,"
		" %2$s.st_x(e.geom), %2$s.st_y(e.geom), e.detail::pg_catalog.text"
		" FROM pt621.event e WHERE" OF_PAIR
		" AND e.at >= coalesce((SELECT max(e.at) FROM pt621.event e WHERE" OF_PAIR
		" AND e.at >= $3 AND e.at <= $4), greatest($3, $4)) AND e.at <= $5"
		" ORDER BY e.at",
		PLAN_BY_INDEX, 5, {INT4OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
};

static SPIPlanPtr plans[PROXIMITY_STATEMENTS];
static PlanSet set = {statements, plans, PROXIMITY_STATEMENTS, InvalidOid};

uint64
proximity_run(Oid schema, ProximityStatement statement, Datum *values)
{
	return plan_run(&set, statement, schema, values, NULL);
}

SPIPlanPtr
proximity_plan(Oid schema, ProximityStatement statement)
{
	return plan_get(&set, statement, schema);
}

void
proximity_read_gaps(Oid schema, ProximityGaps *gaps, MemoryContext context)
{
	uint64		rows = proximity_run(schema, SQL_GAPS, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;

	gaps->gaps = MemoryContextAlloc(context, (rows + 1) * sizeof(ProximityGap));
	gaps->gaps[0] = (ProximityGap) {DT_NOBEGIN, DEFAULT_GAP};
	gaps->count = 1;
	for (uint64 i = 0; i < rows; i++)
	{
		TimestampTz from = derive_time(SPI_tuptable->vals[i], desc, 1, DT_NOBEGIN);
		Datum		gap;

		if (!derive_column(SPI_tuptable->vals[i], desc, 2, &gap))
			continue;
		/* The first row takes the place of the default. */
		if (from != DT_NOBEGIN)
			gaps->count++;
		gaps->gaps[gaps->count - 1] = (ProximityGap) {from, DatumGetInt64(gap)};
	}
	SPI_freetuptable(SPI_tuptable);
	gaps->longest = 0;
	for (int i = 0; i < gaps->count; i++)
		gaps->longest = Max(gaps->longest, gaps->gaps[i].gap);
}

ProximityPair *
proximity_read_pairs(Oid schema, const DerivePeriod *periods, int count, const ProximityGaps *gaps,
					 uint64 *pairs)
{
	Datum	   *ids = palloc((Size) Max(count, 1) * sizeof(Datum));
	Datum		argument;
	ProximityPair *pair;

	for (int i = 0; i < count; i++)
		ids[i] = Int32GetDatum(periods[i].device_id);
	argument = PointerGetDatum(array_make(ids, count, INT4OID));
	*pairs = proximity_run(schema, SQL_LINKS, &argument);
	pair = palloc0((Size) Max(*pairs, 1) * sizeof(ProximityPair));
	for (uint64 i = 0; i < *pairs; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Datum		value;

		pair[i].schema = schema;
		pair[i].gaps = gaps;
		for (int who = 0; who < 2; who++)
			pair[i].id[who] = derive_column(row, desc, who + 1, &value) ? DatumGetInt32(value) : 0;
		pair[i].near_m = derive_float(row, desc, 3);
		pair[i].far_m = derive_float(row, desc, 4);
		pair[i].since = derive_time(row, desc, 5, DT_NOBEGIN);
		pair[i].partner = derive_detect_text(row, desc, 6);
	}
	SPI_freetuptable(SPI_tuptable);
	return pair;
}

void
proximity_lock_pairs(const ProximityPair *pairs, uint64 count)
{
	Datum	   *ids = palloc(count * 2 * sizeof(Datum));
	Datum		argument;

	for (uint64 i = 0; i < count * 2; i++)
		ids[i] = Int32GetDatum(pairs[i / 2].id[i % 2]);
	argument = PointerGetDatum(array_make(ids, (int) (count * 2), INT4OID));
	proximity_run(pairs->schema, SQL_LOCK, &argument);
	SPI_freetuptable(SPI_tuptable);
}
