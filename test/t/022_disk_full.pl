# The disk is full, then there is space again: nothing is lost and nothing stored
# twice, whether the tables cannot grow or the server panics over its log.
use strict;
use warnings;

use Cwd qw(abs_path);
use Fleet;
use File::Basename qw(dirname);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $library = "$dir/full_disk.so";

plan skip_all => 'no C compiler'
  if system('cc', '-O1', '-shared', '-fPIC', '-o', $library, dirname(__FILE__) . '/full_disk.c', '-ldl') != 0;

# Small segments, so that the log needs a new one soon.
my $node = PT621->make('main', extra => [ '--encoding=UTF8', '--no-locale', '--wal-segsize=1' ],
	conf => <<CONF);
restart_after_crash = on
min_wal_size = 2MB
checkpoint_timeout = 1h
pt621.batch_size = 1000
pt621.receive_buffer = 16kB
CONF

# From here on a server that is started has a disk that can be full.
$ENV{FULL_DISK} = "$dir/full";
$node->stop;
{
	local $ENV{LD_PRELOAD} = $library;

	$node->start;
}

# Of the disk one folder is full, and nothing else.
sub fill
{
	my ($folder) = @_;

	symlink(abs_path($folder), $ENV{FULL_DISK}) or die "symlink: $!";
	return;
}

sub free
{
	unlink($ENV{FULL_DISK}) or die "unlink: $!";
	return;
}

$node->create_extension('postgres');
$node->wait_open;
Fleet::lift_bounds($node);
$node->keep_port;

# ---------------------------------------------------------------------------
# The tables cannot grow
# ---------------------------------------------------------------------------

my $began = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $listener = $node->listener('pid');

# First positions alone have no space, then nothing has.
mkdir("$dir/tablespace") or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$dir/tablespace'");
$node->safe_psql('postgres', 'ALTER TABLE pt621.position_default SET TABLESPACE small');
my $first = 2000;

foreach my $full ([ 'a tablespace', "$dir/tablespace" ], [ 'the disk', $node->data_dir . '/base' ])
{
	my ($name, $folder) = @$full;
	my $fleet = Fleet->new($node, $first += 100, 8);

	$fleet->write_some(bytes => 16384) foreach 1 .. 4;
	$node->becomes("SELECT count(DISTINCT ident) FROM pt621.frame WHERE ident::int >= $first", 8, 'eight trackers send');
	my $retries = $node->listener('retries');

	fill($folder);
	ok($fleet->write_until_full, "... $name is full: soon nothing more is taken from them");
	$node->becomes("SELECT last_error FROM pt621_stat_worker() WHERE worker = 'listener'", qr/No space left on device/,
		'... the reason can be seen');
	$node->wait_until("SELECT retries > $retries + 1 FROM pt621_stat_worker() WHERE worker = 'listener'");
	my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame');

	ok($fleet->write_until_full && $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.frame') == $count,
		'... and the listener tries in vain');
	is($node->listener('pid'), $listener, '... and is the same');
	is($node->listener('connections'), 8, '... with all its connections');
	is($node->safe_psql('postgres', 'SELECT count(error) FROM pt621.frame'), 0, '... and no record is blamed for it');
	free();
	$node->wait_until("SELECT count(*) > $count FROM pt621.frame");
	ok($fleet->finish(0), 'there is space again: the trackers go on where they were');
	$fleet->disconnect;
	$fleet->all_stored('... and every record is there, once');
	$fleet->stored('... in the order in which it was sent');
	$node->wait_until("SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'");
	is($node->safe_psql('postgres', 'SELECT count(error), count(*) FROM pt621.frame'),
		'0|' . $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), '... as is the archive');
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $began, 'nothing has restarted');
is($node->listener('pid'), $listener, '... nor has the listener');

# ---------------------------------------------------------------------------
# The log cannot grow: the server panics
# ---------------------------------------------------------------------------

my $mark = -s $node->logfile;
my $witnessed;

my $fleet = Fleet->new($node, 3000, 8);

$fleet->write_some(bytes => 16384) foreach 1 .. 4;
$node->becomes("SELECT count(DISTINCT ident) FROM pt621.frame WHERE ident ~ '^300'", 8, 'eight others send');
$witnessed = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position');
fill($node->data_dir . '/pg_wal');
ok( PT621::until_true(
		sub {
			my $seen;

			$fleet->write_some(bytes => 16384) foreach 1 .. 4;
			$fleet->note_acknowledged;
			$witnessed = $seen
			  if $node->psql('postgres', "SELECT count(*) FROM pt621.position", stdout => \$seen) == 0;
			return slurp_file($node->logfile, $mark) =~ /PANIC: .*No space left on device/;
		}),
	'... there is no space for the log: the server panics');
free();

# It recovers by itself, unless it needed space for that too: then it has gone.
ok( PT621::until_true(
		sub {
			return 1 if $node->psql('postgres', 'SELECT 1') == 0;
			return 0 if -e $node->data_dir . '/postmaster.pid';
			local $ENV{LD_PRELOAD} = $library;
			return Fleet::start_again($node);
		}),
	'... and recovers when there is space again');
$node->wait_open;
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position'), '>=', $witnessed,
	'... with everything that was seen to be stored');
$fleet->stored('... of each connection the first bytes, each once');
$fleet->connect;
ok($fleet->finish(500), '... the trackers come back and send all of it once more');
$fleet->all_stored('... and every record is there, once');
is($node->safe_psql('postgres', 'SELECT count(error) FROM pt621.frame'), 0, '... and none is torn');

$node->stop;
done_testing();
