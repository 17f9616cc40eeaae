# pt621-sim talks back: it answers commands and obeys some, sends pieces of photos
# as they are asked for, hangs up in the midst of one and goes on, by TCP and
# UDP, and does wrong what it is told to do wrong.  The server is this test.
use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use PT621;
use PostgreSQL::Test::Utils;
use Socket qw(unpack_sockaddr_in);
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $PIECE = 960;

# ---------------------------------------------------------------------------
# The server
# ---------------------------------------------------------------------------

# Begins a fleet that reports to a socket of ours.
sub fleet
{
	my ($transport, @options) = @_;
	my $self = { udp => $transport eq 'udp', error => '', buffer => '' };

	$self->{socket} = IO::Socket::IP->new(
		LocalHost => '127.0.0.1', LocalPort => 0, Proto => $transport,
		$self->{udp} ? () : (Listen => 50, Timeout => $patience)) or die "no socket: $@";
	$self->{sim} = IPC::Run::start(
		[ 'pt621-sim', '--port', $self->{socket}->sockport, '--start' => '2024-03-15T12:00:00Z',
			$self->{udp} ? ('--udp' => 1) : (), @options ],
		'2>', \$self->{error}, IPC::Run::timer($patience));
	return $self;
}

# Gives the next connection; by UDP all come to the one socket.
sub connection
{
	my ($fleet) = @_;

	return $fleet if $fleet->{udp};
	return { socket => $fleet->{socket}->accept // die('no connection'), buffer => '' };
}

# Takes what has come to a connection; false when it has ended.
sub fetch
{
	my ($from) = @_;
	my $bytes;

	IO::Select->new($from->{socket})->can_read($patience) or die 'nothing has come';
	if ($from->{udp})
	{
		$from->{peer} = recv($from->{socket}, $bytes, 65536, 0) // die "recv: $!";
		$from->{peer_port} = (unpack_sockaddr_in($from->{peer}))[0];
	}
	else
	{
		sysread($from->{socket}, $bytes, 65536) or return 0;
	}
	$from->{buffer} .= $bytes;
	return 1;
}

# Gives the next unit: a line, or what a frame holds; undef at the end.
sub unit
{
	my ($from) = @_;

	for (;;)
	{
		if ($from->{buffer} =~ /\A\xBF\xFB.(..)/s)
		{
			my $size = unpack('v', $1);

			if (length($from->{buffer}) >= $size)
			{
				my $frame = substr($from->{buffer}, 0, $size, '');

				die 'a frame that is none' if $frame ne framed(substr($frame, 5));
				return substr($frame, 5);
			}
		}
		elsif ($from->{buffer} !~ /\A\xBF/ && $from->{buffer} =~ s/\A([^\n]*\n)//)
		{
			return $1;
		}
		fetch($from) or return undef;
	}
}

sub say_to
{
	my ($to, $words) = @_;

	if ($to->{udp})
	{
		send($to->{socket}, $words, 0, $to->{peer}) // die "send: $!";
	}
	else
	{
		syswrite($to->{socket}, $words) == length($words) or die "write: $!";
	}
	return;
}

# Reads up to an answer, which it leaves out; gives the records before it.
sub records_before
{
	my ($from, $answer) = @_;
	my @records;

	while (defined(my $unit = unit($from)))
	{
		return @records if $unit eq "$answer\r\n";
		die "not expected: $unit" if $unit !~ /^\$/;
		push @records, $unit;
	}
	die "no answer: $answer";
}

# Takes a piece of a photo apart: offset, count, bytes.
sub piece
{
	my ($from) = @_;
	my $unit = unit($from) // return 'end';

	$unit =~ /\A\$PHD(\d+),(\d+),(.*)\r\n\z/s or return $unit;
	return ($1, $2, $3);
}

sub ask
{
	my ($of, $offset, $count) = @_;

	say_to($of, "#PHD$offset,$count\r\n");
	return piece($of);
}

# Asks for bytes of a photo, piece by piece.
sub bytes_of
{
	my ($of, $from, $to) = @_;
	my $photo = '';

	while ($from < $to)
	{
		my ($offset, $count, $bytes) = ask($of, $from, $PIECE);

		return "$photo, then $offset instead of $from" if $offset ne $from || $count != length($bytes);
		$photo .= $bytes;
		$from += $count;
	}
	return $photo;
}

# Waits until a fleet has ended, or ends it with SIGTERM; gives what it has counted.
sub counts
{
	my ($fleet, $status, @connections) = @_;

	foreach my $connection (grep { !$_->{udp} } @connections)
	{
		1 while defined unit($connection);
		close($connection->{socket});
	}
	$fleet->{sim}->finish;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($fleet->{sim}->result(0), $status, '... and the fleet ends as it should') or diag($fleet->{error});
	return $fleet->{error} =~ /^commands heard: (\d+), answered (\d+); photo pieces sent when asked: (\d+); photos sent to the end: (\d+)$/m
	  ? "$1 $2 $3 $4" : $fleet->{error};
}

# The photos of a file: [ident, number, camera, size announced, time, bytes].
sub photos
{
	my ($file) = @_;
	my ($names, @rows) = split /\n/, slurp_file($file);

	is($names, 'ident,photo,camera,size,time,bytes', 'the truth about photos has its columns');
	return map { my @row = split /,/; $row[5] = pack('H*', substr($row[5], 2)); \@row } @rows;
}

sub outputs
{
	return (PT621::fields(shift))[15];
}

# ---------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------

# As many records as the test may need, whatever the machine has to do besides.
my $fleet = fleet('tcp', '--trackers' => 1, '--records' => 100000, '--speedup' => 200, '--photos-asked', '--answer' => 1,
	'--truth' => "$dir/commands");
my $tracker = connection($fleet);
my @seen = unit($tracker);

is(outputs($seen[0]), '00000', 'all outputs are off at first');
say_to($tracker, "#OPC1,1\r\n");
push @seen, records_before($tracker, 'OPC1,1 OK');
is(scalar(grep { outputs($_) ne '00000' } @seen), 0, '... and until one is switched, which is answered');
push @seen, unit($tracker);
is(outputs($seen[-1]), '10000', '... and the next record shows it');
say_to($tracker, "#OPC3,1\r\n#OPC1,0\r\n#OPC6,1\r\n#OPC1,2\r\n");
push @seen, records_before($tracker, $_) foreach 'OPC3,1 OK', 'OPC1,0 OK', 'OPC6,1 OK', 'OPC1,2 OK';
push @seen, unit($tracker);
is(outputs($seen[-1]), '00100', 'each output has its place, and what is no output none');

say_to($tracker, "#VER\n\r\n#PTI300\r\nno command\r\n#WHAT,'ever',1\r\n");
push @seen, records_before($tracker, $_) foreach 'VER 621-SIM 1.0', 'PTI300 OK', "WHAT,'ever',1 OK";
pass('other commands are answered, too');

say_to($tracker, "#PHO\r\n");
push @seen, records_before($tracker, 'PHO OK');
push @seen, map { unit($tracker) } 1 .. 2;
like($seen[-1], qr/^\$PHO\d+-1,/, 'a photo that a command wants is announced');
is((ask($tracker, 0, 4))[2], "\xFF\xD8\xFF\xDB", '... and can be fetched');

say_to($tracker, "#RST\r\n#VER\r\n");
push @seen, records_before($tracker, 'RST OK');
is(unit($tracker), undef, 'a tracker that is restarted ends its connection, and hears no more on it');
close($tracker->{socket});
$tracker = connection($fleet);
is(unit($tracker), $seen[-1], '... and names itself by its last record on the next one');
push @seen, unit($tracker);
is(outputs($seen[-1]), '00100', '... where outputs are as they were');
$fleet->{sim}->signal('TERM');
while (defined(my $unit = unit($tracker)))
{
	push @seen, $unit;
}
is(counts($fleet, 1, $tracker), '10 10 1 0', '... and all commands are counted');
is_deeply([ map { unpack('H*', $_) } @seen ],
	[ map { /\\x(\w+)$/ ? $1 : () } split /\n/, slurp_file("$dir/commands") ],
	'the truth has the records as they were, the one that came again once');

# Without --answer.
my @answering;
foreach my $share (0, '50%', '50%')
{
	my @connections;
	my @who;

	$fleet = fleet('tcp', '--trackers' => 8, '--records' => 1, '--fast', '--photos' => 1, '--photos-asked',
		'--answer' => $share, '--hold' => $patience);
	foreach (1 .. 8)
	{
		push @connections, connection($fleet);

		my ($ident) = unit($connections[-1]) =~ /,(\d+),/;

		say_to($connections[-1], "#VER\r\n#PHD0,10\r\n");
		my $reply = unit($connections[-1]);
		push @who, $ident if $reply =~ /^VER/;
	}
	$fleet->{sim}->signal('TERM');
	is(counts($fleet, 0, @connections), '8 ' . @who . ' 8 0', "of all trackers $share answer");
	push @answering, join(' ', sort @who);
}
is($answering[0], '', 'none answers unless it is said so');
like($answering[1], qr/^\d+( \d+){0,6}$/, '... else some do, some do not');
is($answering[2], $answering[1], '... which follows from the seed');

# ---------------------------------------------------------------------------
# Photos
# ---------------------------------------------------------------------------

# Two photos of 3,000 bytes from two cameras; the tracker hangs up after two pieces of each.
foreach my $transport ('tcp', 'udp')
{
	my @ports;

	$fleet = fleet($transport, '--trackers' => 1, '--records' => 2, '--fast', '--photos' => 1, '--photos-asked', '--photo-size' => 3000,
		'--cameras' => 2, '--hang-up' => 2, '--hold' => $patience, '--photo-truth' => "$dir/photos_$transport", '--answer' => 1);
	$tracker = connection($fleet);
	@seen = map { unit($tracker) } 1 .. 2;
	is(join(' ', map { /^(\$PHO[\d-]+),/ } @seen), '$PHO3000-1 $PHO3000-2', "$transport: photos are announced, of both cameras");

	my @got;
	foreach my $photo (0, 1)
	{
		push @ports, $tracker->{peer_port} if $tracker->{udp};
		$got[$photo] = bytes_of($tracker, 0, 2 * $PIECE);
		is(length($got[$photo]), 2 * $PIECE, '... two pieces come');
		if (!$tracker->{udp})
		{
			is(unit($tracker), undef, '... then the connection ends');
			close($tracker->{socket});
		}
		$tracker = connection($fleet);
		is(unit($tracker), $seen[-1], '... and the next one begins with the last record');
		isnt($tracker->{peer_port}, $ports[-1], '... from another port') if $tracker->{udp};
		$got[$photo] .= bytes_of($tracker, 2 * $PIECE, 3000);
		is((ask($tracker, 2 * $PIECE, 10))[2], substr($got[$photo], 2 * $PIECE, 10), '... and goes on with that photo, which can be asked for again');
	}
	say_to($tracker, "#PHD3000,960\r\n#PHD0,0\r\n#PHD1,x\r\n#VER\r\n");
	is(unit($tracker), "VER 621-SIM 1.0\r\n", '... but not beyond its end');

	# A server that goes away comes back to a tracker that has nothing else to say.
	if (!$tracker->{udp})
	{
		close($tracker->{socket});
		$tracker = connection($fleet);
		is(unit($tracker), $seen[-1], 'a connection that the server ends is made anew');
		is((ask($tracker, 0, 960))[2], substr($got[1], 0, 960), '... and the last photo can still be had');
	}
	$fleet->{sim}->signal('TERM');
	is(counts($fleet, 0, $tracker), '1 1 ' . ($tracker->{udp} ? 10 : 11) . ' 2', 'what was asked for is counted');

	my @photos = photos("$dir/photos_$transport");
	is(join(' ', map { join(',', @$_[ 0 .. 3 ]) } @photos), '1000001,1,1,3000 1000001,2,2,3000', 'the truth tells of both');
	is($photos[$_][5], $got[$_], '... and has the bytes that came') foreach 0, 1;
	like($photos[0][5], qr/^\xFF\xD8.*\xFF\xD9$/s, '... which are those of a JPEG');
	isnt($photos[0][5], $photos[1][5], '... and another one each time');
}
is(slurp_file("$dir/photos_udp"), slurp_file("$dir/photos_tcp"), 'photos follow from the seed');

# A tracker that makes its connections anew by itself.
foreach my $transport ('tcp', 'udp')
{
	$fleet = fleet($transport, '--trackers' => 1, '--records' => 3, '--fast', '--photos' => 1, '--photos-asked', '--reconnect' => 1,
		'--hold' => $patience, '--photo-truth' => "$dir/again_$transport");
	foreach my $record (1 .. 3)
	{
		$tracker = connection($fleet);
		unit($tracker);
		next if $tracker->{udp} || $record == 3;
		is(unit($tracker), undef, "$transport: a tracker makes its connection anew");
		close($tracker->{socket});
	}
	my ($offset, undef, $bytes) = ask($tracker, 0, $PIECE);
	is($offset, 0, "$transport: ... and answers by the last one");
	$fleet->{sim}->signal('TERM');
	is(counts($fleet, 0, $tracker), '0 0 1 0', '... once');
	is($bytes, substr((photos("$dir/again_$transport"))[0][5], 0, $PIECE), '... with the oldest of its photos');
}

# ---------------------------------------------------------------------------
# Faults
# ---------------------------------------------------------------------------

$fleet = fleet('tcp', '--trackers' => 1, '--records' => 1, '--fast', '--photos' => 1, '--photos-asked', '--photo-size' => 3000,
	'--photo-faults' => 1, '--hold' => $patience, '--photo-truth' => "$dir/faults");
$tracker = connection($fleet);
unit($tracker);
say_to($tracker, "#PHD0,960\r\n");
is(join(' ', (ask($tracker, 960, 900))[ 0, 1 ]), '960 900', 'the first piece asked for is ignored');
is(join(' ', (piece($tracker))[ 0, 1 ]), '960 900', '... the second comes twice');
is(join(' ', (ask($tracker, 0, 960))[ 0, 1 ]), '0 480', '... the third is too short');
my ($offset, $count, $bytes) = ask($tracker, 0, 960);
is("$offset $count", '960 960', '... the fourth is another one');
say_to($tracker, "#PHD0,960\r\n");
my ($beyond, $nothing) = ask($tracker, 2999, 1);
$fleet->{sim}->signal('TERM');
is(counts($fleet, 0, $tracker), '0 0 5 0', '... which counts as sent');
my ($photo) = photos("$dir/faults");
is($bytes, substr($photo->[5], 960, 960), 'what is sent is of the photo, at the offset that is named');
is($photo->[3], 3000, 'the size announced is a lie');
cmp_ok(length($photo->[5]), '<', 3000, '... there is less of it');
is("$beyond $nothing", '2999 0', '... so an empty piece comes');
like($photo->[5], qr/\xFF\xD9$/, '... though it ends like any photo');

# ---------------------------------------------------------------------------
# Options
# ---------------------------------------------------------------------------

foreach my $bad (
	[ '--hang-up', 2 ],
	[ '--photo-faults', '5%' ],
	[ '--photos-asked', '--hang-up', 0 ],
	[ '--photo-size', 3 ],
	[ '--cameras', 0 ],
	[ '--truth', '-', '--photo-truth', '-' ])
{
	IPC::Run::run([ 'pt621-sim', @$bad ], '2>', \my $error);
	is($? >> 8, 2, "wrong: @$bad");
	like($error, qr/^pt621-sim: ./, '... is said');
}

done_testing();
