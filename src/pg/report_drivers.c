/*
 * report_drivers.c
 *		Who drove when, as rows.
 *
 * Invariant.  What was driven is added to turns up to where both are known: slices
 * wait until then, which is a day at most, as a turn lasts no longer.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "pg/report_run.h"

/* Slices that wait before a look whether something is known of them. */
#define WAITING_FIRST	1024

/* Columns of pt621_report_drivers(). */
enum
{
	DRIVER_DEVICE_ID, DRIVER_RFID, DRIVER_STARTED_AT, DRIVER_ENDED_AT, DRIVER_ONGOING,
	DRIVER_SECONDS, DRIVER_DRIVE_S, DRIVER_METRES,
	DRIVER_COLUMNS
};

/* A turn, or driving that was nobody's. */
typedef struct Turn
{
	ReportTime	from;
	ReportTime	until;
	int32		driver;			/* 0 = nobody */
	bool		ongoing;
	double		drive_s;
	double		metres;
} Turn;

typedef struct Turns
{
	Turn	   *turns;			/* of the tracker at hand, in order of time */
	uint32		count;
	uint32		room;
	uint32		at;				/* the first one that may end after what has been added */
	Turn	   *nobody;			/* likewise */
	uint32		nobody_count;
	uint32		nobody_room;
	ReportSlice *waiting;		/* driving not added yet */
	uint32		waiting_count;
	uint32		waiting_room;
	uint32		look_at;		/* a look is due when there are so many */
	ReportTime	driven_until;	/* end of the latest slice, if that was driving */
} Turns;

/* Gives the place for another one. */
static void *
another(ReportRun *run, void **items, uint32 *count, uint32 *room, Size size)
{
	if (*count == *room)
	{
		*room = Max(*room * 2, 16);
		*items = run->sink.grow(run, *items, *room * size);
	}
	return (char *) *items + (*count)++ * size;
}

static void
drivers_begin(ReportRun *run)
{
	Turns	   *turns = run->arg;

	memset(turns, 0, sizeof(*turns));
	turns->look_at = WAITING_FIRST;
	turns->driven_until = REPORT_NO_TIME;
}

static void
drivers_interval(void *arg, const ReportInterval *interval)
{
	ReportRun  *run = arg;
	Turns	   *turns = run->arg;

	if (interval->what != REPORT_DRIVER)
		return;
	*(Turn *) another(run, (void **) &turns->turns, &turns->count, &turns->room, sizeof(Turn)) = (Turn)
	{
		.from = interval->from,.until = interval->until,.driver = interval->driver,.ongoing = interval->ongoing
	};
}

static void
drivers_slice(void *arg, const ReportSlice *slice)
{
	ReportRun  *run = arg;
	Turns	   *turns = run->arg;

	turns->driven_until = REPORT_NO_TIME;
	/* What is carried, nobody drives. */
	if (slice->kind != REPORT_TRIP || slice->carried)
		return;
	turns->driven_until = slice->until;
	*(ReportSlice *) another(run, (void **) &turns->waiting, &turns->waiting_count, &turns->waiting_room,
							 sizeof(ReportSlice)) = *slice;
}

/* Adds driving that was nobody's. */
static void
add_nobody(ReportRun *run, ReportTime from, ReportTime until, double metres)
{
	Turns	   *turns = run->arg;
	Turn	   *last = turns->nobody_count > 0 ? &turns->nobody[turns->nobody_count - 1] : NULL;

	if (last == NULL || last->until != from)
	{
		last = another(run, (void **) &turns->nobody, &turns->nobody_count, &turns->nobody_room, sizeof(Turn));
		*last = (Turn)
		{
			.from = from
		};
	}
	last->until = until;
	last->drive_s += report_seconds(from, until);
	last->metres += metres;
}

/* Adds a slice to the turns that it lies in, and what lies in none to nobody's. */
static void
add_slice(ReportRun *run, const ReportSlice *slice)
{
	Turns	   *turns = run->arg;
	ReportTime	time = slice->from;

	while (turns->at < turns->count && turns->turns[turns->at].until <= time)
		turns->at++;
	for (uint32 i = turns->at; time < slice->until;)
	{
		Turn	   *turn = i < turns->count && turns->turns[i].from < slice->until ? &turns->turns[i] : NULL;
		bool		inside = turn && turn->from <= time;
		ReportTime	next = turn == NULL ? slice->until : inside ? Min(turn->until, slice->until) : turn->from;
		double		metres = slice->metres * (double) (next - time) / (double) (slice->until - slice->from);

		if (inside)
		{
			turn->drive_s += report_seconds(time, next);
			turn->metres += metres;
			i++;
		}
		else
			add_nobody(run, time, next, metres);
		time = next;
	}
}

/* Adds the slices of which all turns are known. */
static void
add_known(ReportRun *run, ReportTime known)
{
	Turns	   *turns = run->arg;
	uint32		count = 0;

	while (count < turns->waiting_count && turns->waiting[count].until <= known)
		add_slice(run, &turns->waiting[count++]);
	turns->waiting_count -= count;
	memmove(turns->waiting, turns->waiting + count, turns->waiting_count * sizeof(ReportSlice));
	turns->look_at = Max(WAITING_FIRST, 2 * turns->waiting_count);
}

static void
drivers_record(ReportRun *run, const ReportFix *fix)
{
	Turns	   *turns = run->arg;

	if (turns->waiting_count >= turns->look_at)
		add_known(run, report_told_until(run->report));
}

/*
 * Tells whether a turn that began in the period goes on, or may drive on: part of
 * a slice that waits is of the turn that ended within it, though what comes after
 * that is what it waits for.
 */
static bool
turn_more(ReportRun *run, ReportTime known)
{
	Turns	   *turns = run->arg;
	ReportTime	added = turns->waiting_count > 0 ? Min(turns->waiting[0].from, known) : known;

	for (uint32 i = turns->count; i > 0 && turns->turns[i - 1].until > added; i--)
	{
		if (report_in_period(run, turns->turns[i - 1].from))
			return true;
	}
	return false;
}

/* Tells whether something that began in the period goes on, or may. */
static bool
drivers_more(ReportRun *run)
{
	Turns	   *turns = run->arg;
	ReportTime	known = report_told_until(run->report);
	const Turn *last;

	add_known(run, known);
	if (turn_more(run, known))
		return true;
	last = turns->nobody_count > 0 ? &turns->nobody[turns->nobody_count - 1] : NULL;
	return last && report_in_period(run, last->from) &&
		(last->until == turns->driven_until ||
		 (turns->waiting_count > 0 && turns->waiting[0].from == last->until));
}

static void
put_turn(ReportRun *run, const Turn *turn)
{
	Row		   *row = run->rows.row;

	if (!report_in_period(run, turn->from))
		return;
	row_start(row);
	row_set(row, DRIVER_DEVICE_ID, Int32GetDatum(run->device_id));
	if (turn->driver > 0)
		row_cstring(row, DRIVER_RFID, driver_name(run->names, turn->driver));
	report_put_time(row, DRIVER_STARTED_AT, turn->from);
	report_put_time(row, DRIVER_ENDED_AT, turn->until);
	row_set(row, DRIVER_ONGOING, BoolGetDatum(turn->ongoing));
	report_put_number(row, DRIVER_SECONDS, report_seconds(turn->from, turn->until));
	report_put_number(row, DRIVER_DRIVE_S, turn->drive_s);
	report_put_number(row, DRIVER_METRES, turn->metres);
	row_emit(&run->rows);
}

static void
drivers_end(ReportRun *run)
{
	Turns	   *turns = run->arg;
	uint32		at = 0;

	add_known(run, run->last ? REPORT_ENDLESS : report_told_until(run->report));
	if (run->last && turns->nobody_count > 0 && turns->nobody[turns->nobody_count - 1].until == turns->driven_until)
		turns->nobody[turns->nobody_count - 1].ongoing = true;
	for (uint32 i = 0; i < turns->count; i++)
	{
		for (; at < turns->nobody_count && turns->nobody[at].from < turns->turns[i].from; at++)
			put_turn(run, &turns->nobody[at]);
		put_turn(run, &turns->turns[i]);
	}
	for (; at < turns->nobody_count; at++)
		put_turn(run, &turns->nobody[at]);
}

PG_FUNCTION_INFO_V1(pt621_report_drivers);

/* pt621_report_drivers(devices, period, off_after) */
Datum
pt621_report_drivers(PG_FUNCTION_ARGS)
{
	ReportRun	run;
	Turns		turns = {0};
	bool		any = report_run_open(&run, fcinfo, DRIVER_COLUMNS, -1);

	run.options.driver_off_after = report_read_span(fcinfo, 2, "off_after", 0, USECS_PER_DAY);
	run.goal = REPORT_MOMENTS;
	run.drivers = true;
	/* Where a turn ends with the day, nobody's driving may begin without a record. */
	run.silent = true;
	run.sink.interval = drivers_interval;
	run.sink.slice = drivers_slice;
	run.begin = drivers_begin;
	run.record = drivers_record;
	run.more = drivers_more;
	run.end = drivers_end;
	run.arg = &turns;
	if (any)
		report_run(&run);
	return (Datum) 0;
}
