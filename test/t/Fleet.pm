# Trackers that keep book: each writes numbered records without ever waiting, and
# knows what it has written and what the other side's kernel has acknowledged.
#
# After a disaster the archive is compared with the book.  A tracker's bytes in
# the archive, in the order of their arrival, must be the beginning of what it
# wrote: nothing left out, nothing twice, nothing else.
package Fleet;

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use Errno qw(EAGAIN);
use PT621;
use PostgreSQL::Test::Utils;
use Socket qw(MSG_DONTWAIT MSG_PEEK SO_SNDBUF SOL_SOCKET);
use Test::More;

# Bytes of a socket that the other side has not acknowledged (SIOCOUTQ).
sub unacknowledged
{
	my ($socket) = @_;
	my $count = pack('i', 0);

	ioctl($socket, 0x5411, $count) or die "SIOCOUTQ: $!";
	return unpack('i', $count);
}

# Tells whether a process runs: one that has ended may stay in the list of
# processes for as long as nobody asks how it ended.
sub runs
{
	my ($pid) = @_;

	open(my $stat, '<', "/proc/$pid/stat") or return 0;
	return (<$stat> // '') !~ /\) [ZX] [^)]*\z/;
}

# Starts a server whose postmaster was killed or has given up.  That may fail for a
# moment: the system still knows the process or holds its shared memory.
sub start_again
{
	my ($node) = @_;

	local %ENV = $node->_get_env;
	my $started = PT621::until_true(sub {
		return PostgreSQL::Test::Utils::system_log('pg_ctl', '-w', '-D', $node->data_dir,
			'-l', $node->logfile, 'start') == 0;
	});

	$node->_update_pid($started);
	return $started;
}

# How many listeners a server should have: one where there is no such setting.
my $WORKERS = "coalesce(current_setting('pt621.workers', true), '1')::integer";

# Restarts a server with so many listeners; false where it cannot have but one.
# Its port must be one that stays the same.
sub restart_with_workers
{
	my ($node, $workers) = @_;

	return 0 if $node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'pt621.workers'") == 0;
	$node->append_conf('postgresql.conf', "pt621.workers = $workers\n");
	$node->restart;
	all_open($node);
	return 1;
}

# Waits until all listeners of a server are open, and none is one that has gone.
sub all_open
{
	my ($node, $gone) = @_;

	$gone //= 0;
	$node->wait_until("SELECT count(*) = $WORKERS AND bool_and(state = 'open' AND pid <> $gone)
		FROM pt621_stat_worker() WHERE worker = 'listener'");
	return;
}

# A counter of all listeners together.
sub total
{
	my ($node, $counter) = @_;

	return $node->safe_psql('postgres', "SELECT coalesce(sum($counter), 0) FROM pt621_stat_worker() WHERE worker = 'listener'");
}

# Lets trackers write until so many more batches are stored; returns how many
# positions could be seen shortly before the end of it.
sub write_for_batches
{
	my ($self, $more) = @_;
	my $node = $self->{node};
	my $end = total($node, 'batches') + $more;
	my $seen;

	PT621::until_true(sub {
		$self->write_some foreach 1 .. 20;
		$seen = $node->safe_psql('postgres', 'SELECT count(*) FROM pt621.position');
		return total($node, 'batches') > $end;
	}) or die 'nothing is stored';
	return $seen;
}

# Lifts the bounds that a test of something else would run into, as far as this
# version has them.
sub lift_bounds
{
	my ($node) = @_;
	my @names = split /\n/, $node->safe_psql('postgres', q{
		SELECT name FROM pg_settings
		 WHERE name ~ '^pt621\.max_(record_rate|.*per_address|.*without_record)$' AND min_val::numeric <= 0});

	$node->configure(map { $_ => 0 } @names) if @names;
	return;
}

# The trackers first .. first + count - 1, connected.
#
# Their sockets send from small buffers: what counts here is what has left them.
sub new
{
	my ($class, $node, $first, $count) = @_;
	my $self = bless { node => $node, trackers => [] }, $class;

	push @{ $self->{trackers} }, { ident => $first + $_, stream => '', records => 0 } foreach 0 .. $count - 1;
	$self->connect;
	return $self;
}

# Connects all of them, anew when they were: each begins with its first record.
sub connect
{
	my ($self) = @_;

	# What has come before is of others, some of whom may have had the same ports.
	$self->{since} = $self->{node}->safe_psql('postgres', 'SELECT coalesce(max(seq), 0) FROM pt621.frame');
	foreach my $tracker (@{ $self->{trackers} })
	{
		my $socket = $self->{node}->tcp;

		setsockopt($socket, SOL_SOCKET, SO_SNDBUF, 16384);
		$socket->blocking(0);
		@$tracker{qw(socket port written acknowledged)} = ($socket, $socket->sockport, 0, 0);
	}
	return;
}

sub disconnect
{
	my ($self) = @_;

	delete $_->{socket} foreach @{ $self->{trackers} };
	return;
}

# Record n of a tracker: one a second, with its number as odometer.
sub numbered
{
	my ($tracker, $n) = @_;

	return record(ident => $tracker->{ident}, odometer => $n * 100,
		time => sprintf('%02d%02d%02d.000', $n / 3600, $n / 60 % 60, $n % 60));
}

# Lets every tracker write some bytes, as far as its socket takes them; returns
# how many all of them have written.  One whose connection has ended is silent.
#
# options: bytes, for each; records: the last record that it has
sub write_some
{
	my ($self, %options) = @_;
	my $sum = 0;

	local $SIG{PIPE} = 'IGNORE';
	foreach my $tracker (@{ $self->{trackers} })
	{
		my $bytes = $options{bytes} // 4096;

		next if !$tracker->{socket};
		while (length($tracker->{stream}) < $tracker->{written} + $bytes
			&& $tracker->{records} < ($options{records} // 86400))
		{
			$tracker->{stream} .= numbered($tracker, $tracker->{records}++);
		}
		my $count = syswrite($tracker->{socket}, $tracker->{stream}, $bytes, $tracker->{written});

		if (!defined $count)
		{
			delete $tracker->{socket} if $! != EAGAIN;
			next;
		}
		$tracker->{written} += $count;
		$sum += $count;
	}
	return $sum;
}

# Lets them write until no socket takes any more: the other side does not read.
sub write_until_full
{
	my ($self) = @_;
	my $quiet = 0;

	return PT621::until_true(sub {
		$quiet = $self->write_some == 0 ? $quiet + 1 : 0;
		return $quiet > 10;
	});
}

# Writes what is left of the first `records` records of each; all are then sent.
sub finish
{
	my ($self, $records) = @_;

	return PT621::until_true(sub {
		1 while $self->write_some(bytes => 65536, records => $records) > 0;
		return !grep { $_->{written} < length($_->{stream}) } @{ $self->{trackers} };
	});
}

# Notes how much of each is acknowledged; returns the sum.  What a connection
# says that has ended would mean nothing, so that keeps what was noted before.
sub note_acknowledged
{
	my ($self) = @_;
	my $sum = 0;

	foreach my $tracker (grep { $_->{socket} } @{ $self->{trackers} })
	{
		my $left = unacknowledged($tracker->{socket});
		my $byte;

		if (!defined recv($tracker->{socket}, $byte, 1, MSG_PEEK | MSG_DONTWAIT) && $! == EAGAIN)
		{
			$tracker->{acknowledged} = $tracker->{written} - $left;
		}
	}
	$sum += $_->{acknowledged} foreach @{ $self->{trackers} };
	return $sum;
}

# Tells how many bytes of each the archive has, having compared them.
sub stored
{
	my ($self, $name) = @_;
	my %tracker = map { $_->{port} => $_ } @{ $self->{trackers} };
	my @wrong;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$_->{stored} = 0 foreach values %tracker;
	foreach my $line (split /\n/, $self->{node}->safe_psql('postgres', q{
		SELECT peer_port, sum(length(bytes)), md5(string_agg(bytes, ''::bytea ORDER BY seq))
		  FROM pt621.frame
		 WHERE transport = 'tcp' AND seq > } . "$self->{since} AND peer_port IN ("
		  . join(', ', keys %tracker) . ') GROUP BY peer_port'))
	{
		my ($port, $size, $md5) = split /\|/, $line;
		my $tracker = $tracker{$port};

		$tracker->{stored} = $size;
		push @wrong, $tracker->{ident}
		  if $size > $tracker->{written} || $md5 ne md5_hex(substr($tracker->{stream}, 0, $size));
	}
	is("@wrong", '', $name);
	return map { $_->{stored} } @{ $self->{trackers} };
}

# How many bytes were acknowledged and are not stored, of each; after stored().
sub missing
{
	my ($self) = @_;

	return map { $_->{acknowledged} > $_->{stored} ? $_->{acknowledged} - $_->{stored} : 0 } @{ $self->{trackers} };
}

# How many records all of them have written or begun to write.
sub records
{
	my ($self) = @_;
	my $records = 0;

	$records += $_->{records} foreach @{ $self->{trackers} };
	return $records;
}

# Every record there is of them is a position, once.
sub all_stored
{
	my ($self, $name) = @_;
	my $records = $self->records;
	my $trackers = @{ $self->{trackers} };
	my $idents = join(', ', map { "'$_->{ident}'" } @{ $self->{trackers} });

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $self->{node}->becomes(qq{
		SELECT count(*), count(DISTINCT (d.ident, p.odometer_m)), count(DISTINCT d.ident)
		  FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident IN ($idents)},
		"$records|$records|$trackers", $name);
}

1;
