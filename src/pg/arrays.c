/*
 * arrays.c
 *		Arrays of the types that the tables have, and the order of numbers.
 *
 * PostgreSQL has this from version 16 on, as construct_array_builtin().
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"

#include "pg/arrays.h"

/* What the array functions must know of an element type. */
typedef struct Element
{
	int			length;
	bool		by_value;
	char		alignment;
} Element;

static Element
element_of(Oid type)
{
	switch (type)
	{
		case INT4OID:
			return (Element) {sizeof(int32), true, TYPALIGN_INT};
		case INT8OID:
		case FLOAT8OID:
		case TIMESTAMPTZOID:
			return (Element) {sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE};
		case TEXTOID:
		case BYTEAOID:
		case INETOID:
		case CIDROID:
			return (Element) {-1, false, TYPALIGN_INT};
	}
	elog(ERROR, "no array of type %u is expected here", type);
}

/* Makes an array in the current memory context; no element is NULL. */
ArrayType *
array_make(Datum *elements, int count, Oid type) { Element		element = element_of(type);

	return construct_array(elements, count, type, element.length, element.by_value, element.alignment);
}

/* Takes an array apart, into the current memory context. */
void
array_split(ArrayType *array, Oid type, Datum **elements, bool **nulls, int *count)
{
	Element		element = element_of(type);

	if (ARR_ELEMTYPE(array) != type)
		elog(ERROR, "array of type %u instead of %u", ARR_ELEMTYPE(array), type);
	deconstruct_array(array, type, element.length, element.by_value, element.alignment, elements,
					  nulls, count);
}

int
compare_int32(const void *a, const void *b)
{
	int32		left = *(const int32 *) a;
	int32		right = *(const int32 *) b;

	return (left > right) - (left < right);
}

int
compare_int64(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}
