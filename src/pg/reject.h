/*
 * reject.h
 *		What units are, why nothing comes of one, and why a connection ends: as
 *		counted.
 */
#ifndef PT621_PG_REJECT_H
#define PT621_PG_REJECT_H

#include "codec/pt621_codec.h"

/* Kinds of units, by what was found in them. */
typedef enum UnitClass
{
	CLASS_REPORT,
	CLASS_STATUS,
	CLASS_PHOTO_CHUNK,
	CLASS_DELTA,
	CLASS_TEXT,
	CLASS_GARBAGE,
	UNIT_CLASSES
} UnitClass;

/* Up to PT621_DELTA_INSANE it is a Pt621ErrorCode. */
typedef enum Rejection
{
	REJECT_NONE = PT621_OK,
	REJECT_NO_TRACKER = PT621_DELTA_INSANE + 1, /* its connection has named none */
	REJECT_UNKNOWN,				/* the tracker is not in pt621.device */
	REJECT_QUARANTINED,			/* likewise, under that setting */
	REJECT_DISABLED,
	REJECT_PEER,				/* not in allowed_peers */
	REJECT_CONFLICT,			/* another connection speaks for the tracker */
	REJECT_RATE,				/* more than pt621.max_record_rate, by UDP */
	REJECT_PHOTO_SIZE,
	REJECT_FOREIGN,				/* another protocol */
	REJECT_REFUSED,				/* by a trigger or constraint */
	REJECTIONS
} Rejection;

typedef enum CloseReason
{
	CLOSE_BY_PEER,
	CLOSE_ERROR,
	CLOSE_IDLE,
	CLOSE_GAVE_WAY,				/* at pt621.max_connections, to a newer one */
	CLOSE_REFUSED,				/* there, with none that could give way */
	CLOSE_ADDRESS,				/* at pt621.max_connections_per_address */
	CLOSE_NO_RECORD,			/* pt621.max_bytes_without_record */
	CLOSE_MEMORY,				/* pt621.max_pending_memory, or none left */
	CLOSE_FOREIGN,
	CLOSE_CONFLICT,
	CLOSE_PORT,					/* the port was closed */
	CLOSE_REASONS
} CloseReason;

/* Names as in pt621_stat_worker(). */
extern const char *unit_class_name(UnitClass class);
extern const char *rejection_name(Rejection rejection);
extern const char *close_reason_name(CloseReason reason);

/* Says why a connection was closed, for the log. */
extern const char *close_reason_text(CloseReason reason);

/* What the log says with it: the SQLSTATE that fits, as errcode() wants it, and
 * what can be done. */
extern int	close_reason_sqlstate(CloseReason reason);
extern const char *close_reason_hint(CloseReason reason);

/* Why units of trackers that are not registered come to nothing, as archived:
 * by these pt621_adopt() finds them, the last with the help of an index that has
 * its text as well (sql/install/30-tables.sql). */
#define TEXT_QUARANTINED	"quarantined: the tracker is not in pt621.device"
#define TEXT_UNKNOWN		"the tracker is not in pt621.device"
#define TEXT_NO_TRACKER		"its connection has not named a tracker"

/* Says why a unit was rejected, for those that are no Pt621ErrorCode. */
extern const char *rejection_text(Rejection rejection);

#endif							/* PT621_PG_REJECT_H */
