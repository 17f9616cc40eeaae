/*
 * garbage.c
 *		A flood of random bytes, over TCP connections that come back when they are
 *		closed, and in datagrams.
 *
 *	garbage PORT CONNECTIONS BYTES DATAGRAMS
 *
 * All connections together send BYTES a second, as far as they are taken, in
 * pieces of up to 1,000; beside them go DATAGRAMS a second of 1 to 300 bytes.
 * Both evenly.  Prints "ready", and when its standard input ends
 *
 *	SENT_BYTES SENT_DATAGRAMS RECONNECTS
 */
#include <poll.h>
#include <stdbool.h>

#include "peer.h"

/* Peers of this program begin here: none of them is a tracker's. */
#define FIRST_PEER		2000000
#define PIECE_MAX		1000
#define DATAGRAM_MAX	300
#define TICK_US			500

static uint64_t state = 88172645463325252u;
static uint8_t noise[1 << 20];
static int	port;
static uint64_t sent_bytes;
static uint64_t sent_datagrams;
static uint64_t reconnects;

/* Returns the next number of a xorshift sequence: every run is the same. */
static uint64_t
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Returns some random bytes. */
static const uint8_t *
some_noise(size_t size)
{
	return noise + next_random() % (sizeof(noise) - size);
}

/* Tells whether the other side has closed a connection, reading what it says. */
static bool
is_closed(int fd)
{
	uint8_t		buffer[4096];
	ssize_t		got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Sends a piece over a connection, which is opened anew when it was closed. */
static void
send_piece(int *fd, unsigned number)
{
	size_t		size = 1 + next_random() % PIECE_MAX;
	ssize_t		sent;

	if (*fd >= 0 && is_closed(*fd))
	{
		close(*fd);
		*fd = -1;
		reconnects++;
	}
	if (*fd < 0)
		*fd = connect_peer(FIRST_PEER + number, SOCK_STREAM | SOCK_NONBLOCK, port);
	if (*fd < 0)
		return;
	sent = send(*fd, some_noise(size), size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		sent_bytes += (uint64_t) sent;
}

static void
send_datagram(int fd)
{
	size_t		size = 1 + next_random() % DATAGRAM_MAX;

	if (send(fd, some_noise(size), size, MSG_DONTWAIT) > 0)
		sent_datagrams++;
}

static bool
is_over(void)
{
	struct pollfd input = {.fd = STDIN_FILENO,.events = POLLIN};
	char		byte;

	return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int
main(int argc, char **argv)
{
	unsigned	connections = argc == 5 ? (unsigned) atoi(argv[2]) : 0;
	double		bytes = argc == 5 ? atof(argv[3]) : 0;
	double		datagrams = argc == 5 ? atof(argv[4]) : 0;
	int		   *fds = calloc(connections + 1, sizeof(*fds));
	int64_t		start = now_us();
	double		pieces = bytes / ((1 + PIECE_MAX) / 2.0);
	uint64_t	piece = 0;
	uint64_t	datagram = 0;
	int			udp;

	if (connections < 1 || fds == NULL)
	{
		fprintf(stderr, "usage: garbage PORT CONNECTIONS BYTES DATAGRAMS\n");
		return 2;
	}
	port = atoi(argv[1]);
	raise_nofile();
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t) (next_random() >> 32);
	for (unsigned i = 0; i < connections; i++)
		fds[i] = -1;
	udp = connect_peer(FIRST_PEER + connections, SOCK_DGRAM, port);
	puts("ready");
	fflush(stdout);
	while (!is_over())
	{
		double		elapsed = (double) (now_us() - start) * 1e-6;

		for (; (double) piece < elapsed * pieces; piece++)
			send_piece(&fds[piece % connections], (unsigned) (piece % connections));
		for (; (double) datagram < elapsed * datagrams; datagram++)
			send_datagram(udp);
		sleep_until(now_us() + TICK_US);
	}
	printf("%llu %llu %llu\n", (unsigned long long) sent_bytes,
		   (unsigned long long) sent_datagrams, (unsigned long long) reconnects);
	return 0;
}
