/*
 * peer.h
 *		What the programs that play trackers share: sockets and time.
 *
 * Invariant.  Every peer has an address of its own in 127.0.0.0/8, as trackers
 * have: limits per address concern none of them, and ports never run out.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Says what failed, and ends. */
static inline void
fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Returns the microseconds since 1970. */
static inline int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Sleeps until a time in microseconds since 1970. */
static inline void
sleep_until(int64_t at)
{
	struct timespec when = {.tv_sec = at / 1000000,.tv_nsec = at % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &when, NULL) == EINTR)
		continue;
}

/* Lets this process open as many files as it may. */
static inline void
raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("setrlimit");
}

/* Returns an address of the loopback. */
static inline struct sockaddr_in
loopback(uint32_t host, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons((uint16_t) port)};

	address.sin_addr.s_addr = htonl(host);
	return address;
}

/*
 * Returns a socket from an address of its own to a port of 127.0.0.1, or -1.
 *
 * number: of the peer, below 2^22.  type: SOCK_STREAM or SOCK_DGRAM, with
 * SOCK_NONBLOCK when the connection shall not be waited for.
 */
static inline int
connect_peer(uint32_t number, int type, int port)
{
	struct sockaddr_in from = loopback(0x7F400001 + number, 0);
	struct sockaddr_in to = loopback(INADDR_LOOPBACK, port);
	int			one = 1;
	int			fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) != 0 ||
		bind(fd, (struct sockaddr *) &from, sizeof(from)) != 0)
		fail("bind");
	/* Which every kernel has: with some others (bbr) the sender paces itself, by
	 * timers that cost more than the bytes. */
	if ((type & SOCK_STREAM) == SOCK_STREAM &&
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) != 0)
		fail("TCP_CONGESTION");
	if (connect(fd, (struct sockaddr *) &to, sizeof(to)) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

#endif							/* BENCH_PEER_H */
