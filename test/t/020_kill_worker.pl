# A listener is killed: the server comes back by itself with everything that was
# committed, once, and a connection loses no more than the batch in flight and
# what the system had acknowledged for it and the worker not read.
use strict;
use warnings;

use Fleet;
use List::Util qw(max sum);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

# Small, so that the bound is one that can be missed.
my $BATCH = 100;
my $node = PT621->listening('main', conf => <<CONF);
restart_after_crash = on
pt621.batch_size = $BATCH
pt621.receive_buffer = 16kB
CONF

Fleet::lift_bounds($node);
# It must open again where the trackers look for it.
$node->keep_port;

# What a connection may lose: the setting, which is what the system grants, or less
# if it has a bound of its own.  The batch in flight includes the rest of one read
# that was too much for it.
my $GRANTED = 16 * 1024;
my $IN_FLIGHT = $BATCH * length(record(odometer => 1_000_000)) + 65536;

sub kill_listener
{
	my ($pid) = $node->listener('pid') =~ /(\d+)\z/;

	kill('KILL', $pid) or die "kill: $!";
	# Only now, since the port is there until the process is gone.
	PT621::until_true(sub { !Fleet::runs($pid) });
	return $pid;
}

# What must be true of any such crash.
sub survived
{
	my ($name, $fleet, $pid, $witnessed) = @_;

	Fleet::all_open($node, $pid);
	pass("$name: the listener is back");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), '>=', $witnessed,
		'... and everything that was seen to be stored');
	$fleet->stored('... of each connection the first bytes, each once');
	note('bytes lost of each: ' . join(' ', $fleet->missing));
	cmp_ok(max($fleet->missing), '<=', $GRANTED + $IN_FLIGHT, '... and none has lost more than it may');
	is($node->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE error IS NOT NULL) FROM pt621.frame'), 0,
		'... nor is there a torn record');
	return;
}

# Under load: it is killed wherever it happens to be.
my $began = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

sub killed_under_load
{
	my ($name, $first, $count) = @_;
	my $fleet = Fleet->new($node, $first, $count);
	my $witnessed = $fleet->write_for_batches(10);

	$fleet->write_some foreach 0 .. $first % 10;
	$fleet->note_acknowledged;
	my $pid = kill_listener();

	survived($name, $fleet, $pid, $witnessed);
	# Trackers do not know what has arrived, and send all of it again.
	$fleet->connect;
	ok($fleet->finish(1000), '... the trackers come back and send all of it once more');
	$fleet->all_stored('... and every record is there, once');
	return;
}

killed_under_load("killed under load, round $_", 2000 + 103 * $_, 8) foreach 1 .. 3;

# At worst: it could not store for a while, and every buffer is full.
my $fleet = Fleet->new($node, 3000, 8);
my $locker = $node->background_psql('postgres');

$fleet->write_some;
$node->becomes("SELECT count(DISTINCT ident) FROM pt621.frame WHERE ident ~ '^300'", 8, 'eight trackers');
my $witnessed = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position');

$locker->query_safe('BEGIN; LOCK TABLE pt621.frame IN SHARE MODE');
ok($fleet->write_until_full, '... that write until nothing is taken any more, since nothing can be stored');
$fleet->note_acknowledged;
my $pid = kill_listener();

survived('killed with all buffers full', $fleet, $pid, $witnessed);
cmp_ok(sum($fleet->missing), '>', 8 * 4096, '... though this time there was something to lose');
cmp_ok(sum($fleet->missing), '<=', 8 * $GRANTED + $IN_FLIGHT, '... all of them together no more than the buffers and one batch');
eval { $locker->quit };
$fleet->connect;
ok($fleet->finish(3000), '... the trackers send all of it once more');
$fleet->all_stored('... and every record is there, once');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $began, 'nobody had to restart the server');

# One of several: the others are as crashed as it is.
SKIP:
{
	skip 'one listener at most', 7 if !Fleet::restart_with_workers($node, 3);
	killed_under_load('one of three killed under load', 4000, 24);
}

$node->stop;
done_testing();
