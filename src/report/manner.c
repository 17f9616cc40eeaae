/*
 * manner.c
 *		Hard acceleration, braking and turns.
 *
 * Invariant: successive steps of one sort are one, told when it is over.
 */
#include "report/report_private.h"

#define KMH_PER_MS	3.6

static void
end_run(Report *report, ReportHarshRun *run)
{
	if (run->running)
		report->sink.manner(report->sink.arg, &run->most);
	run->running = false;
}

/* Takes in a step: how hard it was, of one sort. */
static void
step(Report *report, ReportHarsh what, const ReportPlace *from, double ms2, double least)
{
	ReportHarshRun *run = &report->track.harsh[what];

	if (!(ms2 >= least))
	{
		end_run(report, run);
		return;
	}
	if (run->running && ms2 <= run->most.ms2)
		return;
	if (!run->running)
	{
		run->running = true;
		run->from = from->time;
		run->from_first = !report->whole && !report->track.stepped;
	}
	run->most = (ReportManner) {
		.what = what, .at = from->time, .lon = from->point.lon, .lat = from->point.lat,
		.ms2 = ms2, .speed_kmh = from->speed_kmh
	};
}

/* Gives the sideways acceleration of a change of course, which says nothing at a
 * walk. */
static double
turn_ms2(const Report *report, const ReportPlace *from, const ReportPlace *to, double seconds)
{
	double		turn = fabs(remainder((double) to->course - from->course, 360));
	double		speed = fmin(from->speed_kmh, to->speed_kmh);

	if (isnan(turn) || speed <= report->options.moving_kmh)
		return NAN;
	return speed / KMH_PER_MS * turn * (M_PI / 180) / seconds;
}

/* Takes in a step from a place to the next one. */
void
report_manner(Report *report, const ReportPlace *from, const ReportPlace *to)
{
	const ReportOptions *options = &report->options;
	int64_t		span = report_span(from->time, to->time);
	double		seconds = (double) span / 1e6;
	double		gain = NAN;
	double		turn = NAN;

	if (span > 0 && span <= options->harsh_step)
	{
		gain = ((double) to->speed_kmh - from->speed_kmh) / KMH_PER_MS / seconds;
		if (!isnan(gain))
			turn = turn_ms2(report, from, to, seconds);
	}
	step(report, REPORT_ACCELERATION, from, gain, options->harsh_acceleration);
	step(report, REPORT_BRAKING, from, -gain, options->harsh_braking);
	step(report, REPORT_TURN, from, turn, options->harsh_turn);
	report->track.stepped = true;
}

void
report_manner_end(Report *report)
{
	if (report->sink.manner)
		for (int i = 0; i <= REPORT_TURN; i++)
			end_run(report, &report->track.harsh[i]);
}

/* Tells whether those under way are known from their beginning. */
bool
report_manner_sure(const Report *report)
{
	bool		sure = true;

	for (int i = 0; i <= REPORT_TURN; i++)
		sure &= !(report->track.harsh[i].running && report->track.harsh[i].from_first);
	return sure;
}

/* When the earliest began that is still under way. */
ReportTime
report_manner_since(const Report *report)
{
	ReportTime	since = REPORT_ENDLESS;

	for (int i = 0; i <= REPORT_TURN; i++)
		if (report->track.harsh[i].running)
			since = report_earlier(since, report->track.harsh[i].from);
	return since;
}
