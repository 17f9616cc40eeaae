# shellcheck shell=bash
# Reports: sourced by run.sh, never run.
#
# Each figure is held against the plainest statement over the same rows, in the same
# run: distances between neighbours in order of time, with lag().  Caches are warm.

# park_and_ride TRACKERS REPORTS SECONDS
park_and_ride() {
	ask -c "CALL bench.park_and_ride($1, $2, $3)" -c 'VACUUM ANALYZE pt621.position' -c CHECKPOINT
}

# reports_against NAME QUERY CONDITION TEXT: the query against reading the rows of
# the condition.
reports_against() {
	local took
	ask -c "TRUNCATE bench.lap"
	run_alone "CALL bench.both($LIVE_ROUNDS, 'ours', \$q\$$2\$q\$, 'rival', bench.rival(\$q\$$3\$q\$))"
	mapfile -t took < <(laps ours)
	figure "$1_took" "$(median "${took[@]}")" "ms, $(found ours) rows; $4"
	mapfile -t took < <(laps rival)
	figure "$1_lag_took" "$(median "${took[@]}")" "ms"
	figure_ratio "$1_vs_lag_ratio" "$(lap_ratios ours rival)" "below 1 is faster than lag()"
	figure_ratio "$1_vs_lag_cpu_ratio" "$(lap_ratios ours rival cpu_ms)"
}

# How long one report takes over all rows, ms, and by how much it makes its process
# grow, kB: all_rows.  Sets ALL_TOOK and ALL_GREW.
all_rows() {
	local answer
	run_alone "CALL bench.lap('warm', 0, 'SELECT count(*) FROM pt621_segments()')"
	# In a session of its own, after a small one that loads what is loaded once.
	answer=$(ask -c 'SET max_parallel_workers_per_gather = 0' -c 'SET jit = off' \
		-c "SELECT count(*) * 0 FROM pt621_segments('{1}')" -c 'SELECT bench.mapped()' -c 'TRUNCATE bench.lap' \
		-c "CALL bench.turns('all', $LIVE_ROUNDS, 'SELECT count(*) FROM pt621_segments()')" -c 'SELECT bench.mapped()')
	# shellcheck disable=SC2086 # lines of numbers
	set -- $answer
	ALL_GREW=$(($3 - $2))
	# shellcheck disable=SC2046 # a list of numbers
	ALL_TOOK=$(median $(laps all))
}

bench_reports() {
	local rows first_took='' first_rows='' first_grew='' day
	fences_start
	ask -f test/bench/reports.sql

	say "# one tracker, $REPORT_MONTH fixes of a month; medians of $LIVE_ROUNDS rounds"
	park_and_ride 2 "$REPORT_MONTH" 10
	reports_against report_month "SELECT count(*) FROM pt621_segments('{1}')" 'p.device_id = 1' \
		'trips, stops and distances of a month'

	say "# $REPORT_TRACKERS trackers, each 8,640 fixes of a day"
	park_and_ride "$REPORT_TRACKERS" $((2 * 8640 + 360)) 10
	day="tstzrange(bench.since() + interval '1 day', bench.since() + interval '2 days')"
	reports_against report_fleet_day "SELECT count(*) FROM pt621_summary(NULL, $day, 'all')" \
		"p.fix_time >= bench.since() + interval '1 day' AND p.fix_time < bench.since() + interval '2 days'" \
		'summary of a fleet for a day'

	for rows in $REPORT_ROWS; do
		say "# trips, stops and distances of $rows fixes, 40 trackers"
		park_and_ride 40 $((rows / 40)) 10
		all_rows
		figure "report_rows_${rows}_took" "$ALL_TOOK" ms
		figure "report_rows_${rows}_grew" "$ALL_GREW" kB
		if [ -z "$first_rows" ]; then
			first_rows=$rows
			first_took=$ALL_TOOK
			first_grew=$ALL_GREW
		else
			figure "report_rows_${rows}_linear_ratio" \
				"$(calculate "($ALL_TOOK / $rows) / ($first_took / $first_rows)")" "time of a fix, of that with $first_rows"
			figure "report_rows_${rows}_memory" "$((ALL_GREW - first_grew))" "kB more than with $first_rows"
		fi
	done
	stop_cluster
}
