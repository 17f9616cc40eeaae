/*
 * sensor.c
 *		What sensors measure, beyond the limits of rules.
 *
 * Invariant: of each rule there is at most one alarm or one in the making, and it
 * is forgotten with the first record that shows that it is over.
 */
#include "detect/detect_private.h"

/* What a record says of a rule. */
typedef enum Answer
{
	ANSWER_UNKNOWN,
	ANSWER_NO,
	ANSWER_YES
} Answer;

/* How far a value is beyond the limits of a rule: not when it is not above 0. */
static double
excess(const DetectRule *rule, double value)
{
	/* The greater one; a NAN is passed over. */
	return fmax(value - rule->above, rule->below - value);
}

/* Tells whether the record is one of a tracker that moves as the rule asks. */
static Answer
moves_so(const DetectStep *step, const DetectRule *rule)
{
	if (rule->moving < 0)
		return ANSWER_YES;
	if (!step->spot.has_place || isnan(step->speed_kmh))
		return ANSWER_UNKNOWN;
	return (step->speed_kmh >= step->options->moving_from_kmh) == (rule->moving > 0) ?
		ANSWER_YES : ANSWER_NO;
}

/* Tells whether what the rule is about is the case: either part can say no alone. */
static Answer
ask(const DetectStep *step, const DetectRule *rule)
{
	Answer		moves = moves_so(step, rule);

	if (moves == ANSWER_NO)
		return ANSWER_NO;
	if (isnan(rule->value))
		return ANSWER_UNKNOWN;
	return excess(rule, rule->value) > 0 ? moves : ANSWER_NO;
}

/* Gives the row of an alarm as it is while it is open. */
static DetectRow
open_row(const DetectSensor *sensor)
{
	DetectRow	row = detect_row(DETECT_SENSOR_ALARM, &sensor->first);

	row.object = sensor->name;
	row.confirmed_at = sensor->confirmed_at;
	row.sensor = sensor->sensor;
	row.unit = sensor->unit;
	row.value = sensor->value;
	row.threshold = sensor->threshold;
	return row;
}

void
detect_put_sensors(const DetectState *state, const DetectWorld *world)
{
	for (uint32_t i = 0; i < state->sensors_count; i++)
	{
		if (state->sensors[i].shown)
		{
			DetectRow	row = open_row(&state->sensors[i]);

			world->put(world->arg, &row);
		}
	}
}

/* Ends the alarm at this place, or what might have become one. */
static void
end(DetectState *state, uint32_t at, DetectTime until, const DetectWorld *world)
{
	DetectSensor *sensor = &state->sensors[at];

	if (sensor->shown)
	{
		DetectRow	row = open_row(sensor);

		row.until = until;
		row.peak = sensor->peak;
		row.peak_at = sensor->peak_at;
		world->put(world->arg, &row);
	}
	state->sensors_count--;
	memmove(sensor, sensor + 1, (state->sensors_count - at) * sizeof(*sensor));
}

/* Begins what may become an alarm. */
static void
begin(DetectStep *step, const DetectRule *rule, uint32_t at)
{
	DetectState *state = step->state;
	DetectSensor *sensor = detect_sensors_room(state, step->world, state->sensors_count + 1) + at;

	memmove(sensor + 1, sensor, (state->sensors_count - at) * sizeof(*sensor));
	state->sensors_count++;
	memset(sensor, 0, sizeof(*sensor));
	sensor->rule = rule->id;
	sensor->first = step->spot;
	sensor->name = rule->name;
	sensor->sensor = rule->sensor;
	sensor->unit = rule->unit;
	sensor->value = rule->value + 0.0;
	sensor->threshold = (rule->value > rule->above ? rule->above : rule->below) + 0.0;
	sensor->peak = sensor->value;
	sensor->peak_at = step->spot.time;
}

/* Takes in a record that shows that the condition holds. */
static void
go_on(DetectStep *step, const DetectRule *rule, DetectSensor *sensor)
{
	DetectTime	now = step->spot.time;

	if (excess(rule, rule->value) > excess(rule, sensor->peak))
	{
		sensor->peak = rule->value + 0.0;
		sensor->peak_at = now;
	}
	sensor->last = now;
	if (!sensor->shown && detect_span(sensor->first.time, now) >= rule->lasting)
	{
		DetectRow	row;

		sensor->shown = true;
		sensor->confirmed_at = now;
		row = open_row(sensor);
		step->world->put(step->world->arg, &row);
	}
}

/* Ends the alarms of rules that do not apply, before this one; returns where this
 * one is or would be. */
static uint32_t
pass_over(DetectStep *step, uint32_t at, const DetectRule *rule)
{
	DetectState *state = step->state;

	while (at < state->sensors_count && (rule == NULL || state->sensors[at].rule < rule->id))
		end(state, at, state->sensors[at].last, step->world);
	return at;
}

void
detect_sensors(DetectStep *step)
{
	DetectState *state = step->state;
	DetectTime	now = step->spot.time;
	const DetectRule *rules;
	size_t		count = step->world->rules(step->world->arg, step->fix, &rules);
	uint32_t	at = 0;

	for (size_t i = 0; i < count; i++)
	{
		const DetectRule *rule = &rules[i];
		Answer		answer = ask(step, rule);
		bool		found;

		at = pass_over(step, at, rule);
		found = at < state->sensors_count && state->sensors[at].rule == rule->id;
		/* Of records of one time, one that shows it counts. */
		if (found && (detect_span(state->sensors[at].last, now) > rule->max_gap ||
					  (answer == ANSWER_NO && state->sensors[at].last != now)))
		{
			end(state, at, detect_span(state->sensors[at].last, now) > rule->max_gap ?
							  state->sensors[at].last : now, step->world);
			found = false;
		}
		if (answer == ANSWER_YES && !found)
			begin(step, rule, at);
		if (answer == ANSWER_YES)
			go_on(step, rule, &state->sensors[at]);
		if (answer == ANSWER_YES || found)
			at++;
	}
	pass_over(step, at, NULL);
}
