/*
 * context.c
 *		The context of GEOS, and what is made anew for each call.
 *
 * Invariant: what GEOS reports goes to the text here and nowhere else.  The
 * context and the point live as long as the process.
 */
#include <stdio.h>
#include <string.h>

#include "geo/geo_private.h"

static GEOSContextHandle_t context;
static char report[GEO_ERROR_MAX];	/* empty = no failure since geo_begin() */

static void
on_error(const char *message, void *arg)
{
	(void) arg;
	snprintf(report, sizeof(report), "%s", message);
}

static void
on_notice(const char *message, void *arg)
{
	(void) message;
	(void) arg;
}

GEOSContextHandle_t
geo_context(void)
{
	if (context != NULL)
		return context;
	context = GEOS_init_r();
	if (context != NULL)
	{
		GEOSContext_setErrorMessageHandler_r(context, on_error, NULL);
		GEOSContext_setNoticeMessageHandler_r(context, on_notice, NULL);
	}
	return context;
}

void
geo_begin(void)
{
	report[0] = '\0';
}

bool
geo_failed(void)
{
	return report[0] != '\0';
}

void
geo_fail(GeoError *error, const char *text)
{
	snprintf(error->text, sizeof(error->text), "%s", text);
}

/*
 * A fix is looked up more than once, so the point is kept.  A point of other coordinates is a new one: GEOS computes its envelope
 * once, and writing into it would leave the old envelope.
 */
const GEOSGeometry *
geo_point(double lon, double lat)
{
	static GEOSGeometry *point;
	static double x;
	static double y;

	if (point != NULL && lon == x && lat == y)
		return point;
	if (geo_context() == NULL)
		return NULL;
	if (point != NULL)
		GEOSGeom_destroy_r(context, point);
	x = lon;
	y = lat;
	point = GEOSGeom_createPointFromXY_r(context, lon, lat);
	return point;
}

GEOSGeometry *
geo_diagonal(const GeoBox *box)
{
	const double ordinates[4] = {box->west, box->south, box->east, box->north};
	GEOSCoordSequence *sequence;

	if (geo_context() == NULL)
		return NULL;
	sequence = GEOSCoordSeq_copyFromBuffer_r(context, ordinates, 2, 0, 0);
	/* The line takes the sequence over, also when it cannot be made. */
	return sequence != NULL ? GEOSGeom_createLineString_r(context, sequence) : NULL;
}
