/*
 * store_rows.c
 *		The batch being stored, as rows for the statements of store_sql.c.
 *
 * Invariant.  The functions show the run of their own session and nothing else:
 * called from anywhere but a statement of store_sql.c they raise an error.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "pg/arrays.h"
#include "pg/row.h"
#include "pg/run.h"
#include "pg/settings.h"

Run		   *current_run = NULL;

/* Columns of pt621_batch_frames(). */
enum
{
	FRAME_RECEIVED_AT, FRAME_SEQ, FRAME_IDENT, FRAME_DEVICE_ID, FRAME_TRANSPORT,
	FRAME_PEER, FRAME_PEER_PORT, FRAME_CONN, FRAME_BYTES, FRAME_RECORD,
	FRAME_ERROR, FRAME_DECODER,
	FRAME_COLUMNS
};

/* Columns of pt621_batch_positions(). */
enum
{
	POSITION_DEVICE_ID, POSITION_FIX_TIME, POSITION_CODE, POSITION_DIGEST,
	POSITION_RECEIVED_AT, POSITION_FRAME_SEQ, POSITION_GEOM, POSITION_VALID,
	POSITION_STORED, POSITION_SPEED_KMH, POSITION_COURSE, POSITION_INPUTS,
	POSITION_OUTPUTS, POSITION_IGNITION, POSITION_ADC, POSITION_ODOMETER_M,
	POSITION_DRIVER, POSITION_BATTERY, POSITION_GSM, POSITION_SATELLITES,
	POSITION_GSB, POSITION_SPEC, POSITION_QUALITY,
	POSITION_COLUMNS
};

/* Columns of pt621_batch_states(). */
enum
{
	STATE_DEVICE_ID, STATE_FIX_TIME, STATE_FIX_CODE, STATE_FIX_DIGEST,
	STATE_GEOM, STATE_SPEED_KMH, STATE_COURSE, STATE_NEWEST_TIME,
	STATE_IGNITION, STATE_IGNITION_TIME, STATE_DRIVER, STATE_DRIVER_TIME,
	STATE_BASES, STATE_LAST_SEEN, STATE_LAST_CONN, STATE_LAST_TRANSPORT,
	STATE_LAST_PEER, STATE_LAST_PEER_PORT, STATE_BOUND_CONN, STATE_CONFLICTS,
	STATE_CONFLICT_AT, STATE_CONFLICT_CONN, STATE_CONFLICT_WITH,
	STATE_CONFLICT_PEER, STATE_CONFLICT_PEER_PORT, STATE_DETECTORS,
	STATE_COLUMNS
};

Run *
require_run(void)
{
	if (current_run == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no batch is being stored in this session"),
				 errhint("This function is for the workers and pt621_ingest().")));
	return current_run;
}

/* Puts where a unit came from into the three columns from `column` on. */
static void
put_peer(Row *row, int column, const Source *source)
{
	if (source->has_peer)
		row_set(row, column, InetPGetDatum(&source->peer.inet));
	if (source->peer_port >= 0)
		row_set(row, column + 1, Int32GetDatum(source->peer_port));
}

bool
item_is_left_out(const RunItem *item)
{
	const BatchUnit *unit = item->unit;

	if (item->rejection == REJECT_QUARANTINED)
		return unit->quarantine == QUARANTINE_LEFT_OUT;
	return !unit->sampled && (item->device == NULL || item->device->id == 0);
}

/* Tells whether pt621.archive wants a unit kept. */
static bool
is_archived(const Run *run, const RunItem *item)
{
	if (run->poison)
		return true;			/* nowhere else would it be */
	if (item_is_left_out(item))
		return false;
	if (setting_unknown_devices == UNKNOWN_QUARANTINE && item->device &&
		item->device->id == 0)
		return true;
	switch ((Archive) setting_archive)
	{
		case ARCHIVE_ALL:
			return true;
		case ARCHIVE_REJECTED:
			/* The command that a line answers may be held by somebody. */
			return item->reason != NULL || item->unit->is_answer;
		case ARCHIVE_NONE:
			break;
	}
	return false;
}

/* Tells whether a unit is to be updated in the archive. */
static bool
is_updated(const Run *run, const RunItem *item)
{
	/* Of those that have waited, the ones that could be read after all. */
	if (item->late || item->unit->unbound)
		return item->reason == NULL;
	return run->archived;
}

static void
put_frame(Row *row, const RunItem *item)
{
	const BatchUnit *unit = item->unit;

	row_start(row);
	row_set(row, FRAME_RECEIVED_AT, TimestampTzGetDatum(unit->received_at));
	row_set(row, FRAME_SEQ, Int64GetDatum(unit->seq));
	if (item->device)
	{
		row_bytes(row, FRAME_IDENT, item->device->ident.bytes, item->device->ident.size);
		if (item->device->id != 0)
			row_set(row, FRAME_DEVICE_ID, Int32GetDatum(item->device->id));
	}
	row_cstring(row, FRAME_TRANSPORT, unit->source->transport);
	put_peer(row, FRAME_PEER, unit->source);
	row_set(row, FRAME_CONN, Int64GetDatum(unit->source->conn));
	row_bytes(row, FRAME_BYTES, unit->bytes, unit->unit.size);
	row_bytes(row, FRAME_RECORD, item->rebuilt, item->rebuilt_size);
	row_cstring(row, FRAME_ERROR, item->reason);
	row_cstring(row, FRAME_DECODER, PT621_VERSION);
}

PG_FUNCTION_INFO_V1(pt621_batch_frames);

/* pt621_batch_frames(late): rows of pt621.frame, new or to be updated. */
Datum
pt621_batch_frames(PG_FUNCTION_ARGS)
{
	Run		   *run = require_run();
	bool		late = PG_GETARG_BOOL(0);
	RowSink		sink;

	row_sink_open(&sink, fcinfo, FRAME_COLUMNS, -1);
	for (uint32 i = late ? 0 : run->slice_from; i < (late ? run->count : run->slice_to); i++)
	{
		RunItem	   *item = &run->items[i];

		if (late ? !is_updated(run, item) : item->late || !is_archived(run, item))
			continue;
		put_frame(sink.row, item);
		row_emit(&sink);
	}
	return (Datum) 0;
}

/* Puts the three status digits where the tracker's settings say. */
static void
put_status(Row *row, const RunItem *item)
{
	for (int i = 0; i < 3; i++)
	{
		switch (item->device->status_order[i])
		{
			case 'b':
				row_smallint(row, POSITION_BATTERY, item->record.gsb_digit[i]);
				break;
			case 'g':
				row_smallint(row, POSITION_GSM, item->record.gsb_digit[i]);
				break;
			default:
				row_smallint(row, POSITION_SATELLITES, item->record.gsb_digit[i]);
				break;
		}
	}
}

/* Puts the odometer in metres; a product that is no bigint is left out. */
static void
put_odometer(Row *row, const RunItem *item)
{
	double		metres;

	if (item->record.odometer_m < 0)
		return;
	if (item->device->odometer_factor == 1)
	{
		row_set(row, POSITION_ODOMETER_M, Int64GetDatum(item->record.odometer_m));
		return;
	}
	metres = rint((double) item->record.odometer_m * item->device->odometer_factor);
	if (FLOAT8_FITS_IN_INT64(metres))
		row_set(row, POSITION_ODOMETER_M, Int64GetDatum((int64) metres));
}

static void
put_position(Row *row, const RunItem *item)
{
	const Pt621Record *record = &item->record;
	bool		ignition;

	row_start(row);
	row_set(row, POSITION_DEVICE_ID, Int32GetDatum(item->device->id));
	row_set(row, POSITION_FIX_TIME, TimestampTzGetDatum(item->fix_time));
	row_text(row, POSITION_CODE, record->code);
	row_set(row, POSITION_DIGEST, Int64GetDatum(item->digest));
	row_set(row, POSITION_RECEIVED_AT, TimestampTzGetDatum(item->unit->received_at));
	row_set(row, POSITION_FRAME_SEQ, Int64GetDatum(item->unit->seq));
	row_point(row, POSITION_GEOM, record->longitude, record->latitude);
	row_set(row, POSITION_VALID, BoolGetDatum(record->valid));
	row_set(row, POSITION_STORED, BoolGetDatum(record->stored));
	row_real(row, POSITION_SPEED_KMH, record->speed_kmh);
	row_real(row, POSITION_COURSE, record->course);
	row_bits(row, POSITION_INPUTS, record->inputs);
	row_bits(row, POSITION_OUTPUTS, record->outputs);
	if (item_ignition(item, &ignition))
		row_set(row, POSITION_IGNITION, BoolGetDatum(ignition));
	row_adc(row, POSITION_ADC, record);
	put_odometer(row, item);
	row_text(row, POSITION_DRIVER, record->driver);
	put_status(row, item);
	row_text(row, POSITION_GSB, record->gsb);
	row_text(row, POSITION_SPEC, record->spec);
	row_set(row, POSITION_QUALITY, Int32GetDatum((int32) item->quality));
}

PG_FUNCTION_INFO_V1(pt621_batch_positions);

/* pt621_batch_positions(fresh): rows of pt621.position, in order of their key. */
Datum
pt621_batch_positions(PG_FUNCTION_ARGS)
{
	Run		   *run = require_run();
	bool		fresh = PG_GETARG_BOOL(0);
	RowSink		sink;

	row_sink_open(&sink, fcinfo, POSITION_COLUMNS, POSITION_GEOM);
	for (uint32 i = run->slice_from; i < run->slice_to; i++)
	{
		if (run->positions[i]->fresh != fresh)
			continue;
		put_position(sink.row, run->positions[i]);
		row_emit(&sink);
	}
	return (Datum) 0;
}

/* Puts the bases of a tracker, oldest first. */
static void
put_bases(Row *row, Device *device)
{
	Datum		bases[PT621_RING_SIZE];
	int			count = 0;
	const Pt621Base *base;

	while ((base = pt621_chain_get(&device->chain, (uint32) count)) != NULL)
	{
		struct varlena *value = palloc(VARHDRSZ + base->size);

		SET_VARSIZE(value, VARHDRSZ + base->size);
		memcpy(VARDATA(value), base->text, base->size);
		bases[count++] = PointerGetDatum(value);
	}
	if (count > 0)
		row_set(row, STATE_BASES,
				PointerGetDatum(array_make(bases, count, BYTEAOID)));
}

/* Puts who claimed a tracker that another connection spoke for. */
static void
put_conflict(Row *row, const Device *device)
{
	row_set(row, STATE_CONFLICTS, Int64GetDatum(device->conflicts));
	if (device->conflicts == 0)
		return;
	row_set(row, STATE_CONFLICT_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	row_set(row, STATE_CONFLICT_CONN, Int64GetDatum(device->conflict->conn));
	row_set(row, STATE_CONFLICT_WITH, Int64GetDatum(device->conflict_with));
	put_peer(row, STATE_CONFLICT_PEER, device->conflict);
}

/* Puts what changes; what does not is NULL, and kept by the statement. */
static void
put_state(Row *row, Device *device)
{
	const BatchUnit *unit = device->last_unit;
	const RunItem *fix = device->last_fix;

	row_start(row);
	row_set(row, STATE_DEVICE_ID, Int32GetDatum(device->id));
	if (fix)
	{
		row_set(row, STATE_FIX_TIME, TimestampTzGetDatum(fix->fix_time));
		row_text(row, STATE_FIX_CODE, fix->record.code);
		row_set(row, STATE_FIX_DIGEST, Int64GetDatum(fix->digest));
		row_point(row, STATE_GEOM, fix->record.longitude, fix->record.latitude);
		row_real(row, STATE_SPEED_KMH, fix->record.speed_kmh);
		row_real(row, STATE_COURSE, fix->record.course);
	}
	if (device->run_newest > device->newest_time)
		row_set(row, STATE_NEWEST_TIME, TimestampTzGetDatum(device->run_newest));
	if (device->last_ignition)
	{
		row_set(row, STATE_IGNITION, BoolGetDatum(device->ignition));
		row_set(row, STATE_IGNITION_TIME, TimestampTzGetDatum(device->ignition_time));
	}
	if (device->last_driver)
	{
		row_set(row, STATE_DRIVER, PointerGetDatum(device->driver));
		row_set(row, STATE_DRIVER_TIME, TimestampTzGetDatum(device->driver_time));
	}
	put_bases(row, device);
	if (unit)
	{
		row_set(row, STATE_LAST_SEEN, TimestampTzGetDatum(unit->received_at));
		row_set(row, STATE_LAST_CONN, Int64GetDatum(unit->source->conn));
		row_cstring(row, STATE_LAST_TRANSPORT, unit->source->transport);
		put_peer(row, STATE_LAST_PEER, unit->source);
	}
	if (device->bound_conn != 0)
		row_set(row, STATE_BOUND_CONN, Int64GetDatum(device->bound_conn));
	put_conflict(row, device);
	if (device->derived)
		row_set(row, STATE_DETECTORS, PointerGetDatum(device->detectors));
}

PG_FUNCTION_INFO_V1(pt621_batch_states);

/* pt621_batch_states(): what the run makes of pt621.device_state, by device. */
Datum
pt621_batch_states(PG_FUNCTION_ARGS)
{
	Run		   *run = require_run();
	RowSink		sink;

	row_sink_open(&sink, fcinfo, STATE_COLUMNS, STATE_GEOM);
	for (uint32 i = run->slice_from; i < run->slice_to; i++)
	{
		Device	   *device = run->devices[i];

		if (!device_is_changed(device))
			continue;
		put_state(sink.row, device);
		row_emit(&sink);
	}
	return (Datum) 0;
}
