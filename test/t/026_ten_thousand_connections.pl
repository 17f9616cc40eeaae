# Ten thousand trackers at once, or as many as the limit on open files lets a
# test have; and a server that has too few descriptors for those who come.
use strict;
use warnings;

BEGIN
{
	# A test cannot raise its own limit, but what it becomes can.
	if (!$ENV{PT621_FILES_RAISED})
	{
		$ENV{PT621_FILES_RAISED} = 1;
		exec('sh', '-c', 'ulimit -n $(ulimit -H -n) 2>/dev/null; exec "$@"', 'sh', $^X, $0, @ARGV);
	}
}

use Fleet;
use IO::Select;
use PT621;
use PostgreSQL::Test::Utils;
use Socket;
use Test::More;
use Time::HiRes qw(time);

# What the server needs of its limit besides: 1,000 files of its own, and spares.
my ($limit) = slurp_file("/proc/self/limits") =~ /^Max open files\s+(\d+)/m;
my $many = defined $limit && $limit < 11_500 ? $limit - 1500 : 10_000;
my $WORKER = "FROM pt621_stat_worker() WHERE worker = 'listener'";

# Sockets as cheap as they come.
sub connections
{
	my ($node, $count) = @_;
	my $address = pack_sockaddr_in($node->{trackers_port}, inet_aton('127.0.0.1'));

	return map {
		socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
		connect($socket, $address) or die "connect: $!";
		$socket
	} 1 .. $count;
}

# Of a worker, in kB.
sub memory
{
	my ($pid) = @_;

	slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m or die 'no RssAnon';
	return $1;
}

# Each tracker sends a record of this minute.
sub all_send
{
	my ($minute, $first, @sockets) = @_;

	foreach my $n (0 .. $#sockets)
	{
		PT621::put($sockets[$n], record(ident => $first + $n, time => sprintf('12%02d00.000', $minute)));
	}
	return;
}

# ---------------------------------------------------------------------------
# Many
# ---------------------------------------------------------------------------

SKIP:
{
	skip "too few open files: $limit", 10 if $many < 1000;
	my $node = PT621->listening('many', conf => "pt621.max_connections = $many\n");

	Fleet::lift_bounds($node);
	my $pid = $node->listener('pid');

	my $before = memory($pid);
	my $began = time();
	my @sockets = connections($node, $many);

	$node->becomes("SELECT connections $WORKER", $many, "$many connections");
	note(sprintf('in %.1f s', time() - $began));
	my $each = (memory($pid) - $before) * 1024 / $many;

	note(sprintf('bytes of memory for each: %.0f', $each));
	cmp_ok($each, '<=', 4096, '... that cost the listener 4 kB each at most');
	foreach my $minute (1 .. 3)
	{
		all_send($minute, 100_000, @sockets);
		$node->becomes('SELECT count(*), count(DISTINCT (device_id, fix_time)) FROM pt621.position',
			join('|', ($minute * $many) x 2), "... each sends a record, which is stored, round $minute");
	}
	note(sprintf('bytes of memory for each, with a batch: %.0f', (memory($pid) - $before) * 1024 / $many));
	is($node->safe_psql('postgres', "SELECT connections, retries, state, pid $WORKER"), "$many|0|open|$pid",
		'... nothing was tried twice, nobody has gone');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT conn FROM pt621.frame GROUP BY conn HAVING count(DISTINCT ident) = 1) c'),
		$many, '... and each has its own number');

	# One more than there may be, and then all at once leave.
	my $surplus = $node->tcp;

	ok(PT621::closed_by_server($surplus), 'one more is refused');
	my @left = IO::Select->new(@sockets)->can_read(0);

	is(scalar(@left), 0, '... and none of the others has to go for it');
	@sockets = ();
	$node->becomes("SELECT connections $WORKER", 0, 'all leave at once');
	$node->stop;
}

# ---------------------------------------------------------------------------
# Fewer descriptors than trackers
# ---------------------------------------------------------------------------

# The server is started with a hard limit that leaves room for some, after its
# own thousand.
{
	my $node = PT621->listening('few');

	Fleet::lift_bounds($node);
	$node->stop;
	PostgreSQL::Test::Utils::system_or_bail('sh', '-c', 'ulimit -n 1200; exec "$@"', 'sh',
		'pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
	$node->_update_pid(1);
	$node->wait_open;
	my ($room) = slurp_file($node->logfile) =~ /WARNING: .*pt621\.max_connections is 10000, but only (\d+) connections are possible/;

	die 'no such warning' if !$room;
	pass('a limit of 1,200 open files: the log says how many connections are possible');
	like(slurp_file($node->logfile), qr/HINT: .*Raise the hard limit on open files/, '... and what to do about it');

	# Half of them are trackers, who have named themselves.
	my $pid = $node->listener('pid');
	my $half = int($room / 2);
	my @good = connections($node, $half);

	all_send(0, 200_000, @good);
	$node->becomes('SELECT count(*) FROM pt621.position', $half, "$half trackers are connected");
	my @mute = map { connections($node, 50) } 1 .. 10;

	$node->becomes("SELECT connections $WORKER", $room, '... and five hundred others come, of which some can stay');
	all_send(1, 200_000, @good);
	$node->becomes('SELECT count(*) FROM pt621.position', 2 * $half, '... the trackers are served');
	ok(PT621::until_true(sub { IO::Select->new(@mute)->can_read(0) == 500 - ($room - $half) }), '... the surplus is refused');

	# What the worker has to open now, it can: libraries, and files of many tables.
	$node->safe_psql('postgres', q{
		CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO pt621;
		CREATE TABLE mine.seen (n integer, month integer, PRIMARY KEY (n, month)) PARTITION BY LIST (month);
		GRANT INSERT ON mine.seen TO pt621;
		DO $$ BEGIN FOR n IN 1 .. 100 LOOP
			EXECUTE format('CREATE TABLE mine.seen_%s PARTITION OF mine.seen FOR VALUES IN (%s)', n, n);
		END LOOP; END $$;
		CREATE FUNCTION mine.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO mine.seen SELECT NEW.frame_seq, n FROM generate_series(1, 100) n;
			RETURN NULL;
		END $$;
		CREATE TRIGGER mine AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mine.trigger()});
	all_send(2, 200_000, @good);
	$node->becomes('SELECT count(*), (SELECT count(*) FROM mine.seen) FROM pt621.position', 3 * $half . '|' . 100 * $half,
		'... whatever their records make the worker open');
	is($node->safe_psql('postgres', "SELECT retries, pid $WORKER"), "0|$pid", '... at the first try, by the same process');
	is($node->safe_psql('postgres', 'SELECT count(error) FROM pt621.frame'), 0, '... and no record is blamed for anything');
	unlike(slurp_file($node->logfile), qr/Too many open files/, '... nor has anything failed for want of a descriptor');

	# Every place taken by a tracker.
	@mute = ();
	$node->wait_until("SELECT connections = $half $WORKER");
	push @good, connections($node, $room - $half);
	all_send(3, 200_000, @good);
	$node->becomes("SELECT count(*) FROM pt621.position WHERE fix_time = '2024-03-15 12:03:00+00'", $room, 'all places are taken by trackers');
	@mute = connections($node, 20);
	ok(PT621::until_true(sub { IO::Select->new(@mute)->can_read(0) == 20 }), '... others are refused');
	all_send(4, 200_000, @good);
	$node->becomes("SELECT count(*) FROM pt621.position WHERE fix_time = '2024-03-15 12:04:00+00'", $room, '... and the trackers served');
	is($node->safe_psql('postgres', "SELECT connections, retries, pid $WORKER"), "$room|0|$pid", '... by the same process');
	$node->stop;
}
done_testing();
