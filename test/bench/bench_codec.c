/*
 * bench_codec.c
 *		How fast one core turns bytes into records.
 *
 * Prints one line per figure, "name: value unit".  Each figure is the best of
 * RUNS runs, with the median beside it: the best says what the code can do, the
 * median what this machine was doing meanwhile.  The times are CPU times of this
 * process.  Every value that is read goes into a sum, which would be wrong if
 * any work had been left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/pt621_codec.h"

#define RUNS		15
#define BUFFER_SIZE	(1024 * 1024)
#define ROUNDS		16			/* passes over the buffer in one run */
#define RECORD_SIZE	110

static uint8_t *buffer;
static size_t records;

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Fills the buffer with records of 110 bytes, no two alike. */
static void
fill(void)
{
	size_t		at = 0;

	while (at + RECORD_SIZE <= BUFFER_SIZE)
	{
		unsigned	i = (unsigned) records;
		char		text[256];
		int			size;

		size = snprintf(text, sizeof(text),
						"$POS,%05u,%02u%02u%02u.000,A,%02u%02u.%04u,N,%03u%02u.%04u,E,"
						"%02u.%02u,%03u.%02u,290421,,,A/00010,00000/%03x,0,0,0/%06u//fd7//\r\n",
						20000 + i % 5000, i / 3600 % 24, i / 60 % 60, i % 60,
						i % 90, i % 60, i * 7 % 10000, i % 180, i * 3 % 60,
						i * 11 % 10000, i % 100, i % 97, i % 360, i % 89,
						i % 1024, i * 100 % 1000000);
		if (size != RECORD_SIZE)
		{
			fprintf(stderr, "a record has %d bytes\n", size);
			exit(1);
		}
		memcpy(buffer + at, text, RECORD_SIZE);
		at += RECORD_SIZE;
		records++;
	}
}

/* Splits the buffer; parses each unit if asked to.  Returns a sum to be checked. */
static double
pass(bool parse)
{
	Pt621Splitter splitter = {0};
	size_t		size = records * RECORD_SIZE;
	size_t		at = 0;
	Pt621Unit	unit;
	double		sum = 0;

	while (pt621_split(&splitter, buffer + at, size - at, PT621_INPUT_MORE, &unit))
	{
		if (parse)
		{
			Pt621Record r;
			Pt621Error	error;

			if (!pt621_parse(buffer + at + unit.payload_at, unit.payload_size, &r,
							 &error) || r.quality & ~PT621_NULL_ISLAND)
				exit(1);
			sum += r.latitude + r.longitude + r.speed_kmh + r.course +
				(double) (r.device_time & 0xFF) + (double) r.odometer_m +
				(double) r.ident.at[r.ident.size - 1] + r.adc[0] +
				(double) r.inputs.bits + (double) r.outputs.count +
				r.gsb_digit[1] + (double) r.spec.size + (r.stored ? 1 : 0);
		}
		else
			sum += unit.payload_size;
		at += unit.size;
	}
	return sum;
}

/* Rebuilds a record from a delta as often as the buffer has records. */
static double
pass_deltas(bool parse)
{
	static const char base[] = "$POS,3760971,145733.000,A,2036.3883,N,10323.9836,W,"
		"0.0,119.5,281117,,,A/00000,00000/0/0//\r\n";
	static const uint8_t delta[] = "@M\x02\x04\x06" "48.000\x09\x00\x05" "118.5";
	static uint8_t out[PT621_RECORD_MAX];
	Pt621Chain	chain;
	double		sum = 0;

	(void) parse;
	memset(&chain, 0, sizeof(chain));
	pt621_chain_base(&chain, (const uint8_t *) base, sizeof(base) - 1);
	for (size_t i = 0; i < records; i++)
	{
		Pt621Record r;
		Pt621Error	error;
		size_t		size;

		if (!pt621_chain_resolve(&chain, delta, sizeof(delta) - 1, out, &size, &r,
								 &error))
			exit(1);
		sum += r.course + (double) size;
	}
	return sum;
}

/* Runs a pass often enough and prints records per second. */
static void
measure(const char *name, double (*one_pass) (bool), bool parse)
{
	double		rate[RUNS];
	double		expected = one_pass(parse);

	for (int run = 0; run < RUNS; run++)
	{
		double		begin = seconds();

		for (int round = 0; round < ROUNDS; round++)
		{
			if (one_pass(parse) != expected)
				exit(1);
		}
		rate[run] = (double) records * ROUNDS / (seconds() - begin);
	}
	qsort(rate, RUNS, sizeof(rate[0]), compare);
	printf("%s_per_second: %.0f records/s\n", name, rate[RUNS - 1]);
	printf("%s_per_second_median: %.0f records/s\n", name, rate[RUNS / 2]);
}

int
main(void)
{
	buffer = malloc(BUFFER_SIZE);
	if (buffer == NULL)
		return 1;
	fill();
	measure("codec_records", pass, true);
	measure("codec_split_records", pass, false);
	measure("codec_deltas", pass_deltas, true);
	free(buffer);
	return 0;
}
