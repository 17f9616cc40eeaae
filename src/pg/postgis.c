/*
 * postgis.c
 *		PostGIS as we use it from C: its functions, and the points in its values.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/postgis.h"

#define HEADER_MAX	32

struct PointReader
{
	size_t		header_size;	/* 0 = ask PostGIS for everything */
	uint8		header[HEADER_MAX]; /* what stands before x and y */
	FmgrInfo	type;
	FmgrInfo	srid;
	FmgrInfo	empty;
	FmgrInfo	x;
	FmgrInfo	y;
};

void
postgis_check_type(Oid type)
{
	Oid			extension = get_extension_oid("postgis", true);

	if (!OidIsValid(extension) ||
		getExtensionOfObject(TypeRelationId, type) != extension)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type %s is not of PostGIS", format_type_be(type))));
}

/* Finds PostGIS's function of these arguments in the schema of its geometry type. */
static Oid
find_function(Oid geometry, const char *name, const Oid *arguments, int count)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(geometry));
	oidvector  *types = buildoidvector(arguments, count);
	Oid			schema;
	Oid			function;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", geometry);
	schema = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
	ReleaseSysCache(tuple);
	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							   CStringGetDatum(name), PointerGetDatum(types),
							   ObjectIdGetDatum(schema));
	pfree(types);
	/* One that somebody else has put there would run with our caller's rights. */
	if (!OidIsValid(function) ||
		getExtensionOfObject(ProcedureRelationId, function) !=
		getExtensionOfObject(TypeRelationId, geometry))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("PostGIS has no function %s with these arguments", name),
				 errhint("pt621 needs PostGIS 3.2 or later; ALTER EXTENSION postgis UPDATE may be due.")));
	return function;
}

void
postgis_function(Oid geometry, const char *name, FmgrInfo *function,
				 MemoryContext context)
{
	fmgr_info_cxt(find_function(geometry, name, &geometry, 1), function, context);
}

/*
 * Learns what stands before the coordinates of a point.  How PostGIS writes a
 * geometry is its own affair: that is used only when two points of its own
 * differ in nothing but their last two doubles.
 */
static void
learn_header(PointReader *reader, Oid geometry)
{
	static const Oid arguments[] = {FLOAT8OID, FLOAT8OID, INT4OID};
	static const double places[2][2] = {{-103.25, 20.625}, {7.5, -0.125}};
	struct varlena *point[2];
	Oid			make = find_function(geometry, "st_point", arguments, lengthof(arguments));
	size_t		size;

	for (int i = 0; i < 2; i++)
		point[i] = (struct varlena *)
			DatumGetPointer(OidFunctionCall3(make, Float8GetDatum(places[i][0]),
											 Float8GetDatum(places[i][1]),
											 Int32GetDatum(POSTGIS_SRID)));
	if (!VARATT_IS_4B_U(point[0]) || !VARATT_IS_4B_U(point[1]) ||
		VARSIZE(point[0]) != VARSIZE(point[1]))
		return;
	size = VARSIZE(point[0]) - VARHDRSZ;
	if (size <= sizeof(places[0]) || size > sizeof(places[0]) + HEADER_MAX)
		return;
	size -= sizeof(places[0]);
	for (int i = 0; i < 2; i++)
	{
		if (memcmp(VARDATA(point[i]) + size, places[i], sizeof(places[i])) != 0)
			return;
	}
	if (memcmp(VARDATA(point[0]), VARDATA(point[1]), size) != 0)
		return;
	memcpy(reader->header, VARDATA(point[0]), size);
	reader->header_size = size;
}

PointReader *
point_reader_new(Oid geometry, MemoryContext context)
{
	PointReader *reader = MemoryContextAllocZero(context, sizeof(PointReader));

	postgis_check_type(geometry);
	postgis_function(geometry, "geometrytype", &reader->type, context);
	postgis_function(geometry, "st_srid", &reader->srid, context);
	postgis_function(geometry, "st_isempty", &reader->empty, context);
	postgis_function(geometry, "st_x", &reader->x, context);
	postgis_function(geometry, "st_y", &reader->y, context);
	learn_header(reader, geometry);
	return reader;
}

/* Reads any geometry with PostGIS's own functions. */
static bool
ask_postgis(PointReader *reader, Datum value, double *lon, double *lat)
{
	char	   *type = TextDatumGetCString(FunctionCall1(&reader->type, value));
	int			srid = DatumGetInt32(FunctionCall1(&reader->srid, value));

	/* GeometryType() says POINTM, but not POINTZ. */
	if (strcmp(type, "POINT") != 0 && strcmp(type, "POINTM") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("geometry is no point: %s", type)));
	if (srid != POSTGIS_SRID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("point has SRID %d, not %d", srid, POSTGIS_SRID),
				 srid == 0 ?
				 errhint("Longitude and latitude: ST_SetSRID(geom, %d).", POSTGIS_SRID) :
				 errhint("ST_Transform(geom, %d) makes longitude and latitude of it.", POSTGIS_SRID)));
	pfree(type);
	if (DatumGetBool(FunctionCall1(&reader->empty, value)))
		return false;
	*lon = DatumGetFloat8(FunctionCall1(&reader->x, value));
	*lat = DatumGetFloat8(FunctionCall1(&reader->y, value));
	return true;
}

bool
point_read(PointReader *reader, Datum value, double *lon, double *lat)
{
	struct varlena *point = (struct varlena *) DatumGetPointer(value);

	if (reader->header_size > 0 && !VARATT_IS_EXTENDED(point) &&
		VARSIZE(point) == VARHDRSZ + reader->header_size + 2 * sizeof(double) &&
		memcmp(VARDATA(point), reader->header, reader->header_size) == 0)
	{
		const char *place = VARDATA(point) + reader->header_size;

		memcpy(lon, place, sizeof(double));
		memcpy(lat, place + sizeof(double), sizeof(double));
		return true;
	}
	if (reader->header_size > 0 && VARATT_IS_SHORT(point) &&
		VARSIZE_SHORT(point) == VARHDRSZ_SHORT + reader->header_size + 2 * sizeof(double) &&
		memcmp(VARDATA_SHORT(point), reader->header, reader->header_size) == 0)
	{
		const char *place = VARDATA_SHORT(point) + reader->header_size;

		memcpy(lon, place, sizeof(double));
		memcpy(lat, place + sizeof(double), sizeof(double));
		return true;
	}
	return ask_postgis(reader, value, lon, lat);
}
