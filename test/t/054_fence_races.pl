# An edit of a fence and a batch that do not see each other: what the batch made
# of the fences of before is made again, whoever comes next, and in whichever way.
# The workers are gone meanwhile, so that it is known who does.
#
# Each case ends with the same question: does deriving all anew change anything?
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('main');

$node->create_extension('postgres');
$node->wait_open;

# A record at a time that is given in seconds from now, lon degrees east, 50 north.
$node->safe_psql('postgres', q{
	CREATE FUNCTION report(ident text, seconds double precision, lon numeric) RETURNS bytea LANGUAGE sql STABLE
	RETURN convert_to('$POS,' || ident || to_char((now() + seconds * interval '1 s') AT TIME ZONE 'UTC', ',HH24MISS.MS') || ',A,5000.0000,N,' ||
		to_char(floor(lon) * 100 + (lon - floor(lon)) * 60, 'FM00000.0000') || ',E,10.00,90.0,' ||
		to_char((now() + seconds * interval '1 s') AT TIME ZONE 'UTC', 'DDMMYY') || ',,,A/00000,00000/0/1000//f73//' || E'\r\n', 'SQL_ASCII');
	CREATE VIEW live AS
	SELECT device_id, geofence_id, enter_at, exit_at, enter_unknown, exit_unknown, confirmed_at, metres, top_speed_kmh
	  FROM pt621.geofence_visit WHERE superseded_at IS NULL});

my $editor = $node->background_psql('postgres');
my $batch = $node->background_psql('postgres');

sub sql
{
	return $node->safe_psql('postgres', shift);
}

# The statement that has a tracker report so often, a second apart.
sub reports
{
	my ($ident, $from, $count, $lon) = @_;

	return "SELECT sum(pt621_ingest(report('$ident', $from + i, $lon))) FROM generate_series(1, $count) i";
}

sub fence
{
	my ($id, $west) = @_;

	return "INSERT INTO pt621.geofence (id, name, geom) VALUES ($id, 'fence $id', ST_MakeEnvelope($west, 49, $west + 1, 51, 4326))";
}

# An empty fleet, without workers.  Tracker 1 has a past of two hours, a report
# every five seconds.
sub begin
{
	sql('SELECT pt621_pause()');
	sql('DELETE FROM pt621.geofence; TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position,
		pt621.track_piece, pt621.geofence_visit, pt621.event, pt621.geofence_version RESTART IDENTITY');
	sql("SELECT pt621_ingest(string_agg(report('1', -7200 + 5 * i, 10 + 0.0001 * (i % 50)), '' ORDER BY i)) FROM generate_series(1, 1400) i");
	return;
}

# Settles; then deriving anew changes nothing, and there are visits as expected.
sub agree
{
	my ($name, $visits) = @_;
	my $live = 'SELECT string_agg(l::text, chr(10) ORDER BY l::text) FROM live l';
	my $before;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->becomes('SELECT pt621_settle_geofences()', 0, "$name: settled");
	$before = sql($live);
	is(sql('SELECT count(*) FROM live'), $visits, '... with the visits that there were');
	sql('SELECT pt621_replay_events()');
	is(sql($live), $before, '... and deriving all anew changes nothing');
	return;
}

# ---------------------------------------------------------------------------
# A fence drawn while a batch was stored that did not see it
# ---------------------------------------------------------------------------

my %next = (
	'nobody but settling' => sub { },
	'a live report' => sub { sql(reports(1, 20, 1, 11.5)) },
	'a late report, of before the edit' => sub { sql("SELECT pt621_ingest(report('1', -6001.5, 10))") },
	'a late report, of after it' => sub { sql("SELECT pt621_ingest(report('1', 4.5, 11.5))") },
	'a late and a live report' => sub { sql("SELECT pt621_ingest(report('1', -6001.5, 10) || report('1', 20, 11.5))") },
	'a row that somebody inserts' => sub {
		sql('INSERT INTO pt621.position SELECT device_id, fix_time + $$20 s$$, code, digest + 1, received_at, frame_seq, geom, valid
			   FROM pt621.position ORDER BY fix_time DESC LIMIT 1') },
	'a row of the past that somebody inserts' => sub {
		sql('INSERT INTO pt621.position SELECT device_id, fix_time + $$0.5 s$$, code, digest + 1, received_at, frame_seq, geom, valid
			   FROM pt621.position ORDER BY fix_time LIMIT 1') },
	'one that somebody deletes' => sub { sql('DELETE FROM pt621.position WHERE fix_time = (SELECT min(fix_time) FROM pt621.position)') },
	'pt621_derive()' => sub { sql(q{SELECT pt621_derive(array_agg(id), array_agg(tstzrange(now() - interval '2 h', now() - interval '1 h'))) FROM pt621.device}) },
	'pt621_replay_events() of the past' => sub { sql(q{SELECT pt621_replay_events(NULL, tstzrange(NULL, now() - interval '1 h'))}) });

foreach my $who (sort keys %next)
{
	begin();
	$editor->query_safe('BEGIN; ' . fence(1, 11));
	sql(reports(1, 0, 10, 11.5));
	sql(reports(1, 10, 5, 14));
	is(sql('SELECT count(*) FROM live'), 0, 'a batch that does not see the fence makes no visit');
	$editor->query_safe('COMMIT');
	$next{$who}->();
	# Who comes back begins another visit.
	agree("next comes $who", $who =~ /live report/ ? 2 : 1);
}

# With a snapshot that is older than the edit.
begin();
$batch->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
sql(fence(1, 11));
$batch->query_safe(reports(1, 1, 10, 11.5));
$batch->query_safe('COMMIT');
is(sql('SELECT count(*) FROM live'), 0, 'a batch under an older snapshot makes no visit either');
agree('REPEATABLE READ', 1);

# ---------------------------------------------------------------------------
# A fence deleted under those that are in it
# ---------------------------------------------------------------------------

foreach my $most (200, 1)
{
	begin();
	sql(fence(1, 11));
	sql(reports($_, 0, 5, 11.5)) foreach 1 .. 3;
	$editor->query_safe('BEGIN; SELECT now(); SELECT pg_sleep(0.001); DELETE FROM pt621.geofence');
	sql(reports($_, 5, 5, 11.5)) foreach 1 .. 3;
	$editor->query_safe('COMMIT');
	sql("SELECT pt621_settle_geofences($most)") foreach 1 .. 9;
	is(sql('SELECT count(*) FROM live WHERE exit_at IS NULL'), 0, "deleted, and settled by $most: nobody is in it");
	agree("deleted, $most", sql('SELECT count(*) FROM live'));
}

# By a transaction that began before it was drawn.
begin();
$editor->query_safe('BEGIN; SELECT now()');
sql(fence(1, 11));
sql(reports(1, 1, 10, 11.5));
is(sql('SELECT count(*) FROM live'), 1, 'a fence that is drawn has its visit');
$editor->query_safe('DELETE FROM pt621.geofence; COMMIT');
agree('deleted by who began before it was drawn', 0);

# Drawn and deleted at once, it never was.
begin();
$editor->query_safe('BEGIN; ' . fence(1, 11) . '; DELETE FROM pt621.geofence; COMMIT');
is(sql('SELECT count(*) FROM pt621.geofence_version'), 0, 'drawn and deleted in one transaction: no version is left');

# Redrawn by two, the second of which began first.
begin();
sql(fence(1, 13));
$editor->query_safe('BEGIN; SELECT now()');
sql('UPDATE pt621.geofence SET geom = ST_MakeEnvelope(11, 49, 12, 51, 4326)');
sql(reports(1, 1, 5, 11.5));
$editor->query_safe('UPDATE pt621.geofence SET geom = ST_MakeEnvelope(11.4, 49, 12, 51, 4326), exit_buffer_m = 5');
sql(reports(1, 6, 5, 11.5));
$editor->query_safe('COMMIT');
sql(reports(1, 11, 5, 14));
agree('redrawn twice, the later one by who began first', sql('SELECT count(*) FROM live'));
is(sql('SELECT count(*) FROM pt621.geofence_version a JOIN pt621.geofence_version b ON a.revision < b.revision AND a.valid && b.valid'), 0,
	'... and no two versions overlap');

# ---------------------------------------------------------------------------
# Options that a batch did not see
# ---------------------------------------------------------------------------

my $overspeeds = q{SELECT string_agg(concat_ws(' ', at, until, detail), ', ' ORDER BY at) FROM pt621.event
					WHERE kind = 'overspeed' AND superseded_at IS NULL};

begin();
sql(fence(1, 11) . q{; UPDATE pt621.geofence SET groups = '{vans}'});
$editor->query_safe(q{BEGIN; UPDATE pt621.device SET groups = '{vans}', speed_limit_kmh = 5});
sql(reports(1, 0, 10, 11.5));
$editor->query_safe('COMMIT');
sql(reports(1, 10, 10, 11.5));
agree('a tracker that joins a group under a batch', 1);

begin();
$editor->query_safe('BEGIN; INSERT INTO pt621.detection (speed_limit_kmh) VALUES (5)');
sql(reports(1, 0, 10, 11.5));
$editor->query_safe('COMMIT');
sql(reports(1, 10, 10, 11.5));
my $before = sql($overspeeds);

sql('SELECT pt621_replay_events()');
is(sql($overspeeds), $before, 'a limit for the fleet that is set under a batch');

# ---------------------------------------------------------------------------
# Parallel workers see what their leader sees
# ---------------------------------------------------------------------------

sql('SELECT pt621_resume()');
sql(q{CREATE TABLE place AS SELECT i, ST_SetSRID(ST_MakePoint(10 + i / 1000.0, 50), 4326) AS geom FROM generate_series(0, 9999) i; ANALYZE place});
my $parallel = q{SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0};
my $count = q{SELECT count(*) FILTER (WHERE pt621_geofences(geom) = '{1}'), count(*) FILTER (WHERE pt621_inside(geom, 'fence 1')) FROM place};

$editor->query_safe("DELETE FROM pt621.geofence; $parallel");
$editor->query_safe(fence(1, 11));
like($editor->query_safe("EXPLAIN (COSTS OFF) $count"), qr/Parallel Seq Scan on place/, 'a parallel query');
is($editor->query_safe($count), '1001|1001', '... has the fences');
$editor->query_safe('BEGIN; UPDATE pt621.geofence SET geom = ST_MakeEnvelope(11, 49, 13, 51, 4326)');
is($editor->query_safe($count), '2001|2001', '... those of its own transaction too');
$editor->query_safe('SAVEPOINT s; UPDATE pt621.geofence SET geom = ST_MakeEnvelope(11, 49, 14, 51, 4326)');
is($editor->query_safe($count), '3001|3001', '... and of a subtransaction');
$editor->query_safe('ROLLBACK TO s');
is($editor->query_safe($count), '2001|2001', '... until that is rolled back');
is($batch->query_safe("$parallel; $count"), '1001|1001', '... which nobody else sees');
$editor->query_safe('COMMIT');
is($batch->query_safe($count), '2001|2001', '... before it is committed');

$_->quit foreach $editor, $batch;
$node->stop;
done_testing();
