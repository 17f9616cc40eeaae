/*
 * proximity.c
 *		When two trackers were near each other.
 *
 * Invariant: what waits are places of one tracker only, later than the last
 * place of the other, and in order.
 */
#include "detect/detect_private.h"
#include "detect/proximity.h"

/* Gives the place of a tracker at some time between two places of it. */
static ProximityPlace
place_between(const ProximityPlace *from, const ProximityPlace *to, DetectTime time)
{
	double		part = (double) (time - from->time) / (double) (to->time - from->time);
	double		turn = to->lon - from->lon;
	ProximityPlace place = {.time = time};

	if (turn > 180)
		turn -= 360;
	else if (turn < -180)
		turn += 360;
	place.lon = from->lon + turn * part;
	if (place.lon > 180)
		place.lon -= 360;
	else if (place.lon < -180)
		place.lon += 360;
	place.lat = from->lat + (to->lat - from->lat) * part;
	return place;
}

/* Gives a sample: `own` is of the tracker that is ahead, `other` of the other one
 * at the same time, NULL = unknown. */
static void
put_sample(ProximityMerge *merge, const ProximityPlace *own, const ProximityPlace *other,
		   DetectTime shown_at)
{
	ProximitySample sample = {.time = own->time, .shown_at = shown_at,
		.is = PROXIMITY_UNKNOWN, .metres = NAN, .lon = NAN, .lat = NAN};

	if (other)
	{
		const ProximityPlace *first = merge->ahead == 0 ? own : other;
		const ProximityPlace *second = merge->ahead == 0 ? other : own;

		sample.lon = first->lon;
		sample.lat = first->lat;
		sample.metres = geo_metres(first->lon, first->lat, second->lon, second->lat);
		sample.is = sample.metres < merge->near_m ? PROXIMITY_NEAR :
			sample.metres > merge->far_m ? PROXIMITY_APART : PROXIMITY_BETWEEN;
	}
	merge->put(merge->arg, &sample);
}

/* Settles all that waits with the next place of the other tracker. */
static void
settle(ProximityMerge *merge, const ProximityPlace *next)
{
	int			other = !merge->ahead;
	const ProximityPlace *last = &merge->last[other];

	for (size_t i = 0; i < merge->count; i++)
	{
		const ProximityPlace *own = &merge->waiting[i];

		if (own->time == next->time)
			put_sample(merge, own, next, own->time);
		else if (merge->has_last[other] && detect_span(last->time, next->time) <= own->gap)
		{
			ProximityPlace there = place_between(last, next, own->time);

			put_sample(merge, own, &there, next->time);
		}
		else
			put_sample(merge, own, NULL, own->time);
	}
	merge->count = 0;
}

/* Tells whether no place of the other tracker at `time` or later can say where
 * it was at that of a place. */
static bool
is_hopeless(const ProximityMerge *merge, const ProximityPlace *place, DetectTime time)
{
	int			other = !merge->ahead;

	return !merge->has_last[other] ||
		detect_span(merge->last[other].time, time) > place->gap;
}

/* Settles those in front of which it is clear that they remain unknown: so what
 * waits is never longer than a gap. */
static void
drop_hopeless(ProximityMerge *merge, DetectTime time)
{
	size_t		done = 0;

	while (done < merge->count && is_hopeless(merge, &merge->waiting[done], time))
	{
		put_sample(merge, &merge->waiting[done], NULL, merge->waiting[done].time);
		done++;
	}
	if (done > 0)
		memmove(merge->waiting, merge->waiting + done,
				(merge->count - done) * sizeof(merge->waiting[0]));
	merge->count -= done;
}

static void
wait_for_other(ProximityMerge *merge, int who, const ProximityPlace *place)
{
	if (merge->count == merge->room)
	{
		size_t		room = merge->room > 0 ? merge->room * 2 : 64;

		merge->waiting = merge->grow(merge->arg, merge->waiting, room * sizeof(merge->waiting[0]));
		merge->room = room;
	}
	merge->ahead = who;
	merge->waiting[merge->count++] = *place;
}

void
proximity_take(ProximityMerge *merge, int who, const ProximityPlace *place)
{
	bool		met = false;

	if (merge->has_last[who] && place->time <= merge->last[who].time)
		return;
	if (merge->count > 0 && merge->ahead != who)
	{
		met = merge->waiting[merge->count - 1].time == place->time;
		settle(merge, place);
	}
	else if (merge->count > 0)
		drop_hopeless(merge, place->time);
	merge->has_last[who] = true;
	merge->last[who] = *place;
	if (!met)
		wait_for_other(merge, who, place);
}

void
proximity_finish(ProximityMerge *merge)
{
	if (merge->count > 0)
		drop_hopeless(merge, merge->waiting[merge->count - 1].time);
	merge->count = 0;
}

/* Takes in how near they come. */
static void
note_known(ProximityFold *fold, const ProximitySample *sample)
{
	/* Interpolation leaves noise in what is the same. */
	double		metres = rint(sample->metres * 1000) / 1000;

	fold->last_known = sample->time;
	if (metres < fold->episode.closest_m)
	{
		fold->episode.closest_m = metres;
		fold->episode.closest_at = sample->time;
	}
}

void
proximity_begin(ProximityFold *fold, const ProximitySample *sample)
{
	fold->near = true;
	fold->episode = (ProximityEpisode)
	{
		.at = sample->time, .until = DETECT_NO_TIME, .confirmed_at = sample->shown_at,
		.lon = sample->lon, .lat = sample->lat, .closest_m = INFINITY
	};
	note_known(fold, sample);
}

bool
proximity_fold(ProximityFold *fold, const ProximitySample *sample)
{
	if (!fold->near)
	{
		if (sample->is == PROXIMITY_NEAR)
			proximity_begin(fold, sample);
		return false;
	}
	if (sample->is >= PROXIMITY_BETWEEN)
	{
		note_known(fold, sample);
		return false;
	}
	fold->near = false;
	fold->episode.until = sample->is == PROXIMITY_APART ? sample->time : fold->last_known;
	return true;
}
