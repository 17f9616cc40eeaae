/*
 * metres.c
 *		Distances in metres.
 *
 * Invariant: no distance is computed in degrees.  Degrees only tell what cannot
 * be near, by bounds that hold everywhere, the poles and the antimeridian
 * included; what may be near is measured in space, between points of the
 * ellipsoid.
 */
#include <math.h>

#include "geo/geo_private.h"

/* WGS 84 */
#define EQUATOR_M	6378137.0
#define FLATTENING	(1 / 298.257223563)
#define ECCENTRICITY_2	(FLATTENING * (2 - FLATTENING))

/* The smallest radius of curvature there is: of the meridian, at the equator. */
#define RADIUS_MIN_M	(EQUATOR_M * (1 - ECCENTRICITY_2))

#define RADIANS		(M_PI / 180)

/* An edge is searched in pieces this long: shorter than the distances at which
 * an edge that is straight in degrees bends back in space. */
#define PIECE_DEGREES	1.0
#define PIECES_MAX		1024

#define STEPS_MAX		12

/* A point of the ellipsoid in space, and which way east and north are. */
typedef struct Spot
{
	double		x, y, z;
	double		east_x, east_y; /* metres for a radian of longitude; z = 0 */
	double		north_x, north_y, north_z;	/* for a radian of latitude */
} Spot;

static void
spot_at(Spot *spot, double lon, double lat)
{
	double		sin_lon = sin(lon * RADIANS);
	double		cos_lon = cos(lon * RADIANS);
	double		sin_lat = sin(lat * RADIANS);
	double		cos_lat = cos(lat * RADIANS);
	double		w = 1 - ECCENTRICITY_2 * sin_lat * sin_lat;
	double		n = EQUATOR_M / sqrt(w);
	double		m = n * (1 - ECCENTRICITY_2) / w;

	spot->x = n * cos_lat * cos_lon;
	spot->y = n * cos_lat * sin_lon;
	spot->z = n * (1 - ECCENTRICITY_2) * sin_lat;
	spot->east_x = -spot->y;
	spot->east_y = spot->x;
	spot->north_x = -m * sin_lat * cos_lon;
	spot->north_y = -m * sin_lat * sin_lon;
	spot->north_z = m * cos_lat;
}

static double
chord(const Spot *a, const Spot *b)
{
	double		x = a->x - b->x;
	double		y = a->y - b->y;
	double		z = a->z - b->z;

	return sqrt(x * x + y * y + z * z);
}

/* Turns a chord into the way along the surface. */
static double
arc(double chord)
{
	return 2 * GEO_SPHERE_M * asin(fmin(chord / (2 * GEO_SPHERE_M), 1));
}

/* The other way round; more than any chord for what reaches round the earth. */
static double
chord_of(double metres)
{
	if (metres >= M_PI * GEO_SPHERE_M)
		return INFINITY;
	return 2 * GEO_SPHERE_M * sin(metres / (2 * GEO_SPHERE_M));
}

/* Gives all places whose chord to one is no longer than `reach`, and some more. */
static GeoWindow
window_around(double lon, double lat, double reach)
{
	double		angle = 2 * asin(fmin(reach / (2 * RADIUS_MIN_M), 1)) / RADIANS;
	double		high;
	double		width = 180;
	GeoWindow	w = {GEO_NO_LONGITUDE};

	/* Latitudes of the ellipsoid run ahead of the angle at its centre by up to
	 * 0.7 %. */
	angle *= 1.01;
	w.south = lat - angle;
	w.north = lat + angle;
	high = fabs(lat) + angle;
	if (high < 90)
		width = fmin(angle / cos(high * RADIANS), 180);
	w.west = lon - width;
	w.east = lon + width;
	if (w.west < -180)
	{
		w.west2 = w.west + 360;
		w.east2 = INFINITY;
	}
	else if (w.east > 180)
	{
		w.west2 = -INFINITY;
		w.east2 = w.east - 360;
	}
	return w;
}

/*
 * Finds the shortest chord from a point to a piece of an edge, by steps along the
 * edge as if it were straight in space, which it nearly is near the point.
 */
static double
chord_to_piece(const Spot *point, GeoPlace from, GeoPlace to)
{
	double		lon = to.lon - from.lon;
	double		lat = to.lat - from.lat;
	double		at = 0;
	double		best = INFINITY;
	double		next = 0.5;

	for (int i = 0; i < STEPS_MAX; i++)
	{
		Spot		spot;
		double		distance;
		double		x;
		double		y;
		double		z;
		double		speed;		/* metres for the whole piece */

		spot_at(&spot, from.lon + next * lon, from.lat + next * lat);
		distance = chord(point, &spot);
		if (!(distance < best))
		{
			/* Too far: the edge bends.  Half the way, then. */
			next = at + (next - at) / 2;
			continue;
		}
		best = distance;
		at = next;
		x = (spot.east_x * lon + spot.north_x * lat) * RADIANS;
		y = (spot.east_y * lon + spot.north_y * lat) * RADIANS;
		z = spot.north_z * lat * RADIANS;
		speed = sqrt(x * x + y * y + z * z);
		if (!(speed > 0))
			break;
		next += ((point->x - spot.x) * x + (point->y - spot.y) * y +
				 (point->z - spot.z) * z) / (speed * speed);
		next = fmin(fmax(next, 0), 1);
		/* A step of a thousandth of the distance makes it no shorter that counts. */
		if (fabs(next - at) * speed <= 1e-3 * distance)
			break;
	}
	return best;
}

/* Finds the shortest chord from a point to an edge, as far as it is in the
 * window. */
static double
chord_to_edge(const Spot *point, const GeoWindow *w, GeoPlace from, GeoPlace to)
{
	double		size = fmax(fabs(to.lon - from.lon), fabs(to.lat - from.lat));
	int			pieces = (int) fmin(ceil(size / PIECE_DEGREES), PIECES_MAX);
	double		lon = (to.lon - from.lon) / pieces;
	double		lat = (to.lat - from.lat) / pieces;
	double		best = INFINITY;

	if (pieces <= 1)
		return chord_to_piece(point, from, to);
	for (int i = 0; i < pieces; i++)
	{
		GeoPlace	a = {from.lon + i * lon, from.lat + i * lat};
		GeoPlace	b = {a.lon + lon, a.lat + lat};

		if (geo_in_window(w, a.lon, a.lat, b.lon, b.lat))
			best = fmin(best, chord_to_piece(point, a, b));
	}
	return best;
}

/* Finds the vertex that seems to be nearest, of one in each leaf: a bound for
 * what is searched. */
static GeoPlace
near_place(const GeoShape *shape, double lon, double lat)
{
	double		narrow = cos(lat * RADIANS);
	double		best = INFINITY;
	GeoPlace	found = shape->place[0];

	for (size_t i = 0; i < shape->places; i += GEO_LEAF_EDGES)
	{
		double		x = fabs(shape->place[i].lon - lon);
		double		y = shape->place[i].lat - lat;
		double		distance;

		x = (x > 180 ? 360 - x : x) * narrow;
		distance = x * x + y * y;
		if (distance < best)
		{
			best = distance;
			found = shape->place[i];
		}
	}
	return found;
}

/* A search for the shortest chord. */
typedef struct Search
{
	double		lon;
	double		lat;
	Spot		point;
	double		best;			/* so far */
	GeoWindow	window;			/* where a shorter one can end */
} Search;

static void
shorten(Search *search, double chord)
{
	if (chord < search->best)
	{
		search->best = chord;
		search->window = window_around(search->lon, search->lat, chord);
	}
}

static void
search_leaf(Search *search, const GeoShape *shape, size_t leaf)
{
	const GeoPlace *end = geo_leaf_end(shape, leaf);

	for (const GeoPlace *a = geo_leaf_begin(shape, leaf); a < end; a++)
	{
		if (geo_in_window(&search->window, a[0].lon, a[0].lat, a[1].lon, a[1].lat))
			shorten(search, chord_to_edge(&search->point, &search->window, a[0], a[1]));
	}
}

double
geo_shape_metres(GeoShape *shape, double lon, double lat, double enough)
{
	/* What is just as far as that is measured. */
	double		limit = chord_of(enough) * (1 + 1e-9);
	Search		search = {lon, lat, .best = limit};
	GeoBox	   *box = &shape->extent;
	GeoPlace	near;
	Spot		spot;
	size_t		leaf;

	if (shape->empty || !isfinite(lon) || !isfinite(lat))
		return INFINITY;
	if (geo_shape_covers(shape, lon, lat))
		return 0;
	search.window = window_around(lon, lat, limit);
	if (!geo_in_window(&search.window, box->west, box->south, box->east, box->north))
		return INFINITY;

	spot_at(&search.point, lon, lat);
	near = near_place(shape, lon, lat);
	spot_at(&spot, near.lon, near.lat);
	shorten(&search, chord(&search.point, &spot));
	for (leaf = 0; (leaf = geo_next_leaf(shape, leaf, &search.window)) < shape->leaves;
		 leaf++)
		search_leaf(&search, shape, leaf);
	return search.best < limit ? arc(search.best) : INFINITY;
}

GeoSpot
geo_spot(double lon, double lat)
{
	return (GeoSpot) {lon, lat, sin(lat * RADIANS), cos(lat * RADIANS)};
}

/*
 * What ST_DistanceSphere computes, down to its own idea of equal places, and of a
 * nanometre: whoever sums distances in SQL gets the same.
 */
double
geo_spots_metres(const GeoSpot *from, const GeoSpot *to)
{
	double		turn = (to->lon - from->lon) * RADIANS;
	double		across;
	double		along;
	double		level;

	if (fabs(from->lat * RADIANS - to->lat * RADIANS) <= 1e-12 && fabs(turn) <= 1e-12)
		return 0;
	across = to->cos_lat * sin(turn);
	along = from->cos_lat * to->sin_lat - from->sin_lat * to->cos_lat * cos(turn);
	level = from->sin_lat * to->sin_lat + from->cos_lat * to->cos_lat * cos(turn);
	return round(GEO_SPHERE_M * atan2(sqrt(across * across + along * along), level) *
				 1e8) / 1e8;
}

double
geo_metres(double from_lon, double from_lat, double to_lon, double to_lat)
{
	GeoSpot	from = geo_spot(from_lon, from_lat);
	GeoSpot	to = geo_spot(to_lon, to_lat);

	return geo_spots_metres(&from, &to);
}
