/*
 * rest.c
 *		Which legs are at rest.
 *
 * Invariant: a leg is handed on as soon as no window to come can hold it.  Any
 * window that makes a difference begins no earlier than the last place that lies
 * rest_after before the place before its end: so places before that are not kept.
 */
#include "report/report_private.h"

static ReportSpot
spot_at(const GeoSpot *point)
{
	double		lon = point->lon * (M_PI / 180);

	return (ReportSpot) {{point->cos_lat * cos(lon), point->cos_lat * sin(lon), point->sin_lat}};
}

/* Square of the straight distance of two spots. */
static inline double
distance2(const ReportSpot *a, const ReportSpot *b)
{
	double		x = a->at[0] - b->at[0];
	double		y = a->at[1] - b->at[1];
	double		z = a->at[2] - b->at[2];

	return x * x + y * y + z * z;
}

/* Square of the distance to the farthest corner of a box. */
static double
farthest2(const ReportBox *box, const ReportSpot *spot)
{
	double		sum = 0;

	for (int i = 0; i < 3; i++)
	{
		double		low = spot->at[i] - box->low[i];
		double		high = box->high[i] - spot->at[i];
		double		far = low > high ? low : high;

		sum += far * far;
	}
	return sum;
}

static ReportBox
box_of(const ReportSpot *spot)
{
	return (ReportBox) {
		{spot->at[0], spot->at[1], spot->at[2]}, {spot->at[0], spot->at[1], spot->at[2]}
	};
}

/* Makes a box hold another one. */
static void
widen(ReportBox *box, const ReportBox *other)
{
	for (int i = 0; i < 3; i++)
	{
		box->low[i] = other->low[i] < box->low[i] ? other->low[i] : box->low[i];
		box->high[i] = other->high[i] > box->high[i] ? other->high[i] : box->high[i];
	}
}

/* Forgets whole blocks of places that no window can reach back to. */
static void
compact(ReportRest *rest)
{
	size_t		gone = rest->back / REPORT_BLOCK * REPORT_BLOCK;
	size_t		left = rest->count - gone;

	if (gone == 0 || gone < left)
		return;
	memmove(rest->legs, rest->legs + gone, left * sizeof(rest->legs[0]));
	memmove(rest->spots, rest->spots + gone, left * sizeof(rest->spots[0]));
	memmove(rest->boxes, rest->boxes + gone / REPORT_BLOCK,
			(left + REPORT_BLOCK - 1) / REPORT_BLOCK * sizeof(rest->boxes[0]));
	rest->count = left;
	rest->next -= gone;
	rest->back -= gone;
	rest->near -= gone;
	rest->off -= gone;
	rest->near_marked = rest->near_marked > gone ? rest->near_marked - gone : 0;
	rest->off_marked = rest->off_marked > gone ? rest->off_marked - gone : 0;
}

static void
add(Report *report, const ReportLeg *leg)
{
	ReportRest *rest = &report->rest;
	ReportBox	here;

	if (rest->count == rest->room)
	{
		size_t		room = rest->room;
		size_t		spots_room = room;
		size_t		boxes_room = room / REPORT_BLOCK;
		size_t		more = (room + room / 2) / REPORT_BLOCK + 4;

		rest->boxes = report_room(report, rest->boxes, &boxes_room, more, sizeof(rest->boxes[0]));
		rest->spots = report_room(report, rest->spots, &spots_room, more * REPORT_BLOCK,
								  sizeof(rest->spots[0]));
		rest->legs = report_room(report, rest->legs, &room, more * REPORT_BLOCK,
								 sizeof(rest->legs[0]));
		rest->room = more * REPORT_BLOCK;
	}
	rest->legs[rest->count] = *leg;
	rest->spots[rest->count] = spot_at(&leg->to.point);
	here = box_of(&rest->spots[rest->count]);
	if (rest->count % REPORT_BLOCK == 0)
		rest->boxes[rest->count / REPORT_BLOCK] = here;
	else
		widen(&rest->boxes[rest->count / REPORT_BLOCK], &here);
	rest->count++;
}

static bool
stands_off(const Report *report, const ReportPlace *place)
{
	return report->options.use_ignition && place->ignition == 0 && !place->moves;
}

void
report_rest_first(Report *report, const ReportPlace *place)
{
	ReportRest *rest = &report->rest;
	double		angle = report->options.stop_radius_m / GEO_SPHERE_M;

	rest->first_at = place->time;
	rest->chord2 = angle < M_PI ? 4 * sin(angle / 2) * sin(angle / 2) : 5;
	add(report, &(ReportLeg) {.to = *place});
	rest->box = rest->boxes[0];
	rest->next = 1;
	rest->off = stands_off(report, place) ? 0 : 1;
	report_split_first(report, place);
}

/* Finds the first place from `low` on such that it and all after it are near the
 * last one, block by block where that will do. */
static size_t
search_near(ReportRest *rest, size_t low)
{
	size_t		last = rest->count - 1;
	const ReportSpot *spot = &rest->spots[last];
	size_t		i = last;

	while (i > low)
	{
		if (i % REPORT_BLOCK == 0)
		{
			rest->compared++;
			if (farthest2(&rest->boxes[i / REPORT_BLOCK - 1], spot) <= rest->chord2)
			{
				i -= REPORT_BLOCK;
				continue;
			}
		}
		rest->compared++;
		if (distance2(&rest->spots[i - 1], spot) > rest->chord2)
			return i;
		i--;
	}
	return low;
}

/* Moves on to the first place since which all are near each other, the last one
 * included.  Where a tracker stands one look at the box of them all is enough. */
static void
find_near(ReportRest *rest, bool broken)
{
	size_t		last = rest->count - 1;
	const ReportSpot *spot = &rest->spots[last];
	ReportBox	here = box_of(spot);

	rest->compared++;
	if (!broken && farthest2(&rest->box, spot) <= rest->chord2)
	{
		widen(&rest->box, &here);
		return;
	}
	rest->near = broken ? last : search_near(rest, rest->near);
	rest->box = here;
	for (size_t i = rest->near / REPORT_BLOCK; rest->near < last && i <= last / REPORT_BLOCK; i++)
		widen(&rest->box, &rest->boxes[i]);
}

/* Marks the legs of a window that ends with the last place, if it is long enough. */
static void
mark(Report *report, size_t since, size_t *marked)
{
	ReportRest *rest = &report->rest;
	size_t		last = rest->count - 1;
	size_t		i = since + 1;

	if (since >= last || report_span(rest->legs[since].to.time, rest->legs[last].to.time) <
		report->options.rest_after)
		return;
	if (i <= *marked)
		i = *marked + 1;
	for (; i <= last; i++)
		rest->legs[i].rest = true;
	*marked = last;
}

/* Hands on all legs up to one, and those after it that are at rest. */
static void
hand_on(Report *report, size_t until)
{
	ReportRest *rest = &report->rest;

	for (; rest->next < rest->count; rest->next++)
	{
		ReportLeg  *leg = &rest->legs[rest->next];

		if (!leg->rest && rest->next > until)
			return;
		report_split(report, leg);
	}
}

/* Takes in the leg to the next place. */
void
report_rest(Report *report, const ReportLeg *leg)
{
	const ReportOptions *options = &report->options;
	ReportRest *rest = &report->rest;
	bool		broken = leg->silent || leg->displacement > options->stop_radius_m;
	size_t		last;

	add(report, leg);
	/* No window goes across a broken leg, and any other one is long enough then. */
	if (broken || report_span(rest->first_at, leg->to.time) >= options->rest_after)
		rest->early = false;
	last = rest->count - 1;
	rest->legs[last].early = rest->early;
	find_near(rest, broken);
	if (!stands_off(report, &leg->to))
		rest->off = last + 1;
	else if (broken)
		rest->off = last;
	mark(report, rest->near, &rest->near_marked);
	mark(report, rest->off, &rest->off_marked);

	while (report_span(rest->legs[rest->back + 1].to.time, leg->to.time) >= options->rest_after &&
		   rest->back + 1 < last)
		rest->back++;
	if (rest->near < rest->back)
		rest->near = rest->back;
	if (rest->off < rest->back)
		rest->off = rest->back;
	rest->back = rest->near < rest->off ? rest->near : rest->off;
	hand_on(report, rest->back);
	compact(rest);
}

void
report_rest_end(Report *report)
{
	hand_on(report, report->rest.count);
}
