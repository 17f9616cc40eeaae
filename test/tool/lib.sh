# shellcheck shell=bash
# What the scripts share: sourced, never run.
#
# PostgreSQL refuses to run as root.  So whatever starts a server goes through
# as_db_user: as root that is Debian's user `postgres`, else oneself.  That
# user need not be able to read this tree (it may lie below /root): what it
# reads is first copied to a db_user_dir.

# shellcheck disable=SC2034 # for those who source this
PT621_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The servers of these scripts are their own: none that the environment names.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGDATA PGOPTIONS \
	PGSERVICE PGSERVICEFILE PGPASSFILE PGSSLMODE PGAPPNAME

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Runs a command as root, by sudo when we are not.  Asks for a password only
# where somebody can type it.
sudo_if_needed() {
	if is_root; then
		"$@"
	elif ! command -v sudo >/dev/null; then
		die "needs root, and there is no sudo; run as root: $*"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# Runs a command as the user that may run servers.
as_db_user() {
	if ! is_root; then
		"$@"
	elif runuser -u postgres -- test -x .; then
		HOME=/var/lib/postgresql runuser -u postgres -- "$@"
	else
		(cd / && HOME=/var/lib/postgresql runuser -u postgres -- "$@")
	fi
}

# Makes a fresh folder of that user and prints its path.  In /tmp whatever
# TMPDIR says: the path of a socket below it has to stay under 108 bytes.
db_user_dir() { as_db_user mktemp -d /tmp/pt621-XXXXXX; }

pg_config_path() {
	local debian=/usr/lib/postgresql/15/bin/pg_config
	if [ -n "${PG_CONFIG:-}" ]; then
		command -v "$PG_CONFIG"
	elif [ -x "$debian" ]; then
		say "$debian"
	else
		command -v pg_config
	fi
}

pg_bindir() { "$(pg_config_path)" --bindir; }

# Where PGXS keeps pg_regress and PostgreSQL::Test.
pg_testdir() {
	local pgxs
	pgxs=$("$(pg_config_path)" --pgxs)
	say "$(cd "${pgxs%/makefiles/pgxs.mk}/test" && pwd)"
}

# Prints a port that is free on the loopback for TCP and for UDP.
free_port() {
	perl -MIO::Socket::INET -e '
		for (1 .. 100)
		{
			my $tcp = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")
			  or next;
			IO::Socket::INET->new(Proto => "udp", LocalAddr => "127.0.0.1",
				LocalPort => $tcp->sockport) or next;
			print $tcp->sockport, "\n";
			exit 0;
		}
		die "no free port\n";'
}

# Stops whatever servers run on data below a folder of ours.
stop_clusters_below() {
	local pidfile bindir
	bindir=$(pg_bindir) || return 0
	while IFS= read -r pidfile; do
		as_db_user "$bindir/pg_ctl" -D "${pidfile%/*}" -m immediate -s stop || true
	done < <(find "$1" -name postmaster.pid 2>/dev/null)
}
