/*
 * postgis.h
 *		PostGIS as we use it from C: its functions, and the points in its values.
 *
 * Invariant: functions are found by the type they take, in its schema and
 * extension: never by search_path, and without asking rights of the user.
 */
#ifndef PT621_PG_POSTGIS_H
#define PT621_PG_POSTGIS_H

#include "postgres.h"

#include "fmgr.h"

#define POSTGIS_SRID	4326

/* Prepares a call of PostGIS's name(geometry). */
extern void postgis_function(Oid geometry, const char *name, FmgrInfo *function,
							 MemoryContext context);

/* Raises an error if a type is not PostGIS's geometry. */
extern void postgis_check_type(Oid type);

/* Reads points; made once per call site. */
typedef struct PointReader PointReader;
extern PointReader *point_reader_new(Oid geometry, MemoryContext context);

/*
 * Reads a point of SRID 4326; false when it is empty.  Any other geometry is an
 * error.
 */
extern bool point_read(PointReader *reader, Datum value, double *lon, double *lat);

#endif							/* PT621_PG_POSTGIS_H */
