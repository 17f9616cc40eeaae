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

#define WKB_POLYGON			3
#define WKB_MULTIPOLYGON	6

/* PostGIS's flags; ISO adds 1000 for Z, 2000 for M. */
#define WKB_HAS_Z			0x80000000u
#define WKB_HAS_M			0x40000000u
#define WKB_HAS_SRID		0x20000000u

#define WKB_HEADER_SIZE		5	/* byte order, type */

#define RING_MIN			4	/* places; none at all is a ring too */

typedef struct Reader
{
	const uint8_t *at;
	size_t		left;
	bool		big_endian;
	size_t		ordinates;		/* of a place: 2 to 4 */
	size_t		count;			/* places read, with marks */
	GeoPlace   *place;			/* NULL = only count */
	const char *trouble;
} Reader;

static bool
refuse(Reader *r, const char *trouble)
{
	r->trouble = trouble;
	return false;
}

static bool
read_count(Reader *r, uint32_t *value)
{
	const uint8_t *b = r->at;

	if (r->left < 4)
		return refuse(r, "the WKB is cut short");
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

static bool
read_type(Reader *r, uint32_t *type)
{
	uint32_t	word;
	uint32_t	iso;

	if (r->left < WKB_HEADER_SIZE)
		return refuse(r, "the WKB is cut short");
	if (r->at[0] > 1)
		return refuse(r, "the WKB has an unknown byte order");
	r->big_endian = r->at[0] == 0;
	r->at++;
	r->left--;
	if (!read_count(r, &word))
		return false;
	*type = word & ~(WKB_HAS_Z | WKB_HAS_M | WKB_HAS_SRID);
	iso = *type / 1000;
	if (iso > 3)
		return refuse(r, "the WKB is of an unknown type");
	*type %= 1000;
	r->ordinates = 2;
	if ((word & WKB_HAS_Z) || iso == 1 || iso == 3)
		r->ordinates++;
	if ((word & WKB_HAS_M) || iso == 2 || iso == 3)
		r->ordinates++;
	if (word & WKB_HAS_SRID)
		return read_count(r, &word);
	return true;
}

static double
read_ordinate(const Reader *r, size_t at)
{
	const uint8_t *b = r->at + at * sizeof(double);
	uint64_t	bits = 0;
	double		value;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | b[r->big_endian ? i : 7 - i];
	memcpy(&value, &bits, sizeof(value));
	return value;
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
	size_t		stride = r->ordinates * sizeof(double);
	GeoPlace	first = {NAN, NAN};
	uint32_t	places;

	if (!read_count(r, &places))
		return false;
	if (places > r->left / stride)
		return refuse(r, "the WKB is cut short");
	if (places > 0 && places < RING_MIN)
		return refuse(r, "a ring has too few places");
	for (uint32_t i = 0; i < places; i++)
	{
		GeoPlace	place = {read_ordinate(r, 0), read_ordinate(r, 1)};

		if (!isfinite(place.lon) || !isfinite(place.lat))
			return refuse(r, "a coordinate is not finite");
		if (i == 0)
			first = place;
		else if (i == places - 1 && (place.lon != first.lon || place.lat != first.lat))
			return refuse(r, "a ring is not closed");
		add(r, place);
		r->at += stride;
		r->left -= stride;
	}
	add(r, (GeoPlace) {NAN, NAN});
	return true;
}

static bool
read_polygon(Reader *r)
{
	uint32_t	rings;

	if (!read_count(r, &rings))
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

	if (!read_type(r, &type))
		return false;
	if (type == WKB_POLYGON)
		return read_polygon(r);
	if (type != WKB_MULTIPOLYGON)
		return refuse(r, "neither a polygon nor a multipolygon");
	if (!read_count(r, &parts))
		return false;
	for (; parts > 0; parts--)
	{
		if (!read_type(r, &type))
			return false;
		if (type != WKB_POLYGON)
			return refuse(r, "a multipolygon of something else");
		if (!read_polygon(r))
			return false;
	}
	return true;
}

size_t
geo_wkb_places(const uint8_t *wkb, size_t size, GeoPlace *place, GeoError *error)
{
	Reader		r = {.at = wkb, .left = size, .place = place};

	if (read_shape(&r) && r.left > 0)
		r.trouble = "bytes after the end of the WKB";
	if (r.trouble == NULL)
		return r.count;
	geo_fail(error, r.trouble);
	return SIZE_MAX;
}
