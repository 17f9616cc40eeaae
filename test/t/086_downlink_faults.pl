# What others do meanwhile: newer orders, locks that are held, triggers that fail,
# trackers that send twice. Nothing of it holds up anybody else.
use strict;
use warnings;

use POSIX qw(strftime);
use PT621;
use Socket ();
use Test::More;

my $node = PT621->listening('main', conf => <<'CONF');
max_prepared_transactions = 2
pt621.answer_timeout = 1
pt621.archive = rejected
CONF
my $last = 0;

# A record of now, none of the same second as the one before.
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

sub comes
{
	my ($ident, %record) = @_;
	my $socket = $node->tcp;

	PT621::put($socket, now_record($ident, %record));
	$node->wait_until("SELECT count(*) = 1 FROM pt621_stat_connection() c JOIN pt621.device_state s ON s.bound_conn = c.conn "
		  . "WHERE c.ident = '$ident' AND c.peer_port = " . $socket->sockport);
	return $socket;
}

sub order
{
	my ($ident, $what) = @_;

	return psql("SELECT pt621_send((SELECT id FROM pt621.device WHERE ident = '$ident'), $what)");
}

my $STATE = q{SELECT concat_ws(' ', state, attempts, reason) FROM pt621.command WHERE id = };
my $one = comes('1001');
my $two = comes('1002');

# ---------------------------------------------------------------------------
# The last word about an output counts
# ---------------------------------------------------------------------------

my $cut = order('1001', q{'engine_cut', max_attempts => 5});

is(PT621::heard($one), '#OPC1,1', 'an engine is cut');
my $restore = order('1001', q{'engine_restore'});

is(PT621::heard($one), '#OPC1,0', '... and restored');
# It is time for another attempt.
$node->wait_until("SELECT sent_at < now() - interval '2 s' FROM pt621.command WHERE id = $restore");
psql('SELECT pt621_command_tick()');
order('1001', q{'version'});
is(PT621::heard($one), '#VER', '... and not cut again, although the cut had no answer');
is(psql($STATE . $cut), 'sent 1', '... whose row says so');

PT621::put($one, now_record('1001', speed => '50.00'));
$node->wait_until(q{SELECT speed_kmh > 80 FROM pt621.device_state s JOIN pt621.device d ON d.id = s.device_id WHERE ident = '1001'});
$cut = order('1001', q{'engine_cut', when_slow => true});
$restore = order('1001', q{'engine_restore'});
is(PT621::heard($one), '#OPC1,0', 'a restore');
is(psql($STATE . $cut), "cancelled 0 superseded by command $restore", '... takes the place of a cut that waits');
PT621::put($one, now_record('1001'));
order('1001', q{'version'});
is(PT621::heard($one), '#VER', '... which does not come when the vehicle is slow');

psql(q{INSERT INTO pt621.device (ident) VALUES ('1003')});
my @nights = split /\n/, psql(q{INSERT INTO pt621.command (device_id, kind, not_before, expires_at) SELECT id, v.kind, now() + v.wait, now() + interval '2 days'
	FROM pt621.device, (VALUES ('engine_cut', interval '1 hour'), ('engine_restore', '8 hours')) v (kind, wait) WHERE ident = '1003' RETURNING id});

is(psql('SELECT count(*) FROM pt621.command WHERE state = $$queued$$ AND id IN (' . join(',', @nights) . ')'), 2, 'a cut for tonight and a restore for tomorrow');
psql("SET ROLE pt621; UPDATE pt621.command SET not_before = now() - interval '1 s' WHERE id = $nights[1]");
$node->becomes($STATE . $nights[0], "cancelled 0 superseded by command $nights[1]", '... but not a cut that is still there when the restore is due');
psql("SELECT pt621_cancel($nights[1])");
my $other = order('1003', q{'output', '2,on'});

psql(q{UPDATE pt621.device SET engine_output = 2 WHERE ident = '1003'});
my $three = comes('1003');

$node->becomes($STATE . $other, 'queued 0 waits: pt621.device.engine_output was changed since, so order it anew', 'what has become the engine is not switched by an older order');
order('1003', q{'output', '2,on'});
is(PT621::heard($three), '#OPC2,1', '... but by a new one');

# ---------------------------------------------------------------------------
# Many
# ---------------------------------------------------------------------------

psql(q{INSERT INTO pt621.command (device_id, kind, argument) SELECT id, 'text', 'N' || n FROM pt621.device, generate_series(1, 50) n WHERE ident = '1002'});
is(join(' ', map { PT621::heard($two) } 1 .. 50), join(' ', map { "#N$_" } 1 .. 50), 'fifty commands at once come in their order');

# One that does not read for a long time, and has little room from the beginning, so
# that the system on the other side does not keep much for it either.
my $text = 'x' x 154;
my $deaf = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $node->{trackers_port}, Proto => 'tcp',
	Sockopts => [ [ Socket::SOL_SOCKET, Socket::SO_RCVBUF, 2048 ] ]) // die "could not connect: $@";

PT621::put($deaf, now_record('1004'));
$node->wait_until(q{SELECT count(*) = 1 FROM pt621_stat_connection() WHERE ident = '1004'});
psql("INSERT INTO pt621.command (device_id, kind, argument) SELECT id, 'text', n || '$text' FROM pt621.device, generate_series(1, 16000) n WHERE ident = '1004'");
$node->becomes(q{SELECT count(*) FILTER (WHERE reason = 'the connection took no more') > 0, count(*) FILTER (WHERE state = 'sending')
				   FROM pt621.command c JOIN pt621.device d ON d.id = c.device_id WHERE d.ident = '1004'}, 't|0', 'a tracker that does not read is not sent more than it takes');
order('1002', q{'version'});
is(PT621::heard($two), '#VER', '... and others get theirs');
my ($wrong, $next) = (0, 1);

while ($next <= 16000)
{
	# With each report as many go out as there is room for.
	PT621::put($deaf, now_record('1004', odometer => $next)) if $next % 200 == 1;
	my $line = PT621::heard($deaf) // last;

	$wrong++ if $line ne "#$next$text";
	$next++;
}
is("$next $wrong", '16001 0', '... when it reads, all come, in their order and once');
$node->becomes(q{SELECT count(*) FROM pt621.command c JOIN pt621.device d ON d.id = c.device_id WHERE d.ident = '1004' AND state = 'sent' AND attempts = 1 AND in_doubt = 0},
	16000, '... which their rows say');
close($deaf);

# ---------------------------------------------------------------------------
# Locks
# ---------------------------------------------------------------------------

my $locker = $node->background_psql('postgres');

$node->configure('pt621.answer_timeout' => 60);
$node->settle;
my $held = order('1001', q{'reboot'});

is(PT621::heard($one), '#RST', 'a command is sent');
$node->becomes($STATE . $held, 'sent 1', '... and its row is held by somebody');

$locker->query_safe("BEGIN; SELECT FROM pt621.command WHERE id = $held FOR UPDATE; SELECT FROM pt621.device WHERE ident = '1001' FOR UPDATE");
PT621::put($one, "RST ok\r\n\$FUS1001,FW-2.0,HW-9\r\n");
PT621::put($two, now_record('1002', odometer => 7777));
$node->becomes('SELECT count(*) FROM pt621.position WHERE odometer_m = 7777', 1, '... an answer does not wait for it, nor anybody else');
$node->becomes(q{SELECT error IS NULL FROM pt621.frame WHERE bytes = 'RST ok\015\012'}, 't', '... and is in the archive');
psql(q{INSERT INTO pt621.command (device_id, kind, expires_at) SELECT id, 'photo', now() + interval '1 ms' FROM pt621.device WHERE ident = '1001'});
$node->becomes(q{SELECT count(*) FROM pt621.command WHERE state = 'expired'}, 1, '... nor do others that expire');
$locker->query_safe('COMMIT');
PT621::put($one, "RST ok\r\n\$FUS1001,FW-2.0,HW-9\r\n");
$node->becomes($STATE . $held, 'answered 1', 'when it is free the next line answers');
$node->becomes(q{SELECT firmware, hardware FROM pt621.device WHERE ident = '1001'}, 'FW-2.0|HW-9', '... and what the tracker says of itself is kept');

psql('BEGIN; ' . q{SELECT pt621_send(id, 'position') FROM pt621.device WHERE ident = '1002'} . q{; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'});
is(PT621::heard($two), '#RCP', 'one that was committed in two phases is found');

# ---------------------------------------------------------------------------
# Triggers
# ---------------------------------------------------------------------------

psql(q{
	CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.note = 'not ' || NEW.state THEN RAISE EXCEPTION 'refused'; END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER refuse BEFORE UPDATE ON pt621.command FOR EACH ROW EXECUTE FUNCTION public.refuse()});
psql(q{INSERT INTO pt621.command (device_id, kind, note) SELECT id, 'imei', CASE ident WHEN '1001' THEN 'not sending' END FROM pt621.device WHERE ident IN ('1001', '1002', '1003')});
is(PT621::heard($two) . PT621::heard($three), '#IME#IME', 'a trigger that refuses one command does not keep others from being sent');
psql(q{INSERT INTO pt621.command (device_id, kind, note) SELECT id, 'voltage', CASE ident WHEN '1003' THEN 'not sent' END FROM pt621.device WHERE ident IN ('1002', '1003')});
is(PT621::heard($two) . PT621::heard($three), '#RPO#RPO', 'one that refuses to have it written down');
$node->becomes(q{SELECT string_agg(state, ' ' ORDER BY device_id) FROM pt621.command WHERE kind = 'voltage'}, 'sent sending', '... does so for one alone');
psql('DROP TRIGGER refuse ON pt621.command');
is(PT621::heard($one), '#IME', '... and the one that was refused comes when nobody refuses it');

psql(q{
	CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.note = 'not ' || NEW.state THEN PERFORM pg_sleep(60); END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER hang BEFORE UPDATE ON pt621.command FOR EACH ROW EXECUTE FUNCTION public.hang()});
my @slow = map { comes($_) } 1021 .. 1026;

foreach my $state ('sending', 'sent')
{
	psql(qq{INSERT INTO pt621.command (device_id, kind, note) SELECT id, 'imei', 'not $state' FROM pt621.device WHERE ident BETWEEN '1021' AND '1026'});
	$node->wait_until(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	PT621::put($two, now_record('1002', code => "HANG-$state"));
	$node->becomes("SELECT count(*) FROM pt621.position WHERE code = 'HANG-$state'", 1, "a trigger that hangs before `$state` leaves time to what others report", seconds => 20);
	order('1002', q{'version'});
	is(PT621::heard($two, 20), '#VER', '... and to commands for them');
	psql(q{DELETE FROM pt621.command WHERE note LIKE 'not%'});
}
is(join(' ', map { PT621::heard($_) } @slow), join(' ', ('#IME') x 6), '... those that were claimed were sent');
psql('DROP TRIGGER hang ON pt621.command');
is(psql(q{SELECT state FROM pt621_stat_worker() WHERE worker = 'listener'}), 'open', 'the listener is well');

# ---------------------------------------------------------------------------
# Photos
# ---------------------------------------------------------------------------

sub picture
{
	my ($size, $fill) = @_;

	return "\xFF\xD8" . $fill x ($size - 4) . "\xFF\xD9";
}

sub piece
{
	my ($picture, $offset, $count) = @_;
	my $bytes = substr($picture, $offset, $count);

	return framed("\$PHD$offset," . length($bytes) . ",$bytes\r\n");
}

# Two that fit a piece each, and every piece twice.
my ($first, $second) = (picture(500, 'a'), picture(500, 'b'));

PT621::put($one, now_record('1001', code => 'PHO500-1') . now_record('1001', code => 'PHO500-2'));
foreach my $picture ($first, $second)
{
	is(PT621::heard($one), '#PHD0,500', 'a photo of one piece');
	PT621::put($one, piece($picture, 0, 500) x 2);
}
$node->becomes(q{SELECT string_agg(camera || ' ' || state || ' ' || convert_from(substr(jpeg, 3, 1), 'UTF8'), ', ' ORDER BY id) FROM pt621.photo},
	'1 complete a, 2 complete b', 'a piece that comes twice does not begin the next photo');

# Two listeners are not needed for another connection to be ahead.
my $picture = picture(2800, 'c');

PT621::put($one, now_record('1001', code => 'PHO2800'));
is(PT621::heard($one), '#PHD0,960', 'a photo');
psql(q{SELECT pt621_ingest(} . PT621::bytea(now_record('1001', odometer => 1) . piece($picture, 0, 960)) . ')');
PT621::put($one, piece($picture, 0, 960));
is(PT621::heard($one), '#PHD960,960', '... whose first piece has come by another way goes on behind it');
PT621::put($one, piece($picture, 960, 960));
is(PT621::heard($one), '#PHD1920,880', '... to its end');
PT621::put($one, piece($picture, 1920, 880));
$node->becomes(q{SELECT state, jpeg = } . PT621::bytea($picture) . q{ FROM pt621.photo ORDER BY id DESC LIMIT 1}, 'complete|t', '... byte for byte');

# Somebody looks at the row of one.
PT621::put($one, now_record('1001', code => 'PHO600'));
is(PT621::heard($one), '#PHD0,600', 'a photo');
$locker->query_safe('BEGIN; SELECT FROM pt621.photo WHERE size = 600 FOR UPDATE');
$picture = picture(600, 'd');
PT621::put($one, piece($picture, 0, 600) . now_record('1001', odometer => 8888));
$node->becomes('SELECT count(*) FROM pt621.position WHERE odometer_m = 8888', 1, '... whose row is held by somebody holds up nothing', seconds => 10);
$locker->query_safe('COMMIT');
PT621::put($one, piece($picture, 0, 600));
$node->becomes('SELECT state, jpeg = ' . PT621::bytea($picture) . ' FROM pt621.photo WHERE size = 600', 'complete|t', '... and comes when it is free');

$node->configure('pt621.fetch_photos' => 'off');
$node->settle;
PT621::put($one, (join '', map { now_record('1001', code => 'PHO0') } 1 .. 25) . now_record('1001', code => 'PHO700'));
$node->becomes(q{SELECT state FROM pt621.photo WHERE size = 700}, 'announced', 'photos of no byte are not waited for');
psql(q{DELETE FROM pt621.photo WHERE size = 700});
PT621::put($one, join '', map { now_record('1001', code => "PHO100-$_") } 1 .. 50);
$node->becomes(q{SELECT count(*) FILTER (WHERE state = 'announced'), count(*) FILTER (WHERE reason = 'twenty others are waiting') FROM pt621.photo WHERE size = 100},
	'20|30', 'of many photos at once twenty wait');

# ---------------------------------------------------------------------------
# A copy of the database
# ---------------------------------------------------------------------------

my $waits = order('1003', q{'version', not_before => now() + interval '1 hour'});

psql(q{SET ROLE pt621; UPDATE pt621.layout SET ready_for = 'another place'; SELECT pt621_ready()});
is(psql($STATE . $waits), 'cancelled 0 the database was restored or copied, or the extension made anew', 'what was queued is not sent from a copy');
$node->wait_open;
order('1003', q{'position'});
is(PT621::heard($three), '#RCP', '... what is ordered there is');

$node->stop;
done_testing();
