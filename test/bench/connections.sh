# shellcheck shell=bash
# Many connections: sourced by run.sh, never run.
#
# Memory: that of the listener alone (RssAnon), a fresh one each time, with FEW and
# with CONNECTIONS connections open which all have sent a record; at a pace that
# keeps batches small, so that what grows is not the batch.
#
# Throughput: the same number of records over FEW and over CONNECTIONS
# connections, one tracker each, in turns.  So it counts too that in the second
# case a batch has many trackers.  The ratio of the listener's CPU times says it where
# the machine has other things to do.

FEW=100

# connections_run CONNECTIONS PER_WRITE: sets TOOK and CPU_TOOK.
connections_run() {
	local each=$((CONNECTION_RECORDS / $1))
	forget
	timed_load "$CONNECTION_RECORDS" "$NEXT" "$each" "$2" 0 0
	NEXT=$((NEXT + each))
	require_rows "$CONNECTION_RECORDS" "$CONNECTION_RECORDS"
}

# Opens connections and has a record of each: connections_open N [RATE]
connections_open() {
	local open
	load_open tcp "$1"
	introduce "$1" "${2:-0}"
	open=$(ask -c 'SELECT sum(connections) FROM pt621_stat_worker()')
	[ "$open" -eq "$1" ] || die "$open connections are open, not $1"
}

# Sets MEMORY to the kB that a fresh listener has for itself with N connections.
connections_memory() {
	reopen_port
	connections_open "$1" 5000
	MEMORY=$(listeners status '$1 == "RssAnon:" { print $2 }')
	load_close
}

# connections_round N: sets WALL_10, CPU_10, WALL_1, CPU_1, in seconds.
connections_round() {
	connections_open "$1"
	connections_run "$1" 10
	WALL_10=$TOOK CPU_10=$CPU_TOOK
	connections_run "$1" 1
	WALL_1=$TOOK CPU_1=$CPU_TOOK
	load_close
}

bench_connections() {
	local limit round size few_memory wall cpu
	local -A few many share cpu_share
	limit=$(ulimit -H -n)
	[ "$limit" = unlimited ] || [ "$limit" -ge $((CONNECTIONS + 1500)) ] ||
		die "$CONNECTIONS connections need a hard limit of $((CONNECTIONS + 1500)) open files (ulimit -H -n), not $limit"
	[ $((CONNECTIONS % FEW)) -eq 0 ] || die "CONNECTIONS must be a multiple of $FEW"
	# Whole writes of 10 in either case.
	CONNECTION_RECORDS=$((CONNECTIONS * 20))
	live_start
	for ((round = 0; round < LIVE_ROUNDS; round++)); do
		connections_round "$FEW"
		wall=("$WALL_10" "$WALL_1")
		cpu=("$CPU_10" "$CPU_1")
		connections_round "$CONNECTIONS"
		few[10]+=" ${wall[0]}"
		few[1]+=" ${wall[1]}"
		many[10]+=" $WALL_10"
		many[1]+=" $WALL_1"
		share[10]+=" $(calculate "${wall[0]} / $WALL_10")"
		share[1]+=" $(calculate "${wall[1]} / $WALL_1")"
		cpu_share[10]+=" $(calculate "${cpu[0]} / $CPU_10")"
		cpu_share[1]+=" $(calculate "${cpu[1]} / $CPU_1")"
	done
	connections_memory "$FEW"
	few_memory=$MEMORY
	connections_memory "$CONNECTIONS"
	say "# $CONNECTION_RECORDS records over $FEW and over $CONNECTIONS connections, one tracker each; medians of $LIVE_ROUNDS rounds"
	figure connections_open "$CONNECTIONS"
	figure connections_memory "$(calculate "($MEMORY - $few_memory) / ($CONNECTIONS - $FEW)" %.2f)" "kB each"
	# shellcheck disable=SC2086 # lists of numbers
	for size in 10 1; do
		figure "connections_${FEW}_rate_$size" "$(calculate "$CONNECTION_RECORDS / $(median ${few[$size]})" %.0f)" "records/s, $size a write"
		figure "connections_${CONNECTIONS}_rate_$size" "$(calculate "$CONNECTION_RECORDS / $(median ${many[$size]})" %.0f)" "records/s, $size a write"
		figure "connections_ratio_$size" "$(median ${share[$size]})" "(each:${share[$size]})"
		figure "connections_cpu_ratio_$size" "$(median ${cpu_share[$size]})" "(each:${cpu_share[$size]})"
	done
}
