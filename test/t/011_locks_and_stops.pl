# Locks that others hold, signals that others send, and units that wait: a
# position that can be stored later is never refused, the workers outlive what
# was meant for a statement, and a stop comes to its end.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PT621->listening('main', conf => "max_prepared_transactions = 2\n");
my $NUMBERS = 'SELECT (SELECT count(*) FROM pt621.frame), (SELECT count(error) FROM pt621.frame), (SELECT count(*) FROM pt621.position)';

# Records of one tracker, one a second from this on.
sub records
{
	my ($ident, $count, $from) = @_;

	return map { record(ident => $ident, time => sprintf('12%02d%02d.000', $_ / 60, $_ % 60)) }
	  map { $_ + ($from // 0) } 0 .. $count - 1;
}

# The process of a worker.
sub pid
{
	my ($worker) = @_;

	return $node->safe_psql('postgres', "SELECT pid FROM pt621_stat_worker() WHERE worker = '$worker'");
}

# ---------------------------------------------------------------------------
# Deltas that wait for a base cost nothing while they wait
# ---------------------------------------------------------------------------

# No check byte of the records that are stored is that of the missing base, or
# some deltas would find one that fits by chance.
my @stored = records('7101', 21);
my %taken = map { PT621::xor_of($_) => 1 } @stored;
my ($missing) = grep { !$taken{ PT621::xor_of($_) } }
  map { record(ident => '7101', time => '112900.000', odometer => $_) } 5000 .. 5255;
my @deltas = map { framed(delta($missing, record(ident => '7101', time => sprintf('1130%02d.000', $_), odometer => 6000))) } 0 .. 49;
my $bound = $node->tcp;

PT621::put($bound, $stored[0]);
$node->becomes($NUMBERS, '1|0|1', 'a tracker that has named itself');
PT621::put($bound, join('', @deltas));
$node->becomes($NUMBERS, '51|50|1', '... sends deltas whose base is not there: they are archived, with the reason');
foreach my $n (1 .. 20)
{
	PT621::put($bound, $stored[$n]);
	$node->wait_until("SELECT count(*) = 1 + $n FROM pt621.position");
}
$node->becomes(
	q{SELECT sum(n_tup_ins), sum(n_tup_upd) FROM pg_stat_user_tables WHERE schemaname = 'pt621' AND relname ~ '^frame_'},
	'71|0', '... and not touched by the twenty batches that follow');
PT621::put($bound, $missing);
$node->wait_until('SELECT count(*) > 0 FROM pt621.frame WHERE record IS NOT NULL');
$node->becomes(
	q{SELECT count(*) FROM pt621.frame f JOIN pt621.position p ON p.frame_seq = f.seq
	   WHERE f.record IS NOT NULL AND f.error IS NULL},
	qr/^[1-9]/, '... until their base comes: then they can be read');
close($bound);

# ---------------------------------------------------------------------------
# A base that comes late makes a record that cannot be stored
# ---------------------------------------------------------------------------

# Another worker: nothing waits, and nothing was tried again.
$node->restart;
$node->wait_open;
$node->forget;
$node->safe_psql('postgres', 'ALTER TABLE pt621.position ADD CONSTRAINT slow CHECK (speed_kmh < 100)');
$bound = $node->tcp;
my ($first, @good) = records('7102', 12);
%taken = map { PT621::xor_of($_) => 1 } $first, @good;
($missing) = grep { !$taken{ PT621::xor_of($_) } }
  map { record(ident => '7102', time => '115900.000', odometer => $_) } 5000 .. 5255;
PT621::put($bound, $first);
$node->becomes($NUMBERS, '1|0|1', 'a tracker under a constraint of the user');
my $waits_since = time();

PT621::put($bound, framed(delta($missing, record(ident => '7102', time => '115930.000', speed => '99.00'))));
$node->becomes($NUMBERS, '2|1|1', '... sends a delta without its base');
PT621::put($bound, $missing);
$node->becomes($NUMBERS, '3|1|2', '... whose base comes late, and would make it one too fast: the base is stored');
my $sent = 0;

foreach my $size (1, 1, 1, 2, 3, 3)
{
	PT621::put($bound, join('', splice(@good, 0, $size)));
	$sent += $size;
	$node->wait_until("SELECT count(*) = 2 + $sent FROM pt621.position");
}
is($node->safe_psql('postgres', $NUMBERS), '14|1|13', '... and so are the units of the batches that follow');
like($node->safe_psql('postgres', "SELECT error FROM pt621.frame WHERE error IS NOT NULL"), qr/./,
	'... while the one that cannot be has its reason in the archive');
my $retries = $node->listener('retries');

$node->settle foreach 1 .. 2;
is($node->listener('retries'), $retries, '... and is not tried over and over');
cmp_ok($retries, '<=', 1 + $sent, '... but once with each batch at most');
# How long it is tried is seen below: that takes half a minute.

# ---------------------------------------------------------------------------
# Locks that are held for longer than storing may take
# ---------------------------------------------------------------------------

$node->forget;
$node->configure('pt621.statement_timeout' => '1000');
$node->settle;
my $locker = $node->background_psql('postgres');

# Until the worker has tried to store the batch for so often that, were it for
# the units to blame, it would have come down to one by now.
$retries = $node->listener('retries');
$locker->query_safe('BEGIN; LOCK TABLE pt621.position IN SHARE MODE');
$node->send_tcp(join('', records('7103', 8)));
$node->wait_until("SELECT retries >= $retries + 4 FROM pt621_stat_worker() WHERE worker = 'listener'");
like($node->listener('last_error'), qr/lock timeout/, 'a lock on pt621.position: the worker says what it waits for');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame'), 0, '... and gives no unit up');
$locker->query_safe('COMMIT');
$node->becomes($NUMBERS, '8|0|8', '... when it is released every unit is a position');

# The same with each of the other tables.
foreach my $table ('device', 'device_state', 'frame')
{
	$retries = $node->listener('retries');
	$locker->query_safe("BEGIN; LOCK TABLE pt621.$table IN SHARE MODE");
	$node->send_tcp(join('', map { record(ident => "$table$_") } 1 .. 3));
	$node->wait_until("SELECT retries >= $retries + 2 FROM pt621_stat_worker() WHERE worker = 'listener'");
	$locker->query_safe('COMMIT');
	$node->becomes("SELECT count(*), count(f.error) FROM pt621.frame f JOIN pt621.device d ON d.ident = f.ident
					  JOIN pt621.position p ON p.frame_seq = f.seq WHERE f.ident ~ '^${table}[0-9]'", '3|0',
		"... and so with a lock on pt621.$table");
}

# ---------------------------------------------------------------------------
# Somebody cancels what is no statement
# ---------------------------------------------------------------------------

# One that waits for the lock with a unit of its own in hand.
$node->forget;
$retries = $node->listener('retries');
my $listener = pid('listener');

$locker->query_safe('BEGIN; LOCK TABLE pt621.position IN SHARE MODE');
$node->send_tcp(records('7104', 1));
$node->wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $listener AND wait_event_type = 'Lock'");
$node->safe_psql('postgres', "SELECT pg_cancel_backend($listener)");
$node->wait_until("SELECT retries >= $retries + 2 FROM pt621_stat_worker() WHERE worker = 'listener'");
$locker->query_safe('COMMIT');
$locker->quit;
$node->becomes($NUMBERS, '1|0|1', 'the listener is cancelled while it waits for a lock: the unit is stored');
$node->configure('pt621.statement_timeout' => undef);

# Those that have nothing to do.
my %before = map { $_ => pid($_) } qw(listener maintenance supervisor);
my @open = ($node->tcp, $node->tcp);

PT621::put($open[0], records('7104', 1, 10));
$node->becomes($NUMBERS, '2|0|2', 'a connection that has named its tracker');
foreach (1 .. 3)
{
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($before{listener})");
	$node->settle;
}
PT621::put($open[0], records('7104', 1, 20));
PT621::put($open[1], records('7105', 1, 20));
$node->becomes($NUMBERS, '4|0|4', 'the idle listener is cancelled: its connections stay open and are stored');
is(pid('listener'), $before{listener}, '... and it is the same process');

# It sleeps for a minute if nobody wakes it: what it makes then shows that it has
# been woken.
my $partition = $node->safe_psql('postgres', q{
	SELECT 'pt621.position_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', 'YYYY_MM')});
$node->safe_psql('postgres', "DROP TABLE $partition; SELECT pg_cancel_backend($before{maintenance})");
$node->becomes("SELECT to_regclass('$partition') IS NOT NULL", 't', 'the idle maintenance worker is cancelled: it works on');
is(pid('maintenance'), $before{maintenance}, '... and it is the same process');

# That it starts another worker shows that it has had its turn.
$node->safe_psql('postgres', "SELECT pg_cancel_backend($before{supervisor}), pg_terminate_backend($before{maintenance})");
$node->becomes("SELECT pid <> $before{maintenance} FROM pt621_stat_worker() WHERE worker = 'maintenance'", 't',
	'the supervisor is cancelled: it works on');
is(pid('supervisor'), $before{supervisor}, '... and it is the same process');
is(pid('listener'), $before{listener}, '... and so is the listener');
PT621::put($_, records('7106', 1, 30)) foreach @open;
$node->becomes($NUMBERS, '6|0|5', '... with its connections');
close($_) foreach @open;

# ---------------------------------------------------------------------------
# What cannot be stored when its base comes does not wait for ever
# ---------------------------------------------------------------------------

# The base from above, sent again and again, so that it stays the newest.
$node->forget;
my $times = 0;
my $tried = 0;

ok( PT621::until_true(
		sub {
			my $before = $node->listener('retries');

			PT621::put($bound, $missing);
			$times++;
			$node->wait_until("SELECT count(*) = $times FROM pt621.frame");
			$tried += $node->listener('retries') > $before;
			return $node->listener('retries') == $before;
		}),
	'the delta from above is not tried any more');
ok($tried > 0 || time() - $waits_since > 25, '... after some time');
is($node->safe_psql('postgres', $NUMBERS), "$times|0|1", '... in which its tracker has lost nothing');
close($bound);
$node->safe_psql('postgres', 'ALTER TABLE pt621.position DROP CONSTRAINT slow');

# ---------------------------------------------------------------------------
# A lock that never goes away, and a stop
# ---------------------------------------------------------------------------

$node->forget;
$node->configure('pt621.statement_timeout' => '1000', 'pt621.shutdown_timeout' => '2000');
$node->settle;
$retries = $node->listener('retries');
$node->safe_psql('postgres', "BEGIN; LOCK TABLE pt621.position IN SHARE MODE; PREPARE TRANSACTION 'for ever'");
$node->send_tcp(join('', records('7107', 30)));
$node->wait_until("SELECT retries > $retries FROM pt621_stat_worker() WHERE worker = 'listener'");
my $began = time();

ok($node->stop('fast', fail_ok => 1), 'a lock that is never released: the server stops');
cmp_ok(time() - $began, '<', 20, '... in time');
like(slurp_file($node->logfile), qr/WARNING: .*pt621: stopped with 30 units not stored/,
	'... and says what that has cost');
$node->start;
$node->safe_psql('postgres', "ROLLBACK PREPARED 'for ever'");
$node->wait_open;
$node->send_tcp(records('7107', 1));
$node->becomes("SELECT count(*) FROM pt621.position", 1, '... and stores again when it is back');

$node->stop;
done_testing();
