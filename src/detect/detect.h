/*
 * detect.h
 *	  What follows from the fixes of one tracker: visits to fences and events.
 *
 * Invariant: a fold.  The state after a fix is a function of the state before
 * it, of that fix, and of what fences and options say of its time: of nothing
 * else, no clock, no order of arrival.  So the rows of a tracker are the same
 * whatever came first, and whoever has the state at some fix can go on from
 * there.  doc/detectors.md says what each detector does.
 *
 * Pure C: no PostgreSQL, no I/O, no globals.  Memory comes from the caller's
 * grow(), which need not return when there is none: nothing is held that would
 * be lost by a jump.
 */
#ifndef PT621_DETECT_H
#define PT621_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "geo/geo.h"

/* Microseconds since 2000-01-01 00:00 UTC, PostgreSQL's own. */
typedef int64_t DetectTime;

#define DETECT_SECOND		INT64_C(1000000)
#define DETECT_NO_TIME		INT64_MIN
#define DETECT_ENDLESS		INT64_MAX

#define DETECT_TEXT_MAX		63	/* of codes, names and drivers; what is longer is cut */

struct DetectRow;

/* A text with its length, no NUL at the end; size 0 = none. */
typedef struct DetectText
{
	uint8_t		size;
	char		bytes[DETECT_TEXT_MAX];
} DetectText;

/* One row of pt621.position, as far as the detectors look. */
typedef struct DetectFix
{
	DetectTime	time;
	bool		has_place;		/* a valid fix: a neighbour in space */
	double		lon;
	double		lat;
	double		speed_kmh;		/* NAN = not said */
	int			ignition;		/* 1, 0; -1 = not said */
	DetectText	driver;
	DetectText	code;			/* as sent */
	DetectText	alarm;			/* what the code means; none for POS and its like */
	const void *sensors;		/* what they measured: for rules() alone; may be NULL */
} DetectFix;

/* What holds for a tracker at some time; times in microseconds. */
typedef struct DetectOptions
{
	double		speed_limit_kmh;	/* the tracker's, else the fleet's; NAN = none */
	double		overspeed_tolerance_kmh;
	int64_t		overspeed_min;	/* an episode is as long as this */
	int64_t		overspeed_merge;	/* a pause this short does not end it */
	int64_t		overspeed_gap;	/* a silence longer than this does */
	int64_t		ignition_debounce;
	double		moving_from_kmh;
	double		still_below_kmh;
	int64_t		motion_start_after;
	int64_t		motion_stop_after;
	int64_t		motion_gap;		/* a longer silence confirms nothing */
	int64_t		pass_gap;		/* a segment that took longer passes through nothing */
	double		plausible_kmh;	/* a faster leg is none */
	int64_t		repeat_after;	/* of power cut, low battery: a later alarm is another one */
} DetectOptions;

/* One version of a fence: owned by whoever answers the calls below. */
typedef struct DetectFence
{
	int32_t		id;				/* geofence.id */
	DetectTime	valid_from;		/* first moment */
	DetectTime	valid_until;	/* first moment after, or DETECT_ENDLESS */
	GeoShape   *shape;
	int64_t		min_dwell_in;
	int64_t		min_dwell_out;
	int			min_fixes_in;
	int			min_fixes_out;
	double		exit_buffer_m;
	int64_t		dwell_after;	/* 0 = no event */
	bool		interpolate;
	double		speed_limit_kmh;	/* NAN = none */
} DetectFence;

/* A rule of pt621.sensor_alarm, and what its sensor says in one record. */
typedef struct DetectRule
{
	int32_t		id;				/* sensor_alarm.id */
	DetectText	name;
	DetectText	sensor;
	DetectText	unit;			/* of the value */
	double		above;			/* an alarm when the value is more; NAN = no such limit */
	double		below;			/* ... or less */
	int64_t		lasting;		/* for so long */
	int64_t		max_gap;		/* a longer silence of the sensor ends it */
	int			moving;			/* 1: only while it moves, 0: only while not; -1 = always */
	double		value;			/* by the record; NAN = not said */
} DetectRule;

/*
 * What the fold asks, for the tracker that it is made for.  None of the calls
 * may change the state.  All are required.
 */
typedef struct DetectWorld
{
	void	   *arg;
	const DetectOptions *(*options) (void *arg, DetectTime time);

	/*
	 * Gives the fences that apply to the tracker, are active (valid, within
	 * their hours) at `time`, and whose extent meets the box, in order of id;
	 * *found gets them, and is good until the next call.
	 */
	size_t		(*near) (void *arg, DetectTime time, const GeoBox *box,
						 const DetectFence *const **found);

	/* Gives the fence with this id if it applies and is active at `time`, or
	 * NULL. */
	const DetectFence *(*active) (void *arg, DetectTime time, int32_t id);

	/*
	 * Gives since when it has been active without a pause at `time`, where
	 * active() gave a fence: through changes of its shape, but not across
	 * times out of its hours.  Any time will do that is not after `enough`, if
	 * it was active then already.
	 */
	DetectTime	(*active_since) (void *arg, DetectTime time, int32_t id, DetectTime enough);

	/*
	 * Gives the rules of sensors that apply to the tracker at the time of a fix,
	 * in order of id, with the values that the fix has; *found gets them, and is
	 * good until the next call.
	 */
	size_t		(*rules) (void *arg, const DetectFix *fix, const DetectRule **found);

	/* Allocates, or makes larger, as realloc() does. */
	void	   *(*grow) (void *arg, void *old, size_t size);

	/* Gets a row: new, or another version of one with the same key. */
	void		(*put) (void *arg, const struct DetectRow *row);

	/* Takes a row back. */
	void		(*take) (void *arg, const struct DetectRow *row);
} DetectWorld;

typedef enum DetectKind
{
	DETECT_VISIT,				/* a row of pt621.geofence_visit; the rest are events */
	DETECT_ALARM,
	DETECT_OVERSPEED,
	DETECT_IGNITION_ON,
	DETECT_IGNITION_OFF,
	DETECT_MOTION_START,
	DETECT_MOTION_STOP,
	DETECT_DRIVER_CHANGE,
	DETECT_POWER_CUT,
	DETECT_LOW_BATTERY,
	DETECT_SENSOR_ALARM,
	DETECT_GEOFENCE_ENTER,
	DETECT_GEOFENCE_EXIT,
	DETECT_GEOFENCE_DWELL,
	DETECT_GEOFENCE_PASS,
	DETECT_PROXIMITY,			/* of two trackers: see proximity.h */
	DETECT_KINDS
} DetectKind;

/* The name of an event's kind, as in pt621.event.kind. */
extern const char *detect_kind_name(DetectKind kind);

/*
 * A row.  Its key is kind, fence, object and at (of a visit: fence and at).
 * What a kind does not have is 0, NAN, none or DETECT_NO_TIME.
 */
typedef struct DetectRow
{
	DetectKind	kind;
	int32_t		fence;			/* 0 = none */
	DetectText	object;			/* alarm: its name; driver_change: the new driver;
								 * sensor_alarm: name of the rule */
	DetectTime	at;				/* visit: when it was entered */
	DetectTime	until;			/* visit: when it was left; DETECT_NO_TIME = not yet */
	DetectTime	confirmed_at;	/* time of the fix that showed it first */
	DetectText	code;			/* as sent, of alarms */
	bool		has_place;
	double		lon;			/* where it began */
	double		lat;

	/* of visits, and of the events that come of them */
	bool		enter_unknown;
	bool		exit_unknown;
	bool		interpolated;	/* at or until is between two fixes */
	bool		passed;			/* no fix lies inside */
	double		uncertainty_s;	/* half the gap that at or until was interpolated in */
	double		metres;			/* inside; overspeed: over the limit */
	double		top_speed_kmh;	/* inside; overspeed: the peak */
	DetectText	driver;			/* when it was entered; driver_change: the former one */

	/* of overspeed */
	double		limit_kmh;
	double		mean_excess_kmh;	/* over the limit, mean of the fixes over it */
	DetectTime	peak_at;
	double		peak_lon;
	double		peak_lat;

	/* of sensor_alarm; peak_at: of the peak */
	DetectText	sensor;
	DetectText	unit;
	double		value;			/* at the beginning */
	double		threshold;		/* the one that it was beyond then */
	double		peak;			/* farthest beyond */

	/* of proximity; metres and peak_at: how near they came, and when */
	double		near_m;
} DetectRow;

/* The state of a tracker: opaque but for what is said here. */
typedef struct DetectState DetectState;

/* Makes the state of a tracker before its first fix, from grow(). */
extern DetectState *detect_new(const DetectWorld *world);

/*
 * Takes in the next fix.  They come in order of (time, code, digest); one that
 * is earlier than the last is a fault of the caller's.
 */
extern void detect_step(DetectState *state, const DetectFix *fix,
						const DetectWorld *world);

/*
 * Closes the visits to fences that ended for good: ended() tells of an id
 * whether no version of it is valid from `now` on.  For the last state of a
 * tracker only.  Returns whether there was one.
 */
extern bool detect_close_ended(DetectState *state, const DetectWorld *world,
							   bool (*ended) (void *arg, int32_t id));

/* Time of the last fix taken in, or DETECT_NO_TIME. */
extern DetectTime detect_time(const DetectState *state);

/* Time of the first fix with ignition on, or DETECT_NO_TIME: before it a bit that
 * says off may be a wire that is not there. */
extern DetectTime detect_ignition_since(const DetectState *state);

/* Tells whether there are visits that a later fix would end: candidates included. */
extern bool detect_has_visits(const DetectState *state);

/* Puts the rows that are open: those that later fixes may complete or take back. */
extern void detect_put_open(const DetectState *state, const DetectWorld *world);

/*
 * The track since the last piece that was cut off: for looking up which tracks
 * come near a place.  It begins with the last place before it.
 */
typedef struct DetectPiece
{
	DetectTime	since;			/* last fix of the piece before, or DETECT_NO_TIME */
	uint32_t	fixes;			/* rows, with a place or without */
	bool		has_extent;
	GeoBox		extent;			/* of all segments, that to its first fix included */
	double		top_speed_kmh;	/* NAN = none said */
} DetectPiece;
extern const DetectPiece *detect_piece(const DetectState *state);

/* Begins a new piece after the last fix. */
extern void detect_cut_piece(DetectState *state);

/*
 * Writes the state, and reads it back.  The bytes are the same on every machine,
 * and the same for the same state.  detect_save() returns how many bytes it
 * takes, and writes them when there is room.  detect_load() returns NULL for
 * bytes that no detect_save() of this version wrote; it believes none of them.
 */
extern size_t detect_save(const DetectState *state, uint8_t *bytes, size_t room);
extern DetectState *detect_load(const uint8_t *bytes, size_t size, const DetectWorld *world);

/* Tells by its first byte whether a saved state may be of this version. */
extern bool detect_may_load(const uint8_t *bytes, size_t size);

/*
 * Tells whether two saved states go on alike, whatever their pieces.  Not while a
 * row is out that a later fix may take back: whoever goes no further would not
 * hear of it.
 */
extern bool detect_same(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

#endif							/* PT621_DETECT_H */
