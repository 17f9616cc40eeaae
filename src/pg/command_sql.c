/*
 * command_sql.c
 *		The codec's commands, and the settings that bear on sending them, for SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "codec/pt621_codec.h"
#include "pg/row.h"
#include "pg/settings.h"

enum
{
	KIND_NAME, KIND_ARGUMENT,
	KIND_COLUMNS
};

/* Says that there is no such command, and what there is. */
static void pg_attribute_noreturn()
refuse_command(const text *kind, Pt621CommandError error)
{
	const char *name = VARDATA_ANY(kind);
	size_t		size = VARSIZE_ANY_EXHDR(kind);

	if (error == PT621_COMMAND_KIND)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no kind of command is called \"%s\"", text_to_cstring(kind)),
				 errhint("pt621_command_kinds() lists them.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid argument of command \"%s\"", text_to_cstring(kind)),
			 error == PT621_COMMAND_ARGUMENT ? 0 :
			 errdetail("What is wrong: %s.", pt621_command_error_text(error, name, size)),
			 errhint("It takes: %s.",
					 pt621_command_error_text(PT621_COMMAND_ARGUMENT, name, size))));
}

PG_FUNCTION_INFO_V1(pt621_encode_command);

/* pt621_encode_command(kind, argument): a command as it is sent. */
Datum
pt621_encode_command(PG_FUNCTION_ARGS)
{
	text	   *kind;
	text	   *argument = NULL;
	Pt621Command command;
	Pt621CommandError error;
	bytea	   *sent;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	kind = PG_GETARG_TEXT_PP(0);
	if (!PG_ARGISNULL(1))
		argument = PG_GETARG_TEXT_PP(1);
	if (!pt621_command_encode(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind),
							  argument ? VARDATA_ANY(argument) : NULL,
							  argument ? VARSIZE_ANY_EXHDR(argument) : 0,
							  &command, &error))
		refuse_command(kind, error);
	sent = palloc(VARHDRSZ + PT621_COMMAND_BYTES);
	SET_VARSIZE(sent, VARHDRSZ + pt621_command_bytes(&command, (uint8_t *) VARDATA(sent)));
	PG_RETURN_BYTEA_P(sent);
}

PG_FUNCTION_INFO_V1(pt621_command_kinds);

/* pt621_command_kinds(): the kinds, and what each takes. */
Datum
pt621_command_kinds(PG_FUNCTION_ARGS)
{
	RowSink		sink;

	row_sink_open(&sink, fcinfo, KIND_COLUMNS, -1);
	for (int i = 0; pt621_command_kind(i) != NULL; i++)
	{
		row_start(sink.row);
		row_cstring(sink.row, KIND_NAME, pt621_command_kind(i));
		row_cstring(sink.row, KIND_ARGUMENT, pt621_command_argument(i));
		row_emit(&sink);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_command_may_switch_sql);

/* pt621_command_may_switch(wire, output): whether it may switch that output on. */
Datum
pt621_command_may_switch_sql(PG_FUNCTION_ARGS)
{
	text	   *wire = PG_GETARG_TEXT_PP(0);
	int32		output = PG_GETARG_INT32(1);

	if (output < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of an output is negative: %d", output),
				 errhint("It is 1 or more; 0 asks about any.")));
	PG_RETURN_BOOL(pt621_command_may_switch(VARDATA_ANY(wire), VARSIZE_ANY_EXHDR(wire),
											(uint32) output));
}

PG_FUNCTION_INFO_V1(pt621_command_answered_sql);

/* pt621_command_answered(wire, line): how the line speaks of the command. */
Datum
pt621_command_answered_sql(PG_FUNCTION_ARGS)
{
	text	   *wire = PG_GETARG_TEXT_PP(0);
	text	   *line = PG_GETARG_TEXT_PP(1);

	PG_RETURN_INT32(pt621_command_answer(VARDATA_ANY(wire), VARSIZE_ANY_EXHDR(wire),
										 (const uint8_t *) VARDATA_ANY(line),
										 VARSIZE_ANY_EXHDR(line)));
}

/* A clock may be ahead by so much; what is later tells nothing of now. */
#define CLOCK_AHEAD		(60 * USECS_PER_SEC)

PG_FUNCTION_INFO_V1(pt621_too_fast);

/*
 * pt621_too_fast(fix_time, speed_kmh): whether the last fix forbids to cut the engine.
 *
 * One from the future stays the last one for long, whatever the vehicle does
 * meanwhile.
 */
Datum
pt621_too_fast(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();

	if (PG_ARGISNULL(0) ||
		PG_GETARG_TIMESTAMPTZ(0) < now - (int64) setting_engine_cut_fresh * USECS_PER_SEC)
		PG_RETURN_BOOL(false);
	if (PG_ARGISNULL(1) || PG_GETARG_TIMESTAMPTZ(0) > now + CLOCK_AHEAD)
		PG_RETURN_BOOL(true);
	/* Written so that NaN is too fast. */
	PG_RETURN_BOOL(!(PG_GETARG_FLOAT4(1) <= setting_engine_cut_speed));
}

PG_FUNCTION_INFO_V1(pt621_answer_timeout);

/* pt621_answer_timeout(): the setting, also where the library was not loaded before. */
Datum
pt621_answer_timeout(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(setting_answer_timeout);
}
