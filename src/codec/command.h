/*
 * command.h
 *		Words of commands, for the codec alone.
 */
#ifndef PT621_CODEC_COMMAND_H
#define PT621_CODEC_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

static inline char
command_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char) (byte - 'A' + 'a') : byte;
}

/* Tells whether two texts of one size are the same, in any case. */
static inline bool
command_same(const char *one, const char *other, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		if (command_lower(one[i]) != command_lower(other[i]))
			return false;
	}
	return true;
}

/* Gives where a word first stands in a text, in any case, or NULL. */
static inline const char *
command_find(const char *text, size_t size, const char *word, size_t word_size)
{
	for (size_t i = 0; i + word_size <= size; i++)
	{
		if (command_same(text + i, word, word_size))
			return text + i;
	}
	return NULL;
}

#endif							/* PT621_CODEC_COMMAND_H */
