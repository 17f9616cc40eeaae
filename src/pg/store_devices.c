/*
 * store_devices.c
 *		Which trackers the units of a run belong to.
 *
 * Invariants.  A unit belongs to the tracker that it names, else to the last one
 * named on its connection, else to the first one that its connection names
 * later.  Trackers are added in order of their ids, and their states locked in
 * order of their numbers, so that two sessions cannot wait for each other in a
 * ring.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/adopt.h"
#include "pg/arrays.h"
#include "pg/run.h"
#include "pg/settings.h"

typedef struct DeviceEntry
{
	SourceIdent ident;			/* key */
	Device	   *device;
} DeviceEntry;

static SourceIdent
make_ident(const uint8 *bytes, uint32 size)
{
	SourceIdent ident = {.size = size};

	memcpy(ident.bytes, bytes, size);
	return ident;
}

Device *
run_device(Run *run, const SourceIdent *ident)
{
	DeviceEntry *entry;
	bool		found;

	entry = hash_search(run->device_by_ident, ident, HASH_ENTER, &found);
	if (!found)
	{
		Device	   *device = palloc(sizeof(Device));

		/* All but the chain, whose arrays need no value. */
		memset(device, 0, offsetof(Device, chain));
		device->chain.bases = device->chain.newest = device->chain.helds = 0;
		memset(&device->last_fix, 0, sizeof(Device) - offsetof(Device, last_fix));
		device->run_newest = DT_NOBEGIN;
		device->derive_since = DT_NOEND;
		device->ident = *ident;
		entry->device = device;
		run->devices[run->device_count++] = device;
	}
	return entry->device;
}

Device *
run_find_device(Run *run, const SourceIdent *ident)
{
	DeviceEntry *entry = hash_search(run->device_by_ident, ident, HASH_FIND, NULL);

	return entry ? entry->device : NULL;
}

/* Takes in which tracker a unit names, for what follows on its connection. */
static void
name_source(Source *source, const SourceIdent *ident)
{
	source->ident = *ident;
	if (source->first.size == 0)
		source->first = *ident;
	else if (memcmp(&source->first, ident, sizeof(SourceIdent)) != 0)
		source->several = true;
}

/*
 * Names the tracker of a unit that does not name it itself.
 *
 * It is kept with the unit: when the try fails, or the unit waits for its base,
 * the connection may have named others since.
 */
static void
bind_by_source(Run *run, RunItem *item, const SourceIdent *ident)
{
	BatchUnit  *unit = item->unit;

	if (unit->ident.size == 0)
		unit->ident = *ident;
	if (unit->ident.size > 0)
		item->device = run_device(run, &unit->ident);
}

/*
 * Names the tracker of a status that came before any record: by its IMEI, if
 * that is the id of a tracker.  It adds none, since the id may be another.
 */
static void
bind_by_imei(Run *run, RunItem *item)
{
	if (item->device == NULL && item->readable && item->record.kind == PT621_STATUS)
	{
		SourceIdent ident = make_ident(item->record.ident.at, item->record.ident.size);

		item->device = run_device(run, &ident);
	}
}

/* room: for how many items there may be in the end. */
void
run_bind(Run *run, uint32 room)
{
	HASHCTL		control = {.keysize = sizeof(SourceIdent),
		.entrysize = sizeof(DeviceEntry),
	.hcxt = CurrentMemoryContext};

	run->device_by_ident = hash_create("pt621 trackers of a batch", 256, &control,
									   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	/* Every item can name one, and be bound by its connection to another. */
	run->devices = palloc((Size) Max(room, 1) * 2 * sizeof(Device *));
	for (uint32 i = 0; i < run->count; i++)
	{
		RunItem	   *item = &run->items[i];
		Source	   *source = item->unit->source;

		if (item->readable && item->record.kind == PT621_REPORT)
		{
			item->unit->ident = make_ident(item->record.ident.at, item->record.ident.size);
			item->device = run_device(run, &item->unit->ident);
			item->device->to_register = run->poison == NULL;
			name_source(source, &item->unit->ident);
		}
		else
			bind_by_source(run, item, &source->ident);
	}
	/* What came before the first record of its connection. */
	for (uint32 i = 0; i < run->count; i++)
	{
		RunItem	   *item = &run->items[i];

		if (item->device == NULL)
			bind_by_source(run, item, &item->unit->source->first);
		bind_by_imei(run, item);
	}
}

static int
compare_by_ident(const void *a, const void *b)
{
	const Device *left = *(Device *const *) a;
	const Device *right = *(Device *const *) b;
	const SourceIdent *a_ident = &left->ident;
	const SourceIdent *b_ident = &right->ident;
	int			order = memcmp(a_ident->bytes, b_ident->bytes, Min(a_ident->size, b_ident->size));

	return order ? order : (a_ident->size > b_ident->size) - (a_ident->size < b_ident->size);
}

static int
compare_by_id(const void *a, const void *b)
{
	const Device *left = *(Device *const *) a;
	const Device *right = *(Device *const *) b;

	return (left->id > right->id) - (left->id < right->id);
}

/* Gives the ids of the trackers that are not known yet, as text[]. */
static ArrayType *
unknown_idents(Run *run, bool to_register, int *count)
{
	Datum	   *idents = palloc((Size) Max(run->device_count, 1) * sizeof(Datum));

	*count = 0;
	for (uint32 i = 0; i < run->device_count; i++)
	{
		Device	   *device = run->devices[i];

		if (device->id == 0 && (!to_register || device->to_register))
			idents[(*count)++] =
				PointerGetDatum(cstring_to_text_with_len((const char *) device->ident.bytes,
														 (int) device->ident.size));
	}
	return array_make(idents, *count, TEXTOID);
}

/* Reads column `number` of a row; false when it is NULL. */
static bool
column(HeapTuple row, int number, Datum *value)
{
	bool		isnull;

	*value = SPI_getbinval(row, SPI_tuptable->tupdesc, number, &isnull);
	return !isnull;
}

/* Reads what pt621.device says of the trackers not known yet. */
static void
find_devices(Run *run, ArrayType *idents)
{
	uint64		rows = run_statement(run, SQL_FIND_DEVICES, PointerGetDatum(idents));

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Device	   *device;
		SourceIdent ident;
		Datum		value;
		text	   *string;

		if (!column(row, 2, &value))
			continue;
		string = DatumGetTextPP(value);
		if (VARSIZE_ANY_EXHDR(string) > PT621_IDENT_MAX)
			continue;
		/* Under a collation of the user's, others than we asked for may match. */
		ident = make_ident((const uint8 *) VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
		device = run_find_device(run, &ident);
		if (device == NULL || !column(row, 1, &value))
			continue;
		device->id = DatumGetInt32(value);
		device->enabled = column(row, 3, &value) && DatumGetBool(value);
		device->ignition_input = column(row, 4, &value) ? DatumGetInt32(value) : 0;
		device->odometer_factor = column(row, 5, &value) ? DatumGetFloat8(value) : 1;
		memcpy(device->status_order, "bgs", 3);
		if (column(row, 6, &value))
		{
			string = DatumGetTextPP(value);
			if (VARSIZE_ANY_EXHDR(string) == 3)
				memcpy(device->status_order, VARDATA_ANY(string), 3);
		}
		if (column(row, 7, &value))
			device->allowed_peers = DatumGetArrayTypePCopy(value);
		if (column(row, 8, &value))
			device->groups = DatumGetArrayTypePCopy(value);
		device->speed_limit_kmh = column(row, 9, &value) ? DatumGetFloat8(value) : NAN;
		device->options_since = column(row, 10, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Copies a text that must outlive its row. */
static text *
keep_text(Datum value)
{
	return (text *) PG_DETOAST_DATUM_COPY(value);
}

/* Fills a tracker's chain with the bases kept in its state. */
static void
load_bases(Device *device, Datum value)
{
	ArrayType  *array = DatumGetArrayTypePCopy(value);
	Datum	   *bases;
	bool	   *nulls;
	int			count;

	if (ARR_ELEMTYPE(array) != BYTEAOID)
		return;
	array_split(array, BYTEAOID, &bases, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		struct varlena *base = (struct varlena *) DatumGetPointer(bases[i]);

		if (!nulls[i])
			pt621_chain_base(&device->chain, (const uint8 *) VARDATA_ANY(base),
							 VARSIZE_ANY_EXHDR(base));
	}
}

static void
load_state(Device *device, HeapTuple row)
{
	Datum		value;

	device->locked = true;
	device->fix_time = column(row, 2, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	device->fix_code = column(row, 3, &value) ? keep_text(value) : NULL;
	device->fix_digest = column(row, 4, &value) ? DatumGetInt64(value) : 0;
	device->newest_time = column(row, 5, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	device->ignition_time = column(row, 6, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	device->ignition = column(row, 7, &value) && DatumGetBool(value);
	device->driver_time = column(row, 8, &value) ? DatumGetTimestampTz(value) : DT_NOBEGIN;
	device->driver = column(row, 9, &value) ? keep_text(value) : NULL;
	if (column(row, 10, &value))
		load_bases(device, value);
	device->bound_conn = column(row, 11, &value) ? DatumGetInt64(value) : 0;
	device->detectors = column(row, 12, &value) ? DatumGetByteaPCopy(value) : NULL;
}

static int
compare_numbers(const void *a, const void *b)
{
	int32		left = DatumGetInt32(*(const Datum *) a);
	int32		right = DatumGetInt32(*(const Datum *) b);

	return (left > right) - (left < right);
}

/* Gives the numbers of the trackers and their partners whose state is not locked
 * yet, in order. */
static ArrayType *
unlocked_ids(Run *run, int *count)
{
	Datum	   *ids = palloc((Size) Max(run->device_count + run->partner_count, 1) * sizeof(Datum));

	*count = 0;
	for (uint32 i = 0; i < run->device_count; i++)
	{
		if (run->devices[i]->id != 0 && !run->devices[i]->locked)
			ids[(*count)++] = Int32GetDatum(run->devices[i]->id);
	}
	for (uint32 i = 0; i < run->partner_count; i++)
	{
		if (!run->partners[i].locked)
			ids[(*count)++] = Int32GetDatum(run->partners[i].id);
	}
	if (run->partner_count > 0)
		qsort(ids, (size_t) *count, sizeof(Datum), compare_numbers);
	return array_make(ids, *count, INT4OID);
}

/* Finds the trackers that those of the run are linked with: whoever stores records
 * of one of the two waits for us, or we for them, and sees the other's. */
static void
find_partners(Run *run, ArrayType *ids)
{
	uint64		rows = run_statement(run, SQL_PARTNERS, PointerGetDatum(ids));

	run->partners = palloc0(Max(rows, 1) * sizeof(Partner));
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		value;

		if (column(SPI_tuptable->vals[i], 1, &value))
			run->partners[run->partner_count++].id = DatumGetInt32(value);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Locks the states of the trackers that have one; run->devices and partners are by
 * id. */
static void
lock_states(Run *run, ArrayType *ids)
{
	uint64		rows = run_statement(run, SQL_LOCK_STATES, PointerGetDatum(ids));
	uint32		at = 0;
	uint32		partner = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		Datum		value;

		column(SPI_tuptable->vals[i], 1, &value);
		while (at < run->device_count && run->devices[at]->id < DatumGetInt32(value))
			at++;
		if (at < run->device_count && run->devices[at]->id == DatumGetInt32(value))
			load_state(run->devices[at], SPI_tuptable->vals[i]);
		while (partner < run->partner_count && run->partners[partner].id < DatumGetInt32(value))
			partner++;
		if (partner < run->partner_count && run->partners[partner].id == DatumGetInt32(value))
			run->partners[partner].locked = true;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Finds out which trackers are known, and adds those that may be. */
void
run_find_devices(Run *run)
{
	int			count;
	ArrayType  *array;

	if (run->device_count > 1)
		qsort(run->devices, run->device_count, sizeof(Device *), compare_by_ident);
	array = unknown_idents(run, false, &count);
	if (count > 0)
		find_devices(run, array);
	if (setting_unknown_devices == UNKNOWN_REGISTER)
	{
		array = unknown_idents(run, true, &count);
		if (count > 0)
		{
			run_statement(run, SQL_REGISTER, PointerGetDatum(array));
			find_devices(run, array);
		}
	}
	if (run->poison)
		return;
	/* Units of the others are archived as such, which pt621_adopt() must see: it
	 * sees all of those before it, or we see the tracker that it has added. */
	array = unknown_idents(run, false, &count);
	if (count > 0)
	{
		adopt_lock(ShareLock);
		find_devices(run, array);
	}
}

/* Locks the states of the trackers and their partners, in order of their numbers. */
void
run_lock_states(Run *run)
{
	int			count;
	ArrayType  *array;

	if (run->device_count > 1)
		qsort(run->devices, run->device_count, sizeof(Device *), compare_by_id);
	array = unlocked_ids(run, &count);
	if (count > 0)
	{
		find_partners(run, array);
		if (run->partner_count > 0)
			array = unlocked_ids(run, &count);
		lock_states(run, array);
	}
	array = unlocked_ids(run, &count);
	if (count > 0)
	{
		run_statement(run, SQL_NEW_STATES, PointerGetDatum(array));
		lock_states(run, array);
	}
}
