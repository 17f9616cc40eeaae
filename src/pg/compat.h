/*
 * compat.h
 *		Differences between PostgreSQL versions, all of them, and nothing else.
 *
 * Built and tested against 15; the branches for other versions follow their
 * headers.
 */
#ifndef PT621_PG_COMPAT_H
#define PT621_PG_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000
#error "pt621 needs PostgreSQL 14 or later"
#endif

#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#if PG_VERSION_NUM >= 170000
#include "storage/waiteventset.h"
#endif

/* 17: a wait event set belongs to a resource owner; NULL = to the process. */
static inline WaitEventSet *
compat_create_wait_event_set(int events)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, events);
#else
	return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

/*
 * 15: shared memory is asked for in a hook; before, while the library loads
 * (commit 4f2400cb3f).  The hook calls compat_previous_shmem_request() first.
 */
extern void compat_hook_shmem_request(void (*request) (void));
extern void compat_previous_shmem_request(void);

/* 15: unknown settings below a prefix are refused, not only warned about. */
static inline void
compat_reserve_prefix(const char *prefix)
{
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(prefix);
#else
	EmitWarningsOnPlaceholders(prefix);
#endif
}

#endif							/* PT621_PG_COMPAT_H */
