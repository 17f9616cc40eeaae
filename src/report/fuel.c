/*
 * fuel.c
 *	  Records of a tracker, for its fuel: what they are expected to have burnt,
 *	  when it stands, which readings count.
 */
#include "report/fuel_private.h"

#include <math.h>
#include <string.h>

#include "geo/geo.h"

#define MOVING_KMH		3.0
#define PLAUSIBLE_KMH	250.0
#define SLOW_KMH		10.0
#define JITTER_M		15.0

const FuelOptions fuel_defaults = {
	.min_l = 5,
	.min_share = 0.03,
	.idle_l_h = 1,
	.l_per_100km = 10,
};

Fuel *
fuel_new(const FuelOptions *options, const FuelSink *sink, bool whole)
{
	Fuel	   *fuel = sink->grow(sink->arg, NULL, sizeof(Fuel));

	memset(fuel, 0, sizeof(*fuel));
	fuel->options = *options;
	fuel->sink = *sink;
	fuel->ignition = -1;
	fuel->ignition_at = fuel->on_since = fuel->since = REPORT_NO_TIME;
	fuel->lon = fuel->lat = NAN;
	fuel->certain_from = fuel->certain_since = REPORT_ENDLESS;
	fuel->settled_at = whole ? REPORT_NO_TIME : REPORT_ENDLESS;
	return fuel;
}

/* What of the leg to a record matters. */
typedef struct Leg
{
	double		metres;			/* NAN = not known */
	int64_t		time;
	bool		moves;			/* the record at its end does */
} Leg;

/* Moves to the place of a record, if it has one; gives the metres to it.  Where it
 * was long before the last record is forgotten. */
static double
move(Fuel *fuel, const ReportFix *fix)
{
	double		metres = NAN;
	double		hours = 0;

	if (!isfinite(fix->lon) || !isfinite(fix->lat))
		return NAN;
	if (!isnan(fuel->lon) && fuel_span(fuel->place_at, fuel->now) <= SILENCE)
	{
		metres = geo_metres(fuel->lon, fuel->lat, fix->lon, fix->lat);
		hours = (double) fuel_span(fuel->place_at, fix->time) / (60.0 * MINUTE);
	}
	fuel->lon = fix->lon;
	fuel->lat = fix->lat;
	fuel->place_at = fix->time;
	return metres / 1000 > PLAUSIBLE_KMH * hours ? NAN : metres;	/* teleported */
}

/* Counts what is expected to be burnt on a leg. */
static void
burn(Fuel *fuel, const Leg *leg)
{
	bool		still = !fuel->moves && !leg->moves;

	if (leg->metres > (still ? JITTER_M : 0))
	{
		fuel->metres += llround(leg->metres);
		fuel->burnt += llround(leg->metres * fuel->options.l_per_100km * (FUEL_LITRE / 100000));
	}
	if (still && fuel->ignition == 1 && leg->time <= SILENCE)
		fuel->burnt += llround((double) leg->time / (60.0 * MINUTE) * fuel->options.idle_l_h * FUEL_LITRE);
}

/* The standing has lasted long enough: so do the readings in it so far know. */
static void
begin_stay(Fuel *fuel)
{
	fuel->stay = true;
	fuel->stays++;
	for (size_t i = fuel->count; i-- > fuel->next && fuel->points[i].time >= fuel->standing_since;)
	{
		fuel->points[i].standing = true;
		fuel->points[i].begins = fuel->points[i].time == fuel->standing_since;
		fuel->points[i].stays = fuel->stays;
	}
}

/* Tells standing from driving. */
static void
stand_or_move(Fuel *fuel, ReportTime time, const Leg *leg)
{
	bool		far = leg->metres >= STAND_M;
	bool		slow = leg->metres / 1000 < SLOW_KMH * (double) leg->time / (60.0 * MINUTE);
	bool		stands = leg->time > SILENCE || (!fuel->moves && !leg->moves && !far) ||
		(leg->time >= SLOW && slow);

	if (leg->time > SILENCE && far)
		fuel->blind++;
	if (fuel->certain_from == REPORT_ENDLESS && fuel_span(fuel->first, fuel->now) >= SILENCE)
		fuel->certain_from = fuel->now;
	if (!stands)
	{
		/* However long ago it began, that much of it is a stay. */
		if (fuel->stay && fuel->certain_since == REPORT_ENDLESS && fuel->certain_from != REPORT_ENDLESS &&
			fuel_span(fuel->standing_since > fuel->certain_from ? fuel->standing_since : fuel->certain_from,
					  fuel->now) >= STAND_MIN)
			fuel->certain_since = fuel->now;
		fuel->standing = fuel->stay = false;
		return;
	}
	if (!fuel->standing)
	{
		fuel->standing = true;
		fuel->standing_since = fuel->now;
	}
	if (!fuel->stay && fuel_span(fuel->standing_since, time) >= STAND_MIN)
		begin_stay(fuel);
}

/* What was said of the ignition long ago is not known any more. */
static void
know_ignition(Fuel *fuel, const ReportFix *fix)
{
	if (fuel->ignition >= 0 && fuel_span(fuel->ignition_at, fix->time) > SILENCE)
		fuel->ignition = -1;
	if (fix->ignition < 0)
		return;
	if (fix->ignition == 1 && fuel->ignition != 1)
		fuel->on_since = fix->time;
	fuel->ignition = fix->ignition;
	fuel->ignition_at = fix->time;
}

static ReportTime
whole_second(ReportTime time)
{
	return time / REPORT_SECOND - (time % REPORT_SECOND < 0);
}

static bool
counts(const Fuel *fuel, const ReportFix *fix, const FuelReading *reading)
{
	if (!(fabs(reading->litres) <= FUEL_LITRES_MAX))
		return false;
	/* The current that the starter takes, and that of the sensor itself. */
	if (fuel->on_since != REPORT_NO_TIME && fuel_span(fuel->on_since, fix->time) < SETTLE)
		return false;
	/* Nobody drives with an empty tank: the sensor has lost its echo. */
	if (fuel->moves && reading->litres <= reading->lowest_l)
		return false;
	return fuel->count == 0 ||
		whole_second(fuel->points[fuel->count - 1].time) != whole_second(fix->time);
}

/* Filters and follows the readings whose surroundings are known. */
static void
follow(Fuel *fuel, bool all)
{
	for (; fuel->next < fuel->count; fuel->next++)
	{
		int64_t		age = fuel_span(fuel->points[fuel->next].time, fuel->now);

		if (!all && (age <= WAIT || (age <= FILTER_FAR && fuel->next + FILTER_FEW >= fuel->count)))
			break;
		fuel_filter(fuel, fuel->next);
		fuel_follow(fuel, fuel->next);
	}
	fuel_drop_points(fuel);
}

/* Levels by two tables are not compared. */
static void
change_table(Fuel *fuel, int32_t table)
{
	follow(fuel, true);
	fuel_close(fuel);
	fuel->count = fuel->next = 0;
	fuel->table = table;
}

static void
take_reading(Fuel *fuel, const ReportFix *fix, const FuelReading *reading)
{
	double		least = fmax(fuel->options.min_l, fuel->options.min_share * reading->tank_l);

	if (fuel->table != reading->table)
		change_table(fuel, reading->table);
	fuel_add_point(fuel, &(FuelPoint) {
		.time = fix->time,
		.litres = llround(reading->litres * FUEL_LITRE),
		.burnt = fuel->burnt,
		.metres = fuel->metres,
		.least = llround(fmin(fmax(least, 0), FUEL_LITRES_MAX) * FUEL_LITRE),
		.raw = reading->raw,
		.stays = fuel->stays,
		.blind = fuel->blind,
		.standing = fuel->stay,
	});
}

void
fuel_step(Fuel *fuel, const ReportFix *fix, const FuelReading *reading)
{
	Leg			leg = {.metres = move(fuel, fix),.moves = fix->speed_kmh >= MOVING_KMH};

	if (fuel->any)
	{
		leg.time = fuel_span(fuel->now, fix->time);
		/* Without a speed, the way tells. */
		if (isnan(fix->speed_kmh) && leg.metres > JITTER_M)
			leg.moves = leg.metres / 1000 >= MOVING_KMH * (double) leg.time / (60.0 * MINUTE);
		burn(fuel, &leg);
		stand_or_move(fuel, fix->time, &leg);
	}
	else
	{
		fuel->any = true;
		fuel->first = fix->time;
	}
	fuel->moves = leg.moves;
	fuel->now = fix->time;
	know_ignition(fuel, fix);
	if (reading && counts(fuel, fix, reading))
		take_reading(fuel, fix, reading);
	follow(fuel, false);
}

void
fuel_end(Fuel *fuel)
{
	follow(fuel, true);
	fuel_close(fuel);
}

ReportTime
fuel_settled_at(const Fuel *fuel)
{
	return fuel->settled_at;
}

ReportTime
fuel_told_until(const Fuel *fuel)
{
	/* The next stay may begin right after the last reading. */
	ReportTime	until = fuel->next > 0 ? fuel->points[fuel->next - 1].time : REPORT_NO_TIME;

	if (fuel->phase != FUEL_DRIVING && fuel->at.near.time < until)
		until = fuel->at.near.time;
	/* A change in motion is seen so much later. */
	if ((fuel->options.fills_in_motion || fuel->options.drains_in_motion) && fuel->next > 0)
		until = until > REPORT_NO_TIME + 3 * SIDE ? until - 3 * SIDE : REPORT_NO_TIME;
	if (fuel->has_held && fuel->held.from < until)
		until = fuel->held.from;
	return until;
}
