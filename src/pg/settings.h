/*
 * settings.h
 *		The pt621.* settings; README.md lists them for users.
 */
#ifndef PT621_PG_SETTINGS_H
#define PT621_PG_SETTINGS_H

#include "postgres.h"

/* What becomes of a tracker that is not in pt621.device. */
typedef enum UnknownDevices
{
	UNKNOWN_REGISTER,			/* it is added */
	UNKNOWN_QUARANTINE,			/* its units are archived, whatever pt621.archive */
	UNKNOWN_REJECT				/* its units are archived as rejected ones are */
} UnknownDevices;

/* Which of two connections of one tracker goes on. */
typedef enum ConnectionConflict
{
	CONFLICT_NEWEST,			/* the older one is closed */
	CONFLICT_OLDEST				/* the newer one is refused and closed */
} ConnectionConflict;

/* Which units go to pt621.frame. */
typedef enum Archive
{
	ARCHIVE_ALL,
	ARCHIVE_REJECTED,
	ARCHIVE_NONE
} Archive;

extern char *setting_listen_addresses;
extern int	setting_port;
extern char *setting_database;
extern char *setting_role;
extern int	setting_workers;
extern int	setting_batch_size;
extern int	setting_flush_interval; /* ms */
extern int	setting_receive_buffer; /* kB */
extern int	setting_udp_receive_buffer; /* kB */
extern int	setting_max_connections;
extern int	setting_max_connections_per_address;
extern int	setting_max_bytes_without_record;	/* kB */
extern int	setting_max_pending_memory; /* kB */
extern int	setting_max_record_rate;	/* per tracker and second */
extern int	setting_max_line_length;	/* bytes */
extern int	setting_max_photo_size; /* kB */
extern int	setting_archive_strangers;	/* kB per minute */
extern int	setting_archive_quarantined;	/* kB per minute */
extern int	setting_connection_conflict;
extern int	setting_idle_timeout;	/* s */
extern int	setting_unit_timeout;	/* ms */
extern int	setting_shutdown_timeout;	/* ms */
extern int	setting_statement_timeout;	/* ms */
extern int	setting_unknown_devices;
extern int	setting_archive;
extern int	setting_late_after; /* s */
extern bool setting_fetch_photos;
extern int	setting_photo_piece;	/* bytes */
extern int	setting_photo_rate;		/* pieces a second */
extern int	setting_photo_timeout;	/* s */
extern int	setting_photo_tries;
extern int	setting_answer_timeout; /* s */
extern int	setting_udp_reply_within;	/* s */
extern int	setting_engine_cut_speed;	/* km/h */
extern int	setting_engine_cut_fresh;	/* s */
extern int	setting_retention_frames;	/* min; 0 = for ever */
extern int	setting_retention_positions;	/* min; 0 = for ever */

extern void settings_init(void);

#endif							/* PT621_PG_SETTINGS_H */
