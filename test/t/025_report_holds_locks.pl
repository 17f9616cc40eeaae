# A long report holds its locks while a partition is due: nothing that is
# received waits for either, the default partition takes the rows, and when the
# report is over they are where they belong.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PT621->listening('main');
# The partitions of this month, as the server's clock has it, and rows in either default one.
my ($month, $date) = split /\|/, $node->safe_psql('postgres', q{
	SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'), to_char(now() AT TIME ZONE 'UTC', 'DDMMYY')});
my $PARTITIONS = "SELECT to_regclass('pt621.position_$month') IS NOT NULL, to_regclass('pt621.frame_$month') IS NOT NULL";
my $STRAYS = 'SELECT (SELECT count(*) FROM ONLY pt621.position_default), (SELECT count(*) FROM ONLY pt621.frame_default)';
my $ALL = 'SELECT (SELECT count(*) FROM pt621.position), (SELECT count(DISTINCT (device_id, fix_time, odometer_m)) FROM pt621.position),
	(SELECT count(*) FROM pt621.frame), (SELECT count(error) FROM pt621.frame)';
my $report = $node->background_psql('postgres');
my $records = 0;
my $tracker = $node->tcp;

# Sends a record, of a minute of today that may be to come, and returns how many
# seconds it takes to be seen.
sub latency
{
	my $began = time();

	PT621::put($tracker, record(date => $date, odometer => ++$records * 100));
	$node->wait_until("SELECT count(*) = $records FROM pt621.position");
	return time() - $began;
}

latency() foreach 1 .. 5;

# A partition is due, and before anybody can make it somebody reads them all.
# The maintenance worker looks once a minute, and may be here first.
PT621::until_true(
	sub {
		$node->safe_psql('postgres', "DROP TABLE IF EXISTS pt621.position_$month, pt621.frame_$month");
		$report->query_safe('BEGIN; SELECT count(*) FROM pt621.position, pt621.frame');
		return 1 if $node->safe_psql('postgres', $PARTITIONS) eq 'f|f';
		$report->query_safe('COMMIT');
		return 0;
	});
$records = 0;
is($node->safe_psql('postgres', $ALL), '0|0|0|0', 'a report reads all there is, and the partitions of this month are due');

# They are asked for again and again meanwhile.
my $parent = $$;
my $asker = fork() // die "could not fork: $!";

if ($asker == 0)
{
	$SIG{TERM} = sub { POSIX::_exit(0) };
	$node->psql('postgres', 'SELECT pt621_maintain()') while getppid() == $parent;
	POSIX::_exit(0);
}
my @seconds = map { latency() } 1 .. 20;

kill('TERM', $asker);
waitpid($asker, 0);
my ($longest) = sort { $b <=> $a } @seconds;

note("longest: $longest s");
cmp_ok($longest, '<', 5, '... twenty records are stored without waiting for the report');
is($node->safe_psql('postgres', $STRAYS), '20|20', '... in the default partitions');
is($node->listener('retries'), 0, '... at the first try');
is($node->safe_psql('postgres', $PARTITIONS), 'f|f', '... as the others cannot be made yet');
like(slurp_file($node->logfile), qr/partition of (position|frame) for .* is put off/, '... which the log says');
my $began = time();

is($node->safe_psql('postgres', 'SELECT pt621_maintain()'), 0, '... asked for them once more, pt621_maintain() gives up');
cmp_ok(time() - $began, '<', 10, '... soon');

# The report is over.  Again the worker may be here first, or in the way.
$report->query_safe('COMMIT');
$report->quit;
ok( PT621::until_true(
		sub {
			$node->safe_psql('postgres', 'SELECT pt621_maintain()');
			return $node->safe_psql('postgres', $PARTITIONS) eq 't|t';
		}),
	'the report is over: pt621_maintain() makes both partitions');
is($node->safe_psql('postgres', $STRAYS), '0|0', '... the default partitions are empty');
is($node->safe_psql('postgres', $ALL), '20|20|20|0', '... and every row is there, once');
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM ONLY pt621.position_$month), (SELECT count(*) FROM ONLY pt621.frame_$month)"),
	'20|20', '... where it belongs');
latency() foreach 1 .. 3;
is($node->safe_psql('postgres', $STRAYS), '0|0', '... as are those that come now');
PT621::put($tracker, record(date => $date, odometer => 100));
$node->becomes($ALL, '23|23|24|0', '... and a record sent again is not stored twice, though its row has moved');

$node->stop;
done_testing();
