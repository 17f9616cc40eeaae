/*
 * outline_private.h
 *	  The outline of a point or line while it is made.
 *
 * outline.c reads and writes WKB; outline_line.c goes round a line.
 */
#ifndef PT621_GEO_OUTLINE_PRIVATE_H
#define PT621_GEO_OUTLINE_PRIVATE_H

#include <math.h>

#include "geo/geo_private.h"
#include "geo/outline.h"

#define CIRCLE		128			/* edges of a full one */

/* A place on an edge, and those at the distance to either side.  Longitudes go on
 * beyond +-180. */
typedef struct Station
{
	double		part;			/* 0 .. 1 of the edge */
	double		azimuth;		/* radians clockwise from north */
	GeoPlace		at;
	GeoPlace		left;
	GeoPlace		right;
} Station;

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
	GeoPlace		first;
	Station    *stations;		/* of the edge at hand */
	size_t		station_count;
	size_t		station_room;
} Outline;

/* Notes what went wrong, if nothing has yet; gives false. */
extern bool outline_fail(Outline *outline, const char *text);

static inline bool
outline_failed(const Outline *outline)
{
	return outline->error->text[0] != '\0';
}

/* Makes an array larger; false when there is no memory. */
extern bool outline_grow(Outline *outline, void **array, size_t *room, size_t needed, size_t size);

/* Write a polygon of one ring; the last place is the first one again. */
extern void outline_begin_ring(Outline *outline);
extern void outline_put_place(Outline *outline, GeoPlace place);
extern void outline_end_ring(Outline *outline);

/* Writes what is within the distance of a line of at least one place. */
extern void outline_put_line(Outline *outline, const GeoPlace *places, size_t count);

/* Gives a longitude that is no more than 180 degrees away from another. */
extern double outline_unwrap(double lon, double near);

#endif							/* PT621_GEO_OUTLINE_PRIVATE_H */
