/*
 * listen.h
 *		Opens the port on the addresses of pt621.listen_addresses.
 */
#ifndef PT621_PG_LISTEN_H
#define PT621_PG_LISTEN_H

#include "postgres.h"

#include "net/net.h"

/*
 * Binds TCP and UDP on every address of the setting; *port gets the port.
 * Returns NULL when at least one could be bound, else why none could, in the
 * current memory context.
 */
extern char *listen_on_addresses(NetServer *server, int *port);

#endif							/* PT621_PG_LISTEN_H */
