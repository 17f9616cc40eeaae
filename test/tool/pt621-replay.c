/*
 * pt621-replay.c
 *		Plays captured bytes to a port; see doc/simulator.md.
 *
 * Invariants.  What one connection sent goes by one connection, in its order.  A
 * connection is opened only when those that had ended before it in the file
 * have been ended by the other side too: so what a tracker said by several,
 * one after the other, is read in its order.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/link.h"
#include "lib/tool.h"

#define ROWS_A_TURN		64
#define WAIT_MAX_NS		(NS_A_SECOND / 20)
#define STOP_SECONDS	5.0

typedef struct Replay
{
	const char *host;
	const char *port;
	CaptureFormat format;
	double		speedup;		/* 0: times do not matter */
	double		rate;			/* rows a second; 0: the times count */
	double		max_gap;		/* seconds; longer silences are cut to it */
	double		stall;
	double		give_up;
	bool		fast;
	bool		quiet;
	Capture		capture;
	Net			net;
	Progress	progress;
	int64_t		began_ns;
	int64_t		played_us;		/* of the recorded time, with silences cut */
	int64_t		last_us;		/* time of the row before */
	size_t		at;				/* the next row */
} Replay;

static const char help[] =
"pt621-replay: plays captured bytes to a port.\n"
"\n"
"usage: pt621-replay [OPTION ...] FILE ...        - is stdin\n"
"\n"
"  --host HOST         name or address (127.0.0.1)\n"
"  --port PORT         TCP and UDP port (8888)\n"
"  --tcp, --udp        by this transport, whatever the file says\n"
"  --single            all rows are of one connection\n"
"  --format csv|hex    of the files (guessed)\n"
"  --speedup FACTOR    times as fast as recorded (1)\n"
"  --max-gap SECONDS   cut longer silences to this\n"
"  --rate N            so many rows a second instead\n"
"  --fast              as fast as the port takes them\n"
"  --stall SECONDS     give up a connection that takes nothing for so long (30)\n"
"  --give-up SECONDS   end when nothing gets through for so long (60)\n"
"  --quiet             no progress and no summary\n"
"  --help              this text\n"
"\n"
"Returns 0 when everything was sent, 1 when something was not, 2 for wrong options\n"
"or files.\n";

enum
{
	HOST = 1, PORT, TCP, UDP, SINGLE, FORMAT, SPEEDUP, MAX_GAP, RATE, FAST, STALL,
	GIVE_UP, QUIET, HELP
};

static const struct option words[] = {
	{"host", required_argument, NULL, HOST},
	{"port", required_argument, NULL, PORT},
	{"tcp", no_argument, NULL, TCP},
	{"udp", no_argument, NULL, UDP},
	{"single", no_argument, NULL, SINGLE},
	{"format", required_argument, NULL, FORMAT},
	{"speedup", required_argument, NULL, SPEEDUP},
	{"max-gap", required_argument, NULL, MAX_GAP},
	{"rate", required_argument, NULL, RATE},
	{"fast", no_argument, NULL, FAST},
	{"stall", required_argument, NULL, STALL},
	{"give-up", required_argument, NULL, GIVE_UP},
	{"quiet", no_argument, NULL, QUIET},
	{"help", no_argument, NULL, HELP},
	{NULL, 0, NULL, 0}
};

/* Ends the program with a hint at the help. */
static void
wrong(const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s%s\nusage: pt621-replay [OPTION ...] FILE ...; pt621-replay --help lists the options\n",
			tool_name, what, value ? ": " : "", value ? value : "");
	exit(STATUS_WRONG);
}

/* Reads a number of an option, or ends the program. */
static double
number(const char *name, const char *text, double min, double max)
{
	double		value;

	if (!tool_number(text, min, max, &value))
		wrong(name, text);
	return value;
}

/* Takes one option in. */
static void
take(Replay *replay, int which)
{
	switch (which)
	{
		case HOST:
			replay->host = optarg;
			break;
		case PORT:
			replay->port = optarg;
			break;
		case TCP:
			replay->capture.transport = SOCK_STREAM;
			break;
		case UDP:
			replay->capture.transport = SOCK_DGRAM;
			break;
		case SINGLE:
			replay->capture.single = true;
			break;
		case FORMAT:
			if (strcmp(optarg, "csv") != 0 && strcmp(optarg, "hex") != 0)
				wrong("--format is csv or hex, not", optarg);
			replay->format = optarg[0] == 'c' ? FORMAT_CSV : FORMAT_HEX;
			break;
		case SPEEDUP:
			replay->speedup = number("--speedup: not a number of 0.001 to 1e9", optarg, 1e-3, 1e9);
			break;
		case MAX_GAP:
			replay->max_gap = number("--max-gap: not a number of 0 to 1e9", optarg, 0, 1e9);
			break;
		case RATE:
			replay->rate = number("--rate: not a number of 0.001 to 1e8", optarg, 1e-3, 1e8);
			break;
		case FAST:
			replay->fast = true;
			break;
		case STALL:
			replay->stall = number("--stall: not a number of 0.1 to 1e6", optarg, 0.1, 1e6);
			break;
		case GIVE_UP:
			replay->give_up = number("--give-up: not a number of 0.1 to 1e9", optarg, 0.1, 1e9);
			break;
		case QUIET:
			replay->quiet = true;
			break;
		case HELP:
			fputs(help, stdout);
			exit(STATUS_DONE);
		default:
			break;
	}
}

/* Reads the command line and the files. */
static void
read_options(Replay *replay, int argc, char **argv)
{
	int			which;

	replay->host = "127.0.0.1";
	replay->port = "8888";
	replay->max_gap = 1e9;
	replay->stall = 30;
	replay->give_up = 60;
	opterr = 0;
	while ((which = getopt_long(argc, argv, "", words, NULL)) != -1)
	{
		if (which == '?')
			wrong("not an option, or one whose value is missing or not wanted", argv[optind - 1]);
		take(replay, which);
	}
	if (replay->fast + (replay->rate > 0) + (replay->speedup > 0) > 1)
		wrong("only one of --speedup, --rate and --fast", NULL);
	if (optind == argc)
		wrong("no file is named", NULL);
	if (replay->speedup == 0)
		replay->speedup = 1;
	for (; optind < argc; optind++)
		capture_read(&replay->capture, argv[optind], replay->format);
	capture_finish(&replay->capture);
	if (replay->capture.count == 0)
		tool_fail(STATUS_WRONG, "nothing to send: no row with bytes");
}

/* Moves the clock of the recording on to the next row. */
static void
advance(Replay *replay)
{
	int64_t		us = replay->capture.rows[replay->at].us;
	int64_t		gap;

	if (us == NO_CAPTURE_TIME)
		return;
	gap = replay->last_us == NO_CAPTURE_TIME ? 0 : us - replay->last_us;
	/* Times that go back, at the start of a second file perhaps, cost nothing. */
	if (gap < 0)
		gap = 0;
	if ((double) gap > replay->max_gap * 1e6)
		gap = (int64_t) (replay->max_gap * 1e6);
	replay->played_us += gap;
	replay->last_us = us;
}

/* Returns how long the next row has to wait, in nanoseconds. */
static int64_t
wait_for_next(const Replay *replay)
{
	double		elapsed = (double) (tool_clock_ns() - replay->began_ns) / 1e9;
	double		wait = 0;

	if (replay->rate > 0)
		wait = (double) replay->at / replay->rate - elapsed;
	else if (!replay->fast)
		wait = (double) replay->played_us / 1e6 / replay->speedup - elapsed;
	return wait > 0 ? (int64_t) (wait * 1e9) + 1 : 0;
}

/* Tells whether the network is ready for the next row. */
static bool
may_send(const Replay *replay)
{
	const CaptureRow *row = &replay->capture.rows[replay->at];

	if (row->first && replay->net.closing + replay->net.ending > 0)
		return false;
	return !link_is_full(&replay->net.links[row->conn]);
}

/* Gives the next row to its link. */
static void
send_next(Replay *replay)
{
	static uint8_t bytes[65536];
	const CaptureRow *row = &replay->capture.rows[replay->at++];
	Link	   *link = &replay->net.links[row->conn];

	capture_bytes(row, bytes);
	link_add(&replay->net, link, bytes, row->size, 1);
	if (!row->continues)
		link_finish(&replay->net, link);
	if (row->last)
		link_close(&replay->net, link);
	if (replay->at < replay->capture.count)
		advance(replay);
}

/* Shows how far it is, when it is time to. */
static void
show_progress(Replay *replay)
{
	const Net  *net = &replay->net;
	char		troubles[NET_TROUBLES_MAX];

	if (progress_due(&replay->progress))
		progress_show(&replay->progress, "%.0f %% sent: %llu rows, %.1f MB, %.0f/s, %zu connections%s",
					  100.0 * (double) net->records / (double) replay->capture.count,
					  (unsigned long long) net->records, (double) net->bytes / 1e6,
					  (double) net->records / progress_seconds(&replay->progress), net->open,
					  net_troubles(net, troubles));
}

/* Sends all rows, and waits until the connections have ended. */
static void
play(Replay *replay)
{
	Net		   *net = &replay->net;
	double		patience = replay->give_up;

	replay->began_ns = tool_clock_ns();
	replay->last_us = NO_CAPTURE_TIME;
	advance(replay);
	while (replay->at < replay->capture.count && !tool_stopped && !net_stuck(net, patience))
	{
		int64_t		wait = 0;

		for (int i = 0; i < ROWS_A_TURN && replay->at < replay->capture.count && wait == 0; i++)
		{
			wait = wait_for_next(replay);
			if (wait == 0 && !may_send(replay))
				wait = WAIT_MAX_NS;
			if (wait == 0)
				send_next(replay);
		}
		net_turn(net, wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS);
		show_progress(replay);
	}
	if (tool_stopped)
		patience = STOP_SECONDS;
	while ((net->pending > 0 || net->ending > 0) && !net_stuck(net, patience))
	{
		net_turn(net, WAIT_MAX_NS);
		show_progress(replay);
		if (tool_stopped)
			patience = STOP_SECONDS;
	}
	net->unconfirmed += net->ending;
}

int
main(int argc, char **argv)
{
	static Replay replay;
	Net		   *net = &replay.net;
	double		seconds;
	size_t		unsent;

	tool_name = "pt621-replay";
	read_options(&replay, argc, argv);
	tool_raise_files();
	tool_catch_signals();
	net_start(net, replay.host, replay.port, replay.capture.conn_count, replay.stall);
	for (uint32_t i = 0; i < replay.capture.conn_count; i++)
		net->links[i].udp = replay.capture.conns[i].udp;
	progress_begin(&replay.progress, replay.quiet);
	play(&replay);
	progress_end(&replay.progress);
	seconds = (double) (net->moved_ns - replay.began_ns) / 1e9;
	unsent = replay.capture.count - (size_t) net->records;
	if (!replay.quiet)
		fprintf(stderr, "sent: %llu rows of %u connections, %llu bytes\n"
				"time: %.2f s, %.0f rows/s\n"
				"connections: %llu, refused %llu, broken %llu, given up %llu, not ended by the other side %llu\n",
				(unsigned long long) net->records, replay.capture.conn_count,
				(unsigned long long) net->bytes, seconds,
				seconds > 0 ? (double) net->records / seconds : 0,
				(unsigned long long) net->connections, (unsigned long long) net->refused,
				(unsigned long long) net->broken, (unsigned long long) net->stalled,
				(unsigned long long) net->unconfirmed);
	if (unsent > 0)
		fprintf(stderr, "%s: %zu rows were not sent%s%s\n", tool_name, unsent,
				net->error ? "; the last error: " : "", net->error ? strerror(net->error) : "");
	if (net->unconfirmed > 0)
		fprintf(stderr, "%s: %llu connections were not ended by the other side: how much it has read is not known\n",
				tool_name, (unsigned long long) net->unconfirmed);
	unsent += net->unconfirmed;
	net_stop(net);
	return unsent > 0 ? STATUS_UNSENT : STATUS_DONE;
}
