# Reports of the same records in any order: what twenty trackers sent in a day, and
# ten in two, shuffled, cut into random batches and stored by two sessions at once.  Reports
# are always those of a plain reference in SQL; a period's rows are those of its
# parts, and the fleet's those of each tracker.
#
# `make soak SOAK=061_reports_any_order` does it 1,000 times.  From the environment: PERMUTATIONS, SEED (of the
# first of them; each next has the next number), DAY (0 to 1, other days).
use strict;
use warnings;

use IPC::Run ();
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $permutations = $ENV{PERMUTATIONS} // 1;
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
$node->safe_psql('postgres', slurp_file("$root/test/reference/$_.sql")) foreach qw(reference fences compare day permute week reports);

# All that the reports say, as lines.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION plain.said() RETURNS SETOF text LANGUAGE sql STABLE SET extra_float_digits = 3 AS $$
    SELECT 'segment ' || s::text FROM public.pt621_segments() s
     UNION ALL SELECT 'day ' || s::text FROM public.pt621_summary() s
     UNION ALL SELECT 'ignition ' || s::text FROM public.pt621_ignition() s
     UNION ALL SELECT 'idling ' || s::text FROM public.pt621_idling() s
     UNION ALL SELECT 'driver ' || s::text FROM public.pt621_drivers() s
     UNION ALL SELECT 'behaviour ' || s::text FROM public.pt621_behaviour() s
     UNION ALL SELECT 'manoeuvre ' || s::text FROM public.pt621_manoeuvres() s
     UNION ALL SELECT 'fuel ' || s::text FROM public.pt621_fuel_events() s
     UNION ALL SELECT 'level ' || s::text FROM public.pt621_fuel() s
     UNION ALL SELECT 'balance ' || s::text FROM public.pt621_fuel_balance() s
     UNION ALL SELECT format('sensor %s %s %s', d.id, n, s) FROM pt621.device d, unnest('{battery,odometer_m,satellites}'::text[]) n, public.pt621_sensor(d.id, n) s
     UNION ALL SELECT format('sensor %s fuel %s', c.device_id, s) FROM pt621.calibration c, public.pt621_sensor(c.device_id, c.name) s
     UNION ALL SELECT format('track %s %s', d.id, s) FROM pt621.device d, public.pt621_track(d.id) s
     UNION ALL SELECT format('meeting %s %s %s', d.id, n, s) FROM pt621.device d, unnest('{1,2,6}'::integer[]) n, public.pt621_meetings(d.id, d.id + n, within_m => 50000) s
     UNION ALL SELECT 'overspeed ' || s::text FROM public.pt621_overspeeds() s
     UNION ALL SELECT 'visit ' || s::text FROM public.pt621_visits() s
     UNION ALL SELECT 'ride ' || s::text FROM pt621.geofence f, public.pt621_rides(f.id, f.id) s WHERE f.name IN ('depot', 'school', 'town')
     UNION ALL SELECT 'use ' || s::text FROM public.pt621_utilisation(NULL, NULL, 'day', 'Mo-Fr 07:00-18:00') s
$$;
CREATE TABLE plain.first_said (line text NOT NULL);
CREATE VIEW plain.otherwise AS
SELECT 'now' AS side, x.line FROM (SELECT s AS line FROM plain.said() s EXCEPT ALL SELECT * FROM plain.first_said) x
 UNION ALL
SELECT 'first', x.line FROM (SELECT * FROM plain.first_said EXCEPT ALL SELECT s FROM plain.said() s) x
 ORDER BY line;
SQL

# Stores all of it in an order that follows from the seed, by two sessions at once.
sub store
{
	my ($seed, $by_rows) = @_;
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
		$session->{run}->finish or die "SEED=$seed: ${ $session->{err} }";
	}
	$node->safe_psql('postgres', 'ANALYZE pt621.position');
	return;
}

sub like_reference
{
	my ($what) = @_;

	$node->safe_psql('postgres', 'CALL plain.work_out_reports()');
	return is($node->safe_psql('postgres', 'SELECT * FROM plain.difference LIMIT 10'), '', $what);
}

# The rows of all time are those of its parts, whatever these are; the fleet's are
# those of each tracker.
sub of_parts
{
	my ($what, $seed) = @_;

	is($node->safe_psql('postgres', <<SQL), '0', "$what: the rows of a time are those of its parts, one tracker's after the other");
CREATE TEMP TABLE cut AS
SELECT tstzrange(lag(c.at) OVER (ORDER BY c.at), c.at) AS part
  FROM (SELECT '2025-02-28 22:00+00'::timestamptz + (random() * CASE i % 2 WHEN 0 THEN 40 ELSE 800 END) * interval '1 h' AS at
          FROM setseed($seed / 2147483647.0), generate_series(1, 7) i UNION ALL SELECT NULL) c;
CREATE TEMP TABLE piece AS
SELECT 'segment ' || s::text AS line FROM cut c, pt621.device d, pt621_segments(ARRAY[d.id], c.part) s
 UNION ALL SELECT 'ignition ' || s::text FROM cut c, pt621.device d, pt621_ignition(ARRAY[d.id], c.part) s
 UNION ALL SELECT 'idling ' || s::text FROM cut c, pt621.device d, pt621_idling(ARRAY[d.id], c.part) s
 UNION ALL SELECT 'driver ' || s::text FROM cut c, pt621.device d, pt621_drivers(ARRAY[d.id], c.part) s WHERE s.rfid IS NOT NULL;
CREATE TEMP TABLE whole AS
SELECT s.line FROM plain.said() s (line)
 WHERE s.line ~ '^(segment|ignition|idling) ' OR s.line ~ '^driver \\(\\d+,[^,]';
SELECT count(*) FROM ((TABLE piece EXCEPT ALL TABLE whole) UNION ALL (TABLE whole EXCEPT ALL TABLE piece)) d;
SQL
	is($node->safe_psql('postgres', <<SQL), '', "$what: sums of parts, and of days of any zone, are those of all time");
CREATE TEMP TABLE cut AS
SELECT tstzrange(lag(c.at) OVER (ORDER BY c.at), c.at) AS part
  FROM (SELECT '2025-02-28 22:00+00'::timestamptz + (random() * CASE i % 2 WHEN 0 THEN 40 ELSE 800 END) * interval '1 h' AS at
          FROM setseed($seed / 2147483647.0), generate_series(1, 6) i UNION ALL SELECT NULL) c;
CREATE TEMP TABLE sums AS
SELECT 'all' AS how, s.* FROM pt621_summary(by => 'all') s
 UNION ALL SELECT 'parts', s.* FROM cut c, pt621_summary(NULL, c.part, 'all') s
 UNION ALL SELECT z, s.* FROM unnest('{UTC,Europe/Berlin,Pacific/Auckland,America/St_Johns}'::text[]) z, pt621_summary(NULL, NULL, 'day', z) s
 UNION ALL SELECT 'weeks', s.* FROM pt621_summary(by => 'week') s
 UNION ALL SELECT 'months', s.* FROM pt621_summary(by => 'month', time_zone => 'Asia/Kathmandu') s;
WITH total AS (
    SELECT how, device_id, sum(trips) AS trips, sum(stops) AS stops, sum(alarms) AS alarms, min(first_fix) AS first_fix, max(last_fix) AS last_fix,
           max(top_kmh) AS top_kmh,
           ARRAY[sum(metres), sum(drive_s), sum(stopped_s), sum(unobserved_s), sum(carried_s), sum(carried_metres), sum(engine_s), sum(idle_s),
                 coalesce(sum(odometer_m), 0)] AS numbers
      FROM sums GROUP BY how, device_id)
SELECT o.how, o.device_id, o, a
  FROM total a
  LEFT JOIN total o ON o.device_id = a.device_id AND o.how <> 'all'
 WHERE a.how = 'all'
   AND ((a.trips, a.stops, a.alarms, a.first_fix, a.last_fix, a.top_kmh) IS DISTINCT FROM (o.trips, o.stops, o.alarms, o.first_fix, o.last_fix, o.top_kmh)
        OR EXISTS (SELECT FROM unnest(a.numbers, o.numbers) n (x, y) WHERE (abs(n.x - n.y) <= 1e-3) IS NOT TRUE AND num_nonnulls(n.x, n.y) > 0))
 LIMIT 5
SQL
	return;
}

# Once as the reference has it, then in other orders.
sub in_any_order
{
	my ($what, $by_rows) = @_;
	my $done = 0;

	store($seed, $by_rows);
	like_reference("$what: reports are those of the reference");
	$node->safe_psql('postgres', 'TRUNCATE plain.first_said; INSERT INTO plain.first_said SELECT * FROM plain.said()');
	of_parts($what, $seed);
	foreach my $i (1 .. $permutations)
	{
		my $other;

		store($seed + $i, $by_rows);
		$other = $node->safe_psql('postgres', 'SELECT * FROM plain.otherwise LIMIT 10');
		if ($other ne '')
		{
			fail("$what, SEED=" . ($seed + $i) . ': reports are otherwise');
			diag($other);
			last;
		}
		$done++;
	}
	is($done, $permutations, "$what, SEED=$seed: the same reports in each of $permutations orders");
	return;
}

# ------------------------------------------------ 1. a day, as it came on the wire --

$node->safe_psql('postgres', "CALL reference.make_fleet(); CALL reference.make_day($day);");
in_any_order('a day by pt621_ingest_reads()', 0);

# --------------------------------------------------------- 2. two days, as rows --

# They reach into the night in which Berlin puts its clocks forward.
$node->safe_psql('postgres', "TRUNCATE pt621.device, pt621.device_version; CALL reference.make_week($day)");
$node->safe_psql('postgres', q{INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) SELECT id, 'fuel', 1, 'l', '{0,4095}', '{0,200}' FROM pt621.device});
in_any_order('two days by INSERT', 1);
is($node->safe_psql('postgres', <<'SQL'), '', 'everything occurs');
SELECT k.kind FROM unnest('{trip,stop,unobserved}'::text[]) k (kind)
 WHERE (SELECT count(*) FROM plain.segment s WHERE s.kind = k.kind) < 10
 UNION ALL
SELECT k.what FROM unnest('{engine,idle,driver}'::text[]) k (what)
 WHERE (SELECT count(*) FROM plain.span s WHERE s.what = k.what) < 10
 UNION ALL
SELECT 'refuel' WHERE NOT EXISTS (SELECT FROM pt621_fuel_events() f WHERE f.kind = 'refuel')
 UNION ALL
SELECT w FROM unnest('{manoeuvre,level,balance,sensor,track,meeting}'::text[]) w WHERE NOT EXISTS (SELECT FROM plain.first_said f WHERE f.line LIKE w || ' %')
 UNION ALL
SELECT 'towed' WHERE NOT EXISTS (SELECT FROM plain.segment s WHERE s.carried_s > 0)
SQL

# Other parameters.
foreach my $set ("stop_radius_m = 50, rest_after = '60 s', min_stop = '90 s'", "stop_radius_m = 600, rest_after = '10 min', max_gap = '20 min'",
	"use_ignition = false, min_stop = '20 min'")
{
	$node->safe_psql('postgres', "UPDATE plain.parameter SET $set");
	like_reference("with $set");
	$node->safe_psql('postgres', 'DELETE FROM plain.parameter; INSERT INTO plain.parameter DEFAULT VALUES');
}

# What is gone leaves no trace.
$node->safe_psql('postgres', "DELETE FROM pt621.position WHERE hashtextextended(format('%s %s %s', device_id, extract(epoch FROM fix_time), digest), $seed) % 5 IN (0, 1)");
like_reference('with fewer positions reports are those of the reference for these');

$node->stop;
done_testing();
