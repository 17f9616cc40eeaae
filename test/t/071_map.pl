# The map in a browser: what it shows is what the database has, it can be moved, zoomed and played by mouse, fingers and
# keys, it asks nobody for anything, and what others have written stays text.
use strict;
use warnings;

use Chromium;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP ();
use lib "$FindBin::RealBin/../tool";
use MIME::Base64 qw(encode_base64);
use Picture;
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $JSON = JSON::PP->new->allow_nonref;
my $node = PT621->make('main', conf => "pt621.listen_addresses = ''\n");
my $folder = tempdir(CLEANUP => 1);
my $browser = Chromium->new;
my $files = 0;

$node->create_extension('postgres');

sub sql
{
	return $node->safe_psql('postgres', "SET session_replication_role = replica; SET timezone = 'UTC'; " . shift);
}

# The map that a call of pt621_map() makes, as text; nothing in it depends on how it is transported.
sub map_text
{
	my ($arguments, $before) = @_;

	return $node->safe_psql('postgres', ($before // '') . "SELECT pt621_map($arguments)");
}

sub open_text
{
	my ($text, %options) = @_;
	my $page = $browser->page(%options);
	my $file = "$folder/" . $files++ . '.html';

	open(my $out, '>', $file) or die "$file: $!";
	print $out $text;
	close $out;
	$page->open($file);
	$page->settle;
	return $page;
}

# A page that is done with has complained of nothing and asked for nothing.
sub close_quiet
{
	my ($page, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([ $page->messages, $page->requests ], [], "$name: no complaint, and nothing asked of the network");
	$page->close;
	return;
}

sub text_of
{
	my ($page, $selector) = @_;

	return $page->evaluate('document.querySelector(' . $JSON->encode($selector) . ').textContent');
}

sub texts_of
{
	my ($page, $selector) = @_;

	return $page->evaluate('[...document.querySelectorAll(' . $JSON->encode($selector) . ')].map(node => node.textContent)');
}

# Sets the time as a user does who drags the slider; returns where the first tracker then is, [latitude, longitude].
sub at_time
{
	my ($page, $seconds) = @_;

	$page->evaluate("{ const slider = document.getElementById('time'); slider.value = $seconds;"
		. ' slider.dispatchEvent(new Event("input", { bubbles: true })); }');
	return degrees_of(text_of($page, '#trackers .place'));
}

# The coordinates of a text of the page.
sub degrees_of
{
	my ($lat, $ns, $lon, $ew) = shift =~ /^([\d.]+)\x{b0}\xa0([NS]) ([\d.]+)\x{b0}\xa0([EW])\z/ or return [ 'not', 'a place' ];

	return [ $ns eq 'S' ? -$lat : +$lat, $ew eq 'W' ? -$lon : +$lon ];
}

# What lies under a point of the screen, as the page says it to the mouse.
sub under
{
	my ($page, $x, $y) = @_;

	$page->mouse('mouseMoved', $x, $y);
	$page->settle;
	return degrees_of(text_of($page, '#pointer'));
}

# Box of an element on the screen: [left, top, width, height].
sub box
{
	my ($page, $selector) = @_;

	return $page->evaluate('(box => [box.x, box.y, box.width, box.height])(document.querySelector('
		  . $JSON->encode($selector) . ').getBoundingClientRect())');
}

sub close_to
{
	my ($got, $expected, $off, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($got =~ /^-?[\d.]/ && abs($got - $expected) <= $off, "$name: $got, expected $expected");
}

sub near
{
	my ($got, $expected, $off, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return close_to($got->[0], $expected->[0], $off, "$name, latitude") && close_to($got->[1], $expected->[1], $off, "$name, longitude");
}

# Metres that a pixel is wide, by the bar of scale.
sub scale_of
{
	my ($page) = @_;
	my ($number, $unit) = text_of($page, '#scale-text') =~ /^([\d\x{202f}]+) (km|m|cm)\z/ or return 'no scale';

	return $number =~ s/\x{202f}//gr * { km => 1000, m => 1, cm => 0.01 }->{$unit} / box($page, '#scale-bar')->[2];
}

# ---------------------------------------------------------------------------
# Two vans on a morning: east along a parallel, then north, then standing
# ---------------------------------------------------------------------------

sql(q{
	INSERT INTO pt621.device (id, ident, name, time_zone) VALUES (1, 'A1001', 'Van 1', 'Europe/Berlin'), (2, 'A1002', NULL, 'Europe/Berlin');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 1, '2026-02-16 08:00'::timestamptz + i * interval '10 s',
	       CASE WHEN i <= 60 THEN ST_Point(13 + i * 0.003, 52.5, 4326) ELSE ST_Point(13.18, 52.5 + least(i - 60, 60) * 0.001, 4326) END,
	       CASE WHEN i <= 60 THEN 73 WHEN i <= 120 THEN 40 ELSE 0 END
	  FROM generate_series(0, 300) i;
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 2, '2026-02-16 08:20'::timestamptz + i * interval '20 s', ST_Point(13.1 - i * 0.001, 52.53 + i * 0.0005, 4326), 22
	  FROM generate_series(0, 60) i;
	INSERT INTO pt621.event (kind, device_id, at, until, geom, detail)
	VALUES ('overspeed', 1, '2026-02-16 08:01:40', '2026-02-16 08:02:30', ST_Point(13.03, 52.5, 4326), '{"limit_kmh": 50, "peak_kmh": 73}'),
	       ('ignition_on', 1, '2026-02-16 08:00', NULL, ST_Point(13, 52.5, 4326), NULL);
	INSERT INTO pt621.event (kind, code, object, device_id, at) VALUES ('alarm', 'CPA', 'power_cut', 2, '2026-02-16 08:30'), ('alarm', 'PHO', 'photo', 2, '2026-02-16 08:35'),
	       ('sensor_alarm', NULL, 'too warm', 2, '2026-02-16 08:25'), ('maintenance_due', NULL, 'oil', 2, '2026-02-16 08:25');
	SET session_replication_role = origin;
	INSERT INTO pt621.geofence (name, geom, radius_m, valid)
	VALUES ('Depot', ST_Point(13.18, 52.56, 4326), 500, '(,)'), ('Elsewhere', ST_Point(2, 40, 4326), 500, '(,)'),
	       ('Last year', ST_Point(13.1, 52.5, 4326), 500, '[2025-01-01,2025-12-31)'),
	       ('Yard', ST_MakeEnvelope(13.05, 52.505, 13.06, 52.51, 4326), NULL, '(,)');
});
my $text = map_text("period => '[2026-02-16,2026-02-17)'");

unlike($text, qr/[^\n\t -~]/, 'the page is ASCII');
like($text, qr/<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-\S{43}='; style-src 'sha256-\S{43}='; img-src data:; base-uri 'none'; form-action 'none'">/,
	'its policy forbids all but its own script and style');

my $page = open_text($text);
my $chart = box($page, '#chart');
my ($x, $y) = ($chart->[0] + $chart->[2] / 2, $chart->[1] + $chart->[3] / 2);

is(text_of($page, 'h1'), '2 trackers', 'title');
is(text_of($page, '#span'), "2026-02-16 09:00:00 \x{2013} 09:50:00", 'from when to when, in the zone of the trackers');
like(text_of($page, '#notes'), qr/Times are Europe\/Berlin\./, 'which the page names');
is_deeply(texts_of($page, '#trackers button'), [ 'Van 1', 'A1002' ], 'the legend lists the trackers, by name or ident');
is_deeply(texts_of($page, '#ramp > div'), [ 0, 20, 40, 60, 80, 100, '120+' ], 'the legend of speeds');
is_deeply(texts_of($page, '#layers label'), [ 'Stops (1)', 'Alarms (2)', 'Overspeeds (1)', 'Photos (1)', 'Fences (2)' ], 'the legend of signs');
is_deeply(texts_of($page, '.fence-name'), [ 'Depot', 'Yard' ], 'fences that are near, and hold: a circle, a polygon');
is($page->evaluate('document.querySelectorAll("#marks .alarm").length'), 2, 'alarms are on the map, of the events');
is(sql("SELECT sum(alarms) FROM pt621_summary(period => '[2026-02-16,2026-02-17)')"), 2, 'as many as in a summary');
is($page->evaluate('document.querySelectorAll("#marks .overspeed").length'), 1, 'and overspeeds');
is($page->evaluate('document.querySelectorAll("#marks .photo").length'), 1, 'and where a photo was announced');
is($page->evaluate('document.querySelectorAll("#marks .stop").length'), 1, 'and stops');

# The lines on the screen: from the first place to the last, and in the colours of the speeds.
my $lines = box($page, '#tracks');
cmp_ok($lines->[2] * $lines->[3], '>', 0.2 * $chart->[2] * $chart->[3], 'the tracks fill the map');
ok($lines->[0] > $chart->[0] && $lines->[0] + $lines->[2] < $chart->[0] + $chart->[2]
	&& $lines->[1] > $chart->[1] && $lines->[1] + $lines->[3] < $chart->[1] + $chart->[3], 'all of them');
is_deeply($page->evaluate('[...document.querySelectorAll(".track")].map(track => [...track.querySelectorAll(".leg")]'
	  . '.map((leg, i) => leg.getAttribute("d") ? i : -1).filter(i => i >= 0))'), [ [ 2, 3 ], [1] ], 'in the colours of 40 and 73, and of 22 km/h');
is($page->evaluate('new Set([...document.querySelectorAll("#tracks .below")].map(line => getComputedStyle(line).stroke)).size'), 2,
	'each tracker has a colour of its own');

# ------------------------------------------------------------------ scale --

my ($west, $east) = (under($page, $x - 200, $y), under($page, $x + 200, $y));
my $metres = $node->safe_psql('postgres', "SELECT ST_Distance(ST_Point($west->[1], $west->[0])::geography, ST_Point($east->[1], $east->[0])::geography)");
close_to(scale_of($page) * 400, $metres, $metres / 500, 'metres of 400 pixels by the scale, and by PostGIS');
ok($page->evaluate(q{[...document.querySelectorAll('#grid-labels text')].map(node => node.textContent).includes('52.50\u00b0\u00a0N')}),
	'the grid says where one is');

# ------------------------------------------------------------------- time --

near(at_time($page, 0), [ 52.5, 13 ], 0, 'the marker at the beginning');
near(at_time($page, 100), [ 52.5, 13.03 ], 0, 'after 100 s');
near(at_time($page, 105), [ 52.5, 13.0315 ], 0, 'between two places');
near(at_time($page, 800), [ 52.52, 13.18 ], 0, 'after 800 s');
is(text_of($page, '#now-date') . ' ' . text_of($page, '#now-time'), '2026-02-16 09:13:20', 'the time is shown');
is_deeply(texts_of($page, '#trackers .speed'), [ '40 km/h', 'not heard of' ], 'and each one\'s speed');
is(text_of($page, '.marker .marker-speed'), '40 km/h', 'beside the marker too');
my $marker = box($page, '#markers circle');
near(under($page, $marker->[0] + $marker->[2] / 2, $marker->[1] + $marker->[3] / 2), [ 52.52, 13.18 ], 0.0003, 'where the marker is drawn');

$page->evaluate('document.getElementById("time").focus()');
$page->keys('Home', 'ArrowRight', 'ArrowRight');
my $step = $page->evaluate('Number(document.getElementById("time").step)');
near(degrees_of(text_of($page, '#trackers .place')), [ 52.5, 13 + 2 * $step * 0.0003 ], 0.00001, 'the slider by keys');
is($page->evaluate('document.getElementById("time").getAttribute("aria-valuetext")'), sprintf('2026-02-16 09:00:%02d', 2 * $step), 'says the time to who cannot see');

$page->click('#play');
ok($page->wait_for("Number(document.getElementById('time').value) > " . 5 * $step), 'it plays');
$page->click('#play');
my $paused = text_of($page, '#now-time');
$page->settle foreach 1 .. 3;
is(text_of($page, '#now-time'), $paused, 'and pauses');
$page->keys('End');
$page->click('#play');
ok($page->wait_for("Number(document.getElementById('time').value) < 2900"), 'played at the end it begins again');
at_time($page, 2990);
ok($page->wait_for("document.getElementById('play').ariaPressed === 'false'"), 'and ends at the end');

# -------------------------------------------------------- zooming, moving --

my $scale = scale_of($page);
my $there = under($page, $x + 150, $y - 100);
$page->wheel($x + 150, $y - 100, -500);
cmp_ok(scale_of($page), '<', $scale / 2, 'the wheel zooms');
near(under($page, $x + 150, $y - 100), $there, 0.0001, 'what is under the mouse stays there');

$there = under($page, $x, $y);
$page->drag($x, $y, 120, -80);
near(under($page, $x + 120, $y - 80), $there, 0.00002, 'what is dragged follows the mouse');

$scale = scale_of($page);
$page->click('#zoom-in');
close_to(scale_of($page), $scale / 1.5, $scale / 200, 'a button zooms in');
$page->click('#zoom-out');
close_to(scale_of($page), $scale, $scale / 200, 'and out');
$page->click('#zoom-all');
$there = under($page, $x, $y);
$page->evaluate('document.getElementById("chart").focus()');
$page->keys('ArrowRight', 'ArrowDown');
near(under($page, $x - 80, $y - 80), $there, 0.00002, 'arrow keys move the map');
$scale = scale_of($page);
$page->keys('+', '+', '-');
close_to(scale_of($page), $scale / 1.5, $scale / 200, 'plus and minus zoom');
$page->keys('0');
near(under($page, $x, $y), $there, 0.00001, '0 shows everything');
$page->wheel($x, $y, -3000) foreach 1 .. 6;
cmp_ok(scale_of($page), '>', 0.001, 'there is an end to zooming in');
$page->wheel($x, $y, 3000) foreach 1 .. 12;
cmp_ok(scale_of($page), '<', 200_000, 'and to zooming out');
$page->click('#zoom-all');

# ------------------------------------------------------------ what is what --

my $alarm = box($page, '#marks .alarm');
$page->drag($alarm->[0] + $alarm->[2] / 2, $alarm->[1] + $alarm->[3] / 2, 0, 0);
like(join('|', @{ texts_of($page, '#card-text > *') }), qr/^(alarm: power cut|sensor alarm: too warm)\|(Van 1|A1002)\|/, 'a click on a sign tells what it is');
$page->click('#card-close');
$page->evaluate('document.querySelectorAll("#lists details").forEach(list => { list.open = true; })');
$page->evaluate('[...document.querySelectorAll("#lists button")].find(row => row.textContent.includes("overspeed")).focus()');
$page->keys('Enter');
is_deeply(texts_of($page, '#card-text > *'), [ 'overspeed', 'Van 1', "2026-02-16 09:01:40 \x{2013} 09:02:30", 'at most 73 km/h, limit 50 km/h',
	"52.50000\x{b0}\xa0N 13.03000\x{b0}\xa0E" ], 'so does its row in the list, by keys');
near(under($page, $x, $y), [ 52.5, 13.03 ], 0.0001, 'and the map goes there');
is(text_of($page, '#now-time'), '09:01:40', 'in time, too');
$page->click('#card-close');
ok($page->evaluate('document.getElementById("card").hidden'), 'which can be closed');

$page->click('#zoom-all');
$page->click('#trackers input');
is($page->evaluate('document.querySelector("#tracks .track").getBoundingClientRect().width'), 0, 'a tracker can be hidden');
$page->click('#trackers input');

# --------------------------------------------------------------- keyboard --

# All that can be used is reached by Tab, in the order of the page, has a name, and shows that it has the focus.
my @reached;
$page->evaluate('document.activeElement.blur()');
$page->evaluate('getSelection().removeAllRanges()');
foreach (1 .. 60)
{
	$page->keys('Tab');
	my $focus = $page->evaluate('(node => node === document.body ? null : [node.id || node.className.baseVal || node.className || node.tagName, '
		  . 'getComputedStyle(node).outlineStyle, Boolean(node.ariaLabel || node.labels?.length || node.textContent.trim())])(document.activeElement)');
	last if !$focus || (@reached && $focus->[0] eq $reached[0][0] && @reached > 8);
	push @reached, $focus;
}
my %reached = map { $_->[0] => 1 } @reached;
is_deeply([ grep { !$reached{$_} } qw(chart zoom-in zoom-out zoom-all theme play time rate) ], [], 'Tab reaches everything');
is_deeply([ grep { $_->[1] eq 'none' || !$_->[2] } @reached ], [], 'where the focus is can be seen, and has a name');
close_quiet($page, 'mouse and keys');

# ---------------------------------------------------------------------------
# Dark, calm, small
# ---------------------------------------------------------------------------

my $BRIGHTNESS = '(rgb => rgb.map(Number).reduce((a, b) => a + b))(getComputedStyle(document.body).backgroundColor.match(/\d+/g))';

$page = open_text($text, dark => 1);
cmp_ok($page->evaluate($BRIGHTNESS), '<', 150, 'dark where the system is');
is($page->evaluate('document.getElementById("theme").ariaPressed'), 'true', 'its button says so');
$page->click('#theme');
cmp_ok($page->evaluate($BRIGHTNESS), '>', 600, 'light when one wants it');
close_quiet($page, 'dark');

$page = open_text($text, calm => 1);
$page->click('#play');
my $frames = $page->evaluate(q{new Promise(done => {
	const times = new Set(); const began = performance.now();
	const look = now => { times.add(document.getElementById('time').value); now - began > 1500 ? done(times.size) : requestAnimationFrame(look); };
	requestAnimationFrame(look); })});
cmp_ok($frames, '<=', 3, 'who wants little motion sees a step a second');
close_quiet($page, 'calm');

$page = open_text($text, phone => 1);
is($page->evaluate('document.documentElement.scrollWidth'), 390, 'on a phone nothing is wider than the screen');
is_deeply($page->evaluate('[...document.querySelectorAll("main button, footer button, select")].filter(node => node.offsetParent && '
	  . 'Math.min(node.offsetWidth, node.offsetHeight) < 40).map(node => node.id)'), [], 'buttons are as large as a finger');
$chart = box($page, '#chart');
cmp_ok($chart->[3], '>', 500, 'the map has most of it');
($x, $y) = (195, 400);
$scale = scale_of($page);
my $left = box($page, '#tracks')->[0];
$page->touch([ [ $x, $y ] ], [ [ $x + 30, $y ] ], [ [ $x + 60, $y ] ]);
close_to(box($page, '#tracks')->[0] - $left, 60, 1.5, 'a finger moves the map');
close_to(scale_of($page), $scale, $scale / 200, 'and no more');
$page->touch([ [ $x - 40, $y ], [ $x + 40, $y ] ], [ [ $x - 60, $y ], [ $x + 60, $y ] ], [ [ $x - 80, $y ], [ $x + 80, $y ] ]);
close_to(scale_of($page), $scale / 2, $scale / 50, 'two fingers zoom');
ok($page->evaluate('getComputedStyle(document.getElementById("panel")).visibility') eq 'hidden', 'the legend is away');
$page->click('#open-panel');
is($page->evaluate('getComputedStyle(document.getElementById("panel")).visibility'), 'visible', 'and comes when asked for');
is($page->evaluate('document.documentElement.scrollWidth'), 390, 'without making the page wider');
$page->keys('Tab');
ok($page->evaluate('document.getElementById("panel").contains(document.activeElement)'), 'Tab goes into it');
$page->click('#trackers button');
is($page->evaluate('getComputedStyle(document.getElementById("panel")).visibility'), 'hidden', 'it gives way to what is chosen in it');
close_quiet($page, 'phone');

# ---------------------------------------------------------------------------
# The antimeridian, no place, one place
# ---------------------------------------------------------------------------

sql(q{
	INSERT INTO pt621.device (id, ident) VALUES (3, 'ship'), (4, 'silent'), (5, 'once');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 3, '2026-02-16 08:00'::timestamptz + i * interval '10 min',
	       ST_Point(CASE WHEN i < 10 THEN 179 + i * 0.1 ELSE -180 + (i - 10) * 0.1 END, -17, 4326), 64
	  FROM generate_series(0, 20) i;
	INSERT INTO pt621.position (device_id, fix_time, geom) VALUES (5, '2026-02-16 08:00', ST_Point(-70, -50, 4326));
});
$page = open_text(map_text("'{3}'"));
is(text_of($page, 'h1'), 'ship', 'one tracker is called by its name');
cmp_ok(scale_of($page), '<', 400, 'a track across the antimeridian is near at hand');
ok($page->evaluate('[...document.querySelectorAll("#tracks path")].flatMap(path => path.getAttribute("d")?.match(/-?[\d.]+/g) ?? [])'
	  . '.every(value => Math.abs(value) < 3000)'), 'and no line goes round the world');
$lines = box($page, '#tracks');
cmp_ok($lines->[2], '>', 500, 'it is drawn whole');
near(at_time($page, 6000), [ -17, -180 ], 0.001, 'the marker on it');
near(at_time($page, 9000), [ -17, -179.5 ], 0.001, 'and beyond');
close_quiet($page, 'antimeridian');

$page = open_text(map_text("'{4}'"));
is(text_of($page, 'h1'), '0 trackers', 'a map of nothing');
ok($page->evaluate('!document.getElementById("empty").hidden && document.getElementById("timebar").hidden'), 'says so');
close_quiet($page, 'nothing');
$page = open_text(map_text("'{5}', NULL, 'Seen once'"));
is(text_of($page, 'h1') . ': ' . text_of($page, '#trackers .place'), "Seen once: 50.00000\x{b0}\xa0S 70.00000\x{b0}\xa0W", 'a tracker with one place is there');
ok($page->evaluate('document.querySelectorAll("#markers .marker:not([hidden])").length === 1'), 'with its marker');
close_quiet($page, 'one place');

# ---------------------------------------------------------------------------
# What others have written
# ---------------------------------------------------------------------------

my @hostile = ('<script>alert(1)</script>', q{"><img src=x onerror="alert(2)">}, '</script><script>alert(3)</script><!--',
	"\x{2028}\x{2029}\x{202e}\x{1f600} \\u003c/script> \\", q{'); alert(4); ('}, '{{7*7}}${7*7}<svg onload=alert(5)>&lt;&#60;');
my $rows = join ', ', map { my $name = $JSON->latin1->encode($hostile[$_]) =~ s/'/''/gr; "(10 + $_, ('$name'::json #>> '{}'))" } 0 .. $#hostile;

sql(qq{
	CREATE TABLE public.hostile (id integer, name text);
	INSERT INTO public.hostile VALUES $rows;
	INSERT INTO pt621.device (id, ident, name, time_zone) SELECT id, name, CASE WHEN id % 2 = 0 THEN name END, '</script>' FROM public.hostile;
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh, driver)
	SELECT h.id, '2026-02-16 08:00'::timestamptz + i * interval '1 min', ST_Point(20 + i * 0.01, 10 + h.id * 0.01, 4326), 60, h.name
	  FROM public.hostile h, generate_series(0, 20) i;
	INSERT INTO pt621.event (kind, code, object, device_id, at, geom, detail)
	SELECT h.name, h.name, h.name, h.id, '2026-02-16 08:05', ST_Point(20.05, 10 + h.id * 0.01, 4326), jsonb_build_object('peak_kmh', h.name, 'limit_kmh', '1'::text)
	  FROM public.hostile h;
	SET session_replication_role = origin;
	INSERT INTO pt621.geofence (name, geom, radius_m, valid) SELECT name, ST_Point(20.1, 10 + id * 0.01, 4326), 800, '(,)' FROM public.hostile;
});
my $title = join '', @hostile[ 0 .. 3 ];
my $hostile_text = map_text("(SELECT array_agg(id) FROM public.hostile), NULL, (SELECT string_agg(name, '' ORDER BY id) FROM public.hostile WHERE id < 14)");
unlike($hostile_text, qr/[^\n\t -~]/, 'the page is ASCII, whatever is in it');
$page = open_text($hostile_text);
is(text_of($page, 'h1'), $title, 'hostile: title');
is($page->evaluate('document.title'), $title, 'hostile: title of the window');
is_deeply(texts_of($page, '#trackers button'), \@hostile, 'hostile: names of trackers');
is_deeply([ sort @{ texts_of($page, '.fence-name') } ], [ sort @hostile ], 'hostile: names of fences');
my $alarms = $page->evaluate('[...[...document.querySelectorAll("#lists details")].find(list => list.textContent.startsWith("Other events"))'
	  . '.querySelectorAll("button span:first-child")].map(node => node.textContent)');
is_deeply([ sort @$alarms ], [ sort map { s/_/ /gr . ": $_" } @hostile ], 'hostile: events');
$page->evaluate('[...document.querySelectorAll("#lists button")].forEach(row => row.click())');
is_deeply($page->evaluate('["script", "img", "iframe", "link", "[onload], [onerror], [onclick]"].map(name => document.querySelectorAll(name).length)'),
	[ 3, 0, 0, 1, 0 ], 'hostile: no element but the page\'s own');
close_quiet($page, 'hostile');

# What a mistake let in would not run: with the policy, and without it to see that the test can tell.
my $ATTACK = '<script>document.body.id = "ran"</script><img src="nowhere.png" onerror="document.body.id = \'ran\'"><link rel="stylesheet" href="nowhere.css">';
my $control = $hostile_text =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>//r;

$page = open_text($control =~ s/<body>/<body>$ATTACK/r);
ok($page->wait_for('document.body.id === "ran"'), 'without the policy what is let in runs');
ok(scalar($page->requests), 'and loads');
$page->close;
$page = open_text($hostile_text =~ s/<body>/<body>$ATTACK/r);
is($page->evaluate('document.body.id'), '', 'with it, it does not');
is_deeply([ grep { /nowhere/ } $page->requests ], [], 'and loads nothing');
ok((grep { /Content Security Policy/ } $page->messages) >= 3, 'the browser says why');
$page->close;

# ---------------------------------------------------------------------------
# Photos
# ---------------------------------------------------------------------------

my $picture = Picture::jpeg();
my $svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>';
my $png = pack('H*', '89504e470d0a1a0a') . $svg;
my $bad = substr($picture, 0, 20) . $svg . substr($picture, -2);

# How a photo begins: whose, when (minutes after eight), and a number that tells it from others of that second.
sub photo
{
	my ($device, $minute, $digest, %of) = @_;
	my $camera = defined $of{camera} ? $JSON->latin1->encode($of{camera}) =~ s/'/''/gr : 'null';
	my $size = $of{size} // length($of{jpeg} // '');
	my $received = $of{received} // length($of{jpeg} // '');
	my ($jpeg, $reason) = (defined $of{jpeg} ? bytea($of{jpeg}) : 'NULL', defined $of{reason} ? "'$of{reason}'" : 'NULL');
	my $at = "'2026-02-18 08:00'::timestamptz + $minute * interval '1 min'";

	return qq{
		INSERT INTO pt621.event (kind, code, object, device_id, at, geom)
		SELECT 'alarm', 'PHO', 'photo', $device, $at, ST_Point(13 + $minute * 0.01, 52.5, 4326)
		 WHERE NOT EXISTS (SELECT FROM pt621.event WHERE device_id = $device AND at = $at);
		INSERT INTO pt621.photo (device_id, fix_time, digest, camera, size, received, state, reason, jpeg)
		VALUES ($device, $at, $digest, '$camera'::json #>> '{}', $size, $received, '$of{state}', $reason, $jpeg);};
}

# Opens a photo by its row in the list, by keys; returns the lines of the card.
sub open_photo
{
	my ($page, $minute) = @_;

	$page->evaluate('document.querySelectorAll("#lists details").forEach(list => { list.open = true; })');
	$page->evaluate('[...document.querySelectorAll("#lists button")].find(row => row.textContent.includes('
		  . $JSON->encode(sprintf(' 08:%02d:00', $minute)) . ') && /[Pp]hoto/.test(row.textContent)).focus()');
	$page->keys('Enter');
	return join '|', @{ texts_of($page, '#card-text :is(h2, p)') };
}

# Width, height and words of the pictures in the card, when they are there or have failed.
sub pictures
{
	my ($page) = @_;

	$page->wait_for('[...document.querySelectorAll("#card img")].every(image => image.complete)');
	return $page->evaluate('[...document.querySelectorAll("#card img")].map(image => [image.naturalWidth, image.naturalHeight, image.alt])');
}

sql(q{
	INSERT INTO pt621.device (id, ident, name) VALUES (7, 'A1007', 'Camera car');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 7, '2026-02-18 08:00'::timestamptz + i * interval '1 min', ST_Point(13 + i * 0.01, 52.5, 4326), 41 FROM generate_series(0, 20) i;}
	  . photo(7, 1, 1, camera => 1, state => 'complete', jpeg => $picture)
	  . photo(7, 3, 1, state => 'fetching', size => length $picture, received => 300)
	  . photo(7, 5, 1, camera => 2, state => 'announced', size => 1234)
	  . photo(7, 7, 1, camera => 1, state => 'failed', jpeg => $svg, reason => 'not a JPEG: it begins with SVG')
	  . photo(7, 8, 1, camera => 1, state => 'failed', jpeg => $png, reason => 'not a JPEG: it begins with PNG')
	  . photo(7, 9, 1, camera => 1, state => 'complete', jpeg => $bad)
	  . join('', map { photo(7, 11, $_, camera => $hostile[$_], state => 'complete', jpeg => $picture) } 0 .. $#hostile)
	  . 'INSERT INTO pt621.photo_piece (photo_id, at, bytes) SELECT p.id, v.at, v.bytes FROM pt621.photo p, (VALUES (0, '
	  . bytea(substr $picture, 0, 200) . '), (200, ' . bytea(substr $picture, 200, 100) . q{)) v (at, bytes) WHERE p.state = 'fetching';});
my $photos = map_text("'{7}'");
unlike($photos, qr/[^\n\t -~]/, 'photos: the page is ASCII');
like($photos, qr/; img-src data:; /, 'its policy lets images be part of the page, and come from nowhere else');
$page = open_text($photos);
is(open_photo($page, 1), "Photo, camera 1|Camera car|2026-02-18 08:01:00|52.50000\x{b0}\xa0N 13.01000\x{b0}\xa0E|Camera 1|Complete, " . length($picture) . ' bytes',
	'a photo opens by keys');
is_deeply(pictures($page), [ [ 160, 104, 'Photo, camera 1, Camera car, 2026-02-18 08:01:00' ] ], 'with its picture, and words for who cannot see it');
is_deeply($page->evaluate(q{(image => { const canvas = document.createElement('canvas'); canvas.width = 160; canvas.height = 104;
	const context = canvas.getContext('2d'); context.drawImage(image, 0, 0); return [...context.getImageData(40, 60, 1, 1).data].map((value, i) => Math.abs(value - [60, 66, 76, 255][i]) < 4); })(document.querySelector('#card img'))}),
	[ (JSON::PP::true) x 4 ], 'which is the one that was taken, by a pixel of its gate');
$page->click('#card-close');
$page->click('#zoom-all');
is($page->evaluate('document.querySelectorAll("#marks .photo.pictured").length'), 4, 'signs tell where there is a picture');
my $sign = $page->evaluate('(box => [box.x + box.width / 2, box.y + box.height / 2])([...document.querySelectorAll("#marks .photo")]'
	  . '.map(node => node.getBoundingClientRect()).sort((a, b) => a.x - b.x)[0])');
$page->drag(@$sign, 0, 0);
is(scalar @{ pictures($page) }, 1, 'and open it');
like(text_of($page, '#card-text'), qr/08:01:00/, 'the one that was clicked');

like(open_photo($page, 3), qr/^Photo\|Camera car\|.*\|Being fetched, 578 bytes\|The last 278 bytes are missing, and with them the lower part of the picture\.\z/,
	'of an incomplete photo it is said what is missing');
is_deeply(pictures($page), [ [ 160, 104, 'Photo, Camera car, 2026-02-18 08:03:00, incomplete' ] ], 'what has come is shown');
like(open_photo($page, 5), qr/\|Camera 2\|Announced, 1\x{202f}234 bytes\|Nothing has come of it\.\z/, 'or that nothing has come');
is_deeply(pictures($page), [], 'then there is no picture');
like(open_photo($page, $_->[0]), qr/\|Failed, \d+ bytes\|not a JPEG: it begins with $_->[1]\z/, "what is no JPEG ($_->[1]) is not shown") foreach [ 7, 'SVG' ], [ 8, 'PNG' ];
is_deeply(pictures($page), [], 'nor is it there');
foreach my $bytes ($svg, $png)
{
	unlike($photos, qr/\Q@{[ substr encode_base64($bytes, ''), 0, 60 ]}\E/, 'not in the file either');
}
open_photo($page, 9);
is($page->wait_for('document.querySelector("#card figure p").textContent'), 'The browser cannot show this picture.', 'a broken JPEG is said to be one');
is((split /\|/, open_photo($page, 11))[0], @hostile . ' photos', 'several photos of a second are one sign');
is_deeply(pictures($page), [ map { [ 160, 104, "Photo, camera $_, Camera car, 2026-02-18 08:11:00" ] } @hostile ], 'hostile: what cameras are called');
is_deeply([ grep { /^Camera / } @{ texts_of($page, '#card figcaption p') } ], [ map { "Camera $_" } @hostile ], 'hostile: on the card');
is_deeply($page->evaluate('["script", "svg script", "iframe", "[onload], [onerror], [onclick]"].map(name => document.querySelectorAll(name).length)'),
	[ 3, 0, 0, 0 ], 'hostile: no element but the page\'s own');
my $card = box($page, '#card');
cmp_ok($card->[1] + $card->[3], '<=', 800, 'however many there are, the card is not higher than the screen');
close_quiet($page, 'photos');

$page = open_text($photos, phone => 1);
$page->click('#open-panel');
open_photo($page, 1);
$card = box($page, '#card');
is(scalar @{ pictures($page) }, 1, 'a photo on a phone');
ok($card->[0] >= 0 && $card->[0] + $card->[2] <= 390 && $card->[1] >= 0, 'is on the screen');
close_quiet($page, 'photo on a phone');

# No more than fifty, and 8 MB; the newest.  What is too large leaves room for the others.
my $large = substr($picture, 0, -2) . 'x' x 3_000_000 . "\xFF\xD9";
sql(q{
	INSERT INTO pt621.device (id, ident) VALUES (8, 'A1008'), (9, 'A1009');
	INSERT INTO pt621.position (device_id, fix_time, geom)
	SELECT d, '2026-02-18 08:00'::timestamptz + i * interval '1 min', ST_Point(13 + i * 0.01, 52.5, 4326) FROM unnest('{8,9}'::integer[]) d, generate_series(0, 60) i;}
	  . join('', map { photo(8, $_, 1, state => 'complete', jpeg => $picture) } 1 .. 55)
	  . join('', map { photo(9, $_, 1, state => 'complete', jpeg => $large) } 2 .. 4) . photo(9, 1, 1, state => 'complete', jpeg => $picture));
$page = open_text(map_text("'{8}'"));
like(text_of($page, '#left-out'), qr/^50 of 55 pictures are shown\.\z/, 'the page says how many pictures it leaves out');
like(open_photo($page, 5), qr/\|The page had no room for the picture\.\z/, 'the oldest');
unlike(open_photo($page, 6), qr/no room/, 'and no other');
close_quiet($page, 'many photos');
my $large_text = map_text("'{9}'");
cmp_ok(length $large_text, '<', 12_000_000, 'the page of large photos: ' . length $large_text);
$page = open_text($large_text);
like(text_of($page, '#left-out'), qr/^3 of 4 pictures are shown\.\z/, 'nor more than 8 MB');
is_deeply([ map { open_photo($page, $_) =~ /no room/ ? 1 : 0 } 1 .. 4 ], [ 0, 1, 0, 0 ], 'a small one fits still');
close_quiet($page, 'large photos');

# ---------------------------------------------------------------------------
# Who may see what; how much there is
# ---------------------------------------------------------------------------

sql(readme_sql('Readers and writers'));
sql(q{
	CREATE ROLE bob LOGIN IN ROLE fleet_reader;
	ALTER TABLE pt621.device ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON pt621.device FOR SELECT TO bob USING (ident = 'A1002');
});
my $of_bob = map_text("period => '[2026-02-16,2026-02-17)'", 'SET ROLE bob; ');
ok($of_bob =~ /A1002/ && $of_bob !~ /A1001|Van 1|ship/, 'row security holds');
sql('ALTER TABLE pt621.device DISABLE ROW LEVEL SECURITY');

# How many pictures, of how many; and how many photos are told of.
sub told
{
	my $text = map_text("'{7}'", 'SET ROLE bob; ');
	my ($data, $files) = map { $JSON->decode($text =~ m{<script type="application/json" id="$_">(.*?)</script>}s ? $1 : 'null') } qw(data pictures);

	return join ' ', scalar @$files, @{ $data->{shown}{pictures} }, scalar @{ $data->{photos} }, scalar grep { $_->{kind} eq 'photo' } @{ $data->{marks} };
}

is(told(), '9 9 11 12 7', 'who may read photos has them on the map');
sql('REVOKE SELECT ON pt621.photo_piece FROM fleet_reader');
is(told(), '8 8 11 12 7', 'who may not read their pieces, those that are complete');
sql(q{ALTER TABLE pt621.photo ENABLE ROW LEVEL SECURITY; CREATE POLICY second ON pt621.photo FOR SELECT TO bob USING (camera = '1')});
is(told(), '2 2 4 4 7', 'row security holds for photos');
sql('REVOKE SELECT ON pt621.photo FROM fleet_reader');
is(told(), '0 0 0 0 7', 'who may not read photos has the map without');
$page = open_text(map_text("'{7}'", 'SET ROLE bob; '));
is(open_photo($page, 1), "Photo|Camera car|2026-02-18 08:01:00|52.50000\x{b0}\xa0N 13.01000\x{b0}\xa0E", 'where they were announced');
close_quiet($page, 'no right to photos');

# A month of a minute each, trembling; three months of three.
sql(q{
	INSERT INTO pt621.device (id, ident) SELECT i, 'M' || i FROM generate_series(21, 23) i;
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT d, '2026-03-01'::timestamptz + i * interval '1 min',
	       ST_Point(8 + 0.3 * sin(i / 200.0) + 0.0002 * sin(i * 1.7), 50 + 0.2 * cos(i / 300.0) + 0.0002 * sin(i * 2.9 + d), 4326), 50 + 40 * sin(i / 50.0)
	  FROM generate_series(21, 23) d, generate_series(0, CASE d WHEN 21 THEN 44640 ELSE 60000 END) i;
	INSERT INTO pt621.event (kind, object, device_id, at) SELECT 'alarm', 'x', 21, '2026-03-01'::timestamptz + i * interval '1 s' FROM generate_series(1, 1500) i;
});
my $month = map_text("'{21}'");
cmp_ok(length $month, '<', 2_000_000, 'the page of a month: ' . length $month);
$text = map_text("'{21,22,23}'");
cmp_ok(length $text, '<', 2_000_000, 'that of three trackers and 164,643 places: ' . length $text);
$page = open_text($text);
like(text_of($page, '#left-out'), qr/of 164\x{202f}643 places are shown\./, 'it says that places were left out');
like(text_of($page, '#left-out'), qr/1\x{202f}000 of 1\x{202f}500 events are shown\./, 'and events');
like(text_of($page, '#notes'), qr/no place is more than \d+\.?\d*\xa0m off/, 'and how far off a place is at most');
my ($off) = text_of($page, '#notes') =~ /more than ([\d.]+)\xa0m off/;
foreach my $seconds (600_000, 1_234_560)
{
	my $at = at_time($page, $seconds);
	my $metres = $node->safe_psql('postgres', "SELECT ST_DistanceSphere(geom, ST_Point($at->[1], $at->[0], 4326)) FROM pt621.position
		WHERE device_id = 21 AND fix_time = '2026-03-01'::timestamptz + (SELECT value::integer FROM (VALUES (" . $page->evaluate('document.getElementById("time").value') . ")) v (value)) / 60 * interval '1 min'");

	cmp_ok($metres, '<=', $off + 1, "after $seconds s the marker is so near to where the tracker was");
}
close_quiet($page, 'much');

done_testing();
