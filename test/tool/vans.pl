#!/usr/bin/perl
# Prints what one of two vans reports of a day in Berlin: trips, stops, a refuel, a
# drain, alarms, a silence, a photo that is announced.  The same day, the same lines.
#
#   vans.pl VAN YYYY-MM-DD      VAN: 1 or 2; the day is one of UTC
#   vans.pl photo               the pieces of the photo, which is of van 1
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Picture;
use Time::Local qw(timegm);

my $PHOTO = Picture::jpeg();
my $PIECE = 200;    # bytes of it at once

if (@ARGV == 1 && $ARGV[0] eq 'photo')
{
	binmode STDOUT;
	for (my $at = 0; $at < length $PHOTO; $at += $PIECE)
	{
		my $bytes = substr($PHOTO, $at, $PIECE);

		printf "\$PHD%d,%d,%s\r\n", $at, length $bytes, $bytes;
	}
	exit;
}

my $METRES = 111_195;    # of a degree of latitude

# Where they go: by which corners (longitude, latitude), the last one is the stop; how fast at most; how
# many minutes they stay, how many of these with the engine on; and what else happens there.
my @DEPOT = (13.38560, 52.47080);
my @VANS = (
	{
		ident => '2000001', driver => '04A7512C', start => '06:12:00', litres => 31.5,
		legs => [
			{ by => [ 13.3859, 52.4846, 13.4075, 52.4869, 13.4248, 52.4870 ], kmh => 48, stay => 22 },
			{ by => [ 13.4221, 52.4951, 13.4184, 52.4990, 13.4102, 52.5034, 13.4193, 52.5120, 13.4132, 52.5219 ],
				kmh => 44, stay => 35, idle => 6, alarm => 'HDB', photo => 1 },
			{ by => [ 13.4019, 52.5227, 13.3904, 52.5262, 13.3694, 52.5251 ], kmh => 40, stay => 9, idle => 9 },
			{ by => [ 13.3710, 52.5190, 13.3501, 52.5145, 13.3217, 52.5127 ], kmh => 55, stay => 78, silent => 1 },
			{ by => [ 13.3102, 52.5105, 13.2842, 52.5065, 13.2838, 52.4935, 13.3010, 52.4829, 13.3315, 52.4770 ],
				kmh => 96, stay => 11, refuel => 38, alarm => 'SPD' },
			{ by => [ 13.3532, 52.4731, 13.3700, 52.4712, @DEPOT ], kmh => 50, stay => 110 },
		],
	},
	{
		ident => '2000002', driver => '04B1093F', start => '05:41:00', litres => 58,
		legs => [
			{ by => [ 13.3700, 52.4712, 13.3532, 52.4731, 13.3325, 52.5072 ], kmh => 50, stay => 18 },
			{ by => [ 13.3413, 52.5046, 13.3561, 52.5012, 13.3759, 52.5096 ], kmh => 42, stay => 41, idle => 4, drain => 13 },
			{ by => [ 13.3777, 52.5163, 13.4013, 52.5186, 13.4289, 52.5139, 13.4349, 52.5103 ], kmh => 46, stay => 26 },
			# Through a country where nobody hears it.
			{ by => [ 13.4690, 52.5030, 13.5100, 52.4900, 13.5450, 52.4560 ], kmh => 60, stay => 64, silent => 1, away => 1 },
			{ by => [ 13.4980, 52.4620, 13.4560, 52.4660, 13.4245, 52.4690, @DEPOT ], kmh => 78, stay => 150, alarm => 'HDA' },
		],
	},
);

# -------------------------------------------------------------- the van --

my ($number, $day) = @ARGV;
die "usage: vans.pl 1|2 YYYY-MM-DD, or vans.pl photo\n" if @ARGV != 2 || $number !~ /^[12]$/ || $day !~ /^(\d{4})-(\d\d)-(\d\d)$/;
my $van = $VANS[ $number - 1 ];
my $midnight = timegm(0, 0, 0, $3, $2 - 1, $1);
my ($lon, $lat, $course) = (@DEPOT, 0);
my ($litres, $odometer) = ($van->{litres}, 48_211_300 * $number);
my ($knots, $engine, $code) = (0, 0, 'POS');
my $seed = $number;

# From -1 to 1, evenly, the same in each run.
sub chance
{
	$seed = ($seed * 1_103_515_245 + 12_345) % 2**31;
	return $seed / 2**30 - 1;
}

sub angle
{
	my ($degrees, $width) = @_;
	my $whole = int abs $degrees;

	return sprintf("%0${width}d%07.4f", $whole, (abs($degrees) - $whole) * 60);
}

sub report
{
	my ($time) = @_;
	my ($s, $m, $h, $d, $mon, $year) = gmtime $time;
	# A place is off by some metres, a full tank slops.
	my ($x, $y) = ($lon + chance() * 4e-5, $lat + chance() * 3e-5);
	my $count = int(12.5 * ($litres + chance() * ($knots > 0 ? 0.9 : 0.1)) + 0.5);

	printf "\$%s,%s,%02d%02d%02d.000,A,%s,N,%s,E,%.2f,%.2f,%02d%02d%02d,,,A/%s,00000/%x/%d/%s/fa9//\r\n",
	  $code, $van->{ident}, $h, $m, $s, angle($y, 2), angle($x, 3), $knots, $course, $d, $mon + 1, $year % 100,
	  $engine ? '00010' : '00000', $count, int($odometer / 100) * 100, $engine ? $van->{driver} : '';
	$code = 'POS';
	return;
}

# Stands until a time, with the engine on for so many seconds, and reports every 10 minutes, every 30 s with the engine on.
sub stand
{
	my ($time, $until, $idle) = @_;
	my $off = $time + $idle;

	$knots = 0;
	while ($time < $until)
	{
		$engine = $time < $off;
		report($time);
		my $step = $engine ? 30 : 600;
		$litres -= 0.9 * $step / 3600 if $engine;
		$time += $step;
	}
	return $until;
}

# Drives along a leg, slower near its corners; a report every 15 s.
sub drive
{
	my ($time, $leg) = @_;
	my @corners = ($lon, $lat, @{ $leg->{by} });
	my $reports = 0;

	# It says so when the engine is started.
	$engine = 1;
	report($time);
	for (my $i = 0; $i + 3 < @corners; $i += 2)
	{
		my ($east, $north) = (($corners[ $i + 2 ] - $corners[$i]) * $METRES * cos($lat * 3.14159265 / 180), ($corners[ $i + 3 ] - $corners[ $i + 1 ]) * $METRES);
		my $length = sqrt($east**2 + $north**2);
		my $gone = 0;

		$course = atan2($east, $north) * 180 / 3.14159265;
		$course += 360 if $course < 0;
		while ($gone < $length)
		{
			my $corner = $gone < $length - $gone ? $gone : $length - $gone;
			my $ease = $corner < 300 ? 0.25 + 0.75 * $corner / 300 : 1;
			my $kmh = $leg->{kmh} * $ease * (1 + 0.08 * chance());
			my $step = $kmh / 3.6 * 15;

			$knots = $kmh / 1.852;
			$gone += $step;
			$odometer += $step;
			$litres -= $step / 1000 * 0.14;
			$time += 15;
			my $part = $gone < $length ? $gone / $length : 1;
			$lon = $corners[$i] + ($corners[ $i + 2 ] - $corners[$i]) * $part;
			$lat = $corners[ $i + 1 ] + ($corners[ $i + 3 ] - $corners[ $i + 1 ]) * $part;
			$code = $leg->{alarm} if $leg->{alarm} && ++$reports == 12;
			report($time) unless $leg->{away} && $reports++ > 10;
		}
	}
	return $time + 5;
}

my ($hours, $minutes, $seconds) = split /:/, $van->{start};
my $time = stand($midnight, $midnight + $hours * 3600 + $minutes * 60 + $seconds, 0);

# After noon they make the same round again, without what else happened.
my @legs = @{ $van->{legs} };
push @legs, map { { %$_, refuel => 0, drain => 0, silent => 0, away => 0, alarm => undef, photo => 0 } } @legs;

foreach my $leg (@legs)
{
	my ($stay, $idle) = ($leg->{stay} * 60, ($leg->{idle} // 0) * 60);

	$time = drive($time, $leg);
	if ($leg->{silent})
	{
		$time += $stay;
		next;
	}
	$code = 'PHO' . length($PHOTO) . '-1' if $leg->{photo};
	$time = stand($time, $time + $stay / 2, $idle / 2);
	$litres += ($leg->{refuel} // 0) - ($leg->{drain} // 0);
	$time = stand($time, $time + $stay / 2, $idle / 2);
}
stand($time, $midnight + 86400, 0);
