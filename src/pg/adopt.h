/*
 * adopt.h
 *		What pt621_adopt() and the store agree on.
 */
#ifndef PT621_PG_ADOPT_H
#define PT621_PG_ADOPT_H

#include "postgres.h"

#include "storage/lockdefs.h"

/*
 * Takes the lock between pt621_adopt() and who archives units of trackers that
 * are not registered, until the end of the transaction.
 *
 * The store takes it in ShareLock when, and only when, there are such trackers in
 * its batch, and looks for them once more when it has it; pt621_adopt() takes it
 * in ExclusiveLock.  So what the store archives as of an unknown tracker either
 * has been committed when pt621_adopt() looks for the last time, or is stored
 * after its commit, as of the tracker that it has added.
 *
 * Order of locks: this one, then rows of pt621.device_state.
 */
extern void adopt_lock(LOCKMODE mode);

#endif							/* PT621_PG_ADOPT_H */
