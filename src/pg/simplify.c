/*
 * simplify.c
 *		pt621_simplify_wkb(): fewer places for the same track.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "report/simplify.h"

/* LINESTRING M as ISO WKB in the machine's order of bytes: which order that is, this
 * number, how many places. */
#define WKB_LINE_M		2002
#define WKB_HEADER		9

/* The first byte of WKB in the machine's order. */
static char
wkb_order(void)
{
	uint16		one = 1;
	char		order;

	memcpy(&order, &one, 1);
	return order;
}

static uint32
read_number(const char *bytes)
{
	uint32		number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

/* Reads a line; an error when the bytes are none, or no track. */
static SimplifyPlace *
read_track(const bytea *wkb, Size *count)
{
	const char *bytes = VARDATA_ANY(wkb);
	Size		size = VARSIZE_ANY_EXHDR(wkb);
	SimplifyPlace *places;

	if (size < WKB_HEADER || bytes[0] != wkb_order() || read_number(bytes + 1) != WKB_LINE_M)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("track is no LINESTRING M"),
				 errhint("pt621_track() gives such lines: M is the time, in seconds since 1970.")));
	*count = read_number(bytes + 5);
	if ((size - WKB_HEADER) / sizeof(SimplifyPlace) != *count ||
		(size - WKB_HEADER) % sizeof(SimplifyPlace) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("track has not as many places as it says")));
	places = palloc(Max(*count, 1) * sizeof(SimplifyPlace));
	memcpy(places, bytes + WKB_HEADER, *count * sizeof(SimplifyPlace));
	if (!simplify_is_track(places, *count))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("line is no track: its M does not rise from place to place, or a place is not on the Earth"),
				 errhint("ST_IsValidTrajectory(geom) tells whether M, the time, rises.")));
	return places;
}

PG_FUNCTION_INFO_V1(pt621_simplify_wkb);

/* pt621_simplify_wkb(track, tolerance_m): the same track with fewer places. */
Datum
pt621_simplify_wkb(PG_FUNCTION_ARGS)
{
	double		tolerance_m = PG_GETARG_FLOAT8(1);
	Size		count;
	SimplifyPlace *places = read_track(PG_GETARG_BYTEA_PP(0), &count);
	Simplify	simplify;
	const uint32 type = WKB_LINE_M;
	uint32		kept;
	bytea	   *result;
	Size		size;

	if (!(tolerance_m >= 0) || isinf(tolerance_m))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tolerance_m is to be 0 m or more, not %g", tolerance_m)));
	simplify_start(&simplify, places, count, tolerance_m);
	while (simplify_step(&simplify))
		CHECK_FOR_INTERRUPTS();
	kept = (uint32) simplify.kept;
	size = VARHDRSZ + WKB_HEADER + simplify.kept * sizeof(SimplifyPlace);
	result = palloc(size);
	SET_VARSIZE(result, size);
	VARDATA(result)[0] = wkb_order();
	memcpy(VARDATA(result) + 1, &type, sizeof(type));
	memcpy(VARDATA(result) + 5, &kept, sizeof(kept));
	memcpy(VARDATA(result) + WKB_HEADER, places, simplify.kept * sizeof(SimplifyPlace));
	PG_RETURN_BYTEA_P(result);
}
