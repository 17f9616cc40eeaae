/*
 * listen.c
 *		Opens the port on the addresses of pt621.listen_addresses.
 */
#include "postgres.h"

#include <netdb.h>

#include "common/ip.h"
#include "utils/varlena.h"

#include "pg/listen.h"
#include "pg/settings.h"

/* Binds what one name stands for; NULL when any of it could be bound. */
static char *
listen_on_name(NetServer *server, const char *name, int *port, bool reuseport,
			   int *bound)
{
	struct addrinfo hint = {.ai_family = AF_UNSPEC,.ai_socktype = SOCK_STREAM,
	.ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	char		service[16];
	char		error[256] = "it has no address";
	bool		done = false;
	int			result;
	NetListenOptions options = {.reuseport = reuseport,
		.receive_buffer = setting_receive_buffer * 1024,
	.datagram_buffer = setting_udp_receive_buffer * 1024};

	snprintf(service, sizeof(service), "%d", *port);
	result = pg_getaddrinfo_all(name, service, &hint, &list);
	if (result != 0)
	{
		if (list)
			pg_freeaddrinfo_all(hint.ai_family, list);
		return psprintf("could not resolve \"%s\": %s", name ? name : "*",
						gai_strerror(result));
	}
	for (struct addrinfo *one = list; one; one = one->ai_next)
	{
		int			chosen = *port;

		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		/* The first address settles a port left to the system for all. */
		if (one->ai_family == AF_INET)
			((struct sockaddr_in *) one->ai_addr)->sin_port = htons((uint16) *port);
		else
			((struct sockaddr_in6 *) one->ai_addr)->sin6_port = htons((uint16) *port);
		if (!net_server_listen(server, one->ai_addr, one->ai_addrlen, &chosen,
							   &options, error, sizeof(error)))
			continue;
		*port = chosen;
		(*bound)++;
		done = true;
	}
	pg_freeaddrinfo_all(hint.ai_family, list);
	return done ? NULL : pstrdup(error);
}

char *
listen_on_addresses(NetServer *server, int *port, bool reuseport, int *bound)
{
	char	   *addresses = pstrdup(setting_listen_addresses);
	char	   *reason = NULL;
	List	   *names;
	ListCell   *cell;

	*bound = 0;
	if (!SplitGUCList(addresses, ',', &names))
		return pstrdup("pt621.listen_addresses is not a list of names");
	if (names == NIL)
		return pstrdup("pt621.listen_addresses is empty");
	foreach(cell, names)
	{
		char	   *name = lfirst(cell);
		char	   *why = listen_on_name(server, strcmp(name, "*") == 0 ? NULL : name,
										 port, reuseport, bound);

		if (why == NULL)
			continue;
		if (reason == NULL)
			reason = why;
	}
	if (*bound == 0)
		return reason;
	if (reason)
		ereport(WARNING,
				(errmsg("pt621: not listening on all addresses: %s", reason)));
	return NULL;
}
