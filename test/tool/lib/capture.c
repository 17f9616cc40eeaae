/*
 * capture.c
 *		Reads files of captured bytes.
 */
#include "capture.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

#define COLUMNS_MAX		64
#define FRAME_HEADER	5		/* BF FB, verify, length (protocol 2.2) */

/* A piece of the file's text. */
typedef struct Field
{
	const char *at;
	size_t		size;
} Field;

/* Where reading stands, for messages too. */
typedef struct Reader
{
	Capture    *capture;
	const char *path;
	const char *at;
	const char *end;
	size_t		line;			/* where the row at hand begins */
	size_t		lines;			/* read so far */
} Reader;

/* Which column is what; -1: the file has none. */
typedef struct Columns
{
	int			hex;
	int			time;
	int			conn;
	int			transport;
} Columns;

/* Ends the program: the file is not of the form. */
static void
broken(const Reader *reader, const char *what)
{
	tool_fail(STATUS_WRONG, "%s:%zu: %s", reader->path, reader->line, what);
}

/* Gives the value of a hexadecimal digit, or -1. */
static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
capture_bytes(const CaptureRow *row, uint8_t *bytes)
{
	for (uint32_t i = 0; i < row->size; i++)
		bytes[i] = (uint8_t) (nibble(row->hex[2 * i]) << 4 | nibble(row->hex[2 * i + 1]));
}

/* ------------------------------------------------------- connections -- */

/* Hashes a connection's name (FNV-1a). */
static uint32_t
hash(const char *name, size_t size)
{
	uint32_t	value = 2166136261u;

	for (size_t i = 0; i < size; i++)
		value = (value ^ (uint8_t) name[i]) * 16777619u;
	return value;
}

/* Adds a connection to the hash table, whose buckets suffice. */
static void
add_bucket(Capture *capture, uint32_t index)
{
	const char *name = capture->conns[index].name;
	uint32_t	at = hash(name, strlen(name)) % capture->bucket_count;

	while (capture->buckets[at] != 0)
		at = (at + 1) % capture->bucket_count;
	capture->buckets[at] = index + 1;
}

/* Keeps the hash table at most half full. */
static void
grow_buckets(Capture *capture)
{
	if (capture->conn_count * 2 < capture->bucket_count)
		return;
	capture->bucket_count = capture->bucket_count ? capture->bucket_count * 2 : 1024;
	capture->buckets = tool_alloc(capture->buckets, capture->bucket_count * sizeof(uint32_t));
	memset(capture->buckets, 0, capture->bucket_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < capture->conn_count; i++)
	{
		if (capture->conns[i].name)
			add_bucket(capture, i);
	}
}

/* Finds a connection by its name, or adds it; without a name it is a new one. */
static uint32_t
find_conn(Capture *capture, Field name)
{
	CaptureConn *conn;

	if (capture->single)
		name = (Field) {"all", 3};
	grow_buckets(capture);
	for (uint32_t at = name.size ? hash(name.at, name.size) % capture->bucket_count : 0;
		 name.size > 0 && capture->buckets[at] != 0; at = (at + 1) % capture->bucket_count)
	{
		const char *other = capture->conns[capture->buckets[at] - 1].name;

		if (strlen(other) == name.size && memcmp(other, name.at, name.size) == 0)
			return capture->buckets[at] - 1;
	}
	if (capture->conn_count == capture->conn_room)
	{
		capture->conn_room = capture->conn_room ? capture->conn_room * 2 : 64;
		capture->conns = tool_alloc(capture->conns, capture->conn_room * sizeof(CaptureConn));
	}
	conn = &capture->conns[capture->conn_count++];
	memset(conn, 0, sizeof(*conn));
	conn->udp = capture->transport == SOCK_DGRAM;
	if (name.size > 0)
	{
		conn->name = tool_alloc(NULL, name.size + 1);
		memcpy(conn->name, name.at, name.size);
		conn->name[name.size] = '\0';
		add_bucket(capture, capture->conn_count - 1);
	}
	return capture->conn_count - 1;
}

/* --------------------------------------------------------------- rows -- */

/*
 * Tells whether a row leaves its datagram unfinished: an archive has a row for each
 * report, and a frame may hold several (protocol 2.2).
 */
static bool
leaves_frame_open(CaptureConn *conn, const CaptureRow *row)
{
	uint8_t		head[FRAME_HEADER];
	CaptureRow	start = *row;
	uint32_t	length;

	if (!conn->udp)
		return false;
	if (conn->frame_left > 0)
	{
		conn->frame_left -= row->size < conn->frame_left ? row->size : conn->frame_left;
		return conn->frame_left > 0;
	}
	if (row->size < FRAME_HEADER)
		return false;
	start.size = FRAME_HEADER;
	capture_bytes(&start, head);
	length = (uint32_t) (head[3] | head[4] << 8);
	if (head[0] == 0xBF && head[1] == 0xFB && length > row->size)
		conn->frame_left = length - row->size;
	return conn->frame_left > 0;
}

/* Adds a row. */
static void
add_row(Reader *reader, Field time, Field name, Field transport, Field hex)
{
	Capture    *capture = reader->capture;
	CaptureRow	row = {.us = NO_CAPTURE_TIME};
	CaptureConn *conn;
	uint32_t	conns;

	if (hex.size >= 2 && hex.at[0] == '\\' && hex.at[1] == 'x')
	{
		hex.at += 2;
		hex.size -= 2;
	}
	if (hex.size == 0)
		return;
	for (size_t i = 0; i < hex.size; i++)
	{
		if (nibble(hex.at[i]) < 0)
			broken(reader, "the bytes are not hexadecimal");
	}
	if (hex.size % 2 != 0 || hex.size > 2 * 65507)
		broken(reader, "an odd number of hexadecimal digits, or more than 65,507 bytes");
	if (time.size > 0 && !tool_time(time.at, time.size, &row.us))
		broken(reader, "not a time");
	row.hex = hex.at;
	row.size = (uint32_t) (hex.size / 2);
	conns = capture->conn_count;
	row.conn = find_conn(capture, name);
	row.first = row.conn == conns;
	conn = &capture->conns[row.conn];
	if (capture->transport == 0 && transport.size == 3 && strncasecmp(transport.at, "udp", 3) == 0)
		conn->udp = true;
	row.continues = leaves_frame_open(conn, &row);
	conn->last_row = (uint32_t) capture->count;
	if (capture->count == capture->room)
	{
		capture->room = capture->room ? capture->room * 2 : 1024;
		capture->rows = tool_alloc(capture->rows, capture->room * sizeof(CaptureRow));
	}
	capture->rows[capture->count++] = row;
}

/* ---------------------------------------------------------------- CSV -- */

/* Takes a field of CSV; *ended: it was the last of its row. */
static Field
take_field(Reader *r, bool *ended)
{
	Field		field = {r->at, 0};

	if (r->at < r->end && *r->at == '"')
	{
		/* A doubled quote stays doubled: no field that we use has one. */
		field.at = ++r->at;
		while (r->at < r->end && (*r->at != '"' || (r->at + 1 < r->end && r->at[1] == '"')))
		{
			r->lines += *r->at == '\n';
			r->at += *r->at == '"' ? 2 : 1;
		}
		if (r->at >= r->end)
			broken(r, "a quoted field without its end");
		field.size = (size_t) (r->at++ - field.at);
	}
	else
	{
		while (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r')
			r->at++;
		field.size = (size_t) (r->at - field.at);
	}
	*ended = true;
	if (r->at < r->end && *r->at == ',')
	{
		*ended = false;
		r->at++;
		return field;
	}
	if (r->at < r->end && *r->at == '\r')
		r->at++;
	if (r->at < r->end && *r->at != '\n')
		broken(r, "something follows a quoted field");
	r->at += r->at < r->end;
	r->lines++;
	return field;
}

/* Takes a row of CSV; returns how many fields it has. */
static int
take_row(Reader *r, Field *fields)
{
	int			count = 0;
	bool		ended = false;

	r->line = r->lines + 1;
	while (!ended)
	{
		if (count == COLUMNS_MAX)
			broken(r, "too many columns");
		fields[count++] = take_field(r, &ended);
	}
	return count;
}

/* Tells whether a column has that name, in either case. */
static bool
is_called(Field field, const char *name)
{
	return field.size == strlen(name) && strncasecmp(field.at, name, field.size) == 0;
}

/* Finds the columns by the names in the first row; false when it has none. */
static bool
find_columns(const Field *fields, int count, Columns *columns)
{
	*columns = (Columns) {-1, -1, -1, -1};
	for (int i = 0; i < count; i++)
	{
		if (is_called(fields[i], "bytes") || is_called(fields[i], "hex") ||
			is_called(fields[i], "transport_bytes_hex"))
			columns->hex = i;
		else if (is_called(fields[i], "received_at") || is_called(fields[i], "time"))
			columns->time = i;
		else if (is_called(fields[i], "conn") || is_called(fields[i], "connection"))
			columns->conn = i;
		else if (is_called(fields[i], "transport"))
			columns->transport = i;
	}
	return columns->hex >= 0;
}

/* Gives a row's field in a column; an empty one where the column is absent. */
static Field
pick(const Field *fields, int count, int column)
{
	return column >= 0 && column < count ? fields[column] : (Field) {"", 0};
}

/* Reads a file of CSV, with names in its first row or without. */
static void
read_csv(Reader *r)
{
	Field		fields[COLUMNS_MAX];
	Columns		columns;
	int			count = take_row(r, fields);
	bool		named = find_columns(fields, count, &columns);

	if (!named)
	{
		/* As COPY writes what doc/simulator.md asks for, without HEADER. */
		if (count != 4)
			broken(r, "no column is called bytes, hex or transport_bytes_hex, nor are there the four of "
				   "received_at, conn, transport, bytes");
		columns = (Columns) {.time = 0, .conn = 1, .transport = 2, .hex = 3};
	}
	for (;; named = false)
	{
		if (!named && !(count == 1 && fields[0].size == 0))
			add_row(r, pick(fields, count, columns.time), pick(fields, count, columns.conn),
					pick(fields, count, columns.transport), pick(fields, count, columns.hex));
		if (r->at >= r->end)
			return;
		count = take_row(r, fields);
	}
}

/* ------------------------------------------------------------ hex log -- */

/* Takes a word of a line; empty at the line's end. */
static Field
take_word(Reader *r)
{
	Field		word;

	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
	word.at = r->at;
	while (r->at < r->end && !isspace((unsigned char) *r->at))
		r->at++;
	word.size = (size_t) (r->at - word.at);
	return word;
}

/* Reads lines of "time conn hex [tcp|udp]". */
static void
read_hex(Reader *r)
{
	while (r->at < r->end)
	{
		Field		time;
		Field		conn;
		Field		hex;
		Field		transport;

		r->line = ++r->lines;
		time = take_word(r);
		if (time.size > 0 && time.at[0] != '#')
		{
			conn = take_word(r);
			hex = take_word(r);
			transport = take_word(r);
			if (hex.size == 0 || take_word(r).size > 0)
				broken(r, "not a line of: time connection hex [tcp|udp]");
			add_row(r, time, conn, transport, hex);
		}
		while (r->at < r->end && *r->at != '\n')
			r->at++;
		r->at += r->at < r->end;
	}
}

/* Reads a file, or stdin, as a whole. */
static char *
read_file(const char *path, size_t *size)
{
	int			fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char	   *text = NULL;
	size_t		room = 0;
	ssize_t		got = 0;

	*size = 0;
	do
	{
		*size += (size_t) got;
		if (room - *size < 65536)
			text = tool_alloc(text, room = room * 2 + 131072);
		got = fd < 0 ? -1 : read(fd, text + *size, room - *size);
	} while (got > 0);
	if (got < 0)
		tool_fail(STATUS_WRONG, "%s: %s", path, strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
	return text;
}

/* Tells whether the first line that says something has a comma. */
static bool
looks_like_csv(const char *at, const char *end)
{
	while (at < end)
	{
		const char *line_end = memchr(at, '\n', (size_t) (end - at));

		if (line_end == NULL)
			line_end = end;
		if (*at != '#' && line_end - at > 1)
			return memchr(at, ',', (size_t) (line_end - at)) != NULL;
		at = line_end + 1;
	}
	return false;
}

void
capture_read(Capture *capture, const char *path, CaptureFormat format)
{
	size_t		size;
	char	   *text = read_file(path, &size);
	Reader		reader = {capture, path, text, text + size, 0, 0};

	if (format == FORMAT_CSV || (format == FORMAT_GUESS && looks_like_csv(text, text + size)))
		read_csv(&reader);
	else
		read_hex(&reader);
}

void
capture_finish(Capture *capture)
{
	for (size_t i = 0; i < capture->count; i++)
	{
		CaptureRow *row = &capture->rows[i];

		row->last = capture->conns[row->conn].last_row == i;
		/* A frame whose rest is not there is sent as it is. */
		row->continues = row->continues && !row->last;
	}
}
