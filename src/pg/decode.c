/*
 * decode.c
 *		pt621_decode() and its siblings: stored bytes to rows, in any query.
 *
 * Invariants.  No input raises an error.  Rows come in the order of the units.
 * A delta may find its base later in the value: at the first one without a base
 * the whole value is walked once more, ahead and without rows, to find what
 * becomes of such deltas.  Memory does not grow with the value, but for the rows
 * and the late records.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/arrays.h"
#include "pg/decode.h"
#include "pg/row.h"

/* Columns of pt621_record, in the order of sql/install. */
enum
{
	COL_SEQ, COL_KIND, COL_CODE, COL_EVENT, COL_IDENT, COL_DEVICE_TIME,
	COL_VALID, COL_GEOM, COL_SPEED_KMH, COL_COURSE, COL_STORED, COL_DELTA,
	COL_INPUTS, COL_OUTPUTS, COL_ADC, COL_ODOMETER_M, COL_DRIVER, COL_BATTERY,
	COL_GSM, COL_SATELLITES, COL_GSB, COL_SPEC, COL_PHOTO_SIZE, COL_PHOTO_ID,
	COL_PHOTO_OFFSET, COL_PHOTO_DATA, COL_IMEI, COL_FIRMWARE, COL_HARDWARE,
	COL_QUALITY, COL_RECORD, COL_RAW, COL_ERROR,
	RECORD_COLUMNS
};

/* Rebuilt texts that the chain may still refer to, and the one being made. */
#define REBUILT_SLOTS	(PT621_RING_SIZE + 1)

/* A delta rebuilt from a base that stands later in the value. */
typedef struct Late
{
	uint64		seq;
	uint32		size;
	uint8	   *text;
} Late;

typedef struct Walk
{
	struct varlena **values;
	int			count;
	RowSink    *sink;			/* NULL in the walk ahead */
	Pt621Chain	chain;
	uint64		seq;			/* of the unit at hand, from 1 */
	int			slot;
	uint8		rebuilt[REBUILT_SLOTS][PT621_RECORD_MAX];
	bool		looked_ahead;
	Late	   *late;			/* found by the walk ahead, by seq */
	size_t		late_count;
	size_t		late_room;
	size_t		late_next;		/* the writing walk's place among them */
} Walk;

static void look_ahead(Walk *walk);

/* Writes the columns that every kind of unit has. */
static void
put_unit(Walk *walk, const uint8_t *data, const Pt621Unit *unit,
		 const char *kind, const Pt621Error *error)
{
	Row		   *row = walk->sink->row;
	char		text[PT621_ERROR_MAX];

	row_set(row, COL_SEQ, Int32GetDatum((int32) walk->seq));
	row_cstring(row, COL_KIND, kind);
	row_bytes(row, COL_RAW, data, unit->size);
	if (error->code != PT621_OK)
	{
		pt621_error_text(error, text);
		row_cstring(row, COL_ERROR, text);
	}
	row_emit(walk->sink);
}

/* Writes the columns of a record: of what was read of it. */
static void
put_record(Row *row, const Pt621Record *record)
{
	char		event[PT621_CODE_MAX + 1];

	row_text(row, COL_CODE, record->code);
	row_cstring(row, COL_EVENT,
				record->code.at ? pt621_event(record->code.at, record->code.size, event) : NULL);
	row_text(row, COL_IDENT, record->ident);
	if (record->device_time != PT621_NO_TIME)
		row_set(row, COL_DEVICE_TIME,
				TimestampTzGetDatum(timestamptz_from_unix(record->device_time)));
	row_set(row, COL_QUALITY, Int32GetDatum((int32) record->quality));
	if (record->kind == PT621_STATUS)
	{
		row_text(row, COL_IMEI, record->ident);
		row_text(row, COL_FIRMWARE, record->firmware);
		row_text(row, COL_HARDWARE, record->hardware);
		return;
	}
	if (record->kind == PT621_PHOTO_CHUNK)
	{
		if (record->photo_offset >= 0)
			row_set(row, COL_PHOTO_OFFSET, Int32GetDatum((int32) record->photo_offset));
		row_bytes(row, COL_PHOTO_DATA, record->photo_data.at, record->photo_data.size);
		return;
	}
	row_set(row, COL_VALID, BoolGetDatum(record->valid));
	row_point(row, COL_GEOM, record->longitude, record->latitude);
	row_real(row, COL_SPEED_KMH, record->speed_kmh);
	row_real(row, COL_COURSE, record->course);
	row_set(row, COL_STORED, BoolGetDatum(record->stored));
	row_set(row, COL_DELTA, BoolGetDatum(false));
	row_bits(row, COL_INPUTS, record->inputs);
	row_bits(row, COL_OUTPUTS, record->outputs);
	row_adc(row, COL_ADC, record);
	if (record->odometer_m >= 0)
		row_set(row, COL_ODOMETER_M, Int64GetDatum(record->odometer_m));
	row_text(row, COL_DRIVER, record->driver);
	row_smallint(row, COL_BATTERY, record->gsb_digit[0]);
	row_smallint(row, COL_GSM, record->gsb_digit[1]);
	row_smallint(row, COL_SATELLITES, record->gsb_digit[2]);
	row_text(row, COL_GSB, record->gsb);
	row_text(row, COL_SPEC, record->spec);
	if (record->photo_size >= 0)
		row_set(row, COL_PHOTO_SIZE, Int32GetDatum((int32) record->photo_size));
	row_text(row, COL_PHOTO_ID, record->photo_id);
}

/* Keeps what the walk ahead learned about a delta that came before its base. */
static void
remember_late(Walk *walk, uint64 seq, const uint8 *text, size_t size)
{
	Late	   *late;

	if (walk->late_count == walk->late_room)
	{
		walk->late_room = walk->late_room ? walk->late_room * 2 : 16;
		walk->late = walk->late ?
			repalloc_huge(walk->late, walk->late_room * sizeof(Late)) :
			palloc(walk->late_room * sizeof(Late));
	}
	late = &walk->late[walk->late_count++];
	late->seq = seq;
	late->size = (uint32) size;
	late->text = palloc(size);
	memcpy(late->text, text, size);
}

/*
 * Adds the text in the slot at hand as a base.  The chain does not take one that
 * repeats its newest; then no other slot may be given away for it, for the
 * oldest of them is still a base.
 */
static void
add_rebuilt(Walk *walk, size_t size)
{
	uint8	   *text = walk->rebuilt[walk->slot];

	pt621_chain_base(&walk->chain, text, size);
	if (walk->chain.base[walk->chain.newest].text == text)
		walk->slot = (walk->slot + 1) % REBUILT_SLOTS;
}

/* Adds what the newest base makes readable. */
static void
add_late(Walk *walk)
{
	Pt621Record record;
	uint64_t	seq;
	size_t		size;

	while (walk->chain.helds > 0 &&
		   pt621_chain_late(&walk->chain, &seq, walk->rebuilt[walk->slot],
							&size, &record))
	{
		if (walk->sink == NULL)
			remember_late(walk, seq, walk->rebuilt[walk->slot], size);
		add_rebuilt(walk, size);
	}
}

static int
compare_late(const void *a, const void *b)
{
	uint64		left = ((const Late *) a)->seq;
	uint64		right = ((const Late *) b)->seq;

	return left < right ? -1 : left > right;
}

/* Writes a delta that was rebuilt: a report like any other, but marked. */
static void
put_delta(Walk *walk, const uint8 *data, const Pt621Unit *unit,
		  const Pt621Record *record, const uint8 *text, size_t size)
{
	static const Pt621Error none = {PT621_OK, 0, 0, 0};
	Row		   *row = walk->sink->row;

	put_record(row, record);
	row_set(row, COL_DELTA, BoolGetDatum(true));
	row_bytes(row, COL_RECORD, text, size);
	put_unit(walk, data, unit, "report", &none);
}

static void
walk_delta(Walk *walk, const uint8 *data, const Pt621Unit *unit)
{
	const uint8 *delta = data + unit->payload_at;
	uint8	   *text = walk->rebuilt[walk->slot];
	size_t		size;
	Pt621Record record;
	Pt621Error	error = unit->error;
	uint64_t	dropped;

	if (error.code == PT621_OK)
	{
		if (pt621_chain_resolve(&walk->chain, delta, unit->payload_size, text,
								&size, &record, &error))
		{
			if (walk->sink)
				put_delta(walk, data, unit, &record, text, size);
			add_rebuilt(walk, size);
			add_late(walk);
			return;
		}
		error.at += unit->payload_at;
		if (error.code != PT621_DELTA_CUT_SHORT)
			pt621_chain_hold(&walk->chain, delta, unit->payload_size,
							 walk->seq, &dropped);
	}
	if (walk->sink == NULL)
		return;
	look_ahead(walk);
	if (walk->late_next < walk->late_count &&
		walk->late[walk->late_next].seq == walk->seq)
	{
		Late	   *late = &walk->late[walk->late_next++];

		pt621_parse(late->text, late->size, &record, &error);
		put_delta(walk, data, unit, &record, late->text, late->size);
		return;
	}
	row_set(walk->sink->row, COL_DELTA, BoolGetDatum(true));
	put_unit(walk, data, unit, "delta", &error);
}

/* Handles one unit: writes its row, if this is the walk that does. */
static void
walk_unit(Walk *walk, const uint8 *data, const Pt621Unit *unit)
{
	const uint8 *payload = data + unit->payload_at;
	const char *kind = unit->kind == PT621_UNIT_TEXT ? "text" : "garbage";
	Pt621Record record;
	Pt621Error	error = unit->error;

	walk->seq++;
	if (walk->sink)
		row_start(walk->sink->row);
	if (unit->kind == PT621_UNIT_DELTA)
	{
		walk_delta(walk, data, unit);
		return;
	}
	if (unit->kind == PT621_UNIT_LINE || unit->kind == PT621_UNIT_PHOTO)
	{
		bool		readable = pt621_parse(payload, unit->payload_size, &record,
										   &error);

		if (readable && record.kind == PT621_REPORT)
		{
			pt621_chain_base(&walk->chain, payload, unit->payload_size);
			add_late(walk);
		}
		if (walk->sink == NULL)
			return;
		if (readable)
		{
			static const char *const kinds[] = {"report", "status", "photo_chunk"};

			put_record(walk->sink->row, &record);
			kind = kinds[record.kind];
		}
		else
		{
			error.at += unit->payload_at;
			row_text(walk->sink->row, COL_CODE, record.code);
			row_text(walk->sink->row, COL_IDENT, record.ident);
			kind = pt621_printable(payload, unit->payload_size - unit->line_end) ?
				"text" : "garbage";
		}
	}
	if (walk->sink)
		put_unit(walk, data, unit, kind, &error);
}

/* Walks one value or datagram, whose end ends a unit. */
static void
walk_value(Walk *walk, const uint8 *data, size_t size)
{
	Pt621Splitter splitter = {0};
	Pt621Unit	unit;

	while (pt621_split(&splitter, data, size, PT621_INPUT_END, &unit))
	{
		CHECK_FOR_INTERRUPTS();
		walk_unit(walk, data, &unit);
		data += unit.size;
		size -= unit.size;
	}
}

/* Walks all values from the start. */
static void
walk_values(Walk *walk)
{
	walk->seq = 0;
	walk->slot = 0;
	walk->chain.bases = walk->chain.newest = walk->chain.helds = 0;
	walk->late = NULL;
	walk->late_count = walk->late_room = walk->late_next = 0;
	for (int i = 0; i < walk->count; i++)
		walk_value(walk, (const uint8 *) VARDATA_ANY(walk->values[i]),
				   VARSIZE_ANY_EXHDR(walk->values[i]));
}

/* Finds what becomes of deltas whose base comes later; once is enough. */
static void
look_ahead(Walk *walk)
{
	Walk	   *ahead;

	if (walk->looked_ahead)
		return;
	walk->looked_ahead = true;
	ahead = palloc(sizeof(Walk));
	ahead->values = walk->values;
	ahead->count = walk->count;
	ahead->sink = NULL;
	walk_values(ahead);
	if (ahead->late_count > 1)
		qsort(ahead->late, ahead->late_count, sizeof(Late), compare_late);
	walk->late = ahead->late;
	walk->late_count = ahead->late_count;
	pfree(ahead);
}

/* Decodes values that are datagrams of one tracker, or one value alone. */
static Datum
decode(FunctionCallInfo fcinfo, struct varlena **values, int count)
{
	RowSink		sink;
	Walk		walk;

	row_sink_open(&sink, fcinfo, RECORD_COLUMNS, COL_GEOM);
	walk.values = values;
	walk.count = count;
	walk.sink = &sink;
	walk.looked_ahead = false;
	walk_values(&walk);
	return (Datum) 0;
}

/* Takes the elements of a bytea[] that are not NULL. */
static struct varlena **
read_elements(ArrayType *array, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			size;
	struct varlena **values;

	array_split(array, BYTEAOID, &elements, &nulls, &size);
	values = palloc(Max(size, 1) * sizeof(*values));
	*count = 0;
	for (int i = 0; i < size; i++)
	{
		if (!nulls[i])
			values[(*count)++] = (struct varlena *) PG_DETOAST_DATUM_PACKED(elements[i]);
	}
	return values;
}

PG_FUNCTION_INFO_V1(pt621_decode);

/* pt621_decode(bytea): the bytes of a stream, or one frame. */
Datum
pt621_decode(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_BYTEA_PP(0);

	return decode(fcinfo, &value, 1);
}

PG_FUNCTION_INFO_V1(pt621_decode_datagrams);

/* pt621_decode_datagrams(bytea[]): every element ends a unit. */
Datum
pt621_decode_datagrams(PG_FUNCTION_ARGS)
{
	int			count;
	struct varlena **values = read_elements(PG_GETARG_ARRAYTYPE_P(0), &count);

	return decode(fcinfo, values, count);
}

/* The cuts between the reads of a connection mean nothing. */
struct varlena *
join_reads(ArrayType *array)
{
	int			count;
	struct varlena **values = read_elements(array, &count);
	struct varlena *joined;
	Size		size = VARHDRSZ;

	/* The array held them all, so the sum is a possible size. */
	for (int i = 0; i < count; i++)
		size += VARSIZE_ANY_EXHDR(values[i]);
	joined = palloc(size);
	SET_VARSIZE(joined, size);
	size = 0;
	for (int i = 0; i < count; i++)
	{
		memcpy(VARDATA(joined) + size, VARDATA_ANY(values[i]),
			   VARSIZE_ANY_EXHDR(values[i]));
		size += VARSIZE_ANY_EXHDR(values[i]);
	}
	return joined;
}

PG_FUNCTION_INFO_V1(pt621_decode_reads);

/* pt621_decode_reads(bytea[]): the elements joined. */
Datum
pt621_decode_reads(PG_FUNCTION_ARGS)
{
	struct varlena *value = join_reads(PG_GETARG_ARRAYTYPE_P(0));

	return decode(fcinfo, &value, 1);
}
