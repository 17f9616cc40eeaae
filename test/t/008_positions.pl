# Which records become rows, and when they were made: what is sent again is
# stored once, what differs is kept, and a clock that is wrong is put right
# where that is certain.
use strict;
use warnings;

use PT621;
use Test::More;

my $node = PT621->listening('main');
my $COUNT = 'SELECT (SELECT count(*) FROM pt621.frame), (SELECT count(*) FROM pt621.position)';

# Waits until so many units are archived, then compares the positions.
sub stores
{
	my ($units, $positions, $name, @pieces) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->forget;
	$node->send_tcp(@pieces);
	return $node->becomes($COUNT, "$units|$positions", $name);
}

my $live = record();
my $stored = record(end => "#\n");

stores(3, 1, 'a record sent three times is one position', $live . $live . $live);
stores(2, 1, 'a live record and its stored copy are one position', $live . $stored);
stores(2, 1, '... whichever came first', $stored . $live);
stores(3, 1, '... framed or not, whatever the line end', framed($live) . record(end => "\n") . record(end => "\r\r"));
stores(2, 1, 'a delta that stands for a record already there adds none', $live . delta($live, $stored));
stores(5, 5, 'records of one second that differ are all kept',
	$live . record(code => 'IN1') . record(speed => '10.01') . record(odometer => '1001') . record(spec => 'x/'));
stores(2, 2, 'two trackers that say the same are two', $live . record(ident => '1002'));
stores(2, 2, 'a leading zero makes another tracker', record(ident => '01') . record(ident => '1'));

# Across batches, connections, transports and a restart.
$node->forget;
$node->send_tcp($live . record(time => '120100.000'));
$node->becomes($COUNT, '2|2', 'two records');
$node->send_udp($stored);
$node->becomes($COUNT, '3|2', '... one sent again by another way');
$node->restart;
$node->wait_open;
$node->send_tcp($live . record(time => '115900.000'));
$node->becomes($COUNT, '5|3', '... and again after a restart, with an older one');
is($node->safe_psql('postgres', 'SELECT stored FROM pt621.position ORDER BY fix_time LIMIT 1 OFFSET 1'),
	'f', '... where the first to come was kept');
is($node->safe_psql('postgres', q{SELECT to_char(fix_time AT TIME ZONE 'UTC', 'HH24:MI') FROM pt621.last_position}),
	'12:01', '... and the last position is the last made, not the last sent');

# A delta that had to wait for its base came before what comes along with that.
my $base = record(time => '120000.000');
my $next = record(time => '120015.000', speed => '11.50');

$node->forget;
my $socket = $node->tcp;
PT621::put($socket, record(time => '115900.000') . delta($base, $next));
$node->becomes('SELECT count(*), count(error) FROM pt621.frame', '2|1', 'a delta waits for its base');
PT621::put($socket, $base . $next =~ s/\r\n$/#\n/r);
$node->becomes($COUNT, '4|3', '... which comes with a stored copy of what the delta stands for');
is($node->safe_psql('postgres', q{SELECT stored FROM pt621.position ORDER BY fix_time DESC LIMIT 1}), 'f', '... and the delta is the one kept');
close($socket);

# The order in which records come changes nothing.
my @records = map
{
	record(
		time => sprintf('10%02d%02d.000', $_ / 20, $_ % 20),
		inputs => $_ % 3 ? '00010' : '00000',
		driver => $_ % 5 ? '' : "D$_",
		flag => $_ % 7 ? 'A' : 'V')
} 0 .. 199;
my $STATE = q{SELECT ROW(fix_time, fix_code, fix_digest, geom, speed_kmh, newest_time, ignition, ignition_time, driver, driver_time)::text
	|| (SELECT md5(string_agg((to_jsonb(p) - 'received_at' - 'frame_seq')::text, '|' ORDER BY fix_time, code, digest)) FROM pt621.position p)
	FROM pt621.device_state};
my $state;

srand(621);
foreach my $order ([ 0 .. 199 ], [ reverse 0 .. 199 ], [ sort { rand() <=> 0.5 } 0 .. 199 ])
{
	my @left = @records[@$order];

	$node->forget;
	while (@left)
	{
		$node->send_tcp(splice(@left, 0, 40));
		$node->wait_until('SELECT count(*) = ' . (200 - @left) . ' FROM pt621.frame');
	}
	$state //= $node->safe_psql('postgres', $STATE);
	is($node->safe_psql('postgres', $STATE), $state, 'positions and state, in another order of arrival');
}

# ---------------------------------------------------------------------------
# When it was made
# ---------------------------------------------------------------------------

# Ingests a record of this date, received at that time, and gives what is kept.
sub made
{
	my ($date, $time, $received) = @_;

	$node->forget;
	$node->safe_psql('postgres', 'SELECT pt621_ingest(' . bytea(record(date => $date, time => $time)) . ", received_at => '$received+00')");
	return $node->safe_psql('postgres', q{
		SELECT to_char(fix_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
			   array_to_string(pt621_quality(quality), ' ') FROM pt621.position});
}

is(made('150324', '120000.000', '2024-03-15 12:00:05'), '2024-03-15 12:00:00|', 'a clock that is right');
is(made('140324', '120000.000', '2024-06-15 12:00:00'), '2024-03-14 12:00:00|', 'a record that comes months late');
is(made('010110', '000000.000', '2024-03-15 12:00:00'), '2010-01-01 00:00:00|', 'the first time that is believed');
is(made('160324', '120000.000', '2024-03-15 12:00:00'), '2024-03-16 12:00:00|', 'a day ahead');
is(made('160324', '120001.000', '2024-03-15 12:00:00'), '2024-03-15 12:00:00|time_of_receipt', '... and a second more');
is(made('060180', '000000.000', '2024-03-15 12:00:00'), '2024-03-15 12:00:00|time_of_receipt', 'a clock in 2080, or 1980');
is(made('010100', '000000.000', '2024-03-15 12:00:00'), '2024-03-15 12:00:00|time_of_receipt', 'a clock in 2000');
is(made('311209', '235959.000', '2024-03-15 12:00:00'), '2024-03-15 12:00:00|time_of_receipt', '... and at the end of 2009');

# 1,024 and 2,048 weeks early: 2024-03-15 is 2004-07-30 and 1984-12-14.
is(made('300704', '120000.000', '2024-03-15 12:00:05'), '2024-03-15 12:00:00|week_rollover', '1,024 weeks early: put right');
is(made('010704', '120000.000', '2024-03-15 12:00:05'), '2024-02-15 12:00:00|week_rollover', '... also when it came a month late');
is(made('300704', '120006.000', '2024-03-15 12:00:05'), '2024-03-15 12:00:05|time_of_receipt', '... but not to a time after its receipt');
is(made('300704', '120000.000', '2024-06-13 12:00:01'), '2024-06-13 12:00:01|time_of_receipt', '... nor to one more than 90 days before');
is(made('150395', '120000.000', '2034-10-30 13:00:00'), '2034-10-30 13:00:00|time_of_receipt', 'a two-digit year is of this century');
is(made('320124', '120000.000', '2024-03-15 12:00:00'), '2024-03-15 12:00:00|date time_of_receipt', 'no such day: the time of receipt');

# What has no time of its own is in no track and no last position.
$node->forget;
$node->safe_psql('postgres', 'SELECT pt621_ingest(' . bytea(record(date => '010100') . record(date => '020100', speed => '1.0')) . ')');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM pt621.position), (SELECT count(*) FROM pt621.last_position), (SELECT count(*) FROM pt621.track)'),
	'2|0|0', 'positions without a time of their own are in no track');
is($node->safe_psql('postgres', 'SELECT last_seen IS NOT NULL FROM pt621.device_state'), 't', '... but their tracker has been seen');

$node->stop;
done_testing();
