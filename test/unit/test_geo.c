/*
 * test_geo.c
 *		Shapes: which bytes are one, and which points lie in one.
 */
#include "shapes.h"

#define SQUARE	"POLYGON((0 0,10 0,10 10,0 10,0 0),(4 4,6 4,6 6,4 6,4 4))"

static void
test_square(void)
{
	GeoShape   *shape = shape_of(SQUARE);
	GeoBox		box;

	ok(geo_shape_covers(shape, 1, 1), "a point inside");
	ok(!geo_shape_covers(shape, 11, 1), "a point outside");
	ok(!geo_shape_covers(shape, 5, 5), "a point in the hole");
	ok(geo_shape_covers(shape, 4, 5), "the edge of a hole belongs to the shape");
	ok(geo_shape_covers(shape, 0, 0) && geo_shape_covers(shape, 10, 10), "a vertex does");
	ok(geo_shape_covers(shape, 10, 3) && geo_shape_covers(shape, 3, 10), "an edge does");
	ok(!geo_shape_covers(shape, nextafter(10, 11), 3), "the next number does not");
	ok(!geo_shape_covers(shape, NAN, 3) && !geo_shape_covers(shape, 3, NAN) &&
	   !geo_shape_covers(shape, NAN, NAN), "a place that is no number lies nowhere");
	ok(!geo_shape_covers(shape, INFINITY, 3) && !geo_shape_covers(shape, 3, -INFINITY),
	   "nor does one that is not finite");
	ok(geo_shape_extent(shape, &box) && box.west == 0 && box.south == 0 &&
	   box.east == 10 && box.north == 10, "it has an extent");
	geo_shape_free(shape);
	geo_shape_free(NULL);
}

static void
test_empty(void)
{
	static const char *const texts[] = {"POLYGON EMPTY", "MULTIPOLYGON EMPTY",
	"MULTIPOLYGON(EMPTY,EMPTY)"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		GeoShape   *shape = shape_of(texts[i]);
		GeoCrossing crossing;
		GeoBox		box;

		ok(!geo_shape_extent(shape, &box) && !geo_shape_covers(shape, 0, 0) &&
		   !geo_shape_meets(shape, &(GeoSegment) {-1, -1, 1, 1}) &&
		   !geo_shape_crossing(shape, &(GeoSegment) {-1, -1, 1, 1}, &crossing) &&
		   geo_shape_metres(shape, 0, 0, 1e9) > 1e9, "%s is nowhere", texts[i]);
		geo_shape_free(shape);
	}
}

/* Checks that bytes are refused, for a reason. */
static void
refused(const uint8_t *wkb, size_t size, const char *why, const char *what)
{
	/* Memory of exactly that size, where the sanitizer watches it. */
	uint8_t    *copy = malloc(size + (size == 0));
	GeoError	error = {""};
	GeoShape   *shape;

	if (size > 0)
		memcpy(copy, wkb, size);
	shape = geo_shape_new(copy, size, &error);
	ok(shape == NULL && strstr(error.text, why) != NULL, "%s is refused: %s", what,
	   error.text);
	geo_shape_free(shape);
	free(copy);
}

static void
test_wkb(void)
{
	static const char *const others[] = {"POINT(1 2)", "POINT EMPTY",
		"LINESTRING(0 0,1 1)", "GEOMETRYCOLLECTION(POLYGON((0 0,1 0,1 1,0 0)))",
	"MULTILINESTRING((0 0,1 1))", "MULTIPOINT(1 1)"};
	static const uint8_t many_rings[] = {1, 3, 0, 0, 0, 255, 255, 255, 255};
	static const uint8_t many_places[] = {1, 3, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 15, 0};
	static const uint8_t many_parts[] = {0, 0, 0, 0, 6, 255, 255, 255, 255, 0, 0, 0, 0, 3};
	static const uint8_t nested[] = {1, 6, 0, 0, 0, 1, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0};
	GEOSGeometry *geometry = geometry_of(SQUARE);
	size_t		size;
	uint8_t    *wkb = wkb_of(geometry, &size);
	uint8_t    *longer = calloc(1, size + 1);
	int			cut = 0;
	const double hostile[] = {NAN, INFINITY, -INFINITY};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		GEOSGeometry *other = geometry_of(others[i]);
		size_t		other_size;
		uint8_t    *bytes = wkb_of(other, &other_size);

		refused(bytes, other_size, "neither a polygon", others[i]);
		free_wkb(bytes);
		GEOSGeom_destroy_r(test_geos, other);
	}
	for (size_t i = 0; i < size; i++)
	{
		GeoError	error = {""};
		uint8_t    *copy = malloc(i + 1);
		GeoShape   *shape;

		memcpy(copy, wkb, i);
		shape = geo_shape_new(copy, i, &error);
		cut += shape == NULL && error.text[0] != '\0';
		geo_shape_free(shape);
		free(copy);
	}
	is_int(cut, (long long) size, "whatever is cut off, the rest is refused");
	memcpy(longer, wkb, size);
	refused(longer, size + 1, "after the end", "a byte too many");
	for (int i = 0; i < 3; i++)
	{
		memcpy(longer + 1 + 4 + 4 + 4 + 16, &hostile[i], 8);
		refused(longer, size, "not finite", "a coordinate that is no place");
	}
	memcpy(longer, wkb, size);
	longer[0] = 2;
	refused(longer, size, "byte order", "an unknown byte order");
	memcpy(longer, wkb, size);
	longer[13] ^= 1;
	refused(longer, size, "not closed", "a ring that is not closed");
	refused(many_rings, sizeof(many_rings), "cut short", "a number of rings");
	refused(many_places, sizeof(many_places), "cut short", "a number of places");
	refused(many_parts, sizeof(many_parts), "cut short", "a number of parts");
	refused(nested, sizeof(nested), "something else", "a multipolygon of multipolygons");
	refused(wkb, 0, "cut short", "nothing");
	free(longer);
	free_wkb(wkb);
	GEOSGeom_destroy_r(test_geos, geometry);
}

/* All the ways to write the same shape. */
static void
test_flavours(void)
{
	static const char *const texts[] = {
		"POLYGON((0 0,10 0,10 10,0 10,0 0),(4 4,6 4,6 6,4 6,4 4))",
		"POLYGON Z((0 0 1,10 0 2,10 10 3,0 10 4,0 0 1),(4 4 1,6 4 1,6 6 1,4 6 1,4 4 1))",
	"MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0),(4 4,6 4,6 6,4 6,4 4)))"};
	int			good = 0;
	int			all = 0;

	for (int i = 0; i < 24; i++)
	{
		GEOSGeometry *geometry = geometry_of(texts[i / 8]);
		GEOSWKBWriter *writer = GEOSWKBWriter_create_r(test_geos);
		GeoError	error;
		size_t		size;
		uint8_t    *wkb;
		GeoShape   *shape;

		GEOSSetSRID_r(test_geos, geometry, 4326);
		GEOSWKBWriter_setOutputDimension_r(test_geos, writer, 3);
		GEOSWKBWriter_setByteOrder_r(test_geos, writer, i & 1 ? GEOS_WKB_NDR : GEOS_WKB_XDR);
		GEOSWKBWriter_setFlavor_r(test_geos, writer, i & 2 ? GEOS_WKB_ISO : GEOS_WKB_EXTENDED);
		GEOSWKBWriter_setIncludeSRID_r(test_geos, writer, i & 4 ? 1 : 0);
		wkb = GEOSWKBWriter_write_r(test_geos, writer, geometry, &size);
		shape = geo_shape_new(wkb, size, &error);
		all++;
		good += shape != NULL && geo_shape_covers(shape, 1, 2) &&
			!geo_shape_covers(shape, 5, 5) && !geo_shape_covers(shape, 1, 11);
		geo_shape_free(shape);
		free_wkb(wkb);
		GEOSWKBWriter_destroy_r(test_geos, writer);
		GEOSGeom_destroy_r(test_geos, geometry);
	}
	is_int(good, all, "either byte order, with an SRID or without, with heights, "
		   "ISO's way and PostGIS's");
}

/* PostGIS asks GEOS for an interrupt on each SIGINT, and GEOS keeps the wish. */
static void
test_interrupt(void)
{
	GeoShape   *shape;
	GeoShape   *shapes[1];
	GeoError	error;
	GeoIndex   *index;
	GeoCrossing c;
	GeoSegment	s = {-10, 2, 30, 2};
	GEOSGeometry *geometry = geometry_of(SQUARE);

	GEOS_interruptRequest();
	shape = shape_of_geometry(geometry);
	ok(shape != NULL, "an interrupt that PostGIS asked for does not hinder reading");
	GEOS_interruptRequest();
	ok(geo_shape_covers(shape, 1, 1), "nor points");
	GEOS_interruptRequest();
	ok(geo_shape_meets(shape, &s), "nor segments");
	GEOS_interruptRequest();
	ok(geo_shape_crossing(shape, &s, &c) && c.first == 0.25, "nor crossings");
	GEOS_interruptRequest();
	shapes[0] = shape;
	index = geo_index_new(shapes, (void *const *) shapes, 1, &error);
	ok(index != NULL, "nor an index");
	GEOS_interruptCancel();
	geo_index_free(index);
	geo_shape_free(shape);
	GEOSGeom_destroy_r(test_geos, geometry);
}

int
main(void)
{
	test_square();
	test_empty();
	test_wkb();
	test_flavours();
	test_interrupt();
	if (test_geos != NULL)
		GEOS_finish_r(test_geos);
	return done_testing();
}
