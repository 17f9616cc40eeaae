# A small JPEG, drawn by hand: squares of 8 by 8 pixels, each of one colour.
#
# Baseline, three components, one table of each kind.  A square of one colour is
# its mean alone, so that of all coefficients only the first is ever there.
package Picture;

use strict;
use warnings;

# A van at its depot: sky, hall, gate, van, lamp, tyre, yard.
my %COLOUR = ('.' => [ 168, 204, 232 ], h => [ 122, 104, 92 ], g => [ 60, 66, 76 ], v => [ 244, 243, 238 ],
	b => [ 38, 96, 168 ], l => [ 250, 196, 60 ], t => [ 24, 24, 28 ], y => [ 150, 150, 146 ]);
my @VAN = qw(
  ....................
  ....................
  ..hhhhhhhhhhhhhh....
  ..hhhhhhhhhhhhhh....
  ..hggggggghhhhhh....
  ..hgggggggvvvvvvv...
  ..hgggggggvvvvvvbb..
  ..hgggggggvvvvvvbbv.
  ..hgggggggvbbbvvvvvl
  ..hgggggggvvvvvvvvvv
  yyyyyyyyyyyttvvvvtty
  yyyyyyyyyyyttyyyytty
  yyyyyyyyyyyyyyyyyyyy
);

# Code words of the differences, by how many bits these have: length, bits.
my @CATEGORY = ([ 2, 0 ], [ 3, 2 ], [ 3, 3 ], [ 3, 4 ], [ 3, 5 ], [ 3, 6 ], [ 4, 14 ], [ 5, 30 ], [ 6, 62 ]);

sub segment
{
	my ($marker, $bytes) = @_;

	return pack('C2 n', 0xFF, $marker, 2 + length $bytes) . $bytes;
}

# A table of Huffman codes: its class, then how many words of each length there are, then what they mean.
sub table
{
	my ($class, $lengths, @values) = @_;

	return segment(0xC4, pack('C17 C*', $class, (@$lengths, (0) x 16)[ 0 .. 15 ], @values));
}

# Luminance and the two of colour.
sub ycc
{
	my ($r, $g, $b) = @{ $_[0] };

	return map { int($_ + 0.5) } 0.299 * $r + 0.587 * $g + 0.114 * $b,
	  128 - 0.168736 * $r - 0.331264 * $g + 0.5 * $b, 128 + 0.5 * $r - 0.418688 * $g - 0.081312 * $b;
}

# The difference of a value from the one before, and that nothing follows in its square.
sub difference
{
	my ($value) = @_;
	my $bits = 0;

	$bits++ while abs($value) >> $bits;
	my ($length, $word) = @{ $CATEGORY[$bits] };
	my $rest = $value < 0 ? $value + 2**$bits - 1 : $value;
	return sprintf("%0${length}b", $word) . ($bits > 0 ? sprintf("%0${bits}b", $rest) : '') . '0';
}

# The bytes of a picture; rows: a letter of %COLOUR for each square; by default the van's.
sub jpeg
{
	my @rows = @_ ? @_ : @VAN;
	my @last = (128) x 3;
	my $bits = '';

	foreach my $square (map { split // } @rows)
	{
		my @now = ycc($COLOUR{$square});

		$bits .= join '', map { difference($now[$_] - $last[$_]) } 0 .. 2;
		@last = @now;
	}
	$bits .= '1' x (-length($bits) % 8);
	return "\xFF\xD8" . segment(0xE0, "JFIF\0" . pack('C3 n2 C2', 1, 1, 0, 1, 1, 0, 0))
	  # What is multiplied by 8 is then divided by 8.
	  . segment(0xDB, pack('C65', 0, (8) x 64))
	  . segment(0xC0, pack('C n2 C10', 8, 8 * @rows, 8 * length $rows[0], 3, map { $_, 0x11, 0 } 1 .. 3))
	  . table(0x00, [ 0, 1, 5, 1, 1, 1 ], 0 .. 8)
	  . table(0x10, [1], 0)
	  . segment(0xDA, pack('C10', 3, (map { $_, 0 } 1 .. 3), 0, 63, 0))
	  . (pack('B*', $bits) =~ s/\xFF/\xFF\0/gr) . "\xFF\xD9";
}

1;
