/*
 * link_private.h
 *		What link.c (one link) and net.c (all of them) share.
 */
#ifndef PT621_TOOL_LINK_PRIVATE_H
#define PT621_TOOL_LINK_PRIVATE_H

#include "link.h"

/* Changes a link's state and keeps count of those in each. */
extern void link_set_state(Net *net, Link *link, LinkState state);

/* Lets go of a link's socket. */
extern void link_drop_socket(Link *link);

/* Returns the piece that is to be sent next; there is one. */
extern Piece *link_first_piece(const Link *link);

/* Takes in that a connection, or the try to make one, came to nothing.  error: errno or 0 */
extern void link_broke(Net *net, Link *link, int error);

/* Does with a link's pieces what can be done now. */
extern void link_go(Net *net, Link *link);

#endif							/* PT621_TOOL_LINK_PRIVATE_H */
