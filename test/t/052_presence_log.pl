# The log of presence: the maintenance worker writes down who comes and who falls
# silent, and goes on with its other work whatever becomes of that.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main', conf => "autovacuum = off\n");

sub number
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# Makes a tracker's last word so old.
sub age
{
	my ($ident, $ago) = @_;

	return number("UPDATE pt621.device_state SET last_seen = now() - interval '$ago' WHERE device_id = (SELECT id FROM pt621.device WHERE ident = '$ident')");
}

sub log_of
{
	my ($ident, $columns) = @_;

	return "SELECT coalesce(string_agg(concat_ws(': ', " . ($columns // 'l.state, l.reason') . "), ', ' ORDER BY l.id), '')
		FROM pt621.presence_log l JOIN pt621.device d ON d.id = l.device_id WHERE d.ident = '$ident'";
}

# It looks every ten seconds, and at once after a change of the configuration.
sub logged
{
	my ($ident, $columns, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->reload;
	return $node->becomes(log_of($ident, $columns), $expected, $name);
}

# ---------------------------------------------------------------------------
# What the worker sees
# ---------------------------------------------------------------------------

number("INSERT INTO pt621.device (ident) VALUES ('5200')");
my $tracker = $node->tcp;

PT621::put($tracker, record(ident => '5201'));
$node->send_udp(record(ident => '5202'));
$node->becomes(log_of('5201'), 'online: connected', 'a tracker connects and reports');
logged('5202', undef, 'online: heard of lately', '... another sends a datagram');
is(number("SELECT count(*) FROM pt621.presence_log l JOIN pt621.device_state s USING (device_id) WHERE l.at = l.last_seen AND l.last_seen = s.last_seen"), 2, '... since their last word');
is(number(log_of('5200')), '', 'one that was never heard of is not in the log');

age($_, '10 min') foreach '5201', '5202';
logged('5201', undef, 'online: connected, silent: connected, but says nothing', 'the one falls silent');
logged('5202', 'l.state', 'online, offline', '... the other is offline');
is(number("SELECT count(*) FROM pt621.presence_log l WHERE l.state <> 'online' AND l.last_seen < now() - interval '10 min'
	AND l.at = (SELECT max(p.at) FROM pt621.presence_log p WHERE p.device_id = l.device_id AND p.id < l.id)"), 2, '... not before they were heard of');

close($tracker);
$node->wait_until("SELECT count(*) = 0 FROM pt621_stat_connection() WHERE transport = 'tcp'");
logged('5201', 'l.state', 'online, silent, offline', 'the connection ends');
is(number("SELECT bool_and(l.at BETWEEN now() - interval '1 min' AND now()) FROM pt621.presence_log l JOIN pt621.device d ON d.id = l.device_id
	WHERE d.ident = '5201' AND l.state = 'offline'"), 't', '... now');

# One that usually reports every ten minutes is waited for for longer.
number(q{INSERT INTO pt621.device (id, ident) VALUES (5203, '5203');
	INSERT INTO pt621.device_state (device_id, last_seen, report_interval) VALUES (5203, now() - interval '24 min', 600)});
logged('5203', 'l.state', 'online', 'one that reports seldom');
number(q{INSERT INTO pt621.device (id, ident) VALUES (5204, '5204');
	INSERT INTO pt621.device_state (device_id, last_seen, report_interval) VALUES (5204, now() - interval '26 min', 600)});
logged('5204', 'l.state', 'offline', '... is expected for so long');
is(number("SELECT at - last_seen FROM pt621.presence_log WHERE device_id = 5204"), '00:25:00', '... and not longer');

# It comes back.
$node->send_udp(record(ident => '5202', time => '120001.000'));
$node->wait_until("SELECT state = 'online' FROM pt621.presence WHERE ident = '5202'");
logged('5202', 'l.state', 'online, offline, online', 'a tracker comes back');
is(number("SELECT state FROM pt621.presence_last l JOIN pt621.device d ON d.id = l.device_id WHERE d.ident = '5202'"), 'online', '... and that is how it is');

# ---------------------------------------------------------------------------
# Two at once, a trigger that fails, and partitions meanwhile
# ---------------------------------------------------------------------------

number(q{INSERT INTO pt621.device (id, ident) SELECT i, i FROM generate_series(6000, 6999) i;
	INSERT INTO pt621.device_state (device_id, last_seen) SELECT i, now() FROM generate_series(6000, 6999) i});
my @callers = map {
	my $out = '';

	IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pt621_presence_tick()' ], '>', \$out)
} 1 .. 4;

$_->finish foreach @callers;
is(number('SELECT count(*) = 1000 AND count(DISTINCT device_id) = 1000 FROM pt621.presence_log WHERE device_id >= 6000'), 't', 'each change is logged once, whoever looks');

number(q{CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON pt621.presence_log FOR EACH ROW WHEN (NEW.device_id = 7000) EXECUTE FUNCTION public.refuse();
	INSERT INTO pt621.device (id, ident) VALUES (7000, '7000');
	INSERT INTO pt621.device_state (device_id, last_seen) VALUES (7000, now())});
$node->becomes("SELECT last_error FROM pt621_stat_worker() WHERE worker = 'maintenance'", 'not this one', 'a trigger that fails shows in the state of the worker');
like(slurp_file($node->logfile), qr/LOG:  pt621: presence was not logged: not this one/, '... and in the log');
number(sprintf('DROP TABLE pt621.%s', number("SELECT format('position_%s', to_char(now() AT TIME ZONE 'UTC' + interval '3 months', 'YYYY_MM'))")));
$node->reload;
$node->becomes(q{SELECT to_regclass('pt621.position_' || to_char(now() AT TIME ZONE 'UTC' + interval '3 months', 'YYYY_MM')) IS NOT NULL}, 't', '... partitions are made all the same');
number('DROP TRIGGER refuse ON pt621.presence_log');
$node->reload;
logged('7000', 'l.state', 'online', 'without it the log goes on');

# While nothing changes nothing is written.
number('UPDATE pt621.device_state SET last_seen = now()');
number('SELECT pt621_presence_tick()');
my $xid = number('SELECT pg_snapshot_xmax(pg_current_snapshot())');

number('SELECT pt621_presence_tick()') foreach 1 .. 3;
is(number('SELECT pg_snapshot_xmax(pg_current_snapshot())'), $xid, 'a look that finds nothing writes nothing');

$node->stop;
done_testing();
