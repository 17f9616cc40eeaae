/*
 * store_sql.c
 *		The statements that storing consists of, prepared once per session.
 *
 * Invariants.  The tables are the users', who may alter them: what is read is
 * cast to the type that the C code takes it for.  Every name is written with its
 * schema, since the listener's search_path is the users' (their triggers run
 * under it).
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "pg/plan.h"
#include "pg/run.h"

#define INSERT_POSITIONS(fresh) \
	"INSERT INTO pt621.position (device_id, fix_time, code, digest, received_at," \
	" frame_seq, geom, valid, stored, speed_kmh, course, inputs, outputs," \
	" ignition, adc, odometer_m, driver, battery, gsm, satellites, gsb, spec," \
	" quality)" \
	" SELECT b.* FROM %s.pt621_batch_positions(" fresh ") b"

/* A user's trigger may have stored something newer in between. */
#define OF_NEWER_FIX(column) \
	"CASE WHEN b.fix_time IS NULL OR b.fix_time < s.fix_time" \
	" THEN s." column " ELSE b." column " END"

/* What is ingested late does not make a tracker seen longer ago. */
#define OF_LATER_UNIT(column) \
	"CASE WHEN b.last_seen IS NULL OR b.last_seen < s.last_seen THEN s." column " ELSE b." column " END"

#define OF_CONFLICT(column) \
	"CASE WHEN b.conflict_at IS NULL THEN s." column " ELSE b." column " END"

/*
 * About the median of the pauses between what was heard: it goes up or down by a
 * twentieth with each.  What comes within a second belongs together.
 */
#define HEARD_AFTER	"extract(epoch FROM b.last_seen - s.last_seen)"
#define NEW_INTERVAL \
	"CASE WHEN s.last_seen IS NULL OR b.last_seen IS NULL OR " HEARD_AFTER " < 1" \
	" THEN s.report_interval" \
	" WHEN s.report_interval IS NULL THEN least(" HEARD_AFTER ", 86400)::pg_catalog.float4" \
	" WHEN " HEARD_AFTER " > s.report_interval THEN least(s.report_interval * 1.05, 86400)::pg_catalog.float4" \
	" ELSE greatest(s.report_interval * 0.95, 1)::pg_catalog.float4 END"

static const PlanText statements[STATEMENTS] =
{
	[SQL_FIND_DEVICES] = {
		"SELECT d.id::pg_catalog.int4, d.ident::pg_catalog.text,"
		" d.enabled::pg_catalog.bool, d.ignition_input::pg_catalog.int4,"
		" d.odometer_factor::pg_catalog.float8, d.status_order::pg_catalog.text,"
		" d.allowed_peers::pg_catalog.cidr[], d.groups::pg_catalog.text[],"
		" d.speed_limit_kmh::pg_catalog.float8, d.options_since::pg_catalog.timestamptz"
		" FROM pt621.device d WHERE d.ident = ANY ($1)",
		PLAN_BY_INDEX, 1, {TEXTARRAYOID}
	},
	/* Looked for first: ON CONFLICT takes a number even for what is there. */
	[SQL_REGISTER] = {
		"INSERT INTO pt621.device (ident)"
		" SELECT u.ident FROM pg_catalog.unnest($1) WITH ORDINALITY u (ident, n)"
		" ORDER BY u.n ON CONFLICT (ident) DO NOTHING",
		PLAN_KEPT, 1, {TEXTARRAYOID}
	},
	/* The first condition is asked once: mostly there are no links at all. */
	[SQL_PARTNERS] = {
		"SELECT l.id::pg_catalog.int4"
		" FROM (SELECT a.partner_id AS id FROM pt621.device_link a WHERE a.device_id = ANY ($1)"
		" UNION"
		" SELECT b.device_id FROM pt621.device_link b WHERE b.partner_id = ANY ($1)) l"
		" WHERE (SELECT EXISTS (SELECT FROM pt621.device_link)) AND l.id <> ALL ($1)"
		" AND EXISTS (SELECT FROM pt621.device d WHERE d.id = l.id) ORDER BY 1",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	[SQL_LOCK_STATES] = {
		"SELECT s.device_id::pg_catalog.int4, s.fix_time::pg_catalog.timestamptz,"
		" s.fix_code::pg_catalog.text, s.fix_digest::pg_catalog.int8,"
		" s.newest_time::pg_catalog.timestamptz,"
		" s.ignition_time::pg_catalog.timestamptz, s.ignition::pg_catalog.bool,"
		" s.driver_time::pg_catalog.timestamptz, s.driver::pg_catalog.text,"
		" s.bases::pg_catalog.bytea[], s.bound_conn::pg_catalog.int8,"
		" s.detectors::pg_catalog.bytea"
		" FROM pt621.device_state s WHERE s.device_id = ANY ($1)"
		" ORDER BY s.device_id FOR UPDATE",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	[SQL_NEW_STATES] = {
		"INSERT INTO pt621.device_state (device_id)"
		" SELECT u.id FROM pg_catalog.unnest($1) WITH ORDINALITY u (id, n)"
		" ORDER BY u.n ON CONFLICT (device_id) DO NOTHING",
		PLAN_KEPT, 1, {INT4ARRAYOID}
	},
	[SQL_INSERT_FRAMES] = {
		"INSERT INTO pt621.frame (received_at, seq, ident, device_id, transport,"
		" peer, peer_port, conn, bytes, record, error, decoder)"
		" SELECT b.* FROM %s.pt621_batch_frames(false) b",
		PLAN_KEPT, 0, {0}
	},
	[SQL_UPDATE_FRAMES] = {
		"UPDATE pt621.frame f SET ident = b.ident, device_id = b.device_id,"
		" record = b.record, error = b.error, decoder = b.decoder"
		" FROM %s.pt621_batch_frames(true) b"
		" WHERE f.received_at = b.received_at AND f.seq = b.seq",
		PLAN_RARE, 0, {0}
	},
	[SQL_INSERT_FRESH] = {
		INSERT_POSITIONS("true"),
		PLAN_KEPT, 0, {0}
	},
	[SQL_INSERT_DOUBTFUL] = {
		INSERT_POSITIONS("false")
		" ON CONFLICT (device_id, fix_time, code, digest) DO NOTHING"
		" RETURNING device_id::pg_catalog.int4, fix_time::pg_catalog.timestamptz, digest::pg_catalog.int8",
		PLAN_KEPT, 0, {0}
	},
	[SQL_UPDATE_STATES] = {
		"UPDATE pt621.device_state s SET"
		" fix_time = greatest(b.fix_time, s.fix_time),"
		" fix_code = " OF_NEWER_FIX("fix_code") ","
		" fix_digest = " OF_NEWER_FIX("fix_digest") ","
		" geom = " OF_NEWER_FIX("geom") ","
		" speed_kmh = " OF_NEWER_FIX("speed_kmh") ","
		" course = " OF_NEWER_FIX("course") ","
		" newest_time = greatest(b.newest_time, s.newest_time),"
		" ignition = coalesce(b.ignition, s.ignition),"
		" ignition_time = coalesce(b.ignition_time, s.ignition_time),"
		" driver = coalesce(b.driver, s.driver),"
		" driver_time = coalesce(b.driver_time, s.driver_time),"
		" bases = b.bases,"
		" detectors = coalesce(b.detectors, s.detectors),"
		" report_interval = " NEW_INTERVAL ","
		" last_seen = greatest(b.last_seen, s.last_seen),"
		" last_conn = " OF_LATER_UNIT("last_conn") ","
		" last_transport = " OF_LATER_UNIT("last_transport") ","
		" last_peer = " OF_LATER_UNIT("last_peer") ","
		" last_peer_port = " OF_LATER_UNIT("last_peer_port") ","
		" bound_conn = b.bound_conn,"
		" conflicts = s.conflicts + b.conflicts,"
		" conflict_at = coalesce(b.conflict_at, s.conflict_at),"
		" conflict_conn = " OF_CONFLICT("conflict_conn") ","
		" conflict_with = " OF_CONFLICT("conflict_with") ","
		" conflict_peer = " OF_CONFLICT("conflict_peer") ","
		" conflict_peer_port = " OF_CONFLICT("conflict_peer_port")
		" FROM %s.pt621_batch_states() b WHERE s.device_id = b.device_id",
		PLAN_BY_INDEX, 0, {0}
	},
	/* In days, as the default trigger does: never a hull. */
	[SQL_DERIVE] = {
		"SELECT %1$s.pt621_derive(pg_catalog.array_agg(c.device_id),"
		" pg_catalog.array_agg(pg_catalog.tstzrange(c.low, c.high, '[]')))"
		" FROM (SELECT b.device_id, min(b.fix_time) AS low, max(b.fix_time) AS high"
		" FROM (SELECT f.device_id, f.fix_time FROM %1$s.pt621_batch_positions(true) f"
		" UNION ALL"
		" SELECT d.device_id, d.fix_time FROM %1$s.pt621_batch_positions(false) d) b"
		" WHERE b.device_id = ANY ($1)"
		" GROUP BY b.device_id, pg_catalog.date_trunc('day', b.fix_time, 'UTC')) c",
		PLAN_KEPT, 1, {INT4ARRAYOID}
	},
	/* Trackers can announce what they like: few at a time are waited for.  What they
	 * announce again counts as little as what there is none of. */
	[SQL_ANNOUNCE_PHOTOS] = {
		"INSERT INTO pt621.photo (device_id, fix_time, digest, announced_at, camera, geom, size, state, reason)"
		" SELECT b.device_id, b.fix_time, b.digest, b.announced_at, b.camera, b.geom,"
		" least(b.size, 2147483647), CASE WHEN r.reason IS NULL THEN 'announced' ELSE 'failed' END, r.reason"
		" FROM (SELECT a.*, pg_catalog.count(*) FILTER (WHERE a.size BETWEEN 1 AND $1 AND a.copy = 1"
		" AND NOT EXISTS (SELECT FROM pt621.photo k WHERE k.device_id = a.device_id"
		" AND k.fix_time = a.fix_time AND k.digest = a.digest))"
		" OVER (PARTITION BY a.device_id ORDER BY a.ordinality) AS nth"
		" FROM (SELECT f.*, pg_catalog.row_number() OVER (PARTITION BY f.device_id, f.fix_time, f.digest"
		" ORDER BY f.ordinality) AS copy FROM %s.pt621_batch_photos() WITH ORDINALITY f) a) b"
		" CROSS JOIN LATERAL (SELECT CASE WHEN b.size = 0 THEN 'it had no picture'"
		" WHEN b.size > $1 THEN 'larger than pt621.max_photo_size'"
		" WHEN b.nth + (SELECT pg_catalog.count(*) FROM pt621.photo p WHERE p.device_id = b.device_id"
		" AND p.state IN ('announced', 'fetching')) > 20 THEN 'twenty others are waiting' END AS reason) r"
		" ORDER BY b.ordinality ON CONFLICT (device_id, fix_time, digest) DO NOTHING",
		PLAN_BY_INDEX, 1, {INT4OID}
	},
	/* One that somebody holds is not waited for, or all storing would: its pieces are
	 * asked for again. */
	[SQL_FIND_PHOTOS] = {
		"SELECT p.id::pg_catalog.int8, p.device_id::pg_catalog.int4, p.size::pg_catalog.int4,"
		" p.received::pg_catalog.int4, CASE p.numbering WHEN 'offset' THEN 1 WHEN 'index' THEN 2"
		" WHEN 'none' THEN 3 ELSE 0 END"
		" FROM pt621.photo p WHERE p.device_id = ANY ($1) AND p.state IN ('announced', 'fetching')"
		" ORDER BY p.device_id, p.id FOR UPDATE SKIP LOCKED",
		PLAN_BY_INDEX, 1, {INT4ARRAYOID}
	},
	/* Somebody may have it begun anew. */
	[SQL_INSERT_PIECES] = {
		"INSERT INTO pt621.photo_piece (photo_id, at, bytes) SELECT b.* FROM %s.pt621_batch_pieces() b"
		" ON CONFLICT (photo_id, at) DO UPDATE SET bytes = excluded.bytes",
		PLAN_KEPT, 0, {0}
	},
	[SQL_UPDATE_PHOTOS] = {
		"UPDATE pt621.photo p SET state = 'fetching', received = b.received,"
		" numbering = coalesce(b.numbering, p.numbering), last_piece_at = b.last_piece_at,"
		" reason = coalesce(b.reason, p.reason)"
		" FROM %s.pt621_batch_progress() b WHERE p.id = b.photo_id",
		PLAN_BY_INDEX, 0, {0}
	},
	[SQL_COMPLETE_PHOTOS] = {
		"SELECT %s.pt621_photo_complete($1)",
		PLAN_KEPT, 1, {INT8ARRAYOID}
	},
	[SQL_TAKE_ANSWER] = {
		"SELECT %s.pt621_take_answer($1, $2, $3, $4, $5, $6)",
		PLAN_KEPT, 6, {INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID, INT4OID, BOOLOID}
	},
	/* What somebody has entered stays.  A row that somebody holds is not waited for:
	 * trackers say it again. */
	[SQL_TAKE_STATUS] = {
		"UPDATE pt621.device d SET imei = coalesce(d.imei, $2),"
		" firmware = coalesce($3, d.firmware), hardware = coalesce($4, d.hardware)"
		" WHERE d.id IN (SELECT l.id FROM pt621.device l WHERE l.id = $1 FOR NO KEY UPDATE SKIP LOCKED)"
		" AND (coalesce(d.imei, $2), coalesce($3, d.firmware), coalesce($4, d.hardware))"
		" IS DISTINCT FROM (d.imei, d.firmware, d.hardware)",
		PLAN_BY_INDEX, 4, {INT4OID, TEXTOID, TEXTOID, TEXTOID}
	},
};

static SPIPlanPtr plans[STATEMENTS];
static PlanSet set = {statements, plans, STATEMENTS, InvalidOid};

uint64
run_statement(Run *run, Statement statement, Datum argument)
{
	return run_statement_with(run, statement, &argument, NULL);
}

uint64
run_statement_with(Run *run, Statement statement, Datum *values, const char *nulls)
{
	return plan_run(&set, statement, run->schema, values, nulls);
}
