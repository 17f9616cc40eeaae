/*
 * wait.c
 *		Places wait until it is known who drove and how long the engine was on.
 *
 * Invariant: first come, first go.
 */
#include "report/report_private.h"

static void
let_go(Report *report, const ReportFix *fix)
{
	ReportPlace place = {
		.time = fix->time,
		.point = geo_spot(fix->lon, fix->lat),
		.odometer_m = fix->odometer_m,
		.speed_kmh = fix->speed_kmh,
		.course = fix->course,
		.ignition = fix->ignition,
		.moves = report_moves(report, fix->speed_kmh)
	};

	if (report->folds)
	{
		place.engine = report_sum_at(&report->engine.on, fix->time);
		place.idle = report_sum_at(&report->engine.idle, fix->time);
		report_driver_at(report, &place);
	}
	report_track(report, &place);
}

/* Lets go what was before a time, or at it. */
static void
let_go_until(Report *report, ReportTime time)
{
	ReportQueue *queue = &report->waiting;

	while (queue->head < queue->count && queue->fixes[queue->head].time <= time)
		let_go(report, &queue->fixes[queue->head++]);
}

/* Takes in a record: the odometer of one that is no place goes to the next place. */
void
report_wait(Report *report, const ReportFix *fix)
{
	ReportQueue *queue = &report->waiting;
	ReportTime	known = report->now;
	ReportFix	place = *fix;

	if (report->folds)
		known = report_earlier(report_engine_known(report), report_driver_known(report));
	let_go_until(report, known);
	if (!report_fix_has_place(fix))
	{
		if (fix->odometer_m >= 0)
			report->lent_m = fix->odometer_m;
		return;
	}
	if (place.odometer_m < 0)
		place.odometer_m = report->lent_m;
	report->lent_m = -1;
	if (queue->head == queue->count && fix->time <= known)
		let_go(report, &place);
	else
		report_queue_add(report, queue, &place);
}

void
report_wait_end(Report *report)
{
	let_go_until(report, REPORT_ENDLESS);
}
