# What the TAP tests share: a cluster whose workers listen to trackers, trackers
# on the loopback, and waiting with a bound.
#
# Nothing that is expected is waited for by sleeping: what a test sends has arrived
# when the worker counts it, and what it expects is asked for until it is there or
# the bound of PostgreSQL's own tests (PG_TEST_TIMEOUT_DEFAULT, 180 s) is over.
# Where a test is about time, as what comes too late, it asks the server's clock
# until that has passed.  That nothing comes is shown by something later that does,
# and only where there is no such thing by a silence.
package PT621;

use strict;
use warnings;

use Exporter;
use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(time usleep);

# What was received of a socket and not yet asked for, see heard().
my %heard_of;

our @ISA = qw(PostgreSQL::Test::Cluster Exporter);
our @EXPORT = qw(bytea captured chain delta framed has_ipv6 readme_sql record sent_by_peer);

# ------------------------------------------------------------------ bytes --

# The captured frames, as a list of [name, bytes].
sub captured
{
	my @frames;

	foreach my $line (split /\n/, slurp_file(dirname(__FILE__) . '/../data/captured.csv'))
	{
		next if $line =~ /^id,/;
		$line =~ /^([^,]+),(?:"[^"]*"|[^,"]*),([0-9a-f]+),/
		  or die "not understood: $line";
		push @frames, [ $1, pack('H*', $2) ];
	}
	return @frames;
}

# Those of the forum's chain of records and deltas, in order of arrival.
sub chain
{
	my ($from, $to) = @_;
	my %frame = map { @$_ } captured();

	return map { $frame{ sprintf('FORUM-%02d', $_) } } $from .. $to;
}

# A record as a tracker writes it.
sub record
{
	my %field = (
		code => 'POS', ident => '1001', time => '120000.000', flag => 'A',
		lat => '4807.0380', ns => 'N', lon => '01131.0000', ew => 'E',
		speed => '10.00', course => '84.40', date => '150324',
		inputs => '00000', outputs => '00000', adc => '0', odometer => '1000',
		driver => '', gsb => 'f77', spec => '/', end => "\r\n", @_);

	return "\$$field{code},$field{ident},$field{time},$field{flag},$field{lat},"
	  . "$field{ns},$field{lon},$field{ew},$field{speed},$field{course},$field{date},,,A"
	  . "/$field{inputs},$field{outputs}/$field{adc}/$field{odometer}"
	  . "/$field{driver}/$field{gsb}/$field{spec}$field{end}";
}

sub xor_of
{
	my $xor = 0;

	$xor ^= $_ foreach unpack('C*', shift);
	return chr($xor);
}

# A record with its line end, as fields: the line end is the last of them.
sub fields
{
	return split(/[,\/]/, shift, -1);
}

# What a tracker sends for a record when the base is known.
sub delta
{
	my ($base, $text) = @_;
	my @old = fields($base);
	my @new = fields($text);
	my $bytes = '@' . xor_of($base);

	die 'records of different layouts' if @old != @new;
	for my $i (0 .. $#new)
	{
		my $same = 0;

		next if $old[$i] eq $new[$i];
		$same++
		  while $same < length($old[$i])
		  && $same < length($new[$i])
		  && substr($old[$i], $same, 1) eq substr($new[$i], $same, 1);
		$bytes .= pack('CCC', $i, $same, length($new[$i]) - $same) . substr($new[$i], $same);
	}
	return $bytes;
}

sub framed
{
	my $body = shift;

	return "\xBF\xFB" . xor_of($body) . pack('v', length($body) + 5) . $body;
}

# Bytes as a literal of SQL.
sub bytea
{
	return "'\\x" . unpack('H*', shift) . "'::bytea";
}

sub has_ipv6
{
	return defined IO::Socket::IP->new(
		LocalHost => '::1', LocalPort => 0, Proto => 'tcp', Listen => 1);
}

# The SQL of a section of README.md: what is indented below its heading.
sub readme_sql
{
	my ($title) = @_;
	my $readme = slurp_file(dirname(__FILE__) . '/../../README.md');
	my ($section) = $readme =~ /^#+ \Q$title\E\n(.*?)(?=^#|\z)/ms
	  or die "README.md has no section '$title'";

	return join '', map { /^    (.*\n)/ ? $1 : () } split /^/, $section;
}

# ---------------------------------------------------------------- cluster --

# Makes a cluster whose port opens as soon as there is the extension.
#
# What tests send is not slowed down, unless they ask for it.
# conf: lines for postgresql.conf.  extra: options of initdb.
sub make
{
	my ($class, $name, %params) = @_;
	my $node = $class->new($name);

	$node->init(extra => $params{extra} // [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', <<CONF . ($params{conf} // ''));
shared_preload_libraries = 'pt621'
pt621.listen_addresses = '127.0.0.1'
pt621.port = 0
pt621.max_record_rate = 0
log_statement = none
CONF
	$node->start;
	return $node;
}

# Makes one with the extension, listening.
sub listening
{
	my ($class, $name, %params) = @_;
	my $node = $class->make($name, %params);

	$node->create_extension('postgres');
	$node->wait_open;
	return $node;
}

sub create_extension
{
	my ($self, $database, $how) = @_;

	$self->safe_psql($database,
		'SET client_min_messages = warning; CREATE EXTENSION pt621 ' . ($how // 'CASCADE'));
	return;
}

# ---------------------------------------------------------------- waiting --

# Asks code until it says yes; false when the bound is over.
sub until_true
{
	my ($code, $seconds) = @_;
	my $end = time() + ($seconds // $PostgreSQL::Test::Utils::timeout_default);

	while (1)
	{
		return 1 if $code->();
		return 0 if time() > $end;
		usleep(20_000);
	}
}

# Asks a query until its answer is the one expected, and passes or fails.
#
# expected: a string or a pattern.  options: database, seconds
sub becomes
{
	my ($self, $query, $expected, $name, %options) = @_;
	my ($answer, $error);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	until_true(
		sub {
			my $status = $self->psql(
				$options{database} // 'postgres', $query,
				stdout => \$answer, stderr => \$error);

			$answer = "error: $error" if $status != 0;
			return ref $expected ? $answer =~ $expected : $answer eq $expected;
		},
		$options{seconds});
	return ref $expected ? like($answer, $expected, $name) : is($answer, $expected, $name);
}

# As becomes(), where failing is not a test of its own but the end of all.
sub wait_until
{
	my ($self, $query, %options) = @_;
	my ($answer, $error);

	until_true(
		sub {
			$self->psql($options{database} // 'postgres', $query,
				stdout => \$answer, stderr => \$error);
			return $answer eq 't';
		}) or die "waited in vain: $query: $answer $error";
	return;
}

# The listener as pt621_stat_worker() shows it: one column of it.
sub listener
{
	my ($self, $column, $database) = @_;

	return $self->safe_psql($database // 'postgres',
		"SELECT $column FROM pt621_stat_worker() WHERE worker = 'listener'");
}

sub listener_is
{
	my ($self, $expected, $name, %options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $self->becomes(
		q{SELECT coalesce((SELECT concat_ws(': ', state, reason)
		                     FROM pt621_stat_worker() WHERE worker = 'listener'), 'gone')},
		$expected, $name, %options);
}

# Waits until so many listeners, and no others, have the port open.
sub wait_open
{
	my ($self, $database, $listeners) = @_;

	$listeners //= 1;
	$self->wait_until(
		"SELECT count(*) = $listeners AND bool_and(state = 'open') AND count(DISTINCT port) = 1"
		  . " FROM pt621_stat_worker() WHERE worker = 'listener'",
		database => $database // 'postgres');
	$self->{trackers_port} = $self->listener('min(port)', $database);
	return;
}

# Changes settings as an administrator does, and waits until the listener, if
# it listens, has taken them in.
sub configure
{
	my ($self, %settings) = @_;

	foreach my $name (sort keys %settings)
	{
		my $value = $settings{$name};

		$self->safe_psql('postgres',
			defined $value ? "ALTER SYSTEM SET $name = '$value'" : "ALTER SYSTEM RESET $name");
	}
	$self->reload;

	# What a new session shows the postmaster has read, and so it has sent the
	# signal to the others.
	foreach my $name (sort keys %settings)
	{
		next if !defined $settings{$name};
		$self->wait_until("SELECT setting = '$settings{$name}' FROM pg_settings WHERE name = '$name'");
	}
	return;
}

# Likewise for settings that take a restart.
sub restart_with
{
	my ($self, %settings) = @_;

	$self->safe_psql('postgres', "ALTER SYSTEM SET $_ = '$settings{$_}'") foreach sort keys %settings;
	$self->restart;
	$self->wait_open;
	return;
}

# Waits until the listener has begun a turn of its loop after this call.
#
# It counts its connections after reading and before the next turn, at whose
# start it takes in a changed configuration.
sub settle
{
	my ($self) = @_;
	my $before = $self->listener('sum(connections)');
	my $socket = $self->tcp;

	$self->wait_until("SELECT sum(connections) > $before FROM pt621_stat_worker() WHERE worker = 'listener'");
	close($socket);
	$self->wait_until("SELECT sum(connections) <= $before FROM pt621_stat_worker() WHERE worker = 'listener'");
	return;
}

# --------------------------------------------------------------- trackers --

# A socket to the port.  options: proto, host, port, from (an address of ours).
sub connect_tracker
{
	my ($self, %options) = @_;
	my $socket = IO::Socket::IP->new(
		PeerHost => $options{host} // '127.0.0.1',
		PeerPort => $options{port} // $self->{trackers_port},
		(defined $options{from} ? (LocalHost => $options{from}) : ()),
		Proto => $options{proto});

	return undef if !$socket;
	$socket->autoflush(1);
	binmode($socket);
	setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1) if $options{proto} eq 'tcp';
	return $socket;
}

sub tcp
{
	my ($self, %options) = @_;

	return $self->connect_tracker(proto => 'tcp', %options)
	  || die "could not connect: $@";
}

sub udp
{
	my ($self, %options) = @_;

	return $self->connect_tracker(proto => 'udp', %options) || die "no UDP socket: $@";
}

# Writes all bytes.
sub put
{
	my ($socket, $bytes) = @_;
	my $done = 0;

	while ($done < length($bytes))
	{
		my $count = syswrite($socket, $bytes, length($bytes) - $done, $done);

		die "could not write: $!" if !defined $count;
		$done += $count;
	}
	return;
}

# Writes pieces to a socket; the listener has read one before the next is sent.
sub put_apart
{
	my ($self, $socket, @pieces) = @_;
	my $bytes = $self->listener('sum(bytes)');

	foreach my $piece (@pieces)
	{
		put($socket, $piece);
		$bytes += length($piece);
		$self->wait_until("SELECT sum(bytes) >= $bytes FROM pt621_stat_worker() WHERE worker = 'listener'");
	}
	return;
}

# The number of the listener that a connection or path has met; undef while none
# has it.  A path exists from its first datagram on.
sub listener_of
{
	my ($self, $socket) = @_;
	my $number = $self->safe_psql('postgres',
		sprintf("SELECT max(worker) FROM pt621_stat_connection() WHERE transport = '%s' AND peer = '%s' AND peer_port = %d",
			$socket->socktype == Socket::SOCK_DGRAM ? 'udp' : 'tcp', $socket->sockhost, $socket->sockport));

	return $number eq '' ? undef : $number;
}

# Connects until it is a listener that code accepts.  The system deals out
# connections by their numbers, so that another try meets another listener.
sub tcp_where
{
	my ($self, $code) = @_;

	for (1 .. 500)
	{
		my $socket = $self->tcp;
		my $number;

		until_true(sub { defined($number = $self->listener_of($socket)) })
		  or die 'no listener has accepted a connection';
		local $_ = $number;
		return $socket if $code->($number);
		close($socket);
	}
	die 'no listener of those wanted has accepted a connection';
}

# Sends pieces by one TCP connection of its own, and closes it.
sub send_tcp
{
	my ($self, @pieces) = @_;
	my $socket = $self->tcp;

	put($socket, $_) foreach @pieces;
	close($socket);
	return;
}

# Sends datagrams by one socket.
sub send_udp
{
	my ($self, @datagrams) = @_;
	my $socket = $self->udp;

	put($socket, $_) foreach @datagrams;
	close($socket);
	return;
}

# Tells whether the other side closes a connection within the bound.
sub closed_by_server
{
	my ($socket, $seconds) = @_;
	my $select = IO::Select->new($socket);
	my $buffer;

	return 0 if !$select->can_read($seconds // $PostgreSQL::Test::Utils::timeout_default);
	my $count = sysread($socket, $buffer, 1);
	return !defined $count || $count == 0;
}

# The next line that the server sends to a tracker, without its line end; undef
# when none comes within the bound.  Of UDP, the next datagram.
sub heard
{
	my ($socket, $seconds) = @_;
	my $end = time() + ($seconds // $PostgreSQL::Test::Utils::timeout_default);

	while (1)
	{
		my $left = $end - time();

		return $1 if ($heard_of{$socket} //= '') =~ s/\A([^\r\n]*)\r\n//;
		return undef if $left <= 0 || !IO::Select->new($socket)->can_read($left);
		my $count = sysread($socket, $heard_of{$socket}, 65536, length $heard_of{$socket});
		return undef if !$count;
	}
}

# What the archive has of a connection or path, given its own end of it: a query
# for its bytes as `value` gives them.
#
# The number of the end may have been another connection's before: the last one
# with it counts.
sub sent_by_peer
{
	my ($socket, $value) = @_;
	my $transport = $socket->socktype == Socket::SOCK_DGRAM ? 'udp' : 'tcp';

	$value //= "encode(bytes, 'hex')";
	return "SELECT coalesce(string_agg($value, '' ORDER BY seq), '') FROM pt621.frame WHERE conn ="
	  . sprintf("(SELECT conn FROM pt621.frame WHERE peer = '%s' AND peer_port = %d AND transport = '%s'"
		  . ' ORDER BY seq DESC LIMIT 1)', $socket->sockhost, $socket->sockport, $transport);
}

# Forgets all that was received.
sub forget
{
	my ($self, $database) = @_;

	$self->safe_psql($database // 'postgres',
		'TRUNCATE pt621.position, pt621.frame, pt621.device_state, pt621.device RESTART IDENTITY');
	return;
}

# Lets the port be the same whenever it opens again.  It is one that the system
# has chosen, and should somebody else take it meanwhile, the listener waits.
sub keep_port
{
	my ($self) = @_;

	$self->wait_open;
	$self->configure('pt621.port' => $self->{trackers_port});
	$self->wait_open;
	return;
}

# Starts a process that sends records of one tracker as fast as the port takes
# them, connecting again when it must, until stop_load().  None of them is the
# same as another.  Where the port closes and opens, keep_port() comes first.
#
# options: rest, microseconds between writes of 20 records
sub start_load
{
	my ($self, $ident, %options) = @_;
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		my $at = 0;
		my $socket;

		$SIG{TERM} = sub { POSIX::_exit(0) };
		while (1)
		{
			my $bytes = '';

			if (!$socket)
			{
				$socket = $self->connect_tracker(proto => 'tcp')
				  or usleep(20_000), next;
			}
			foreach (1 .. 20)
			{
				my $second = $at++ % 86400;

				$bytes .= record(
					ident => $ident,
					odometer => $at,
					time => sprintf('%02d%02d%02d.000', $second / 3600, $second / 60 % 60, $second % 60));
			}
			eval { put($socket, $bytes); 1 } or undef $socket;
			usleep($options{rest}) if $options{rest};
		}
	}
	push @{ $self->{loads} }, $pid;
	return;
}

sub stop_load
{
	my ($self) = @_;

	while (my $pid = pop @{ $self->{loads} })
	{
		kill("TERM", $pid);
		waitpid($pid, 0);
	}
	return;
}

# A test that dies leaves no process behind.
sub teardown_node
{
	my $self = shift;

	$self->stop_load;
	return $self->SUPER::teardown_node(@_);
}

1;
