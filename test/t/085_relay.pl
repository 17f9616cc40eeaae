# The relay and the SMS gateway of the documentation, in a server that preloads
# nothing: their lines as they are printed there, but for port and folder.
use strict;
use warnings;

use IO::Socket::IP;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PT621;
use Test::More;

my $root = $ENV{TESTDIR} || '.';
my $documentation = slurp_file("$root/README.md");

# The indented blocks of a section.
sub blocks
{
	my ($title) = @_;
	my ($section) = $documentation =~ /^#+ \Q$title\E\n(.*?)(?=^#+ |\z)/ms
	  or die "no section '$title'";

	return map { s/^    //mgr } $section =~ /((?:^(?: {4}.*)?\n)*^ {4}.*\n)/mg;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->safe_psql('fleet', q{
	SET client_min_messages = warning;
	CREATE EXTENSION pt621 CASCADE;
	CREATE ROLE relay LOGIN;
	GRANT EXECUTE ON FUNCTION pt621_ingest, pt621_ingest_text TO relay});

# Of the relay and the gateway only.
my %login = (PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'relay', PGDATABASE => 'fleet');

my ($relay, $listen) = map { s/\A\n+//r =~ s/\n+\z/\n/r } blocks('A relay in a few lines of shell');
my $script = PostgreSQL::Test::Utils::tempdir() . '/pt621-relay';
my $port = PostgreSQL::Test::Cluster::get_free_port();

append_to_file($script, $relay);
chmod 0755, $script or die $!;
is($listen =~ s/:8888,/:$port,/g, 2, 'TCP and UDP');
is($listen =~ s{/usr/local/bin/pt621-relay}{$script}g, 2, '... by the same program');

# Each is a process group of its own, for them and their children to be ended.
my $complaints = PostgreSQL::Test::Utils::tempdir() . '/relays.stderr';
my @relays;
foreach my $line (split /\n/, $listen)
{
	$line =~ s/ &$// or die "not in the background: $line";
	my $pid = fork // die $!;

	if ($pid == 0)
	{
		setpgrp;
		@ENV{ keys %login } = values %login;
		open STDIN, '<', '/dev/null' or die $!;
		open STDERR, '>>', $complaints or die $!;
		exec 'bash', '-c', "exec $line";
	}
	push @relays, $pid;
}

END
{
	my $status = $?;

	kill 'TERM', map { -$_ } @relays if @relays;
	$? = $status;
}

sub connection
{
	my ($proto) = @_;
	my $socket;

	PT621::until_true(sub {
		$socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Proto => $proto);
	}) or die "no connection: $!";
	$socket->autoflush(1);
	return $socket;
}

sub becomes
{
	my ($sql, $expected, $name) = @_;
	my $answer;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	PT621::until_true(sub { $answer = $node->safe_psql('fleet', $sql); $answer eq $expected });
	return is($answer, $expected, $name);
}

sub stored
{
	my ($ident, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return becomes("SELECT string_agg(to_char(p.fix_time, 'HH24:MI:SS'), ' ' ORDER BY p.fix_time) FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id "
		  . "WHERE d.ident = '$ident'", $expected, $name);
}

# ------------------------------------------------------------------ by TCP --

my $first = connection('tcp');
my $record = record(ident => '1001');
my $second = record(ident => '1001', time => '120030.000');

print $first $record;
stored('1001', '12:00:00', 'a record is stored while its connection stays open');
becomes(q{SELECT DISTINCT f.transport || ' ' || host(f.peer) || ' ' || (f.peer_port = } . $first->sockport . q{) FROM pt621.frame f WHERE f.ident = '1001'},
	'tcp 127.0.0.1 true', '... with transport and peer');

print $first delta($record, $second);
stored('1001', '12:00:00 12:00:30', '... a delta finds its base by a later call');

my $framed = framed(record(ident => '1002', time => '120100.000') . record(ident => '1002', time => '120130.000'));
my $other = connection('tcp');

print $other substr($framed, 0, 40);
print $first record(ident => '1001', time => '120200.000');
print $other substr($framed, 40);
close $other;
stored('1002', '12:01:00 12:01:30', 'a frame in two pieces is stored, with the end of its connection');
stored('1001', '12:00:00 12:00:30 12:02:00', '... and another connection at the same time');

my $photo = framed('$PHD0,300,' . join('', map { chr } 0 .. 255, 0 .. 43) . "\r\n");
print $first $photo;
becomes("SELECT count(*) FROM pt621.frame WHERE bytes = " . bytea($photo), '1', '... and all bytes come through, NUL and line ends too');

# ------------------------------------------------------------------ by UDP --

my $path = connection('udp');

$path->send(record(ident => '1003', time => '120300.000'));
$path->send(record(ident => '1003', time => '120330.000'));
stored('1003', '12:03:00 12:03:30', 'datagrams are stored');
is($node->safe_psql('fleet', q{SELECT DISTINCT transport FROM pt621.frame WHERE ident = '1003'}), 'udp', '... as such');

# --------------------------------------------------------- while it is away --

$node->stop;
print $first record(ident => '1001', time => '120400.000');
ok(PT621::until_true(sub { slurp_file($complaints) =~ /^psql: error: connection to server .* failed/m }), 'a relay says that the server is down');
$node->start;
stored('1001', '12:00:00 12:00:30 12:02:00 12:04:00', '... what comes while the server is down is stored when it is back');
is($node->safe_psql('fleet', 'SELECT count(*) FROM pt621.frame WHERE error IS NOT NULL'), '1', 'no error but of the photo that was not announced')
  or diag($node->safe_psql('fleet', 'SELECT ident, error, bytes FROM pt621.frame WHERE error IS NOT NULL'));

# -------------------------------------------------------------------- texts --

my ($gateway) = blocks('Texts from an SMS gateway');

$node->safe_psql('fleet', q{UPDATE pt621.device SET phone = '+49 171 2345678' WHERE ident = '1001'});
foreach my $text ('SOS! http://maps.google.com/?q=52.5165,13.3777', q{it's $(id) \\"so"; :'from' DROP})
{
	local @ENV{ keys %login } = values %login;
	# A text of several parts is there as a whole, too.
	local @ENV{qw(SMS_1_NUMBER SMS_1_TEXT DECODED_1_TEXT)} = ('+491712345678', $text =~ /q=/ ? (substr($text, 0, 10), $text) : ($text, ''));
	my ($stdout, $stderr) = run_command([ 'bash', '-c', $gateway ]);

	delete local $ENV{PGUSER};
	is("$stdout $stderr", $text =~ /q=/ ? '1 ' : '0 ', 'the line of the gateway runs');
	is($node->safe_psql('fleet', "SELECT ident, transport, error FROM pt621.frame WHERE bytes = " . bytea($text)), '1001|sms|', '... and the text is kept as it was');
}
is($node->safe_psql('fleet', q{SELECT ST_AsText(geom) FROM pt621.position WHERE code = 'SMS'}), 'POINT(13.3777 52.5165)', 'with its place');

# -------------------------------------------------------- without a listener --

is($node->safe_psql('fleet', 'SELECT count(*) FROM pt621_stat_worker()'), '0', 'no worker runs, which is no error');
is($node->safe_psql('fleet', q{SELECT verdict, finding FROM pt621_check((SELECT id FROM pt621.device WHERE ident = '1001'), '100 years') WHERE topic = 'deltas'}),
	'ok|0 of 1 deltas found no base', 'what was heard by a relay can be checked');
$node->safe_psql('fleet', q{INSERT INTO pt621.device (ident) VALUES ('1009')});
like($node->safe_psql('fleet', q{SELECT advice FROM pt621_check((SELECT id FROM pt621.device WHERE ident = '1009')) WHERE topic = 'heard'}),
	qr/^No listener runs in this server/, '... and that no listener runs is said');

$node->stop;
done_testing();
