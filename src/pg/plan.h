/*
 * plan.h
 *		Statements of ours, prepared once per session.
 */
#ifndef PT621_PG_PLAN_H
#define PT621_PG_PLAN_H

#include "postgres.h"

#include "executor/spi.h"

#define PLAN_ARGUMENTS	6

/* Nothing: begins a text with %2$s and no %1$s, which has to be there. */
#define PLAN_NO_SCHEMA	"%1$.0s"

typedef enum PlanKind
{
	PLAN_KEPT,
	PLAN_BY_INDEX,				/* kept, and goes by indexes alone */
	PLAN_IN_ORDER,				/* likewise, and in the order of one: few rows may be read */
	PLAN_RARE					/* planned anew each time */
} PlanKind;

/* %s (%1$s where there is more than one) is the extension's schema, %2$s that of
 * PostGIS. */
typedef struct PlanText
{
	const char *text;
	PlanKind	kind;
	int			arguments;
	Oid			types[PLAN_ARGUMENTS];
} PlanText;

/* The statements of one file, and what has been prepared of them. */
typedef struct PlanSet
{
	const PlanText *texts;
	SPIPlanPtr *plans;			/* as many, NULL at first */
	int			count;
	Oid			schema;			/* that they were prepared for */
} PlanSet;

/* Gives the plan of a statement; within SPI. */
extern SPIPlanPtr plan_get(PlanSet *set, int which, Oid schema);

/*
 * Runs a statement to its end, with values for its arguments; nulls: as for
 * SPI_execute_plan(), NULL = none is.  Returns how many rows there were; those
 * it gives are in SPI_tuptable.
 */
extern uint64 plan_run(PlanSet *set, int which, Oid schema, Datum *values,
					   const char *nulls);

#endif							/* PT621_PG_PLAN_H */
