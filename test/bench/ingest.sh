# shellcheck shell=bash
# Ingest against COPY: sourced by run.sh, never run.
#
# One round, for each size of write: the fleet sends records that are new, then
# the same ones again (replay), then the very rows that the first of these stored
# are copied from text files on the server into the two tables, emptied.  Before
# each of the three there is a checkpoint.  A ratio is COPY's time over that of
# ingest in the same round; the median of the rounds counts.  The same ratio of the
# CPU times of the two processes says it where the machine has other things to do.
#
# COPY is plain: two commands of one session, without the default triggers of
# pt621.position, since the listener does not go through those either; it keeps
# device_state by itself, and COPY need not.  So the comparison favours COPY.

TRACKERS=1000

# Sends new records, and copies them.  Sets NEW_TOOK, REPLAY_TOOK, COPY_TOOK
# and, in seconds of CPU, NEW_CPU and COPY_CPU.
ingest_round() {
	local per_write=$1 each=$((RECORDS / TRACKERS)) duplicates
	forget
	timed_load "$RECORDS" "$NEXT" "$each" "$per_write" 0 0
	NEW_TOOK=$TOOK
	NEW_CPU=$CPU_TOOK
	require_rows "$RECORDS" "$RECORDS"
	ask -c "COPY (SELECT * FROM pt621.position) TO '$WORK/position.copy'" \
		-c "COPY (SELECT * FROM pt621.frame) TO '$WORK/frame.copy'" \
		-c CHECKPOINT
	duplicates=$(ask -c 'SELECT sum(duplicates) FROM pt621_stat_worker()')
	timed_load "$RECORDS" "$NEXT" "$each" "$per_write" 0 0
	REPLAY_TOOK=$TOOK
	require_rows "$RECORDS" $((RECORDS * 2))
	duplicates=$(($(ask -c 'SELECT sum(duplicates) FROM pt621_stat_worker()') - duplicates))
	[ "$duplicates" -eq "$RECORDS" ] || die "$duplicates of $RECORDS records were known"
	NEXT=$((NEXT + each))
	copy_rows
}

copy_rows() {
	local clocks
	clocks="SELECT extract(epoch FROM clock_timestamp()), split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)"
	forget
	ask >"$BUILD/bench/copy" <<-SQL
		SET session_replication_role = replica;
		$clocks;
		COPY pt621.position FROM '$WORK/position.copy';
		COPY pt621.frame FROM '$WORK/frame.copy';
		$clocks;
	SQL
	read -r COPY_TOOK COPY_CPU <<<"$(awk 'NR == 1 { t = $1; c = $2 }
		END { printf "%.3f %.3f\n", $1 - t, ($2 - c) / 1e9 }' "$BUILD/bench/copy")"
	require_rows "$RECORDS" "$RECORDS"
}

# Prints what the generator sends to a reader that does nothing else.
sink_rate() {
	helper_start "$BUILD/bench/sink"
	load_open tcp "$TRACKERS" "$HELPER_SAYS"
	load_send 0 $((RECORDS / TRACKERS)) "$1" 0 0
	load_close
	helper_stop
	calculate "$SENT / ($LAST - $FIRST) * 1e6" %.0f
}

bench_ingest() {
	local size round sink rate
	local -A new replay copy ratio replay_ratio cpu_ratio
	[ $((RECORDS % (TRACKERS * 10))) -eq 0 ] || die "RECORDS must be a multiple of $((TRACKERS * 10))"
	live_start
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS"
	for ((round = 0; round < LIVE_ROUNDS; round++)); do
		for size in 10 1; do
			ingest_round "$size"
			new[$size]+=" $NEW_TOOK"
			replay[$size]+=" $REPLAY_TOOK"
			copy[$size]+=" $COPY_TOOK"
			ratio[$size]+=" $(calculate "$COPY_TOOK / $NEW_TOOK")"
			cpu_ratio[$size]+=" $(calculate "$COPY_CPU / $NEW_CPU")"
			replay_ratio[$size]+=" $(calculate "$COPY_TOOK / $REPLAY_TOOK")"
		done
	done
	load_close
	say "# $RECORDS records over $TRACKERS connections; medians of $LIVE_ROUNDS rounds; ratios: above 1 is faster than COPY"
	# shellcheck disable=SC2086 # lists of numbers
	for size in 10 1; do
		rate=$(calculate "$RECORDS / $(median ${new[$size]})" %.0f)
		sink=$(sink_rate "$size")
		figure "ingest_rate_$size" "$rate" "records/s, $size a write"
		figure "ingest_copy_rate_$size" "$(calculate "$RECORDS / $(median ${copy[$size]})" %.0f)" "records/s"
		figure "ingest_vs_copy_ratio_$size" "$(median ${ratio[$size]})" "(each:${ratio[$size]})"
		figure "ingest_vs_copy_cpu_ratio_$size" "$(median ${cpu_ratio[$size]})" "(each:${cpu_ratio[$size]})"
		figure "replay_rate_$size" "$(calculate "$RECORDS / $(median ${replay[$size]})" %.0f)" "records/s"
		figure "replay_vs_copy_ratio_$size" "$(median ${replay_ratio[$size]})" "(each:${replay_ratio[$size]})"
		figure "generator_rate_$size" "$sink" "records/s into a sink"
		[ "$sink" -ge "$rate" ] ||
			say "# the load generator was slower than the listener: the figures for $size a write are its own"
	done
}
