/*
 * segment.c
 *		Segments against shapes: whether they meet, and where.
 *
 * Invariant: fractions are of the whole segment, from 0 to 1, also where it is
 * cut in two at the antimeridian.  Which edges it touches, and what lies between
 * two touches, follows from signs that are exact; only where it touches is rounded.
 */
#include <math.h>
#include <stdlib.h>

#include "geo/geo_private.h"

/* A part of a segment on one side of the antimeridian. */
typedef struct Part
{
	GeoPlace	from;
	GeoPlace	to;
	double		begin;			/* fractions of the whole */
	double		end;
} Part;

/*
 * What happens at a touch.  Going along a line, what is just left of it is inside or
 * outside, by turns: each edge turns it that ends on the line or crosses it and has
 * a part left of it.  While the line runs along an edge, it is on the boundary.
 */
typedef struct Event
{
	double		at;				/* fraction of the part */
	bool		turn;
	int			along;			/* edges that begin here less those that end */
} Event;

typedef struct Events
{
	const Part *part;
	double		square;			/* of its length */
	Event	   *event;
	size_t		count;
	size_t		room;
	bool		failed;			/* no memory */
} Events;

/* Cuts a segment at the antimeridian; returns the number of parts, 0 when a
 * coordinate is not finite. */
static int
cut(const GeoSegment *s, Part part[2])
{
	double		width = s->to_lon - s->from_lon;
	double		edge = width > 0 ? -180 : 180;	/* where the first part ends */
	double		at;
	double		lat;

	if (!isfinite(width) || !isfinite(s->to_lat - s->from_lat) ||
		!isfinite(s->from_lat))
		return 0;
	part[0] = (Part) {{s->from_lon, s->from_lat}, {s->to_lon, s->to_lat}, 0, 1};
	if (fabs(width) <= 180)
		return 1;
	width -= copysign(360, width);
	at = width != 0 || s->from_lon != edge ? (edge - s->from_lon) / width : 0;
	/* Longitudes beyond 180 have no other way round. */
	if (!(at >= 0 && at <= 1))
		return 1;
	lat = s->from_lat + at * (s->to_lat - s->from_lat);
	part[1] = (Part) {{-edge, lat}, part[0].to, at, 1};
	part[0].to = (GeoPlace) {edge, lat};
	part[0].end = at;
	return 2;
}

static GeoBox
part_extent(const Part *p)
{
	return (GeoBox) {fmin(p->from.lon, p->to.lon), fmin(p->from.lat, p->to.lat),
		fmax(p->from.lon, p->to.lon), fmax(p->from.lat, p->to.lat)};
}

GeoBox
geo_segment_extent(const GeoSegment *segment)
{
	Part		whole = {{segment->from_lon, segment->from_lat},
		{segment->to_lon, segment->to_lat}, 0, 1};
	GeoBox		box = part_extent(&whole);

	if (fabs(segment->to_lon - segment->from_lon) > 180)
	{
		box.west = -180;
		box.east = 180;
	}
	return box;
}

/* The square of a part's length in degrees; 0 when it has none to speak of. */
static double
square(const Part *p)
{
	double		x = p->to.lon - p->from.lon;
	double		y = p->to.lat - p->from.lat;
	double		length = x * x + y * y;

	return isnormal(length) ? length : 0;
}

/* One edge is enough. */
static bool
stop(const GeoTouch *touch, void *arg)
{
	(void) touch;
	(void) arg;
	return false;
}

static bool
part_meets(const GeoShape *shape, const Part *part)
{
	GeoBox		box = part_extent(part);

	if (shape->empty || !geo_boxes_meet(&shape->extent, &box))
		return false;
	return geo_where(shape, part->from.lon, part->from.lat) != GEO_OUTSIDE ||
		geo_where(shape, part->to.lon, part->to.lat) != GEO_OUTSIDE ||
		(square(part) > 0 && geo_touch(shape, part->from, part->to, stop, NULL));
}

bool
geo_shape_meets(GeoShape *shape, const GeoSegment *segment)
{
	Part		part[2];
	int			parts = cut(segment, part);

	for (int i = 0; i < parts; i++)
	{
		if (part_meets(shape, &part[i]))
			return true;
	}
	return false;
}

static bool
add(Events *events, double at, bool turn, int along)
{
	if (events->count == events->room)
	{
		size_t		room = 2 * events->room + 16;
		Event	   *larger = realloc(events->event, room * sizeof(*larger));

		if (larger == NULL)
		{
			events->failed = true;
			return false;
		}
		events->event = larger;
		events->room = room;
	}
	events->event[events->count++] = (Event) {at, turn, along};
	return true;
}

/* Gives where a place on the part's line is. */
static double
fraction_of(const Events *events, GeoPlace place)
{
	const Part *p = events->part;
	double		at = ((place.lon - p->from.lon) * (p->to.lon - p->from.lon) +
					  (place.lat - p->from.lat) * (p->to.lat - p->from.lat)) /
		events->square;

	return fmin(fmax(at, 0), 1);
}

/* A number of twice the digits. */
typedef struct Wide
{
	double		high;
	double		low;
} Wide;

static Wide
difference(double a, double b)
{
	double		high = a - b;
	double		back = a - high;

	return (Wide) {high, (a - (high + back)) + (back - b)};
}

static Wide
product(Wide a, Wide b)
{
	double		high = a.high * b.high;

	return (Wide) {high, fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high)};
}

/* How far a place is to the left of an edge, times the length of the edge. */
static double
leftness(const GeoTouch *touch, GeoPlace place)
{
	Wide		a = product(difference(touch->end.lon, touch->begin.lon),
							difference(place.lat, touch->begin.lat));
	Wide		b = product(difference(touch->end.lat, touch->begin.lat),
							difference(place.lon, touch->begin.lon));
	Wide		sum = difference(a.high, b.high);

	return sum.high + (sum.low + (a.low - b.low));
}

/*
 * Gives where the part crosses an edge.  When the two are almost parallel, all the
 * digits of doubles cancel out.
 */
static double
fraction_at(const Part *p, const GeoTouch *touch)
{
	double		from = leftness(touch, p->from);
	double		to = leftness(touch, p->to);
	double		at = from / (from - to);

	if (touch->from_side == 0)
		return 0;
	if (touch->to_side == 0)
		return 1;
	/* No number comes of what is too small to be told apart. */
	return at >= 0 && at <= 1 ? at : 0.5;
}

static bool
on_touch(const GeoTouch *touch, void *arg)
{
	Events	   *events = arg;

	if (touch->begin_side == 0 && touch->end_side == 0)
	{
		double		a = fraction_of(events, touch->begin);
		double		b = fraction_of(events, touch->end);

		return add(events, fmin(a, b), false, 1) && add(events, fmax(a, b), false, -1);
	}
	if (touch->begin_side == 0)
		return add(events, fraction_of(events, touch->begin), touch->end_side > 0, 0);
	if (touch->end_side == 0)
		return add(events, fraction_of(events, touch->end), touch->begin_side > 0, 0);
	return add(events, fraction_at(events->part, touch), true, 0);
}

static int
compare_events(const void *a, const void *b)
{
	const Event *x = a;
	const Event *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/*
 * Tells whether what is left of the line is inside before the first event.  An end
 * that is not on the boundary tells; else the middle of the longest way between two
 * events that does not run along an edge.
 */
static bool
begins_inside(const Events *events, const GeoShape *shape, GeoWhere from, GeoWhere to)
{
	const Part *p = events->part;
	double		longest = -1;
	double		middle = 0;
	bool		turned = false;
	bool		turned_there = false;
	int			along = 0;

	if (from != GEO_BOUNDARY)
		return from == GEO_INSIDE;
	for (size_t i = 0; i <= events->count; i++)
	{
		double		begin = i > 0 ? events->event[i - 1].at : 0;
		double		end = i < events->count ? events->event[i].at : 1;

		if (along == 0 && end - begin > longest)
		{
			longest = end - begin;
			middle = begin + (end - begin) / 2;
			turned_there = turned;
		}
		if (i == events->count)
			break;
		turned ^= events->event[i].turn;
		along += events->event[i].along;
	}
	if (to != GEO_BOUNDARY)
		return (to == GEO_INSIDE) != turned;
	/* What lies on the boundary by rounding belongs to the shape. */
	return (geo_where(shape, p->from.lon + middle * (p->to.lon - p->from.lon),
					  p->from.lat + middle * (p->to.lat - p->from.lat)) != GEO_OUTSIDE) !=
		turned_there;
}

/* Takes a piece inside, by fractions of the whole; they come in order. */
static void
take(GeoCrossing *c, double begin, double end)
{
	/* Nothing taken: last is less than any fraction. */
	if (c->last < 0)
		*c = (GeoCrossing) {begin, end, begin, end};
	else if (begin > c->last)
	{
		c->last_entry = begin;
		c->last = end;
	}
	else
	{
		if (c->first == c->last_entry)
			c->first_exit = fmax(c->last, end);
		c->last = fmax(c->last, end);
	}
}

static void
take_part(GeoCrossing *c, const Part *p, double begin, double end)
{
	double		width = p->end - p->begin;

	take(c, begin < 1 ? p->begin + begin * width : p->end,
		 end < 1 ? p->begin + end * width : p->end);
}

/* Takes the pieces between the events, and the events, all of which are touches. */
static void
take_events(GeoCrossing *c, const Events *events, bool inside)
{
	double		at = 0;
	int			along = 0;

	for (size_t i = 0; i < events->count; i++)
	{
		const Event *e = &events->event[i];

		if (inside || along > 0)
			take_part(c, events->part, at, e->at);
		take_part(c, events->part, e->at, e->at);
		at = e->at;
		inside ^= e->turn;
		along += e->along;
	}
	if (inside || along > 0)
		take_part(c, events->part, at, 1);
}

/* Takes what a part has in common with the shape; false when there is no memory. */
static bool
cross_part(GeoCrossing *crossing, const GeoShape *shape, const Part *part)
{
	Events		events = {.part = part, .square = square(part)};
	GeoBox		box = part_extent(part);
	GeoWhere	from;
	GeoWhere	to;

	if (shape->empty || !geo_boxes_meet(&shape->extent, &box))
		return true;
	from = geo_where(shape, part->from.lon, part->from.lat);
	to = geo_where(shape, part->to.lon, part->to.lat);
	if (events.square == 0)
	{
		if (from != GEO_OUTSIDE || to != GEO_OUTSIDE)
			take_part(crossing, part, 0, 1);
		return true;
	}
	geo_touch(shape, part->from, part->to, on_touch, &events);
	if (!events.failed)
	{
		if (events.count > 1)
			qsort(events.event, events.count, sizeof(*events.event), compare_events);
		/* An end that is inside is one of the piece, whatever is rounded. */
		if (from != GEO_OUTSIDE)
			take_part(crossing, part, 0, 0);
		take_events(crossing, &events, begins_inside(&events, shape, from, to));
		if (to != GEO_OUTSIDE)
			take_part(crossing, part, 1, 1);
	}
	free(events.event);
	return !events.failed;
}

bool
geo_shape_crossing(GeoShape *shape, const GeoSegment *segment,
				   GeoCrossing *crossing)
{
	GeoCrossing found = {-1, -1, -1, -1};
	Part		part[2];
	int			parts = cut(segment, part);

	for (int i = 0; i < parts; i++)
	{
		if (!cross_part(&found, shape, &part[i]))
			return false;
	}
	if (found.last < 0)
		return false;
	*crossing = found;
	return true;
}
