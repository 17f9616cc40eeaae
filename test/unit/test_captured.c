/*
 * test_captured.c
 *		Every captured frame gives the values that doc/protocol.md reads from it.
 *
 * Invariant: the values below were worked out from the bytes by hand, not by
 * this code; each row of the file has its line here, and each line its row.
 */
#include <math.h>
#include <time.h>

#include "codec/pt621_codec.h"
#include "csv.h"
#include "stream.h"
#include "tap.h"

#define NONE	NAN

/* What one record of a row says.  Speeds are km/h: knots times 1.852. */
typedef struct Want
{
	const char *row;
	const char *code;
	const char *ident;
	const char *time;			/* UTC */
	bool		valid;
	bool		stored;
	double		latitude;
	double		longitude;
	double		speed;
	double		course;
	const char *inputs;
	const char *outputs;
	int			adc_count;
	int			adc[4];			/* decimal of the wire's hexadecimal */
	int64_t		odometer;
	const char *gsb;			/* NULL: missing */
	int			digits[3];
	int64_t		photo_size;
	const char *photo_id;
} Want;

#define NO_GSB		NULL, {-1, -1, -1}
#define NO_PHOTO	-1, NULL

static const Want wanted[] = {
	{"T-DEC-01", "POS", "0000001", "2021-04-29 11:27:42", true, false,
		9.0150833333, 38.7510150000, 24.29824, 212.34, "00010", "00000",
	4, {0, 0, 0, 0}, 250161300, "fd7", {15, 13, 7}, NO_PHOTO},
	{"T-DEC-02", "POS", "718005258", "2020-10-15 12:19:30", false, false,
		-5.2349333333, 145.7887416667, 0, 0, "00000", "00000",
	4, {0, 0, 0, 0}, 106945600, "f00", {15, 0, 0}, NO_PHOTO},
	{"T-DEC-03", "PHO", "1156802639", "2018-04-11 02:21:25", true, false,
		7.1166900000, -73.1228750000, 0, 0.1, "00000", "00000",
	4, {0, 0, 0, 0}, 500, "fd4", {15, 13, 4}, 3821, "1"},
	{"T-DEC-04", "POS", "1360000277", "2017-10-29 18:22:41", true, true,
		8.7681600000, -75.8695633333, 25.15016, 26.88, "00000", "00000",
	4, {322, 0, 0, 0}, 62792900, "f65", {15, 6, 5}, NO_PHOTO},
	{"T-DEC-06", "POS", "865328026243864", "2017-05-05 15:11:05", true, false,
		13.5451600000, 2.0779783333, 0, 10, "00000", "10",
	2, {1, 0}, 234, "FD9", {15, 13, 9}, NO_PHOTO},
	{"T-DEC-08", "HDA", "20007", "2016-10-04 13:46:57", true, false,
		6.4360116667, 3.5037416667, 61.81976, 81.79, "00010", "00000",
	4, {624, 0, 0, 0}, 19948900, "fa4", {15, 10, 4}, NO_PHOTO},
	{"T-DEC-10", "POS", "20007", "2016-10-04 13:47:04", true, true,
		6.4361633333, 3.5047833333, 57.83796, 79.58, "00010", "00000",
	4, {620, 0, 0, 0}, 19949100, "fa4", {15, 10, 4}, NO_PHOTO},
	{"T-DEC-12", "DFR", "40456789", "2014-07-09 08:31:25", true, false,
		22.5349516667, 114.0158400000, 0, 5, "00000", "00",
	2, {0, 0}, 200076, "FE7", {15, 14, 7}, NO_PHOTO},
	{"T-DEC-13", "FDA", "40456789", "2014-07-09 08:31:25", true, false,
		22.5349516667, 114.0158400000, 0, 5, "00000", "00",
	2, {0, 0}, 200076, "FE7", {15, 14, 7}, NO_PHOTO},
	{"T-DEC-14", "CPA", "40456789", "2017-11-29 08:31:25", true, true,
		22.5349516667, 114.0158400000, 14.11224, 265.24, "00000", "00000",
	1, {0}, 1200, NO_GSB, NO_PHOTO},
	{"T-DEC-16", "POS", "11023456", "2015-06-21 03:37:31", true, false,
		3.5876950000, 98.6859783333, 0, 88.12, "0000", "0",
	1, {504}, 388900, "f33", {15, 3, 3}, NO_PHOTO},
	{"T-DEC-17", "POS", "6094", "2012-11-01 20:55:23", true, false,
		10.2270383333, -67.4737466667, 0, 99.3, "00000", "00000",
	1, {0}, 23895000, NO_GSB, NO_PHOTO},
	{"T-DEC-18", "POS", "6120", "2012-11-15 23:33:26", false, false,
		9.5853350000, -69.2448883333, 0, NONE, "00000", "00000",
	1, {0}, 0, NO_GSB, NO_PHOTO},
	{"T-DEC-22", "POS", "353451000164", "2013-05-16 08:24:05", true, false,
		12.9141683333, 100.8612533333, 0, 237.99, "0000", "0",
	1, {0}, 55000, "a71", {10, 7, 1}, NO_PHOTO},
	{"T-DEC-23", "POS", "012896008586486", "2014-07-18 15:42:15", true, false,
		-1.3002383333, 36.7819066667, 0, 83.29, "0000", "0",
	1, {0}, 29200, "644", {6, 4, 4}, NO_PHOTO},
	{"T-FD-PACK", "POS", "1360000277", "2017-10-29 18:22:41", true, true,
		8.7681600000, -75.8695633333, 25.15016, 26.88, "00000", "00000",
	4, {322, 0, 0, 0}, 62792900, "f65", {15, 6, 5}, NO_PHOTO},
	{"T-FD-PACK", "POS", "1360000277", "2017-10-29 18:22:51", true, true,
		8.7687466667, -75.8692416667, 28.74304, 36.93, "00000", "00000",
	4, {321, 0, 0, 0}, 62793000, "f68", {15, 6, 8}, NO_PHOTO},
	{"T-FD-PACK", "POS", "1360000277", "2017-10-29 18:23:24", true, true,
		8.7710600000, -75.8676750000, 35.07688, 29.90, "00000", "00000",
	4, {318, 0, 0, 0}, 62793300, "f97", {15, 9, 7}, NO_PHOTO},
	{"T-FD-PACK", "POS", "1360000277", "2017-10-29 18:23:26", true, true,
		8.7712166667, -75.8675900000, 35.41024, 30.42, "00000", "00000",
	4, {320, 0, 0, 0}, 62793300, "f98", {15, 9, 8}, NO_PHOTO},
	{"T-FD-353-PLAIN", "POS", "353451000164", "2013-05-16 08:24:05", true, false,
		12.9141683333, 100.8612533333, 0, 237.99, "0000", "0",
	1, {0}, 55000, "a71", {10, 7, 1}, NO_PHOTO},
	{"T-FD-PACK-1", "POS", "1360000277", "2017-10-29 18:22:41", true, true,
		8.7681600000, -75.8695633333, 25.15016, 26.88, "00000", "00000",
	4, {322, 0, 0, 0}, 62792900, "f65", {15, 6, 5}, NO_PHOTO},
	{"T-FD-PACK-2", "POS", "1360000277", "2017-10-29 18:22:51", true, true,
		8.7687466667, -75.8692416667, 28.74304, 36.93, "00000", "00000",
	4, {321, 0, 0, 0}, 62793000, "f68", {15, 6, 8}, NO_PHOTO},
	{"T-FD-PACK-3", "POS", "1360000277", "2017-10-29 18:23:24", true, true,
		8.7710600000, -75.8676750000, 35.07688, 29.90, "00000", "00000",
	4, {318, 0, 0, 0}, 62793300, "f97", {15, 9, 7}, NO_PHOTO},
	{"T-FD-PACK-4", "POS", "1360000277", "2017-10-29 18:23:26", true, true,
		8.7712166667, -75.8675900000, 35.41024, 30.42, "00000", "00000",
	4, {320, 0, 0, 0}, 62793300, "f98", {15, 9, 8}, NO_PHOTO},
	{"I71", "POS", "6094", "2012-11-01 20:55:23", true, false,
		10.2270383333, -67.4737466667, 0, 99.3, "00000", "00000",
	1, {0}, 23895000, NO_GSB, NO_PHOTO},
	{"I72", "POS", "6094", "2012-11-01 21:07:22", true, false,
		10.2270383333, -67.4737466667, 0, 99.3, "00000", "00000",
	1, {0}, 23895000, NO_GSB, NO_PHOTO},
	{"I199", "POS", "7210285832", "2009-02-14 18:46:55", false, false,
		NONE, NONE, NONE, NONE, "00000", "00000",
	1, {6}, 0, NO_GSB, NO_PHOTO},
	{"I1050", "POS", "0721976179", "2015-01-26 18:49:17", true, false,
		-1.2582766667, 36.9207650000, 0, 0, "0000", "0",
	1, {0}, 0, "853", {8, 5, 3}, NO_PHOTO},
	{"I1263", "POS", "11023456", "2015-06-21 03:37:31", true, false,
		3.5876950000, 98.6859783333, 0, 88.12, "0000", "0",
	1, {504}, 388900, "f33", {15, 3, 3}, NO_PHOTO},
	{"FORUM-01", "POS", "3760971", "2017-11-28 14:56:37", true, false,
		20.6064716667, -103.3997266667, 0, 119.5, "00000", "00000",
	1, {0}, 0, NO_GSB, NO_PHOTO},
	{"FORUM-02", "POS", "3760971", "2017-11-28 14:56:48", true, false,
		20.6064716667, -103.3997266667, 0, 119.5, "00000", "00000",
	1, {0}, 0, NO_GSB, NO_PHOTO},
	{"FORUM-04", "POS", "3760971", "2017-11-28 14:57:03", true, true,
		20.6064716667, -103.3997266667, 0, 119.5, "00000", "00000",
	1, {0}, 0, NO_GSB, NO_PHOTO},
	{"FORUM-05", "POS", "3760971", "2017-11-28 14:57:33", true, false,
		20.6064716667, -103.3997266667, 0, 119.5, "00000", "00000",
	1, {0}, 0, NO_GSB, NO_PHOTO},
	{"TW-1", "POS", "270110", "2011-12-16 13:57:50", true, true,
		5.3304400000, -4.0228316667, 0.48152, 349.45, "00000", "00000",
	4, {0, 0, 0, 0}, 309900, NO_GSB, NO_PHOTO},
	{"OG-1", "POS", "10000", "2011-04-25 10:22:15", false, false,
		22.5636183333, -142.0939450000, 0, 0, "", "",
	0, {0}, -1, NO_GSB, NO_PHOTO},
};

/* Rows that hold no report: tested one by one below. */
static const char *const other_rows[] = {
	"T-DEC-07", "T-FD-PHD", "T-FD-FUS",
	"FORUM-03", "FORUM-06", "FORUM-07", "FORUM-08"
};

static const char *
text_of(Pt621Text text)
{
	static char buffer[8][128];
	static int	next;
	char	   *result = buffer[next++ % 8];

	if (text.at == NULL)
		return NULL;
	snprintf(result, sizeof(buffer[0]), "%.*s", (int) text.size,
			 (const char *) text.at);
	return result;
}

/* Writes bits back as they were on the wire. */
static const char *
bits_of(Pt621Bits bits)
{
	static char buffer[8][PT621_BITS_MAX + 1];
	static int	next;
	char	   *result = buffer[next++ % 8];

	for (uint32_t i = 0; i < bits.count; i++)
		result[i] = bits.bits & (UINT32_C(0x80000000) >> i) ? '1' : '0';
	result[bits.count] = '\0';
	return result;
}

static int64_t
microseconds_of(const char *time)
{
	struct tm	tm = {0};

	if (sscanf(time, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		abort();
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t) timegm(&tm) * 1000000;
}

static bool
near(double got, double expected, double tolerance)
{
	return isnan(expected) ? isnan(got) : fabs(got - expected) <= tolerance;
}

static bool
same(const char *got, const char *expected)
{
	return got == NULL || expected == NULL ? got == expected
		: strcmp(got, expected) == 0;
}

/* Checks one field and names it when it differs. */
#define FIELD(condition) \
	do \
	{ \
		if (!(condition)) \
		{ \
			printf("# differs: %s\n", #condition); \
			fine = false; \
		} \
	} while (0)

static void
check_report(const Pt621Record *r, const Want *w)
{
	bool		fine = true;

	FIELD(r->kind == PT621_REPORT);
	FIELD(r->quality == 0);
	FIELD(same(text_of(r->code), w->code));
	FIELD(same(text_of(r->ident), w->ident));
	FIELD(r->device_time == microseconds_of(w->time));
	FIELD(r->valid == w->valid);
	FIELD(r->stored == w->stored);
	FIELD(near(r->latitude, w->latitude, 1e-9));
	FIELD(near(r->longitude, w->longitude, 1e-9));
	FIELD(near(r->speed_kmh, w->speed, 1e-9));
	FIELD(near(r->course, w->course, 1e-9));
	FIELD(same(bits_of(r->inputs), w->inputs));
	FIELD(same(bits_of(r->outputs), w->outputs));
	FIELD((int) r->adc_count == w->adc_count);
	for (int i = 0; i < w->adc_count; i++)
		FIELD(r->adc[i] == w->adc[i]);
	FIELD(r->odometer_m == w->odometer);
	FIELD(same(text_of(r->gsb), w->gsb));
	for (int i = 0; i < 3; i++)
		FIELD(r->gsb_digit[i] == w->digits[i]);
	FIELD(r->photo_size == w->photo_size);
	FIELD(same(text_of(r->photo_id), w->photo_id));
	/* No public capture has these. */
	FIELD(r->driver.at == NULL && r->spec.at == NULL);
	FIELD(r->firmware.at == NULL && r->hardware.at == NULL);
	FIELD(r->photo_offset == -1 && r->photo_data.at == NULL);
	ok(fine, "%s at %s: all values", w->row, w->time);
}

static void
test_reports(void)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]);)
	{
		const Captured *row = captured_get(wanted[i].row);
		Feed		f = {0};

		ok(feed(&f, row->bytes, row->size, PT621_INPUT_MORE) &&
		   feed(&f, NULL, 0, PT621_INPUT_END), "%s: is split", row->id);
		for (size_t j = 0; j < f.units.count; j++, i++)
		{
			const Pt621Unit *unit = &f.units.unit[j];
			Pt621Record record;
			Pt621Error	error;

			if (i == sizeof(wanted) / sizeof(wanted[0]) ||
				strcmp(wanted[i].row, row->id) != 0)
			{
				ok(false, "%s: unit %zu is one too many", row->id, j);
				break;
			}
			is_int(unit->kind, PT621_UNIT_LINE, "%s: unit %zu is a line",
				   row->id, j);
			if (ok(pt621_parse(f.units.bytes + unit_offset(&f.units, j) +
							   unit->payload_at, unit->payload_size,
							   &record, &error), "%s: is a record", row->id))
				check_report(&record, &wanted[i]);
		}
		if (i < sizeof(wanted) / sizeof(wanted[0]) &&
			strcmp(wanted[i].row, row->id) == 0)
		{
			ok(false, "%s: a record is missing", row->id);
			i++;
		}
		feed_free(&f);
	}
}

/* Splits a row that is one unit, and parses it. */
static bool
parse_row(const char *id, Feed *f, Pt621Record *record)
{
	const Captured *row = captured_get(id);
	Pt621Error	error;

	return feed(f, row->bytes, row->size, PT621_INPUT_MORE) &&
		feed(f, NULL, 0, PT621_INPUT_END) &&
		f->units.count == 1 &&
		pt621_parse(f->units.bytes + f->units.unit[0].payload_at,
					f->units.unit[0].payload_size, record, &error);
}

static void
test_status_and_photo(void)
{
	static const char *const rows[] = {"T-DEC-07", "T-FD-FUS"};
	Pt621Record r;
	Feed		f = {0};

	for (int i = 0; i < 2; i++)
	{
		if (ok(parse_row(rows[i], &f, &r), "%s: is one record", rows[i]))
		{
			is_int(r.kind, PT621_STATUS, "%s: is a status", rows[i]);
			is_str(text_of(r.code), "FUS", "%s: code", rows[i]);
			is_str(text_of(r.ident), "865328026243864", "%s: IMEI", rows[i]);
			is_str(text_of(r.firmware), "510-V1.12", "%s: firmware", rows[i]);
			is_str(text_of(r.hardware), "A11-V3.0", "%s: hardware", rows[i]);
			ok(isnan(r.latitude) && r.device_time == PT621_NO_TIME &&
			   !r.valid && r.odometer_m == -1 && r.quality == 0,
			   "%s: claims no place and no time", rows[i]);
			is_int(f.units.unit[0].line_end, i == 0 ? 0 : 2,
				   "%s: CR CR is the line end", rows[i]);
		}
		feed_free(&f);
	}

	if (ok(parse_row("T-FD-PHD", &f, &r), "T-FD-PHD: is one record"))
	{
		is_int(f.units.unit[0].kind, PT621_UNIT_PHOTO, "T-FD-PHD: a photo unit");
		is_int(f.units.unit[0].size, 977, "T-FD-PHD: takes the frame's 977 bytes");
		is_int(r.kind, PT621_PHOTO_CHUNK, "T-FD-PHD: a photo chunk");
		is_int(r.photo_offset, 0, "T-FD-PHD: offset");
		is_int(r.photo_data.size, 960, "T-FD-PHD: bytes");
		ok(r.photo_data.size == 960 && r.photo_data.at[0] == 0xFF &&
		   r.photo_data.at[1] == 0xD8, "T-FD-PHD: begins as a JPEG does");
		/* The last bytes before CR LF, read off the capture. */
		ok(r.photo_data.size == 960 && r.photo_data.at[958] == 0x12 &&
		   r.photo_data.at[959] == 0x80, "T-FD-PHD: ends where its length says");
		ok(r.ident.at == NULL && r.device_time == PT621_NO_TIME,
		   "T-FD-PHD: carries no id and no time");
	}
	feed_free(&f);
}

/* Texts that a chain refers to must stay: this is where they do. */
static uint8_t kept[32][PT621_RECORD_MAX];
static int	kept_count;

static const uint8_t *
keep(const uint8_t *text, size_t size)
{
	memcpy(kept[kept_count], text, size);
	return kept[kept_count++];
}

/* Tells whether text is that of FORUM-05 but for time and course. */
static void
is_forum(const uint8_t *text, size_t size, const char *time, const char *course,
		 const char *what)
{
	char		expected[160];
	int			length;

	length = snprintf(expected, sizeof(expected),
					  "$POS,3760971,%s,A,2036.3883,N,10323.9836,W,0.0,%s,281117"
					  ",,,A/00000,00000/0/0//\r\n", time, course);
	ok(size == (size_t) length && memcmp(text, expected, size) == 0,
	   "%s: the rebuilt text, byte by byte", what);
}

/* The forum capture in the order in which it reached the server. */
static void
test_forum_chain(void)
{
	Pt621Chain	chain = {0};
	Pt621Record r;
	Pt621Error	error;
	uint8_t		out[PT621_RECORD_MAX];
	size_t		size = 0;
	uint64_t	tag = 0;
	uint64_t	dropped;
	const Captured *row;

	for (int i = 1; i <= 2; i++)
	{
		row = captured_get(i == 1 ? "FORUM-01" : "FORUM-02");
		pt621_chain_base(&chain, row->bytes, row->size);
	}

	row = captured_get("FORUM-03");
	ok(!pt621_chain_resolve(&chain, row->bytes, row->size, out, &size, &r, &error),
	   "FORUM-03: comes before its base");
	is_int(error.code, PT621_DELTA_NO_BASE, "FORUM-03: no base yet");
	is_int(error.found, 0x60, "FORUM-03: says which base it wants");
	ok(!pt621_chain_hold(&chain, row->bytes, row->size, 3, &dropped),
	   "FORUM-03: is held, nothing gives way");
	ok(!pt621_chain_late(&chain, &tag, out, &size, &r),
	   "FORUM-03: still waits");

	row = captured_get("FORUM-04");
	pt621_chain_base(&chain, row->bytes, row->size);
	ok(pt621_chain_late(&chain, &tag, out, &size, &r),
	   "FORUM-04: is the base of FORUM-03");
	is_int((long long) tag, 3, "FORUM-03: is named by its tag");
	is_forum(out, size, "145718.000", "119.5", "FORUM-03");
	is_int(r.device_time, microseconds_of("2017-11-28 14:57:18"),
		   "FORUM-03: time");
	ok(!r.stored, "FORUM-03: its new line end makes it a live record");
	ok(r.valid && near(r.latitude, 20.6064716667, 1e-9) &&
	   near(r.longitude, -103.3997266667, 1e-9), "FORUM-03: same place");
	pt621_chain_base(&chain, keep(out, size), size);
	ok(!pt621_chain_late(&chain, &tag, out, &size, &r),
	   "FORUM-03: is given back once");

	row = captured_get("FORUM-05");
	pt621_chain_base(&chain, row->bytes, row->size);

	row = captured_get("FORUM-06");
	ok(pt621_chain_resolve(&chain, row->bytes, row->size, out, &size, &r, &error),
	   "FORUM-06: rebuilt");
	is_forum(out, size, "145748.000", "26815635", "FORUM-06");
	ok(isnan(r.course) && r.quality == PT621_BAD_COURSE,
	   "FORUM-06: the course 26815635 is missing, and only that");
	pt621_chain_base(&chain, keep(out, size), size);

	row = captured_get("FORUM-07");
	ok(pt621_chain_resolve(&chain, row->bytes, row->size, out, &size, &r, &error),
	   "FORUM-07: rebuilt");
	is_forum(out, size, "145803.000", "119.5", "FORUM-07");
	ok(r.course == 119.5 && r.quality == 0,
	   "FORUM-07: the shorter course replaces the longer one");
	pt621_chain_base(&chain, keep(out, size), size);

	row = captured_get("FORUM-08");
	ok(pt621_chain_resolve(&chain, row->bytes, row->size, out, &size, &r, &error),
	   "FORUM-08: rebuilt");
	is_forum(out, size, "145818.000", "119.5", "FORUM-08");
	is_int(r.device_time, microseconds_of("2017-11-28 14:58:18"),
		   "FORUM-08: time");
}

/* Each delta is one unit, whichever way its end shows. */
static void
test_forum_units(void)
{
	for (int i = 3; i < 7; i++)
	{
		const Captured *row = captured_get(other_rows[i]);
		Feed		f = {0};

		ok(feed(&f, row->bytes, row->size, PT621_INPUT_MORE) &&
		   f.units.count == 0, "%s: has no end of its own", row->id);
		feed(&f, NULL, 0, PT621_INPUT_SILENCE);
		ok(f.units.count == 1 && f.units.unit[0].kind == PT621_UNIT_DELTA &&
		   f.units.unit[0].payload_size == row->size,
		   "%s: silence ends it", row->id);
		feed_free(&f);
		ok(feed(&f, row->bytes, row->size, PT621_INPUT_END) &&
		   f.units.count == 1 && f.units.unit[0].kind == PT621_UNIT_DELTA &&
		   f.units.unit[0].error.code == PT621_OK,
		   "%s: the end of the input ends it", row->id);
		feed_free(&f);
	}
}

static void
test_all_rows_known(void)
{
	for (int i = 0; i < captured_count; i++)
	{
		bool		known = false;

		for (size_t j = 0; j < sizeof(wanted) / sizeof(wanted[0]); j++)
			known = known || strcmp(wanted[j].row, captured[i].id) == 0;
		for (size_t j = 0; j < sizeof(other_rows) / sizeof(other_rows[0]); j++)
			known = known || strcmp(other_rows[j], captured[i].id) == 0;
		if (!known)
			ok(false, "%s: has no expected values here", captured[i].id);
	}
	is_int(captured_count, 39, "the file has the rows it should have");
}

int
main(void)
{
	captured_load();
	test_all_rows_known();
	test_reports();
	test_status_and_photo();
	test_forum_chain();
	test_forum_units();
	captured_free();
	return done_testing();
}
