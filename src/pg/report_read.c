/*
 * report_read.c
 *		Records of trackers, as reports take them in.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "pg/plan.h"
#include "pg/postgis.h"
#include "pg/report_read.h"

/* Bits of position.quality. */
#define QUALITY_NULL_ISLAND			32768
#define QUALITY_TIME_OF_RECEIPT		65536

enum
{
	COLUMN_DEVICE_ID, COLUMN_FIX_TIME, COLUMN_GEOM, COLUMN_VALID, COLUMN_QUALITY, COLUMN_SPEED_KMH,
	COLUMN_COURSE, COLUMN_IGNITION, COLUMN_ODOMETER_M, COLUMN_DRIVER, COLUMN_ADC
};

/* In the order of these; nothing is computed here, which is slower than in C.  Analog
 * inputs make rows wide that may have to be sorted: only one statement has them. */
#define RECORDS(adc) \
	PLAN_NO_SCHEMA "SELECT p.device_id::pg_catalog.int4, p.fix_time::pg_catalog.timestamptz, p.geom," \
	" p.valid::pg_catalog.bool, p.quality::pg_catalog.int4, p.speed_kmh::pg_catalog.float4," \
	" p.course::pg_catalog.float4, p.ignition::pg_catalog.bool, p.odometer_m::pg_catalog.int8," \
	" p.driver::pg_catalog.text, " adc "::pg_catalog.int4[] FROM pt621.position p WHERE "

typedef enum ReportStatement
{
	SQL_OF_ALL,
	SQL_OF_SOME,
	SQL_FROM,
	SQL_BEFORE,
	SQL_WIRED_BY_STATE,
	SQL_WIRED_SINCE,
	SQL_TIME_ZONE,
	SQL_DEVICES,
	REPORT_STATEMENTS
} ReportStatement;

/* The first two are planned for the period that is asked for. */
static const PlanText statements[REPORT_STATEMENTS] =
{
	[SQL_OF_ALL] = {
		RECORDS("NULL") "p.fix_time >= $1 AND p.fix_time < $2"
		" ORDER BY p.device_id, p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_RARE, 2, {TIMESTAMPTZOID, TIMESTAMPTZOID}
	},
	[SQL_OF_SOME] = {
		RECORDS("NULL") "p.fix_time >= $1 AND p.fix_time < $2 AND p.device_id = ANY ($3)"
		" ORDER BY p.device_id, p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_RARE, 3, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT4ARRAYOID}
	},
	[SQL_FROM] = {
		RECORDS("p.adc") "p.device_id = $1 AND p.fix_time >= $2"
		" ORDER BY p.device_id, p.fix_time, p.code COLLATE \"C\", p.digest",
		PLAN_IN_ORDER, 2, {INT4OID, TIMESTAMPTZOID}
	},
	[SQL_BEFORE] = {
		RECORDS("NULL") "p.device_id = $1 AND p.fix_time < $2"
		" ORDER BY p.device_id DESC, p.fix_time DESC, p.code COLLATE \"C\" DESC, p.digest DESC",
		PLAN_IN_ORDER, 2, {INT4OID, TIMESTAMPTZOID}
	},
	[SQL_WIRED_BY_STATE] = {
		"SELECT %s.pt621_ignition_since(s.detectors::pg_catalog.bytea)"
		" FROM pt621.device_state s WHERE s.device_id = $1",
		PLAN_BY_INDEX, 1, {INT4OID}
	},
	[SQL_WIRED_SINCE] = {
		"SELECT p.fix_time::pg_catalog.timestamptz FROM pt621.position p"
		" WHERE p.device_id = $1 AND p.ignition AND p.quality & 65536 = 0 AND p.fix_time < 'infinity'"
		" ORDER BY p.fix_time LIMIT 1",
		PLAN_IN_ORDER, 1, {INT4OID}
	},
	[SQL_TIME_ZONE] = {
		"SELECT d.time_zone::pg_catalog.text FROM pt621.device d WHERE d.id = $1",
		PLAN_BY_INDEX, 1, {INT4OID}
	},
	[SQL_DEVICES] = {
		"SELECT d.id::pg_catalog.int4 FROM pt621.device d ORDER BY d.id",
		PLAN_RARE, 0, {0}
	}
};

static SPIPlanPtr plans[REPORT_STATEMENTS];
static PlanSet set = {statements, plans, REPORT_STATEMENTS, InvalidOid};

/* ------------------------------------------------------------- drivers -- */

typedef struct DriverEntry
{
	uint32		status;
	int32		number;
	const char *name;
} DriverEntry;

#define SH_PREFIX			driver_table
#define SH_ELEMENT_TYPE		DriverEntry
#define SH_KEY_TYPE			const char *
#define SH_KEY				name
#define SH_HASH_KEY(tb, key)	hash_bytes((const unsigned char *) (key), (int) strlen(key))
#define SH_EQUAL(tb, a, b)	(strcmp(a, b) == 0)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct DriverNames
{
	MemoryContext context;
	driver_table_hash *table;
	const char **names;			/* by number - 1 */
	int32		count;
	int32		room;
	int32		last;			/* the one asked for last */
};

DriverNames *
driver_names_new(MemoryContext context)
{
	DriverNames *names = MemoryContextAllocZero(context, sizeof(DriverNames));

	names->context = context;
	names->table = driver_table_create(context, 16, NULL);
	names->room = 16;
	names->names = MemoryContextAlloc(context, (Size) names->room * sizeof(char *));
	return names;
}

const char *
driver_name(const DriverNames *names, int32 number)
{
	return names->names[number - 1];
}

static int32
number_driver(DriverNames *names, const char *name)
{
	DriverEntry *entry;
	bool		found;

	if (name[0] == '\0')
		return 0;
	if (names->last > 0 && strcmp(driver_name(names, names->last), name) == 0)
		return names->last;
	entry = driver_table_insert(names->table, name, &found);
	if (!found)
	{
		if (names->count == names->room)
		{
			names->room *= 2;
			names->names = repalloc_huge(names->names, (Size) names->room * sizeof(char *));
		}
		entry->name = MemoryContextStrdup(names->context, name);
		names->names[names->count++] = entry->name;
		entry->number = names->count;
	}
	names->last = entry->number;
	return entry->number;
}

/* ------------------------------------------------------------- records -- */

struct ReportReader
{
	DestReceiver receiver;		/* first: it is what the executor is given */
	Oid			schema;
	DriverNames *names;
	ReportChannel channel;		/* NULL: no sensor was asked for */
	void	   *channel_arg;
	PointReader *points;
	Portal		portal;
	MemoryContext scratch;		/* of one fetch */
	uint32		count;
	ReportRecord records[RECORDS_AT_ONCE];
};

static float
read_float(const TupleTableSlot *slot, int column)
{
	float		value = slot->tts_isnull[column] ? NAN : DatumGetFloat4(slot->tts_values[column]);

	return isfinite(value) ? value : NAN;
}

static int32
read_quality(const TupleTableSlot *slot)
{
	return slot->tts_isnull[COLUMN_QUALITY] ? 0 : DatumGetInt32(slot->tts_values[COLUMN_QUALITY]);
}

/* Reads the place of a record; false: it has none, or none on the Earth. */
static bool
read_place(ReportReader *reader, const TupleTableSlot *slot, ReportFix *fix)
{
	if (slot->tts_isnull[COLUMN_GEOM] || slot->tts_isnull[COLUMN_VALID] ||
		!DatumGetBool(slot->tts_values[COLUMN_VALID]) ||
		(read_quality(slot) & QUALITY_NULL_ISLAND) != 0)
		return false;
	return point_read(reader->points, slot->tts_values[COLUMN_GEOM], &fix->lon, &fix->lat) &&
		fabs(fix->lon) <= 180 && fabs(fix->lat) <= 90;
}

/* Reads the raw count of the sensor that was asked for. */
static double
read_raw(ReportReader *reader, const TupleTableSlot *slot, TimestampTz time)
{
	int			channel = reader->channel ? reader->channel(reader->channel_arg, time) : 0;
	bool		isnull;
	Datum		count;

	if (channel == 0 || slot->tts_isnull[COLUMN_ADC])
		return NAN;
	/* As SQL has it: nothing where there is no such element. */
	count = array_get_element(slot->tts_values[COLUMN_ADC], 1, &channel, -1, sizeof(int32), true, TYPALIGN_INT, &isnull);
	return isnull ? NAN : DatumGetInt32(count);
}

/* Takes a row from the executor. */
static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	ReportReader *reader = (ReportReader *) self;
	ReportRecord *record = &reader->records[reader->count];
	ReportFix  *fix = &record->fix;
	MemoryContext old;

	slot_getallattrs(slot);
	if (slot->tts_isnull[COLUMN_DEVICE_ID] || slot->tts_isnull[COLUMN_FIX_TIME])
		return true;
	fix->time = DatumGetTimestampTz(slot->tts_values[COLUMN_FIX_TIME]);
	if (TIMESTAMP_NOT_FINITE(fix->time) || (read_quality(slot) & QUALITY_TIME_OF_RECEIPT) != 0)
		return true;
	old = MemoryContextSwitchTo(reader->scratch);
	record->device_id = DatumGetInt32(slot->tts_values[COLUMN_DEVICE_ID]);
	if (!read_place(reader, slot, fix))
		fix->lon = fix->lat = NAN;
	record->raw = read_raw(reader, slot, fix->time);
	fix->speed_kmh = read_float(slot, COLUMN_SPEED_KMH);
	fix->course = read_float(slot, COLUMN_COURSE);
	fix->ignition = slot->tts_isnull[COLUMN_IGNITION] ? -1 :
		DatumGetBool(slot->tts_values[COLUMN_IGNITION]);
	fix->odometer_m = slot->tts_isnull[COLUMN_ODOMETER_M] ? -1 :
		Max(DatumGetInt64(slot->tts_values[COLUMN_ODOMETER_M]), -1);
	fix->driver = reader->names == NULL || slot->tts_isnull[COLUMN_DRIVER] ? 0 :
		number_driver(reader->names, TextDatumGetCString(slot->tts_values[COLUMN_DRIVER]));
	reader->count++;
	MemoryContextSwitchTo(old);
	return true;
}

static void
start_receiving(DestReceiver *self, int operation, TupleDesc desc)
{
	ReportReader *reader = (ReportReader *) self;

	if (reader->points == NULL)
		reader->points = point_reader_new(TupleDescAttr(desc, COLUMN_GEOM)->atttypid,
										  GetMemoryChunkContext(reader));
}

static void
stop_receiving(DestReceiver *self)
{
}

ReportReader *
report_reader_new(Oid schema, DriverNames *names)
{
	ReportReader *reader = palloc0(sizeof(ReportReader));

	reader->receiver = (DestReceiver)
	{
		receive, start_receiving, stop_receiving, stop_receiving, DestNone
	};
	reader->schema = schema;
	reader->names = names;
	reader->scratch = AllocSetContextCreate(CurrentMemoryContext, "pt621 records being read",
											ALLOCSET_SMALL_SIZES);
	return reader;
}

void
report_reader_sensor(ReportReader *reader, ReportChannel channel, void *arg)
{
	reader->channel = channel;
	reader->channel_arg = arg;
}

static void
begin_reading(ReportReader *reader, ReportStatement statement, Datum *values)
{
	report_read_end(reader);
	reader->portal = SPI_cursor_open(NULL, plan_get(&set, statement, reader->schema), values, NULL, true);
}

void
report_read_period(ReportReader *reader, ArrayType *devices, TimestampTz low, TimestampTz high)
{
	Datum		values[] = {TimestampTzGetDatum(low), TimestampTzGetDatum(high), PointerGetDatum(devices)};

	begin_reading(reader, devices ? SQL_OF_SOME : SQL_OF_ALL, values);
}

void
report_read_from(ReportReader *reader, int32 device_id, TimestampTz low)
{
	Datum		values[] = {Int32GetDatum(device_id), TimestampTzGetDatum(low)};

	begin_reading(reader, SQL_FROM, values);
}

void
report_read_before(ReportReader *reader, int32 device_id, TimestampTz high)
{
	Datum		values[] = {Int32GetDatum(device_id), TimestampTzGetDatum(high)};

	begin_reading(reader, SQL_BEFORE, values);
}

void
report_read_end(ReportReader *reader)
{
	if (reader->portal)
		SPI_cursor_close(reader->portal);
	reader->portal = NULL;
}

bool
report_fetch(ReportReader *reader, uint32 most, const ReportRecord **records, uint32 *count)
{
	MemoryContextReset(reader->scratch);
	reader->count = 0;
	if (PortalRunFetch(reader->portal, FETCH_FORWARD, Min(most, RECORDS_AT_ONCE), &reader->receiver) == 0)
		return false;
	*records = reader->records;
	*count = reader->count;
	return true;
}

/* ------------------------------------------------------------ trackers -- */

/* Runs a statement about a tracker, or about none; within the snapshot at hand. */
static uint64
run_statement(Oid schema, ReportStatement statement, Datum *values)
{
	int			result = SPI_execute_plan(plan_get(&set, statement, schema), values, NULL, true, 0);

	if (result < 0)
		elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* Runs a statement that gives one time; DT_NOBEGIN = it gave none. */
static TimestampTz
ask_time(Oid schema, ReportStatement statement, int32 device_id)
{
	Datum		argument = Int32GetDatum(device_id);
	TimestampTz time = DT_NOBEGIN;

	if (run_statement(schema, statement, &argument) > 0)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			time = DatumGetTimestampTz(value);
	}
	SPI_freetuptable(SPI_tuptable);
	return time;
}

ReportTime
report_wired_since(Oid schema, int32 device_id, bool look)
{
	TimestampTz since = ask_time(schema, SQL_WIRED_BY_STATE, device_id);

	/* Without a state that says so it takes a look at the records: at all of them,
	 * when the ignition was never on. */
	if (since == DT_NOBEGIN && look)
		since = ask_time(schema, SQL_WIRED_SINCE, device_id);
	return since == DT_NOBEGIN ? REPORT_ENDLESS : since;
}

char *
report_time_zone(Oid schema, int32 device_id)
{
	Datum		value = Int32GetDatum(device_id);
	char	   *name = NULL;

	if (run_statement(schema, SQL_TIME_ZONE, &value) > 0)
		name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	return name;
}

int32 *
report_all_devices(Oid schema, uint32 *count)
{
	uint64		rows = run_statement(schema, SQL_DEVICES, NULL);
	int32	   *devices = MemoryContextAllocHuge(CurrentMemoryContext, (rows + 1) * sizeof(int32));
	bool		isnull;

	for (uint64 i = 0; i < rows; i++)
		devices[i] = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	*count = (uint32) rows;
	SPI_freetuptable(SPI_tuptable);
	return devices;
}
