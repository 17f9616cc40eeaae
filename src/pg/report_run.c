/*
 * report_run.c
 *		A report over the records of some trackers, one tracker after the other.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/arrays.h"
#include "pg/report_run.h"

/* So many records before a period are looked at first, and so many times as many
 * as long as they settle nothing; beyond the last it begins at the very beginning. */
#define BEFORE_FIRST	64
#define BEFORE_TIMES	4
#define BEFORE_LAST		(64 * 4096)

/* And so many after it, and then more at once. */
#define AFTER_FIRST		64

/* ------------------------------------------------------- what it is told -- */

static ReportTime
run_day_end(void *arg, ReportTime time)
{
	ReportRun  *run = arg;

	/* Without drivers there are no turns that a day could end: nothing is to be
	 * known of the day before. */
	if (!run->drivers)
		return time + 1;
	if (time < run->day_from || time >= run->day_until)
	{
		ReportBucket day = report_bucket(run->zone, 'd', time);

		run->day_from = day.from;
		run->day_until = day.until;
	}
	return run->day_until;
}

static void *
run_grow(void *arg, void *old, size_t size)
{
	ReportRun  *run = arg;

	return old ? repalloc_huge(old, size) : MemoryContextAllocHuge(run->context, size);
}

/* Follows what kind the last moments are of: each unobserved leg is one of its own. */
static void
run_slice(void *arg, const ReportSlice *slice)
{
	ReportRun  *run = arg;

	if (slice->kind != run->kind || slice->kind == REPORT_UNOBSERVED)
		run->kind_since = slice->from;
	run->kind = slice->kind;
}

/* ------------------------------------------------------------ a tracker -- */

/* Begins a pass over records of the tracker; whole: from its first one on. */
static void
start(ReportRun *run, bool whole)
{
	MemoryContextReset(run->context);
	run->whole = whole;
	/* Of a pass from the beginning the first record with the ignition on need not be
	 * looked for; but it may have been dropped since, which the state knows. */
	if (run->wired_since == REPORT_NO_TIME)
		run->wired_since = report_wired_since(run->schema, run->device_id, !whole);
	run->options.wired_since = whole ? REPORT_NO_TIME : run->wired_since;
	run->fed = false;
	run->kind_since = REPORT_NO_TIME;
	run->kind = REPORT_NOTHING;
	run->report = report_new(&run->options, &run->sink, whole);
	if (run->begin)
		run->begin(run);
}

static void
feed(ReportRun *run, const ReportFix *fix)
{
	ReportFix	known;

	run->fed = true;
	if (run->whole && fix->time < run->wired_since && fix->ignition == 1)
		run->wired_since = fix->time;
	if (run->whole && fix->time < run->wired_since)
	{
		known = *fix;
		known.ignition = -1;
		fix = &known;
	}
	report_step(run->report, fix);
}

static void
add_before(ReportRun *run, const ReportRecord *records, uint32 count)
{
	if (run->before_count + count > run->before_room)
	{
		run->before_room = Max(run->before_count + count, run->before_room * 2);
		run->before = repalloc_huge(run->before, run->before_room * sizeof(ReportRecord));
	}
	memcpy(run->before + run->before_count, records, count * sizeof(ReportRecord));
	run->before_count += count;
}

/* Takes in all that is before the period, in order. */
static void
feed_all_before(ReportRun *run)
{
	ArrayType  *one;
	Datum		device = Int32GetDatum(run->device_id);
	const ReportRecord *records;
	uint32		count;

	one = array_make(&device, 1, INT4OID);
	report_read_period(run->side, one, DT_NOBEGIN, run->low);
	start(run, true);
	while (report_fetch(run->side, RECORDS_AT_ONCE, &records, &count))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < count; i++)
			feed(run, &records[i].fix);
	}
	report_read_end(run->side);
	pfree(one);
}

/* Begins so far before the period that what holds at its start is settled. */
static void
look_back(ReportRun *run)
{
	bool		more = true;
	const ReportRecord *records;
	uint32		count;

	run->before_count = 0;
	report_read_before(run->side, run->device_id, run->low);
	for (uint32 wanted = BEFORE_FIRST;; wanted *= BEFORE_TIMES)
	{
		while (more && run->before_count < wanted)
		{
			CHECK_FOR_INTERRUPTS();
			more = report_fetch(run->side, wanted - run->before_count, &records, &count);
			if (more)
				add_before(run, records, count);
		}
		if (run->before_count >= BEFORE_LAST)
			break;
		start(run, !more);
		for (uint32 i = run->before_count; i > 0; i--)
			feed(run, &run->before[i - 1].fix);
		if (!more || report_settled(run->report))
			break;
	}
	report_read_end(run->side);
	if (run->before_count >= BEFORE_LAST)
		feed_all_before(run);
}

/* Finds the tracker's time zone.  One that is wrong must not cost the whole fleet
 * its report. */
static pg_tz *
find_zone(ReportRun *run)
{
	char	   *name;
	pg_tz	   *zone;

	if (run->all_zones || !(run->days || run->drivers))
		return run->all_zones;
	name = report_time_zone(run->schema, run->device_id);
	if (name == NULL)
		return report_zone("UTC");
	zone = report_zone(name);
	if (zone == NULL)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" of tracker %d is not known: its days are those of UTC",
						name, run->device_id),
				 errhint("The view pg_timezone_names has the names; set pt621.device.time_zone.")));
	pfree(name);
	return zone ? zone : report_zone("UTC");
}

static void
begin_device(ReportRun *run, int32 device_id)
{
	run->device_id = device_id;
	run->zone = find_zone(run);
	run->day_from = run->day_until = 0;
	run->wired_since = REPORT_NO_TIME;
	if (run->low == REPORT_NO_TIME)
	{
		start(run, true);
		return;
	}
	look_back(run);
}

/* Tells whether records after the period may still change what is told of it. */
static bool
is_open(ReportRun *run)
{
	if (run->goal == REPORT_MOMENTS)
		return report_told_until(run->report) < run->high || (run->more && run->more(run));
	/* What began before the period and is open at its end is all there is. */
	return report_open_since(run->report) < run->high &&
		(report_told_until(run->report) < run->high || run->kind_since >= run->low);
}

/* Goes on after the period; true: to the last record. */
static bool
look_on(ReportRun *run)
{
	bool		more = true;
	const ReportRecord *records;
	uint32		count;

	if (!run->fed || !is_open(run))
		return false;
	report_read_from(run->side, run->device_id, run->high);
	for (uint32 most = AFTER_FIRST; is_open(run); most = RECORDS_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		more = report_fetch(run->side, most, &records, &count);
		if (!more)
			break;
		for (uint32 i = 0; i < count; i++)
			feed(run, &records[i].fix);
	}
	report_read_end(run->side);
	return !more;
}

static void
end_device(ReportRun *run)
{
	if (run->report == NULL)
		return;
	run->last = run->high == REPORT_ENDLESS || look_on(run);
	report_end(run->report, run->last);
	if (run->end)
		run->end(run);
	run->report = NULL;
}

/* ------------------------------------------------------------- trackers -- */

/* Lists the trackers that may have something to report without a record. */
static void
list_devices(ReportRun *run)
{
	Datum	   *ids;
	bool	   *nulls;
	int			count;

	if (run->devices == NULL)
	{
		run->list = report_all_devices(run->schema, &run->list_count);
		return;
	}
	array_split(run->devices, INT4OID, &ids, &nulls, &count);
	run->list = palloc((Size) (count + 1) * sizeof(int32));
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			run->list[run->list_count++] = DatumGetInt32(ids[i]);
	}
	qsort(run->list, run->list_count, sizeof(int32), compare_int32);
}

/* Looks at the listed trackers up to one that has a record; all: at those left. */
static void
pass_listed(ReportRun *run, int32 device_id, bool all)
{
	while (run->list_at < run->list_count && (all || run->list[run->list_at] <= device_id))
	{
		int32		listed = run->list[run->list_at++];

		/* The same one may be listed twice. */
		if ((all || listed < device_id) && (run->list_at == 1 || listed != run->list[run->list_at - 2]))
		{
			CHECK_FOR_INTERRUPTS();
			begin_device(run, listed);
			end_device(run);
		}
	}
}

bool
report_run_open(ReportRun *run, FunctionCallInfo fcinfo, int columns, int geometry_column)
{
	memset(run, 0, sizeof(*run));
	row_sink_open(&run->rows, fcinfo, columns, geometry_column);
	run->schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	run->options = report_defaults;
	return report_read_arguments(run, fcinfo);
}

static void
prepare(ReportRun *run)
{
	run->context = AllocSetContextCreate(CurrentMemoryContext, "pt621 report of a tracker",
										 ALLOCSET_DEFAULT_SIZES);
	run->sink.arg = run;
	run->sink.day_end = run_day_end;
	run->sink.grow = run_grow;
	if (run->goal == REPORT_SEGMENTS)
		run->sink.slice = run_slice;
	if (run->drivers)
		run->names = driver_names_new(CurrentMemoryContext);
	run->main = report_reader_new(run->schema, run->names);
	run->side = report_reader_new(run->schema, run->names);
	run->before_room = BEFORE_FIRST;
	run->before = palloc(run->before_room * sizeof(ReportRecord));
}

void
report_run(ReportRun *run)
{
	const ReportRecord *records;
	uint32		count;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	prepare(run);
	if (run->silent && run->low != REPORT_NO_TIME)
		list_devices(run);
	report_read_period(run->main, run->devices, run->low, run->high);
	while (report_fetch(run->main, RECORDS_AT_ONCE, &records, &count))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < count; i++)
		{
			if (run->report == NULL || run->device_id != records[i].device_id)
			{
				end_device(run);
				pass_listed(run, records[i].device_id, false);
				begin_device(run, records[i].device_id);
			}
			if (run->record)
				run->record(run, &records[i].fix);
			feed(run, &records[i].fix);
		}
	}
	end_device(run);
	pass_listed(run, 0, true);
	report_read_end(run->main);
	SPI_finish();
}
