# A standby listens to nobody and decodes all the same; when it is promoted it
# opens its own port and takes up the trackers where the primary left them.  A
# cluster restored from a backup sends what was ordered, unless it is told.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('primary', conf => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n");
my $CHAIN = q{
	SELECT string_agg(to_char(fix_time AT TIME ZONE 'UTC', 'HH24:MI:SS '), '' ORDER BY fix_time) FROM pt621.position};

$node->create_extension('postgres');
$node->wait_open;
$node->send_tcp(chain(1, 5));
$node->becomes('SELECT count(*) FROM pt621.position', 5, 'the primary stores');

my @ordered = split /\n/, $node->safe_psql('postgres', q{
	INSERT INTO pt621.device (ident) VALUES ('3001'), ('3002');
	SELECT pt621_send(id, 'reboot') FROM pt621.device WHERE ident IN ('3001', '3002') ORDER BY ident});

# The standby has a port of its own, on which nobody else listens.
$node->backup('base');
my $standby = PT621->new('standby');
my $port = PostgreSQL::Test::Cluster::get_free_port();

$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "pt621.port = $port\n");
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery(), count(*) FROM pt621.position'), 't|5', 'the standby has it');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^pt621'"), 0,
	'... and no worker of ours');
foreach my $attempt (1 .. 3)
{
	ok(!$standby->connect_tracker(proto => 'tcp', port => $port), "... so that trackers are refused, $attempt");
	# Whoever came to it by mistake: the primary has the record again and the
	# standby follows it.
	$node->send_tcp(record(ident => '2001', time => "12000$attempt.000"));
	$standby->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '2001'",
		$attempt, '... while what the primary stores arrives');
}
is($standby->safe_psql('postgres', "SELECT count(*) FROM pt621_stat_worker() WHERE state = 'open' OR port IS NOT NULL"), 0,
	'... pt621_stat_worker() shows no open port');
is($standby->safe_psql('postgres', 'SELECT ident, code, error IS NULL FROM pt621_decode(' . bytea(record(ident => '2002')) . ')'),
	'2002|POS|t', '... pt621_decode() works');
my ($status, undef, $error) = $standby->psql('postgres', 'SELECT pt621_ingest(' . bytea(record(ident => '2002')) . ')');
isnt($status, 0, '... pt621_ingest() does not');
like($error, qr/read-only transaction|recovery/, '... and says why');

# A restarted standby is none the wiser.
$standby->restart;
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^pt621'"), 0,
	'restarted: still no worker');
ok(!$standby->connect_tracker(proto => 'tcp', port => $port), '... and no port');

# Promotion.
$node->wait_for_catchup($standby);
$node->stop('immediate');
$standby->promote;
$standby->listener_is('open', 'promoted: the port opens', seconds => 30);
$standby->wait_open;
is($standby->{trackers_port}, $port, '... and is its own');
{
	# The bases are those that the primary stored.
	my $socket = $standby->tcp;

	$standby->put_apart($socket, chain(2, 2), chain(6, 8));
	$standby->becomes("$CHAIN WHERE device_id = (SELECT id FROM pt621.device WHERE ident = '3760971')",
		'14:56:37 14:56:48 14:57:03 14:57:18 14:57:33 14:57:48 14:58:03 14:58:18 ',
		'... where a delta finds its base in what the primary stored');
}
$standby->send_udp(record(ident => '2001', time => '120003.000'), record(ident => '2001', time => '120004.000'));
$standby->becomes("SELECT count(*) FROM pt621.frame WHERE ident = '2001'", 5, '... a tracker that sends its last record again');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '2001'"),
	4, '... has it once');
$standby->send_tcp(record(ident => '2003'));
$standby->becomes("SELECT count(*) FROM pt621.device WHERE ident = '2003'", 1, '... and a new one is registered');
is($standby->safe_psql('postgres', 'SELECT count(*), count(DISTINCT (received_at, seq)), count(DISTINCT seq) = count(*) FROM pt621.frame'),
	'15|15|t', '... under numbers that the primary had not given');

$standby->stop;

# Restored from the same backup, without recovery from anything else.
my %restored;

foreach my $name ('told', 'untold')
{
	$restored{$name} = PT621->new($name);
	$restored{$name}->init_from_backup($node, 'base');
	$restored{$name}->append_conf('postgresql.conf', "pt621.listen_addresses = ''\n") if $name eq 'told';
	$restored{$name}->start;
}

# As a new one reports: from then on it is sent what there is for it.
sub comes
{
	my ($name, $ident) = @_;
	my $socket = $restored{$name}->tcp;

	PT621::put($socket, record(ident => $ident));
	return $socket;
}

$restored{untold}->wait_open;
is(PT621::heard(comes('untold', '3001')), '#RST', 'a cluster restored from a backup opens by itself, and sends what was ordered');
$restored{untold}->stop;

my ($before, $ready) = slurp_file(($ENV{TESTDIR} || '.') . '/README.md') =~
  /^  A cluster restored from a physical backup is not told from the original: start it with `(pt621.listen_addresses = '')`, and first\n  `([^`]+)`\.$/m;
is($before, "pt621.listen_addresses = ''", 'README.md says what is to be done first');
$restored{told}->safe_psql('postgres', $ready);
is($restored{told}->safe_psql('postgres', "SELECT string_agg(state, ' ') FROM pt621.command WHERE id IN (" . join(', ', @ordered) . ')'),
	'cancelled cancelled', '... and that what was ordered is cancelled then');
$restored{told}->configure('pt621.listen_addresses' => '127.0.0.1');
$restored{told}->wait_open;
my $socket = comes('told', '3001');

$restored{told}->safe_psql('postgres', q{SELECT pt621_send(id, 'version') FROM pt621.device WHERE ident = '3001'});
is(PT621::heard($socket), '#VER', '... what is ordered from then on is sent, and nothing else');
$restored{told}->stop;
done_testing();
