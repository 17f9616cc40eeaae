#!/usr/bin/env bash
# Compares what pt621_geofences() and pt621_inside() say of points with what
# PostGIS says, on a server of its own; prints for each comparison how many were
# made and how many differ, and fails when any does.  Takes six to ten minutes on two cores.
#
#   SEED=621          the shapes and points that are drawn
#   SHAPES=1000       polygons with holes, slivers, circles, corridors, neighbours
#   POINTS=1000000    random points; all vertices and edge midpoints come on top
#   ROUNDS=2000       circles, and as many corridors, against geography
#   PROBES=250        points for each of these
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool/lib.sh"
cd "$PT621_ROOT"
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL

SEED=${SEED:-621}
SHAPES=${SHAPES:-1000}
POINTS=${POINTS:-1000000}
ROUNDS=${ROUNDS:-2000}
PROBES=${PROBES:-250}
LOGS=build/exact
WORK=    # the cluster's folder, while there is one

finish() {
	local status=$?
	if [ -n "$WORK" ]; then
		stop_clusters_below "$WORK"
		rm -rf "$WORK"
	fi
	exit "$status"
}

ask() {
	"$(pg_bindir)/psql" -X -q -v ON_ERROR_STOP=1 -h "$WORK" -U postgres -d postgres "$@"
}

trap finish EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$LOGS"
make -s -j "$(nproc)" all
sudo_if_needed make -s install ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} >/dev/null

WORK=$(db_user_dir)
as_db_user "$(pg_bindir)/initdb" -D "$WORK/data" -A trust -U postgres \
	--encoding=UTF8 --locale=C --no-sync >"$LOGS/initdb.log"
as_db_user tee -a "$WORK/data/postgresql.conf" >/dev/null <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$WORK'
	shared_preload_libraries = 'pt621'
	pt621.listen_addresses = ''
	shared_buffers = 256MB
	work_mem = 64MB
	fsync = off
CONF
as_db_user "$(pg_bindir)/pg_ctl" -D "$WORK/data" -l "$WORK/log" -w -s start </dev/null ||
	die "the server does not start: $(tail -n 5 "$WORK/log")"

say "seed $SEED, $SHAPES shapes, $POINTS random points, $ROUNDS circles and corridors"
ask -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION pt621 CASCADE'
ask -v seed="$SEED" -v shapes="$SHAPES" -v points="$POINTS" \
	-v circles="$ROUNDS" -v corridors="$ROUNDS" -v probes="$PROBES" -f test/exact/exact.sql >"$LOGS/exact.log"
ask -P footer=off -P pager=off -c 'TABLE exact.verdict' -o "$LOGS/verdict"
cat "$LOGS/verdict"
say "$SECONDS s"
wrong=$(ask -A -t -c 'SELECT count(*) FROM exact.verdict WHERE mismatches > 0 OR compared = 0')
if [ "$wrong" -gt 0 ]; then
	say 'points that differ, with the ids that they are said to be in and are in by ST_Relate:'
	ask -P footer=off -P pager=off -c 'SELECT * FROM exact.mismatch ORDER BY id LIMIT 20'
	die "$wrong comparisons have failed"
fi
