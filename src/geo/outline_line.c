/*
 * outline_line.c
 *	  Goes round a line at a distance.
 *
 * A line becomes a strip along each edge, a sector of a circle at each turn, on
 * its outer side, and half a circle at either end.  Sectors reach a little into
 * the strips beside them: parts that only share an edge may, once they are
 * joined, have a slit there.
 */
#include <string.h>

#include "geo/outline_private.h"

#define AXIS_M		6378137.0	/* of WGS 84 */
#define FLATTENING	(1 / 298.257223563)
#define RADIANS(degrees)	((degrees) * (M_PI / 180))
#define DEGREES(radians)	((radians) * (180 / M_PI))
#define EDGE_ERROR	3e-4		/* of the distance, for leaving the true curve */
#define HALVINGS_MAX	26		/* of an edge: down to less than a metre */
#define STATIONS_MAX	4000000	/* of an edge */
#define SAME_PLACE	1e-10		/* radians: less than a millimetre */
#define OVERLAP		0.05		/* radians that a sector reaches into a strip */

typedef struct Vector
{
	double		x;
	double		y;
	double		z;
} Vector;

/* An edge of the line. */
typedef struct Edge
{
	GeoPlace		from;
	GeoPlace		to;
	Vector		a;
	Vector		b;
	Vector		normal;
	double		angle;
} Edge;

/* Goes so far from a place on the spheroid: T. Vincenty's direct solution. */
static GeoPlace
go(Outline *outline, GeoPlace from, double azimuth, double metres)
{
	const double b = AXIS_M * (1 - FLATTENING);
	double		tan_u = (1 - FLATTENING) * tan(RADIANS(from.lat));
	double		cos_u = 1 / sqrt(1 + tan_u * tan_u);
	double		sin_u = tan_u * cos_u;
	double		sin_1 = sin(azimuth);
	double		cos_1 = cos(azimuth);
	double		sigma_1 = atan2(tan_u, cos_1);
	double		sin_a = cos_u * sin_1;
	double		cos2_a = 1 - sin_a * sin_a;
	double		u2 = cos2_a * (AXIS_M * AXIS_M - b * b) / (b * b);
	double		large_a = 1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2)));
	double		large_b = u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2)));
	double		start = metres / (b * large_a);
	double		sigma = start;
	double		cos_m = 0;
	double		sin_s = 0;
	double		cos_s = 1;
	double		across;
	double		c;
	double		turn;
	GeoPlace		to;

	for (int i = 0; i < 10; i++)
	{
		cos_m = cos(2 * sigma_1 + sigma);
		sin_s = sin(sigma);
		cos_s = cos(sigma);
		sigma = start + large_b * sin_s *
			(cos_m + large_b / 4 * (cos_s * (2 * cos_m * cos_m - 1) -
									large_b / 6 * cos_m * (4 * sin_s * sin_s - 3) * (4 * cos_m * cos_m - 3)));
	}
	across = sin_u * sin_s - cos_u * cos_s * cos_1;
	to.lat = DEGREES(atan2(sin_u * cos_s + cos_u * sin_s * cos_1,
						   (1 - FLATTENING) * sqrt(sin_a * sin_a + across * across)));
	c = FLATTENING / 16 * cos2_a * (4 + FLATTENING * (4 - 3 * cos2_a));
	turn = atan2(sin_s * sin_1, cos_u * cos_s - sin_u * sin_s * cos_1);
	/* Beyond a pole. */
	if (fabs(turn) > M_PI / 2)
		outline_fail(outline, "it reaches a pole");
	to.lon = from.lon + DEGREES(turn - (1 - c) * FLATTENING * sin_a *
								(sigma + c * sin_s * (cos_m + c * cos_s * (2 * cos_m * cos_m - 1))));
	return to;
}

static void
put_circle(Outline *outline, GeoPlace centre)
{
	/* What goes both ways and stays on this side goes round no pole. */
	go(outline, centre, 0, outline->metres);
	go(outline, centre, M_PI, outline->metres);
	outline_begin_ring(outline);
	for (int i = 0; i < CIRCLE; i++)
		outline_put_place(outline, go(outline, centre, i * (2 * M_PI / CIRCLE), outline->metres));
	outline_end_ring(outline);
}

/* -------------------------------------------------------------- the strips -- */

static Vector
vector_of(GeoPlace place)
{
	double		lon = RADIANS(place.lon);
	double		lat = RADIANS(place.lat);

	return (Vector) {cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)};
}

static Vector
cross(Vector a, Vector b)
{
	return (Vector) {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static double
dot(Vector a, Vector b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z;
}

/* Takes the turn of a longitude that is nearest to another. */
double
outline_unwrap(double lon, double near)
{
	return lon + 360 * round((near - lon) / 360);
}

/* Makes an edge; false when it has no length. */
static bool
edge_between(Outline *outline, GeoPlace from, GeoPlace to, Edge *edge)
{
	double		length;

	edge->from = from;
	edge->a = vector_of(from);
	edge->b = vector_of(to);
	edge->normal = cross(edge->a, edge->b);
	length = sqrt(dot(edge->normal, edge->normal));
	edge->angle = atan2(length, dot(edge->a, edge->b));
	if (edge->angle < SAME_PLACE)
		return false;
	if (edge->angle > M_PI - 1e-6)
		return outline_fail(outline, "an edge goes round half the globe");
	edge->normal = (Vector) {edge->normal.x / length, edge->normal.y / length, edge->normal.z / length};
	edge->to.lon = outline_unwrap(to.lon, from.lon);
	edge->to.lat = to.lat;
	return true;
}

static double
azimuth_at(const Edge *edge, GeoPlace place)
{
	double		lon = RADIANS(place.lon);
	double		lat = RADIANS(place.lat);
	Vector		ahead = cross(edge->normal, vector_of(place));
	Vector		east = {-sin(lon), cos(lon), 0};
	Vector		north = {-sin(lat) * cos(lon), -sin(lat) * sin(lon), cos(lat)};

	return atan2(dot(ahead, east), dot(ahead, north));
}

/* Makes the station at this part of the edge; near: a longitude not far away. */
static Station
station_at(Outline *outline, const Edge *edge, double part, double near)
{
	Station		station;

	station.part = part;
	if (part == 0)
		station.at = edge->from;
	else if (part == 1)
		station.at = edge->to;
	else
	{
		double		wa = sin((1 - part) * edge->angle);
		double		wb = sin(part * edge->angle);
		Vector		p = {wa * edge->a.x + wb * edge->b.x,
			wa * edge->a.y + wb * edge->b.y, wa * edge->a.z + wb * edge->b.z};

		station.at.lon = outline_unwrap(DEGREES(atan2(p.y, p.x)), near);
		station.at.lat = DEGREES(atan2(p.z, hypot(p.x, p.y)));
	}
	station.azimuth = azimuth_at(edge, station.at);
	go(outline, station.at, 0, outline->metres);
	go(outline, station.at, M_PI, outline->metres);
	station.left = go(outline, station.at, station.azimuth - M_PI / 2, outline->metres);
	station.right = go(outline, station.at, station.azimuth + M_PI / 2, outline->metres);
	return station;
}

/* Tells whether a place is where a straight edge has it, nearly enough. */
static bool
is_straight(const Outline *outline, GeoPlace from, GeoPlace to, GeoPlace between, double part)
{
	double		x = from.lon + (to.lon - from.lon) * part - between.lon;
	double		y = from.lat + (to.lat - from.lat) * part - between.lat;

	x *= cos(RADIANS(between.lat));
	return hypot(x, y) * (M_PI / 180 * AXIS_M) < EDGE_ERROR * outline->metres;
}

static bool
add_station(Outline *outline, Station station)
{
	void	   *array = outline->stations;

	if (outline->station_count == STATIONS_MAX)
		return outline_fail(outline, "an edge is too long for so small a distance");
	if (!outline_grow(outline, &array, &outline->station_room, outline->station_count + 1,
			  sizeof(Station)))
		return false;
	outline->stations = array;
	outline->stations[outline->station_count++] = station;
	return true;
}

/*
 * Adds stations behind the first one up to the last, close enough for straight
 * edges.  Three in between are looked at: with one, a curve that crosses its
 * chord in the middle would look straight.
 */
static void
add_stations(Outline *outline, const Edge *edge, const Station *first,
			 const Station *last, int depth)
{
	double		step = (last->part - first->part) / 4;
	Station		between[3];
	bool		straight = step * edge->angle < 0.1;

	for (int i = 0; i < 3; i++)
	{
		double		part = (i + 1) / 4.0;

		between[i] = station_at(outline, edge, first->part + (i + 1) * step, first->at.lon);
		straight = straight &&
			is_straight(outline, first->left, last->left, between[i].left, part) &&
			is_straight(outline, first->right, last->right, between[i].right, part);
	}
	if (outline_failed(outline))
		return;
	if (straight || depth == HALVINGS_MAX)
	{
		add_station(outline, *last);
		return;
	}
	add_stations(outline, edge, first, &between[1], depth + 1);
	add_stations(outline, edge, &between[1], last, depth + 1);
}

/* Puts the strip along an edge; its stations stay, for their azimuths. */
static void
put_strip(Outline *outline, const Edge *edge)
{
	Station		first = station_at(outline, edge, 0, edge->from.lon);
	Station		last = station_at(outline, edge, 1, edge->from.lon);

	outline->station_count = 0;
	if (outline_failed(outline) || !add_station(outline, first))
		return;
	add_stations(outline, edge, &first, &last, 0);
	if (outline_failed(outline))
		return;
	outline_begin_ring(outline);
	outline_put_place(outline, edge->from);
	for (size_t i = 0; i < outline->station_count; i++)
		outline_put_place(outline, outline->stations[i].left);
	outline_put_place(outline, edge->to);
	for (size_t i = outline->station_count; i-- > 0;)
		outline_put_place(outline, outline->stations[i].right);
	outline_end_ring(outline);
}

/* Puts a sector of the circle, from one azimuth to another, and a bit more. */
static void
put_sector(Outline *outline, GeoPlace at, double from, double to)
{
	double		more = to < from ? -OVERLAP : OVERLAP;
	double		turn = to - from + 2 * more;
	int			steps = (int) ceil(fabs(turn) / (2 * M_PI / CIRCLE));

	outline_begin_ring(outline);
	outline_put_place(outline, at);
	for (int i = 0; i <= steps; i++)
		outline_put_place(outline, go(outline, at, from - more + turn * i / steps, outline->metres));
	outline_end_ring(outline);
}

/* Puts what is open at a turn, on its outer side. */
static void
put_turn(Outline *outline, GeoPlace at, double before, double after)
{
	double		turn = remainder(after - before, 2 * M_PI);
	double		side = turn > 0 ? -M_PI / 2 : M_PI / 2;

	put_sector(outline, at, before + side, before + side + turn);
	/* On the other side the strips overlap, but hardly when it is slight. */
	if (fabs(turn) < 2 * OVERLAP)
		put_sector(outline, at, before - side, before - side + turn);
}

void
outline_put_line(Outline *outline, const GeoPlace *places, size_t count)
{
	GeoPlace		at = places[0];
	double		azimuth = 0;
	bool		begun = false;

	for (size_t i = 1; i < count && !outline_failed(outline); i++)
	{
		Edge		edge;

		if (!edge_between(outline, at, places[i], &edge))
			continue;
		put_strip(outline, &edge);
		if (outline_failed(outline))
			return;
		if (begun)
			put_turn(outline, at, azimuth, outline->stations[0].azimuth);
		else
		{
			azimuth = outline->stations[0].azimuth;
			put_sector(outline, at, azimuth + M_PI / 2, azimuth + M_PI * 3 / 2);
		}
		begun = true;
		azimuth = outline->stations[outline->station_count - 1].azimuth;
		at = edge.to;
	}
	if (begun)
		put_sector(outline, at, azimuth - M_PI / 2, azimuth + M_PI / 2);
	else
		put_circle(outline, at);
}
