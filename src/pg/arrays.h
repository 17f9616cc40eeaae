/*
 * arrays.h
 *		Arrays of the types that the tables have, and the order of numbers.
 */
#ifndef PT621_PG_ARRAYS_H
#define PT621_PG_ARRAYS_H

#include "postgres.h"

#include "utils/array.h"

/* type: INT4OID, INT8OID, FLOAT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID, INETOID or CIDROID;
 * any other is an error, and so is an array of another type than said. */
extern ArrayType *array_make(Datum *elements, int count, Oid type);
extern void array_split(ArrayType *array, Oid type, Datum **elements, bool **nulls, int *count);

/* Compare numbers as qsort() and bsearch() want it. */
extern int	compare_int32(const void *a, const void *b);
extern int	compare_int64(const void *a, const void *b);

#endif							/* PT621_PG_ARRAYS_H */
