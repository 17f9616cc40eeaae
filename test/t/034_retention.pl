# Partitions whose time is over: the maintenance worker drops them by itself as
# soon as it is told to, and neither it nor who reads them holds up storing.
use strict;
use warnings;

use IPC::Run;
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PT621->listening('main');
my $OLD = q{SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class WHERE relname ~ '^old_' AND relkind = 'r'};
my $minute = 0;

# A record that was not sent before is stored; returns after how many seconds.
sub stores
{
	my ($name) = @_;
	my $time = sprintf('12%02d00.000', $minute++);
	my $began = time();

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->send_tcp(record(time => $time));
	$node->becomes("SELECT count(*) FROM pt621.position WHERE to_char(fix_time AT TIME ZONE 'UTC', 'HH24MISS.MS') = '$time'", 1, $name);
	return time() - $began;
}

# By ATTACH, which gets by those who read the table.
sub attach
{
	my ($parent, $year, $count) = @_;

	$node->safe_psql('postgres', join ';', map {
		"CREATE TABLE pt621.old_${parent}_$_ (LIKE pt621.$parent INCLUDING ALL EXCLUDING INDEXES);
		 ALTER TABLE pt621.$parent ATTACH PARTITION pt621.old_${parent}_$_ FOR VALUES FROM ('$_-01-01') TO ('$_-07-01')"
	} $year .. $year + $count - 1);
	return;
}

# ---------------------------------------------------------------------------
# The worker does it when it is told to
# ---------------------------------------------------------------------------

# It looks once a minute: a time beyond that would show that it was not told.
stores('a record before anything is dropped');
attach('frame', 1990, 3);
attach('position', 1990, 3);
is($node->safe_psql('postgres', $OLD), join(' ', map { my $table = $_; map { "old_${table}_$_" } 1990 .. 1992 } 'frame', 'position'),
	'old partitions are there');
$node->configure('pt621.retention_frames' => 5_256_000);
$node->becomes($OLD, 'old_position_1990 old_position_1991 old_position_1992', 'a retention of ten years for frames: all three are dropped', seconds => 30);
$node->configure('pt621.retention_positions' => 5_256_000);
$node->becomes($OLD, '', '... and of positions when that is set', seconds => 30);
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), 1, '... and nothing else');
stores('... and storing goes on');

# ---------------------------------------------------------------------------
# A report reads what is due
# ---------------------------------------------------------------------------

# It has begun before they are attached: the worker may be about to look.
my $report = $node->background_psql('postgres');
my $mark = -s $node->logfile;

$report->query_safe('BEGIN; LOCK TABLE ONLY pt621.frame, ONLY pt621.position IN ACCESS SHARE MODE');
attach('frame', 1990, 2);
attach('position', 1990, 2);
$report->query_safe('SELECT count(*) FROM pt621.position, pt621.frame');
$node->reload;
foreach my $table (qw(position frame))
{
	ok( PT621::until_true(sub { slurp_file($node->logfile, $mark) =~ /dropping partition pt621\.old_${table}_1990 of $table is put off: canceling statement due to lock timeout/ }),
		"a long report: dropping of $table is put off, and the log says so");
}

# Again and again, as fast as a worker never would: each try waits its 200 ms for
# each table, and who comes behind it no longer.  Were there no bound, nothing
# would be stored before the report ends.
my $tries = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', join(';', ('SELECT pt621_maintain()') x 20) ],
	'>', \my $answers, '2>', \my $errors);
my @took = map { stores("... while it is tried over and over, record $_ is stored") } 1 .. 5;

note("seconds until they were stored: @took");
$tries->finish;
is($answers, "0\n" x 20, '... nothing is dropped') or diag($errors);
is($node->safe_psql('postgres', $OLD), 'old_frame_1990 old_frame_1991 old_position_1990 old_position_1991', '... while the report runs');
is($report->query_safe('SELECT count(*) FROM pt621.position'), 7, '... which goes on reading');
$report->query_safe('COMMIT');
$report->quit;
$node->reload;
$node->becomes($OLD, '', 'when it has ended they are dropped', seconds => 30);
is($node->safe_psql('postgres', "SELECT count(*), count(error) FROM pt621.frame"), '7|0', '... and what was stored is there');

$node->stop;
done_testing();
