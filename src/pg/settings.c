/*
 * settings.c
 *		The pt621.* settings.
 *
 * Invariant.  All can be changed without a restart, but for the one that settles
 * the size of shared memory; none can be set by a role that may not already change
 * postgresql.conf, but for pt621.restoring, which concerns the session that sets
 * it alone.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/shared.h"

char	   *setting_listen_addresses;
int			setting_port;
char	   *setting_database;
char	   *setting_role;
int			setting_workers;
int			setting_batch_size;
int			setting_flush_interval;
int			setting_receive_buffer;
int			setting_udp_receive_buffer;
int			setting_max_connections;
int			setting_max_connections_per_address;
int			setting_max_bytes_without_record;
int			setting_max_pending_memory;
int			setting_max_record_rate;
int			setting_max_line_length;
int			setting_max_photo_size;
int			setting_archive_strangers;
int			setting_archive_quarantined;
int			setting_connection_conflict;
int			setting_idle_timeout;
int			setting_unit_timeout;
int			setting_shutdown_timeout;
int			setting_statement_timeout;
int			setting_unknown_devices;
int			setting_archive;
int			setting_late_after;
bool		setting_fetch_photos;
int			setting_photo_piece;
int			setting_photo_rate;
int			setting_photo_timeout;
int			setting_photo_tries;
int			setting_answer_timeout;
int			setting_udp_reply_within;
int			setting_engine_cut_speed;
int			setting_engine_cut_fresh;
int			setting_retention_frames;
int			setting_retention_positions;

/* Read by the install script only. */
static bool setting_restoring;

static const struct config_enum_entry unknown_devices_options[] = {
	{"register", UNKNOWN_REGISTER, false},
	{"quarantine", UNKNOWN_QUARANTINE, false},
	{"reject", UNKNOWN_REJECT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry connection_conflict_options[] = {
	{"newest", CONFLICT_NEWEST, false},
	{"oldest", CONFLICT_OLDEST, false},
	{NULL, 0, false}
};

static const struct config_enum_entry archive_options[] = {
	{"all", ARCHIVE_ALL, false},
	{"rejected", ARCHIVE_REJECTED, false},
	{"none", ARCHIVE_NONE, false},
	{NULL, 0, false}
};

/* A number that was meant as days would leave minutes of the archive. */
#define RETENTION_MIN	(24 * 60)

/* Refuses a retention so short that it is hardly meant. */
static bool
check_retention(int *minutes, void **extra, GucSource source)
{
	if (*minutes == 0 || *minutes >= RETENTION_MIN)
		return true;
	GUC_check_errdetail("It must be 0, or at least a day (%d minutes).", RETENTION_MIN);
	GUC_check_errhint("A number without a unit is minutes: write '90d'.");
	return false;
}

/* Where the workers listen, and for whom. */
static void
define_listener_settings(void)
{
	DefineCustomStringVariable("pt621.listen_addresses",
							   "Sets the addresses to listen on for trackers.",
							   "Host names or addresses separated by commas; * for all, empty for none. "
							   "The wire has no authentication: opening it to the world is a decision.",
							   &setting_listen_addresses, "localhost",
							   PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.port",
							"Sets the TCP and UDP port to listen on for trackers.",
							"0 lets the system choose one; pt621_stat_worker() shows it.",
							&setting_port, 8888, 0, 65535,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("pt621.database",
							   "Sets the database that the workers store to.",
							   NULL, &setting_database, "postgres",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("pt621.role",
							   "Sets the role that owns the tables and that the workers connect as.",
							   "CREATE EXTENSION makes it when it is absent.",
							   &setting_role, "pt621",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.workers",
							"Sets how many workers listen, sharing the port.",
							"Each takes one of max_worker_processes; one more makes partitions, one supervises.",
							&setting_workers, 1, 1, LISTENERS_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.receive_buffer",
							"Sets how much the system may hold of a connection before the worker reads it.",
							"Also the most that a crash of the worker can cost a connection.",
							&setting_receive_buffer, 64, 4, 16384,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.udp_receive_buffer",
							"Sets how much the system may hold of datagrams before a worker reads them.",
							"The system grants no more than net.core.rmem_max.",
							&setting_udp_receive_buffer, 4096, 4, 1048576,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.unit_timeout",
							"Sets after how much silence a unit without a mark of its end is complete.",
							NULL, &setting_unit_timeout, 200, 1, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* How much of whom is borne. */
static void
define_bounds(void)
{
	DefineCustomIntVariable("pt621.max_connections",
							"Sets how many trackers may be connected over TCP, and how many UDP paths are remembered.",
							"The limit on open files may allow fewer. At the limit the oldest connection "
							"by which no known tracker has reported is closed.",
							&setting_max_connections, 10000, 1, 1000000,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_connections_per_address",
							"Sets how many TCP connections one address (IPv6: one /64 network) may have.",
							"0 disables it: all trackers of a private network may come by one address.",
							&setting_max_connections_per_address, 0, 0, 1000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_bytes_without_record",
							"Sets how much a connection may send without a valid record before it is closed.",
							"0 disables it.",
							&setting_max_bytes_without_record, 64, 0, 1048576,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_pending_memory",
							"Sets how much memory a worker may use for units that are not complete yet.",
							"At the limit the connection that needs more is closed; what it sent is kept.",
							&setting_max_pending_memory, 65536, 64, MAX_KILOBYTES,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_record_rate",
							"Sets how many records per second are taken of one tracker.",
							"Ten seconds' worth may come at once. Then its TCP connection is not read for "
							"a while; datagrams are archived only. 0 disables it.",
							&setting_max_record_rate, 1000, 0, 1000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_line_length",
							"Sets the longest line that is taken for a record.",
							NULL, &setting_max_line_length, PT621_RECORD_MAX, 64, PT621_RECORD_MAX,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_photo_size",
							"Sets the largest photo of which pieces are accepted.",
							NULL, &setting_max_photo_size, 1024, 1, 65536,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.idle_timeout",
							"Sets how long a connection may say nothing before it is closed.",
							"0 disables it.",
							&setting_idle_timeout, 3600, 0, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.archive_strangers",
							"Sets how much per minute and worker is archived of senders by which no registered tracker has reported.",
							"What is beyond that is only counted, so that a flood cannot fill the disk.",
							&setting_archive_strangers, 1024, 0, 1048576,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.archive_quarantined",
							"Sets how much per minute and worker is archived of trackers in quarantine.",
							"What is beyond that is only counted.",
							&setting_archive_quarantined, 10240, 0, 1048576,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomEnumVariable("pt621.connection_conflict",
							 "Sets which of two TCP connections of one tracker goes on.",
							 "newest closes the older one; oldest refuses what the newer one sends, and closes it.",
							 &setting_connection_conflict, CONFLICT_NEWEST,
							 connection_conflict_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

/* How what was received is stored. */
static void
define_store_settings(void)
{
	DefineCustomIntVariable("pt621.batch_size",
							"Sets how many units are stored in one transaction at most.",
							NULL, &setting_batch_size, 10000, 1, 100000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.flush_interval",
							"Sets the least time between two transactions.",
							NULL, &setting_flush_interval, 20, 0, 10000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.statement_timeout",
							"Sets how long storing one batch may take before it is tried in parts.",
							"0 disables it, and a lock can then stop the worker for good.",
							&setting_statement_timeout, 30000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.shutdown_timeout",
							"Sets how long a worker that is told to stop reads and stores what has arrived.",
							NULL, &setting_shutdown_timeout, 10000, 0, 600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomEnumVariable("pt621.unknown_devices",
							 "Sets what becomes of trackers that are not in pt621.device.",
							 "register adds them; quarantine keeps what they send in pt621.frame only; "
							 "reject treats it as undecodable.",
							 &setting_unknown_devices, UNKNOWN_REGISTER,
							 unknown_devices_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("pt621.archive",
							 "Sets which of the received bytes are kept in pt621.frame.",
							 NULL, &setting_archive, ARCHIVE_ALL, archive_options,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.late_after",
							"Sets how long after it happened an event or visit is marked as late.",
							"Ready-made alerts are silent on late events.",
							&setting_late_after, 900, 0, SECS_PER_DAY * 365,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.retention_frames",
							"Sets how long partitions of pt621.frame are kept.",
							"One is dropped when all in it was received longer ago. A day at least; 0 keeps them for ever.",
							&setting_retention_frames, 0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MIN, check_retention, NULL, NULL);
	DefineCustomIntVariable("pt621.retention_positions",
							"Sets how long partitions of pt621.position are kept.",
							"One is dropped when all fixes in it are older. A day at least; 0 keeps them for ever.",
							&setting_retention_positions, 0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MIN, check_retention, NULL, NULL);
	DefineCustomBoolVariable("pt621.restoring",
							 "Makes CREATE EXTENSION pt621 leave the tables to the dump being restored.",
							 "Needed only with pg_restore --enable-row-security; other restores are recognised.",
							 &setting_restoring, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

/* What is sent to trackers. */
static void
define_downlink_settings(void)
{
	DefineCustomBoolVariable("pt621.fetch_photos",
							 "Makes the listener fetch the photos that trackers announce.",
							 "off keeps them as announced; they are fetched when it is on again, for 7 days.",
							 &setting_fetch_photos, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.photo_piece",
							"Sets how much of a photo is asked for at once.",
							"More than 960 is not known to work with any tracker.",
							&setting_photo_piece, 960, 16, 4096,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.photo_rate",
							"Sets how many pieces of photos a worker asks for in a second.",
							"It bounds what many photos at once cost those who only report.",
							&setting_photo_rate, 500, 1, 1000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.photo_timeout",
							"Sets after how long a piece of a photo that did not come is asked for again.",
							NULL, &setting_photo_timeout, 10, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.photo_tries",
							"Sets how often a piece of a photo is asked for before the photo is given up.",
							"A tracker that says nothing at all meanwhile is asked again when it comes back.",
							&setting_photo_tries, 5, 1, 100,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.answer_timeout",
							"Sets how long after a command what the tracker says may be its answer.",
							"A command that may be sent more than once is sent again then.",
							&setting_answer_timeout, 60, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.udp_reply_within",
							"Sets how long after a datagram its sender can be reached.",
							"Networks forget the way back. What is to be sent later waits for the next datagram.",
							&setting_udp_reply_within, 60, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.engine_cut_speed",
							"Sets the speed, in km/h, above which no engine is cut.",
							"It is that of the last valid fix.",
							&setting_engine_cut_speed, 20, 0, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.engine_cut_fresh",
							"Sets how old a fix may be to keep an engine from being cut.",
							NULL, &setting_engine_cut_fresh, 300, 1, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}

void
settings_init(void)
{
	define_listener_settings();
	define_bounds();
	define_store_settings();
	define_downlink_settings();
	compat_reserve_prefix("pt621");
}
