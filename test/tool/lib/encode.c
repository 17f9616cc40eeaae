/*
 * encode.c
 *		Records, deltas, frames and pieces of photos, as doc/protocol.md has them.
 */
#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* An index of a delta's patch is below this (protocol 2.3). */
#define FIELDS_MAX		0x20
#define MINUTES_UNIT	10000	/* parts of a minute of arc on the wire */

/* Where the fields of a text begin and end; the line end is the last. */
typedef struct Fields
{
	uint8_t		count;
	uint16_t	at[FIELDS_MAX];
	uint16_t	size[FIELDS_MAX];
	char		separator[FIELDS_MAX];	/* behind it; 0 behind the last */
} Fields;

/* Gives the parts of a UTC time. */
static void
split_time(int64_t ms, int *year, int *month, int *day, int *ms_of_day)
{
	int64_t		days = ms / MS_A_DAY - (ms % MS_A_DAY < 0);

	tool_date(days, year, month, day);
	*ms_of_day = (int) (ms - days * MS_A_DAY);
}

int64_t
encode_time_as_read(int64_t wire_ms)
{
	int			year;
	int			month;
	int			day;
	int			ms_of_day;
	char		text[32];
	int64_t		us = 0;

	split_time(wire_ms, &year, &month, &day, &ms_of_day);
	snprintf(text, sizeof(text), "20%02d-%02d-%02d 00:00:00", year % 100, month, day);
	tool_time(text, strlen(text), &us);
	return us / 1000 + ms_of_day;
}

void
encode_report(Report *report, const char *ident, uint32_t status)
{
	uint32_t	lat = (uint32_t) abs(report->lat);
	uint32_t	lon = (uint32_t) abs(report->lon);
	char		code[24];
	int			year;
	int			month;
	int			day;
	int			ms;
	int			size;

	split_time(report->wire_ms, &year, &month, &day, &ms);
	/* $PHO<size>-<n>: the number of the camera, perhaps (protocol 7). */
	if (strcmp(report->code, "PHO") == 0)
		snprintf(code, sizeof(code), "PHO%u-%u", report->photo_size, report->camera);
	else
		snprintf(code, sizeof(code), "%s", report->code);
	/* The maker's formula with four analog values, as a PT600 sends it (protocol 3). */
	size = snprintf(report->text, sizeof(report->text),
					"$%s,%s,%02d%02d%02d.%03d,%c,%02u%02u.%04u,%c,%03u%02u.%04u,%c,%u.%02u,%u.%02u,%02d%02d%02d,,,A"
					"/%s,00000/%x,0,0,0/%lld//f%02x//%s",
					code, ident, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000,
					report->valid ? 'A' : 'V',
					lat / (60 * MINUTES_UNIT), lat / MINUTES_UNIT % 60, lat % MINUTES_UNIT,
					report->lat < 0 ? 'S' : 'N',
					lon / (60 * MINUTES_UNIT), lon / MINUTES_UNIT % 60, lon % MINUTES_UNIT,
					report->lon < 0 ? 'W' : 'E',
					report->speed / 100, report->speed % 100,
					report->course / 100, report->course % 100,
					day, month, (year % 100 + 100) % 100,
					/* Input 1 is the button of IN1, input 4 ignition (protocol 5). */
					strcmp(report->code, "IN1") == 0 ? "10010" : "00010",
					0x140 + (status >> 8) % 0x20, (long long) report->odometer,
					status % 0x100, report->stored ? "#\n" : "\r\n");
	report->size = (uint16_t) size;
	if (report->outputs)
		encode_outputs(report->text, report->size, report->outputs);
}

void
encode_outputs(char *text, uint16_t size, uint8_t outputs)
{
	/* They are the second field behind the first slash (protocol 3). */
	char	   *slash = memchr(text, '/', size);
	char	   *at = slash ? memchr(slash, ',', size - (size_t) (slash - text)) : NULL;

	for (int i = 0; at && i < ENCODE_OUTPUTS; i++)
		at[1 + i] = outputs >> i & 1 ? '1' : '0';
}

void
encode_as_stored(Report *report)
{
	if (report->stored)
		return;
	/* CR LF gives way to '#' and LF (protocol 8). */
	report->stored = true;
	report->text[report->size - 2] = '#';
}

uint8_t
encode_xor(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint8_t		check = 0;

	for (size_t i = 0; i < size; i++)
		check ^= at[i];
	return check;
}

/* Cuts a text into its fields; false when there are more than a delta can name. */
static bool
cut(const char *text, size_t size, Fields *fields)
{
	size_t		from = 0;

	fields->count = 0;
	for (size_t at = 0; at <= size; at++)
	{
		if (at < size && text[at] != ',' && text[at] != '/')
			continue;
		if (fields->count == FIELDS_MAX)
			return false;
		fields->at[fields->count] = (uint16_t) from;
		fields->size[fields->count] = (uint16_t) (at - from);
		fields->separator[fields->count] = at < size ? text[at] : '\0';
		fields->count++;
		from = at + 1;
	}
	return true;
}

size_t
encode_delta(uint8_t *out, const char *base, size_t base_size,
			 const char *text, size_t size)
{
	Fields		old;
	Fields		new;
	size_t		length = 2;

	if (!cut(base, base_size, &old) || !cut(text, size, &new) || old.count != new.count)
		return 0;
	out[0] = '@';
	/* Of the base, with its line end: it names what the delta applies to. */
	out[1] = encode_xor(base, base_size);
	for (uint8_t i = 0; i < old.count; i++)
	{
		const char *a = base + old.at[i];
		const char *b = text + new.at[i];
		size_t		same = 0;
		size_t		rest;

		if (old.separator[i] != new.separator[i])
			return 0;
		while (same < old.size[i] && same < new.size[i] && a[same] == b[same])
			same++;
		if (same == old.size[i] && same == new.size[i])
			continue;
		rest = new.size[i] - same;
		if (same > UINT8_MAX || rest > UINT8_MAX || length + 3 + rest > ENCODE_DELTA_MAX)
			return 0;
		out[length++] = i;
		out[length++] = (uint8_t) same;
		out[length++] = (uint8_t) rest;
		memcpy(out + length, b + same, rest);
		length += rest;
	}
	return length > 2 ? length : 0;
}

size_t
encode_frame(uint8_t *frame, size_t body_size, bool verify)
{
	size_t		size = ENCODE_HEADER + body_size;

	frame[0] = 0xBF;
	frame[1] = 0xFB;
	frame[2] = verify ? encode_xor(frame + ENCODE_HEADER, body_size) : 0xFF;
	frame[3] = (uint8_t) (size & 0xFF);
	frame[4] = (uint8_t) (size >> 8);
	return size;
}

/* Gives byte `at` of a photo: the marks of a JPEG around noise. */
static uint8_t
photo_byte(uint64_t photo, uint32_t size, uint32_t at)
{
	static const uint8_t start[] = {0xFF, 0xD8, 0xFF, 0xDB};
	Chance		chance = {photo + at};
	uint8_t		byte;

	if (at < sizeof(start))
		return start[at];
	if (at + 2 >= size)
		return at + 2 == size ? 0xFF : 0xD9;
	byte = (uint8_t) chance_bits(&chance);
	/* FF inside would be a mark of the format. */
	return byte == 0xFF ? 0xFE : byte;
}

void
encode_photo_bytes(uint8_t *out, uint64_t photo, uint32_t photo_size,
				   uint32_t offset, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		out[i] = photo_byte(photo, photo_size, offset + i);
}

size_t
encode_photo(uint8_t *out, uint64_t photo, uint32_t photo_size,
			 uint32_t offset, uint32_t count)
{
	size_t		size = (size_t) sprintf((char *) out, "$PHD%u,%u,", offset, count);

	encode_photo_bytes(out + size, photo, photo_size, offset, count);
	size += count;
	out[size++] = '\r';
	out[size++] = '\n';
	return size;
}
