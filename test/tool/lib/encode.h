/*
 * encode.h
 *		What trackers write: records, deltas, frames, pieces of photos.
 *
 * Invariants.  Nothing here is longer than its limit below, so that each unit
 * fits into a datagram.  "protocol N" is a section of doc/protocol.md.
 */
#ifndef PT621_TOOL_ENCODE_H
#define PT621_TOOL_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENCODE_IDENT_MAX	15	/* digits of an id */
#define ENCODE_RECORD_MAX	192 /* bytes of a record with its line end */
#define ENCODE_DELTA_MAX	320 /* bytes of a delta between two records */
#define ENCODE_HEADER		5	/* bytes of a frame before its body */
#define ENCODE_CHUNK_BYTES	960 /* of a photo in one piece: what servers ask for */
#define ENCODE_DATAGRAM_MAX 1400	/* every unit is shorter */
#define ENCODE_OUTPUTS		5	/* of a tracker */

/* A place and its companions in the digits of the wire. */
typedef struct Report
{
	uint64_t	sequence;		/* of its tracker's records, from 1 */
	int64_t		made_ms;		/* when it was made, milliseconds since 1970 */
	int64_t		wire_ms;		/* when the tracker's clock says it was */
	char		code[8];		/* POS, IN1, ... */
	uint32_t	photo_size;		/* of code PHO: bytes announced */
	uint32_t	photo;			/* of code PHO: its number among the tracker's, from 1 */
	uint8_t		camera;			/* of code PHO: which took it, from 1 */
	uint8_t		outputs;		/* bit 0: output 1 is on, and so on */
	int32_t		lon;			/* 1/10,000 minutes of arc, east positive */
	int32_t		lat;			/* 1/10,000 minutes of arc, north positive */
	uint32_t	speed;			/* 1/100 knots */
	uint32_t	course;			/* 1/100 degrees, below 36,000 */
	int64_t		odometer;		/* metres */
	bool		valid;			/* there was a fix */
	bool		stored;			/* it comes from memory */
	uint16_t	size;			/* of text */
	char		text[ENCODE_RECORD_MAX];	/* with its line end */
} Report;

/* Writes the text of a report from its other fields.  status: bits that the analog and
 * the status digits are made of; they only have to vary. */
extern void encode_report(Report *report, const char *ident, uint32_t status);

/* Puts the state of the outputs into a report's text. */
extern void encode_outputs(char *text, uint16_t size, uint8_t outputs);

/* Makes a report the copy of itself that comes from memory. */
extern void encode_as_stored(Report *report);

/* Gives the XOR of all bytes. */
extern uint8_t encode_xor(const void *bytes, size_t size);

/*
 * Writes the delta that makes a text of its base (protocol 2.3); out:
 * ENCODE_DELTA_MAX bytes.  Returns its size, or 0 when there is none: the
 * texts are the same, differ in layout, or the delta would be too long.
 */
extern size_t encode_delta(uint8_t *out, const char *base, size_t base_size,
						   const char *text, size_t size);

/*
 * Writes the header of a frame before its body, which stands at
 * frame + ENCODE_HEADER (protocol 2.2).  verify: false leaves the verify byte
 * at FF, "not computed".  Returns the size of the whole.
 */
extern size_t encode_frame(uint8_t *frame, size_t body_size, bool verify);

/*
 * Writes bytes `offset` .. offset + count - 1 of a photo, which has
 * photo_size of them.  They follow from photo, a number as chance gives it, and
 * photo_size.
 */
extern void encode_photo_bytes(uint8_t *out, uint64_t photo, uint32_t photo_size,
							   uint32_t offset, uint32_t count);

/*
 * Writes the same as a piece, "$PHD...", with its line end (protocol 7).
 * out: count + 32 bytes.  Returns the size.
 */
extern size_t encode_photo(uint8_t *out, uint64_t photo, uint32_t photo_size,
						   uint32_t offset, uint32_t count);

/* Gives the year that a reader takes from two digits, with the rest of the time: as UTC
 * milliseconds since 1970. */
extern int64_t encode_time_as_read(int64_t wire_ms);

#endif							/* PT621_TOOL_ENCODE_H */
