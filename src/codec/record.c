/*
 * record.c
 *		Reads one record (protocol 3 to 7).
 *
 * Invariants.  A record is read by cutting it at its separators, never by one
 * fixed form: every field behind the date is optional, and a field that cannot
 * be read costs itself and a quality bit, not the record.  What a later
 * firmware puts behind the known fields ends up in `spec`.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"
#include "codec/cursor.h"
#include "codec/field.h"

#include <math.h>
#include <string.h>

/* Fields up to and with the date; the shortest report seen has just these. */
#define REPORT_FIELDS_MIN	11
#define MICROSECONDS_A_DAY	(INT64_C(86400) * 1000000)
#define KMH_A_KNOT			1.852
#define KNOTS_MAX			999.9

static uint32_t
line_end_size(const uint8_t *text, size_t size)
{
	if (size == 0 || (text[size - 1] != '\n' && text[size - 1] != '\r'))
		return 0;
	/* CR LF and CR CR are one line end, LF LF is two. */
	return size > 1 && text[size - 2] == '\r' ? 2 : 1;
}

bool
pt621_printable(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		if (bytes[i] < 0x20 || bytes[i] > 0x7E)
			return false;
	}
	return true;
}

size_t
pt621_text_size(const uint8_t *text, size_t size)
{
	size -= line_end_size(text, size);
	if (size > 0 && text[size - 1] == '#')
		size--;
	return size;
}

/* Reads "PHO<size>[-<number>]", the code of a photo announcement. */
static void
read_announcement(Pt621Record *record)
{
	Pt621Text	rest = {record->code.at + 3, record->code.size - 3};
	const uint8_t *dash = memchr(rest.at, '-', rest.size);
	Pt621Text	number = {rest.at, rest.size};

	record->code.size = 3;
	if (dash)
	{
		number.size = (uint32_t) (dash - rest.at);
		record->photo_id.at = dash + 1;
		record->photo_id.size = rest.size - number.size - 1;
		if (record->photo_id.size == 0 || !pt621_printable(record->photo_id.at, record->photo_id.size))
		{
			record->photo_id = (Pt621Text) {NULL, 0};
			record->quality |= PT621_BAD_PHOTO;
		}
	}
	if (number.size > 9 || !field_integer(number, &record->photo_size))
		record->quality |= PT621_BAD_PHOTO;
}

/* Reads the code and the tracker's id, without which there is no record. */
static bool
read_identity(const uint8_t *text, Pt621Record *record, Pt621Text code,
			  Pt621Text ident, Pt621Error *error)
{
	if (code.size >= 3 && memcmp(code.at, "PHO", 3) == 0 &&
		(code.size == 3 || (code.at[3] >= '0' && code.at[3] <= '9')))
	{
		record->code = code;
		read_announcement(record);
	}
	else if (code.size == 0 || code.size > PT621_CODE_MAX ||
			 !pt621_printable(code.at, code.size))
		return fail(error, PT621_CODE, 1, code.size, PT621_CODE_MAX);
	else
		record->code = code;

	if (ident.size == 0 || ident.size > PT621_IDENT_MAX)
		return fail(error, PT621_IDENT_LENGTH, (size_t) (ident.at - text),
					ident.size, PT621_IDENT_MAX);
	for (uint32_t i = 0; i < ident.size; i++)
	{
		if (ident.at[i] < 0x20 || ident.at[i] > 0x7E)
			return fail(error, PT621_IDENT_BYTE,
						(size_t) (ident.at - text) + i, ident.at[i], 0);
	}
	record->ident = ident;
	return true;
}

/* Reads time and date; either without the other is no time. */
static void
read_device_time(Pt621Record *record, Pt621Text time, Pt621Text date)
{
	int64_t		microseconds;
	int64_t		days;
	bool		have_time = field_time(time, &microseconds);
	bool		have_date = field_date(date, &days);

	if (!have_time)
		record->quality |= PT621_BAD_TIME;
	if (!have_date)
		record->quality |= PT621_BAD_DATE;
	if (have_time && have_date)
		record->device_time = days * MICROSECONDS_A_DAY + microseconds;
}

/* Reads one coordinate; NAN when missing, with a quality bit when wrong. */
static double
read_coordinate(Pt621Text field, Pt621Text letter, uint8_t positive,
				uint8_t negative, int limit, bool wanted, uint32_t bit,
				uint32_t *quality)
{
	double		degrees;

	if (field.size == 0 && letter.size == 0 && !wanted)
		return NAN;				/* no fix since power-up: nothing to report */
	if (letter.size == 1 &&
		(letter.at[0] == positive || letter.at[0] == negative) &&
		field_coordinate(field, limit, &degrees))
		return letter.at[0] == negative && degrees > 0 ? -degrees : degrees;
	*quality |= bit;
	return NAN;
}

/* Reads fix flag and place: fields 3 to 7. */
static void
read_place(Pt621Record *record, const Pt621Text *field)
{
	bool		flag_valid = field[3].size == 1 && field[3].at[0] == 'A';

	if (!flag_valid && !(field[3].size == 1 && field[3].at[0] == 'V'))
		record->quality |= PT621_BAD_FIX_FLAG;
	record->latitude = read_coordinate(field[4], field[5], 'N', 'S', 90,
									   flag_valid, PT621_BAD_LATITUDE,
									   &record->quality);
	record->longitude = read_coordinate(field[6], field[7], 'E', 'W', 180,
										flag_valid, PT621_BAD_LONGITUDE,
										&record->quality);
	if (isnan(record->latitude) || isnan(record->longitude))
	{
		record->latitude = NAN;
		record->longitude = NAN;
	}
	else
	{
		record->valid = flag_valid;
		if (record->latitude == 0 && record->longitude == 0)
			record->quality |= PT621_NULL_ISLAND;
	}
}

/* Reads speed (knots on the wire) and course. */
static void
read_motion(Pt621Record *record, Pt621Text speed, Pt621Text course)
{
	double		value;

	if (speed.size > 0)
	{
		if (field_decimal(speed, &value) && value <= KNOTS_MAX)
			record->speed_kmh = value * KMH_A_KNOT;
		else
			record->quality |= PT621_BAD_SPEED;
	}
	if (course.size > 0)
	{
		if (field_decimal(course, &value) && value <= 360.0)
			record->course = value;
		else
			record->quality |= PT621_BAD_COURSE;
	}
}

/* Reads the part "input,output". */
static void
read_inputs_outputs(Pt621Record *record, Pt621Text part)
{
	const uint8_t *comma = part.size ? memchr(part.at, ',', part.size) : NULL;
	Pt621Text	inputs = part;
	Pt621Text	outputs = {NULL, 0};

	if (comma)
	{
		inputs.size = (uint32_t) (comma - part.at);
		outputs.at = comma + 1;
		outputs.size = part.size - inputs.size - 1;
	}
	if (inputs.size > 0 && !field_bits(inputs, &record->inputs))
		record->quality |= PT621_BAD_INPUTS;
	if (outputs.size > 0 && !field_bits(outputs, &record->outputs))
		record->quality |= PT621_BAD_OUTPUTS;
}

/* Reads the analog values, hexadecimal and comma separated (protocol 5). */
static void
read_adc(Pt621Record *record, Pt621Text part)
{
	Cursor		c = {part.at, part.at + part.size, ','};

	if (part.size == 0)
		return;
	while (c.separator == ',')
	{
		Pt621Text	field = next_field(&c);
		int32_t		value = -1;

		if (field.size > 0 && !field_hex(field, &value))
			record->quality |= PT621_BAD_ADC;
		if (record->adc_count < PT621_ADC_MAX)
			record->adc[record->adc_count++] = value;
		else
			record->quality |= PT621_BAD_ADC;
	}
}

/* Takes a text field as it is: NULL when empty or not printable. */
static Pt621Text
read_text(Pt621Text field, uint32_t bit, uint32_t *quality)
{
	if (field.size > 0 && !pt621_printable(field.at, field.size))
		*quality |= bit;
	else if (field.size > 0)
		return field;
	return (Pt621Text) {NULL, 0};
}

/* Reads the three digits whose order is not settled (protocol 6). */
static void
read_gsb(Pt621Record *record, Pt621Text field)
{
	record->gsb = read_text(field, PT621_BAD_GSB, &record->quality);
	if (record->gsb.at == NULL)
		return;
	for (uint32_t i = 0; i < 3; i++)
	{
		Pt621Text	one = {field.at + i, 1};
		int32_t		value;

		if (field.size != 3 || !field_hex(one, &value))
		{
			memset(record->gsb_digit, -1, sizeof(record->gsb_digit));
			record->quality |= PT621_BAD_GSB;
			return;
		}
		record->gsb_digit[i] = (int8_t) value;
	}
}

/* Reads what follows the first '/': any of it may be missing. */
static void
read_tail(Pt621Record *record, Cursor *c)
{
	Pt621Text	part;

	read_inputs_outputs(record, next_part(c));
	read_adc(record, next_part(c));

	part = next_part(c);
	if (part.size > 0 && !field_integer(part, &record->odometer_m))
		record->quality |= PT621_BAD_ODOMETER;

	part = next_part(c);
	while (part.size > 0 && part.at[0] == ' ')
	{
		part.at++;
		part.size--;
	}
	while (part.size > 0 && part.at[part.size - 1] == ' ')
		part.size--;
	record->driver = read_text(part, PT621_BAD_DRIVER, &record->quality);

	read_gsb(record, next_part(c));

	/* The closing '/' of the layout is not part of what the field says. */
	part = (Pt621Text) {c->at, (uint32_t) (c->end - c->at)};
	if (part.size > 0 && part.at[part.size - 1] == '/')
		part.size--;
	record->spec = read_text(part, PT621_BAD_SPEC, &record->quality);
}

/* Reads a report: "$code,id,time,flag,lat,N,lon,E,speed,course,date,,,x/tail". */
static bool
parse_report(const uint8_t *text, Cursor *c, Pt621Record *record,
			 Pt621Error *error)
{
	Pt621Text	field[REPORT_FIELDS_MIN];
	uint32_t	fields = 0;

	while (fields < REPORT_FIELDS_MIN && c->separator == ',')
		field[fields++] = next_field(c);
	field[0].at++;				/* the '$' */
	field[0].size--;
	if (!read_identity(text, record, field[0],
					   fields > 1 ? field[1] : (Pt621Text) {text, 0}, error) &&
		fields == REPORT_FIELDS_MIN)
		return false;
	if (fields < REPORT_FIELDS_MIN)
		return fail(error, PT621_TOO_FEW_FIELDS, (size_t) (c->end - text),
					fields, REPORT_FIELDS_MIN);

	read_device_time(record, field[2], field[10]);
	read_place(record, field);
	read_motion(record, field[8], field[9]);

	/* Magnetic variation and mode letter say nothing reliable. */
	while (c->separator == ',')
		next_field(c);
	read_tail(record, c);
	return true;
}

/* Reads "$FUS<imei>,<firmware>,<hardware>" (protocol 4). */
static bool
parse_status(const uint8_t *text, Cursor *c, Pt621Record *record,
			 Pt621Error *error)
{
	Pt621Text	imei;

	record->kind = PT621_STATUS;
	record->code = (Pt621Text) {text + 1, 3};
	c->at = text + 4;
	if (c->at < c->end && *c->at == ',')
		c->at++;
	imei = next_field(c);
	if (imei.size == 0 || imei.size > PT621_IDENT_MAX)
		return fail(error, PT621_IMEI, (size_t) (imei.at - text), imei.size,
					PT621_IDENT_MAX);
	for (uint32_t i = 0; i < imei.size; i++)
	{
		if (imei.at[i] < '0' || imei.at[i] > '9')
			return fail(error, PT621_IMEI, (size_t) (imei.at - text) + i,
						imei.size, PT621_IDENT_MAX);
	}
	record->ident = imei;
	record->firmware = read_text(next_field(c), 0, &record->quality);
	record->hardware = read_text(next_field(c), 0, &record->quality);
	return true;
}

/* Reads "$PHD<offset>,<length>,<bytes>". */
static bool
parse_photo(const uint8_t *text, size_t size, Pt621Record *record,
			Pt621Error *error)
{
	Cursor		c = {text + 4, text + size, ','};
	Pt621Text	offset = next_field(&c);
	Pt621Text	length;
	int64_t		bytes;

	record->kind = PT621_PHOTO_CHUNK;
	record->code = (Pt621Text) {text + 1, 3};
	if (offset.size > 9 || c.separator != ',' ||
		!field_integer(offset, &record->photo_offset))
		return fail(error, PT621_PHOTO_HEADER, 4, 0, 0);
	length = next_field(&c);
	if (length.size > 5 || c.separator != ',' ||
		!field_integer(length, &bytes))
		return fail(error, PT621_PHOTO_HEADER, (size_t) (length.at - text), 0, 0);
	if (bytes > c.end - c.at)
		return fail(error, PT621_PHOTO_CUT_SHORT, (size_t) (c.at - text),
					(uint32_t) (c.end - c.at), (uint32_t) bytes);
	record->photo_data = (Pt621Text) {c.at, (uint32_t) bytes};
	return true;
}

/*
 * Makes a record one of which nothing was read.  Field by field: compilers clear
 * a block of this size by an instruction that takes as long as several fields.
 */
static void
clear(Pt621Record *record)
{
	static const Pt621Text missing = {NULL, 0};
	static const Pt621Bits no_bits = {0, 0};

	record->kind = PT621_REPORT;
	record->quality = 0;
	record->code = missing;
	record->ident = missing;
	record->device_time = PT621_NO_TIME;
	record->valid = false;
	record->stored = false;
	record->longitude = NAN;
	record->latitude = NAN;
	record->speed_kmh = NAN;
	record->course = NAN;
	record->inputs = no_bits;
	record->outputs = no_bits;
	record->adc_count = 0;
	memset(record->adc, 0, sizeof(record->adc));
	record->odometer_m = -1;
	record->driver = missing;
	record->gsb = missing;
	memset(record->gsb_digit, -1, sizeof(record->gsb_digit));
	record->spec = missing;
	record->photo_size = -1;
	record->photo_id = missing;
	record->photo_offset = -1;
	record->photo_data = missing;
	record->firmware = missing;
	record->hardware = missing;
}

/* Tells a status from a report whose code is FUS: that has a comma behind the code, and
 * fields to its date. */
static bool
is_status(const uint8_t *text, size_t size)
{
	int			commas = 0;

	if (size < 5 || memcmp(text, "$FUS", 4) != 0)
		return false;
	if (text[4] >= '0' && text[4] <= '9')
		return true;
	for (size_t i = 4; i < size; i++)
		commas += text[i] == ',';
	return text[4] == ',' && commas < REPORT_FIELDS_MIN - 1;
}

bool
pt621_parse(const uint8_t *text, size_t size, Pt621Record *record,
			Pt621Error *error)
{
	Cursor		c;

	clear(record);
	memset(error, 0, sizeof(*error));

	if (size == 0 || text[0] != '$')
		return fail(error, PT621_NOT_A_RECORD, 0, 0, 0);
	if (size >= 5 && memcmp(text, "$PHD", 4) == 0)
		return parse_photo(text, size, record, error);

	size -= line_end_size(text, size);
	if (size > 1 && text[size - 1] == '#')
	{
		record->stored = true;
		size--;
	}
	c = (Cursor) {text, text + size, ','};
	if (is_status(text, size))
		return parse_status(text, &c, record, error);
	return parse_report(text, &c, record, error);
}
