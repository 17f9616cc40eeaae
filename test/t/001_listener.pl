# What trackers send to the port becomes rows: whatever the transport, however
# the bytes were cut, and with deltas whose base comes late, earlier on another
# connection, or before a restart of the server.
use strict;
use warnings;

use PT621;
use Test::More;

my $node = PT621->listening('main');

# Of a record without a plausible time the time is that of receipt, which is
# another one each time.
my $POSITIONS = q{
	SELECT string_agg(ROW(
		d.ident, CASE WHEN p.quality & 65536 = 0 THEN extract(epoch FROM p.fix_time) END,
		p.code, p.digest, encode(ST_AsEWKB(p.geom), 'hex'), p.valid, p.stored, p.speed_kmh,
		p.course, p.inputs, p.outputs, p.ignition, p.adc, p.odometer_m, p.driver, p.battery,
		p.gsm, p.satellites, p.gsb, p.spec, p.quality)::text, E'\n'
		ORDER BY d.ident, p.code, p.digest)
	  FROM pt621.position p
	  JOIN pt621.device d ON d.id = p.device_id};
my $UNITS = q{
	SELECT string_agg(ROW(f.ident, f.bytes, f.record, f.error, d.ident)::text, E'\n'
		ORDER BY f.bytes, f.error)
	  FROM pt621.frame f
	  LEFT JOIN pt621.device d ON d.id = f.device_id};

# Times and courses of the forum's chain, in the order of the times.
my $CHAIN = q{
	SELECT string_agg(to_char(fix_time AT TIME ZONE 'UTC', 'HH24:MI:SS ') || coalesce(course::text, '-'),
					  ', ' ORDER BY fix_time)
	  FROM pt621.position};
my $CHAIN_ANSWER = '14:56:37 119.5, 14:56:48 119.5, 14:57:03 119.5, 14:57:18 119.5,'
  . ' 14:57:33 119.5, 14:57:48 -, 14:58:03 119.5, 14:58:18 119.5';

# ---------------------------------------------------------------------------
# Captured frames: the port stores what pt621_ingest() stores
# ---------------------------------------------------------------------------

# A status knows its tracker by the IMEI, if a record has made it known before.
my @frames = grep { $_->[0] !~ /^FORUM/ } captured();
my @statuses = grep { $_->[1] =~ /\$FUS/ } @frames;
my @others = grep { $_->[1] !~ /\$FUS/ } @frames;

$node->safe_psql('postgres', 'CREATE DATABASE reference');
$node->create_extension('reference');
$node->safe_psql('reference',
	join('', map { 'SELECT pt621_ingest(' . bytea($_->[1]) . ');' } @others, @statuses));

my $positions = $node->safe_psql('reference', $POSITIONS);
my $units = $node->safe_psql('reference', $UNITS);

cmp_ok(scalar(() = $positions =~ /^\(/mg), '>=', 20, 'pt621_ingest() stores the captured frames');

foreach my $way ([ 'tcp', '127.0.0.1' ], [ 'udp', '127.0.0.1' ], [ 'tcp', '::1' ], [ 'udp', '::1' ])
{
	my ($proto, $host) = @$way;

  SKIP:
	{
		if ($host eq '::1')
		{
			skip 'no IPv6 on this machine', 3 if !has_ipv6();
			$node->configure('pt621.listen_addresses' => '127.0.0.1, ::1');
			$node->wait_until(
				"SELECT port <> $node->{trackers_port} FROM pt621_stat_worker() WHERE worker = 'listener'")
			  if $proto eq 'tcp';
			$node->wait_open;
		}
		$node->forget;
		foreach my $part (\@others, \@statuses)
		{
			my $bytes = $node->listener('bytes');

			foreach my $frame (@$part)
			{
				my $socket = $node->connect_tracker(proto => $proto, host => $host);

				PT621::put($socket, $frame->[1]);
				close($socket);
				$bytes += length($frame->[1]);
			}
			$node->wait_until("SELECT bytes >= $bytes FROM pt621_stat_worker() WHERE worker = 'listener'");
		}
		$node->becomes($POSITIONS, $positions, "$proto to $host: the same positions");
		$node->becomes($UNITS, $units, "$proto to $host: the same archive");
		is( $node->safe_psql('postgres',
				"SELECT DISTINCT transport, host(peer), peer_port > 0 FROM pt621.frame"),
			"$proto|$host|t", "$proto to $host: the archive says where it came from");
	}
}

# ---------------------------------------------------------------------------
# Deltas
# ---------------------------------------------------------------------------

$node->forget;
{
	my $socket = $node->tcp;

	$node->put_apart($socket, chain(1, 8));
	$node->becomes($CHAIN, $CHAIN_ANSWER, 'a chain of deltas by one connection, a base late');
	is($node->safe_psql('postgres', 'SELECT count(*), count(error), count(record), count(DISTINCT conn) FROM pt621.frame'),
		'8|0|4|1', '... and the archive has what the deltas stand for');
}

$node->forget;
$node->send_udp(chain(1, 8));
$node->becomes($CHAIN, $CHAIN_ANSWER, 'the same as datagrams');

$node->forget;
{
	my $socket = $node->tcp;

	$node->put_apart($socket, join('', chain(1, 2)));
	close($socket);
	$socket = $node->tcp;
	$node->put_apart($socket, chain(3, 8));
	$node->becomes($CHAIN, $CHAIN_ANSWER, 'the same with a new connection that starts with a delta');
}

# The bases are those of an earlier connection, and the tracker is named last.
$node->forget;
$node->send_tcp(chain(1, 5));
$node->becomes('SELECT count(*) FROM pt621.position', 5, 'first connection of two stored');
{
	my $socket = $node->tcp;

	$node->put_apart($socket, chain(6, 8));
	$node->becomes("SELECT count(*) FROM pt621.frame WHERE error ~ 'not named'", 3,
		'deltas of nobody are in the archive with the reason');
	$node->put_apart($socket, chain(2, 2));
	$node->becomes($CHAIN, $CHAIN_ANSWER, 'deltas before anything that names the tracker');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'),
		0, '... and the archive no longer has a reason for them');
}

# Across a restart: the bases are in pt621.device_state.
$node->forget;
$node->send_tcp(chain(1, 5));
$node->becomes('SELECT count(*) FROM pt621.position', 5, 'before the restart');
$node->restart;
$node->wait_open;
{
	my $socket = $node->tcp;

	$node->put_apart($socket, chain(2, 2), chain(6, 8));
	$node->becomes($CHAIN, $CHAIN_ANSWER, 'a delta finds its base across a restart of the server');
}

# ---------------------------------------------------------------------------
# Cuts and silence
# ---------------------------------------------------------------------------

my $one = record(ident => '2001', time => '100000.000');
my $two = record(ident => '2001', time => '100100.000', inputs => '00010');
my $three = record(ident => '2001', time => '100200.000', end => "#\n");
my $four = record(ident => '2001', time => '100300.000', speed => '0.0');
my $five = record(ident => '2001', time => '100400.000', code => 'IN1');

# Silence ends a unit that may be complete.  Of these none is.
$node->forget;
$node->configure('pt621.unit_timeout' => 1);
$node->settle;
{
	my $socket = $node->tcp;

	$node->put_apart($socket, $one =~ /(.{1,17})/sg);
	$node->becomes('SELECT count(*) FROM pt621.position', 1, 'silence does not end a record');
	is($node->safe_psql("postgres", "SELECT bytes FROM pt621.frame"), "\\x" . unpack("H*", $one),
		"... and it is one unit");
}

# With time to spare the cuts may lie anywhere.
$node->configure('pt621.unit_timeout' => 60000);
$node->settle;
my $stream =
	$one
  . framed($two)
  . delta($two, $three)
  . "\r\nnoise"
  . framed(delta($three, $four) . $five)
  . $five;

$node->safe_psql('reference',
	'TRUNCATE pt621.position, pt621.frame, pt621.device_state, pt621.device RESTART IDENTITY;'
	  . 'SELECT pt621_ingest(' . bytea($stream) . ')');
$positions = $node->safe_psql('reference', $POSITIONS);
$units = $node->safe_psql('reference', $UNITS);
is($node->safe_psql('reference', 'SELECT count(*) FROM pt621.position'), 5, 'the stream that is cut has all kinds');
srand(621);
foreach my $round (1 .. 3)
{
	my $socket = $node->tcp;
	my %cut = map { 1 + int(rand(length($stream) - 1)) => 1 } 1 .. 8;
	my @pieces;
	my $at = 0;

	$node->forget;
	foreach my $end ((sort { $a <=> $b } keys %cut), length($stream))
	{
		push @pieces, substr($stream, $at, $end - $at);
		$at = $end;
	}
	$node->put_apart($socket, @pieces);
	close($socket);
	$node->becomes($POSITIONS, $positions, "cuts, round $round: the same positions");
	$node->becomes($UNITS, $units, "cuts, round $round: the same units");
}

$node->configure('pt621.unit_timeout' => 200);
$node->settle;
$node->forget;
{
	my $socket = $node->tcp;

	$node->put_apart($socket, $one . delta($one, $two));
	$node->becomes('SELECT count(*) FROM pt621.position', 2, 'silence ends a delta; the connection stays');
	$node->put_apart($socket, delta($two, $three));
	$node->becomes('SELECT count(*) FROM pt621.position', 3, '... and the next one has its base');
}

# ---------------------------------------------------------------------------
# Nothing is lost: the archive of a connection is what was sent
# ---------------------------------------------------------------------------

# One random piece of a stream: good and bad units, cut short, or noise.
sub random_piece
{
	my ($ident) = @_;
	my $kind = int(rand(9));
	my $time = sprintf('%02d%02d%02d.000', rand(24), rand(60), rand(60));
	my $record = record(ident => $ident, time => $time);

	return $record if $kind <= 1;
	return framed($record) if $kind == 2;
	return framed($record . $record) if $kind == 3;
	return substr($record, 0, rand(length($record))) if $kind == 4;
	return substr(framed($record), 0, rand(length($record))) if $kind == 5;
	return delta($record, record(ident => $ident, time => '235959.000')) if $kind == 6;
	return "\r\n" x int(rand(4)) . ('@$', "\xBF\xFB", "\xBF", '', "\n\r")[ rand(5) ] if $kind == 7;
	return pack('C*', map { int(rand(256)) } 0 .. rand(1500));
}

$node->forget;
{
	my (@sockets, @streams);

	foreach my $i (0 .. 24)
	{
		my $bytes = '';

		$bytes .= random_piece("30$i") while length($bytes) < 6000;
		push @streams, $bytes;
		push @sockets, $node->tcp;
	}

	my @at = (0) x @streams;
	my @left = 0 .. $#streams;

	while (@left)
	{
		my $n = int(rand(@left));
		my $i = $left[$n];
		my $piece = substr($streams[$i], $at[$i], 1 + int(rand(900)));

		PT621::put($sockets[$i], $piece);
		$at[$i] += length($piece);
		splice(@left, $n, 1) if $at[$i] == length($streams[$i]);
	}

	my @asked = map { [ $_, sent_by_peer($sockets[$_]) ] } 0 .. $#sockets;

	close($_) foreach @sockets;
	foreach my $ask (@asked)
	{
		$node->becomes($ask->[1], unpack('H*', $streams[ $ask->[0] ]),
			"stream $ask->[0]: the archive has every byte in order");
	}
}

# Of datagrams each is whole.
$node->forget;
{
	my $socket = $node->udp;
	my $sent = '';

	foreach (1 .. 100)
	{
		my $datagram = random_piece('4001');

		next if length($datagram) == 0;
		PT621::put($socket, $datagram);
		$sent .= $datagram;
	}
	$node->becomes(sent_by_peer($socket), unpack('H*', $sent), 'datagrams: the archive has every byte in order');
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT conn) FROM pt621.frame'), 1,
		'... and they have the number of their path');
}

is($node->listener('retries'), 0, 'none of it was tried twice');
$node->stop;
done_testing();
