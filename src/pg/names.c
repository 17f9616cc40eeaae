/*
 * names.c
 *		The codec's names of codes and quality bits, for SQL.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "codec/pt621_codec.h"
#include "pg/arrays.h"

PG_FUNCTION_INFO_V1(pt621_event_sql);

/* pt621_event(text): what a code means, or NULL where nothing happened. */
Datum
pt621_event_sql(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_TEXT_PP(0);
	char		buffer[PT621_CODE_MAX + 1];
	const char *event;

	/* Cutting a longer one might cut a character; it can be no code anyway. */
	if (VARSIZE_ANY_EXHDR(code) > PT621_CODE_MAX)
		PG_RETURN_NULL();
	event = pt621_event((const uint8_t *) VARDATA_ANY(code),
						VARSIZE_ANY_EXHDR(code), buffer);
	if (event == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(event));
}

PG_FUNCTION_INFO_V1(pt621_quality_sql);

/* pt621_quality(integer): the names of the bits that are set. */
Datum
pt621_quality_sql(PG_FUNCTION_ARGS)
{
	uint32		quality = (uint32) PG_GETARG_INT32(0);
	Datum		names[PT621_QUALITY_BITS];
	int			count = 0;

	for (int bit = 0; bit < PT621_QUALITY_BITS; bit++)
	{
		if (quality & (UINT32_C(1) << bit))
			names[count++] = CStringGetTextDatum(pt621_quality_name(bit));
	}
	PG_RETURN_ARRAYTYPE_P(array_make(names, count, TEXTOID));
}
