#!/usr/bin/env bash
# Starts a throw-away server that listens to trackers, plays the captured frames and
# a day of two vans with a photo to it, shows what came of them, and writes pages and files of
# that day.  `make stop` ends it.
#
#   PT621_PORT=8888     the port for trackers; 0: any that is free
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=test/tool/run-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/run-lib.sh"
cd "$PT621_ROOT"

unset LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
export LC_ALL=C.UTF-8 LANG=C.UTF-8
# The jobserver of the make that called us is out of reach.
unset MAKEFLAGS MFLAGS MAKELEVEL

DATABASE=fleet
SUPERUSER=postgres
PORT=${PT621_PORT:-8888}
PGPORT_CHOSEN=
WAIT=60    # seconds, for anything
LOG=$PT621_ROOT/build/run.log

# The vans drive on a Tuesday of May, by the time of Berlin.
VANS_DAY=2017-05-16
VANS_PERIOD='[2017-05-16 00:00+02,2017-05-17 00:00+02)'

step() { printf '%-10s %s\n' "$1" "$2"; }

# Runs a command with its output in a file, which is shown when it fails.
quietly() {
	if ! "$@" >"$LOG" 2>&1 </dev/null; then
		cat "$LOG" >&2
		die "this failed: $*"
	fi
}

# Complains when somebody has the port, by TCP or by UDP.
require_free_port() {
	local taken
	[[ $PORT =~ ^[0-9]{1,5}$ ]] && [ "$PORT" -le 65535 ] ||
		die "PT621_PORT is \"$PORT\", but must be a number up to 65535"
	[ "$PORT" -ne 0 ] || return 0
	taken=$(perl -MErrno=EADDRINUSE -MSocket -e '
		my @any = ([ PF_INET, pack_sockaddr_in($ARGV[0], inet_aton("127.0.0.1")) ],
			[ PF_INET6, pack_sockaddr_in6($ARGV[0], Socket::inet_pton(AF_INET6, "::1")) ]);
		for my $type ([ "TCP", SOCK_STREAM ], [ "UDP", SOCK_DGRAM ])
		{
			for my $one (@any)
			{
				socket(my $socket, $one->[0], $type->[1], 0) or next;
				# As the listener does: a connection that lingers is no obstacle.
				setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) if $type->[0] eq "TCP";
				next if bind($socket, $one->[1]) &&
					($type->[0] eq "UDP" || listen($socket, 1));
				print "$type->[0]\n" if $! == EADDRINUSE;
			}
		}' "$PORT" | sort -u | paste -sd' ' | sed 's/ / and /')
	[ -n "$taken" ] || return 0
	cat >&2 <<-END
		make run: port $PORT ($taken) is in use by another program.

		Nothing was started.  Take another port for the trackers:

		    PT621_PORT=$((PORT < 65535 ? PORT + 1 : PORT - 1)) make run

		or see who has it:  ss -lntup 'sport = :$PORT'
	END
	exit 1
}

# Makes RUN_DIR: build/run where the database user can use it and the path of
# its socket is not too long, else a fresh folder that build/run links to.
make_run_dir() {
	if [ ${#RUN_LINK} -lt 80 ] && mkdir "$RUN_LINK" &&
		{ ! is_root || chown postgres: "$RUN_LINK"; } &&
		as_db_user test -w "$RUN_LINK"; then
		RUN_DIR=$(cd "$RUN_LINK" && pwd -P)
	else
		rm -rf "$RUN_LINK"
		RUN_DIR=$(db_user_dir)
		ln -s "$RUN_DIR" "$RUN_LINK"
	fi
	# Others pass through to the socket; the data is closed to them.
	as_db_user chmod 711 "$RUN_DIR"
	say "$PT621_ROOT" | as_db_user tee "$RUN_DIR/tree" >/dev/null
}

ask() {
	as_db_user "$(pg_bindir)/psql" -X -q -v ON_ERROR_STOP=1 -h "$RUN_DIR" \
		-p "$PGPORT_CHOSEN" -U "$SUPERUSER" -d "$DATABASE" "$@"
}

# Waits until a query gives t.
wait_for() {
	local deadline=$((SECONDS + WAIT)) answer
	while answer=$(ask -At -c "$1"); [ "$answer" != t ]; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

# Who may connect by the socket, without a password: those who started it.
allowed_users() {
	{
		say postgres
		id -un
		[ -z "${SUDO_USER:-}" ] || say "$SUDO_USER"
	} | sort -u
}

start_server() {
	local bindir password user
	bindir=$(pg_bindir)
	PGPORT_CHOSEN=$(free_port)
	# By the loopback anybody on this machine could be superuser, hence a password.
	password=$(od -An -N 12 -tx1 /dev/urandom | tr -d ' \n')
	say "$password" | as_db_user tee "$RUN_DIR/password" >/dev/null
	as_db_user chmod 600 "$RUN_DIR/password"
	quietly as_db_user "$bindir/initdb" -D "$RUN_DIR/data" -U "$SUPERUSER" \
		--pwfile="$RUN_DIR/password" --encoding=UTF8 --locale=C.UTF-8 \
		--auth-local=peer --auth-host=scram-sha-256
	as_db_user tee -a "$RUN_DIR/data/postgresql.conf" >/dev/null <<-CONF

		# make run
		listen_addresses = '127.0.0.1'
		port = $PGPORT_CHOSEN
		unix_socket_directories = '$RUN_DIR'
		timezone = 'UTC'
		shared_preload_libraries = 'pt621'
		pt621.database = '$DATABASE'
		pt621.port = $PORT
	CONF
	as_db_user tee "$RUN_DIR/data/pg_hba.conf" >/dev/null <<-CONF
		local all all peer map=run
		host  all all 127.0.0.1/32 scram-sha-256
	CONF
	for user in $(allowed_users); do
		say "run \"$user\" $SUPERUSER"
	done | as_db_user tee "$RUN_DIR/data/pg_ident.conf" >/dev/null
	as_db_user "$bindir/pg_ctl" -D "$RUN_DIR/data" -l "$RUN_DIR/log" -s -w start \
		</dev/null >"$LOG" 2>&1 ||
		{ as_db_user tail -n 20 "$RUN_DIR/log" >&2; die "the server did not start"; }
	as_db_user "$bindir/createdb" -h "$RUN_DIR" -p "$PGPORT_CHOSEN" -U "$SUPERUSER" "$DATABASE"
	ask -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION pt621 CASCADE'
}

# Waits for the listener's port, and learns it where it was left to the system.
await_port() {
	if ! wait_for "SELECT count(*) > 0 FROM pt621_stat_worker() WHERE worker = 'listener' AND state = 'open'"; then
		ask -c 'SELECT worker, state, reason FROM pt621_stat_worker()' >&2
		die "the port for trackers did not open"
	fi
	PORT=$(ask -At -c "SELECT port FROM pt621_stat_worker() WHERE worker = 'listener'")
	say "$PGPORT_CHOSEN" | as_db_user tee "$RUN_DIR/pgport" >/dev/null
	say "$PORT" | as_db_user tee "$RUN_DIR/port" >/dev/null
}

play() {
	local tcp udp
	tcp=$(bash "$PT621_ROOT/test/tool/send-frames.sh" tcp "$PORT")
	udp=$(bash "$PT621_ROOT/test/tool/send-frames.sh" udp "$PORT")
	wait_for "SELECT coalesce(sum(octet_length(bytes)) FILTER (WHERE transport = 'tcp'), 0) >= $tcp
	             AND coalesce(sum(octet_length(bytes)) FILTER (WHERE transport = 'udp'), 0) >= $udp
	            FROM pt621.frame" ||
		die "not all that was sent was stored; see $RUN_DIR/log"
	step replay "$tcp bytes of captured frames by TCP, and the same again by UDP"
}

# What trackers do not say of themselves.
describe_vans() {
	ask <<-'SQL'
		INSERT INTO pt621.device (ident, name, model, time_zone)
		VALUES ('2000001', 'Van 1', 'PT621', 'Europe/Berlin'), ('2000002', 'Van 2', 'PT621', 'Europe/Berlin');
		-- A float in a tank of 80 litres, at the first analog input.
		INSERT INTO pt621.calibration (device_id, name, channel, unit, raw, value)
		SELECT d.id, 'fuel', 1, 'l', '{0, 1000}', '{0, 80}' FROM pt621.device d WHERE d.ident IN ('2000001', '2000002');
		INSERT INTO pt621.driver (rfid, name) VALUES ('04A7512C', 'Ada Brandt'), ('04B1093F', 'Jonas Keller');
		INSERT INTO pt621.geofence (name, geom, radius_m, valid)
		VALUES ('depot', ST_Point(13.3856, 52.4708, 4326), 150, '(,)');
	SQL
}

play_vans() {
	local van lines=0
	perl "$PT621_ROOT/test/tool/vans.pl" photo >"$LOG.photo"
	for van in 1 2; do
		perl "$PT621_ROOT/test/tool/vans.pl" "$van" "$VANS_DAY" >"$LOG.van"
		lines=$((lines + $(wc -l <"$LOG.van")))
		# The photo of the first one comes behind its day, unasked.
		[ "$van" -ne 1 ] || cat "$LOG.photo" >>"$LOG.van"
		cat "$LOG.van" >"/dev/tcp/127.0.0.1/$PORT"
	done
	rm -f "$LOG.van" "$LOG.photo"
	wait_for "SELECT count(*) >= $lines FROM pt621.position p JOIN pt621.device d ON d.id = p.device_id
	           WHERE d.ident IN ('2000001', '2000002')" ||
		die "not all of the vans' records were stored; see $RUN_DIR/log"
	wait_for "SELECT count(*) = 1 FROM pt621.picture p WHERE p.ident = '2000001' AND p.state = 'complete'" ||
		die "the photo of van 1 was not stored; see $RUN_DIR/log"
}

# Writes what a query gives to a file that whoever started this can read.
write_page() {
	ask -At -c "$2" | as_db_user tee "$RUN_DIR/pages/$1" >/dev/null
}

write_pages() {
	local of="ARRAY(SELECT id FROM pt621.device WHERE ident IN ('2000001', '2000002')), '$VANS_PERIOD'"
	as_db_user mkdir -m 755 "$RUN_DIR/pages"
	write_page map.html "SELECT pt621_map($of)"
	write_page report.html "SELECT pt621_report_html($of)"
	write_page vans.gpx "SELECT pt621_gpx($of)"
	write_page vans.kml "SELECT pt621_kml($of)"
	write_page vans.geojson "SELECT pt621_geojson($of)"
	write_page vans.csv "SELECT pt621_csv($of)"
	as_db_user chmod -R a+rX "$RUN_DIR/pages"
}

heading() {
	printf "\n--- %s\n" "$1"
	shift
	[ $# -eq 0 ] || printf "    %s\n" "$@"
}

# Shows a query as one would type it, and its result.
show() {
	printf '\n%s;\n\n' "$1"
	ask -P footer=off -P null=- -P pager=off -c "$1"
}

show_all() {
	heading 'Positions.  A record that comes twice, here by TCP and by UDP, is one row; but the' \
		'one without a usable clock stands at its times of receipt.'
	show "SELECT d.ident, p.fix_time::timestamp(0) AS utc, p.code, ST_AsText(p.geom, 5) AS place,
       round(p.speed_kmh) AS kmh, p.stored
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id
 ORDER BY p.fix_time, p.code"

	heading 'Alarms and other events: positions whose code says more than POS.'
	show "SELECT d.ident, p.fix_time::timestamp(0) AS utc, p.code, pt621_event(p.code) AS event,
       p.valid, ST_AsText(p.geom, 5) AS place
  FROM pt621.position p
  JOIN pt621.device d ON d.id = p.device_id
 WHERE pt621_event(p.code) IS NOT NULL
 ORDER BY p.fix_time, p.code"

	heading 'Tracks: a line for each tracker and day.'
	show "SELECT d.ident, t.day, t.fixes, t.last_fix - t.first_fix AS time,
       round(ST_Length(t.geom::geography)) AS metres
  FROM pt621.track t
  JOIN pt621.device d ON d.id = t.device_id
 ORDER BY metres DESC"

	heading 'A frame decoded by hand: no table, no listener.'
	show "SELECT ident, device_time, event, valid, ST_AsText(geom, 5) AS place, speed_kmh, inputs
  FROM pt621_decode('\$HDB,20007,134708.000,A,0626.1607,N,00330.2245,E,33.38,81.79,250915,,,A/00010,10000/26c,0,0,0/19948900//fa4//')"

	heading 'Rejected: kept as bytes, with the reason.  Here a piece of a photo, on a connection' \
		'that named no tracker.'
	show "SELECT transport, ident, octet_length(bytes) AS bytes, error
  FROM pt621.frame
 WHERE error IS NOT NULL
 ORDER BY seq"

	heading 'In numbers, from the listener.'
	show "SELECT bytes, units, positions, duplicates, rejected
  FROM pt621_stat_worker()
 WHERE worker = 'listener'"
}

show_reports() {
	heading 'A day of two vans, made up.  Trips, from what they sent:' \
		'a stop is where they stay for five minutes and more.'
	show "SELECT d.name, (t.started_at AT TIME ZONE d.time_zone)::time(0) AS started,
       (t.ended_at AT TIME ZONE d.time_zone)::time(0) AS ended, round(t.metres / 1000) AS km,
       round(t.top_kmh) AS top_kmh, t.drivers
  FROM pt621_trips(period => '$VANS_PERIOD') t
  JOIN pt621.device d ON d.id = t.device_id
 WHERE d.name = 'Van 1'
 ORDER BY t.started_at"

	heading 'The same day of both in sum.'
	show "SELECT d.name, s.day, s.trips, round(s.metres / 1000) AS km, s.drive_s * interval '1 s' AS driving,
       s.engine_s * interval '1 s' AS engine, round(s.fuel_used_l) AS litres, s.alarms
  FROM pt621_summary(period => '$VANS_PERIOD') s
  JOIN pt621.device d ON d.id = s.device_id
 WHERE d.name IN ('Van 1', 'Van 2')
 ORDER BY d.name"

	heading 'A photo that Van 1 announced and sent in pieces.'
	show "SELECT p.name, p.fix_time::timestamp(0) AS utc, p.camera, p.size, p.state, ST_AsText(p.geom, 5) AS place
  FROM pt621.picture p
 WHERE p.name = 'Van 1'"
}

say_pages() {
	cat <<-END

		--- The vans' day as pages and files, in $RUN_DIR/pages

		    map.html       pt621_map(): where they were, to be zoomed and played, and the photo of Van 1
		    report.html    pt621_report_html(): tables and charts, to be read and printed
		    vans.gpx, vans.kml, vans.geojson, vans.csv    for other programs

		A browser opens the pages from there; they need neither this server nor a network.
	END
}

say_how_to() {
	local date="\$(date -u '+%H%M%S %d%m%y')"
	local frame="printf '\$POS,1234567,%s.000,A,5230.9900,N,01322.6600,E,13.32,212.34,%s,,,A/00010,00000/0/1500//f65//\\r\\n' $date"
	local psql=psql
	command -v psql >/dev/null || psql=$(pg_bindir)/psql
	cat <<-END

		--- The server is running.  Trackers: port $PORT, TCP and UDP, on the loopback.

		Connect:

		    $psql -h $RUN_DIR -p $PGPORT_CHOSEN -U $SUPERUSER $DATABASE

		Programs that want a host: 127.0.0.1, port $PGPORT_CHOSEN, database $DATABASE, user
		$SUPERUSER; the password is in $RUN_DIR/password

		Be a tracker, by TCP and by UDP:

		    $frame | nc -N 127.0.0.1 $PORT
		    $frame | nc -u -q0 127.0.0.1 $PORT

		then see where you are:

		    SELECT ident, fix_time, ST_AsText(geom), speed_kmh FROM pt621.last_position;

		Stop it, and delete it:

		    make stop
	END
}

if find_run_dir; then
	if ! is_root && [ ! -O "$RUN_DIR" ]; then
		die "the server in $RUN_DIR was started by another user: sudo make stop"
	fi
	if run_is_alive; then
		say "It is running already; \`make stop\` first, to start afresh."
		PGPORT_CHOSEN=$(as_run_owner cat "$RUN_DIR/pgport")
		PORT=$(as_run_owner cat "$RUN_DIR/port")
		say_pages
		say_how_to
		exit 0
	fi
	run_remove
fi
require_free_port

bash test/tool/deps.sh
mkdir -p build
quietly make -s -j "$(nproc)" all
step build ok
quietly sudo_if_needed make -s install ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"}
step install ok

# PostgreSQL's programs complain of a folder that their user cannot read.
cd /

# A server that was started and of no use is not left behind.
trap 'status=$?; [ -z "$RUN_DIR" ] || run_remove; exit $status' EXIT
trap 'exit 1' INT TERM HUP
make_run_dir
start_server
step server "PostgreSQL $(ask -At -c 'SHOW server_version'), database $DATABASE, in $RUN_DIR"
await_port
step listener "port $PORT, TCP and UDP"
play
show_all
describe_vans
play_vans
show_reports
write_pages
trap - EXIT
say_pages
say_how_to
