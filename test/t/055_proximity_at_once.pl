# Two linked trackers whose records are stored by two sessions at once: the second
# waits for the first and then sees what it stored, by whatever way either came; the
# same for a link that is made meanwhile.
use strict;
use warnings;

use IPC::Run ();
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->new('main');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'pt621'
pt621.listen_addresses = ''
autovacuum = off
timezone = 'UTC'
CONF
$node->start;
$node->create_extension('postgres');
$node->safe_psql('postgres', q{
	INSERT INTO pt621.device (id, ident) SELECT n, n::text FROM generate_series(5501, 5540) n;
	CREATE FUNCTION by_ingest(id integer, at text) RETURNS bigint LANGUAGE sql AS $$
		SELECT pt621_ingest(convert_to('$POS,' || id || ',' || at || ',A,2230.0000,N,11400.0000,E,0.00,0.0,010325,,,A/00000,00000/0/0//f73//'
		                               || E'\r\n', 'SQL_ASCII'), received_at => '2025-03-01 13:00:00+00') $$;
	CREATE FUNCTION by_insert(id integer, at text) RETURNS void LANGUAGE sql AS $$
		INSERT INTO pt621.position (device_id, fix_time, geom, received_at)
		VALUES (id, to_timestamp('2025-03-01 ' || at, 'YYYY-MM-DD HH24MISS.MS'), ST_SetSRID(ST_Point(114, 22.5), 4326), '2025-03-01 13:00:00+00') $$});

# Runs one statement in a transaction, another one beside it that comes to wait for
# its end, and returns what went wrong.
sub at_once
{
	my ($first, $second) = @_;
	my ($out, $err) = ('', '');
	my $session = $node->background_psql('postgres');

	$session->query_safe("BEGIN; $first");
	my $run = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' application_name=second',
			'-c', $second ],
		'<', \'', '>', \$out, '2>', \$err);
	$node->wait_until(q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock'});
	$session->query_safe('COMMIT');
	$session->quit;
	$run->finish;
	return $err;
}

sub together_is
{
	my ($id, $expected, $what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($node->safe_psql('postgres', qq{
		SELECT string_agg(concat_ws(' ', at::time, object, detail), '; ' ORDER BY at) FROM pt621.event
		 WHERE device_id = $id AND kind = 'proximity' AND superseded_at IS NULL}), $expected, $what);
}

my $id = 5501;
foreach my $first (qw(ingest insert))
{
	foreach my $second (qw(ingest insert))
	{
		foreach my $turned (0, 1)
		{
			my ($one, $other) = $turned ? ($id + 1, $id) : ($id, $id + 1);
			my $what = "by $first and by $second" . ($turned ? ', the other way round' : '');

			# Neither has been heard of: their states have to be made as well.
			$node->safe_psql('postgres', "INSERT INTO pt621.device_link VALUES ($id, $id + 1, 100, 100, '-infinity');
				DELETE FROM pt621.device_state WHERE device_id IN ($id, $id + 1)");
			is(at_once("SELECT by_$first($one, '120000.000')", "SELECT by_$second($other, '120000.000')"), '', $what);
			together_is($id, "12:00:00 " . ($id + 1) . ' {"near_m": 100}', '... they are together');
			is(at_once("SELECT by_$first($one, '120100.000')", "SELECT by_$second($other, '121000.000')"), '', '... once more');
			$node->safe_psql('postgres', "SELECT by_$first($one, '121100.000')");
			together_is($id, "12:00:00 " . ($id + 1) . ' {"near_m": 100, "closest_m": 0, "closest_at": "2025-03-01T12:00:00Z"}',
				'... until they are not heard of for too long');
			$id += 2;
		}
	}
}

# A link that comes while records are being stored, and records while it comes.
foreach my $way (qw(ingest insert))
{
	my $link = "INSERT INTO pt621.device_link VALUES ($id, $id + 1, 100, 100, '2025-03-01')";

	is(at_once("SELECT by_$way($id, '120000.000'), by_$way($id + 1, '120000.000')", $link), '', "a link while records are stored by $way");
	together_is($id, "12:00:00 " . ($id + 1) . ' {"near_m": 100}', '... sees them');
	$id += 2;
	$link = "INSERT INTO pt621.device_link VALUES ($id, $id + 1, 100, 100, '2025-03-01')";
	is(at_once($link, "SELECT by_$way($id, '120000.000'), by_$way($id + 1, '120000.000')"), '', "records by $way while they are linked");
	together_is($id, "12:00:00 " . ($id + 1) . ' {"near_m": 100}', '... are seen');
	$id += 2;
}
is($node->safe_psql('postgres', 'SELECT sum(deadlocks) FROM pg_stat_database'), 0, 'nobody waited in a ring');

# Of an episode that began with records that were dropped since, the beginning is
# kept; one that ended then is left alone.
$id++ if $id % 2 == 0;
my ($old, $open) = ($id, $id + 2);
$node->safe_psql('postgres', qq{
	INSERT INTO pt621.device_link VALUES ($old, $old + 1, 10, 10, '-infinity'), ($open, $open + 1, 10, 10, '-infinity');
	INSERT INTO pt621.position (device_id, fix_time, geom)
	SELECT p.id, t.day, ST_SetSRID(ST_Point(CASE WHEN p.id = $old AND t.n = 2 THEN 20 ELSE 10 END, 50), 4326)
	  FROM (VALUES ($old), ($old + 1), ($open), ($open + 1)) p (id),
	       (VALUES (1, '2025-03-01'::timestamptz), (2, '2025-03-01 00:01:00'), (3, date_trunc('day', now()))) t (n, day)});
$node->safe_psql('postgres', q{
	ALTER TABLE pt621.position DISABLE TRIGGER ALL;
	DELETE FROM pt621.position WHERE fix_time < '2025-04-01';
	ALTER TABLE pt621.position ENABLE TRIGGER ALL});
$node->append_conf('postgresql.conf', "pt621.retention_positions = '30d'");
$node->reload;
$node->wait_until(q{SELECT pt621_retention('position') = '30 days'});
$node->safe_psql('postgres', qq{
	INSERT INTO pt621.position (device_id, fix_time, geom) VALUES
	($old, date_trunc('day', now()) + '1 s', ST_SetSRID(ST_Point(20, 50), 4326)), ($open, date_trunc('day', now()) + '1 s', ST_SetSRID(ST_Point(20, 50), 4326)),
	($old + 1, date_trunc('day', now()) + '2 s', ST_SetSRID(ST_Point(10, 50), 4326)), ($open + 1, date_trunc('day', now()) + '2 s', ST_SetSRID(ST_Point(10, 50), 4326))});
my $ENDS = q{SELECT string_agg(concat_ws(' ', CASE WHEN at < '2025-04-01' THEN at::time::text ELSE 'today' END,
	CASE WHEN until < '2025-04-01' THEN until::time::text ELSE to_char(until, 'HH24:MI:SS') END), '; ' ORDER BY at)
	FROM pt621.event WHERE superseded_at IS NULL AND kind = 'proximity' AND device_id = };
is($node->safe_psql('postgres', $ENDS . $old), '00:00:00 00:01:00; today 00:00:01', 'an episode of records that are gone stays');
is($node->safe_psql('postgres', $ENDS . $open), '00:00:00 00:00:01', '... and one that began with such ends');
$node->safe_psql('postgres', 'SELECT pt621_replay_events()');
is($node->safe_psql('postgres', $ENDS . $old), '00:00:00 00:01:00; today 00:00:01', '... derived again as well');
is($node->safe_psql('postgres', $ENDS . $open), '00:00:00 00:00:01', '... the other, too');

done_testing();
