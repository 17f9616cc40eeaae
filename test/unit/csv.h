/*
 * csv.h
 *		The captured frames, test/data/captured.csv, for the tests.
 *
 * Invariant: the first three columns of the file hold no quotes, so that a row
 * is cut at its first three commas; what follows them is for people.  A file
 * that is not of this form ends the program: half a test must not pass.
 */
#ifndef PT621_TEST_CSV_H
#define PT621_TEST_CSV_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPTURED_CSV	"test/data/captured.csv"
#define CAPTURED_MAX	64

typedef struct Captured
{
	char		id[32];
	uint8_t    *bytes;			/* allocated to the byte: overreads show */
	size_t		size;
} Captured;

static Captured captured[CAPTURED_MAX];
static int	captured_count;

static void
captured_broken(const char *what)
{
	printf("Bail out! " CAPTURED_CSV ": %s\n", what);
	exit(1);
}

static int
captured_nibble(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	captured_broken("not hexadecimal");
	return 0;
}

/* Reads the file, once. */
static void
captured_load(void)
{
	static char line[16384];
	FILE	   *file = fopen(CAPTURED_CSV, "r");

	if (file == NULL)
		captured_broken("cannot be opened; run from the project's root");
	if (fgets(line, sizeof(line), file) == NULL ||
		strncmp(line, "id,source,transport_bytes_hex,note", 34) != 0)
		captured_broken("other columns than expected");
	while (fgets(line, sizeof(line), file) != NULL)
	{
		Captured   *c = &captured[captured_count];
		char	   *source = strchr(line, ',');
		char	   *hex = source ? strchr(source + 1, ',') : NULL;
		char	   *note = hex ? strchr(hex + 1, ',') : NULL;

		if (note == NULL || captured_count == CAPTURED_MAX ||
			(size_t) (source - line) >= sizeof(c->id) ||
			(note - hex - 1) % 2 != 0)
			captured_broken("a row is not of the known form");
		memcpy(c->id, line, (size_t) (source - line));
		c->size = (size_t) (note - hex - 1) / 2;
		c->bytes = malloc(c->size);
		for (size_t i = 0; i < c->size; i++)
			c->bytes[i] = (uint8_t) (captured_nibble(hex[1 + 2 * i]) << 4 |
									 captured_nibble(hex[2 + 2 * i]));
		captured_count++;
	}
	fclose(file);
}

static void
captured_free(void)
{
	for (int i = 0; i < captured_count; i++)
		free(captured[i].bytes);
}

/* Gives the row of that name. */
__attribute__((unused))
static const Captured *
captured_get(const char *id)
{
	for (int i = 0; i < captured_count; i++)
	{
		if (strcmp(captured[i].id, id) == 0)
			return &captured[i];
	}
	captured_broken(id);
	return NULL;
}

#endif							/* PT621_TEST_CSV_H */
