/*
 * sink.c
 *		Reads what comes over TCP and forgets it: what the load generator can do
 *		when nothing holds it up.
 *
 * Prints the port it listens on; ends when its standard input does.
 */
#include <sys/epoll.h>

#include "peer.h"

#define EVENTS			1024
#define BUFFER_SIZE		(256 * 1024)

static int	epoll;

static void
watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN,.data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
}

/* Returns a socket that listens on a free port, which it prints. */
static int
listen_anywhere(void)
{
	struct sockaddr_in address = loopback(INADDR_LOOPBACK, 0);
	socklen_t	size = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, size) != 0 ||
		listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *) &address, &size) != 0)
		fail("listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int
main(void)
{
	static char buffer[BUFFER_SIZE];
	int			listening;

	raise_nofile();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listening = listen_anywhere();
	watch(listening);
	watch(STDIN_FILENO);
	for (;;)
	{
		struct epoll_event events[EVENTS];
		int			count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++)
		{
			int			fd = events[i].data.fd;

			if (fd == listening)
			{
				int			accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

				if (accepted >= 0)
					watch(accepted);
			}
			else if (read(fd, buffer, sizeof(buffer)) <= 0)
			{
				if (fd == STDIN_FILENO)
					return 0;
				close(fd);
			}
		}
	}
}
