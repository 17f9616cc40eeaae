# A change of sensors or their rules and a batch that do not see each other: what
# the batch made of those of before is made again, by the worker, whoever comes
# next, and new records go by those of now at once.  The workers are gone meanwhile.
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

# Records of so many seconds from now, each a number of C.
$node->safe_psql('postgres', q{
	CREATE FUNCTION report(ident text, seconds double precision, degrees integer) RETURNS bytea LANGUAGE sql STABLE
	RETURN convert_to('$POS,' || ident || to_char((now() + seconds * interval '1 s') AT TIME ZONE 'UTC', ',HH24MISS.MS') || ',A,5000.0000,N,01000.0000,E,10.00,90.0,' ||
		to_char((now() + seconds * interval '1 s') AT TIME ZONE 'UTC', 'DDMMYY') || ',,,A/00000,00000/' || to_hex(degrees) || '/1000//f73//' || E'\r\n', 'SQL_ASCII');
	CREATE VIEW live AS
	SELECT device_id, object, at, until, confirmed_at, detail FROM pt621.event WHERE kind = 'sensor_alarm' AND superseded_at IS NULL});

my $editor = $node->background_psql('postgres');
my $batch = $node->background_psql('postgres');

sub sql
{
	return $node->safe_psql('postgres', shift);
}

# The statement that has a tracker report so often, a second apart.
sub reports
{
	my ($ident, $from, $count, $degrees) = @_;

	return "SELECT sum(pt621_ingest(report('$ident', $from + i, $degrees))) FROM generate_series(1, $count) i";
}

# Two trackers, one without a thermometer.  The first was warm an hour ago.
sub begin
{
	sql('SELECT pt621_pause()');
	sql('TRUNCATE pt621.device, pt621.device_state, pt621.device_version, pt621.frame, pt621.position, pt621.track_piece, pt621.event,
		pt621.sensor_alarm, pt621.calibration, pt621.input, pt621.sensor_change RESTART IDENTITY');
	sql(join '; ', reports(1, -7200, 400, 5), reports(1, -3600, 300, 20), reports(1, -3200, 300, 5), reports(2, -3600, 300, 20));
	sql(q{INSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (1, 'temperature', 1, '{0,100}', '{0,100}')});
	return;
}

my $RULE = q{INSERT INTO pt621.sensor_alarm (name, sensor, above, lasting, valid) VALUES ('warm', 'temperature', 8, '5 s', '(,)')};

sub agree
{
	my ($name, $alarms) = @_;
	my $live = 'SELECT string_agg(l::text, chr(10) ORDER BY l::text) FROM live l';
	my $before;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->becomes('SELECT pt621_settle_sensors()', 0, "$name: settled");
	$before = sql($live);
	is(sql('SELECT count(*) FROM live'), $alarms, '... with the alarms that there were');
	sql('SELECT pt621_replay_events()');
	is(sql($live), $before, '... and deriving all anew changes nothing');
	return;
}

my %next = (
	'nobody but settling' => sub { },
	'a live report' => sub { sql(reports(1, 30, 1, 20)) },
	'a late report, of before it was warm' => sub { sql("SELECT pt621_ingest(report('1', -6901.5, 5))") },
	'a late report, of just now' => sub { sql("SELECT pt621_ingest(report('1', 4.5, 20))") },
	'a late and a live report' => sub { sql("SELECT pt621_ingest(report('1', -6901.5, 5) || report('1', 30, 20))") },
	'one that somebody deletes' => sub { sql('DELETE FROM pt621.position WHERE fix_time = (SELECT min(fix_time) FROM pt621.position)') },
	'pt621_derive()' => sub { sql(q{SELECT pt621_derive(array_agg(id), array_agg(tstzrange(now() - interval '2 h', now() - interval '1 h'))) FROM pt621.device}) },
	'pt621_replay_events()' => sub { sql('SELECT pt621_replay_events()') },
	'pt621_settle_geofences()' => sub { sql('SELECT pt621_settle_geofences()') },
	'a calibration' => sub { sql(q{UPDATE pt621.calibration SET value = '{0,90}'}) });

foreach my $who (sort keys %next)
{
	begin();
	$editor->query_safe("BEGIN; $RULE");
	sql(reports(1, 0, 10, 20));
	is(sql('SELECT count(*) FROM live'), 0, 'a batch that does not see the rule makes no alarm');
	$editor->query_safe('COMMIT');
	$next{$who}->();
	agree("next comes $who", 2);
}

# New records go by the new rules at once, long before the past is derived.
begin();
sql($RULE);
sql(reports(1, 0, 10, 20));
is(sql("SELECT count(*) FROM live WHERE at > now() - interval '10 min'"), 1, 'an alarm of now');
agree('a rule for the past', 2);
sql('UPDATE pt621.sensor_alarm SET above = 50');
sql(reports(1, 10, 10, 60));
is(sql('SELECT count(*), count(until) FROM live'), '2|1', 'an alarm that is open when its rule is changed goes on by the new one');
agree('a rule that is changed', 1);

# Under a snapshot that is older than the rule.
begin();
$batch->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
sql($RULE);
$batch->query_safe(reports(1, 1, 10, 20));
$batch->query_safe('COMMIT');
is(sql('SELECT count(*) FROM live'), 0, 'a batch under an older snapshot makes no alarm');
agree('REPEATABLE READ', 2);

# Two who change something wait for each other, and nobody waits for them.
begin();
$editor->query_safe("BEGIN; $RULE");
my $other = $node->background_psql('postgres');
my $pid = $other->query_safe('SELECT pg_backend_pid()');

$other->query_until(qr/started/, qq{\\echo started\nINSERT INTO pt621.calibration (device_id, name, channel, raw, value) VALUES (2, 'temperature', 1, '{0,100}', '{0,100}');\n});
$node->becomes("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid", 'Lock', 'who changes something else waits');
sql(reports(1, 0, 10, 20));
sql(reports(2, 0, 10, 20));
$editor->query_safe('COMMIT');
$other->query_safe('SELECT 1');
# The second has been warm all the time.
agree('two changes', 3);

# A transaction that is rolled back leaves nothing to do.
begin();
$editor->query_safe("BEGIN; $RULE; ROLLBACK");
is(sql('SELECT pt621_settle_sensors()'), 0, 'a rule that was rolled back');

# The worker does it by itself.
sql($RULE);
sql('SELECT pt621_resume()');
$node->becomes('SELECT count(*) FROM live', 1, 'the worker looks after it');

$_->quit foreach $editor, $batch, $other;
$node->stop;
done_testing();
