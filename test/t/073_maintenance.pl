# Services: the worker says once that one is soon due, and once that it is.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('main', conf => "timezone = 'UTC'\n");
my $SAID = q{SELECT coalesce(string_agg(kind || ' ' || object, ', ' ORDER BY id), '') FROM pt621.event WHERE kind LIKE 'maintenance%'};

# Makes the worker look at once, and waits until it has looked at all there is.
sub look
{
	my ($what) = @_;

	$node->safe_psql('postgres', "UPDATE pt621.maintenance_plan SET next_look_at = '-infinity', last_look = NULL");
	$node->reload;
	$node->becomes("SELECT count(*) FROM pt621.maintenance_plan WHERE NOT isfinite(next_look_at)", 0, $what);
	return;
}

$node->create_extension('postgres');
$node->wait_open;
$node->safe_psql('postgres', <<'SQL');
INSERT INTO pt621.device (id, ident) VALUES (1, 'a');
INSERT INTO pt621.maintenance_plan (device_id, name, every_km, since) VALUES (1, 'oil', 100, now() - interval '10 days');
INSERT INTO pt621.maintenance_plan (device_id, name, every_days, since) VALUES (1, 'check', 9, now() - interval '10 days');
CREATE FUNCTION pt621.drive(day integer, km integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pt621.position (device_id, fix_time, digest, geom, speed_kmh)
    SELECT 1, now() - interval '10 days' + day * interval '1 day' + i * interval '1 minute', i,
           ST_Point(10, 10 + day + least(i, km) / 111.195, 4326), CASE WHEN i < km THEN 60 ELSE 0 END
      FROM generate_series(0, km + 20) i
$$;
SELECT pt621.drive(1, 50);
SQL
look('the worker looks');
is($node->safe_psql('postgres', $SAID), 'maintenance_due check', 'what is due is said, what is not is not');
look('again');
is($node->safe_psql('postgres', $SAID), 'maintenance_due check', '... once');

$node->safe_psql('postgres', 'SELECT pt621.drive(3, 45)');
look('95 of 100 km');
is($node->safe_psql('postgres', $SAID), 'maintenance_due check, maintenance_soon oil', '... soon');

# How long a look may take is what the setting says there: by it a time-out is told from a cancel.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION pt621.limit_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE LOG 'a look may take %', current_setting('statement_timeout');
    RETURN NEW;
END $$;
CREATE TRIGGER limit_is BEFORE UPDATE OF next_look_at ON pt621.maintenance_plan FOR EACH ROW
    WHEN (isfinite(NEW.next_look_at)) EXECUTE FUNCTION pt621.limit_is();
SQL
look('how long it may take');
like(slurp_file($node->logfile), qr/LOG:  a look may take 1min/, '... the setting says');
$node->safe_psql('postgres', 'DROP FUNCTION pt621.limit_is CASCADE');

# What comes late was driven before.
$node->safe_psql('postgres', 'SELECT pt621.drive(2, 20)');
look('a late upload');
is($node->safe_psql('postgres', $SAID), 'maintenance_due check, maintenance_soon oil, maintenance_due oil', '... due');
$node->restart;
$node->wait_open;
look('after a restart');
is($node->safe_psql('postgres', $SAID), 'maintenance_due check, maintenance_soon oil, maintenance_due oil', '... nothing more');

# A service; a tracker that is gone.
$node->safe_psql('postgres', q{INSERT INTO pt621.maintenance_record (plan_id) SELECT id FROM pt621.maintenance_plan});
look('served');
is($node->safe_psql('postgres', q{SELECT string_agg(state, ' ') FROM pt621_maintenance_due()}), 'ok ok', '... all is well');
$node->safe_psql('postgres', 'DELETE FROM pt621.device');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621_maintenance_due()'), 0, 'of a tracker that is gone nothing is due');
unlike(slurp_file($node->logfile), qr/services were not looked after|was not looked after/, 'nothing failed');

$node->stop;
done_testing();
