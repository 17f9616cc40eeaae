# Trackers whose clocks are wrong by decades: their records have the time of
# receipt, or the right one where the error is that of the GPS week; nobody's
# claim makes a partition, and no good tracker is the worse for it.
# (test 008 has the rule to the second.)
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');
my $PARTITIONS = q{
	SELECT string_agg(inhrelid::regclass::text || ' ' || pg_get_expr(relpartbound, inhrelid), E'\n' ORDER BY inhrelid::regclass::text)
	  FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
	 WHERE inhparent IN ('pt621.position'::regclass, 'pt621.frame'::regclass)};
my $partitions = $node->safe_psql('postgres', $PARTITIONS);

# Date and time as a tracker writes them, this interval after now: (date, time).
sub at
{
	my ($interval) = @_;

	return map { $_->[0], "$_->[1].000" } [ split / /, $node->safe_psql('postgres',
		"SELECT to_char((now() + interval '$interval') AT TIME ZONE 'UTC', 'DDMMYY HH24MISS')") ];
}

# What became of a tracker's records: times rounded to how they came about.
sub stored
{
	my ($ident) = @_;

	return qq{
		SELECT string_agg(concat_ws(' ',
			CASE WHEN p.fix_time = p.received_at THEN 'receipt'
				 WHEN p.fix_time BETWEEN p.received_at - interval '2 hours' AND p.received_at THEN 'lately'
				 ELSE to_char(p.fix_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') END,
			(SELECT string_agg(name, ' ') FROM (VALUES (65536, 'time_of_receipt'), (131072, 'week_rollover')) bit (n, name)
			  WHERE p.quality & n <> 0)), ', ' ORDER BY p.frame_seq)
		  FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id
		 WHERE d.ident = '$ident'};
}

# What is expected of a clock that is slow by so many days and an hour: it is put
# right as long as its time is one that cannot be, which is before 2010.
sub slow
{
	my ($days) = @_;
	my $then = $node->safe_psql('postgres', "SELECT to_char((now() - interval '$days days 1 hour') AT TIME ZONE 'UTC', 'YYYY-MM-DD')");

	return (at("-$days days -1 hour"), $then lt '2010' ? 'lately week_rollover' : $then);
}

my %clock = (
	# A year of two digits: 80 is 2080, or what was left of 1980.
	'1001' => [ 'in 1980, or 2080', '060180', '000000.000', 'receipt time_of_receipt' ],
	'1002' => [ '... at the end of it', '311280', '235959.000', 'receipt time_of_receipt' ],
	'1003' => [ 'in 2000', '010100', '000000.000', 'receipt time_of_receipt' ],
	'1004' => [ 'in 2009', '140209', '120000.000', 'receipt time_of_receipt' ],
	'1005' => [ 'two days fast', at('2 days'), 'receipt time_of_receipt' ],
	'1006' => [ 'in 2099', '311299', '235959.000', 'receipt time_of_receipt' ],
	'1007' => [ '1,024 weeks slow', slow(7168) ],
	# Those of 39 years ago have two digits that are 61 years ahead.
	'1008' => [ '2,048 weeks slow', slow(14336) ],
	'1009' => [ 'in 2012, which is possible', '150312', '120000.000', '2012-03-15' ],
	'1010' => [ 'of no day at all', '999999', '999999.999', 'receipt time_of_receipt' ]);
my $good = $node->tcp;
my ($date, $time) = at('-1 hour');

PT621::put($good, record(ident => '2000', date => $date, time => $time));
foreach my $ident (sort keys %clock)
{
	my ($name, $wrong_date, $wrong_time, $expected) = @{ $clock{$ident} };
	my $record = record(ident => $ident, date => $wrong_date, time => $wrong_time);

	# By both transports, which is the same record only where its time is its own.
	$node->send_tcp($record);
	$node->becomes(stored($ident), $expected, "a clock $name");
	$node->send_udp($record);
	$node->becomes("SELECT count(*) FROM pt621.frame WHERE ident = '$ident'", 2, '... archived as often as it came');
}
is($node->safe_psql('postgres', 'SELECT count(error) FROM pt621.frame'), 0, 'none of them is an error');

# One tracker, whose clock jumps: the wrong times do not outlive it.
my $odd = $node->tcp;

($date, $time) = at('-10 minutes');
PT621::put($odd, record(ident => '3000', date => '060180', time => '000001.000'));
$node->becomes(stored('3000'), 'receipt time_of_receipt', 'a clock in 1980');
PT621::put($odd, record(ident => '3000', date => $date, time => $time));
$node->becomes(stored('3000'), 'receipt time_of_receipt, lately', '... then right');
is( $node->safe_psql('postgres', q{
		SELECT p.fix_time = (SELECT max(fix_time) FROM pt621.position q WHERE q.device_id = p.device_id AND q.quality & 65536 = 0)
		  FROM pt621.last_position p WHERE p.ident = '3000'}),
	't', '... is at its last position when it is right');
PT621::put($odd, record(ident => '3000', date => '060180', time => '000002.000'));
$node->becomes(stored('3000'), 'receipt time_of_receipt, lately, receipt time_of_receipt', '... then in 1980 again');
is( $node->safe_psql('postgres', q{
		SELECT p.fix_time = (SELECT max(fix_time) FROM pt621.position q WHERE q.device_id = p.device_id AND q.quality & 65536 = 0)
		  FROM pt621.last_position p WHERE p.ident = '3000'}),
	't', '... and is where it was');

# Deltas of such a clock are as good as its records.  One that jumps by decades
# fits its base no better than by chance: it is kept, with the reason.
my ($base, @next) = map { record(ident => '4000', date => '060180', time => "00000$_.000") } 1 .. 3;
my $right = record(ident => '4000', date => $date, time => $time);

$node->put_apart($odd = $node->tcp, $base, framed(delta($base, $next[0])), framed(delta($next[0], $next[1])));
$node->becomes(stored('4000'), join(', ', ('receipt time_of_receipt') x 3), 'deltas of a clock in 1980');
$node->put_apart($odd, framed(delta($next[1], $right)));
$node->becomes('SELECT count(*), count(device_id) FROM pt621.frame WHERE error IS NOT NULL', qr/^1\|/,
	'... one that puts it right by a delta: archived, with the reason');
$node->put_apart($odd, $right);
$node->becomes(stored('4000'), qr/, lately\z/, '... and with the next record all is well');

# Partitions are as they were, also when they have been looked after.
is($node->safe_psql('postgres', 'SELECT pt621_maintain()'), 0, 'no partition is due');
is($node->safe_psql('postgres', $PARTITIONS), $partitions, '... and all are as they were');
is($node->safe_psql('postgres', 'SELECT to_char(fix_time, $$YYYY$$) FROM ONLY pt621.position_default'), '2012',
	'... the default one has what is possible and of no month around now');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ONLY pt621.frame_default'), 0, '... and nothing of what was received');

# Nobody else is the worse for it.
($date, $time) = at('-5 minutes');
PT621::put($good, record(ident => '2000', date => $date, time => $time));
$node->becomes(stored('2000'), 'lately, lately', 'a good tracker is served as before');
is($node->listener('retries'), 0, '... and nothing had to be tried twice');

$node->stop;
done_testing();
