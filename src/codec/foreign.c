/*
 * foreign.c
 *		Tells by its first bytes what speaks another protocol than ours.
 *
 * Invariants.  Nothing that could be a tracker of this family is foreign: what
 * begins with '@', BF or a line end never is, and what begins with '$' only in
 * the one form that no report can have.  Texts of a kind that a tracker or its
 * modem might also send ("CONNECT OK", "PING") are not foreign either: they are
 * kept, and cost a line.
 *
 * Every pattern is decided by a byte of its own, the one with which it is
 * complete; the pattern that is complete first is the answer.  So bytes that
 * come later cannot change an answer.
 *
 * What is not here, and why: plain NMEA ("$GPRMC,"), because reports are made
 * after it; SOCKS (05 01 00), because a piece of a delta may look so; the PROXY
 * protocol, because a report may follow it; "$$" in binary (Meiligao) and "@@",
 * because older siblings may speak like that (protocol 1 says how little is
 * known of them).
 */
#ifdef POSTGRES_H
#error "the codec must not depend on PostgreSQL"
#endif

#include "codec/pt621_codec.h"

#include <string.h>

/* How far a pattern fits.  FITS_... or the number of bytes that make it up. */
#define FITS_NOT	0
#define FITS_SO_FAR	SIZE_MAX

/*
 * Classes of bytes in text patterns, which have none of these bytes themselves.
 * DIGITS, WORD and HOST are runs of one or more.
 */
#define DIGIT		"\1"
#define UPPER		"\2"
#define LETTER		"\3"
#define DIGITS		"\4"
#define WORD		"\5"		/* not blank */
#define HOST		"\6"		/* as in "[2001:db8::1]:443" */
#define HEX_UPPER	"\16"	/* 0 .. 9, A .. F */
#define A_TO_F		"\17"
#define FLAG		"\20"	/* A .. z, what lies between them included */
#define IMEI		DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT \
					DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT

static const struct
{
	Pt621Foreign kind;
	const char *pattern;
}			texts[] =
{
	/* RFC 9112 (request line), RFC 9110 and 5789 (methods), RFC 4918, RFC 9113 */
	{PT621_FOREIGN_HTTP, "GET /"},
	{PT621_FOREIGN_HTTP, "GET http"},
	{PT621_FOREIGN_HTTP, "HEAD /"},
	{PT621_FOREIGN_HTTP, "HEAD http"},
	{PT621_FOREIGN_HTTP, "POST /"},
	{PT621_FOREIGN_HTTP, "POST http"},
	{PT621_FOREIGN_HTTP, "PUT /"},
	{PT621_FOREIGN_HTTP, "DELETE /"},
	{PT621_FOREIGN_HTTP, "PATCH /"},
	{PT621_FOREIGN_HTTP, "TRACE /"},
	{PT621_FOREIGN_HTTP, "PROPFIND /"},
	{PT621_FOREIGN_HTTP, "OPTIONS " WORD " HTTP/"},
	/* With its version only: modems say "CONNECT OK" and "CONNECT 115200". */
	{PT621_FOREIGN_HTTP, "CONNECT " HOST " HTTP/"},
	{PT621_FOREIGN_HTTP, "PRI * HTTP/2"},
	{PT621_FOREIGN_HTTP, "HTTP/1."},
	/* UPnP Device Architecture 2.0, 1.3.2: HTTP over UDP */
	{PT621_FOREIGN_HTTP, "M-SEARCH * HTTP/"},
	/* RFC 4253, 4.2 */
	{PT621_FOREIGN_SSH, "SSH-" DIGIT "."},
	/* RFC 5321, 4.1.1; commands in either case.  A number behind HELO might be
	 * a tracker's id. */
	{PT621_FOREIGN_SMTP, "EHLO "},
	{PT621_FOREIGN_SMTP, "ehlo "},
	{PT621_FOREIGN_SMTP, "HELO " LETTER},
	{PT621_FOREIGN_SMTP, "HELO ["},
	{PT621_FOREIGN_SMTP, "helo " LETTER},
	{PT621_FOREIGN_SMTP, "MAIL FROM:"},
	/* RFC 3261, 7 */
	{PT621_FOREIGN_SIP, "OPTIONS " WORD " SIP/"},
	{PT621_FOREIGN_SIP, "REGISTER sip:"},
	{PT621_FOREIGN_SIP, "INVITE sip:"},
	{PT621_FOREIGN_SIP, "SIP/2.0 "},
	/* RFC 2326, 6 */
	{PT621_FOREIGN_RTSP, "OPTIONS " WORD " RTSP/"},
	{PT621_FOREIGN_RTSP, "DESCRIBE rtsp://"},
	/* RFC 6143, 7.1.1 */
	{PT621_FOREIGN_VNC, "RFB " DIGIT DIGIT DIGIT "."},
	/* Redis serialization protocol specification: an array of bulk strings.
	 * Its inline PING could be anybody's. */
	{PT621_FOREIGN_REDIS, "*" DIGITS "\r\n$" DIGITS "\r\n"},
	/* memcached's doc/protocol.txt */
	{PT621_FOREIGN_MEMCACHED, "stats\r\n"},

	/* Other trackers; by the documents that their makers give to integrators. */

	/* Coban GPS103: "GPRS protocol".  Its words too, since any tracker might
	 * log in with its IMEI. */
	{PT621_FOREIGN_GPS103, "##,imei:" IMEI},
	{PT621_FOREIGN_GPS103, "imei:" IMEI ",tracker,"},
	{PT621_FOREIGN_GPS103, "imei:" IMEI ",help me,"},
	{PT621_FOREIGN_GPS103, "imei:" IMEI ",low battery,"},
	{PT621_FOREIGN_GPS103, "imei:" IMEI ",acc o"},
	{PT621_FOREIGN_GPS103, "imei:" IMEI ",OBD,"},
	/* "TK103 GPRS communication protocol" */
	{PT621_FOREIGN_TK103, "(" DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT
		DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT "B" UPPER DIGIT DIGIT},
	/* "H02 platform communication protocol" */
	{PT621_FOREIGN_H02, "*HQ," DIGITS ","},
	/*
	 * "Meitrack GPRS protocol", 1.2: "$$", flag, length, IMEI, type, such as
	 * AAA.  Where the type is, reports have a time or nothing, never a letter.
	 */
	{PT621_FOREIGN_MEITRACK, "$$" FLAG DIGITS "," IMEI "," A_TO_F HEX_UPPER HEX_UPPER ","},
	/* Queclink "@Track air interface protocol".  GT, since "+ACK:" alone could
	 * come from a modem. */
	{PT621_FOREIGN_QUECLINK, "+RESP:GT"},
	{PT621_FOREIGN_QUECLINK, "+BUFF:GT"},
	{PT621_FOREIGN_QUECLINK, "+ACK:GT"},
	/* "Suntech ST300 protocol document", "Universal protocol" */
	{PT621_FOREIGN_SUNTECH, "ST" DIGIT DIGIT DIGIT UPPER UPPER UPPER ";" DIGIT},
	{PT621_FOREIGN_SUNTECH, "SA" DIGIT DIGIT DIGIT UPPER UPPER UPPER ";" DIGIT},
	{PT621_FOREIGN_SUNTECH, "STT;" DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT},
	/* Gurtam "Wialon IPS communication protocol", login packet */
	{PT621_FOREIGN_WIALON, "#L#" IMEI ";"},
	{PT621_FOREIGN_WIALON, "#L#2." DIGIT ";"},
	/* "3G watch communication protocol" */
	{PT621_FOREIGN_WATCH, "[3G*" DIGITS "*" HEX_UPPER HEX_UPPER HEX_UPPER HEX_UPPER "*"},
	{PT621_FOREIGN_WATCH, "[SG*" DIGITS "*" HEX_UPPER HEX_UPPER HEX_UPPER HEX_UPPER "*"},
	{PT621_FOREIGN_WATCH, "[CS*" DIGITS "*" HEX_UPPER HEX_UPPER HEX_UPPER HEX_UPPER "*"},
};

/* Hexadecimal; '.' is any four bits, 'n' is 0 to 9. */
static const struct
{
	Pt621Foreign kind;
	const char *pattern;
}			binaries[] =
{
	/* RFC 8446, 5.1: handshake record with ClientHello; RFC 6347, 4.1: DTLS;
	 * RFC 5246, E.2: hello of version 2 */
	{PT621_FOREIGN_TLS, "16 03 0. .. .. 01"},
	{PT621_FOREIGN_TLS, "16 fe f. 00 00 00 00 00 00 00 .. .. .. 01"},
	{PT621_FOREIGN_TLS, "80 .. 01 03 0. 00 .. 00 00 00 .0"},
	{PT621_FOREIGN_TLS, "80 .. 01 00 02 00 .. 00 00 00 .0"},
	/* MS-RDPBCGR, 2.2.1.1: TPKT, then an X.224 connection request */
	{PT621_FOREIGN_RDP, "03 00 00 .. .. e0 00 00"},
	/* MS-SMB2, 2.1 and 2.2.1; MS-CIFS, 2.2.3.1 */
	{PT621_FOREIGN_SMB, "00 00 .. .. ff 53 4d 42"},
	{PT621_FOREIGN_SMB, "00 00 .. .. fe 53 4d 42"},
	/* MQTT 3.1.1 and 5.0, 3.1: CONNECT, lengths of one and two bytes; MQTT 3.1 */
	{PT621_FOREIGN_MQTT, "10 .. 00 04 4d 51 54 54"},
	{PT621_FOREIGN_MQTT, "10 .. 0. 00 04 4d 51 54 54"},
	{PT621_FOREIGN_MQTT, "10 .. 00 06 4d 51 49 73 64 70"},
	/* memcached's doc/protocol.txt, "UDP protocol", before "stats" */
	{PT621_FOREIGN_MEMCACHED, ".. .. 00 00 00 01 00 00 73 74 61 74 73"},
	/* RFC 1035, 4.1.1 and 4.2.2: one question, no answers, over UDP and TCP */
	{PT621_FOREIGN_DNS, ".. .. 0. .0 00 01 00 00 00 00 00 00"},
	{PT621_FOREIGN_DNS, ".. .. 0. .0 00 01 00 00 00 00 00 01"},
	{PT621_FOREIGN_DNS, "0. .. .. .. 0. .0 00 01 00 00 00 00 00 00"},
	{PT621_FOREIGN_DNS, "0. .. .. .. 0. .0 00 01 00 00 00 00 00 01"},
	/* PostgreSQL documentation, "Message formats": SSLRequest, GSSENCRequest,
	 * StartupMessage 3.x, its first parameter "user" */
	{PT621_FOREIGN_POSTGRESQL, "00 00 00 08 04 d2 16 2f"},
	{PT621_FOREIGN_POSTGRESQL, "00 00 00 08 04 d2 16 30"},
	{PT621_FOREIGN_POSTGRESQL, "00 00 .. .. 00 03 00 .. 75 73 65 72 00"},
	/* RFC 4511, 4.2 and 4.5: bind and search requests; RFC 3416 and 1157:
	 * version, community */
	{PT621_FOREIGN_LDAP, "30 .. 02 01 .. 60"},
	{PT621_FOREIGN_LDAP, "30 .. 02 01 .. 63"},
	{PT621_FOREIGN_LDAP, "30 84 .. .. .. .. 02 01 .. 60"},
	{PT621_FOREIGN_SNMP, "30 .. 02 01 0. 04 0."},
	/* RFC 8489, 5: binding request, magic cookie */
	{PT621_FOREIGN_STUN, "00 01 .. .. 21 12 a4 42"},
	/* BEP 3: the peer protocol's handshake */
	{PT621_FOREIGN_BITTORRENT, "13 42 69 74 54 6f 72 72 65 6e 74"},
	/* Android's adb/protocol.txt: CNXN, version */
	{PT621_FOREIGN_ADB, "43 4e 58 4e .. .. 00 01"},

	/*
	 * Teltonika "Data sending protocols", Codec 8: the IMEI with its length over
	 * TCP; over UDP the channel's header comes before it.
	 */
	{PT621_FOREIGN_TELTONIKA, "00 0f 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n"},
	{PT621_FOREIGN_TELTONIKA, "0. .. .. .. 01 .. 00 0f 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n 3n"},
	/* JT/T 808-2011 and -2019, 4.4: registration, authentication, heartbeat,
	 * location; flags and length, then a telephone number in BCD */
	{PT621_FOREIGN_JT808, "7e 01 00 0. .. nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 01 02 0. .. nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 00 02 0. .. nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 02 00 0. .. nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 01 00 4. .. 01 nn nn nn nn nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 01 02 4. .. 01 nn nn nn nn nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 00 02 4. .. 01 nn nn nn nn nn nn nn nn nn nn"},
	{PT621_FOREIGN_JT808, "7e 02 00 4. .. 01 nn nn nn nn nn nn nn nn nn nn"},
	/* "EELINK protocol": login, its length, a serial, the IMEI in BCD */
	{PT621_FOREIGN_EELINK, "67 67 01 00 .. .. .. 0n nn nn nn nn nn nn nn"},
};

static const char *const names[PT621_FOREIGN_KINDS] = {
	[PT621_FOREIGN_NONE] = "none",
	[PT621_FOREIGN_HTTP] = "HTTP",
	[PT621_FOREIGN_TLS] = "TLS",
	[PT621_FOREIGN_SSH] = "SSH",
	[PT621_FOREIGN_SMTP] = "SMTP",
	[PT621_FOREIGN_SIP] = "SIP",
	[PT621_FOREIGN_RTSP] = "RTSP",
	[PT621_FOREIGN_RDP] = "RDP",
	[PT621_FOREIGN_VNC] = "VNC",
	[PT621_FOREIGN_SMB] = "SMB",
	[PT621_FOREIGN_MQTT] = "MQTT",
	[PT621_FOREIGN_REDIS] = "Redis",
	[PT621_FOREIGN_MEMCACHED] = "memcached",
	[PT621_FOREIGN_POSTGRESQL] = "PostgreSQL",
	[PT621_FOREIGN_DNS] = "DNS",
	[PT621_FOREIGN_LDAP] = "LDAP",
	[PT621_FOREIGN_SNMP] = "SNMP",
	[PT621_FOREIGN_STUN] = "STUN",
	[PT621_FOREIGN_BITTORRENT] = "BitTorrent",
	[PT621_FOREIGN_ADB] = "ADB",
	[PT621_FOREIGN_GT06] = "GT06",
	[PT621_FOREIGN_TELTONIKA] = "Teltonika",
	[PT621_FOREIGN_GPS103] = "GPS103",
	[PT621_FOREIGN_TK103] = "TK103",
	[PT621_FOREIGN_H02] = "H02",
	[PT621_FOREIGN_MEITRACK] = "Meitrack",
	[PT621_FOREIGN_QUECLINK] = "Queclink",
	[PT621_FOREIGN_SUNTECH] = "Suntech",
	[PT621_FOREIGN_WIALON] = "Wialon IPS",
	[PT621_FOREIGN_WATCH] = "GPS watch",
	[PT621_FOREIGN_JT808] = "JT/T 808",
	[PT621_FOREIGN_EELINK] = "EELINK"
};

static bool
between(uint8_t byte, char first, char last)
{
	return byte >= (uint8_t) first && byte <= (uint8_t) last;
}

/* Tells whether a byte is what one character of a text pattern stands for. */
static bool
fits_class(char wanted, uint8_t byte)
{
	bool		digit = between(byte, '0', '9');
	bool		letter = between(byte, 'A', 'Z') || between(byte, 'a', 'z');

	if (wanted == *DIGIT || wanted == *DIGITS)
		return digit;
	if (wanted == *UPPER)
		return between(byte, 'A', 'Z');
	if (wanted == *LETTER)
		return letter;
	if (wanted == *HEX_UPPER)
		return digit || between(byte, 'A', 'F');
	if (wanted == *A_TO_F)
		return between(byte, 'A', 'F');
	if (wanted == *FLAG)
		return between(byte, 'A', 'z');
	if (wanted == *WORD)
		return between(byte, '!', '~');
	if (wanted == *HOST)
		return digit || letter || (byte != '\0' && strchr("-._:[]", byte) != NULL);
	return byte == (uint8_t) wanted;
}

/*
 * Compares bytes with a text pattern.  A run takes all bytes of its class:
 * what follows it in a pattern is never of that class.
 */
static size_t
fits_text(const char *pattern, const uint8_t *data, size_t size)
{
	size_t		at = 0;

	for (; *pattern != '\0'; pattern++)
	{
		bool		run = *pattern == *DIGITS || *pattern == *WORD ||
			*pattern == *HOST;

		if (at >= size)
			return FITS_SO_FAR;
		if (!fits_class(*pattern, data[at++]))
			return FITS_NOT;
		while (run && at < size && fits_class(*pattern, data[at]))
			at++;
	}
	return at;
}

/* Tells whether four bits are what one character of a binary pattern says. */
static bool
fits_nibble(char wanted, unsigned nibble)
{
	if (wanted == '.')
		return true;
	if (wanted == 'n')
		return nibble <= 9;
	return nibble == (unsigned) (wanted <= '9' ? wanted - '0' : wanted - 'a' + 10);
}

/* Compares bytes with a binary pattern. */
static size_t
fits_binary(const char *pattern, const uint8_t *data, size_t size)
{
	size_t		at = 0;

	for (; *pattern != '\0'; pattern += pattern[2] == ' ' ? 3 : 2)
	{
		if (at >= size)
			return FITS_SO_FAR;
		if (!fits_nibble(pattern[0], data[at] >> 4) ||
			!fits_nibble(pattern[1], data[at] & 15))
			return FITS_NOT;
		at++;
	}
	return at;
}

/*
 * Compares bytes with a packet of Concox's "GT06 communication protocol": two
 * start bytes, length, type, ..., 0D 0A where the length says.  The start
 * bytes are letters ("xx", "yy"), so the type must not be one, and the end must
 * be there.
 */
static size_t
fits_gt06(const uint8_t *data, size_t size)
{
	static const char *const starts[] = {"78 78 ..", "79 79 00 .."};

	for (size_t wide = 0; wide < 2; wide++)
	{
		size_t		head = fits_binary(starts[wide], data, size);
		size_t		end;

		if (head == FITS_SO_FAR)
			return FITS_SO_FAR;
		if (head == FITS_NOT)
			continue;
		end = head + data[head - 1] + 2;
		if (data[head - 1] < 5 || end > PT621_FOREIGN_LOOK)
			return FITS_NOT;
		if ((size > head && data[head] >= 0x20) ||
			(size > end - 2 && data[end - 2] != '\r') ||
			(size > end - 1 && data[end - 1] != '\n'))
			return FITS_NOT;
		return size >= end ? end : FITS_SO_FAR;
	}
	return FITS_NOT;
}

/* The pattern that was complete first, and whether one may still be. */
typedef struct Best
{
	Pt621Foreign kind;
	size_t		size;
	bool		more;
} Best;

static void
consider(Best *best, Pt621Foreign kind, size_t fits)
{
	if (fits == FITS_SO_FAR)
		best->more = true;
	else if (fits != FITS_NOT && fits < best->size)
	{
		best->kind = kind;
		best->size = fits;
	}
}

Pt621Foreign
pt621_foreign(const uint8_t *data, size_t size, bool *more)
{
	Best		best = {PT621_FOREIGN_NONE, SIZE_MAX, false};
	bool		full = size >= PT621_FOREIGN_LOOK;

	*more = size == 0;
	if (full)
		size = PT621_FOREIGN_LOOK;
	if (size == 0 || data[0] == '@' || data[0] == 0xBF || data[0] == '\r' ||
		data[0] == '\n')
		return PT621_FOREIGN_NONE;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		consider(&best, texts[i].kind, fits_text(texts[i].pattern, data, size));
	/* Some of these have any first byte, which must not be ours. */
	if (data[0] != '$')
	{
		for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++)
			consider(&best, binaries[i].kind, fits_binary(binaries[i].pattern, data, size));
		consider(&best, PT621_FOREIGN_GT06, fits_gt06(data, size));
	}

	*more = best.kind == PT621_FOREIGN_NONE && best.more && !full;
	return best.kind;
}

const char *
pt621_foreign_name(Pt621Foreign kind)
{
	return (unsigned) kind < PT621_FOREIGN_KINDS ? names[kind] : NULL;
}
