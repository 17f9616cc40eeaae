# The same day in any order: what twenty trackers sent, shuffled, cut into random
# batches and stored by two sessions at once, always comes to the same events and
# visits, and they are those of a plain reference in SQL.
#
# `make soak` does it 1,000 times.  From the environment: PERMUTATIONS, SEED (of the
# first of them; each next has the next number), DAY (0 to 1, another day).
use strict;
use warnings;

use IPC::Run ();
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $permutations = $ENV{PERMUTATIONS} // 5;
my $seed = $ENV{SEED} // int(rand(1_000_000));
my $day = $ENV{DAY} // 0.621;
my $root = $ENV{TESTDIR} || '.';

diag("PERMUTATIONS=$permutations SEED=$seed DAY=$day");

my $node = PT621->new('main');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'pt621'
pt621.listen_addresses = ''
log_statement = none
synchronous_commit = off
autovacuum = off
jit = off
max_wal_size = 4GB
timezone = 'UTC'
CONF
$node->start;
$node->create_extension('postgres');
$node->safe_psql('postgres', slurp_file("$root/test/reference/$_.sql")) foreach qw(reference sensors fences compare day permute);
$node->safe_psql('postgres', "CALL reference.make_fleet(); CALL reference.make_day($day);");

# One round; false, with the first differences shown, when it came out otherwise.
sub round_is
{
	my ($seed, $by_rows) = @_;
	my $how = "SEED=$seed, " . ($by_rows ? 'as rows' : 'as records');
	my @sessions;

	$node->safe_psql('postgres', "CALL reference.deal($seed, ${by_rows}::boolean)");
	foreach my $session (0, 1)
	{
		my ($out, $err) = ('', '');

		push @sessions,
		  {
			err => \$err,
			run => IPC::Run::start(
				[ $node->installed_command('psql'), '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
					'-c', "CALL reference.play($session, ${by_rows}::boolean)" ],
				'<', \'', '>', \$out, '2>', \$err)
		  };
	}
	foreach my $session (@sessions)
	{
		return fail("$how: stored") || diag(${ $session->{err} }) && 0 if !$session->{run}->finish;
	}
	return unlike_first("$how: stored");
}

# Tells whether events and visits are now as they were after the first round.
sub unlike_first
{
	my ($what) = @_;
	my $other = $node->safe_psql('postgres', 'SELECT count(*) FROM reference.otherwise');

	return 1 if $other eq '0';
	fail("$what, and the same follows");
	diag("$other rows differ, at first:\n" . $node->safe_psql('postgres', 'SELECT * FROM reference.otherwise LIMIT 20'));
	return 0;
}

# Tells whether they are those of the reference.
sub like_reference
{
	my ($what) = @_;

	$node->safe_psql('postgres', 'CALL reference.work_out()');
	return is($node->safe_psql('postgres', 'SELECT * FROM reference.difference LIMIT 20'), '', $what);
}

# Rows ever written, those that no longer stand included.
sub written
{
	return $node->safe_psql('postgres', <<'SQL');
SELECT count(*), max(id), count(superseded_at) FROM pt621.event
UNION ALL SELECT count(*), max(id), count(superseded_at) FROM pt621.geofence_visit
SQL
}

# ------------------------------------------------ 1. the first, and the reference --

$node->safe_psql('postgres', "CALL reference.deal($seed, false); CALL reference.play(0, false);");
like_reference("SEED=$seed: with about half of the records, events and visits are those of the reference for these");
$node->safe_psql('postgres', 'CALL reference.play(1, false); CALL reference.keep();');
like_reference("SEED=$seed: events and visits are those of the reference");

# The day is worth it: of each kind there are some, of visits all sorts.
is($node->safe_psql('postgres', <<'SQL'), '', 'everything occurs');
SELECT k.kind, count(e.kind)
  FROM unnest('{alarm,power_cut,low_battery,sensor_alarm,ignition_on,ignition_off,motion_start,motion_stop,driver_change,overspeed,geofence_enter,geofence_exit,geofence_dwell,geofence_pass}'::text[]) k (kind)
  LEFT JOIN pt621.event e ON e.kind = k.kind AND e.superseded_at IS NULL
 GROUP BY k.kind
HAVING count(e.kind) < 20
 UNION ALL
SELECT w.what, count(*) FILTER (WHERE w.is_so)
  FROM pt621.geofence_visit v
 CROSS JOIN LATERAL (VALUES ('open', v.exit_at IS NULL), ('enter_unknown', v.enter_unknown), ('exit_unknown', v.exit_unknown),
                            ('passed', v.passed), ('interpolated', v.interpolated AND NOT v.passed)) w (what, is_so)
 WHERE v.superseded_at IS NULL
 GROUP BY w.what
HAVING count(*) FILTER (WHERE w.is_so) < 5
SQL
is($node->safe_psql('postgres', 'SELECT name FROM pt621.geofence EXCEPT SELECT g.name FROM pt621.geofence_visit v JOIN pt621.geofence g ON g.id = v.geofence_id'),
	'', 'every fence is visited');

# -------------------------------------------------------------- 2. in any order --

my $began = time();
my $done = 0;

foreach my $i (1 .. $permutations)
{
	my $this = $seed + $i;
	my $before;

	# A quarter of them by INSERT of the rows.
	round_is($this, $i % 4 == 3 ? 1 : 0) or last;
	$before = written();
	$node->safe_psql('postgres', <<'SQL');
SELECT pt621_replay_events();
SELECT pt621_replay_events(ARRAY(SELECT id FROM pt621.device WHERE id % 3 = 0), '[2025-03-01 06:00+00, 2025-03-01 09:30+00)');
SQL
	if (written() ne $before)
	{
		fail("SEED=$this: deriving all of it again changes nothing");
		last;
	}
	$node->safe_psql('postgres', "CALL reference.meddle($this)");
	unlike_first("SEED=$this: rows taken away and changed, and put right again") or last;
	if ((my $odd = $node->safe_psql('postgres', 'SELECT * FROM reference.odd_corrections LIMIT 20')) ne '')
	{
		fail("SEED=$this: what is corrected was superseded, by one row, of its like and near");
		diag($odd);
		last;
	}
	$done++;
	diag(sprintf('%d of %d, %.1f s each', $done, $permutations, (time() - $began) / $done))
	  if $done % 25 == 0;
}
is($done, $permutations, "SEED=$seed: the same events and visits in each of $permutations orders");

# ------------------------------------------------------------ 3. rows come and go --

my $file = $node->basedir . '/stored';

$node->safe_psql('postgres', "CALL reference.deal($seed, true)");
$node->safe_psql('postgres', <<SQL);
SELECT setseed(0.5);
COPY (SELECT s.device_id, s.fix_time, s.code, s.digest, s.received_at, s.geom, s.valid, s.speed_kmh, s.inputs, s.ignition, s.adc, s.driver, s.quality
        FROM reference.stored s ORDER BY random()) TO '$file';
COPY pt621.position (device_id, fix_time, code, digest, received_at, geom, valid, speed_kmh, inputs, ignition, adc, driver, quality) FROM '$file';
SQL
unlike_first('COPY') and pass('rows that come by COPY make the same');

# What is gone leaves no trace.
$node->safe_psql('postgres', <<'SQL');
SELECT setseed(0.25);
DELETE FROM pt621.position WHERE random() < 0.4;
SQL
like_reference('with fewer positions, events and visits are those of the reference for these');
$node->safe_psql('postgres', 'DELETE FROM pt621.position');
is($node->safe_psql('postgres', 'SELECT * FROM reference.outcome()'), '', 'without positions there is none');

# ------------------------------------------- 4. fences, limits and options change --

# Fences deleted between two records: their visits end, the past stays.
$node->safe_psql('postgres', "CALL reference.deal($seed, false); CALL reference.play(0, false);");
$node->safe_psql('postgres', "DELETE FROM pt621.geofence WHERE name IN ('county', 'dateline')");
$node->safe_psql('postgres', 'CALL reference.play(1, false)');
like_reference("SEED=$seed: fences deleted when half of it was stored");

# Sensors and their rules: what is changed of them is so from when the rows say.
$node->safe_psql('postgres', <<'SQL');
UPDATE pt621.sensor_alarm SET above = 12, name = 'too warm' WHERE name = 'warm';
UPDATE pt621.sensor_alarm SET valid = '(,2025-03-01 12:00+00)' WHERE name = 'hot';
DELETE FROM pt621.sensor_alarm WHERE name = 'door shut';
INSERT INTO pt621.sensor_alarm (name, sensor, below, lasting, groups, valid) VALUES ('icy', 'cold', -5, '5 min', '{red}', '[2025-03-01 04:00+00,)');
UPDATE pt621.calibration SET value = '{-30,10,40,70}' WHERE upper_inf(valid) AND unit = 'C';
DELETE FROM pt621.input WHERE device_id = 3;
SQL
$node->becomes('SELECT pt621_settle_sensors(100)', 0, 'sensors that were changed are looked after');
like_reference('other rules, calibrations and inputs');

# What holds for the past takes effect with a replay.
$node->safe_psql('postgres', <<'SQL');
UPDATE pt621.geofence SET valid = '[2025-03-01 05:00+00, 2025-03-01 12:00+00)' WHERE name = 'depot';
UPDATE pt621.geofence SET valid = '[2025-01-01 00:00+00,)' WHERE name = 'future';
INSERT INTO pt621.detection (valid_from, speed_limit_kmh, overspeed_min, motion_stop_after)
VALUES ('2025-03-01 09:00+00', 70, '2 s', '90 s');
SELECT pt621_replay_events();
SQL
like_reference('another validity, and other options, after a replay');
$node->safe_psql('postgres', "CALL reference.deal($seed, true); CALL reference.play(1, true); CALL reference.play(0, true);");
is($node->safe_psql('postgres', 'SELECT * FROM reference.difference LIMIT 20'), '', 'and when all of it is stored anew');

$node->stop;
done_testing();
