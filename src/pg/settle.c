/*
 * settle.c
 *		What became of commands and photos, until it is written down.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/pace.h"
#include "pg/settle.h"
#include "pg/worker.h"

/* With so many that cannot be written down no more are sent. */
#define SETTLED_MAX		10000
/* Room that there is from the beginning. */
#define SETTLED_MIN		1000
/* The longest that suspects are dealt with in one turn. */
#define TURN_MS			500

static MemoryContext context;
static Settled *settled;		/* suspects, then what was tried, then what was not */
static int	count;
static int	suspect_count;
static int	tried_count;		/* suspects among them */
static int	room;
static Pace together;
static Pace alone;				/* of suspects */
static TimestampTz again_at;	/* when to try again what somebody holds */

void
settle_init(void)
{
	context = AllocSetContextCreate(CurrentMemoryContext, "pt621 settle", ALLOCSET_DEFAULT_SIZES);
	settle_reserve(SETTLED_MIN);
}

void
settle_reserve(int more)
{
	int			needed = count + more;

	if (needed <= room)
		return;
	needed = Max(needed, 2 * room);
	if (settled)
		settled = repalloc_huge(settled, needed * sizeof(Settled));
	else
		settled = MemoryContextAllocHuge(context, needed * sizeof(Settled));
	room = needed;
}

void
settle_command(int64 id, int64 conn, Settlement what)
{
	settled[count++] = (Settled) {.id = id,.conn = conn,.what = what};
}

void
settle_photo_failed(int64 photo)
{
	if (count < room)
		settled[count++] = (Settled) {.id = photo,.what = SETTLED_PHOTO_FAILED};
}

bool
settle_is_full(void)
{
	return count >= SETTLED_MAX;
}

/* Writes down what became of some of what was sent; the error, if any. */
static ErrorData *
settle_some(Pace *pace, int from, int how_many)
{
	SettleOrder some = {&settled[from], how_many};
	ErrorData  *error;

	if (how_many == 0)
		return NULL;
	error = pace_try(pace, downlink_settle, &some, "writing down what was sent");
	for (int i = 0; error && i < how_many; i++)
		some.settled[i].done = false;	/* whatever the transaction thought */
	return error;
}

/* Writes down what became of each of the suspects.  The one that cannot be written
 * down stays `sending`, which in the end is in doubt. */
static void
settle_suspects(TimestampTz until)
{
	for (int i = 0; i < suspect_count && pace_is_ready(&alone) && GetCurrentTimestamp() < until; i++)
	{
		ErrorData  *error = settle_some(&alone, i, 1);

		if (error && !worker_error_is_transient(error))
			settled[i].done = true;
	}
}

void
settle(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		again = now >= again_at;
	int			from = again ? suspect_count : tried_count;
	int			left = 0;
	int			suspects = 0;
	ErrorData  *error = NULL;

	if (pace_is_ready(&together))
		error = settle_some(&together, from, count - from);
	if (error && !worker_error_is_transient(error))
	{
		suspect_count = count;
		again = true;
	}
	if (again)
	{
		settle_suspects(TimestampTzPlusMilliseconds(now, TURN_MS));
		again_at = TimestampTzPlusMilliseconds(now, RETRY_MS);
	}
	for (int i = 0; i < count; i++)
	{
		if (settled[i].done)
			continue;
		suspects += i < suspect_count;
		settled[left++] = settled[i];
	}
	suspect_count = suspects;
	tried_count = count = left;
}

TimestampTz
settle_next(void)
{
	TimestampTz next = DT_NOEND;

	/* Not long after now, also if the clock was set back. */
	again_at = Min(again_at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MS));
	if (count > suspect_count)
		next = pace_next(&together);
	if (suspect_count > 0)
		next = Min(next, pace_next(&alone));
	return count > tried_count ? Min(next, pace_next(&together)) : Max(next, again_at);
}

void
settle_finish(void)
{
	again_at = together.pause_until = alone.pause_until = 0;
	settle();
}
