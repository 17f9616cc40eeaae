/*
 * tail.h
 *		A live view of one tracker: NOTIFY pt621_frame for each of its units.
 */
#ifndef PT621_PG_TAIL_H
#define PT621_PG_TAIL_H

#include "pg/run.h"

/* Notifies of the units of a run whose tracker is watched, if one is; at commit
 * the listening sessions get it. */
extern void tail_run(Run *run);

#endif							/* PT621_PG_TAIL_H */
