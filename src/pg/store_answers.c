/*
 * store_answers.c
 *		What trackers say that is neither a report nor garbage: answers to commands,
 *		and what they are.
 *
 * The form of answers is not known (protocol 9): whatever printable line comes by a
 * connection that was given a command lately is one.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/run.h"
#include "pg/settings.h"

/* Tells whether a unit that could not be read may be a tracker's answer. */
bool
item_is_answer(const RunItem *item)
{
	const BatchUnit *unit = item->unit;
	const uint8 *text = unit->bytes + unit->unit.payload_at;
	Size		size = unit->unit.payload_size - unit->unit.line_end;

	return (unit->unit.kind == PT621_UNIT_TEXT || unit->unit.kind == PT621_UNIT_LINE) &&
		!unit->foreign && item->reason && item->device && item->device->id != 0 && !item->late &&
		unit->received_at < unit->source->asked.answers_until &&
		item->device->answers < unit->source->asked.answers_left && size > 0 && pt621_printable(text, size);
}

/* Adds an item's line to the answer of a command.  named: only of one that it names. */
static void
take_answer(Run *run, const RunItem *item, const uint8 *text, Size size, bool named)
{
	Datum		values[] = {
		Int32GetDatum(item->device->id),
		Int64GetDatum(item->unit->source->conn),
		PointerGetDatum(cstring_to_text_with_len((const char *) text, (int) size)),
		TimestampTzGetDatum(item->unit->received_at),
		Int32GetDatum(setting_answer_timeout),
		BoolGetDatum(named)
	};

	run_statement_with(run, SQL_TAKE_ANSWER, values, NULL);
}

/* Gives the bytes at the beginning of a text that are printable. */
static Size
printable_size(const uint8 *text, Size size)
{
	Size		count = 0;

	while (count < size && pt621_printable(text + count, 1))
		count++;
	return count;
}

/* Takes in what a tracker says of itself (protocol 4, FUS). */
static void
take_status(Run *run, const RunItem *item)
{
	const Pt621Text texts[] = {item->record.ident, item->record.firmware, item->record.hardware};
	Datum		values[1 + lengthof(texts)] = {Int32GetDatum(item->device->id)};
	char		nulls[2 + lengthof(texts)] = "    ";

	for (Size i = 0; i < lengthof(texts); i++)
	{
		if (texts[i].at == NULL || !pt621_printable(texts[i].at, texts[i].size))
			nulls[1 + i] = 'n';
		else
			values[1 + i] = PointerGetDatum(cstring_to_text_with_len((const char *) texts[i].at,
																	 (int) texts[i].size));
	}
	run_statement_with(run, SQL_TAKE_STATUS, values, nulls);
}

void
run_answers(Run *run)
{
	for (uint32 i = 0; i < run->count; i++)
	{
		const RunItem *item = &run->items[i];
		const BatchUnit *unit = item->unit;
		const uint8 *text = item->rebuilt ? item->rebuilt : unit->bytes + unit->unit.payload_at;
		Size		size = item->rebuilt ? item->rebuilt_size : unit->unit.payload_size;

		if (unit->is_answer)
			take_answer(run, item, text, size - unit->unit.line_end, false);
		else if (unit->photo_fate == PHOTO_ANNOUNCED && unit->received_at < unit->source->asked.answers_until)
			/* Some fields of a report are read by nobody and may be anything. */
			take_answer(run, item, text, printable_size(text, size), true);
		else if (item->readable && item->reason == NULL && item->record.kind == PT621_STATUS &&
				 item->device && item->device->id != 0)
			item->device->status = item;
	}
	/* However often it says so, once is enough. */
	for (uint32 i = 0; i < run->device_count; i++)
	{
		if (run->devices[i]->status)
			take_status(run, run->devices[i]->status);
	}
}
