/*
 * test_command_line.c
 *		Commands as lines: which may switch an output on, which lines answer them,
 *		and requests for the bytes of photos.
 *
 * Invariant: texts are given in memory that ends where they end, so that the
 * sanitizer sees a byte read too many.
 */
#include "codec/pt621_codec.h"

#include <stdlib.h>

#include "tap.h"

#define BYTES(s)	(s), sizeof(s) - 1

/* Copies a text to memory that has no more. */
static char *
copy_of(const char *text, size_t size)
{
	char	   *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, text, size);
	return copy;
}

static bool
may_switch(const char *text, size_t size, uint32_t output)
{
	char	   *copy = copy_of(text, size);
	bool		may = pt621_command_may_switch(copy, size, output);

	free(copy);
	return may;
}

static bool
is_answered(const char *text, const char *line)
{
	char	   *copy = copy_of(text, strlen(text));
	char	   *said = copy_of(line, strlen(line));
	bool		answered = pt621_command_is_answered_by(copy, strlen(text), (const uint8_t *) said, strlen(line));

	free(copy);
	free(said);
	return answered;
}

static const struct
{
	const char *text;
	size_t		size;
	uint32_t	output;
	bool		may;
}			switching[] =
{
	{BYTES("OPC1,1"), 1, true},
	{BYTES("OPC1,1"), 2, false},
	{BYTES("OPC1,1"), 0, true},
	{BYTES("OPC1,0"), 1, false},
	{BYTES("OPC1,0"), 0, false},
	{BYTES("OPC2,1"), 1, false},
	{BYTES("opc1,1"), 1, true},
	{BYTES("oPc1,0"), 1, false},
	{BYTES("#OPC1,1\r\n"), 1, true},
	{BYTES("#OPC1,0\r\n"), 1, false},
	{BYTES("##OPC1,0"), 1, true},
	{BYTES("OPC01,1"), 1, true},
	{BYTES("OPC11,1"), 1, true},
	{BYTES("OPC0,1"), 1, true},
	{BYTES("OPC1,01"), 1, true},
	{BYTES("OPC1,00"), 1, true},
	{BYTES("OPC1,0 "), 1, true},
	{BYTES(" OPC1,0"), 1, true},
	{BYTES("OPC 1,0"), 1, true},
	{BYTES("OPC2,1,OPC1,1"), 1, true},
	{BYTES("OPC1,0;OPC1,1"), 1, true},
	{BYTES("OPC1,0\0"), 1, true},
	{BYTES("OPC1,0\r\n#OPC1,1"), 1, true},
	{BYTES("\0OPC1,1"), 1, true},
	{BYTES("000000OPC1,1"), 1, true},
	{BYTES("AN1'#OPC1,1,',10,'#OPC1,0'"), 1, true},
	{BYTES("AN1'#OPC2,1,',10,'#OPC2,0'"), 1, true},
	{BYTES("xopcx"), 1, true},
	{BYTES("OPC"), 1, true},
	{BYTES("OP"), 1, false},
	{BYTES(""), 1, false},
	{BYTES("VER"), 1, false},
	{BYTES("VER"), 0, false},
	{BYTES("O PC1,1"), 1, false},
	{BYTES("SALSPD10001"), 1, false},
};

static void
test_may_switch(void)
{
	char		text[PT621_COMMAND_MAX + 10];

	for (size_t i = 0; i < sizeof(switching) / sizeof(switching[0]); i++)
		is_int(may_switch(switching[i].text, switching[i].size, switching[i].output), switching[i].may,
			   "number %zu, of %zu bytes, and output %u", i, switching[i].size, switching[i].output);
	ok(!pt621_command_may_switch(NULL, 0, 1), "no text may not");
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 3, "OpC", 3);
	ok(may_switch(text, sizeof(text), 1), "the end of a text that is too long may");
	ok(!may_switch(text, sizeof(text) - 1, 1), "without it, it may not");
	for (uint32_t n = 1; n <= 9; n++)
	{
		char		argument[] = {(char) ('0' + n), '\0'};
		Pt621Command command;
		Pt621CommandError error;

		pt621_command_encode("engine_cut", 10, argument, 1, &command, &error);
		ok(may_switch(command.text, command.size, n) && !may_switch(command.text, command.size, n % 9 + 1),
		   "cutting by output %u switches that one alone", n);
		pt621_command_encode("engine_restore", 14, argument, 1, &command, &error);
		ok(!may_switch(command.text, command.size, n), "restoring by output %u does not", n);
	}
}

static void
test_mnemonic(void)
{
	static const struct
	{
		const char *text;
		size_t		size;
	}			texts[] =
	{
		{"VER", 3}, {"OPC1,1", 3}, {"SALIN111", 3}, {"AN1'#VER,',1,'#VER'", 2}, {"AD11 5", 2},
		{"#PTI300\r\n", 3}, {"", 0}, {"#", 0}, {" VER", 0}, {"123456VER", 0}, {"x", 1}, {"tmz-5", 3}
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		char	   *copy = copy_of(texts[i].text, strlen(texts[i].text));

		is_int((long long) pt621_command_mnemonic(copy, strlen(texts[i].text)), (long long) texts[i].size,
			   "letters of mnemonic number %zu", i);
		free(copy);
	}
}

static void
test_answers(void)
{
	static const struct
	{
		const char *text;
		const char *line;
		bool		answered;
	}			lines[] =
	{
		{"VER", "VER", true},
		{"VER", "VER:502-V1.3", true},
		{"VER", "ver 502", true},
		{"VER", "502,VER", true},
		{"VER", "510VER2", true},
		{"VER", "$VER,OK\r\n", true},
		{"VER", "never", false},
		{"VER", "VERSION", false},
		{"VER", "OVER", false},
		{"VER", "never VER", true},
		{"VER", "VE", false},
		{"VER", "", false},
		{"VER", "OK", false},
		{"VER", "VVER VER", true},
		{"#VER\r\n", "VER", true},
		{"ver", "VER", true},
		{"OPC1,1", "OPC1,1 OK", true},
		{"OPC1,1", "OPC1,0", true},
		{"PTI300", "SET PTI OK", true},
		{"SALIN1111", "SAL OK", true},
		{"SALIN1111", "SALIN1111 OK", true},
		{"SALIN1111", "SALIU1111", false},
		{"SALIN1111", "SALI", false},
		{"SALIN1111", "XSALIN1111", false},
		{"AN1'#VER,',1,'#VER'", "AN1 OK", true},
		{"AN1'#VER,',1,'#VER'", "WANT", false},
		{"", "VER", false},
		{"123", "123", false},
		{"#", "#", false},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		is_int(is_answered(lines[i].text, lines[i].line), lines[i].answered,
			   "line number %zu, to %.4s", i, lines[i].text[0] == '#' ? "#..." : lines[i].text);
	ok(!pt621_command_is_answered_by("VER", 3, NULL, 0), "no line is no answer");
	ok(pt621_command_is_answered_by("VER", 3, (const uint8_t *) "\xFF\0VER\0", 6), "other bytes may be around it");
}

static void
test_photo_request(void)
{
	uint8_t		out[PT621_PHOTO_REQUEST_BYTES];
	size_t		size = pt621_photo_request(0, 960, out);

	ok(size == 11 && memcmp(out, "#PHD0,960\r\n", 11) == 0, "the first bytes of a photo");
	size = pt621_photo_request(UINT32_MAX, UINT32_MAX, out);
	ok(size == sizeof(out) && memcmp(out, "#PHD4294967295,4294967295\r\n", size) == 0, "the longest request");
}

int
main(void)
{
	test_may_switch();
	test_mnemonic();
	test_answers();
	test_photo_request();
	return done_testing();
}
