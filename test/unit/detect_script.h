/*
 * detect_script.h
 *		Fixes written as a short text, and the rows that are to come of them.
 *
 * A script is a list of fixes between semicolons.  A fix is its second, where it
 * is (thousandths of a degree of longitude on the equator, some 111 metres; '-'
 * for no place), and any of: s50 (km/h), i1, i0 (ignition), dNAME (driver),
 * cCODE (its alarm has the name of the code), nCODE (no alarm), y0.5 (latitude),
 * v8.5 (value of the sensor).
 *
 * Invariant: every script is run three times: as it is, with the state saved and
 * loaded before every fix, and up to each fix for what is open then.
 */
#ifndef PT621_DETECT_SCRIPT_H
#define PT621_DETECT_SCRIPT_H

#include "detect_world.h"
#include "tap.h"

/* Reads the next fix of a script; NULL at its end. */
static const char *
next_fix(const char *script, DetectFix *fix)
{
	static double value;
	char		word[80];
	int			count = 0;
	int			size;

	*fix = (DetectFix) {.speed_kmh = NAN, .ignition = -1};
	text_set(&fix->code, "POS");
	while (sscanf(script, " %79[^ ;]%n", word, &size) == 1)
	{
		script += size;
		if (count == 0)
			fix->time = S(atof(word));
		else if (count == 1 && strcmp(word, "-") != 0)
		{
			fix->has_place = true;
			fix->lon = atof(word) / 1000;
		}
		else if (word[0] == 's')
			fix->speed_kmh = atof(word + 1);
		else if (word[0] == 'i')
			fix->ignition = word[1] - '0';
		else if (word[0] == 'y')
			fix->lat = atof(word + 1);
		else if (word[0] == 'v')
		{
			value = atof(word + 1);
			fix->sensors = &value;
		}
		else if (word[0] == 'd')
			text_set(&fix->driver, word + 1);
		else if (word[0] == 'c' || word[0] == 'n')
		{
			text_set(&fix->code, word + 1);
			if (word[0] == 'c')
				text_set(&fix->alarm, word + 1);
		}
		count++;
	}
	if (count == 0)
		return NULL;
	script += strspn(script, " ");
	return *script == ';' ? script + 1 : script;
}

/* Takes the state through its bytes; NULL when it came out another. */
static DetectState *
round_trip(const DetectState *state, World *world)
{
	size_t		size;
	size_t		again_size;
	uint8_t    *bytes = save_state(state, &size);
	uint8_t    *again;
	DetectState *loaded = detect_load(bytes, size, &world->calls);

	if (loaded)
	{
		again = save_state(loaded, &again_size);
		if (again_size != size || memcmp(again, bytes, size) != 0)
			loaded = NULL;
		free(again);
	}
	free(bytes);
	return loaded;
}

/* Runs a script on a new state; the log has the rows. */
static DetectState *
run_script(World *world, const char *script, bool save)
{
	DetectState *state = detect_new(&world->calls);
	DetectFix	fix;

	log_clear(&world->log);
	while ((script = next_fix(script, &fix)) != NULL)
	{
		if (save)
			state = round_trip(state, world);
		if (state == NULL)
			return NULL;
		detect_step(state, &fix, &world->calls);
	}
	return state;
}

/* Checks the rows of a script, one in a line in the order they were put. */
__attribute__((unused))
static bool
check_script(World *world, const char *name, const char *script, const char *expected)
{
	char	   *plain;
	bool		passed;

	run_script(world, script, false);
	plain = strdup(world->log.text);
	passed = is_str(plain, expected, "%s", name);
	if (run_script(world, script, true) == NULL)
		passed = ok(false, "%s: a state was not read back as it was", name);
	else if (strcmp(plain, world->log.text) != 0)
		passed = is_str(world->log.text, plain, "%s: the same with saved states", name);
	free(plain);
	world_forget(world);
	return passed;
}

/* Checks the rows that are open at the end of a script. */
__attribute__((unused))
static bool
check_open(World *world, const char *name, const char *script, const char *expected)
{
	DetectState *state = run_script(world, script, true);
	bool		passed;

	log_clear(&world->log);
	if (state)
		detect_put_open(state, &world->calls);
	passed = is_str(world->log.text, expected, "%s", name);
	world_forget(world);
	return passed;
}

#endif							/* PT621_DETECT_SCRIPT_H */
