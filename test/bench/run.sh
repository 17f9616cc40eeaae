#!/usr/bin/env bash
# Measures; prints one line per figure, "name: value unit".
#
#   run.sh [codec] [decode]      default: all
#
#   FRAMES=300000    frames that pt621_decode() reads
#   ROUNDS=11        times that it reads them; the median counts
#
# The machine should have nothing else to do.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool/lib.sh"
cd "$PT621_ROOT"
export LC_ALL=C.UTF-8

BUILD=build
WORK=        # the cluster's folder, while there is one

unset MAKEFLAGS MFLAGS MAKELEVEL

finish() {
	local status=$?
	if [ -n "$WORK" ]; then
		stop_clusters_below "$WORK"
		rm -rf "$WORK"
	fi
	exit "$status"
}

# Starts a server of our own in WORK, reached through a socket there.
start_cluster() {
	WORK=$(db_user_dir)
	as_db_user "$(pg_bindir)/initdb" -D "$WORK/data" -A trust -U postgres \
		--encoding=UTF8 --locale=C --no-sync >"$BUILD/bench/initdb.log"
	as_db_user tee -a "$WORK/data/postgresql.conf" >/dev/null <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		shared_buffers = 256MB
		fsync = off
		autovacuum = off
	CONF
	as_db_user "$(pg_bindir)/pg_ctl" -D "$WORK/data" -l "$WORK/log" -w -s start ||
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

	start_cluster
	# The server's user need not be able to read this tree.
	as_db_user tee "$WORK/empty_srf.so" <"$BUILD/bench/empty_srf.so" >/dev/null
	"$(pg_bindir)/psql" -XAtq -v ON_ERROR_STOP=1 -h "$WORK" -U postgres -d postgres \
		-v module="$WORK/empty_srf.so" -v frames="${FRAMES:-300000}" -v rounds="${ROUNDS:-11}" \
		-f test/bench/decode.sql
}

trap finish EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$BUILD/bench"

if [ $# -eq 0 ]; then
	set -- codec decode
fi
for name in "$@"; do
	declare -F "bench_$name" >/dev/null || die "no such benchmark: $name"
	"bench_$name"
done
