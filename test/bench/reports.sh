# shellcheck shell=bash
# Reports: sourced by run.sh, never run.
#
# Each figure is held against the plainest statement over the same rows, in the same
# run: distances between neighbours in order of time, with lag().  Caches are warm, and
# the tables fit into the server's buffers, else it is reading pages that is measured.

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

# By how much a report over all rows makes its process grow, kB: sets ALL_GREW.
# In a session of its own, after a small one that loads what is loaded once.
all_rows_grow() {
	local answer
	answer=$(ask -c 'SET max_parallel_workers_per_gather = 0' -c 'SET jit = off' \
		-c "SELECT count(*) * 0 FROM pt621_segments('{1}')" -c 'SELECT bench.mapped()' \
		-c 'SELECT count(*) * 0 FROM pt621_segments()' -c 'SELECT bench.mapped()')
	# shellcheck disable=SC2086 # lines of numbers
	set -- $answer
	ALL_GREW=$(($4 - $2))
}

# reports_linear NAME: the time of a fix among $rows, of that among the first, fewest.
reports_linear() {
	local first="$1_first"
	# shellcheck disable=SC2046 # a list of numbers
	ALL_TOOK=$(median $(laps "$1"))
	printf -v "$first" '%s' "${!first:-$(calculate "$ALL_TOOK / $rows" %.9f)}"
	figure "report_rows_${rows}_$1_took" "$ALL_TOOK" "ms; a fix takes $(calculate "$ALL_TOOK / $rows / ${!first}") of its time with the fewest"
}

bench_reports() {
	local rows ours_first='' rival_first='' first_grew='' day
	local BUFFERS=${BUFFERS:-$(awk '/^MemTotal:/ { print int($2 / 4) "kB" }' /proc/meminfo)}
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
		all_rows_grow
		ask -c 'TRUNCATE bench.lap'
		run_alone "CALL bench.both($LIVE_ROUNDS, 'ours', 'SELECT count(*) FROM pt621_segments()', 'rival', bench.rival())"
		reports_linear ours
		reports_linear rival
		figure_ratio "report_rows_${rows}_vs_lag_ratio" "$(lap_ratios ours rival)" "below 1 is faster than lag()"
		first_grew=${first_grew:-$ALL_GREW}
		figure "report_rows_${rows}_memory" "$((ALL_GREW - first_grew))" "kB more than with the fewest"
	done
	stop_cluster
}
