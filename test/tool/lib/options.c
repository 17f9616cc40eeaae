/*
 * options.c
 *		Options of pt621-sim: one table for reading, checking and help.
 */
#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind
{
	HEADING,					/* of the help; no option */
	SWITCH,						/* sets a bool */
	TEXT,						/* const char * */
	NUMBER,						/* double */
	SHARE,						/* double, 0 .. 1; also "5%" */
	SPECIAL						/* read by hand */
} Kind;

typedef struct Option
{
	const char *name;
	const char *argument;		/* its name in the help; NULL: none */
	const char *help;
	Kind		kind;
	void	   *value;
	double		min;			/* of a NUMBER */
	double		max;
} Option;

/* What is being read: options, and what they are made of. */
static Options taken;
static struct
{
	double		trackers;
	double		records;
	double		duration;
	double		interval;
	double		window;
	double		seed;
	double		per_write;
	double		speedup;
	double		rate;
	double		clock_offset;
	double		photo_size;
	double		cameras;
	double		hang_up;
	bool		fast;
	bool		tcp;
	const char *start;
	const char *codes;
	const char *first_id;
} given;

static const char default_codes[] =
"IN1,IN4,IU1,SPD,GOF,MLA,SKA,LPA,CPA,SLP,TOW,PMA,HDA,HDB,FDA,AD1";

#define B taken.behaviour

static const Option options[] = {
	{"", NULL, "Where to", HEADING, NULL, 0, 0},
	{"host", "HOST", "name or address (127.0.0.1)", TEXT, &taken.host, 0, 0},
	{"port", "PORT", "TCP and UDP port (8888)", TEXT, &taken.port, 0, 0},
	{"udp", "SHARE", "share of trackers that send by UDP (0)", SHARE, &B.udp, 0, 0},
	{"tcp", NULL, "all by TCP, the default", SWITCH, &given.tcp, 0, 0},
	{"", NULL, "The fleet", HEADING, NULL, 0, 0},
	{"trackers", "N", "how many (10)", NUMBER, &given.trackers, 1, 1000000},
	{"first-id", "ID", "id of the first; the others count on from it (1000001)", TEXT, &given.first_id, 0, 0},
	{"seed", "N", "another seed, other streams (1)", NUMBER, &given.seed, 0, 9007199254740992.0},
	{"lines", "FILE", "WKT lines to drive along, lon lat, one per line; may be repeated", SPECIAL, NULL, 0, 0},
	{"speed", "KMH", "mean speed (50)", NUMBER, &B.speed_kmh, 0, 1500},
	{"start", "TIME", "time of the first record, ISO 8601, UTC", TEXT, &given.start, 0, 0},
	{"interval", "SECONDS", "between two records of a tracker, in its time (10)", NUMBER, &given.interval, 0.001, 86400},
	{"records", "N", "records that each tracker makes (100)", NUMBER, &given.records, 1, 1e9},
	{"duration", "SECONDS", "the same, in the tracker's time", NUMBER, &given.duration, 0.001, 1e9},
	{"", NULL, "What they send, as shares or probabilities: 0 to 1, or 5%", HEADING, NULL, 0, 0},
	{"frame", "SHARE", "units in BF FB frames", SHARE, &B.frame, 0, 0},
	{"delta", "SHARE", "records as @ deltas, where they can be read", SHARE, &B.delta, 0, 0},
	{"stored", "SHARE", "records made without network and uploaded later (at most 0.9)", SHARE, &B.stored, 0, 0},
	{"alarms", "SHARE", "records with an alarm's code", SHARE, &B.alarms, 0, 0},
	{"alarm-codes", "LIST", "which, separated by commas", TEXT, &given.codes, 0, 0},
	{"no-fix", "SHARE", "records without a fix, at the last place", SHARE, &B.no_fix, 0, 0},
	{"photos", "SHARE", "records that announce a photo; its pieces follow", SHARE, &B.photos, 0, 0},
	{"photo-size", "BYTES", "of each photo (2000 to 7999)", NUMBER, &given.photo_size, 16, 1000000},
	{"cameras", "N", "that take the photos, by turns (1)", NUMBER, &given.cameras, 1, 9},
	{"clock-error", "SHARE", "trackers whose clock is wrong", SHARE, &B.clock_error, 0, 0},
	{"clock-offset", "SECONDS", "by so much (-619315200: 1,024 weeks early)", NUMBER, &given.clock_offset, -4e9, 4e9},
	{"", NULL, "What happens to it", HEADING, NULL, 0, 0},
	{"loss", "SHARE", "records that are made and never sent", SHARE, &B.loss, 0, 0},
	{"duplicate", "SHARE", "records that are sent twice", SHARE, &B.duplicate, 0, 0},
	{"delay", "SHARE", "records that wait, and hold up what comes after them", SHARE, &B.delay, 0, 0},
	{"reorder", "SHARE", "records that later ones overtake", SHARE, &B.reorder, 0, 0},
	{"window", "N", "by how many records at most, for the last three (3)", NUMBER, &given.window, 1, 20},
	{"reconnect", "SHARE", "records before which the connection is made anew", SHARE, &B.reconnect, 0, 0},
	{"", NULL, "What they do on what the server says", HEADING, NULL, 0, 0},
	{"answer", "SHARE", "trackers that answer commands (0)", SHARE, &B.answer, 0, 0},
	{"photos-asked", NULL, "pieces of photos follow only when the server asks, by #PHD", SWITCH, &B.photos_asked, 0, 0},
	{"photo-faults", "SHARE", "pieces asked for that come wrongly, and photos whose size is a lie", SHARE, &B.photo_faults, 0, 0},
	{"hang-up", "N", "connect anew after N pieces of each photo", NUMBER, &given.hang_up, 1, 1e6},
	{"", NULL, "How fast", HEADING, NULL, 0, 0},
	{"speedup", "FACTOR", "times as fast as the trackers' time (1)", NUMBER, &given.speedup, 1e-3, 1e6},
	{"rate", "N", "records a second, all trackers together", NUMBER, &given.rate, 0.001, 1e8},
	{"fast", NULL, "as fast as the port takes them", SWITCH, &given.fast, 0, 0},
	{"per-write", "N", "records of a tracker in one write; TCP only (1)", NUMBER, &given.per_write, 1, 1000},
	{"connect-first", NULL, "open all connections before the first record", SWITCH, &taken.connect_first, 0, 0},
	{"hold", "SECONDS", "keep the connections open at the end (0)", NUMBER, &taken.hold, 0, 1e9},
	{"stall", "SECONDS", "give up a connection that takes nothing for so long (30)", NUMBER, &taken.stall, 0.1, 1e6},
	{"give-up", "SECONDS", "end when nothing gets through for so long (60)", NUMBER, &taken.give_up, 0.1, 1e9},
	{"", NULL, "Output", HEADING, NULL, 0, 0},
	{"truth", "FILE", "write what was sent as CSV; - is stdout", TEXT, &taken.truth, 0, 0},
	{"photo-truth", "FILE", "write the photos that were announced as CSV; - is stdout", TEXT, &taken.photo_truth, 0, 0},
	{"quiet", NULL, "no progress and no summary", SWITCH, &taken.quiet, 0, 0},
	{"help", NULL, "this text", SPECIAL, NULL, 0, 0},
	{NULL, NULL, NULL, HEADING, NULL, 0, 0}
};

/* Prints the table, and ends the program. */
static void
help(void)
{
	printf("pt621-sim: a fleet of trackers that reports to a port.\n\n"
		   "usage: pt621-sim [OPTION ...]\n");
	for (const Option *option = options; option->name; option++)
	{
		char		left[40];

		if (option->kind == HEADING)
		{
			printf("\n%s:\n", option->help);
			continue;
		}
		snprintf(left, sizeof(left), "--%s%s%s", option->name,
				 option->argument ? " " : "", option->argument ? option->argument : "");
		printf("  %-24s %s\n", left, option->help);
	}
	printf("\nReturns 0 when everything was sent, 1 when something was not, 2 for wrong options.\n");
	exit(STATUS_DONE);
}

/* Ends the program with a message and a hint at the help; a macro, so that the
 * compiler checks the format. */
#define wrong(...) (fprintf(stderr, "pt621-sim: " __VA_ARGS__), \
					fputs("\nusage: pt621-sim [OPTION ...]; pt621-sim --help lists the options\n", stderr), \
					exit(STATUS_WRONG))

/* Reads a share: "0.05" or "5%". */
static double
read_share(const char *name, const char *text)
{
	char		copy[32];
	size_t		size = strlen(text);
	double		value = -1;
	bool		percent = size > 0 && text[size - 1] == '%';

	if (size < sizeof(copy))
	{
		strcpy(copy, text);
		copy[size - percent] = '\0';
		if (tool_number(copy, 0, percent ? 100 : 1, &value))
			return percent ? value / 100 : value;
	}
	wrong("--%s: \"%s\" is not a share; expected: 0 to 1, or a percentage such as 5%%", name, text);
}

/* Takes one option in. */
static void
take(const Option *option, const char *argument)
{
	switch (option->kind)
	{
		case HEADING:
			break;
		case SWITCH:
			*(bool *) option->value = true;
			break;
		case TEXT:
			*(const char **) option->value = argument;
			break;
		case NUMBER:
			if (!tool_number(argument, option->min, option->max, option->value))
				wrong("--%s: \"%s\" is not a number of %g to %g", option->name, argument,
					  option->min, option->max);
			break;
		case SHARE:
			*(double *) option->value = read_share(option->name, argument);
			break;
		case SPECIAL:
			if (strcmp(option->name, "help") == 0)
				help();
			else
				routes_read(&B.routes, argument);
			break;
	}
}

/* Reads the words of the command line by getopt_long(). */
static void
read_words(int argc, char **argv)
{
	struct option words[sizeof(options) / sizeof(options[0])] = {{0}};
	int			which[sizeof(options) / sizeof(options[0])];
	int			count = 0;
	int			found;

	for (int i = 0; options[i].name; i++)
	{
		if (options[i].kind == HEADING)
			continue;
		words[count].name = options[i].name;
		words[count].has_arg = options[i].argument ? required_argument : no_argument;
		words[count].val = 0;
		which[count++] = i;
	}
	opterr = 0;
	for (int at = 0; (found = getopt_long(argc, argv, ":", words, &at)) != -1;)
	{
		if (found == ':')
			wrong("%s needs a value", argv[optind - 1]);
		if (found != 0)
			wrong("%s is not an option, or takes no value", argv[optind - 1]);
		take(&options[which[at]], optarg);
	}
	if (optind < argc)
		wrong("\"%s\" is not an option", argv[optind]);
}

/* Reads the codes of alarms. */
static void
read_codes(const char *list)
{
	while (*list)
	{
		size_t		size = strcspn(list, ",");

		if (size != 3 || B.code_count == CODES_MAX)
			wrong("--alarm-codes: at most %d codes of three letters and digits, separated by commas", CODES_MAX);
		for (size_t i = 0; i < size; i++)
		{
			if (!isupper((unsigned char) list[i]) && !isdigit((unsigned char) list[i]))
				wrong("--alarm-codes: \"%.3s\" is not a code; expected: three capital letters or digits", list);
		}
		/* These have a layout of their own. */
		if (strncmp(list, "PHD", 3) == 0 || strncmp(list, "PHO", 3) == 0 || strncmp(list, "FUS", 3) == 0)
			wrong("--alarm-codes: %.3s is not the code of an alarm", list);
		memcpy(B.codes[B.code_count++], list, size);
		list += size + (list[size] == ',');
	}
}

/* Takes in how fast it goes, and from that when the first record is made. */
static void
settle_pace(void)
{
	int			paces = given.fast + (given.rate > 0) + (given.speedup > 0);
	double		span_ms = (double) (B.records * (uint64_t) B.interval_ms);
	int64_t		start_us;

	if (paces > 1)
		wrong("only one of --speedup, --rate and --fast");
	taken.pace = given.fast ? PACE_FAST : given.rate > 0 ? PACE_RATE : PACE_TIME;
	taken.speedup = given.speedup > 0 ? given.speedup : 1;
	taken.rate = given.rate;
	/* What is sent faster than it was made ends now: records of the future
	 * would not be believed. */
	if (taken.pace != PACE_TIME)
		B.start_ms = tool_wall_ms() - (int64_t) span_ms;
	else if (taken.speedup > 1)
		B.start_ms = tool_wall_ms() - (int64_t) (span_ms * (1 - 1 / taken.speedup));
	else
		B.start_ms = tool_wall_ms();
	B.start_ms -= B.start_ms % 1000;
	if (given.start)
	{
		if (!tool_time(given.start, strlen(given.start), &start_us))
			wrong("--start: \"%s\" is not a time; expected: 2024-03-15T12:00:00Z", given.start);
		B.start_ms = start_us / 1000;
	}
	/* pt621 holds a delta that came before its base for 30 s; half of that is safe. */
	B.early_limit_us = INT64_MAX;
	if (taken.pace == PACE_TIME)
		B.early_limit_us = (int64_t) (15e6 * taken.speedup);
	else if (taken.pace == PACE_RATE)
		B.early_limit_us = (int64_t) (15e3 * taken.rate / taken.trackers * (double) B.interval_ms);
}

/* Takes in what is said of photos. */
static void
settle_photos(void)
{
	if (!B.photos_asked && (given.hang_up > 0 || B.photo_faults > 0))
		wrong("--hang-up and --photo-faults are of photos that are asked for: they go with --photos-asked");
	if (taken.truth && taken.photo_truth && strcmp(taken.truth, taken.photo_truth) == 0)
		wrong("--truth and --photo-truth are two files");
	B.photo_size = (uint32_t) given.photo_size;
	B.cameras = (uint32_t) given.cameras;
	B.hang_up = (uint32_t) given.hang_up;
}

/* Checks the first id, and that the last one has as many digits at most as there may be. */
static void
settle_ids(void)
{
	size_t		size = strlen(given.first_id);
	char		last[32];

	if (size == 0 || size > ENCODE_IDENT_MAX || strspn(given.first_id, "0123456789") != size)
		wrong("--first-id: \"%s\" is not an id; expected: 1 to %d digits", given.first_id, ENCODE_IDENT_MAX);
	strcpy(taken.first_id, given.first_id);
	snprintf(last, sizeof(last), "%lld",
			 strtoll(given.first_id, NULL, 10) + (long long) taken.trackers - 1);
	if (strlen(last) > ENCODE_IDENT_MAX)
		wrong("--first-id: there are not so many ids from %s on", given.first_id);
}

void
options_ident(const Options *fleet, uint32_t number, char *ident)
{
	snprintf(ident, ENCODE_IDENT_MAX + 1, "%0*lld", (int) strlen(fleet->first_id),
			 strtoll(fleet->first_id, NULL, 10) + (long long) number);
}

void
options_read(Options *result, int argc, char **argv)
{
	taken.host = "127.0.0.1";
	taken.port = "8888";
	taken.stall = 30;
	taken.give_up = 60;
	B.speed_kmh = 50;
	given.trackers = 10;
	given.interval = 10;
	given.window = 3;
	given.seed = 1;
	given.per_write = 1;
	given.cameras = 1;
	given.clock_offset = -1024.0 * 7 * 86400;
	given.codes = default_codes;
	given.first_id = "1000001";
	read_words(argc, argv);

	if (given.tcp && B.udp > 0)
		wrong("--tcp and --udp exclude each other");
	if (B.stored > 0.9)
		wrong("--stored: at most 0.9: what is uploaded goes along with live records");
	if (given.records > 0 && given.duration > 0)
		wrong("only one of --records and --duration");
	taken.trackers = (uint32_t) given.trackers;
	taken.per_write = (uint16_t) given.per_write;
	B.seed = (uint64_t) given.seed;
	B.window = (uint32_t) given.window;
	B.interval_ms = (int64_t) (given.interval * 1000 + 0.5);
	B.clock_offset_ms = (int64_t) (given.clock_offset * 1000);
	B.records = given.duration > 0 ?
		(uint64_t) (given.duration * 1000 / (double) B.interval_ms) : (uint64_t) given.records;
	if (given.duration > 0 && B.records == 0)
		wrong("--duration is shorter than --interval: there would be no record");
	if (B.records == 0)
		B.records = 100;
	if (B.routes.count == 0)
		routes_built_in(&B.routes);
	read_codes(given.codes);
	settle_photos();
	settle_ids();
	settle_pace();
	*result = taken;
}
