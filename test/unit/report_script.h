/*
 * report_script.h
 *		Tracks written as a short text, and what is to be told of them.
 *
 * A script is a list between semicolons.  An item is a time in seconds, a place
 * (thousandths of a degree of longitude on the equator, some 111 metres; '-' for
 * none), and any of: s50 (km/h), i1, i0 (ignition), d7 (driver), o1000 (odometer),
 * h90 (course), y0.5 (latitude).  Time and place may be rows: "0:600/10 1:30" is a fix every
 * ten seconds on the way from 1 to 30.  Items are put in order of time.
 *
 * Invariant: what is told of a script is the same, from where it is settled, however many
 * of its first fixes are left out.
 */
#ifndef PT621_REPORT_SCRIPT_H
#define PT621_REPORT_SCRIPT_H

#include "report_world.h"
#include "tap.h"

typedef struct Script
{
	ReportFix  *fixes;
	size_t		fixes_count;
	size_t		fixes_room;
} Script;

typedef struct Text
{
	char		bytes[20000];
	size_t		size;
} Text;

__attribute__((format(printf, 2, 3)))
static void
text_add(Text *text, const char *format,...)
{
	va_list		args;
	int			size;

	va_start(args, format);
	size = vsnprintf(text->bytes + text->size, sizeof(text->bytes) - text->size, format, args);
	va_end(args);
	CHECK(size >= 0 && (size_t) size < sizeof(text->bytes) - text->size);
	text->size += (size_t) size;
}

/* Adds the fixes of one item. */
static void
script_item(Script *script, const char *times, const char *places, const ReportFix *like)
{
	double		from;
	double		until;
	double		every = 1;
	double		west = NAN;
	double		east = NAN;
	int			rows = sscanf(times, "%lf:%lf/%lf", &from, &until, &every);

	CHECK(rows == 1 || rows == 3);
	if (rows == 1)
		until = from;
	if (sscanf(places, "%lf:%lf", &west, &east) == 1)
		east = west;
	for (int i = 0; from + i * every <= until; i++)
	{
		ReportFix	fix = *like;
		double		part = until > from ? i * every / (until - from) : 0;

		fix.time = S(from + i * every);
		fix.lon = (west + (east - west) * part) / 1000;
		TOLD_ADD(script, fixes, &fix);
	}
}

/* Puts fixes in order of time, and else as they were. */
static void
script_sort(Script *script)
{
	for (size_t i = 1; i < script->fixes_count; i++)
	{
		ReportFix	fix = script->fixes[i];
		size_t		at = i;

		for (; at > 0 && script->fixes[at - 1].time > fix.time; at--)
			script->fixes[at] = script->fixes[at - 1];
		script->fixes[at] = fix;
	}
}

static void
script_read(Script *script, const char *text)
{
	script->fixes_count = 0;
	while (*text)
	{
		char		words[12][40];
		int			count = 0;
		int			size;
		ReportFix	like = {.odometer_m = -1, .speed_kmh = NAN, .course = NAN, .ignition = -1};

		while (count < 12 && sscanf(text, " %39[^ ;]%n", words[count], &size) == 1)
		{
			text += size;
			count++;
		}
		text += strspn(text, " ");
		CHECK(count >= 2 && (*text == ';' || *text == 0));
		text += *text == ';';
		for (int i = 2; i < count; i++)
		{
			double		value = atof(words[i] + 1);

			switch (words[i][0])
			{
				case 's': like.speed_kmh = (float) value; break;
				case 'h': like.course = (float) value; break;
				case 'i': like.ignition = (int8_t) value; break;
				case 'd': like.driver = (int32_t) value; break;
				case 'o': like.odometer_m = (int64_t) value; break;
				case 'y': like.lat = value; break;
				default: CHECK(!"a word");
			}
		}
		script_item(script, words[0], words[1], &like);
	}
	script_sort(script);
}

static void
text_segment(Text *text, const ReportSegment *segment)
{
	static const char *const kinds[] = {"trip", "stop", "unobserved"};

	text_add(text, "%s %g..%g%s %.0fm (%g", kinds[segment->kind], (double) segment->from / 1e6,
			 (double) segment->until / 1e6, segment->ongoing ? "+" : "", segment->metres,
			 round(segment->from_lon * 1e6) / 1e3);
	if (segment->kind != REPORT_STOP)
		text_add(text, "-%g", round(segment->until_lon * 1e6) / 1e3);
	text_add(text, ")");
	if (!isnan(segment->top_kmh))
		text_add(text, " top%g", segment->top_kmh);
	if (segment->engine_s > 0)
		text_add(text, " on%g", segment->engine_s);
	if (segment->idle_s > 0)
		text_add(text, " idle%g", segment->idle_s);
	if (segment->carried_s > 0)
		text_add(text, " carried%g/%.0fm", segment->carried_s, segment->carried_metres);
	if (!isnan(segment->odometer_m))
		text_add(text, " o%.0f", segment->odometer_m);
	for (uint32_t i = 0; i < segment->driver_count; i++)
		text_add(text, " d%d", (int) segment->drivers[i]);
	text_add(text, "\n");
}

static void
text_interval(Text *text, const ReportInterval *interval)
{
	static const char *const whats[] = {"engine", "idle", "driver"};

	text_add(text, "%s", whats[interval->what]);
	if (interval->driver != 0)
		text_add(text, " d%d", (int) interval->driver);
	text_add(text, " %g..%g%s%s\n", (double) interval->from / 1e6, (double) interval->until / 1e6,
			 interval->ongoing ? "+" : "", interval->silent ? " silent" : "");
}

static void
text_manner(Text *text, const ReportManner *manner)
{
	static const char *const whats[] = {"acceleration", "braking", "turn"};

	text_add(text, "%s %g %.2f at %g (%g)\n", whats[manner->what], (double) manner->at / 1e6,
			 manner->ms2, manner->speed_kmh, manner->lon * 1e3);
}

/* Checks that slices add up to the segments that are known from their beginning. */
static bool
slices_add_up(const Told *told)
{
	size_t		slice = 0;

	for (size_t i = 0; i < told->segments_count; i++)
	{
		const ReportSegment *segment = &told->segments[i];
		double		metres = 0;
		ReportTime	at = segment->from;

		for (; slice < told->slices_count && told->slices[slice].until <= segment->from; slice++)
			if (told->slices[slice].kind != REPORT_NOTHING)
				return false;
		for (; slice < told->slices_count && told->slices[slice].until <= segment->until; slice++)
		{
			if (told->slices[slice].kind != segment->kind || told->slices[slice].from != at)
				return false;
			metres += told->slices[slice].metres;
			at = told->slices[slice].until;
		}
		if (at != segment->until || metres != segment->metres)
			return false;
	}
	return true;
}

/* Tells what of a script begins later, when its first fixes are left out. */
static bool
same_from_anywhere(const Script *script, const ReportOptions *options, const Told *whole)
{
	Told		told = {.days = whole->days};
	bool		same = true;
	ReportTime	settled;
	size_t		every = script->fixes_count / 300 + 1;

	for (size_t i = 0; i < script->fixes_count && same; i += every)
	{
		if (!told_run_from(&told, options, script->fixes + i, script->fixes_count - i, &settled))
			continue;
		same = told_same_after(whole, &told, settled);
		if (!same)
			printf("# begun with fix %zu, at %g\n", i, (double) script->fixes[i].time / 1e6);
	}
	told_clear(&told);
	return same;
}

/* Checks what is told of a script: segments, else intervals, else driving style. */
typedef enum ScriptPart
{
	SCRIPT_SEGMENTS,
	SCRIPT_INTERVALS,
	SCRIPT_MANNERS
} ScriptPart;

__attribute__((unused))
static void
check_script(ScriptPart part, const ReportOptions *options, const char *name, const char *text,
			 const char *expected)
{
	static Script script;
	static Text out;
	Told		told = {.days = true};

	out.size = 0;
	text_add(&out, "%s", "");
	script_read(&script, text);
	told_run(&told, options, script.fixes, script.fixes_count);
	for (size_t i = 0; part == SCRIPT_SEGMENTS && i < told.segments_count; i++)
		text_segment(&out, &told.segments[i]);
	for (size_t i = 0; part == SCRIPT_INTERVALS && i < told.intervals_count; i++)
		text_interval(&out, &told.intervals[i]);
	for (size_t i = 0; part == SCRIPT_MANNERS && i < told.manners_count; i++)
		text_manner(&out, &told.manners[i]);
	is_str(out.bytes, expected, "%s", name);
	if (!slices_add_up(&told))
		ok(false, "%s: slices add up", name);
	if (!same_from_anywhere(&script, options, &told))
		ok(false, "%s: the same from anywhere", name);
	told_clear(&told);
}

#endif							/* PT621_REPORT_SCRIPT_H */
