/*
 * wkb.c
 *		Reads the WKB of polygons.
 *
 * Invariant: no count is believed before the bytes for it are seen to be there,
 * and nothing is nested deeper than a polygon in a multipolygon.  What comes out
 * are closed rings of finite places.
 */
#include <math.h>
#include <string.h>

#include "geo/geo_private.h"

/* PostGIS's flags; ISO adds 1000 for Z, 2000 for M. */
#define WKB_HAS_Z			0x80000000u
#define WKB_HAS_M			0x40000000u
#define WKB_HAS_SRID		0x20000000u

#define WKB_HEADER_SIZE		5	/* byte order, type */

#define RING_MIN			4	/* places; none at all is a ring too */

/* Reads a shape's rings. */
typedef struct Reader
{
	GeoWkb		wkb;
	size_t		count;			/* places read, with marks */
	GeoPlace   *place;			/* NULL = only count */
} Reader;

bool
geo_wkb_refuse(GeoWkb *r, const char *trouble)
{
	r->trouble = trouble;
	return false;
}

bool
geo_wkb_count(GeoWkb *r, uint32_t *value)
{
	const uint8_t *b = r->at;

	if (r->left < 4)
		return geo_wkb_refuse(r, "the WKB is cut short");
	if (r->big_endian)
		*value = (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 |
			(uint32_t) b[2] << 8 | b[3];
	else
		*value = (uint32_t) b[3] << 24 | (uint32_t) b[2] << 16 |
			(uint32_t) b[1] << 8 | b[0];
	r->at += 4;
	r->left -= 4;
	return true;
}

bool
geo_wkb_type(GeoWkb *r, uint32_t *type)
{
	uint32_t	word;
	uint32_t	iso;

	if (r->left < WKB_HEADER_SIZE)
		return geo_wkb_refuse(r, "the WKB is cut short");
	if (r->at[0] > 1)
		return geo_wkb_refuse(r, "the WKB has an unknown byte order");
	r->big_endian = r->at[0] == 0;
	r->at++;
	r->left--;
	if (!geo_wkb_count(r, &word))
		return false;
	*type = word & ~(WKB_HAS_Z | WKB_HAS_M | WKB_HAS_SRID);
	iso = *type / 1000;
	if (iso > 3)
		return geo_wkb_refuse(r, "the WKB is of an unknown type");
	*type %= 1000;
	r->ordinates = 2;
	if ((word & WKB_HAS_Z) || iso == 1 || iso == 3)
		r->ordinates++;
	if ((word & WKB_HAS_M) || iso == 2 || iso == 3)
		r->ordinates++;
	if (word & WKB_HAS_SRID)
		return geo_wkb_count(r, &word);
	return true;
}

static double
read_ordinate(const GeoWkb *r, size_t at)
{
	const uint8_t *b = r->at + at * sizeof(double);
	uint64_t	bits = 0;
	double		value;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | b[r->big_endian ? i : 7 - i];
	memcpy(&value, &bits, sizeof(value));
	return value;
}

bool
geo_wkb_place(GeoWkb *r, GeoPlace *place)
{
	size_t		stride = r->ordinates * sizeof(double);

	if (r->left < stride)
		return geo_wkb_refuse(r, "the WKB is cut short");
	*place = (GeoPlace) {read_ordinate(r, 0), read_ordinate(r, 1)};
	r->at += stride;
	r->left -= stride;
	return true;
}

static void
add(Reader *r, GeoPlace place)
{
	if (r->place != NULL)
		r->place[r->count] = place;
	r->count++;
}

static bool
read_ring(Reader *r)
{
	GeoPlace	first = {NAN, NAN};
	uint32_t	places;

	if (!geo_wkb_count(&r->wkb, &places))
		return false;
	if (places > r->wkb.left / (r->wkb.ordinates * sizeof(double)))
		return geo_wkb_refuse(&r->wkb, "the WKB is cut short");
	if (places > 0 && places < RING_MIN)
		return geo_wkb_refuse(&r->wkb, "a ring has too few places");
	for (uint32_t i = 0; i < places; i++)
	{
		GeoPlace	place;

		if (!geo_wkb_place(&r->wkb, &place))
			return false;
		if (!isfinite(place.lon) || !isfinite(place.lat))
			return geo_wkb_refuse(&r->wkb, "a coordinate is not finite");
		if (i == 0)
			first = place;
		else if (i == places - 1 && (place.lon != first.lon || place.lat != first.lat))
			return geo_wkb_refuse(&r->wkb, "a ring is not closed");
		add(r, place);
	}
	add(r, (GeoPlace) {NAN, NAN});
	return true;
}

static bool
read_polygon(Reader *r)
{
	uint32_t	rings;

	if (!geo_wkb_count(&r->wkb, &rings))
		return false;
	for (; rings > 0; rings--)
	{
		if (!read_ring(r))
			return false;
	}
	return true;
}

static bool
read_shape(Reader *r)
{
	uint32_t	type;
	uint32_t	parts;

	if (!geo_wkb_type(&r->wkb, &type))
		return false;
	if (type == WKB_POLYGON)
		return read_polygon(r);
	if (type != WKB_MULTIPOLYGON)
		return geo_wkb_refuse(&r->wkb, "neither a polygon nor a multipolygon");
	if (!geo_wkb_count(&r->wkb, &parts))
		return false;
	for (; parts > 0; parts--)
	{
		if (!geo_wkb_type(&r->wkb, &type))
			return false;
		if (type != WKB_POLYGON)
			return geo_wkb_refuse(&r->wkb, "a multipolygon of something else");
		if (!read_polygon(r))
			return false;
	}
	return true;
}

size_t
geo_wkb_places(const uint8_t *wkb, size_t size, GeoPlace *place, GeoError *error)
{
	Reader		r = {.wkb = {.at = wkb, .left = size}, .place = place};

	if (read_shape(&r) && r.wkb.left > 0)
		r.wkb.trouble = "bytes after the end of the WKB";
	if (r.wkb.trouble == NULL)
		return r.count;
	geo_fail(error, r.wkb.trouble);
	return SIZE_MAX;
}
