/*
 * test_geo_segment.c
 *		Segments: whether they meet a shape, and where they are inside it.
 */
#include "shapes.h"

/* Checks that a segment meets a shape in these fractions. */
static void
crosses(GeoShape *shape, GeoSegment s, double first, double first_exit,
		double last_entry, double last, const char *what)
{
	GeoCrossing c = {-1, -1, -1, -1};
	bool		near;

	near = geo_shape_meets(shape, &s) && geo_shape_crossing(shape, &s, &c) &&
		fabs(c.first - first) < 1e-12 && fabs(c.first_exit - first_exit) < 1e-12 &&
		fabs(c.last_entry - last_entry) < 1e-12 && fabs(c.last - last) < 1e-12;
	if (!ok(near, "%s", what))
		printf("#      got: %.17g %.17g %.17g %.17g\n# expected: %.17g %.17g %.17g %.17g\n",
			   c.first, c.first_exit, c.last_entry, c.last,
			   first, first_exit, last_entry, last);
}

static void
misses(GeoShape *shape, GeoSegment s, const char *what)
{
	GeoCrossing c = {-1, -1, -1, -1};

	ok(!geo_shape_meets(shape, &s) && !geo_shape_crossing(shape, &s, &c) &&
	   c.first == -1 && c.last == -1, "%s", what);
}

static void
test_square(void)
{
	GeoShape   *shape = shape_of("POLYGON((0 0,10 0,10 10,0 10,0 0),"
								 "(4 4,6 4,6 6,4 6,4 4))");

	crosses(shape, (GeoSegment) {-10, 2, 30, 2}, 0.25, 0.5, 0.25, 0.5, "straight through");
	crosses(shape, (GeoSegment) {-10, 5, 30, 5}, 0.25, 0.35, 0.4, 0.5,
			"through, with a hole between");
	crosses(shape, (GeoSegment) {1, 1, 2, 2}, 0, 1, 0, 1, "wholly inside");
	crosses(shape, (GeoSegment) {1, 5, 9, 5}, 0, 0.375, 0.625, 1,
			"from inside to inside, over the hole");
	crosses(shape, (GeoSegment) {-1, 5, 1, 5}, 0.5, 1, 0.5, 1, "into it");
	crosses(shape, (GeoSegment) {1, 5, -1, 5}, 0, 0.5, 0, 0.5, "out of it");
	crosses(shape, (GeoSegment) {-1, 1, 1, -1}, 0.5, 0.5, 0.5, 0.5, "a touch of a corner");
	crosses(shape, (GeoSegment) {-5, 0, 15, 0}, 0.25, 0.75, 0.25, 0.75, "along an edge");
	crosses(shape, (GeoSegment) {0, 0, 0, 10}, 0, 1, 0, 1, "the edge itself");
	crosses(shape, (GeoSegment) {10, 5, 20, 5}, 0, 0, 0, 0, "from an edge outward");
	crosses(shape, (GeoSegment) {20, 5, 10, 5}, 1, 1, 1, 1, "outside, up to an edge");
	crosses(shape, (GeoSegment) {4, -5, 4, 15}, 0.25, 0.75, 0.25, 0.75,
			"along an edge of the hole: that belongs to the shape");
	crosses(shape, (GeoSegment) {5, 5, 5, 20}, 1. / 15, 1. / 3, 1. / 15, 1. / 3,
			"out of the hole");
	crosses(shape, (GeoSegment) {3, 5, 5, 7}, 0, 1, 0, 1, "a touch of the hole's corner cuts nothing");
	crosses(shape, (GeoSegment) {1, 1, 1, 1}, 0, 1, 0, 1, "no length, inside");
	crosses(shape, (GeoSegment) {10, 10, 10, 10}, 0, 1, 0, 1, "no length, on a vertex");
	misses(shape, (GeoSegment) {11, 11, 11, 11}, "no length, outside");
	misses(shape, (GeoSegment) {5, 5, 5, 5}, "no length, in the hole");
	misses(shape, (GeoSegment) {4.5, 4.5, 5.5, 5.5}, "within the hole");
	misses(shape, (GeoSegment) {-1, 9, 1, 12}, "past a corner, within the extent");
	misses(shape, (GeoSegment) {20, 0, 30, 0}, "far off");
	misses(shape, (GeoSegment) {NAN, 5, 20, 5}, "a coordinate that is no number");
	misses(shape, (GeoSegment) {5, 5, 20, INFINITY}, "a coordinate that is not finite");
	misses(shape, (GeoSegment) {-1e308, 0, 1e308, 0}, "no overflow");
	crosses(shape, (GeoSegment) {10, 5, 10 + 1e-200, 5}, 0, 1, 0, 1,
			"as good as no length");
	geo_shape_free(shape);
}

static void
test_antimeridian(void)
{
	GeoShape   *shape = shape_of("MULTIPOLYGON(((170 -5,180 -5,180 5,170 5,170 -5)),"
								 "((-180 -5,-170 -5,-170 5,-180 5,-180 -5)))");
	GeoShape   *east = shape_of("POLYGON((-180 -5,-170 -5,-170 5,-180 5,-180 -5))");
	GeoShape   *round = shape_of("POLYGON((-180 10,180 10,180 20,-180 20,-180 10))");
	GeoBox		box;

	crosses(shape, (GeoSegment) {160, 0, -160, 0}, 0.25, 0.75, 0.25, 0.75,
			"eastward across the antimeridian, one piece");
	crosses(shape, (GeoSegment) {-160, 0, 160, 0}, 0.25, 0.75, 0.25, 0.75, "westward");
	crosses(shape, (GeoSegment) {160, -10, -160, 10}, 0.25, 0.75, 0.25, 0.75, "slanting");
	crosses(shape, (GeoSegment) {175, 0, -175, 0}, 0, 1, 0, 1, "inside all the way");
	crosses(shape, (GeoSegment) {175, 0, -165, 0}, 0, 0.75, 0, 0.75, "out on the other side");
	crosses(shape, (GeoSegment) {180, 0, -175, 0}, 0, 1, 0, 1, "from 180 itself");
	crosses(shape, (GeoSegment) {-180, 0, 175, 0}, 0, 1, 0, 1, "from -180 itself");
	crosses(shape, (GeoSegment) {180, 0, -180, 0}, 0, 1, 0, 1, "no length but in figures");
	crosses(shape, (GeoSegment) {180, -10, -180, 10}, 0.25, 0.75, 0.25, 0.75, "both ends on the line");
	crosses(east, (GeoSegment) {160, 0, -160, 0}, 0.5, 0.75, 0.5, 0.75, "only the second half");
	crosses(east, (GeoSegment) {-160, 0, 160, 0}, 0.25, 0.5, 0.25, 0.5, "only the first half");
	misses(east, (GeoSegment) {160, 0, 179, 0}, "not across");
	crosses(east, (GeoSegment) {0, 0, -180, 0}, 170. / 180, 1, 170. / 180, 1,
			"180 degrees are not more than 180");
	crosses(round, (GeoSegment) {100, 5, -100, 25}, 0.25, 0.75, 0.25, 0.75, "round the world");
	misses(shape, (GeoSegment) {-160, 0, 19.9, 0}, "the short way, which is not across");
	box = geo_segment_extent(&(GeoSegment) {160, 3, -160, -4});
	ok(box.west == -180 && box.east == 180 && box.south == -4 && box.north == 3,
	   "the extent of a segment across takes all longitudes");
	box = geo_segment_extent(&(GeoSegment) {20, 3, -160, -4});
	ok(box.west == -160 && box.east == 20 && box.south == -4 && box.north == 3,
	   "of another its own");
	geo_shape_free(shape);
	geo_shape_free(east);
	geo_shape_free(round);
}

/* A saw with many teeth: a segment along it is inside and outside by turns. */
static void
test_saw(void)
{
	enum
	{
		TEETH = 1000
	};
	char	   *text = malloc(TEETH * 64);
	size_t		at = (size_t) sprintf(text, "POLYGON((0 -1");
	GeoShape   *shape;

	at += (size_t) sprintf(text + at, ",%d -1", TEETH);
	for (int i = TEETH; i > 0; i--)
		at += (size_t) sprintf(text + at, ",%d 0,%g 2", i, i - 0.5);
	sprintf(text + at, ",0 0,0 -1))");
	shape = shape_of(text);
	crosses(shape, (GeoSegment) {0, 1, 100, 1}, 0.0025, 0.0075, 0.9925, 0.9975,
			"many pieces: the first and the last");
	geo_shape_free(shape);
	free(text);
}

int
main(void)
{
	test_square();
	test_antimeridian();
	test_saw();
	return done_testing();
}
