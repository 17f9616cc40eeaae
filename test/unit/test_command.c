/*
 * test_command.c
 *		Commands: the bytes of every kind, its limits, and that nothing can be
 *		smuggled in.
 *
 * Invariant: texts are given in memory that ends where they end, so that the
 * sanitizer sees a byte read too many.
 */
#include "codec/pt621_codec.h"

#include <stdlib.h>

#include "tap.h"

#define BYTES(s)	(s), sizeof(s) - 1

/* Copies a text to memory that has no more; NULL stays NULL. */
static char *
copy_of(const char *text, size_t size)
{
	char	   *copy;

	if (text == NULL)
		return NULL;
	copy = malloc(size > 0 ? size : 1);
	memcpy(copy, text, size);
	return copy;
}

static Pt621CommandError
encode(const char *kind, const char *argument, size_t size, Pt621Command *command)
{
	char	   *name = copy_of(kind, strlen(kind));
	char	   *copy = copy_of(argument, size);
	Pt621CommandError error = PT621_COMMAND_KIND;
	bool		done = pt621_command_encode(name, strlen(kind), copy, size, command, &error);

	free(name);
	free(copy);
	ok(done == (error == PT621_COMMAND_OK), "%s: it says what is wrong just when it fails", kind);
	return error;
}

static const struct
{
	const char *kind;
	const char *argument;
	const char *text;
	uint32_t	output;
	bool		on;
}			good[] =
{
	{"engine_cut", NULL, "OPC1,1", 1, true},
	{"engine_cut", "", "OPC1,1", 1, true},
	{"engine_cut", "2", "OPC2,1", 2, true},
	{"engine_cut", "9", "OPC9,1", 9, true},
	{"engine_restore", NULL, "OPC1,0", 1, false},
	{"engine_restore", "3", "OPC3,0", 3, false},
	{"output", "1,on", "OPC1,1", 1, true},
	{"output", "9,off", "OPC9,0", 9, false},
	{"output", "2,1", "OPC2,1", 2, true},
	{"output", "2,0", "OPC2,0", 2, false},
	{"reboot", NULL, "RST", 0, false},
	{"reboot", "all", "RST", 0, false},
	{"reboot", "gps", "RST1", 0, false},
	{"reboot", "gsm", "RST2", 0, false},
	{"photo", NULL, "PHO", 0, false},
	{"overspeed_limit", "0", "SPD0", 0, false},
	{"overspeed_limit", "90", "SPD90", 0, false},
	{"overspeed_limit", "007", "SPD7", 0, false},
	{"overspeed_limit", "999", "SPD999", 0, false},
	{"interval", "1", "PTI1", 0, false},
	{"interval", "86400", "PTI86400", 0, false},
	{"time_zone", "-12", "TMZ-12", 0, false},
	{"time_zone", "-5", "TMZ-5", 0, false},
	{"time_zone", "-0", "TMZ0", 0, false},
	{"time_zone", "8", "TMZ8", 0, false},
	{"time_zone", "+8", "TMZ8", 0, false},
	{"time_zone", "14", "TMZ14", 0, false},
	{"position", NULL, "RCP", 0, false},
	{"version", NULL, "VER", 0, false},
	{"imei", NULL, "IME", 0, false},
	{"voltage", NULL, "RPO", 0, false},
	{"power_cut_alarm", "on", "CPA1", 0, false},
	{"power_cut_alarm", "1", "CPA1", 0, false},
	{"power_cut_alarm", "off", "CPA0", 0, false},
	{"power_cut_alarm", "0", "CPA0", 0, false},
	{"alarm", "IN1,1", "SALIN11", 0, false},
	{"alarm", "IN1,111", "SALIN1111", 0, false},
	{"alarm", "IU4,0000", "SALIU40000", 0, false},
	{"alarm", "SPD,10015", "SALSPD10015", 0, false},
	{"text", "SLP300", "SLP300", 0, false},
	{"text", "PHO", "PHO", 0, false},
	{"text", "SOS,+491234567890,,", "SOS,+491234567890,,", 0, false},
	{"text", "PWD123456", "PWD123456", 0, false},
	{"text", "it's \"quoted\" \\", "it's \"quoted\" \\", 0, false},
	{"text", "OPC3,1", "OPC3,1", 3, true},
	{"text", "opc3,0", "opc3,0", 3, false},
	{"text", "OPC0,1", "OPC0,1", 0, false},
	{"text", "OPC1,1 ", "OPC1,1 ", 0, false},
	{"text", "AN1'#OPC1,1,',10,'#OPC1,0'", "AN1'#OPC1,1,',10,'#OPC1,0'", 0, false},
	{"text", "AN5'#PHO,',0,'#VER'", "AN5'#PHO,',0,'#VER'", 0, false},
};

static void
test_good(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		Pt621Command command;
		Pt621Command again;
		const char *argument = good[i].argument;
		const char *shown = argument ? argument : "(none)";
		uint8_t		sent[PT621_COMMAND_BYTES];
		char		wanted[PT621_COMMAND_BYTES + 1];
		size_t		size = (size_t) snprintf(wanted, sizeof(wanted), "#%s\r\n", good[i].text);

		is_int(encode(good[i].kind, argument, argument ? strlen(argument) : 0, &command),
			   PT621_COMMAND_OK, "%s %s", good[i].kind, shown);
		is_str(command.text, good[i].text, "%s %s: text", good[i].kind, shown);
		is_int(command.size, (long long) strlen(good[i].text), "%s %s: size", good[i].kind, shown);
		ok(command.output == good[i].output && command.on == good[i].on, "%s %s: output", good[i].kind, shown);
		ok(pt621_command_bytes(&command, sent) == size && memcmp(sent, wanted, size) == 0,
		   "%s %s: bytes", good[i].kind, shown);
		is_int(encode("text", command.text, command.size, &again), PT621_COMMAND_OK, "%s as text", good[i].text);
		ok(memcmp(&command, &again, sizeof(command)) == 0, "%s is the same as text", good[i].text);
	}
}

#define BAD(kind, argument, error)	{kind, BYTES(argument), PT621_COMMAND_##error}

static const struct
{
	const char *kind;
	const char *argument;
	size_t		size;
	Pt621CommandError error;
}			bad[] =
{
	BAD("", "", KIND),
	BAD("Photo", "", KIND),
	BAD("photo ", "", KIND),
	BAD("phot", "", KIND),
	BAD("engine_cut", "0", ARGUMENT),
	BAD("engine_cut", "10", ARGUMENT),
	BAD("engine_cut", "a", ARGUMENT),
	BAD("engine_restore", "1 ", ARGUMENT),
	BAD("output", "", ARGUMENT),
	BAD("output", "1", ARGUMENT),
	BAD("output", "1,", ARGUMENT),
	BAD("output", "0,on", ARGUMENT),
	BAD("output", "10,on", ARGUMENT),
	BAD("output", "1;on", ARGUMENT),
	BAD("output", "1,on,", ARGUMENT),
	BAD("output", "1,ON", ARGUMENT),
	BAD("output", "1,2", ARGUMENT),
	BAD("output", "-1,on", ARGUMENT),
	BAD("reboot", "0", ARGUMENT),
	BAD("reboot", "GPS", ARGUMENT),
	BAD("photo", "1", ARGUMENT),
	BAD("position", " ", ARGUMENT),
	BAD("version", "x", ARGUMENT),
	BAD("imei", "x", ARGUMENT),
	BAD("voltage", "x", ARGUMENT),
	BAD("overspeed_limit", "", ARGUMENT),
	BAD("overspeed_limit", "-1", ARGUMENT),
	BAD("overspeed_limit", "1000", ARGUMENT),
	BAD("overspeed_limit", "9.5", ARGUMENT),
	BAD("overspeed_limit", "1e2", ARGUMENT),
	BAD("overspeed_limit", " 9", ARGUMENT),
	BAD("overspeed_limit", "+", ARGUMENT),
	BAD("overspeed_limit", "--9", ARGUMENT),
	BAD("overspeed_limit", "0000009", ARGUMENT),
	BAD("overspeed_limit", "4294967297", ARGUMENT),
	BAD("interval", "0", ARGUMENT),
	BAD("interval", "86401", ARGUMENT),
	BAD("interval", "999999", ARGUMENT),
	BAD("interval", "18446744073709551617", ARGUMENT),
	BAD("time_zone", "-13", ARGUMENT),
	BAD("time_zone", "15", ARGUMENT),
	BAD("time_zone", "5.5", ARGUMENT),
	BAD("time_zone", "5:30", ARGUMENT),
	BAD("power_cut_alarm", "", ARGUMENT),
	BAD("power_cut_alarm", "2", ARGUMENT),
	BAD("alarm", "", ARGUMENT),
	BAD("alarm", "IN1", ARGUMENT),
	BAD("alarm", "IN1,", ARGUMENT),
	BAD("alarm", "IN1 1", ARGUMENT),
	BAD("alarm", "IN6,1", ARGUMENT),
	BAD("alarm", "in1,1", ARGUMENT),
	BAD("alarm", "CPA,1", ARGUMENT),
	BAD("alarm", "IN1,2", ARGUMENT),
	BAD("alarm", "IN1,1112", ARGUMENT),
	BAD("alarm", "IN1,11116", ARGUMENT),
	BAD("alarm", "IN1,1111a", ARGUMENT),
	BAD("alarm", "IN1,111111", ARGUMENT),
	BAD("alarm", "IN1,111;SPD,1", ARGUMENT),
	BAD("alarm", "IN1,1,SP", ARGUMENT),
	BAD("text", "", ARGUMENT),
	/* A second command, or a line that ends early. */
	BAD("text", "VER\r\n#OPC1,1", BYTE),
	BAD("text", "VER\r", BYTE),
	BAD("text", "VER\n", BYTE),
	BAD("text", "VER\0", BYTE),
	BAD("text", "\0", BYTE),
	BAD("text", "VER\x7F", BYTE),
	BAD("text", "VER\x80", BYTE),
	BAD("text", "VER\xFF", BYTE),
	BAD("text", "\xBF\xFB", BYTE),
	BAD("text", "VER\t", BYTE),
	BAD("photo", "\r\n#OPC1,1", BYTE),
	BAD("interval", "60\r\n", BYTE),
	BAD("engine_restore", "1\n", BYTE),
	BAD("alarm", "IN1,1\r", BYTE),
	BAD("text", "#VER", HASH),
	BAD("text", "#", HASH),
	BAD("text", "VER#", HASH),
	BAD("text", "VER#OPC1,1", HASH),
	BAD("text", "AN'#VER,',1,'#VER'", HASH),
	BAD("text", "AN0'#VER,',1,'#VER'", HASH),
	BAD("text", "AN6'#VER,',1,'#VER'", HASH),
	BAD("text", "AN11'#VER,',1,'#VER'", HASH),
	BAD("text", "an1'#VER,',1,'#VER'", HASH),
	BAD("text", "AN1'VER,',1,'#VER'", HASH),
	BAD("text", "AN1'#VER',1,'#VER'", HASH),
	BAD("text", "AN1'#,',1,'#VER'", HASH),
	BAD("text", "AN1'#',1,'#VER'", HASH),
	BAD("text", "AN1'#VER,','#VER'", HASH),
	BAD("text", "AN1'#VER,',,'#VER'", HASH),
	BAD("text", "AN1'#VER,',1234567,'#VER'", HASH),
	BAD("text", "AN1'#VER,',-1,'#VER'", HASH),
	BAD("text", "AN1'#VER,',1,'#'", HASH),
	BAD("text", "AN1'#VER,',1,'#VER", HASH),
	BAD("text", "AN1'#VER,',1,'#VER'#OPC1,1", HASH),
	BAD("text", "AN1'#VER,',1,'#VER' ", HASH),
	BAD("text", "AN1'#VER#OPC1,1,',1,'#VER'", HASH),
	BAD("text", "AN1'#VER,',1,'#VER#OPC1,1'", HASH),
	BAD("text", "AN1'#VER,',1,'#VER'AN2'#VER,',1,'#VER'", HASH),
	BAD("text", " AN1'#VER,',1,'#VER'", HASH),
	BAD("text", "#AN1'#VER,',1,'#VER'", HASH),
	BAD("text", "AN1'#", HASH),
	BAD("text", "PHD0,960", PHOTO_BYTES),
	BAD("text", "phd0,960", PHOTO_BYTES),
	BAD("text", " PHD", PHOTO_BYTES),
	BAD("text", "AN1'#PHD0,960,',1,'#VER'", PHOTO_BYTES),
};

static void
test_bad(void)
{
	char		longest[PT621_COMMAND_MAX + 1];
	Pt621Command command;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		is_int(encode(bad[i].kind, bad[i].argument, bad[i].size, &command), bad[i].error,
			   "number %zu of what is refused: %s of %zu bytes", i, bad[i].kind, bad[i].size);
		ok(strlen(pt621_command_error_text(bad[i].error, bad[i].kind, strlen(bad[i].kind))) > 8,
		   "number %zu: it says why", i);
	}
	memset(longest, 'x', sizeof(longest));
	is_int(encode("text", longest, PT621_COMMAND_MAX, &command), PT621_COMMAND_OK, "160 bytes of text");
	is_int(command.size, PT621_COMMAND_MAX, "all of them");
	is_int(encode("text", longest, sizeof(longest), &command), PT621_COMMAND_TOO_LONG, "161 are too many");
	is_int(encode("photo", longest, sizeof(longest), &command), PT621_COMMAND_TOO_LONG, "in each kind");
	memset(longest, 0, sizeof(longest));
	is_int(encode("text", longest, sizeof(longest), &command), PT621_COMMAND_TOO_LONG, "whatever they are");
	ok(!pt621_command_encode(NULL, 0, NULL, 0, &command, &(Pt621CommandError) {0}), "nothing is no kind");
}

/* What every byte does to a text, and to a number. */
static void
test_every_byte(void)
{
	Pt621Command command;
	Pt621CommandError error;
	int			wrong = 0;

	for (int byte = 0; byte < 256; byte++)
	{
		char		text[] = {'V', (char) byte, 'R'};
		char		number[] = {'6', (char) byte};
		bool		printable = byte >= 0x20 && byte <= 0x7E;

		wrong += pt621_command_encode("text", 4, text, sizeof(text), &command, &error) != (printable && byte != '#');
		if (!printable)
			wrong += error != PT621_COMMAND_BYTE;
		wrong += pt621_command_encode("interval", 8, number, sizeof(number), &command, &error) !=
			(byte >= '0' && byte <= '9');
	}
	is_int(wrong, 0, "every byte is taken or refused as it should");
}

static void
test_numbers(void)
{
	Pt621Command command;
	Pt621CommandError error;
	int			wrong = 0;

	for (int i = -100000; i <= 100000; i++)
	{
		char		digits[16];
		char		wanted[16];
		size_t		size = (size_t) snprintf(digits, sizeof(digits), "%d", i);
		bool		done = pt621_command_encode("interval", 8, digits, size, &command, &error);

		snprintf(wanted, sizeof(wanted), "PTI%d", i);
		wrong += done != (i >= 1 && i <= 86400) || (done && strcmp(command.text, wanted) != 0);
		done = pt621_command_encode("time_zone", 9, digits, size, &command, &error);
		wrong += done != (i >= -12 && i <= 14);
		done = pt621_command_encode("overspeed_limit", 15, digits, size, &command, &error);
		wrong += done != (i >= 0 && i <= 999);
	}
	is_int(wrong, 0, "numbers are taken within their limits alone");
}

static void
test_kinds(void)
{
	int			count = 0;

	for (; pt621_command_kind(count) != NULL; count++)
	{
		const char *kind = pt621_command_kind(count);
		bool		seen = false;

		for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
			seen = seen || strcmp(good[i].kind, kind) == 0;
		ok(seen, "kind %s has an example", kind);
		is_str(pt621_command_error_text(PT621_COMMAND_ARGUMENT, kind, strlen(kind)),
			   pt621_command_argument(count), "%s: it says what it takes", kind);
	}
	is_int(count, 15, "so many kinds");
	ok(pt621_command_argument(count) == NULL && pt621_command_kind(-1) == NULL && pt621_command_argument(-1) == NULL,
	   "past the last and before the first is none");
	is_str(pt621_command_error_text(PT621_COMMAND_OK, NULL, 0), "no error", "no error");
	is_str(pt621_command_error_text((Pt621CommandError) 99, NULL, 0), "unknown error", "an error of no number");
	ok(pt621_command_error_text(PT621_COMMAND_ARGUMENT, "x", 1) != NULL, "an argument of no kind");
}

int
main(void)
{
	test_good();
	test_bad();
	test_every_byte();
	test_numbers();
	test_kinds();
	return done_testing();
}
