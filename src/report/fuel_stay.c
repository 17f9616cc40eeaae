/*
 * fuel_stay.c
 *	  Refuels and drains: what a stay does to the level.
 *
 * Invariant: all levels compared are those after adding what is expected to have
 * been burnt, so that they stay where they are but for refuels and drains.
 */
#include "report/fuel_private.h"

#include <math.h>
#include <stdlib.h>

/* So many times the error is no chance. */
#define SURE		3.5

/* A level so near, in parts of what a change needs, is the same. */
#define SAME		0.25

/* What a stay changes in CALM, in parts of the least change, is nothing. */
#define CALM_PART	5

/* Gives how far the level must have moved since `from` for it to be a change:
 * half of what was burnt meanwhile may not have been, or as much more. */
static double
needed(const FuelPoint *from, const FuelPoint *to, double error, double other)
{
	return fmax((double) to->least, SURE * hypot(error, other)) +
		(double) (to->burnt - from->burnt) / 2;
}

/* What somebody has burnt while nobody looked is no drain. */
static bool
is_change(int64_t by, double need, const FuelPoint *from, const FuelPoint *to)
{
	return (double) llabs(by) >= need && (by > 0 || from->blind == to->blind);
}

static void
tell_held(Fuel *fuel)
{
	if (fuel->has_held && fuel->sink.event)
		fuel->sink.event(fuel->sink.arg, &fuel->held);
	fuel->has_held = false;
}

/* Takes in a change: joins it with the one before, or cancels both, or tells that. */
static void
offer(Fuel *fuel, const FuelEvent *event, int64_t from_level, int64_t level, int64_t least, bool constant)
{
	FuelEvent  *held = &fuel->held;

	if (fuel->has_held)
	{
		int64_t		apart = fuel_span(held->until, event->from);

		if (held->refuel == event->refuel && apart < MERGE)
		{
			held->until = event->until;
			held->litres += event->litres;
			held->after = event->after;
			held->confidence = fmax(held->confidence, event->confidence);
			fuel->held_constant = constant;
			return;
		}
		/* A level that comes back never went: the sensor had lost its echo. */
		if (held->refuel != event->refuel && fuel->held_constant && apart < ECHO &&
			llabs(level - fuel->held_level) < least / 2)
		{
			fuel->has_held = false;
			return;
		}
		tell_held(fuel);
	}
	fuel->held = *event;
	fuel->held_level = from_level;
	fuel->held_constant = constant;
	fuel->has_held = true;
}

/* The level has changed, from that of the stay to another; it came there at `to`. */
static void
change(Fuel *fuel, const FuelPoint *to, int64_t level, double need, bool constant)
{
	FuelStay   *at = &fuel->at;
	int64_t		by = level - at->level;
	FuelEvent	event = {
		.refuel = by > 0,
		.from = at->near.time,
		.until = to->time,
		.litres = llabs(by),
		.before = at->level - at->near.burnt,
		.after = level - to->burnt,
		.confidence = fmax(1 - need / (2 * (double) llabs(by)), 0),
	};

	if (at->near.blind != to->blind)
		event.confidence /= 2;
	offer(fuel, &event, at->level, level, to->least, constant);
	at->level = level;
	at->changing = false;
}

/* The level has changed in the stay, and held. */
static void
change_calm(Fuel *fuel)
{
	FuelStay   *at = &fuel->at;
	const FuelPoint *to = at->calm.time > at->near.time ? &at->calm : &at->last;

	change(fuel, to, at->last.smooth, needed(&at->near, to, at->error, 0), at->calm_constant);
}

static void
enter(Fuel *fuel, size_t i)
{
	const FuelPoint *point = &fuel->points[i];
	FuelSide	side = fuel_side_before(fuel, i, point->begins);
	FuelStay   *at = &fuel->at;

	tell_held(fuel);
	*at = (FuelStay) {.level = point->smooth,.burnt = point->burnt,.near = *point,.calm = *point,.last = *point,
	.calm_constant = true};
	if (side.count > 0)
	{
		at->level = side.level;
		at->error = side.error;
		if (!point->begins)
			at->near = fuel->points[i - 1];
	}
	fuel->seen = point->stays;
	fuel->phase = FUEL_STAYING;
}

/* Follows how long the level has held. */
static void
follow_calm(FuelStay *at, const FuelPoint *point)
{
	if (llabs(point->smooth - at->calm.smooth) > point->least / CALM_PART)
	{
		at->calm = *point;
		at->calm_constant = true;
	}
	at->calm_constant &= point->raw == at->calm.raw;
	at->last = *point;
}

static bool
is_calm(const FuelStay *at, int64_t enough)
{
	return fuel_span(at->calm.time, at->last.time) >= enough;
}

/* Follows a reading in a stay. */
static void
stay(Fuel *fuel, const FuelPoint *point)
{
	FuelStay   *at = &fuel->at;
	int64_t		by = point->smooth - at->level;
	double		need = needed(&at->near, point, at->error, 0);

	follow_calm(at, point);
	if ((double) llabs(by) < SAME * need)
	{
		at->changing = false;
		at->near = *point;
	}
	else if (is_change(by, need, &at->near, point))
		at->changing = true;
	else if (at->near.blind != point->blind && !at->changing)
	{
		at->level = point->smooth;
		at->near = *point;
	}
	if (!is_calm(at, CALM))
		return;
	if (at->changing)
		change_calm(fuel);
	else if (!at->quiet)
		at->level = at->calm.smooth;
	else if (llabs(by) < (point->burnt - at->burnt) / 2)
		at->level = point->smooth;	/* the engine takes more or less than expected */
	else
		return;
	at->near = *point;
	at->burnt = point->burnt;
	at->quiet = true;
	at->error = 0;
}

/* Gives the level after a stay: that of its last readings, if those are surer than
 * the ones after it, [from, until), and say the same. */
static FuelSide
side_after(Fuel *fuel, size_t from, size_t until)
{
	FuelSide	side = fuel_side(fuel, from, until);
	FuelSide	tail;
	size_t		first = from;

	while (first > 0 && fuel->points[first - 1].standing &&
		   fuel_span(fuel->points[first - 1].time, fuel->points[from - 1].time) <= TAIL)
		first--;
	tail = fuel_side(fuel, first, from);
	return tail.count >= TAIL_ENOUGH && tail.error < side.error &&
		(double) llabs(tail.level - side.level) < SURE * side.error ? tail : side;
}

/* Ends a stay, by the readings [from, until) after it. */
static void
leave(Fuel *fuel, size_t from, size_t until)
{
	FuelStay   *at = &fuel->at;
	FuelSide	side = side_after(fuel, from, until);
	const FuelPoint *first = &fuel->points[from];
	double		need = needed(&at->near, first, at->error, side.error);

	if (is_change(side.level - at->level, need, &at->near, first))
	{
		/* It was over when the level came to what it is now. */
		bool		over = at->changing &&
			(double) llabs(at->calm.smooth - side.level) < fmax((double) first->least / CALM_PART, SURE * side.error);

		change(fuel, over && at->calm.time > at->near.time ? &at->calm : first, side.level, need, false);
	}
	tell_held(fuel);
	fuel->phase = FUEL_DRIVING;
	fuel->since = fuel->leaving_since;
	if (fuel->settled_at == REPORT_ENDLESS && fuel->since > fuel->certain_since)
		fuel->settled_at = fuel->since + 1; /* this stay may have ended then */
}

static size_t
leaving_from(const Fuel *fuel, size_t i)
{
	while (i > 0 && fuel->points[i - 1].time >= fuel->leaving_since)
		i--;
	return i;
}

/* Follows a reading after a stay. */
static void
leaving(Fuel *fuel, size_t i)
{
	const FuelPoint *point = &fuel->points[i];
	size_t		from = leaving_from(fuel, i);
	int64_t		time = fuel_span(fuel->leaving_since, point->time);

	if (point->stays != fuel->seen && i - from < SIDE_ENOUGH)
	{
		/* Too little in between to say what it was: they are one. */
		fuel->seen = point->stays;
		fuel->phase = point->standing ? FUEL_STAYING : FUEL_LEAVING;
		fuel->leaving_since = point->time;
	}
	else if (point->stays != fuel->seen || time > SIDE_FAR)
		leave(fuel, from, i);
	else if (time >= SIDE && i + 1 - from >= SIDE_FEW)
		leave(fuel, from, i + 1);
}

/* Looks for a change within ten minutes of driving, where those are wanted. */
static void
drive(Fuel *fuel, size_t i)
{
	const FuelPoint *point = &fuel->points[i];
	size_t		after = i;
	size_t		until;
	size_t		from;
	size_t		last;
	FuelSide	before_side;
	FuelSide	side;
	double		need;
	int64_t		by;

	if (!fuel->options.fills_in_motion && !fuel->options.drains_in_motion)
		return;
	while (after > 0 && fuel_span(fuel->points[after - 1].time, point->time) <= SIDE &&
		   fuel->points[after - 1].time >= fuel->since)
		after--;
	for (until = after; until > 0 && fuel_span(fuel->points[until - 1].time, point->time) < 2 * SIDE;)
		until--;
	for (from = until; from > 0 && fuel_span(fuel->points[from - 1].time, point->time) <= 3 * SIDE &&
		 fuel->points[from - 1].time >= fuel->since;)
		from--;
	if (until - from < SIDE_ENOUGH || i + 1 - after < SIDE_ENOUGH)
		return;
	before_side = fuel_side(fuel, from, until);
	side = fuel_side(fuel, after, i + 1);
	by = side.level - before_side.level;
	need = needed(&fuel->points[until - 1], point, before_side.error, side.error);
	if (!is_change(by, need, &fuel->points[until - 1], point) ||
		!(by > 0 ? fuel->options.fills_in_motion : fuel->options.drains_in_motion))
		return;
	for (last = i; last >= until && (double) llabs(fuel->points[last].smooth - before_side.level) >= SAME * need;)
		last--;
	fuel->at = (FuelStay) {.level = before_side.level,.near = fuel->points[last]};
	change(fuel, point, side.level, need, false);
	tell_held(fuel);
	fuel->since = point->time;
}

void
fuel_follow(Fuel *fuel, size_t i)
{
	const FuelPoint *point = &fuel->points[i];

	if (fuel->sink.level)
		fuel->sink.level(fuel->sink.arg, &(FuelLevel) {
			point->time, point->litres, point->smooth - point->burnt, point->burnt, point->metres
		});
	if (fuel->phase == FUEL_LEAVING)
		leaving(fuel, i);
	if (fuel->phase == FUEL_DRIVING)
	{
		if (point->standing || point->stays != fuel->seen)
			enter(fuel, i);
		else
			drive(fuel, i);
	}
	if (fuel->phase != FUEL_STAYING)
		return;
	fuel->seen = point->stays;
	if (point->standing)
		stay(fuel, point);
	else
	{
		fuel->phase = FUEL_LEAVING;
		fuel->leaving_since = point->time;
	}
}

void
fuel_close(Fuel *fuel)
{
	if (fuel->phase == FUEL_LEAVING && fuel->count - leaving_from(fuel, fuel->count) >= SIDE_ENOUGH)
		leave(fuel, leaving_from(fuel, fuel->count), fuel->count);
	else if (fuel->phase != FUEL_DRIVING && fuel->at.changing && is_calm(&fuel->at, HOLD))
		change_calm(fuel);
	tell_held(fuel);
	fuel->phase = FUEL_DRIVING;
}
