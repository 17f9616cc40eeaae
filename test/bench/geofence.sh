# shellcheck shell=bash disable=SC2153 # TOOK is set by live.sh
# Fences: sourced by run.sh, never run.
#
# Each part has a cluster of its own, since what it leaves in the tables would
# be in the way of the others.  geofence.sql says where the fences lie, and
# load.c where the trackers do.

fences_start() {
	stop_cluster
	live_start
	ask -f test/bench/geofence.sql
}

# laps NAME [COLUMN]: prints the milliseconds of each turn but the first.
laps() { ask -c "SELECT ${2:-ms}::numeric(12, 3) FROM bench.lap WHERE name = '$1' AND turn > 0 ORDER BY turn"; }

# lap_ratios NAME NAME [COLUMN]: prints how many times longer each turn of the first took.
lap_ratios() {
	ask -c "SELECT round((a.${3:-ms} / b.${3:-ms})::numeric, 3) FROM bench.lap a JOIN bench.lap b USING (turn)
	         WHERE a.name = '$1' AND b.name = '$2' AND turn > 0 ORDER BY turn" | tr '\n' ' '
}

# found NAME: prints what the query of that name found, each time the same.
found() {
	local all
	all=$(ask -c "SELECT DISTINCT found FROM bench.lap WHERE name = '$1'")
	[ "$(wc -w <<<"$all")" -eq 1 ] || die "$1 found now this, now that: $all"
	say "$all"
}

# figure_ratio NAME RATIOS [TEXT]
figure_ratio() {
	# shellcheck disable=SC2086 # a list of numbers
	figure "$1" "$(median $2)" "(each: ${2% })${3:+ $3}"
}

# Runs a statement; one process does the work, without a compiler: of queries of
# some 100 ms both would be a matter of luck.
run_alone() {
	ask -c 'SET max_parallel_workers_per_gather = 0' -c 'SET jit = off' -c "$1" >/dev/null
}

# --------------------------------------------------------------- the engine --
#
# pt621_geofences() against the join that a user would write, over random points
# among 1,000 fences; and against itself with 100,000 that are as much smaller, so
# that a point has as many hits.  Points and fences of the join are tables that
# are analyzed, the fences with a GiST index; the planner is free.

# engine_run NAME FENCES METRES
engine_run() {
	ask -c "CALL bench.make_fences($2, $3)" -c 'VACUUM ANALYZE pt621.geofence_version' -c 'VACUUM ANALYZE bench.fence'
	run_alone "CALL bench.turns('$1', $LIVE_ROUNDS, 'SELECT sum(cardinality(pt621_geofences(geom))) FROM bench.place')"
}

# engine_figure NAME FENCES
engine_figure() {
	local took
	mapfile -t took < <(laps "$1")
	figure "geofences_rate_$2" "$(calculate "$GEOFENCE_POINTS / $(median "${took[@]}") * 1000" %.0f)" \
		"points/s, $(calculate "$(found "$1") / $GEOFENCE_POINTS" %.2f) hits a point; loading and the first look at all took $(ask -c "SELECT ms::integer FROM bench.lap WHERE name = '$1' AND turn = 0") ms"
}

bench_geofences() {
	local join
	fences_start
	ask -c "CALL bench.make_places($GEOFENCE_POINTS)" -c 'VACUUM ANALYZE bench.place' \
		-c 'CREATE INDEX ON bench.fence USING gist (geom)'
	engine_run few 1000 1615
	run_alone "CALL bench.turns('join', $LIVE_ROUNDS, 'SELECT count(*) FROM bench.place p JOIN bench.fence f ON ST_Covers(f.geom, p.geom)')"
	[ "$(found few)" -eq "$(found join)" ] || die "the engine finds $(found few) hits, the join $(found join)"
	engine_run many 100000 149.5
	mapfile -t join < <(laps join)
	say "# $GEOFENCE_POINTS random points, fences of 65 vertices; medians of $LIVE_ROUNDS rounds"
	engine_figure few 1000
	figure geofences_join_rate_1000 "$(calculate "$GEOFENCE_POINTS / $(median "${join[@]}") * 1000" %.0f)" "points/s"
	figure_ratio geofences_vs_join_ratio "$(lap_ratios join few)" "above 1 is faster than the join"
	figure_ratio geofences_vs_join_cpu_ratio "$(lap_ratios join few cpu_ms)"
	engine_figure many 100000
	figure_ratio geofences_many_ratio "$(lap_ratios few many)" "of the rate with 1,000 fences"
	figure_ratio geofences_many_cpu_ratio "$(lap_ratios few many cpu_ms)"
	stop_cluster
}

# --------------------------------------------------------------- the listener --
#
# One round: ingest of new records without any fence, COPY of those as in ingest.sh,
# then ingest with 1,000 fences, among which the trackers drive; each after a
# checkpoint.  A record of each tracker goes before, so that what changing the
# fences costs once is not in the figures.

bench_geofence_ingest() {
	local round each visits plain_took plain_cpu plain=() fenced=() copy=() ratio=() cpu_ratio=() copy_ratio=()
	[ $((RECORDS % (TRACKERS * 10))) -eq 0 ] || die "RECORDS must be a multiple of $((TRACKERS * 10))"
	each=$((RECORDS / TRACKERS))
	fences_start
	load_open tcp "$TRACKERS"
	for ((round = 0; round < LIVE_ROUNDS; round++)); do
		ask -c 'CALL bench.no_fences()'
		introduce "$TRACKERS"
		forget
		timed_load "$RECORDS" "$NEXT" "$each" 10 0 0
		NEXT=$((NEXT + each))
		plain_took=$TOOK
		plain_cpu=$CPU_TOOK
		require_rows "$RECORDS" "$RECORDS"
		ask -c "COPY (SELECT * FROM pt621.position) TO '$WORK/position.copy'" \
			-c "COPY (SELECT * FROM pt621.frame) TO '$WORK/frame.copy'" -c CHECKPOINT
		copy_rows
		ask -c 'CALL bench.make_fences(1000, 1615)'
		introduce "$TRACKERS"
		forget
		visits=$(ask -c 'SELECT count(*) + count(exit_at) FROM pt621.geofence_visit')
		timed_load "$RECORDS" "$NEXT" "$each" 10 0 0
		NEXT=$((NEXT + each))
		require_rows "$RECORDS" "$RECORDS"
		visits=$(($(ask -c 'SELECT count(*) + count(exit_at) FROM pt621.geofence_visit') - visits))
		plain+=("$plain_took")
		fenced+=("$TOOK")
		copy+=("$COPY_TOOK")
		ratio+=("$(calculate "$plain_took / $TOOK")")
		cpu_ratio+=("$(calculate "$plain_cpu / $CPU_TOOK")")
		copy_ratio+=("$(calculate "$COPY_TOOK / $plain_took")")
	done
	load_close
	say "# $RECORDS records over $TRACKERS connections, 10 a write; medians of $LIVE_ROUNDS rounds"
	figure geofence_ingest_plain_rate "$(calculate "$RECORDS / $(median "${plain[@]}")" %.0f)" "records/s without any fence"
	figure geofence_ingest_plain_vs_copy_ratio "$(median "${copy_ratio[@]}")" "(each: ${copy_ratio[*]})"
	figure geofence_ingest_rate "$(calculate "$RECORDS / $(median "${fenced[@]}")" %.0f)" \
		"records/s with 1,000, $(ask -c 'SELECT round(avg(cardinality(pt621_geofences(geom))), 2) FROM pt621.position') hits a record, $visits entered or left"
	figure geofence_ingest_ratio "$(median "${ratio[@]}")" "(each: ${ratio[*]}) of the rate without any fence"
	figure geofence_ingest_cpu_ratio "$(median "${cpu_ratio[@]}")" "(each: ${cpu_ratio[*]})"
	stop_cluster
}

# ----------------------------------------------------------------- an edit --
#
# As in latency.sh, with 10,000 fences, and in the second of two turns with one
# redrawn five times a second.  Trackers report once a second what was some seconds
# ago: their clocks count here, for an edit holds from now on.

# edit_run EDITS: sets as latency_run does, and SLOWEST, of the batches.
edit_run() {
	local editor
	SINCE=$(($(date +%s) - 1))
	NEXT=0
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS" 5000
	ask -c 'SELECT pt621_stat_reset()' >/dev/null
	ask -c "CALL bench.edit($1, 0.2)" >"$BUILD/bench/edit" &
	editor=$!
	latency_run "$TRACKERS" "$EDIT_SECONDS"
	wait "$editor" || die "the editing session failed"
	load_close
	SLOWEST=$(ask -c "SELECT 1 << (max(b.n)::integer - 1) FROM pt621_stat_worker() w, unnest(w.commit_latency) WITH ORDINALITY b (count, n) WHERE b.count > 0")
}

bench_geofence_edits() {
	local since=$SINCE trackers=$TRACKERS next=$NEXT edits=$((EDIT_SECONDS * 5)) quiet edit
	fences_start
	TRACKERS=$EDIT_RATE
	ask -c 'CALL bench.make_fences(10000, 482)' -c 'VACUUM ANALYZE pt621.geofence_version' -c 'VACUUM ANALYZE pt621.geofence'
	edit_run 0
	quiet=("$WORST" "$P50" "$P99" "$SLOWEST" "$LATE")
	edit_run "$edits"
	edit=$(ask -c "SELECT count(*), round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 1), round(max(ms)::numeric, 1) FROM bench.lap")
	read -ra edit <<<"$edit"
	[ "${edit[0]}" -eq "$edits" ] || die "${edit[0]} edits were made, not $edits"
	say "# $TRACKERS records/s over as many connections for $EDIT_SECONDS s, 10,000 fences; from the time due to the row visible"
	figure geofence_quiet_latency_max "${quiet[0]}" "ms (median ${quiet[1]}, p99 ${quiet[2]}); slowest batch below ${quiet[3]} ms; the generator was late by $(calculate "${quiet[4]} / 1000" %.1f) ms at most"
	figure geofence_edit_latency_max "$WORST" "ms (median $P50, p99 $P99); slowest batch below $SLOWEST ms; the generator was late by $(calculate "$LATE / 1000" %.1f) ms at most"
	figure geofence_edit_took_max "${edit[2]}" "ms (median ${edit[1]}), $edits edits"
	SINCE=$since
	TRACKERS=$trackers
	NEXT=$next
	stop_cluster
}

# ----------------------------------------------------------------- back-test --

bench_geofence_backtest() {
	local join drove missed
	fences_start
	SECONDS=0
	ask -c "CALL bench.drive(100, $((BACKTEST_POSITIONS / 100)), $BACKTEST_KM)"
	drove=$SECONDS
	ask -c "CALL bench.make_areas(100, 250, $BACKTEST_KM)" -c 'VACUUM ANALYZE' -c CHECKPOINT
	join='SELECT count(*) FROM bench.fence f JOIN pt621.position p ON ST_Covers(f.geom, p.geom)'
	run_alone "CALL bench.lap('join', 1, '$join')"
	run_alone "CALL bench.turns('test', $LIVE_ROUNDS, 'SELECT count(*) FROM bench.fence f, pt621_geofence_backtest(f.geom) b')"
	ask -c 'CREATE INDEX ON bench.fence USING gist (geom)' -c 'ANALYZE bench.fence'
	run_alone "CALL bench.lap('indexed', 1, '$join')"
	missed=$(ask -c "SELECT count(*) FROM (SELECT f.id, p.device_id FROM bench.fence f JOIN pt621.position p ON ST_Covers(f.geom, p.geom)
	                 EXCEPT SELECT f.id, b.device_id FROM bench.fence f, pt621_geofence_backtest(f.geom) b) m")
	[ "$missed" -eq 0 ] || die "the back-test does not know of $missed trackers in a fence"
	ask -c "INSERT INTO bench.lap SELECT l.name, t.turn, l.ms, l.cpu_ms FROM bench.lap l, generate_series(2, $LIVE_ROUNDS) t (turn)
	         WHERE l.name IN ('join', 'indexed') AND l.turn = 1"
	say "# 100 fences 500 m wide, $BACKTEST_POSITIONS positions of 100 trackers in a square of $BACKTEST_KM km; medians of $LIVE_ROUNDS rounds, but the joins once"
	# shellcheck disable=SC2046 # lists of numbers
	figure geofence_backtest_took "$(median $(laps test))" "ms, $(found test) visits"
	figure geofence_backtest_join_took "$(ask -c "SELECT ms::integer FROM bench.lap WHERE name = 'join' AND turn = 1")" "ms, $(ask -c "SELECT max(found) FROM bench.lap WHERE name = 'join'") positions in a fence"
	figure_ratio geofence_backtest_vs_join_ratio "$(lap_ratios join test)"
	figure_ratio geofence_backtest_vs_join_cpu_ratio "$(lap_ratios join test cpu_ms)"
	figure geofence_backtest_indexed_join_took "$(ask -c "SELECT ms::integer FROM bench.lap WHERE name = 'indexed' AND turn = 1")" "ms, with an index on the fences"
	figure_ratio geofence_backtest_vs_indexed_join_ratio "$(lap_ratios indexed test)"
	figure geofence_backtest_insert_rate "$(calculate "$BACKTEST_POSITIONS / ($drove + 0.5)" %.0f)" "positions/s made, stored and derived by INSERT"
	stop_cluster
}
