# Trackers that note when commands reach them: heard.pl PORT TRACKERS
#
# Prints a line when all are connected and have sent a record; when standard input
# ends, how many commands came, and the median, 99th percentile and longest of the
# milliseconds since the time that each has in its text.
use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my ($port, $trackers) = @ARGV;
my $select = IO::Select->new(\*STDIN);
my (%rest, @took, @sockets);

$| = 1;
foreach my $number (1 .. $trackers)
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "could not connect: $@\n";

	$socket->autoflush(1);
	print $socket sprintf('$POS,77%05d,', $number) . strftime('%H%M%S.000', gmtime) . ',A,4807.0380,N,01131.0000,E,0.00,84.40,'
	  . strftime('%d%m%y', gmtime) . ",,,A/00000,00000/0/1000//f77//\r\n";
	$select->add($socket);
	push @sockets, $socket;
}
print "ready\n";

WAIT: while (1)
{
	foreach my $socket ($select->can_read)
	{
		my $count = sysread($socket, $rest{$socket} //= '', 65536, length $rest{$socket});
		my $now = time();

		last WAIT if $socket == \*STDIN && !$count;
		die "a connection ended\n" if !$count;
		push @took, 1000 * $now - $1 / 1000 while $rest{$socket} =~ s/\A#T(\d+)\r\n//;
	}
}
@took = sort { $a <=> $b } @took;
printf "%d %.1f %.1f %.1f\n", scalar @took, @took ? ($took[ @took / 2 ], $took[ 0.99 * @took ], $took[-1]) : (0, 0, 0);
