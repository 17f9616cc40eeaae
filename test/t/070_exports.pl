# What pt621 exports, read by the programs that it is for: gpsbabel and GDAL; and
# what is in its tiles.  Trackers and fences have names that are attacks.
use strict;
use warnings;

use IPC::Run ();
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->new('main');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'pt621'
pt621.listen_addresses = ''
timezone = 'UTC'
CONF
$node->start;
$node->create_extension('postgres');

# Two drives with a silence between, after a stop; names in UTF-8.
my $NAME = qq{<script>alert("x")</script>&'\\,;\t=cmd()|\xf0\x9f\x9a\x9a};
my $FENCE = qq{</name>"'<&\x01\xc3\xa9};
$node->safe_psql('postgres', sprintf(q{
	INSERT INTO pt621.device (id, ident, name) VALUES (7, '6217', convert_from('\x%s', 'UTF8')), (8, '=6218', E'-1+1\x01\nDROP');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, course, driver)
	SELECT d, '2025-03-01 10:00:00+00'::timestamptz + i * interval '30 s' + CASE WHEN i > 40 THEN interval '3 h' ELSE '0' END,
	       ST_Point(13.0001 + 0.002 * greatest(i - 20, 0), 52.5 + 0.1 * (d - 7), 4326), CASE WHEN i > 20 THEN 36 ELSE 0 END, 90, '=HYPERLINK("x")'
	  FROM generate_series(7, 8) d, generate_series(0, 60) i;
	INSERT INTO pt621.geofence (name, geom, valid) VALUES (convert_from('\x%s', 'UTF8'), ST_MakeEnvelope(13.0, 52.45, 13.05, 52.55, 4326), '(,)')},
	unpack('H*', $NAME), unpack('H*', $FENCE)));

my $folder = PostgreSQL::Test::Utils::tempdir;

# Writes what a query gives to a file; returns its name.
sub export
{
	my ($name, $sql) = @_;
	my $out = '';

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
		'>', \$out, init => sub { $ENV{PGCLIENTENCODING} = 'UTF8' })
	  or die "no $name";
	open(my $file, '>:raw', "$folder/$name") or die "$folder/$name: $!";
	print $file $out;
	close $file;
	return "$folder/$name";
}

# Runs a program; returns what it prints, and fails with what it complains of.
sub output
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ran = IPC::Run::run(\@command, '>', \$out, '2>', \$err);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($ran && $err eq '', "$name: $command[0] accepts it") or diag($err);
	return $out;
}

# ------------------------------------------------------------------- GPX --

my $gpx = export('x.gpx', 'SELECT pt621_gpx()');
my $points = output('GPX', 'gpsbabel', '-t', '-i', 'gpx', '-f', $gpx, '-o', 'unicsv,utc', '-F', '-');
is(scalar(() = $points =~ /^\d+,/mg), 122, 'GPX: gpsbabel has every place');
like($points, qr{^42,52\.500000,13\.042100,.*2025/03/01,13:20:30}m, 'GPX: where and when');
my $tracks = output('GPX', 'ogrinfo', '-ro', '-al', '-q', $gpx, 'tracks');
is(scalar(() = $tracks =~ /MULTILINESTRING \(\([^()]+\),\([^()]+\)\)/g), 2, 'GPX: two tracks of two segments each');
like($tracks, qr{name \(String\) = \Q$NAME\E$}m, 'GPX: a name comes out as it is');
like($tracks, qr{name \(String\) = -1\+1\?\s+DROP}, 'GPX: what XML has no character for does not');

# ------------------------------------------------------------------- KML --

my $kml = export('x.kml', 'SELECT pt621_kml()');
my $shapes = output('KML', 'ogrinfo', '-ro', '-al', $kml);
is(scalar(() = $shapes =~ /^Layer name: /mg), 2, 'KML: a folder for each tracker');
like($shapes, qr{^Layer name: \Q$NAME\E$}m, 'KML: called by its name');
is(scalar(() = $shapes =~ /LINESTRING/g), 4, 'KML: two lines each');
like($shapes, qr{begin \(DateTime\) = 2025/03/01 10:00:00\+00\s.*end \(DateTime\) = 2025/03/01 10:10:00\+00\s.*POINT (Z )?\(13\.0001 52\.5}s,
	'KML: a stop is a point with a time span');
like(output('KML', 'gpsbabel', '-t', '-i', 'kml', '-f', $kml, '-o', 'unicsv,utc', '-F', '-'),
	qr{52\.500000,13\.042100,.*2025/03/01,13:20:30}, 'KML: where and when');

# --------------------------------------------------------------- GeoJSON --

my $features = output('GeoJSON', 'ogrinfo', '-ro', '-al', '-q', export('x.geojson', 'SELECT pt621_geojson()'));
is(scalar(() = $features =~ /^  LINESTRING/mg), 4, 'GeoJSON: the lines');
is(scalar(() = $features =~ /^  POINT/mg) > 0, 1, 'GeoJSON: stops');
like($features, qr{name \(String\) = \Q$NAME\E$}m, 'GeoJSON: a name comes out as it is');
like($features, qr{from \(DateTime\) = 2025/03/01 13:20:30\+00}, 'GeoJSON: times');

# ------------------------------------------------------------------- CSV --

my $rows = output('CSV', 'ogrinfo', '-ro', '-al', '-q', export('x.csv', 'SELECT pt621_csv()'));
is(scalar(() = $rows =~ /^OGRFeature/mg), 122, 'CSV: a row for each record');
like($rows, qr{  name \(String\) = \Q$NAME\E$}m, 'CSV: a name that is no formula comes out as it is');
my @cells = $rows =~ /^  (?:ident|name|driver) \(String\) = (.*)$/mg;
is(scalar(grep { /^[=+\@-]/ } @cells), 0, 'CSV: no text is a formula');
is(scalar(grep { /^'[=+\@-]/ } @cells), 122 + 61 + 61, 'CSV: an apostrophe is before those that would be');

# ----------------------------------------------------------------- tiles --

# Reads a varint.
sub varint
{
	my ($bytes) = @_;
	my ($value, $shift) = (0, 0);

	while (1)
	{
		my $byte = ord(substr($$bytes, 0, 1, ''));

		$value |= ($byte & 127) << $shift;
		return $value if $byte < 128;
		$shift += 7;
	}
}

# Splits a message of protocol buffers: [number, value] for each field.
sub fields
{
	my ($bytes) = @_;
	my @fields;

	while ($bytes ne '')
	{
		my $key = varint(\$bytes);
		my $value =
			($key & 7) == 0 ? varint(\$bytes)
		  : ($key & 7) == 1 ? unpack('d<', substr($bytes, 0, 8, ''))
		  : ($key & 7) == 5 ? unpack('f<', substr($bytes, 0, 4, ''))
		  :                   do { my $size = varint(\$bytes); substr($bytes, 0, $size, '') };

		push @fields, [ $key >> 3, $value ];
	}
	return @fields;
}

sub zigzag
{
	my ($value) = @_;

	return $value & 1 ? -($value >> 1) - 1 : $value >> 1;
}

# The places of a feature, as [x, y], one after another.
sub places
{
	my ($bytes) = @_;
	my ($x, $y) = (0, 0);
	my @places;

	while ($bytes ne '')
	{
		my $command = varint(\$bytes);

		next if ($command & 7) == 7;
		for (1 .. $command >> 3)
		{
			$x += zigzag(varint(\$bytes));
			$y += zigzag(varint(\$bytes));
			push @places, [ $x, $y ];
		}
	}
	return @places;
}

# A tile: name of the layer => features, each a hash of what is said of it, with
# its id, type (1 point, 2 line, 3 polygon) and places.
sub tile
{
	my ($arguments) = @_;
	my %layers;
	my $tile = pack('H*', $node->safe_psql('postgres', "SELECT encode(pt621_tiles($arguments), 'hex')"));

	foreach my $layer (map { $_->[1] } fields($tile))
	{
		my @fields = fields($layer);
		my ($name) = map { $_->[0] == 1 ? $_->[1] : () } @fields;
		my @keys = map { $_->[0] == 3 ? $_->[1] : () } @fields;
		my @values = map { $_->[0] == 4 ? (fields($_->[1]))[0] : () } @fields;

		foreach my $feature (map { $_->[0] == 2 ? { map { @$_ } fields($_->[1]) } : () } @fields)
		{
			my $tags = $feature->{2} // '';
			my %said = (id => $feature->{1}, type => $feature->{3}, places => [ places($feature->{4}) ]);

			while ($tags ne '')
			{
				my $key = $keys[ varint(\$tags) ];
				my $value = $values[ varint(\$tags) ];

				$said{$key} = $value->[0] == 6 ? zigzag($value->[1]) : $value->[1];
			}
			push @{ $layers{$name} }, \%said;
		}
	}
	return \%layers;
}

# 8/137/83 is 12.66 to 14.06 E, 52.05 to 52.91 N (or so).
my $at = '8, 137, 83';
my $during = "period => '[2025-03-01,2025-03-02)'";
my $tile = tile("$at, 'live,fences,tracks,heat', $during");
is(join(' ', sort keys %$tile), 'fences heat live tracks', 'tile: its layers');
my ($van) = grep { $_->{id} == 7 } @{ $tile->{live} };
is_deeply([ @$van{qw(type device_id ident name fix_time course trackers)} ], [ 1, 7, '6217', $NAME, '2025-03-01T13:30:00Z', 90, 1 ],
	'tile: a tracker, by its name');
cmp_ok(abs($van->{speed_kmh} - 36), '<', 0.01, 'tile: its speed');
cmp_ok($van->{age_s}, '>', 86400, 'tile: how long ago that was');
# 13.0801 E 52.5 N, by the formula of Web Mercator.
my ($x, $y) = map { (($_->[0]) * 256 - $_->[1]) * 4096 } [ (13.0801 + 180) / 360, 137 ],
  [ (1 - log(sin(52.5 * atan2(1, 1) / 45) / cos(52.5 * atan2(1, 1) / 45) + 1 / cos(52.5 * atan2(1, 1) / 45)) / (4 * atan2(1, 1))) / 2, 83 ];
ok(abs($van->{places}[0][0] - $x) <= 1 && abs($van->{places}[0][1] - $y) <= 1, 'tile: where it is')
  or diag("@{ $van->{places}[0] }, not $x $y");
is_deeply([ map { @$_{qw(id geofence_id type name)} } @{ $tile->{fences} } ], [ 1, 1, 3, $FENCE ], 'tile: a fence, by its name');
is(scalar(grep { $_->{type} == 2 } @{ $tile->{tracks} }), 2, 'tile: a track for each tracker');
is(scalar(grep { $_->{name} eq $NAME && @{ $_->{places} } > 1 } @{ $tile->{tracks} }), 1, 'tile: by its name');
my $sum = 0;
$sum += $_->{fixes} foreach @{ $tile->{heat} };
cmp_ok($sum, '>=', 100, 'tile: heat from afar counts nearly all');
cmp_ok($sum, '<=', 130, 'tile: and none twice');
$tile = tile("9, 274, 167, 'tracks,heat', $during, devices => '{7}'");
is_deeply([ map { "$_->{device_id} $_->{started_at} $_->{ended_at}" } @{ $tile->{tracks} } ],
	[ '7 2025-03-01T10:00:00Z 2025-03-01T10:20:00Z', '7 2025-03-01T13:20:30Z 2025-03-01T13:30:00Z' ],
	'tile: near by the parts of a track, from when until when');
$sum = 0;
$sum += $_->{fixes} foreach @{ $tile->{heat} };
is($sum, 61, 'tile: heat near by counts each record once');
is_deeply(tile("$at, 'live,tracks,heat', devices => '{9}'"), {}, 'tile: nothing of a tracker that is none');

open(my $file, '>:raw', "$folder/tile.mvt") or die "$folder/tile.mvt: $!";
print $file pack('H*', $node->safe_psql('postgres', "SELECT encode(pt621_tiles($at, 'live,fences,tracks,heat', $during), 'hex')"));
close $file;
my $layers = output('MVT', 'ogrinfo', '-ro', '-al', '-oo', 'X=137', '-oo', 'Y=83', '-oo', 'Z=8', "$folder/tile.mvt");
is(join(' ', sort($layers =~ /^Layer name: (\w+)/mg)), 'fences heat live tracks', 'MVT: GDAL has the layers');
like($layers, qr{name \(String\) = \Q$NAME\E$}m, 'MVT: and the names');

$node->stop;
done_testing();
