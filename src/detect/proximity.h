/*
 * proximity.h
 *	  When two trackers were near each other: their two tracks, merged.
 *
 * Invariant: a fold, as in detect.h, over the places of both in order of time.
 * What it gives follows from the places alone.  doc/detectors.md says what is
 * near, apart and unknown.
 *
 * Pure C: no PostgreSQL, no I/O, no globals.  Memory comes from the caller's
 * grow(), which need not return when there is none.
 */
#ifndef PT621_DETECT_PROXIMITY_H
#define PT621_DETECT_PROXIMITY_H

#include "detect/detect.h"

/* Where a tracker was at some time. */
typedef struct ProximityPlace
{
	DetectTime	time;
	double		lon;
	double		lat;
	int64_t		gap;			/* of this time: places further apart say nothing in between */
} ProximityPlace;

typedef enum ProximityIs
{
	PROXIMITY_UNKNOWN,
	PROXIMITY_APART,
	PROXIMITY_BETWEEN,			/* what they were before */
	PROXIMITY_NEAR
} ProximityIs;

/* How far apart they are at a time at which one of them has a place. */
typedef struct ProximitySample
{
	DetectTime	time;
	DetectTime	shown_at;		/* of the later place that it takes */
	ProximityIs is;
	double		metres;			/* NAN when unknown */
	double		lon;			/* where the first tracker is, unless unknown */
	double		lat;
} ProximitySample;

/* Two tracks being merged. */
typedef struct ProximityMerge
{
	double		near_m;
	double		far_m;
	void	   *arg;			/* of the calls */
	void	   *(*grow) (void *arg, void *old, size_t size);
	void		(*put) (void *arg, const ProximitySample *sample);

	/* the rest is the merger's own, at first all 0 */
	bool		has_last[2];
	ProximityPlace last[2];
	int			ahead;			/* whose places wait ... */
	ProximityPlace *waiting;	/* ... for the next one of the other */
	size_t		count;
	size_t		room;
} ProximityMerge;

/*
 * Takes in the next place of the first (0) or second (1) tracker.  They come in
 * order of time; a second one of a tracker at one time is none.  put() gets what
 * follows, in order of time.
 */
extern void proximity_take(ProximityMerge *merge, int who, const ProximityPlace *place);

/* There are no more: what waits is unknown, or not to be known yet. */
extern void proximity_finish(ProximityMerge *merge);

/* Being near each other for a while. */
typedef struct ProximityEpisode
{
	DetectTime	at;
	DetectTime	until;			/* DETECT_NO_TIME = not ended */
	DetectTime	confirmed_at;
	double		lon;			/* where the first tracker was at the start */
	double		lat;
	double		closest_m;		/* to the millimetre */
	DetectTime	closest_at;
} ProximityEpisode;

typedef struct ProximityFold
{
	bool		near;
	ProximityEpisode episode;	/* while they are */
	DetectTime	last_known;
} ProximityFold;

/* Begins an episode with a sample. */
extern void proximity_begin(ProximityFold *fold, const ProximitySample *sample);

/* Takes in the next sample; tells whether it ended fold->episode. */
extern bool proximity_fold(ProximityFold *fold, const ProximitySample *sample);

#endif							/* PT621_DETECT_PROXIMITY_H */
