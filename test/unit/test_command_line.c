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

static Pt621Answer
answer(const char *text, const char *line)
{
	char	   *copy = copy_of(text, strlen(text));
	char	   *said = copy_of(line, strlen(line));
	Pt621Answer how = pt621_command_answer(copy, strlen(text), (const uint8_t *) said, strlen(line));

	free(copy);
	free(said);
	return how;
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

static const struct
{
	const char *text;
	const char *line;
	Pt621Answer how;
}			answers[] =
{
	{"VER", "VER", PT621_ANSWER_ECHO},
	{"VER", "VER:502-V1.3", PT621_ANSWER_ECHO},
	{"VER", "ver 502", PT621_ANSWER_ECHO},
	{"VER", "502,VER", PT621_ANSWER_ECHO},
	{"VER", "510VER2", PT621_ANSWER_NAMED},
	{"VER", "510VER2 VER", PT621_ANSWER_ECHO},
	{"VER", "$VER,OK\r\n", PT621_ANSWER_ECHO},
	{"VER", "never", PT621_ANSWER_NONE},
	{"VER", "VERSION", PT621_ANSWER_NONE},
	{"VER", "OVER", PT621_ANSWER_NONE},
	{"VER", "never VER", PT621_ANSWER_ECHO},
	{"VER", "VE", PT621_ANSWER_NONE},
	{"VER", "", PT621_ANSWER_NONE},
	{"VER", "OK", PT621_ANSWER_NONE},
	{"VER", "VVER VER", PT621_ANSWER_ECHO},
	{"#VER\r\n", "VER", PT621_ANSWER_ECHO},
	{"ver", "VER", PT621_ANSWER_ECHO},
	{"OPC1,1", "OPC1,1 OK", PT621_ANSWER_ECHO},
	{"#OPC1,1\r\n", "ok: opc1,1", PT621_ANSWER_ECHO},
	{"OPC1,1", "OPC1,0", PT621_ANSWER_NAMED},
	{"OPC1,1", "OPC1,0 OPC1,1", PT621_ANSWER_ECHO},
	{"OPC1,1", "OPC1,10", PT621_ANSWER_NAMED},
	{"OPC1,1", "OPC1,1a", PT621_ANSWER_NAMED},
	{"OPC1,1", "OPC1,", PT621_ANSWER_NAMED},
	{"OPC1,1", "123456OPC1,1", PT621_ANSWER_ECHO},
	{"OPC1,1", "xOPC1,1", PT621_ANSWER_NONE},
	{"PTI300", "SET PTI OK", PT621_ANSWER_NAMED},
	{"PTI30", "PTI300", PT621_ANSWER_NAMED},
	{"RST", "RST1", PT621_ANSWER_NAMED},
	{"RST1", "RST1", PT621_ANSWER_ECHO},
	{"SALIN1111", "SAL OK", PT621_ANSWER_NAMED},
	{"SALIN1111", "SALIN1111 OK", PT621_ANSWER_ECHO},
	{"SALIN1111", "SALIN1 OK", PT621_ANSWER_NAMED},
	{"SALIN1111", "SALIU1111", PT621_ANSWER_NONE},
	{"SALIN1111", "SALI", PT621_ANSWER_NONE},
	{"SALIN1111", "SALINX1111", PT621_ANSWER_NONE},
	{"SALIN1111", "XSALIN1111", PT621_ANSWER_NONE},
	{"AN1'#VER,',1,'#VER'", "AN1 OK", PT621_ANSWER_NAMED},
	{"AN1'#VER,',1,'#VER'", "AN1'#VER,',1,'#VER'OK", PT621_ANSWER_ECHO},
	{"AN1'#VER,',1,'#VER'", "WANT", PT621_ANSWER_NONE},
	{"AD11 5", "AD OK", PT621_ANSWER_NAMED},
	{"tmz-5", "TMZ", PT621_ANSWER_NAMED},
	{"x", "X", PT621_ANSWER_ECHO},
	{" VER", "VER", PT621_ANSWER_NONE},
	{"123456VER", "VER", PT621_ANSWER_NONE},
	{"", "VER", PT621_ANSWER_NONE},
	{"123", "123", PT621_ANSWER_NONE},
	{"#", "#", PT621_ANSWER_NONE},
};

static void
test_answers(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		is_int(answer(answers[i].text, answers[i].line), answers[i].how,
			   "line number %zu, to %.4s", i, answers[i].text[0] == '#' ? "#..." : answers[i].text);
	is_int(pt621_command_answer("VER", 3, NULL, 0), PT621_ANSWER_NONE, "no line is no answer");
	is_int(pt621_command_answer("VER", 3, (const uint8_t *) "\xFF\0VER\0", 6), PT621_ANSWER_ECHO, "other bytes may be around it");
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
	test_answers();
	test_photo_request();
	return done_testing();
}
