# The roles that README.md proposes for those who read and for those who look
# after the trackers: what they may do, and what they may not.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');

$node->safe_psql('postgres', readme_sql('Readers and writers'));
$node->safe_psql('postgres', q{
	CREATE ROLE bob LOGIN IN ROLE fleet_reader;
	CREATE ROLE wendy LOGIN IN ROLE fleet_writer;
	CREATE ROLE nobody LOGIN;
	CREATE ROLE relay LOGIN; GRANT EXECUTE ON FUNCTION pt621_ingest TO relay});
$node->send_tcp(record(ident => '4001'), record(ident => '4001', time => '120001.000'));
$node->becomes('SELECT count(*) FROM pt621.position', 2, 'there is something to read');

# Returns what statements print for somebody, or their error.
sub answer
{
	my ($who, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, extra_params => [ '-U', $who ], stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /(ERROR: .*)/ ? $1 : $stdout;
}

sub may
{
	my ($who, $sql, $expected) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like(answer($who, $sql), $expected // qr/^(?!ERROR)/, "$who may: $sql");
}

sub may_not
{
	my ($who, $sql) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like(answer($who, $sql), qr/^ERROR:  (permission denied|must be owner|must be able)/, "$who may not: $sql");
}

my $BYTES = bytea(record(ident => '4002'));
my @partitions = split /\n/, $node->safe_psql('postgres', q{
	SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'pt621'::regnamespace AND c.relispartition AND c.relkind = 'r'});

# ---------------------------------------------------------------------------
# What both may: read all that there is, whatever later versions add
# ---------------------------------------------------------------------------

my @relations = split /\n/, $node->safe_psql('postgres', q{
	SELECT c.oid::regclass FROM pg_class c
	 WHERE c.relnamespace = 'pt621'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relname <> 'device_secret'});

foreach my $who ('bob', 'wendy')
{
	may($who, "SELECT count(*) FROM $_", qr/^\d+$/) foreach @relations;
	may($who, 'SELECT ident, ST_AsText(geom) FROM pt621.last_position', qr/^4001\|POINT/);
	may($who, 'SELECT fixes FROM pt621.track', qr/^2$/);
	may($who, 'SELECT state FROM pt621_stat_worker() WHERE worker = $$listener$$', qr/^open$/);
	may($who, 'SELECT pt621_closed_reason() IS NULL', qr/^t$/);
	may($who, "SELECT length($_) > 100", qr/^t$/)
	  foreach ('pt621_gpx()', 'pt621_kml()', 'pt621_geojson()', q{pt621_tiles(0, 0, 0, 'live,fences,tracks,heat')});
	may($who, 'SELECT count(*) FROM pt621_csv()', qr/^3$/);
	may($who, 'SELECT count(pt621_simplify_track(t.geom)) FROM pt621.device d, pt621_track(d.id) t', qr/^1$/);
	may($who, 'SELECT count(*) FROM (SELECT (pt621_decode(bytes)).* FROM pt621.frame) r', qr/^2$/);
}

# ---------------------------------------------------------------------------
# What neither may
# ---------------------------------------------------------------------------

foreach my $who ('bob', 'wendy')
{
	foreach my $table (qw(device device_state frame position layout))
	{
		may_not($who, $_) foreach (
			"DELETE FROM pt621.$table", "TRUNCATE pt621.$table", "ALTER TABLE pt621.$table ADD COLUMN x integer",
			"BEGIN; LOCK TABLE pt621.$table IN EXCLUSIVE MODE", "ALTER TABLE pt621.$table ENABLE ROW LEVEL SECURITY",
			"CREATE INDEX ON pt621.$table ((1))");
	}
	may_not($who, $_) foreach (
		"INSERT INTO pt621.position (device_id, fix_time) VALUES (1, now())",
		'UPDATE pt621.position SET valid = false', 'UPDATE pt621.device_state SET bases = NULL',
		"UPDATE pt621.frame SET error = 'x'", 'SELECT FROM pt621.device_state FOR UPDATE',
		'UPDATE pt621.layout SET ready_for = NULL', 'UPDATE pt621.device SET id = 7',
		"SELECT nextval('pt621.frame_seq')", "SELECT setval('pt621.conn_seq', 1)",
		'CREATE TABLE pt621.x ()', 'SET ROLE pt621', 'DROP EXTENSION pt621',
		(map { "SELECT count(*) FROM $_" } @partitions),
		'SELECT count(*) FROM pt621.device_secret', 'SELECT pt621_sms_password(1)',
		q{INSERT INTO pt621.command (device_id, kind) VALUES (1, 'photo')}, q{SELECT pt621_send(1, 'photo')},
		'SELECT pt621_pause()', 'SELECT pt621_resume()', 'SELECT pt621_ready()', 'SELECT pt621_create_tables()',
		'SELECT pt621_maintain()', q{SELECT pt621_derive('{1}', '{"(,)"}')}, 'SELECT pt621_storing()',
		'SELECT pt621_fire_deferred(NULL)', 'SELECT pt621_restore_settings()', 'SELECT * FROM pt621_batch_frames(false)');
	may_not($who, 'CREATE TRIGGER x BEFORE INSERT ON pt621.device FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()');
}

# ---------------------------------------------------------------------------
# What one of them may
# ---------------------------------------------------------------------------

foreach my $sql (
	"INSERT INTO pt621.device (ident) VALUES ('4003')", "UPDATE pt621.device SET name = 'van' WHERE ident = '4001'",
	'SELECT FROM pt621.device FOR UPDATE', "SELECT pt621_ingest($BYTES)", "SELECT pt621_ingest_reads(ARRAY[$BYTES])")
{
	may_not('bob', $sql);
}
may('wendy', "SELECT pt621_ingest($BYTES)", qr/^1$/);
may('wendy', "SELECT pt621_ingest_reads(ARRAY[$BYTES])", qr/^0$/);
may('wendy', "INSERT INTO pt621.device (ident, name) VALUES ('4003', 'crane') RETURNING id > 0", qr/^t$/);
foreach my $column (split /\n/, $node->safe_psql('postgres', q{
	SELECT attname FROM pg_attribute WHERE attrelid = 'pt621.device'::regclass AND attnum > 0 AND attname NOT IN ('id', 'created_at', 'options_since', 'engine_output', 'firmware', 'hardware')}))
{
	may('wendy', "UPDATE pt621.device SET $column = $column");
}

# What cuts an engine is for those who may cut it.
may_not('wendy', 'UPDATE pt621.device SET engine_output = NULL');

# Fences are hers to draw, and the reader's to ask for.
my $fence = q{INSERT INTO pt621.geofence (name, geom) VALUES ('yard', public.ST_MakeEnvelope(113, 22, 115, 23, 4326))};

may_not('bob', $fence);
may('wendy', "$fence RETURNING id > 0", qr/^t$/);
may('wendy', q{UPDATE pt621.geofence SET dwell_after = '1 h' WHERE name = 'yard'});
may($_, q{SELECT pt621_inside(public.ST_Point(114, 22.5, 4326), 'yard'), array_length(pt621_geofences(public.ST_Point(114, 22.5, 4326)), 1)}, qr/^t\|1$/)
  foreach 'bob', 'wendy';
may('bob', 'SELECT count(*) FROM pt621.geofence_version', qr/^2$/);
may_not('wendy', $_) foreach ('DELETE FROM pt621.geofence_version', 'UPDATE pt621.geofence_stamp SET revision = 0',
	q{INSERT INTO pt621.event (kind, device_id, at) VALUES ('alarm', 1, now())}, 'SELECT pt621_replay_events()');
may('wendy', q{DELETE FROM pt621.geofence WHERE name = 'yard'});

# And so are the alarms of sensors.
my $rule = q{INSERT INTO pt621.sensor_alarm (name, sensor, above) VALUES ('warm', 'temperature', 8)};

may_not('bob', $rule);
may('wendy', "$rule RETURNING id > 0", qr/^t$/);
may('wendy', q{UPDATE pt621.sensor_alarm SET above = 9 WHERE name = 'warm'});
may('bob', 'SELECT count(*) FROM pt621.sensor_change', qr/^2$/);
may('wendy', q{DELETE FROM pt621.sensor_alarm WHERE name = 'warm'});
may_not('wendy', $_) foreach ('DELETE FROM pt621.sensor_change', 'INSERT INTO pt621.sensor_change (since) VALUES (now())',
	'TRUNCATE pt621.sensor_alarm', 'SELECT pt621_settle_sensors()');

# What she says is what the listener does.
may('wendy', q{UPDATE pt621.device SET enabled = false, name = 'retired' WHERE ident = '4001'});
$node->send_tcp(record(ident => '4001', time => '120002.000'), record(ident => '4003'));
$node->becomes(q{
		SELECT string_agg(f.ident || ' ' || (f.error IS NULL), ', ' ORDER BY f.ident)
		  FROM pt621.frame f WHERE f.transport = 'tcp' AND f.seq > (SELECT min(seq) + 1 FROM pt621.frame)},
	'4001 false, 4003 true', 'a tracker that the writer has retired is archived, one that she has added is stored');

# While she looks at trackers for long, storing goes on.
my $wendy = $node->background_psql('postgres', extra_params => [ '-U', 'wendy' ]);

$wendy->query_safe('BEGIN; SELECT FROM pt621.device FOR UPDATE; SELECT count(*) FROM pt621.position');
$node->send_tcp(record(ident => '4003', time => '120003.000'), record(ident => '4004'));
$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident IN ('4003', '4004')",
	3, 'a writer who holds the rows of the trackers does not stop the listener');
$wendy->query_safe('COMMIT');
$wendy->quit;

# ---------------------------------------------------------------------------
# Those who are neither
# ---------------------------------------------------------------------------

may_not('nobody', "SELECT count(*) FROM $_") foreach @relations;
may_not('nobody', $_) foreach ('SELECT * FROM pt621_stat_worker()', 'SELECT pt621_closed_reason()', "SELECT pt621_ingest($BYTES)");
may('nobody', "SELECT count(*) FROM pt621_decode($BYTES)", qr/^1$/);

# No lock that just anybody may take stands in the way of what members do.
my $nobody = $node->background_psql('postgres', extra_params => [ '-U', 'nobody' ]);

$nobody->query_safe("SELECT pg_advisory_lock(hashtextextended('pt621_create_tables', 0))");
is($node->safe_psql('postgres', "SET lock_timeout = '5s'; SET client_min_messages = error; SELECT pt621_ready()"), '',
	'pt621_ready() waits for no lock that anybody may hold');
$nobody->quit;

may('relay', 'SELECT pt621_ingest(' . bytea(record(ident => '4005')) . ')', qr/^1$/);
may_not('relay', $_) foreach ("SELECT pt621_ingest_reads(ARRAY[$BYTES])", 'TABLE pt621.device', 'SELECT pt621_maintain()');

$node->stop;
done_testing();
