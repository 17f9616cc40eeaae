/*
 * test_record.c
 *		What the record reader makes of fields at and beyond their limits.
 *
 * Invariant: a field that cannot be read costs itself and its quality bit;
 * nothing that is read from any bytes breaks check_record().
 */
#include <locale.h>
#include <stdlib.h>

#include "codec/pt621_codec.h"
#include "../fuzz/check_record.h"
#include "csv.h"
#include "tap.h"

/* Fields 0 to 13 of a good record, to put one tail or another behind. */
#define HEAD	"$POS,77,112742.000,A,0900.9050,N,03845.0609,E,13.12,212.34,290421,,,A"
#define TIME_OF_HEAD	INT64_C(1619695662000000)	/* 2021-04-29 11:27:42 UTC */

static uint8_t *memory;			/* of exactly the text's size */
static Pt621Record r;
static Pt621Error error;

/* Reads a text from memory that ends where it ends. */
static bool
parse_bytes(const void *text, size_t size)
{
	const char *broken;

	free(memory);
	memory = malloc(size ? size : 1);
	memcpy(memory, text, size);
	if (!pt621_parse(memory, size, &r, &error))
	{
		if (error.code == PT621_OK || error.at > size)
			ok(false, "an error has a code and a place in the text");
		return false;
	}
	broken = check_record(&r, memory, size);
	if (broken)
		ok(false, "%.*s: %s", (int) size, (const char *) text, broken);
	return broken == NULL;
}

static bool
parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

/*
 * Reads HEAD with field i (0 to 13) replaced, and a usual tail.  Returns false
 * when it is no record.
 */
static bool
parse_with(int field, const char *value, size_t size)
{
	static const char *const fields[] = {
		"$POS", "77", "112742.000", "A", "0900.9050", "N", "03845.0609", "E",
		"13.12", "212.34", "290421", "", "", "A"
	};
	char		text[2048];
	size_t		used = 0;

	for (int i = 0; i < 14; i++)
	{
		size_t		length = i == field ? size : strlen(fields[i]);

		memcpy(text + used, i == field ? value : fields[i], length);
		used += length;
		text[used++] = i < 13 ? ',' : '/';
	}
	memcpy(text + used, "00010,10/1f8,0/5500//fd7//\r\n", 28);
	return parse_bytes(text, used + 28);
}

#define WITH(field, value)	parse_with(field, value, sizeof(value) - 1)

static bool
is_text(Pt621Text text, const char *expected)
{
	if (expected == NULL)
		return text.at == NULL && text.size == 0;
	return text.at != NULL && text.size == strlen(expected) &&
		memcmp(text.at, expected, text.size) == 0;
}

/* Checks a tail: what follows the mode letter's field. */
static void
tail_is(const char *tail, const char *inputs, const char *outputs,
		const char *adc, int64_t odometer, const char *driver, const char *gsb,
		const char *spec, bool stored)
{
	char		text[512];
	char		got[256] = "";
	char		bits[2][PT621_BITS_MAX + 1];

	snprintf(text, sizeof(text), "%s%s", HEAD, tail);
	if (!ok(parse(text), "tail %s: is read", tail))
		return;
	for (uint32_t i = 0; i < r.adc_count; i++)
		sprintf(got + strlen(got), "%s%d", i ? "," : "", r.adc[i]);
	for (int i = 0; i < 2; i++)
	{
		const Pt621Bits *b = i ? &r.outputs : &r.inputs;

		for (uint32_t j = 0; j < b->count; j++)
			bits[i][j] = b->bits >> (PT621_BITS_MAX - 1 - j) & 1 ? '1' : '0';
		bits[i][b->count] = '\0';
	}
	is_str(bits[0], inputs, "tail %s: inputs", tail);
	is_str(bits[1], outputs, "tail %s: outputs", tail);
	is_str(got, adc, "tail %s: analog values", tail);
	is_int(r.odometer_m, odometer, "tail %s: odometer", tail);
	ok(is_text(r.driver, driver) && is_text(r.gsb, gsb) && is_text(r.spec, spec),
	   "tail %s: driver, gsb, spec", tail);
	ok(r.stored == stored && r.quality == 0, "tail %s: stored or live, all readable",
	   tail);
}

static void
test_tails(void)
{
#define IO	"/00010,10000"
	/* protocol 3, "tail variants seen", in its order */
	tail_is(IO "/0,0,0,0/309900/#", "00010", "10000", "0,0,0,0", 309900, NULL, NULL, NULL, true);
	tail_is(IO "/0,0,0,0/1204100/", "00010", "10000", "0,0,0,0", 1204100, NULL, NULL, NULL, false);
	tail_is(IO "/0/23895000//\r\n", "00010", "10000", "0", 23895000, NULL, NULL, NULL, false);
	tail_is(IO "/0/0/\r\n", "00010", "10000", "0", 0, NULL, NULL, NULL, false);
	tail_is(IO "/6/0/", "00010", "10000", "6", 0, NULL, NULL, NULL, false);
	tail_is("/0000,0/0/55000//a71/\r\n", "0000", "0", "0", 55000, NULL, "a71", NULL, false);
	tail_is(IO "/0,0,0,0/15986500//fb8/", "00010", "10000", "0,0,0,0", 15986500, NULL, "fb8", NULL, false);
	tail_is("/0000,0/0/0//853/\r\n", "0000", "0", "0", 0, NULL, "853", NULL, false);
	tail_is("/0000,0/1f8/388900//f33//\r\n", "0000", "0", "504", 388900, NULL, "f33", NULL, false);
	tail_is("/0000,0//232300//5b3/", "0000", "0", "", 232300, NULL, "5b3", NULL, false);
	tail_is(IO "/270,0,0,0/19948900//fa4//", "00010", "10000", "624,0,0,0", 19948900, NULL, "fa4", NULL, false);
	tail_is(IO "/270,0,0,0/19948900//fa4//#\n", "00010", "10000", "624,0,0,0", 19948900, NULL, "fa4", NULL, true);
	tail_is("/00000,10/1,0/234//FD9/", "00000", "10", "1,0", 234, NULL, "FD9", NULL, false);
	tail_is(IO "/142,0,0,0/62792900//f65//#\n", "00010", "10000", "322,0,0,0", 62792900, NULL, "f65", NULL, true);
	tail_is("/00000,00000/0/0//\r\n", "00000", "00000", "0", 0, NULL, NULL, NULL, false);
	tail_is("/00000,00000/0/0//#\n", "00000", "00000", "0", 0, NULL, NULL, NULL, true);
	tail_is("/00000,00000/0,0,0,0/250161300//fd7//\r\r", "00000", "00000", "0,0,0,0", 250161300, NULL, "fd7", NULL, false);
	/* the line cut off behind the odometer (protocol-open-questions C17) */
	tail_is("/00000,00000/0/5360872", "00000", "00000", "0", 5360872, NULL, NULL, NULL, false);

	/* not captured, but what the layout allows */
	tail_is("", "", "", "", -1, NULL, NULL, NULL, false);
	tail_is("#\n", "", "", "", -1, NULL, NULL, NULL, true);
	tail_is("/", "", "", "", -1, NULL, NULL, NULL, false);
	tail_is("/1", "1", "", "", -1, NULL, NULL, NULL, false);
	tail_is("/,1", "", "1", "", -1, NULL, NULL, NULL, false);
	tail_is("/1,", "1", "", "", -1, NULL, NULL, NULL, false);
	tail_is("///////", "", "", "", -1, NULL, NULL, NULL, false);
	tail_is("////////", "", "", "", -1, NULL, NULL, "/", false);
	tail_is(IO "/1,,3/100", "00010", "10000", "1,-1,3", 100, NULL, NULL, NULL, false);
	tail_is(IO "/FFFF,ffff,0/100", "00010", "10000", "65535,65535,0", 100, NULL, NULL, NULL, false);
	tail_is(IO "/0/100/0A1B2C/fd7//", "00010", "10000", "0", 100, "0A1B2C", "fd7", NULL, false);
	tail_is(IO "/0/100/  J. Doe /fd7//", "00010", "10000", "0", 100, "J. Doe", "fd7", NULL, false);
	tail_is(IO "/0/100/   /fd7//", "00010", "10000", "0", 100, NULL, "fd7", NULL, false);
	tail_is(IO "/0/100//fd7/2,21.5,-3/", "00010", "10000", "0", 100, NULL, "fd7", "2,21.5,-3", false);
	tail_is(IO "/0/100//fd7/2,a/b,c/d/#\n", "00010", "10000", "0", 100, NULL, "fd7", "2,a/b,c/d", true);
	tail_is(IO "/0/100//fd7/2#3/", "00010", "10000", "0", 100, NULL, "fd7", "2#3", false);
	tail_is(IO "/0/100//fd7/ x /", "00010", "10000", "0", 100, NULL, "fd7", " x ", false);
	tail_is(IO "/0/100//fd7/x", "00010", "10000", "0", 100, NULL, "fd7", "x", false);
	tail_is(IO "/0/100//fd7/##", "00010", "10000", "0", 100, NULL, "fd7", "#", true);
}

/* Reads HEAD with one tail; checks the quality bits it gets. */
static void
quality_is(const char *tail, uint32_t quality, const char *what)
{
	char		text[2048];

	snprintf(text, sizeof(text), "%s%s", HEAD, tail);
	if (ok(parse(text), "%s: is a record", what))
		is_int(r.quality, quality, "%s: quality bits", what);
}

static void
test_tail_limits(void)
{
	quality_is("/0000000000000000000000000000000,1/0/1", 0, "31 inputs");
	quality_is("/10000000000000000000000000000001,1/0/1", 0, "32 inputs");
	ok(r.inputs.count == 32 && r.inputs.bits == 0x80000001, "32 inputs: all of them");
	quality_is("/100000000000000000000000000000001,1/0/1", PT621_BAD_INPUTS, "33 inputs");
	ok(r.inputs.count == 0 && r.outputs.count == 1, "33 inputs: missing, the outputs are not");
	quality_is("/1,000000000000000000000000000000000/0/1", PT621_BAD_OUTPUTS, "33 outputs");
	quality_is("/00200,1/0/1", PT621_BAD_INPUTS, "an input of 2");
	quality_is("/00010,0x/0/1", PT621_BAD_OUTPUTS, "an output of x");
	quality_is("/00010,00,00/0/1", PT621_BAD_OUTPUTS, "a third group");

	quality_is("/1,1/0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f/1", 0, "16 analog values");
	ok(r.adc_count == 16 && r.adc[15] == 15, "16 analog values: all of them");
	quality_is("/1,1/0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,10/1", PT621_BAD_ADC, "17 analog values");
	ok(r.adc_count == 16 && r.adc[15] == 15 && r.odometer_m == 1,
	   "17 analog values: the first 16");
	quality_is("/1,1/10000/1", PT621_BAD_ADC, "an analog value of five digits");
	ok(r.adc_count == 1 && r.adc[0] == -1, "an analog value of five digits: missing");
	quality_is("/1,1/-1,0x1,1.5,1/1", PT621_BAD_ADC, "analog values that are none");
	ok(r.adc_count == 4 && r.adc[2] == -1 && r.adc[3] == 1,
	   "analog values that are none: their places stay");

	quality_is("/1,1/0/999999999999999999", 0, "an odometer of 18 digits");
	is_int(r.odometer_m, INT64_C(999999999999999999), "an odometer of 18 digits");
	quality_is("/1,1/0/1000000000000000000", PT621_BAD_ODOMETER, "an odometer of 19 digits");
	is_int(r.odometer_m, -1, "an odometer of 19 digits: missing");
	quality_is("/1,1/0/99999999999999999999999999", PT621_BAD_ODOMETER, "an odometer of 26 digits");
	quality_is("/1,1/0/-5", PT621_BAD_ODOMETER, "a negative odometer");
	quality_is("/1,1/0/5.5", PT621_BAD_ODOMETER, "an odometer with a point");
	quality_is("/1,1/0/ 5", PT621_BAD_ODOMETER, "an odometer with a space");

	quality_is("/1,1/0/1//FfF/", 0, "gsb in both cases");
	ok(r.gsb_digit[0] == 15 && r.gsb_digit[1] == 15 && r.gsb_digit[2] == 15,
	   "gsb in both cases: its digits");
	quality_is("/1,1/0/1//ff/", PT621_BAD_GSB, "gsb of two digits");
	ok(is_text(r.gsb, "ff") && r.gsb_digit[0] == -1, "gsb of two digits: kept as sent");
	quality_is("/1,1/0/1//ffff/", PT621_BAD_GSB, "gsb of four digits");
	quality_is("/1,1/0/1//fgf/", PT621_BAD_GSB, "gsb with a letter g");
	ok(r.gsb_digit[0] == -1 && r.gsb_digit[2] == -1, "gsb with a letter g: no digits");
	quality_is("/1,1/0/1//f,f/", PT621_BAD_GSB, "gsb with a comma");
	quality_is("/1,1/0/1/d\x7F/fd7/", PT621_BAD_DRIVER, "a driver with DEL");
	ok(r.driver.at == NULL && r.gsb_digit[0] == 15, "a driver with DEL: missing, gsb is not");
	quality_is("/1,1/0/1//fd7/\x80/", PT621_BAD_SPEC, "spec with a byte of 0x80");
	ok(r.spec.at == NULL, "spec with a byte of 0x80: missing");
	quality_is("/1,1/0/1//f\xC3\xA9/", PT621_BAD_GSB, "gsb in UTF-8");
	ok(r.gsb.at == NULL, "gsb in UTF-8: missing");
}

static void
test_place(void)
{
#define PLACE_BITS	(PT621_BAD_LATITUDE | PT621_BAD_LONGITUDE)
	static const struct
	{
		int			field;
		const char *value;
		uint32_t	quality;
		double		result;		/* of that coordinate */
	}			cases[] = {
		{4, "9000.0000", 0, 90},
		{4, "9000.0001", PT621_BAD_LATITUDE, NAN},
		{4, "9100.0000", PT621_BAD_LATITUDE, NAN},
		{4, "8959.9999", 0, 89.99999833333333},
		{4, "0960.0000", PT621_BAD_LATITUDE, NAN},
		{4, "0959.9999", 0, 9.999998333333333},
		{4, "0000.0000", 0, 0},
		{4, "900.9050", 0, 9.015083333333333},
		{4, "00.9050", 0, 0.015083333333333334},
		{4, "0900", 0, 9},
		{4, "0900.", 0, 9},
		{4, ".5", 0, 0.008333333333333333},
		{4, ".", PT621_BAD_LATITUDE, NAN},
		{4, "", PT621_BAD_LATITUDE, NAN},
		{4, "-0900.9050", PT621_BAD_LATITUDE, NAN},
		{4, "09 0.9050", PT621_BAD_LATITUDE, NAN},
		{4, "0900.90.50", PT621_BAD_LATITUDE, NAN},
		{4, "9e1", PT621_BAD_LATITUDE, NAN},
		{4, "nan", PT621_BAD_LATITUDE, NAN},
		{4, "0900.9050000000", 0, 9.015083333333333},
		{4, "0900.90500000000", PT621_BAD_LATITUDE, NAN},
		{4, "99999999999999999999", PT621_BAD_LATITUDE, NAN},
		{4, "00000000000900", 0, 9},
		{6, "18000.0000", 0, 180},
		{6, "18000.1000", PT621_BAD_LONGITUDE, NAN},
		{6, "18100.0000", PT621_BAD_LONGITUDE, NAN},
		{6, "17959.9999", 0, 179.99999833333334},
		{6, "204.6787", 0, 2.0779783333333333},
		{6, "", PT621_BAD_LONGITUDE, NAN},
		{5, "", PT621_BAD_LATITUDE, NAN},
		{5, "n", PT621_BAD_LATITUDE, NAN},
		{5, "NN", PT621_BAD_LATITUDE, NAN},
		{5, "E", PT621_BAD_LATITUDE, NAN},
		{7, "", PT621_BAD_LONGITUDE, NAN},
		{7, "S", PT621_BAD_LONGITUDE, NAN},
	};
	char		text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		double		got;

		if (!ok(parse_with(cases[i].field, cases[i].value, strlen(cases[i].value)),
				"field %d '%s': is a record", cases[i].field, cases[i].value))
			continue;
		got = cases[i].field < 6 ? r.latitude : r.longitude;
		is_int(r.quality, cases[i].quality, "field %d '%s': quality",
			   cases[i].field, cases[i].value);
		ok(isnan(cases[i].result) ? isnan(r.latitude) && isnan(r.longitude) && !r.valid
		   : fabs(got - cases[i].result) < 1e-12 && r.valid,
		   "field %d '%s': place", cases[i].field, cases[i].value);
		is_int(r.device_time, TIME_OF_HEAD, "field %d '%s': the rest is read",
			   cases[i].field, cases[i].value);
	}

	ok(WITH(5, "S") && r.latitude < 0 && r.longitude > 0, "south is negative");
	ok(WITH(7, "W") && r.latitude > 0 && r.longitude < 0, "west is negative");
	ok(WITH(3, "V") && !r.valid && r.latitude > 0 && r.quality == 0,
	   "without a fix the last place is kept, and not valid");
	ok(WITH(3, "") && !r.valid && r.quality == PT621_BAD_FIX_FLAG, "no fix flag");
	ok(WITH(3, "AA") && !r.valid && r.quality == PT621_BAD_FIX_FLAG, "fix flag AA");
	ok(WITH(3, "a") && !r.valid && r.quality == PT621_BAD_FIX_FLAG, "fix flag a");

	parse("$POS,77,112742.000,V,,,,,,,290421");
	ok(r.quality == 0 && isnan(r.latitude) && isnan(r.speed_kmh) && isnan(r.course),
	   "no fix and empty fields: nothing is wrong");
	parse("$POS,77,112742.000,A,,,,,,,290421");
	ok(r.quality == PLACE_BITS && !r.valid, "a fix without a place is doubtful");
	parse("$POS,77,112742.000,V,0900.9050,N,,,,,290421");
	ok(r.quality == 0 && isnan(r.latitude) && isnan(r.longitude), "half a place is none");
	parse("$POS,77,112742.000,V,0900.9050,,,,,,290421");
	ok(r.quality == PT621_BAD_LATITUDE, "a latitude without its letter");
	parse("$POS,77,112742.000,A,0000.0000,N,00000.0000,E,0,0,290421");
	ok(r.quality == PT621_NULL_ISLAND && r.valid && r.latitude == 0,
	   "0 N 0 E is kept and marked");
	parse("$POS,77,112742.000,A,0000.0000,S,00000.0000,W,0,0,290421");
	snprintf(text, sizeof(text), "%g %g", r.latitude, r.longitude);
	is_str(text, "0 0", "0 S 0 W is not minus zero");
}

static void
test_time(void)
{
	static const struct
	{
		const char *time;
		const char *date;
		uint32_t	quality;
		int64_t		result;		/* microseconds */
	}			cases[] = {
		{"000000", "010100", 0, INT64_C(946684800000000)},
		{"000000.", "010100", 0, INT64_C(946684800000000)},
		{"000000.5", "010100", 0, INT64_C(946684800500000)},
		{"000000.05", "010100", 0, INT64_C(946684800050000)},
		{"000000.123", "010100", 0, INT64_C(946684800123000)},
		{"000000.1234", "010100", 0, INT64_C(946684800123400)},
		{"000000.12345", "010100", 0, INT64_C(946684800123450)},
		{"000000.123456", "010100", 0, INT64_C(946684800123456)},
		{"000000.1234567", "010100", 0, INT64_C(946684800123456)},
		{"000000.99999999999999999999999", "010100", 0, INT64_C(946684800999999)},
		{"235959.999", "311299", 0, INT64_C(4102444799999000)},
		{"235959", "290224", 0, INT64_C(1709251199000000)},
		{"000000", "010324", 0, INT64_C(1709251200000000)},
		{"000000", "290200", 0, INT64_C(951782400000000)},
		{"000000", "010180", 0, INT64_C(3471292800000000)},
		{"000000", "310523", 0, INT64_C(1685491200000000)},
		{"000000", "290223", PT621_BAD_DATE, 0},
		{"000000", "300224", PT621_BAD_DATE, 0},
		{"000000", "310224", PT621_BAD_DATE, 0},
		{"000000", "310423", PT621_BAD_DATE, 0},
		{"000000", "000123", PT621_BAD_DATE, 0},
		{"000000", "010023", PT621_BAD_DATE, 0},
		{"000000", "011323", PT621_BAD_DATE, 0},
		{"000000", "320123", PT621_BAD_DATE, 0},
		{"000000", "", PT621_BAD_DATE, 0},
		{"000000", "01012", PT621_BAD_DATE, 0},
		{"000000", "0101233", PT621_BAD_DATE, 0},
		{"000000", "0x0123", PT621_BAD_DATE, 0},
		{"000000", "-10123", PT621_BAD_DATE, 0},
		{"240000", "010123", PT621_BAD_TIME, 0},
		{"006000", "010123", PT621_BAD_TIME, 0},
		{"000060", "010123", PT621_BAD_TIME, 0},
		{"00000", "010123", PT621_BAD_TIME, 0},
		{"", "010123", PT621_BAD_TIME, 0},
		{"0000000", "010123", PT621_BAD_TIME, 0},
		{"000000x", "010123", PT621_BAD_TIME, 0},
		{"000000.-1", "010123", PT621_BAD_TIME, 0},
		{"000000.1.1", "010123", PT621_BAD_TIME, 0},
		{" 10000", "010123", PT621_BAD_TIME, 0},
		{"", "", PT621_BAD_TIME | PT621_BAD_DATE, 0},
	};
	char		text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		snprintf(text, sizeof(text), "$POS,77,%s,A,0900.9050,N,03845.0609,E,1,2,%s",
				 cases[i].time, cases[i].date);
		ok(parse(text) && r.valid && r.quality == cases[i].quality,
		   "time '%s' date '%s': quality", cases[i].time, cases[i].date);
		is_int(r.device_time, cases[i].quality ? PT621_NO_TIME : cases[i].result,
			   "time '%s' date '%s': time", cases[i].time, cases[i].date);
	}
}

static void
test_motion(void)
{
	static const struct
	{
		int			field;
		const char *value;
		uint32_t	quality;
		double		result;
	}			cases[] = {
		{8, "", 0, NAN},
		{8, "0", 0, 0},
		{8, "0.0", 0, 0},
		{8, "1", 0, 1.852},
		{8, "999.9", 0, 1851.8148},
		{8, "1000", PT621_BAD_SPEED, NAN},
		{8, "999.91", PT621_BAD_SPEED, NAN},
		{8, "-1", PT621_BAD_SPEED, NAN},
		{8, "1e2", PT621_BAD_SPEED, NAN},
		{8, "inf", PT621_BAD_SPEED, NAN},
		{8, " 1", PT621_BAD_SPEED, NAN},
		{8, "99999999999999999999999999999999", PT621_BAD_SPEED, NAN},
		{9, "", 0, NAN},
		{9, "360", 0, 360},
		{9, "359.99", 0, 359.99},
		{9, "360.01", PT621_BAD_COURSE, NAN},
		{9, "26815635", PT621_BAD_COURSE, NAN},
		{9, "x", PT621_BAD_COURSE, NAN},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		double		got;

		ok(parse_with(cases[i].field, cases[i].value, strlen(cases[i].value)) &&
		   r.quality == cases[i].quality && r.valid,
		   "field %d '%s': quality", cases[i].field, cases[i].value);
		got = cases[i].field == 8 ? r.speed_kmh : r.course;
		ok(isnan(cases[i].result) ? isnan(got) : fabs(got - cases[i].result) < 1e-9,
		   "field %d '%s': value", cases[i].field, cases[i].value);
	}
}

static void
test_identity(void)
{
	char		text[64];
	int			wrong = 0;

	ok(WITH(1, "12345678901234567890") && r.ident.size == 20, "an id of 20 bytes");
	ok(!WITH(1, "123456789012345678901234567890") &&
	   error.code == PT621_IDENT_LENGTH && error.at == 5 && error.found == 30 &&
	   error.expected == PT621_IDENT_MAX, "an id of 30 digits");
	ok(!WITH(1, "") && error.code == PT621_IDENT_LENGTH && error.found == 0, "no id");
	ok(WITH(1, "A b-7") && is_text(r.ident, "A b-7"), "an id need not be a number");

	for (int byte = 0; byte < 256; byte++)
	{
		bool		printable = byte >= 0x20 && byte <= 0x7E;

		if (byte == ',' || byte == '/')
			continue;
		memcpy(text, "12 34", 5);
		text[2] = (char) byte;
		if (parse_with(1, text, 5) != printable ||
			(!printable && !(error.code == PT621_IDENT_BYTE &&
							 error.found == (uint32_t) byte && error.at == 7)))
		{
			wrong++;
			printf("# id with the byte %02x\n", byte);
		}
	}
	is_int(wrong, 0, "an id with each byte");

	ok(WITH(0, "$X") && is_text(r.code, "X"), "a code of one letter");
	ok(WITH(0, "$ABCDEFGHIJKLMNO") && r.code.size == 15, "a code of 15 bytes");
	ok(!WITH(0, "$ABCDEFGHIJKLMNOP") && error.code == PT621_CODE, "a code of 16 bytes");
	ok(!WITH(0, "$") && error.code == PT621_CODE, "no code");
	ok(!WITH(0, "$A\x80") && error.code == PT621_CODE, "a code with a byte of 0x80");
	ok(!WITH(0, "$PO/S") && error.code == PT621_TOO_FEW_FIELDS, "a code with a slash");
	ok(!WITH(0, "POS") && error.code == PT621_NOT_A_RECORD, "no mark");

	ok(!parse("") && error.code == PT621_NOT_A_RECORD, "nothing");
	ok(!parse("$") && error.code == PT621_TOO_FEW_FIELDS, "a mark alone");
	ok(!parse("$\r\n") && error.code == PT621_TOO_FEW_FIELDS, "a mark and a line end");
	ok(!parse("$POS") && error.code == PT621_TOO_FEW_FIELDS, "a code alone");
	ok(!parse("$POS,77,112742.000,A,0900") && error.code == PT621_TOO_FEW_FIELDS &&
	   error.found == 5 && error.expected == 11 && error.at == 25, "5 fields");
	ok(is_text(r.code, "POS") && is_text(r.ident, "77"),
	   "5 fields: code and id are told");
	ok(!parse("$POS,77,1,A,0900,N,03845,E,1,2\r\n") && error.found == 10, "10 fields");
	ok(parse("$POS,77,1,A,0900,N,03845,E,1,2,\r\n"), "11 fields");
	ok(!parse("$POS,77,1,A,09/00,N,03845,E,1,2,3,4,5,6,7\r\n") &&
	   error.code == PT621_TOO_FEW_FIELDS, "a slash in the first fields");
}

static void
test_codes(void)
{
	/* protocol 4, each with the name that users see */
	static const char *const codes[][2] = {
		{"POS", NULL}, {"IN1", "sos"}, {"IN2", "input_2"}, {"IN3", "input_3"},
		{"IN4", "input_4"}, {"IN5", "input_5"}, {"IU1", "input_1_up"},
		{"IU2", "input_2_up"}, {"IU3", "input_3_up"}, {"IU4", "input_4_up"},
		{"SPD", "overspeed"}, {"GOF", "geofence"}, {"GEO", "geofence"},
		{"MLA", "mileage"}, {"SKA", "vibration"}, {"LPA", "low_battery"},
		{"CPA", "power_cut"}, {"SLP", "sleep"}, {"TOW", "towing"},
		{"PMA", "movement"}, {"HDA", "harsh_acceleration"},
		{"HDB", "harsh_braking"}, {"FDA", "fatigue"}, {"AD1", "analog_1"},
		{"PHO", "photo"},
		/* not documented, or not a code at all: their own name */
		{"DFR", "dfr"}, {"pos", "pos"}, {"AD9", "ad9"}, {"IN", "in"},
		{"POSX", "posx"}, {"A-Z z", "a-z z"},
		{"ABCDEFGHIJKLMNO", "abcdefghijklmno"},
		/* statuses and pieces of photos are no events */
		{"FUS", NULL}, {"PHD", NULL}, {"", NULL},
	};
	char		buffer[PT621_CODE_MAX + 1];
	int			bits = 0;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		is_str(pt621_event((const uint8_t *) codes[i][0], strlen(codes[i][0]), buffer),
			   codes[i][1], "code '%s'", codes[i][0]);
	is_str(pt621_event((const uint8_t *) "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 26, buffer),
		   "abcdefghijklmno", "a code too long is cut, not overrun");

	while (pt621_quality_name(bits) != NULL)
		bits++;
	is_int(bits, PT621_QUALITY_BITS, "each quality bit has a name");
	ok(pt621_quality_name(-1) == NULL && pt621_quality_name(100) == NULL,
	   "no other number has one");
	is_str(pt621_quality_name(15), "null_island", "bit 15 is the null island");
}

static void
test_photo(void)
{
	ok(WITH(0, "$PHO0") && r.photo_size == 0 && r.quality == 0 &&
	   is_text(r.code, "PHO") && is_text(r.photo_id, NULL), "PHO0: no picture");
	ok(WITH(0, "$PHO6608") && r.photo_size == 6608 && is_text(r.photo_id, NULL), "PHO6608");
	ok(WITH(0, "$PHO3821-1") && r.photo_size == 3821 && is_text(r.photo_id, "1"), "PHO3821-1");
	ok(WITH(0, "$PHO3821-cam 2") && is_text(r.photo_id, "cam 2"), "PHO3821-cam 2");
	ok(WITH(0, "$PHO3821-") && r.photo_size == 3821 && r.quality == PT621_BAD_PHOTO &&
	   is_text(r.photo_id, NULL), "PHO3821- has no number");
	ok(WITH(0, "$PHO3821-\x01") && r.quality == PT621_BAD_PHOTO &&
	   is_text(r.photo_id, NULL), "PHO3821- and a byte that does not print");
	ok(WITH(0, "$PHO") && r.photo_size == -1 && r.quality == PT621_BAD_PHOTO, "PHO alone");
	ok(WITH(0, "$PHO12x") && r.photo_size == -1 && r.quality == PT621_BAD_PHOTO &&
	   is_text(r.code, "PHO"), "PHO12x");
	ok(WITH(0, "$PHO999999999") && r.photo_size == 999999999 && r.quality == 0,
	   "PHO of 9 digits");
	ok(WITH(0, "$PHO99999999999") && r.photo_size == -1 && r.quality == PT621_BAD_PHOTO &&
	   r.valid, "PHO99999999999: its place is kept");
	ok(WITH(0, "$PHOX") && is_text(r.code, "PHOX") && r.photo_size == -1 && r.quality == 0,
	   "PHOX is another code");
	ok(WITH(0, "$PHO1\x80") && is_text(r.code, "PHO") && r.quality == PT621_BAD_PHOTO,
	   "PHO1 and a byte of 0x80");

	ok(parse_bytes("$PHD960,4,\xFF\xD8\r\n\r\n", 16) && r.kind == PT621_PHOTO_CHUNK &&
	   r.photo_offset == 960 && r.photo_data.size == 4 && r.photo_data.at[0] == 0xFF &&
	   r.photo_data.at[3] == '\n', "a chunk that holds CR LF");
	ok(parse("$PHD0,0,") && r.photo_data.size == 0, "a chunk without bytes");
	ok(parse("$PHD0,3,a,b") && r.photo_data.size == 3, "a chunk that holds a comma");
	ok(!parse("$PHD0,4,abc") && error.code == PT621_PHOTO_CUT_SHORT && error.at == 8 &&
	   error.found == 3 && error.expected == 4, "a chunk cut short");
	ok(!parse("$PHD,4,abcd") && error.code == PT621_PHOTO_HEADER, "no offset");
	ok(!parse("$PHD0,,abcd") && error.code == PT621_PHOTO_HEADER, "no length");
	ok(!parse("$PHD0") && error.code == PT621_PHOTO_HEADER, "no more than an offset");
	ok(!parse("$PHD0,4") && error.code == PT621_PHOTO_HEADER, "no comma");
	ok(!parse("$PHD0/4,abcd") && error.code == PT621_PHOTO_HEADER, "a slash");
	ok(!parse("$PHD1234567890,4,abcd") && error.code == PT621_PHOTO_HEADER,
	   "an offset of ten digits");
	ok(!parse("$PHD-1,4,abcd") && error.code == PT621_PHOTO_HEADER, "a negative offset");
	ok(!parse("$PHD0,999999,abcd") && error.code == PT621_PHOTO_HEADER,
	   "a length of six digits");
}

static void
test_status(void)
{
	ok(parse("$FUS865328026243864,510-V1.12,A11-V3.0\r\r") && r.kind == PT621_STATUS &&
	   is_text(r.hardware, "A11-V3.0"), "a status");
	ok(parse("$FUS,865328026243864,1,2") && is_text(r.ident, "865328026243864") &&
	   is_text(r.firmware, "1"), "a status with a comma behind its code");
	ok(parse("$FUS1") && is_text(r.ident, "1") && is_text(r.firmware, NULL) &&
	   is_text(r.hardware, NULL), "a status of an IMEI alone");
	ok(parse("$FUS1,,x") && is_text(r.firmware, NULL) && is_text(r.hardware, "x"),
	   "a status without firmware");
	ok(parse("$FUS1,\x80,x") && is_text(r.firmware, NULL) && is_text(r.hardware, "x"),
	   "a firmware that does not print");
	ok(parse("$FUS,123456,120000.000,A,0846.0896,N,07552.1738,W,0.0,0.0,010125") &&
	   r.kind == PT621_REPORT && is_text(r.ident, "123456") && r.latitude > 8.7,
	   "a report of the code FUS");
	ok(parse("$FUS,1,120000.000,A,0846.0896,N,07552.1738,W,0.0,0.0") && r.kind == PT621_STATUS,
	   "... which has more fields than this");
	ok(!parse("$FUS,") && error.code == PT621_IMEI, "a status without IMEI");
	ok(!parse("$FUS12x4,1,2") && error.code == PT621_IMEI && error.at == 6,
	   "an IMEI with a letter");
	ok(!parse("$FUS123456789012345678901,1,2") && error.code == PT621_IMEI,
	   "an IMEI of 21 digits");
	ok(WITH(0, "$FUSE") && r.kind == PT621_REPORT && is_text(r.code, "FUSE"),
	   "FUSE is another code");
}

static void
test_text_size(void)
{
	static const struct
	{
		const char *text;
		int			size;
	}			cases[] = {
		{"", 0}, {"\r\n", 0}, {"#\n", 0}, {"#", 0}, {"\n", 0}, {"a", 1},
		{"a\r\n", 1}, {"a\n", 1}, {"a\r", 1}, {"a\r\r", 1}, {"a#\n", 1},
		{"a#\r\n", 1}, {"a#", 1}, {"a##\n", 2}, {"a\n\n", 2}, {"a#b\r\n", 3},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int((long long) pt621_text_size((const uint8_t *) cases[i].text,
										   strlen(cases[i].text)),
			   cases[i].size, "text size, case %zu", i);
}

static void
test_error_texts(void)
{
	char		text[PT621_ERROR_MAX];

	for (int code = 0; code <= PT621_DELTA_INSANE + 1; code++)
	{
		Pt621Error	e = {(Pt621ErrorCode) code, UINT32_MAX, UINT32_MAX, UINT32_MAX};
		bool		fine = true;

		memset(text, 0x55, sizeof(text));
		pt621_error_text(&e, text);
		fine = memchr(text, '\0', sizeof(text)) != NULL;
		for (const char *p = text; fine && *p; p++)
			fine = *p >= 0x20 && *p <= 0x7E;
		ok(fine && strstr(text, ", at byte 4294967295") != NULL,
		   "error %d has a text that fits: %s", code, text);
		ok((strncmp(text, "unknown", 7) == 0) == (code > PT621_DELTA_INSANE),
		   "error %d has a text of its own", code);
	}
	WITH(1, "a\x1B[31mb");
	pt621_error_text(&error, text);
	is_str(text, "id holds the byte \\x1b, at byte 6", "a text holds no byte of the wire");
}

/*
 * Each byte value, in each place of a captured text: check_record() in
 * parse_bytes() says what must hold.  Then in place of each whole field.
 */
static void
test_every_byte(void)
{
	static const char *const rows[] = {
		"T-DEC-01", "T-DEC-03", "T-DEC-07", "I199", "FORUM-04", "TW-1"
	};
	int			before = tap_failed;
	long		read = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		const Captured *row = captured_get(rows[i]);
		uint8_t		text[512];

		for (size_t at = 0; at < row->size; at++)
		{
			for (int byte = 0; byte < 256; byte++)
			{
				memcpy(text, row->bytes, row->size);
				text[at] = (uint8_t) byte;
				read += parse_bytes(text, row->size);
			}
			/* and cut off there */
			parse_bytes(row->bytes, at);
		}
	}
	for (int field = 0; field < 14; field++)
	{
		for (int byte = 0; byte < 256; byte++)
		{
			char		value[40];

			memset(value, byte, sizeof(value));
			for (size_t size = 1; size <= sizeof(value); size += 13)
				read += parse_with(field, value, size);
		}
	}
	for (int part = 0; part < 6; part++)
	{
		for (int byte = 0; byte < 256; byte++)
		{
			char		text[256];
			size_t		size = sizeof(HEAD) - 1;

			memcpy(text, HEAD, size);
			for (int i = 0; i <= part; i++)
				text[size++] = '/';
			for (int i = 0; i < 40; i++)
				text[size++] = (char) byte;
			read += parse_bytes(text, size);
		}
	}
	ok(tap_failed == before && read > 100000,
	   "each byte value in each place, %ld records read", read);
}

/* A locale with a decimal comma must change nothing. */
static void
test_locale(void)
{
	static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "tr_TR.UTF-8"};
	bool		found = false;

	for (size_t i = 0; i < 4 && !found; i++)
		found = setlocale(LC_ALL, names[i]) != NULL;
	if (!found)
	{
		skip("no locale with a decimal comma here");
		return;
	}
	ok(parse(HEAD "/1,1/1f8/5") && r.quality == 0 && fabs(r.course - 212.34) < 1e-9,
	   "a decimal comma in the locale changes nothing");
	setlocale(LC_ALL, "C");
}

int
main(void)
{
	captured_load();
	test_tails();
	test_tail_limits();
	test_place();
	test_time();
	test_motion();
	test_identity();
	test_codes();
	test_photo();
	test_status();
	test_text_size();
	test_error_texts();
	test_every_byte();
	test_locale();
	free(memory);
	captured_free();
	return done_testing();
}
