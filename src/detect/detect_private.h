/*
 * detect_private.h
 *	  The state of a tracker, and what the detectors know of each other.
 *
 * Invariant: the state holds what later fixes can still make use of and nothing
 * else.  What has no meaning at the moment is zero, so that two folds that come
 * to the same situation have the same bytes, whatever came before it.
 */
#ifndef PT621_DETECT_PRIVATE_H
#define PT621_DETECT_PRIVATE_H

#ifdef POSTGRES_H
#error "the detectors must not depend on PostgreSQL"
#endif

#include "detect/detect.h"

#include <math.h>
#include <string.h>

/* Names of alarms remembered of one time: a tracker can send any number. */
#define DETECT_ALARMS_MAX	32

/* A moment and a place of the track. */
typedef struct DetectSpot
{
	DetectTime	time;
	bool		has_place;		/* else lon and lat are 0 */
	double		lon;
	double		lat;
} DetectSpot;

typedef enum DetectIgnitionState
{
	IGNITION_UNKNOWN,
	IGNITION_IS_OFF,
	IGNITION_IS_ON
} DetectIgnitionState;

typedef struct DetectIgnition
{
	DetectIgnitionState now;
	bool		on_seen;		/* there was an on at the time of the last fix */
	DetectTime	since;			/* first on of all; DETECT_NO_TIME = there was none */
	bool		pending;		/* the last change may be taken back */
	DetectSpot	change;			/* of a pending one */
} DetectIgnition;

typedef enum DetectSort
{
	SORT_NONE,
	SORT_STILL,
	SORT_MOVING
} DetectSort;

typedef struct DetectMotion
{
	DetectSort	now;			/* of the last place with a speed */
	DetectSort	confirmed;		/* last confirmed run */
	bool		running;		/* there is a run of another sort than that */
	DetectSpot	first;			/* of the run; of the first run of all only the time */
	DetectTime	last;			/* of the run */
} DetectMotion;

/* An episode over the limit. */
typedef struct DetectOver
{
	bool		active;
	bool		shown;			/* it is a row */
	bool		ending;			/* the last place with a speed was not over */
	DetectSpot	first;
	DetectTime	last;			/* last place with a speed */
	DetectTime	end;			/* of ending */
	DetectTime	confirmed_at;	/* of shown */
	int32_t		fence;
	double		limit_kmh;
	double		peak_kmh;
	DetectSpot	peak;
	double		excess_kmh;		/* sum */
	uint32_t	count;			/* places over */
	double		metres;
} DetectOver;

/* A power cut or low battery that may be repeated. */
typedef struct DetectRepeat
{
	bool		active;
	DetectSpot	first;
	DetectTime	until;			/* DETECT_NO_TIME before the second */
} DetectRepeat;

#define DETECT_REPEATS	2

/* What a sensor measures is beyond a limit, and was so in every record that knew
 * since it began. */
typedef struct DetectSensor
{
	int32_t		rule;
	bool		shown;			/* it is a row */
	DetectSpot	first;
	DetectTime	last;			/* last record that knew */
	DetectTime	confirmed_at;	/* of shown */
	DetectText	name;			/* these as at the first */
	DetectText	sensor;
	DetectText	unit;
	double		value;
	double		threshold;
	double		peak;
	DetectTime	peak_at;
} DetectSensor;

typedef enum DetectPhase
{
	PHASE_CANDIDATE = 1,		/* not confirmed yet */
	PHASE_IN,
	PHASE_LEAVING				/* the last place was not in it */
} DetectPhase;

/* A candidate or visit. */
typedef struct DetectVisit
{
	int32_t		fence;
	DetectPhase phase;
	bool		enter_unknown;
	bool		dwelt;			/* the event is out */
	DetectSpot	first;			/* place inside */
	DetectTime	enter_at;
	int64_t		enter_gap;		/* that enter_at was interpolated in, or 0 */
	DetectTime	last_in;		/* last place inside */
	double		metres;
	double		top_speed_kmh;
	DetectText	driver;
	uint32_t	fixes_in;		/* of a candidate */
	DetectTime	confirmed_at;	/* not of a candidate */

	/* of one that may be left */
	DetectSpot	end;			/* first place not inside */
	DetectTime	exit_at;
	int64_t		exit_gap;
	uint32_t	fixes_out;
} DetectVisit;

struct DetectState
{
	DetectPiece piece;
	DetectTime	time;			/* last fix */
	DetectSpot	place;			/* last place */
	DetectText	driver;			/* last one read */
	DetectIgnition ignition;
	DetectMotion motion;
	DetectOver	over;
	DetectRepeat repeats[DETECT_REPEATS];
	uint32_t	alarms_count;	/* names of alarms at the time of the last fix */
	DetectText	alarms[DETECT_ALARMS_MAX];
	uint32_t	visits_count;
	uint32_t	visits_room;
	DetectVisit *visits;		/* in order of fence */
	uint32_t	sensors_count;
	uint32_t	sensors_room;
	DetectSensor *sensors;		/* in order of rule */
};

/* One step: the fix, and what several detectors ask of it. */
typedef struct DetectStep
{
	DetectState *state;
	const DetectWorld *world;
	const DetectOptions *options;
	const DetectFix *fix;
	DetectSpot	spot;			/* where and when the fix is; has_place = it has a point */
	double		speed_kmh;		/* NAN = not said */

	/* of the leg to it, where it is a place and there is one before */
	bool		has_leg;
	int64_t		gap;
	double		leg_metres;		/* negative: not asked yet */

	/* the lowest limit of the fences it is in; NAN = none */
	double		limit_kmh;
	int32_t		limit_fence;
} DetectStep;

/* Microseconds from one time to another, whatever they are. */
static inline int64_t
detect_span(DetectTime from, DetectTime to)
{
	int64_t		span;

	if (__builtin_sub_overflow(to, from, &span))
		return to > from ? INT64_MAX : INT64_MIN;
	return span;
}

static inline bool
detect_text_equal(const DetectText *a, const DetectText *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* step.c */
extern double detect_leg_metres(DetectStep *step);
extern bool detect_leg_plausible(DetectStep *step);
extern bool detect_leg_driven(DetectStep *step);

/* row.c */
extern DetectRow detect_row(DetectKind kind, const DetectSpot *spot);

/* state.c */
extern DetectVisit *detect_visits_room(DetectState *state, const DetectWorld *world,
									   uint32_t count);
extern DetectSensor *detect_sensors_room(DetectState *state, const DetectWorld *world,
										 uint32_t count);

/* alarm.c */
extern void detect_alarms(DetectStep *step);
extern void detect_driver(DetectStep *step);
extern void detect_put_repeats(const DetectState *state, const DetectWorld *world);

/* ignition.c */
extern void detect_ignition(DetectStep *step);
extern void detect_put_ignition(const DetectState *state, const DetectWorld *world);

/* motion.c */
extern void detect_motion_wait(DetectStep *step);
extern void detect_motion_place(DetectStep *step);

/* overspeed.c */
extern void detect_over_wait(DetectStep *step);
extern void detect_over_place(DetectStep *step);
extern void detect_put_over(const DetectState *state, const DetectWorld *world);

/* sensor.c */
extern void detect_sensors(DetectStep *step);
extern void detect_put_sensors(const DetectState *state, const DetectWorld *world);

/* fence.c */
extern void detect_fences(DetectStep *step);

/* visit.c */
extern void detect_visit_open(DetectStep *step, const DetectFence *fence, bool unknown,
							  DetectVisit *visit);
extern void detect_visit_inside(DetectStep *step, const DetectFence *fence, DetectVisit *visit);
extern bool detect_visit_outside(DetectStep *step, const DetectFence *fence, DetectVisit *visit);
extern void detect_visit_break(const DetectVisit *visit, const DetectWorld *world);
extern void detect_visit_pass(DetectStep *step, const DetectFence *fence);
extern void detect_put_visits(const DetectState *state, const DetectWorld *world);

#endif							/* PT621_DETECT_PRIVATE_H */
