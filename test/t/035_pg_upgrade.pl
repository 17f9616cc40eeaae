# pg_upgrade, from a server with trackers to a fresh one: while it works no worker
# of ours runs in either, and afterwards the port stays closed until
# pt621_ready() and the trackers go on where they were.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $old = PT621->listening('old');
my $bindir = $old->config_data('--bindir');

plan skip_all => 'no pg_upgrade' if !-x "$bindir/pg_upgrade";
$old->keep_port;
my $port = $old->{trackers_port};
my $CHAIN = q{
	SELECT string_agg(to_char(fix_time AT TIME ZONE 'UTC', 'HH24:MI:SS '), '' ORDER BY fix_time) FROM pt621.position};

# Something of the user's, which is to survive: it is why the tables are ours no more.
$old->safe_psql('postgres', q{
	CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO pt621; CREATE TABLE mine.seen (n bigint); GRANT INSERT ON mine.seen TO pt621;
	CREATE FUNCTION mine.trigger() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN INSERT INTO mine.seen VALUES (NEW.frame_seq); RETURN NULL; END $$;
	CREATE TRIGGER mine AFTER INSERT ON pt621.position FOR EACH ROW EXECUTE FUNCTION mine.trigger();
	CREATE INDEX mine ON pt621.position (odometer_m)});
$old->send_tcp(chain(1, 5));
$old->becomes('SELECT count(*) FROM pt621.position', 5, 'a tracker sends to the old server');
my $DATA = q{SELECT (SELECT md5(string_agg(f::text, E'\n' ORDER BY seq)) FROM pt621.frame f),
	(SELECT md5(string_agg(p::text, E'\n' ORDER BY frame_seq)) FROM pt621.position p),
	(SELECT md5(string_agg(s::text, E'\n' ORDER BY device_id)) FROM pt621.device_state s), (SELECT count(*) FROM mine.seen)};
my $data = $old->safe_psql('postgres', $DATA);

$old->stop;

# The new one would listen on the same port.
my $new = PT621->new('new');

$new->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$new->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'pt621'
pt621.listen_addresses = '127.0.0.1'
pt621.port = $port
log_statement = none
CONF

# Trackers knock all the time, and none may be let in.
my $parent = $$;
my $knocker = fork() // die "could not fork: $!";

if ($knocker == 0)
{
	my $let_in = 0;

	$SIG{TERM} = sub { POSIX::_exit($let_in) };
	while (getppid() == $parent)
	{
		$let_in = 1 if $old->connect_tracker(proto => 'tcp', port => $port);
		Time::HiRes::usleep(5000);
	}
	POSIX::_exit(1);
}

# It puts its files into the folder it is called in.
my $dir = PostgreSQL::Test::Utils::tempdir();
my @marks = map { -e $_->logfile ? -s $_->logfile : 0 } $old, $new;
my $log = '';
{
	my @command = ($bindir . '/pg_upgrade', '--no-sync', '--retain', '--jobs=2',
		'--old-datadir', $old->data_dir, '--new-datadir', $new->data_dir,
		'--old-bindir', $bindir, '--new-bindir', $bindir, '--socketdir', $new->host,
		'--old-port', $old->port, '--new-port', $new->port);

	chdir($dir) or die "chdir: $!";
	my $status = PostgreSQL::Test::Utils::system_log(@command);

	is($status, 0, 'pg_upgrade goes through');
	chdir('/');
	$log = join '', map { slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/*');
	diag($log) if $status != 0;
}
kill('TERM', $knocker);
waitpid($knocker, 0);
is($?, 0, '... and no tracker was let in meanwhile');
like($log, qr/database system is ready to accept connections/, '... its logs are those of the servers');
unlike($log, qr/pt621: (listening|port is|not listening)|pt621 (listener|supervisor|maintenance)/, '... and none of our workers has run in them');
is(-e $_->logfile ? (slurp_file($_->logfile, shift @marks) =~ /pt621/ ? 1 : 0) : 0, 0, '... nor elsewhere') foreach $old, $new;

# The new server.
$new->start;
$new->listener_is(qr/^closed: .*SELECT pt621_ready\(\)/, 'the new server keeps its port closed, and says what for');
ok(!$new->connect_tracker(proto => 'tcp', port => $port), '... trackers are refused');
is($new->safe_psql('postgres', $DATA), $data, '... every row is there');
is($new->safe_psql('postgres', 'SELECT code FROM pt621_decode(' . bytea(record()) . ')'), 'POS', '... and decoding works');
$new->safe_psql('postgres', 'SELECT pt621_ready()');
$new->listener_is('open', 'pt621_ready(): the port opens', seconds => 15);
$new->wait_open;
is($new->safe_psql('postgres', $DATA), $data, '... with every row as it was');
{
	my $socket = $new->tcp;

	$new->put_apart($socket, chain(2, 2), chain(6, 8));
	$new->becomes($CHAIN, '14:56:37 14:56:48 14:57:03 14:57:18 14:57:33 14:57:48 14:58:03 14:58:18 ',
		'... a delta finds the base that the old server had stored');
}
is($new->safe_psql('postgres', 'SELECT count(*) FROM mine.seen'), 8, "... the user's trigger is there, and runs");
is($new->safe_psql('postgres', 'SELECT count(*) = count(DISTINCT seq) FROM pt621.frame'), 't', '... and units have numbers of their own');

$new->stop;
done_testing();
