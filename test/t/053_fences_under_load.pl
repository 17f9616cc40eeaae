# Fences are redrawn, renamed, deleted, inserted and rolled back while trackers
# report from among them, and users' triggers raise: no batch waits for an edit,
# nothing that was sent is lost, and in the end the visits and events are those
# that follow from the positions and from the history of the fences.
#
# Trackers drive to and fro, 60 m/s along 300 m, across strips some of which are
# narrower than the way between two reports.  Some reports come up to a minute
# late.  Times are those of the clock, for edits hold from the moment on in which
# they were made.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $TRACKERS = 16;
my $node = PT621->make('main', conf => "max_worker_processes = 16\npt621.workers = 2\n");

$node->create_extension('postgres');
$node->wait_open('postgres', 2);

# ---------------------------------------------------------------------------
# The trackers
# ---------------------------------------------------------------------------

# What a tracker sends at a time of its own.
sub report
{
	my ($tracker, $at, $odometer) = @_;
	my ($s, $m, $h, $day, $month, $year) = gmtime($at);
	my $way = $at / 5 + $tracker / $TRACKERS;
	my $part = abs(2 * ($way - int($way)) - 1);

	return record(
		ident => sprintf('53%02d', $tracker),
		time => sprintf('%02d%02d%02d.%03d', $h, $m, $s, ($at - int($at)) * 1000),
		date => sprintf('%02d%02d%02d', $day, $month + 1, $year % 100),
		lon => sprintf('011%07.4f', 30 + 0.24 * $part),
		speed => sprintf('%.2f', 20 + 30 * $part),
		odometer => $odometer);
}

# Starts them in a process of their own; returns what ends them, and returns how
# many reports they have written.
sub start_trackers
{
	my ($seed) = @_;

	pipe(my $stop_reader, my $stop_writer) or die "pipe: $!";
	pipe(my $reader, my $writer) or die "pipe: $!";
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		my @socket = map { $node->tcp } 1 .. $TRACKERS;
		my $sent = 0;

		close($stop_writer);
		srand($seed);
		while (!IO::Select->new($stop_reader)->can_read(0))
		{
			foreach my $tracker (0 .. $TRACKERS - 1)
			{
				my $at = time();

				$at -= rand() < 0.5 ? rand(5) : rand(60) if rand() < 0.1;
				PT621::put($socket[$tracker], report($tracker, $at, ++$sent));
			}
			usleep(50_000);
		}
		close($_) foreach @socket;
		syswrite($writer, "$sent\n");
		POSIX::_exit(0);
	}
	push @{ $node->{loads} }, $pid;
	close($writer);
	return sub {
		close($stop_writer);
		my $sent = <$reader>;
		waitpid($pid, 0);
		@{ $node->{loads} } = grep { $_ != $pid } @{ $node->{loads} };
		return $sent;
	};
}

my $STORED = q{(SELECT sum(units) FROM pt621_stat_worker() WHERE worker = 'listener')};

# Waits until so many more units are in the tables.
sub more
{
	my ($count) = @_;
	my $before = $node->safe_psql('postgres', "SELECT $STORED");

	$node->wait_until("SELECT $STORED >= $before + $count");
	return;
}

# Storing goes on while somebody's transaction is open.
sub goes_on
{
	my ($count, $name) = @_;
	my $began = time();

	more($count);
	note(sprintf('%d units in %.2f s', $count, time() - $began));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return pass($name);
}

sub sql
{
	return $node->safe_psql('postgres', shift);
}

# ---------------------------------------------------------------------------
# Edits
# ---------------------------------------------------------------------------

my $STRIP = 'ST_MakeEnvelope(11.5 + %1$s * 0.0002, 48.1, 11.5 + %1$s * 0.0002 + %2$s, 48.2, 4326)';

sub strip
{
	return sprintf($STRIP, @_);
}

# Every third one is a metre wide.
sql("INSERT INTO pt621.geofence (id, name, geom, exit_buffer_m, interpolate, min_fixes_in, min_fixes_out, dwell_after, speed_limit_kmh)
	 SELECT coalesce(nullif(i, 0), 20), 'strip ' || i, " . strip('i', 'CASE WHEN i % 3 = 0 THEN 0.0000135 ELSE 0.00015 END') . ",
			i % 4, i % 2 = 0, 1 + i % 2, 1 + i % 3, CASE WHEN i % 5 = 0 THEN interval '0.1 s' END, CASE WHEN i % 7 = 0 THEN 60 END
	   FROM generate_series(0, 19) i");
my $stop = start_trackers(53);

goes_on(1000, 'trackers among fences are stored');
$node->becomes(q{SELECT count(DISTINCT device_id) FROM pt621.geofence_visit}, $TRACKERS, '... and visit them');

foreach my $n (1 .. 8)
{
	sql("UPDATE pt621.geofence SET geom = " . strip($n + 0.3, '0.0001') . " WHERE id = $n");
	more(40);
	sql("UPDATE pt621.geofence SET name = 'renamed $n' WHERE id = $n + 1");
	more(40);
	sql("DELETE FROM pt621.geofence WHERE id = $n + 8");
	more(40);
	sql("INSERT INTO pt621.geofence (id, name, geom, exit_buffer_m) VALUES (100 + $n, 'new $n', " . strip($n + 8.2, '0.00012') . ", 0)");
	more(40);
}
pass('fences are redrawn, renamed, deleted and inserted');

my $editor = $node->background_psql('postgres');

# One that is rolled back.
foreach my $all ('DELETE FROM pt621.geofence', 'TRUNCATE pt621.geofence')
{
	my $history = sql('SELECT md5(string_agg(v::text, chr(10) ORDER BY geofence_id, revision)) FROM pt621.geofence_version v');

	$editor->query_safe("BEGIN; $all");
	goes_on(200, "$all, not yet committed: nobody waits");
	$editor->query_safe('ROLLBACK');
	goes_on(100, '... rolled back: nobody has noticed');
	is(sql('SELECT md5(string_agg(v::text, chr(10) ORDER BY geofence_id, revision)) FROM pt621.geofence_version v'),
		$history, '... and the history is as it was');
}

# One that takes its time; two others wait for it, and no batch does.
$editor->query_safe('BEGIN; UPDATE pt621.geofence SET geom = ' . strip(2.5, '0.0001') . ' WHERE id = 2;
	DELETE FROM pt621.geofence WHERE id = 3; UPDATE pt621.geofence SET min_dwell_in = $$0.05 s$$ WHERE id = 4');
my @waiting = map { $node->background_psql('postgres') } 1 .. 2;

$waiting[0]->{stdin} .= "UPDATE pt621.geofence SET geom = " . strip(5.5, '0.0001') . " WHERE id = 5;\n";
$waiting[1]->{stdin} .= "DELETE FROM pt621.geofence WHERE id = 6;\n";
$_->{run}->pump_nb foreach @waiting;
$node->becomes(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'pt621.geofence'}, 2,
	'an edit that is not committed: other edits wait');
goes_on(1000, '... batches do not');
is(sql(q{SELECT count(*) FROM pg_locks l JOIN pt621_stat_worker() w USING (pid) WHERE NOT l.granted}), 0, '... for no lock');
$editor->query_safe('COMMIT');
$_->query_safe('SELECT 1') foreach @waiting;
$_->quit foreach @waiting;
goes_on(100, '... committed, and so are the others');
is(sql('SELECT string_agg(id::text, $$ $$ ORDER BY id) FROM pt621.geofence WHERE id < 8'), '1 2 4 5 7', '... in effect');

# ---------------------------------------------------------------------------
# Fences of odd shapes
# ---------------------------------------------------------------------------

my $began = time();

$editor->{stdin} .= q{INSERT INTO pt621.geofence (id, name, geom, exit_buffer_m)
	SELECT 200, 'a million', ST_SetSRID(ST_MakePolygon(ST_AddPoint(l.line, ST_StartPoint(l.line))), 4326), 1
	  FROM (SELECT ST_MakeLine(ST_MakePoint(11.502 + r * cos(a), 48.1173 + r * sin(a)) ORDER BY i) AS line
			  FROM (SELECT i, 2 * pi() * i / 1000000 AS a, 0.001 * (1 + 0.1 * sin(i / 200.0)) AS r FROM generate_series(1, 1000000) i) v) l;} . "\n";
$editor->{run}->pump_nb;
goes_on(200, 'a fence of a million vertices comes: storing goes on');
$editor->query_safe('SELECT 1');
note(sprintf('it took %.1f s', time() - $began));
$began = time();
$node->becomes(q{SELECT count(DISTINCT v.device_id) FROM pt621.geofence_visit v JOIN pt621.geofence g ON g.id = v.geofence_id
				  WHERE g.name = 'a million'}, $TRACKERS, '... it is visited');
note(sprintf('after %.1f s', time() - $began));
goes_on(500, '... and storing goes on');
is(sql(q{SELECT string_agg(concat_ws(' ', 200 = ANY (pt621_geofences(p)), pt621_inside(p, 'a million')), ', ')
		   FROM (VALUES ('SRID=4326;POINT(11.502 48.1173)'::geometry), ('SRID=4326;POINT(11.5032 48.1173)')) v (p)}),
	't t, f f', '... and can be asked for');
sql(q{DELETE FROM pt621.geofence WHERE name = 'a million'});
goes_on(100, '... and deleted');

# What cannot be one: the reason, and the place.
foreach my $case (
	[ 'POLYGON EMPTY', qr/empty/ ],
	[ 'MULTIPOLYGON EMPTY', qr/empty/ ],
	[ 'POLYGON((0 0, 2 2, 2 0, 0 2, 0 0))', qr/Self-intersection.*POINT\(1 1\)/s ],
	[ 'POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (5 5, 6 5, 6 6, 5 5))', qr/Hole lies outside shell.*POINT\(5 5\)/s ],
	[ 'POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 5 1, 5 2, 1 2, 1 1))', qr/Self-intersection.*POINT\(4 [12]\)/s ],
	[ 'MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)), ((1 0.5, 3 0.5, 3 2, 1 0.5)))', qr/(Nested shells|Self-intersection).*POINT\(/s ],
	[ 'POLYGON((0 0, 1 0, 1 NaN, 0 0))', qr/Invalid Coordinate|not finite|NaN/i ],
	[ 'POLYGON((0 0, 1 1, 0 0, 0 0))', qr/Too few points.*POINT\(0 0\)/s ],
	[ 'POLYGON((10 95, 11 95, 11 96, 10 95))', qr/not on the globe/ ],
	[ 'POLYGON((170 0, -170 0, -170 1, 170 0))', qr/180 degrees.*170 \.\. 190/s ],
	[ 'POINT(1 1)', qr/radius_m/ ],
	[ 'GEOMETRYCOLLECTION(POINT(1 1))', qr/GEOMETRYCOLLECTION/ ])
{
	my ($wkt, $reason) = @$case;

	$node->psql('postgres', "INSERT INTO pt621.geofence (name, geom) VALUES ('odd', 'SRID=4326;$wkt')", stderr => \my $error);
	like($error, $reason, "$wkt is refused, with the reason");
}
is(sql(q{SELECT count(*) FROM pt621.geofence WHERE name = 'odd'}), 0, '... and none is there');
goes_on(100, '... and storing goes on');

# ---------------------------------------------------------------------------
# Triggers that raise
# ---------------------------------------------------------------------------

sql(q{
	CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
	CREATE TRIGGER picky AFTER INSERT ON pt621.event FOR EACH ROW
		WHEN (NEW.device_id = 1 AND NEW.kind = 'geofence_enter') EXECUTE FUNCTION picky();
	CREATE FUNCTION choosy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nor that one'; END $$;
	CREATE TRIGGER choosy BEFORE INSERT OR UPDATE ON pt621.geofence_visit FOR EACH ROW
		WHEN (NEW.device_id = 2) EXECUTE FUNCTION choosy()});
$node->becomes(q{SELECT count(*) > 2 FROM pt621.frame WHERE device_id = 1 AND error ~ 'not this one.*picky\(\)'}, 't',
	'a trigger on events raises for one tracker: what it raised for is archived with who did');
$node->becomes(q{SELECT count(*) > 2 FROM pt621.frame WHERE device_id = 2 AND error ~ 'nor that one.*choosy\(\)'}, 't',
	'... and so with one on visits');
my $others = 'SELECT count(*) FROM pt621.position WHERE device_id > 2';
my $before = sql($others);

$node->becomes("SELECT ($others) > $before + 200", 't', '... the others are stored');
sql('DROP TRIGGER picky ON pt621.event; DROP TRIGGER choosy ON pt621.geofence_visit');
$before = sql('SELECT count(*) FROM pt621.position WHERE device_id IN (1, 2)');
$node->becomes("SELECT count(*) > $before + 20 FROM pt621.position WHERE device_id IN (1, 2)", 't', '... and without it all are');

# ---------------------------------------------------------------------------
# Nothing was lost
# ---------------------------------------------------------------------------

my $sent = $stop->();

chomp($sent);
note("$sent reports were sent");
$editor->quit;
$node->becomes('SELECT count(*) FROM pt621.frame', $sent, 'every report that was sent is archived');
is(sql(q{SELECT count(*) FROM pt621.frame f
		  WHERE (f.error IS NULL) <> EXISTS (SELECT FROM pt621.position p WHERE p.device_id = f.device_id AND p.frame_seq = f.seq)}),
	0, '... and is a position, or has its error');
is(sql('SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL AND device_id NOT IN (1, 2)'), 0, '... which only those have that triggers raised for');

$node->becomes('SELECT pt621_settle_geofences()', 0, 'all is settled');

my %LIVE = (
	event => q{device_id, kind, code, at, until, geofence_id, object, ST_AsText(geom), detail, confirmed_at},
	geofence_visit => q{device_id, geofence_id, enter_at, exit_at, enter_unknown, exit_unknown, interpolated, passed,
		uncertainty_s, seconds, metres, top_speed_kmh, driver, confirmed_at});

foreach my $table (sort keys %LIVE)
{
	sql("CREATE TABLE live_$table AS SELECT $LIVE{$table} FROM pt621.$table WHERE superseded_at IS NULL");
	note("$table: " . sql("SELECT count(*) FROM pt621.$table") . ' rows, live: ' . sql("SELECT count(*) FROM live_$table"));
}
is(sql('SELECT pt621_replay_events()'), $TRACKERS, 'all is derived anew');
foreach my $table (sort keys %LIVE)
{
	my $now = "SELECT $LIVE{$table} FROM pt621.$table WHERE superseded_at IS NULL";

	is(sql("SELECT 'gone', t.* FROM (TABLE live_$table EXCEPT $now) t UNION ALL SELECT 'new', t.* FROM ($now EXCEPT TABLE live_$table) t
			 ORDER BY 2, 3, 4 LIMIT 20"), '', "... no row of $table has changed");
	cmp_ok(sql("SELECT count(*) FROM live_$table"), '>', 500, '... of many');
}
cmp_ok(sql("SELECT count(DISTINCT geofence_id) FROM live_geofence_visit"), '>', 20, '... of many fences');

$node->stop;
done_testing();
