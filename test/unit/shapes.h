/*
 * shapes.h
 *	  Shapes from text, for the tests of src/geo.
 *
 * Invariant: the text is read by GEOS itself, in a context of its own; what comes
 * out is WKB, as the module gets it.
 */
#ifndef PT621_TEST_SHAPES_H
#define PT621_TEST_SHAPES_H

#include <geos_c.h>
#include <math.h>
#include <stdlib.h>

#include "geo/geo.h"
#include "tap.h"

static GEOSContextHandle_t test_geos;

/* Gives the geometry of a text, which must be one. */
static inline GEOSGeometry *
geometry_of(const char *wkt)
{
	GEOSWKTReader *reader;
	GEOSGeometry *geometry;

	if (test_geos == NULL)
		test_geos = GEOS_init_r();
	reader = GEOSWKTReader_create_r(test_geos);
	geometry = GEOSWKTReader_read_r(test_geos, reader, wkt);
	GEOSWKTReader_destroy_r(test_geos, reader);
	if (geometry == NULL)
	{
		printf("Bail out! no geometry: %s\n", wkt);
		exit(1);
	}
	return geometry;
}

/* Gives its WKB, to be freed with free_wkb(). */
static inline uint8_t *
wkb_of(const GEOSGeometry *geometry, size_t *size)
{
	GEOSWKBWriter *writer = GEOSWKBWriter_create_r(test_geos);
	uint8_t    *wkb = GEOSWKBWriter_write_r(test_geos, writer, geometry, size);

	GEOSWKBWriter_destroy_r(test_geos, writer);
	return wkb;
}

static inline void
free_wkb(uint8_t *wkb)
{
	GEOSFree_r(test_geos, wkb);
}

/* Gives the shape of a geometry, which is one. */
static inline GeoShape *
shape_of_geometry(const GEOSGeometry *geometry)
{
	GeoError	error;
	size_t		size;
	uint8_t    *wkb = wkb_of(geometry, &size);
	GeoShape   *shape = geo_shape_new(wkb, size, &error);

	free_wkb(wkb);
	if (shape == NULL)
	{
		printf("Bail out! no shape: %s\n", error.text);
		exit(1);
	}
	return shape;
}

/* Gives the shape of a text. */
static inline GeoShape *
shape_of(const char *wkt)
{
	GEOSGeometry *geometry = geometry_of(wkt);
	GeoShape   *shape = shape_of_geometry(geometry);

	GEOSGeom_destroy_r(test_geos, geometry);
	return shape;
}

/* Checks a number, within a tolerance, and shows both when they differ. */
__attribute__((unused))
static bool
is_near(double got, double expected, double tolerance, const char *what)
{
	bool		near = fabs(got - expected) <= tolerance || got == expected;

	if (!ok(near, "%s", what))
		printf("#      got: %.17g\n# expected: %.17g\n", got, expected);
	return near;
}

/* Numbers that look random, the same in each run. */
typedef struct Dice
{
	uint64_t	state;
} Dice;

/* Gives a number from 0 to 1. */
__attribute__((unused))
static double
roll(Dice *dice)
{
	dice->state = dice->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (dice->state >> 11) / 9007199254740992.0;
}

#endif							/* PT621_TEST_SHAPES_H */
