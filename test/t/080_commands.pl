# Commands: sent when they are committed, to the one tracker that they are for, and
# what the rows say of them afterwards.
use strict;
use warnings;

use POSIX qw(strftime);
use PT621;
use Test::More;

my $node = PT621->listening('main');

# A record of now, since the guard of the engine goes by fresh fixes; none of the
# same second as the one before.
my $last = 0;

sub now_record
{
	my ($ident, %more) = @_;
	$last = time() > $last ? time() : $last + 1;
	my @now = gmtime($last);

	return record(ident => $ident, time => strftime('%H%M%S.000', @now), date => strftime('%d%m%y', @now), speed => '0.00', %more);
}

sub psql
{
	return $node->safe_psql('postgres', shift);
}

# Connects a tracker, and waits until it is known there.
sub comes
{
	my ($ident, %options) = @_;
	my $socket = $options{udp} ? $node->udp : $node->tcp;

	PT621::put($socket, now_record($ident, %{ $options{record} // {} }));
	$node->wait_until("SELECT count(*) = 1 FROM pt621_stat_connection() c JOIN pt621.device_state s ON s.bound_conn = c.conn "
		  . "WHERE c.ident = '$ident' AND c.peer_port = " . $socket->sockport);
	return $socket;
}

sub order
{
	my ($ident, $what) = @_;

	return psql("SELECT pt621_send((SELECT id FROM pt621.device WHERE ident = '$ident'), $what)");
}

sub state_is
{
	my ($id, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes("SELECT state FROM pt621.command WHERE id = $id", $expected, $name);
}

# ---------------------------------------------------------------------------
# One that is connected
# ---------------------------------------------------------------------------

my $first = comes('1001');
my $id = order('1001', q{'output', '2,on'});

is(PT621::heard($first), '#OPC2,1', 'a command reaches the tracker');
state_is($id, 'sent', '... which its row says');
is(psql("SELECT attempts, in_doubt, conn = (SELECT conn FROM pt621_stat_connection()), sent_at >= requested_at FROM pt621.command WHERE id = $id"),
	'1|0|t|t', '... and by which connection, and when');

PT621::put($first, "OPC2,1 done\r\n");
state_is($id, 'answered', 'a line that it says is the answer');
is(psql("SELECT answer FROM pt621.command WHERE id = $id"), '{"OPC2,1 done"}', '... kept as it was');
is(psql(q{SELECT error IS NULL, device_id IS NOT NULL FROM pt621.frame WHERE bytes = 'OPC2,1 done\015\012'}), 't|t', '... and no fault of its bytes');

my $version = order('1001', q{'version'});
my $reboot = order('1001', q{'reboot', 'gps'});

is(PT621::heard($first) . PT621::heard($first), '#VER#RST1', 'two commands, in their order');
PT621::put($first, "rst1 ok\r\nsome more\r\n\$VER,621,1.0\r\n");
$node->becomes("SELECT string_agg(concat_ws(' ', kind, state, array_to_string(answer, '|')), ', ' ORDER BY id) FROM pt621.command WHERE id IN ($version, $reboot)",
	'version answered some more|$VER,621,1.0, reboot answered rst1 ok', '... answers go to those that they name, else to the one that waits');

psql("BEGIN; SELECT pt621_send(1, 'photo'); ROLLBACK");
psql("BEGIN; SAVEPOINT s; SELECT pt621_send(1, 'photo'); ROLLBACK TO s; SELECT pt621_send(1, 'position'); COMMIT");
is(PT621::heard($first), '#RCP', 'what was rolled back is not sent');
psql(q{INSERT INTO pt621.command (device_id, kind, argument) SELECT 1, 'text', 'PTI' || n FROM generate_series(1, 3) n});
is(join(' ', map { PT621::heard($first) } 1 .. 3), '#PTI1 #PTI2 #PTI3', 'a plain INSERT sends, many at once too');

# ---------------------------------------------------------------------------
# One that is not
# ---------------------------------------------------------------------------

psql(q{INSERT INTO pt621.device (ident) VALUES ('1002'), ('1003'), ('1004'), ('1005'), ('1006')});
my $waits = order('1002', q{'photo'});
my $late = order('1002', q{'version', expires_in => '1 ms'});
my $gone = order('1002', q{'imei'});
my $later = order('1002', q{'voltage', not_before => now() + interval '1 hour'});

is(psql("SELECT pt621_cancel($gone), pt621_cancel($gone), pt621_cancel($id)"), 't|f|f', 'what is queued can be cancelled, once');
is(psql("SELECT state FROM pt621.command WHERE id = $waits"), 'queued', 'a command for an absent tracker waits');
state_is($late, 'expired', '... but not for ever');
my $second = comes('1002');

is(PT621::heard($second), '#PHO', '... and is sent when the tracker comes');
state_is($waits, 'sent', '... which its row says');
is(psql("SELECT state FROM pt621.command WHERE id = $gone"), 'cancelled', 'a cancelled one is not');
is(psql("SELECT state FROM pt621.command WHERE id = $later"), 'queued', 'nor one before its time');
psql("SET ROLE pt621; UPDATE pt621.command SET not_before = now() WHERE id = $later");
is(PT621::heard($second), '#RPO', '... which comes without anybody asking');

# It comes back by another connection before the old one has ended.
my $third = comes('1002');

$id = order('1002', q{'position'});
is(PT621::heard($third), '#RCP', 'of two connections the one that speaks for the tracker gets it');
ok(PT621::closed_by_server($second), '... and the other one nothing');

# One connection for two trackers: a command does not say for which it is.
my $relay = comes('1003');

PT621::put($relay, now_record('1004'));
$node->wait_until(q{SELECT count(*) = 1 FROM pt621_stat_connection() WHERE ident = '1004'});
my $lost = order('1004', q{'photo'});

order('1002', q{'version'});
is(PT621::heard($third), '#VER', 'while others get theirs');
is(psql("SELECT state FROM pt621.command WHERE id = $lost"), 'queued', '... nothing goes to a connection that has named several trackers');
close($relay);

# ---------------------------------------------------------------------------
# UDP
# ---------------------------------------------------------------------------

my $udp = comes('1005', udp => 1);

$id = order('1005', q{'interval', '30'});
is(PT621::heard($udp), '#PTI30', 'a command goes by UDP');
PT621::put($udp, "PTI30 ok\r\n");
state_is($id, 'answered', '... and is answered so');
my $moved = comes('1005', udp => 1);

$id = order('1005', q{'interval', '60'});
is(PT621::heard($moved), '#PTI60', '... also when its address has changed');
$node->configure('pt621.udp_reply_within' => 1);
$node->settle;
$node->wait_until("SELECT last_seen < now() - interval '1 s' FROM pt621_stat_connection() WHERE peer_port = " . $moved->sockport);
$id = order('1005', q{'interval', '90'});
order('1002', q{'version'});
is(PT621::heard($third), '#VER', 'while others get theirs');
is(psql("SELECT state FROM pt621.command WHERE id = $id"), 'queued', '... one that was silent for long is not sent anything');
PT621::put($moved, now_record('1005', odometer => 7000));
is(PT621::heard($moved), '#PTI90', '... until it says something');
$node->configure('pt621.udp_reply_within' => undef);

# ---------------------------------------------------------------------------
# Engines
# ---------------------------------------------------------------------------

sub refused
{
	my ($what, $pattern, $name) = @_;
	my ($stdout, $stderr);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->psql('postgres', "SELECT pt621_send((SELECT id FROM pt621.device WHERE ident = '1006'), $what)", stderr => \$stderr);
	return like($stderr, $pattern, $name);
}

my $car = comes('1006', record => { speed => '40.00' });

foreach my $what (q{'engine_cut'}, q{'output', '1,on'}, q{'text', 'OPC1,1'}, q{'text', 'opc1,1'})
{
	refused($what, qr/must not be cut now/, "a fast one is not cut by $what");
}
refused(q{'text', 'AN1''#OPC1,1,'',10,''#OPC1,0'''}, qr/cuts the engine later/, '... nor what would do so some time later');
order('1006', q{'engine_restore'});
is(PT621::heard($car), '#OPC1,0', 'it can be restored at any speed');
order('1006', q{'output', '2,on'});
is(PT621::heard($car), '#OPC2,1', '... and other outputs be switched');
order('1006', q{'engine_cut', force => true});
is(PT621::heard($car), '#OPC1,1', 'when forced it is cut');
$id = order('1006', q{'engine_cut', when_slow => true});
$node->becomes("SELECT reason FROM pt621.command WHERE id = $id", 'waits: too fast for cutting the engine', 'or it waits');
PT621::put($car, now_record('1006', speed => '30.00', odometer => 2000));
order('1006', q{'version'});
is(PT621::heard($car), '#VER', '... while other commands do not');
PT621::put($car, now_record('1006', speed => '3.00', odometer => 3000));
is(PT621::heard($car), '#OPC1,1', '... until it is slow');
state_is($id, 'sent', '... which its row says');
$node->configure('pt621.engine_cut_fresh' => 1);
$node->settle;
PT621::put($car, now_record('1006', speed => '50.00', odometer => 4000));
$node->wait_until(q{SELECT speed_kmh > 80 AND fix_time < now() - interval '1 s' FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id WHERE ident = '1006'});
order('1006', q{'engine_cut'});
is(PT621::heard($car), '#OPC1,1', 'a fix that is not fresh keeps nothing from being cut');
$node->configure('pt621.engine_cut_fresh' => undef);

# What says nothing of the speed of now does not allow a cut; how fast is too fast is a setting.
sub last_fix
{
	my ($after, $speed) = @_;

	psql("SET ROLE pt621; UPDATE pt621.device_state SET fix_time = now() + interval '$after', speed_kmh = $speed WHERE device_id = (SELECT id FROM pt621.device WHERE ident = '1006')");
}

last_fix('0 s', 'NULL');
refused(q{'engine_cut'}, qr/says nothing of its speed/, 'a fresh fix without a speed lets nothing be cut');
last_fix('2 hours', 0);
refused(q{'engine_cut'}, qr/says nothing of now: its clock is fast/, '... nor one from the future');
refused(q{'output', '1,on'}, qr/must not be cut now/, '... by whatever kind');
last_fix('30 s', 0);
order('1006', q{'engine_cut'});
is(PT621::heard($car), '#OPC1,1', '... but clocks need not agree to the second');
last_fix('0 s', 15);
is(psql(q{SELECT pt621_sms(id, 'engine_cut') FROM pt621.device WHERE ident = '1006'}), '000000OPC1,1', 'a slow one is cut, by SMS too');
$node->configure('pt621.engine_cut_speed' => 10);
$node->settle;
refused(q{'engine_cut'}, qr/says 15.0 km\/h/, '... until it is fast by the setting');
refused(q{'version'}, qr/^$/, '... which is for nothing else');
is(PT621::heard($car), '#VER', '... as the tracker hears');
$node->psql('postgres', q{SELECT pt621_sms(id, 'engine_cut') FROM pt621.device WHERE ident = '1006'}, stderr => \my $sms);
like($sms, qr/must not be cut now/, '... nor by SMS');
$node->configure('pt621.engine_cut_speed' => undef);

# ---------------------------------------------------------------------------
# Orders that triggers give
# ---------------------------------------------------------------------------

# As README.md has it, at night: yesterday at 1 o'clock UTC, which is not late here.
my ($night_ride) = readme_sql('Commands') =~ /(CREATE FUNCTION public\.take_picture.*EXECUTE FUNCTION public\.take_picture\(\);)/s;

psql(q{INSERT INTO pt621.geofence (name, geom, valid) VALUES ('depot', ST_MakeEnvelope(11.50, 48.10, 11.52, 48.12, 4326), '(,)')});
psql($night_ride);
$node->configure('pt621.late_after' => 172800);
$node->settle;
my $truck = $node->tcp;

foreach my $minute (0 .. 5)
{
	my @yesterday = gmtime(time() - 86400);

	PT621::put($truck, record(ident => '1007', date => strftime('%d%m%y', @yesterday), time => "01${minute}000.000", lon => $minute < 3 ? '01130.6000' : '01140.0000'));
}
is(PT621::heard($truck), '#PHO', 'a truck that leaves the depot at night takes a picture');
is(psql(q{SELECT count(*), min(kind), bool_and(expires_at < requested_at + interval '6 min') FROM pt621.command c JOIN pt621.device d ON d.id = c.device_id WHERE ident = '1007'}),
	'1|photo|t', '... one, or none when it is not sent soon');
$node->configure('pt621.late_after' => undef);

# What a trigger is not allowed costs the report, whose bytes are kept.
psql(q{
	CREATE FUNCTION public.stops() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
	BEGIN
		INSERT INTO pt621.command (device_id, kind, when_slow) VALUES (NEW.device_id, 'engine_cut', NEW.code = 'SLOW');
		RETURN NULL;
	END $$;
	CREATE TRIGGER stops AFTER INSERT ON pt621.position FOR EACH ROW WHEN (NEW.code IN ('CUT', 'SLOW')) EXECUTE FUNCTION public.stops()});
my $thief = comes('1008', record => { speed => '50.00' });

PT621::put($thief, now_record('1008', code => 'CUT', speed => '50.00'));
$node->becomes(q{SELECT error ~ 'the engine of tracker \d+ must not be cut now' FROM pt621.frame WHERE ident = '1008' AND encode(bytes, 'escape') ~ 'CUT'}, 't',
	'an order that is refused costs the report, which the archive has, with the error');
is(psql(q{SELECT count(*) FROM pt621.position WHERE code = 'CUT'}), 0, '... and no table else');
PT621::put($thief, now_record('1008', code => 'SLOW', speed => '50.00'));
$node->becomes(q{SELECT reason FROM pt621.command c JOIN pt621.device d ON d.id = c.device_id WHERE ident = '1008'}, 'waits: too fast for cutting the engine',
	'one that waits is none');
is(psql(q{SELECT count(*) FROM pt621.position WHERE code = 'SLOW'}), 1, '... and the report is stored');
PT621::put($thief, now_record('1008', speed => '1.00'));
is(PT621::heard($thief), '#OPC1,1', '... the engine is cut when it is slow');

# ---------------------------------------------------------------------------
# Who is not to be sent anything, and whose word is no answer
# ---------------------------------------------------------------------------

# What there is for a tracker is looked for before, or together with, what is
# ordered later for another one.
sub others_get_theirs
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	order('1002', q{'imei'});
	return is(PT621::heard($third), '#IME', 'while others get theirs');
}

my $off = comes('1009');

psql(q{UPDATE pt621.device SET enabled = false WHERE ident = '1009'});
$id = order('1009', q{'version'});
others_get_theirs();
is(psql("SELECT state FROM pt621.command WHERE id = $id"), 'queued', '... a tracker that is disabled is not sent anything');
PT621::put($off, now_record('1009'));
$node->wait_until(q{SELECT count(*) = 1 FROM pt621.frame WHERE ident = '1009' AND error IS NOT NULL});
others_get_theirs();
is(psql("SELECT state FROM pt621.command WHERE id = $id"), 'queued', '... whatever it says');
psql(q{UPDATE pt621.device SET enabled = true WHERE ident = '1009'});
PT621::put($off, now_record('1009'));
is(PT621::heard($off), '#VER', '... until it is enabled');

psql(q{INSERT INTO pt621.device (ident, allowed_peers) VALUES ('1010', '{127.0.0.1}')});
my $stranger = $node->tcp(from => '127.0.0.2');

$id = order('1010', q{'version'});
PT621::put($stranger, now_record('1010'));
$node->wait_until(q{SELECT count(*) = 1 FROM pt621.frame WHERE ident = '1010' AND error ~ 'allowed_peers'});
others_get_theirs();
is(psql("SELECT state FROM pt621.command WHERE id = $id"), 'queued', '... who is not allowed to speak for a tracker is not sent what is for it');
my $own = comes('1010');

is(PT621::heard($own), '#VER', '... but the tracker is');
PT621::put($stranger, now_record('1010'));
$node->wait_until(q{SELECT count(*) = 2 FROM pt621.frame WHERE ident = '1010' AND error ~ 'allowed_peers'});
order('1010', q{'position'});
is(PT621::heard($own), '#RCP', '... also when the other one speaks later');
is(PT621::heard($stranger, 1), undef, '... who hears nothing');

# A datagram of the tracker, while its connection waits for the answer.
my $beside = $node->udp;

$id = order('1009', q{'voltage'});
is(PT621::heard($off), '#RPO', 'a command is sent by a connection');
PT621::put($beside, now_record('1009'));
PT621::put($beside, "RPO 11.1\r\n");
$node->becomes(q{SELECT error IS NOT NULL FROM pt621.frame WHERE bytes = 'RPO 11.1\015\012'}, 't', '... what its tracker says by another way');
is(psql("SELECT state, answer FROM pt621.command WHERE id = $id"), 'sent|', '... is no answer');

# Its next connection, which has been sent something as well.
my $next = comes('1009');
my $other = order('1009', q{'version'});

is(PT621::heard($next), '#VER', 'a command is sent by the next connection');
PT621::put($next, "RPO 22.2\r\n");
state_is($other, 'answered', '... what it says then');
is(psql("SELECT state, answer FROM pt621.command WHERE id = $id"), 'sent|', '... is no answer to what was sent by the one before, whatever it names');

# ---------------------------------------------------------------------------
# One that does not answer
# ---------------------------------------------------------------------------

$node->configure('pt621.answer_timeout' => 1);
$node->settle;
$id = order('1002', q{'position', max_attempts => 2});
is(join(' ', map { PT621::heard($third) } 1 .. 2), '#RCP #RCP', 'a command without an answer is sent again');
$node->becomes("SELECT state, attempts, answer FROM pt621.command WHERE id = $id", 'sent|2|', '... which its row says');
is(psql("SELECT string_agg(state, ' ' ORDER BY id) FROM pt621.command_log WHERE command_id = $id"),
	'queued sending sent queued sending sent', '... and the log has each step');
$node->wait_until("SELECT sent_at < now() - interval '3 s' FROM pt621.command WHERE id = $id");
PT621::put($third, "late, or nothing to do with it\r\n");
$node->becomes(q{SELECT count(*) FROM pt621.frame WHERE bytes = 'late, or nothing to do with it\015\012' AND error IS NOT NULL}, 1,
	'what comes after the time for answers is none');
psql('SELECT pt621_command_tick()');
order('1002', q{'version'});
is(PT621::heard($third), '#VER', 'nor is the command sent more often than it was asked for');
is(psql("SELECT state, attempts, answer FROM pt621.command WHERE id = $id"), 'sent|2|', '... which its row says');
$node->configure('pt621.answer_timeout' => undef);

# ---------------------------------------------------------------------------
# What is sent by others' hands
# ---------------------------------------------------------------------------

psql(q{INSERT INTO pt621.device_secret SELECT id, '123456' FROM pt621.device WHERE ident = '1003'});
is(psql(q{SELECT pt621_sms(id, 'output', '2,off') FROM pt621.device WHERE ident IN ('1003', '1004') ORDER BY ident}), "123456OPC2,0\n000000OPC2,0",
	'the text of an SMS has the password');
is(psql(q{SELECT count(*), min(state), max(transport) FROM pt621.command WHERE wire = 'OPC2,0'}), '2|sent|sms', '... and it is written down that it was given away');

# ---------------------------------------------------------------------------
# Which command a line answers
# ---------------------------------------------------------------------------

psql(q{INSERT INTO pt621.device (ident, phone) VALUES ('1011', '+491707')});
my $talker = comes('1011');
my $on = order('1011', q{'output', '3,on'});

is(PT621::heard($talker), '#OPC3,1', 'an output is switched on');
my $out = order('1011', q{'output', '3,off'});

is(PT621::heard($talker), '#OPC3,0', '... and off again, before the tracker has answered');
$node->becomes("SELECT string_agg(state, ' ' ORDER BY id) FROM pt621.command WHERE id IN ($on, $out)", 'sent sent', '... which the rows say');
PT621::put($talker, "OPC3,0 OK\r\n");
$node->becomes("SELECT string_agg(concat_ws(' ', state, array_to_string(answer, '|')), ', ' ORDER BY id) FROM pt621.command WHERE id IN ($on, $out)",
	'sent, answered OPC3,0 OK', 'a line that repeats a command answers that one, though an older one of its name waits');
PT621::put($talker, "OPC3,0 OK\r\nOPC3,1 OK\r\n");
$node->becomes("SELECT string_agg(concat_ws(' ', state, array_to_string(answer, '|')), ', ' ORDER BY id) FROM pt621.command WHERE id IN ($on, $out)",
	'answered OPC3,1 OK, answered OPC3,0 OK|OPC3,0 OK', '... and if it comes once more');

$id = order('1011', q{'version'});
is(PT621::heard($talker), '#VER', 'the version is asked for');
$node->becomes("SELECT state FROM pt621.command WHERE id = $id", 'sent', '... which the row says');
PT621::put($talker, 'VER:502-V1.3');
$node->becomes("SELECT concat_ws(' ', state, array_to_string(answer, '|')) FROM pt621.command WHERE id = $id", 'answered VER:502-V1.3',
	'an answer without a line end is complete when nothing more comes');
PT621::put($talker, now_record('1011', odometer => 7000));
$node->becomes(q{SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '1011' AND odometer_m = 7000}, 1,
	'... and the report behind it is one');

# A gateway gives a text that it had before the second command was given away.
psql(q{SELECT pt621_sms(id, 'position') FROM pt621.device WHERE ident = '1011'});
psql(q{SELECT pt621_sms(id, 'version') FROM pt621.device WHERE ident = '1011'});
psql(q{SELECT pt621_ingest_text('+491707', 'VER 621', (SELECT sent_at FROM pt621.command WHERE wire = 'RCP' AND transport = 'sms'))});
is(psql(q{SELECT string_agg(concat_ws(' ', wire, state, array_to_string(answer, '|')), ', ' ORDER BY c.id) FROM pt621.command c
	JOIN pt621.device d ON d.id = device_id WHERE d.ident = '1011' AND transport = 'sms'}),
	'RCP answered VER 621, VER sent', 'what was received before a command was sent is no answer to it, whatever it names');

$node->stop;
done_testing();
