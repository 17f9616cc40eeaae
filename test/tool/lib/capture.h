/*
 * capture.h
 *		Files of captured bytes, as pt621-replay reads them; doc/simulator.md has
 *		their forms.
 *
 * Invariants.  A file is read as a whole before anything is sent: one that is
 * broken in its last line sends nothing.  A row refers to its hexadecimal
 * digits in the file's text; they have been checked.
 */
#ifndef PT621_TOOL_CAPTURE_H
#define PT621_TOOL_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CaptureRow
{
	int64_t		us;				/* of its time; NO_CAPTURE_TIME: none */
	const char *hex;
	uint32_t	size;			/* bytes, half as many as digits */
	uint32_t	conn;			/* index of its connection */
	bool		first;			/* of its connection */
	bool		last;			/* of its connection */
	bool		continues;		/* the next row of the connection is of the same datagram */
} CaptureRow;

#define NO_CAPTURE_TIME	INT64_MIN

typedef struct CaptureConn
{
	char	   *name;			/* NULL: a row without one */
	uint32_t	last_row;
	bool		udp;
	uint32_t	frame_left;		/* UDP: bytes of a frame that later rows bring */
} CaptureConn;

typedef struct Capture
{
	CaptureRow *rows;
	size_t		count;
	size_t		room;
	CaptureConn *conns;
	uint32_t	conn_count;
	uint32_t	conn_room;
	uint32_t   *buckets;		/* index of a connection + 1, by the hash of its name */
	uint32_t	bucket_count;
	bool		single;			/* all rows are of one connection */
	int			transport;		/* SOCK_STREAM, SOCK_DGRAM: whatever the file says; 0 */
} Capture;

typedef enum CaptureFormat
{
	FORMAT_GUESS,
	FORMAT_CSV,
	FORMAT_HEX
} CaptureFormat;

/*
 * Adds the rows of a file; "-" is stdin.  capture: single and transport are
 * set, all else is zero at first.  Ends the program with a message when the
 * file cannot be read as one of the forms.
 */
extern void capture_read(Capture *capture, const char *path, CaptureFormat format);

/* Settles which rows are the last of their connections, once all files are read. */
extern void capture_finish(Capture *capture);

/* Writes a row's bytes; bytes: row->size of them. */
extern void capture_bytes(const CaptureRow *row, uint8_t *bytes);

#endif							/* PT621_TOOL_CAPTURE_H */
