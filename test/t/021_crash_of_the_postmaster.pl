# The postmaster is killed: its workers go by themselves and free the port, and
# when the server is started again everything committed is there, once.
use strict;
use warnings;

use Fleet;
use List::Util qw(max);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $BATCH = 100;
my $node = PT621->listening('main', conf => <<CONF);
pt621.batch_size = $BATCH
pt621.receive_buffer = 16kB
CONF

Fleet::lift_bounds($node);
$node->keep_port;

# As in the test of a listener that is killed.
my $MAY_LOSE = 16 * 1024 + $BATCH * length(record(odometer => 1_000_000)) + 65536;

# All processes of the server that trackers or other sessions could notice.
sub processes
{
	return split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
}

sub crash
{
	my @processes = processes();

	ok(scalar(@processes) > 3, '... with its processes');
	$node->kill9;
	ok(PT621::until_true(sub { !grep { Fleet::runs($_) } @processes }), '... all of which go when the postmaster is killed');
	ok(!$node->connect_tracker(proto => 'tcp'), '... so that trackers are refused');
	ok(Fleet::start_again($node), '... and the server can be started');
	$node->wait_open;
	return;
}

foreach my $round (1 .. 2)
{
	my $fleet = Fleet->new($node, 2000 + $round * 100, 8);
	my $witnessed = $fleet->write_for_batches(10);

	pass("a server under load, round $round");
	$fleet->write_some foreach 1 .. 5;
	$fleet->note_acknowledged;
	crash();
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), '>=', $witnessed,
		'... and has everything that was seen to be stored');
	$fleet->stored('... of each connection the first bytes, each once');
	note('bytes lost of each: ' . join(' ', $fleet->missing));
	cmp_ok(max($fleet->missing), '<=', $MAY_LOSE, '... and none has lost more than it may');
	$fleet->connect;
	ok($fleet->finish(1000), '... the trackers come back and send all of it once more');
	$fleet->all_stored('... and every record is there, once');
}

# A listener that waits for a lock is waiting in the middle of a transaction.
my $fleet = Fleet->new($node, 3000, 2);
my $locker = $node->background_psql('postgres');

$locker->query_safe('BEGIN; LOCK TABLE pt621.position IN SHARE MODE');
$fleet->write_some;
$node->wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type ~ '^pt621 listener' AND wait_event_type = 'Lock'");
pass('a listener that waits for a lock');
crash();
eval { $locker->quit };
$fleet->connect;
ok($fleet->finish(100), '... the trackers come back');
$fleet->all_stored('... and every record is there, once');
is($node->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE error IS NOT NULL) FROM pt621.frame'), 0,
	'... and none of all this has torn a record');

$node->stop;
done_testing();
