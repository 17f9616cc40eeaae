/*
 * track.c
 *		Places without teleports, and the legs between them.
 *
 * Invariant: at most one place is held back: one that is reached too fast, until
 * the next one tells whether it is a teleport.
 */
#include "report/report_private.h"

static double
metres_between(const ReportPlace *from, const ReportPlace *to)
{
	return geo_spots_metres(&from->point, &to->point);
}

static bool
leg_too_fast(const Report *report, const ReportPlace *from, const ReportPlace *to, double metres)
{
	return report_too_fast(report, metres, report_span(from->time, to->time));
}

/* Tells whether a place says that it stands. */
static bool
said_to_stand(const ReportPlace *place)
{
	return !isnan(place->speed_kmh) && !place->moves;
}

/* Gives what the odometer says of a leg; NAN = nothing. */
static double
odometer_leg(Report *report, const ReportLeg *leg)
{
	ReportTrack *track = &report->track;
	const ReportPlace *to = &leg->to;
	double		metres = NAN;

	track->odometer_legs++;
	track->odometer_metres += leg->silent && !leg->rest ? leg->displacement : leg->metres;
	track->odometer_silent |= leg->silent;
	if (report_span(track->first_at, to->time) > report->options.max_gap)
		track->odometer_sure = true;
	if (to->odometer_m < 0)
		return NAN;
	if (track->has_odometer &&
		(track->odometer_legs == 1 ||
		 report_span(track->odometer_at, to->time) <= report->options.max_gap))
	{
		metres = (double) to->odometer_m - (double) track->odometer_m;
		if (metres < 0 ||
			(!track->odometer_silent && metres > 1000 && metres > 3 * track->odometer_metres))
			metres = track->odometer_metres;
	}
	track->odometer_sure = true;
	return metres;
}

/* Notes where the odometer was last said. */
static void
note_odometer(ReportTrack *track, const ReportPlace *place)
{
	if (place->odometer_m < 0)
		return;
	track->has_odometer = true;
	track->odometer_m = place->odometer_m;
	track->odometer_at = place->time;
	track->odometer_legs = 0;
	track->odometer_metres = 0;
	track->odometer_silent = false;
}

/* Takes in a place that is no teleport, so far from the last one. */
static void
take(Report *report, const ReportPlace *place, double displacement)
{
	const ReportOptions *options = &report->options;
	ReportTrack *track = &report->track;
	const ReportPlace *from = &track->last;
	ReportLeg	leg = {
		.to = *place, .displacement = displacement, .top_kmh = place->speed_kmh, .places = 1
	};

	leg.silent = report_span(from->time, place->time) > options->max_gap;
	leg.slow = report_slow(report, displacement, report_span(from->time, place->time));
	leg.rest = leg.silent && displacement < options->stop_radius_m;
	leg.carried = from->ignition == 0 && place->ignition == 0;
	if (!leg.silent && !leg_too_fast(report, from, place, displacement) &&
		!(displacement <= options->jitter_m && said_to_stand(from) && said_to_stand(place)))
		leg.metres = displacement;
	leg.odometer_m = odometer_leg(report, &leg);
	note_odometer(track, place);
	if (report->sink.manner)
		report_manner(report, from, place);
	track->last = *place;
	if (report->legs)
		report_second(report, &leg);
}

/* Takes in the first place. */
static void
take_first(Report *report, const ReportPlace *place)
{
	ReportTrack *track = &report->track;

	track->has_last = true;
	track->last = *place;
	track->first_at = place->time;
	note_odometer(track, place);
	if (report->legs && track->sure)
		report_second_first(report, place);
}

/* Begins in the middle: with a place that the next one shows to be no teleport. */
static void
find_first(Report *report, const ReportPlace *place)
{
	ReportTrack *track = &report->track;
	double		metres = metres_between(&track->last, place);

	track->sure = !leg_too_fast(report, &track->last, place, metres);
	if (!track->sure)
		*track = (ReportTrack) {.last = *place, .has_last = true};
	else
	{
		ReportPlace first = track->last;

		take_first(report, &first);
		take(report, place, metres);
	}
}

void
report_track(Report *report, const ReportPlace *place)
{
	ReportTrack *track = &report->track;
	double		metres;

	if (!track->has_last)
	{
		take_first(report, place);
		return;
	}
	if (!track->sure)
	{
		find_first(report, place);
		return;
	}
	if (track->held)
	{
		double		past;

		track->held = false;
		metres = metres_between(&track->hold, place);
		if (leg_too_fast(report, &track->hold, place, metres))
		{
			past = metres_between(&track->last, place);
			if (!leg_too_fast(report, &track->last, place, past))
			{
				take(report, place, past);
				return;
			}
		}
		take(report, &track->hold, track->hold_metres);
	}
	else
		metres = metres_between(&track->last, place);
	if (leg_too_fast(report, &track->last, place, metres))
	{
		track->held = true;
		track->hold = *place;
		track->hold_metres = metres;
	}
	else
		take(report, place, metres);
}

void
report_track_end(Report *report)
{
	ReportTrack *track = &report->track;

	if (track->held)
		take(report, &track->hold, track->hold_metres);
	track->held = false;
}
