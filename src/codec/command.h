/*
 * command.h
 *		Words of commands, for the codec alone.
 */
#ifndef PT621_CODEC_COMMAND_H
#define PT621_CODEC_COMMAND_H

#include <stddef.h>

static inline char
command_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char) (byte - 'A' + 'a') : byte;
}

/* Gives where a word first stands in a text, in any case, or NULL. */
static inline const char *
command_find(const char *text, size_t size, const char *word, size_t word_size)
{
	for (size_t i = 0; i + word_size <= size; i++)
	{
		size_t		same = 0;

		while (same < word_size && command_lower(text[i + same]) == command_lower(word[same]))
			same++;
		if (same == word_size)
			return text + i;
	}
	return NULL;
}

#endif							/* PT621_CODEC_COMMAND_H */
