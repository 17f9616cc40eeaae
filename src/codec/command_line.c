/*
 * command_line.c
 *		Commands as lines: the bytes that are sent, what a line may do to an output,
 *		and whether a line that comes back speaks of it.
 *
 * Invariant.  Of a text that is not understood the worst is assumed: it may switch
 * an output on, and no line answers it.
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/command.h"
#include "codec/pt621_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MNEMONIC_MAX	3

/* Takes off the '#' and the line end of a command as sent. */
static void
strip(const char **text, size_t *size)
{
	if (*size > 0 && (*text)[0] == '#')
	{
		(*text)++;
		(*size)--;
	}
	while (*size > 0 && ((*text)[*size - 1] == '\r' || (*text)[*size - 1] == '\n'))
		(*size)--;
}

static bool
is_letter(char byte)
{
	byte = command_lower(byte);
	return byte >= 'a' && byte <= 'z';
}

/* How many letters a text begins with. */
static size_t
count_letters(const char *text, size_t size)
{
	size_t		letters = 0;

	while (letters < size && is_letter(text[letters]))
		letters++;
	return letters;
}

size_t
pt621_command_bytes(const Pt621Command *command, uint8_t *out)
{
	out[0] = '#';
	memcpy(out + 1, command->text, command->size);
	memcpy(out + 1 + command->size, "\r\n", 2);
	return command->size + 3;
}

size_t
pt621_photo_request(uint32_t offset, uint32_t count, uint8_t *out)
{
	char		text[PT621_PHOTO_REQUEST_BYTES + 1];
	int			size = snprintf(text, sizeof(text), "#PHD%" PRIu32 ",%" PRIu32 "\r\n",
								offset, count);

	memcpy(out, text, (size_t) size);
	return (size_t) size;
}

bool
pt621_command_may_switch(const char *text, size_t size, uint32_t output)
{
	Pt621Command command;
	Pt621CommandError error;

	strip(&text, &size);
	if (command_find(text, size, "OPC", 3) == NULL)
		return false;
	if (!pt621_command_encode("text", 4, text, size, &command, &error) || command.output == 0)
		return true;
	return command.on && (output == 0 || output == command.output);
}

size_t
pt621_command_mnemonic(const char *text, size_t size)
{
	size_t		letters;

	strip(&text, &size);
	letters = count_letters(text, size);
	return letters < MNEMONIC_MAX ? letters : MNEMONIC_MAX;
}

bool
pt621_command_is_answered_by(const char *text, size_t size,
							 const uint8_t *line, size_t line_size)
{
	const char *start = (const char *) line;
	const char *end = start + line_size;
	const char *at = start;
	size_t		mnemonic = pt621_command_mnemonic(text, size);
	size_t		run;

	strip(&text, &size);
	/* An echo of SALIN1111 has SAL within more letters, the ones that were sent. */
	run = count_letters(text, size);
	if (mnemonic == 0 || line_size == 0)
		return false;
	while ((at = command_find(at, (size_t) (end - at), text, mnemonic)) != NULL)
	{
		size_t		letters = count_letters(at, (size_t) (end - at));

		if ((at == start || !is_letter(at[-1])) &&
			(letters == mnemonic ||
			 (letters == run && command_find(at, run, text, run) == at)))
			return true;
		at++;
	}
	return false;
}
