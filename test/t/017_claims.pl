# Who may speak for a tracker: of two connections that name the same one, which
# is heard, which is closed, and what is written down of it; with one listener,
# and with connections that different listeners have.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main', conf => "max_worker_processes = 16\n");
my $several;
my $next_ident = 1000;
my $second = 0;

# A record of a tracker, unlike all others.
sub new_record
{
	my ($ident) = @_;

	$second++;
	return record(ident => $ident, time => sprintf('%02d%02d%02d.000', $second / 3600, $second / 60 % 60, $second % 60));
}

# Sends records of a tracker by a connection or path, and waits until they are in
# the archive.  Returns what the archive says against them.
sub report
{
	my ($socket, $ident, $count) = @_;
	my @records = map { new_record($ident) } 1 .. ($count // 1);
	my $these = 'FROM pt621.frame WHERE bytes IN (' . join(', ', map { bytea($_) } @records) . ')';

	# At once, since a connection may be closed after the first.
	PT621::put($socket, join('', @records));
	$node->wait_until("SELECT count(*) = @{[ scalar @records ]} $these");
	return $node->safe_psql('postgres', "SELECT DISTINCT error $these");
}

# A connection that another listener has than this one, where there are several.
sub another
{
	my ($socket) = @_;
	my $here = $node->listener_of($socket);

	return $several ? $node->tcp_where(sub { $_ != $here }) : $node->tcp;
}

# The number of a connection or path that something was archived of, and its own end
# of it, which may have been closed since it was asked for first.
sub known
{
	my ($socket) = @_;

	return @{ ${*$socket}{known} //= [
			$node->safe_psql('postgres',
				sprintf("SELECT conn FROM pt621.frame WHERE peer = '%s' AND peer_port = %d AND transport = '%s'"
					  . ' ORDER BY received_at DESC, seq DESC LIMIT 1',
					$socket->sockhost, $socket->sockport, $socket->socktype == Socket::SOCK_DGRAM ? 'udp' : 'tcp')),
			$socket->sockhost, $socket->sockport ] };
}

sub conn
{
	return (known(shift))[0];
}

# What the state of a tracker says of its connections.
sub claims
{
	my ($ident) = @_;

	return "SELECT bound_conn, conflicts, conflict_conn, conflict_with, conflict_peer, conflict_peer_port,"
	  . ' conflict_at BETWEEN pg_postmaster_start_time() AND now()'
	  . " FROM pt621.device_state JOIN pt621.device ON id = device_id WHERE ident = '$ident'";
}

# Asks whether it is one connection that speaks, and whether that was ever disputed:
# by how many units, the last of them by a connection while another one was bound.
sub claims_are
{
	my ($ident, $bound, $conflicts, $by, $with, $name) = @_;
	my ($conn, @peer) = $by ? known($by) : ();
	my @conflict = $by ? ($conn, conn($with), @peer, 't') : ('') x 5;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes(claims($ident), join('|', conn($bound), $conflicts, @conflict), $name);
}

# What the listeners have counted since the last reset: units of trackers that
# another speaks for, those rejected for it, connections closed for it.
my $COUNTED = q{SELECT sum(conflicts), coalesce(sum((rejected_by_reason ->> 'conflict')::integer), 0),
	coalesce(sum((closed_by_reason ->> 'conflict')::integer), 0) FROM pt621_stat_worker() WHERE worker = 'listener'};

sub positions
{
	my ($ident) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pt621.position JOIN pt621.device ON id = device_id WHERE ident = '$ident'");
}

sub close_and_wait
{
	my ($socket) = @_;
	my $conn = conn($socket);

	close($socket);
	$node->wait_until("SELECT count(*) = 0 FROM pt621_stat_connection() WHERE conn = $conn");
	return;
}

# Runs code while nothing can be stored.
sub while_locked
{
	my ($code) = @_;
	my $locker = $node->background_psql('postgres');

	$locker->query_safe('BEGIN; LOCK TABLE pt621.device_state');
	$code->();
	$locker->query_safe('COMMIT');
	$locker->quit;
	return;
}

sub begin
{
	$node->safe_psql('postgres', 'SELECT pt621_stat_reset()');
	return $next_ident++;
}

# ---------------------------------------------------------------------------
# What is the same whichever wins
# ---------------------------------------------------------------------------

sub no_conflicts
{
	my ($case) = @_;
	my $ident = begin();
	my $first = $node->tcp;

	is(report($first, $ident), '', "$case: a tracker connects");
	claims_are($ident, $first, 0, undef, undef, '... and its connection speaks for it');
	my $second = another($first);
	close_and_wait($first);
	is(report($second, $ident), '', '... it ends the connection and comes by another');
	claims_are($ident, $second, 0, undef, undef, '... which is no conflict');

	# pt621_ingest() is nobody's connection.
	is( $node->safe_psql('postgres', 'SELECT pt621_ingest(' . bytea(new_record($ident)) . ", 'tcp', '192.0.2.1')"),
		1, '... what is ingested meanwhile is stored');
	claims_are($ident, $second, 0, undef, undef, '... and claims nothing');

	# Nor do datagrams take it from each other.
	close_and_wait($second);
	my @path = map { $node->udp } 1 .. 2;
	foreach (0 .. 3)
	{
		is(report($path[ $_ % 2 ], $ident), '', '... without a connection it reports by datagrams');
		# What comes by the first again is late, as far as anybody can tell.
		claims_are($ident, $path[ $_ > 0 ], 0, undef, undef, '... its newest path speaks for it');
	}
	my $third = $node->tcp;
	is(report($third, $ident), '', '... until it connects again');
	claims_are($ident, $third, 0, undef, undef, '... which is no conflict either');
	$node->becomes($COUNTED, '0|0|0', '... and none was counted');
	close_and_wait($third);
	return;
}

# A sender that may not report for a tracker at all does not displace it.
sub allowed_peers
{
	my ($case) = @_;
	my $ident = begin();
	my $first = $node->tcp;

	report($first, $ident);
	$node->safe_psql('postgres', "UPDATE pt621.device SET allowed_peers = '{127.0.0.1/32}' WHERE ident = '$ident'");
	my $stranger = $node->tcp(from => '127.0.0.2');
	like(report($stranger, $ident, 2), qr/^the peer is not in allowed_peers/,
		"$case: a connection from an address that is not allowed is refused");
	claims_are($ident, $first, 0, undef, undef, '... and the tracker keeps the one it has');
	is(report($first, $ident), '', '... which goes on');
	like(report($stranger, $ident), qr/^the peer is not in allowed_peers/, '... nor is the other one closed');
	$node->becomes($COUNTED, '0|0|0', '... and no conflict was counted');
	close_and_wait($_) foreach $first, $stranger;
	return;
}

# ---------------------------------------------------------------------------
# newest
# ---------------------------------------------------------------------------

sub newest_wins
{
	my ($case) = @_;
	my $ident = begin();
	my $older = $node->tcp;
	my @late;

	report($older, $ident);
	my $newer = another($older);

	# What the older one has written before it is closed is stored, also when
	# nobody has read it when the newer one speaks.
	while_locked(
		sub {
			@late = map { new_record($ident) } 1 .. 30;
			PT621::put($newer, $late[0]);
			PT621::put($older, $_) foreach @late[ 1 .. 29 ];
		});
	ok(PT621::closed_by_server($older), "$case: a newer connection of a tracker: the older one is closed");
	$node->becomes(
		'SELECT count(*), count(error) FROM pt621.frame WHERE bytes IN (' . join(', ', map { bytea($_) } @late) . ')',
		'30|0', '... when all that it had written was read');
	is(positions($ident), 31, '... and stored');
	claims_are($ident, $newer, 1, $newer, $older, '... the state of the tracker says so');
	is(report($newer, $ident), '', '... the newer one goes on');
	claims_are($ident, $newer, 1, $newer, $older, '... with no more conflicts');
	$node->becomes($COUNTED, '1|0|1', '... and it was counted');

	# The sender of a datagram may be anybody.
	my $path = $node->udp;
	is(report($path, $ident), '', "$case: a datagram beside a connection is stored");
	claims_are($ident, $newer, 1, $newer, $older, '... but the connection keeps the tracker');
	is(report($newer, $ident), '', '... and goes on');
	close_and_wait($newer);
	return;
}

sub gateway_stays
{
	my ($case) = @_;
	my $ident = begin();
	my $other = begin();
	my $gateway = $node->tcp;

	report($gateway, $ident);
	report($gateway, $other);
	my $own = another($gateway);
	is(report($own, $ident), '', "$case: a tracker that a gateway has reported for connects itself");
	claims_are($ident, $own, 1, $own, $gateway, '... and speaks for itself then');
	is(report($gateway, $other), '', '... the gateway goes on with its other tracker');
	claims_are($other, $gateway, 0, undef, undef, '... for which it still speaks');
	$node->becomes($COUNTED, '1|0|0', '... and nothing was closed');

	# Who comes last is the newest.
	is(report($gateway, $ident), '', '... it reports for the first one again');
	ok(PT621::closed_by_server($own), '... and then that one is closed');
	claims_are($ident, $gateway, 2, $gateway, $own, '... which is the second conflict');
	is(report($gateway, $other), '', '... the gateway goes on');
	$node->becomes($COUNTED, '2|0|1', '... and it was counted');
	close_and_wait($gateway);
	return;
}

# Two that both go on sending, from an array of records each.
sub fight
{
	my ($case, $bound_before) = @_;
	my $ident = begin();
	my $blocker = begin();
	my $one = $node->tcp;
	my $two;
	my @records = map { new_record($ident) } 1 .. 40;
	my $busy = $node->tcp;

	report($one, $ident) if $bound_before;
	$two = another($one);
	while_locked(
		sub {
			# One listener waits with a batch in hand: what comes meanwhile is in its next one.
			PT621::put($busy, new_record($blocker));
			$node->wait_until(
				"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND wait_event_type = 'Lock'");
			foreach my $at (0 .. 19)
			{
				PT621::put($one, $records[ 2 * $at ]);
				PT621::put($two, $records[ 2 * $at + 1 ]);
			}
		});
	$node->becomes(
		'SELECT count(*), count(error) FROM pt621.frame WHERE bytes IN (' . join(', ', map { bytea($_) } @records) . ')',
		'40|0', "$case: two connections of a tracker both go on: all that they write is stored");
	$node->becomes($COUNTED, '1|0|1', '... it is one conflict, and one of them is closed');
	$node->becomes(
		"SELECT count(*) FROM pt621.device_state JOIN pt621.device ON id = device_id"
		  . " JOIN pt621_stat_connection() s ON s.conn = bound_conn AND s.ident = device.ident WHERE device.ident = '$ident'",
		1, '... the other one speaks for it');
	my ($left) = grep { $node->listener_of($_) } $one, $two;
	is(report($left, $ident), '', '... and goes on');
	is(conn($left), $node->safe_psql('postgres',
			"SELECT bound_conn FROM pt621.device_state JOIN pt621.device ON id = device_id WHERE ident = '$ident'"),
		'... as before');
	is($left, $two, '... it is the newer one') if $bound_before;
	$node->becomes($COUNTED, '1|0|1', '... without another conflict');
	close($_) foreach $one, $two, $busy;
	return;
}

# ---------------------------------------------------------------------------
# oldest
# ---------------------------------------------------------------------------

sub oldest_wins
{
	my ($case) = @_;
	my $ident = begin();
	my $older = $node->tcp;

	report($older, $ident);
	my $newer = another($older);
	is(report($newer, $ident, 3), 'another connection speaks for the tracker',
		"$case: a newer connection of a tracker is refused, and the archive says why");
	ok(PT621::closed_by_server($newer), '... and closed');
	is(positions($ident), 1, '... nothing of it becomes a position');
	claims_are($ident, $older, 3, $newer, $older, '... the state of the tracker says so');
	is(report($older, $ident), '', '... the older one goes on');
	claims_are($ident, $older, 3, $newer, $older, '... as before');
	$node->becomes($COUNTED, '3|3|1', '... and it was counted');

	my $path = $node->udp;
	is(report($path, $ident), 'another connection speaks for the tracker',
		"$case: a datagram beside a connection is refused likewise");
	claims_are($ident, $older, 4, $path, $older, '... the state of the tracker says so');
	is(report($older, $ident), '', '... the connection goes on');
	$node->becomes($COUNTED, '4|4|1', '... and it was counted');

	is($node->safe_psql('postgres', 'SELECT pt621_ingest(' . bytea(new_record($ident)) . ')'),
		1, '... what is ingested meanwhile is stored');
	claims_are($ident, $older, 4, $path, $older, '... and claims nothing');

	my $again = another($older);
	close_and_wait($older);
	is(report($again, $ident), '', '... when the older one has ended another one is heard');
	claims_are($ident, $again, 4, $path, $older, '... without a conflict');
	close_and_wait($again);
	return;
}

# ---------------------------------------------------------------------------
# One that has gone before what it said is looked at
# ---------------------------------------------------------------------------

sub gone_at_once
{
	my ($case, $is_refused) = @_;
	my $ident = begin();
	my $blocker = begin();
	my $older = $node->tcp;
	my $number;

	report($older, $ident);
	my $stranger = another($older);
	PT621::until_true(sub { defined($number = $node->listener_of($stranger)) });
	my $busy = $several ? $node->tcp_where(sub { $_ == $number }) : $node->tcp;
	my $record = new_record($ident);

	# Its listener finds what it said and its end together.
	while_locked(
		sub {
			PT621::put($busy, new_record($blocker));
			$node->wait_until(
				"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND wait_event_type = 'Lock'");
			PT621::put($stranger, $record);
			close($stranger);
		});
	$node->becomes('SELECT count(*), max(error) FROM pt621.frame WHERE bytes = ' . bytea($record),
		$is_refused ? '1|another connection speaks for the tracker' : '1|',
		"$case: a connection that ends as soon as it has spoken is " . ($is_refused ? 'refused' : 'heard'));
	is(positions($ident), $is_refused ? 1 : 2, $is_refused ? '... and is no position' : '... and is a position');
	$node->becomes(
		'SELECT bound_conn = ' . conn($older) . ', conflicts, conflict_with = ' . conn($older)
		  . ", conflict_conn <> conflict_with FROM pt621.device_state JOIN pt621.device ON id = device_id WHERE ident = '$ident'",
		't|1|t|t', '... the one that is open still speaks for the tracker');
	is(report($older, $ident), '', '... and goes on');
	$node->becomes($COUNTED, $is_refused ? '1|1|0' : '1|0|0', '... and the conflict was counted');
	close($_) foreach $older, $busy;
	return;
}

foreach my $workers (1, 3)
{
	$several = $workers > 1;
	$node->configure('pt621.workers' => $workers);
	$node->wait_open('postgres', $workers);
	foreach my $policy ('newest', 'oldest')
	{
		my $case = $several ? "$policy, other listener" : "$policy, same listener";

		$node->configure('pt621.connection_conflict' => $policy);
		$node->settle;
		no_conflicts($case);
		allowed_peers($case);
		# As long as reading the end of a connection takes after its last bytes.
		$node->configure('pt621.flush_interval' => 200);
		$node->settle;
		gone_at_once($case, $policy eq 'oldest');
		$node->configure('pt621.flush_interval' => undef);
		$node->settle;
		if ($policy eq 'oldest')
		{
			oldest_wins($case);
			next;
		}
		newest_wins($case);
		gateway_stays($case);
		fight("$case, one after the other", 1);
		fight("$case, both at once", 0);
	}
}

$node->stop;
done_testing();
