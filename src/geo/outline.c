/*
 * outline.c
 *	  All that is within a distance of a point or a line: from WKB to WKB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/outline_private.h"

#define METRES_MIN	0.1			/* with less, rounding would look like a curve */
#define METRES_MAX	1000000.0

bool
outline_fail(Outline *outline, const char *text)
{
	if (outline->error->text[0] == '\0')
		snprintf(outline->error->text, sizeof(outline->error->text), "%s", text);
	return false;
}

bool
outline_grow(Outline *outline, void **array, size_t *room, size_t needed, size_t size)
{
	size_t		wanted = *room ? *room : 64;
	void	   *larger;

	if (needed <= *room)
		return true;
	while (wanted < needed)
		wanted *= 2;
	larger = realloc(*array, wanted * size);
	if (larger == NULL)
		return outline_fail(outline, "out of memory");
	*array = larger;
	*room = wanted;
	return true;
}

/* ---------------------------------------------------------------- writing -- */

static void
put(Outline *outline, const void *bytes, size_t size)
{
	void	   *array = outline->bytes;

	if (outline_failed(outline) || !outline_grow(outline, &array, &outline->room, outline->size + size, 1))
		return;
	outline->bytes = array;
	memcpy(outline->bytes + outline->size, bytes, size);
	outline->size += size;
}

/* In the byte order of this machine, which the WKB says. */
static void
put_header(Outline *outline, uint32_t type, uint32_t count)
{
	const uint32_t one = 1;
	uint8_t		order;

	memcpy(&order, &one, 1);
	put(outline, &order, 1);
	put(outline, &type, sizeof(type));
	put(outline, &count, sizeof(count));
}

static void
patch(Outline *outline, size_t at, uint32_t count)
{
	if (!outline_failed(outline))
		memcpy(outline->bytes + at, &count, sizeof(count));
}

void
outline_begin_ring(Outline *outline)
{
	put_header(outline, WKB_POLYGON, 1);
	outline->points_at = outline->size;
	outline->points = 0;
	put(outline, &outline->points, sizeof(outline->points));
	outline->polygons++;
}

void
outline_put_place(Outline *outline, GeoPlace place)
{
	if (outline->points++ == 0)
		outline->first = place;
	put(outline, &place.lon, sizeof(double));
	put(outline, &place.lat, sizeof(double));
}

void
outline_end_ring(Outline *outline)
{
	outline_put_place(outline, outline->first);
	patch(outline, outline->points_at, outline->points);
}

/* ---------------------------------------------------------------- reading -- */

static bool
read_places(Outline *outline, GeoWkb *wkb, uint32_t count)
{
	GeoPlace   *places;

	if (count == 0)
		return true;
	if (wkb->ordinates != 2 || wkb->left / (2 * sizeof(double)) < count)
		return outline_fail(outline, "not the WKB of a point or line");
	places = malloc(count * sizeof(GeoPlace));
	if (places == NULL)
		return outline_fail(outline, "out of memory");
	for (uint32_t i = 0; i < count && !outline_failed(outline); i++)
	{
		geo_wkb_place(wkb, &places[i]);
		if (!(fabs(places[i].lon) <= 360 && fabs(places[i].lat) <= 90))
			outline_fail(outline, "it has a place that is not on the globe");
		else
			places[i].lon = outline_unwrap(places[i].lon, 0);
	}
	if (!outline_failed(outline))
		outline_put_line(outline, places, count);
	free(places);
	return !outline_failed(outline);
}

static bool
read_geometry(Outline *outline, GeoWkb *wkb, bool nested)
{
	uint32_t	type;
	uint32_t	count = 1;

	if (!geo_wkb_type(wkb, &type) ||
		(type != WKB_POINT && !geo_wkb_count(wkb, &count)))
		return outline_fail(outline, "not the WKB of a point or line");
	if (type == WKB_POINT || type == WKB_LINE)
		return read_places(outline, wkb, count);
	if (type != WKB_MULTILINE || nested)
		return outline_fail(outline, "not the WKB of a point or line");
	for (uint32_t i = 0; i < count; i++)
	{
		if (!read_geometry(outline, wkb, true))
			return false;
	}
	return true;
}

uint8_t *
geo_outline(const uint8_t *wkb, size_t size, double metres, size_t *outline_size,
			GeoError *error)
{
	/* As much inside the circle in the middle of its edges as outside. */
	Outline		outline = {.error = error,.metres = 2 * metres / (1 + cos(M_PI / CIRCLE))};
	GeoWkb		reader = {.at = wkb,.left = size};

	error->text[0] = '\0';
	if (!(metres >= METRES_MIN && metres <= METRES_MAX))
		outline_fail(&outline, "the distance is not between 0.1 and 1,000,000 metres");
	else
	{
		put_header(&outline, WKB_MULTIPOLYGON, 0);
		read_geometry(&outline, &reader, false);
		patch(&outline, 5, outline.polygons);
	}
	free(outline.stations);
	if (outline_failed(&outline))
	{
		free(outline.bytes);
		return NULL;
	}
	*outline_size = outline.size;
	return outline.bytes;
}
