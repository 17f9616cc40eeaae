/*
 * init.c
 *		_PG_init: what happens when the library is loaded.
 *
 * Invariant.  Without shared_preload_libraries there are settings and functions,
 * and nothing that runs: decoding works in any server.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "pg/settings.h"
#include "pg/shared.h"
#include "pg/worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	settings_init();
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	shared_init();
	worker_register_supervisor();
}
