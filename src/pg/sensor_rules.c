/*
 * sensor_rules.c
 *		Rules of sensors: read, and asked.
 *
 * Invariant.  A rule applies to a record where it is valid, the tracker is one that
 * it is for, and its sensor is a calibration or an input of the tracker then.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/varbit.h"

#include "pg/arrays.h"
#include "pg/derive_sql.h"
#include "pg/sensor_rules.h"
#include "sensor/calibrate.h"

/* A row of pt621.sensor_alarm. */
typedef struct SensorRule
{
	DetectRule	detect;			/* without unit and value */
	TimestampTz from;
	TimestampTz until;			/* first moment after */
	ArrayType  *devices;		/* int4[]; NULL = see groups */
	ArrayType  *groups;			/* text[]; both NULL: for all */
} SensorRule;

struct SensorRules
{
	int			count;
	SensorRule	rules[FLEXIBLE_ARRAY_MEMBER];	/* by id */
};

/* What the sensor of a rule is on a tracker: a calibration or an input. */
typedef struct SensorWire
{
	int32		device_id;
	int32		rule;
	TimestampTz from;
	TimestampTz until;
	int			number;			/* of the channel or input, from 1 */
	bool		is_input;
	bool		inverted;
	DetectText	unit;
	int			pairs;			/* 0 = no valid table */
	double	   *raw;
	double	   *value;
} SensorWire;

/* Those of some trackers, in order of tracker and rule; of one rule the one that
 * counts first. */
struct SensorWires
{
	int			device_count;
	int32	   *devices;		/* all that were asked for, sorted */
	uint64		count;
	SensorWire	wires[FLEXIBLE_ARRAY_MEMBER];
};

/* A rule that may apply to the tracker at hand. */
typedef struct DeviceRule
{
	const SensorRule *rule;
	const SensorWire *wires;
	int			wire_count;
	bool	   *is_for;			/* by member */
} DeviceRule;

struct SensorDevice
{
	const GeofenceMember *members;
	int			member_count;
	int			count;
	DeviceRule *rules;
	DetectRule *found;			/* room for all */
};

static ArrayType *
copy_array(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetArrayTypePCopy(value) : NULL;
}

static int32
column_int(HeapTuple row, TupleDesc desc, int number)
{
	Datum		value;

	return derive_column(row, desc, number, &value) ? DatumGetInt32(value) : 0;
}

static void
read_rule(SensorRule *rule, HeapTuple row, TupleDesc desc)
{
	Datum		value;

	rule->detect = (DetectRule)
	{
		.id = column_int(row, desc, 2),
			.name = derive_detect_text(row, desc, 3),
			.sensor = derive_detect_text(row, desc, 4),
			.above = derive_float(row, desc, 5),
			.below = derive_float(row, desc, 6),
			.lasting = derive_int64(row, desc, 7),
			.max_gap = derive_int64(row, desc, 8),
			.moving = derive_column(row, desc, 9, &value) ? DatumGetBool(value) : -1
	};
	rule->from = derive_time(row, desc, 10, DT_NOBEGIN);
	rule->until = derive_time(row, desc, 11, DT_NOEND);
	rule->devices = copy_array(row, desc, 12);
	rule->groups = copy_array(row, desc, 13);
}

void
sensor_rules_read(Derivation *derivation)
{
	MemoryContext old = MemoryContextSwitchTo(derivation->context);
	uint64		rows = derive_run(derivation, SQL_SENSOR_RULES, NULL, NULL);
	TupleDesc	desc = SPI_tuptable->tupdesc;
	SensorRules *rules = palloc(offsetof(SensorRules, rules) + rows * sizeof(SensorRule));
	Datum		id;

	rules->count = 0;
	/* One row without a rule when there are none. */
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];

		derivation->rules_revision = derive_int64(row, desc, 1);
		if (derive_column(row, desc, 2, &id))
			read_rule(&rules->rules[rules->count++], row, desc);
	}
	SPI_freetuptable(SPI_tuptable);
	derivation->rules = rules;
	MemoryContextSwitchTo(old);
}

/* Gives the elements of a float8[] without NULLs; NULL for any other. */
static double *
read_doubles(HeapTuple row, TupleDesc desc, int number, int *count)
{
	Datum		value;
	Datum	   *elements;
	bool	   *nulls;
	double	   *doubles;

	*count = 0;
	if (!derive_column(row, desc, number, &value))
		return NULL;
	array_split(DatumGetArrayTypeP(value), FLOAT8OID, &elements, &nulls, count);
	doubles = palloc((Size) Max(*count, 1) * sizeof(double));
	for (int i = 0; i < *count; i++)
		doubles[i] = nulls[i] ? (double) NAN : DatumGetFloat8(elements[i]);
	return doubles;
}

static void
read_wire(SensorWire *wire, HeapTuple row, TupleDesc desc)
{
	int			values;

	memset(wire, 0, sizeof(*wire));
	wire->device_id = column_int(row, desc, 1);
	wire->rule = column_int(row, desc, 2);
	wire->number = column_int(row, desc, 3);
	wire->is_input = derive_bool(row, desc, 4);
	wire->inverted = derive_bool(row, desc, 5);
	wire->unit = derive_detect_text(row, desc, 6);
	wire->from = derive_time(row, desc, 7, DT_NOBEGIN);
	wire->until = derive_time(row, desc, 8, DT_NOEND);
	if (wire->is_input)
		return;
	wire->raw = read_doubles(row, desc, 9, &wire->pairs);
	wire->value = read_doubles(row, desc, 10, &values);
	if (wire->pairs != values || wire->pairs < 2 ||
		!calibrate_valid(wire->raw, wire->value, (size_t) wire->pairs))
		wire->pairs = 0;
}

static SensorWires *
read_wires(Derivation *derivation, const int32 *devices, int count)
{
	Datum	   *ids = palloc((Size) Max(count, 1) * sizeof(Datum));
	SensorWires *wires;
	Datum		array;
	uint64		rows;

	for (int i = 0; i < count; i++)
		ids[i] = Int32GetDatum(devices[i]);
	array = PointerGetDatum(array_make(ids, count, INT4OID));
	rows = derive_run(derivation, SQL_SENSOR_WIRES, &array, NULL);
	wires = MemoryContextAllocHuge(CurrentMemoryContext,
								   offsetof(SensorWires, wires) + rows * sizeof(SensorWire));
	wires->count = rows;
	for (uint64 i = 0; i < rows; i++)
		read_wire(&wires->wires[i], SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_freetuptable(SPI_tuptable);
	wires->device_count = count;
	wires->devices = palloc((Size) Max(count, 1) * sizeof(int32));
	memcpy(wires->devices, devices, (Size) count * sizeof(int32));
	qsort(wires->devices, (size_t) count, sizeof(int32), compare_int32);
	return wires;
}

void
sensor_rules_wire(Derivation *derivation, const int32 *devices, int count)
{
	MemoryContext old = MemoryContextSwitchTo(derivation->context);

	if (derivation->rules && derivation->rules->count > 0)
		derivation->wires = read_wires(derivation, devices, count);
	MemoryContextSwitchTo(old);
}

/* Finds the wires of a rule on a tracker. */
static const SensorWire *
find_wires(const SensorWires *wires, int32 device_id, int32 rule, int *count)
{
	uint64		low = 0;
	uint64		high = wires->count;
	uint64		end;

	while (low < high)
	{
		uint64		middle = low + (high - low) / 2;
		const SensorWire *wire = &wires->wires[middle];

		if (wire->device_id < device_id || (wire->device_id == device_id && wire->rule < rule))
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < wires->count; end++)
	{
		if (wires->wires[end].device_id != device_id || wires->wires[end].rule != rule)
			break;
	}
	*count = (int) (end - low);
	return &wires->wires[low];
}

/* Tells whether two arrays of one type have an element in common. */
static bool
overlap(ArrayType *a, ArrayType *b)
{
	return a && b && DatumGetBool(OidFunctionCall2Coll(F_ARRAYOVERLAP, DEFAULT_COLLATION_OID,
													   PointerGetDatum(a), PointerGetDatum(b)));
}

/* Tells of each member whether the rule is for it; false when it is for none. */
static bool
find_members(DeviceRule *found, ArrayType *self, const GeofenceMember *members, int count)
{
	const SensorRule *rule = found->rule;
	bool		always = (rule->devices == NULL && rule->groups == NULL) || overlap(rule->devices, self);
	bool		any = false;

	found->is_for = palloc((Size) count * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		found->is_for[i] = always || overlap(rule->groups, members[i].groups);
		any |= found->is_for[i];
	}
	return any;
}

SensorDevice *
sensor_device_new(Derivation *derivation, int32 device_id, const GeofenceMember *members, int count)
{
	const SensorRules *rules = derivation->rules;
	const SensorWires *wires = derivation->wires;
	Datum		id = Int32GetDatum(device_id);
	ArrayType  *self;
	SensorDevice *device;

	if (rules == NULL || rules->count == 0)
		return NULL;
	if (wires == NULL ||
		bsearch(&device_id, wires->devices, (size_t) wires->device_count, sizeof(int32), compare_int32) == NULL)
		wires = read_wires(derivation, &device_id, 1);
	if (wires->count == 0)
		return NULL;
	self = array_make(&id, 1, INT4OID);
	device = palloc(sizeof(SensorDevice));
	device->members = members;
	device->member_count = count;
	device->count = 0;
	device->rules = palloc((Size) rules->count * sizeof(DeviceRule));
	for (int i = 0; i < rules->count; i++)
	{
		DeviceRule *found = &device->rules[device->count];

		found->rule = &rules->rules[i];
		found->wires = find_wires(wires, device_id, found->rule->detect.id, &found->wire_count);
		if (found->wire_count > 0 && find_members(found, self, members, count))
			device->count++;
	}
	device->found = palloc((Size) Max(device->count, 1) * sizeof(DetectRule));
	return device->count > 0 ? device : NULL;
}

/* Gives what a sensor says; NAN when it says nothing. */
static double
read_value(const SensorWire *wire, const SensorRaw *raw)
{
	if (raw == NULL || wire->number < 1)
		return NAN;
	if (wire->is_input)
		return wire->number > raw->input_count ? (double) NAN :
			(double) ((raw->inputs >> (SENSOR_INPUTS_MAX - wire->number) & 1) ^ wire->inverted);
	if (wire->number > raw->adc_count || wire->pairs == 0)
		return NAN;
	return calibrate(wire->raw, wire->value, (size_t) wire->pairs, raw->adc[wire->number - 1]);
}

size_t
sensor_device_rules(SensorDevice *device, const DetectFix *fix, const DetectRule **found)
{
	size_t		count = 0;
	int			member;

	*found = NULL;
	if (device == NULL)
		return 0;
	member = device->member_count - 1;
	while (member > 0 && device->members[member].from > fix->time)
		member--;
	for (int i = 0; i < device->count; i++)
	{
		const DeviceRule *candidate = &device->rules[i];
		const SensorRule *rule = candidate->rule;
		int			at = 0;

		if (!candidate->is_for[member] || fix->time < rule->from || fix->time >= rule->until)
			continue;
		while (at < candidate->wire_count &&
			   (fix->time < candidate->wires[at].from || fix->time >= candidate->wires[at].until))
			at++;
		if (at == candidate->wire_count)
			continue;
		device->found[count] = rule->detect;
		device->found[count].unit = candidate->wires[at].unit;
		device->found[count++].value = read_value(&candidate->wires[at], fix->sensors);
	}
	*found = device->found;
	return count;
}

TimestampTz
sensor_rules_changed_since(Derivation *derivation, int32 device_id, int64 revision)
{
	Datum		values[] = {Int32GetDatum(device_id), Int64GetDatum(revision)};
	TimestampTz since = DT_NOEND;

	if (derive_run(derivation, SQL_SENSOR_CHANGED, values, NULL) > 0)
		since = derive_time(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, DT_NOEND);
	SPI_freetuptable(SPI_tuptable);
	return since;
}

void
sensor_raw_of_record(SensorRaw *raw, const Pt621Record *record)
{
	raw->adc_count = (int) Min(record->adc_count, PT621_ADC_MAX);
	for (int i = 0; i < raw->adc_count; i++)
		raw->adc[i] = record->adc[i] < 0 ? (double) NAN : (double) record->adc[i];
	raw->input_count = (int) record->inputs.count;
	raw->inputs = (uint64) record->inputs.bits << (SENSOR_INPUTS_MAX - PT621_BITS_MAX);
}

void
sensor_raw_of_row(SensorRaw *raw, Datum adc, bool no_adc, Datum inputs, bool no_inputs)
{
	raw->adc_count = 0;
	if (!no_adc)
	{
		Datum	   *elements;
		bool	   *nulls;
		int			count;

		array_split(DatumGetArrayTypeP(adc), INT4OID, &elements, &nulls, &count);
		raw->adc_count = Min(count, PT621_ADC_MAX);
		for (int i = 0; i < raw->adc_count; i++)
			raw->adc[i] = nulls[i] ? (double) NAN : (double) DatumGetInt32(elements[i]);
	}
	raw->input_count = 0;
	raw->inputs = 0;
	if (!no_inputs)
	{
		VarBit	   *bits = DatumGetVarBitP(inputs);

		raw->input_count = Min(VARBITLEN(bits), SENSOR_INPUTS_MAX);
		for (int i = 0; i * BITS_PER_BYTE < raw->input_count; i++)
			raw->inputs |= (uint64) VARBITS(bits)[i] << (SENSOR_INPUTS_MAX - BITS_PER_BYTE * (i + 1));
	}
}
