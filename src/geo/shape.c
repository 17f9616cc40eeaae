/*
 * shape.c
 *		Makes shapes.
 *
 * Invariant: a shape is closed rings of finite places, all in one piece of memory,
 * and never changes.
 */
#include <stdlib.h>

#include "geo/geo_private.h"

GeoShape *
geo_shape_new(const uint8_t *wkb, size_t size, GeoError *error)
{
	size_t		places = geo_wkb_places(wkb, size, NULL, error);
	GeoShape   *shape;

	if (places == SIZE_MAX)
		return NULL;
	/* For the signs of orientations, which cannot tell of failure. */
	shape = geo_context() != NULL ? geo_shape_allocate(places) : NULL;
	if (shape == NULL)
	{
		geo_fail(error, "out of memory");
		return NULL;
	}
	geo_wkb_places(wkb, size, shape->place, error);
	geo_nodes_make(shape);
	error->text[0] = '\0';
	return shape;
}

void
geo_shape_free(GeoShape *shape)
{
	free(shape);
}

bool
geo_shape_extent(const GeoShape *shape, GeoBox *box)
{
	if (!shape->empty)
		*box = shape->extent;
	return !shape->empty;
}
