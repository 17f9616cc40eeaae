/*
 * compat.c
 *		What of compat.h needs memory of its own.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"

#include "pg/compat.h"

#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type previous_request_hook = NULL;
#endif

void
compat_hook_shmem_request(void (*request) (void))
{
#if PG_VERSION_NUM >= 150000
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
#else
	request();
#endif
}

void
compat_previous_shmem_request(void)
{
#if PG_VERSION_NUM >= 150000
	if (previous_request_hook)
		previous_request_hook();
#endif
}
