/*
 * report.c
 *		A report: made, fed with records, asked, ended.
 *
 * Invariant: the records of one time are handed on as one, when the next time
 * has come.  All memory comes from the caller's grow() and goes with the caller's.
 */
#include "report/report_private.h"

/* Some 70,000 years: no sum of spans overflows. */
#define TIME_MAX	(INT64_MAX / 4)

const ReportOptions report_defaults = {
	.stop_radius_m = 200,
	.rest_after = 180 * REPORT_SECOND,
	.min_stop = 300 * REPORT_SECOND,
	.max_gap = 3600 * REPORT_SECOND,
	.use_ignition = true,
	.moving_kmh = 3,
	.plausible_kmh = 250,
	.jitter_m = 15,
	.ignition_debounce = 2 * REPORT_SECOND,
	.idle_after = 120 * REPORT_SECOND,
	.driver_off_after = 300 * REPORT_SECOND,
	.wired_since = REPORT_ENDLESS,
	.harsh_acceleration = 3,
	.harsh_braking = 3.5,
	.harsh_turn = 4,
	.harsh_step = 10 * REPORT_SECOND,
};

/* Makes room for so many items. */
void *
report_room(Report *report, void *old, size_t *room, size_t count, size_t size)
{
	if (count > *room)
	{
		size_t		more = count + count / 2 + 16;

		old = report->sink.grow(report->sink.arg, old, more * size);
		*room = more;
	}
	return old;
}

void
report_queue_add(Report *report, ReportQueue *queue, const ReportFix *fix)
{
	if (queue->head == queue->count)
		queue->head = queue->count = 0;
	else if (queue->head > queue->count / 2)
	{
		memmove(queue->fixes, queue->fixes + queue->head,
				(queue->count - queue->head) * sizeof(*fix));
		queue->count -= queue->head;
		queue->head = 0;
	}
	queue->fixes = report_room(report, queue->fixes, &queue->room, queue->count + 1, sizeof(*fix));
	queue->fixes[queue->count++] = *fix;
}

Report *
report_new(const ReportOptions *options, const ReportSink *sink, bool whole)
{
	Report	   *report = sink->grow(sink->arg, NULL, sizeof(*report));

	memset(report, 0, sizeof(*report));
	report->options = *options;
	report->sink = *sink;
	report->whole = whole;
	report->folds = sink->segment || sink->interval;
	report->legs = sink->segment || sink->slice;
	report->now = REPORT_NO_TIME;
	report->sure_from = REPORT_NO_TIME;
	report->ignition.sure = whole;
	report->ignition.now = -1;
	report->ignition.run = -1;
	report->engine.idle_sure = whole;
	report->driver.sure = whole;
	report->track.sure = whole;
	report->track.odometer_sure = whole;
	report->second.odometer_sure = whole;
	report->lent_m = -1;
	report->split.sure = whole;
	report->rest.early = !whole;
	report->split.early = !whole;
	report->split.cut = !whole;
	return report;
}

/* Makes what is not possible unknown. */
static void
clean(const Report *report, ReportFix *fix)
{
	if (!(fabs(fix->lon) <= 180 && fabs(fix->lat) <= 90))
		fix->lon = fix->lat = NAN;
	if (!(isfinite(fix->speed_kmh) && fix->speed_kmh >= 0))
		fix->speed_kmh = NAN;
	if (!isfinite(fix->course))
		fix->course = NAN;
	if (fix->odometer_m < 0)
		fix->odometer_m = -1;
	if ((fix->ignition != 1 && fix->ignition != 0) || fix->time < report->options.wired_since)
		fix->ignition = -1;
}

/* Adds a record of the same time. */
static void
merge(ReportFix *group, const ReportFix *fix)
{
	if (!report_fix_has_place(group) && report_fix_has_place(fix))
	{
		group->lon = fix->lon;
		group->lat = fix->lat;
		group->speed_kmh = fix->speed_kmh;
		group->course = fix->course;
	}
	if (fix->odometer_m >= 0)
		group->odometer_m = fix->odometer_m;
	if (fix->driver > 0)
		group->driver = fix->driver;
	if (fix->ignition > group->ignition)
		group->ignition = fix->ignition;
}

/* Hands on the records of the last time.  In the middle of a track the first ones may
 * not be all that there are of theirs. */
static void
hand_on_group(Report *report)
{
	if (report->whole || !report->first_group)
		report_ignition(report, &report->group);
}

void
report_step(Report *report, const ReportFix *fix)
{
	ReportFix	cleaned = *fix;

	if (fix->time < -TIME_MAX || fix->time > TIME_MAX)
		return;
	clean(report, &cleaned);
	if (!report->begun)
	{
		report->begun = true;
		report->first_group = true;
		report->first_at = fix->time;
		report->group = cleaned;
		return;
	}
	/* A fault of the caller's: going back would break what is decided. */
	if (fix->time < report->group.time)
		return;
	if (fix->time == report->group.time)
	{
		merge(&report->group, &cleaned);
		return;
	}
	hand_on_group(report);
	report->first_group = false;
	report->group = cleaned;
}

/* Takes in a record of which the ignition is known. */
void
report_hand_on(Report *report, const ReportFix *fix)
{
	report->now = fix->time;
	if (report->folds)
	{
		report_engine(report, fix);
		report_driver(report, fix);
	}
	if (report->legs || report->sink.manner)
		report_wait(report, fix);
}

void
report_end(Report *report, bool last)
{
	if (!last || !report->begun)
		return;
	hand_on_group(report);
	report_ignition_end(report);
	if (report->now == REPORT_NO_TIME)
		return;
	if (report->folds)
	{
		report_engine_end(report);
		report_driver_end(report);
	}
	report_wait_end(report);
	report_track_end(report);
	report_manner_end(report);
	report_second_end(report);
	report_rest_end(report);
	report_split_end(report);
}

bool
report_settled(const Report *report)
{
	if (!report->ignition.sure)
		return false;
	if (report->folds && !(report->engine.idle_sure && report->driver.sure))
		return false;
	if (report->legs &&
		(!report->split.sure || report->split.early || !report->second.odometer_sure))
		return false;
	return report->sink.manner == NULL || (report->track.sure && report_manner_sure(report));
}

/* Up to when there are legs that have been looked at; what comes later begins no
 * earlier. */
static ReportTime
track_since(const Report *report)
{
	if (report->track.has_last)
		return report->track.last.time;
	if (report->waiting.head < report->waiting.count)
		return report->waiting.fixes[report->waiting.head].time;
	return report->now;
}

ReportTime
report_open_since(const Report *report)
{
	const ReportSplit *split = &report->split;

	if (!split->sure)
		return REPORT_NO_TIME;
	if (!split->begun)
		return track_since(report);
	return split->open == OPEN_NONE ? split->at.time : split->segment.from;
}

ReportTime
report_told_until(const Report *report)
{
	ReportTime	time = report->now;

	if (report->sink.slice)
	{
		if (!report->split.sure)
			return REPORT_NO_TIME;
		time = report->split.begun ? report->split.at.time : track_since(report);
	}
	if (report->sink.interval)
	{
		if (report->engine.on.open)
			time = report_earlier(time, report->engine.on.from);
		if (report->engine.idle.open)
			time = report_earlier(time, report->engine.idle.from);
		if (report->driver.driving)
			time = report_earlier(time, report->driver.turn.from);
	}
	if (report->sink.manner)
		time = report_earlier(time, report_earlier(track_since(report), report_manner_since(report)));
	return time;
}
