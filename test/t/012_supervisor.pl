# Who starts whom, and how often: one listener and one maintenance worker,
# whatever is killed, no storm where they cannot run, and no more connections
# than were asked for.
use strict;
use warnings;

use IO::Select;
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('main', conf => <<CONF);
pt621.database = 'fleet'
log_line_prefix = '%n %b: '
CONF
my $WORKERS = "SELECT string_agg(backend_type, ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type ~ '^pt621'";
my $ALL = 'pt621 listener, pt621 maintenance, pt621 supervisor';

$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->create_extension($_) foreach 'postgres', 'fleet';
$node->listener_is('open', 'the port is open', seconds => 15);
# It must be the same when another worker opens it.
$node->keep_port;

sub pid
{
	my ($worker) = @_;

	return $node->safe_psql('postgres', "SELECT pid FROM pt621_stat_worker() WHERE worker = '$worker'");
}

sub terminate
{
	my (@workers) = @_;

	return $node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM pt621_stat_worker() WHERE worker IN ('
		  . join(', ', map { "'$_'" } @workers) . ')');
}

# Waits for a worker with another process than this one.
sub replaced
{
	my ($worker, $pid, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes("SELECT pid <> $pid AND state = 'open' FROM pt621_stat_worker() WHERE worker = '$worker'", 't', $name);
}

my $minute = 0;

# A record that was not sent before is stored.
sub stores
{
	my ($name, $tracker) = @_;
	my $time = sprintf('12%02d00.000', $minute++);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	PT621::put($tracker // $node->tcp, record(time => $time));
	return $node->becomes(
		"SELECT count(*) FROM pt621.position WHERE to_char(fix_time AT TIME ZONE 'UTC', 'HH24MISS.MS') = '$time'",
		1, $name, database => 'fleet');
}

# ---------------------------------------------------------------------------
# The supervisor goes and comes
# ---------------------------------------------------------------------------

$node->becomes($WORKERS, $ALL, 'one of each');
my $tracker = $node->tcp;

stores('a tracker is connected', $tracker);
foreach my $round (1 .. 2)
{
	my %before = map { $_ => pid($_) } qw(listener maintenance supervisor);

	terminate('supervisor');
	replaced('supervisor', $before{supervisor}, "the supervisor is terminated and comes back, round $round");
	stores('... while its listener goes on', $tracker);
	# This shows that it has had its turn, and looks after what it has not
	# started itself.
	terminate('maintenance');
	replaced('maintenance', $before{maintenance}, '... it starts a worker that has gone');
	$node->becomes($WORKERS, $ALL, '... and there is one of each');
	is(pid('listener'), $before{listener}, '... the listener being the same');
	stores('... with its connections', $tracker);
}
{
	my %before = map { $_ => pid($_) } qw(listener maintenance supervisor);

	terminate('supervisor', 'listener', 'maintenance');
	replaced($_, $before{$_}, "all are terminated at once: the $_ comes back") foreach sort keys %before;
	$node->becomes($WORKERS, $ALL, '... and there is one of each');
	ok(PT621::closed_by_server($tracker), '... connections have ended');
	$node->wait_open;
	stores('... and others are served');
}

# A pause finds the workers whoever has started them.
terminate('supervisor');
is($node->safe_psql('postgres', 'SELECT pt621_pause()'), 't', 'a pause while there is no supervisor');
$node->becomes("SELECT state FROM pt621_stat_worker() WHERE worker = 'supervisor'", 'paused', '... of which the next one knows');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'fleet'"), 0, '... nobody is connected');
foreach my $rename ([ 'fleet', 'moved' ], [ 'moved', 'fleet' ])
{
	my $status = $node->psql('postgres', sprintf('ALTER DATABASE %s RENAME TO %s', @$rename));

	is($status, 0, "... so the database $rename->[0] can be renamed");
}
$node->safe_psql('postgres', 'SELECT pt621_resume()');
$node->listener_is('open', '... until pt621_resume()');
$node->becomes($WORKERS, $ALL, '... which brings back one of each');
$node->wait_open;
stores('... and what comes is stored');

# ---------------------------------------------------------------------------
# Nobody can connect
# ---------------------------------------------------------------------------

my $mark = -s $node->logfile;

# When listeners have failed to connect, in milliseconds.
sub failures
{
	my $log = slurp_file($node->logfile, $mark);

	return map { 1000 * $_ } $log =~ /^(\d+\.\d+) pt621 listener: FATAL: .*permission denied for database/mg;
}

$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE fleet FROM PUBLIC, pt621');
terminate('listener', 'maintenance');
ok(PT621::until_true(sub { failures() >= 4 }), 'the role may not connect: the supervisor tries again and again');
my @at = failures();
my @gaps = map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at;

note("milliseconds between them: @gaps");
cmp_ok(scalar(@at), '<=', 5, '... but it does not storm');
cmp_ok($gaps[2], '>', $gaps[0], '... the pauses grow');
cmp_ok($gaps[2], '>=', 3500, '... soon to several seconds');
is($node->safe_psql('postgres', "SELECT state FROM pt621_stat_worker() WHERE worker = 'supervisor'"), 'open',
	'... while it keeps going');

# It may be pausing for a minute by now, were it not told.
$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE fleet TO pt621; SELECT pt621_pause()');
$node->becomes("SELECT state FROM pt621_stat_worker() WHERE worker = 'supervisor'", 'paused', '... a pause ends the waiting');
$node->safe_psql('postgres', 'SELECT pt621_resume()');
$node->listener_is('open', '... and when the role may connect, the workers are back', seconds => 15);
$node->becomes($WORKERS, $ALL, '... one of each');
$node->wait_open;
stores('... and store');

# ---------------------------------------------------------------------------
# More connections than there may be
# ---------------------------------------------------------------------------

# Which of the sockets the server has left open.
sub left_open
{
	my $select = IO::Select->new(@_);
	my %ended = map { fileno($_) => 1 } $select->can_read(0);

	return grep { !$ended{ fileno($_) } } @_;
}

$node->restart_with('pt621.max_connections' => 10);
$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
$node->settle;
my $listener = pid('listener');
my @sockets = map { $node->tcp } 1 .. 100;
my $most = 0;

ok( PT621::until_true(
		sub {
			my $now = $node->listener('connections');

			$most = $now if $now > $most;
			return left_open(@sockets) <= 10;
		}),
	'a hundred connections that name no tracker, where ten may be: the others are closed');
cmp_ok($most, '<=', 11, '... and never were there more');
$node->becomes("SELECT connections FROM pt621_stat_worker() WHERE worker = 'listener'", 10, '... ten are left');
my @left = left_open(@sockets);

is_deeply([ map { fileno($_) } @left ], [ map { fileno($_) } @sockets[ 90 .. 99 ] ], '... the last ones');

# Those that have named a tracker stay, whoever else comes.
PT621::put($left[$_], record(ident => "82$_")) foreach 0 .. $#left;
$node->becomes("SELECT count(*) FROM pt621.frame f WHERE ident ~ '^82.\$'", 10, '... and they can name one', database => 'fleet');
my @more = map { $node->tcp } 1 .. 20;

ok(PT621::until_true(sub { left_open(@more) == 0 }), 'when all have named a tracker, who comes is refused');
is(scalar(left_open(@left)), 10, '... and none of them gives way');
PT621::put($left[$_], record(ident => "82$_", time => '120100.000')) foreach 0 .. $#left;
$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident ~ '^82.\$'", 20,
	'... they go on', database => 'fleet');
is($node->listener('connections'), 10, '... all ten');
close($left[0]);
$node->wait_until("SELECT connections = 9 FROM pt621_stat_worker() WHERE worker = 'listener'");
stores('a place that becomes free is taken');
is(pid('listener'), $listener, '... all by the same process');

$node->stop;
done_testing();
