/*
 * test_foreign.c
 *		Other protocols are recognised by their first bytes, and nothing that could
 *		be ours is ever taken for one.
 *
 * Invariant: every prefix is asked for in memory that ends where it ends, so
 * that the sanitizer sees a byte read too many.
 */
#include "codec/pt621_codec.h"
#include "csv.h"
#include "tap.h"

#define BYTES(s)	(const uint8_t *) (s), sizeof(s) - 1
#define EXAMPLE(kind, what, bytes)	{PT621_FOREIGN_##kind, what, BYTES(bytes)}

static const struct
{
	Pt621Foreign kind;
	const char *what;
	const uint8_t *bytes;
	size_t		size;
}			examples[] = {
	EXAMPLE(HTTP, "GET", "GET / HTTP/1.1\r\nHost: 198.51.100.7:8888\r\n\r\n"),
	EXAMPLE(HTTP, "GET of a proxy", "GET http://example.com/ HTTP/1.1\r\n\r\n"),
	EXAMPLE(HTTP, "HEAD", "HEAD /index.html HTTP/1.0\r\n\r\n"),
	EXAMPLE(HTTP, "POST of an OsmAnd client", "POST /?id=123456&lat=1&lon=2 HTTP/1.1\r\n"),
	EXAMPLE(HTTP, "OPTIONS", "OPTIONS * HTTP/1.1\r\n\r\n"),
	EXAMPLE(HTTP, "CONNECT", "CONNECT www.example.com:443 HTTP/1.1\r\n\r\n"),
	EXAMPLE(HTTP, "CONNECT to an address", "CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n"),
	EXAMPLE(HTTP, "version 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	EXAMPLE(HTTP, "an answer", "HTTP/1.1 400 Bad Request\r\n"),
	EXAMPLE(HTTP, "SSDP", "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"),
	EXAMPLE(TLS, "1.3", "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"),
	EXAMPLE(TLS, "1.2, short hello", "\x16\x03\x03\x00\x9A\x01\x00\x00\x96\x03\x03"),
	EXAMPLE(TLS, "hello of version 2", "\x80\x2E\x01\x03\x01\x00\x15\x00\x00\x00\x10\x01\x00\x80"),
	EXAMPLE(TLS, "DTLS", "\x16\xFE\xFF\x00\x00\x00\x00\x00\x00\x00\x00\x00\x36\x01\x00\x00\x2A"),
	EXAMPLE(SSH, "OpenSSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
	EXAMPLE(SSH, "version 1", "SSH-1.99-scanner\n"),
	EXAMPLE(SMTP, "EHLO", "EHLO mail.example.com\r\n"),
	EXAMPLE(SMTP, "EHLO of an address", "EHLO [192.0.2.1]\r\n"),
	EXAMPLE(SMTP, "HELO", "HELO example.com\r\n"),
	EXAMPLE(SMTP, "ehlo", "ehlo localhost\r\n"),
	EXAMPLE(SIP, "OPTIONS", "OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n"),
	EXAMPLE(SIP, "REGISTER", "REGISTER sip:example.com SIP/2.0\r\n"),
	EXAMPLE(RTSP, "OPTIONS", "OPTIONS / RTSP/1.0\r\n\r\n"),
	EXAMPLE(RTSP, "DESCRIBE", "DESCRIBE rtsp://192.0.2.1/live RTSP/1.0\r\n"),
	EXAMPLE(RDP, "with a cookie", "\x03\x00\x00\x2A\x25\xE0\x00\x00\x00\x00\x00" "Cookie: mstshash=a\r\n"),
	EXAMPLE(VNC, "version", "RFB 003.008\n"),
	EXAMPLE(SMB, "version 1", "\x00\x00\x00\xA4\xFFSMB\x72\x00\x00\x00\x00\x08"),
	EXAMPLE(SMB, "version 2", "\x00\x00\x00\x68\xFESMB\x40\x00\x01\x00"),
	EXAMPLE(MQTT, "3.1.1", "\x10\x10\x00\x04MQTT\x04\x02\x00\x3C\x00\x04test"),
	EXAMPLE(MQTT, "5.0, long", "\x10\x85\x01\x00\x04MQTT\x05\x02\x00\x3C"),
	EXAMPLE(MQTT, "3.1", "\x10\x12\x00\x06MQIsdp\x03\x02\x00\x3C"),
	EXAMPLE(REDIS, "PING", "*1\r\n$4\r\nPING\r\n"),
	EXAMPLE(MEMCACHED, "stats", "stats\r\n"),
	EXAMPLE(MEMCACHED, "over UDP", "\x00\x01\x00\x00\x00\x01\x00\x00stats\r\n"),
	EXAMPLE(POSTGRESQL, "SSLRequest", "\x00\x00\x00\x08\x04\xD2\x16\x2F"),
	EXAMPLE(POSTGRESQL, "GSSENCRequest", "\x00\x00\x00\x08\x04\xD2\x16\x30"),
	EXAMPLE(POSTGRESQL, "startup", "\x00\x00\x00\x23\x00\x03\x00\x00user\x00postgres\x00"),
	EXAMPLE(DNS, "over TCP", "\x00\x1E\x00\x06\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04" "bind\x00\x00\x10\x00\x03"),
	EXAMPLE(DNS, "over UDP, with EDNS", "\x9A\x1F\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x07" "example\x03" "com\x00"),
	EXAMPLE(LDAP, "bind", "\x30\x0C\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"),
	EXAMPLE(SNMP, "get", "\x30\x26\x02\x01\x01\x04\x06public\xA0\x19"),
	EXAMPLE(STUN, "binding request", "\x00\x01\x00\x00\x21\x12\xA4\x42\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B"),
	EXAMPLE(BITTORRENT, "handshake", "\x13" "BitTorrent protocol\x00\x00\x00\x00"),
	EXAMPLE(ADB, "CNXN", "CNXN\x00\x00\x00\x01\x00\x10\x00\x00"),
	EXAMPLE(GT06, "login", "\x78\x78\x0D\x01\x01\x23\x45\x67\x89\x01\x23\x45\x00\x01\x8C\xDD\x0D\x0A"),
	EXAMPLE(GT06, "location", "\x78\x78\x1F\x12\x0B\x08\x1D\x11\x2E\x10\xCF\x02\x7A\xC7\xEB\x0C\x46\x58\x49\x00\x14\x8F\x01\xCC\x00\x28\x7D\x00\x1F\xB8\x00\x03\x80\x81\x0D\x0A"),
	EXAMPLE(GT06, "long form", "\x79\x79\x00\x08\x13\x00\x00\x01\x00\x05\xAB\xCD\x0D\x0A"),
	EXAMPLE(TELTONIKA, "IMEI", "\x00\x0F" "356307042441013"),
	EXAMPLE(TELTONIKA, "over UDP", "\x00\x3D\xCA\xFE\x01\x05\x00\x0F" "352093086403655\x08\x01"),
	EXAMPLE(GPS103, "login", "##,imei:359586015829802,A;"),
	EXAMPLE(GPS103, "position", "imei:359586015829802,tracker,000000000,13554900601,L,;"),
	EXAMPLE(GPS103, "ignition", "imei:359586015829802,acc on,1305141230,,F,043000.000,A,;"),
	EXAMPLE(TK103, "login", "(013612345678BP05000013612345678080524A2232.9806N)"),
	EXAMPLE(H02, "V1", "*HQ,4106012736,V1,224434,A,1827.3855,N,06705.7577,W,000.00,000,100117,FFFFFBFF#"),
	EXAMPLE(MEITRACK, "position", "$$A147,353358017784062,AAA,35,22.540113,114.076141,100313094354,A,5,22*2E\r\n"),
	EXAMPLE(MEITRACK, "binary position", "$$i1234,863835021234567,CCE,\x00\x00\x00\x00\x05\x00"),
	EXAMPLE(QUECLINK, "RESP", "+RESP:GTFRI,020102,135790246811220,,0,0,1,1,4.3,92,70.0$"),
	EXAMPLE(QUECLINK, "BUFF", "+BUFF:GTFRI,020102,135790246811220$"),
	EXAMPLE(QUECLINK, "ACK", "+ACK:GTHBD,1A0401,135790246811220,,20100214093254,11F0$"),
	EXAMPLE(SUNTECH, "status", "ST300STT;100850000;01;010;20081017;07:41:56;00100;+37.478519\r"),
	EXAMPLE(SUNTECH, "universal", "STT;0100000001;3FFFFF;01;1.0.0;1;20170110;13:40:00\r"),
	EXAMPLE(WIALON, "login with IMEI", "#L#353451044508750;NA\r\n"),
	EXAMPLE(WIALON, "login, 2.0", "#L#2.0;unit7;NA;A1B2\r\n"),
	EXAMPLE(WATCH, "link", "[3G*8800000015*0002*LK]"),
	EXAMPLE(JT808, "registration", "\x7E\x01\x00\x00\x2D\x01\x41\x45\x93\x35\x24\x00\x08\x00\x2C\x01\x2F"),
	EXAMPLE(JT808, "registration, 2019", "\x7E\x01\x00\x40\x2D\x01\x00\x00\x00\x00\x01\x38\x00\x13\x80\x00\x00\x01"),
	EXAMPLE(EELINK, "login", "\x67\x67\x01\x00\x0C\x00\x01\x03\x54\x18\x80\x46\x60\x86\x61\x01\x00"),
};

/* What may come from trackers of the family, their modems, or nobody known. */
static const struct
{
	const char *what;
	const uint8_t *bytes;
	size_t		size;
}			not_foreign[] = {
	{"a report in a code not known", BYTES("$XYZ,7,145733.000,A\r\n")},
	{"a code of one letter", BYTES("$A,1\r\n")},
	{"a code with $", BYTES("$$POS,353358017784062,145733.000,A,2036.3883,N\r\n")},
	{"a code as in Meitrack, but a time", BYTES("$$A121,353358017784062,145733.000,A,2036.3883,N\r\n")},
	{"a code as in Meitrack, no time", BYTES("$$A121,353358017784062,,V,,,,,,,010101\r\n")},
	{"a code as in Meitrack, a short id", BYTES("$$A121,6094,AAA,A\r\n")},
	{"$$ in binary", BYTES("$$\x00\x11\x13\x61\x23\x45\x67\x8F\xFF\x50\x00\x05\xD8\r\n")},
	{"$GPRMC with an id", BYTES("$GPRMC,3760971,145733.000,A,2036.3883,N\r\n")},
	{"$GPRMC of plain NMEA", BYTES("$GPRMC,145733.000,A,2036.3883,N,10323.9836,W,0,0,281117,,*1A\r\n")},
	{"$GNGGA", BYTES("$GNGGA,145733.000,2036.3883,N,10323.9836,W,1,08,1.0,10,M,0,M,,*5A\r\n")},
	{"$MGV", BYTES("$MGV002,860719020193193,DeviceName,R,240214,104742,A\r\n")},
	{"a stored mark on its own", BYTES("#\n$POS,1")},
	{"an echoed command", BYTES("#PTI300\r\n")},
	{"an echoed command with L", BYTES("#LPA1\r\n")},
	{"@@", BYTES("@@\x02\x04\x06" "18.000")},
	{"@ text", BYTES("@NTC\x01\x00\x00\x00\r\n")},
	{"a frame of any verify byte and length", BYTES("\xBF\xFB\x03\x00\x00\x01\xE0")},
	{"line ends, then a probe", BYTES("\r\n\r\nGET / HTTP/1.0\r\n")},
	{"OK", BYTES("OK\r\n")},
	{"CONNECT OK of a modem", BYTES("CONNECT OK\r\n$POS,1")},
	{"CONNECT with a speed", BYTES("CONNECT 115200\r\n")},
	{"+CREG of a modem", BYTES("+CREG: 1\r\n")},
	{"+ACK without more", BYTES("+ACK:OPC1,1\r\n")},
	{"+RESP without more", BYTES("+RESP:OK\r\n")},
	{"HELO and an id", BYTES("HELO 3760971\r\n")},
	{"PING", BYTES("PING\r\n")},
	{"an IMEI", BYTES("865328026243864\r\n")},
	{"IMEI: and an IMEI", BYTES("IMEI:865328026243864\r\n")},
	{"imei: and a short id", BYTES("imei:3760971,OK\r\n")},
	{"imei: and an IMEI, to log in", BYTES("imei:865328026243864,510-V1.12\r\n")},
	{"* and a number, then a code of a digit", BYTES("*1\r\n$1AB,3760971,145733.000,A\r\n")},
	{"GET as a word", BYTES("GET OK\r\n")},
	{"a reply in brackets", BYTES("(OK)\r\n")},
	{"xx in text", BYTES("xx OPC1 set, output 1 is on now\r\n")},
	{"xx in a text as long as it says", BYTES("xx\x1D this is a text of this length\r\n")},
	{"the PROXY protocol, before a report", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 5 8888\r\n$POS,1")},
	{"a picture", BYTES("\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01")},
	{"the rest of a delta", BYTES("\x05\x01\x00\x02\x04\x06" "18.000\x13\x00\x02\r\n")},
	{"the rest of a report", BYTES("36.3883,N,10323.9836,W,0.0,119.5,281117,,,A/00000,00000/0/0//\r\n")},
#define QUERY	"\x1F\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03" "com"
	{"what reads as a DNS query behind $", BYTES("$" QUERY)},
	{"what reads as a DNS query behind @", BYTES("@" QUERY)},
	{"what reads as a DNS query behind BF", BYTES("\xBF" QUERY)},
	{"what reads as a DNS query behind CR", BYTES("\r" QUERY)},
	{"what reads as a DNS query behind LF", BYTES("\n" QUERY)},
	{"zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
};

static uint32_t random_state = 621;

static uint32_t
random_next(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* Asks about so many bytes, in memory that has no more. */
static Pt621Foreign
ask(const uint8_t *bytes, size_t size, bool *more)
{
	uint8_t    *copy = malloc(size > 0 ? size : 1);
	Pt621Foreign kind;

	if (size > 0)
		memcpy(copy, bytes, size);
	*more = true;
	kind = pt621_foreign(copy, size, more);
	free(copy);
	return kind;
}

/*
 * Asks about every prefix.  Tells whether each is open or has the answer of the
 * whole; *whole is that answer, *at the bytes it took.
 */
static bool
prefixes_agree(const uint8_t *bytes, size_t size, Pt621Foreign *whole, size_t *at)
{
	bool		more;
	bool		agree = true;

	*whole = ask(bytes, size, &more);
	*at = size;
	for (size_t i = size + 1; i-- > 0;)
	{
		Pt621Foreign kind = ask(bytes, i, &more);

		if (kind != PT621_FOREIGN_NONE && more)
			agree = false;
		if (!more && (kind != *whole || i > *at))
			agree = false;
		if (!more)
			*at = i;
		else
		{
			/* From here on down it must be open, too. */
			while (i-- > 0)
				agree = ask(bytes, i, &more) == PT621_FOREIGN_NONE && more && agree;
			break;
		}
	}
	return agree;
}

static void
test_examples(void)
{
	bool		seen[PT621_FOREIGN_KINDS] = {true};
	size_t		at;

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
	{
		const char *name = pt621_foreign_name(examples[i].kind);
		Pt621Foreign kind;
		bool		agree;

		agree = prefixes_agree(examples[i].bytes, examples[i].size, &kind, &at);
		is_str(pt621_foreign_name(kind), name, "%s: %s", name, examples[i].what);
		ok(agree && at > 2, "%s: %s: its prefixes are open or agree (told by %zu bytes)",
		   name, examples[i].what, at);
		seen[examples[i].kind] = true;
	}
	for (int i = 0; i < PT621_FOREIGN_KINDS; i++)
		ok(seen[i] && pt621_foreign_name((Pt621Foreign) i) != NULL,
		   "kind %d, %s, has an example", i, pt621_foreign_name((Pt621Foreign) i));
	ok(pt621_foreign_name(PT621_FOREIGN_KINDS) == NULL, "past the last kind is no name");
	ok(pt621_foreign_name((Pt621Foreign) -1) == NULL, "before the first, neither");
}

static void
test_not_foreign(void)
{
	size_t		at;
	Pt621Foreign kind;

	for (size_t i = 0; i < sizeof(not_foreign) / sizeof(not_foreign[0]); i++)
	{
		bool		agree = prefixes_agree(not_foreign[i].bytes, not_foreign[i].size,
										   &kind, &at);

		ok(agree && kind == PT621_FOREIGN_NONE, "not foreign: %s", not_foreign[i].what);
	}
}

static void
test_captured(void)
{
	for (int i = 0; i < captured_count; i++)
	{
		Pt621Foreign kind;
		size_t		at;
		bool		agree = prefixes_agree(captured[i].bytes, captured[i].size, &kind, &at);

		ok(agree && kind == PT621_FOREIGN_NONE && at <= 2,
		   "%s and its prefixes are ours, told by two bytes", captured[i].id);
	}
}

/* Trackers may come back in the middle of what they were saying. */
static void
test_cut_captures(void)
{
	long		asked = 0;
	long		foreign = 0;

	for (int i = 0; i < captured_count; i++)
	{
		for (size_t from = 1; from < captured[i].size; from++)
		{
			bool		more;

			asked++;
			if (ask(captured[i].bytes + from, captured[i].size - from, &more) != PT621_FOREIGN_NONE)
			{
				foreign++;
				printf("# %s from byte %zu\n", captured[i].id, from);
			}
		}
	}
	is_int(foreign, 0, "%ld captures cut off in front are not foreign", asked);
}

/* Writes a report that nobody has seen: any printable code, id and fields. */
static size_t
unseen_report(uint8_t *out, size_t room)
{
	size_t		size = 0;
	size_t		code = 1 + random_next() % PT621_CODE_MAX;

	out[size++] = '$';
	for (size_t i = 0; i < code; i++)
	{
		/* Often those that other trackers' texts begin with. */
		static const char often[] = "$$AZ0189#*+:(";

		if (random_next() % 2)
			out[size] = (uint8_t) often[random_next() % (sizeof(often) - 1)];
		else
			out[size] = (uint8_t) (0x20 + random_next() % 0x5F);
		if (out[size] == ',' || out[size] == '/')
			out[size] = '$';
		size++;
	}
	out[size++] = ',';
	for (size_t i = random_next() % 2 ? 15 : 1 + random_next() % PT621_IDENT_MAX; i > 0; i--)
		out[size++] = (uint8_t) ('0' + random_next() % 10);
	out[size++] = ',';
	if (random_next() % 4)
		size += (size_t) sprintf((char *) out + size, "%06u.000", random_next() % 240000);
	size += (size_t) sprintf((char *) out + size, ",%c,", random_next() % 2 ? 'A' : 'V');
	while (size < room)
		out[size++] = (uint8_t) (0x20 + random_next() % 0x5F);
	return size;
}

static void
test_unseen_reports(void)
{
	uint8_t		bytes[128];
	long		foreign = 0;
	bool		more;

	for (int i = 0; i < 1000000; i++)
	{
		size_t		size = unseen_report(bytes, sizeof(bytes));

		foreign += pt621_foreign(bytes, size, &more) != PT621_FOREIGN_NONE || more;
	}
	is_int(foreign, 0, "reports with codes not seen yet are not foreign");
}

static void
test_any_bytes(void)
{
	uint8_t		bytes[PT621_FOREIGN_LOOK + 8];
	long		foreign = 0;
	long		ours = 0;
	bool		more;
	bool		agree = true;

	for (int first = 0; first < 256; first++)
	{
		Pt621Foreign kind;

		bytes[0] = (uint8_t) first;
		kind = ask(bytes, 1, &more);
		agree = kind == PT621_FOREIGN_NONE && agree;
		if (first == '@' || first == 0xBF || first == '\r' || first == '\n')
			agree = !more && agree;
	}
	ok(agree, "one byte, whatever it is, is not foreign");
	pt621_foreign(NULL, 0, &more);
	ok(more, "no byte tells nothing");

	for (int i = 0; i < 2000000; i++)
	{
		for (size_t j = 0; j < sizeof(bytes); j += 2)
		{
			uint32_t	r = random_next();

			bytes[j] = (uint8_t) r;
			bytes[j + 1] = (uint8_t) (r >> 8);
		}
		foreign += pt621_foreign(bytes, sizeof(bytes), &more) != PT621_FOREIGN_NONE;
		bytes[0] = (uint8_t) "$@\xBF\r\n"[i % 5];
		ours += pt621_foreign(bytes, sizeof(bytes), &more) != PT621_FOREIGN_NONE;
	}
	ok(foreign <= 2, "of 2,000,000 random runs at most 2 are foreign: %ld", foreign);
	is_int(ours, 0, "none of them behind a mark of ours");
}

/* What is not decided after PT621_FOREIGN_LOOK bytes never will be. */
static void
test_bound(void)
{
	uint8_t		bytes[512];
	bool		more;

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "OPTIONS /", 9);
	is_int(ask(bytes, PT621_FOREIGN_LOOK - 1, &more), PT621_FOREIGN_NONE, "a long target: not told");
	ok(more, "a long target: more may tell");
	is_int(ask(bytes, PT621_FOREIGN_LOOK, &more), PT621_FOREIGN_NONE, "a longer one: not told");
	ok(!more, "a longer one: given up");
	memcpy(bytes + 70, " HTTP/1.1\r\n", 11);
	is_int(ask(bytes, sizeof(bytes), &more), PT621_FOREIGN_NONE, "nor by what comes behind the bound");
	ok(!more, "which is an answer");
}

int
main(void)
{
	captured_load();
	test_examples();
	test_not_foreign();
	test_captured();
	test_cut_captures();
	test_unseen_reports();
	test_any_bytes();
	test_bound();
	captured_free();
	return done_testing();
}
