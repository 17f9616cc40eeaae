/*
 * port.h
 *		The listener's sockets: opened, closed, and what they bring handed on.
 *
 * Invariant.  One port a process.  What libuv calls back raises no error.
 */
#ifndef PT621_PG_PORT_H
#define PT621_PG_PORT_H

#include "postgres.h"

#include "pg/session.h"

/* What the sessions want of the port. */
extern const SessionPort port_for_sessions;

/* Prepares the process for many sockets.  sessions: where what comes goes. */
extern void port_init(Sessions *sessions);

/* Bounds the connections by the open files that there can be; says so. */
extern void port_settle_connections_max(void);

/* Opens it; returns NULL, or why not, in the current memory context. */
extern char *port_open(void);

/* Closes every socket; what they brought stays in the batch. */
extern void port_close(void);

extern bool port_is_open(void);

/* The number; 0 = closed. */
extern int	port_number(void);

/* Tells whether the settings want other sockets than those that are open. */
extern bool port_is_outdated(void);

/* The descriptor to wait for, and for how long at most; -1 = for ever. */
extern int	port_fd(void);
extern int	port_timeout_ms(void);

/* Reads what has come, as long as there is room; true when anything came.
 * *caught_up: all was read. */
extern bool port_read(bool *caught_up);

/* Reads datagrams alone; where none came lately there is no need to. */
extern void port_read_datagrams(void);
extern bool port_expects_datagrams(void);

/* Begins to read what the system holds now, and no more; whether that is done, and
 * how many bytes of it are left. */
extern void port_drain(void);
extern bool port_is_drained(void);
extern uint64 port_owed(void);

/* Takes the counters of the sockets into the statistics. */
extern void port_count(void);

#endif							/* PT621_PG_PORT_H */
