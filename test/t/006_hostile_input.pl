# What must not hurt: whatever comes to the port is in the archive byte for
# byte, the server goes on as if nothing had been, and what was stored of it can
# be dumped and restored, in UTF8 and in EUC_JP.
use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

# Nobody is closed for what he sends, and all is kept: the bounds have tests of
# their own.
my $node = PT621->listening('main', conf => "pt621.max_bytes_without_record = 0\npt621.archive_strangers = 1GB\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $began = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $pid = $node->listener('pid');

# Kilobytes of memory that the listener has for itself.
sub memory
{
	slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m or die 'no RssAnon';
	return $1;
}

# Everything that has been sent is in the archive, once.
my $sent = 0;

sub all_archived
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes('SELECT coalesce(sum(length(bytes)), 0) FROM pt621.frame', $sent, $name);
}

# Sends a stream by a connection of its own and compares it with the archive.
sub stored_as_sent
{
	my ($name, $bytes) = @_;
	my $socket = $node->tcp;
	my $query = 'SELECT md5((' . sent_by_peer($socket) . '))';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	PT621::put($socket, $bytes);
	close($socket);
	$sent += length($bytes);
	return $node->becomes($query, md5_hex(unpack('H*', $bytes)), $name);
}

# The listener's own memory when it has had a batch of everything usual.
PT621::put($node->tcp, my $usual = join '', map { record(time => sprintf('12%02d00.000', $_)) } 0 .. 59);
$sent += length($usual);
all_archived('a listener at work');
my $memory = memory();

# ---------------------------------------------------------------------------
# Nothing, little, and much of it
# ---------------------------------------------------------------------------

close($node->tcp) foreach 1 .. 200;
$node->wait_until("SELECT connections <= 1 FROM pt621_stat_worker() WHERE worker = 'listener'");
pass('200 connections that say nothing');
$node->send_udp('');
pass('an empty datagram');

foreach my $byte (0 .. 255)
{
	$node->send_tcp(chr($byte));
	$node->send_udp(chr($byte));
	$sent += 2;
}
all_archived('one byte of each value, by TCP and UDP');

srand(621);
my $noise = pack('C*', map { int(rand(256)) } 1 .. 1024 * 1024);

stored_as_sent('1 MB of noise', $noise);
foreach my $part (0 .. 9)
{
	my $socket = $node->udp;

	# Few enough for the smallest buffer that a system may grant.
	PT621::put($socket, substr($noise, ($part * 20 + $_) * 1400, 1400)) foreach 0 .. 18;
	$node->put_apart($socket, substr($noise, ($part * 20 + 19) * 1400, 1400));
	$sent += 20 * 1400;
}
all_archived('noise in datagrams');
stored_as_sent('noise that starts like a record again and again', join('', map { '$POS,' . substr($noise, $_ * 50, 50) } 0 .. 4999));
stored_as_sent('... like a delta', join('', map { '@' . substr($noise, $_ * 20, 20) } 0 .. 4999));
stored_as_sent('... like a frame', join('', map { "\xBF\xFB" . substr($noise, $_ * 100, 100) } 0 .. 4999));
stored_as_sent('... like a photo', join('', map { '$PHD' . $_ . ',' . $_ * 7 . ',' . substr($noise, $_ * 100, 100) } 0 .. 999));

# Lines without an end: by a connection that stays, so that none ends them.
foreach my $start ('', '$', '$POS,1001,', '@@', '$PHD0,')
{
	my $socket = $node->tcp;

	PT621::put($socket, $start . 'A' x 2_000_000);
	$sent += length($start) + 2_000_000;
	$node->becomes("SELECT sum(length(bytes)) > 1990000, max(length(bytes)) <= 9216, count(*) FILTER (WHERE error IS NULL)
		FROM pt621.frame WHERE peer_port = " . $socket->sockport,
		't|t|0', "an endless line that starts with '$start' is archived in pieces, with reasons");
	close($socket);
}
all_archived('... to its last byte, when the connection ends');

# ---------------------------------------------------------------------------
# Frames that lie
# ---------------------------------------------------------------------------

my $record = record(ident => '8001', time => '130000.000');

foreach my $length (0, 4, 5, 6, 65535)
{
	stored_as_sent("a frame of length $length", "\xBF\xFB\xFF" . pack('v', $length) . $record);
}
foreach my $wrong (framed($record))
{
	substr($wrong, 2, 1) = chr(ord(substr($wrong, 2, 1)) ^ 1);
	stored_as_sent('a frame with a wrong verify byte', $wrong);
	$node->becomes("SELECT count(*) FROM pt621.frame WHERE bytes = " . bytea($wrong) . " AND error ~ 'verify'",
		1, '... with the reason');
}
stored_as_sent('a photo chunk that announces 2 GB', '$PHD0,2147483647,' . 'x' x 5000);
stored_as_sent('a photo chunk of a negative length', '$PHD0,-1,' . 'x' x 5000);
stored_as_sent('a delta with index 255', $record . "\@\x00\xFF\x00\x01A" . "\r\n");
stored_as_sent('a delta with itself as base', $record . delta($record, $record) x 100);

# ---------------------------------------------------------------------------
# Values out of range
# ---------------------------------------------------------------------------

my %odd = (
	'latitude 91' => [ lat => '9100.0000' ],
	'minutes 60' => [ lat => '4860.0000' ],
	'longitude 181' => [ lon => '18100.0000' ],
	'hour 24' => [ time => '240000.000' ],
	'month 13' => [ date => '151324' ],
	'31 February' => [ date => '310224' ],
	'a clock in 2080' => [ date => '150380' ],
	'a clock in 2000' => [ date => '010100' ],
	'a 30-digit id' => [ ident => '1' x 30 ],
	'an empty id' => [ ident => '' ],
	'a huge speed' => [ speed => '9' x 30 ],
	'a huge course' => [ course => '1e308' ],
	'not a number' => [ speed => 'nan', course => 'inf' ],
	'a huge odometer' => [ odometer => '9' x 40 ],
	'1,000 analog values' => [ adc => join(',', ('1f8') x 100) ],
	'90 inputs' => [ inputs => '01' x 45 ],
	'SQL' => [ driver => q{'; DROP TABLE pt621.position; --} ],
	'a format' => [ driver => '%s%n%1000000d' ],
	'a path' => [ code => '../..' ]);

foreach my $name (sort keys %odd)
{
	stored_as_sent($name, record(ident => '8002', @{ $odd{$name} }));
}
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM pt621.position
		 WHERE ST_X(geom) NOT BETWEEN -180 AND 180 OR ST_Y(geom) NOT BETWEEN -90 AND 90
			OR speed_kmh NOT BETWEEN 0 AND 2000 OR course NOT BETWEEN 0 AND 360
			OR fix_time > now() + interval '1 day' OR fix_time < '2010-01-01 00:00+00'}),
	0, 'no value out of range became one of a position');

# ---------------------------------------------------------------------------
# Others who knock
# ---------------------------------------------------------------------------

stored_as_sent('an HTTP client', "GET / HTTP/1.1\r\nHost: tracker.example\r\nUser-Agent: scan\r\nAccept: */*\r\n\r\n");
stored_as_sent('a TLS client', pack('H*', '16030100c8010000c40303' . 'ab' x 32 . '20' . 'cd' x 32
	. '0026c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c013003301000055'));
stored_as_sent('a PostgreSQL client', pack('NN', 8, 80877103) . pack('N', 196608) . "user\0postgres\0\0");
stored_as_sent('an SSH client', "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $began, 'the server has not restarted');
is($node->listener('pid'), $pid, '... nor has the listener');
is($node->listener('retries'), 0, '... and nothing had to be tried twice');
cmp_ok(memory() - $memory, '<', 64 * 1024, '... and it has not grown by 64 MB');

# ---------------------------------------------------------------------------
# All bytes in all fields, in two encodings
# ---------------------------------------------------------------------------

# Puts each byte value into each field of a record, and of a status.
sub all_bytes
{
	my $stream = '';

	foreach my $field (qw(code ident time flag lat ns lon ew speed course date inputs outputs adc odometer driver gsb spec))
	{
		my $number = 0;

		foreach my $byte (0 .. 255)
		{
			my %given = (
				code => 'POS', ident => '77', time => sprintf('14%02d%02d.000', $byte / 60, $byte % 60),
				flag => 'A', lat => '4807.0380', ns => 'N', lon => '01131.0000', ew => 'E', speed => '1.5',
				course => '84.4', date => '150324', inputs => '00000', outputs => '00000', adc => '1f8',
				odometer => '1000', driver => 'AB12', gsb => 'f77', spec => 'x,y/');

			$given{$field} = substr($given{$field}, 0, 1) . chr($byte) . substr($given{$field}, 1);
			$stream .= record(%given);
		}
	}
	foreach my $byte (0 .. 255)
	{
		my $char = chr($byte);

		$stream .= "\$FUS77,5${char}10-V1.12,A11${char}-V3.0\r\n";
		$stream .= "\$PHO12-${char}1,77,150000.000,A,4807.0380,N,01131.0000,E,0.0,0.0,150324,,,A/0/0/0/0//fff//\r\n";
		$stream .= framed("\$PHD0,3,a${char}b");
	}
	return $stream;
}

my $stream = all_bytes();
my $ROWS = join ' UNION ALL ', map
{
	"SELECT '$_' || ' ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")), '-')"
	  . " FROM pt621.$_ t"
} qw(device device_state frame position);

foreach my $encoding ('UTF8', 'EUC_JP')
{
	my $database = lc $encoding;

	foreach my $name ($database, "${database}_restored")
	{
		$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	}
	$node->create_extension($database);
	$node->configure('pt621.database' => $database);
	$node->wait_until(
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND datname = '$database'");
	$node->wait_open;

	my $socket = $node->tcp;
	my $query = 'SELECT md5((' . sent_by_peer($socket) . '))';

	PT621::put($socket, $stream);
	close($socket);
	$node->becomes($query, md5_hex(unpack('H*', $stream)), "$encoding: all bytes in all fields are archived",
		database => $database);
	cmp_ok($node->safe_psql($database, 'SELECT count(*) FROM pt621.position'), '>', 4000,
		"$encoding: most of the records are positions");
	is( $node->safe_psql($database, q{
			SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id
			 WHERE concat_ws(' ', d.ident, p.code, p.driver, p.gsb, p.spec) ~ '[^ -~]'}),
		0, "$encoding: text from the wire is printable");
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/$database", $database ], "$encoding: dumped");
	$node->command_ok([ 'pg_restore', '-e', '-d', "${database}_restored", "$dir/$database" ], "$encoding: restored");
	is( $node->safe_psql("${database}_restored", $ROWS),
		$node->safe_psql($database, $ROWS),
		"$encoding: ... and every row is there");
}

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $began, 'the server has not restarted');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, '... and the log knows of no crash');

$node->stop;
done_testing();
