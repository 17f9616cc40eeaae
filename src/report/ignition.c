/*
 * ignition.c
 *		Whether the ignition is on, without changes that are undone at once.
 *
 * Invariant: what is handed on does not change any more.  At most one change is
 * pending, and only while another could still undo it; what comes after it waits.
 */
#include "report/report_private.h"

/* Hands on all that waits: with the state before the change, or after. */
static void
flush(Report *report, int8_t state)
{
	ReportIgnition *ignition = &report->ignition;
	ReportQueue *queue = &ignition->queue;

	ignition->pending = false;
	ignition->now = state;
	for (; queue->head < queue->count; queue->head++)
	{
		ReportFix	fix = queue->fixes[queue->head];

		if (fix.ignition >= 0)
			fix.ignition = state;
		report_hand_on(report, &fix);
	}
}

static int8_t
other(int8_t state)
{
	return state == 0 ? 1 : 0;
}

/* Takes in a record once it is known how it was before. */
static void
take(Report *report, const ReportFix *fix)
{
	ReportIgnition *ignition = &report->ignition;
	int64_t		debounce = report->options.ignition_debounce;
	bool		anew = fix->ignition >= 0 && (ignition->now < 0 ||
											  report_span(ignition->known_at, fix->time) > report->options.max_gap);

	if (ignition->pending && (anew || report_span(ignition->change, fix->time) >= debounce))
		flush(report, other(ignition->now));
	if (fix->ignition >= 0)
		ignition->known_at = fix->time;
	if (ignition->pending)
	{
		if (fix->ignition == ignition->now)
			flush(report, ignition->now);
	}
	else if (anew || (fix->ignition >= 0 && debounce <= 0))
		ignition->now = fix->ignition;
	else if (fix->ignition >= 0 && fix->ignition != ignition->now)
	{
		ignition->pending = true;
		ignition->change = fix->time;
	}
	if (ignition->pending)
		report_queue_add(report, &ignition->queue, fix);
	else
		report_hand_on(report, fix);
}

/* Begins in the middle, when nothing before can have a say. */
static void
begin(Report *report, int8_t state, ReportTime time)
{
	ReportIgnition *ignition = &report->ignition;
	ReportFix	known = {.time = ignition->run_from, .lon = NAN, .lat = NAN, .odometer_m = -1,
		.speed_kmh = NAN, .course = NAN, .ignition = state
	};

	ignition->sure = true;
	ignition->now = state;
	report->sure_from = time;
	if (state < 0)
		return;
	report_hand_on(report, &known);
	if (ignition->known_at > known.time)
	{
		known.time = ignition->known_at;
		report_hand_on(report, &known);
	}
}

/* Waits for records that are alike for long enough, or for none that knows. */
static void
find_beginning(Report *report, const ReportFix *fix)
{
	ReportIgnition *ignition = &report->ignition;
	int64_t		max_gap = report->options.max_gap;

	if (fix->time < report->options.wired_since)
		begin(report, -1, fix->time);
	else if (ignition->run < 0 ? report_span(report->first_at, fix->time) > max_gap :
			 fix->ignition >= 0 && report_span(ignition->known_at, fix->time) > max_gap)
		begin(report, -1, fix->time);
	else if (ignition->run >= 0 && (fix->ignition < 0 || fix->ignition == ignition->run) &&
			 report_span(ignition->run_from, fix->time) >= report->options.ignition_debounce)
		begin(report, ignition->run, fix->time);
	else if (fix->ignition >= 0)
	{
		if (fix->ignition != ignition->run)
		{
			ignition->run = fix->ignition;
			ignition->run_from = fix->time;
		}
		ignition->known_at = fix->time;
	}
}

void
report_ignition(Report *report, const ReportFix *fix)
{
	if (!report->ignition.sure)
		find_beginning(report, fix);
	if (report->ignition.sure)
		take(report, fix);
}

/* Nothing can undo a change any more. */
void
report_ignition_end(Report *report)
{
	if (report->ignition.pending)
		flush(report, other(report->ignition.now));
}
