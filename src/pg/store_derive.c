/*
 * store_derive.c
 *		What follows from the positions of a run.
 *
 * Invariant.  Where nothing of a tracker's is known that is as new as what the run
 * brings, its last state goes on with it, without a look at the table; else what
 * follows is derived from the table.  Both come to the same.
 */
#include "postgres.h"

#include <math.h>

#include "pg/derive.h"
#include "pg/proximity.h"
#include "pg/run.h"
#include "pg/sensor_rules.h"

/* Fills what the detectors look at; sensors NULL: no rule asks for them. */
static void
make_fix(const RunItem *item, DetectFix *fix, SensorRaw *sensors)
{
	const Pt621Record *record = &item->record;
	bool		ignition;

	fix->time = item->fix_time;
	fix->has_place = record->valid && !(item->quality & PT621_NULL_ISLAND) && !isnan(record->longitude);
	fix->lon = record->longitude;
	fix->lat = record->latitude;
	/* As the column has it. */
	fix->speed_kmh = (double) (float) record->speed_kmh;
	fix->ignition = item_ignition(item, &ignition) ? ignition : -1;
	fix->driver = derive_make_text(record->driver.at, record->driver.at ? record->driver.size : 0);
	fix->sensors = sensors;
	if (sensors)
		sensor_raw_of_record(sensors, record);
	derive_set_code(fix, record->code.at, record->code.size);
}

/* Tells whether an item is a new row that has a place in time. */
static bool
is_new_record(const RunItem *item)
{
	return item->inserted && !(item->quality & PT621_TIME_OF_RECEIPT);
}

/* Loads the state of a tracker, where it can go on with what is new from `first`
 * on; else NULL.  *since: from when on it is to be derived anew. */
static DetectState *
load_state(Run *run, Device *device, TimestampTz first, TimestampTz *since)
{
	Derivation *derivation = run->derivation;
	GeofenceMember *member = palloc(sizeof(GeofenceMember));
	DeviceOptions *options = palloc(sizeof(DeviceOptions));
	DetectState *state;

	*since = first;
	if (first < device->options_since || first <= device->newest_time ||
		(device->detectors == NULL && device->newest_time != DT_NOBEGIN))
		return NULL;
	member->from = options->valid_from = DT_NOBEGIN;
	member->groups = device->groups;
	options->speed_limit_kmh = device->speed_limit_kmh;
	derivation_device(derivation, device->id, member, options, 1, device->options_since);
	state = derivation_load(derivation, device->detectors);
	/* What its options were between its last record and now only the table knows. */
	if (state == NULL || detect_time(state) >= first || detect_time(state) < device->options_since)
		return NULL;
	/* Others may have changed fences or options while it was made. */
	*since = Min(first, derivation_changed_since(derivation, device->detectors));
	(void) derivation_compare_rules(derivation, device->detectors, detect_time(state));
	return *since > detect_time(state) ? state : NULL;
}

/* Marks what of a tracker is to be derived from the table. */
static void
leave_to_table(Device *device, TimestampTz since)
{
	device->derive_since = since;
	device->detectors = NULL;
}

/*
 * Derives what follows from the positions from .. to - 1, all of one tracker; or
 * leaves it to the table.
 */
static void
derive_device(Run *run, uint32 from, uint32 to)
{
	Device	   *device = run->positions[from]->device;
	DetectState *state = NULL;
	TimestampTz since = DT_NOEND;
	bool		late = false;

	for (uint32 i = from; i < to; i++)
	{
		if (is_new_record(run->positions[i]))
		{
			since = Min(since, run->positions[i]->fix_time);
			late |= !run->positions[i]->fresh;
		}
	}
	if (since == DT_NOEND)
		return;
	if (!late)
		state = load_state(run, device, since, &since);
	if (state == NULL)
	{
		leave_to_table(device, since);
		return;
	}
	for (uint32 i = from; i < to; i++)
	{
		DetectFix	fix;
		SensorRaw	sensors;

		if (!is_new_record(run->positions[i]))
			continue;
		make_fix(run->positions[i], &fix, run->derivation->sensor_device ? &sensors : NULL);
		derivation_step(run->derivation, state, &fix);
	}
	device->detectors = derivation_save(run->derivation, state);
	device->derived = true;
	derivation_close_ended(run->derivation, state);
}

/* Reads the rules of sensors, and what is wired to the run's trackers. */
static void
read_rules(Run *run)
{
	int32	   *devices = palloc((Size) Max(run->position_count, 1) * sizeof(int32));
	int			count = 0;

	for (uint32 i = 0; i < run->position_count; i++)
	{
		if (i == 0 || run->positions[i]->device != run->positions[i - 1]->device)
			devices[count++] = run->positions[i]->device->id;
	}
	sensor_rules_read(run->derivation);
	sensor_rules_wire(run->derivation, devices, count);
}

void
run_derive(Run *run)
{
	run->derivation = derivation_new(run->schema);
	if (run->position_count > 0)
		read_rules(run);
	for (uint32 from = 0, to; from < run->position_count; from = to)
	{
		for (to = from + 1; to < run->position_count; to++)
		{
			if (run->positions[to]->device != run->positions[from]->device)
				break;
		}
		derive_device(run, from, to);
	}
}

/* Derives from the table what the new positions from .. to - 1 of a tracker
 * change, day by day: one record of 2012 must not make it the years since. */
static void
derive_days(Run *run, Derivation *derivation, uint32 from, uint32 to)
{
	Device	   *device = run->positions[from]->device;
	TimestampTz done = DT_NOBEGIN;
	bool		first = true;

	while (from < to)
	{
		TimestampTz low = run->positions[from]->fix_time;
		TimestampTz high = low;
		int64		day = low / USECS_PER_DAY;
		bool		any = false;

		for (; from < to && run->positions[from]->fix_time / USECS_PER_DAY == day; from++)
		{
			if (!is_new_record(run->positions[from]))
				continue;
			if (!any)
				low = run->positions[from]->fix_time;
			high = run->positions[from]->fix_time;
			any = true;
		}
		/* What the fences of now say otherwise goes on to the end; done once, the
		 * other days' records are in it. */
		if (any && first && device->derive_since < low)
		{
			low = device->derive_since;
			high = DT_NOEND;
		}
		if (!any || high <= done)
			continue;
		if (!first)
			derivation_write(derivation);
		done = derive_period(derivation, device->id, low, high);
		first = false;
	}
}

void
run_derive_late(Run *run)
{
	Derivation *derivation = run->derivation;

	derivation_write(derivation);
	for (uint32 from = 0, to; from < run->position_count; from = to)
	{
		Device	   *device = run->positions[from]->device;

		for (to = from + 1; to < run->position_count; to++)
		{
			if (run->positions[to]->device != device)
				break;
		}
		/* pt621_derive() does it for those. */
		if (device->derive_since != DT_NOEND && !run_is_doubtful(run, device))
			derive_days(run, derivation, from, to);
	}
	derivation_write(derivation);
}

/* pt621_derive() does it for those whose state the table has to be asked for. */
void
run_derive_proximity(Run *run)
{
	DerivePeriod *periods;
	int			count = 0;

	if (run->position_count == 0 || !proximity_any(run->schema))
		return;
	periods = palloc(run->position_count * sizeof(DerivePeriod));
	for (uint32 i = 0; i < run->position_count; i++)
	{
		const RunItem *item = run->positions[i];
		DerivePeriod *last = count > 0 ? &periods[count - 1] : NULL;

		if (!is_new_record(item) || run_is_doubtful(run, item->device))
			continue;
		/* In days, as above. */
		if (last && last->device_id == item->device->id &&
			last->low / USECS_PER_DAY == item->fix_time / USECS_PER_DAY)
			last->high = item->fix_time;
		else
			periods[count++] = (DerivePeriod)
		{
			item->device->id, item->fix_time, item->fix_time
		};
	}
	if (count > 0)
		proximity_derive(run->derivation, periods, count);
}
