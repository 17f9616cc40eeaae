# The alerts of README.md, as they stand there: each tells once, in time, and
# neither of what is late nor of what is corrected; and the outbox, from which
# each message is taken once.
use strict;
use warnings;

use JSON::PP qw(decode_json);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');
my @CHANNELS = qw(night_exit waiting trailer pt621_event);

sub sql
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# Notifications, as "channel kind of tracker", in the order of their arrival.
my $ear = $node->background_psql('postgres');

$ear->query_safe("LISTEN $_") foreach @CHANNELS;

# Notifications of a commit are sent before another one's that begins after it, so
# that the last is the end of what there is to hear.
sub heard
{
	my @heard;

	sql("NOTIFY pt621_event, '{}'");
	PT621::until_true(
		sub {
			my $out = $ear->query('SELECT 1');

			push @heard, [ $1, decode_json($2) ] while $out =~ /notification "(\w+)" with payload "(.*)" received from/g;
			return grep { !%{ $_->[1] } } @heard;
		}) or die 'nothing is heard';
	return grep { %{ $_->[1] } } @heard;
}

# All that was told since the last call, in a line.
sub told
{
	my $own = sql(q{
		WITH closed AS (UPDATE public.incident SET closed = true WHERE NOT closed RETURNING *)
		SELECT coalesce(string_agg('incident of ' || ident || CASE WHEN late THEN ' late' ELSE '' END, ', ' ORDER BY id), '') FROM closed});
	my $outbox = sql(q{
		SELECT coalesce(string_agg(concat_ws(' ', channel, message ->> 'kind', 'of', message ->> 'device',
		                                     CASE WHEN message -> 'late' = 'true' THEN 'late' END), ', ' ORDER BY id), '')
		  FROM pt621_outbox_take()});
	my @notified = map { join ' ', $_->[0], $_->[1]{kind} // (), 'of', $_->[1]{device} } heard();

	return join(', ', @notified, grep { $_ ne '' } $outbox, $own) || 'nothing';
}

# ---------------------------------------------------------------------------
# As events
# ---------------------------------------------------------------------------

my $readme = readme_sql('Alerts');

sql(q{
	INSERT INTO pt621.device (id, ident, name) VALUES (1, '5101', 'Van 7');
	INSERT INTO pt621.geofence (id, name, geom) VALUES
	    (1, 'depot', ST_MakeEnvelope(11.50, 48.10, 11.52, 48.12, 4326)),
	    (2, 'customer', ST_MakeEnvelope(11.60, 48.10, 11.62, 48.12, 4326)),
	    (3, 'elsewhere', ST_MakeEnvelope(11.70, 48.10, 11.72, 48.12, 4326))});
sql(readme_sql('Triggers and indexes'));
sql($readme);
is(sql("SELECT dwell_after FROM pt621.geofence WHERE name = 'customer'"), '00:30:00', 'the customer has a limit for waiting');
is(sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'pt621.event'::regclass AND tgname NOT LIKE 'pt621%'"), 6, 'six alerts on events');

# Those made here have numbers of their own.
sql('ALTER TABLE pt621.event ALTER COLUMN id RESTART WITH 100000');
my $id = 0;

# Stores an event of the tracker.  columns: kind, at (UTC), and what else there is.
sub event
{
	my (%columns) = (device_id => 1, id => ++$id, geom => 'SRID=4326;POINT(11.51 48.11)', @_);
	my @names = sort keys %columns;

	$columns{at} .= '+00';
	sql('INSERT INTO pt621.event (' . join(', ', @names) . ') VALUES (' . join(', ', map { "'$columns{$_}'" } @names) . ')');
	return;
}

# Each is told of once, and is not when it is late or corrects another.
sub tells
{
	my ($expected, $late, $name, %columns) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	event(%columns);
	is(told(), $expected, $name);
	event(%columns, at => "$columns{at}.1", late => 't');
	is(told(), $late, '... late');
	event(%columns, at => "$columns{at}.2", corrects => $id - 1);
	is(told(), 'nothing', '... corrected');
	sql("UPDATE pt621.event SET superseded_at = now(), until = coalesce(until, at) WHERE superseded_at IS NULL");
	is(told(), 'nothing', '... superseded');
	return;
}

sub silent
{
	my ($name, %columns) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	event(%columns);
	is(told(), 'nothing', $name);
	return;
}

# A Tuesday in winter: Berlin is an hour ahead.
tells('night_exit geofence_exit of 5101', 'nothing', 'it leaves the depot at night',
	kind => 'geofence_exit', geofence_id => 1, at => '2026-11-24 19:30:00');
silent('it leaves the depot in the evening', kind => 'geofence_exit', geofence_id => 1, at => '2026-11-24 18:30:00');
silent('it leaves something else at night', kind => 'geofence_exit', geofence_id => 3, at => '2026-11-24 19:30:00');
silent('it comes to the depot at night', kind => 'geofence_enter', geofence_id => 1, at => '2026-11-24 19:30:00');

tells('speeding overspeed of 5101', 'nothing', 'it was far too fast',
	kind => 'overspeed', at => '2026-11-24 12:00:00', until => '2026-11-24 12:01', detail => '{"limit_kmh": 50, "peak_kmh": 70.5}');
silent('it was a little too fast', kind => 'overspeed', at => '2026-11-24 12:00:00', until => '2026-11-24 12:01', detail => '{"limit_kmh": 50, "peak_kmh": 70}');
silent('it is too fast', kind => 'overspeed', at => '2026-11-24 13:00:00', detail => '{"limit_kmh": 50}');
sql(q{UPDATE pt621.event SET until = at + interval '1 min', detail = '{"limit_kmh": 50, "peak_kmh": 90}' WHERE kind = 'overspeed' AND until IS NULL});
is(told(), 'speeding overspeed of 5101', '... until it is known how much');

tells('incident of 5101', 'incident of 5101 late', 'somebody presses the button',
	kind => 'alarm', code => 'IN1', object => 'sos', at => '2026-11-24 12:00:00');
silent('somebody opens a door', kind => 'alarm', code => 'IN2', object => 'input2', at => '2026-11-24 12:00:00');

tells('cold_chain sensor_alarm of 5101', 'nothing', 'the load is too warm',
	kind => 'sensor_alarm', object => 'too warm', at => '2026-11-24 12:00:00', detail => '{"value": 9}');
silent('somebody leaves a door open', kind => 'sensor_alarm', object => 'door open', at => '2026-11-24 12:00:00');

tells('waiting geofence_dwell of 5101', 'nothing', 'it waits in the yard for long',
	kind => 'geofence_dwell', geofence_id => 2, at => '2026-11-24 12:00:00');
silent('it waits in the depot for long', kind => 'geofence_dwell', geofence_id => 1, at => '2026-11-24 12:00:00');

tells('tampering ignition_on of 5101', 'nothing', 'ignition on at night', kind => 'ignition_on', at => '2026-11-24 17:30:00');
tells('tampering ignition_on of 5101', 'nothing', 'ignition on on Saturday', kind => 'ignition_on', at => '2026-11-28 12:00:00');
silent('ignition on in working hours', kind => 'ignition_on', at => '2026-11-24 16:30:00');
silent('ignition off at night', kind => 'ignition_off', at => '2026-11-24 19:30:00');
tells('tampering power_cut of 5101', 'tampering power_cut of 5101 late', 'the battery is cut off',
	kind => 'power_cut', code => 'CPA', at => '2026-11-24 12:00:00');

# What it says.
event(kind => 'geofence_exit', geofence_id => 1, at => '2026-11-24 22:00:00.25', detail => '{"x": [1]}');
my ($message) = map { $_->[1] } heard();

is_deeply($message, {
		id => $id, kind => 'geofence_exit', device => '5101', name => 'Van 7', geofence => 'depot',
		at => '2026-11-24T22:00:00.25+00:00', late => JSON::PP::false, lon => 11.51, lat => 48.11, detail => { x => [ 1 ] } },
	'what is notified');
event(kind => 'geofence_exit', geofence_id => 1, at => '2026-11-24 22:00:00.5', detail => '{"x": "' . 'y' x 8000 . '"}');
($message) = map { $_->[1] } heard();
is_deeply([ $message->{cut}, $message->{detail}, $message->{id} ], [ JSON::PP::true, undef, $id ], '... when it is too much');

# A transaction that is rolled back tells of nothing.
sql(q{BEGIN;
	INSERT INTO pt621.event (kind, device_id, at, geofence_id) VALUES ('geofence_exit', 1, '2026-11-24 23:00:01+01', 1), ('power_cut', 1, '2026-11-24 23:00:02+01', NULL);
	ROLLBACK});
is(told(), 'nothing', 'what is rolled back is not told');

# A fence that is called otherwise is another one, for conditions by name.
sql("UPDATE pt621.geofence SET name = 'old depot' WHERE id = 1");
silent('it leaves what was the depot', kind => 'geofence_exit', geofence_id => 1, at => '2026-11-24 19:40:00');
sql("UPDATE pt621.geofence SET name = 'depot' WHERE id = 1");

# ---------------------------------------------------------------------------
# On positions, and on a table of one's own
# ---------------------------------------------------------------------------

sub here
{
	my ($east, %field) = @_;

	return record(ident => '5101', lat => '4806.6000', lon => sprintf('011%07.4f', $east), @_[ 1 .. $#_ ]);
}

sql('TRUNCATE public.alarm');
$node->send_tcp(here(30.6), here(36.6, time => '120001.000'), here(30.6, time => '120002.000', flag => 'V'), here(30.6, time => '120003.000'));
$node->becomes("SELECT count(*) FROM pt621.position", 4, 'records of places inside and outside');
is(sql("SELECT string_agg(at::time::text, ' ' ORDER BY at) FROM public.alarm"), '', 'before the fence was there none was inside');
sql("UPDATE pt621.geofence SET valid = '(,)'");
sql('DELETE FROM pt621.position');
$node->send_tcp(here(30.6), here(36.6, time => '120001.000'), here(30.6, time => '120002.000', flag => 'V'), here(30.6, time => '120003.000'));
$node->becomes("SELECT count(*) FROM pt621.position", 4, '... once more');
is(sql("SELECT string_agg((at AT TIME ZONE 'UTC')::time::text, ' ' ORDER BY at) FROM public.alarm"), '12:00:00 12:00:03', '... now those with a fix that are inside');

# Each row that was told of: device, place, time.
sub trailers
{
	return join(', ', map { join ' ', grep { defined } @{ $_->[1] }{qw(device lon lat at)} } heard()) || 'nothing';
}

heard();
sql(q{
	CREATE ROLE haulier LOGIN;
	GRANT SELECT, INSERT, UPDATE ON public.trailer TO haulier});
my @as_haulier = (extra_params => [ '-U', 'haulier' ]);

$node->safe_psql('postgres', q{
	SET TimeZone = 'Asia/Kathmandu';
	INSERT INTO public.trailer VALUES
	    ('in', '2026-11-22 12:00+00', 'SRID=4326;POINT(11.51 48.11)'), ('out', '2026-11-22 12:00+00', 'SRID=4326;POINT(11.61 48.11)'),
	    ('no place', '2026-11-22 12:00+00', NULL), ('no time', NULL, 'SRID=4326;POINT(11.51 48.11)'),
	    (NULL, '2026-11-22 12:00:00.25+00', 'SRID=4326;POINT(11.5125 48.11)')}, @as_haulier);
is(trailers(), 'in 11.51 48.11 2026-11-22T12:00:00+00:00, 11.5125 48.11 2026-11-22T12:00:00.25+00:00', 'rows of a table of others, stored by one who may do nothing else');
$node->safe_psql('postgres', q{UPDATE public.trailer SET place = 'SRID=4326;POINT(11.515 48.11)' WHERE plate = 'out'}, @as_haulier);
is(trailers(), 'out 11.515 48.11 2026-11-22T12:00:00+00:00', '... and changed');
sql("UPDATE pt621.geofence SET valid = '[2026-11-22 12:30+00,)' WHERE id = 1");
sql(q{INSERT INTO public.trailer VALUES ('a', '2026-11-22 12:29+00', 'SRID=4326;POINT(11.51 48.11)'), ('b', '2026-11-22 12:31+00', 'SRID=4326;POINT(11.51 48.11)')});
is(trailers(), 'b 11.51 48.11 2026-11-22T12:31:00+00:00', '... what the fence was at that time counts');
$node->psql('postgres', q{
	UPDATE pt621.geofence SET name = 'yard' WHERE id = 1;
	INSERT INTO public.trailer VALUES ('in', '2026-11-22 12:40+00', 'SRID=4326;POINT(11.51 48.11)');
	INSERT INTO public.trailer VALUES ('in', '2026-11-22 12:41+00', 'SRID=4326;POINT(11.51 48.11)');
	UPDATE pt621.geofence SET name = 'depot' WHERE id = 1}, stderr => \my $warnings);
is(trailers(), 'nothing', '... without the fence none is inside');
is(scalar(() = $warnings =~ /WARNING/g), 1, '... which is said once');
like($warnings, qr/WARNING:  pt621: trigger "trailer_in_depot" on public\.trailer: there is no such fence/, '... and clearly');

# ---------------------------------------------------------------------------
# As records
# ---------------------------------------------------------------------------

# It is night in this zone.
my $hour = sql("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')");
my $zone = sprintf('UTC%+d', -(13 - $hour - 12));
my @events = map { s/Europe\/Berlin/$zone/gr } grep { /^CREATE TRIGGER \w+ AFTER INSERT.* ON pt621\.event/ } split /(?<=;)\n/, $readme =~ s/^\s+(?=CREATE)//gmr;

is(scalar(@events), 6, 'the same alerts, at night');
sql(join "\n", (map { /TRIGGER (\w+)/ ? "DROP TRIGGER $1 ON pt621.event;" : () } @events), @events);
sql("UPDATE pt621.geofence SET name = 'depot' WHERE id = 1; UPDATE pt621.geofence SET valid = '(,)'");
sql('TRUNCATE pt621.event, pt621.geofence_visit, public.incident, pt621.outbox');
heard();

# A record of so many minutes before a story began.  place: degrees east; others as of record().
my $now;

sub begin
{
	$now = sql('SELECT extract(epoch FROM now())::bigint');
	return;
}

sub report
{
	my ($ident, $ago, $east, %field) = @_;
	my @time = gmtime($now - int($ago * 60));

	return record(
		ident => $ident, lat => '4806.6000', lon => sprintf('%03d%07.4f', int($east), ($east - int($east)) * 60),
		date => sprintf('%02d%02d%02d', $time[3], $time[4] + 1, $time[5] % 100),
		time => sprintf('%02d%02d%02d.000', @time[ 2, 1, 0 ]), speed => '10.00', %field);
}

my ($DEPOT, $YARD, $ROAD) = (11.51, 11.61, 11.55);
my $FAST = '43.20';

# What one tracker goes through, as parts: each with what is told of it in time, and
# of what happened a day ago.  The second half of what is too fast is sent later.
sub story
{
	my ($ident, $ago) = @_;

	begin();
	sql("INSERT INTO pt621.device (id, ident, speed_limit_kmh) VALUES ($ident, '$ident', 50)");
	return (
		[ 'it leaves the depot', "night_exit geofence_exit of $ident", 'nothing',
			map { report($ident, $ago + $_->[0], $_->[1]) } [ 14, $DEPOT ], [ 13.5, $DEPOT ], [ 12, $ROAD ], [ 11, $ROAD ] ],
		[ 'it is too fast', 'nothing', 'nothing', map { report($ident, $ago + $_, $ROAD, speed => $FAST) } 10, 9.9, 9.8, 9.7 ],
		[ '... and slow again', "speeding overspeed of $ident", 'nothing', map { report($ident, $ago + $_, $ROAD) } 9.6, 9, 8.9 ],
		[ 'somebody presses the button', "incident of $ident", "incident of $ident late", report($ident, $ago + 8, $ROAD, code => 'IN1') ],
		[ 'ignition is switched on', "tampering ignition_on of $ident", 'nothing',
			report($ident, $ago + 7, $ROAD, inputs => '00010'), report($ident, $ago + 6.9, $ROAD, inputs => '00010') ],
		[ 'the battery is cut off', "tampering power_cut of $ident", "tampering power_cut of $ident late",
			map { report($ident, $ago + $_, $ROAD, code => 'CPA', inputs => '00010') } 6, 5.9, 5.8 ]);
}

# Sends records one way or the other, and waits for them.
sub deliver
{
	my ($way, @records) = @_;
	my $before = sql('SELECT sum(positions) FROM pt621_stat_worker()');

	if ($way eq 'listener')
	{
		$node->send_tcp(@records);
		$node->wait_until(sprintf 'SELECT sum(positions) >= %d FROM pt621_stat_worker()', $before + @records);
	}
	else
	{
		sql(sprintf 'SELECT pt621_ingest(%s)', bytea(join '', @records));
	}
	return;
}

my $ident = 5110;

foreach my $way ('listener', 'ingest')
{
	foreach my $ago (0, 1440)
	{
		$ident++;
		foreach my $part (story($ident, $ago))
		{
			my ($name, $soon, $late, @records) = @$part;

			deliver($way, @records);
			is(told(), $ago ? $late : $soon, "$way, $ago minutes late: $name");
		}
	}
}

# The whole in one transaction, in any order, and once more.
foreach my $order (sub { @_ }, sub { reverse @_ })
{
	$ident++;
	my @records = $order->(map { @$_[ 3 .. $#$_ ] } story($ident, 0));

	deliver('ingest', @records);
	is(join(', ', sort split(/, /, told())), "incident of $ident, night_exit geofence_exit of $ident, speeding overspeed of $ident, "
		  . "tampering ignition_on of $ident, tampering power_cut of $ident", 'all at once');
	deliver('ingest', @records);
	is(told(), 'nothing', '... once more');
}

# (A change of the options of a fence would hold from now on.)
sql("DELETE FROM pt621.geofence WHERE name = 'customer';
	INSERT INTO pt621.geofence (id, name, geom, valid, dwell_after) VALUES (20, 'customer', ST_MakeEnvelope(11.60, 48.10, 11.62, 48.12, 4326), '(,)', '30 min')");
# Half an hour in the yard, of which all but the last record comes at once.
begin();
sql("INSERT INTO pt621.device (id, ident) VALUES (5150, '5150')");
deliver('listener', map { report('5150', $_->[0], $_->[1]) } [ 41, $ROAD ], [ 40, $YARD ], [ 25, $YARD ], [ 12, $YARD ]);
is(told(), 'nothing', 'less than half an hour in the yard');
deliver('listener', report('5150', 9, $YARD));
is(told(), 'waiting geofence_dwell of 5150', 'more than that');
deliver('listener', report('5150', 8, $YARD), report('5150', 7, $ROAD), report('5150', 6, $ROAD));
is(told(), 'nothing', '... which is told once');

# A door, open while it stands, and then while it drives; told of with the record.
sql("INSERT INTO pt621.device (id, ident) VALUES (5152, '5152');
	INSERT INTO pt621.input (device_id, name, number) VALUES (5152, 'door', 2);
	INSERT INTO pt621.sensor_alarm (name, sensor, above, moving, valid) VALUES ('driving with an open door', 'door', 0, true, '(,)')");
begin();
deliver('listener', report('5152', 9, $ROAD), report('5152', 8, $ROAD, speed => '0.00', inputs => '01000'));
is(told(), 'nothing', 'somebody opens the door');
deliver('listener', report('5152', 7, $ROAD, inputs => '01000'));
is(told(), 'cold_chain sensor_alarm of 5152', '... and drives off');
deliver('listener', report('5152', 6, $ROAD, inputs => '01000'), report('5152', 5, $ROAD));
is(told(), 'nothing', '... which is told once');
is(sql(q{SELECT extract(epoch FROM until - at) FROM pt621.event WHERE kind = 'sensor_alarm' AND device_id = 5152}), '120.000000', '... until it is shut');

# It had left the depot earlier than it seemed, which corrects what was told.
begin();
sql("INSERT INTO pt621.device (id, ident) VALUES (5151, '5151')");
deliver('listener', map { report('5151', $_->[0], $_->[1]) } [ 14, $DEPOT ], [ 13, $DEPOT ], [ 10, $ROAD ], [ 9, $ROAD ]);
is(told(), 'night_exit geofence_exit of 5151', 'it leaves the depot');
deliver('listener', report('5151', 12, $ROAD, end => "#\r\n"));
is(told(), 'nothing', '... somewhat earlier, as a stored record says');
is(sql(q{
		SELECT string_agg(concat_ws(' ', extract(epoch FROM to_timestamp(}. $now . q{) - e.at)::integer / 60, e.superseded_at IS NOT NULL, e.corrects IS NOT NULL), ', ' ORDER BY e.id)
		  FROM pt621.event e JOIN pt621.device d ON d.id = e.device_id WHERE d.ident = '5151' AND e.kind = 'geofence_exit'}),
	'10 t f, 12 f t', '... which is how it is now');

# A trigger that was made wrongly costs the record that shows an event, and says so.
begin();
sql("INSERT INTO pt621.device (id, ident) VALUES (5160, '5160');
	CREATE TRIGGER wrong AFTER INSERT ON pt621.event FOR EACH ROW EXECUTE FUNCTION pt621_notify('a', 'lately')");
$node->send_tcp(report('5160', 4, $ROAD), report('5160', 3, $ROAD, code => 'IN1'), report('5160', 2, $ROAD));
$node->becomes("SELECT count(*) FROM pt621.position WHERE device_id = 5160", 2, 'with a trigger made wrongly the other records are stored');
$node->becomes("SELECT error FROM pt621.frame WHERE ident = '5160' AND error IS NOT NULL",
	qr/trigger "wrong": unknown option "lately"/, '... and that of an event is archived with the error');
sql('DROP TRIGGER wrong ON pt621.event');
told();

# ---------------------------------------------------------------------------
# The outbox, with two programs
# ---------------------------------------------------------------------------

sql(q{INSERT INTO pt621.outbox (channel, message) SELECT 'a', to_jsonb(i) FROM generate_series(1, 6) i});
my ($one, $two) = map { $node->background_psql('postgres') } 1 .. 2;
my $take = 'SELECT string_agg(message::text, $$ $$ ORDER BY id) FROM pt621_outbox_take(%s)';

$_->query_safe('BEGIN') foreach $one, $two;
is($one->query_safe(sprintf($take, 2)), '1 2', 'one takes two messages');
is($two->query_safe(sprintf($take, 2)), '3 4', '... and another two others, at once');
is($one->query_safe(sprintf($take, 1)), '5', '... and the one goes on');
$two->query_safe('ROLLBACK');
is($two->query_safe(sprintf($take, 100)), '3 4 6', 'what was not committed is there again');
$one->query_safe('COMMIT');
is(sql('SELECT count(*) FROM pt621.outbox'), 0, '... and all are gone');
$_->quit foreach $one, $two;

# Not one is lost or taken twice by many, some of whom change their mind.
sql(q{CREATE TABLE public.taken (id bigint);
	INSERT INTO pt621.outbox (channel, message) SELECT 'a', to_jsonb(i) FROM generate_series(1, 2000) i});
my @takers = map {
	my ($out, $err) = ('', '');

	IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c',
		join('; ', map { ('BEGIN', 'INSERT INTO public.taken SELECT id FROM pt621_outbox_take(7)', $_ % 3 ? 'COMMIT' : 'ROLLBACK') } 1 .. 60) ],
		'>', \$out, '2>', \$err)
} 1 .. 4;

ok((!grep { !$_->finish } @takers), 'four programs take messages');
is(sql('SELECT count(*) = count(DISTINCT id) AND count(*) + (SELECT count(*) FROM pt621.outbox) = 2000
	AND NOT EXISTS (SELECT FROM pt621.outbox o JOIN public.taken t USING (id)) FROM public.taken'), 't', '... each of them exactly once');

$ear->quit;
$node->stop;
done_testing();
