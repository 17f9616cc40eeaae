# Somebody else has the port: the server says so and waits, nothing of what comes
# to the other is stored here, and when the port is free it opens by itself.
# (test 007 has the plain cases: another by TCP or by UDP alone.)
use strict;
use warnings;

use IO::Socket::IP;
use PT621;
use PostgreSQL::Test::Utils;
use Socket qw(SO_REUSEADDR SO_REUSEPORT SOL_SOCKET);
use Test::More;

my $first = PT621->listening('first');

$first->keep_port;
my $port = $first->{trackers_port};
my $second = PT621->make('second', conf => "pt621.port = $port\n");
my $SEEN = 'SELECT count(*), count(DISTINCT ident) FROM pt621.frame';

$second->create_extension('postgres');

# ---------------------------------------------------------------------------
# Two servers of one user
# ---------------------------------------------------------------------------

# One that has several listeners shares its port among them, and with nobody else.
my $several = $first->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'pt621.workers'");

# Waits until all listeners of a server are in a state.
sub all_are
{
	my ($node, $state, $name, %options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes("SELECT string_agg(DISTINCT concat_ws(': ', state, reason), E'\\n')
		FROM pt621_stat_worker() WHERE worker ~ '^listener'", $state, $name, %options);
}

sub stores
{
	my ($node, $ident, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->{trackers_port} = $port;
	foreach my $n (0 .. 9)
	{
		$node->send_tcp(record(ident => $ident, time => "12000$n.000"));
		$node->send_udp(record(ident => $ident, time => "12010$n.000"));
	}
	$node->becomes("SELECT count(*) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '$ident'",
		20, $name);
	return;
}

foreach my $workers ($several ? (1, 2) : (1))
{
	if ($several)
	{
		# In this order, or the second would take the port meanwhile.
		$_->append_conf('postgresql.conf', "pt621.workers = $workers\n") foreach $first, $second;
		$second->stop;
		$first->restart;
		all_are($first, 'open', "$workers listeners: the first server has the port");
		$second->start;
	}
	all_are($second, qr/^closed: .*127\.0\.0\.1:$port.*in use\z/,
		"$workers: a second server on the same port keeps it closed and says why");
	stores($first, "20$workers", '... all that comes is stored by the first');
	is($second->safe_psql('postgres', $SEEN), ($workers - 1) * 20 . '|' . ($workers - 1), '... and nothing by the second');
	$first->stop;
	all_are($second, 'open', '... which opens by itself when the first has stopped', seconds => 30);
	stores($second, "30$workers", '... and stores');

	$first->start;
	all_are($first, qr/^closed: .*in use/, '... while the first has to wait when it is back');
	$second->stop('immediate');
	all_are($first, 'open', '... until the second is gone', seconds => 30);
	$second->start;
}
$second->stop;

# ---------------------------------------------------------------------------
# Others of the same user, that would share it
# ---------------------------------------------------------------------------

# What they ask for would let them have the port, did ours agree.
sub take
{
	my ($proto, @options) = @_;

	return IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Proto => $proto,
		Sockopts => [ map { [ SOL_SOCKET, $_, 1 ] } @options ], $proto eq 'tcp' ? (Listen => 1) : ());
}

$first->append_conf('postgresql.conf', "pt621.workers = 1\n") if $several;
$first->restart;
all_are($first, 'open', 'one listener');
foreach my $proto ('tcp', 'udp')
{
	ok(!take($proto, @$_), "... nobody takes its port by $proto")
	  foreach [], [SO_REUSEADDR], [SO_REUSEPORT], [ SO_REUSEADDR, SO_REUSEPORT ];
}
$first->stop;
foreach my $workers ($several ? (1, 2) : (1))
{
	foreach my $proto ('tcp', 'udp')
	{
		my $other;

		PT621::until_true(sub { $other = take($proto, SO_REUSEADDR, SO_REUSEPORT) }) or die "could not take the port: $!";
		$first->append_conf('postgresql.conf', "pt621.workers = $workers\n") if $several;
		$first->start;
		all_are($first, qr/^closed: .*in use/, "$workers: another has the port by $proto and would share it: closed, with the reason");
		close($other);
		all_are($first, 'open', '... until it is free', seconds => 30);
		$first->stop;
	}
}
done_testing();
