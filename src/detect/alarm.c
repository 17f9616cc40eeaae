/*
 * alarm.c
 *		What the tracker says itself: alarms, those it repeats, drivers.
 *
 * Invariant: of alarms nothing outlives what may still be the same one.
 */
#include "detect/detect_private.h"

static const struct
{
	char		code[3];
	DetectKind	kind;
}			repeated[DETECT_REPEATS] =
{
	{{'C', 'P', 'A'}, DETECT_POWER_CUT},
	{{'L', 'P', 'A'}, DETECT_LOW_BATTERY},
};

/* Puts the row of a repeated alarm as it is now. */
static void
put_repeat(int which, const DetectRepeat *repeat, const DetectWorld *world)
{
	DetectRow	row = detect_row(repeated[which].kind, &repeat->first);

	row.until = repeat->until;
	row.code.size = sizeof(repeated[which].code);
	memcpy(row.code.bytes, repeated[which].code, sizeof(repeated[which].code));
	world->put(world->arg, &row);
}

void
detect_put_repeats(const DetectState *state, const DetectWorld *world)
{
	for (int i = 0; i < DETECT_REPEATS; i++)
	{
		if (state->repeats[i].active)
			put_repeat(i, &state->repeats[i], world);
	}
}

static void
detect_repeats(DetectStep *step)
{
	const DetectText *code = &step->fix->code;

	for (int i = 0; i < DETECT_REPEATS; i++)
	{
		DetectRepeat *repeat = &step->state->repeats[i];

		if (repeat->active)
		{
			DetectTime	last = repeat->until == DETECT_NO_TIME ? repeat->first.time : repeat->until;

			if (detect_span(last, step->fix->time) > step->options->repeat_after)
				memset(repeat, 0, sizeof(*repeat));
		}
		if (code->size != sizeof(repeated[i].code) ||
			memcmp(code->bytes, repeated[i].code, sizeof(repeated[i].code)) != 0)
			continue;
		if (repeat->active)
			repeat->until = step->fix->time;
		else
			*repeat = (DetectRepeat) {true, step->spot, DETECT_NO_TIME};
		put_repeat(i, repeat, step->world);
	}
}

/* Tells whether there was an alarm of this name at this time, and remembers it. */
static bool
seen(DetectState *state, const DetectText *name)
{
	for (uint32_t i = 0; i < state->alarms_count; i++)
	{
		if (detect_text_equal(&state->alarms[i], name))
			return true;
	}
	if (state->alarms_count < DETECT_ALARMS_MAX)
		state->alarms[state->alarms_count++] = *name;
	return false;
}

void
detect_alarms(DetectStep *step)
{
	const DetectText *name = &step->fix->alarm;

	detect_repeats(step);
	if (name->size > 0 && !seen(step->state, name))
	{
		DetectRow	row = detect_row(DETECT_ALARM, &step->spot);

		row.object = *name;
		row.code = step->fix->code;
		step->world->put(step->world->arg, &row);
	}
}

void
detect_driver(DetectStep *step)
{
	const DetectText *driver = &step->fix->driver;
	DetectRow	row;

	if (driver->size == 0 || detect_text_equal(driver, &step->state->driver))
		return;
	row = detect_row(DETECT_DRIVER_CHANGE, &step->spot);
	row.object = *driver;
	row.driver = step->state->driver;
	step->world->put(step->world->arg, &row);
	step->state->driver = *driver;
}
