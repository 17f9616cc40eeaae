/*
 * index.c
 *		Many shapes by place: the R-tree of GEOS over their extents.
 *
 * Invariant: the tree is built when it is made and never changes.  A search first
 * collects what it finds, and calls found() with no frame of GEOS on the stack.
 */
#include <stdlib.h>

#include "geo/geo_private.h"

#define NODE_CAPACITY	10

/* What belongs together lies together: it is fetched at once. */
typedef struct Entry
{
	GeoShape   *shape;
	void	   *value;
} Entry;

struct GeoIndex
{
	GEOSSTRtree *tree;			/* of entries */
	Entry	   *entries;
	size_t		count;

	void	  **hit;			/* what the search at hand found: room for all */
	size_t		hits;
};

/* What a test of a point reads first of a shape, and its caller of the value. */
#define LINES_OF_SHAPE	6
#define LINES_OF_VALUE	3
#define LINE_SIZE		64

/*
 * Notes what was found.  Of many shapes few are in the cache: they are fetched
 * while the search goes on, all at once, rather than one after the other.
 */
static void
collect(void *item, void *arg)
{
	GeoIndex   *index = arg;
	const Entry *entry = item;

	for (int i = 0; i < LINES_OF_VALUE; i++)
		__builtin_prefetch((const char *) entry->value + i * LINE_SIZE);
	for (int i = 0; i < LINES_OF_SHAPE; i++)
		__builtin_prefetch((const char *) entry->shape + i * LINE_SIZE);
	index->hit[index->hits++] = entry->value;
}

/* Inserts a shape by its extent. */
static bool
insert(GeoIndex *index, size_t i)
{
	GEOSGeometry *diagonal = geo_diagonal(&index->entries[i].shape->extent);

	if (diagonal == NULL)
		return false;
	GEOSSTRtree_insert_r(geo_context(), index->tree, diagonal,
						 &index->entries[i]);
	GEOSGeom_destroy_r(geo_context(), diagonal);
	return true;
}

/* Inserts the shapes, and asks once: it is the first search that builds.  Of a
 * failure of these calls only the report tells. */
static bool
fill(GeoIndex *index)
{
	GEOSContextHandle_t context = geo_context();
	const GEOSGeometry *point = geo_point(0, 0);

	if (point == NULL)
		return false;
	index->hit = malloc((index->count + 1) * sizeof(*index->hit));
	index->tree = GEOSSTRtree_create_r(context, NODE_CAPACITY);
	if (index->hit == NULL || index->tree == NULL)
		return false;
	geo_begin();
	for (size_t i = 0; i < index->count; i++)
	{
		if (!index->entries[i].shape->empty && !insert(index, i))
			return false;
	}
	GEOSSTRtree_query_r(context, index->tree, point, collect, index);
	return !geo_failed();
}

GeoIndex *
geo_index_new(GeoShape *const *shapes, void *const *values, size_t count,
			  GeoError *error)
{
	GeoIndex   *index = calloc(1, sizeof(*index));

	if (index != NULL)
	{
		index->count = count;
		index->entries = malloc((count + 1) * sizeof(*index->entries));
		for (size_t i = 0; i < count && index->entries != NULL; i++)
			index->entries[i] = (Entry) {shapes[i], values[i]};
		if (index->entries != NULL && fill(index))
		{
			error->text[0] = '\0';
			return index;
		}
		geo_index_free(index);
	}
	geo_fail(error, "out of memory");
	return NULL;
}

void
geo_index_free(GeoIndex *index)
{
	if (index == NULL)
		return;
	if (index->tree != NULL)
		GEOSSTRtree_destroy_r(geo_context(), index->tree);
	free(index->hit);
	free(index->entries);
	free(index);
}

/* Searches without the tree: slow, but in need of no memory. */
static void
scan(const GeoIndex *index, const GeoBox *box,
	 void (*found) (void *value, void *arg), void *arg)
{
	for (size_t i = 0; i < index->count; i++)
	{
		const GeoShape *shape = index->entries[i].shape;

		if (!shape->empty && geo_boxes_meet(&shape->extent, box))
			found(index->entries[i].value, arg);
	}
}

void
geo_index_search(GeoIndex *index, const GeoBox *box,
				 void (*found) (void *value, void *arg), void *arg)
{
	GEOSContextHandle_t context = geo_context();
	const GEOSGeometry *asked;
	GEOSGeometry *line = NULL;

	/* GEOS would take a box that is the wrong way round as it takes a line. */
	if (!(box->west <= box->east && box->south <= box->north))
		return;
	if (box->west == box->east && box->south == box->north)
		asked = geo_point(box->west, box->south);
	else
		asked = line = geo_diagonal(box);
	if (asked == NULL)
	{
		scan(index, box, found, arg);
		return;
	}
	index->hits = 0;
	GEOSSTRtree_query_r(context, index->tree, asked, collect, index);
	if (line != NULL)
		GEOSGeom_destroy_r(context, line);
	for (size_t i = 0; i < index->hits; i++)
		found(index->hit[i], arg);
}
