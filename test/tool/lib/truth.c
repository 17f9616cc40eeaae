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

void
truth_open(Truth *truth, const char *path)
{
	truth->path = path;
	truth->file = NULL;
	if (path == NULL)
		return;
	truth->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (truth->file == NULL)
		tool_fail(STATUS_WRONG, "%s: %s", path, strerror(errno));
	fputs(columns, truth->file);
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

/* Writes bytes as a bytea literal: \x and hexadecimal digits. */
static char *
put_hex(char *at, const void *bytes, size_t size)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *byte = bytes;

	*at++ = '\\';
	*at++ = 'x';
	for (size_t i = 0; i < size; i++)
	{
		*at++ = digit[byte[i] >> 4];
		*at++ = digit[byte[i] & 15];
	}
	return at;
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

void
truth_write(Truth *truth, const Tracker *tracker, const Emission *e)
{
	char		row[2 * ENCODE_DATAGRAM_MAX + 512];

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

bool
truth_close(Truth *truth)
{
	bool		bad;

	if (truth->file == NULL)
		return true;
	bad = ferror(truth->file) != 0;
	bad = (truth->file == stdout ? fflush(truth->file) : fclose(truth->file)) != 0 || bad;
	truth->file = NULL;
	if (bad)
		fprintf(stderr, "%s: %s: could not be written: %s\n", tool_name, truth->path, strerror(errno));
	return !bad;
}
