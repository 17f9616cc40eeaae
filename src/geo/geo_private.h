/*
 * geo_private.h
 *	  What the files of src/geo share and nobody else sees.
 *
 * Invariant: every call of GEOS is made with the context of geo_context(), and
 * its way of failing (NULL, 0, 2) is looked at.
 */
#ifndef PT621_GEO_PRIVATE_H
#define PT621_GEO_PRIVATE_H

#ifdef POSTGRES_H
#error "src/geo must not depend on PostgreSQL"
#endif

#include <geos_c.h>

#include "geo/geo.h"

/* A place, degrees. */
typedef struct GeoPlace
{
	double		lon;
	double		lat;
} GeoPlace;

/* What is looked for: longitudes from west to east, and those from west2 to east2,
 * which is the rest of a range that goes across the antimeridian. */
typedef struct GeoWindow
{
	double		west;
	double		south;
	double		east;
	double		north;
	double		west2;
	double		east2;
} GeoWindow;

#define GEO_NO_LONGITUDE	.west2 = INFINITY, .east2 = -INFINITY

/*
 * A stretch of edges: where they are, and the latitudes of the ends of the line
 * that they make.  Of edges that make more lines than one, which do not begin at
 * the latitude where the one before ended, the ends are NAN.
 */
typedef struct GeoNode
{
	GeoBox		box;			/* nothing meets that of no edges */
	double		begin;
	double		end;
} GeoNode;

#define GEO_LEAF_EDGES	16
#define GEO_FAN_BITS	3

/*
 * What a test reads comes first, and the leaves and the places follow in the same
 * piece of memory: of many shapes few are in the cache.
 */
struct GeoShape
{
	GeoBox		extent;			/* unless empty */
	bool		empty;
	unsigned	levels;
	size_t		leaves;

	/*
	 * The rings one after the other, each closed, with a mark of two NANs after
	 * each: so neighbours that are both numbers are an edge.
	 */
	size_t		places;
	GeoPlace   *place;

	/*
	 * Each GEO_LEAF_EDGES places are a leaf, in level 0; each 8 nodes of a level
	 * are one of the next.  The last level has no more than 8.
	 */
	GeoNode   **level;
	GeoNode		leaf[];			/* level 0 */
};

/* Makes the context with the first call; NULL when there is no memory. */
extern GEOSContextHandle_t geo_context(void);

/* Forgets what GEOS reported, and tells whether it reported a failure since. */
extern void geo_begin(void);
extern bool geo_failed(void);

extern void geo_fail(GeoError *error, const char *text);

/* A point, ours only until the next call; NULL when there is no memory. */
extern const GEOSGeometry *geo_point(double lon, double lat);

/* A line across an extent, to be destroyed by the caller; NULL likewise. */
extern GEOSGeometry *geo_diagonal(const GeoBox *box);

/* Allocates a shape of so many places; NULL when there is no memory. */
extern GeoShape *geo_shape_allocate(size_t places);

/* Fills in the nodes and the extent, when the places are there. */
extern void geo_nodes_make(GeoShape *shape);

/* Tells what it takes. */
extern size_t geo_shape_bytes(size_t places);

/* Gives the next leaf, this one or one after it, that meets a window; as many as
 * there are when there is none. */
extern size_t geo_next_leaf(const GeoShape *shape, size_t leaf, const GeoWindow *window);

/* Where a point is. */
typedef enum GeoWhere
{
	GEO_OUTSIDE,
	GEO_BOUNDARY,
	GEO_INSIDE
} GeoWhere;
extern GeoWhere geo_where(const GeoShape *shape, double lon, double lat);

/* An edge that has a point in common with a line, and on which sides their ends
 * are: 1 left, -1 right, 0 on the other one's line. */
typedef struct GeoTouch
{
	GeoPlace	begin;
	GeoPlace	end;
	int			begin_side;		/* of the line */
	int			end_side;
	int			from_side;		/* of the edge */
	int			to_side;
} GeoTouch;

/*
 * Calls touched() with each such edge, until it returns false.  Tells whether there
 * was one.
 */
extern bool geo_touch(const GeoShape *shape, GeoPlace from, GeoPlace to,
					  bool (*touched) (const GeoTouch *touch, void *arg), void *arg);

/* Types of WKB. */
#define WKB_POINT			1
#define WKB_LINE			2
#define WKB_POLYGON			3
#define WKB_MULTILINE		5
#define WKB_MULTIPOLYGON	6

/* WKB that is being read, without believing a byte of it. */
typedef struct GeoWkb
{
	const uint8_t *at;
	size_t		left;
	bool		big_endian;
	size_t		ordinates;		/* of a place: 2 to 4 */
	const char *trouble;		/* NULL = none so far */
} GeoWkb;

/* Notes what is wrong; gives false. */
extern bool geo_wkb_refuse(GeoWkb *wkb, const char *trouble);

/* Read on; false, and trouble noted, when the bytes are none of that. */
extern bool geo_wkb_count(GeoWkb *wkb, uint32_t *value);
extern bool geo_wkb_type(GeoWkb *wkb, uint32_t *type);	/* that of the plane: 1 to 7 */
extern bool geo_wkb_place(GeoWkb *wkb, GeoPlace *place);

/*
 * Reads WKB into places, without believing a byte of it.  Returns how many there
 * are, marks included, and writes them when `place` is not NULL; SIZE_MAX, and
 * *error filled, when the bytes are no polygon or multipolygon.
 */
extern size_t geo_wkb_places(const uint8_t *wkb, size_t size, GeoPlace *place,
							 GeoError *error);

/* Tells whether two extents have a point in common. */
static inline bool
geo_boxes_meet(const GeoBox *a, const GeoBox *b)
{
	return a->west <= b->east && b->west <= a->east &&
		a->south <= b->north && b->south <= a->north;
}

/* Tells whether an extent has a place in it. */
static inline bool
geo_box_has(const GeoBox *box, double lon, double lat)
{
	return lon >= box->west && lon <= box->east &&
		lat >= box->south && lat <= box->north;
}

/* Tells whether an extent, or an edge by its ends, meets a window; not so for one
 * with a mark. */
static inline bool
geo_in_window(const GeoWindow *w, double lon_a, double lat_a, double lon_b, double lat_b)
{
	double		west = lon_a < lon_b ? lon_a : lon_b;
	double		east = lon_a < lon_b ? lon_b : lon_a;

	return (lat_a <= w->north || lat_b <= w->north) &&
		(lat_a >= w->south || lat_b >= w->south) &&
		((west <= w->east && east >= w->west) ||
		 (west <= w->east2 && east >= w->west2));
}

/* The places of the edges of a leaf: from the first up to the second, each with
 * the one after it. */
static inline const GeoPlace *
geo_leaf_begin(const GeoShape *shape, size_t leaf)
{
	return shape->place + leaf * GEO_LEAF_EDGES;
}

static inline const GeoPlace *
geo_leaf_end(const GeoShape *shape, size_t leaf)
{
	size_t		end = (leaf + 1) * GEO_LEAF_EDGES;

	return shape->place + (end < shape->places ? end : shape->places - 1);
}

#endif							/* PT621_GEO_PRIVATE_H */
