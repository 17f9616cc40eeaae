# What goes wrong while storing: a unit that cannot be stored is archived alone
# with the reason, a server that cannot store loses nothing, and nobody becomes
# more than he is by it.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main', conf => "restart_after_crash = on\n");

$node->safe_psql('postgres', 'CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO pt621');

# Records of one tracker, one a second; some with another code.
sub records
{
	my ($ident, $count, %code) = @_;

	return join '', map
	{
		record(
			ident => $ident,
			code => $code{$_} // 'POS',
			time => sprintf('%02d%02d%02d.000', $_ / 3600, $_ / 60 % 60, $_ % 60))
	} 0 .. $count - 1;
}

# Makes a trigger of this body on pt621.position.
sub trigger
{
	my ($body, $kind) = @_;

	$node->safe_psql('postgres', qq{
		DROP TRIGGER IF EXISTS mine ON pt621.position;
		CREATE OR REPLACE FUNCTION mine.trigger() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
			$body
			RETURN NULL;
		END \$\$;
		} . ($kind // 'CREATE TRIGGER mine AFTER INSERT ON pt621.position')
		  . ' FOR EACH ROW EXECUTE FUNCTION mine.trigger()');
	return;
}

my $NUMBERS = 'SELECT (SELECT count(*) FROM pt621.frame), (SELECT count(*) FROM pt621.position)';
my $ERRORS = "SELECT string_agg(substr(encode(bytes, 'escape'), 2, 3) || ' ' || coalesce(error, ''), E'\\n') FROM pt621.frame WHERE error IS NOT NULL";

# ---------------------------------------------------------------------------
# A user's trigger does not want a record
# ---------------------------------------------------------------------------

trigger(q{IF NEW.code = 'IN2' THEN RAISE EXCEPTION 'no % here', NEW.code USING ERRCODE = 'MY001'; END IF;});
$node->send_tcp(records('5001', 300, 177 => 'IN2'));
$node->becomes($NUMBERS, '300|299', 'a trigger raises for one record: the others are stored');
like($node->safe_psql('postgres', $ERRORS),
	qr/^IN2 MY001: no IN2 here; [^\n]*mine\.trigger\(\)/, '... and that one is archived with the error and who raised it');
is($node->safe_psql('postgres', q{SELECT bytes FROM pt621.frame WHERE error IS NOT NULL}),
	'\x' . unpack('H*', (records('5001', 300, 177 => 'IN2') =~ /(\$IN2.*?\n)/s)[0]), '... byte for byte');

# At commit, where nothing catches it.
$node->forget;
trigger(q{IF NEW.code IN ('IN2', 'IN3') THEN RAISE EXCEPTION 'not at commit either' USING ERRCODE = 'MY002'; END IF;},
	'CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON pt621.position DEFERRABLE INITIALLY DEFERRED');
$node->send_udp(record(ident => '5002', code => 'IN2'));
$node->send_tcp(records('5001', 300, 0 => 'IN3', 299 => 'IN2'));
$node->becomes($NUMBERS, '301|298', 'a deferred trigger raises for three: the others are stored');
is(scalar(() = $node->safe_psql('postgres', $ERRORS) =~ /^IN[23] MY002: not at commit either/mg), 3,
	'... and those are archived with the error');

# What was archived can be read again when the trigger is mended.
trigger('NULL;');
is($node->safe_psql('postgres',
		'SELECT sum(pt621_ingest(bytes, transport, peer, peer_port, received_at)) FROM pt621.frame WHERE error IS NOT NULL'),
	3, 'when the trigger is mended, the archived units become positions');

# A function that relies on its author's search_path.
$node->forget;
$node->safe_psql('postgres', 'CREATE TABLE mine.seen (code text); GRANT INSERT ON mine.seen TO pt621');
trigger('INSERT INTO seen VALUES (NEW.code);');
$node->send_tcp(records('5003', 3));
$node->becomes($NUMBERS, '3|0', 'a trigger function without its search_path: nothing becomes a position');
like($node->safe_psql('postgres', $ERRORS), qr/^(POS 42P01: relation "seen" does not exist; [^\0]*?){3}\z/,
	'... and the archive says why');
trigger('INSERT INTO mine.seen VALUES (NEW.code);');
$node->send_tcp(records('5003', 3));
$node->becomes($NUMBERS, '6|3', '... until it is mended');

# One that wants some rows only, and says nothing.
$node->forget;
$node->safe_psql('postgres', q{
	CREATE OR REPLACE FUNCTION mine.want() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RETURN CASE WHEN TG_TABLE_NAME LIKE 'device%' AND to_jsonb(NEW)->>'ident' LIKE '%9' THEN NULL
					WHEN to_jsonb(NEW)->>'code' = 'IN2' THEN NULL ELSE NEW END;
	END $$;
	CREATE TRIGGER want BEFORE INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mine.want();
	CREATE TRIGGER want BEFORE INSERT ON pt621.device FOR EACH ROW EXECUTE FUNCTION mine.want()});
$node->send_tcp(record(ident => '58') . record(ident => '58', code => 'IN2') . record(ident => '59'));
$node->becomes($NUMBERS, '3|1', 'triggers that leave out a record and a tracker: the others are stored');
like($node->safe_psql('postgres', $ERRORS), qr/^POS the tracker is not in pt621\.device\z/,
	'... and the archive says why it has no tracker');
$node->safe_psql('postgres', 'DROP TRIGGER want ON pt621.position; DROP TRIGGER want ON pt621.device');

# Constraints that users add.
$node->forget;
$node->safe_psql('postgres', q{
	DROP TRIGGER mine ON pt621.position;
	CREATE UNIQUE INDEX one ON pt621.position (device_id, fix_time);
	ALTER TABLE pt621.position ADD CONSTRAINT slow CHECK (speed_kmh < 100);
	ALTER TABLE pt621.device ADD CONSTRAINT mine CHECK (ident <> '61')});
$node->send_tcp(record(ident => '60') . record(ident => '60', code => 'IN1') . record(ident => '61')
	  . record(ident => '60', time => '120001.000', speed => '99.0') . record(ident => '60', time => '120002.000'));
$node->becomes($NUMBERS, '5|2', 'constraints of a user: what meets them is stored');
is(join(',', sort $node->safe_psql('postgres', $ERRORS) =~ /^... (\w{5}): /mg), '23505,23514,23514',
	'... and what does not is archived, each with its error');
$node->safe_psql('postgres', 'DROP INDEX pt621.one; ALTER TABLE pt621.position DROP CONSTRAINT slow;
	ALTER TABLE pt621.device DROP CONSTRAINT mine');

# One that takes too long.
$node->forget;
$node->configure('pt621.statement_timeout' => '300');
$node->settle;
trigger(q{IF NEW.code = 'IN2' THEN PERFORM pg_sleep(600); END IF;});
$node->send_tcp(records('5004', 20, 7 => 'IN2'));
$node->becomes($NUMBERS, '20|19', 'a trigger that takes too long for one record: the others are stored');
like($node->safe_psql('postgres', $ERRORS), qr/^IN2 57014: [^\n]*/, '... and that one is archived with the error');

# ---------------------------------------------------------------------------
# A trigger may not become more than the role pt621, nor change the worker
# ---------------------------------------------------------------------------

$node->forget;
$node->safe_psql('postgres', q{
	CREATE ROLE mallory LOGIN; GRANT USAGE ON SCHEMA pt621 TO mallory; GRANT TRIGGER ON pt621.position TO mallory;
	CREATE TABLE mine.who (session text, me text, super text); GRANT INSERT ON mine.who TO pt621});
my %attack = (
	'CREATE ROLE' => q{CREATE ROLE evil SUPERUSER;},
	'ALTER ROLE' => q{ALTER ROLE mallory SUPERUSER;},
	'RESET ROLE' => q{RESET ROLE; RESET SESSION AUTHORIZATION; ALTER ROLE mallory SUPERUSER;},
	'SET ROLE' => q{EXECUTE 'SET ROLE ' || (SELECT quote_ident(rolname) FROM pg_roles WHERE oid = 10);},
	'COPY TO PROGRAM' => q{COPY (SELECT 1) TO PROGRAM 'cat >/dev/null';},
	'read pg_authid' => q{PERFORM rolpassword FROM pg_authid;});

foreach my $name (sort keys %attack)
{
	$node->forget;
	trigger($attack{$name});
	$node->send_tcp(record(ident => '5005'));
	$node->becomes($NUMBERS, '1|0', "$name in a trigger fails");
	like($node->safe_psql('postgres', $ERRORS), qr/^POS (42501|22023): /, '... and is archived');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolsuper AND oid <> 10}), 0,
	'nobody has become a superuser');
trigger(q{INSERT INTO mine.who VALUES (session_user, current_user, current_setting('is_superuser'));});
$node->send_tcp(record(ident => '5005', time => '120001.000'));
$node->becomes('SELECT * FROM mine.who', 'pt621|pt621|off', 'a trigger runs as the role pt621');

# What it sets must not outlive its transaction, however late it does so.
my $set = q{
	PERFORM set_config('default_transaction_read_only', 'on', false);
	PERFORM set_config('search_path', 'nowhere', false);
	PERFORM set_config('TimeZone', 'Asia/Tokyo', false);};
my %late = (
	'a trigger' => [$set],
	'a deferred trigger' =>
	  [ $set, 'CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON pt621.position DEFERRABLE INITIALLY DEFERRED' ],
	'a cursor' => [
		q{EXECUTE 'DECLARE late CURSOR WITH HOLD FOR SELECT set_config(''default_transaction_read_only'', ''on'', false)';}
	]);

foreach my $name (sort keys %late)
{
	my ($body, $kind) = @{ $late{$name} };

	$node->forget;
	trigger("IF NEW.code = 'IN2' THEN $body END IF;", $kind);
	$node->send_tcp(record(ident => '5006', code => 'IN2'));
	$node->becomes($NUMBERS, '1|1', "$name changes settings of its session");
	$node->send_tcp(record(ident => '5006', time => '120001.000'));
	$node->becomes($NUMBERS, '2|2', '... but not of the worker: the next record is stored', seconds => 15);
}
$node->safe_psql('postgres', 'DROP TRIGGER mine ON pt621.position');

# ---------------------------------------------------------------------------
# The server cannot store just now
# ---------------------------------------------------------------------------

# A tracker's state is locked for longer than storing may take.
$node->forget;
$node->send_tcp(record(ident => '5007'), record(ident => '5008'));
$node->becomes($NUMBERS, '2|2', 'two trackers');

my $locker = $node->background_psql('postgres');
my $retries = $node->listener('retries');

$locker->query_safe(q{BEGIN; SELECT FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id
	WHERE d.ident = '5007' FOR UPDATE OF s});
$node->send_tcp(record(ident => '5007', time => '120001.000'));
$node->wait_until("SELECT retries > $retries FROM pt621_stat_worker() WHERE worker = 'listener'");
$locker->query_safe('COMMIT');
$node->send_tcp(record(ident => '5008', time => '120001.000'));
$node->becomes('SELECT count(*) FROM pt621.frame', 4, 'a locked device_state: every unit is in the archive');
is($node->safe_psql('postgres', $NUMBERS), '4|4', '... and becomes a position when the lock is gone');

# A table that is locked for longer than that.
$node->forget;
$locker->query_safe('BEGIN; LOCK TABLE pt621.position');
$retries = $node->listener('retries');
$node->send_tcp(records('5009', 50));
$node->wait_until("SELECT retries > $retries + 1 FROM pt621_stat_worker() WHERE worker = 'listener'");
$locker->query_safe('COMMIT');
$node->becomes("SELECT count(*), count(error), (SELECT count(*) FROM pt621.position) FROM pt621.frame", '50|0|50',
	'a table locked for a while: the batch is kept and stored when it is free');
$locker->quit;

# A database that is read-only for a while.
$node->forget;
$retries = $node->listener('retries');
$node->configure('default_transaction_read_only' => 'on');
$node->settle;
$node->send_tcp(records('5010', 50));
$node->wait_until("SELECT retries > $retries + 1 FROM pt621_stat_worker() WHERE worker = 'listener'");
like($node->listener('last_error'), qr/read-only transaction/, 'a read-only server: the error can be seen');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame'), 0, '... and nothing is stored');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
$node->becomes("SELECT count(*), count(error), (SELECT count(*) FROM pt621.position) FROM pt621.frame", '50|0|50',
	'... until it can be: then all of it is');

# ---------------------------------------------------------------------------
# Stops and crashes
# ---------------------------------------------------------------------------

# Waits until the other side's kernel has acknowledged all that was written.
sub acknowledged
{
	my ($socket) = @_;

	return PT621::until_true(sub {
		my $count = pack('i', 0);

		ioctl($socket, 0x5411, $count) or die "SIOCOUTQ: $!";
		return unpack('i', $count) == 0;
	});
}

# A fast stop stores what was acknowledged before it, also what the worker,
# which is held here, has not even accepted yet.
$node->forget;
$node->configure('pt621.statement_timeout' => undef);
my $pid = $node->listener('pid');
my @sockets = map { $node->tcp } 1 .. 10;

$node->wait_until("SELECT connections >= 10 FROM pt621_stat_worker() WHERE worker = 'listener'");
kill('STOP', $pid);
push @sockets, $node->tcp foreach 1 .. 10;
PT621::put($sockets[$_], records(6000 + $_, 100)) foreach 0 .. $#sockets;
my $udp = $node->udp;

PT621::put($udp, record(ident => '6100', time => sprintf('1200%02d.000', $_))) foreach 0 .. 49;
is(scalar(grep { acknowledged($_) } @sockets), 20, 'all bytes are acknowledged');
{
	my $stopper = fork() // die "fork: $!";

	if ($stopper == 0)
	{
		$node->stop('fast');
		POSIX::_exit(0);
	}
	PT621::until_true(sub { slurp_file($node->logfile) =~ /received fast shutdown request/ });
	kill('CONT', $pid);
	waitpid($stopper, 0);
	is($?, 0, 'a fast stop goes through');
	$node->_update_pid(0);
}
close($_) foreach @sockets;
$node->start;
$node->wait_open;
is($node->safe_psql('postgres', 'SELECT count(*), count(error), count(DISTINCT bytes), (SELECT count(*) FROM pt621.position) FROM pt621.frame'),
	'2050|0|2050|2050', '... and everything that was acknowledged before it is stored');

# Also when the batch was waiting for a lock: whoever had it is stopped as well.
$node->forget;
$node->configure('pt621.statement_timeout' => '300');
$node->settle;
$locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE pt621.position');
$retries = $node->listener('retries');
$sockets[0] = $node->tcp;
PT621::put($sockets[0], records('5012', 50));
$node->wait_until("SELECT retries > $retries + 2 FROM pt621_stat_worker() WHERE worker = 'listener'");
PT621::put($sockets[0], records('5013', 50));
ok(acknowledged($sockets[0]), 'the batch waits for a lock, and more is acknowledged meanwhile');
$node->stop('fast');
close($sockets[0]);
eval { $locker->quit };
$node->start;
$node->wait_open;
is($node->safe_psql('postgres', $NUMBERS), '100|100', '... and all of it is stored by the stop');

# A crash of the worker is one of the server: it comes back, with what was
# committed, once.
$node->forget;
my $began = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $tracker = $node->tcp;

PT621::put($tracker, records('5011', 100));
$node->becomes($NUMBERS, '100|100', 'before the crash');
$pid = $node->listener('pid');
kill('KILL', $pid);
ok(PT621::closed_by_server($tracker), 'the worker is killed: its connections end');
$node->becomes("SELECT pid <> $pid AND state = 'open' FROM pt621_stat_worker() WHERE worker = 'listener'", 't',
	'... and it comes back by itself');
$node->wait_open;
$node->send_tcp(records('5011', 101));
$node->becomes($NUMBERS, '201|101', '... with what was stored; the same once more is not stored twice');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $began, '... and nobody had to restart the server');

# One that is terminated is back as well, and that is no crash.
$pid = $node->listener('pid');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->becomes("SELECT pid <> $pid AND state = 'open' FROM pt621_stat_worker() WHERE worker = 'listener'", 't',
	'a worker that is terminated comes back');

# ---------------------------------------------------------------------------
# Rights that make the port a danger
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', 'ALTER ROLE pt621 SUPERUSER');
$node->becomes("SELECT concat_ws(': ', worker, state, reason) FROM pt621_stat_worker() WHERE worker <> 'maintenance' ORDER BY 1",
	qr/^supervisor: closed: the role that pt621\.role names is a superuser/, 'role pt621 a superuser: nobody listens, with the reason');
$node->safe_psql('postgres', 'ALTER ROLE pt621 NOSUPERUSER');
$node->listener_is('open', '... until it is not', seconds => 15);
$node->safe_psql('postgres', 'ALTER ROLE pt621 NOLOGIN');
$node->becomes("SELECT concat_ws(': ', state, reason) FROM pt621_stat_worker() WHERE worker = 'supervisor'",
	qr/^closed: the role that pt621\.role names may not log in/, 'role pt621 without LOGIN: the same');
$node->safe_psql('postgres', 'ALTER ROLE pt621 LOGIN');
$node->listener_is('open', '... until it has it', seconds => 15);
$node->safe_psql('postgres', 'CREATE ROLE other; ALTER TABLE pt621.position OWNER TO other');
$node->listener_is(qr/^closed: pt621\.position belongs to role other, not to pt621/,
	'pt621.position belongs to another: the port is closed, with the reason');
$node->safe_psql('postgres', 'ALTER TABLE pt621.position OWNER TO pt621');
$node->listener_is('open', '... until it is put right', seconds => 15);

$node->stop;
done_testing();
