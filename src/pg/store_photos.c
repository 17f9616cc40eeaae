/*
 * store_photos.c
 *		Photos that a run announces, and pieces of photos that it has.
 *
 * Invariants.  A photo's bytes are put together in order, under the lock of its
 * tracker's state: it has all up to `received`, and nothing behind.  What cannot be
 * placed changes nothing; its bytes are in the archive.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "codec/photo.h"
#include "pg/arrays.h"
#include "pg/row.h"
#include "pg/run.h"
#include "pg/settings.h"

static const char *const numbering_names[] = {
	[PT621_NUMBERING_UNKNOWN] = NULL,
	[PT621_NUMBERING_OFFSET] = "offset",
	[PT621_NUMBERING_INDEX] = "index",
	[PT621_NUMBERING_NONE] = "none"
};

/* A photo that is not complete, as the run leaves it. */
typedef struct Photo
{
	int64		id;
	int32		device_id;
	uint32		size;
	uint32		received;
	Pt621Numbering numbering;
	const char *reason;			/* what was odd; NULL = nothing new */
	TimestampTz last_piece_at;
	bool		changed;
	bool		complete;
} Photo;

typedef struct Piece
{
	int64		photo;
	uint32		at;
	const uint8 *bytes;
	uint32		size;
} Piece;

typedef struct Photos
{
	Photo	   *photos;			/* by tracker, then in order of announcement */
	uint32		count;
	Piece	   *pieces;
	uint32		piece_count;
} Photos;

/* Tells whether an item announces a photo. */
static bool
announces_photo(const RunItem *item)
{
	const Pt621Record *record = &item->record;

	return item->readable && item->reason == NULL && record->kind == PT621_REPORT &&
		record->photo_size >= 0 && record->code.size == 3 && memcmp(record->code.at, "PHO", 3) == 0;
}

static bool
is_piece(const RunItem *item)
{
	return item->readable && item->reason == NULL && item->record.kind == PT621_PHOTO_CHUNK &&
		item->device && item->device->id != 0;
}

/* Reads the photos that are not complete of trackers that pieces have come of. */
static void
load_photos(Run *run, Photos *photos)
{
	Datum	   *ids = palloc((Size) Max(run->count, 1) * sizeof(Datum));
	int			count = 0;
	uint64		rows;

	for (uint32 i = 0; i < run->count; i++)
	{
		if (is_piece(&run->items[i]))
			ids[count++] = Int32GetDatum(run->items[i].device->id);
	}
	rows = run_statement(run, SQL_FIND_PHOTOS,
						 PointerGetDatum(array_make(ids, count, INT4OID)));
	photos->photos = palloc0(Max(rows, 1) * sizeof(Photo));
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Photo	   *photo = &photos->photos[photos->count++];
		bool		isnull;

		photo->id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		photo->device_id = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		photo->size = (uint32) DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
		photo->received = (uint32) DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull));
		photo->numbering = (Pt621Numbering) DatumGetInt32(SPI_getbinval(tuple, desc, 5, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Finds the first photo of a tracker; photos->count when there is none. */
static uint32
first_photo(const Photos *photos, int32 device_id)
{
	uint32		low = 0;
	uint32		high = photos->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (photos->photos[middle].device_id < device_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Finds the photo that a piece is of: the one that was asked for by its connection,
 * even if that is none of those any more, else the first that is not complete. */
static Photo *
find_photo(Photos *photos, const RunItem *item)
{
	int64		asked = item->unit->source->asked.photo;

	for (uint32 i = first_photo(photos, item->device->id); i < photos->count; i++)
	{
		Photo	   *photo = &photos->photos[i];

		if (photo->device_id != item->device->id)
			break;
		if (!photo->complete && (asked == 0 || asked == photo->id))
			return photo;
	}
	return NULL;
}

/* Tells whether a piece is the one that comes next; notes in its unit what it is
 * otherwise. */
static bool
comes_next(Photo *photo, RunItem *item, uint64 hash)
{
	BatchUnit  *unit = item->unit;
	const Asked *asked = &unit->source->asked;
	bool		is_asked = asked->photo == photo->id && asked->count > 0;
	uint64		last = item->device->last_piece ? item->device->last_piece : asked->last_piece;
	Pt621PhotoState state = {
		.received = photo->received,
		.numbering = photo->numbering,
		.usual = is_asked && asked->at == photo->received ? asked->piece : 0,
		.odd = asked->odd,
		.odd_is_old = asked->odd_is_old
	};
	Pt621PhotoPiece piece = {
		.number = item->record.photo_offset,
		.is_last = hash == last,
		.bytes = item->record.photo_data.at,
		.size = item->record.photo_data.size
	};
	Pt621PieceFate fate = pt621_photo_judge(&state, &piece);

	if (state.numbering == PT621_NUMBERING_NONE && photo->numbering != state.numbering)
		photo->reason = "the numbers of its pieces are neither offsets nor indexes: put together as they came";
	photo->numbering = state.numbering;
	if (fate == PT621_PIECE_NEXT)
		return true;
	if (is_asked && asked->at < photo->received)
	{
		/* What this connection asks for has come by another one. */
		unit->photo_fate = PHOTO_THERE;
		unit->photo_number = photo->received;
	}
	else if (fate == PT621_PIECE_ODD)
	{
		unit->photo_fate = PHOTO_ODD;
		unit->photo_number = piece.number;
	}
	return false;
}

/* Puts a piece where it belongs, and notes what it was good for. */
static void
place_piece(Photos *photos, RunItem *item)
{
	BatchUnit  *unit = item->unit;
	Photo	   *photo = find_photo(photos, item);
	Pt621Text	data = item->record.photo_data;
	uint64		hash;

	if (photo == NULL)
		return;
	unit->photo = photo->id;
	if (data.size == 0)
	{
		unit->photo_fate = PHOTO_EMPTY;
		return;
	}
	hash = hash_bytes_extended(data.at, (int) data.size, (uint64) item->record.photo_offset) | 1;
	if (!comes_next(photo, item, hash))
		return;
	if (data.size > photo->size - photo->received)
	{
		data.size = photo->size - photo->received;
		photo->reason = "more bytes came than were announced";
	}
	photos->pieces[photos->piece_count++] = (Piece) {photo->id, photo->received, data.at, data.size};
	photo->received += data.size;
	photo->last_piece_at = unit->received_at;
	photo->changed = true;
	photo->complete = photo->received == photo->size;
	item->device->last_piece = unit->piece = hash;
	unit->photo_fate = photo->complete ? PHOTO_DONE : PHOTO_TAKEN;
	unit->photo_number = photo->received;
}

/* Puts those together of which the last piece has come. */
static void
complete_photos(Run *run, const Photos *photos)
{
	Datum	   *ids = palloc((Size) Max(photos->count, 1) * sizeof(Datum));
	int			count = 0;

	for (uint32 i = 0; i < photos->count; i++)
	{
		if (photos->photos[i].complete)
			ids[count++] = Int64GetDatum(photos->photos[i].id);
	}
	if (count > 0)
		run_statement(run, SQL_COMPLETE_PHOTOS,
					  PointerGetDatum(array_make(ids, count, INT8OID)));
}

void
run_photos(Run *run)
{
	Photos		photos = {0};
	uint32		announced = 0;
	uint32		pieces = 0;

	for (uint32 i = 0; i < run->count; i++)
	{
		if (announces_photo(&run->items[i]))
			run->items[i].unit->photo_fate = PHOTO_ANNOUNCED;
		announced += run->items[i].unit->photo_fate == PHOTO_ANNOUNCED;
		pieces += is_piece(&run->items[i]);
	}
	if (announced > 0)
		run_statement(run, SQL_ANNOUNCE_PHOTOS, Int32GetDatum(setting_max_photo_size * 1024));
	if (pieces == 0)
		return;
	load_photos(run, &photos);
	photos.pieces = palloc((Size) pieces * sizeof(Piece));
	/* Those that waited came first. */
	for (int late = 1; late >= 0; late--)
	{
		for (uint32 i = 0; i < run->count; i++)
		{
			if (run->items[i].late == (late == 1) && is_piece(&run->items[i]))
				place_piece(&photos, &run->items[i]);
		}
	}
	if (photos.piece_count == 0)
		return;
	run->photos = &photos;
	run_statement(run, SQL_INSERT_PIECES, (Datum) 0);
	run_statement(run, SQL_UPDATE_PHOTOS, (Datum) 0);
	run->photos = NULL;
	complete_photos(run, &photos);
}

/* Columns of pt621_batch_photos(). */
enum
{
	PHOTO_DEVICE_ID, PHOTO_FIX_TIME, PHOTO_DIGEST, PHOTO_ANNOUNCED_AT, PHOTO_CAMERA, PHOTO_GEOM,
	PHOTO_SIZE, PHOTO_COLUMNS
};

PG_FUNCTION_INFO_V1(pt621_batch_photos);

/* pt621_batch_photos(): those that the run announces. */
Datum
pt621_batch_photos(PG_FUNCTION_ARGS)
{
	Run		   *run = require_run();
	RowSink		sink;

	row_sink_open(&sink, fcinfo, PHOTO_COLUMNS, PHOTO_GEOM);
	for (uint32 i = 0; i < run->count; i++)
	{
		const RunItem *item = &run->items[i];
		Row		   *row = sink.row;

		if (!announces_photo(item))
			continue;
		row_start(row);
		row_set(row, PHOTO_DEVICE_ID, Int32GetDatum(item->device->id));
		row_set(row, PHOTO_FIX_TIME, TimestampTzGetDatum(item->fix_time));
		row_set(row, PHOTO_DIGEST, Int64GetDatum(item->digest));
		row_set(row, PHOTO_ANNOUNCED_AT, TimestampTzGetDatum(item->unit->received_at));
		row_text(row, PHOTO_CAMERA, item->record.photo_id);
		row_point(row, PHOTO_GEOM, item->record.longitude, item->record.latitude);
		row_set(row, PHOTO_SIZE, Int64GetDatum(item->record.photo_size));
		row_emit(&sink);
	}
	return (Datum) 0;
}

static const Photos *
require_photos(void)
{
	const Run  *run = require_run();
	static const Photos none = {0};

	return run->photos ? run->photos : &none;
}

PG_FUNCTION_INFO_V1(pt621_batch_pieces);

/* pt621_batch_pieces(): those that the run has placed. */
Datum
pt621_batch_pieces(PG_FUNCTION_ARGS)
{
	const Photos *photos = require_photos();
	RowSink		sink;

	row_sink_open(&sink, fcinfo, 3, -1);
	for (uint32 i = 0; i < photos->piece_count; i++)
	{
		const Piece *piece = &photos->pieces[i];

		row_start(sink.row);
		row_set(sink.row, 0, Int64GetDatum(piece->photo));
		row_set(sink.row, 1, Int32GetDatum((int32) piece->at));
		row_bytes(sink.row, 2, piece->bytes, piece->size);
		row_emit(&sink);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(pt621_batch_progress);

/* pt621_batch_progress(): photos that the run has pieces of. */
Datum
pt621_batch_progress(PG_FUNCTION_ARGS)
{
	const Photos *photos = require_photos();
	RowSink		sink;

	row_sink_open(&sink, fcinfo, 5, -1);
	for (uint32 i = 0; i < photos->count; i++)
	{
		const Photo *photo = &photos->photos[i];

		if (!photo->changed)
			continue;
		row_start(sink.row);
		row_set(sink.row, 0, Int64GetDatum(photo->id));
		row_set(sink.row, 1, Int32GetDatum((int32) photo->received));
		row_cstring(sink.row, 2, numbering_names[photo->numbering]);
		row_cstring(sink.row, 3, photo->reason);
		row_set(sink.row, 4, TimestampTzGetDatum(photo->last_piece_at));
		row_emit(&sink);
	}
	return (Datum) 0;
}
