/*
 * edges.c
 *		The edges of a shape in order, and a tree over them.
 *
 * Invariant: where a point lies is told from the signs of orientations, which are
 * exact: they are computed here when rounding cannot change them, and by GEOS when
 * it could.  So the answer is that of GEOS, although its prepared geometries are
 * not used: they take ten times the memory, and with many shapes all the time goes
 * into fetching it.
 *
 * Edges that follow each other lie near each other, so that the tree needs no
 * sorting, and a stretch of them that is wholly east of a point needs no look
 * inside: a ray to the east crosses it an odd number of times when its ends are
 * on different sides of the ray.
 */
#include <math.h>
#include <stdlib.h>

#include "geo/geo_private.h"

/*
 * By how much the difference of two products can be wrong, as a part of the sum of
 * their amounts: (3 + 16 e) e with e = 2^-53 (Shewchuk), and a little more.
 */
#define SIDE_BOUND	3.4e-16

static size_t
parents(size_t nodes)
{
	return (nodes + (1 << GEO_FAN_BITS) - 1) >> GEO_FAN_BITS;
}

static size_t
count_leaves(size_t places)
{
	return (places + GEO_LEAF_EDGES - 1) / GEO_LEAF_EDGES;
}

/* Counts the nodes above the leaves, and the levels. */
static size_t
count_above(size_t leaves, unsigned *levels)
{
	size_t		sum = 0;

	for (*levels = 1; leaves > 1 << GEO_FAN_BITS; (*levels)++)
	{
		leaves = parents(leaves);
		sum += leaves;
	}
	return sum;
}

size_t
geo_shape_bytes(size_t places)
{
	size_t		leaves = count_leaves(places);
	unsigned	levels;
	size_t		nodes = leaves + count_above(leaves, &levels);

	return sizeof(GeoShape) + nodes * sizeof(GeoNode) + places * sizeof(GeoPlace) +
		levels * sizeof(GeoNode *);
}

GeoShape *
geo_shape_allocate(size_t places)
{
	size_t		leaves = count_leaves(places);
	GeoShape   *shape = calloc(1, geo_shape_bytes(places));
	GeoNode    *above;
	size_t		nodes;

	if (shape == NULL)
		return NULL;
	shape->leaves = leaves;
	shape->places = places;
	shape->place = (GeoPlace *) (shape->leaf + leaves);
	above = (GeoNode *) (shape->place + places);
	nodes = count_above(leaves, &shape->levels);
	shape->level = (GeoNode **) (above + nodes);
	shape->level[0] = shape->leaf;
	for (unsigned i = 1; i < shape->levels; i++)
	{
		leaves = parents(leaves);
		shape->level[i] = above;
		above += leaves;
	}
	return shape;
}

static const GeoNode no_edges = {{INFINITY, INFINITY, -INFINITY, -INFINITY}, 0, 0};

static bool
has_edges(const GeoNode *node)
{
	return node->box.west <= node->box.east;
}

/* Adds to a node what comes after it. */
static void
append(GeoNode *node, const GeoNode *next)
{
	if (!has_edges(next))
		return;
	if (!has_edges(node))
	{
		*node = *next;
		return;
	}
	node->box.west = fmin(node->box.west, next->box.west);
	node->box.south = fmin(node->box.south, next->box.south);
	node->box.east = fmax(node->box.east, next->box.east);
	node->box.north = fmax(node->box.north, next->box.north);
	if (node->end != next->begin)
		node->begin = NAN;
	node->end = isnan(node->begin) ? NAN : next->end;
}

static void
make_leaf(const GeoShape *shape, size_t leaf, GeoNode *node)
{
	const GeoPlace *end = geo_leaf_end(shape, leaf);

	*node = no_edges;
	for (const GeoPlace *a = geo_leaf_begin(shape, leaf); a < end; a++)
	{
		const GeoPlace *b = a + 1;
		GeoNode		edge = {{fmin(a->lon, b->lon), fmin(a->lat, b->lat),
		fmax(a->lon, b->lon), fmax(a->lat, b->lat)}, a->lat, b->lat};

		if (!isnan(a->lat) && !isnan(b->lat))
			append(node, &edge);
	}
}

void
geo_nodes_make(GeoShape *shape)
{
	size_t		nodes = shape->leaves;
	GeoNode		all = no_edges;

	for (size_t i = 0; i < nodes; i++)
	{
		make_leaf(shape, i, &shape->leaf[i]);
		append(&all, &shape->leaf[i]);
	}
	shape->extent = all.box;
	shape->empty = !has_edges(&all);
	for (unsigned level = 1; level < shape->levels; level++)
	{
		const GeoNode *children = shape->level[level - 1];
		GeoNode    *node = shape->level[level];

		for (size_t i = 0; i < parents(nodes); i++)
			node[i] = no_edges;
		for (size_t i = 0; i < nodes; i++)
			append(&node[i >> GEO_FAN_BITS], &children[i]);
		nodes = parents(nodes);
	}
}

/* Gives the node of a level that a leaf is in. */
static inline const GeoNode *
node_of(const GeoShape *shape, unsigned level, size_t leaf)
{
	return level == 0 ? &shape->leaf[leaf] :
		&shape->level[level][leaf >> GEO_FAN_BITS * level];
}

/* Gives the highest level that has a node beginning with this leaf. */
static inline unsigned
level_from(const GeoShape *shape, size_t leaf)
{
	unsigned	level = shape->levels - 1;

	while (leaf & (((size_t) 1 << GEO_FAN_BITS * level) - 1))
		level--;
	return level;
}

size_t
geo_next_leaf(const GeoShape *shape, size_t leaf, const GeoWindow *window)
{
	while (leaf < shape->leaves)
	{
		unsigned	level = level_from(shape, leaf);

		for (;;)
		{
			const GeoNode *node = node_of(shape, level, leaf);

			if (!has_edges(node) ||
				!geo_in_window(window, node->box.west, node->box.south,
							   node->box.east, node->box.north))
				break;
			if (level == 0)
				return leaf;
			level--;
		}
		leaf += (size_t) 1 << GEO_FAN_BITS * level;
	}
	return shape->leaves;
}

/* Tells on which side of an edge a point is: 1 left, -1 right, 0 on its line. */
static inline int
side_of(GeoPlace from, GeoPlace to, double lon, double lat)
{
	double		left = (from.lon - lon) * (to.lat - lat);
	double		right = (from.lat - lat) * (to.lon - lon);
	double		bound = SIDE_BOUND * (fabs(left) + fabs(right));
	int			side;

	if (left - right > bound)
		return 1;
	if (right - left > bound)
		return -1;
	side = GEOSOrientationIndex_r(geo_context(), from.lon, from.lat, to.lon, to.lat,
								  lon, lat);
	return side == 2 ? 0 : side;
}

/*
 * Counts the edges of a leaf that a ray eastward from the point crosses: *inside
 * turns with each.  An edge takes in its lower end and not its upper one.  Returns
 * true when the point lies on an edge.
 */
static bool
cross_leaf(const GeoShape *shape, size_t leaf, double lon, double lat, bool *inside)
{
	const GeoPlace *end = geo_leaf_end(shape, leaf);

	for (const GeoPlace *a = geo_leaf_begin(shape, leaf); a < end; a++)
	{
		const GeoPlace *b = a + 1;
		int			side;

		if (a->lat == lat &&
			(a->lon == lon ||
			 (b->lat == lat && (a->lon < lon) != (b->lon < lon))))
			return true;
		if ((a->lat > lat) == (b->lat > lat) || isnan(a->lat) || isnan(b->lat))
			continue;
		side = side_of(*a, *b, lon, lat);
		if (side == 0)
			return true;
		if ((side > 0) == (b->lat > a->lat))
			*inside = !*inside;
	}
	return false;
}

GeoWhere
geo_where(const GeoShape *shape, double lon, double lat)
{
	bool		inside = false;
	size_t		leaf = 0;

	if (shape->empty || !geo_box_has(&shape->extent, lon, lat))
		return GEO_OUTSIDE;
	while (leaf < shape->leaves)
	{
		unsigned	level = level_from(shape, leaf);

		for (;; level--)
		{
			const GeoNode *node = node_of(shape, level, leaf);

			if (lat > node->box.north || lat < node->box.south || lon > node->box.east)
				break;
			if (lon < node->box.west && !isnan(node->begin))
			{
				inside ^= (node->begin > lat) != (node->end > lat);
				break;
			}
			if (level == 0)
			{
				if (cross_leaf(shape, leaf, lon, lat, &inside))
					return GEO_BOUNDARY;
				break;
			}
		}
		leaf += (size_t) 1 << GEO_FAN_BITS * level;
	}
	return inside ? GEO_INSIDE : GEO_OUTSIDE;
}

bool
geo_shape_covers(GeoShape *shape, double lon, double lat)
{
	return geo_where(shape, lon, lat) != GEO_OUTSIDE;
}

/* Tells whether an edge and a line, whose extents meet, have a point in common. */
static bool
find_touch(GeoTouch *touch, GeoPlace from, GeoPlace to)
{
	touch->begin_side = side_of(from, to, touch->begin.lon, touch->begin.lat);
	touch->end_side = side_of(from, to, touch->end.lon, touch->end.lat);
	if (touch->begin_side * touch->end_side > 0)
		return false;
	touch->from_side = side_of(touch->begin, touch->end, from.lon, from.lat);
	touch->to_side = side_of(touch->begin, touch->end, to.lon, to.lat);
	return touch->from_side * touch->to_side <= 0;
}

bool
geo_touch(const GeoShape *shape, GeoPlace from, GeoPlace to,
		  bool (*touched) (const GeoTouch *touch, void *arg), void *arg)
{
	GeoWindow	w = {fmin(from.lon, to.lon), fmin(from.lat, to.lat),
		fmax(from.lon, to.lon), fmax(from.lat, to.lat), GEO_NO_LONGITUDE};
	bool		any = false;
	size_t		leaf;

	for (leaf = 0; (leaf = geo_next_leaf(shape, leaf, &w)) < shape->leaves; leaf++)
	{
		const GeoPlace *end = geo_leaf_end(shape, leaf);

		for (const GeoPlace *a = geo_leaf_begin(shape, leaf); a < end; a++)
		{
			GeoTouch	touch = {a[0], a[1], 0, 0, 0, 0};

			if (!geo_in_window(&w, a[0].lon, a[0].lat, a[1].lon, a[1].lat) ||
				!find_touch(&touch, from, to))
				continue;
			any = true;
			if (!touched(&touch, arg))
				return true;
		}
	}
	return any;
}
