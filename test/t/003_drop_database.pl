# Databases are created, dropped, renamed and copied while the workers run: no
# other database waits for them, and their own gives way when it is asked to.
use strict;
use warnings;

use PT621;
use Test::More;

my $node = PT621->make('main', conf => "pt621.database = 'fleet'\n");

# Runs statements outside of a transaction, within a bound.
sub runs
{
	my ($sql, $name, %options) = @_;
	my $error;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $status = $node->psql($options{database} // 'postgres',
		"SET client_min_messages = warning; SET statement_timeout = '30s';\n$sql",
		on_error_stop => 1, stderr => \$error);

	return ok($status == 0, $name) || diag($error);
}

# So that the workers can be asked about from here.
$node->create_extension('postgres');
$node->listener_is('gone', 'no database: no listener');
is( $node->safe_psql('postgres', "SELECT state, reason FROM pt621_stat_worker() WHERE worker = 'supervisor'"),
	'closed|the database that pt621.database names does not exist', '... and the supervisor says why');
$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->create_extension('fleet');
$node->listener_is('open', 'the database comes: the port opens', seconds => 15);
$node->wait_open;

# Other databases: idle, and with trackers sending without a pause.
runs("CREATE DATABASE a; DROP DATABASE a; CREATE DATABASE a; ALTER DATABASE a RENAME TO b; DROP DATABASE b",
	'other databases come and go while the listener is idle');
$node->keep_port;
$node->start_load($_) foreach '9001', '9002', '9003';
$node->wait_until('SELECT count(*) > 100 FROM pt621.frame', database => 'fleet');
foreach my $round (1 .. 3)
{
	runs('CREATE DATABASE a; DROP DATABASE a', "... and under load, round $round");
}

# Its own, under load: with (FORCE) it goes.
runs('DROP DATABASE fleet WITH (FORCE)', 'its own database falls to DROP ... WITH (FORCE) under load');
$node->stop_load;
$node->listener_is('gone', '... and the listener with it');
$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->create_extension('fleet');
$node->listener_is('open', '... until the database is back', seconds => 15);
runs('DROP DATABASE fleet WITH (FORCE)', 'and idle');
$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->create_extension('fleet');
$node->listener_is('open', '... and back', seconds => 15);
$node->wait_open;
$node->send_tcp(record());
$node->becomes('SELECT count(*) FROM pt621.position', 1, '... and stored', database => 'fleet');

# pt621_pause() disconnects the workers, also while trackers send.
$node->start_load('9001');
$node->wait_until('SELECT count(*) > 100 FROM pt621.frame', database => 'fleet');
is($node->safe_psql('fleet', 'SELECT pt621_pause()'), 't', 'pt621_pause() under load says that the workers are gone');
$node->stop_load;
$node->safe_psql('fleet', 'SELECT pt621_resume()');
$node->listener_is('open', '... and they come back', seconds => 15);
$node->safe_psql('fleet', q{
	TRUNCATE pt621.frame; DELETE FROM pt621.position; DELETE FROM pt621.device_state; DELETE FROM pt621.device});
$node->wait_open;
$node->send_tcp(record());
$node->becomes('SELECT count(*) FROM pt621.position', 1, '... and store', database => 'fleet');
is($node->safe_psql('fleet', 'SELECT pt621_pause()'), 't', 'pt621_pause() says that the workers are gone');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'fleet'"),
	0, '... and they are');
ok(!$node->connect_tracker(proto => 'tcp'), '... and the port is closed');
$node->becomes("SELECT state, reason FROM pt621_stat_worker() WHERE worker = 'supervisor'",
	qr/^paused\|.*pt621_resume/, '... and the supervisor says how to end it');
runs('CREATE DATABASE copy TEMPLATE fleet', 'a paused database can be copied');
runs('ALTER DATABASE fleet RENAME TO moved; ALTER DATABASE moved RENAME TO fleet', '... and renamed');
runs('ALTER DATABASE fleet RENAME TO moved; DROP DATABASE moved; CREATE DATABASE fleet TEMPLATE copy',
	'... and dropped');

# It is the copy that they come back to: one that nobody has declared complete.
$node->safe_psql('postgres', 'SELECT pt621_resume()');
$node->listener_is(qr/^closed: the tables were restored or copied and not declared complete: SELECT pt621_ready\(\)/,
	'pt621_resume() brings the workers back; a copy is not stored to by itself', seconds => 15);
$node->safe_psql('fleet', 'SELECT pt621_ready()');
$node->listener_is('open', '... but when it is declared complete', seconds => 15);
$node->wait_open;
$node->send_tcp(record(time => '120100.000'));
$node->becomes('SELECT count(*) FROM pt621.position', 2, '... and has what was there and what comes',
	database => 'fleet');
is($node->safe_psql('fleet', 'SELECT count(*) FROM pt621.device'), 1, '... of the same tracker');

# Whoever may not change the server may not stop it either.
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
foreach my $call ('pt621_pause()', 'pt621_resume()', 'pt621_ready()', 'pt621_ingest(NULL)')
{
	my $error;

	$node->psql('postgres', "SET ROLE nobody; SELECT $call", stderr => \$error);
	like($error, qr/permission denied/, "$call is not for everybody");
}

# A pause ends with the server.
is($node->safe_psql('postgres', 'SELECT pt621_pause()'), 't', 'paused again');
$node->restart;
$node->listener_is('open', 'a restart ends the pause', seconds => 15);

$node->stop;
done_testing();
