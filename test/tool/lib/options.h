/*
 * options.h
 *		The command line of pt621-sim.
 */
#ifndef PT621_TOOL_OPTIONS_H
#define PT621_TOOL_OPTIONS_H

#include "tracker.h"

typedef enum Pace
{
	PACE_TIME,					/* the trackers' own time, `speedup` times as fast */
	PACE_RATE,					/* `rate` records a second, all trackers together */
	PACE_FAST					/* as fast as the port takes them */
} Pace;

typedef struct Options
{
	Behaviour	behaviour;
	const char *host;
	const char *port;
	uint32_t	trackers;
	char		first_id[ENCODE_IDENT_MAX + 1];
	Pace		pace;
	double		speedup;
	double		rate;
	uint16_t	per_write;		/* records in one write of TCP */
	bool		connect_first;
	double		hold;			/* seconds that connections stay open at the end */
	double		stall;			/* seconds */
	double		give_up;		/* seconds */
	const char *truth;			/* NULL: none */
	const char *photo_truth;	/* NULL: none */
	bool		quiet;
} Options;

/* Reads the command line; ends the program when it is wrong, or asks for help. */
extern void options_read(Options *result, int argc, char **argv);

/* Writes the id of a tracker: the first one's plus number, with its leading zeros. */
extern void options_ident(const Options *fleet, uint32_t number, char *ident);

#endif							/* PT621_TOOL_OPTIONS_H */
