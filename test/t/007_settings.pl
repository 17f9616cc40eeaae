# Settings, of the server and of a tracker, take effect while the port is open.
use strict;
use warnings;

use IO::Socket::IP;
use PT621;
use Test::More;

my $node = PT621->listening('main');
my $SEEN = q{
	SELECT (SELECT count(*) FROM pt621.frame), (SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL),
		   (SELECT count(*) FROM pt621.position), (SELECT count(*) FROM pt621.device)};
my $good = record(ident => '1001') . record(ident => '1001', time => '120100.000');
my $bad = "nonsense\r\n";

# Changes settings and waits until the listener reads no more with the old ones.
sub change
{
	$node->configure(@_);
	$node->settle;
	return;
}

# ---------------------------------------------------------------------------
# Who the workers are
# ---------------------------------------------------------------------------

is( $node->safe_psql('postgres', q{
		SELECT backend_type, usename, datname FROM pg_stat_activity WHERE backend_type ~ '^pt621' AND datname IS NOT NULL ORDER BY 1}),
	"pt621 listener|pt621|postgres\npt621 maintenance|pt621|postgres",
	'the workers can be told from others, and those that touch data are the role pt621');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pt621 supervisor' AND datname IS NULL"),
	1, '... while their supervisor is in no database');
is( $node->safe_psql('postgres', q{
		SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = 'pt621'}),
	'f|f|f|f|f', '... which may do nothing beyond');
{
	my $error;

	$node->psql('postgres', 'SELECT 1', extra_params => [ '-U', 'pt621' ], stderr => \$error);
	like($error, qr/too many connections for role "pt621"/, '... and which no client can be');
}

# ---------------------------------------------------------------------------
# What is archived
# ---------------------------------------------------------------------------

foreach my $case ([ 'all', '3|1|2|1' ], [ 'rejected', '1|1|2|1' ], [ 'none', '0|0|2|1' ])
{
	my ($archive, $expected) = @$case;

	change('pt621.archive' => $archive);
	$node->forget;
	$node->send_tcp($bad . $good);
	$node->becomes('SELECT count(*) FROM pt621.position', 2, "archive = $archive: positions are stored");
	is($node->safe_psql('postgres', $SEEN), $expected, '... and what is to be archived');
}
change('pt621.archive' => 'all');

# ---------------------------------------------------------------------------
# Trackers that are not known
# ---------------------------------------------------------------------------

foreach my $case ([ 'register', 'all', '2|0|2|1' ], [ 'quarantine', 'all', '2|2|0|0' ], [ 'reject', 'all', '2|2|0|0' ],
	[ 'quarantine', 'none', '2|2|0|0' ], [ 'reject', 'none', '0|0|0|0' ], [ 'reject', 'rejected', '2|2|0|0' ])
{
	my ($unknown, $archive, $expected) = @$case;

	change('pt621.unknown_devices' => $unknown, 'pt621.archive' => $archive);
	$node->forget;
	my $units = $node->listener('units');

	$node->send_tcp($good);
	$node->wait_until("SELECT units >= $units + 2 FROM pt621_stat_worker() WHERE worker = 'listener'");
	is($node->safe_psql('postgres', $SEEN), $expected, "unknown_devices = $unknown, archive = $archive");
}

# What was quarantined is ingested when somebody has vouched for the tracker.
change('pt621.unknown_devices' => 'quarantine');
$node->forget;
$node->send_tcp($good);
$node->becomes("SELECT count(*) FROM pt621.frame WHERE error ~ 'quarantined'", 2, 'quarantined, with the reason');
is($node->safe_psql('postgres', q{INSERT INTO pt621.device (ident) VALUES ('1001');
		SELECT sum(pt621_ingest(bytes, transport, peer, peer_port, received_at)) FROM pt621.frame WHERE ident = '1001'}),
	2, '... and ingested from there when the tracker is added');
$node->send_tcp(record(ident => '1001', time => '120200.000'), record(ident => '1002'));
$node->becomes('SELECT count(*) FROM pt621.position', 3, '... and then stored at once');
change('pt621.unknown_devices' => 'register', 'pt621.archive' => 'all');

# ---------------------------------------------------------------------------
# Settings of a tracker
# ---------------------------------------------------------------------------

$node->forget;
my $tracker = $node->tcp;
my $minute = 0;

# Sends the next record, by the connection that stays, after a change of its
# tracker; what became of it must be as expected.
sub device_setting
{
	my ($set, $columns, $expected) = @_;
	my $time = sprintf('12%02d00.000', $minute++);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql('postgres', "UPDATE pt621.device SET $set") if $set;
	PT621::put($tracker, record(ident => '1001', time => $time, inputs => '00110', odometer => '1000', gsb => 'a5c'));
	$node->becomes(
		"SELECT coalesce((SELECT ROW($columns)::text FROM pt621.position WHERE to_char(fix_time AT TIME ZONE 'UTC', 'HH24MISS.MS') = '$time'),
			(SELECT error FROM pt621.frame WHERE convert_from(bytes, 'UTF8') ~ '$time' AND error IS NOT NULL))",
		$expected, $set || 'as it is registered');
	return;
}

device_setting('', 'ignition, odometer_m, battery, gsm, satellites', '(t,1000,10,5,12)');
device_setting('ignition_input = 5', 'ignition', '(f)');
device_setting('ignition_input = 3', 'ignition', '(t)');
device_setting('ignition_input = 9', 'ignition', '()');
device_setting('ignition_input = NULL', 'ignition', '()');
device_setting('odometer_factor = 1000', 'odometer_m', '(1000000)');
device_setting('odometer_factor = 0.1', 'odometer_m', '(100)');
device_setting("status_order = 'gsb'", 'battery, gsm, satellites, gsb', '(12,10,5,a5c)');
device_setting('enabled = false', '1', qr/not enabled/);
device_setting('enabled = true', '1', '(1)');
device_setting("allowed_peers = '{10.0.0.0/8}'", '1', qr/allowed_peers/);
device_setting("allowed_peers = '{10.0.0.0/8,127.0.0.0/8}'", '1', '(1)');
device_setting('allowed_peers = NULL', '1', '(1)');
close($tracker);

# ---------------------------------------------------------------------------
# Small batches
# ---------------------------------------------------------------------------

change('pt621.batch_size' => 3, 'pt621.flush_interval' => 0);
$node->forget;
# A batch that was begun before has its size still.
$node->send_tcp(record(ident => '1000', time => '235959.000'));
$node->becomes($SEEN, '1|0|1|1', 'batches of three');
my $batches = $node->listener('batches');
my @records = map { record(ident => 1000 + $_ % 7, time => sprintf('%02d%02d00.000', $_ / 60, $_ % 60)) } 0 .. 399;
my $socket = $node->tcp;

PT621::put($socket, join('', @records[ 0 .. 199 ]));
PT621::put($node->udp, join('', @records[ 200 .. 399 ]));
$node->becomes('SELECT count(*), count(DISTINCT bytes), (SELECT count(*) FROM pt621.position) FROM pt621.frame', '401|401|401',
	'... everything is stored once');
cmp_ok($node->listener('batches') - $batches, '>=', 400 / 3, '... in many transactions');
is($node->safe_psql('postgres', sent_by_peer($socket)), unpack('H*', join('', @records[ 0 .. 199 ])),
	'... and in order');
change('pt621.batch_size' => 10000, 'pt621.flush_interval' => 20);
$node->forget;
$node->send_tcp(join('', @records));
$node->becomes($SEEN, '400|0|400|7', 'large ones again');

# ---------------------------------------------------------------------------
# Where it listens
# ---------------------------------------------------------------------------

my $connection = $node->tcp;
my $port = $node->{trackers_port};

# A port that somebody else has, by TCP or by UDP alone.
foreach my $proto ('tcp', 'udp')
{
	my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Proto => $proto,
		$proto eq 'tcp' ? (Listen => 1) : ());
	my $taken = $other->sockport;

	$node->configure('pt621.port' => $taken);
	$node->listener_is(qr/^closed: .*\b$taken\b.*in use/, "a port that another has by $proto: closed, with the reason");
	ok(PT621::closed_by_server($connection), '... and connections to the old one have ended') if $proto eq 'tcp';
	close($other);
	$node->listener_is('open', '... until it is free', seconds => 15);
	$node->wait_open;
	is($node->{trackers_port}, $taken, '... and then it is that port');
	$node->forget;
	$node->send_tcp($good);
	$node->send_udp(record(ident => '1001', time => '130000.000'));
	$node->becomes($SEEN, '3|0|3|1', '... by TCP and UDP');
}

# Two clusters on one port: the second has to wait.
{
	my $second = PT621->make('second', conf => "pt621.port = $node->{trackers_port}\n");

	$second->create_extension('postgres');
	$second->listener_is(qr/^closed: .*in use/, 'a second server on the same port keeps closed');
	$second->stop;
}

$node->configure('pt621.port' => 0);
$node->wait_until("SELECT port <> $node->{trackers_port} FROM pt621_stat_worker() WHERE worker = 'listener'");
$node->configure('pt621.listen_addresses' => '');
$node->listener_is('closed: pt621.listen_addresses is empty', 'listen_addresses empty: closed');
$node->configure('pt621.listen_addresses' => 'no.such.host.invalid');
$node->listener_is(qr/^closed: could not resolve "no\.such\.host\.invalid"/, 'an unknown host: closed, with the reason');
$node->configure('pt621.listen_addresses' => '127.0.0.1, no.such.host.invalid');
$node->listener_is('open', 'one address of two is enough');
$node->wait_open;
ok($node->connect_tracker(proto => 'tcp'), '... to connect to');
SKIP:
{
	skip 'no IPv6 on this machine', 4 if !has_ipv6();
	$node->configure('pt621.listen_addresses' => '::1');
	$node->listener_is('open', 'IPv6 alone');
	$node->wait_until("SELECT port <> $node->{trackers_port} FROM pt621_stat_worker() WHERE worker = 'listener'");
	$node->wait_open;
	ok(!$node->connect_tracker(proto => 'tcp'), '... has no port for IPv4');
	$node->forget;
	PT621::put($node->tcp(host => '::1'), $good);
	$node->becomes($SEEN, '2|0|2|1', '... and works');
	is($node->safe_psql('postgres', q{SELECT DISTINCT host(peer), family(peer) FROM pt621.frame}), '::1|6', '... with its peer');
}
$node->configure('pt621.listen_addresses' => '127.0.0.1');
PT621::until_true(sub { $node->wait_open; $node->connect_tracker(proto => 'tcp') });

# ---------------------------------------------------------------------------
# How many, and for how long
# ---------------------------------------------------------------------------

# Connections that have named their tracker stay; of the others the oldest goes.
$node->restart_with('pt621.max_connections' => 3);
$node->forget;

my $bound = $node->tcp;

PT621::put($bound, $good);
$node->becomes($SEEN, '2|0|2|1', 'a connection that has named its tracker');
my @idle = ($node->tcp, $node->tcp);

$node->wait_until("SELECT connections = 3 FROM pt621_stat_worker() WHERE worker = 'listener'");
my $fourth = $node->tcp;

ok(PT621::closed_by_server($idle[0]), 'one connection too many: the oldest without a tracker is closed');
PT621::put($idle[1], record(ident => '1002', time => '121000.000'));
PT621::put($fourth, record(ident => '1003', time => '121000.000'));
PT621::put($bound, record(ident => '1001', time => '121000.000'));
$node->becomes($SEEN, '5|0|5|3', '... and the others go on');
my $fifth = $node->tcp;

ok(PT621::closed_by_server($fifth), 'when all have named one, the new connection is closed');
PT621::put($bound, record(ident => '1001', time => '121100.000'));
$node->becomes($SEEN, '6|0|6|3', '... and the others go on');
is($node->listener('connections'), 3, '... and are counted');
close($_) foreach $bound, @idle, $fourth;
$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
$node->restart_with('pt621.max_connections' => 10000);

# Silence.
change('pt621.idle_timeout' => 1);
my $silent = $node->tcp;

PT621::put($silent, record(ident => '1003', end => ''));
ok(PT621::closed_by_server($silent), 'a connection that says nothing for too long is closed');
$node->becomes("SELECT count(*) FROM pt621.device WHERE ident = '1003'", 1, '... and its last record is stored, whose end was missing');

$node->stop;
done_testing();
