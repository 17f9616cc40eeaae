/*
 * derive_sql.c
 *		The statements that deriving consists of.
 *
 * Invariants.  As in store_sql.c: what is read is cast to the type that the C
 * code takes it for, and every name is written with its schema.  A row that is
 * not superseded is told by its key, here as in the tables' unique indexes.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/timestamp.h"

#include "pg/derive_sql.h"
#include "pg/plan.h"
#include "pg/settings.h"

/* A length of time in microseconds; months count 30 days.  What is longer than any
 * track is cut, as an int8 would not hold it. */
#define MICROSECONDS(column) \
	"(least(extract(epoch FROM d." column "), 864000000000) * 1000000)::pg_catalog.int8"

/* What the detectors look at; 32768: 0 N 0 E. */
#define RECORD_COLUMNS \
	" p.fix_time::pg_catalog.timestamptz, p.code::pg_catalog.text," \
	" (p.valid AND p.geom IS NOT NULL AND p.quality & 32768 = 0)::pg_catalog.bool," \
	" %2$s.st_x(p.geom), %2$s.st_y(p.geom), p.speed_kmh::pg_catalog.float8," \
	" p.ignition::pg_catalog.bool, p.driver::pg_catalog.text"

/* The first moment of a range, and the first one after it. */
#define RANGE_FROM(range) \
	"(coalesce(lower(" range "), '-infinity') + CASE WHEN lower_inf(" range ") OR lower_inc(" range ") THEN '0' ELSE '1 us' END::interval)"
#define RANGE_UNTIL(range) \
	"(coalesce(upper(" range "), 'infinity') + CASE WHEN upper_inc(" range ") THEN '1 us' ELSE '0' END::interval)"

/* What the columns of calibration and input are for SQL_SENSOR_WIRES. */
#define WIRE(columns, table) \
	"SELECT w.device_id, w.name, w.id, w.valid, " columns " FROM pt621." table " w WHERE w.device_id = ANY ($1)"

#define SAME_EVENT \
	" e.device_id = d.device_id AND e.kind = d.kind AND e.at = d.at" \
	" AND coalesce(e.geofence_id, 0) = coalesce(d.geofence_id, 0)" \
	" AND coalesce(e.object, '') = coalesce(d.object, '')" \
	" AND e.superseded_at IS NULL"

#define SAME_VISIT \
	" v.device_id = d.device_id AND v.geofence_id = d.geofence_id" \
	" AND v.enter_at = d.enter_at AND v.superseded_at IS NULL"

/*
 * What a new row replaces: the nearest of its kind that was superseded, no more
 * than 10 minutes away, and that no other row replaces.
 */
#define CORRECTS(table, column, same) \
	" LEFT JOIN LATERAL (SELECT o.id, abs(extract(epoch FROM o." column " - d." column ")) AS away" \
	" FROM " table " o WHERE o.device_id = d.device_id AND " same \
	" AND o." column " BETWEEN d." column " - interval '10 minutes' AND d." column " + interval '10 minutes'" \
	" AND o.superseded_at IS NOT NULL" \
	" AND NOT EXISTS (SELECT FROM " table " r WHERE r.corrects = o.id)" \
	" ORDER BY away, o.id DESC LIMIT 1) o ON true"
#define CORRECTED(column) \
	"CASE WHEN row_number() OVER (PARTITION BY o.id ORDER BY o.away, d." column ") = 1 THEN o.id END"

/* $1: seconds after which something is late.  An alarm of a sensor could not be
 * known before it had lasted. */
#define LATE(time) \
	"extract(epoch FROM now() - " time ") > $1"
#define EVENT_TIME \
	"CASE d.kind WHEN 'sensor_alarm' THEN d.confirmed_at ELSE d.at END"

static const PlanText statements[DERIVE_STATEMENTS] =
{
	[SQL_FLEET] = {
		"SELECT d.valid_from::pg_catalog.timestamptz, d.speed_limit_kmh::pg_catalog.float8,"
		" d.overspeed_tolerance_kmh::pg_catalog.float8, " MICROSECONDS("overspeed_min") ","
		" " MICROSECONDS("overspeed_merge") ", " MICROSECONDS("overspeed_gap") ","
		" " MICROSECONDS("ignition_debounce") ", d.moving_from_kmh::pg_catalog.float8,"
		" d.still_below_kmh::pg_catalog.float8, " MICROSECONDS("motion_start_after") ","
		" " MICROSECONDS("motion_stop_after") ", " MICROSECONDS("motion_gap") ","
		" " MICROSECONDS("pass_gap") ", d.plausible_kmh::pg_catalog.float8,"
		" " MICROSECONDS("repeat_after")
		" FROM pt621.detection d ORDER BY d.valid_from",
		PLAN_KEPT, 0, {0}
	},
	[SQL_DEVICE_OPTIONS] = {
		"SELECT o.from_time, o.groups, o.speed_limit_kmh"
		" FROM (SELECT coalesce(lower(v.valid), '-infinity') AS from_time, v.groups::pg_catalog.text[] AS groups,"
		" v.speed_limit_kmh::pg_catalog.float8 AS speed_limit_kmh, upper(v.valid) AS until"
		" FROM pt621.device_version v WHERE v.device_id = $1"
		" UNION ALL"
		" SELECT coalesce((SELECT max(upper(v.valid)) FROM pt621.device_version v WHERE v.device_id = $1), '-infinity'),"
		" d.groups::pg_catalog.text[], d.speed_limit_kmh::pg_catalog.float8, 'infinity'"
		" FROM pt621.device d WHERE d.id = $1) o ORDER BY o.until",
		PLAN_KEPT, 1, {INT4OID}
	},
	[SQL_STATE] = {
		"SELECT s.detectors::pg_catalog.bytea FROM pt621.device_state s WHERE s.device_id = $1 FOR UPDATE",
		PLAN_BY_INDEX, 1, {INT4OID}
	},
	[SQL_SAVE_STATE] = {
		"UPDATE pt621.device_state s SET detectors = $2 WHERE s.device_id = $1",
		PLAN_BY_INDEX, 2, {INT4OID, BYTEAOID}
	},
	[SQL_PIECE_BEFORE] = {
		"SELECT p.until::pg_catalog.timestamptz, p.detectors::pg_catalog.bytea FROM pt621.track_piece p"
		" WHERE p.device_id = $1 AND p.until < $2 ORDER BY p.until DESC LIMIT 1",
		PLAN_BY_INDEX, 2, {INT4OID, TIMESTAMPTZOID}
	},
	[SQL_FIRST_PIECE] = {
		"SELECT p.until::pg_catalog.timestamptz, p.detectors::pg_catalog.bytea FROM pt621.track_piece p"
		" WHERE p.device_id = $1 AND p.until >= $2 ORDER BY p.until LIMIT 1",
		PLAN_BY_INDEX, 2, {INT4OID, TIMESTAMPTZOID}
	},
	[SQL_PIECES_AFTER] = {
		"SELECT p.until::pg_catalog.timestamptz, p.detectors::pg_catalog.bytea FROM pt621.track_piece p"
		" WHERE p.device_id = $1 AND p.until > $2 ORDER BY p.until",
		PLAN_BY_INDEX, 2, {INT4OID, TIMESTAMPTZOID}
	},
	/* 65536: time of receipt, which says nothing about when. */
	[SQL_RECORDS] = {
		PLAN_NO_SCHEMA "SELECT" RECORD_COLUMNS
		" FROM pt621.position p WHERE p.device_id = $1 AND p.fix_time > $2 AND p.fix_time <= $3"
		" AND p.fix_time < 'infinity' AND p.quality & 65536 = 0 ORDER BY p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_SENSOR_RECORDS] = {
		PLAN_NO_SCHEMA "SELECT" RECORD_COLUMNS ", p.adc::pg_catalog.int4[], p.inputs::pg_catalog.varbit"
		" FROM pt621.position p WHERE p.device_id = $1 AND p.fix_time > $2 AND p.fix_time <= $3"
		" AND p.fix_time < 'infinity' AND p.quality & 65536 = 0 ORDER BY p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	/* The revision even where there is no rule. */
	[SQL_SENSOR_RULES] = {
		"SELECT (SELECT max(c.revision) FROM pt621.sensor_change c)::pg_catalog.int8, d.id::pg_catalog.int4,"
		" d.name::pg_catalog.text, d.sensor::pg_catalog.text, d.above::pg_catalog.float8, d.below::pg_catalog.float8,"
		" " MICROSECONDS("lasting") ", " MICROSECONDS("max_gap") ", d.moving::pg_catalog.bool,"
		" " RANGE_FROM("d.valid") ", " RANGE_UNTIL("d.valid") ", d.devices::pg_catalog.int4[], d.groups::pg_catalog.text[]"
		" FROM (SELECT) one LEFT JOIN pt621.sensor_alarm d ON true ORDER BY d.id",
		PLAN_KEPT, 0, {0}
	},
	[SQL_SENSOR_WIRES] = {
		"SELECT w.device_id::pg_catalog.int4, r.id::pg_catalog.int4, w.number::pg_catalog.int4, w.is_input, w.inverted::pg_catalog.bool,"
		" w.unit::pg_catalog.text, " RANGE_FROM("w.valid") ", " RANGE_UNTIL("w.valid") ","
		" w.raw::pg_catalog.float8[], w.value::pg_catalog.float8[]"
		" FROM (" WIRE("w.channel AS number, false AS is_input, false AS inverted, w.unit, w.raw, w.value", "calibration")
		" UNION ALL " WIRE("w.number, true, w.inverted, '', NULL, NULL", "input") ") w"
		" JOIN pt621.sensor_alarm r ON r.sensor = w.name"
		" ORDER BY w.device_id, r.id, lower(w.valid) DESC NULLS LAST, w.is_input, w.id DESC",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	[SQL_SENSOR_CHANGED] = {
		"SELECT %s.pt621_sensors_changed($1, $2)",
		PLAN_KEPT, 2, {INT4OID, INT8OID}
	},
	[SQL_LIVE_EVENTS] = {
		PLAN_NO_SCHEMA "SELECT coalesce(e.kind, '')::pg_catalog.text, coalesce(e.geofence_id, 0)::pg_catalog.int4,"
		" coalesce(e.object, '')::pg_catalog.text, e.at::pg_catalog.timestamptz,"
		" e.until::pg_catalog.timestamptz, e.confirmed_at::pg_catalog.timestamptz,"
		" coalesce(e.code, '')::pg_catalog.text, %2$s.st_x(e.geom), %2$s.st_y(e.geom),"
		" e.detail::pg_catalog.text"
		" FROM pt621.event e WHERE e.device_id = $1 AND e.superseded_at IS NULL"
		" AND e.confirmed_at >= $2 AND e.confirmed_at <= $3",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_LIVE_VISITS] = {
		"SELECT v.geofence_id::pg_catalog.int4, v.enter_at::pg_catalog.timestamptz,"
		" v.exit_at::pg_catalog.timestamptz, v.confirmed_at::pg_catalog.timestamptz,"
		" v.enter_unknown::pg_catalog.bool, v.exit_unknown::pg_catalog.bool,"
		" v.interpolated::pg_catalog.bool, v.passed::pg_catalog.bool,"
		" v.uncertainty_s::pg_catalog.float8, v.metres::pg_catalog.float8,"
		" v.top_speed_kmh::pg_catalog.float8, coalesce(v.driver, '')::pg_catalog.text"
		" FROM pt621.geofence_visit v WHERE v.device_id = $1 AND v.superseded_at IS NULL"
		" AND v.confirmed_at >= $2 AND v.confirmed_at <= $3"
		" UNION ALL"
		" SELECT v.geofence_id::pg_catalog.int4, v.enter_at::pg_catalog.timestamptz,"
		" v.exit_at::pg_catalog.timestamptz, v.confirmed_at::pg_catalog.timestamptz,"
		" v.enter_unknown::pg_catalog.bool, v.exit_unknown::pg_catalog.bool,"
		" v.interpolated::pg_catalog.bool, v.passed::pg_catalog.bool,"
		" v.uncertainty_s::pg_catalog.float8, v.metres::pg_catalog.float8,"
		" v.top_speed_kmh::pg_catalog.float8, coalesce(v.driver, '')::pg_catalog.text"
		" FROM pt621.geofence_visit v WHERE v.device_id = $1 AND v.superseded_at IS NULL"
		" AND v.confirmed_at < $2 AND v.geofence_id = ANY ($4) AND v.enter_at = ANY ($5)",
		PLAN_BY_INDEX, 5, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[SQL_STRETCH_STATES] = {
		"SELECT s.n::pg_catalog.int4, p.detectors::pg_catalog.bytea"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY s (device_id, since, n)"
		" JOIN pt621.track_piece p ON p.device_id = s.device_id AND p.until = s.since",
		PLAN_BY_INDEX, 3, {INT4ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
	},
	[SQL_STRETCH_RECORDS] = {
		PLAN_NO_SCHEMA "SELECT" RECORD_COLUMNS ", s.n::pg_catalog.int4"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
		" WITH ORDINALITY s (device_id, since, until, n)"
		" JOIN pt621.position p ON p.device_id = s.device_id AND p.fix_time > s.since AND p.fix_time <= s.until"
		" AND p.quality & 65536 = 0 ORDER BY s.n, p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_BY_INDEX, 3, {INT4ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
	},
	/* And the last states, as pieces without an end: their own say where. */
	[SQL_NEAR_PIECES] = {
		"SELECT p.device_id::pg_catalog.int4, p.since::pg_catalog.timestamptz, p.until::pg_catalog.timestamptz,"
		" NULL::pg_catalog.bytea"
		" FROM pt621.track_piece p WHERE p.extent && $1 AND ($2 IS NULL OR p.device_id = ANY ($2))"
		" AND p.until >= $3 AND (p.since IS NULL OR p.since < $4)"
		" UNION ALL"
		" SELECT s.device_id::pg_catalog.int4, NULL, NULL, s.detectors::pg_catalog.bytea"
		" FROM pt621.device_state s WHERE s.detectors IS NOT NULL AND ($2 IS NULL OR s.device_id = ANY ($2))"
		" AND s.newest_time >= $3"
		" ORDER BY 1, 3 NULLS LAST",
		PLAN_BY_INDEX, 4, {BOXOID, INT4ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_FAST_PIECES] = {
		"SELECT p.device_id::pg_catalog.int4, p.since::pg_catalog.timestamptz, p.until::pg_catalog.timestamptz,"
		" NULL::pg_catalog.bytea"
		" FROM pt621.track_piece p WHERE p.top_speed_kmh > $5 AND ($2 IS NULL OR p.device_id = ANY ($2))"
		" AND p.until >= $3 AND (p.since IS NULL OR p.since < $4) AND $1 IS NOT NULL"
		" UNION ALL"
		" SELECT s.device_id::pg_catalog.int4, NULL, NULL, s.detectors::pg_catalog.bytea"
		" FROM pt621.device_state s WHERE s.detectors IS NOT NULL AND ($2 IS NULL OR s.device_id = ANY ($2))"
		" AND s.newest_time >= $3"
		" ORDER BY 1, 3 NULLS LAST",
		PLAN_RARE, 5, {BOXOID, INT4ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, FLOAT8OID}
	},
	[SQL_DROP_PIECES] = {
		"DELETE FROM pt621.track_piece p WHERE p.device_id = $1 AND p.until > $2 AND p.until <= $3",
		PLAN_BY_INDEX, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_INSERT_PIECES] = {
		"INSERT INTO pt621.track_piece (device_id, until, since, fixes, extent, top_speed_kmh, detectors)"
		" SELECT d.* FROM %s.pt621_derived_pieces() d",
		PLAN_KEPT, 0, {0}
	},
	[SQL_SUPERSEDE_VISITS] = {
		"UPDATE pt621.geofence_visit v SET superseded_at = now()"
		" FROM %s.pt621_derived_visits('supersede') d WHERE" SAME_VISIT,
		PLAN_BY_INDEX, 0, {0}
	},
	[SQL_SUPERSEDE_EVENTS] = {
		"UPDATE pt621.event e SET superseded_at = now()"
		" FROM %s.pt621_derived_events('supersede') d WHERE" SAME_EVENT,
		PLAN_BY_INDEX, 0, {0}
	},
	[SQL_UPDATE_VISITS] = {
		"UPDATE pt621.geofence_visit v SET exit_at = d.exit_at, exit_unknown = d.exit_unknown,"
		" interpolated = d.interpolated, uncertainty_s = d.uncertainty_s, seconds = d.seconds,"
		" metres = d.metres, top_speed_kmh = d.top_speed_kmh"
		" FROM %s.pt621_derived_visits('update') d WHERE" SAME_VISIT
		" AND (v.exit_at, v.exit_unknown, v.interpolated, v.uncertainty_s, v.metres, v.top_speed_kmh) IS DISTINCT FROM"
		" (d.exit_at, d.exit_unknown, d.interpolated, d.uncertainty_s, d.metres, d.top_speed_kmh)",
		PLAN_BY_INDEX, 0, {0}
	},
	[SQL_UPDATE_EVENTS] = {
		"UPDATE pt621.event e SET until = d.until, detail = d.detail"
		" FROM %s.pt621_derived_events('update') d WHERE" SAME_EVENT,
		PLAN_BY_INDEX, 0, {0}
	},
	[SQL_INSERT_VISITS] = {
		"INSERT INTO pt621.geofence_visit (device_id, geofence_id, enter_at, exit_at, enter_unknown,"
		" exit_unknown, interpolated, passed, uncertainty_s, seconds, metres, top_speed_kmh, driver,"
		" confirmed_at, late, corrects)"
		" SELECT d.*, " LATE("d.enter_at") ", " CORRECTED("enter_at")
		" FROM %s.pt621_derived_visits('insert') d"
		CORRECTS("pt621.geofence_visit", "enter_at", "o.geofence_id = d.geofence_id")
		" ORDER BY d.enter_at, d.device_id, d.geofence_id ON CONFLICT DO NOTHING",
		PLAN_BY_INDEX, 1, {FLOAT8OID}
	},
	[SQL_INSERT_EVENTS] = {
		"INSERT INTO pt621.event (device_id, kind, code, at, until, geofence_id, object, geom, detail,"
		" confirmed_at, late, corrects)"
		" SELECT d.*, " LATE(EVENT_TIME) ", " CORRECTED("at")
		" FROM %s.pt621_derived_events('insert') d"
		CORRECTS("pt621.event", "at", "o.kind = d.kind AND coalesce(o.geofence_id, 0) = coalesce(d.geofence_id, 0)"
				 " AND coalesce(o.object, '') = coalesce(d.object, '')")
		" ORDER BY d.at, d.device_id, d.kind ON CONFLICT DO NOTHING",
		PLAN_BY_INDEX, 1, {FLOAT8OID}
	},
};

static SPIPlanPtr plans[DERIVE_STATEMENTS];
static PlanSet set = {statements, plans, DERIVE_STATEMENTS, InvalidOid};

uint64
derive_run(Derivation *derivation, DeriveStatement statement, Datum *values, const char *nulls)
{
	return plan_run(&set, statement, derivation->schema, values, nulls);
}

SPIPlanPtr
derive_plan(Derivation *derivation, DeriveStatement statement)
{
	return plan_get(&set, statement, derivation->schema);
}

/* Without any row, or with none for the earliest times, the columns' defaults
 * hold: speeds in km/h, times in microseconds. */
static const DetectOptions fleet_defaults = {
	.speed_limit_kmh = NAN,
	.overspeed_tolerance_kmh = 3,
	.overspeed_min = 5 * DETECT_SECOND,
	.overspeed_merge = 10 * DETECT_SECOND,
	.overspeed_gap = 300 * DETECT_SECOND,
	.ignition_debounce = 2 * DETECT_SECOND,
	.moving_from_kmh = 3,
	.still_below_kmh = 2,
	.motion_start_after = 10 * DETECT_SECOND,
	.motion_stop_after = 180 * DETECT_SECOND,
	.motion_gap = 3600 * DETECT_SECOND,
	.pass_gap = 600 * DETECT_SECOND,
	.plausible_kmh = 250,
	.repeat_after = 1800 * DETECT_SECOND,
};

void
derive_read_fleet(Derivation *derivation)
{
	uint64		rows = derive_run(derivation, SQL_FLEET, NULL, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;

	derivation->fleet = MemoryContextAlloc(derivation->context, (rows + 1) * sizeof(FleetOptions));
	derivation->fleet[0].valid_from = DT_NOBEGIN;
	derivation->fleet[0].options = fleet_defaults;
	derivation->fleet_count = 1;
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Datum		valid_from;
		FleetOptions *fleet;

		if (!derive_column(row, desc, 1, &valid_from))
			continue;
		/* The first row takes the place of the defaults. */
		if (DatumGetTimestampTz(valid_from) != DT_NOBEGIN)
			derivation->fleet_count++;
		fleet = &derivation->fleet[derivation->fleet_count - 1];
		fleet->valid_from = DatumGetTimestampTz(valid_from);
		fleet->options = (DetectOptions)
		{
			.speed_limit_kmh = derive_float(row, desc, 2),
				.overspeed_tolerance_kmh = derive_float(row, desc, 3),
				.overspeed_min = derive_int64(row, desc, 4),
				.overspeed_merge = derive_int64(row, desc, 5),
				.overspeed_gap = derive_int64(row, desc, 6),
				.ignition_debounce = derive_int64(row, desc, 7),
				.moving_from_kmh = derive_float(row, desc, 8),
				.still_below_kmh = derive_float(row, desc, 9),
				.motion_start_after = derive_int64(row, desc, 10),
				.motion_stop_after = derive_int64(row, desc, 11),
				.motion_gap = derive_int64(row, desc, 12),
				.pass_gap = derive_int64(row, desc, 13),
				.plausible_kmh = derive_float(row, desc, 14),
				.repeat_after = derive_int64(row, desc, 15)
		};
	}
	SPI_freetuptable(SPI_tuptable);
}
