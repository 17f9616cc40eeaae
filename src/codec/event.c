/*
 * event.c
 *		What the three-letter codes mean (protocol 4), and names of quality bits.
 *
 * Invariant.  A code without a documented meaning is never given one: it is
 * its own name, in lower case.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"

#include <string.h>

static const struct
{
	char		code[4];
	const char *event;			/* NULL: nothing happened */
}			codes[] =
{
	{"POS", NULL},
	{"IN1", "sos"},
	{"IN2", "input_2"},
	{"IN3", "input_3"},
	{"IN4", "input_4"},
	{"IN5", "input_5"},
	{"IU1", "input_1_up"},
	{"IU2", "input_2_up"},
	{"IU3", "input_3_up"},
	{"IU4", "input_4_up"},
	{"SPD", "overspeed"},
	{"GOF", "geofence"},
	{"GEO", "geofence"},
	{"MLA", "mileage"},
	{"SKA", "vibration"},
	{"LPA", "low_battery"},
	{"CPA", "power_cut"},
	{"SLP", "sleep"},
	{"TOW", "towing"},
	{"PMA", "movement"},
	{"HDA", "harsh_acceleration"},
	{"HDB", "harsh_braking"},
	{"FDA", "fatigue"},
	{"AD1", "analog_1"},
	{"AD2", "analog_2"},
	{"AD3", "analog_3"},
	{"AD4", "analog_4"},
	{"PHO", "photo"},
	{"PHD", NULL},				/* bytes of a photo announced before */
	{"FUS", NULL}				/* a status, no event */
};

static const char *const quality_names[PT621_QUALITY_BITS] =
{
	"time", "date", "fix_flag", "latitude", "longitude", "speed", "course",
	"inputs", "outputs", "adc", "odometer", "driver", "gsb", "spec", "photo",
	"null_island", "time_of_receipt", "week_rollover"
};

const char *
pt621_event(const uint8_t *code, size_t size, char *buffer)
{
	if (size == 3)
	{
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		{
			if (memcmp(code, codes[i].code, 3) == 0)
				return codes[i].event;
		}
	}
	if (size > PT621_CODE_MAX)
		size = PT621_CODE_MAX;
	for (size_t i = 0; i < size; i++)
		buffer[i] = (char) (code[i] >= 'A' && code[i] <= 'Z' ?
							code[i] - 'A' + 'a' : code[i]);
	buffer[size] = '\0';
	return size > 0 ? buffer : NULL;
}

const char *
pt621_quality_name(int bit)
{
	return bit >= 0 && bit < PT621_QUALITY_BITS ? quality_names[bit] : NULL;
}
