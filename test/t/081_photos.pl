# Photos: announced, fetched piece by piece, put together, whatever happens on the
# way.
use strict;
use warnings;

use POSIX qw(strftime);
use PT621;
use Test::More;

my $node = PT621->listening('main', conf => "pt621.photo_timeout = 60\npt621.photo_tries = 3\n");
my $shot = 0;

sub psql
{
	return $node->safe_psql('postgres', shift);
}

# Sends all of it by one write.
sub tells
{
	my ($socket, @bytes) = @_;

	PT621::put($socket, join '', @bytes);
	return;
}

# Runs what is about pieces that are asked for again.
sub asking_again
{
	my ($code) = @_;

	$node->configure('pt621.photo_timeout' => 2);
	$node->settle;
	$code->();
	$node->configure('pt621.photo_timeout' => 60);
	$node->settle;
	return;
}

# So many bytes that are a JPEG, each time others.
sub picture
{
	my ($size) = @_;

	$shot++;
	return "\xFF\xD8" . join('', map { chr(($_ * 7 + $shot * 31) % 251) } 3 .. $size - 2) . "\xFF\xD9";
}

sub announcement
{
	my ($ident, $size, $camera) = @_;
	my @now = gmtime;

	return record(ident => $ident, time => strftime('%H%M%S.000', @now), date => strftime('%d%m%y', @now),
		code => "PHO$size" . (defined $camera ? "-$camera" : ''), odometer => 1000 + $shot);
}

# A piece as a tracker sends it.  number: instead of the offset.
sub piece
{
	my ($picture, $offset, $count, $number) = @_;
	my $bytes = substr($picture, $offset, $count);

	return framed('$PHD' . ($number // $offset) . ',' . length($bytes) . ",$bytes\r\n");
}

# The offset and count that a tracker is asked for next.
sub asked
{
	my ($socket) = @_;
	my $line = PT621::heard($socket) // 'nothing';

	return $1, $2 if $line =~ /\A#PHD(\d+),(\d+)\z/;
	die "asked for: $line";
}

# Answers until the picture has been sent; numbers: what stands for offsets.
sub serve
{
	my ($socket, $picture, $numbers) = @_;
	my @asked;
	my $at = 0;

	while ($at < length $picture)
	{
		my ($offset, $count) = asked($socket);

		push @asked, $offset;
		$at = $offset + $count;
		tells($socket, piece($picture, $offset, $count, $numbers ? $numbers->($offset, $count) : undef));
	}
	return @asked;
}

# What became of the last photo of a tracker.
sub photo_is
{
	my ($ident, $expected, $name, $columns) = @_;

	$columns //= 'p.state, p.received, p.size, p.missing, p.reason';
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $node->becomes("SELECT $columns FROM pt621.photo p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '$ident' ORDER BY p.id DESC LIMIT 1",
		$expected, $name);
}

sub bytes_are
{
	my ($ident, $picture, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is( psql("SELECT pt621_photo_file(p.id) = " . PT621::bytea($picture) . ", p.sha256 = sha256(" . PT621::bytea($picture)
			  . ") FROM pt621.photo p JOIN pt621.device d ON d.id = p.device_id WHERE d.ident = '$ident' ORDER BY p.id DESC LIMIT 1"),
		't|t', $name);
}

# ---------------------------------------------------------------------------
# As it should be
# ---------------------------------------------------------------------------

my $one = $node->tcp;
my $picture = picture(3000);

tells($one, record(ident => '2001', code => 'IN1', time => '120000.000'), announcement('2001', 3000, 1));
is(join(' ', serve($one, $picture)), '0 960 1920 2880', 'a photo is fetched by itself');
photo_is('2001', 'complete|3000|3000||', '... to its end');
bytes_are('2001', $picture, '... byte for byte');
photo_is('2001', '1|f|f|offset', '... with camera, place and time', 'camera, geom IS NULL, fix_time IS NULL, numbering');
is(psql('SELECT count(*) FROM pt621.photo_piece'), 0, '... and nothing lies about');

# Positions come in between, and are not held up.
$picture = picture(2000);
tells($one, announcement('2001', 2000, 2));
my ($offset, $count) = asked($one);

tells($one, record(ident => '2001', time => '120001.000'), piece($picture, $offset, $count), record(ident => '2001', time => '120002.000'));
($offset, $count) = asked($one);
tells($one, delta(record(ident => '2001', time => '120002.000'), record(ident => '2001', time => '120003.000')), piece($picture, $offset, $count));
serve($one, $picture);
photo_is('2001', 'complete|2000|2000||', 'records between the pieces do not matter');
is(psql(q{SELECT count(*) FROM pt621.position WHERE fix_time BETWEEN '2024-03-15 12:00:01Z' AND '2024-03-15 12:00:03Z'}), 3, '... nor pieces to records');

# ---------------------------------------------------------------------------
# Connections end
# ---------------------------------------------------------------------------

$picture = picture(4000);
tells($one, announcement('2001', 4000));
($offset, $count) = asked($one);
tells($one, piece($picture, $offset, $count));
($offset, $count) = asked($one);
close($one);
photo_is('2001', 'fetching|960|4000|[960,4000)|', 'when the connection ends, what has come is kept');
is(psql('SELECT length(pt621_photo_file(max(id))) FROM pt621.photo'), 960, '... and can be looked at');
$node->restart;
$node->wait_open;
my $two = $node->tcp;

tells($two, record(ident => '2001', time => '120004.000'));
is(join(' ', serve($two, $picture)), '960 1920 2880 3840', '... and it goes on there by another one, after a restart too');
bytes_are('2001', $picture, '... byte for byte') if photo_is('2001', 'complete|4000|4000||', '... to its end');

my $udp = $node->udp;

$picture = picture(2500);
tells($udp, announcement('2002', 2500));
($offset, $count) = asked($udp);
tells($udp, piece($picture, $offset, $count));
($offset, $count) = asked($udp);
my $moved = $node->udp;

tells($moved, record(ident => '2002', time => '120005.000'));
is(join(' ', serve($moved, $picture)), '960 1920', 'UDP: it goes on at the new address');
bytes_are('2002', $picture, '... byte for byte') if photo_is('2002', 'complete|2500|2500||', '... to its end');

# ---------------------------------------------------------------------------
# What trackers may get wrong
# ---------------------------------------------------------------------------

$picture = picture(3000);
tells($two, announcement('2001', 3000));
serve($two, $picture, sub { $_[0] / 960 });
photo_is('2001', 'complete|index', 'numbers that count pieces are understood', 'state, numbering');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(2000);
tells($two, announcement('2001', 2000));
asking_again(
	sub {
		is(join(' ', map { ($offset, $count) = asked($two); tells($two, piece($picture, $offset, $count, 0)); $offset } 1 .. 4), '0 960 960 1920',
			'numbers that are always 0 are believed to mean nothing when asking again gives no other');
	});
photo_is('2001', 'complete|none|the numbers of its pieces are neither offsets nor indexes: put together as they came', '... which is said', 'state, numbering, reason');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(3000);
tells($two, announcement('2001', 3000));
foreach (1 .. 4)
{
	($offset, $count) = asked($two);
	tells($two, piece($picture, $offset, $count) x 2);
}
photo_is('2001', 'complete|3000|3000||', 'pieces that come twice are taken once');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(1500);
tells($two, announcement('2001', 1500));
while (1)
{
	($offset, $count) = asked($two);
	tells($two, piece($picture, $offset, $count < 400 ? $count : 400));
	last if $offset + 400 >= 1500;
}
photo_is('2001', 'complete|1500|1500||', 'pieces may be shorter than asked for');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(2000);
tells($two, announcement('2001', 2000));
($offset, $count) = asked($two);
asking_again(
	sub {
		tells($two, piece($picture, 960, 960));
		($offset, $count) = asked($two);
	});
is($offset, 0, 'a piece that was not asked for is not taken for the one that was');
tells($two, piece($picture, $offset, $count));
serve($two, $picture);
photo_is('2001', 'complete|2000|2000||', '... and the photo comes nevertheless');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(1000);
tells($two, announcement('2001', 3000));
foreach (1 .. 5)
{
	($offset, $count) = asked($two);
	tells($two, piece($picture, $offset, $count));
}
photo_is('2001', 'failed|1000|3000|[1000,3000)', 'a size that was too large: what there is is kept, and it is said what is missing',
	'p.state, p.received, p.size, p.missing');
is(psql('SELECT pt621_photo_file(max(id)) = ' . PT621::bytea($picture) . ' FROM pt621.photo'), 't', '... and can be looked at');
psql(q{SET ROLE pt621; UPDATE pt621.photo SET state = 'announced', received = 0, size = 1000, reason = NULL WHERE id = (SELECT max(id) FROM pt621.photo)});
psql(q{SELECT pt621_send(id, 'version') FROM pt621.device WHERE ident = '2001'});
is(PT621::heard($two), '#VER', '... or begun anew');
is(join(' ', serve($two, $picture)), '0 960', '... when something is sent next');
photo_is('2001', 'complete|1000|1000||', '... with its right size');
bytes_are('2001', $picture, '... byte for byte');

$picture = picture(1500);
tells($two, announcement('2001', 1000));
($offset, $count) = asked($two);
is("$offset $count", '0 960', 'a size that was too small: no more is asked for');
tells($two, piece($picture, 0, 960));
($offset, $count) = asked($two);
is("$offset $count", '960 40', '... nor');
tells($two, piece($picture, 960, 540));
photo_is('2001', 'failed|the JPEG has no end: it is cut short, or of several pictures; more bytes came than were announced', '... and it is said',
	'p.state, p.reason');

tells($two, announcement('2001', 100));
asked($two);
tells($two, piece('x' x 100, 0, 100));
photo_is('2001', 'failed|not a JPEG: it begins with \x78787878|100', 'what is no JPEG is kept as it is', 'state, reason, length(jpeg)');

tells($two, announcement('2001', 0));
photo_is('2001', 'failed|it had no picture', 'a photo of no byte is none', 'state, reason') if ++$shot;
tells($two, announcement('2001', 99999999));
photo_is('2001', 'failed|larger than pt621.max_photo_size', 'nor is one without measure', 'state, reason');

# A tracker that reports, but never sends a piece.
$shot++;
asking_again(
	sub {
		tells($two, announcement('2001', 5000));
		foreach my $try (1 .. 3)
		{
			is((asked($two))[0], 0, "asked for the first piece, try $try");
			tells($two, record(ident => '2001', time => sprintf('1201%02d.000', $try)));
		}
		photo_is('2001', 'failed|0|5000|[0,5000)|no answer to the last requests for the bytes from 0 on', 'a photo that does not come is given up');
	});

# One that says nothing, by a connection that is open.
$picture = picture(1000);
asking_again(
	sub {
		tells($two, announcement('2001', 1000));
		is((asked($two))[0], 0, "asked for a piece, try $_") foreach 1 .. 3;
		is(PT621::heard($two, 5), undef, '... and no more often while the tracker is silent');
		photo_is('2001', 'announced', '... whose photo is not given up', 'state');
		tells($two, record(ident => '2001', time => '120110.000'));
		is(join(' ', serve($two, $picture)), '0 960', '... but asked for again when it speaks');
	});
photo_is('2001', 'complete|1000|1000||', '... to its end');
bytes_are('2001', $picture, '... byte for byte');

# Numbers that are neither offsets nor indexes, from the first piece on.
$picture = picture(2000);
asking_again(
	sub {
		tells($two, announcement('2001', 2000));
		is(join(' ', serve($two, $picture, sub { $_[0] / 960 + 1 })), '0 0 960 1920', 'numbers from 1 on are believed when the first piece comes twice');
	});
photo_is('2001', 'complete|none', '... and what they are is said', 'state, numbering');
bytes_are('2001', $picture, '... byte for byte');

# The first is fetched first.
my ($left, $right) = (picture(1200), picture(1100));

tells($two, announcement('2001', 1200, 1));
$shot++;
tells($two, announcement('2001', 1100, 2));
serve($two, $left);
serve($two, $right);
$node->becomes(q{SELECT string_agg(concat_ws(' ', camera, state, size), ', ' ORDER BY id) FROM (SELECT * FROM pt621.photo ORDER BY id DESC LIMIT 2) p},
	'1 complete 1200, 2 complete 1100', 'of two cameras one after the other, in the order of their announcements');

# ---------------------------------------------------------------------------
# When nobody wants them
# ---------------------------------------------------------------------------

$node->configure('pt621.fetch_photos' => 'off');
$node->settle;
$picture = picture(500);
tells($two, announcement('2001', 500));
photo_is('2001', 'announced', 'nothing is fetched where that is switched off', 'state');
psql(q{SELECT pt621_send(id, 'version') FROM pt621.device WHERE ident = '2001'});
is(PT621::heard($two), '#VER', '... but commands are sent');
$node->configure('pt621.fetch_photos' => 'on');
serve($two, $picture);
photo_is('2001', 'complete', '... until it is switched on again', 'state');

$node->configure('pt621.fetch_photos' => 'off');
$node->settle;
$picture = picture(1500);
tells($two, announcement('2001', 1500), piece($picture, 0, 960), record(ident => '2001', time => '120202.000'), piece($picture, 960, 540));
photo_is('2001', 'complete|1500|1500||', 'pieces that come unasked are put together');
bytes_are('2001', $picture, '... byte for byte');

# What nobody has fetched for long.
picture(700), tells($two, announcement('2001', 700)) foreach 1 .. 2;
$node->wait_until(q{SELECT count(*) = 2 FROM pt621.photo WHERE state = 'announced'});
psql(q{SET ROLE pt621;
	UPDATE pt621.photo p SET announced_at = now() - interval '7 days' + o.off
	  FROM (SELECT id, CASE row_number() OVER (ORDER BY id) WHEN 1 THEN interval '-1 min' ELSE interval '1 hour' END AS off
			  FROM pt621.photo WHERE state = 'announced') o
	 WHERE o.id = p.id});
psql('SELECT pt621_command_tick()');
is(psql(q{SELECT string_agg(concat_ws(' ', state, missing, reason), ', ' ORDER BY id) FROM (SELECT * FROM pt621.photo ORDER BY id DESC LIMIT 2) p}),
	'failed [0,700) not fetched within 7 days, announced [0,700)', 'a photo that was announced more than 7 days ago is given up');
$node->configure('pt621.fetch_photos' => 'on');
serve($two, picture(700));
$node->becomes(q{SELECT string_agg(state, ' ' ORDER BY id) FROM (SELECT * FROM pt621.photo ORDER BY id DESC LIMIT 2) p}, 'failed complete', '... and not fetched any more');

# The alarm that caused it, also when it comes later.
my @then = gmtime(time() - 5);

tells($two, announcement('2001', 0));
$node->becomes(q{SELECT state, alarm FROM pt621.picture ORDER BY photo_id DESC LIMIT 1}, 'failed|', 'no alarm has caused it');
tells($two, record(ident => '2001', code => 'IN1', time => strftime('%H%M%S.000', @then), date => strftime('%d%m%y', @then)));
$node->becomes(q{SELECT alarm FROM pt621.picture ORDER BY photo_id DESC LIMIT 1}, 'sos', '... until it is heard of');

# A photo asked for is the answer.
my $id = psql(q{SELECT pt621_send(id, 'photo') FROM pt621.device WHERE ident = '2001'});

PT621::heard($two);
$shot++;
tells($two, announcement('2001', 0, 3));
$node->becomes("SELECT state, answer[1] ~ 'PHO0-3' FROM pt621.command WHERE id = $id", 'answered|t', 'the announcement answers the command for a photo');

$node->stop;
done_testing();
