# The port follows the extension: it opens when that is created in the workers'
# database, closes with a reason when it goes or does not fit, and the data
# outlives all of it.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $OTHER = 'SELECT count(*) FROM pt621.position';

# A server older than the extension: not even the role is there.
my $node = PT621->make('main');

$node->safe_psql('postgres', 'CREATE DATABASE other');
ok(
	PT621::until_true(
		sub { slurp_file($node->logfile) =~ /pt621: not listening: the role that pt621\.role names does not exist/ }),
	'without the role the log says why nothing listens');

# In another database than pt621.database it is harmless.
$node->create_extension('other');
$node->listener_is(
	qr/^closed: extension pt621 is not installed in database "postgres"/,
	'the extension in another database: the port stays closed, with the reason',
	database => 'other');
is($node->safe_psql('other', "SELECT port IS NULL FROM pt621_stat_worker() WHERE worker = 'listener'"),
	't', '... and shows no port');
is($node->safe_psql('other', 'SELECT pt621_ingest(' . bytea(record()) . ')'),
	1, '... where pt621_ingest() works');

# CREATE EXTENSION opens the port.
$node->create_extension('postgres');
$node->listener_is('open', 'CREATE EXTENSION opens the port', seconds => 10);
$node->wait_open;
$node->send_tcp(record(time => '120000.000'), record(time => '120001.000'));
$node->becomes('SELECT count(*) FROM pt621.position', 2, 'what is sent to it is stored');
is($node->safe_psql('other', $OTHER), 1, '... in this database alone');

# What belongs to the user.
$node->safe_psql(
	'postgres', q{
	CREATE SCHEMA mine;
	CREATE TABLE mine.seen (device_id integer, fix_time timestamptz);
	GRANT USAGE ON SCHEMA mine TO pt621;
	GRANT INSERT ON mine.seen TO pt621;
	CREATE FUNCTION mine.see() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO mine.seen VALUES (NEW.device_id, NEW.fix_time);
		RETURN NULL;
	END $$;
	CREATE TRIGGER my_trigger AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mine.see();
	CREATE INDEX my_index ON pt621.position USING gist (geom);
	CREATE POLICY my_policy ON pt621.position FOR SELECT USING (device_id > 0);
	ALTER TABLE pt621.position ADD COLUMN my_column text DEFAULT 'mine';
});

my $OBJECTS = q{
	SELECT string_agg(name, ' ' ORDER BY name)
	  FROM (SELECT tgname FROM pg_trigger WHERE tgrelid = 'pt621.position'::regclass
			UNION SELECT relname FROM pg_class WHERE oid = to_regclass('pt621.my_index')
			UNION SELECT polname FROM pg_policy
			UNION SELECT attname FROM pg_attribute
				   WHERE attrelid = 'pt621.position'::regclass AND attname = 'my_column') o (name)};
my $objects = $node->safe_psql('postgres', $OBJECTS);

is($objects, 'my_column my_index my_policy my_trigger pt621_derive_delete pt621_derive_insert pt621_derive_truncate pt621_derive_update',
	'before it goes: the default triggers and what is the user\'s');

# DROP EXTENSION closes it, and leaves the data.
my $rows = q{SELECT md5(string_agg(x::text, '|' ORDER BY x::text)) FROM
	(SELECT p::text FROM pt621.position p UNION ALL SELECT d::text FROM pt621.device d
	 UNION ALL SELECT f::text FROM pt621.frame f UNION ALL SELECT s::text FROM pt621.device_state s) x};
my $before = $node->safe_psql('postgres', $rows);
my $tracker = $node->tcp;

$node->safe_psql('postgres', 'SET client_min_messages = warning; DROP EXTENSION pt621 CASCADE');
ok(PT621::closed_by_server($tracker), 'DROP EXTENSION closes the connections');
$node->listener_is(qr/^closed: extension pt621 is not installed/, '... and the port, with the reason',
	database => 'other');
ok(!$node->connect_tracker(proto => 'tcp'), '... where connections are refused');
is($node->safe_psql('postgres', $rows), $before, '... and keeps every row');
is($node->safe_psql('postgres', $OBJECTS), 'my_column my_index my_policy my_trigger',
	'... and what belongs to the user');

# CREATE EXTENSION takes it up again.
$node->create_extension('postgres', '');
$node->listener_is('open', 'CREATE EXTENSION again opens the port', seconds => 10);
is($node->safe_psql('postgres', $rows), $before, '... keeps every row');
is($node->safe_psql('postgres', $OBJECTS), $objects, '... and brings the default triggers back');
$node->wait_open;
$node->send_tcp(record(time => '120002.000'), record(time => '120000.000'));
$node->becomes('SELECT count(*) FROM pt621.frame', 4, 'what is sent to it is archived');
is( $node->safe_psql('postgres',
		q{SELECT string_agg(to_char(fix_time AT TIME ZONE 'UTC', 'SS ') || my_column, ',' ORDER BY fix_time) FROM pt621.position}),
	'00 mine,01 mine,02 mine', '... and stored once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mine.seen'), 1, '... and the user\'s trigger has run');

# Under load: trackers go on sending, nothing blocks, nothing is stored twice.
$node->keep_port;
$node->start_load("9001");
$node->wait_until('SELECT count(*) > 100 FROM pt621.frame');

my $pid = $node->listener('pid');

foreach my $round (1 .. 3)
{
	$node->safe_psql('postgres',
		"SET client_min_messages = warning; SET statement_timeout = '60s'; DROP EXTENSION pt621 CASCADE");
	$node->create_extension('postgres', '');
	$node->wait_open;

	my $units = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame');

	$node->wait_until("SELECT count(*) > $units FROM pt621.frame");
}
$node->stop_load;
$node->becomes(q{SELECT count(*) FROM pt621.frame WHERE error IS NULL AND device_id IS NULL}, 0,
	'extension dropped and created three times under load');
is($node->listener('pid'), $pid, '... and the listener is still the same process');
is( $node->safe_psql('postgres', q{
		SELECT count(DISTINCT bytes) - (SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id
										 WHERE d.ident = '9001')
		  FROM pt621.frame WHERE ident = '9001' AND error IS NULL}),
	0, '... and every record of the archive is a position, once');

# A library and SQL objects that do not fit.
my $version = $node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'pt621'});

$node->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'pt621'});
$node->listener_is(qr/^closed: extension pt621 has version 0\.0\.1, the library \Q$version\E/,
	'SQL objects of another version close the port, with the reason');
$node->safe_psql('postgres', qq{UPDATE pg_extension SET extversion = '$version' WHERE extname = 'pt621'});
$node->listener_is('open', '... until they fit', seconds => 10);

# Tables that are not complete.
$node->safe_psql('postgres', 'ALTER TABLE pt621.device_state RENAME TO gone');
$node->listener_is(qr/^closed: missing in schema pt621: device_state/, 'a missing table closes the port, with the reason');
$node->safe_psql('postgres', 'ALTER TABLE pt621.gone RENAME TO device_state');
$node->listener_is('open', '... until it is back', seconds => 10);

# The workers follow pt621.database.
$node->configure('pt621.database' => 'other');
$node->wait_until(
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND datname = 'other'");
$node->wait_open;
$node->send_tcp(record(time => '130000.000'));
$node->becomes($OTHER, 2, 'pt621.database changed: stored in the other database', database => 'other');
$node->safe_psql('other', 'SET client_min_messages = warning; DROP EXTENSION pt621 CASCADE');

# In a schema of its own, with PostGIS in another, where the public has no rights.
$node->safe_psql('postgres', 'CREATE DATABASE "Odd name"');
$node->safe_psql('postgres', 'REVOKE ALL ON DATABASE "Odd name" FROM PUBLIC');
$node->safe_psql('Odd name', 'SET client_min_messages = warning; REVOKE ALL ON SCHEMA public FROM PUBLIC;
	CREATE SCHEMA "Geo"; CREATE EXTENSION postgis SCHEMA "Geo";
	CREATE SCHEMA "Track er"; CREATE EXTENSION pt621 SCHEMA "Track er"');
$node->configure('pt621.database' => 'Odd name');
$node->wait_until(
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND datname = 'Odd name'");
$node->wait_open;
$node->send_udp(record(time => '140000.000'));
$node->becomes('SELECT "Geo".ST_AsText(geom, 4) FROM pt621.position', 'POINT(11.5167 48.1173)',
	'extension and PostGIS in schemas of their own: stored', database => 'Odd name');
is($node->safe_psql('Odd name', 'SELECT "Track er".pt621_ingest(' . bytea(record(time => '140001.000')) . ')'),
	1, '... and ingested');
is($node->safe_psql('Odd name', 'SELECT "Geo".ST_NPoints(geom) FROM pt621.track'), 2, '... and a track');

# A schema of that name that belongs to somebody else is not taken.
$node->safe_psql('postgres', 'CREATE DATABASE taken');
$node->safe_psql('taken', 'CREATE ROLE owner; CREATE SCHEMA pt621 AUTHORIZATION owner');
{
	my $error;

	isnt($node->psql('taken', 'CREATE EXTENSION pt621 CASCADE', on_error_stop => 1, stderr => \$error), 0,
		'a schema pt621 of another: CREATE EXTENSION fails');
	like($error, qr/schema pt621 belongs to role "owner"/, '... and names him');
}

$node->stop;
done_testing();
