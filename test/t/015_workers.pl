# Several listeners on one port: they share it among themselves and with nobody
# else, come and go without losing anything, and whichever of them a tracker
# meets, the tables are the same in the end.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Socket qw(INADDR_LOOPBACK SOCK_DGRAM SOCK_STREAM SOL_SOCKET SO_REUSEPORT);
use Test::More;

my $node = PT621->make('main', conf => "max_worker_processes = 16\npt621.workers = 4\n");
my $second = 0;

$node->create_extension('postgres');
$node->wait_open('postgres', 4);

# A record of a tracker, unlike all others.
sub new_record
{
	my ($ident, %fields) = @_;

	$second++;
	return record(
		ident => $ident,
		time => sprintf('%02d%02d%02d.000', $second / 3600, $second / 60 % 60, $second % 60),
		lat => sprintf('48%07.4f', $second % 600 / 10),
		%fields);
}

# How many of some units are in the archive, and how many of them with an error.
sub archived
{
	return 'SELECT count(*), count(error) FROM pt621.frame WHERE bytes IN ('
	  . join(', ', map { bytea($_) } @_) . ')';
}

# A path whose datagrams another listener gets than one of these numbers; its
# tracker reports by it once.
sub udp_where_not
{
	my ($ident, @here) = @_;

	foreach (1 .. 200)
	{
		my $socket = $node->udp;
		my $number;

		PT621::put($socket, new_record($ident));
		PT621::until_true(sub { defined($number = $node->listener_of($socket)) }) or last;
		return $socket if !grep { $_ == $number } @here;
	}
	die 'no other listener gets a datagram';
}

# Changes settings that close the port; returns when so many listeners have it open
# anew.
sub reopen_with
{
	my ($count, %settings) = @_;
	my $offset = -s $node->logfile;

	$node->configure(%settings);
	$node->wait_for_log(qr/(?:listening for trackers on port.*?){$count}/s, $offset);
	$node->wait_open('postgres', $count);
	return;
}

# ---------------------------------------------------------------------------
# One port
# ---------------------------------------------------------------------------

is( $node->safe_psql('postgres',
		q{SELECT string_agg(number::text, ',' ORDER BY number), count(DISTINCT pid), count(DISTINCT port), bool_and(port > 0)
		    FROM pt621_stat_worker() WHERE worker = 'listener'}),
	'1,2,3,4|4|1|t',
	'four listeners, with numbers of their own and one port that the system has chosen');
is( $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pt621 listener'}),
	4, '... all of them in pg_stat_activity');

# Each of 64 meets each listener with the same chance: one of four goes without
# all of them once in 10 million times.
foreach my $proto ('tcp', 'udp')
{
	my @sockets = map { $node->connect_tracker(proto => $proto) } 1 .. 64;

	# A tracker each: of one tracker's connections the newest ends the others.
	PT621::put($sockets[$_], new_record(1001 + $_)) foreach 0 .. $#sockets;
	$node->becomes("SELECT count(*), count(DISTINCT worker) FROM pt621_stat_connection() WHERE transport = '$proto'",
		qr/^\d+\|4$/, "the system deals out what comes by $proto");
	close($_) foreach @sockets;
	$node->wait_until("SELECT count(*) = 64 FROM pt621.position WHERE received_at >= (SELECT min(received_at) FROM pt621.frame WHERE transport = '$proto')");
}
$node->becomes('SELECT count(*), count(error) FROM pt621.frame', '128|0', '... and everything is stored');

# ---------------------------------------------------------------------------
# Nobody else on it
# ---------------------------------------------------------------------------

reopen_with(4, 'pt621.port' => $node->{trackers_port});
my $port = $node->{trackers_port};

my $other = PT621->make('other', conf => "pt621.workers = 2\npt621.port = $port\n");
my $REASONS = q{SELECT DISTINCT concat_ws(': ', state, reason) FROM pt621_stat_worker() WHERE worker = 'listener' AND state <> 'starting'};

$other->create_extension('postgres');
$other->becomes($REASONS, qr/^closed: .*\b$port\b.*in use/,
	'another cluster of the same user, with several listeners too, does not get in');
$node->wait_open('postgres', 4);
foreach my $proto ('tcp', 'udp')
{
	my @sockets = map { $node->connect_tracker(proto => $proto) } 1 .. 16;
	my @records = map { new_record('1002') } @sockets;

	PT621::put($sockets[$_], $records[$_]) foreach 0 .. $#sockets;
	$node->becomes(archived(@records), '16|0', "... and takes nothing away of what comes by $proto");
	close($_) foreach @sockets;
}
$node->stop;
$other->wait_open('postgres', 2);
is($other->{trackers_port}, $port, '... until the first one has stopped');
$other->stop;
$node->start;
$node->wait_open('postgres', 4);

# Another program that would share the port, by TCP or UDP alone.
foreach my $type (SOCK_STREAM, SOCK_DGRAM)
{
	my $proto = $type == SOCK_STREAM ? 'tcp' : 'udp';

	socket(my $stranger, Socket::PF_INET, $type, 0) or die "socket: $!";
	setsockopt($stranger, SOL_SOCKET, SO_REUSEPORT, 1) or die "SO_REUSEPORT: $!";
	bind($stranger, Socket::pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
	$type == SOCK_DGRAM || listen($stranger, 10) or die "listen: $!";
	my ($taken) = Socket::unpack_sockaddr_in(getsockname($stranger));

	$node->configure('pt621.port' => $taken);
	$node->becomes($REASONS, qr/^closed: .*\b$taken\b.*in use/, "a program that would share the port by $proto is noticed");
	close($stranger);
	$node->wait_open('postgres', 4);
	is($node->{trackers_port}, $taken, '... and when it has gone the port opens');
}

# One that would share it on one of two addresses.
{
	socket(my $stranger, Socket::PF_INET, SOCK_STREAM, 0) or die "socket: $!";
	setsockopt($stranger, SOL_SOCKET, SO_REUSEPORT, 1) or die "SO_REUSEPORT: $!";
	bind($stranger, Socket::pack_sockaddr_in(0, Socket::inet_aton('127.0.0.2'))) or die "bind: $!";
	listen($stranger, 10) or die "listen: $!";
	my ($taken) = Socket::unpack_sockaddr_in(getsockname($stranger));

	$node->configure('pt621.listen_addresses' => '127.0.0.1,127.0.0.2', 'pt621.port' => $taken, 'pt621.workers' => 2);
	$node->becomes($REASONS, qr/^closed: another program has port $taken on one of/,
		'a program that would share one of two addresses is noticed');
	ok(!$node->connect_tracker(proto => 'tcp', port => $taken), '... and the port is not open at the other, either');
	close($stranger);
	$node->wait_open('postgres', 2);
	is($node->{trackers_port}, $taken, '... and when it has gone the port opens');
	my @records = map { new_record('1003') } 1 .. 2;

	PT621::put($node->tcp(host => "127.0.0.$_"), $records[ $_ - 1 ]) foreach 1, 2;
	$node->becomes(archived(@records), '2|0', '... at both addresses');
	reopen_with(4, 'pt621.listen_addresses' => '127.0.0.1', 'pt621.workers' => 4);
}

# ---------------------------------------------------------------------------
# More of them, and fewer
# ---------------------------------------------------------------------------

my $workers = 4;

foreach my $next (1, 3, 1, 4)
{
	my @sockets = ((map { $node->tcp } 1 .. 6), (map { $node->udp } 1 .. 6));
	my @known = map { new_record(2000 + $_) } 0 .. $#sockets;
	my @last = map { new_record(2000 + $_) } 0 .. $#sockets;

	PT621::put($sockets[$_], $known[$_]) foreach 0 .. $#sockets;
	$node->wait_until('SELECT ' . @sockets . ' = count(*) FROM pt621.frame WHERE bytes IN (' . join(', ', map { bytea($_) } @known) . ')');
	# The sockets hold these when the port closes, or they have just been read.
	PT621::put($sockets[$_], $last[$_]) foreach 0 .. $#sockets;
	reopen_with($next, 'pt621.workers' => $next);
	pass("pt621.workers is changed from $workers to $next while they run");
	is($node->{trackers_port}, $node->safe_psql('postgres', 'SHOW pt621.port'), '... the port is the same');
	$node->becomes(archived(@last), '12|0', '... and nothing is lost of what was sent before');
	close($_) foreach @sockets;
	$workers = $next;
}

# ---------------------------------------------------------------------------
# One of them ends
# ---------------------------------------------------------------------------

my $one = $node->tcp;
my $number;

PT621::until_true(sub { defined($number = $node->listener_of($one)) });
my $two = $node->tcp_where(sub { $_ != $number });
my $PIDS = "SELECT string_agg(pid::text, ',' ORDER BY number) FROM pt621_stat_worker() WHERE worker = 'listener' AND number <> $number";
my $pids = $node->safe_psql('postgres', $PIDS);
my @records = map { new_record($_) } 3001 .. 3003;

PT621::put($one, $records[0]);
is($node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pt621_stat_worker() WHERE worker = 'listener' AND number = $number"),
	't', 'a listener is told to end');
ok(PT621::closed_by_server($one), '... its connections are closed');
PT621::put($two, $records[1]);
$node->becomes(archived(@records[ 0, 1 ]), '2|0', '... when they were read; those of others go on');
$node->wait_open('postgres', 4);
is($node->safe_psql('postgres', $PIDS), $pids, '... in the same processes');
my $three = $node->tcp_where(sub { $_ == $number });
PT621::put($three, $records[2]);
$node->becomes(archived($records[2]), '1|0', '... and another takes its place at the port');
close($_) foreach $one, $two, $three;

# ---------------------------------------------------------------------------
# Trackers that two of them hear of at the same time
# ---------------------------------------------------------------------------

# Whether the state of each tracker says what its last position does.
my $STATES = q{SELECT count(*), count(*) FILTER (WHERE (s.fix_time, s.fix_code, s.fix_digest, s.newest_time, s.geom::text)
		IS DISTINCT FROM (p.fix_time, p.code, p.digest, p.fix_time, p.geom::text))
	FROM pt621.device_state s
	JOIN pt621.device d ON d.id = s.device_id AND d.ident LIKE '4%'
	CROSS JOIN LATERAL (SELECT * FROM pt621.position WHERE device_id = s.device_id ORDER BY fix_time DESC, code DESC, digest DESC LIMIT 1) p};
my @idents = ('4001' .. '4003');
my $offset = -s $node->logfile;

$node->configure('pt621.batch_size' => 7, 'pt621.flush_interval' => 0);
$node->settle;
{
	my $left = $node->tcp;

	PT621::until_true(sub { defined($number = $node->listener_of($left)) });
	my $right = $node->tcp_where(sub { $_ != $number });
	my (@left, @right);
	my $locker = $node->background_psql('postgres');

	# Both have them in hand when they may begin.  Each locks in its own order, or
	# would if it were that of arrival.
	$locker->query_safe('BEGIN; LOCK TABLE pt621.device_state');
	foreach (1 .. 30)
	{
		push @left, map { new_record($_) } @idents;
		push @right, map { new_record($_) } reverse @idents;
	}
	PT621::put($left, join('', @left));
	PT621::put($right, join('', @right));
	$node->wait_until(
		q{SELECT count(*) >= 2 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND wait_event_type = 'Lock'});
	$locker->query_safe('COMMIT');
	$locker->quit;
	$node->becomes(archived(@left, @right), '180|0', 'two listeners with records of the same three trackers store all of them');
	$node->becomes($STATES, '3|0', '... and the states of the trackers are right');
	close($_) foreach $left, $right;
}
{
	my $left = udp_where_not('4001', 0);
	my $right = udp_where_not('4001', $node->listener_of($left));
	my @sent;

	foreach (1 .. 10)
	{
		foreach (1 .. 10)
		{
			my @pair = map { [ $left, new_record($_) ], [ $right, new_record($_) ] } @idents;

			# The other way round: times that go back and forth.
			PT621::put($_->[0], $_->[1]) foreach reverse @pair;
			push @sent, map { $_->[1] } @pair;
		}
		$node->wait_until('SELECT ' . @sent . ' = count(*) FROM pt621.frame WHERE bytes IN (' . join(', ', map { bytea($_) } @sent) . ')');
	}
	$node->becomes(archived(@sent), '600|0', '... and so with datagrams');
	$node->becomes($STATES, '3|0', '... whose states are right, too');
}
unlike(slurp_file($node->logfile, $offset), qr/deadlock|could not be stored/, '... without a deadlock');

# ---------------------------------------------------------------------------
# Deltas, and bases that another listener got
# ---------------------------------------------------------------------------

# Whether a delta stands for a record, and became a position.
sub resolved
{
	my ($delta, $as) = @_;

	return 'SELECT f.record = ' . bytea($as) . ', f.error, count(p.*) FROM pt621.frame f'
	  . ' LEFT JOIN pt621.position p ON p.frame_seq = f.seq AND p.received_at = f.received_at'
	  . ' WHERE f.bytes = ' . bytea($delta) . ' GROUP BY 1, 2';
}

# Records whose check bytes differ, or a delta could mean another one of them.
my %checks;

sub new_base
{
	my ($ident) = @_;
	my $record;

	do { $record = new_record($ident) } while $checks{$ident}{ PT621::xor_of($record) }++;
	return $record;
}

my @bases = map { new_base('5001') } 0 .. 2;

{
	my $here = $node->tcp;

	PT621::until_true(sub { defined($number = $node->listener_of($here)) });
	my $there = $node->tcp_where(sub { $_ != $number });

	PT621::put($here, $bases[0]);
	$node->wait_until('SELECT count(*) = 1 FROM pt621.position WHERE frame_seq = (SELECT seq FROM pt621.frame WHERE bytes = ' . bytea($bases[0]) . ')');
	close($here);
	my $as = new_base('5001');
	my $delta = framed(delta($bases[0], $as));

	PT621::put($there, $bases[1] . $delta);
	$node->becomes(resolved($delta, $as), 't||1', 'a delta whose base came by a connection of another listener');

	# Now the base comes later, to a listener that knows nothing of the delta.
	my $later = new_base('5001');
	my $waits = framed(delta($bases[2], $later));

	PT621::put($there, $waits);
	$node->becomes('SELECT error FROM pt621.frame WHERE bytes = ' . bytea($waits), qr/to apply the delta to/, 'a delta that comes before its base is archived');
	$number = $node->listener_of($there);
	my $after = $node->tcp_where(sub { $_ != $number });
	PT621::put($after, $bases[2]);
	$node->becomes(resolved($waits, $later), 't||1',
		'... and read when the base has come to another listener, without anything else that comes', seconds => 20);
	close($_) foreach $there, $after;
}
{
	my $here = udp_where_not('5002', 0);
	my $there = udp_where_not('5002', $node->listener_of($here));
	my @of_5002 = map { new_base('5002') } 0 .. 1;
	my @as = map { new_base('5002') } 0 .. 1;
	my @deltas = map { delta($of_5002[$_], $as[$_]) } 0 .. 1;

	PT621::put($here, $of_5002[0]);
	$node->becomes(archived($of_5002[0]), '1|0', 'a base comes by a datagram');
	PT621::put($there, $deltas[0]);
	$node->becomes(resolved($deltas[0], $as[0]), 't||1', '... and its delta by one that another listener gets');
	PT621::put($there, $deltas[1]);
	$node->becomes('SELECT error FROM pt621.frame WHERE bytes = ' . bytea($deltas[1]), qr/to apply the delta to/, '... a delta comes before its base');
	PT621::put($here, $of_5002[1]);
	$node->becomes(resolved($deltas[1], $as[1]), 't||1', '... and is read when that has come', seconds => 20);
}

# ---------------------------------------------------------------------------
# The same input, whoever gets it and however it is grouped
# ---------------------------------------------------------------------------

# What twelve trackers send in two turns: one list of pieces each.
sub turns
{
	my @turns;

	foreach my $tracker (0 .. 11)
	{
		my $ident = 6000 + $tracker;
		my @texts;

		foreach my $at (0 .. 39)
		{
			my $odometer = 1000 + $at;

			# Not with the check byte of those before, which it could be taken for.
			do
			{
				$texts[$at] = record(
					ident => $ident,
					code => $at % 7 == 3 ? 'IN1' : 'POS',
					flag => $at % 9 == 8 ? 'V' : 'A',
					# Now and then one that is older than the others.
					time => sprintf('%02d%02d%02d.000', $at % 6 == 5 ? 7 : 8, $tracker, $at),
					lat => sprintf('4807.%04d', 10 * $at + $tracker),
					inputs => sprintf('000%d0', $at / 3 % 2),
					odometer => $odometer++,
					driver => $at % 8 == 7 ? "D$at" : '');
			} while grep { $_ >= 0 && PT621::xor_of($texts[$_]) eq PT621::xor_of($texts[$at]) } $at - 3 .. $at - 1;
		}
		foreach my $turn (0, 1)
		{
			my @pieces;

			foreach my $at (20 * $turn .. 20 * $turn + 19)
			{
				# One of the second turn refers to a record of the first.
				my $base = $at == 21 ? 19 : $at - 1;

				push @pieces, $at > 1 && $at % 4 == 1 && $at % 6 != 5 ? framed(delta($texts[$base], $texts[$at])) : $texts[$at];
				push @pieces, $texts[$at] if $at % 10 == 4;
				push @pieces, "\$POS,$ident,no record\r\n" if $at % 10 == 6;
				push @pieces, framed($texts[$at] . $texts[ $at - 1 ]) if $at % 10 == 8;
			}
			push @{ $turns[$turn] }, \@pieces;
		}
	}
	return @turns;
}

# Sends the pieces of the trackers of a turn side by side.
sub send_turn
{
	my ($proto, @trackers) = @_;
	my @sockets = map { $node->connect_tracker(proto => $proto) } @trackers;
	my $bytes = $node->listener('sum(bytes)');

	if ($proto eq 'tcp')
	{
		# Cut anywhere.
		my @streams = map { join('', @$_) } @trackers;

		while (grep { length } @streams)
		{
			PT621::put($sockets[$_], substr($streams[$_], 0, 137, '')) foreach 0 .. $#sockets;
		}
	}
	for (my $at = 0; $proto eq 'udp' && grep { $at < @$_ } @trackers; $at++)
	{
		foreach (grep { $at < @{ $trackers[$_] } } 0 .. $#sockets)
		{
			PT621::put($sockets[$_], $trackers[$_][$at]);
			$bytes += length($trackers[$_][$at]);
		}
		# As many as these fit into any buffer.
		$node->wait_until("SELECT sum(bytes) >= $bytes FROM pt621_stat_worker() WHERE worker = 'listener'") if $at % 4 == 3;
	}
	close($_) foreach @sockets;
	return;
}

# The tables, but for numbers and times of receipt.
my %TABLES = (
	position => q{SELECT d.ident, (to_jsonb(p) - '{device_id,received_at,frame_seq,geom}'::text[])::text, p.geom::text
					FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id ORDER BY d.ident COLLATE "C", p.fix_time, p.code, p.digest},
	frame => q{SELECT ident, transport, bytes, record, error, decoder FROM pt621.frame
				ORDER BY ident COLLATE "C", bytes, record, error},
	device_state => q{SELECT d.ident, s.conflicts,
			(to_jsonb(s) - '{device_id,last_seen,last_conn,last_peer_port,bound_conn,report_interval,detectors,geom}'::text[])::text, s.geom::text
			FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id ORDER BY d.ident COLLATE "C"},
	event => q{SELECT d.ident, (to_jsonb(e) - '{id,device_id,detected_at,late,corrects,geom}'::text[])::text, e.geom::text
			FROM pt621.event e JOIN pt621.device d ON d.id = e.device_id WHERE e.superseded_at IS NULL
			ORDER BY d.ident COLLATE "C", e.at, e.kind, e.object});
my @turns = turns();
my $deltas = grep { /^\xBF\xFB...@/s } map { map { @$_ } @$_ } @turns;
my %expected;

foreach my $run (
	[ 4, 'tcp', 10000, 0 ], [ 4, 'tcp', 7, 50 ], [ 4, 'udp', 10000, 50 ], [ 4, 'udp', 7, 0 ],
	[ 1, 'tcp', 7, 0 ], [ 1, 'tcp', 10000, 50 ], [ 1, 'udp', 7, 50 ], [ 1, 'udp', 10000, 0 ])
{
	my ($count, $proto, $batch_size, $flush_interval) = @$run;
	my $sent = 0;

	if ($count != $workers)
	{
		reopen_with($count, 'pt621.workers' => $count);
		$workers = $count;
	}
	$node->configure('pt621.batch_size' => $batch_size, 'pt621.flush_interval' => $flush_interval);
	$node->settle;
	$node->forget;
	foreach my $turn (@turns)
	{
		send_turn($proto, @$turn);
		$sent += length join('', map { @$_ } @$turn);
		$node->becomes('SELECT sum(length(bytes)) FROM pt621.frame', $sent, "$count listeners, $proto, batches of $batch_size: all is stored");
	}
	$node->becomes('SELECT count(*), count(record) - count(*) FROM pt621.frame WHERE record IS NOT NULL OR error ~ $$delta$$',
		"$deltas|0", '... all deltas have found their bases');
	foreach my $table (sort keys %TABLES)
	{
		# What is archived of a transport names it.
		my $key = $table eq 'position' ? $table : "$table of $proto";
		my $rows = $node->safe_psql('postgres', $TABLES{$table});

		if (!exists $expected{$key})
		{
			$expected{$key} = $rows;
			next;
		}
		ok($rows eq $expected{$key}, "... $table is the same as with other listeners and batches")
		  or diag(first_difference($rows, $expected{$key}));
	}
}

sub first_difference
{
	my @left = split /\n/, shift;
	my @right = split /\n/, shift;
	my $at = 0;

	$at++ while $at < @left && $at < @right && $left[$at] eq $right[$at];
	return sprintf("row %d of %d and %d:\n%s\n%s", $at, scalar @left, scalar @right, $left[$at] // 'none', $right[$at] // 'none');
}

$node->stop;
done_testing();
