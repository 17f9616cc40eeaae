# The listener is killed while it sends a command: the row says what is known, and
# nothing is sent twice unseen.
use strict;
use warnings;

use Fleet;
use POSIX qw(strftime);
use PT621;
use Test::More;

my $node = PT621->listening('main', conf => "restart_after_crash = on\nwal_writer_delay = 10s\n");

# It must open again where the trackers look for it.
$node->keep_port;

# Not even with this may a command be sent that the server then knows nothing of.
$node->safe_psql('postgres', 'ALTER ROLE pt621 SET synchronous_commit = off; SELECT pt621_pause(); SELECT pt621_resume()');
$node->wait_open;

# Holds up the transaction that is about to give a command this state.
$node->safe_psql('postgres', q{
	CREATE TABLE public.held (state text);
	GRANT SELECT ON public.held TO pt621;
	CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.state IN (SELECT h.state FROM public.held h) THEN
			PERFORM pg_advisory_xact_lock(621);
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER hold BEFORE UPDATE ON pt621.command FOR EACH ROW EXECUTE FUNCTION public.hold()});

my $number = 0;

sub comes
{
	my ($ident) = @_;
	my $socket = $node->tcp;

	$number++;
	PT621::put($socket, record(ident => $ident, odometer => $number * 100));
	$node->wait_until("SELECT count(*) = 1 FROM pt621_stat_connection() c JOIN pt621.device_state s ON s.bound_conn = c.conn "
		  . "WHERE c.ident = '$ident' AND c.peer_port = " . $socket->sockport);
	return $socket;
}

# Orders a command, and kills the listener when it is about to write this state down.
sub killed_before
{
	my ($state, $ident, $what, $heard) = @_;
	my $socket = comes($ident);
	my $locker = $node->background_psql('postgres');

	$locker->query_safe('SELECT pg_advisory_lock(621)');
	$node->safe_psql('postgres', "INSERT INTO public.held VALUES ('$state')");
	my $id = $node->safe_psql('postgres', "SELECT pt621_send((SELECT id FROM pt621.device WHERE ident = '$ident'), $what)");

	$node->wait_until("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pt621 listener' AND wait_event = 'advisory'");
	is(PT621::heard($socket), $heard, 'the tracker has got it') if defined $heard;
	my ($pid) = $node->listener('pid') =~ /(\d+)\z/;

	kill('KILL', $pid) or die "kill: $!";
	PT621::until_true(sub { !Fleet::runs($pid) });
	eval { $locker->quit };
	is(PT621::heard($socket), undef, 'the tracker has not got it') if !defined $heard;
	Fleet::all_open($node, $pid);
	$node->safe_psql('postgres', 'TRUNCATE public.held');
	return $id;
}

my $STATE = "SELECT concat_ws(' ', state, attempts, in_doubt) FROM pt621.command WHERE id = ";

my $id = killed_before('sending', '1001', q{'version'});

is($node->safe_psql('postgres', $STATE . $id), 'queued 0 0', 'killed before it was sent: it waits as if nothing had been');
is(PT621::heard(comes('1001')), '#VER', '... and is sent when the tracker comes back');
$node->becomes($STATE . $id, 'sent 1 0', '... once');

$id = killed_before('sent', '1002', q{'reboot'}, '#RST');
like($node->safe_psql('postgres', $STATE . $id), qr/\A(sending 1 0|failed 1 1)\z/, 'killed after it was sent: it is not known');
my $socket = comes('1002');

$node->becomes($STATE . $id, 'failed 1 1', '... which the row says in the end');
like($node->safe_psql('postgres', "SELECT reason FROM pt621.command WHERE id = $id"), qr/\Ain doubt/, '... in words');
$node->safe_psql('postgres', q{SELECT pt621_send(id, 'version') FROM pt621.device WHERE ident = '1002'});
is(PT621::heard($socket), '#VER', '... and it is not sent again');

$id = killed_before('sent', '1003', q{'output', '2,off', max_attempts => 2}, '#OPC2,0');
$socket = comes('1003');
is(PT621::heard($socket), '#OPC2,0', 'where it may be sent twice it is');
$node->becomes($STATE . $id, 'sent 2 1', '... and marked so');
is($node->safe_psql('postgres', "SELECT string_agg(state, ' ' ORDER BY id) FROM pt621.command_log WHERE command_id = $id"),
	'queued sending queued sending sent', '... in the log too');

# A worker that is told to go, and one that starts anew: nothing is in doubt.
$id = $node->safe_psql('postgres', q{SELECT pt621_send(id, 'position') FROM pt621.device WHERE ident = '1003'});
PT621::heard($socket);
$node->restart;
$node->wait_open;
is($node->safe_psql('postgres', $STATE . $id), 'sent 1 0', 'a restart leaves what was sent as it is');

$node->stop;
done_testing();
