/*
 * outline.c
 *	  All that is within a distance of a point or a line, as polygons.
 *
 * A line becomes a strip along each edge, a sector of a circle at each turn, on
 * its outer side, and half a circle at either end.  Sectors reach a little into
 * the strips beside them: parts that only share an edge may, once they are
 * joined, have a slit there.
 */
#include "geo/outline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef POSTGRES_H
#error "src/geo is pure: it includes nothing of PostgreSQL"
#endif

#define AXIS_M		6378137.0	/* of WGS 84 */
#define FLATTENING	(1 / 298.257223563)

#define RADIANS(degrees)	((degrees) * (M_PI / 180))
#define DEGREES(radians)	((radians) * (180 / M_PI))

#define CIRCLE		128			/* edges of a full one */
#define EDGE_ERROR	3e-4		/* of the distance, for leaving the true curve */
#define HALVINGS_MAX	26		/* of an edge: down to less than a metre */
#define STATIONS_MAX	4000000	/* of an edge */
#define METRES_MIN	0.1			/* with less, rounding would look like a curve */
#define METRES_MAX	1000000.0
#define SAME_PLACE	1e-10		/* radians: less than a millimetre */
#define OVERLAP		0.05		/* radians that a sector reaches into a strip */

typedef struct Place
{
	double		lon;			/* degrees; goes on beyond +-180 */
	double		lat;
} Place;

typedef struct Vector
{
	double		x;
	double		y;
	double		z;
} Vector;

/* A place on an edge, and those at the distance to either side. */
typedef struct Station
{
	double		part;			/* 0 .. 1 of the edge */
	double		azimuth;		/* radians clockwise from north */
	Place		at;
	Place		left;
	Place		right;
} Station;

/* An edge of the line. */
typedef struct Edge
{
	Place		from;
	Place		to;
	Vector		a;
	Vector		b;
	Vector		normal;
	double		angle;
} Edge;

typedef struct Outline
{
	GeoError   *error;
	double		metres;			/* to the vertices of a circle: outside of it */
	uint8_t    *bytes;
	size_t		size;
	size_t		room;
	uint32_t	polygons;
	uint32_t	points;			/* of the ring at hand */
	size_t		points_at;
	Place		first;
	Station    *stations;		/* of the edge at hand */
	size_t		station_count;
	size_t		station_room;
} Outline;

static bool
fail(Outline *outline, const char *text)
{
	if (outline->error->text[0] == '\0')
		snprintf(outline->error->text, sizeof(outline->error->text), "%s", text);
	return false;
}

static bool
failed(const Outline *outline)
{
	return outline->error->text[0] != '\0';
}

/* Makes an array larger; false when there is no memory. */
static bool
grow(Outline *outline, void **array, size_t *room, size_t needed, size_t size)
{
	size_t		wanted = *room ? *room : 64;
	void	   *larger;

	if (needed <= *room)
		return true;
	while (wanted < needed)
		wanted *= 2;
	larger = realloc(*array, wanted * size);
	if (larger == NULL)
		return fail(outline, "out of memory");
	*array = larger;
	*room = wanted;
	return true;
}

/* ---------------------------------------------------------------- writing -- */

static void
put(Outline *outline, const void *bytes, size_t size)
{
	void	   *array = outline->bytes;

	if (failed(outline) || !grow(outline, &array, &outline->room, outline->size + size, 1))
		return;
	outline->bytes = array;
	memcpy(outline->bytes + outline->size, bytes, size);
	outline->size += size;
}

/* In the byte order of this machine, which the WKB says. */
static void
put_header(Outline *outline, uint32_t type, uint32_t count)
{
	const uint32_t one = 1;
	uint8_t		order;

	memcpy(&order, &one, 1);
	put(outline, &order, 1);
	put(outline, &type, sizeof(type));
	put(outline, &count, sizeof(count));
}

static void
patch(Outline *outline, size_t at, uint32_t count)
{
	if (!failed(outline))
		memcpy(outline->bytes + at, &count, sizeof(count));
}

static void
begin_ring(Outline *outline)
{
	put_header(outline, 3, 1);
	outline->points_at = outline->size;
	outline->points = 0;
	put(outline, &outline->points, sizeof(outline->points));
	outline->polygons++;
}

static void
put_place(Outline *outline, Place place)
{
	if (outline->points++ == 0)
		outline->first = place;
	put(outline, &place.lon, sizeof(double));
	put(outline, &place.lat, sizeof(double));
}

static void
end_ring(Outline *outline)
{
	put_place(outline, outline->first);
	patch(outline, outline->points_at, outline->points);
}

/* -------------------------------------------------------------- measuring -- */

/* Goes so far from a place on the spheroid: T. Vincenty's direct solution. */
static Place
go(Outline *outline, Place from, double azimuth, double metres)
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
	Place		to;

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
		fail(outline, "it reaches a pole");
	to.lon = from.lon + DEGREES(turn - (1 - c) * FLATTENING * sin_a *
								(sigma + c * sin_s * (cos_m + c * cos_s * (2 * cos_m * cos_m - 1))));
	return to;
}

static void
put_circle(Outline *outline, Place centre)
{
	/* What goes both ways and stays on this side goes round no pole. */
	go(outline, centre, 0, outline->metres);
	go(outline, centre, M_PI, outline->metres);
	begin_ring(outline);
	for (int i = 0; i < CIRCLE; i++)
		put_place(outline, go(outline, centre, i * (2 * M_PI / CIRCLE), outline->metres));
	end_ring(outline);
}

/* -------------------------------------------------------------- the strips -- */

static Vector
vector_of(Place place)
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
static double
unwrap(double lon, double near)
{
	return lon + 360 * round((near - lon) / 360);
}

/* Makes an edge; false when it has no length. */
static bool
edge_between(Outline *outline, Place from, Place to, Edge *edge)
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
		return fail(outline, "an edge goes round half the globe");
	edge->normal = (Vector) {edge->normal.x / length, edge->normal.y / length, edge->normal.z / length};
	edge->to.lon = unwrap(to.lon, from.lon);
	edge->to.lat = to.lat;
	return true;
}

static double
azimuth_at(const Edge *edge, Place place)
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

		station.at.lon = unwrap(DEGREES(atan2(p.y, p.x)), near);
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
is_straight(const Outline *outline, Place from, Place to, Place between, double part)
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
		return fail(outline, "an edge is too long for so small a distance");
	if (!grow(outline, &array, &outline->station_room, outline->station_count + 1,
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
	if (failed(outline))
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
	if (failed(outline) || !add_station(outline, first))
		return;
	add_stations(outline, edge, &first, &last, 0);
	if (failed(outline))
		return;
	begin_ring(outline);
	put_place(outline, edge->from);
	for (size_t i = 0; i < outline->station_count; i++)
		put_place(outline, outline->stations[i].left);
	put_place(outline, edge->to);
	for (size_t i = outline->station_count; i-- > 0;)
		put_place(outline, outline->stations[i].right);
	end_ring(outline);
}

/* Puts a sector of the circle, from one azimuth to another, and a bit more. */
static void
put_sector(Outline *outline, Place at, double from, double to)
{
	double		more = to < from ? -OVERLAP : OVERLAP;
	double		turn = to - from + 2 * more;
	int			steps = (int) ceil(fabs(turn) / (2 * M_PI / CIRCLE));

	begin_ring(outline);
	put_place(outline, at);
	for (int i = 0; i <= steps; i++)
		put_place(outline, go(outline, at, from - more + turn * i / steps, outline->metres));
	end_ring(outline);
}

/* Puts what is open at a turn, on its outer side. */
static void
put_turn(Outline *outline, Place at, double before, double after)
{
	double		turn = remainder(after - before, 2 * M_PI);
	double		side = turn > 0 ? -M_PI / 2 : M_PI / 2;

	put_sector(outline, at, before + side, before + side + turn);
	/* On the other side the strips overlap, but hardly when it is slight. */
	if (fabs(turn) < 2 * OVERLAP)
		put_sector(outline, at, before - side, before - side + turn);
}

static void
put_line(Outline *outline, const Place *places, size_t count)
{
	Place		at = places[0];
	double		azimuth = 0;
	bool		begun = false;

	for (size_t i = 1; i < count && !failed(outline); i++)
	{
		Edge		edge;

		if (!edge_between(outline, at, places[i], &edge))
			continue;
		put_strip(outline, &edge);
		if (failed(outline))
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

/* ---------------------------------------------------------------- reading -- */

typedef struct Reader
{
	const uint8_t *at;
	const uint8_t *end;
	bool		swap;
} Reader;

static bool
take(Reader *reader, void *value, size_t size)
{
	uint8_t    *to = value;

	if ((size_t) (reader->end - reader->at) < size)
		return false;
	for (size_t i = 0; i < size; i++)
		to[reader->swap ? size - 1 - i : i] = reader->at[i];
	reader->at += size;
	return true;
}

static bool
take_type(Reader *reader, uint32_t *type)
{
	const uint32_t one = 1;
	uint8_t		machine;
	uint8_t		order;

	memcpy(&machine, &one, 1);
	if (!take(reader, &order, 1) || order > 1)
		return false;
	reader->swap = order != machine;
	return take(reader, type, sizeof(*type));
}

static bool
read_places(Outline *outline, Reader *reader, uint32_t count)
{
	Place	   *places;

	if (count == 0)
		return true;
	if ((size_t) (reader->end - reader->at) / (2 * sizeof(double)) < count)
		return fail(outline, "not the WKB of a point or line");
	places = malloc(count * sizeof(Place));
	if (places == NULL)
		return fail(outline, "out of memory");
	for (uint32_t i = 0; i < count && !failed(outline); i++)
	{
		take(reader, &places[i].lon, sizeof(double));
		take(reader, &places[i].lat, sizeof(double));
		if (!(fabs(places[i].lon) <= 360 && fabs(places[i].lat) <= 90))
			fail(outline, "it has a place that is not on the globe");
		else
			places[i].lon = unwrap(places[i].lon, 0);
	}
	if (!failed(outline))
		put_line(outline, places, count);
	free(places);
	return !failed(outline);
}

static bool
read_geometry(Outline *outline, Reader *reader, bool nested)
{
	uint32_t	type;
	uint32_t	count = 1;

	if (!take_type(reader, &type) ||
		(type != 1 && !take(reader, &count, sizeof(count))))
		return fail(outline, "not the WKB of a point or line");
	if (type == 1 || type == 2)
		return read_places(outline, reader, count);
	if (type != 5 || nested)
		return fail(outline, "not the WKB of a point or line");
	for (uint32_t i = 0; i < count; i++)
	{
		if (!read_geometry(outline, reader, true))
			return false;
	}
	return true;
}

uint8_t *
geo_outline(const uint8_t *wkb, size_t size, double metres, size_t *outline_size,
			GeoError *error)
{
	/* As much inside the circle in the middle of its edges as outside. */
	Outline		outline = {.error = error,.metres = 2 * metres / (1 + cos(M_PI / CIRCLE))};
	Reader		reader = {wkb, wkb + size, false};

	error->text[0] = '\0';
	if (!(metres >= METRES_MIN && metres <= METRES_MAX))
		fail(&outline, "the distance is not between 0.1 and 1,000,000 metres");
	else
	{
		put_header(&outline, 6, 0);
		read_geometry(&outline, &reader, false);
		patch(&outline, 5, outline.polygons);
	}
	free(outline.stations);
	if (failed(&outline))
	{
		free(outline.bytes);
		return NULL;
	}
	*outline_size = outline.size;
	return outline.bytes;
}
