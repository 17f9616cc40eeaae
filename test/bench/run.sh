#!/usr/bin/env bash
# Measures; prints one line per figure, "name: value unit".
#
#   run.sh [codec] [decode] [ingest] [udp] [latency] [connections] [flood]
#          [geofences] [geofence_ingest] [geofence_edits] [geofence_backtest]
#          [reports] [commands] [photos]
#
# default: all, which takes about a quarter of an hour.  Shorter or longer by
#
#   FRAMES=300000          frames that pt621_decode() reads
#   ROUNDS=11              times that it reads them; the median counts
#   LIVE_ROUNDS=3          rounds of ingest, connections, geofence* and reports; the median counts
#   RECORDS=400000         records of a run of ingest; a multiple of 10,000
#   UDP_SECONDS=3          length of a run of udp
#   LATENCY_SECONDS=20     length of the run of latency
#   CONNECTIONS=10000      the many connections
#   FLOOD_SECONDS=8        length of each of the four runs of flood
#   FLOOD_CONNECTIONS=48   connections that bring garbage
#   FLOOD_BYTES=2000000    garbage a second over TCP
#   FLOOD_DATAGRAMS=1000   garbage a second over UDP
#   GEOFENCE_POINTS=200000 points that are looked for among fences
#   EDIT_SECONDS=10        length of each of the two runs of geofence_edits
#   EDIT_RATE=5000         its connections, each with a record a second; no more
#                          than CONNECTIONS
#   BACKTEST_POSITIONS=1000000  positions of geofence_backtest
#   BACKTEST_KM=60         the trackers of geofence_backtest drive in a square
#                          with sides of so many km
#   REPORT_MONTH=267840    fixes of the month of reports
#   REPORT_TRACKERS=500    trackers of its day
#   REPORT_ROWS='1000000 3000000 10000000'  fixes of its longer and longer reports
#   BUFFERS=               shared_buffers of all but codec and decode; default: 1GB,
#                          and a quarter of the memory for reports
#   COMMANDS=1000          commands of commands
#   COMMAND_TRACKERS=100   trackers that get them
#   PHOTOS=1000            photos of photos, each of another tracker
#   PHOTO_SIZE=20000       bytes of each
#   PHOTO_SECONDS=60       length of the run beside them: longer than they take
#
# The machine should have nothing else to do.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool/lib.sh"
cd "$PT621_ROOT"
# shellcheck source=test/bench/live.sh
. test/bench/live.sh
# shellcheck source=test/bench/ingest.sh
. test/bench/ingest.sh
# shellcheck source=test/bench/udp.sh
. test/bench/udp.sh
# shellcheck source=test/bench/latency.sh
. test/bench/latency.sh
# shellcheck source=test/bench/connections.sh
. test/bench/connections.sh
# shellcheck source=test/bench/geofence.sh
. test/bench/geofence.sh
# shellcheck source=test/bench/reports.sh
. test/bench/reports.sh
# shellcheck source=test/bench/downlink.sh
. test/bench/downlink.sh
export LC_ALL=C.UTF-8

BUILD=build
WORK=        # the cluster's folder, while there is one

FRAMES=${FRAMES:-300000}
ROUNDS=${ROUNDS:-11}
LIVE_ROUNDS=${LIVE_ROUNDS:-3}
RECORDS=${RECORDS:-400000}
UDP_SECONDS=${UDP_SECONDS:-3}
LATENCY_SECONDS=${LATENCY_SECONDS:-20}
CONNECTIONS=${CONNECTIONS:-10000}
FLOOD_SECONDS=${FLOOD_SECONDS:-8}
FLOOD_CONNECTIONS=${FLOOD_CONNECTIONS:-48}
FLOOD_BYTES=${FLOOD_BYTES:-2000000}
FLOOD_DATAGRAMS=${FLOOD_DATAGRAMS:-1000}
GEOFENCE_POINTS=${GEOFENCE_POINTS:-200000}
EDIT_SECONDS=${EDIT_SECONDS:-10}
EDIT_RATE=${EDIT_RATE:-5000}
BACKTEST_POSITIONS=${BACKTEST_POSITIONS:-1000000}
BACKTEST_KM=${BACKTEST_KM:-60}
REPORT_MONTH=${REPORT_MONTH:-267840}
REPORT_TRACKERS=${REPORT_TRACKERS:-500}
REPORT_ROWS=${REPORT_ROWS:-1000000 3000000 10000000}
COMMANDS=${COMMANDS:-1000}
COMMAND_TRACKERS=${COMMAND_TRACKERS:-100}
PHOTOS=${PHOTOS:-1000}
PHOTO_SIZE=${PHOTO_SIZE:-20000}
PHOTO_SECONDS=${PHOTO_SECONDS:-60}

unset MAKEFLAGS MFLAGS MAKELEVEL

# Stops the server, if there is one.
stop_cluster() {
	[ -n "$WORK" ] || return 0
	stop_clusters_below "$WORK"
	rm -rf "$WORK"
	WORK=
	LIVE=
}

finish() {
	local status=$?
	restore_rmem_max
	stop_cluster
	exit "$status"
}

# Starts a server of our own in WORK, reached through a socket there.  Standard
# input: lines for its postgresql.conf.
start_cluster() {
	stop_cluster
	WORK=$(db_user_dir)
	as_db_user "$(pg_bindir)/initdb" -D "$WORK/data" -A trust -U postgres \
		--encoding=UTF8 --locale=C --no-sync >"$BUILD/bench/initdb.log"
	{
		say "listen_addresses = ''"
		say "unix_socket_directories = '$WORK'"
		cat
	} | as_db_user tee -a "$WORK/data/postgresql.conf" >/dev/null
	as_db_user "$(pg_bindir)/pg_ctl" -D "$WORK/data" -l "$WORK/log" -w -s start </dev/null ||
		die "the server does not start: $(tail -n 5 "$WORK/log")"
}

# The codec alone: bytes to records in one process, without a server.
bench_codec() {
	[ -e test/bench/bench_codec.c ] || return 0
	make -s "$BUILD/bench/bench_codec"
	"$BUILD/bench/bench_codec"
}

# pt621_decode() against functions that decode nothing.
bench_decode() {
	make -s all
	sudo_if_needed make -s install ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} >/dev/null
	"${CC:-gcc}" -O2 -fPIC -shared -Wall -Wextra -Werror \
		-isystem "$("$(pg_config_path)" --includedir-server)" \
		-o "$BUILD/bench/empty_srf.so" test/bench/server/empty_srf.c

	start_cluster <<-CONF
		shared_buffers = 256MB
		fsync = off
		autovacuum = off
	CONF
	# The server's user need not be able to read this tree.
	as_db_user tee "$WORK/empty_srf.so" <"$BUILD/bench/empty_srf.so" >/dev/null
	"$(pg_bindir)/psql" -XAtq -v ON_ERROR_STOP=1 -h "$WORK" -U postgres -d postgres \
		-v module="$WORK/empty_srf.so" -v frames="$FRAMES" -v rounds="$ROUNDS" \
		-f test/bench/decode.sql
}

trap finish EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$BUILD/bench"

if [ $# -eq 0 ]; then
	set -- codec decode ingest udp latency connections flood \
		geofences geofence_ingest geofence_edits geofence_backtest \
		reports commands photos
fi
for name in "$@"; do
	declare -F "bench_$name" >/dev/null || die "no such benchmark: $name"
	"bench_$name"
done
