# Many write at once, of the same trackers: the port, and pt621_ingest() in
# several sessions.  None waits for the other in a ring, nothing is stored twice
# and nothing is left out.
use strict;
use warnings;

use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->listening('main');
my $dir = PostgreSQL::Test::Utils::tempdir();

# Three records of five trackers in any order, some of them again and again.
my $record = record(ident => '@ident@', time => '@time@', end => '\r\n');
my $one = sub {
	my ($n) = @_;

	return "replace(replace(E'$record', '\@ident\@', (9000 + :device$n)::text), '\@time\@', to_char(:second$n, 'FM000000') || '.000')";
};

append_to_file("$dir/ingest.sql",
	join('', map { "\\set device$_ random(1, 5)\n\\set second$_ random(100000, 100059)\n" } 1 .. 3)
	  . 'SELECT pt621_ingest(convert_to(' . join(' || ', map { $one->($_) } 1 .. 3) . ", 'UTF8'));\n");

$node->start_load("900$_") foreach 1 .. 2;
$node->wait_until('SELECT count(*) > 0 FROM pt621.frame');
$node->command_ok(
	[ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '50', '--random-seed=621', '-f', "$dir/ingest.sql", 'postgres' ],
	'eight sessions ingest records of the same trackers while the port does');
$node->stop_load;

# What the load had in flight arrives yet; its last record may be cut short, in the
# middle of its date perhaps, and then has no time of its own.
my $connections = "SELECT connections = 0 FROM pt621_stat_worker() WHERE worker = 'listener'";

$node->wait_until($connections);
$node->becomes(
	"SELECT (SELECT count(*) FROM pt621.position)
		  - (SELECT count(DISTINCT (ident, bytes)) FROM pt621.frame WHERE error IS NULL)",
	0, 'every record is a position once');
is($node->safe_psql('postgres', "SELECT count(*) FROM pt621.frame WHERE transport = 'sql'"), 8 * 50 * 3,
	'... and every unit that was ingested is in the archive');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pt621.device'), 5, '... of five trackers');
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM pt621.device_state s
		 WHERE s.fix_time <> (SELECT max(p.fix_time) FROM pt621.position p
							   WHERE p.device_id = s.device_id AND p.valid AND NOT 'time_of_receipt' = ANY (pt621_quality(p.quality)))}),
	0, '... whose last fix is the last one');
unlike(slurp_file($node->logfile), qr/deadlock/, '... without a deadlock');

# The number of a connection's units is their order, however many connections.
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT received_at < lag(received_at) OVER (PARTITION BY conn ORDER BY seq) AS back
								FROM pt621.frame) f WHERE back}),
	0, '... and seq is the order of arrival');

$node->stop;
done_testing();
