# The tables are the users': what their owner makes of them, and of his
# triggers, may cost rows but neither the server nor the worker.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');
my $NUMBERS = 'SELECT (SELECT count(*) FROM pt621.frame), (SELECT count(error) FROM pt621.frame), (SELECT count(*) FROM pt621.position)';

# A manager of the fleet: no superuser, but one of those who own the tables.
$node->safe_psql('postgres', q{
	CREATE ROLE manager LOGIN; GRANT pt621 TO manager;
	GRANT CREATE ON SCHEMA public TO manager;
	CREATE SCHEMA mine AUTHORIZATION manager; GRANT USAGE ON SCHEMA mine TO pt621});

# Runs statements as the manager, and expects them to work.
sub manager
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', 'manager' ]);
}

my $pid = $node->listener('pid');

# The listener is what it was, and so is the server.
sub unharmed
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($node->listener('pid'), $pid, $name);
}

# ---------------------------------------------------------------------------
# What members of the role pt621 own, and what not
# ---------------------------------------------------------------------------

is( $node->safe_psql('postgres', q{
		SELECT string_agg(p.proname, ', ' ORDER BY p.proname)
		  FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
		 WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
		   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pt621')
		   AND p.prosecdef <> (p.proowner = 'pt621'::regrole)}),
	'', 'the role pt621 owns the functions that run as it, and no other');
foreach my $sql (
	'ALTER FUNCTION pt621_pause() SECURITY DEFINER',
	"ALTER FUNCTION pt621_stat_worker() SET search_path = mine",
	'ALTER FUNCTION pt621_decode(bytea) RENAME TO pt621_other',
	'ALTER FUNCTION pt621_event(text) OWNER TO manager',
	"CREATE OR REPLACE FUNCTION pt621_create_triggers() RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
	"CREATE OR REPLACE FUNCTION pt621_add_partition(parent text, time_column name, month date) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
	'DROP FUNCTION pt621_resume()')
{
	my $error;

	$node->psql('postgres', $sql, extra_params => [ '-U', 'manager' ], stderr => \$error);
	like($error, qr/ERROR:  must be owner of function/, "a member may not: $sql");
}

# What a member has put off until the commit, where it would run with the rights
# of the session's user.
manager(q{
	CREATE FUNCTION mine.climb() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			RESET ROLE;
			ALTER ROLE manager SUPERUSER;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
		RETURN NULL;
	END $$});
foreach my $case (
	[ 'layout', 'SELECT pt621_ready()' ],
	[ 'layout', 'DROP EXTENSION pt621 CASCADE; CREATE EXTENSION pt621' ],
	[ 'device', q{SELECT pt621_ingest('$POS,1234567,101010.000,A,4800.0000,N,01100.0000,E,0.0,0.0,151126,,,A/00000/0/0/0//f65//')} ],
	[ 'position', q{SELECT pt621_ingest('$POS,1234567,101011.000,A,4800.0000,N,01100.0000,E,0.0,0.0,151126,,,A/00000/0/0/0//f65//')} ])
{
	my ($table, $sql) = @$case;

	manager("CREATE CONSTRAINT TRIGGER climb AFTER INSERT OR UPDATE ON pt621.$table
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mine.climb()");
	$node->psql('postgres', $sql);
	is($node->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'manager'"),
		'f', "a deferred trigger on $table does not run as the superuser who calls: " . substr($sql, 0, 30));
	manager("DROP TRIGGER climb ON pt621.$table");
}
$node->safe_psql('postgres', 'TRUNCATE pt621.device, pt621.device_state, pt621.frame, pt621.position');
manager('SELECT pt621_ready()');
is(manager('SELECT count(*) FROM pt621_stat_worker()'), 3, '... but call what is for him');

# ---------------------------------------------------------------------------
# An error in many bytes
# ---------------------------------------------------------------------------

manager(q{
	CREATE FUNCTION mine.trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.code LIKE 'IN_' THEN RAISE EXCEPTION '%', repeat('x', substr(NEW.code, 3)::integer) || repeat(U&'\00E9', 300); END IF;
		RETURN NULL;
	END $$;
	CREATE TRIGGER mine AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mine.trigger()});
$node->safe_psql('postgres', qq{
	CREATE DATABASE $_ TEMPLATE template0 ENCODING '$_' LC_COLLATE 'C' LC_CTYPE 'C'}) foreach 'latin1', 'euc_jp';
$node->create_extension($_) foreach 'latin1', 'euc_jp';
# Wherever the text is cut, one of these is cut within a character.
foreach my $shift (1 .. 2)
{
	my $count = $shift;

	$node->send_tcp(record(ident => '8301', code => "IN$shift"));
	$node->becomes($NUMBERS, "$count|$count|0", "a trigger raises 300 x e acute, behind $shift bytes");
	is( $node->safe_psql('postgres', q{
			SELECT error LIKE '%' || repeat(U&'\00E9', 300) || '%' FROM pt621.frame ORDER BY seq DESC LIMIT 1}),
		't', '... which is the reason in the archive');
	foreach my $database ('postgres', 'latin1', 'euc_jp')
	{
		# As a client of any encoding gets it.
		$node->becomes(
			"SELECT encode(convert_to(last_error, 'UTF8'), 'escape') FROM pt621_stat_worker() WHERE worker = 'listener'",
			qr/^x{$shift}(?:\?|\\303\\251)+/, "... and can be read in database $database", database => $database);
	}
}
unharmed('... the listener being the same');
manager('DROP TRIGGER mine ON pt621.position');

# ---------------------------------------------------------------------------
# Columns of other types
# ---------------------------------------------------------------------------

# These read the columns, and come back by pt621_ready().
manager('DROP VIEW pt621.last_position, pt621.track, pt621.presence, pt621.picture');
$node->forget;

# A tracker with bases, a last fix, a driver.
my $tracker = $node->tcp;
my $second = 0;
my $last;

sub next_record
{
	my (%fields) = @_;

	$second++;
	return record(
		ident => '8302', time => sprintf('12%02d%02d.000', $second / 60, $second % 60),
		driver => "D$second", %fields);
}

$last = next_record();
PT621::put($tracker, $last);
$node->becomes($NUMBERS, '1|0|1', 'a tracker');

# Sends a record, and a delta that is based on it, to tables that were altered:
# it may be stored, archived with a reason, or kept until they are mended.
sub altered
{
	my ($alter, $mend, $expected) = @_;
	my ($count) = split /\|/, $node->safe_psql('postgres', $NUMBERS);
	my $retries = $node->listener('retries');
	my $base = next_record();
	my $outcome;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	manager($alter);
	PT621::put($tracker, $base);
	PT621::put($tracker, framed(delta($base, $last = next_record())));
	$node->becomes(
		qq{SELECT CASE WHEN count(p.*) = 2 THEN 'stored'
					   WHEN count(*) = 2 AND count(p.*) + count(f.error) = 2 THEN 'archived'
					   WHEN (SELECT retries > $retries + 5 FROM pt621_stat_worker() WHERE worker = 'listener')
							AND (SELECT count(*) FROM pt621.frame) = $count THEN 'kept' END
			 FROM (SELECT * FROM pt621.frame ORDER BY seq OFFSET $count) f
			 LEFT JOIN pt621.position p ON p.frame_seq = f.seq},
		$expected, $alter);
	is($node->listener('pid'), $pid, '... in the same process');
	manager($mend);
	$node->becomes("SELECT count(*), count(*) = count(p.*) + count(f.error)
					  FROM (SELECT * FROM pt621.frame ORDER BY seq OFFSET $count) f LEFT JOIN pt621.position p ON p.frame_seq = f.seq",
		'2|t', '... and nothing is left out when it is mended');
	$base = next_record();
	PT621::put($tracker, $base);
	$node->becomes('SELECT (SELECT count(*) FROM pt621.frame) - ' . ($count + 2)
		  . ', (SELECT count(*) FROM pt621.frame f JOIN pt621.position p ON p.frame_seq = f.seq WHERE f.bytes = ' . bytea($base) . ')',
		'1|1', '... what comes then is stored');
	return;
}

my $STATE = 'ALTER TABLE pt621.device_state';
my $DEVICE = 'ALTER TABLE pt621.device';

altered("$STATE ALTER fix_code TYPE integer USING 3", qq{$STATE ALTER fix_code TYPE text COLLATE "C" USING 'POS'}, 'archived');
altered("$STATE ALTER driver TYPE integer USING 3", "$STATE ALTER driver TYPE text", 'archived');
altered("$STATE ALTER driver TYPE varchar(40)", "$STATE ALTER driver TYPE text", 'stored');
altered("$STATE ALTER bases TYPE text", "$STATE ALTER bases TYPE bytea[] USING bases::bytea[]", 'stored');
altered("$STATE ALTER bases TYPE text USING 'none'", "$STATE ALTER bases TYPE bytea[] USING NULL", 'archived');
altered("$STATE ALTER fix_time TYPE text", "$STATE ALTER fix_time TYPE timestamptz USING fix_time::timestamptz", 'archived');
altered("$STATE ALTER ignition TYPE text", "$STATE ALTER ignition TYPE boolean USING ignition::boolean", 'archived');
altered("$STATE ALTER fix_digest TYPE numeric", "$STATE ALTER fix_digest TYPE bigint", 'stored');
altered("$STATE ALTER fix_digest TYPE text", "$STATE ALTER fix_digest TYPE bigint USING fix_digest::bigint", 'archived');
altered("$STATE DROP COLUMN driver_time", "$STATE ADD driver_time timestamptz", 'archived');
manager("$DEVICE DROP CONSTRAINT device_status_order_check, DROP CONSTRAINT device_odometer_factor_check,
	DROP CONSTRAINT device_ignition_input_check, ALTER status_order DROP DEFAULT,
	ALTER odometer_factor DROP DEFAULT, ALTER ignition_input DROP DEFAULT, ALTER enabled DROP DEFAULT");
altered("$DEVICE ALTER status_order TYPE integer USING 3", "$DEVICE ALTER status_order TYPE text USING 'bgs'", 'stored');
altered("$DEVICE ALTER status_order TYPE integer USING 621", "$DEVICE ALTER status_order TYPE text USING 'bgs'", 'stored');
altered("$DEVICE ALTER allowed_peers TYPE text[] USING ARRAY['127.0.0.0/8', NULL]", "$DEVICE ALTER allowed_peers TYPE cidr[] USING NULL", 'stored');
altered("$DEVICE ALTER allowed_peers TYPE text[] USING ARRAY['', 'x']", "$DEVICE ALTER allowed_peers TYPE cidr[] USING NULL", 'kept');
altered("$DEVICE ALTER allowed_peers TYPE inet[] USING ARRAY['127.0.0.1'::inet]", "$DEVICE ALTER allowed_peers TYPE cidr[] USING NULL", 'stored');
altered("$DEVICE ALTER odometer_factor TYPE numeric USING 2.5", "$DEVICE ALTER odometer_factor TYPE double precision USING 1", 'stored');
altered("$DEVICE ALTER odometer_factor TYPE text USING 'x'", "$DEVICE ALTER odometer_factor TYPE double precision USING 1", 'kept');
altered("$DEVICE ALTER odometer_factor TYPE text USING 'NaN'", "$DEVICE ALTER odometer_factor TYPE double precision USING 1", 'stored');
altered("$DEVICE ALTER ignition_input TYPE text USING 'x'", "$DEVICE ALTER ignition_input TYPE smallint USING 4", 'kept');
altered("$DEVICE ALTER ignition_input TYPE integer USING -2147483648", "$DEVICE ALTER ignition_input TYPE smallint USING 4", 'stored');
altered("$DEVICE ALTER ignition_input TYPE integer USING 2147483647", "$DEVICE ALTER ignition_input TYPE smallint USING 4", 'stored');
altered("$DEVICE ALTER enabled TYPE integer USING 1", "$DEVICE ALTER enabled TYPE boolean USING true", 'stored');
altered("$DEVICE ALTER ident TYPE varchar(64)", qq{$DEVICE ALTER ident TYPE text COLLATE "C"}, 'stored');
altered("$DEVICE DROP COLUMN allowed_peers", "$DEVICE ADD allowed_peers cidr[]", 'kept');
close($tracker);

# ---------------------------------------------------------------------------
# An id that is many
# ---------------------------------------------------------------------------

SKIP:
{
	skip 'no ICU in this server', 7
	  if !$node->safe_psql('postgres', "SELECT count(*) FROM pg_collation WHERE collprovider = 'i'");
	$node->forget;
	manager(q{
		CREATE COLLATION mine.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		ALTER TABLE pt621.device DROP CONSTRAINT device_ident_key, ALTER ident TYPE text COLLATE mine.loose;
		INSERT INTO pt621.device (ident, odometer_factor, status_order, enabled, ignition_input)
		SELECT (SELECT string_agg(CASE WHEN n & (1 << i) = 0 THEN chr(97 + i) ELSE chr(65 + i) END, '' ORDER BY i) FROM generate_series(0, 9) i),
			   1, 'bgs', true, 4
		  FROM generate_series(0, 1023) n});
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT ident), count(DISTINCT convert_to(ident, 'UTF8')) FROM pt621.device"),
		'1024|1|1024', 'an id that is a thousand under a collation of the user');
	# One alone, and several in a batch; one after the other makes the same of them.
	$node->send_tcp(record(ident => 'abcdefghij'));
	$node->becomes($NUMBERS, '1|0|1', '... one of them sends');
	$node->send_tcp(map { my $n = $_; record(ident => join('', map { chr(($n & 1 << $_ ? 65 : 97) + $_) } 0 .. 9)) } 1 .. 40);
	$node->becomes($NUMBERS, '41|0|41', '... and forty others');
	is( $node->safe_psql('postgres', q{
			SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id JOIN pt621.frame f ON f.seq = p.frame_seq
			 WHERE convert_to(d.ident, 'UTF8') = convert_to(f.ident, 'UTF8')
			   AND position(convert_to(',' || d.ident || ',', 'UTF8') IN f.bytes) > 0}),
		41, '... every position is that of the tracker that sent it');
	# Without the constraint none can be added; nothing says that it must.
	manager(q{DELETE FROM pt621.device WHERE convert_to(ident, 'UTF8') = 'ABCDEFGHIJ'});
	$node->send_tcp(record(ident => 'ABCDEFGHIJ'), record(ident => 'unheard-of'));
	$node->becomes($NUMBERS, '43|2|41', '... and one that is not there is nobody else');
	like($node->safe_psql('postgres', 'SELECT error FROM pt621.frame WHERE error IS NOT NULL LIMIT 1'), qr/^42P10: /,
		'... with the reason in the archive');
	unharmed('... the listener being the same');
	$node->forget;
	manager(q{ALTER TABLE pt621.device ALTER ident TYPE text COLLATE "C", ADD UNIQUE (ident)});
}
manager(q{
	ALTER TABLE pt621.device ALTER status_order SET DEFAULT 'bgs', ALTER odometer_factor SET DEFAULT 1,
		ALTER ignition_input SET DEFAULT 4, ALTER enabled SET DEFAULT true;
	SELECT pt621_ready()});
$node->forget;
$node->send_tcp(record(ident => '8303'));
$node->becomes($NUMBERS, '1|0|1', 'everything mended: a new tracker is stored');
is($node->safe_psql('postgres', 'SELECT ident FROM pt621.last_position'), '8303', '... and seen');
unharmed('... by a listener that has lived through all of it');

# ---------------------------------------------------------------------------
# Rows that move to their partition are not deleted
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE mine.fired (name text, level text);
	GRANT INSERT ON mine.fired TO pt621;
	CREATE FUNCTION mine.fire() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO mine.fired VALUES (TG_NAME, TG_LEVEL);
		RETURN OLD;
	END $$});
my @partition = map {
	my $parent = $_;
	$node->safe_psql('postgres', qq{
		SELECT 'pt621.${parent}_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', 'YYYY_MM')});
} 'position', 'frame';

foreach my $parent ('position', 'frame')
{
	foreach my $mode ('', 'ENABLE ALWAYS', 'ENABLE REPLICA', 'DISABLE')
	{
		foreach my $kind ('BEFORE DELETE', 'AFTER DELETE')
		{
			foreach my $level ('ROW', 'STATEMENT')
			{
				my $name = lc(join('_', $mode || 'plain', $kind, $level) =~ s/ /_/gr);

				manager("CREATE TRIGGER ${name} $kind ON pt621.${parent}_default FOR EACH $level EXECUTE FUNCTION mine.fire();
					CREATE TRIGGER ${name}_of_all $kind ON pt621.$parent FOR EACH $level EXECUTE FUNCTION mine.fire()");
				manager("ALTER TABLE pt621.${parent}_default $mode TRIGGER $name") if $mode;
				manager("ALTER TABLE pt621.${parent}_default $mode TRIGGER ${name}_of_all") if $mode && $level eq 'ROW';
			}
		}
	}
}

my $TRIGGERS = q{
	SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgname, tgenabled, tgtype, tgparentid <> 0), E'\n' ORDER BY tgrelid::regclass::text COLLATE "C", tgname)
	  FROM pg_trigger WHERE tgrelid::regclass::text ~ '_default$' AND NOT tgisinternal};
my $before = $node->safe_psql('postgres', $TRIGGERS);

# The maintenance worker looks once a minute, and may be here first: by one
# transaction it has nothing to do in between.
$node->safe_psql('postgres', qq{
	BEGIN;
	DROP TABLE $partition[0], $partition[1];
	INSERT INTO pt621.position (device_id, fix_time, valid)
	SELECT -1, date_trunc('month', now(), 'UTC') + interval '100 days' + n * interval '1 s', false FROM generate_series(1, 100) n;
	INSERT INTO pt621.frame (received_at, transport, bytes, decoder)
	SELECT date_trunc('month', now(), 'UTC') + interval '100 days', 'test', '', '' FROM generate_series(1, 100);
	COMMIT});
ok( PT621::until_true(
		sub {
			$node->safe_psql('postgres', 'SELECT pt621_maintain()');
			return $node->safe_psql('postgres',
				"SELECT count(to_regclass(n)) FROM unnest(ARRAY['$partition[0]', '$partition[1]']) n") == 2;
		}),
	'partitions come for rows that are there');
foreach my $partition (@partition)
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM $partition"), 100, "... which are in $partition now");
}
is($node->safe_psql('postgres', 'SELECT string_agg(DISTINCT name, E\'\n\') FROM mine.fired'), '', '... and no trigger on deletion has fired');
is($node->safe_psql('postgres', $TRIGGERS), $before, '... and each of them is as it was');
manager('DELETE FROM pt621.position WHERE device_id = -1');
is($node->safe_psql('postgres', "SELECT count(DISTINCT name) FROM mine.fired"), 16, '... to fire when rows are deleted');

$node->stop;
done_testing();
