/*
 * sensor_rules.h
 *		The rules of pt621.sensor_alarm, for whoever derives; private to those who
 *		do.
 *
 * What a rule is about is settled for one derivation: its rules are read once, and
 * what is wired to its trackers for each of them.  What was read may be newer than
 * the revision that it goes by, never older: then it is derived once more.
 */
#ifndef PT621_PG_SENSOR_RULES_H
#define PT621_PG_SENSOR_RULES_H

#include "postgres.h"

#include "executor/spi.h"

#include "codec/pt621_codec.h"
#include "pg/derive.h"

/* More inputs than any tracker has; pt621.input has no other. */
#define SENSOR_INPUTS_MAX	64

/* What the sensors of a record say: DetectFix.sensors. */
typedef struct SensorRaw
{
	int			adc_count;
	double		adc[PT621_ADC_MAX]; /* raw counts; NAN = not read */
	int			input_count;
	uint64		inputs;			/* leftmost the highest bit */
} SensorRaw;

/* Reads the rules, and the revision that they have; within SPI. */
extern void sensor_rules_read(Derivation *derivation);

/* Reads what is wired to many trackers at once, before one turns to them. */
extern void sensor_rules_wire(Derivation *derivation, const int32 *devices, int count);

/*
 * A tracker as the rules see it, in the current memory context; members as of
 * geofence_device_new().  NULL when no rule can apply to it: then nobody need read
 * what its sensors say.
 */
extern SensorDevice *sensor_device_new(Derivation *derivation, int32 device_id,
									   const GeofenceMember *members, int count);

/* What DetectWorld asks of a SensorDevice. */
extern size_t sensor_device_rules(SensorDevice *device, const DetectFix *fix,
								  const DetectRule **found);

/* Tells since when rules, or what is wired to a tracker, may be others than at a
 * revision; DT_NOEND = they are the same. */
extern TimestampTz sensor_rules_changed_since(Derivation *derivation, int32 device_id, int64 revision);

/* Read what sensors say: of a record in memory, and of columns adc and inputs. */
extern void sensor_raw_of_record(SensorRaw *raw, const Pt621Record *record);
extern void sensor_raw_of_row(SensorRaw *raw, Datum adc, bool no_adc, Datum inputs, bool no_inputs);

#endif							/* PT621_PG_SENSOR_RULES_H */
