/*
 * report_naive.h
 *		doc/reports.md, as plainly as it can be written: whole arrays, every pair
 *		compared, nothing kept between the rules.  For comparison.
 *
 * Invariant: shares nothing with src/report but its types.
 */
#ifndef PT621_REPORT_NAIVE_H
#define PT621_REPORT_NAIVE_H

#include "report_world.h"
#include "geo/geo.h"

#define NAIVE_MAX	3000

typedef struct Naive
{
	const ReportOptions *options;

	/* one for each time */
	ReportFix	records[NAIVE_MAX];
	int			records_count;

	/* without teleports; in the end of a second the first and the last one */
	ReportFix	places[NAIVE_MAX];
	int			places_count;

	/* leg i leads from place i to place i + 1; of the places after the first one, which a
	 * leg of a whole second may have more of, count and top speed */
	int			leg_places[NAIVE_MAX];
	double		top[NAIVE_MAX];
	double		displacement[NAIVE_MAX];
	double		metres[NAIVE_MAX];
	double		odometer[NAIVE_MAX];
	bool		silent[NAIVE_MAX];
	bool		rest[NAIVE_MAX];
	char		sort[NAIVE_MAX];	/* S stop, U unobserved, ' ' left over; then T trip, N nothing */

	/* engine on, idle: from and until, in pairs */
	ReportInterval spells[2 * NAIVE_MAX];
	int			spells_count;
} Naive;

static bool
naive_place(const ReportFix *fix)
{
	return fabs(fix->lon) <= 180 && fabs(fix->lat) <= 90;
}

static bool
naive_moves(const Naive *naive, const ReportFix *place)
{
	return place->speed_kmh >= naive->options->moving_kmh;
}

static double
naive_distance(const ReportFix *a, const ReportFix *b)
{
	return geo_metres(a->lon, a->lat, b->lon, b->lat);
}

static bool
naive_too_fast(const Naive *naive, const ReportFix *a, const ReportFix *b)
{
	return naive_distance(a, b) / 1000 > naive->options->plausible_kmh * ((double) (b->time - a->time) / 3.6e9);
}

/* Tells whether one place is left and the next one reached by standing, mostly. */
static bool
naive_slow(const Naive *naive, int leg)
{
	const ReportFix *from = &naive->places[leg];
	const ReportFix *to = &naive->places[leg + 1];

	int64_t		span = to->time - from->time;

	return span >= naive->options->rest_after &&
		naive_distance(from, to) * 3.6e6 < naive->options->moving_kmh * (double) span;
}

/* 1. The records of one time are one. */
static void
naive_records(Naive *naive, const ReportFix *fixes, size_t count)
{
	naive->records_count = 0;
	CHECK(count <= NAIVE_MAX);
	for (size_t i = 0; i < count; i++)
	{
		ReportFix	fix = fixes[i];
		ReportFix  *same = naive->records + naive->records_count;

		if (fix.time < naive->options->wired_since)
			fix.ignition = -1;
		if (naive->records_count == 0 || same[-1].time != fix.time)
		{
			naive->records[naive->records_count++] = fix;
			continue;
		}
		same--;
		if (!naive_place(same) && naive_place(&fix))
		{
			same->lon = fix.lon;
			same->lat = fix.lat;
			same->speed_kmh = fix.speed_kmh;
			same->course = fix.course;
		}
		if (fix.odometer_m >= 0)
			same->odometer_m = fix.odometer_m;
		if (fix.driver > 0)
			same->driver = fix.driver;
		if (fix.ignition > same->ignition)
			same->ignition = fix.ignition;
	}
}

/* 1. A run of alike records that know is none when another one ends it too soon; the
 * first one since a silence always is. */
static void
naive_ignition(Naive *naive)
{
	int			state = -1;
	ReportTime	known = 0;

	for (int i = 0; i < naive->records_count;)
	{
		int			bit = naive->records[i].ignition;
		int			end = i;
		int			next;

		if (bit < 0)
		{
			i++;
			continue;
		}
		if (state >= 0 && naive->records[i].time - known > naive->options->max_gap)
			state = -1;
		for (next = i; next < naive->records_count; next++)
		{
			if (naive->records[next].ignition < 0)
				continue;
			if (naive->records[next].ignition != bit ||
				naive->records[next].time - naive->records[end].time > naive->options->max_gap)
				break;
			end = next;
		}
		known = naive->records[end].time;
		if (state < 0 || next == naive->records_count || naive->records[next].ignition == bit ||
			naive->records[next].time - known > naive->options->max_gap ||
			naive->records[next].time - naive->records[i].time >= naive->options->ignition_debounce)
			state = bit;
		for (; i <= end; i++)
			if (naive->records[i].ignition >= 0)
				naive->records[i].ignition = (int8_t) state;
	}
}

/* 1. Places, without teleports. */
static void
naive_places(Naive *naive)
{
	static ReportFix all[NAIVE_MAX];
	int			count = 0;
	int64_t		lent = -1;

	for (int i = 0; i < naive->records_count; i++)
	{
		ReportFix	fix = naive->records[i];

		if (fix.odometer_m >= 0)
			lent = fix.odometer_m;
		if (!naive_place(&fix))
			continue;
		fix.odometer_m = lent;
		lent = -1;
		all[count++] = fix;
	}
	naive->places_count = 0;
	for (int i = 0; i < count; i++)
	{
		if (naive->places_count > 0 && i + 1 < count)
		{
			const ReportFix *before = &naive->places[naive->places_count - 1];

			if (naive_too_fast(naive, before, &all[i]) && naive_too_fast(naive, &all[i], &all[i + 1]) &&
				!naive_too_fast(naive, before, &all[i + 1]))
				continue;
		}
		naive->places[naive->places_count++] = all[i];
	}
}

/* 1. Legs. */
static void
naive_legs(Naive *naive)
{
	const ReportOptions *options = naive->options;

	for (int i = 0; i + 1 < naive->places_count; i++)
	{
		const ReportFix *from = &naive->places[i];
		const ReportFix *to = from + 1;

		naive->displacement[i] = naive_distance(from, to);
		naive->silent[i] = to->time - from->time > options->max_gap;
		naive->metres[i] = naive->displacement[i];
		if (naive->silent[i] || naive_too_fast(naive, from, to) ||
			(naive->displacement[i] <= options->jitter_m &&
			 from->speed_kmh < options->moving_kmh && to->speed_kmh < options->moving_kmh))
			naive->metres[i] = 0;
	}
}

/* 3. What the odometer says of each leg. */
static void
naive_odometer(Naive *naive)
{
	const ReportOptions *options = naive->options;

	for (int i = 0; i + 1 < naive->places_count; i++)
	{
		const ReportFix *to = &naive->places[i + 1];
		int			from = i;
		double		metres = 0;
		bool		silent = false;
		double		gain;

		naive->odometer[i] = NAN;
		while (from > 0 && naive->places[from].odometer_m < 0)
			from--;
		if (to->odometer_m < 0 || naive->places[from].odometer_m < 0 ||
			(from < i && to->time - naive->places[from].time > options->max_gap))
			continue;
		for (int j = from; j <= i; j++)
		{
			metres += naive->silent[j] && naive->displacement[j] >= options->stop_radius_m ?
				naive->displacement[j] : naive->metres[j];
			silent |= naive->silent[j];
		}
		gain = (double) (to->odometer_m - naive->places[from].odometer_m);
		naive->odometer[i] = gain < 0 || (!silent && gain > 1000 && gain > 3 * metres) ? metres : gain;
	}
}

/* Tells whether a place is neither the first nor the last of its second. */
static bool
naive_within(const Naive *naive, int place)
{
	const ReportFix *at = &naive->places[place];

	if (place == 0 || place == naive->places_count - 1 || naive->silent[place - 1] || naive->silent[place])
		return false;
	return floor((double) at[-1].time / 1e6) == floor((double) at[0].time / 1e6) &&
		floor((double) at[1].time / 1e6) == floor((double) at[0].time / 1e6);
}

/* 1. The legs of one second are one. */
static void
naive_seconds(Naive *naive)
{
	static Naive all;
	int			count = 0;

	all = *naive;
	for (int i = 0; i + 1 < all.places_count; i++)
	{
		if (!naive_within(&all, i))
		{
			naive->places[count] = all.places[i];
			naive->silent[count] = all.silent[i];
			naive->metres[count] = 0;
			naive->odometer[count] = NAN;
			naive->leg_places[count] = 0;
			naive->top[count] = NAN;
			count++;
		}
		naive->places[count] = all.places[i + 1];
		naive->displacement[count - 1] = naive_distance(&naive->places[count - 1], &naive->places[count]);
		naive->metres[count - 1] += all.metres[i];
		if (!isnan(all.odometer[i]))
			naive->odometer[count - 1] = all.odometer[i] +
				(isnan(naive->odometer[count - 1]) ? 0 : naive->odometer[count - 1]);
		naive->leg_places[count - 1]++;
		naive->top[count - 1] = fmax(naive->top[count - 1], all.places[i + 1].speed_kmh);
	}
	if (count > 0)
		naive->places_count = count + 1;
}

/* 2. Rest: every window there is. */
static void
naive_rest(Naive *naive)
{
	const ReportOptions *options = naive->options;

	for (int i = 0; i + 1 < naive->places_count; i++)
		naive->rest[i] = naive->silent[i] && naive->displacement[i] < options->stop_radius_m;
	for (int first = 0; first < naive->places_count; first++)
	{
		bool		near = true;
		bool		off = options->use_ignition;

		for (int last = first; last < naive->places_count && (near || off); last++)
		{
			const ReportFix *place = &naive->places[last];

			if (last > first &&
				(naive->silent[last - 1] || naive->displacement[last - 1] > options->stop_radius_m))
				break;
			for (int i = first; i < last && near; i++)
				near = naive_distance(&naive->places[i], place) <= options->stop_radius_m;
			off = off && place->ignition == 0 && !naive_moves(naive, place);
			if ((near || off) && place->time - naive->places[first].time >= options->rest_after)
				for (int i = first; i < last; i++)
					naive->rest[i] = true;
		}
	}
}

/* 3. Stops are longest rows of legs at rest, less what rolls in and out. */
static void
naive_stops(Naive *naive)
{
	int			legs = naive->places_count - 1;
	int			end;

	for (int i = 0; i < legs; i++)
		naive->sort[i] = naive->silent[i] && !naive->rest[i] ? 'U' : ' ';
	for (int i = 0; i < legs; i = end + 1)
	{
		int			first = i;
		int			last;
		bool		silent = false;

		end = i;
		if (!naive->rest[i])
			continue;
		while (end < legs && naive->rest[end])
			end++;
		last = end;
		while (first < last && naive_moves(naive, &naive->places[first]) && !naive->silent[first] &&
			   !naive_slow(naive, first))
			first++;
		while (last > first && naive_moves(naive, &naive->places[last]) && !naive->silent[last - 1] &&
			   !naive_slow(naive, last - 1))
			last--;
		for (int j = first; j < last; j++)
			silent |= naive->silent[j];
		if (last > first && (silent || naive->places[last].time - naive->places[first].time >=
							 naive->options->min_stop))
			memset(naive->sort + first, 'S', (size_t) (last - first));
	}
}

/* 3. What is left. */
static void
naive_trips(Naive *naive)
{
	int			legs = naive->places_count - 1;
	int			end;

	for (int i = 0; i < legs; i = end)
	{
		double		metres = 0;
		char		sort = 'N';

		for (end = i; end < legs && naive->sort[end] == ' '; end++)
			metres += naive->metres[end];
		if (end == i)
		{
			end++;
			continue;
		}
		if (metres >= naive->options->stop_radius_m)
			sort = 'T';
		else if ((i > 0 && naive->sort[i - 1] == 'S') || (end < legs && naive->sort[end] == 'S'))
			sort = 'S';
		memset(naive->sort + i, sort, (size_t) (end - i));
	}
}

static void
naive_spell(Naive *naive, ReportSpan what, ReportTime from, ReportTime until, bool ongoing,
			bool silent)
{
	CHECK(naive->spells_count < 2 * NAIVE_MAX);
	naive->spells[naive->spells_count++] = (ReportInterval) {
		.what = what, .from = from, .until = until, .ongoing = ongoing, .silent = silent
	};
}

/* 4. Idling in a spell with the engine on. */
static void
naive_idle(Naive *naive, const ReportInterval *on)
{
	int			count = naive->records_count;

	for (int i = 0; i < count; i++)
	{
		const ReportFix *from = &naive->records[i];
		ReportTime	until = on->until;
		bool		moved = false;
		int			end = i;

		if (from->time < on->from || from->time > on->until ||
			(from->time == on->until && !on->ongoing && !on->silent) || from->ignition != 1 ||
			!naive_place(from) || naive_moves(naive, from))
			continue;
		while (end < count && naive->records[end].time <= on->until && !moved)
		{
			moved = naive_place(&naive->records[end]) && naive_moves(naive, &naive->records[end]);
			end++;
		}
		if (moved)
			until = naive->records[end - 1].time;
		if (until - from->time >= naive->options->idle_after)
			naive_spell(naive, REPORT_IDLE, from->time, until, on->ongoing && !moved,
						on->silent && !moved);
		if (!moved)
			return;
		i = end - 1;
	}
}

/* 4. Engine. */
static void
naive_engine(Naive *naive)
{
	int			count = naive->records_count;
	ReportTime	end = count > 0 ? naive->records[count - 1].time : 0;

	naive->spells_count = 0;
	for (int i = 0; i < count; i++)
	{
		int			last = i;
		int			next;
		ReportInterval on = {.what = REPORT_ENGINE, .from = naive->records[i].time};

		if (naive->records[i].ignition != 1)
			continue;
		for (next = i; next < count; next++)
		{
			if (naive->records[next].ignition < 0)
				continue;
			if (naive->records[next].time - naive->records[last].time > naive->options->max_gap ||
				naive->records[next].ignition == 0)
				break;
			last = next;
		}
		on.until = naive->records[last].time;
		if (next < count && naive->records[next].time - on.until <= naive->options->max_gap)
			on.until = naive->records[next].time;
		else if (end - on.until <= naive->options->max_gap && next == count)
		{
			on.until = end;
			on.ongoing = true;
		}
		else
			on.silent = true;
		naive_idle(naive, &on);
		naive_spell(naive, on.what, on.from, on.until, on.ongoing, on.silent);
		i = next - 1;
	}
}

/* Applies all rules to the fixes of a track. */
static void
naive_apply(Naive *naive, const ReportOptions *options, const ReportFix *fixes, size_t count)
{
	naive->options = options;
	naive_records(naive, fixes, count);
	naive_ignition(naive);
	naive_places(naive);
	naive_legs(naive);
	naive_odometer(naive);
	naive_seconds(naive);
	naive_rest(naive);
	naive_stops(naive);
	naive_trips(naive);
	naive_engine(naive);
}

#endif							/* PT621_REPORT_NAIVE_H */
