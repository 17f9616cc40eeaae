# pg_dump and pg_restore keep every row, and what users have put on the tables;
# nothing is stored to a restored database before somebody calls it complete.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('main', conf => "pt621.database = 'fleet'\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->create_extension('fleet');
$node->create_extension('postgres');
$node->wait_open;

# What the port has stored, good and bad, in several partitions.
$node->put_apart($node->tcp, chain(1, 8));
$node->send_tcp("noise \xFF\x00\r\n", record(ident => '7001', time => '120000.000', date => '010112'),
	record(ident => '7001', time => '120100.000', inputs => '00010'));
$node->send_udp(framed(record(ident => '7002', code => 'IN1', driver => 'AB12')));
$node->becomes('SELECT count(*) FROM pt621.position', 11, 'there is something to dump', database => 'fleet');

# And what a user has put there.
$node->safe_psql(
	'fleet', q{
	CREATE TABLE public.alert (device_id integer, fix_time timestamptz);
	GRANT INSERT ON public.alert TO pt621;
	CREATE FUNCTION public.alert() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.alert SELECT device_id, fix_time FROM fresh;
		RETURN NULL;
	END $$;
	CREATE TRIGGER my_trigger AFTER INSERT ON pt621.position REFERENCING NEW TABLE AS fresh
		FOR EACH STATEMENT EXECUTE FUNCTION public.alert();
	CREATE INDEX my_index ON pt621.position USING gist (geom);
	ALTER TABLE pt621.position ENABLE ROW LEVEL SECURITY;
	CREATE ROLE clerk;
	CREATE POLICY my_policy ON pt621.position FOR SELECT TO clerk USING (device_id = 1);
	GRANT USAGE ON SCHEMA pt621 TO clerk;
	GRANT SELECT ON pt621.position, pt621.track TO clerk;
	CREATE VIEW public.mine AS SELECT device_id, ST_X(geom) AS x, pt621_quality(quality) FROM pt621.position;
});

# Commands that wait, of which it is not known whether they were sent, that would be
# sent again, that were sent as often as may be, and that are done with; and photos.
# None of their times has come, and their tracker has not been there yet.
$node->safe_psql(
	'fleet', q{
	INSERT INTO pt621.device (ident) VALUES ('7004');
	INSERT INTO pt621.command (device_id, kind, max_attempts, note)
	SELECT d.id, 'version', n.most, n.state
	  FROM pt621.device d, (VALUES (1, 'queued', 3), (2, 'sending', 2), (3, 'sent', 2), (4, 'sent', 1), (5, 'answered', 5)) n (n, state, most)
	 WHERE d.ident = '7004'
	 ORDER BY n.n;
	SET ROLE pt621;
	UPDATE pt621.command SET state = note, attempts = 1, sent_at = now() + interval '1 hour', conn = 1 WHERE note <> 'queued';
	INSERT INTO pt621.photo (device_id, fix_time, digest, size, received, state) SELECT id, now(), 1, 20, 10, 'fetching' FROM pt621.device WHERE ident = '7004';
	INSERT INTO pt621.photo_piece SELECT id, 0, '0123456789' FROM pt621.photo});

# What pt621_ready() makes of the commands in a copy.
my $COMMANDS = q{SELECT string_agg(concat_ws(' ', note, state, attempts, max_attempts, in_doubt), ', ' ORDER BY id) FROM pt621.command};
my $CANCELLED = 'queued cancelled 0 1 0, sending failed 1 1 1, sent sent 1 1 0, sent sent 1 1 0, answered answered 1 5 0';

my $ROWS = join ' UNION ALL ', map
{
	"SELECT '$_' || ' ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '-')"
	  . " FROM pt621.$_ t"
} qw(device device_state frame position last_position track command command_log photo photo_piece);
my $OBJECTS = q{
	SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'pt621.position'::regclass
	UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'pt621.position'::regclass
	UNION ALL SELECT ROW(polname, polcmd, pg_get_expr(polqual, polrelid))::text FROM pg_policy
	UNION ALL SELECT concat_ws(' ', relname, pg_get_userbyid(relowner), relacl::text, relrowsecurity)
				FROM pg_class WHERE relnamespace = 'pt621'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
	UNION ALL SELECT concat_ws(' ', seqrelid::regclass) FROM pg_sequence
	UNION ALL SELECT concat_ws(' ', inhrelid::regclass, inhparent::regclass) FROM pg_inherits
	UNION ALL SELECT obj_description('pt621.position'::regclass)
	UNION ALL SELECT pg_get_viewdef('public.mine'::regclass)
	ORDER BY 1};
my $rows = $node->safe_psql('fleet', $ROWS);
my $objects = $node->safe_psql('fleet', $OBJECTS);

like($objects, qr/my_policy.*my_index.*my_trigger/s, 'there are objects of a user to dump')
  or diag($objects);

# What every restored database must show.
sub check
{
	my ($database, $how) = @_;

	is($node->safe_psql($database, $ROWS), $rows, "$how: every row is there");
	is($node->safe_psql($database, $OBJECTS), $objects,
		"$how: trigger, index, policy, rights and default triggers are there");
	$node->configure('pt621.database' => $database);
	$node->wait_until(
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND datname = '$database'");
	$node->listener_is(qr/^closed: the tables were restored.*SELECT pt621_ready\(\)/,
		"$how: the port is closed, and the reason says what to do");
	open_again($database, $how);
	return;
}

# What is sent after pt621_ready() goes where it belongs.
sub open_again
{
	my ($database, $how) = @_;

	$node->safe_psql($database, 'SELECT pt621_ready()');
	$node->listener_is('open', "$how: ... and opens when it is declared complete", seconds => 15);
	is($node->safe_psql($database, $COMMANDS), $CANCELLED, "$how: ... which sends nothing that was ordered before");
	$node->wait_open;
	is($node->safe_psql($database, $OBJECTS), $objects, "$how: ... which changes nothing else");

	# FORUM-06 stands for a record that is there; it finds its base in the state.
	my ($base) = chain(1, 1);
	my $next = $base =~ s/145637/150000/r;

	my $tracker = $node->tcp;

	PT621::put($tracker, record(ident => '7004', time => '130000.000'));
	is(PT621::heard($tracker), '#PHD10,10', "$how: ... photos go on where they were");
	$node->safe_psql($database, q{SELECT pt621_send(id, 'imei') FROM pt621.device WHERE ident = '7004'});
	is(PT621::heard($tracker), '#IME', "$how: ... and so do commands");
	$node->send_tcp(record(ident => '7001', time => '130000.000'), record(ident => '7003', time => '130000.000'));
	$node->put_apart($node->tcp, $base, delta($base, $next), chain(6, 6));
	$node->becomes(
		q{SELECT string_agg(d.ident, ',' ORDER BY d.ident)
			FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id
			JOIN public.alert a ON (a.device_id, a.fix_time) = (p.device_id, p.fix_time)},
		'3760971,7001,7003,7004', "$how: ... new rows are stored, and the user's trigger sees them",
		database => $database);
	is($node->safe_psql($database, 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'),
		$node->safe_psql('fleet', 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'),
		"$how: ... and deltas find bases of before the dump");
	return;
}

sub create
{
	my ($database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	return $database;
}

# The usual way.
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/usual", 'fleet' ], 'pg_dump -Fc');
$node->command_ok([ 'pg_restore', '-e', '-d', create('usual'), "$dir/usual" ], 'pg_restore -e');
check('usual', 'pg_restore');

# With row security the dump does not show that it is one.
$node->command_ok([ 'pg_dump', '-Fc', '--enable-row-security', '-f', "$dir/rls", 'fleet' ],
	'pg_dump --enable-row-security');
{
	local $ENV{PGOPTIONS} = '-c pt621.restoring=on';

	$node->command_ok([ 'pg_restore', '-e', '--enable-row-security', '-d', create('rls'), "$dir/rls" ],
		'pg_restore --enable-row-security with pt621.restoring = on');
}
check('rls', '--enable-row-security');

# As a script.
$node->command_ok([ 'pg_dump', '-f', "$dir/plain", 'fleet' ], 'pg_dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', create('plain'), '-f', "$dir/plain" ], 'psql');
check('plain', 'psql');

# While the workers wait in the database for what is to come.
create('waiting');
$node->configure('pt621.database' => 'waiting');
$node->listener_is(qr/^closed: extension pt621 is not installed in database "waiting"/, 'workers wait in an empty database');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', 'waiting', "$dir/usual" ], 'pg_restore -j into it');
check('waiting', 'restored under waiting workers');

# While they listen in the database: what is there goes, and is restored.
$node->safe_psql('waiting', 'SET client_min_messages = warning; DROP EXTENSION postgis CASCADE;
	DROP SCHEMA pt621 CASCADE; DROP TABLE public.alert; DROP FUNCTION public.alert()');
$node->command_ok([ 'pg_restore', '-e', '-d', 'waiting', "$dir/usual" ], 'pg_restore into a database whose port was open');
check('waiting', 'restored again');

# Commands alone, into a database that has been in use.
create('alone');
$node->create_extension('alone');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '--disable-triggers', '-t', 'command', '-d', 'alone', "$dir/usual" ], 'pg_restore --data-only --disable-triggers -t command');
my $ALL = q{SELECT string_agg(c::text, E'\n' ORDER BY id) FROM pt621.command c};
is($node->safe_psql('alone', $ALL), $node->safe_psql('fleet', $ALL), '... commands are as they were');
is($node->safe_psql('alone', 'SELECT count(*) FROM pt621.command_log'), 0, '... and no new orders');

# The extension goes, and comes back, with the tables as they were left.
is($node->safe_psql('fleet', $COMMANDS), 'queued queued 0 3 0, sending sending 1 2 0, sent sent 1 2 0, sent sent 1 1 0, answered answered 1 5 0',
	'the original has its commands as they were');
$node->safe_psql('fleet', 'SET client_min_messages = warning; DROP EXTENSION pt621 CASCADE');
$node->create_extension('fleet', '');
is($node->safe_psql('fleet', $COMMANDS), $CANCELLED, '... until the extension is made anew, which sends nothing that was ordered before');

# A clerk sees what the policy says, and no more.
is($node->safe_psql('usual', 'SET ROLE clerk; SELECT count(DISTINCT device_id) FROM pt621.position'),
	1, 'the policy works in the restored database');
is($node->safe_psql('usual', 'SET ROLE clerk; SELECT count(DISTINCT device_id) FROM pt621.track'),
	1, '... and for the view track');

$node->stop;
done_testing();
