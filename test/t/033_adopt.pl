# A tracker that was not let in, and is adopted with all that it sent: the tables
# are what they would be had it been registered from the start, also when it goes
# on sending meanwhile.
use strict;
use warnings;

use IPC::Run;
use PT621;
use Test::More;

my $node = PT621->listening('main');

# All that the tables say of a tracker, but for times, and numbers of units,
# connections and ports, which are others each time; where they refer to each
# other is shown.
my $SAID = q{
	SELECT string_agg(r.said, E'\n' ORDER BY r.said COLLATE "C") FROM (
		SELECT concat_ws(' ', 'frame', f.transport, f.ident, d.ident, f.bytes, f.record, f.error) AS said
		  FROM pt621.frame f LEFT JOIN pt621.device d ON d.id = f.device_id
		UNION ALL
		SELECT concat_ws(' ', 'position', d.ident, f.bytes, to_jsonb(p) - '{device_id,received_at,frame_seq,fix_time}'::text[],
						 CASE WHEN p.quality & 65536 = 0 THEN p.fix_time ELSE 'epoch' END, p.quality & 65536 = 0 OR p.fix_time = f.received_at)
		  FROM pt621.position p
		  JOIN pt621.device d ON d.id = p.device_id
		  LEFT JOIN pt621.frame f ON f.received_at = p.received_at AND f.seq = p.frame_seq
		UNION ALL
		SELECT concat_ws(' ', 'state', d.ident, l.bytes, s.last_seen = l.received_at, s.last_conn = l.conn, s.last_peer_port = l.peer_port,
						 to_jsonb(s) - '{device_id,last_seen,last_conn,last_peer_port,bound_conn,report_interval,conflicts,conflict_at,conflict_conn,conflict_with,conflict_peer,conflict_peer_port}'::text[])
		  FROM pt621.device_state s
		  JOIN pt621.device d ON d.id = s.device_id
		  LEFT JOIN LATERAL (SELECT f.* FROM pt621.frame f WHERE f.ident = d.ident ORDER BY f.received_at DESC, f.seq DESC LIMIT 1) l ON true) r};

# The n-th record of a tracker.  All differ in their check byte, so that a delta
# has one base.
sub nth
{
	my ($ident, $n, %more) = @_;

	return record(
		ident => $ident,
		time => sprintf('12%02d%02d.000', $n / 60, $n % 60),
		odometer => 1000 + $n,
		driver => chr(0x30 + $n),
		%more);
}

# Waits until the listener has stored so many units more than it had.
sub stored
{
	my ($before, $units) = @_;

	$node->wait_until("SELECT units >= $before + $units FROM pt621_stat_worker() WHERE worker = 'listener'");
	return;
}

# ---------------------------------------------------------------------------
# As if it had been there always
# ---------------------------------------------------------------------------

# Two trackers, one of them by three ways.
sub play
{
	my @r = map { nth('2001', $_) } 0 .. 20;
	my $late = nth('2001', 30);
	my ($first, $second, $other) = map { $node->tcp } 1 .. 3;
	my $udp = $node->udp;
	my $units = $node->listener('units');

	$node->put_apart($first, $r[0], framed(delta($r[0], $r[1])), delta($r[1], $r[2]) . $r[3]);
	$node->put_apart($other, nth('2002', 0));
	$node->put_apart($first, framed($r[4] . $r[5] . delta($r[5], $r[6])));
	# Before its base, and before anybody knows whose it is.
	$node->put_apart($second, framed(delta($late, nth('2001', 31))));
	stored($units, 9);
	$node->put_apart($first, "nonsense\r\n" . $r[4]);
	$node->put_apart($second, $late . framed("\$PHD0,4,\xFF\xD8\r\n\r\n"));
	$node->put_apart($udp, $r[7], framed(delta($r[7], $r[8])), $r[9] . $r[10]);
	$node->put_apart($second, nth('2001', 1, time => '999999.999', speed => '') =~ s/\r\n/#\n/r);
	$node->put_apart($other, nth('2002', 1));
	# The second connection has taken the tracker from the first, which ends.
	my $third = $node->tcp;

	# Stored before its connection names a tracker, not only read.
	$node->put_apart($third, framed("\@\x00\x02\x04\x0201"));
	stored($units, 20);
	$node->put_apart($third, nth('2001', 2, code => 'IN1', inputs => '00010', driver => 'abc'));
	close($_) foreach $first, $second, $third, $other, $udp;
	stored($units, 21);
	return;
}

$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('2001'), ('2002')");
play();
my $expected = $node->safe_psql('postgres', $SAID);

is($node->safe_psql('postgres', 'SELECT count(*), count(error), count(record) FROM pt621.frame'), '21|2|5',
	'registered from the start: units, what cannot be read, deltas');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), 17, '... positions');

foreach my $policy ('quarantine', 'reject')
{
	$node->configure('pt621.unknown_devices' => $policy);
	$node->settle;
	foreach my $batch_size (10000, 1)
	{
		$node->forget;
		$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('2002')");
		play();
		is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), 2, "$policy: nothing comes of the stranger");
		$node->configure('pt621.batch_size' => $batch_size);
		is($node->safe_psql('postgres', "SELECT pt621_adopt('2001')"), 15, "... until it is adopted, in transactions of $batch_size");
		is($node->safe_psql('postgres', $SAID), $expected, '... and then all is as if it had been there always');
		$node->configure('pt621.batch_size' => undef);
	}
}
$node->configure('pt621.unknown_devices' => 'quarantine');
$node->settle;

# Deltas go on where the history ends, on whatever connection.
$node->send_tcp(framed(delta(nth('2001', 2, code => 'IN1', inputs => '00010', driver => 'abc'), nth('2001', 40, code => 'IN1', inputs => '00010', driver => 'abc')))
	  . nth('2001', 41));
$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.frame f ON f.seq = p.frame_seq WHERE f.record IS NOT NULL AND p.odometer_m = 1040",
	1, '... deltas that come later find their base in the history');

# ---------------------------------------------------------------------------
# While it goes on sending
# ---------------------------------------------------------------------------

$node->forget;
foreach my $round (1 .. 4)
{
	my $ident = "300$round";
	my @calls = ($round == 3) ? (1 .. 3) : (1);
	my $adopted = 0;

	# Slower than it is adopted, or that would never come to its end.
	$node->start_load($ident, rest => 50_000) foreach 1 .. 2;
	$node->wait_until("SELECT count(*) > 2000 FROM pt621.frame WHERE ident = '$ident'");
	# Others may have added it before.
	$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('$ident')") if $round == 2;
	my @sessions = map {
		my $answer = '';
		[ IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT pt621_adopt('$ident')" ], '>', \$answer), \$answer ]
	} @calls;

	foreach my $session (@sessions)
	{
		$session->[0]->finish;
		$adopted += ${ $session->[1] };
	}
	# Both connections send the same records, so 2,000 units are at least 1,000 of
	# them; those sent again once the device was there are not the adoption's.
	cmp_ok($adopted, '>', 500, "round $round: a tracker is adopted by " . @calls . ' session(s) while it sends');
	# Of what comes after the adoption, some is there.
	my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

	$node->wait_until("SELECT count(*) > 100 FROM pt621.position WHERE received_at > '$now'");
	$node->stop_load;
	$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
	# What comes after all that is stored after it.
	$node->send_tcp(nth("390$round", 0));
	$node->wait_until("SELECT count(*) = 1 FROM pt621.frame WHERE ident = '390$round'");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pt621.frame WHERE ident = '$ident' AND (device_id IS NULL OR error ~ 'pt621.device')"), 0,
		'... no unit of it is left behind');
	is($node->safe_psql('postgres', "SELECT count(*) = count(DISTINCT digest) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '$ident'"),
		't', '... no position is there twice');
	is( $node->safe_psql('postgres', qq{
			SELECT (SELECT count(DISTINCT rtrim(convert_from(f.bytes, 'SQL_ASCII'), E'\\r\\n')) FROM pt621.frame f WHERE f.ident = '$ident' AND f.error IS NULL)
				   - (SELECT count(*) FROM pt621.position p JOIN pt621.frame f ON f.received_at = p.received_at AND f.seq = p.frame_seq WHERE f.ident = '$ident')}),
		0, '... there is one for each distinct record, and each refers to its unit');
	is( $node->safe_psql('postgres', qq{
			SELECT s.fix_time = (SELECT max(fix_time) FROM pt621.position WHERE device_id = d.id AND valid AND quality & 65536 = 0),
				   s.last_seen >= (SELECT max(received_at) FROM pt621.position WHERE device_id = d.id), cardinality(s.bases)
			  FROM pt621.device d JOIN pt621.device_state s ON s.device_id = d.id WHERE d.ident = '$ident'}),
		't|t|8', '... and its state is that of the newest');
}

# ---------------------------------------------------------------------------
# Who waits for whom
# ---------------------------------------------------------------------------

# Starts a statement in a session of its own, and waits until it waits for a lock.
sub waiting
{
	my ($sql) = @_;
	my $answer = '';
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET application_name = 'waiting'; $sql" ], '>', \$answer);

	$node->wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event_type = 'Lock'");
	return sub {
		$session->finish;
		chomp $answer;
		return $answer;
	};
}

sub ingest
{
	return 'SELECT pt621_ingest(' . PT621::bytea(shift) . ')';
}

$node->forget;
$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('4000')");
my $open = $node->background_psql('postgres');

foreach my $case ([ '4001', 0, 'a tracker that it adds' ], [ '4002', 1, 'a tracker that others added meanwhile' ])
{
	my ($ident, $added, $what) = @$case;

	is($open->query_safe('BEGIN; ' . ingest(nth($ident, 0))), 0, 'a stranger is being archived');
	$node->safe_psql('postgres', "INSERT INTO pt621.device (ident) VALUES ('$ident')") if $added;
	my $answer = waiting("SELECT pt621_adopt('$ident')");

	$node->send_tcp(nth('4000', $added));
	$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '4000'", 1 + $added,
		'... whoever adopts it waits, and the listener goes on storing of others');
	$open->query_safe('COMMIT');
	is($answer->(), 1, "... until that is committed: of $what nothing is missed");
}

is($open->query_safe("BEGIN; SELECT pt621_adopt('4003')"), 0, 'a tracker is being adopted');
my $answer = waiting(ingest(nth('4003', 0)));

$node->send_tcp(nth('4000', 2));
$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '4000'", 3,
	'... whoever archives strangers waits, and the listener goes on storing of others');
$open->query_safe('COMMIT');
is($answer->(), 1, '... until that is committed: it is a stranger no more');
$open->query_safe("BEGIN; SELECT pt621_adopt('4004')");
$answer = waiting(ingest(nth('4004', 0)));
$open->query_safe('ROLLBACK');
is($answer->(), 0, '... or rolled back: then it is');
is($node->safe_psql('postgres', "SELECT pt621_adopt('4004')"), 1, '... and can be adopted another time');
$open->quit;

$node->stop;
done_testing();
