# The example of README.md for two fleets in one database: each sees its own
# trackers, by whatever way it asks, and storing does not notice.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');

$node->safe_psql('postgres', readme_sql('Readers and writers') . readme_sql('Two fleets, one database'));
$node->safe_psql('postgres', q{
	CREATE ROLE anna LOGIN IN ROLE fleet_a;
	CREATE ROLE bert LOGIN IN ROLE fleet_b;
	CREATE ROLE twofold LOGIN IN ROLE fleet_a, fleet_b;
	CREATE ROLE stray LOGIN; GRANT USAGE ON SCHEMA pt621 TO stray; GRANT SELECT ON pt621.device, pt621.position TO stray;
	CREATE ROLE reader LOGIN IN ROLE fleet_reader;
	CREATE ROLE writer LOGIN IN ROLE fleet_writer;
	CREATE ROLE member LOGIN IN ROLE pt621;
	CREATE ROLE relay LOGIN; GRANT EXECUTE ON FUNCTION pt621_ingest TO relay;
	GRANT CREATE ON SCHEMA public TO anna;
	INSERT INTO pt621.device (ident, groups) VALUES ('3001', '{a}'), ('3002', '{b}'), ('3003', '{vans,a}')});

# Runs a query as somebody; the answer, or the error.
sub answer
{
	my ($who, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, extra_params => [ '-U', $who ], stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /(ERROR: .*)/ ? $1 : $stdout;
}

# ---------------------------------------------------------------------------
# Storing
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{INSERT INTO pt621.geofence (name, geom, valid) VALUES ('half the world', ST_MakeEnvelope(0, -80, 170, 80, 4326), '(,)')});

# Three trackers, a stranger, and what is nobody's; live and from memory, twice.
foreach my $ident (3001 .. 3004)
{
	my @records = map { record(ident => $ident, time => "12000$_.000", odometer => $ident * 10 + $_) } 0 .. 2;

	$node->send_tcp(@records, delta($records[2], record(ident => $ident, time => '120009.000', odometer => $ident * 10 + 9)));
	$node->send_udp($records[1]);
}
$node->send_tcp("GET / HTTP/1.1\r\n");
$node->becomes('SELECT (SELECT count(*) FROM pt621.position), (SELECT count(*) FROM pt621.frame), (SELECT count(*) FROM pt621.device_state)',
	'16|21|4', 'policies do not keep the listener from anything');
is($node->listener('last_error'), '', '... and there was no error');
$node->safe_psql('postgres', q{INSERT INTO pt621.event (kind, device_id, at) SELECT 'mine', d.id, now() FROM pt621.device d});

is(answer('relay', 'SELECT pt621_ingest(' . bytea(record(ident => '3002', time => '120100.000')) . ')'), 1,
	'nor pt621_ingest() called by somebody without any right on the tables');
is(answer('member', 'SELECT pt621_ingest(' . bytea(record(ident => '3001', time => '120100.000')) . ')'), 1, '... nor by a member');
is(answer('member', q{SELECT pt621_derive(array_agg(id), array_agg('(,)'::tstzrange)) FROM pt621.device; SELECT pt621_maintain(), pt621_ready()}),
	"\n0|", '... nor pt621_derive(), pt621_maintain() and pt621_ready()');
is(answer('member', 'SELECT count(*) FROM pt621.device'), 4, 'members see everything');

# ---------------------------------------------------------------------------
# Who sees what
# ---------------------------------------------------------------------------

my %VIEW = (
	'device' => 'SELECT string_agg(ident, $$ $$ ORDER BY ident) FROM pt621.device',
	'device_state' => 'SELECT count(*) FROM pt621.device_state',
	'position' => 'SELECT string_agg(DISTINCT left(odometer_m::text, 4), $$ $$) FILTER (WHERE odometer_m > 10000) FROM pt621.position',
	'frame' => 'SELECT string_agg(DISTINCT ident, $$ $$) FROM pt621.frame',
	'bytes in frame' => q{SELECT string_agg(DISTINCT substr(encode(bytes, 'escape'), 6, 4), ' ') FROM pt621.frame WHERE substr(bytes, 1, 1) = '$'},
	'frames without a tracker' => 'SELECT count(*) FROM pt621.frame WHERE device_id IS NULL',
	'event' => q{SELECT count(DISTINCT device_id) FROM pt621.event WHERE kind = 'mine'},
	'geofence_visit' => q{SELECT count(*) FROM pt621.geofence_visit WHERE enter_unknown},
	'last_position' => 'SELECT string_agg(ident, $$ $$ ORDER BY ident) FROM pt621.last_position',
	'track' => 'SELECT count(DISTINCT device_id) FROM pt621.track');
my %EXPECTED = (
	anna => [ '3001 3003', 2, 0 ],
	bert => [ '3002', 1, 0 ],
	twofold => [ '3001 3002 3003', 3, 0 ],
	reader => [ '3001 3002 3003 3004', 4, 1 ],
	writer => [ '3001 3002 3003 3004', 4, 1 ]);

sub sees
{
	my ($who, $name, %expected) = @_;
	my ($idents, $trackers, $strays) = @{ $EXPECTED{$who} };

	foreach my $view (sort keys %VIEW)
	{
		my $expected = $view eq 'frames without a tracker' ? $strays : $view =~ /^(device_state|track|event|geofence_visit)$/ ? $trackers : $idents;

		is(answer($who, $VIEW{$view}), $expected, "$who sees of $view what is for $who$name");
	}
	return;
}

sees($_, '') foreach sort keys %EXPECTED;
is(answer('stray', 'SELECT (SELECT count(*) FROM pt621.device), (SELECT count(*) FROM pt621.position)'), '0|0',
	'a right to SELECT without a policy shows nothing');

# ---------------------------------------------------------------------------
# Ways round it
# ---------------------------------------------------------------------------

# A cheap function in a condition, which the planner would like to ask first.
answer('anna', q{
	CREATE FUNCTION public.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
	BEGIN RAISE WARNING 'peeked at %', $1; RETURN true; END $$;
	CREATE OPERATOR public.<? (FUNCTION = public.peek, RIGHTARG = text)});
foreach my $sql (
	'SELECT FROM pt621.device WHERE public.peek(ident)', 'SELECT FROM pt621.device WHERE OPERATOR(public.<?) ident',
	'SELECT FROM pt621.position WHERE public.peek(odometer_m::text)', 'SELECT FROM pt621.frame WHERE public.peek(ident)',
	'SELECT FROM pt621.frame WHERE public.peek(encode(bytes, $$escape$$))', 'SELECT FROM pt621.last_position WHERE public.peek(ident)',
	'SELECT FROM pt621.device_state WHERE public.peek(device_id::text || $$ is 300$$ || device_id::text)',
	'SELECT FROM pt621.last_position l JOIN pt621.position p USING (device_id) WHERE public.peek(odometer_m::text)',
	'SELECT FROM pt621.track t JOIN pt621.device d ON d.id = t.device_id WHERE public.peek(ident)',
	'SELECT FROM (SELECT public.peek(odometer_m::text) FROM pt621.position) x')
{
	my $said;

	$node->psql('postgres', $sql, extra_params => [ '-U', 'anna' ], stderr => \$said);
	like($said, qr/peeked at/, "a condition is asked: $sql");
	unlike($said, qr/300[24]|ERROR/, '... of rows of the own fleet only');
}

foreach my $sql (
	'SET row_security = off; SELECT count(*) FROM pt621.position', 'SET row_security = off; SELECT count(*) FROM pt621.last_position')
{
	like(answer('anna', $sql), qr/^ERROR:  query would be affected by row-level security policy/, "no way round: $sql");
}
foreach my $sql (
	(map { "SELECT count(*) FROM $_" } split /\n/, $node->safe_psql('postgres', q{
		SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'pt621'::regnamespace AND c.relispartition AND c.relkind = 'r'})),
	'SELECT * FROM pt621_stat_worker()', 'SELECT pt621_closed_reason()', "SELECT pt621_ingest('x')", "SELECT pt621_ingest_reads('{x}')",
	q{SELECT pt621_derive('{2}', '{"(,)"}')}, 'SELECT * FROM pt621_batch_frames(false)', 'SELECT * FROM pt621_batch_positions(false)',
	"UPDATE pt621.device SET groups = '{a}'", "INSERT INTO pt621.device (ident, groups) VALUES ('3002', '{a}')",
	'DROP POLICY of_device ON pt621.position', 'ALTER TABLE pt621.position DISABLE ROW LEVEL SECURITY',
	'COPY pt621.frame_default TO STDOUT', "SELECT last_value FROM pt621.frame_seq")
{
	like(answer('anna', $sql), qr/^ERROR:  (permission denied|must be owner)/, "no way round: $sql");
}
is(answer('anna', 'COPY (SELECT DISTINCT ident FROM pt621.frame ORDER BY 1) TO STDOUT'), "3001\n3003", 'COPY shows no more');
is(answer('anna', 'SELECT count(*) FROM pt621.position WHERE device_id = (SELECT 2)'), 0, 'nor does asking by number');

# The statistics of the planner hold values of all fleets.
$node->safe_psql('postgres', 'ANALYZE pt621.device; ANALYZE pt621.position; ANALYZE pt621.frame; ANALYZE pt621.device_state');
is(answer('anna', q{SELECT count(*) FROM pg_stats WHERE schemaname = 'pt621'}), 0, 'nor do statistics');
unlike(answer('anna', 'EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM pt621.device WHERE ident = $$3002$$'), qr/actual.*rows=1/,
	'nor does a plan');

# ---------------------------------------------------------------------------
# What it costs, and changes
# ---------------------------------------------------------------------------

foreach my $sql (
	q{SELECT * FROM pt621.position WHERE fix_time > '2024-03-15'}, 'SELECT * FROM pt621.position WHERE device_id = 1',
	'SELECT * FROM pt621.last_position')
{
	like(answer('anna', "SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN (COSTS OFF) $sql"),
		qr/Index Cond: \(+(s\.|position_1\.)?device_id = /, "the policy can use the primary key: $sql");
}
is(answer('writer', q{UPDATE pt621.device SET groups = '{b}' WHERE ident = '3003' RETURNING ident}), '3003',
	'a writer gives a tracker to the other fleet');
$EXPECTED{anna} = [ '3001', 1, 0 ];
$EXPECTED{bert} = [ '3002 3003', 2, 0 ];
sees($_, ', from then on') foreach 'anna', 'bert';
is(answer('writer', q{INSERT INTO pt621.device (ident, groups) VALUES ('3005', '{a}') RETURNING ident}), '3005', 'and adds one');
$node->send_tcp(record(ident => '3005'));
$node->becomes(q{SELECT count(*) FROM pt621.frame WHERE ident = '3005'}, 1, 'it reports');
is(answer('anna', 'SELECT string_agg(ident, $$ $$ ORDER BY ident) FROM pt621.last_position'), '3001 3005', '... and is seen at once');

# ---------------------------------------------------------------------------
# Reports, exports and pages
# ---------------------------------------------------------------------------

%EXPECTED = (anna => [ '3001 3005', 2 ], bert => [ '3002 3003', 2 ], twofold => [ '3001 3002 3003 3005', 4 ], reader => [ '3001 3002 3003 3004 3005', 5 ]);
$node->safe_psql('postgres', q{
	UPDATE pt621.device SET name = 'named ' || ident;
	INSERT INTO pt621.position (device_id, fix_time, code, digest, geom, speed_kmh, ignition, driver, adc)
	SELECT d.id, '2021-04-30 08:00+00'::timestamptz + i * interval '30 s', 'POS', 1, ST_Point(10 + least(i, 60) * 0.005, 50, 4326),
	       CASE WHEN i < 60 THEN 43 ELSE 0 END, i < 60, 'RF' || d.ident, ARRAY[600 - i]
	  FROM pt621.device d, generate_series(0, 120) i;
	INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value) SELECT id, 'fuel', 1, 'l', '{0,1000}', '{0,100}' FROM pt621.device;
	INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since) SELECT id, 'oil', 1, '2021-04-29' FROM pt621.device;
	INSERT INTO pt621.maintenance_record (plan_id, done_at) SELECT id, '2021-04-30' FROM pt621.maintenance_plan});
my $APRIL = q{NULL, '[2021-04-30,2021-05-01)'};
foreach my $who (sort keys %EXPECTED)
{
	my ($idents, $trackers) = @{ $EXPECTED{$who} };

	foreach my $report (
		"pt621_segments($APRIL)", "pt621_trips($APRIL)", "pt621_stops($APRIL)", "pt621_summary($APRIL)", "pt621_ignition($APRIL)",
		"pt621_drivers($APRIL)", "pt621_behaviour($APRIL)", "pt621_overspeeds($APRIL, 20)", 'pt621_visits()', "pt621_utilisation($APRIL, 'all', 'Mo-Fr 07:00-18:00')",
		"pt621_maintenance_due(NULL, '2021-05-01')", "pt621_fuel($APRIL)", "pt621_fuel_balance($APRIL)", 'pt621.track_piece',
		'pt621.maintenance_record r JOIN pt621.maintenance_plan p ON p.id = plan_id')
	{
		is(answer($who, "SELECT count(DISTINCT device_id) FROM $report"), $trackers, "$who has of $report what is for $who");
	}
	foreach my $text (
		"pt621_gpx($APRIL)", "pt621_kml($APRIL)", "pt621_geojson($APRIL)", "(SELECT string_agg(c, '') FROM pt621_csv($APRIL) c)", "pt621_map($APRIL)",
		"pt621_report_html($APRIL)", q{encode(pt621_tiles(0, 0, 0, 'live,tracks,fences,heat', '[2021-04-30,2021-05-01)'), 'escape')})
	{
		is(answer($who, "SELECT string_agg(DISTINCT m[1], ' ' ORDER BY m[1]) FROM regexp_matches($text, 'named (3\\d+)', 'g') m"), $idents,
			"$who is told by $text of what is for $who");
	}
}

# ---------------------------------------------------------------------------
# Photos and commands
# ---------------------------------------------------------------------------

# Of each tracker a photo that is there, one that is being fetched, and a command.
$node->safe_psql('postgres', q{
	INSERT INTO pt621.photo (device_id, fix_time, digest, size, received, state, jpeg)
	SELECT id, now(), 1, 10, 10, 'complete', convert_to('whole ' || ident, 'UTF8') FROM pt621.device;
	INSERT INTO pt621.photo (device_id, fix_time, digest, size, received, state)
	SELECT id, now(), 2, 20, 10, 'fetching' FROM pt621.device;
	INSERT INTO pt621.photo_piece
	SELECT p.id, 0, convert_to('piece ' || d.ident, 'UTF8')
	  FROM pt621.photo p JOIN pt621.device d ON d.id = p.device_id WHERE p.state = 'fetching';
	SELECT pt621_send(id, 'photo', note => ident) FROM pt621.device});
my $photos = $node->safe_psql('postgres', 'SELECT max(id) FROM pt621.photo');
my %NAMED = (
	'photo' => q{SELECT right(convert_from(jpeg, 'UTF8'), 4) FROM pt621.photo WHERE jpeg IS NOT NULL},
	'photo_piece' => q{SELECT right(convert_from(bytes, 'UTF8'), 4) FROM pt621.photo_piece},
	'picture' => 'SELECT ident FROM pt621.picture',
	'command' => 'SELECT note FROM pt621.command',
	'command_log' => q{SELECT command ->> 'note' FROM pt621.command_log},
	# By number, of those that are there and those that are being fetched.
	'pt621_photo_file()' => "SELECT right(convert_from(pt621_photo_file(n), 'UTF8'), 4) FROM generate_series(1, $photos) n");
# What counts one for each tracker; one that has reported just now is sent its command.
my %ROWS = (
	photo => 'count(*) FILTER (WHERE jpeg IS NULL)',
	picture => q{count(*) FILTER (WHERE state = 'complete')},
	photo_piece => 'count(*)',
	command => 'count(*)',
	command_log => 'count(DISTINCT command_id)');

foreach my $who (sort keys %EXPECTED)
{
	my ($idents, $trackers) = @{ $EXPECTED{$who} };

	foreach my $what (sort keys %NAMED)
	{
		is(answer($who, "SELECT string_agg(DISTINCT x.ident, ' ' ORDER BY x.ident) FROM ($NAMED{$what}) x (ident)"), $idents, "$who sees of $what what is for $who");
		is(answer($who, "SELECT $ROWS{$what} FROM pt621.$what"), $trackers, '... and no other rows') if $ROWS{$what};
	}
	is(answer($who, "SELECT count(pt621_photo_file(n)) FROM generate_series(1, $photos) n"), $trackers * 2, "$who has the photos for $who, and no others");
}
like(answer('anna', 'SELECT count(*) FROM pt621.device_secret'), qr/^ERROR:  permission denied/, 'passwords of SMS are nobody\'s');

$node->stop;
done_testing();
