/*
 * load.c
 *		A fleet of trackers: sends distinct records as fast as they are taken, or
 *		evenly paced.
 *
 *	load tcp|udp PORT TRACKERS SINCE
 *
 * Each tracker has a socket to PORT on 127.0.0.1.  Prints "ready" when all are
 * open, then obeys lines of its standard input, until that ends:
 *
 *	send FROM EACH PER_WRITE RATE STAMP
 *
 * Each tracker sends its records FROM .. FROM + EACH - 1, PER_WRITE at a time;
 * all of them together RATE records a second, or as fast as they are taken when
 * that is 0.  The answer is
 *
 *	sent RECORDS FIRST LAST LATE
 *
 * FIRST and LAST are when the first write began and the last one ended, in
 * microseconds since 1970; LATE is by how many microseconds the pace was missed
 * at worst.
 *
 * Record N of a tracker is always the same bytes, and its time is SINCE (seconds
 * since 1970) plus N seconds: sending a number again is a replay.  With STAMP 1
 * the field behind the status digits is the time at which the pace wanted the
 * record sent, so that being late counts against whoever caused it.
 */
#include <stdbool.h>
#include <sys/epoll.h>
#include <poll.h>

#include "peer.h"

#define FIRST_IDENT		1360000000	/* of tracker 0 */
#define RECORD_SIZE		112
#define STAMP_SIZE		16
/* How often a paced run looks what is due. */
#define TICK_US			250
/* A paced run over UDP that is later than this goes on from there: what was
 * missed would come as a burst that nobody asked for. */
#define LATE_US			1000
#define EVENTS			1024

typedef struct Tracker
{
	int			fd;
	const char *bytes;			/* what it sends in this run */
	size_t		sent;
	bool		is_waiting;		/* for the socket to take more */
} Tracker;

/* What a line of the input asks for. */
typedef struct Order
{
	unsigned	from;
	unsigned	each;
	unsigned	per_write;
	double		rate;
	int			stamp;
} Order;

/* What is answered. */
typedef struct Answer
{
	int64_t		first;
	int64_t		last;
	int64_t		late;
} Answer;

static Tracker *trackers;
static unsigned tracker_count;
static bool is_udp;
static time_t since;
static int	epoll;

/* ------------------------------------------------------------------------
 * Records
 * ------------------------------------------------------------------------ */

/* Writes a number with leading zeros; what does not fit is left out. */
static void
put_number(char *at, uint64_t value, int width)
{
	while (width-- > 0)
	{
		at[width] = (char) ('0' + value % 10);
		value /= 10;
	}
}

/*
 * Writes record n of a tracker.  Returns its size.
 *
 * stamp: microseconds since 1970, or 0 for none.
 */
static size_t
put_record(char *at, unsigned tracker, unsigned n, int64_t stamp)
{
	static const char pattern[] =
		"$POS,0000000000,000000.000,A,4800.0000,N,01100.0000,E,00.00,000.00,000000,,,A"
		"/00010,10000/142/100000000//f65//\r\n";
	time_t		time = since + n;
	struct tm	utc;

	_Static_assert(sizeof(pattern) - 1 == RECORD_SIZE, "size of a record");
	gmtime_r(&time, &utc);
	memcpy(at, pattern, RECORD_SIZE);
	put_number(at + 5, FIRST_IDENT + tracker, 10);
	put_number(at + 16, (uint64_t) (utc.tm_hour * 10000 + utc.tm_min * 100 + utc.tm_sec), 6);
	put_number(at + 31, tracker % 60, 2);
	put_number(at + 34, n * 7, 4);
	put_number(at + 44, tracker / 60 % 60, 2);
	put_number(at + 47, n * 11, 4);
	put_number(at + 54, n % 90, 2);
	put_number(at + 57, n, 2);
	put_number(at + 60, (n + tracker) % 360, 3);
	put_number(at + 64, n, 2);
	put_number(at + 67, (uint64_t) (utc.tm_mday * 10000 + (utc.tm_mon + 1) * 100 +
									utc.tm_year % 100), 6);
	put_number(at + 96, n, 6);
	if (stamp == 0)
		return RECORD_SIZE;
	put_number(at + RECORD_SIZE - 3, (uint64_t) stamp, STAMP_SIZE);
	memcpy(at + RECORD_SIZE - 3 + STAMP_SIZE, "/\r\n", 3);
	return RECORD_SIZE + STAMP_SIZE;
}

/* ------------------------------------------------------------------------
 * As fast as they are taken
 * ------------------------------------------------------------------------ */

/* Writes the next piece of a tracker; false when its socket takes no more. */
static bool
write_piece(Tracker *tracker, size_t piece)
{
	size_t		size = piece - tracker->sent % piece;
	ssize_t		written = send(tracker->fd, tracker->bytes + tracker->sent, size, MSG_NOSIGNAL);

	if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		fail("send");
	if (written > 0)
		tracker->sent += (size_t) written;
	return written >= 0;
}

/* Marks those that can send again; waits for one when none else can. */
static void
take_events(unsigned *ready, unsigned *ready_count)
{
	struct epoll_event events[EVENTS];
	int			count = epoll_wait(epoll, events, EVENTS, *ready_count > 0 ? 0 : -1);

	if (count < 0 && errno != EINTR)
		fail("epoll_wait");
	for (int i = 0; i < count; i++)
	{
		Tracker    *tracker = &trackers[events[i].data.u32];

		if (events[i].events & (EPOLLERR | EPOLLHUP))
		{
			errno = ECONNRESET;
			fail("tracker");
		}
		if (tracker->is_waiting)
			ready[(*ready_count)++] = events[i].data.u32;
		tracker->is_waiting = false;
	}
}

/* Sends all, taking turns; the bytes are made before the clock starts. */
static void
send_all(const Order *order, Answer *answer)
{
	size_t		size = (size_t) order->each * RECORD_SIZE;
	char	   *bytes = malloc(size * tracker_count);
	unsigned   *ready = malloc(tracker_count * sizeof(*ready));
	unsigned	ready_count = tracker_count;
	unsigned	left = tracker_count;

	if (bytes == NULL || ready == NULL)
		fail("malloc");
	for (unsigned i = 0; i < tracker_count; i++)
	{
		trackers[i].bytes = bytes + size * i;
		trackers[i].sent = 0;
		trackers[i].is_waiting = false;
		ready[i] = i;
		for (unsigned n = 0; n < order->each; n++)
			put_record(bytes + size * i + (size_t) n * RECORD_SIZE, i, order->from + n, 0);
	}

	answer->first = now_us();
	while (left > 0)
	{
		unsigned	kept = 0;

		for (unsigned i = 0; i < ready_count; i++)
		{
			Tracker    *tracker = &trackers[ready[i]];

			tracker->is_waiting = !write_piece(tracker, (size_t) order->per_write * RECORD_SIZE);
			if (tracker->sent == size)
				left--;
			else if (!tracker->is_waiting)
				ready[kept++] = ready[i];
		}
		ready_count = kept;
		if (left > 0)
			take_events(ready, &ready_count);
	}
	answer->last = now_us();
	free(bytes);
	free(ready);
}

/* ------------------------------------------------------------------------
 * Evenly paced
 * ------------------------------------------------------------------------ */

/* Sends some records of one tracker, waiting until its socket takes them. */
static void
send_some(unsigned tracker, unsigned from, unsigned count, int64_t stamp)
{
	char		bytes[16 * (RECORD_SIZE + STAMP_SIZE)];
	size_t		size = 0;
	size_t		sent = 0;

	for (unsigned n = 0; n < count; n++)
		size += put_record(bytes + size, tracker, from + n, stamp);
	while (sent < size)
	{
		struct pollfd wait = {.fd = trackers[tracker].fd,.events = POLLOUT};
		ssize_t		written = send(wait.fd, bytes + sent, size - sent, MSG_NOSIGNAL);

		if (written >= 0)
			sent += (size_t) written;
		else if (errno != EAGAIN && errno != EWOULDBLOCK)
			fail("send");
		else
			poll(&wait, 1, -1);
	}
}

/* Sends all at the pace of the order, one tracker after the other. */
static void
send_paced(const Order *order, Answer *answer)
{
	int64_t		start = now_us();
	uint64_t	writes = (uint64_t) tracker_count * (order->each / order->per_write);

	answer->first = start;
	for (uint64_t i = 0; i < writes;)
	{
		int64_t		now = now_us();
		int64_t		due = start + (int64_t) ((double) (i * order->per_write) * 1e6 / order->rate);

		if (due > now)
		{
			sleep_until(due > now + TICK_US ? due : now + TICK_US);
			continue;
		}
		if (answer->late < now - due)
			answer->late = now - due;
		if (is_udp && now - due > LATE_US)
		{
			start += now - due;
			due = now;
		}
		send_some((unsigned) (i % tracker_count),
				  order->from + (unsigned) (i / tracker_count) * order->per_write,
				  order->per_write, order->stamp ? due : 0);
		i++;
	}
	answer->last = now_us();
}

/* ------------------------------------------------------------------------ */

/* Opens the sockets of all trackers. */
static void
connect_all(int port)
{
	raise_nofile();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	trackers = calloc(tracker_count, sizeof(*trackers));
	if (epoll < 0 || trackers == NULL)
		fail("epoll_create1");
	for (unsigned i = 0; i < tracker_count; i++)
	{
		struct epoll_event event = {.events = EPOLLOUT | EPOLLET,.data.u32 = i};
		int			fd = connect_peer(i, is_udp ? SOCK_DGRAM : SOCK_STREAM, port);

		if (fd < 0)
			fail("connect");
		if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
			fail("epoll_ctl");
		trackers[i].fd = fd;
	}
}

/*
 * Chooses whether a small write waits for the answer to the one before it.
 *
 * In a paced run none does.  As fast as they are taken they may, which is what
 * sockets do unless told otherwise: a segment for each record would cost the
 * sender more than the listener needs to store it, and be what is measured.
 */
static void
set_nodelay(int nodelay)
{
	for (unsigned i = 0; i < tracker_count && !is_udp; i++)
	{
		if (setsockopt(trackers[i].fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay)) != 0)
			fail("TCP_NODELAY");
	}
}

static void
obey(const Order *order)
{
	Answer		answer = {0};

	set_nodelay(order->rate > 0);
	if (order->rate > 0)
		send_paced(order, &answer);
	else
		send_all(order, &answer);
	printf("sent %llu %lld %lld %lld\n", (unsigned long long) tracker_count * order->each,
		   (long long) answer.first, (long long) answer.last, (long long) answer.late);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char		line[256];

	if (argc != 5 || (strcmp(argv[1], "tcp") != 0 && strcmp(argv[1], "udp") != 0) ||
		atoi(argv[3]) < 1)
	{
		fprintf(stderr, "usage: load tcp|udp PORT TRACKERS SINCE\n");
		return 2;
	}
	is_udp = strcmp(argv[1], "udp") == 0;
	tracker_count = (unsigned) atoi(argv[3]);
	since = (time_t) atoll(argv[4]);
	connect_all(atoi(argv[2]));
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
	{
		Order		order;

		if (sscanf(line, "send %u %u %u %lf %d", &order.from, &order.each, &order.per_write,
				   &order.rate, &order.stamp) != 5 ||
			order.per_write < 1 || order.per_write > 16 || order.each % order.per_write != 0 ||
			(is_udp && order.per_write > 1))
		{
			fprintf(stderr, "load: not understood: %s", line);
			return 2;
		}
		obey(&order);
	}
	return 0;
}
