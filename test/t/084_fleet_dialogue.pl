# The simulator's fleets against the listeners: trackers that answer and trackers
# that do not, that hang up in mid-photo and come back at another listener or from
# another address, and that send pieces wrongly.
use strict;
use warnings;

use IPC::Run;
use PT621;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PT621->make('main', conf => <<'CONF');
pt621.workers = 2
pt621.photo_timeout = 1
pt621.answer_timeout = 3
CONF

$node->create_extension('postgres');
$node->wait_open('postgres', 2);

my $truth = PostgreSQL::Test::Utils::tempdir() . '/photos.csv';

sub psql
{
	return $node->safe_psql('postgres', shift);
}

# Starts a fleet that stays connected when it has sent its records.
sub fleet
{
	my ($first, $trackers, @options) = @_;
	my $fleet = { error => '' };

	$fleet->{sim} = IPC::Run::start(
		[ 'pt621-sim', '--port', $node->{trackers_port}, '--first-id', $first, '--trackers', $trackers, '--fast', '--hold', 600,
			'--photos-asked', '--photo-truth', $truth, @options ],
		'2>', \$fleet->{error});
	return $fleet;
}

sub gone
{
	my ($fleet) = @_;

	$fleet->{sim}->signal('TERM');
	$fleet->{sim}->finish;
	return;
}

# Every photo that a fleet has announced is there, byte for byte.  It ends with that,
# since only then the whole truth is in its file.
sub photos_are
{
	my ($fleet, $count, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->becomes(q{SELECT count(*), count(*) FILTER (WHERE state = 'complete') FROM pt621.photo}, "$count|$count", "$name: all of them come");
	gone($fleet);
	psql('CREATE TABLE IF NOT EXISTS public.truth (ident text, photo integer, camera text, size integer, "time" timestamptz, bytes bytea)');
	psql("TRUNCATE public.truth; COPY public.truth FROM '$truth' (FORMAT csv, HEADER)");
	is( psql(q{SELECT count(*), count(p.id), count(*) FILTER (WHERE p.sha256 = sha256(t.bytes) AND p.camera = t.camera)
				 FROM public.truth t
				 JOIN pt621.device d ON d.ident = t.ident
				 LEFT JOIN pt621.photo p ON p.device_id = d.id AND p.fix_time = t."time" AND p.jpeg = t.bytes}),
		"$count|$count|$count", '... byte for byte, from the right camera');
	psql('TRUNCATE pt621.photo, pt621.photo_piece, pt621.command, pt621.command_log');
	return;
}

# By TCP, to whichever of the two listeners; each hangs up once in each photo.
psql(q{
	CREATE TABLE public.met (ident text, pid integer);
	GRANT INSERT ON public.met TO pt621;
	CREATE FUNCTION public.meets() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.met VALUES (NEW.ident, pg_backend_pid());
		RETURN NULL;
	END $$;
	CREATE TRIGGER meets AFTER INSERT ON pt621.frame FOR EACH ROW EXECUTE FUNCTION public.meets()});
my $fleet = fleet('3000001', 20, '--records', 4, '--photos', 0.5, '--photo-size', 5000, '--cameras', 2, '--hang-up', 2);

$node->wait_until('SELECT count(*) = 80 FROM pt621.position');
my $announced = psql(q{SELECT count(*) FROM pt621.position WHERE code = 'PHO'});

cmp_ok($announced, '>', 10, 'photos were announced');
photos_are($fleet, $announced, 'connections that end in mid-photo, two listeners');
cmp_ok(psql('SELECT sum(connections_opened) FROM pt621_stat_worker()'), '>=', 20 + $announced, '... they did');
is(psql(q{SELECT count(*) FROM pt621_stat_worker() WHERE worker = 'listener' AND connections_opened > 5}), 2, '... at both listeners');
cmp_ok(psql('SELECT max(listeners) FROM (SELECT count(DISTINCT pid) AS listeners FROM public.met GROUP BY ident) m'), '==', 2, '... one tracker at both of them, too');
psql('DROP TABLE public.met CASCADE; DROP FUNCTION public.meets() CASCADE');

# By UDP, with another address each time.
psql('TRUNCATE pt621.position, pt621.frame');
$fleet = fleet('3100001', 8, '--udp', 1, '--records', 3, '--photos', 1, '--photo-size', 4000, '--cameras', 1, '--hang-up', 2);
photos_are($fleet, 24, 'UDP, with another address in each photo');

# Pieces that do not come, come twice, are cut, or are others.
psql('TRUNCATE pt621.position, pt621.frame');
$node->configure('pt621.photo_tries' => 50);
$fleet = fleet('3200001', 10, '--records', 1, '--photos', 1, '--photo-size', 6000, '--cameras', 1, '--photo-faults', 0.3);
$node->becomes(q{SELECT count(*) FILTER (WHERE state IN ('announced', 'fetching')), count(*) FROM pt621.photo}, '0|10', 'pieces sent wrongly: every photo comes to an end');
gone($fleet);
psql('CREATE TABLE public.faulty (ident text, photo integer, camera text, size integer, "time" timestamptz, bytes bytea)');
psql("COPY public.faulty FROM '$truth' (FORMAT csv, HEADER)");
is(psql('SELECT count(*), bool_or(octet_length(bytes) = size), bool_or(octet_length(bytes) < size) FROM public.faulty'), '10|t|t', '... some as a whole, some not');
is( psql(q{SELECT count(*) FROM public.faulty t JOIN pt621.device d ON d.ident = t.ident
			 LEFT JOIN pt621.photo p ON p.device_id = d.id AND p.fix_time = t."time"
			WHERE CASE WHEN octet_length(t.bytes) = t.size THEN p.state IS DISTINCT FROM 'complete' OR p.jpeg IS DISTINCT FROM t.bytes
					   ELSE p.state IS DISTINCT FROM 'failed' OR pt621_photo_file(p.id) IS DISTINCT FROM t.bytes OR lower(p.missing) <> octet_length(t.bytes) END}),
	0, '... with the right bytes, or as many of them as there are, and a word about the others');
$node->configure('pt621.photo_tries' => undef);

# Answers, and silence.
psql('TRUNCATE pt621.position, pt621.frame, pt621.photo, pt621.photo_piece, pt621.command');
$fleet = fleet('3300001', 20, '--records', 2, '--answer', 0.5, '--udp', 0.5);
$node->wait_until('SELECT count(*) = 40 FROM pt621.position');
psql(q{SELECT count(pt621_send(id, 'output', '2,on')) FROM pt621.device WHERE ident LIKE '33%'});
$node->becomes(q{SELECT count(*) FROM pt621.command WHERE state = 'sent' AND sent_at < now() - interval '4 s' OR state = 'answered'}, 20, 'commands to all of a fleet');
my ($answered, $right, $sent) = split /\|/, psql(q{SELECT count(*) FILTER (WHERE state = 'answered'), count(*) FILTER (WHERE answer = '{"OPC2,1 OK"}'),
	count(*) FILTER (WHERE state = 'sent' AND answer IS NULL AND attempts = 1) FROM pt621.command});

cmp_ok($answered, '>', 2, '... some answer');
is($right, $answered, '... which is kept as it was said');
is($sent, 20 - $answered, '... and some do not, which is no fault');
gone($fleet);
my ($heard, $answers) = $fleet->{error} =~ /commands heard: (\d+), answered (\d+)/;

is("$heard $answers", "20 $answered", 'what the trackers have heard and said is what the rows say');

$node->stop;
done_testing();
