# Who may send commands, by the roles that README.md proposes: the kinds that they
# were granted, to the trackers that they may see; and nobody rewrites what was done.
use strict;
use warnings;

use PT621;
use Test::More;

my $node = PT621->listening('main');
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

$node->safe_psql('postgres', join '', map { readme_sql($_) }
	'Readers and writers', 'Who may send commands', 'Two fleets, one database', 'Dispatchers of all fleets');
$node->safe_psql('postgres', q{
	INSERT INTO pt621.device (ident, groups) VALUES ('1001', '{a}'), ('1002', '{b}'), ('1003', '{}');
	INSERT INTO pt621.device_secret SELECT id, '314159' FROM pt621.device WHERE ident = '1003';
	CREATE ROLE dora LOGIN IN ROLE dispatcher;
	CREATE ROLE anna LOGIN IN ROLE fleet_a;
	CREATE ROLE bob LOGIN IN ROLE fleet_reader;
	CREATE ROLE mia LOGIN IN ROLE pt621});

# Returns what statements print for somebody, or their error.
sub answer
{
	my ($who, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, extra_params => [ '-U', $who ], stdout => \$stdout, stderr => \$stderr);
	return $stderr =~ /ERROR:  (.*)/ ? $1 : $stdout;
}

sub hint
{
	my ($who, $sql) = @_;
	my $stderr = '';

	$node->psql('postgres', $sql, extra_params => [ '-U', $who ], stderr => \$stderr);
	return $stderr =~ /HINT:  (.*)/ ? $1 : '';
}

sub tells
{
	my ($who, $sql, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ref $expected ? like(answer($who, $sql), $expected, "$who: $name") : is(answer($who, $sql), $expected, "$who: $name");
}

# ---------------------------------------------------------------------------
# Kinds
# ---------------------------------------------------------------------------

tells('dora', q{SELECT pt621_send(1, 'photo')}, '1', 'what was granted is sent');
tells('dora', q{SELECT requested_by, login, state FROM pt621.command}, 'dora|dora|queued', 'and it is written down who asked');
tells('dora', q{SELECT pt621_send(1, 'reboot')}, 'permission denied for commands of kind reboot', 'what was not is refused');
tells('dora', q{INSERT INTO pt621.command (device_id, kind, argument) VALUES (1, 'text', 'RST')}, 'permission denied for commands of kind text',
	'by INSERT too');
tells('dora', q{INSERT INTO pt621.command (device_id, kind) VALUES (1, 'photo'), (1, 'no such kind')}, 'there is no command of kind "no such kind"', 'no such kind');
tells('dora', q{SELECT pt621_send(1, 'output', '2,on') > 0}, 't', 'an output is switched');
tells('dora', q{SELECT pt621_send(1, 'output', '1,on')}, 'permission denied to cut an engine', 'but not the engine\'s');
# The password opens every command.
tells('dora', q{SELECT pt621_sms(1, 'photo')}, 'permission denied for function pt621_sms', 'nothing by SMS');
tells('dora', q{SELECT pt621_sms_password(1)}, 'permission denied for function pt621_sms_password', 'nor the password');
tells('dora', q{SELECT * FROM pt621.device_secret}, 'permission denied for table device_secret', 'nor where it is');
$node->safe_psql('postgres', q{
	GRANT EXECUTE ON FUNCTION pt621_sms, pt621_sms_password TO dora;
	GRANT SELECT ON pt621.device_secret TO dora;
	GRANT INSERT (transport) ON pt621.command TO dora});
tells('dora', q{SELECT pt621_sms(1, 'output', '1,on')}, 'permission denied to cut an engine', 'with those rights the kinds are what they are');
tells('dora', q{SELECT pt621_sms(1, 'output', '2,on')}, '000000OPC2,1', 'others by SMS');
tells('dora', q{SELECT pt621_sms(3, 'output', '2,on')}, '314159OPC2,1', 'with the password of the tracker');
tells('dora', q{SELECT pt621_send(1, 'photo', force => true)}, 'permission denied to cut an engine whatever the speed', 'force is a right of its own');
tells('bob', q{SELECT pt621_send(1, 'photo')}, qr/permission denied/, 'a reader sends nothing');
tells('bob', q{INSERT INTO pt621.command (device_id, kind) VALUES (1, 'photo')}, qr/permission denied/, 'by INSERT neither');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION pt621_may_send_text, pt621_may_send_engine_cut TO dora');
tells('dora', q{SELECT pt621_send(1, 'text', 'OPC1,1') > 0}, 't', 'the engine with both rights');
tells('dora', q{SELECT pt621_send(1, 'text', 'AN1''#OPC1,1,'',10,''#OPC1,0''')}, qr/^a command that cuts the engine later/, 'but nothing that cuts it some time later');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION pt621_may_send_engine_cut FROM dora');
tells('dora', "SELECT pt621_send(1, 'text', '$_->[0]')", 'permission denied to cut an engine', "without them not by $_->[1]")
  foreach ([ 'OPC1,1', 'its own name' ], [ 'opc1,1', 'small letters' ], [ ' OPC1,1', 'a blank' ], [ 'OPC01,1', 'another number' ]);
tells('dora', "SELECT pt621_send(1, 'text', $_->[0])", qr/^invalid argument of command "text"/, "nothing is smuggled in: $_->[1]")
  foreach (
	[ q{E'VER\r\n#RST'}, 'a line end' ],
	[ q{'VER#RST'}, 'a second command' ],
	[ q{'PHD0,960'}, 'the bytes of a photo' ],
	[ q{repeat('x', 161)}, 'too long' ],
	[ q{''}, 'nothing' ],
	[ q{NULL}, 'NULL' ],
	[ q{'Grüße'}, 'other letters' ]);

# The engine is restored by those who may cut or restore, by whatever kind; nobody else
# takes a cut back by a newer order.
my $cut = $node->safe_psql('postgres', q{SELECT pt621_send(2, 'engine_cut')});

foreach my $what (q{'output', '1,off'}, q{'text', 'OPC1,0'}, q{'text', 'opc1,0'})
{
	tells('dora', "SELECT pt621_send(2, $what)", 'permission denied to restore an engine', "nobody restores one by $what without a right");
}
tells('postgres', "SELECT state FROM pt621.command WHERE id = $cut", 'queued', 'and the cut of another stays');
tells('dora', q{SELECT pt621_send(2, 'output', '2,off') > 0}, 't', 'other outputs are switched off');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION pt621_may_send_forced TO dora');
is(hint('dora', q{SELECT pt621_send(2, 'output', '1,on', force => true)}), 'GRANT EXECUTE ON FUNCTION public.pt621_may_send_engine_cut() TO dora;',
	'dora: the hint is about the right that is missing');
foreach my $right (qw(engine_restore engine_cut))
{
	$node->safe_psql('postgres', "GRANT EXECUTE ON FUNCTION pt621_may_send_$right TO dora");
	tells('dora', q{SELECT pt621_send(2, 'output', '1,off') > 0}, 't', "the right to $right is enough");
	tells('postgres', "SELECT state FROM pt621.command WHERE id = $cut", 'cancelled', 'and takes the cut back');
	$node->safe_psql('postgres', "REVOKE EXECUTE ON FUNCTION pt621_may_send_$right FROM dora");
}
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION pt621_may_send_forced FROM dora');

# ---------------------------------------------------------------------------
# Trackers
# ---------------------------------------------------------------------------

tells('anna', q{SELECT pt621_send(1, 'photo') > 0}, 't', 'a fleet sends to its own trackers');
tells('anna', q{SELECT pt621_send(2, 'photo')}, 'there is no tracker 2 in pt621.device', 'and to no others, of which it learns nothing');
tells('anna', q{SELECT count(*) > 0, count(*) FILTER (WHERE device_id <> 1) FROM pt621.command}, 't|0', 'nor sees what others send');
tells('anna', q{SELECT pt621_send(1, 'version')}, 'permission denied for commands of kind version', 'with rights by kind');
tells('dora', q{SELECT pt621_send(99, 'photo')}, 'there is no tracker 99 in pt621.device', 'a tracker must be there');

# ---------------------------------------------------------------------------
# What was done
# ---------------------------------------------------------------------------

foreach my $column (qw(state requested_by requested_at wire login sent_at answer attempts))
{
	tells('dora', "INSERT INTO pt621.command (device_id, kind, $column) VALUES (1, 'photo', DEFAULT)", 'permission denied for table command', "$column is not given");
}
tells('mia', q{INSERT INTO pt621.command (device_id, kind, state, requested_by, wire, attempts) VALUES (1, 'photo', 'answered', 'dora', 'RST', 7) RETURNING state, requested_by, wire, attempts},
	'queued|mia|PHO|0', 'nor by a member');
tells('dora', q{UPDATE pt621.command SET state = 'answered'}, qr/^command 1 cannot be changed so/, 'a state is not made up');
tells('dora', q{UPDATE pt621.command SET requested_by = 'bob'}, 'permission denied for table command', 'nor who asked');
tells('dora', q{DELETE FROM pt621.command}, 'permission denied for table command', 'nothing is deleted');
tells('mia', q{UPDATE pt621.command SET requested_by = 'bob' WHERE id = 1}, 'command 1 cannot be changed so', 'a member changes nothing');
tells($superuser, q{UPDATE pt621.command SET requested_by = 'bob' WHERE id = 1}, 'command 1 cannot be changed so', 'nor by mistake');
tells('dora', "$_ pt621.command_log" . (/UPDATE/ ? ' SET state = state' : ''), 'permission denied for table command_log', "$_ the log") foreach ('DELETE FROM', 'UPDATE', 'TRUNCATE');
tells('dora', q{SELECT pt621_cancel(1)}, 't', 'one that is queued is cancelled');
tells('dora', q{SELECT state, cancelled_by FROM pt621.command WHERE id = 1}, 'cancelled|dora', 'with the name of who did');
$node->safe_psql('postgres', q{SELECT pt621_send(1, 'output', '3,on')});
tells('anna', q{SELECT pt621_cancel(max(id)) FROM pt621.command WHERE wire = 'OPC3,1'}, qr/^permission denied for commands of kind output/, 'not one of a kind that is not granted');
tells($superuser, q{DELETE FROM pt621.command WHERE id = 1; SELECT string_agg(state || ' ' || by, ', ' ORDER BY id) FROM pt621.command_log WHERE command_id = 1},
	"queued dora, cancelled dora, deleted $superuser", 'the log outlives the row');
tells($superuser, q{SET ROLE dora; SELECT pt621_send(1, 'photo') > 0; SELECT requested_by, login FROM pt621.command ORDER BY id DESC LIMIT 1},
	"t\ndora|$superuser", 'whoever takes a role is known by his own name too');

$node->stop;
done_testing();
