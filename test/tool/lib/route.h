/*
 * route.h
 *		The lines that simulated trackers drive along.
 *
 * Invariant.  A route has at least two points and a length above 0; a place is
 * asked for by metres from its beginning.
 */
#ifndef PT621_TOOL_ROUTE_H
#define PT621_TOOL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Point
{
	double		lon;			/* degrees, east positive */
	double		lat;			/* degrees, north positive */
	double		metres;			/* from the beginning of the route */
} Point;

typedef struct Route
{
	Point	   *points;
	size_t		count;
	double		metres;			/* its length */
	bool		closed;			/* it ends where it began: drive round and round */
} Route;

typedef struct Routes
{
	Route	   *routes;
	size_t		count;
} Routes;

/* Where a tracker is, and where it looks. */
typedef struct Place
{
	double		lon;
	double		lat;
	double		course;			/* degrees clockwise from north, 0 <= course < 360 */
} Place;

/*
 * Adds the lines of a file: WKT, "LINESTRING (lon lat, lon lat, ...)", one per
 * line; empty lines and those that begin with # are skipped.  Ends the program
 * with a message when the file cannot be read as that.
 */
extern void routes_read(Routes *routes, const char *path);

/* Adds the line that is used where no file is named. */
extern void routes_built_in(Routes *routes);

/*
 * Finds the place after so many metres of driving: round a closed line, to and fro
 * on another one.
 */
extern Place route_place(const Route *route, double metres);

#endif							/* PT621_TOOL_ROUTE_H */
