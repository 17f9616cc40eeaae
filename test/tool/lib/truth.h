/*
 * truth.h
 *		The ground truth: a CSV file of what the simulator sent.
 *
 * Invariant.  One row for each time a report, or a piece of a photo, was given to
 * the network, in that order, and one for each report that was lost; the
 * columns are those of doc/simulator.md.  What was sent because the server
 * said something is not in it: it does not follow from the options.  Of photos there
 * is a file of their own, with a row for each that was announced.
 */
#ifndef PT621_TOOL_TRUTH_H
#define PT621_TOOL_TRUTH_H

#include <stdio.h>

#include "tracker.h"

typedef struct Truth
{
	FILE	   *file;			/* NULL: nothing is written */
	const char *path;
	FILE	   *photos;			/* NULL: nothing is written */
	const char *photos_path;
} Truth;

/* Begins the files, with a line of column names each.  Their paths: NULL for none, "-"
 * for stdout. */
extern void truth_open(Truth *truth, const char *path, const char *photos_path);

/* Writes the rows of an emission. */
extern void truth_write(Truth *truth, const Tracker *tracker, const Emission *emission);

/* Ends the files; false, with a message, when not all could be written. */
extern bool truth_close(Truth *truth);

#endif							/* PT621_TOOL_TRUTH_H */
