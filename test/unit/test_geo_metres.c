/*
 * test_geo_metres.c
 *		Distances: between points, and from points to shapes.
 *
 * The expected numbers are PostGIS's own: those of points from ST_DistanceSphere,
 * those of shapes from ST_Distance on geography with the edges cut into pieces of
 * 0.0005 degrees, because between vertices a geography takes the shortest way.
 */
#include "shapes.h"

static void
test_points(void)
{
	static const double expected[][5] = {
		{0, 0, 1, 1, 157249.59776851},
		{13.405, 52.52, 13.4051, 52.5201, 13.0162497},
		{13.405, 52.52, 13.40500001, 52.52, 0.0006766},
		{-103.399727, 20.606472, -103.399727, 20.606472, 0},
		{179.9999, 10, -179.9999, 10.0002, 31.212724},
		{180, 5, -180, 5, 0},
		{0, 90, 50, 90, 0},
		{10, 89.9, -170, 89.9, 22239.01594693},
		{0, 0, 180, 0, 20015114.35223369},
		{12.5, -33.25, -167.5, 33.25, 20015114.35223369},
		{2.3522, 48.8566, -0.1276, 51.5072, 343530.33845725},
		{151.2093, -33.8688, -70.6693, -33.4489, 11346730.7431759},
		{7.1, 50.7, 7.1, 50.7000000000001, 0},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		const double *e = expected[i];

		is_near(geo_metres(e[0], e[1], e[2], e[3]), e[4], 1e-9 * e[4] + 1e-9,
				"between two points, as PostGIS has it");
		is_near(geo_metres(e[2], e[3], e[0], e[1]), e[4], 1e-9 * e[4] + 1e-9,
				"and back");
	}
}

static void
test_shapes(void)
{
#define SQUARE	"POLYGON((0 0,10 0,10 10,0 10,0 0))"
#define PIERCED	"POLYGON((0 0,10 0,10 10,0 10,0 0),(4 4,6 4,6 6,4 6,4 4))"
#define ARCTIC	"POLYGON((20 79,30 79,28 80,20 80,20 79))"
#define TOWN	"POLYGON((13.4 52.52,13.42 52.521,13.41 52.53,13.4 52.52))"
#define EAST	"POLYGON((179 4,179.9 4,179.9 6,179 6,179 4))"
#define WEST	"POLYGON((-179 4,-179.9 4,-179.9 6,-179 6,-179 4))"
	static const struct
	{
		double		lon;
		double		lat;
		const char *wkt;
		double		metres;
	}			expected[] = {
		{10.01, 5, SQUARE, 1108.98706228},
		{-0.001, -0.001, SQUARE, 156.90347193},
		{5, 10.5, SQUARE, 55304.72471485},
		{5, 5, SQUARE, 0},
		{10, 10, SQUARE, 0},
		{25, 60.4, "POLYGON((20 60,30 60,30 60.3,20 60.3,20 60))", 11141.82148024},
		{25, 80.6, "POLYGON((20 79,30 79,30 80,20 80,20 79))", 66997.15360104},
		{33, 80.1, ARCTIC, 95513.05255121},
		{5, 5.1, PIERCED, 99526.21631431},
		{-70.5, -55.2, "POLYGON((-70 -55,-69 -55.5,-69 -54,-70 -55))", 38915.86429247},
		{13.41, 52.515, TOWN, 609.9790284},
		{13.41, 52.5204999, TOWN, 0.0111187},
		{120, -33.8, "POLYGON((100 -30,140 -34,140 -20,100 -30))", 198236.88312489},
		{100, 89.5, "POLYGON((20 89,30 89,30 89.2,20 89.2,20 89))", 87690.0051116},
		{-179.8, 5, EAST, 33269.61071492},
		{179.95, 5, WEST, 16634.80579048},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		GeoShape   *shape = shape_of(expected[i].wkt);
		double		metres = expected[i].metres;

		is_near(geo_shape_metres(shape, expected[i].lon, expected[i].lat, 1e6), metres,
				1e-3 * metres + 1e-4, "to a shape");
		is_near(geo_shape_metres(shape, expected[i].lon, expected[i].lat, metres * 1.001),
				metres, 1e-3 * metres + 1e-4, "no less when it is just near enough");
		ok(metres == 0 || geo_shape_metres(shape, expected[i].lon, expected[i].lat,
										   metres * 0.9) > metres * 0.9,
		   "and more than enough when it is not");
		geo_shape_free(shape);
	}
}

/* A point of the ellipsoid in space. */
static void
in_space(double lon, double lat, double xyz[3])
{
	double		f = 1 / 298.257223563;
	double		e2 = f * (2 - f);
	double		r = M_PI / 180;
	double		n = 6378137 / sqrt(1 - e2 * sin(lat * r) * sin(lat * r));

	xyz[0] = n * cos(lat * r) * cos(lon * r);
	xyz[1] = n * cos(lat * r) * sin(lon * r);
	xyz[2] = n * (1 - e2) * sin(lat * r);
}

/* Gives the shortest straight way to one of some points of an edge; *at gets which. */
static double
try_edge(double (*edge)[2], const double here[3], double from, double to, double *at)
{
	double		best = INFINITY;

	for (int i = 0; i <= 40; i++)
	{
		double		t = fmin(fmax(from + (to - from) * i / 40, 0), 1);
		double		there[3];
		double		distance;

		in_space(edge[0][0] + t * (edge[1][0] - edge[0][0]),
				 edge[0][1] + t * (edge[1][1] - edge[0][1]), there);
		distance = hypot(hypot(here[0] - there[0], here[1] - there[1]), here[2] - there[2]);
		if (distance < best)
		{
			best = distance;
			*at = t;
		}
	}
	return best;
}

/* Gives the shortest way to a ring, of all edges, closer and closer. */
static double
try_all(double (*ring)[2], size_t count, double lon, double lat)
{
	double		here[3];
	double		best = INFINITY;

	in_space(lon, lat, here);
	for (size_t i = 0; i + 1 < count; i++)
	{
		double		width = 1;
		double		at = 0.5;

		for (int j = 0; j < 4; j++, width /= 15)
			best = fmin(best, try_edge(&ring[i], here, at - width / 2, at + width / 2, &at));
	}
	return best;
}

/* What is not looked at must not be what is nearest: rings of many vertices, on both
 * sides of the antimeridian and up to the poles. */
static void
test_rings(void)
{
	enum
	{
		VERTICES = 300,
		ROUNDS = 60
	};
	static double ring[VERTICES + 1][2];
	char	   *text = malloc(VERTICES * 64 + 64);
	Dice		dice = {1};
	int			wrong = 0;
	int			outside = 0;

	for (int i = 0; i < ROUNDS; i++)
	{
		double		lat = 178 * roll(&dice) - 89;
		double		lon = roll(&dice) < 0.5 ? 178.9 : 340 * roll(&dice) - 170;
		size_t		at = (size_t) sprintf(text, "POLYGON((");
		GeoShape   *shape;

		for (int j = 0; j <= VERTICES; j++)
		{
			double		angle = 2 * M_PI * (j % VERTICES) / VERTICES;
			double		away = j < VERTICES ? 0.5 + 0.5 * roll(&dice) : 0;

			ring[j][0] = j < VERTICES ? lon + away * cos(angle) : ring[0][0];
			ring[j][1] = j < VERTICES ? lat + away * sin(angle) : ring[0][1];
			at += (size_t) sprintf(text + at, "%.17g %.17g%s", ring[j][0], ring[j][1],
								   j < VERTICES ? "," : "))");
		}
		shape = shape_of(text);
		for (int k = 0; k < 4; k++)
		{
			double		x = lon + 4 * roll(&dice) - 2;
			double		y = fmin(fmax(lat + 3 * roll(&dice) - 1.5, -90), 90);
			double		got;
			double		expected;

			x = x > 180 ? x - 360 : x < -180 ? x + 360 : x;
			if (geo_shape_covers(shape, x, y))
				continue;
			outside++;
			expected = try_all(ring, VERTICES + 1, x, y);
			got = geo_shape_metres(shape, x, y, INFINITY);
			if (fabs(got - expected) > 1e-3 * expected)
			{
				wrong++;
				printf("# %.17g %.17g: %.17g, not %.17g\n", x, y, got, expected);
			}
		}
		geo_shape_free(shape);
	}
	is_int(wrong, 0, "to rings of many vertices");
	ok(outside > ROUNDS, "from points outside");
	free(text);
}

static void
test_odd(void)
{
	GeoShape   *shape = shape_of(SQUARE);
	GeoShape   *wide = shape_of("POLYGON((-180 -60,180 -60,180 60,-180 60,-180 -60))");

	ok(geo_shape_metres(shape, NAN, 5, 100) > 100, "from no place it is far");
	ok(geo_shape_metres(shape, 5, INFINITY, 100) > 100, "and from one that is not finite");
	ok(geo_shape_metres(shape, 20, 5, 0) > 0, "nothing is enough: outside is outside");
	is_near(geo_shape_metres(shape, -170, -5, INFINITY), 18773000, 2e5, "almost across the earth");
	is_near(geo_shape_metres(wide, 33.3, 60.1, 1e6), 11141, 12, "to an edge round the earth");
	is_near(geo_shape_metres(wide, 33.3, 90, INFINITY), 3349000, 35000, "from the pole");
	geo_shape_free(shape);
	geo_shape_free(wide);
}

int
main(void)
{
	test_points();
	test_shapes();
	test_rings();
	test_odd();
	if (test_geos != NULL)
		GEOS_finish_r(test_geos);
	return done_testing();
}
