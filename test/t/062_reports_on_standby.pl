# Reports on a hot standby: all of them run there, and say what the primary says.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{TESTDIR} || '.';
my $node = PT621->make('primary', conf => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\nautovacuum = off\ntimezone = 'UTC'\n");
my $standby = PT621->new('standby');

$node->create_extension('postgres');
$node->backup('base');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'pt621.port = ' . PostgreSQL::Test::Cluster::get_free_port() . "\n");
$standby->start;

# Two trackers for a day among two fences, with drivers, an odometer, a tank, and a service.
$node->safe_psql('postgres', <<'SQL');
INSERT INTO pt621.device (id, ident) VALUES (1, 'a'), (2, 'b');
INSERT INTO pt621.geofence (name, geom, radius_m, valid)
VALUES ('depot', ST_Point(10, 50, 4326), 500, '(,)'), ('quarry', ST_Point(10.1, 50, 4326), 500, '(,)');
INSERT INTO pt621.driver (rfid, name) VALUES ('4711', 'Anna');
INSERT INTO pt621.detection (valid_from, speed_limit_kmh) VALUES ('2025-01-01', 50);
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since) VALUES (1, 'oil', 100, '2025-03-01');
INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) VALUES (1, 'fuel', 1, 'l', '{0,4095}', '{0,200}');
INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh, course, ignition, driver, odometer_m, adc)
SELECT d, '2025-03-03 05:00+00'::timestamptz + i * interval '30 s', i,
       ST_Point(10.05 - 0.07 * cos(i / 60.0), 50 + d * 0.0001, 4326), CASE WHEN i / 30 % 5 = 4 THEN 0 ELSE 60 END, 90,
       i / 30 % 5 < 4, CASE i % 700 WHEN 30 THEN '4711' WHEN 350 THEN '12' END, i * 100, ARRAY[3000 - i + i / 900 * 900]
  FROM generate_series(1, 2) d, generate_series(0, 1999) i;
SQL
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery(), count(*) FROM pt621.position'), 't|4000', 'the standby has it');

my $all = q{'[2025-03-01 00:00+00,2025-03-08 00:00+00)'};
my %report = (
	(map { $_ => "SELECT * FROM pt621_$_(NULL, $all) x" }
		  qw(segments trips stops unobserved summary ignition idling drivers behaviour manoeuvres overspeeds visits utilisation
		  fuel fuel_events geojson csv gpx kml)),
	overspeeds_of_a_limit => "SELECT * FROM pt621_overspeeds(NULL, $all, 40) x",
	working_hours => "SELECT * FROM pt621_utilisation(NULL, $all, 'day', 'Mo-Fr 06:00-09:00', 'Europe/Berlin') x",
	rides => "SELECT * FROM pt621_rides('depot', 'quarry', NULL, $all) x",
	maintenance => q{SELECT * FROM pt621_maintenance_due(at => '2025-03-04 00:00+00') x},
	sensor => "SELECT * FROM pt621_sensor(1, 'fuel', $all) x",
	track => "SELECT * FROM pt621_track(1, $all) x",
	meetings => "SELECT * FROM pt621_meetings(1, 2, $all) x",
	# They say when they were made.
	page => "SELECT length(pt621_report_html(NULL, $all)) x",
	map => "SELECT length(pt621_map(NULL, $all)) x",
);

foreach my $name (sort keys %report)
{
	my $query = "SELECT count(*), md5(string_agg(x::text, E'\\n' ORDER BY x::text COLLATE \"C\")) FROM ($report{$name}) x";
	my ($status, $found, $error) = $standby->psql('postgres', $query);

	is($error, '', "$name on a standby");
	is($found, $node->safe_psql('postgres', $query), '... says what the primary says');
	cmp_ok((split /\|/, $found)[0], '>', 0, '... which is something') unless $name =~ /^(unobserved|idling|manoeuvres|fuel_events)$/;
}

$standby->stop;
$node->stop;
done_testing();
