/*
 * geo.h
 *	  Shapes in memory: where a point lies, where a segment crosses.
 *
 * Invariant: this module knows neither PostgreSQL nor what the shapes are for.
 * It is pure C over the C API of GEOS, installs no handler that outlives a call,
 * and never jumps: GEOS is C++, and a longjmp over its frames is undefined.
 * What went wrong is written into a GeoError.  Not for more than one thread.
 *
 * Coordinates are degrees of WGS 84, longitude first, -180 .. 180 and -90 .. 90.
 * Between two vertices an edge is straight in degrees, as it is for ST_Covers
 * on geometry.  The boundary belongs to a shape.  Whatever GEOS says of a point
 * in a shape (ST_Relate) is what this module says.
 */
#ifndef PT621_GEO_H
#define PT621_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEO_ERROR_MAX	200

/* Radius of the sphere that PostGIS measures on with ST_DistanceSphere, metres. */
#define GEO_SPHERE_M	6371008.771415059

/* Why a call failed: a text, empty when none did. */
typedef struct GeoError
{
	char		text[GEO_ERROR_MAX];
} GeoError;

typedef struct GeoShape GeoShape;	/* a polygon or multipolygon */
typedef struct GeoIndex GeoIndex;	/* many shapes, by place */

/* An extent in degrees. */
typedef struct GeoBox
{
	double		west;
	double		south;
	double		east;
	double		north;
} GeoBox;

/* A segment between two fixes, straight in degrees; one of more than 180 degrees
 * of longitude goes the other way round, across the antimeridian. */
typedef struct GeoSegment
{
	double		from_lon;
	double		from_lat;
	double		to_lon;
	double		to_lat;
} GeoSegment;

/*
 * Makes a shape of the WKB (any byte order, with or without an SRID) of a valid
 * polygon or multipolygon, which may be empty.  Returns NULL and fills *error
 * when the bytes are none.  Of one that is not valid the answers are of no use,
 * but they come.
 */
extern GeoShape *geo_shape_new(const uint8_t *wkb, size_t size, GeoError *error);
extern void geo_shape_free(GeoShape *shape);	/* of NULL: nothing */

/* Its extent; false when it is empty. */
extern bool geo_shape_extent(const GeoShape *shape, GeoBox *box);

/* Tells whether a point lies in the shape or on its boundary.  A place that is
 * not finite lies nowhere. */
extern bool geo_shape_covers(GeoShape *shape, double lon, double lat);

/* Tells whether a segment has a point in common with the shape. */
extern bool geo_shape_meets(GeoShape *shape, const GeoSegment *segment);

/*
 * Finds where a segment is inside the shape: *first gets the fraction (0 .. 1)
 * of the way at which it first touches it, *last at which it last does, and
 * *last_entry at which its last piece inside begins, *first_exit at which its
 * first piece inside ends.  Returns false when they have no point in common.
 */
typedef struct GeoCrossing
{
	double		first;
	double		first_exit;
	double		last_entry;
	double		last;
} GeoCrossing;
extern bool geo_shape_crossing(GeoShape *shape, const GeoSegment *segment,
							   GeoCrossing *crossing);

/*
 * Metres, on the spheroid, from a point to the shape; 0 when it lies in it.  For
 * distances up to 100 km, within 0.1 %; what is farther than `enough` metres may
 * come out as any number above it.
 */
extern double geo_shape_metres(GeoShape *shape, double lon, double lat, double enough);

/* A point, with what measuring from it takes. */
typedef struct GeoSpot
{
	double		lon;
	double		lat;
	double		sin_lat;
	double		cos_lat;
} GeoSpot;
extern GeoSpot geo_spot(double lon, double lat);

/* Metres between two points on PostGIS's sphere (ST_DistanceSphere). */
extern double geo_spots_metres(const GeoSpot *from, const GeoSpot *to);
extern double geo_metres(double from_lon, double from_lat, double to_lon, double to_lat);

/*
 * An index over `count` shapes; item i is found as values[i].  The
 * shapes outlive the index.  Empty ones are never found.  Returns NULL
 * and fills *error when memory runs out.
 */
extern GeoIndex *geo_index_new(GeoShape *const *shapes, void *const *values,
							   size_t count, GeoError *error);
extern void geo_index_free(GeoIndex *index);	/* of NULL: nothing */

/*
 * Calls found() with the value of each shape whose extent meets that of the box,
 * in no order.  found() must neither jump nor call the index.
 */
extern void geo_index_search(GeoIndex *index, const GeoBox *box,
							 void (*found) (void *value, void *arg), void *arg);

/* The extent of a segment; of one across the antimeridian all longitudes. */
extern GeoBox geo_segment_extent(const GeoSegment *segment);

#endif							/* PT621_GEO_H */
