/*
 * derive.h
 *		What follows from positions: visits and events, from the records of some
 *		trackers to rows of the tables.
 */
#ifndef PT621_PG_DERIVE_H
#define PT621_PG_DERIVE_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "detect/detect.h"
#include "pg/geofence.h"

/* After how many records a tracker's track is cut: as many at most are read again
 * for one that comes late, and a look for what came near a place finds so many
 * at once. */
#define PIECE_FIXES		16

/* So many bytes of a saved state say what it was made with. */
#define DERIVATION_KNOWN_SIZE	32

/* Rules of sensors, what is wired to trackers, and both as one of these sees them:
 * see sensor_rules.h. */
typedef struct SensorRules SensorRules;
typedef struct SensorWires SensorWires;
typedef struct SensorDevice SensorDevice;

/* What is to become of a row that is wanted. */
typedef enum DerivedWrite
{
	WRITE_NOTHING,
	WRITE_INSERT,
	WRITE_UPDATE				/* it is there, but was open */
} DerivedWrite;

/* No padding that is not set to 0: it is hashed as bytes. */
typedef struct DerivedKey
{
	int32		device_id;
	int32		kind;			/* DetectKind */
	int32		fence;
	int32		zero;
	DetectTime	at;
	DetectText	object;
} DerivedKey;

typedef struct DerivedRow
{
	DerivedKey	key;			/* first, for the hash table */
	DetectRow	row;
	DerivedWrite write;
	bool		supersede;		/* the row of this key that is there */
} DerivedRow;

/* Options of the whole fleet, from some time on. */
typedef struct FleetOptions
{
	TimestampTz valid_from;
	DetectOptions options;
} FleetOptions;

/* Those of one tracker that keep a history, from some time on. */
typedef struct DeviceOptions
{
	TimestampTz valid_from;
	double		speed_limit_kmh;	/* NAN = none */
} DeviceOptions;

/* What of a tracker is to be derived: records from `low` to `high`, both included. */
typedef struct DerivePeriod
{
	int32		device_id;
	TimestampTz low;
	TimestampTz high;
} DerivePeriod;

/* A part of a track that is finished, with the state at its end. */
typedef struct DerivedPiece
{
	int32		device_id;
	DetectTime	until;
	DetectPiece piece;
	bytea	   *detectors;
} DerivedPiece;

/* What one call or batch derives, for one tracker after the other. */
typedef struct Derivation
{
	Oid			schema;			/* of the extension */
	MemoryContext context;
	MemoryContext states;		/* of states: for as long as one is followed */
	Geofences  *fences;
	FleetOptions *fleet;		/* by time */
	int			fleet_count;
	int64		rules_revision;
	SensorRules *rules;			/* NULL = sensors are not looked at */
	SensorWires *wires;			/* of trackers that were asked for in advance; NULL = none were */

	HTAB	   *rows;			/* of DerivedRow; NULL while there are none */
	DerivedPiece *pieces;
	uint32		piece_count;
	uint32		piece_room;

	/* the tracker at hand */
	int32		device_id;
	const DeviceOptions *device;	/* by time */
	int			device_count;
	TimestampTz options_since;
	GeofenceDevice *fence_device;
	SensorDevice *sensor_device;	/* NULL = no rule is for it */
	int64		rules_known;	/* revision that its states are made with */
	DetectWorld world;
	DetectOptions options;		/* as last asked for ... */
	TimestampTz options_from;	/* ... which hold for these times */
	TimestampTz options_until;
	DetectTime	begun;			/* time of its state at the start */
} Derivation;

/*
 * Begins one; within SPI.  What it makes lives in the current context.  Without
 * sensor_rules_read() it knows nothing of sensors.
 */
extern Derivation *derivation_new(Oid schema);

/* Turns to a tracker; the arrays outlive that.  options_since: when the last of
 * them began to hold. */
extern void derivation_device(Derivation *derivation, int32 device_id,
							  const GeofenceMember *members,
							  const DeviceOptions *options, int count,
							  TimestampTz options_since);

/*
 * Makes the state of the tracker at hand out of what derivation_save() made, or,
 * of NULL, the one before its first record.  Returns NULL when the bytes are no
 * state.
 */
extern DetectState *derivation_load(Derivation *derivation, const bytea *saved);

/* Tells since when fences or options, as far as they are given, may be others than
 * when a state of the tracker at hand was saved; DT_NOEND = they are the same. */
extern TimestampTz derivation_changed_since(const Derivation *derivation, const bytea *saved);

/*
 * Tells since when the rules of sensors, or what is wired to the tracker at hand,
 * may be others than for its last state, of this time; DT_NOEND = they are the same
 * for all of it, and what is saved from now on says so.  Else it says what that state
 * does, until somebody sets rules_known: a worker derives the past.
 */
extern TimestampTz derivation_compare_rules(Derivation *derivation, const bytea *head, DetectTime time);

/* Gives the revision of the rules that a saved state knows, of which the first byte
 * after what it was made with will do; 0 when it is none of this version. */
extern int64 derivation_rules_known(const bytea *saved);

/* Tells whether a saved state may have to be made anew: newest_time is that of its
 * last record, the others since when the options are as they are. */
extern bool derivation_is_stale(const Geofences *fences, const bytea *saved, TimestampTz newest_time,
								TimestampTz fleet_since, TimestampTz options_since);
extern bytea *derivation_save(Derivation *derivation, const DetectState *state);

/* Gives when a tracker's ignition was first on, by a saved state; DT_NOEND = it was
 * not yet, DT_NOBEGIN = the bytes are no state. */
extern TimestampTz derivation_ignition_since(const bytea *saved);

/* Says of a saved state that it agrees with the fences of now. */
extern void derivation_stamp(Derivation *derivation, bytea *saved);

/* Tells whether two saved states go on alike. */
extern bool derivation_same(const bytea *a, const bytea *b);

/*
 * Wants the visits to fences that have ended for good to end, after the last record
 * of a tracker.  The state is of no more use then: what was saved before it still
 * has them, for a record of before that end may be on its way.
 */
extern void derivation_close_ended(Derivation *derivation, DetectState *state);

/* Takes in the next record, and cuts the track where that is due. */
extern void derivation_step(Derivation *derivation, DetectState *state, const DetectFix *fix);

/* Ends a piece of the track at the last record. */
extern void derivation_cut(Derivation *derivation, DetectState *state);

/* Finds the wanted row with the key of another, or returns NULL. */
extern DerivedRow *derivation_find(Derivation *derivation, const DetectRow *row);

/* Gives the next wanted row of a tracker. */
extern DerivedRow *derivation_next(HASH_SEQ_STATUS *scan, int32 device_id);

/* Writes the pieces, and the rows as they are marked; within SPI. */
extern void derivation_write(Derivation *derivation);

/*
 * derive_table.c: derives from the table what follows from a period of a tracker,
 * `from` .. `until`, whose row of device_state is locked; within SPI.  Returns up
 * to when all is derived: at least `until`.
 */
extern TimestampTz derive_period(Derivation *derivation, int32 device_id, TimestampTz from,
								 TimestampTz until);

/* Makes a text of bytes, cut where they are too many. */
extern DetectText derive_make_text(const void *bytes, Size size);

/* Sets code and alarm of a record. */
extern void derive_set_code(DetectFix *fix, const void *code, Size size);

/* The derivation that the pt621_derived_...() functions show. */
extern Derivation *current_derivation;

#endif							/* PT621_PG_DERIVE_H */
