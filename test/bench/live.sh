# shellcheck shell=bash disable=SC2034 # some is for those who source this
# What the benchmarks of the listener share: sourced by run.sh, never run.
#
# One cluster for all of them, of one listener with the settings below and the
# defaults otherwise: fsync and synchronous_commit are on.  No checkpoint falls
# into a run, since each begins with one and the WAL does not fill up.  The limit
# of records per tracker and second, in versions that have it, is off: here a few
# trackers send what a fleet would.
#
# The load comes from build/bench/load; see there for what it sends.  A number
# of a record is used once, but for replays: NEXT is the next one.

LIVE=           # not empty while the cluster runs
PORT=           # of the listener
NEXT=0
# Trackers' clocks: the records to come lie in the past too, and in partitions.
SINCE=$(($(date +%s) - 3 * 86400))
PATIENCE=60     # seconds, for anything

ask() {
	"$(pg_bindir)/psql" -XAtq -v ON_ERROR_STOP=1 -F ' ' -h "$WORK" -U postgres -d postgres "$@"
}

# Prints the median of its arguments.
median() {
	printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 }
		END { printf "%.3f\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Prints the value of an expression.
calculate() { awk "BEGIN { printf(\"${2:-%.3f}\\n\", ($1)) }"; }

# figure NAME VALUE UNIT
figure() { say "$1: $2${3:+ $3}"; }

wait_open() {
	local deadline=$((SECONDS + PATIENCE))
	until PORT=$(ask -c "SELECT max(port) FROM pt621_stat_worker() WHERE state = 'open' AND port > 0"); [ -n "$PORT" ]; do
		[ "$SECONDS" -lt "$deadline" ] ||
			die "the port does not open: $(ask -c "SELECT state, reason FROM pt621_stat_worker()")"
		sleep 0.1
	done
}

# has_setting NAME: those of a later version are used where they are there.
has_setting() { [ "$(ask -c "SELECT count(*) FROM pg_settings WHERE name = '$1'")" -eq 1 ]; }

# Opens the port anew, by a fresh listener.
reopen_port() {
	ask -c 'SELECT pt621_pause()' -c 'SELECT pt621_resume()' >/dev/null
	wait_open
}

wait_for() {
	local deadline=$((SECONDS + PATIENCE))
	until [ "$(ask -c "$1")" = t ]; do
		[ "$SECONDS" -lt "$deadline" ] || die "waited in vain: $1"
		sleep 0.05
	done
}

# Starts the cluster, unless it runs.
live_start() {
	[ -z "$LIVE" ] || return 0
	make -s all "$BUILD/bench/load" "$BUILD/bench/sink" "$BUILD/bench/garbage"
	sudo_if_needed make -s install ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"} >/dev/null
	ulimit -S -n "$(ulimit -H -n)"
	start_cluster <<-CONF
		shared_buffers = ${BUFFERS:-1GB}
		max_wal_size = 16GB
		checkpoint_timeout = 1h
		shared_preload_libraries = 'pt621'
		pt621.port = 0
		pt621.max_connections = $((CONNECTIONS + 200))
		pt621.max_record_rate = 0
	CONF
	LIVE=yes
	ask -f test/bench/live.sql
	wait_open
}

# Opens the sockets of the fleet: load_open tcp|udp TRACKERS [PORT]
load_open() {
	local answer
	coproc LOAD { exec "$BUILD/bench/load" "$1" "${3:-$PORT}" "$2" "$SINCE"; }
	LOAD_PID_KEPT=$LOAD_PID
	read -r -t "$PATIENCE" answer <&"${LOAD[0]}" || die "the load generator did not start"
	[ "$answer" = ready ] || die "the load generator says: $answer"
}

# Sends: load_send FROM EACH PER_WRITE RATE STAMP.  Sets SENT (records), FIRST,
# LAST (microseconds since 1970) and LATE (microseconds).
load_send() {
	local word
	say "send $*" >&"${LOAD[1]}"
	read -r -t 600 word SENT FIRST LAST LATE <&"${LOAD[0]}" || die "the load generator failed"
	[ "$word" = sent ] || die "the load generator says: $word"
}

load_close() {
	local fd=${LOAD[1]}
	exec {fd}>&-
	wait "$LOAD_PID_KEPT" || die "the load generator failed"
}

# Starts a program beside the load, which prints a line when it has begun and ends
# when its input does.  Sets HELPER_SAYS to the line.
helper_start() {
	rm -f "$BUILD/bench/input" "$BUILD/bench/output"
	mkfifo "$BUILD/bench/input" "$BUILD/bench/output"
	"$@" <"$BUILD/bench/input" >"$BUILD/bench/output" &
	HELPER_PID=$!
	exec {HELPER_IN}>"$BUILD/bench/input" {HELPER_OUT}<"$BUILD/bench/output"
	read -r -t "$PATIENCE" HELPER_SAYS <&"$HELPER_OUT" || die "it did not start: $1"
}

# Ends it.  Sets HELPER_SAYS to its last line, if there is any.
helper_stop() {
	exec {HELPER_IN}>&-
	read -r -t "$PATIENCE" HELPER_SAYS <&"$HELPER_OUT" || HELPER_SAYS=
	exec {HELPER_OUT}<&-
	wait "$HELPER_PID" || die "a helper failed"
}

# listeners FILE PROGRAM: prints the sum of what an awk program finds in that file
# below /proc/PID, over all listeners.
listeners() {
	ask -c 'SELECT pid FROM pt621_stat_worker() WHERE port IS NOT NULL' |
		while read -r pid; do
			awk "$2" "/proc/$pid/$1"
		done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# Prints the nanoseconds that the listeners have computed.
listener_cpu() { listeners schedstat '{ print $1 }'; }

# Sends as load_send, but for the first argument, which is the number of records,
# and waits until all are stored.  Sets also TOOK, the seconds from the first byte
# sent to the last row visible, and CPU_TOOK, those that the listener computed.
timed_load() {
	local expected=$1 target waiter cpu
	cpu=$(listener_cpu)
	target=$(($(ask -c 'SELECT bench.stored()') + expected))
	shift
	ask -c "SELECT bench.await($target, $PATIENCE)" >"$BUILD/bench/done" &
	waiter=$!
	load_send "$@"
	[ "$SENT" -eq "$expected" ] || die "$SENT records were sent, not $expected"
	wait "$waiter" || die "not all records were stored"
	TOOK=$(calculate "($(cat "$BUILD/bench/done") - $FIRST) / 1e6")
	CPU_TOOK=$(calculate "($(listener_cpu) - $cpu) / 1e9")
}

# Has one record of each of N trackers, so that they are registered, and known to
# the listener: introduce N [RATE]
introduce() {
	timed_load "$1" "$NEXT" 1 1 "${2:-0}" 0
	NEXT=$((NEXT + 1))
}

# require_rows POSITIONS FRAMES
require_rows() {
	local rows
	rows=$(ask -c 'SELECT (SELECT count(*) FROM pt621.position), (SELECT count(*) FROM pt621.frame)')
	[ "$rows" = "$1 $2" ] || die "$1 positions and $2 frames expected, but there are $rows"
}

forget() { ask -c 'CALL bench.forget()' -c CHECKPOINT; }
