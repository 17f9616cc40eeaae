# A session keeps the fences in memory: what it says is what its snapshot sees,
# whatever other sessions do, and on a standby too.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('primary', conf => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n");

$node->create_extension('postgres');

# Which of the squares at 10, 20 and 30 degrees east a session has in its fences.
sub seen
{
	my ($session) = @_;
	return $session->query_safe(q{
		SELECT coalesce(string_agg(lon::text, ' ' ORDER BY lon), 'none') FROM unnest(ARRAY[10, 20, 30]) lon
		 WHERE cardinality(public.pt621_geofences(public.ST_Point(lon, 0, 4326), clock_timestamp())) > 0});
}

sub draw
{
	my ($lon) = @_;
	return "UPDATE pt621.geofence SET geom = ST_MakeEnvelope($lon - 1, -1, $lon + 1, 1, 4326) WHERE name = 'one'";
}

$node->safe_psql('postgres', "INSERT INTO pt621.geofence (name, geom) VALUES ('one', ST_MakeEnvelope(9, -1, 11, 1, 4326))");

my $editor = $node->background_psql('postgres');
my $reader = $node->background_psql('postgres');
my $old = $node->background_psql('postgres');

is(seen($reader), '10', 'a session sees the fence');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
is(seen($old), '10', 'as does one with a snapshot of its own');

# Uncommitted.
$editor->query_safe('BEGIN');
$editor->query_safe(draw(20));
is(seen($editor), '20', 'an edit is seen by its own transaction');
is(seen($reader), '10', '... and by no other');
$editor->query_safe('SAVEPOINT s');
$editor->query_safe(draw(30));
is(seen($editor), '30', 'as is one in a subtransaction');
$editor->query_safe('ROLLBACK TO s');
is(seen($editor), '20', '... until that is rolled back');
$editor->query_safe('ROLLBACK');
is(seen($editor), '10', 'rolled back, it never was');
is(seen($reader), '10', '... for nobody');

# Committed.
$editor->query_safe(draw(20));
is(seen($reader), '20', 'committed, others see it at once');
is(seen($old), '10', '... but not those whose snapshot is older');
$editor->query_safe(draw(30));
is(seen($old), '10', '... however often');
$old->query_safe('COMMIT');
is(seen($old), '30', '... until they take a new one');

# Two edits at once: the second waits, and has the higher revision.
$editor->query_safe("INSERT INTO pt621.geofence (name, geom) VALUES ('two', ST_MakeEnvelope(9, -1, 11, 1, 4326))");
$editor->query_safe('BEGIN');
$editor->query_safe(draw(20));
$reader->{stdin} .= "UPDATE pt621.geofence SET exit_buffer_m = 7 WHERE name = 'two';\n";
$reader->{run}->pump_nb;
$node->becomes("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 1, 'another edit waits');
$editor->query_safe('COMMIT');
is(seen($reader), '10 20', '... for the first to commit, and then sees it');
is($reader->query_safe(q{SELECT v.exit_buffer_m, v.revision > max(o.revision), v.revision < s.revision
	FROM pt621.geofence_version v, pt621.geofence_version o, pt621.geofence_stamp s
	WHERE v.name = 'two' AND upper_inf(v.valid) AND o.name = 'one' GROUP BY v.revision, v.exit_buffer_m, s.revision}),
	'7|t|t', '... with the higher revision');

# A standby follows.
$node->backup('base');
my $standby = PT621->new('standby');

$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'pt621.port = ' . PostgreSQL::Test::Cluster::get_free_port() . "\n");
$standby->start;
$node->wait_for_catchup($standby);

my $far = $standby->background_psql('postgres');

is(seen($far), '10 20', 'a standby has the fences');
$editor->query_safe(draw(30));
$node->wait_for_catchup($standby);
is(seen($far), '10 30', '... and follows an edit in a session that has them already');
$editor->query_safe('TRUNCATE pt621.geofence');
$node->wait_for_catchup($standby);
is(seen($far), 'none', '... and their end');
is(seen($reader), 'none', 'as does a session of the primary');

# Tables made anew count from 1 again.
$editor->query_safe("INSERT INTO pt621.geofence (name, geom) VALUES ('one', ST_MakeEnvelope(9, -1, 11, 1, 4326))");
is(seen($reader), '10', 'a fence before the tables are made anew');
$node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION pt621 CASCADE; DROP SCHEMA pt621 CASCADE; CREATE EXTENSION pt621');
is(seen($reader), 'none', '... and none after');
$node->safe_psql('postgres', "INSERT INTO pt621.geofence (name, geom) VALUES ('one', ST_MakeEnvelope(19, -1, 21, 1, 4326))");
is(seen($reader), '20', '... but what is new');

$_->quit foreach $editor, $reader, $old, $far;
$standby->stop;
$node->stop;
done_testing();
