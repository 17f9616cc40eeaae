/*
 * proximity.h
 *		Proximity of two linked trackers: from their tracks to pt621.event.
 */
#ifndef PT621_PG_PROXIMITY_H
#define PT621_PG_PROXIMITY_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/derive.h"

/* Tells whether any trackers are linked; within SPI. */
extern bool proximity_any(Oid schema);

/*
 * Brings up to date what is said of all pairs that these trackers belong to, whose
 * records of these periods are new, others, or gone; and locks their states; within SPI.  Nothing else may be wanted of the derivation.
 */
extern void proximity_derive(Derivation *derivation, const DerivePeriod *periods, int count);

#endif							/* PT621_PG_PROXIMITY_H */
