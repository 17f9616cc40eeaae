/*
 * engine.c
 *		How long the engine is on, and idles.
 *
 * Invariant: a sum is asked for in order of time, and no later than
 * report_engine_known(): so what is in it stays.
 */
#include "report/report_private.h"

void
report_tell_interval(Report *report, const ReportInterval *interval)
{
	if (report->sink.interval)
		report->sink.interval(report->sink.arg, interval);
}

static void
sum_open(ReportSum *sum, ReportTime from)
{
	sum->open = true;
	sum->from = sum->counted = from;
}

/* Gives the sum up to a time. */
int64_t
report_sum_at(ReportSum *sum, ReportTime time)
{
	for (; sum->head < sum->count && sum->spells[sum->head].from < time; sum->head++)
	{
		ReportSpell *spell = &sum->spells[sum->head];

		if (spell->until > time)
		{
			sum->total += time - spell->from;
			spell->from = time;
			return sum->total;
		}
		sum->total += spell->until - spell->from;
	}
	if (sum->open && sum->counted < time)
	{
		sum->total += time - sum->counted;
		sum->counted = time;
	}
	return sum->total;
}

/* Ends what is open.  Where no place waits nothing earlier will be asked for. */
static void
sum_close(Report *report, ReportSum *sum, ReportTime until)
{
	ReportQueue *waiting = &report->waiting;

	if (waiting->head == waiting->count)
		report_sum_at(sum, until);
	sum->open = false;
	if (until <= sum->counted)
		return;
	if (sum->head == sum->count)
		sum->head = sum->count = 0;
	sum->spells = report_room(report, sum->spells, &sum->room, sum->count + 1,
							  sizeof(sum->spells[0]));
	sum->spells[sum->count++] = (ReportSpell) {sum->counted, until};
}

static void
end_idle(Report *report, ReportTime until, bool silent, bool ongoing)
{
	ReportEngine *engine = &report->engine;
	ReportTime	from = engine->idle.from;

	engine->idle_ended = false;
	if (report_span(from, until) < report->options.idle_after)
	{
		engine->idle.open = false;
		return;
	}
	sum_close(report, &engine->idle, until);
	report_tell_interval(report, &(ReportInterval) {
		.what = REPORT_IDLE, .from = from, .until = until, .ongoing = ongoing, .silent = silent
	});
}

static void
end_engine(Report *report, ReportTime until, bool silent, bool ongoing)
{
	ReportEngine *engine = &report->engine;

	if (engine->idle.open)
	{
		if (engine->idle_ended && engine->idle_end <= until)
			end_idle(report, engine->idle_end, false, false);
		else
			end_idle(report, until, silent, ongoing);
	}
	sum_close(report, &engine->on, until);
	report_tell_interval(report, &(ReportInterval) {
		.what = REPORT_ENGINE, .from = engine->on.from, .until = until, .ongoing = ongoing,
		.silent = silent
	});
}

/* Takes in a place: idling begins with one that stands, and ends with one that
 * moves, if the engine is still on then. */
static void
idle_place(Report *report, const ReportFix *fix)
{
	ReportEngine *engine = &report->engine;

	if (report_moves(report, fix->speed_kmh))
	{
		engine->idle_sure = true;
		if (!engine->idle.open || engine->idle_ended)
			return;
		engine->idle_ended = true;
		engine->idle_end = fix->time;
		if (fix->ignition == 1)
			end_idle(report, fix->time, false, false);
		else if (report_span(engine->idle.from, fix->time) < report->options.idle_after)
			engine->idle.open = engine->idle_ended = false;
	}
	else if (fix->ignition == 1 && !engine->idle.open)
		sum_open(&engine->idle, fix->time);
}

void
report_engine(Report *report, const ReportFix *fix)
{
	ReportEngine *engine = &report->engine;

	if (engine->on.open && report_span(engine->on_at, fix->time) > report->options.max_gap)
		end_engine(report, engine->on_at, true, false);
	if (fix->ignition == 1)
	{
		if (!engine->on.open)
			sum_open(&engine->on, fix->time);
		engine->on_at = fix->time;
		if (engine->idle_ended)
			end_idle(report, engine->idle_end, false, false);
	}
	else if (fix->ignition == 0 && engine->on.open)
		end_engine(report, fix->time, false, false);
	if (!engine->on.open)
		engine->idle_sure = true;
	if (report_fix_has_place(fix))
		idle_place(report, fix);
	if (engine->idle.open && report_span(engine->idle.from, engine->on_at) >= report->options.idle_after)
		engine->idle_sure = true;
}

/* Up to when it is known how long the engine has been on and idled. */
ReportTime
report_engine_known(const Report *report)
{
	const ReportEngine *engine = &report->engine;

	if (!engine->on.open)
		return report->now;
	if (engine->idle.open &&
		report_span(engine->idle.from, engine->on_at) < report->options.idle_after)
		return engine->idle.from;
	return engine->on_at;
}

void
report_engine_end(Report *report)
{
	if (report->engine.on.open)
		end_engine(report, report->now, false, true);
}
