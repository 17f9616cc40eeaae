/*
 * split.c
 *		Legs become trips, stops and unobserved legs.
 *
 * Invariant: a leg waits until it is settled what it belongs to, and is then added to the
 * segment that is open.  What waits: legs left over, whose distance is less than that of
 * a trip, and then the rest that is under way.
 */
#include "report/report_private.h"

/* Settles the first of the legs that wait, so many of them: they are of the open
 * segment, or nothing. */
static void
settle(Report *report, size_t end, ReportKind kind)
{
	ReportSplit *split = &report->split;

	for (; split->head < end; split->head++)
	{
		const ReportLeg *leg = &split->legs[split->head];

		if (kind != REPORT_NOTHING)
			report_segment_add(report, leg);
		report_tell_slice(report, leg, kind);
		split->at = leg->to;
	}
	if (split->head == split->count)
		split->head = split->count = split->left = split->core = 0;
}

/* Drops all that waits: a report that begins in the middle cannot say what it is. */
static void
drop(ReportSplit *split, size_t end)
{
	if (split->head < end)
		split->at = split->legs[end - 1].to;
	split->head = end;
	if (end == split->count)
		split->head = split->count = split->left = split->core = 0;
}

static void
wait(Report *report, const ReportLeg *leg)
{
	ReportSplit *split = &report->split;

	if (split->head > 0 && split->head >= split->count - split->head)
	{
		memmove(split->legs, split->legs + split->head,
				(split->count - split->head) * sizeof(*leg));
		split->count -= split->head;
		split->left -= split->head;
		split->core -= split->head;
		split->head = 0;
	}
	split->legs = report_room(report, split->legs, &split->room, split->count + 1, sizeof(*leg));
	split->legs[split->count++] = *leg;
}

/* Tells the open segment. */
static void
close_segment(Report *report)
{
	if (report->split.open != OPEN_NONE)
		report_segment_tell(report, false);
	report->split.open = OPEN_NONE;
}

/* Settles the legs that are left over as standing: beside a stop they are of it. */
static void
settle_standing(Report *report)
{
	ReportSplit *split = &report->split;

	if (split->open != OPEN_NONE)
		settle(report, split->left, split->open == OPEN_STOP ? REPORT_STOP : REPORT_TRIP);
	else if (split->sure)
		settle(report, split->left, REPORT_NOTHING);
	else
		drop(split, split->left);
	split->left_metres = 0;
}

/* Takes waiting legs up to one as left over. */
static void
leave_over(Report *report, size_t end)
{
	ReportSplit *split = &report->split;

	for (; split->left < end; split->left++)
		split->left_metres += split->legs[split->left].metres;
	split->core = split->left;
	if (split->open == OPEN_TRIP)
		settle_standing(report);
	else if (split->left_metres >= report->options.stop_radius_m && split->left > split->head)
	{
		close_segment(report);
		report_segment_begin(report, REPORT_TRIP);
		settle_standing(report);
	}
	else if (split->left - split->head >= REPORT_PENDING_MAX)
		settle_standing(report);
}

/* Takes a rest under way for a stop: what is left over before it joins it, or was a
 * trip. */
static void
stop(Report *report)
{
	ReportSplit *split = &report->split;

	split->stopped = true;
	if (split->open == OPEN_TRIP)
		close_segment(report);
	if (split->open == OPEN_NONE)
	{
		if (!split->sure)
			drop(split, split->left);
		report_segment_begin(report, REPORT_STOP);
	}
	split->left_metres = 0;
}

/* Ends the rest under way: what is no part of a stop is left over. */
static void
end_rest(Report *report)
{
	ReportSplit *split = &report->split;

	if (!split->resting)
		return;
	split->resting = false;
	if (split->cut && !split->stopped)
		drop(split, split->count);
	leave_over(report, split->count);
}

/* Tells whether the core of the rest is a stop. */
static bool
core_is_stop(const Report *report)
{
	const ReportSplit *split = &report->split;
	const ReportPlace *from = split->left > split->head ?
		&split->legs[split->left - 1].to : &split->at;
	const ReportPlace *to;

	if (split->core <= split->left)
		return false;
	to = &split->legs[split->core - 1].to;
	return split->core_silent || report_span(from->time, to->time) >= report->options.min_stop;
}

/* Takes in a leg at rest: before the first place that does not move, or the first
 * slow leg, it is left over. */
static void
rest_leg(Report *report, const ReportLeg *leg)
{
	ReportSplit *split = &report->split;
	const ReportPlace *from = split->head < split->count ?
		&split->legs[split->count - 1].to : &split->at;

	if (!split->resting)
	{
		split->resting = true;
		split->core_begun = split->core_silent = split->stopped = false;
	}
	if (!split->core_begun && from->moves && !leg->slow && !leg->silent)
	{
		wait(report, leg);
		if (split->cut)
			drop(split, split->count);
		leave_over(report, split->count);
		return;
	}
	wait(report, leg);
	split->core_begun = true;
	split->core_silent |= leg->silent;
	if (leg->silent || leg->slow || !leg->to.moves || split->count - split->core > REPORT_PENDING_MAX)
		split->core = split->count;
	if (!split->stopped && core_is_stop(report))
		stop(report);
	if (split->stopped)
	{
		settle(report, split->core, REPORT_STOP);
		split->left = split->core = split->head;
	}
}

/* Takes in an unobserved leg. */
static void
unobserved_leg(Report *report, const ReportLeg *leg)
{
	ReportSplit *split = &report->split;

	end_rest(report);
	settle_standing(report);
	close_segment(report);
	split->sure = true;
	split->cut = false;
	report_segment_unobserved(report, leg);
	report_tell_slice(report, leg, REPORT_UNOBSERVED);
	split->at = leg->to;
}

/* Takes in a leg that may be at rest: nothing is sure beside it. */
static void
forget(ReportSplit *split, const ReportLeg *leg)
{
	drop(split, split->count);
	split->left_metres = 0;
	split->at = leg->to;
	split->resting = false;
	split->cut = true;
	split->sure = false;
	split->open = OPEN_NONE;
}

void
report_split_first(Report *report, const ReportPlace *place)
{
	report->split.begun = true;
	report->split.at = *place;
}

void
report_split(Report *report, const ReportLeg *leg)
{
	ReportSplit *split = &report->split;

	split->early = leg->early;
	if (leg->early && !leg->rest)
		forget(split, leg);
	else if (leg->silent && !leg->rest)
		unobserved_leg(report, leg);
	else if (leg->rest)
		rest_leg(report, leg);
	else
	{
		end_rest(report);
		split->cut = false;
		wait(report, leg);
		leave_over(report, split->count);
	}
}

/* Nothing more comes: the last segment is still going on. */
void
report_split_end(Report *report)
{
	ReportSplit *split = &report->split;

	if (!split->begun)
		return;
	end_rest(report);
	settle_standing(report);
	if (split->open != OPEN_NONE)
		report_segment_tell(report, true);
	split->open = OPEN_NONE;
}
