#!/usr/bin/perl
# Runs TAP tests as prove does and also writes the exact counts to a file:
# "PASSED FAILED" of test points, then one line per file that failed.
#
#   tap.pl COUNTS 'COMMAND' FILE...     COMMAND is what runs a FILE
use strict;
use warnings;
use TAP::Harness;

my ($counts, $command, @files) = @ARGV;

my $aggregate = TAP::Harness->new(
	{
		exec => [ split ' ', $command ],
		failures => 1,
		comments => 1,
		timer => 1
	})->runtests(@files);

my ($passed, $failed, @failed_files) = (0, 0);
foreach my $parser ($aggregate->parsers)
{
	my $bad = $parser->failed;

	# A file that died, or ran fewer tests than it had planned, has failed
	# even where each test that it did run has passed.
	$bad = 1 if !$bad && $parser->has_problems;
	$passed += $parser->passed;
	$failed += $bad;
}
@failed_files = map { $_->[0] } grep { $_->[1]->has_problems }
  map { [ $_, $aggregate->parsers($_) ] } $aggregate->descriptions;

open(my $out, '>', $counts) or die "$counts: $!\n";
print $out join("\n", "$passed $failed", @failed_files), "\n";
close($out) or die "$counts: $!\n";
exit($failed ? 1 : 0);
