/*
 * route.c
 *		Lines read from WKT, and places along them.
 *
 * Distances are those on a sphere, places between two points lie on a straight
 * line in degrees: for segments of a road both are right to a metre or so.
 */
#include "route.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

#define EARTH_RADIUS_M	6371008.8
#define RADIANS			(3.14159265358979323846 / 180.0)

/* A round trip through the middle of Berlin, about 11 km. */
static const char built_in[] =
"LINESTRING (13.3777 52.5163, 13.3904 52.5172, 13.4013 52.5186, 13.4127 52.5219, "
"13.4226 52.5188, 13.4289 52.5139, 13.4193 52.5071, 13.4094 52.5033, 13.3908 52.4986, "
"13.3759 52.4990, 13.3561 52.5012, 13.3413 52.5046, 13.3375 52.5117, 13.3501 52.5145, "
"13.3777 52.5163)";

/* Measures the great circle between two points, in metres (haversine). */
static double
distance(const Point *a, const Point *b)
{
	double		lat = sin((b->lat - a->lat) * RADIANS / 2);
	double		lon = sin((b->lon - a->lon) * RADIANS / 2);
	double		h = lat * lat + cos(a->lat * RADIANS) * cos(b->lat * RADIANS) * lon * lon;

	return 2 * EARTH_RADIUS_M * asin(fmin(1, sqrt(h)));
}

/* Gives the course from one point to another, in degrees. */
static double
bearing(const Point *a, const Point *b)
{
	double		lon = (b->lon - a->lon) * RADIANS;
	double		y = sin(lon) * cos(b->lat * RADIANS);
	double		x = cos(a->lat * RADIANS) * sin(b->lat * RADIANS) -
		sin(a->lat * RADIANS) * cos(b->lat * RADIANS) * cos(lon);
	double		course = atan2(y, x) / RADIANS;

	return course < 0 ? course + 360 : course;
}

/* Returns the first character that is not blank. */
static const char *
skip_blanks(const char *at)
{
	while (isspace((unsigned char) *at))
		at++;
	return at;
}

/* Reads one number of degrees. */
static bool
read_degrees(const char **at, double limit, double *value)
{
	char	   *end;

	*at = skip_blanks(*at);
	if (strspn(*at, "+-.0123456789") == 0)
		return false;
	*value = strtod(*at, &end);
	if (end == *at || !(fabs(*value) <= limit))
		return false;
	*at = end;
	return true;
}

/* Reads "(lon lat, lon lat, ...)". */
static bool
read_points(Route *route, const char *at)
{
	size_t		room = 0;

	at = skip_blanks(at);
	if (*at++ != '(')
		return false;
	for (;;)
	{
		Point		p = {0};

		if (!read_degrees(&at, 180, &p.lon) || !read_degrees(&at, 90, &p.lat))
			return false;
		if (route->count == room)
		{
			room = room ? room * 2 : 16;
			route->points = tool_alloc(route->points, room * sizeof(Point));
		}
		if (route->count > 0)
			route->metres += distance(&route->points[route->count - 1], &p);
		p.metres = route->metres;
		route->points[route->count++] = p;
		at = skip_blanks(at);
		if (*at == ')')
			return *skip_blanks(at + 1) == '\0';
		if (*at++ != ',')
			return false;
	}
}

/* Adds one line of WKT; false when it is none, or has no length. */
static bool
add_route(Routes *routes, const char *text)
{
	static const char word[] = "LINESTRING";
	Route		route = {0};

	if (strncasecmp(text, "SRID=4326;", 10) == 0)
		text += 10;
	if (strncasecmp(text, word, sizeof(word) - 1) != 0 ||
		!read_points(&route, text + sizeof(word) - 1) || !(route.metres > 0))
	{
		free(route.points);
		return false;
	}
	route.closed = route.points[0].lon == route.points[route.count - 1].lon &&
		route.points[0].lat == route.points[route.count - 1].lat;
	routes->routes = tool_alloc(routes->routes, (routes->count + 1) * sizeof(Route));
	routes->routes[routes->count++] = route;
	return true;
}

void
routes_built_in(Routes *routes)
{
	add_route(routes, built_in);
}

void
routes_read(Routes *routes, const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		room = 0;
	size_t		before = routes->count;

	if (file == NULL)
		tool_fail(STATUS_WRONG, "%s: %s", path, strerror(errno));
	for (int number = 1; getline(&line, &room, file) >= 0; number++)
	{
		const char *text = skip_blanks(line);

		if (*text == '\0' || *text == '#')
			continue;
		if (!add_route(routes, text))
			tool_fail(STATUS_WRONG, "%s:%d: not a line; expected: LINESTRING (lon lat, lon lat, ...)",
					  path, number);
	}
	if (ferror(file))
		tool_fail(STATUS_WRONG, "%s: %s", path, strerror(errno));
	if (routes->count == before)
		tool_fail(STATUS_WRONG, "%s: no line in it", path);
	free(line);
	fclose(file);
}

Place
route_place(const Route *route, double metres)
{
	double		round = route->closed ? route->metres : 2 * route->metres;
	double		at = fmod(metres, round);
	bool		back = at > route->metres;
	size_t		low = 0;
	size_t		high = route->count - 1;
	const Point *a;
	const Point *b;
	double		share;

	if (back)
		at = round - at;
	/* The segment whose end is the first point not before `at`. */
	while (high - low > 1)
	{
		size_t		middle = (low + high) / 2;

		if (route->points[middle].metres < at)
			low = middle;
		else
			high = middle;
	}
	a = &route->points[low];
	b = &route->points[high];
	share = b->metres > a->metres ? (at - a->metres) / (b->metres - a->metres) : 0;
	return (Place) {a->lon + (b->lon - a->lon) * share,
		a->lat + (b->lat - a->lat) * share,
		back ? bearing(b, a) : bearing(a, b)};
}
