/*
 * derive.c
 *		From the records of trackers to the visits and events that are wanted.
 *
 * Invariant.  What is wanted follows from the state that it begins with, the
 * records, and what fences and options say of their times; whether those records
 * come from the table or from a batch makes no difference.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "codec/pt621_codec.h"
#include "pg/derive.h"
#include "pg/derive_sql.h"
#include "pg/sensor_rules.h"

/*
 * In front of a saved state, in network order: what it was made with.  Who changes
 * fences or options commits later than they hold from, so that a state may have
 * come to know of it too late.
 */
typedef struct Known
{
	int64		revision;		/* of the fences */
	TimestampTz fleet;			/* since when the options of the fleet were what they were */
	TimestampTz device;			/* and those of the tracker */
	int64		rules;			/* revision of the rules of sensors */
} Known;

#define KNOWN_SIZE	((Size) sizeof(Known))
StaticAssertDecl(sizeof(Known) == DERIVATION_KNOWN_SIZE, "as derive.h says");

DetectText
derive_make_text(const void *bytes, Size size)
{
	DetectText	text;

	memset(&text, 0, sizeof(text));
	/* Not within a character: it comes to be a text again. */
	text.size = (uint8) (size <= DETECT_TEXT_MAX ? size :
							(Size) pg_mbcliplen(bytes, (int) size, DETECT_TEXT_MAX));
	if (text.size > 0)
		memcpy(text.bytes, bytes, text.size);
	return text;
}

void
derive_set_code(DetectFix *fix, const void *code, Size size)
{
	char		buffer[PT621_CODE_MAX + 1];
	const char *alarm = size <= PT621_CODE_MAX ? pt621_event(code, size, buffer) : NULL;

	fix->code = derive_make_text(code, size);
	fix->alarm = derive_make_text(alarm, alarm ? strlen(alarm) : 0);
}

/* Gives what holds for the tracker at hand at some time. */
static const DetectOptions *
world_options(void *arg, DetectTime time)
{
	Derivation *derivation = arg;
	int			fleet = derivation->fleet_count - 1;
	int			device = derivation->device_count - 1;
	double		limit;

	if (time >= derivation->options_from && time < derivation->options_until)
		return &derivation->options;
	while (fleet > 0 && derivation->fleet[fleet].valid_from > time)
		fleet--;
	while (device > 0 && derivation->device[device].valid_from > time)
		device--;
	derivation->options = derivation->fleet[fleet].options;
	limit = derivation->device[device].speed_limit_kmh;
	if (!isnan(limit))
		derivation->options.speed_limit_kmh = limit;
	derivation->options_from = DT_NOBEGIN;
	derivation->options_until = DT_NOEND;
	if (fleet > 0)
		derivation->options_from = derivation->fleet[fleet].valid_from;
	if (fleet < derivation->fleet_count - 1)
		derivation->options_until = derivation->fleet[fleet + 1].valid_from;
	if (device > 0)
		derivation->options_from = Max(derivation->options_from, derivation->device[device].valid_from);
	if (device < derivation->device_count - 1)
		derivation->options_until = Min(derivation->options_until, derivation->device[device + 1].valid_from);
	return &derivation->options;
}

/* What the fold asks of fences is asked of the tracker's view of them. */
static size_t
world_near(void *arg, DetectTime time, const GeoBox *box, const DetectFence *const **found)
{
	return geofence_near(((Derivation *) arg)->fence_device, time, box, found);
}

static const DetectFence *
world_active(void *arg, DetectTime time, int32_t id)
{
	return geofence_active(((Derivation *) arg)->fence_device, time, id);
}

static DetectTime
world_active_since(void *arg, DetectTime time, int32_t id, DetectTime enough)
{
	return geofence_active_since(((Derivation *) arg)->fence_device, time, id, enough);
}

static size_t
world_rules(void *arg, const DetectFix *fix, const DetectRule **found)
{
	return sensor_device_rules(((Derivation *) arg)->sensor_device, fix, found);
}

static void *
world_grow(void *arg, void *old, size_t size)
{
	return old ? repalloc(old, size) :
		MemoryContextAlloc(((Derivation *) arg)->states, size);
}

static DerivedKey
make_key(const Derivation *derivation, const DetectRow *row)
{
	DerivedKey	key;

	memset(&key, 0, sizeof(key));
	key.device_id = derivation->device_id;
	key.kind = (int32) row->kind;
	key.fence = row->fence;
	key.at = row->at;
	key.object.size = row->object.size;
	memcpy(key.object.bytes, row->object.bytes, row->object.size);
	return key;
}

static void
world_put(void *arg, const DetectRow *row)
{
	Derivation *derivation = arg;
	DerivedKey	key = make_key(derivation, row);
	DerivedRow *wanted;
	bool		found;

	if (derivation->rows == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(DerivedKey),.entrysize = sizeof(DerivedRow),
		.hcxt = derivation->context};

		derivation->rows = hash_create("pt621 rows that are wanted", 64, &control,
									   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	wanted = hash_search(derivation->rows, &key, HASH_ENTER, &found);
	if (!found)
		wanted->supersede = false;
	wanted->row = *row;
	wanted->write = row->confirmed_at > derivation->begun ? WRITE_INSERT : WRITE_UPDATE;
}

/* One that was there before is superseded, any other is as if it never was. */
static void
world_take(void *arg, const DetectRow *row)
{
	Derivation *derivation = arg;
	DerivedKey	key = make_key(derivation, row);

	world_put(arg, row);
	if (row->confirmed_at <= derivation->begun)
	{
		DerivedRow *wanted = hash_search(derivation->rows, &key, HASH_FIND, NULL);

		wanted->write = WRITE_NOTHING;
		wanted->supersede = true;
	}
	else
		hash_search(derivation->rows, &key, HASH_REMOVE, NULL);
}

DerivedRow *
derivation_find(Derivation *derivation, const DetectRow *row)
{
	DerivedKey	key = make_key(derivation, row);

	return derivation->rows ? hash_search(derivation->rows, &key, HASH_FIND, NULL) : NULL;
}

DerivedRow *
derivation_next(HASH_SEQ_STATUS *scan, int32 device_id)
{
	DerivedRow *row;

	while ((row = hash_seq_search(scan)) != NULL)
	{
		if (row->key.device_id == device_id)
			return row;
	}
	return NULL;
}

Derivation *
derivation_new(Oid schema)
{
	Derivation *derivation = palloc0(sizeof(Derivation));

	derivation->schema = schema;
	derivation->context = derivation->states = CurrentMemoryContext;
	/* As of now: whoever called may have waited for the trackers' states since its
	 * snapshot was taken, for a transaction that saw newer fences. */
	PushActiveSnapshot(GetTransactionSnapshot());
	derivation->fences = geofences_get();
	PopActiveSnapshot();
	derive_read_fleet(derivation);
	derivation->world = (DetectWorld)
	{
		.arg = derivation,.options = world_options,.near = world_near,.active = world_active,
			.active_since = world_active_since,.rules = world_rules,.grow = world_grow,.put = world_put,.take = world_take
	};
	return derivation;
}

void
derivation_device(Derivation *derivation, int32 device_id, const GeofenceMember *members,
				  const DeviceOptions *options, int count, TimestampTz options_since)
{
	derivation->device_id = device_id;
	derivation->device = options;
	derivation->device_count = count;
	derivation->options_since = options_since;
	derivation->fence_device = geofence_device_new(derivation->fences, device_id, members, count);
	derivation->sensor_device = sensor_device_new(derivation, device_id, members, count);
	derivation->rules_known = derivation->rules_revision;
	derivation->options_until = DT_NOBEGIN;
	derivation->begun = DETECT_NO_TIME;
}

/* Reads what a saved state knows; false when it is none. */
static bool
read_known(const bytea *saved, Known *known)
{
	if (saved == NULL || VARSIZE_ANY_EXHDR(saved) < KNOWN_SIZE)
		return false;
	memcpy(known, VARDATA_ANY(saved), KNOWN_SIZE);
	known->revision = (int64) pg_ntoh64(known->revision);
	known->fleet = (TimestampTz) pg_ntoh64(known->fleet);
	known->device = (TimestampTz) pg_ntoh64(known->device);
	known->rules = (int64) pg_ntoh64(known->rules);
	return true;
}

/* Gives the last of some times that is not in the future. */
static TimestampTz
newest_fleet(const Derivation *derivation)
{
	int			at = derivation->fleet_count - 1;

	while (at > 0 && derivation->fleet[at].valid_from > GetCurrentTransactionStartTimestamp())
		at--;
	return derivation->fleet[at].valid_from;
}

TimestampTz
derivation_changed_since(const Derivation *derivation, const bytea *saved)
{
	Known		known;
	TimestampTz since;

	if (!read_known(saved, &known))
		return DT_NOEND;
	since = geofences_changed_since(derivation->fences, known.revision);
	for (int i = derivation->fleet_count - 1; i > 0 && derivation->fleet[i].valid_from > known.fleet; i--)
		since = Min(since, derivation->fleet[i].valid_from);
	for (int i = derivation->device_count - 1; i > 0 && derivation->device[i].valid_from > known.device; i--)
		since = Min(since, derivation->device[i].valid_from);
	/* Who was given no history knows of the last change only. */
	if (derivation->options_since > known.device)
		since = Min(since, derivation->options_since);
	return since;
}

TimestampTz
derivation_compare_rules(Derivation *derivation, const bytea *head, DetectTime time)
{
	Known		known;
	TimestampTz since;

	derivation->rules_known = derivation->rules_revision;
	if (!read_known(head, &known) || known.rules == derivation->rules_revision)
		return DT_NOEND;
	since = sensor_rules_changed_since(derivation, derivation->device_id, known.rules);
	if (since > time)
		return DT_NOEND;
	derivation->rules_known = known.rules;
	return since;
}

int64
derivation_rules_known(const bytea *saved)
{
	Known		known;

	/* One of another version is to be made anew, whatever it knows. */
	return read_known(saved, &known) &&
		detect_may_load((const uint8 *) VARDATA_ANY(saved) + KNOWN_SIZE, VARSIZE_ANY_EXHDR(saved) - KNOWN_SIZE) ? known.rules : 0;
}

bool
derivation_is_stale(const Geofences *fences, const bytea *saved, TimestampTz newest_time,
					TimestampTz fleet_since, TimestampTz options_since)
{
	Known		known;

	return read_known(saved, &known) &&
		(geofences_changed_since(fences, known.revision) <= newest_time ||
		 fleet_since > known.fleet || options_since > known.device);
}

DetectState *
derivation_load(Derivation *derivation, const bytea *saved)
{
	DetectState *state;

	if (saved == NULL)
		state = detect_new(&derivation->world);
	else if (VARSIZE_ANY_EXHDR(saved) < KNOWN_SIZE)
		return NULL;
	else
		state = detect_load((const uint8 *) VARDATA_ANY(saved) + KNOWN_SIZE,
							VARSIZE_ANY_EXHDR(saved) - KNOWN_SIZE, &derivation->world);
	if (state)
		derivation->begun = detect_time(state);
	return state;
}

TimestampTz
derivation_ignition_since(const bytea *saved)
{
	/* Reading asks nothing of the world but memory. */
	Derivation	none = {.context = CurrentMemoryContext,.states = CurrentMemoryContext};
	DetectState *state;
	DetectTime	since;

	none.world = (DetectWorld) {.arg = &none,.grow = world_grow};
	state = derivation_load(&none, saved);
	if (state == NULL)
		return DT_NOBEGIN;
	since = detect_ignition_since(state);
	return since == DETECT_NO_TIME ? DT_NOEND : since;
}

void
derivation_stamp(Derivation *derivation, bytea *saved)
{
	Known		known;

	known.revision = (int64) pg_hton64(geofences_revision(derivation->fences));
	known.fleet = (TimestampTz) pg_hton64(newest_fleet(derivation));
	known.device = (TimestampTz) pg_hton64(derivation->options_since);
	known.rules = (int64) pg_hton64(derivation->rules_known);
	if (VARSIZE_ANY_EXHDR(saved) >= KNOWN_SIZE)
		memcpy(VARDATA_ANY(saved), &known, KNOWN_SIZE);
}

bytea *
derivation_save(Derivation *derivation, const DetectState *state)
{
	Size		size = detect_save(state, NULL, 0);
	bytea	   *saved = MemoryContextAlloc(derivation->context, VARHDRSZ + KNOWN_SIZE + size);

	SET_VARSIZE(saved, VARHDRSZ + KNOWN_SIZE + size);
	derivation_stamp(derivation, saved);
	detect_save(state, (uint8 *) VARDATA(saved) + KNOWN_SIZE, size);
	return saved;
}

bool
derivation_same(const bytea *a, const bytea *b)
{
	if (VARSIZE_ANY_EXHDR(a) < KNOWN_SIZE || VARSIZE_ANY_EXHDR(b) < KNOWN_SIZE)
		return false;
	return detect_same((const uint8 *) VARDATA_ANY(a) + KNOWN_SIZE, VARSIZE_ANY_EXHDR(a) - KNOWN_SIZE,
					   (const uint8 *) VARDATA_ANY(b) + KNOWN_SIZE, VARSIZE_ANY_EXHDR(b) - KNOWN_SIZE);
}

/* Asked by detect_close_ended(). */
static bool
fence_ended(void *arg, int32_t id)
{
	return geofences_ended(((Derivation *) arg)->fences, id, GetCurrentTransactionStartTimestamp());
}

void
derivation_close_ended(Derivation *derivation, DetectState *state)
{
	(void) detect_close_ended(state, &derivation->world, fence_ended);
}

void
derivation_cut(Derivation *derivation, DetectState *state)
{
	DerivedPiece *piece;

	if (derivation->piece_count == derivation->piece_room)
	{
		derivation->piece_room = Max(derivation->piece_room * 2, 16);
		derivation->pieces = derivation->pieces ?
			repalloc_huge(derivation->pieces, derivation->piece_room * sizeof(DerivedPiece)) :
			MemoryContextAlloc(derivation->context, derivation->piece_room * sizeof(DerivedPiece));
	}
	piece = &derivation->pieces[derivation->piece_count++];
	piece->device_id = derivation->device_id;
	piece->until = detect_time(state);
	piece->piece = *detect_piece(state);
	detect_cut_piece(state);
	piece->detectors = derivation_save(derivation, state);
}

void
derivation_step(Derivation *derivation, DetectState *state, const DetectFix *fix)
{
	const DetectPiece *piece = detect_piece(state);
	DetectTime	last = detect_time(state);

	/* Not within a second: one that comes later may sort anywhere there.  And each
	 * day, so that of a tracker that reports seldom not all is in one piece. */
	if (fix->time > last && piece->fixes > 0 &&
		(piece->fixes >= PIECE_FIXES || fix->time / USECS_PER_DAY != last / USECS_PER_DAY))
		derivation_cut(derivation, state);
	detect_step(state, fix, &derivation->world);
}
