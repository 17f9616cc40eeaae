/*
 * pt621-sim.c
 *		A fleet of trackers that reports to a port; see doc/simulator.md.
 *
 * Invariants.  What is sent, and the truth about it, is made in one order, that
 * of the trackers' own time, whatever the network does: a link that takes no
 * more makes all wait, for a bounded time.  So the truth is the same in each run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dialogue.h"
#include "lib/link.h"
#include "lib/options.h"
#include "lib/tool.h"
#include "lib/tracker.h"
#include "lib/truth.h"

/* So many units are made between two looks at the network. */
#define UNITS_A_TURN	64
#define WAIT_MAX_NS		(NS_A_SECOND / 20)
/* How far a paced sender may fall behind before it stops catching up. */
#define BEHIND_MAX_S	0.02
/* After a signal, so long for what was already made. */
#define STOP_SECONDS	5.0

/* A tracker in the queue of those that have something to send. */
typedef struct Turn
{
	int64_t		due_us;
	uint32_t	tracker;
} Turn;

typedef struct Sim
{
	Options		options;
	Net			net;
	Tracker    *trackers;
	Turn	   *turns;			/* a heap: the first is due first */
	uint32_t	turn_count;
	Truth		truth;
	Progress	progress;
	int64_t		began_ns;		/* of sending; moved on when it falls behind a rate */
	uint64_t	paced;			/* records since then */
	uint64_t	reports;		/* given to the network, duplicates included */
	uint64_t	chunks;
	uint64_t	lost;
	uint64_t	duplicates;
	uint64_t	deltas;
	uint64_t	stored;
	uint64_t	commands;		/* heard; not requests for pieces of photos */
	uint64_t	answered;		/* of them */
	uint64_t	asked;			/* pieces of photos sent because asked for */
	uint64_t	photos;			/* sent to their end so */
} Sim;

/* Tells whose turn comes first. */
static bool
before(const Turn *a, const Turn *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->tracker < b->tracker;
}

/* Moves the first turn down to its place in the heap. */
static void
sift_down(Sim *sim, uint32_t at)
{
	Turn		moving = sim->turns[at];

	for (;;)
	{
		uint32_t	child = 2 * at + 1;

		if (child >= sim->turn_count)
			break;
		if (child + 1 < sim->turn_count && before(&sim->turns[child + 1], &sim->turns[child]))
			child++;
		if (!before(&sim->turns[child], &moving))
			break;
		sim->turns[at] = sim->turns[child];
		at = child;
	}
	sim->turns[at] = moving;
}

/* Makes the fleet, and the queue of what it is to send. */
static void
start_fleet(Sim *sim)
{
	const Options *o = &sim->options;

	sim->trackers = tool_alloc(NULL, o->trackers * sizeof(Tracker));
	sim->turns = tool_alloc(NULL, o->trackers * sizeof(Turn));
	for (uint32_t i = 0; i < o->trackers; i++)
	{
		Turn	   *turn = &sim->turns[sim->turn_count];
		char		ident[ENCODE_IDENT_MAX + 1];

		options_ident(o, i, ident);
		tracker_start(&sim->trackers[i], &o->behaviour, i, ident);
		sim->net.links[i].udp = sim->trackers[i].udp;
		turn->tracker = i;
		if (tracker_due(&sim->trackers[i], &o->behaviour, &turn->due_us))
			sim->turn_count++;
	}
	for (uint32_t i = sim->turn_count / 2; i-- > 0;)
		sift_down(sim, i);
}

/* Counts what an emission is made of. */
static void
count(Sim *sim, const Emission *e)
{
	for (uint32_t i = 0; i < e->count; i++)
	{
		const Sending *sending = e->sendings[i];

		sim->lost += sending->lost;
		sim->chunks += sending->chunk_size > 0;
		sim->duplicates += sending->duplicate;
		if (sending->lost || sending->chunk_size > 0)
			continue;
		sim->reports++;
		sim->stored += sending->report.stored;
	}
	sim->deltas += strstr(e->how, "delta") != NULL;
}

/* Gives the next unit to its link. */
static void
send_next(Sim *sim)
{
	Turn	   *turn = &sim->turns[0];
	Tracker    *tracker = &sim->trackers[turn->tracker];
	Link	   *link = &sim->net.links[turn->tracker];
	Emission	e;

	if (link->broke)
	{
		link->broke = false;
		tracker->fresh = true;
		tracker->connection++;
	}
	tracker_emit(tracker, &sim->options.behaviour, &e);
	truth_write(&sim->truth, tracker, &e);
	count(sim, &e);
	sim->paced += e.records;
	if (e.reconnect)
		link_close(&sim->net, link);
	if (e.size > 0)
	{
		link_add(&sim->net, link, e.bytes, e.size, e.records);
		if (link->udp || link_unfinished(link) >= sim->options.per_write)
			link_finish(&sim->net, link);
	}
	emission_done(&e);
	if (!tracker_due(tracker, &sim->options.behaviour, &turn->due_us))
	{
		link_finish(&sim->net, link);
		*turn = sim->turns[--sim->turn_count];
	}
	if (sim->turn_count > 0)
		sift_down(sim, 0);
}

/* Lets a tracker that has no connection now, or none soon, make another. */
static void
join_again(Sim *sim, size_t number)
{
	Link	   *link = &sim->net.links[number];
	uint8_t		bytes[ENCODE_RECORD_MAX];
	size_t		size = dialogue_name_again(&sim->trackers[number], &sim->options.behaviour, bytes);

	if (size == 0)
		return;
	/* Not counted as a record, for the truth does not have it. */
	link_add(&sim->net, link, bytes, size, 0);
	link_finish(&sim->net, link);
}

/* Does what a tracker does on a line of the server. */
static void
heard(void *context, size_t number, const char *line)
{
	Sim		   *sim = context;
	Link	   *link = &sim->net.links[number];
	Answer		answer;

	/* One whose connection is about to end hears no more, and one whose buffers
	 * are full says no more: the server does not read what it asks for. */
	if (link->state != LINK_OPEN || link_is_closing(link) || link_is_full(link))
		return;
	dialogue_hear(&sim->trackers[number], &sim->options.behaviour, line, &answer);
	link_finish(&sim->net, link);
	for (uint32_t i = 0; i < answer.times; i++)
	{
		link_add(&sim->net, link, answer.bytes, answer.size, !answer.command);
		link_finish(&sim->net, link);
	}
	sim->commands += answer.command;
	if (answer.command)
		sim->answered += answer.times;
	else
	{
		sim->chunks += answer.times;
		sim->asked += answer.times;
	}
	sim->photos += answer.photo_ended;
	if (answer.hang_up)
	{
		link_close(&sim->net, link);
		join_again(sim, number);
	}
}

/* Lets trackers whose connections broke make others, though nothing is due. */
static void
join_broken(Sim *sim)
{
	for (size_t i = 0; i < sim->net.count; i++)
	{
		Link	   *link = &sim->net.links[i];

		/* By UDP nobody notices. */
		if (!link->broke || link->udp)
			continue;
		link->broke = false;
		join_again(sim, i);
	}
}

/* Returns how long the next unit has to wait, in nanoseconds; 0: it may go out now. */
static int64_t
wait_for_next(Sim *sim)
{
	const Options *o = &sim->options;
	double		elapsed = (double) (tool_clock_ns() - sim->began_ns) / 1e9;
	double		wait = 0;

	switch (o->pace)
	{
		case PACE_FAST:
			break;
		case PACE_RATE:
			wait = (double) sim->paced / o->rate - elapsed;
			/* A burst to catch up would not be that rate. */
			if (wait < -BEHIND_MAX_S)
			{
				sim->began_ns += (int64_t) ((-BEHIND_MAX_S - wait) * 1e9);
				wait = 0;
			}
			break;
		case PACE_TIME:
			wait = (double) (sim->turns[0].due_us - o->behaviour.start_ms * 1000) / 1e6 /
				o->speedup - elapsed;
			break;
	}
	return wait > 0 ? (int64_t) (wait * 1e9) + 1 : 0;
}

/* Shows how far it is, when it is time to. */
static void
show_progress(Sim *sim)
{
	const Net  *net = &sim->net;
	double		seconds = progress_seconds(&sim->progress);
	double		total = (double) sim->options.behaviour.records * sim->options.trackers;
	char		troubles[NET_TROUBLES_MAX];
	/* Near enough: among what waits are copies and pieces of photos. */
	double		made = (double) (sim->reports - sim->duplicates + sim->lost) -
		(double) net->pending_records;

	if (progress_due(&sim->progress))
		progress_show(&sim->progress, "%.0f %% sent: %llu records, %.1f MB, %.0f/s, %zu connections%s",
					  made > 0 ? 100 * made / total : 0, (unsigned long long) net->records,
					  (double) net->bytes / 1e6, (double) net->records / seconds, net->open,
					  net_troubles(net, troubles));
}

/* Sends all, as fast as the pace and the network allow. */
static void
send_all(Sim *sim)
{
	sim->began_ns = tool_clock_ns();
	while (sim->turn_count > 0 && !tool_stopped)
	{
		int64_t		wait = 0;

		for (int i = 0; i < UNITS_A_TURN && sim->turn_count > 0; i++)
		{
			wait = wait_for_next(sim);
			if (wait > 0)
				break;
			if (link_is_full(&sim->net.links[sim->turns[0].tracker]))
			{
				wait = WAIT_MAX_NS;
				break;
			}
			send_next(sim);
		}
		net_turn(&sim->net, wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS);
		show_progress(sim);
		if (net_stuck(&sim->net, sim->options.give_up))
			return;
	}
}

/* Opens all connections; what cannot be opened is tried again later. */
static void
connect_all(Sim *sim)
{
	Net		   *net = &sim->net;

	net->moved_ns = tool_clock_ns();
	while (net->open < net->count && !tool_stopped &&
		   (double) (tool_clock_ns() - net->moved_ns) / 1e9 < sim->options.give_up)
	{
		for (size_t i = 0; i < net->count; i++)
			link_open(net, &net->links[i]);
		net_turn(net, WAIT_MAX_NS);
		show_progress(sim);
	}
}

/* Gives how long to wait for what does not move, in seconds. */
static double
patience(const Sim *sim)
{
	return tool_stopped && sim->options.give_up > STOP_SECONDS ? STOP_SECONDS : sim->options.give_up;
}

/* Waits for what is on its way. */
static void
send_pending(Sim *sim)
{
	while (sim->net.pending > 0 && !net_stuck(&sim->net, patience(sim)))
	{
		net_turn(&sim->net, WAIT_MAX_NS);
		show_progress(sim);
	}
}

/* Keeps the connections open for a while, to hear what the server says. */
static void
hold(Sim *sim)
{
	Net		   *net = &sim->net;
	int64_t		until = tool_clock_ns() + (int64_t) (sim->options.hold * 1e9);

	while (tool_clock_ns() < until && !tool_stopped)
	{
		net_turn(net, WAIT_MAX_NS);
		if (behaviour_listens(&sim->options.behaviour))
			join_broken(sim);
		show_progress(sim);
	}
	/* What is said from now on would keep it from ending. */
	net->heard = NULL;
	send_pending(sim);
}

/* Waits for what is on its way, then lets the connections end. */
static void
finish(Sim *sim)
{
	Net		   *net = &sim->net;

	for (size_t i = 0; i < net->count; i++)
		link_finish(net, &net->links[i]);
	send_pending(sim);
	hold(sim);
	if (net->pending > 0)
		return;
	for (size_t i = 0; i < net->count; i++)
	{
		if (net->links[i].state == LINK_OPEN)
			link_close(net, &net->links[i]);
	}
	while (net->ending > 0 && !net_stuck(net, patience(sim)))
		net_turn(net, WAIT_MAX_NS);
	net->unconfirmed += net->ending;
}

/* Says what was sent, and what was not. */
static int
summarize(Sim *sim, double seconds)
{
	Net		   *net = &sim->net;
	unsigned long long unsent = net->pending_records;
	bool		complete = unsent == 0 && sim->turn_count == 0;

	progress_end(&sim->progress);
	if (!sim->options.quiet)
	{
		fprintf(stderr, "sent: %llu records of %u trackers (%llu duplicates, %llu stored, %llu deltas), "
				"%llu pieces of photos; lost on purpose: %llu\n",
				(unsigned long long) sim->reports, sim->options.trackers,
				(unsigned long long) sim->duplicates, (unsigned long long) sim->stored,
				(unsigned long long) sim->deltas, (unsigned long long) sim->chunks,
				(unsigned long long) sim->lost);
		fprintf(stderr, "time: %.2f s, %.0f records/s, %llu bytes in %llu writes\n", seconds,
				seconds > 0 ? (double) (sim->reports + sim->chunks) / seconds : 0,
				(unsigned long long) net->bytes, (unsigned long long) net->writes);
		fprintf(stderr, "connections: %llu, refused %llu, broken %llu, given up %llu, not ended by the other side %llu\n",
				(unsigned long long) net->connections, (unsigned long long) net->refused,
				(unsigned long long) net->broken, (unsigned long long) net->stalled,
				(unsigned long long) net->unconfirmed);
		if (behaviour_listens(&sim->options.behaviour) || sim->commands > 0)
			fprintf(stderr, "commands heard: %llu, answered %llu; photo pieces sent when asked: %llu; "
					"photos sent to the end: %llu\n",
					(unsigned long long) sim->commands, (unsigned long long) sim->answered,
					(unsigned long long) sim->asked, (unsigned long long) sim->photos);
	}
	if (!complete)
		fprintf(stderr, "%s: not everything was sent: %s%llu records in the truth still waited%s%s\n",
				tool_name, sim->turn_count > 0 ? "some was never made; " : "", unsent,
				net->error ? "; the last error: " : "", net->error ? strerror(net->error) : "");
	if (net->unconfirmed > 0)
		fprintf(stderr, "%s: %llu connections were not ended by the other side: how much it has read is not known\n",
				tool_name, (unsigned long long) net->unconfirmed);
	return complete && net->unconfirmed == 0 ? STATUS_DONE : STATUS_UNSENT;
}

int
main(int argc, char **argv)
{
	static Sim	sim;
	int64_t		files;
	double		seconds;
	int			status;

	tool_name = "pt621-sim";
	options_read(&sim.options, argc, argv);
	files = tool_raise_files();
	if (files < (int64_t) sim.options.trackers + 16)
		tool_fail(STATUS_WRONG, "%u trackers need as many open files; the system allows %lld (ulimit -Hn)",
				  sim.options.trackers, (long long) files);
	tool_catch_signals();
	net_start(&sim.net, sim.options.host, sim.options.port, sim.options.trackers,
			  sim.options.stall);
	sim.net.heard = heard;
	sim.net.context = &sim;
	truth_open(&sim.truth, sim.options.truth, sim.options.photo_truth);
	start_fleet(&sim);
	progress_begin(&sim.progress, sim.options.quiet);
	if (sim.options.connect_first)
		connect_all(&sim);
	send_all(&sim);
	seconds = (double) (tool_clock_ns() - sim.began_ns) / 1e9;
	finish(&sim);
	if (sim.options.pace != PACE_RATE)
		seconds = (double) (sim.net.moved_ns - sim.began_ns) / 1e9;
	status = summarize(&sim, seconds);
	if (!truth_close(&sim.truth))
		status = STATUS_UNSENT;
	net_stop(&sim.net);
	return status;
}
