/*
 * second.c
 *		Legs that lie within one second of the clock become one.
 *
 * Invariant: of a second no more than two places are handed on, its first and its last
 * one, unless a silence is between them.  So what rest.c looks back at does not grow with
 * how often a tracker reports.
 */
#include "report/report_private.h"

static int64_t
second_of(ReportTime time)
{
	return time / REPORT_SECOND - (time % REPORT_SECOND < 0);
}

/* Hands on the legs of a second. */
static void
flush(Report *report)
{
	ReportSecond *second = &report->second;
	ReportLeg  *leg = &second->leg;

	if (!second->held)
		return;
	second->held = false;
	leg->displacement = geo_spots_metres(&second->from.point, &leg->to.point);
	leg->slow = report_slow(report, leg->displacement, report_span(second->from.time, leg->to.time));
	leg->carried = second->from.ignition == 0 && leg->to.ignition == 0;
	report_rest(report, leg);
}

/* Adds a leg to those of the second. */
static void
merge(ReportLeg *sum, const ReportLeg *leg)
{
	sum->to = leg->to;
	sum->metres += leg->metres;
	report_add_known(&sum->odometer_m, leg->odometer_m);
	report_take_top(&sum->top_kmh, leg->top_kmh);
	sum->places += leg->places;
}

/* Takes in the first place.  In the middle of a track others may have been before it in
 * its second: then the first one to hand on is that of the next second. */
void
report_second_first(Report *report, const ReportPlace *place)
{
	ReportSecond *second = &report->second;

	second->from = *place;
	second->sure = report->whole;
	if (second->sure)
		report_rest_first(report, place);
}

void
report_second(Report *report, const ReportLeg *leg)
{
	ReportSecond *second = &report->second;

	if (leg->silent || second_of(second->from.time) != second_of(leg->to.time))
	{
		flush(report);
		if (second->sure)
			report_rest(report, leg);
		else
			report_rest_first(report, &leg->to);
		second->sure = true;
		second->odometer_sure = report->track.odometer_sure;
		second->from = leg->to;
	}
	else if (second->held)
		merge(&second->leg, leg);
	else if (second->sure)
	{
		second->held = true;
		second->leg = *leg;
	}
}

void
report_second_end(Report *report)
{
	flush(report);
}
