/*
 * test_net.c
 *	  The network module against real sockets on the loopback.
 *
 * Invariant: every check runs on 127.0.0.1 and, where there is one, on ::1, on
 * ports the kernel chooses, and touches no other address.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>

#include "net_harness.h"

static void
test_connection(void)
{
	static Owner owner;
	NetListenOptions options = {false, 65536, 0};
	int			port = start(&owner, &options);
	int			fd = client(SOCK_STREAM, port);
	int			end;
	struct sockaddr_storage mine;
	socklen_t	size = sizeof(mine);

	ok(port > 0, "the chosen port is returned");
	PUMP_UNTIL(&owner, owner.opened == 1);
	is_int(owner.opened, 1, "a connection is accepted");
	is_int((long long) owner.open_seen, 1, "and counted inside opened");

	memset(&mine, 0, sizeof(mine));
	getsockname(fd, (struct sockaddr *) &mine, &size);
	ok(memcmp(&mine, &owner.peers[0].addr, size) == 0, "the peer's address and port are handed over");

	end = other_end(fd);
	is_int(option(end, SOL_SOCKET, SO_KEEPALIVE), 1, "the connection has keepalive");
	is_int(option(end, IPPROTO_TCP, TCP_KEEPIDLE), 60, "after a minute");
	is_int(option(end, IPPROTO_TCP, TCP_KEEPINTVL), 30, "patient keepalive");
	is_int(option(end, IPPROTO_TCP, TCP_NODELAY), 1, "no delay");
	is_int(option(end, SOL_SOCKET, SO_RCVBUF), 65536, "the receive buffer asked for");
	ok((fcntl(end, F_GETFD) & FD_CLOEXEC) != 0, "and is closed on exec");

	say(fd, "hello");
	PUMP_UNTIL(&owner, owner.peers[0].size == 5);
	ok(owner.peers[0].size == 5 && memcmp(owner.peers[0].got, "hello", 5) == 0, "bytes arrive");
	is_int(net_server_timeout_ms(owner.server), -1, "nothing to do: no timeout");
	ok(!net_server_turn(owner.server), "nothing to do: a turn says so");

	/* An urgent byte stays in the stream. */
	send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL);
	say(fd, "?bye");
	close(fd);
	PUMP_UNTIL(&owner, owner.peers[0].closed > 0);
	ok(owner.peers[0].size == 10 && memcmp(owner.peers[0].got, "hello!?bye", 10) == 0,
	   "bytes before the end arrive before the close");
	is_int(owner.peers[0].reason, NET_CLOSED_BY_PEER, "closed by the peer");
	is_int(owner.peers[0].error, 0, "without an error");
	is_int((long long) net_server_connections(owner.server), 0, "no connection is left");
	finish(&owner, "connection");
}

static void
test_reset(void)
{
	static Owner owner;
	struct linger hard = {1, 0};
	int			fd = client(SOCK_STREAM, start(&owner, NULL));

	PUMP_UNTIL(&owner, owner.opened == 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	PUMP_UNTIL(&owner, owner.peers[0].closed > 0);
	is_int(owner.peers[0].reason, NET_CLOSED_BY_ERROR, "a reset is an error");
	is_int(owner.peers[0].error, -ECONNRESET, "and says which");
	finish(&owner, "reset");
}

static void
test_stream(void)
{
	static Owner owner;
	int			fd = client(SOCK_STREAM, start(&owner, NULL));
	size_t		total = 200 * 1024;
	size_t		sent = 0;

	PUMP_UNTIL(&owner, (send_pattern(fd, &sent, total), owner.opened == 1 &&
						owner.peers[0].size >= total));
	is_int((long long) owner.peers[0].size, (long long) total, "200 kB arrive");
	ok(is_pattern(owner.peers[0].got, owner.peers[0].size),
	   "intact and in order, with the headroom overwritten each time");
	ok(owner.peers[0].largest <= NET_READ_SIZE, "no read is larger than promised");
	close(fd);
	finish(&owner, "stream");
}

static void
test_back_pressure(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	int			fd = client(SOCK_STREAM, port);
	int			udp = client(SOCK_DGRAM, port);
	size_t		total = 300 * 1024;
	size_t		sent = 0;
	int			reads;
	bool		worked = false;

	PUMP_UNTIL(&owner, owner.opened == 1);
	owner.limit = 0;
	send_gram(udp, 100);
	PUMP_UNTIL(&owner, (send_pattern(fd, &sent, total), net_server_unread(owner.server) > 16384));
	ok(net_server_unread(owner.server) > 16384, "unread bytes are counted");
	owner.asked = 0;
	for (int i = 0; i < 20; i++)
		worked = net_server_turn(owner.server) || worked;
	ok(!worked, "turns without room do nothing");
	ok(owner.asked >= 40, "though room was asked for both protocols");
	is_int((long long) owner.peers[0].size, 0, "nothing is delivered");
	is_int(owner.ngrams, 0, "no datagram either");
	is_int(owner.peers[0].closed, 0, "the connection lives");

	owner.limit = NET_READ_SIZE;
	PUMP_UNTIL(&owner, (send_pattern(fd, &sent, total), owner.peers[0].size >= total &&
						owner.ngrams == 1));
	is_int((long long) owner.peers[0].size, (long long) total, "with room again everything arrives");
	ok(is_pattern(owner.peers[0].got, owner.peers[0].size), "intact");
	is_int(owner.ngrams, 1, "the datagram too, with room for just one");
	is_int(owner.bad_grams, 0, "intact");

	/* The end of a stream waits behind its bytes. */
	owner.limit = 0;
	reads = owner.peers[0].reads;
	say(fd, "end");
	close(fd);
	PUMP_UNTIL(&owner, net_server_unread(owner.server) >= 3);
	for (int i = 0; i < 20; i++)
		(void) net_server_turn(owner.server);
	ok(owner.peers[0].reads == reads && owner.peers[0].closed == 0,
	   "without room the end is not told before the bytes");
	owner.limit = SIZE_MAX;
	PUMP_UNTIL(&owner, owner.peers[0].closed > 0);
	is_int((long long) owner.peers[0].size, (long long) total + 3, "then both are");
	close(udp);
	finish(&owner, "back-pressure");
}

static void
test_datagrams(void)
{
	static Owner owner;
	static const size_t sizes[] = {0, 1, 65507, 0, 110, 1024, 65507};
	int			count = sizeof(sizes) / sizeof(sizes[0]);
	int			port = start(&owner, NULL);
	int			udp = client(SOCK_DGRAM, port);
	struct sockaddr_storage mine;
	socklen_t	size = sizeof(mine);
	bool		same = true;

	for (int i = 0; i < count; i++)
		send_gram(udp, sizes[i]);
	PUMP_UNTIL(&owner, owner.ngrams >= count);
	is_int(owner.ngrams, count, "datagrams arrive");
	for (int i = 0; i < count; i++)
		same = same && owner.grams[i] == sizes[i];
	ok(same, "of every size, empty and largest included, in order");
	is_int(owner.bad_grams, 0, "intact and whole");
	memset(&mine, 0, sizeof(mine));
	getsockname(udp, (struct sockaddr *) &mine, &size);
	ok(memcmp(&mine, &owner.gram_peer, size) == 0, "with the sender's address");

	for (int i = 0; i < 100; i++)
		send_gram(udp, 64);
	PUMP_UNTIL(&owner, owner.ngrams >= count + 100);
	is_int(owner.ngrams, count + 100, "a hundred at once arrive");
	is_int((long long) net_server_udp_dropped(owner.server), 0, "none was dropped");

	/* More than any buffer granted holds: each is received or counted as dropped. */
	owner.limit = 0;
	owner.ngrams = 0;
	for (int i = 0; i < 400; i++)
		send_gram(udp, 60000);
	ok(net_server_udp_receive_buffer(owner.server) > 0, "the buffer granted is known (%d)",
	   net_server_udp_receive_buffer(owner.server));
	ok(net_server_udp_dropped(owner.server) > 0, "what does not fit is counted as dropped");
	owner.limit = SIZE_MAX;
	PUMP_UNTIL(&owner, owner.ngrams + (int) net_server_udp_dropped(owner.server) >= 400);
	is_int(owner.ngrams + (long long) net_server_udp_dropped(owner.server), 400,
		   "received and dropped add up");
	is_int(owner.bad_grams, 0, "those received are intact");
	close(udp);
	finish(&owner, "datagrams");
}

static void
test_datagram_back(void)
{
	static Owner owner;
	int			udp;
	uint8_t		answer[256];
	ssize_t		size;

	udp = client(SOCK_DGRAM, start(&owner, NULL));
	owner.on_bytes = ECHO;
	send_gram(udp, 110);
	PUMP_UNTIL(&owner, owner.ngrams >= 1);
	is_int(owner.answered, 1, "a datagram is answered");
	size = recv(udp, answer, sizeof(answer), 0);
	ok(size == 110 && is_pattern(answer, (size_t) size), "by the socket that it came to");
	close(udp);
	finish(&owner, "datagrams back");
}

static void
test_close_in_handlers(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	size_t		sent = 0;
	int			a;
	int			b;
	char		byte;

	/* The connection that brings the bytes, with more of them in the kernel. */
	owner.on_bytes = CLOSE_SELF;
	owner.limit = 0;
	a = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, (send_pattern(a, &sent, 150 * 1024), net_server_unread(owner.server) > NET_READ_SIZE));
	owner.limit = SIZE_MAX;
	PUMP_UNTIL(&owner, owner.peers[0].closed > 0);
	is_int(owner.peers[0].reads, 1, "closed in its first read it gets no other");
	is_int(owner.peers[0].reason, NET_CLOSED_BY_US, "closed by us");
	is_int((long long) net_server_connections(owner.server), 0, "and not counted");
	close(a);

	/* Another one whose bytes are ready in the same turn. */
	owner.on_bytes = CLOSE_OTHERS;
	owner.limit = 0;
	a = client(SOCK_STREAM, port);
	b = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 3);
	say(a, "x");
	say(b, "y");
	PUMP_UNTIL(&owner, net_server_unread(owner.server) == 2);
	owner.limit = SIZE_MAX;
	PUMP_UNTIL(&owner, owner.peers[1].closed + owner.peers[2].closed > 0);
	is_int(owner.peers[1].reads + owner.peers[2].reads, 1, "one that was closed by another gets no read");
	is_int(owner.peers[1].closed + owner.peers[2].closed, 1, "the other one lives");
	close(a);
	close(b);
	PUMP_UNTIL(&owner, owner.peers[1].closed + owner.peers[2].closed == 2);

	owner.on_opened = CLOSE_AND_TAKE;
	a = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 4 && owner.peers[3].closed > 0);
	is_int(owner.peers[3].reason, NET_CLOSED_BY_US, "closed while it is opened");
	close(a);

	for (int i = 0; i < 2; i++)
	{
		struct pollfd wait;

		owner.on_opened = i == 0 ? REFUSE : CLOSE_AND_REFUSE;
		a = client(SOCK_STREAM, port);
		PUMP_UNTIL(&owner, owner.refused == i + 1);
		wait = (struct pollfd) {a, POLLIN, 0};
		(void) poll(&wait, 1, WAIT_MS);
		is_int(recv(a, &byte, 1, 0), 0, "a refused client sees the end (%d)", i);
		close(a);
	}
	is_int(owner.opened, 4, "and has no handle");
	PUMP_UNTIL(&owner, net_server_timeout_ms(owner.server) != 0);

	/* With bytes of two ready, a nested turn would hand over the second's. */
	owner.on_opened = TAKE;
	owner.on_bytes = TURN;
	owner.limit = 0;
	a = client(SOCK_STREAM, port);
	b = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 6);
	say(a, "x");
	say(b, "y");
	PUMP_UNTIL(&owner, net_server_unread(owner.server) == 2);
	owner.limit = SIZE_MAX;
	PUMP_UNTIL(&owner, owner.peers[4].size + owner.peers[5].size == 2);
	ok(!owner.nested, "a turn inside a turn does nothing");
	close(a);
	close(b);
	finish(&owner, "close in handlers");
}

static void
test_free_open(void)
{
	static Owner owner;
	static uint8_t filler[NET_WRITE_QUEUE];
	int			port = start(&owner, NULL);
	int			fds[6];
	int			by_us = 0;

	for (int i = 0; i < 6; i++)
		fds[i] = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 6);
	is_int((long long) net_server_connections(owner.server), 6, "six connections");
	while (net_conn_write(owner.peers[1].conn, filler, sizeof(filler) / 2))
		;
	owner.limit = 0;
	say(fds[2], "unread");
	owner.peers[3].asked_close = true;
	net_conn_close(owner.peers[3].conn);
	is_int(owner.peers[3].closed, 0, "closed is not called from within net_conn_close");
	is_int(net_server_timeout_ms(owner.server), 0, "but at once in the next turn");
	finish(&owner, "free with open connections");
	for (int i = 0; i < 6; i++)
	{
		by_us += owner.peers[i].reason == NET_CLOSED_BY_US && owner.peers[i].error == 0;
		close(fds[i]);
	}
	is_int(by_us, 6, "all of them by us");
}

static void
test_port_in_use(void)
{
	static Owner owner;
	NetListenOptions shared = {true, 0, 0};
	NetServer  *second;
	char		error[256] = "";
	char		expected[256];
	const char *format = family == AF_INET6 ? "could not bind %s address [::1]:%d: Address already in use"
		: "could not bind %s address 127.0.0.1:%d: Address already in use";
	int			port = start(&owner, NULL);
	int			same = port;
	struct sockaddr_storage addr = loopback(port);
	int			thief = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int			on = 1;
	int			fd;

	setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ok(bind(thief, (struct sockaddr *) &addr, addr_size((struct sockaddr *) &addr)) < 0 &&
	   errno == EADDRINUSE, "nobody else binds our UDP port with SO_REUSEADDR");
	close(thief);

	second = net_server_new(&handlers, &owner, 0, error, sizeof(error));
	is_int(net_server_timeout_ms(second), -1, "a server that does not listen has nothing to do");
	ok(!listen_on(second, &same, NULL, error, sizeof(error)), "a port in use is refused");
	snprintf(expected, sizeof(expected), format, "TCP", port);
	is_str(error, expected, "with address and reason");
	ok(!listen_on(second, &same, &shared, error, sizeof(error)), "also to one that would share it");
	finish(&owner, "port in use");

	/* UDP alone is taken: TCP must not stay bound. */
	thief = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ok(bind(thief, (struct sockaddr *) &addr, addr_size((struct sockaddr *) &addr)) == 0,
	   "free again after net_server_free");
	ok(!listen_on(second, &same, NULL, error, sizeof(error)), "a UDP port in use is refused");
	snprintf(expected, sizeof(expected), format, "UDP", port);
	is_str(error, expected, "and named");
	fd = client(SOCK_STREAM, port);
	is_int(connect_result(fd), ECONNREFUSED, "then TCP does not listen either");
	close(fd);
	close(thief);

	ok(listen_on(second, &same, &shared, error, sizeof(error)), "the same server can try again");
	ok(listen_on(second, &same, &shared, error, sizeof(error)), "and share the port when both agree");
	is_int(same, port, "on the port asked for");
	net_server_free(second);

	second = net_server_new(&handlers, &owner, 0, error, sizeof(error));
	addr.ss_family = AF_UNIX;
	ok(!net_server_listen(second, (struct sockaddr *) &addr, sizeof(addr), NULL, NULL, error, sizeof(error)),
	   "another kind of address is refused: %s", error);
	addr.ss_family = (sa_family_t) family;
	ok(!net_server_listen(second, (struct sockaddr *) &addr, 4, NULL, NULL, error, sizeof(error)),
	   "and one cut short");
	net_server_free(second);
	net_server_free(NULL);
}

static void
test_write(void)
{
	static Owner owner;
	static uint8_t block[30000];	/* large enough for the kernel to take a part of one */
	static uint8_t large[NET_WRITE_QUEUE + 1];
	struct linger hard = {1, 0};
	int			port = start(&owner, NULL);
	int			fd = client(SOCK_STREAM, port);
	size_t		accepted = 0;
	size_t		back = 0;
	uint8_t		got[16];
	ssize_t		size;
	bool		intact = true;

	owner.on_opened = GREET;
	owner.on_bytes = ECHO;
	say(fd, "ping");
	PUMP_UNTIL(&owner, ((size = recv(fd, got + back, sizeof(got) - back, 0)) > 0 &&
						(back += (size_t) size) >= 6));
	ok(back == 6 && memcmp(got, "hiping", 6) == 0, "writes from opened and bytes come back in order");
	ok(net_conn_write(owner.peers[0].conn, NULL, 0), "an empty write is nothing");
	ok(!net_conn_write(owner.peers[0].conn, large, sizeof(large)), "one above the queue's size is refused");

	/* The peer does not read: the queue fills, and stays as it is through turns. */
	for (int i = 0; i < 200; i++)
	{
		do
		{
			for (size_t at = 0; at < sizeof(block); at++)
				block[at] = pattern(accepted + at);
		} while (net_conn_write(owner.peers[0].conn, block, sizeof(block)) && (accepted += sizeof(block)));
		(void) net_server_turn(owner.server);
	}
	ok(!net_conn_write(owner.peers[0].conn, block, sizeof(block)), "a full queue refuses (%zu bytes taken)", accepted);
	is_int(owner.peers[0].closed, 0, "and the connection lives");

	back = 0;
	PUMP_UNTIL(&owner, (receive_pattern(fd, &back, &intact), back >= accepted));
	is_int((long long) back, (long long) accepted, "when the peer reads, all that was taken arrives");
	ok(intact, "intact, nothing of what was refused");

	/* A reset with writes queued and no room to read it: the write finds out. */
	while (net_conn_write(owner.peers[0].conn, block, sizeof(block)))
		;
	owner.limit = 0;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	PUMP_UNTIL(&owner, owner.peers[0].closed > 0);
	is_int(owner.peers[0].reason, NET_CLOSED_BY_ERROR, "a reset with writes queued is an error");

	owner.limit = SIZE_MAX;

	/* A broken connection found by writing, before any turn. */
	owner.on_opened = TAKE;
	fd = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 2);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	ok(!net_conn_write(owner.peers[1].conn, block, sizeof(block)), "a write finds the connection broken");
	PUMP_UNTIL(&owner, owner.peers[1].closed > 0);
	is_int(owner.peers[1].reason, NET_CLOSED_BY_ERROR, "and closed follows");
	finish(&owner, "write");
}

static void
test_stop_accepting(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	int			fd = client(SOCK_STREAM, port);
	int			late;
	int			udp = client(SOCK_DGRAM, port);

	PUMP_UNTIL(&owner, owner.opened == 1);
	owner.on_bytes = STOP_ACCEPTING;
	say(fd, "stop");
	PUMP_UNTIL(&owner, owner.peers[0].size == 4);
	late = client(SOCK_STREAM, port);
	is_int(connect_result(late), ECONNREFUSED, "after the stop nobody is accepted");
	say(fd, "more");
	send_gram(udp, 10);
	PUMP_UNTIL(&owner, owner.peers[0].size == 8 && owner.ngrams == 1);
	is_int((long long) owner.peers[0].size, 8, "connections go on");
	is_int(owner.ngrams, 1, "datagrams too");
	close(late);
	close(fd);
	close(udp);
	finish(&owner, "stop accepting");

	/* From within opened, with a second client in the backlog. */
	port = start(&owner, NULL);
	owner.on_opened = TAKE_AND_STOP;
	fd = client(SOCK_STREAM, port);
	late = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 1);
	for (int i = 0; i < 10; i++)
		(void) net_server_turn(owner.server);
	is_int(owner.opened, 1, "stopped inside opened, the next in the backlog is not accepted");
	close(fd);
	close(late);
	finish(&owner, "stop inside opened");
}

static void
test_drain(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	int			busy = client(SOCK_STREAM, port);
	int			idle = client(SOCK_STREAM, port);
	int			udp = client(SOCK_DGRAM, port);
	int			waiting;
	int			late;
	size_t		held;
	size_t		sent = 0;

	PUMP_UNTIL(&owner, owner.opened == 2);
	owner.limit = 0;
	PUMP_UNTIL(&owner, (send_pattern(busy, &sent, 100 * 1024), net_server_unread(owner.server) > 16384));
	send_gram(udp, 100);
	waiting = client(SOCK_STREAM, port);
	is_int(connect_result(waiting), 0, "a client waits in the backlog");
	say(waiting, "wait");
	held = net_server_unread(owner.server);
	ok(!net_server_drained(owner.server), "not drained before it begins");
	net_server_drain(owner.server);
	ok(!net_server_drained(owner.server), "nor when it begins");

	/* One that never stops sending must not keep it going. */
	owner.limit = SIZE_MAX;
	sent = 0;
	PUMP_UNTIL(&owner, (send_pattern(busy, &sent, SIZE_MAX), net_server_drained(owner.server)));
	ok(net_server_drained(owner.server), "drained, though one goes on sending");
	is_int((long long) net_server_owed(owner.server), 0, "nothing is owed");
	ok(owner.peers[0].size + owner.peers[1].size >= held, "all that was there was read");
	is_int(owner.ngrams, 1, "the datagram too");
	is_int(owner.opened, 3, "who waited was accepted");
	is_int((long long) owner.peers[2].size, 4, "and read");
	late = client(SOCK_STREAM, port);
	is_int(connect_result(late), ECONNREFUSED, "who comes later is not");
	close(busy);
	close(idle);
	close(udp);
	close(waiting);
	close(late);
	finish(&owner, "drain");
}

/*
 * Draining ends also where libuv has not met the end of what a UDP socket holds:
 * it stops after a number of datagrams, and the owner reads some without it.
 */
static void
test_drain_datagrams(void)
{
	for (int self = 0; self < 2; self++)
	{
		static Owner owner;
		int			port = start(&owner, NULL);
		int			udp = client(SOCK_DGRAM, port);
		int			most = 4 * NET_DATAGRAM_SLOTS;

		for (int i = 0; i < most; i++)
			send_gram(udp, 100);
		/* All that there is room for, and then there is none to look for more. */
		owner.grams_max = self ? most : 0;
		net_server_drain(owner.server);
		if (self)
			ok(net_server_read_datagrams(owner.server), "the owner reads datagrams while draining");
		owner.grams_max = 0;
		PUMP_UNTIL(&owner, net_server_drained(owner.server));
		ok(net_server_drained(owner.server), "drained, %s", self ? "when they were read" : "of datagrams in full reads");
		is_int((long long) net_server_owed(owner.server), 0, "nothing is owed");
		is_int(owner.ngrams, most, "every datagram came, once");
		close(udp);
		finish(&owner, "drain of datagrams");
	}
}

/* A pause does not hold up draining, whether it was before or comes then. */
static void
test_drain_paused(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	int			before = client(SOCK_STREAM, port);
	int			while_draining;

	PUMP_UNTIL(&owner, owner.opened == 1);
	while_draining = client(SOCK_STREAM, port);
	PUMP_UNTIL(&owner, owner.opened == 2);
	net_conn_pause(owner.peers[0].conn, true);
	say(before, "before");
	for (int i = 0; i < 10; i++)
		step(&owner);
	is_int((long long) owner.peers[0].size, 0, "a paused connection is not read");
	say(while_draining, "while draining");
	net_server_drain(owner.server);
	net_conn_pause(owner.peers[1].conn, true);
	PUMP_UNTIL(&owner, net_server_drained(owner.server));
	ok(net_server_drained(owner.server), "drained in spite of a pause");
	is_int((long long) owner.peers[0].size, 6, "of a pause before");
	is_int((long long) owner.peers[1].size, 14, "and of one while draining");
	close(before);
	close(while_draining);
	finish(&owner, "drain of paused connections");
}

/* What came before a reset is handed over, and then the connection ends. */
static void
test_finish_reset(void)
{
	for (int paused = 0; paused < 2; paused++)
	{
		static Owner owner;
		int			port = start(&owner, NULL);
		int			fd = client(SOCK_STREAM, port);
		struct linger hard = {1, 0};
		int			end;

		PUMP_UNTIL(&owner, owner.opened == 1);
		net_conn_pause(owner.peers[0].conn, paused);
		end = other_end(fd);
		say(fd, "last words");
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		(void) poll(&(struct pollfd) {end, POLLRDHUP, 0}, 1, WAIT_MS);
		net_conn_finish(owner.peers[0].conn);
		PUMP_UNTIL(&owner, owner.peers[0].closed);
		is_int(owner.peers[0].closed, 1, "finishing one that the peer has reset ends it");
		is_int((long long) owner.peers[0].size, 10, "and what it had sent comes before");
		finish(&owner, "finish of a reset connection");
	}
}

/* One that never stops sending is read as far as it had come, and then ends. */
static void
test_finish_busy(void)
{
	static Owner owner;
	int			port = start(&owner, NULL);
	int			fd = client(SOCK_STREAM, port);
	size_t		sent = 0;
	size_t		held;
	int			turns = 0;

	PUMP_UNTIL(&owner, owner.opened == 1);
	owner.limit = 0;
	PUMP_UNTIL(&owner, (send_pattern(fd, &sent, 100 * 1024), net_server_unread(owner.server) > 16384));
	held = net_server_unread(owner.server);
	net_conn_finish(owner.peers[0].conn);
	owner.limit = SIZE_MAX;
	while (!owner.peers[0].closed && turns++ < 1000)
	{
		send_pattern(fd, &sent, SIZE_MAX);
		step(&owner);
	}
	is_int(owner.peers[0].closed, 1, "finishing one that never stops sending ends it");
	is_int(owner.peers[0].reason, NET_CLOSED_BY_PEER, "as any that is finished");
	ok(owner.peers[0].size >= held && owner.peers[0].size <= held + NET_READ_SIZE,
	   "what had come is read, and one read more at most: %zu of %zu", owner.peers[0].size, held);
	ok(is_pattern(owner.peers[0].got, owner.peers[0].size), "and is whole");
	close(fd);
	finish(&owner, "finish of a busy connection");
}

static void
test_no_descriptors(void)
{
	static Owner owner;
	const char *preload = getenv("LD_PRELOAD");
	int			port;
	int			fd;
	int			spare;
	struct rlimit limit;
	struct rlimit tight;
	long		began;
	int			turns = 0;
	int			why = 0;

	/* Valgrind plays the limit itself: it accepts, closes, and then reports EMFILE. */
	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
	{
		skip("no true descriptor limit under valgrind");
		return;
	}

	port = start(&owner, NULL);
	fd = client(SOCK_STREAM, port);
	spare = dup(fd);
	close(spare);
	say(fd, "patience");
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = (rlim_t) spare;
	setrlimit(RLIMIT_NOFILE, &tight);
	PUMP_UNTIL(&owner, net_server_accept_failures(owner.server, NULL) >= 1);
	began = now_ms();
	PUMP_UNTIL(&owner, (turns++, net_server_accept_failures(owner.server, &why) >= 3));
	setrlimit(RLIMIT_NOFILE, &limit);
	is_int(why, -EMFILE, "a lack of descriptors is counted and named");
	ok(now_ms() - began >= 150 && turns < 200, "and waited out, not spun on (%d turns)", turns);
	is_int(owner.opened, 0, "nothing was accepted meanwhile");
	PUMP_UNTIL(&owner, owner.opened == 1 && owner.peers[0].size == 8);
	is_int((long long) owner.peers[0].size, 8, "afterwards the client that waited is served, its bytes whole");
	close(fd);
	finish(&owner, "no descriptors");
}

int
main(void)
{
	static const int families[] = {AF_INET, AF_INET6};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++)
	{
		struct sockaddr_storage addr;
		int			probe;

		family = families[i];
		addr = loopback(0);
		probe = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (probe < 0 || bind(probe, (struct sockaddr *) &addr, addr_size((struct sockaddr *) &addr)) < 0)
		{
			skip("no %s loopback", family == AF_INET6 ? "IPv6" : "IPv4");
			if (probe >= 0)
				close(probe);
			continue;
		}
		close(probe);
		printf("# %s\n", family == AF_INET6 ? "::1" : "127.0.0.1");

		test_connection();
		test_reset();
		test_stream();
		test_back_pressure();
		test_datagrams();
		test_datagram_back();
		test_close_in_handlers();
		test_free_open();
		test_port_in_use();
		test_write();
		test_stop_accepting();
		test_drain();
		test_drain_datagrams();
		test_drain_paused();
		test_finish_reset();
		test_finish_busy();
		test_no_descriptors();
	}
	return done_testing();
}
