# What a change of settings must not cost, what a stop must not wait for, and whose
# rights count when somebody else calls.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PT621->listening('main');

# ---------------------------------------------------------------------------
# The system has taken in bytes, and the port closes because of a setting
# ---------------------------------------------------------------------------

my $pid = $node->listener('pid');
my $tracker = $node->tcp;

PT621::put($tracker, record(ident => '6201', time => '000001.000'));
$node->becomes('SELECT count(*) FROM pt621.position', 1, 'a tracker is connected');
kill 'STOP', $pid;
PT621::put($tracker, record(ident => '6201', time => sprintf('0100%02d.000', $_))) foreach 0 .. 59;
$node->safe_psql('postgres', "ALTER SYSTEM SET pt621.receive_buffer = '128kB'");
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
kill 'CONT', $pid;
$node->becomes('SELECT count(*) FROM pt621.position', 61, 'what the system had taken in before a reload is stored');
$node->wait_open;
is($node->listener('pid'), $pid, '... by the same worker');

# ---------------------------------------------------------------------------
# Deferred triggers of the caller's own
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE ROLE eve LOGIN;
	CREATE SCHEMA eve AUTHORIZATION eve; GRANT USAGE ON SCHEMA eve TO pt621;
	GRANT EXECUTE ON FUNCTION pt621_ingest TO eve});
$node->safe_psql('postgres', q{
	CREATE TABLE eve.own (id integer PRIMARY KEY);
	CREATE TABLE eve.seen (who name);
	GRANT INSERT ON eve.seen TO pt621;
	CREATE FUNCTION eve.who() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN INSERT INTO eve.seen VALUES (current_user); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER who AFTER INSERT ON eve.own
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION eve.who();
	CREATE TABLE eve.child (own integer REFERENCES eve.own DEFERRABLE INITIALLY DEFERRED);
	BEGIN;
	INSERT INTO eve.child VALUES (2);
	INSERT INTO eve.own VALUES (1);
	SELECT pt621_ingest('\x00');
	INSERT INTO eve.own VALUES (2);
	COMMIT},
	extra_params => [ '-U', 'eve' ]);
is($node->safe_psql('postgres', 'SELECT DISTINCT who FROM eve.seen'), 'eve',
	'what a caller has put off runs with the rights of the caller');
is($node->safe_psql('postgres', 'SELECT count(*) FROM eve.child'), 1, '... and is looked at when the caller wants');

# ---------------------------------------------------------------------------
# A batch that takes for ever to be halved, and a stop
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM pg_sleep(0.2); RAISE 'slowly, but no'; END $$;
	CREATE TRIGGER slow AFTER INSERT ON pt621.position FOR EACH STATEMENT EXECUTE FUNCTION public.slow()});
$node->configure('pt621.shutdown_timeout' => '2000');
my $retries = $node->listener('retries');

$node->send_tcp(join('', map { record(ident => '6202', time => sprintf('02%02d%02d.000', $_ / 60, $_ % 60)) } 0 .. 299));
$node->wait_until("SELECT retries > $retries FROM pt621_stat_worker() WHERE worker = 'listener'");
my $began = time();

ok($node->stop('fast', fail_ok => 1), 'a batch is being halved: the server stops');
cmp_ok(time() - $began, '<', 20, '... in time');

done_testing();
