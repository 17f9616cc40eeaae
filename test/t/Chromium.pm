# A browser without a window, driven over a pair of pipes: opens pages, does what a user would do, and keeps
# what the pages complained of and whatever they asked the network for.
#
# Waiting has a bound: that of PostgreSQL's own tests (PG_TEST_TIMEOUT_DEFAULT, 180 s).
package Chromium;

use strict;
use warnings;

use Fcntl qw(F_DUPFD);
use File::Temp qw(tempdir);
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Scalar::Util qw(weaken);
use Time::HiRes qw(time usleep);

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my %running;
my $PATIENCE = $ENV{PG_TEST_TIMEOUT_DEFAULT} || 180;

# The sandbox takes rights that neither root nor most containers have; the pages are our own.
my @OPTIONS = qw(--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --disable-dev-shm-usage
  --no-first-run --no-default-browser-check --disable-background-networking --disable-component-update --disable-sync
  --disable-extensions --disable-default-apps --disable-breakpad --mute-audio --force-color-profile=srgb --lang=en);

# ------------------------------------------------------------- process --

# Starts the browser.  Dies, with what it said, where that cannot be.
sub new
{
	my ($class) = @_;
	my $self = bless { home => tempdir(CLEANUP => 1), last_id => 0, answers => {}, pages => {}, input => '', owner => $$ }, $class;
	my ($program) = grep { -x } map { ("$_/chromium", "$_/chromium-browser") } split(/:/, $ENV{PATH}), '/usr/bin';

	die "no chromium here: `make deps` installs it\n" if !$program;
	pipe(my $commands, $self->{to}) or die "pipe: $!";
	pipe($self->{from}, my $events) or die "pipe: $!";
	$self->{to}->autoflush(1);

	$self->{pid} = fork() // die "fork: $!";
	_become($program, $self->{home}, $commands, $events) if $self->{pid} == 0;
	weaken($running{ $self->{pid} } = $self);
	# With a copy of its end here we would not see it end.
	close $_ foreach $commands, $events;
	$self->{version} = eval { $self->call('Browser.getVersion')->{product} }
	  or die "chromium does not start here: $@" . _end_of("$self->{home}/log");
	return $self;
}

# The child: what the browser reads is its descriptor 3, what it writes is 4.
sub _become
{
	my ($program, $home, $commands, $events) = @_;
	# Out of the way first: one of them may itself be 3 or 4.
	my ($in, $out) = map { fcntl($_, F_DUPFD, 10) } $commands, $events;

	setpgrp(0, 0);
	POSIX::dup2($in, 3);
	POSIX::dup2($out, 4);
	POSIX::close($_) foreach $in, $out;
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', "$home/log");
	open(STDERR, '>&', \*STDOUT);
	local %ENV = (%ENV, HOME => $home, TMPDIR => $home, XDG_CONFIG_HOME => "$home/config", XDG_CACHE_HOME => "$home/cache");
	{ exec { $program } $program, @OPTIONS, "--user-data-dir=$home/profile", 'about:blank' }
	print STDERR "$program: $!\n";
	POSIX::_exit(1);
}

sub _end_of
{
	my ($file) = @_;

	open(my $log, '<', $file) or return '';
	my @lines = <$log>;
	return join '', splice(@lines, @lines > 20 ? -20 : 0);
}

# Ends the browser and its processes, which are a group of their own, and waits until they are gone: they write to
# the folder that is removed next.
sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;
	my $end = time + 10;

	# Not in a child that the test forks, and without a word on its exit status.
	return if $self->{owner} != $$;
	local ($?, $!);
	delete $running{$pid};
	close $self->{to};
	kill 'KILL', -$pid;
	waitpid($pid, 0);
	usleep(5_000) while kill(0, -$pid) && time < $end;
	return;
}

sub DESTROY { return shift->stop }

END
{
	$_->stop foreach grep { defined } values %running;
}

# ------------------------------------------------------------ messages --

# Calls a method of the protocol and returns its result.
sub call
{
	my ($self, $method, $params, $session) = @_;
	my $id = ++$self->{last_id};
	my $end = time + $PATIENCE;
	local $SIG{PIPE} = 'IGNORE';

	print { $self->{to} } $JSON->encode({ id => $id, method => $method, params => $params // {},
		$session ? (sessionId => $session) : () }) . "\0"
	  or die "$method: the browser is gone\n";
	$self->_read($end, $method) until $self->{answers}{$id};
	my $answer = delete $self->{answers}{$id};

	die "$method: $answer->{error}{message}\n" if $answer->{error};
	return $answer->{result};
}

# Takes in what there is to read; waits for it until the time given.
sub _read
{
	my ($self, $end, $method) = @_;

	IO::Select->new($self->{from})->can_read($end - time) or die "$method: no answer within $PATIENCE s\n";
	sysread($self->{from}, $self->{input}, 65536, length $self->{input}) or die "$method: the browser has ended\n";
	while ($self->{input} =~ s/^([^\0]*)\0//)
	{
		my $message = $JSON->decode($1);

		if (defined $message->{id})
		{
			$self->{answers}{ $message->{id} } = $message;
		}
		elsif (my $page = $self->{pages}{ $message->{sessionId} // '' })
		{
			$page->_note($message->{method}, $message->{params});
		}
	}
	return;
}

# ---------------------------------------------------------------- page --

# A page of its own, empty.
#
# options: width, height, phone (touch, and pixels of 1/3 that size), dark, calm (reduced motion)
sub page
{
	my ($self, %options) = @_;
	my $target = $self->call('Target.createTarget', { url => 'about:blank' })->{targetId};
	my $session = $self->call('Target.attachToTarget', { targetId => $target, flatten => JSON::PP::true })->{sessionId};
	my $page = bless { browser => $self, session => $session, target => $target, messages => [], requests => [], loads => 0 }, 'Chromium::Page';

	$self->{pages}{$session} = $page;
	$page->call("$_.enable") foreach qw(Page Runtime Log Network);
	$page->emulate(%options);
	return $page;
}

package Chromium::Page;

use Time::HiRes qw(time usleep);

sub call
{
	my ($self, $method, $params) = @_;

	return $self->{browser}->call($method, $params, $self->{session});
}

sub emulate
{
	my ($self, %options) = @_;
	my $phone = $options{phone} ? JSON::PP::true : JSON::PP::false;

	$self->call('Emulation.setDeviceMetricsOverride', { width => $options{width} // ($options{phone} ? 390 : 1280),
		height => $options{height} // ($options{phone} ? 844 : 800), deviceScaleFactor => $options{phone} ? 3 : 1, mobile => $phone });
	$self->call('Emulation.setTouchEmulationEnabled', { enabled => $phone, maxTouchPoints => 5 });
	$self->call('Emulation.setEmulatedMedia', { features => [
		{ name => 'prefers-color-scheme', value => $options{dark} ? 'dark' : 'light' },
		{ name => 'prefers-reduced-motion', value => $options{calm} ? 'reduce' : 'no-preference' } ] });
	return;
}

# What happens in the page by itself.
sub _note
{
	my ($self, $event, $params) = @_;

	if ($event eq 'Page.loadEventFired')
	{
		$self->{loads}++;
	}
	elsif ($event eq 'Runtime.consoleAPICalled')
	{
		push @{ $self->{messages} }, join(' ', "console.$params->{type}:", map { $_->{value} // $_->{description} // '' } @{ $params->{args} });
	}
	elsif ($event eq 'Runtime.exceptionThrown')
	{
		my $details = $params->{exceptionDetails};
		push @{ $self->{messages} }, 'exception: ' . ($details->{exception}{description} // $details->{text});
	}
	elsif ($event eq 'Log.entryAdded')
	{
		push @{ $self->{messages} }, "$params->{entry}{source}: $params->{entry}{text}";
	}
	elsif ($event eq 'Page.javascriptDialogOpening')
	{
		push @{ $self->{messages} }, "dialog: $params->{message}";
	}
	# A data: URI asks nobody.
	elsif ($event eq 'Network.requestWillBeSent' && $params->{request}{url} ne ($self->{url} // '') && $params->{request}{url} !~ /^data:/)
	{
		push @{ $self->{requests} }, [ $params->{requestId}, $params->{request}{url} ];
	}
	elsif ($event eq 'Network.loadingFailed' && ($params->{blockedReason} // '') eq 'csp')
	{
		# Its policy forbade it: nobody was asked.
		@{ $self->{requests} } = grep { $_->[0] ne $params->{requestId} } @{ $self->{requests} };
	}
	return;
}

# Opens a file and waits until it is loaded.
sub open
{
	my ($self, $file) = @_;
	my $loads = $self->{loads};
	my $end = time + $PATIENCE;

	$self->{url} = "file://$file";
	my $result = $self->call('Page.navigate', { url => $self->{url} });
	die "$file: $result->{errorText}\n" if $result->{errorText};
	$self->{browser}->_read($end, "load of $file") while $self->{loads} == $loads;
	return;
}

# What the page complained of: console, exceptions, violations of its policy.
sub messages
{
	my ($self) = @_;

	$self->evaluate('0');
	return @{ $self->{messages} };
}

# URLs that the page asked for, other than its own; not those that its policy forbade it.
sub requests
{
	my ($self) = @_;

	$self->evaluate('0');
	return map { $_->[1] } @{ $self->{requests} };
}

# The value of an expression of JavaScript; what it promises is waited for.
sub evaluate
{
	my ($self, $expression) = @_;
	my $answer = $self->call('Runtime.evaluate', { expression => $expression, returnByValue => JSON::PP::true,
		awaitPromise => JSON::PP::true });

	die "$expression: " . ($answer->{exceptionDetails}{exception}{description} // 'exception') . "\n" if $answer->{exceptionDetails};
	return $answer->{result}{value};
}

# Waits until an expression is true, and returns its value: what was false to the end when it never is.
sub wait_for
{
	my ($self, $expression) = @_;
	my $end = time + $PATIENCE;
	my $value;

	usleep(20_000) until ($value = $self->evaluate($expression)) || time > $end;
	return $value;
}

# Until the page has drawn what it has to draw.
sub settle
{
	my ($self) = @_;

	return $self->evaluate('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))');
}

# --------------------------------------------------------------- input --

# Middle of the first element that a selector finds, on the screen.
sub middle
{
	my ($self, $selector) = @_;
	my $box = $self->evaluate('(() => { const node = document.querySelector(' . $JSON->encode($selector) . ');'
		  . ' if (!node) return null; node.scrollIntoView({ block: "nearest" }); const box = node.getBoundingClientRect();'
		  . ' return [box.x + box.width / 2, box.y + box.height / 2]; })()')
	  or die "no element $selector\n";

	return @$box;
}

sub mouse
{
	my ($self, $type, $x, $y, %more) = @_;

	$self->call('Input.dispatchMouseEvent', { type => $type, x => $x, y => $y, button => 'none', %more });
	return;
}

sub click
{
	my ($self, $selector) = @_;
	my ($x, $y) = $self->middle($selector);

	$self->mouse('mouseMoved', $x, $y);
	$self->mouse($_, $x, $y, button => 'left', buttons => 1, clickCount => 1) foreach qw(mousePressed mouseReleased);
	return $self->settle;
}

sub drag
{
	my ($self, $x, $y, $right, $down) = @_;

	$self->mouse('mouseMoved', $x, $y);
	$self->mouse('mousePressed', $x, $y, button => 'left', buttons => 1, clickCount => 1);
	$self->mouse('mouseMoved', $x + $right * $_ / 4, $y + $down * $_ / 4, button => 'left', buttons => 1) foreach 1 .. 4;
	$self->mouse('mouseReleased', $x + $right, $y + $down, button => 'left', clickCount => 1);
	return $self->settle;
}

sub wheel
{
	my ($self, $x, $y, $delta) = @_;

	$self->mouse('mouseWheel', $x, $y, deltaX => 0, deltaY => $delta);
	return $self->settle;
}

# Fingers on the screen: a list of steps, each of them a list of [x, y]; they are lifted after the last.
sub touch
{
	my ($self, @steps) = @_;
	my $type = 'touchStart';

	foreach my $step (@steps)
	{
		my $n = 0;
		$self->call('Input.dispatchTouchEvent', { type => $type, touchPoints => [ map { { x => $_->[0], y => $_->[1], id => $n++ } } @$step ] });
		$type = 'touchMove';
	}
	$self->call('Input.dispatchTouchEvent', { type => 'touchEnd', touchPoints => [] });
	return $self->settle;
}

my %KEY_CODE = (Tab => 9, Enter => 13, Escape => 27, ' ' => 32, PageUp => 33, PageDown => 34, End => 35, Home => 36,
	ArrowLeft => 37, ArrowUp => 38, ArrowRight => 39, ArrowDown => 40);

# Presses keys, by their names in KeyboardEvent.key; "Shift+Tab" goes back.
sub keys
{
	my ($self, @keys) = @_;

	foreach my $name (@keys)
	{
		my ($shift, $key) = $name =~ /^(Shift\+)?(.+)\z/s;
		my $text = length $key == 1 ? $key : $key eq 'Enter' ? "\r" : undef;
		my %event = (key => $key, code => $key eq ' ' ? 'Space' : $key, modifiers => $shift ? 8 : 0,
			windowsVirtualKeyCode => $KEY_CODE{$key} // ord uc $key);

		$self->call('Input.dispatchKeyEvent', { type => defined $text ? 'keyDown' : 'rawKeyDown', %event, defined $text ? (text => $text) : () });
		$self->call('Input.dispatchKeyEvent', { type => 'keyUp', %event });
	}
	return $self->settle;
}

# ------------------------------------------------------------- picture --

# Writes what is to be seen to a PNG file.
sub screenshot
{
	my ($self, $file) = @_;
	my $picture = MIME::Base64::decode_base64($self->call('Page.captureScreenshot', { format => 'png' })->{data});

	CORE::open(my $out, '>', $file) or die "$file: $!";
	binmode $out;
	print $out $picture;
	close $out or die "$file: $!";
	return;
}

# Closes the page.
sub close
{
	my ($self) = @_;

	$self->{browser}->call('Target.closeTarget', { targetId => $self->{target} });
	delete $self->{browser}{pages}{ $self->{session} };
	return;
}

1;
