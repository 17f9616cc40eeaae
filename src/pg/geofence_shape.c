/*
 * geofence_shape.c
 *		pt621_geofence_outline(): circles and corridors.
 *
 * Invariant: what src/geo allocated is freed before an error is raised.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/memutils.h"

#include "geo/outline.h"

PG_FUNCTION_INFO_V1(pt621_geofence_outline);

/* pt621_geofence_outline(wkb, radius_m): polygons that overlap, as WKB. */
Datum
pt621_geofence_outline(PG_FUNCTION_ARGS)
{
	bytea	   *wkb = PG_GETARG_BYTEA_PP(0);
	GeoError	error;
	size_t		size;
	bytea	   *result;
	uint8_t    *outline = geo_outline((const uint8 *) VARDATA_ANY(wkb), VARSIZE_ANY_EXHDR(wkb),
									  PG_GETARG_FLOAT8(1), &size, &error);

	if (outline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shape of a geofence cannot be made: %s", error.text)));
	result = size < MaxAllocSize - VARHDRSZ ?
		palloc_extended(VARHDRSZ + size, MCXT_ALLOC_NO_OOM) : NULL;
	if (result)
	{
		SET_VARSIZE(result, VARHDRSZ + size);
		memcpy(VARDATA(result), outline, size);
	}
	free(outline);
	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("shape of a geofence is too large")));
	PG_RETURN_BYTEA_P(result);
}
