/*
 * test_split.c
 *		Streams are cut into the units that doc/protocol.md describes, and into the
 *		same ones however they arrived.
 *
 * Invariant: what a stream becomes is written as one word per unit: its kind
 * (Line, Photo, Delta, Text, Garbage), the bytes of its payload, "+n" for n
 * bytes of line end in them, "^n" for n bytes before the payload, and "!error".
 */
#include "codec/pt621_codec.h"
#include "csv.h"
#include "stream.h"
#include "tap.h"

#define CUTS		10000		/* ways in which each stream is cut into reads */
#define BYTES(s)	(const uint8_t *) (s), sizeof(s) - 1

/* A record with its line end, 91 bytes, and one that is shorter. */
#define RECORD	"$POS,3760971,145733.000,A,2036.3883,N,10323.9836,W,0.0,119.5,281117,,,A/00000,00000/0/0//\r\n"
#define SHORT	"$IN1,77,08"

/* The bound for lines that every splitter here is given; 0: its own. */
static uint32_t line_max;

static const char *const error_words[] = {
	"ok", "not_a_record", "line_too_long", "frame_cut_short", "frame_length",
	"frame_verify", "frame_empty", "photo_cut_short", "photo_header",
	"too_few_fields", "code", "ident_length", "ident_byte", "imei",
	"delta_cut_short"
};

/* Writes the units as words. */
static const char *
describe(const Units *units)
{
	static char text[65536];
	size_t		used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < units->count && used < sizeof(text) - 100; i++)
	{
		const Pt621Unit *u = &units->unit[i];

		used += (size_t) sprintf(text + used, "%s%c%u", i ? " " : "",
								 "LPDTG"[u->kind], u->payload_size);
		if (u->line_end)
			used += (size_t) sprintf(text + used, "+%u", u->line_end);
		if (u->payload_at)
			used += (size_t) sprintf(text + used, "^%u", u->payload_at);
		if (u->error.code)
			used += (size_t) sprintf(text + used, "!%s", error_words[u->error.code]);
	}
	return text;
}

/* Tells whether the units, one after the other, are the stream. */
static bool
covers(const Units *units, const uint8_t *bytes, size_t size)
{
	return units->size == size && (size == 0 || memcmp(units->bytes, bytes, size) == 0);
}

/* Splits a stream that came in one read and ended. */
static bool
split_whole(Feed *f, const uint8_t *bytes, size_t size)
{
	return feed(f, bytes, size, PT621_INPUT_MORE) &&
		feed(f, NULL, 0, PT621_INPUT_END) && covers(&f->units, bytes, size);
}

/* Splits a stream that came byte by byte. */
static bool
split_bytes(Feed *f, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		if (!feed(f, bytes + i, 1, PT621_INPUT_MORE))
			return false;
	}
	return feed(f, NULL, 0, PT621_INPUT_END) && covers(&f->units, bytes, size);
}

/* Checks what a stream becomes: in one read, as a datagram, byte by byte. */
static void
becomes(const uint8_t *bytes, size_t size, const char *expected,
		const char *what)
{
	Feed		whole = {0};
	Feed		datagram = {0};
	Feed		single = {0};
	bool		promises;

	whole.splitter.line_max = line_max;
	datagram.splitter.line_max = line_max;
	single.splitter.line_max = line_max;
	promises = split_whole(&whole, bytes, size);
	promises = feed(&datagram, bytes, size, PT621_INPUT_END) && promises;
	promises = split_bytes(&single, bytes, size) && promises;
	is_str(describe(&whole.units), expected, "%s", what);
	ok(promises && units_equal(&whole.units, &datagram.units) &&
	   units_equal(&whole.units, &single.units) &&
	   single.most_pending <= PT621_PENDING_MAX,
	   "%s: the same in one datagram and byte by byte", what);
	feed_free(&whole);
	feed_free(&datagram);
	feed_free(&single);
}

/* Checks what is taken of a stream that goes on. */
static void
waits(const uint8_t *bytes, size_t size, Pt621Input input, const char *expected,
	  size_t left, const char *what)
{
	Feed		f = {0};

	f.splitter.line_max = line_max;
	feed(&f, bytes, size, PT621_INPUT_MORE);
	if (input == PT621_INPUT_SILENCE)
		feed(&f, NULL, 0, input);
	is_str(describe(&f.units), expected, "%s", what);
	is_int((long long) f.size, (long long) left, "%s: bytes that wait", what);
	feed_free(&f);
}

/* Puts a BF FB header before a body; verify < 0: the right one. */
static size_t
frame(uint8_t *out, const void *body, size_t size, int verify)
{
	uint8_t		check = 0;

	for (size_t i = 0; i < size; i++)
		check ^= ((const uint8_t *) body)[i];
	out[0] = 0xBF;
	out[1] = 0xFB;
	out[2] = verify < 0 ? check : (uint8_t) verify;
	out[3] = (uint8_t) (size + PT621_FRAME_HEADER);
	out[4] = (uint8_t) ((size + PT621_FRAME_HEADER) >> 8);
	memcpy(out + PT621_FRAME_HEADER, body, size);
	return size + PT621_FRAME_HEADER;
}

/* Cuts one stream into reads at random, many times. */
static void
check_cuts(const uint8_t *bytes, size_t size, const char *what)
{
	Random		random = {size};
	Feed		whole = {0};
	Feed		single = {0};
	size_t		most_pending = 0;
	bool		same;

	whole.splitter.line_max = line_max;
	single.splitter.line_max = line_max;
	ok(split_whole(&whole, bytes, size), "%s: its units are its bytes", what);
	same = split_bytes(&single, bytes, size) &&
		units_equal(&whole.units, &single.units);
	ok(same, "%s: byte by byte", what);
	feed_free(&single);

	for (int i = 0; same && i < CUTS; i++)
	{
		Feed		f = {0};
		/* Some times many short reads, some times few long ones. */
		uint32_t	longest = 1 + random_next(&random) % (uint32_t) (size + 1);

		f.splitter.line_max = line_max;
		if (size > 4096 && longest < 64)
			longest += 64;		/* byte by byte was tested: this is faster */
		for (size_t at = 0; same && at < size;)
		{
			size_t		some = 1 + random_next(&random) % longest;

			if (some > size - at)
				some = size - at;
			same = feed(&f, bytes + at, some, PT621_INPUT_MORE);
			at += some;
		}
		same = feed(&f, NULL, 0, PT621_INPUT_END) && same &&
			units_equal(&whole.units, &f.units);
		if (f.most_pending > most_pending)
			most_pending = f.most_pending;
		feed_free(&f);
	}
	ok(same, "%s: %d random ways to cut it into reads change nothing", what, CUTS);
	ok(most_pending <= PT621_PENDING_MAX, "%s: never more pending than the bound",
	   what);
	feed_free(&whole);
}

/* Counts units of a kind. */
static int
count(const Units *units, Pt621UnitKind kind)
{
	int			n = 0;

	for (size_t i = 0; i < units->count; i++)
		n += units->unit[i].kind == kind;
	return n;
}

static void
test_cuts(void)
{
	static uint8_t mixed[65536];
	size_t		size = 0;
	size_t		harmless;
	Random		random = {621};
	Feed		f = {0};

	for (int i = 0; i < captured_count; i++)
		check_cuts(captured[i].bytes, captured[i].size, captured[i].id);

	/* Noise that cannot be taken for a mark, and a line end behind it. */
	for (int i = 0; i < captured_count; i++)
	{
		bool		delta = captured[i].bytes[0] == '@';

		memcpy(mixed + size, captured[i].bytes, captured[i].size);
		size += captured[i].size;
		if (delta)
			continue;			/* noise might be one more patch of it */
		memcpy(mixed + size, "\r\n", 2);
		size += 2;
		for (uint32_t n = random_next(&random) % 40; n > 0; n--)
			mixed[size++] = (uint8_t) (0x80 + random_next(&random) % 0x3F);
		memcpy(mixed + size, "\r\n", 2);
		size += 2;
	}
	split_whole(&f, mixed, size);
	/* 38 - 4 deltas - 1 chunk - 1 frame of four, see captured.csv. */
	is_int(count(&f.units, PT621_UNIT_LINE), captured_count - 4 - 1 - 1 + 4,
		   "mixed: no line is lost to the noise");
	is_int(count(&f.units, PT621_UNIT_DELTA), 4, "mixed: no delta is lost");
	is_int(count(&f.units, PT621_UNIT_PHOTO), 1, "mixed: no chunk is lost");
	feed_free(&f);
	check_cuts(mixed, size, "mixed with harmless noise");

	/* Noise with marks of all kinds in it: nothing but the units' sum is sure. */
	harmless = size;
	for (int i = 0; i < captured_count; i++)
	{
		memcpy(mixed + size, captured[i].bytes, captured[i].size);
		size += captured[i].size;
		for (uint32_t n = random_next(&random) % 60; n > 0; n--)
		{
			static const uint8_t marks[] = "\r\n\n\r$@\xBF\xFB#,/\x0A\x0D\x01$PHD0,9,$POS,";
			uint32_t	r = random_next(&random);

			mixed[size++] = r & 0x100 ? marks[(r >> 9) % (sizeof(marks) - 1)] : (uint8_t) r;
		}
	}
	check_cuts(mixed + harmless, size - harmless, "mixed with wicked noise");
}

static void
test_line_ends(void)
{
	becomes(BYTES(SHORT "\r\n"), "L12+2", "CR LF");
	becomes(BYTES(SHORT "\n"), "L11+1", "LF");
	becomes(BYTES(SHORT "\r"), "L11+1", "CR");
	becomes(BYTES(SHORT "\r\r"), "L12+2", "CR CR");
	becomes(BYTES(SHORT "#\n" SHORT "\r\n"), "L12+1 L12+2", "a stored and a live record");
	becomes(BYTES(SHORT "\r" SHORT "\r\r" SHORT "\n"), "L11+1 L12+2 L11+1",
			"one CR, two, and LF");
	becomes(BYTES(SHORT "\n\n" SHORT "\n\r" SHORT), "L11+1 L11+1^1 L10^1",
			"LF LF and LF CR are two line ends");
	becomes(BYTES(SHORT "\r\r\r\n\n" SHORT "\r\n"), "L12+2 L12+2^3",
			"further line ends are skipped");
	becomes(BYTES("\r\n\r\n" SHORT), "L10^4", "line ends before the first record");
	becomes(BYTES("\r\n"), "T0^2", "nothing but a line end");
	becomes(BYTES(SHORT "\r\n\r\n"), "L12+2 T0^2", "a blank line at the end");

	waits(BYTES(SHORT "\r"), PT621_INPUT_MORE, "", 11,
		  "a CR waits for its second byte");
	waits(BYTES(SHORT "\r"), PT621_INPUT_SILENCE, "L11+1", 0,
		  "silence: the CR was alone");
	waits(BYTES(SHORT "\r\n"), PT621_INPUT_MORE, "L12+2", 0, "CR LF does not wait");
	waits(BYTES(SHORT "\n"), PT621_INPUT_MORE, "L11+1", 0, "LF does not wait");
	waits(BYTES(SHORT "\r$"), PT621_INPUT_MORE, "L11+1", 1,
		  "CR and no line end behind it");
	waits(BYTES(SHORT), PT621_INPUT_SILENCE, "", 10,
		  "silence does not end half a record");
	waits(BYTES("\r\n"), PT621_INPUT_SILENCE, "", 2,
		  "silence does not end a blank line");
	waits(BYTES("HELLO"), PT621_INPUT_MORE, "", 5, "a text waits for its line end");
	waits(BYTES("HELLO"), PT621_INPUT_SILENCE, "T5!not_a_record", 0,
		  "silence ends a text without line end");
	waits(BYTES("@HELLO"), PT621_INPUT_SILENCE, "T6!not_a_record", 0,
		  "silence ends a text that begins like a delta");
	waits(BYTES("HEL\x01LO"), PT621_INPUT_SILENCE, "", 6,
		  "silence does not end garbage");
	waits(BYTES("HELLO\xBF"), PT621_INPUT_SILENCE, "", 6,
		  "nor a text behind which a frame may begin");
	waits(BYTES("HELLO\r"), PT621_INPUT_SILENCE, "T6+1!not_a_record", 0,
		  "silence ends a text at its CR");
}

static void
test_deltas(void)
{
	static uint8_t big[4096];
	size_t		at;
	Feed		f = {0};

	/* FORUM-08 and FORUM-07, glued to what may follow. */
#define D1	"\x40\x41\x02\x04\x06" "18.000"
#define D2	"\x40\x6b\x02\x03\x07" "803.000" "\x09\x00\x05" "119.5"
	becomes(BYTES(D1), "D11", "a delta alone");
	becomes(BYTES(D1 D2 D1), "D11 D20 D11", "deltas glued together");
	becomes(BYTES(D2 RECORD D1), "D20 L91+2 D11", "deltas and a record glued");
	becomes(BYTES(D1 "\r\n" D2 "\r\n"), "D11 D20^2 T0^2", "CR LF behind a delta");
	becomes(BYTES(D1 "\n" D2 "\r" D1 "\r\r"), "D11 D20^1 D11^1 T0^2",
			"other line ends behind a delta");
	becomes(BYTES("\x40\x40\x02\x04\x06" "18.000" "\x40\x40\x02\x04\x06" "33.000"),
			"D11 D11", "the check byte is the mark itself");
	becomes(BYTES("\x40\x24\x02\x04\x06" "18.000"), "D11", "the check byte is '$'");
	becomes(BYTES("\x40\x0D\x02\x04\x06" "18.000"), "D11", "the check byte is CR");
	becomes(BYTES("\x40\x60\x13\x00\x02\r\n\x02\x04\x06" "18.000"), "D16",
			"CR LF in a patch");
	becomes(BYTES("\x40\x60\x02\x00\x05" "$POS," "\x03\x00\x02\xBF\xFB" D1),
			"D15 D11", "marks in a patch");
	becomes(BYTES("\x40\x60\x09\x05\x00" D1), "D5 D11", "a patch without data");
	becomes(BYTES("\x40\x60\x0D\x00\x01N" "\x0A\x04\x02" "18"), "D11",
			"fields 13 and 10 are no line ends");
	becomes(BYTES("\x40\x60\x1F\x00\x01N" "\x20\x00\x01N"), "D6 G4!not_a_record",
			"an index of 32 ends a delta");

	waits(BYTES(D1), PT621_INPUT_MORE, "", 11, "a delta waits for its end");
	waits(BYTES(D1), PT621_INPUT_SILENCE, "D11", 0, "silence at the end of a patch");
	waits(BYTES("\x40\x41\x02\x04\x06" "18.00"), PT621_INPUT_SILENCE, "", 10,
		  "silence in a patch's data");
	waits(BYTES(D1 "\x09\x00"), PT621_INPUT_SILENCE, "", 13,
		  "silence in a patch's header");
	waits(BYTES("\x40"), PT621_INPUT_SILENCE, "", 1, "silence behind the mark");
	waits(BYTES("\x40\x41"), PT621_INPUT_SILENCE, "", 2,
		  "silence behind the check byte");
	waits(BYTES(D1 "@"), PT621_INPUT_MORE, "D11", 1, "the next mark ends it");
	waits(BYTES(D1 "\r"), PT621_INPUT_MORE, "", 12, "CR may be an index");
	waits(BYTES(D1 "\r"), PT621_INPUT_SILENCE, "D11", 1,
		  "silence: CR was no index");

	/* Late bytes after a silence belong to what comes next. */
	feed(&f, BYTES(D1), PT621_INPUT_MORE);
	feed(&f, NULL, 0, PT621_INPUT_SILENCE);
	feed(&f, BYTES(D2), PT621_INPUT_MORE);
	feed(&f, NULL, 0, PT621_INPUT_SILENCE);
	is_str(describe(&f.units), "D11 D20", "two deltas with a silence between");
	feed_free(&f);

	becomes(BYTES("mail@home\r\n"), "T11+2!not_a_record", "'@' in a text");
	becomes(BYTES("@home\r\n"), "T7+2!not_a_record", "'@' begins a text");
	becomes(BYTES("@\r\n" RECORD), "T3+2!not_a_record L91+2", "'@' and a line end");
	becomes(BYTES("@x\r"), "T3+1!not_a_record", "'@', a byte and CR");
	becomes(BYTES("@"), "T1!not_a_record", "'@' alone");
	becomes(BYTES("$POS,a@\x02\x00\x01x,08\r\n"), "L16+2", "a delta's bytes in a line");

	/* Cut short by the end of the input: an error, and never more than that. */
	becomes(BYTES("\x40\x41\x02\x04\x06" "18"), "G7!delta_cut_short",
			"a delta cut short in its data");
	becomes(BYTES(D1 "\x09"), "G12!delta_cut_short",
			"a delta cut short in a header");
	becomes(BYTES("\x40\x41\x02\x04\xFF" "18" RECORD RECORD),
			"G7!delta_cut_short L91+2 L91+2",
			"a count that lies does not take the records behind it");

	/* The longest delta, and one byte more. */
	memcpy(big, "\x40\x41", 2);
	for (at = 2; at + 3 + 11 <= PT621_RECORD_MAX; at += 14)
	{
		memcpy(big + at, "\x02\x00\x0B", 3);
		memset(big + at + 3, '1', 11);
	}
	is_int((long long) at, PT621_RECORD_MAX, "14 divides 1022");
	becomes(big, at, "D1024", "the longest delta");
	memcpy(big + at, "\x02\x00\x00", 3);
	becomes(big, at + 3, "G1024!not_a_record G3!not_a_record",
			"a longer delta is none");

	/* Endless patches. */
	memset(big, 0, sizeof(big));
	big[0] = '@';
	becomes(big, sizeof(big),
			"G1024!not_a_record G1024!not_a_record G1024!not_a_record "
			"G1024!not_a_record", "endless patches");
}

static void
test_frames(void)
{
	static uint8_t out[20000];
	static uint8_t body[9000];
	size_t		size;

	size = frame(out, RECORD, 91, -1);
	becomes(out, size, "L91+2^5", "a frame with a record");
	size = frame(out, RECORD, 91, 0xFF);
	becomes(out, size, "L91+2^5", "verify FF: not computed");
	size = frame(out, RECORD, 89, -1);
	becomes(out, size, "L89^5", "a frame without the line end");
	size = frame(out, RECORD "\r\n" RECORD "$IN1,7,8", 91 + 2 + 91 + 8, -1);
	becomes(out, size, "L91+2^5 L91+2^2 L8", "a frame with three records");
	size = frame(out, RECORD "\r\n", 93, -1);
	becomes(out, size, "L91+2^5 T0^2", "a frame with a blank line");
	size = frame(out, "\r\n", 2, -1);
	becomes(out, size, "T0^7", "a frame with nothing but a line end");
	size = frame(out, D1 RECORD D2, 11 + 91 + 20, -1);
	becomes(out, size, "D11^5 L91+2 D20", "a frame with deltas");
	size = frame(out, D1, 11, -1);
	size += frame(out + size, D2, 20, 0xFF);
	becomes(out, size, "D11^5 D20^5", "deltas framed one by one");
	size = frame(out, "\x40\x41\x02\x04\x06" "18", 7, -1);
	memcpy(out + size, RECORD, 91);
	becomes(out, size + 91, "G7^5!delta_cut_short L91+2",
			"a delta cut short by its frame");
	size = frame(out, "\xBF\xFB\x00\x10\x00" "$IN1,7,8\r\n", 15, -1);
	becomes(out, size, "G5^5!not_a_record L10+2", "no frame inside a frame");
	size = frame(out, "HELLO\r\n", 7, -1);
	becomes(out, size, "T7+2^5!not_a_record", "text in a frame");
	memcpy(out, "\r\n\n", 3);
	size = 3 + frame(out + 3, RECORD, 91, -1);
	becomes(out, size, "L91+2^8", "line ends before a frame");

	/* A frame gives its first unit only once it is there as a whole. */
	size = frame(out, RECORD RECORD, 182, -1);
	waits(out, size - 1, PT621_INPUT_SILENCE, "", size - 1,
		  "silence does not end a frame");

	size = frame(out, RECORD RECORD, 182, 0x01);
	memcpy(out + size, RECORD, 91);
	becomes(out, size + 91, "G182^5!frame_verify L91+2", "a wrong verify byte");
	memset(body, 'x', sizeof(body));
	size = frame(out, body, 2500, 0x55);
	becomes(out, size, "G1019^5!frame_verify G1024!frame_verify G457!frame_verify",
			"a long frame with a wrong verify byte");

	/* Lengths: nothing but the header is lost where they cannot be. */
	becomes(BYTES("\xBF\xFB\x00\x00\x00" RECORD), "G5!frame_length L91+2",
			"frame length 0");
	becomes(BYTES("\xBF\xFB\x00\x04\x00" RECORD), "G5!frame_length L91+2",
			"frame length 4");
	becomes(BYTES("\xBF\xFB\x00\x05\x00" RECORD), "G5!frame_empty L91+2",
			"frame length 5");
	becomes(BYTES("\xBF\xFB\x00\x01\x20" RECORD), "G5!frame_length L91+2",
			"frame length 8193");
	becomes(BYTES("\xBF\xFB\x00\xFF\xFF" RECORD), "G5!frame_length L91+2",
			"frame length 65535");
	becomes(BYTES("\xBF\xFB\x00\x00\x20" RECORD), "G5!frame_cut_short L91+2",
			"frame length 8192, and the connection ends");
	memset(body, 'x', 8187);
	memcpy(body, RECORD, 91);
	for (int i = 1; i < 8; i++)
		body[91 + i * 1000] = '\n';
	size = frame(out, body, 8187, -1);
	is_int((long long) size, PT621_FRAME_MAX, "the longest frame");
	becomes(out, size, "L91+2^5 T1001+1!not_a_record T1000+1!not_a_record "
			"T1000+1!not_a_record T1000+1!not_a_record T1000+1!not_a_record "
			"T1000+1!not_a_record T1000+1!not_a_record "
			"G1024!not_a_record T71!not_a_record",
			"a frame of 8192 bytes");
	/* And the most that can wait. */
	memset(out, '\n', 1023);
	size = 1023 + frame(out + 1023, body, 8187, -1);
	waits(out, size - 1, PT621_INPUT_MORE, "", 9214,
		  "the longest wait: line ends, then a frame");
	ok(9214 <= PT621_PENDING_MAX, "which is within the bound");

	becomes(BYTES("\xBF"), "G1!not_a_record", "half a mark");
	becomes(BYTES("\xBF\xFB"), "G2!frame_cut_short", "a mark alone");
	becomes(BYTES("\xBF\xFB\x00\x10"), "G4!frame_cut_short", "a header cut short");
	becomes(BYTES("\xBF" RECORD), "G1!not_a_record L91+2", "BF and no FB");
	waits(BYTES("\xBF"), PT621_INPUT_SILENCE, "", 1, "silence in a mark");

	/* The line ends in a header are no line ends. */
	size = frame(out, body, 8, 0x0D);
	out[3] = 0x0D;
	out[4] = 0x00;
	becomes(out, size, "G8^5!frame_verify", "a header that holds CR");
}

static void
test_starts_inside(void)
{
	static uint8_t out[4096];
	size_t		size;

	memcpy(out, "$POS,123,08", 11);
	size = 11 + frame(out + 11, RECORD, 91, -1);
	becomes(out, size, "L11 L91+2^5", "a frame in a record cut short");
	becomes(BYTES("$POS,1,08" RECORD), "L9 L91+2", "a record glued on one cut short");
	becomes(BYTES("$POS,1,08$PHO38,7\r\n"), "L9 L10+2", "a photo announcement so");
	becomes(BYTES("$POS,1,08$FUS86532\r\n"), "L9 L11+2", "a status so");
	becomes(BYTES("$POS,1,08$PHD0,2,ab\r\n"), "L9 P12+2", "a chunk so");
	becomes(BYTES("$POS,1,$5,$pos,$PO\r\n"), "L20+2", "other '$' are text");
	becomes(BYTES("$$$POS,1,08\r\n"), "L2 L11+2", "'$' before a record");
	becomes(BYTES("noise" RECORD), "G5!not_a_record L91+2", "noise before a record");
	becomes(BYTES("noise$\r\n"), "G5!not_a_record L3+2", "noise before '$'");
	becomes(BYTES("$\r\n"), "L3+2", "'$' alone on its line");
	becomes(BYTES("$"), "L1", "'$' alone");

	/* A record that begins where an endless line is cut is not cut with it. */
	for (int back = 0; back <= 6; back++)
	{
		char		what[80];
		char		expected[80];

		memset(out, 'x', sizeof(out));
		out[0] = '$';
		memcpy(out + PT621_RECORD_MAX - back, RECORD, 91);
		snprintf(what, sizeof(what), "a record %d bytes before the limit", back);
		snprintf(expected, sizeof(expected), "%s%d%s L91+2",
				 back == 0 ? "G" : "L", PT621_RECORD_MAX - back,
				 back == 0 ? "!line_too_long" : "");
		becomes(out, (size_t) (PT621_RECORD_MAX - back + 91), expected, what);

		memset(out, 'x', sizeof(out));
		out[0] = '$';
		size = PT621_RECORD_MAX - (size_t) back;
		size += frame(out + size, RECORD, 91, -1);
		snprintf(what, sizeof(what), "a frame %d bytes before the limit", back);
		snprintf(expected, sizeof(expected), "%s%d%s L91+2^5",
				 back == 0 ? "G" : "L", PT621_RECORD_MAX - back,
				 back == 0 ? "!line_too_long" : "");
		becomes(out, size, expected, what);

		memset(out, 'x', sizeof(out));
		memcpy(out + PT621_RECORD_MAX - back, RECORD, 91);
		snprintf(what, sizeof(what), "a record %d bytes before noise is cut", back);
		snprintf(expected, sizeof(expected), "G%d!not_a_record L91+2",
				 PT621_RECORD_MAX - back);
		becomes(out, (size_t) (PT621_RECORD_MAX - back + 91), expected, what);
	}
}

static void
test_limits(void)
{
	static uint8_t out[5000];

	memset(out, 'x', sizeof(out));
	memcpy(out, "$POS,", 5);
	memcpy(out + 1022, "\r\n", 2);
	becomes(out, 1024, "L1024+2", "the longest line");
	memcpy(out + 1022, "x\r\n", 3);
	becomes(out, 1025, "G1024!line_too_long T0^1", "a line of 1025 bytes");
	memcpy(out + 1022, "x\n", 2);
	becomes(out, 1024, "L1024+1", "a line of 1024 bytes with LF");
	memcpy(out + 1022, "x\r", 2);
	becomes(out, 1024, "L1024+1", "a line of 1024 bytes with CR");
	memset(out + 1022, 'x', 10);
	becomes(out, 1024, "L1024", "1024 bytes and the connection ends");
	becomes(out, 1026, "G1024!line_too_long T2!not_a_record",
			"1026 bytes and the connection ends");
	becomes(out, 5000, "G1024!line_too_long G1024!not_a_record G1024!not_a_record "
			"G1024!not_a_record T904!not_a_record", "an endless line");

	/* With line ends before it the whole unit stays within the bound. */
	memset(out, '\n', 1000);
	memset(out + 1000, 'x', 4000);
	out[1000] = '$';
	becomes(out, 2200, "G24^1000!line_too_long G1024!not_a_record T152!not_a_record",
			"an endless line behind line ends");

	memset(out, '\n', sizeof(out));
	becomes(out, 5000, "T0^1024 T0^1024 T0^1024 T0^1024 T0^904", "endless LF");
	memset(out, '\r', sizeof(out));
	becomes(out, 5000, "T0^1024 T0^1024 T0^1024 T0^1024 T0^904", "endless CR");
	memset(out, '$', sizeof(out));
	becomes(out, 2100, "G1024!line_too_long G1024!line_too_long L52", "endless '$'");
	memset(out, '@', sizeof(out));
	becomes(out, 2100, "G1024!not_a_record G1024!not_a_record T52!not_a_record",
			"endless '@'");
	memset(out, 0xBF, sizeof(out));
	becomes(out, 2100, "G1024!not_a_record G1024!not_a_record G52!not_a_record",
			"endless BF");
	memset(out, 'x', sizeof(out));
	becomes(out, 1023, "T1023!not_a_record", "the longest text without line end");
	becomes(out, 1024, "G1024!not_a_record", "one byte more, and nothing behind it");
	becomes(out, 0, "", "nothing at all");

	for (int byte = 0; byte < 256; byte++)
	{
		uint8_t		one = (uint8_t) byte;
		Feed		f = {0};
		bool		line_end = byte == '\r' || byte == '\n';

		if (!split_whole(&f, &one, 1) || f.units.count != 1 ||
			f.units.unit[0].kind != (byte == '$' ? PT621_UNIT_LINE :
									 line_end || (byte >= 0x20 && byte <= 0x7E) ?
									 PT621_UNIT_TEXT : PT621_UNIT_GARBAGE) ||
			(f.units.unit[0].error.code != PT621_OK) != (byte != '$' && !line_end))
			ok(false, "the byte %02x alone", byte);
		feed_free(&f);
	}
	ok(true, "each byte alone");
}

/* The caller's own bound for lines, at its edges. */
static void
test_line_max(void)
{
	static uint8_t out[4096];
	size_t		size;

	line_max = 64;
	memset(out, 'x', sizeof(out));
	memcpy(out, "$POS,", 5);
	memcpy(out + 62, "\r\n", 2);
	becomes(out, 64, "L64+2", "64: the longest line");
	memcpy(out + 62, "x\r\n", 3);
	becomes(out, 65, "G64!line_too_long T0^1", "64: a line of 65 bytes");
	memcpy(out + 62, "xx\n", 3);
	becomes(out, 65, "G64!line_too_long T0^1", "64: a line of 65 bytes with LF");
	memset(out + 62, 'x', 10);
	becomes(out, 64, "L64", "64: the connection ends");
	becomes(out, 66, "G64!line_too_long T2!not_a_record", "64: two bytes later");
	waits(out, 67, PT621_INPUT_MORE, "", 67, "64: a record might begin at its end");
	waits(out, 68, PT621_INPUT_MORE, "G64!line_too_long", 4, "64: none begins there");
	waits(out, 1000, PT621_INPUT_MORE, "G64!line_too_long", 936,
		  "64: the rest waits for its end, as text");
	memcpy(out + 300, "\r\n" RECORD, 2 + 91);
	becomes(out, 302 + 91, "G64!line_too_long T238+2!not_a_record G64!line_too_long "
			"T27+2!not_a_record", "64: the rest, then a record that is too long itself");
	memcpy(out + 300, "\r\n" SHORT "\r\n", 2 + 12);
	becomes(out, 302 + 12, "G64!line_too_long T238+2!not_a_record L12+2",
			"64: the next line is not lost");
	memcpy(out + 64, "$IN1,77,08\r\n", 12);
	becomes(out, 76, "G64!line_too_long L12+2", "64: a record behind the bound");
	memset(out + 62, 'x', 14);
	memcpy(out + 60, "$IN1,77,08\r\n", 12);
	becomes(out, 72, "L60 L12+2", "64: a record across the bound");

	memset(out, '\n', 1000);
	memset(out + 1000, 'x', 300);
	out[1000] = '$';
	becomes(out, 1300, "G24^1000!line_too_long T276!not_a_record",
			"64: line ends before it count as they do without it");

	size = frame(out, RECORD SHORT "\r\n", 91 + 12, -1);
	becomes(out, size, "G64^5!line_too_long T27+2!not_a_record L12+2", "64: in a frame");
	becomes(BYTES("$PHD0,80,01234567890123456789012345678901234567890123456789"
				  "012345678901234567890123456789\r\n" SHORT), "P91+2 L10",
			"64: a chunk is no line");
	becomes(BYTES("0123456789012345678901234567890123456789012345678901234567890123456789\r\n"),
			"T72+2!not_a_record", "64: nor is other text");

	for (int i = 0; i < captured_count; i++)
		check_cuts(captured[i].bytes, captured[i].size, captured[i].id);

	line_max = 91;
	becomes(BYTES(RECORD RECORD), "L91+2 L91+2", "91: records as long as that");
	line_max = 90;
	becomes(BYTES(RECORD), "G90!line_too_long T0^1", "90: a byte too long");
	line_max = 1;
	becomes(BYTES("$$P\r\n"), "G1!line_too_long G1!line_too_long T3+2!not_a_record",
			"1: no line at all, and no standstill");
	line_max = PT621_RECORD_MAX + 1;
	memset(out, 'x', sizeof(out));
	out[0] = '$';
	becomes(out, 1026, "G1024!line_too_long T2!not_a_record",
			"1025: never more than the codec's own");
	line_max = 0;
}

/* The error says which bound it was. */
static void
test_line_max_error(void)
{
	uint8_t		out[100];
	char		text[PT621_ERROR_MAX];
	Pt621Splitter splitter = {.line_max = 80};
	Pt621Unit	unit;

	memset(out, 'x', sizeof(out));
	out[0] = '$';
	ok(pt621_split(&splitter, out, sizeof(out), PT621_INPUT_MORE, &unit) &&
	   unit.size == 80 && unit.error.expected == 80, "80: found without a line end");
	pt621_error_text(&unit.error, text);
	ok(strstr(text, "80 bytes") != NULL, "80: %s", text);
	is_int(splitter.line_max, 80, "80: the splitter keeps its bound");
}

static void
test_photos(void)
{
	static uint8_t out[20000];
	static uint8_t body[9000];
	size_t		size;

	becomes(BYTES("$PHD0,4,\xFF\xD8\r\n\r\n" RECORD), "P14+2 L91+2",
			"a bare chunk is read by its length");
	becomes(BYTES("$PHD0,4,$POS\n" RECORD), "P13+1 L91+2", "a record in a chunk");
	becomes(BYTES("$PHD960,4,\xBF\xFB@@\r" RECORD), "P15+1 L91+2", "marks in a chunk");
	becomes(BYTES("$PHD0,0,\r\n"), "P10+2", "a chunk without bytes");
	becomes(BYTES("$PHD0,4,abcd" RECORD), "P12 L91+2", "a chunk without line end");
	waits(BYTES("$PHD0,4,abcd"), PT621_INPUT_MORE, "", 12,
		  "a chunk waits for its line end");
	waits(BYTES("$PHD0,4,abcd"), PT621_INPUT_SILENCE, "P12", 0,
		  "silence: it has none");
	waits(BYTES("$PHD0,4,abcd\r"), PT621_INPUT_SILENCE, "P13+1", 0,
		  "silence: its line end is CR");
	waits(BYTES("$PHD0,4,abc"), PT621_INPUT_SILENCE, "", 11,
		  "silence does not end half a chunk");
	waits(BYTES("$PHD0,4"), PT621_INPUT_SILENCE, "", 7,
		  "silence does not end half a header");

	/* Lengths that lie. */
	becomes(BYTES("$PHD0,4,abcdef\r\n" RECORD),
			"P12 T4+2!not_a_record L91+2", "a chunk longer than it says");
	becomes(BYTES("$PHD0,960,abc\r\n" RECORD), "G15!photo_cut_short L91+2",
			"a chunk shorter than it says does not take the record behind it");
	size = frame(out, "$PHD0,960,abc\r\n", 15, -1);
	memcpy(out + size, RECORD, 91);
	becomes(out, size + 91, "G15^5!photo_cut_short L91+2",
			"a framed chunk shorter than it says");
	size = frame(out, "$PHD0,3,abc\r\n" RECORD, 13 + 91, -1);
	becomes(out, size, "P13+2^5 L91+2", "a framed chunk and a record");
	memset(body, 0xAA, sizeof(body));
	memcpy(body, "$PHD0,3000,", 11);
	becomes(body, 1500, "G1024!photo_cut_short G476!not_a_record",
			"a long chunk cut short");

	/* The longest chunk, bare and framed. */
	memcpy(body, "$PHD0,8160,", 11);
	memcpy(body + 11 + 8160, "\r\n", 2);
	becomes(body, 8173, "P8173+2", "the longest bare chunk");
	size = frame(out, body, 8173, -1);
	becomes(out, size, "P8173+2^5", "the longest framed chunk");
	memset(body + 1, 0x0A, 20);
	memcpy(body, "$PHD0,8161,\r\n", 13);
	becomes(body, 13, "L13+2", "a chunk too long to be is a line");

	/* Headers that are none: lines, to be refused by their reader. */
	becomes(BYTES("$PHD,4,abcd\r\n"), "L13+2", "no offset");
	becomes(BYTES("$PHDx,4,abcd\r\n"), "L14+2", "an offset that is no number");
	becomes(BYTES("$PHD0,,abcd\r\n"), "L13+2", "no length");
	becomes(BYTES("$PHD0,-4,abcd\r\n"), "L15+2", "a negative length");
	becomes(BYTES("$PHD0,4abcd\r\n"), "L13+2", "no comma behind the length");
	becomes(BYTES("$PHD0,000004,abcd\r\n"), "L19+2", "a length of six digits");
	becomes(BYTES("$PHD0123456789,4,abcd\r\n"), "P23+2", "an offset of ten digits");
	becomes(BYTES("$PHD01234567890,4,abcd\r\n"), "L24+2", "an offset of eleven");
	becomes(BYTES("$PHD0"), "L5", "a header cut short by the end");
	becomes(BYTES("$PHD"), "L4", "the code alone");
	becomes(BYTES("$PH"), "L3", "half the code");
	becomes(BYTES("$PHO12,7,08\r\n"), "L13+2", "an announcement is a line");
}

static void
test_texts(void)
{
	becomes(BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
			"T16+2!not_a_record T9+2!not_a_record T0^2", "an HTTP request");
	becomes(BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"),
			"G11!not_a_record", "a TLS hello");
	becomes(BYTES("#OPC1,1\r\n" RECORD), "T9+2!not_a_record L91+2", "a command's echo");
	becomes(BYTES("OK\n" RECORD), "T3+1!not_a_record L91+2", "a reply");
	becomes(BYTES("a\tb\r\n"), "G5+2!not_a_record", "a text with a control byte");
	becomes(BYTES("caf\xC3\xA9\r\n"), "G7+2!not_a_record", "a text in UTF-8");
	becomes(BYTES("last words"), "T10!not_a_record", "a text that the end cuts off");
	becomes(BYTES("half" RECORD), "G4!not_a_record L91+2",
			"a text that a record cuts off is none");
}

/* One megabyte of noise: bounded units, a bounded wait, the same in reads. */
static void
test_noise(void)
{
	enum
	{
		SIZE = 1024 * 1024
	};
	uint8_t    *noise = malloc(SIZE);
	Random		random = {20260501};
	Feed		whole = {0};
	Feed		reads = {0};
	bool		bounded = true;

	for (int i = 0; i < SIZE; i++)
		noise[i] = (uint8_t) random_next(&random);
	/* As one datagram, larger than any: the feed's copies stay linear. */
	ok(feed(&whole, noise, SIZE, PT621_INPUT_END) && covers(&whole.units, noise, SIZE),
	   "noise: its units are its bytes");
	for (int at = 0; at < SIZE;)
	{
		int			some = 1 + (int) (random_next(&random) % 3000);

		if (some > SIZE - at)
			some = SIZE - at;
		feed(&reads, noise + at, (size_t) some, PT621_INPUT_MORE);
		at += some;
	}
	feed(&reads, NULL, 0, PT621_INPUT_END);
	ok(units_equal(&whole.units, &reads.units), "noise: the same in reads");
	ok(reads.most_pending <= PT621_PENDING_MAX, "noise: a bounded wait");
	for (size_t i = 0; i < whole.units.count; i++)
	{
		const Pt621Unit *u = &whole.units.unit[i];

		bounded = bounded && u->size <= PT621_PENDING_MAX &&
			(u->kind == PT621_UNIT_PHOTO || u->payload_size <= PT621_RECORD_MAX);
	}
	ok(bounded, "noise: units within their bounds");
	feed_free(&whole);
	feed_free(&reads);
	free(noise);
}

int
main(void)
{
	captured_load();
	test_line_ends();
	test_deltas();
	test_frames();
	test_starts_inside();
	test_limits();
	test_line_max();
	test_line_max_error();
	test_photos();
	test_texts();
	test_noise();
	test_cuts();
	captured_free();
	return done_testing();
}
