/*
 * driver.c
 *		Who drives.
 *
 * Invariant: a turn is told when it has ended for good.  The list has the turns that a
 * leg still under way may have to do with.
 */
#include "report/report_private.h"

static ReportTime
day_end(const Report *report, ReportTime time)
{
	ReportTime	end = REPORT_ENDLESS;

	if (report->sink.day_end)
		end = report->sink.day_end(report->sink.arg, time);
	return end > time ? end : REPORT_ENDLESS;
}

const ReportTurn *
report_turn(const Report *report, uint32_t number)
{
	return &report->driver.turns[number - report->driver.base];
}

/* Forgets turns that no leg to come has to do with. */
static void
prune(Report *report)
{
	ReportDriver *driver = &report->driver;
	const ReportTrack *track = &report->track;
	uint32_t	low;
	uint32_t	gone;

	if (report->split.begun)
		low = report->split.at.turns_ended;
	else if (!track->has_last)
		low = driver->ended_count;
	else if (!track->sure)
		low = track->last.turns_ended;	/* no leg begins before it */
	else
		return;
	gone = low - driver->base;
	if (gone == 0 || gone < driver->count / 2)
		return;
	memmove(driver->turns, driver->turns + gone, (driver->count - gone) * sizeof(ReportTurn));
	driver->count -= gone;
	driver->base = low;
}

static void
begin_turn(Report *report, int32_t id, ReportTime time)
{
	ReportDriver *driver = &report->driver;
	size_t		room = driver->room;

	driver->sure = true;
	driver->driving = true;
	driver->turn = (ReportTurn) {time, REPORT_ENDLESS, id};
	driver->day_end = day_end(report, time);
	if (report->sink.segment == NULL)
		return;
	/* Of too many since the last place the last one gives way. */
	if (driver->base + driver->count - driver->begun_count >= REPORT_TURNS_MAX)
		driver->count--;
	if (driver->count == driver->room)
		prune(report);
	driver->turns = report_room(report, driver->turns, &room, driver->count + 1,
								sizeof(driver->turns[0]));
	driver->room = (uint32_t) room;
	driver->turns[driver->count++] = driver->turn;
}

static void
end_turn(Report *report, ReportTime time, bool silent, bool ongoing)
{
	ReportDriver *driver = &report->driver;

	driver->driving = false;
	if (report->sink.segment)
		driver->turns[driver->count - 1].until = time;
	report_tell_interval(report, &(ReportInterval) {
		.what = REPORT_DRIVER, .from = driver->turn.from, .until = time,
		.driver = driver->turn.driver, .ongoing = ongoing, .silent = silent
	});
}

/* Ends a turn that time has ended. */
static void
time_passes(Report *report, ReportTime time)
{
	ReportDriver *driver = &report->driver;
	bool		long_off = driver->off &&
		report_span(driver->off_at, time) >= report->options.driver_off_after;
	bool		may_end_before = driver->off && driver->off_at < driver->day_end;

	if (time >= driver->sure_at || (long_off && driver->off_seen))
		driver->sure = true;
	if (!driver->driving)
		return;
	if (long_off && may_end_before)
		end_turn(report, driver->off_at, false, false);
	else if (time >= driver->day_end && !may_end_before)
		end_turn(report, driver->day_end, true, false);
}

/* Takes in what a record says of the ignition, after the time before it. */
static void
ignition(Report *report, const ReportFix *fix)
{
	ReportDriver *driver = &report->driver;

	if (driver->off && (fix->ignition == 1 ||
						report_span(driver->known_at, fix->time) > report->options.max_gap))
	{
		driver->off = false;
		/* The day may have ended while it was open whether the turn did before. */
		if (driver->driving && fix->time >= driver->day_end)
			end_turn(report, driver->day_end, true, false);
	}
	if (fix->ignition == 0 && !driver->off)
	{
		driver->off = true;
		driver->off_at = fix->time;
		driver->off_seen = driver->seen_not_off;
		driver->heard = 0;
	}
	if (fix->ignition >= 0)
		driver->known_at = fix->time;
	if (!driver->off)
		driver->seen_not_off = true;
}

void
report_driver(Report *report, const ReportFix *fix)
{
	ReportDriver *driver = &report->driver;
	int32_t		id = fix->driver;

	if (!driver->begun)
	{
		driver->begun = fix->time >= report->sure_from;
		driver->sure_at = day_end(report, fix->time);
	}
	time_passes(report, fix->time);
	ignition(report, fix);
	if (driver->off)
	{
		if (id > 0)
		{
			driver->heard = id;
			driver->heard_until = day_end(report, fix->time);
		}
		return;
	}
	if (id <= 0 && driver->heard > 0 && fix->time < driver->heard_until)
		id = driver->heard;
	driver->heard = 0;
	if (id <= 0)
		return;
	if (driver->driving && driver->turn.driver != id)
		end_turn(report, fix->time, false, false);
	if (!driver->driving)
		begin_turn(report, id, fix->time);
}

/* Up to when it is known who drives.  A turn that may have ended at a time must not
 * be one that a segment beginning then has to do with. */
ReportTime
report_driver_known(const Report *report)
{
	const ReportDriver *driver = &report->driver;

	/* A turn that ends when the engine went off is over at that time. */
	if (driver->driving && driver->off)
		return report_earlier(driver->off_at, driver->day_end) - 1;
	return report->now;
}

/* Notes of a place which turns there have been.  Places come in order of time. */
void
report_driver_at(Report *report, ReportPlace *place)
{
	ReportDriver *driver = &report->driver;
	uint32_t	end = driver->base + driver->count;

	while (driver->begun_count < end && report_turn(report, driver->begun_count)->from < place->time)
		driver->begun_count++;
	while (driver->ended_count < end && report_turn(report, driver->ended_count)->until <= place->time)
		driver->ended_count++;
	place->turns_begun = driver->begun_count;
	place->turns_ended = driver->ended_count;
}

void
report_driver_end(Report *report)
{
	if (report->driver.driving)
	{
		bool		day_over = report->now >= report->driver.day_end;

		end_turn(report, day_over ? report->driver.day_end : report->now, day_over, !day_over);
	}
}
