# What the server tells of the trackers: counters, connections, presence, the log
# and the live view.
use strict;
use warnings;

use JSON::PP qw(decode_json);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main',
	conf => "log_line_prefix = '%e %m [%p] '\nlog_min_messages = info\nlog_error_verbosity = default\npt621.archive_strangers = 1GB\n");

sub number
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# The members of a counter by kind or reason, in order.
sub members
{
	my ($column) = @_;

	return "SELECT (SELECT string_agg(key || ' ' || value, ', ' ORDER BY key COLLATE \"C\") FROM jsonb_each_text($column))
		FROM pt621_stat_worker() WHERE worker = 'listener'";
}

# What the server's log got since an offset.
sub log_since
{
	my ($offset) = @_;

	return slurp_file($node->logfile, $offset);
}

sub log_has
{
	my ($offset, $pattern, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(PT621::until_true(sub { return log_since($offset) =~ $pattern }), $name)
	  || diag(log_since($offset));
}

# ---------------------------------------------------------------------------
# A known input
# ---------------------------------------------------------------------------

my $base = record(ident => '1801');
my $next = record(ident => '1801', time => '120100.000', odometer => '1234');
my $began = -s $node->logfile;

number('SELECT pt621_stat_reset()');
my $tracker = $node->tcp;
my @units = (
	$base, delta($base, $next), record(ident => '1801', code => 'IN1', time => '120200.000'), $base,
	'$FUS865328026243864,510-V1.12,A11-V3.0' . "\r\n",
	'$PHD0,4,abcd' . "\r\n", "a text\r\n", "\x01\x02\x03\r\n",
	'$PO' . "\r\n", record(ident => "18\x0201"), record(code => ''), '@' . "\xFE\x02\x00\x01x\r\n");
my $known = join '', @units;

PT621::put($tracker, $known);
$node->becomes("SELECT units FROM pt621_stat_worker() WHERE worker = 'listener'", scalar(@units), 'a known input is counted');
is(number(members('units_by_kind')), 'delta 2, garbage 4, photo_chunk 1, report 3, status 1, text 1', '... by kind');
is(number(members('rejected_by_reason')), 'code 1, delta_no_base 1, ident_byte 1, not_a_record 2, too_few_fields 1', '... by what is wrong');
is( number(q{SELECT bytes, rejected, positions, duplicates, batches >= 1, retries, conflicts, throttled, not_archived, connections, connections_opened,
		foreign_by_protocol, closed_by_reason FROM pt621_stat_worker() WHERE worker = 'listener'}),
	join('|', length($known), 6, 3, 1, 't', 0, 0, 0, 0, 1, 1, '{}', '{}'), '... and by what became of it');
is( number(q{SELECT array_length(commit_latency, 1), (SELECT sum(n) FROM unnest(commit_latency) n) >= batches, last_batch > counted_since,
		num_nulls(last_error, last_sqlstate, last_error_at), number FROM pt621_stat_worker() WHERE worker = 'listener'}),
	'17|t|t|3|1', '... and the transactions by their time');
is(number("SELECT sum(units) FROM pt621_stat_worker()"), scalar(@units), '... and other workers count nothing');

# What policies reject.
number(q{INSERT INTO pt621.device (ident, enabled, allowed_peers) VALUES ('1802', false, NULL), ('1803', true, '{10.0.0.0/8}')});
$node->send_tcp(record(ident => '1802'));
$node->send_tcp(record(ident => '1803'));
$node->configure('pt621.unknown_devices' => 'reject');
$node->settle;
$node->send_tcp(record(ident => '1804'));
$node->becomes("SELECT rejected FROM pt621_stat_worker() WHERE worker = 'listener'", 9, 'what the settings forbid');
$node->configure('pt621.unknown_devices' => 'quarantine');
$node->settle;
$node->send_tcp(record(ident => '1804') . '$PHD0,4,abcd' . "\r\n");
$node->send_tcp('$PHD0,4,abcd' . "\r\n");
$node->becomes(members('rejected_by_reason'),
	'code 1, delta_no_base 1, disabled 1, ident_byte 1, no_tracker 1, not_a_record 2, peer 1, quarantined 2, too_few_fields 1, unknown 1',
	'... is counted by what forbids it');
$node->configure('pt621.unknown_devices' => undef);
$node->settle;
$node->becomes("SELECT closed_by_reason - 'peer' FROM pt621_stat_worker() WHERE worker = 'listener'", '{}', 'connections end by their peers');
like(number(members('closed_by_reason')), qr/^peer \d+$/, '... and that is counted');

# ---------------------------------------------------------------------------
# A batch that fails
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE FUNCTION public.raise() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.code = 'IN2' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = 'MY001'; END IF;
		RETURN NULL;
	END $$;
	CREATE TRIGGER mine AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION public.raise();
	SELECT pt621_stat_reset()});
my $before_error = number('SELECT clock_timestamp()');
my $error_log = -s $node->logfile;

$node->send_tcp(record(ident => '1805', code => 'IN2'));
$node->becomes(members('rejected_by_reason'), 'refused 1', 'a unit that a trigger refuses is counted');
is( number("SELECT last_error, last_sqlstate, last_error_at > '$before_error', batches, retries > 0,
		(SELECT sum(n) FROM unnest(commit_latency) n) = batches + retries FROM pt621_stat_worker() WHERE worker = 'listener'"),
	'not this one|MY001|t|1|t|t', '... and the error is shown, and every try was timed');
log_has($error_log, qr/^MY001 [^\n]* LOG:  pt621: a batch could not be stored: MY001: not this one\n[^\n]*HINT:  Units at fault are archived/m,
	'... and logged with its SQLSTATE and a hint');
$node->send_tcp(record(ident => '1805', code => 'IN2', time => '121000.000'));
$node->becomes(members('rejected_by_reason'), 'refused 2', '... a second one');
is(scalar(() = log_since($error_log) =~ /a batch could not be stored/g), 1, '... is not logged again');
$node->safe_psql('postgres', 'DROP TRIGGER mine ON pt621.position');

my $before_reset = number('SELECT clock_timestamp()');

number('SELECT pt621_stat_reset()');
is( number("SELECT bytes + units + rejected + positions + duplicates + batches + retries + connections_opened, rejected_by_reason, units_by_kind, closed_by_reason,
		(SELECT sum(n) FROM unnest(commit_latency) n), num_nulls(last_error, last_sqlstate, last_error_at), counted_since > '$before_reset'
		FROM pt621_stat_worker() WHERE worker = 'listener'"),
	'0|{}|{}|{}|0|3|t', 'pt621_stat_reset() sets all to 0');
is(number("SELECT connections FROM pt621_stat_worker() WHERE worker = 'listener'"), 1, '... but for what is so now');

# ---------------------------------------------------------------------------
# Connections
# ---------------------------------------------------------------------------

my $path = $node->udp;
my $CONNECTIONS = "SELECT transport, host(peer), peer_port, ident, bytes, units, rejected, worker, last_seen >= since, conn = (SELECT max(f.conn) FROM pt621.frame f WHERE f.peer_port = c.peer_port)
	FROM pt621_stat_connection() c";

PT621::put($path, record(ident => '1806') . "what\r\n");
$node->becomes("$CONNECTIONS WHERE peer_port = " . $path->sockport,
	join('|', 'udp', '127.0.0.1', $path->sockport, '1806', length(record(ident => '1806')) + 6, 2, 1, 1, 't', 't'),
	'a path of datagrams is shown with its tracker and counters');
is(number("$CONNECTIONS WHERE transport = 'tcp'"),
	join('|', 'tcp', '127.0.0.1', $tracker->sockport, '1801', length($known), scalar(@units), 6, 1, 't', 't'),
	'... and so is a connection, whatever pt621_stat_reset() did');
PT621::put($tracker, record(ident => '1807'));
$node->becomes("SELECT ident FROM pt621_stat_connection() WHERE transport = 'tcp'", 1807, '... with the tracker that it named last');
close($tracker);
$node->becomes("SELECT count(*) FROM pt621_stat_connection() WHERE transport = 'tcp'", 0, '... until it is closed');
is(number("SELECT count(*) FROM pt621_stat_connection() WHERE transport = 'udp' AND ident = '1806'"), 1, '... a path stays');
my $silent = $node->tcp;

$node->becomes("SELECT conn, ident, last_seen, bytes, units FROM pt621_stat_connection() WHERE transport = 'tcp'", '|||0|0',
	'one that has said nothing is shown, too');
close($silent);

# ---------------------------------------------------------------------------
# The other views of the server, and who may look
# ---------------------------------------------------------------------------

is( number("SELECT string_agg(DISTINCT backend_type, ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'pt621%'"),
	'pt621 listener, pt621 maintenance, pt621 supervisor', 'pg_stat_activity has the workers by their kind');
is(number("SELECT count(*) FROM pg_stat_activity a JOIN pt621_stat_worker() w USING (pid) WHERE a.backend_type = 'pt621 ' || w.worker"), 3,
	'... with their process numbers');
my $locker = $node->background_psql('postgres');

$locker->query_safe('BEGIN; LOCK TABLE pt621.position');
$node->send_udp(record(ident => '1806', time => '122000.000'));
$node->becomes("SELECT state, query, wait_event_type, wait_event FROM pg_stat_activity WHERE backend_type = 'pt621 listener'",
	'active|storing a batch|Lock|relation', '... what they do, and what they wait for');
$locker->query_safe('COMMIT');
$locker->quit;
$node->becomes("SELECT state, wait_event_type FROM pg_stat_activity WHERE backend_type = 'pt621 listener'", 'idle|Extension', '... or that they do nothing');

$node->safe_psql('postgres', 'CREATE ROLE plain; CREATE ROLE monitor IN ROLE pg_read_all_stats; CREATE ROLE fleet IN ROLE pt621');
my %may = (
	'SELECT count(*) FROM pt621_stat_worker()' => 'monitor fleet',
	'SELECT count(*) FROM pt621_stat_connection()' => 'monitor fleet',
	'SELECT pt621_stat_reset()' => 'fleet',
	"SELECT pt621_tail('1801')" => 'fleet',
	'SELECT count(*) FROM pt621.presence' => 'fleet');

foreach my $query (sort keys %may)
{
	foreach my $role (qw(plain monitor fleet))
	{
		my $status = $node->psql('postgres', "SET ROLE $role; $query", stdout => \my $out, stderr => \my $error);

		if ($may{$query} =~ /\b$role\b/)
		{
			is($status, 0, "$role may: $query") or diag($error);
		}
		else
		{
			like($error, qr/permission denied/, "$role may not: $query");
		}
	}
}
number('SELECT pt621_tail()');

# ---------------------------------------------------------------------------
# Presence
# ---------------------------------------------------------------------------

# Makes a tracker's last word so old.
sub age
{
	my ($ident, $ago) = @_;

	return number("UPDATE pt621.device_state SET last_seen = now() - interval '$ago' WHERE device_id = (SELECT id FROM pt621.device WHERE ident = '$ident')");
}

sub presence
{
	my ($ident) = @_;

	return number("SELECT state || ': ' || reason FROM pt621.presence WHERE ident = '$ident'");
}

number("INSERT INTO pt621.device (ident) VALUES ('1810')");
is(presence('1810'), 'offline: never heard of', 'presence of a tracker that was added by hand');
$node->send_udp(record(ident => '1811'));
$node->becomes("SELECT state, reason, connected_since, conn, peer, peer_port, expected_by - last_seen FROM pt621.presence WHERE ident = '1811'",
	'online|heard of lately|||||00:05:00', '... of one that has just sent a datagram');
$tracker = $node->tcp;
PT621::put($tracker, record(ident => '1812'));
$node->becomes("SELECT state, reason, connected_since <= last_seen, host(peer), peer_port, conn = (SELECT max(conn) FROM pt621.frame WHERE ident = '1812') FROM pt621.presence WHERE ident = '1812'",
	'online|connected|t|127.0.0.1|' . $tracker->sockport . '|t', '... of one that is connected and speaks');
age($_, '4 min 50 s') foreach '1811', '1812';
is(presence('1811'), 'online: heard of lately', '... nearly five minutes later');
age($_, '5 min 1 s') foreach '1811', '1812';
is(presence('1811'), 'offline: not connected, and nothing that is accepted comes from it', '... after five minutes');
is(presence('1812'), 'silent: connected, but says nothing', '... of one whose connection is open');
number("UPDATE pt621.device_state SET report_interval = 600 WHERE device_id IN (SELECT id FROM pt621.device WHERE ident IN ('1811', '1812'))");
age($_, '24 min') foreach '1811', '1812';
is(presence('1811'), 'online: heard of lately', '... of one that usually reports every ten minutes');
age('1811', '26 min');
is(presence('1811'), 'offline: not connected, and nothing that is accepted comes from it', '... after 25');
number("UPDATE pt621.device_state SET report_interval = 36000");
age('1811', '59 min');
is(presence('1811'), 'online: heard of lately', '... of one that usually reports every ten hours');
age('1811', '61 min');
is(presence('1811'), 'offline: not connected, and nothing that is accepted comes from it', '... after an hour');
age('1812', '61 min');
close($tracker);
$node->becomes("SELECT state || ': ' || reason FROM pt621.presence WHERE ident = '1812'", 'offline: not connected, and nothing that is accepted comes from it',
	'... of one whose connection is closed');
my %reason = (CPA => 'power cut before the silence', LPA => 'low battery before the silence', SLP => 'went to sleep');

foreach my $code (sort keys %reason)
{
	$node->send_udp(record(ident => "1813$code", code => $code));
	$node->wait_until("SELECT count(*) = 1 FROM pt621.presence WHERE ident = '1813$code' AND state = 'online'");
	age("1813$code", '2 hours');
	is(presence("1813$code"), "offline: $reason{$code}", "... of one whose last word was $code");
}

# One that is retired, while it is connected and speaks.
$tracker = $node->tcp;
PT621::put($tracker, record(ident => '1814'));
$node->wait_until("SELECT count(*) = 1 FROM pt621.presence WHERE ident = '1814' AND reason = 'connected'");
number("UPDATE pt621.device SET enabled = false WHERE ident IN ('1810', '1814')");
is(presence('1814'), 'online: not enabled in pt621.device', '... of one that was disabled a moment ago');
age('1814', '2 hours');
is(presence('1814'), 'offline: not enabled in pt621.device', '... two hours ago, though it is connected');
is(presence('1810'), 'offline: not enabled in pt621.device', '... of one that was disabled before it was heard of');
close($tracker);

# ---------------------------------------------------------------------------
# The log
# ---------------------------------------------------------------------------

my $log = log_since($began);

is(scalar(() = $log =~ /a unit was rejected: not_a_record/g), 1, 'of units that are rejected alike the log has one');
like($log, qr/^08P01 [^\n]* LOG:  pt621: a unit was rejected: not_a_record\n[^\n]*DETAIL:  From 127\.0\.0\.1, port \d+, by tcp; 8 bytes that begin with \\x6120746578740d0a; 0 more were not logged before\.\n[^\n]*HINT:  pt621\.frame has/m,
	'... with SQLSTATE, peer, first bytes and a hint');
like($log, qr/^42501 [^\n]* LOG:  pt621: a unit was rejected: $_\n/m, "... $_ as well") foreach qw(disabled peer unknown quarantined no_tracker);
like($log, qr/^08P01 [^\n]* LOG:  pt621: a unit was rejected: $_\n/m, "... $_ as well") foreach qw(code delta_no_base ident_byte too_few_fields);
my $offset = -s $node->logfile;

$node->send_tcp(("rubbish\r\n") x 50);
$node->becomes("SELECT rejected_by_reason->>'not_a_record' >= '50' FROM pt621_stat_worker() WHERE worker = 'listener'", 't', 'fifty more of them');
unlike(log_since($offset), qr/not_a_record/, '... are not logged');
foreach my $i (1 .. 3)
{
	my $socket = $node->tcp;

	PT621::put($socket, "GET / HTTP/1.1\r\n\r\n");
	ok(PT621::closed_by_server($socket), 'another protocol');
}
log_has($offset, qr/^08P01 [^\n]* LOG:  pt621: a unit was rejected: HTTP\n[^\n]*DETAIL:  From 127\.0\.0\.1, port \d+, by tcp; 18 bytes that begin with \\x474554202f20485454502f312e310d0a0d0a;/m,
	'... is logged by its name and first bytes');
log_has($offset, qr/^08P01 [^\n]* LOG:  pt621: a connection was closed: it spoke another protocol\n[^\n]*DETAIL:  It came from 127\.0\.0\.1, port \d+, by tcp; 0 more were not logged before\.\n[^\n]*HINT:  What it sent is in pt621\.frame/m,
	'... and so is that it was closed');
$node->becomes("SELECT closed_by_reason->>'foreign' FROM pt621_stat_worker() WHERE worker = 'listener'", 3, '... and counted each time');
is(scalar(() = log_since($offset) =~ /it spoke another protocol/g), 1, '... but logged once');
is(scalar(() = log_since($offset) =~ /a unit was rejected: HTTP/g), 1, '... both');
$node->configure('pt621.max_connections_per_address' => 1);
$node->settle;
my @sockets = map { $node->tcp } 1 .. 3;

log_has($offset, qr/^53300 [^\n]* LOG:  pt621: a connection was closed: its address had as many as pt621\.max_connections_per_address allows\n/m,
	'a connection that is refused is logged with its own SQLSTATE');
close($_) foreach @sockets;
$node->configure('pt621.max_connections_per_address' => undef);
unlike(slurp_file($node->logfile), qr/the peer ended it/, 'of connections that end by themselves nothing is logged');

# ---------------------------------------------------------------------------
# The live view
# ---------------------------------------------------------------------------

my $watcher = $node->background_psql('postgres');
my @heard;

# Takes in what the watcher was told of, until there are so many of it.
sub hear
{
	my ($count) = @_;

	PT621::until_true(
		sub {
			my $out = $watcher->query('SELECT 1');

			push @heard, map { decode_json($_) } $out =~ /"pt621_frame" with payload "(.*)" received from/g;
			return @heard >= $count;
		});
	return splice @heard;
}

# The members of a notification; what differs each time is not shown.
sub shown
{
	my ($told) = @_;

	return join ' ', map { "$_=$told->{$_}" } grep { !/^(seq|conn|received_at)$/ } sort keys %$told;
}

$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
$watcher->query_safe('LISTEN pt621_frame');
is(number("SELECT pt621_tail('1820') BETWEEN now() + interval '10 min' AND now() + interval '11 min'"), 't', 'a tracker is watched for ten minutes');
$base = record(ident => '1820');
$next = record(ident => '1820', time => '120100.000', spec => '/"\\');
$tracker = $node->tcp;
$node->send_tcp(record(ident => '1821'));
$node->becomes("SELECT count(*) FROM pt621.frame WHERE ident = '1821'", 1, '... and another reports');
my $delta = delta($base, $next);

PT621::put($tracker, $base . $delta . "\xFF\xFE\r\n" . '$PO' . "\r\n" . framed($next =~ s/\r\n/#\r\n/r));
my @told = hear(5);
my $line = sub { return $_[0] =~ s/\r\n//r };

is(scalar(@told), 5, 'what it sends is told of, and nothing of the other');
is(shown($told[0]), "bytes=" . $line->($base) . ' ident=1820 kind=report peer=127.0.0.1 transport=tcp', '... a report');
is(shown($told[1]), 'bytes=\x' . unpack('H*', $delta) . ' ident=1820 kind=delta peer=127.0.0.1 record=' . $line->($next) . ' transport=tcp', '... a delta');
like(shown($told[2]), qr/^bytes=\\xfffe0d0a error=\S.* ident=1820 kind=garbage peer=127\.0\.0\.1 transport=tcp$/, '... what is no record');
like(shown($told[3]), qr/^bytes=\$PO error=\S.* ident=1820 kind=garbage peer=127\.0\.0\.1 transport=tcp$/, '... what is one nearly');
is(shown($told[4]), 'bytes=' . $line->($next) . '# ident=1820 kind=report peer=127.0.0.1 transport=tcp', '... a record from its memory, in a frame');
is( number("SELECT string_agg(concat_ws('|', seq, conn, to_jsonb(received_at)#>>'{}' <> ''), ',' ORDER BY seq) FROM pt621.frame WHERE ident = '1820'"),
	join(',', map { "$_->{seq}|$_->{conn}|t" } @told), '... with the numbers that they have in the archive');
is(number("SELECT bool_and(t.at = f.received_at) FROM (VALUES " . join(', ', map { "($_->{seq}, '$_->{received_at}'::timestamptz)" } @told)
	  . ') t (seq, at) JOIN pt621.frame f USING (seq)'), 't', '... and the time');

# What is longer than a notification may be.
PT621::put($tracker, '$PHD0,8000,' . 'p' x 8000 . "\r\n" . '$PHD8000,8000,' . "\x80" x 8000 . "\r\n");
@told = hear(2);
is(scalar(@told), 2, 'pieces of a photo');
is($told[0]{kind} . ' ' . length($told[0]{bytes}), 'photo_chunk 1024', '... are told of by their first bytes');
is($told[1]{kind} . ' ' . length($told[1]{bytes}), 'photo_chunk 2050', '... in digits where they are no text');
is(number("SELECT count(*) FROM pt621.frame WHERE ident = '1820' AND error IS NULL AND length(bytes) > 8000"), 2, '... and nothing of them is lost');

# A transaction with more units than anybody could read.
$node->configure('pt621.flush_interval' => 2000);
$node->settle;
PT621::put($tracker, join '', map { record(ident => '1820', time => sprintf('13%02d%02d.000', $_ / 60, $_ % 60)) } 0 .. 999);
$node->configure('pt621.flush_interval' => undef);
$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '1820' AND p.fix_time::time >= '13:00'", 1000, 'a thousand records');
@told = hear(1);
my $more = 0;

$more += $_->{more} // 0 foreach @told;
is((grep { !defined $_->{more} } @told) + $more, 1000, '... are told of, or their number is');
cmp_ok($more, '>', 0, '... where it is too many');

# Its ends.
is(number('SELECT pt621_tail(NULL)'), '', 'the watch ends');
PT621::put($tracker, record(ident => '1820', time => '140000.000'));
$node->becomes("SELECT count(*) FROM pt621.position WHERE fix_time::time = '14:00'", 1, '... the tracker goes on');
$watcher->query('SELECT 1') foreach 1 .. 2;
is(number("SELECT pt621_tail('1820', '1 s') - now() < interval '2 s'"), 't', 'it is watched for a second');
my $until = number("SELECT clock_timestamp() + interval '1 s'");

$node->wait_until("SELECT clock_timestamp() > '$until'");
PT621::put($tracker, record(ident => '1820', time => '150000.000'));
$node->becomes("SELECT count(*) FROM pt621.position WHERE fix_time::time = '15:00'", 1, '... and reports after it');
is(number("SELECT pt621_tail('1821', NULL) > now() + interval '23 hours'"), 't', 'another is watched until further notice');
PT621::put($tracker, record(ident => '1820', time => '160000.000'));
$node->send_tcp(record(ident => '1821', time => '160000.000'));
@told = hear(1);
is(join(', ', map { $_->{ident} } @told), 1821, '... and nothing of the first was told of since');
$watcher->quit;

foreach my $bad ("''", "repeat('1', 21)")
{
	$node->psql('postgres', "SELECT pt621_tail($bad)", stderr => \my $error);
	like($error, qr/the id of a tracker has 1 to 20 bytes/, "no id: $bad");
}
foreach my $bad ('0', '-1 s', '24 hours 1 s', '1 month')
{
	$node->psql('postgres', "SELECT pt621_tail('1820', '$bad')", stderr => \my $error);
	like($error, qr/duration must be more than 0 and at most 24 hours/, "no duration: $bad");
}
close($tracker);

# ---------------------------------------------------------------------------
# A server without the workers
# ---------------------------------------------------------------------------

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
is(number("SELECT count(*) FROM pt621_stat_connection()") + number('SELECT count(*) FROM pt621_stat_worker()'), 0, 'without shared_preload_libraries there are neither connections nor workers');
is(presence('1811'), 'offline: not connected, and nothing that is accepted comes from it', '... but there is presence');
is(presence('1821'), 'online: heard of lately', '... of what was heard before');
foreach my $call ('pt621_stat_reset()', "pt621_tail('1820')")
{
	$node->psql('postgres', "SELECT $call", stderr => \my $error);
	like($error, qr/pt621 has no workers in this server.*HINT:  Add pt621 to shared_preload_libraries/s, "... and $call says why it has nothing");
}

$node->stop;
done_testing();
