/*
 * pt621_codec.h
 *		Bytes of Bofan PT6xx trackers <-> records.
 *
 * Three steps, each a pure function over memory that the caller owns:
 *
 *	1. pt621_split()   cuts a byte stream or datagram into units: one record,
 *					   photo chunk, delta, or run of bytes that is none of them;
 *	2. pt621_parse()   reads one unit that is a record or a photo chunk;
 *	3. pt621_chain_*() rebuilds the record that a delta stands for.
 *
 * Beside them pt621_foreign() tells what speaks another protocol, and
 * pt621_command_...() write what a tracker is told, and judge its answer.
 *
 * Invariants.  No function allocates, raises, or keeps a pointer of its own;
 * none reads outside the bytes it was given, whatever they are.  A record
 * points into the bytes it was parsed from and lives as long as they do.  The
 * units of a stream, one after the other, are exactly the bytes of the stream.
 * How a stream was cut into reads changes nothing.
 *
 * Memory: a unit that is not complete never needs more than PT621_PENDING_MAX
 * bytes to be kept; a record never has more than PT621_RECORD_MAX bytes of
 * text; a chain needs sizeof(Pt621Chain) and the texts of PT621_RING_SIZE
 * bases and PT621_HELD_MAX deltas.
 *
 * Facts about the wire are cited as "protocol N": the sections of
 * doc/protocol.md.
 */
#ifndef PT621_CODEC_H
#define PT621_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text of a record with its line end, and longest bare delta. */
#define PT621_RECORD_MAX	1024
/* Longest run of undecodable bytes in one unit. */
#define PT621_GARBAGE_MAX	1024
/* Longest BF FB frame, and longest bare photo chunk, header included. */
#define PT621_FRAME_MAX		8192
/* Most bytes that can wait for the rest of a unit: line ends, then a frame. */
#define PT621_PENDING_MAX	(PT621_GARBAGE_MAX + PT621_FRAME_MAX)
/* A BF FB header: two constant bytes, verify byte, length (protocol 2.2). */
#define PT621_FRAME_HEADER	5

#define PT621_IDENT_MAX		20	/* bytes of a tracker's id */
#define PT621_CODE_MAX		15	/* bytes of an event code */
#define PT621_BITS_MAX		32	/* inputs, outputs */
#define PT621_ADC_MAX		16	/* analog values */
#define PT621_RING_SIZE		8	/* bases that a delta may refer to */
#define PT621_HELD_MAX		64	/* deltas that wait for a late base */
#define PT621_ERROR_MAX		160 /* bytes of an error text with its NUL */

/* What is wrong with a unit.  Texts: pt621_error_text(). */
typedef enum Pt621ErrorCode
{
	PT621_OK = 0,
	PT621_NOT_A_RECORD,			/* bytes without a start mark */
	PT621_LINE_TOO_LONG,		/* no line end in so many bytes as expected */
	PT621_FRAME_CUT_SHORT,		/* found: bytes there, expected: announced */
	PT621_FRAME_LENGTH,			/* found: length announced */
	PT621_FRAME_VERIFY,			/* expected: verify byte, found: XOR of body */
	PT621_FRAME_EMPTY,			/* a header without a body */
	PT621_PHOTO_CUT_SHORT,		/* found: bytes there, expected: announced */
	PT621_PHOTO_HEADER,			/* $PHD without offset, length, comma */
	PT621_TOO_FEW_FIELDS,		/* found: fields there, expected: least */
	PT621_CODE,					/* empty, too long, byte not printable */
	PT621_IDENT_LENGTH,			/* found: bytes, expected: most */
	PT621_IDENT_BYTE,			/* found: the byte */
	PT621_IMEI,					/* $FUS without digits */
	PT621_DELTA_CUT_SHORT,		/* a patch runs past the end of the delta */
	PT621_DELTA_NO_BASE,		/* found: check byte no base has */
	PT621_DELTA_FIELD,			/* found: index, expected: fields of the base */
	PT621_DELTA_OFFSET,			/* found: offset, expected: length of the field */
	PT621_DELTA_TOO_LONG,		/* the rebuilt text passes PT621_RECORD_MAX */
	PT621_DELTA_INSANE			/* the rebuilt text is no record, or one of
								 * another id, or its time is before the base
								 * or a day after it */
} Pt621ErrorCode;

typedef struct Pt621Error
{
	Pt621ErrorCode code;
	uint32_t	at;				/* offset in the unit's bytes, from 0 */
	uint32_t	found;			/* see Pt621ErrorCode */
	uint32_t	expected;
} Pt621Error;

/* ------------------------------------------------------------------------
 * 1. Splitting (protocol 2)
 * ------------------------------------------------------------------------ */

typedef enum Pt621UnitKind
{
	PT621_UNIT_LINE,			/* '$' text, to be given to pt621_parse() */
	PT621_UNIT_PHOTO,			/* $PHD chunk, to be given to pt621_parse() */
	PT621_UNIT_DELTA,			/* '@' patches, to be given to a chain */
	PT621_UNIT_TEXT,			/* printable bytes up to their line end, or to
								 * a silence, or to the end */
	PT621_UNIT_GARBAGE			/* anything else */
} Pt621UnitKind;

/*
 * One unit.  Its bytes are the first `size` bytes of what pt621_split() was
 * given: line ends that were skipped, then the header of a BF FB frame where
 * the unit is the frame's first, then the payload.
 */
typedef struct Pt621Unit
{
	Pt621UnitKind kind;
	uint32_t	size;			/* bytes of the unit; 0 < size */
	uint32_t	payload_at;		/* where its text, delta or run begins */
	uint32_t	payload_size;	/* with the line end (two bytes at most) */
	uint32_t	line_end;		/* bytes of the payload that are line end */
	Pt621Error	error;			/* set for TEXT and GARBAGE, but for a TEXT
								 * that is nothing but line ends */
} Pt621Unit;

/*
 * Where a splitter stands in its stream; all zero at the start, but for
 * line_max where the caller wants a bound of its own.  It may change at any
 * time; bytes that wait are then judged by the new one.
 */
typedef struct Pt621Splitter
{
	uint32_t	line_max;		/* longest '$' line with its line end, bytes;
								 * 0 or too many: PT621_RECORD_MAX */
	uint32_t	body_left;		/* bytes of the open frame's body */
	bool		body_refused;	/* that body failed its verify byte */
	uint8_t		verify_said;	/* what the header of that body said */
	uint8_t		verify_found;	/* what its bytes give */
} Pt621Splitter;

/* What is known about the bytes after the ones given. */
typedef enum Pt621Input
{
	PT621_INPUT_MORE,			/* more may follow at any time */
	PT621_INPUT_SILENCE,		/* nothing came for the unit time-out */
	PT621_INPUT_END				/* nothing follows: end of datagram, value,
								 * connection */
} Pt621Input;

/*
 * Cuts the next unit off the front of data.
 *
 * data, size: the bytes of the stream that no unit has taken yet; the caller
 * keeps what was not taken and gives it again, with more behind it.
 * input: PT621_INPUT_SILENCE ends only what may be complete: a bare delta at
 * the end of a patch, a text with or without a line end, a line or chunk that may
 * or may not have a second byte of its line end to come.  PT621_INPUT_END takes
 * every byte.
 *
 * Returns true and fills *unit, or false when more bytes are needed; never
 * false for PT621_INPUT_END with size > 0.
 */
extern bool pt621_split(Pt621Splitter *splitter, const uint8_t *data,
						size_t size, Pt621Input input, Pt621Unit *unit);

/* ------------------------------------------------------------------------
 * 2. Records (protocol 3 to 7)
 * ------------------------------------------------------------------------ */

/* Quality bits: what of a record could not be read.  pt621_quality_name(). */
#define PT621_BAD_TIME			(UINT32_C(1) << 0)	/* time of day */
#define PT621_BAD_DATE			(UINT32_C(1) << 1)	/* no such day */
#define PT621_BAD_FIX_FLAG		(UINT32_C(1) << 2)	/* neither A nor V */
#define PT621_BAD_LATITUDE		(UINT32_C(1) << 3)
#define PT621_BAD_LONGITUDE		(UINT32_C(1) << 4)
#define PT621_BAD_SPEED			(UINT32_C(1) << 5)
#define PT621_BAD_COURSE		(UINT32_C(1) << 6)
#define PT621_BAD_INPUTS		(UINT32_C(1) << 7)
#define PT621_BAD_OUTPUTS		(UINT32_C(1) << 8)
#define PT621_BAD_ADC			(UINT32_C(1) << 9)	/* one of them, or too many */
#define PT621_BAD_ODOMETER		(UINT32_C(1) << 10)
#define PT621_BAD_DRIVER		(UINT32_C(1) << 11) /* byte not printable */
#define PT621_BAD_GSB			(UINT32_C(1) << 12) /* not three hex digits */
#define PT621_BAD_SPEC			(UINT32_C(1) << 13) /* byte not printable */
#define PT621_BAD_PHOTO			(UINT32_C(1) << 14) /* size or number of $PHO */
#define PT621_NULL_ISLAND		(UINT32_C(1) << 15) /* 0 N 0 E: kept, doubtful */
/* Bits 16 and 17 need the time of receipt: set by the store, not here. */
#define PT621_TIME_OF_RECEIPT	(UINT32_C(1) << 16) /* fix_time is the receipt */
#define PT621_WEEK_ROLLOVER		(UINT32_C(1) << 17) /* fix_time is put right */
#define PT621_QUALITY_BITS		18

typedef enum Pt621RecordKind
{
	PT621_REPORT,				/* anything with a tracker's id and a fix */
	PT621_STATUS,				/* $FUS */
	PT621_PHOTO_CHUNK			/* $PHD */
} Pt621RecordKind;

/* A piece of the record's text; at is NULL where the field is missing. */
typedef struct Pt621Text
{
	const uint8_t *at;
	uint32_t	size;
} Pt621Text;

/* A string of 0 and 1: the leftmost is the top bit of bits (protocol 5). */
typedef struct Pt621Bits
{
	uint32_t	bits;
	uint32_t	count;
} Pt621Bits;

#define PT621_NO_TIME	INT64_MIN

/*
 * One record.  A number that is missing or out of range is NAN (double), -1
 * (integer) or PT621_NO_TIME; the latter two cases differ by their quality bit.
 */
typedef struct Pt621Record
{
	Pt621RecordKind kind;
	uint32_t	quality;		/* PT621_BAD_... */
	Pt621Text	code;			/* POS, IN1, PHO, FUS, ... */
	Pt621Text	ident;			/* the tracker's id; of $FUS, its IMEI */
	int64_t		device_time;	/* microseconds since 1970-01-01 UTC */
	bool		valid;			/* fix flag A, and a place */
	bool		stored;			/* text ends in '#' (protocol 8) */
	double		longitude;		/* degrees, east positive; both or neither */
	double		latitude;		/* degrees, north positive */
	double		speed_kmh;		/* 0 .. 1851.8 */
	double		course;			/* degrees, 0 .. 360 */
	Pt621Bits	inputs;			/* count 0: missing */
	Pt621Bits	outputs;
	uint32_t	adc_count;
	int32_t		adc[PT621_ADC_MAX]; /* raw counts 0 .. 65535; -1 not read */
	int64_t		odometer_m;		/* as sent; metres on most models */
	Pt621Text	driver;
	Pt621Text	gsb;			/* as sent */
	int8_t		gsb_digit[3];	/* left to right, 0 .. 15, or -1 */
	Pt621Text	spec;			/* all that follows gsb, as sent */
	int64_t		photo_size;		/* $PHO: bytes, 0 = no picture */
	Pt621Text	photo_id;		/* $PHO: what follows the '-' */
	int64_t		photo_offset;	/* $PHD: its first number */
	Pt621Text	photo_data;		/* $PHD: its bytes */
	Pt621Text	firmware;		/* $FUS */
	Pt621Text	hardware;		/* $FUS */
} Pt621Record;

/*
 * Reads the payload of a LINE or PHOTO unit, or a text rebuilt from a delta.
 *
 * text, size: the payload, with its line end if it has one.
 * Returns true and fills *record.  Returns false and fills *error (offsets
 * from text) when it is no record; code and ident of *record are filled as far
 * as they could be read.
 */
extern bool pt621_parse(const uint8_t *text, size_t size,
						Pt621Record *record, Pt621Error *error);

/*
 * Gives the meaning of a code (protocol 4): "sos", "overspeed", ...; for a code
 * not known its own letters in lower case.  buffer: PT621_CODE_MAX + 1 bytes,
 * used in the latter case.  Returns NULL where nothing happened: POS, PHD, FUS, and
 * an empty code.
 */
extern const char *pt621_event(const uint8_t *code, size_t size, char *buffer);

/* Names quality bit number `bit` (0 ..), or returns NULL past the last. */
extern const char *pt621_quality_name(int bit);

/*
 * Gives the size of a record's text without its line end and trailing '#':
 * what a live record and its stored copy have in common.
 */
extern size_t pt621_text_size(const uint8_t *text, size_t size);

/* Tells whether all bytes are 0x20 to 0x7E, as all text from the wire must be. */
extern bool pt621_printable(const uint8_t *bytes, size_t size);

/* Writes what is wrong, and at which byte.  buffer: PT621_ERROR_MAX bytes. */
extern void pt621_error_text(const Pt621Error *error, char *buffer);

/* ------------------------------------------------------------------------
 * 3. Deltas (protocol 2.3)
 * ------------------------------------------------------------------------ */

typedef struct Pt621Base
{
	const uint8_t *text;		/* with its line end */
	uint16_t	size;
	int16_t		check;			/* XOR of text, or -1: not computed yet */
} Pt621Base;

typedef struct Pt621Held
{
	const uint8_t *delta;
	uint16_t	size;
	uint16_t	untried;		/* so many of the newest bases */
	uint64_t	tag;			/* the caller's name for it */
} Pt621Held;

/*
 * The last records of one tracker, and the deltas that came before their base.
 * All zero at the start.  It refers to texts and deltas in the caller's memory,
 * which must stay until pt621_chain_base() has pushed them out, or
 * pt621_chain_late() or pt621_chain_hold() has given them back.
 */
typedef struct Pt621Chain
{
	Pt621Base	base[PT621_RING_SIZE];
	uint32_t	bases;			/* how many, at most PT621_RING_SIZE */
	uint32_t	newest;			/* index of the one added last */
	Pt621Held	held[PT621_HELD_MAX];	/* oldest first */
	uint32_t	helds;
} Pt621Chain;

/* Adds a record's text (with its line end) as the newest base.  Texts longer
 * than PT621_RECORD_MAX are not bases. */
extern void pt621_chain_base(Pt621Chain *chain, const uint8_t *text, size_t size);

/* Returns base number i, from the oldest (0), or NULL past the last. */
extern const Pt621Base *pt621_chain_get(const Pt621Chain *chain, uint32_t i);

/*
 * Rebuilds the record that a delta stands for, from the newest base with its
 * check byte that gives a sane record.
 *
 * delta, size: the payload of a DELTA unit.
 * out: PT621_RECORD_MAX bytes; *out_size of them are the text, and *record is
 * parsed from it.  The caller copies the text where it can stay, adds it as a
 * base, and takes in what pt621_chain_late() then has.
 * Returns false and fills *error (offsets from delta) when there is no such
 * base; only PT621_DELTA_CUT_SHORT cannot be cured by a late base.
 */
extern bool pt621_chain_resolve(Pt621Chain *chain, const uint8_t *delta,
								size_t size, uint8_t *out, size_t *out_size,
								Pt621Record *record, Pt621Error *error);

/*
 * Keeps a delta until its base comes.  Returns true when the oldest held delta
 * had to give way, and its tag in *dropped.
 */
extern bool pt621_chain_hold(Pt621Chain *chain, const uint8_t *delta,
							 size_t size, uint64_t tag, uint64_t *dropped);

/*
 * Takes out the oldest held delta that the bases can rebuild now: as
 * pt621_chain_resolve(), and its tag.  Returns false when there is none.  To be
 * called after each pt621_chain_base() until it returns false.
 */
extern bool pt621_chain_late(Pt621Chain *chain, uint64_t *tag, uint8_t *out,
							 size_t *out_size, Pt621Record *record);

/* ------------------------------------------------------------------------
 * 4. Traffic that is not ours
 * ------------------------------------------------------------------------ */

/* So many bytes always decide. */
#define PT621_FOREIGN_LOOK	64

/* Who speaks.  Names: pt621_foreign_name(). */
typedef enum Pt621Foreign
{
	PT621_FOREIGN_NONE = 0,		/* ours, or nothing known */
	PT621_FOREIGN_HTTP,
	PT621_FOREIGN_TLS,
	PT621_FOREIGN_SSH,
	PT621_FOREIGN_SMTP,
	PT621_FOREIGN_SIP,
	PT621_FOREIGN_RTSP,
	PT621_FOREIGN_RDP,
	PT621_FOREIGN_VNC,
	PT621_FOREIGN_SMB,
	PT621_FOREIGN_MQTT,
	PT621_FOREIGN_REDIS,
	PT621_FOREIGN_MEMCACHED,
	PT621_FOREIGN_POSTGRESQL,
	PT621_FOREIGN_DNS,
	PT621_FOREIGN_LDAP,
	PT621_FOREIGN_SNMP,
	PT621_FOREIGN_STUN,
	PT621_FOREIGN_BITTORRENT,
	PT621_FOREIGN_ADB,
	PT621_FOREIGN_GT06,			/* from here on: other trackers */
	PT621_FOREIGN_TELTONIKA,
	PT621_FOREIGN_GPS103,
	PT621_FOREIGN_TK103,
	PT621_FOREIGN_H02,
	PT621_FOREIGN_MEITRACK,
	PT621_FOREIGN_QUECLINK,
	PT621_FOREIGN_SUNTECH,
	PT621_FOREIGN_WIALON,
	PT621_FOREIGN_WATCH,
	PT621_FOREIGN_JT808,
	PT621_FOREIGN_EELINK,
	PT621_FOREIGN_KINDS
} Pt621Foreign;

/*
 * Tells which other protocol a connection or datagram speaks.
 *
 * data, size: its first bytes, from the very first on.  Bytes behind
 * PT621_FOREIGN_LOOK are not looked at.
 * *more: whether it takes more bytes to tell; only with PT621_FOREIGN_NONE.
 * Where none follow, that is the answer.  With *more false, more bytes behind
 * these change nothing.
 *
 * Returns PT621_FOREIGN_NONE whenever it could be a tracker of this family, of
 * a kind not seen yet included.
 */
extern Pt621Foreign pt621_foreign(const uint8_t *data, size_t size, bool *more);

/* Names a kind: "HTTP", ...; PT621_FOREIGN_NONE is "none".  NULL for no kind. */
extern const char *pt621_foreign_name(Pt621Foreign kind);

/* ------------------------------------------------------------------------
 * 5. Commands (protocol 9)
 * ------------------------------------------------------------------------ */

#define PT621_COMMAND_MAX	160 /* bytes of a text, without '#' and line end */
#define PT621_COMMAND_BYTES (PT621_COMMAND_MAX + 3) /* with both */
#define PT621_PHOTO_REQUEST_BYTES	27	/* longest request for photo bytes */

/* What is wrong with a command.  Texts: pt621_command_error_text(). */
typedef enum Pt621CommandError
{
	PT621_COMMAND_OK = 0,
	PT621_COMMAND_KIND,			/* no such kind */
	PT621_COMMAND_TOO_LONG,		/* more than PT621_COMMAND_MAX bytes */
	PT621_COMMAND_BYTE,			/* not 0x20 to 0x7E: a line end above all */
	PT621_COMMAND_ARGUMENT,		/* not what the kind takes, or missing */
	PT621_COMMAND_HASH,			/* a second command could begin at a '#' */
	PT621_COMMAND_PHOTO_BYTES	/* PHD: the listener's own dialogue */
} Pt621CommandError;

/* One command: printable bytes in which no other command can begin. */
typedef struct Pt621Command
{
	uint32_t	size;			/* bytes of the text, 1 .. PT621_COMMAND_MAX */
	char		text[PT621_COMMAND_MAX + 1];	/* without '#' and line end */
	uint32_t	output;			/* 1 .. 9 where all it does is to switch that
								 * output; 0: pt621_command_may_switch() */
	bool		on;				/* that output: on or off */
} Pt621Command;

/*
 * Writes a command of a kind: "engine_cut", "output", ..., or "text" for the
 * argument as it stands.
 *
 * kind, argument: texts with their sizes, of any bytes; where there is no
 * argument, NULL and 0.  pt621_command_argument() says what each kind takes.
 * Returns true and fills *command; false and *error when there is no such
 * command, and *command is undefined.
 */
extern bool pt621_command_encode(const char *kind, size_t kind_size,
								 const char *argument, size_t argument_size,
								 Pt621Command *command,
								 Pt621CommandError *error);

/* Names kind number i (0 ..), or returns NULL past the last. */
extern const char *pt621_command_kind(int i);

/* Says what kind number i takes as its argument, or returns NULL past the last. */
extern const char *pt621_command_argument(int i);

/*
 * Says what is wrong and what is allowed.  kind: as it was given to
 * pt621_command_encode().  No byte of it reaches the text.
 */
extern const char *pt621_command_error_text(Pt621CommandError error,
											const char *kind, size_t kind_size);

/* Writes a command as sent.  out: PT621_COMMAND_BYTES bytes.  Returns how many. */
extern size_t pt621_command_bytes(const Pt621Command *command, uint8_t *out);

/*
 * Writes a request for so many bytes of a photo, as sent (protocol 7).
 * out: PT621_PHOTO_REQUEST_BYTES bytes.  Returns how many.
 */
extern size_t pt621_photo_request(uint32_t offset, uint32_t count, uint8_t *out);

/*
 * Tells whether a text may switch an output on; 0 asks about any.  False only
 * where OPC stands nowhere in it, or it does no more than to switch an output
 * off, or another one.  An AN that stores such a command for later counts; a
 * SAL that says what sets off the stored one does not.
 *
 * text, here and below: with or without its '#' and line end, of any bytes.
 */
extern bool pt621_command_may_switch(const char *text, size_t size,
									 uint32_t output);

/* How a line speaks of a command; the more, the better. */
typedef enum Pt621Answer
{
	PT621_ANSWER_NONE = 0,		/* it does not */
	PT621_ANSWER_NAMED,			/* by its mnemonic, the letters behind its '#',
								 * three at most */
	PT621_ANSWER_ECHO			/* by its whole text */
} Pt621Answer;

/*
 * Tells how a line speaks of a command, in any case and as a word; no more is known
 * of answers (protocol 9).  To be asked of lines that are no records: the code of an
 * alarm may be the mnemonic of a command.
 */
extern Pt621Answer pt621_command_answer(const char *text, size_t size,
										const uint8_t *line, size_t line_size);

#endif							/* PT621_CODEC_H */
