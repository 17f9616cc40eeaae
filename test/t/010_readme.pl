#!/usr/bin/perl
# What README.md states, asked of the server: settings, functions, columns,
# quality bits, events, and that its SQL runs and shows what is printed there.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{TESTDIR} || '.';

sub slurp_rows
{
	my ($sql, $node) = @_;
	return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('fleet', $sql);
}

# Splits README.md into sections by their headings: title => text.
my $text = slurp_file("$root/README.md");
my %section;
{
	my $title = '';
	foreach my $line (split /\n/, $text)
	{
		$title = $1 if $line =~ /^#+ (.*)/;
		$section{$title} .= "$line\n";
	}
}

# Rows of the Markdown tables in a text, as lists of cells.
sub table_rows
{
	my ($markdown) = @_;
	my @rows;
	foreach my $line (split /\n/, $markdown)
	{
		next unless $line =~ /^\|(.*)\|\s*$/;
		push @rows, [ map { s/^\s+|\s+$//gr } split /\|/, $1, -1 ];
	}
	return @rows;
}

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'pt621'
pt621.database = 'fleet'
pt621.port = 0
timezone = 'UTC'
fsync = off
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE fleet');
$node->safe_psql('fleet', 'SET client_min_messages = warning; CREATE EXTENSION pt621 CASCADE');

# ------------------------------------------------------------- settings --

my %in_server = map { $_->[0] => [ @$_[ 1 .. 4 ] ] } slurp_rows(q{
	SELECT name, boot_val, coalesce(unit, ''),
	       coalesce(min_val || ' to ' || max_val, array_to_string(enumvals, ', '), ''), context
	  FROM pg_settings
	 WHERE name LIKE 'pt621.%'}, $node);
my %in_readme;
foreach my $row (table_rows($section{Settings}))
{
	my ($name, $default) = map { s{^`(.*)`$}{$1}r } @$row[ 0, 1 ];
	$in_readme{$name} = [ $default, @$row[ 2 .. 4 ] ] if $name =~ m{^pt621\.};
}
is_deeply(\%in_readme, \%in_server, 'settings: name, default, unit, range, context');
ok((grep { @$_ == 6 && $_->[5] ne '' && $_->[0] =~ /^`pt621/ } table_rows($section{Settings})) == keys %in_server,
	'each setting says what it is for');

# ------------------------------------------------------------ functions --

# Those for users are the ones whose comment does not begin with "internal:".
my $reference = join '', map { $section{$_} // '' } 'SQL reference', 'Decoding: no table, no side effect',
  'Commands: bytes for a tracker', 'Storing',
  'Places and back-tests', 'Trips and summaries', 'Sensors', 'Tracks and exports', 'Pages', 'Administration';
my @functions = map { s/ DEFAULT (?:now\(\)|'[^']*'|[^,)]+)//gr =~ s/timestamptz/timestamp with time zone/gr }
  map { $_->[0] =~ /^`(pt621_\w+\(.*\))`$/ ? $1 : () } table_rows($reference);
my @expected = map { s/(, )?OUT .*\)/)/r =~ s/\bpublic\.//gr } map { $_->[0] } slurp_rows(q{
	SELECT format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
	  FROM pg_proc p
	  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	 WHERE e.extname = 'pt621'
	   AND coalesce(obj_description(p.oid, 'pg_proc'), '') NOT LIKE 'internal:%'}, $node);
is_deeply([ sort @functions ], [ sort @expected ], 'functions for users');

my %everyone = map { $_ => 1 } map { /^`(pt621_\w+)/ ? $1 : () }
  map { $_->[0] } table_rows($section{'Decoding: no table, no side effect'}),
  grep { ($_->[2] // '') eq 'everybody' } table_rows($reference);
my %public = map { $_->[0] => 1 } slurp_rows(q{
	SELECT p.proname
	  FROM pg_proc p
	 WHERE p.proname LIKE 'pt621%'
	   AND has_function_privilege('public', p.oid, 'EXECUTE')
	   AND obj_description(p.oid, 'pg_proc') NOT LIKE 'internal:%'}, $node);
is_deeply(\%everyone, \%public, 'functions for everybody');

# ---------------------------------------------------- columns and names --

my ($columns) = slurp_rows(q{
	SELECT string_agg(format('`%s`', a.attname), ', ' ORDER BY a.attnum)
	  FROM pg_attribute a
	 WHERE a.attrelid = 'pt621_record'::regclass}, $node);
ok(($reference =~ s/\s+/ /gr) =~ /33 columns: \Q$columns->[0]\E\./, 'columns of pt621_record');

foreach my $table (qw(device calibration input driver position frame event geofence_visit detection sensor_alarm presence_log outbox last_position track presence))
{
	# From the paragraph that opens with its name to the next that does so.
	my ($part) = $section{Schema} =~ /^(\*\*`$table`\*\*.*?)(?=^\*\*`|\z)/ms;
	my @missing = grep { ($part // '') !~ /`\Q$_\E`/ } map { $_->[0] } slurp_rows(qq{
		SELECT attname
		  FROM pg_attribute
		 WHERE attrelid = 'pt621.$table'::regclass AND attnum > 0 AND NOT attisdropped}, $node);
	is_deeply(\@missing, [], "columns of $table");
}
my @unnamed = grep { $section{Schema} !~ /^\*\*.*`$_`.*\*\*/m } map { $_->[0] } slurp_rows(q{
	SELECT relname
	  FROM pg_class
	 WHERE relnamespace = 'pt621'::regnamespace
	   AND relkind IN ('r', 'p', 'v', 'S')
	   AND NOT relispartition
	   AND relname !~ '_id_seq$'}, $node);
is_deeply(\@unnamed, [], 'tables, views and sequences');

my %names = map { $_->[0] =~ /^\d+$/ ? ($_->[0] => $_->[1]) : () } table_rows($section{'Kinds, events, quality'});
my %bits = map { @$_ } slurp_rows(q{
	SELECT 1 << n, (pt621_quality(1 << n))[1]
	  FROM generate_series(0, 30) n
	 WHERE pt621_quality(1 << n) <> '{}'}, $node);
is_deeply(\%names, \%bits, 'quality bits');

# "IN2 ... IN5" stands for four codes, "GOF, GEO" for two.
foreach my $row (map { @$_ == 5 ? ([ @$_[ 0, 1 ] ], [ @$_[ 3, 4 ] ]) : () } table_rows($section{'Kinds, events, quality'}))
{
	my ($codes, $event) = @$row;
	next unless $codes =~ /^[A-Z]/;
	my @codes = split /, /, $codes;
	if ($codes =~ /^(\w\w)(\d) \.\.\. \w\w(\d)$/)
	{
		@codes = map { "$1$_" } $2 .. $3;
	}
	foreach my $code (@codes)
	{
		my $wanted = $event =~ s/^(\w+?)\d(\w*) \.\.\. .*/$1 . substr($code, 2) . $2/er;
		is($node->safe_psql('fleet', "SELECT coalesce(pt621_event('$code'), 'NULL')"), $wanted, "event of $code");
	}
}

# ------------------------------------------------------------ its queries --

# The rows that they are about: what `make run` plays.
$node->poll_query_until('fleet', q{
	SELECT count(*) = 1 FROM pt621_stat_worker() WHERE worker = 'listener' AND state = 'open'})
  or die 'the port does not open';
my $port = $node->safe_psql('fleet', q{SELECT port FROM pt621_stat_worker() WHERE worker = 'listener'});
my ($out, $err);
IPC::Run::run([ 'bash', "$root/test/tool/send-frames.sh", 'tcp', $port ], '>', \$out, '2>', \$err)
  or die "send-frames.sh: $err";
chomp $out;
ok($node->poll_query_until('fleet', "SELECT sum(octet_length(bytes)) = $out FROM pt621.frame"),
	'all frames that make run plays are archived');

# And its two vans.
$node->safe_psql('fleet', q{
	INSERT INTO pt621.device (ident, name, model, time_zone)
	VALUES ('2000001', 'Van 1', 'PT621', 'Europe/Berlin'), ('2000002', 'Van 2', 'PT621', 'Europe/Berlin')});
foreach my $van (1, 2)
{
	my ($lines, $error) = run_command([ 'perl', "$root/test/tool/vans.pl", $van, '2017-05-16' ]);
	is($error, '', "van $van");
	$node->safe_psql('fleet', "SELECT pt621_ingest(decode('" . unpack('H*', "$lines\n") . "', 'hex'))");
}

# A block is indented and ends at an empty line before something that is not.
my @blocks;
my $before_blank = 0;
foreach my $line (split /\n/, $text)
{
	if ($line =~ /^    (.*)/)
	{
		push @blocks, '' unless @blocks && $before_blank == 2;
		$blocks[-1] .= "$1\n";
		$before_blank = 2;
	}
	elsif ($line eq '')
	{
		# What a query shows stands in a block of its own.
		$before_blank = $before_blank == 2 && $blocks[-1] !~ /;\s*$/ ? 2 : 0;
		$blocks[-1] .= "\n" if $before_blank;
	}
	else
	{
		$before_blank = 0;
	}
}

# A truck, every 30 s from 06:00: it drives, is refuelled 200 l at 08:02 with the engine on, drives, and
# loses 45 l while it is parked, from 13:00 to 14:00.
$node->safe_psql('fleet', q{
	INSERT INTO pt621.device (ident, groups) VALUES ('3000001', '{trucks}');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, ignition, inputs, adc, driver)
	SELECT d.id, '2017-05-17 06:00'::timestamptz + i * interval '30 s', ST_Point(13 + m.driven / 67.9, 52.4, 4326),
	       CASE WHEN m.moves THEN 60 ELSE 0 END, t.at <= 240, '0000',
	       ARRAY[round(180 + 9.1875 * least(l.litres, 160) + 9.375 * greatest(l.litres - 160, 0)), 600 + i % 10]::integer[],
	       CASE i WHEN 0 THEN 'A1B2C3' END
	  FROM pt621.device d,
	       generate_series(0, 1440) i,
	       LATERAL (SELECT i / 2.0 AS at) t,
	       LATERAL (SELECT least(t.at, 120) + greatest(least(t.at, 240) - 130, 0) AS driven,
	                       t.at <= 120 OR (t.at > 130 AND t.at <= 240) AS moves) m,
	       LATERAL (SELECT 150 - 0.3 * m.driven + 200 * least(greatest((t.at - 122) / 4, 0), 1)
	                           - 45 * least(greatest((t.at - 420) / 60, 0), 1) + CASE WHEN m.moves THEN 6 * sin(i) ELSE 0 END AS litres) l
	 WHERE d.ident = '3000001'});

my $ran = 0;
for (my $i = 0; $i < @blocks; $i++)
{
	my $sql = $blocks[$i];
	next unless $sql =~ /^(SELECT|CREATE (TABLE|FUNCTION|TRIGGER|INDEX)|GRANT|UPDATE|INSERT INTO pt621\.(calibration|input|driver))\b/;
	# These need another database.
	next if $sql =~ /another database/;
	my ($first) = $sql =~ /^(.{1,60})/;
	$node->psql('fleet', $sql,
		stdout => \my $stdout,
		stderr => \my $stderr,
		extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off', '-P', 'footer=off' ]);
	is($stderr, '', "runs: $first");
	$ran++;
	if ($i + 1 < @blocks && $blocks[$i + 1] =~ /\A\s.*\n-+\+/)
	{
		my ($got, $said) = map { s/[ \t]+$//mgr =~ s/\s+\z//r } $stdout, $blocks[ $i + 1 ];
		is($got, $said, "shows: $first");
	}
}
cmp_ok($ran, '>=', 12, 'queries were found');

# What the example trigger is there for.
$node->safe_psql('fleet', q{
	SELECT pt621_ingest('$IN1,1234567,101500.000,A,5230.9900,N,01322.6600,E,13.32,212.34,290421,,,A/00010,00000/0/1500//f65//')});
is($node->safe_psql('fleet', 'SELECT event FROM public.alarm'), 'sos', 'the example trigger keeps an alarm');

$node->stop;
done_testing();
