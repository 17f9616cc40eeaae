/*
 * outline.h
 *	  All that is within a distance of a point or a line, as polygons.
 *
 * Invariant: as geo.h: no PostgreSQL, never jumps.  The distance is that of
 * ST_DWithin on geography: along a line between two vertices the great circle of
 * a sphere is followed, and from it the distance is measured on the spheroid of
 * WGS 84.  The outline is within 0.1 % of the distance, edges straight in degrees.
 */
#ifndef PT621_GEO_OUTLINE_H
#define PT621_GEO_OUTLINE_H

#include "geo/geo.h"

/*
 * Reads the WKB of a point, line or multiline, and returns that of a multipolygon
 * whose polygons are each valid, and overlap.  Longitudes go on beyond +-180.
 * The memory is for the caller to free(); NULL with *error for what cannot be
 * done: a distance of less than 0.1 m or more than 1,000 km, what comes within it
 * of a pole, an edge of half the globe,
 * places that are none, other geometries, and too little memory.
 */
extern uint8_t *geo_outline(const uint8_t *wkb, size_t size, double metres,
							size_t *outline_size, GeoError *error);

#endif							/* PT621_GEO_OUTLINE_H */
