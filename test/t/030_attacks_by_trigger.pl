# What code that users bring to the tables may do: as much as the role pt621,
# whoever stores, and no more.
#
# Mallory has USAGE on the schema, and SELECT and TRIGGER on the tables.  Her
# triggers try to become more, to reach outside, and to leave something behind
# for whoever comes next: in the listener, and in the sessions of those who call
# our functions.  Limits: what the role pt621 may do (alter or drop its tables, say)
# her triggers may do as well.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');
my $dir = PostgreSQL::Test::Utils::tempdir();
my @TABLES = qw(device device_state event frame geofence_visit position);

chmod 0777, $dir;
append_to_file("$dir/secret", "secret\n");
$node->safe_psql('postgres', q{
	CREATE ROLE mallory LOGIN;
	GRANT USAGE ON SCHEMA pt621 TO mallory;
	GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA pt621 TO mallory;
	CREATE SCHEMA mallory AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA mallory TO PUBLIC;

	CREATE ROLE relay LOGIN;
	GRANT EXECUTE ON FUNCTION pt621_ingest TO relay;
	CREATE ROLE member LOGIN IN ROLE pt621;
	CREATE ROLE treasurer;
	GRANT treasurer TO relay, member;
	CREATE SCHEMA vault AUTHORIZATION treasurer;
	CREATE TABLE vault.gold AS SELECT 1 AS bar;
	ALTER TABLE vault.gold OWNER TO treasurer});
my $SUPERUSER = $node->safe_psql('postgres', 'SELECT rolname FROM pg_roles WHERE oid = 10');

# Runs statements as somebody, and expects them to work.
sub as
{
	my ($who, $sql) = @_;

	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $who ]);
}

# Runs statements as somebody, and returns the error.
sub refused
{
	my ($who, $sql) = @_;

	$node->psql('postgres', $sql, extra_params => [ '-U', $who ], stderr => \my $error);
	return $error;
}

# ---------------------------------------------------------------------------
# The attacks
# ---------------------------------------------------------------------------

# Name => statement.  All of them must fail, each for itself.
my %attack = (
	'become a superuser' => 'ALTER ROLE mallory SUPERUSER',
	'make the owner a superuser' => 'ALTER ROLE pt621 SUPERUSER',
	'let clients log in as the owner' => 'ALTER ROLE pt621 CONNECTION LIMIT -1',
	'make a superuser' => 'CREATE ROLE evil SUPERUSER',
	'make a role' => 'CREATE ROLE evil',
	'become a member of the owner' => 'GRANT pt621 TO mallory',
	'grant pg_read_server_files' => 'GRANT pg_read_server_files TO mallory',
	'set role' => "SET ROLE $SUPERUSER",
	'set role locally' => "SET LOCAL ROLE $SUPERUSER",
	'set role by set_config' => "SELECT set_config('role', '$SUPERUSER', false)",
	'set role of a caller' => 'SET ROLE treasurer',
	'set session authorization' => "SET SESSION AUTHORIZATION $SUPERUSER",
	'set session authorization by set_config' => "SELECT set_config('session_authorization', '$SUPERUSER', false)",
	'read what a caller may read' => 'TABLE vault.gold',
	'read a file' => "SELECT pg_read_file('$dir/secret')",
	'read a binary file' => "SELECT pg_read_binary_file('PG_VERSION')",
	'list a folder' => "SELECT pg_ls_dir('.')",
	'copy from a file' => "COPY mallory.loot FROM '$dir/secret'",
	'copy to a file' => "COPY mallory.loot TO '$dir/loot'",
	'copy to a program' => "COPY mallory.loot TO PROGRAM 'cat >$dir/loot'",
	'copy from a program' => "COPY mallory.loot FROM PROGRAM 'id'",
	'lo_import' => "SELECT lo_import('$dir/secret')",
	'lo_export' => "SELECT lo_export(1, '$dir/loot')",
	'an extension' => 'CREATE EXTENSION file_fdw',
	'a trusted extension' => 'CREATE EXTENSION pgcrypto',
	'a language' => q{CREATE LANGUAGE evil HANDLER plpgsql_call_handler},
	'a function in C' => q{CREATE FUNCTION pt621.evil(cstring) RETURNS integer LANGUAGE c AS 'libc.so.6', 'system'},
	'an internal function' => q{CREATE FUNCTION pt621.evil() RETURNS void LANGUAGE internal AS 'pg_read_file_all'},
	'load a library' => "LOAD '$dir/evil.so'",
	'an event trigger' => 'CREATE EVENT TRIGGER evil ON ddl_command_end EXECUTE FUNCTION mallory.event()',
	'a foreign data wrapper' => 'CREATE FOREIGN DATA WRAPPER evil',
	'a subscription' => q{CREATE SUBSCRIPTION evil CONNECTION 'host=localhost' PUBLICATION evil WITH (connect = false)},
	'write to pg_authid' => q{UPDATE pg_authid SET rolsuper = true WHERE rolname = 'mallory'},
	'read pg_authid' => 'SELECT rolpassword FROM pg_authid',
	'write to pg_proc' => 'UPDATE pg_proc SET prosecdef = true',
	'write to pg_trigger' => 'DELETE FROM pg_trigger',
	'a table in pg_catalog' => 'CREATE TABLE pg_catalog.evil ()',
	'a function in pg_catalog' => 'CREATE FUNCTION pg_catalog.evil() RETURNS integer LANGUAGE sql RETURN 1',
	'a function where those of pt621 are' => 'CREATE FUNCTION public.evil() RETURNS integer LANGUAGE sql RETURN 1',
	'another body for an internal function' =>
	  q{CREATE OR REPLACE FUNCTION public.pt621_put_off() RETURNS text[] LANGUAGE sql AS 'SELECT NULL::text[]'},
	'terminate a backend of others' => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'",
	'cancel a backend of others' => "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'",
	'reload the configuration' => 'SELECT pg_reload_conf()',
	'alter the system' => q{ALTER SYSTEM SET archive_command = 'false'},
	'alter the database' => 'ALTER DATABASE postgres SET search_path = mallory',
	'alter another role' => "ALTER ROLE $SUPERUSER SET search_path = mallory",
	'no triggers' => 'SET session_replication_role = replica',
	'no errors in the log' => 'SET log_min_messages = panic',
	'a library for the session' => q{SET session_preload_libraries = 'evil'},
	'commit' => 'CALL mallory.commit()',
	'a checkpoint' => 'CHECKPOINT');

# Those that work, since they are about the session alone or what is the
# owner's; each must be over with the transaction, or at least with the call.
my @leave = (
	q{SET search_path = mallory, pg_catalog, public},
	q{SELECT set_config('search_path', 'mallory', false)},
	'SET default_transaction_read_only = on',
	'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE',
	'SET statement_timeout = 1', 'SET lock_timeout = 1', 'SET idle_session_timeout = 1',
	q{SET TimeZone = 'Asia/Tokyo'}, q{SET DateStyle = 'German, DMY'}, 'SET bytea_output = escape',
	'SET row_security = off', 'SET synchronous_commit = off', 'SET transform_null_equals = on',
	q{SET mallory.was = 'here'},
	'SET ROLE NONE', 'RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT',
	'PREPARE evil AS SELECT mallory.climb()',
	'DECLARE evil CURSOR WITH HOLD FOR SELECT mallory.climb()',
	'DECLARE worse CURSOR FOR SELECT mallory.climb()',
	'INSERT INTO mallory.bomb VALUES (1)',
	'SELECT pg_advisory_lock(621)',
	q{SELECT pg_advisory_lock_shared(hashtextextended('pt621_create_tables', 0))},
	'LISTEN evil', 'NOTIFY evil');

# A literal of SQL.
sub quoted
{
	my ($text) = @_;

	return q{'} . ($text =~ s/'/''/gr) . q{'};
}

as('mallory', q{
	CREATE TABLE mallory.loot (line text);
	CREATE TABLE mallory.plan (name text, command text);
	CREATE TABLE mallory.result (via text, name text, state text, message text);
	CREATE TABLE mallory.ran (me name, session name, super boolean);
	CREATE TABLE mallory.bomb (id integer);
	GRANT ALL ON ALL TABLES IN SCHEMA mallory TO PUBLIC;
	CREATE PROCEDURE mallory.commit() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
	CREATE FUNCTION mallory.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';

	-- What she wants somebody else to run: it notes who did.
	CREATE FUNCTION mallory.climb() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO mallory.ran SELECT current_user, session_user, rolsuper FROM pg_roles WHERE rolname = current_user;
		RETURN 1;
	END $$;
	CREATE FUNCTION mallory.climb_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM mallory.climb();
		IF NEW.id < 3 THEN INSERT INTO mallory.bomb VALUES (NEW.id + 1); END IF;
		RETURN NULL;
	END $$;
	CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON mallory.bomb DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION mallory.climb_trigger();

	-- Tries all of the plan, each command for itself.
	CREATE FUNCTION mallory.strike(via text) RETURNS boolean LANGUAGE plpgsql
	AS $$
	DECLARE p record;
	BEGIN
		PERFORM mallory.climb();
		FOR p IN TABLE mallory.plan LOOP
			BEGIN
				EXECUTE p.command;
				INSERT INTO mallory.result VALUES (via, p.name, 'done', '');
			EXCEPTION WHEN OTHERS THEN
				INSERT INTO mallory.result VALUES (via, p.name, SQLSTATE, SQLERRM);
			END;
		END LOOP;
		RETURN true;
	END $$;
	-- For an index: of a value, else it would be called when it is planned.
	CREATE FUNCTION mallory.strike_quietly(via text, value boolean) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
	AS $$ BEGIN RETURN mallory.strike(via); END $$;
	CREATE FUNCTION mallory.strike_trigger() RETURNS trigger LANGUAGE plpgsql
	AS $$ BEGIN PERFORM mallory.strike(TG_ARGV[0]); RETURN NEW; END $$});

sub plan_is
{
	my (@plan) = @_;

	as('mallory', 'TRUNCATE mallory.plan, mallory.result, mallory.ran;'
		  . join(';', map { "INSERT INTO mallory.plan VALUES (" . quoted($_->[0]) . ', ' . quoted($_->[1]) . ')' } @plan));
	return;
}

my @ATTACKS = map { [ $_, $attack{$_} ] } sort keys %attack;
my @LEAVE = map { [ $_, $_ ] } @leave;

# Records of which the times go on, so that none is the same as another.  Each is
# an alarm of a new tracker in a fence: an event and a visit.
my $count = 0;

$node->safe_psql('postgres', q{
	INSERT INTO pt621.geofence (name, geom, valid) VALUES ('depot', ST_MakeEnvelope(11, 48, 12, 49, 4326), '(,)')});

sub next_record
{
	$count++;
	return record(code => 'IN1', ident => 7000 + $count, time => sprintf('%02d%02d%02d.000', $count / 3600, $count / 60 % 60, $count % 60));
}

# Sends a record to the listener, and waits for its position.
sub stored
{
	my ($name) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position');

	$node->send_tcp(next_record());
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes('SELECT count(*) FROM pt621.position', $before + 1, $name);
}

# Nobody became more than he was, and nothing was reached.
sub harmless
{
	my ($name, $who) = @_;
	my %seen;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql('postgres', q{
			SELECT (SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper),
				(SELECT count(*) FROM pg_auth_members WHERE member = 'mallory'::regrole),
				(SELECT rolconnlimit FROM pg_roles WHERE rolname = 'pt621'),
				(SELECT count(*) FROM mallory.loot),
				(SELECT count(*) FROM pg_db_role_setting),
				(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim')}) . (-e "$dir/loot" ? ' loot' : ''),
		"$SUPERUSER|0|0|0|0|1", "$name: nobody has become more than he was");
	is($node->safe_psql('postgres', q{
			SELECT string_agg(DISTINCT me || CASE WHEN super THEN ' (superuser)' ELSE '' END, ', ') FROM mallory.ran}),
		'pt621', "$name: her code has run as the role pt621 and nobody else");
	return;
}

# Attacks that have worked, or failed of anything but the want of rights.
my $WORKED = q{
	SELECT string_agg(concat_ws(' ', via, name, state, message), E'\n') FROM mallory.result
	 WHERE state <> '42501'
	   AND (name, state) NOT IN (('alter the system', '25001'), ('commit', '2D000'),
			('an extension', '0A000'), ('a trusted extension', '0A000'))};

# All attacks have been tried in so many ways, and have failed.
sub all_failed
{
	my ($name, $vias) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql('postgres', $WORKED),
		'', "$name: no attack works, and each fails for want of rights");
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT via), count(DISTINCT (via, name)) FROM mallory.result'),
		$vias . '|' . $vias * @ATTACKS, "$name: all were tried");
	return;
}

my $victim = $node->background_psql('postgres');
$victim->query_safe(q{SET application_name = 'victim'});

# ---------------------------------------------------------------------------
# Triggers of every kind in the listener
# ---------------------------------------------------------------------------

my %kind = (
	before => 'CREATE TRIGGER %s BEFORE %s ON pt621.%s FOR EACH ROW',
	after => 'CREATE TRIGGER %s AFTER %s ON pt621.%s FOR EACH ROW',
	statement => 'CREATE TRIGGER %s AFTER %s ON pt621.%s FOR EACH STATEMENT',
	deferred => 'CREATE CONSTRAINT TRIGGER %s AFTER %s ON pt621.%s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW');

sub set_traps
{
	foreach my $table (@TABLES)
	{
		foreach my $kind (sort keys %kind)
		{
			as('mallory', sprintf($kind{$kind}, "evil_$kind", 'INSERT OR UPDATE', $table)
				  . " EXECUTE FUNCTION mallory.strike_trigger('$kind trigger on $table')");
		}
	}
	return;
}

sub remove_traps
{
	$node->safe_psql('postgres', join ';', map { my $table = $_; map { "DROP TRIGGER evil_$_ ON pt621.$table" } keys %kind } @TABLES);
	return;
}

my $SETTINGS = q{
	SELECT string_agg(name || '=' || setting, E'\n' ORDER BY name) FROM pg_settings
	 WHERE name NOT IN ('application_name', 'lock_timeout', 'transaction_read_only', 'transaction_isolation')
	UNION ALL SELECT coalesce(nullif(current_setting('mallory.was', true), ''), 'nobody was here')
	UNION ALL SELECT 'prepared ' || count(*) FROM pg_prepared_statements
	UNION ALL SELECT 'cursors ' || count(*) FROM pg_cursors WHERE name IN ('evil', 'worse')
	UNION ALL SELECT 'advisory locks ' || count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
	UNION ALL SELECT 'session ' || session_user || ' ' || current_user
	UNION ALL SELECT 'channels ' || count(*) FROM pg_listening_channels()};

# An honest trigger notes what it finds when a batch begins.
$node->safe_psql('postgres', qq{
	CREATE SCHEMA honest; GRANT USAGE ON SCHEMA honest TO pt621;
	CREATE TABLE honest.note (id serial, settings text);
	GRANT INSERT ON honest.note TO pt621; GRANT USAGE ON SEQUENCE honest.note_id_seq TO pt621;
	CREATE FUNCTION honest.note() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		INSERT INTO honest.note (settings) SELECT string_agg(s, E'\\n') FROM ($SETTINGS) t (s);
		RETURN NULL;
	END \$\$});
my $pid = $node->listener('pid');

sub note_settings
{
	$node->safe_psql('postgres',
		'CREATE TRIGGER a_note BEFORE INSERT ON pt621.device FOR EACH STATEMENT EXECUTE FUNCTION honest.note()');
	stored('a batch in which nobody attacks is stored');
	$node->safe_psql('postgres', 'DROP TRIGGER a_note ON pt621.device');
	return $node->safe_psql('postgres', 'SELECT settings FROM honest.note ORDER BY id DESC LIMIT 1');
}

my $untouched = note_settings();

plan_is(@ATTACKS);
set_traps();
stored('triggers of every kind attack in the listener: the record is stored');
all_failed('listener', @TABLES * keys %kind);
harmless('listener');
remove_traps();
is(note_settings(), $untouched, '... and the session of the listener is as it was');

plan_is(@LEAVE);
foreach my $table (@TABLES)
{
	foreach my $kind (sort keys %kind)
	{
		as('mallory', sprintf($kind{$kind}, 'evil', 'INSERT OR UPDATE', $table)
			  . " EXECUTE FUNCTION mallory.strike_trigger('$kind trigger on $table')");
		my $frames = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame');

		$node->send_tcp(next_record());
		$node->becomes('SELECT count(*) FROM pt621.frame', $frames + 1, "a $kind trigger on $table leaves what it can: the record is archived");
		$node->safe_psql('postgres', "DROP TRIGGER evil ON pt621.$table");
		is(note_settings(), $untouched, '... and nothing is left for the next batch');
	}
}
harmless('what is left to the listener');
is($node->listener('pid'), $pid, '... which is the same worker all the time');

# A unit that a trigger refuses is archived with the reason.
as('mallory', q{
	CREATE FUNCTION mallory.openly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ALTER ROLE mallory SUPERUSER; RETURN NULL; END';
	CREATE TRIGGER evil AFTER INSERT ON pt621.position FOR EACH ROW WHEN (NEW.code = 'IN2') EXECUTE FUNCTION mallory.openly()});
$node->send_tcp(record(ident => '6998'), record(ident => '6998', code => 'IN2'), record(ident => '6998', code => 'IN3'));
$node->becomes(q{
		SELECT string_agg(f.code || coalesce(': ' || f.error, ''), ', ' ORDER BY f.code) FROM
			(SELECT substr(encode(bytes, 'escape'), 2, 3) AS code, substr(error, 1, 5) AS error FROM pt621.frame WHERE ident = '6998') f},
	'IN2: 42501, IN3, POS', 'an attack that is not caught costs the unit it was made with and no other');
$node->safe_psql('postgres', 'DROP TRIGGER evil ON pt621.position');

# ---------------------------------------------------------------------------
# Other code that runs when a row comes
# ---------------------------------------------------------------------------

foreach my $table (@TABLES)
{
	my $column = $table =~ /^device/ ? 'last_seen' : 'received_at';

	$column = 'created_at' if $table eq 'device';
	$column = 'detected_at' if $table =~ /^(event|geofence_visit)$/;
	foreach my $sql (
		"ALTER TABLE pt621.$table ADD COLUMN evil boolean DEFAULT mallory.strike('x')",
		"ALTER TABLE pt621.$table ADD CHECK (mallory.strike('x'))",
		"CREATE INDEX ON pt621.$table (mallory.strike_quietly('x', true))",
		"CREATE RULE evil AS ON INSERT TO pt621.$table DO ALSO SELECT mallory.climb()",
		"CREATE POLICY evil ON pt621.$table USING (mallory.strike('x'))",
		"ALTER TABLE pt621.$table OWNER TO mallory",
		"INSERT INTO pt621.$table DEFAULT VALUES",
		"DELETE FROM pt621.$table", "TRUNCATE pt621.$table",
		"UPDATE pt621.$table SET $column = now()",
		"BEGIN; LOCK TABLE pt621.$table IN ACCESS EXCLUSIVE MODE")
	{
		like(refused('mallory', $sql), qr/ERROR:  (must be owner|permission denied)/, "TRIGGER is not enough for: $sql");
	}
}
like(refused('mallory', "SELECT pt621_ingest('x')"), qr/ERROR:  permission denied/, '... nor for storing');

# A careless member may bring it, or her trigger itself.
plan_is(@ATTACKS);
as('member', join ';', map { qq{
	ALTER TABLE pt621.$_ ADD COLUMN evil boolean DEFAULT false;
	ALTER TABLE pt621.$_ ALTER COLUMN evil SET DEFAULT mallory.strike('default of $_');
	ALTER TABLE pt621.$_ ADD CONSTRAINT evil CHECK (mallory.strike('check of $_')) NOT VALID;
	CREATE INDEX evil_$_ ON pt621.$_ (mallory.strike_quietly('index of $_', evil))} } @TABLES);
as('mallory', 'TRUNCATE mallory.result, mallory.ran');
stored('defaults, checks and index expressions attack in the listener: the record is stored');
all_failed('expressions', 3 * @TABLES);
harmless('expressions');

plan_is(@LEAVE);
$node->send_tcp(next_record());
$node->becomes('SELECT count(DISTINCT via) FROM mallory.result', 3 * @TABLES, '... and leave what they can');
$node->safe_psql('postgres', join ';', map { "ALTER TABLE pt621.$_ DROP CONSTRAINT evil, DROP COLUMN evil CASCADE" } @TABLES);
is(note_settings(), $untouched, '... and nothing is left for the next batch');
harmless('what expressions leave');

# ---------------------------------------------------------------------------
# In the sessions of those who call
# ---------------------------------------------------------------------------

# The ways to make her triggers run: name, the statements, and who calls.
my @CALLS = (
	[ 'pt621_ingest()', sub { 'SELECT pt621_ingest(' . bytea(next_record()) . ')' }, 'relay', 'member', $SUPERUSER ],
	[ 'pt621_ingest_reads()', sub { 'SELECT pt621_ingest_reads(ARRAY[' . bytea(next_record()) . '])' }, 'member', $SUPERUSER ],
	[ 'pt621_derive()', sub { q{SELECT pt621_derive(array_agg(id), array_agg('(,)'::tstzrange)) FROM pt621.device} }, 'member', $SUPERUSER ],
	[ 'pt621_replay_events()', sub { 'DELETE FROM pt621.event; SELECT pt621_replay_events()' }, 'member', $SUPERUSER ],
	# In one transaction, or the maintenance worker might come first.
	[ 'pt621_settle_geofences()', sub {
		$node->safe_psql('postgres', q{
			INSERT INTO pt621.geofence (name, geom, valid) VALUES ('yard', ST_MakeEnvelope(11, 48, 12, 49, 4326), '(,)');
			SELECT pt621_ingest(} . bytea(next_record()) . ')');
		as('mallory', q{TRUNCATE mallory.result});
		return q{BEGIN; DELETE FROM pt621.geofence WHERE name = 'yard'; SELECT pt621_settle_geofences(); COMMIT} }, 'member', $SUPERUSER ],
	[ 'pt621_settle_sensors()', sub {
		$node->safe_psql('postgres', q{
			DELETE FROM pt621.sensor_alarm;
			INSERT INTO pt621.input (device_id, name, number) SELECT id, 'first', 1 FROM pt621.device;
			SELECT pt621_ingest(} . bytea(next_record()) . ')');
		as('mallory', q{TRUNCATE mallory.result});
		return q{BEGIN; INSERT INTO pt621.sensor_alarm (name, sensor, below, valid) VALUES ('first is off', 'first', 1, '(,)');
			SELECT pt621_settle_sensors(1000); COMMIT} }, 'member', $SUPERUSER ],
	[ 'pt621_ready()', sub { 'SELECT pt621_ready()' }, 'member', $SUPERUSER ],
	[ 'pt621_create_tables()', sub { 'DROP TRIGGER evil ON pt621.layout; DELETE FROM pt621.layout;
		CREATE CONSTRAINT TRIGGER evil AFTER INSERT OR UPDATE ON pt621.layout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
			EXECUTE FUNCTION mallory.strike_trigger($$layout$$);
		SELECT pt621_create_tables()' }, 'member' ],
	[ 'pt621_maintain()', sub {
		my $month = $node->safe_psql('postgres', q{SELECT to_char(now() AT TIME ZONE 'UTC' + interval '3 months', 'YYYY_MM')});

		as('member', "DROP TABLE pt621.frame_$month");
		as('mallory', q{TRUNCATE mallory.result, mallory.ran});
		as('member', q{
			INSERT INTO pt621.frame SELECT now() + interval '3 months', -1, NULL, NULL, 'sql', NULL, NULL, NULL, '', NULL, NULL, '';
			ALTER TABLE pt621.frame ADD CONSTRAINT evil CHECK (mallory.strike('check')) NOT VALID});
		return 'SELECT pt621_maintain()' }, 'member', $SUPERUSER ],
	[ 'CREATE EXTENSION', sub { 'SET client_min_messages = warning; DROP EXTENSION pt621 CASCADE; CREATE EXTENSION pt621; RESET client_min_messages' }, $SUPERUSER ]);

foreach my $call (@CALLS)
{
	my ($name, $make, @who) = @$call;

	foreach my $who (@who)
	{
		foreach my $plan (\@ATTACKS, \@LEAVE)
		{
			my $leaves = $plan == \@LEAVE;
			my $sql;
			my @got;

			my $table = $name =~ /derive|ingest/ ? 'device_state' : $name =~ /replay|sensors/ ? 'event' : $name =~ /settle/ ? 'geofence_visit' : 'layout';

			as('mallory', "CREATE CONSTRAINT TRIGGER evil AFTER INSERT OR UPDATE ON pt621.$table
				DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.strike_trigger('deferred');
				CREATE TRIGGER evil_after AFTER INSERT OR UPDATE ON pt621.$table
				FOR EACH ROW EXECUTE FUNCTION mallory.strike_trigger('after')");
			plan_is(@$plan);
			$sql = $make->();
			as('mallory', 'TRUNCATE mallory.ran');
			# In one session: what it is before, the call, what it is after.
			@got = split /^=+\n/m, as($who, qq{
				DO \$\$ BEGIN END \$\$;
				$SETTINGS;
				SELECT '======';
				$sql;
				SELECT '======';
				$SETTINGS;});
			my %leftover = map { $_ => 1 } split /\n/, $got[2] // 'nothing came';
			delete $leftover{$_} foreach split /\n/, $got[0];
			# What a session has for itself, and cannot harm anybody else.
			delete $leftover{$_} foreach ('prepared 1', 'advisory locks 2', 'advisory locks 3', 'channels 1');
			is(join("\n", sort keys %leftover), '', "$name called by $who: the settings of the session are as before")
			  if $leaves;
			is($node->safe_psql('postgres', $WORKED), '', "$name called by $who: no attack works") if !$leaves;
			cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT name) FROM mallory.result'), '==', @$plan, '... and all were tried');
			harmless("$name called by $who");
			$node->safe_psql('postgres', join ';', 'SET client_min_messages = warning', map { "DROP TRIGGER IF EXISTS evil ON pt621.$_; DROP TRIGGER IF EXISTS evil_after ON pt621.$_" } @TABLES, 'layout');
			$node->safe_psql('postgres', 'ALTER TABLE pt621.frame DROP CONSTRAINT evil') if $name =~ /maintain/;
		}
	}
}

$victim->quit;

# ---------------------------------------------------------------------------
# Going on for ever
# ---------------------------------------------------------------------------

$node->configure('pt621.statement_timeout' => '500', 'pt621.shutdown_timeout' => '1000');
$node->restart;
$node->wait_open;
as('mallory', q{
	CREATE FUNCTION mallory.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. TG_ARGV[0]::integer LOOP
			BEGIN
				PERFORM pg_sleep(600);
			EXCEPTION WHEN query_canceled THEN NULL;
			END;
		END LOOP;
		PERFORM pg_sleep(600);
		RETURN NULL;
	END $$;
	CREATE TRIGGER evil AFTER INSERT ON pt621.position FOR EACH ROW WHEN (NEW.code = 'IN2') EXECUTE FUNCTION mallory.dawdle(1)});
$node->send_tcp(record(ident => '6997'), record(ident => '6997', code => 'IN2'), record(ident => '6997', code => 'IN3'));
$node->becomes(q{
		SELECT string_agg(f.code || coalesce(': ' || f.error, ''), ', ' ORDER BY f.code) FROM
			(SELECT substr(encode(bytes, 'escape'), 2, 3) AS code, substr(error, 1, 5) AS error FROM pt621.frame WHERE ident = '6997') f},
	'IN2: 57014, IN3, POS', 'a trigger that does not heed its time-out once costs the unit that it was made with');

$node->safe_psql('postgres', 'DROP TRIGGER evil ON pt621.position');
as('mallory', 'CREATE TRIGGER evil AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mallory.dawdle(1000000)');
$pid = $node->listener('pid');
$node->send_tcp(next_record());
$node->wait_until("SELECT state = 'active' AND now() - xact_start > interval '1 s' FROM pg_stat_activity WHERE pid = $pid");
ok($node->stop('fast', fail_ok => 1), 'one that never does cannot keep the server from a fast stop');
done_testing();
