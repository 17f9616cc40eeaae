/*
 * settings.c
 *		The pt621.* settings.
 *
 * Invariant.  All can be changed without a restart; none can be set by a role
 * that may not already change postgresql.conf, but for pt621.restoring, which
 * concerns the session that sets it alone.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "pg/compat.h"
#include "pg/settings.h"

char	   *setting_listen_addresses;
int			setting_port;
char	   *setting_database;
char	   *setting_role;
int			setting_batch_size;
int			setting_flush_interval;
int			setting_receive_buffer;
int			setting_max_connections;
int			setting_idle_timeout;
int			setting_unit_timeout;
int			setting_shutdown_timeout;
int			setting_statement_timeout;
int			setting_unknown_devices;
int			setting_archive;

/* Read by the install script only. */
static bool setting_restoring;

static const struct config_enum_entry unknown_devices_options[] = {
	{"register", UNKNOWN_REGISTER, false},
	{"quarantine", UNKNOWN_QUARANTINE, false},
	{"reject", UNKNOWN_REJECT, false},
	{NULL, 0, false}
};

static const struct config_enum_entry archive_options[] = {
	{"all", ARCHIVE_ALL, false},
	{"rejected", ARCHIVE_REJECTED, false},
	{"none", ARCHIVE_NONE, false},
	{NULL, 0, false}
};

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
	DefineCustomIntVariable("pt621.receive_buffer",
							"Sets how much the system may hold of a connection before the worker reads it.",
							"Also the most that a crash of the worker can cost a connection.",
							&setting_receive_buffer, 64, 4, 16384,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.max_connections",
							"Sets how many trackers may be connected over TCP.",
							"The limit on open files may allow fewer. At the limit the oldest connection "
							"that has not named its tracker is closed.",
							&setting_max_connections, 10000, 1, 1000000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.idle_timeout",
							"Sets how long a connection may say nothing before it is closed.",
							"0 disables it.",
							&setting_idle_timeout, 3600, 0, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pt621.unit_timeout",
							"Sets after how much silence a unit without a mark of its end is complete.",
							NULL, &setting_unit_timeout, 200, 1, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
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
	DefineCustomBoolVariable("pt621.restoring",
							 "Makes CREATE EXTENSION pt621 leave the tables to the dump being restored.",
							 "Needed only with pg_restore --enable-row-security; other restores are recognised.",
							 &setting_restoring, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

void
settings_init(void)
{
	define_listener_settings();
	define_store_settings();
	compat_reserve_prefix("pt621");
}
