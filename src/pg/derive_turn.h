/*
 * derive_turn.h
 *		Deriving one period of one tracker anew: private to derive_table.c and
 *		derive_compare.c.
 */
#ifndef PT621_PG_DERIVE_TURN_H
#define PT621_PG_DERIVE_TURN_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/portal.h"

#include "pg/derive_sql.h"

/* One turn: from a kept state to where it ends. */
typedef struct Turn
{
	Derivation *derivation;
	int32		device_id;
	TimestampTz until;			/* it may end at a piece from here on */
	bytea	   *head;			/* the tracker's last state as it was */
	TimestampTz low;			/* what is up to here stays */
	TimestampTz high;			/* what is up to here is derived anew */
	bool		converged;
	DetectState *state;

	Portal		pieces;			/* kept ones after `low` */
	TimestampTz piece_until;	/* of the next one; DT_NOEND when there is none */
	bytea	   *piece_state;
} Turn;

/* Settle what becomes of the rows that are there: first is when the first of the
 * events was confirmed that were open at the start; fences and enters are the keys
 * of the visits that were. */
extern void turn_compare_events(Turn *turn, TimestampTz first);
extern void turn_compare_visits(Turn *turn, ArrayType *fences, ArrayType *enters);

#endif							/* PT621_PG_DERIVE_TURN_H */
