/*
 * fuzz_command.c
 *		Commands of any bytes.
 *
 * Input: one byte for the kind (past the last: the kind is a text of its own, up to
 * the first line end), one for the output asked about, then the argument.  Checked:
 * what is encoded is one line of printable bytes with its '#' in front and no other
 * but in an AN, is the same command as a text, and is seen by the guard when it
 * switches an output on; the guard and the answers take any bytes.
 */
#include "codec/pt621_codec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
	do \
	{ \
		if (!(condition)) \
			abort(); \
	} while (0)

/* Tells whether OPC stands in a text, in any case. */
static bool
has_opc(const char *text, size_t size)
{
	for (size_t i = 0; i + 3 <= size; i++)
	{
		if ((text[i] | 0x20) == 'o' && (text[i + 1] | 0x20) == 'p' && (text[i + 2] | 0x20) == 'c')
			return true;
	}
	return false;
}

/* Checks what goes out. */
static void
check_bytes(const Pt621Command *command)
{
	uint8_t		sent[PT621_COMMAND_BYTES];
	size_t		size = pt621_command_bytes(command, sent);
	size_t		hashes = 0;

	CHECK(command->size >= 1 && command->size <= PT621_COMMAND_MAX);
	CHECK(command->text[command->size] == '\0' && strlen(command->text) == command->size);
	CHECK(size == command->size + 3 && sent[0] == '#');
	CHECK(sent[size - 2] == '\r' && sent[size - 1] == '\n');
	CHECK(memcmp(sent + 1, command->text, command->size) == 0);
	CHECK(pt621_printable(sent, size - 2));
	for (size_t i = 0; i < size; i++)
		hashes += sent[i] == '#';
	CHECK(hashes == 1 || (hashes == 3 && memcmp(sent, "#AN", 3) == 0));
	CHECK(strcasestr(command->text, "PHD") == NULL);
}

/* Checks a command that was encoded. */
static void
check_command(const Pt621Command *command)
{
	Pt621Command again;
	Pt621CommandError error;

	check_bytes(command);
	CHECK(pt621_command_encode("text", 4, command->text, command->size, &again, &error));
	CHECK(memcmp(command, &again, sizeof(again)) == 0);
	CHECK(command->output <= 9 && (command->output > 0 || !command->on));
	for (uint32_t n = 0; n <= 10; n++)
	{
		bool		may = pt621_command_may_switch(command->text, command->size, n);

		if (command->output > 0)
			CHECK(may == (command->on && (n == 0 || n == command->output)));
		else
			CHECK(may == has_opc(command->text, command->size));
	}
}

/* Any bytes as a text, and as a line that may answer it. */
static void
check_text(const char *text, size_t size, uint32_t output)
{
	size_t		half = size / 2;
	const uint8_t *line = (const uint8_t *) text + half;
	bool		may = pt621_command_may_switch(text, size, output);

	CHECK(!may || has_opc(text, size));
	CHECK(!may || pt621_command_may_switch(text, size, 0));
	(void) pt621_command_answer(text, half, line, size - half);
	/* What begins with letters echoes itself. */
	if (size > 0 && isalpha((unsigned char) text[0]))
		CHECK(pt621_command_answer(text, size, (const uint8_t *) text, size) == PT621_ANSWER_ECHO);
}

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Pt621Command command;
	Pt621CommandError error = PT621_COMMAND_OK;
	const char *argument;
	const char *kind;
	size_t		kind_size;

	if (size < 2)
		return 0;
	argument = (const char *) data + 2;
	kind = pt621_command_kind(data[0] % 16);
	size -= 2;
	kind_size = kind ? strlen(kind) : 0;
	if (kind == NULL)
	{
		const char *end = size > 0 ? memchr(argument, '\n', size) : NULL;

		kind = argument;
		kind_size = end ? (size_t) (end - argument) : size;
		argument += kind_size + (end != NULL);
		size -= kind_size + (end != NULL);
	}
	if (pt621_command_encode(kind, kind_size, argument, size, &command, &error))
	{
		CHECK(error == PT621_COMMAND_OK);
		check_command(&command);
	}
	else
	{
		CHECK(error != PT621_COMMAND_OK);
		CHECK(pt621_command_error_text(error, kind, kind_size) != NULL);
	}
	check_text(argument, size, data[1] % 11);
	return 0;
}
