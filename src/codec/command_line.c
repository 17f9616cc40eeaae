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

static bool
is_word_byte(char byte)
{
	return is_letter(byte) || (byte >= '0' && byte <= '9');
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

/* Tells whether a text that was found in a line, of so many bytes, ends there. */
static bool
ends_word(const char *at, size_t size, const char *end)
{
	return at + size == end ||
		!(is_word_byte(at[size - 1]) && is_word_byte(at[size]));
}

Pt621Answer
pt621_command_answer(const char *text, size_t size, const uint8_t *line, size_t line_size)
{
	const char *start = (const char *) line;
	const char *end = start + line_size;
	const char *at = start;
	Pt621Answer answer = PT621_ANSWER_NONE;
	size_t		run;
	size_t		mnemonic;

	strip(&text, &size);
	/* An echo of SALIN1111 has SAL within more letters, the ones that were sent. */
	run = count_letters(text, size);
	mnemonic = run < MNEMONIC_MAX ? run : MNEMONIC_MAX;
	if (mnemonic == 0 || line_size == 0)
		return PT621_ANSWER_NONE;
	for (; (at = command_find(at, (size_t) (end - at), text, mnemonic)) != NULL; at++)
	{
		size_t		left = (size_t) (end - at);
		size_t		letters;

		if (at > start && is_letter(at[-1]))
			continue;
		/* One letter more than were sent is enough to tell. */
		letters = count_letters(at, left < run + 1 ? left : run + 1);
		if (letters != mnemonic && (letters != run || !command_same(at, text, run)))
			continue;
		if (left >= size && command_same(at, text, size) && ends_word(at, size, end))
			return PT621_ANSWER_ECHO;
		answer = PT621_ANSWER_NAMED;
	}
	return answer;
}
