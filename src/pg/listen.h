/*
 * listen.h
 *		Opens the port on the addresses of pt621.listen_addresses.
 */
#ifndef PT621_PG_LISTEN_H
#define PT621_PG_LISTEN_H

#include "postgres.h"

#include "net/net.h"

/*
 * Binds TCP and UDP on every address of the setting; *port is the port wanted
 * (0 = one that the system chooses), and gets the one bound.  reuseport: other
 * workers have it, or will.  *bound gets on how many addresses.
 * Returns NULL when at least one could be bound, else why none could, in the
 * current memory context.
 */
extern char *listen_on_addresses(NetServer *server, int *port, bool reuseport,
								 int *bound);

#endif							/* PT621_PG_LISTEN_H */
