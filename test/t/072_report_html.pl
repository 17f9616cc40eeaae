# The report page in a browser: what it says is what the report functions say, names stay text, charts keep
# to their axes, and it can be printed, read on a phone, in the dark and by keyboard.
use strict;
use warnings;

use Chromium;
use Encode qw(encode_utf8);
use MIME::Base64 qw(decode_base64);
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{TESTDIR} || '.';
my $node = PT621->make('main');
my $browser = Chromium->new;
my $pages = 0;
my $folder = PostgreSQL::Test::Utils::tempdir;

$node->create_extension('postgres');

# A name that would be markup, if it were let.
my $HOSTILE = q{<script>alert(1)</script></title></style><img src="https://example.org/x" onerror='alert(2)'>&amp; " é};

sub ask { return $node->safe_psql('postgres', $_[0]) }
sub quoted { return "'" . ($_[0] =~ s/'/''/gr) . "'" }

# The page that a call gives, opened.
sub report
{
	my ($arguments, %options) = @_;
	my $file = sprintf '%s/%d.html', $folder, $pages++;
	my $page = $browser->page(%options);

	open(my $out, '>', $file) or die "$file: $!";
	print $out ask("SELECT pt621_report_html($arguments)");
	close $out or die "$file: $!";
	$page->open($file);
	return $page;
}

# The texts of what a selector finds.
sub texts
{
	my ($page, $selector) = @_;

	return map { encode_utf8($_) } @{ $page->evaluate(qq{[...document.querySelectorAll('$selector')].map(node => node.textContent.trim())}) };
}

# The cells of the table with a caption, row by row.
sub rows
{
	my ($page, $id, $part) = @_;

	return map { encode_utf8($_) } @{ $page->evaluate(qq{[...document.getElementById('$id').closest('table').querySelectorAll('$part tr')]
		.map(row => [...row.cells].map(cell => cell.textContent.trim().replace(/\\s+/g, ' ')).join('|'))}) };
}

# ---------------------------------------------------------------------------
# Two vans, one of them with a bad name
# ---------------------------------------------------------------------------

foreach my $van (1, 2)
{
	my ($lines, $error) = run_command([ 'perl', "$root/test/tool/vans.pl", $van, '2017-05-16' ]);
	is($error, '', "the day of van $van");
	ask('SELECT pt621_ingest(' . bytea($lines =~ s/\r?\n|\z/\r\n/gr) . ')');
}
ask('UPDATE pt621.device SET name = ' . quoted($HOSTILE) . ', model = ' . quoted($HOSTILE) . q{, time_zone = 'Europe/Berlin' WHERE ident = '2000001';
	UPDATE pt621.device SET time_zone = 'Europe/Berlin' WHERE ident = '2000002'});
ask(q{INSERT INTO pt621.driver (rfid, name) VALUES ('04A7512C', } . quoted($HOSTILE) . ')');
ask(q{INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value)
	SELECT d.id, 'fuel', 1, 'l', '{0, 1000}', '{0, 80}' FROM pt621.device d WHERE d.ident = '2000001'});
ask('INSERT INTO pt621.geofence (name, geom, radius_m, valid) VALUES (' . quoted($HOSTILE) . q{, ST_Point(13.3856, 52.4708, 4326), 150, '(,)')});
my ($first, $second) = split /\n/, ask('SELECT id FROM pt621.device ORDER BY ident');
my $DAY = q{'[2017-05-16 00:00+02,2017-05-17 00:00+02)'};

my $page = report("'{$first}', $DAY");

is_deeply([ $page->messages ], [], 'no complaint');
is_deeply([ $page->requests ], [], 'nothing is asked of the network');
is($page->evaluate('document.scripts.length'), 0, 'no script');
like($page->evaluate('document.querySelector("meta[http-equiv]").content'), qr/default-src 'none'; script-src 'none'/, 'and none may run');
is(encode_utf8($page->evaluate('document.title')), $HOSTILE, 'a hostile name is the title, as text');
is_deeply([ texts($page, 'h1') ], [$HOSTILE], 'and the heading');
is($page->evaluate('document.querySelectorAll("img, iframe, object, form").length'), 0, 'it makes no element');
is_deeply([ texts($page, 'header.page p:first-of-type') ], ['Tue 16 May 2017, Europe/Berlin'], 'the period');
ok((grep { index($_, $HOSTILE) >= 0 } texts($page, '.tracker > header p')), 'a hostile model stays text');
my %drivers = map { $_ => 1 } texts($page, "#t$first .trip td:last-child");
is_deeply(\%drivers, { $HOSTILE => 1 }, 'so does the name of a driver');
is((texts($page, '.trip .fence'))[0], $HOSTILE, 'and that of a fence, where a trip began');

# ---------------------------------------------------------------------------
# What it says
# ---------------------------------------------------------------------------

my $FIGURES = q{concat_ws('|', to_char(s.metres / 1000, 'FM999990.0'), s.trips,
	to_char(round(s.drive_s / 60) * '1 min'::interval, 'FMHH24:MI'), to_char(round(s.idle_s / 60) * '1 min'::interval, 'FMHH24:MI'),
	to_char(round(s.stopped_s / 60) * '1 min'::interval, 'FMHH24:MI'), to_char(round(s.unobserved_s / 60) * '1 min'::interval, 'FMHH24:MI'),
	to_char(round(s.engine_s / 60) * '1 min'::interval, 'FMHH24:MI'), round(s.top_kmh::numeric), round(s.mean_kmh::numeric),
	to_char(s.fuel_used_l, 'FM999990.0'), s.alarms)};
my $PLACE = q{to_char(s.%1$s_fix AT TIME ZONE 'Europe/Berlin', 'HH24:MI ') || } . quoted($HOSTILE) . q{ || ' ' || round(ST_Y(s.%1$s_geom)::numeric, 5) || ', ' || round(ST_X(s.%1$s_geom)::numeric, 5)};
my @said = rows($page, "t$first-days", 'tbody');

is_deeply(\@said, [ split /\n/, ask("SELECT concat_ws('|', 'Tue 16 May 2017', $FIGURES, " . sprintf($PLACE, 'first') . ', ' . sprintf($PLACE, 'last')
		. ") FROM pt621_summary('{$first}', $DAY) s") ], 'the days are those of pt621_summary()');
is((rows($page, "t$first-days", 'tfoot'))[0], ask("SELECT 'Total|' || $FIGURES || '||' FROM pt621_summary('{$first}', $DAY, 'all') s"), 'and so is the total');
like($said[0], qr/^Tue 16 May 2017\|[1-9]\d\.\d\|1\d\|/, 'it is a day on the road');

my @legs = map { [ split /\|/ ] } rows($page, "t$first-legs", 'tbody');
is(shift(@legs)->[0], 'Tuesday, 16 May 2017', 'trips and stops are below their day');
is_deeply([ map { join '|', @$_[ 0 .. 2 ] } @legs ], [ split /\n/, ask(qq{
	SELECT concat_ws('|', CASE s.kind WHEN 'trip' THEN 'Trip' WHEN 'stop' THEN 'Stop' ELSE 'Not observed' END,
	                 to_char(s.started_at AT TIME ZONE 'Europe/Berlin', 'HH24:MI'),
	                 CASE WHEN s.ongoing THEN 'goes on' ELSE to_char(s.ended_at AT TIME ZONE 'Europe/Berlin', 'HH24:MI') END)
	  FROM pt621_segments('{$first}', $DAY) s ORDER BY s.started_at}) ], 'and are those of pt621_segments(), in local time');
is_deeply([ map { (split /\|/)[1] } rows($page, "t$first-alarms", 'tbody') ], [ 'harsh braking (HDB)', 'overspeed (SPD)' ], 'alarms');
is_deeply([ map { join '|', (split /\|/)[ 1, 2 ] } rows($page, "t$first-fuel", 'tbody') ],
	[ split /\n/, ask(qq{SELECT CASE e.kind WHEN 'refuel' THEN 'Refuel|' ELSE 'Drain|' END || to_char(e.litres, 'FM990.0')
		FROM pt621_fuel_events('{$first}', $DAY) e ORDER BY e.started_at}) ], 'refuels and drains are those of pt621_fuel_events()');

# ---------------------------------------------------------------------------
# Charts
# ---------------------------------------------------------------------------

my $CHARTS = q{[...document.querySelectorAll('figure')].map(figure => {
	const box = node => { const r = node.getBoundingClientRect(); return [r.left, r.right, r.top, r.bottom]; };
	const path = figure.querySelector('path');
	const axes = [...figure.querySelectorAll('.axis, .grid')].map(box);
	return { name: figure.querySelector('figcaption').firstChild.textContent.trim(), path: box(path),
		plot: [axes[0][0], axes[0][1], Math.min(...axes.map(a => a[2])), Math.max(...axes.map(a => a[3]))],
		parts: path.getAttribute('d').split('M').length - 1, points: path.getAttribute('d').split(/[ML]/).length - 1,
		marks: [...figure.querySelectorAll('g')].map(g => g.getAttribute('class')), titles: [...figure.querySelectorAll('g title')].map(t => t.textContent),
		label: figure.querySelector('svg[role=img]').getAttribute('aria-label') }; })};

foreach my $chart (@{ $page->evaluate($CHARTS) })
{
	my ($left, $right, $top, $bottom) = @{ $chart->{path} };
	my @plot = @{ $chart->{plot} };

	ok($left >= $plot[0] - 1 && $right <= $plot[1] + 1 && $top >= $plot[2] - 1 && $bottom <= $plot[3] + 1, "$chart->{name}: the line keeps within the axes");
	cmp_ok($right - $left, '>', 0.9 * ($plot[1] - $plot[0]), "$chart->{name}: it is as long as the day");
	cmp_ok($bottom - $top, '>', 0.4 * ($plot[3] - $plot[2]), "$chart->{name}: and as high as the axis asks for");
	is($chart->{parts}, 2, "$chart->{name}: a silence of more than an hour is a gap");
	cmp_ok($chart->{points}, '<=', 962, "$chart->{name}: no more points than can be seen");
	isnt($chart->{label}, '', "$chart->{name}: has a name for who cannot see it");
}
is_deeply([ map { $_->{name} } @{ $page->evaluate($CHARTS) } ], [ 'Speed', 'Fuel' ], 'charts of speed and of fuel');
is_deeply($page->evaluate($CHARTS)->[1]{marks}, [ split /\n/, ask("SELECT kind FROM pt621_fuel_events('{$first}', $DAY) ORDER BY started_at") ], 'refuels are marked');
like($page->evaluate($CHARTS)->[1]{titles}[0], qr/^refuel of 3\d\.\d litres, 16 May \d\d:\d\d$/, 'and said');
is_deeply([ texts($page, 'figure:first-of-type .plot > text') ], [ '16 May', '03:00', '06:00', '09:00', '12:00', '15:00', '18:00', '21:00', '17 May' ], 'hours of the time zone');
is_deeply([ texts($page, 'figure:first-of-type .scale text') ], [ 0, 50, 100, 150 ], 'speeds from 0 on, in round steps');

# The extremes of many are kept: 20,000 readings, one of them higher than the others.
ask(q{INSERT INTO pt621.device (id, ident) VALUES (7000, '7000');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 7000, '2020-02-01 00:00+00'::timestamptz + n * interval '1 min', ST_Point(10 + 0.0001 * (n % 2), 50, 4326), CASE n WHEN 11111 THEN 87 ELSE 20 END
	  FROM generate_series(0, 19999) n});
my $many = report(q{'{7000}', '[2020-02-01,2020-03-01)'});
my ($chart) = @{ $many->evaluate($CHARTS) };
is(sprintf('%.1f', ($chart->{plot}[3] - $chart->{path}[2]) / ($chart->{plot}[3] - $chart->{plot}[2])), sprintf('%.1f', 87 / 100), 'one high speed of 20,000 is seen');
cmp_ok($chart->{points}, '<=', 962, 'few points tell of them');
is_deeply([ (texts($many, 'figure .plot > text'))[ 0, 1 ] ], [ '3 Feb', '10 Feb' ], 'a month has weeks');
$many->close;

# The clock is put back on 25 October 2026: that day has 25 hours.
is(ask(q{SELECT string_agg(label || '=' || round(extract(epoch FROM at - '2026-10-25 00:00+02') / 3600), ' ' ORDER BY at)
	FROM pt621_chart_times('2026-10-25 00:00+02', '2026-10-26 00:00+01', 'Europe/Berlin')}),
	'25 Oct=0 06:00=7 12:00=13 18:00=19 26 Oct=25', 'hours of a day with a change of the clock');

# ---------------------------------------------------------------------------
# How it is read
# ---------------------------------------------------------------------------

is($page->evaluate('[...document.querySelectorAll("table")].every(table => table.caption && table.caption.textContent)'), 1, 'tables have captions');
is($page->evaluate('[...document.querySelectorAll("th")].every(th => th.scope)'), 1, 'headers say what they are of');
is($page->evaluate('new Set([...document.querySelectorAll("[id]")].map(n => n.id)).size === document.querySelectorAll("[id]").length'), 1, 'each id is there once');
is($page->evaluate('document.documentElement.lang'), 'en', 'the language is said');
$page->keys('Tab');
is($page->evaluate('document.activeElement.className'), 'wide', 'a table is reached by keyboard');
cmp_ok($page->evaluate('document.documentElement.scrollWidth'), '<=', 1280, 'no wider than the window');

my $phone = report("NULL, $DAY", phone => 1);
cmp_ok($phone->evaluate('document.documentElement.scrollWidth'), '<=', 390, 'no wider than a phone');
is($phone->evaluate('[...document.querySelectorAll("table")].every(table => table.offsetWidth <= table.parentNode.clientWidth || getComputedStyle(table.parentNode).overflowX === "auto")'),
	1, 'wide tables scroll by themselves');
my $OVERLAP = q{(() => { const seen = [...document.querySelector('figure').querySelectorAll('.plot > text')].map(t => t.getBoundingClientRect()).filter(r => r.width > 0);
	return seen.filter((r, i) => i > 0 && r.left < seen[i - 1].right).length; })()};
is($phone->evaluate($OVERLAP), 0, 'labels of the time keep apart');
is($page->evaluate($OVERLAP), 0, 'so they do on a large screen');
$phone->close;

# Lightness of a colour, 0 to 255.
my $LIGHTNESS = q{(property, node) => { const c = getComputedStyle(node)[property].match(/[\d.]+/g).map(Number); return (c[0] * 299 + c[1] * 587 + c[2] * 114) / 1000; }};
my $dark = report("'{$first}', $DAY", dark => 1);
cmp_ok($dark->evaluate("($LIGHTNESS)('backgroundColor', document.body)"), '<', 60, 'dark where dark is wanted');
cmp_ok($dark->evaluate("($LIGHTNESS)('color', document.querySelector('td'))"), '>', 180, 'with light letters');
cmp_ok($dark->evaluate("($LIGHTNESS)('stroke', document.querySelector('path'))"), '>', 90, 'and a line that can be seen');

# ---------------------------------------------------------------------------
# On paper, also from a dark screen
# ---------------------------------------------------------------------------

$dark->call('Emulation.setEmulatedMedia', { media => 'print', features => [ { name => 'prefers-color-scheme', value => 'dark' } ] });
cmp_ok($dark->evaluate("($LIGHTNESS)('color', document.querySelector('td'))"), '<', 60, 'dark letters on paper');
is($dark->evaluate('getComputedStyle(document.body).backgroundColor'), 'rgba(0, 0, 0, 0)', 'no background');
is($dark->evaluate('getComputedStyle(document.querySelector("thead")).display'), 'table-header-group', 'headers are repeated');
is($dark->evaluate('getComputedStyle(document.querySelector("tbody tr")).breakInside'), 'avoid', 'no row is cut');
is($dark->evaluate('getComputedStyle(document.querySelector(".wide")).overflowX'), 'visible', 'nothing is hidden in a box that scrolls');
$dark->close;

foreach my $paper ([ 'A4', 8.27, 11.69 ], [ 'letter', 8.5, 11 ])
{
	my ($name, $width, $height) = @$paper;
	my $pdf = decode_base64($page->call('Page.printToPDF', { paperWidth => $width, paperHeight => $height, marginLeft => 0.4, marginRight => 0.4 })->{data});

	like($pdf, qr/\A%PDF/, "it prints on $name");
	cmp_ok(scalar(() = $pdf =~ m{/Type /Page\b}g), '>=', 1, "$name: pages");
	# As wide as the paper without its margins, in CSS pixels.
	$page->emulate(width => int(($width - 0.95) * 96), height => 1000);
	$page->call('Emulation.setEmulatedMedia', { media => 'print' });
	is($page->evaluate('Math.max(...[...document.querySelectorAll("table")].map(t => t.offsetWidth - t.parentNode.clientWidth))'), 0, "$name: no table is wider than the paper");
}
$page->close;

# ---------------------------------------------------------------------------
# Several trackers, and bounds
# ---------------------------------------------------------------------------

my $fleet = report("'{$first,$second}', $DAY, " . quoted($HOSTILE));
is_deeply([ texts($fleet, 'h1') ], [$HOSTILE], 'a title of one\'s own, as text');
is_deeply([ texts($fleet, 'h2') ], [ sort $HOSTILE, '2000002' ], 'a section for each tracker');
is((rows($fleet, 'fleet', 'tfoot'))[0] =~ s/\|[^|]*\|([^|]*\|[^|]*)$/|$1/r, ask(qq{
	SELECT concat_ws('|', '2 trackers', to_char(sum(s.metres) / 1000, 'FM999990.0'), sum(s.trips),
	       to_char(round(sum(s.drive_s) / 60) * '1 min'::interval, 'FMHH24:MI'), to_char(round(sum(s.idle_s) / 60) * '1 min'::interval, 'FMHH24:MI'),
	       to_char(round(sum(s.stopped_s) / 60) * '1 min'::interval, 'FMHH24:MI'), to_char(round(sum(s.unobserved_s) / 60) * '1 min'::interval, 'FMHH24:MI'),
	       to_char(round(sum(s.engine_s) / 60) * '1 min'::interval, 'FMHH24:MI'), round(max(s.top_kmh)::numeric),
	       to_char(sum(s.fuel_used_l), 'FM999990.0'), sum(s.alarms))
	  FROM pt621_summary('{$first,$second}', $DAY, 'all') s}), 'totals of the fleet are the sums');
is($fleet->evaluate('[...document.querySelectorAll("a")].every(a => document.getElementById(a.hash.slice(1)))'), 1, 'links lead somewhere');
is_deeply([ $fleet->messages, $fleet->requests ], [], 'no complaint, no request');
$fleet->close;

ask(q{INSERT INTO pt621.device (id, ident) SELECT 8000 + n, 'many' || n FROM generate_series(10, 32) n;
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 8000 + n, '2019-07-01 10:00+00'::timestamptz + k * interval '1 min', ST_Point(10, 50, 4326), 0
	  FROM generate_series(10, 32) n, generate_series(0, 9) k});
my $crowd = report(q{NULL, '[2019-07-01,2019-07-02)'});
is(scalar(texts($crowd, '.tracker')), 20, 'of many trackers the first ones are shown in detail');
is(scalar(() = rows($crowd, 'fleet', 'tbody')), 23, 'all are in the table');
like(join(' ', texts($crowd, '.note')), qr/the first 20 of the 23 trackers/, 'and the page says so');
$crowd->close;

ask(q{INSERT INTO pt621.device (id, ident) VALUES (9000, 'busy');
	INSERT INTO pt621.position (device_id, fix_time, geom, speed_kmh)
	SELECT 9000, '2018-01-01 00:00+00'::timestamptz + n * interval '20 min' + k * interval '4 min', ST_Point(10 + 0.02 * (n % 2), 50, 4326), 0
	  FROM generate_series(0, 600) n, generate_series(0, 3) k});
my $busy = report(q{'{9000}', '[2018-01-01,2018-02-01)'});
like((texts($busy, 'caption'))[-1], qr/^Trips and stops \(the first 500 of 1,\d\d\d\)$/, 'a long list is cut, and says so');
is($busy->evaluate('document.querySelectorAll("tr.trip, tr.stop, tr.unobserved").length'), 500, 'after 500');
$busy->close;

# ---------------------------------------------------------------------------
# When there is little to say
# ---------------------------------------------------------------------------

my $week = report("'{$first}'");
is_deeply([ texts($week, 'header.page p:first-of-type') ], ['Thu 11 May 2017 to Wed 17 May 2017, Europe/Berlin'], 'by default the last 7 days');
$week->close;

my $silent = report(qq{'{$first}', '[2015-01-01,2015-01-02)'});
like(join(' ', texts($silent, 'main')), qr/Nothing is known of this time/, 'a time of silence');
is_deeply([ $silent->messages ], [], 'is no error');
$silent->close;

# After all time, or before, nothing is known, of one tracker or of all.
foreach my $period (q{'[infinity,)'}, q{'(,-infinity]'}, q{'[infinity,infinity]'}, q{'[-infinity,-infinity]'})
{
	foreach my $devices ("'{$first}'", 'NULL', "'{$first,9000}'")
	{
		like(ask("SELECT pt621_report_html($devices, $period)"), qr/There are no positions of this time.*Nothing is known of this time/s, "$period of $devices");
	}
}

ask(q{UPDATE pt621.device SET time_zone = 'Mars/Olympus' WHERE id = 9000});
ask(q{INSERT INTO pt621.event (device_id, kind, at, until, object, detail, superseded_at) VALUES
	(9000, 'overspeed', '2018-01-01 10:00+00', '2018-01-01 10:05+00', NULL, '{"peak_kmh": 97.26, "limit_kmh": 80}', NULL),
	(9000, 'overspeed', '2018-01-01 10:30+00', '2018-01-01 10:35+00', NULL, '{"peak_kmh": 99, "limit_kmh": 80}', now()),
	(9000, 'alarm', '2018-01-01 10:40+00', NULL, 'photo', NULL, NULL),
	(9000, 'sensor_alarm', '2018-01-01 11:00+00', NULL, } . quoted($HOSTILE) . q{, '{"value": 13, "unit": "C", "threshold": 8}', NULL)});
my $mars = report(q{'{9000}', '[2018-01-01,2018-01-02)'});
like(join(' ', texts($mars, '.tracker > header')), qr/times of UTC/, 'a time zone that does not exist is UTC');
is_deeply([ rows($mars, 't9000-alarms', 'tbody') ], [ 'Mon 1 Jan 2018 10:00:00|overspeed: 97.3 km/h, limit 80 km/h|0:05|–', "Mon 1 Jan 2018 11:00:00|$HOSTILE: 13 C, limit 8|–|–" ],
	'limits that were passed');
$mars->close;

my $nobody = report(q{'{123456789}'});
like(join(' ', texts($nobody, 'main')), qr/There are no positions yet/, 'a tracker that does not exist');
$nobody->close;

foreach my $wrong ([ "NULL, 'empty'", qr/the period of a report is empty/ ], [ "NULL, NULL, NULL, 'Europe/Atlantis'", qr/time zone "Europe\/Atlantis" not recognized/ ])
{
	my ($status, undef, $error) = $node->psql('postgres', "SELECT pt621_report_html($wrong->[0])");
	like($error, $wrong->[1], "an error: $wrong->[0]");
}

# ---------------------------------------------------------------------------
# Of others' trackers it says nothing
# ---------------------------------------------------------------------------

ask(readme_sql('Readers and writers') . readme_sql('Two fleets, one database'));
ask(qq{CREATE ROLE half LOGIN IN ROLE fleet_reader;
	DROP POLICY all_fleets ON pt621.device;
	CREATE POLICY half ON pt621.device FOR SELECT TO half USING (id = $second);});
my ($status, $html, $error) = $node->psql('postgres', "SELECT pt621_report_html(NULL, $DAY)", extra_params => [ '-U', 'half' ]);
is($error, '', 'a reader may ask for reports');
like($html, qr/>2000002</, 'one sees what a policy shows');
unlike($html, qr/2000001/, 'and nothing else');

$node->stop;
done_testing();
