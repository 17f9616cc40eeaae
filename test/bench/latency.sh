# shellcheck shell=bash
# Time from send to visible row, quiet and beside garbage: sourced by run.sh,
# never run.
#
# Every record carries the time at which the pace wanted it sent; live.sql says
# how the time is found at which its row became visible, to a millisecond.  So
# the figures contain what the load generator was late, which is printed too.

# latency_run RATE SECONDS [OTHERS]: sets P50, P99, WORST in ms.  OTHERS: records that
# somebody else sends meanwhile.
latency_run() {
	local rate=$1 each=$(($1 * $2 / TRACKERS)) target watcher records least
	forget
	target=$(($(ask -c 'SELECT bench.stored()') + each * TRACKERS + ${3:-0}))
	ask -c "CALL bench.watch($target, $(($2 + PATIENCE)))" &
	watcher=$!
	load_send "$NEXT" "$each" 1 "$rate" 1
	NEXT=$((NEXT + each))
	wait "$watcher" || die "the watching session failed"
	read -r records least P50 P99 WORST <<<"$(ask -c 'SELECT * FROM bench.latency()')"
	[ "$records" -eq "$SENT" ] || die "$records of $SENT records came"
	[ "$(calculate "$least >= 0" %d)" -eq 1 ] || die "a row was seen $least ms before it was sent"
}

bench_latency() {
	live_start
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS"
	latency_run 5000 "$LATENCY_SECONDS"
	load_close
	say "# 5000 records/s over $TRACKERS connections for $LATENCY_SECONDS s, from the time due to the row visible"
	figure latency_p50 "$P50" ms
	figure latency_p99 "$P99" ms
	figure latency_max "$WORST" ms
	figure latency_generator_late_max "$(calculate "$LATE / 1000" %.1f)" ms
}

# Quiet and beside garbage in turns; medians of the turns.
bench_flood() {
	local turn bytes datagrams reconnects quiet=() loud=() total=(0 0 0)
	live_start
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS"
	for ((turn = 0; turn < 2; turn++)); do
		latency_run 2000 "$FLOOD_SECONDS"
		quiet+=("$P99")
		helper_start "$BUILD/bench/garbage" "$PORT" "$FLOOD_CONNECTIONS" "$FLOOD_BYTES" "$FLOOD_DATAGRAMS"
		latency_run 2000 "$FLOOD_SECONDS"
		helper_stop
		read -r bytes datagrams reconnects <<<"$HELPER_SAYS"
		loud+=("$P99")
		total=($((total[0] + bytes)) $((total[1] + datagrams)) $((total[2] + reconnects)))
	done
	load_close
	say "# 2000 records/s of good trackers for $FLOOD_SECONDS s, alone and beside random bytes, in turns"
	figure flood_quiet_p99 "$(median "${quiet[@]}")" "ms (each: ${quiet[*]})"
	figure flood_p99 "$(median "${loud[@]}")" "ms (each: ${loud[*]}); all rows of good trackers came"
	figure flood_p99_ratio "$(calculate "$(median "${loud[@]}") / $(median "${quiet[@]}")")"
	figure flood_garbage_tcp "${total[0]}" "bytes taken, over $FLOOD_CONNECTIONS connections that came back ${total[2]} times"
	figure flood_garbage_udp "${total[1]}" "datagrams"
}
