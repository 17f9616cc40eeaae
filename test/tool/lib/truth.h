/*
 * truth.h
 *		The ground truth: a CSV file of what the simulator sent.
 *
 * Invariant.  One row for each time a report, or a piece of a photo, was given to
 * the network, in that order, and one for each report that was lost; the
 * columns are those of doc/simulator.md.  Pieces of photos that the server has asked
 * for are not in it: they do not follow from the options.
 */
#ifndef PT621_TOOL_TRUTH_H
#define PT621_TOOL_TRUTH_H

#include <stdio.h>

#include "tracker.h"

typedef struct Truth
{
	FILE	   *file;			/* NULL: nothing is written */
	const char *path;
} Truth;

/* Begins the file, with a line of column names.  path: NULL for none, "-" for stdout. */
extern void truth_open(Truth *truth, const char *path);

/* Writes the rows of an emission. */
extern void truth_write(Truth *truth, const Tracker *tracker, const Emission *emission);

/* Ends the file; false, with a message, when not all could be written. */
extern bool truth_close(Truth *truth);

#endif							/* PT621_TOOL_TRUTH_H */
