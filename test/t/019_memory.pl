# The listener's memory: after a million records it has as much as before, and
# valgrind finds nothing wrong with what it reads, writes and frees on the way
# through everything that trackers, peers and users may bring.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use PT621;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A user's trigger that does not want some records: what it raises unwinds the
# store again and again.
my $TRIGGER = q{
	CREATE SCHEMA mine;
	GRANT USAGE ON SCHEMA mine TO pt621;
	CREATE FUNCTION mine.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		RAISE EXCEPTION 'no % here', NEW.code USING ERRCODE = 'MY001';
	END $$;
	CREATE TRIGGER refuse AFTER INSERT ON pt621.position FOR EACH ROW
		WHEN (NEW.code = 'IN2') EXECUTE FUNCTION mine.refuse()};

# Everything that is sent is archived, whoever sends it.
my $CONF = <<'EOC';
pt621.archive_strangers = 1GB
pt621.max_bytes_without_record = 0
EOC

# Sends datagrams by few, so that none is too many for the smallest buffer that
# a system may grant: the listener has read them before the next are sent.
sub send_slowly
{
	my ($node, @datagrams) = @_;
	my $socket = $node->udp;

	while (my @few = splice(@datagrams, 0, 50))
	{
		my $last = pop @few;
		my $before = $node->listener('bytes');
		my $sum = length(join '', @few);

		PT621::put($socket, $_) foreach @few, $last;
		$before += $sum + length($last);
		$node->wait_until("SELECT bytes >= $before FROM pt621_stat_worker() WHERE worker = 'listener'");
	}
	close($socket);
	return;
}

# ---------------------------------------------------------------------------
# A million records
# ---------------------------------------------------------------------------

# Connections at a time, trackers that each of them speaks for, records that a
# tracker sends in a row.
my ($SOCKETS, $TRACKERS, $RUN) = (40, 10, 25);

# What is no record, by turns; none of it may be part of what comes next.
my @REFUSED = (
	"\x00\x01\x02 no tracker says this \x80\xFF",
	"\$POS,too,few\r\n",
	"\xBF\xFB\x01\x0A\x00hello",
	"\@\x00\x1F\x00\x01A\r\n",
	"\$POS,not \x01 number,120000.000,A,4807.0380,N,01131.0000,E,10.00,84.40,150324,,,A/0/0/0/0//f77//\r\n");

# The records that one tracker sends in a row: the last of them as a delta.
sub run_of
{
	my ($ident, $from) = @_;
	my @records = map
	{
		sprintf("\$POS,%s,%02d%02d%02d.000,A,4807.%04d,N,01131.0000,E,10.00,84.40,150324,,,A/00000,00000/0/%d//f77//\r\n",
			$ident, $_ / 3600, $_ / 60 % 60, $_ % 60, $_ % 10000, $_ * 100)
	} $from .. $from + $RUN - 1;

	$records[-1] = delta($records[-2], $records[-1]);
	return join '', @records;
}

# Sends so many runs of each tracker, the first of them at so many seconds of the
# day.  Connections come and go: one out of five runs ends with half a frame and
# the next comes by another one, and meanwhile somebody asks for a web page.
# Returns the number of bytes.
sub send_runs
{
	my ($node, $first, $runs) = @_;
	my $bytes = 0;
	my @sockets;

	foreach my $run (0 .. $runs - 1)
	{
		foreach my $number (0 .. $SOCKETS - 1)
		{
			my $stream = join '', map { run_of(6212000 + $number * $TRACKERS + $_, $first + $run * $RUN) } 0 .. $TRACKERS - 1;

			$stream .= $REFUSED[ ($run + $number) % @REFUSED ];
			$stream .= "\xBF\xFB\xFF\x80\x00\$POS,2000" if $run % 5 == 4;
			$sockets[$number] //= $node->tcp;
			PT621::put($sockets[$number], $stream);
			$bytes += length($stream);
			undef $sockets[$number] if $run % 5 == 4;
		}
		if ($run % 5 == 4)
		{
			my $stranger = "GET /$run HTTP/1.1\r\nHost: tracker.example\r\n\r\n";

			$node->send_tcp($stranger);
			$bytes += length($stranger);
		}
		if ($run % 10 == 0)
		{
			my $unwanted = record(ident => 6211999, code => 'IN2', odometer => $first + $run);

			$node->send_tcp($unwanted);
			$bytes += length($unwanted);
		}
	}
	return $bytes;
}

# Datagrams of several records each, of trackers of their own, as many as
# there are numbers.
sub datagrams
{
	my @numbers = @_;

	return map
	{
		my $number = $_;

		join '', map { record(ident => 6211000 + $_, odometer => $number, time => '121314.000') } 0 .. 9
	} @numbers;
}

# Kilobytes of memory that a process has for itself.
sub own_memory
{
	my ($pid) = @_;

	slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m or die 'no RssAnon';
	return $1;
}

my $node;

# What PostgreSQL counts of its own memory in a process, in kB.  That of the whole
# process goes up and down as the C library likes.
sub counted_memory
{
	my ($pid) = @_;
	my $from = -s $node->logfile;
	my $used;

	$node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid)");
	PT621::until_true(sub { ($used) = slurp_file($node->logfile, $from) =~ /Grand total: .* (\d+) used/; return defined $used })
	  or die 'no word of its memory';
	return int($used / 1024);
}

# The clock of autovacuum shall not decide when plans are made anew: load() does.
$node = PT621->listening('million', conf => $CONF . <<'EOC');
pt621.batch_size = 2000
pt621.max_record_rate = 1000
autovacuum = off
max_wal_size = 8GB
EOC
my $pid = $node->listener('pid');
my ($sent, $positions, $runs_sent) = (0, 0, 0);

$node->safe_psql('postgres', $TRIGGER);

# Sends so many runs by TCP, and some datagrams, and waits until all is stored.
# Then the tables are analysed, and so the next batch plans its statements anew.
sub load
{
	my ($runs) = @_;
	my @datagrams = datagrams($runs_sent * 4 .. ($runs_sent + $runs) * 4 - 1);

	$sent += send_runs($node, $runs_sent * $RUN, $runs) + length(join '', @datagrams);
	send_slowly($node, @datagrams);
	$runs_sent += $runs;
	$positions += $SOCKETS * $TRACKERS * $RUN * $runs + 10 * @datagrams;
	$node->wait_until("SELECT positions >= $positions FROM pt621_stat_worker() WHERE worker = 'listener'");

	$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
	$node->safe_psql('postgres', 'ANALYZE pt621.device, pt621.device_state, pt621.frame, pt621.position');
	return;
}

# What comes seldom comes often at first: plans made anew, units that are
# refused.  By then the C library keeps most of what it will ever keep of freed
# memory; the rest comes in steps, a leak would come with every record.
load(5) foreach 1 .. 6;
my @memory = own_memory($pid);
my $counted = counted_memory($pid);
foreach (1 .. 5)
{
	load(20);
	push @memory, own_memory($pid);
}

note('kB after 300,000 records, and after 200,000 more each: ' . join ', ', @memory);
# Plans are made anew, and the addresses that datagrams came from are remembered.
cmp_ok(counted_memory($pid) - $counted, '<', 2048, 'the listener does not grow by 2 MB of what is counted with a million records');
# Eight bytes a record: less than any piece of memory that could be lost with each.
cmp_ok($memory[-1] - $memory[0], '<', 8192, '... nor by 8 MB in all');
is($node->listener('pid'), $pid, '... and it is the same process');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT device_id) FROM pt621.position'),
	$positions . '|' . ($SOCKETS * $TRACKERS + 10), '... and has stored all of them');
$node->becomes('SELECT sum(length(bytes)) FROM pt621.frame', $sent, '... and archived every byte');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pt621.frame WHERE error ~ '^MY001'}),
	16, '... and what a trigger refused, with the reason');
$node->stop;

# ---------------------------------------------------------------------------
# valgrind
# ---------------------------------------------------------------------------

my ($valgrind) = grep { -x } map { "$_/valgrind" } split /:/, $ENV{PATH};

if (!$valgrind)
{
	note('valgrind is not there');
	done_testing();
	exit;
}

# Everything takes some fifty times as long.
local $ENV{PGCTLTIMEOUT} = $PostgreSQL::Test::Utils::timeout_default;
my $watched = PT621->listening('watched', conf => $CONF . <<'EOC');
autovacuum = off
max_files_per_process = 200
shared_buffers = 16MB
pt621.statement_timeout = 2min
pt621.shutdown_timeout = 2min
EOC
my $logs = $watched->basedir . '/valgrind';

# Starts the server below valgrind, which writes a file for each process.
# Processes that fork are followed as they are.
sub start_watched
{
	my $wrapper = $watched->basedir . '/watched';
	my ($bindir) = run_command([ 'pg_config', '--bindir' ]);

	mkdir($logs) or die "could not make $logs: $!";
	append_to_file($wrapper, <<"EOS");
#!/bin/sh
exec $valgrind --quiet --error-limit=no --num-callers=100 --leak-check=full \\
	--show-leak-kinds=definite --xml=yes --xml-file=$logs/%p.xml $bindir/postgres "\$@"
EOS
	chmod(0755, $wrapper) or die "could not make $wrapper: $!";
	{
		local %ENV = $watched->_get_env(PGAPPNAME => undef);

		system_or_bail('pg_ctl', '-w', '-p', $wrapper, '-D', $watched->data_dir, '-l', $watched->logfile, 'start');
	}
	$watched->_update_pid(1);
	$watched->wait_open;
	return;
}

# What valgrind says of a process, as a list of [kind, text, objects of the
# frames, innermost first].
sub findings
{
	my ($file) = @_;
	my $xml = slurp_file($file);
	my @found;

	while ($xml =~ /<(error|fatal_signal)>(.*?)<\/\1>/sg)
	{
		my $finding = $2;
		my $kind = $finding =~ /<kind>(\w+)/ ? $1 : 'FatalSignal';
		my ($what) = $finding =~ /<(?:what|text|signame)>([^<]*)/;
		my ($stack) = $finding =~ /<stack>(.*?)<\/stack>/s;
		my (@objects, @functions);

		foreach my $frame (($stack // '') =~ /<frame>(.*?)<\/frame>/sg)
		{
			push @objects, $frame =~ /<obj>([^<]*)/ ? basename($1) : '?';
			push @functions, $frame =~ /<fn>([^<]*)/ ? $1 : '?';
			$functions[-1] .= " ($1:$2)" if $frame =~ /<file>([^<]*).*<line>(\d+)/s;
		}
		push @found, [ $kind, "$kind: " . ($what // '') . "\n  in " . join("\n  by ", @functions), @objects ];
	}
	return @found;
}

# Tells whether one of them is ours.  The server was not built for valgrind: it
# computes checksums of padding that nobody has set, and writes it.  So where
# bytes without a value are used, it is ours only if our own code does it.
sub is_ours
{
	my ($kind, $text, @objects) = @_;

	return 1 if $kind eq 'FatalSignal';
	return grep { $_ eq 'pt621.so' } @objects if $kind !~ /^Uninit|^Syscall/;
	@objects = grep { !/^vgpreload|^libc[.-]/ } @objects;
	return @objects && $objects[0] eq 'pt621.so';
}

# Everything that has ever been seen of trackers, and of others.
my @captured = map { $_->[1] } captured();
my @others = map { slurp_file($_) } sort glob(dirname(__FILE__) . '/../fuzz/corpus/*/*');
my $chain = join '', chain(1, 8);

srand(621);
my $noise = pack('C*', map { int(rand(256)) } 1 .. 64 * 1024);

$watched->safe_psql('postgres', $TRIGGER);
$watched->stop;
start_watched();
$pid = $watched->listener('pid');
$sent = 0;

# By TCP: all by connections of its own, all by one, and in small pieces; noise
# that starts like anything; an endless line; half frames.
$watched->send_tcp($_) foreach @captured, @others;
$watched->send_tcp($chain);
$watched->send_tcp(join '', @captured, @others, "\r\n");
$watched->send_tcp(unpack '(a7)*', $chain . join '', @captured);
$watched->send_tcp($noise, map { ('$POS,', '@', "\xBF\xFB", '$PHD') [ $_ % 4 ] . substr($noise, $_ * 200, 200) } 0 .. 199);
$watched->send_tcp('$POS,1001,' . 'A' x 100_000);
$watched->send_tcp(substr($_, 0, length($_) / 2)) foreach @captured;

# The live view has something to show of one of the trackers that come now.
$watched->safe_psql('postgres', q{SELECT pt621_tail('6212000', '1 hour')});
my $bytes = send_runs($watched, 0, 1);
my @udp = datagrams(0 .. 99);

send_slowly($watched, @captured, @others, map { substr($noise, $_ * 500, 500) } 0 .. 49);
send_slowly($watched, @udp);

# The port closes and opens again.
$watched->configure('pt621.listen_addresses' => '');
$watched->listener_is(qr/^closed/, 'the port closes');
$watched->configure('pt621.listen_addresses' => '127.0.0.1');
$watched->wait_open;

# The same by functions, in sessions.
sub array
{
	return 'ARRAY[' . join(',', map { bytea($_) } @_) . ']';
}

my $everything = array(@captured, @others, $chain, $noise);

$watched->safe_psql('postgres', <<SQL);
SELECT count(d) FROM unnest($everything) b, pt621_decode(b) d;
SELECT count(d) FROM pt621_decode_reads($everything) d;
SELECT count(d) FROM pt621_decode_datagrams($everything) d;
SELECT sum(pt621_ingest(b, 'sql', '192.0.2.1', 1)) FROM unnest($everything) b;
SELECT pt621_ingest_reads($everything, 'reads');
SELECT count(c) FROM pt621_stat_connection() c;
SELECT count(w) FROM pt621_stat_worker() w;
SELECT pt621_stat_reset();
SELECT pt621_maintain();
SQL

# A fast stop with records on the way.
send_runs($watched, 100, 1);
is($watched->safe_psql('postgres', "SELECT pid FROM pt621_stat_worker() WHERE worker = 'listener'"), $pid,
	'the listener is the same process after all that');
$watched->stop;

$watched->start;
is( $watched->safe_psql('postgres', "SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident ~ '^621[12]...\$'"),
	2 * $SOCKETS * $TRACKERS * $RUN + 1000, 'valgrind: all records are stored');
$watched->stop;

my @files = glob("$logs/*.xml");
my @wrong = map { $_->[1] } grep { is_ours(@$_) } map { findings($_) } @files;
my @invalid = map { $_->[1] } grep { $_->[0] !~ /^Uninit|^Syscall|^Leak/ } findings("$logs/$pid.xml");

note(scalar(@files) . ' processes were watched');
ok((grep { $_ eq "$logs/$pid.xml" } @files), '... and it has watched the listener');
is(join("\n", @wrong), '', '... and finds nothing wrong with pt621');
is(join("\n", @invalid), '', '... nor an invalid access of anybody in the listener');
unlike(slurp_file($watched->logfile), qr/PANIC|TRAP:|terminated by signal/, '... and no process has crashed');

done_testing();
