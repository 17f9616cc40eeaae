/*
 * test_geo_exact.c
 *		Shapes at random against GEOS's own relate, where it is hardest: on
 *		vertices, on edges, beside them, and level with them.
 *
 * GEO_ROUNDS=n makes n times as many shapes as usual.
 */
#include "shapes.h"

#define POINTS	100

static GEOSGeometry *
ring_around(Dice *dice, double lon, double lat, double radius, int vertices, double grid)
{
	GEOSCoordSequence *sequence;
	double	   *xy = malloc((size_t) (vertices + 1) * 2 * sizeof(double));
	bool		backward = roll(dice) < 0.5;

	for (int i = 0; i < vertices; i++)
	{
		double		angle = 2 * M_PI * (backward ? vertices - i : i) / vertices;
		double		away = radius * (0.7 + 0.3 * roll(dice));

		xy[2 * i] = lon + away * cos(angle);
		xy[2 * i + 1] = lat + away * sin(angle);
		if (grid > 0)
		{
			xy[2 * i] = round(xy[2 * i] / grid) * grid;
			xy[2 * i + 1] = round(xy[2 * i + 1] / grid) * grid;
		}
	}
	xy[2 * vertices] = xy[0];
	xy[2 * vertices + 1] = xy[1];
	sequence = GEOSCoordSeq_copyFromBuffer_r(test_geos, xy, (unsigned) vertices + 1, 0, 0);
	free(xy);
	return GEOSGeom_createLinearRing_r(test_geos, sequence);
}

/* Makes a valid shape of one to three parts, with holes. */
static GEOSGeometry *
random_shape(Dice *dice)
{
	static const int sizes[] = {3, 4, 5, 8, 15, 16, 17, 64, 130, 500, 2500};
	static const double grids[] = {0, 0, 0.125, 0.001};

	for (;;)
	{
		GEOSGeometry *part[3];
		GEOSGeometry *shape;
		unsigned	parts = 1 + (unsigned) (3 * roll(dice));
		double		grid = grids[(int) (4 * roll(dice))];
		double		lat = 120 * roll(dice) - 60;

		for (unsigned i = 0; i < parts; i++)
		{
			GEOSGeometry *hole[2];
			unsigned	holes = (unsigned) (3 * roll(dice));
			double		lon = 3.0 * i;
			int			vertices = sizes[(int) (11 * roll(dice))];

			for (unsigned j = 0; j < holes; j++)
				hole[j] = ring_around(dice, lon - 0.25 + 0.5 * j, lat, 0.2,
									  sizes[(int) (9 * roll(dice))], grid);
			part[i] = GEOSGeom_createPolygon_r(test_geos,
											   ring_around(dice, lon, lat, 1.5, vertices, grid),
											   hole, holes);
		}
		shape = parts == 1 && roll(dice) < 0.8 ? part[0] :
			GEOSGeom_createCollection_r(test_geos, GEOS_MULTIPOLYGON, part, parts);
		if (GEOSisValid_r(test_geos, shape) == 1)
			return shape;
		GEOSGeom_destroy_r(test_geos, shape);
	}
}

/* Gives the coordinates of a point, a line or a ring. */
static size_t
coordinates_of(const GEOSGeometry *one, double (*xy)[2], size_t room)
{
	const GEOSCoordSequence *s = GEOSGeom_getCoordSeq_r(test_geos, one);
	unsigned	size;

	GEOSCoordSeq_getSize_r(test_geos, s, &size);
	for (unsigned i = 0; i < size && i < room; i++)
		GEOSCoordSeq_getXY_r(test_geos, s, i, &xy[i][0], &xy[i][1]);
	return size < room ? size : room;
}

/* Gives all coordinates, ring after ring. */
static size_t
coordinates(const GEOSGeometry *shape, double (*xy)[2], size_t room)
{
	size_t		count = 0;

	for (int i = 0; i < GEOSGetNumGeometries_r(test_geos, shape); i++)
	{
		const GEOSGeometry *part = GEOSGetGeometryN_r(test_geos, shape, i);

		for (int j = -1; j < GEOSGetNumInteriorRings_r(test_geos, part); j++)
		{
			const GEOSGeometry *ring = j < 0 ? GEOSGetExteriorRing_r(test_geos, part) :
				GEOSGetInteriorRingN_r(test_geos, part, j);

			count += coordinates_of(ring, xy + count, room - count);
		}
	}
	return count;
}

/* Picks a point: a vertex, one on an edge as far as that can be, one beside it, one
 * level with a vertex, or any. */
static void
pick(Dice *dice, double (*xy)[2], size_t count, double point[2])
{
	size_t		i = (size_t) (roll(dice) * (double) (count - 1));
	double		at = roll(dice) < 0.5 ? 0.5 : roll(dice);

	point[0] = xy[i][0];
	point[1] = xy[i][1];
	switch ((int) (6 * roll(dice)))
	{
		case 0:
			break;
		case 1:
			point[0] += at * (xy[i + 1][0] - xy[i][0]);
			point[1] += at * (xy[i + 1][1] - xy[i][1]);
			break;
		case 2:
			point[0] = nextafter(point[0] + at * (xy[i + 1][0] - xy[i][0]), roll(dice) - 0.5);
			point[1] += at * (xy[i + 1][1] - xy[i][1]);
			break;
		case 3:
			point[0] = 10 * roll(dice) - 2;
			break;
		case 4:
			point[1] += roll(dice) - 0.5;
			break;
		default:
			point[0] += 2 * roll(dice) - 1;
			point[1] += 2 * roll(dice) - 1;
	}
}

/* Tells what GEOS says of two geometries: whether they have a point in common. */
static bool
geos_meets(const GEOSGeometry *a, GEOSGeometry *b)
{
	bool		disjoint = GEOSRelatePattern_r(test_geos, a, b, "FF*FF****") == 1;

	GEOSGeom_destroy_r(test_geos, b);
	return !disjoint;
}

static GEOSGeometry *
line(double a[2], double b[2])
{
	const double xy[4] = {a[0], a[1], b[0], b[1]};

	return GEOSGeom_createLineString_r(test_geos,
									   GEOSCoordSeq_copyFromBuffer_r(test_geos, xy, 2, 0, 0));
}

static int
compare_pieces(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

/*
 * Tells whether two fractions are the same, or both on the boundary as far as can be
 * told: where a segment runs almost along an edge, GEOS's own are rounded most.
 */
static bool
same_place(const GEOSGeometry *shape, double x, double y, double a[2], double b[2])
{
	GEOSGeometry *boundary;
	double		far = 0;

	if (fabs(x - y) <= 1e-11 / hypot(b[0] - a[0], b[1] - a[1]))
		return true;
	boundary = GEOSBoundary_r(test_geos, shape);
	for (int i = 0; i < 2; i++)
	{
		double		at = i == 0 ? x : y;
		GEOSGeometry *point = GEOSGeom_createPointFromXY_r(test_geos,
														   a[0] + at * (b[0] - a[0]),
														   a[1] + at * (b[1] - a[1]));
		double		distance;

		GEOSDistance_r(test_geos, point, boundary, &distance);
		far = fmax(far, distance);
		GEOSGeom_destroy_r(test_geos, point);
	}
	GEOSGeom_destroy_r(test_geos, boundary);
	return far < 1e-13;
}

/*
 * Tells whether a crossing is where GEOS's intersection is, of a valid shape.  That
 * is rounded to coordinates, which is also how far it can be off.
 */
static bool
crossing_is_geos(const GEOSGeometry *shape, const GeoCrossing *c, double a[2], double b[2])
{
	GEOSGeometry *with = line(a, b);
	GEOSGeometry *common = GEOSIntersection_r(test_geos, with, shape);
	double		x = b[0] - a[0];
	double		y = b[1] - a[1];
	double		near = 1e-11 / hypot(x, y);
	static double piece[10000][2];
	size_t		count = 0;
	double		first_exit;
	double		last;
	double		last_entry;

	GEOSGeom_destroy_r(test_geos, with);
	for (int i = 0; i < GEOSGetNumGeometries_r(test_geos, common); i++)
	{
		size_t		got = coordinates_of(GEOSGetGeometryN_r(test_geos, common, i),
										 &piece[count], 10000 - count);

		for (size_t j = 0; j < got; j++)
			piece[count + j][0] = ((piece[count + j][0] - a[0]) * x +
								   (piece[count + j][1] - a[1]) * y) / (x * x + y * y);
		if (got == 0)
			continue;
		piece[count][1] = piece[count + got - 1][0];
		if (piece[count][0] > piece[count][1])
		{
			double		swapped = piece[count][0];

			piece[count][0] = piece[count][1];
			piece[count][1] = swapped;
		}
		count++;
	}
	GEOSGeom_destroy_r(test_geos, common);
	/* A touch that got lost. */
	if (count == 0)
		return c->last - c->first < near;
	qsort(piece, count, sizeof(piece[0]), compare_pieces);
	last_entry = piece[0][0];
	first_exit = last = piece[0][1];
	for (size_t i = 1; i < count; i++)
	{
		if (piece[i][0] <= last + near)
		{
			first_exit = first_exit == last ? fmax(last, piece[i][1]) : first_exit;
			last = fmax(last, piece[i][1]);
		}
		else
		{
			last_entry = piece[i][0];
			last = piece[i][1];
		}
	}
	return same_place(shape, c->first, piece[0][0], a, b) &&
		same_place(shape, c->first_exit, first_exit, a, b) &&
		same_place(shape, c->last_entry, last_entry, a, b) &&
		same_place(shape, c->last, last, a, b);
}

/* Tells whether a crossing goes with what is known of the ends. */
static bool
crossing_fits(GeoShape *shape, const GeoSegment *s, GeoCrossing *c)
{
	if (!geo_shape_crossing(shape, s, c))
		return false;
	if (!(0 <= c->first && c->first <= c->first_exit && c->first <= c->last_entry &&
		  c->first_exit <= c->last && c->last_entry <= c->last && c->last <= 1))
		return false;
	if (c->first_exit >= c->last_entry &&
		(c->first != c->last_entry || c->first_exit != c->last))
		return false;
	return (c->first == 0) >= geo_shape_covers(shape, s->from_lon, s->from_lat) &&
		(c->last == 1) >= geo_shape_covers(shape, s->to_lon, s->to_lat);
}

int
main(void)
{
	static double xy[20000][2];
	const char *rounds = getenv("GEO_ROUNDS");
	int			shapes = 50 * (rounds != NULL ? atoi(rounds) : 1);
	int			wrong_points = 0;
	int			wrong_segments = 0;
	int			wrong_crossings = 0;
	int			elsewhere = 0;
	int			inside = 0;
	int			meet = 0;
	Dice		dice = {621};

	test_geos = GEOS_init_r();
	for (int i = 0; i < shapes; i++)
	{
		GEOSGeometry *geometry = random_shape(&dice);
		GeoShape   *shape = shape_of_geometry(geometry);
		size_t		count = coordinates(geometry, xy, 20000);

		for (int j = 0; j < POINTS; j++)
		{
			double		a[2];
			double		b[2];
			GeoSegment	s;
			bool		expected;
			GeoCrossing c = {0};

			pick(&dice, xy, count, a);
			pick(&dice, xy, count, b);
			expected = geos_meets(geometry, GEOSGeom_createPointFromXY_r(test_geos, a[0], a[1]));
			inside += expected;
			wrong_points += geo_shape_covers(shape, a[0], a[1]) != expected;
			if (j % 4 > 0 || (a[0] == b[0] && a[1] == b[1]))
				continue;
			s = (GeoSegment) {a[0], a[1], b[0], b[1]};
			expected = geos_meets(geometry, line(a, b));
			meet += expected;
			wrong_segments += geo_shape_meets(shape, &s) != expected;
			if (!expected)
				continue;
			wrong_crossings += !crossing_fits(shape, &s, &c);
			if (!crossing_is_geos(geometry, &c, a, b))
			{
				elsewhere++;
				printf("# %d %d: %.17g %.17g %.17g %.17g\n", i, j, c.first, c.first_exit,
					   c.last_entry, c.last);
			}
		}
		geo_shape_free(shape);
		GEOSGeom_destroy_r(test_geos, geometry);
	}
	is_int(wrong_points, 0, "points lie where GEOS says");
	is_int(wrong_segments, 0, "segments meet what GEOS says");
	is_int(wrong_crossings, 0, "and where they do goes with where their ends are");
	is_int(elsewhere, 0, "and that is where GEOS's intersection is");
	ok(inside > shapes * POINTS / 5 && inside < shapes * POINTS * 4 / 5,
	   "some points are inside, some are not");
	ok(meet > shapes * POINTS / 20, "and some segments meet");
	GEOS_finish_r(test_geos);
	return done_testing();
}
