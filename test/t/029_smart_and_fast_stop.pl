# Stops while trackers send: a smart one goes on storing until the last client
# has left, a fast one costs nothing that was acknowledged before it, an immediate
# one is a crash.
# (test 005 stops a listener that has not even accepted its connections.)
use strict;
use warnings;

use Fleet;
use List::Util qw(max);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $BATCH = 1000;
my $node = PT621->listening('main', conf => <<CONF);
pt621.batch_size = $BATCH
pt621.receive_buffer = 16kB
CONF

Fleet::lift_bounds($node);
$node->keep_port;

# Stops the server in a process of its own.
sub begin_stop
{
	my ($mode) = @_;
	my $mark = -s $node->logfile;
	my $stopper = fork() // die "fork: $!";

	if ($stopper == 0)
	{
		POSIX::_exit(PostgreSQL::Test::Utils::system_log('pg_ctl', '-D', $node->data_dir, '-m', $mode, '-s', 'stop') >> 8);
	}
	PT621::until_true(sub { slurp_file($node->logfile, $mark) =~ /received $mode shutdown request/ });
	return $stopper;
}

sub end_stop
{
	my ($stopper, $name) = @_;

	waitpid($stopper, 0);
	is($?, 0, $name);
	$node->_update_pid(0);
	return;
}

# ---------------------------------------------------------------------------
# Smart
# ---------------------------------------------------------------------------

my $client = $node->background_psql('postgres');
my $tracker = $node->tcp;

PT621::put($tracker, record(ident => '1000', time => '120000.000'));
$node->becomes('SELECT count(*) FROM pt621.position', 1, 'a tracker and a client are connected');
my $stopper = begin_stop('smart');

isnt($node->psql('postgres', 'SELECT 1'), 0, 'a smart stop: no client can connect any more');
foreach my $n (1 .. 5)
{
	PT621::put($tracker, record(ident => '1000', time => "12000$n.000"));
	ok(PT621::until_true(sub { $client->query_safe('SELECT count(*) FROM pt621.position') == 1 + $n }),
		"... while the one that is there sees what the tracker sends, $n");
}
# A new one, too.
$node->send_tcp(record(ident => '1001'));
ok(PT621::until_true(sub { $client->query_safe("SELECT count(*) FROM pt621.device") == 2 }), '... also what a new one sends');
is($client->query_safe("SELECT state FROM pt621_stat_worker() WHERE worker = 'listener'"), 'open', '... by an open port');
PT621::put($tracker, record(ident => '1000', time => '120100.000'));
ok(PT621::until_true(sub { Fleet::unacknowledged($tracker) == 0 }), '... a last record is acknowledged');
$client->quit;
end_stop($stopper, '... the client leaves, and the server stops');
ok(PT621::closed_by_server($tracker), '... and with it the connection');
$node->start;
$node->wait_open;
is($node->safe_psql('postgres', 'SELECT count(*), count(error), (SELECT count(*) FROM pt621.position) FROM pt621.frame'), '8|0|8',
	'... and all of it is there');

# ---------------------------------------------------------------------------
# Fast
# ---------------------------------------------------------------------------

# Trackers write without a pause; a stop comes at some moment, and those that
# write to the end of it do not put it off.
sub stopped_under_load
{
	my ($name, $round) = @_;
	my $fleet = Fleet->new($node, 2000 + 100 * $round, 20);
	my $udp = $node->udp;

	$fleet->write_for_batches(3);
	# Few enough for the smallest buffer that a system may grant.
	PT621::put($udp, record(ident => 2099 + 100 * $round, time => sprintf('1200%02d.000', $_))) foreach 0 .. 49;
	$fleet->write_some;
	$fleet->note_acknowledged;
	ok(Fleet::unacknowledged($udp) == 0, "$name: datagrams are taken in, and twenty trackers write");
	my $stopping = begin_stop('fast');
	my $more = 0;

	PT621::until_true(sub {
		$more += $fleet->write_some;
		return waitpid($stopping, POSIX::WNOHANG()) != 0;
	});
	is($?, 0, '... until a fast stop has gone through');
	$node->_update_pid(0);
	$node->start;
	Fleet::all_open($node);
	$fleet->stored('... of each connection the first bytes are stored, each once');
	note("written during the stop: $more bytes");
	is(join(' ', grep { $_ > 0 } $fleet->missing), '', '... and none is missing that was acknowledged before the stop');
	is($node->safe_psql('postgres', "SELECT count(*), count(error) FROM pt621.frame WHERE transport = 'udp' AND ident = '" . (2099 + 100 * $round) . "'"),
		'50|0', '... nor a datagram');
	# What was cut off in the middle is a record cut short: sent again, it is whole.
	$fleet->connect;
	ok($fleet->finish(500), '... the trackers come back and send all of it once more');
	my $records = $fleet->records;

	$node->becomes("SELECT count(*) FROM (SELECT DISTINCT f.ident, f.bytes FROM pt621.frame f
		WHERE f.ident ~ '^2${round}..\$' AND f.transport = 'tcp' AND f.error IS NULL AND right(encode(f.bytes, 'hex'), 4) = '0d0a') r", $records,
		'... and every record is there');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT device_id, fix_time, code, digest FROM pt621.position
		GROUP BY 1, 2, 3, 4 HAVING count(*) > 1) d}), 0, '... once');
	return;
}

stopped_under_load("fast stop, round $_", $_) foreach 1 .. 3;
SKIP:
{
	skip 'one listener at most', 8 if !Fleet::restart_with_workers($node, 3);
	stopped_under_load('fast stop of three listeners', 4);
	Fleet::restart_with_workers($node, 1);
}
unlike(slurp_file($node->logfile), qr/WARNING: .*pt621: (stopped with|port closed with)/, 'and no stop has left anything unread');

# ---------------------------------------------------------------------------
# Immediate
# ---------------------------------------------------------------------------

my $fleet = Fleet->new($node, 3000, 8);
my $witnessed = $fleet->write_for_batches(3);

$fleet->write_some;
$fleet->note_acknowledged;
$node->stop('immediate');
$node->start;
$node->wait_open;
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), '>=', $witnessed,
	'an immediate stop: everything that was seen to be stored is there');
$fleet->stored('... of each connection the first bytes, each once');
note('bytes lost of each: ' . join(' ', $fleet->missing));
# As in the test of a listener that is killed.
cmp_ok(max($fleet->missing), '<=', 2 * 16 * 1024 + $BATCH * length(record(odometer => 1_000_000)) + 65536,
	'... and none has lost more than it may');
$fleet->connect;
ok($fleet->finish(500), '... the trackers come back and send all of it once more');
$fleet->all_stored('... and every record is there, once');

# ---------------------------------------------------------------------------
# One that reports more than it may
# ---------------------------------------------------------------------------

# A tracker goes over its rate while the port is drained: nothing that the system
# has taken in waits for the tracker to be read again.
sub drained_over_rate
{
	my ($ident, $name, $close_port) = @_;
	my $locker = $node->background_psql('postgres');
	my $tracker = { ident => $ident };
	my $socket = $node->tcp;

	$locker->query_safe('BEGIN; LOCK TABLE pt621.device_state');
	PT621::put($socket, Fleet::numbered($tracker, 0));
	$node->wait_until(
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND wait_event_type = 'Lock'");
	PT621::put($socket, join('', map { Fleet::numbered($tracker, $_) } 1 .. 1000));
	ok(PT621::until_true(sub { Fleet::unacknowledged($socket) == 0 }), "$name: 1000 records are there that nobody has read");
	$close_port->($locker);
	ok(PT621::closed_by_server($socket), '... their connection is closed');
	$node->becomes("SELECT count(*), count(error) FROM pt621.frame WHERE ident = '$ident'", '1001|0', '... and all of them are stored');
	return;
}

$node->restart_with('pt621.max_record_rate' => 1, 'pt621.batch_size' => 50, 'pt621.receive_buffer' => 1024);
drained_over_rate(4000, 'port opened anew', sub {
	my ($locker) = @_;

	$node->configure('pt621.listen_addresses' => '127.0.0.1,127.0.0.2');
	$locker->query_safe('COMMIT');
	$locker->quit;
});
$node->wait_open;
# The lock goes with the session that has it.
drained_over_rate(4001, 'fast stop', sub {
	my ($locker) = @_;

	end_stop(begin_stop('fast'), '... the server stops');
	$locker->{run}->finish;
	$node->start;
	$node->wait_open;
});

$node->stop;
done_testing();
