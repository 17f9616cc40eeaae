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
#include "pg/store.h"

/* A tracker of the run: what the tables say of it, and what the run adds. */
typedef struct Device
{
	uint32		ident_size;
	uint8		ident[PT621_IDENT_MAX];

	/* from pt621.device; id is 0 for one that is not there */
	int32		id;
	bool		enabled;
	bool		to_register;	/* a report names it: it may be added */
	int			ignition_input; /* from 1; 0 = none */
	double		odometer_factor;
	char		status_order[3];	/* b, g, s in some order */
	ArrayType  *allowed_peers;	/* NULL = any */

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
	Pt621Chain	chain;

	/* what the run adds: NULL or DT_NOBEGIN where it adds nothing */
	struct RunItem *last_fix;
	struct RunItem *last_ignition;
	struct RunItem *last_driver;
	TimestampTz run_newest;
	BatchUnit  *last_unit;
} Device;

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
	const char *reason;			/* why nothing comes of it, or NULL */

	/* of a report that goes to pt621.position */
	bool		fresh;			/* newer than all known of its tracker */
	uint32		quality;
	TimestampTz fix_time;
	int64		digest;
} RunItem;

typedef struct Run
{
	Oid			schema;			/* of the extension */
	const char *poison;			/* the single unit's fault, or NULL */
	RunItem	   *items;
	uint32		count;
	HTAB	   *device_by_ident;
	Device	  **devices;		/* all of them, by ident; after locking by id */
	uint32		device_count;
	RunItem	  **positions;		/* in order of their key */
	uint32		position_count;
	int			depth;			/* of triggers, where the run began */
	bool		disturbed;		/* rows came to be otherwise than it gave them */
	StoreResult *result;
} Run;

/* store_devices.c: names the tracker of every item and locks their states. */
extern void run_bind(Run *run, uint32 room);
extern void run_find_devices(Run *run);
extern void run_lock_states(Run *run);

/* Finds a tracker among those of the run, or returns NULL. */
extern Device *run_find_device(Run *run, const uint8 *bytes, uint32 size);

/* store_records.c: rebuilds deltas, and settles what goes to pt621.position. */
extern void run_resolve(Run *run);
extern void run_select_positions(Run *run);

/* Reads the wired ignition input; false when the record does not have it. */
extern bool item_ignition(const RunItem *item, bool *ignition);

/* store_sql.c: kept statements. */
typedef enum Statement
{
	SQL_FIND_DEVICES,
	SQL_REGISTER,
	SQL_LOCK_STATES,
	SQL_NEW_STATES,
	SQL_INSERT_FRAMES,
	SQL_UPDATE_FRAMES,
	SQL_INSERT_FRESH,
	SQL_INSERT_DOUBTFUL,
	SQL_UPDATE_STATES,
	SQL_DERIVE,
	STATEMENTS
} Statement;

/* Runs a statement; argument: the value of its $1, where it has one. */
extern uint64 run_statement(Run *run, Statement statement, Datum argument);

/* store_rows.c: the run that the pt621_batch_...() functions show. */
extern Run *current_run;

#endif							/* PT621_PG_RUN_H */
