/*
 * fuzz_geo.c
 *		Any bytes as WKB, and whatever shape comes of them asked everything.
 *
 * The points asked for are made of the same bytes, so that they are vertices and
 * what is near them.  Checked, also of shapes that are not valid: what has no
 * extent is nowhere, what covers an end of a segment meets it, fractions are in
 * order, and 0 metres is what covers.  Of valid ones also: points are where GEOS's
 * own relate has them.
 */
#include <geos_c.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geo.h"

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

#define PLACES_MAX	24

static GEOSContextHandle_t geos;

/* Tells whether products of such a number come out as 0, so that GEOS, too, takes
 * one side for the other. */
static bool
is_tiny(double x)
{
	return x != 0 && fabs(x) < 1e-100;
}

/* Takes any eight bytes for a number, and makes most of them a place. */
static size_t
take_places(const uint8_t *data, size_t size, double place[][2])
{
	size_t		count = 0;

	for (size_t at = size % 8; at + 16 <= size && count < PLACES_MAX; at += 8)
	{
		memcpy(place[count], data + at, 16);
		if (fabs(place[count][0]) < 400 && fabs(place[count][1]) < 400 &&
			!is_tiny(place[count][0]) && !is_tiny(place[count][1]))
			count++;
	}
	/* One that is none. */
	place[count][0] = NAN;
	place[count++][1] = 0;
	return count;
}

static void
check_segment(GeoShape *shape, const GeoSegment *s)
{
	bool		from = geo_shape_covers(shape, s->from_lon, s->from_lat);
	bool		to = geo_shape_covers(shape, s->to_lon, s->to_lat);
	bool		meets = geo_shape_meets(shape, s);
	GeoBox		box = geo_segment_extent(s);
	GeoCrossing c;

	if (isfinite(s->from_lon) && isfinite(s->to_lon) && isfinite(s->from_lat) &&
		isfinite(s->to_lat))
	{
		CHECK(box.west <= box.east && box.south <= box.north);
		CHECK(meets || !(from || to));
	}
	CHECK(geo_shape_crossing(shape, s, &c) == meets);
	if (!meets)
		return;
	CHECK(0 <= c.first && c.first <= c.first_exit && c.first_exit <= c.last);
	CHECK(c.first <= c.last_entry && c.last_entry <= c.last && c.last <= 1);
	CHECK(!from || c.first == 0);
	CHECK(!to || c.last == 1);
}

static void
check_point(GeoShape *shape, const GEOSGeometry *geometry, double lon, double lat)
{
	bool		covers = geo_shape_covers(shape, lon, lat);
	double		metres = geo_shape_metres(shape, lon, lat, INFINITY);

	CHECK(metres >= 0);
	CHECK(!covers || metres == 0);
	CHECK(isfinite(lon) || !covers);
	geo_shape_metres(shape, lon, lat, 100);
	if (geometry != NULL && isfinite(lon) && isfinite(lat))
	{
		GEOSGeometry *point = GEOSGeom_createPointFromXY_r(geos, lon, lat);
		char		disjoint = GEOSRelatePattern_r(geos, geometry, point, "FF*FF****");

		CHECK(disjoint == 2 || covers == (disjoint == 0));
		GEOSGeom_destroy_r(geos, point);
	}
}

static void
found(void *value, void *arg)
{
	CHECK(value == arg);
}

static void
check_index(GeoShape *shape)
{
	void	   *values[1] = {shape};
	GeoShape   *shapes[1] = {shape};
	GeoError	error;
	GeoIndex   *index = geo_index_new(shapes, values, 1, &error);
	GeoBox		box;

	CHECK(index != NULL);
	if (geo_shape_extent(shape, &box))
		geo_index_search(index, &box, found, shape);
	geo_index_free(index);
}

static int
note_tiny(double *lon, double *lat, void *arg)
{
	bool	   *tiny = arg;

	*tiny = *tiny || is_tiny(*lon) || is_tiny(*lat);
	return 1;
}

/* Gives the geometry if it is valid and GEOS can say what lies in it. */
static GEOSGeometry *
valid_geometry(const uint8_t *data, size_t size)
{
	GEOSWKBReader *reader = GEOSWKBReader_create_r(geos);
	GEOSGeometry *geometry = GEOSWKBReader_read_r(geos, reader, data, size);
	GEOSGeometry *copy = NULL;
	bool		tiny = false;

	GEOSWKBReader_destroy_r(geos, reader);
	if (geometry != NULL)
		copy = GEOSGeom_transformXY_r(geos, geometry, note_tiny, &tiny);
	if (copy != NULL)
		GEOSGeom_destroy_r(geos, copy);
	if (geometry != NULL && (tiny || GEOSisValid_r(geos, geometry) != 1))
	{
		GEOSGeom_destroy_r(geos, geometry);
		geometry = NULL;
	}
	return geometry;
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	double		place[PLACES_MAX + 1][2];
	GeoError	error = {"?"};
	GeoShape   *shape = geo_shape_new(data, size, &error);
	GEOSGeometry *geometry;
	size_t		count;

	CHECK((shape == NULL) == (error.text[0] != '\0'));
	if (shape == NULL)
		return 0;
	if (geos == NULL)
		geos = GEOS_init_r();
	geometry = valid_geometry(data, size);
	count = take_places(data, size, place);
	for (size_t i = 0; i < count; i++)
	{
		size_t		j = (i * 7 + 3) % count;
		GeoSegment	s = {place[i][0], place[i][1], place[j][0], place[j][1]};

		check_point(shape, geometry, s.from_lon, s.from_lat);
		check_point(shape, geometry, (s.from_lon + s.to_lon) / 2, (s.from_lat + s.to_lat) / 2);
		check_segment(shape, &s);
	}
	check_index(shape);
	if (geometry != NULL)
		GEOSGeom_destroy_r(geos, geometry);
	geo_shape_free(shape);
	return 0;
}
