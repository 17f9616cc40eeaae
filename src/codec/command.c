/*
 * command.c
 *		What a tracker is told (protocol 9), from a kind and its argument.
 *
 * Invariants.  A command is one line of printable bytes, and no second command
 * can begin in it: a '#' stands only where an AN has it, around the two commands
 * that it stores.  None is the listener's own request for photo bytes.  Numbers
 * are written anew from their value, so that "007" and "+7" are sent as "7".
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/command.h"
#include "codec/pt621_codec.h"

#include <stdio.h>
#include <string.h>

/* No number of a command has more; none of them overflows. */
#define NUMBER_DIGITS	6

typedef struct Argument
{
	const char *at;
	size_t		size;
} Argument;

typedef struct Kind
{
	const char *name;
	const char *takes;			/* its argument, for humans */
	Pt621CommandError (*write) (const struct Kind *kind, Argument argument,
								Pt621Command *command);
	const char *mnemonic;
	int32_t		least;			/* of a number */
	int32_t		most;
} Kind;

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool
is_word(Argument argument, const char *word)
{
	return argument.size == strlen(word) &&
		memcmp(argument.at, word, argument.size) == 0;
}

/* Reads a whole number, with or without a sign. */
static bool
read_number(Argument argument, int32_t *number)
{
	bool		negative = argument.size > 0 && argument.at[0] == '-';

	if (argument.size > 0 && (negative || argument.at[0] == '+'))
	{
		argument.at++;
		argument.size--;
	}
	if (argument.size == 0 || argument.size > NUMBER_DIGITS)
		return false;
	*number = 0;
	for (size_t i = 0; i < argument.size; i++)
	{
		if (!is_digit(argument.at[i]))
			return false;
		*number = *number * 10 + (argument.at[i] - '0');
	}
	if (negative)
		*number = -*number;
	return true;
}

static bool
read_switch(Argument argument, bool *on)
{
	*on = is_word(argument, "on") || is_word(argument, "1");
	return *on || is_word(argument, "off") || is_word(argument, "0");
}

/* Reads the digit of an output. */
static bool
read_output(Argument argument, uint32_t *output)
{
	if (argument.size != 1 || argument.at[0] < '1' || argument.at[0] > '9')
		return false;
	*output = (uint32_t) (argument.at[0] - '0');
	return true;
}

/* Appends text, of which the caller knows that it fits. */
static void
append(Pt621Command *command, const char *text, size_t size)
{
	memcpy(command->text + command->size, text, size);
	command->size += (uint32_t) size;
	command->text[command->size] = '\0';
}

static void
append_number(Pt621Command *command, int32_t number)
{
	char		digits[12];

	append(command, digits, (size_t) snprintf(digits, sizeof(digits), "%d", (int) number));
}

static void
append_switch(Pt621Command *command, uint32_t output, bool on)
{
	append(command, "OPC", 3);
	append_number(command, (int32_t) output);
	append(command, on ? ",1" : ",0", 2);
	command->output = output;
	command->on = on;
}

static Pt621CommandError
write_plain(const Kind *kind, Argument argument, Pt621Command *command)
{
	if (argument.size > 0)
		return PT621_COMMAND_ARGUMENT;
	append(command, kind->mnemonic, strlen(kind->mnemonic));
	return PT621_COMMAND_OK;
}

/* Writes a number behind the mnemonic. */
static Pt621CommandError
write_number(const Kind *kind, Argument argument, Pt621Command *command)
{
	int32_t		number;

	if (!read_number(argument, &number) || number < kind->least || number > kind->most)
		return PT621_COMMAND_ARGUMENT;
	append(command, kind->mnemonic, strlen(kind->mnemonic));
	append_number(command, number);
	return PT621_COMMAND_OK;
}

/* Which output is the engine's is the caller's to know: the first by default. */
static Pt621CommandError
switch_engine(Argument argument, bool cut, Pt621Command *command)
{
	uint32_t	output = 1;

	if (argument.size > 0 && !read_output(argument, &output))
		return PT621_COMMAND_ARGUMENT;
	append_switch(command, output, cut);
	return PT621_COMMAND_OK;
}

static Pt621CommandError
write_cut(const Kind *kind, Argument argument, Pt621Command *command)
{
	(void) kind;
	return switch_engine(argument, true, command);
}

static Pt621CommandError
write_restore(const Kind *kind, Argument argument, Pt621Command *command)
{
	(void) kind;
	return switch_engine(argument, false, command);
}

static Pt621CommandError
write_output(const Kind *kind, Argument argument, Pt621Command *command)
{
	uint32_t	output;
	bool		on;

	(void) kind;
	if (argument.size < 3 || argument.at[1] != ',' ||
		!read_output((Argument) {argument.at, 1}, &output) ||
		!read_switch((Argument) {argument.at + 2, argument.size - 2}, &on))
		return PT621_COMMAND_ARGUMENT;
	append_switch(command, output, on);
	return PT621_COMMAND_OK;
}

static Pt621CommandError
write_reboot(const Kind *kind, Argument argument, Pt621Command *command)
{
	const char *digit = "";

	if (is_word(argument, "gps"))
		digit = "1";
	else if (is_word(argument, "gsm"))
		digit = "2";
	else if (argument.size > 0 && !is_word(argument, "all"))
		return PT621_COMMAND_ARGUMENT;
	append(command, kind->mnemonic, strlen(kind->mnemonic));
	append(command, digit, strlen(digit));
	return PT621_COMMAND_OK;
}

static Pt621CommandError
write_switch(const Kind *kind, Argument argument, Pt621Command *command)
{
	bool		on;

	if (!read_switch(argument, &on))
		return PT621_COMMAND_ARGUMENT;
	append(command, kind->mnemonic, strlen(kind->mnemonic));
	append(command, on ? "1" : "0", 1);
	return PT621_COMMAND_OK;
}

/*
 * Writes which channels an alarm takes.  One alarm a command: that several may
 * stand in one is known, but not whether the SAL is repeated then.
 */
static Pt621CommandError
write_alarm(const Kind *kind, Argument argument, Pt621Command *command)
{
	static const char types[][4] = {
		"IN1", "IN2", "IN3", "IN4", "IN5", "IU1", "IU2", "IU3", "IU4",
		"SPD", "GEO", "MLA", "SKA", "LPA", "SLP"
	};
	bool		known = false;

	/* Type and comma, then platform, SMS, call, photo, number of an action; 0 = none. */
	if (argument.size < 5 || argument.size > 9 || argument.at[3] != ',')
		return PT621_COMMAND_ARGUMENT;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		known = known || memcmp(argument.at, types[i], 3) == 0;
	for (size_t i = 4; i < argument.size; i++)
		known = known && argument.at[i] >= '0' && argument.at[i] <= (i < 8 ? '1' : '5');
	if (!known)
		return PT621_COMMAND_ARGUMENT;
	append(command, kind->mnemonic, strlen(kind->mnemonic));
	append(command, argument.at, 3);
	append(command, argument.at + 4, argument.size - 4);
	return PT621_COMMAND_OK;
}

/* Takes a word off the front. */
static bool
take(Argument *rest, const char *word)
{
	size_t		size = strlen(word);

	if (rest->size < size || memcmp(rest->at, word, size) != 0)
		return false;
	rest->at += size;
	rest->size -= size;
	return true;
}

/* Takes a command that an AN stores, up to the quote behind it. */
static bool
take_stored(Argument *rest, Argument *stored)
{
	const char *quote = rest->size > 0 ? memchr(rest->at, '\'', rest->size) : NULL;

	if (quote == NULL || quote == rest->at)
		return false;
	*stored = (Argument) {rest->at, (size_t) (quote - rest->at)};
	rest->at = quote;
	rest->size -= stored->size;
	return memchr(stored->at, '#', stored->size) == NULL;
}

/* Tells whether a text is AN<1..5>'#<command>,',<seconds>,'#<command>'. */
static bool
is_stored_action(Argument text)
{
	Argument	stored;
	size_t		digits = 0;

	if (!take(&text, "AN") || text.size == 0 || text.at[0] < '1' || text.at[0] > '5')
		return false;
	text.at++;
	text.size--;
	if (!take(&text, "'#") || !take_stored(&text, &stored) || stored.size < 2 ||
		stored.at[stored.size - 1] != ',' || !take(&text, "',"))
		return false;
	while (digits < text.size && digits < NUMBER_DIGITS && is_digit(text.at[digits]))
		digits++;
	text.at += digits;
	text.size -= digits;
	return digits > 0 && take(&text, ",'#") && take_stored(&text, &stored) &&
		take(&text, "'") && text.size == 0;
}

/* Reads OPC<n>,<0|1>, in any case, that is the whole text. */
static bool
read_opc(Argument text, uint32_t *output, bool *on)
{
	return text.size == 6 && command_find(text.at, 3, "OPC", 3) != NULL &&
		text.at[4] == ',' && (text.at[5] == '0' || text.at[5] == '1') &&
		read_output((Argument) {text.at + 3, 1}, output) &&
		read_switch((Argument) {text.at + 5, 1}, on);
}

static Pt621CommandError
write_text(const Kind *kind, Argument argument, Pt621Command *command)
{
	(void) kind;
	if (argument.size == 0)
		return PT621_COMMAND_ARGUMENT;
	if (memchr(argument.at, '#', argument.size) != NULL && !is_stored_action(argument))
		return PT621_COMMAND_HASH;
	if (command_find(argument.at, argument.size, "PHD", 3) != NULL)
		return PT621_COMMAND_PHOTO_BYTES;
	append(command, argument.at, argument.size);
	if (!read_opc(argument, &command->output, &command->on))
	{
		command->output = 0;
		command->on = false;
	}
	return PT621_COMMAND_OK;
}

_Static_assert(PT621_COMMAND_MAX == 160, "the texts say so");

#define NOTHING		"no argument"
#define ENGINE		"its output, 1 to 9, or nothing for output 1; as an order nothing: device.engine_output says which"

static const Kind kinds[] =
{
	{"engine_cut", ENGINE, write_cut, "OPC", 0, 0},
	{"engine_restore", ENGINE, write_restore, "OPC", 0, 0},
	{"output", "number of the output, 1 to 9, a comma, and on, off, 1 or 0, as in 2,on",
	write_output, "OPC", 0, 0},
	{"reboot", "nothing or all, gps, or gsm", write_reboot, "RST", 0, 0},
	{"photo", NOTHING, write_plain, "PHO", 0, 0},
	{"overspeed_limit", "km/h, a whole number 0 to 999", write_number, "SPD", 0, 999},
	{"interval", "seconds, a whole number 1 to 86400", write_number, "PTI", 1, 86400},
	{"time_zone", "hours east of UTC, a whole number -12 to 14", write_number, "TMZ", -12, 14},
	{"position", NOTHING, write_plain, "RCP", 0, 0},
	{"version", NOTHING, write_plain, "VER", 0, 0},
	{"imei", NOTHING, write_plain, "IME", 0, 0},
	{"voltage", NOTHING, write_plain, "RPO", 0, 0},
	{"power_cut_alarm", "on, off, 1 or 0", write_switch, "CPA", 0, 0},
	{"alarm", "one of IN1 IN2 IN3 IN4 IN5 IU1 IU2 IU3 IU4 SPD GEO MLA SKA LPA SLP, a comma, then 1 to 5 digits: "
		"platform, SMS, call, photo, each 0 or 1, and the number of a stored action, 0 to 9, as in IN1,111; "
	"one alarm a command", write_alarm, "SAL", 0, 0},
	{"text", "the command without # and line end, 1 to 160 bytes", write_text, "", 0, 0}
};

#define KINDS	((int) (sizeof(kinds) / sizeof(kinds[0])))

static const Kind *
find_kind(Argument name)
{
	for (int i = 0; i < KINDS; i++)
	{
		if (is_word(name, kinds[i].name))
			return &kinds[i];
	}
	return NULL;
}

bool
pt621_command_encode(const char *kind, size_t kind_size,
					 const char *argument, size_t argument_size,
					 Pt621Command *command, Pt621CommandError *error)
{
	const Kind *found = find_kind((Argument) {kind, kind_size});

	memset(command, 0, sizeof(*command));
	if (found == NULL)
		*error = PT621_COMMAND_KIND;
	else if (argument_size > PT621_COMMAND_MAX)
		*error = PT621_COMMAND_TOO_LONG;
	else if (!pt621_printable((const uint8_t *) argument, argument_size))
		*error = PT621_COMMAND_BYTE;
	else
		*error = found->write(found, (Argument) {argument, argument_size}, command);
	return *error == PT621_COMMAND_OK;
}

const char *
pt621_command_kind(int i)
{
	return i >= 0 && i < KINDS ? kinds[i].name : NULL;
}

const char *
pt621_command_argument(int i)
{
	return i >= 0 && i < KINDS ? kinds[i].takes : NULL;
}

const char *
pt621_command_error_text(Pt621CommandError error, const char *kind, size_t kind_size)
{
	const Kind *found = find_kind((Argument) {kind, kind_size});

	switch (error)
	{
		case PT621_COMMAND_OK:
			return "no error";
		case PT621_COMMAND_KIND:
			return "no such kind of command";
		case PT621_COMMAND_TOO_LONG:
			return "more than 160 bytes";
		case PT621_COMMAND_BYTE:
			return "a byte that is not printable ASCII (0x20 to 0x7E)";
		case PT621_COMMAND_ARGUMENT:
			return found != NULL ? found->takes : "no such kind of command";
		case PT621_COMMAND_HASH:
			return "# stands only in AN<1 to 5>'#<command>,',<seconds>,'#<command>', and there only before the two commands";
		case PT621_COMMAND_PHOTO_BYTES:
			return "PHD is not sent as text: the listener asks for the bytes of photos itself";
	}
	return "unknown error";
}
