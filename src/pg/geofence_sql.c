/*
 * geofence_sql.c
 *		pt621_inside() and pt621_geofences(): places and fences, in any query.
 *
 * Invariant: they tell of the place only, for they are given no tracker: valid
 * versions within their hours, whatever trackers they are for.  They read no
 * table with the rights of who asks.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "pgtime.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/geofence_private.h"
#include "pg/postgis.h"
#include "pg/row.h"

/* Reads the place that the first argument is; false for an empty point. */
static bool
get_place(FunctionCallInfo fcinfo, double *lon, double *lat)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;

	if (flinfo->fn_extra == NULL)
	{
		Oid		   *types;
		int			count;

		/* As declared: a trigger's WHEN gives no expression to ask. */
		get_func_signature(flinfo->fn_oid, &types, &count);
		if (count == 0)
			elog(ERROR, "function %u has no arguments", flinfo->fn_oid);
		flinfo->fn_extra = point_reader_new(types[0], flinfo->fn_mcxt);
	}
	return point_read(flinfo->fn_extra, PG_GETARG_DATUM(0), lon, lat);
}

PG_FUNCTION_INFO_V1(pt621_inside);

/* pt621_inside(geom, geofence, at): NULL when there is no fence of this name. */
Datum
pt621_inside(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(1);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(2);
	Geofences  *fences;
	Fence	   *fence;
	uint32		place = 0;
	bool		known = false;
	double		lon;
	double		lat;

	if (!get_place(fcinfo, &lon, &lat))
		PG_RETURN_NULL();
	fences = geofences_get();
	while ((fence = fences_named(fences, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
								 &place)) != NULL)
	{
		known = true;
		if (fence_valid(fence, at) &&
			(fence->hours == NULL || fence_hours_include(fence->hours, at)) &&
			geo_shape_covers(fence->detect.shape, lon, lat))
			PG_RETURN_BOOL(true);
	}
	if (!known)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(false);
}

PG_FUNCTION_INFO_V1(pt621_geofences);

/* pt621_geofences(geom, at): ids in order. */
Datum
pt621_geofences(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	const DetectFence *const *found;
	ArrayType  *array;
	GeoBox		box;
	size_t		hits;
	int			count = 0;
	Size		size;
	int32	   *ids;

	if (!get_place(fcinfo, &box.west, &box.south))
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
	box.east = box.west;
	box.north = box.south;
	hits = fences_near(geofences_get(), NULL, at, &box, &found);
	if (hits == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
	size = ARR_OVERHEAD_NONULLS(1) + hits * sizeof(int32);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many geofences for an array")));
	array = palloc0(size);
	ids = (int32 *) ((char *) array + ARR_OVERHEAD_NONULLS(1));
	for (size_t i = 0; i < hits; i++)
	{
		if (i % 1024 == 1023)
			CHECK_FOR_INTERRUPTS();
		if (geo_shape_covers(found[i]->shape, box.west, box.south))
			ids[count++] = found[i]->id;
	}
	if (count == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
	SET_VARSIZE(array, ARR_OVERHEAD_NONULLS(1) + (Size) count * sizeof(int32));
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = INT4OID;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;
	PG_RETURN_ARRAYTYPE_P(array);
}

/* Reads weekly hours; an error for what does not read. */
static Schedule *
read_hours(text *schedule)
{
	Schedule   *parsed = palloc(sizeof(Schedule));
	ScheduleError error;

	/* Up to where it reads it is ASCII: bytes are characters. */
	if (!schedule_parse(VARDATA_ANY(schedule), VARSIZE_ANY_EXHDR(schedule), parsed, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schedule does not read: \"%s\"", text_to_cstring(schedule)),
				 errdetail("At character %zu: %s is expected.", error.at + 1, error.expected),
				 errhint("Hours are written like this: Mo-Fr 07:00-18:00; Sa,Su 22:00-02:00.")));
	return parsed;
}

PG_FUNCTION_INFO_V1(pt621_check_hours);

/* pt621_check_hours(schedule, time_zone): raises an error for what does not read. */
Datum
pt621_check_hours(PG_FUNCTION_ARGS)
{
	/* That it may not be NULL is for the table to say. */
	if (!PG_ARGISNULL(1))
	{
		char	   *zone = text_to_cstring(PG_GETARG_TEXT_PP(1));
		pg_tz	   *known = strlen(zone) <= TZ_STRLEN_MAX ? pg_tzset(zone) : NULL;

		if (known == NULL || !pg_tz_acceptable(known))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("time zone is not known: \"%s\"", zone),
					 errhint("pg_timezone_names lists them.")));
	}
	if (!PG_ARGISNULL(0))
		pfree(read_hours(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(pt621_hours_of_week);

/* pt621_hours_of_week(schedule): its spans, in minutes since Monday 00:00. */
Datum
pt621_hours_of_week(PG_FUNCTION_ARGS)
{
	Schedule   *hours = read_hours(PG_GETARG_TEXT_PP(0));
	RowSink		sink;

	row_sink_open(&sink, fcinfo, 2, -1);
	for (size_t i = 0; i < hours->spans; i++)
	{
		row_start(sink.row);
		row_set(sink.row, 0, Int32GetDatum(hours->span[i].from));
		row_set(sink.row, 1, Int32GetDatum(hours->span[i].until));
		row_emit(&sink);
	}
	return (Datum) 0;
}
