/*
 * geofence.h
 *		The fences of this database in memory, kept for the session.
 */
#ifndef PT621_PG_GEOFENCE_H
#define PT621_PG_GEOFENCE_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/timestamp.h"

#include "detect/detect.h"

typedef struct Geofences Geofences;

/*
 * Gives the fences as the active snapshot sees them: those of this transaction's
 * own changes too.  Good until the next call.  Asks no rights of the user: who
 * calls it settles what it tells.
 *
 * Which state of the fences a snapshot sees is told by the revision in
 * pt621.geofence_stamp, which each edit changes and locks until it commits, and
 * by nothing else; of fences with another revision than last time only the
 * changed ones are loaded.
 */
extern Geofences *geofences_get(void);

extern int64 geofences_revision(const Geofences *fences);

/*
 * Tells since when the fences may be others than at an earlier revision: the
 * start of the first transaction that changed one; DT_NOEND when none did.
 */
extern TimestampTz geofences_changed_since(const Geofences *fences, int64 revision);

/* Tells whether no version of a fence is valid at `now` or later. */
extern bool geofences_ended(const Geofences *fences, int32 id, TimestampTz now);

/* What a tracker was in, from some time on until the next. */
typedef struct GeofenceMember
{
	TimestampTz from;			/* DT_NOBEGIN of the first */
	ArrayType  *groups;			/* text[]; NULL = none */
} GeofenceMember;

/*
 * A tracker as the fences see it; in the current memory context.  members: by
 * time, at least one; must outlive it.
 */
typedef struct GeofenceDevice GeofenceDevice;
extern GeofenceDevice *geofence_device_new(Geofences *fences, int32 device_id,
										   const GeofenceMember *members, int count);

/* What DetectWorld asks (detect/detect.h); arg: a GeofenceDevice. */
extern size_t geofence_near(void *arg, DetectTime time, const GeoBox *box,
							const DetectFence *const **found);
extern const DetectFence *geofence_active(void *arg, DetectTime time, int32_t id);
extern DetectTime geofence_active_since(void *arg, DetectTime time, int32_t id, DetectTime enough);

#endif							/* PT621_PG_GEOFENCE_H */
