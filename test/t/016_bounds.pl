# The bounds: what is beyond each of them is refused, counted and archived, and
# the trackers beside it are not hurt.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# A connection that is closed while a test writes to it is no reason to die.
local $SIG{PIPE} = 'IGNORE';

my $node = PT621->listening('main', conf => "pt621.archive_strangers = 1kB\n");

# The sum of a counter over all listeners; of an object, of one of its members.
sub counter
{
	my ($column, $member) = @_;

	$column = "coalesce(($column->>'$member')::bigint, 0)" if defined $member;
	return "SELECT sum($column) FROM pt621_stat_worker() WHERE worker = 'listener'";
}

# Begins another part: nothing was received, nothing is counted.
sub begin
{
	my (%settings) = @_;

	$node->wait_until(counter('connections') =~ s/\QSELECT sum(connections)\E/SELECT sum(connections) = 0/r);
	$node->configure(%settings);
	$node->settle;
	$node->forget;
	$node->safe_psql('postgres', 'SELECT pt621_stat_reset()');
	return;
}

sub number
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# The number of open connections, of all listeners.
my $OPEN = counter('connections');
my $POSITIONS = 'SELECT count(*) FROM pt621.position';

sub time_of
{
	my ($second) = @_;

	return sprintf('%02d%02d%02d.000', $second / 3600, $second / 60 % 60, $second % 60);
}

sub records
{
	my ($ident, $from, $to) = @_;

	return join '', map { record(ident => $ident, time => time_of($_)) } $from .. $to;
}

# Lines of 64 bytes that are no records.
sub noise
{
	my ($lines) = @_;

	return join '', map { sprintf("noise %05d %s\r\n", $_, 'x' x 50) } 1 .. $lines;
}

# Connects a tracker, and waits until it has reported.
sub tracker
{
	my ($ident, %options) = @_;
	my $socket = $node->tcp(%options);

	PT621::put($socket, record(ident => $ident));
	$node->wait_until("SELECT count(*) = 1 FROM pt621_stat_connection() WHERE ident = '$ident' AND units > 0 AND peer_port = " . $socket->sockport);
	return $socket;
}

# A tracker that was connected before still reports.
sub still_reports
{
	my ($socket, $ident, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	PT621::put($socket, record(ident => $ident, time => '235959.000'));
	return $node->becomes(
		"SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '$ident' AND p.fix_time::time = '23:59:59'",
		1, $name);
}

# ---------------------------------------------------------------------------
# pt621.archive_strangers
# ---------------------------------------------------------------------------

my @slow = map { $node->tcp } 1 .. 5;
my $stranger = $node->tcp;

# A line: no silence ends it.
$node->put_apart($_, '$slow') foreach @slow;
PT621::put($stranger, noise(64));
$node->becomes(counter('units'), 64, 'a stranger sends 4 kB');
# Twice as much when a minute ended just then.
like(number('SELECT sum(length(bytes)) FROM pt621.frame'), qr/^(1024|1\d\d\d|20[0-4]\d)$/, '... of which 1 kB a minute is archived');
is( number(q{SELECT (SELECT not_archived FROM pt621_stat_worker() WHERE worker = 'listener') + count(*) FROM pt621.frame}),
	64, '... and the rest is counted');
# What has come before the minute began does not begin another one.
foreach my $at (1 .. 5)
{
	close(pop @slow);
	$node->wait_until(counter('units') =~ s/sum\(units\)/sum(units) = 32 + 33 * $at/r);
	PT621::put($stranger, noise(32));
	$node->wait_until(counter('units') =~ s/sum\(units\)/sum(units) = 64 + 33 * $at/r);
}
cmp_ok(number('SELECT sum(length(bytes)) FROM pt621.frame'), '<=', 2048, '... also when lines end that had begun before');
PT621::put($stranger, record(ident => '1601') . noise(1));
$node->becomes($POSITIONS, 1, 'a record of it is stored all the same');
$node->becomes("SELECT count(*) FROM pt621.frame WHERE ident = '1601' AND bytes ~ '^.POS' OR bytes ~ '^noise 00001' AND ident = '1601'"
	  =~ s/bytes ~/encode(bytes, 'escape') ~/gr, 2, '... and archived, and so is what it sends from then on');
close($stranger);
begin('pt621.archive_strangers' => 0);
$node->send_tcp(noise(10));
$node->send_udp(noise(1));
$node->becomes(counter('not_archived'), 11, 'at 0 nothing of strangers is archived');
is(number('SELECT count(*) FROM pt621.frame'), 0, '... really nothing');
$node->send_udp(record(ident => '1602'));
$node->becomes($POSITIONS, 1, '... but trackers are');
is(number('SELECT count(*) FROM pt621.frame'), 1, '... with their bytes');

# ---------------------------------------------------------------------------
# Ids that are made up, and pt621.archive_quarantined
# ---------------------------------------------------------------------------

# Begins a part in which one tracker is registered; returns its connection.
sub begin_with_one
{
	begin('pt621.archive_strangers' => 1, @_);
	$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('1603')");
	return tracker('1603');
}

# Asks whether so many units were taken in, so many of them of the tracker that
# is registered, and whether those that a condition names are archived up to 1 kB
# a minute.  Those of a part before may have used it up.
sub is_bounded
{
	my ($units, $ours, $which, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->becomes(counter('units'), $units, $name);
	my $size = number("SELECT coalesce(sum(length(bytes)), 0) FROM pt621.frame WHERE $which");
	cmp_ok($size, '<=', 2048, '... of which at most 1 kB a minute is archived');
	is(number('SELECT (' . counter('not_archived') . ') + count(*) FROM pt621.frame'), $units, '... and the rest is counted');
	is(number("SELECT count(*) FROM pt621.frame WHERE ident = '1603' AND error IS NULL"), $ours, '... and of a registered tracker there is all');
	return;
}

my @made_up = map { record(ident => 990000 + $_) } 1 .. 50;
my $liar;
my $known = begin_with_one('pt621.unknown_devices' => 'quarantine', 'pt621.archive_quarantined' => 1);

$stranger = $node->tcp;
PT621::put($stranger, join('', @made_up[ 0 .. 24 ]));
PT621::put($known, records('1603', 1, 50));
$node->send_udp(@made_up[ 25 .. 49 ]);
is_bounded(101, 51, 'error IS NOT NULL', 'a flood of ids in quarantine');
close($_) foreach $known, $stranger;

foreach my $case ([ 'quarantine', "encode(bytes, 'escape') LIKE 'noise%'" ], [ 'reject', 'error IS NOT NULL' ])
{
	my ($unknown, $which) = @$case;

	$known = begin_with_one('pt621.unknown_devices' => $unknown, 'pt621.archive_quarantined' => undef);
	$stranger = $node->tcp;
	# The connection has named a tracker before the rest is read.
	$node->put_apart($stranger, $made_up[0]);
	$node->becomes(counter('units'), 2, "$unknown: an id that is made up");
	PT621::put($stranger, join('', map { noise(1) . $_ } @made_up[ 1 .. 49 ]));
	PT621::put($known, records('1603', 1, 50));
	is_bounded(150, 51, $which, '... and more of them, with rubbish between them');
	is(number('SELECT count(*) FROM pt621.device'), 1, '... and no tracker is made of any');
	close($_) foreach $known, $stranger;
}

my @pieces = map { sprintf("\$PHD%d,40,%s\r\n", 40 * $_, 'x' x 40) } 0 .. 49;

$known = begin_with_one('pt621.unknown_devices' => 'quarantine', 'pt621.archive_quarantined' => 1);
close($known);
$known = $node->udp;
$stranger = $node->udp;
$liar = $node->udp;
PT621::put($known, record(ident => '1603', time => time_of(1)));
PT621::put($liar, $made_up[0]);
$node->becomes(counter('units'), 3, 'by datagrams, a tracker, one that is not registered and one without a name');
$node->put_apart($_, join('', @pieces[ 0 .. 24 ]), join('', @pieces[ 25 .. 49 ])) foreach $known, $stranger, $liar;
is_bounded(153, 52, 'ident IS NULL', '... send pieces of photos');
cmp_ok(number("SELECT coalesce(sum(length(bytes)), 0) FROM pt621.frame WHERE ident <> '1603'"), '<=', 2048, '... of the one that is not registered no more, either');
close($_) foreach $known, $stranger, $liar;
begin('pt621.unknown_devices' => undef, 'pt621.archive_quarantined' => undef, 'pt621.archive_strangers' => 0);

# ---------------------------------------------------------------------------
# pt621.max_connections_per_address
# ---------------------------------------------------------------------------

begin('pt621.archive_strangers' => 1048576, 'pt621.max_connections_per_address' => 2);

my @ours = map { tracker("161$_") } 1 .. 2;
my $third = $node->tcp;

ok(PT621::closed_by_server($third), 'two connections from an address: a third is closed');
$node->becomes(counter('closed_by_reason', 'address'), 1, '... and counted');
my $neighbour = tracker('1613', from => '127.0.0.2');

pass('... another address has connections of its own');
still_reports($ours[$_], '161' . ($_ + 1), '... and those that are there stay') foreach 0 .. 1;
is(number(counter('connections_opened')), 3, '... three were opened');
$node->send_udp(record(ident => '1614'));
$node->becomes("SELECT count(*) FROM pt621.device WHERE ident = '1614'", 1, '... datagrams are not counted there');
close($ours[0]);
$node->wait_until("SELECT count(*) = 2 FROM pt621_stat_connection() WHERE transport = 'tcp'");
my $fourth = tracker('1615');

pass('one is closed: there is room for another');
close($_) foreach @ours, $neighbour, $fourth, $third;

# ---------------------------------------------------------------------------
# pt621.max_bytes_without_record
# ---------------------------------------------------------------------------

begin('pt621.max_connections_per_address' => undef, 'pt621.max_bytes_without_record' => 4);

my $quiet = tracker('1620');
my %nonsense = (
	'lines of text' => noise(64),
	'bytes of any kind' => "\x01\x02\x03\x81" x 1024,
	'lines that begin like records' => '$POS,1621,A,' . 'x' x 18 . "\r\n",
	'records with an impossible id' => record(ident => "162\x021"),
	'deltas without a base' => "@\x55\x02\x00\x05abcde\r\n");

foreach my $what (sort keys %nonsense)
{
	my $bytes = $nonsense{$what};
	my $socket = $node->tcp;

	$bytes = substr($bytes x (4096 / length($bytes) + 1), 0, 4096);
	$node->safe_psql('postgres', 'SELECT pt621_stat_reset()');
	$node->put_apart($socket, $bytes);
	$node->settle;
	is(number($OPEN), 2, "4 kB of $what are borne");
	PT621::put($socket, $bytes);
	ok(PT621::closed_by_server($socket), '... more are not');
	$node->becomes(counter('closed_by_reason', 'no_record'), 1, '... that is counted');
	$node->becomes("SELECT substr(string, 1, 8192) = '" . unpack('H*', $bytes) . "' FROM (" . sent_by_peer($socket) . ') f (string)',
		't', '... and what was borne is archived');
	close($socket);
}
foreach my $hundred (0 .. 9)
{
	PT621::put($quiet, join '', map { record(ident => '1620', time => time_of($hundred * 100 + $_)) . noise(1) } 1 .. 100);
}
$node->becomes(counter('units') =~ s/sum\(units\)/sum(units) >= 2000/r, 't', 'a tracker that sends 64 kB of noise between its records');
still_reports($quiet, '1620', '... is not closed');
PT621::put($quiet, noise(80));
ok(PT621::closed_by_server($quiet), '... unless it sends nothing else any more');
$node->send_udp(noise(10)) foreach 1 .. 12;
$node->becomes("SELECT count(*) FROM pt621.frame WHERE transport = 'udp'", 120, 'datagrams have nobody to be closed');
close($quiet);
begin('pt621.max_bytes_without_record' => 0);
$stranger = $node->tcp;
$node->put_apart($stranger, noise(2000));
$node->settle;
is(number($OPEN), 1, 'at 0 everything is borne');
close($stranger);

# ---------------------------------------------------------------------------
# pt621.idle_timeout
# ---------------------------------------------------------------------------

begin('pt621.max_bytes_without_record' => undef, 'pt621.idle_timeout' => 2);

my $busy = $node->tcp;
my $second = 0;

$quiet = $node->tcp;
$node->send_udp(record(ident => '1631'));
$node->becomes("SELECT count(*) FROM pt621_stat_connection() WHERE transport = 'udp' AND ident = '1631'", 1, 'a path of datagrams is remembered');
PT621::put($quiet, record(ident => '1630'));
ok( PT621::until_true(
		sub {
			PT621::put($busy, record(ident => '1632', time => time_of(++$second)));
			return PT621::closed_by_server($quiet, 0);
		}),
	'a connection that is silent is closed');
$node->becomes(counter('closed_by_reason', 'idle'), 1, '... and counted');
still_reports($busy, '1632', '... one that speaks is not');
is(number("SELECT count(*) FROM pt621.position"), $second + 3, '... and nothing of either is lost');
ok( PT621::until_true(
		sub {
			PT621::put($busy, record(ident => '1632', time => time_of(++$second)));
			return number("SELECT count(*) FROM pt621_stat_connection() WHERE transport = 'udp'") == 0;
		}),
	'a path that is silent is forgotten');
close($_) foreach $quiet, $busy;

begin('pt621.idle_timeout' => 1);
$quiet = $node->tcp;
$node->put_apart($quiet, '$POS,1634,120000.000,A,48');
my $received = number('SELECT clock_timestamp()');
ok(PT621::closed_by_server($quiet), 'a connection is silent in the middle of a line, and is closed');
$node->becomes(q{SELECT count(*), bool_and(received_at <= '} . $received . q{') FROM pt621.frame}, '1|t',
	'... and what came of the line is archived, with the time at which it came');
close($quiet);

# What cannot be stored is not read, and who is not read is not silent.
begin('pt621.idle_timeout' => 1, 'pt621.batch_size' => 1, 'pt621.statement_timeout' => 200);
my $locker = $node->background_psql('postgres');

$busy = $node->tcp;
PT621::put($busy, records('1633', 0, 0));
$node->becomes($POSITIONS, 1, 'a tracker reports');
$locker->query_safe('BEGIN; LOCK TABLE pt621.frame');
PT621::put($busy, record(ident => '1633', time => time_of(1)) . record(ident => '1633', time => time_of(2)) . record(ident => '1633', time => time_of(3)));
my $locked = number('SELECT clock_timestamp()');

PT621::until_true(
	sub {
		PT621::put($busy, record(ident => '1633', time => time_of(4)));
		return number("SELECT clock_timestamp() > '$locked'::timestamptz + interval '3 s'") eq 't';
	});
$locker->query_safe('COMMIT');
$locker->quit;
$node->becomes($POSITIONS, 5, '... and what it sent while nothing could be stored is stored then');
is(number(counter('closed_by_reason', 'idle')), 0, '... and it was not taken for silent');
close($busy);

# ---------------------------------------------------------------------------
# pt621.max_record_rate
# ---------------------------------------------------------------------------

begin('pt621.idle_timeout' => undef, 'pt621.batch_size' => undef, 'pt621.statement_timeout' => undef,
	'pt621.max_record_rate' => 20);
$busy = $node->tcp;
PT621::put($busy, records('1640', 1, 240));
$node->becomes(counter('units'), 240, 'a tracker sends 240 records at once, of 200 that it may');
PT621::put($busy, records('1640', 241, 241));
my $other = $node->tcp;

PT621::put($other, records('1641', 1, 1));
$node->becomes($POSITIONS, 242, '... all its records are stored in the end');
cmp_ok(number(counter('throttled')), '>', 0, '... it had to wait');
is( number(q{SELECT max(p.received_at) - min(p.received_at) >= interval '2 s' FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '1640'}),
	't', '... as long as 40 records take');
is( number(q{SELECT min(received_at) FILTER (WHERE ident = '1641') < max(received_at) FILTER (WHERE ident = '1640') FROM pt621.frame}),
	't', '... and others did not');
is(number(counter('rejected')), 0, '... nothing was refused');
close($_) foreach $busy, $other;

begin();
my $path = $node->udp;

PT621::put($path, records('1642', $_ * 10, $_ * 10 + 9)) foreach 0 .. 23;
$node->becomes(counter('units'), 240, 'datagrams with 240 records at once');
$node->put_apart($path, records('1642', 1000, 1000));
$node->send_udp(records('1643', 1, 1));
$node->becomes("SELECT error FROM pt621.frame WHERE encode(bytes, 'escape') LIKE '%,001640.000,%'",
	'more records in a second than pt621.max_record_rate', '... the next one is archived with the reason');
$node->becomes(counter('rejected_by_reason', 'rate'), 1, '... and counted');
$node->becomes($POSITIONS, 241, '... and is no position, but that of another is');
$second = 2000;
ok( PT621::until_true(
		sub {
			$second++;
			PT621::put($path, records('1642', $second, $second));
			return number($POSITIONS) > 241;
		}),
	'... after a while it may report again');
close($path);

# Who has to wait cannot end a unit by its silence.
begin('pt621.max_record_rate' => 1);
my $base = record(ident => '1645', time => time_of(12));
my $whole = record(ident => '1645', time => time_of(13), lat => '4808.1234', odometer => 2000);
my $delta = PT621::delta($base, $whole);
# The check byte, and a patch of as many bytes as it says.
my $first_patch = 2 + 3 + unpack('x4C', $delta);

$busy = $node->tcp;
PT621::put($busy, records('1645', 1, 11) . $base . substr($delta, 0, $first_patch));
$node->becomes(counter('throttled'), 1, 'a tracker has to wait in the middle of a delta');
PT621::put($busy, substr($delta, $first_patch) . records('1645', 14, 14));
$node->becomes($POSITIONS, 14, '... and when it is read again');
is(number('SELECT count(*), count(error) FROM pt621.frame WHERE record = ' . bytea($whole) . ' AND bytes = ' . bytea($delta)), '1|0',
	'... the delta is one unit');
is(number('SELECT abs(ST_Y(geom) - 48 - 8.1234 / 60) < 1e-9 FROM pt621.position WHERE odometer_m = 2000'), 't',
	'... and the position is right');
close($busy);

# Anybody can send datagrams in the name of a tracker.
begin();
$busy = tracker('1646');
$path = $node->udp;
$node->put_apart($path, records('1646', 1, 30));
$node->becomes(counter('units'), 31, 'datagrams bring more records of a tracker than it may send');
PT621::put($path, $_) foreach records('1646', 31, 31), records('1647', 31, 31);
$node->becomes(counter('units'), 33, '... and another one, and one of another tracker');
is(number("SELECT string_agg(ident, ',') FROM pt621.frame WHERE error = 'more records in a second than pt621.max_record_rate'"), '1646',
	'... and only the tracker of which there are too many is refused');
PT621::put($busy, records('1646', 101, 105));
$node->becomes("SELECT count(*), count(error) FROM pt621.frame WHERE transport = 'tcp'", '6|0', '... the connection of the tracker is heard');
is(number(counter('throttled')), 0, '... without waiting');
close($_) foreach $busy, $path;
begin('pt621.max_record_rate' => 0);
$node->send_tcp(records('1644', 0, 999));
$node->becomes($POSITIONS, 1000, 'at 0 there is no bound');
is(number(counter('throttled')), 0, '... and nobody waits');

# ---------------------------------------------------------------------------
# pt621.max_pending_memory
# ---------------------------------------------------------------------------

begin('pt621.max_pending_memory' => 64);

my $half = "\xBF\xFB\x00" . pack('v', 8192) . 'x' x 6995;
my @halves = map { $node->tcp } 0 .. 9;

$node->put_apart($halves[$_], $half) foreach 0 .. 8;
$node->settle;
is(number($OPEN), 9 + 1, 'nine frames of which a half is there');
PT621::put($halves[9], $half);
ok(PT621::closed_by_server($halves[9]), '... a tenth is too much');
$node->becomes(counter('closed_by_reason', 'memory'), 1, '... and counted');
$node->becomes(sent_by_peer($halves[9]), unpack('H*', $half), '... what came of it is archived');
$other = tracker('1650');
still_reports($other, '1650', '... who sends whole units is not concerned');
is(number($OPEN), 10, '... nor are those that were there before');
close($_) foreach @halves, $other;
$node->becomes("SELECT sum(length(bytes)) FROM pt621.frame WHERE ident IS NULL", 70000, '... and all they sent is archived when they go');

# ---------------------------------------------------------------------------
# pt621.max_line_length, pt621.max_photo_size
# ---------------------------------------------------------------------------

begin('pt621.max_pending_memory' => undef);
$other = $node->tcp;
PT621::put($other, record(ident => '1660', driver => 'x' x 40));
$node->becomes($POSITIONS, 1, 'a long record');
$node->configure('pt621.max_line_length' => length(record(ident => '1660')));
$node->settle;
$node->put_apart($other, record(ident => '1660', time => time_of(1), driver => 'x' x 40));
$node->becomes(counter('rejected_by_reason', 'line_too_long'), 1, '... is too long for another bound, also by the same connection');
PT621::put($other, record(ident => '1660', time => time_of(2)));
$node->send_udp(record(ident => '1660', time => time_of(3)), record(ident => '1660', time => time_of(4), driver => 'y'));
$node->becomes($POSITIONS, 3, '... others are stored');
$node->becomes(counter('rejected_by_reason', 'line_too_long'), 2, '... also by datagrams');
is(number(sent_by_peer($other, "encode(bytes, 'escape')")),
	join('', map { record(ident => '1660', @$_) }
		  [ driver => 'x' x 40 ], [ time => time_of(1), driver => 'x' x 40 ], [ time => time_of(2) ])
	  =~ s/\r/\r/gr, '... and all of it is archived');
close($other);

begin('pt621.max_line_length' => undef, 'pt621.max_photo_size' => 1);
$other = tracker('1661');
PT621::put($other, '$PHD0,960,' . 'x' x 960 . "\r\n" . '$PHD960,65,' . 'y' x 65 . "\r\n" . '$PHD0,1025,' . 'z' x 1025 . "\r\n");
$node->becomes("SELECT string_agg(coalesce(error, 'none'), ', ' ORDER BY seq) FROM pt621.frame WHERE encode(bytes, 'escape') LIKE '\$PHD%'",
	'none, none, a piece of a photo larger than pt621.max_photo_size', 'a piece of a photo that has more than 1 kB');
$node->becomes(counter('rejected_by_reason', 'photo_size'), 1, '... is counted');
close($other);

# ---------------------------------------------------------------------------
# What is not ours
# ---------------------------------------------------------------------------

my %foreign = (
	HTTP => "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
	TLS => "\x16\x03\x01\x00\xF0\x01\x00\x00\xEC\x03\x03" . 'r' x 32,
	SSH => "SSH-2.0-OpenSSH_9.2p1\r\n",
	SMTP => "EHLO example.org\r\n",
	GT06 => pack('H*', '78780d010358735070158746' . '00018cdd0d0a'));
my $frames = "SELECT string_agg(encode(bytes, 'hex') || ' ' || error, '' ORDER BY seq) FROM pt621.frame";

foreach my $name (sort keys %foreign)
{
	my $bytes = $foreign{$name};

	begin('pt621.max_photo_size' => undef, 'pt621.unit_timeout' => 1);
	my $socket = $node->tcp;

	PT621::put($socket, $bytes);
	ok(PT621::closed_by_server($socket), "$name is closed");
	$node->becomes(counter('foreign_by_protocol', $name), 1, '... and counted');
	is(number($frames), unpack('H*', $bytes) . " another protocol: $name", '... and archived with its name');
	is(number(counter('closed_by_reason', 'foreign')), 1, '... and so is the reason');
	is(number(counter('rejected_by_reason', 'foreign')), 1, '... of both');
	close($socket);
	$socket = $node->tcp;
	$node->put_apart($socket, substr($bytes, 0, 3));
	$node->settle;
	PT621::put($socket, substr($bytes, 3));
	ok(PT621::closed_by_server($socket), '... also in two pieces, with a silence between');
	$node->becomes(counter('foreign_by_protocol', $name), 2, '... and counted');
	close($socket);
	$node->send_udp($bytes);
	$node->becomes(counter('foreign_by_protocol', $name), 3, '... and by a datagram');
	is(number("SELECT count(*), min(error) = max(error) FROM pt621.frame WHERE bytes = " . bytea($bytes)), '3|t',
		'... each with all its bytes');
	is(number('SELECT count(*) FROM pt621.device'), 0, '... and no tracker is made of it');
}
begin('pt621.unit_timeout' => undef);
$other = $node->tcp;
PT621::put($other, $foreign{HTTP} . 'x' x 20000);
ok(PT621::closed_by_server($other), 'a long request');
$node->becomes('SELECT count(*), max(length(bytes)) FROM pt621.frame', '1|1024', '... is archived by its first bytes');
close($other);

# What trackers begin with, byte by byte.
begin();
my %ours = ('a record' => record(ident => '1671'), 'a frame' => framed(record(ident => '1672')),
	'a line end' => "\r\n" . record(ident => '1673'), 'a status' => '$FUS865328026243864,510-V1.12,A11-V3.0' . "\r\n" . record(ident => '1674'),
	'a text that is not known' => "AT+CIPSEND\r\n" . record(ident => '1675'));

foreach my $what (sort keys %ours)
{
	my $socket = $node->tcp;

	$node->put_apart($socket, split(//, substr($ours{$what}, 0, 6)), substr($ours{$what}, 6));
	$node->becomes(sent_by_peer($socket), unpack('H*', $ours{$what}), "$what byte by byte is ours");
	close($socket);
}
$node->becomes($POSITIONS, 5, '... and all were stored');
is(number(counter('closed_by_reason', 'foreign')), 0, '... and nobody was closed');
# Who has named its tracker may say what it likes.
$path = $node->udp;
PT621::put($path, record(ident => '1676'));
$node->becomes("SELECT count(*) FROM pt621_stat_connection() WHERE ident = '1676'", 1, 'a tracker by datagrams');
PT621::put($path, $foreign{SMTP});
$node->becomes("SELECT ident FROM pt621.frame WHERE bytes = " . bytea($foreign{SMTP}), 1676, '... whose later texts are its own');
is(number(counter('foreign_by_protocol', 'SMTP')), 0, '... and not another protocol');

# ---------------------------------------------------------------------------
# pt621.max_connections
# ---------------------------------------------------------------------------

$node->wait_until(counter('connections') =~ s/\QSELECT sum(connections)\E/SELECT sum(connections) = 0/r);
$node->restart_with('pt621.max_connections' => 4);
$node->forget;
my $first = tracker('1681');
my @unbound;

foreach my $i (0 .. 1)
{
	$unbound[$i] = $node->tcp;
	$node->wait_until(counter('connections') =~ s/sum\(connections\)/sum(connections) = $i + 2/r);
}
my $last = tracker('1682');

PT621::put($unbound[0], noise(1));
$node->becomes("SELECT count(*) FROM pt621.frame WHERE encode(bytes, 'escape') LIKE 'noise%'", 1, 'as many connections as there may be');
my $newer = tracker('1683');

ok(PT621::closed_by_server($unbound[1]), '... for one more the one gives way that has been silent for longest, of those without a tracker');
$node->becomes(counter('closed_by_reason', 'gave_way'), 1, '... and is counted');
PT621::put($unbound[0], record(ident => '1684'));
$node->becomes('SELECT count(*) FROM pt621_stat_connection() WHERE ident IS NOT NULL AND units > 0', 4, '... all have named their trackers');
my $refused = $node->tcp;

ok(PT621::closed_by_server($refused), '... then the next one is refused');
$node->becomes(counter('closed_by_reason', 'refused'), 1, '... and counted');
still_reports($first, '1681', '... the trackers');
still_reports($last, '1682', '... are not');
still_reports($newer, '1683', '... hurt');
close($first);
$node->wait_until("SELECT count(*) = 3 FROM pt621_stat_connection() WHERE transport = 'tcp'");
$first = tracker('1685');
pass('one goes: there is room for another');

$node->send_udp(record(ident => 1690 + $_)) foreach 0 .. 9;
$node->becomes("SELECT count(*) FROM pt621.device WHERE ident LIKE '169_'", 10, 'datagrams of more paths than are remembered are stored');
is(number("SELECT count(*) <= 4 FROM pt621_stat_connection() WHERE transport = 'udp'"), 't', '... and no more are');
my $kept = $node->udp;

PT621::put($kept, record(ident => '1689'));
$node->wait_until(q{SELECT count(*) = 1 FROM pt621_stat_connection() WHERE ident = '1689' AND units > 0});
my $seen = number(counter('units'));

$node->send_udp('x') foreach 1 .. 8;
$node->becomes(counter('units'), $seen + 8, 'senders that may be made up');
is(number(q{SELECT count(*) FROM pt621_stat_connection() WHERE ident = '1689'}), 1, '... drive out no path by which a tracker has reported');
close($kept);
close($_) foreach $first, $last, $newer, $refused, @unbound;

begin('pt621.max_connections_per_address' => 2);
my @inmates = (tracker('1695'), tracker('1696'), map { $node->tcp(from => '127.0.0.2') } 1 .. 2);
$node->becomes($OPEN, 4, 'as many connections as there may be, and as many as each address may have');
$refused = $node->tcp;
ok(PT621::closed_by_server($refused), '... one more is refused');
$node->becomes(counter('closed_by_reason', 'address'), 1, '... for its address');
is(number($OPEN), 4, '... and nobody gives way to it');
is(number(counter('closed_by_reason', 'gave_way')), 0, '... really nobody');
close($_) foreach $refused, @inmates;
$node->safe_psql('postgres', 'ALTER SYSTEM RESET pt621.max_connections_per_address');

# Over two workers it is the sum.
$node->wait_until(counter('connections') =~ s/\QSELECT sum(connections)\E/SELECT sum(connections) = 0/r);
$node->safe_psql('postgres', 'ALTER SYSTEM SET pt621.workers = 2');
$node->restart;
$node->wait_until("SELECT count(*) = 2 AND min(port) = max(port) FROM pt621_stat_worker() WHERE worker = 'listener' AND state = 'open'");
$node->{trackers_port} = number("SELECT min(port) FROM pt621_stat_worker() WHERE worker = 'listener'");
$node->forget;
my %tracker = map { $_ => tracker("170$_") } 1 .. 4;

foreach my $try (1 .. 6)
{
	$refused = $node->tcp;
	ok(PT621::closed_by_server($refused), 'two workers: beyond the sum of their connections each refuses');
	close($refused);
}
$node->becomes(counter('closed_by_reason', 'refused'), 6, '... and counts');
still_reports($tracker{$_}, "170$_", '... and the trackers are not hurt') foreach 1 .. 4;
close($tracker{1});
$node->wait_until("SELECT count(*) = 3 FROM pt621_stat_connection() WHERE transport = 'tcp'");
$tracker{5} = tracker('1705');
pass('... until one goes');

$node->stop;
done_testing();
