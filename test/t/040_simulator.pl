# pt621-sim and pt621-replay: what the truth file says was sent is exactly what
# pt621.position holds, whatever happened to it on its way; the same seed gives
# the same truth; an archive that is played again gives the same positions; and
# neither program hangs on a port that is closed or does not read.
use strict;
use warnings;

use IO::Socket::IP;
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = PT621->listening('main');

# Runs one of the programs; returns its status and what it said.
sub program
{
	my ($name, @arguments) = @_;
	my ($out, $error);
	my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);

	IPC::Run::run([ $name, @arguments ], '<', \undef, '>', \$out, '2>', \$error, $timer);
	return ($? >> 8, $error, $out);
}

# Lets a fleet report to the node; the truth goes to that file.
sub fleet
{
	my ($truth, @options) = @_;
	my ($status, $error) = program('pt621-sim', '--port', $node->{trackers_port}, '--truth', $truth, @options);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "a fleet reports: @options") or diag($error);
	return;
}

$node->safe_psql('postgres', q{
	CREATE TABLE truth (
		ident text, sequence integer, time timestamptz, code text, lon float8, lat float8,
		speed_knots float8, course float8, odometer bigint, valid boolean, stored boolean,
		how text, transport text, connection integer, lost boolean, duplicate boolean,
		made_at timestamptz, record bytea, line integer GENERATED ALWAYS AS IDENTITY);

	-- One row for each position there should be: what was sent again is not
	-- another one, and what came first is kept.
	CREATE VIEW expected AS
	SELECT DISTINCT ON (ident, text)
		   ident, time AS fix_time, code, hashtextextended(text, 0) AS digest,
		   lon, lat, (speed_knots * 1.852)::real AS speed_kmh, course::real, odometer, valid, stored
	  FROM (SELECT *, regexp_replace(convert_from(record, 'UTF8'), '#?[\r\n]+$', '') AS text
			  FROM truth WHERE NOT lost AND code <> 'PHD') t
	 ORDER BY ident, text, line;

	CREATE VIEW stored AS
	SELECT d.ident, p.fix_time, p.code, p.digest, ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat,
		   p.speed_kmh, p.course, p.odometer_m AS odometer, p.valid, p.stored
	  FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id});

my $DIFFERENCE = q{
	SELECT (SELECT count(*) FROM (TABLE expected EXCEPT TABLE stored) missing),
		   (SELECT count(*) FROM (TABLE stored EXCEPT TABLE expected) more),
		   (SELECT count(*) FROM pt621.position) - (SELECT count(*) FROM expected)};

sub load_truth
{
	my ($file) = @_;

	$node->safe_psql('postgres', "TRUNCATE truth;
		COPY truth (ident, sequence, time, code, lon, lat, speed_knots, course, odometer, valid, stored,
			how, transport, connection, lost, duplicate, made_at, record) FROM '$file' CSV HEADER");
	return;
}

# Compares the positions with a truth file.
sub truth_holds
{
	my ($file, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	load_truth($file);
	$node->becomes($DIFFERENCE, '0|0|0', $name);
	return;
}

sub positions
{
	return $node->safe_psql('postgres',
		q{SELECT count(*), md5(string_agg(s::text, '|' ORDER BY ident, fix_time, code, digest)) FROM stored s});
}

sub counted
{
	my ($condition) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM truth WHERE $condition");
}

# ---------------------------------------------------------------------------
# All that can happen to a record, over TCP
# ---------------------------------------------------------------------------

my @all = (
	'--trackers' => 30, '--first-id' => '0000995', '--records' => 150, '--start' => '2024-03-15T12:00:00Z',
	'--frame' => 0.3, '--delta' => 0.6, '--stored' => 0.2, '--alarms' => '10%', '--no-fix' => 0.05,
	'--photos' => 0.01, '--loss' => 0.05, '--duplicate' => 0.05, '--delay' => 0.03, '--reorder' => 0.08,
	'--reconnect' => 0.02, '--fast');

fleet("$dir/all", @all);
truth_holds("$dir/all", 'the truth is what the positions are');
my $positions = positions();

cmp_ok(counted($_->[1]), '>', 20, "... $_->[0] among them")
  foreach (
	[ 'frames', "how LIKE '%frame%'" ],
	[ 'deltas', "how LIKE '%delta%'" ],
	[ 'deltas that came before their base', "how LIKE 'early%'" ],
	[ 'uploads from memory', 'stored AND NOT duplicate' ],
	[ 'alarms', "code NOT IN ('POS', 'PHO', 'PHD')" ],
	[ 'records without a fix', 'NOT valid' ],
	[ 'pieces of photos', "code = 'PHD'" ],
	[ 'records lost', 'lost' ],
	[ 'records sent twice', 'duplicate' ],
	[ 'reconnects', 'connection > 1' ]);
cmp_ok(counted(q{sequence < (SELECT max(o.sequence) FROM truth o WHERE o.ident = truth.ident AND o.line < truth.line)
		AND NOT stored AND NOT duplicate AND NOT lost AND code <> 'PHD'}), '>', 20,
	'... live records out of order among them');
is($node->safe_psql('postgres', q{SELECT min(ident), max(ident) FROM pt621.device}), '0000995|0001024',
	'ids keep their leading zeros and count on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'), 0,
	'no unit is in error: every delta has found its base');
is( $node->safe_psql('postgres', q{
		SELECT count(*), sum(octet_length(f.record)) FROM truth f WHERE code = 'PHD'}),
	$node->safe_psql('postgres', q{
		SELECT count(*), sum(octet_length(bytes)) - 5 * count(*) FROM pt621.frame
		 WHERE substr(bytes, 6, 4) = '$PHD' AND device_id IS NOT NULL}),
	'pieces of photos are archived, each with its tracker');

# ---------------------------------------------------------------------------
# The same seed
# ---------------------------------------------------------------------------

# The archive of this run is played below.
$node->safe_psql('postgres', "COPY (SELECT received_at, conn, transport, bytes FROM pt621.frame
	ORDER BY received_at, seq) TO '$dir/archive' CSV HEADER");

$node->forget;
fleet("$dir/again", @all, '--per-write' => 7);
is(slurp_file("$dir/again"), slurp_file("$dir/all"), 'the same seed gives the same truth, whatever the pace');
truth_holds("$dir/again", '... which holds again');
is(positions(), $positions, '... and the same positions');

fleet("$dir/other", @all, '--seed' => 2);
isnt(slurp_file("$dir/other"), slurp_file("$dir/all"), 'another seed gives another truth');

# ---------------------------------------------------------------------------
# Replay
# ---------------------------------------------------------------------------

sub replay
{
	my (@arguments) = @_;
	my ($status, $error) = program('pt621-replay', '--port', $node->{trackers_port}, @arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, "replay: @arguments") or diag($error);
	return;
}

load_truth("$dir/all");
$node->forget;
replay('--fast', "$dir/archive");
$node->becomes($DIFFERENCE, '0|0|0', 'an archive that is played again gives the same positions');
is(positions(), $positions, '... to the digit');

# A log of hexadecimal digits, at the times at which it was recorded.
$node->safe_psql('postgres', "COPY (SELECT to_char(received_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.USTZH'), conn, encode(bytes, 'hex')
	FROM pt621.frame ORDER BY received_at, seq) TO '$dir/log' (DELIMITER ' ')");
$node->forget;
replay('--speedup' => 100, "$dir/log");
$node->becomes($DIFFERENCE, '0|0|0', '... and so does a log of hexadecimal digits, by its times');

# Three conversations of the forum's tracker in the captured frames.
$node->forget;
append_to_file("$dir/forum", join('', map { "0 forum " . unpack('H*', $_) . "\n" } chain(1, 8)));
replay('--fast', "$dir/forum");
$node->becomes(q{SELECT count(DISTINCT conn), sum(octet_length(bytes)) FROM pt621.frame}, '1|' . length(join '', chain(1, 8)),
	'what one connection sent goes by one connection, byte by byte');

# ---------------------------------------------------------------------------
# UDP, paced
# ---------------------------------------------------------------------------

my @udp = ('--udp' => 1, '--trackers' => 20, '--records' => 40, '--rate' => 500,
	'--frame' => 0.3, '--delta' => 0.5, '--stored' => 0.3, '--duplicate' => 0.05, '--reorder' => 0.05, '--reconnect' => 0.02);

$node->forget;
fleet("$dir/udp", @udp);
truth_holds("$dir/udp", 'the truth is what the positions are, over UDP');
is($node->safe_psql('postgres', 'SELECT DISTINCT transport FROM pt621.frame'), 'udp', '... which it was');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'), 0, '... and no unit is in error');
$positions = positions();

$node->safe_psql('postgres', "COPY (SELECT received_at, conn, transport, bytes FROM pt621.frame
	ORDER BY received_at, seq) TO '$dir/udp_archive' CSV");
$node->forget;
replay('--rate' => 500, "$dir/udp_archive");
$node->becomes($DIFFERENCE, '0|0|0', 'an archive of datagrams, too, gives the same positions');
is($node->safe_psql('postgres', 'SELECT DISTINCT transport FROM pt621.frame'), 'udp', '... as datagrams');

# Both transports in one fleet.
$node->forget;
fleet("$dir/both", '--udp' => '50%', '--trackers' => 20, '--records' => 20, '--rate' => 500, '--delta' => 0.5);
truth_holds("$dir/both", 'a fleet of both transports');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT transport, ' ') FROM pt621.frame}), 'tcp udp', '... uses both');

# ---------------------------------------------------------------------------
# Time
# ---------------------------------------------------------------------------

# 1,024 weeks early: the store puts that right, to when the record was made.
$node->forget;
fleet("$dir/clock", '--trackers' => 5, '--records' => 10, '--clock-error' => 1, '--fast');
load_truth("$dir/clock");
$node->becomes(q{
	SELECT count(*), count(*) FILTER (WHERE p.fix_time = t.made_at AND 'week_rollover' = ANY (pt621_quality(p.quality)))
	  FROM truth t JOIN pt621.device d USING (ident)
	  JOIN pt621.position p ON p.device_id = d.id AND p.digest = hashtextextended(regexp_replace(convert_from(t.record, 'UTF8'), '[\r\n]+$', ''), 0)},
	'50|50', 'clocks that are wrong by 1,024 weeks');

# Without --start records end now: none is of the future, none is old.
is($node->safe_psql('postgres', q{SELECT bool_and(made_at BETWEEN now() - interval '10 minutes' AND now() + interval '10 seconds') FROM truth}),
	't', 'what is sent faster than it was made ends now');

my $began = time();
fleet("$dir/real", '--trackers' => 3, '--records' => 5, '--interval' => 2, '--speedup' => 10);
cmp_ok(time() - $began, '>', 0.8, 'the pace is that of the trackers, ten times as fast');

# A line of one's own.
$node->forget;
append_to_file("$dir/line.wkt", "# to and fro\nLINESTRING (-103.4 20.6, -103.4 20.7)\n");
fleet("$dir/along", '--trackers' => 4, '--records' => 50, '--lines' => "$dir/line.wkt", '--interval' => 60, '--fast');
truth_holds("$dir/along", 'a fleet on a line of ours');
is( $node->safe_psql('postgres', q{
		SELECT bool_and(lon = -103.4 AND lat BETWEEN 20.6 AND 20.7), bool_and(course IN (0, 180)), count(DISTINCT course) FROM stored}),
	't|t|2', '... drives on it, to and fro');

# ---------------------------------------------------------------------------
# A server that stops, ports that are closed or do not read
# ---------------------------------------------------------------------------

$node->forget;
$node->keep_port;
my $sim = IPC::Run::start(
	[ 'pt621-sim', '--port', $node->{trackers_port}, '--trackers', 10, '--records', 200, '--rate', 400, '--truth', "$dir/restart" ],
	'2>', \my $said, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
$node->wait_until('SELECT count(*) > 200 FROM pt621.position');
$node->restart;
$sim->finish;
is($sim->result(0), 0, 'a fleet goes on when the server has been restarted') or diag($said);
$node->wait_open;
load_truth("$dir/restart");
$node->becomes(q{
	SELECT (SELECT count(*) FROM (TABLE stored EXCEPT TABLE expected) more),
		   (SELECT count(*) FROM truth t JOIN stored s ON s.ident = t.ident AND s.fix_time = t.time WHERE t.sequence = 200)},
	'0|10', '... and its last records arrive');

# With room for many connections each is made at once, and takes what the
# system's buffers hold; with room for one the later ones are not even made.
my ($status, $error);
foreach my $room (100, 1)
{
	my $deaf = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => $room);

	($status, $error) = program('pt621-sim', '--port', $deaf->sockport, '--trackers', 1, '--records', 1e6, '--fast',
		'--stall', 0.3, '--give-up', $room == 1 ? 1.5 : 1000);
	is($status, 1, 'a port that does not read: given up, and said so');
}
like($error, qr/not everything was sent/, '... on stderr');

# So little that the system's buffers take it.
my $silent = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 5);
($status, $error) = program('pt621-sim', '--port', $silent->sockport, '--trackers', 1, '--records', 2, '--fast', '--stall', 0.3);
is($status, 1, 'what the other side has not read does not count as sent');
like($error, qr/not ended by the other side/, '... and that is said');
close($silent);

# A server that fetches the pieces of a photo.
my $server = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 5,
	Timeout => $PostgreSQL::Test::Utils::timeout_default);

$sim = IPC::Run::start(
	[ 'pt621-sim', '--port', $server->sockport, '--trackers', 1, '--records', 1, '--fast', '--photos', 1, '--photos-asked',
		'--hold', $PostgreSQL::Test::Utils::timeout_default ],
	'2>', \$said, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
my $camera = $server->accept;
my ($size) = scalar(<$camera>) =~ /^\$PHO(\d+)-1,1000001,/;
my $photo = '';

ok($size, 'a photo is announced');
while (length($photo) < $size)
{
	my $offset = length($photo);
	my $count = $size - $offset < 960 ? $size - $offset : 960;
	my $head = "\$PHD$offset,$count,";

	print $camera "#PHD$offset,960\r\n";
	last if read($camera, my $frame, 5 + length($head) + $count + 2) != 5 + length($head) + $count + 2;
	$photo .= substr($frame, 5 + length($head), $count);
	last if $frame ne framed($head . substr($photo, $offset) . "\r\n");
}
is(length($photo), $size, '... its pieces are sent when they are asked for');
like($photo, qr/^\xFF\xD8.*\xFF\xD9$/s, '... and make a JPEG');
$sim->signal('TERM');
# Until it ends the connection: one that breaks it would come back.
1 while defined(my $rest = <$camera>);
close($camera);
$sim->finish;
is($sim->result(0), 0, 'a fleet that has sent all may be stopped') or diag($said);

# Nobody listens on a port that was just ours.
my $closed = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 5);
my $port = $closed->sockport;
close($closed);
($status, $error) = program('pt621-sim', '--port', $port, '--trackers', 2, '--fast', '--give-up', 0.5);
is($status, 1, 'a port that is closed: given up');
like($error, qr/Connection refused/, '... with the reason');
($status, $error) = program('pt621-replay', '--port', $port, '--fast', '--give-up', 0.5, "$dir/forum");
is($status, 1, '... by the replayer, too');

foreach my $bad (
	[ 'pt621-sim', '--nonsense' ],
	[ 'pt621-sim', '--delta', '1.5' ],
	[ 'pt621-sim', '--delta' ],
	[ 'pt621-sim', '--fast', '--rate', 5 ],
	[ 'pt621-sim', '--first-id', 'abc' ],
	[ 'pt621-sim', '--start', 'yesterday' ],
	[ 'pt621-sim', '--start', '2024-02-30T00:00:00Z' ],
	[ 'pt621-sim', '--lines', "$dir/forum" ],
	[ 'pt621-sim', 'word' ],
	[ 'pt621-replay' ],
	[ 'pt621-replay', '--fast', "$dir/absent" ],
	[ 'pt621-replay', '--fast', "$dir/line.wkt" ],
	[ 'pt621-replay', '--speedup', 'x', "$dir/forum" ])
{
	my ($name, @arguments) = @$bad;

	($status, $error) = program($name, @arguments);
	is($status, 2, "wrong: @$bad");
	like($error, qr/^$name: ./, '... is said');
}

# ---------------------------------------------------------------------------
# doc/simulator.md
# ---------------------------------------------------------------------------

my $manual = slurp_file(($ENV{TESTDIR} || '.') . '/doc/simulator.md');
my %part = (
	'pt621-sim' => $manual =~ /^## pt621-sim$(.*)^## pt621-replay$/ms,
	'pt621-replay' => $manual =~ /^## pt621-replay$(.*)/ms);

foreach my $name (sort keys %part)
{
	my ($is, undef, $help) = program($name, '--help');
	my @offered = $help =~ /^  (--[a-z-]+)/mg;
	my @described = map { /^\| (`--.*?`) \|/ ? $1 =~ /`(--[a-z-]+)/g : () } split /\n/, $part{$name};

	# --tcp and --udp share a line of the help.
	push @offered, '--udp' if $name eq 'pt621-replay';
	is($is, 0, "$name --help is no error");
	is_deeply([ sort @described ], [ sort @offered ], '... and the manual describes the options that it lists');
}
my ($columns) = slurp_file("$dir/all") =~ /^(.*)$/m;
my ($table) = $manual =~ /^### The truth file\n(.*?)^In `pt621/ms;
is_deeply([ map { /^\| (`\w+`(?:, `\w+`)*) \|/ ? $1 =~ /`(\w+)`/g : () } split /\n/, $table ],
	[ split /,/, $columns ], 'the manual describes the columns of a truth file, in their order');

$node->stop;
done_testing();
