/*
 * truth.c
 *		Rows of the truth file.
 */
#include "truth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MINUTES_UNITS	600000.0	/* 1/10,000 minutes of arc in a degree */

static const char columns[] =
"ident,sequence,time,code,lon,lat,speed_knots,course,odometer,valid,stored,how,"
"transport,connection,lost,duplicate,made_at,record\n";
static const char photo_columns[] = "ident,photo,camera,size,time,bytes\n";

/* Begins one file.  path: NULL for none */
static FILE *
begin(const char *path, const char *names)
{
	FILE	   *file;

	if (path == NULL)
		return NULL;
	file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (file == NULL)
		tool_fail(STATUS_WRONG, "%s: %s", path, strerror(errno));
	fputs(names, file);
	return file;
}

void
truth_open(Truth *truth, const char *path, const char *photos_path)
{
	truth->path = path;
	truth->file = begin(path, columns);
	truth->photos_path = photos_path;
	truth->photos = begin(photos_path, photo_columns);
}

/* Writes a time as ISO 8601 in UTC. */
static char *
put_time(char *at, int64_t ms)
{
	int64_t		days = ms / MS_A_DAY - (ms % MS_A_DAY < 0);
	int			of_day = (int) (ms - days * MS_A_DAY);
	int			year;
	int			month;
	int			day;

	tool_date(days, &year, &month, &day);
	return at + sprintf(at, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
						of_day / 3600000, of_day / 60000 % 60, of_day / 1000 % 60, of_day % 1000);
}

/* Writes degrees with just the digits that name this double and no other. */
static char *
put_degrees(char *at, int32_t units)
{
	double		degrees = units / MINUTES_UNITS;
	int			size = 0;

	for (int digits = 15; digits <= 17; digits++)
	{
		size = sprintf(at, "%.*g", digits, degrees);
		if (strtod(at, NULL) == degrees)
			break;
	}
	return at + size;
}

/* Writes bytes as hexadecimal digits. */
static char *
put_digits(char *at, const void *bytes, size_t size)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
	{
		*at++ = digit[byte[i] >> 4];
		*at++ = digit[byte[i] & 15];
	}
	return at;
}

/* Writes bytes as a bytea literal: \x and hexadecimal digits. */
static char *
put_hex(char *at, const void *bytes, size_t size)
{
	*at++ = '\\';
	*at++ = 'x';
	return put_digits(at, bytes, size);
}

/* Gives a boolean as PostgreSQL writes it. */
static char
flag(bool value)
{
	return value ? 't' : 'f';
}

/* Writes what a report says; of a piece of a photo only what it belongs to. */
static char *
put_report(char *at, const Sending *sending)
{
	const Report *report = &sending->report;

	if (sending->chunk_size > 0)
		return at + sprintf(at, "%llu,,PHD,,,,,,,f", (unsigned long long) report->sequence);
	at += sprintf(at, "%llu,", (unsigned long long) report->sequence);
	at = put_time(at, encode_time_as_read(report->wire_ms));
	at += sprintf(at, ",%s,", report->code);
	at = put_degrees(at, report->lon);
	*at++ = ',';
	at = put_degrees(at, report->lat);
	return at + sprintf(at, ",%u.%02u,%u.%02u,%lld,%c,%c",
						report->speed / 100, report->speed % 100,
						report->course / 100, report->course % 100,
						(long long) report->odometer, flag(report->valid), flag(report->stored));
}

/* Writes the row of the photo that a record has announced. */
static void
write_photo(FILE *file, const Tracker *tracker, const Sending *sending)
{
	const Report *report = &sending->report;
	char		row[2 * ENCODE_CHUNK_BYTES + 128];
	uint8_t		bytes[ENCODE_CHUNK_BYTES];
	char	   *at = row + sprintf(row, "%s,%u,%u,%u,", tracker->ident, report->photo,
								   report->camera, report->photo_size);

	at = put_time(at, encode_time_as_read(report->wire_ms));
	*at++ = ',';
	at = put_hex(at, NULL, 0);
	for (uint32_t from = 0; from < sending->photo_bytes; from += ENCODE_CHUNK_BYTES)
	{
		uint32_t	left = sending->photo_bytes - from;
		uint32_t	size = left < ENCODE_CHUNK_BYTES ? left : ENCODE_CHUNK_BYTES;

		encode_photo_bytes(bytes, sending->photo, sending->photo_bytes, from, size);
		at = put_digits(at, bytes, size);
		fwrite(row, 1, (size_t) (at - row), file);
		at = row;
	}
	fputc('\n', file);
}

void
truth_write(Truth *truth, const Tracker *tracker, const Emission *e)
{
	char		row[2 * ENCODE_DATAGRAM_MAX + 512];

	for (uint32_t i = 0; i < e->count && truth->photos; i++)
	{
		const Sending *sending = e->sendings[i];

		if (sending->report.photo_size > 0 && sending->chunk_size == 0 && !sending->lost &&
			!sending->duplicate)
			write_photo(truth->photos, tracker, sending);
	}
	if (truth->file == NULL)
		return;
	for (uint32_t i = 0; i < e->count; i++)
	{
		const Sending *sending = e->sendings[i];
		char	   *at = row + sprintf(row, "%s,", tracker->ident);

		at = put_report(at, sending);
		at += sprintf(at, ",%s,%s,%u,%c,%c,", e->how, tracker->udp ? "udp" : "tcp",
					  tracker->connection, flag(sending->lost), flag(sending->duplicate));
		at = put_time(at, sending->report.made_ms);
		*at++ = ',';
		if (sending->chunk_size > 0)
			at = put_hex(at, e->bytes + ENCODE_HEADER, e->size - ENCODE_HEADER);
		else
			at = put_hex(at, sending->report.text, sending->report.size);
		*at++ = '\n';
		fwrite(row, 1, (size_t) (at - row), truth->file);
	}
}

/* Ends one file; false, with a message, when not all could be written. */
static bool
end(FILE *file, const char *path)
{
	bool		bad;

	if (file == NULL)
		return true;
	bad = ferror(file) != 0;
	bad = (file == stdout ? fflush(file) : fclose(file)) != 0 || bad;
	if (bad)
		fprintf(stderr, "%s: %s: could not be written: %s\n", tool_name, path, strerror(errno));
	return !bad;
}

bool
truth_close(Truth *truth)
{
	bool		good = end(truth->file, truth->path);

	good = end(truth->photos, truth->photos_path) && good;
	truth->file = truth->photos = NULL;
	return good;
}
