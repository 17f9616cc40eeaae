/*
 * empty_srf.c
 *		What a set-returning function of pt621_record's columns costs when it
 *		decodes nothing.
 *
 * No part of the extension: test/bench/run.sh builds it and loads it by its
 * path.  What pt621_decode() takes more than these is decoding.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/tuplestore.h"

PG_MODULE_MAGIC;

#define COLUMNS_MAX		40

typedef struct Values
{
	Datum		values[COLUMNS_MAX];
	bool		nulls[COLUMNS_MAX];
} Values;

/*
 * Gives one row, or none when values is NULL, in the way that costs least: as
 * pt621_decode() does, without a copy of the row type.
 */
static Datum
give_row(FunctionCallInfo fcinfo, Values *values)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Tuplestorestate *store;
	MemoryContext old;

	/* Read as pt621_decode() must read it. */
	(void) PG_GETARG_BYTEA_PP(0);

	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	store = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
								  false, work_mem);
	MemoryContextSwitchTo(old);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = store;
	if (values)
		tuplestore_putvalues(store, rsinfo->expectedDesc, values->values,
							 values->nulls);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(bench_no_row);

Datum
bench_no_row(PG_FUNCTION_ARGS)
{
	return give_row(fcinfo, NULL);
}

PG_FUNCTION_INFO_V1(bench_null_row);

/* bench_null_row(bytea): a row of NULLs. */
Datum
bench_null_row(PG_FUNCTION_ARGS)
{
	Values		row;

	memset(row.nulls, true, sizeof(row.nulls));
	memset(row.values, 0, sizeof(row.values));
	return give_row(fcinfo, &row);
}

PG_FUNCTION_INFO_V1(bench_same_row);

/* bench_same_row(bytea, row): that row, whatever the bytes are. */
Datum
bench_same_row(PG_FUNCTION_ARGS)
{
	Values	   *row = fcinfo->flinfo->fn_extra;

	if (row == NULL)
	{
		ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER_COPY(1);
		HeapTupleData tuple = {.t_data = header};

		tuple.t_len = HeapTupleHeaderGetDatumLength(header);
		row = palloc0(sizeof(Values));
		heap_deform_tuple(&tuple, rsinfo->expectedDesc, row->values, row->nulls);
		MemoryContextSwitchTo(old);
		fcinfo->flinfo->fn_extra = row;
	}
	return give_row(fcinfo, row);
}

PG_FUNCTION_INFO_V1(bench_usual_row);

/* bench_usual_row(bytea): a row of NULLs, as the manual says to give one. */
Datum
bench_usual_row(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Values		row;

	(void) PG_GETARG_BYTEA_PP(0);
	memset(row.nulls, true, sizeof(row.nulls));
	memset(row.values, 0, sizeof(row.values));
	InitMaterializedSRF(fcinfo, 0);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row.values, row.nulls);
	return (Datum) 0;
}
