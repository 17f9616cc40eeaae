/*
 * run.h
 *		One try to store a part of a batch: private to store*.c.
 *
 * Invariant.  A run lives in a memory context of its own and is thrown away
 * with it, whether it succeeds or not: what must outlive a failed try (numbers
 * of units and connections) is in the batch, what must outlive a successful one
 * is in the tables.
 */
#ifndef PT621_PG_RUN_H
#define PT621_PG_RUN_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/hsearch.h"

#include "pg/batch.h"
#include "pg/reject.h"
#include "pg/store.h"

/* A tracker of the run: what the tables say of it, and what the run adds. */
typedef struct Device
{
	SourceIdent ident;

	/* from pt621.device; id is 0 for one that is not there */
	int32		id;
	bool		enabled;
	bool		to_register;	/* a report names it: it may be added */
	int			ignition_input; /* from 1; 0 = none */
	double		odometer_factor;
	char		status_order[3];	/* b, g, s in some order */
	ArrayType  *allowed_peers;	/* NULL = any */
	ArrayType  *groups;			/* text[]; NULL = none */
	double		speed_limit_kmh;	/* NAN = none */
	TimestampTz options_since;	/* the two hold; DT_NOBEGIN = always */

	/* from pt621.device_state, locked; DT_NOBEGIN = none */
	bool		locked;
	TimestampTz fix_time;
	text	   *fix_code;
	int64		fix_digest;
	TimestampTz newest_time;
	TimestampTz ignition_time;
	bool		ignition;
	TimestampTz driver_time;
	text	   *driver;
	int64		bound_conn;		/* connection that speaks for it; 0 = none */
	bytea	   *detectors;		/* saved state, of now or as the run leaves it */
	Pt621Chain	chain;

	/* what the run adds: NULL or DT_NOBEGIN where it adds nothing */
	struct RunItem *last_fix;
	struct RunItem *last_ignition;
	struct RunItem *last_driver;
	TimestampTz run_newest;
	BatchUnit  *last_unit;
	bool		bound_is_known; /* the following two say how it is with bound_conn */
	bool		bound_is_tcp;	/* a connection that is open */
	TimestampTz bound_seen;		/* when anything last came by it */
	bool		derived;		/* detectors is the run's */
	TimestampTz derive_since;	/* from when on the table is to be asked; DT_NOEND */
	uint32		conflicts;		/* how often another connection claimed it */
	const Source *conflict;		/* the last one that did ... */
	int64		conflict_with;	/* ... and the one that was bound */
	uint32		answers;		/* lines that answer commands */
	const struct RunItem *status;	/* the last thing it said of itself (FUS) */
	uint64		last_piece;		/* hash of the last piece of a photo; 0 = none */
} Device;

/* A tracker that one of the run's is linked with. */
typedef struct Partner
{
	int32		id;
	bool		locked;			/* its state */
} Partner;

/* What becomes of one unit. */
typedef struct RunItem
{
	BatchUnit  *unit;
	bool		late;			/* archived by an earlier run */
	bool		readable;		/* record is filled */
	bool		may_wait;		/* its tracker or base may still come */
	Device	   *device;
	Pt621Record record;
	const uint8 *rebuilt;		/* a delta's record, with its line end */
	uint32		rebuilt_size;
	Rejection	rejection;		/* why nothing comes of it, if so ... */
	const char *reason;			/* ... in words; NULL = something does */
	bool		admitted;		/* its tracker may be reported for by its peer */

	/* of a report that goes to pt621.position */
	bool		fresh;			/* newer than all known of its tracker */
	bool		inserted;		/* it was not there before */
	uint32		quality;
	TimestampTz fix_time;
	int64		digest;
} RunItem;

typedef struct Run
{
	Oid			schema;			/* of the extension */
	const char *poison;			/* the single unit's fault, or NULL */
	bool		archived;		/* the batch's units are in pt621.frame already */
	RunItem	   *items;
	uint32		count;
	HTAB	   *device_by_ident;
	Device	  **devices;		/* all of them, by ident; after locking by id */
	uint32		device_count;
	Partner    *partners;		/* by id: trackers of no unit of the run, linked with some */
	uint32		partner_count;
	RunItem	  **positions;		/* in order of their key */
	uint32		position_count;
	uint32		slice_from;		/* the functions show these items, positions ... */
	uint32		slice_to;		/* ... or devices only */
	int			depth;			/* of triggers, where the run began */
	bool		disturbed;		/* rows came to be otherwise than it gave them */
	struct Derivation *derivation;	/* of the positions; NULL before */
	const struct Photos *photos;	/* that the run has pieces of; NULL while they are not shown */
	StoreResult *result;
} Run;

/* Tells whether the run makes another state of a tracker's. */
static inline bool
device_is_changed(const Device *device)
{
	return device->last_unit != NULL || device->conflicts > 0 || device->derived;
}

/* store_devices.c: names the tracker of every item and locks their states. */
extern void run_bind(Run *run, uint32 room);
extern void run_find_devices(Run *run);
extern void run_lock_states(Run *run);

/* Finds a tracker among those of the run, or adds it, or returns NULL. */
extern Device *run_device(Run *run, const SourceIdent *ident);
extern Device *run_find_device(Run *run, const SourceIdent *ident);

/* Settles why nothing comes of a unit.  reason: palloc'd or constant. */
static inline void
item_reject(RunItem *item, Rejection rejection, const char *reason)
{
	item->rejection = rejection;
	item->reason = reason;
}

/* store_claims.c: who may speak for a tracker. */
extern Rejection item_admit(Run *run, RunItem *item);

/* store_records.c: rebuilds deltas, and settles what goes to pt621.position. */
extern void run_resolve(Run *run);
extern void run_select_positions(Run *run);

/* Reads the wired ignition input; false when the record does not have it. */
extern bool item_ignition(const RunItem *item, bool *ignition);

/* store.c: whether pt621_derive() has to look after a tracker. */
extern bool run_is_doubtful(const Run *run, const Device *device);

/*
 * store_derive.c: what follows from new positions.  The first derives what it can
 * without the table, before states are updated; the second writes that, and
 * derives the rest.
 */
extern void run_derive(Run *run);
extern void run_derive_late(Run *run);

/* And what follows of the distance of linked trackers. */
extern void run_derive_proximity(Run *run);

/* store_sql.c: kept statements. */
typedef enum Statement
{
	SQL_FIND_DEVICES,
	SQL_REGISTER,
	SQL_PARTNERS,
	SQL_LOCK_STATES,
	SQL_NEW_STATES,
	SQL_INSERT_FRAMES,
	SQL_UPDATE_FRAMES,
	SQL_INSERT_FRESH,
	SQL_INSERT_DOUBTFUL,
	SQL_UPDATE_STATES,
	SQL_DERIVE,
	SQL_ANNOUNCE_PHOTOS,
	SQL_FIND_PHOTOS,
	SQL_INSERT_PIECES,
	SQL_UPDATE_PHOTOS,
	SQL_COMPLETE_PHOTOS,
	SQL_TAKE_ANSWER,
	SQL_TAKE_STATUS,
	STATEMENTS
} Statement;

/* Runs a statement; argument: the value of its $1, where it has one. */
extern uint64 run_statement(Run *run, Statement statement, Datum argument);

/* Likewise with several; nulls as for SPI_execute_plan(). */
extern uint64 run_statement_with(Run *run, Statement statement, Datum *values, const char *nulls);

/* store_photos.c: photos announced, and their pieces. */
extern void run_photos(Run *run);

/* store_answers.c: answers to commands, and what trackers say of themselves. */
extern bool item_is_answer(const RunItem *item);
extern void run_answers(Run *run);

/* store_rows.c: whether a unit of a stranger is one too many for the archive. */
extern bool item_is_left_out(const RunItem *item);

/* store_rows.c: the run that the pt621_batch_...() functions show. */
extern Run *current_run;
extern Run *require_run(void);

#endif							/* PT621_PG_RUN_H */
